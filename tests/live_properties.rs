//! Every property of an `ajp13` worker, and every rule extension that such a worker understands, shows its effect.
//!
//! One file for each group of properties. `tests/coverage.rs` checks that none is missing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod effect;
mod support;

#[path = "properties/address.rs"]
mod address;
#[path = "properties/limits.rs"]
mod limits;
#[path = "properties/pings.rs"]
mod pings;
#[path = "properties/pool.rs"]
mod pool;
#[path = "properties/repeats.rs"]
mod repeats;
#[path = "properties/rules.rs"]
mod rules;
#[path = "properties/secrets.rs"]
mod secrets;
#[path = "properties/sockets.rs"]
mod sockets;
#[path = "properties/structure.rs"]
mod structure;
