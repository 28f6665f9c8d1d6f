//! What the client gets of a response.

use crate::support::{
    Backend, Client, Conversation, Ended, ForwardRequest, Mpm, Over, client, over_each_protocol,
};
use crate::{builder, front};

over_each_protocol!(
    status_and_reason,
    headers,
    headers_of_other_modules,
    framing,
    bodies_where_none_may_be,
    keep_alive_and_pipelining,
);

/// Answers `/app/head/...` by the rest of the path.
fn answer(request: &ForwardRequest, say: &mut Conversation) {
    let case = request.uri.strip_prefix("/app/").unwrap_or_default();
    if let Some((status, reason)) = case.strip_prefix("reason/").and_then(|rest| rest.split_once('/')) {
        say.send_headers(status.parse().unwrap(), reason, &[]);
        say.body_chunk(b"body");
        say.end(true);
        return;
    }
    match case {
        "headers" => {
            say.send_headers(
                200,
                "OK",
                &[
                    ("Set-Cookie", "a=1; Path=/"),
                    ("content-type", "Text/HTML; Charset=UTF-8"),
                    ("Set-Cookie", "b=2, with comma"),
                    ("X-Repeated", "1"),
                    ("Last-Modified", "yesterday"),
                    ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
                    ("Server", "backend/1"),
                    ("X-Repeated", "2"),
                    ("Location", "http://elsewhere.test/"),
                    ("ETag", "\"x\""),
                    ("Set-Cookie", "c=3"),
                    ("X-Empty", ""),
                    ("Connection", "close, X-Listed"),
                    ("X-Listed", "1"),
                    ("Keep-Alive", "timeout=987"),
                    ("Transfer-Encoding", "chunked"),
                    ("Trailer", "X-T"),
                    ("Upgrade", "h2c"),
                    ("Proxy-Connection", "close"),
                    ("WWW-Authenticate", "Basic realm=\"a\""),
                    ("WWW-Authenticate", "Digest realm=\"b\""),
                    ("Content-Language", "de"),
                ],
            );
            say.body_chunk(b"body");
            say.end(true);
        }
        "modified" => {
            say.respond(200, &[("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")], b"x");
        }
        "with-body/204" | "with-body/304" | "with-body/205" => {
            say.send_headers(case[10..].parse().unwrap(), "", &[("X-A", "1")]);
            say.body_chunk(b"must not be seen");
            say.flush();
            say.end(true);
        }
        "head" => {
            say.send_headers(200, "OK", &[("Content-Length", "12345"), ("X-A", "1")]);
            say.body_chunk(b"must not be seen");
            say.flush();
            say.end(true);
        }
        _ => crate::support::script::default_script(request, say),
    }
}

fn status_and_reason(mpm: Mpm, over: Over) {
    let backend = over.scripted(answer);
    let httpd = front(mpm, &backend, "");
    // Tomcat sends the number as reason; nobody wants to see "200 200".
    for (case, reason) in [
        ("200/200", "OK"),
        ("200/OK", "OK"),
        ("200/", "OK"),
        ("404/404", "Not Found"),
        ("500/500", "Internal Server Error"),
        ("201/201", "Created"),
        ("404/Gone fishing", "Gone fishing"),
    ] {
        // httpd closes the client's connection behind some statuses.
        let answer = client::get(httpd.port(), &format!("/app/reason/{}", case.replace(' ', "%20")));
        assert_eq!(answer.status.to_string(), case[..3], "{case}");
        if !case.contains(' ') {
            assert_eq!(answer.reason, reason, "{case}");
        }
        assert_eq!(answer.text(), "body", "{case}");
    }
    for status in [299, 418, 451, 499, 599, 600, 999] {
        let answer = client::get(httpd.port(), &format!("/app/status/{status}"));
        assert_eq!((answer.status, answer.text().as_str()), (status, "status\n"));
        assert_ne!(answer.reason, status.to_string());
    }
    httpd.assert_no_errors(&[]);
}

fn headers(mpm: Mpm, over: Over) {
    let backend = over.scripted(answer);
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    let page = client.get("/app/headers");
    assert_eq!((page.status, page.text().as_str()), (200, "body"));
    // httpd's own framing, and nothing of the backend's.
    assert_eq!(page.header("Transfer-Encoding").is_some(), page.ended == Ended::Chunked);
    // Over HTTP a chunk that comes alone is passed on before the end is known.
    assert!(
        page.ended == Ended::Length || (!over.is_ajp() && page.ended == Ended::Chunked),
        "{:?}",
        page.ended
    );
    assert_eq!(page.header_all("Set-Cookie"), ["a=1; Path=/", "b=2, with comma", "c=3"]);
    assert_eq!(page.header_all("X-Repeated"), ["1", "2"]);
    assert_eq!(page.header_all("Content-Type"), ["text/html; Charset=UTF-8"]);
    assert_eq!(page.header_all("Last-Modified"), Vec::<&str>::new());
    assert_eq!(page.header_all("Date").len(), 1);
    assert!(!page.header("Date").unwrap().contains("1970"));
    assert_eq!(page.header_all("Server").len(), 1);
    assert!(page.header("Server").unwrap().starts_with("Apache"));
    assert_eq!(page.header_all("Location"), ["http://elsewhere.test/"]);
    assert_eq!(page.header_all("X-Empty"), [""]);
    assert_eq!(page.header_all("WWW-Authenticate"), ["Basic realm=\"a\"", "Digest realm=\"b\""]);
    assert_eq!(page.header_all("Content-Language"), ["de"]);
    for name in ["X-Listed", "Keep-Alive", "Trailer", "Upgrade", "Proxy-Connection", "Connection"] {
        assert_eq!(page.header(name), None, "{name}");
    }
    // "Connection: close" of the backend is about its own connection only.
    let page = client.get("/app/modified");
    assert_eq!(page.header_all("Last-Modified"), ["Sun, 06 Nov 1994 08:49:37 GMT"]);
    assert_eq!(
        client.get("/app/headers/200").headers.iter().filter(|(n, _)| n.starts_with("X-Header-")).count(),
        200
    );
}

fn headers_of_other_modules(mpm: Mpm, over: Over) {
    let backend = over.scripted(answer);
    let httpd = builder(mpm, &backend, "")
        .conf("Header set X-Mine 1\nHeader always set X-Always 1\nHeader edit Set-Cookie ^a= z=\nAddType text/css .css")
        .start();
    let page = client::get(httpd.port(), "/app/headers");
    assert_eq!((page.header("X-Mine"), page.header("X-Always")), (Some("1"), Some("1")));
    assert_eq!(page.header_all("Set-Cookie"), ["z=1; Path=/", "b=2, with comma", "c=3"]);
    let page = client::get(httpd.port(), "/app/reason/200/x.css");
    assert_eq!(
        page.header("Content-Type"),
        None,
        "a relayed page has no file whose name could tell its type"
    );
}

fn framing(mpm: Mpm, over: Over) {
    let backend = over.scripted(answer);
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    for octets in [0, 1, 8191, 8192, 8193, 65_535, 1_000_000] {
        let sized = client.get(&format!("/app/size/{octets}"));
        assert_eq!(
            (sized.ended, sized.body == crate::support::pattern(octets)),
            (Ended::Length, true),
            "{octets}"
        );
        assert_eq!(sized.header("Content-Length"), Some(octets.to_string().as_str()));
        let streamed = client.get(&format!("/app/stream/{octets}"));
        assert!(streamed.body == crate::support::pattern(octets), "{octets}");
        // httpd knows the length of what it gets in one piece.
        assert!(matches!(streamed.ended, Ended::Length | Ended::Chunked), "{octets}: {:?}", streamed.ended);
        if octets > 100_000 {
            assert_eq!(streamed.ended, Ended::Chunked);
        }
    }
    let mut old = Client::connect(httpd.port());
    old.send("GET /app/stream/100000 HTTP/1.0\r\n\r\n");
    let page = old.read_response();
    assert_eq!((page.ended, page.body == crate::support::pattern(100_000)), (Ended::Close, true));
    assert_eq!(backend.log().iter().map(|connection| connection.requests().len()).sum::<usize>(), 15);
}

fn bodies_where_none_may_be(mpm: Mpm, over: Over) {
    let backend = over.scripted(answer);
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    for status in [204, 304] {
        let page = client.get(&format!("/app/with-body/{status}"));
        assert_eq!((page.status, page.ended, page.header("X-A")), (status, Ended::NoBody, Some("1")));
        assert_eq!(client.get("/file.txt").text(), "from disk\n", "behind {status}");
    }
    let page = client.get("/app/with-body/205");
    assert_eq!((page.status, page.text().as_str()), (205, ""));
    assert_eq!(client.get("/file.txt").text(), "from disk\n");
    let page = client.request("HEAD", "/app/head", &[], b"");
    assert_eq!(
        (page.status, page.header("X-A"), page.header("Content-Length")),
        (200, Some("1"), Some("12345"))
    );
    assert_eq!(client.get("/file.txt").text(), "from disk\n");
    let page = client.request("HEAD", "/app/stream/100000", &[], b"");
    assert_eq!((page.status, page.ended), (200, Ended::NoBody));
    assert_eq!(client.get("/file.txt").text(), "from disk\n");
    assert_eq!(backend.log().len(), 1, "the connection stays usable");
    httpd.assert_no_errors(&[]);
}

pub(crate) fn interim_statuses_are_refused(mpm: Mpm) {
    let backend = Backend::scripted(answer);
    let httpd = front(mpm, &backend, "");
    for status in [100, 101, 102, 103, 199, 1000, 0] {
        let mut client = Client::connect(httpd.port());
        let page = client.get(&format!("/app/reason/{status}/x"));
        assert_eq!((page.status, page.interim.len()), (502, 0), "{status}");
    }
}

fn keep_alive_and_pipelining(mpm: Mpm, over: Over) {
    let backend = over.scripted(answer);
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    for i in 0..20 {
        assert_eq!(client.get(&format!("/app/n{i}")).fact("uri"), Some(format!("/app/n{i}")));
    }
    let mut all = String::new();
    for i in 0..10 {
        all.push_str(&format!("GET /app/p{i} HTTP/1.1\r\nHost: h\r\n\r\n"));
        all.push_str(&format!(
            "POST /app/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nbody{i}GET /file.txt HTTP/1.1\r\nHost: h\r\n\r\n"
        ));
        all.push_str("HEAD /app/size/100 HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    client.send(all);
    for i in 0..10 {
        assert_eq!(client.read_response().fact("uri"), Some(format!("/app/p{i}")));
        let digest = crate::support::digest::sha256_hex(format!("body{i}").as_bytes());
        assert_eq!(client.read_response().fact("sha256"), Some(digest));
        assert_eq!(client.read_response().text(), "from disk\n");
        assert_eq!(client.read_response_to("HEAD").header("Content-Length"), Some("100"));
    }
    assert_eq!(backend.log().len(), 1, "one client needs one backend connection");
    httpd.assert_no_errors(&[]);
}
