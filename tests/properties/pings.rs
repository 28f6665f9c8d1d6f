//! CPings: connect_timeout, prepost_timeout, ping_mode, ping_timeout, connection_ping_interval.

use std::time::Instant;

use crate::effect::{covers, judge};
use crate::support::{Backend, Client, Event, Httpd, client};

fn workers(backend: &Backend, rows: &[(&str, &str)]) -> (String, String) {
    let mut workers = String::new();
    let mut mounts = String::new();
    for (name, lines) in rows {
        workers.push_str(&backend.worker(name));
        for line in lines.lines() {
            workers.push_str(&format!("worker.{name}.{line}\n"));
        }
        mounts.push_str(&format!("JkMount /{name}/* {name}\n"));
    }
    (workers, mounts)
}

#[test]
fn connections_are_pinged_when_asked_for() {
    covers!("connect_timeout", "prepost_timeout", "ping_mode");
    let backend = Backend::start();
    let rows = [
        ("none", "", "RR"),
        ("connect", "connect_timeout=20000", "PRR"),
        ("prepost", "prepost_timeout=20000", "PRPR"),
        ("both", "connect_timeout=20000\nprepost_timeout=20000", "PRPR"),
        ("off", "connect_timeout=0\nprepost_timeout=-1", "RR"),
        ("c", "ping_mode=c", "PRR"),
        ("p", "ping_mode=P", "PRPR"),
        ("i", "ping_mode=I", "RR"),
        ("a", "ping_mode=A", "PRPR"),
    ];
    let plain: Vec<(&str, &str)> = rows.iter().map(|(name, lines, _)| (*name, *lines)).collect();
    let (workers, mounts) = workers(&backend, &plain);
    let httpd = Httpd::builder().workers(workers).conf(mounts).start();
    for (name, _, wanted) in rows {
        let mut client = Client::connect(httpd.port());
        let answers =
            [(); 2].map(|()| client.get(&format!("/{name}/x")).fact("connection").expect("a number"));
        assert_eq!(answers[0], answers[1], "{name}: one connection");
        let log = &backend.log()[answers[0].parse::<usize>().unwrap()];
        let seen: String = log
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::CPing => Some('P'),
                Event::Request(_) => Some('R'),
                _ => None,
            })
            .collect();
        assert_eq!(seen, wanted, "{name}");
    }
}

#[test]
fn a_backend_that_does_not_answer_pings_is_not_sent_requests() {
    covers!("connect_timeout", "prepost_timeout", "ping_mode", "ping_timeout");
    let backend = Backend::builder().ignore_pings().start();
    let rows = [
        ("connect", "connect_timeout=210\nretries=1", 210),
        ("prepost", "prepost_timeout=220\nretries=1", 220),
        ("mode", "ping_mode=C\nping_timeout=230\nretries=1", 230),
        ("own", "ping_mode=P\nping_timeout=20000\nprepost_timeout=240\nretries=1", 240),
        ("twice", "ping_mode=A\nping_timeout=250\nretry_interval=0", 500),
    ];
    let plain: Vec<(&str, &str)> = rows.iter().map(|(name, lines, _)| (*name, *lines)).collect();
    let (workers, mounts) = workers(&backend, &plain);
    let httpd = Httpd::builder().workers(workers).conf(mounts).start();
    for (name, _, least) in rows {
        let begun = Instant::now();
        assert_eq!(client::get(httpd.port(), &format!("/{name}/x")).status, 503, "{name}");
        let took = begun.elapsed().as_millis();
        assert!((least..least + 6000).contains(&took), "{name}: {took} ms");
    }
    for limit in [210, 220, 230, 240, 250] {
        let text = format!("no reply within {limit} ms while CPing");
        assert!(httpd.jk_log().contains(&text), "{text}: {}", httpd.jk_log());
    }
    assert!(backend.requests().is_empty());
    let judged = Httpd::builder().prepare();
    judge(
        &judged,
        &[
            (
                "JkWorkerProperty worker.ajp13.ping_mode=CX",
                "warning: ignored 'X', only the letters C, P, I and A count",
            ),
            ("JkWorkerProperty worker.ajp13.ping_timeout=abc", "not a number: 'abc'"),
        ],
    );
}

#[test]
fn idle_connections_are_pinged_and_dead_ones_closed() {
    covers!("connection_ping_interval", "ping_mode", "ping_timeout");
    let (interval, mode, never, mute) =
        (Backend::start(), Backend::start(), Backend::start(), Backend::start());
    let mut all = String::from("worker.maintain=1\n");
    let mut conf = String::from("JkWatchdogInterval 1\n");
    for (backend, name, lines) in [
        (&interval, "interval", "connection_ping_interval=1"),
        // With ping_mode I the interval is a hundredth of ping_timeout, in seconds.
        (&mode, "mode", "ping_mode=I\nping_timeout=100"),
        (&never, "never", "ping_mode=CP\nping_timeout=100"),
        (&mute, "mute", "connection_ping_interval=1\nping_timeout=200"),
    ] {
        let (workers, mounts) = workers(backend, &[(name, lines)]);
        all.push_str(&workers);
        conf.push_str(&mounts);
    }
    let httpd = Httpd::builder().workers(all).conf(conf).start();
    for name in ["interval", "mode", "never", "mute"] {
        assert_eq!(client::get(httpd.port(), &format!("/{name}/x")).status, 200, "{name}");
    }
    let before = never.pings();
    mute.answer_pings(false);
    for backend in [&interval, &mode] {
        backend.wait_for("two CPings of the idle connection", |log| {
            log[0].events.iter().filter(|(_, event)| *event == Event::CPing).count() >= 2
        });
        assert_eq!(backend.open_connections(), 1);
    }
    mute.wait_for("the connection without answer is closed", |log| !log[0].open);
    assert_eq!(never.pings(), before, "no CPing of idle connections without mode I");
    assert_eq!(mute.requests().len(), 1);
}
