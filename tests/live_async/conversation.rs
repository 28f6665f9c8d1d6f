//! What else there is to a request and its connection is as it is for one that waits with its thread.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::support::certificate::{Certificate, curl};
use crate::support::{Backend, Client, Ended, Gate, Mpm, client, ports, under_each_mpm, wait_until};
use crate::{AT_ONCE, ask, builder};

under_each_mpm!(
    pipelined_requests,
    requests_that_come_later,
    heads_and_ranges,
    error_pages,
    sub_requests_and_rewritten_ones,
    other_filters,
    the_access_log,
    over_tls
);

/// Answers with the path, a little later.
fn late() -> Backend {
    Backend::scripted(|request, say| {
        std::thread::sleep(Duration::from_millis(15));
        let text = request.uri.clone();
        say.respond(200, &[("Content-Type", "text/plain")], text.as_bytes());
    })
}

fn pipelined_requests(mpm: Mpm) {
    let backend = late();
    let httpd = builder(mpm, &backend).start();
    let paths = ["/app/a", "/file.txt", "/app/b", "/app/c", "/file.txt", "/app/d"];
    let all: String =
        paths.iter().map(|path| format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n\r\n")).collect();
    for _ in 0..5 {
        let mut client = Client::connect(httpd.port());
        client.send(&all);
        for path in paths {
            let answer = client.read_response();
            let wanted = if path == "/file.txt" { "from disk\n" } else { path };
            assert_eq!((answer.status, answer.text().as_str()), (200, wanted));
        }
    }
}

fn requests_that_come_later(mpm: Mpm) {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = Backend::scripted(move |request, say| {
        if request.uri.ends_with("slow") {
            say.pause(&held);
        }
        let text = request.uri.clone();
        say.respond(200, &[], text.as_bytes());
    });
    let httpd = builder(mpm, &backend).start();
    let mut client = Client::connect(httpd.port());
    client.send("GET /app/slow HTTP/1.1\r\nHost: h\r\n\r\n");
    gate.await_waiting(1);
    client.send("GET /app/next HTTP/1.1\r\nHost: h\r\n\r\nGET /file.txt HTTP/1.1\r\nHost: h\r\n\r\n");
    gate.open();
    assert_eq!(client.read_response().text(), "/app/slow");
    assert_eq!(client.read_response().text(), "/app/next");
    assert_eq!(client.read_response().text(), "from disk\n");
}

fn heads_and_ranges(mpm: Mpm) {
    let backend = late();
    let httpd = builder(mpm, &backend).start();
    let mut client = Client::connect(httpd.port());
    let head = client.request("HEAD", "/app/0123456789", &[], b"");
    assert_eq!((head.status, head.header("Content-Length"), head.ended), (200, Some("15"), Ended::NoBody));
    let part = client.request("GET", "/app/0123456789", &[("Range", "bytes=5-8")], b"");
    assert_eq!((part.status, part.text().as_str()), (206, "0123"));
    let old = Client::connect(httpd.port()).send("GET /app/x HTTP/1.0\r\n\r\n").read_response();
    assert_eq!((old.status, old.text().as_str()), (200, "/app/x"));
}

fn error_pages(mpm: Mpm) {
    let backend = Backend::scripted(|request, say| {
        std::thread::sleep(Duration::from_millis(15));
        match request.uri.rsplit('/').next() {
            Some("gone") => say.close(),
            _ => say.respond(200, &[("Content-Type", "text/plain")], b"a page of the application"),
        }
    });
    let conf = "ErrorDocument 404 /app/page\nErrorDocument 502 /sorry.txt\n";
    let settings = "worker.w.retries=1\nworker.w.recovery_options=3";
    let httpd =
        builder(mpm, &backend).workers(settings).file("htdocs/sorry.txt", "so sorry").conf(conf).start();
    let mut client = Client::connect(httpd.port());
    let missing = client.get("/missing.html");
    assert_eq!((missing.status, missing.text().as_str()), (404, "a page of the application"));
    let lost = client.get("/app/gone");
    assert_eq!((lost.status, lost.text().as_str()), (502, "so sorry"));
    assert_eq!(client.get("/app/fine").status, 200);
}

fn sub_requests_and_rewritten_ones(mpm: Mpm) {
    let backend = late();
    let conf = "Options +Includes\nAddOutputFilter INCLUDES .shtml\nRewriteEngine On\n\
                RewriteRule ^/other/(.*) /app/$1 [PT]\nRewriteRule ^/again$ /app/redirected [R=302,L]";
    let page = "<!--#include virtual=\"/app/one\" -->, <!--#include virtual=\"/app/two\" -->";
    let httpd = builder(mpm, &backend)
        .modules(&["include"])
        .file("htdocs/page.shtml", page)
        .conf(format!("<Directory \"@ROOT@/htdocs\">\n{}\n</Directory>", "Options +Includes"))
        .conf(conf.trim_start_matches("Options +Includes\n"))
        .start();
    assert_eq!(client::get(httpd.port(), "/page.shtml").text(), "/app/one, /app/two");
    assert_eq!(client::get(httpd.port(), "/other/name").text(), "/app/name");
}

fn other_filters(mpm: Mpm) {
    let backend = Backend::scripted(|_, say| {
        std::thread::sleep(Duration::from_millis(15));
        let text = "again and ".repeat(500);
        let headers = [("Content-Type", "text/plain"), ("Cache-Control", "max-age=600")];
        say.respond(200, &headers, text.as_bytes());
    });
    let conf = "AddOutputFilterByType DEFLATE text/plain\nCacheRoot \"@ROOT@/scratch\"\nCacheEnable disk /app/cached";
    let mut httpd = builder(mpm, &backend)
        .modules(&["filter", "deflate", "cache", "cache_disk"])
        .conf(conf)
        .file("scratch/.keep", "")
        .prepare();
    let scratch = httpd.root().join("scratch");
    std::fs::set_permissions(scratch, std::fs::Permissions::from_mode(0o777)).unwrap();
    httpd.launch().unwrap_or_else(|text| panic!("{text}"));
    let packed = client::request(httpd.port(), "GET", "/app/x", &[("Accept-Encoding", "gzip")], b"");
    assert_eq!((packed.status, packed.header("Content-Encoding")), (200, Some("gzip")));
    assert!(packed.body.len() < 500);
    let asked = || backend.requests().iter().filter(|request| request.uri == "/app/cached").count();
    // The client has the response a moment before the cache has.
    wait_until("the cache answers", || client::get(httpd.port(), "/app/cached").header("Age").is_some());
    let before = asked();
    for _ in 0..3 {
        assert_eq!(client::get(httpd.port(), "/app/cached").body.len(), 5000);
    }
    assert_eq!(asked(), before, "the cache did not keep the response");
}

fn the_access_log(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = builder(mpm, &backend).start();
    assert_eq!(client::get(httpd.port(), "/app/delay/200").text(), "late\n");
    wait_until("the access log has its line", || httpd.access_log().contains("/app/delay/200"));
    let log = httpd.access_log();
    let mut words = log.trim_end().rsplit(' ');
    let micros: u64 = words.next().unwrap().parse().unwrap();
    assert!((200_000..5_000_000).contains(&micros), "{log}");
    assert_eq!((words.next(), words.next()), (Some("5"), Some("200")), "{log}");
}

fn over_tls(mpm: Mpm) {
    let gate = Gate::new();
    let held = gate.clone();
    let backend = Backend::scripted(move |request, say| {
        if request.uri.contains("slow") {
            say.pause(&held);
        }
        let body = say.read_body();
        let text = format!("{} {} {}", request.uri, request.is_ssl, body.len());
        say.respond(200, &[], text.as_bytes());
    });
    let (certificate, port) = (Certificate::new(), ports::free_port());
    let conf = format!(
        "Listen 127.0.0.1:{port}\n<VirtualHost *:{port}>\nServerName localhost\nSSLEngine on\n\
         SSLCertificateFile \"{}\"\nSSLCertificateKeyFile \"{}\"\nJkMountCopy On\nProtocols h2 http/1.1\n</VirtualHost>",
        certificate.certificate().display(),
        certificate.key().display()
    );
    let modules: &[&str] = if mpm == Mpm::Prefork { &["ssl"] } else { &["ssl", "http2"] };
    let httpd = builder(mpm, &backend).modules(modules).conf(conf).start();
    let url = format!("https://127.0.0.1:{port}/app");
    // Two on one connection, one with a body.
    let page = curl(&["-k", "--http1.1", &format!("{url}/a"), "-k", &format!("{url}/b")]);
    assert_eq!(page.exit, 0, "{}", page.complaint);
    assert!(
        page.text().contains("/app/a true 0") && page.text().contains("/app/b true 0"),
        "{}",
        page.text()
    );
    let page = curl(&["-k", "--http1.1", "-d", "twelve octets", &format!("{url}/up")]);
    assert_eq!(page.text(), "/app/up true 13", "{}", page.complaint);
    if mpm != Mpm::Prefork {
        let page = curl(&["-k", "--http2", &format!("{url}/two")]);
        assert_eq!((page.summary.as_str(), page.text().as_str()), ("2 200", "/app/two true 0"));
    }
    if mpm == Mpm::Event {
        let many: Vec<_> = (0..20)
            .map(|n| {
                let url = format!("{url}/slow/{n}");
                std::thread::spawn(move || curl(&["-k", "--http1.1", &url]))
            })
            .collect();
        gate.await_waiting(20);
        assert_eq!(client::get(httpd.port(), "/file.txt").text(), "from disk\n");
        gate.open();
        for (n, one) in many.into_iter().enumerate() {
            let page = one.join().unwrap();
            assert_eq!(page.text(), format!("/app/slow/{n} true 0"), "{}", page.complaint);
        }
    }
}

#[test]
fn a_kept_connection_waits_again_and_again() {
    let backend = late();
    let httpd = builder(Mpm::Event, &backend).conf(AT_ONCE).start();
    let begun = Instant::now();
    let mut clients = ask(&httpd, ["/app/first".to_owned()]);
    let client = &mut clients[0];
    assert_eq!(client.read_response().text(), "/app/first");
    for round in 0..30 {
        assert_eq!(client.get(&format!("/app/{round}")).text(), format!("/app/{round}"));
    }
    assert!(begun.elapsed() > Duration::from_millis(31 * 15));
}
