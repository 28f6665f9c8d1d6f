//! Method Request: evens out the number of requests.

use super::{Rule, Upkeep, halved};

pub(in crate::engine::balance) struct Request;

impl Rule for Request {
    fn selected(&self, step: u64, _new: bool) -> u64 {
        step
    }

    fn maintained(&self, value: u64, upkeep: &Upkeep) -> u64 {
        halved(value, upkeep.intervals)
    }
}
