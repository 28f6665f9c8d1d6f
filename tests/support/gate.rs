//! Scripts wait where the test says, and the test knows that they do.

use std::sync::{Arc, Condvar, Mutex};

/// Holds scripts back until the test lets them go.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    waiting: usize,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until it is open (at most [`super::PATIENCE`], so that no thread hangs for ever).
    pub fn wait(&self) {
        let (state, bell) = &*self.0;
        let mut held = state.lock().expect("gate");
        held.waiting += 1;
        bell.notify_all();
        let (mut held, _) = bell.wait_timeout_while(held, super::PATIENCE, |s| !s.open).expect("gate");
        held.waiting -= 1;
    }

    /// Opens it for good.
    pub fn open(&self) {
        self.0.0.lock().expect("gate").open = true;
        self.0.1.notify_all();
    }

    /// Scripts that wait at it.
    pub fn waiting(&self) -> usize {
        self.0.0.lock().expect("gate").waiting
    }

    /// Blocks the test until `count` scripts wait at it.
    #[track_caller]
    pub fn await_waiting(&self, count: usize) {
        let (state, bell) = &*self.0;
        let held = state.lock().expect("gate");
        let (held, late) =
            bell.wait_timeout_while(held, super::PATIENCE, |s| s.waiting < count).expect("gate");
        assert!(!late.timed_out(), "{} of {count} scripts came to the gate", held.waiting);
    }
}
