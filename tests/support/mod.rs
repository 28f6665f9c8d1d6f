//! Support of the live tests: a private httpd, a scripted backend, a private Tomcat and a raw HTTP client.
//!
//! Every live test file says `mod support;`. Nothing here skips silently: what is missing (httpd, the module, Tomcat) is
//! a panic that says what to install or to build. No fixed ports and no `/etc` are used, nothing sleeps for a guess, and
//! no process outlives the test process, however that one ends.
//!
//! ```text
//! let backend = Backend::start();
//! let httpd = Httpd::builder().workers(&backend.worker("w")).conf("JkMount /app/* w").start();
//! let answer = client::get(httpd.port(), "/app/size/10");
//! assert_eq!((answer.status, answer.body.len(), answer.ended), (200, 10, Ended::Length));
//! backend.assert_no_errors();
//! ```

// Each test file uses another part of this module, and helper functions of tests may panic.
#![allow(dead_code, unused_imports, unused_macros, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::time::{Duration, Instant};

pub mod authority;
pub mod backend;
pub mod background;
pub mod certificate;
pub mod client;
pub mod cluster;
pub mod digest;
pub mod forward;
pub mod forward_decode;
mod framing;
mod framing_ajp;
pub mod framing_http;
pub mod gate;
pub mod http_request;
pub mod httpd;
mod link;
pub mod listener;
pub mod ports;
pub mod process;
pub mod protocols;
pub mod record;
pub mod script;
pub mod tempdir;
pub mod tomcat;
pub mod websocket;

pub use backend::{Backend, ConnectionLog, Event, Gate};
pub use client::{Client, Ended, Response};
pub use forward::ForwardRequest;
pub use httpd::{Httpd, Mpm};
pub use protocols::Over;
pub use script::Conversation;
pub use tomcat::Tomcat;

/// Makes tests of functions that take an [`Mpm`]: each runs as `event::NAME`, `worker::NAME` and `prefork::NAME`.
macro_rules! under_each_mpm {
    ($($name:ident),+ $(,)?) => {
        mod event {
            $(#[test] fn $name() { super::$name(crate::support::Mpm::Event); })+
        }
        mod worker {
            $(#[test] fn $name() { super::$name(crate::support::Mpm::Worker); })+
        }
        mod prefork {
            $(#[test] fn $name() { super::$name(crate::support::Mpm::Prefork); })+
        }
    };
}
/// As [`under_each_mpm`], without prefork: for what only threads of one process can do to each other.
macro_rules! under_threaded_mpms {
    ($($name:ident),+ $(,)?) => {
        mod event {
            $(#[test] fn $name() { super::$name(crate::support::Mpm::Event); })+
        }
        mod worker {
            $(#[test] fn $name() { super::$name(crate::support::Mpm::Worker); })+
        }
    };
}
pub(crate) use protocols::{over_ajp_only, over_each_protocol};
pub(crate) use {under_each_mpm, under_threaded_mpms};

/// How long anything may take before a test fails: generous, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between two looks at a condition.
const POLL: Duration = Duration::from_millis(5);

/// Polls `condition` until it holds; `false` when `patience` is over.
pub fn poll(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(POLL);
    }
}

/// Polls `condition` until it holds; panics with `what` after [`PATIENCE`].
#[track_caller]
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    assert!(poll(PATIENCE, condition), "waited {PATIENCE:?} in vain: {what}");
}

/// Descriptors this process may open.
pub fn descriptor_limit() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is written during the call.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX).min(100_000)
}

/// `len` octets in which no two neighbouring windows of 8 octets are equal, so that a lost, doubled or moved piece shows.
pub fn pattern(len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    let mut word: u64 = 0x9e37_79b9_7f4a_7c15;
    while bytes.len() < len {
        word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        bytes.extend_from_slice(&(word >> 8).to_le_bytes()[..7]);
    }
    bytes.truncate(len);
    bytes
}
