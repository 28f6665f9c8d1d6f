//! The ways in which a backend can break AJP.
//!
//! Comparable and without text of its own: the values found are carried along, [`Malformed`] prints in plain words for the
//! log, and [`Malformed::hint`] names the usual cause where there is one.

use std::fmt;

use super::codes;
use super::wire;

/// A field of a Send Headers packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Status code.
    Status,
    /// Reason phrase.
    Reason,
    /// Number of headers.
    HeaderCount,
    /// Name of a header.
    HeaderName,
    /// Value of a header.
    HeaderValue,
}

/// How a backend broke the protocol. The connection is out of step and must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The packet does not begin with "AB"; its first four octets.
    Magic([u8; 4]),
    /// Payload length 0.
    EmptyPacket,
    /// Payload longer than the receive limit.
    TooLong {
        /// Payload length announced.
        length: usize,
        /// Largest payload accepted.
        limit: usize,
    },
    /// A packet type that a backend never sends.
    Type(u8),
    /// CPong although no CPing is unanswered.
    UnexpectedPong,
    /// Another packet (of this type) where CPong was due.
    NotPong(u8),
    /// CPong with a payload of this length instead of 1.
    PongLength(u16),
    /// Response body before the response head.
    BodyBeforeHead(u16),
    /// More than [`super::client::MAX_EARLY_FLUSHES`] flushes before the response head.
    TooManyEarlyFlushes,
    /// A second response head.
    SecondHead,
    /// End of the response before its head.
    EndWithoutHead,
    /// A field runs past the end of the packet.
    Short(Field),
    /// The octet behind a string is not NUL.
    Terminator(Field),
    /// Status below 200 or above 999.
    Status(u16),
    /// A header code without a meaning.
    HeaderCode(u16),
    /// Null string as header name.
    NullName,
    /// Empty header name.
    EmptyName,
    /// This octet in a header name.
    NameOctet(u8),
    /// Null string as header value.
    NullValue,
    /// This octet in a header value.
    ValueOctet(u8),
    /// More than one Content-Length.
    ContentLengthTwice,
    /// A Content-Length that is no plain decimal number of at most 18 digits.
    ContentLength,
    /// A Connection header that is no list of tokens, or an absurdly long one.
    Connection,
    /// Chunk length and payload length of a body packet contradict each other.
    ChunkLength {
        /// Payload length.
        payload: usize,
        /// Chunk length; `None` when the payload is too short to hold one.
        chunk: Option<u16>,
    },
    /// More body than Content-Length announced.
    TooMuchBody {
        /// Content-Length.
        announced: u64,
        /// Octets received, those of the offending packet included.
        received: u64,
    },
    /// End of the response before as much body as Content-Length announced.
    Truncated {
        /// Content-Length.
        announced: u64,
        /// Octets received.
        received: u64,
    },
    /// Get Body Chunk with a payload of this length instead of 3.
    AskLength(usize),
    /// Get Body Chunk for nothing.
    AskForNothing,
    /// Get Body Chunk while another one is unanswered.
    AskedTwice,
    /// More than [`super::client::MAX_EMPTY_ANSWERS`] Get Body Chunk packets after the end of the request body.
    AskedTooOften,
}

impl Malformed {
    /// The usual cause, when the octets tell it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Magic([b'H', b'T', b'T', b'P']) => {
                Some("This is an HTTP answer: the worker's port is an HTTP connector, not an AJP connector.")
            }
            Self::Magic([0x14..=0x17, 0x03, ..]) => {
                Some("This is a TLS record: the worker's port is an HTTPS connector, not an AJP connector.")
            }
            Self::Magic([b'A', b'C', ..]) => {
                Some("This is AJP14, which no current server speaks: use AJP/1.3.")
            }
            Self::Magic([0x12, 0x34, ..]) => {
                Some("These are packets of a web server: the worker's port is not a servlet container.")
            }
            Self::TooLong { .. } => Some(
                "The backend sends larger packets than this worker accepts: set max_packet_size to the packetSize \
                 of the AJP connector.",
            ),
            _ => None,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "the status",
            Self::Reason => "the reason phrase",
            Self::HeaderCount => "the number of headers",
            Self::HeaderName => "a header name",
            Self::HeaderValue => "a header value",
        })
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Magic([a, b, c, d]) => write!(
                f,
                "a packet begins with {a:02x} {b:02x} {c:02x} {d:02x} instead of {:02x} {:02x}",
                wire::FROM_BACKEND[0],
                wire::FROM_BACKEND[1]
            ),
            Self::EmptyPacket => f.write_str("a packet without content"),
            Self::TooLong { length, limit } => {
                write!(f, "a packet with {length} octets of content, {limit} are accepted")
            }
            Self::Type(kind) => write!(f, "packet type {kind} ({}) from a backend", codes::packet_name(kind)),
            Self::UnexpectedPong => f.write_str("a CPong nobody asked for"),
            Self::NotPong(kind) => {
                write!(f, "packet type {kind} ({}) instead of CPong", codes::packet_name(kind))
            }
            Self::PongLength(length) => write!(f, "a CPong with {length} octets of content instead of 1"),
            Self::BodyBeforeHead(length) => {
                write!(f, "{length} octets of response body before the response headers")
            }
            Self::TooManyEarlyFlushes => f.write_str("too many flush packets before the response headers"),
            Self::SecondHead => f.write_str("response headers for a second time"),
            Self::EndWithoutHead => f.write_str("the end of a response without response headers"),
            Self::Short(field) => write!(f, "{field} runs past the end of the response headers packet"),
            Self::Terminator(field) => write!(f, "{field} is not followed by a NUL octet"),
            Self::Status(status) => write!(f, "response status {status}"),
            Self::HeaderCode(code) => write!(f, "response header code {code:#06x} has no meaning"),
            Self::NullName => f.write_str("a null string as response header name"),
            Self::EmptyName => f.write_str("an empty response header name"),
            Self::NameOctet(octet) => write!(f, "octet {octet:#04x} in a response header name"),
            Self::NullValue => f.write_str("a null string as response header value"),
            Self::ValueOctet(octet) => write!(f, "octet {octet:#04x} in a response header value"),
            Self::ContentLengthTwice => f.write_str("more than one Content-Length in the response"),
            Self::ContentLength => {
                f.write_str("a response Content-Length that is not a plain decimal number")
            }
            Self::Connection => {
                f.write_str("a response Connection header that is not a reasonable list of names")
            }
            Self::ChunkLength { payload, chunk: None } => {
                write!(f, "a body packet with {payload} octets of content, too short for its length field")
            }
            Self::ChunkLength { payload, chunk: Some(chunk) } => {
                write!(f, "a body packet with {payload} octets of content that claims {chunk} octets of data")
            }
            Self::TooMuchBody { announced, received } => {
                write!(f, "at least {received} octets of response body, Content-Length announced {announced}")
            }
            Self::Truncated { announced, received } => {
                write!(f, "the response ended after {received} octets, Content-Length announced {announced}")
            }
            Self::AskLength(length) => {
                write!(f, "a Get Body Chunk packet with {length} octets of content instead of 3")
            }
            Self::AskForNothing => f.write_str("a Get Body Chunk packet that asks for 0 octets"),
            Self::AskedTwice => f.write_str("a second Get Body Chunk packet before the first was answered"),
            Self::AskedTooOften => {
                f.write_str("too many Get Body Chunk packets after the end of the request body")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_wrong_ports_are_recognised() {
        assert!(Malformed::Magic(*b"HTTP").hint().unwrap().contains("HTTP connector"));
        assert!(Malformed::Magic([0x15, 3, 3, 0]).hint().unwrap().contains("HTTPS"));
        assert!(Malformed::Magic([0x16, 3, 1, 2]).hint().unwrap().contains("HTTPS"));
        assert!(Malformed::Magic(*b"AC\0\x02").hint().unwrap().contains("AJP14"));
        assert!(
            Malformed::TooLong { length: 65535, limit: 8188 }.hint().unwrap().contains("max_packet_size")
        );
        assert_eq!(Malformed::Magic(*b"XY\0\x02").hint(), None);
        assert_eq!(Malformed::SecondHead.hint(), None);
    }

    #[test]
    fn the_log_says_what_was_found() {
        assert_eq!(
            Malformed::Magic(*b"HTTP").to_string(),
            "a packet begins with 48 54 54 50 instead of 41 42"
        );
        assert_eq!(Malformed::Type(2).to_string(), "packet type 2 (Forward Request) from a backend");
        assert_eq!(
            Malformed::Short(Field::HeaderValue).to_string(),
            "a header value runs past the end of the response headers packet"
        );
    }
}
