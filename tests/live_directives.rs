//! Every directive shows its effect: default, own value, inheritance by virtual hosts, and what a wrong value is told.
//!
//! One file for each group of directives. `tests/coverage.rs` checks that none is missing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod effect;
mod support;

#[path = "directives/env_vars.rs"]
mod env_vars;
#[path = "directives/indicators.rs"]
mod indicators;
#[path = "directives/logging.rs"]
mod logging;
#[path = "directives/mount_file.rs"]
mod mount_file;
#[path = "directives/mounts.rs"]
mod mounts;
#[path = "directives/options.rs"]
mod options;
#[path = "directives/static_files.rs"]
mod static_files;
#[path = "directives/tracing.rs"]
mod tracing;
#[path = "directives/waiting.rs"]
mod waiting;
#[path = "directives/workers.rs"]
mod workers;
