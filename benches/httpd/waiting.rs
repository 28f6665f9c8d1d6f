//! Requests that wait for their backend: how many at one time, what becomes of others meanwhile, and what waiting costs.
//!
//! `JkAsync On` for mod_jk_rs; the others hold a thread for each request, so what would take them minutes is not run with them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::Plan;
use crate::cpu::{median, spent};
use crate::load::Work;
use crate::proc;
use crate::report::{Goal, Row, Section};
use crate::server::{Backend, Kind, Running, Site};
use crate::support;

/// System calls in which a worker thread of httpd has nothing to do, and its listener: futex, epoll_wait, accept.
#[cfg(target_arch = "x86_64")]
const IDLE: [&str; 4] = ["202 ", "232 ", "281 ", "288 "];
#[cfg(not(target_arch = "x86_64"))]
const IDLE: [&str; 4] = ["98 ", "22 ", "441 ", "242 "];

/// Runs all.
pub(crate) fn run(plan: &Plan) -> Section {
    let mut section = Section::new(
        "Requests that wait",
        "CPU: as above, the ratio is to `JkAsync Off` of the same module, the median of the rounds. Memory: growth of the proportional \
         set size of all processes of httpd, kernel memory not included. Threads held: those that are neither idle nor the listener.",
    );
    section.decimals = 1;
    many(plan, &mut section);
    beside(plan, &mut section);
    slow_readers(&mut section);
    for (millis, reach) in [(20, 1.25), (0, 1.03)] {
        cpu(plan, millis, reach, &mut section);
    }
    section
}

/// A server with so many threads in each of so many processes.
fn server(kind: Kind, processes: usize, threads: usize, conf: &str, backend: &Backend) -> Running {
    let site = Site::new(kind, 1, threads, &[backend]);
    let mut text = site.root.read("httpd.conf");
    let all = processes * threads;
    for (name, old, new) in [
        ("StartServers", 1, processes),
        ("ServerLimit", 1, processes),
        ("MaxRequestWorkers", threads, all),
        ("MaxSpareThreads", threads, all),
    ] {
        text = text.replace(&format!("{name} {old}\n"), &format!("{name} {new}\n"));
    }
    text += "AsyncRequestWorkerFactor 1000\nListenBacklog 20000\n";
    if kind == Kind::Rust {
        text += conf;
    }
    site.root.write("httpd.conf", text);
    Running::start(site)
}

/// Sends a request on each of `count` connections.
fn ask(server: &Running, path: &str, count: usize) -> Vec<TcpStream> {
    let request =
        format!("GET {}{path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", server.site.prefix(0));
    (0..count)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", server.site.port)).expect("connect");
            stream.set_read_timeout(Some(Duration::from_secs(60))).expect("timeout");
            stream.write_all(request.as_bytes()).expect("send");
            stream
        })
        .collect()
}

/// Reads all answers; how many are good.
fn answers(streams: Vec<TcpStream>) -> usize {
    let good = |mut stream: TcpStream| {
        let mut text = Vec::new();
        stream.read_to_end(&mut text).is_ok() && text.starts_with(b"HTTP/1.1 200")
    };
    streams.into_iter().map(good).filter(|good| *good).count()
}

fn many(plan: &Plan, section: &mut Section) {
    let mut few = Row::new("640 requests of 0.5 s on 64 threads, seconds");
    for kind in Kind::RELAYS {
        let backend = Backend::start();
        let server = server(kind, 2, 32, "JkAsync On\n", &backend);
        let begun = Instant::now();
        let answered = answers(ask(&server, "/delay/500", 640));
        few.values[kind.column()] = Some(begun.elapsed().as_secs_f64());
        assert_eq!(answered, 640, "{}", kind.name());
    }
    section.push(few);
    // Three descriptors for each in two processes, of which one may get more than its half, and one here.
    let limit = support::descriptor_limit();
    let count = if plan.quick { 1000 } else { ((limit - 2000) * 5 / 9).min(10_000) };
    let backend = Backend::start();
    let conf = format!("JkAsync On\nJkAsyncDelay 0\nJkAsyncLimit {}\n", limit / 3 - 100);
    let server = server(Kind::Rust, 2, 32, &conf, &backend);
    answers(ask(&server, "/delay/100", 200)); // what every process needs once
    let memory =
        || server.processes().iter().map(|pid| proc::kib(*pid, "smaps_rollup", "Pss")).sum::<u64>() as f64;
    let before = memory();
    let begun = Instant::now();
    let streams = ask(&server, "/delay/10000", count);
    support::poll(Duration::from_secs(9), || backend.connections() >= count);
    let (most, grown) = (backend.connections(), memory() - before);
    let answered = answers(streams);
    let mut row = Row::plain(&format!("{count} requests of 10 s on 64 threads, seconds"), 1);
    row.values[Kind::Rust.column()] = Some(begun.elapsed().as_secs_f64());
    section.push(row);
    let mut row = Row::plain("of these, with the backend at one time", 0);
    row.values[Kind::Rust.column()] = Some(most as f64);
    section.push(row);
    let mut row = Row::plain("memory of each, KiB", 1);
    row.values[Kind::Rust.column()] = Some(grown / most as f64);
    section.push(row);
    section.goals.push(Goal::at_least(
        format!("{count} requests of 10 s, 64 threads: answered"),
        answered as f64,
        count as f64,
        0,
    ));
}

/// A static file while others wait.
fn beside(plan: &Plan, section: &mut Section) {
    let mut row = Row::plain("a file beside 60 requests of 1 s on 10 threads, ms", 1);
    for kind in Kind::RELAYS {
        let backend = Backend::start();
        let server = server(kind, 1, 10, "JkAsync On\n", &backend);
        let streams = ask(&server, "/delay/1000", 60);
        std::thread::sleep(Duration::from_millis(200));
        row.values[kind.column()] = Some(file(&server).as_secs_f64() * 1000.0);
        answers(streams);
    }
    section.push(row);
    let backend = Backend::start();
    let server = server(Kind::Rust, 1, 10, "JkAsync On\n", &backend);
    let streams = ask(&server, "/delay/6000", 1000);
    support::poll(Duration::from_secs(5), || backend.connections() >= 1000);
    let most = if plan.quick { 100 } else { 1000 };
    let mut times: Vec<f64> = (0..most).map(|_| file(&server).as_secs_f64() * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    let mut row = Row::plain("files beside 1,000 requests that wait, 10 threads, ms, 99 of 100", 1);
    row.values[Kind::Rust.column()] = times.get(times.len() * 99 / 100).copied();
    section.push(row);
    let answered = answers(streams);
    section.goals.push(Goal::at_least(
        "1,000 requests that wait on 10 threads: answered",
        answered as f64,
        1000.0,
        0,
    ));
}

/// The time a static file takes.
pub(crate) fn file(server: &Running) -> Duration {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", server.site.port)).expect("connect");
    stream.write_all(b"GET /plain.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").expect("send");
    let mut text = Vec::new();
    stream.read_to_end(&mut text).expect("file");
    assert!(text.starts_with(b"HTTP/1.1 200"));
    begun.elapsed()
}

fn slow_readers(section: &mut Section) {
    let mut row = Row::plain("threads held by 5 clients that do not read 20 MB", 0);
    for kind in Kind::RELAYS {
        let backend = Backend::start();
        let server = server(kind, 1, 10, "JkAsync On\n", &backend);
        let streams = ask(&server, "/size/20000000", 5);
        support::poll(Duration::from_secs(5), || backend.connections() >= 5);
        std::thread::sleep(Duration::from_secs(1));
        row.values[kind.column()] = Some(held(server.child()) as f64);
        drop(streams);
    }
    section.goals.push(Goal::at_most(
        &*row.name,
        row.values[Kind::Rust.column()].unwrap_or(f64::NAN),
        0.0,
        0,
    ));
    section.push(row);
}

/// Threads of a process that have something to do or wait for something other than work.
pub(crate) fn held(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|thread| {
            let main = thread.file_name().to_string_lossy() == pid.to_string();
            let text = std::fs::read_to_string(thread.path().join("syscall")).unwrap_or_default();
            !main && !IDLE.iter().any(|call| text.starts_with(call))
        })
        .count()
}

/// CPU time next to that with a thread for each request.
fn cpu(plan: &Plan, millis: u64, reach: f64, section: &mut Section) {
    let backend = Backend::start();
    let servers = ["JkAsync Off\n", "JkAsync On\n", "JkAsync On\nJkAsyncDelay 0\n"]
        .map(|conf| server(Kind::Rust, 1, 32, conf, &backend));
    let work = Work::get(&format!("{}/delay/{millis}", servers[0].site.prefix(0)), 0, None);
    let time = Duration::from_millis(if plan.quick { 300 } else { 1000 });
    let mut costs = [const { Vec::new() }; 3];
    for round in 0..plan.rounds {
        for turn in 0..servers.len() {
            let place = (turn + round) % servers.len();
            costs[place].push(spent(&servers[place], &work, 24, time, 1.0).0);
        }
    }
    let names = ["JkAsync Off", "JkAsync On", "JkAsyncDelay 0"];
    for (name, values) in names.iter().zip(&costs) {
        let mut row = Row::plain(&format!("{millis} ms backend, 24 clients, 32 threads, {name}: CPU µs"), 1);
        row.values[Kind::Rust.column()] = Some(median(values));
        section.push(row);
    }
    let ratios: Vec<f64> = costs[1].iter().zip(&costs[0]).map(|(on, off)| on / off).collect();
    let what = format!("{millis} ms backend, 24 clients: CPU with JkAsync (off = 1)");
    section.goals.push(Goal::at_most(what, median(&ratios), reach, 2));
}
