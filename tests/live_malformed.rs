//! Every malformed reply of the table, and what clients do wrong, through a running httpd.
//!
//! Each row is played twice, on a fresh and on a reused backend connection, while another request is in flight on the same
//! child, and is followed by a good request. Nothing may crash, no octet that the backend did not send may reach a client,
//! and whatever is broken off must look broken off. `cargo test --test live_malformed -- --nocapture` prints the rows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod support;

#[path = "live_malformed/clients.rs"]
mod clients;
#[path = "support/malformed_rows.rs"]
mod malformed_rows;
#[path = "live_malformed/table.rs"]
mod table;
#[path = "live_malformed/timing.rs"]
mod timing;
