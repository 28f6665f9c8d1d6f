//! Maintenance of a balancer: old work is forgotten, failed members get their next chance.
//!
//! One process does it in each interval; which one is decided by the record of the balancer.
//!
//! Source: `jk_lb_maintain`, `recover_workers`, `force_recovery` and `decay_load` of jk_lb_worker.c. A pause of 64 or more
//! intervals clears values, where mod_jk shifts by a number that its processor cuts off.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::methods::{Rule, Upkeep, with_rule};
use super::outcome::stamp;
use super::state::{State, Trouble, WorkerState, tick};
use super::{Balancer, Member};
use crate::engine::config::model::Activation;
use crate::engine::units::Tick;

impl WorkerState {
    /// Halves the count of reply timeouts so many times.
    pub fn decay(&self, intervals: u32) {
        let halve = |count: u32| (count > 0).then(|| count.checked_shr(intervals).unwrap_or(0));
        let _ = self.reply_timeouts.fetch_update(Relaxed, Relaxed, halve);
    }
}

impl Balancer<'_> {
    /// Whole intervals since the last maintenance when this process is the one to do the next one; else 0. The first call of
    /// all only begins the first interval.
    fn elected(&self, interval: Duration, now: Tick) -> u32 {
        let last = self.state.maintained.load(Relaxed);
        let interval = interval.as_micros();
        let passed = u128::from(now.0.saturating_sub(last)).checked_div(interval).unwrap_or(0);
        if last != 0 && passed == 0 {
            return 0;
        }
        let won = self.state.maintained.compare_exchange(last, stamp(now), Relaxed, Relaxed).is_ok();
        if won && last != 0 { u32::try_from(passed).unwrap_or(u32::MAX) } else { 0 }
    }

    /// Maintains the members if an `interval` has passed since somebody did. True: this process did it.
    pub fn maintain(&self, interval: Duration, now: Tick) -> bool {
        let intervals = self.elected(interval, now);
        if intervals == 0 {
            return false;
        }
        self.forget_work(intervals);
        let mut failed = 0;
        for member in &self.members {
            member.worker.decay(intervals);
            self.judge(member, now);
            if member.state.state() == State::Error {
                failed += 1;
            }
        }
        if failed == self.members.len() {
            self.force_recovery();
        }
        true
    }

    /// All members that have failed may be tried by everybody; how many there are. Those that are out of reach are left to
    /// who probes them.
    pub fn force_recovery(&self) -> usize {
        let probed =
            |member: &Member<'_>| self.settings.probed && member.state.trouble() == Trouble::Connection;
        let failed = self.members.iter().filter(|member| !probed(member));
        failed.filter(|member| member.state.change_state(State::Error, State::Force)).count()
    }

    /// Old work counts less.
    fn forget_work(&self, intervals: u32) {
        let usable = |member: &&Member<'_>| {
            member.state.activation() == Activation::Active && member.state.state().is_usable()
        };
        let least = self.members.iter().filter(usable).map(|member| member.state.value.load(Relaxed)).min();
        for member in &self.members {
            let (gauge, state) = (&member.worker.gauge, member.state);
            let upkeep = Upkeep {
                intervals,
                least: least.unwrap_or(0),
                mult: state.mult.load(Relaxed),
                in_work: u64::from(gauge.now()).saturating_add(u64::from(gauge.waiting())),
            };
            let after = |value| with_rule!(self.settings.method, rule => rule.maintained(value, &upkeep));
            let _ = state
                .value
                .fetch_update(Relaxed, Relaxed, |value| Some(after(value)).filter(|after| *after != value));
        }
    }

    /// The state of a member after an interval.
    fn judge(&self, member: &Member<'_>, now: Tick) {
        let state = member.state;
        let before = state.state();
        let elected = state.elected.load(Relaxed);
        let used = state.elected_before.swap(elected, Relaxed) != elected;
        match before {
            State::Error => {
                let waits = self.settings.probed && state.trouble() == Trouble::Connection;
                let due =
                    tick(&state.last_error).is_none_or(|last| now.since(last) > self.settings.recover_time);
                if due && !waits {
                    self.raise_value(member);
                    member.worker.reply_timeouts.store(0, Relaxed);
                    state.change_state(State::Error, State::Recover);
                }
            }
            State::Recover => {}
            _ if self.lingers(member, now) => {
                if state.trouble() == Trouble::Connection {
                    self.note_down(member, now);
                }
                state.change_state(before, State::Error);
            }
            State::Ok if !used => {
                state.change_state(State::Ok, State::Idle);
            }
            // The request that would have said that it is free again is gone with its process.
            State::Busy if member.worker.gauge.now() == 0 => {
                state.change_state(State::Busy, State::Ok);
            }
            State::Idle | State::Ok | State::Force | State::Busy | State::Probe => {}
        }
    }

    /// Errors for so long, and nothing good since; also a request that tries a member and never ends.
    fn lingers(&self, member: &Member<'_>, now: Tick) -> bool {
        tick(&member.state.first_error).is_some_and(|first| now.since(first) >= self.settings.escalation_time)
    }
}

#[cfg(test)]
#[path = "maintain_tests.rs"]
mod tests;
