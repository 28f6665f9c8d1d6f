//! The captured packets of `tests/vectors`, shared by several tests.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses a part of this file")]

use std::path::PathBuf;

/// Where the captures lie.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// The octets of the capture `name` (without `.hex`).
pub fn load(name: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(folder().join(format!("{name}.hex"))).unwrap();
    parse(&text)
}

/// Hexadecimal octets, separated by white space; lines that begin with `#` are comments.
pub fn parse(text: &str) -> Vec<u8> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect()
}

/// All captures with their names, sorted.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "hex"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .map(|name| (name.clone(), load(&name)))
        .collect();
    found.sort();
    found
}
