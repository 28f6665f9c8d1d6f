//! What access logs and the request log can tell about members.

use std::collections::BTreeMap;

use crate::effect::covers;
use crate::farm::{Farm, asked, asked_with, mounts};
use crate::support::{Httpd, wait_until};

const NOTES: [&str; 10] =
    ["NAME", "VALUE", "ACCESSED", "SESSIONS", "READ", "TRANSFERRED", "ERRORS", "BUSY", "ACTIVATION", "STATE"];

/// `LogFormat` with all notes as `key=value|`.
fn format() -> String {
    let members =
        ["FIRST", "LAST"].iter().flat_map(|which| NOTES.map(|note| format!("JK_LB_{which}_{note}")));
    let others = ["JK_WORKER_NAME", "JK_WORKER_TYPE", "JK_WORKER_ROUTE", "JK_DECISION"].map(str::to_owned);
    let notes: String =
        others.into_iter().chain(members).map(|name| format!("{name}=%{{{name}}}n|")).collect();
    format!("LogFormat \"path=%U|status=%>s|{notes}\" notes\nCustomLog logs/notes.log notes\n")
}

/// The notes of so many requests, in order.
#[track_caller]
fn read(httpd: &Httpd, count: usize) -> Vec<BTreeMap<String, String>> {
    let text = || std::fs::read_to_string(httpd.root().join("logs/notes.log")).unwrap_or_default();
    wait_until("the lines of all requests", || text().lines().count() >= count);
    let text = text();
    let mut lines: Vec<&str> = text.lines().collect();
    // Written behind the answers, so not always in their order. The paths of these requests are numbers.
    lines.sort_unstable();
    lines
        .into_iter()
        .map(|line| {
            let pairs = line.split('|').filter_map(|pair| pair.split_once('='));
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        })
        .collect()
}

#[test]
fn notes_tell_who_served_and_why() {
    covers!("JkRequestLogFormat", "route", "method");
    let farm = Farm::of(3);
    let workers = farm.balancer("b", "", &["lbfactor=2", "", "activation=d"]);
    let conf = mounts(&["b"]) + &format() + "JkRequestLogFormat \"RL|%w %R %s\"\n";
    let httpd = Httpd::builder().workers(workers).conf(conf).start();
    assert_eq!(asked(&httpd, "/b/1"), "n1");
    assert_eq!(asked(&httpd, "/b/2"), "n2");
    assert_eq!(asked(&httpd, "/b/3"), "n1");
    assert_eq!(asked_with(&httpd, "/b/4", ("Cookie", "JSESSIONID=a.n3")), "n3");
    assert_eq!(asked_with(&httpd, "/b/5", ("Cookie", "JSESSIONID=a.gone")), "n2");
    let notes = read(&httpd, 5);
    let row = |at: usize, which: &str| -> Vec<&str> {
        ["NAME", "VALUE", "ACCESSED", "SESSIONS", "ERRORS", "BUSY", "ACTIVATION", "STATE"]
            .iter()
            .map(|note| notes[at][&format!("JK_LB_{which}_{note}")].as_str())
            .collect()
    };
    for which in ["FIRST", "LAST"] {
        assert_eq!(row(0, which), ["b1", "1", "1", "1", "0", "0", "ACT", "OK"], "{which}");
        assert_eq!(row(1, which), ["b2", "2", "1", "1", "0", "0", "ACT", "OK"], "{which}");
        assert_eq!(row(2, which), ["b1", "2", "2", "2", "0", "0", "ACT", "OK"], "{which}");
        assert_eq!(row(3, which), ["b3", "2", "1", "0", "0", "0", "DIS", "OK"], "{which}");
        assert_eq!(row(4, which)[..4], ["b2", "4", "2", "1"], "{which}");
    }
    let octets = |at: usize, note: &str| notes[at][&format!("JK_LB_LAST_{note}")].parse::<u64>().unwrap();
    assert!(octets(0, "READ") > 50 && octets(0, "TRANSFERRED") > 50);
    assert!(octets(2, "READ") > octets(0, "READ"), "they add up");
    for (at, member, route, why) in [
        (0, "b1", "n1", "method=request"),
        (1, "b2", "n2", "method=request"),
        (3, "b3", "n3", "sticky"),
        (4, "b2", "n2", "method=request"),
    ] {
        let line = &notes[at];
        assert_eq!((line["JK_WORKER_NAME"].as_str(), line["JK_WORKER_TYPE"].as_str()), ("b", "lb"), "{at}");
        assert_eq!(line["JK_WORKER_ROUTE"], route, "{at}");
        assert!(line["JK_DECISION"].starts_with(&format!("{member} {why}")), "{at}: {}", line["JK_DECISION"]);
    }
    wait_until("the request log", || httpd.jk_log().matches("RL|").count() == 5);
    let log = httpd.jk_log();
    let lines: Vec<&str> =
        log.lines().filter_map(|line| line.split_once("RL|")).map(|(_, text)| text).collect();
    let mut wanted = ["b n1 200", "b n2 200", "b n1 200", "b n3 200", "b n2 200"];
    let mut lines = lines;
    lines.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
}

#[test]
fn notes_tell_the_first_and_the_last_of_several() {
    covers!("JkRequestLogFormat");
    let mut farm = Farm::of(2);
    let workers = farm.balancer("b", "", &["retries=1", ""]);
    let conf = mounts(&["b"]) + &format() + "JkRequestLogFormat \"RL|%w %R %s\"\n";
    let httpd = Httpd::builder().workers(workers).conf(conf).start();
    farm.node_mut(1).stop();
    assert_eq!(asked(&httpd, "/b/1"), "n2");
    let notes = read(&httpd, 1).remove(0);
    let note = |name: &str| notes[&format!("JK_LB_{name}")].clone();
    assert_eq!((note("FIRST_NAME"), note("LAST_NAME")), ("b1".to_owned(), "b2".to_owned()));
    assert_eq!((note("FIRST_ERRORS"), note("LAST_ERRORS")), ("1".to_owned(), "0".to_owned()));
    assert_eq!((note("FIRST_STATE"), note("LAST_STATE")), ("ERR".to_owned(), "OK".to_owned()));
    // The route is that of who answered, for the log and for the backend.
    assert_eq!(notes["JK_WORKER_ROUTE"], "n2");
    assert!(
        notes["JK_DECISION"].contains("failed=refused") && notes["JK_DECISION"].contains("; b2 only"),
        "{notes:?}"
    );
    assert_eq!(farm.node(2).last_request().route.as_deref(), Some("n2"));
    wait_until("the request log", || httpd.jk_log().contains("RL|b n2 200"));
}
