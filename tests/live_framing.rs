//! Requests whose framing, headers, host or method could be read in two ways, against a real httpd. Each row says what the
//! client gets and what a backend sees of it; what is refused never reaches one. Run with `--nocapture` to read the rows.
//!
//! Sources: RFC 9112 sections 3.2, 5 and 6; RFC 9110 sections 5.5, 7.2 and 7.6.1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod support;

use support::{Backend, Client, ForwardRequest, Httpd, client};

/// What a backend must have seen.
enum Seen {
    /// Nothing at all.
    Nothing,
    /// One request that satisfies this.
    Request(fn(&ForwardRequest) -> bool),
}

use Seen::{Nothing, Request};

/// A request as sent, the statuses it may be answered with, and what a backend must have seen.
type Case = (&'static str, Vec<u8>, &'static [u16], Seen);

fn run(conf: &str, cases: Vec<Case>) {
    let backend = Backend::scripted(|request, say| {
        if request.content_length() != Some(0) {
            let _ = say.read_body();
        }
        say.respond(200, &[("Content-Type", "text/plain")], b"served\n");
    });
    let httpd = Httpd::builder().workers(backend.worker("w")).conf(format!("JkMount /* w\n{conf}")).start();
    let mut failures = Vec::new();
    for (name, request, statuses, seen) in cases {
        let before = backend.requests().len();
        let mut client = Client::connect(httpd.port());
        let _ = client.try_send(&request);
        let status = match client.try_read_response_to("GET") {
            Ok(answer) => answer.status,
            Err(error) => {
                println!("{name}: {error}");
                0
            }
        };
        let grown = backend.requests().len() - before;
        let right = match seen {
            Nothing => grown == 0,
            Request(judge) => grown == 1 && judge(&backend.last_request()),
        };
        let right = right && statuses.contains(&status);
        let line = format!(
            "{name}: {status}, {} {}",
            if grown == 0 { "not forwarded" } else { "forwarded" },
            if right { "ok" } else { "WRONG" }
        );
        println!("{line}");
        if !right {
            let last = (grown > 0).then(|| backend.last_request());
            failures.push(format!("{line}, wanted {statuses:?}; last request: {last:?}"));
        }
        // The child that had the request serves the next one.
        assert_eq!(client::get(httpd.port(), "/next").status, 200, "behind {name}");
    }
    assert!(failures.is_empty(), "{failures:#?}");
    backend.assert_no_errors();
}

/// A POST with these header lines and this body.
fn post(lines: &str, body: &str) -> Vec<u8> {
    format!("POST /app/x HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n{body}").into_bytes()
}

/// A GET with these header lines.
fn get(lines: &str) -> Vec<u8> {
    format!("GET /app/x HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n").into_bytes()
}

const HELLO: &str = "5\r\nhello\r\n0\r\n\r\n";

#[test]
fn framing_of_the_request_body() {
    let known: fn(&ForwardRequest) -> bool =
        |r| r.header_all("content-length") == ["5"] && r.header("transfer-encoding").is_none();
    let unknown: fn(&ForwardRequest) -> bool =
        |r| r.header_all("transfer-encoding") == ["chunked"] && r.content_length().is_none();
    let none: fn(&ForwardRequest) -> bool = |r| r.content_length() == Some(0);
    let mut cases: Vec<Case> = vec![
        ("a length", post("Content-Length: 5\r\n", "hello"), &[200], Request(known)),
        ("a length with zeros in front", post("Content-Length: 005\r\n", "hello"), &[200], Request(known)),
        ("chunked", post("Transfer-Encoding: chunked\r\n", HELLO), &[200], Request(unknown)),
        ("chunked in other letters", post("transfer-encoding: ChUnKeD\r\n", HELLO), &[200], Request(unknown)),
        (
            "both",
            post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", HELLO),
            &[200, 400],
            Request(unknown),
        ),
        ("no body", post("", ""), &[200], Request(none)),
        ("an empty body", post("Content-Length: 0\r\n", ""), &[200], Request(none)),
        (
            "twice the same length",
            post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
            &[400],
            Nothing,
        ),
        ("two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), &[400], Nothing),
        ("a list of lengths", post("Content-Length: 5, 5\r\n", "hello"), &[400], Nothing),
        ("a signed length", post("Content-Length: +5\r\n", "hello"), &[400], Nothing),
        ("a negative length", post("Content-Length: -5\r\n", "hello"), &[400], Nothing),
        ("a hexadecimal length", post("Content-Length: 0x5\r\n", "hello"), &[400], Nothing),
        ("an empty length", post("Content-Length:\r\n", ""), &[400], Nothing),
        ("twenty digits", post("Content-Length: 10000000000000000000\r\n", "hello"), &[400, 413], Nothing),
        ("gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n", HELLO), &[400, 501], Nothing),
        ("chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n", HELLO), &[400, 501], Nothing),
        ("chunked, gzip", post("Transfer-Encoding: chunked, gzip\r\n", HELLO), &[400, 501], Nothing),
        ("identity", post("Transfer-Encoding: identity\r\n", ""), &[400, 501], Nothing),
        ("xchunked", post("Transfer-Encoding: xchunked\r\n", HELLO), &[400, 501], Nothing),
        ("a parameter", post("Transfer-Encoding: chunked;q=1\r\n", HELLO), &[400, 501], Nothing),
        (
            "two codings",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", HELLO),
            &[400, 501],
            Nothing,
        ),
        ("a blank before the colon", post("Transfer-Encoding : chunked\r\n", HELLO), &[400], Nothing),
        ("a vertical tab", post("Transfer-Encoding: \x0bchunked\r\n", HELLO), &[400], Nothing),
        (
            "chunked in HTTP/1.0",
            format!("POST /app/x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{HELLO}").into_bytes(),
            &[400],
            Nothing,
        ),
        ("a body above the limit", post("Content-Length: 2000\r\n", &"x".repeat(2000)), &[413], Nothing),
        ("TRACE", b"TRACE /app/x HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), &[200], Nothing),
        (
            "TRACE with a body",
            b"TRACE /app/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
            &[413],
            Nothing,
        ),
    ];
    for method in ["GET", "DELETE", "OPTIONS", "PUT"] {
        let request =
            format!("{method} /app/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
        cases.push((method, request.into_bytes(), &[200], Request(known)));
    }
    run("LimitRequestBody 1000\nTraceEnable On", cases);
}

#[test]
fn a_second_request_is_not_smuggled_behind_a_refused_body() {
    let backend = Backend::start();
    let httpd =
        Httpd::builder().workers(backend.worker("w")).conf("JkMount /* w\nLimitRequestBody 1000").start();
    let inner = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (name, request) in [
        ("both framings", post(&format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", 5 + inner.len()), &format!("0\r\n\r\n{inner}"))),
        ("unknown coding", post("Transfer-Encoding: gzip, chunked\r\n", &format!("0\r\n\r\n{inner}"))),
        ("bad chunk size", post("Transfer-Encoding: chunked\r\n", &format!("zz\r\n{inner}"))),
        ("chunk above the limit", post("Transfer-Encoding: chunked\r\n", &format!("fff\r\n{}\r\n0\r\n\r\n{inner}", "x".repeat(0xfff)))),
        ("length above the limit", post("Content-Length: 5000\r\n", inner)),
        ("HTTP/1.0 and chunked", format!("POST /app/x HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}").into_bytes()),
    ] {
        let mut client = Client::connect(httpd.port());
        let _ = client.try_send(&request);
        client.finish_sending();
        let answers = String::from_utf8_lossy(&client.read_to_end()).matches("HTTP/1.1 ").count();
        assert!(answers <= 1, "{name}: {answers} answers");
        assert!(backend.requests().iter().all(|r| r.uri != "/smuggled"), "{name}");
        println!("{name}: {answers} answer(s)");
    }
    assert_eq!(client::get(httpd.port(), "/fine").status, 200);
}

#[test]
fn trailers_never_become_headers() {
    let backend = Backend::start();
    let httpd = Httpd::builder().workers(backend.worker("w")).conf("JkMount /* w\nMergeTrailers Off").start();
    let mut client = Client::connect(httpd.port());
    client.send(post(
        "Transfer-Encoding: chunked\r\nTrailer: X-Auth\r\n",
        "5\r\nhello\r\n0\r\nX-Auth: admin\r\nContent-Length: 9\r\n\r\n",
    ));
    assert_eq!(client.read_response().status, 200);
    let seen = backend.last_request();
    assert_eq!((seen.header("x-auth"), seen.header("trailer"), seen.content_length()), (None, None, None));
}

#[test]
fn names_and_values_of_headers() {
    let long = "x".repeat(300);
    let cases: Vec<Case> = vec![
        ("a blank in a name", get("X A: 1\r\n"), &[400], Nothing),
        (
            "an octet from 0x80 in a name",
            [b"GET /app/x HTTP/1.1\r\nHost: h\r\nX".as_slice(), b"\xe9: 1\r\n\r\n"].concat(),
            &[400],
            Nothing,
        ),
        ("a control in a name", get("X\x01: 1\r\n"), &[400], Nothing),
        ("no name", get(": 1\r\n"), &[400], Nothing),
        ("a name that is too long", get(&format!("{long}: 1\r\n")), &[400], Nothing),
        (
            "the longest name",
            get(&format!("{}: 1\r\n", &long[..255])),
            &[200],
            Request(|r| r.header(&"x".repeat(255)) == Some("1")),
        ),
        ("NUL in a value", get("X: a\0b\r\n"), &[400], Nothing),
        ("CR in a value", get("X: a\rb\r\n"), &[400], Nothing),
        ("a control in a value", get("X: a\x1bb\r\n"), &[400], Nothing),
        ("a tab in a value", get("X: a\tb\r\n"), &[200], Request(|r| r.header("x") == Some("a\tb"))),
        (
            "octets from 0x80 in a value",
            [b"GET /app/x HTTP/1.1\r\nHost: h\r\nX: ".as_slice(), b"\xe9\xff\r\n\r\n"].concat(),
            &[200],
            Request(|r| r.header("x") == Some("\u{e9}\u{ff}")),
        ),
        ("a folded value", get("X: a\r\n b\r\n"), &[200, 400], Request(|r| r.header("x") == Some("a b"))),
        ("an empty value", get("X:\r\n"), &[200], Request(|r| r.header("x") == Some(""))),
        (
            "the same name twice",
            get("X: a\r\nX: b\r\n"),
            &[200],
            Request(|r| r.header_all("x").join(", ") == "a, b"),
        ),
        (
            "the coded names",
            get("Accept: a\r\nUser-Agent: b\r\nCookie: c=d\r\nReferer: e\r\nPragma: f\r\n"),
            &[200],
            Request(|r| {
                r.header("accept") == Some("a")
                    && r.header("user-agent") == Some("b")
                    && r.header("cookie") == Some("c=d")
                    && r.header("referer") == Some("e")
                    && r.header("pragma") == Some("f")
            }),
        ),
        (
            "two separate cookies",
            get("Cookie: a=1\r\nCookie: b=2\r\n"),
            &[200],
            Request(|r| {
                let all = r.header_all("cookie").join("; ");
                all.contains("a=1") && all.contains("b=2")
            }),
        ),
    ];
    run("", cases);
}

#[test]
fn headers_of_one_connection_are_not_passed_on() {
    let gone: fn(&ForwardRequest) -> bool = |r| {
        [
            "connection",
            "keep-alive",
            "proxy-connection",
            "te",
            "trailer",
            "upgrade",
            "http2-settings",
            "proxy",
            "proxy-authorization",
            "expect",
            "x-listed",
        ]
        .iter()
        .all(|name| r.header(name).is_none())
            && r.header("x-kept") == Some("1")
    };
    let protected: fn(&ForwardRequest) -> bool = |r| {
        r.header("host") == Some("localhost")
            && r.header("cookie") == Some("c=1")
            && r.header("authorization") == Some("Basic eA==")
            && r.header_all("content-length") == ["5"]
    };
    let cases: Vec<Case> = vec![
        (
            "all of them",
            get(
                "Keep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\nTrailer: X\r\nProxy: http://evil/\r\nProxy-Authorization: Basic eA==\r\nX-Kept: 1\r\n",
            ),
            &[200],
            Request(gone),
        ),
        (
            "what Connection lists",
            get("Connection: close, X-Listed, keep-alive\r\nX-Listed: 1\r\nX-Kept: 1\r\n"),
            &[200],
            Request(gone),
        ),
        (
            "what two Connections list",
            get("Connection: x-listed\r\nConnection: close\r\nX-Listed: 1\r\nX-Kept: 1\r\n"),
            &[200],
            Request(gone),
        ),
        (
            "an upgrade",
            get(
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nX-Kept: 1\r\n",
            ),
            &[200],
            Request(gone),
        ),
        (
            "an upgrade to TLS",
            get("Connection: Upgrade\r\nUpgrade: TLS/1.0\r\nX-Kept: 1\r\n"),
            &[200],
            Request(gone),
        ),
        (
            "a WebSocket",
            get("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nX-Kept: 1\r\n"),
            &[200],
            Request(gone),
        ),
        (
            "an expectation",
            post("Expect: 100-continue\r\nX-Kept: 1\r\nContent-Length: 5\r\n", "hello"),
            &[200],
            Request(gone),
        ),
        (
            "what Connection cannot remove",
            post(
                "Connection: close, X-Forwarded-For, Host, Cookie, Authorization, Content-Length\r\nCookie: c=1\r\nAuthorization: Basic eA==\r\nContent-Length: 5\r\n",
                "hello",
            ),
            &[200],
            Request(protected),
        ),
        ("empty elements", get("Connection: ,,,\r\nX-Kept: 1\r\n"), &[200], Request(gone)),
        ("doubled commas", get("Connection: a,,b\r\nX-Kept: 1\r\n"), &[200], Request(gone)),
        ("a quoted option", get("Connection: \"x\r\n"), &[400], Nothing),
        ("a blank in an option", get("Connection: a b\r\n"), &[400], Nothing),
        (
            "thousands of commas",
            get(&format!("Connection: {}\r\nX-Kept: 1\r\n", ",".repeat(8000))),
            &[200, 400],
            Request(gone),
        ),
        ("another expectation", get("Expect: something\r\n"), &[417], Nothing),
    ];
    run("", cases);
}

/// What a backend says about its own connection is not said to the client, and removes nothing that belongs to the message.
#[test]
fn headers_of_the_connection_to_the_backend_are_not_passed_back() {
    let backend = Backend::scripted(|_, say| {
        say.respond(
            200,
            &[
                ("Connection", "close, X-Listed, Content-Type"),
                ("X-Listed", "1"),
                ("Keep-Alive", "timeout=77"),
                ("Proxy-Connection", "x"),
                ("Proxy-Authenticate", "Basic"),
                ("Transfer-Encoding", "chunked"),
                ("TE", "x"),
                ("Trailer", "X-Kept"),
                ("Upgrade", "websocket"),
                ("X-Kept", "1"),
                ("Content-Type", "text/plain"),
            ],
            b"body",
        );
    });
    let httpd = Httpd::builder().workers(backend.worker("w")).conf("JkMount /* w").start();
    let mut client = Client::connect(httpd.port());
    for _ in 0..2 {
        let answer = client.get("/x");
        assert_eq!(
            (answer.status, answer.text().as_str(), answer.ended),
            (200, "body", support::Ended::Length)
        );
        assert_eq!((answer.header("X-Kept"), answer.header("Content-Type")), (Some("1"), Some("text/plain")));
        for name in [
            "X-Listed",
            "Proxy-Connection",
            "Proxy-Authenticate",
            "Transfer-Encoding",
            "TE",
            "Trailer",
            "Upgrade",
        ] {
            assert_eq!(answer.header(name), None, "{name}");
        }
        assert!(answer.header("Keep-Alive").is_none_or(|value| !value.contains("77")));
        assert_ne!(answer.header("Connection"), Some("close"), "the client's connection is its own");
    }
    backend.assert_no_errors();
}

#[test]
fn hosts() {
    let cases: Vec<Case> = vec![
        ("none", b"GET /app/x HTTP/1.1\r\n\r\n".to_vec(), &[400], Nothing),
        ("two", b"GET /app/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_vec(), &[400], Nothing),
        ("empty", b"GET /app/x HTTP/1.1\r\nHost:\r\n\r\n".to_vec(), &[400], Nothing),
        ("a blank", b"GET /app/x HTTP/1.1\r\nHost: a b\r\n\r\n".to_vec(), &[400], Nothing),
        ("user", b"GET /app/x HTTP/1.1\r\nHost: a@b\r\n\r\n".to_vec(), &[400], Nothing),
        ("a list", b"GET /app/x HTTP/1.1\r\nHost: a,b\r\n\r\n".to_vec(), &[400], Nothing),
        ("a path", b"GET /app/x HTTP/1.1\r\nHost: a/b\r\n\r\n".to_vec(), &[400], Nothing),
        ("a port that is none", b"GET /app/x HTTP/1.1\r\nHost: a:b\r\n\r\n".to_vec(), &[400], Nothing),
        (
            "as it is",
            b"GET /app/x HTTP/1.1\r\nHost: ExAmple.org:8123\r\n\r\n".to_vec(),
            &[200],
            Request(|r| {
                r.header("host") == Some("ExAmple.org:8123")
                    && r.server_name.eq_ignore_ascii_case("example.org")
                    && r.server_port == 8123
            }),
        ),
        (
            "an address",
            b"GET /app/x HTTP/1.1\r\nHost: [::1]:81\r\n\r\n".to_vec(),
            &[200],
            Request(|r| r.header("host") == Some("[::1]:81")),
        ),
        (
            "the one in the target wins",
            b"GET http://inside/app/x HTTP/1.1\r\nHost: outside\r\n\r\n".to_vec(),
            &[200],
            Request(|r| r.header_all("host") == ["inside"] && r.uri == "/app/x" && r.server_name == "inside"),
        ),
        (
            "none in HTTP/1.0",
            b"GET /app/x HTTP/1.0\r\n\r\n".to_vec(),
            &[200],
            Request(|r| r.header("host").is_none() && r.server_name == "localhost"),
        ),
        (
            "a long one",
            format!("GET /app/{} HTTP/1.1\r\nHost: {}\r\n\r\n", "p".repeat(3000), "h".repeat(255))
                .into_bytes(),
            &[200],
            Request(|r| r.header("host").is_some_and(|host| host.len() == 255)),
        ),
        (
            "an absurdly long one",
            format!("GET /app/x HTTP/1.1\r\nHost: {}\r\n\r\n", "h".repeat(8000)).into_bytes(),
            &[200, 400, 431],
            Nothing,
        ),
    ];
    run("", cases);
}

#[test]
fn methods_and_versions() {
    let request = |line: &str| format!("{line}\r\nHost: localhost\r\n\r\n").into_bytes();
    let cases: Vec<Case> = vec![
        (
            "PROPFIND",
            request("PROPFIND /app/x HTTP/1.1"),
            &[200],
            Request(|r| r.method == "PROPFIND" && r.stored_method.is_none()),
        ),
        (
            "PATCH",
            request("PATCH /app/x HTTP/1.1"),
            &[200],
            Request(|r| r.stored_method.as_deref() == Some("PATCH")),
        ),
        (
            "an unknown one",
            request("FOO /app/x HTTP/1.1"),
            &[200],
            Request(|r| r.stored_method.as_deref() == Some("FOO")),
        ),
        (
            "lower case is another method",
            request("get /app/x HTTP/1.1"),
            &[200],
            Request(|r| r.stored_method.as_deref() == Some("get")),
        ),
        (
            "an absurdly long one",
            request(&format!("{} /app/x HTTP/1.1", "M".repeat(300))),
            &[400, 501],
            Nothing,
        ),
        ("no token", request("G(T /app/x HTTP/1.1"), &[400, 501], Nothing),
        (
            "CONNECT",
            b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n".to_vec(),
            &[400, 405],
            Nothing,
        ),
        ("CONNECT with a path", request("CONNECT /app/x HTTP/1.1"), &[400, 405], Nothing),
        ("HTTP/0.9", b"GET /app/x\r\n".to_vec(), &[0, 400], Nothing),
        (
            "HTTP/1.0",
            b"GET /app/x HTTP/1.0\r\nHost: localhost\r\n\r\n".to_vec(),
            &[200],
            Request(|r| r.protocol == "HTTP/1.0"),
        ),
    ];
    run("", cases);
}
