//! Random runs: everything that can happen to a balancer, in any order. What must hold at every moment is checked there
//! (`live.rs`); here, that in the end everything is as if nothing had happened.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mod_jk_rs::engine::config::model::{Activation, Method, ReplyTimeouts};

use crate::live::{Health, Load, World};
use crate::shares::METHODS;
use crate::world::{MS, Node, Records, Rng, S, settings};

/// Seeds of an ordinary run.
const SEEDS: u64 = 60;

fn for_seeds(check: fn(u64)) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        if catch_unwind(AssertUnwindSafe(|| check(seed))).is_err() {
            panic!("failed; replay with SIM_SEED={seed}");
        }
    }
}

#[test]
fn whatever_happens_service_comes_back() {
    for_seeds(run);
}

fn run(seed: u64) {
    let mut rng = Rng(seed);
    let members = [1, 2, 3, 5, 8, 20, 64][rng.place(7)];
    let processes = 1 + rng.place(4);
    let nodes: Vec<Node> = (0..members)
        .map(|_| Node {
            factor: [1, 1, 2, 5, 100][rng.place(5)],
            distance: i32::from(rng.chance(10)),
            domain: ["", "", "east", "west"][rng.place(4)],
            redirect: if rng.chance(10) { "n0" } else { "" },
            ..Node::default()
        })
        .collect();
    let mut given = settings(METHODS[rng.place(METHODS.len())]);
    given.sticky_force = rng.chance(20);
    given.rounds = 1 + rng.place(3) as u32;
    given.tries = 1 + rng.place(3) as u32;
    given.pause = Duration::from_millis([0, 10, 100][rng.place(3)]);
    given.recover_time = Duration::from_secs([1, 10, 60][rng.place(3)]);
    given.escalation_time = Duration::from_secs([0, 5, 30][rng.place(3)]);
    given.max_reply_timeouts =
        [ReplyTimeouts::Tolerated, ReplyTimeouts::AtMost(0), ReplyTimeouts::AtMost(3)][rng.place(3)];
    given.slow_start = Duration::from_secs([0, 0, 20][rng.place(3)]);
    given.retry_budget = [None, Some(20), Some(100)][rng.place(3)];
    given.probed = rng.chance(70);
    let records = Records::new(members, processes);
    let generations: Vec<Vec<_>> =
        (0..6).map(|_| (0..processes).map(|_| records.balancer(&given, &nodes)).collect()).collect();
    let mut world = World::new(seed ^ 0xabcd, &records, &generations[0]);
    world.maintain = [5, 20, 60][rng.place(3)] * S;
    let clients = [0, 20, 300][rng.place(3)];
    world.load = Load { every: 4 * MS, clients, stateless: 10, ends: 2, keeps: rng.chance(30) };
    let mut generation = vec![0; processes];
    for _ in 0..30 {
        world.run(rng.around(4 * S));
        let member = rng.place(members);
        match rng.below(10) {
            0..4 => {
                world.backends[member].health =
                    [Health::Refuses, Health::Breaks, Health::Hard, Health::Soft, Health::Silent]
                        [rng.place(5)];
            }
            4..6 => world.backends[member].health = Health::Fine,
            6 => {
                let to = [Activation::Active, Activation::Disabled, Activation::Stopped][rng.place(3)];
                records.members[member].set_activation(to);
                // Whoever changes an activation does this too.
                generations[0][0].forget_values();
            }
            7 => world.backends[member].limit = [0, 1, 5][rng.place(3)],
            8 => world.backends[member].time = [MS, 10 * MS, 200 * MS][rng.place(3)],
            _ => {
                let process = rng.place(processes);
                if generation[process] + 1 < generations.len() {
                    generation[process] += 1;
                    world.kill(process);
                    // At least one process is always there.
                    if processes == 1 {
                        world.rest(S)
                    } else {
                        world.run(S)
                    }
                    world.start(process, &generations[generation[process]][process]);
                }
            }
        }
    }
    // All is well again.
    for backend in &mut world.backends {
        (backend.health, backend.limit, backend.time) = (Health::Fine, 0, 10 * MS);
    }
    for member in &records.members {
        member.set_activation(Activation::Active);
    }
    world.load.every = 20 * MS;
    world.run(200 * S);
    // Members that were kept busy by their sessions would get nothing until the others have caught up. What Busyness counts
    // has to be right without help.
    if given.method != Method::Busyness {
        generations[0][0].forget_values();
    }
    assert!((0..members).all(|member| world.state(member).is_usable()), "still out of service");
    world.load = Load { every: 2 * MS, clients: 0, stateless: 0, ends: 0, keeps: false };
    world.recount();
    world.run(60 * S);
    assert_eq!(world.tally.lost(), 0, "lost with all members in service");
    let nearest = nodes.iter().map(|node| node.distance).min().unwrap();
    let heaviest =
        nodes.iter().filter(|node| node.distance == nearest).map(|node| node.factor).max().unwrap();
    for (member, node) in nodes.iter().enumerate() {
        let tried = world.tally.tried[member];
        // With little to do Latency leaves light members alone: they are expected to take longer.
        let idle = given.method == Method::Latency && node.factor < heaviest;
        assert!(tried > 0 || idle || node.distance != nearest, "w{member} got no request");
        assert!(tried == 0 || node.distance == nearest, "w{member} is far away and got {tried} requests");
        assert!(world.state(member).is_usable(), "w{member}");
    }
    world.rest(10 * S);
    world.check_end();
}
