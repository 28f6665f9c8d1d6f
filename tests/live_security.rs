//! URL confusion against a real httpd, vector by vector: what an attacker sends, and that it reaches neither a backend nor a
//! file it must not reach. Run with `--nocapture` to read the rows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "support/replay.rs"]
mod replay;
#[path = "support/row.rs"]
mod row;
#[path = "support/security_rows.rs"]
mod security_rows;
mod support;

use replay::{Replayed, Setting, replay};
use row::{Row, Want};
use security_rows::{FIXTURE, ROWS};
use support::{Backend, Httpd, client};

fn judge(done: &Replayed) {
    println!("{} targets sent, {} rows left over", done.sent, done.left.len());
    assert!(done.failures.is_empty(), "{:#?}", done.failures);
    assert!(done.left.iter().all(|(_, directive)| directive == "JkOptions"), "{:?}", done.left);
    let left = ROWS.iter().filter(|row| row.config.iter().any(|line| line.starts_with("JkOptions"))).count();
    assert!(done.left.len() <= left);
}

#[test]
fn no_vector_gets_through() {
    judge(&replay(ROWS, Setting { fixture: FIXTURE, slashes_kept: false }));
}

/// All vectors again where httpd leaves repeated slashes alone: the module has to see through them by itself.
#[test]
fn no_vector_gets_through_when_slashes_are_not_merged() {
    static WITHOUT_MERGING: [&str; 6] =
        [FIXTURE[0], FIXTURE[1], FIXTURE[2], FIXTURE[3], FIXTURE[4], "MergeSlashes Off"];
    judge(&replay(ROWS, Setting { fixture: &WITHOUT_MERGING, slashes_kept: true }));
}

/// Access rules, exclusions and mounts named by every spelling of the same path, under each way of reading `%2F`.
#[test]
fn slashes_and_encoded_slashes_open_no_way_around() {
    const fn row(config: &'static [&'static str], targets: &'static [&'static str], want: Want) -> Row {
        Row { number: 0, config, targets, mod_jk: "", want, why: "" }
    }
    let rows = [
        row(
            &["MergeSlashes Off"],
            &["/app//locked/x", "//app/locked/x", "/app///locked;y//x"],
            Want::Forbidden(""),
        ),
        row(&["MergeSlashes On"], &["/app//locked/x", "//app/locked/x"], Want::Forbidden("")),
        row(
            &["MergeSlashes Off"],
            &["/app//secret/x", "//app///secret/x", "//app;x//secret/x"],
            Want::Declined,
        ),
        row(&["AllowEncodedSlashes On"], &["/app%2Flocked/x", "/app/%2Flocked%2fx"], Want::Forbidden("")),
        row(&["AllowEncodedSlashes On"], &["/app%2Fsecret/x", "/app/%2F/secret%2fx"], Want::Declined),
        row(&["AllowEncodedSlashes On"], &["/app/a%2F..;%2Fsecret/x"], Want::BadRequest),
        row(&["AllowEncodedSlashes NoDecode"], &["/app/x%2Fsecret%2Fy"], Want::Same("w1")),
        row(
            &["AllowEncodedSlashes NoDecode"],
            &["/app/x%2F..%2Flocked%2Fy", "/app/x%2F..;%2Fy"],
            Want::BadRequest,
        ),
        row(&["AllowEncodedSlashes NoDecode", "MergeSlashes Off"], &["/app//secret/x"], Want::Declined),
        row(&["AllowEncodedSlashes NoDecode", "MergeSlashes Off"], &["/app%2F/secret/x"], Want::Declined),
    ];
    let done = replay(&rows, Setting { fixture: FIXTURE, slashes_kept: true });
    assert!(done.failures.is_empty() && done.left.is_empty(), "{done:#?}");
}

/// A request target with a host in it, or without a leading slash, never changes where a request goes.
#[test]
fn targets_that_are_no_paths_are_not_mapped() {
    let backend = Backend::start();
    let httpd = Httpd::builder().workers(backend.worker("w")).conf("JkMount /* w").start();
    for (target, status) in
        [("@evil/x", 400), ("x:y", 400), ("http:x", 400), ("http:///x", 400), ("app/x", 400)]
    {
        let mut client = support::Client::connect(httpd.port());
        client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        let answer = client.read_response();
        println!("{target}: {}", answer.status);
        assert_eq!(answer.status, status, "{target}");
    }
    assert_eq!(backend.requests().len(), 0);
    // httpd reads a target without any path as that of the root.
    let answer = client::get(httpd.port(), "?a=b");
    assert_eq!((answer.status, answer.fact("uri").as_deref()), (200, Some("/")));
    let answer = client::get(httpd.port(), "/app/?unix:/tmp/x|http://evil/");
    assert_eq!((answer.status, answer.fact("uri").as_deref()), (200, Some("/app/")));
    let options = client::request(httpd.port(), "OPTIONS", "*", &[], b"");
    assert_eq!((options.status, backend.requests().len()), (200, 2));
}

#[test]
fn error_pages_do_not_repeat_the_url() {
    let httpd = Httpd::builder()
        .workers(format!("worker.list=w\nworker.w.port={}\n", support::ports::free_port()))
        .conf("JkMount /app/* w")
        .start();
    let answer = client::get(httpd.port(), "/app/%3Cscript%3Ealert");
    assert_eq!(answer.status, 503);
    assert!(!answer.text().contains("script") && !answer.text().contains("alert"), "{}", answer.text());
}
