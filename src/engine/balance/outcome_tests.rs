use super::*;
use crate::engine::balance::testing::{Shared, settings};
use crate::engine::balance::{Ask, Settings};
use crate::engine::config::model::ReplyTimeouts;

const NOW: Tick = Tick(100_000_000);

fn failure(cause: Cause, stage: Stage) -> Result<Served, Failure> {
    Err(Failure::early(cause, stage))
}

#[test]
fn outcomes_of_failures() {
    use LinkError::*;
    use Outcome as O;
    let silent = Cause::Silent { limit_ms: 5 };
    let reached = |why| O::Unreachable(why);
    let cases = [
        (Cause::Link(Refused), Stage::Connect, reached(Unreachable::Refused)),
        (Cause::Link(NoAddress), Stage::Connect, reached(Unreachable::NoAddress)),
        (Cause::Link(TimedOut), Stage::Connect, reached(Unreachable::Timeout)),
        (Cause::Link(Os(113)), Stage::Connect, reached(Unreachable::Other)),
        (Cause::Link(Os(24)), Stage::Connect, O::Local),
        (Cause::Link(Os(99)), Stage::Connect, O::Local),
        (Cause::Link(Os(12)), Stage::Send, O::Local),
        (silent, Stage::Ping, reached(Unreachable::Ping)),
        (Cause::Link(Reset), Stage::Ping, reached(Unreachable::Ping)),
        (Cause::Cut, Stage::Ping, reached(Unreachable::Ping)),
        (Cause::Link(TimedOut), Stage::Send, O::Broken),
        (Cause::Link(Closed), Stage::Wait, O::Broken),
        (Cause::Cut, Stage::Body, O::Broken),
        (silent, Stage::Wait, O::ReplyTimeout),
        (silent, Stage::Body, O::ReplyTimeout),
        (Cause::Protocol(Malformed::Magic(*b"HTTP").into()), Stage::Wait, O::Protocol),
        (Cause::Protocol(http1::Malformed::NotHttp(*b"AB\0\x01\x09").into()), Stage::Wait, O::Protocol),
        (Cause::Protocol(Malformed::SecondHead.into()), Stage::Body, O::Broken),
        (Cause::ProbeStatus(500), Stage::Ping, reached(Unreachable::Ping)),
        (Cause::PoolExhausted, Stage::Acquire, O::Busy),
        (Cause::Busy, Stage::Acquire, O::Busy),
        (Cause::Client(ClientFault::Gone), Stage::Body, O::Client),
        (Cause::Client(ClientFault::Body(413)), Stage::Send, O::Client),
        (Cause::FailStatus(503), Stage::Wait, O::HardStatus(503)),
        (Cause::FailStatus(404), Stage::Wait, O::SoftStatus(404)),
        (Cause::FailStatus(500), Stage::Wait, O::HardStatus(500)),
    ];
    for (cause, stage, wanted) in cases {
        assert_eq!(
            Outcome::of(&failure(cause, stage), &[503, -404, 500, -500]),
            wanted,
            "{cause:?} {stage:?}"
        );
    }
}

/// One outcome for a member that was in `before` and had its first error so many seconds ago.
struct Case {
    outcome: Outcome,
    before: State,
    first: Option<u64>,
    others: bool,
    probed: bool,
    /// State, whether the first error is known, errors counted, trouble.
    after: (State, bool, u64, Trouble),
}

impl Case {
    fn run(&self) {
        let shared = Shared::new(1);
        let settings = Settings { probed: self.probed, ..settings(Method::Request) };
        let balancer = shared.with(settings, &[1], |_, _| {});
        let state = &shared.members[0];
        state.set_state(self.before);
        if let Some(ago) = self.first {
            state.first_error.store(NOW.0 - ago * 1_000_000, Relaxed);
        }
        let context = Context { now: NOW, others_in_work: self.others, ..Context::default() };
        let change = balancer.finished(0, self.outcome, &context).unwrap();
        let errors = state.errors.load(Relaxed);
        let after = (state.state(), tick(&state.first_error).is_some(), errors, state.trouble());
        let told = (self.outcome, self.before, self.first, self.others, self.probed);
        assert_eq!(after, self.after, "{told:?}");
        assert_eq!((change.from, change.to), (self.before, after.0), "{told:?}");
    }
}

#[test]
fn what_becomes_of_a_member() {
    use Outcome::{Broken, Busy, Client, HardStatus, Local, Protocol, ReplyTimeout, SoftStatus, Success};
    use Trouble as T;
    let refused = Outcome::Unreachable(Unreachable::Refused);
    let rows = [
        // outcome, before, first error, others in work, probed, after
        (Success, State::Idle, Some(5), false, false, (State::Ok, false, 0, T::None)),
        (Success, State::Probe, Some(5), false, false, (State::Ok, false, 0, T::None)),
        (Success, State::Error, Some(5), false, false, (State::Ok, false, 0, T::None)),
        (Client, State::Force, Some(5), false, false, (State::Ok, false, 0, T::None)),
        (SoftStatus(404), State::Ok, Some(5), false, false, (State::Ok, false, 0, T::None)),
        (HardStatus(503), State::Ok, None, true, false, (State::Error, true, 1, T::Application)),
        (Local, State::Ok, None, false, true, (State::Ok, false, 0, T::None)),
        (Local, State::Error, None, false, true, (State::Error, false, 0, T::None)),
        (Local, State::Probe, Some(5), false, false, (State::Recover, true, 0, T::None)),
        (Protocol, State::Idle, Some(5), false, false, (State::Ok, true, 0, T::None)),
        (Protocol, State::Error, Some(5), false, false, (State::Error, true, 0, T::None)),
        (Busy, State::Ok, None, true, false, (State::Busy, false, 0, T::None)),
        (Busy, State::Error, None, true, false, (State::Error, false, 0, T::None)),
        (ReplyTimeout, State::Ok, None, true, false, (State::Error, true, 1, T::Application)),
        (Broken, State::Ok, None, false, false, (State::Error, true, 1, T::Connection)),
        (Broken, State::Ok, None, true, false, (State::Ok, true, 1, T::Connection)),
        (Broken, State::Ok, Some(29), true, true, (State::Ok, true, 1, T::Connection)),
        (Broken, State::Ok, Some(30), true, true, (State::Error, true, 1, T::Connection)),
        (Broken, State::Probe, Some(3), true, false, (State::Ok, true, 1, T::Connection)),
        (Broken, State::Error, None, true, false, (State::Error, true, 1, T::Connection)),
        (refused, State::Ok, None, true, false, (State::Ok, true, 1, T::Connection)),
        (refused, State::Ok, None, false, false, (State::Error, true, 1, T::Connection)),
        (refused, State::Ok, None, true, true, (State::Error, true, 1, T::Connection)),
    ];
    for (outcome, before, first, others, probed, after) in rows {
        Case { outcome, before, first, others, probed, after }.run();
    }
}

#[test]
fn without_time_to_escalate_a_member_fails_at_once() {
    let shared = Shared::new(1);
    let settings = Settings { escalation_time: Duration::ZERO, ..settings(Method::Request) };
    let balancer = shared.with(settings, &[1], |_, _| {});
    let context = Context { now: NOW, others_in_work: true, ..Context::default() };
    balancer.finished(0, Outcome::Broken, &context);
    assert_eq!(shared.members[0].state(), State::Error);
}

#[test]
fn reply_timeouts_take_a_member_out_when_there_are_too_many() {
    let run = |limit, timeouts| {
        let shared = Shared::new(1);
        let settings = Settings { max_reply_timeouts: limit, ..settings(Method::Request) };
        let balancer = shared.with(settings, &[1], |_, _| {});
        let context = Context { now: NOW, ..Context::default() };
        for _ in 0..timeouts {
            balancer.finished(0, Outcome::ReplyTimeout, &context);
        }
        (shared.members[0].state(), shared.workers[0].reply_timeouts.load(Relaxed))
    };
    assert_eq!(run(ReplyTimeouts::AtMost(2), 2), (State::Ok, 2));
    assert_eq!(run(ReplyTimeouts::AtMost(2), 3), (State::Error, 3));
    assert_eq!(run(ReplyTimeouts::Tolerated, 9), (State::Ok, 9));
}

#[test]
fn counts_of_a_worker() {
    let shared = Shared::new(1);
    let balancer = shared.balancer(Method::Request, &[1]);
    let context = Context { now: NOW, sent: 7, received: 11, ..Context::default() };
    for outcome in [Outcome::Success, Outcome::Client, Outcome::Broken, Outcome::Local, Outcome::Busy] {
        balancer.finished(0, outcome, &context);
    }
    let worker = &shared.workers[0];
    let counts = [&worker.used, &worker.errors, &worker.client_errors, &worker.sent, &worker.received];
    assert_eq!(counts.map(|count| count.load(Relaxed)), [4, 1, 1, 28, 44]);
}

#[test]
fn a_probe_brings_back_what_could_not_be_reached_and_nothing_else() {
    let shared = Shared::new(2);
    let probed = Settings { probed: true, slow_start: Duration::from_secs(10), ..settings(Method::Request) };
    let balancer = shared.with(probed, &[1, 1], |_, _| {});
    let (state, worker) = (&shared.members[0], &shared.workers[0]);
    shared.members[1].value.store(50, Relaxed);
    let context = Context { now: NOW, ..Context::default() };
    assert!(!balancer.probed(0, true, NOW), "it was never out");
    balancer.finished(0, Outcome::Unreachable(Unreachable::Refused), &context);
    assert_eq!(worker.down_since.load(Relaxed), NOW.0);
    assert!(!balancer.probed(0, false, NOW));
    assert_eq!(state.state(), State::Error);
    assert!(balancer.probed(0, true, Tick(NOW.0 + 5)));
    assert!(!balancer.probed(0, true, Tick(NOW.0 + 6)), "once");
    assert_eq!((state.state(), state.trouble()), (State::Ok, Trouble::None));
    let times = [&state.first_error, &state.last_error, &worker.down_since, &state.ramp_from, &state.value];
    assert_eq!(times.map(|time| time.load(Relaxed)), [0, 0, 0, NOW.0 + 5, 50]);
    balancer.finished(0, Outcome::HardStatus(503), &context);
    assert!(!balancer.probed(0, true, NOW), "it answers, but badly");
    assert_eq!(state.state(), State::Error);
    assert!(!balancer.probed(9, true, NOW));
}

#[test]
fn a_late_success_brings_a_member_back_with_a_slow_start() {
    let shared = Shared::new(1);
    let slow = Settings { slow_start: Duration::from_secs(10), ..settings(Method::Request) };
    let balancer = shared.with(slow, &[1], |_, _| {});
    let context = Context { now: NOW, ..Context::default() };
    balancer.finished(0, Outcome::Success, &context);
    assert_eq!(shared.members[0].ramp_from.load(Relaxed), 0, "it was idle, not out");
    balancer.finished(0, Outcome::Broken, &context);
    balancer.finished(0, Outcome::Success, &context);
    assert_eq!(shared.members[0].state(), State::Ok);
    assert_eq!(shared.members[0].ramp_from.load(Relaxed), NOW.0);
    let ask = Ask { now: NOW, ..crate::engine::balance::testing::ask() };
    assert!(matches!(balancer.pick(&ask, &Default::default()), super::super::pick::Picked::Member(_)));
}
