use super::*;
use crate::engine::balance::Settings;
use crate::engine::balance::state::Cell;
use crate::engine::balance::testing::{Shared, settings};
use crate::engine::config::model::Method;

const MINUTE: Duration = Duration::from_secs(60);
const fn minutes(count: u64) -> Tick {
    Tick(count * 60_000_000)
}

#[test]
fn one_process_wins_each_interval() {
    let shared = Shared::new(1);
    let (one, other) = (shared.balancer(Method::Request, &[1]), shared.balancer(Method::Request, &[1]));
    assert!(!one.maintain(MINUTE, minutes(1)), "the first interval begins");
    assert!(!other.maintain(MINUTE, Tick(minutes(2).0 - 1)));
    assert!(other.maintain(MINUTE, minutes(2)));
    assert!(!one.maintain(MINUTE, Tick(minutes(2).0 + 5)));
    assert!(one.maintain(MINUTE, minutes(3)));
    assert!(!one.maintain(Duration::ZERO, minutes(9)), "switched off");
}

/// The values of two members after so many intervals.
fn values(method: Method, before: [u64; 2], intervals: u64) -> [u64; 2] {
    let shared = Shared::new(2);
    let balancer = shared.balancer(method, &[1, 1]);
    balancer.maintain(MINUTE, minutes(1));
    for (state, value) in shared.members.iter().zip(before) {
        state.value.store(value, Relaxed);
    }
    assert!(balancer.maintain(MINUTE, minutes(1 + intervals)));
    [0, 1].map(|place: usize| shared.members[place].value.load(Relaxed))
}

#[test]
fn old_work_is_forgotten() {
    for method in [Method::Request, Method::Traffic, Method::Sessions] {
        assert_eq!(values(method, [100, 9], 1), [50, 4], "{method:?}");
        assert_eq!(values(method, [100, 9], 3), [12, 1], "{method:?}");
        assert_eq!(values(method, [u64::MAX, 9], 64), [0, 0], "{method:?}");
        assert_eq!(values(method, [u64::MAX, 9], 200), [0, 0], "{method:?}");
    }
    assert_eq!(values(Method::Next, [100, 9], 3), [91, 0]);
    assert_eq!(values(Method::Busyness, [2, 0], 3), [1, 0], "a little at a time");
    assert_eq!(values(Method::Busyness, [100, 0], 1), [0, 0], "left behind by a process that was killed");
}

#[test]
fn next_goes_by_the_members_that_can_be_chosen() {
    let shared = Shared::new(3);
    let balancer = shared.balancer(Method::Next, &[1; 3]);
    balancer.maintain(MINUTE, minutes(1));
    for (state, value) in shared.members.iter().zip([10, 3, 20]) {
        state.value.store(value, Relaxed);
    }
    shared.members[1].set_activation(Activation::Disabled);
    balancer.maintain(MINUTE, minutes(2));
    let values = shared.members.iter().map(|state| state.value.load(Relaxed)).collect::<Vec<_>>();
    assert_eq!(values, [0, 0, 10]);
}

/// What becomes of a member with a neighbour that works; times of errors in seconds before now.
fn judged(probed: bool, state: State, trouble: Trouble, first: Option<u64>, last: Option<u64>) -> State {
    let shared = Shared::new(2);
    let settings = Settings { probed, ..settings(Method::Request) };
    let balancer = shared.with(settings, &[1, 1], |_, _| {});
    let now = minutes(10);
    balancer.maintain(MINUTE, minutes(9));
    let member = &shared.members[0];
    member.set_state(state);
    member.trouble.store(trouble as u32, Relaxed);
    shared.members[1].value.store(80, Relaxed);
    shared.workers[0].reply_timeouts.store(7, Relaxed);
    for (place, ago) in [(&member.first_error, first), (&member.last_error, last)] {
        place.store(ago.map_or(0, |ago| now.0 - ago * 1_000_000), Relaxed);
    }
    assert!(balancer.maintain(MINUTE, now));
    let recovers = state == State::Error && member.state() == State::Recover;
    assert_eq!(member.value.load(Relaxed), if recovers { 40 } else { 0 });
    assert_eq!(shared.workers[0].reply_timeouts.load(Relaxed), if recovers { 0 } else { 3 });
    member.state()
}

#[test]
fn states_after_an_interval() {
    use State::*;
    let (none, lost, bad) = (Trouble::None, Trouble::Connection, Trouble::Application);
    let rows = [
        (false, Error, lost, Some(61), Some(61), Recover),
        (false, Error, lost, Some(99), Some(60), Error),
        (true, Error, lost, Some(61), Some(61), Error),
        (true, Error, bad, Some(61), Some(61), Recover),
        (false, Error, none, None, None, Recover),
        (false, Recover, lost, Some(99), Some(99), Recover),
        (false, Ok, lost, Some(30), Some(2), Error),
        (false, Ok, lost, Some(29), Some(2), Idle),
        (false, Probe, lost, Some(90), Some(90), Error),
        (false, Probe, none, None, None, Probe),
        (false, Force, lost, Some(90), Some(90), Error),
        (false, Ok, none, None, None, Idle),
        (false, Idle, none, None, None, Idle),
        (false, Busy, none, None, None, Ok),
    ];
    for (probed, state, trouble, first, last, wanted) in rows {
        let found = judged(probed, state, trouble, first, last);
        assert_eq!(found, wanted, "{probed} {state:?} {trouble:?} {first:?} {last:?}");
    }
}

#[test]
fn used_members_are_not_idle_and_busy_ones_not_free() {
    let shared = Shared::new(2);
    let balancer = shared.balancer(Method::Request, &[1, 1]);
    balancer.maintain(MINUTE, minutes(1));
    shared.members[0].set_state(State::Ok);
    shared.members[0].elected.store(1, Relaxed);
    shared.members[1].set_state(State::Busy);
    let cell = Cell::default();
    let _work = shared.workers[1].gauge.enter(&cell);
    balancer.maintain(MINUTE, minutes(2));
    assert_eq!((shared.members[0].state(), shared.members[1].state()), (State::Ok, State::Busy));
    balancer.maintain(MINUTE, minutes(3));
    assert_eq!(shared.members[0].state(), State::Idle);
}

#[test]
fn when_all_have_failed_all_are_tried() {
    let shared = Shared::new(2);
    let balancer = shared.balancer(Method::Request, &[1, 1]);
    balancer.maintain(MINUTE, minutes(1));
    for state in &shared.members {
        state.set_state(State::Error);
        state.last_error.store(minutes(2).0, Relaxed);
    }
    balancer.maintain(MINUTE, minutes(2));
    assert!(shared.members.iter().all(|state| state.state() == State::Force));
}

#[test]
fn reply_timeouts_are_halved() {
    let worker = WorkerState::default();
    for (before, intervals, after) in [(7, 1, 3), (7, 2, 1), (7, 32, 0), (7, u32::MAX, 0), (0, 1, 0)] {
        worker.reply_timeouts.store(before, Relaxed);
        worker.decay(intervals);
        assert_eq!(worker.reply_timeouts.load(Relaxed), after);
    }
}

#[test]
fn who_is_probed_is_not_tried_by_force() {
    let shared = Shared::new(2);
    for (state, trouble) in shared.members.iter().zip([Trouble::Connection, Trouble::Application]) {
        state.trouble.store(trouble as u32, Relaxed);
    }
    for (probed, forced) in [(true, [State::Error, State::Force]), (false, [State::Force, State::Force])] {
        let balancer = shared.with(Settings { probed, ..settings(Method::Request) }, &[1, 1], |_, _| {});
        shared.members.iter().for_each(|state| state.set_state(State::Error));
        let wanted = forced.iter().filter(|state| **state == State::Force).count();
        assert_eq!(balancer.force_recovery(), wanted, "{probed}");
        assert_eq!([0, 1].map(|place: usize| shared.members[place].state()), forced, "{probed}");
    }
}

#[test]
fn maintenance_forgets_reply_timeouts() {
    let shared = Shared::new(2);
    let balancer = shared.balancer(Method::Request, &[1, 1]);
    balancer.maintain(MINUTE, minutes(1));
    shared.workers[1].reply_timeouts.store(9, Relaxed);
    assert!(balancer.maintain(MINUTE, minutes(2)));
    assert_eq!(shared.workers[1].reply_timeouts.load(Relaxed), 4);
    assert!(balancer.maintain(MINUTE, minutes(4)));
    assert_eq!(shared.workers[1].reply_timeouts.load(Relaxed), 1);
}
