//! Histograms of times, to be kept in shared memory.
//!
//! [`Histogram`] is a fixed array of atomics: all zero is an empty one, any process may record, nothing locks. Times are
//! microseconds. The limits of the buckets are the same everywhere, so counts can be added. Counts of one observation are
//! changed one after the other: a picture taken in between may miss the sum of a time it counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper limits of the buckets in microseconds, inclusive; one bucket more takes the rest.
pub const BOUNDS: [u64; 15] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000, 60_000_000,
];

/// Number of buckets, that for the rest included.
pub const BUCKETS: usize = BOUNDS.len() + 1;

/// The limits in seconds, as Prometheus writes them.
pub const LABELS: [&str; BUCKETS] = [
    "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30",
    "60", "+Inf",
];

/// A histogram that several processes may write to. All bits zero is a valid, empty one.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    micros: AtomicU64,
}

/// What a histogram held at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Observations by bucket, not added up.
    pub buckets: [u64; BUCKETS],
    /// Sum of all observed times in microseconds.
    pub micros: u64,
}

impl Histogram {
    /// An empty one.
    pub const fn new() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS], micros: AtomicU64::new(0) }
    }

    /// Counts one time.
    pub fn record(&self, micros: u64) {
        let place = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Copies the counts.
    pub fn copy_to(&self, to: &Self) {
        let Self { buckets, micros } = self;
        for (from, to) in buckets.iter().zip(&to.buckets).chain(std::iter::once((micros, &to.micros))) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// The counts now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            buckets: std::array::from_fn(|place| {
                self.buckets.get(place).map_or(0, |bucket| bucket.load(Ordering::Relaxed))
            }),
            micros: self.micros.load(Ordering::Relaxed),
        }
    }
}

impl Snapshot {
    /// Number of observations.
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, bucket| sum.saturating_add(*bucket))
    }

    /// The upper limit in microseconds of the bucket in which `per_mille` of the observations are reached; `None` without
    /// observations, and when it is beyond the last limit.
    pub fn quantile(&self, per_mille: u64) -> Option<u64> {
        let wanted = u128::from(self.count()) * u128::from(per_mille.min(1000));
        let mut seen = 0u128;
        for (bucket, bound) in self.buckets.iter().zip(BOUNDS) {
            seen += u128::from(*bucket) * 1000;
            if seen >= wanted && seen > 0 {
                return Some(bound);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_belong_to_their_bucket() {
        let histogram = Histogram::new();
        for micros in [0, 1_000, 1_001, 60_000_000, 60_000_001, u64::MAX / 2] {
            histogram.record(micros);
        }
        let seen = histogram.snapshot();
        assert_eq!(seen.buckets[0], 2);
        assert_eq!(seen.buckets[1], 1);
        assert_eq!(seen.buckets[14], 1);
        assert_eq!(seen.buckets[15], 2);
        assert_eq!(seen.count(), 6);
        assert_eq!(seen.micros, u64::MAX / 2 + 120_002_002);
    }

    #[test]
    fn labels_are_the_limits() {
        for (bound, label) in BOUNDS.iter().zip(LABELS) {
            let seconds: f64 = label.parse().unwrap();
            assert!((seconds * 1e6 - *bound as f64).abs() < 1e-3, "{label}");
        }
        assert!(BOUNDS.is_sorted());
        assert_eq!(LABELS[BUCKETS - 1], "+Inf");
    }

    #[test]
    fn the_layout_is_17_words() {
        assert_eq!(size_of::<Histogram>(), 17 * 8);
        assert_eq!(align_of::<Histogram>(), 8);
    }

    #[test]
    fn quantiles() {
        let mut seen = Snapshot::default();
        assert_eq!(seen.quantile(500), None);
        seen.buckets[3] = 90;
        seen.buckets[6] = 9;
        seen.buckets[15] = 1;
        assert_eq!(seen.quantile(500), Some(10_000));
        assert_eq!(seen.quantile(950), Some(100_000));
        assert_eq!(seen.quantile(1000), None);
        assert_eq!(seen.quantile(0), Some(10_000));
    }
}
