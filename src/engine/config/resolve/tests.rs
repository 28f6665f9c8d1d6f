//! Checks that need more than one property.

use super::testing::{balancer_lines, load, problems};
use super::*;
use crate::engine::config::diagnostic::Severity;

fn errors(lines: &str) -> Vec<String> {
    problems(&load(lines).1, Severity::Error)
}

fn warnings(lines: &str) -> Vec<String> {
    problems(&load(lines).1, Severity::Warning)
}

fn names(set: &WorkerSet) -> Vec<&str> {
    set.workers.iter().map(|worker| worker.name.as_str()).collect()
}

#[test]
fn without_a_list_there_is_one_worker() {
    let (set, _) = load("");
    assert_eq!(set.list, ["ajp13"]);
    assert_eq!(
        warnings(""),
        ["built-in: worker.list is not set; one worker 'ajp13' for localhost:8009 is used"]
    );
    let (set, _) = load("worker.ajp13.port=9000\n");
    let Kind::Ajp13(ajp13) = &set.workers[0].kind else { panic!() };
    assert_eq!(ajp13.address.to_string(), "localhost:9000");
    assert_eq!(load("worker.list=,\n").0.workers.len(), 0);
    assert_eq!(warnings("worker.list=,\n"), ["w.properties:1: worker.list names no worker"]);
}

#[test]
fn listed_workers_come_first_and_once() {
    let lines = "worker.list=l,b\nworker.list=b\nworker.l.type=lb\nworker.l.balance_workers=a b c\n\
                 worker.a.port=1\nworker.b.port=2\nworker.c.port=3\n";
    let (set, diagnostics) = load(lines);
    assert_eq!(set.list, ["l", "b"]);
    assert_eq!(names(&set), ["l", "b", "a", "c"]);
    assert_eq!(problems(&diagnostics, Severity::Warning), ["w.properties:2: worker.list names 'b' twice"]);
    let Kind::Lb(lb) = &set.workers[0].kind else { panic!() };
    let members: Vec<&str> = lb.members.iter().map(|m| set.member(m).unwrap().0.name.as_str()).collect();
    assert_eq!(members, ["a", "b", "c"]);
    assert!(set.is_listed("b") && !set.is_listed("a"));
    assert_eq!(set.index_of("c"), Some(3));
}

#[test]
fn types() {
    let lines = |value: &str| format!("worker.list=a\nworker.a.type={value}\n");
    assert_eq!(load(&lines("ajp13")).0.workers[0].kind.name(), "ajp13");
    assert_eq!(load(&lines("status")).0.workers[0].kind.name(), "status");
    for (value, message) in [
        ("ajp14", "type ajp14 is not supported any more; use type ajp13"),
        ("ajp12", "type ajp12 is not supported any more; use type ajp13"),
        ("jni", "type jni is not supported any more; use type ajp13"),
        ("AJP13", "unknown type 'AJP13'; did you mean 'ajp13'?"),
        ("statu", "unknown type 'statu'; did you mean 'status'?"),
        ("fastcgi", "unknown type 'fastcgi'; possible are ajp13, http, https, lb and status"),
    ] {
        assert_eq!(errors(&lines(value)), [format!("w.properties:2: worker.a.type: {message}")]);
        assert_eq!(load(&lines(value)).0.list.len(), 0);
    }
}

#[test]
fn http_workers() {
    let lines = |more: &str| format!("worker.list=a\nworker.a.type=http\n{more}");
    let of = |more: &str| match load(&lines(more)).0.workers.remove(0).kind {
        Kind::Ajp13(worker) => *worker,
        _ => panic!(),
    };
    let plain = of("");
    let http = plain.http.unwrap();
    assert_eq!((plain.address.to_string().as_str(), http.ping_uri), ("localhost:80", None));
    assert!(http.ping_status.contain(302) && !http.ping_status.contain(404));
    assert_eq!(load(&lines("")).0.workers[0].kind.name(), "http");
    assert_eq!(of("worker.a.host=h:8080\n").address.to_string(), "h:8080");
    assert_eq!(of("worker.a.host=unix:/s\n").address.to_string(), "unix:/s");
    let probed = of("worker.a.ping_uri=/up?x\nworker.a.ping_status=404\nworker.a.ping_mode=A\n");
    let http = probed.http.unwrap();
    assert_eq!(http.ping_uri.as_deref(), Some("/up?x"));
    assert!(http.ping_status.contain(404) && !http.ping_status.contain(200));
    // Everything that is not about AJP, under the same names.
    let same = defs::table().iter().filter(|def| def.group == defs::Group::Ajp13).map(|def| def.name);
    assert_eq!(
        same.collect::<Vec<_>>(),
        ["upgrade_worker", "http_port", "max_packet_size", "secret", "secret_file"]
    );
    let queued = of("worker.a.max_in_flight=3\nworker.a.queue_size=4\nworker.a.queue_timeout=5\n");
    assert_eq!((queued.max_in_flight, queued.queue_size), (3, 4));
    // It is on another machine, and there is no secret to miss.
    assert!(load(&lines("worker.a.host=10.0.0.1\n")).1.is_empty());
    assert_eq!(
        errors(&lines("worker.a.secret=0123456789abcdef\n")),
        [
            "w.properties:3: 'worker.a.secret': HTTP has nothing of the kind; only workers of type ajp13 have it"
        ]
    );
    for name in [
        "ping_mode=P",
        "connect_timeout=1",
        "prepost_timeout=1",
        "connection_ping_interval=1",
        "ping_status=200",
    ] {
        let bare = name.split('=').next().unwrap();
        assert_eq!(
            warnings(&lines(&format!("worker.a.{name}\n"))),
            [format!("w.properties:3: worker.a.{bare} has no effect without ping_uri")]
        );
    }
}

#[test]
fn protocols_to_change_to() {
    let of = |more: &str| {
        let text = format!("worker.list=a\nworker.a.type=http\n{more}");
        match load(&text).0.workers.remove(0).kind {
            Kind::Ajp13(worker) => worker.http.unwrap(),
            _ => panic!(),
        }
    };
    let names = |http: &crate::engine::config::model::Http| {
        http.upgrade.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let plain = of("");
    assert_eq!(
        (names(&plain).as_str(), plain.tunnel_timeout.limit()),
        ("websocket", Some(Duration::from_secs(3600)))
    );
    assert_eq!(names(&of("worker.a.upgrade=TCP,websocket tcp\n")), "tcp websocket");
    assert_eq!(names(&of("worker.a.upgrade=None\n")), "");
    assert_eq!(of("worker.a.tunnel_timeout=0\n").tunnel_timeout.limit(), None);
    let bad = |value: &str| errors(&format!("worker.list=a\nworker.a.type=http\nworker.a.upgrade={value}\n"));
    assert_eq!(
        bad("h2c"),
        ["w.properties:3: worker.a.upgrade: not a protocol that may be changed to: 'h2c'"]
    );
    assert_eq!(bad(","), ["w.properties:3: worker.a.upgrade: names no protocol; 'none' forbids all of them"]);
}

#[test]
fn twins_are_workers_of_type_http() {
    let twin = "worker.list=a\nworker.a.type=ajp13\nworker.a.upgrade_worker=b\nworker.b.type=http\n";
    let (set, diagnostics) = load(twin);
    assert!(diagnostics.is_empty() && !set.is_listed("b"), "{diagnostics:?}");
    match &set.workers[0].kind {
        Kind::Ajp13(worker) => assert_eq!(worker.twin, set.index_of("b")),
        _ => panic!(),
    }
    assert_eq!(
        errors(&twin.replace("type=http", "type=status")),
        [
            "w.properties:3: worker.a.upgrade_worker: worker 'b' has type status; it must have type http or https"
        ]
    );
}

#[test]
fn members_of_both_protocols() {
    let lines = "worker.list=l\nworker.l.type=lb\nworker.l.balance_workers=a,h\nworker.l.secret=0123456789abcdef\n\
                 worker.a.port=1\nworker.h.type=http\nworker.h.host=10.0.0.1\n";
    let (set, diagnostics) = load(lines);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let Kind::Lb(lb) = &set.workers[0].kind else { panic!() };
    let speaks: Vec<bool> = lb.members.iter().map(|m| set.member(m).unwrap().1.http.is_some()).collect();
    assert_eq!(speaks, [false, true]);
    let without = lines.replace("worker.l.secret=0123456789abcdef\n", "");
    assert_eq!(warnings(&without), [""; 0]);
}

#[test]
fn long_names_are_errors() {
    assert_eq!(errors(&format!("worker.list={}\n", "n".repeat(64))).len(), 1);
    assert_eq!(errors(&format!("worker.list={}\n", "n".repeat(63))), [""; 0]);
}

#[test]
fn a_name_without_properties_is_reported() {
    assert_eq!(
        warnings("worker.list=node1,nod2\nworker.node1.port=1\nworker.node2.port=2\n"),
        [
            "w.properties:1: worker 'nod2' has no properties; it is an ajp13 worker for localhost:8009; did you mean \
         'node2'?",
            "w.properties:3: worker 'node2' is not used: it is neither in worker.list nor a member of a balancer in it",
        ]
    );
}

#[test]
fn templates_are_not_reported_as_unused() {
    let lines = "worker.list=a\nworker.a.reference=worker.t\nworker.t.port=1\nworker.t.x.port=2\n";
    assert_eq!(warnings(lines), [""; 0]);
}

#[test]
fn balancers_need_members_of_the_right_type() {
    assert_eq!(
        errors("worker.list=l\nworker.l.type=lb\n"),
        ["w.properties:2: balancer 'l' has no members; set worker.l.balance_workers"]
    );
    let lines = "worker.list=l,s\nworker.l.type=lb\nworker.l.balance_workers=a,s\nworker.l.balance_workers=k\n\
                 worker.a.port=1\nworker.s.type=status\nworker.s.read_only=1\nworker.k.type=lb\n";
    assert_eq!(
        errors(lines),
        [
            "w.properties:3: member 's' of balancer 'l' has type status; members must have type ajp13, http or https",
            "w.properties:4: member 'k' of balancer 'l' has type lb; members must have type ajp13, http or https",
        ]
    );
    let own = "worker.list=l\nworker.l.type=lb\nworker.l.balance_workers=l\n";
    assert!(errors(own)[0].contains("has type lb"));
    // The type is the mistake; that the balancer is left with fewer members is not reported on top.
    let unknown = "worker.list=l\nworker.l.type=lb\nworker.l.balance_workers=a\nworker.a.type=x\n";
    assert_eq!(errors(unknown).len(), 1);
}

#[test]
fn routes_are_unique_in_a_balancer() {
    assert_eq!(
        errors(&balancer_lines("worker.l.balance_workers=a\n")),
        ["w.properties:6: worker.l.balance_workers names 'a' twice"]
    );
    assert_eq!(
        errors(&balancer_lines("worker.b.route=a\n")),
        ["w.properties:3: members 'a' and 'b' of balancer 'l' have the same route 'a'"]
    );
}

#[test]
fn one_member_of_two_balancers_can_have_two_secrets() {
    let lines = "worker.list=l,k\nworker.l.type=lb\nworker.l.balance_workers=a\nworker.l.secret=secret-of-balancer-l\n\
                 worker.k.type=lb\nworker.k.balance_workers=a\nworker.k.secret=secret-of-balancer-k\nworker.a.port=1\n";
    let (set, diagnostics) = load(lines);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let secrets: Vec<_> = set
        .workers
        .iter()
        .filter_map(|worker| match &worker.kind {
            Kind::Lb(lb) => Some((lb.members[0].worker, lb.members[0].secret.expose().to_vec())),
            _ => None,
        })
        .collect();
    assert_eq!(secrets, [(2, b"secret-of-balancer-l".to_vec()), (2, b"secret-of-balancer-k".to_vec())]);
}

#[test]
fn other_machines_need_a_secret() {
    let secret = "0123456789abcdef";
    for (host, extra, warned) in [
        ("localhost", "", false),
        ("127.0.0.1", "", false),
        ("::1", "", false),
        ("unix:/run/t", "", false),
        ("10.0.0.1", "", true),
        ("tomcat", "", true),
        ("tomcat", "worker.a.secret=", false),
    ] {
        let extra = if extra.is_empty() { String::new() } else { format!("{extra}{secret}\n") };
        let found = warnings(&format!("worker.list=a\nworker.a.host={host}\n{extra}"));
        assert_eq!(found.iter().any(|w| w.contains("without a secret")), warned, "{host} {found:?}");
    }
    let member = "worker.a.host=10.0.0.1\n";
    assert_eq!(warnings(&balancer_lines(member)).len(), 1);
    assert_eq!(warnings(&balancer_lines(&format!("{member}worker.l.secret={secret}\n"))), [""; 0]);
    // Listed as well, the worker itself sends none.
    let both = format!("{member}worker.l.secret={secret}\nworker.list=a\n");
    assert_eq!(warnings(&balancer_lines(&both)).len(), 1);
}

#[test]
fn mounts() {
    let (set, diagnostics) = load("worker.list=a\nworker.a.mount=/x/* !/x/y\nworker.a.mount=-/z\n");
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let mounts: Vec<String> = set.workers[0]
        .mounts
        .iter()
        .map(|mount| format!("{} {}", mount.pattern, mount.origin.line))
        .collect();
    assert_eq!(mounts, ["/x/* 2", "!/x/y 2", "-/z 3"]);
    for pattern in ["x", "!x", "--/x", "!", "*.jsp"] {
        let found = errors(&format!("worker.list=a\nworker.a.mount=/ok,{pattern}\n"));
        assert_eq!(found, [format!("w.properties:2: worker.a.mount: '{pattern}' does not begin with '/'")]);
    }
    let (set, diagnostics) = load(&balancer_lines("worker.a.mount=/x\n"));
    assert_eq!(set.get("a").unwrap().mounts, []);
    assert!(problems(&diagnostics, Severity::Warning)[0].contains("not in worker.list"));
}

#[test]
fn properties_of_other_types_are_reported() {
    assert_eq!(
        warnings("worker.list=a\nworker.a.port=1\nworker.a.method=T\n"),
        ["w.properties:3: 'worker.a.method' has no effect: workers of type ajp13 have no such property"]
    );
    assert_eq!(warnings(&balancer_lines("worker.l.port=1\n")).len(), 1);
    // Not when a template brings it.
    let lines = "worker.list=a\nworker.a.reference=t\nt.port=1\nt.method=T\n";
    assert_eq!(warnings(lines), [""; 0]);
}

#[test]
fn maintain() {
    let time =
        |value: &str| load(&format!("worker.maintain={value}\nworker.list=a\nworker.a.port=1\n")).0.maintain;
    assert_eq!(load("").0.maintain.limit(), Some(Duration::from_secs(60)));
    assert_eq!(time("5").limit(), Some(Duration::from_secs(5)));
    assert!(time("0").is_off());
    assert!(time("-1").is_off());
    assert!(warnings(&balancer_lines("worker.maintain=0\n"))[0].contains("do not recover"));
    assert_eq!(warnings("worker.maintain=0\nworker.list=a\nworker.a.port=1\n"), [""; 0]);
    assert_eq!(errors("worker.maintain=x\nworker.list=a\n").len(), 1);
}

#[test]
fn names_that_are_defined_and_not_listed_are_known() {
    let lines = "worker.list=a,empty\nworker.a.reference=worker.t\nworker.t.port=1\nworker.z.port=1\nworker.b.port=1\n";
    assert_eq!(load(lines).0.unlisted, ["b", "t", "z"]);
    assert_eq!(load(&balancer_lines("")).0.unlisted, ["a", "b"]);
    assert_eq!(load("worker.maintain=60\n").0.unlisted, [""; 0]);
}

#[test]
fn workers_know_where_they_are_defined() {
    let (set, _) = load("worker.list=a,b,c\n\nworker.a.port=1\nt.port=1\nworker.b.reference=t\n");
    let lines: Vec<u32> = set.workers.iter().map(|worker| worker.origin.line).collect();
    assert_eq!(lines, [3, 5, 1]);
}

#[test]
fn all_problems_are_found_in_one_go() {
    let found = errors(
        "worker.list=a,b,l\nworker.a.port=x\nworker.a.retries=y\nworker.b.type=ajp14\nworker.l.type=lb\nworker.a.hots=h\n",
    );
    assert_eq!(found.len(), 5, "{found:#?}");
}
