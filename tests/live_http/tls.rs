//! Workers of type `https`: who is believed, what the backend sees, how failures are told, how few handshakes there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::authority::{Authority, Valid};
use crate::backend::{Asked, HttpBackend, say, send};
use crate::support::{Client, Ended, Httpd, Mpm, client, pattern, wait_until};
use crate::wire::Wire;

pub(crate) fn hello(_: &Asked, stream: &mut Wire) -> bool {
    say(stream, "200 OK", "", b"hello")
}

/// A backend with a certificate for `names`.
pub(crate) fn backend(authority: &Authority, names: &[&str], valid: Valid) -> HttpBackend {
    let issued = authority.issue(names, valid);
    HttpBackend::tls(Authority::server(&issued, None, rustls::ALL_VERSIONS), hello)
}

pub(crate) fn front(backend: &HttpBackend, more: &str) -> Httpd {
    Httpd::builder().workers(backend.worker("w", more)).conf("JkMount /* w").start()
}

pub(crate) fn ca(authority: &Authority) -> String {
    format!("tls_ca={}", authority.file().display())
}

#[test]
fn a_port_without_tls_is_named_and_so_is_one_that_says_nothing() {
    let plain = HttpBackend::named("plain");
    let workers = format!(
        "worker.list=w\nworker.w.type=https\nworker.w.host=127.0.0.1:{}\nworker.w.tls_verify=off\n",
        plain.port()
    );
    let httpd = Httpd::builder().workers(workers).conf("JkMount /* w").start();
    assert_eq!(client::get(httpd.port(), "/x").status, 503);
    assert!(
        httpd.jk_log().contains("JK0340") && httpd.jk_log().contains("worker of type http"),
        "{}",
        httpd.jk_log()
    );

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let workers = format!(
        "worker.list=w\nworker.w.type=https\nworker.w.host=127.0.0.1:{port}\nworker.w.tls_verify=off\n\
         worker.w.socket_connect_timeout=300\nworker.w.retries=1\n"
    );
    let httpd = Httpd::builder().workers(workers).conf("JkMount /* w").start();
    let begun = std::time::Instant::now();
    assert_eq!(client::get(httpd.port(), "/x").status, 503);
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(httpd.jk_log().contains("timed out while connecting"), "{}", httpd.jk_log());
}

#[test]
fn a_full_handshake_is_made_once() {
    let authority = Authority::new();
    let issued = authority.issue(&["127.0.0.1"], Valid::Now);
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        // Each connection carries one request.
        let backend = HttpBackend::tls(Authority::server(&issued, None, versions), |_, stream| {
            say(stream, "200 OK", "Connection: close\r\n", b"x");
            false
        });
        // One process, so that one memory of tickets is used.
        let httpd = Httpd::builder()
            .workers(backend.worker("w", &ca(&authority)))
            .conf("JkMount /* w\nStartServers 1\nServerLimit 1\nThreadsPerChild 8\nMaxRequestWorkers 8\nMaxSpareThreads 8")
            .start();
        let mut client = Client::connect(httpd.port());
        for _ in 0..10 {
            assert_eq!(client.get("/x").status, 200, "{}", httpd.jk_log());
        }
        let full = backend.asked().iter().filter(|asked| asked.agreed.as_ref().unwrap().full).count();
        assert_eq!((full, backend.connections()), (1, 10), "{versions:?}");
        httpd.assert_no_errors(&[]);
    }
}

#[test]
fn tickets_on_an_idle_connection_are_no_surplus() {
    let authority = Authority::new();
    let backend = backend(&authority, &["127.0.0.1"], Valid::Now);
    let httpd = front(&backend, &ca(&authority));
    let mut client = Client::connect(httpd.port());
    for _ in 0..20 {
        assert_eq!(client.get("/x").status, 200, "{}", httpd.jk_log());
    }
    // The tickets of TLS 1.3 come behind the handshake, before or after the first answer.
    assert_eq!((backend.connections(), backend.last().agreed.unwrap().version.as_str()), (1, "TLSv1_3"));
    backend.cut_all();
    assert_eq!(client.get("/x").status, 200, "{}", httpd.jk_log());
    httpd.assert_no_errors(&[]);
}

#[test]
fn an_end_without_goodbye_is_a_cut_answer() {
    let authority = Authority::new();
    let issued = authority.issue(&["127.0.0.1"], Valid::Now);
    let backend =
        HttpBackend::tls(Authority::server(&issued, None, rustls::ALL_VERSIONS), |asked, stream| {
            send(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            send(stream, pattern(50_000));
            if asked.path() == "/cut" {
                stream.cut();
            }
            false
        });
    let httpd = front(&backend, &ca(&authority));
    let whole = client::get(httpd.port(), "/whole");
    assert!(whole.status == 200 && whole.body == pattern(50_000) && whole.ended != Ended::Truncated);
    assert_eq!(client::get(httpd.port(), "/cut").ended, Ended::Truncated);
    assert!(httpd.jk_log().contains("ended without close_notify"), "{}", httpd.jk_log());
}

#[test]
fn a_backend_killed_in_the_middle() {
    let authority = Authority::new();
    let issued = authority.issue(&["127.0.0.1"], Valid::Now);
    let backend =
        HttpBackend::tls(Authority::server(&issued, None, rustls::ALL_VERSIONS), |asked, stream| {
            if asked.path() == "/early" {
                stream.cut();
                return false;
            }
            send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
            send(stream, pattern(300_000));
            stream.cut();
            false
        });
    let httpd = front(&backend, &format!("{}\nretries=1", ca(&authority)));
    assert_eq!(client::get(httpd.port(), "/middle").ended, Ended::Truncated);
    let answer = client::request(httpd.port(), "POST", "/early", &[], b"x");
    assert_eq!(answer.status, 502, "{}", httpd.jk_log());
    assert_eq!(backend.asked().iter().filter(|asked| asked.path() == "/early").count(), 1);
}

#[test]
fn probes_go_over_tls_and_failover_knows_tls() {
    let authority = Authority::new();
    let (good, bad) =
        (backend(&authority, &["127.0.0.1"], Valid::Now), backend(&authority, &["127.0.0.1"], Valid::Past));
    let workers = format!(
        "worker.list=b\nworker.b.type=lb\nworker.b.balance_workers=m1,m2\n{}{}",
        bad.member("m1", &(ca(&authority) + "\nping_uri=/health\nping_mode=C")),
        good.member("m2", &(ca(&authority) + "\nping_uri=/health\nping_mode=C"))
    );
    let httpd = Httpd::builder().workers(workers).conf("JkMount /* b").start();
    let mut client = Client::connect(httpd.port());
    for _ in 0..6 {
        let answer = client.request("POST", "/x", &[], b"x");
        assert_eq!(answer.status, 200, "{}", httpd.jk_log());
    }
    assert!(good.asked().iter().any(|asked| asked.line == "HEAD /health HTTP/1.1"));
    wait_until("it is reported", || httpd.jk_log().contains("JK0221"));
    assert!(bad.asked().is_empty());
    assert!(httpd.jk_log().contains("has expired"), "{}", httpd.jk_log());
}

#[test]
fn a_member_that_comes_back_is_found_over_tls() {
    let authority = Authority::new();
    let issued = authority.issue(&["127.0.0.1"], Valid::Now);
    let sick = Arc::new(AtomicBool::new(true));
    let state = Arc::clone(&sick);
    let server = Authority::server(&issued, None, rustls::ALL_VERSIONS);
    let one = HttpBackend::tls(server, move |_, stream| {
        let status = if state.load(Ordering::SeqCst) { "503 Sick" } else { "200 OK" };
        say(stream, status, "X-Node: one\r\n", b"")
    });
    let two = HttpBackend::named("two");
    let workers = format!(
        "worker.list=b\nworker.b.type=lb\nworker.b.balance_workers=m1,m2\n{}{}",
        one.member("m1", &(ca(&authority) + "\nping_uri=/health\nping_mode=C")),
        two.member("m2", "")
    );
    let httpd = Httpd::builder().workers(workers).conf("JkMount /* b").start();
    let mut client = Client::connect(httpd.port());
    for _ in 0..3 {
        assert_eq!(client.get("/x").text(), "two");
    }
    wait_until("it is reported", || httpd.jk_log().contains("JK0221"));
    sick.store(false, Ordering::SeqCst);
    wait_until("it is back", || httpd.jk_log().contains("JK0222"));
    wait_until("it is used", || client.get("/x").header("X-Node") == Some("one"));
}

#[test]
fn a_graceful_restart_takes_new_files() {
    let (old, new) = (Authority::new(), Authority::new());
    let backend = backend(&new, &["127.0.0.1"], Valid::Now);
    let directory = crate::support::tempdir::TempDir::new("tls-files");
    let file = directory.write("ca.pem", std::fs::read(old.file()).unwrap());
    let httpd = front(&backend, &format!("tls_ca={}", file.display()));
    assert_eq!(client::get(httpd.port(), "/x").status, 503);
    directory.write("ca.pem", std::fs::read(new.file()).unwrap());
    httpd.graceful();
    wait_until("the new file is used", || client::get(httpd.port(), "/x").status == 200);
    // One that is broken then: the server goes on with what it had.
    directory.write("ca.pem", "nonsense");
    httpd.graceful();
    wait_until("it is told", || httpd.error_log().contains("goes on with the workers it had"));
    wait_until("and goes on", || client::get(httpd.port(), "/x").status == 200);
}

#[test]
fn slow_handshakes_and_large_bodies_under_parking() {
    let authority = Authority::new();
    let issued = authority.issue(&["127.0.0.1"], Valid::Now);
    let server = Authority::server(&issued, None, rustls::ALL_VERSIONS);
    let backend = HttpBackend::tls(server, |asked, stream| say(stream, "200 OK", "", &asked.body));
    let httpd = Httpd::builder()
        .mpm(Mpm::Event)
        .workers(backend.worker("w", &ca(&authority)))
        .conf("JkMount /* w\nJkAsync On\nJkAsyncDelay 0")
        .start();
    let mut client = Client::connect(httpd.port());
    for octets in [0, 1, 16_383, 16_384, 16_385, 40_000, 5_000_000] {
        let body = pattern(octets);
        let answer = client.request("POST", "/x", &[], &body);
        assert!(
            answer.status == 200 && answer.body == body,
            "{octets}: {} {}",
            answer.status,
            httpd.jk_log()
        );
    }
    assert_eq!(backend.connections(), 1);
    httpd.assert_no_errors(&[]);
}

#[test]
fn the_sample_of_the_project_passes_the_check() {
    let authority = Authority::new();
    let own = authority.issue(&["httpd.example.org"], Valid::Now);
    let project = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("apache-conf/http");
    let read = |name: &str| std::fs::read_to_string(project.join(name)).unwrap();
    let conf = read("jk.conf").replace("/etc/apache2/", "conf/").replace("/var/log/apache2/", "logs/");
    let plain = read("workers.properties").replace(".example.org", ".localhost");
    // With all that stands in comments, too.
    let full = plain.replace("\n#worker.", "\nworker.");
    assert!(full.matches("tls_").count() > 3 && full != plain);
    for workers in [plain, full] {
        let httpd = Httpd::builder()
            .file("conf/workers.properties", workers)
            .file("conf/tls/ca.pem", std::fs::read_to_string(authority.file()).unwrap())
            .file("conf/tls/httpd.pem", std::fs::read_to_string(&own.certificate).unwrap())
            .file("conf/tls/httpd.key", std::fs::read_to_string(&own.key).unwrap())
            .conf(&conf)
            .prepare();
        let key = httpd.root().join("conf/tls/httpd.key");
        let everybody = httpd.configtest();
        assert!(
            everybody.0
                && (everybody.1.contains("every user may read it")) == everybody.1.contains("tls_key")
        );
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let (good, output) = httpd.configtest();
        assert!(good && output.contains("Syntax OK") && !output.contains("warn"), "{output}");
    }
}
