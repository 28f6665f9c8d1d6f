//! Every answer of the table in `support/http1_rows.rs` ends as the table says, in one piece and in portions.
//!
//! `cargo test --test http1_malformed -- --nocapture` prints the table row by row.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

#[path = "support/http1_rows.rs"]
mod http1_rows;

use std::collections::BTreeSet;

use http1_rows::{Outcome, Row, rows};
use mod_jk_rs::engine::error::{Breach, Cause, Failure, Stage};
use mod_jk_rs::engine::http1::fuzzing::{Played, Way, play};

/// What an exchange came to, in the words of the table.
fn outcome(played: &Played) -> Outcome {
    let body: &'static str = Box::leak(String::from_utf8(played.body.clone()).unwrap().into_boxed_str());
    match (&played.head, played.end) {
        (None, Some(Err(malformed))) => Outcome::Bad(malformed),
        (Some(_), Some(Err(malformed))) => Outcome::Abort(malformed, body),
        (Some((status, _)), Some(Ok(true))) => Outcome::Keep(*status, body),
        (Some((status, _)), Some(Ok(false))) => Outcome::Close(*status, body),
        (Some((status, _)), None) if played.close_ends => Outcome::Close(*status, body),
        (Some(_), None) => Outcome::Cut(body),
        (None, _) => Outcome::NoHead,
    }
}

fn check(row: &Row, step: usize) -> Result<(), String> {
    let played = play(&row.octets, step, Way { bodiless: row.head, ..Way::get() });
    let mut found = outcome(&played);
    // Octets behind the end that have not arrived yet are found when the connection is taken again.
    let unread = step < row.octets.len() && played.consumed < row.octets.len();
    if let (Outcome::Keep(status, body), true) = (&found, unread) {
        found = Outcome::Close(*status, body);
    }
    let lines = played.head.as_ref().map(|(_, pairs)| {
        let line = |(name, value): &(Vec<u8>, Vec<u8>)| {
            format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        };
        pairs.iter().map(line).collect::<Vec<_>>()
    });
    if found != row.outcome {
        return Err(format!("{found:?} instead of {:?}", row.outcome));
    }
    match (&row.lines, &lines) {
        (Some(wanted), Some(found)) if found != wanted => {
            return Err(format!("{found:?} instead of {wanted:?}"));
        }
        (Some(wanted), None) => return Err(format!("no head instead of {wanted:?}")),
        _ => {}
    }
    match row.reason {
        Some(own) if own != played.reason => Err(format!("own reason: {}", played.reason)),
        _ => Ok(()),
    }
}

#[test]
fn every_row_ends_as_required() {
    let rows = rows();
    let mut wrong = vec![];
    for row in &rows {
        for step in [row.octets.len().max(1), 1, 3, 1000] {
            if let Err(fault) = check(row, step) {
                wrong.push(format!(
                    "{} ({}), in portions of {step}: {fault}",
                    row.what,
                    row.octets[..row.octets.len().min(80)].escape_ascii()
                ));
            }
        }
        println!("{}: {:?}", row.what, row.outcome);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let malformed =
        rows.iter().filter(|row| matches!(row.outcome, Outcome::Bad(_) | Outcome::Abort(..))).count();
    assert!(malformed >= 80, "{malformed} malformed answers of {}", rows.len());
}

#[test]
fn rows_are_told_apart() {
    let octets: BTreeSet<_> = rows().into_iter().map(|row| (row.head, row.octets)).collect();
    assert_eq!(octets.len(), rows().len(), "a row stands twice");
}

#[test]
fn a_malformed_answer_is_a_bad_gateway() {
    for row in rows() {
        let (Outcome::Bad(malformed) | Outcome::Abort(malformed, _)) = row.outcome else { continue };
        let cause = Cause::Protocol(Breach::from(malformed));
        let failure = Failure { sent: true, replied: true, ..Failure::early(cause, Stage::Wait) };
        assert_eq!(failure.status(), Some(502), "{}", row.what);
        let text = cause.to_string();
        assert!(
            text.starts_with("the backend broke the HTTP protocol: ") && !text.contains(char::is_control),
            "{text}"
        );
    }
}

#[test]
fn wrong_ports_get_a_hint() {
    for (what, word) in [
        ("an AJP packet", "AJP connector"),
        ("a TLS alert", "HTTPS"),
        ("an HTTP/2 frame", "HTTP/2"),
        ("HTTP/2.0", "HTTP/2"),
    ] {
        let row = rows().into_iter().find(|row| row.what == what).unwrap();
        let Outcome::Bad(malformed) = row.outcome else { unreachable!("{what}") };
        assert!(Breach::from(malformed).hint().unwrap().contains(word), "{what}");
    }
}
