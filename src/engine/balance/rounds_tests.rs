use super::*;
use crate::engine::balance::outcome::Unreachable;
use crate::engine::balance::state::Trouble;
use crate::engine::balance::testing::{Shared, ask, settings};
use crate::engine::balance::{Settings, budget};
use crate::engine::config::model::{Activation, Method};

const REFUSED: Outcome = Outcome::Unreachable(Unreachable::Refused);
const PAUSE: Next = Next::Pause(Duration::from_millis(100));

fn context() -> Context {
    Context { now: ask().now, ..Context::default() }
}

/// The same while the member has other requests, so that it does not fail for everybody.
fn among_others() -> Context {
    Context { others_in_work: true, ..context() }
}

fn member(next: Next) -> usize {
    match next {
        Next::Try(pick) => pick.member + 1,
        other => panic!("{other:?}"),
    }
}

/// What happens when every try fails: members counted from 1, pauses as 0, and the end.
fn course(balancer: &Balancer<'_>, outcome: Outcome, context: &Context) -> (Vec<usize>, Next) {
    let mut rounds = Rounds::new(balancer);
    let mut course = Vec::new();
    loop {
        match rounds.next(&ask()) {
            Next::Try(pick) => {
                course.push(pick.member + 1);
                rounds.ended(outcome, context);
            }
            Next::Pause(time) => {
                assert_eq!(time, balancer.settings.pause);
                course.push(0);
            }
            end => return (course, end),
        }
        assert!(course.len() < 100);
    }
}

#[test]
fn a_failed_member_costs_no_pause_as_long_as_there_are_others() {
    let cases: [(usize, u32, u32, &[usize]); 7] = [
        (2, 2, 2, &[1, 2, 0, 1, 2]),
        (4, 2, 2, &[1, 2, 3, 4]),
        (8, 2, 2, &[1, 2, 3, 4]),
        (1, 2, 2, &[1, 0, 1]),
        (2, 1, 2, &[1, 2]),
        (2, 3, 1, &[1, 2, 0, 1]),
        (1, 3, 2, &[1, 0, 1, 0, 1]),
    ];
    for (members, rounds, tries, wanted) in cases {
        let shared = Shared::new(members);
        let settings = Settings { rounds, tries, ..settings(Method::Request) };
        let balancer = shared.with(settings, &vec![1; members], |_, _| {});
        let (found, _) = course(&balancer, Outcome::Broken, &among_others());
        assert_eq!(found, wanted, "{members} members, {rounds} rounds of {tries}");
    }
}

#[test]
fn recovery_is_forced_once_and_only_when_nobody_is_left() {
    let shared = Shared::new(3);
    let balancer = shared.balancer(Method::Request, &[1; 3]);
    shared.members[2].set_state(State::Error);
    let mut rounds = Rounds::new(&balancer);
    for wanted in [1, 2] {
        assert_eq!(member(rounds.next(&ask())), wanted);
        rounds.ended(REFUSED, &context());
        assert_eq!(shared.members[2].state(), State::Error);
    }
    assert_eq!(member(rounds.next(&ask())), 3, "at once");
    assert_eq!(shared.members[0].state(), State::Force);
    rounds.ended(REFUSED, &context());
    assert_eq!(shared.members[2].state(), State::Error);
    assert_eq!(rounds.next(&ask()), PAUSE);
    assert_ne!(member(rounds.next(&ask())), 3, "not forced again");
}

#[test]
fn without_any_member_nobody_waits() {
    let shared = Shared::new(2);
    let balancer = shared.balancer(Method::Request, &[1, 1]);
    shared.members[0].set_activation(Activation::Stopped);
    shared.members[1].set_state(State::Probe);
    let mut rounds = Rounds::new(&balancer);
    assert_eq!(rounds.next(&ask()), Next::Nobody);
    shared.members[1].set_state(State::Ok);
    rounds.again();
    assert_eq!(member(rounds.next(&ask())), 2);
}

#[test]
fn waiting_begins_anew() {
    let shared = Shared::new(1);
    let balancer = shared.balancer(Method::Request, &[1]);
    let mut rounds = Rounds::new(&balancer);
    assert_eq!(member(rounds.next(&ask())), 1);
    rounds.ended(REFUSED, &context());
    assert_eq!(rounds.next(&ask()), PAUSE, "forced, then tried once more");
    assert_eq!(member(rounds.next(&ask())), 1);
    rounds.ended(REFUSED, &context());
    assert_eq!(rounds.next(&ask()), Next::Nobody);
    shared.members[0].set_state(State::Ok);
    rounds.again();
    assert_eq!(member(rounds.next(&ask())), 1);
}

#[test]
fn tries_are_bounded() {
    let shared = Shared::new(8);
    let balancer = shared.balancer(Method::Request, &[1; 8]);
    let (found, end) = course(&balancer, Outcome::Protocol, &context());
    assert_eq!((found.len(), end), (4, Next::Spent));
}

#[test]
fn one_request_tries_a_member_whose_time_is_over() {
    let shared = Shared::new(2);
    let balancer = shared.balancer(Method::Request, &[1, 1]);
    shared.members[0].set_state(State::Recover);
    let (mut first, mut second) = (Rounds::new(&balancer), Rounds::new(&balancer));
    assert_eq!(member(first.next(&ask())), 1);
    assert_eq!(shared.members[0].state(), State::Probe);
    assert_eq!(member(second.next(&ask())), 2);
    // Another one that had looked before: it sees that it was too late.
    let late = super::super::pick::Choice {
        pick: Pick { member: 0, why: Why::Method, sticky: false, considered: 2, usable: 2 },
        seen: Some(0),
    };
    assert!(Rounds::new(&balancer).claim(&ask(), &late, true).is_none());
    first.ended(Outcome::Success, &context());
    assert_eq!(shared.members[0].state(), State::Ok);
}

#[test]
fn a_choice_by_a_value_that_has_changed_does_not_count() {
    let shared = Shared::new(2);
    let balancer = shared.balancer(Method::Request, &[1, 1]);
    let choice = balancer.choose(&ask(), &Tried::default()).unwrap();
    shared.members[choice.pick.member].value.store(1, Relaxed);
    let rounds = Rounds::new(&balancer);
    assert!(rounds.claim(&ask(), &choice, true).is_none());
    assert_eq!(shared.members[0].elected.load(Relaxed), 0);
    assert!(rounds.claim(&ask(), &choice, false).is_some(), "not for ever");
    assert_eq!(shared.members[0].value.load(Relaxed), 2);
}

#[test]
fn busy_members_cost_no_try_and_no_budget() {
    let shared = Shared::new(6);
    let settings = Settings { retry_budget: Some(0), ..settings(Method::Request) };
    let balancer = shared.with(settings, &[1; 6], |_, _| {});
    let cell = crate::engine::balance::state::Cell::default();
    let _work: Vec<_> = shared.workers.iter().map(|worker| worker.gauge.enter(&cell)).collect();
    let (found, end) = course(&balancer, Outcome::Busy, &context());
    assert_eq!((found, end), (vec![1, 2, 3, 4, 5, 6], Next::Nobody));
    for state in &shared.members {
        let counts = (state.state(), state.value.load(Relaxed), state.elected.load(Relaxed));
        assert_eq!(counts, (State::Busy, 0, 0));
    }
    assert_eq!(shared.balancer.failovers.load(Relaxed), 0);
    assert_eq!(shared.balancer.budget.load(Relaxed), 0);
    assert_eq!(shared.workers[0].used.load(Relaxed), 0);
}

#[test]
fn failovers_are_counted_and_paid_for() {
    let shared = Shared::new(2);
    let settings = Settings { retry_budget: Some(10), ..settings(Method::Request) };
    let balancer = shared.with(settings, &[1, 1], |_, _| {});
    for _ in 0..3 {
        let mut rounds = Rounds::new(&balancer);
        member(rounds.next(&ask()));
        rounds.ended(Outcome::Broken, &among_others());
        member(rounds.next(&ask()));
        rounds.ended(Outcome::Success, &context());
    }
    assert_eq!(shared.balancer.failovers.load(Relaxed), 3);
    assert_eq!(shared.balancer.budget.load(Relaxed), 3 * (10 - 100));
    shared.balancer.budget.store(-budget::RESERVE * 100, Relaxed);
    let mut rounds = Rounds::new(&balancer);
    member(rounds.next(&ask()));
    rounds.ended(Outcome::Broken, &among_others());
    assert_eq!(rounds.next(&ask()), Next::OverBudget);
    assert_eq!(shared.balancer.failovers.load(Relaxed), 3);
}

#[test]
fn a_refused_session_forces_no_recovery_while_others_serve() {
    let shared = Shared::new(2);
    let force = Settings { sticky_force: true, ..settings(Method::Request) };
    let balancer = shared.with(force, &[1, 1], |_, _| {});
    shared.members[0].set_state(State::Error);
    let sticky = Ask { sessions: &[b"x.n1"], ..ask() };
    assert_eq!(Rounds::new(&balancer).next(&sticky), Next::ForcedAway { owner: 0 });
    assert_eq!(shared.members[0].state(), State::Error);
    shared.members[1].set_state(State::Error);
    assert_eq!(member(Rounds::new(&balancer).next(&sticky)), 1, "nobody serves: it is tried");
}

#[test]
fn a_session_that_may_not_leave_is_tried_again_at_its_member() {
    let shared = Shared::new(2);
    let force = Settings { sticky_force: true, ..settings(Method::Request) };
    let balancer = shared.with(force, &[1, 1], |_, _| {});
    let sticky = Ask { sessions: &[b"x.n1"], ..ask() };
    let mut rounds = Rounds::new(&balancer);
    assert_eq!(member(rounds.next(&sticky)), 1);
    rounds.ended(Outcome::Broken, &among_others());
    assert_eq!(rounds.next(&sticky), PAUSE);
    assert_eq!(member(rounds.next(&sticky)), 1);
    rounds.ended(Outcome::Broken, &among_others());
    assert_eq!(rounds.next(&sticky), Next::ForcedAway { owner: 0 });
}

#[test]
fn what_is_dropped_is_taken_back() {
    let shared = Shared::new(1);
    let balancer = shared.balancer(Method::Busyness, &[1]);
    let mut rounds = Rounds::new(&balancer);
    member(rounds.next(&ask()));
    assert_eq!(shared.members[0].value.load(Relaxed), 1);
    drop(rounds);
    assert_eq!(shared.members[0].value.load(Relaxed), 0);
}

#[test]
fn a_refusing_member_is_down_for_everybody_where_somebody_probes() {
    let shared = Shared::new(2);
    let probed = Settings { probed: true, ..settings(Method::Request) };
    let balancer = shared.with(probed, &[1, 1], |_, _| {});
    let mut rounds = Rounds::new(&balancer);
    assert_eq!(member(rounds.next(&ask())), 1);
    let change = rounds.ended(REFUSED, &among_others()).unwrap();
    assert_eq!((change.from, change.to), (State::Idle, State::Error));
    assert_eq!(shared.members[0].trouble(), Trouble::Connection);
    assert_eq!(member(rounds.next(&ask())), 2);
    rounds.ended(Outcome::Success, &context());
    let text = rounds.decision().text(&balancer);
    let text = String::from_utf8_lossy(text.as_bytes()).into_owned();
    assert_eq!(text, "n1 method=request 2/2 n1:0 n2:0 failed=refused; n2 only 1/2");
}

/// The way of one request as text.
fn told(balancer: &Balancer<'_>, ask: &Ask<'_>) -> String {
    let mut rounds = Rounds::new(balancer);
    rounds.next(ask);
    let text = rounds.decision().text(balancer);
    String::from_utf8_lossy(text.as_bytes()).into_owned()
}

#[test]
fn decisions_in_words() {
    let shared = Shared::new(3);
    let balancer = shared.balancer(Method::Request, &[1; 3]);
    for (place, value) in [(0, 4), (1, 2)] {
        shared.members[place].value.store(value, Relaxed);
    }
    shared.members[2].set_state(State::Error);
    assert_eq!(told(&balancer, &ask()), "n2 method=request 2/3 n1:4 n2:2 n3:ERR");
    assert_eq!(told(&balancer, &Ask { sessions: &[b"x.n1"], ..ask() }), "n1 sticky");
    shared.members[0].set_activation(Activation::Stopped);
    shared.members[1].set_activation(Activation::Stopped);
    shared.members[2].set_activation(Activation::Stopped);
    assert_eq!(told(&balancer, &ask()), "nobody");
}

#[test]
fn of_many_members_eight_are_told_and_a_text_is_cut_cleanly() {
    let shared = Shared::new(64);
    let balancer = shared.balancer(Method::P2C, &[1; 64]);
    let text = told(&balancer, &Ask { random: 3, ..ask() });
    assert!(text.ends_with(" method=p2c 64/64 n1:0 n2:0 n3:0 n4:0 n5:0 n6:0 n7:0 n8:0 +56"), "{text}");
    let long = "m".repeat(63);
    let balancer = shared.with(settings(Method::Request), &[1; 64], |place, member| {
        member.name = format!("{long}{place}").into()
    });
    let text = told(&balancer, &ask());
    assert!(text.len() <= super::super::decision::LONGEST, "{}", text.len());
    assert!(text.ends_with("m2:0 ..."), "{text}");
}
