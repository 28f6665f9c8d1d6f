//! Workers of type `http` through a running httpd: what the backend gets, what the client gets, and what follows failures.
//!
//! `relay` requests and responses with a scripted backend, `broken` answers that are none, `mixed` balancers of both
//! protocols, `tls` what is special about HTTPS, `settings` and `settings_tls` properties, `servers` real servers: Tomcat's HTTP and HTTPS
//! connectors, Jetty, Node.js and Python's `http.server`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod effect;
mod support;

#[path = "live_http/backend.rs"]
mod backend;
#[path = "live_http/broken.rs"]
mod broken;
#[path = "live_http/mixed.rs"]
mod mixed;
#[path = "live_http/relay.rs"]
mod relay;
#[path = "live_http/servers.rs"]
mod servers;
#[path = "properties/http.rs"]
mod settings;
#[path = "properties/https.rs"]
mod settings_tls;
#[path = "live_http/tls.rs"]
mod tls;
#[path = "live_http/wire.rs"]
mod wire;

use support::authority;
