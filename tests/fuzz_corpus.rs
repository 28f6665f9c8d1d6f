//! Replays the seeds of the fuzz targets, so that they are run by every `cargo test`.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "support/vectors.rs"]
mod vectors;

use std::path::PathBuf;

use mod_jk_rs::engine::fuzzing;

/// Seeds of one target, by name; at least `least` of them.
fn seeds(target: &str, least: usize) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let seeds: Vec<_> = paths.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    assert!(seeds.len() >= least, "{} seeds of {target}", seeds.len());
    seeds
}

#[test]
fn replies() {
    seeds("ajp_reply", 20).iter().for_each(|(_, octets)| fuzzing::ajp_reply(octets));
}

#[test]
fn requests() {
    seeds("ajp_forward", 8).iter().for_each(|(_, octets)| fuzzing::ajp_forward(octets));
}

#[test]
fn http_responses() {
    let seeds = seeds("http1_response", 20);
    seeds.iter().for_each(|(_, octets)| mod_jk_rs::engine::http1::fuzzing::http1_response(octets));
}

#[test]
fn http_requests() {
    let seeds = seeds("http1_request", 9);
    seeds.iter().for_each(|(_, octets)| mod_jk_rs::engine::http1::fuzzing::http1_request(octets));
}

#[test]
fn paths() {
    let seeds = seeds("self_check", 8);
    seeds.iter().for_each(|(_, octets)| mod_jk_rs::engine::route::fuzzing::self_check(octets));
}

#[test]
fn every_capture_is_a_seed() {
    let seeds = seeds("ajp_reply", 20);
    for (name, octets) in vectors::all() {
        assert!(seeds.iter().any(|(_, seed)| *seed == octets), "{name} is no seed");
    }
}
