//! mod_jk_rs next to mod_jk, mod_proxy_ajp and httpd's own files, on one machine and in one run (`make bench`).
//!
//! Each figure of a peer is taken in the same run as ours: CPU in interleaved rounds, with the ratio to mod_jk made inside
//! each round and the median of those reported; instructions and system calls as the difference of two runs of different
//! length, so that starting and stopping cancel out. All servers have the same configuration but for the module: event MPM,
//! one child, no access log, log level warn. The backend is the example `ajp_backend`.
//!
//! | variable | meaning |
//! |---|---|
//! | `BENCH_ONLY` | sections, separated by commas: `instructions`, `balancing`, `failover`, `calls`, `cpu`, `http`, `tls`, `memory`, `waiting`, `tunnels`; or `profile` (which functions) |
//! | `BENCH_ROUNDS` | rounds of what is measured in rounds (7) |
//! | `BENCH_QUICK=1` | few and short rounds: to see that all is well, not to report |
//! | `BENCH_PROFILE` | the work to profile: `1k` (default), `64k`, `headers`, an HTTP worker: `http`, `http10m`, or a balancer: `lb2`, `lb2sticky`, `lb64`, `lb64sticky` |
//! | `BENCH_TUNNELS` | WebSockets of the section `tunnels` (5000) |
//!
//! `docs/benchmarks.md` is rewritten by a complete run only: all sections, not quick.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench"
)]

#[path = "../../tests/support/mod.rs"]
mod support;

mod balancing;
mod callgrind;
mod calls;
mod cpu;
mod failover;
mod farm;
mod http;
mod instructions;
mod load;
mod memory;
mod proc;
mod profile;
mod report;
mod server;
mod shots;
mod tls;
mod traced;
mod tunnels;
mod waiting;

use report::Section;
use server::Kind;

/// How much is measured.
struct Plan {
    only: Option<String>,
    rounds: usize,
    quick: bool,
}

impl Plan {
    fn from_environment() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let quick = variable("BENCH_QUICK").is_some_and(|value| value != "0");
        let rounds = variable("BENCH_ROUNDS").map(|text| text.parse().expect("BENCH_ROUNDS is a number"));
        Self {
            only: variable("BENCH_ONLY"),
            rounds: rounds.unwrap_or(if quick { 3 } else { 7 }).max(1),
            quick,
        }
    }

    fn wants(&self, section: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only.split(',').any(|name| name.trim() == section))
    }
}

/// Measures one section.
type Run = fn(&Plan) -> Section;

fn main() {
    let plan = Plan::from_environment();
    if plan.only.as_deref() == Some("profile") {
        let http = std::env::var("BENCH_PROFILE").is_ok_and(|work| work.starts_with("http"));
        for kind in if http { [Kind::Rust, Kind::ProxyAjp] } else { [Kind::Rust, Kind::ModJk] } {
            profile::run(kind);
        }
        return;
    }
    let started = std::time::Instant::now();
    let facts = report::facts(&plan);
    println!("{facts}");
    let runs: [(&str, Run); 10] = [
        ("instructions", instructions::run),
        ("balancing", balancing::run),
        ("failover", failover::run),
        ("calls", calls::run),
        ("cpu", cpu::run),
        ("http", http::run),
        ("tls", tls::run),
        ("memory", memory::run),
        ("waiting", waiting::run),
        ("tunnels", tunnels::run),
    ];
    let mut sections = Vec::new();
    let mut broken = Vec::new();
    for (name, run) in runs {
        if !plan.wants(name) {
            continue;
        }
        // What was measured in half an hour is not lost with one section; what has failed is said.
        match std::panic::catch_unwind(|| run(&plan)) {
            Ok(section) => {
                println!("{}", section.table());
                sections.push(section);
            }
            Err(_) => broken.push(name),
        }
    }
    let mut facts = facts;
    for name in &broken {
        facts.push_str(&format!("\n- the section {name} failed in this run"));
    }
    let goals = report::goals(&sections);
    println!("{goals}");
    eprintln!("measured in {} s", started.elapsed().as_secs());
    if plan.quick || plan.only.is_some() {
        eprintln!("docs/benchmarks.md is left alone: only a complete run rewrites it");
    } else {
        report::rewrite(&facts, &sections, &goals);
    }
    assert!(broken.is_empty(), "sections that failed: {broken:?}");
}
