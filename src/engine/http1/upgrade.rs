//! Leaving HTTP for another protocol on the same connection: who may ask for it, and whether the backend has agreed.
//!
//! Only protocols that the administrator lists are passed on, by default `websocket` alone. What would let a client talk
//! HTTP to the backend past this server (`h2c`, `TLS/1.0`, `HTTP/2.0`) can not be listed. The tunnel itself is
//! [`crate::engine::proxy::tunnel`].
//! Sources: RFC 9110 section 7.8; RFC 6455 sections 4.1 and 4.2.

use std::fmt;

use crate::engine::headers::{self, same};
use crate::engine::request::{Request, RequestBody};

/// Longest name of a protocol, version included.
const LONGEST: usize = 30;

/// A protocol a connection can change to, as it is named in an Upgrade header: `name` or `name/version`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Upgrade {
    /// Lower case.
    name: [u8; LONGEST],
    length: u8,
}

impl Upgrade {
    /// `websocket`.
    pub const WEBSOCKET: Self = {
        let (text, mut name, mut at) = (b"websocket", [0; LONGEST], 0);
        while at < text.len() {
            name[at] = text[at];
            at += 1;
        }
        Self { name, length: 9 }
    };

    /// The protocol of that name, in any case. `None` when it is no `token` or `token/token` of at most 30 octets, or
    /// when it is a form of HTTP or TLS, which must not pass.
    pub fn new(text: &[u8]) -> Option<Self> {
        let (protocol, version) = match memchr::memchr(b'/', text).and_then(|at| text.split_at_checked(at)) {
            Some((protocol, version)) => (protocol, version.get(1..)),
            None => (text, None),
        };
        let http = [&b"http"[..], b"h2", b"h2c", b"h3", b"tls", b"ssl"];
        if !headers::is_token(protocol)
            || version.is_some_and(|version| !headers::is_token(version))
            || http.iter().any(|other| protocol.eq_ignore_ascii_case(other))
        {
            return None;
        }
        let mut name = [0; LONGEST];
        let place = name.get_mut(..text.len())?;
        place.copy_from_slice(text);
        place.make_ascii_lowercase();
        Some(Self { name, length: u8::try_from(text.len()).ok()? })
    }

    /// The name in an Upgrade header.
    pub fn token(&self) -> &[u8] {
        self.name.get(..self.length.into()).unwrap_or_default()
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upgrade({self})")
    }
}

impl fmt::Display for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.token().escape_ascii())
    }
}

/// What the client asks for, when it may be passed on: a request of HTTP/1.1 without body, with Connection naming `upgrade`
/// and exactly one Upgrade header with exactly one protocol, which is in `allowed`; for WebSocket it must be a GET.
/// Everything else is an ordinary request.
pub fn asked(request: &impl Request, allowed: &[Upgrade]) -> Option<Upgrade> {
    let head = request.head();
    if allowed.is_empty()
        || head.protocol != b"HTTP/1.1"
        || head.body != RequestBody::None
        || head.method == b"HEAD"
    {
        return None;
    }
    let (mut names, mut connects, mut wish) = (0u32, false, None);
    request.each_header(&mut |name, value| {
        if same(name, b"upgrade") {
            names = names.saturating_add(1);
            wish = Upgrade::new(headers::trim(value));
        } else if same(name, b"connection") {
            connects |= headers::lists(value, b"upgrade");
        }
    });
    let wish = wish.filter(|wish| names == 1 && connects && allowed.contains(wish))?;
    (head.method == b"GET" || wish != Upgrade::WEBSOCKET).then_some(wish)
}

/// The backend's 101 is the answer to what was asked for. `answer`: the value of its only Upgrade header.
pub fn agreed(asked: Option<Upgrade>, answer: Option<&[u8]>) -> bool {
    match (asked, answer) {
        (Some(asked), Some(answer)) => answer.eq_ignore_ascii_case(asked.token()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fuzzing::TextRequest;

    const WISH: &str = "Connection:keep-alive, Upgrade\nUpgrade:WebSocket";

    fn of(method: &str, body: &str, lines: &str, allowed: &[Upgrade]) -> Option<Upgrade> {
        let text = format!("{method}\n/chat\n\n\n\n{body}\n{lines}");
        asked(&TextRequest::new(text.as_bytes()), allowed)
    }

    #[test]
    fn only_a_clean_wish_is_passed_on() {
        let allowed = [Upgrade::WEBSOCKET];
        assert_eq!(of("GET", "none", WISH, &allowed), Some(Upgrade::WEBSOCKET));
        assert_eq!(of("GET", "none", WISH, &[]), None);
        assert_eq!(of("POST", "none", WISH, &allowed), None);
        assert_eq!(of("GET", "5", WISH, &allowed), None);
        assert_eq!(of("GET", "chunked", WISH, &allowed), None);
        for lines in [
            "Upgrade:websocket",
            "Connection:upgrade",
            "Connection:upgrade\nUpgrade:h2c",
            "Connection:upgrade\nUpgrade:other",
            "Connection:upgrade\nUpgrade:websocket, h2c",
            "Connection:upgrade\nUpgrade:websocket\nUpgrade:websocket",
            "Connection:upgrade\nUpgrade:h2c\nUpgrade:websocket",
            "Connection:close\nUpgrade:websocket",
        ] {
            assert_eq!(of("GET", "none", lines, &allowed), None, "{lines}");
        }
    }

    #[test]
    fn other_protocols_pass_when_they_are_listed() {
        let tcp = Upgrade::new(b"tcp").unwrap();
        let lines = "Connection:upgrade\nUpgrade:TCP";
        assert_eq!(of("POST", "none", lines, &[Upgrade::WEBSOCKET, tcp]), Some(tcp));
        assert_eq!(of("HEAD", "none", lines, &[tcp]), None);
        assert_eq!(of("GET", "none", WISH, &[tcp]), None);
        assert_eq!(Upgrade::new(b"IRC/6.9").unwrap().to_string(), "irc/6.9");
        assert_eq!(Upgrade::new(b"WebSocket"), Some(Upgrade::WEBSOCKET));
        for bad in ["", "/", "a/", "a/b/c", "a b", "a,b", "h2c", "H2", "HTTP/2.0", "http", "TLS/1.0"] {
            assert_eq!(Upgrade::new(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!((Upgrade::new(&[b'a'; 31]), Upgrade::new(&[b'a'; 30]).is_some()), (None, true));
    }

    #[test]
    fn the_answer_must_name_the_protocol() {
        let wish = Some(Upgrade::WEBSOCKET);
        assert!(agreed(wish, Some(b"websocket")) && agreed(wish, Some(b"WebSocket")));
        assert!(!agreed(None, Some(b"websocket")));
        assert!(!agreed(wish, None) && !agreed(wish, Some(b"")) && !agreed(wish, Some(b"websocket, h2c")));
        assert_eq!(Upgrade::WEBSOCKET.token(), b"websocket");
    }
}
