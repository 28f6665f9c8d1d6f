//! When octets of a response leave: at once when the backend asks for it, else when there are enough of them.

use std::io::ErrorKind;
use std::time::Duration;

use crate::support::{Backend, Client, Ended, Gate, Mpm, Over, over_each_protocol, pattern};
use crate::{builder, front};

over_each_protocol!(
    a_flush_lets_everything_leave,
    much_leaves_without_a_flush,
    a_head_alone_can_leave,
    a_stream_opens_before_its_first_event
);

/// Nothing arrives within a moment.
fn is_silent(client: &Client) -> bool {
    let mut stream = client.stream();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut octet = [0; 1];
    let result = std::io::Read::read(&mut stream, &mut octet);
    stream.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    matches!(result, Err(e) if e.kind() == ErrorKind::WouldBlock)
}

fn a_flush_lets_everything_leave(mpm: Mpm, over: Over) {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let held = gates.clone();
    let backend = over.scripted(move |_, say| {
        say.send_headers(200, "OK", &[]);
        for gate in &held {
            say.body_chunk(b"abc");
            say.flush();
            say.pause(gate);
        }
        say.end(true);
    });
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    client.send("GET /app/x HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut answer = client.try_read_head().unwrap();
    for gate in &gates {
        assert_eq!(client.read_octets(8).unwrap(), b"3\r\nabc\r\n");
        gate.await_waiting(1);
        gate.open();
    }
    client.read_body("GET", &mut answer);
    assert_eq!((answer.ended, answer.body.len()), (Ended::Chunked, 0));
}

fn a_head_alone_can_leave(mpm: Mpm, over: Over) {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = over.scripted(move |_, say| {
        say.send_headers(200, "OK", &[("X-A", "1"), ("Content-Length", "3")]);
        say.flush();
        say.pause(&held);
        say.body_chunk(b"abc");
        say.end(true);
    });
    // Without words for a flush, somebody else has to say that a head is worth a packet of its own.
    let conf = if over.is_ajp() { "" } else { "JkOptions +FlushHeader" };
    let httpd = builder(mpm, &backend, "").conf(conf).start();
    let mut client = Client::connect(httpd.port());
    client.send("GET /app/x HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut answer = client.try_read_head().unwrap();
    assert_eq!((answer.status, answer.header("X-A")), (200, Some("1")));
    gate.await_waiting(1);
    gate.open();
    client.read_body("GET", &mut answer);
    assert_eq!((answer.ended, answer.text().as_str()), (Ended::Length, "abc"));
}

/// The client of server-sent events learns at once that it is connected. HTTP has no words for a flush, but a backend that
/// does not say how much will come has no other reason to send a head alone.
fn a_stream_opens_before_its_first_event(mpm: Mpm, over: Over) {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = over.scripted(move |_, say| {
        say.send_headers(200, "OK", &[("Content-Type", "text/event-stream")]);
        say.flush();
        say.pause(&held);
        say.body_chunk(b"data: 1\n\n");
        say.end(true);
    });
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    client.send("GET /app/x HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut answer = client.try_read_head().unwrap();
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("text/event-stream")));
    gate.await_waiting(1);
    gate.open();
    client.read_body("GET", &mut answer);
    assert_eq!(answer.text(), "data: 1\n\n");
}

pub(crate) fn little_is_held_back(mpm: Mpm) {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = Backend::scripted(move |_, say| {
        say.send_headers(200, "OK", &[]);
        say.body_chunk(&pattern(4000));
        say.body_chunk(&pattern(4000));
        say.pause(&held);
        say.end(true);
    });
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    client.send("GET /app/x HTTP/1.1\r\nHost: h\r\n\r\n");
    gate.await_waiting(1);
    assert!(is_silent(&client), "a response below 8 KiB left before it was complete");
    gate.open();
    let answer = client.read_response();
    assert_eq!(answer.body.len(), 8000);
    // All of it came in one piece, so httpd knew the length.
    assert_eq!(answer.ended, Ended::Length);
}

fn much_leaves_without_a_flush(mpm: Mpm, over: Over) {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = over.scripted(move |_, say| {
        say.send_headers(200, "OK", &[]);
        say.body_chunk(&pattern(8000));
        say.body_chunk(&pattern(8000));
        say.pause(&held);
        say.body_chunk(b"rest");
        say.end(true);
    });
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    client.send("GET /app/x HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut answer = client.try_read_head().unwrap();
    assert!(client.read_octets(8000).unwrap().len() >= 8000);
    gate.open();
    client.read_body("GET", &mut answer);
    assert_eq!(answer.status, 200);
}
