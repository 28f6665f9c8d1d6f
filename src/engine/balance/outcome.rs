//! What the outcome of a request on a member means for the member.
//!
//! The rules are those of mod_jk, with three changes. Where somebody probes members that can not be reached, such a member
//! fails for everybody at once: being wrong costs a second, being late costs requests. Lack of resources in this server never
//! hurts a member. A reply timeout counts once for a request, not once for each of its attempts.
//!
//! Source: the switch over the results of `service` in jk_lb_worker.c.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::methods::{Rule, latency, with_rule};
use super::state::{MemberState, State, Trouble, WorkerState, tick};
use super::{Balancer, Member};
use crate::engine::ajp::Malformed;
use crate::engine::config::model::Method;
use crate::engine::error::{Breach, Cause, ClientFault, Failure, Stage};
use crate::engine::exchange::LinkError;
use crate::engine::http1;
use crate::engine::proxy::attempts::Served;
use crate::engine::units::Tick;

/// Errors of the operating system that say nothing about a backend: `ENOMEM`, `ENFILE`, `EMFILE`, `EADDRNOTAVAIL` and
/// `ENOBUFS` of Linux.
const LOCAL_ERRORS: [i32; 5] = [12, 23, 24, 99, 105];

/// Why a member could not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unreachable {
    /// Nobody listens.
    Refused,
    /// Its host name has no address.
    NoAddress,
    /// No connection in time.
    Timeout,
    /// No answer to a CPing.
    Ping,
    /// Anything else.
    Other,
}

/// The outcome of a request on a member, after its last attempt there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A response was delivered.
    Success,
    /// The client failed; the member did nothing wrong.
    Client,
    /// Resources or limits of this server; the member was not asked.
    Local,
    /// As many requests in work as the member takes.
    Busy,
    /// The member could not be reached.
    Unreachable(Unreachable),
    /// The connection broke, or what came was no AJP message.
    Broken,
    /// What came was no AJP packet.
    Protocol,
    /// No reply in time.
    ReplyTimeout,
    /// A status of `fail_on_status` that takes the member out of service.
    HardStatus(u16),
    /// A status of `fail_on_status` that does not.
    SoftStatus(u16),
}

/// What else is known when a request on a member is over.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context {
    /// Octets sent to the member.
    pub sent: u64,
    /// Octets received from it.
    pub received: u64,
    /// Time from the choice to the first octet of the response.
    pub first_octet: Option<Duration>,
    /// Now.
    pub now: Tick,
    /// The member has other requests in work.
    pub others_in_work: bool,
}

/// The state of a member before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When the outcome was looked at.
    pub from: State,
    /// Now.
    pub to: State,
}

impl Outcome {
    /// The outcome behind the result of a request on a member. `fail_on`: `fail_on_status`, negative numbers do not take
    /// the member out of service; the first that fits counts.
    pub fn of(result: &Result<Served, Failure>, fail_on: &[i32]) -> Self {
        match result {
            Ok(_) => Self::Success,
            Err(failure) => Self::of_failure(failure, fail_on),
        }
    }

    fn of_failure(failure: &Failure, fail_on: &[i32]) -> Self {
        match failure.cause {
            Cause::Client(ClientFault::Gone | ClientFault::Body(_) | ClientFault::Answered) => Self::Client,
            Cause::Encode(_) => Self::Local,
            Cause::PoolExhausted | Cause::Busy | Cause::QueueFull | Cause::QueueTime { .. } => Self::Busy,
            Cause::NoMember | Cause::ForcedAway | Cause::OverBudget => Self::Local,
            Cause::FailStatus(status) => {
                let listed = fail_on.iter().find(|listed| listed.unsigned_abs() == u32::from(status));
                if listed.is_some_and(|listed| *listed < 0) {
                    Self::SoftStatus(status)
                } else {
                    Self::HardStatus(status)
                }
            }
            Cause::ProbeStatus(_) => Self::Unreachable(Unreachable::Ping),
            Cause::Link(LinkError::Os(errno)) if LOCAL_ERRORS.contains(&errno) => Self::Local,
            _ if failure.stage == Stage::Ping => Self::Unreachable(Unreachable::Ping),
            Cause::Link(error) if failure.stage <= Stage::Connect => Self::Unreachable(match error {
                LinkError::Refused => Unreachable::Refused,
                LinkError::NoAddress => Unreachable::NoAddress,
                LinkError::TimedOut => Unreachable::Timeout,
                LinkError::Closed | LinkError::Reset | LinkError::Tls(_) | LinkError::Os(_) => {
                    Unreachable::Other
                }
            }),
            Cause::Silent { .. } if failure.stage <= Stage::Connect => {
                Self::Unreachable(Unreachable::Timeout)
            }
            Cause::Silent { .. } => Self::ReplyTimeout,
            Cause::Protocol(
                Breach::Ajp(Malformed::Magic(_) | Malformed::EmptyPacket | Malformed::TooLong { .. })
                | Breach::Http(http1::Malformed::NotHttp(_)),
            ) => Self::Protocol,
            Cause::Protocol(_) | Cause::Link(_) | Cause::Cut => Self::Broken,
        }
    }

    /// Another member may do better, if the request can be repeated at all.
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Success | Self::Client)
    }

    /// One word for logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "served",
            Self::Client => "client",
            Self::Local => "local",
            Self::Busy => "busy",
            Self::Unreachable(Unreachable::Refused) => "refused",
            Self::Unreachable(Unreachable::NoAddress) => "no-address",
            Self::Unreachable(Unreachable::Timeout) => "connect-timeout",
            Self::Unreachable(Unreachable::Ping) => "no-pong",
            Self::Unreachable(Unreachable::Other) => "unreachable",
            Self::Broken => "broken",
            Self::Protocol => "protocol",
            Self::ReplyTimeout => "reply-timeout",
            Self::HardStatus(_) => "status",
            Self::SoftStatus(_) => "soft-status",
        }
    }
}

impl WorkerState {
    /// Counts a request that is over, also one of a worker without a balancer.
    pub fn count(&self, outcome: Outcome, context: &Context) {
        self.used.fetch_add(1, Relaxed);
        add(&self.sent, context.sent);
        add(&self.received, context.received);
        match outcome {
            Outcome::Success | Outcome::Local | Outcome::Busy => {}
            Outcome::Client => add(&self.client_errors, 1),
            Outcome::ReplyTimeout => {
                self.errors.fetch_add(1, Relaxed);
                // Saturates: a count that wraps to 0 would pardon the worker.
                let _ = self.reply_timeouts.fetch_update(Relaxed, Relaxed, |count| count.checked_add(1));
            }
            _ => add(&self.errors, 1),
        }
    }
}

impl Balancer<'_> {
    /// Draws the consequences of a request on a member. A busy member must not have been counted as chosen.
    pub fn finished(&self, member: usize, outcome: Outcome, context: &Context) -> Option<Change> {
        let member = self.members.get(member)?;
        if outcome == Outcome::Busy {
            return Some(self.busy(member));
        }
        member.worker.count(outcome, context);
        if let (Method::Latency, Some(time)) = (self.settings.method, context.first_octet) {
            latency::observe(member.worker, time, context.now);
        }
        let state = member.state;
        let from = state.state();
        match outcome {
            Outcome::Success | Outcome::Client | Outcome::SoftStatus(_) => {
                self.works(member, from, context.now);
            }
            Outcome::Local => {
                // Nothing was learned; the next request tries it again.
                if from == State::Probe {
                    state.change_state(State::Probe, State::Recover);
                } else {
                    calm(state, from);
                }
            }
            Outcome::Protocol => calm(state, from),
            Outcome::Unreachable(_) => {
                let at_once = self.settings.probed;
                self.failed(member, from, Trouble::Connection, at_once, context);
            }
            Outcome::Broken => self.failed(member, from, Trouble::Connection, false, context),
            Outcome::HardStatus(_) => {
                state.first_error.store(stamp(context.now), Relaxed);
                self.failed(member, from, Trouble::Application, true, context);
            }
            Outcome::ReplyTimeout => {
                let timeouts = member.worker.reply_timeouts.load(Relaxed);
                if self.settings.max_reply_timeouts.exceeded_by(timeouts) {
                    state.first_error.store(stamp(context.now), Relaxed);
                    self.failed(member, from, Trouble::Application, true, context);
                } else {
                    calm(state, from);
                }
            }
            Outcome::Busy => {}
        }
        Some(Change { from, to: state.state() })
    }

    /// The member has as much to do as it takes. One that has failed stays failed.
    fn busy(&self, member: &Member<'_>) -> Change {
        let from = member.state.state();
        if from != State::Error {
            member.state.change_state(from, State::Busy);
        }
        Change { from, to: member.state.state() }
    }

    /// The member answers.
    fn works(&self, member: &Member<'_>, from: State, now: Tick) {
        let state = member.state;
        for time in [&state.first_error, &state.last_error, &member.worker.down_since] {
            clear(time);
        }
        if state.trouble() != Trouble::None {
            state.trouble.store(Trouble::None as u32, Relaxed);
        }
        if from == State::Ok {
            return;
        }
        if !matches!(from, State::Idle | State::Busy) {
            self.begin_ramp(member, now);
        }
        state.set_state(State::Ok);
    }

    /// The member has an error; `at_once`: it fails for everybody, however it looks to others.
    fn failed(&self, member: &Member<'_>, from: State, trouble: Trouble, at_once: bool, context: &Context) {
        let (state, now) = (member.state, context.now);
        state.errors.fetch_add(1, Relaxed);
        let first = tick(&state.first_error).unwrap_or_else(|| {
            state.first_error.store(stamp(now), Relaxed);
            now
        });
        state.last_error.store(stamp(now), Relaxed);
        state.trouble.store(trouble as u32, Relaxed);
        let long = now.since(first) >= self.settings.escalation_time;
        if at_once || !context.others_in_work || long {
            if trouble == Trouble::Connection {
                self.note_down(member, now);
            }
            state.set_state(State::Error);
        } else {
            calm(state, from);
        }
    }

    /// Since when those who probe have to look after the worker.
    pub(super) fn note_down(&self, member: &Member<'_>, now: Tick) {
        if self.settings.probed {
            let _ = member.worker.down_since.compare_exchange(0, stamp(now), Relaxed, Relaxed);
        }
    }

    /// A probe of a member was answered or not. True: that brought it back into service.
    pub fn probed(&self, member: usize, up: bool, now: Tick) -> bool {
        let Some(member) = self.members.get(member) else { return false };
        let state = member.state;
        let from = state.state();
        let out = matches!(from, State::Error | State::Recover | State::Force);
        if !up || !out || state.trouble() != Trouble::Connection {
            return false;
        }
        self.raise_value(member);
        self.begin_ramp(member, now);
        if !state.change_state(from, State::Ok) {
            return false; // something else happened to it just now
        }
        for time in [&state.first_error, &state.last_error, &member.worker.down_since] {
            clear(time);
        }
        state.trouble.store(Trouble::None as u32, Relaxed);
        true
    }

    /// A member that comes back gets the largest value of all, so that not all requests go to it.
    pub(super) fn raise_value(&self, member: &Member<'_>) {
        if with_rule!(self.settings.method, rule => rule.returns_at_top()) {
            let most = self.members.iter().map(|other| other.state.value.load(Relaxed)).max();
            member.state.value.fetch_max(most.unwrap_or(0), Relaxed);
        }
    }

    fn begin_ramp(&self, member: &Member<'_>, now: Tick) {
        if !self.settings.slow_start.is_zero() {
            member.state.ramp_from.store(stamp(now), Relaxed);
        }
    }
}

/// A member that has not failed for everybody counts as usable again.
fn calm(state: &MemberState, from: State) {
    if !matches!(from, State::Error | State::Ok) {
        state.change_state(from, State::Ok);
    }
}

/// A tick that is not "never".
pub(super) fn stamp(now: Tick) -> u64 {
    now.0.max(1)
}

/// Adds without taking the cache line for nothing.
fn add(count: &AtomicU64, more: u64) {
    if more > 0 {
        count.fetch_add(more, Relaxed);
    }
}

/// Clears without taking the cache line for nothing.
fn clear(time: &AtomicU64) {
    if time.load(Relaxed) != 0 {
        time.store(0, Relaxed);
    }
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
