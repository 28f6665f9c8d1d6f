//! The pure core: protocols, mapping, configuration and decisions.
//!
//! Nothing here opens a socket or a file, reads a clock, starts a thread or knows httpd. Time, bytes and requests come in
//! as arguments; `tests/layers.rs` keeps it that way.

pub mod ajp;
pub mod balance;
pub mod config;
pub mod error;
pub mod exchange;
pub mod fuzzing;
pub mod headers;
pub mod http1;
pub mod proxy;
pub mod request;
pub mod route;
pub mod status;
pub mod text;
pub mod tls;
pub mod trace;
pub mod units;
