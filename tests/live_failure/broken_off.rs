//! A response that breaks off behind its beginning must look broken off, whatever its framing; and clients that leave.

use std::time::Duration;

use crate::front;
use crate::support::certificate::{Certificate, curl};
use crate::support::{
    Backend, Client, Conversation, Ended, Event, ForwardRequest, Gate, Httpd, Mpm, pattern, ports,
    under_each_mpm,
};

under_each_mpm!(
    http11,
    http10,
    https,
    clients_that_leave_while_sending,
    clients_that_leave_while_receiving,
    a_restart_of_the_backend_is_not_noticed,
);

mod threaded {
    use super::http2;
    crate::support::under_threaded_mpms!(http2);
}

/// Sends the first half of a response, lets it leave, and fails.
fn half(request: &ForwardRequest, say: &mut Conversation) {
    let Some(case) = request.uri.strip_prefix("/app/half/") else {
        return say.respond(200, &[], b"fine");
    };
    let length: &[(&str, &str)] =
        if case.starts_with("length") { &[("Content-Length", "40000")] } else { &[] };
    say.send_headers(200, "OK", length);
    say.body_chunk(&pattern(40_000)[..20_000]);
    say.flush();
    match case.rsplit('-').next() {
        Some("reset") => say.reset(),
        Some("garbage") => say.raw(b"garbage"),
        Some("silence") => {
            let _ = say.closed_by_peer(crate::support::PATIENCE);
        }
        _ => say.close(),
    }
}

fn http11(mpm: Mpm) {
    let backend = Backend::scripted(half);
    let httpd = front(mpm, &backend, "reply_timeout=300");
    for framing in ["length", "chunked"] {
        for end in ["close", "reset", "garbage", "silence"] {
            let mut client = Client::connect(httpd.port());
            let answer = client.get(&format!("/app/half/{framing}-{end}"));
            assert_eq!((answer.status, answer.ended), (200, Ended::Truncated), "{framing} {end}");
            assert!(pattern(40_000).starts_with(&answer.body), "{framing} {end}");
            assert!(answer.body.len() <= 20_000);
            // A reset of the backend may overtake its octets.
            assert!(answer.body.len() == 20_000 || end == "reset", "{framing} {end}: {}", answer.body.len());
            assert_eq!(crate::support::client::get(httpd.port(), "/app/x").text(), "fine");
        }
    }
    let log = httpd.jk_log();
    assert_eq!(log.matches("the response was broken off").count(), 8, "{log}");
    assert_eq!(backend.requests().len(), 16, "nothing is repeated");
    httpd.assert_clean_log(&[]);
}

/// The end of such a response is the end of the connection, so only a reset can tell.
fn http10(mpm: Mpm) {
    let backend = Backend::scripted(half);
    let httpd = front(mpm, &backend, "reply_timeout=300");
    for case in ["chunked-close", "chunked-garbage", "chunked-silence", "length-close"] {
        let mut client = Client::connect(httpd.port());
        client.send(format!("GET /app/half/{case} HTTP/1.0\r\nHost: h\r\n\r\n"));
        // The head may be lost to the reset; a complete response is what must not be seen.
        if let Ok(answer) = client.try_read_response_to("GET") {
            assert_eq!((answer.status, answer.ended), (200, Ended::Truncated), "{case}");
            assert!(pattern(40_000).starts_with(&answer.body), "{case}");
        }
    }
    // And a good one ends in order.
    let mut client = Client::connect(httpd.port());
    client.send("GET /app/x HTTP/1.0\r\n\r\n");
    assert_eq!(client.read_response().text(), "fine");
}

fn tls_front(mpm: Mpm, backend: &Backend, protocols: &str) -> (Httpd, String, Certificate) {
    let certificate = Certificate::new();
    let port = ports::free_port();
    let httpd = Httpd::builder()
        .mpm(mpm)
        .workers(backend.worker("w") + "worker.w.reply_timeout=300\n")
        .modules(if mpm == Mpm::Prefork { &["ssl"] } else { &["ssl", "http2"] })
        .conf(format!(
            "JkMount /app/* w\nListen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\nJkMountCopy On\n{}{protocols}\n\
             </VirtualHost>",
            certificate.directives()
        ))
        .start();
    (httpd, format!("https://localhost:{port}/app"), certificate)
}

fn https(mpm: Mpm) {
    let backend = Backend::scripted(half);
    let (httpd, url, _certificate) = tls_front(mpm, &backend, "");
    for (version, case) in [
        ("--http1.1", "length-close"),
        ("--http1.1", "chunked-close"),
        ("--http1.1", "chunked-silence"),
        ("--http1.0", "length-close"),
        ("--http1.0", "chunked-close"),
    ] {
        let page = curl(&["--no-alpn", version, &format!("{url}/half/{case}")]);
        assert_ne!(page.exit, 0, "{version} {case}: {} octets look complete", page.body.len());
        assert!(pattern(40_000).starts_with(&page.body));
    }
    assert_eq!(curl(&["--no-alpn", "--http1.0", &format!("{url}/x")]).exit, 0);
    httpd.assert_clean_log(&[]);
}

/// Not under prefork, where httpd itself switches HTTP/2 off.
fn http2(mpm: Mpm) {
    let backend = Backend::scripted(half);
    let (httpd, url, _certificate) = tls_front(mpm, &backend, "Protocols h2");
    for case in ["length-close", "chunked-close", "chunked-garbage", "chunked-silence"] {
        let page = curl(&["--http2", &format!("{url}/half/{case}")]);
        assert_ne!(page.exit, 0, "{case}: {} octets look complete ({})", page.body.len(), page.summary);
        assert!(pattern(40_000).starts_with(&page.body));
        let page = curl(&["--http2", &format!("{url}/x")]);
        assert_eq!((page.exit, page.text().as_str()), (0, "fine"), "{}", page.complaint);
    }
    httpd.assert_clean_log(&[]);
}

fn clients_that_leave_while_sending(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = front(mpm, &backend, "");
    for round in 0..6 {
        let mut client = Client::connect(httpd.port());
        client.send("POST /app/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
        client.send(pattern(50_000));
        backend.wait_for("some of the body", |log| {
            log.iter().flat_map(|c| c.bodies()).map(|(len, _)| len).sum::<usize>() >= 50_000 * (round + 1)
        });
        if round % 2 == 0 {
            client.reset()
        } else {
            drop(client)
        }
        backend.wait_for("the end of the connection", |log| log.iter().all(|c| !c.open));
    }
    // Nobody took the half bodies for whole ones: the scripts saw their connections end.
    assert!(backend.log().iter().all(|c| !c.bodies().iter().any(|(len, _)| *len == 0)));
    blameless(&httpd);
}

fn clients_that_leave_while_receiving(mpm: Mpm) {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = Backend::scripted(move |request, say| {
        if request.uri == "/app/x" {
            return say.respond(200, &[], b"fine");
        }
        say.send_headers(200, "OK", &[("Content-Length", "2000000000")]);
        say.body_chunk(&pattern(100_000));
        say.flush();
        say.pause(&held);
        let block = pattern(1_000_000);
        while say.is_open() {
            say.body_chunk(&block);
        }
    });
    let httpd = front(mpm, &backend, "");
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = Client::connect(httpd.port());
        client.send("GET /app/endless HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.try_read_head().unwrap().status, 200);
        clients.push(client);
    }
    gate.await_waiting(4);
    for client in clients {
        client.reset();
    }
    gate.open();
    backend.wait_for("the end of the connections", |log| {
        log.len() == 4
            && log
                .iter()
                .all(|c| !c.open && c.events.iter().any(|(_, e)| matches!(e, Event::Broken(_) | Event::Eof)))
    });
    crate::support::wait_until("four notes", || httpd.jk_log().matches("JK0210").count() == 4);
    blameless(&httpd);
}

/// Nothing at level error, notes at level info, and the worker serves.
#[track_caller]
fn blameless(httpd: &Httpd) {
    let log = httpd.jk_log();
    assert!(
        log.lines().filter(|l| l.contains("JK0209") || l.contains("JK0210")).all(|l| l.contains("[info]")),
        "{log}"
    );
    assert_eq!(crate::support::client::get(httpd.port(), "/app/x").status, 200);
    httpd.assert_no_errors(&[]);
}

fn a_restart_of_the_backend_is_not_noticed(mpm: Mpm) {
    let mut backend = Backend::builder().port(ports::free_port()).start();
    let httpd = front(mpm, &backend, "");
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(httpd.port())).collect();
    for _ in 0..4 {
        for client in &mut clients {
            assert_eq!(client.get("/app/x").status, 200);
        }
        backend.stop();
        std::thread::sleep(Duration::from_millis(1));
        backend.listen();
    }
    httpd.assert_no_errors(&[]);
}
