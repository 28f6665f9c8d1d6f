//! Response headers on their way from the backend's packet into httpd's table: each value arrives whole, trimmed, and once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use support::{Backend, Httpd, Mpm, client};

/// Response headers as (name, value).
type Pairs = Vec<(&'static str, &'static str)>;

fn served(pairs: Pairs, body: &'static [u8]) -> support::Response {
    let backend = Backend::scripted(move |_, say| {
        say.send_headers(200, "OK", &pairs);
        say.body_chunk(body);
        say.end(true);
    });
    let httpd =
        Httpd::builder().mpm(Mpm::Event).workers(backend.worker("w")).conf("JkMount /app/* w").start();
    let answer = client::get(httpd.port(), "/app/x");
    backend.assert_no_errors();
    answer
}

#[test]
fn values_are_trimmed_and_end_where_they_end() {
    let answer = served(
        vec![
            ("X-Plain", "one"),
            ("X-Behind", "two \t "),
            ("X-Front", " \tthree"),
            ("X-Empty", ""),
            ("X-Blank", "  "),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2 "),
            ("Connection", "X-Private"),
            ("X-Private", "gone"),
            ("X-Last", "four"),
            ("Content-Type", "Text/Plain;Charset=UTF-8"),
            ("Content-Length", "0004"),
        ],
        b"body",
    );
    assert_eq!((answer.status, &answer.body[..]), (200, &b"body"[..]));
    let values = |name| answer.header_all(name);
    assert_eq!(values("X-Plain"), ["one"]);
    assert_eq!(values("X-Behind"), ["two"]);
    assert_eq!(values("X-Front"), ["three"]);
    assert_eq!(values("X-Empty"), [""]);
    assert_eq!(values("X-Blank"), [""]);
    assert_eq!(values("Set-Cookie"), ["a=1", "b=2"]);
    assert_eq!(values("X-Private"), [""; 0]);
    assert_eq!(values("X-Last"), ["four"]);
    assert_eq!(values("Content-Type"), ["text/plain;Charset=UTF-8"]);
    assert_eq!(values("Content-Length"), ["4"]);
}

#[test]
fn a_length_without_zeros_in_front_is_passed_on_as_it_is() {
    let answer = served(vec![("Content-Length", " 4 "), ("Content-Type", "text/html")], b"body");
    assert_eq!(answer.header_all("Content-Length"), ["4"]);
    assert_eq!(answer.header_all("Content-Type"), ["text/html"]);
    assert_eq!(served(vec![("Content-Length", "0")], b"").header_all("Content-Length"), ["0"]);
}

#[test]
fn eighty_headers_arrive_in_order() {
    let pairs: Pairs = (0..80)
        .map(|number| (&*format!("X-Number-{number}").leak(), &*format!("value {number}").leak()))
        .collect();
    let answer = served(pairs.clone(), b"");
    for (name, value) in pairs {
        assert_eq!(answer.header_all(name), [value]);
    }
}
