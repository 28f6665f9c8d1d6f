//! Octets of strangers in messages: made harmless for logs and terminals.

use std::fmt;

/// Shows octets with control characters, backslashes and everything beyond ASCII as `\xNN`.
#[derive(Clone, Copy)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &octet in self.0 {
            match octet {
                b'\\' => f.write_str("\\\\")?,
                b' '..=b'~' => f.write_fmt(format_args!("{}", char::from(octet)))?,
                _ => write!(f, "\\x{octet:02x}")?,
            }
        }
        Ok(())
    }
}

/// A number as decimal text, without allocation.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    text: [u8; 22],
    start: usize,
}

impl Decimal {
    /// `value` in plain digits.
    pub fn new(value: u64) -> Self {
        let mut text = [b'0'; 22];
        let start = digits(&mut text, value);
        Self { text, start }
    }

    /// `value` microseconds as seconds with six digits behind the point.
    pub fn seconds(micros: u64) -> Self {
        let mut text = [b'0'; 22];
        let (whole, [.., point, a, b, c, d, e, f]) = (micros / 1_000_000, &mut text);
        let fraction = micros % 1_000_000;
        *point = b'.';
        [*a, *b] = pair(fraction / 10_000);
        [*c, *d] = pair(fraction / 100);
        [*e, *f] = pair(fraction);
        let places = text.len() - 7;
        let start = text.get_mut(..places).map_or(places, |text| digits(text, whole));
        Self { text, start }
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(self.start..).unwrap_or_default()
    }
}

/// `octets` as the inside of a JSON string (RFC 8259 section 7). What is not UTF-8 is replaced by U+FFFD.
pub fn json(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

/// Writes the digits of `value` to the end of `text`, which must have room for them; where they begin.
pub(crate) fn digits(text: &mut [u8], mut value: u64) -> usize {
    let mut start = text.len();
    for place in text.iter_mut().rev() {
        *place = digit(value);
        start -= 1;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    start
}

/// The last two digits of `value`.
fn pair(value: u64) -> [u8; 2] {
    [digit(value / 10), digit(value)]
}

/// The last digit of `value`.
fn digit(value: u64) -> u8 {
    b'0' + (value % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_gets_through() {
        assert_eq!(
            Escaped(b"/a\n[error] x\x1b[2J\\\xe9\x7f").to_string(),
            "/a\\x0a[error] x\\x1b[2J\\\\\\xe9\\x7f"
        );
    }

    #[test]
    fn whatever_it_is_fits_into_json() {
        assert_eq!(json(b"plain /path"), "plain /path");
        assert_eq!(json(b"a\"b\\c\n\x0b\x01"), r#"a\"b\\c\n\u000b\u0001"#);
        assert_eq!(json(b"caf\xe9"), "caf\u{fffd}");
        assert_eq!(json("caf\u{e9}".as_bytes()), "caf\u{e9}");
    }

    #[test]
    fn numbers_of_every_length() {
        assert_eq!(Decimal::new(0).as_bytes(), b"0");
        assert_eq!(Decimal::new(u64::MAX).as_bytes(), b"18446744073709551615");
        assert_eq!(Decimal::new(60_205).as_bytes(), b"60205");
        assert_eq!(Decimal::seconds(0).as_bytes(), b"0.000000");
        assert_eq!(Decimal::seconds(987_654).as_bytes(), b"0.987654");
        assert_eq!(Decimal::seconds(1334).as_bytes(), b"0.001334");
        assert_eq!(Decimal::seconds(61_000_000).as_bytes(), b"61.000000");
        assert_eq!(Decimal::seconds(u64::MAX).as_bytes(), b"18446744073709.551615");
    }
}
