//! type=http, ping_uri, ping_status, and what HTTP workers do not have.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::backend::{HttpBackend, say};
use crate::effect::{covers, judge};
use crate::support::websocket::{Switcher, WebSocket, agree, echo_frames};
use crate::support::{Backend, Client, Httpd, client, poll, wait_until};

#[test]
fn what_makes_sense_for_ajp_alone_is_refused() {
    covers!("type", "secret", "secret_file", "max_packet_size", "port", "ping_uri", "ping_status");
    let judged = Httpd::builder().prepare();
    let with = |line: &str| {
        format!(
            "JkWorkerProperty worker.list=w\nJkWorkerProperty worker.w.type=http\nJkWorkerProperty worker.w.{line}"
        )
    };
    let only = "only workers of type ajp13 have it";
    let rows = [
        (with("secret=0123456789abcdef"), only),
        (with("secret_file=conf/secret"), only),
        (with("max_packet_size=9000"), only),
        (with("ping_uri=health"), "not a path that can be asked for: 'health'"),
        (with("ping_uri=*"), "not a path"),
        (with("ping_uri=/a#b"), "not a path"),
        (with("ping_status=100"), "not up to 8 statuses"),
        (with("ping_status=abc"), "not up to 8 statuses"),
        (with("ping_mode=A"), "warning: worker.w.ping_mode has no effect without ping_uri"),
        (with("ping_status=200"), "warning: worker.w.ping_status has no effect without ping_uri"),
        (with("ping_uri=/health?deep=1\nJkWorkerProperty worker.w.ping_status=2xx,404"), ""),
        (with("host=10.0.0.1"), ""),
        (
            "JkWorkerProperty worker.list=w\nJkWorkerProperty worker.w.ping_uri=/x".to_owned(),
            "warning: workers of type ajp13 have no such property",
        ),
        // A template may serve both.
        (
            "JkWorkerProperty worker.list=w\nJkWorkerProperty worker.w.type=http\n\
             JkWorkerProperty worker.w.reference=worker.t\nJkWorkerProperty worker.t.secret=0123456789abcdef"
                .to_owned(),
            "",
        ),
    ];
    let rows: Vec<(&str, &str)> = rows.iter().map(|(conf, wanted)| (conf.as_str(), *wanted)).collect();
    judge(&judged, &rows);
}

#[test]
fn websockets_are_passed_on_as_the_properties_say() {
    covers!("upgrade", "tunnel_timeout", "upgrade_worker", "http_port");
    let http = Switcher::start(|head, stream| {
        if head.contains("Upgrade: websocket") {
            agree(stream, "websocket", b"");
            echo_frames(stream);
        } else {
            let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let ajp = Backend::start();
    let workers = [
        "worker.list=short,never,twin,port\n".to_owned(),
        http.member("short", "tunnel_timeout=1"),
        http.member("never", "upgrade=none"),
        ajp.member("twin"),
        "worker.twin.upgrade_worker=short\n".to_owned(),
        ajp.member("port"),
        format!("worker.port.http_port={}\n", http.port()),
    ];
    let conf = "JkMount /short/* short\nJkMount /never/* never\nJkMount /twin/* twin\nJkMount /port/* port";
    let httpd = Httpd::builder().workers(workers.concat()).conf(conf).start();
    assert_eq!(WebSocket::connect(httpd.port(), "/never/x").status(), 200);
    assert_eq!(WebSocket::connect(httpd.port(), "/port/x").echo("x"), "x");
    for path in ["/short/x", "/twin/x"] {
        let mut socket = WebSocket::connect(httpd.port(), path);
        assert_eq!((socket.status(), socket.echo("x")), (101, "x".to_owned()), "{path}");
        let silent = std::time::Instant::now();
        assert_eq!(socket.rest().unwrap(), b"");
        assert!(silent.elapsed() >= std::time::Duration::from_millis(900), "{path}");
    }
    assert!(ajp.requests().is_empty());
}

#[test]
fn a_unix_socket_is_a_place_too() {
    covers!("host", "type");
    // Where the user of httpd's children may go.
    let path = std::env::temp_dir().join(format!("http-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            let mut octet = [0];
            stream.read_exact(&mut octet).unwrap();
            seen.push(octet[0]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nunix").unwrap();
    });
    let workers = format!("worker.list=w\nworker.w.type=http\nworker.w.host=unix:{}\n", path.display());
    let httpd = Httpd::builder().workers(workers).conf("JkMount /* w").start();
    assert_eq!(client::get(httpd.port(), "/x").text(), "unix");
    server.join().unwrap();
    std::fs::remove_file(&path).unwrap();
}

/// Answers HEAD with 200 or, when told so, 503; closes behind a probe if `close`.
fn watched(sick: &Arc<AtomicBool>, close: bool) -> HttpBackend {
    let sick = Arc::clone(sick);
    HttpBackend::start(move |asked, stream| {
        let probe = asked.line == "HEAD /health HTTP/1.1";
        let status = if probe && sick.load(Ordering::SeqCst) { "503 Sick" } else { "200 OK" };
        let close = close && probe;
        say(stream, status, if close { "Connection: close\r\n" } else { "" }, if probe { b"" } else { b"x" })
            && !close
    })
}

#[test]
fn pings_are_probes_of_a_page() {
    covers!("ping_uri", "ping_status", "ping_mode", "connect_timeout", "prepost_timeout");
    let sick = Arc::new(AtomicBool::new(false));
    // Closing behind each probe costs a connection, no request.
    for (close, wanted) in [(false, "PRPR"), (true, "PRPR")] {
        let backend = watched(&sick, close);
        let workers = backend.worker("w", "ping_mode=P\nping_uri=/health\nretries=1");
        let httpd = Httpd::builder().workers(workers).conf("JkMount /* w").start();
        let mut client = Client::connect(httpd.port());
        for _ in 0..2 {
            assert_eq!(client.get("/x").status, 200, "{}", httpd.jk_log());
        }
        let kinds =
            |asked: &crate::backend::Asked| if asked.line.starts_with("HEAD /health") { 'P' } else { 'R' };
        assert_eq!(backend.asked().iter().map(kinds).collect::<String>(), wanted, "close: {close}");
        assert_eq!(backend.asked()[0].header("Host"), [format!("127.0.0.1:{}", backend.port())]);
        sick.store(true, Ordering::SeqCst);
        let before = backend.asked().iter().filter(|asked| kinds(asked) == 'R').count();
        assert_eq!(client.get("/x").status, 503);
        assert_eq!(backend.asked().iter().filter(|asked| kinds(asked) == 'R').count(), before);
        let log = httpd.jk_log();
        assert!(
            log.contains("JK0203")
                && log.contains("answered the probe with 503, which ping_status does not list while probing"),
            "{log}"
        );
        sick.store(false, Ordering::SeqCst);
        // httpd closes behind 503.
        assert_eq!(client::get(httpd.port(), "/x").status, 200);
    }
}

#[test]
fn a_member_is_probed_at_its_page_and_comes_back() {
    covers!("ping_uri", "ping_status");
    let sick = Arc::new(AtomicBool::new(true));
    let (one, two) = (watched(&sick, false), HttpBackend::named("two"));
    let workers = format!(
        "worker.list=b\nworker.b.type=lb\nworker.b.balance_workers=m1,m2\n{}{}",
        one.member("m1", "ping_uri=/health\nping_mode=C"),
        two.member("m2", "")
    );
    let httpd = Httpd::builder().workers(workers).conf("JkMount /* b").start();
    let mut client = Client::connect(httpd.port());
    for _ in 0..3 {
        assert_eq!(client.get("/x").text(), "two");
    }
    wait_until("it is reported", || httpd.jk_log().contains("JK0221"));
    assert!(one.asked().iter().all(|asked| asked.line.starts_with("HEAD ")), "{:?}", one.asked());
    sick.store(false, Ordering::SeqCst);
    wait_until("it is back", || httpd.jk_log().contains("JK0222"));
    assert!(poll(crate::support::PATIENCE, || client.get("/x").text() == "x"));
}
