//! mod_cache with mod_cache_disk in front of servlets: what may be kept is answered without them, nothing else is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Backend, Client, Ended, Httpd, client};

const BODY: &[u8] = b"a page that may be kept";

/// Counts its own pages, so that a kept one can be told from a new one.
fn backend() -> Backend {
    let count = Arc::new(AtomicUsize::new(0));
    Backend::scripted(move |request, say| {
        let number = count.fetch_add(1, Ordering::Relaxed).to_string();
        let number = ("X-Number", number.as_str());
        let etag = ("ETag", "\"v1\"");
        match request.uri.as_str() {
            "/app/fresh" => say.respond(200, &[("Cache-Control", "max-age=600"), etag, number], BODY),
            "/app/stale" if request.header("if-none-match") == Some("\"v1\"") => {
                say.send_headers(304, "Not Modified", &[("Cache-Control", "max-age=0"), etag]);
                say.end(true);
            }
            "/app/stale" => say.respond(200, &[("Cache-Control", "max-age=0"), etag, number], BODY),
            "/app/private" => {
                say.respond(200, &[("Cache-Control", "private, max-age=600"), etag, number], BODY)
            }
            "/app/never" => say.respond(200, &[("Cache-Control", "no-store"), etag, number], BODY),
            "/app/vary" => {
                let headers = [("Cache-Control", "max-age=600"), ("Vary", "Accept-Language"), etag, number];
                say.respond(200, &headers, request.header("accept-language").unwrap_or("none").as_bytes());
            }
            "/app/broken" => {
                say.send_headers(
                    200,
                    "OK",
                    &[("Cache-Control", "max-age=600"), ("Content-Length", "1000"), etag],
                );
                say.body_chunk(&[b'x'; 400]);
                say.close();
            }
            "/app/open-ended" => {
                say.send_headers(200, "OK", &[("Cache-Control", "max-age=600"), etag, number]);
                say.body_chunk(&[b'x'; 20_000]);
                say.close();
            }
            "/app/streamed" => {
                say.send_headers(200, "OK", &[("Cache-Control", "max-age=600"), etag, number]);
                say.body_chunk(&crate::support::pattern(100_000));
                say.end(true);
            }
            "/app/missing" => say.respond(404, &[("Cache-Control", "max-age=600"), number], b"not there"),
            _ => crate::support::script::default_script(request, say),
        }
    })
}

fn cached(backend: &Backend, more: &str) -> Httpd {
    super::front_with_scratch(
        backend,
        &["cache", "cache_disk"],
        &format!("CacheRoot @ROOT@/scratch\nCacheEnable disk /\n{more}"),
    )
}

/// Whether the request reached the backend, and the answer.
#[track_caller]
fn ask(
    httpd: &Httpd,
    backend: &Backend,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> (bool, client::Response) {
    let before = backend.requests().len();
    let answer = client::request(httpd.port(), method, path, headers, b"");
    (backend.requests().len() > before, answer)
}

#[test]
fn a_fresh_page_is_answered_without_the_backend() {
    // The cache before everything else, and as a filter behind authorization.
    for quick in ["CacheQuickHandler on", "CacheQuickHandler off"] {
        let backend = backend();
        let httpd = cached(&backend, quick);
        let (reached, first) = ask(&httpd, &backend, "GET", "/app/fresh", &[]);
        assert!(reached && first.status == 200 && first.body == BODY, "{quick}: {first:?}");
        let (reached, again) = ask(&httpd, &backend, "GET", "/app/fresh", &[]);
        assert!(!reached, "{quick}");
        assert_eq!((again.status, again.body.as_slice(), again.ended), (200, BODY, Ended::Length), "{quick}");
        assert_eq!(
            (again.header("X-Number"), again.header("ETag")),
            (first.header("X-Number"), Some("\"v1\""))
        );
        assert!(again.header("Age").is_some(), "{quick}");

        let (reached, head) = ask(&httpd, &backend, "HEAD", "/app/fresh", &[]);
        assert!(!reached && head.status == 200 && head.body.is_empty(), "{quick}");
        assert_eq!(head.header("Content-Length"), Some(BODY.len().to_string().as_str()), "{quick}");
        let (reached, not_changed) =
            ask(&httpd, &backend, "GET", "/app/fresh", &[("If-None-Match", "\"v1\"")]);
        assert!(!reached && not_changed.status == 304 && not_changed.body.is_empty(), "{quick}");
        // mod_cache asks the backend when the client has something else.
        let (_, other) = ask(&httpd, &backend, "GET", "/app/fresh", &[("If-None-Match", "\"v0\"")]);
        assert!(other.status == 200 && other.body == BODY, "{quick}");
        // Reloading asks the backend.
        let (reached, _) = ask(&httpd, &backend, "GET", "/app/fresh", &[("Cache-Control", "no-cache")]);
        assert!(reached, "{quick}");
        let (reached, _) = ask(&httpd, &backend, "POST", "/app/fresh", &[]);
        assert!(reached, "{quick}");
    }
}

#[test]
fn a_stale_page_is_asked_for_by_its_tag() {
    let backend = backend();
    let httpd = cached(&backend, "");
    let (_, first) = ask(&httpd, &backend, "GET", "/app/stale", &[]);
    assert_eq!((first.status, first.body.as_slice()), (200, BODY));
    for _ in 0..2 {
        let (reached, again) = ask(&httpd, &backend, "GET", "/app/stale", &[]);
        assert!(reached);
        assert_eq!(backend.last_request().header("if-none-match"), Some("\"v1\""));
        // The backend said 304, the client had not asked for that and gets the kept page.
        assert_eq!((again.status, again.body.as_slice(), again.ended), (200, BODY, Ended::Length));
        assert_eq!(again.header("X-Number"), first.header("X-Number"));
    }
}

#[test]
fn what_may_not_be_kept_comes_from_the_backend_each_time() {
    let backend = backend();
    let httpd = cached(&backend, "");
    for path in ["/app/private", "/app/never", "/app/x", "/app/upload"] {
        for _ in 0..2 {
            assert!(ask(&httpd, &backend, "GET", path, &[]).0, "{path}");
        }
    }
    // Whoever sends a password gets a page of their own.
    for _ in 0..2 {
        assert!(ask(&httpd, &backend, "GET", "/app/fresh?user", &[("Authorization", "Basic YTpi")]).0);
    }
    for language in ["de", "ko", "de", "ko"] {
        let (_, answer) = ask(&httpd, &backend, "GET", "/app/vary", &[("Accept-Language", language)]);
        assert_eq!(answer.text(), language);
    }
}

#[test]
fn a_page_that_broke_off_is_not_kept() {
    let backend = backend();
    let httpd = cached(&backend, "");
    for path in ["/app/broken", "/app/open-ended"] {
        for _ in 0..2 {
            let before = backend.requests().len();
            let mut client = Client::connect(httpd.port());
            client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            if let Ok(answer) = client.try_read_response_to("GET") {
                assert!(answer.ended == Ended::Truncated || answer.status == 502, "{path}: {answer:?}");
            }
            assert!(backend.requests().len() > before, "{path} was answered from the cache");
        }
    }
}

#[test]
fn a_page_of_unknown_length_is_kept_whole() {
    let backend = backend();
    let httpd = cached(&backend, "");
    let body = crate::support::pattern(100_000);
    let (reached, first) = ask(&httpd, &backend, "GET", "/app/streamed", &[]);
    assert!(reached && first.body == body);
    let (reached, again) = ask(&httpd, &backend, "GET", "/app/streamed", &[]);
    assert!(!reached && again.body == body && again.status == 200);
}
