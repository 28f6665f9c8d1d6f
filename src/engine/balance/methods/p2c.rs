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

    fn weighs(&self) -> bool {
        true
    }

    fn cost(&self, member: &Member<'_>, weight: u64, _now: Tick) -> u64 {
        load_of(in_work(member), member, weight)
    }

    fn shown(&self, member: &Member<'_>) -> u64 {
        in_work(member)
    }
}

/// Draws two of the members it is shown, each with a chance by its weight.
///
/// The members stand on a line, each as long as its weight, and the two are those at two points of it. So a member costs an
/// addition and two comparisons; drawing anew for each would cost several multiplications.
#[derive(Debug)]
pub(in crate::engine::balance) struct Lot {
    points: [u64; 2],
    passed: u64,
    found: [Option<usize>; 2],
    /// Where the first one found begins, and its weight.
    first: (u64, u64),
}

impl Lot {
    /// `random`: evenly distributed. `total`: the sum of the weights (at least 1 each) of all that will be shown.
    pub(in crate::engine::balance) fn new(random: u64, total: u64) -> Self {
        let points = [random, stir(random)].map(|random| point(random, total));
        Self { points, passed: 0, found: [None; 2], first: (0, 0) }
    }

    /// The next one on the line; true when no more need to be shown.
    #[inline]
    pub(in crate::engine::balance) fn show(&mut self, place: usize, weight: u64) -> bool {
        let from = self.passed;
        self.passed = from.saturating_add(weight.max(1));
        for (found, point) in self.found.iter_mut().zip(self.points) {
            if point >= from && point < self.passed {
                *found = Some(place);
                self.first = (from, self.passed - from);
            }
        }
        self.found[0].is_some() && self.found[1].is_some()
    }

    /// When both points hit the same member: another lot, for the second one, over the others. All are to be shown again.
    pub(in crate::engine::balance) fn again(&self, random: u64, total: u64) -> Option<Self> {
        let ([Some(one), Some(other)], (from, weight)) = (self.found, self.first) else { return None };
        let others = total.saturating_sub(weight);
        if one != other || others == 0 {
            return None;
        }
        let point = point(stir(stir(random)), others);
        // The one that was hit is passed over.
        let point = if point >= from { point.saturating_add(weight) } else { point };
        Some(Self { points: [self.points[0], point], passed: 0, found: [None; 2], first: (0, 0) })
    }

    /// Those drawn; two different ones when more than one was shown.
    pub(in crate::engine::balance) fn drawn(&self) -> (Option<usize>, Option<usize>) {
        let [one, other] = self.found;
        match one.or(other) {
            first if first == other => (first, None),
            first => (first, other),
        }
    }
}

/// A point of a line.
fn point(random: u64, length: u64) -> u64 {
    let scaled = (u128::from(random) * u128::from(length)) >> 64;
    u64::try_from(scaled).unwrap_or(0)
}

/// The next number of a sequence that looks random (SplitMix64).
pub(in crate::engine::balance) fn stir(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws as a choice does.
    fn draw(random: u64, weights: &[u64]) -> (Option<usize>, Option<usize>) {
        let total = weights.iter().sum();
        let show = |lot: &mut Lot| {
            for (place, weight) in weights.iter().enumerate() {
                if lot.show(place, *weight) {
                    break;
                }
            }
        };
        let mut lot = Lot::new(random, total);
        show(&mut lot);
        if let Some(again) = lot.again(random, total) {
            lot = again;
            show(&mut lot);
        }
        lot.drawn()
    }

    #[test]
    fn a_lot_draws_by_weight_and_never_the_same_twice() {
        // Second ones: of 1, 2, 3 the first is drawn first in 1/6, 2/6, 3/6 of all cases, then the others by their weights.
        let seconds = |own: f64, a: f64, b: f64| a / 6.0 * own / (6.0 - a) + b / 6.0 * own / (6.0 - b);
        let wanted = [seconds(1.0, 2.0, 3.0), seconds(2.0, 1.0, 3.0), seconds(3.0, 1.0, 2.0)];
        let (mut drawn, mut after) = ([0_i32; 3], [0_i32; 3]);
        for round in 0..6000 {
            let (Some(first), Some(second)) = draw(stir(round), &[1, 2, 3]) else { panic!("two of three") };
            assert_ne!(first, second);
            drawn[first] += 1;
            after[second] += 1;
        }
        for (count, share) in drawn.into_iter().zip([1000_i32, 2000, 3000]) {
            assert!((count - share).abs() < 150, "{drawn:?}");
        }
        for (count, share) in after.into_iter().zip(wanted) {
            assert!((f64::from(count) - share * 6000.0).abs() < 150.0, "{after:?}, {wanted:?}");
        }
    }

    #[test]
    fn of_one_there_is_no_second() {
        for random in [0, 5, u64::MAX] {
            assert_eq!(draw(random, &[]), (None, None));
            assert_eq!(draw(random, &[7]), (Some(0), None));
            let (Some(first), Some(second)) = draw(random, &[1, u64::MAX / 2]) else { panic!("two of two") };
            assert_eq!(first + second, 1);
        }
    }
}
