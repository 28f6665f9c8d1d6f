//! An HTTP server that says what it is told to: it reads one request after the other from each connection, notes what it
//! got, and gives the stream to a script. Loopback only; gone when dropped.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::authority::Authority;
pub(crate) use crate::wire::{Agreed, Over};
use crate::wire::{Place, Wire};

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// Which connection, from 0.
    pub(crate) connection: usize,
    /// The request line.
    pub(crate) line: String,
    /// Header lines in order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, without chunks; empty when the script answers first.
    pub(crate) body: Vec<u8>,
    /// What TLS has agreed on.
    pub(crate) agreed: Option<Agreed>,
    /// Octets in front of the connection that are no HTTP (a PROXY header).
    pub(crate) preface: Vec<u8>,
}

impl Asked {
    /// Values of all header lines of that name.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let same = |(other, _): &&(String, String)| other.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }

    /// The path with query.
    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or("")
    }
}

/// Answers a request; false closes the connection.
type Script = dyn Fn(&Asked, &mut Wire) -> bool + Send + Sync;

/// What the threads share.
struct Shared {
    script: Box<Script>,
    before_body: bool,
    asked: Mutex<Vec<Asked>>,
    handles: Mutex<Vec<Box<dyn Fn() + Send>>>,
    connections: AtomicUsize,
    preface: bool,
    stop: AtomicBool,
}

/// The server.
pub(crate) struct HttpBackend {
    port: u16,
    properties: String,
    _authority: Option<Authority>,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl HttpBackend {
    /// Answers complete requests.
    pub(crate) fn start(script: impl Fn(&Asked, &mut Wire) -> bool + Send + Sync + 'static) -> Self {
        Self::start_over(Over::Http, script)
    }

    /// Answers everything with its name, and keeps the connection.
    pub(crate) fn named(name: &'static str) -> Self {
        Self::start(move |_, stream| say(stream, "200 OK", "Content-Type: text/plain\r\n", name.as_bytes()))
    }

    /// As [`HttpBackend::start`], over something.
    pub(crate) fn start_over(
        over: Over,
        script: impl Fn(&Asked, &mut Wire) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::with(Place::of(over), false, false, Box::new(script))
    }

    /// Answers when the head of a request is there, over something.
    pub(crate) fn before_body_over(
        over: Over,
        script: impl Fn(&Asked, &mut Wire) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::with(Place::of(over), true, false, Box::new(script))
    }

    /// Behind PROXY headers of version 2, which come before TLS.
    pub(crate) fn proxied(over: Over) -> Self {
        let script = |_: &Asked, stream: &mut Wire| say(stream, "200 OK", "", b"x");
        Self::with(Place::of(over), false, true, Box::new(script))
    }

    /// Over TLS as `server` says.
    pub(crate) fn tls(
        server: Arc<rustls::ServerConfig>,
        script: impl Fn(&Asked, &mut Wire) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::with((Place::tls(server), String::new(), None), false, false, Box::new(script))
    }

    fn with(
        (place, more, authority): (Place, String, Option<Authority>),
        before_body: bool,
        preface: bool,
        script: Box<Script>,
    ) -> Self {
        let (port, properties) = (place.port(), format!("{}\n{more}", place.properties()));
        let shared = Arc::new(Shared {
            script,
            before_body,
            preface,
            asked: Mutex::default(),
            handles: Mutex::default(),
            connections: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            while let Ok(wire) = place.accept() {
                if own.stop.load(Ordering::SeqCst) {
                    return;
                }
                own.handles.lock().unwrap().push(wire.handle());
                let connection = own.connections.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&own);
                std::thread::spawn(move || shared.serve(connection, wire));
            }
        });
        Self { port, properties, _authority: authority, shared, thread: Some(thread) }
    }

    /// Connections that were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Ends all connections that there are.
    pub(crate) fn cut_all(&self) {
        self.shared.handles.lock().unwrap().drain(..).for_each(|cut| cut());
    }

    /// Lines of a worker without `worker.list`; `more` are its further properties, one per line.
    pub(crate) fn member(&self, name: &str, more: &str) -> String {
        let mut text = String::new();
        for line in self.properties.lines().filter(|line| !line.is_empty()) {
            text.push_str(&format!("worker.{name}.{line}\n"));
        }
        for line in more.lines() {
            text.push_str(&format!("worker.{name}.{}\n", line.trim()));
        }
        text
    }

    /// The same with `worker.list`.
    pub(crate) fn worker(&self, name: &str, more: &str) -> String {
        format!("worker.list={name}\n{}", self.member(name, more))
    }

    /// Its port at 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// The last request.
    #[track_caller]
    pub(crate) fn last(&self) -> Asked {
        self.asked().pop().expect("a request")
    }
}

impl Drop for HttpBackend {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        Place::knock(&self.properties);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.cut_all();
    }
}

/// A connection that is read and written in turn.
struct Turns(Rc<RefCell<Wire>>);

impl Read for Turns {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().read(buffer)
    }
}

impl Shared {
    fn serve(&self, connection: usize, mut wire: Wire) {
        let preface = if self.preface { preface(&mut wire) } else { Vec::new() };
        let wire = Rc::new(RefCell::new(wire));
        let mut reader = BufReader::new(Turns(Rc::clone(&wire)));
        while let Some(mut asked) = head(&mut reader) {
            (asked.connection, asked.preface) = (connection, preface.clone());
            asked.agreed = wire.borrow().agreed();
            if !self.before_body {
                let Some(body) = body(&asked, &mut reader) else { break };
                asked.body = body;
            }
            self.asked.lock().unwrap().push(asked.clone());
            if !(self.script)(&asked, &mut wire.borrow_mut()) {
                break;
            }
        }
        wire.borrow_mut().finish();
    }
}

/// A PROXY header, from the socket itself: TLS begins behind it.
fn preface(wire: &mut Wire) -> Vec<u8> {
    let socket: &mut dyn Read = match wire {
        Wire::Tls(tls) => &mut tls.sock,
        other => other,
    };
    let mut header = vec![0; 16];
    if socket.read_exact(&mut header).is_err() {
        return Vec::new();
    }
    let start = header.len();
    header.resize(start + usize::from(u16::from_be_bytes([header[14], header[15]])), 0);
    let _ = socket.read_exact(&mut header[start..]);
    header
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut octets = Vec::new();
    reader.read_until(b'\n', &mut octets).ok()?;
    Some(String::from_utf8_lossy(octets.strip_suffix(b"\r\n")?).into_owned())
}

fn head(reader: &mut impl BufRead) -> Option<Asked> {
    let mut asked = Asked { line: line(reader)?, ..Asked::default() };
    loop {
        let line = line(reader)?;
        let Some((name, value)) = line.split_once(": ") else { return line.is_empty().then_some(asked) };
        asked.headers.push((name.to_owned(), value.to_owned()));
    }
}

fn body(asked: &Asked, reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    if asked.header("Transfer-Encoding") == ["chunked"] {
        loop {
            let size = u64::from_str_radix(&line(reader)?, 16).ok()?;
            let before = body.len();
            reader.take(size).read_to_end(&mut body).ok()?;
            if (body.len() - before) as u64 != size || !line(reader)?.is_empty() {
                return None;
            }
            if size == 0 {
                return Some(body);
            }
        }
    }
    let length: u64 = asked.header("Content-Length").first().map_or(Some(0), |text| text.parse().ok())?;
    reader.take(length).read_to_end(&mut body).ok()?;
    (body.len() as u64 == length).then_some(body)
}

/// Sends a response with Content-Length; true.
pub(crate) fn say(stream: &mut Wire, status: &str, headers: &str, body: &[u8]) -> bool {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    send(stream, [head.as_bytes(), body].concat())
}

/// Sends octets as they are; true.
pub(crate) fn send(stream: &mut Wire, octets: impl AsRef<[u8]>) -> bool {
    let _ = stream.write_all(octets.as_ref());
    let _ = stream.flush();
    true
}
