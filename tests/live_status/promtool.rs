//! Prometheus's own tool finds nothing to complain of: the metrics of a live httpd, and the rules for alerts.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use super::api::call;
use super::desk::{builder, tell};
use crate::farm::{Farm, asked, asked_often};
use crate::support::{client, wait_until};

/// Runs promtool; panics with all it says unless it is content and silent about flaws.
fn promtool(arguments: &[&str], input: Option<&Path>) -> String {
    let input = input.map_or_else(Stdio::null, |path| File::open(path).unwrap().into());
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(input)
        .output()
        .unwrap_or_else(|error| panic!("promtool: {error}; run scripts/setup.sh test"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}: {}\n{said}", output.status);
    said
}

#[test]
fn metrics_of_a_live_server() {
    let mut farm = Farm::of(3);
    let httpd = builder(&farm, "", "persist=file").start();
    let check = |name: &str| {
        let answer = client::get(httpd.port(), "/jkstatus/metrics");
        assert_eq!(answer.status, 200);
        let file = httpd.root().join(name);
        std::fs::write(&file, &answer.body).unwrap();
        // Remarks are on standard error and do not change the status of old versions.
        assert_eq!(promtool(&["check", "metrics"], Some(&file)), "", "{}", answer.text());
        answer.text()
    };
    check("at-the-start");
    // Requests, errors, a failover, a probe, a drain, a change: every family has samples then.
    asked_often(&httpd, "/lb/x", 9);
    asked_often(&httpd, "/solo/x", 2);
    tell(&httpd, "cmd=update&w=lb&vlr=3");
    call(&httpd, "POST", "/balancers/lb/members/lb2/drain?deadline=600", None);
    farm.node_mut(1).stop_listening();
    farm.node(1).close_connections();
    wait_until("a probe", || {
        asked(&httpd, "/lb/x");
        check("later").contains("jk_probe_ok{balancer=\"lb\",worker=\"lb1\"} 0")
    });
    let text = check("at-the-end");
    for family in &mod_jk_rs::engine::status::metrics::FAMILIES {
        let start = format!("\n{}{}", family.name, if family.kind == "histogram" { "_sum" } else { "" });
        let found = ["{", " "].iter().any(|next| text.contains(&format!("{start}{next}")));
        assert!(found, "{} has no sample", family.name);
    }
}

#[test]
fn alerts_fire_when_they_should() {
    let said = promtool(&["check", "rules", "contrib/prometheus-alerts.yml"], None);
    assert!(said.contains("rules found"), "{said}");
    let said = promtool(&["test", "rules", "tests/prometheus/alerts.yml"], None);
    assert!(said.contains("SUCCESS"), "{said}");
    // Each alert is tried out.
    let read =
        |file: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let tests = read("tests/prometheus/alerts.yml");
    for line in read("contrib/prometheus-alerts.yml").lines() {
        if let Some(name) = line.trim().strip_prefix("- alert: ") {
            let fires = tests
                .match_indices(&format!("alertname: {name}\n"))
                .any(|(at, _)| tests[at..].lines().nth(1).is_some_and(|next| next.trim() == "exp_alerts:"));
            assert!(fires, "no test lets {name} fire");
        }
    }
}
