//! The scripted backend of the simulation: reads AJP, checks it, and answers in pieces that arrive in time.

use std::collections::VecDeque;

use mod_jk_rs::engine::exchange::{LinkError, Received};
use mod_jk_rs::engine::request::RequestBody;

use super::Rng;

/// A step of the script.
#[derive(Debug, Clone)]
pub enum Act {
    /// Waits for a CPing and answers it.
    Pong,
    /// Waits for the request packet.
    AwaitHead,
    /// Octets.
    Bytes(Vec<u8>),
    /// Response body in one packet.
    Chunk(Vec<u8>),
    /// Nothing for so many microseconds.
    Delay(u64),
    /// Asks once for at most so many octets of request body and waits for the answer.
    Ask(u16),
    /// Asks until the request body is complete.
    AskAll(u16),
}

/// How the connection ends, after so many octets of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays open.
    Open,
    /// EOF.
    Eof(usize),
    /// A reset.
    Reset(usize),
    /// Nothing more comes.
    Silent(usize),
}

/// A backend.
pub struct Backend {
    acts: VecDeque<Act>,
    rng: Rng,
    sends: Rng,
    /// Pieces of the answer, each with the time it arrives.
    out: VecDeque<(u64, Vec<u8>)>,
    ends_at: Option<u64>,
    time: u64,
    emitted: usize,
    fate: Fate,
    /// Answers are not cut into pieces.
    pub whole: bool,
    /// Most octets that one read gets.
    pub portion: usize,
    /// Largest gap between two pieces.
    pub gap: u64,
    /// Takes only parts of what is sent, or nothing for a while.
    pub slow_reader: bool,
    /// Sending fails after so many octets of request.
    pub send_limit: Option<usize>,
    blocked_until: u64,
    head: Vec<u8>,
    taken: usize,
    pending: Vec<u8>,
    asked: Option<usize>,
    pings: usize,
    got_head: bool,
    /// Request body as received.
    pub body: Vec<u8>,
    /// The end of the body was received.
    pub body_end: bool,
    framing: RequestBody,
    first_due: bool,
    /// The End Response of the script allows reuse.
    pub reuse: bool,
}

/// A response body packet, with the octet of padding most backends send.
pub fn chunk(data: &[u8]) -> Vec<u8> {
    let size = u16::try_from(data.len()).unwrap();
    let mut packet = vec![0x41, 0x42];
    packet.extend((size + 4).to_be_bytes());
    packet.push(3);
    packet.extend(size.to_be_bytes());
    packet.extend(data);
    packet.push(0);
    packet
}

/// A response head packet.
pub fn head(status: u16, reason: &str, fields: &[(&str, String)]) -> Vec<u8> {
    fn text(packet: &mut Vec<u8>, text: &str) {
        packet.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        packet.extend(text.as_bytes());
        packet.push(0);
    }
    let mut payload = vec![4];
    payload.extend(status.to_be_bytes());
    text(&mut payload, reason);
    payload.extend(u16::try_from(fields.len()).unwrap().to_be_bytes());
    for (name, value) in fields {
        text(&mut payload, name);
        text(&mut payload, value);
    }
    let mut packet = vec![0x41, 0x42];
    packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    packet.extend(payload);
    packet
}

/// End Response.
pub fn end(reuse: u8) -> Vec<u8> {
    vec![0x41, 0x42, 0, 2, 5, reuse]
}

impl Backend {
    /// A backend that has not been connected to.
    pub fn new(acts: Vec<Act>, fate: Fate, framing: RequestBody, rng: &mut Rng) -> Self {
        Self {
            acts: acts.into(),
            rng: rng.fork(),
            sends: rng.fork(),
            out: VecDeque::new(),
            ends_at: None,
            time: 0,
            emitted: 0,
            fate,
            whole: false,
            portion: usize::MAX,
            gap: 0,
            slow_reader: false,
            send_limit: None,
            blocked_until: 0,
            head: Vec::new(),
            taken: 0,
            pending: Vec::new(),
            asked: None,
            pings: 0,
            got_head: false,
            body: Vec::new(),
            body_end: false,
            framing,
            first_due: matches!(framing, RequestBody::Known(_)),
            reuse: false,
        }
    }

    /// Octets of the request (not of CPings) that have arrived.
    pub fn request_octets(&self) -> usize {
        self.taken - self.pings * 5
    }

    /// The request packet, as far as it has arrived.
    pub fn head(&self) -> &[u8] {
        if self.got_head { &self.head } else { &self.pending }
    }

    pub(super) fn begin(&mut self, now: u64) {
        self.time = now;
        self.poke(now);
    }

    /// Goes on with the script.
    fn poke(&mut self, now: u64) {
        while self.ends_at.is_none() {
            let Some(act) = self.acts.front().cloned() else { return };
            match act {
                Act::Pong if self.pings == 0 => return,
                Act::AwaitHead if !self.got_head => return,
                Act::AwaitHead => {}
                Act::Pong => self.emit(now, &[0x41, 0x42, 0, 1, 9]),
                Act::Bytes(bytes) => self.emit(now, &bytes),
                Act::Chunk(data) => self.emit(now, &chunk(&data)),
                Act::Delay(time) => self.time = self.time.max(now) + time,
                Act::Ask(_) | Act::AskAll(_) if self.asked.is_some() => return,
                Act::Ask(max) => {
                    self.acts.pop_front();
                    self.ask(now, max);
                    self.acts.push_front(Act::AskAll(0));
                    continue;
                }
                Act::AskAll(0) => {} // the answer to the one before has come
                Act::AskAll(_) if self.complete() => {}
                Act::AskAll(max) => {
                    self.ask(now, max);
                    continue;
                }
            }
            self.acts.pop_front();
        }
    }

    fn complete(&self) -> bool {
        match self.framing {
            RequestBody::None => true,
            RequestBody::Known(length) => u64::try_from(self.body.len()).unwrap() >= length,
            RequestBody::Unknown => self.body_end,
        }
    }

    fn ask(&mut self, now: u64, max: u16) {
        self.asked = Some(usize::from(max));
        let [high, low] = max.to_be_bytes();
        self.emit(now, &[0x41, 0x42, 0, 3, 6, high, low]);
    }

    /// Queues octets in pieces, up to where fate strikes.
    fn emit(&mut self, now: u64, bytes: &[u8]) {
        let limit = match self.fate {
            Fate::Open => usize::MAX,
            Fate::Eof(limit) | Fate::Reset(limit) | Fate::Silent(limit) => limit,
        };
        self.time = self.time.max(now);
        let mut left = &bytes[..bytes.len().min(limit - self.emitted)];
        while !left.is_empty() {
            let size = match self.rng.below(4) {
                _ if self.whole => left.len(),
                0 => self.rng.range(1, left.len().min(9)),
                1 => self.rng.range(1, left.len()),
                _ => left.len(),
            };
            let (piece, rest) = left.split_at(size);
            if self.gap > 0 && self.rng.chance(20) {
                self.time += self.rng.next() % self.gap;
            }
            self.out.push_back((self.time, piece.to_vec()));
            self.emitted += size;
            left = rest;
        }
        if self.emitted >= limit {
            self.ends_at = Some(if matches!(self.fate, Fate::Silent(_)) { u64::MAX } else { self.time });
        }
    }

    /// Takes request octets.
    pub(super) fn take(&mut self, now: u64, parts: &[&[u8]]) -> Result<usize, LinkError> {
        if now < self.blocked_until {
            return Ok(0);
        }
        if self.send_limit.is_some_and(|limit| self.taken >= limit) {
            return Err(LinkError::Reset);
        }
        let all: usize = parts.iter().map(|part| part.len()).sum();
        let mut most = all;
        if self.slow_reader {
            if self.sends.chance(30) {
                self.blocked_until = now + 1 + self.sends.next() % 1000;
                return Ok(0);
            }
            most = self.sends.range(1, all);
        }
        if let Some(limit) = self.send_limit {
            most = most.min(limit - self.taken);
        }
        let octets: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).take(most).collect();
        self.taken += octets.len();
        self.pending.extend(octets);
        self.parse();
        self.poke(now);
        Ok(most)
    }

    /// Reads what has arrived and checks that the connector may send it.
    fn parse(&mut self) {
        while let Some(&[first, second, high, low]) = self.pending.first_chunk::<4>() {
            assert_eq!([first, second], [0x12, 0x34], "magic of a packet to the backend");
            let length = usize::from(u16::from_be_bytes([high, low]));
            if self.pending.len() < 4 + length {
                return;
            }
            let packet: Vec<u8> = self.pending.drain(..4 + length).collect();
            if packet[4..] == [10] {
                assert!(!self.got_head, "a CPing in the middle of an exchange");
                self.pings += 1;
            } else if !self.got_head {
                assert_eq!(packet[4], 2, "the first packet is the request");
                self.head = packet;
                self.got_head = true;
            } else {
                self.body_packet(&packet[4..]);
            }
        }
    }

    fn body_packet(&mut self, payload: &[u8]) {
        let allowed = if std::mem::take(&mut self.first_due) {
            usize::MAX
        } else {
            self.asked.take().expect("a body packet nobody asked for")
        };
        assert!(!self.body_end || payload.is_empty(), "octets behind the end of the body");
        if payload.is_empty() {
            self.body_end = true;
            return;
        }
        let size = usize::from(u16::from_be_bytes([payload[0], payload[1]]));
        assert_eq!(size, payload.len() - 2, "the two lengths of a body packet");
        assert!(size > 0 && size <= allowed, "{size} octets, {allowed} were asked for");
        self.body.extend(&payload[2..]);
        match self.framing {
            RequestBody::None => panic!("body of a request without one"),
            RequestBody::Known(length) => {
                assert!(u64::try_from(self.body.len()).unwrap() <= length, "more body than announced");
            }
            RequestBody::Unknown => {}
        }
    }

    /// Gives what has arrived at the connector by now.
    pub(super) fn give(&mut self, now: u64, buffer: &mut [u8]) -> Result<Received, LinkError> {
        let most = buffer.len().min(self.portion);
        let mut filled = 0;
        while let Some((at, piece)) = self.out.front_mut() {
            if *at > now || filled == most {
                break;
            }
            let n = piece.len().min(most - filled);
            buffer[filled..filled + n].copy_from_slice(&piece[..n]);
            filled += n;
            piece.drain(..n);
            if piece.is_empty() {
                self.out.pop_front();
            }
        }
        match (filled, self.fate, self.ends_at) {
            (0, fate, Some(end)) if self.out.is_empty() && end <= now => Err(match fate {
                Fate::Reset(_) => LinkError::Reset,
                _ => LinkError::Closed,
            }),
            (0, ..) => Ok(Received::WouldBlock),
            _ => Ok(Received::Data(filled)),
        }
    }

    pub(super) fn readable_at(&self) -> Option<u64> {
        let end = self.ends_at.filter(|end| *end < u64::MAX);
        self.out.front().map(|(at, _)| *at).or(end)
    }

    pub(super) fn writable_at(&self) -> Option<u64> {
        Some(self.blocked_until)
    }

    /// Called when the connection is given back for another exchange.
    pub(super) fn check_reusable(&self) {
        assert!(self.pending.is_empty(), "a packet to the backend is cut");
        // What comes unasked on an unused connection is found when it is taken again.
        if self.got_head {
            assert_eq!(self.asked, None, "a question of the backend is unanswered");
            assert!(self.out.is_empty(), "octets of the backend are unread");
            assert!(self.acts.is_empty(), "the exchange is not over");
            assert!(self.reuse, "the backend asked for the connection to be closed");
            assert!(!self.first_due, "the first body packet is missing");
        }
    }
}
