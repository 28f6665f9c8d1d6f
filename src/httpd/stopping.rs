//! How long tunnels may go on when the process is to end: a connection that has left HTTP has no end of its own to wait for.
//!
//! A graceful stop or restart leaves `GracefulShutdownTimeout` from the moment this process notices, or [`LIMIT`] when that is
//! not set. (Without a limit the processes of old generations would pile up, each with some tunnels.) An abrupt stop closes the
//! connections by itself. Times are monotonic.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::units::Tick;
use crate::ffi::tunnel::{graceful_timeout, stopping};
use crate::transport::clock;

/// Time that tunnels have without `GracefulShutdownTimeout`.
const LIMIT: Duration = Duration::from_secs(30);

/// When the end was noticed; 0: it was not. A fact about the process, not a setting: no start inherits it, because the
/// process ends.
static NOTICED: AtomicU64 = AtomicU64::new(0);

/// Time left; `None`: the process is not about to end.
pub(super) fn left() -> Option<Duration> {
    if !stopping() {
        return None;
    }
    let now = clock::now();
    let noticed = match NOTICED.compare_exchange(0, now.0.max(1), Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => now,
        Err(earlier) => Tick(earlier),
    };
    Some(noticed.after(graceful_timeout().unwrap_or(LIMIT)).since(now))
}
