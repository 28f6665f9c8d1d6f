//! Requests and responses through a running httpd, as the client and a scripted backend see them, under all three MPMs and over
//! every protocol there is between httpd and a backend.
//!
//! `request` what the backend is told, `response` what the client gets, `upload` request bodies, `flow` when octets leave,
//! `links` which backend connections are used, `recovery` when a request is sent again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod support;

#[path = "live_relay/flow.rs"]
mod flow;
#[path = "live_relay/links.rs"]
mod links;
#[path = "live_relay/recovery.rs"]
mod recovery;
#[path = "live_relay/request.rs"]
mod request;
#[path = "live_relay/response.rs"]
mod response;
#[path = "live_relay/upload.rs"]
mod upload;

use support::httpd::Builder;
use support::{Backend, Httpd, Mpm};

/// What is not run over HTTP.
mod ajp {
    crate::support::over_ajp_only!(
        flow::little_is_held_back: "Over HTTP there is no message for a flush: what has come is passed on at once.",
        links::packet_sizes: "HTTP has no packets, and no `max_packet_size`.",
        links::pings_out_of_step: "CPong; the answers to HTTP's pings are looked at in `live_http`.",
        request::secret: "HTTP has no secret; `https` has certificates instead.",
        response::interim_statuses_are_refused: "HTTP has responses of status 1xx; `live_http` has tests of them.",
    );
}

/// httpd in front of `backend`: everything below `/app/` is relayed by a worker `w`, `/file.txt` is a file. `settings` are
/// properties of the worker without their prefix, one per line.
fn builder(mpm: Mpm, backend: &Backend, settings: &str) -> Builder {
    let settings: String = settings.lines().map(|line| format!("worker.w.{}\n", line.trim())).collect();
    Httpd::builder()
        .mpm(mpm)
        .workers(backend.worker("w") + &settings)
        .file("htdocs/file.txt", "from disk\n")
        .conf("JkMount /app/* w")
}

/// [`builder`], started.
#[track_caller]
fn front(mpm: Mpm, backend: &Backend, settings: &str) -> Httpd {
    builder(mpm, backend, settings).start()
}
