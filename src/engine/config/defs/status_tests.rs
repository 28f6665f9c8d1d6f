//! Each property of `status` workers: its default and its effect.

use crate::engine::config::diagnostic::Severity;
use crate::engine::config::model::{Activation, StateClass};
use crate::engine::config::resolve::testing::{load, problems, status};

fn warnings(lines: &str) -> Vec<String> {
    let lines = format!("worker.list=s\nworker.s.type=status\n{lines}");
    problems(&load(&lines).1, Severity::Warning)
}

#[test]
fn defaults() {
    let s = status("");
    assert_eq!((s.css.as_str(), s.prefix.as_str(), s.doctype.as_str()), ("", "worker", ""));
    assert_eq!((s.ns.as_str(), s.xmlns.as_str()), ("jk:", "xmlns:jk=\"http://tomcat.apache.org\""));
    assert!(!s.read_only);
    assert!(!s.user_case_insensitive);
    assert_eq!(s.user, [""; 0]);
}

#[test]
fn texts() {
    let s = status("worker.s.css=/a.css\nworker.s.prefix=p\nworker.s.doctype=<!DOCTYPE x>");
    assert_eq!((s.css.as_str(), s.prefix.as_str(), s.doctype.as_str()), ("/a.css", "p", "<!DOCTYPE x>"));
    let s = status("worker.s.ns=x:\nworker.s.xmlns=xmlns:x=\"y\"");
    assert_eq!((s.ns.as_str(), s.xmlns.as_str()), ("x:", "xmlns:x=\"y\""));
    let s = status("worker.s.ns=-\nworker.s.xmlns=-none");
    assert_eq!((s.ns.as_str(), s.xmlns.as_str()), ("", ""));
}

#[test]
fn access() {
    assert!(warnings("")[0].contains("can change all workers"));
    assert!(status("worker.s.read_only=true").read_only);
    assert_eq!(warnings("worker.s.read_only=true"), [""; 0]);
    let s = status("worker.s.user=ann bob\nworker.s.user=eve\nworker.s.user_case_insensitive=1");
    assert_eq!(s.user, ["ann", "bob", "eve"]);
    assert!(s.user_case_insensitive);
    assert_eq!(warnings("worker.s.user=ann"), [""; 0]);
}

/// For each activation the states that are good (`g`), bad (`b`) or neither (`.`), in the order of [`StateClass::ALL`].
fn picture(lines: &str) -> String {
    let s = status(lines);
    let rate = |activation, state| match (s.bad.matches(activation, state), s.good.matches(activation, state))
    {
        (true, _) => 'b',
        (false, true) => 'g',
        (false, false) => '.',
    };
    let rows = Activation::WORDS
        .map(|(_, a)| StateClass::ALL.map(|state| rate(a, state)).iter().collect::<String>());
    rows.join(" ")
}

#[test]
fn ratings() {
    for (lines, wanted) in [
        ("", "ggggb ....b bbbbb"),
        ("worker.s.good=a", "ggggb ....b bbbbb"),
        ("worker.s.good=active.ok", "g...b ....b bbbbb"),
        ("worker.s.good=a.o\nworker.s.good=d.N", "g...b .g..b bbbbb"),
        ("worker.s.bad=B,R", "ggbb. ..bb. ..bb."),
        ("worker.s.good=a.d", "....b ....b bbbbb"),
    ] {
        assert_eq!(picture(lines), wanted, "{lines}");
    }
}

#[test]
fn odd_ratings_are_reported() {
    assert_eq!(warnings("worker.s.read_only=1"), [""; 0]);
    assert!(warnings("worker.s.read_only=1\nworker.s.good=x.o")[0].contains("'x.o' is not a rating"));
    assert!(warnings("worker.s.read_only=1\nworker.s.good=a.o\nworker.s.bad=o")[0].contains("in common"));
}
