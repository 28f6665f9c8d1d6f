//! Nanoseconds for one decision on a request's path, by number and kind of rules. Run with `cargo bench --bench mapping`.
//!
//! `cargo bench --bench mapping -- KIND RULES CASE LOOPS` does LOOPS decisions of one line and prints nothing, for tools
//! that count instructions.
#![allow(clippy::print_stdout)] // The table is the product.

use std::hint::black_box;
use std::time::Instant;

use mod_jk_rs::engine::route::extensions::Extensions;
use mod_jk_rs::engine::route::matcher::UriMap;
use mod_jk_rs::engine::route::rules::{Kind, Origin, RuleSpec, Source};
use mod_jk_rs::engine::route::{Decision, Options, Scratch, decide};

type Pattern = fn(usize) -> String;

/// Name, patterns, and paths that hit the last rules and miss all of them.
const KINDS: [(&str, Pattern, Pattern, &str); 6] = [
    ("exact", |n| format!("/app/page{n}"), |n| format!("/app/page{}", n - 1), "/app/page/index.html"),
    (
        "prefix",
        |n| format!("/app{n}/*"),
        |n| format!("/app{}/a/index.html", n - 1),
        "/static/images/logo.png",
    ),
    ("suffix", |n| format!("/*.ext{n}"), |n| format!("/a/b/file.ext{}", n - 1), "/static/images/logo.png"),
    ("mixed", mixed, |n| format!("/app{}/page", (n - 1) / 4 * 4), "/static/images/logo.png"),
    ("general", |n| format!("/*/x{n}/*"), |n| format!("/a/x{}/index.html", n - 1), "/static/images/logo.png"),
    ("anywhere", |n| format!("/*q{n}z*"), |n| format!("/a/q{}z/index", n - 1), "/static/images/logo.png"),
];

fn mixed(number: usize) -> String {
    match number % 4 {
        0 => format!("/app{number}/*"),
        1 => format!("/app{}/*.ext{number}", number - 1),
        2 => format!("/*.ext{number}"),
        _ => format!("/*/x{number}/*"),
    }
}

fn map(pattern: Pattern, rules: usize) -> UriMap {
    let rule = |number: usize| RuleSpec {
        pattern: pattern(number).into_bytes().into(),
        worker: (*b"w").into(),
        kind: Kind::Mount,
        disabled: false,
        source: Source::Directive,
        order: u32::try_from(number).unwrap_or(u32::MAX),
        extensions: Extensions::default(),
        origin: Origin::default(),
    };
    UriMap::build((0..rules).map(rule).collect())
}

fn run(map: &UriMap, path: &str, loops: usize) -> usize {
    let mut scratch = Scratch::default();
    let options = Options::default();
    let mut mapped = 0;
    for _ in 0..loops {
        let path = black_box(path.as_bytes());
        let decision = decide(Some(map), path, path, &options, &mut scratch);
        mapped += usize::from(matches!(black_box(decision), Decision::Mapped { .. }));
    }
    mapped
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let [kind, rules, case, loops] = match <[String; 4]>::try_from(words) {
        Ok(words) => words,
        Err(_) => return table(),
    };
    let parse = |text: &str| text.parse::<usize>().unwrap_or(1);
    for (name, pattern, hit, miss) in KINDS {
        if name == kind {
            let path = if case == "hit" { hit(parse(&rules)) } else { miss.to_owned() };
            black_box(run(&map(pattern, parse(&rules)), &path, parse(&loops)));
        }
    }
}

fn table() {
    const LOOPS: usize = 300_000;
    println!("{:<10}{:>8}{:>10}{:>10}   ns per decision", "kind", "rules", "hit", "miss");
    for (name, pattern, hit, miss) in KINDS {
        for rules in [1, 100, 10_000] {
            let map = map(pattern, rules);
            let mut columns = [0.0; 2];
            for (column, (path, wanted)) in
                columns.iter_mut().zip([(hit(rules), LOOPS), (miss.to_owned(), 0)])
            {
                let start = Instant::now();
                let mapped = run(&map, &path, LOOPS);
                *column = start.elapsed().as_secs_f64() * 1e9 / LOOPS as f64;
                assert_eq!(mapped, wanted, "{name} {path}");
            }
            println!("{name:<10}{rules:>8}{:>10.1}{:>10.1}", columns[0], columns[1]);
        }
    }
}
