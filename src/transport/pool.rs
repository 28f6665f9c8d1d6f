//! The connections of one process to one backend: idle ones for reuse, a limit, and a fair queue when it is reached.
//!
//! Whoever holds a [`Permit`] owns one slot of the limit and may open a connection; a [`Lease`] is a permit with its
//! connection. Dropping either gives the slot back, so none is lost on any path, panics included. The lock is held to
//! move values, never for a system call, an allocation on the warm path or a log message: whether an idle connection
//! is still quiet is found out after it was taken, and CPings run on leases.
//!
//! Invariants, whenever the lock is free: every slot counted in `leased` has exactly one permit, or one grant that a
//! waiter is about to take; while somebody waits, nothing is idle and no slot is free, so newcomers cannot overtake;
//! idle connections are sorted by last use, the longest idle one first.
//!
//! A pool serves one backend with one set of options, hence all its connections are alike. When the backend's address
//! changes, [`Pool::renew`] makes the old ones go away. mod_jk polled for a slot every 100 ms in no order
//! (`ajp_get_endpoint`).

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::clock;
use super::connection::Connection;
use super::epoll::Doorbell;
use crate::engine::exchange::{Link, LinkError, Received};
use crate::engine::units::Tick;

/// Connections of one process to one backend.
#[derive(Debug)]
pub struct Pool {
    state: Mutex<State>,
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    /// Longest idle first; reuse is last in, first out, so that the surplus stays idle and can be closed.
    #[expect(
        clippy::vec_box,
        reason = "moved several times between here and the user, half of them under the lock"
    )]
    idle: Vec<Box<Connection>>,
    leased: usize,
    waiting: VecDeque<Arc<Waiter>>,
    generation: u32,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    opened: u64,
    reused: u64,
    discarded: u64,
    closed_idle: u64,
    exhausted: u64,
}

/// Somebody in the queue.
#[derive(Debug, Default)]
struct Waiter {
    turn: Condvar,
    /// Set and taken only under the lock of the pool, so this lock is never contended.
    grant: Mutex<Option<Grant>>,
    /// Rung instead, for one that does not wait with a thread.
    bell: Option<Doorbell>,
}

/// A slot, perhaps with the connection that came with it.
#[derive(Debug)]
struct Grant {
    connection: Option<Box<Connection>>,
    generation: u32,
}

/// All slots stayed in use for as long as the caller could wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all connections of the pool are in use")
    }
}

impl std::error::Error for Exhausted {}

/// What [`Pool::acquire`] found.
#[derive(Debug)]
pub enum Acquired {
    /// An idle connection on which nothing has arrived.
    Idle(Lease),
    /// The right to open a connection.
    Open(Permit),
}

/// A place in the queue of a pool without a thread that waits in it. Dropped, it is given up, with the slot if there is one.
#[derive(Debug)]
pub struct Ticket {
    pool: Arc<Pool>,
    waiter: Arc<Waiter>,
    until: Tick,
}

/// One slot of a pool.
#[derive(Debug)]
pub struct Permit {
    pool: Arc<Pool>,
    generation: u32,
    held: bool,
}

/// A connection with its slot. Dropped, it closes the connection; see [`Lease::release`].
#[derive(Debug)]
pub struct Lease {
    // Dropped in this order: the connection is closed before the next one may be opened.
    connection: Box<Connection>,
    permit: Permit,
}

/// Numbers of one pool since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Idle connections now.
    pub idle: usize,
    /// Slots in use now, those of connections that are just being opened or pinged included.
    pub in_use: usize,
    /// Callers waiting for a slot now.
    pub waiting: usize,
    /// Connections opened.
    pub opened: u64,
    /// Times an idle connection was used again.
    pub reused: u64,
    /// Connections found closed or not quiet when they were to be used again.
    pub discarded: u64,
    /// Connections closed by [`Pool::maintain`].
    pub closed_idle: u64,
    /// Callers that got no slot.
    pub exhausted: u64,
}

impl Pool {
    /// An empty pool. `limit`: most connections, idle ones included; `None`: as many as are asked for at once.
    pub fn new(limit: Option<usize>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::default()), limit: limit.unwrap_or(usize::MAX) })
    }

    /// The most recently used idle connection that is still quiet, or a permit to open one. Waits at most `wait` for a
    /// slot, first come, first served; zero: does not wait. Look up the address only afterwards, see [`Pool::renew`].
    ///
    /// # Errors
    /// No slot in time.
    pub fn acquire(self: &Arc<Self>, wait: Duration) -> Result<Acquired, Exhausted> {
        let mut waited = Duration::ZERO;
        self.acquire_timed(wait, &mut waited)
    }

    /// As [`Pool::acquire`]; sets `waited` to the time in the queue when there was any.
    ///
    /// # Errors
    /// No slot in time.
    pub fn acquire_timed(
        self: &Arc<Self>,
        wait: Duration,
        waited: &mut Duration,
    ) -> Result<Acquired, Exhausted> {
        let mut state = self.state.lock();
        let grant = match state.take(self.limit) {
            Some(grant) => grant,
            None => {
                let begun = Instant::now();
                let grant = Self::queue(&mut state, wait);
                *waited = begun.elapsed();
                grant?
            }
        };
        drop(state);
        Ok(self.granted(grant))
    }

    /// As [`Pool::acquire`], but the wait is left to the caller.
    ///
    /// # Errors
    /// No slot, and no wait.
    pub fn try_acquire(self: &Arc<Self>, wait: Duration) -> Result<Result<Acquired, Ticket>, Exhausted> {
        let mut state = self.state.lock();
        if let Some(grant) = state.take(self.limit) {
            drop(state);
            return Ok(Ok(self.granted(grant)));
        }
        let bell = if wait.is_zero() { None } else { Doorbell::silent().ok() };
        if bell.is_none() {
            // Without a descriptor to wait for, the thread waits.
            let grant = Self::queue(&mut state, wait)?;
            drop(state);
            return Ok(Ok(self.granted(grant)));
        }
        let waiter = Arc::new(Waiter { bell, ..Waiter::default() });
        state.waiting.push_back(Arc::clone(&waiter));
        Ok(Err(Ticket { pool: Arc::clone(self), waiter, until: clock::now().after(wait) }))
    }

    /// What comes of a slot.
    fn granted(self: &Arc<Self>, grant: Grant) -> Acquired {
        let mut candidate = grant.connection;
        let mut permit = Permit { pool: Arc::clone(self), generation: grant.generation, held: true };
        while let Some(mut connection) = candidate {
            if connection.is_quiet() {
                return Acquired::Idle(Lease { connection, permit });
            }
            drop(connection);
            candidate = permit.next_idle();
        }
        Acquired::Open(permit)
    }

    /// Waits in the queue; the lock is free meanwhile.
    #[cold]
    fn queue(state: &mut MutexGuard<'_, State>, wait: Duration) -> Result<Grant, Exhausted> {
        if wait.is_zero() {
            state.counts.exhausted += 1;
            return Err(Exhausted);
        }
        let until = Instant::now().checked_add(wait);
        let waiter = Arc::new(Waiter::default());
        state.waiting.push_back(Arc::clone(&waiter));
        loop {
            let timed_out = match until {
                Some(until) => waiter.turn.wait_until(state, until).timed_out(),
                None => {
                    waiter.turn.wait(state);
                    false
                }
            };
            // First, because a slot may have been granted just when the time was over.
            if let Some(grant) = waiter.grant.lock().take() {
                return Ok(grant);
            }
            if timed_out {
                state.waiting.retain(|other| !Arc::ptr_eq(other, &waiter));
                state.counts.exhausted += 1;
                return Err(Exhausted);
            }
        }
    }

    /// Takes a slot back, with the connection that is to be kept.
    fn give_back(&self, mut connection: Option<Box<Connection>>, generation: u32) {
        // Dropped at the end of the function, after the lock.
        let mut outdated = None;
        let mut state = self.state.lock();
        if generation != state.generation {
            outdated = connection.take();
        }
        if let Some(waiter) = state.waiting.pop_front() {
            if connection.is_some() {
                state.counts.reused += 1;
            }
            *waiter.grant.lock() = Some(Grant { connection, generation: state.generation });
            drop(state);
            match &waiter.bell {
                Some(bell) => bell.ring(),
                None => _ = waiter.turn.notify_one(),
            }
        } else {
            state.leased = state.leased.saturating_sub(1);
            if let Some(connection) = connection {
                state.insert(connection);
            }
            drop(state);
        }
        drop(outdated);
    }

    /// Closes connections that have been idle for at least `idle_timeout`, the longest idle first, as long as more than
    /// `keep` are open, those in use included (properties `connection_pool_timeout`, `connection_pool_minsize`).
    /// Returns how many were closed.
    pub fn maintain(&self, now: Tick, idle_timeout: Duration, keep: usize) -> usize {
        let mut closing = Vec::with_capacity(self.idle());
        {
            let mut state = self.state.lock();
            let surplus = (state.idle.len() + state.leased).saturating_sub(keep);
            let expired = state.idle.partition_point(|idle| now.since(idle.last_used()) >= idle_timeout);
            closing.extend(state.idle.drain(..expired.min(surplus)));
            state.counts.closed_idle += u64::try_from(closing.len()).unwrap_or(0);
        }
        closing.len()
    }

    /// Takes at most `most` idle connections whose backend has not proved alive for `older_than` (property
    /// `connection_ping_interval`), the longest idle first. Ping each, then [`Lease::keep`] it or drop it. They count as
    /// in use meanwhile, so keep `most` small. They may be closed or not quiet.
    pub fn take_idle_for_ping(self: &Arc<Self>, now: Tick, older_than: Duration, most: usize) -> Vec<Lease> {
        let mut taken = Vec::with_capacity(most.min(self.idle()));
        let mut state = self.state.lock();
        let generation = state.generation;
        let due = |idle: &mut Box<Connection>| now.since(idle.last_good()) >= older_than;
        for connection in state.idle.extract_if(.., due).take(most) {
            let permit = Permit { pool: Arc::clone(self), generation, held: true };
            taken.push(Lease { connection, permit });
        }
        state.leased += taken.len();
        taken
    }

    /// The backend's address or the options changed: closes all idle connections now and the others when they come
    /// back. A permit given out before counts as old, even when its connection is opened later.
    pub fn renew(&self) {
        let mut state = self.state.lock();
        state.generation = state.generation.wrapping_add(1);
        let closing = std::mem::take(&mut state.idle);
        drop(state);
        drop(closing);
    }

    /// Numbers for the status page and for tests.
    pub fn stats(&self) -> Stats {
        let state = self.state.lock();
        Stats {
            idle: state.idle.len(),
            in_use: state.leased,
            waiting: state.waiting.len(),
            opened: state.counts.opened,
            reused: state.counts.reused,
            discarded: state.counts.discarded,
            closed_idle: state.counts.closed_idle,
            exhausted: state.counts.exhausted,
        }
    }

    fn idle(&self) -> usize {
        self.state.lock().idle.len()
    }
}

impl State {
    /// A slot with an idle connection, else an empty slot, if there is one.
    fn take(&mut self, limit: usize) -> Option<Grant> {
        let connection = self.idle.pop();
        if connection.is_some() {
            self.counts.reused += 1;
        } else if self.leased >= limit {
            return None;
        }
        self.leased += 1;
        Some(Grant { connection, generation: self.generation })
    }

    /// Keeps the order by last use. Releases come almost in order, a pinged connection goes back to its old place.
    fn insert(&mut self, connection: Box<Connection>) {
        let used = connection.last_used();
        if self.idle.last().is_none_or(|newest| newest.last_used() <= used) {
            self.idle.push(connection);
        } else {
            let place = self.idle.partition_point(|idle| idle.last_used() <= used);
            self.idle.insert(place, connection);
        }
    }
}

impl Ticket {
    /// The slot, if there is one by now.
    ///
    /// # Errors
    /// The time is over.
    pub fn take(&self) -> Result<Option<Acquired>, Exhausted> {
        let mut state = self.pool.state.lock();
        if let Some(grant) = self.waiter.grant.lock().take() {
            drop(state);
            return Ok(Some(self.pool.granted(grant)));
        }
        if self.left().is_zero() {
            state.counts.exhausted += 1;
            return Err(Exhausted); // the place goes with the ticket
        }
        Ok(None)
    }

    /// Readable when there is a slot.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.waiter.bell.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// What is left of the time.
    pub fn left(&self) -> Duration {
        self.until.since(clock::now())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.pool.state.lock();
        let grant = self.waiter.grant.lock().take();
        if let Some(Grant { connection, generation }) = grant {
            drop(state);
            self.pool.give_back(connection, generation);
        } else {
            state.waiting.retain(|other| !Arc::ptr_eq(other, &self.waiter));
        }
    }
}

impl Permit {
    /// Puts the connection that was opened into the slot.
    pub fn fill(self, connection: Connection) -> Lease {
        self.pool.state.lock().counts.opened += 1;
        Lease { connection: Box::new(connection), permit: self }
    }

    /// Another idle connection for this slot, after the last one turned out to be of no use.
    #[cold]
    fn next_idle(&mut self) -> Option<Box<Connection>> {
        let mut state = self.pool.state.lock();
        state.counts.reused = state.counts.reused.saturating_sub(1);
        state.counts.discarded += 1;
        let next = state.idle.pop();
        if next.is_some() {
            state.counts.reused += 1;
        }
        self.generation = state.generation;
        next
    }

    fn give_back_with(mut self, connection: Box<Connection>) {
        self.held = false;
        self.pool.give_back(Some(connection), self.generation);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.held {
            self.pool.give_back(None, self.generation);
        }
    }
}

impl Lease {
    /// Gives the connection back for reuse after an exchange that left it reusable.
    pub fn release(self, now: Tick) {
        let Self { mut connection, permit } = self;
        connection.mark_used(now);
        permit.give_back_with(connection);
    }

    /// Gives the connection back after an answered CPing, which does not count as use: it keeps its place among the idle
    /// ones, but is not due for another CPing before the interval has passed again.
    pub fn keep(self, now: Tick) {
        let Self { mut connection, permit } = self;
        connection.mark_good(now);
        permit.give_back_with(connection);
    }

    /// Closes the connection and keeps its slot for a new one.
    pub fn reopen(self) -> Permit {
        let Self { connection, permit } = self;
        drop(connection);
        permit
    }

    /// Closes the connection with a reset and gives the slot back.
    pub fn close_abortively(self) {
        let Self { connection, permit } = self;
        connection.close_abortively();
        drop(permit);
    }
}

impl Link for Lease {
    fn establish(&mut self) -> Result<Option<bool>, LinkError> {
        self.connection.establish()
    }

    fn is_raw(&self) -> bool {
        self.connection.is_raw()
    }

    fn send(&mut self, parts: &[&[u8]]) -> Result<usize, LinkError> {
        self.connection.send(parts)
    }

    fn recv(&mut self, buffer: &mut [u8]) -> Result<Received, LinkError> {
        self.connection.recv(buffer)
    }

    fn recv_blocking(&mut self, buffer: &mut [u8], timeout: Option<Duration>) -> Result<usize, LinkError> {
        self.connection.recv_blocking(buffer, timeout)
    }

    fn wait(&mut self, writable: bool, other: Option<i32>, timeout: Duration) -> Result<(), LinkError> {
        Link::wait(&mut *self.connection, writable, other, timeout)
    }

    fn finish(&mut self) -> Result<bool, LinkError> {
        self.connection.finish()
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
