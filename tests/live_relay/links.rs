//! Which backend connections are used: reuse, packet sizes, kinds of addresses, limits, CPings, maintenance.

use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};

use crate::support::{
    Backend, Client, Event, Gate, Httpd, Mpm, Over, client, over_each_protocol, pattern, wait_until,
};
use crate::{builder, front};

over_each_protocol!(
    one_connection_for_one_client,
    reuse_forbidden,
    readable_idle_connections_are_discarded,
    a_backend_that_is_gone_and_comes_back,
    ping_modes,
    a_dead_cping_is_no_failure,
    idle_connections_are_closed,
    idle_connections_are_pinged,
);

mod threaded {
    use super::{a_full_pool, sequential_clients_share_a_connection};
    crate::support::over_each_protocol!(threaded a_full_pool, sequential_clients_share_a_connection);
}
mod tcp {
    use super::{ipv6, names_with_several_addresses};
    crate::support::over_each_protocol!(tcp ipv6, names_with_several_addresses);
}

fn one_connection_for_one_client(mpm: Mpm, over: Over) {
    let backend = over.start();
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    for path in ["/app/a", "/app/size/100000", "/app/stream/9000", "/app/status/204", "/app/status/404"] {
        client.get(path);
    }
    client.request("POST", "/app/upload", &[], &pattern(30_000));
    let log = backend.log();
    assert_eq!((log.len(), log[0].requests().len()), (1, 6));
}

/// Processes share nothing, so this says nothing about prefork.
fn sequential_clients_share_a_connection(mpm: Mpm, over: Over) {
    let backend = over.start();
    let httpd = front(mpm, &backend, "");
    for _ in 0..10 {
        assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
    }
    let log = backend.log();
    assert_eq!((log.len(), log[0].requests().len()), (1, 10));
}

fn reuse_forbidden(mpm: Mpm, over: Over) {
    let backend = over.scripted(|_, say| {
        // Over AJP the end says so, over HTTP the head.
        say.send_headers(200, "OK", &[("Connection", "close")]);
        say.body_chunk(b"bye");
        say.end(false);
        assert!(say.closed_by_peer(Duration::from_secs(10)), "the connection was kept");
    });
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    for _ in 0..3 {
        assert_eq!(client.get("/app/x").text(), "bye");
    }
    assert_eq!(backend.log().len(), 3);
    httpd.assert_no_errors(&[]);
}

fn readable_idle_connections_are_discarded(mpm: Mpm, over: Over) {
    let (go, done) = (Gate::new(), Gate::new());
    let (wait, report) = (go.clone(), done.clone());
    let backend = over.scripted(move |request, say| {
        say.respond(200, &[], request.uri.as_bytes());
        if request.uri.ends_with("/late") {
            say.pause(&wait);
            // A whole response that nobody asked for: it must never be anybody's answer.
            say.stray_response(&[("X-Stray", "1")], b"STRAY");
            report.open();
        }
    });
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    assert_eq!(client.get("/app/late").text(), "/app/late");
    go.open();
    done.wait();
    for _ in 0..3 {
        let answer = client.get("/app/next");
        assert_eq!((answer.text().as_str(), answer.header("X-Stray")), ("/app/next", None));
    }
    let log = backend.log();
    assert_eq!((log.len(), log[0].requests().len(), log[1].requests().len()), (2, 1, 3));
    httpd.assert_no_errors(&[]);
}

pub(crate) fn packet_sizes(mpm: Mpm) {
    for size in [8192, 65_536] {
        let backend = Backend::builder().packet_size(size).start();
        let httpd = builder(mpm, &backend, "").conf("LimitRequestFieldSize 60000").start();
        let mut client = Client::connect(httpd.port());
        let answer = client.request("POST", "/app/upload", &[], &pattern(200_000));
        assert_eq!(answer.fact("length").as_deref(), Some("200000"));
        let largest = backend.log()[0].bodies().iter().map(|(len, _)| *len).max();
        assert!(largest <= Some(size - 6), "{largest:?}");
        assert!(client.get("/app/size/500000").body == pattern(500_000));
        // A head that fills the packet.
        let long = "x".repeat(7000);
        assert_eq!(client.request("GET", "/app/x", &[("X-Long", &long)], b"").status, 200);
        let longer = "x".repeat(50_000);
        let status = client.request("GET", "/app/x", &[("X-Long", &longer)], b"").status;
        assert_eq!(status, if size == 8192 { 431 } else { 200 });
        backend.assert_no_errors();
    }
}

fn a_backend_that_is_gone_and_comes_back(mpm: Mpm, over: Over) {
    let mut backend = over.start();
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    assert!(client.get("/app/size/100000").body == pattern(100_000));
    assert_eq!(client.request("POST", "/app/upload", &[], &pattern(50_000)).status, 200);
    assert_eq!(backend.log().len(), 1);
    backend.stop();
    assert_eq!(client.get("/app/x").status, 503);
    backend.listen();
    // httpd closes the client's connection behind a 503.
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
}

fn ipv6(mpm: Mpm, over: Over) {
    let backend = over.backend().ipv6().start();
    for host in ["::1", "[::1]"] {
        let workers = backend.worker("w").replace("host=::1", &format!("host={host}"));
        let httpd = Httpd::builder().mpm(mpm).workers(workers).conf("JkMount /app/* w").start();
        assert_eq!(client::get(httpd.port(), "/app/x").status, 200, "{host}");
    }
}

/// `localhost` has an IPv4 and an IPv6 address on most machines, and the backend listens at one of them.
fn names_with_several_addresses(mpm: Mpm, over: Over) {
    let addresses: Vec<_> = ("localhost", 0).to_socket_addrs().expect("localhost").map(|a| a.ip()).collect();
    let (v4, v6) = (addresses.iter().any(|a| a.is_ipv4()), addresses.iter().any(|a| a.is_ipv6()));
    assert!(v4 || v6, "{addresses:?}");
    println!("localhost is {addresses:?}");
    let mut backends = Vec::new();
    if v4 {
        backends.push(over.start());
    }
    if v6 {
        backends.push(over.backend().ipv6().start());
    }
    for backend in backends {
        for prefer in [0, 1] {
            let named = backend.worker("w").replace("host=127.0.0.1", "host=localhost");
            let named = named.replace("host=::1", "host=localhost");
            let workers = format!("{named}worker.w.prefer_ipv6={prefer}");
            let httpd = Httpd::builder().mpm(mpm).workers(workers).conf("JkMount /app/* w").start();
            let mut client = Client::connect(httpd.port());
            for _ in 0..3 {
                assert_eq!(client.get("/app/x").status, 200);
            }
            httpd.assert_no_errors(&[]);
        }
    }
}

fn a_full_pool(mpm: Mpm, over: Over) {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = over.scripted(move |request, say| {
        if request.uri.ends_with("/held") {
            say.pause(&held);
        }
        say.respond(200, &[], b"served");
    });
    let httpd = front(mpm, &backend, "connection_pool_size=1\nconnection_acquire_timeout=1000");
    let mut first = Client::connect(httpd.port());
    first.send("GET /app/held HTTP/1.1\r\nHost: h\r\n\r\n");
    gate.await_waiting(1);
    let begun = Instant::now();
    let refused = client::get(httpd.port(), "/app/x");
    assert_eq!(refused.status, 503);
    assert!(begun.elapsed() >= Duration::from_millis(1000), "{:?}", begun.elapsed());
    assert!(httpd.jk_log().contains("JK0202"), "{}", httpd.jk_log());

    // One that waits gets the connection as soon as it is free.
    let mut second = Client::connect(httpd.port());
    second.send("GET /app/x HTTP/1.1\r\nHost: h\r\n\r\n");
    gate.open();
    assert_eq!(first.read_response().text(), "served");
    assert_eq!(second.read_response().text(), "served");
    assert_eq!(backend.log().len(), 1, "never more than one connection");
}

fn ping_modes(mpm: Mpm, over: Over) {
    for (mode, pings) in [("", 0), ("C", 1), ("P", 4), ("CP", 4), ("A", 4), ("I", 0)] {
        let backend = over.start();
        let settings =
            if mode.is_empty() { String::new() } else { format!("ping_mode={mode}\nping_timeout=20000") };
        let httpd = front(mpm, &backend, &settings);
        let mut client = Client::connect(httpd.port());
        for _ in 0..3 {
            assert_eq!(client.get("/app/x").status, 200);
        }
        assert_eq!(client.request("POST", "/app/upload", &[], b"12345").status, 200);
        assert_eq!((backend.pings(), backend.log().len()), (pings, 1), "ping_mode={mode}");
    }
}

fn a_dead_cping_is_no_failure(mpm: Mpm, over: Over) {
    let backend = over.start();
    let httpd = front(mpm, &backend, "ping_mode=A\nping_timeout=1000\nretry_interval=0");
    let mut client = Client::connect(httpd.port());
    assert_eq!(client.get("/app/x").status, 200);
    // The pooled connection gets no CPong, the new one behind it does; a POST too may go there, because none was sent.
    backend.answer_pings(false);
    client.send("POST /app/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345");
    wait_until("the CPing on the pooled connection", || backend.pings() == 2);
    backend.answer_pings(true);
    let answer = client.read_response();
    assert_eq!((answer.status, answer.fact("length").as_deref()), (200, Some("5")));
    let log = backend.log();
    assert_eq!((log.len(), log[0].requests().len(), log[1].requests().len()), (2, 1, 1));
    assert!(httpd.jk_log().contains("JK0203"), "{}", httpd.jk_log());
    httpd.assert_no_errors(&[]);

    // A backend that answers no CPing at all is down.
    backend.answer_pings(false);
    let begun = Instant::now();
    assert_eq!(client.get("/app/x").status, 503);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(backend.requests().len(), 2, "no request without CPong");
}

/// The answer to a CPing must be one CPong and nothing else.
pub(crate) fn pings_out_of_step(mpm: Mpm) {
    use std::io::{Read, Write};
    for (answer, good) in [
        (&b"\x41\x42\x00\x01\x09"[..], true),
        (b"\x41\x42\x00\x01\x09\x41\x42\x00\x01\x09", false),
        (b"\x41\x42\x00\x02\x09\x00", false),
        (b"\x41\x42\x00\x02\x05\x01", false),
        (b"HTTP/1.1 400 Bad\r\n\r\n", false),
        (b"\x12\x34\x00\x01\x09", false),
    ] {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let mut requests = 0;
            while let Ok((mut stream, _)) = listener.accept() {
                let mut ping = [0; 5];
                if stream.read_exact(&mut ping).is_err() {
                    break;
                }
                assert_eq!(&ping, b"\x12\x34\x00\x01\x0a");
                stream.write_all(answer).unwrap();
                let mut head = [0; 4096];
                if stream.read(&mut head).is_ok_and(|len| len > 0) {
                    requests += 1;
                    stream.write_all(b"AB\0\x07\x04\0\xc8\xff\xff\0\0AB\0\x02\x05\x01").unwrap();
                }
            }
            requests
        });
        let workers = format!(
            "worker.list=w\nworker.w.host=127.0.0.1\nworker.w.port={port}\nworker.w.connect_timeout=5000"
        );
        let httpd = Httpd::builder().mpm(mpm).workers(workers).conf("JkMount /app/* w").start();
        let status = client::get(httpd.port(), "/app/x").status;
        assert_eq!(status, if good { 200 } else { 503 }, "{}", answer.escape_ascii());
        drop(std::net::TcpStream::connect(("127.0.0.1", port)));
        assert_eq!(server.join().unwrap(), i32::from(good), "a request behind {}", answer.escape_ascii());
    }
}

/// Two workers: requests to one of them drive the maintenance of both.
fn two_workers(mpm: Mpm, idle: &Backend, busy: &Backend, settings: &str) -> Httpd {
    let settings: String = settings.lines().map(|line| format!("worker.idle.{}\n", line.trim())).collect();
    let workers = format!(
        "worker.list=idle,busy\nworker.maintain=1\n{}{settings}{}",
        idle.member("idle"),
        busy.member("busy")
    );
    Httpd::builder().mpm(mpm).workers(workers).conf("JkMount /idle/* idle\nJkMount /busy/* busy").start()
}

fn idle_connections_are_closed(mpm: Mpm, over: Over) {
    let (idle, busy) = (over.start(), over.start());
    let httpd = two_workers(mpm, &idle, &busy, "connection_pool_timeout=1\nconnection_pool_minsize=0");
    // One keep-alive client stays with one process.
    let mut client = Client::connect(httpd.port());
    let begun = Instant::now();
    assert_eq!(client.get("/idle/x").status, 200);
    assert_eq!(idle.open_connections(), 1);
    let mut requests = 0;
    wait_until("the idle connection is closed", || {
        requests += 1;
        if requests % 15 == 0 {
            assert_eq!(client.get("/busy/x").status, 200);
        }
        idle.open_connections() == 0
    });
    assert!(begun.elapsed() >= Duration::from_secs(1), "closed after {:?}", begun.elapsed());
    assert_eq!(idle.log()[0].events.last().map(|(_, event)| event.clone()), Some(Event::Eof));
    assert_eq!(client.get("/idle/x").status, 200);
    assert_eq!(idle.log().len(), 2);
}

fn idle_connections_are_pinged(mpm: Mpm, over: Over) {
    let (idle, busy) = (over.start(), over.start());
    let httpd = two_workers(mpm, &idle, &busy, "connection_ping_interval=1\nping_timeout=5000");
    let mut client = Client::connect(httpd.port());
    assert_eq!(client.get("/idle/x").status, 200);
    let mut requests = 0;
    wait_until("a CPing of the idle connection", || {
        requests += 1;
        if requests % 15 == 0 {
            assert_eq!(client.get("/busy/x").status, 200);
        }
        idle.pings() > 0
    });
    assert_eq!(client.get("/idle/x").status, 200);
    assert_eq!(idle.log().len(), 1, "the connection was kept");
}
