//! The load: clients with keep-alive, each a thread that sends a request, reads the answer and begins again.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// A request and what is expected of the answer.
#[derive(Clone)]
pub(crate) struct Work {
    head: Vec<u8>,
    body: usize,
    /// Octets of the expected body; `None`: any.
    answer: Option<usize>,
}

impl Work {
    /// GET with `headers` headers besides Host.
    pub(crate) fn get(path: &str, headers: usize, answer: Option<usize>) -> Self {
        let mut head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n");
        for number in 0..headers {
            head += &format!("X-Request-{number}: value-{number}\r\n");
        }
        head += "\r\n";
        Self { head: head.into_bytes(), body: 0, answer }
    }

    /// POST of `body` octets.
    pub(crate) fn post(path: &str, body: usize) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {body}\r\n\r\n"
        );
        // The backend answers with the number and a line feed.
        Self { head: head.into_bytes(), body, answer: Some(body.to_string().len() + 1) }
    }

    /// The same with a cookie of a session that belongs to the node `route`.
    pub(crate) fn of_session(mut self, route: &str) -> Self {
        self.head.truncate(self.head.len() - 2);
        let cookie = format!("Cookie: JSESSIONID=0123456789ABCDEF0123456789ABCDEF.{route}\r\n\r\n");
        self.head.extend_from_slice(cookie.as_bytes());
        self
    }
}

/// Octets written and read at once.
const PIECE: usize = 256 * 1024;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    payload: Vec<u8>,
    port: u16,
    /// The connection has carried a request.
    used: bool,
    /// The octets of the last answer's body that came together with its head.
    body: Range<usize>,
}

impl Client {
    /// Connects; a server under a tool may need some time before it listens.
    pub(crate) fn connect(port: u16) -> Self {
        let deadline = Instant::now() + Duration::from_secs(120);
        let stream = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => break stream,
                Err(e) if Instant::now() >= deadline => panic!("port {port}: {e}"),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        stream.set_nodelay(true).expect("nodelay");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("timeout");
        Self { stream, buffer: vec![0; PIECE], payload: Vec::new(), port, used: false, body: 0..0 }
    }

    /// Sends the request `count` times.
    pub(crate) fn repeat(&mut self, work: &Work, count: usize) {
        for _ in 0..count {
            self.one(work);
        }
    }

    /// One request and its answer.
    ///
    /// The event MPM closes idle connections while all its threads are busy, so a connection may turn out to be closed when
    /// it is used again; then the request goes over a new one, as every client does it.
    pub(crate) fn one(&mut self, work: &Work) {
        if let Err(error) = self.attempt(work) {
            let line = work.head.split(|octet| *octet == b'\r').next().unwrap_or_default();
            panic!("{}: {error}", String::from_utf8_lossy(line));
        }
    }

    /// As [`Client::one`], for requests that may fail.
    ///
    /// # Errors
    /// Nothing was answered, or something else than was expected; the next request gets a new connection.
    pub(crate) fn attempt(&mut self, work: &Work) -> io::Result<()> {
        let mut result = self.exchange(work);
        if self.used && result.as_ref().is_err_and(closed) {
            *self = Self::connect(self.port);
            result = self.exchange(work);
        }
        self.used = true;
        if result.is_err() {
            *self = Self::connect(self.port);
        }
        result
    }

    /// The body of the last answer, if it was a short one; of a chunked one its first chunk.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.buffer[self.body.clone()]).into_owned();
        match text.split("\r\n").collect::<Vec<_>>()[..] {
            [_size, first, ..] => first.to_owned(),
            _ => text,
        }
    }

    fn exchange(&mut self, work: &Work) -> io::Result<()> {
        self.stream.write_all(&work.head)?;
        self.payload.resize(work.body.min(PIECE), b'x');
        let mut left = work.body;
        while left > 0 {
            let now = left.min(PIECE);
            self.stream.write_all(&self.payload[..now])?;
            left -= now;
        }
        let mut filled = 0;
        let (head, framing) = loop {
            filled += match self.read(filled) {
                Err(error) if filled > 0 => return Err(io::Error::other(format!("inside a head: {error}"))),
                other => other?,
            };
            if let Some(end) = self.buffer[..filled].windows(4).position(|octets| octets == b"\r\n\r\n") {
                break (end + 4, framing(&self.buffer[..end])?);
            }
        };
        self.body = head..filled;
        let length = self
            .rest(framing, head, filled)
            .map_err(|error| io::Error::other(format!("inside a body: {error}")))?;
        if work.answer.is_some_and(|expected| expected != length) {
            return Err(io::Error::other(format!("a body of {length} octets, {:?} expected", work.answer)));
        }
        Ok(())
    }

    /// Reads the body, of which `buffer[head..filled]` is here; returns its length.
    fn rest(&mut self, framing: Option<usize>, head: usize, filled: usize) -> io::Result<usize> {
        match framing {
            Some(length) => {
                let surplus = || io::Error::other("surplus octets");
                let mut left = length.checked_sub(filled - head).ok_or_else(surplus)?;
                while left > 0 {
                    left = left.checked_sub(self.read(0)?).ok_or_else(surplus)?;
                }
                Ok(length)
            }
            None => self.chunks(head, filled),
        }
    }

    /// Reads into the buffer from `at` on.
    fn read(&mut self, at: usize) -> io::Result<usize> {
        match self.stream.read(&mut self.buffer[at..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }

    /// Reads a chunked body, of which `buffer[at..filled]` is here; returns its length.
    fn chunks(&mut self, mut at: usize, mut filled: usize) -> io::Result<usize> {
        let mut total = 0;
        loop {
            let Some(line) = self.buffer[at..filled].windows(2).position(|octets| octets == b"\r\n") else {
                self.buffer.copy_within(at..filled, 0);
                (at, filled) = (0, filled - at);
                filled += self.read(filled)?;
                continue;
            };
            let text = String::from_utf8_lossy(&self.buffer[at..at + line]).into_owned();
            let size = usize::from_str_radix(&text, 16).map_err(|_| io::Error::other("a bad chunk"))?;
            at += line + 2;
            // The data and the line end behind it; behind the last chunk stands an empty trailer section.
            let mut left = size + 2;
            loop {
                let here = left.min(filled - at);
                (at, left) = (at + here, left - here);
                if left == 0 {
                    break;
                }
                (at, filled) = (0, self.read(0)?);
            }
            total += size;
            if size == 0 {
                return if at == filled { Ok(total) } else { Err(io::Error::other("surplus octets")) };
            }
        }
    }
}

/// The connection was closed before any octet of an answer came.
fn closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// Checks the status and returns the length; `None`: chunked.
fn framing(head: &[u8]) -> io::Result<Option<usize>> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 200") {
        return Err(io::Error::other(format!("answered with {status}")));
    }
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            return value.trim().parse().map(Some).map_err(io::Error::other);
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok(None);
        }
    }
    Err(io::Error::other("neither Content-Length nor chunks"))
}

/// Requests that were answered, and the time it took.
pub(crate) struct Done {
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
}

/// `clients` clients send `work` for `time`, at least once each; `around` is called when all of them are connected and have
/// been served once, and again when the last answer is there.
pub(crate) fn run(port: u16, work: &Work, clients: usize, time: Duration, mut around: impl FnMut()) -> Done {
    let (ready, go) = (Barrier::new(clients + 1), Barrier::new(clients + 1));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(port);
                    client.one(work);
                    ready.wait();
                    go.wait();
                    let deadline = Instant::now() + time;
                    let mut requests = 0u64;
                    while requests == 0 || Instant::now() < deadline {
                        client.one(work);
                        requests += 1;
                    }
                    requests
                })
            })
            .collect();
        ready.wait();
        around();
        let start = Instant::now();
        go.wait();
        let requests = threads.into_iter().map(|thread| thread.join().expect("client")).sum();
        let seconds = start.elapsed().as_secs_f64();
        around();
        Done { requests, seconds }
    })
}
