//! The mapping table against a real httpd: status, and which backend got which URI. Run with `--nocapture` to read the rows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "support/mapping_rows.rs"]
mod mapping_rows;
#[path = "support/replay.rs"]
mod replay;
#[path = "support/row.rs"]
mod row;
mod support;

use mapping_rows::ROWS;
use replay::{Setting, replay};
use row::Want;
use support::{Backend, Httpd, client};

#[test]
fn every_row_of_the_table_holds_on_a_real_server() {
    let done = replay(ROWS, Setting::default());
    println!("{} targets sent; rows left over: {:?}", done.sent, done.left);
    assert!(done.failures.is_empty(), "{:#?}", done.failures);
    // Whatever is left over needs one of the directives that a row may use without the module knowing it.
    let explained = |number: u32| {
        ROWS.iter().filter(|row| row.number == number).all(|row| {
            row.config.iter().any(|line| line.starts_with("file:") || line.starts_with("JkOptions"))
        })
    };
    assert!(done.left.iter().all(|(number, _)| explained(*number)), "{:?}", done.left);
    let targets: usize = ROWS.iter().map(|row| row.targets.len()).sum();
    let left: usize = ROWS
        .iter()
        .filter(|row| {
            done.left.iter().any(|(number, _)| *number == row.number) || matches!(row.want, Want::Live(_))
        })
        .map(|row| row.targets.len())
        .sum();
    assert_eq!(done.sent, targets - left, "a row was lost");
}

#[test]
fn a_mount_wins_over_an_alias() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .file("files/x.txt", "a file")
        .conf("Alias /app @ROOT@/files\nJkMount /app/dynamic/* w\nJkMount /files/* w\nAlias /files @ROOT@/files")
        .start();
    assert_eq!(client::get(httpd.port(), "/app/x.txt").text(), "a file");
    assert_eq!(
        client::get(httpd.port(), "/app/dynamic/x.txt").fact("uri").as_deref(),
        Some("/app/dynamic/x.txt")
    );
    assert_eq!(client::get(httpd.port(), "/files/x.txt").fact("uri").as_deref(), Some("/files/x.txt"));
    backend.assert_no_errors();
}

#[test]
fn a_redirect_wins_over_a_mount_in_both_load_orders() {
    for module_first in [false, true] {
        let backend = Backend::start();
        let mut httpd = Httpd::builder()
            .workers(backend.worker("w"))
            .conf("JkMount /* w\nRedirect /moved http://elsewhere/there")
            .prepare();
        let path = httpd.root().join("conf/httpd.conf");
        let conf = std::fs::read_to_string(&path).unwrap();
        let (ours, others): (Vec<&str>, Vec<&str>) =
            conf.lines().partition(|line| line.starts_with("LoadModule jk_module"));
        let alias = others.iter().position(|line| line.starts_with("LoadModule alias_module")).unwrap();
        let mut lines = others.clone();
        lines.insert(if module_first { alias } else { alias + 1 }, ours[0]);
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        httpd.launch().unwrap();
        let answer = client::get(httpd.port(), "/moved/x");
        let location = answer.header("Location");
        assert_eq!(
            (answer.status, location),
            (302, Some("http://elsewhere/there/x")),
            "first: {module_first}"
        );
        assert_eq!(client::get(httpd.port(), "/other").status, 200);
        assert_eq!(backend.requests().len(), 1);
    }
}

#[test]
fn rewriting_is_mapped_by_its_result() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .conf(
            "JkMount /app/* w\nJkUnMount /app/secret/* w\nRewriteEngine On\n\
             RewriteRule ^/short/(.*) /app/$1 [PT]\nRewriteRule ^/q/(.*) /app/q?v=$1 [PT]",
        )
        .start();
    assert_eq!(client::get(httpd.port(), "/short/x").fact("uri").as_deref(), Some("/app/x"));
    assert_eq!(client::get(httpd.port(), "/short/secret/x").status, 404);
    // Line breaks and blanks of the URL become part of a query string, where they must not stay.
    for path in ["/q/a%20HTTP/1.1%0d%0aX:%201", "/q/a%0ab", "/short/a%0d%0aX:1"] {
        let before = backend.requests().len();
        let answer = client::get(httpd.port(), path);
        let forwarded = backend.requests().len() > before;
        assert!(
            (forwarded && answer.status == 200) || (!forwarded && matches!(answer.status, 400 | 403)),
            "{path}: {}",
            answer.status
        );
        if forwarded {
            let query = backend.last_request().query.clone().unwrap_or_default();
            assert!(query.bytes().all(|octet| octet > b' ' && octet != 0x7f), "{query:?}");
        }
    }
    backend.assert_no_errors();
}
