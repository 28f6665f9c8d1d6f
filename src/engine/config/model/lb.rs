//! The model of a worker of type `lb`.

use std::time::Duration;

use crate::engine::config::secret::Secret;

/// A balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lb {
    /// Its members in the order of `balance_workers`; at least one, routes are unique.
    pub members: Vec<Member>,
    /// Requests of a session go to the member that has it.
    pub sticky_session: bool,
    /// Refuse a request rather than serve it without its session.
    pub sticky_session_force: bool,
    /// What is balanced.
    pub method: Method,
    /// How processes agree on the choice.
    pub lock: Lock,
    /// Rounds over the members for one request, at least 1.
    pub retries: u32,
    /// Members tried in each round, at least 1.
    pub lb_retries: u32,
    /// Pause between rounds.
    pub retry_interval: Duration,
    /// Time after which a failed member is tried again; at least 1 s.
    pub recover_time: Duration,
    /// Time of local errors after which a member fails for everybody; zero: at once.
    pub error_escalation_time: Duration,
    /// Reply timeouts a member may have.
    pub max_reply_timeouts: ReplyTimeouts,
    /// Cookie with the session id, 1 to 63 bytes.
    pub session_cookie: String,
    /// `session_cookie` was written in the configuration, so that a cookie of that name may be set.
    pub session_cookie_configured: bool,
    /// Path parameter with the session id, its `;` included, 1 to 63 bytes.
    pub session_path: String,
    /// Send a cookie with the route of the member.
    pub set_session_cookie: bool,
    /// Path of that cookie, at most 63 bytes.
    pub session_cookie_path: String,
    /// Length of the slow start of a member that comes back; zero: none.
    pub slow_start: Duration,
    /// Failovers allowed, 1 to 1000 percent of the requests; `None`: any number.
    pub retry_budget: Option<u32>,
    /// Most requests that wait for a usable member; 0: none.
    pub queue_size: u32,
    /// How long they wait; zero: not at all.
    pub queue_timeout: Duration,
    /// What of a request counts when members are chosen by hash.
    pub hash_key: HashKey,
}

/// A member of a balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Place of its AJP worker in [`super::WorkerSet::workers`].
    pub worker: usize,
    /// The secret to send: that of the worker, else that of the balancer; empty when neither has one.
    pub secret: Secret,
}

/// What a balancer evens out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// Number of requests.
    #[default]
    Request,
    /// Bytes sent and received.
    Traffic,
    /// Requests in work.
    Busyness,
    /// New sessions.
    Sessions,
    /// New sessions, without forgetting older ones.
    Next,
    /// Requests in work, of two members drawn by lot.
    P2C,
    /// Time to the first octet of the response.
    Latency,
    /// The same member for the same key.
    Hash,
}

impl Method {
    /// All of them with the words of the property; the position is the number that stands for it.
    pub const WORDS: [(&'static str, Self); 8] = [
        ("Request", Self::Request),
        ("Traffic", Self::Traffic),
        ("Busyness", Self::Busyness),
        ("Sessions", Self::Sessions),
        ("Next", Self::Next),
        ("P2C", Self::P2C),
        ("Latency", Self::Latency),
        ("Hash", Self::Hash),
    ];
}

/// What of a request a member is found by when members are chosen by hash (`hash_key`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum HashKey {
    /// The session id without its route.
    #[default]
    Session,
    /// The cookie of that name, which is case-sensitive.
    Cookie(Box<str>),
    /// The header field of that name, in any case.
    Header(Box<str>),
    /// The path as it is forwarded.
    Uri,
    /// The address of the client.
    Client,
}

/// How processes agree on the choice of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lock {
    /// Without a lock over all processes.
    #[default]
    Optimistic,
    /// With one.
    Pessimistic,
}

impl Lock {
    /// All of them with the words of the property; the position is the number that stands for it.
    pub const WORDS: [(&'static str, Self); 2] =
        [("Optimistic", Self::Optimistic), ("Pessimistic", Self::Pessimistic)];
}

/// How many reply timeouts take a member out of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyTimeouts {
    /// However many: they never do.
    Tolerated,
    /// More than this number.
    AtMost(u32),
}

impl ReplyTimeouts {
    /// `count` reply timeouts take the member out of service.
    pub fn exceeded_by(self, count: u32) -> bool {
        match self {
            Self::Tolerated => false,
            Self::AtMost(most) => count > most,
        }
    }
}
