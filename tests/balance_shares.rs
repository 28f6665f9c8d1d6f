//! Requests of many threads, each with its own view of the same records, as the processes of a server have them: the shares
//! are those of one after the other, nothing that was counted in stays, and a member whose time is over is tried once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use mod_jk_rs::engine::balance::rounds::{Next, Rounds};
use mod_jk_rs::engine::balance::state::{BalancerState, MemberState, State, WorkerState};
use mod_jk_rs::engine::balance::{Ask, Balancer, Configured, Context, Member, Outcome, Settings};
use mod_jk_rs::engine::config::model::{Activation, Method, ReplyTimeouts};
use mod_jk_rs::engine::units::Tick;

const THREADS: u64 = 4;
const EACH: u64 = 6_000;

struct Shared {
    members: [MemberState; 3],
    workers: [WorkerState; 3],
    balancer: BalancerState,
}

impl Shared {
    fn new() -> Self {
        Self { members: Default::default(), workers: Default::default(), balancer: BalancerState::default() }
    }

    fn view(&self, method: Method) -> Balancer<'_> {
        let settings = Settings {
            method,
            sticky: true,
            sticky_force: false,
            rounds: 2,
            tries: 2,
            pause: Duration::ZERO,
            recover_time: Duration::from_secs(60),
            escalation_time: Duration::from_secs(30),
            max_reply_timeouts: ReplyTimeouts::AtMost(0),
            slow_start: Duration::ZERO,
            retry_budget: None,
            probed: false,
        };
        let members = self.members.iter().zip(&self.workers).zip(["n1", "n2", "n3"]);
        let members = members.map(|((state, worker), name)| Member {
            name: name.into(),
            route: name.into(),
            domain: "".into(),
            redirect: "".into(),
            has_queue: false,
            state,
            worker,
        });
        let mut balancer = Balancer::new("lb".into(), settings, members.collect(), &self.balancer);
        let configured = |factor| Configured { activation: Activation::Active, factor, distance: 0 };
        balancer.adopt(&[configured(1), configured(2), configured(3)]);
        balancer
    }

    /// Runs requests in all threads.
    fn run(&self, method: Method, each: u64) {
        self.view(method);
        thread::scope(|scope| {
            for number in 0..THREADS {
                scope.spawn(move || {
                    let balancer = self.view(method);
                    for request in 0..each {
                        let random = (number * each + request).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                        let now = Tick(1 + request);
                        let ask = Ask {
                            route: None,
                            sessions: &[],
                            owner: None,
                            stateless: false,
                            overrides: &[],
                            key: random,
                            random,
                            now,
                        };
                        let mut rounds = Rounds::new(&balancer);
                        assert!(matches!(rounds.next(&ask), Next::Try(_)));
                        rounds.ended(Outcome::Success, &Context { now, sent: 10, ..Context::default() });
                    }
                });
            }
        });
    }

    fn elected(&self) -> [u64; 3] {
        [0, 1, 2].map(|member: usize| self.members[member].elected.load(Relaxed))
    }
}

#[test]
fn shares_are_exact() {
    for method in [Method::Request, Method::Sessions, Method::Next] {
        let shared = Shared::new();
        shared.run(method, EACH);
        assert_eq!(shared.elected(), [4_000, 8_000, 12_000], "{method:?}");
    }
}

#[test]
fn what_is_in_work_goes_back_to_nothing() {
    let shared = Shared::new();
    shared.run(Method::Busyness, EACH);
    for state in &shared.members {
        assert_eq!(state.value.load(Relaxed), 0);
    }
    assert_eq!(shared.elected().iter().sum::<u64>(), THREADS * EACH);
}

#[test]
fn no_octet_is_lost() {
    let shared = Shared::new();
    shared.run(Method::Traffic, EACH);
    for (state, worker) in shared.members.iter().zip(&shared.workers) {
        let octets = state.elected.load(Relaxed) * 10;
        assert_eq!(state.value.load(Relaxed), octets * state.mult.load(Relaxed));
        assert_eq!(worker.sent.load(Relaxed), octets);
    }
}

#[test]
fn one_request_tries_a_member_whose_time_is_over() {
    for _ in 0..200 {
        let shared = Shared::new();
        let ask = Ask {
            route: None,
            sessions: &[],
            owner: None,
            stateless: false,
            overrides: &[],
            key: 0,
            random: 0,
            now: Tick(1),
        };
        shared.view(Method::Request);
        shared.members[0].set_state(State::Recover);
        let tried: usize = thread::scope(|scope| {
            let one = || {
                let balancer = shared.view(Method::Request);
                let mut rounds = Rounds::new(&balancer);
                matches!(rounds.next(&ask), Next::Try(pick) if pick.member == 0)
            };
            let all: Vec<_> = (0..THREADS).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
        });
        assert!(tried <= 1);
        assert_eq!(tried == 1, shared.members[0].state() == State::Probe);
    }
}
