//! Statistics of a worker: what each attempt adds to its shared record. A balancer counts the last attempt on each member
//! itself.

use std::sync::atomic::Ordering::Relaxed;

use crate::engine::balance::outcome::{Context, Outcome};
use crate::engine::balance::state::{BalancerState, WorkerState};
use crate::engine::error::Fault;
use crate::engine::proxy::Served;
use crate::engine::proxy::attempts::Attempt;
use crate::engine::units::Tick;
use crate::ffi::time;

/// An attempt failed and is repeated on the same worker.
pub(super) fn repeated(state: &WorkerState, attempt: &Attempt) {
    if attempt.failure.fault() == Fault::Backend {
        state.errors.fetch_add(1, Relaxed);
    }
    state.stats.retries.fetch_add(1, Relaxed);
    failed(state, attempt);
    state.sent.fetch_add(attempt.traffic.sent, Relaxed);
    state.received.fetch_add(attempt.traffic.received, Relaxed);
}

/// An attempt failed, for monitoring.
pub(super) fn failed(state: &WorkerState, attempt: &Attempt) {
    state.stats.failed(&attempt.failure, u64::try_from(time::wall().0).unwrap_or(0));
}

/// A response was delivered: the times it took.
pub(super) fn served(state: &WorkerState, served: &Served, begun: Tick) {
    let first_byte = served.traffic.head_at.map(|at| at.micros_since(begun));
    // How long a tunnel lasted is no time to serve a request.
    let total = served.tunnel.is_none().then(|| served.ended.micros_since(begun));
    state.stats.served(first_byte, total);
}

/// A request brought these session ids; `known`: they lead to a member.
pub(super) fn session(state: &BalancerState, ids: &[&[u8]], known: bool) {
    let [with_owner, unknown, bare] = &state.session_ids;
    let count = match ids {
        [] => return,
        _ if known => with_owner,
        _ if ids.iter().any(|id| id.contains(&b'.')) => unknown,
        _ => bare,
    };
    count.fetch_add(1, Relaxed);
}

/// A request on a worker without balancer is over.
pub(super) fn ended(state: &WorkerState, result: &Result<Served, Attempt>, fail_on: &[i32]) {
    let (traffic, outcome) = match result {
        Ok(served) => (&served.traffic, Outcome::Success),
        Err(attempt) => (&attempt.traffic, Outcome::of(&Err(attempt.failure), fail_on)),
    };
    let context = Context { sent: traffic.sent, received: traffic.received, ..Context::default() };
    state.count(outcome, &context);
}
