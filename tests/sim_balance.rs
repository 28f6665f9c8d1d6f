//! Balancing (`engine::balance`) in a simulated server: processes that share records, backends that fail and come back, and
//! clients with and without sessions; hundreds of thousands of requests, no clock and no socket.
//!
//! `SIM_SEEDS=n` runs n seeds of the random runs instead of the usual number, `SIM_SEED=s` runs one. A failure names its
//! seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]
#![allow(missing_docs, unreachable_pub, reason = "a test")]

#[path = "sim_balance/live.rs"]
mod live;
#[path = "sim_balance/world.rs"]
mod world;

#[path = "sim_balance/chaos.rs"]
mod chaos;
#[path = "sim_balance/processes.rs"]
mod processes;
#[path = "sim_balance/recovery.rs"]
mod recovery;
#[path = "sim_balance/sessions.rs"]
mod sessions;
#[path = "sim_balance/shares.rs"]
mod shares;
