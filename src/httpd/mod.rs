//! The module itself: directives, hooks and the handler, in safe code over the wrappers of `ffi`.

pub mod config;
pub mod directives;
pub mod handler;
pub mod host;
pub mod joblog;
pub mod lifecycle;
pub mod map_hook;
pub mod mapping;
pub mod messages;
pub mod module;
pub mod request_log;
pub mod runtime;
pub mod secret_file;
pub mod static_files;
pub mod variables;
