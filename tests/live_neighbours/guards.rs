//! Modules that refuse or watch: mod_reqtimeout, mod_evasive, mod_security2, mod_status.

use std::time::{Duration, Instant};

use crate::support::backend::Event;
use crate::support::digest::sha256_hex;
use crate::support::{Backend, Client, Conversation, Ended, client, pattern};

#[test]
fn a_body_that_comes_too_slowly_is_given_up() {
    let backend = Backend::start();
    let httpd = super::front(&backend, &["reqtimeout"], "RequestReadTimeout header=5 body=1");
    let body = pattern(20_000);
    for framing in ["Content-Length: 20000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"] {
        let mut client = Client::connect(httpd.port());
        client.send(format!("POST /app/upload HTTP/1.1\r\nHost: localhost\r\n{framing}"));
        if framing.starts_with('C') {
            client.send(&body[..9000])
        } else {
            client.send_chunk(&body[..9000])
        };
        let begun = Instant::now();
        let answer = client.read_response();
        assert_eq!(answer.status, 408, "{framing}");
        // Timeout, which ends any silence, is 30 seconds here.
        assert!(begun.elapsed() < Duration::from_secs(15), "{framing}: {:?}", begun.elapsed());
    }
    // The backend must not take what it got for the whole, nor is its connection used again.
    backend.wait_for("both connections closed", |log| log.len() == 2 && log.iter().all(|c| !c.open));
    for connection in backend.log() {
        let ended = connection.events.iter().any(|(_, event)| matches!(event, Event::Body { len: 0, .. }));
        assert!(!ended, "{:#?}", connection.events);
        assert!(!connection.events.iter().any(|(_, event)| matches!(event, Event::Ended { .. })));
    }
    let answer = client::request(httpd.port(), "POST", "/app/upload", &[], &body);
    assert_eq!(answer.fact("sha256"), Some(sha256_hex(&body)));
    assert!(httpd.access_log().contains("\" 408 "));
}

/// mod_evasive counts what each client asks for, page by page and altogether, and refuses what is too much. It looks where access
/// is decided, so it must see mapped requests, each once, and pages by the path without what is only spelling.
#[test]
fn a_client_that_asks_too_often_is_refused() {
    let backend = Backend::start();
    // It counts in each child, and there is one here. The first request for a page does not count.
    let conf = "DOSPageInterval 600\nDOSSiteInterval 600\nDOSBlockingPeriod 600\nDOSHTTPResponseCode 429\n\
                DOSLogDir @ROOT@/scratch\n";
    let statuses = |limits: &str, paths: &[&str]| -> Vec<u16> {
        let httpd = super::front_with_scratch(&backend, &["evasive20"], &format!("{conf}{limits}"));
        let found = paths.iter().map(|path| client::get(httpd.port(), path).status).collect();
        assert!(httpd.root().join("scratch/dos-127.0.0.1").is_file());
        found
    };
    // One page too often, by whatever name; after the second time nothing at all, of the backend or from disk.
    let same =
        ["/app/x", "/app/x?a=1", "/app/./x", "/app/x;p=1", "/app/%78", "/app/x", "/app/y", "/file.txt"];
    let answered = statuses("DOSPageCount 3\nDOSSiteCount 1000", &same);
    assert_eq!(answered, [200, 200, 200, 200, 429, 429, 429, 429]);
    assert_eq!(backend.requests().len(), 4);
    // Many pages, each once: the count of the site, with what httpd serves itself.
    let many: Vec<String> = (0..11).map(|n| format!("/app/page-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).chain(["/file.txt", "/app/a", "/app/b"]).collect();
    let answered = statuses("DOSPageCount 1000\nDOSSiteCount 11", &many);
    assert_eq!(answered, [[200; 12].as_slice(), &[429, 429]].concat());
    assert_eq!(backend.requests().len(), 4 + 11);
    backend.assert_no_errors();
}

/// Rules of a site that looks at requests and responses.
const RULES: &str = "SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n\
    SecResponseBodyMimeType text/plain text/html\nSecRequestBodyLimit 1000000\nSecRequestBodyNoFilesLimit 1000000\n\
    SecRequestBodyInMemoryLimit 20000\nSecResponseBodyLimit 300000\nSecResponseBodyLimitAction ProcessPartial\n\
    SecTmpDir @ROOT@/scratch\nSecDataDir @ROOT@/scratch\nSecAuditEngine Off\n\
    SecRule ARGS:q \"@contains attack\" \"id:1,phase:2,deny,status:403\"\n\
    SecRule REQUEST_HEADERS:X-Bad \"@streq 1\" \"id:2,phase:1,deny,status:403\"\n\
    SecRule REQUEST_URI \"@contains early\" \"id:3,phase:1,t:urlDecodeUni,t:normalizePath,deny,status:404\"\n\
    SecRule RESPONSE_HEADERS:X-Leak \"@streq 1\" \"id:4,phase:3,deny,status:502\"\n\
    SecRule RESPONSE_BODY \"@contains ORA-00933\" \"id:5,phase:4,deny,status:500\"";

fn pages(request: &crate::support::ForwardRequest, say: &mut Conversation) {
    let html = ("Content-Type", "text/html");
    match request.uri.as_str() {
        "/app/leak" => say.respond(200, &[html, ("X-Leak", "1")], b"headers tell too much"),
        "/app/oracle" => say.respond(200, &[html], b"ORA-00933: SQL command not properly ended"),
        _ => crate::support::script::default_script(request, say),
    }
}

#[test]
fn a_web_application_firewall_sees_both_directions() {
    let backend = Backend::scripted(pages);
    let httpd = super::front_with_scratch(&backend, &["unique_id", "security2"], RULES);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    for (method, path, headers, body, status, reaches) in [
        ("GET", "/app/x?q=fine", &[][..], &b""[..], 200, true),
        ("GET", "/app/x?q=an+attack", &[], b"", 403, false),
        ("GET", "/app/x", &[("X-Bad", "1")], b"", 403, false),
        ("GET", "/app/early", &[], b"", 404, false),
        ("GET", "/app/a/../ear%6cy", &[], b"", 404, false),
        ("POST", "/app/upload", &form, b"q=fine&r=1", 200, true),
        ("POST", "/app/upload", &form, b"q=attack", 403, false),
        ("GET", "/app/leak", &[], b"", 502, true),
        ("GET", "/app/oracle", &[], b"", 500, true),
        ("HEAD", "/app/x", &[], b"", 200, true),
    ] {
        let before = backend.requests().len();
        let answer = client::request(httpd.port(), method, path, headers, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert!(!answer.text().contains("ORA-") && !answer.text().contains("too much"), "{path}");
        assert_eq!(backend.requests().len() > before, reaches, "{method} {path}");
    }
    // What passes is intact: a body it kept in a file, and one longer than it looks at.
    let body = pattern(200_000);
    let answer =
        client::request(httpd.port(), "POST", "/app/upload", &[("Content-Type", "application/x")], &body);
    assert_eq!(answer.fact("sha256"), Some(sha256_hex(&body)), "{}", httpd.error_log());
    for path in ["/app/size/100000", "/app/stream/100000", "/app/size/700000", "/app/stream/700000"] {
        let answer = client::get(httpd.port(), path);
        let octets: usize = path.rsplit('/').next().unwrap().parse().unwrap();
        assert!(answer.status == 200 && answer.body == pattern(octets), "{path}: {}", answer.body.len());
        assert!(matches!(answer.ended, Ended::Length | Ended::Chunked), "{path}");
    }
    backend.assert_no_errors();
}

#[test]
fn the_status_page_of_httpd_inside_a_mounted_space() {
    let backend = Backend::start();
    let httpd = super::front(
        &backend,
        &["status"],
        "JkMount /* w\nJkAsync Off\nExtendedStatus On\n<Location /server-status>\nSetHandler server-status\n</Location>",
    );
    let answer = client::get(httpd.port(), "/server-status?auto");
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("BusyWorkers: "), "{}", answer.text());
    assert_eq!(backend.requests().len(), 0);
    // Relayed requests are counted and shown while they last, and have a thread.
    let gate = std::thread::spawn({
        let port = httpd.port();
        move || client::get(port, "/app/delay/1000").status
    });
    backend.wait_for("the slow request", |log| log.iter().any(|c| !c.requests().is_empty()));
    let page = client::get(httpd.port(), "/server-status").text();
    assert!(page.contains("GET /app/delay/1000 HTTP/1.1"), "{page}");
    assert_eq!(gate.join().unwrap(), 200);
}
