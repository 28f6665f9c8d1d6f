//! Connections that leave HTTP (WebSocket and others) through a running httpd.
//!
//! `tunnel` what passes and what does not, `many` silent ones on few threads, `endings` limits and restarts, `servers` Tomcat's
//! own examples, `twin` AJP workers with an HTTP worker beside them, `paths` the rule extension `path`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

#[path = "live_upgrade/endings.rs"]
mod endings;
#[path = "live_upgrade/many.rs"]
mod many;
#[path = "live_upgrade/paths.rs"]
mod paths;
#[path = "live_upgrade/servers.rs"]
mod servers;
#[path = "live_upgrade/tunnel.rs"]
mod tunnel;
#[path = "live_upgrade/twin.rs"]
mod twin;

use support::httpd::Builder;
use support::{Httpd, Mpm};

/// A log format with octets in both directions, the notes, and the reason of the end.
const FORMAT: &str = "LogFormat \"%r|%>s|%b|%I|%O|%{JK_TUNNEL}n|%{JK_TUNNEL_IN}n|%{JK_TUNNEL_OUT}n|%{JK_TUNNEL_END}n\" \
                      tunnel\nCustomLog logs/tunnel.log tunnel\n";

/// httpd with few threads; requests for `/app/` go to worker `w`. `parked`: without a thread where the MPM can do that.
fn builder(mpm: Mpm, workers: impl AsRef<str>, parked: bool) -> Builder {
    let factor = if mpm == Mpm::Event { "AsyncRequestWorkerFactor 200\n" } else { "" };
    let parked = if parked { "JkAsync On\nJkAsyncDelay 0\n" } else { "JkAsync Off\n" };
    Httpd::builder()
        .mpm(mpm)
        .modules(&["logio"])
        .threads_per_child(5)
        .jk_log_level("debug")
        .workers(workers)
        .file("htdocs/file.txt", "from disk\n")
        .conf(format!("{factor}{parked}{FORMAT}JkMount /app/* w\n"))
}

/// The lines of the log in [`FORMAT`].
fn lines(httpd: &Httpd) -> Vec<String> {
    let text = std::fs::read_to_string(httpd.root().join("logs/tunnel.log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
