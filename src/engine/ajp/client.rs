//! One AJP exchange, seen from the web server: which packet may come when, and what it means.
//!
//! Octets of the backend go in, [`Event`]s come out. Only Send Headers must be complete in the input; response body is
//! handed out as it arrives, after the two lengths of its packet have been found to agree. Sizes are octets.
//! Sources: AJPv13 document; `ajp_process_callback` and `ajp_get_reply` of mod_jk, which is more lenient.

use std::ops::Range;

use super::codes;
use super::malformed::Malformed;
use super::reply;
use super::wire::{self, FRAME, MAX_PACKET, MIN_PACKET};
use crate::engine::exchange::{Event, Exchange, Fed, ROOM_BEFORE, ResponseHead};
use crate::engine::request::RequestBody;

/// Flush packets tolerated before the response head; some containers left one over from an earlier response.
pub const MAX_EARLY_FLUSHES: u8 = 16;
/// Answers "there is no more body" in one exchange. Tomcat asks once after the end; a backend that goes on asking is lost.
pub const MAX_EMPTY_ANSWERS: u8 = 8;

/// Frame and length field in front of the data of a request body packet.
const BODY_FRAME: usize = FRAME + 2;
/// Type octet and length field in front of the data of a response body packet.
const CHUNK_LEAD: usize = 3;

/// Sizes agreed with the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest packet to send, its four octets of frame included: 8192 to 65536 (`max_packet_size`).
    pub max_packet: usize,
    /// Largest payload to accept, at most 65535. The payload of `max_packet` (its size less 4) is what mod_jk accepts;
    /// Undertow exceeds it for response headers.
    pub receive_limit: usize,
}

/// The machine of one exchange.
#[derive(Debug)]
pub struct Client {
    limits: Limits,
    upload: Upload,
    phase: Phase,
    part: Part,
    /// The request allows no response body (HEAD).
    bodiless_request: bool,
    early_flushes: u8,
    begun: bool,
    inside: bool,
    surplus: bool,
    oversized: bool,
    packets: u64,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Before Send Headers.
    Wait,
    Body {
        /// Content-Length, when a body is due and its length was announced.
        announced: Option<u64>,
        received: u64,
        /// The response can have no body: what comes is dropped.
        discard: bool,
    },
    Over {
        reusable: bool,
    },
}

/// Where the next octet of the input stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// At the first octet of a packet.
    Frame,
    /// In the data of a body packet: `left` octets (at least 1) and perhaps one of padding are to come.
    Data { left: u16, padding: bool },
    /// At the padding octet of a body packet.
    Padding,
}

/// Outcome of looking at the front of a packet.
enum Step<'a> {
    /// So many octets are needed.
    Need(usize),
    /// So many octets are done with and say nothing to the caller.
    Skip(usize),
    /// A whole Send Headers packet of so many octets is there. It is parsed where the event is made: a head is large, and
    /// every step would carry room for it.
    Head(usize),
    /// So many octets are done with; among them this data.
    Body(usize, &'a [u8]),
    /// So many octets are done with: a flush.
    Flush(usize),
    /// So many octets are done with: the backend wants so many octets of request body, or its end.
    Ask(usize, Option<usize>),
    /// So many octets are done with: the end, and whether the connection may be used again.
    Done(usize, bool),
}

/// The request body, as far as the backend has it.
#[derive(Debug)]
struct Upload {
    /// Octets left of a known length.
    left: u64,
    /// The length is unknown and the end has not been sent.
    open: bool,
    /// The packet that follows the request unasked has not been framed.
    first_due: bool,
    /// A Get Body Chunk is unanswered; most octets of the answer.
    asked: Option<usize>,
    empty_answers: u8,
    /// The backend was told of an end before the announced length.
    broken: bool,
}

impl Client {
    /// A machine for a request that is about to be sent. `bodiless_response`: the method is HEAD.
    pub fn new(limits: Limits, body: RequestBody, bodiless_response: bool) -> Self {
        let left = match body {
            RequestBody::Known(length) => length,
            RequestBody::None | RequestBody::Unknown => 0,
        };
        Self {
            limits: Limits {
                max_packet: limits.max_packet.clamp(MIN_PACKET, MAX_PACKET),
                receive_limit: limits.receive_limit.min(usize::from(u16::MAX)),
            },
            upload: Upload {
                left,
                open: body == RequestBody::Unknown,
                first_due: left > 0,
                asked: None,
                empty_answers: 0,
                broken: false,
            },
            phase: Phase::Wait,
            part: Part::Frame,
            bodiless_request: bodiless_response,
            early_flushes: 0,
            begun: false,
            inside: false,
            surplus: false,
            oversized: false,
            packets: 0,
        }
    }

    /// A packet was larger than `max_packet`; worth one line in the log per worker.
    pub fn oversized(&self) -> bool {
        self.oversized
    }

    /// Most octets of data in one request body packet.
    fn body_room(&self) -> usize {
        self.limits.max_packet - BODY_FRAME
    }

    fn packet<'a>(&mut self, input: &'a [u8]) -> Result<Step<'a>, Malformed> {
        let Some(frame) = input.first_chunk::<FRAME>() else { return Ok(Step::Need(FRAME)) };
        let [first, second, high, low] = *frame;
        if [first, second] != wire::FROM_BACKEND {
            return Err(Malformed::Magic(*frame));
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length == 0 {
            return Err(Malformed::EmptyPacket);
        }
        if length > self.limits.receive_limit {
            return Err(Malformed::TooLong { length, limit: self.limits.receive_limit });
        }
        self.oversized |= length > self.limits.max_packet - FRAME;
        let Some(&kind) = input.get(FRAME) else { return Ok(Step::Need(FRAME + 1)) };
        match kind {
            codes::SEND_BODY_CHUNK => self.chunk(input, length),
            codes::SEND_HEADERS if !matches!(self.phase, Phase::Wait) => Err(Malformed::SecondHead),
            codes::SEND_HEADERS if input.len() < FRAME + length => Ok(Step::Need(FRAME + length)),
            codes::SEND_HEADERS => Ok(Step::Head(FRAME + length)),
            codes::END_RESPONSE => self.end(input, length),
            codes::GET_BODY_CHUNK => self.ask(input, length),
            codes::CPONG_REPLY => Err(Malformed::UnexpectedPong),
            kind => Err(Malformed::Type(kind)),
        }
    }

    /// Parses the Send Headers packet of `length` octets at the front of `input`.
    fn head<'a>(&mut self, input: &'a [u8], length: usize) -> Result<ResponseHead<'a>, Malformed> {
        let reply = reply::parse(input.get(FRAME + 1..length).unwrap_or_default())?;
        let discard = self.bodiless_request || matches!(reply.head.status, 204 | 205 | 304);
        let announced = if discard { None } else { reply.head.content_length };
        self.phase = Phase::Body { announced, received: 0, discard };
        self.surplus = reply.surplus;
        Ok(reply.head)
    }

    fn chunk<'a>(&mut self, input: &'a [u8], payload: usize) -> Result<Step<'a>, Malformed> {
        if payload < CHUNK_LEAD {
            return Err(Malformed::ChunkLength { payload, chunk: None });
        }
        let Some(&[high, low]) = input.get(FRAME + 1..).and_then(|rest| rest.first_chunk::<2>()) else {
            return Ok(Step::Need(FRAME + CHUNK_LEAD));
        };
        let size = u16::from_be_bytes([high, low]);
        // Too large a chunk would be read from beyond the packet, too small a one would lose data: neither is guessed at.
        // One octet of padding, not counted by the chunk, is usual; old containers send none.
        let padding = match payload - CHUNK_LEAD {
            data if data == usize::from(size) => false,
            data if data == usize::from(size) + 1 => true,
            _ => return Err(Malformed::ChunkLength { payload, chunk: Some(size) }),
        };
        let taken = FRAME + CHUNK_LEAD;
        match &mut self.phase {
            Phase::Body { announced, received, .. } => {
                *received = received.saturating_add(u64::from(size));
                if let Some(announced) = *announced
                    && *received > announced
                {
                    return Err(Malformed::TooMuchBody { announced, received: *received });
                }
            }
            _ if size > 0 => return Err(Malformed::BodyBeforeHead(size)),
            _ => {
                self.early_flushes += 1;
                if self.early_flushes > MAX_EARLY_FLUSHES {
                    return Err(Malformed::TooManyEarlyFlushes);
                }
            }
        }
        self.part = match size {
            0 if padding => Part::Padding,
            0 => Part::Frame,
            left => Part::Data { left, padding },
        };
        let flush = size == 0 && matches!(self.phase, Phase::Body { .. });
        Ok(if flush { Step::Flush(taken) } else { Step::Skip(taken) })
    }

    fn end<'a>(&mut self, input: &'a [u8], length: usize) -> Result<Step<'a>, Malformed> {
        let Phase::Body { announced, received, .. } = self.phase else {
            return Err(Malformed::EndWithoutHead);
        };
        if let Some(announced) = announced
            && received < announced
        {
            return Err(Malformed::Truncated { announced, received });
        }
        let taken = FRAME + 2;
        let reusable = if length == 2 {
            let Some(&flag) = input.get(FRAME + 1) else { return Ok(Step::Need(taken)) };
            // Octets behind the end belong to nobody; they must never be taken for the next answer.
            flag == 1 && input.len() == taken && self.upload.settled()
        } else {
            false
        };
        self.phase = Phase::Over { reusable };
        Ok(Step::Done(taken.min(input.len()), reusable))
    }

    fn ask<'a>(&mut self, input: &'a [u8], length: usize) -> Result<Step<'a>, Malformed> {
        if length != 3 {
            return Err(Malformed::AskLength(length));
        }
        let Some(&[high, low]) = input.get(FRAME + 1..).and_then(|rest| rest.first_chunk::<2>()) else {
            return Ok(Step::Need(FRAME + 3));
        };
        let requested = usize::from(u16::from_be_bytes([high, low]));
        let wanted = self.upload.ask(requested, self.limits.max_packet - BODY_FRAME)?;
        Ok(Step::Ask(FRAME + 3, wanted))
    }

    /// Body data at the front of `input`, which is not empty; with its padding octet, when that is there.
    fn data<'a>(&mut self, input: &'a [u8], left: u16, padding: bool) -> Step<'a> {
        let (data, behind) = input.split_at_checked(usize::from(left)).unwrap_or((input, &[]));
        let rest = left.saturating_sub(u16::try_from(data.len()).unwrap_or(left));
        let mut taken = data.len();
        self.part = match (rest, padding) {
            (0, true) if behind.is_empty() => Part::Padding,
            (0, true) => {
                taken += 1;
                Part::Frame
            }
            (0, false) => Part::Frame,
            (left, padding) => Part::Data { left, padding },
        };
        match self.phase {
            Phase::Body { discard: false, .. } => Step::Body(taken, data),
            _ => Step::Skip(taken),
        }
    }
}

impl Client {
    /// Notes that something up to `consumed` is told to the caller.
    #[inline]
    fn told(&mut self, consumed: usize) -> usize {
        self.inside = self.part != Part::Frame;
        self.packets += u64::from(!self.inside);
        consumed
    }
}

impl Exchange for Client {
    type Malformed = Malformed;

    fn surplus(&self) -> bool {
        self.surplus
    }

    #[inline]
    fn feed<'a>(&mut self, input: &'a [u8]) -> Result<Fed<'a>, Malformed> {
        self.begun |= !input.is_empty();
        let mut consumed = 0;
        loop {
            let rest = input.get(consumed..).unwrap_or_default();
            let step = match (self.phase, self.part) {
                (Phase::Over { reusable }, _) => {
                    let event = Event::Done { reusable: reusable && rest.is_empty() };
                    return Ok(Fed { consumed, event });
                }
                (_, Part::Frame) => self.packet(rest)?,
                (_, Part::Padding | Part::Data { .. }) if rest.is_empty() => Step::Need(1),
                (_, Part::Padding) => {
                    self.part = Part::Frame;
                    Step::Skip(1)
                }
                (_, Part::Data { left, padding }) => self.data(rest, left, padding),
            };
            match step {
                Step::Skip(taken) => {
                    consumed += taken;
                    self.packets += u64::from(self.part == Part::Frame);
                }
                Step::Need(need) => {
                    self.inside = !rest.is_empty() || self.part != Part::Frame;
                    return Ok(Fed { consumed, event: Event::More { need } });
                }
                Step::Body(taken, data) => {
                    let consumed = self.told(consumed + taken);
                    return Ok(Fed { consumed, event: Event::Body(data) });
                }
                Step::Head(taken) => {
                    let head = self.head(rest, taken)?;
                    let consumed = self.told(consumed + taken);
                    return Ok(Fed { consumed, event: Event::Head(head) });
                }
                Step::Flush(taken) => {
                    let consumed = self.told(consumed + taken);
                    return Ok(Fed { consumed, event: Event::Flush });
                }
                Step::Ask(taken, wanted) => {
                    let event = wanted.map_or(Event::WantEnd, |max| Event::WantBody { max });
                    return Ok(Fed { consumed: self.told(consumed + taken), event });
                }
                Step::Done(taken, reusable) => {
                    let consumed = self.told(consumed + taken);
                    return Ok(Fed { consumed, event: Event::Done { reusable } });
                }
            }
        }
    }

    fn first_body(&self) -> Option<usize> {
        self.upload.first_due.then(|| at_most(self.body_room(), self.upload.left))
    }

    /// The octets must not exceed what [`Exchange::first_body`] or the event allowed; what exceeds it is not sent.
    fn frame_body(&mut self, packet: &mut [u8], len: usize) -> Range<usize> {
        let allowed = self.upload.allowed(self.body_room());
        debug_assert!(len <= allowed, "{len} octets of request body, {allowed} were allowed");
        let len = len.min(allowed).min(packet.len().saturating_sub(ROOM_BEFORE));
        let start = ROOM_BEFORE - BODY_FRAME;
        let size = u16::try_from(len).unwrap_or_default();
        let [high, low] = size.to_be_bytes();
        let [frame_high, frame_low] = size.saturating_add(2).to_be_bytes();
        if let Some(place) = packet.get_mut(start..ROOM_BEFORE) {
            let [magic, magic2] = wire::TO_BACKEND;
            place.copy_from_slice(&[magic, magic2, frame_high, frame_low, high, low]);
        }
        self.upload.sent(len);
        start..ROOM_BEFORE + len
    }

    fn frame_end(&mut self, packet: &mut [u8]) -> Range<usize> {
        if let Some(place) = packet.first_chunk_mut::<FRAME>() {
            let [magic, magic2] = wire::TO_BACKEND;
            *place = [magic, magic2, 0, 0];
        }
        self.upload.ended();
        0..FRAME
    }

    fn reply_begun(&self) -> bool {
        self.begun
    }

    fn inside_packet(&self) -> bool {
        self.inside
    }

    fn packets(&self) -> u64 {
        self.packets
    }

    fn body_cut(&self) -> bool {
        self.upload.left > 0
    }

    fn body_owed(&self) -> bool {
        self.upload.left > 0 || self.upload.open
    }
}

impl Upload {
    /// Takes note of a question; answers how much to send, `None` for the end.
    fn ask(&mut self, requested: usize, room: usize) -> Result<Option<usize>, Malformed> {
        if requested == 0 {
            // An empty answer would mean the end of the body.
            return Err(Malformed::AskForNothing);
        }
        if self.asked.is_some() {
            return Err(Malformed::AskedTwice);
        }
        let mut max = requested.min(room);
        if !self.open {
            max = at_most(max, self.left);
        }
        self.asked = Some(max);
        if max > 0 {
            return Ok(Some(max));
        }
        self.empty_answers += 1;
        if self.empty_answers > MAX_EMPTY_ANSWERS {
            return Err(Malformed::AskedTooOften);
        }
        Ok(None)
    }

    /// Most octets of the packet that is due now.
    fn allowed(&self, room: usize) -> usize {
        let room = if self.first_due { room } else { self.asked.unwrap_or(0).min(room) };
        if self.open { room } else { at_most(room, self.left) }
    }

    fn sent(&mut self, octets: usize) {
        self.left = self.left.saturating_sub(u64::try_from(octets).unwrap_or(u64::MAX));
        if self.first_due {
            // Nobody asked for it: a question that is open stays open.
            self.first_due = false;
        } else {
            self.asked = None;
        }
    }

    fn ended(&mut self) {
        self.broken |= self.left > 0;
        self.open = false;
        self.asked = None;
    }

    /// The backend waits for nothing. Body it never asked for, beyond the first packet, does no harm.
    fn settled(&self) -> bool {
        !self.first_due && self.asked.is_none() && !self.broken
    }
}

fn at_most(room: usize, left: u64) -> usize {
    usize::try_from(left).map_or(room, |left| left.min(room))
}

#[cfg(test)]
mod tests;
