//! Trace context: which trace a request belongs to, and the line that hands it on to the backend.
//!
//! [`Context::parse`] takes a `traceparent` only if it is exactly what the specification allows; everything else counts as
//! absent. [`Context::line`] always writes version 00. Nothing here draws random numbers.
//!
//! Source: W3C Trace Context (Recommendation, level 1), sections 3.2 (traceparent header), 3.3 (tracestate header) and 4
//! (processing model); the flag for random ids is that of level 2.

/// Octets of a `traceparent` of version 00.
pub const LINE: usize = 55;
/// Octets of a trace id in text.
pub const ID: usize = 32;
/// The flags that are handed on: sampled, and that the trace id is random. All others have to be zero.
const FLAGS: u8 = 0x03;
/// The flags of a trace that begins here: sampled.
const BEGUN: u8 = 0x01;

/// The trace of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    id: [u8; ID],
    flags: u8,
}

impl Context {
    /// The trace that a header field names; `None` when it names none. Fields of later versions are understood as far as
    /// they look like one of version 00.
    pub fn parse(field: &[u8]) -> Option<Self> {
        let field = field.trim_ascii();
        let (version, rest) = field.split_at_checked(2)?;
        let version = hex(version)?;
        let (id, rest) = rest.strip_prefix(b"-")?.split_at_checked(ID)?;
        let (parent, rest) = rest.strip_prefix(b"-")?.split_at_checked(16)?;
        let (flags, rest) = rest.strip_prefix(b"-")?.split_at_checked(2)?;
        let complete = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with(b"-"),
        };
        let good =
            |id: &[u8]| id.iter().all(|digit| nibble(*digit).is_some()) && id.iter().any(|it| *it != b'0');
        let flags = hex(flags)?;
        if !complete || !good(id) || !good(parent) {
            return None;
        }
        Some(Self { id: id.try_into().ok()?, flags: flags & FLAGS })
    }

    /// A trace that begins here, with a random id.
    pub fn begin(random: [u8; 16]) -> Self {
        let mut id = [b'0'; ID];
        write(&mut id, &random);
        Self { id, flags: BEGUN }
    }

    /// The id of the trace: 32 hexadecimal digits.
    pub fn id(&self) -> &[u8; ID] {
        &self.id
    }

    /// The field for the backend: this trace, and as its parent a step with the random id `span`.
    pub fn line(&self, span: [u8; 8]) -> [u8; LINE] {
        let mut line = *b"00-00000000000000000000000000000000-0000000000000000-00";
        if let Some(place) = line.get_mut(3..35) {
            place.copy_from_slice(&self.id);
        }
        write(line.get_mut(36..52).unwrap_or_default(), &span);
        write(line.get_mut(53..55).unwrap_or_default(), &[self.flags]);
        line
    }
}

/// Writes octets as pairs of digits. An id of nothing but zeros would not be one: then the last digit is 1.
fn write(place: &mut [u8], octets: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value & 15)).copied().unwrap_or(b'0');
    for (pair, octet) in place.chunks_exact_mut(2).zip(octets) {
        pair.copy_from_slice(&[digit(octet >> 4), digit(*octet)]);
    }
    if octets.len() > 1
        && octets.iter().all(|octet| *octet == 0)
        && let Some(last) = place.last_mut()
    {
        *last = b'1';
    }
}

/// A digit of hexadecimal numbers; capital letters are none here.
fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn hex(text: &[u8]) -> Option<u8> {
    match text {
        [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn flags(text: &str) -> Option<u8> {
        Context::parse(text.as_bytes()).map(|context| context.flags)
    }

    #[test]
    fn what_is_a_traceparent_and_what_is_not() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        let parent = "b7ad6b7169203331";
        let table: &[(String, Option<u8>, &str)] = &[
            (GOOD.into(), Some(1), "as it should be"),
            (format!("00-{id}-{parent}-00"), Some(0), "not sampled"),
            (format!("00-{id}-{parent}-03"), Some(3), "with a random id"),
            (format!("00-{id}-{parent}-ff"), Some(3), "flags that nobody knows are not handed on"),
            (format!(" {GOOD}\t"), Some(1), "blanks around a field do not belong to it"),
            (format!("01-{id}-{parent}-01"), Some(1), "a later version of the same length"),
            (format!("cc-{id}-{parent}-01-what-the-future-brings"), Some(1), "a longer one"),
            (format!("cc-{id}-{parent}-01.what"), None, "a longer one without a dash"),
            (format!("ff-{id}-{parent}-01"), None, "the version that is forbidden"),
            (format!("00-{id}-{parent}-01-more"), None, "version 00 has one length"),
            (format!("00-{id}-{parent}-01-"), None, "a dash too much"),
            (format!("00-{id}-{parent}-1"), None, "one digit of flags"),
            (format!("00-{id}-{parent}"), None, "no flags"),
            (format!("00-{id}-{parent}-0x"), None, "flags that are no number"),
            (format!("00-{}-{parent}-01", "0".repeat(32)), None, "no trace id"),
            (format!("00-{id}-{}-01", "0".repeat(16)), None, "no parent id"),
            (format!("00-{}-{parent}-01", id.to_uppercase()), None, "capital letters"),
            (format!("00-{id}-{}-01", parent.to_uppercase()), None, "capital letters"),
            (format!("00-{}-{parent}-01", &id[1..]), None, "a trace id that is too short"),
            (format!("00-{id}0-{parent}-01"), None, "one that is too long"),
            (format!("00-{id}-{}-01", &parent[1..]), None, "a parent id that is too short"),
            (format!("00-{}g-{parent}-01", &id[1..]), None, "a letter that is no digit"),
            (format!("0-{id}-{parent}-01"), None, "one digit of version"),
            (format!(".0-{id}-{parent}-01"), None, "a version that is no number"),
            (format!("00_{id}_{parent}_01"), None, "other separators"),
            (format!("{GOOD}, {GOOD}"), None, "two fields"),
            (String::new(), None, "an empty field"),
            ("00".into(), None, "only the version"),
            ("\u{e9}".repeat(30), None, "not ASCII"),
        ];
        for (text, expected, why) in table {
            assert_eq!(flags(text), *expected, "{why}: {text}");
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let given = Context::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(given.line([1; 8]), *b"00-0af7651916cd43dd8448eb211c80319c-0101010101010101-01");
        let begun = Context::begin([0xab; 16]);
        assert_eq!(begun.line([0xcd; 8]), *b"00-abababababababababababababababab-cdcdcdcdcdcdcdcd-01");
        assert_eq!(Context::parse(&begun.line([7; 8])), Some(begun));
        // Chance may draw what is not allowed.
        let unlucky = Context::begin([0; 16]);
        assert_eq!(Context::parse(&unlucky.line([0; 8])), Some(unlucky));
    }
}
