//! What the tests of directives and properties share.

#![allow(
    dead_code,
    unused_macros,
    unused_imports,
    unreachable_pub,
    reason = "each test file uses another part"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use crate::support::{Backend, Client, ForwardRequest, Httpd, Response};

/// Declares which directives or properties a test shows the effect of; `tests/coverage.rs` reads it.
macro_rules! covers {
    ($($name:literal),+ $(,)?) => {
        let _: &[&str] = &[$($name),+];
    };
}
pub(crate) use covers;

/// A virtual host with these lines.
pub fn vhost(name: &str, lines: &str) -> String {
    format!("<VirtualHost *:@PORT@>\nServerName {name}\n{lines}\n</VirtualHost>\n")
}

/// GET from a virtual host, on a connection of its own.
#[track_caller]
pub fn ask(httpd: &Httpd, host: &str, path: &str) -> Response {
    ask_with(httpd, host, path, &[])
}

/// The same with headers.
#[track_caller]
pub fn ask_with(httpd: &Httpd, host: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut all = vec![("Host", host), ("Connection", "close")];
    all.extend_from_slice(headers);
    Client::connect(httpd.port()).request("GET", path, &all, b"")
}

/// What the backend was told about the request for `path` of `host`.
#[track_caller]
pub fn told(httpd: &Httpd, backend: &Backend, host: &str, path: &str) -> Arc<ForwardRequest> {
    let answer = ask(httpd, host, path);
    assert_eq!(answer.status, 200, "{host}{path}: {}", answer.text());
    backend.last_request()
}

/// Value of an attribute of type 0A.
pub fn attribute<'r>(request: &'r ForwardRequest, name: &str) -> Option<&'r str> {
    request.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

/// `httpd -t` for each of the texts: with a message it must fail and print it, with `warning:` it must succeed and print
/// the rest, with an empty one it must succeed without a word about it.
#[track_caller]
pub fn judge(httpd: &Httpd, rows: &[(&str, &str)]) {
    for (conf, wanted) in rows {
        httpd.replace_conf(conf);
        let (good, output) = httpd.configtest();
        match (*wanted, wanted.strip_prefix("warning:")) {
            ("", _) => assert!(good, "{conf}\n{output}"),
            (_, Some(text)) => assert!(good && output.contains(text.trim()), "{conf}\n{output}"),
            (text, None) => assert!(!good && output.contains(text), "{conf}\nwanted: {text}\n{output}"),
        }
    }
}

/// Statuses of requests to one host.
#[track_caller]
pub fn statuses(httpd: &Httpd, host: &str, rows: &[(&str, u16)]) {
    for (path, wanted) in rows {
        let answer = ask(httpd, host, path);
        assert_eq!(answer.status, *wanted, "{host}{path}: {}", answer.text());
    }
}
