//! The tables in `docs/status.md` and `docs/monitoring.md` are those of the code; dashboard and alerts use metrics that exist.
//!
//! `UPDATE_DOCS=1 cargo test --test status_docs` writes the tables anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use mod_jk_rs::engine::status::metrics::{self, FAMILIES};
use mod_jk_rs::engine::status::property::{Scope, TABLE};

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn block(file: &str, marker: &str, wanted: &str) {
    let text = read(file);
    let begin = format!("<!-- {marker} -->\n");
    let start = text.find(&begin).unwrap() + begin.len();
    let end = start + text[start..].find("<!-- end -->").unwrap();
    let wanted = format!("\n{}\n\n", wanted.trim());
    if text[start..end] == wanted {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_DOCS").is_some(),
        "{file}: the block \"{marker}\" is out of date; run UPDATE_DOCS=1 cargo test --test status_docs"
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::write(path, format!("{}{wanted}{}", &text[..start], &text[end..])).unwrap();
}

#[test]
fn settings() {
    let mut text = String::from("| Parameter | Property | Of | Accepted |\n|---|---|---|---|\n");
    for row in &TABLE {
        let of = match row.scope {
            Scope::Balancer => "balancers",
            Scope::Member => "members",
            Scope::Backend => "members, AJP workers",
        };
        writeln!(text, "| `{}` | `{}` | {of} | {} |", row.parameter, row.name, row.accepts).unwrap();
    }
    block("docs/status.md", "settings", &text);
}

#[test]
fn the_metrics() {
    block("docs/monitoring.md", "metrics", &metrics::markdown());
}

/// Names of metrics in a text.
fn used(text: &str) -> Vec<&str> {
    let name = |b: char| b.is_ascii_alphanumeric() || b == '_';
    text.split(|c| !name(c)).filter(|word| word.starts_with("jk_") && *word != "jk_").collect()
}

#[test]
fn dashboard_and_alerts_use_metrics_that_exist() {
    for file in ["contrib/grafana-dashboard.json", "contrib/prometheus-alerts.yml", "docs/monitoring.md"] {
        let text = read(file);
        let names = used(&text);
        assert!(names.len() > 8, "{file}");
        for name in names {
            let exists = FAMILIES.iter().any(|family| {
                let base = if family.kind == "histogram" { name.trim_end_matches("_bucket") } else { name };
                base == family.name
            });
            assert!(exists, "{file}: {name}");
        }
    }
    let board: serde_json::Value = serde_json::from_str(&read("contrib/grafana-dashboard.json")).unwrap();
    assert!(board["panels"].as_array().unwrap().len() > 8);
}
