//! WebSockets by hand (RFC 6455): a client on any stream, and a backend that changes to another protocol and then does
//! what the test says.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::PATIENCE;

/// Opcodes.
pub const CONTINUATION: u8 = 0;
/// Text.
pub const TEXT: u8 = 1;
/// Binary.
pub const BINARY: u8 = 2;
/// Close.
pub const CLOSE: u8 = 8;
/// Ping.
pub const PING: u8 = 9;
/// Pong.
pub const PONG: u8 = 10;

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The last one of its message.
    pub fin: bool,
    /// What it is.
    pub opcode: u8,
    /// What it carries, unmasked.
    pub data: Vec<u8>,
}

/// The octets of a frame; a client masks them.
pub fn frame(fin: bool, opcode: u8, data: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut out = vec![opcode | if fin { 0x80 } else { 0 }];
    match data.len() {
        len @ 0..=125 => out.push(masked | len as u8),
        len @ 126..=0xffff => {
            out.push(masked | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(masked | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    let mask_octets = mask.unwrap_or_default();
    out.extend(&mask_octets[..if mask.is_some() { 4 } else { 0 }]);
    out.extend(data.iter().enumerate().map(|(at, octet)| octet ^ mask_octets[at % 4]));
    out
}

/// Reads a frame.
pub fn read_frame(stream: &mut impl Read) -> io::Result<Frame> {
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    let length = match head[1] & 0x7f {
        126 => {
            let mut octets = [0; 2];
            stream.read_exact(&mut octets)?;
            u64::from(u16::from_be_bytes(octets))
        }
        127 => {
            let mut octets = [0; 8];
            stream.read_exact(&mut octets)?;
            u64::from_be_bytes(octets)
        }
        length => length.into(),
    };
    let mut mask = [0; 4];
    if head[1] & 0x80 != 0 {
        stream.read_exact(&mut mask)?;
    }
    let mut data = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut data)?;
    data.iter_mut().enumerate().for_each(|(at, octet)| *octet ^= mask[at % 4]);
    Ok(Frame { fin: head[0] & 0x80 != 0, opcode: head[0] & 0xf, data })
}

/// A client's end.
pub struct WebSocket<S: Read + Write> {
    stream: BufReader<S>,
    /// The head of the answer, as text.
    pub head: String,
}

/// The request of a WebSocket client; `more` are header lines, each with its end.
pub fn wish(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// What the backend must answer to the key in [`wish`] (the example of RFC 6455 section 1.3).
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

impl WebSocket<TcpStream> {
    /// Asks httpd on this port for a WebSocket, and reads the head of its answer.
    #[track_caller]
    pub fn connect(port: u16, path: &str) -> Self {
        Self::ask(port, wish(path, "").as_bytes())
    }

    /// As [`WebSocket::connect`], with these octets as request and what follows it.
    #[track_caller]
    pub fn ask(port: u16, request: &[u8]) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        stream.set_nodelay(true).expect("nodelay");
        Self::on(stream, request)
    }

    /// Nothing more will be sent.
    pub fn finish(&self) {
        self.stream.get_ref().shutdown(Shutdown::Write).expect("shutdown");
    }

    /// The connection.
    pub fn tcp(&self) -> &TcpStream {
        self.stream.get_ref()
    }
}

impl<S: Read + Write> WebSocket<S> {
    /// Sends `request` and reads the head of the answer.
    #[track_caller]
    pub fn on(mut stream: S, request: &[u8]) -> Self {
        stream.write_all(request).expect("request");
        stream.flush().expect("request");
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let n = stream.read_line(&mut head).expect("head of the answer");
            assert!(n > 0, "the answer ends in its head: {head:?}");
        }
        Self { stream, head }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    /// The value of a header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(other, value)| other.eq_ignore_ascii_case(name).then_some(value))
    }

    /// Sends octets as they are.
    pub fn raw(&mut self, octets: &[u8]) {
        self.stream.get_mut().write_all(octets).expect("send");
        self.stream.get_mut().flush().expect("send");
    }

    /// Sends a frame.
    pub fn send(&mut self, fin: bool, opcode: u8, data: &[u8]) {
        self.raw(&frame(fin, opcode, data, Some([0x12, 0x34, 0x56, 0x78])));
    }

    /// Reads a frame.
    #[track_caller]
    pub fn receive(&mut self) -> Frame {
        read_frame(&mut self.stream).expect("a frame")
    }

    /// Reads a message, whatever number of frames it has; pongs are passed over.
    #[track_caller]
    pub fn message(&mut self) -> Frame {
        let mut whole = Vec::new();
        let mut opcode = CONTINUATION;
        loop {
            let frame = self.receive();
            if frame.opcode == PONG {
                continue;
            }
            opcode = opcode.max(frame.opcode);
            whole.extend(frame.data);
            if frame.fin {
                return Frame { fin: true, opcode, data: whole };
            }
        }
    }

    /// Sends a text and reads the answer.
    #[track_caller]
    pub fn echo(&mut self, text: &str) -> String {
        self.send(true, TEXT, text.as_bytes());
        String::from_utf8(self.message().data).unwrap()
    }

    /// Reads exactly so many octets.
    pub fn octets(&mut self, len: usize) -> io::Result<Vec<u8>> {
        let mut octets = vec![0; len];
        self.stream.read_exact(&mut octets).map(|()| octets)
    }

    /// Reads to the end; an error when there is no orderly one.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut octets = Vec::new();
        self.stream.read_to_end(&mut octets).map(|_| octets)
    }
}

/// A TLS connection to a port, made by the program openssl.
pub struct Tls {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Tls {
    /// Connects; certificates are not checked.
    #[track_caller]
    pub fn connect(port: u16) -> Self {
        let mut child = Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                "-connect",
                &format!("127.0.0.1:{port}"),
                "-servername",
                "localhost",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot run openssl: {e}; install openssl"));
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output }
    }
}

impl Read for Tls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.output.read(buffer)
    }
}

impl Write for Tls {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.input.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.input.flush()
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a request to a [`Switcher`] said: its head as text.
pub type Heads = Arc<Mutex<Vec<String>>>;

/// A backend that reads the head of one request from each connection and gives the connection to a script.
pub struct Switcher {
    port: u16,
    /// Heads of all requests so far.
    pub heads: Heads,
    stop: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Switcher {
    /// Starts it. The script gets the head of the request and the connection, which is closed behind it.
    pub fn start(script: impl Fn(&str, &mut BufReader<TcpStream>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let port = listener.local_addr().expect("address").port();
        let (heads, stop, streams) =
            (Heads::default(), Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<TcpStream>>>::default());
        let (own_heads, own_stop, own_streams) =
            (Arc::clone(&heads), Arc::clone(&stop), Arc::clone(&streams));
        let script = Arc::new(script);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if own_stop.load(Ordering::SeqCst) {
                    return;
                }
                let _ = stream.set_nodelay(true);
                own_streams.lock().unwrap().push(stream.try_clone().expect("clone"));
                let (script, heads) = (Arc::clone(&script), Arc::clone(&own_heads));
                let serve = move || {
                    let mut stream = BufReader::new(stream);
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") {
                        if !matches!(stream.read_line(&mut head), Ok(1..)) {
                            return;
                        }
                    }
                    heads.lock().unwrap().push(head.clone());
                    script(&head, &mut stream);
                    let _ = stream.get_ref().shutdown(Shutdown::Both);
                };
                std::thread::Builder::new().stack_size(256 * 1024).spawn(serve).expect("thread");
            }
        });
        Self { port, heads, stop, streams, thread: Some(thread) }
    }

    /// Agrees to every WebSocket and answers each frame with itself: a ping with a pong, a close with a close and the end.
    pub fn echo() -> Self {
        Self::start(|_, stream| {
            agree(stream, "websocket", b"");
            echo_frames(stream);
        })
    }

    /// Its port at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lines of an HTTP worker without `worker.list`; `more` are its further properties, one per line.
    pub fn member(&self, name: &str, more: &str) -> String {
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
    pub fn worker(&self, name: &str, more: &str) -> String {
        format!("worker.list={name}\n{}", self.member(name, more))
    }

    /// The head of the last request.
    #[track_caller]
    pub fn last(&self) -> String {
        self.heads.lock().unwrap().last().cloned().expect("a request")
    }
}

impl Drop for Switcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for stream in self.streams.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Answers 101 with this protocol, and `behind` in the same piece.
pub fn agree(stream: &mut BufReader<TcpStream>, protocol: &str, behind: &[u8]) {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: {protocol}\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\nX-Backend: here\r\n\r\n"
    );
    let _ = stream.get_mut().write_all(&[head.as_bytes(), behind].concat());
}

/// Answers each frame with itself.
pub fn echo_frames(stream: &mut BufReader<TcpStream>) {
    while let Ok(Frame { fin, opcode, data }) = read_frame(stream) {
        let opcode = if opcode == PING { PONG } else { opcode };
        if stream.get_mut().write_all(&frame(fin, opcode, &data, None)).is_err() || opcode == CLOSE {
            return;
        }
    }
}
