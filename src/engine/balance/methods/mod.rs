//! The methods: what of a balancer's work is evened out. One file each; `with_rule!` is the list of them.
//!
//! Five methods come from mod_jk and compare a shared value of each member ([`MemberState::value`]): the lowest wins, and the
//! method says when a member's value grows by its multiplier. The other three look at the requests in work. All arithmetic
//! saturates.
//!
//! Source: the tables of `lb_add_log_items`, `service` and `force_recovery` of jk_lb_worker.c.
//!
//! [`MemberState::value`]: super::state::MemberState::value

mod busyness;
pub mod hash;
pub mod latency;
mod next;
pub(super) mod p2c;
mod request;
mod sessions;
mod traffic;

pub(super) use busyness::Busyness;
pub(super) use hash::Hash;
pub(super) use latency::Latency;
pub(super) use next::Next;
pub(super) use p2c::P2C;
pub(super) use request::Request;
pub(super) use sessions::Sessions;
pub(super) use traffic::Traffic;

use std::sync::atomic::Ordering::Relaxed;

use super::Member;
use crate::engine::units::Tick;

/// Weight of a member that is not in its slow start.
pub(super) const FULL: u64 = 1000;

/// What a maintenance run brings to the value of a member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upkeep {
    /// Whole intervals that have passed.
    pub(super) intervals: u32,
    /// The smallest value of all members that can be chosen.
    pub(super) least: u64,
    /// What a request adds to the value of this member.
    pub(super) mult: u64,
    /// Requests in work or waiting on its worker.
    pub(super) in_work: u64,
}

/// What a method does at each moment of a request's life. `step` is the multiplier of the member.
pub(super) trait Rule {
    /// Added to the value when the member is chosen. `new`: the request belongs to no session and may start one.
    fn selected(&self, _step: u64, _new: bool) -> u64 {
        0
    }

    /// What was added when the member was chosen is taken back when the request is over.
    fn gives_back(&self) -> bool {
        false
    }

    /// Added to the value when the request is over.
    fn served(&self, _step: u64, _octets: u64) -> u64 {
        0
    }

    /// The value after maintenance.
    fn maintained(&self, value: u64, _upkeep: &Upkeep) -> u64 {
        value
    }

    /// A member that comes back takes the largest value of all, so that it does not get everything.
    fn returns_at_top(&self) -> bool {
        true
    }

    /// [`Rule::cost`] looks at the weight.
    fn weighs(&self) -> bool {
        false
    }

    /// What is compared: the lowest wins. `weight`: thousandths of its full weight.
    fn cost(&self, member: &Member<'_>, _weight: u64, _now: Tick) -> u64 {
        member.state.value.load(Relaxed)
    }

    /// What the record of the decision shows of a member.
    fn shown(&self, member: &Member<'_>) -> u64 {
        member.state.value.load(Relaxed)
    }
}

/// Runs an expression with the rule of a method, compiled for each one.
macro_rules! with_rule {
    ($method:expr, $rule:ident => $body:expr) => {{
        use $crate::engine::balance::methods as m;
        use $crate::engine::config::model::Method as Name;
        match $method {
            Name::Request => {
                let $rule = &m::Request;
                $body
            }
            Name::Traffic => {
                let $rule = &m::Traffic;
                $body
            }
            Name::Busyness => {
                let $rule = &m::Busyness;
                $body
            }
            Name::Sessions => {
                let $rule = &m::Sessions;
                $body
            }
            Name::Next => {
                let $rule = &m::Next;
                $body
            }
            Name::P2C => {
                let $rule = &m::P2C;
                $body
            }
            Name::Latency => {
                let $rule = &m::Latency;
                $body
            }
            Name::Hash => {
                let $rule = &m::Hash;
                $body
            }
        }
    }};
}
pub(super) use with_rule;

/// `value` halved so many times; the shift of the processor would take only six bits of the number.
fn halved(value: u64, times: u32) -> u64 {
    value.checked_shr(times).unwrap_or(0)
}

/// Requests in work for each unit of weight, as a number that has room for large weights and for many requests.
fn load_of(in_work: u64, member: &Member<'_>, weight: u64) -> u64 {
    in_work.saturating_mul(1 << 42) / member.factor().saturating_mul(weight.max(1))
}

/// Requests in work on the worker of a member, by all balancers.
fn in_work(member: &Member<'_>) -> u64 {
    u64::from(member.worker.gauge.now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::balance::testing::Shared;
    use crate::engine::config::model::Method;

    const ALL: [Method; 8] = [
        Method::Request,
        Method::Traffic,
        Method::Busyness,
        Method::Sessions,
        Method::Next,
        Method::P2C,
        Method::Latency,
        Method::Hash,
    ];

    /// Added at selection with and without a session, given back, added afterwards, after two intervals, returns at top.
    #[test]
    fn what_is_counted_when() {
        let wanted: [(u64, u64, bool, u64, u64, bool); 8] = [
            (3, 3, false, 0, 25, true),
            (0, 0, false, 30, 25, true),
            (3, 3, true, 0, 90, false),
            (0, 3, false, 0, 25, true),
            (0, 3, false, 0, 60, true),
            (0, 0, false, 0, 100, false),
            (0, 0, false, 0, 100, false),
            (0, 0, false, 0, 100, false),
        ];
        let upkeep = Upkeep { intervals: 2, least: 40, mult: 10, in_work: 9 };
        for (method, wanted) in ALL.into_iter().zip(wanted) {
            let found = with_rule!(method, rule => (
                rule.selected(3, false),
                rule.selected(3, true),
                rule.gives_back(),
                rule.served(3, 10),
                rule.maintained(100, &upkeep),
                rule.returns_at_top(),
            ));
            assert_eq!(found, wanted, "{method:?}");
        }
    }

    #[test]
    fn nothing_wraps() {
        assert_eq!(Traffic.served(u64::MAX, 2), u64::MAX);
        assert_eq!(halved(u64::MAX, 63), 1);
        assert_eq!(halved(u64::MAX, 64), 0);
        assert_eq!(halved(u64::MAX, u32::MAX), 0);
        let upkeep = Upkeep { intervals: 1, least: u64::MAX, mult: u64::MAX, in_work: u64::MAX };
        assert_eq!(Next.maintained(5, &upkeep), 0);
        assert_eq!(Busyness.maintained(5, &upkeep), 5);
    }

    #[test]
    fn busyness_forgets_what_the_gauge_can_not_explain() {
        let upkeep = Upkeep { intervals: 1, least: 0, mult: 10, in_work: 1 };
        assert_eq!(Busyness.maintained(10, &upkeep), 10);
        assert_eq!(Busyness.maintained(5, &upkeep), 5);
        assert_eq!(Busyness.maintained(30, &upkeep), 20, "a little at a time");
        assert_eq!(Busyness.maintained(15, &upkeep), 10);
        assert_eq!(Busyness.maintained(31, &upkeep), 10);
    }

    #[test]
    fn load_is_by_weight() {
        let shared = Shared::new(2);
        let balancer = shared.balancer(Method::P2C, &[1, 3]);
        let [one, three] = &*balancer.members else { panic!() };
        assert_eq!(load_of(1, one, FULL) / load_of(1, three, FULL), 3);
        assert_eq!(load_of(1, one, FULL / 10) / load_of(1, one, FULL), 10);
        assert!(load_of(u64::from(u32::MAX), one, 1) > load_of(1, one, 1));
    }
}
