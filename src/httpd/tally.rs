//! Statistics of a worker: what each attempt adds to its shared record.

use std::sync::atomic::Ordering::Relaxed;

use crate::engine::balance::state::WorkerState;
use crate::engine::error::{Cause, Fault, Stage};
use crate::engine::proxy::Served;
use crate::engine::proxy::attempts::Attempt;
use crate::engine::proxy::pump::Traffic;

/// Counts one request on one worker.
pub(super) struct Tally {
    state: &'static WorkerState,
}

impl Tally {
    /// Counts the request in.
    pub(super) fn new(state: &'static WorkerState) -> Self {
        state.used.fetch_add(1, Relaxed);
        Self { state }
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self, attempt: &Attempt) {
        self.moved(&attempt.traffic);
        let failure = &attempt.failure;
        match failure.fault() {
            Fault::Client => self.state.client_errors.fetch_add(1, Relaxed),
            Fault::Backend => self.state.errors.fetch_add(1, Relaxed),
            Fault::Local => return,
        };
        if matches!(failure.cause, Cause::Silent { .. }) && failure.stage >= Stage::Wait {
            self.state.reply_timeouts.fetch_add(1, Relaxed);
        }
    }

    /// The response was delivered.
    pub(super) fn served(&mut self, served: &Served) {
        self.moved(&served.traffic);
    }

    fn moved(&self, traffic: &Traffic) {
        self.state.sent.fetch_add(traffic.sent, Relaxed);
        self.state.received.fetch_add(traffic.received, Relaxed);
    }
}
