//! What a simulated server is made of: chance, members and settings, the records that its processes share, backends,
//! clients, and the count of what happened.

use std::time::Duration;

use mod_jk_rs::engine::balance::state::{BalancerState, Cell, MemberState, WorkerState};
use mod_jk_rs::engine::balance::{Balancer, Configured, Member, Settings};
use mod_jk_rs::engine::config::model::{Activation, Method, ReplyTimeouts};

/// A millisecond.
pub const MS: u64 = 1000;
/// A second.
pub const S: u64 = 1_000_000;

/// Chance: splitmix64.
#[derive(Debug, Clone)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `0..n`; 0 for an empty range.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn place(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap()
    }

    /// True in `percent` of all cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A time of `mean` on average, from 0 to twice that.
    pub fn around(&mut self, mean: u64) -> u64 {
        self.below(2 * mean + 1)
    }
}

/// How a member is configured.
#[derive(Debug, Clone)]
pub struct Node {
    pub factor: u32,
    pub distance: i32,
    pub activation: Activation,
    pub domain: &'static str,
    pub redirect: &'static str,
}

impl Default for Node {
    fn default() -> Self {
        Self { factor: 1, distance: 0, activation: Activation::Active, domain: "", redirect: "" }
    }
}

/// The settings of a balancer where nothing is configured.
pub fn settings(method: Method) -> Settings {
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
        retry_budget: Some(20),
        probed: true,
    }
}

/// Members with these weights.
pub fn nodes_of(weights: &[u32]) -> Vec<Node> {
    weights.iter().map(|factor| Node { factor: *factor, ..Node::default() }).collect()
}

/// What the processes share.
#[derive(Debug, Default)]
pub struct Records {
    pub members: Vec<MemberState>,
    pub workers: Vec<WorkerState>,
    pub lb: BalancerState,
    /// For each process the cells of the workers, and last the one of the balancer.
    pub cells: Vec<Vec<Cell>>,
}

impl Records {
    pub fn new(members: usize, processes: usize) -> Self {
        let many = |count: usize| (0..count).map(|_| Cell::default()).collect();
        Self {
            members: (0..members).map(|_| MemberState::default()).collect(),
            workers: (0..members).map(|_| WorkerState::default()).collect(),
            lb: BalancerState::default(),
            cells: (0..processes).map(|_| many(members + 1)).collect(),
        }
    }

    /// Takes back what a killed process had counted in.
    pub fn bury(&self, process: usize) {
        let (lb, workers) = self.cells[process].split_last().unwrap();
        self.lb.gauge.give_back(lb);
        for (worker, cell) in self.workers.iter().zip(workers) {
            worker.gauge.give_back(cell);
        }
    }

    /// What a process makes of its configuration at its start.
    pub fn balancer<'s>(&'s self, settings: &Settings, nodes: &[Node]) -> Balancer<'s> {
        let members = nodes.iter().enumerate().map(|(place, node)| Member {
            name: format!("w{place}").into(),
            route: format!("n{place}").into(),
            domain: node.domain.into(),
            redirect: node.redirect.into(),
            state: &self.members[place],
            has_queue: false,
            worker: &self.workers[place],
        });
        let configured: Vec<Configured> = nodes
            .iter()
            .map(|node| Configured {
                activation: node.activation,
                factor: node.factor,
                distance: node.distance,
            })
            .collect();
        let mut balancer = Balancer::new("lb".into(), settings.clone(), members.collect(), &self.lb);
        balancer.adopt(&configured);
        balancer
    }
}

/// How a backend behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Fine,
    /// Nothing listens.
    Refuses,
    /// Connections break while it should answer.
    Breaks,
    /// It answers with a status that `fail_on_status` lists.
    Hard,
    /// It answers with one that is listed with a minus sign.
    Soft,
    /// It does not answer in time.
    Silent,
}

#[derive(Debug, Clone)]
pub struct Backend {
    pub health: Health,
    /// Mean time of an answer, in microseconds.
    pub time: u64,
    /// Octets of an exchange, on average.
    pub octets: u64,
    /// Most requests at one time; 0: no limit.
    pub limit: u32,
}

/// What the clients do.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Mean time between two requests.
    pub every: u64,
    /// Clients with sessions; 0: every request comes from somebody new.
    pub clients: usize,
    /// Percent of requests that begin no session.
    pub stateless: u64,
    /// Percent of sessions that end with the request.
    pub ends: u64,
    /// A session keeps its route when another member serves it, as with a store that all members share.
    pub keeps: bool,
}

/// What has happened since the last time somebody looked.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub requests: u64,
    /// For each member: attempts; first attempts; first attempts without session; answers; octets.
    pub tried: Vec<u64>,
    pub first: Vec<u64>,
    pub new: Vec<u64>,
    pub served: Vec<u64>,
    pub octets: Vec<u64>,
    /// Attempts beyond the first of a request.
    pub failovers: u64,
    /// How requests ended that were not served.
    pub failed: u64,
    pub nobody: u64,
    pub forced_away: u64,
    pub over_budget: u64,
    /// Requests of a session that were served by another member than before.
    pub moved: u64,
}

impl Tally {
    pub fn of(members: usize) -> Self {
        let zeros = || vec![0; members];
        Self {
            tried: zeros(),
            first: zeros(),
            new: zeros(),
            served: zeros(),
            octets: zeros(),
            ..Self::default()
        }
    }

    pub fn lost(&self) -> u64 {
        self.failed + self.nobody + self.forced_away + self.over_budget
    }
}

#[derive(Debug, Clone, Default)]
pub struct Client {
    pub id: Vec<u8>,
    pub home: Option<usize>,
}
