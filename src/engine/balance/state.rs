//! What all processes of a server know together about workers, members and balancers: plain atomics.
//!
//! The types have a fixed layout, no padding that matters, and are valid when every octet is zero, so that they can live in
//! memory that processes share ([`crate::engine`] does not know where they live). Each value stands for itself: nothing is
//! ordered by them, so all accesses are relaxed, except where a queue is woken (see [`Gauge`]).
//!
//! Times are [`Tick`]s, 0 means "never". Source: the shared records of mod_jk (jk_shm.h), here without locks.

use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering};

pub use super::gauge::{Cell, Flight, Gauge};
pub use super::seen::Seen;
pub use super::stats::{Base, Stats};
use crate::engine::config::model::Activation;
use crate::engine::units::Tick;

const RELAXED: Ordering = Ordering::Relaxed;

/// Number of the layout of all types in this file; changed with every change of them.
pub const LAYOUT: u32 = 3;

/// State of a member of a balancer, with the numbers and names of mod_jk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u32)]
pub enum State {
    /// Usable; not used since the last maintenance.
    #[default]
    Idle = 0,
    /// Usable.
    Ok = 1,
    /// Its time is over: the next suitable request tries it.
    Recover = 2,
    /// Everything was down, so it may be tried by every request.
    Force = 3,
    /// As many requests in work as it takes.
    Busy = 4,
    /// Failed.
    Error = 5,
    /// A request is just trying it.
    Probe = 6,
}

impl State {
    /// From its number; an unknown one counts as failed.
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Idle,
            1 => Self::Ok,
            2 => Self::Recover,
            3 => Self::Force,
            4 => Self::Busy,
            6 => Self::Probe,
            _ => Self::Error,
        }
    }

    /// New requests may go there.
    pub fn is_usable(self) -> bool {
        (self as u32) <= Self::Force as u32
    }

    /// The name that mod_jk's status page and log notes use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "OK/IDLE",
            Self::Ok => "OK",
            Self::Recover => "ERR/REC",
            Self::Force => "ERR/FRC",
            Self::Busy => "OK/BUSY",
            Self::Error => "ERR",
            Self::Probe => "ERR/PRB",
        }
    }
}

/// Why a member is in [`State::Error`]; decides who may bring it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u32)]
pub enum Trouble {
    /// No trouble.
    #[default]
    None = 0,
    /// It could not be reached or a connection broke: a probe that succeeds proves the opposite.
    Connection = 1,
    /// It answers, but badly (`fail_on_status`, reply timeouts): only time and real requests tell.
    Application = 2,
}

impl Trouble {
    /// From its number.
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Connection,
            2 => Self::Application,
            _ => Self::None,
        }
    }
}

/// The shared record of an AJP worker; members of several balancers that use one worker share it.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct WorkerState {
    /// Requests in work.
    pub gauge: Gauge,
    /// Requests it got, failed ones included.
    pub used: AtomicU64,
    /// Failed attempts that were its fault.
    pub errors: AtomicU64,
    /// Requests that failed by the client's fault.
    pub client_errors: AtomicU64,
    /// Octets sent to it.
    pub sent: AtomicU64,
    /// Octets received from it.
    pub received: AtomicU64,
    /// Reply timeouts; halved at each maintenance, cleared when recovery begins.
    pub reply_timeouts: AtomicU32,
    /// Open connections over all processes.
    pub connected: AtomicI32,
    /// Most open connections at one time.
    pub most_connected: AtomicU32,
    /// Probes in a row that failed.
    pub probes_failed: AtomicU32,
    /// When it was probed last.
    pub probed: AtomicU64,
    /// Since when it has been unreachable; 0: it is not.
    pub down_since: AtomicU64,
    /// Peak EWMA of the time to the first octet of a response: microseconds, as the bits of an `f64`.
    pub latency: AtomicU64,
    /// When `latency` was changed last.
    pub latency_at: AtomicU64,
    /// When counters were reset last, seconds since 1970.
    pub reset_at: AtomicU64,
    /// What the counters were then: they go on, and what is shown is the difference.
    pub base: Base,
    /// When somebody changed the activation of a member that uses it last, seconds since 1970; 0: nobody did. Members of
    /// several balancers share it.
    pub activated_at: AtomicU64,
    /// Reserved, zero.
    pub reserved: [AtomicU64; 4],
    /// What only monitoring looks at.
    pub stats: Stats,
}

/// The shared record of a member of a balancer.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct MemberState {
    // The first cache line holds all that a choice looks at.
    /// `lb_value`: the lowest is chosen.
    pub value: AtomicU64,
    /// `lb_mult`: what one request adds.
    pub mult: AtomicU64,
    /// [`State`].
    pub state: AtomicU32,
    /// [`Activation`], by its number.
    pub activation: AtomicU32,
    /// Lower is preferred, strictly.
    pub distance: AtomicI32,
    /// `lbfactor`, at least 1.
    pub factor: AtomicU32,
    /// Beginning of the slow start after a recovery; 0: none.
    pub ramp_from: AtomicU64,
    /// Times it was chosen.
    pub elected: AtomicU64,
    /// Requests without a session id.
    pub sessions: AtomicU64,
    /// When a member that is being drained is stopped, a tick; 0: never.
    pub drain_until: AtomicU64,
    // The second one.
    /// `elected` at the last maintenance.
    pub elected_before: AtomicU64,
    /// First error since the last success; 0: none.
    pub first_error: AtomicU64,
    /// Last error; 0: none.
    pub last_error: AtomicU64,
    /// Errors.
    pub errors: AtomicU64,
    /// [`Trouble`].
    pub trouble: AtomicU32,
    /// `activation` as configured, plus 1; 0: the record is new.
    pub configured_activation: AtomicU32,
    /// `distance` as configured.
    pub configured_distance: AtomicI32,
    /// `lbfactor` as configured.
    pub configured_factor: AtomicU32,
    /// When counters were reset last, seconds since 1970.
    pub reset_at: AtomicU64,
    /// When it was logged that it is out of service; 0: it was not.
    pub announced: AtomicU64,
    // Lines that only a drain touches.
    /// The sessions seen while it is being drained.
    pub seen: Seen,
}

/// The shared record of a balancer.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct BalancerState {
    /// Requests in work; those waiting for a usable member.
    pub gauge: Gauge,
    /// When the members were maintained last.
    pub maintained: AtomicU64,
    /// What is left for failovers, in hundredths of a request ([`super::budget`]).
    pub budget: AtomicI64,
    /// The method in force, by its number plus 1, so that a change by configuration is noticed; 0: none yet.
    pub method: AtomicU32,
    /// Raised with each change made at run time.
    pub version: AtomicU32,
    /// When counters were reset last, seconds since 1970.
    pub reset_at: AtomicU64,
    /// Requests that found no member.
    pub refused: AtomicU64,
    /// Requests that went to a further member after the first had failed.
    pub failovers: AtomicU64,
    /// Session ids of requests: with a known route, with an unknown one, without one.
    pub session_ids: [AtomicU64; 3],
    /// Reserved, zero.
    pub reserved: [AtomicU64; 5],
}

impl MemberState {
    /// Its state.
    pub fn state(&self) -> State {
        State::from_number(self.state.load(RELAXED))
    }

    /// Changes the state.
    pub fn set_state(&self, state: State) {
        self.state.store(state as u32, RELAXED);
    }

    /// Changes the state from `from` to `to`; false when another process was faster.
    pub fn change_state(&self, from: State, to: State) -> bool {
        self.state.compare_exchange(from as u32, to as u32, RELAXED, RELAXED).is_ok()
    }

    /// Its activation.
    pub fn activation(&self) -> Activation {
        match self.activation.load(RELAXED) {
            0 => Activation::Active,
            1 => Activation::Disabled,
            _ => Activation::Stopped,
        }
    }

    /// Changes the activation.
    pub fn set_activation(&self, activation: Activation) {
        self.activation.store(activation as u32, RELAXED);
    }

    /// Its trouble.
    pub fn trouble(&self) -> Trouble {
        Trouble::from_number(self.trouble.load(RELAXED))
    }
}

/// The tick in an atomic; `None`: never.
pub fn tick(at: &AtomicU64) -> Option<Tick> {
    Some(at.load(RELAXED)).filter(|ticks| *ticks > 0).map(Tick)
}

// A change here is a change of the layout.
const _: () = assert!(size_of::<WorkerState>() == 192 + 576);
const _: () = assert!(size_of::<MemberState>() == 128 + 1024);
const _: () = assert!(size_of::<BalancerState>() == 128);
const _: () = assert!(size_of::<Gauge>() == 16);
const _: () = assert!(size_of::<Cell>() == 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_keep_their_numbers() {
        for number in 0..7 {
            assert_eq!(State::from_number(number) as u32, number);
        }
        assert_eq!(State::from_number(99), State::Error);
        assert!(State::Force.is_usable() && !State::Busy.is_usable());
    }

    #[test]
    fn a_gauge_counts_and_gives_back() {
        let (gauge, cell, other) = (Gauge::default(), Cell::default(), Cell::default());
        let first = gauge.enter(&cell);
        let second = gauge.try_enter(&cell, 2, false).unwrap();
        assert!(gauge.try_enter(&cell, 2, false).is_none());
        assert_eq!((gauge.now(), gauge.most()), (2, 2));
        drop(second);
        assert_eq!(gauge.now(), 1);
        let _theirs = std::mem::ManuallyDrop::new(gauge.enter(&other)); // that process dies here
        gauge.give_back(&other);
        assert_eq!((gauge.now(), gauge.most()), (1, 2));
        drop(first);
        assert_eq!(gauge.now(), 0);
    }

    #[test]
    fn nobody_overtakes_those_who_wait() {
        let (gauge, cell) = (Gauge::default(), Cell::default());
        let waiter = gauge.try_wait(&cell, 1).unwrap();
        assert!(gauge.try_wait(&cell, 1).is_none());
        assert!(gauge.try_enter(&cell, 5, false).is_none(), "a newcomer has to queue");
        assert!(gauge.try_enter(&cell, 5, true).is_some());
        drop(waiter);
        assert_eq!(gauge.waiting(), 0);
        assert!(gauge.try_enter(&cell, 5, false).is_some());
    }
}
