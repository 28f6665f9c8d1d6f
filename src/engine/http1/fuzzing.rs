//! Entry points for fuzzing HTTP/1: any octets go in, and the properties that must hold for all of them are asserted.
//!
//! As `engine::fuzzing`: called by the fuzz targets and by the replay of their seeds, and part of nothing else.

use super::client::{Client, Limits};
use super::encode::{EncodeError, Forwarding, Options, encode};
use super::malformed::Malformed;
use super::response::HeadLimits;
use super::upgrade::Upgrade;
use crate::engine::exchange::{Event, Exchange, ROOM_AFTER, ROOM_BEFORE};
use crate::engine::fuzzing::{Pair, TextRequest};
use crate::engine::headers;
use crate::engine::request::{RequestBody, WorkerFacts};

/// Limits that short inputs reach.
pub const TIGHT: Limits =
    Limits { head: HeadLimits { head: 400, line: 120, lines: 12 }, interim: 3, piece: 1000 };

/// The octets of a backend, in one piece and in portions: all ways must mean the same, and nothing may panic.
pub fn http1_response(stream: &[u8]) {
    for limits in [Limits::default(), TIGHT] {
        for body in [RequestBody::None, RequestBody::Known(3000), RequestBody::Unknown] {
            for (bodiless, upgrade) in [(false, None), (true, None), (false, Some(Upgrade::WEBSOCKET))] {
                let way = Way { limits, body, bodiless, upgrade };
                let whole = play(stream, stream.len().max(1), way).without_reuse();
                for step in [1, 7] {
                    let portions = play(stream, step, way).without_reuse();
                    assert_eq!(whole, portions, "in portions of {step}");
                }
            }
        }
    }
}

/// What the response belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// Limits of the exchange.
    pub limits: Limits,
    /// Framing of the request's body.
    pub body: RequestBody,
    /// The method is HEAD.
    pub bodiless: bool,
    /// What was asked for.
    pub upgrade: Option<Upgrade>,
}

impl Way {
    /// An ordinary GET.
    pub fn get() -> Self {
        Self { limits: Limits::default(), body: RequestBody::None, bodiless: false, upgrade: None }
    }
}

/// What an exchange came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Played {
    /// Status and headers of the response, when it had a head.
    pub head: Option<(u16, Vec<Pair>)>,
    /// The head has a reason of its own.
    pub reason: bool,
    /// Response body handed out.
    pub body: Vec<u8>,
    /// Pieces of request body that were framed; the end of an unknown length is 0.
    pub sent: usize,
    /// The backend has left HTTP.
    pub upgraded: bool,
    /// Octets that were taken.
    pub consumed: usize,
    /// How it ended; `None` when octets were missing.
    pub end: Option<Result<bool, Malformed>>,
    /// A close of the connection there is the end of the response.
    pub close_ends: bool,
}

impl Played {
    /// The same without what depends on the portions: whether the connection is reusable (octets behind the end may be
    /// there already or not), how much request body went out before the answer, and how far a broken head was read.
    fn without_reuse(mut self) -> Self {
        if matches!(self.end, Some(Err(_)) | None) {
            self.consumed = 0;
        }
        self.end = self.end.map(|end| end.map(|_| false));
        self.sent = 0;
        self
    }
}

/// Runs one exchange on the octets of a backend that arrive `step` at a time; request body is sent when the machine wants
/// it, five pieces of it at most when its length is unknown.
pub fn play(stream: &[u8], step: usize, way: Way) -> Played {
    let mut client = Client::new(way.limits, way.body, way.bodiless, way.upgrade);
    let mut packet = vec![0; ROOM_BEFORE + 65_536 + ROOM_AFTER];
    let mut played = Played {
        head: None,
        reason: false,
        body: Vec::new(),
        sent: 0,
        upgraded: false,
        consumed: 0,
        end: None,
        close_ends: false,
    };
    if let Some(size) = client.first_body() {
        assert_eq!(client.frame_body(&mut packet, size).len(), size);
        played.sent += 1;
    }
    let (mut start, mut end) = (0, 0);
    while played.end.is_none() {
        let input = stream.get(start..end).unwrap_or_default();
        let fed = match client.feed(input) {
            Ok(fed) => fed,
            Err(malformed) => {
                played.end = Some(Err(malformed));
                break;
            }
        };
        assert!(fed.consumed <= input.len());
        start += fed.consumed;
        match fed.event {
            Event::More { need } => {
                assert!(need > input.len() - fed.consumed, "asks for octets that are there");
                if end == stream.len() {
                    break;
                }
                end = stream.len().min(end.saturating_add(step));
            }
            Event::Head(head) => {
                assert!(played.head.is_none(), "a second head");
                assert!((200..=999).contains(&head.status) || (head.status == 101 && client.upgraded()));
                played.reason = head.reason.is_some();
                let pairs = head.fields.map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
                played.head = Some((head.status, pairs));
            }
            Event::Body(data) => {
                assert!(!data.is_empty() && played.head.is_some() && !way.bodiless);
                played.body.extend_from_slice(data);
            }
            Event::Flush => assert!(played.head.is_some(), "there is nothing to be seen yet"),
            Event::WantBody { max } => {
                assert!(max > 0 && max <= way.limits.piece && client.body_owed() && !client.declines_body());
                played.sent += 1;
                if played.sent > 5 && way.body == RequestBody::Unknown {
                    assert_eq!(client.frame_end(&mut packet), 0..5);
                } else {
                    let size = client.frame_body(&mut packet, max).len();
                    assert!(size >= max && size <= max + 10);
                }
            }
            Event::WantEnd => unreachable!("never asks for an end"),
            Event::Done { reusable } => played.end = Some(Ok(reusable)),
        }
    }
    if let Some((status, pairs)) = &played.head {
        for (name, value) in pairs {
            assert!(headers::is_token(name) && headers::is_clean(value) && headers::trim(value) == value);
            assert!(!headers::is_response_hop(name), "status {status}");
        }
    }
    if played.end.is_none() {
        played.close_ends = client.closed();
    }
    played.upgraded = client.upgraded();
    played.consumed = start;
    played
}

/// A request written as text (see [`TextRequest`]): either refused, or a head that reads back as one request.
pub fn http1_request(text: &[u8]) {
    let request = TextRequest::new(text);
    let facts = WorkerFacts { secret: None, route: request.field(4), activation: b"ACT" };
    let mut head = Vec::new();
    for way in [Forwarding::Off, Forwarding::Replace, Forwarding::Append] {
        let options = Options {
            x_forwarded: way,
            forwarded: way,
            upgrade: &[Upgrade::WEBSOCKET],
            tls: true,
            ..Options::default()
        };
        match encode(&mut head, &request, &facts, &options) {
            Ok(_) => assert_one_request(&head),
            Err(EncodeError::TooLarge { needed, limit }) => assert!(needed > limit && head.is_empty()),
            Err(error) => assert!((400..=501).contains(&error.status()) && head.is_empty()),
        }
    }
}

/// `head` is exactly one request head, as a strict reader of its own sees it.
fn assert_one_request(head: &[u8]) {
    let shown = || head.escape_ascii().to_string();
    assert!(head.ends_with(b"\r\n\r\n"), "{}", shown());
    let body = head.get(..head.len().saturating_sub(4)).unwrap_or_default();
    let mut lines = Vec::new();
    for (index, line) in body.split(|&octet| octet == b'\n').enumerate() {
        let line = if let Some(line) = line.strip_suffix(b"\r") { line } else { line };
        assert!(
            !line.is_empty() && !line.contains(&b'\r') && !line.contains(&0),
            "line {index} of {}",
            shown()
        );
        lines.push(line);
    }
    let first: Vec<&[u8]> =
        lines.first().copied().unwrap_or_default().split(|&octet| octet == b' ').collect();
    assert!(matches!(first[..], [_, _, b"HTTP/1.1"]), "{}", shown());
    let (mut hosts, mut framings) = (0, 0);
    for line in lines.iter().skip(1) {
        let colon = line.iter().position(|&octet| octet == b':').unwrap_or(0);
        let name = line.get(..colon).unwrap_or_default();
        assert!(headers::is_token(name), "{}", shown());
        hosts += usize::from(name.eq_ignore_ascii_case(b"host"));
        framings += usize::from(
            name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"transfer-encoding"),
        );
    }
    assert!(hosts == 1 && framings <= 1, "{}", shown());
}
