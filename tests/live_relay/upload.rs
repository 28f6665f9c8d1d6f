//! Request bodies on their way to the backend.

use std::time::Duration;

use crate::front;
use crate::support::digest::sha256_hex;
use crate::support::{Client, Conversation, Ended, ForwardRequest, Mpm, Over, over_each_protocol, pattern};

over_each_protocol!(
    bodies_of_known_length,
    chunked_bodies,
    slow_bodies,
    full_duplex,
    bodies_nobody_reads,
    expect_continue,
    expect_continue_with_the_backend_down,
);

/// Sends back what it reads, as it comes.
fn echo(request: &ForwardRequest, say: &mut Conversation) {
    if request.uri.ends_with("/duplex") {
        say.send_headers(200, "OK", &[]);
        let first = say.first_body();
        say.body_chunk(&first);
        say.flush();
        loop {
            let data = say.get_body_chunk(1000);
            if data.is_empty() {
                break;
            }
            say.body_chunk(&data);
            say.flush();
        }
        say.end(true);
        return;
    }
    let body = say.read_body();
    say.respond(200, &[("Content-Type", "application/octet-stream")], &body);
}

fn bodies_of_known_length(mpm: Mpm, over: Over) {
    let backend = over.scripted(echo);
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    for octets in [0, 1, 8185, 8186, 8187, 16_372, 1 << 20] {
        let body = pattern(octets);
        client.send(format!("POST /app/e HTTP/1.1\r\nHost: h\r\nContent-Length: {octets}\r\n\r\n"));
        client.send(&body);
        let answer = client.read_response();
        assert_eq!(
            (answer.status, answer.ended, answer.body == body),
            (200, Ended::Length, true),
            "{octets}"
        );
        let request = backend.last_request();
        assert_eq!(request.content_length(), Some(octets as u64));
        assert_eq!(request.header("transfer-encoding"), None);
    }
    let log = backend.log();
    assert_eq!(log.len(), 1);
    assert_eq!(
        log[0].bodies().iter().map(|(len, _)| len).sum::<usize>(),
        1 + 8185 + 8186 + 8187 + 16_372 + (1 << 20)
    );
    httpd.assert_no_errors(&[]);
    if !over.is_ajp() {
        // Over HTTP a body comes as it is.
        return;
    }
    // The first packet comes unasked unless the body is empty, and each is as large as was asked for.
    let ask = Some(8186);
    let bodies = log[0].bodies();
    let expected = [
        vec![(1, None), (0, ask)],
        vec![(8185, None), (0, ask)],
        vec![(8186, None), (0, ask)],
        vec![(8186, None), (1, ask), (0, ask)],
        vec![(8186, None), (8186, ask), (0, ask)],
    ]
    .concat();
    // Where the client's octets have not all arrived packets may be smaller.
    assert_eq!(bodies[0], expected[0]);
    assert_eq!(bodies.iter().filter(|(_, asked)| asked.is_none()).count(), 6);
}

fn chunked_bodies(mpm: Mpm, over: Over) {
    let backend = over.scripted(echo);
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    for (octets, piece) in [(0, 1), (1, 1), (8186, 8186), (8187, 100), (1 << 20, 60_000)] {
        let body = pattern(octets);
        client.send("POST /app/e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n");
        for part in body.chunks(piece) {
            client.send_chunk(part);
        }
        client.send("0\r\nX-T: trailer\r\n\r\n");
        let answer = client.read_response();
        assert_eq!((answer.status, answer.body == body), (200, true), "{octets}");
        let request = backend.last_request();
        assert_eq!((request.content_length(), request.header("transfer-encoding")), (None, Some("chunked")));
        assert_eq!(request.header("x-t"), None);
    }
    assert_eq!(backend.log().len(), 1);
    assert!(backend.log()[0].bodies().iter().all(|(_, asked)| asked.is_some()), "a packet came unasked");
    httpd.assert_no_errors(&[]);
}

/// A client that sends little by little is waited for, whichever packet is due.
fn slow_bodies(mpm: Mpm, over: Over) {
    let backend = over.scripted(echo);
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    let body = pattern(2000);
    client.send("POST /app/e HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n");
    client.send_slowly(&body, 100, Duration::from_millis(2));
    assert!(client.read_response().body == body);
    client.send("POST /app/e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut framed = Vec::new();
    for part in body.chunks(400) {
        framed.extend(format!("{:x}\r\n", part.len()).into_bytes());
        framed.extend_from_slice(part);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    client.send_slowly(&framed, 90, Duration::from_millis(2));
    assert!(client.read_response().body == body);
    httpd.assert_no_errors(&[]);
}

/// The answer to the first half of a body is read before the second half is sent.
fn full_duplex(mpm: Mpm, over: Over) {
    let backend = over.scripted(echo);
    let httpd = front(mpm, &backend, "");
    for head in ["Content-Length: 6000", "Transfer-Encoding: chunked"] {
        let chunked = head.starts_with('T');
        let body = pattern(6000);
        let mut client = Client::connect(httpd.port());
        client.send(format!("POST /app/duplex HTTP/1.1\r\nHost: h\r\n{head}\r\n\r\n"));
        let put = |client: &mut Client, part: &[u8]| {
            if chunked {
                client.send_chunk(part)
            } else {
                client.send(part)
            };
        };
        put(&mut client, &body[..3000]);
        let mut answer = client.try_read_head().unwrap();
        let octets = client.read_octets(3000).unwrap();
        assert!(octets.len() >= 3000, "{head}: the answer to the first half");
        let seen = octets.windows(500).any(|window| window == &body[..500]);
        assert!(seen, "{head}: the echo of the first half");
        put(&mut client, &body[3000..]);
        if chunked {
            client.send_chunk(b"");
        }
        client.finish_sending();
        client.read_body("GET", &mut answer);
        assert_eq!(answer.status, 200);
    }
    backend.wait_for("both bodies", |log| {
        log.iter().flat_map(|c| c.bodies()).map(|(len, _)| len).sum::<usize>() == 12_000
    });
}

/// What the backend leaves of a body does not become the next request.
fn bodies_nobody_reads(mpm: Mpm, over: Over) {
    let backend = over.scripted(|request, say| {
        if request.uri.ends_with("/early") {
            say.respond(409, &[], b"enough");
        } else {
            say.respond(200, &[], b"fine");
        }
    });
    let httpd = front(mpm, &backend, "");
    let trap = b"GET /app/trap HTTP/1.1\r\nHost: h\r\n\r\n".repeat(30_000);
    for octets in [100, 8186, 20_000, trap.len()] {
        let body = &trap[..octets];
        let mut client = Client::connect(httpd.port());
        let answer = client.request("POST", "/app/early", &[], body);
        assert_eq!((answer.status, answer.text().as_str()), (409, "enough"), "{octets}");
        if answer.header("Connection") == Some("close") {
            // Only where reading the rest would take long.
            assert!(octets > 60_000, "{octets}");
        } else {
            assert_eq!(client.get("/app/next").text(), "fine", "{octets}");
        }
    }
    let uris: Vec<_> = backend.requests().iter().map(|request| request.uri.clone()).collect();
    assert!(!uris.iter().any(|uri| uri == "/app/trap"), "{uris:?}");
    assert_eq!(crate::support::client::get(httpd.port(), "/app/x").text(), "fine");
}

fn expect_continue(mpm: Mpm, over: Over) {
    let backend = over.scripted(echo);
    let httpd = front(mpm, &backend, "");
    let body = pattern(100_000);
    for (head, chunked) in [("Content-Length: 100000", false), ("Transfer-Encoding: chunked", true)] {
        let mut client = Client::connect(httpd.port());
        client.send(format!("POST /app/e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n{head}\r\n\r\n"));
        let interim = client.read_octets(25).unwrap();
        assert_eq!(String::from_utf8_lossy(&interim), "HTTP/1.1 100 Continue\r\n\r\n");
        if chunked {
            client.send_chunk(&body).send_chunk(b"");
        } else {
            client.send(&body);
        }
        let answer = client.read_response();
        assert_eq!((answer.status, answer.body == body, answer.interim.len()), (200, true, 0));
        assert_eq!(backend.last_request().header("expect"), None, "the expectation is met here");
        assert_eq!(sha256_hex(&answer.body), sha256_hex(&body));
    }
    httpd.assert_no_errors(&[]);
}

fn expect_continue_with_the_backend_down(mpm: Mpm, over: Over) {
    let mut backend = over.scripted(echo);
    let httpd = front(mpm, &backend, "");
    backend.stop();
    for head in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
        let mut client = Client::connect(httpd.port());
        client.send(format!("POST /app/e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n{head}\r\n\r\n"));
        let answer = client.read_response();
        assert_eq!(
            (answer.status, answer.interim.len()),
            (503, 0),
            "{head}: nothing may be uploaded in vain"
        );
    }
}
