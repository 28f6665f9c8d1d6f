//! Nanoseconds to record one time in a histogram, and what monitoring costs a request that is served: two times and one more
//! look at the clock. Run with `cargo bench --bench histogram`.
#![allow(clippy::print_stdout)] // The table is the product.

use std::hint::black_box;
use std::time::Instant;

use mod_jk_rs::engine::balance::state::Stats;
use mod_jk_rs::engine::status::histogram::Histogram;
use mod_jk_rs::transport::clock;

const LOOPS: u64 = 10_000_000;

fn main() {
    for threads in [1, 2] {
        let histogram = Histogram::new();
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut micros = 1u64;
                    for _ in 0..LOOPS {
                        // Times from 0 to about 16 s, in no order that could be predicted.
                        micros = micros.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        histogram.record(black_box(micros >> 40));
                    }
                });
            }
        });
        let nanos = start.elapsed().as_nanos() as f64 / LOOPS as f64;
        println!(
            "{threads} threads: {nanos:.1} ns for each record, {} recorded",
            histogram.snapshot().count()
        );
    }
    for threads in [1, 2] {
        let stats = Stats::default();
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..LOOPS {
                        // The other look at the clock is the one when the head of the response came.
                        let (begun, head_at) = (black_box(clock::now()), black_box(clock::now()));
                        let micros =
                            |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                        stats.first_byte.record(micros(head_at.since(begun)));
                        stats.total.record(micros(head_at.since(begun)));
                    }
                });
            }
        });
        let nanos = start.elapsed().as_nanos() as f64 / LOOPS as f64;
        println!("{threads} threads: {nanos:.1} ns for each request");
    }
}
