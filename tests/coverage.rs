//! No directive and no property without a test of its effect.
//!
//! Tests declare with `covers!` which names they show the effect of. This test reads their sources, prints which tests
//! belong to which name (`cargo test --test coverage -- --nocapture`), and fails when a name has none.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mod_jk_rs::engine::config::defs::{self, Group};
use mod_jk_rs::httpd::directives;

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names in `covers!(…)` with the tests they stand in.
fn declared() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for directory in ["directives", "properties", "live_balance", "live_failover"] {
        for entry in fs::read_dir(tests.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            let text = read(&path);
            let file = format!("{directory}/{}", path.file_stem().unwrap().to_string_lossy());
            // Tests, and functions that a macro makes tests of.
            let mut pieces = text.split("\nfn ");
            let mut marked = pieces.next().is_some_and(|opening| opening.ends_with("#[test]"));
            for function in pieces {
                let name = function.split('(').next().expect("a name");
                let lists = function.split("covers!(").skip(1).map(|rest| rest.split(')').next().unwrap());
                let names: Vec<&str> = lists.flat_map(|list| list.split('"').skip(1).step_by(2)).collect();
                assert!(!marked || !names.is_empty(), "{file}: {name} does not say what it covers");
                marked = function.ends_with("#[test]");
                for covered in names {
                    found.entry(covered.to_owned()).or_default().push(format!("{file}::{name}"));
                }
            }
        }
    }
    found
}

#[test]
fn every_directive_and_property_has_a_test_of_its_effect() {
    let declared = declared();
    let directives = directives::COMMANDS.iter().map(|command| command.name.to_string_lossy().into_owned());
    let properties =
        defs::table().iter().filter(|def| def.group != Group::Status).map(|def| def.name.to_owned());
    let names: Vec<String> = directives.chain(properties).collect();
    let mut missing = Vec::new();
    for name in &names {
        match declared.get(name) {
            Some(tests) => println!("{name}: {}", tests.join(", ")),
            None => missing.push(name),
        }
    }
    assert!(missing.is_empty(), "without a test: {missing:?}");
    let unknown: Vec<&String> = declared.keys().filter(|name| !names.contains(name)).collect();
    assert!(unknown.is_empty(), "no directive and no property: {unknown:?}");
}
