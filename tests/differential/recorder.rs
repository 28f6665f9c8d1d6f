//! A backend that writes down what it is told and answers by script, for either module.
//!
//! Unlike the scripted backend of the other live tests it accepts all that mod_jk sends; what the strict reader of those
//! tests thinks of a request is one of the facts that are compared. One recorder listens on one port per worker. Requests
//! come one at a time, so one list of answers is enough: the first exchange of a case gets the first answer, and so on.
//! Source: AJPv13 document.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use crate::support::forward_decode::{Forward, decode};
use crate::support::script::packet;
use crate::support::{ForwardRequest, PATIENCE};

/// One thing a backend does.
#[derive(Debug, Clone)]
pub enum Step {
    /// Reads the whole request body.
    ReadAll,
    /// Send Headers: status, reason (`None`: the null string), headers.
    Head(u16, Option<&'static str>, Vec<(String, String)>),
    /// Send Body Chunks.
    Body(Vec<u8>),
    /// The empty Send Body Chunk.
    Flush,
    /// End Response with this reuse flag.
    End(bool),
    /// Octets as they are.
    Raw(Vec<u8>),
    /// Closes the connection.
    Close,
}

/// What a backend does for one request.
pub type Answer = Vec<Step>;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Counts from 0.
    pub worker: usize,
    /// The decoded request, or why it cannot be decoded.
    pub forward: Result<Forward, String>,
    /// What the strict reader has to say.
    pub strict: Result<(), String>,
    /// The body, as far as the answer read it.
    pub body: Vec<u8>,
    /// The connection had carried a request before.
    pub reused: bool,
}

#[derive(Default)]
struct State {
    answers: Vec<Answer>,
    exchanges: Vec<Exchange>,
    /// Exchanges under way.
    active: usize,
    sockets: Vec<TcpStream>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stopped: AtomicBool,
}

/// A recording backend.
pub struct Recorder {
    shared: Arc<Shared>,
    ports: Vec<u16>,
}

impl Recorder {
    /// Listens on as many ports of 127.0.0.1 as there are workers.
    pub fn start(workers: usize) -> Self {
        let shared = Arc::<Shared>::default();
        let mut ports = Vec::new();
        for worker in 0..workers {
            let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
            ports.push(listener.local_addr().expect("address").port());
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                while let Ok((socket, _)) = listener.accept() {
                    if shared.stopped.load(Ordering::Acquire) {
                        break;
                    }
                    let _ = socket.set_nodelay(true);
                    if let Ok(copy) = socket.try_clone() {
                        shared.state.lock().expect("state").sockets.push(copy);
                    }
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || {
                        Connection { shared, worker, socket, pending: Vec::new() }.serve();
                    });
                }
            });
        }
        Self { shared, ports }
    }

    /// Its ports, by worker.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Forgets what came and sets the answers for the next case.
    pub fn expect(&self, answers: &[Answer]) {
        let mut state = self.shared.state.lock().expect("state");
        state.answers = answers.to_vec();
        state.exchanges.clear();
    }

    /// What came since [`Recorder::expect`], when nothing is under way any more.
    #[track_caller]
    pub fn take(&self) -> Vec<Exchange> {
        let state = self.shared.state.lock().expect("state");
        let (mut state, late) =
            self.shared.changed.wait_timeout_while(state, PATIENCE, |state| state.active > 0).expect("state");
        assert!(!late.timed_out(), "an exchange does not end: {:#?}", state.exchanges);
        std::mem::take(&mut state.exchanges)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        for port in &self.ports {
            drop(TcpStream::connect(("127.0.0.1", *port)));
        }
        if let Ok(state) = self.shared.state.lock() {
            for socket in &state.sockets {
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
    }
}

struct Connection {
    shared: Arc<Shared>,
    worker: usize,
    socket: TcpStream,
    pending: Vec<u8>,
}

impl Connection {
    fn serve(mut self) {
        let mut reused = false;
        while let Some(packet) = self.packet() {
            if packet.get(4..) == Some(&[10]) {
                if self.socket.write_all(b"\x41\x42\x00\x01\x09").is_err() {
                    break;
                }
                continue;
            }
            let (index, answer) = self.begin(&packet, reused);
            let goes_on = self.play(index, &packet, answer);
            self.shared.state.lock().expect("state").active -= 1;
            self.shared.changed.notify_all();
            if !goes_on {
                break;
            }
            reused = true;
        }
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Records a request; its place, and the answer it gets.
    fn begin(&self, packet: &[u8], reused: bool) -> (usize, Answer) {
        let exchange = Exchange {
            worker: self.worker,
            forward: decode(packet),
            strict: ForwardRequest::decode(packet.get(4..).unwrap_or_default()).map(|_| ()),
            body: Vec::new(),
            reused,
        };
        let mut state = self.shared.state.lock().expect("state");
        let index = state.exchanges.len();
        state.exchanges.push(exchange);
        state.active += 1;
        let answer = state.answers.get(index).or(state.answers.last()).cloned();
        (index, answer.unwrap_or_else(|| super::case::plain(&format!("worker w{}\n", self.worker + 1))))
    }

    /// Answers; `false` when the connection is over.
    fn play(&mut self, index: usize, request: &[u8], answer: Answer) -> bool {
        // What cannot be decoded is answered all the same; the record says what is wrong with it.
        let forward = decode(request).unwrap_or_else(|_| Forward {
            headers: vec![(b"content-length".to_vec(), b"0".to_vec())],
            ..Forward::default()
        });
        let length = forward.header("content-length").first().and_then(|text| {
            std::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<usize>().ok())
        });
        let mut body = Vec::new();
        // The first packet of a body of known length comes unasked.
        if length.is_some_and(|length| length > 0) {
            let Some(first) = self.body_packet() else { return false };
            body.extend(first);
            self.keep(index, &body);
        }
        let head_only = forward.method == b"HEAD";
        let mut out = Vec::new();
        let mut reuse = true;
        for step in answer {
            match step {
                Step::ReadAll => {
                    while length.is_none_or(|length| body.len() < length) {
                        out.extend(packet::get_body_chunk(8186));
                        if self.socket.write_all(&std::mem::take(&mut out)).is_err() {
                            return false;
                        }
                        match self.body_packet() {
                            None => return false,
                            Some(data) if data.is_empty() => break,
                            Some(data) => body.extend(data),
                        }
                        self.keep(index, &body);
                    }
                }
                Step::Head(status, reason, headers) => {
                    let headers: Vec<_> =
                        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                    out.extend(packet::send_headers(status, reason.map(str::as_bytes), &headers));
                }
                Step::Body(_) if head_only => {}
                Step::Body(data) => {
                    for part in data.chunks(8184) {
                        out.extend(packet::body_chunk(part));
                    }
                }
                Step::Flush => out.extend(packet::body_chunk(b"")),
                Step::End(flag) => {
                    out.extend(packet::end(flag));
                    reuse = flag;
                }
                Step::Raw(data) => out.extend(data),
                Step::Close => {
                    let _ = self.socket.write_all(&out);
                    return false;
                }
            }
        }
        self.socket.write_all(&out).is_ok() && reuse
    }

    fn keep(&self, index: usize, body: &[u8]) {
        if let Some(exchange) = self.shared.state.lock().expect("state").exchanges.get_mut(index) {
            exchange.body = body.to_vec();
        }
    }

    /// Data of a body packet.
    fn body_packet(&mut self) -> Option<Vec<u8>> {
        let packet = self.packet()?;
        Some(packet.get(6..).unwrap_or_default().to_vec())
    }

    /// A packet with its frame; `None` when the connection ends.
    fn packet(&mut self) -> Option<Vec<u8>> {
        self.fill(4)?;
        let len = 4 + usize::from(u16::from_be_bytes([self.pending[2], self.pending[3]]));
        self.fill(len)?;
        Some(self.pending.drain(..len).collect())
    }

    fn fill(&mut self, len: usize) -> Option<()> {
        let mut buffer = [0; 16 * 1024];
        while self.pending.len() < len {
            match self.socket.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(got) => self.pending.extend_from_slice(&buffer[..got]),
            }
        }
        Some(())
    }
}
