//! `JkLogStampFormat`: a `strftime` format extended by `%Q` (milliseconds) and `%q` (microseconds).
//!
//! mod_jk replaced one of them, once, and cut the format at 63 octets; here all are replaced and nothing is cut.

/// The default: `[Mon Nov 23 01:39:59.089 2026] `.
pub const DEFAULT: &str = "[%a %b %d %H:%M:%S.%Q %Y] ";

/// `format` with the fractions filled in, ready for `strftime`. `micros`: microseconds of the second.
///
/// A `%q` is left as it is when there is a `%Q`, as with mod_jk.
pub fn fill_fractions(format: &str, micros: u32, out: &mut String) {
    let both = format.contains("%Q");
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let mut letters = behind.chars();
        letters.next();
        match letters.next() {
            Some('Q') => push_padded(out, micros / 1000, 3),
            Some('q') if !both => push_padded(out, micros, 6),
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
        rest = letters.as_str();
    }
    out.push_str(rest);
}

fn push_padded(out: &mut String, value: u32, digits: u32) {
    for place in (0..digits).rev() {
        let digit = value / 10_u32.pow(place) % 10;
        out.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(format: &str, micros: u32) -> String {
        let mut out = String::new();
        fill_fractions(format, micros, &mut out);
        out
    }

    #[test]
    fn fractions() {
        assert_eq!(filled("[%H.%Q %Y]", 89_123), "[%H.089 %Y]");
        assert_eq!(filled("%q", 89_123), "089123");
        assert_eq!(filled("%Q %Q", 1_000), "001 001");
        assert_eq!(filled("%Q %q", 1_000), "001 %q");
        assert_eq!(filled("%%Q %", 1_000), "%%Q %");
    }

    #[test]
    fn long_formats_are_not_cut() {
        let format = format!("{}%Q", "x".repeat(200));
        assert!(filled(&format, 5_000).ends_with("x005"));
    }
}
