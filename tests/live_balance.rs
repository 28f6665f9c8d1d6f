//! Every property of a balancer, and every property of its members that concerns it, shows its effect.
//!
//! One file for each group. `tests/coverage.rs` checks that no property is missing. What happens when members fail is the
//! business of `live_failover`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod effect;
mod farm;
mod support;

#[path = "live_balance/activation.rs"]
mod activation;
#[path = "live_balance/bodies.rs"]
mod bodies;
#[path = "live_balance/cookies.rs"]
mod cookies;
#[path = "live_balance/methods.rs"]
mod methods;
#[path = "live_balance/notes.rs"]
mod notes;
#[path = "live_balance/overrides.rs"]
mod overrides;
#[path = "live_balance/sessions.rs"]
mod sessions;
#[path = "live_balance/structure.rs"]
mod structure;
