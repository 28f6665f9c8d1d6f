//! How many sessions are still seen on a member that is being drained: an estimate of fixed size in its shared record.
//!
//! There are [`SLOTS`] slots. A session id is hashed to one of them, and the slot remembers the minute in which one of its
//! sessions was seen last, counted from the beginning of the drain. From the number of slots that are empty follows how many
//! different ids there have been (linear counting), and from those that are empty or old how many there were in the last
//! minutes. The standard error is about 4 % for 500 sessions and
//! below 10 % for [`MOST`]; of more it says "at least".
//!
//! A request costs one hash of its id and one store, and only while its member is being drained. Several sessions that share a
//! slot are counted as often as chance makes that likely; a client that chooses its ids can make the estimate wrong. Ticks of
//! microseconds; nothing is ordered by these values.
//!
//! Source: K. Whang, B. Vander-Zanden, H. Taylor, "A linear-time probabilistic counting algorithm for database applications".

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};

use super::hash::hash;
use crate::engine::units::Tick;

/// Number of slots.
pub const SLOTS: usize = 508;
/// Most sessions that can be told apart from more.
pub const MOST: u32 = 2000;
/// Microseconds of a minute.
const MINUTE: u64 = 60_000_000;
/// "The last minutes" are this one and so many before.
pub const RECENT: u16 = 5;

/// The sessions of a member since its drain began.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Seen {
    /// When the drain began, a tick; 0: never.
    from: AtomicU64,
    /// The minute in which a session of the slot was seen last, counted from 1; 0: none was.
    slots: [AtomicU16; SLOTS],
}

impl Default for Seen {
    fn default() -> Self {
        Self { from: AtomicU64::new(0), slots: [const { AtomicU16::new(0) }; SLOTS] }
    }
}

/// A number of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// How many.
    pub sessions: u32,
    /// There may be more: the slots are nearly full.
    pub at_least: bool,
}

/// What was seen of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// When it began.
    pub from: Tick,
    /// Since then.
    pub total: Estimate,
    /// In the last [`RECENT`] minutes.
    pub recent: Estimate,
}

impl Seen {
    /// A drain begins.
    pub fn begin(&self, now: Tick) {
        self.from.store(now.0.max(1), Relaxed);
        for slot in &self.slots {
            slot.store(0, Relaxed);
        }
    }

    /// A request of this session was sent to the member.
    pub fn note(&self, id: &[u8], now: Tick) {
        let minute = self.minute(now);
        // The upper half of hash times slots is a place that is evenly distributed.
        let place = (u128::from(hash(id)) * SLOTS as u128) >> 64;
        if let Some(slot) = usize::try_from(place).ok().and_then(|place| self.slots.get(place))
            && slot.load(Relaxed) != minute
        {
            slot.store(minute, Relaxed);
        }
    }

    /// What was seen up to now; `None` when no drain has begun.
    pub fn report(&self, now: Tick) -> Option<Report> {
        let from = Some(self.from.load(Relaxed)).filter(|from| *from > 0).map(Tick)?;
        let oldest = self.minute(now).saturating_sub(RECENT);
        let (mut total, mut recent) = (0, 0);
        for slot in &self.slots {
            let minute = slot.load(Relaxed);
            total += usize::from(minute > 0);
            recent += usize::from(minute > oldest);
        }
        Some(Report { from, total: estimate(total), recent: estimate(recent) })
    }

    /// The minute of the drain, from 1 on; the last one does not end.
    fn minute(&self, now: Tick) -> u16 {
        let passed = now.0.saturating_sub(self.from.load(Relaxed)) / MINUTE;
        u16::try_from(passed.saturating_add(1)).unwrap_or(u16::MAX)
    }

    /// Copies what was seen.
    pub fn copy_to(&self, to: &Self) {
        to.from.store(self.from.load(Relaxed), Relaxed);
        for (from, to) in self.slots.iter().zip(&to.slots) {
            to.store(from.load(Relaxed), Relaxed);
        }
    }
}

/// So many sessions make so many slots used, most likely.
fn estimate(used: usize) -> Estimate {
    let empty = SLOTS.saturating_sub(used);
    let slots = SLOTS as f64;
    let sessions = if empty == 0 { f64::from(MOST) } else { (slots * (slots / empty as f64).ln()).round() };
    let at_least = sessions >= f64::from(MOST);
    // In range by the line above; a conversion from a float keeps to the bounds of its type.
    Estimate { sessions: if at_least { MOST } else { sessions as u32 }, at_least }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(number: u64) -> Tick {
        Tick(1_000_000 + number * MINUTE)
    }

    fn id(number: u32) -> Vec<u8> {
        format!("{:08X}.node1", number.wrapping_mul(2_654_435_761)).into_bytes()
    }

    #[test]
    fn sessions_are_told_apart_and_counted_once() {
        for (count, slack) in [(0, 0), (1, 0), (20, 2), (100, 12), (500, 75), (1900, 300)] {
            let seen = Seen::default();
            seen.begin(minutes(0));
            for _ in 0..3 {
                for number in 0..count {
                    seen.note(&id(number), minutes(1));
                }
            }
            let report = seen.report(minutes(1)).unwrap();
            assert!(!report.total.at_least);
            assert!(report.total.sessions.abs_diff(count) <= slack, "{count}: {report:?}");
            assert_eq!(report.total, report.recent);
        }
    }

    /// The error the head of this file promises, over many drains.
    #[test]
    fn the_error_is_as_promised() {
        for (count, most) in [(500, 0.045), (2000, 0.1)] {
            let mut squares = 0.0;
            for round in 0..200 {
                let seen = Seen::default();
                seen.begin(minutes(0));
                for number in 0..count {
                    seen.note(&id(round * 10_000 + number), minutes(0));
                }
                let used = seen.slots.iter().filter(|slot| slot.load(Relaxed) > 0).count();
                let slots = SLOTS as f64;
                let exact = slots * (slots / (SLOTS - used).max(1) as f64).ln();
                squares += (exact / f64::from(count) - 1.0).powi(2);
            }
            let error = (squares / 200.0_f64).sqrt();
            assert!(error < most, "{count}: {error}");
        }
    }

    #[test]
    fn sessions_that_stay_away_are_old_after_some_minutes() {
        let seen = Seen::default();
        seen.begin(minutes(0));
        for number in 0..100 {
            seen.note(&id(number), minutes(0));
        }
        for number in 0..10 {
            seen.note(&id(number), minutes(4));
        }
        let recent = |at: u64| seen.report(minutes(at)).unwrap().recent.sessions;
        assert!(recent(4) > 85);
        assert!((9..=11).contains(&recent(5)), "{}", recent(5));
        assert!((9..=11).contains(&recent(8)), "{}", recent(8));
        assert_eq!(recent(9), 0);
        assert!(seen.report(minutes(9)).unwrap().total.sessions > 85);
        seen.begin(minutes(10));
        assert_eq!(seen.report(minutes(10)).unwrap().total.sessions, 0);
    }

    #[test]
    fn more_than_can_be_told_apart_is_at_least() {
        let seen = Seen::default();
        assert_eq!(seen.report(minutes(0)), None);
        seen.begin(minutes(0));
        for number in 0..100_000 {
            seen.note(&id(number), minutes(0));
        }
        let all = Estimate { sessions: MOST, at_least: true };
        assert_eq!(seen.report(minutes(0)).unwrap().total, all);
        let copy = Seen::default();
        seen.copy_to(&copy);
        assert_eq!(copy.report(minutes(0)), seen.report(minutes(0)));
        // A drain of years does not wrap.
        seen.note(b"x", Tick(u64::MAX));
        assert!(seen.report(Tick(u64::MAX)).unwrap().recent.sessions >= 1);
    }
}
