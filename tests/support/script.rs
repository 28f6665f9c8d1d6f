//! What a script says to the module: the answering half of the scripted backend, and the default script. It is the same
//! over every protocol; [`super::framing`] turns it into octets.
//!
//! Nothing here panics when the module goes away: writing to a connection that is gone is recorded once and then ignored,
//! so that a script need not care.

use std::time::Duration;

use super::digest::sha256_hex;
use super::forward::ForwardRequest;
use super::framing::{Framing, Incoming};
pub use super::framing_ajp::packet;
use super::gate::Gate;
use super::link::Link;
use super::record::Event;

/// The backend's side of a connection.
pub struct Conversation {
    link: Link,
    framing: Box<dyn Framing>,
    /// Most octets of body that are asked for at once.
    ask: u16,
    /// Octets of a known body length that have not come; `None` when the length is unknown.
    body_left: Option<u64>,
    /// The first piece of a body of known length has not been read.
    first_due: bool,
    /// The end of the body came.
    body_ended: bool,
    /// The end of the response was sent, with this reuse flag.
    ended: Option<bool>,
    /// The script wrote octets of its own, so the order of messages is its own business.
    raw_used: bool,
    /// The request is HEAD.
    head_only: bool,
}

impl Conversation {
    pub(super) fn new(link: Link, framing: Box<dyn Framing>, ask: u16) -> Self {
        Self {
            link,
            framing,
            ask,
            body_left: None,
            first_due: false,
            body_ended: false,
            ended: None,
            raw_used: false,
            head_only: false,
        }
    }

    /// The next message between two answers.
    pub(super) fn next(&mut self) -> Option<Incoming> {
        self.framing.next(&mut self.link)
    }

    /// Answers a ping.
    pub(super) fn pong(&mut self) {
        self.link.send(self.framing.pong());
    }

    /// Prepares for the answer to `request`.
    pub(super) fn begin(&mut self, request: &ForwardRequest) {
        self.body_left = self.framing.begin(request);
        self.first_due = self.body_left.is_some_and(|length| length > 0);
        self.body_ended = false;
        self.ended = None;
        self.raw_used = false;
        self.head_only = request.method == "HEAD";
    }

    /// The response forbade reuse: the module must not use the connection again.
    pub(super) fn is_spent(&self) -> bool {
        self.ended == Some(false)
    }

    /// After the script: the connection may carry another request.
    pub(super) fn finish(&mut self) -> bool {
        if self.ended.is_none() && !self.raw_used && self.link.is_open() {
            self.link.error("the script did not end its response".into());
            return false;
        }
        if self.framing.asks_for_bodies() {
            // The script wrote its own end of the response and left the packet that came unasked.
            self.first_body();
        } else if !self.raw_used {
            // The next request stands behind the rest of the body.
            while !self.has_whole_body() && self.next_piece(None).is_some() {}
        }
        self.link.is_open()
    }

    /// Counts from 0 in order of acceptance.
    pub fn connection(&self) -> usize {
        self.link.id()
    }

    /// The head of the response.
    pub fn send_headers(&mut self, status: u16, reason: &str, headers: &[(&str, &str)]) {
        let bytes = self.framing.head(status, reason, headers);
        self.link.send(&bytes);
    }

    /// Body data, in as many pieces as the protocol needs, in one write.
    pub fn body_chunk(&mut self, data: &[u8]) {
        let bytes = self.framing.chunk(data);
        self.link.send(&bytes);
    }

    /// Asks the module to pass on what it has; over HTTP there are no words for that.
    pub fn flush(&mut self) {
        let bytes = self.framing.flush();
        self.link.send(&bytes);
    }

    /// The end of the response. As in Tomcat, a first body packet of AJP that nobody read is read before. Without `reuse`
    /// over HTTP a header `Connection: close` has to have announced it; otherwise the backend closes at once.
    pub fn end(&mut self, reuse: bool) {
        self.before_end();
        let (bytes, close) = self.framing.end(reuse);
        self.send_end(&bytes, reuse && !self.framing.is_last(), close);
    }

    /// Headers with Content-Length, body (none for HEAD) and the end with reuse, in one write.
    pub fn respond(&mut self, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        self.before_end();
        let length = body.len().to_string();
        let mut all = headers.to_vec();
        all.push(("Content-Length", &length));
        let mut bytes = self.framing.head(status, &status.to_string(), &all);
        if !self.head_only {
            bytes.extend(self.framing.chunk(body));
        }
        let (end, close) = self.framing.end(true);
        bytes.extend(end);
        self.send_end(&bytes, !self.framing.is_last(), close);
    }

    fn before_end(&mut self) {
        if self.framing.asks_for_bodies() {
            self.first_body();
        }
        self.check_silence();
    }

    fn send_end(&mut self, bytes: &[u8], reuse: bool, close: bool) {
        if self.link.is_open() {
            // Recorded before it is sent, or the next event could overtake it in the log.
            self.link.record(Event::Ended { reuse });
        }
        self.link.send(bytes);
        self.ended = Some(reuse);
        if close {
            self.link.close();
        }
    }

    /// Asks for at most `max` octets of body and waits for them; empty at the end of the body or when the module is gone.
    pub fn get_body_chunk(&mut self, max: u16) -> Vec<u8> {
        self.read_piece(Some(max))
    }

    /// The piece that follows a request of known length unasked; empty when there is none, or it was read before.
    pub fn first_body(&mut self) -> Vec<u8> {
        if std::mem::take(&mut self.first_due) && self.link.is_open() {
            self.read_piece(None)
        } else {
            Vec::new()
        }
    }

    /// The whole body, the way Tomcat reads it: also after a known length it asks once more for the end.
    pub fn read_body(&mut self) -> Vec<u8> {
        let mut body = self.first_body();
        if self.body_left == Some(0) && body.is_empty() {
            return body;
        }
        while !self.body_ended && self.link.is_open() {
            body.extend(self.get_body_chunk(self.ask));
        }
        body
    }

    /// Octets as they are; from now on the script answers for the order of messages.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.raw_used = true;
        self.link.send(bytes);
    }

    /// A whole response that nobody has asked for.
    pub fn stray_response(&mut self, headers: &[(&str, &str)], body: &[u8]) {
        self.raw_used = true;
        let length = body.len().to_string();
        let all: Vec<_> = headers.iter().copied().chain([("Content-Length", length.as_str())]).collect();
        let mut bytes = self.framing.head(200, "", &all);
        bytes.extend(self.framing.chunk(body));
        bytes.extend(self.framing.end(true).0);
        self.link.send(&bytes);
    }

    /// Reads the next packet of AJP, whatever it is, and returns its size with the frame; `None` when the module is gone.
    /// From now on the script answers for the order of packets.
    pub fn any_packet(&mut self) -> Option<usize> {
        self.raw_used = true;
        self.first_due = false;
        self.framing.any_packet(&mut self.link)
    }

    /// Waits until the test opens the gate.
    pub fn pause(&mut self, gate: &Gate) {
        gate.wait();
    }

    /// Waits for the module to close; `true` when it did within `patience`, `false` when it sent something or stays.
    pub fn closed_by_peer(&mut self, patience: Duration) -> bool {
        self.link.closed_by_peer(patience)
    }

    /// Closes the connection in an orderly way.
    pub fn close(&mut self) {
        self.link.close();
    }

    /// Resets the connection.
    pub fn reset(&mut self) {
        self.link.reset();
    }

    /// The module is still there, as far as reading and writing have shown.
    pub fn is_open(&self) -> bool {
        self.link.is_open()
    }

    /// Nothing of the request is missing.
    fn has_whole_body(&self) -> bool {
        self.body_ended || self.body_left == Some(0)
    }

    fn read_piece(&mut self, asked: Option<u16>) -> Vec<u8> {
        let Some(data) = self.next_piece(asked) else { return Vec::new() };
        self.link.record(Event::Body { len: data.len(), asked });
        if asked.is_some_and(|max| data.len() > usize::from(max)) {
            self.link.error(format!("{} octets of body, asked for {asked:?}", data.len()));
        }
        data
    }

    /// A piece that is counted, and not recorded.
    fn next_piece(&mut self, asked: Option<u16>) -> Option<Vec<u8>> {
        // Over AJP the first piece is a packet of its own that stays due.
        self.first_due &= self.framing.asks_for_bodies();
        let data = self.framing.piece(&mut self.link, asked, self.body_left)?;
        if self.body_ended && !data.is_empty() {
            self.link.error("body behind its end".into());
        }
        if let Some(left) = self.body_left {
            match left.checked_sub(data.len() as u64) {
                Some(rest) if rest > 0 && data.is_empty() => {
                    self.link.error(format!("body ended {rest} octets early"));
                }
                Some(rest) => self.body_left = Some(rest),
                None => self.link.error("more body than Content-Length".into()),
            }
        }
        self.body_ended |= data.is_empty();
        Some(data)
    }

    /// When everything the module may send has been read, any octet is one too many.
    fn check_silence(&mut self) {
        let all_read = self.framing.asks_for_bodies() || self.has_whole_body();
        if self.raw_used || !all_read || self.framing.may_be_over() {
            return;
        }
        let Some(unasked) = self.link.unasked() else { return };
        if !unasked.is_empty() {
            let text = format!("octets that nobody asked for: {unasked:02x?}");
            self.link.error(text);
        }
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
