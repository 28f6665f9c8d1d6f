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
use crate::transport::clock;

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
    let micros = |at: Tick| u64::try_from(at.since(begun).as_micros()).unwrap_or(u64::MAX);
    if let Some(head_at) = served.traffic.head_at {
        state.stats.first_byte.record(micros(head_at));
    }
    if served.tunnel.is_some() {
        return; // how long it lasted is no time to serve a request
    }
    state.stats.total.record(micros(clock::now()));
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
    let traffic = match result {
        Ok(served) => &served.traffic,
        Err(attempt) => &attempt.traffic,
    };
    let context = Context { sent: traffic.sent, received: traffic.received, ..Context::default() };
    state.count(Outcome::of(&result.map_err(|attempt| attempt.failure), fail_on), &context);
}
