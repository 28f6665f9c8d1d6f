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

/// Properties of which there is nothing to see from outside as long as neither balancers nor queues are served; these unit
/// tests show that they are read.
const UNIT: [(&str, &str, &str); 9] = [
    ("lbfactor", "src/engine/config/defs/member.rs", "lbfactor"),
    ("distance", "src/engine/config/defs/member.rs", "distance"),
    ("route", "src/engine/config/defs/member.rs", "route"),
    ("domain", "src/engine/config/defs/member.rs", "domain"),
    ("redirect", "src/engine/config/defs/member.rs", "redirect"),
    ("activation", "src/engine/config/defs/member.rs", "activation"),
    ("max_in_flight", "src/engine/config/defs/queue.rs", "max_in_flight"),
    ("queue_size", "src/engine/config/defs/queue.rs", "queue_size"),
    ("queue_timeout", "src/engine/config/defs/queue.rs", "queue_timeout"),
];

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names in `covers!(…)` with the tests they stand in.
fn declared() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for directory in ["directives", "properties"] {
        for entry in fs::read_dir(tests.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            let text = read(&path);
            let file = format!("{directory}/{}", path.file_stem().unwrap().to_string_lossy());
            for test in text.split("#[test]").skip(1) {
                let name =
                    test.split("fn ").nth(1).and_then(|rest| rest.split('(').next()).expect("a function");
                let lists = test.split("covers!(").skip(1).map(|rest| rest.split(')').next().unwrap());
                let names: Vec<&str> = lists.flat_map(|list| list.split('"').skip(1).step_by(2)).collect();
                assert!(!names.is_empty(), "{file}: {name} does not say what it covers");
                for covered in names {
                    found.entry(covered.to_owned()).or_default().push(format!("{file}::{name}"));
                }
            }
        }
    }
    for (property, file, test) in UNIT {
        let text = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
        assert!(text.contains(&format!("#[test]\n    fn {test}()")), "{file} has no test {test}");
        found.entry(property.to_owned()).or_default().push(format!("{file}::{test}"));
    }
    found
}

#[test]
fn every_directive_and_property_has_a_test_of_its_effect() {
    let declared = declared();
    let directives = directives::COMMANDS.iter().map(|command| command.name.to_string_lossy().into_owned());
    let properties = defs::table()
        .iter()
        .filter(|def| !matches!(def.group, Group::Lb | Group::Status))
        .map(|def| def.name.to_owned());
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
