//! mod_http2 without TLS, by prior knowledge: one connection of the client, many of its requests at once.

use std::process::Command;

use crate::support::certificate::{Certificate, curl};
use crate::support::digest::sha256_hex;
use crate::support::tempdir::TempDir;
use crate::support::{Backend, Ended, Httpd, Mpm, client, pattern, ports};

fn http2(backend: &Backend, mpm: Mpm) -> Httpd {
    super::builder(backend, &["http2"], "Protocols h2c http/1.1\nH2Direct on").mpm(mpm).start()
}

crate::support::under_threaded_mpms!(requests_of_every_kind, parallel_requests, cancelled_requests);

const PRIOR: &str = "--http2-prior-knowledge";

fn requests_of_every_kind(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = http2(&backend, mpm);
    let url = format!("http://127.0.0.1:{}/app", httpd.port());
    let page = curl(&[PRIOR, &format!("{url}/x?a=b")]);
    assert_eq!((page.exit, page.summary.as_str()), (0, "2 200"), "{}", page.complaint);
    let seen = backend.last_request();
    assert_eq!(
        (seen.protocol.as_str(), seen.query.as_deref(), seen.is_ssl),
        ("HTTP/2.0", Some("a=b"), false)
    );
    assert_eq!(seen.server_name, "127.0.0.1");
    assert_eq!(seen.header_all("host").len(), 1);
    assert_eq!(seen.remote_addr.as_deref(), Some("127.0.0.1"));
    assert!(seen.attribute("AJP_REMOTE_PORT").is_some_and(|port| port != "0"), "{seen:?}");

    let body = pattern(300_000);
    let scratch = TempDir::new("http2");
    let file = scratch.write("body", &body);
    let wanted = format!("length=300000\nsha256={}\n", sha256_hex(&body));
    let data = format!("@{}", file.display());
    let page = curl(&[PRIOR, "--data-binary", &data, &format!("{url}/upload")]);
    assert_eq!((page.summary.as_str(), page.text()), ("2 200", wanted.clone()), "{}", page.complaint);
    assert_eq!(backend.last_request().content_length(), Some(300_000));
    // Without a length, which HTTP/2 can do without chunks.
    let page = curl(&[
        PRIOR,
        "-X",
        "POST",
        "-H",
        "Content-Length:",
        "-T",
        file.to_str().unwrap(),
        &format!("{url}/upload"),
    ]);
    assert_eq!((page.summary.as_str(), page.text()), ("2 200", wanted), "{}", page.complaint);
    let page = curl(&[PRIOR, "--head", &format!("{url}/size/5000")]);
    assert_eq!((page.exit, page.summary.as_str()), (0, "2 200"));
    assert!(page.text().to_ascii_lowercase().contains("content-length: 5000"), "{}", page.text());
    for status in ["204", "304", "404", "500"] {
        let page = curl(&[PRIOR, &format!("{url}/status/{status}")]);
        assert_eq!((page.exit, page.summary), (0, format!("2 {status}")));
    }
    // HTTP/1.1 on the same port.
    let answer = client::get(httpd.port(), "/app/size/10");
    assert_eq!((answer.status, answer.ended), (200, Ended::Length));
}

/// With TLS: curl negotiates the protocol before it spreads its requests over the one connection.
fn parallel_requests(mpm: Mpm) {
    let backend = Backend::start();
    let (certificate, port) = (Certificate::new(), ports::free_port());
    let conf = format!(
        "Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\nServerName localhost\nJkMountCopy On\n{}\
         Protocols h2 http/1.1\n</VirtualHost>",
        certificate.directives()
    );
    let _httpd = super::builder(&backend, &["ssl", "http2"], &conf).mpm(mpm).start();
    let scratch = TempDir::new("http2");
    let url = format!("https://localhost:{port}/app");
    let output = Command::new("curl")
        .args([
            "--http2",
            "--insecure",
            "--silent",
            "--show-error",
            "--max-time",
            "30",
            "--parallel",
            "--parallel-max",
            "20",
        ])
        .args(["--write-out", "%{http_version} %{http_code} %{num_connects}\\n"])
        .arg("--output")
        .arg(scratch.path().join("#1"))
        .arg(format!("{url}/size/1[0001-0024]0"))
        .output()
        .unwrap();
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{lines}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(lines.lines().filter(|line| line.starts_with("2 200 ")).count(), 24, "{lines}");
    let connects: usize =
        lines.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum();
    assert!(connects < 24, "one connection carries several requests: {lines}");
    for number in 1..=24 {
        let body = std::fs::read(scratch.path().join(format!("{number:04}"))).unwrap();
        assert!(body == pattern(100_000 + number * 10), "body {number} of {} octets", body.len());
    }
    backend.assert_no_errors();
}

fn cancelled_requests(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = http2(&backend, mpm);
    let url = format!("http://127.0.0.1:{}/app", httpd.port());
    // curl gives up: the stream and its connection end.
    let page = curl(&[PRIOR, "--max-time", "0.3", &format!("{url}/delay/800")]);
    assert_eq!(page.exit, 28, "{page:?}");
    let page = curl(&[PRIOR, &format!("{url}/size/70000")]);
    assert!(page.summary == "2 200" && page.body == pattern(70_000));
}
