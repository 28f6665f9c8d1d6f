//! A server as a single process under a tool (callgrind, strace), asked by one client.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::farm::{Farm, Shape};
use crate::http;
use crate::load::{Client, Work};
use crate::server::{Backend, Kind, Site, unprivileged};
use crate::support::process;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// A body of so many octets.
    Size(usize),
    /// So many headers in both directions.
    Headers(usize),
    /// A static file of 1 KB beside all mounts.
    Plain,
    /// A POST of so many octets.
    Upload(usize),
}

impl Request {
    fn work(self, prefix: &str) -> Work {
        match self {
            Self::Size(size) => Work::get(&format!("{prefix}/size/{size}"), 0, Some(size)),
            Self::Headers(count) => Work::get(&format!("{prefix}/headers/{count}"), count, None),
            Self::Plain => Work::get("/plain.txt", 0, Some(1024)),
            Self::Upload(size) => Work::post(&format!("{prefix}/upload"), size),
        }
    }
}

/// What stands before the backends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// So many mount rules, and a worker.
    Rules(usize),
    /// A worker that speaks HTTP.
    Http,
    /// A balancer of so many members; the request belongs to a session of the one in the middle, or to none.
    Balancer { members: usize, sticky: bool },
}

/// Runs `tool httpd -X` for `count` requests. `tool` gets the directory for its output; that of the site is returned.
///
/// The tool does not run as root: httpd drops root and could not write the tool's results.
pub(crate) fn run(
    kind: Kind,
    way: Way,
    request: Request,
    count: usize,
    tool: impl Fn(&str) -> Vec<String>,
) -> Site {
    let _http;
    let (_nodes, site, route) = match way {
        Way::Http => {
            let backend = http::Backend::start();
            let site = http::site(kind, backend.port, &http::Shape::default());
            _http = backend;
            (Vec::new(), site, None)
        }
        Way::Rules(rules) => {
            let backend = Backend::start();
            let site = Site::new(kind, rules, 32, &[&backend]);
            (vec![backend], site, None)
        }
        Way::Balancer { members, sticky } => {
            let farm = Farm::start(members);
            let site = farm.site(kind, &Shape::default());
            (farm.nodes, site, sticky.then(|| format!("n{}", members / 2 + 1)))
        }
    };
    let out = site.root.path().join("run").display().to_string();
    let line = [tool(&out), site.command_line()].concat();
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]).arg("-X").stdin(Stdio::null()).stdout(Stdio::null());
    let errors = std::fs::File::create(site.root.path().join("tool.log")).expect("tool.log");
    command.stderr(errors);
    // All symbols at the start. And no `rep stosb`: callgrind counts one for each octet, which would make the large memset
    // calls of mod_jk look ten times as expensive as they are.
    command.env("LD_BIND_NOW", "1").env(
        "GLIBC_TUNABLES",
        "glibc.cpu.x86_rep_stosb_threshold=1000000000:glibc.cpu.x86_rep_movsb_threshold=1000000000",
    );
    if let Some((user, group)) = unprivileged() {
        command.uid(user).gid(group);
    }
    let mut child = process::spawn(command, libc::SIGKILL).unwrap_or_else(|e| panic!("{}: {e}", line[0]));
    let mut work = request.work(&site.prefix(0));
    if let Some(route) = route {
        work = work.of_session(&route);
    }
    Client::connect(site.port).repeat(&work, count);
    // strace runs httpd as its child, and ends with it; valgrind is httpd.
    let target = process::children_of(child.id()).first().copied();
    if let Some(target) = target {
        process::signal(target, libc::SIGTERM);
    } else {
        process::signal(child.id(), libc::SIGTERM);
    }
    let ended = crate::support::poll(Duration::from_secs(60), || !matches!(child.try_wait(), Ok(None)));
    process::stop(&mut child, libc::SIGKILL, Duration::from_secs(5));
    assert!(ended, "{} did not end: {}", line[0], site.root.read("tool.log"));
    site
}
