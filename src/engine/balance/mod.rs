//! Balancing: which member of a balancer serves a request, and what its outcome means for the member.
//!
//! Everything is decided from the shared records ([`state`]), without a lock, a clock or an allocation: the caller brings
//! the time and randomness. One request goes through [`rounds::Rounds`], which asks [`pick`] for members; sessions are
//! found by [`session`]; what happened is judged by [`outcome`]; [`maintain`] runs now and then; [`decision`] puts the
//! reasons into words.
//!
//! Source: jk_lb_worker.c of mod_jk.

pub mod admin;
mod adopt;
pub mod budget;
pub mod cookie;
pub mod decision;
pub mod gauge;
pub mod hash;
#[cfg(test)]
mod lb_testing;
pub mod maintain;
pub mod methods;
pub mod outcome;
pub mod pick;
pub mod rounds;
pub mod seen;
pub mod session;
pub mod state;
pub mod stats;
mod sync;
#[cfg(test)]
mod testing;

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use crate::engine::config::model::{Activation, Method, ReplyTimeouts};
use crate::engine::units::Tick;
pub use adopt::Configured;
pub use outcome::{Context, Outcome};
use state::{BalancerState, MemberState, WorkerState};

/// What a balancer is configured to do; see the properties of the same names.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is evened out.
    pub method: Method,
    /// Requests of a session go to its member.
    pub sticky: bool,
    /// Refuse rather than serve without the session.
    pub sticky_force: bool,
    /// Rounds over the members for one request, at least 1.
    pub rounds: u32,
    /// Members tried in a round, at least 1.
    pub tries: u32,
    /// Pause between rounds.
    pub pause: Duration,
    /// Time after which a member that answers badly is tried again.
    pub recover_time: Duration,
    /// Time of errors without a success after which a member fails for everybody.
    pub escalation_time: Duration,
    /// Reply timeouts a member may have.
    pub max_reply_timeouts: ReplyTimeouts,
    /// Length of the slow start after a recovery; zero: none.
    pub slow_start: Duration,
    /// Failovers allowed, in percent of the requests; `None`: any number.
    pub retry_budget: Option<u32>,
    /// Somebody probes members that can not be reached, so no request has to.
    pub probed: bool,
}

/// A member.
#[derive(Debug)]
pub struct Member<'s> {
    /// Name of its worker.
    pub name: Box<str>,
    /// The `jvmRoute` of its Tomcat.
    pub route: Box<str>,
    /// Replication group; empty: none.
    pub domain: Box<str>,
    /// Route of its stand-in; empty: none.
    pub redirect: Box<str>,
    /// Requests of its sessions may be given to it while it has as much to do as it takes: they wait there.
    pub has_queue: bool,
    /// Its shared record.
    pub state: &'s MemberState,
    /// The shared record of its worker.
    pub worker: &'s WorkerState,
}

/// A balancer as one process sees it.
#[derive(Debug)]
pub struct Balancer<'s> {
    /// Its name.
    pub name: Box<str>,
    /// What it does.
    pub settings: Settings,
    /// Its members, at least one, in configured order.
    pub members: Box<[Member<'s>]>,
    /// Its shared record.
    pub state: &'s BalancerState,
    /// Where this process looks first the next time.
    cursor: Cursor,
    /// Places of the members by their routes.
    routes: HashMap<Box<str>, usize>,
    /// Some member has a domain.
    has_domains: bool,
    /// Who owns which keys, for [`Method::Hash`]; empty for the others.
    table: methods::hash::Table,
}

/// The place of a member, in a cache line of its own: each choice changes it, and its neighbours are only read.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Cursor(AtomicUsize);

/// What a request asks of its balancer.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The route that `JK_ROUTE` names. It is resolved like the route of a session, and then no session is looked at.
    pub route: Option<&'a [u8]>,
    /// Session ids of the request in the order they count; empty also when stickiness is off for it.
    pub sessions: &'a [&'a [u8]],
    /// What [`Balancer::owner`] says of them, if it was asked already; `None`: perhaps nobody.
    pub owner: Option<usize>,
    /// The request belongs to no session and starts none (`stateless`, `JK_STATELESS`).
    pub stateless: bool,
    /// Activations of the rule that matched, by the members' places.
    pub overrides: &'a [(usize, Activation)],
    /// What [`Method::Hash`] goes by.
    pub key: u64,
    /// Evenly distributed, different for each request.
    pub random: u64,
    /// Now.
    pub now: Tick,
}

/// Why a member was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The session's route is its route.
    Sticky,
    /// The member of the session can not be used; this one is named as its stand-in.
    Redirect,
    /// It belongs to the domain of the session.
    Domain,
    /// The balancer has no other member.
    Single,
    /// It was the only one left.
    OnlyOne,
    /// The method preferred it.
    Method,
    /// It is the turn of the next one (stateless requests).
    Turn,
    /// Nothing else was left, so the stand-in of some member was taken.
    StandIn,
}

impl Why {
    /// One word for logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sticky => "sticky",
            Self::Redirect => "redirect",
            Self::Domain => "domain",
            Self::Single => "single",
            Self::OnlyOne => "only",
            Self::Method => "method",
            Self::Turn => "turn",
            Self::StandIn => "standin",
        }
    }
}
