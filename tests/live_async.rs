//! Requests that wait without a thread (`JkAsync`): many of them on few threads, and everything else as it always was.
//!
//! `waiting` for the first octet of the answer, `conversation` what else happens on such a connection, `endings` lost clients,
//! time limits and restarts, `places` connections and queues that are waited for, `bodies` uploads and slow readers, `races` quick backends and random aborts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod support;

#[path = "live_async/bodies.rs"]
mod bodies;
#[path = "live_async/conversation.rs"]
mod conversation;
#[path = "live_async/endings.rs"]
mod endings;
#[path = "live_async/places.rs"]
mod places;
#[path = "live_async/races.rs"]
mod races;
#[path = "live_async/waiting.rs"]
mod waiting;

use support::httpd::Builder;
use support::{Backend, Client, Httpd, Mpm};

/// Requests are put aside at once, and a child accepts many more connections than it has threads.
const AT_ONCE: &str = "JkAsync On\nJkAsyncDelay 0";

/// httpd with four threads in front of `backend`: `/app/` is relayed by a worker `w`, `/file.txt` is a file.
fn builder(mpm: Mpm, backend: &Backend) -> Builder {
    let factor = if mpm == Mpm::Event { "AsyncRequestWorkerFactor 100\n" } else { "" };
    Httpd::builder()
        .mpm(mpm)
        .threads_per_child(4)
        .workers(backend.worker("w"))
        .file("htdocs/file.txt", "from disk\n")
        .conf(format!("{factor}JkMount /app/* w\n{AT_ONCE}"))
}

/// Sends a GET for each of `paths` on connections of their own, and reads no answer.
#[track_caller]
fn ask(httpd: &Httpd, paths: impl IntoIterator<Item = String>) -> Vec<Client> {
    paths
        .into_iter()
        .map(|path| {
            let mut client = Client::connect(httpd.port());
            client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
            client
        })
        .collect()
}

/// Waits until the children have no more descriptors open than `count` in all.
#[track_caller]
fn await_descriptors(httpd: &Httpd, count: usize) {
    support::wait_until("descriptors are given back", || descriptors(httpd) <= count);
}

/// Descriptors that the children have open.
fn descriptors(httpd: &Httpd) -> usize {
    let of = |pid: u32| std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    httpd.child_pids().into_iter().map(of).sum()
}
