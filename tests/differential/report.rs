//! Collects differences, asks the allow-list about each, and tells in the end what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::allowed::ALLOWED;
use crate::case::{World, host_name};
use crate::run::{Difference, Pair};

/// Failures shown in full, unless `DIFF_SHOW` says otherwise.
const SHOWN: usize = 25;

/// What the run has brought to light.
#[derive(Default)]
pub struct Report {
    cases: usize,
    generated: usize,
    /// Cases with at least one difference, all of them allowed.
    allowed: usize,
    /// For how many differences of the cases chosen by hand each entry answered.
    used: BTreeMap<&'static str, usize>,
    failures: Vec<String>,
}

impl Report {
    /// Takes the results of a world.
    pub fn world(&mut self, world: &World, pairs: &[Pair<'_>]) {
        for pair in pairs {
            self.cases += 1;
            self.generated += usize::from(world.generated);
            let differences = pair.differences();
            let mut open = Vec::new();
            for difference in &differences {
                match ALLOWED.iter().find(|entry| (entry.covers)(pair, difference)) {
                    Some(entry) if !world.generated => *self.used.entry(entry.id).or_default() += 1,
                    Some(_) => {}
                    None => open.push(difference),
                }
            }
            if open.is_empty() {
                self.allowed += usize::from(!differences.is_empty());
            } else {
                self.failures.push(describe(pair, &open));
            }
        }
    }

    /// Takes the outcome of a configuration: whether both accept it, and the entry for it where they do not agree.
    pub fn configuration(&mut self, conf: &str, theirs: &str, ours: &str, row: Option<&'static str>) {
        self.cases += 1;
        match (theirs == ours, row) {
            (true, None) => {}
            (false, Some(row)) => {
                self.allowed += 1;
                *self.used.entry(row).or_default() += 1;
            }
            (true, Some(row)) => {
                self.failures
                    .push(format!("configuration: {conf}\n    is {ours} for both, but has the row {row}"));
            }
            (false, None) => {
                self.failures
                    .push(format!("configuration: {conf}\n    mod_jk: {theirs}\n    here:   {ours}"));
            }
        }
    }

    /// Fails when something is not as it should be. `complete`: all cases were run, so every entry must have been used.
    pub fn finish(mut self, complete: bool) {
        let documented = documented();
        let rows: BTreeSet<&str> =
            ALLOWED.iter().map(|entry| entry.row).chain(crate::configtest::rows()).collect();
        for row in rows {
            if !documented.contains(row) {
                self.failures.push(format!("docs/differences.md has no row {row}"));
            }
        }
        if complete {
            for entry in ALLOWED.iter().filter(|entry| !self.used.contains_key(entry.id)) {
                self.failures
                    .push(format!("the entry {} ({}) was not needed; remove it", entry.id, entry.row));
            }
        }
        println!(
            "{} cases, {} of them generated; {} with allowed differences only, {} failures",
            self.cases,
            self.generated,
            self.allowed,
            self.failures.len()
        );
        for (entry, count) in &self.used {
            println!("    {entry}: {count}");
        }
        let shown = std::env::var("DIFF_SHOW").ok().and_then(|text| text.parse().ok()).unwrap_or(SHOWN);
        for failure in self.failures.iter().take(shown) {
            println!("\n{failure}");
        }
        assert!(
            self.failures.is_empty(),
            "{} failures, the first {shown} are shown above",
            self.failures.len()
        );
    }
}

/// Ids of the rows in docs/differences.md: the first cell of each, in backquotes.
fn documented() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md");
    let text = std::fs::read_to_string(path).expect("docs/differences.md");
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    cells.map(|(id, _)| id.to_owned()).collect()
}

fn describe(pair: &Pair<'_>, open: &[&Difference]) -> String {
    let case = pair.case;
    let number = match pair.number {
        usize::MAX => "the request log".to_owned(),
        number => format!("case {number}"),
    };
    let mut text = format!("world {}, {number}, host {}\n", pair.world.name, host_name(case.vhost));
    for line in
        pair.world.main.lines().chain(pair.world.conf_of(case).lines()).filter(|line| !line.is_empty())
    {
        text += &format!("    | {line}\n");
    }
    let raw = crate::observe::latin(&case.raw(pair.number, &host_name(case.vhost)));
    for line in raw.lines().take(30) {
        text += &format!("    > {}\n", shorten(line));
    }
    if !case.answers.is_empty() {
        text += &format!("    < {}\n", shorten(&format!("{:?}", case.answers)));
    }
    for difference in open {
        let show = |value: &Option<String>| {
            value.as_ref().map_or_else(|| "(not there)".into(), |text| shorten(text))
        };
        text += &format!(
            "    {}\n        mod_jk: {}\n        here:   {}\n",
            difference.field,
            show(&difference.theirs),
            show(&difference.ours)
        );
    }
    text
}

fn shorten(text: &str) -> String {
    let shown: String = text.chars().take(300).collect();
    shown.escape_debug().to_string()
}
