//! One thread that waits for many requests: it watches descriptors and deadlines and rings an eventfd when one of them is due.
//!
//! It owns plain data only: numbers of descriptors, times, eventfds. What a request is, and who reads the eventfd, it does not
//! know. A [`Watch`] belongs to one request; between [`Watch::arm`] and the ring its descriptors must stay open, and dropping
//! it ends everything before they are closed. Times are [`Tick`]s of the monotonic clock.
//!
//! Lock: one, held for a few system calls that do not wait.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::clock;
use super::epoll::{Doorbell, Epoll, Interest, block_signals};
use crate::engine::units::Tick;

/// Silent eventfds kept for the next requests.
const SPARE: usize = 1024;
/// Longest sleep, with or without deadlines.
const LONGEST: Duration = Duration::from_secs(3600);
/// The key of the thread's own bell; watches count from 1.
const OWN: u64 = 0;

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// The connection to the backend, and what of it.
    pub link: Option<(RawFd, Interest)>,
    /// The connection of the client; its loss is always reported, a client that only ends its sending direction is not lost.
    pub client: Option<(RawFd, Interest)>,
    /// It is no use to wait longer.
    pub due: Option<Tick>,
    /// Ring by then in any case.
    pub again: Option<Tick>,
}

/// Why a bell rang.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// A descriptor is ready.
    Ready,
    /// The client's connection is gone.
    Gone,
    /// [`Wants::due`] has come.
    Due,
    /// [`Wants::again`] has come.
    Again,
}

/// The thread. Dropped, it is stopped and waited for; watches that are left ring no more.
#[derive(Debug)]
pub struct Reactor {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Access to the thread.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    epoll: Epoll,
    /// Wakes the thread.
    bell: Doorbell,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    /// The thread sleeps until then; `None`: it does not sleep.
    asleep: Option<Tick>,
    next: u64,
    armed: HashMap<u64, Armed>,
    deadlines: BTreeSet<(Tick, u64)>,
    /// Requests that have a watch.
    watches: usize,
    spare: Vec<Doorbell>,
}

/// A watch that has not rung. Its descriptors are in the set.
#[derive(Debug)]
struct Armed {
    bell: Arc<Bell>,
    link: Option<RawFd>,
    client: Option<RawFd>,
    /// The earlier one of its two times.
    first: Option<Tick>,
    due: bool,
}

/// The eventfd of a watch, and why it was rung.
#[derive(Debug)]
struct Bell {
    doorbell: Doorbell,
    ring: Mutex<Option<Ring>>,
}

/// A request's place at the reactor.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    /// `None` only while being dropped.
    bell: Option<Arc<Bell>>,
    /// The key under which it is armed, 0: it has never been.
    key: u64,
}

impl Reactor {
    /// Starts the thread.
    ///
    /// # Errors
    /// No descriptors or threads are left.
    pub fn start() -> io::Result<Self> {
        let shared =
            Arc::new(Shared { epoll: Epoll::new()?, bell: Doorbell::new()?, state: Mutex::default() });
        shared.epoll.watch(shared.bell.as_raw_fd(), READABLE, OWN)?;
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("jk reactor".to_owned()).spawn(move || {
            block_signals();
            own.run();
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Access for requests.
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.shared.state.lock().stopped = true;
        self.shared.bell.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Handle {
    /// A place for one more request; `None` when `limit` have one.
    ///
    /// # Errors
    /// No descriptor is left, or the thread has been stopped.
    pub fn enter(&self, limit: usize) -> io::Result<Option<Watch>> {
        let mut state = self.0.state.lock();
        if state.stopped {
            return Err(io::Error::other("stopped"));
        }
        if state.watches >= limit {
            return Ok(None);
        }
        let doorbell = match state.spare.pop() {
            Some(doorbell) => doorbell,
            None => Doorbell::new()?,
        };
        state.watches += 1;
        drop(state);
        let bell = Arc::new(Bell { doorbell, ring: Mutex::new(None) });
        Ok(Some(Watch { shared: Arc::clone(&self.0), bell: Some(bell), key: 0 }))
    }

    /// Requests that have a place.
    pub fn watches(&self) -> usize {
        self.0.state.lock().watches
    }
}

impl Watch {
    /// The eventfd: readable when the bell has rung.
    pub fn descriptor(&self) -> RawFd {
        self.bell.as_ref().map_or(-1, |bell| bell.doorbell.as_raw_fd())
    }

    /// Rings once when something of `wants` happens; what has happened already counts.
    ///
    /// # Errors
    /// A descriptor cannot be watched, or the thread has been stopped. Nothing will ring.
    pub fn arm(&mut self, wants: &Wants) -> io::Result<()> {
        self.disarm();
        let Some(bell) = &self.bell else { return Err(io::Error::other("no bell")) };
        let shared = &*self.shared;
        let mut state = shared.state.lock();
        if state.stopped {
            return Err(io::Error::other("stopped"));
        }
        state.next += 1;
        let key = state.next;
        self.key = key;
        let (link, client) = (wants.link.map(|(fd, _)| fd), wants.client.map(|(fd, _)| fd));
        if let Some((fd, interest)) = wants.link {
            shared.epoll.watch(fd, interest, key << 1)?;
        }
        if let Some((fd, interest)) = wants.client
            && let Err(error) = shared.epoll.watch(fd, interest, key << 1 | 1)
        {
            if let Some(fd) = link {
                shared.epoll.forget(fd);
            }
            return Err(error);
        }
        let (first, due) = match (wants.due, wants.again) {
            (Some(due), Some(again)) => (Some(due.min(again)), due <= again),
            (due, again) => (due.or(again), due.is_some()),
        };
        state.armed.insert(key, Armed { bell: Arc::clone(bell), link, client, first, due });
        if let Some(first) = first {
            state.deadlines.insert((first, key));
            if state.asleep.is_some_and(|until| first < until) {
                state.asleep = None; // one ring is enough
                shared.bell.ring();
            }
        }
        Ok(())
    }

    /// Ends the wait; says why the bell rang, if it did.
    pub fn disarm(&mut self) -> Option<Ring> {
        if self.key != 0 {
            let mut state = self.shared.state.lock();
            if let Some(armed) = state.armed.remove(&self.key) {
                self.shared.release(&mut state, self.key, &armed);
            }
            drop(state);
            self.key = 0;
        }
        // Nobody else has the bell any more: it cannot ring from here on.
        let bell = self.bell.as_ref()?;
        let ring = bell.ring.lock().take();
        if ring.is_some() {
            bell.doorbell.silence();
        }
        ring
    }

    /// Somebody else has closed the eventfd.
    pub fn descriptor_closed(&mut self) {
        let key = std::mem::take(&mut self.key);
        let mut state = self.shared.state.lock();
        if let Some(armed) = state.armed.remove(&key) {
            self.shared.release(&mut state, key, &armed);
        }
        drop(state);
        if let Some(bell) = self.bell.take().and_then(Arc::into_inner) {
            bell.doorbell.abandon();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.disarm();
        let bell = self.bell.take().and_then(Arc::into_inner);
        let mut state = self.shared.state.lock();
        state.watches -= 1;
        if let Some(bell) = bell
            && state.spare.len() < SPARE
        {
            state.spare.push(bell.doorbell);
        }
    }
}

const READABLE: Interest = Interest { readable: true, writable: false };

impl Shared {
    fn run(&self) {
        let mut events = Vec::new();
        loop {
            let now = clock::now();
            let timeout = {
                let mut state = self.state.lock();
                if state.stopped {
                    return;
                }
                let until = state.deadlines.first().map_or(now.after(LONGEST), |(first, _)| *first);
                state.asleep = Some(until);
                until.since(now).min(LONGEST)
            };
            events.clear();
            if self.epoll.wait(timeout, |event| events.push(event)).is_err() {
                return; // the descriptor of the set is gone: the process ends
            }
            let mut state = self.state.lock();
            state.asleep = None;
            for event in &events {
                if event.key == OWN {
                    self.bell.silence();
                    self.epoll.forget(self.bell.as_raw_fd());
                    if self.epoll.watch(self.bell.as_raw_fd(), READABLE, OWN).is_err() {
                        return;
                    }
                    continue;
                }
                let client = event.key & 1 == 1;
                let ring = if client && !event.asked { Ring::Gone } else { Ring::Ready };
                self.ring(&mut state, event.key >> 1, ring);
            }
            let now = clock::now();
            while let Some(&(first, key)) = state.deadlines.first()
                && first <= now
            {
                let due = state.armed.get(&key).is_some_and(|armed| armed.due);
                state.deadlines.remove(&(first, key));
                self.ring(&mut state, key, if due { Ring::Due } else { Ring::Again });
            }
        }
    }

    fn ring(&self, state: &mut State, key: u64, ring: Ring) {
        let Some(armed) = state.armed.remove(&key) else { return };
        self.release(state, key, &armed);
        *armed.bell.ring.lock() = Some(ring);
        armed.bell.doorbell.ring();
        // `armed` and its share of the bell go before the lock is free, so the owner finds itself alone with the bell.
    }

    fn release(&self, state: &mut State, key: u64, armed: &Armed) {
        for fd in [armed.link, armed.client].into_iter().flatten() {
            self.epoll.forget(fd);
        }
        if let Some(first) = armed.first {
            state.deadlines.remove(&(first, key));
        }
    }
}

#[cfg(test)]
#[path = "reactor_tests.rs"]
mod tests;
