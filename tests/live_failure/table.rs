//! One failure after the other: status, number of the message, phase, and what else the line must tell.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::time::{Duration, Instant};

use crate::front;
use crate::support::{
    Backend, Client, Conversation, ForwardRequest, Gate, Httpd, Mpm, PATIENCE, client, ports, under_each_mpm,
};

under_each_mpm!(
    nothing_listens,
    connecting_takes_too_long,
    failures_of_an_exchange,
    requests_that_cannot_be_sent,
    a_wrong_secret,
    a_cping_without_answer,
    lines_are_about_failures_only,
);

mod threaded {
    use super::all_connections_in_use;
    crate::support::under_threaded_mpms!(all_connections_in_use);
}

/// The line of the log with message `id`, with all that every such line has.
#[track_caller]
fn line(httpd: &Httpd, id: &str, level: &str, address: &str) -> String {
    let log = httpd.jk_log();
    let found = log.lines().rev().find(|line| line.contains(&format!("] {id}: ")));
    let line = found.unwrap_or_else(|| panic!("no {id} in the log:\n{log}")).to_owned();
    assert!(line.contains(&format!("[{level}] {id}: worker w ({address}): ")), "{line}");
    let elapsed = line.split(" ms, ").next().and_then(|front| front.rsplit(' ').next());
    assert!(elapsed.is_some_and(|number| number.parse::<f64>().is_ok()), "{line}");
    assert!(line.contains(" bytes sent, ") && line.contains(" received; "), "{line}");
    assert!(line.contains(" while ") && line.contains("; attempt "), "{line}");
    // Advice is a sentence behind the outcome.
    let advice = line.rsplit_once(". ").map_or("", |(_, advice)| advice);
    assert!(advice.len() > 20, "{line}");
    line
}

#[track_caller]
fn contains(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{part:?} is not in {line}");
    }
}

fn nothing_listens(mpm: Mpm) {
    let port = ports::free_port();
    let workers = format!("worker.list=w\nworker.w.host=127.0.0.1\nworker.w.port={port}");
    let httpd = Httpd::builder().mpm(mpm).workers(workers).conf("JkMount /app/* w").start();
    let begun = Instant::now();
    for (method, body) in [("GET", &b""[..]), ("POST", b"12345")] {
        let answer = client::request(httpd.port(), method, "/app/x", &[], body);
        assert_eq!(answer.status, 503);
        let line = line(&httpd, "JK0201", "error", &format!("127.0.0.1:{port}"));
        contains(
            &line,
            &["refused", "while connecting", " 0 bytes sent, 0 received", "answered with 503", "/app/x"],
        );
        contains(&line, &[method]);
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
}

/// A listener whose queue is full: the kernel drops further attempts silently, as a firewall does.
fn black_hole() -> (TcpListener, Vec<TcpStream>) {
    // SAFETY: no memory is passed.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert!(fd >= 0);
    // SAFETY: the descriptor was just opened; a zeroed address is valid and becomes 127.0.0.1 with any port.
    let listener = unsafe {
        let mut address: libc::sockaddr_in = std::mem::zeroed();
        address.sin_family = libc::AF_INET as libc::sa_family_t;
        address.sin_addr.s_addr = u32::from(std::net::Ipv4Addr::LOCALHOST).to_be();
        assert_eq!(libc::bind(fd, (&raw const address).cast(), size_of_val(&address) as libc::socklen_t), 0);
        assert_eq!(libc::listen(fd, 0), 0);
        TcpListener::from_raw_fd(fd)
    };
    assert!(listener.as_raw_fd() >= 0);
    let address: SocketAddr = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queued.push(stream);
        assert!(queued.len() < 100, "the queue does not fill");
    }
    (listener, queued)
}

fn connecting_takes_too_long(mpm: Mpm) {
    let (listener, queued) = black_hole();
    let port = listener.local_addr().unwrap().port();
    let workers = format!(
        "worker.list=w\nworker.w.host=127.0.0.1\nworker.w.port={port}\nworker.w.socket_connect_timeout=300\nworker.w.retries=1"
    );
    let httpd = Httpd::builder().mpm(mpm).workers(workers).conf("JkMount /app/* w").start();
    let begun = Instant::now();
    assert_eq!(client::get(httpd.port(), "/app/x").status, 503);
    assert!((300..3000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    let line = line(&httpd, "JK0201", "error", &format!("127.0.0.1:{port}"));
    contains(&line, &["timed out", "while connecting", "answered with 503"]);
    drop(queued);
}

fn misbehave(request: &ForwardRequest, say: &mut Conversation) {
    match request.uri.as_str() {
        "/app/silent" => assert!(say.closed_by_peer(PATIENCE), "the connection was kept"),
        "/app/reset" => say.reset(),
        "/app/close" => say.close(),
        "/app/cut" => {
            say.send_headers(200, "OK", &[("Content-Length", "100")]);
            say.body_chunk(b"half");
            say.close();
        }
        "/app/cut-packet" => {
            say.raw(b"\x41\x42\x00\x20\x04\x00\xc8");
            say.close();
        }
        "/app/short" => {
            say.send_headers(200, "OK", &[("Content-Length", "100")]);
            say.body_chunk(b"half");
            say.end(true);
        }
        "/app/http" => say.raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        "/app/failing" => say.respond(500, &[], b"the application's own page"),
        _ => say.respond(200, &[], b"fine"),
    }
}

fn failures_of_an_exchange(mpm: Mpm) {
    let backend = Backend::scripted(misbehave);
    let address = format!("127.0.0.1:{}", backend.port());
    let httpd = front(mpm, &backend, "reply_timeout=300\nretries=1\nfail_on_status=500");
    let cases: [(&str, u16, &str, &[&str]); 8] = [
        (
            "silent",
            504,
            "JK0205",
            &["no reply within 300 ms", "while waiting for the response", " 0 received"],
        ),
        ("reset", 502, "JK0206", &["reset", "while waiting for the response", "answered with 502"]),
        ("close", 502, "JK0206", &["closed", "while waiting for the response", "answered with 502"]),
        ("cut", 502, "JK0206", &["in the middle", "while reading the response body", "answered with 502"]),
        ("cut-packet", 502, "JK0206", &["in the middle", "while waiting for the response", " 7 received"]),
        ("short", 502, "JK0207", &["Content-Length", "answered with 502"]),
        ("http", 502, "JK0207", &["HTTP", "answered with 502"]),
        ("failing", 503, "JK0211", &["500", "fail_on_status", "answered with 503"]),
    ];
    for (case, status, id, parts) in cases {
        let answer = client::get(httpd.port(), &format!("/app/{case}"));
        assert_eq!(answer.status, status, "{case}");
        assert!(
            !answer.text().contains("half") && !answer.text().contains("own page"),
            "{case}: {}",
            answer.text()
        );
        let line = line(&httpd, id, "error", &address);
        contains(&line, parts);
        contains(&line, &[&format!("GET /app/{case}:")]);
        // A failure says nothing about the next request.
        assert_eq!(client::get(httpd.port(), "/app/x").text(), "fine", "behind {case}");
    }
    // Each is one line, and the ones in between left none.
    assert_eq!(httpd.jk_log().lines().filter(|line| line.contains("[error]")).count(), cases.len());
}

fn requests_that_cannot_be_sent(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    let long = "x".repeat(5000);
    let answer = client.request("GET", "/app/x", &[("X-A", &long), ("X-B", &long)], b"");
    assert_eq!(answer.status, 431);
    let log = httpd.jk_log();
    let line = log.lines().find(|line| line.contains("JK0208")).unwrap_or_else(|| panic!("{log}"));
    contains(line, &["worker w (", "max_packet_size", "answered with 431", "while preparing the request"]);
    assert!(backend.log().is_empty(), "no connection was needed");
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
}

fn a_wrong_secret(mpm: Mpm) {
    let backend = Backend::builder().secret("the right one, really").start();
    // The settings come behind those of the backend, and the last one counts.
    let httpd = Httpd::builder()
        .mpm(mpm)
        .workers(format!(
            "worker.list=w\nworker.w.host=127.0.0.1\nworker.w.port={}\nworker.w.secret=something else here",
            backend.port()
        ))
        .conf("JkMount /app/* w")
        .start();
    for _ in 0..3 {
        assert_eq!(client::get(httpd.port(), "/app/x").status, 403);
    }
    let log = httpd.jk_log();
    let hints: Vec<_> = log.lines().filter(|line| line.contains("JK0212")).collect();
    // Once in each process.
    assert!(hints.len() == 1 || mpm == Mpm::Prefork && !hints.is_empty(), "{log}");
    contains(hints[0], &["worker w (127.0.0.1:", "wrong secret"]);
    assert!(!log.contains("something else") && !httpd.error_log().contains("something else"));
}

fn a_cping_without_answer(mpm: Mpm) {
    let backend = Backend::builder().ignore_pings().start();
    let httpd = front(mpm, &backend, "ping_mode=A\nping_timeout=200\nretries=1");
    assert_eq!(client::get(httpd.port(), "/app/x").status, 503);
    let line = line(&httpd, "JK0203", "error", &format!("127.0.0.1:{}", backend.port()));
    contains(&line, &["no reply within 200 ms", "while CPing", "answered with 503"]);
    assert!(backend.requests().is_empty());
}

fn all_connections_in_use(mpm: Mpm) {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = Backend::scripted(move |_, say| {
        say.pause(&held);
        say.respond(200, &[], b"fine");
    });
    let httpd = front(mpm, &backend, "connection_pool_size=2\nconnection_acquire_timeout=100");
    let mut clients: Vec<Client> = (0..2)
        .map(|_| {
            let mut client = Client::connect(httpd.port());
            client.send("GET /app/x HTTP/1.1\r\nHost: h\r\n\r\n");
            client
        })
        .collect();
    gate.await_waiting(2);
    assert_eq!(client::get(httpd.port(), "/app/y").status, 503);
    let line = line(&httpd, "JK0202", "error", &format!("127.0.0.1:{}", backend.port()));
    contains(&line, &["all connections", "waiting for a free connection", "connection_pool_size", "/app/y"]);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.read_response().text(), "fine");
    }
}

/// What is no failure leaves no line of warning or worse.
fn lines_are_about_failures_only(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = front(mpm, &backend, "");
    for path in
        ["/app/status/404", "/app/status/500", "/app/status/503", "/app/status/403", "/app/size/100000"]
    {
        client::get(httpd.port(), path);
    }
    let log = httpd.jk_log();
    // Run with `JkAsync On` for all tests, an MPM that cannot wait says so at the start.
    let loud: Vec<_> = log
        .lines()
        .filter(|line| line.contains("[error]") || line.contains("[warn]"))
        .filter(|line| !line.contains("JK0014"))
        .collect();
    assert!(loud.is_empty(), "{loud:#?}");
}
