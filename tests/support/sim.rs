//! A simulated world around the engine's request loop: a virtual clock, scripted backends and a recording client.
//!
//! Nothing here sleeps or opens a socket. Time is in microseconds and moves only while somebody waits. All chance comes from
//! one seed. What must hold at every moment is checked where it happens (`assert!` in the fakes); what must hold in the
//! end is checked by the test.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use mod_jk_rs::engine::error::{Cause, Failure, Stage};
use mod_jk_rs::engine::exchange::{Link, LinkError, Received};
use mod_jk_rs::engine::proxy::Links;
use mod_jk_rs::engine::units::Tick;

#[path = "sim_backend.rs"]
pub mod backend;
#[path = "sim_client.rs"]
pub mod client;

pub use backend::{Act, Backend, Fate};
pub use client::{Client, Piece};

/// A descriptor number nobody opens.
pub const CLIENT_FD: i32 = 1_000_001;
/// Calls of the fakes in one request; more of them means that somebody spins.
const MAX_CALLS: u64 = 2_000_000;

/// Chance: splitmix64.
#[derive(Debug, Clone)]
pub struct Rng(pub u64);

impl Rng {
    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `0..n`; 0 for an empty range.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    /// A number from `low..=high`.
    pub fn range(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high + 1 - low)
    }

    /// True in `percent` of all cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `items`.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// A generator of its own.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }
}

/// The clock, and a counter against spinning.
#[derive(Debug, Default)]
pub struct Clock {
    now: Cell<u64>,
    calls: Cell<u64>,
}

impl Clock {
    /// Microseconds since the beginning.
    pub fn now(&self) -> u64 {
        self.now.get()
    }

    /// Moves on to `at`.
    pub fn reach(&self, at: u64) {
        self.now.set(self.now.get().max(at));
    }

    /// Counts a call of a fake.
    pub fn call(&self) {
        self.calls.set(self.calls.get() + 1);
        assert!(self.calls.get() < MAX_CALLS, "somebody spins at {} us", self.now());
    }
}

/// Microseconds of a duration.
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was never taken.
    Unused,
    /// It is in use.
    Taken,
    /// It was given back for reuse.
    Released,
    /// It was closed.
    Discarded,
}

/// How a connection comes about.
#[derive(Debug, Clone, Copy)]
pub enum Opening {
    /// It was in the pool.
    Pooled,
    /// It is opened.
    Opened,
    /// Opening fails.
    Fails(LinkError),
}

/// The connections of a request, in the order in which they are handed out.
pub struct Scenes {
    clock: Rc<Clock>,
    scenes: Vec<Scene>,
    next: Cell<usize>,
    /// Connections acquired with `fresh`.
    pub fresh: Cell<usize>,
    /// Time spent in pauses.
    pub paused: Cell<u64>,
}

/// A connection with its backend.
pub struct Scene {
    /// How it comes about.
    pub opening: Opening,
    /// The other end.
    pub backend: Rc<RefCell<Backend>>,
    end: Cell<End>,
}

impl Scenes {
    /// Connections that are handed out one after the other.
    pub fn new(clock: &Rc<Clock>, scenes: Vec<(Opening, Backend)>) -> Self {
        let scene = |(opening, backend)| Scene {
            opening,
            backend: Rc::new(RefCell::new(backend)),
            end: Cell::new(End::Unused),
        };
        Self {
            clock: Rc::clone(clock),
            scenes: scenes.into_iter().map(scene).collect(),
            next: Cell::new(0),
            fresh: Cell::new(0),
            paused: Cell::new(0),
        }
    }

    /// The connections that were asked for.
    pub fn used(&self) -> &[Scene] {
        &self.scenes[..self.next.get()]
    }

    fn settle(&self, link: &SimLink, end: End) {
        let scene = &self.scenes[link.number];
        assert_eq!(scene.end.get(), End::Taken, "connection {} was given back twice", link.number);
        scene.end.set(end);
    }
}

impl Scene {
    /// What became of the connection.
    pub fn end(&self) -> End {
        self.end.get()
    }
}

/// The engine's end of a connection.
pub struct SimLink {
    number: usize,
    clock: Rc<Clock>,
    backend: Rc<RefCell<Backend>>,
    /// When the client has something to read.
    client: Rc<Cell<Option<u64>>>,
}

/// Connections for one request: the scenes, and the client whose descriptor can be waited for.
pub struct SimLinks<'s> {
    /// The connections.
    pub scenes: &'s Scenes,
    /// When the client has something to read.
    pub client: Rc<Cell<Option<u64>>>,
}

impl Links for SimLinks<'_> {
    type Link = SimLink;

    fn acquire(&self, fresh: bool) -> Result<(SimLink, bool), Failure> {
        let scenes = self.scenes;
        let number = scenes.next.get();
        assert!(number < scenes.scenes.len(), "more connections than any rule allows");
        assert!(scenes.used().iter().all(|scene| scene.end.get() != End::Taken), "two connections at a time");
        scenes.next.set(number + 1);
        scenes.fresh.set(scenes.fresh.get() + usize::from(fresh));
        let scene = &scenes.scenes[number];
        let pooled = match scene.opening {
            Opening::Fails(error) => return Err(Failure::early(Cause::Link(error), Stage::Connect)),
            Opening::Pooled => !fresh,
            Opening::Opened => false,
        };
        scene.end.set(End::Taken);
        scene.backend.borrow_mut().begin(scenes.clock.now());
        let link = SimLink {
            number,
            clock: Rc::clone(&scenes.clock),
            backend: Rc::clone(&scene.backend),
            client: Rc::clone(&self.client),
        };
        Ok((link, pooled))
    }

    fn release(&self, link: SimLink, _: Tick) {
        link.backend.borrow_mut().check_reusable();
        self.scenes.settle(&link, End::Released);
    }

    fn discard(&self, link: SimLink, _: bool) {
        self.scenes.settle(&link, End::Discarded);
    }

    fn pause(&self, time: Duration) {
        self.scenes.clock.reach(self.scenes.clock.now() + micros(time));
        self.scenes.paused.set(self.scenes.paused.get() + micros(time));
    }
}

impl Link for SimLink {
    fn send(&mut self, parts: &[&[u8]]) -> Result<usize, LinkError> {
        self.clock.call();
        assert!(parts.iter().any(|part| !part.is_empty()), "nothing to send");
        self.backend.borrow_mut().take(self.clock.now(), parts)
    }

    fn recv(&mut self, buffer: &mut [u8]) -> Result<Received, LinkError> {
        self.clock.call();
        assert!(!buffer.is_empty(), "no room to read into");
        self.backend.borrow_mut().give(self.clock.now(), buffer)
    }

    fn recv_blocking(&mut self, buffer: &mut [u8], timeout: Option<Duration>) -> Result<usize, LinkError> {
        loop {
            if let Received::Data(n) = self.recv(buffer)? {
                return Ok(n);
            }
            let ready = self.backend.borrow().readable_at();
            self.sleep(ready, timeout)?;
        }
    }

    fn wait(&mut self, writable: bool, other: Option<i32>, timeout: Duration) -> Result<(), LinkError> {
        self.clock.call();
        let backend = self.backend.borrow();
        let send = if writable { Some(backend.writable_at()) } else { None };
        let client = other.and_then(|descriptor| {
            assert_eq!(descriptor, CLIENT_FD);
            self.client.get()
        });
        let ready = [backend.readable_at(), send.flatten(), client].into_iter().flatten().min();
        drop(backend);
        self.sleep(ready, Some(timeout))
    }
}

impl SimLink {
    fn sleep(&self, ready: Option<u64>, timeout: Option<Duration>) -> Result<(), LinkError> {
        let deadline = timeout.map(|timeout| self.clock.now() + micros(timeout));
        match (ready, deadline) {
            (Some(ready), Some(deadline)) if ready > deadline => self.clock.reach(deadline),
            (Some(ready), _) => {
                self.clock.reach(ready);
                return Ok(());
            }
            (None, Some(deadline)) => self.clock.reach(deadline),
            (None, None) => panic!("waits for ever"),
        }
        Err(LinkError::TimedOut)
    }
}
