//! Nanoseconds that all counters and histograms together cost a request, done in the way a request does it: counted in on
//! balancer, member and worker, its session id, its octets, the times to its first octet and to its end with the look at the
//! clock they need, counted out. Everything lies in shared memory as in httpd. Run with `cargo bench --bench counters`.
//!
//! With one thread nobody else counts; with two both count on the same worker all the time, which is the worst there is.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "the table is the product")]

use std::hint::black_box;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use mod_jk_rs::engine::balance::state::Cell;
use mod_jk_rs::engine::balance::{Context, Outcome};
use mod_jk_rs::engine::units::Tick;
use mod_jk_rs::shm::layout::{Capacity, Map};
use mod_jk_rs::shm::segment::Segment;
use mod_jk_rs::transport::clock;

const LOOPS: u64 = 4_000_000;
const ROUNDS: usize = 7;

/// A served request, as it counts in all records.
fn served(map: Map, row: (&'static Cell, &'static Cell), begun: Tick, round: u64) {
    let (worker, member, balancer) = (&map.workers()[0], &map.members()[0], &map.balancers()[0]);
    balancer.session_ids[0].fetch_add(1, Relaxed);
    let in_balancer = balancer.gauge.enter(row.1);
    member.elected.fetch_add(1, Relaxed);
    black_box(member.drain_until.load(Relaxed));
    let in_worker = worker.gauge.enter(row.0);
    // Times from 0 to about 16 s, in no order that could be predicted.
    let first = Duration::from_micros(round >> 40);
    let context = Context { sent: 300, received: 4000, first_octet: Some(first), ..Context::default() };
    worker.count(black_box(Outcome::Success), &context);
    worker.stats.served(Some(round >> 40), Some(black_box(clock::now()).micros_since(begun)));
    drop(in_worker);
    drop(in_balancer);
}

/// What of that would be there without any statistics: who is in work, for balancing and limits.
fn bare(map: Map, row: (&'static Cell, &'static Cell)) {
    let (worker, balancer) = (&map.workers()[0], &map.balancers()[0]);
    let in_balancer = balancer.gauge.enter(row.1);
    map.members()[0].elected.fetch_add(1, Relaxed);
    let in_worker = worker.gauge.enter(row.0);
    drop(black_box(in_worker));
    drop(black_box(in_balancer));
}

/// What this thread has computed so far. Time in which others had the processor does not count.
fn computed() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// Nanoseconds of processor time, of the fastest and of the middle round.
fn measure(
    threads: usize,
    map: Map,
    work: impl Fn((&'static Cell, &'static Cell), u64) + Sync,
) -> (f64, f64) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let nanos: f64 = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..threads)
                    .map(|thread| {
                        let row = map.row(thread).unwrap();
                        let work = &work;
                        scope.spawn(move || {
                            let start = computed();
                            let mut number = 1_u64;
                            for _ in 0..LOOPS {
                                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                                work((&row.workers[0], &row.balancers[0]), number);
                            }
                            (computed() - start).as_nanos() as f64
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            nanos / LOOPS as f64 / threads as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    (rounds[0], rounds[ROUNDS / 2])
}

fn main() {
    let capacity = Capacity { workers: 1, members: 1, balancers: 1, rows: 4 };
    let map = Segment::create(capacity, None).unwrap().map();
    println!("{:>8} {:<34} {:>8} {:>8}", "threads", "ns for each request", "least", "middle");
    for threads in [1, 2] {
        let begun = clock::now();
        let all = measure(threads, map, |row, number| served(map, row, begun, number));
        let without = measure(threads, map, |row, _| bare(map, row));
        for (name, (least, middle)) in
            [("all counters and histograms", all), ("in work only (no statistics)", without)]
        {
            println!("{threads:>8} {name:<34} {least:>8.1} {middle:>8.1}");
        }
    }
    let worker = &map.workers()[0];
    println!("counted: {} requests, {} in work", worker.stats.total.snapshot().count(), worker.gauge.now());
}
