//! What a script says to the module: the answering half of the scripted backend, and the default script.
//!
//! Nothing here panics when the module goes away: writing to a connection that is gone is recorded once and then ignored,
//! so that a script need not care.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::backend::{Event, Gate, Shared};
use super::digest::sha256_hex;
use super::forward::ForwardRequest;
use super::listener::Socket;

/// The backend's side of a connection.
pub struct Conversation {
    shared: Arc<Shared>,
    id: usize,
    socket: Option<Socket>,
    /// Octets received and not used yet.
    pending: Vec<u8>,
    /// Octets of a known body length that have not come; `None` when the length is unknown.
    body_left: Option<u64>,
    /// The first body packet is due without being asked for.
    first_due: bool,
    /// The empty packet came.
    body_ended: bool,
    /// End Response was sent, with this reuse flag.
    ended: Option<bool>,
    /// The script wrote octets of its own, so the order of packets is its own business.
    raw_used: bool,
    /// The request is HEAD.
    head_only: bool,
}

impl Conversation {
    pub(super) fn new(shared: Arc<Shared>, id: usize, socket: Socket) -> Self {
        Self {
            shared,
            id,
            socket: Some(socket),
            pending: Vec::new(),
            body_left: None,
            first_due: false,
            body_ended: false,
            ended: None,
            raw_used: false,
            head_only: false,
        }
    }

    /// Prepares for the answer to `request`.
    pub(super) fn begin(&mut self, request: &ForwardRequest) {
        self.body_left = request.content_length();
        self.first_due = self.body_left.is_some_and(|length| length > 0);
        self.body_ended = false;
        self.ended = None;
        self.raw_used = false;
        self.head_only = request.method == "HEAD";
    }

    /// End Response with reuse 0 was sent: the module must not use the connection again.
    pub(super) fn is_spent(&self) -> bool {
        self.ended == Some(false)
    }

    /// After the script: the connection may carry another request.
    pub(super) fn finish(&mut self) -> bool {
        if self.ended.is_none() && !self.raw_used && self.socket.is_some() {
            self.error("the script did not end its response".into());
            return false;
        }
        // The script wrote its own End Response and left the packet that came unasked.
        if self.first_due && self.socket.is_some() {
            self.first_body();
        }
        self.socket.is_some()
    }

    /// Counts from 0 in order of acceptance.
    pub fn connection(&self) -> usize {
        self.id
    }

    /// Send Headers.
    pub fn send_headers(&mut self, status: u16, reason: &str, headers: &[(&str, &str)]) {
        self.send(&packet::send_headers(status, Some(reason.as_bytes()), headers));
    }

    /// Body data, in as many Send Body Chunk packets as it takes, in one write.
    pub fn body_chunk(&mut self, data: &[u8]) {
        let mut bytes = Vec::with_capacity(data.len() + data.len() / 1000 + 8);
        for part in data.chunks(self.shared.packet_size - 8) {
            bytes.extend(packet::body_chunk(part));
        }
        self.send(&bytes);
    }

    /// The empty Send Body Chunk, which asks for a flush.
    pub fn flush(&mut self) {
        self.send(&packet::body_chunk(b""));
    }

    /// End Response. As in Tomcat, a first body packet that nobody read is read before.
    pub fn end(&mut self, reuse: bool) {
        if self.first_due {
            self.first_body();
        }
        self.check_silence();
        self.send_end(packet::end(reuse), reuse);
    }

    /// Headers with Content-Length, body (none for HEAD) and End Response with reuse, in one write.
    pub fn respond(&mut self, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        if self.first_due {
            self.first_body();
        }
        self.check_silence();
        let length = body.len().to_string();
        let mut all = headers.to_vec();
        all.push(("Content-Length", &length));
        let mut bytes = packet::send_headers(status, Some(status.to_string().as_bytes()), &all);
        for part in body.chunks(self.shared.packet_size - 8).take_while(|_| !self.head_only) {
            bytes.extend(packet::body_chunk(part));
        }
        bytes.extend(packet::end(true));
        self.send_end(bytes, true);
    }

    fn send_end(&mut self, bytes: Vec<u8>, reuse: bool) {
        if self.socket.is_some() {
            // Recorded before it is sent, or the next event could overtake it in the log.
            self.shared.record(self.id, Event::Ended { reuse });
        }
        self.send(&bytes);
        self.ended = Some(reuse);
    }

    /// Asks for at most `max` octets of body and waits for them; empty at the end of the body or when the module is gone.
    pub fn get_body_chunk(&mut self, max: u16) -> Vec<u8> {
        self.send(&packet::get_body_chunk(max));
        self.read_body_packet(Some(max))
    }

    /// The packet that follows a request of known length unasked; empty when there is none, or it was read before.
    pub fn first_body(&mut self) -> Vec<u8> {
        if std::mem::take(&mut self.first_due) { self.read_body_packet(None) } else { Vec::new() }
    }

    /// The whole body, the way Tomcat reads it: also after a known length it asks once more for the end.
    pub fn read_body(&mut self) -> Vec<u8> {
        let mut body = self.first_body();
        if self.body_left == Some(0) && body.is_empty() {
            return body;
        }
        let max = u16::try_from(self.shared.packet_size - 6).unwrap_or(u16::MAX);
        while !self.body_ended && self.socket.is_some() {
            body.extend(self.get_body_chunk(max));
        }
        body
    }

    /// Octets as they are; from now on the script answers for the order of packets.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.raw_used = true;
        self.send(bytes);
    }

    /// Reads the next packet, whatever it is, and returns its size with the frame; `None` when the module is gone. From now
    /// on the script answers for the order of packets.
    pub fn any_packet(&mut self) -> Option<usize> {
        self.raw_used = true;
        self.first_due = false;
        self.next_packet().map(|payload| payload.len() + 4)
    }

    /// Waits until the test opens the gate.
    pub fn pause(&mut self, gate: &Gate) {
        gate.wait();
    }

    /// Waits for the module to close; `true` when it did within `patience`, `false` when it sent something or stays.
    pub fn closed_by_peer(&mut self, patience: Duration) -> bool {
        super::poll(patience, || {
            let Some(socket) = &mut self.socket else { return true };
            let mut octet = [0; 1];
            match socket.read_now(&mut octet) {
                Ok(0) => {
                    self.shared.record(self.id, Event::Eof);
                    self.socket = None;
                    true
                }
                Ok(_) => {
                    self.pending.push(octet[0]);
                    false
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => false,
                Err(e) => {
                    self.shared.record(self.id, Event::Broken(e.kind()));
                    self.socket = None;
                    true
                }
            }
        })
    }

    /// Closes the connection in an orderly way.
    pub fn close(&mut self) {
        if let Some(socket) = self.socket.take() {
            self.shared.record(self.id, Event::Closed);
            socket.shutdown();
        }
    }

    /// Resets the connection.
    pub fn reset(&mut self) {
        if let Some(socket) = self.socket.take() {
            self.shared.record(self.id, Event::Closed);
            socket.reset_on_close();
            // The other handle of the socket, held to stop the backend, must go as well: only the last close counts.
            self.shared.forget_socket(self.id);
        }
    }

    /// The module is still there, as far as reading and writing have shown.
    pub fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        if let Some(socket) = &mut self.socket
            && let Err(e) = socket.write_all(bytes)
        {
            self.shared.record(self.id, Event::Broken(e.kind()));
            self.socket = None;
        }
    }

    /// Payload of the next packet; `None` when the connection is over.
    pub(super) fn next_packet(&mut self) -> Option<Vec<u8>> {
        if !self.fill(4) {
            return None;
        }
        if self.pending[..2] != [0x12, 0x34] {
            self.error(format!("bad magic {:02x?}", &self.pending[..4]));
            return None;
        }
        let len = usize::from(u16::from_be_bytes([self.pending[2], self.pending[3]]));
        if len + 4 > self.shared.packet_size {
            self.error(format!("packet of {} octets, {} allowed", len + 4, self.shared.packet_size));
            return None;
        }
        if !self.fill(4 + len) {
            return None;
        }
        let payload = self.pending[4..4 + len].to_vec();
        self.pending.drain(..4 + len);
        Some(payload)
    }

    fn read_body_packet(&mut self, asked: Option<u16>) -> Vec<u8> {
        let Some(payload) = self.next_packet() else { return Vec::new() };
        let data = match payload.as_slice() {
            [] => &[][..],
            [high, low, data @ ..] if usize::from(u16::from_be_bytes([*high, *low])) == data.len() => data,
            _ => {
                self.error(format!("malformed body packet {:02x?}", &payload[..payload.len().min(64)]));
                return Vec::new();
            }
        };
        self.shared.record(self.id, Event::Body { len: data.len(), asked });
        if asked.is_some_and(|max| data.len() > usize::from(max)) {
            self.error(format!("{} octets of body, asked for {asked:?}", data.len()));
        }
        if self.body_ended && !data.is_empty() {
            self.error("body behind its end".into());
        }
        if let Some(left) = self.body_left {
            match left.checked_sub(data.len() as u64) {
                Some(rest) if rest > 0 && data.is_empty() => {
                    self.error(format!("body ended {rest} octets early"))
                }
                Some(rest) => self.body_left = Some(rest),
                None => self.error("more body than Content-Length".into()),
            }
        }
        self.body_ended |= data.is_empty();
        data.to_vec()
    }

    /// Before End Response everything the module may send has been read, so any octet is one too many.
    fn check_silence(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        if self.raw_used {
            return;
        }
        let mut buffer = [0; 64];
        let unasked = match socket.read_now(&mut buffer) {
            Ok(0) => {
                self.shared.record(self.id, Event::Eof);
                self.socket = None;
                return;
            }
            Ok(len) => {
                self.pending.extend_from_slice(&buffer[..len]);
                self.pending.clone()
            }
            Err(_) => self.pending.clone(),
        };
        if !unasked.is_empty() {
            self.error(format!("octets that nobody asked for: {unasked:02x?}"));
        }
    }

    fn error(&mut self, text: String) {
        self.shared.record(self.id, Event::Error(text));
        self.close();
    }

    /// Receives until `len` octets are pending; `false` when the connection ends before.
    fn fill(&mut self, len: usize) -> bool {
        let mut buffer = [0; 16 * 1024];
        while self.pending.len() < len {
            let Some(socket) = &mut self.socket else { return false };
            let event = match socket.read(&mut buffer) {
                Ok(0) if self.pending.is_empty() => Event::Eof,
                Ok(0) => Event::Cut,
                Ok(got) => {
                    self.pending.extend_from_slice(&buffer[..got]);
                    continue;
                }
                Err(e) => Event::Broken(e.kind()),
            };
            self.shared.record(self.id, event);
            self.socket = None;
            return false;
        }
        true
    }
}

/// Packets from backend to connector. Source: AJPv13 document, "Response Packet Structure".
pub mod packet {
    /// Response header names by code, from A001 on.
    pub const HEADERS: [&str; 11] = [
        "Content-Type",
        "Content-Language",
        "Content-Length",
        "Date",
        "Last-Modified",
        "Location",
        "Set-Cookie",
        "Set-Cookie2",
        "Servlet-Engine",
        "Status",
        "WWW-Authenticate",
    ];

    /// Frames a payload.
    pub fn frame(payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x41, 0x42];
        bytes.extend_from_slice(&u16::try_from(payload.len()).expect("payload length").to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    /// A string with its length and NUL.
    pub fn string(text: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(text.len()).expect("string length").to_be_bytes().to_vec();
        bytes.extend_from_slice(text);
        bytes.push(0);
        bytes
    }

    /// Send Headers; no reason is sent as the null string. Header text goes as ISO-8859-1 where it can.
    pub fn send_headers(status: u16, reason: Option<&[u8]>, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut payload = vec![4];
        payload.extend_from_slice(&status.to_be_bytes());
        match reason {
            Some(reason) => payload.extend(string(reason)),
            None => payload.extend_from_slice(&[0xff, 0xff]),
        }
        payload.extend_from_slice(&u16::try_from(headers.len()).expect("header count").to_be_bytes());
        for (name, value) in headers {
            match HEADERS.iter().zip(0xa001u16..).find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, code)) => payload.extend_from_slice(&code.to_be_bytes()),
                None => payload.extend(string(name.as_bytes())),
            }
            let latin: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
            payload.extend(string(latin.as_deref().unwrap_or(value.as_bytes())));
        }
        frame(&payload)
    }

    /// One Send Body Chunk with its padding octet; empty data asks for a flush.
    pub fn body_chunk(data: &[u8]) -> Vec<u8> {
        let mut payload = vec![3];
        payload.extend(string(data));
        frame(&payload)
    }

    /// Get Body Chunk.
    pub fn get_body_chunk(max: u16) -> Vec<u8> {
        let [high, low] = max.to_be_bytes();
        frame(&[6, high, low])
    }

    /// End Response.
    pub fn end(reuse: bool) -> Vec<u8> {
        frame(&[5, u8::from(reuse)])
    }
}

/// Answers by the last segments of the path:
///
/// | path | answer |
/// |---|---|
/// | `/size/N` | N octets of [`super::pattern`], with Content-Length |
/// | `/stream/N` | the same without Content-Length |
/// | `/headers/N` | N headers `X-Header-I: value-I` |
/// | `/status/CODE` | that status and a short body (none for 204, 304) |
/// | `/delay/MS` | `late` after so many milliseconds |
/// | `/upload` | reads the body; `length=` and `sha256=` lines |
/// | anything else | the facts of the request, one `key=value` line each |
pub fn default_script(request: &ForwardRequest, say: &mut Conversation) {
    let segments: Vec<&str> = request.uri.rsplit('/').collect();
    let number = segments.first().and_then(|last| last.parse::<usize>().ok());
    let plain = ("Content-Type", "text/plain");
    match (segments.get(1).copied().unwrap_or_default(), number) {
        ("size", Some(octets)) => say.respond(200, &[plain], &super::pattern(octets)),
        ("stream", Some(octets)) => {
            say.send_headers(200, "OK", &[plain]);
            say.body_chunk(&super::pattern(octets));
            say.end(true);
        }
        ("headers", Some(count)) => {
            let pairs: Vec<_> = (0..count).map(|i| (format!("X-Header-{i}"), format!("value-{i}"))).collect();
            let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            say.respond(200, &pairs, b"headers\n");
        }
        ("status", Some(code)) => {
            let code = u16::try_from(code).unwrap_or(500);
            if matches!(code, 204 | 304) {
                say.send_headers(code, &code.to_string(), &[]);
                say.end(true);
            } else {
                say.respond(code, &[plain], b"status\n");
            }
        }
        ("delay", Some(millis)) => {
            std::thread::sleep(Duration::from_millis(millis as u64));
            say.respond(200, &[plain], b"late\n");
        }
        _ if segments.first() == Some(&"upload") => {
            let body = say.read_body();
            let text = format!("length={}\nsha256={}\n", body.len(), sha256_hex(&body));
            say.respond(200, &[plain], text.as_bytes());
        }
        _ => say.respond(200, &[plain], facts(request, say.connection()).as_bytes()),
    }
}

/// The facts of a request as `key=value` lines; headers are `header.NAME`, attributes `attribute.NAME`.
pub fn facts(request: &ForwardRequest, connection: usize) -> String {
    let mut lines = vec![
        format!("connection={connection}"),
        format!("method={}", request.method),
        format!("protocol={}", request.protocol),
        format!("uri={}", request.uri),
        format!("server_name={}", request.server_name),
        format!("server_port={}", request.server_port),
        format!("is_ssl={}", request.is_ssl),
    ];
    let optional = [
        ("remote_addr", &request.remote_addr),
        ("remote_host", &request.remote_host),
        ("remote_user", &request.remote_user),
        ("auth_type", &request.auth_type),
        ("query", &request.query),
        ("route", &request.route),
    ];
    let present =
        optional.iter().filter_map(|(key, value)| value.as_ref().map(|value| format!("{key}={value}")));
    lines.extend(present);
    lines.extend(
        request.headers.iter().map(|(name, value)| format!("header.{}={value}", name.to_ascii_lowercase())),
    );
    lines.extend(request.attributes.iter().map(|(name, value)| format!("attribute.{name}={value}")));
    lines.join("\n") + "\n"
}
