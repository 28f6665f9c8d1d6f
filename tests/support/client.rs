//! A raw HTTP/1.1 client: it sends exactly what it is told and reports exactly what it got.
//!
//! Header lines keep their order and repetitions, and a body says how it ended, which is what truncation tests are about.
//! Sources: RFC 9112, sections 6 and 7. Every read has a deadline of [`super::PATIENCE`].

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How the body of a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The response has no body by its status, or because it answers HEAD.
    NoBody,
    /// All octets of Content-Length came.
    Length,
    /// The last chunk and the trailer section came.
    Chunked,
    /// Neither length nor chunks: the server closed, which proves nothing about completeness.
    Close,
    /// The connection ended inside the body.
    Truncated,
}

/// A response, complete or truncated.
#[derive(Debug, Clone)]
pub struct Response {
    /// `HTTP/1.1`.
    pub version: String,
    /// Status code.
    pub status: u16,
    /// Reason phrase, may be empty.
    pub reason: String,
    /// Header lines in order; octets as ISO-8859-1.
    pub headers: Vec<(String, String)>,
    /// Body octets, chunk framing removed.
    pub body: Vec<u8>,
    /// How it ended.
    pub ended: Ended,
    /// Sizes of the chunks, when chunked.
    pub chunks: Vec<usize>,
    /// Trailer lines, when chunked.
    pub trailers: Vec<(String, String)>,
    /// Statuses of interim (1xx) responses before this one.
    pub interim: Vec<u16>,
}

impl Response {
    /// Value of the first header line of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Values of all header lines of that name, in order.
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// Body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Value of the line `key=value` in a body of such lines (the scripted backend's and `echo.jsp`'s answers).
    pub fn fact(&self, key: &str) -> Option<String> {
        let text = self.text();
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned))
    }
}

/// A connection to an HTTP server.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// Octets received and not used yet.
    pending: Vec<u8>,
}

impl Client {
    /// Connects to a port of 127.0.0.1.
    #[track_caller]
    pub fn connect(port: u16) -> Self {
        Self::connect_to(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Connects to any address.
    #[track_caller]
    pub fn connect_to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, super::PATIENCE)
            .unwrap_or_else(|e| panic!("cannot connect to {address}: {e}"));
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_read_timeout(Some(super::PATIENCE)).expect("read timeout");
        stream.set_write_timeout(Some(super::PATIENCE)).expect("write timeout");
        Self { stream, pending: Vec::new() }
    }

    /// The client's own port, as the backend should see it in `AJP_REMOTE_PORT`.
    pub fn local_port(&self) -> u16 {
        self.stream.local_addr().expect("local address").port()
    }

    /// The socket, for what this type does not offer.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends octets as they are.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).expect("send to httpd");
        self
    }

    /// Sends octets; the error is the caller's business (a server may close in the middle of an upload).
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends octets in pieces of `piece` with `pause` between them.
    #[track_caller]
    pub fn send_slowly(&mut self, bytes: impl AsRef<[u8]>, piece: usize, pause: Duration) -> &mut Self {
        for part in bytes.as_ref().chunks(piece.max(1)) {
            self.send(part);
            std::thread::sleep(pause);
        }
        self
    }

    /// Sends one chunk of a chunked body; an empty one is the last.
    #[track_caller]
    pub fn send_chunk(&mut self, data: &[u8]) -> &mut Self {
        let mut framed = format!("{:x}\r\n", data.len()).into_bytes();
        framed.extend_from_slice(data);
        framed.extend_from_slice(b"\r\n");
        self.send(framed)
    }

    /// Ends the sending direction only.
    pub fn finish_sending(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Ends the connection with a reset, as a vanished client does.
    pub fn reset(self) {
        super::backend::linger_zero(&self.stream);
    }

    /// Sends a request with a `Host` header, and `Content-Length` when there is a body; reads the response.
    #[track_caller]
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str("Host: localhost\r\n");
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        // An early answer may come with a reset of the upload; the answer is what counts.
        let _ = self.try_send(bytes);
        self.read_response_to(method)
    }

    /// GET on the kept connection.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Response {
        self.request("GET", path, &[], b"")
    }

    /// Reads one final response to something other than HEAD.
    #[track_caller]
    pub fn read_response(&mut self) -> Response {
        self.read_response_to("GET")
    }

    /// Reads one final response to `method`.
    #[track_caller]
    pub fn read_response_to(&mut self, method: &str) -> Response {
        self.try_read_response_to(method).unwrap_or_else(|e| panic!("no response: {e}"))
    }

    /// Reads one final response; an error when the connection ends before the head is complete.
    pub fn try_read_response_to(&mut self, method: &str) -> io::Result<Response> {
        let mut response = self.try_read_head()?;
        self.read_body(method, &mut response);
        Ok(response)
    }

    /// Reads interim responses and the head of the final one; its body is left to [`Client::read_body`].
    pub fn try_read_head(&mut self) -> io::Result<Response> {
        let mut interim = Vec::new();
        loop {
            let lines = self.lines_until_blank()?;
            let mut lines = lines.iter();
            let status_line = lines.next().cloned().unwrap_or_default();
            let mut parts = status_line.splitn(3, ' ');
            let version = parts.next().unwrap_or_default().to_owned();
            let status = parts.next().and_then(|code| code.parse().ok());
            let (Some(status), true) = (status, version.starts_with("HTTP/")) else {
                return Err(io::Error::other(format!("not a status line: {status_line:?}")));
            };
            if (100..200).contains(&status) && status != 101 {
                interim.push(status);
                continue;
            }
            return Ok(Response {
                version,
                status,
                reason: parts.next().unwrap_or_default().to_owned(),
                headers: lines.map(|line| field(line)).collect(),
                body: Vec::new(),
                ended: Ended::Truncated,
                chunks: Vec::new(),
                trailers: Vec::new(),
                interim,
            });
        }
    }

    /// Reads the body that belongs to `response`, the answer to `method`.
    pub fn read_body(&mut self, method: &str, response: &mut Response) {
        let chunked =
            response.header("Transfer-Encoding").is_some_and(|v| v.to_ascii_lowercase().ends_with("chunked"));
        let length = response.header("Content-Length").and_then(|v| v.parse::<usize>().ok());
        response.ended = if method == "HEAD" || matches!(response.status, 101 | 204 | 304) {
            Ended::NoBody
        } else if chunked {
            self.read_chunks(response).map_or(Ended::Truncated, |()| Ended::Chunked)
        } else if let Some(length) = length {
            match self.fill(length) {
                Ok(()) => {
                    response.body = self.pending.drain(..length).collect();
                    Ended::Length
                }
                Err(_) => {
                    response.body = std::mem::take(&mut self.pending);
                    Ended::Truncated
                }
            }
        } else {
            let clean = loop {
                match self.receive() {
                    Ok(0) => break true,
                    Ok(_) => {}
                    Err(_) => break false,
                }
            };
            response.body = std::mem::take(&mut self.pending);
            if clean { Ended::Close } else { Ended::Truncated }
        };
    }

    /// Reads at least `len` octets in all, whatever they mean, and hands out all that is there.
    pub fn read_octets(&mut self, len: usize) -> io::Result<Vec<u8>> {
        self.fill(len)?;
        Ok(std::mem::take(&mut self.pending))
    }

    /// Everything until the server closes or resets.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        while matches!(self.receive(), Ok(1..)) {}
        std::mem::take(&mut self.pending)
    }

    /// Waits for the server to close; `false` when it sends something or stays open for `patience`.
    pub fn closes_within(&mut self, patience: Duration) -> bool {
        self.stream.set_read_timeout(Some(patience)).expect("read timeout");
        let closed = self.pending.is_empty()
            && match self.receive() {
                Ok(n) => n == 0,
                Err(e) => e.kind() == io::ErrorKind::ConnectionReset,
            };
        self.stream.set_read_timeout(Some(super::PATIENCE)).expect("read timeout");
        closed
    }

    fn read_chunks(&mut self, response: &mut Response) -> io::Result<()> {
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16)
                .map_err(|_| io::Error::other(format!("bad chunk size {line:?}")))?;
            if size == 0 {
                response.trailers = self.lines_until_blank()?.iter().map(|line| field(line)).collect();
                return Ok(());
            }
            let framed = self.fill(size + 2);
            let data = size.min(self.pending.len());
            response.body.extend(self.pending.drain(..data));
            framed?;
            response.chunks.push(size);
            let end: Vec<u8> = self.pending.drain(..2).collect();
            if end != b"\r\n" {
                return Err(io::Error::other("chunk without CR LF"));
            }
        }
    }

    fn lines_until_blank(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(lines);
            }
            lines.push(line);
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut seen = 0;
        loop {
            if let Some(at) = self.pending[seen..].iter().position(|b| *b == b'\n') {
                let mut line: Vec<u8> = self.pending.drain(..=seen + at).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line.iter().map(|b| char::from(*b)).collect());
            }
            seen = self.pending.len();
            self.fill(seen + 1)?;
        }
    }

    /// Receives until `len` octets are pending.
    fn fill(&mut self, len: usize) -> io::Result<()> {
        while self.pending.len() < len {
            if self.receive()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 64 * 1024];
        let len = self.stream.read(&mut buffer)?;
        self.pending.extend_from_slice(&buffer[..len]);
        Ok(len)
    }
}

fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name.to_owned(), value.trim().to_owned())
}

/// One GET on a connection of its own.
#[track_caller]
pub fn get(port: u16, path: &str) -> Response {
    request(port, "GET", path, &[], b"")
}

/// One request on a connection of its own.
#[track_caller]
pub fn request(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let mut all = headers.to_vec();
    all.push(("Connection", "close"));
    Client::connect(port).request(method, path, &all, body)
}
