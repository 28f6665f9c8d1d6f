//! Instructions in user space per request: repeatable to a few in a thousand, also on a busy machine.

use crate::Plan;
use crate::callgrind;
use crate::report::{Goal, Row, Section};
use crate::server::Kind;
use crate::traced::{Request, Way};

struct Case {
    name: &'static str,
    rules: usize,
    request: Request,
    kinds: &'static [Kind],
    /// Most instructions mod_jk_rs should need.
    reach: Option<f64>,
    /// Part of a quick run.
    quick: bool,
}

const CASES: [Case; 7] = [
    Case {
        name: "1 KB GET, 1 mount rule",
        rules: 1,
        request: Request::Size(1024),
        kinds: &Kind::ALL,
        reach: Some(28_000.0),
        quick: true,
    },
    Case {
        name: "1 KB GET, 10 mount rules",
        rules: 10,
        request: Request::Size(1024),
        kinds: &[Kind::Rust],
        reach: None,
        quick: true,
    },
    Case {
        name: "1 KB GET, 2,000 mount rules",
        rules: 2000,
        request: Request::Size(1024),
        kinds: &Kind::RELAYS,
        reach: Some(29_000.0),
        quick: false,
    },
    Case {
        name: "1 KB GET, 10,000 mount rules",
        rules: 10_000,
        request: Request::Size(1024),
        kinds: &[Kind::Rust],
        reach: None,
        quick: true,
    },
    Case {
        name: "1 KB file that matches none of 2,000 rules",
        rules: 2000,
        request: Request::Plain,
        kinds: &Kind::ALL,
        reach: Some(29_000.0),
        quick: false,
    },
    Case {
        name: "30 request and 30 response headers",
        rules: 1,
        request: Request::Headers(30),
        kinds: &Kind::RELAYS,
        reach: Some(90_000.0),
        quick: true,
    },
    Case {
        name: "64 KB GET",
        rules: 1,
        request: Request::Size(65_536),
        kinds: &Kind::ALL,
        reach: None,
        quick: false,
    },
];

/// Most that 10,000 rules may cost over 10, as a factor: the noise of this method.
const RULES_NOISE: f64 = 1.01;

/// Runs all cases.
pub(crate) fn run(plan: &Plan) -> Section {
    let mut section = Section::new(
        "Instructions per request",
        "In user space, counted by callgrind on `httpd -X` with one client, start-up subtracted; the kernel's share is not in it.",
    );
    let (mut ten, mut ten_thousand) = (0.0, 0.0);
    for case in CASES.iter().filter(|case| case.quick || !plan.quick) {
        let mut row = Row::new(case.name);
        for kind in case.kinds {
            row.values[kind.column()] =
                Some(callgrind::per_request(*kind, Way::Rules(case.rules), case.request).total);
        }
        let ours = row.values[Kind::Rust.column()].unwrap_or(f64::NAN);
        match case.rules {
            10 => ten = ours,
            10_000 => ten_thousand = ours,
            _ => {}
        }
        if let Some(reach) = case.reach {
            section.goals.push(Goal::at_most(format!("{}, instructions", case.name), ours, reach, 0));
        }
        section.push(row);
    }
    let what = "10,000 mount rules against 10, instructions (factor; noise 0.01)";
    section.goals.push(Goal::at_most(what, ten_thousand / ten, RULES_NOISE, 3));
    section
}
