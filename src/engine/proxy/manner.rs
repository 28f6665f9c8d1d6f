//! How an exchange is to run, and what it has moved.

use std::time::Duration;

use crate::engine::units::Tick;

/// Limits that hold while the exchange runs.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Longest wait for each packet of the backend; `None`: no limit (`reply_timeout`, `socket_timeout`).
    pub reply: Option<Duration>,
    /// Longest time the backend may take nothing of what is sent to it.
    pub send: Duration,
    /// Longest wait for request body of the client (httpd's `Timeout`).
    pub client: Duration,
}

/// How the pump behaves, from the worker and the server's options.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    /// Time limits.
    pub timing: Timing,
    /// Statuses that count as a failed attempt; negative ones do not hurt the worker (`fail_on_status`).
    pub fail_on: &'a [i32],
    /// Responses from this status on are not delivered: httpd makes its own page (`use_server_errors`).
    pub server_errors: Option<u16>,
    /// Pass each packet on at once (`JkOptions +FlushPackets`).
    pub flush_packets: bool,
    /// Pass the head on at once (`JkOptions +FlushHeader`).
    pub flush_head: bool,
    /// Note when the head of the response is there.
    pub timed: bool,
}

/// Octets moved, for logs and statistics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Sent to the backend.
    pub sent: u64,
    /// Received from the backend.
    pub received: u64,
    /// Response body passed to the client.
    pub body: u64,
    /// When the head of the response was there, if [`Manner::timed`] asks for it.
    pub head_at: Option<Tick>,
}
