//! Method Next: evens out new sessions and forgets none; only what all members have in common is taken off.

use super::{Rule, Upkeep};

pub(in crate::engine::balance) struct Next;

impl Rule for Next {
    fn selected(&self, step: u64, new: bool) -> u64 {
        if new { step } else { 0 }
    }

    fn maintained(&self, value: u64, upkeep: &Upkeep) -> u64 {
        value.saturating_sub(upkeep.least)
    }
}
