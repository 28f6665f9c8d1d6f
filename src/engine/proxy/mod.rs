//! One request's way through a worker: acquire a connection, run the exchange on it, classify what went wrong, retry.
//!
//! Knows neither httpd nor sockets: the client is a [`Host`], connections come from [`Links`]. Protocol code is not
//! repeated here; the [`Pump`](pump::Pump) moves bytes between an exchange, a link and the host.

pub mod attempts;
pub mod balanced;
pub mod buffers;
pub mod host;
pub mod http;
pub mod manner;
pub mod ping;
pub mod probe;
pub mod pump;
pub mod run;
mod running;
mod step;
pub mod tunnel;

pub use attempts::{Links, Served, WorkerView, serve};
pub use buffers::Buffers;
pub use host::{BodyRead, Host, Then};
