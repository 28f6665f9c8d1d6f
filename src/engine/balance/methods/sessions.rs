//! Method Sessions: evens out new sessions and forgets old ones by and by.

use super::{Rule, Upkeep, halved};

pub(in crate::engine::balance) struct Sessions;

impl Rule for Sessions {
    fn selected(&self, step: u64, new: bool) -> u64 {
        if new { step } else { 0 }
    }

    fn maintained(&self, value: u64, upkeep: &Upkeep) -> u64 {
        halved(value, upkeep.intervals)
    }
}
