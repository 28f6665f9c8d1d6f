//! Request bodies that are not read, break, or belong to a redirected request: what the client and the backend see
//! of them, over every protocol. Nothing of it is special to AJP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::time::{Duration, Instant};

use support::{Backend, Client, Ended, Httpd, Mpm, Over, client, over_each_protocol};

over_each_protocol!(
    a_response_that_ends_because_the_request_body_broke_does_not_look_complete,
    a_malformed_chunk_is_neither_data_nor_the_end,
    a_dead_backend_is_reported_before_the_upload_is_over,
    a_redirect_within_httpd_keeps_the_body,
    an_error_page_of_the_backend_gets_no_body,
    a_body_that_httpd_decompresses_has_another_length,
);

fn front(mpm: Mpm, backend: &Backend, conf: &str) -> Httpd {
    Httpd::builder()
        .mpm(mpm)
        .modules(&["rewrite"])
        .workers(backend.worker("w"))
        .conf("JkMount /app/* w")
        .conf(conf)
        .file("htdocs/old/x.txt", "static\n")
        .allow_log("JK")
        .start()
}

/// Half a response, then a question for body that cannot be answered.
fn asks_in_the_middle(over: Over) -> Backend {
    over.scripted(|_, say| {
        say.first_body();
        say.send_headers(200, "OK", &[("Content-Type", "text/plain")]);
        say.body_chunk(b"the first half");
        say.flush();
        if say.get_body_chunk(8186).is_empty() && !say.is_open() {
            return;
        }
        say.body_chunk(b" and the second");
        say.end(true);
    })
}

fn a_response_that_ends_because_the_request_body_broke_does_not_look_complete(mpm: Mpm, over: Over) {
    let mut backend = asks_in_the_middle(over);
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    client.send("POST /app/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nsome octets");
    let mut response = client.try_read_head().unwrap();
    assert_eq!(response.status, 200);
    client.finish_sending();
    client.read_body("POST", &mut response);
    assert_eq!((response.ended, response.text().as_str()), (Ended::Truncated, "the first half"));
    assert_eq!(backend.log()[0].bodies(), [(11, None)]);
    backend.forgive_errors();
}

fn a_malformed_chunk_is_neither_data_nor_the_end(mpm: Mpm, over: Over) {
    let mut backend = asks_in_the_middle(over);
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    client.send("POST /app/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut response = client.try_read_head().unwrap();
    client.send("this is no chunk\r\n");
    client.read_body("POST", &mut response);
    assert_eq!(response.text(), "the first half");
    assert!(client.closes_within(Duration::from_secs(10)));
    backend.wait_for("the connection is closed", |log| !log[0].open);
    assert_eq!(backend.log()[0].bodies(), []);
    backend.forgive_errors();
}

fn a_dead_backend_is_reported_before_the_upload_is_over(mpm: Mpm, over: Over) {
    let backend = over.scripted(|_, say| say.close());
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    client.send("POST /app/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n");
    client.send(vec![b'x'; 20_000]);
    let begun = Instant::now();
    let response = client.read_response_to("POST");
    assert_eq!(response.status, 502);
    assert_eq!(response.header("Connection"), Some("close"));
    assert!(begun.elapsed() < Duration::from_secs(20), "httpd waited for the rest of the body");
}

fn a_redirect_within_httpd_keeps_the_body(mpm: Mpm, over: Over) {
    let backend = over.start();
    let httpd = front(
        mpm,
        &backend,
        "<Directory \"@ROOT@/htdocs/old\">\nRewriteEngine On\nRewriteRule .* /app/upload [L]\n</Directory>",
    );
    let response = client::request(httpd.port(), "POST", "/old/x.txt", &[], &[b'x'; 20_000]);
    assert_eq!((response.status, response.fact("length").as_deref()), (200, Some("20000")));
}

fn an_error_page_of_the_backend_gets_no_body(mpm: Mpm, over: Over) {
    let backend = over.start();
    let httpd = front(mpm, &backend, "ErrorDocument 404 /app/upload");
    let mut client = Client::connect(httpd.port());
    let response = client.request("POST", "/missing", &[], &[b'x'; 20_000]);
    assert_eq!((response.status, response.fact("length").as_deref()), (404, Some("0")));
    // The connection is in step.
    assert_eq!(client.get("/app/y").status, 200);
}

/// `"plain text "` a thousand times, compressed by gzip.
const GZIP: &str = concat!(
    "1f8b08000000000002ffedc6a10d00200c00b057f61a6282842c13139ccf1b8856b5cfda159377a25555555555555555",
    "555555555555555555555555557fed03aba499aff82a0000",
);

fn a_body_that_httpd_decompresses_has_another_length(mpm: Mpm, over: Over) {
    let backend = over.start();
    let httpd = Httpd::builder()
        .mpm(mpm)
        .modules(&["filter", "deflate"])
        .workers(backend.worker("w"))
        .conf("JkMount /app/* w\n<Location /app>\nSetInputFilter DEFLATE\n</Location>")
        .start();
    let body: Vec<u8> =
        (0..GZIP.len()).step_by(2).map(|at| u8::from_str_radix(&GZIP[at..at + 2], 16).unwrap()).collect();
    let mut client = Client::connect(httpd.port());
    let head = format!(
        "POST /app/upload HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.send(head);
    client.send(body);
    let response = client.read_response_to("POST");
    assert_eq!(response.status, 200);
    let request = backend.last_request();
    assert_eq!(request.header("content-length"), None);
    assert_eq!(request.header("transfer-encoding"), Some("chunked"));
    let octets: usize = backend.log()[0].bodies().iter().map(|(length, _)| *length).sum();
    assert_eq!(octets, 11_000);
}
