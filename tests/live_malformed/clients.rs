//! Rows 106 to 110: what clients do wrong must not hurt the backend side.

use crate::support::{Backend, Client, Event, Gate, Httpd, Mpm, PATIENCE, under_each_mpm};

under_each_mpm!(
    an_upload_that_stops_in_the_middle,
    an_upload_that_never_begins,
    a_bad_chunk_header,
    a_client_that_leaves_while_it_is_served,
    more_than_announced,
);

fn front(mpm: Mpm, backend: &Backend) -> Httpd {
    Httpd::builder().mpm(mpm).workers(backend.worker("w")).conf("JkMount /app/* w").start()
}

/// The server is well, does not blame the worker, and nothing was logged as an error.
#[track_caller]
fn all_is_well(httpd: &Httpd) {
    assert_eq!(crate::support::client::get(httpd.port(), "/app/status/200").status, 200);
    httpd.assert_no_errors(&[]);
}

/// Row 106.
fn an_upload_that_stops_in_the_middle(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = front(mpm, &backend);
    for reset in [false, true] {
        let before = backend.log().len();
        let mut client = Client::connect(httpd.port());
        client.send("POST /app/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
        backend.wait_for("the request", |log| {
            log.iter().skip(before).any(|c| c.bodies().iter().any(|(len, _)| *len == 3))
        });
        if reset {
            client.reset()
        } else {
            drop(client)
        }
        backend.wait_for("the end of the connection", |log| log.iter().skip(before).all(|c| !c.open));
        let log = backend.log();
        let connection = log.iter().find(|c| c.id >= before && !c.requests().is_empty()).unwrap();
        let packets: Vec<usize> = connection.bodies().iter().map(|(len, _)| *len).collect();
        assert_eq!(packets, [3], "no empty packet, which would look like a complete body");
        all_is_well(&httpd);
        backend.close_connections();
    }
    let mut client = Client::connect(httpd.port());
    client.send("POST /app/upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    backend
        .wait_for("the chunk", |log| log.last().is_some_and(|c| c.bodies().iter().any(|(len, _)| *len == 3)));
    drop(client);
    backend.wait_for("the end of the connection", |log| log.iter().all(|c| !c.open));
    assert!(!backend.log().last().unwrap().bodies().iter().any(|(len, _)| *len == 0));
    all_is_well(&httpd);
}

/// Row 107.
fn an_upload_that_never_begins(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = front(mpm, &backend);
    for reset in [false, true] {
        let mut client = Client::connect(httpd.port());
        client.send("POST /app/never HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
        backend.wait_for("a connection", |log| !log.is_empty());
        if reset {
            client.reset()
        } else {
            drop(client)
        }
        httpd_is_idle(&httpd);
        all_is_well(&httpd);
        assert!(!backend.requests().iter().any(|request| request.uri == "/app/never"));
    }
}

/// No request is being worked on: the access log has a line for each one that was begun.
fn httpd_is_idle(httpd: &Httpd) {
    crate::support::wait_until("the request is over", || httpd.access_log().contains("/app/never"));
}

/// Row 108.
fn a_bad_chunk_header(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = front(mpm, &backend);
    for bad in ["xyz\r\nabc\r\n", "3\r\nabc\r\nZZ\r\n", "ffffffffffffffffff\r\n", "-1\r\n"] {
        let before = backend.log().len();
        let mut client = Client::connect(httpd.port());
        client
            .send(format!("POST /app/upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{bad}"));
        let answer = client.read_response();
        assert!(matches!(answer.status, 400 | 413), "{bad:?}: {}", answer.status);
        assert!(client.closes_within(PATIENCE), "{bad:?}");
        backend.wait_for("the end of the connection", |log| {
            log.iter().skip(before.saturating_sub(1)).filter(|c| !c.requests().is_empty()).any(|c| !c.open)
        });
        all_is_well(&httpd);
    }
    let bodies: Vec<_> = backend.log().iter().flat_map(|c| c.bodies()).collect();
    assert!(bodies.iter().all(|(len, _)| *len > 0), "a broken body must not look complete: {bodies:?}");
}

/// Row 109.
fn a_client_that_leaves_while_it_is_served(mpm: Mpm) {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = Backend::scripted(move |request, say| {
        if request.uri != "/app/endless" {
            return say.respond(200, &[], b"fine");
        }
        say.send_headers(200, "OK", &[]);
        say.body_chunk(b"begin");
        say.flush();
        say.pause(&held);
        let block = crate::support::pattern(100_000);
        while say.is_open() {
            say.body_chunk(&block);
        }
    });
    let httpd = front(mpm, &backend);
    let mut client = Client::connect(httpd.port());
    client.send("GET /app/endless HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.try_read_head().unwrap().status, 200);
    gate.await_waiting(1);
    client.reset();
    gate.open();
    backend.wait_for("the end of the connection", |log| {
        log.iter()
            .any(|c| !c.open && c.events.iter().any(|(_, e)| matches!(e, Event::Broken(_) | Event::Eof)))
    });
    crate::support::wait_until("a note about it", || httpd.jk_log().contains("JK0210"));
    all_is_well(&httpd);
}

/// Row 110.
fn more_than_announced(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = front(mpm, &backend);
    let mut client = Client::connect(httpd.port());
    // All at once: with half a request behind it, httpd's synchronous MPMs keep a small response until the rest has come.
    client.send("POST /app/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789XX\r\n\r\n");
    assert_eq!(client.read_response().fact("length").as_deref(), Some("10"));
    assert_eq!(client.read_response().status, 400, "the rest is a bad request of its own");
    // The rest of one request is the beginning of the next one.
    let mut client = Client::connect(httpd.port());
    client.send(
        "POST /app/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789GET /app/x HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    assert_eq!(client.read_response().fact("length").as_deref(), Some("10"));
    assert_eq!(client.read_response().fact("uri").as_deref(), Some("/app/x"));
    all_is_well(&httpd);
}
