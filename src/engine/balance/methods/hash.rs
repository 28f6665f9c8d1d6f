//! Method Hash: the same member for the same key, as long as that member has not much more work than its share.
//!
//! A table of many places says which member owns which keys; a member owns places by its weight. When a member goes, only its
//! own keys move, and they move to all others. A member with more than 1.25 times its share of the requests in work passes
//! its further keys on, so that one popular key can not bury a member.
//!
//! The table follows names and configured weights and is the same in all processes. A weight changed at run time moves the
//! bound at once, the table with the next configuration.
//!
//! Sources: Eisenbud and others, Maglev (section 3.4); Mirrokni and others, Consistent Hashing with Bounded Loads.

use super::p2c::stir;
use super::{FULL, Rule, in_work, load_of};
use crate::engine::balance::Member;
use crate::engine::units::Tick;

/// Sizes of tables: primes, so that every step visits every place.
const SIZES: [u64; 3] = [2039, 16_381, 65_521];
/// Places each member should have at least, so that shares are right to a few percent.
const PLACES_EACH: u64 = 60;
/// A place that nobody owns.
const FREE: u16 = u16::MAX;

pub(in crate::engine::balance) struct Hash;

impl Rule for Hash {
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

/// Who owns which keys.
#[derive(Debug, Default)]
pub struct Table {
    places: Box<[u16]>,
}

impl Table {
    /// A table for members with these names and weights, at most 65535 of them.
    pub fn new<'a>(members: impl Iterator<Item = (&'a str, u64)>) -> Self {
        let members: Vec<_> = members.take(usize::from(FREE)).collect();
        let wanted = PLACES_EACH.saturating_mul(members.len() as u64);
        let size = SIZES.into_iter().find(|size| *size >= wanted).unwrap_or(65_521);
        let mut places = vec![FREE; usize::try_from(size).unwrap_or(0)];
        let heaviest = members.iter().map(|(_, weight)| *weight).max().unwrap_or(1).max(1);
        // Each member has its own order of the places and takes the first free one when it is its turn; a light member
        // has to save up for its turns.
        let mut orders: Vec<Order> =
            members.iter().map(|(name, weight)| Order::new(name, *weight, size)).collect();
        let mut free = if orders.is_empty() { 0 } else { places.len() };
        while free > 0 {
            for (owner, order) in orders.iter_mut().enumerate() {
                order.saved += order.weight;
                if order.saved < heaviest || free == 0 {
                    continue;
                }
                order.saved -= heaviest;
                while let Some(place) = places.get_mut(order.advance(size)) {
                    if *place == FREE {
                        *place = u16::try_from(owner).unwrap_or(FREE);
                        free -= 1;
                        break;
                    }
                }
            }
        }
        Self { places: places.into() }
    }

    /// The owners of a key, the first one first; members come more than once.
    pub fn owners(&self, key: u64) -> impl Iterator<Item = usize> {
        let size = self.places.len().max(1) as u64;
        // Keys may be small numbers; the place must depend on all of a key.
        let first = usize::try_from(stir(key) % size).unwrap_or(0);
        let (behind, ahead) = self.places.split_at_checked(first).unwrap_or_default();
        ahead.iter().chain(behind).map(|owner| usize::from(*owner))
    }
}

/// The order in which a member wants the places.
struct Order {
    at: u64,
    step: u64,
    weight: u64,
    saved: u64,
}

impl Order {
    fn new(name: &str, weight: u64, size: u64) -> Self {
        // FNV-1a: the same in every process and every release, unlike the hashes of the standard library.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
            (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3)
        });
        let (at, step) = (stir(hash) % size, stir(stir(hash)) % (size - 1) + 1);
        Self { at, step, weight: weight.max(1), saved: 0 }
    }

    fn advance(&mut self, size: u64) -> usize {
        let place = self.at;
        self.at = (self.at + self.step) % size;
        usize::try_from(place).unwrap_or(usize::MAX)
    }
}

/// The most requests in work a member may have, so that another one is still welcome.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::engine::balance) struct Bound {
    in_work: u64,
    weight: u64,
}

impl Bound {
    /// Counts a member in. `weight`: thousandths of its full weight.
    pub(in crate::engine::balance) fn count(&mut self, member: &Member<'_>, weight: u64) {
        self.in_work = self.in_work.saturating_add(in_work(member));
        self.weight = self.weight.saturating_add(member.factor().saturating_mul(weight) / FULL).max(1);
    }

    /// The member has not more than 1.25 times its share with this request, rounded up.
    pub(in crate::engine::balance) fn admits(&self, member: &Member<'_>, weight: u64) -> bool {
        let share = u128::from(member.factor().saturating_mul(weight) / FULL);
        let all = u128::from(self.in_work) + 1;
        let most = (all * share * 5).div_ceil(u128::from(self.weight.max(1)) * 4).max(1);
        u128::from(in_work(member)) < most
    }
}
