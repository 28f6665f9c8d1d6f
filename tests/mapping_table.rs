//! Where requests go, row by row, against the behaviour seen of mod_jk. Run with `--nocapture` to read the rows.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // A test may fail loudly, and shows its rows.

#[path = "support/httpd_view.rs"]
mod httpd_view;
#[path = "support/mapping_rows.rs"]
mod mapping_rows;
#[path = "support/route_config.rs"]
mod route_config;
#[path = "support/row.rs"]
mod row;

use mapping_rows::ROWS;
use row::Want;

#[test]
fn every_row_goes_where_it_should() {
    let failures: Vec<String> = ROWS.iter().flat_map(route_config::run_row).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn no_row_is_missing() {
    let mut numbers: Vec<u32> = ROWS.iter().map(|row| row.number).collect();
    numbers.dedup();
    assert_eq!(numbers, (1..=100).collect::<Vec<u32>>());
}

/// Rows whose outcome a running server must show; the pure part of the others marked here is checked above.
const LIVE: &[(u32, &str)] = &[
    (24, "status of httpd, modelled here"),
    (25, "status of httpd, modelled here"),
    (26, "status of httpd, modelled here"),
    (27, "status of httpd, modelled here"),
    (72, "configuration error"),
    (90, "status of the handler; the rule is checked here"),
    (97, "access rule of httpd; the path it sees is checked here"),
    (99, "access rule of httpd; the path it sees is checked here"),
];

#[test]
fn the_rows_left_to_a_running_server_are_the_known_ones() {
    let mut numbers: Vec<u32> = ROWS
        .iter()
        .filter(|row| {
            matches!(row.want, Want::Live(_) | Want::Httpd(_) | Want::Forbidden(_) | Want::NoWorker(_))
        })
        .map(|row| row.number)
        .collect();
    numbers.dedup();
    for (number, reason) in LIVE {
        println!("row {number} also live: {reason}");
    }
    assert_eq!(numbers, LIVE.iter().map(|&(number, _)| number).collect::<Vec<_>>());
}

#[test]
fn where_mod_jk_is_not_followed_the_reason_is_given() {
    for row in ROWS {
        assert_eq!(row.mod_jk.is_empty(), row.why.is_empty(), "row {}", row.number);
    }
}
