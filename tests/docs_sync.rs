//! The tables in the documentation are those of the code.
//!
//! `UPDATE_DOCS=1 cargo test --test docs_sync` writes them anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mod_jk_rs::engine::config::docs;
use mod_jk_rs::httpd::{directives, messages};

/// Compares, or with `UPDATE_DOCS` replaces, what stands between `<!-- marker -->` and `<!-- end -->`.
fn block(file: &str, marker: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = fs::read_to_string(&path).unwrap();
    let begin = format!("<!-- {marker} -->\n");
    let start = text.find(&begin).unwrap_or_else(|| panic!("{file} has no {begin}")) + begin.len();
    let end = start + text[start..].find("<!-- end -->").expect("a block has an end");
    let wanted = format!("\n{}\n\n", wanted.trim());
    if text[start..end] == wanted {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{}{wanted}{}", &text[..start], &text[end..])).unwrap();
        return;
    }
    panic!("{file}: the block \"{marker}\" is out of date; run UPDATE_DOCS=1 cargo test --test docs_sync");
}

#[test]
fn directives_in_the_readme() {
    block("README.md", "generated: directives", &directives::markdown());
}

#[test]
fn properties_in_the_readme() {
    block("README.md", "generated: properties", &docs::markdown());
}

#[test]
fn messages() {
    block("docs/messages.md", "messages", &messages::markdown());
}

/// Every difference to mod_jk has an id of its own, a reason, and a word about the old behaviour.
#[test]
fn differences_are_complete() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md")).unwrap();
    let (mut ids, mut columns) = (BTreeSet::new(), 0);
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if cells[0] == "id" {
            columns = cells.len();
            assert_eq!(cells[1..4], ["what", cells[2], "here"], "{line}");
            assert!(columns == 4 || cells[4..] == ["reason", "old behaviour"], "{line}");
        } else if !cells.iter().all(|cell| *cell == "---") {
            let id = cells[0].strip_prefix('`').and_then(|id| id.strip_suffix('`')).unwrap_or_default();
            assert!(id.starts_with("DIFF-") || id.starts_with("VERSION-"), "no id: {line}");
            assert!(ids.insert(id.to_owned()), "twice: {line}");
            assert_eq!(cells.len(), columns, "{line}");
            assert!(cells.iter().all(|cell| !cell.is_empty() && *cell != "as above"), "{line}");
        }
    }
    assert!(ids.len() > 50, "{}", ids.len());
}

/// Every message number that the code can write is documented; none is written by hand elsewhere.
#[test]
fn message_numbers_stand_in_one_place() {
    let mut stack = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            stack.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if !path.ends_with("httpd/messages.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                let mut rest = line;
                while let Some(at) = rest.find("JK0") {
                    rest = &rest[at + 3..];
                    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                    assert!(digits < 3, "{} writes a message number by hand: {line}", path.display());
                }
            }
        }
    }
}
