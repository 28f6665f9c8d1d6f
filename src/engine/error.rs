//! Why a request failed, and the three questions that are asked about a failure: may it be tried again, which status does
//! the client get, and how loudly is it logged.
//!
//! Sources: the outcome table of mod_jk's `ajp_service` (jk_ajp_common.c), RFC 9110 section 9.2.2 for repeating requests.

use std::fmt;

use super::exchange::LinkError;
use super::tls;
use super::{ajp, http1};

/// Where in its life the request was when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Building the request packet; nothing has left the module.
    Prepare,
    /// Waiting for a free connection of the pool.
    Acquire,
    /// Opening a connection.
    Connect,
    /// CPing on a connection that carries no request yet.
    Ping,
    /// Sending the request head and the first body packet.
    Send,
    /// Waiting for the head of the response (request body may be on its way).
    Wait,
    /// Passing on the body of the response.
    Body,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "preparing the request",
            Self::Acquire => "waiting for a free connection",
            Self::Connect => "connecting",
            Self::Ping => "CPing",
            Self::Send => "sending the request",
            Self::Wait => "waiting for the response",
            Self::Body => "reading the response body",
        })
    }
}

/// What went wrong on the side of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFault {
    /// The client closed its connection.
    Gone,
    /// Reading the request body failed; httpd's own status for it (400, 408, 413 ...).
    Body(u16),
    /// A filter has already answered the client.
    Answered,
}

/// How a backend broke the protocol it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// AJP.
    Ajp(ajp::Malformed),
    /// HTTP/1.
    Http(http1::Malformed),
}

impl Breach {
    /// The usual cause, when the octets tell it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Ajp(malformed) => malformed.hint(),
            Self::Http(malformed) => malformed.hint(),
        }
    }
}

impl From<ajp::Malformed> for Breach {
    fn from(malformed: ajp::Malformed) -> Self {
        Self::Ajp(malformed)
    }
}

impl From<http1::Malformed> for Breach {
    fn from(malformed: http1::Malformed) -> Self {
        Self::Http(malformed)
    }
}

/// Why a request cannot be sent in the protocol of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsendable {
    /// AJP.
    Ajp(ajp::EncodeError),
    /// HTTP/1.
    Http(http1::EncodeError),
}

impl Unsendable {
    /// HTTP status that tells the client.
    pub fn status(&self) -> u16 {
        match self {
            Self::Ajp(error) => error.status(),
            Self::Http(error) => error.status(),
        }
    }
}

impl From<ajp::EncodeError> for Unsendable {
    fn from(error: ajp::EncodeError) -> Self {
        Self::Ajp(error)
    }
}

impl From<http1::EncodeError> for Unsendable {
    fn from(error: http1::EncodeError) -> Self {
        Self::Http(error)
    }
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ajp(error) => error.fmt(f),
            Self::Http(error) => error.fmt(f),
        }
    }
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The connection to the backend failed.
    Link(LinkError),
    /// The backend ended the connection inside a packet or before the exchange was over.
    Cut,
    /// The backend did not answer within this many milliseconds.
    Silent {
        /// The limit that was in force.
        limit_ms: u64,
    },
    /// The backend broke the protocol.
    Protocol(Breach),
    /// The response body is shorter than the backend announced is part of [`Cause::Protocol`]; this is a status listed in
    /// `fail_on_status`.
    FailStatus(u16),
    /// The backend answered a probe with this status, which is none of those that are wanted (`ping_status`).
    ProbeStatus(u16),
    /// All connections of the pool are in use.
    PoolExhausted,
    /// `busy_limit` or `max_in_flight` requests are in work on the worker.
    Busy,
    /// `max_in_flight` requests are in work, and no more may wait.
    QueueFull,
    /// A request has waited this long in a queue, in milliseconds.
    QueueTime {
        /// The limit that was in force.
        limit_ms: u64,
    },
    /// No member of the balancer can be used.
    NoMember,
    /// The member of the session can not be used and no other may be (`sticky_session_force`).
    ForcedAway,
    /// Too many requests have gone to a further member already (`retry_budget`).
    OverBudget,
    /// The request cannot be encoded.
    Encode(Unsendable),
    /// The client's side failed.
    Client(ClientFault),
}

/// Whose fault a failure is; only the backend's counts against the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The backend or the way to it.
    Backend,
    /// The client.
    Client,
    /// This server: limits of its configuration.
    Local,
}

/// A failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub cause: Cause,
    /// When it went wrong.
    pub stage: Stage,
    /// The connection had carried an exchange before; it may just have been closed by an idle timeout.
    pub reused: bool,
    /// Octets of the request may have reached the backend.
    pub sent: bool,
    /// An octet of a reply was seen.
    pub replied: bool,
    /// Part of the response has gone to the client.
    pub delivered: bool,
    /// Request body that is not kept any more was sent, so the request cannot be repeated.
    pub body_spent: bool,
}

/// How eager a worker is to repeat a request (`recovery_options`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The administrator set `recovery_options`, so requests of any method are repeated unless a bit forbids it.
    pub explicit: bool,
    /// Bit 1: not once the backend may have got the request.
    pub not_after_request: bool,
    /// Bit 8: HEAD may be repeated all the same.
    pub always_head: bool,
    /// Bit 16: GET may be repeated all the same.
    pub always_get: bool,
}

impl Failure {
    /// A failure before anything was sent.
    pub fn early(cause: Cause, stage: Stage) -> Self {
        Self { cause, stage, reused: false, sent: false, replied: false, delivered: false, body_spent: false }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self.cause {
            Cause::Client(_) => Fault::Client,
            Cause::Encode(_)
            | Cause::PoolExhausted
            | Cause::Busy
            | Cause::QueueFull
            | Cause::QueueTime { .. }
            | Cause::NoMember
            | Cause::ForcedAway
            | Cause::OverBudget => Fault::Local,
            Cause::Link(_)
            | Cause::Cut
            | Cause::Silent { .. }
            | Cause::Protocol(_)
            | Cause::ProbeStatus(_)
            | Cause::FailStatus(_) => Fault::Backend,
        }
    }

    /// Whether the request may be sent again, on another connection or to another worker.
    ///
    /// Never once the client saw a part of the response or request body is gone. A connection that could not be used at
    /// all is always safe. What may have reached the backend is repeated for idempotent methods, and for others only when
    /// the administrator asked for it by setting `recovery_options`.
    pub fn may_retry(&self, method: &[u8], policy: RetryPolicy) -> bool {
        // A backend that breaks the protocol will do so again.
        let hopeless = self.sent && matches!(self.cause, Cause::Protocol(_)) && !policy.explicit;
        !hopeless && self.may_repeat(method, policy)
    }

    fn may_repeat(&self, method: &[u8], policy: RetryPolicy) -> bool {
        if self.fault() != Fault::Backend || self.delivered || self.body_spent {
            return false;
        }
        if !self.sent || self.refused() {
            return true;
        }
        if self.stage == Stage::Body {
            return false; // a head was accepted
        }
        if policy.not_after_request {
            return (policy.always_head && method == b"HEAD") || (policy.always_get && method == b"GET");
        }
        policy.explicit || is_idempotent(method)
    }

    /// The backend has refused the connection after a part of the request was on its way, and has not looked at it: with TLS 1.3
    /// a client sends before the other side has judged its certificate (RFC 8446 section 4.4.2.4).
    fn refused(&self) -> bool {
        matches!(self.cause, Cause::Link(LinkError::Tls(tls::Fault::ClientCertificate)))
            && !self.replied
            && !self.reused
    }

    /// Another member of the balancer may take the request: as [`Failure::may_retry`], and also when this one had too much
    /// to do, or breaks the protocol: an HTTP connector at one of the ports should not cost answers.
    pub fn may_move(&self, method: &[u8], policy: RetryPolicy) -> bool {
        matches!(self.cause, Cause::Busy | Cause::PoolExhausted | Cause::QueueFull | Cause::QueueTime { .. })
            || self.may_repeat(method, policy)
    }

    /// The status for the client when nothing was delivered yet; `None` when the client is gone or already answered.
    pub fn status(&self) -> Option<u16> {
        Some(match self.cause {
            Cause::Client(ClientFault::Gone | ClientFault::Answered) => return None,
            Cause::Client(ClientFault::Body(status)) => status,
            Cause::Encode(error) => error.status(),
            Cause::PoolExhausted
            | Cause::Busy
            | Cause::QueueFull
            | Cause::QueueTime { .. }
            | Cause::NoMember
            | Cause::ForcedAway
            | Cause::OverBudget
            | Cause::ProbeStatus(_)
            | Cause::FailStatus(_) => 503,
            Cause::Protocol(_) | Cause::Cut if self.stage == Stage::Ping => 503,
            Cause::Protocol(_) | Cause::Cut => 502,
            Cause::Silent { .. } | Cause::Link(LinkError::TimedOut) if self.sent => 504,
            Cause::Silent { .. } => 503,
            Cause::Link(_) if self.stage <= Stage::Ping => 503,
            Cause::Link(LinkError::Tls(fault)) if fault.refused() && !self.replied => 503,
            Cause::Link(_) if self.replied || self.stage >= Stage::Wait => 502,
            Cause::Link(_) => 503,
        })
    }
}

/// Idempotent methods of RFC 9110 section 9.2.2 and of WebDAV (RFC 4918) that a backend may see twice.
pub fn is_idempotent(method: &[u8]) -> bool {
    matches!(
        method,
        b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE" | b"PROPFIND" | b"REPORT" | b"SEARCH"
    )
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(LinkError::Closed) => f.write_str("the backend closed the connection"),
            Self::Link(LinkError::Reset) => f.write_str("the backend reset the connection"),
            Self::Link(LinkError::Refused) => f.write_str("connection refused"),
            Self::Link(LinkError::TimedOut) => f.write_str("timed out"),
            Self::Link(LinkError::NoAddress) => f.write_str("the host name has no usable address"),
            Self::Link(LinkError::Tls(fault)) => fault.fmt(f),
            Self::Link(LinkError::Os(errno)) => {
                write!(f, "{}", std::io::Error::from_raw_os_error(*errno))
            }
            Self::Cut => f.write_str("the backend closed the connection in the middle of its response"),
            Self::Silent { limit_ms } => write!(f, "no reply within {limit_ms} ms"),
            Self::Protocol(Breach::Ajp(malformed)) => {
                write!(f, "the backend broke the AJP protocol: {malformed}")
            }
            Self::Protocol(Breach::Http(malformed)) => {
                write!(f, "the backend broke the HTTP protocol: {malformed}")
            }
            Self::FailStatus(status) => {
                write!(f, "the backend answered {status}, which fail_on_status lists")
            }
            Self::ProbeStatus(status) => {
                write!(f, "the backend answered the probe with {status}, which ping_status does not list")
            }
            Self::PoolExhausted => f.write_str("all connections of the pool are in use"),
            Self::Busy => f.write_str("as many requests as it takes are in work"),
            Self::QueueFull => f.write_str("the queue is full"),
            Self::QueueTime { limit_ms } => write!(f, "the request has waited {limit_ms} ms in the queue"),
            Self::NoMember => f.write_str("no member of the balancer can be used"),
            Self::ForcedAway => {
                f.write_str("the member of the session can not be used and sticky_session_force is set")
            }
            Self::OverBudget => f.write_str("more failovers than retry_budget allows"),
            Self::Encode(error) => write!(f, "{error}"),
            Self::Client(ClientFault::Gone) => f.write_str("the client closed its connection"),
            Self::Client(ClientFault::Body(status)) => {
                write!(f, "reading the request body from the client failed (status {status})")
            }
            Self::Client(ClientFault::Answered) => f.write_str("a filter has already answered the client"),
        }
    }
}

#[cfg(test)]
mod tests;
