//! The monotonic clock.
//!
//! Ticks are microseconds of `CLOCK_MONOTONIC`, whose origin is the boot of the machine: all httpd children agree on
//! them, so they may also be stored in shared memory.

use std::time::Duration;

use super::socket;
use crate::engine::units::Tick;

/// The current tick.
pub fn now() -> Tick {
    let since_boot: Duration = socket::monotonic();
    Tick(since_boot.as_secs() * 1_000_000 + u64::from(since_boot.subsec_micros()))
}

/// The time left until `deadline`; `None` when there is no deadline, zero when it has passed.
pub fn left(deadline: Option<Tick>) -> Option<Duration> {
    deadline.map(|deadline| deadline.since(now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_moves_forward_only() {
        let first = now();
        assert!(first > Tick(0));
        assert!(now() >= first);
        assert_eq!(left(Some(first)), Some(Duration::ZERO));
        assert_eq!(left(None), None);
        assert!(left(Some(now().after(Duration::from_secs(60)))) > Some(Duration::from_secs(50)));
    }
}
