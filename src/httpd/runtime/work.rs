//! Requests in work: counted in on a worker, perhaps after a wait in its queue, and out again.
//!
//! Who waits with a thread sleeps on the bell in shared memory. Who waits without one ([`Queued`]) has a place in a line of its
//! process: only the first of the line looks for room, when somebody of this process leaves and every [`FIRST_LOOK`] otherwise,
//! since other processes cannot ring it; when it goes, the next one is the first. So no two are woken for one place.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;

use crate::engine::balance::state::{BalancerState, Cell, Flight, Gauge};
use crate::engine::error::Cause;
use crate::engine::units::Tick;
use crate::shm::futex;
use crate::transport::clock;
use crate::transport::epoll::{Doorbell, Interest, wait_briefly};

/// Longest sleep in a queue before the counts are looked at again: a process that was killed wakes nobody.
const LOOK: Duration = Duration::from_millis(100);

/// Time between two looks of the first of a line.
const FIRST_LOOK: Duration = Duration::from_millis(25);

/// Lines of this process by the addresses of the gauges in shared memory.
static LINES: Mutex<BTreeMap<usize, VecDeque<Arc<Doorbell>>>> = Mutex::new(BTreeMap::new());

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
            ring_one(self.gauge);
        }
        if let Some(balancer) = self.balancer
            && balancer.gauge.is_awaited()
        {
            ring_one(&balancer.gauge);
        }
    }
}

/// Wakes one of those who wait with a thread, who sleep in the order they came, and the first of those who wait without one.
fn ring_one(gauge: &'static Gauge) {
    gauge.bell.fetch_add(1, Ordering::AcqRel);
    futex::wake(&gauge.bell, 1);
    ring_first(key(gauge));
}

fn ring_first(line: usize) {
    let first = LINES.lock().get(&line).and_then(|line| line.front().cloned());
    if let Some(first) = first {
        first.ring();
    }
}

fn key(gauge: &'static Gauge) -> usize {
    std::ptr::from_ref(gauge).addr()
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
fn wait<T>(
    gauge: &'static Gauge,
    cell: &'static Cell,
    queue: Queue,
    ready: &mut impl FnMut(Tick) -> Option<T>,
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
            return Err(queue.too_long());
        }
        futex::wait(&gauge.bell, seen, left.min(LOOK));
    }
}

impl Queue {
    fn too_long(self) -> Cause {
        Cause::QueueTime { limit_ms: u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX) }
    }
}

/// Waits in the queue of `gauge` until `ready` has something: with the thread if `block`, else for no time. What has not come to
/// an end is in `place`, and the time says when to call this again at the latest; [`Queued::descriptor`] may be readable before.
///
/// # Errors
/// The queue is off or full, or the time is over.
pub fn pass<T>(
    place: &mut Option<Queued>,
    (gauge, cell): (&'static Gauge, &'static Cell),
    queue: Queue,
    block: bool,
    mut ready: impl FnMut(Tick) -> Option<T>,
) -> Result<Result<T, Duration>, Cause> {
    if place.is_none() {
        let bell = if block { None } else { Doorbell::silent().ok() };
        let Some(bell) = bell else { return wait(gauge, cell, queue, &mut ready).map(Ok) };
        let Some(waiting) = gauge.try_wait(cell, queue.size) else { return Err(Cause::QueueFull) };
        *place = Some(Queued::new(gauge, waiting, queue.time, Arc::new(bell)));
    }
    loop {
        let Some(queued) = place else { return Err(queue.too_long()) };
        queued.bell.silence();
        let (now, first) = (clock::now(), queued.is_first());
        if first && let Some(done) = ready(now) {
            *place = None;
            return Ok(Ok(done));
        }
        let left = queued.deadline.since(now);
        if left.is_zero() {
            *place = None;
            return Err(queue.too_long());
        }
        let patience = if first { left.min(FIRST_LOOK) } else { left };
        if !block {
            return Ok(Err(patience));
        }
        let readable = Interest { readable: true, writable: false };
        wait_briefly([Some((queued.descriptor(), readable)), None], patience);
    }
}

/// A request that waits in a queue without a thread. Dropped, it has left the queue.
#[derive(Debug)]
pub struct Queued {
    line: usize,
    bell: Arc<Doorbell>,
    begun: Tick,
    deadline: Tick,
    _waiting: Flight<'static>,
}

impl Queued {
    fn new(gauge: &'static Gauge, waiting: Flight<'static>, time: Duration, bell: Arc<Doorbell>) -> Self {
        LINES.lock().entry(key(gauge)).or_default().push_back(Arc::clone(&bell));
        let begun = clock::now();
        Self { line: key(gauge), bell, begun, deadline: begun.after(time), _waiting: waiting }
    }

    /// When it began to wait.
    pub fn begun(&self) -> Tick {
        self.begun
    }

    fn is_first(&self) -> bool {
        let lines = LINES.lock();
        lines.get(&self.line).and_then(VecDeque::front).is_some_and(|first| Arc::ptr_eq(first, &self.bell))
    }

    /// Readable when it is worth a look.
    pub fn descriptor(&self) -> RawFd {
        self.bell.as_raw_fd()
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let mut lines = LINES.lock();
        if let Some(line) = lines.get_mut(&self.line) {
            line.retain(|other| !Arc::ptr_eq(other, &self.bell));
            if line.is_empty() {
                lines.remove(&self.line);
            }
        }
        drop(lines);
        ring_first(self.line);
    }
}
