//! What clients notice when a node is killed, restarted or hangs.
//!
//! The load is light and mostly waits for the nodes, so that it is the module that decides and not the machine. mod_jk and
//! mod_jk_rs have the same properties, mod_proxy_balancer what corresponds to them.

use std::time::{Duration, Instant};

use crate::Plan;
use crate::cpu::median;
use crate::farm::{Farm, Shape};
use crate::load::{Client, Work};
use crate::report::{Goal, Row, Section};
use crate::server::{Kind, Running};
use crate::shots::{self, Pace, Shot};

/// A CPing before each request, at most a second for it, and at most two for an answer.
const CAREFUL: Shape = Shape { processes: 1, threads: 64, balancer: "", own: "", careful: true };
/// Clients of the closed load, and the milliseconds a node takes for an answer to them.
const CLOSED: (usize, usize) = (16, 10);
/// Clients that keep up the steady load, and its requests per second.
const STEADY: (usize, f64) = (32, 200.0);
/// A request is slow when it takes so long: nearly the second that a CPing may take.
const SLOW: Duration = Duration::from_millis(900);

/// Runs all.
pub(crate) fn run(plan: &Plan) -> Section {
    let mut section = Section::new(
        "When a node fails",
        "Two nodes and one process of 64 threads, unless said otherwise; `mod_proxy_ajp` stands for mod_proxy_balancer. A CPing before each \
         request may take 1 s, an answer 2 s. Steady: 200 requests in a second, without sessions. Closed: 16 clients, each sends its next \
         request when it has its answer, which the nodes give after 10 ms. Killed: with SIGKILL. A request is slow from 900 ms on.",
    );
    first_request(plan, &mut section);
    killed_and_restarted(&mut section);
    killed_under_closed_load(&mut section);
    hanging(&mut section);
    only_node_restarted(&mut section);
    section
}

/// The first request of a session whose node was killed.
fn first_request(plan: &Plan, section: &mut Section) {
    let mut time = Row::plain("first request after its node was killed, ms (median)", 1);
    let mut worst = Row::plain("the same, longest, ms", 1);
    let mut lost = Row::plain("the same, failed", 0);
    let samples = if plan.quick { 1 } else { 5 };
    let work = Work::get("/app/size/1024", 0, Some(1024)).of_session("n1");
    for kind in Kind::RELAYS {
        let (mut times, mut failed) = (Vec::new(), 0);
        for _ in 0..samples {
            let mut farm = Farm::start(2);
            let server = Running::start(farm.site(kind, &CAREFUL));
            let mut client = Client::connect(server.site.port);
            client.repeat(&work, 20);
            farm.nodes[0].signal(libc::SIGKILL);
            let start = Instant::now();
            failed += usize::from(client.attempt(&work).is_err());
            times.push(start.elapsed().as_secs_f64() * 1000.0);
        }
        time.values[kind.column()] = Some(median(&times));
        worst.values[kind.column()] = Some(times.iter().copied().fold(0.0, f64::max));
        lost.values[kind.column()] = Some(failed as f64);
    }
    aim(section, &worst, |value| {
        Goal::at_most("first request after its node was killed, longest, ms", value, 100.0, 0)
    });
    aim(section, &lost, |value| {
        Goal::at_most("first request after its node was killed, failed", value, 0.0, 0)
    });
    for row in [time, worst, lost] {
        section.push(row);
    }
}

/// A node is killed under steady load, and started again.
fn killed_and_restarted(section: &mut Section) {
    const KILL: Duration = Duration::from_secs(1);
    const RESTART: Duration = Duration::from_secs(3);
    let mut lost = Row::plain("steady, a node killed and restarted, failed", 0);
    let mut slowest = Row::plain("the same, slowest request, ms", 0);
    let mut back = Row::plain("the same, until the node serves again, s", 2);
    for kind in Kind::RELAYS {
        let mut farm = Farm::start(2);
        let server = Running::start(farm.site(kind, &CAREFUL));
        let work = Work::get("/app/node", 0, Some(2));
        let mut up = Duration::ZERO;
        // The others wait for a minute by their configuration, so only this module is watched for longer.
        let watched = Duration::from_secs(if kind == Kind::Rust { 7 } else { 4 });
        let pace = Pace::PerSecond(STEADY.1);
        let shots = shots::run(server.site.port, &work, STEADY.0, pace, watched, |start| {
            shots::at(start, KILL);
            farm.nodes[1].signal(libc::SIGKILL);
            shots::at(start, RESTART);
            farm.start_again(2);
            up = start.elapsed();
        });
        expect_both(&shots, KILL);
        lost.values[kind.column()] = Some(shots::failed(&shots) as f64);
        let longest = shots.iter().map(|shot| shot.took).max().unwrap_or_default();
        slowest.values[kind.column()] = Some(longest.as_secs_f64() * 1000.0);
        if kind == Kind::Rust {
            let again = shots.iter().filter(|shot| shot.sent > RESTART);
            let first = again.filter(|shot| shot.result.as_deref() == Ok("n2")).map(Shot::ended).min();
            let waited = first.map_or(f64::NAN, |first| first.saturating_sub(up).as_secs_f64());
            back.values[kind.column()] = Some(waited);
        }
    }
    aim(section, &lost, |value| {
        Goal::at_most("200 requests/s, a node killed and restarted, failed", value, 0.0, 0)
    });
    aim(section, &back, |value| Goal::at_most("a restarted node serves again, s", value, 1.5, 2));
    for row in [lost, slowest, back] {
        section.push(row);
    }
}

/// Before that moment both nodes have served: otherwise nothing is shown by what follows.
fn expect_both(shots: &[Shot], until: Duration) {
    for name in ["n1", "n2"] {
        let served = shots.iter().any(|shot| shot.ended() < until && shot.result.as_deref() == Ok(name));
        assert!(served, "{name} served nothing before the trouble: {:?}", shots.first());
    }
}

/// The closed load.
fn closed(server: &Running, time: Duration, meanwhile: impl FnOnce(Instant)) -> Vec<Shot> {
    let work = Work::get(&format!("/app/delay/{}", CLOSED.1), 0, None);
    shots::run(server.site.port, &work, CLOSED.0, Pace::Closed, time, meanwhile)
}

/// One of two nodes is killed.
fn killed_under_closed_load(section: &mut Section) {
    const KILL: Duration = Duration::from_millis(1500);
    const END: Duration = Duration::from_millis(3000);
    let mut rate = Row::plain("closed, a node killed, rate after / before", 2);
    let mut lost = Row::plain("the same, failed", 0);
    for kind in Kind::RELAYS {
        let mut farm = Farm::start(2);
        let server = Running::start(farm.site(kind, &CAREFUL));
        let shots = closed(&server, END, |start| {
            shots::at(start, KILL);
            farm.nodes[1].signal(libc::SIGKILL);
        });
        let before = shots::rate(&shots, Duration::ZERO, KILL);
        rate.values[kind.column()] = Some(shots::rate(&shots, KILL, END) / before);
        lost.values[kind.column()] = Some(shots::failed(&shots) as f64);
    }
    aim(section, &rate, |value| Goal::at_least("rate after / before a node is killed", value, 0.95, 2));
    aim(section, &lost, |value| Goal::at_most("requests that fail when a node is killed", value, 0.0, 0));
    section.push(rate);
    section.push(lost);
}

/// One of two nodes hangs.
fn hanging(section: &mut Section) {
    const STOP: Duration = Duration::from_millis(1500);
    const LATER: Duration = Duration::from_millis(4500);
    const END: Duration = Duration::from_millis(6000);
    let mut rate = Row::plain("closed, a node hangs, rate 3 s later / before", 2);
    let mut slow = Row::plain("the same, slow requests for each client", 2);
    let mut lost = Row::plain("the same, failed", 0);
    for kind in Kind::RELAYS {
        let mut farm = Farm::start(2);
        let server = Running::start(farm.site(kind, &CAREFUL));
        let shots = closed(&server, END, |start| {
            shots::at(start, STOP);
            farm.nodes[1].signal(libc::SIGSTOP);
            shots::at(start, END);
            // Those who still wait for it are let go.
            farm.nodes[1].signal(libc::SIGKILL);
        });
        let before = shots::rate(&shots, Duration::ZERO, STOP);
        rate.values[kind.column()] = Some(shots::rate(&shots, LATER, END) / before);
        let count = shots.iter().filter(|shot| shot.took >= SLOW).count();
        slow.values[kind.column()] = Some(count as f64 / CLOSED.0 as f64);
        lost.values[kind.column()] = Some(shots::failed(&shots) as f64);
    }
    aim(section, &rate, |value| {
        Goal::at_least("rate 3 s after a node began to hang / before", value, 0.9, 2)
    });
    let what = "slow requests for each client when a node hangs";
    aim(section, &slow, |value| Goal::at_most(what, value, 1.0, 2));
    for row in [rate, slow, lost] {
        section.push(row);
    }
}

/// The only node is restarted, which takes a second; requests may wait.
fn only_node_restarted(section: &mut Section) {
    const KILL: Duration = Duration::from_secs(1);
    const RESTART: Duration = Duration::from_secs(2);
    let mut lost = Row::plain("steady, the only node restarted in 1 s, failed", 0);
    for kind in Kind::RELAYS {
        let mut farm = Farm::start(1);
        let shape = Shape { threads: 256, own: "queue_size=400 queue_timeout=5000", ..CAREFUL };
        let server = Running::start(farm.site(kind, &shape));
        let work = Work::get("/app/node", 0, Some(2));
        let pace = Pace::PerSecond(STEADY.1);
        let shots = shots::run(server.site.port, &work, 250, pace, Duration::from_secs(4), |start| {
            shots::at(start, KILL);
            farm.nodes[0].signal(libc::SIGKILL);
            shots::at(start, RESTART);
            farm.start_again(1);
        });
        lost.values[kind.column()] = Some(shots::failed(&shots) as f64);
    }
    let what = "the only node restarted with a queue_timeout of 5 s, failed";
    aim(section, &lost, |value| Goal::at_most(what, value, 0.0, 0));
    section.push(lost);
}

fn aim(section: &mut Section, row: &Row, goal: impl FnOnce(f64) -> Goal) {
    section.goals.push(goal(row.values[Kind::Rust.column()].unwrap_or(f64::NAN)));
}
