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
use super::{Rule, in_work, load_of};
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

    /// The owners of a key, the first one first; members come more than once. Each key goes its own way over the table, so
    /// that the keys of one member do not all go on to the same next one.
    pub fn owners(&self, key: u64) -> impl Iterator<Item = usize> {
        let size = self.places.len() as u64;
        // Keys may be small numbers; the way must depend on all of a key.
        let (first, second) = (stir(key), stir(stir(key)));
        let mut at = first.checked_rem(size).unwrap_or(0);
        let step = second % size.saturating_sub(1).max(1) + 1;
        (0..size).filter_map(move |_| {
            let owner = self.places.get(usize::try_from(at).ok()?)?;
            at += step;
            if at >= size {
                at -= size;
            }
            Some(usize::from(*owner))
        })
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
        self.weight = self.weight.saturating_add(member.factor().saturating_mul(weight));
    }

    /// The member has not more than 1.25 times its share with this request, rounded up.
    pub(in crate::engine::balance) fn admits(&self, member: &Member<'_>, weight: u64) -> bool {
        // In work < (all + 1) * 1.25 * share / weight, without a division.
        let own = in_work(member);
        let share = member.factor().saturating_mul(weight);
        let left = u128::from(own * 4) * u128::from(self.weight.max(1));
        own == 0 || left < u128::from(self.in_work.saturating_add(1).saturating_mul(5)) * u128::from(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::balance::methods::FULL;
    use crate::engine::balance::state::Cell;
    use crate::engine::balance::testing::Shared;
    use crate::engine::config::model::Method;

    fn table(names: &[(&'static str, u64)]) -> Table {
        Table::new(names.iter().copied())
    }

    fn first(table: &Table, key: u64) -> usize {
        table.owners(key).next().unwrap()
    }

    #[test]
    fn keys_are_shared_out_by_weight() {
        let table = table(&[("a", 1), ("b", 2), ("c", 3)]);
        let mut counts = [0_usize; 3];
        for owner in &table.places {
            counts[usize::from(*owner)] += 1;
        }
        for (count, share) in counts.into_iter().zip([340, 680, 1020]) {
            assert!(count.abs_diff(share) <= 3, "{counts:?}");
        }
    }

    #[test]
    fn only_the_keys_of_a_member_that_goes_move() {
        let all = table(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)]);
        let mut to = [0; 4];
        for key in 0..4000 {
            let owner = first(&all, key);
            let next = all.owners(key).find(|owner| *owner != 2).unwrap();
            assert!(owner == 2 || owner == next);
            if owner == 2 {
                to[next] += 1;
            }
        }
        assert!(to[0] > 200 && to[1] > 200 && to[3] > 200, "{to:?}");
    }

    #[test]
    fn odd_tables() {
        assert_eq!(table(&[]).owners(5).count(), 2039);
        assert_eq!(Table::default().owners(5).next(), None);
        assert!(table(&[("a", 0)]).places.iter().all(|owner| *owner == 0));
        let many =
            Table::new((0..1000).map(|number| if number == 0 { ("x", 1) } else { ("y", 4_000_000_000) }));
        assert!(many.places.iter().all(|owner| *owner < 1000));
    }

    #[test]
    fn a_member_has_at_most_its_share_and_a_quarter() {
        let shared = Shared::new(4);
        let balancer = shared.balancer(Method::Hash, &[1, 1, 1, 1]);
        let cell = Cell::default();
        let _flights: Vec<_> = (0..2).map(|_| shared.workers[0].gauge.enter(&cell)).collect();
        let admits = || {
            let mut bound = Bound::default();
            balancer.members.iter().for_each(|member| bound.count(member, FULL));
            bound.admits(&balancer.members[0], FULL)
        };
        assert!(!admits(), "two of three are more than its share");
        let _others: Vec<_> = (1..4)
            .flat_map(|place| [place; 2])
            .map(|place| shared.workers[place].gauge.enter(&cell))
            .collect();
        assert!(admits(), "two of nine are not");
    }
}
