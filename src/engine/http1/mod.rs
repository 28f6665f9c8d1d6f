//! HTTP/1.1 towards a backend, from the side of a gateway: the second protocol of workers beside AJP.
//!
//! [`encode()`] writes a request, [`client::Client`] understands the response, [`probe`] asks whether a backend is alive. A
//! message is always written anew from what is known of it; framing is never copied from one side to the other, and what
//! could be read in two ways is refused. No I/O, no clock, no unsafe code.
//! Sources: RFC 9110 (semantics), RFC 9112 (messages), RFC 7239 (Forwarded); the PROXY protocol document of HAProxy.

pub mod body;
pub mod client;
pub mod encode;
pub mod facts;
pub mod fuzzing;
pub mod malformed;
pub mod probe;
pub mod proxy_protocol;
pub mod response;
pub mod rewrite;
pub mod upgrade;

pub use client::{Client, Limits};
pub use encode::{EncodeError, Options, encode};
pub use malformed::Malformed;
