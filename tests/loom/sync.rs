//! Atomics of loom that can be killed: a thread that has a fuse stops at an operation of our choice, as a process does that
//! gets SIGKILL between two instructions. What it would have done afterwards does not happen.

use std::cell::Cell;
use std::panic;

pub use loom::sync::atomic::{Ordering, fence};

loom::thread_local! {
    /// Operations that this thread may still do; `None`: any number.
    static FUSE: Cell<Option<usize>> = Cell::new(None);
}

/// How a killed thread is unwound; nothing else unwinds with it.
struct Killed;

/// Runs `life` and kills it before its operation number `after` (counted from 0); false when it ended before.
pub fn killed_after(after: usize, life: impl FnOnce()) -> bool {
    FUSE.with(|fuse| fuse.set(Some(after)));
    let end = panic::catch_unwind(panic::AssertUnwindSafe(life));
    FUSE.with(|fuse| fuse.set(None));
    match end {
        Ok(()) => false,
        Err(cause) if cause.is::<Killed>() => true,
        Err(cause) => panic::resume_unwind(cause),
    }
}

/// False: the thread is dead and only being unwound.
fn alive() -> bool {
    if std::thread::panicking() {
        return false;
    }
    let burnt = FUSE.with(|fuse| match fuse.get() {
        None => false,
        Some(0) => true,
        Some(left) => {
            fuse.set(Some(left - 1));
            false
        }
    });
    if burnt {
        panic::resume_unwind(Box::new(Killed));
    }
    true
}

macro_rules! atomic {
    ($name:ident, $number:ty) => {
        #[derive(Debug, Default)]
        pub struct $name(loom::sync::atomic::$name);

        impl $name {
            pub fn load(&self, order: Ordering) -> $number {
                if alive() { self.0.load(order) } else { 0 }
            }
            pub fn store(&self, value: $number, order: Ordering) {
                if alive() {
                    self.0.store(value, order);
                }
            }
            pub fn swap(&self, value: $number, order: Ordering) -> $number {
                if alive() { self.0.swap(value, order) } else { 0 }
            }
            pub fn fetch_add(&self, value: $number, order: Ordering) -> $number {
                if alive() { self.0.fetch_add(value, order) } else { 0 }
            }
            pub fn fetch_sub(&self, value: $number, order: Ordering) -> $number {
                if alive() { self.0.fetch_sub(value, order) } else { 0 }
            }
            pub fn fetch_max(&self, value: $number, order: Ordering) -> $number {
                if alive() { self.0.fetch_max(value, order) } else { 0 }
            }
            pub fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                change: impl FnMut($number) -> Option<$number>,
            ) -> Result<$number, $number> {
                if alive() { self.0.fetch_update(success, failure, change) } else { Err(0) }
            }
        }
    };
}
atomic!(AtomicI32, i32);
atomic!(AtomicU32, u32);
