//! One request on its way over the members of its balancer: which one is tried next, and when it is enough.
//!
//! It performs no I/O and can be put aside between any two calls. Per request: [`Rounds::next`], the member is tried,
//! [`Rounds::ended`], and again if the failure may be repeated.
//!
//! Unlike in mod_jk nobody waits while there is a usable member that was not tried: only before members that have failed are
//! tried once more. Members that are busy cost no try. What a request has counted in is taken back when this is dropped.
//!
//! Source: the loop of `service` in jk_lb_worker.c.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::decision::{Decision, End};
use super::methods::{FULL, Rule, with_rule};
use super::outcome::{Change, Context, Outcome};
use super::pick::{Choice, Pick, Tried};
use super::state::State;
use super::{Ask, Balancer, Member, Why};
use crate::engine::units::Tick;

/// Races for the same member before its value is counted without looking again.
const RACES: u32 = 16;

/// What a request does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try this member, then tell [`Rounds::ended`].
    Try(Pick),
    /// Wait so long, then ask again: members that have failed will be tried once more.
    Pause(Duration),
    /// No member can be used now. Somebody may wait for one and call [`Rounds::again`].
    Nobody,
    /// The session belongs to a member that can not be used, and `sticky_session_force` forbids others.
    ForcedAway {
        /// The place of the member.
        owner: usize,
    },
    /// The retry budget does not allow another try.
    OverBudget,
    /// As many members were tried as one request may try.
    Spent,
}

/// What the request has counted in for the member it is on.
#[derive(Debug, Clone, Copy)]
struct Current {
    member: usize,
    /// Added to the value of the member.
    added: u64,
    /// Multiplier that was in force.
    step: u64,
}

/// A request on its way.
#[derive(Debug)]
pub struct Rounds<'b, 's> {
    balancer: &'b Balancer<'s>,
    tried: Tried,
    /// Members tried, busy ones left out.
    tries: u32,
    /// Of those, the ones that have failed.
    failures: u32,
    /// Rounds begun after the first one.
    passes: u32,
    /// Recovery was forced once.
    forced: bool,
    /// It has earned its part of the retry budget.
    earned: bool,
    current: Option<Current>,
    decision: Decision,
}

/// A choice, made and counted or not.
enum Taken {
    Pick(Pick),
    Nobody(Option<usize>),
    OverBudget,
}

impl<'b, 's> Rounds<'b, 's> {
    /// A request that begins.
    #[inline]
    pub fn new(balancer: &'b Balancer<'s>) -> Self {
        Self {
            balancer,
            tried: Tried::default(),
            tries: 0,
            failures: 0,
            passes: 0,
            forced: false,
            earned: false,
            current: None,
            decision: Decision::default(),
        }
    }

    /// Chooses and counts in.
    #[allow(clippy::should_implement_trait, reason = "it is asked with something")]
    pub fn next(&mut self, ask: &Ask<'_>) -> Next {
        self.give_back();
        let settings = &self.balancer.settings;
        loop {
            if self.tries >= settings.rounds.max(1).saturating_mul(settings.tries.max(1)) {
                return self.end(Next::Spent, End::Spent);
            }
            let owner = match self.take(ask) {
                Taken::Pick(pick) => return Next::Try(pick),
                Taken::OverBudget => return self.end(Next::OverBudget, End::OverBudget),
                Taken::Nobody(owner) => owner,
            };
            // A session that is refused is no reason to try members that have failed, as long as others serve.
            if !self.forced && (owner.is_none() || !self.balancer.somebody_usable(ask)) {
                self.forced = true;
                if self.balancer.force_recovery() > 0 {
                    continue;
                }
            }
            if self.passes + 1 < settings.rounds && self.tried_is_usable() {
                self.passes += 1;
                self.tried.clear();
                if settings.pause.is_zero() {
                    continue;
                }
                return Next::Pause(settings.pause);
            }
            return match owner {
                Some(owner) => self.end(Next::ForcedAway { owner }, End::ForcedAway),
                None => self.end(Next::Nobody, End::Nobody),
            };
        }
    }

    /// The member that [`Rounds::next`] named was tried. What this changed in the state of the member.
    pub fn ended(&mut self, outcome: Outcome, context: &Context) -> Option<Change> {
        let current = self.current?;
        if outcome.is_failure() {
            self.tried.add(current.member);
            self.decision.failed(outcome);
        }
        if outcome == Outcome::Busy {
            // Nothing was asked of it: as if it had not been chosen.
            self.tries = self.tries.saturating_sub(1);
            if let Some(member) = self.balancer.members.get(current.member) {
                lower(&member.state.value, current.added);
                member.state.elected.fetch_sub(1, Relaxed);
            }
            self.current = None;
        } else {
            self.failures += u32::from(outcome.is_failure());
            self.give_back();
            self.count_octets(current, context);
        }
        self.balancer.finished(current.member, outcome, context)
    }

    /// Something has changed while the request waited: all members may be tried again.
    pub fn again(&mut self) {
        self.tried.clear();
        self.tries = 0;
        self.passes = 0;
        self.forced = false;
    }

    /// How it came to where it is.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The balancer.
    pub fn balancer(&self) -> &'b Balancer<'s> {
        self.balancer
    }

    fn end(&mut self, next: Next, end: End) -> Next {
        self.decision.ended(end);
        next
    }

    /// A member that has failed in this round would be chosen again.
    fn tried_is_usable(&self) -> bool {
        self.tried
            .iter()
            .filter_map(|place| self.balancer.members.get(place))
            .any(|member| member.state.state().is_usable())
    }

    /// Chooses a member, pays for it and counts it in; races with other requests are run again.
    fn take(&mut self, ask: &Ask<'_>) -> Taken {
        let mut paid = false;
        for race in 0.. {
            let choice = match self.balancer.choose(ask, &self.tried) {
                Ok(choice) => choice,
                Err(owner) => return Taken::Nobody(owner),
            };
            if !paid && !self.pay() {
                return Taken::OverBudget;
            }
            paid = true;
            if let Some(current) = self.claim(ask, &choice, race < RACES) {
                self.current = Some(current);
                self.tries += 1;
                self.decision.chose(self.balancer, &choice);
                return Taken::Pick(choice.pick);
            }
        }
        Taken::Nobody(None)
    }

    /// A first try earns, a failover costs.
    fn pay(&mut self) -> bool {
        let (state, budget) = (self.balancer.state, self.balancer.settings.retry_budget);
        if self.failures == 0 {
            if let Some(percent) = budget.filter(|_| !self.earned) {
                state.earn(percent);
            }
            self.earned = true;
            return true;
        }
        if budget.is_some() && !state.spend() {
            return false;
        }
        state.failovers.fetch_add(1, Relaxed);
        true
    }

    /// Counts the choice in; `None` when another request was faster, so that it would be wrong now.
    fn claim(&self, ask: &Ask<'_>, choice: &Choice, again: bool) -> Option<Current> {
        let pick = choice.pick;
        let member = self.balancer.members.get(pick.member)?;
        let state = member.state;
        let probe = state.state() == State::Recover;
        if probe && !state.change_state(State::Recover, State::Probe) {
            return None;
        }
        let new = ask.route.is_none() && ask.sessions.is_empty() && !ask.stateless;
        let step = self.balancer.step(member, ask.now);
        let added = with_rule!(self.balancer.settings.method, rule => rule.selected(step, new));
        match choice.seen {
            _ if added == 0 => {}
            Some(seen) if again && !probe => {
                let after = seen.saturating_add(added);
                state.value.compare_exchange(seen, after, Relaxed, Relaxed).ok()?;
            }
            _ => raise(&state.value, added),
        }
        state.elected.fetch_add(1, Relaxed);
        if state.drain_until.load(Relaxed) != 0 {
            self.balancer.note_session(pick.member, ask);
        }
        if new {
            state.sessions.fetch_add(1, Relaxed);
        }
        if matches!(pick.why, Why::Method | Why::Turn | Why::OnlyOne) {
            self.balancer.cursor.0.store(pick.member + 1, Relaxed);
        }
        Some(Current { member: pick.member, added, step })
    }

    /// Takes back what counts requests in work.
    fn give_back(&mut self) {
        let Some(current) = self.current.take() else { return };
        let returns = with_rule!(self.balancer.settings.method, rule => rule.gives_back());
        if let Some(member) = self.balancer.members.get(current.member).filter(|_| returns) {
            lower(&member.state.value, current.added);
        }
    }

    fn count_octets(&self, current: Current, context: &Context) {
        let octets = context.sent.saturating_add(context.received);
        let more = with_rule!(self.balancer.settings.method, rule => rule.served(current.step, octets));
        if let Some(member) = self.balancer.members.get(current.member).filter(|_| more > 0) {
            raise(&member.state.value, more);
        }
    }
}

impl Drop for Rounds<'_, '_> {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Balancer<'_> {
    /// What a request counts for a member now: its multiplier, and up to ten times that in its slow start.
    fn step(&self, member: &Member<'_>, now: Tick) -> u64 {
        let mult = member.state.mult.load(Relaxed).max(1);
        match self.weight(member, now) {
            FULL => mult,
            weight => mult.saturating_mul(FULL) / weight,
        }
    }
}

/// Adds without wrapping.
fn raise(value: &AtomicU64, by: u64) {
    let _ = value.fetch_update(Relaxed, Relaxed, |value| Some(value.saturating_add(by)));
}

/// Subtracts without wrapping.
fn lower(value: &AtomicU64, by: u64) {
    let _ = value.fetch_update(Relaxed, Relaxed, |value| (by > 0).then(|| value.saturating_sub(by)));
}

#[cfg(test)]
#[path = "rounds_tests.rs"]
mod tests;
