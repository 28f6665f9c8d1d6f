//! An HTTP/1.1 backend of the simulation: reads the request with a strict reader of its own, and answers in pieces that
//! arrive in time.
#![allow(dead_code, unreachable_pub, reason = "a part of a simulation")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use mod_jk_rs::engine::exchange::{Link, LinkError, Received};
use mod_jk_rs::engine::request::RequestBody;

use super::sim::{Clock, Rng, micros};

/// When the backend answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// When it has the whole request.
    Complete,
    /// When it has the head and so many octets of the body, or all of it.
    Early(usize),
    /// The head at once, the body along with that of the request, the end behind its end.
    Duplex,
}

/// How the connection ends, after so many octets of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// As the answer says: behind it when it says so, else never.
    Open,
    /// EOF.
    Eof(usize),
    /// A reset.
    Reset(usize),
    /// Nothing more comes.
    Silent(usize),
}

/// An answer, and what has to come of it.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub when: When,
    /// Octets from the first to the end of the head.
    pub head: Vec<u8>,
    /// The octets behind it.
    pub rest: Vec<u8>,
    /// Body as the client has to get it.
    pub body: Vec<u8>,
    /// The connection outlives it.
    pub keeps: bool,
    /// It ends with the connection.
    pub until_close: bool,
    /// Octets stand behind its end.
    pub surplus: bool,
    /// It is out of order.
    pub malformed: bool,
    pub fate: Fate,
}

impl Answer {
    pub fn random(rng: &mut Rng, head_only: bool, framing: RequestBody, length: usize) -> Self {
        let status = rng.pick(&[200, 200, 200, 404, 503, 204, 304, 401]);
        let bodiless = head_only || matches!(status, 204 | 304);
        let size = match rng.below(4) {
            0 => 0,
            1 => rng.range(1, 300),
            2 => rng.range(1, 10_000),
            _ => rng.range(10_000, 150_000),
        };
        let body: Vec<u8> = (0..size).map(|i| (i % 253) as u8).collect();
        let when = match rng.below(5) {
            _ if framing == RequestBody::None => When::Complete,
            0 => When::Early(rng.below(length + 1)),
            1 if status == 200 => When::Duplex,
            _ => When::Complete,
        };
        let mut head =
            b"HTTP/1.1 100 Continue\r\n\r\n".repeat(if rng.chance(20) { rng.range(1, 3) } else { 0 });
        head.extend(format!("HTTP/1.1 {status} Reason\r\nX-Answer: 1\r\nConnection: ").as_bytes());
        let close = rng.chance(20);
        head.extend(if close { &b"close\r\n"[..] } else { b"keep-alive, x-answer-2\r\nX-Answer-2: no\r\n" });
        let kind = rng.below(5);
        let until_close = kind == 0 && !bodiless;
        let mut rest = vec![];
        match kind {
            0 => rest.extend(&body),
            1 | 2 => {
                head.extend(format!("Content-Length: {size}\r\n").as_bytes());
                rest.extend(&body);
            }
            _ => {
                head.extend(b"Transfer-Encoding: chunked\r\n");
                let mut left = &body[..];
                while !left.is_empty() {
                    let (piece, behind) = left.split_at(rng.range(1, left.len().min(9000)));
                    rest.extend(format!("{:x}\r\n", piece.len()).as_bytes());
                    rest.extend(piece);
                    rest.extend(b"\r\n");
                    left = behind;
                }
                rest.extend(b"0\r\n\r\n");
            }
        }
        head.extend(b"\r\n");
        let body = if bodiless { vec![] } else { body };
        if bodiless {
            rest.clear();
        }
        let surplus = !until_close && rng.chance(5);
        if surplus {
            rest.extend(b"HTTP/1.1 200 OK\r\n\r\n");
        }
        let malformed = rng.chance(6);
        if malformed {
            let place = head.len() - 2;
            head.splice(place..place, b"no colon\r\n".iter().copied());
        }
        let total = head.len() + rest.len();
        let place = rng.below(total);
        let fate = match rng.below(24) {
            0 => Fate::Eof(place),
            1 => Fate::Reset(place),
            2 => Fate::Silent(place),
            _ => Fate::Open,
        };
        let keeps = !close && !until_close;
        Self { status, when, head, rest, body, keeps, until_close, surplus, malformed, fate }
    }

    /// No good response can come of it. A body that ends with the connection cannot be told from a cut one.
    pub fn broken(&self) -> bool {
        match self.fate {
            _ if self.malformed => true,
            Fate::Open => false,
            Fate::Eof(at) => {
                !(self.until_close && at >= self.head.len()) && at < self.head.len() + self.needed()
            }
            Fate::Reset(at) | Fate::Silent(at) => self.until_close || at < self.head.len() + self.needed(),
        }
    }

    /// Octets behind the head without which it is not complete.
    fn needed(&self) -> usize {
        if self.surplus { self.rest.len() - b"HTTP/1.1 200 OK\r\n\r\n".len() } else { self.rest.len() }
    }
}

/// How far the request was read.
#[derive(Debug)]
enum Reading {
    Head,
    Known(u64),
    Chunks,
    End,
}

/// A backend.
pub struct Peer {
    answer: Answer,
    rng: Rng,
    framing: RequestBody,
    reading: Reading,
    pending: Vec<u8>,
    /// Request body as received.
    pub body: Vec<u8>,
    /// The whole request was received.
    pub complete: bool,
    got_head: bool,
    /// Octets of the answer that are on their way, of all that were sent.
    out: VecDeque<(u64, Vec<u8>)>,
    emitted: usize,

    head_sent: bool,
    rest_sent: usize,
    time: u64,
    ends_at: Option<u64>,
    blocked_until: u64,
    /// Takes only parts of what is sent, or nothing for a while.
    pub slow: bool,
    whole: bool,
}

impl Peer {
    pub fn new(answer: Answer, framing: RequestBody, rng: &mut Rng) -> Self {
        Self {
            answer,
            framing,
            reading: Reading::Head,
            pending: vec![],
            body: vec![],
            complete: false,
            got_head: false,
            out: VecDeque::new(),
            emitted: 0,

            head_sent: false,
            rest_sent: 0,
            time: 0,
            ends_at: None,
            blocked_until: 0,
            slow: rng.chance(30),
            whole: rng.chance(30),
            rng: rng.fork(),
        }
    }

    /// Octets of the answer that nobody has read.
    pub fn unread(&self) -> usize {
        self.out.iter().map(|(_, piece)| piece.len()).sum()
    }

    fn take(&mut self, now: u64, parts: &[&[u8]]) -> Result<usize, LinkError> {
        if now < self.blocked_until {
            return Ok(0);
        }
        if self.ends_at.is_some_and(|end| end <= now) && !matches!(self.answer.fate, Fate::Silent(_)) {
            return Err(LinkError::Reset);
        }
        let all: usize = parts.iter().map(|part| part.len()).sum();
        let mut most = all;
        if self.slow {
            if self.rng.chance(30) {
                self.blocked_until = now + 1 + self.rng.next() % 1000;
                return Ok(0);
            }
            most = self.rng.range(1, all);
        }
        self.pending.extend(parts.iter().flat_map(|part| part.iter().copied()).take(most));
        self.read();
        self.speak(now);
        Ok(most)
    }

    /// Reads the request; panics when it is not exactly what it may be.
    fn read(&mut self) {
        loop {
            match self.reading {
                Reading::Head => {
                    let Some(end) = self.pending.windows(4).position(|four| four == b"\r\n\r\n") else {
                        return;
                    };
                    let head: Vec<u8> = self.pending.drain(..end + 4).collect();
                    let text = String::from_utf8(head).unwrap();
                    let lines: Vec<&str> = text.split("\r\n").collect();
                    assert!(lines[0].ends_with(" /app/page HTTP/1.1"), "{text}");
                    let count = |name: &str| lines.iter().filter(|line| line.starts_with(name)).count();
                    assert_eq!((count("Host: "), count("Connection:")), (1, 0), "{text}");
                    self.got_head = true;
                    self.reading = match self.framing {
                        RequestBody::None => Reading::End,
                        RequestBody::Known(length) => {
                            assert!(lines.contains(&format!("Content-Length: {length}").as_str()), "{text}");
                            Reading::Known(length)
                        }
                        RequestBody::Unknown => {
                            assert_eq!(
                                (count("Transfer-Encoding: chunked"), count("Content-Length")),
                                (1, 0)
                            );
                            Reading::Chunks
                        }
                    };
                }
                Reading::Known(length) => {
                    self.body.append(&mut self.pending);
                    let got = u64::try_from(self.body.len()).unwrap();
                    assert!(got <= length, "more body than announced");
                    if got < length {
                        return;
                    }
                    self.reading = Reading::End;
                }
                Reading::Chunks => {
                    let Some(end) = self.pending.windows(2).position(|two| two == b"\r\n") else { return };
                    let size = std::str::from_utf8(&self.pending[..end]).unwrap();
                    assert!(!size.is_empty() && (size == "0" || !size.starts_with('0')), "{size}");
                    assert!(size.bytes().all(|octet| b"0123456789abcdef".contains(&octet)), "{size}");
                    let size = usize::from_str_radix(size, 16).unwrap();
                    let whole = end + 2 + size + 2;
                    if self.pending.len() < whole {
                        return;
                    }
                    assert_eq!(self.pending[whole - 2..whole], *b"\r\n");
                    let chunk: Vec<u8> = self.pending.drain(..whole).collect();
                    self.body.extend_from_slice(&chunk[end + 2..whole - 2]);
                    if size == 0 {
                        self.reading = Reading::End;
                    }
                }
                Reading::End => {
                    self.complete = true;
                    assert!(self.pending.is_empty(), "octets behind the request");
                    return;
                }
            }
        }
    }

    /// Sends what is due of the answer.
    fn speak(&mut self, now: u64) {
        if !self.got_head {
            return;
        }
        let all = match self.answer.when {
            When::Complete => self.complete,
            When::Early(octets) => self.complete || self.body.len() >= octets,
            When::Duplex => self.complete,
        };
        let rest = self.answer.rest.len();
        let until = match self.answer.when {
            _ if all => rest,
            // Nearly to its end, so that the request decides when that comes.
            When::Duplex => self.body.len().min(rest.saturating_sub(1) * 9 / 10),
            _ => return,
        };
        if !self.head_sent {
            self.head_sent = true;
            let head = self.answer.head.clone();
            self.emit(now, &head);
        }
        if until > self.rest_sent {
            let octets = self.answer.rest[self.rest_sent..until].to_vec();
            self.rest_sent = until;
            self.emit(now, &octets);
        }
        let ends = self.answer.until_close || !self.answer.keeps;
        if all && ends && self.ends_at.is_none() {
            self.ends_at = Some(self.time);
        }
    }

    fn emit(&mut self, now: u64, octets: &[u8]) {
        let limit = match self.answer.fate {
            Fate::Open => usize::MAX,
            Fate::Eof(limit) | Fate::Reset(limit) | Fate::Silent(limit) => limit,
        };
        self.time = self.time.max(now);
        let mut left = &octets[..octets.len().min(limit - self.emitted)];
        while !left.is_empty() {
            let size = match self.rng.below(3) {
                _ if self.whole => left.len(),
                0 => self.rng.range(1, left.len().min(9)),
                1 => self.rng.range(1, left.len()),
                _ => left.len(),
            };
            if self.rng.chance(20) {
                self.time += self.rng.next() % 2000;
            }
            let (piece, rest) = left.split_at(size);
            self.out.push_back((self.time, piece.to_vec()));
            self.emitted += size;
            left = rest;
        }
        if self.emitted >= limit {
            self.ends_at =
                Some(if matches!(self.answer.fate, Fate::Silent(_)) { u64::MAX } else { self.time });
        }
    }

    fn give(&mut self, now: u64, buffer: &mut [u8]) -> Result<Received, LinkError> {
        let mut filled = 0;
        while let Some((at, piece)) = self.out.front_mut() {
            if *at > now || filled == buffer.len() {
                break;
            }
            let n = piece.len().min(buffer.len() - filled);
            buffer[filled..filled + n].copy_from_slice(&piece[..n]);
            filled += n;
            piece.drain(..n);
            if piece.is_empty() {
                self.out.pop_front();
            }
        }
        match (filled, self.ends_at) {
            (0, Some(end)) if self.out.is_empty() && end <= now => Err(match self.answer.fate {
                Fate::Reset(_) => LinkError::Reset,
                _ => LinkError::Closed,
            }),
            (0, _) => Ok(Received::WouldBlock),
            _ => Ok(Received::Data(filled)),
        }
    }

    fn readable_at(&self) -> Option<u64> {
        let end = self.ends_at.filter(|end| *end < u64::MAX);
        self.out.front().map(|(at, _)| *at).or(end)
    }
}

/// The engine's end of the connection.
pub struct PeerLink {
    pub peer: Rc<RefCell<Peer>>,
    clock: Rc<Clock>,
    client: Rc<Cell<Option<u64>>>,
}

impl PeerLink {
    pub fn new(peer: Peer, clock: &Rc<Clock>, client: Rc<Cell<Option<u64>>>) -> Self {
        Self { peer: Rc::new(RefCell::new(peer)), clock: Rc::clone(clock), client }
    }

    fn sleep(&self, ready: Option<u64>, timeout: Option<Duration>) -> Result<(), LinkError> {
        let deadline = timeout.map(|timeout| self.clock.now() + micros(timeout));
        match (ready, deadline) {
            (Some(ready), Some(deadline)) if ready > deadline => self.clock.reach(deadline),
            (Some(ready), _) => {
                self.clock.reach(ready);
                return Ok(());
            }
            (None, Some(deadline)) => self.clock.reach(deadline),
            (None, None) => panic!("waits for ever"),
        }
        Err(LinkError::TimedOut)
    }
}

impl Link for PeerLink {
    fn send(&mut self, parts: &[&[u8]]) -> Result<usize, LinkError> {
        self.clock.call();
        assert!(parts.iter().any(|part| !part.is_empty()), "nothing to send");
        self.peer.borrow_mut().take(self.clock.now(), parts)
    }

    fn recv(&mut self, buffer: &mut [u8]) -> Result<Received, LinkError> {
        self.clock.call();
        assert!(!buffer.is_empty(), "no room to read into");
        self.peer.borrow_mut().give(self.clock.now(), buffer)
    }

    fn recv_blocking(&mut self, buffer: &mut [u8], timeout: Option<Duration>) -> Result<usize, LinkError> {
        loop {
            if let Received::Data(n) = self.recv(buffer)? {
                return Ok(n);
            }
            let ready = self.peer.borrow().readable_at();
            self.sleep(ready, timeout)?;
        }
    }

    fn wait(&mut self, writable: bool, other: Option<i32>, timeout: Duration) -> Result<(), LinkError> {
        self.clock.call();
        let peer = self.peer.borrow();
        let send = writable.then_some(peer.blocked_until);
        let client = other.and_then(|_| self.client.get());
        let ready = [peer.readable_at(), send, client].into_iter().flatten().min();
        drop(peer);
        self.sleep(ready, Some(timeout))
    }
}
