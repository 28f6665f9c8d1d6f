//! Proves the live-test support itself: httpd under each MPM, the scripted backend and Tomcat behind the original mod_jk,
//! and the fast backend of the examples.
//!
//! These tests say nothing about the module of this project; they need apache2-dev, libapache2-mod-jk and tomcat10.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "support_selftest/http_judge.rs"]
mod http_judge;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::httpd::original_mod_jk;
use support::script::packet;
use support::{Backend, Client, Ended, Event, ForwardRequest, Gate, Httpd, Mpm, Tomcat};
use support::{client, digest, pattern, ports, process};

/// httpd with mod_jk in front of `backend`, everything below /app/ mounted.
fn front(backend: &Backend) -> Httpd {
    Httpd::builder().module(original_mod_jk()).workers(backend.worker("w")).conf("JkMount /app/* w").start()
}

#[test]
fn every_mpm_serves_a_file_restarts_and_leaves_nothing_behind() {
    for mpm in Mpm::ALL {
        let mut httpd = Httpd::builder().mpm(mpm).without_module().file("htdocs/x.txt", "static\n").start();
        let answer = client::get(httpd.port(), "/x.txt");
        assert_eq!((answer.status, answer.text().as_str()), (200, "static\n"), "{mpm:?}");
        assert_eq!(answer.header("Content-Type"), Some("text/plain"));
        let before = httpd.child_pids();
        assert!(!before.is_empty(), "{mpm:?}");
        httpd.write("htdocs/y.txt", "@PORT@");
        httpd.replace_conf("Alias /alias @ROOT@/htdocs");
        httpd.graceful();
        assert!(httpd.child_pids().iter().any(|pid| !before.contains(pid)));
        assert_eq!(client::get(httpd.port(), "/alias/y.txt").text(), httpd.port().to_string());
        assert!(httpd.access_log().contains("\"GET /x.txt HTTP/1.1\" 200 7"), "{}", httpd.access_log());
        httpd.assert_no_errors(&[]);
        let parent = httpd.pid();
        let children = httpd.child_pids();
        assert!(httpd.stop(), "{mpm:?} had to be killed");
        assert!(!process::is_alive(parent) && !children.iter().any(|pid| process::is_alive(*pid)));
    }
}

#[test]
fn children_are_counted_as_configured() {
    let httpd = Httpd::builder().without_module().servers(3).threads_per_child(2).start();
    support::wait_until("three children", || httpd.child_pids().len() == 3);
    support::wait_until("three children and no more", || httpd.child_pids().len() == 3);
}

#[test]
fn a_bad_configuration_is_reported_not_started() {
    let mut httpd = Httpd::builder().without_module().conf("NoSuchDirective on").prepare();
    let (good, output) = httpd.configtest();
    assert!(!good && output.contains("NoSuchDirective"), "{output}");
    let text = httpd.launch().expect_err("started");
    assert!(text.contains("NoSuchDirective"), "{text}");
    assert!(Httpd::builder().without_module().prepare().configtest().0);
}

#[test]
fn a_killed_child_is_a_sign_of_a_crash() {
    let httpd = Httpd::builder().without_module().allow_log("exit signal").start();
    process::signal(httpd.child_pids()[0], libc::SIGSEGV);
    httpd.wait_for_log("exit signal Segmentation fault");
    // The builder excuses it, so that the test as a whole passes; without the excuse the line is found.
    // AH00052, or AH00051 when core files are enabled.
    assert!(httpd.error_log().contains("AH0005") && httpd.crash_signs(&[]).is_empty());
}

#[test]
fn ports_are_unique_and_refuse_until_used() {
    let (a, b) = (ports::free_port(), ports::free_port());
    assert_ne!(a, b);
    assert!(TcpStream::connect(("127.0.0.1", a)).is_err());
    let listener =
        std::net::TcpListener::bind(("127.0.0.1", a)).expect("a server with SO_REUSEADDR gets the port");
    assert!(TcpStream::connect(("127.0.0.1", a)).is_ok());
    drop(listener);
}

/// What the client makes of `answer`, from a server that sends just that and closes, in an orderly way or by a reset.
fn read_by_client(answer: &'static [u8], reset: bool) -> support::Response {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("listen");
    let port = listener.local_addr().expect("address").port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("accept");
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).expect("request");
        stream.write_all(answer).expect("answer");
        if reset {
            // The client has to have read the answer, because a reset discards what is in flight.
            let _ = stream.read(&mut request).expect("sign");
            support::backend::linger_zero(&stream);
        }
    });
    let mut client = Client::connect(port);
    client.send("GET / HTTP/1.1\r\n\r\n");
    let mut response = client.try_read_head().expect("head");
    if reset {
        client.send("read");
    }
    client.read_body("GET", &mut response);
    server.join().expect("server");
    response
}

#[test]
fn the_client_knows_how_a_body_ended() {
    let cases: [(&[u8], Ended, &str); 8] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", Ended::Length, "abc"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", Ended::Truncated, "abc"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            Ended::Chunked,
            "abc",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", Ended::Truncated, "abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabc", Ended::Truncated, "abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", Ended::Truncated, ""),
        (b"HTTP/1.0 200 OK\r\n\r\nabc", Ended::Close, "abc"),
        (b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n", Ended::NoBody, ""),
    ];
    for (answer, ended, body) in cases {
        let response = read_by_client(answer, false);
        assert_eq!((response.ended, response.text().as_str()), (ended, body), "{}", answer.escape_ascii());
    }
    assert_eq!(read_by_client(b"HTTP/1.0 200 OK\r\n\r\nabc", true).ended, Ended::Truncated);
    let repeated = read_by_client(b"HTTP/1.1 204 No\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n\r\n", false);
    assert_eq!(repeated.header_all("Set-Cookie"), ["a=1", "b=2"]);
}

#[test]
fn digest_matches_the_standard_vectors() {
    assert_eq!(
        digest::sha256_hex(b"abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(digest::sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(
        digest::sha256_hex(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    );
}

#[test]
fn default_script_through_mod_jk() {
    let backend = Backend::start();
    let httpd = front(&backend);
    let mut client = Client::connect(httpd.port());

    let facts = client.request("GET", "/app/hello?a=b", &[("X-Test", "one")], b"");
    assert_eq!((facts.status, facts.ended), (200, Ended::Length));
    assert_eq!(facts.fact("uri").as_deref(), Some("/app/hello"));
    assert_eq!(facts.fact("query").as_deref(), Some("a=b"));
    assert_eq!(facts.fact("header.x-test").as_deref(), Some("one"));
    assert_eq!(facts.fact("attribute.JK_LB_ACTIVATION").as_deref(), Some("ACT"));
    assert_eq!(facts.fact("attribute.AJP_REMOTE_PORT"), Some(client.local_port().to_string()));

    let sized = client.get("/app/size/100000");
    assert_eq!((sized.ended, sized.body == pattern(100_000)), (Ended::Length, true));
    let streamed = client.get("/app/stream/100000");
    assert_eq!((streamed.ended, streamed.body == pattern(100_000)), (Ended::Chunked, true));
    assert_eq!(client.get("/app/headers/20").header("X-Header-19"), Some("value-19"));
    assert_eq!(client.get("/app/status/404").status, 404);
    assert_eq!(client.get("/app/status/204").ended, Ended::NoBody);
    let head = client.request("HEAD", "/app/size/10", &[], b"");
    assert_eq!((head.status, head.ended, head.body.len()), (200, Ended::NoBody, 0));

    let body = pattern(20_000);
    let upload = client.request("POST", "/app/upload", &[], &body);
    assert_eq!(upload.fact("sha256"), Some(digest::sha256_hex(&body)));
    let log = backend.log();
    assert_eq!(log[0].bodies(), [(8186, None), (8186, Some(8186)), (3628, Some(8186)), (0, Some(8186))]);

    client.send("POST /app/upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send_chunk(b"hello ").send_chunk(b"world").send_chunk(b"");
    assert_eq!(client.read_response().fact("length").as_deref(), Some("11"));
    let last = backend.last_request();
    assert_eq!((last.content_length(), last.header("transfer-encoding")), (None, Some("chunked")));
    assert_eq!(backend.open_connections(), 1, "one client on one connection needs one backend connection");
    backend.assert_no_errors();
    httpd.assert_no_errors(&[]);
}

#[test]
fn scripts_hold_reset_and_forbid_reuse() {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = Backend::scripted(move |request, say| match request.uri.as_str() {
        "/app/held" => {
            say.pause(&held);
            say.respond(200, &[], b"let go");
        }
        "/app/reset" => say.reset(),
        "/app/close" => {
            say.send_headers(200, "OK", &[]);
            say.body_chunk(b"bye");
            say.end(false);
            assert!(say.closed_by_peer(Duration::from_secs(10)), "reuse 0 was ignored");
        }
        other => panic!("no answer for {other}"),
    });
    let httpd = front(&backend);

    let mut client = Client::connect(httpd.port());
    client.send("GET /app/held HTTP/1.1\r\nHost: h\r\n\r\n");
    gate.await_waiting(1);
    gate.open();
    assert_eq!(client.read_response().text(), "let go");

    assert!(client::get(httpd.port(), "/app/reset").status >= 500);
    assert_eq!(client::get(httpd.port(), "/app/close").text(), "bye");
    backend.wait_for("the module closed after reuse 0", |log| {
        log.iter().any(|c| c.saw(&Event::Ended { reuse: false }) && c.saw(&Event::Eof) && !c.open)
    });
}

#[test]
fn a_backend_dies_and_comes_back_at_its_port() {
    let mut backend = Backend::builder().port(ports::free_port()).secret("s").start();
    let httpd = Httpd::builder()
        .module(original_mod_jk())
        .workers(backend.worker("w") + "worker.w.recovery_options=3\n")
        .conf("JkMount /app/* w")
        .start();
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
    backend.stop();
    assert_eq!(backend.open_connections(), 0);
    // Which of the two is up to the original module: it may notice the closed connection before or after it has sent.
    let status = client::get(httpd.port(), "/app/x").status;
    assert!(matches!(status, 502 | 503), "{status}");
    backend.listen();
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
    assert_eq!(backend.last_request().secret.as_deref(), Some("s"));
}

/// Connects to `backend` without httpd, sends `bytes` and reads until End Response, or until the backend closes.
fn speak(backend: &Backend, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", backend.port())).expect("connect");
    stream.write_all(bytes).expect("write");
    stream.set_read_timeout(Some(support::PATIENCE)).expect("timeout");
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(len @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..len]);
        if answer.ends_with(&packet::end(true)) {
            break;
        }
    }
    answer
}

/// A good Forward Request for GET /x, to be spoilt.
fn good_request() -> Vec<u8> {
    let mut payload = vec![2, 2];
    payload.extend(packet::string(b"HTTP/1.1"));
    payload.extend(packet::string(b"/x"));
    payload.extend(packet::string(b"127.0.0.1"));
    payload.extend([0xff, 0xff]);
    payload.extend(packet::string(b"localhost"));
    payload.extend([0, 80, 0, 0, 1, 0xa0, 8]);
    payload.extend(packet::string(b"0"));
    payload.push(0xff);
    payload
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = packet::frame(payload);
    bytes[..2].copy_from_slice(&[0x12, 0x34]);
    bytes
}

#[test]
fn the_judge_accepts_good_and_notices_bad_octets() {
    let backend = Backend::start();
    let answer = speak(&backend, &framed(&good_request()));
    assert!(answer.ends_with(&packet::end(true)), "{answer:02x?}");
    let mut backend = backend;
    backend.assert_no_errors();

    let replaced = |from: &[u8], to: &[u8]| {
        let good = good_request();
        let at = good.windows(from.len()).position(|w| w == from).expect("in the packet");
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    let cases: [(&str, Vec<u8>); 9] = [
        ("octets behind the end", [good_request(), vec![0]].concat()),
        ("packet ends inside", good_request()[..good_request().len() - 1].to_vec()),
        ("body framing", replaced(b"\x00\x010\0", b"\x00\x01x\0")),
        ("req_uri", replaced(b"/x", b"xx")),
        ("is_ssl", replaced(&[0, 80, 0], &[0, 80, 2])),
        ("stored method", replaced(&[2, 2], &[2, 255])),
        ("method code", replaced(&[2, 2], &[2, 28])),
        ("no NUL", replaced(b"/x\0", b"/xy")),
        ("has a code and came as text", {
            let mut name = packet::string(b"Content-Length");
            name.extend(packet::string(b"0"));
            replaced(b"\xa0\x08\x00\x010\0", &name)
        }),
    ];
    for (complaint, payload) in cases {
        let error = ForwardRequest::decode(&payload).expect_err(complaint);
        assert!(error.contains(complaint), "{error}");
        let known = backend.errors().len();
        assert!(speak(&backend, &framed(&payload)).is_empty(), "{complaint}");
        backend.wait_for(complaint, |_| true);
        support::wait_until(complaint, || backend.errors().len() == known + 1);
    }

    // A body packet that nobody asked for, behind a request without a body.
    let known = backend.errors().len();
    speak(&backend, &[framed(&good_request()), framed(&[0, 1, b'x'])].concat());
    support::wait_until("the unasked packet was noticed", || backend.errors().len() > known);
    backend.forgive_errors();
}

#[test]
fn backends_listen_on_ipv6_and_unix_sockets() {
    let v6 = Backend::builder().ipv6().start();
    let mut stream = TcpStream::connect(("::1", v6.port())).expect("connect to [::1]");
    stream.write_all(b"\x12\x34\x00\x01\x0a").expect("ping");
    let mut pong = [0; 5];
    stream.read_exact(&mut pong).expect("pong");
    assert_eq!(&pong, b"\x41\x42\x00\x01\x09");
    assert_eq!(v6.pings(), 1);

    let unix = Backend::builder().unix().start();
    let support::backend::Address::Unix(path) = unix.address().clone() else { panic!("not a UNIX socket") };
    let mut stream = std::os::unix::net::UnixStream::connect(&path).expect("connect to the socket");
    stream.write_all(b"\x12\x34\x00\x01\x0a").expect("ping");
    stream.read_exact(&mut pong).expect("pong");
    drop(unix);
    assert!(!path.exists());
}

#[test]
fn tomcat_behind_mod_jk() {
    let tomcat = Tomcat::shared();
    let httpd = Httpd::builder()
        .module(original_mod_jk())
        .workers(tomcat.worker("node1"))
        .conf("JkMount /*.jsp node1\nJkMount /examples/* node1\nJkEnvVar TEST_VAR\nSetEnv TEST_VAR seen")
        .start();
    let mut client = Client::connect(httpd.port());
    let date = client.get("/examples/jsp/dates/date.jsp");
    assert_eq!(date.status, 200, "{}", date.text());

    let echo = client.get("/echo.jsp?attribute=TEST_VAR");
    assert_eq!(echo.fact("wanted").as_deref(), Some("seen"), "{}", echo.text());
    assert_eq!(echo.fact("remote_port"), Some(client.local_port().to_string()));

    let first = client.get("/session.jsp");
    let cookie =
        first.header("Set-Cookie").expect("a session").split(';').next().unwrap_or_default().to_owned();
    assert!(cookie.ends_with(".node1"), "{cookie}");
    let second = client.request("GET", "/session.jsp", &[("Cookie", &cookie)], b"");
    assert_eq!(second.fact("count").as_deref(), Some("2"));

    let big = client.get("/big.jsp?n=1");
    assert_eq!((big.ended, big.body == pattern(1 << 20)), (Ended::Length, true));
    let big = client.get("/big.jsp?octets=50000&length=0");
    assert_eq!((big.ended, big.body == pattern(50_000)), (Ended::Chunked, true));
    let body = pattern(300_000);
    let upload = client.request("POST", "/upload.jsp", &[], &body);
    assert_eq!(upload.fact("length").as_deref(), Some("300000"), "{}", upload.text());
    assert_eq!(upload.fact("sha256"), Some(digest::sha256_hex(&body)));
    httpd.assert_no_errors(&[]);
}

#[test]
fn the_fast_backend_of_the_examples_behind_mod_jk() {
    let mut command = Command::new(process::ajp_backend_program());
    command.args(["--listen", "127.0.0.1:0", "--secret", "s3cret"]).stdout(Stdio::piped());
    let mut child = process::spawn(command, libc::SIGKILL).expect("start");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("first line");
    let port: u16 = line.trim().rsplit(':').next().and_then(|port| port.parse().ok()).expect(&line);

    let workers = format!(
        "worker.list=w\nworker.w.type=ajp13\nworker.w.host=127.0.0.1\nworker.w.port={port}\nworker.w.secret=s3cret\n"
    );
    let httpd = Httpd::builder().module(original_mod_jk()).workers(workers).conf("JkMount /* w").start();
    let mut client = Client::connect(httpd.port());
    for size in [0, 1, 8184, 8185, 65_536, 3_000_000] {
        let answer = client.get(&format!("/size/{size}"));
        assert_eq!((answer.status, answer.ended, answer.body.len()), (200, Ended::Length, size));
    }
    assert_eq!(client.request("HEAD", "/size/100", &[], b"").ended, Ended::NoBody);
    assert_eq!(
        client.get("/headers/30").headers.iter().filter(|(name, _)| name.starts_with("X-Header-")).count(),
        30
    );
    assert_eq!(client.request("POST", "/upload", &[], &pattern(100_000)).text(), "100000\n");
    assert_eq!(client.request("POST", "/upload", &[], b"").text(), "0\n");
    client.send("POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send_chunk(&pattern(10_000)).send_chunk(b"");
    assert_eq!(client.read_response().text(), "10000\n");
    assert_eq!(client.request("POST", "/size/3", &[], &pattern(50)).body.len(), 3, "an unread body");
    assert_eq!(client.get("/delay/1").status, 200);
    assert_eq!(client.get("/nothing").status, 404);
    let page = client.get("/demo/request?x=%3Cb%3E&y=<i>");
    assert!(page.text().contains("&lt;i&gt;") && !page.text().contains("<i>"), "{}", page.text());
    let first = client.get("/demo/session");
    let cookie = first.header("Set-Cookie").expect("cookie").split(';').next().unwrap_or_default().to_owned();
    let second = client.request("GET", "/demo/session", &[("Cookie", &cookie)], b"");
    assert!(second.text().contains("<strong>2</strong>"), "{}", second.text());
    httpd.assert_no_errors(&[]);
    drop(httpd);
    process::stop(&mut child, libc::SIGKILL, Duration::from_secs(5));
}
