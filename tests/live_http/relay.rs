//! Requests and responses, the same over everything a backend can be reached over.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::backend::{HttpBackend, Over, say, send};
use crate::support::{Client, Ended, Httpd, Mpm, PATIENCE, client, pattern, poll};

fn front(mpm: Mpm, backend: &HttpBackend, more: &str) -> Httpd {
    let conf = format!("JkMount /app/* w\n{more}");
    Httpd::builder().mpm(mpm).workers(backend.worker("w", "")).conf(conf).start()
}

/// Makes tests of functions that take an [`Mpm`] and what the backend is reached over.
macro_rules! over_everything {
    ($($name:ident),+ $(,)?) => {
        over_everything!(@one http Event Http $($name),+);
        over_everything!(@one https Event Https $($name),+);
        over_everything!(@one unix Event Unix $($name),+);
        over_everything!(@one http_worker Worker Http $($name),+);
        over_everything!(@one https_worker Worker Https $($name),+);
        over_everything!(@one http_prefork Prefork Http $($name),+);
        over_everything!(@one https_prefork Prefork Https $($name),+);
    };
    (@one $module:ident $mpm:ident $over:ident $($name:ident),+) => {
        mod $module {
            $(#[test] fn $name() { super::$name(crate::support::Mpm::$mpm, crate::backend::Over::$over); })+
        }
    };
}

over_everything!(
    bodies_go_both_ways,
    responses_without_body,
    ends_of_responses,
    connections_are_used_again,
    without_reuse_the_backend_is_told_to_close,
    listed_statuses_are_failures_and_errors_can_be_replaced,
    a_connection_closed_while_idle_costs_nothing,
    an_early_refusal_ends_the_upload,
    an_answer_that_breaks_off_is_never_passed_for_a_whole_one,
    events_are_delivered_one_by_one,
);

/// Answers with the request's body, in the way the path says.
fn mirror(over: Over) -> HttpBackend {
    HttpBackend::start_over(over, |asked, stream| match asked.path() {
        "/app/chunks" => {
            send(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for piece in asked.body.chunks(10_000) {
                send(stream, [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
            }
            send(stream, "0\r\n\r\n")
        }
        "/app/close" => {
            send(stream, "HTTP/1.1 200 OK\r\n\r\n");
            send(stream, &asked.body);
            false
        }
        _ => say(stream, "200 Fine", "X-One: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n", &asked.body),
    })
}

fn bodies_go_both_ways(mpm: Mpm, over: Over) {
    let backend = mirror(over);
    let httpd = front(mpm, &backend, "");
    let big = pattern(3_000_000);
    let mut client = Client::connect(httpd.port());
    for path in ["/app/length", "/app/chunks", "/app/close"] {
        for body in [&big[..10], &big[..40_000], &big[..]] {
            let answer = client.request("POST", path, &[], body);
            assert_eq!((answer.status, answer.body == body), (200, true), "{path} {}", body.len());
            assert_ne!(answer.ended, Ended::Truncated);
            assert_eq!(backend.last().header("Content-Length"), [body.len().to_string()]);
        }
        client.send(format!("PUT {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
        for piece in big.chunks(70_001) {
            client.send_chunk(piece);
        }
        client.send_chunk(b"");
        let answer = client.read_response();
        assert!(answer.status == 200 && answer.body == big, "{path}");
        let asked = backend.last();
        assert_eq!(asked.header("Transfer-Encoding"), ["chunked"]);
        assert!(asked.header("Content-Length").is_empty() && asked.body == big);
    }
    let answer = client.get("/app/length?a=%20b&c");
    assert_eq!(
        (answer.status, answer.ended, answer.header_all("Set-Cookie")),
        (200, Ended::Length, vec!["a=1", "b=2"])
    );
    assert_eq!(backend.last().line, "GET /app/length?a=%20b&c HTTP/1.1");
    httpd.assert_no_errors(&[]);
}

fn responses_without_body(mpm: Mpm, over: Over) {
    let backend = HttpBackend::start_over(over, |asked, stream| match asked.path() {
        "/app/204" => send(stream, "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"),
        "/app/304" => send(stream, "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 7\r\n\r\n"),
        "/app/206" => say(stream, "206 Partial Content", "Content-Range: bytes 1-3/9\r\n", b"abc"),
        "/app/103" => {
            send(stream, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
            say(stream, "200 OK", "", b"after")
        }
        // Content-Length of what a GET would bring.
        _ => send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"),
    });
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    for round in 0..2 {
        let head = client.request("HEAD", "/app/x", &[], b"");
        assert_eq!((head.status, head.header("Content-Length")), (200, Some("1234")), "{round}");
        assert_eq!(client.get("/app/204").status, 204);
        let not_modified = client.request("GET", "/app/304", &[("If-None-Match", "\"x\"")], b"");
        assert_eq!((not_modified.status, not_modified.header("ETag")), (304, Some("\"x\"")));
        assert_eq!(backend.last().header("If-None-Match"), ["\"x\""]);
        let part = client.request("GET", "/app/206", &[("Range", "bytes=1-3")], b"");
        assert_eq!((part.status, &part.body[..]), (206, &b"abc"[..]));
        assert_eq!(
            (backend.last().header("Range"), part.header("Content-Range")),
            (vec!["bytes=1-3"], Some("bytes 1-3/9"))
        );
        assert_eq!(client.get("/app/103").text(), "after");
    }
    // All of it on one connection.
    assert!(backend.asked().iter().all(|asked| asked.connection == 0));
    httpd.assert_no_errors(&[]);
}

fn ends_of_responses(mpm: Mpm, over: Over) {
    let backend = HttpBackend::start_over(over, |asked, stream| {
        let old = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold";
        send(stream, if asked.path() == "/app/old" { old } else { "HTTP/1.1 200 OK\r\n\r\n" });
        false
    });
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    assert_eq!(client.get("/app/old").text(), "old");
    assert_eq!((client.get("/app/nothing").status, client.get("/app/old").status), (200, 200));
    httpd.assert_no_errors(&[]);
}

fn connections_are_used_again(mpm: Mpm, over: Over) {
    let backend = HttpBackend::start_over(over, |asked, stream| {
        let last = asked.path() == "/app/last";
        say(stream, "200 OK", if last { "Connection: close\r\n" } else { "" }, b"x") && !last
    });
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    for path in ["/app/1", "/app/2", "/app/last", "/app/3", "/app/4"] {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.text()), (200, "x".to_owned()), "{path}");
    }
    let connections: Vec<_> = backend.asked().iter().map(|asked| asked.connection).collect();
    assert_eq!(connections, [0, 0, 0, 1, 1]);
    httpd.assert_no_errors(&[]);
}

fn without_reuse_the_backend_is_told_to_close(mpm: Mpm, over: Over) {
    let backend = HttpBackend::start_over(over, |_, stream| say(stream, "200 OK", "", b"a"));
    let httpd = front(mpm, &backend, "JkOptions +DisableReuse");
    let mut client = Client::connect(httpd.port());
    for connection in 0..3 {
        assert_eq!(client.get("/app/x").status, 200);
        let asked = backend.last();
        assert_eq!((asked.connection, asked.header("Connection")), (connection, vec!["close"]));
    }
}

fn listed_statuses_are_failures_and_errors_can_be_replaced(mpm: Mpm, over: Over) {
    let backend = HttpBackend::start_over(over, |asked, stream| {
        let status = asked.path().rsplit('/').next().unwrap();
        say(stream, &format!("{status} X"), "Content-Type: text/plain\r\n", b"backend")
    });
    let conf = "JkMount /app/* w\nJkMount /own/* w;use_server_errors=500";
    let workers = backend.worker("w", "fail_on_status=503,-507\nretries=1");
    let httpd = Httpd::builder().mpm(mpm).workers(workers).conf(conf).start();
    let answer = client::get(httpd.port(), "/app/500");
    assert_eq!((answer.status, answer.text()), (500, "backend".to_owned()));
    for path in ["/app/503", "/app/507"] {
        let answer = client::get(httpd.port(), path);
        assert!(answer.status == 503 && answer.text() != "backend", "{path} {}", answer.status);
    }
    let answer = client::get(httpd.port(), "/own/500");
    assert!(answer.status == 500 && answer.text() != "backend", "{}", answer.text());
    assert!(httpd.jk_log().contains("JK0211"), "{}", httpd.jk_log());
}

fn a_connection_closed_while_idle_costs_nothing(mpm: Mpm, over: Over) {
    // Each connection carries one request, whatever it promises.
    let backend = HttpBackend::start_over(over, |_, stream| {
        say(stream, "200 OK", "", b"x");
        false
    });
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    for _ in 0..20 {
        assert_eq!(client.get("/app/x").status, 200);
    }
    httpd.assert_no_errors(&[]);
}

#[test]
fn the_backend_learns_who_asks_from_this_server_alone() {
    let backend = HttpBackend::named("a");
    let more = "JkEnvVar COLOUR blue\nSetEnvIf Request_URI /known COLOUR=green JK_REMOTE_USER=alice";
    let httpd = front(Mpm::Event, &backend, more);
    let forged = [
        ("Host", "www.example.org:8080"),
        ("X-Forwarded-For", "6.6.6.6"),
        ("X-Forwarded-Proto", "https"),
        ("x-forwarded-host", "evil"),
        ("X-Forwarded-Prefix", "/evil"),
        ("Forwarded", "for=6.6.6.6"),
        ("X-Real-IP", "6.6.6.6"),
        ("X-Remote-User", "root"),
        ("X-Jk-Env-COLOUR", "red"),
        ("ssl-client-cert", "evil"),
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "gone"),
        ("TE", "trailers"),
        ("Upgrade", "websocket"),
        ("X-Kept", "kept"),
    ];
    let answer = Client::connect(httpd.port()).request("GET", "/app/known", &forged, b"");
    assert_eq!(answer.status, 200);
    let asked = backend.last();
    let rows = [
        ("Host", vec!["www.example.org:8080"]),
        ("X-Forwarded-For", vec!["127.0.0.1"]),
        ("X-Forwarded-Proto", vec!["http"]),
        ("X-Forwarded-Host", vec!["www.example.org:8080"]),
        ("X-Forwarded-Port", vec!["8080"]),
        ("X-Forwarded-Prefix", vec![]),
        ("Forwarded", vec!["for=127.0.0.1;host=\"www.example.org:8080\";proto=http"]),
        ("X-Real-IP", vec![]),
        ("X-Remote-User", vec!["alice"]),
        ("X-Jk-Env-COLOUR", vec!["green"]),
        ("ssl-client-cert", vec![]),
        ("X-Hop", vec![]),
        ("TE", vec![]),
        ("Upgrade", vec![]),
        ("X-Kept", vec!["kept"]),
        ("X-Jk-Lb-Activation", vec!["ACT"]),
    ];
    for (name, wanted) in rows {
        assert_eq!(asked.header(name), wanted, "{name}: {asked:?}");
    }
    assert_eq!(client::get(httpd.port(), "/app/other").status, 200);
    assert_eq!(backend.last().header("X-Jk-Env-COLOUR"), ["blue"]);
}

fn an_early_refusal_ends_the_upload(mpm: Mpm, over: Over) {
    let backend = HttpBackend::before_body_over(over, |_, stream| {
        say(stream, "413 Too Much", "Connection: close\r\n", b"too much")
    });
    let httpd = front(mpm, &backend, "");
    let answer = Client::connect(httpd.port()).request("POST", "/app/x", &[], &pattern(8_000_000));
    assert_eq!((answer.status, answer.text()), (413, "too much".to_owned()));
}

fn an_answer_that_breaks_off_is_never_passed_for_a_whole_one(mpm: Mpm, over: Over) {
    let backend = HttpBackend::start_over(over, |asked, stream| {
        let framing = if asked.path() == "/app/chunks" {
            "Transfer-Encoding: chunked"
        } else {
            "Content-Length: 60000"
        };
        send(stream, format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n7530\r\n"));
        send(stream, vec![b'x'; 30_000]);
        false
    });
    let httpd = Httpd::builder().mpm(mpm).workers(backend.worker("w", "")).conf("JkMount /app/* w").start();
    for path in ["/app/chunks", "/app/length"] {
        let answer = Client::connect(httpd.port()).get(path);
        assert_eq!((answer.status, answer.ended), (200, Ended::Truncated), "{path}");
    }
    assert!(httpd.jk_log().contains("JK0206"), "{}", httpd.jk_log());
}

/// Server-sent events: each is with the client before the backend makes the next one.
fn events_are_delivered_one_by_one(mpm: Mpm, over: Over) {
    let seen = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&seen);
    let backend = HttpBackend::start_over(over, move |asked, stream| {
        let chunked = asked.path() == "/app/chunks";
        let framing = if chunked { "Transfer-Encoding: chunked\r\n" } else { "" };
        send(stream, format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}\r\n"));
        for number in 1..=5 {
            let event = format!("data: {number}\n\n");
            send(stream, if chunked { format!("{:x}\r\n{event}\r\n", event.len()) } else { event });
            if !poll(PATIENCE, || told.load(Ordering::SeqCst) >= number) {
                return false;
            }
        }
        if chunked { send(stream, "0\r\n\r\n") } else { false }
    });
    let httpd = front(mpm, &backend, "");
    for path in ["/app/chunks", "/app/close"] {
        seen.store(0, Ordering::SeqCst);
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", httpd.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = Vec::new();
        for number in 1..=5 {
            while !String::from_utf8_lossy(&text).contains(&format!("data: {number}\n\n")) {
                let mut some = [0; 512];
                let octets = stream.read(&mut some).unwrap_or_else(|e| panic!("{path} event {number}: {e}"));
                assert_ne!(octets, 0, "{path} {number}: {}", httpd.jk_log());
                text.extend_from_slice(&some[..octets]);
            }
            seen.store(number, Ordering::SeqCst);
        }
    }
}
