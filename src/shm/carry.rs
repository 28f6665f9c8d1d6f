//! What moves from a record into its successor in a larger segment.
//!
//! Each function takes its record apart field by field, so that a field that is added later is not forgotten here.
//! What counts the present (requests in work or waiting, open connections, the bell) stays behind.

use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering};

use crate::engine::balance::state::{BalancerState, MemberState, WorkerState};

/// Copies one value.
trait Carry {
    fn carry(&self, to: &Self);
}

macro_rules! carry_atomics {
    ($($atomic:ty),+) => {$(
        impl Carry for $atomic {
            fn carry(&self, to: &Self) {
                to.store(self.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    )+};
}
carry_atomics!(AtomicU32, AtomicU64, AtomicI32, AtomicI64);

impl<const N: usize> Carry for [AtomicU64; N] {
    fn carry(&self, to: &Self) {
        for (from, to) in self.iter().zip(to) {
            from.carry(to);
        }
    }
}

macro_rules! carry_fields {
    ($to:ident: $($field:ident),+ $(,)?) => { $($field.carry(&$to.$field);)+ };
}

/// Copies what lasts of a worker.
pub(super) fn worker(from: &WorkerState, to: &WorkerState) {
    let WorkerState {
        gauge,
        used,
        errors,
        client_errors,
        sent,
        received,
        reply_timeouts,
        connected: _,
        most_connected,
        probes_failed,
        probed,
        down_since,
        latency,
        latency_at,
        reset_at,
        base,
        activated_at,
        reserved,
        stats,
    } = from;
    to.gauge.raise_most(gauge.most());
    base.copy_to(&to.base);
    stats.copy_to(&to.stats);
    carry_fields!(to: used, errors, client_errors, sent, received, reply_timeouts, most_connected);
    carry_fields!(to: probes_failed, probed, down_since, latency, latency_at, reset_at, activated_at, reserved);
}

/// Copies what lasts of a member: everything.
pub(super) fn member(from: &MemberState, to: &MemberState) {
    let MemberState {
        value,
        mult,
        state,
        activation,
        distance,
        factor,
        ramp_from,
        elected,
        sessions,
        drain_until,
        elected_before,
        first_error,
        last_error,
        errors,
        trouble,
        configured_activation,
        configured_distance,
        configured_factor,
        reset_at,
        announced,
        seen,
    } = from;
    seen.copy_to(&to.seen);
    carry_fields!(to: value, mult, state, activation, distance, factor, ramp_from, elected, sessions);
    carry_fields!(to: drain_until, elected_before, first_error, last_error, errors, trouble);
    carry_fields!(to: configured_activation, configured_distance, configured_factor, reset_at, announced);
}

/// Copies what lasts of a balancer.
pub(super) fn balancer(from: &BalancerState, to: &BalancerState) {
    let BalancerState {
        gauge,
        maintained,
        budget,
        method,
        version,
        reset_at,
        refused,
        failovers,
        session_ids,
        reserved,
    } = from;
    to.gauge.raise_most(gauge.most());
    carry_fields!(to: maintained, budget, method, version, reset_at, refused, failovers, session_ids, reserved);
}
