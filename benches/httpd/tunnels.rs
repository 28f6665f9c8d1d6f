//! Many silent WebSockets through one process with few threads, and what becomes of them when the server stops.
//!
//! `BENCH_TUNNELS` says how many (5,000). Each takes three descriptors of httpd and two of this program. The backend is
//! a thread of this program that agrees to everything and sends back what it gets.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use mod_jk_rs::transport::epoll::{Epoll, Interest};

use crate::Plan;
use crate::http::{self, Shape};
use crate::proc;
use crate::report::{Goal, Row, Section};
use crate::server::{Kind, Running};
use crate::support::{self, websocket};
use crate::waiting::{file, held};

/// Asked for at one time.
const BATCH: usize = 100;
/// Files fetched beside them.
const FILES: usize = 1000;
/// Time that tunnels have when the server stops gracefully, without `GracefulShutdownTimeout`.
const GRACE: f64 = 30.0;

/// Runs all.
pub(crate) fn run(plan: &Plan) -> Section {
    let mut section = Section::new(
        "Silent WebSockets",
        "`JkAsync On`, one process of 10 threads. Memory: growth of the proportional set size of all processes of httpd, kernel memory not \
         included. Threads held: those that are neither idle nor the listener. A graceful stop leaves tunnels 30 seconds; what it took beyond \
         that is shown, of which up to a second passes until the process notices and up to another until its parent looks again. After a plain stop \
         the parent looks for its processes after 16, 80 and 336 ms, 1.3 s and each second, and after 3 seconds it sends SIGTERM again (AH00045).",
    );
    section.decimals = 1;
    let count = count(plan);
    let backend = Echo::start();
    for graceful in [false, true] {
        let server = server(backend.port, count);
        let memory = || {
            server.processes().iter().map(|pid| proc::kib(*pid, "smaps_rollup", "Pss")).sum::<u64>() as f64
        };
        let mut sockets = open(&server, BATCH); // with these comes what a process needs once
        let before = memory();
        let begun = Instant::now();
        while sockets.len() < count + BATCH {
            let more = open(&server, BATCH);
            if more.is_empty() {
                break;
            }
            sockets.extend(more);
        }
        let took = begun.elapsed().as_secs_f64();
        let (established, each) =
            (sockets.len(), (memory() - before) / (sockets.len().max(BATCH + 1) - BATCH) as f64);
        if !graceful {
            let mut figure = |name: &str, value: f64, decimals| {
                let mut row = Row::plain(name, decimals);
                row.values[Kind::Rust.column()] = Some(value);
                section.push(row);
            };
            figure("established at one time", established as f64, 0);
            figure("time for 1,000 of them, s", took * 1000.0 / count as f64, 2);
            figure("memory of each, KiB", each, 1);
            support::poll(Duration::from_secs(5), || held(server.child()) == 0);
            let held = held(server.child()) as f64;
            figure("threads held", held, 0);
            let mut times: Vec<f64> = (0..FILES).map(|_| file(&server).as_secs_f64() * 1000.0).collect();
            times.sort_by(f64::total_cmp);
            let slow = times[FILES * 99 / 100];
            figure("a file meanwhile, ms, 99 of 100", slow, 1);
            let begun = Instant::now();
            let answered = echo(&mut sockets);
            figure("answered when spoken to", answered as f64, 0);
            figure("time for that, s", begun.elapsed().as_secs_f64(), 2);
            let all = (count + BATCH) as f64;
            section.goals.push(Goal::at_least("silent WebSockets established", established as f64, all, 0));
            section.goals.push(Goal::at_least("silent WebSockets that answer", answered as f64, all, 0));
            section.goals.push(Goal::at_most("threads held by silent WebSockets", held, 0.0, 0));
        }
        let signal = if graceful { libc::SIGWINCH } else { libc::SIGTERM };
        // As clients do: they close what has been closed.
        let clients = std::thread::spawn(move || {
            for mut socket in sockets {
                let _ = socket.set_read_timeout(Some(Duration::from_secs(60)));
                let _ = socket.read(&mut [0]);
            }
        });
        let (took, log) = server.stop(signal);
        clients.join().expect("clients");
        let again = log.matches("AH00045").count() as f64;
        let name = if graceful { "graceful stop, s beyond 30" } else { "stop, s" };
        let took = if graceful { took.as_secs_f64() - GRACE } else { took.as_secs_f64() };
        for (name, value, decimals, most) in [
            (name.to_owned(), took, 2, 3.0),
            (format!("{}: AH00045", name.split(',').next().unwrap_or(name)), again, 0, 0.0),
        ] {
            let mut row = Row::plain(&name, decimals);
            row.values[Kind::Rust.column()] = Some(value);
            section.push(row);
            let what = format!("with {established} silent WebSockets: {name}");
            section.goals.push(Goal::at_most(what, value, most, decimals));
        }
    }
    section
}

/// How many, without the first ones.
fn count(plan: &Plan) -> usize {
    let wanted = std::env::var("BENCH_TUNNELS").ok().filter(|text| !text.is_empty());
    let wanted = wanted.map_or(5000, |text| text.parse().expect("BENCH_TUNNELS is a number"));
    let wanted = if plan.quick { wanted.min(1000) } else { wanted };
    let possible = (support::descriptor_limit() - 1000) / 3;
    wanted.min(possible).next_multiple_of(BATCH) - BATCH
}

fn server(port: u16, count: usize) -> Running {
    let conf = format!("JkAsync On\nJkAsyncLimit {}\n", count + 500);
    let site = http::site(Kind::Rust, port, &Shape { threads: 10, conf: &conf, ..Shape::default() });
    let text = site.root.read("httpd.conf") + "AsyncRequestWorkerFactor 2000\nListenBacklog 1000\n";
    site.root.write("httpd.conf", text);
    Running::start(site)
}

/// Asks for so many, one behind the other without waiting; those that the backend has agreed to, up to the first it has not.
fn open(server: &Running, count: usize) -> Vec<TcpStream> {
    let request = websocket::wish("/app/ws", "");
    let asked: Vec<TcpStream> = (0..count)
        .filter_map(|_| {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.site.port)).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
            stream.write_all(request.as_bytes()).ok().map(|()| stream)
        })
        .collect();
    asked.into_iter().map_while(|mut stream| agreed(&mut stream).then_some(stream)).collect()
}

/// Reads a head; true when it is a 101.
fn agreed(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(n @ 1..) => head.extend_from_slice(&buffer[..n]),
            _ => return false,
        }
    }
    head.starts_with(b"HTTP/1.1 101 ")
}

/// Speaks to all of them; how many answer with what they were told.
fn echo(sockets: &mut [TcpStream]) -> usize {
    let mut answered = 0;
    for batch in sockets.chunks_mut(BATCH) {
        for (number, socket) in batch.iter_mut().enumerate() {
            let _ = socket.write_all(&text(number));
        }
        for (number, socket) in batch.iter_mut().enumerate() {
            let mut got = [0; 8];
            answered += usize::from(socket.read_exact(&mut got).is_ok() && got == text(number));
        }
    }
    answered
}

fn text(number: usize) -> [u8; 8] {
    (number as u64).to_be_bytes()
}

/// A backend that agrees to every WebSocket and sends back what it gets. Its thread ends with the program.
struct Echo {
    port: u16,
}

impl Echo {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        listener.set_nonblocking(true).expect("nonblocking");
        let port = listener.local_addr().expect("address").port();
        std::thread::spawn(move || {
            let set = Epoll::new().expect("epoll");
            set.watch(listener.as_raw_fd(), READABLE, u64::MAX).expect("watch");
            let mut peers: std::collections::HashMap<u64, Peer> = std::collections::HashMap::new();
            loop {
                let mut ready = Vec::new();
                set.wait(Duration::from_secs(60), |event| ready.push(event.key)).expect("wait");
                for key in ready {
                    if key == u64::MAX {
                        while let Ok((stream, _)) = listener.accept() {
                            stream.set_nonblocking(true).expect("nonblocking");
                            let key = u64::try_from(stream.as_raw_fd()).expect("a descriptor");
                            set.watch(stream.as_raw_fd(), READABLE, key).expect("watch");
                            peers.insert(key, Peer { stream, head: Some(Vec::new()) });
                        }
                        watch_again(&set, listener.as_raw_fd(), key);
                    } else if let Some(peer) = peers.get_mut(&key) {
                        if peer.serve() {
                            watch_again(&set, peer.stream.as_raw_fd(), key);
                        } else {
                            peers.remove(&key); // closed, and so out of the set
                        }
                    }
                }
            }
        });
        Self { port }
    }
}

const READABLE: Interest = Interest { readable: true, writable: false };

/// A watch ends with its first event.
fn watch_again(set: &Epoll, descriptor: i32, key: u64) {
    set.forget(descriptor);
    set.watch(descriptor, READABLE, key).expect("watch");
}

/// A connection; `head` as long as that of the request is not complete.
struct Peer {
    stream: TcpStream,
    head: Option<Vec<u8>>,
}

impl Peer {
    /// False: it has ended.
    fn serve(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let got = match self.stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(got) => &buffer[..got],
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        };
        let Some(head) = &mut self.head else { return self.stream.write_all(got).is_ok() };
        head.extend_from_slice(got);
        if !head.ends_with(b"\r\n\r\n") {
            return true;
        }
        self.head = None;
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            websocket::ACCEPT
        );
        self.stream.write_all(answer.as_bytes()).is_ok()
    }
}
