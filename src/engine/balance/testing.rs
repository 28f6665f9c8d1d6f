//! Balancers for tests.

use std::time::Duration;

use super::state::{BalancerState, MemberState, WorkerState};
use super::{Ask, Balancer, Configured, Member, Settings};
use crate::engine::config::model::{Activation, Method, ReplyTimeouts};
use crate::engine::units::Tick;

/// The records of a balancer.
pub(super) struct Shared {
    pub(super) members: Vec<MemberState>,
    pub(super) workers: Vec<WorkerState>,
    pub(super) balancer: BalancerState,
}

impl Shared {
    pub(super) fn new(members: usize) -> Self {
        Self {
            members: (0..members).map(|_| MemberState::default()).collect(),
            workers: (0..members).map(|_| WorkerState::default()).collect(),
            balancer: BalancerState::default(),
        }
    }

    /// A balancer with members n1, n2 and so on of these weights.
    pub(super) fn balancer(&self, method: Method, factors: &[u32]) -> Balancer<'_> {
        self.with(settings(method), factors, |_, _| {})
    }

    /// The same with settings, and with changes to the members.
    pub(super) fn with<'s>(
        &'s self,
        settings: Settings,
        factors: &[u32],
        change: impl Fn(usize, &mut Member<'s>),
    ) -> Balancer<'s> {
        let members = self.members.iter().zip(&self.workers).enumerate().map(|(place, (state, worker))| {
            let name: Box<str> = format!("n{}", place + 1).into();
            let (domain, redirect) = (Box::default(), Box::default());
            let mut member =
                Member { route: name.clone(), name, domain, redirect, has_queue: false, state, worker };
            change(place, &mut member);
            member
        });
        let mut balancer = Balancer::new("lb".into(), settings, members.collect(), &self.balancer);
        let active = Activation::Active;
        let configured = |factor: &u32| Configured { activation: active, factor: *factor, distance: 0 };
        balancer.adopt(&factors.iter().map(configured).collect::<Vec<_>>());
        balancer
    }
}

pub(super) fn settings(method: Method) -> Settings {
    Settings {
        method,
        sticky: true,
        sticky_force: false,
        rounds: 2,
        tries: 2,
        pause: Duration::from_millis(100),
        recover_time: Duration::from_secs(60),
        escalation_time: Duration::from_secs(30),
        max_reply_timeouts: ReplyTimeouts::AtMost(0),
        slow_start: Duration::ZERO,
        retry_budget: None,
        probed: false,
    }
}

/// A request without a session at the first second.
pub(super) fn ask() -> Ask<'static> {
    Ask {
        route: None,
        sessions: &[],
        owner: None,
        stateless: false,
        overrides: &[],
        key: 0,
        random: 0,
        now: Tick(1_000_000),
    }
}
