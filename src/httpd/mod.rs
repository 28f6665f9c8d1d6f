//! The module itself: directives, hooks and the handler, in safe code over the wrappers of `ffi`.

mod adapt;
mod balanced;
pub mod config;
pub mod directives;
pub mod handler;
pub mod host;
pub mod joblog;
mod lb_notes;
mod lent;
pub mod lifecycle;
pub mod map_hook;
pub mod mapping;
pub mod memory;
pub mod messages;
pub mod module;
mod parking;
mod report;
pub mod request_log;
pub mod runtime;
pub mod secret_file;
mod single;
pub mod static_files;
mod tally;
pub mod trip;
pub mod variables;
mod waiting;
pub mod watchdog;
