//! Modules that change bodies: mod_deflate, mod_brotli, mod_include, mod_substitute, and error pages of httpd.

use crate::support::certificate::curl;
use crate::support::{Backend, Client, Ended, Gate, client, pattern};

const COMPRESSORS: [(&str, &str, &str); 2] =
    [("deflate", "DEFLATE", "gzip"), ("brotli", "BROTLI_COMPRESS", "br")];

/// Text that can be compressed, and in which a lost or moved piece shows.
fn text(lines: usize) -> Vec<u8> {
    (0..lines).flat_map(|number| format!("line {number} of a long page\n").into_bytes()).collect()
}

#[test]
fn bodies_are_compressed_and_stay_intact() {
    for (module, filter, coding) in COMPRESSORS {
        let backend = Backend::scripted(|request, say| match request.uri.as_str() {
            "/app/page" => {
                say.respond(200, &[("Content-Type", "text/html"), ("ETag", "\"v1\"")], &text(5000))
            }
            "/app/stream" => {
                say.send_headers(200, "OK", &[("Content-Type", "text/html; charset=utf-8")]);
                for part in text(5000).chunks(700) {
                    say.body_chunk(part);
                }
                say.end(true);
            }
            "/app/image" => say.respond(200, &[("Content-Type", "image/png")], &pattern(5000)),
            "/app/ready" => {
                say.respond(200, &[("Content-Type", "text/html"), ("Content-Encoding", "x-own")], b"coded")
            }
            _ => crate::support::script::default_script(request, say),
        });
        let conf = format!("AddOutputFilterByType {filter} text/html");
        let httpd = super::front(&backend, &["filter", module], &conf);
        let accept = [("Accept-Encoding", coding)];
        for path in ["/app/page", "/app/stream"] {
            let answer = client::request(httpd.port(), "GET", path, &accept, b"");
            assert_eq!(
                (answer.status, answer.header("Content-Encoding")),
                (200, Some(coding)),
                "{module}: {path}"
            );
            assert!(answer.header("Vary").is_some_and(|value| value.contains("Accept-Encoding")));
            assert!(answer.body.len() < text(5000).len() / 3, "{module}: {path}");
            assert_ne!(answer.header("Content-Length"), Some(text(5000).len().to_string().as_str()));
            assert_ne!(answer.header("ETag"), Some("\"v1\""), "another representation has another tag");
            assert!(
                matches!(answer.ended, Ended::Length | Ended::Chunked),
                "{module}: {path}: {:?}",
                answer.ended
            );
            let url = format!("http://127.0.0.1:{}{path}", httpd.port());
            let page = curl(&["--compressed", "-H", &format!("Accept-Encoding: {coding}"), &url]);
            assert!(page.exit == 0 && page.body == text(5000), "{module}: {path}: {}", page.complaint);
            // A client that does not know the coding.
            let answer = client::get(httpd.port(), path);
            assert!(
                answer.header("Content-Encoding").is_none() && answer.body == text(5000),
                "{module}: {path}"
            );
        }
        let head = client::request(httpd.port(), "HEAD", "/app/page", &accept, b"");
        assert_eq!((head.status, head.body.len()), (200, 0), "{module}");
        let answer = client::request(httpd.port(), "GET", "/app/image", &accept, b"");
        assert!(answer.header("Content-Encoding").is_none() && answer.body == pattern(5000), "{module}");
        let answer = client::request(httpd.port(), "GET", "/app/ready", &accept, b"");
        assert!(!answer.text().is_empty() && answer.header("Content-Encoding").is_some(), "{module}");
    }
}

#[test]
fn a_flush_passes_the_compressor() {
    for (module, filter, coding) in COMPRESSORS {
        let gate = Gate::default();
        let held = gate.clone();
        let backend = Backend::scripted(move |_, say| {
            say.send_headers(200, "OK", &[("Content-Type", "text/html")]);
            // Does not get smaller by compressing, so that the client's count proves that all of it came.
            say.body_chunk(&pattern(6000));
            say.flush();
            say.pause(&held);
            say.body_chunk(b"the rest");
            say.end(true);
        });
        let httpd = super::front(&backend, &["filter", module], &format!("SetOutputFilter {filter}"));
        let mut client = Client::connect(httpd.port());
        client.send(format!("GET /app/x HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {coding}\r\n\r\n"));
        let mut answer = client.try_read_head().unwrap();
        assert_eq!(answer.header("Content-Encoding"), Some(coding), "{module}");
        let before =
            client.read_octets(5900).unwrap_or_else(|e| panic!("{module}: the flush got stuck: {e}"));
        gate.open();
        assert!(before.len() >= 5900);
        client.read_body("GET", &mut answer);
    }
}

#[test]
fn a_compressed_page_that_breaks_off_is_not_complete() {
    for (module, filter, coding) in COMPRESSORS {
        let backend = Backend::scripted(|_, say| {
            say.send_headers(200, "OK", &[("Content-Type", "text/html")]);
            say.body_chunk(&pattern(20_000));
            say.flush();
            say.close();
        });
        let httpd = super::front(&backend, &["filter", module], &format!("SetOutputFilter {filter}"));
        let answer = client::request(httpd.port(), "GET", "/app/x", &[("Accept-Encoding", coding)], b"");
        assert!(answer.status == 502 || answer.ended == Ended::Truncated, "{module}: {:?}", answer.ended);
    }
}

#[test]
fn text_is_replaced_in_relayed_pages() {
    let backend = Backend::scripted(|_, say| {
        say.respond(200, &[("Content-Type", "text/html")], b"<a href=\"http://inside:8080/x\">x</a>\n");
    });
    let conf =
        "AddOutputFilterByType SUBSTITUTE text/html\nSubstitute s|http://inside:8080|https://outside|n";
    let httpd = super::front(&backend, &["filter", "substitute"], conf);
    let answer = client::get(httpd.port(), "/app/x");
    assert_eq!(answer.text(), "<a href=\"https://outside/x\">x</a>\n");
    assert!(matches!(answer.ended, Ended::Length | Ended::Chunked));
}

#[test]
fn includes_work_in_files_and_in_relayed_pages() {
    let backend = Backend::scripted(|request, say| match request.uri.as_str() {
        "/app/page" => {
            let page =
                b"[<!--#include virtual=\"/part.txt\" -->|<!--#include virtual=\"/app/inner?a=1\" -->]";
            say.respond(200, &[("Content-Type", "text/x-server-parsed-html")], page);
        }
        "/app/inner" => say.respond(200, &[], request.query.clone().unwrap_or_default().as_bytes()),
        "/app/error" => say.respond(500, &[], b"sorry"),
        _ => say.close(),
    });
    let httpd = super::builder(
        &backend,
        &["include", "filter"],
        "AddOutputFilterByType INCLUDES text/x-server-parsed-html\nAddType text/html .shtml\n\
         AddOutputFilter INCLUDES .shtml\n<Location />\nOptions +Includes\n</Location>",
    )
    .file("htdocs/part.txt", "a file")
    .file(
        "htdocs/all.shtml",
        "<!--#include virtual=\"/app/inner?b=2\" -->,<!--#include virtual=\"/app/inner?c=3\" -->",
    )
    .file("htdocs/bad.shtml", "before <!--#include virtual=\"/app/broken\" --> after")
    .start();
    assert_eq!(client::get(httpd.port(), "/all.shtml").text(), "b=2,c=3");
    assert_eq!(client::get(httpd.port(), "/app/page").text(), "[a file|a=1]");
    let answer = client::get(httpd.port(), "/bad.shtml").text();
    assert!(
        answer.starts_with("before ") && answer.ends_with(" after") && answer.contains("error"),
        "{answer}"
    );
}

#[test]
fn error_pages_of_httpd_stand_in_for_the_backend() {
    let mut backend = Backend::start();
    let httpd = super::builder(
        &backend,
        &[],
        "JkMount /own|/*;use_server_errors=400 w\nErrorDocument 404 /missing.html\nErrorDocument 503 /sorry.html\n\
         ErrorDocument 502 \"plain words\"",
    )
    .file("htdocs/missing.html", "httpd's page")
    .file("htdocs/sorry.html", "back soon")
    .start();
    let answer = client::get(httpd.port(), "/own/status/404");
    assert_eq!((answer.status, answer.text().as_str()), (404, "httpd's page"));
    let answer = client::get(httpd.port(), "/app/status/404");
    assert_eq!((answer.status, answer.text().as_str()), (404, "status\n"), "the backend's page is its own");
    let answer = client::get(httpd.port(), "/nothing");
    assert_eq!((answer.status, answer.text().as_str()), (404, "httpd's page"));
    backend.stop();
    for method in ["GET", "POST", "DELETE"] {
        let answer = client::request(httpd.port(), method, "/app/x", &[], b"");
        assert_eq!((answer.status, answer.text().as_str()), (503, "back soon"), "{method}");
    }
    let head = client::request(httpd.port(), "HEAD", "/app/x", &[], b"");
    assert_eq!((head.status, head.body.len()), (503, 0));
}
