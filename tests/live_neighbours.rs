//! Relayed requests and httpd's other modules: each does to a relayed response what it does to a file.
//!
//! One file for each kind of neighbour: `access` who may ask, `rewriting` what is asked and by whom, `caching` mod_cache,
//! `filters` modules that change bodies, `tls` mod_ssl, `http2` mod_http2, `guards` modules that refuse or watch.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

#[path = "live_neighbours/access.rs"]
mod access;
#[path = "live_neighbours/caching.rs"]
mod caching;
#[path = "live_neighbours/filters.rs"]
mod filters;
#[path = "live_neighbours/guards.rs"]
mod guards;
#[path = "live_neighbours/http2.rs"]
mod http2;
#[path = "live_neighbours/rewriting.rs"]
mod rewriting;
#[path = "live_neighbours/tls.rs"]
mod tls;

use std::os::unix::fs::PermissionsExt;

use support::httpd::Builder;
use support::{Backend, Httpd};

/// httpd in front of `backend`, `modules` loaded: everything below `/app` is relayed.
fn builder(backend: &Backend, modules: &[&str], conf: &str) -> Builder {
    Httpd::builder()
        .modules(modules)
        .workers(backend.worker("w"))
        .file("htdocs/file.txt", "from disk\n")
        .conf("JkMount /app|/* w")
        .conf(conf)
}

/// [`builder`], started.
#[track_caller]
fn front(backend: &Backend, modules: &[&str], conf: &str) -> Httpd {
    builder(backend, modules, conf).start()
}

/// As [`front`], with a directory `scratch` below the server root that httpd's children may write to.
#[track_caller]
fn front_with_scratch(backend: &Backend, modules: &[&str], conf: &str) -> Httpd {
    let mut httpd = builder(backend, modules, conf).file("scratch/.keep", "").prepare();
    let scratch = httpd.root().join("scratch");
    std::fs::set_permissions(scratch, std::fs::Permissions::from_mode(0o777)).unwrap();
    if let Err(text) = httpd.launch() {
        panic!("{text}");
    }
    httpd
}
