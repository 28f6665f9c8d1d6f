//! Who may use what: reads `src/` and complains about names where they do not belong.
//!
//! The layers: `engine` is pure; `transport` and `shm` hold the sockets and the shared memory; `ffi` is the home of httpd's
//! types; `httpd` sits on top of all. Comments and texts are left out before names are searched.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]
#![allow(unreachable_pub, reason = "a test")]

#[path = "support/scan.rs"]
mod scan;

use std::fs;
use std::path::{Path, PathBuf};

use scan::{Source, finds};

/// Longest file.
const MAX_LINES: usize = 600;
/// Files longer than that which are to be split; the list may only shrink.
const LONG: [&str; 0] = [];

/// What the engine must not name: other layers, the operating system, clocks, locks.
const IMPURE: [&str; 17] = [
    "crate::ffi",
    "crate::httpd",
    "crate::transport",
    "crate::shm",
    "libc",
    "std::net",
    "std::fs",
    "std::thread",
    "std::env",
    "std::process",
    "std::os",
    "Instant::now",
    "std::time::Instant",
    "SystemTime",
    "parking_lot",
    "std::sync::Mutex",
    "unsafe",
];

/// httpd functions that look useful and are traps: they change the request, truncate, or are meant for something else.
const TRAPS: [&str; 4] =
    ["ap_get_basic_auth_pw", "ap_some_auth_required", "ap_escape_quotes", "ap_strcmp_match"];

/// Beginnings of names that bindgen makes.
const HOST_PREFIXES: [&str; 6] = ["ap_", "apr_", "AP_", "APR_", "APLOG_", "jk_"];
/// Other names of bindgen.
const HOST_NAMES: [&str; 8] = [
    "request_rec",
    "server_rec",
    "conn_rec",
    "cmd_parms",
    "command_rec",
    "module_rec",
    "process_rec",
    "bindings",
];

/// Where `unsafe` may stand.
fn unsafe_home(path: &str) -> bool {
    path.starts_with("ffi/")
        || path.starts_with("shm/")
        || [
            "transport/raw_address.rs",
            "transport/socket.rs",
            "transport/socket_tests.rs",
            "transport/epoll.rs",
        ]
        .contains(&path)
}

/// All complaints about one file; `path` counts from `src`.
fn complaints(path: &str, text: &str) -> Vec<String> {
    let source = Source::new(text);
    let mut found = Vec::new();
    let mut complain = |line: usize, what: String| found.push(format!("{path}:{line}: {what}"));
    let forbidden: &[&str] = match path.split('/').next() {
        Some("engine") => &IMPURE,
        Some("transport") => &["crate::ffi", "crate::httpd", "crate::shm"],
        Some("shm") => &["crate::httpd", "crate::transport"],
        Some("ffi") => &["crate::httpd", "crate::transport", "crate::shm"],
        _ => &[],
    };
    for name in forbidden {
        for line in finds(&source.code, name) {
            complain(line, format!("names {name}"));
        }
    }
    for line in source.imports("crate") {
        for layer in forbidden.iter().filter_map(|name| name.strip_prefix("crate::")) {
            if line.1.iter().any(|part| part == layer) {
                complain(line.0, format!("imports crate::{layer}"));
            }
        }
    }
    for line in source.imports("std") {
        for part in forbidden.iter().filter_map(|name| name.strip_prefix("std::")) {
            if line.1.iter().any(|other| other == part) {
                complain(line.0, format!("imports std::{part}"));
            }
        }
    }
    if !unsafe_home(path) {
        for line in finds(&source.code, "unsafe") {
            let exported = path == "httpd/module.rs" && source.line(line).trim() == "#[unsafe(no_mangle)]";
            if !exported && !source.line(line).contains("forbid(unsafe_code)") {
                complain(line, "unsafe outside its homes".to_owned());
            }
        }
    }
    if !path.starts_with("ffi/") {
        let exported = |name: &str| path == "httpd/module.rs" && name == "jk_module";
        for (line, name) in source.identifiers() {
            let host =
                HOST_NAMES.contains(&name) || HOST_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            if host && !exported(name) {
                complain(line, format!("{name} belongs to ffi"));
            }
        }
        for line in finds(&source.code, "sys::") {
            complain(line, "sys:: belongs to ffi".to_owned());
        }
    }
    for trap in TRAPS {
        for line in finds(&source.code, trap) {
            complain(line, format!("{trap} is a trap"));
        }
    }
    if path != "ffi/bindings.rs" {
        for line in source.undocumented_unsafe() {
            complain(line, "unsafe without its reason".to_owned());
        }
    }
    let lines = text.lines().count();
    if lines > MAX_LINES && !LONG.contains(&path) {
        complain(lines, format!("more than {MAX_LINES} lines"));
    }
    found
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn the_layers_are_kept() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let mut found = Vec::new();
    let mut seen = 0;
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => found.extend(complaints(name, &text)),
            Some("c" | "h") => {
                for trap in TRAPS {
                    found.extend(
                        finds(&text, trap).iter().map(|line| format!("{name}:{line}: {trap} is a trap")),
                    );
                }
            }
            _ => continue,
        }
        seen += 1;
    }
    assert!(seen > 60, "only {seen} files were read");
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn bad_code_is_found() {
    let bad = [
        ("engine/x.rs", "use crate::ffi::pool::Pool;"),
        ("engine/x.rs", "use crate::{engine::text, transport};"),
        ("engine/x.rs", "fn f() { std::thread::sleep(d); }"),
        ("engine/x.rs", "use std::{fmt, fs::File};"),
        ("engine/x.rs", "let t = Instant::now();"),
        ("engine/x.rs", "use std::time::{Duration, SystemTime};"),
        ("engine/x.rs", "use parking_lot::Mutex;"),
        ("engine/x.rs", "fn f() { unsafe { g() } }"),
        ("engine/x.rs", "let n: libc::c_int = 0;"),
        ("transport/x.rs", "use crate::httpd::config;"),
        ("transport/pool.rs", "// SAFETY: yes.\nunsafe { f() }"),
        ("ffi/x.rs", "use crate::httpd::config;"),
        ("httpd/x.rs", "// SAFETY: yes.\nunsafe { f() }"),
        ("httpd/x.rs", "fn f(r: *mut request_rec) {}"),
        ("httpd/x.rs", "let p = apr_palloc(pool, 3);"),
        ("httpd/x.rs", "use crate::ffi::bindings as b;"),
        ("httpd/x.rs", "let x = sys::OK;"),
        ("httpd/x.rs", "let x = jk_write(r);"),
        ("ffi/x.rs", "sys::ap_escape_quotes(p, s)"),
        ("ffi/x.rs", "fn f() {\n    unsafe { g() }\n}"),
        ("ffi/x.rs", "unsafe impl Sync for X {}"),
        ("ffi/x.rs", "/// Does it.\npub unsafe fn f() {}"),
        ("ffi/x.rs", "// SAFETY: for the first.\nunsafe { f() };\n\nlet x = 1;\nunsafe { g() };"),
    ];
    for (path, text) in bad {
        assert!(!complaints(path, text).is_empty(), "{path}: {text}");
    }
    let long = "\n".repeat(MAX_LINES + 1);
    assert!(!complaints("engine/x.rs", &long).is_empty());
}

#[test]
fn good_code_passes() {
    let good = [
        ("engine/x.rs", "//! Knows no std::fs and nothing unsafe; libc neither.\nuse std::fmt;"),
        ("engine/x.rs", "let text = \"unsafe std::net apr_palloc\";"),
        ("engine/x.rs", "let text = r#\"a \" libc\"#; let c = '\"'; let d = b'\\''; // SystemTime"),
        ("engine/x.rs", "fn f<'a>(x: &'a str) {} /* std::env /* nested */ libc */"),
        ("engine/x.rs", "let mapped = map_ap_x; let libcs = 1;"),
        ("lib.rs", "#[forbid(unsafe_code)]\npub mod engine;"),
        ("httpd/module.rs", "// SAFETY: one symbol.\n#[unsafe(no_mangle)]\npub static jk_module: X = X;"),
        ("ffi/x.rs", "// SAFETY: because.\nunsafe { f() }"),
        ("ffi/x.rs", "// SAFETY: because\n// of that.\nlet x = match unsafe { f() } {};"),
        ("ffi/x.rs", "/// Does it.\n///\n/// # Safety\n/// Call it right.\n#[inline]\npub unsafe fn f() {}"),
        ("ffi/x.rs", "// SAFETY: both.\nlet (a, b) = (\n    f(),\n    unsafe { g() },\n);"),
        ("ffi/x.rs", "unsafe extern \"C\" fn hook(r: *mut request_rec) {}"),
        ("transport/socket.rs", "// SAFETY: because.\nunsafe { f() }"),
    ];
    for (path, text) in good {
        let found = complaints(path, text);
        assert!(found.is_empty(), "{text}\n{found:?}");
    }
}
