//! A session stays at its member as long as that can be used, moves when it can not, and comes back.
//!
//! That no request of a session goes anywhere else while its member can be used is checked at every choice of every run.

use mod_jk_rs::engine::balance::rounds::{Next, Rounds};
use mod_jk_rs::engine::balance::state::State;
use mod_jk_rs::engine::balance::{Ask, Why};
use mod_jk_rs::engine::config::model::{Activation, Method};
use mod_jk_rs::engine::units::Tick;

use crate::live::{Health, Load, World};
use crate::world::{MS, Node, Records, S, nodes_of, settings};

const SESSIONS: Load = Load { every: MS, clients: 500, stateless: 0, ends: 0, keeps: false };

#[test]
fn sessions_stay() {
    for method in [Method::Request, Method::Busyness, Method::P2C, Method::Latency, Method::Hash] {
        let records = Records::new(5, 2);
        let nodes = nodes_of(&[1, 1, 2, 3, 1]);
        let balancers: Vec<_> = (0..2).map(|_| records.balancer(&settings(method), &nodes)).collect();
        let mut world = World::new(3, &records, &balancers);
        world.load = SESSIONS;
        world.run(100 * S);
        assert!(world.tally.requests > 80_000);
        assert_eq!((world.tally.moved, world.tally.lost()), (0, 0), "{method:?}");
    }
}

#[test]
fn sessions_of_a_failed_member_move_and_stay_where_they_went() {
    let records = Records::new(3, 1);
    let balancers = [records.balancer(&settings(Method::Request), &nodes_of(&[1, 1, 1]))];
    let mut world = World::new(4, &records, &balancers);
    world.load = SESSIONS;
    world.run(20 * S);
    let homes =
        |world: &World<'_>| world.clients.iter().filter(|client| client.home == Some(0)).count() as u64;
    let there = homes(&world);
    assert!(there > 100);
    world.backends[0].health = Health::Refuses;
    world.recount();
    world.run(20 * S);
    assert_eq!(world.tally.moved, there, "each of its sessions moves once, no other does");
    assert_eq!(world.tally.lost(), 0);
    assert!(world.tally.failovers < 30, "{} requests ran into the failed member", world.tally.failovers);
    world.backends[0].health = Health::Fine;
    world.run(5 * S);
    world.recount();
    world.run(20 * S);
    assert_eq!(world.tally.moved, 0, "they have a new home");
    assert_eq!(homes(&world), 0);
}

#[test]
fn sessions_with_a_common_store_come_back() {
    let records = Records::new(3, 1);
    let balancers = [records.balancer(&settings(Method::Request), &nodes_of(&[1, 1, 1]))];
    let mut world = World::new(5, &records, &balancers);
    world.load = Load { keeps: true, ..SESSIONS };
    world.run(20 * S);
    let before: Vec<_> = world.clients.iter().map(|client| client.home).collect();
    world.backends[0].health = Health::Refuses;
    world.run(20 * S);
    assert_eq!(world.state(0), State::Error);
    world.backends[0].health = Health::Fine;
    world.run(S);
    world.recount();
    world.run(20 * S);
    let after: Vec<_> = world.clients.iter().map(|client| client.home).collect();
    assert!(before == after, "routes have changed");
    assert_eq!(world.tally.moved, 0);
    assert!(world.tally.served[0] > 5000);
}

#[test]
fn draining_keeps_sessions_and_takes_no_new_ones() {
    let records = Records::new(3, 2);
    let nodes = nodes_of(&[1, 1, 1]);
    let balancers: Vec<_> = (0..2).map(|_| records.balancer(&settings(Method::Request), &nodes)).collect();
    let mut world = World::new(6, &records, &balancers);
    world.load = Load { ends: 5, ..SESSIONS };
    world.run(20 * S);
    records.members[1].set_activation(Activation::Disabled);
    world.recount();
    world.run(10 * S);
    assert_eq!(world.tally.new[1], 0, "a new session on a disabled member");
    assert!(world.tally.served[1] > 0);
    assert_eq!(world.tally.moved, 0);
    world.run(200 * S);
    world.recount();
    world.run(10 * S);
    assert_eq!(world.tally.tried[1], 0, "all sessions have ended by now");
    // Stopped: the sessions of that member go elsewhere at once.
    records.members[2].set_activation(Activation::Stopped);
    world.recount();
    world.run(10 * S);
    assert_eq!(world.tally.tried[2], 0);
    assert!(world.tally.moved > 50 && world.tally.lost() == 0);
    // And back in service.
    records.members[1].set_activation(Activation::Active);
    records.members[2].set_activation(Activation::Active);
    // Whoever changes an activation does this too; else they would get everything until they have caught up.
    balancers[0].forget_values();
    world.recount();
    world.run(20 * S);
    assert!(world.tally.new[1] > 20 && world.tally.new[2] > 20, "{:?}", world.tally.new);
}

#[test]
fn sessions_move_within_their_domain() {
    let records = Records::new(4, 1);
    let nodes: Vec<_> =
        ["east", "west", "east", "west"].map(|domain| Node { domain, ..Node::default() }).into();
    let balancers = [records.balancer(&settings(Method::Request), &nodes)];
    let mut world = World::new(8, &records, &balancers);
    world.load = SESSIONS;
    world.run(20 * S);
    let east = |world: &World<'_>| -> Vec<usize> {
        let of_east = |home: Option<usize>| home.is_some_and(|home| home % 2 == 0);
        world
            .clients
            .iter()
            .enumerate()
            .filter(|(_, client)| of_east(client.home))
            .map(|(at, _)| at)
            .collect()
    };
    let before = east(&world);
    world.backends[0].health = Health::Refuses;
    world.run(20 * S);
    assert_eq!(east(&world), before);
    assert!(world.clients.iter().all(|client| client.home != Some(0)));
}

#[test]
fn redirect_names_the_stand_in() {
    let records = Records::new(3, 1);
    let nodes = [
        Node { redirect: "n1", ..Node::default() },
        Node { activation: Activation::Disabled, ..Node::default() },
        Node::default(),
    ];
    let balancers = [records.balancer(&settings(Method::Request), &nodes)];
    let mut world = World::new(9, &records, &balancers);
    world.load = SESSIONS;
    world.run(20 * S);
    assert_eq!(world.tally.tried[1], 0);
    let of_first: Vec<usize> = (0..500).filter(|at| world.clients[*at].home == Some(0)).collect();
    world.backends[0].health = Health::Refuses;
    world.run(20 * S);
    assert!(of_first.iter().all(|at| world.clients[*at].home == Some(1)));
}

#[test]
fn forced_sessions_are_refused_while_their_member_is_down_and_no_others_are() {
    let mut forced = settings(Method::Request);
    forced.sticky_force = true;
    let records = Records::new(3, 1);
    let balancers = [records.balancer(&forced, &nodes_of(&[1, 1, 1]))];
    let mut world = World::new(10, &records, &balancers);
    world.load = SESSIONS;
    world.run(20 * S);
    world.backends[0].health = Health::Refuses;
    world.recount();
    world.run(20 * S);
    assert_eq!(world.tally.moved, 0);
    assert!(world.tally.lost() > 1000, "{:?}", world.tally);
    assert!(world.tally.tried[0] < 30, "the failed member was tried {} times", world.tally.tried[0]);
    world.backends[0].health = Health::Fine;
    world.run(S);
    world.recount();
    world.run(20 * S);
    assert_eq!((world.tally.lost(), world.tally.moved), (0, 0));
    // A session nobody knows may go anywhere.
    for client in &mut world.clients {
        client.home = None;
        client.id = b"x.unknown".to_vec();
    }
    world.backends[0].health = Health::Refuses;
    world.run(S);
    world.recount();
    world.run(S);
    assert_eq!(world.tally.lost(), 0);
}

#[test]
fn a_route_of_the_environment_leads_as_a_session_does() {
    let records = Records::new(3, 1);
    let balancer = records.balancer(&settings(Method::Request), &nodes_of(&[1, 1, 1]));
    let find = |route: &'static [u8]| {
        let ask = Ask {
            route: Some(route),
            sessions: &[],
            owner: None,
            stateless: false,
            overrides: &[],
            key: 0,
            random: 0,
            now: Tick(S),
        };
        match Rounds::new(&balancer).next(&ask) {
            Next::Try(pick) => (pick.member, pick.why),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(find(b"n2"), (2, Why::Sticky));
    assert_eq!(find(b"n2"), (2, Why::Sticky));
    assert_eq!(find(b"x.n2").1, Why::Method, "the value is a route, not an id");
    records.members[2].set_activation(Activation::Stopped);
    assert_ne!(find(b"n2").0, 2);
    let sessions =
        |member: usize| records.members[member].sessions.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((sessions(0), sessions(1), sessions(2)), (0, 0, 0), "it begins no session");
}
