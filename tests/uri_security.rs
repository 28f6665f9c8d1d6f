//! URL confusion, vector by vector. Run with `--nocapture` to read the rows.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // A test may fail loudly, and shows its rows.

#[path = "support/httpd_view.rs"]
mod httpd_view;
#[path = "support/route_config.rs"]
mod route_config;
#[path = "support/row.rs"]
mod row;
#[path = "support/security_rows.rs"]
mod security_rows;

use mod_jk_rs::engine::route::check::Reason;
use mod_jk_rs::engine::route::{Decision, Declined, Options, Scratch, decide};
use route_config::{Outcome, Server};
use row::Row;
use security_rows::{FIXTURE, ROWS};

#[test]
fn no_vector_gets_through() {
    let mut failures = Vec::new();
    for row in ROWS {
        let config: Vec<&'static str> = FIXTURE.iter().chain(row.config).copied().collect();
        failures.extend(route_config::run_row(&Row { config: config.leak(), ..*row }));
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn a_path_httpd_did_not_resolve_is_refused_when_it_is_mapped_and_left_alone_when_not() {
    let server = Server::new(FIXTURE);
    for uri in ["/app/./x", "/app/x/..", "/app/x/../y", "/other/../app/x"] {
        assert!(matches!(server.decide(uri.as_bytes(), b"/"), Outcome::BadRequest(_)), "{uri}");
    }
    for uri in ["/other/./x", "/app/../other", "/other\\x", "/other\x01", "/other/..;/x", "/\u{c0}"] {
        assert_eq!(server.decide(uri.as_bytes(), b"/"), Outcome::Declined, "{uri}");
    }
}

#[test]
fn climbing_above_the_root_is_refused_without_any_map() {
    let mut scratch = Scratch::default();
    let options = Options::default();
    let decision = decide(None, b"/..;/x", b"/..;/x", &options, &mut scratch);
    assert_eq!(decision, Decision::BadRequest(Reason::AboveRoot));
    let decision = decide(None, b"/x", b"/x", &options, &mut scratch);
    assert_eq!(decision, Decision::Decline(Declined::NoMap));
    for nothing in [&b""[..], b"*"] {
        let decision = decide(None, nothing, b"", &options, &mut scratch);
        assert_eq!(decision, Decision::Decline(Declined::NoPath));
    }
    assert_eq!(
        decide(None, b"app", b"app", &options, &mut scratch),
        Decision::BadRequest(Reason::NotAbsolute)
    );
}

#[test]
fn an_encoded_slash_must_not_lead_to_another_rule() {
    let server = Server::new(&[
        "AllowEncodedSlashes NoDecode",
        "JkMount /app/* w1",
        "JkMount /app/b/* w2",
        "JkUnMount /app/c/* w1",
        "JkUnMount /app/c%2F* w1",
        "JkUnMount /app/d%2F* w1",
    ]);
    for (target, want) in [
        ("/app/a%2Fx", Some("w1")),
        ("/app/a%2f", Some("w1")),
        ("/app/b/x%2Fy", Some("w2")),
        ("/app/a%2525x", Some("w1")),
        ("/app/b%2Fx", None),
        ("/app/a%2F..", None),
        ("/app/a%2F.;x", None),
        ("/app/a;x=%2F../y", None),
        ("/app/a%2F..%2F..%2F..%2Fx", None),
        ("/app/d%2Fx", None),
    ] {
        let outcome = server.run(target.as_bytes());
        match want {
            Some(worker) => assert_eq!(
                outcome,
                Outcome::Mapped { worker: worker.into(), path: view(target), sent: target.into() },
                "{target}"
            ),
            None => assert!(matches!(outcome, Outcome::BadRequest(_)), "{target}: {outcome:?}"),
        }
    }
    // Excluded either way.
    assert_eq!(server.run(b"/app/c%2Fx"), Outcome::Declined);
    // Only the path is looked at for %252F, a query may well contain one.
    assert!(matches!(server.run(b"/app/a%2Fx?back=%252F"), Outcome::Mapped { .. }));
}

fn view(target: &str) -> String {
    target.replace("%25", "%")
}
