//! Bodies of both directions: nobody who is slow holds a thread.

use std::time::Duration;

use crate::support::digest::sha256_hex;
use crate::support::{Backend, Client, Ended, Gate, Mpm, client, pattern, under_each_mpm};
use crate::{ask, builder};

under_each_mpm!(large_ones_in_both_directions, leave_to_send, pieces_with_flushes);

/// Most of a body of this length.
const MOST: usize = 60_000;

fn large_ones_in_both_directions(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = builder(mpm, &backend).start();
    let mut client = Client::connect(httpd.port());
    for len in [1, 8186, 100_000, 3_000_000] {
        let body = pattern(len);
        let wanted = format!("length={len}\nsha256={}\n", sha256_hex(&body));
        assert_eq!(client.request("POST", "/app/upload", &[], &body).text(), wanted);
        client.send("POST /app/upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        for part in body.chunks(50_000) {
            client.send_chunk(part);
        }
        client.send_chunk(b"");
        assert_eq!(client.read_response().text(), wanted);
        let answer = client.get(&format!("/app/size/{len}"));
        assert_eq!((answer.ended, answer.body == body), (Ended::Length, true));
        let answer = client.get(&format!("/app/stream/{len}"));
        assert!(answer.body == body && answer.ended != Ended::Truncated);
    }
    backend.assert_no_errors();
}

fn leave_to_send(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = builder(mpm, &backend).start();
    for framing in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let mut client = Client::connect(httpd.port());
        client.send(format!(
            "POST /app/upload HTTP/1.1\r\nHost: h\r\n{framing}\r\nExpect: 100-continue\r\n\r\n"
        ));
        assert_eq!(client.read_octets(12).unwrap().get(..12), Some(&b"HTTP/1.1 100"[..]));
        let body = if framing.starts_with("C") { "hello" } else { "5\r\nhello\r\n0\r\n\r\n" };
        std::thread::sleep(Duration::from_millis(30));
        client.send(body);
        // What is left of the interim response stands before the final one.
        let text = String::from_utf8_lossy(&client.read_octets(60).unwrap()).into_owned();
        assert!(text.contains("HTTP/1.1 200"), "{text}");
    }
    // Refused before it was asked to send.
    let mut client = Client::connect(httpd.port());
    client.send(
        "POST /app/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    );
    let answer = client.read_response();
    assert_eq!((answer.status, answer.fact("length").as_deref()), (200, Some("5")));
    backend.assert_no_errors();
}

fn pieces_with_flushes(mpm: Mpm) {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let held = gates.clone();
    let backend = Backend::scripted(move |_, say| {
        say.send_headers(200, "OK", &[]);
        for gate in &held {
            say.body_chunk(b"abc");
            say.flush();
            say.pause(gate);
        }
        say.end(true);
    });
    let httpd = builder(mpm, &backend).start();
    let count = if mpm == Mpm::Event { 12 } else { 2 };
    let mut clients = ask(&httpd, (0..count).map(|n| format!("/app/{n}")));
    let mut answers: Vec<_> = clients.iter_mut().map(|client| client.try_read_head().unwrap()).collect();
    for gate in &gates {
        for client in &mut clients {
            assert_eq!(client.read_octets(8).unwrap(), b"3\r\nabc\r\n");
        }
        gate.await_waiting(count);
        assert_eq!(client::get(httpd.port(), "/file.txt").text(), "from disk\n");
        gate.open();
    }
    for (client, answer) in clients.iter_mut().zip(&mut answers) {
        client.read_body("GET", answer);
        assert_eq!((answer.ended, answer.body.len()), (Ended::Chunked, 0));
    }
}

#[test]
fn slow_uploads_hold_no_thread() {
    let backend = Backend::start();
    let httpd = builder(Mpm::Event, &backend).start();
    let body = pattern(MOST + 10_000);
    for chunked in [false, true] {
        let mut clients: Vec<Client> = (0..12)
            .map(|_| {
                let mut client = Client::connect(httpd.port());
                let head = "POST /app/upload HTTP/1.1\r\nHost: h\r\n";
                if chunked {
                    client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
                    client.send_chunk(&body[..MOST]);
                } else {
                    client.send(format!("{head}Content-Length: {}\r\n\r\n", body.len()));
                    client.send(&body[..MOST]);
                }
                client
            })
            .collect();
        // All of them hang in the middle: the backends wait for more.
        backend.wait_for("all uploads have come so far", |log| {
            let sent =
                |log: &crate::support::ConnectionLog| log.bodies().iter().map(|(len, _)| len).sum::<usize>();
            log.iter().map(sent).sum::<usize>() >= 12 * (MOST - 8192) * if chunked { 2 } else { 1 }
        });
        assert_eq!(client::get(httpd.port(), "/file.txt").text(), "from disk\n");
        assert_eq!(client::get(httpd.port(), "/app/size/10").body.len(), 10);
        let wanted = format!("length={}\nsha256={}\n", body.len(), sha256_hex(&body));
        for client in &mut clients {
            if chunked {
                client.send_chunk(&body[MOST..]);
                client.send_chunk(b"");
            } else {
                client.send(&body[MOST..]);
            }
            assert_eq!(client.read_response().text(), wanted);
        }
    }
    backend.assert_no_errors();
}

#[test]
fn an_upload_that_stops_is_given_up() {
    let backend = Backend::start();
    let httpd = builder(Mpm::Event, &backend).conf("Timeout 2").start();
    let mut client = Client::connect(httpd.port());
    client
        .send("POST /app/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
        .send(pattern(50_000));
    assert_eq!(client.read_response().status, 408);
}

#[test]
fn clients_that_do_not_read_hold_no_thread() {
    const LEN: usize = 20_000_000;
    let backend = Backend::start();
    let httpd = builder(Mpm::Event, &backend).start();
    let path = |n: usize| format!("/app/{}/{LEN}", if n.is_multiple_of(2) { "size" } else { "stream" });
    let mut clients = ask(&httpd, (0..6).map(path));
    for client in &mut clients {
        // The response has begun, and nobody reads on.
        assert!(!client.read_octets(1).unwrap().is_empty());
    }
    assert_eq!(client::get(httpd.port(), "/file.txt").text(), "from disk\n");
    assert_eq!(client::get(httpd.port(), "/app/size/10").body.len(), 10);
    let wanted = pattern(LEN);
    for (number, client) in clients.into_iter().enumerate().take(2) {
        let mut whole = Client::connect(httpd.port());
        whole.send(format!("GET {} HTTP/1.1\r\nHost: h\r\n\r\n", path(number)));
        let answer = whole.read_response();
        assert!(answer.body == wanted && answer.ended != Ended::Truncated);
        drop(client);
    }
}

#[test]
fn a_slow_reader_gets_everything() {
    const LEN: usize = 6_000_000;
    let backend = Backend::start();
    let httpd = builder(Mpm::Event, &backend).start();
    let wanted = pattern(LEN);
    for kind in ["size", "stream"] {
        let mut client = ask(&httpd, [format!("/app/{kind}/{LEN}")]).remove(0);
        let mut answer = client.try_read_head().unwrap();
        // Long enough for every buffer on the way to fill up.
        std::thread::sleep(Duration::from_millis(500));
        client.read_body("GET", &mut answer);
        assert!(answer.body == wanted && answer.ended != Ended::Truncated);
    }
    backend.assert_no_errors();
}
