//! One HTTP/1.1 exchange, seen from the gateway: what the backend's octets mean, and when request body is due.
//!
//! Octets of the backend go in, [`Event`]s come out. Only a response head must be complete in the input; response body is
//! handed out as it arrives. HTTP has no packets and no questions: the machine itself wants the next piece of request body
//! whenever the last one is framed. Sizes are octets.
//!
//! A final response that comes before the request is complete: when it reports anything but success, the rest of the body
//! is not sent. A successful one may be answering the body while it reads it, so both go on, also when it says that the
//! connection will be closed. When the response is complete before the request is, the connection is closed.
//!
//! A body without a length is passed on chunk by chunk: after each chunk that has nothing behind it comes a
//! [`Event::Flush`], for a backend ends a chunk early only when it wants it to be seen.
//! Sources: RFC 9112 sections 6.3, 7, 9.3 and 9.6; RFC 9110 section 15.2 for interim responses.

use std::ops::Range;

use super::body::{Body, Framing, Piece};
use super::malformed::Malformed;
use super::response::{self, HeadLimits, Parsed, Search};
use super::upgrade::{self, Upgrade};
use crate::engine::ajp::forward::decimal;
use crate::engine::exchange::{Event, Exchange, Fed, ROOM_AFTER, ROOM_BEFORE, ResponseHead};
use crate::engine::request::RequestBody;

/// What ends a chunked request body.
const LAST_CHUNK: &[u8; 5] = b"0\r\n\r\n";
/// Octets of input beyond those that are there when a head does not fit into what was read at once.
const HEAD_STEP: usize = 4096;

/// Limits of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sizes of response heads and trailer sections.
    pub head: HeadLimits,
    /// Interim responses (100, 102, 103 and the like) before the final one.
    pub interim: u8,
    /// Most octets of request body in one piece, 1 to 65536. The first piece is kept for a repetition.
    pub piece: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: HeadLimits::default(), interim: 32, piece: 65_536 }
    }
}

/// The machine of one exchange.
#[derive(Debug)]
pub struct Client {
    limits: Limits,
    upload: Upload,
    phase: Phase,
    /// The request allows no response body (HEAD).
    bodiless_request: bool,
    /// What the request asked the backend to change to.
    upgrade: Option<Upgrade>,
    upgraded: bool,
    begun: bool,
    partial: bool,
    interim: u8,
    /// Data was handed out since the last flush.
    flush_due: bool,
    parts: u64,
}

#[derive(Debug)]
enum Phase {
    /// Before the final response head.
    Wait(Search),
    Body {
        body: Body,
        /// The connection outlives the response, as far as the backend is concerned.
        keep: bool,
        /// What comes is not for the client.
        discard: bool,
    },
    Over {
        reusable: bool,
    },
}

/// The request body, as far as the backend has it.
#[derive(Debug)]
struct Upload {
    /// Octets left of a known length.
    left: u64,
    /// The length is unknown and the end has not been sent.
    open: bool,
    /// The length is unknown: pieces are chunks.
    chunked: bool,
    /// The piece that follows the head has not been framed.
    first_due: bool,
    /// The caller was told to send a piece.
    asked: bool,
    /// The backend reads no more of it.
    declined: bool,
    /// An end was asked for before the announced length.
    broken: bool,
}

impl Client {
    /// A machine for a request that is about to be sent. `bodiless_response`: the method is HEAD. `upgrade`: what
    /// [`super::encode()`] has asked the backend to change to.
    pub fn new(limits: Limits, body: RequestBody, bodiless_response: bool, upgrade: Option<Upgrade>) -> Self {
        let left = match body {
            RequestBody::Known(length) => length,
            RequestBody::None | RequestBody::Unknown => 0,
        };
        let chunked = body == RequestBody::Unknown;
        Self {
            limits: Limits { piece: limits.piece.clamp(1, 65_536), ..limits },
            upload: Upload {
                left,
                open: chunked,
                chunked,
                first_due: left > 0,
                asked: false,
                declined: false,
                broken: false,
            },
            phase: Phase::Wait(Search::default()),
            bodiless_request: bodiless_response,
            upgrade,
            upgraded: false,
            begun: false,
            partial: false,
            interim: 0,
            flush_due: false,
            parts: 0,
        }
    }

    /// The backend has left HTTP: from the octet behind the head on (which [`Exchange::feed`] does not consume), the
    /// connection belongs to the protocol that was asked for.
    pub fn upgraded(&self) -> bool {
        self.upgraded
    }

    /// Interim responses that were passed over.
    pub fn interim(&self) -> u8 {
        self.interim
    }

    /// Takes note of a complete head; answers it when it is the final one.
    fn head<'a>(&mut self, octets: &'a [u8]) -> Result<Option<ResponseHead<'a>>, Malformed> {
        let parsed = response::parse(octets, self.limits.head.lines)?;
        let status = parsed.head.status;
        if status == 101 {
            return self.switch(parsed).map(Some);
        }
        if status < 200 {
            self.interim = self.interim.saturating_add(1);
            if self.interim > self.limits.interim {
                return Err(Malformed::TooManyInterim(self.limits.interim));
            }
            self.phase = Phase::Wait(Search::default());
            return Ok(None);
        }
        let framing =
            if self.bodiless_request || matches!(status, 204 | 304) { Framing::None } else { parsed.framing };
        let keep = parsed.modern && !parsed.close && framing != Framing::UntilClose;
        self.upload.declined = status >= 300 && self.body_owed();
        // A backend that says nothing of the length and lets its body wait has flushed its head: the client of a stream of
        // events is to know that it is connected.
        self.flush_due = matches!(framing, Framing::Chunked | Framing::UntilClose) && status != 205;
        self.phase = Phase::Body { body: Body::new(framing, self.limits.head), keep, discard: status == 205 };
        Ok(Some(parsed.head))
    }

    /// Takes note of a 101.
    #[cold]
    fn switch<'a>(&mut self, parsed: Parsed<'a>) -> Result<ResponseHead<'a>, Malformed> {
        let wanted = self.upgrade.filter(|_| parsed.modern && parsed.upgrades);
        if !upgrade::agreed(wanted, parsed.upgrade) {
            return Err(Malformed::Upgrade);
        }
        self.upgraded = true;
        self.phase = Phase::Over { reusable: false };
        Ok(parsed.head)
    }

    /// Everything that is there is understood: what the machine wants by itself now.
    fn idle<'a>(&mut self, consumed: usize, need: usize) -> Fed<'a> {
        let event = if self.upload.due() {
            self.upload.asked = true;
            Event::WantBody { max: self.upload.most(self.limits.piece) }
        } else {
            Event::More { need }
        };
        Fed { consumed, event }
    }
}

impl Exchange for Client {
    type Malformed = Malformed;

    fn feed<'a>(&mut self, input: &'a [u8]) -> Result<Fed<'a>, Malformed> {
        self.begun |= !input.is_empty();
        let mut consumed = 0;
        loop {
            let rest = input.get(consumed..).unwrap_or_default();
            match &mut self.phase {
                Phase::Wait(search) => {
                    let Some(length) = search.find(rest, &self.limits.head)? else {
                        self.partial = !rest.is_empty();
                        let step = if rest.len() < HEAD_STEP { 1 } else { HEAD_STEP };
                        return Ok(self.idle(consumed, rest.len() + step));
                    };
                    self.partial = false;
                    consumed += length;
                    if let Some(head) = self.head(rest.get(..length).unwrap_or_default())? {
                        self.parts += 1;
                        return Ok(Fed { consumed, event: Event::Head(head) });
                    }
                }
                Phase::Body { body, keep, discard } => {
                    let (taken, piece) = body.step(rest)?;
                    consumed += taken;
                    self.partial = body.inside_line();
                    match piece {
                        Piece::Data(data) => {
                            self.parts += 1;
                            if *discard {
                                continue;
                            }
                            self.flush_due = true;
                            return Ok(Fed { consumed, event: Event::Body(data) });
                        }
                        Piece::More => {
                            let flush = self.flush_due && (body.until_close() || body.between_chunks());
                            if flush {
                                self.flush_due = false;
                                return Ok(Fed { consumed, event: Event::Flush });
                            }
                            return Ok(self.idle(consumed, 1));
                        }
                        Piece::End => {
                            self.partial = false;
                            // A body that is owed is never sent: the backend would take it for the next request.
                            let reusable = *keep && self.upload.settled();
                            self.phase = Phase::Over { reusable };
                        }
                    }
                }
                Phase::Over { reusable } => {
                    // Octets behind the end belong to nobody; they must never be taken for the next answer.
                    *reusable &= rest.is_empty();
                    return Ok(Fed { consumed, event: Event::Done { reusable: *reusable } });
                }
            }
        }
    }

    fn first_body(&self) -> Option<usize> {
        self.upload.first_due.then(|| self.upload.most(self.limits.piece))
    }

    /// The octets must not exceed what [`Exchange::first_body`] or the event allowed; what exceeds it is not sent.
    fn frame_body(&mut self, packet: &mut [u8], len: usize) -> Range<usize> {
        let allowed = self.upload.most(self.limits.piece);
        debug_assert!(len <= allowed, "{len} octets of request body, {allowed} were allowed");
        let len = len.min(allowed).min(packet.len().saturating_sub(ROOM_BEFORE + ROOM_AFTER));
        let end = ROOM_BEFORE + len;
        self.upload.sent(len);
        // An empty chunk would be the end of the body.
        if !self.upload.chunked || len == 0 {
            return ROOM_BEFORE..end;
        }
        let mut digits = [0; 16];
        let size = hexadecimal(len, &mut digits);
        let start = ROOM_BEFORE - 2 - size.len();
        if let Some((place, line_end)) =
            packet.get_mut(start..ROOM_BEFORE).and_then(|place| place.split_at_mut_checked(size.len()))
        {
            place.copy_from_slice(size);
            line_end.copy_from_slice(b"\r\n");
        }
        if let Some(place) = packet.get_mut(end..end + 2) {
            place.copy_from_slice(b"\r\n");
        }
        start..end + 2
    }

    fn frame_end(&mut self, packet: &mut [u8]) -> Range<usize> {
        self.upload.asked = false;
        if self.upload.left > 0 {
            // There is no way to say so but to close the connection.
            self.upload.broken = true;
            self.upload.left = 0;
        }
        if !std::mem::take(&mut self.upload.open) {
            return 0..0;
        }
        if let Some(place) = packet.first_chunk_mut::<5>() {
            *place = *LAST_CHUNK;
        }
        0..LAST_CHUNK.len()
    }

    fn reply_begun(&self) -> bool {
        self.begun
    }

    /// Between an interim response and the final one the same patience holds as inside a head: a backend must not keep a
    /// request alive with interim responses alone. While request body is still on its way, they say nothing.
    fn inside_packet(&self) -> bool {
        self.partial || (self.interim > 0 && matches!(self.phase, Phase::Wait(_)) && !self.body_owed())
    }

    /// Heads and pieces of body.
    fn packets(&self) -> u64 {
        self.parts
    }

    fn body_cut(&self) -> bool {
        self.upload.left > 0
    }

    fn body_owed(&self) -> bool {
        self.upload.left > 0 || self.upload.open
    }

    fn sends_unasked(&self) -> bool {
        true
    }

    fn declines_body(&self) -> bool {
        self.upload.declined
    }

    fn closed(&mut self) -> bool {
        let ends = matches!(&self.phase, Phase::Body { body, .. } if body.until_close());
        if ends {
            self.phase = Phase::Over { reusable: false };
        }
        ends
    }
}

impl Upload {
    /// The caller should be told to send the next piece, or the end.
    fn due(&self) -> bool {
        (self.left > 0 || self.open) && !(self.first_due || self.asked || self.declined || self.broken)
    }

    /// Most octets of the next piece.
    fn most(&self, piece: usize) -> usize {
        if self.open { piece } else { usize::try_from(self.left).map_or(piece, |left| left.min(piece)) }
    }

    fn sent(&mut self, octets: usize) {
        self.left = self.left.saturating_sub(u64::try_from(octets).unwrap_or(u64::MAX));
        self.first_due = false;
        self.asked = false;
    }

    /// The backend has the whole request, in order.
    fn settled(&self) -> bool {
        self.left == 0 && !(self.open || self.declined || self.broken)
    }
}

/// The hexadecimal digits of `number`, lower case, without leading zeros.
fn hexadecimal(mut number: usize, digits: &mut [u8; 16]) -> &[u8] {
    let mut start = digits.len();
    for place in digits.iter_mut().rev() {
        let digit = u8::try_from(number & 0xf).unwrap_or(0);
        *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        start -= 1;
        number >>= 4;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

/// Writes `Content-Length` and `Transfer-Encoding` of a request: the counterpart of how the machine frames its body.
pub(super) fn framing_lines(out: &mut Vec<u8>, body: RequestBody, says_empty: bool) {
    match body {
        RequestBody::None if says_empty => out.extend_from_slice(b"Content-Length: 0\r\n"),
        RequestBody::None => {}
        RequestBody::Known(length) => {
            out.extend_from_slice(b"Content-Length: ");
            out.extend_from_slice(decimal(length, &mut [0; 20]));
            out.extend_from_slice(b"\r\n");
        }
        RequestBody::Unknown => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
}

#[cfg(test)]
mod tests;
