//! Nanoseconds for the way of one request through a balancer: choosing a member, counting it in, counting it out. By method,
//! number of members, and whether a session names the member. Run with `cargo bench --bench balance`.
//!
//! `cargo bench --bench balance -- METHOD MEMBERS sticky|new LOOPS` does LOOPS requests of one line and prints nothing, for
//! tools that count instructions.
#![allow(clippy::print_stdout)] // The table is the product.

use std::hint::black_box;
use std::time::{Duration, Instant};

use mod_jk_rs::engine::balance::rounds::{Next, Rounds};
use mod_jk_rs::engine::balance::state::{BalancerState, Cell, MemberState, WorkerState};
use mod_jk_rs::engine::balance::{Ask, Balancer, Configured, Context, Member, Outcome, Settings};
use mod_jk_rs::engine::config::model::{Activation, Method, ReplyTimeouts};
use mod_jk_rs::engine::units::Tick;

fn settings(method: Method) -> Settings {
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
        slow_start: Duration::from_secs(30),
        retry_budget: Some(20),
        probed: true,
    }
}

/// Calls `run` with a balancer of so many members of weights 1, 2, 3 in turn.
fn with_balancer<T>(method: Method, members: u32, run: impl FnOnce(&Balancer<'_>) -> T) -> T {
    let states: Vec<_> = (0..members).map(|_| (MemberState::default(), WorkerState::default())).collect();
    let shared = BalancerState::default();
    let list = states.iter().enumerate().map(|(number, (state, worker))| {
        let name: Box<str> = format!("node{number}").into();
        Member {
            route: name.clone(),
            name,
            domain: "".into(),
            redirect: "".into(),
            has_queue: false,
            state,
            worker,
        }
    });
    let mut balancer = Balancer::new("lb".into(), settings(method), list.collect(), &shared);
    let configured =
        |number| Configured { activation: Activation::Active, factor: number % 3 + 1, distance: 0 };
    balancer.adopt(&(0..members).map(configured).collect::<Vec<_>>());
    run(&balancer)
}

fn requests(balancer: &Balancer<'_>, sticky: bool, loops: u64) -> u64 {
    let last = format!("0123456789ABCDEF.node{}", balancer.members.len() - 1);
    let session = [last.as_bytes()];
    let sessions: &[&[u8]] = if sticky { &session } else { &[] };
    let cell = Cell::default();
    let mut served = 0;
    for number in 0..loops {
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let now = Tick(1_000_000 + number);
        let ask = Ask {
            route: None,
            sessions,
            owner: None,
            stateless: false,
            overrides: &[],
            key: random,
            random,
            now,
        };
        let mut rounds = Rounds::new(balancer);
        let Next::Try(pick) = rounds.next(black_box(&ask)) else { continue };
        let flight = balancer.members.get(pick.member).map(|member| member.worker.gauge.enter(&cell));
        let context = Context {
            sent: 500,
            received: 8000,
            first_octet: Some(Duration::from_micros(900)),
            now,
            others_in_work: false,
        };
        rounds.ended(Outcome::Success, &context);
        drop(flight);
        served += u64::from(black_box(rounds.decision().tries()) == 1);
    }
    served
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let [method, members, case, loops] = match <[String; 4]>::try_from(words) {
        Ok(words) => words,
        Err(_) => return table(),
    };
    let found = Method::WORDS.into_iter().find(|(word, _)| *word == method);
    if let (Some((_, method)), Ok(members), Ok(loops)) = (found, members.parse(), loops.parse()) {
        black_box(with_balancer(method, members, |balancer| requests(balancer, case == "sticky", loops)));
    }
}

fn table() {
    println!("{:<10}{:>8}{:>10}{:>10}   ns per request", "method", "members", "sticky", "new");
    for (name, method) in Method::WORDS {
        for members in [2, 64, 1000] {
            let loops: u64 = 20_000_000 / (u64::from(members) + 100);
            let columns = [true, false].map(|sticky| {
                with_balancer(method, members, |balancer| {
                    let start = Instant::now();
                    assert_eq!(requests(balancer, sticky, loops), loops, "{name}");
                    start.elapsed().as_secs_f64() * 1e9 / loops as f64
                })
            });
            println!("{name:<10}{members:>8}{:>10.1}{:>10.1}", columns[0], columns[1]);
        }
    }
}
