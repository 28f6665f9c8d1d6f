//! Requests in work: counted in on a worker, perhaps after a wait in its queue, and out again.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::engine::balance::state::{BalancerState, Cell, Flight, Gauge};
use crate::engine::error::Cause;
use crate::engine::units::Tick;
use crate::shm::futex;
use crate::transport::clock;

/// Longest sleep in a queue before the counts are looked at again: a process that was killed wakes nobody.
const LOOK: Duration = Duration::from_millis(100);

/// A request in work. Dropped, it is counted out and who waits for its place is woken.
#[derive(Debug)]
pub struct InWork {
    /// `None` only while being dropped.
    flight: Option<Flight<'static>>,
    gauge: &'static Gauge,
    /// Requests may be waiting for any member of this balancer.
    balancer: Option<&'static BalancerState>,
    /// What it spent in the queue.
    waited: Duration,
}

impl InWork {
    /// A request that is counted in.
    pub fn new(flight: Flight<'static>, gauge: &'static Gauge) -> Self {
        Self { flight: Some(flight), gauge, balancer: None, waited: Duration::ZERO }
    }

    /// It came out of the queue after so long.
    pub fn after(mut self, waited: Duration) -> Self {
        self.waited = waited;
        self
    }

    /// What it spent in the queue.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Requests that wait for the balancer are woken too.
    pub fn of(mut self, balancer: &'static BalancerState) -> Self {
        self.balancer = Some(balancer);
        self
    }
}

impl Drop for InWork {
    fn drop(&mut self) {
        drop(self.flight.take()); // first, or those who are woken find everything as it was
        if self.gauge.is_awaited() {
            ring_one(&self.gauge.bell);
        }
        if let Some(balancer) = self.balancer
            && balancer.gauge.is_awaited()
        {
            ring_one(&balancer.gauge.bell);
        }
    }
}

/// Wakes one of those who wait; they sleep in the order they came.
fn ring_one(bell: &AtomicU32) {
    bell.fetch_add(1, Ordering::AcqRel);
    futex::wake(bell, 1);
}

/// A bounded queue.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    /// Requests that may wait, over all processes.
    pub size: u32,
    /// Longest wait.
    pub time: Duration,
}

/// Waits in the queue of `gauge` until `ready` has something.
///
/// # Errors
/// The queue is off or full, or the time is over.
pub fn wait<T>(
    gauge: &'static Gauge,
    cell: &'static Cell,
    queue: Queue,
    mut ready: impl FnMut(Tick) -> Option<T>,
) -> Result<T, Cause> {
    let Some(_waiting) = gauge.try_wait(cell, queue.size) else { return Err(Cause::QueueFull) };
    let deadline = clock::now().after(queue.time);
    loop {
        let seen = gauge.bell.load(Ordering::Acquire);
        let now = clock::now();
        if let Some(done) = ready(now) {
            return Ok(done);
        }
        let left = deadline.since(now);
        if left.is_zero() {
            let limit_ms = u64::try_from(queue.time.as_millis()).unwrap_or(u64::MAX);
            return Err(Cause::QueueTime { limit_ms });
        }
        futex::wait(&gauge.bell, seen, left.min(LOOK));
    }
}
