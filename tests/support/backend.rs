//! A scripted backend inside the test process, and its record of everything that happened on each connection.
//!
//! It speaks AJP unless [`Builder::over`] says otherwise. One thread per connection. Pings are answered, requests are decoded
//! strictly ([`super::forward`], [`super::http_request`]), and a script answers ([`super::script`]). Every breach of the protocol by the module is an [`Event::Error`], which
//! [`Backend::assert_no_errors`] reports; dropping a backend with errors on record fails the test too, unless
//! [`Backend::forgive_errors`] was called.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::authority::{Authority, Valid};
use super::forward::ForwardRequest;
use super::framing::{Framing, Incoming};
use super::framing_ajp::Ajp;
use super::framing_http::{Http, PING};
pub use super::gate::Gate;
use super::link::Link;
pub use super::listener::{Address, linger_zero};
use super::listener::{Listener, Socket, reserve};
use super::protocols::Over;
pub use super::record::{ConnectionLog, Event};
use super::script::{self, Conversation};

/// Decides the answer to a request.
pub type Script = dyn Fn(&ForwardRequest, &mut Conversation) + Send + Sync;

/// How a backend is to be started.
pub struct Builder {
    script: Box<Script>,
    packet_size: usize,
    secret: Option<String>,
    address: Address,
    over: Over,
    answer_pings: bool,
}

impl Builder {
    /// What it speaks, and over what; default: AJP over TCP.
    pub fn over(mut self, over: Over) -> Self {
        self.over = over;
        if over.is_unix() { self.unix() } else { self }
    }

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
        let name = format!("jk-{}-{}.sock", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
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
        assert!(self.over.is_ajp() || self.secret.is_none(), "HTTP has no secret");
        let mut backend = Backend {
            shared: Arc::new(Shared {
                script: self.script,
                over: self.over,
                packet_size: self.packet_size,
                secret: self.secret,
                answer_pings: AtomicBool::new(self.answer_pings),
                connections: Mutex::new(Vec::new()),
                changed: Condvar::new(),
            }),
            address: self.address,
            authority: (self.over == Over::Https).then(Authority::new),
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
    over: Over,
    packet_size: usize,
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
    /// Who has signed its certificate.
    authority: Option<Authority>,
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
            over: Over::Ajp,
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

    /// Lines for `workers.properties` that define a worker for this backend, without `worker.list`.
    pub fn member(&self, name: &str) -> String {
        let mut rows = vec![format!("type={}", self.shared.over.worker_type())];
        match &self.address {
            Address::Tcp(at) => rows.extend([format!("host={}", at.ip()), format!("port={}", at.port())]),
            Address::Unix(path) => rows.push(format!("host=unix:{}", path.display())),
        }
        if !self.shared.over.is_ajp() {
            rows.push(format!("ping_uri={PING}"));
        }
        rows.extend(self.authority.iter().map(|authority| format!("tls_ca={}", authority.file().display())));
        rows.extend(self.shared.secret.iter().map(|secret| format!("secret={secret}")));
        if self.shared.over.is_ajp() && self.shared.packet_size != 8192 {
            rows.push(format!("max_packet_size={}", self.shared.packet_size));
        }
        rows.iter().map(|row| format!("worker.{name}.{row}\n")).collect()
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
            if let Some(mut socket) = held.socket.take() {
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
        let tls = self.authority.as_ref().map(|authority| {
            let issued = authority.issue(&["127.0.0.1", "::1", "localhost"], Valid::Now);
            Authority::server(&issued, None, rustls::ALL_VERSIONS)
        });
        let listener = Listener::bind(&mut self.address, tls);
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
                    connections.push(Held { log, socket: socket.handle().ok() });
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
    let framing: Box<dyn Framing> = if shared.over.is_ajp() {
        Box::new(Ajp { packet_size: shared.packet_size })
    } else {
        Box::new(Http::default())
    };
    let ask = u16::try_from(shared.packet_size - 6).unwrap_or(u16::MAX);
    let mut conversation = Conversation::new(Link::new(Arc::clone(shared), id, socket), framing, ask);
    while let Some(incoming) = conversation.next() {
        if conversation.is_spent() {
            shared.record(id, Event::Error("a message behind the response that forbade reuse".into()));
            break;
        }
        let request = match incoming {
            Incoming::Ping => {
                shared.record(id, Event::CPing);
                if shared.answer_pings.load(Ordering::Relaxed) {
                    conversation.pong();
                }
                continue;
            }
            Incoming::Request(request) => Arc::new(*request),
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
