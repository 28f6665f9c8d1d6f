//! What happens when members of a balancer fail, hang, come back, are full, or when the processes of httpd come and go.
//!
//! Whatever takes time is waited for with a deadline; nothing sleeps for a guess.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod effect;
mod farm;
mod support;

#[path = "live_failover/counts.rs"]
mod counts;
#[path = "live_failover/failures.rs"]
mod failures;
#[path = "live_failover/judged.rs"]
mod judged;
#[path = "live_failover/memory_file.rs"]
mod memory_file;
#[path = "live_failover/probing.rs"]
mod probing;
#[path = "live_failover/queues.rs"]
mod queues;
