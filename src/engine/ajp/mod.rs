//! AJP/1.3, the protocol between a web server and Tomcat, from the web server's side.
//!
//! [`forward`] writes a request, [`client::Client`] understands the reply, [`control`] probes an idle connection. No I/O,
//! no clock, no allocation on the way; every length a backend names is checked before it is used.
//! Sources: the AJPv13 document of the Tomcat Connectors project; `jk_ajp_common.c` of mod_jk for what servers get away
//! with.

pub mod client;
pub mod codes;
pub mod control;
pub mod forward;
pub mod malformed;
pub mod reply;
pub mod wire;

pub use client::{Client, Limits};
pub use forward::{EncodeError, encode};
pub use malformed::Malformed;
