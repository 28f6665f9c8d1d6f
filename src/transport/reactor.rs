//! Waiting for many requests without a thread for each: a bell per request, and one thread that minds the clock.
//!
//! A bell is an epoll set with the descriptors that a request waits for, so it becomes readable with them, and nobody has to
//! run for that. Only when a time is over the thread makes it readable, by adding an eventfd that always is: one for every
//! 256 bells that ring so, because the kernel lets a file be in 500 sets that are in a set themselves, as bells are in
//! that of the MPM, and then refuses (`EINVAL`) both another one and to poll the bell. What a request is,
//! and who polls the bell, is not known here: there are numbers of descriptors and times, nothing else. A [`Watch`] belongs to
//! one request; while it is armed its descriptors must stay open, and dropping it ends everything before they are closed. Times
//! are [`Tick`]s of the monotonic clock.
//!
//! Lock: one, held for a system call at most.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::clock;
use super::epoll::{Doorbell, Epoll, Interest, block_signals};
use crate::engine::units::Tick;

/// Empty sets kept for the next requests.
const SPARE: usize = 1024;
/// Most bells that one eventfd rings at a time; below 500 by more than there are threads that have stopped to count and not
/// yet taken it out.
const SHARED_BY: usize = 256;
/// The next attempt when there was no descriptor for another eventfd.
const RETRY: Duration = Duration::from_millis(20);
/// Longest sleep, with or without deadlines.
const LONGEST: Duration = Duration::from_secs(3600);
/// Time between two looks at whether the process is about to end.
const ENDS_LOOK: Duration = Duration::from_secs(1);
/// Keys of the descriptors in a set.
const LINK: u64 = 0;
const CLIENT: u64 = 1;
const TIME: u64 = 2;

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
    /// Ring with [`Ring::Again`] when the process is about to end.
    pub closes: bool,
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
    /// Wakes the thread.
    alarm: Condvar,
    /// The process is about to end.
    ends: fn() -> bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    /// The process is about to end, and all that want to know it were told.
    told: bool,
    /// How many want to know it.
    closing: usize,
    /// The thread sleeps until then; `None`: it does not sleep, or has been woken.
    asleep: Option<Tick>,
    next: u64,
    armed: HashMap<u64, Armed>,
    deadlines: BTreeSet<(Tick, u64)>,
    /// Requests that have a watch.
    watches: usize,
    spare: Vec<Epoll>,
    /// What makes bells readable, and in how many it is.
    rung: Vec<(Doorbell, usize)>,
}

/// The times of a watch.
#[derive(Debug)]
struct Armed {
    set: RawFd,
    /// The earlier one, and which it is.
    first: Tick,
    ring: Ring,
    /// It has come: the place of the eventfd that says so.
    rung: Option<usize>,
    /// See [`Wants::closes`].
    closes: bool,
}

/// A request's place at the reactor.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    /// `None`: somebody else has closed it, or the watch is being dropped.
    set: Option<Epoll>,
    link: Option<RawFd>,
    client: Option<RawFd>,
    /// The key of its times, 0: it has none.
    key: u64,
}

impl Reactor {
    /// Starts the thread. `ends` tells whether the process is about to end; it is asked once a second as long as
    /// somebody wants to know.
    ///
    /// # Errors
    /// No descriptors or threads are left.
    pub fn start(ends: fn() -> bool) -> io::Result<Self> {
        let state = State { rung: vec![(Doorbell::ringing()?, 0)], ..State::default() };
        let shared = Arc::new(Shared { alarm: Condvar::new(), ends, state: Mutex::new(state) });
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
        self.shared.alarm.notify_all();
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
        let set = match state.spare.pop() {
            Some(set) => set,
            None => Epoll::new()?,
        };
        state.watches += 1;
        drop(state);
        Ok(Some(Watch { shared: Arc::clone(&self.0), set: Some(set), link: None, client: None, key: 0 }))
    }

    /// Requests that have a place.
    pub fn watches(&self) -> usize {
        self.0.state.lock().watches
    }
}

impl Watch {
    /// The bell: readable when something has happened.
    pub fn descriptor(&self) -> RawFd {
        self.set.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    /// Rings when something of `wants` happens; what has happened already counts.
    ///
    /// # Errors
    /// A descriptor cannot be watched, or the thread has been stopped. Nothing will ring.
    pub fn arm(&mut self, wants: &Wants) -> io::Result<()> {
        self.disarm();
        let result = self.try_arm(wants);
        if result.is_err() {
            self.disarm();
        }
        result
    }

    fn try_arm(&mut self, wants: &Wants) -> io::Result<()> {
        let Some(set) = &self.set else { return Err(io::Error::other("no bell")) };
        if let Some((fd, interest)) = wants.link {
            set.watch(fd, interest, LINK)?;
            self.link = Some(fd);
        }
        if let Some((fd, interest)) = wants.client {
            set.watch(fd, interest, CLIENT)?;
            self.client = Some(fd);
        }
        let (first, ring) = match (wants.due, wants.again) {
            (Some(due), Some(again)) if due > again => (again, Ring::Again),
            (Some(due), _) => (due, Ring::Due),
            (None, Some(again)) => (again, Ring::Again),
            (None, None) => (Tick(u64::MAX), Ring::Again),
        };
        let mut state = self.shared.state.lock();
        if state.stopped {
            return Err(io::Error::other("stopped"));
        }
        state.next += 1;
        let key = state.next;
        self.key = key;
        let closes = wants.closes;
        let (first, ring) = if closes && state.told { (clock::now(), Ring::Again) } else { (first, ring) };
        state.armed.insert(key, Armed { set: set.as_raw_fd(), first, ring, rung: None, closes });
        state.deadlines.insert((first, key));
        // The thread may sleep for long when nobody wanted to know of the end before.
        let begins = closes && state.closing == 0;
        state.closing += usize::from(closes);
        if begins || state.asleep.is_some_and(|until| first < until) {
            state.asleep = None; // waking it once is enough
            self.shared.alarm.notify_all();
        }
        Ok(())
    }

    /// Ends the wait; says what has happened, if anything has.
    pub fn disarm(&mut self) -> Option<Ring> {
        let time = self.forget_times();
        let set = self.set.as_ref()?;
        if self.link.is_none() && self.client.is_none() && time.is_none() {
            return None;
        }
        let (mut ready, mut gone) = (false, false);
        let _ = set.wait(Duration::ZERO, |event| match event.key {
            LINK => ready = true,
            CLIENT if event.asked => ready = true,
            CLIENT => gone = true,
            _ => {}
        });
        for fd in [self.link.take(), self.client.take()].into_iter().flatten() {
            set.forget(fd);
        }
        if let Some((_, eventfd)) = time {
            set.forget(eventfd);
        }
        match (ready, gone) {
            (true, _) => Some(Ring::Ready),
            (false, true) => Some(Ring::Gone),
            (false, false) => time.map(|(ring, _)| ring),
        }
    }

    /// Takes its times away from the thread; the one that has come, if one has, and the eventfd in the set that says so.
    fn forget_times(&mut self) -> Option<(Ring, RawFd)> {
        let key = std::mem::take(&mut self.key);
        if key == 0 {
            return None;
        }
        let mut state = self.shared.state.lock();
        let armed = state.armed.remove(&key)?;
        state.closing -= usize::from(armed.closes);
        if let Some(place) = armed.rung {
            let (doorbell, bells) = state.rung.get_mut(place)?;
            *bells = bells.saturating_sub(1);
            return Some((armed.ring, doorbell.as_raw_fd()));
        }
        state.deadlines.remove(&(armed.first, key));
        None
    }

    /// Somebody else has closed the bell.
    pub fn descriptor_closed(&mut self) {
        self.forget_times();
        (self.link, self.client) = (None, None);
        if let Some(set) = self.set.take() {
            set.abandon();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.disarm();
        let set = self.set.take();
        let mut state = self.shared.state.lock();
        state.watches -= 1;
        if let Some(set) = set
            && state.spare.len() < SPARE
        {
            state.spare.push(set);
        }
    }
}

impl State {
    /// Makes a bell readable whose time has come.
    fn ring(&mut self, key: u64, now: Tick) {
        let Some(armed) = self.armed.get_mut(&key) else { return };
        let place = self.rung.iter().position(|(_, bells)| *bells < SHARED_BY);
        let place = place.unwrap_or_else(|| {
            self.rung.extend(Doorbell::ringing().map(|doorbell| (doorbell, 0)));
            self.rung.len() - 1
        });
        if let Some((doorbell, bells)) = self.rung.get_mut(place).filter(|(_, bells)| *bells < SHARED_BY) {
            *bells += 1;
            armed.rung = Some(place);
            let readable = Interest { readable: true, writable: false };
            // If that fails the set is gone, and so is who waits for it.
            let _ = Epoll::watch_in(armed.set, doorbell.as_raw_fd(), readable, TIME);
        } else {
            armed.first = now.after(RETRY);
            self.deadlines.insert((armed.first, key));
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut state = self.state.lock();
        while !state.stopped {
            let now = clock::now();
            if state.closing > 0 && !state.told && (self.ends)() {
                state.tell(now);
            }
            while let Some(&(first, key)) = state.deadlines.first()
                && first <= now
            {
                state.deadlines.remove(&(first, key));
                state.ring(key, now);
            }
            let until = state.deadlines.first().map_or(now.after(LONGEST), |(first, _)| *first);
            let most = if state.closing > 0 && !state.told { ENDS_LOOK } else { LONGEST };
            let sleep = until.since(now).min(most);
            state.asleep = Some(until);
            self.alarm.wait_until(&mut state, Instant::now() + sleep);
            state.asleep = None;
        }
    }
}

impl State {
    /// The time of all that want to know of the end has come.
    fn tell(&mut self, now: Tick) {
        self.told = true;
        let Self { armed, deadlines, .. } = self;
        for (key, armed) in armed.iter_mut().filter(|(_, armed)| armed.closes && armed.rung.is_none()) {
            deadlines.remove(&(armed.first, *key));
            (armed.first, armed.ring) = (now, Ring::Again);
            deadlines.insert((now, *key));
        }
    }
}

#[cfg(test)]
#[path = "reactor_tests.rs"]
mod tests;
