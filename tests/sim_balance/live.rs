//! The running part of the simulation: processes with a balancer each, backends, clients, and requests on their way.
//!
//! Nothing sleeps. Time is in microseconds and jumps from event to event. All chance comes from one seed. After every event
//! the records must agree with what the simulation knows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use mod_jk_rs::engine::balance::outcome::{Context, Outcome, Unreachable};
use mod_jk_rs::engine::balance::pick::Pick;
use mod_jk_rs::engine::balance::rounds::{Next, Rounds};
use mod_jk_rs::engine::balance::state::{Cell, Flight, MemberState, State};
use mod_jk_rs::engine::balance::{Ask, Balancer, Why};
use mod_jk_rs::engine::config::model::Activation;
use mod_jk_rs::engine::units::Tick;

pub use crate::world::{Backend, Client, Health, Load, Tally};
use crate::world::{MS, Records, Rng, S};

/// A request on its way.
struct Request<'w> {
    rounds: Rounds<'w, 'w>,
    process: usize,
    client: Option<usize>,
    stateless: bool,
    key: u64,
    /// Where its session was when it began.
    home: Option<usize>,
    /// Counted in by the balancer.
    _counted: Flight<'w>,
    /// The member that works on it, and since when.
    flight: Option<(usize, Flight<'w>, u64)>,
    /// Members tried in this round, and the number of all attempts.
    tried: Vec<usize>,
    attempts: u32,
    /// Those of them that were no use, other than because the member was busy.
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive,
    Go(usize, u64),
    Done(usize, u64),
    Maintain,
    Probe,
    Bury(usize),
}

pub struct World<'w> {
    pub now: u64,
    pub rng: Rng,
    pub load: Load,
    pub backends: Vec<Backend>,
    pub clients: Vec<Client>,
    pub tally: Tally,
    /// Answers always take the same time.
    pub steady: bool,
    /// Time between two maintenance runs.
    pub maintain: u64,
    records: &'w Records,
    processes: Vec<Option<&'w Balancer<'w>>>,
    requests: Vec<(u64, Option<Request<'w>>)>,
    free: Vec<usize>,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    number: u64,
    arriving: bool,
    /// All requests that have begun, and all that are over or killed.
    begun: u64,
    over: u64,
    /// Requests in work on each member, those of the dead included.
    in_work: Vec<u32>,
    all_in_work: u32,
    /// In work in a process that died and is not yet buried.
    left: Vec<(Vec<u32>, u32)>,
}

impl<'w> World<'w> {
    pub fn new(seed: u64, records: &'w Records, processes: &'w [Balancer<'w>]) -> Self {
        let members = records.members.len();
        let fine = Backend { health: Health::Fine, time: 10 * MS, octets: 10_000, limit: 0 };
        let mut world = Self {
            now: S,
            rng: Rng(seed),
            load: Load { every: MS, clients: 0, stateless: 0, ends: 0, keeps: false },
            backends: vec![fine; members],
            clients: Vec::new(),
            tally: Tally::of(members),
            steady: false,
            maintain: 60 * S,
            records,
            processes: processes.iter().map(Some).collect(),
            requests: Vec::new(),
            free: Vec::new(),
            events: BinaryHeap::new(),
            number: 0,
            arriving: false,
            begun: 0,
            over: 0,
            in_work: vec![0; members],
            all_in_work: 0,
            left: vec![(vec![0; members], 0); processes.len()],
        };
        world.at(0, Event::Maintain);
        world.at(0, Event::Probe);
        world
    }

    fn at(&mut self, later: u64, event: Event) {
        self.number += 1;
        self.events.push(Reverse((self.now + later, self.number, event)));
    }

    /// Lets time pass, with requests arriving.
    pub fn run(&mut self, time: u64) {
        self.clients.resize(self.load.clients.max(self.clients.len()), Client::default());
        if !self.arriving {
            self.arriving = true;
            self.at(0, Event::Arrive);
        }
        self.pass(time);
    }

    /// Lets time pass without new requests; all of those on their way end when it is long enough.
    pub fn rest(&mut self, time: u64) {
        self.arriving = false;
        self.pass(time);
    }

    fn pass(&mut self, time: u64) {
        let end = self.now + time;
        while let Some(Reverse((at, _, event))) = self.events.peek().copied() {
            if at > end {
                break;
            }
            self.events.pop();
            self.now = at;
            self.handle(event);
            self.check();
        }
        self.now = end;
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrive => {
                if self.arriving {
                    self.arrive();
                    let next = self.rng.around(self.load.every);
                    self.at(next, Event::Arrive);
                }
            }
            Event::Go(slot, number) => {
                if self.requests[slot].0 == number {
                    self.go(slot);
                }
            }
            Event::Done(slot, number) => {
                if self.requests[slot].0 == number {
                    self.done(slot);
                }
            }
            Event::Maintain => {
                self.at(self.maintain, Event::Maintain);
                self.maintain_members();
            }
            Event::Probe => {
                self.at(S / 2, Event::Probe);
                self.probe();
            }
            Event::Bury(process) => {
                self.records.bury(process);
                let (left, all) = std::mem::take(&mut self.left[process]);
                self.all_in_work -= all;
                for (count, left) in self.in_work.iter_mut().zip(&left) {
                    *count -= left;
                }
                self.left[process] = (vec![0; self.in_work.len()], 0);
            }
        }
    }

    fn cell(&self, process: usize, member: usize) -> &'w Cell {
        &self.records.cells[process][member]
    }

    fn arrive(&mut self) {
        let alive: Vec<usize> =
            (0..self.processes.len()).filter(|at| self.processes[*at].is_some()).collect();
        if alive.is_empty() {
            return;
        }
        let process = alive[self.rng.place(alive.len())];
        let Some(balancer) = self.processes[process] else { return };
        self.begun += 1;
        self.tally.requests += 1;
        let lb_cell = self.cell(process, self.in_work.len());
        let client = (self.load.clients > 0).then(|| self.rng.place(self.load.clients));
        let request = Request {
            rounds: Rounds::new(balancer),
            process,
            home: client.and_then(|client| self.clients[client].home),
            client,
            stateless: self.rng.chance(self.load.stateless),
            key: self.rng.next(),
            _counted: self.records.lb.gauge.enter(lb_cell),
            flight: None,
            tried: Vec::new(),
            attempts: 0,
            failures: 0,
        };
        self.all_in_work += 1;
        self.number += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.requests.push((0, None));
            self.requests.len() - 1
        });
        self.requests[slot] = (self.number, Some(request));
        self.go(slot);
    }

    /// Looks for a member.
    fn go(&mut self, slot: usize) {
        let random = self.rng.next();
        let before: Vec<State> = if self.in_work.len() <= 64 {
            self.records.members.iter().map(|member| member.state()).collect()
        } else {
            Vec::new()
        };
        let (number, Some(request)) = &mut self.requests[slot] else { panic!("no request") };
        let number = *number;
        let client = request.client.map(|client| &self.clients[client]);
        let id = client.map_or(&b""[..], |client| &client.id);
        let ids = [id];
        let ask = Ask {
            route: None,
            sessions: if id.is_empty() { &[] } else { &ids },
            owner: None,
            stateless: request.stateless,
            overrides: &[],
            key: request.key,
            random,
            now: Tick(self.now),
        };
        match request.rounds.next(&ask) {
            Next::Try(pick) => {
                let member = pick.member;
                let settings = &request.rounds.balancer().settings;
                assert!(request.failures < settings.rounds * settings.tries, "too many tries");
                let idle = |member: usize| self.in_work[member] == 0;
                check_pick(self.records, &before, request, client, &pick, idle);
                if request.tried.contains(&member) {
                    request.tried.clear(); // a new round, without a pause
                }
                request.tried.push(member);
                request.attempts += 1;
                self.tally.tried[member] += 1;
                if request.attempts == 1 {
                    self.tally.first[member] += 1;
                    self.tally.new[member] += u64::from(id.is_empty() && !request.stateless);
                } else {
                    self.tally.failovers += 1;
                }
                let backend = &self.backends[member];
                let gauge = &self.records.workers[member].gauge;
                let cell = &self.records.cells[request.process][member];
                let limit = if backend.limit == 0 { u32::MAX } else { backend.limit };
                let Some(flight) = gauge.try_enter(cell, limit, false) else {
                    return self.ended(slot, member, Outcome::Busy, self.now, 0);
                };
                request.flight = Some((member, flight, self.now));
                self.in_work[member] += 1;
                let time = match backend.health {
                    Health::Refuses => self.rng.around(MS / 5),
                    Health::Silent => 3 * S,
                    _ if self.steady => backend.time,
                    _ => self.rng.around(backend.time),
                };
                self.at(time, Event::Done(slot, number));
            }
            Next::Pause(time) => {
                request.tried.clear();
                let time = u64::try_from(time.as_micros()).unwrap();
                self.at(time, Event::Go(slot, number));
            }
            Next::Nobody => {
                self.tally.nobody += 1;
                self.end(slot);
            }
            Next::ForcedAway { .. } => {
                self.tally.forced_away += 1;
                self.end(slot);
            }
            Next::Spent => {
                self.tally.failed += 1;
                self.end(slot);
            }
            Next::OverBudget => {
                self.tally.over_budget += 1;
                self.end(slot);
            }
        }
    }

    /// A backend has answered, or failed.
    fn done(&mut self, slot: usize) {
        let (_, Some(request)) = &mut self.requests[slot] else { panic!("no request") };
        let Some((member, flight, begun)) = request.flight.take() else { panic!("nobody works on it") };
        drop(flight);
        self.in_work[member] -= 1;
        let outcome = match self.backends[member].health {
            Health::Fine => Outcome::Success,
            Health::Refuses => Outcome::Unreachable(Unreachable::Refused),
            Health::Breaks => Outcome::Broken,
            Health::Hard => Outcome::HardStatus(503),
            Health::Soft => Outcome::SoftStatus(404),
            Health::Silent => Outcome::ReplyTimeout,
        };
        let served = outcome == Outcome::Success;
        let octets = if served {
            self.backends[member].octets / 2 + self.rng.below(self.backends[member].octets)
        } else {
            100
        };
        self.ended(slot, member, outcome, begun, octets);
    }

    fn ended(&mut self, slot: usize, member: usize, outcome: Outcome, begun: u64, octets: u64) {
        let (_, Some(request)) = &mut self.requests[slot] else { panic!("no request") };
        let served = outcome == Outcome::Success;
        let context = Context {
            sent: octets / 10,
            received: octets - octets / 10,
            first_octet: served.then(|| Duration::from_micros(self.now - begun)),
            now: Tick(self.now),
            others_in_work: self.records.workers[member].gauge.now() > 0,
        };
        request.rounds.ended(outcome, &context);
        request.failures += u32::from(!served && outcome != Outcome::Busy);
        if !served {
            // Every request of the simulation may be repeated.
            return self.go(slot);
        }
        self.tally.served[member] += 1;
        self.tally.octets[member] += octets;
        if let Some(client) = request.client {
            let client = &mut self.clients[client];
            // Of several answers at the same time the first one counts.
            let new = client.home.is_none_or(|home| home != member && !self.load.keeps);
            let elsewhere = request.home.is_some_and(|home| home != member);
            self.tally.moved += u64::from(elsewhere && (self.load.keeps || client.home == request.home));
            if new && client.home == request.home {
                client.home = Some(member);
                client.id = format!("s{}.n{member}", self.rng.next()).into_bytes();
            }
            if self.rng.chance(self.load.ends) {
                *client = Client::default();
            }
        }
        self.end(slot);
    }

    fn end(&mut self, slot: usize) {
        let (_, Some(request)) = std::mem::take(&mut self.requests[slot]) else { panic!("no request") };
        drop(request);
        self.over += 1;
        self.all_in_work -= 1;
        self.free.push(slot);
    }

    /// A process is killed in the middle of whatever it does; the parent notices a little later.
    pub fn kill(&mut self, process: usize) {
        self.processes[process] = None;
        for slot in 0..self.requests.len() {
            if self.requests[slot].1.as_ref().is_some_and(|request| request.process == process) {
                let (_, Some(request)) = std::mem::take(&mut self.requests[slot]) else { continue };
                if let Some((member, _, _)) = &request.flight {
                    self.left[process].0[*member] += 1;
                }
                self.left[process].1 += 1;
                self.over += 1;
                // Its memory is gone; nothing of it runs any more.
                std::mem::forget(request);
                self.free.push(slot);
            }
        }
        self.at(S / 10, Event::Bury(process));
    }

    /// A new process takes the place of one that is gone and buried.
    pub fn start(&mut self, process: usize, balancer: &'w Balancer<'w>) {
        assert!(self.processes[process].is_none() && self.left[process].1 == 0);
        self.processes[process] = Some(balancer);
    }

    /// Maintenance: every process tries, one does it.
    fn maintain_members(&mut self) {
        let interval = Duration::from_micros(self.maintain);
        let did = self.processes.iter().flatten().filter(|it| it.maintain(interval, Tick(self.now))).count();
        assert!(did <= 1, "{did} processes did the same maintenance");
    }

    /// The watchdog of one process looks whether members that are down can be reached again.
    fn probe(&mut self) {
        let Some(balancer) = self.processes.iter().flatten().next() else { return };
        for (member, backend) in self.backends.iter().enumerate() {
            if self.records.workers[member].down_since.load(Relaxed) != 0 {
                balancer.probed(member, backend.health != Health::Refuses, Tick(self.now));
            }
        }
    }

    /// What must hold at every moment.
    fn check(&self) {
        if self.in_work.len() > 64 && !self.number.is_multiple_of(64) {
            return;
        }
        assert_eq!(self.records.lb.gauge.now(), self.all_in_work, "requests of the balancer");
        for (member, (worker, in_work)) in self.records.workers.iter().zip(&self.in_work).enumerate() {
            assert_eq!(worker.gauge.now(), *in_work, "requests in work on w{member}");
        }
    }

    /// What must hold when nothing is on its way.
    pub fn check_end(&self) {
        assert!(self.requests.iter().all(|(_, request)| request.is_none()), "still on their way");
        assert_eq!(self.records.lb.gauge.now(), 0);
        assert!(self.records.workers.iter().all(|worker| worker.gauge.now() == 0));
        assert_eq!(self.begun, self.over, "requests got lost");
    }

    pub fn state(&self, member: usize) -> State {
        self.records.members[member].state()
    }

    /// Forgets what was counted so far.
    pub fn recount(&mut self) {
        self.tally = Tally::of(self.in_work.len());
    }
}

/// The member that was chosen may be chosen. `before`: the states before the choice.
fn check_pick(
    records: &Records,
    before: &[State],
    request: &Request<'_>,
    client: Option<&Client>,
    pick: &Pick,
    idle: impl Fn(usize) -> bool,
) {
    let state = &records.members[pick.member];
    assert_ne!(state.activation(), Activation::Stopped, "a stopped member was chosen");
    if state.activation() == Activation::Disabled {
        let wanted = matches!(pick.why, Why::Sticky | Why::Redirect | Why::StandIn);
        assert!(wanted, "a disabled member was chosen: {:?}", pick.why);
    }
    let again = request.tried.contains(&pick.member);
    assert!(!again || request.rounds.balancer().settings.pause.is_zero(), "the same member twice in a round");
    let usable =
        |member: usize| before[member].is_usable() || (before[member] == State::Busy && idle(member));
    if before.is_empty() {
        return;
    }
    let for_new = |member: &usize| {
        let active = records.members[*member].activation() == Activation::Active;
        active && usable(*member) && !request.tried.contains(member)
    };
    let nobody = (0..before.len()).all(|member| !for_new(&member));
    assert!(
        usable(pick.member) || nobody,
        "{pick:?} is {:?}; tried {:?}, all {before:?}, activations {:?}, home {:?}",
        before[pick.member],
        request.tried,
        records.members.iter().map(MemberState::activation).collect::<Vec<_>>(),
        client.and_then(|client| client.home),
    );
    if let Some(home) = client.and_then(|client| client.home) {
        let stopped = records.members[home].activation() == Activation::Stopped;
        let can = usable(home) && !stopped && !request.tried.contains(&home);
        assert!(!can || pick.member == home, "the session of w{home} went to w{}", pick.member);
        assert!(pick.why != Why::Sticky || pick.member == home);
    }
}
