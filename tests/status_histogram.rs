//! Histograms under several writers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use mod_jk_rs::engine::status::histogram::Histogram;

#[test]
fn threads_lose_nothing() {
    let histogram = Histogram::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|micros| histogram.record(micros)));
        }
    });
    let seen = histogram.snapshot();
    assert_eq!((seen.count(), seen.micros), (4000, 4 * 499_500));
}
