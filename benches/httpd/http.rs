//! Backends that speak HTTP, next to mod_proxy_http.
//!
//! The backend is a thread of this program for each connection: it answers `/size/N` and keeps its connections. mod_proxy_http
//! keeps connections too, which is its default.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use crate::Plan;
use crate::callgrind;
use crate::cpu::{compared_to, spent};
use crate::load::Work;
use crate::report::{Goal, Row, Section};
use crate::server::{Kind, Running, Site};
use crate::traced::{Request, Way};

/// Octets of a megabyte.
const MB: usize = 1_048_576;
/// What is compared.
const KINDS: [Kind; 2] = [Kind::ProxyAjp, Kind::Rust];

/// An HTTP server; its threads end with their connections, the one that listens with the program.
pub(crate) struct Backend {
    port: u16,
}

impl Backend {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let port = listener.local_addr().expect("address").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(stream));
            }
        });
        Self { port }
    }
}

/// Answers requests without a body until the connection ends.
fn serve(mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut line, mut answer) = (String::new(), Vec::new());
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|octets| *octets > 0)?;
        let size: usize = line.split(' ').nth(1)?.rsplit('/').next()?.parse().ok()?;
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).ok().filter(|octets| *octets > 0)?;
        }
        answer.clear();
        write!(answer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n")
            .ok()?;
        answer.resize(answer.len() + size, b'a');
        stream.write_all(&answer).ok()?;
    }
}

/// A server before it.
pub(crate) fn site(kind: Kind, backend: &Backend) -> Site {
    let site = Site::empty(0);
    let mut conf = site.base_conf(1, 32);
    let port = backend.port;
    if kind == Kind::Rust {
        site.load_jk(&mut conf, kind);
        conf += "JkMount /app/* w\n";
        let workers =
            format!("worker.list=w\nworker.w.type=http\nworker.w.host=127.0.0.1\nworker.w.port={port}\n");
        site.root.write("workers.properties", workers);
    } else {
        Site::load(&mut conf, &["proxy", "proxy_http"]);
        writeln!(conf, "ProxyPass /app/ http://127.0.0.1:{port}/app/").expect("a text");
    }
    site.root.write("httpd.conf", conf);
    site
}

/// Instructions and CPU time.
pub(crate) fn run(plan: &Plan) -> Section {
    let mut section = Section::about_http(
        "HTTP backends",
        "Instructions in user space as above; CPU time as above, the ratio being the median of those inside each round.",
    );
    let mut row = Row::new("1 KB GET, instructions per request");
    for kind in KINDS {
        row.values[kind.column()] = Some(callgrind::per_request(kind, Way::Http, Request::Size(1024)).total);
    }
    section.push(row);
    let backend = Backend::start();
    let servers = KINDS.map(|kind| (kind, Running::start(site(kind, &backend))));
    let time = Duration::from_millis(if plan.quick { 250 } else { 800 });
    for (name, clients, size, units, reach) in [
        ("1 KB GET over HTTP, 8 clients, µs per request", 8, 1024, 1.0, 0.9),
        ("10 MB GET over HTTP, 2 clients, µs per MB", 2, 10 * MB, 10.0, 1.0),
    ] {
        let mut costs = [const { Vec::new() }; 4];
        for round in 0..plan.rounds {
            for turn in 0..servers.len() {
                let (kind, server) = &servers[(turn + round) % servers.len()];
                let work = Work::get(&format!("/app/size/{size}"), 0, Some(size));
                costs[kind.column()].push(spent(server, &work, clients, time, units).0);
            }
        }
        let row = compared_to(Kind::ProxyAjp, name, &costs);
        let what = name.split(", µs").next().unwrap_or_default();
        let ratio = row.ratio.unwrap_or(f64::NAN);
        section.goals.push(Goal::at_most(format!("{what}, CPU (mod_proxy_http = 1)"), ratio, reach, 2));
        section.push(row);
    }
    section
}
