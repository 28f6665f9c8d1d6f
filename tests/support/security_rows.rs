//! Ways to make httpd, the module and a backend see different paths, and what must become of each.
//!
//! Data only; see `row`. Run against the pure matcher by `uri_security`. The configuration of every row is [`FIXTURE`] and
//! what the row adds.

use crate::row::Row;
use crate::row::Want::{BadRequest, Declined, Forbidden, Forwarded, Httpd, Same};

/// A protected area, an excluded one and a status worker.
pub(crate) const FIXTURE: &[&str] = &[
    "JkMount /app/* w1",
    "JkUnMount /app/secret/* w1",
    "<Location /app/locked>\nRequire all denied\n</Location>",
    "JkMount /jkstatus jkstatus",
    "<Location /jkstatus>\nRequire ip 192.0.2.1\n</Location>",
];

const fn row(
    config: &'static [&'static str],
    targets: &'static [&'static str],
    want: crate::row::Want,
) -> Row {
    Row { number: 0, config, targets, mod_jk: "", want, why: "" }
}

const fn differs(row: Row, mod_jk: &'static str, why: &'static str) -> Row {
    Row { mod_jk, why, ..row }
}

pub(crate) const ROWS: &[Row] = &[
    row(&[], &["/app/a/ok"], Same("w1")),
    row(&[], &["/app/secret/ok"], Declined),
    row(&[], &["/app/secret;x=1/ok", "/app/;x/secret/ok", "/app//;/secret/ok"], Declined),
    differs(
        row(
            &[],
            &[
                "/app/a/..;/secret/ok",
                "/app/a/..;x=y/secret/ok",
                "/app/a/%2e%2e;/secret/ok",
                "/app/.;/secret/ok",
                "/app/a/..%3b/secret/ok",
            ],
            BadRequest,
        ),
        "404 by unmount",
        "a dot segment with parameters is refused when it is mapped",
    ),
    row(
        &[],
        &["/app/a/%2e%2e/secret/ok", "/app/./secret/ok", "/app/%73ecret/ok", "/app/secret/./ok"],
        Declined,
    ),
    row(&[], &["/app///secret/ok"], Declined),
    row(&["MergeSlashes Off"], &["/app///secret/ok"], Declined),
    row(&[], &["/app/secret%3b/ok", "/app/secret%3bx/ok"], Declined),
    row(&[], &["/app/secret%2fok", "/app/a%2f..%2fsecret/ok"], Httpd(404)),
    row(&["AllowEncodedSlashes On"], &["/app/secret%2fok", "/app/a%2f..%2fsecret/ok"], Declined),
    differs(
        row(&["AllowEncodedSlashes NoDecode"], &["/app/secret%2fok", "/app/a%2f..%2fsecret/ok"], BadRequest),
        "forwarded with %252f",
        "a backend that decodes the slash would find what is excluded",
    ),
    differs(
        row(&["AllowEncodedSlashes NoDecode"], &["/app/a%2fb"], Same("w1")),
        "w1 <- /app/a%252fb",
        "an escape httpd left in place is passed through",
    ),
    differs(
        row(&["AllowEncodedSlashes NoDecode"], &["/app/a%252fb", "/app/a%252Fb"], BadRequest),
        "forwarded",
        "%252f and %2f are the same after httpd",
    ),
    differs(
        row(&[], &["/app/%5csecret/ok", "/app/a%5c..%5csecret/ok", "/app/a\\..\\secret/ok"], BadRequest),
        "forwarded as %5C",
        "some backends take a backslash for a slash",
    ),
    row(
        &[],
        &["/app/%2573ecret/ok", "/app/a/%252e%252e/secret/ok", "/app/a/%252e%252e%252fsecret/ok"],
        Same("w1"),
    ),
    row(&[], &["/app/secret%00/ok"], Httpd(404)),
    differs(
        row(&[], &["/app/secret%0a/ok", "/app/x%0d%0ay"], BadRequest),
        "forwarded",
        "control characters are refused",
    ),
    row(&[], &["/app/secret%20/ok"], Same("w1")),
    differs(
        row(&[], &["/app/a/%c0%ae%c0%ae/secret/ok", "/app/a%c0%afsecret/ok", "/app/%e0%80%af"], BadRequest),
        "forwarded",
        "overlong UTF-8 is refused",
    ),
    row(&[], &["/app/sec%c3%a9/ok", "/app/sec{xc3}{xa9}/ok"], Forwarded("w1", "/app/sec%C3%A9/ok")),
    row(&[], &["/app/sec%e9/ok"], Forwarded("w1", "/app/sec%E9/ok")),
    row(&[], &["/app/SECRET/ok", "/app/secret./ok", "/app/secret.;/ok"], Same("w1")),
    row(&[], &["/app/secret?/ok"], Forwarded("w1", "/app/secret")),
    row(&[], &["/app/secret#x"], Httpd(400)),
    row(&[], &["/app/secret%23/ok"], Same("w1")),
    row(&[], &["/app/secret%3f/ok"], Forwarded("w1", "/app/secret%3F/ok")),
    row(&[], &["/app/%zz", "/app/%u002e", "/app/secret%"], Httpd(400)),
    row(&[], &["/app/locked/ok", "/app/locked;x/ok", "/app/;/locked/ok"], Forbidden("/app/locked/ok")),
    differs(
        row(&[], &["/app/a/..;/locked/ok"], BadRequest),
        "403",
        "a dot segment with parameters is refused when it is mapped",
    ),
    row(&[], &["/app/../../ok"], Httpd(400)),
    row(&[], &["/app/..;/..;/ok"], BadRequest),
    row(&[], &["/app/..;/ok"], Declined),
    row(&[], &["/app/.../ok"], Same("w1")),
    row(&[], &["/app/a;jsessionid=X.node1/ok;v=2"], Same("w1")),
    row(&[], &["/app;/secret/x", "/app;x"], Declined),
    row(&[], &["/;x/app/secret/y"], Declined),
    row(&[], &["/jkstatus", "/jkstatus;x", "//jkstatus", "/%6akstatus"], Forbidden("/jkstatus")),
    row(&[], &["/jkstatus/"], Declined),
    differs(
        row(&[], &["/x/..;/jkstatus"], BadRequest),
        "403",
        "a dot segment with parameters is refused when it is mapped",
    ),
    row(&[], &["http://other/app/secret/x"], Declined),
    row(&[], &["/app/{;*1048576}"], Same("w1")),
    row(&[], &["/app/{../x/*174763}"], Declined),
    row(&[], &["/app/{x/../*174763}"], Forwarded("w1", "/app/")),
    differs(
        row(&[], &["/app/{x/..;/*149797}"], BadRequest),
        "w1",
        "a dot segment with parameters is refused when it is mapped",
    ),
    row(&[], &["/app/x?a=%0d%0a", "/app/x?a=[]\"<>"], Forwarded("w1", "/app/x")),
    row(&[], &["/app/x?a={x01}"], Httpd(400)),
    row(&[], &["/app/http://evil/x"], Forwarded("w1", "/app/http:/evil/x")),
    row(&[], &["*"], Declined),
    differs(
        row(&[], &["/a/..;/app/echo.jsp"], BadRequest),
        "w1",
        "a dot segment with parameters is refused when it is mapped",
    ),
    row(&[], &["/;x/app/echo.jsp"], Same("w1")),
    row(&[], &["//app/echo.jsp"], Forwarded("w1", "/app/echo.jsp")),
    row(&[], &["/app/echo.jsp%3b"], Forwarded("w1", "/app/echo.jsp;")),
    row(&[], &["/app/echo.jsp/."], Forwarded("w1", "/app/echo.jsp/")),
    row(&["JkOptions ForwardURICompatUnparsed", "JkMount /public/* w1"], &["/app/x%41"], Same("w1")),
    differs(
        row(
            &["JkOptions ForwardURICompatUnparsed", "JkMount /public/* w1"],
            &["/secret/..%3B/public/y"],
            BadRequest,
        ),
        "w1 <- /secret/..%3B/public/y",
        "a dot segment with parameters is refused when it is mapped",
    ),
    differs(
        row(
            &["JkOptions ForwardURICompatUnparsed", "JkMount /public/* w1"],
            &["/app/a%3Bb"],
            Forwarded("w1", "/app/a;b"),
        ),
        "w1 <- /app/a%3Bb",
        "Tomcat reads %3B as a part of the name",
    ),
    differs(
        row(
            &["JkOptions ForwardURICompatUnparsed", "JkMount /public/* w1"],
            &["/app/sec{xc3}{xa9}"],
            Forwarded("w1", "/app/sec%C3%A9"),
        ),
        "raw octets",
        "octets from 0x80 on are never sent raw",
    ),
    differs(
        row(
            &["JkOptions ForwardURICompatUnparsed", "JkMount /public/* w1"],
            &["http://other/app/x"],
            Forwarded("w1", "/app/x"),
        ),
        "w1 <- http://other/app/x",
        "a request URI never names a host",
    ),
    differs(
        row(
            &["AllowEncodedSlashes On", "JkOptions ForwardURICompatUnparsed", "JkMount /public/* w1"],
            &["/app/x%2fy"],
            Forwarded("w1", "/app/x/y"),
        ),
        "w1 <- /app/x%2fy",
        "Tomcat refuses %2f by default",
    ),
];
