//! What was counted of a worker's requests, and what went wrong last, as a status worker shows it.
//!
//! Times of day are seconds since 1970 (UTC).

use super::histogram::Snapshot;

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// When.
    pub at: u64,
    /// Its kind.
    pub cause: Cause,
    /// The details in English, as in the log: stage, address, text of the system.
    pub detail: String,
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// No connection.
    Connect,
    /// No answer to a CPing.
    Ping,
    /// The connection broke.
    Broken,
    /// No answer in time.
    Timeout,
    /// The backend broke the protocol.
    Protocol,
    /// A status of `fail_on_status`.
    Status,
    /// All connections were in use, or `busy_limit` was reached.
    Busy,
    /// The client's fault.
    Client,
}

impl Cause {
    /// All of them; the position is that in [`Traffic::errors`].
    pub const ALL: [Self; 8] = [
        Self::Connect,
        Self::Ping,
        Self::Broken,
        Self::Timeout,
        Self::Protocol,
        Self::Status,
        Self::Busy,
        Self::Client,
    ];

    /// Its word in metrics and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Ping => "ping",
            Self::Broken => "broken",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Status => "status",
            Self::Busy => "busy",
            Self::Client => "client",
        }
    }
}

/// Counters that mod_jk has not got. They are never reset while the server runs, as monitoring wants it.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// Requests, one for each that was given to the worker.
    pub requests: u64,
    /// Failed attempts by cause, in the order of [`Cause::ALL`].
    pub errors: [u64; Cause::ALL.len()],
    /// Requests that wait for a free connection now.
    pub queued: u64,
    /// Further attempts on the same worker.
    pub retries: u64,
    /// Requests that went on to another member.
    pub failovers: u64,
    /// Bytes to the backend.
    pub sent: u64,
    /// Bytes from the backend.
    pub received: u64,
    /// Probes that were answered.
    pub probes_ok: u64,
    /// Probes that failed.
    pub probes_failed: u64,
    /// The last probe.
    pub probe: Option<Probe>,
    /// Time to make a connection.
    pub connect: Snapshot,
    /// Time from the request to the first byte of the answer.
    pub first_byte: Snapshot,
    /// Time from the request to the end of the answer.
    pub total: Snapshot,
}

/// A look at a backend without a request of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// When.
    pub at: u64,
    /// It was answered.
    pub ok: bool,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// What went wrong, in English.
    pub detail: String,
}
