//! The formats for scripts, compared with what mod_jk prints for the same configuration.
//!
//! `tests/vectors/status` has mod_jk's answers; `UPDATE_STATUS_VECTORS=1 cargo test --test status_original` asks the installed
//! mod_jk again and writes them. Without the variable the installed mod_jk must still print the same keys.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test")]
#![allow(unreachable_pub, reason = "a test")]

#[path = "support/status_compare.rs"]
mod status_compare;
#[path = "support/status_sample.rs"]
mod status_sample;
mod support;

use std::path::PathBuf;

// What the sample names through its parent.
use mod_jk_rs::engine::config::model;
use mod_jk_rs::engine::status::answer::{Answer, Request, Worker, answer};
use mod_jk_rs::engine::status::csrf::{SECRET, Signals};
use mod_jk_rs::engine::status::view;

use status_compare::{Format, differences, reduce};
use support::httpd::original_mod_jk;
use support::{Backend, Httpd, client, ports};

/// The requests, with names for their files.
const REQUESTS: [(&str, &str); 17] = [
    ("list", ""),
    ("list-hidden", "opt=3"),
    ("list-nothing", "opt=31"),
    ("show-lb", "cmd=show&w=lb"),
    ("show-member", "cmd=show&w=lb&sw=n2"),
    ("show-solo", "cmd=show&w=solo"),
    ("show-status", "cmd=show&w=st"),
    ("version", "cmd=version"),
    ("edit", "cmd=edit&w=lb"),
    ("error-command", "cmd=bogus"),
    ("error-worker", "cmd=show&w=nope"),
    ("error-no-worker", "cmd=show"),
    ("error-member", "cmd=show&w=lb&sw=zz"),
    ("error-pattern", "cmd=show&w=lb&sw=*"),
    ("error-read-only", "cmd=reset&w=lb&opt=32"),
    ("error-recover", "cmd=recover&w=lb&sw=n2"),
    ("update", "cmd=update&w=solo&vabl=0"),
];

const FORMATS: [Format; 3] = [Format::Txt, Format::Prop, Format::Xml];

fn vector(name: &str, format: Format) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/status");
    folder.join(format!("{name}.{}", format.word()))
}

fn query(text: &str, format: Format) -> String {
    let between = if text.is_empty() { "" } else { "&" };
    format!("{text}{between}mime={}", format.word())
}

/// Our answer for the sample, which has the same configuration.
fn ours(text: &str, format: Format) -> String {
    let (view, status) = (status_sample::view(), status_sample::settings());
    let query = query(text, format);
    let request = Request {
        method: "GET",
        path: "/st",
        query: query.as_bytes(),
        content_type: None,
        body: b"",
        accept_language: None,
        user: None,
        client: "127.0.0.1",
        signals: Signals::default(),
    };
    match answer(Worker { name: "st", status: &status, secret: &[0; SECRET], view: &view }, &request) {
        Answer::Ready(response) => response.body,
        Answer::Apply(pending) => pending.done(false).body,
    }
}

/// Starts the original with the configuration of the sample and brings its members into the same states: `n1` refuses
/// connections, `n2` has served a request.
fn original() -> (Httpd, Backend, Backend) {
    let (n2, solo) = (Backend::start(), Backend::start());
    let (refused, other) = (ports::free_port(), ports::free_port());
    let worker = |name: &str, port: u16, more: &str| {
        let mut text =
            format!("worker.{name}.type=ajp13\nworker.{name}.host=127.0.0.1\nworker.{name}.port={port}\n");
        for line in more.split_whitespace() {
            text += &format!("worker.{name}.{line}\n");
        }
        text
    };
    let workers = [
        "worker.list=lb,solo,st\n".to_owned(),
        worker("n1", refused, "ping_mode=A"),
        worker("n2", n2.port(), "lbfactor=2 domain=d1 redirect=n1"),
        worker("n3", other, "activation=d"),
        "worker.lb.type=lb\nworker.lb.balance_workers=n1,n2,n3\n".to_owned(),
        worker("solo", solo.port(), ""),
        "worker.st.type=status\n".to_owned(),
    ];
    let conf = "ServerName lab.test:@PORT@\n\
        JkMount /app/* lb\nJkUnMount /app/*.png lb\nJkMount /solo/* solo\nJkMount /st st\n\
        JkMount /ext/* lb;reply_timeout=5000;stateless=1;active=n1;disabled=n3;fail_on_status=500,-503;use_server_errors=400\n\
        <VirtualHost 127.0.0.1:@PORT@>\nServerName lab.test\nJkMountCopy On\nJkMount /own/* solo\n</VirtualHost>\n";
    let httpd = Httpd::builder()
        .module(original_mod_jk())
        .workers(workers.concat())
        .conf(conf)
        .servers(1)
        .allow_log("[error]")
        .start();
    // The session of n1 tries it, finds it dead, and goes on to n2.
    let answer = client::get(httpd.port(), "/app/size/10;jsessionid=x.n1");
    assert_eq!(answer.status, 200);
    assert_eq!(client::get(httpd.port(), "/solo/size/10").status, 200);
    (httpd, n2, solo)
}

/// What is recorded is what we print: same keys, same order, same classes of values.
#[test]
fn recorded_answers_are_ours() {
    let mut found = Vec::new();
    for (name, text) in REQUESTS {
        for format in FORMATS {
            let path = vector(name, format);
            let theirs = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            for difference in differences(format, &theirs, &ours(text, format)) {
                found.push(format!("{name} {}: {difference}", format.word()));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The installed mod_jk prints what is recorded, or is recorded anew.
#[test]
fn the_original_prints_what_is_recorded() {
    let (mut httpd, n2, solo) = original();
    let update = std::env::var_os("UPDATE_STATUS_VECTORS").is_some();
    let mut found = Vec::new();
    for (name, text) in REQUESTS {
        for format in FORMATS {
            let answer = client::get(httpd.port(), &format!("/st?{}", query(text, format)));
            assert_eq!(answer.status, 200, "mod_jk always says 200");
            let path = vector(name, format);
            if update {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, answer.text()).unwrap();
                continue;
            }
            let recorded = std::fs::read_to_string(&path).unwrap();
            if reduce(format, &recorded) != reduce(format, &answer.text()) {
                found.push(format!("{name} {}:\n{}", format.word(), answer.text()));
            }
        }
    }
    httpd.stop();
    drop((n2, solo));
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The comparison sees what it is there for.
#[test]
fn the_comparison_can_fail() {
    let theirs = std::fs::read_to_string(vector("list", Format::Txt)).unwrap();
    let ours = ours("", Format::Txt);
    assert!(differences(Format::Txt, &theirs, &ours).is_empty());
    for (from, to) in [
        (" route=\"n1\"", " route=n1"),
        (" method=Request", " method=Next"),
        (" retries=2 connection_ping_interval=100", " connection_ping_interval=100 retries=2"),
        (" busy=0", ""),
        (" lbvalue=4", " lbvalue=-4"),
        ("Balancer Workers:", "Balancers:"),
        ("Map: id=2", "Map: id=3"),
        ("domain=\"d1\"", "domain=\"d1\" more=1"),
    ] {
        let changed = ours.replacen(from, to, 1);
        assert_ne!(changed, ours, "{from}");
        assert!(!differences(Format::Txt, &theirs, &changed).is_empty(), "{from} {to}");
    }
}
