//! Method Busyness: evens out the requests in work.
//!
//! A process that is killed takes its requests with it without taking them back. The gauge of the worker forgets them, so
//! maintenance lowers a value that the gauge can not explain. (In mod_jk such a value stays for ever.) A little of it goes
//! with each run only, since it may belong to requests that are just between the two counts; one that is taken for a
//! leftover by mistake is one request too few until the member has nothing to do.

use super::{Rule, Upkeep};

/// Requests that are in the value and not yet, or no longer, in the gauge.
const SLACK: u64 = 2;

pub(in crate::engine::balance) struct Busyness;

impl Rule for Busyness {
    fn selected(&self, step: u64, _new: bool) -> u64 {
        step
    }

    fn gives_back(&self) -> bool {
        true
    }

    fn returns_at_top(&self) -> bool {
        false
    }

    fn maintained(&self, value: u64, upkeep: &Upkeep) -> u64 {
        let explained = |requests: u64| upkeep.mult.saturating_mul(requests);
        let least = explained(upkeep.in_work);
        if value > explained(upkeep.in_work.saturating_add(SLACK)) {
            return least;
        }
        value.saturating_sub(upkeep.mult).max(least).min(value)
    }
}
