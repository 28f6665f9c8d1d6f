//! Many requests wait on few threads, and others are served meanwhile.

use std::time::{Duration, Instant};

use crate::support::{Backend, Client, Ended, Gate, Mpm, client, under_each_mpm, wait_until};
use crate::{ask, builder};

under_each_mpm!(quick_ones_are_answered, the_off_switch_works);

/// Answers with the path, once the gate is open.
fn gated(gate: &Gate) -> Backend {
    let gate = gate.clone();
    Backend::scripted(move |request, say| {
        if request.uri.contains("slow") {
            say.pause(&gate);
        }
        let text = request.uri.clone();
        say.respond(200, &[("Content-Type", "text/plain")], text.as_bytes());
    })
}

fn quick_ones_are_answered(mpm: Mpm) {
    let backend = gated(&Gate::new());
    let httpd = builder(mpm, &backend).start();
    let mut client = Client::connect(httpd.port());
    for round in 0..50 {
        let path = format!("/app/{round}");
        let answer = client.get(&path);
        assert_eq!((answer.status, answer.text(), answer.ended), (200, path, Ended::Length));
    }
}

fn the_off_switch_works(mpm: Mpm) {
    let gate = Gate::new();
    let backend = gated(&gate);
    let httpd = builder(mpm, &backend).conf("JkAsync Off").start();
    let clients = ask(&httpd, (0..4).map(|n| format!("/app/slow/{n}")));
    gate.await_waiting(4);
    // All threads wait, so nobody serves the file.
    let mut late = Client::connect(httpd.port());
    late.send("GET /file.txt HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(!late.closes_within(Duration::from_millis(300)));
    late.stream().set_nonblocking(true).unwrap();
    let silent = std::io::Read::read(&mut late.stream(), &mut [0; 1]);
    assert_eq!(silent.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    late.stream().set_nonblocking(false).unwrap();
    gate.open();
    for mut client in clients {
        assert_eq!(client.read_response().status, 200);
    }
    assert_eq!(late.read_response().text(), "from disk\n");
}

#[test]
fn ten_times_more_requests_than_threads_wait() {
    for (settings, threads) in [("", 4), ("JkAsyncDelay 20", 4), ("JkAsync Auto", 8)] {
        let gate = Gate::new();
        let backend = gated(&gate);
        let httpd = builder(Mpm::Event, &backend).threads_per_child(threads).conf(settings).start();
        let clients = ask(&httpd, (0..40).map(|n| format!("/app/slow/{n}")));
        gate.await_waiting(40);
        let begun = Instant::now();
        let file = client::get(httpd.port(), "/file.txt");
        assert_eq!((file.status, file.text().as_str()), (200, "from disk\n"));
        assert_eq!(client::get(httpd.port(), "/app/quick").text(), "/app/quick");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        gate.open();
        for (number, mut client) in clients.into_iter().enumerate() {
            let answer = client.read_response();
            // (httpd closes kept connections when all threads have something to do, so they are not used again.)
            assert_eq!((answer.status, answer.text()), (200, format!("/app/slow/{number}")));
        }
        backend.assert_no_errors();
        httpd.assert_no_errors(&[]);
    }
}

#[test]
fn beyond_the_limit_requests_wait_with_a_thread() {
    let gate = Gate::new();
    let backend = gated(&gate);
    let httpd = builder(Mpm::Event, &backend).conf("JkAsyncLimit 5").start();
    let clients = ask(&httpd, (0..8).map(|n| format!("/app/slow/{n}")));
    gate.await_waiting(8);
    gate.open();
    for mut client in clients {
        assert_eq!(client.read_response().status, 200);
    }
    wait_until("the limit is told", || httpd.jk_log().contains("JK0015"));
    assert_eq!(httpd.jk_log().matches("JK0015").count(), 1, "{}", httpd.jk_log());
}

#[test]
fn a_virtual_host_decides_for_itself() {
    let gate = Gate::new();
    let backend = gated(&gate);
    let host = "JkAsyncLimit 1\nJkMountCopy All\n<VirtualHost *:@PORT@>\nServerName other\nJkAsync Off\n</VirtualHost>\n\
                <VirtualHost *:@PORT@>\nServerName h\n</VirtualHost>";
    let httpd = builder(Mpm::Event, &backend).threads_per_child(12).conf(host).start();
    let ask_of = |host: &str| {
        let mut client = Client::connect(httpd.port());
        client.send(format!("GET /app/slow/x HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        client
    };
    // More than the limit, and none of them asks for a place.
    let mut clients: Vec<Client> = (0..3).map(|_| ask_of("other")).collect();
    gate.await_waiting(3);
    clients.extend((0..1).map(|_| ask_of("h")));
    gate.await_waiting(4);
    assert!(!httpd.jk_log().contains("JK0015"), "{}", httpd.jk_log());
    clients.extend((0..2).map(|_| ask_of("h")));
    gate.await_waiting(6);
    wait_until("the limit is reached", || httpd.jk_log().contains("JK0015"));
    gate.open();
    for client in &mut clients {
        assert_eq!(client.read_response().status, 200);
    }
}

#[test]
fn auto_wants_eight_threads() {
    for (mode, threads, lines, parked) in [("Auto", 7, 1, false), ("Auto", 8, 0, true), ("On", 7, 0, true)] {
        let gate = Gate::new();
        let backend = gated(&gate);
        let settings = format!("JkAsync {mode}\nJkAsyncLimit 0");
        let httpd = builder(Mpm::Event, &backend).threads_per_child(threads).conf(settings).start();
        let mut clients = ask(&httpd, ["/app/slow/x".to_owned()]);
        gate.await_waiting(1);
        // It is told when a request asks for a place where there is none.
        let asked = crate::support::poll(Duration::from_secs(1), || httpd.jk_log().contains("JK0015"));
        assert_eq!(asked, parked, "{mode} {threads}: {}", httpd.jk_log());
        assert_eq!(httpd.jk_log().matches("JK0331").count(), lines, "{}", httpd.jk_log());
        gate.open();
        assert_eq!(clients.remove(0).read_response().status, 200);
    }
}

#[test]
fn an_mpm_that_cannot_wait_says_so() {
    let backend = Backend::start();
    for (mpm, lines) in [(Mpm::Worker, 1), (Mpm::Prefork, 1), (Mpm::Event, 0)] {
        let httpd = builder(mpm, &backend).start();
        assert_eq!(httpd.jk_log().matches("JK0014").count(), lines, "{}", httpd.jk_log());
        assert_eq!(httpd.jk_log().matches("JK0013").count(), 1 - lines, "{}", httpd.jk_log());
    }
}
