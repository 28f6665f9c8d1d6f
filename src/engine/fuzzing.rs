//! Entry points for fuzzing: any octets go in, and the properties that must hold for all of them are asserted.
//!
//! The fuzz targets in `tests/fuzz` call these functions, and `tests/fuzz_corpus.rs` replays their seeds. Nothing else uses
//! them, so they are dropped from the module.

use super::ajp::{Client, EncodeError, Limits, Malformed, encode};
use super::exchange::{Event, Exchange, ROOM_AFTER, ROOM_BEFORE};
use super::request::{Request, RequestBody, RequestHead, Tls, WorkerFacts};

/// The octets of a backend, in one piece and one by one: both ways must mean the same, and nothing may panic.
pub fn ajp_reply(stream: &[u8]) {
    for body in [RequestBody::None, RequestBody::Known(70_000), RequestBody::Unknown] {
        for bodiless in [false, true] {
            let whole = play(stream, stream.len().max(1), body, bodiless).without_reuse();
            for step in [1, 7] {
                let portions = play(stream, step, body, bodiless).without_reuse();
                assert_eq!(whole, portions, "in portions of {step}");
            }
        }
    }
}

/// Name and value of a header.
pub type Pair = (Vec<u8>, Vec<u8>);

/// What an exchange came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Played {
    /// Status and headers of the response, when it had a head.
    pub head: Option<(u16, Vec<Pair>)>,
    /// Response body handed out.
    pub body: Vec<u8>,
    /// Flush events after the head.
    pub flushes: usize,
    /// Octets allowed by each question for request body; 0 stands for the end.
    pub asked: Vec<usize>,
    /// How it ended; `None` when octets were missing.
    pub end: Option<Result<bool, Malformed>>,
}

impl Played {
    /// The same without whether the connection is reusable: that depends on octets behind the end, which one portion may
    /// hold already and another not yet.
    fn without_reuse(mut self) -> Self {
        self.end = self.end.map(|end| end.map(|_| false));
        self
    }
}

/// Runs one exchange on the octets of a backend that arrive `step` at a time; questions for request body are answered at
/// once.
pub fn play(stream: &[u8], step: usize, body: RequestBody, bodiless: bool) -> Played {
    let limits = Limits { max_packet: 8192, receive_limit: 65535 };
    let mut client = Client::new(limits, body, bodiless);
    let mut packet = vec![0; ROOM_BEFORE + limits.max_packet + ROOM_AFTER];
    let mut played = Played { head: None, body: Vec::new(), flushes: 0, asked: Vec::new(), end: None };
    if let Some(size) = client.first_body() {
        let sent = client.frame_body(&mut packet, size);
        assert!(sent.len() <= limits.max_packet);
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
                assert_eq!(client.inside_packet(), start < end || client.inside_packet());
                if end == stream.len() {
                    break;
                }
                end = stream.len().min(end.saturating_add(step));
            }
            Event::Head(head) => {
                assert!((200..=999).contains(&head.status));
                let pairs = head.fields.map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
                played.head = Some((head.status, pairs));
            }
            Event::Body(data) => {
                assert!(!data.is_empty() && played.head.is_some() && !bodiless);
                played.body.extend_from_slice(data);
            }
            Event::Flush => played.flushes += 1,
            Event::WantBody { max } => {
                assert!(max > 0 && max <= limits.max_packet - 6 && client.body_owed());
                played.asked.push(max);
                let sent = client.frame_body(&mut packet, max);
                assert_eq!(sent.len(), max + 6);
            }
            Event::WantEnd => {
                played.asked.push(0);
                assert_eq!(client.frame_end(&mut packet).len(), 4);
            }
            Event::Done { reusable } => played.end = Some(Ok(reusable)),
        }
    }
    played
}

/// A request written as text (see [`TextRequest`]): either refused, or a packet whose frame is right.
pub fn ajp_forward(text: &[u8]) {
    let request = TextRequest::new(text);
    let facts = WorkerFacts { secret: request.field(3), route: request.field(4), activation: b"ACT" };
    let mut packet = Vec::new();
    for limit in [8192, 65536] {
        match encode(&mut packet, &request, &facts, limit) {
            Ok(()) => {
                assert!(packet.len() <= limit);
                let [0x12, 0x34, high, low, 2, .., 0xff] = packet.as_slice() else {
                    unreachable!("not a Forward Request: {packet:02x?}")
                };
                assert_eq!(usize::from(u16::from_be_bytes([*high, *low])) + 4, packet.len());
            }
            Err(EncodeError::TooLarge { needed, limit: told }) => {
                assert!(needed > limit && told == limit && packet.len() <= limit);
            }
            Err(error) => assert!((400..=501).contains(&error.status())),
        }
    }
}

/// A request in lines: method, path, query, secret, route, body (`none`, `chunked` or a number), then `name:value` headers;
/// lines that begin with `@` are custom attributes, `@name:value`. Empty lines leave the optional fields out.
#[derive(Debug)]
pub struct TextRequest<'a> {
    lines: Vec<&'a [u8]>,
}

impl<'a> TextRequest<'a> {
    /// Splits `text` into lines.
    pub fn new(text: &'a [u8]) -> Self {
        Self { lines: text.split(|&octet| octet == b'\n').collect() }
    }

    /// The line with this index, unless it is empty or missing.
    pub fn field(&self, index: usize) -> Option<&'a [u8]> {
        self.lines.get(index).copied().filter(|line| !line.is_empty())
    }

    fn pairs(&self, attributes: bool) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let lines = self.lines.iter().skip(6).filter(|line| !line.is_empty());
        lines.filter_map(move |line| {
            let (line, is_attribute) = line.strip_prefix(b"@").map_or((*line, false), |line| (line, true));
            let colon = line.iter().position(|&octet| octet == b':').unwrap_or(line.len());
            let (name, value) = line.split_at_checked(colon)?;
            (is_attribute == attributes).then_some((name, value.get(1..).unwrap_or_default()))
        })
    }
}

impl Request for TextRequest<'_> {
    fn head(&self) -> RequestHead<'_> {
        let body = match self.field(5) {
            None | Some(b"none") => RequestBody::None,
            Some(b"chunked") => RequestBody::Unknown,
            Some(digits) => {
                let length = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).unwrap_or(1);
                if length == 0 { RequestBody::None } else { RequestBody::Known(length) }
            }
        };
        RequestHead {
            method: self.field(0).unwrap_or_default(),
            protocol: b"HTTP/1.1",
            uri: self.field(1).unwrap_or_default(),
            query: self.field(2),
            remote_addr: Some(b"192.0.2.7"),
            remote_host: None,
            remote_port: Some(b"49776"),
            local_addr: Some(b"192.0.2.1"),
            server_name: b"www.example.org",
            server_port: 443,
            secure: true,
            remote_user: None,
            auth_type: None,
            tls: Tls::default(),
            body,
        }
    }

    fn each_header(&self, sink: &mut dyn FnMut(&[u8], &[u8])) {
        self.pairs(false).for_each(|(name, value)| sink(name, value));
    }

    fn each_attribute(&self, sink: &mut dyn FnMut(&[u8], &[u8])) {
        self.pairs(true).for_each(|(name, value)| sink(name, value));
    }
}
