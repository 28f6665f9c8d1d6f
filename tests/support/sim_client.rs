//! The client of the simulation: a request body that comes in pieces, and a recorder that refuses what must not happen.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use mod_jk_rs::engine::error::ClientFault;
use mod_jk_rs::engine::exchange::ResponseHead;
use mod_jk_rs::engine::proxy::{BodyRead, Host, Then};
use mod_jk_rs::engine::request::{Request, RequestBody, RequestHead, Tls};
use mod_jk_rs::engine::units::Tick;

use super::{CLIENT_FD, Clock, Rng, micros};

/// Request body on its way.
#[derive(Debug, Clone, Copy)]
pub enum Piece {
    /// So many octets.
    Data(usize),
    /// The body breaks.
    Fails(ClientFault),
}

/// The octet of the request body at `position`.
pub fn body_octet(position: usize) -> u8 {
    (position % 251) as u8
}

/// Status and headers of a response.
pub type Head = (u16, Vec<(Vec<u8>, Vec<u8>)>);

/// The client.
pub struct Client {
    clock: Rc<Clock>,
    /// Method.
    pub method: &'static str,
    /// Body framing.
    pub framing: RequestBody,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    pieces: VecDeque<(u64, Piece)>,
    ready: Rc<Cell<Option<u64>>>,
    patience: Duration,
    /// There is a descriptor to wait for.
    pub pollable: bool,
    /// Octets of body handed out.
    pub read: usize,
    /// The body broke.
    pub broke: bool,
    /// Writing fails when so many octets of body have gone out.
    pub write_limit: Option<usize>,
    /// Time each write takes.
    pub write_time: u64,
    /// Longest time that some writes take in addition.
    pub slowness: u64,
    rng: Rng,
    head: Option<Head>,
    /// Status of the response that httpd answers instead.
    pub replaced: Option<u16>,
    /// Something was written, or was to be.
    pub written: bool,
    /// The response was ended.
    pub ended: bool,
    /// A write has failed.
    pub gone: bool,
    /// Body as the client has it.
    pub body: Vec<u8>,
}

impl Client {
    /// A client; each piece of its body comes so many microseconds after the one before.
    pub fn new(
        clock: &Rc<Clock>,
        framing: RequestBody,
        pieces: Vec<(u64, Piece)>,
        patience: Duration,
        rng: &mut Rng,
    ) -> Self {
        let mut client = Self {
            clock: Rc::clone(clock),
            method: "GET",
            framing,
            headers: Vec::new(),
            pieces: pieces.into(),
            ready: Rc::default(),
            patience,
            pollable: true,
            read: 0,
            broke: false,
            write_limit: None,
            write_time: 0,
            slowness: 0,
            rng: rng.fork(),
            head: None,
            replaced: None,
            written: false,
            ended: false,
            gone: false,
            body: Vec::new(),
        };
        client.next_piece(0);
        client
    }

    /// When the next piece can be read.
    pub fn ready(&self) -> Rc<Cell<Option<u64>>> {
        Rc::clone(&self.ready)
    }

    /// Status and headers of the response that is kept or was written.
    pub fn response(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    fn next_piece(&mut self, now: u64) {
        // The end of the body can be read when its last octet can.
        self.ready.set(Some(now + self.pieces.front().map_or(0, |(delay, _)| *delay)));
    }
}

impl Request for Client {
    fn head(&self) -> RequestHead<'_> {
        RequestHead {
            method: self.method.as_bytes(),
            protocol: b"HTTP/1.1",
            uri: b"/app/page",
            query: None,
            remote_addr: Some(b"192.0.2.7"),
            remote_host: None,
            remote_port: Some(b"4711"),
            local_addr: Some(b"192.0.2.1"),
            server_name: b"www.example.org",
            server_port: 80,
            secure: false,
            remote_user: None,
            auth_type: None,
            tls: Tls::default(),
            body: self.framing,
        }
    }

    fn each_header(&self, sink: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in &self.headers {
            sink(name.as_bytes(), value.as_bytes());
        }
    }

    fn each_attribute(&self, _: &mut dyn FnMut(&[u8], &[u8])) {}
}

impl Host for Client {
    fn read_body(&mut self, buffer: &mut [u8], block: bool) -> Result<BodyRead, ClientFault> {
        self.clock.call();
        assert!(!buffer.is_empty() && !self.broke, "reads on after the body broke");
        assert!(self.framing != RequestBody::None, "reads a body that is not there");
        let ready = self.ready.get().unwrap();
        if ready > self.clock.now() {
            if !block {
                return Ok(BodyRead::WouldBlock);
            }
            let deadline = self.clock.now() + micros(self.patience);
            self.clock.reach(ready.min(deadline));
            if ready > deadline {
                self.broke = true;
                return Err(ClientFault::Body(408));
            }
        }
        match self.pieces.front_mut() {
            None => Ok(BodyRead::End),
            Some((_, Piece::Fails(fault))) => {
                self.broke = true;
                Err(*fault)
            }
            Some((_, Piece::Data(left))) => {
                let n = buffer.len().min(*left);
                for (i, octet) in buffer[..n].iter_mut().enumerate() {
                    *octet = body_octet(self.read + i);
                }
                self.read += n;
                *left -= n;
                if *left == 0 {
                    self.pieces.pop_front();
                    self.next_piece(self.clock.now());
                }
                Ok(BodyRead::Data(n))
            }
        }
    }

    fn body_descriptor(&self) -> Option<i32> {
        self.pollable.then_some(CLIENT_FD)
    }

    fn start_response(&mut self, head: &ResponseHead<'_>) {
        assert!(self.head.is_none(), "a second response head");
        assert!(!self.written);
        let fields = head.fields.clone().map(|(name, value)| (name.to_vec(), value.to_vec()));
        self.head = Some((head.status, fields.collect()));
    }

    fn replace_response(&mut self, head: &ResponseHead<'_>) {
        assert!(self.head.is_none() && !self.written && self.replaced.is_none());
        self.replaced = Some(head.status);
    }

    fn forget_response(&mut self) {
        assert!(!self.written, "forgets a response that has begun to leave");
        self.head = None;
    }

    fn write(&mut self, data: &[&[u8]], then: Then) -> Result<(), ClientFault> {
        self.clock.call();
        assert!(self.replaced.is_none(), "writes a response that httpd replaces");
        assert!(self.head.is_some(), "body before the head");
        assert!(!self.ended && !self.gone, "writes after the end");
        assert!(data.iter().all(|piece| !piece.is_empty()), "an empty piece");
        self.written = true;
        self.clock.reach(self.clock.now() + self.write_time);
        if self.slowness > 0 && self.rng.chance(30) {
            self.clock.reach(self.clock.now() + self.rng.next() % self.slowness);
        }
        for piece in data {
            self.body.extend_from_slice(piece);
        }
        if let Some(limit) = self.write_limit
            && self.body.len() >= limit
        {
            self.body.truncate(limit);
            self.gone = true;
            return Err(ClientFault::Gone);
        }
        self.ended = then == Then::End;
        Ok(())
    }

    fn now(&self) -> Tick {
        Tick(self.clock.now())
    }
}
