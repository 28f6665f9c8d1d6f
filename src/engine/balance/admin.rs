//! What an administrator does to members at run time: other activations, weights and methods, a reset, a recovery, a drain.
//!
//! Each function changes shared records, so all processes see it with their next look. Whoever calls these takes turns with
//! other callers; requests go on meanwhile.
//!
//! Sources: `commit_member`, `reset_worker`, `recover_worker` in mod_jk's jk_status.c.

use std::sync::atomic::Ordering::Relaxed;

use super::outcome::stamp;
use super::state::{State, Trouble, WorkerState, tick};
use super::{Balancer, Member};
use crate::engine::config::model::{Activation, Method};
use crate::engine::units::Tick;

/// `drain_until` of a member that is drained without an end.
const FOR_EVER: u64 = u64::MAX;

/// A drain that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// Until somebody ends it.
    Open,
    /// The member is stopped then.
    Until(Tick),
}

impl WorkerState {
    /// Begins counting anew, `now` seconds since 1970. What monitoring reads goes on.
    pub fn reset(&self, now: u64) {
        let base = &self.base;
        let counts = [
            (&self.used, &base.used),
            (&self.errors, &base.errors),
            (&self.client_errors, &base.client_errors),
            (&self.sent, &base.sent),
            (&self.received, &base.received),
        ];
        for (count, base) in counts {
            base.store(count.load(Relaxed), Relaxed);
        }
        self.reply_timeouts.store(0, Relaxed);
        self.gauge.reset();
        self.most_connected.store(0, Relaxed);
        self.reset_at.store(now, Relaxed);
    }
}

impl Member<'_> {
    /// The drain that is under way.
    pub fn drain(&self) -> Option<Drain> {
        if self.state.activation() != Activation::Disabled {
            return None;
        }
        match self.state.drain_until.load(Relaxed) {
            FOR_EVER => Some(Drain::Open),
            _ => tick(&self.state.drain_until).map(Drain::Until),
        }
    }
}

impl Balancer<'_> {
    /// Changes the activation of a member; a drain of it ends. Work that was done counts no more, so that one that comes
    /// back is not given all requests.
    pub fn activate(&self, member: usize, activation: Activation) {
        let Some(member) = self.members.get(member) else { return };
        member.state.drain_until.store(0, Relaxed);
        member.state.set_activation(activation);
        self.forget_work_done();
    }

    /// A member takes no new sessions from now on; `end`: it is stopped then. What was seen of a drain that is under way
    /// already goes on.
    pub fn drain(&self, member: usize, end: Option<Tick>, now: Tick) {
        let under_way = self.members.get(member).is_some_and(|member| member.drain().is_some());
        self.activate(member, Activation::Disabled);
        if let Some(member) = self.members.get(member) {
            if !under_way {
                member.state.seen.begin(now);
            }
            member.state.drain_until.store(end.map_or(FOR_EVER, stamp), Relaxed);
        }
    }

    /// Changes the weight of a member.
    pub fn weigh(&self, member: usize, factor: u32) {
        if let Some(member) = self.members.get(member) {
            member.state.factor.store(factor.max(1), Relaxed);
            self.update_mults();
        }
    }

    /// Another method is in force: what was counted for the old one means nothing to it.
    pub fn change_method(&self, method: Method) {
        self.state.method.store(method as u32 + 1, Relaxed);
        self.forget_values();
    }

    /// Lets a failed member be tried; false when it has not failed.
    pub fn recover(&self, member: usize) -> bool {
        let Some(member) = self.members.get(member) else { return false };
        if member.state.state() != State::Error {
            return false;
        }
        self.raise_value(member);
        member.worker.reply_timeouts.store(0, Relaxed);
        member.state.change_state(State::Error, State::Recover)
    }

    /// Begins counting anew for a member and its worker, and takes it for usable. `now`: seconds since 1970.
    pub fn reset_member(&self, member: usize, now: u64) {
        let Some(member) = self.members.get(member) else { return };
        let state = member.state;
        for count in [
            &state.first_error,
            &state.last_error,
            &state.errors,
            &state.sessions,
            &state.elected,
            &state.elected_before,
            &member.worker.down_since,
        ] {
            count.store(0, Relaxed);
        }
        if self.counts_work() {
            state.value.store(0, Relaxed);
        }
        state.trouble.store(Trouble::None as u32, Relaxed);
        state.set_state(State::Idle);
        state.reset_at.store(now, Relaxed);
        member.worker.reset(now);
    }

    /// Begins counting anew for the balancer and all its members.
    pub fn reset(&self, now: u64) {
        self.state.gauge.reset();
        self.state.reset_at.store(now, Relaxed);
        for member in 0..self.members.len() {
            self.reset_member(member, now);
        }
    }

    /// The values of members are work that was done, not work that is being done.
    fn counts_work(&self) -> bool {
        matches!(self.settings.method, Method::Request | Method::Traffic | Method::Sessions | Method::Next)
    }

    fn forget_work_done(&self) {
        if self.counts_work() {
            self.forget_values();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::balance::testing::Shared;

    #[test]
    fn another_activation_forgets_work_but_not_what_is_in_work() {
        for (method, after) in [(Method::Request, 0), (Method::Busyness, 9)] {
            let shared = Shared::new(2);
            let balancer = shared.balancer(method, &[1, 1]);
            shared.members[1].value.store(9, Relaxed);
            balancer.activate(0, Activation::Stopped);
            assert_eq!(shared.members[0].activation(), Activation::Stopped);
            assert_eq!(shared.members[1].value.load(Relaxed), after, "{method:?}");
        }
    }

    #[test]
    fn a_drain_ends_with_the_next_activation() {
        let shared = Shared::new(1);
        let balancer = shared.balancer(Method::Request, &[1]);
        assert_eq!(balancer.members[0].drain(), None);
        balancer.drain(0, None, Tick(3));
        assert_eq!(shared.members[0].activation(), Activation::Disabled);
        assert_eq!(balancer.members[0].drain(), Some(Drain::Open));
        balancer.drain(0, Some(Tick(7)), Tick(4));
        assert_eq!(balancer.members[0].drain(), Some(Drain::Until(Tick(7))));
        let began = || shared.members[0].seen.report(Tick(9)).map(|report| report.from);
        assert_eq!(began(), Some(Tick(3)), "another end is no other drain");
        balancer.activate(0, Activation::Active);
        assert_eq!(balancer.members[0].drain(), None);
        balancer.activate(0, Activation::Disabled);
        assert_eq!(balancer.members[0].drain(), None, "disabled by hand is no drain");
        balancer.drain(0, None, Tick(8));
        assert_eq!(began(), Some(Tick(8)));
    }

    #[test]
    fn only_a_failed_member_recovers() {
        let shared = Shared::new(2);
        let balancer = shared.balancer(Method::Request, &[1, 1]);
        assert!(!balancer.recover(0));
        shared.members[0].set_state(State::Error);
        shared.members[1].value.store(5, Relaxed);
        assert!(balancer.recover(0));
        assert_eq!(shared.members[0].state(), State::Recover);
        assert_eq!(shared.members[0].value.load(Relaxed), 5);
        assert!(!balancer.recover(7));
    }

    #[test]
    fn a_reset_hides_counts_and_keeps_them_for_monitoring() {
        let shared = Shared::new(1);
        let balancer = shared.balancer(Method::Request, &[1]);
        let (member, worker) = (&shared.members[0], balancer.members[0].worker);
        worker.used.store(8, Relaxed);
        member.set_state(State::Error);
        member.errors.store(3, Relaxed);
        balancer.reset(1000);
        assert_eq!((worker.used.load(Relaxed), worker.base.used.load(Relaxed)), (8, 8));
        assert_eq!((member.state(), member.errors.load(Relaxed)), (State::Idle, 0));
        assert_eq!((member.reset_at.load(Relaxed), worker.reset_at.load(Relaxed)), (1000, 1000));
    }

    #[test]
    fn weights_and_methods() {
        let shared = Shared::new(2);
        let balancer = shared.balancer(Method::Request, &[1, 1]);
        balancer.weigh(0, 3);
        assert_eq!(shared.members[1].mult.load(Relaxed), 3);
        shared.members[1].value.store(9, Relaxed);
        balancer.change_method(Method::Busyness);
        assert_eq!(shared.members[1].value.load(Relaxed), 0);
        assert_eq!(balancer.state.method.load(Relaxed), Method::Busyness as u32 + 1);
    }
}
