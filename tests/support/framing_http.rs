//! HTTP/1.1 as a scripted backend speaks it. Source: RFC 9112.

use super::forward::ForwardRequest;
use super::framing::{Framing, Incoming};
use super::http_request::decode;
use super::link::Link;

/// HEAD of this path asks whether the backend is alive.
pub const PING: &str = "/ping-of-the-backend";
/// Largest head of a request that is believed, in octets: the limit of the module.
const MAX_HEAD: usize = 262_144;
/// Octets of a body that are given to a script when it has not said how many it wants.
const PIECE: usize = 8186;

/// How the body of an answer ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Answer {
    /// There is none: HEAD, 1xx, 204 and 304.
    #[default]
    NoBody,
    /// After so many octets more.
    Length(usize),
    /// With an empty chunk.
    Chunked,
}

/// A connection that speaks HTTP.
#[derive(Default)]
pub(super) struct Http {
    head_only: bool,
    /// The request asks that the connection be closed.
    close_asked: bool,
    /// Octets of the chunk that is being read.
    chunk_left: usize,
    answer: Answer,
    head_sent: bool,
    /// The head of the answer said so.
    close_said: bool,
}

impl Framing for Http {
    fn next(&mut self, link: &mut Link) -> Option<Incoming> {
        let mut looked = 0;
        let end = loop {
            if let Some(at) = link.pending[looked..].windows(4).position(|four| four == b"\r\n\r\n") {
                break looked + at + 2;
            }
            looked = link.pending.len().saturating_sub(3);
            if looked > MAX_HEAD {
                link.error(format!("a head of more than {MAX_HEAD} octets"));
                return None;
            }
            if !link.more() {
                return None;
            }
        };
        let head = link.take(end);
        link.take(2);
        if head.starts_with(format!("HEAD {PING} HTTP/1.1\r\n").as_bytes()) {
            return Some(Incoming::Ping);
        }
        match decode(&head) {
            Ok(request) => Some(Incoming::Request(Box::new(request))),
            Err(text) => {
                link.error(format!("{text}, in {}", head.escape_ascii()));
                None
            }
        }
    }

    fn pong(&self) -> &'static [u8] {
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    }

    fn begin(&mut self, request: &ForwardRequest) -> Option<u64> {
        *self = Self {
            head_only: request.method == "HEAD",
            close_asked: request.header("connection") == Some("close"),
            ..Self::default()
        };
        let chunked = request.header("transfer-encoding").is_some();
        (!chunked).then(|| request.content_length().unwrap_or(0))
    }

    fn asks_for_bodies(&self) -> bool {
        false
    }

    fn piece(&mut self, link: &mut Link, asked: Option<u16>, left: Option<u64>) -> Option<Vec<u8>> {
        let most = asked.map_or(PIECE, usize::from);
        if let Some(left) = left {
            return self.some(link, most.min(usize::try_from(left).unwrap_or(usize::MAX)));
        }
        if self.chunk_left == 0 {
            let size = line(link)?;
            match usize::from_str_radix(&size, 16) {
                Ok(0) => {
                    if line(link)?.is_empty() {
                        return Some(Vec::new());
                    }
                    link.error("a trailer that nobody has asked for".into());
                    return None;
                }
                Ok(octets) => self.chunk_left = octets,
                Err(_) => {
                    link.error(format!("chunk size {size:?}"));
                    return None;
                }
            }
        }
        let data = self.some(link, most.min(self.chunk_left))?;
        self.chunk_left -= data.len();
        if self.chunk_left == 0 && !line(link)?.is_empty() {
            link.error("more than was announced in a chunk".into());
            return None;
        }
        Some(data)
    }

    fn head(&mut self, status: u16, reason: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("Content-Length"));
        self.head_sent = true;
        self.answer = match length {
            _ if self.head_only || matches!(status, 100..=199 | 204 | 304) => Answer::NoBody,
            Some((_, length)) => Answer::Length(length.parse().expect("a length")),
            None => Answer::Chunked,
        };
        let mut text = format!("HTTP/1.1 {status:03} {reason}\r\n");
        for (name, value) in headers {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            // How the body is framed is no matter of the script.
            if !is("Transfer-Encoding") {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            self.close_said |= is("Connection") && value.split(',').any(|word| word.trim() == "close");
        }
        if self.close_asked && !self.close_said {
            text.push_str("Connection: close\r\n");
        }
        self.close_said |= self.close_asked;
        text.push_str(if self.answer == Answer::Chunked {
            "Transfer-Encoding: chunked\r\n\r\n"
        } else {
            "\r\n"
        });
        // As ISO-8859-1 where that can be.
        let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        latin.unwrap_or(text.into_bytes())
    }

    fn may_be_over(&self) -> bool {
        self.head_sent && matches!(self.answer, Answer::NoBody | Answer::Length(0))
    }

    fn chunk(&mut self, data: &[u8]) -> Vec<u8> {
        match &mut self.answer {
            Answer::NoBody => Vec::new(),
            Answer::Length(left) => {
                *left = left.saturating_sub(data.len());
                data.to_vec()
            }
            // An empty one would be the end.
            Answer::Chunked if data.is_empty() => Vec::new(),
            Answer::Chunked => [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat(),
        }
    }

    fn flush(&self) -> Vec<u8> {
        Vec::new()
    }

    fn end(&mut self, reuse: bool) -> (Vec<u8>, bool) {
        match self.answer {
            // Less than was announced: only the end of the connection can tell.
            Answer::Length(1..) => (Vec::new(), true),
            Answer::Chunked => (b"0\r\n\r\n".to_vec(), !reuse && !self.close_said),
            Answer::NoBody | Answer::Length(_) => (Vec::new(), !reuse && !self.close_said),
        }
    }

    fn is_last(&self) -> bool {
        self.close_said
    }
}

impl Http {
    /// What is there, at least one octet and at most `most`; empty when that is 0.
    fn some(&self, link: &mut Link, most: usize) -> Option<Vec<u8>> {
        if most > 0 && !link.fill(1) {
            return None;
        }
        Some(link.take(most.min(link.pending.len())))
    }
}

/// A line of the chunked coding, without its CRLF.
fn line(link: &mut Link) -> Option<String> {
    loop {
        if let Some(at) = link.pending.windows(2).position(|two| two == b"\r\n") {
            let octets = link.take(at + 2);
            return Some(String::from_utf8_lossy(&octets[..at]).into_owned());
        }
        if link.pending.len() > 100 {
            link.error(format!("no end of line in {}", link.pending[..100].escape_ascii()));
            return None;
        }
        if !link.more() {
            return None;
        }
    }
}
