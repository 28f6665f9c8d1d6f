//! One process at a time does the work that is done once for all, such as probing members.
//!
//! The lease names a row and a generation. Its holder renews it several times a second; others ask for it as often and get
//! it when nobody has it, when the holder is gone, has not renewed it for [`PATIENCE`], or belongs to an earlier generation.
//! A process of an earlier generation never takes it from a later one.
//!
//! No lock: one word names the holder and changes by compare and swap, another one has the time. A holder that was stopped
//! for longer than the time allowed (a debugger, a laptop's lid) learns at its next renewal that it has lost the lease;
//! until then two processes may both do the work, which must be harmless.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::alive::Owner;
use super::layout::Map;
use super::process::Row;
use crate::engine::units::Tick;

/// A holder that has not renewed its lease for so long has lost it.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Who has the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Place of its row.
    pub row: u32,
    /// Number of the restart that it belongs to.
    pub generation: u32,
}

impl Holder {
    fn of(row: &Row) -> Self {
        Self { row: row.place(), generation: row.generation() }
    }

    fn word(self) -> u64 {
        (u64::from(self.generation) << 32) | (u64::from(self.row) + 1)
    }

    fn from_word(word: u64) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = word.to_be_bytes();
        let row = u32::from_be_bytes([e, f, g, h]).checked_sub(1)?;
        Some(Self { row, generation: u32::from_be_bytes([a, b, c, d]) })
    }

    /// The process is gone or has left its row.
    fn is_gone(self, map: Map) -> bool {
        let row = usize::try_from(self.row).ok().and_then(|place| map.row(place));
        let owner = row.and_then(|row| Owner::from_word(row.head.owner.load(Ordering::Acquire)));
        owner.is_none_or(|owner| owner.is_reaping() || owner.is_gone())
    }
}

/// Renews the lease of this process or takes it over; false: another process has it. To be called about every quarter of
/// [`PATIENCE`].
pub fn try_hold(row: &Row, now: Tick) -> bool {
    let words = &row.map().header().lease;
    let own = Holder::of(row);
    let seen = words.holder.load(Ordering::Acquire);
    // The time only grows: a process that was stopped here must not make the next holder look dead.
    let beat = || words.beat.fetch_max(now.0, Ordering::AcqRel);
    if seen == own.word() {
        beat();
        return words.holder.load(Ordering::Acquire) == seen;
    }
    if let Some(holder) = Holder::from_word(seen) {
        let age = own.generation.wrapping_sub(holder.generation);
        if age > u32::MAX / 2 {
            return false; // the holder is of a later generation
        }
        let silent = now.since(Tick(words.beat.load(Ordering::Acquire))) > PATIENCE;
        if age == 0 && !silent && !holder.is_gone(row.map()) {
            return false;
        }
    }
    // The time first: otherwise a third process could find the new holder with the time of the old one.
    beat();
    words.holder.compare_exchange(seen, own.word(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// Gives the lease away, if this process has it.
pub fn give_up(row: &Row) {
    let words = &row.map().header().lease;
    let _ = words.holder.compare_exchange(Holder::of(row).word(), 0, Ordering::AcqRel, Ordering::Relaxed);
}

/// Who has the lease.
pub fn holder(map: Map) -> Option<Holder> {
    Holder::from_word(map.header().lease.holder.load(Ordering::Acquire))
}

#[cfg(test)]
mod tests {
    use super::super::layout::Capacity;
    use super::super::process::claim;
    use super::super::segment::Segment;
    use super::*;

    fn map() -> Map {
        Segment::create(Capacity { workers: 1, members: 1, balancers: 1, rows: 4 }, None).unwrap().map()
    }

    fn at(millis: u64) -> Tick {
        Tick(10_000_000 + millis * 1000)
    }

    #[test]
    fn the_first_one_has_it_while_it_renews() {
        let map = map();
        let (first, second) = (claim(map, 0).unwrap(), claim(map, 0).unwrap());
        assert_eq!(holder(map), None);
        for step in 0..20 {
            assert!(try_hold(&first, at(step * 250)));
            assert!(!try_hold(&second, at(step * 250 + 100)));
        }
        assert_eq!(holder(map), Some(Holder { row: 0, generation: 0 }));
    }

    #[test]
    fn silence_loses_it() {
        let map = map();
        let (first, second) = (claim(map, 3).unwrap(), claim(map, 3).unwrap());
        assert!(try_hold(&first, at(0)));
        assert!(!try_hold(&second, at(1000)));
        assert!(try_hold(&second, at(1001)));
        assert!(!try_hold(&first, at(1002)), "it notices at its next renewal");
        assert!(try_hold(&first, at(2002)));
    }

    #[test]
    fn an_old_time_does_not_make_the_holder_look_dead() {
        let map = map();
        let (first, second) = (claim(map, 3).unwrap(), claim(map, 3).unwrap());
        assert!(try_hold(&first, at(5000)));
        assert!(try_hold(&first, at(1000))); // was stopped between reading the clock and this
        assert!(!try_hold(&second, at(5500)));
    }

    #[test]
    fn the_new_generation_takes_it_at_once() {
        let map = map();
        let (old, new) = (claim(map, u32::MAX).unwrap(), claim(map, 0).unwrap());
        assert!(try_hold(&old, at(0)));
        assert!(try_hold(&new, at(1)), "0 follows the largest number");
        assert!(!try_hold(&old, at(2)));
        assert!(!try_hold(&old, at(60_000)), "and it stays with the new one");
        assert!(try_hold(&new, at(60_001)));
    }

    #[test]
    fn who_leaves_gives_it_up() {
        let map = map();
        let (first, second) = (claim(map, 1).unwrap(), claim(map, 1).unwrap());
        assert!(try_hold(&first, at(0)));
        give_up(&second);
        assert_eq!(holder(map), Some(Holder { row: 0, generation: 1 }));
        drop(first);
        assert_eq!(holder(map), None);
        assert!(try_hold(&second, at(1)));
    }

    #[test]
    fn a_holder_that_is_gone_is_not_waited_for() {
        let map = map();
        let (first, second) = (claim(map, 1).unwrap(), claim(map, 1).unwrap());
        assert!(try_hold(&first, at(0)));
        let head = map.row(0).unwrap().head;
        head.owner.store(Owner::new(0x7fff_fff0, 1).word(), Ordering::Relaxed);
        assert!(try_hold(&second, at(1)));
        std::mem::forget(first);
    }

    #[test]
    fn one_of_many_wins() {
        let map = map();
        let rows: Vec<Row> = (0..4).map(|_| claim(map, 1).unwrap()).collect();
        for round in 0..300 {
            let now = at(round * 1500); // the last holder has been silent for too long each time
            let last = holder(map);
            let others = rows.iter().filter(|row| Some(Holder::of(row)) != last);
            let winners: usize = std::thread::scope(|scope| {
                let tries: Vec<_> = others.map(|row| scope.spawn(move || try_hold(row, now))).collect();
                tries.into_iter().map(|one| usize::from(one.join().unwrap())).sum()
            });
            assert_eq!(winners, 1, "round {round}");
        }
    }
}
