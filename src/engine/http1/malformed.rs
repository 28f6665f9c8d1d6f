//! The ways in which a backend can break HTTP/1.
//!
//! Comparable and without text of its own, as its sibling of AJP: [`Malformed`] prints in plain words for the log, and
//! [`Malformed::hint`] names the usual cause where there is one.

use std::fmt;

/// How a backend broke the protocol. The connection is out of step and must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The answer does not begin with `HTTP/`; its first five octets.
    NotHttp([u8; 5]),
    /// A version other than `1.0` and `1.1`; the three octets where it stands.
    Version([u8; 3]),
    /// The first line is no version, blank, three digits and perhaps a reason.
    StatusLine,
    /// Status below 100.
    Status(u16),
    /// A line that ends without carriage return.
    BareLf,
    /// A carriage return inside a line.
    BareCr,
    /// The head is longer than this many octets.
    HeadTooLarge(usize),
    /// A line of the head is longer than this many octets.
    LineTooLong(usize),
    /// More header lines than this.
    TooManyLines(usize),
    /// A header line that goes on in the next line (obs-fold).
    Fold,
    /// A header line without colon.
    NoColon,
    /// An empty header name.
    EmptyName,
    /// This octet in a header name; a blank also stands for one in front of the colon.
    NameOctet(u8),
    /// This octet in a header value.
    ValueOctet(u8),
    /// More than one Content-Length, be they equal or not.
    ContentLengthTwice,
    /// A Content-Length that is no plain decimal number below 2^63.
    ContentLength,
    /// Content-Length and Transfer-Encoding in one response.
    LengthAndCoding,
    /// Transfer-Encoding is not `chunked`, exactly once.
    Coding,
    /// Transfer-Encoding in an HTTP/1.0 response.
    CodingInOld,
    /// A Connection header that is no list of tokens, or an absurdly long one.
    Connection,
    /// More interim responses (100, 102, 103 ...) than this.
    TooManyInterim(u8),
    /// 101 although nothing was asked for, or to something else.
    Upgrade,
    /// A chunk size that does not begin with a hexadecimal digit, or this octet behind it.
    ChunkSize(u8),
    /// A chunk size of more than 16 digits or not below 2^63.
    ChunkTooLarge,
    /// A chunk extension that is too long, or this octet in one.
    ChunkExtension(u8),
    /// The line of a chunk size does not end with CR LF.
    ChunkLineEnd,
    /// The data of a chunk is not followed by CR LF.
    ChunkDataEnd,
    /// Chunk extensions of more than this many octets in one response.
    TooManyExtensions(usize),
    /// A line of the trailer section is no header line.
    Trailer,
    /// A trailer section beyond the limits of a head.
    TrailersTooLarge,
}

impl Malformed {
    /// The usual cause, when the octets tell it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotHttp([b'A', b'B', ..]) => {
                Some("These are AJP packets: the worker's port is an AJP connector, not an HTTP connector.")
            }
            Self::NotHttp([0x14..=0x17, 0x03, ..]) => {
                Some("This is a TLS record: the worker's port is an HTTPS connector.")
            }
            Self::NotHttp([0, 0, _, 4, _]) | Self::Version([b'2', ..]) => {
                Some("This is HTTP/2, which the module does not speak to backends.")
            }
            Self::HeadTooLarge(_) | Self::LineTooLong(_) | Self::TooManyLines(_) => {
                Some("The backend's headers are larger than this worker accepts.")
            }
            _ => None,
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotHttp([a, b, c, d, e]) => {
                write!(f, "an answer begins with {a:02x} {b:02x} {c:02x} {d:02x} {e:02x} instead of HTTP/")
            }
            Self::Version([major, _, minor]) => {
                let digit = |octet: u8| if octet.is_ascii_digit() { char::from(octet) } else { '?' };
                write!(f, "HTTP version {}.{}", digit(major), digit(minor))
            }
            Self::StatusLine => f.write_str("a first line that is no status line"),
            Self::Status(status) => write!(f, "response status {status:03}"),
            Self::BareLf => f.write_str("a line of the response head that ends without carriage return"),
            Self::BareCr => f.write_str("a carriage return inside a line of the response head"),
            Self::HeadTooLarge(limit) => write!(f, "a response head of more than {limit} octets"),
            Self::LineTooLong(limit) => {
                write!(f, "a line of more than {limit} octets in the response head")
            }
            Self::TooManyLines(limit) => write!(f, "more than {limit} header lines in a response"),
            Self::Fold => f.write_str("a response header that is folded over several lines"),
            Self::NoColon => f.write_str("a response header line without colon"),
            Self::EmptyName => f.write_str("an empty response header name"),
            Self::NameOctet(octet) => write!(f, "octet {octet:#04x} in a response header name"),
            Self::ValueOctet(octet) => write!(f, "octet {octet:#04x} in a response header value"),
            Self::ContentLengthTwice => f.write_str("more than one Content-Length in the response"),
            Self::ContentLength => {
                f.write_str("a response Content-Length that is not a plain decimal number")
            }
            Self::LengthAndCoding => f.write_str("Content-Length and Transfer-Encoding in the same response"),
            Self::Coding => f.write_str("a Transfer-Encoding other than chunked"),
            Self::CodingInOld => f.write_str("Transfer-Encoding in an HTTP/1.0 response"),
            Self::Connection => {
                f.write_str("a response Connection header that is not a reasonable list of names")
            }
            Self::TooManyInterim(limit) => write!(f, "more than {limit} interim responses"),
            Self::Upgrade => f.write_str("a switch to a protocol that was not asked for (status 101)"),
            Self::ChunkSize(octet) => write!(f, "octet {octet:#04x} in a chunk size"),
            Self::ChunkTooLarge => f.write_str("a chunk size beyond every reason"),
            Self::ChunkExtension(octet) => {
                write!(f, "a chunk extension that is too long or holds an octet it must not ({octet:#04x})")
            }
            Self::ChunkLineEnd => f.write_str("a chunk size line that does not end with CR LF"),
            Self::ChunkDataEnd => f.write_str("a chunk that is not followed by CR LF"),
            Self::TooManyExtensions(limit) => {
                write!(f, "more than {limit} octets of chunk extensions in a response")
            }
            Self::Trailer => f.write_str("a trailer line that is no header line"),
            Self::TrailersTooLarge => f.write_str("a trailer section that is too large"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_wrong_ports_are_recognised() {
        assert!(Malformed::NotHttp(*b"AB\0\x02\x05").hint().unwrap().contains("AJP connector"));
        assert!(Malformed::NotHttp([0x15, 3, 3, 0, 2]).hint().unwrap().contains("HTTPS"));
        assert!(Malformed::NotHttp([0, 0, 0x12, 4, 0]).hint().unwrap().contains("HTTP/2"));
        assert_eq!(Malformed::NotHttp(*b"SSH-2").hint(), None);
        assert_eq!(Malformed::BareLf.hint(), None);
    }

    #[test]
    fn the_log_says_what_was_found() {
        assert_eq!(
            Malformed::NotHttp(*b"AB\0\x02\x05").to_string(),
            "an answer begins with 41 42 00 02 05 instead of HTTP/"
        );
        assert_eq!(Malformed::Version(*b"2.0").to_string(), "HTTP version 2.0");
        assert_eq!(Malformed::Version(*b"\x1b.\n").to_string(), "HTTP version ?.?");
        assert_eq!(Malformed::Status(99).to_string(), "response status 099");
    }
}
