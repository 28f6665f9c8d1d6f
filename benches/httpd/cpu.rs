//! CPU time of all processes of a server per request or per megabyte, in interleaved rounds.

use std::time::Duration;

use crate::Plan;
use crate::load::{self, Work};
use crate::proc;
use crate::report::{Goal, Row, Section};
use crate::server::{Backend, Kind, Running, Site};

/// Octets of a megabyte.
const MB: usize = 1_048_576;

struct Case {
    name: &'static str,
    clients: usize,
    /// Size of the response, or of the request body.
    size: usize,
    post: bool,
    /// Reported per megabyte instead of per request.
    per_mb: bool,
    /// Highest ratio to mod_jk.
    reach: Option<f64>,
}

const CASES: [Case; 5] = [
    Case {
        name: "1 KB GET, 1 client, µs per request",
        clients: 1,
        size: 1024,
        post: false,
        per_mb: false,
        reach: None,
    },
    Case {
        name: "1 KB GET, 32 clients, µs per request",
        clients: 32,
        size: 1024,
        post: false,
        per_mb: false,
        reach: Some(0.85),
    },
    Case {
        name: "64 KB GET, 8 clients, µs per request",
        clients: 8,
        size: 65_536,
        post: false,
        per_mb: false,
        reach: Some(0.65),
    },
    Case {
        name: "10 MB GET, 2 clients, µs per MB",
        clients: 2,
        size: 10 * MB,
        post: false,
        per_mb: true,
        reach: Some(0.65),
    },
    Case {
        name: "1 MB POST, 2 clients, µs per MB",
        clients: 2,
        size: MB,
        post: true,
        per_mb: true,
        reach: Some(0.85),
    },
];

/// Runs all cases.
pub(crate) fn run(plan: &Plan) -> Section {
    let mut section = Section::new(
        "CPU time of httpd",
        "User and system time of all processes of the server, from /proc/PID/task/TID/schedstat; AJP packets of 8 KB. Medians of \
         the rounds; the ratio is the median of the ratios inside each round.",
    );
    let mut rates = Section::new("", "");
    let backend = Backend::start();
    let servers = Kind::ALL.map(|kind| (kind, Running::start(Site::new(kind, 1, 32, &[&backend]))));
    let time = Duration::from_millis(if plan.quick { 250 } else { 800 });
    for case in &CASES {
        let kinds = if case.post { &Kind::ALL[1..] } else { &Kind::ALL[..] };
        let mut costs = [const { Vec::new() }; 4];
        let mut speeds = [const { Vec::new() }; 4];
        for round in 0..plan.rounds {
            // Each round begins with another one, so that nobody always runs behind the same neighbour.
            for turn in 0..kinds.len() {
                let kind = kinds[(turn + round) % kinds.len()];
                let server = &servers[kind.column()].1;
                let (cost, speed) = measure(server, case, time);
                costs[kind.column()].push(cost);
                speeds[kind.column()].push(speed);
            }
        }
        let row = compared(case.name, &costs);
        let mut rate = Row::new(case.name);
        for kind in kinds {
            rate.values[kind.column()] = Some(median(&speeds[kind.column()]));
        }
        if let Some(reach) = case.reach {
            let name = case.name.split(", µs").next().unwrap_or_default();
            let ratio = row.ratio.unwrap_or(f64::NAN);
            section.goals.push(Goal::at_most(format!("{name}, CPU (mod_jk = 1)"), ratio, reach, 2));
        }
        section.push(row);
        rates.push(rate);
    }
    for mut rate in rates.rows {
        let unit = if rate.name.contains("per MB") { "MB/s" } else { "requests/s" };
        rate.name = format!("{}, {unit}", rate.name.split(", µs").next().unwrap_or_default());
        rate.more_is_better = true;
        section.push(rate);
    }
    section
}

/// Microseconds per unit, and units per second.
fn measure(server: &Running, case: &Case, time: Duration) -> (f64, f64) {
    let prefix = server.site.prefix(0);
    let work = if case.post {
        Work::post(&format!("{prefix}/upload"), case.size)
    } else {
        Work::get(&format!("{prefix}/size/{}", case.size), 0, Some(case.size))
    };
    let units = if case.per_mb { case.size as f64 / MB as f64 } else { 1.0 };
    spent(server, &work, case.clients, time, units)
}

/// A row of medians; the ratio is the median of those inside the rounds.
pub(crate) fn compared(name: &str, rounds: &[Vec<f64>; 4]) -> Row {
    compared_to(Kind::ModJk, name, rounds)
}

/// The same with a ratio to another one than mod_jk.
pub(crate) fn compared_to(base: Kind, name: &str, rounds: &[Vec<f64>; 4]) -> Row {
    let mut row = Row::new(name);
    for kind in Kind::ALL {
        let values = &rounds[kind.column()];
        row.values[kind.column()] = (!values.is_empty()).then(|| median(values));
    }
    let (ours, theirs) = (&rounds[Kind::Rust.column()], &rounds[base.column()]);
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    row.ratio = Some(median(&ratios));
    row.spread =
        Some((ratios.iter().copied().fold(f64::MAX, f64::min), ratios.iter().copied().fold(0.0, f64::max)));
    row
}

/// Microseconds of CPU time per unit, and units per second. `units`: of one request.
pub(crate) fn spent(server: &Running, work: &Work, clients: usize, time: Duration, units: f64) -> (f64, f64) {
    let mut nanos = Vec::new();
    let done = load::run(server.site.port, work, clients, time, || {
        nanos.push(proc::cpu_nanos(&server.processes()));
    });
    let units = done.requests as f64 * units;
    let spent = nanos[1].saturating_sub(nanos[0]) as f64;
    assert!(spent > 0.0, "the system does not say how much CPU time threads used");
    (spent / 1000.0 / units, units / done.seconds)
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}
