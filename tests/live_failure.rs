//! Failures through a running httpd: each has a definite status and a log line that helps, none looks like success, and
//! none costs memory or descriptors.
//!
//! `MODJK_LONG=1` makes the memory tests four times as long.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod support;

#[path = "live_failure/broken_off.rs"]
mod broken_off;
#[path = "live_failure/resources.rs"]
mod resources;
#[path = "live_failure/table.rs"]
mod table;

use support::{Backend, Httpd, Mpm};

/// httpd in front of `backend`, everything below `/app/` relayed by a worker `w`.
#[track_caller]
fn front(mpm: Mpm, backend: &Backend, settings: &str) -> Httpd {
    let settings: String = settings.lines().map(|line| format!("worker.w.{}\n", line.trim())).collect();
    Httpd::builder().mpm(mpm).workers(backend.worker("w") + &settings).conf("JkMount /app/* w").start()
}
