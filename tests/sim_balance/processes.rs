//! Several processes over one set of records: killed ones, and real threads.

use std::sync::atomic::{AtomicU64, Ordering};

use mod_jk_rs::engine::balance::Ask;
use mod_jk_rs::engine::balance::outcome::{Context, Outcome};
use mod_jk_rs::engine::balance::rounds::{Next, Rounds};
use mod_jk_rs::engine::config::model::Method;
use mod_jk_rs::engine::units::Tick;

use crate::live::{Health, Load, World};
use crate::shares::METHODS;
use crate::world::{MS, Records, Rng, S, nodes_of, settings};

#[test]
fn a_killed_process_leaves_nothing_behind() {
    for method in METHODS {
        for processes in [2, 8] {
            let records = Records::new(4, processes);
            let nodes = nodes_of(&[1, 1, 2, 2]);
            let new = || records.balancer(&settings(method), &nodes);
            let balancers: Vec<_> = (0..processes).map(|_| new()).collect();
            let successors: Vec<_> = (0..processes).map(|_| new()).collect();
            let mut world = World::new(1, &records, &balancers);
            world.load = Load { every: MS / 2, clients: 200, stateless: 10, ends: 5, keeps: false };
            world.maintain = 5 * S;
            for (process, successor) in successors.iter().enumerate() {
                world.run(3 * S);
                world.kill(process);
                world.run(S / 20);
                // Buried by now.
                world.run(S);
                world.start(process, successor);
            }
            world.run(20 * S);
            world.recount();
            world.load.clients = 0;
            world.run(20 * S);
            assert_eq!(world.tally.lost(), 0, "{method:?}");
            if matches!(method, Method::Request | Method::Sessions | Method::Next) {
                let share = world.tally.first[3] as f64 / world.tally.requests as f64;
                assert!((0.31..0.36).contains(&share), "{method:?}: {:?}", world.tally.first);
            }
            world.rest(20 * S);
            world.check_end();
            if method == Method::Busyness {
                // What nobody takes back any more is gone with the next maintenance runs.
                let values: Vec<u64> =
                    records.members.iter().map(|it| it.value.load(Ordering::Relaxed)).collect();
                assert_eq!(values, [0; 4]);
            }
        }
    }
}

#[test]
fn a_member_that_a_killed_process_was_trying_gets_another_chance() {
    let records = Records::new(2, 2);
    let nodes = nodes_of(&[1, 1]);
    let balancers: Vec<_> = (0..2).map(|_| records.balancer(&settings(Method::Request), &nodes)).collect();
    let mut world = World::new(2, &records, &balancers);
    world.maintain = 5 * S;
    world.run(5 * S);
    world.backends[0].health = Health::Hard;
    world.run(20 * S);
    // The next try of it takes long enough to be killed in.
    world.backends[0].health = Health::Fine;
    world.backends[0].time = 500 * S;
    world.run(70 * S);
    world.kill(0);
    world.kill(1);
    world.run(S);
    let successors: Vec<_> = (0..2).map(|_| records.balancer(&settings(Method::Request), &nodes)).collect();
    let mut world = World::new(3, &records, &successors);
    world.now = 200 * S;
    world.maintain = 5 * S;
    world.run(150 * S);
    assert!(world.tally.served[0] > 1000, "{:?} {:?}", world.state(0), world.tally);
    world.rest(10 * S);
    world.check_end();
}

/// Real threads: what they count together is exact, whatever they do at the same moment.
#[test]
fn threads_count_exactly() {
    const THREADS: usize = 8;
    const EACH: u64 = 30_000;
    for method in METHODS {
        for processes in [1, THREADS] {
            let records = Records::new(5, processes);
            let nodes = nodes_of(&[1, 1, 2, 3, 5]);
            let balancers: Vec<_> =
                (0..processes).map(|_| records.balancer(&settings(method), &nodes)).collect();
            let taken: Vec<AtomicU64> = (0..5).map(|_| AtomicU64::new(0)).collect();
            std::thread::scope(|scope| {
                for thread in 0..THREADS {
                    let (records, balancer, taken) = (&records, &balancers[thread % processes], &taken);
                    scope.spawn(move || {
                        let mut rng = Rng(thread as u64);
                        let cells = &records.cells[thread % processes];
                        for number in 0..EACH {
                            let ask = Ask {
                                route: None,
                                sessions: &[],
                                owner: None,
                                stateless: false,
                                overrides: &[],
                                key: rng.next(),
                                random: rng.next(),
                                now: Tick(S + number),
                            };
                            let _counted = records.lb.gauge.enter(&cells[5]);
                            let mut rounds = Rounds::new(balancer);
                            let Next::Try(pick) = rounds.next(&ask) else { panic!("nobody") };
                            let flight = records.workers[pick.member].gauge.enter(&cells[pick.member]);
                            taken[pick.member].fetch_add(1, Ordering::Relaxed);
                            drop(flight);
                            let context =
                                Context { sent: 10, received: 90, now: ask.now, ..Context::default() };
                            rounds.ended(Outcome::Success, &context);
                        }
                    });
                }
            });
            let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
            let taken: Vec<u64> = taken.iter().map(load).collect();
            let what = format!("{method:?}, {processes} processes");
            assert_eq!(taken.iter().sum::<u64>(), THREADS as u64 * EACH);
            assert_eq!(
                records.members.iter().map(|it| load(&it.elected)).collect::<Vec<_>>(),
                taken,
                "{what}"
            );
            assert_eq!(
                records.members.iter().map(|it| load(&it.sessions)).collect::<Vec<_>>(),
                taken,
                "{what}"
            );
            assert_eq!(records.workers.iter().map(|it| load(&it.used)).collect::<Vec<_>>(), taken, "{what}");
            for (worker, taken) in records.workers.iter().zip(&taken) {
                assert_eq!(load(&worker.received), 90 * taken, "{what}");
                assert_eq!((worker.gauge.now(), load(&worker.errors)), (0, 0), "{what}");
            }
            assert_eq!(records.lb.gauge.now(), 0);
            assert!(records.lb.gauge.most() <= THREADS as u32);
            let per_mult: Vec<u64> =
                records.members.iter().map(|it| load(&it.value) / load(&it.mult)).collect();
            match method {
                Method::Request | Method::Sessions | Method::Next => {
                    assert_eq!(per_mult, taken, "{what}");
                    for (taken, weight) in taken.iter().zip([1, 1, 2, 3, 5]) {
                        let wanted = THREADS as u64 * EACH * weight / 12;
                        assert!(taken.abs_diff(wanted) <= wanted / 100, "{what}: {taken} for {wanted}");
                    }
                }
                Method::Traffic => {
                    assert!(per_mult.iter().zip(&taken).all(|(value, taken)| *value == 100 * taken))
                }
                _ => assert_eq!(per_mult, [0; 5], "{what}: a value that was not given back"),
            }
        }
    }
}
