//! A scripted AJP backend inside the test process, and its record of everything that happened on each connection.
//!
//! One thread per connection. CPings are answered, Forward Requests are decoded strictly ([`super::forward`]), and a script
//! answers ([`super::script`]). Every breach of the protocol by the module is an [`Event::Error`], which
//! [`Backend::assert_no_errors`] reports; dropping a backend with errors on record fails the test too, unless
//! [`Backend::forgive_errors`] was called.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::forward::ForwardRequest;
pub use super::listener::{Address, linger_zero};
use super::listener::{Listener, Socket, reserve};
use super::script::{self, Conversation};

/// Decides the answer to a request.
pub type Script = dyn Fn(&ForwardRequest, &mut Conversation) + Send + Sync;

/// Something that happened on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A CPing came (it was answered unless pings are ignored).
    CPing,
    /// A Forward Request came.
    Request(Arc<ForwardRequest>),
    /// A body packet came.
    Body {
        /// Data octets in it; 0 is the end of the body.
        len: usize,
        /// What the Get Body Chunk had asked for; `None` for the first packet of a known length, which comes unasked.
        asked: Option<u16>,
    },
    /// End Response was sent.
    Ended {
        /// Its reuse flag.
        reuse: bool,
    },
    /// The peer closed between packets.
    Eof,
    /// The peer closed inside a packet.
    Cut,
    /// Reading or writing failed.
    Broken(io::ErrorKind),
    /// The script (or [`Backend::stop`]) closed.
    Closed,
    /// The request carried a wrong secret, or none, and was answered 403.
    WrongSecret,
    /// The module broke the protocol.
    Error(String),
}

/// What happened on one connection.
#[derive(Debug, Clone)]
pub struct ConnectionLog {
    /// Counts from 0 in order of acceptance.
    pub id: usize,
    /// When it was accepted.
    pub opened: Instant,
    /// Events in order, with their times.
    pub events: Vec<(Instant, Event)>,
    /// The connection still exists on this side.
    pub open: bool,
}

impl ConnectionLog {
    /// The requests it carried.
    pub fn requests(&self) -> Vec<Arc<ForwardRequest>> {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::Request(request) => Some(Arc::clone(request)),
                _ => None,
            })
            .collect()
    }

    /// The event occurred.
    pub fn saw(&self, wanted: &Event) -> bool {
        self.events.iter().any(|(_, event)| event == wanted)
    }

    /// The body packets: length, and what was asked for.
    pub fn bodies(&self) -> Vec<(usize, Option<u16>)> {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::Body { len, asked } => Some((*len, *asked)),
                _ => None,
            })
            .collect()
    }
}

/// Holds scripts back until the test lets them go.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    waiting: usize,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until it is open (at most [`super::PATIENCE`], so that no thread hangs for ever).
    pub fn wait(&self) {
        let (state, bell) = &*self.0;
        let mut held = state.lock().expect("gate");
        held.waiting += 1;
        bell.notify_all();
        let (mut held, _) = bell.wait_timeout_while(held, super::PATIENCE, |s| !s.open).expect("gate");
        held.waiting -= 1;
    }

    /// Opens it for good.
    pub fn open(&self) {
        self.0.0.lock().expect("gate").open = true;
        self.0.1.notify_all();
    }

    /// Scripts that wait at it.
    pub fn waiting(&self) -> usize {
        self.0.0.lock().expect("gate").waiting
    }

    /// Blocks the test until `count` scripts wait at it.
    #[track_caller]
    pub fn await_waiting(&self, count: usize) {
        let (state, bell) = &*self.0;
        let held = state.lock().expect("gate");
        let (held, late) =
            bell.wait_timeout_while(held, super::PATIENCE, |s| s.waiting < count).expect("gate");
        assert!(!late.timed_out(), "{} of {count} scripts came to the gate", held.waiting);
    }
}

/// How a backend is to be started.
pub struct Builder {
    script: Box<Script>,
    packet_size: usize,
    secret: Option<String>,
    address: Address,
    answer_pings: bool,
}

impl Builder {
    /// The answer to each request; default: [`script::default_script`].
    pub fn script(
        mut self,
        script: impl Fn(&ForwardRequest, &mut Conversation) + Send + Sync + 'static,
    ) -> Self {
        self.script = Box::new(script);
        self
    }

    /// Largest packet in octets, frame header included; default 8192.
    pub fn packet_size(mut self, octets: usize) -> Self {
        self.packet_size = octets;
        self
    }

    /// Requests without this secret are answered 403, as Tomcat does.
    pub fn secret(mut self, secret: &str) -> Self {
        self.secret = Some(secret.to_owned());
        self
    }

    /// Listens on [::1] instead of 127.0.0.1.
    pub fn ipv6(mut self) -> Self {
        self.address = Address::Tcp(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0)));
        self
    }

    /// Listens on a given port of 127.0.0.1 (from [`super::ports::free_port`]).
    pub fn port(mut self, port: u16) -> Self {
        self.address = Address::Tcp(SocketAddr::from(([127, 0, 0, 1], port)));
        self
    }

    /// Listens on a UNIX socket at a short path of its own that every user may connect to.
    pub fn unix(mut self) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("ajp-{}-{}.sock", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // Not below the target directory: a socket path has room for 107 octets only.
        self.address = Address::Unix(std::env::temp_dir().join(name));
        self
    }

    /// CPings are read and left without answer.
    pub fn ignore_pings(mut self) -> Self {
        self.answer_pings = false;
        self
    }

    /// Listens and serves.
    pub fn start(self) -> Backend {
        let mut backend = Backend {
            shared: Arc::new(Shared {
                script: self.script,
                packet_size: self.packet_size,
                secret: self.secret,
                answer_pings: AtomicBool::new(self.answer_pings),
                connections: Mutex::new(Vec::new()),
                changed: Condvar::new(),
            }),
            address: self.address,
            listening: None,
            reserved: None,
            forgiving: false,
        };
        backend.listen();
        backend
    }
}

/// State shared with the connection threads.
pub(super) struct Shared {
    script: Box<Script>,
    pub(super) packet_size: usize,
    secret: Option<String>,
    answer_pings: AtomicBool,
    connections: Mutex<Vec<Held>>,
    changed: Condvar,
}

struct Held {
    log: ConnectionLog,
    /// To end the connection from outside its thread.
    socket: Option<Socket>,
}

impl Shared {
    pub(super) fn record(&self, id: usize, event: Event) {
        self.connections.lock().expect("log")[id].log.events.push((Instant::now(), event));
        self.changed.notify_all();
    }

    /// Gives up the second handle of a connection's socket.
    pub(super) fn forget_socket(&self, id: usize) {
        self.connections.lock().expect("log")[id].socket = None;
    }
}

/// A running backend.
pub struct Backend {
    shared: Arc<Shared>,
    address: Address,
    listening: Option<(Arc<AtomicBool>, std::thread::JoinHandle<()>)>,
    /// The port, while nobody listens there.
    reserved: Option<std::os::fd::OwnedFd>,
    forgiving: bool,
}

impl Backend {
    /// A backend to be configured.
    pub fn builder() -> Builder {
        Builder {
            script: Box::new(script::default_script),
            packet_size: 8192,
            secret: None,
            address: Address::Tcp(SocketAddr::from(([127, 0, 0, 1], super::ports::free_port()))),
            answer_pings: true,
        }
    }

    /// A backend with the default script.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A backend with `script`.
    pub fn scripted(script: impl Fn(&ForwardRequest, &mut Conversation) + Send + Sync + 'static) -> Self {
        Self::builder().script(script).start()
    }

    /// Its TCP port.
    pub fn port(&self) -> u16 {
        match &self.address {
            Address::Tcp(address) => address.port(),
            Address::Unix(path) => panic!("{} has no port", path.display()),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Lines for `workers.properties` that define an `ajp13` worker for this backend, without `worker.list`.
    pub fn member(&self, name: &str) -> String {
        let mut lines = match &self.address {
            Address::Tcp(at) => {
                format!(
                    "worker.{name}.type=ajp13\nworker.{name}.host={}\nworker.{name}.port={}\n",
                    at.ip(),
                    at.port()
                )
            }
            Address::Unix(path) => {
                format!("worker.{name}.type=ajp13\nworker.{name}.host=unix:{}\n", path.display())
            }
        };
        if let Some(secret) = &self.shared.secret {
            lines.push_str(&format!("worker.{name}.secret={secret}\n"));
        }
        if self.shared.packet_size != 8192 {
            lines.push_str(&format!("worker.{name}.max_packet_size={}\n", self.shared.packet_size));
        }
        lines
    }

    /// As [`Backend::member`], with `worker.list`.
    pub fn worker(&self, name: &str) -> String {
        format!("worker.list={name}\n{}", self.member(name))
    }

    /// What happened so far, one entry per connection.
    pub fn log(&self) -> Vec<ConnectionLog> {
        self.shared.connections.lock().expect("log").iter().map(|held| held.log.clone()).collect()
    }

    /// All requests so far, by connection.
    pub fn requests(&self) -> Vec<Arc<ForwardRequest>> {
        self.log().iter().flat_map(ConnectionLog::requests).collect()
    }

    /// The request that came last on the newest connection that carried any.
    #[track_caller]
    pub fn last_request(&self) -> Arc<ForwardRequest> {
        let log = self.log();
        let newest =
            log.iter().flat_map(|connection| &connection.events).filter_map(|(at, event)| match event {
                Event::Request(request) => Some((at, request)),
                _ => None,
            });
        newest.max_by_key(|(at, _)| **at).map(|(_, request)| Arc::clone(request)).expect("no request came")
    }

    /// Connections that exist now.
    pub fn open_connections(&self) -> usize {
        self.log().iter().filter(|connection| connection.open).count()
    }

    /// CPings so far.
    pub fn pings(&self) -> usize {
        self.log().iter().flat_map(|c| &c.events).filter(|(_, event)| *event == Event::CPing).count()
    }

    /// Breaches of the protocol so far.
    pub fn errors(&self) -> Vec<String> {
        let log = self.log();
        let errors = log.iter().flat_map(|c| c.events.iter().map(move |(_, event)| (c.id, event)));
        errors
            .filter_map(|(id, event)| match event {
                Event::Error(text) => Some(format!("connection {id}: {text}")),
                _ => None,
            })
            .collect()
    }

    /// Fails when the module broke the protocol.
    #[track_caller]
    pub fn assert_no_errors(&self) {
        let errors = self.errors();
        assert!(errors.is_empty(), "the module broke the protocol: {errors:#?}");
    }

    /// Errors on record do not fail the test when the backend is dropped.
    pub fn forgive_errors(&mut self) {
        self.forgiving = true;
    }

    /// Waits until the log satisfies `condition`; panics with the log after [`super::PATIENCE`].
    #[track_caller]
    pub fn wait_for(&self, what: &str, condition: impl Fn(&[ConnectionLog]) -> bool) {
        let deadline = Instant::now() + super::PATIENCE;
        let mut held = self.shared.connections.lock().expect("log");
        loop {
            let log: Vec<_> = held.iter().map(|held| held.log.clone()).collect();
            if condition(&log) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(held);
                panic!("waited in vain: {what}; log: {log:#?}");
            }
            held =
                self.shared.changed.wait_timeout(held, left.min(Duration::from_millis(200))).expect("log").0;
        }
    }

    /// CPings are answered from now on, or not.
    pub fn answer_pings(&self, answer: bool) {
        self.shared.answer_pings.store(answer, Ordering::Relaxed);
    }

    /// Stops listening and closes all connections: a backend that died. Connecting is refused from now on.
    pub fn stop(&mut self) {
        self.stop_listening();
        self.close_connections();
    }

    /// Closes all connections and goes on listening.
    pub fn close_connections(&self) {
        let mut connections = self.shared.connections.lock().expect("log");
        for held in connections.iter_mut().filter(|held| held.log.open) {
            if let Some(socket) = held.socket.take() {
                held.log.events.push((Instant::now(), Event::Closed));
                held.log.open = false;
                socket.shutdown();
            }
        }
    }

    /// Stops listening; connections stay.
    pub fn stop_listening(&mut self) {
        let Some((stop, thread)) = self.listening.take() else { return };
        stop.store(true, Ordering::Release);
        // The accepting thread sees the flag when it is woken by a connection.
        match &self.address {
            Address::Tcp(address) => drop(TcpStream::connect(address)),
            Address::Unix(path) => drop(UnixStream::connect(path)),
        }
        let _ = thread.join();
        self.reserved = reserve(&self.address);
        if let Address::Unix(path) = &self.address {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Listens again at the same address after [`Backend::stop`].
    pub fn listen(&mut self) {
        assert!(self.listening.is_none(), "the backend listens already");
        self.reserved = None;
        let listener = Listener::bind(&mut self.address);
        let stop = Arc::new(AtomicBool::new(false));
        let (flag, shared) = (Arc::clone(&stop), Arc::clone(&self.shared));
        let thread = std::thread::spawn(move || {
            while let Ok(socket) = listener.accept() {
                if flag.load(Ordering::Acquire) {
                    break;
                }
                let id = {
                    let mut connections = shared.connections.lock().expect("log");
                    let log = ConnectionLog {
                        id: connections.len(),
                        opened: Instant::now(),
                        events: Vec::new(),
                        open: true,
                    };
                    connections.push(Held { log, socket: socket.try_clone().ok() });
                    connections.len() - 1
                };
                shared.changed.notify_all();
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(&shared, id, socket));
            }
        });
        self.listening = Some((stop, thread));
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stop();
        if !self.forgiving && !std::thread::panicking() {
            self.assert_no_errors();
        }
    }
}

/// Serves one connection until it ends.
fn serve(shared: &Arc<Shared>, id: usize, socket: Socket) {
    let mut conversation = Conversation::new(Arc::clone(shared), id, socket);
    while let Some(payload) = conversation.next_packet() {
        if conversation.is_spent() {
            shared.record(id, Event::Error("packet behind End Response that forbade reuse".into()));
            break;
        }
        if payload == [10] {
            shared.record(id, Event::CPing);
            if shared.answer_pings.load(Ordering::Relaxed) {
                conversation.send(b"\x41\x42\x00\x01\x09");
            }
            continue;
        }
        let request = match ForwardRequest::decode(&payload) {
            Ok(request) if request.packet_len <= shared.packet_size => Arc::new(request),
            Ok(request) => {
                shared.record(id, Event::Error(format!("packet of {} octets", request.packet_len)));
                break;
            }
            Err(text) => {
                shared.record(id, Event::Error(format!("{text}, in packet {payload:02x?}")));
                break;
            }
        };
        shared.record(id, Event::Request(Arc::clone(&request)));
        conversation.begin(&request);
        if shared.secret.is_some() && shared.secret != request.secret {
            shared.record(id, Event::WrongSecret);
            conversation.send_headers(403, "403", &[]);
            conversation.end(false);
        } else {
            // A script that panics is a failed test, but in another thread: make it visible as an error.
            let run = std::panic::AssertUnwindSafe(|| (shared.script)(&request, &mut conversation));
            if let Err(panic) = std::panic::catch_unwind(run) {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("(no text)");
                shared.record(id, Event::Error(format!("the script panicked: {text}")));
                break;
            }
        }
        if !conversation.finish() {
            break;
        }
    }
    conversation.close();
    let mut connections = shared.connections.lock().expect("log");
    connections[id].log.open = false;
    connections[id].socket = None;
    drop(connections);
    shared.changed.notify_all();
}
