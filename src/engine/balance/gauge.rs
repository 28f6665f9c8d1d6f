//! How many requests are in work or waiting, counted over all processes.
//!
//! A file of its own so that a test can put it on top of a model of memory that tries all interleavings
//! (`tests/loom`): its atomics come from `super::sync` and from nowhere else.

use super::sync::{AtomicI32, AtomicU32, Ordering, fence};

const RELAXED: Ordering = Ordering::Relaxed;

/// Requests in work and requests waiting, counted over all processes.
///
/// Each process keeps its own share in a [`Cell`]. Entering counts the own share first, leaving counts it last: what a killed
/// process leaves behind is then at most one less for each of its threads than it should be, never a slot that is lost for
/// good; [`Gauge::give_back`] corrects it when nobody else is in.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Gauge {
    now: AtomicI32,
    most: AtomicU32,
    waiting: AtomicI32,
    /// Changed whenever somebody who waits has a reason to look again; the word a futex waits on.
    pub bell: AtomicU32,
}

/// The share of one process in a [`Gauge`].
#[derive(Debug, Default)]
#[repr(C)]
pub struct Cell {
    now: AtomicU32,
    waiting: AtomicU32,
}

/// Somebody in work or waiting; the count goes back when this is dropped.
#[derive(Debug)]
pub struct Flight<'s> {
    gauge: &'s Gauge,
    cell: &'s Cell,
    waiting: bool,
}

impl Gauge {
    /// Requests in work.
    pub fn now(&self) -> u32 {
        u32::try_from(self.now.load(RELAXED)).unwrap_or(0)
    }

    /// Most requests in work at one time.
    pub fn most(&self) -> u32 {
        self.most.load(RELAXED)
    }

    /// Requests waiting.
    pub fn waiting(&self) -> u32 {
        u32::try_from(self.waiting.load(RELAXED)).unwrap_or(0)
    }

    /// Somebody waits for what the caller has just made free, so the bell has to be rung. Never misses somebody who still
    /// saw it taken.
    pub fn is_awaited(&self) -> bool {
        // Pairs with the fence in `try_wait`: of the one who leaves and then looks for waiters, and the one who says that it
        // waits and then looks for a place, at least one sees the other.
        fence(Ordering::SeqCst);
        self.waiting() > 0
    }

    /// Forgets the highest count.
    pub fn reset(&self) {
        self.most.store(self.now(), RELAXED);
    }

    /// Counts one in, however many there are.
    pub fn enter<'s>(&'s self, cell: &'s Cell) -> Flight<'s> {
        cell.now.fetch_add(1, RELAXED);
        let now = self.now.fetch_add(1, RELAXED).saturating_add(1);
        self.note_most(now);
        Flight { gauge: self, cell, waiting: false }
    }

    /// Counts one in unless `limit` are in work or somebody is waiting already. `queued`: the caller is one of those waiting.
    pub fn try_enter<'s>(&'s self, cell: &'s Cell, limit: u32, queued: bool) -> Option<Flight<'s>> {
        if !queued && self.waiting() > 0 {
            return None;
        }
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        cell.now.fetch_add(1, RELAXED);
        match self.now.fetch_update(Ordering::AcqRel, RELAXED, |now| (now < limit).then_some(now + 1)) {
            Ok(before) => {
                self.note_most(before + 1);
                Some(Flight { gauge: self, cell, waiting: false })
            }
            Err(_) => {
                cell.now.fetch_sub(1, RELAXED);
                None
            }
        }
    }

    /// Counts one in among those waiting, unless `limit` are.
    pub fn try_wait<'s>(&'s self, cell: &'s Cell, limit: u32) -> Option<Flight<'s>> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        cell.waiting.fetch_add(1, RELAXED);
        let entered =
            self.waiting.fetch_update(Ordering::AcqRel, RELAXED, |now| (now < limit).then_some(now + 1));
        if entered.is_err() {
            cell.waiting.fetch_sub(1, RELAXED);
            return None;
        }
        fence(Ordering::SeqCst); // see `is_awaited`
        Some(Flight { gauge: self, cell, waiting: true })
    }

    /// Takes back what a process that is gone had counted in.
    pub fn give_back(&self, cell: &Cell) {
        take_back(&self.now, &cell.now);
        take_back(&self.waiting, &cell.waiting);
    }

    /// Raises the highest count to `most`, if it is lower.
    pub fn raise_most(&self, most: u32) {
        self.most.fetch_max(most, RELAXED);
    }

    fn note_most(&self, now: i32) {
        let now = u32::try_from(now).unwrap_or(0);
        // Read first: nearly always there is nothing to change, and a read does not take the cache line from others.
        if now > self.most.load(RELAXED) {
            self.most.fetch_max(now, RELAXED);
        }
    }
}

impl Cell {
    /// Nobody in work or waiting.
    #[cfg(not(loom))] // modelled atomics can not be made at compile time
    pub const fn new() -> Self {
        Self { now: AtomicU32::new(0), waiting: AtomicU32::new(0) }
    }

    /// Nothing is counted in it.
    pub fn is_idle(&self) -> bool {
        self.now.load(RELAXED) == 0 && self.waiting.load(RELAXED) == 0
    }
}

/// Takes the share `own` off the sum `all`.
fn take_back(all: &AtomicI32, own: &AtomicU32) {
    let count = own.swap(0, RELAXED);
    all.fetch_sub(i32::try_from(count).unwrap_or(0), Ordering::AcqRel);
    // That process may have died when it had counted in its share and not in the sum. There are never less than none, so
    // raising to 0 can only correct; without it a limit would grow by one each time.
    all.fetch_max(0, Ordering::AcqRel);
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let (all, own) = if self.waiting {
            (&self.gauge.waiting, &self.cell.waiting)
        } else {
            (&self.gauge.now, &self.cell.now)
        };
        all.fetch_sub(1, Ordering::AcqRel);
        own.fetch_sub(1, RELAXED);
    }
}
