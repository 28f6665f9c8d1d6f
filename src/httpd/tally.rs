//! Statistics of a worker: what each attempt adds to its shared record. A balancer counts the last attempt on each member
//! itself.

use std::sync::atomic::Ordering::Relaxed;

use crate::engine::balance::outcome::{Context, Outcome};
use crate::engine::balance::state::WorkerState;
use crate::engine::error::Fault;
use crate::engine::proxy::Served;
use crate::engine::proxy::attempts::Attempt;

/// An attempt failed and is repeated on the same worker.
pub(super) fn repeated(state: &WorkerState, attempt: &Attempt) {
    if attempt.failure.fault() == Fault::Backend {
        state.errors.fetch_add(1, Relaxed);
    }
    state.sent.fetch_add(attempt.traffic.sent, Relaxed);
    state.received.fetch_add(attempt.traffic.received, Relaxed);
}

/// A request on a worker without balancer is over.
pub(super) fn ended(state: &WorkerState, result: &Result<Served, Attempt>, fail_on: &[i32]) {
    let traffic = match result {
        Ok(served) => &served.traffic,
        Err(attempt) => &attempt.traffic,
    };
    let context = Context { sent: traffic.sent, received: traffic.received, ..Context::default() };
    state.count(Outcome::of(&result.map_err(|attempt| attempt.failure), fail_on), &context);
}
