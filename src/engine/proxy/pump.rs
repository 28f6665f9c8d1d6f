//! Moves bytes between an exchange, its backend connection and the client, in constant memory.
//!
//! The pump never waits by itself unless it is told to block: [`Pump::step`] goes as far as it can and then says what it
//! waits for, so that the same code serves the blocking driver ([`Pump::run`]) and an event loop.
//!
//! The beginning of a response is held back until it is complete, the backend asks for a flush, or [`HOLD`] octets of body
//! are there: a backend that dies meanwhile costs a clean 502 instead of a truncated page, and a small response goes to
//! httpd in one piece.

use std::ops::Range;
use std::time::Duration;

use super::buffers::Buffers;
use super::host::{BodyRead, Host, Then, fill};
pub use super::manner::{Manner, Timing, Traffic};
pub use super::step::{Interest, Step};
use crate::engine::error::{Cause, ClientFault, Failure};
use crate::engine::exchange::{Event, Exchange, Fed, Link, LinkError, ROOM_BEFORE, Received};
use crate::engine::units::Tick;

mod failures;

/// Body octets held back before the response starts; mod_jk's response buffer has the same size.
pub const HOLD: usize = 8192;
/// Pieces of body passed on in one go.
const PIECES: usize = 32;
/// Pieces that most writes have at most.
const FEW: usize = 8;

/// Longest wait for request body before it is read again although none has come: input filters with time limits of their own
/// (mod_reqtimeout) notice them only when they are asked.
const CLIENT_LOOK: Duration = Duration::from_secs(1);

/// A running exchange.
#[derive(Debug)]
pub struct Pump<X> {
    exchange: X,
    buffers: Box<Buffers>,
    head_sent: usize,
    packet: Range<usize>,
    wanted: Option<usize>,
    end_wanted: bool,
    first_body: bool,
    body_spent: bool,
    /// Most octets the backend asked for last time; 0 before it asked.
    usual: usize,
    /// Octets of the next packet that were read before the backend asked for them.
    ahead: usize,
    /// Reading ahead has failed; it matters when the backend asks for more.
    ahead_failed: Option<ClientFault>,
    send_failed: Option<LinkError>,
    held_bytes: usize,
    head_seen: bool,
    delivered: bool,
    replaced: Option<u16>,
    switched: bool,
    packet_since: Option<(Tick, u64)>,
    /// Since when the client takes no more.
    congested_since: Option<Tick>,
    traffic: Traffic,
}

impl<X: Exchange> Pump<X> {
    /// Prepares to send `buffers.head`, and behind it a first body packet when the protocol wants one: `kept` is the length
    /// of the one an earlier attempt has read into `buffers.body`.
    #[inline]
    pub fn new(mut exchange: X, mut buffers: Box<Buffers>, kept: Option<usize>) -> Self {
        buffers.input.clear();
        buffers.held.clear();
        buffers.spare.clear();
        let packet = match kept {
            Some(len) => exchange.frame_body(&mut buffers.body, len),
            None => 0..0,
        };
        Self {
            exchange,
            buffers,
            head_sent: 0,
            packet,
            wanted: None,
            end_wanted: false,
            first_body: kept.is_some(),
            body_spent: false,
            usual: 0,
            ahead: 0,
            ahead_failed: None,
            send_failed: None,
            held_bytes: 0,
            head_seen: false,
            delivered: false,
            replaced: None,
            switched: false,
            packet_since: None,
            congested_since: None,
            traffic: Traffic::default(),
        }
    }

    /// Octets moved so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Request body is still with the client.
    pub fn body_owed(&self) -> bool {
        self.exchange.body_owed()
    }

    /// Status of a response that httpd replaces by a page of its own.
    pub fn replaced(&self) -> Option<u16> {
        self.replaced
    }

    /// The backend has agreed to leave HTTP. What it sent behind its head is still in the input.
    pub fn switched(&self) -> bool {
        self.switched
    }

    /// The buffers, once the exchange is over.
    pub fn into_buffers(self) -> Box<Buffers> {
        self.buffers
    }

    /// The buffers, between two steps.
    pub fn buffers(&mut self) -> &mut Buffers {
        &mut self.buffers
    }

    /// The exchange, for protocol specific questions.
    pub fn exchange(&self) -> &X {
        &self.exchange
    }

    /// Runs the exchange to its end, blocking. The link must be one whose connection is established.
    ///
    /// # Errors
    /// The attempt failed; the connection must be closed.
    pub fn run<H: Host, L: Link>(
        &mut self,
        host: &mut H,
        link: &mut L,
        manner: &Manner<'_>,
    ) -> Result<bool, Failure> {
        // How long the client has been silent in the waits before this one.
        let mut silent = Duration::ZERO;
        loop {
            let interest = match self.step(host, link, manner, true)? {
                Step::Done { reusable } => return Ok(reusable),
                Step::Wait(interest) => interest,
            };
            let timeout = self.patience(host.now(), interest, manner).unwrap_or(manner.timing.send);
            let mut wait = timeout;
            let descriptor = if interest.client_readable {
                wait = timeout.saturating_sub(silent).min(CLIENT_LOOK);
                host.body_descriptor()
            } else {
                None
            };
            match link.wait(interest.link_writable, descriptor, wait) {
                Ok(()) => silent = Duration::ZERO,
                Err(LinkError::TimedOut) if interest.client_readable && silent + wait < timeout => {
                    silent += wait;
                }
                Err(LinkError::TimedOut) => return Err(self.timed_out(interest, manner)),
                Err(error) => return Err(self.failure(Cause::Link(error))),
            }
        }
    }

    /// How long a driver waits at most for what [`Pump::step`] has just asked for; `None`: for ever.
    pub fn patience(&self, now: Tick, interest: Interest, manner: &Manner<'_>) -> Option<Duration> {
        if interest.client_readable || interest.client_writable {
            return Some(manner.timing.client);
        }
        if interest.link_writable {
            return Some(manner.timing.send);
        }
        let limit = manner.timing.reply?;
        let spent = self.packet_since.map_or(Duration::ZERO, |(since, _)| now.since(since));
        Some(limit.saturating_sub(spent))
    }

    /// Goes as far as possible. With `block`, waits inside one read when the backend's answer is the only thing missing, and
    /// when the client is slow.
    ///
    /// # Errors
    /// As [`Pump::run`].
    pub fn step<H: Host, L: Link>(
        &mut self,
        host: &mut H,
        link: &mut L,
        manner: &Manner<'_>,
        block: bool,
    ) -> Result<Step, Failure> {
        loop {
            self.push(link);
            let mut client_wait = false;
            if self.answer_due() {
                // A backend that never asks may have answered: then it may want no more.
                if self.exchange.sends_unasked()
                    && let Some(done) = self.look(host, link, manner)?
                {
                    return Ok(self.done(done));
                }
                if self.answer_due() {
                    client_wait = self.answer(host)?;
                    if !client_wait {
                        continue;
                    }
                }
            }
            if let Some(done) = self.digest(host, manner)? {
                return Ok(self.done(done));
            }
            if self.answer_due() && !client_wait {
                continue;
            }
            if !block && self.is_congested(host)? {
                return Ok(Step::Wait(Interest { client_writable: true, ..Interest::default() }));
            }
            self.read_ahead(host);
            let link_writable = self.pending();
            let interest = Interest { link_writable, client_readable: client_wait, client_writable: false };
            let alone = block && !interest.link_writable && !interest.client_readable;
            if !self.receive(host, link, manner, alone)? {
                return Ok(Step::Wait(interest));
            }
        }
    }

    /// The client takes no more at the moment. That time is its own.
    fn is_congested<H: Host>(&mut self, host: &mut H) -> Result<bool, Failure> {
        let congested =
            self.delivered && host.congested().map_err(|fault| self.failure(Cause::Client(fault)))?;
        if congested {
            self.congested_since.get_or_insert_with(|| host.now());
        } else {
            let since = self.congested_since.take();
            self.excuse(host, since);
        }
        Ok(congested)
    }

    /// Handles what the backend has sent by now, without waiting. `Some` when the exchange is over.
    fn look<H: Host, L: Link>(
        &mut self,
        host: &mut H,
        link: &mut L,
        manner: &Manner<'_>,
    ) -> Result<Option<bool>, Failure> {
        // First what is here: it decides what a closed connection means.
        match self.digest(host, manner)? {
            None if self.receive(host, link, manner, false)? => self.digest(host, manner),
            done => Ok(done),
        }
    }

    fn done(&self, reusable: bool) -> Step {
        Step::Done { reusable: reusable && !self.pending() && self.send_failed.is_none() }
    }

    /// Request octets can be sent and are wanted. After a failure they cannot; the next read tells why.
    fn sending(&self) -> bool {
        self.send_failed.is_none() && !self.exchange.declines_body()
    }

    /// The backend waits for request body, and it can be sent.
    fn answer_due(&self) -> bool {
        self.packet.is_empty() && (self.wanted.is_some() || self.end_wanted) && self.sending()
    }

    /// Output is left to send.
    fn pending(&self) -> bool {
        (self.head_sent < self.buffers.head.len() || !self.packet.is_empty()) && self.sending()
    }

    /// Sends what the socket takes. A failure is kept: the backend may have answered before it closed, and that answer
    /// counts.
    fn push<L: Link>(&mut self, link: &mut L) {
        while self.pending() {
            let head = self.buffers.head.get(self.head_sent..).unwrap_or_default();
            let body = self.buffers.body.get(self.packet.clone()).unwrap_or_default();
            let sent = match (head.is_empty(), body.is_empty()) {
                (false, false) => link.send(&[head, body]),
                (false, true) => link.send(&[head]),
                _ => link.send(&[body]),
            };
            match sent {
                Ok(0) => return,
                Ok(n) => {
                    self.traffic.sent += n as u64;
                    let of_head = n.min(head.len());
                    self.head_sent += of_head;
                    self.packet.start += n - of_head;
                }
                Err(error) => {
                    self.send_failed = Some(error);
                    return;
                }
            }
        }
    }

    /// Answers the backend's request for body data. True when the client has to send first.
    fn answer<H: Host>(&mut self, host: &mut H) -> Result<bool, Failure> {
        if self.end_wanted {
            self.end_wanted = false;
            self.packet = self.exchange.frame_end(&mut self.buffers.body);
            return Ok(false);
        }
        if let Some(fault) = self.ahead_failed {
            return Err(self.failure(Cause::Client(fault)));
        }
        let max = self.wanted.unwrap_or(1);
        let block = host.body_descriptor().is_none();
        let begun = self.packet_since.filter(|_| block).map(|_| host.now());
        let read = match self.read_before(max) {
            0 => fill(host, &mut self.buffers.body, max, block),
            len => Ok(BodyRead::Data(len)),
        };
        self.usual = max;
        self.excuse(host, begun);
        match read.map_err(|fault| self.failure(Cause::Client(fault)))? {
            BodyRead::WouldBlock => return Ok(true),
            BodyRead::Data(len) => {
                // The first packet, which was kept for a repetition, is overwritten.
                self.body_spent = true;
                self.packet = self.exchange.frame_body(&mut self.buffers.body, len);
            }
            BodyRead::End if self.exchange.body_cut() => {
                return Err(self.failure(Cause::Client(ClientFault::Gone)));
            }
            BodyRead::End => self.packet = self.exchange.frame_end(&mut self.buffers.body),
        }
        self.wanted = None;
        Ok(false)
    }

    /// Reads the next packet's data while the backend digests the last one, if the client has sent it already: one wait
    /// less for each packet of an upload. Not before the backend has asked once, because the first packet is kept for a
    /// repetition.
    fn read_ahead<H: Host>(&mut self, host: &mut H) {
        let idle = self.packet.is_empty() && self.wanted.is_none() && !self.end_wanted && self.ahead == 0;
        if !idle || self.usual == 0 || self.send_failed.is_some() {
            return;
        }
        let most = std::mem::take(&mut self.usual); // once for each answer
        if !self.exchange.body_owed() || !self.buffers.spare.is_empty() || host.body_descriptor().is_none() {
            return;
        }
        match fill(host, &mut self.buffers.body, most, false) {
            Ok(BodyRead::Data(len)) => self.ahead = len,
            Ok(BodyRead::WouldBlock | BodyRead::End) => {}
            Err(fault) => self.ahead_failed = Some(fault),
        }
    }

    /// Puts what was read ahead in its place, at most `max` octets; what the backend does not want yet is set aside.
    fn read_before(&mut self, max: usize) -> usize {
        let Buffers { body, spare, .. } = &mut *self.buffers;
        let ahead = std::mem::take(&mut self.ahead);
        if ahead > 0 {
            let len = ahead.min(max);
            spare.extend_from_slice(body.get(ROOM_BEFORE + len..ROOM_BEFORE + ahead).unwrap_or_default());
            return len;
        }
        let len = spare.len().min(max);
        let (Some(from), Some(to)) = (spare.get(..len), body.get_mut(ROOM_BEFORE..ROOM_BEFORE + len)) else {
            return 0;
        };
        to.copy_from_slice(from);
        spare.drain(..len);
        len
    }

    /// Handles everything that has been received. `Some` when the exchange is over.
    fn digest<H: Host>(&mut self, host: &mut H, manner: &Manner<'_>) -> Result<Option<bool>, Failure> {
        if self.traffic.received == 0 && !self.exchange.sends_unasked() {
            // An exchange that does nothing unasked has nothing to say before the first octet.
            self.buffers.input.make_room(usize::MAX, 1);
            return Ok(None);
        }
        loop {
            let input = self.buffers.input.filled();
            let base = input.as_ptr() as usize;
            // Taken apart where it is made: an event has room for a whole head and is dear to move.
            match self.exchange.feed(input) {
                Err(malformed) => return Err(self.failure(Cause::Protocol(malformed.into()))),
                Ok(Fed { consumed, event: Event::More { need } }) => {
                    self.buffers.input.consume(consumed);
                    if self.held_bytes > 0 && (self.delivered || self.held_bytes >= HOLD) {
                        self.deliver(host, Then::More)?;
                    }
                    let Buffers { input, held, .. } = &mut *self.buffers;
                    let moved = input.make_room(held.first().map_or(usize::MAX, |piece| piece.0), need);
                    for piece in held {
                        *piece = (piece.0.saturating_sub(moved), piece.1.saturating_sub(moved));
                    }
                    return Ok(None);
                }
                Ok(Fed { consumed, event: Event::Head(ref head) }) => {
                    let status = head.status;
                    if manner.timed {
                        self.traffic.head_at = Some(host.now());
                    }
                    if status == 101 {
                        // Only after it was asked for, and by a request without body; but it must have read that request.
                        if self.pending() {
                            return Err(self.failure(Cause::Cut));
                        }
                        self.head_seen = true;
                        self.switched = true;
                        host.start_response(head);
                        self.buffers.input.consume(consumed);
                        return Ok(Some(false));
                    }
                    if manner.fail_on.iter().any(|code| code.unsigned_abs() == u32::from(status)) {
                        return Err(self.failure(Cause::FailStatus(status)));
                    }
                    self.head_seen = true;
                    if manner.server_errors.is_some_and(|from| status >= from) {
                        host.replace_response(head);
                        self.replaced = Some(status);
                    } else {
                        host.start_response(head);
                    }
                    self.buffers.input.consume(consumed);
                    if manner.flush_head {
                        self.deliver(host, Then::Flush)?;
                    }
                }
                Ok(Fed { consumed, event: Event::Body(data) }) => {
                    let from = self.buffers.input.position() + (data.as_ptr() as usize - base);
                    let piece = (from, from + data.len());
                    self.buffers.input.consume(consumed);
                    self.hold(host, piece, manner.flush_packets)?;
                }
                Ok(Fed { consumed, event: Event::Flush }) => {
                    self.buffers.input.consume(consumed);
                    self.deliver(host, Then::Flush)?;
                }
                Ok(Fed { consumed, event: Event::WantBody { max } }) => {
                    self.buffers.input.consume(consumed);
                    self.wanted = Some(max);
                }
                Ok(Fed { consumed, event: Event::WantEnd }) => {
                    self.buffers.input.consume(consumed);
                    self.end_wanted = true;
                }
                Ok(Fed { consumed, event: Event::Done { reusable } }) => {
                    self.buffers.input.consume(consumed);
                    let clean = reusable && self.buffers.input.filled().is_empty();
                    self.deliver(host, Then::End)?;
                    return Ok(Some(clean));
                }
            }
        }
    }

    /// Keeps a piece of body for the next write. Pieces that follow each other are one; when there are too many small ones
    /// before the response has begun, they are moved together instead of being passed on early.
    fn hold<H: Host>(&mut self, host: &mut H, piece: (usize, usize), flush: bool) -> Result<(), Failure> {
        let held = &mut self.buffers.held;
        match held.last_mut() {
            Some(last) if last.1 == piece.0 => last.1 = piece.1,
            _ => held.push(piece),
        }
        self.held_bytes += piece.1 - piece.0;
        if flush {
            return self.deliver(host, Then::Flush);
        }
        if self.buffers.held.len() < PIECES {
            return Ok(());
        }
        if self.delivered || self.held_bytes >= HOLD {
            return self.deliver(host, Then::More);
        }
        let Buffers { input, held, .. } = &mut *self.buffers;
        if let Some(joined) = input.join(held) {
            held.clear();
            held.push(joined);
        }
        Ok(())
    }

    /// Passes what is held to the client.
    fn deliver<H: Host>(&mut self, host: &mut H, then: Then) -> Result<(), Failure> {
        if self.replaced.is_some() {
            // Read to its end all the same, so that the connection can be used again.
            self.buffers.held.clear();
            self.held_bytes = 0;
            return Ok(());
        }
        let begun = self.packet_since.map(|_| host.now());
        let result = if self.buffers.held.len() <= FEW {
            self.write::<H, FEW>(host, then)
        } else {
            self.write::<H, PIECES>(host, then)
        };
        self.excuse(host, begun);
        self.traffic.body += self.held_bytes as u64;
        self.buffers.held.clear();
        self.held_bytes = 0;
        self.delivered = true;
        result.map_err(|fault| self.failure(Cause::Client(fault)))
    }

    /// Passes up to `N` held pieces to the client.
    #[inline]
    fn write<H: Host, const N: usize>(&self, host: &mut H, then: Then) -> Result<(), ClientFault> {
        let Buffers { input, held, .. } = &*self.buffers;
        let mut pieces: [&[u8]; N] = [&[]; N];
        for (slot, piece) in pieces.iter_mut().zip(held) {
            *slot = input.at(piece.0, piece.1);
        }
        host.write(pieces.get(..held.len()).unwrap_or_default(), then)
    }

    /// The time since `begun` was the client's: a slow reader must not make the backend look silent.
    fn excuse<H: Host>(&mut self, host: &H, begun: Option<Tick>) {
        if let (Some(begun), Some((since, _))) = (begun, &mut self.packet_since) {
            *since = since.after(host.now().since(begun));
        }
    }

    /// Reads from the backend; false when nothing is there and `block` is not set.
    fn receive<H: Host, L: Link>(
        &mut self,
        host: &mut H,
        link: &mut L,
        manner: &Manner<'_>,
        block: bool,
    ) -> Result<bool, Failure> {
        let timeout = self.reply_left(host, manner)?;
        let space = self.buffers.input.space();
        let len = space.len().min(host.portion());
        let space = space.get_mut(..len).unwrap_or_default();
        let result =
            if block { link.recv_blocking(space, timeout).map(Received::Data) } else { link.recv(space) };
        match result {
            Ok(Received::Data(n)) => {
                self.buffers.input.filled_more(n);
                self.traffic.received += n as u64;
                Ok(true)
            }
            Ok(Received::WouldBlock) => Ok(false),
            Err(LinkError::TimedOut) => Err(self.silent(manner)),
            Err(LinkError::Closed) if self.exchange.closed() => Ok(true),
            Err(error) if self.exchange.reply_begun() => Err(self.failure(match error {
                LinkError::Closed => Cause::Cut,
                other => Cause::Link(other),
            })),
            // What TLS has to say tells more than that nothing could be sent any more.
            Err(error @ LinkError::Tls(_)) => Err(self.failure(Cause::Link(error))),
            Err(error) => Err(self.failure(Cause::Link(self.send_failed.unwrap_or(error)))),
        }
    }

    /// What is left of the reply timeout: whole between packets, running inside one, so that a backend that drips octets
    /// cannot hold a request for ever.
    fn reply_left<H: Host>(&mut self, host: &H, manner: &Manner<'_>) -> Result<Option<Duration>, Failure> {
        let Some(limit) = manner.timing.reply else { return Ok(None) };
        if !self.exchange.inside_packet() {
            self.packet_since = None;
            return Ok(Some(limit));
        }
        let now = host.now();
        let packet = self.exchange.packets();
        let since = match self.packet_since {
            Some((since, number)) if number == packet => since,
            _ => {
                self.packet_since = Some((now, packet));
                now
            }
        };
        match limit.checked_sub(now.since(since)) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(self.silent(manner)),
        }
    }
}
