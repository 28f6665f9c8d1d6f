//! An HTTP server that says what it is told to: it reads one request after the other from each connection, notes what it
//! got, and gives the stream to a script. Loopback only; gone when dropped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::PATIENCE;

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
type Script = dyn Fn(&Asked, &mut TcpStream) -> bool + Send + Sync;

/// What the threads share.
struct Shared {
    script: Box<Script>,
    before_body: bool,
    asked: Mutex<Vec<Asked>>,
    streams: Mutex<Vec<TcpStream>>,
    stop: AtomicBool,
}

/// The server.
pub(crate) struct HttpBackend {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl HttpBackend {
    /// Answers complete requests.
    pub(crate) fn start(script: impl Fn(&Asked, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        Self::with(0, false, Box::new(script))
    }

    /// Answers when the head of a request is there.
    pub(crate) fn before_body(
        script: impl Fn(&Asked, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::with(0, true, Box::new(script))
    }

    /// Answers everything with its name, and keeps the connection.
    pub(crate) fn named(name: &'static str) -> Self {
        Self::start(move |_, stream| say(stream, "200 OK", "Content-Type: text/plain\r\n", name.as_bytes()))
    }

    fn with(port: u16, before_body: bool, script: Box<Script>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("bind");
        let port = listener.local_addr().expect("address").port();
        let shared = Arc::new(Shared {
            script,
            before_body,
            asked: Mutex::default(),
            streams: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().flatten().enumerate() {
                if own.stop.load(Ordering::SeqCst) {
                    return;
                }
                own.streams.lock().unwrap().push(stream.try_clone().expect("clone"));
                let shared = Arc::clone(&own);
                std::thread::spawn(move || shared.serve(connection, stream));
            }
        });
        Self { port, shared, thread: Some(thread) }
    }

    /// Lines of a worker without `worker.list`; `more` are its further properties, one per line.
    pub(crate) fn member(&self, name: &str, more: &str) -> String {
        let mut text = format!(
            "worker.{name}.type=http\nworker.{name}.host=127.0.0.1\nworker.{name}.port={}\n",
            self.port
        );
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
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for stream in self.shared.streams.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn serve(&self, connection: usize, stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(PATIENCE * 2));
        let mut reader = BufReader::new(stream.try_clone().expect("clone"));
        let mut stream = stream;
        while let Some(mut asked) = head(&mut reader) {
            asked.connection = connection;
            if !self.before_body {
                let Some(body) = body(&asked, &mut reader) else { break };
                asked.body = body;
            }
            self.asked.lock().unwrap().push(asked.clone());
            if !(self.script)(&asked, &mut stream) {
                break;
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
    }
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
pub(crate) fn say(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> bool {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    send(stream, [head.as_bytes(), body].concat())
}

/// Sends octets as they are; true.
pub(crate) fn send(stream: &mut TcpStream, octets: impl AsRef<[u8]>) -> bool {
    let _ = stream.write_all(octets.as_ref());
    true
}
