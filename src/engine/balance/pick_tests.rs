use super::*;
use crate::engine::balance::rounds::{Next, Rounds};
use crate::engine::balance::state::Cell;
use crate::engine::balance::testing::{Shared, ask, settings};
use crate::engine::balance::{Context, Outcome, Settings};
use std::time::Duration;

/// The members, counted from 1, that so many requests go to one after the other.
fn served(balancer: &Balancer<'_>, ask: &Ask<'_>, requests: usize) -> Vec<usize> {
    let one = |_| {
        let mut rounds = Rounds::new(balancer);
        let Next::Try(pick) = rounds.next(ask) else { panic!("nobody") };
        rounds.ended(Outcome::Success, &Context::default());
        pick.member + 1
    };
    (0..requests).map(one).collect()
}

fn picked(balancer: &Balancer<'_>, ask: &Ask<'_>) -> Picked {
    balancer.pick(ask, &Tried::default())
}

/// Member, counted from 1, reason, and whether it counts as the member of the session.
fn found(balancer: &Balancer<'_>, sessions: &[&[u8]]) -> Option<(usize, Why, bool)> {
    match picked(balancer, &Ask { sessions, ..ask() }) {
        Picked::Member(pick) => Some((pick.member + 1, pick.why, pick.sticky)),
        _ => None,
    }
}

#[test]
fn weights_one_two_three() {
    let shared = Shared::new(3);
    let balancer = shared.balancer(Method::Request, &[1, 2, 3]);
    assert_eq!(served(&balancer, &ask(), 12), [1, 2, 3, 3, 2, 3, 1, 2, 3, 3, 2, 3]);
}

#[test]
fn busyness_without_parallel_requests_goes_round() {
    let shared = Shared::new(3);
    let balancer = shared.balancer(Method::Busyness, &[1, 2, 3]);
    assert_eq!(served(&balancer, &ask(), 7), [1, 2, 3, 1, 2, 3, 1]);
}

#[test]
fn busyness_prefers_who_has_less_to_do() {
    let shared = Shared::new(2);
    let balancer = shared.balancer(Method::Busyness, &[1, 2]);
    let mut all: Vec<_> = (0..6).map(|_| Rounds::new(&balancer)).collect();
    let mut counts = [0; 2];
    for rounds in &mut all {
        let Next::Try(pick) = rounds.next(&ask()) else { panic!("nobody") };
        counts[pick.member] += 1;
    }
    assert_eq!(counts, [2, 4]);
    drop(all);
    assert_eq!(shared.members.iter().map(|state| state.value.load(Relaxed)).sum::<u64>(), 0);
}

#[test]
fn stateless_requests_go_round_whatever_the_values() {
    let shared = Shared::new(3);
    let balancer = shared.balancer(Method::Sessions, &[1, 1, 1]);
    shared.members[1].value.store(1000, Relaxed);
    let stateless = Ask { stateless: true, ..ask() };
    assert_eq!(served(&balancer, &stateless, 4), [1, 2, 3, 1]);
    assert_eq!(shared.members[0].sessions.load(Relaxed), 0);
    assert_eq!(shared.members[0].value.load(Relaxed), 0);
    assert!(matches!(picked(&balancer, &stateless), Picked::Member(Pick { why: Why::Turn, .. })));
}

#[test]
fn sessions_and_next_count_new_sessions_only() {
    for method in [Method::Sessions, Method::Next] {
        let shared = Shared::new(2);
        let balancer = shared.balancer(method, &[1, 1]);
        served(&balancer, &Ask { sessions: &[b"x.n1"], ..ask() }, 5);
        assert_eq!(shared.members[0].value.load(Relaxed), 0);
        assert_eq!(served(&balancer, &ask(), 4), [1, 2, 1, 2]);
        assert_eq!(shared.members[0].sessions.load(Relaxed), 2);
        assert_eq!(shared.members[0].value.load(Relaxed), 2);
    }
}

#[test]
fn request_counts_requests_of_sessions_too() {
    let shared = Shared::new(2);
    let balancer = shared.balancer(Method::Request, &[1, 1]);
    served(&balancer, &Ask { sessions: &[b"x.n1"], ..ask() }, 3);
    assert_eq!(served(&balancer, &ask(), 4), [2, 2, 2, 1]);
}

#[test]
fn traffic_counts_octets_when_the_request_is_over() {
    let shared = Shared::new(2);
    let balancer = shared.balancer(Method::Traffic, &[1, 2]);
    let mut rounds = Rounds::new(&balancer);
    assert!(matches!(rounds.next(&ask()), Next::Try(Pick { member: 0, .. })));
    assert_eq!(shared.members[0].value.load(Relaxed), 0);
    rounds.ended(Outcome::Client, &Context { sent: 100, received: 23, ..Context::default() });
    assert_eq!(shared.members[0].value.load(Relaxed), 246, "2 x 123");
}

#[test]
fn the_nearest_first() {
    let shared = Shared::new(3);
    let balancer = shared.balancer(Method::Request, &[1, 1, 1]);
    for (member, distance) in [(0, 1), (1, -1), (2, -1)] {
        shared.members[member].distance.store(distance, Relaxed);
    }
    assert_eq!(served(&balancer, &ask(), 4), [2, 3, 2, 3]);
    shared.members[1].set_state(State::Error);
    shared.members[2].set_activation(Activation::Disabled);
    assert_eq!(served(&balancer, &ask(), 2), [1, 1]);
    for method in [Method::P2C, Method::Latency, Method::Hash] {
        let near = shared.balancer(method, &[1, 1, 1]);
        shared.members[1].set_state(State::Ok);
        assert_eq!(served(&near, &Ask { random: 7, key: 9, ..ask() }, 2), [2, 2], "{method:?}");
    }
}

#[test]
fn states_that_can_be_used() {
    use State::*;
    for (state, usable) in [
        (Idle, true),
        (Ok, true),
        (Recover, true),
        (Force, true),
        (Busy, false),
        (Error, false),
        (Probe, false),
    ] {
        for method in [Method::Request, Method::P2C, Method::Latency, Method::Hash] {
            let shared = Shared::new(2);
            let balancer = shared.balancer(method, &[1, 1]);
            let cell = Cell::default();
            let _work = shared.workers[0].gauge.enter(&cell);
            shared.members[0].set_state(state);
            shared.members[1].set_state(Error);
            let found = matches!(picked(&balancer, &ask()), Picked::Member(Pick { member: 0, .. }));
            assert_eq!(found, usable, "{state:?} {method:?}");
        }
    }
}

#[test]
fn a_busy_member_without_work_is_not_busy() {
    let shared = Shared::new(1);
    let balancer = shared.balancer(Method::Request, &[1]);
    shared.members[0].set_state(State::Busy);
    assert_eq!(served(&balancer, &ask(), 1), [1]);
    assert_eq!(shared.members[0].state(), State::Ok);
}

#[test]
fn a_single_member() {
    use Activation::*;
    let shared = Shared::new(1);
    let balancer = shared.balancer(Method::Request, &[1]);
    let single = Some((1, Why::Single, true));
    for (activation, state, new, session) in [
        (Active, State::Ok, single, single),
        (Active, State::Error, None, None),
        (Disabled, State::Ok, None, Some((1, Why::Sticky, true))),
        (Disabled, State::Error, None, None),
        (Stopped, State::Ok, None, None),
    ] {
        shared.members[0].set_activation(activation);
        shared.members[0].set_state(state);
        assert_eq!(found(&balancer, &[]), new, "{activation:?} {state:?}");
        assert_eq!(found(&balancer, &[b"x.n1"]), session, "{activation:?} {state:?}");
    }
}

#[test]
fn session_ids() {
    let shared = Shared::new(3);
    let balancer = shared.with(settings(Method::Request), &[1, 1, 1], |place, member| {
        if place == 2 {
            member.route = "dom.n3".into();
            member.domain = "dom".into();
        }
    });
    let cases: [(&[&[u8]], _, _); 9] = [
        (&[b"abc.n2"], 2, Why::Sticky),
        (&[b".n2"], 2, Why::Sticky),
        (&[b"abc"], 1, Why::Method),
        (&[b"abc."], 1, Why::Method),
        (&[b"abc.nobody"], 1, Why::Method),
        (&[b"abc", b"x.nobody", b"y.n2"], 2, Why::Sticky),
        (&[b"a.b.n2"], 2, Why::Sticky),
        (&[b"a.dom.n3"], 3, Why::Sticky),
        (&[b"a.dom.n9"], 3, Why::Domain),
    ];
    for (sessions, member, why) in cases {
        assert_eq!(found(&balancer, sessions), Some((member, why, why == Why::Sticky)), "{sessions:?}");
    }
    shared.members[1].set_activation(Activation::Disabled);
    assert_eq!(found(&balancer, &[b"x.n2"]), Some((2, Why::Sticky, true)), "disabled: its sessions stay");
    shared.members[1].set_activation(Activation::Stopped);
    assert_eq!(found(&balancer, &[b"x.n2"]), Some((1, Why::Method, false)));
}

#[test]
fn many_routes_are_looked_up() {
    let shared = Shared::new(20);
    let balancer = shared.balancer(Method::Request, &[1; 20]);
    assert_eq!(found(&balancer, &[b"x.n17"]), Some((17, Why::Sticky, true)));
    assert_eq!(found(&balancer, &[b"x.\xff"]), Some((1, Why::Method, false)));
}

#[test]
fn stand_ins() {
    let shared = Shared::new(4);
    let balancer = shared.with(settings(Method::Request), &[1; 4], |place, member| match place {
        0 => {
            member.redirect = "n2".into();
            member.domain = "d".into();
        }
        2 | 3 => member.domain = "d".into(),
        _ => {}
    });
    let [n1, n2, n3, n4] = &*shared.members else { panic!() };
    let session: &[&[u8]] = &[b"x.n1"];
    n1.set_state(State::Error);
    n2.set_activation(Activation::Disabled);
    assert_eq!(found(&balancer, session), Some((2, Why::Redirect, false)), "a disabled stand-in is fine");
    n2.set_activation(Activation::Stopped);
    assert_eq!(found(&balancer, session), Some((3, Why::Method, false)), "a redirect rules the domain out");
    n3.set_state(State::Error);
    n4.value.store(5, Relaxed);
    assert_eq!(found(&balancer, &[b"x.n3"]), Some((4, Why::Domain, false)));
    n4.set_activation(Activation::Disabled);
    assert_eq!(found(&balancer, &[b"x.n3"]), None, "the domain only takes what is usable for new sessions");
    n2.set_activation(Activation::Disabled);
    assert_eq!(found(&balancer, &[]), Some((2, Why::StandIn, false)));
    n2.set_activation(Activation::Stopped);
    assert_eq!(found(&balancer, &[]), None);
}

#[test]
fn in_a_domain_the_nearest_then_the_lowest_value() {
    let shared = Shared::new(3);
    let balancer = shared.with(settings(Method::Request), &[1; 3], |_, member| member.domain = "d".into());
    shared.members[0].distance.store(1, Relaxed);
    shared.members[1].value.store(4, Relaxed);
    shared.members[2].value.store(3, Relaxed);
    assert_eq!(found(&balancer, &[b"x.d"]), Some((3, Why::Domain, false)));
}

#[test]
fn force_refuses_only_what_belongs_to_a_member_that_is_down() {
    let shared = Shared::new(3);
    let force = Settings { sticky_force: true, ..settings(Method::Request) };
    let balancer = shared.with(force, &[1; 3], |place, member| {
        if place == 1 {
            member.redirect = "n3".into();
        }
    });
    let pick = |sessions: &[&[u8]]| picked(&balancer, &Ask { sessions, ..ask() });
    assert!(matches!(pick(&[b"x.unknown"]), Picked::Member(_)), "a cookie of another application");
    assert!(matches!(pick(&[b"noroute"]), Picked::Member(_)));
    shared.members[0].set_state(State::Error);
    shared.members[1].set_state(State::Error);
    assert_eq!(pick(&[b"x.n1"]), Picked::ForcedAway { owner: 0 });
    assert!(matches!(pick(&[b"x.n1", b"y.n3"]), Picked::Member(Pick { member: 2, sticky: true, .. })));
    assert_eq!(pick(&[b"x.n2"]), Picked::ForcedAway { owner: 1 }, "its stand-in has not the session");
    let mut tried = Tried::default();
    tried.add(2);
    let sessions: &[&[u8]] = &[b"x.n3"];
    assert_eq!(balancer.pick(&Ask { sessions, ..ask() }, &tried), Picked::ForcedAway { owner: 2 });
    assert_eq!(balancer.pick(&ask(), &tried), Picked::Nobody);
}

#[test]
fn a_rule_replaces_activations() {
    let shared = Shared::new(2);
    let balancer = shared.balancer(Method::Request, &[1, 1]);
    let overrides = &[(0, Activation::Stopped)];
    let ruled = Ask { overrides, ..ask() };
    assert_eq!(served(&balancer, &ruled, 2), [2, 2]);
    shared.members[0].set_activation(Activation::Stopped);
    let overrides = &[(0, Activation::Active), (1, Activation::Disabled)];
    assert_eq!(served(&balancer, &Ask { overrides, ..ask() }, 1), [1]);
}

#[test]
fn numbers_of_a_choice() {
    let shared = Shared::new(3);
    let balancer = shared.balancer(Method::Request, &[1; 3]);
    shared.members[0].set_state(State::Error);
    let Picked::Member(pick) = picked(&balancer, &ask()) else { panic!() };
    assert_eq!((pick.usable, pick.considered, pick.why), (2, 3, Why::Method));
    shared.members[1].set_state(State::Error);
    let Picked::Member(pick) = picked(&balancer, &ask()) else { panic!() };
    assert_eq!((pick.usable, pick.considered, pick.why), (1, 3, Why::OnlyOne));
}

#[test]
fn a_slow_start_grows_from_a_tenth() {
    let shared = Shared::new(2);
    let slow = Settings { slow_start: Duration::from_secs(10), ..settings(Method::Request) };
    let balancer = shared.with(slow, &[1, 1], |_, _| {});
    shared.members[0].ramp_from.store(1, Relaxed);
    let weight = |tick| balancer.weight(&balancer.members[0], Tick(tick));
    assert_eq!([weight(1), weight(5_000_001), weight(10_000_001)], [100, 550, 1000]);
    let now = Tick(1);
    let first = served(&balancer, &Ask { now, ..ask() }, 110);
    assert_eq!(first.iter().filter(|member| **member == 1).count(), 10);
}

#[test]
fn p2c_prefers_who_has_less_to_do() {
    let shared = Shared::new(2);
    let balancer = shared.balancer(Method::P2C, &[1, 1]);
    let cell = Cell::default();
    let _work = shared.workers[0].gauge.enter(&cell);
    for random in [0, 1, u64::MAX, u64::MAX / 3] {
        assert_eq!(served(&balancer, &Ask { random, ..ask() }, 1), [2]);
    }
}

#[test]
fn latency_prefers_who_answers_sooner() {
    let shared = Shared::new(3);
    let balancer = shared.balancer(Method::Latency, &[1; 3]);
    for (place, millis) in [(0, 40), (1, 10), (2, 30)] {
        let mut rounds = Rounds::new(&balancer);
        assert!(
            matches!(rounds.next(&ask()), Next::Try(pick) if pick.member == place),
            "each is tried first"
        );
        let first_octet = Some(Duration::from_millis(millis));
        rounds.ended(Outcome::Success, &Context { first_octet, now: ask().now, ..Context::default() });
    }
    assert_eq!(served(&balancer, &ask(), 2), [2, 2]);
    let cell = Cell::default();
    let _work: Vec<_> = (0..3).map(|_| shared.workers[1].gauge.enter(&cell)).collect();
    assert_eq!(served(&balancer, &ask(), 1), [3], "10 ms for the fourth is 40 ms");
}

#[test]
fn hash_keeps_keys_together() {
    let shared = Shared::new(4);
    let balancer = shared.balancer(Method::Hash, &[1; 4]);
    let owner = |key| served(&balancer, &Ask { key, ..ask() }, 1)[0];
    let before: Vec<_> = (0..100).map(owner).collect();
    assert_eq!(before, (0..100).map(owner).collect::<Vec<_>>());
    assert!((1..=4).all(|member| before.contains(&member)));
    let cell = Cell::default();
    let popular = before[0] - 1;
    let _work: Vec<_> = (0..3).map(|_| shared.workers[popular].gauge.enter(&cell)).collect();
    assert_ne!(owner(0) - 1, popular, "it has all the work there is");
}

#[test]
fn members_tried() {
    let mut tried = Tried::default();
    assert!(tried.is_empty() && !tried.contains(0));
    for member in 0..20 {
        tried.add(member);
        tried.add(member);
    }
    assert_eq!(tried.iter().collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
    assert!(tried.contains(0) && tried.contains(19) && !tried.contains(20));
    tried.clear();
    assert!(tried.is_empty() && !tried.contains(19));
}

#[test]
fn sessions_wait_at_a_busy_member_that_has_a_queue() {
    for (has_queue, wanted) in [(true, Some((1, Why::Sticky, true))), (false, Some((2, Why::OnlyOne, false)))]
    {
        let shared = Shared::new(2);
        let balancer =
            shared.with(settings(Method::Request), &[1, 1], |_, member| member.has_queue = has_queue);
        let cell = Cell::default();
        let _in_work = shared.workers[0].gauge.enter(&cell);
        shared.members[0].set_state(State::Busy);
        assert_eq!(found(&balancer, &[b"a.n1"]), wanted);
        // New requests have others, with or without it.
        assert_eq!(found(&balancer, &[]), Some((2, Why::OnlyOne, false)));
    }
}
