//! Send Headers: the head of a response.
//!
//! [`parse`] checks one whole packet; after that [`Pairs`] walks the same octets without the possibility of an error. All
//! results borrow from the packet. Nothing is sized by a count or length the backend claims.
//! Sources: AJPv13 document, "Send Headers"; RFC 9110 sections 5.1, 5.5, 7.6.1 and 8.6; `ajp_unmarshal_response` of mod_jk.

use super::codes;
use super::malformed::{Field, Malformed};
use super::wire::{Reader, StringFault};
use crate::engine::exchange::{Fields, ResponseHead};
use crate::engine::headers::{self, Glance, Naming};

/// Longest reason phrase that is passed on; phrases are a few words, and longer ones only bloat the status line.
const MAX_REASON: usize = 256;
/// Most digits of a Content-Length: 18 nines fit every 64-bit integer, signed ones of the host included.
const MAX_LENGTH_DIGITS: usize = 18;

/// A checked Send Headers packet.
#[derive(Debug)]
pub struct Reply<'a> {
    /// The head of the response.
    pub head: ResponseHead<'a>,
    /// The packet holds more than the headers it counts; the rest was ignored.
    pub surplus: bool,
}

/// The headers of a response that are meant for the client, names of coded ones spelled out, values trimmed.
///
/// Left out: hop-by-hop headers, Transfer-Encoding and what Connection headers name.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    rest: Reader<'a>,
    left: u16,
    /// Bit by bit from the lowest: the next headers that have to be looked at. The others go to the client as they are.
    look: u64,
    listed: Naming<'a>,
}

/// Headers that need a look whatever their value is.
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

impl<'a> Pairs<'a> {
    /// The octets that hold all names and values still to come, except the names of coded headers. Each name or value is
    /// followed by a NUL, unless blanks behind it were trimmed.
    pub fn octets(&self) -> &'a [u8] {
        self.rest.rest()
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    // Inside the loop of the caller the position stays in registers.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            self.left -= 1;
            let look = self.look & 1 != 0;
            // Beyond the headers that have a bit each has to be looked at.
            self.look = self.look >> 1 | 1 << 63;
            let (name, coded) = match self.rest.integer()?.to_be_bytes() {
                [codes::CODED, code] => (codes::response_header(code)?, true),
                length => (self.rest.known_string_of(u16::from_be_bytes(length))?, false),
            };
            let length = self.rest.integer()?;
            let value = self.rest.known_string_of(length)?;
            if !look {
                return Some((name, value));
            }
            // No coded name is a hop-by-hop one.
            if let Some(value) = admit(&self.listed, name, value, coded) {
                return Some((name, value));
            }
        }
        None
    }
}

/// The trimmed value of a header, when the client is to get it.
#[cold]
fn admit<'v>(listed: &Naming<'_>, name: &[u8], value: &'v [u8], coded: bool) -> Option<&'v [u8]> {
    let dropped = (!coded && headers::is_response_hop(name)) || listed.contains(name);
    (!dropped).then(|| headers::trim(value))
}

/// Checks the payload of a Send Headers packet, without its type octet.
///
/// # Errors
/// Every field must lie inside the payload and be fit for a client: see [`Malformed`]. A reason phrase that is not fit is
/// no error, it is only not used.
pub fn parse(payload: &[u8]) -> Result<Reply<'_>, Malformed> {
    let mut reader = Reader::new(payload);
    let status = reader.integer().ok_or(Malformed::Short(Field::Status))?;
    let reason = reader.string().map_err(|fault| malformed_string(fault, Field::Reason))?;
    let count = reader.integer().ok_or(Malformed::Short(Field::HeaderCount))?;
    // "100", "103" and "101": interim answers do not exist in AJP, and a tunnel even less.
    if !(200..=999).contains(&status) {
        return Err(Malformed::Status(status));
    }

    let first = reader.clone();
    let mut content_length = None;
    let mut listed = Naming::default();
    let mut look = 0;
    let mut bit = 1u64;
    for _ in 0..count {
        let name = read_name(&mut reader)?;
        let value = read_value(&mut reader)?;
        if name != Name::Plain || has_blanks_around(value) {
            look |= bit;
        }
        bit <<= 1; // nothing after 64 headers
        match name {
            Name::ContentLength => {
                let length = parse_length(headers::trim(value)).ok_or(Malformed::ContentLength)?;
                if content_length.replace(length).is_some() {
                    return Err(Malformed::ContentLengthTwice);
                }
            }
            Name::Connection => {
                listed.add(headers::trim(value)).map_err(|headers::BadConnection| Malformed::Connection)?
            }
            Name::Special | Name::Plain => {}
        }
    }
    if !listed.is_empty() {
        look = u64::MAX;
    }
    let fields = Fields::Ajp(Pairs { rest: first, left: count, look, listed });
    Ok(Reply {
        head: ResponseHead {
            status,
            reason: reason.filter(|reason| worth_showing(reason, status)),
            content_length,
            fields,
        },
        surplus: !reader.is_empty(),
    })
}

#[derive(PartialEq, Eq)]
enum Name {
    ContentLength,
    Connection,
    /// Perhaps a hop-by-hop header.
    Special,
    /// Goes to the client, unless a Connection header names it.
    Plain,
}

#[inline]
fn read_name(reader: &mut Reader<'_>) -> Result<Name, Malformed> {
    let lead = reader.integer().ok_or(Malformed::Short(Field::HeaderName))?;
    match lead.to_be_bytes() {
        [codes::CODED, codes::RESPONSE_CONTENT_LENGTH] => return Ok(Name::ContentLength),
        [codes::CODED, code] => {
            return codes::response_header(code).map(|_| Name::Plain).ok_or(Malformed::HeaderCode(lead));
        }
        [0xff, 0xff] => return Err(Malformed::NullName),
        [0, 0] => return Err(Malformed::EmptyName),
        _ => {}
    }
    let name = reader.string_of(lead).map_err(|fault| malformed_string(fault, Field::HeaderName))?;
    if !headers::is_token(name) {
        let bad = name.iter().copied().find(|&octet| !headers::is_token_octet(octet));
        return Err(Malformed::NameOctet(bad.unwrap_or_default()));
    }
    if !SPECIAL.may_hold(name) {
        return Ok(Name::Plain);
    }
    Ok(match name.len() {
        14 if headers::same(name, b"content-length") => Name::ContentLength,
        10 if headers::same(name, b"connection") => Name::Connection,
        _ => Name::Special,
    })
}

/// Of a clean value: blanks and tabs are its only octets up to 0x20.
#[inline]
fn has_blanks_around(value: &[u8]) -> bool {
    matches!((value.first(), value.last()), (Some(..=b' '), _) | (_, Some(..=b' ')))
}

#[inline]
fn read_value<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let value = reader.string().map_err(|fault| malformed_string(fault, Field::HeaderValue))?;
    let value = value.ok_or(Malformed::NullValue)?;
    if headers::is_clean(value) {
        return Ok(value);
    }
    Err(Malformed::ValueOctet(headers::first_control(value).unwrap_or_default()))
}

/// A plain decimal number; no sign, no blanks, no list.
fn parse_length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > MAX_LENGTH_DIGITS {
        return None;
    }
    digits
        .iter()
        .try_fold(0u64, |sum, &digit| digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0')))
}

/// Tomcat sends the digits of the status as its reason; the standard phrase says more.
fn worth_showing(reason: &[u8], status: u16) -> bool {
    let digits =
        [status / 100, status / 10 % 10, status % 10].map(|digit| b'0' + u8::try_from(digit).unwrap_or(0));
    !reason.is_empty() && reason.len() <= MAX_REASON && reason != digits && headers::is_clean(reason)
}

fn malformed_string(fault: StringFault, field: Field) -> Malformed {
    match fault {
        StringFault::Short => Malformed::Short(field),
        StringFault::Terminator => Malformed::Terminator(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A payload without type octet, from status, reason and pairs; names are written as strings.
    fn payload(status: u16, reason: &[u8], pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut out = status.to_be_bytes().to_vec();
        let string = |out: &mut Vec<u8>, text: &[u8]| {
            out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            out.extend(text);
            out.push(0);
        };
        string(&mut out, reason);
        out.extend(u16::try_from(pairs.len()).unwrap().to_be_bytes());
        for (name, value) in pairs {
            string(&mut out, name);
            string(&mut out, value);
        }
        out
    }

    fn names(payload: &[u8]) -> Vec<String> {
        let reply = parse(payload).unwrap();
        reply.head.fields.map(|(name, _)| String::from_utf8(name.to_vec()).unwrap()).collect()
    }

    #[test]
    fn headers_of_one_connection_are_left_out() {
        let sent = payload(
            200,
            b"",
            &[
                (b"X-A", b"1"),
                (b"Connection", b"close, X-A"),
                (b"Keep-Alive", b"timeout=5"),
                (b"Transfer-Encoding", b"chunked"),
                (b"Proxy-Authenticate", b"Basic"),
                (b"Upgrade", b"h2c"),
                (b"X-B", b"2"),
                (b"connection", b"X-C, Content-Type"),
                (b"x-c", b"3"),
                (b"Content-Type", b"text/plain"),
            ],
        );
        assert_eq!(names(&sent), ["X-B", "Content-Type"]);
    }

    #[test]
    fn headers_are_looked_at_however_many_there_are() {
        let many: Vec<(&[u8], &[u8])> = (0..70)
            .flat_map(|_| [(&b"X-A"[..], &b" 1"[..]), (b"Upgrade", b"x"), (b"X-B", b"2\t"), (b"X-C", b"3")])
            .collect();
        let sent = payload(200, b"", &many);
        let pairs: Vec<_> = parse(&sent).unwrap().head.fields.collect();
        let three: [(&[u8], &[u8]); 3] = [(b"X-A", b"1"), (b"X-B", b"2"), (b"X-C", b"3")];
        assert_eq!(pairs, three.repeat(70));
        // A Connection header behind 64 others still counts for the first one.
        let mut late: Vec<(&[u8], &[u8])> = vec![(b"X-A", b"1"); 70];
        late.push((b"Connection", b"x-a"));
        late.push((b"X-B", b"2"));
        assert_eq!(names(&payload(200, b"", &late)), ["X-B"]);
    }

    #[test]
    fn a_connection_header_must_be_a_list_of_names() {
        assert_eq!(parse(&payload(200, b"", &[(b"Connection", b"a b")])).unwrap_err(), Malformed::Connection);
        let many: Vec<(&[u8], &[u8])> = vec![(b"Connection", b"x"); 5];
        assert_eq!(parse(&payload(200, b"", &many)).unwrap_err(), Malformed::Connection);
    }

    #[test]
    fn reasons_are_shown_only_when_they_say_something() {
        let reason = |text: &[u8]| parse(&payload(404, text, &[])).unwrap().head.reason.map(<[u8]>::to_vec);
        assert_eq!(reason(b"No Such Thing"), Some(b"No Such Thing".to_vec()));
        assert_eq!(reason("Caf\u{e9}".as_bytes()), Some("Caf\u{e9}".as_bytes().to_vec()));
        for text in [&b"404"[..], b"", b"a\r\nb", b"a\0b", b"\x7f", &[b'x'; MAX_REASON + 1]] {
            assert_eq!(reason(text), None, "{text:?}");
        }
        assert_eq!(reason(b"405"), Some(b"405".to_vec()));
    }

    #[test]
    fn a_content_length_is_one_plain_number() {
        let length = |text: &[u8]| {
            parse(&payload(200, b"", &[(b"content-length", text)])).map(|r| r.head.content_length)
        };
        assert_eq!(length(b"0"), Ok(Some(0)));
        assert_eq!(length(b" 42\t"), Ok(Some(42)));
        assert_eq!(length(b"999999999999999999"), Ok(Some(999_999_999_999_999_999)));
        for text in [&b""[..], b"+5", b"-1", b"5x", b"0x5", b"5,5", b"5 5", b"1000000000000000000"] {
            assert_eq!(length(text), Err(Malformed::ContentLength), "{text:?}");
        }
        let twice = payload(200, b"", &[(b"Content-Length", b"5"), (b"content-length", b"5")]);
        assert_eq!(parse(&twice).unwrap_err(), Malformed::ContentLengthTwice);
    }

    #[test]
    fn a_count_below_the_pairs_present_leaves_a_surplus() {
        let mut sent = payload(200, b"", &[(b"A", b"1")]);
        assert!(!parse(&sent).unwrap().surplus);
        sent.push(7);
        let reply = parse(&sent).unwrap();
        assert!(reply.surplus);
        assert_eq!(reply.head.fields.count(), 1);
    }
}
