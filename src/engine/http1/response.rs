//! The head of an HTTP/1 response: where it ends, whether it is in order, and what it says about the body.
//!
//! [`Search`] finds the end however the octets arrive, each octet looked at once, and refuses on the way what no head may
//! hold: bare line feeds, folded lines, sizes beyond the limits. [`parse`] checks a whole head (the grammar of its lines by
//! the `httparse` crate, which is too lenient about line ends, hence the search); after that [`Pairs`] walks the same octets
//! without the possibility of an error. Sizes are octets.
//! Sources: RFC 9112 sections 2.2, 4, 5, 6 and 9.6; RFC 9110 sections 5.5, 7.6.1, 8.6 and 15.

use memchr::memchr;

use super::body::Framing;
use super::malformed::Malformed;
use crate::engine::exchange::{Fields, ResponseHead};
use crate::engine::headers::{self, Glance, Naming, same};

/// Longest reason phrase that is passed on; phrases are a few words, and longer ones only bloat the status line.
const MAX_REASON: usize = 256;
/// Header lines that most responses have at most; more of them take the slow way.
const USUAL_LINES: usize = 64;
/// Most header lines that can be allowed.
pub const MOST_LINES: usize = 1000;
/// What every answer begins with.
const MAGIC: &[u8; 5] = b"HTTP/";

/// Sizes of a response head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Octets of the whole head, its empty line included.
    pub head: usize,
    /// Octets of one line, its line end included.
    pub line: usize,
    /// Header lines, at most [`MOST_LINES`].
    pub lines: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { head: 65_536, line: 16_384, lines: MOST_LINES }
    }
}

/// Looks for the end of a head at the front of the input, which only grows meanwhile.
#[derive(Debug, Clone, Copy, Default)]
pub struct Search {
    /// Octets that were looked at.
    seen: usize,
    /// Where the current line begins.
    line: usize,
    /// Lines before it.
    lines: usize,
}

impl Search {
    /// The length of the head, when all of it is there.
    ///
    /// # Errors
    /// This will not become a head. The same octets give the same error in whatever portions they come.
    pub fn find(&mut self, input: &[u8], limits: &HeadLimits) -> Result<Option<usize>, Malformed> {
        let Some(magic) = input.first_chunk::<5>() else { return Ok(None) };
        if magic != MAGIC {
            return Err(Malformed::NotHttp(*magic));
        }
        while let Some(found) = memchr(b'\n', input.get(self.seen..).unwrap_or_default()) {
            let feed = self.seen + found;
            self.within(feed + 1, limits)?;
            let line = match input.get(self.line..feed) {
                Some([line @ .., b'\r']) => line,
                _ => return Err(Malformed::BareLf),
            };
            if memchr(b'\r', line).is_some() {
                return Err(Malformed::BareCr);
            }
            (self.seen, self.line) = (feed + 1, feed + 1);
            match line.first() {
                // Never the first line: the magic stands there.
                None => return Ok(Some(feed + 1)),
                Some(b' ' | b'\t') => return Err(Malformed::Fold),
                Some(_) if self.lines > limits.lines => return Err(Malformed::TooManyLines(limits.lines)),
                Some(_) => self.lines += 1,
            }
        }
        self.seen = input.len();
        self.within(input.len(), limits)?;
        Ok(None)
    }

    /// A head whose current line reaches to `end` (exclusive) is small enough so far.
    fn within(&self, end: usize, limits: &HeadLimits) -> Result<(), Malformed> {
        let line_end = self.line.saturating_add(limits.line);
        if end <= line_end.min(limits.head) {
            return Ok(());
        }
        Err(if line_end < limits.head {
            Malformed::LineTooLong(limits.line)
        } else {
            Malformed::HeadTooLarge(limits.head)
        })
    }
}

/// A checked response head.
#[derive(Debug, Clone)]
pub struct Parsed<'a> {
    /// What the client is told.
    pub head: ResponseHead<'a>,
    /// Version 1.1, not 1.0.
    pub modern: bool,
    /// The backend closes the connection behind the response.
    pub close: bool,
    /// How the body is framed when the response can have one.
    pub framing: Framing,
    /// Values of the Upgrade header; several lines are no reason for an error, but for distrust.
    pub upgrade: Option<&'a [u8]>,
    /// Connection lists `upgrade`.
    pub upgrades: bool,
}

/// Checks the whole head `octets`, from the status line to the empty line. `lines` is the limit of header lines.
///
/// # Errors
/// See [`Malformed`]. A reason phrase that is not fit to be shown is no error, it is only not used.
pub fn parse(octets: &[u8], lines: usize) -> Result<Parsed<'_>, Malformed> {
    let status_end = memchr(b'\n', octets).map_or(octets.len(), |feed| feed + 1);
    let (line, block) = octets.split_at_checked(status_end).unwrap_or((octets, &[]));
    let (modern, status, reason) = status_line(line.strip_suffix(b"\r\n").unwrap_or(line))?;
    let mut usual = [httparse::EMPTY_HEADER; USUAL_LINES];
    let facts = match httparse::parse_headers(block, &mut usual) {
        Ok(httparse::Status::Complete((_, list))) => Facts::of(list)?,
        Err(httparse::Error::TooManyHeaders) => many(block, lines)?,
        Ok(httparse::Status::Partial) | Err(_) => return Err(diagnose(block)),
    };
    if facts.coded {
        if facts.length.is_some() {
            return Err(Malformed::LengthAndCoding);
        }
        if !modern {
            return Err(Malformed::CodingInOld);
        }
    }
    // These two say by themselves that there is no body; a length beside them means nothing and must not be passed on.
    let empty = matches!(status, 204 | 205);
    let framing = match facts.length {
        Some(length) => Framing::Length(length),
        None if facts.coded => Framing::Chunked,
        None => Framing::UntilClose,
    };
    let fields = Fields::Http(Pairs { rest: block, listed: facts.listed, no_length: empty });
    let content_length = if empty { None } else { facts.length };
    Ok(Parsed {
        head: ResponseHead { status, reason, content_length, fields },
        modern,
        close: facts.close,
        framing,
        upgrade: facts.upgrade,
        upgrades: facts.upgrades,
    })
}

/// Version 1.1, status and a reason worth showing.
fn status_line(line: &[u8]) -> Result<(bool, u16, Option<&[u8]>), Malformed> {
    let rest = line.strip_prefix(MAGIC).ok_or(Malformed::StatusLine)?;
    let Some((&version, rest)) = rest.split_first_chunk::<3>() else { return Err(Malformed::StatusLine) };
    let modern = match &version {
        b"1.1" => true,
        b"1.0" => false,
        _ => return Err(Malformed::Version(version)),
    };
    let Some((&[b' ', digits @ ..], rest)) = rest.split_first_chunk::<4>() else {
        return Err(Malformed::StatusLine);
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::StatusLine);
    }
    let status = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    if status < 100 {
        return Err(Malformed::Status(status));
    }
    match rest {
        [] => Ok((modern, status, None)),
        [b' ', reason @ ..] => {
            let good = !reason.is_empty()
                && reason.len() <= MAX_REASON
                && *reason != digits
                && headers::is_clean(reason);
            Ok((modern, status, good.then_some(reason)))
        }
        _ => Err(Malformed::StatusLine),
    }
}

/// What the headers of a response say about the message itself.
#[derive(Default)]
struct Facts<'a> {
    length: Option<u64>,
    coded: bool,
    close: bool,
    upgrades: bool,
    upgrade: Option<&'a [u8]>,
    listed: Naming<'a>,
}

impl<'a> Facts<'a> {
    fn of(list: &[httparse::Header<'a>]) -> Result<Self, Malformed> {
        let mut facts = Self::default();
        for header in list {
            let name = header.name.as_bytes();
            if SPECIAL.may_hold(name) {
                facts.header(name, headers::trim(header.value))?;
            }
        }
        Ok(facts)
    }

    fn header(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Malformed> {
        match name.len() {
            14 if same(name, b"content-length") => {
                let length = length(value).ok_or(Malformed::ContentLength)?;
                if self.length.replace(length).is_some() {
                    return Err(Malformed::ContentLengthTwice);
                }
            }
            17 if same(name, b"transfer-encoding") => {
                let again = std::mem::replace(&mut self.coded, true);
                if again || !same(value, b"chunked") {
                    return Err(Malformed::Coding);
                }
            }
            10 if same(name, b"connection") => {
                self.listed.add(value).map_err(|headers::BadConnection| Malformed::Connection)?;
                for option in headers::connection_options(value) {
                    self.close |= same(option, b"close");
                    self.upgrades |= same(option, b"upgrade");
                }
            }
            7 if same(name, b"upgrade") => {
                // A second line makes a list, which is never the answer to one wish.
                self.upgrade = Some(if self.upgrade.is_some() { b"" } else { value });
            }
            _ => {}
        }
        Ok(())
    }
}

/// As the usual way of [`parse`], for more lines than usual.
#[cold]
#[inline(never)]
fn many(block: &[u8], lines: usize) -> Result<Facts<'_>, Malformed> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_LINES];
    let room = headers.get_mut(..lines.min(MOST_LINES)).unwrap_or_default();
    match httparse::parse_headers(block, room) {
        Ok(httparse::Status::Complete((_, list))) => Facts::of(list),
        Err(httparse::Error::TooManyHeaders) => Err(Malformed::TooManyLines(lines)),
        Ok(httparse::Status::Partial) | Err(_) => Err(diagnose(block)),
    }
}

/// The first fault of a block of header lines that are known to be faulty.
#[cold]
fn diagnose(block: &[u8]) -> Malformed {
    for line in block.split(|&octet| octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let Some(colon) = memchr(b':', line) else { return Malformed::NoColon };
        let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
        if name.is_empty() {
            return Malformed::EmptyName;
        }
        if let Some(&octet) = name.iter().find(|octet| !headers::is_token_octet(**octet)) {
            return Malformed::NameOctet(octet);
        }
        if let Some(octet) = headers::first_control(value) {
            return Malformed::ValueOctet(octet);
        }
    }
    Malformed::StatusLine
}

/// A plain decimal number below 2^63; no sign, no blanks, no list.
fn length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let number = digits.iter().try_fold(0u64, |sum, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })?;
    i64::try_from(number).is_ok().then_some(number)
}

/// Headers that say something about the message or belong to the connection.
static SPECIAL: Glance = Glance::of(&[
    b"content-length",
    b"connection",
    b"keep-alive",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"http2-settings",
    b"proxy-connection",
    b"proxy-authenticate",
]);

/// The headers of a response that are meant for the client, values trimmed.
///
/// Left out: hop-by-hop headers, Transfer-Encoding, what Connection headers name, and a Content-Length that the status
/// makes meaningless.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    /// Checked lines, the empty one at the end included.
    rest: &'a [u8],
    listed: Naming<'a>,
    no_length: bool,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (line, rest) = self.rest.split_at_checked(memchr(b'\n', self.rest)? + 1)?;
            self.rest = rest;
            let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
            let special = SPECIAL.may_hold(name)
                && (headers::is_response_hop(name) || (self.no_length && same(name, b"content-length")));
            if special || self.listed.contains(name) {
                continue;
            }
            let value = value.strip_prefix(b":").unwrap_or(value);
            return Some((name, headers::trim(value.strip_suffix(b"\r\n").unwrap_or(value))));
        }
    }
}

#[cfg(test)]
mod tests;
