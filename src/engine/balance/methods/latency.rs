//! Method Latency: the member that is expected to answer first.
//!
//! Each worker has a moving average of the time to the first octet of its responses. The average jumps up to a longer time at
//! once and comes down slowly, with a time constant of ten seconds, also when nothing is measured, so that a member that was
//! slow is tried again. What is compared is that time, for each request in work and the new one, by weight.
//!
//! Source: the peak EWMA of Finagle, described in its documentation of balancers.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::{Rule, in_work};
use crate::engine::balance::Member;
use crate::engine::balance::state::WorkerState;
use crate::engine::units::Tick;

/// Microseconds in which an average comes down to about a third.
const DECAY: f64 = 10e6;
/// Microseconds expected of a worker that has requests in work and has never answered: it does not get all others too.
const UNKNOWN: f64 = 1e6;
/// What a cost is multiplied by, so that it keeps its digits when it is divided by a large weight.
const SCALE: f64 = (1_u64 << 26) as f64;

pub(in crate::engine::balance) struct Latency;

impl Rule for Latency {
    fn returns_at_top(&self) -> bool {
        false
    }

    fn weighs(&self) -> bool {
        true
    }

    fn cost(&self, member: &Member<'_>, weight: u64, now: Tick) -> u64 {
        let waiting = in_work(member);
        // One division for all: what has faded of the average, and the weight.
        let by = float(member.factor().saturating_mul(weight.max(1)));
        let (time, by) = match measured(member.worker) {
            Some((average, at)) => (average, by * faded(now, at)),
            None => (if waiting == 0 { 0.0 } else { UNKNOWN }, by),
        };
        // Room for large weights; the conversion saturates.
        (time * float(waiting + 1) * SCALE / by) as u64
    }

    fn shown(&self, member: &Member<'_>) -> u64 {
        f64::from_bits(member.worker.latency.load(Relaxed)) as u64
    }
}

/// The average when it was changed last, in microseconds, and that moment; `None` when nothing was measured.
fn measured(worker: &WorkerState) -> Option<(f64, Tick)> {
    let at = worker.latency_at.load(Relaxed);
    (at > 0).then(|| (f64::from_bits(worker.latency.load(Relaxed)), Tick(at)))
}

/// The average at `now`, in microseconds; `None` when nothing was measured.
pub fn expected(worker: &WorkerState, now: Tick) -> Option<f64> {
    measured(worker).map(|(average, at)| average / faded(now, at))
}

/// Takes a measured time into the average. Of two processes that do this at the same moment one may be forgotten.
pub fn observe(worker: &WorkerState, time: Duration, now: Tick) {
    let time = time.as_secs_f64() * 1e6;
    let (at, old) = (worker.latency_at.load(Relaxed), f64::from_bits(worker.latency.load(Relaxed)));
    let average = if at == 0 || time >= old {
        time
    } else {
        let kept = 1.0 / faded(now, Tick(at));
        old * kept + time * (1.0 - kept)
    };
    worker.latency.store(average.to_bits(), Relaxed);
    worker.latency_at.store(now.0.max(1), Relaxed);
}

/// By how much an average is divided after some time: close to an exponential, at a fraction of its cost.
fn faded(now: Tick, at: Tick) -> f64 {
    let x = float(now.0.saturating_sub(at.0)) * (1.0 / DECAY);
    1.0 + x + x * x * 0.5
}

/// For numbers below 2^63, which the processor converts in one step, unlike larger ones.
fn float(number: u64) -> f64 {
    i64::try_from(number).unwrap_or(i64::MAX) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn after(worker: &WorkerState, seconds: u64) -> u64 {
        expected(worker, Tick(1 + seconds * 1_000_000)).unwrap() as u64
    }

    #[test]
    fn an_average_jumps_up_and_comes_down_slowly() {
        let worker = WorkerState::default();
        assert_eq!(expected(&worker, Tick(5)), None);
        observe(&worker, SECOND / 1000, Tick(1));
        assert_eq!(after(&worker, 0), 1000);
        observe(&worker, SECOND, Tick(1));
        assert_eq!(after(&worker, 0), 1_000_000, "a peak counts at once");
        observe(&worker, SECOND / 1000, Tick(1));
        assert_eq!(after(&worker, 0), 1_000_000, "and one good answer does not undo it");
        assert!((380_000..=420_000).contains(&after(&worker, 10)));
        assert!(after(&worker, 600) < 1000, "what is not used is tried again");
        observe(&worker, SECOND / 1000, Tick(10_000_001));
        assert!((380_000..=420_000).contains(&after(&worker, 10)));
    }
}
