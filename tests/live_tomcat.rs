//! Real applications in a real Tomcat behind the module.
//!
//! One Tomcat serves all tests but those that kill it. Under event everything, under worker and prefork a short version.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::time::{Duration, Instant};

use support::digest::sha256_hex;
use support::{Client, Ended, Httpd, Mpm, Response, Tomcat, client, pattern, wait_until};

const MIB: usize = 1 << 20;

/// httpd in front of the shared Tomcat: its pages and `/examples`.
#[track_caller]
fn front(mpm: Mpm) -> Httpd {
    front_of(mpm, Tomcat::shared())
}

#[track_caller]
fn front_of(mpm: Mpm, tomcat: &Tomcat) -> Httpd {
    Httpd::builder()
        .mpm(mpm)
        .workers(tomcat.worker("node1"))
        .file("htdocs/file.txt", "from disk\n")
        .conf("JkMount /*.jsp node1\nJkMount /examples/* node1\nJkMount /examples node1")
        .start()
}

/// The session cookie of a response, ready for the Cookie header.
#[track_caller]
fn cookie(response: &Response) -> String {
    let cookie = response.header("Set-Cookie").unwrap_or_else(|| panic!("no session: {}", response.text()));
    cookie.split(';').next().unwrap_or_default().to_owned()
}

#[track_caller]
fn count(response: &Response) -> Option<String> {
    assert_eq!(response.status, 200, "{}", response.text());
    response.fact("count")
}

/// What every MPM has to do.
fn short_version(mpm: Mpm) {
    let httpd = front(mpm);
    let mut client = Client::connect(httpd.port());
    assert_eq!(client.get("/file.txt").text(), "from disk\n");
    let echo = client.get("/echo.jsp?param=a%20b&attribute=AJP_REMOTE_PORT");
    assert_eq!((echo.status, echo.fact("param").as_deref()), (200, Some("a b")));
    assert_eq!(echo.fact("remote_port"), Some(client.local_port().to_string()));
    let cookie = cookie(&client.get("/session.jsp"));
    let second = client.request("GET", "/session.jsp", &[("Cookie", &cookie)], b"");
    assert_eq!(count(&second).as_deref(), Some("2"));
    let big = client.get("/big.jsp?n=5");
    assert!(big.ended == Ended::Length && big.body == pattern(5 * MIB));
    let body = pattern(2 * MIB);
    let upload = client.request("POST", "/upload.jsp", &[], &body);
    assert_eq!(upload.fact("sha256"), Some(sha256_hex(&body)));
    assert_eq!(client.get("/examples/servlets/servlet/HelloWorldExample").status, 200);
    httpd.assert_no_errors(&[]);
}

#[test]
fn worker_serves_applications() {
    short_version(Mpm::Worker);
}

#[test]
fn prefork_serves_applications() {
    short_version(Mpm::Prefork);
}

#[test]
fn event_serves_applications() {
    short_version(Mpm::Event);
}

#[test]
fn facts_of_a_request() {
    let httpd = front(Mpm::Event);
    let mut client = Client::connect(httpd.port());
    let echo = client.request(
        "GET",
        "/echo.jsp?a=1&b=%C3%A4&attribute=JK_LB_ACTIVATION",
        &[("Host", "shop.example.test:8123"), ("X-Test", "value"), ("User-Agent", "u/1")],
        b"",
    );
    let port = client.local_port().to_string();
    for (key, value) in [
        ("method", "GET"),
        ("protocol", "HTTP/1.1"),
        ("scheme", "http"),
        ("is_ssl", "false"),
        ("uri", "/echo.jsp"),
        ("url", "http://shop.example.test:8123/echo.jsp"),
        ("query", "a=1&b=%C3%A4&attribute=JK_LB_ACTIVATION"),
        ("remote_addr", "127.0.0.1"),
        ("remote_port", port.as_str()),
        ("remote_user", "null"),
        ("server_name", "shop.example.test"),
        ("server_port", "8123"),
        ("local_addr", "127.0.0.1"),
        ("header.x-test", "value"),
        ("header.user-agent", "u/1"),
        ("header.host", "shop.example.test:8123"),
        ("wanted", "ACT"),
    ] {
        assert_eq!(echo.fact(key).as_deref(), Some(value), "{key} in\n{}", echo.text());
    }
}

#[test]
fn pages_and_servlets_of_the_examples() {
    let httpd = front(Mpm::Event);
    let mut client = Client::connect(httpd.port());
    for (path, text) in [
        ("/examples/index.html", "Apache Tomcat Examples"),
        ("/examples/jsp/dates/date.jsp", "Day of month"),
        ("/examples/jsp/jsp2/el/basic-arithmetic.jsp", "Basic Arithmetic"),
        ("/examples/servlets/servlet/HelloWorldExample", "Hello World!"),
        (
            "/examples/servlets/servlet/RequestInfoExample?a=b",
            "/examples/servlets/servlet/RequestInfoExample",
        ),
        ("/examples/servlets/servlet/RequestHeaderExample", "host"),
    ] {
        let page = client.get(path);
        assert_eq!(page.status, 200, "{path}");
        assert!(page.text().contains(text), "{path}: {}", page.text());
        assert_eq!(page.reason, "OK");
    }
    let redirect = client.get("/examples");
    assert_eq!(redirect.status, 302);
    let location = redirect.header("Location").unwrap();
    assert!(location.ends_with("/examples/"), "{location}");
    assert_eq!(client.get("/examples/nothing.html").status, 404);
    let form = client.request(
        "POST",
        "/examples/servlets/servlet/RequestParamExample",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        b"firstname=Anna&lastname=%3Cb%3E",
    );
    assert!(form.text().contains("Anna") && form.text().contains("&lt;b&gt;"), "{}", form.text());
    let cookies =
        client.request("GET", "/examples/servlets/servlet/CookieExample", &[("Cookie", "shape=round")], b"");
    assert!(cookies.text().contains("shape"), "{}", cookies.text());
    let head = client.request("HEAD", "/examples/index.html", &[], b"");
    assert_eq!((head.status, head.ended), (200, Ended::NoBody));
    let modified = head.header("Last-Modified").expect("a file has a date").to_owned();
    let unchanged = client.request("GET", "/examples/index.html", &[("If-Modified-Since", &modified)], b"");
    assert_eq!((unchanged.status, unchanged.ended), (304, Ended::NoBody));
    let part = client.request("GET", "/examples/index.html", &[("Range", "bytes=0-9")], b"");
    assert_eq!((part.status, part.body.len()), (206, 10));
    httpd.assert_no_errors(&[]);
}

#[test]
fn asynchronous_servlets_of_the_examples() {
    let httpd = front(Mpm::Event);
    for (path, text) in [
        ("/examples/async/async0", "Async dispatch worked"),
        ("/examples/async/async1", "Completed async request"),
        ("/examples/async/async2", "Output from background thread"),
        ("/examples/async/async3", "Completed async 3 request"),
    ] {
        let page = client::get(httpd.port(), path);
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        assert_ne!(page.ended, Ended::Truncated, "{path}");
        assert!(page.text().contains(text), "{path}: {}", page.text());
    }
    httpd.assert_no_errors(&[]);
}

#[test]
fn keep_alive_over_many_requests() {
    let httpd = front(Mpm::Event);
    let mut client = Client::connect(httpd.port());
    for number in 0..90 {
        let page = client.get("/examples/servlets/servlet/HelloWorldExample");
        assert_eq!(page.status, 200, "request {number}");
        assert!(page.text().contains("Hello World!"));
    }
    wait_until("90 lines of the access log", || httpd.access_log().lines().count() == 90);
    httpd.assert_no_errors(&[]);
}

#[test]
fn sessions_continue() {
    let httpd = front(Mpm::Event);
    let first = client::get(httpd.port(), "/session.jsp");
    assert_eq!(count(&first).as_deref(), Some("1"));
    let cookie = cookie(&first);
    let id = cookie.split_once('=').unwrap().1.to_owned();
    assert!(id.ends_with(".node1"), "{id}");
    for expected in ["2", "3"] {
        let next = client::request(httpd.port(), "GET", "/session.jsp", &[("Cookie", &cookie)], b"");
        assert_eq!(count(&next).as_deref(), Some(expected));
        assert_eq!(next.header("Set-Cookie"), None);
    }
    // The same by the URL, with and without a query.
    assert_eq!(
        count(&client::get(httpd.port(), &format!("/session.jsp;jsessionid={id}"))).as_deref(),
        Some("4")
    );
    assert_eq!(
        count(&client::get(httpd.port(), &format!("/session.jsp;jsessionid={id}?a=b"))).as_deref(),
        Some("5")
    );
    assert_eq!(count(&client::get(httpd.port(), "/session.jsp")).as_deref(), Some("1"), "a stranger");

    // A graceful restart of httpd loses no session and no request.
    let mut held = Client::connect(httpd.port());
    assert_eq!(held.get("/file.txt").status, 200);
    httpd.graceful();
    let next = client::request(httpd.port(), "GET", "/session.jsp", &[("Cookie", &cookie)], b"");
    assert_eq!(count(&next).as_deref(), Some("6"));
    httpd.assert_no_errors(&[]);
}

#[test]
fn a_graceful_restart_in_the_middle_of_a_download() {
    let httpd = front(Mpm::Event);
    let mut client = Client::connect(httpd.port());
    client.send("GET /big.jsp?n=20 HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut answer = client.try_read_head().unwrap();
    assert_eq!(answer.status, 200);
    httpd.graceful();
    assert_eq!(client::get(httpd.port(), "/echo.jsp").status, 200);
    client.read_body("GET", &mut answer);
    assert!(answer.ended == Ended::Length && answer.body == pattern(20 * MIB), "{:?}", answer.ended);
}

#[test]
fn a_large_download() {
    let httpd = front(Mpm::Event);
    let expected = pattern(100 * MIB);
    for path in ["/big.jsp?n=100", "/big.jsp?n=100&length=0"] {
        let page = client::get(httpd.port(), path);
        let framing = if path.contains("length=0") { Ended::Chunked } else { Ended::Length };
        assert_eq!((page.status, page.ended, page.body.len()), (200, framing, 100 * MIB));
        assert!(page.body == expected, "{path}: other octets");
    }
    httpd.assert_no_errors(&[]);
}

#[test]
fn large_uploads() {
    let httpd = front(Mpm::Event);
    let body = pattern(20 * MIB);
    let digest = sha256_hex(&body);
    let known = client::request(httpd.port(), "POST", "/upload.jsp", &[], &body);
    assert_eq!(known.fact("length"), Some(body.len().to_string()), "{}", known.text());
    assert_eq!(known.fact("sha256").as_ref(), Some(&digest));
    let mut client = Client::connect(httpd.port());
    client.send("POST /upload.jsp HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for part in body.chunks(100_000) {
        client.send_chunk(part);
    }
    client.send_chunk(b"");
    let chunked = client.read_response();
    assert_eq!(chunked.fact("length"), Some(body.len().to_string()), "{}", chunked.text());
    assert_eq!(chunked.fact("sha256").as_ref(), Some(&digest));
    httpd.assert_no_errors(&[]);
}

#[test]
fn a_wrong_secret_is_named() {
    let tomcat = Tomcat::shared();
    let workers = format!(
        "worker.list=w\nworker.w.host=127.0.0.1\nworker.w.port={}\nworker.w.secret=not the one of Tomcat",
        tomcat.port()
    );
    let httpd = Httpd::builder().workers(workers).conf("JkMount /*.jsp w").start();
    assert_eq!(client::get(httpd.port(), "/echo.jsp").status, 403);
    assert_eq!(client::get(httpd.port(), "/echo.jsp").status, 403);
    let log = httpd.jk_log();
    assert_eq!(log.matches("JK0212").count(), 1, "{log}");
    assert!(log.contains("wrong secret") && !log.contains("not the one"), "{log}");
}

#[test]
fn tomcat_dies_and_comes_back() {
    let mut tomcat = Tomcat::builder().without_examples().start();
    let httpd = front_of(Mpm::Event, &tomcat);
    assert_eq!(client::get(httpd.port(), "/echo.jsp").status, 200);
    tomcat.kill();
    assert_eq!(client::get(httpd.port(), "/echo.jsp").status, 503);
    assert_eq!(client::request(httpd.port(), "POST", "/upload.jsp", &[], b"12345").status, 503);
    assert_eq!(client::get(httpd.port(), "/file.txt").status, 200);
    assert!(httpd.jk_log().contains("JK0201"), "{}", httpd.jk_log());
    tomcat.launch();
    let begun = std::time::Instant::now();
    assert_eq!(client::get(httpd.port(), "/echo.jsp").status, 200, "at once");
    assert!(begun.elapsed() < Duration::from_secs(20));

    // Stopped in an orderly way between two requests, it is not even noticed.
    tomcat.stop();
    tomcat.launch();
    assert_eq!(client::get(httpd.port(), "/echo.jsp").status, 200);
    assert_eq!(
        client::request(httpd.port(), "POST", "/upload.jsp", &[], b"12345").fact("length").as_deref(),
        Some("5")
    );
    httpd.assert_clean_log(&[]);
}

#[test]
fn large_packets() {
    let tomcat = Tomcat::builder().without_examples().packet_size(65_536).start();
    let httpd = front_of(Mpm::Event, &tomcat);
    let mut client = Client::connect(httpd.port());
    let big = client.get("/big.jsp?n=10");
    assert!(big.ended == Ended::Length && big.body == pattern(10 * MIB));
    let body = pattern(5 * MIB);
    assert_eq!(client.request("POST", "/upload.jsp", &[], &body).fact("sha256"), Some(sha256_hex(&body)));
    let long = "x".repeat(7000);
    let fields: Vec<(&str, &str)> = ["X-1", "X-2", "X-3"].iter().map(|name| (*name, long.as_str())).collect();
    let echo = client.request("GET", "/echo.jsp", &fields, b"");
    assert_eq!(echo.fact("header.x-3"), Some(long.clone()));
    wait_until("no error", || httpd.crash_signs(&[]).is_empty());
}

#[test]
fn slow_pages_hold_no_thread() {
    const PAGE: &str = "<%@ page contentType=\"text/plain\" %><% Thread.sleep(1500); %>id=<%= request.getParameter(\"id\") %>";
    let tomcat = Tomcat::builder().page("slow.jsp", PAGE).without_examples().start();
    let httpd = Httpd::builder()
        .threads_per_child(4)
        .workers(tomcat.worker("node1"))
        .file("htdocs/file.txt", "from disk\n")
        .conf("JkMount /*.jsp node1\nJkAsync On\nAsyncRequestWorkerFactor 100")
        .start();
    assert!(client::get(httpd.port(), "/slow.jsp?id=first").text().contains("id=first"));
    let begun = Instant::now();
    let mut clients: Vec<Client> = (0..40)
        .map(|id| {
            let mut client = Client::connect(httpd.port());
            client.send(format!("GET /slow.jsp?id={id} HTTP/1.1\r\nHost: h\r\n\r\n"));
            client
        })
        .collect();
    assert_eq!(client::get(httpd.port(), "/file.txt").text(), "from disk\n");
    assert!(begun.elapsed() < Duration::from_millis(1400), "the file came after {:?}", begun.elapsed());
    clients.pop().unwrap().reset();
    for (id, client) in clients.iter_mut().enumerate() {
        let answer = client.read_response();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.fact("id").as_deref(), Some(&*id.to_string()));
    }
    // Four threads would have needed ten times as long as one page takes.
    assert!(begun.elapsed() < Duration::from_millis(10 * 1500), "{:?}", begun.elapsed());
    httpd.assert_no_errors(&["AH00484"]);
}
