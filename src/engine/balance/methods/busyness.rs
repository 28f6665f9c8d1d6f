//! Method Busyness: evens out the requests in work.
//!
//! A process that is killed takes its requests with it without taking them back. The gauge of the worker forgets them, so
//! maintenance lowers a value that the gauge can not explain. (In mod_jk such a value stays for ever.)

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
        if value > explained(upkeep.in_work.saturating_add(SLACK)) {
            return explained(upkeep.in_work);
        }
        value
    }
}
