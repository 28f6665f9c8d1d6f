//! Method P2C: of two members drawn by lot, by weight, the one with fewer requests in work for its weight.
//!
//! Two random choices come close to the best one, and processes that all see the same counts do not all run to the same
//! member. Source: M. Mitzenmacher, The Power of Two Choices in Randomized Load Balancing.

use super::{Rule, in_work, load_of};
use crate::engine::balance::Member;
use crate::engine::units::Tick;

pub(in crate::engine::balance) struct P2C;

impl Rule for P2C {
    fn returns_at_top(&self) -> bool {
        false
    }

    fn cost(&self, member: &Member<'_>, weight: u64, _now: Tick) -> u64 {
        load_of(in_work(member), member, weight)
    }

    fn shown(&self, member: &Member<'_>) -> u64 {
        in_work(member)
    }
}

/// Draws two of the members it is shown, without knowing their number before and without a list of them.
#[derive(Debug)]
pub(in crate::engine::balance) struct Lot {
    random: u64,
    total: u64,
    first: Option<(usize, u64)>,
    second: Option<usize>,
}

impl Lot {
    /// `random`: evenly distributed.
    pub(in crate::engine::balance) fn new(random: u64) -> Self {
        Self { random, total: 0, first: None, second: None }
    }

    /// All seen so far are forgotten: there are nearer ones.
    pub(in crate::engine::balance) fn clear(&mut self) {
        *self = Self::new(self.random);
    }

    /// Another one. The first one drawn is each with a chance by its weight, the second one of the others likewise.
    pub(in crate::engine::balance) fn show(&mut self, place: usize, weight: u64) {
        let weight = weight.max(1);
        self.total = self.total.saturating_add(weight);
        match self.first {
            Some((first, _)) if self.wins(weight, self.total) => {
                self.second = Some(first);
                self.first = Some((place, weight));
            }
            Some((_, of_first)) => {
                if self.second.is_none() || self.wins(weight, self.total.saturating_sub(of_first)) {
                    self.second = Some(place);
                }
            }
            None => self.first = Some((place, weight)),
        }
        self.random = stir(self.random);
    }

    /// Those drawn; the second one is there when more than one was shown.
    pub(in crate::engine::balance) fn drawn(&self) -> Option<(usize, Option<usize>)> {
        self.first.map(|(first, _)| (first, self.second))
    }

    /// True with a chance of `weight` in `total`.
    fn wins(&self, weight: u64, total: u64) -> bool {
        (u128::from(self.random) * u128::from(total)) >> 64 < u128::from(weight)
    }
}

/// The next number of a sequence that looks random (SplitMix64).
pub(in crate::engine::balance) fn stir(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
