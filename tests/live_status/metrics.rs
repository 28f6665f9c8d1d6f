//! Metrics for Prometheus, read by a strict reader.

use std::collections::{HashMap, HashSet};

use super::desk::{ask, builder, tell};
use crate::farm::{Farm, asked, asked_often};
use crate::support::{Httpd, client, wait_until};

/// The samples by name with labels; panics on whatever promtool would complain of.
fn scrape(httpd: &Httpd) -> HashMap<String, f64> {
    let answer = client::get(httpd.port(), "/jkstatus/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let (mut samples, mut types, mut helped) = (HashMap::new(), HashMap::new(), HashSet::new());
    let mut current = String::new();
    let text = answer.text();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect(line);
            assert!(helped.insert(name.to_owned()) && !help.is_empty(), "{line}");
            current = name.to_owned();
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect(line);
            assert!(name == current && matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            types.insert(name.to_owned(), kind.to_owned());
            continue;
        }
        let (name, number) = line.rsplit_once(' ').expect(line);
        let family = name.split('{').next().unwrap();
        let base = match types[&current].as_str() {
            "histogram" => ["_bucket", "_sum", "_count"].iter().find_map(|end| family.strip_suffix(end)),
            _ => Some(family),
        };
        assert_eq!(base, Some(current.as_str()), "{line}: samples of a family stand together");
        assert!(samples.insert(name.to_owned(), number.parse().expect(line)).is_none(), "twice: {line}");
    }
    samples
}

#[test]
fn requests_times_and_errors_are_counted() {
    let mut farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    asked_often(&httpd, "/lb/x", 9);
    asked_often(&httpd, "/solo/x", 4);
    let seen = scrape(&httpd);
    let solo = "{balancer=\"\",worker=\"solo\"}";
    assert_eq!(seen[&format!("jk_requests_total{solo}")], 4.0);
    assert_eq!(seen["jk_requests_total{balancer=\"lb\",worker=\"lb1\"}"], 3.0);
    assert_eq!(seen[&format!("jk_request_seconds_count{solo}")], 4.0);
    assert_eq!(seen[&format!("jk_first_byte_seconds_count{solo}")], 4.0);
    assert!(seen[&format!("jk_connect_seconds_count{solo}")] >= 1.0);
    assert!(seen[&format!("jk_sent_bytes_total{solo}")] > 100.0);
    tell(&httpd, "cmd=reset&w=solo");
    assert_eq!(scrape(&httpd)[&format!("jk_requests_total{solo}")], 4.0, "a reset does not touch counters");
    farm.node_mut(1).stop_listening();
    farm.node(1).close_connections();
    wait_until("a failover", || {
        asked(&httpd, "/lb/x");
        scrape(&httpd)["jk_failovers_total{balancer=\"lb\",worker=\"lb1\"}"] > 0.0
    });
    let seen = scrape(&httpd);
    let errors =
        |cause: &str| seen[&format!("jk_errors_total{{balancer=\"lb\",worker=\"lb1\",cause=\"{cause}\"}}")];
    assert!(errors("connect") + errors("broken") + errors("ping") > 0.0, "{seen:?}");
    wait_until("a probe", || {
        scrape(&httpd)["jk_probes_total{balancer=\"lb\",worker=\"lb1\",result=\"failed\"}"] > 0.0
    });
}

#[test]
fn requests_without_a_thread_are_counted() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").conf("JkAsync On\nJkAsyncDelay 0\n").servers(2).start();
    assert_eq!(scrape(&httpd)["jk_parked"], 0.0);
    let held = crate::farm::hold(&httpd, "/solo/delay/2000", 6);
    wait_until("all of them wait", || scrape(&httpd)["jk_parked"] == 6.0);
    assert_eq!(scrape(&httpd)["jk_in_flight{balancer=\"\",worker=\"solo\"}"], 6.0);
    for request in held {
        assert_eq!(request.join().unwrap().status, 200);
    }
    wait_until("nobody waits any more", || scrape(&httpd)["jk_parked"] == 0.0);
}

#[test]
fn refusals_and_queues_of_balancers_are_counted() {
    let farm = Farm::of(1);
    let httpd = builder(&farm, "queue_size=5 queue_timeout=20000", "").start();
    tell(&httpd, "cmd=update&w=lb&sw=lb1&vwa=s");
    let held = crate::farm::hold(&httpd, "/lb/x", 2);
    wait_until("two wait", || scrape(&httpd)["jk_balancer_queued{balancer=\"lb\"}"] == 2.0);
    tell(&httpd, "cmd=update&w=lb&sw=lb1&vwa=a");
    for request in held {
        assert_eq!(request.join().unwrap().status, 200);
    }
    assert_eq!(scrape(&httpd)["jk_balancer_queued{balancer=\"lb\"}"], 0.0);
    assert_eq!(scrape(&httpd)["jk_balancer_refused_total{balancer=\"lb\"}"], 0.0);
    let without = builder(&farm, "", "").start();
    tell(&without, "cmd=update&w=lb&sw=lb1&vwa=s");
    assert_eq!(asked(&without, "/lb/x"), "503");
    assert_eq!(scrape(&without)["jk_balancer_refused_total{balancer=\"lb\"}"], 1.0);
}

#[test]
fn session_ids_are_counted() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    for (id, times) in [("a.n1", 3), ("a.nowhere", 2), ("bare", 1)] {
        for _ in 0..times {
            crate::farm::asked_with(&httpd, "/lb/x", ("Cookie", &format!("JSESSIONID={id}")));
        }
    }
    let seen = scrape(&httpd);
    for (route, count) in [("known", 3.0), ("unknown", 2.0), ("none", 1.0)] {
        assert_eq!(
            seen[&format!("jk_balancer_sessions_total{{balancer=\"lb\",route=\"{route}\"}}")],
            count,
            "{route}"
        );
    }
    assert_eq!(ask(&httpd, "mime=prometheus").status, 200);
}
