//! Members that fail and come back; slow start; the retry budget.

use std::time::Duration;

use mod_jk_rs::engine::balance::state::State;
use mod_jk_rs::engine::config::model::Method;

use crate::live::{Health, Load, World};
use crate::world::{MS, Records, S, nodes_of, settings};

#[test]
fn a_member_that_can_be_reached_again_is_back_within_a_second() {
    let records = Records::new(3, 2);
    let nodes = nodes_of(&[1, 1, 1]);
    let balancers: Vec<_> = (0..2).map(|_| records.balancer(&settings(Method::Request), &nodes)).collect();
    let mut world = World::new(1, &records, &balancers);
    for round in 0..20 {
        world.run(5 * S + round * 37 * MS);
        world.backends[0].health = Health::Refuses;
        world.run(7 * S);
        assert_eq!(world.state(0), State::Error);
        world.recount();
        world.run(5 * S);
        assert_eq!(world.tally.tried[0], 0, "a member that is down costs no request");
        world.backends[0].health = Health::Fine;
        world.run(S);
        assert!(world.state(0).is_usable());
        world.recount();
        world.run(3 * S);
        let share = world.tally.served[0] as f64 / world.tally.served.iter().sum::<u64>() as f64;
        assert!((0.32..0.35).contains(&share), "{:?}", world.tally.served);
    }
    world.rest(10 * S);
    world.check_end();
}

#[test]
fn a_member_that_answers_badly_waits_for_its_time() {
    for (health, seconds) in [(Health::Hard, 60), (Health::Silent, 60), (Health::Hard, 10)] {
        let mut given = settings(Method::Request);
        given.recover_time = Duration::from_secs(seconds);
        let records = Records::new(3, 1);
        let balancers = [records.balancer(&given, &nodes_of(&[1, 1, 1]))];
        let mut world = World::new(2, &records, &balancers);
        world.maintain = 5 * S;
        world.run(10 * S);
        world.backends[0].health = health;
        world.run(5 * S);
        assert_eq!(world.state(0), State::Error, "{health:?}");
        world.backends[0].health = Health::Fine;
        world.recount();
        world.run((seconds - 6) * S);
        assert_eq!(world.tally.tried[0], 0, "{health:?}: back too early");
        world.run(17 * S);
        assert!(world.tally.served[0] > 100, "{health:?}: not back in time");
        assert_eq!(world.tally.lost(), 0);
    }
}

#[test]
fn one_request_at_a_time_tries_a_member_that_answered_badly() {
    let mut given = settings(Method::Request);
    given.recover_time = Duration::from_secs(10);
    given.retry_budget = None;
    let records = Records::new(3, 4);
    let nodes = nodes_of(&[1, 1, 1]);
    let balancers: Vec<_> = (0..4).map(|_| records.balancer(&given, &nodes)).collect();
    let mut world = World::new(3, &records, &balancers);
    world.maintain = 5 * S;
    world.run(10 * S);
    world.backends[0].health = Health::Hard;
    world.run(100 * S);
    world.recount();
    world.run(300 * S);
    let tried = world.tally.tried[0];
    assert!((15..=30).contains(&tried), "tried {tried} times in 300 seconds");
    assert_eq!(world.tally.lost(), 0);
}

#[test]
fn soft_failures_go_elsewhere_and_harm_nobody() {
    let records = Records::new(2, 1);
    let mut given = settings(Method::Request);
    given.retry_budget = None;
    let balancers = [records.balancer(&given, &nodes_of(&[1, 1]))];
    let mut world = World::new(4, &records, &balancers);
    world.backends[0].health = Health::Soft;
    world.run(20 * S);
    assert_eq!(world.tally.lost(), 0);
    assert!(world.state(0).is_usable());
    assert!(world.tally.tried[0] * 10 > world.tally.requests * 4);
}

#[test]
fn when_everybody_fails_and_comes_back_so_does_service() {
    for health in [Health::Refuses, Health::Breaks, Health::Hard, Health::Silent] {
        for members in [1, 2, 5] {
            let records = Records::new(members, 2);
            let nodes = nodes_of(&vec![1; members]);
            let balancers: Vec<_> =
                (0..2).map(|_| records.balancer(&settings(Method::Request), &nodes)).collect();
            let mut world = World::new(5, &records, &balancers);
            world.maintain = 10 * S;
            world.run(5 * S);
            for backend in &mut world.backends {
                backend.health = health;
            }
            world.recount();
            world.run(30 * S);
            assert!(world.tally.served.iter().all(|served| *served < 100), "{health:?}");
            for backend in &mut world.backends {
                backend.health = Health::Fine;
            }
            world.run(90 * S);
            world.recount();
            world.run(10 * S);
            assert_eq!(world.tally.lost(), 0, "{health:?}, {members} members");
            assert!(world.tally.served.iter().all(|served| *served > 1000), "{health:?}: {:?}", world.tally);
            world.rest(30 * S);
            world.check_end();
        }
    }
}

#[test]
fn a_slow_start_gives_little_at_first_and_all_in_the_end() {
    for method in [Method::Request, Method::Busyness, Method::P2C, Method::Latency, Method::Hash] {
        let mut given = settings(method);
        given.slow_start = Duration::from_secs(30);
        let records = Records::new(3, 2);
        let nodes = nodes_of(&[1, 1, 1]);
        let balancers: Vec<_> = (0..2).map(|_| records.balancer(&given, &nodes)).collect();
        let mut world = World::new(6, &records, &balancers);
        world.load = Load { every: MS / 2, clients: 0, stateless: 0, ends: 0, keeps: false };
        world.run(5 * S);
        world.backends[0].health = Health::Refuses;
        world.run(5 * S);
        world.backends[0].health = Health::Fine;
        world.run(S);
        let mut part = |time| {
            world.recount();
            world.run(time);
            world.tally.served[0] as f64 / world.tally.served.iter().sum::<u64>() as f64
        };
        let parts = [part(3 * S), part(10 * S), part(10 * S), part(8 * S), part(10 * S)];
        assert!(parts[0] < 0.15, "{method:?}: {parts:.3?}");
        assert!(parts[1] > parts[0] && parts[2] > parts[1], "{method:?}: {parts:.3?}");
        assert!((0.31..0.36).contains(&parts[4]), "{method:?}: {parts:.3?}");
    }
}

#[test]
fn the_budget_bounds_failovers_in_a_failing_farm() {
    for percent in [1, 20, 100] {
        let mut given = settings(Method::Request);
        given.retry_budget = Some(percent);
        // Nothing takes a member out of service: every request fails on every member.
        let records = Records::new(4, 2);
        let nodes = nodes_of(&[1, 1, 1, 1]);
        let balancers: Vec<_> = (0..2).map(|_| records.balancer(&given, &nodes)).collect();
        let mut world = World::new(7, &records, &balancers);
        for backend in &mut world.backends {
            backend.health = Health::Soft;
        }
        world.run(60 * S);
        let (requests, failovers) = (world.tally.requests, world.tally.failovers);
        let allowed = requests * u64::from(percent) / 100;
        assert!(failovers <= allowed + 110, "{failovers} failovers of {requests} requests at {percent} %");
        assert!(failovers + 10 >= allowed.min(requests), "only {failovers} of {allowed}");
        assert!(world.tally.over_budget > 0 || percent == 100);
        world.rest(10 * S);
        world.check_end();
    }
    let mut given = settings(Method::Request);
    given.retry_budget = None;
    let records = Records::new(4, 1);
    let balancers = [records.balancer(&given, &nodes_of(&[1, 1, 1, 1]))];
    let mut world = World::new(7, &records, &balancers);
    for backend in &mut world.backends {
        backend.health = Health::Soft;
    }
    world.run(10 * S);
    world.rest(10 * S);
    assert_eq!(world.tally.failovers, 3 * world.tally.requests, "two rounds of two members each");
    assert_eq!(world.tally.over_budget, 0);
}

#[test]
fn a_member_at_its_limit_is_busy_and_free_again() {
    let records = Records::new(2, 2);
    let nodes = nodes_of(&[1, 1]);
    let balancers: Vec<_> = (0..2).map(|_| records.balancer(&settings(Method::Request), &nodes)).collect();
    let mut world = World::new(8, &records, &balancers);
    world.backends[0].limit = 2;
    world.run(30 * S);
    assert!(world.tally.served[0] > 1000);
    world.load.every = 50 * MS;
    // It may catch up with what it had missed, less so with each maintenance.
    world.run(900 * S);
    world.recount();
    world.run(60 * S);
    assert_eq!(world.tally.lost(), 0);
    let share = world.tally.served[0] as f64 / world.tally.requests as f64;
    assert!((0.47..0.53).contains(&share), "{share}");
}
