//! Rows that are about time, with limits of a fraction of a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::malformed_rows::shortest;
use crate::support::script::packet;
use crate::support::{
    Backend, Client, Conversation, Ended, Httpd, Mpm, PATIENCE, client, pattern, under_each_mpm,
};

under_each_mpm!(
    silence,
    a_drip_within_the_limit,
    a_drip_beyond_the_limit,
    many_flushes_and_a_slow_client,
    a_backend_that_reads_nothing,
    a_large_answer_before_a_large_body_is_read,
);

fn front(mpm: Mpm, backend: &Backend, limit: u32) -> Httpd {
    let settings = format!("worker.w.reply_timeout={limit}\nworker.w.retries=1\n");
    Httpd::builder().mpm(mpm).workers(backend.worker("w") + &settings).conf("JkMount /app/* w").start()
}

/// Sends `octets` and then nothing until the module closes.
fn then_silence(say: &mut Conversation, octets: &[u8]) {
    say.raw(octets);
    assert!(say.closed_by_peer(PATIENCE), "the connection was kept");
}

/// Rows 2, 14 and 33: nothing at all, half a packet, no end.
fn silence(mpm: Mpm) {
    let backend = Backend::scripted(|request, say| {
        let shortest = shortest();
        match request.uri.as_str() {
            "/app/nothing" => then_silence(say, b""),
            "/app/half-head" => then_silence(say, &shortest[..15]),
            "/app/head" => then_silence(say, &shortest[..29]),
            "/app/half-body" => then_silence(say, &shortest[..38]),
            "/app/body" => then_silence(say, &shortest[..42]),
            "/app/flushed" => then_silence(say, &[&shortest[..42], &packet::body_chunk(b"")].concat()),
            _ => say.respond(200, &[], b"fine"),
        }
    });
    let httpd = front(mpm, &backend, 250);
    for case in ["nothing", "half-head", "head", "half-body", "body"] {
        let begun = Instant::now();
        let answer = client::get(httpd.port(), &format!("/app/{case}"));
        assert_eq!(
            (answer.status, answer.header("Content-Type").is_some_and(|t| t.contains("html"))),
            (504, true),
            "{case}"
        );
        assert!(!answer.text().contains("hello"), "{case}");
        assert!((250..5000).contains(&begun.elapsed().as_millis()), "{case}: {:?}", begun.elapsed());
        assert_eq!(client::get(httpd.port(), "/app/x").text(), "fine");
    }
    let answer = client::get(httpd.port(), "/app/flushed");
    assert_eq!((answer.status, answer.ended, answer.text().as_str()), (200, Ended::Truncated, "hello"));
    assert_eq!(httpd.jk_log().matches("JK0205").count(), 6, "{}", httpd.jk_log());
}

/// Row 15: the limit is one for each packet, not for the response.
fn a_drip_within_the_limit(mpm: Mpm) {
    let backend = Backend::scripted(|_, say| {
        for octet in shortest() {
            say.raw(&[octet]);
            std::thread::sleep(Duration::from_millis(22));
        }
    });
    let httpd = front(mpm, &backend, 1000);
    let begun = Instant::now();
    let answer = client::get(httpd.port(), "/app/x");
    assert_eq!((answer.status, answer.text().as_str(), answer.ended), (200, "hello", Ended::Length));
    assert!(begun.elapsed() > Duration::from_millis(1000), "{:?}", begun.elapsed());
}

/// Row 16: octets inside a packet do not prolong its time.
fn a_drip_beyond_the_limit(mpm: Mpm) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let backend = Backend::scripted(move |_, say| {
        for octet in shortest() {
            say.raw(&[octet]);
            counter.fetch_add(1, Ordering::Relaxed);
            if say.closed_by_peer(Duration::from_millis(250)) {
                return;
            }
        }
    });
    let httpd = front(mpm, &backend, 400);
    let begun = Instant::now();
    assert_eq!(client::get(httpd.port(), "/app/x").status, 504);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(sent.load(Ordering::Relaxed) < 10);
}

/// Rows 87 and 88, the small versions: a slow client does not count against the backend's time.
fn many_flushes_and_a_slow_client(mpm: Mpm) {
    let backend = Backend::scripted(|_, say| {
        say.send_headers(200, "OK", &[]);
        for part in pattern(20_000_000).chunks(1_000_000) {
            say.body_chunk(part);
            say.flush();
        }
        say.end(true);
    });
    let httpd = front(mpm, &backend, 300);
    let mut client = Client::connect(httpd.port());
    client.send("GET /app/x HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut answer = client.try_read_head().unwrap();
    std::thread::sleep(Duration::from_millis(900));
    client.read_body("GET", &mut answer);
    assert!(answer.ended == Ended::Chunked && answer.body == pattern(20_000_000), "{:?}", answer.ended);
    httpd.assert_no_errors(&[]);
}

/// Row 104: what fits into the buffers of the kernel is sent, and then the answer does not come.
fn a_backend_that_reads_nothing(mpm: Mpm) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let workers = format!(
        "worker.list=w\nworker.w.host=127.0.0.1\nworker.w.port={port}\nworker.w.reply_timeout=300\nworker.w.retries=1\n\
         worker.w.max_packet_size=65536"
    );
    let httpd = Httpd::builder().mpm(mpm).workers(workers).conf("JkMount /app/* w").start();
    let begun = Instant::now();
    let answer = client::request(httpd.port(), "POST", "/app/x", &[], &pattern(1 << 20));
    assert_eq!(answer.status, 504);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// Row 105: neither side reads before it has written; nobody may wait for ever.
fn a_large_answer_before_a_large_body_is_read(mpm: Mpm) {
    let backend = Backend::scripted(|_, say| {
        say.send_headers(200, "OK", &[]);
        say.body_chunk(&pattern(10 << 20));
        let body = say.read_body();
        assert!(body == pattern(1 << 20), "{} octets of body", body.len());
        say.end(true);
    });
    let httpd = front(mpm, &backend, 20_000);
    let mut client = Client::connect(httpd.port());
    // The whole body at once, from another thread: the answer is longer than all buffers.
    let mut writer = client.stream().try_clone().unwrap();
    let upload = std::thread::spawn(move || {
        use std::io::Write;
        writer.write_all(b"POST /app/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n").unwrap();
        writer.write_all(&pattern(1 << 20)).unwrap();
    });
    let answer = client.read_response();
    upload.join().unwrap();
    assert!(answer.ended == Ended::Chunked && answer.body == pattern(10 << 20), "{:?}", answer.ended);
    httpd.assert_no_errors(&[]);
}
