//! The gauge of `src/engine/balance/gauge.rs` on modelled atomics: every interleaving of a few threads, every value that a
//! weak memory may show them, and processes that are killed between any two operations.
//!
//! Run with `make loom`. Source of the model: loom, after "CDSChecker: Checking Concurrent Data Structures Written with
//! C/C++ Atomics" (Norris, Demsky).
#![allow(dead_code, reason = "each test uses another part of the gauge")]
#![cfg(all(test, loom))]

#[path = "../../src/engine/balance/gauge.rs"]
mod gauge;
mod sync;

use std::mem::forget;

use gauge::{Cell, Gauge};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use sync::killed_after;

/// A gauge and the cells of two processes.
#[derive(Default)]
struct World {
    gauge: Gauge,
    cells: [Cell; 2],
}

impl World {
    fn assert_empty(&self) {
        assert_eq!((self.gauge.now(), self.gauge.waiting()), (0, 0));
        assert!(self.cells.iter().all(Cell::is_idle));
    }
}

/// Runs `test` in a fresh world under all interleavings.
fn explore(test: impl Fn(Arc<World>) + Send + Sync + 'static) {
    loom::model(move || test(Arc::new(World::default())));
}

#[test]
fn all_leave_and_nothing_stays() {
    for process in [0, 1] {
        explore(move |world| {
            let other = Arc::clone(&world);
            let thread = thread::spawn(move || drop(other.gauge.enter(&other.cells[0])));
            drop(world.gauge.enter(&world.cells[process])); // another thread of the same process, or another process
            thread.join().unwrap();
            world.assert_empty();
            assert!((1..=2).contains(&world.gauge.most()), "{}", world.gauge.most());
        });
    }
}

#[test]
fn a_limit_is_never_exceeded() {
    explore(|world| {
        let inside = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = [0, 1]
            .map(|process| {
                let (world, inside) = (Arc::clone(&world), Arc::clone(&inside));
                thread::spawn(move || {
                    let flight = world.gauge.try_enter(&world.cells[process], 1, false);
                    if flight.is_some() {
                        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0, "two are in");
                        inside.fetch_sub(1, Ordering::Relaxed);
                    }
                    flight.is_some()
                })
            })
            .into();
        let entered = threads.into_iter().filter_map(|thread| thread.join().unwrap().then_some(())).count();
        assert!(entered > 0, "there was a place for one of them");
        world.assert_empty();
        assert_eq!(world.gauge.most(), 1);
    });
}

#[test]
fn the_queue_is_bounded() {
    explore(|world| {
        let threads: Vec<_> = [0, 1]
            .map(|process| {
                let world = Arc::clone(&world);
                thread::spawn(move || match world.gauge.try_wait(&world.cells[process], 1) {
                    Some(waiting) => {
                        forget(waiting);
                        1
                    }
                    None => 0,
                })
            })
            .into();
        let waiting: u32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!((waiting, world.gauge.waiting()), (1, 1));
        world.cells.iter().for_each(|cell| world.gauge.give_back(cell));
        world.assert_empty();
    });
}

/// A waiter that sees no place sleeps unless the bell has changed. Whoever leaves rings if somebody waits. Nobody may be
/// left asleep with a free place.
#[test]
fn nobody_sleeps_through_the_bell() {
    explore(|world| {
        let busy = Arc::clone(&world);
        let leaver = thread::spawn(move || {
            // Not by give_back: that one touches more than who leaves does, and would hide a missing fence.
            drop(busy.gauge.try_enter(&busy.cells[0], 1, true));
            if busy.gauge.is_awaited() {
                busy.gauge.bell.fetch_add(1, Ordering::AcqRel);
            }
        });
        let waiting = world.gauge.try_wait(&world.cells[1], 1).unwrap();
        let seen = world.gauge.bell.load(Ordering::Acquire);
        let entered = world.gauge.try_enter(&world.cells[1], 1, true);
        let asleep = entered.is_none();
        leaver.join().unwrap();
        if asleep {
            assert_ne!(world.gauge.bell.load(Ordering::Relaxed), seen, "asleep although there is a place");
        }
        drop((entered, waiting));
        world.assert_empty();
    });
}

/// What one process does until it is killed.
type Life = fn(&World);

const LIVES: [Life; 4] = [
    |world| drop(world.gauge.enter(&world.cells[0])),
    |world| drop(world.gauge.try_enter(&world.cells[0], 2, false)),
    |world| drop(world.gauge.try_wait(&world.cells[0], 2)),
    |world| {
        let waiting = world.gauge.try_wait(&world.cells[0], 2);
        let entered = world.gauge.try_enter(&world.cells[0], 2, true);
        drop(waiting);
        drop(entered);
    },
];

/// Kills a process before each of its operations in turn, while another one counts in and out, and gives back what it left.
/// Nothing is lost for good, and what was given back too much is corrected.
#[test]
fn a_killed_process_takes_no_place_with_it() {
    for life in LIVES {
        let mut after = 0;
        loop {
            let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
            let seen = std::sync::Arc::clone(&ended);
            explore(move |world| {
                let victim = {
                    let world = Arc::clone(&world);
                    thread::spawn(move || killed_after(after, || life(&world)))
                };
                drop(world.gauge.enter(&world.cells[1]));
                let killed = victim.join().unwrap();
                seen.fetch_or(!killed, std::sync::atomic::Ordering::Relaxed);
                world.gauge.give_back(&world.cells[0]);
                assert!(world.cells.iter().all(Cell::is_idle));
                // Numbers below 0 read as 0: count in to see them.
                forget(world.gauge.enter(&world.cells[1]));
                forget(world.gauge.try_wait(&world.cells[1], 1).expect("nobody waits"));
                let counted = (world.gauge.now(), world.gauge.waiting());
                assert_eq!(counted, (1, 1), "one is in and one waits (killed after {after}: {killed})");
            });
            if ended.load(std::sync::atomic::Ordering::Relaxed) {
                break;
            }
            after += 1;
        }
        assert!(after >= 3, "only {after} operations could be killed");
    }
}

/// A reaper gives back while others come and go.
#[test]
fn giving_back_disturbs_nobody() {
    explore(|world| {
        forget(world.gauge.enter(&world.cells[0]));
        forget(world.gauge.try_wait(&world.cells[0], 5));
        let reaper = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.gauge.give_back(&world.cells[0]))
        };
        let mine = world.gauge.enter(&world.cells[1]);
        drop(world.gauge.try_wait(&world.cells[1], 5));
        reaper.join().unwrap();
        assert_eq!((world.gauge.now(), world.gauge.waiting()), (1, 0));
        drop(mine);
        world.assert_empty();
    });
}
