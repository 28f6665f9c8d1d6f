//! Backends that speak HTTP, next to mod_proxy_http: the servers before them, and what a request costs.
//!
//! The backend is a thread of this program for each connection: it answers `/size/N` and keeps its connections unless it is
//! asked not to. mod_proxy_http keeps connections too, which is its default.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::Plan;
use crate::callgrind;
use crate::calls;
use crate::cpu::{compared_to, spent};
use crate::load::Work;
use crate::report::{Goal, Row, Section};
use crate::server::{Kind, Running, Site};
use crate::traced::{Request, Way};

/// Octets of a megabyte.
const MB: usize = 1_048_576;
/// What is compared.
pub(crate) const KINDS: [Kind; 2] = [Kind::ProxyAjp, Kind::Rust];

/// An HTTP server; its threads end with their connections, the one that listens with the program.
pub(crate) struct Backend {
    pub(crate) port: u16,
}

impl Backend {
    pub(crate) fn start() -> Self {
        Self::with(|stream| serve(stream, |_| ()))
    }

    /// One that gives each connection to `serve`, in a thread of its own.
    pub(crate) fn with(serve: impl Fn(TcpStream) -> Option<()> + Copy + Send + 'static) -> Self {
        Self::sharing((), move |stream, ()| serve(stream))
    }

    /// The same with something that the threads share.
    pub(crate) fn sharing<T: Clone + Send + 'static>(
        shared: T,
        serve: impl Fn(TcpStream, T) -> Option<()> + Copy + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let port = listener.local_addr().expect("address").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || {
                    stream.set_nodelay(true).ok()?;
                    serve(stream, shared)
                });
            }
        });
        Self { port }
    }
}

/// Answers requests without a body until the connection ends; `begun` is called with the stream behind the first line.
pub(crate) fn serve<S: Read + Write>(stream: S, begun: impl FnOnce(&S)) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut begun = Some(begun);
    let (mut line, mut answer) = (String::new(), Vec::new());
    let mut keep = true;
    while keep {
        line.clear();
        reader.read_line(&mut line).ok().filter(|octets| *octets > 0)?;
        if let Some(begun) = begun.take() {
            begun(reader.get_ref());
        }
        let size: usize = line.split(' ').nth(1)?.rsplit('/').next()?.parse().ok()?;
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).ok().filter(|octets| *octets > 0)?;
            keep &= !line.eq_ignore_ascii_case("connection: close\r\n");
        }
        answer.clear();
        write!(answer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n")
            .ok()?;
        answer.resize(answer.len() + size, b'a');
        reader.get_mut().write_all(&answer).ok()?;
        reader.get_mut().flush().ok()?;
    }
    Some(())
}

/// How a server stands before its backend.
pub(crate) struct Shape<'s> {
    /// Worker threads of its process.
    pub(crate) threads: usize,
    /// Directives for mod_jk_rs alone.
    pub(crate) conf: &'s str,
    /// TLS, the backend's certificate being of the authority in this file.
    pub(crate) authority: Option<&'s Path>,
    /// Connections carry more than one request.
    pub(crate) reuse: bool,
}

impl Default for Shape<'_> {
    fn default() -> Self {
        Self { threads: 32, conf: "", authority: None, reuse: true }
    }
}

/// A server before the backend at this port.
pub(crate) fn site(kind: Kind, port: u16, shape: &Shape<'_>) -> Site {
    let site = Site::empty(0);
    let mut conf = site.base_conf(1, shape.threads);
    let scheme = if shape.authority.is_some() { "https" } else { "http" };
    if kind == Kind::Rust {
        site.load_jk(&mut conf, kind);
        conf += "JkMount /app/* w\n";
        conf += if shape.reuse { "" } else { "JkOptions +DisableReuse\n" };
        conf += shape.conf;
        let mut workers =
            format!("worker.list=w\nworker.w.type={scheme}\nworker.w.host=127.0.0.1\nworker.w.port={port}\n");
        if let Some(authority) = shape.authority {
            writeln!(workers, "worker.w.tls_ca={}", authority.display()).expect("a text");
        }
        site.root.write("workers.properties", workers);
    } else {
        Site::load(&mut conf, &["proxy", "proxy_http"]);
        if let Some(authority) = shape.authority {
            Site::load(&mut conf, &["ssl"]);
            let file = authority.display();
            writeln!(conf, "SSLProxyEngine on\nSSLProxyVerify require\nSSLProxyCACertificateFile {file}")
                .expect("a text");
        }
        let reuse = if shape.reuse { "" } else { " disablereuse=on" };
        writeln!(conf, "ProxyPass /app/ {scheme}://127.0.0.1:{port}/app/{reuse}").expect("a text");
    }
    site.root.write("httpd.conf", conf);
    site
}

/// CPU time of both servers for GETs of `size` octets, in rounds: microseconds for each of `units` in a request.
pub(crate) fn cpu(
    plan: &Plan,
    servers: &[(Kind, Running); 2],
    name: &str,
    (clients, size, units): (usize, usize, f64),
) -> Row {
    let time = Duration::from_millis(if plan.quick { 250 } else { 800 });
    let mut costs = [const { Vec::new() }; 4];
    for round in 0..plan.rounds {
        for turn in 0..servers.len() {
            let (kind, server) = &servers[(turn + round) % servers.len()];
            let work = Work::get(&format!("/app/size/{size}"), 0, Some(size));
            costs[kind.column()].push(spent(server, &work, clients, time, units).0);
        }
    }
    compared_to(Kind::ProxyAjp, name, &costs)
}

/// Instructions, system calls and CPU time.
pub(crate) fn run(plan: &Plan) -> Section {
    let mut section = Section::about_http(
        "HTTP backends",
        "Instructions in user space, system calls and CPU time as above; the ratio of times is the median of those inside each round.",
    );
    for (name, request, runs) in
        [("1 KB GET", Request::Size(1024), callgrind::RUNS), ("10 MB GET", Request::Size(10 * MB), [2, 12])]
    {
        let mut row = Row::new(&format!("{name}, instructions per request"));
        for kind in KINDS {
            row.values[kind.column()] = Some(callgrind::between(kind, Way::Http, request, runs).total);
        }
        section.push(row);
        let mut row = Row::new(&format!("{name}, system calls per request"));
        row.decimals = Some(1);
        for kind in KINDS {
            row.values[kind.column()] = Some(calls::named(kind, Way::Http, request, runs, name));
        }
        section.push(row);
    }
    let backend = Backend::start();
    let servers = KINDS.map(|kind| (kind, Running::start(site(kind, backend.port, &Shape::default()))));
    for (name, load, reach) in [
        ("1 KB GET over HTTP, 8 clients, µs per request", (8, 1024, 1.0), 0.9),
        ("10 MB GET over HTTP, 2 clients, µs per MB", (2, 10 * MB, 10.0), 1.0),
    ] {
        let row = cpu(plan, &servers, name, load);
        let what = name.split(", µs").next().unwrap_or_default();
        let ratio = row.ratio.unwrap_or(f64::NAN);
        section.goals.push(Goal::at_most(format!("{what}, CPU (mod_proxy_http = 1)"), ratio, reach, 2));
        section.push(row);
    }
    section
}
