//! The body of an HTTP/1 response: where it ends, and which octets of the input are data.
//!
//! Data is handed out as slices of the input; lines between chunks are taken octet by octet, so nothing has to be
//! contiguous and nothing is kept but numbers. Chunk sizes are read strictly, since two readers that disagree about one
//! octet here see different messages. Extensions and trailers are checked, limited and dropped.
//! Sources: RFC 9112 sections 6.3 and 7.1.

use super::malformed::Malformed;
use super::response::HeadLimits;
use crate::engine::headers;

/// Most digits of a chunk size.
const MAX_DIGITS: u8 = 16;
/// Most octets of the extensions of one chunk.
pub const MAX_EXTENSION: usize = 256;
/// Most octets of all chunk extensions of a response; a body of one-octet chunks with long extensions is an attack.
pub const MAX_EXTENSIONS: usize = 16_384;

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// So many octets, below 2^63.
    Length(u64),
    /// By the last chunk.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// What stands at the front of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Nothing more can be said without more input; all of it was taken.
    More,
    /// Data, never empty.
    Data(&'a [u8]),
    /// The body is complete.
    End,
}

/// Where the next octet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a body of known length; octets left.
    Length(u64),
    UntilClose,
    /// In a chunk size.
    Size {
        digits: u8,
        value: u64,
    },
    /// In the extensions of a chunk of this size.
    Extension {
        octets: usize,
        value: u64,
    },
    /// Behind the carriage return of a size line.
    SizeEnd(u64),
    /// In the data of a chunk; octets left, at least 1.
    Data(u64),
    DataCr,
    DataLf,
    /// At the first octet of a trailer line.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerEnd,
    /// Behind the carriage return of the last line.
    LastEnd,
    Over,
}

/// Takes a body apart.
#[derive(Debug, Clone)]
pub struct Body {
    state: State,
    limits: HeadLimits,
    extensions: usize,
    trailer: usize,
    trailer_lines: usize,
}

impl Body {
    /// A body that begins with the next octet. `limits` hold for the trailer section.
    pub fn new(framing: Framing, limits: HeadLimits) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Over,
            Framing::Length(left) => State::Length(left),
            Framing::Chunked => State::Size { digits: 0, value: 0 },
            Framing::UntilClose => State::UntilClose,
        };
        Self { state, limits, extensions: 0, trailer: 0, trailer_lines: 0 }
    }

    /// Takes octets from the front of `input`; says how many, and what they are. Call again with the rest until it
    /// answers [`Piece::More`] or [`Piece::End`].
    ///
    /// # Errors
    /// The chunks are out of order.
    pub fn step<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Piece<'a>), Malformed> {
        let mut taken = 0;
        loop {
            let rest = input.get(taken..).unwrap_or_default();
            if self.state == State::Over {
                return Ok((taken, Piece::End));
            }
            let Some(&octet) = rest.first() else { return Ok((taken, Piece::More)) };
            if let Some(data) = self.data(rest) {
                return Ok((taken + data.len(), Piece::Data(data)));
            }
            self.state = self.next(octet)?;
            taken += 1;
        }
    }

    /// The body ends with the connection.
    pub fn until_close(&self) -> bool {
        self.state == State::UntilClose
    }

    /// The next octet of the input begins a chunk: the backend has passed on all it had.
    pub fn between_chunks(&self) -> bool {
        matches!(self.state, State::Size { digits: 0, .. })
    }

    /// Inside a line that belongs together.
    pub fn inside_line(&self) -> bool {
        !matches!(
            self.state,
            State::Length(_)
                | State::UntilClose
                | State::Data(_)
                | State::Size { digits: 0, .. }
                | State::Over
        )
    }

    /// Data at the front of `rest`, which is not empty, when data stands there.
    fn data<'a>(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        let left = match self.state {
            State::UntilClose => return Some(rest),
            State::Length(left) | State::Data(left) => left,
            _ => return None,
        };
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let data = rest.get(..most).unwrap_or(rest);
        let left = left.saturating_sub(u64::try_from(data.len()).unwrap_or(u64::MAX));
        self.state = match (self.state, left) {
            (State::Length(_), 0) => State::Over,
            (State::Length(_), left) => State::Length(left),
            (_, 0) => State::DataCr,
            (_, left) => State::Data(left),
        };
        Some(data)
    }

    /// The state behind one octet that is not data.
    fn next(&mut self, octet: u8) -> Result<State, Malformed> {
        Ok(match self.state {
            State::Size { digits, value } => match (octet, hex(octet)) {
                (_, Some(digit)) => {
                    let value = value << 4 | u64::from(digit);
                    if digits >= MAX_DIGITS || i64::try_from(value).is_err() {
                        return Err(Malformed::ChunkTooLarge);
                    }
                    State::Size { digits: digits + 1, value }
                }
                (b'\r', _) if digits > 0 => State::SizeEnd(value),
                (b';', _) if digits > 0 => State::Extension { octets: 1, value },
                (b'\n', _) if digits > 0 => return Err(Malformed::ChunkLineEnd),
                _ => return Err(Malformed::ChunkSize(octet)),
            },
            State::Extension { octets, value } => match octet {
                b'\r' => State::SizeEnd(value),
                b'\n' => return Err(Malformed::ChunkLineEnd),
                _ => {
                    self.extensions += 1;
                    if self.extensions > MAX_EXTENSIONS {
                        return Err(Malformed::TooManyExtensions(MAX_EXTENSIONS));
                    }
                    if !octet.is_ascii_graphic() || octets >= MAX_EXTENSION {
                        return Err(Malformed::ChunkExtension(octet));
                    }
                    State::Extension { octets: octets + 1, value }
                }
            },
            State::SizeEnd(value) => match (octet, value) {
                (b'\n', 0) => State::TrailerStart,
                (b'\n', value) => State::Data(value),
                _ => return Err(Malformed::ChunkLineEnd),
            },
            State::DataCr if octet == b'\r' => State::DataLf,
            State::DataLf if octet == b'\n' => State::Size { digits: 0, value: 0 },
            State::DataCr | State::DataLf => return Err(Malformed::ChunkDataEnd),
            State::LastEnd if octet == b'\n' => State::Over,
            State::TrailerStart if octet == b'\r' => State::LastEnd,
            State::TrailerStart
            | State::TrailerName
            | State::TrailerValue
            | State::TrailerEnd
            | State::LastEnd => self.trailer(octet)?,
            State::Length(_) | State::UntilClose | State::Data(_) | State::Over => self.state,
        })
    }

    /// The state behind one octet of a trailer line.
    fn trailer(&mut self, octet: u8) -> Result<State, Malformed> {
        self.trailer += 1;
        if self.trailer > self.limits.head || self.trailer_lines > self.limits.lines {
            return Err(Malformed::TrailersTooLarge);
        }
        match (self.state, octet) {
            (State::TrailerStart, octet) if headers::is_token_octet(octet) => {
                self.trailer_lines += 1;
                Ok(State::TrailerName)
            }
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerName, octet) if headers::is_token_octet(octet) => Ok(State::TrailerName),
            (State::TrailerValue, b'\r') => Ok(State::TrailerEnd),
            (State::TrailerValue, octet) if headers::is_clean(&[octet]) => Ok(State::TrailerValue),
            (State::TrailerEnd, b'\n') => Ok(State::TrailerStart),
            _ => Err(Malformed::Trailer),
        }
    }
}

fn hex(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of a chunked body, and what was left of the input behind it.
    fn read(octets: &[u8]) -> Result<(Vec<u8>, Option<Vec<u8>>), Malformed> {
        let mut body = Body::new(Framing::Chunked, HeadLimits { head: 64, line: 64, lines: 3 });
        let (mut data, mut at) = (Vec::new(), 0);
        loop {
            let (taken, piece) = body.step(&octets[at..])?;
            at += taken;
            match piece {
                Piece::More => return Ok((data, None)),
                Piece::Data(piece) => data.extend_from_slice(piece),
                Piece::End => return Ok((data, Some(octets[at..].to_vec()))),
            }
        }
    }

    fn whole(octets: &[u8]) -> Vec<u8> {
        let (data, rest) = read(octets).unwrap();
        assert_eq!(rest, Some(vec![]));
        data
    }

    #[test]
    fn chunks_are_put_together() {
        assert_eq!(whole(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), b"hello world");
        assert_eq!(whole(b"A\r\n0123456789\r\n0\r\n\r\n"), b"0123456789");
        assert_eq!(whole(b"0005\r\nhello\r\n000\r\n\r\n"), b"hello");
        assert_eq!(whole(b"5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n"), b"hello");
        assert_eq!(whole(b"0\r\nX-Sum: 1\r\nY:\r\n\r\n"), b"");
        assert_eq!(read(b"0\r\n\r\nHTTP/1.1"), Ok((vec![], Some(b"HTTP/1.1".to_vec()))));
        assert_eq!(read(b"5\r\nhel"), Ok((b"hel".to_vec(), None)));
    }

    #[test]
    fn sizes_are_read_strictly() {
        for (octets, fault) in [
            (&b"\r\nhello\r\n"[..], Malformed::ChunkSize(b'\r')),
            (b"+5\r\nhello\r\n", Malformed::ChunkSize(b'+')),
            (b"-5\r\nhello\r\n", Malformed::ChunkSize(b'-')),
            (b"0x5\r\nhello\r\n", Malformed::ChunkSize(b'x')),
            (b"5 \r\nhello\r\n", Malformed::ChunkSize(b' ')),
            (b" 5\r\nhello\r\n", Malformed::ChunkSize(b' ')),
            (b"5_0\r\nhello\r\n", Malformed::ChunkSize(b'_')),
            (b"5\nhello\r\n", Malformed::ChunkLineEnd),
            (b"5\rhello\r\n", Malformed::ChunkLineEnd),
            (b"5;a\nhello\r\n", Malformed::ChunkLineEnd),
            (b"5;a b\r\nhello\r\n", Malformed::ChunkExtension(b' ')),
            (b"00000000000000005\r\nhello", Malformed::ChunkTooLarge),
            (b"8000000000000000\r\n", Malformed::ChunkTooLarge),
            (b"ffffffffffffffff\r\n", Malformed::ChunkTooLarge),
            (b"5\r\nhello0\r\n\r\n", Malformed::ChunkDataEnd),
            (b"5\r\nhello\n0\r\n\r\n", Malformed::ChunkDataEnd),
            (b"5\r\nhello\rX", Malformed::ChunkDataEnd),
            (b"0\r\nX\r\n\r\n", Malformed::Trailer),
            (b"0\r\n X: 1\r\n\r\n", Malformed::Trailer),
            (b"0\r\nX: 1\n\r\n", Malformed::Trailer),
            (b"0\r\nX: \0\r\n\r\n", Malformed::Trailer),
            (b"0\r\n\rX", Malformed::Trailer),
            (b"0\r\n\n", Malformed::Trailer),
        ] {
            assert_eq!(read(octets), Err(fault), "{}", octets.escape_ascii());
        }
        assert_eq!(read(b"7fffffffffffffff\r\nab"), Ok((b"ab".to_vec(), None)));
    }

    #[test]
    fn extensions_and_trailers_are_limited() {
        let extension = |octets: usize| format!("1;{}\r\nx\r\n", "e".repeat(octets - 1));
        assert_eq!(whole(format!("{}0\r\n\r\n", extension(256)).as_bytes()), b"x");
        assert_eq!(read(extension(257).as_bytes()), Err(Malformed::ChunkExtension(b'e')));
        let many = extension(256).repeat(65);
        assert_eq!(read(many.as_bytes()), Err(Malformed::TooManyExtensions(MAX_EXTENSIONS)));
        assert_eq!(whole(b"0\r\na:\r\nb:\r\nc:\r\n\r\n"), b"");
        assert_eq!(read(b"0\r\na:\r\nb:\r\nc:\r\nd:\r\n\r\n"), Err(Malformed::TrailersTooLarge));
        let long = format!("0\r\na:{}\r\n\r\n", "x".repeat(64));
        assert_eq!(read(long.as_bytes()), Err(Malformed::TrailersTooLarge));
    }

    #[test]
    fn other_bodies_end_where_they_end() {
        let mut body = Body::new(Framing::Length(5), HeadLimits::default());
        assert_eq!(body.step(b"hel"), Ok((3, Piece::Data(b"hel"))));
        assert_eq!(body.step(b""), Ok((0, Piece::More)));
        assert_eq!(body.step(b"loX"), Ok((2, Piece::Data(b"lo"))));
        assert_eq!(body.step(b"X"), Ok((0, Piece::End)));
        let mut body = Body::new(Framing::UntilClose, HeadLimits::default());
        assert_eq!(body.step(b"x"), Ok((1, Piece::Data(b"x"))));
        assert!(body.until_close() && !body.inside_line());
        for framing in [Framing::None, Framing::Length(0)] {
            assert_eq!(Body::new(framing, HeadLimits::default()).step(b"x"), Ok((0, Piece::End)));
        }
    }
}
