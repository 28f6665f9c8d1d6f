//! Leaving HTTP for another protocol on the same connection: who may ask for it, and whether the backend has agreed.
//!
//! Only WebSocket is known. Everything else a client may ask for (`h2c`, `TLS/1.0`) would let it talk to the backend past
//! this server, so it is never passed on. The tunnel itself is not the business of this module.
//! Sources: RFC 9110 section 7.8; RFC 6455 sections 4.1 and 4.2.

use crate::engine::headers::{self, same};
use crate::engine::request::{Request, RequestBody};

/// A protocol a connection can change to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    /// `websocket`.
    WebSocket,
}

impl Upgrade {
    /// The name in an Upgrade header.
    pub fn token(self) -> &'static [u8] {
        match self {
            Self::WebSocket => b"websocket",
        }
    }
}

/// What the client asks for, when it may be passed on: a GET of HTTP/1.1 without body, with Connection naming `upgrade`
/// and exactly one Upgrade header with exactly one known protocol. Everything else is an ordinary request.
pub fn asked(request: &impl Request) -> Option<Upgrade> {
    let head = request.head();
    if head.method != b"GET" || head.protocol != b"HTTP/1.1" || head.body != RequestBody::None {
        return None;
    }
    let (mut names, mut connects, mut right) = (0u32, false, false);
    request.each_header(&mut |name, value| {
        if same(name, b"upgrade") {
            names = names.saturating_add(1);
            right = same(headers::trim(value), b"websocket");
        } else if same(name, b"connection") {
            connects |= headers::lists(value, b"upgrade");
        }
    });
    (names == 1 && right && connects).then_some(Upgrade::WebSocket)
}

/// The backend's 101 is the answer to what was asked for. `answer`: the value of its only Upgrade header.
pub fn agreed(asked: Option<Upgrade>, answer: Option<&[u8]>) -> bool {
    match (asked, answer) {
        (Some(Upgrade::WebSocket), Some(answer)) => same(answer, b"websocket"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fuzzing::TextRequest;

    fn of(method: &str, body: &str, lines: &str) -> Option<Upgrade> {
        asked(&TextRequest::new(format!("{method}\n/chat\n\n\n\n{body}\n{lines}").as_bytes()))
    }

    #[test]
    fn only_a_clean_wish_is_passed_on() {
        let wish = "Connection:keep-alive, Upgrade\nUpgrade:WebSocket";
        assert_eq!(of("GET", "none", wish), Some(Upgrade::WebSocket));
        assert_eq!(of("POST", "none", wish), None);
        assert_eq!(of("GET", "5", wish), None);
        assert_eq!(of("GET", "chunked", wish), None);
        for lines in [
            "Upgrade:websocket",
            "Connection:upgrade",
            "Connection:upgrade\nUpgrade:h2c",
            "Connection:upgrade\nUpgrade:websocket, h2c",
            "Connection:upgrade\nUpgrade:websocket\nUpgrade:websocket",
            "Connection:upgrade\nUpgrade:h2c\nUpgrade:websocket",
            "Connection:close\nUpgrade:websocket",
        ] {
            assert_eq!(of("GET", "none", lines), None, "{lines}");
        }
    }

    #[test]
    fn the_answer_must_name_the_protocol() {
        let wish = Some(Upgrade::WebSocket);
        assert!(agreed(wish, Some(b"websocket")) && agreed(wish, Some(b"WebSocket")));
        assert!(!agreed(None, Some(b"websocket")));
        assert!(!agreed(wish, None) && !agreed(wish, Some(b"")) && !agreed(wish, Some(b"websocket, h2c")));
        assert_eq!(Upgrade::WebSocket.token(), b"websocket");
    }
}
