//! A small and fast AJP/1.3 backend for benchmarks, and for trying the module without Tomcat.
//!
//! ```text
//! cargo run --release --example ajp_backend -- --listen 127.0.0.1:8009
//!     [--packet-size 8192] [--secret S] [--delay-ms N] [--route NAME]
//! ```
//!
//! One thread per connection; a small request costs one read and one write, a large body is written many packets at a time.
//! The first line of output ends with the port (`--listen 127.0.0.1:0` lets the system choose one).
//!
//! | path | answer |
//! |---|---|
//! | `/size/N` | N octets, with Content-Length |
//! | `/headers/N` | N response headers |
//! | `/upload` | reads the body and answers with its length |
//! | `/delay/MS` | a short text after so many milliseconds |
//! | `/node` | the name given with `--route` |
//! | `/demo/` | pages that explain themselves |
//!
//! Any prefix may stand in front, so that it works below every mount: `/app/size/10` is `/size/10`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod demo;
mod reply;
mod request;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use reply::Train;
use request::Request;

/// Command line settings.
struct Settings {
    listen: String,
    packet_size: usize,
    secret: Option<String>,
    delay: Duration,
    route: Option<String>,
}

/// What all connections share.
struct Server {
    settings: Settings,
    train: Train,
    sessions: demo::Sessions,
}

fn main() {
    let settings = match settings(std::env::args().skip(1)) {
        Ok(settings) => settings,
        Err(text) => {
            eprintln!("ajp_backend: {text}");
            std::process::exit(2);
        }
    };
    if let Err(e) = run(settings) {
        eprintln!("ajp_backend: {e}");
        std::process::exit(1);
    }
}

fn settings(mut words: impl Iterator<Item = String>) -> Result<Settings, String> {
    let mut settings = Settings {
        listen: "127.0.0.1:8009".into(),
        packet_size: 8192,
        secret: None,
        delay: Duration::ZERO,
        route: None,
    };
    while let Some(option) = words.next() {
        let mut value = || words.next().ok_or(format!("{option} needs a value"));
        match option.as_str() {
            "--listen" => settings.listen = value()?,
            "--packet-size" => settings.packet_size = number(&value()?)?,
            "--secret" => settings.secret = Some(value()?),
            "--delay-ms" => settings.delay = Duration::from_millis(number(&value()?)?),
            "--route" => settings.route = Some(value()?),
            other => return Err(format!("unknown option {other}")),
        }
    }
    if !(8192..=65536).contains(&settings.packet_size) {
        return Err("--packet-size is 8192 to 65536".into());
    }
    Ok(settings)
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

fn run(settings: Settings) -> io::Result<()> {
    let listener = TcpListener::bind(&settings.listen)?;
    println!("ajp_backend listens on {}", listener.local_addr()?);
    io::stdout().flush()?;
    let train = Train::new(settings.packet_size);
    let server = Arc::new(Server { settings, train, sessions: demo::Sessions::default() });
    for stream in listener.incoming() {
        let server = Arc::clone(&server);
        let stream = stream?;
        // A stack of the default size would only be address space; the buffers are on the heap.
        let started = std::thread::Builder::new().stack_size(128 * 1024).spawn(move || {
            // A connection that ends or breaks ends its thread; there is nobody to tell.
            let _ = Connection::new(&server, stream).and_then(|mut connection| connection.serve());
        });
        if let Err(e) = started {
            eprintln!("ajp_backend: no thread for a connection: {e}");
        }
    }
    Ok(())
}

/// One AJP connection with its buffers, which are reused by all its requests.
struct Connection<'s> {
    server: &'s Server,
    stream: TcpStream,
    input: Vec<u8>,
    /// `input[start..end]` has been received and not been used.
    start: usize,
    end: usize,
    output: Vec<u8>,
}

impl<'s> Connection<'s> {
    fn new(server: &'s Server, stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        // Room for two packets, so that a request and its first body packet come with one read.
        let input = vec![0; 2 * server.settings.packet_size];
        Ok(Self { server, stream, input, start: 0, end: 0, output: Vec::with_capacity(16 * 1024) })
    }

    fn serve(&mut self) -> io::Result<()> {
        while let Some((from, to)) = self.packet()? {
            self.output.clear();
            let payload = &self.input[from..to];
            if payload == [10] {
                self.stream.write_all(b"\x41\x42\x00\x01\x09")?;
                continue;
            }
            let Some(request) = Request::parse(payload) else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            let first_due = request.content_length.is_some_and(|length| length > 0);
            if self.server.settings.secret.as_ref().is_some_and(|s| request.secret != Some(s.as_bytes())) {
                reply::small(&mut self.output, 403, "text/plain", &[], b"wrong secret\n", false);
                reply::end(&mut self.output, false);
                self.stream.write_all(&self.output)?;
                return Ok(());
            }
            let answer = Answer::choose(&request, self.server);
            let head_only = request.method == 3;
            let content_length = request.content_length;
            if !self.server.settings.delay.is_zero() {
                std::thread::sleep(self.server.settings.delay);
            }
            self.answer(answer, head_only, first_due, content_length)?;
        }
        Ok(())
    }

    fn answer(
        &mut self,
        answer: Answer,
        head_only: bool,
        first_due: bool,
        content_length: Option<u64>,
    ) -> io::Result<()> {
        let mut received = 0;
        if first_due {
            // It comes unasked and must be taken, whether anybody wants it or not.
            received = self.body_packet()?;
        }
        match answer {
            Answer::Size(octets) => {
                reply::head(&mut self.output, 200, &[("Content-Type", "application/octet-stream")], octets);
                if !head_only {
                    self.server.train.send(&mut self.stream, &mut self.output, octets)?;
                }
            }
            Answer::Headers(count) => reply::many_headers(&mut self.output, count, head_only),
            Answer::Upload => {
                let length = self.rest_of_body(received, content_length)?;
                let text = format!("{length}\n");
                reply::small(&mut self.output, 200, "text/plain", &[], text.as_bytes(), head_only);
            }
            Answer::Delay(pause) => {
                std::thread::sleep(pause);
                reply::small(&mut self.output, 200, "text/plain", &[], b"late\n", head_only);
            }
            Answer::Node => {
                let name = self.server.settings.route.as_deref().unwrap_or_default();
                reply::small(&mut self.output, 200, "text/plain", &[], name.as_bytes(), head_only);
            }
            Answer::Page(page) => {
                let cookie = page.cookie.as_deref().map(|cookie| ("Set-Cookie", cookie));
                let body = page.html.as_bytes();
                reply::small(
                    &mut self.output,
                    page.status,
                    "text/html; charset=UTF-8",
                    cookie.as_slice(),
                    body,
                    head_only,
                );
            }
        }
        reply::end(&mut self.output, true);
        self.stream.write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    /// Asks for body until it is complete; returns its length.
    fn rest_of_body(&mut self, received: usize, content_length: Option<u64>) -> io::Result<u64> {
        let max = u16::try_from(self.server.settings.packet_size - 6).unwrap_or(u16::MAX).to_be_bytes();
        let mut total = received as u64;
        while content_length.is_none_or(|length| total < length) {
            self.stream.write_all(&[0x41, 0x42, 0, 3, 6, max[0], max[1]])?;
            match self.body_packet()? {
                0 => break,
                len => total += len as u64,
            }
        }
        Ok(total)
    }

    /// Takes one body packet; returns the octets of data in it.
    fn body_packet(&mut self) -> io::Result<usize> {
        let (from, to) = self.packet()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((to - from).saturating_sub(2))
    }

    /// Range of the next packet's payload in the input; `None` when the peer closed between packets.
    fn packet(&mut self) -> io::Result<Option<(usize, usize)>> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        loop {
            if let Some([a, b, high, low]) = self.input[self.start..self.end].first_chunk() {
                if [*a, *b] != [0x12, 0x34] {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                let len = 4 + usize::from(u16::from_be_bytes([*high, *low]));
                if len > self.server.settings.packet_size {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                if self.end - self.start >= len {
                    let from = self.start + 4;
                    self.start += len;
                    return Ok(Some((from, self.start)));
                }
            }
            if self.start > 0 {
                self.input.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            }
            match self.stream.read(&mut self.input[self.end..])? {
                0 if self.end == 0 => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                len => self.end += len,
            }
        }
    }
}

/// What a path asks for.
enum Answer {
    Size(usize),
    Headers(usize),
    Upload,
    Delay(Duration),
    Node,
    Page(demo::Page),
}

impl Answer {
    fn choose(request: &Request<'_>, server: &Server) -> Self {
        let mut segments = request.uri.rsplit(|b| *b == b'/');
        let last = segments.next().unwrap_or_default();
        let number = std::str::from_utf8(last).ok().and_then(|text| text.parse::<usize>().ok());
        match (segments.next().unwrap_or_default(), number) {
            (b"size", Some(octets)) => Self::Size(octets),
            (b"headers", Some(count)) => Self::Headers(count),
            (b"delay", Some(millis)) => Self::Delay(Duration::from_millis(millis as u64)),
            _ if last == b"upload" => Self::Upload,
            _ if last == b"node" => Self::Node,
            _ => Self::Page(demo::page(request, &server.sessions, server.settings.route.as_deref())),
        }
    }
}
