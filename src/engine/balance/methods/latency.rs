//! Method Latency: the member that is expected to answer first.
//!
//! Each worker has a moving average of the time to the first octet of its responses. The average jumps up to a longer time at
//! once and comes down slowly, with a time constant of ten seconds, also when nothing is measured, so that a member that was
//! slow is tried again. What is compared is that time, for each request in work and the new one, by weight.
//!
//! Source: the peak EWMA of Finagle, described in its documentation of balancers.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::{Rule, in_work, load_of};
use crate::engine::balance::Member;
use crate::engine::balance::state::WorkerState;
use crate::engine::units::Tick;

/// Microseconds in which an average comes down to about a third.
const DECAY: f64 = 10e6;
/// Microseconds expected of a worker that has requests in work and has never answered: it does not get all others too.
const UNKNOWN: f64 = 1e6;

pub(in crate::engine::balance) struct Latency;

impl Rule for Latency {
    fn returns_at_top(&self) -> bool {
        false
    }

    fn cost(&self, member: &Member<'_>, weight: u64, now: Tick) -> u64 {
        let waiting = in_work(member);
        let known = expected(member.worker, now);
        let time = known.unwrap_or(if waiting == 0 { 0.0 } else { UNKNOWN });
        // The load carries large factors already; the conversion saturates.
        let load = load_of(waiting + 1, member, weight) as f64;
        (time * load / 65536.0) as u64
    }

    fn shown(&self, member: &Member<'_>) -> u64 {
        f64::from_bits(member.worker.latency.load(Relaxed)) as u64
    }
}

/// The average at `now`, in microseconds; `None` when nothing was measured.
pub fn expected(worker: &WorkerState, now: Tick) -> Option<f64> {
    let at = worker.latency_at.load(Relaxed);
    if at == 0 {
        return None;
    }
    let average = f64::from_bits(worker.latency.load(Relaxed));
    Some(average * kept(now.since(Tick(at))))
}

/// Takes a measured time into the average. Of two processes that do this at the same moment one may be forgotten.
pub fn observe(worker: &WorkerState, time: Duration, now: Tick) {
    let time = time.as_secs_f64() * 1e6;
    let (at, old) = (worker.latency_at.load(Relaxed), f64::from_bits(worker.latency.load(Relaxed)));
    let average = if at == 0 || time >= old {
        time
    } else {
        let kept = kept(now.since(Tick(at)));
        old * kept + time * (1.0 - kept)
    };
    worker.latency.store(average.to_bits(), Relaxed);
    worker.latency_at.store(now.0.max(1), Relaxed);
}

/// The part of an average that is left after `time`: close to an exponential, at a fraction of its cost.
fn kept(time: Duration) -> f64 {
    let x = time.as_micros() as f64 / DECAY;
    1.0 / (1.0 + x + x * x / 2.0)
}
