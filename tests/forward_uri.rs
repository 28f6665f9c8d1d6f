//! The path that goes to the backend, row by row, for each `JkOptions ForwardURI...`. Run with `--nocapture` to read the rows.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // A test may fail loudly, and shows its rows.

#[path = "support/httpd_view.rs"]
mod httpd_view;
#[path = "support/route_config.rs"]
mod route_config;
#[path = "support/row.rs"]
mod row;

use httpd_view::{EncodedSlashes, Httpd, httpd_view};
use mod_jk_rs::engine::route::forward::{Encoded, UriForm, encode};
use mod_jk_rs::engine::route::scan::scan;
use route_config::{Outcome, Server};

/// A forwarded path, or a status: 400 by the module or by httpd, 404 by httpd.
type Result = std::result::Result<&'static str, u16>;

struct Row {
    number: u32,
    /// `AllowEncodedSlashes`; a target may be followed by ` => ` and what it is rewritten to.
    slashes: EncodedSlashes,
    target: &'static str,
    proxy: Result,
    unparsed: Result,
    escaped: Result,
    /// Why it is not what mod_jk does, and where.
    differs: &'static str,
}

const NONE: &str = "";
const CONTROL: &str = "control characters are refused (mod_jk forwards them)";
const BACKSLASH: &str = "a backslash is refused (mod_jk forwards it)";
const PARAMETER: &str = "unparsed: %3B is no parameter for Tomcat, so the raw form is not sent";
const FINAL_DOT: &str =
    "unparsed: versions of Tomcat read a final dot segment differently, so the raw form is not sent";
const REWRITTEN: &str = "unparsed: the target is not what was mapped, so it is not sent";
const RAW: &str = "unparsed: octets from 0x80 on are not sent raw";

const fn row(
    number: u32,
    target: &'static str,
    proxy: Result,
    unparsed: Result,
    escaped: Result,
    differs: &'static str,
) -> Row {
    Row { number, slashes: EncodedSlashes::Off, target, proxy, unparsed, escaped, differs }
}

/// All forms alike.
const fn all(number: u32, target: &'static str, sent: &'static str) -> Row {
    row(number, target, Ok(sent), Ok(sent), Ok(sent), NONE)
}

/// No form is sent.
const fn refused(number: u32, target: &'static str, status: u16, differs: &'static str) -> Row {
    row(number, target, Err(status), Err(status), Err(status), differs)
}

const fn on(row: Row) -> Row {
    Row { slashes: EncodedSlashes::On, ..row }
}

const fn nodecode(row: Row) -> Row {
    Row { slashes: EncodedSlashes::NoDecode, ..row }
}

const ROWS: &[Row] = &[
    all(1, "/app/a%20b", "/app/a%20b"),
    all(2, "/app/a+b", "/app/a+b"),
    row(3, "/app/a%2Bb", Ok("/app/a+b"), Ok("/app/a%2Bb"), Ok("/app/a+b"), NONE),
    row(4, "/app/%7Ex", Ok("/app/~x"), Ok("/app/%7Ex"), Ok("/app/~x"), NONE),
    row(5, "/app/%41", Ok("/app/A"), Ok("/app/%41"), Ok("/app/A"), NONE),
    all(6, "/app/a%25b", "/app/a%25b"),
    all(7, "/app/a%2525b", "/app/a%2525b"),
    all(8, "/app/%2561", "/app/%2561"),
    refused(9, "/app/a%5Cb", 400, BACKSLASH),
    refused(10, "/app/a\\b", 400, BACKSLASH),
    row(11, "/app/%C3%A9", Ok("/app/%C3%A9"), Ok("/app/%C3%A9"), Ok("/app/%c3%a9"), NONE),
    row(12, "/app/{xC3}{xA9}", Ok("/app/%C3%A9"), Ok("/app/%C3%A9"), Ok("/app/%c3%a9"), RAW),
    row(13, "/app/%E9", Ok("/app/%E9"), Ok("/app/%E9"), Ok("/app/%e9"), NONE),
    all(14, "/app/a;b=c", "/app/a;b=c"),
    all(15, "/app/a;jsessionid=X.r1?q=1", "/app/a;jsessionid=X.r1"),
    row(16, "/app/a%3Bb", Ok("/app/a;b"), Ok("/app/a;b"), Ok("/app/a;b"), PARAMETER),
    row(17, "/app;x/%3B", Ok("/app;x/;"), Ok("/app;x/;"), Ok("/app;x/;"), PARAMETER),
    all(18, "/app/x;a=b%20c/y", "/app/x;a=b%20c/y"),
    row(19, "/app/a%3D%26", Ok("/app/a=&"), Ok("/app/a%3D%26"), Ok("/app/a=&"), NONE),
    row(20, "/app/a%3Fb", Ok("/app/a%3Fb"), Ok("/app/a%3Fb"), Ok("/app/a%3fb"), NONE),
    all(21, "/app/a%23b", "/app/a%23b"),
    row(22, "/app/a\"b", Ok("/app/a%22b"), Ok("/app/a\"b"), Ok("/app/a%22b"), NONE),
    row(23, "/app/<>", Ok("/app/%3C%3E"), Ok("/app/<>"), Ok("/app/%3c%3e"), NONE),
    row(24, "/app/{}|^`", Ok("/app/%7B%7D%7C%5E%60"), Ok("/app/{}|^`"), Ok("/app/%7b%7d%7c%5e%60"), NONE),
    row(25, "/app/[x]", Ok("/app/%5Bx%5D"), Ok("/app/[x]"), Ok("/app/%5bx%5d"), NONE),
    all(26, "/app/a:b", "/app/a:b"),
    all(26, "/app/a@b&c=d$e,f", "/app/a@b&c=d$e,f"),
    all(26, "/app/!*'()", "/app/!*'()"),
    refused(27, "/app/a%09b", 400, CONTROL),
    refused(27, "/app/a%7Fb", 400, CONTROL),
    refused(28, "/app/a%0D%0Ab", 400, CONTROL),
    row(29, "/app/./x", Ok("/app/x"), Ok("/app/./x"), Ok("/app/x"), NONE),
    row(30, "/app/x/../y", Ok("/app/y"), Ok("/app/x/../y"), Ok("/app/y"), NONE),
    row(31, "/app/%2e%2e/x", Ok("/x"), Ok("/app/%2e%2e/x"), Ok("/x"), NONE),
    row(32, "/app//x", Ok("/app/x"), Ok("/app//x"), Ok("/app/x"), NONE),
    row(33, "//app/x", Ok("/app/x"), Ok("//app/x"), Ok("/app/x"), NONE),
    row(34, "/app/x/.", Ok("/app/x/"), Ok("/app/x/"), Ok("/app/x/"), FINAL_DOT),
    row(35, "/app/x/..", Ok("/app/"), Ok("/app/"), Ok("/app/"), FINAL_DOT),
    refused(36, "/app/..;/app/x", 400, "a dot segment with parameters is refused (mod_jk forwards it)"),
    row(
        37,
        "http://localhost/app/abs?x",
        Ok("/app/abs"),
        Ok("/app/abs"),
        Ok("/app/abs"),
        "unparsed: a request URI never names a host",
    ),
    all(38, "/app/a?b?c", "/app/a"),
    all(38, "/app/a?", "/app/a"),
    row(39, "/old/a%20b => /app/a b", Ok("/app/a%20b"), Ok("/app/a%20b"), Ok("/app/a%20b"), REWRITTEN),
    row(
        40,
        "/d3/?a=1 => /d3/index.jsp",
        Ok("/d3/index.jsp"),
        Ok("/d3/index.jsp"),
        Ok("/d3/index.jsp"),
        REWRITTEN,
    ),
    on(row(
        41,
        "/app/x%2Fy",
        Ok("/app/x/y"),
        Ok("/app/x/y"),
        Ok("/app/x/y"),
        "unparsed: Tomcat refuses %2F by default, so the raw form is not sent",
    )),
    nodecode(row(
        42,
        "/app/x%2Fy",
        Ok("/app/x%2Fy"),
        Ok("/app/x%2Fy"),
        Ok("/app/x%2Fy"),
        "what httpd left encoded is not encoded again",
    )),
    refused(43, "/app/a%2Fb", 404, NONE),
    refused(44, "/app/x;a=%2F/y", 404, NONE),
    refused(45, "/app/a%00b", 404, NONE),
    refused(46, "/app/a%zz", 400, NONE),
    refused(46, "/app/a%2", 400, NONE),
    refused(46, "/app/%", 400, NONE),
    refused(47, "/app/a b", 400, NONE),
    refused(47, "/app/a#b", 400, NONE),
];

#[test]
fn every_row_in_every_form() {
    let mut failures = Vec::new();
    for row in ROWS {
        // Forwarding decoded is not offered: Compat sends what Proxy sends.
        let forms = [
            ("ForwardURIProxy", row.proxy),
            ("ForwardURICompat", row.proxy),
            ("ForwardURICompatUnparsed", row.unparsed),
            ("ForwardURIEscaped", row.escaped),
        ];
        for (form, want) in forms {
            let got = sent(row, form);
            let right = got.as_deref() == want.as_ref().copied();
            let note = match row.differs.strip_prefix("unparsed: ") {
                Some(_) if form != "ForwardURICompatUnparsed" => "",
                Some(note) => note,
                None => row.differs,
            };
            let shown = got.as_ref().map_or_else(ToString::to_string, Clone::clone);
            let verdict = if right { "ok" } else { "WRONG" };
            let line = format!("row {} {} {form}: {shown} {verdict} {note}", row.number, row.target);
            println!("{line}");
            if !right {
                failures.push(format!("{line}, wanted {want:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    let mut numbers: Vec<u32> = ROWS.iter().map(|row| row.number).collect();
    numbers.dedup();
    assert_eq!(numbers, (1..=47).collect::<Vec<u32>>());
}

fn sent(row: &Row, form: &str) -> std::result::Result<String, u16> {
    let mut config = vec!["JkMount /* w1", "JkOptions"];
    let option = format!("JkOptions {form}");
    config[1] = &option;
    match row.slashes {
        EncodedSlashes::Off => {}
        EncodedSlashes::On => config.push("AllowEncodedSlashes On"),
        EncodedSlashes::NoDecode => config.push("AllowEncodedSlashes NoDecode"),
    }
    let server = Server::new(&config);
    let outcome = match row.target.split_once(" => ") {
        Some((target, rewritten)) => server.decide(rewritten.as_bytes(), target.as_bytes()),
        None => server.run(&row::target(row.target)),
    };
    match outcome {
        Outcome::Mapped { sent, .. } => Ok(unescape(&sent)),
        Outcome::BadRequest(_) => Err(400),
        Outcome::Httpd(status) => Err(status),
        Outcome::Declined => Err(0),
    }
}

/// Outcomes are shown with Rust's escapes.
fn unescape(text: &str) -> String {
    text.replace("\\\"", "\"").replace("\\'", "'")
}

/// The rows that are refused would be encoded like this; the encoder does not rely on the refusal.
#[test]
fn the_encoder_alone_does_what_mod_jk_does() {
    for (target, proxy, escaped) in [
        ("/app/a%5Cb", "/app/a%5Cb", "/app/a%5cb"),
        ("/app/a\\b", "/app/a%5Cb", "/app/a%5cb"),
        ("/app/a%09b", "/app/a%09b", "/app/a%09b"),
        ("/app/a%7Fb", "/app/a%7Fb", "/app/a%7fb"),
        ("/app/a%0D%0Ab", "/app/a%0D%0Ab", "/app/a%0d%0ab"),
    ] {
        let uri = httpd_view(target.as_bytes(), Httpd::default()).unwrap();
        for (form, want) in [(UriForm::Proxy, proxy), (UriForm::Compat, proxy), (UriForm::Escaped, escaped)] {
            let mut out = Vec::new();
            assert_eq!(encode(&uri, scan(&uri), form, false, &mut out), Encoded::Buffer);
            assert_eq!(out, want.as_bytes());
        }
    }
}
