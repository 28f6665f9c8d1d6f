//! In the long run members get work by their weights, whatever the method.

use mod_jk_rs::engine::config::model::Method;

use crate::live::{Load, World};
use crate::world::{MS, Node, Records, S, nodes_of, settings};

pub const METHODS: [Method; 8] = [
    Method::Request,
    Method::Traffic,
    Method::Busyness,
    Method::Sessions,
    Method::Next,
    Method::P2C,
    Method::Latency,
    Method::Hash,
];

/// What a method evens out, of each member.
fn work(world: &World<'_>, method: Method) -> Vec<u64> {
    match method {
        Method::Traffic => world.tally.octets.clone(),
        Method::Sessions | Method::Next => world.tally.new.clone(),
        _ => world.tally.first.clone(),
    }
}

/// Each share is right to 1 percent, chance set aside: `sigmas` standard deviations of a fair lottery are allowed, too, and
/// `slack` for where the last round stopped.
#[track_caller]
fn assert_shares(what: &str, work: &[u64], weights: &[u32], sigmas: f64, slack: f64) {
    let (all, weight) = (work.iter().sum::<u64>() as f64, weights.iter().map(|w| f64::from(*w)).sum::<f64>());
    for (member, (work, own)) in work.iter().zip(weights).enumerate() {
        let part = f64::from(*own) / weight;
        let wanted = all * part;
        let noise = sigmas * (wanted * (1.0 - part)).sqrt();
        let off = (*work as f64 - wanted).abs();
        assert!(
            off <= wanted * 0.01 + noise + slack,
            "{what}: w{member} got {work}, its share is {wanted:.0}"
        );
    }
}

fn share(method: Method, weights: &[u32], processes: usize, requests: u64) {
    let records = Records::new(weights.len(), processes);
    let nodes = nodes_of(weights);
    let balancers: Vec<_> = (0..processes).map(|_| records.balancer(&settings(method), &nodes)).collect();
    let mut world = World::new(7, &records, &balancers);
    let weight: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let every = match method {
        // Octets are known when a request is over; whatever comes until then goes to the same member.
        Method::Traffic => 20 * MS,
        // A member that has more than its share passes keys on; this is about the keys it owns.
        Method::Hash => 200 * MS,
        // These see requests in work only: there must be enough to tell 1 from 10.
        Method::Busyness | Method::P2C | Method::Latency => (10 * MS / (50 * weight)).max(1),
        _ => (10 * MS / (2 * weight)).max(1),
    };
    world.load = Load { every, clients: 0, stateless: 0, ends: 0, keeps: false };
    world.steady = method == Method::Latency;
    world.run(every * requests);
    world.rest(S);
    world.check_end();
    assert_eq!(world.tally.lost(), 0);
    assert_eq!(world.tally.failovers, 0);
    let (sigmas, slack) = match method {
        Method::Request | Method::Sessions | Method::Next => (0.0, 3.0 * processes as f64),
        Method::Traffic => (0.0, 80_000.0),
        _ => (4.0, 3.0),
    };
    let what = format!("{method:?}, {} members, {processes} processes", weights.len());
    assert_shares(&what, &work(&world, method), weights, sigmas, slack);
}

#[test]
fn equal_members_get_equal_shares() {
    for method in METHODS {
        for members in [1, 2, 3, 10, 64] {
            share(method, &vec![1; members], 1, 30_000);
        }
    }
}

#[test]
fn weights_count() {
    for method in METHODS {
        share(method, &[1, 2, 3], 1, 60_000);
        share(method, &[1, 10], 1, 60_000);
        share(method, &[7, 5, 3, 3, 1], 1, 60_000);
    }
}

#[test]
fn a_thousand_members() {
    for method in METHODS {
        share(method, &vec![1; 1000], 1, 20_000);
    }
}

#[test]
fn processes_do_not_change_the_shares() {
    for method in METHODS {
        for processes in [2, 8] {
            share(method, &[1, 2, 3], processes, 60_000);
            share(method, &[1; 16], processes, 60_000);
        }
    }
}

#[test]
fn nearer_members_get_everything() {
    for method in METHODS {
        let records = Records::new(3, 1);
        let mut nodes = nodes_of(&[1, 1, 1]);
        nodes[1] = Node { distance: -1, ..Node::default() };
        let balancers = [records.balancer(&settings(method), &nodes)];
        let mut world = World::new(1, &records, &balancers);
        world.run(2 * S);
        assert!(world.tally.first[1] > 1000, "{method:?}: {:?}", world.tally.first);
        assert_eq!((world.tally.first[0], world.tally.first[2]), (0, 0), "{method:?}");
    }
}
