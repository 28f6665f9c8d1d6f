//! mod_jk_rs: an Apache httpd 2.4 module that takes the place of mod_jk.
//!
//! Life of a request: `httpd::map_hook` maps its URL with `engine::route`; `httpd::handler` hands it to `engine::proxy`,
//! which takes a connection from `transport::pool`, runs the AJP exchange of `engine::ajp` on it and passes the response
//! to `httpd::host`. `ffi` is the only home of httpd's own types.

#[forbid(unsafe_code)]
pub mod engine;
pub mod ffi;
pub mod httpd;
pub mod shm;
pub mod transport;
