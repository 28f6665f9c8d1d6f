//! Tables on standard output and in `docs/benchmarks.md`, the bad figures as well as the good ones.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::Plan;
use crate::server::{self, Kind};

/// One line of a table.
pub(crate) struct Row {
    pub(crate) name: String,
    /// By column, see [`Kind::column`].
    pub(crate) values: [Option<f64>; 4],
    /// mod_jk_rs to mod_jk; made from the values when not set.
    pub(crate) ratio: Option<f64>,
    /// Lowest and highest ratio of all rounds.
    pub(crate) spread: Option<(f64, f64)>,
    pub(crate) more_is_better: bool,
    /// Decimals, when they differ from those of the section.
    pub(crate) decimals: Option<usize>,
    /// No ratio is shown: one of counts that should be zero says nothing.
    pub(crate) plain: bool,
}

impl Row {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            values: [None; 4],
            ratio: None,
            spread: None,
            more_is_better: false,
            decimals: None,
            plain: false,
        }
    }

    /// One without a ratio.
    pub(crate) fn plain(name: &str, decimals: usize) -> Self {
        Self { decimals: Some(decimals), plain: true, ..Self::new(name) }
    }
}

/// What was meant to be reached, and what was.
pub(crate) struct Goal {
    what: String,
    measured: f64,
    reach: f64,
    decimals: usize,
    /// It is to be reached from below, not to be exceeded.
    at_least: bool,
}

impl Goal {
    pub(crate) fn at_most(what: impl Into<String>, measured: f64, reach: f64, decimals: usize) -> Self {
        Self { what: what.into(), measured, reach, decimals, at_least: false }
    }

    pub(crate) fn at_least(what: impl Into<String>, measured: f64, reach: f64, decimals: usize) -> Self {
        Self { at_least: true, ..Self::at_most(what, measured, reach, decimals) }
    }

    /// A figure that could not be measured is not met.
    fn is_met(&self) -> bool {
        if self.at_least { self.measured >= self.reach } else { self.measured <= self.reach }
    }
}

/// A table and its goals.
pub(crate) struct Section {
    title: &'static str,
    intro: &'static str,
    pub(crate) decimals: usize,
    /// The module of httpd in this table, and what the ratio is made to.
    proxy: (&'static str, Kind),
    pub(crate) rows: Vec<Row>,
    pub(crate) goals: Vec<Goal>,
}

impl Section {
    pub(crate) fn new(title: &'static str, intro: &'static str) -> Self {
        let proxy = (Kind::ProxyAjp.name(), Kind::ModJk);
        Self { title, intro, decimals: 0, proxy, rows: Vec::new(), goals: Vec::new() }
    }

    /// One about HTTP backends: mod_proxy_http stands where mod_proxy_ajp does, and is what the ratio is made to.
    pub(crate) fn about_http(title: &'static str, intro: &'static str) -> Self {
        Self { proxy: ("mod_proxy_http", Kind::ProxyAjp), ..Self::new(title, intro) }
    }

    /// Adds a row, and shows it at once: a run takes minutes.
    pub(crate) fn push(&mut self, row: Row) {
        if !self.title.is_empty() {
            eprintln!("{}", self.line(&row));
        }
        self.rows.push(row);
    }

    /// The table in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("\n### {}\n\n{}\n\n", self.title, self.intro);
        text += "| work |";
        for kind in Kind::ALL {
            let name = if kind == Kind::ProxyAjp { self.proxy.0 } else { kind.name() };
            write!(text, " {name} |").unwrap();
        }
        let base = if self.proxy.1 == Kind::ModJk { Kind::ModJk.name() } else { self.proxy.0 };
        text += &format!(" mod_jk_rs / {base} |\n|---|---|---|---|---|---|\n");
        for row in &self.rows {
            text += &self.line(row);
            text.push('\n');
        }
        text
    }

    fn line(&self, row: &Row) -> String {
        let mut text = format!("| {} |", row.name);
        for value in row.values {
            let value =
                value.map_or_else(String::new, |value| number(value, row.decimals.unwrap_or(self.decimals)));
            write!(text, " {value} |").unwrap();
        }
        let of = |kind: Kind| row.values[kind.column()];
        let ratio = row.ratio.or_else(|| Some(of(Kind::Rust)? / of(self.proxy.1)?)).filter(|_| !row.plain);
        let mut last = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        if let Some((low, high)) = row.spread {
            write!(last, " ({low:.2} to {high:.2})").unwrap();
        }
        if row.more_is_better && ratio.is_some() {
            last += ", more is better";
        }
        write!(text, " {last} |").unwrap();
        text
    }
}

/// Digits in groups of three.
fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if index > 0 && left % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// The table of goals.
pub(crate) fn goals(sections: &[Section]) -> String {
    let mut text =
        String::from("\n### Aims\n\n| aim for mod_jk_rs | wanted | measured | |\n|---|---|---|---|\n");
    for goal in sections.iter().flat_map(|section| &section.goals) {
        let verdict = if goal.is_met() { "met" } else { "**missed**" };
        let bound = if goal.at_least { "at least" } else { "at most" };
        let (reach, measured) = (number(goal.reach, goal.decimals), number(goal.measured, goal.decimals));
        writeln!(text, "| {} | {bound} {reach} | {measured} | {verdict} |", goal.what).unwrap();
    }
    text
}

/// First line of what a command prints.
fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// Date, machine and versions.
pub(crate) fn facts(plan: &Plan) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let httpd = first_line(&server::program().display().to_string(), &["-v"]);
    let mod_jk = first_line("dpkg-query", &["-W", "-f=${Version}", "libapache2-mod-jk"]);
    let load = read("/proc/loadavg");
    format!(
        "- date: {}; commit {}\n- {}; mod_jk: {}; {}\n- kernel {}; {cores} x {}; load average at the start {}\n\
         - {} rounds{}; event MPM, one child; clients, backend and httpd share the machine",
        first_line("date", &["-u", "+%Y-%m-%d"]),
        first_line("git", &["describe", "--always", "--dirty"]),
        httpd.replace("Server version: ", ""),
        if mod_jk.is_empty() { "version unknown" } else { &mod_jk },
        first_line("rustc", &["--version"]),
        read("/proc/sys/kernel/osrelease").trim(),
        model.map_or("unknown CPU", |(_, model)| model.trim()),
        load.split(' ').next().unwrap_or_default(),
        plan.rounds,
        if plan.quick { " (quick: figures are rough)" } else { "" },
    )
}

/// Replaces what stands between the markers of `docs/benchmarks.md`.
pub(crate) fn rewrite(facts: &str, sections: &[Section], goals: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks.md");
    let old = std::fs::read_to_string(&path).expect("docs/benchmarks.md");
    let (before, rest) = old.split_once("<!-- benchmarks: results -->").expect("the marker of the results");
    let (_, after) = rest.split_once("<!-- end -->").expect("the end marker");
    let tables: String = sections.iter().map(Section::table).collect();
    let new = format!("{before}<!-- benchmarks: results -->\n{facts}\n{goals}{tables}<!-- end -->{after}");
    std::fs::write(&path, new).expect("docs/benchmarks.md");
    eprintln!("rewrote {}", path.display());
}
