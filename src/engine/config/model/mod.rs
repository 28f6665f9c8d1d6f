//! The workers as the rest of the module sees them: immutable, every default filled in.
//!
//! No field is an `Option` that means "not set"; a limit that can be switched off is a [`Timeout`]. Fields are named after
//! the properties that set them; [`super::defs`] has their full meaning. Made by [`super::resolve::resolve`] only.

mod ajp13;
mod lb;
mod status;
mod tls;

use std::time::Duration;

pub use ajp13::{
    Activation, Address, Ajp13, Http, LocalAddress, MemberSettings, PingMode, PoolSize, RecoveryOptions,
};
pub use lb::{HashKey, Lb, Lock, Member, Method, ReplyTimeouts};
pub use status::{Condition, Persist, Rating, StateClass, Status};
pub use tls::{KeyText, Tls, TlsTexts};

use super::diagnostic::Origin;

/// A time limit that may be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Timeout(Duration);

impl Timeout {
    /// No limit (or, where the time enables something: not done).
    pub const OFF: Self = Self(Duration::ZERO);

    /// A limit; zero is [`Timeout::OFF`].
    pub const fn of(limit: Duration) -> Self {
        Self(limit)
    }

    /// The limit; `None` when it is switched off. Never `Some` of zero.
    pub fn limit(self) -> Option<Duration> {
        (!self.is_off()).then_some(self.0)
    }

    /// There is no limit.
    pub fn is_off(self) -> bool {
        self.0.is_zero()
    }

    /// The limit in whole milliseconds, 0 when it is off, as shown to administrators.
    pub fn as_millis(self) -> u128 {
        self.0.as_millis()
    }
}

/// All workers of a configuration.
#[derive(Debug, Clone)]
pub struct WorkerSet {
    /// Names of the workers that can be mounted (`worker.list`): in order, no name twice, each one in `workers`.
    pub list: Vec<String>,
    /// Names that have properties and are not listed (members, templates, forgotten workers): sorted, no name twice.
    pub unlisted: Vec<String>,
    /// The listed workers in the order of `list`, then members of balancers that are not listed. Names are unique.
    pub workers: Vec<Worker>,
    /// Time between two maintenance runs (`worker.maintain`); off: no maintenance at all.
    pub maintain: Timeout,
}

impl WorkerSet {
    /// The worker of that name, listed or not.
    pub fn get(&self, name: &str) -> Option<&Worker> {
        self.workers.iter().find(|worker| worker.name == name)
    }

    /// The place of the worker of that name in `workers`.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.workers.iter().position(|worker| worker.name == name)
    }

    /// The worker can be the target of a mount.
    pub fn is_listed(&self, name: &str) -> bool {
        self.list.iter().any(|listed| listed == name)
    }

    /// The worker behind a member of a balancer of this set. `None` only for a member of another set.
    pub fn member(&self, member: &Member) -> Option<(&Worker, &Ajp13)> {
        let worker = self.workers.get(member.worker)?;
        match &worker.kind {
            Kind::Ajp13(ajp13) => Some((worker, ajp13)),
            Kind::Lb(_) | Kind::Status(_) => None,
        }
    }
}

/// One worker.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Its name, 1 to 63 bytes.
    pub name: String,
    /// Where it is defined: its own first property, else the line that names it.
    pub origin: Origin,
    /// URI patterns of the property `mount`, checked; empty for a worker that is not listed.
    pub mounts: Vec<Mount>,
    /// What it does.
    pub kind: Kind,
}

/// A URI pattern of a worker, to be added to the map of the main server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `/...`, `!/...` (exclusion) or `-/...` (disabled).
    pub pattern: String,
    /// The line it comes from.
    pub origin: Origin,
}

/// What a worker does.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Relays to one backend, over AJP or HTTP.
    Ajp13(Box<Ajp13>),
    /// Relays to one of its members.
    Lb(Box<Lb>),
    /// Shows and changes the state of the others.
    Status(Box<Status>),
}

impl Kind {
    /// The value of the property `type`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ajp13(worker) => worker.type_name(),
            Self::Lb(_) => "lb",
            Self::Status(_) => "status",
        }
    }
}
