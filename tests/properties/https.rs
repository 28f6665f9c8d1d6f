//! What workers of type `https` can be told, and what those of type `http` can be told too about who the client is.

use crate::authority::{Authority, Issued, Valid};
use crate::backend::{HttpBackend, Over};
use crate::effect::{covers, judge};
use crate::support::{Client, Httpd, client, ports, wait_until};
use crate::tls::{backend, ca, front, hello};

#[test]
fn who_is_not_the_backend_gets_no_request() {
    covers!("type", "tls_ca", "tls_name", "tls_verify");
    let (own, other) = (Authority::new(), Authority::new());
    let good = ["127.0.0.1", "app.example.org"];
    let rows = [
        (backend(&own, &good, Valid::Now), ca(&own), ""),
        (backend(&own, &good, Valid::Now), ca(&own) + "\ntls_name=app.example.org", ""),
        (backend(&own, &["elsewhere.org"], Valid::Now), ca(&own), "has the wrong name"),
        (backend(&own, &good, Valid::Now), ca(&own) + "\ntls_name=b.example.org", "has the wrong name"),
        (backend(&own, &good, Valid::Past), ca(&own), "has expired"),
        (backend(&own, &good, Valid::Future), ca(&own), "is not valid yet"),
        (backend(&other, &good, Valid::Now), ca(&own), "comes from an unknown authority"),
        // The authorities of the system.
        (backend(&own, &good, Valid::Now), String::new(), "comes from an unknown authority"),
        (backend(&other, &["elsewhere.org"], Valid::Past), "tls_verify=off".to_owned(), ""),
    ];
    for (backend, more, wanted) in &rows {
        let httpd = front(backend, more);
        let answer = client::request(httpd.port(), "POST", "/x", &[], b"body");
        let log = httpd.jk_log();
        if wanted.is_empty() {
            assert_eq!((answer.status, answer.text()), (200, "hello".to_owned()), "{more}: {log}");
            assert_eq!(backend.last().body, b"body");
        } else {
            assert_eq!((answer.status, backend.asked().len()), (503, 0), "{more}: {log}");
            assert!(log.contains("JK0340") && log.contains(wanted), "{more}: {log}");
            assert_eq!(log.matches("JK0340").count(), 1, "trying again does not help: {log}");
        }
        let warned = httpd.error_log().contains("who answers is not checked");
        assert_eq!(warned, more.contains("tls_verify"), "{}", httpd.error_log());
    }
}

#[test]
fn the_backend_is_asked_for_its_name() {
    covers!("tls_name");
    let authority = Authority::new();
    let backend = backend(&authority, &["127.0.0.1", "app.example.org", "localhost"], Valid::Now);
    for (more, wanted) in [
        ("tls_name=app.example.org", Some("app.example.org")),
        ("host=localhost", Some("localhost")),
        ("", None),
    ] {
        let httpd = front(&backend, &format!("{}\n{more}", ca(&authority)));
        assert_eq!(client::get(httpd.port(), "/x").status, 200, "{}", httpd.jk_log());
        assert_eq!(backend.last().agreed.unwrap().name.as_deref(), wanted);
    }
}

#[test]
fn backends_that_ask_for_certificates() {
    covers!("tls_cert", "tls_key");
    let (own, other) = (Authority::new(), Authority::new());
    let issued = own.issue(&["127.0.0.1"], Valid::Now);
    let one = own.issue(&["httpd.example.org"], Valid::Now);
    let stranger = other.issue(&["stranger.example.org"], Valid::Now);
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        let backend = HttpBackend::tls(Authority::server(&issued, Some(&own), versions), hello);
        let httpd = front(&backend, &format!("{}\n{}", ca(&own), one.properties()));
        let answer = client::get(httpd.port(), "/x");
        assert_eq!(answer.status, 200, "{}", httpd.jk_log());
        assert!(backend.last().agreed.unwrap().certificate);
        for more in [String::new(), stranger.properties()] {
            let httpd = front(&backend, &format!("{}\n{more}", ca(&own)));
            let answer = client::request(httpd.port(), "POST", "/x", &[], b"x");
            let log = httpd.jk_log();
            assert_eq!(answer.status, 503, "{log}");
            assert!(log.contains("JK0340") && log.contains("asks for a client certificate"), "{log}");
            assert_eq!(backend.asked().len(), 1, "{log}");
            backend.asked().clear();
        }
    }
}

#[test]
fn protocol_versions() {
    covers!("tls_min_version");
    let authority = Authority::new();
    let issued = authority.issue(&["127.0.0.1"], Valid::Now);
    let old = HttpBackend::tls(Authority::server(&issued, None, &[&rustls::version::TLS12]), hello);
    let new = HttpBackend::tls(Authority::server(&issued, None, rustls::ALL_VERSIONS), hello);
    for (backend, least, wanted) in [
        (&old, "1.2", Some("TLSv1_2")),
        (&new, "1.2", Some("TLSv1_3")),
        (&new, "1.3", Some("TLSv1_3")),
        (&old, "1.3", None),
    ] {
        let httpd = front(backend, &format!("{}\ntls_min_version={least}", ca(&authority)));
        let status = client::get(httpd.port(), "/x").status;
        match wanted {
            Some(version) => {
                assert_eq!(status, 200, "{}", httpd.jk_log());
                assert_eq!(backend.last().agreed.unwrap().version, version);
            }
            None => {
                assert_eq!(status, 503);
                assert!(httpd.jk_log().contains("no protocol version in common"), "{}", httpd.jk_log());
            }
        }
    }
}

#[test]
fn files_are_checked_by_the_configuration_test() {
    covers!("tls_ca", "tls_cert", "tls_key", "tls_name", "tls_min_version", "tls_verify");
    let authority = Authority::new();
    let (one, two) = (authority.issue(&["a"], Valid::Now), authority.issue(&["b"], Valid::Now));
    let judged = Httpd::builder().prepare();
    let with = |lines: &str| {
        let mut text = "JkWorkerProperty worker.list=w\nJkWorkerProperty worker.w.type=https".to_owned();
        for line in lines.lines() {
            text.push_str(&format!("\nJkWorkerProperty worker.w.{line}"));
        }
        text
    };
    let pair = |certificate: &Issued, key: &Issued| {
        format!("tls_cert={}\ntls_key={}", certificate.certificate.display(), key.key.display())
    };
    let rows = [
        (with(&ca(&authority)), ""),
        (with(""), ""),
        (with("tls_ca=/nowhere/ca.pem"), "worker.w.tls_ca: /nowhere/ca.pem: No such file"),
        (with(&format!("tls_ca={}", one.key.display())), "no certificate in it"),
        (with("tls_ca=/etc"), "not a regular file"),
        (with(&pair(&one, &one)), ""),
        (with(&pair(&one, &two)), "not the key of the certificate in tls_cert"),
        (
            with(&format!("tls_cert={}", one.certificate.display())),
            "worker.w.tls_cert needs worker.w.tls_key",
        ),
        (with(&format!("tls_key={}", one.key.display())), "worker.w.tls_key needs worker.w.tls_cert"),
        (with(&format!("tls_cert={0}\ntls_key={0}", one.certificate.display())), "no private key in it"),
        (with("tls_name=not a name"), "neither a host name nor an IP address"),
        (with("tls_verify=off"), "warning: worker.w.tls_verify: who answers is not checked"),
        (with("tls_min_version=1.1"), "'1.1' is not one of 1.2, 1.3"),
        (with("send_proxy=v1"), "'v1' is not one of off, v2"),
        (with("secret=0123456789abcdef"), "only workers of type ajp13 have it"),
    ];
    let rows: Vec<(&str, &str)> = rows.iter().map(|(conf, wanted)| (conf.as_str(), *wanted)).collect();
    judge(&judged, &rows);
}

#[test]
fn who_the_client_is_stands_in_front_of_the_connection() {
    covers!("send_proxy");
    for over in [Over::Http, Over::Https, Over::Unix] {
        let backend = HttpBackend::proxied(over);
        let workers = backend.worker("w", "send_proxy=v2");
        let httpd = Httpd::builder()
            .workers(workers)
            .conf("JkMount /* w\nSetEnv JK_REMOTE_ADDR 203.0.113.9\nSetEnv JK_REMOTE_PORT 4711")
            .start();
        let mut client = Client::connect(httpd.port());
        for connection in 0..3 {
            let answer = client.request("GET", "/x", &[("Host", "shop.example.org")], b"");
            assert_eq!(answer.status, 200, "{over:?}: {}", httpd.jk_log());
            let asked = backend.last();
            // A connection that has one client's name is for nobody else.
            assert_eq!(
                (asked.connection, asked.header("Connection")),
                (connection, vec!["close"]),
                "{over:?}"
            );
            let header = &asked.preface;
            assert_eq!(header[..14], *b"\r\n\r\n\0\r\nQUIT\n\x21\x11", "{over:?}");
            assert_eq!(header[16..24], [203, 0, 113, 9, 127, 0, 0, 1]);
            assert_eq!(header[24..26], 4711u16.to_be_bytes());
            assert!(header.windows(16).any(|part| part == b"shop.example.org"));
        }
    }
}

#[test]
fn probes_of_members_name_nobody() {
    covers!("send_proxy");
    let backend = HttpBackend::proxied(Over::Https);
    // The other member is nowhere; this one is made to fail by the limit of its answers.
    let workers = format!(
        "worker.list=b\nworker.b.type=lb\nworker.b.balance_workers=m1,m2\n{}worker.m2.type=http\n\
         worker.m2.host=127.0.0.1:{}\n",
        backend.member("m1", "send_proxy=v2\nping_uri=/health\nping_mode=C\nping_status=404"),
        ports::free_port()
    );
    let httpd = Httpd::builder().workers(workers).conf("JkMount /* b").start();
    // Its probes are answered with 200, which is not what is wanted.
    assert_eq!(client::get(httpd.port(), "/x").status, 503);
    let local = || backend.asked().iter().any(|asked| asked.preface.get(12) == Some(&0x20));
    wait_until("a probe of its own", local);
    let asked = backend.asked();
    let own = asked.iter().find(|asked| asked.preface.get(12) == Some(&0x20)).unwrap();
    assert!(own.line.starts_with("HEAD /health") && own.preface.len() == 16, "{own:?}");
    assert_eq!(asked[0].preface[12], 0x21, "the request's own connection");
}

#[test]
fn forwarding_headers_have_ways() {
    covers!("x_forwarded", "forwarded");
    let backend = HttpBackend::named("a");
    let came = [("X-Forwarded-For", "6.6.6.6"), ("Forwarded", "for=6.6.6.6"), ("X-Forwarded-Proto", "https")];
    for (way, list, stations) in [
        ("replace", vec!["127.0.0.1"], vec!["for=127.0.0.1;host=\"h\";proto=http"]),
        ("append", vec!["6.6.6.6, 127.0.0.1"], vec!["for=6.6.6.6, for=127.0.0.1;host=\"h\";proto=http"]),
        ("off", vec![], vec![]),
    ] {
        let workers = backend.worker("w", &format!("x_forwarded={way}\nforwarded={way}"));
        let httpd = Httpd::builder().workers(workers).conf("JkMount /* w").start();
        let mut headers = vec![("Host", "h")];
        headers.extend(came);
        assert_eq!(Client::connect(httpd.port()).request("GET", "/x", &headers, b"").status, 200);
        let asked = backend.last();
        assert_eq!(asked.header("X-Forwarded-For"), list, "{way}");
        assert_eq!(asked.header("Forwarded"), stations, "{way}");
        let proto = if way == "off" { vec![] } else { vec!["http"] };
        assert_eq!(asked.header("X-Forwarded-Proto"), proto, "{way}");
    }
}
