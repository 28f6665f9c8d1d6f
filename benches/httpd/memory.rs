//! Memory of httpd: per idle backend connection, and its growth while much is transferred.

use std::time::Duration;

use crate::Plan;
use crate::load::{self, Client, Work};
use crate::proc;
use crate::report::{Goal, Row, Section};
use crate::server::{Backend, Kind, Running, Site};
use crate::support::{self, process};

/// Connections to a backend.
const CONNECTIONS: usize = 500;
/// Most times the first backend's connections are used before the second's are opened.
const SETTLE: usize = 6;
/// Growth in KiB that counts as none.
const SETTLED: f64 = 64.0;
/// Octets transferred in one direction; below httpd's default `LimitRequestBody` of 1 GiB.
const GB: usize = 1_000_000_000;

/// Runs both.
pub(crate) fn run(plan: &Plan) -> Section {
    let mut section = Section::new(
        "Memory of httpd",
        "Per connection: growth of the child's proportional set size when all its 512 threads have worked already and 500 more \
         connections, to a second backend, are pooled. Transfer: peak of the resident set less what it was before, 1 GB in one request.",
    );
    section.decimals = 1;
    let mut connections = Row::new("idle backend connection, KiB each");
    let mut download = Row::new("1 GB response, growth in MB");
    let mut upload = Row::new("1 GB request, growth in MB");
    let kinds = if plan.quick { &[Kind::Rust][..] } else { &Kind::RELAYS[..] };
    for kind in kinds {
        connections.values[kind.column()] = Some(per_connection(*kind));
        let (down, up) = transfer(*kind);
        download.values[kind.column()] = Some(down);
        upload.values[kind.column()] = Some(up);
    }
    let ours = Kind::Rust.column();
    for (row, what, reach) in [
        (&connections, "500 idle backend connections, KiB each", 2.0),
        (&download, "1 GB response, growth of httpd in MB", 10.0),
        (&upload, "1 GB request, growth of httpd in MB", 10.0),
    ] {
        section.goals.push(Goal::at_most(what, row.values[ours].unwrap_or(f64::NAN), reach, 1));
    }
    for row in [connections, download, upload] {
        section.push(row);
    }
    section
}

/// KiB per pooled connection.
fn per_connection(kind: Kind) -> f64 {
    let backends = [Backend::start(), Backend::start()];
    let server = Running::start(Site::new(kind, 1, 512, &[&backends[0], &backends[1]]));
    // Long enough that all requests are under way at once, so that each needs a connection of its own.
    let fill = |backend: usize| {
        let work = Work::get(&format!("{}/delay/1500", server.site.prefix(backend)), 0, None);
        load::run(server.site.port, &work, CONNECTIONS, Duration::ZERO, || {});
        quiet(&server);
    };
    // Until all threads have their buffers: which thread serves which request is chance.
    let mut before = 0.0;
    for _ in 0..SETTLE {
        fill(0);
        let now = pss(&server);
        let settled = now - before < SETTLED;
        before = now;
        if settled {
            break;
        }
    }
    let had = backends[1].connections();
    fill(1);
    let opened = backends[1].connections() - had;
    assert!(opened >= CONNECTIONS * 9 / 10, "{}: only {opened} connections are pooled", kind.name());
    (pss(&server) - before) / opened as f64
}

/// Waits until no thread of the server has anything to do.
fn quiet(server: &Running) {
    let child = server.child();
    support::wait_until("httpd is idle", || process::is_quiet(child));
}

/// Proportional set size of the child in KiB.
fn pss(server: &Running) -> f64 {
    proc::kib(server.child(), "smaps_rollup", "Pss") as f64
}

/// Growth in MB (of 1,048,576 octets) while a response and a request of 1 GB pass.
fn transfer(kind: Kind) -> (f64, f64) {
    let backend = Backend::start();
    let server = Running::start(Site::new(kind, 1, 32, &[&backend]));
    let prefix = server.site.prefix(0);
    let mut growth =
        [(10_485_760, false), (10_485_760, true), (GB, false), (GB, true)].map(|(size, post)| {
            let work = if post {
                Work::post(&format!("{prefix}/upload"), size)
            } else {
                Work::get(&format!("{prefix}/size/{size}"), 0, Some(size))
            };
            let child = server.child();
            proc::reset_peak(child);
            let before = proc::kib(child, "status", "VmRSS");
            Client::connect(server.site.port).one(&work);
            proc::kib(child, "status", "VmHWM").saturating_sub(before) as f64 / 1024.0
        });
    (std::mem::take(&mut growth[2]), std::mem::take(&mut growth[3]))
}
