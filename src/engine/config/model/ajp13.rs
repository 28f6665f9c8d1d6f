//! The model of a worker of type `ajp13` or `http`.

use std::time::Duration;

use super::{Timeout, Tls};
use crate::engine::config::secret::Secret;
use crate::engine::http1::encode::Forwarding;
use crate::engine::http1::probe::Statuses;
use crate::engine::http1::upgrade::Upgrade;

/// What only a worker of type `http` or `https` has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// The page that tells whether the backend is alive; `None`: nothing is asked.
    pub ping_uri: Option<String>,
    /// The statuses that say so.
    pub ping_status: Statuses,
    /// Connections begin with a PROXY header.
    pub send_proxy: bool,
    /// `X-Forwarded-For` and its like.
    pub x_forwarded: Forwarding,
    /// `Forwarded`.
    pub forwarded: Forwarding,
    /// The worker has type `https`.
    pub tls: Option<Tls>,
    /// Protocols that clients may change to (`upgrade`).
    pub upgrade: Vec<Upgrade>,
    /// Longest silence of a connection that has left HTTP; off: no limit.
    pub tunnel_timeout: Timeout,
}

/// A worker that relays to one backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ajp13 {
    /// The worker has type `http` or `https`; `None`: it speaks AJP.
    pub http: Option<Http>,
    /// Place in [`super::WorkerSet::workers`] of the HTTP worker that gets what AJP can not carry (`upgrade_worker`).
    pub twin: Option<usize>,
    /// Where the backend listens (`host`, `port`).
    pub address: Address,
    /// Where connections come from (`source`).
    pub source: LocalAddress,
    /// Prefer IPv6 when the host name has addresses of both families.
    pub prefer_ipv6: bool,
    /// Longest silence while receiving or sending.
    pub socket_timeout: Timeout,
    /// Limit for making the TCP connection; off: the limit of the kernel.
    pub socket_connect_timeout: Timeout,
    /// Set `SO_KEEPALIVE`.
    pub socket_keepalive: bool,
    /// `SO_SNDBUF` and `SO_RCVBUF` in bytes; 0: as the kernel thinks.
    pub socket_buffer: usize,
    /// Most connections, and so requests, at one time in each process.
    pub connection_pool_size: PoolSize,
    /// Idle connections that are kept even when they are old, in each process.
    pub connection_pool_minsize: usize,
    /// Idle connections older than this are closed by maintenance.
    pub connection_pool_timeout: Timeout,
    /// How long a request waits for a connection when all are in use. Zero: one attempt, no waiting.
    pub connection_acquire_timeout: Duration,
    /// CPing after connecting, with this limit; off: none.
    pub connect_timeout: Timeout,
    /// CPing before each request on a used connection, with this limit; off: none.
    pub prepost_timeout: Timeout,
    /// The kinds of CPing asked for; their limits are already in the other fields.
    pub ping_mode: PingMode,
    /// Limit of the CPing of idle connections.
    pub ping_timeout: Timeout,
    /// Idle time after which maintenance sends a CPing; off: never.
    pub connection_ping_interval: Timeout,
    /// Longest wait for each packet of the answer.
    pub reply_timeout: Timeout,
    /// Attempts for one request on this worker, at least 1, the first one included.
    pub retries: u32,
    /// Pause before each further attempt.
    pub retry_interval: Duration,
    /// Which failures may be repeated.
    pub recovery_options: RecoveryOptions,
    /// `recovery_options` is set, if only to 0: the administrator wants requests of any method repeated unless a bit
    /// forbids it. Not set: only what can be repeated safely.
    pub recovery_set: bool,
    /// Status codes that count as failure; a negative one leaves the member of a balancer in service.
    pub fail_on_status: Vec<i32>,
    /// Most requests at one time on this worker in each process; 0: no limit.
    pub busy_limit: u32,
    /// Most requests at one time on this worker over all processes; 0: no limit.
    pub max_in_flight: u32,
    /// Most requests that wait for one of these to end; 0: none.
    pub queue_size: u32,
    /// How long they wait; zero: not at all.
    pub queue_timeout: Duration,
    /// Size of AJP packets in bytes: 8192 to 65536, a multiple of 1024; over HTTP the largest piece of request body.
    pub max_packet_size: usize,
    /// The worker's own secret; a member of a balancer uses [`super::Member::secret`].
    pub secret: Secret,
    /// What a balancer needs to know of this worker as its member.
    pub member: MemberSettings,
}

impl Ajp13 {
    /// The value of the property `type`.
    pub fn type_name(&self) -> &'static str {
        match &self.http {
            None => "ajp13",
            Some(Http { tls: None, .. }) => "http",
            Some(Http { tls: Some(_), .. }) => "https",
        }
    }
}

/// Where a Tomcat listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// TCP.
    Tcp {
        /// Name, IPv4 or IPv6 address (without brackets).
        host: String,
        /// The port; 0: the worker has no address yet, every request fails until one is set at run time.
        port: u16,
    },
    /// Path of a UNIX stream socket.
    Unix(String),
}

impl Address {
    /// Connecting makes sense: the port is not 0.
    pub fn is_usable(&self) -> bool {
        !matches!(self, Self::Tcp { port: 0, .. })
    }

    /// The address is on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp { host, .. } => crate::engine::config::value::is_loopback(host),
            Self::Unix(_) => true,
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

/// The local end of connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LocalAddress {
    /// The kernel chooses.
    Any,
    /// Bind to this name or address, any port.
    Host(String),
}

/// Size of a connection pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolSize {
    /// One connection for each request that needs one: nothing is configured. mod_jk limits the pool to the threads of a
    /// process, which refuses requests under HTTP/2, whose workers are further threads.
    Unlimited,
    /// So many; 0 refuses every request.
    Limit(usize),
}

/// Bits of the property `ping_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PingMode {
    /// `C`: after connecting.
    pub connect: bool,
    /// `P`: before each request.
    pub prepost: bool,
    /// `I`: when idle for some time.
    pub interval: bool,
}

/// Bits of the property `recovery_options`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecoveryOptions(u32);

impl RecoveryOptions {
    /// All bits that have a meaning.
    pub const KNOWN: u32 = 31;

    /// From the number of the property; unknown bits are dropped.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & Self::KNOWN)
    }

    /// The number of the property.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Bit 1: do not repeat a request that Tomcat may have got.
    pub const fn never_after_sending(self) -> bool {
        self.0 & 1 != 0
    }

    /// Bit 2: do not repeat after Tomcat has sent its headers.
    pub const fn never_after_headers(self) -> bool {
        self.0 & 2 != 0
    }

    /// Bit 4: after an error of the client close the connection to Tomcat at once.
    pub const fn close_on_client_error(self) -> bool {
        self.0 & 4 != 0
    }

    /// Bit 8: repeat HEAD requests despite bit 1.
    pub const fn always_head(self) -> bool {
        self.0 & 8 != 0
    }

    /// Bit 16: repeat GET requests despite bit 1.
    pub const fn always_get(self) -> bool {
        self.0 & 16 != 0
    }
}

/// Properties that only matter for a member of a balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSettings {
    /// Weight, at least 1.
    pub lbfactor: u32,
    /// Lower is preferred, strictly; may be negative.
    pub distance: i32,
    /// The `jvmRoute` of Tomcat; the worker's name unless set.
    pub route: String,
    /// Replication group; empty: none.
    pub domain: String,
    /// Route of the preferred stand-in; empty: none.
    pub redirect: String,
    /// Which requests it takes. Stopped when the worker has no address.
    pub activation: Activation,
}

/// Which requests a member takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// All.
    #[default]
    Active,
    /// Only those that ask for it by their session or a redirect.
    Disabled,
    /// None.
    Stopped,
}

impl Activation {
    /// All of them with the words of the property; the position is the number that stands for it.
    pub const WORDS: [(&'static str, Self); 3] =
        [("Active", Self::Active), ("Disabled", Self::Disabled), ("Stopped", Self::Stopped)];

    /// What Tomcat is told (`JK_LB_ACTIVATION`) and notes show.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Active => "ACT",
            Self::Disabled => "DIS",
            Self::Stopped => "STP",
        }
    }
}
