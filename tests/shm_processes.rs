//! Shared memory with real processes: they count, are killed, hand the lease over, wake each other.
//!
//! Each test forks from its own thread. What a child does here before it ends is what an httpd child does too: it uses the
//! mapping, its own stack and the heap. No child outlives the test: it gets SIGKILL when the thread that forked it ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the lints know tests by their attribute only, not the functions they share"
)]

mod support;

use std::mem::{ManuallyDrop, forget};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use mod_jk_rs::engine::balance::state::State;
use mod_jk_rs::shm::layout::{Capacity, Map};
use mod_jk_rs::shm::process::{Reaped, Share, processes, reap};
use mod_jk_rs::shm::registry::Registry;
use mod_jk_rs::shm::segment::Segment;
use mod_jk_rs::shm::{futex, lease};
use mod_jk_rs::transport::clock;
use support::tempdir::TempDir;
use support::{PATIENCE, wait_until};

const CAPACITY: Capacity = Capacity { workers: 8, members: 8, balancers: 4, rows: 8 };

/// A forked process; killed and waited for when dropped.
struct Child(libc::pid_t);

impl Child {
    /// Forks; the child runs `life` and ends. It ends with status 0 only if that did not panic.
    fn fork(life: impl FnOnce()) -> Self {
        // SAFETY: the child runs `life` and ends by _exit; it uses no lock another thread of this process may hold but those
        // of the allocator, which glibc makes usable again after a fork.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
        if pid == 0 {
            // SAFETY: no memory is passed.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(life));
            // SAFETY: ends this process without running what belongs to the test process.
            unsafe { libc::_exit(i32::from(end.is_err())) };
        }
        Self(pid)
    }

    fn kill(&self) {
        // SAFETY: a child of ours that nobody has waited for, so the id is still its own.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
    }

    /// Waits for its end; true: status 0.
    fn join(self) -> bool {
        let status = self.wait();
        forget(self);
        status == 0
    }

    fn wait(&self) -> i32 {
        let mut status = -1;
        // SAFETY: a child of ours; the status is ours to write.
        let waited = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        assert_eq!(waited, self.0);
        status
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        self.wait();
    }
}

/// Sleeps until it is killed.
fn linger() -> ! {
    loop {
        std::thread::sleep(PATIENCE);
    }
}

fn registry() -> Registry {
    let mut registry = Registry::new(Segment::create(CAPACITY, None).unwrap());
    for worker in ["a", "b", "c"] {
        registry.worker(worker).unwrap();
    }
    registry.balancer("lb").unwrap();
    registry
}

/// Enters `work` of worker 1 and 2 and `waiting` of balancer 0 in this process, for good.
fn count_in(map: Map, share: &Share, work: usize, waiting: usize) {
    for place in [1, 2] {
        for _ in 0..work {
            forget(map.workers()[place].gauge.enter(share.worker(place).unwrap()));
        }
    }
    for _ in 0..waiting {
        forget(map.balancers()[0].gauge.try_wait(share.balancer(0).unwrap(), 1000).unwrap());
    }
}

#[test]
fn what_killed_processes_have_counted_comes_back_exactly() {
    let map = registry().map();
    let (worker, balancer) = (&map.workers()[1].gauge, &map.balancers()[0].gauge);
    let children: Vec<Child> = (1..=4)
        .map(|number| {
            Child::fork(move || {
                let share = Share::take(map, 1);
                count_in(map, &share, number, 2);
                linger();
            })
        })
        .collect();
    wait_until("all have counted", || (worker.now(), balancer.waiting()) == (10, 8));
    assert_eq!(reap(map), Reaped::default(), "nobody is gone");
    children[0].kill();
    children[3].kill();
    let mut gone = 0;
    wait_until("two are found", || {
        gone += reap(map).processes;
        gone >= 2
    });
    assert_eq!((worker.now(), map.workers()[2].gauge.now(), balancer.waiting()), (5, 5, 4));
    assert_eq!(processes(map).count(), 2);
    drop(children);
    // Several processes look at once; each row is found by one.
    let reapers: Vec<Child> = (0..3)
        .map(|_| {
            Child::fork(move || {
                reap(map);
            })
        })
        .collect();
    assert!(reapers.into_iter().all(Child::join));
    assert_eq!((worker.now(), map.workers()[2].gauge.now(), balancer.waiting()), (0, 0, 0));
    assert_eq!(processes(map).count(), 0);
    assert_eq!((worker.most(), reap(map)), (10, Reaped::default()));
}

/// Kills processes at any point of counting, again and again: no place is ever lost, and none comes into being.
#[test]
fn the_count_is_right_however_processes_die() {
    let map = registry().map();
    let worker = &map.workers()[0];
    let share = Share::take(map, 1);
    for round in 0..40 {
        let enough = worker.used.load(Relaxed) + 500 + round * 7;
        let child = Child::fork(move || {
            let share = Share::take(map, 1);
            let cell = share.worker(0).unwrap();
            loop {
                let flight = worker.gauge.try_enter(cell, 1000, false);
                worker.used.fetch_add(1, Relaxed);
                drop(flight);
            }
        });
        wait_until("it counts", || worker.used.load(Relaxed) > enough);
        drop(child);
        assert_eq!(reap(map).processes, 1);
        assert_eq!(processes(map).count(), 1, "ours");
        // A count below 0 reads as 0, so one of ours is added.
        let one = worker.gauge.enter(share.worker(0).unwrap());
        assert_eq!(worker.gauge.now(), 1, "round {round}");
        drop(one);
    }
}

#[test]
fn an_orderly_end_leaves_a_free_row() {
    let map = registry().map();
    for _ in 0..3 {
        assert!(
            Child::fork(move || {
                let share = Share::take(map, 1);
                assert_eq!(share.row().unwrap().place(), 0);
                drop(map.workers()[0].gauge.enter(share.worker(0).unwrap()));
            })
            .join()
        );
        assert_eq!(processes(map).count(), 0);
    }
    assert_eq!(reap(map), Reaped::default());
}

#[test]
fn a_fork_does_not_leave_the_row_of_its_parent() {
    let map = registry().map();
    let mut share = ManuallyDrop::new(Share::take(map, 1));
    assert!(lease::try_hold(share.row().unwrap(), clock::now()));
    // SAFETY: dropped once in each process.
    assert!(Child::fork(|| unsafe { ManuallyDrop::drop(&mut share) }).join());
    assert_eq!(processes(map).map(|process| process.pid).collect::<Vec<_>>(), [std::process::id()]);
    assert!(lease::holder(map).is_some());
    // SAFETY: as above.
    unsafe { ManuallyDrop::drop(&mut share) };
    assert_eq!((processes(map).count(), lease::holder(map)), (0, None));
}

#[test]
fn the_lease_moves_on_when_its_holder_is_killed() {
    let map = registry().map();
    let holder = Child::fork(move || {
        let share = Share::take(map, 1);
        while lease::try_hold(share.row().unwrap(), clock::now()) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    wait_until("somebody holds it", || lease::holder(map).is_some());
    let share = Share::take(map, 1);
    let row = share.row().unwrap();
    let began = Instant::now();
    while began.elapsed() < lease::PATIENCE + Duration::from_millis(300) {
        assert!(!lease::try_hold(row, clock::now()), "taken from a process that renews it");
        std::thread::sleep(Duration::from_millis(20));
    }
    holder.kill();
    let killed = Instant::now();
    wait_until("it is handed over", || lease::try_hold(row, clock::now()));
    // Nobody waits for the old holder's time to run out: the kernel knows that it is gone.
    assert!(killed.elapsed() < lease::PATIENCE, "{:?}", killed.elapsed());
    assert_eq!(lease::holder(map).unwrap().row, row.place());
}

#[test]
fn a_stopped_holder_loses_the_lease_and_notices() {
    let map = registry().map();
    let holder = Child::fork(move || {
        let share = Share::take(map, 1);
        while lease::try_hold(share.row().unwrap(), clock::now()) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    wait_until("somebody holds it", || lease::holder(map).is_some());
    let share = Share::take(map, 1);
    // SAFETY: a child of ours that nobody has waited for.
    unsafe { libc::kill(holder.0, libc::SIGSTOP) };
    wait_until("its time runs out", || lease::try_hold(share.row().unwrap(), clock::now()));
    // SAFETY: as above.
    unsafe { libc::kill(holder.0, libc::SIGCONT) };
    // It ends as soon as it is refused.
    let renew = std::thread::scope(|scope| {
        let waiting = scope.spawn(move || holder.join());
        while !waiting.is_finished() {
            lease::try_hold(share.row().unwrap(), clock::now());
            std::thread::sleep(Duration::from_millis(5));
        }
        waiting.join().unwrap()
    });
    assert!(renew);
}

#[test]
fn a_ring_wakes_a_waiter_in_another_process() {
    let map = registry().map();
    let bell = &map.balancers()[0].gauge.bell;
    let waiter = Child::fork(move || {
        let bell = &map.balancers()[0].gauge.bell;
        assert!(futex::wait(bell, 0, PATIENCE), "nobody rang");
    });
    // Without changing the word: only a waiter that really sleeps is woken.
    wait_until("it sleeps and is woken", || futex::wake(bell, 1) == 1);
    assert!(waiter.join());
    let sleepers: Vec<Child> = (0..3)
        .map(|_| {
            Child::fork(move || {
                assert!(futex::wait(&map.balancers()[0].gauge.bell, 0, PATIENCE));
            })
        })
        .collect();
    let began = Instant::now();
    futex::ring(bell);
    assert!(sleepers.into_iter().all(Child::join));
    assert!(began.elapsed() < PATIENCE);
}

#[test]
fn giving_back_wakes_who_waits_for_the_place() {
    let map = registry().map();
    let holder = Child::fork(move || {
        let share = Share::take(map, 1);
        count_in(map, &share, 1, 0);
        linger();
    });
    let gauge = &map.workers()[1].gauge;
    wait_until("it is in", || gauge.now() == 1);
    let waiter = Child::fork(move || {
        let share = Share::take(map, 1);
        let cell = share.worker(1).unwrap();
        let waiting = gauge.try_wait(cell, 1).unwrap();
        loop {
            let seen = gauge.bell.load(Relaxed);
            if let Some(flight) = gauge.try_enter(cell, 1, true) {
                drop((flight, waiting));
                return;
            }
            assert!(futex::wait(&gauge.bell, seen, PATIENCE), "nobody rang");
        }
    });
    wait_until("it waits", || gauge.waiting() == 1);
    drop(holder);
    assert_eq!(reap(map).processes, 1);
    assert!(waiter.join());
    assert_eq!((gauge.now(), gauge.waiting()), (0, 0));
}

/// Children of the last generation go on while the parent reads a new configuration and forks new ones.
#[test]
fn a_graceful_restart_finds_the_same_records() {
    let mut registry = registry();
    let map = registry.map();
    let (member, place) = registry.member("lb", "a").unwrap();
    let old = Child::fork(move || {
        let share = Share::take(map, 1);
        count_in(map, &share, 3, 0);
        map.members()[place].set_state(State::Error);
        linger();
    });
    let gauge = &map.workers()[1].gauge;
    wait_until("the old child works", || gauge.now() == 3 && member.state() == State::Error);
    // The second pass over the configuration; "a" is gone from it.
    let (again, _) = registry.member("lb", "a").unwrap();
    let (worker, place) = registry.worker("b").unwrap();
    assert!(std::ptr::eq(again, member) && std::ptr::eq(&raw const worker.gauge, gauge));
    assert!(
        Child::fork(move || {
            let share = Share::take(map, 2);
            assert_eq!((map.workers()[place].gauge.now(), again.state()), (3, State::Error));
            let flight = map.workers()[place].gauge.enter(share.worker(place).unwrap());
            assert_eq!(map.workers()[place].gauge.now(), 4);
            drop(flight);
        })
        .join()
    );
    drop(old);
    assert_eq!(reap(map).processes, 1);
    assert_eq!((gauge.now(), gauge.most()), (0, 4));
}

#[test]
fn the_file_belongs_to_the_process_that_made_it() {
    let dir = TempDir::new("shm-file");
    let base = dir.path().join("jk.shm");
    let segment = Segment::create(CAPACITY, Some(&base)).unwrap();
    let path = segment.path().unwrap().to_owned();
    assert_eq!(path, dir.path().join(format!("jk.shm.{}", std::process::id())));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let map = segment.map();
    let mut segment = ManuallyDrop::new(segment);
    let child = Child::fork(|| {
        map.workers()[5].sent.store(42, Relaxed);
        // SAFETY: dropped once in each process.
        unsafe { ManuallyDrop::drop(&mut segment) };
    });
    assert!(child.join());
    assert!(path.exists(), "removed by a child");
    assert_eq!(map.workers()[5].sent.load(Relaxed), 42);
    // SAFETY: as above.
    unsafe { ManuallyDrop::drop(&mut segment) };
    assert!(!path.exists());
}
