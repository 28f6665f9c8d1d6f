use super::*;
use crate::engine::config::loader::Loader;
use crate::engine::config::model::{Activation, Method};
use crate::engine::config::resolve::{Environment, resolve};

const LINES: &str = "worker.list=lb,st\nworker.lb.type=lb\nworker.lb.balance_workers=a,b\nworker.a.host=10.0.0.1\n\
                     worker.a.connect_timeout=70\nworker.b.host=10.0.0.2\nworker.st.type=status\n";

fn set(lines: &str) -> WorkerSet {
    let mut loader = Loader::new(&|_| None);
    loader.file("w.properties", lines.as_bytes());
    let read_secret = |_: &str| Err(String::new());
    let environment = Environment {
        threads_per_child: 1,
        read_secret: &read_secret,
        read_tls: &|_| Ok(Default::default()),
    };
    resolve(&loader.finish().0, &environment).0
}

fn member(name: &str) -> Target {
    Target::Member { balancer: "lb".into(), member: name.into() }
}

fn kept() -> Kept {
    let set = set(LINES);
    let mut changes = Overrides::default();
    let worker = Target::Worker("a".into());
    for (target, setting) in [
        (Target::Balancer("lb".into()), Setting::Method(Method::Busyness)),
        (member("a"), Setting::Activation(Activation::Disabled)),
        (member("b"), Setting::Route("an \"odd\" one".into())),
        (worker, Setting::ConnectTimeout(1234)),
    ] {
        changes.set(&target, configured(&set, &target, setting.property()), &setting);
    }
    let drains = vec![Draining { balancer: "lb".into(), member: "a".into(), until: Some(1_795_000_000) }];
    Kept { changes, drains }
}

fn reviewed(kept: Kept, lines: &str) -> Review {
    let mut found = Review { kept, dropped: Vec::new() };
    review(&mut found, &set(lines));
    found
}

#[test]
fn a_file_comes_back_as_it_was() {
    let text = encode(&kept(), 7);
    let found = decode(text.as_bytes()).unwrap();
    assert_eq!((&found.kept, &found.dropped), (&kept(), &Vec::new()), "{text}");
    let found = reviewed(found.kept, LINES);
    assert_eq!((found.kept, found.dropped), (kept(), Vec::new()));
    let change: Value = serde_json::from_str::<Value>(&text).unwrap()["changes"][1].clone();
    assert_eq!(
        change,
        json!({"balancer": "lb", "member": "a", "property": "activation", "configured": "Active",
               "value": "Disabled"})
    );
}

#[test]
fn other_files_and_parts_of_files_are_refused() {
    let text = encode(&kept(), 7);
    for end in 0..text.trim_end().len() {
        decode(text.get(..end).unwrap().as_bytes()).unwrap_err();
    }
    for (from, to) in [
        ("\"version\": 1", "\"version\": 2"),
        ("\"version\": 1", "\"version\": \"1\""),
        ("mod_jk_rs changes", "something"),
        ("\"changes\"", "\"chances\""),
        ("\"drains\"", "\"trains\""),
    ] {
        assert!(text.contains(from));
        decode(text.replace(from, to).as_bytes()).unwrap_err();
    }
    for text in [&b""[..], b"[]", b"null", b"\xff\xfe", b"{}"] {
        decode(text).unwrap_err();
    }
}

#[test]
fn what_is_not_understood_is_named_and_the_rest_counts() {
    let text = encode(&kept(), 7);
    for (from, to) in [
        ("\"Busyness\"", "\"Laziness\""),
        ("\"method\"", "\"mood\""),
        ("\"1234\"", "1234"),
        ("\"configured\": \"70\"", "\"configured\": \"7\\t0\""),
        ("\"worker\": \"a\"", "\"worker\": \"a\\n\""),
        ("\"member\": \"b\",", "\"member\": \"\","),
        ("1795000000", "-1"),
    ] {
        assert!(text.contains(from), "{from}");
        let found = decode(text.replacen(from, to, 1).as_bytes()).unwrap();
        let left = found.kept.changes.iter().count() + found.kept.drains.len();
        assert_eq!((found.dropped.len(), left), (1, 4), "{from}: {found:?}");
    }
}

#[test]
fn an_edited_configuration_wins() {
    let cases = [
        (
            "worker.a.connect_timeout=71\n",
            "worker a: connect_timeout '1234': the configuration says '71' now and said '70'",
        ),
        (
            "worker.a.activation=stopped\n",
            "member a of balancer lb: activation 'Disabled': the configuration says 'Stopped'",
        ),
        (
            "worker.b.route=x\n",
            "member b of balancer lb: route 'an \"odd\" one': the configuration says 'x' now",
        ),
        ("worker.lb.method=Next\n", "balancer lb: method 'Busyness': the configuration says 'Next' now"),
    ];
    for (line, wanted) in cases {
        let found = reviewed(kept(), &format!("{LINES}{line}"));
        assert_eq!(found.dropped.len(), 1, "{found:?}");
        assert!(found.dropped[0].starts_with(wanted), "{found:?}");
        assert_eq!(found.kept.changes.iter().count(), 3);
    }
}

#[test]
fn what_is_gone_is_dropped() {
    let gone = LINES.replace("balance_workers=a,b", "balance_workers=b");
    let found = reviewed(kept(), &gone);
    assert_eq!(found.dropped.len(), 2, "{found:?}");
    assert!(found.dropped.iter().all(|line| line.ends_with("it does not exist any more")), "{found:?}");
    assert!(found.kept.drains.is_empty());
    let other = "worker.list=lb\nworker.lb.host=10.0.0.1\n";
    assert_eq!(reviewed(kept(), other).dropped.len(), 4);
}

#[test]
fn no_two_members_get_one_route() {
    let lines = LINES.replace("a,b", "a,b,c") + "worker.c.host=10.0.0.3\nworker.c.route=an \"odd\" one\n";
    let found = reviewed(kept(), &lines);
    assert_eq!(found.dropped.len(), 1, "{found:?}");
    assert!(found.dropped[0].ends_with("another member of the balancer has this route"), "{found:?}");
    // Two that have changed places do not collide.
    let mut changes = Overrides::default();
    let route = |name: &str| Setting::Route(name.into());
    changes.set(&member("a"), Some(route("a")), &route("b"));
    changes.set(&member("b"), Some(route("b")), &route("a"));
    let found = reviewed(Kept { changes: changes.clone(), drains: Vec::new() }, LINES);
    assert_eq!((found.kept.changes, found.dropped), (changes, Vec::new()));
}

#[test]
fn the_address_of_a_socket_stays() {
    let mut changes = Overrides::default();
    let target = Target::Worker("a".into());
    changes.set(&target, Some(Setting::Port(0)), &Setting::Port(9009));
    let lines = LINES.replace("worker.a.host=10.0.0.1", "worker.a.host=unix:/run/t.sock");
    let found = reviewed(Kept { changes, drains: Vec::new() }, &lines);
    assert!(found.dropped[0].contains("UNIX socket"), "{found:?}");
}

#[test]
fn all_status_workers_keep_one_file() {
    let with = |text: &str| set(&format!("{LINES}worker.list=s2\nworker.s2.type=status\n{text}"));
    assert_eq!(wanted(&with("")), Ok(None));
    assert_eq!(wanted(&with("worker.st.persist_file=x\n")), Ok(None));
    assert_eq!(wanted(&with("worker.st.persist=file\n")), Ok(Some("")));
    assert_eq!(wanted(&with("worker.s2.persist=file\nworker.s2.persist_file=run/x\n")), Ok(Some("run/x")));
    let both = "worker.st.persist=file\nworker.s2.persist=file\n";
    assert_eq!(wanted(&with(both)), Ok(Some("")));
    let different = format!("{both}worker.s2.persist_file=x\n");
    assert_eq!(wanted(&with(&different)), Err(["st", "s2"]));
}
