//! Status workers in a real httpd: what scripts written for mod_jk send, changes that all children follow, who may change
//! what, the API, metrics, and the formats compared with those of the original.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test")]
#![allow(unreachable_pub, reason = "a test")]

mod farm;
#[path = "support/status_compare.rs"]
mod status_compare;
mod support;

#[path = "live_status/api.rs"]
mod api;
#[path = "live_status/browser.rs"]
mod browser;
#[path = "live_status/chromium.rs"]
mod chromium;
#[path = "live_status/commands.rs"]
mod commands;
#[path = "live_status/curl.rs"]
mod curl;
#[path = "live_status/desk.rs"]
mod desk;
#[path = "live_status/formats.rs"]
mod formats;
#[path = "live_status/guard.rs"]
mod guard;
#[path = "live_status/keep.rs"]
mod keep;
#[path = "live_status/live_page.rs"]
mod live_page;
#[path = "live_status/metrics.rs"]
mod metrics;
#[path = "live_status/openapi.rs"]
mod openapi;
#[path = "live_status/pictures.rs"]
mod pictures;
#[path = "live_status/promtool.rs"]
mod promtool;
#[path = "live_status/settings.rs"]
mod settings;
