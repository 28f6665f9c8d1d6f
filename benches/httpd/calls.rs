//! System calls per request, counted by strace on `httpd -X` with one client, start-up subtracted.
//!
//! strace makes system calls slow, so how often httpd's threads wake each other differs a little from a free run.

use std::collections::BTreeMap;

use crate::Plan;
use crate::report::{Goal, Row, Section};
use crate::server::Kind;
use crate::traced::{self, Request, Way};

struct Case {
    name: &'static str,
    request: Request,
    /// Requests of the short and the long run.
    runs: [usize; 2],
    kinds: &'static [Kind],
    reach: Option<f64>,
}

const MB: usize = 1_048_576;

const CASES: [Case; 4] = [
    Case {
        name: "1 KB GET",
        request: Request::Size(1024),
        runs: [100, 600],
        kinds: &Kind::ALL,
        reach: Some(15.0),
    },
    Case {
        name: "64 KB GET",
        request: Request::Size(65_536),
        runs: [100, 600],
        kinds: &Kind::ALL,
        reach: None,
    },
    Case {
        name: "10 MB GET",
        request: Request::Size(10 * MB),
        runs: [2, 12],
        kinds: &Kind::ALL,
        reach: None,
    },
    Case {
        name: "1 MB POST",
        request: Request::Upload(MB),
        runs: [5, 45],
        kinds: &Kind::RELAYS,
        reach: None,
    },
];

/// Runs all cases.
pub(crate) fn run(_: &Plan) -> Section {
    let mut section = Section::new(
        "System calls per request",
        "Counted by `strace -f -c` on `httpd -X` with one client, start-up subtracted. About 5 of those of a GET are futex calls with which \
         httpd's threads hand a connection over, for every module.",
    );
    section.decimals = 1;
    for case in &CASES {
        let mut row = Row::new(case.name);
        for kind in case.kinds {
            row.values[kind.column()] = Some(named(*kind, Way::Rules(1), case.request, case.runs, case.name));
        }
        if let Some(reach) = case.reach {
            let ours = row.values[Kind::Rust.column()].unwrap_or(f64::NAN);
            section.goals.push(Goal::at_most(
                format!("{}, system calls, 1 client", case.name),
                ours,
                reach,
                1,
            ));
        }
        section.push(row);
    }
    section
}

/// How many a request needs; which ones they are is printed.
pub(crate) fn named(kind: Kind, way: Way, request: Request, runs: [usize; 2], name: &str) -> f64 {
    let calls = per_request(kind, way, request, runs);
    let names: Vec<String> =
        calls.iter().filter(|(_, n)| **n >= 0.05).map(|(name, n)| format!("{name} {n:.1}")).collect();
    eprintln!("{name}, {} ({way:?}): {}", kind.name(), names.join(", "));
    calls.values().sum()
}

fn per_request(kind: Kind, way: Way, request: Request, runs: [usize; 2]) -> BTreeMap<String, f64> {
    let [short, mut long] = runs.map(|count| {
        let site = traced::run(kind, way, request, count, |out| {
            ["strace", "-f", "-c", "-o"]
                .map(str::to_owned)
                .into_iter()
                .chain([format!("{out}/strace")])
                .collect()
        });
        summary(&site.root.read("run/strace"))
    });
    for (name, count) in &mut long {
        *count = (*count - short.get(name).unwrap_or(&0.0)) / (runs[1] - runs[0]) as f64;
    }
    long
}

/// Lines `% time, seconds, usecs/call, calls, [errors,] name`.
fn summary(text: &str) -> BTreeMap<String, f64> {
    let rows = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let calls = fields.get(3)?.parse().ok()?;
        let name = fields.last().filter(|name| **name != "total" && fields.len() >= 5)?;
        Some(((*name).to_owned(), calls))
    });
    let counts: BTreeMap<String, f64> = rows.collect();
    assert!(!counts.is_empty(), "strace counted nothing: {text}");
    counts
}
