//! Method Traffic: evens out the octets that went to members and came from them, known when a request is over.

use super::{Rule, Upkeep, halved};

pub(in crate::engine::balance) struct Traffic;

impl Rule for Traffic {
    fn served(&self, step: u64, octets: u64) -> u64 {
        step.saturating_mul(octets)
    }

    fn maintained(&self, value: u64, upkeep: &Upkeep) -> u64 {
        halved(value, upkeep.intervals)
    }
}
