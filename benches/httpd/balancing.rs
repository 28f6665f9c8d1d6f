//! Balanced requests: instructions with few and many members, and CPU time with two processes of 64 threads.

use std::time::Duration;

use crate::Plan;
use crate::callgrind;
use crate::cpu;
use crate::farm::{Farm, Shape};
use crate::load::Work;
use crate::report::{Goal, Row, Section};
use crate::server::{Kind, Running};
use crate::traced::{Request, Way};

/// Most instructions a balanced request should need.
const REACH: f64 = 31_000.0;
/// Members, and whether the request belongs to a session.
const CASES: [(usize, bool); 4] = [(2, false), (2, true), (64, false), (64, true)];
/// Members and clients under load.
const LOADED: (usize, usize) = (2, 64);

/// Runs all.
pub(crate) fn run(plan: &Plan) -> Section {
    let mut section = Section::new(
        "Balanced requests",
        "A balancer of as many nodes as members; `mod_proxy_ajp` stands for mod_proxy_balancer with its method byrequests. Instructions as \
         above. CPU time: two processes of 64 threads each, 64 clients; mod_jk has `lock=Optimistic`, which takes no lock for a choice.",
    );
    for (members, sticky) in CASES.into_iter().filter(|(members, _)| *members == 2 || !plan.quick) {
        let session = if sticky { "with a session" } else { "without a session" };
        let name = format!("1 KB GET, {members} members, {session}, instructions");
        let mut row = Row::new(&name);
        for kind in Kind::RELAYS {
            let way = Way::Balancer { members, sticky };
            row.values[kind.column()] = Some(callgrind::per_request(kind, way, Request::Size(1024)).total);
        }
        let ours = row.values[Kind::Rust.column()].unwrap_or(f64::NAN);
        section.goals.push(Goal::at_most(name, ours, REACH, 0));
        section.push(row);
    }
    under_load(plan, &mut section);
    section
}

/// CPU time and requests per second of servers with two processes.
fn under_load(plan: &Plan, section: &mut Section) {
    let (members, clients) = LOADED;
    let farm = Farm::start(members);
    let shape = Shape { processes: 2, threads: 64, balancer: "lock=Optimistic", ..Shape::default() };
    let servers = Kind::RELAYS.map(|kind| (kind, Running::start(farm.site(kind, &shape))));
    let work = Work::get("/app/size/1024", 0, Some(1024));
    let time = Duration::from_millis(if plan.quick { 250 } else { 800 });
    let mut costs = [const { Vec::new() }; 4];
    let mut speeds = [const { Vec::new() }; 4];
    for round in 0..plan.rounds {
        for turn in 0..servers.len() {
            let (kind, server) = &servers[(turn + round) % servers.len()];
            let (cost, speed) = cpu::spent(server, &work, clients, time, 1.0);
            costs[kind.column()].push(cost);
            speeds[kind.column()].push(speed);
        }
    }
    let name = format!("1 KB GET, {members} members, {clients} clients");
    let cost = cpu::compared(&format!("{name}, µs per request"), &costs);
    let mut speed = cpu::compared(&format!("{name}, requests/s"), &speeds);
    speed.more_is_better = true;
    let [of_cost, of_speed] = [&cost, &speed].map(|row| row.ratio.unwrap_or(f64::NAN));
    section.goals.push(Goal::at_most(format!("{name}, CPU (mod_jk = 1)"), of_cost, 1.0, 2));
    section.goals.push(Goal::at_least(format!("{name}, requests/s (mod_jk = 1)"), of_speed, 1.0, 2));
    section.push(cost);
    section.push(speed);
}
