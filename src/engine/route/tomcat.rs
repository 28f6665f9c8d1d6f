//! The path as Tomcat reads it: an independent second opinion on what is about to be sent.
//!
//! The order of steps is Tomcat's: parameters are cut at raw `;`, escapes are decoded once, slashes are merged, dot
//! segments resolved. Written apart from `normalize`, so that a mistake there shows here. Linear; no allocation once the
//! buffer has grown. Source: `CoyoteAdapter.postParseRequest` and `normalize` of Tomcat 10.1, whose defaults reject
//! `%2F`, `\` and overlong UTF-8.

/// Why Tomcat answers 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Does not begin with `/`.
    NotAbsolute,
    /// `%` without two hexadecimal digits.
    BadEscape,
    /// `%2F`.
    EncodedSlash,
    /// `\`, raw or encoded.
    Backslash,
    /// NUL, raw or encoded.
    Nul,
    /// `..` above the root.
    AboveRoot,
    /// UTF-8 that hides an ASCII character in a longer form.
    Overlong,
}

/// Writes to `out` the path Tomcat finds in the request URI `sent`.
///
/// # Errors
/// Tomcat would not accept the URI.
pub fn tomcat_view(sent: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
    out.clear();
    let Some((b'/', mut rest)) = sent.split_first() else { return Err(Refused::NotAbsolute) };
    out.push(b'/');
    // Where the segment being read begins in `out`; a slash stands before it.
    let mut start = 1;
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        let decoded = match octet {
            b'/' => {
                start = close(out, start)?;
                if out.last() != Some(&b'/') {
                    out.push(b'/');
                    start = out.len();
                }
                continue;
            }
            b';' => {
                let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
                rest = rest.get(end..).unwrap_or_default();
                continue;
            }
            b'%' => {
                let Some((&[high, low], behind)) = rest.split_first_chunk() else {
                    return Err(Refused::BadEscape);
                };
                rest = behind;
                match unhex(high).zip(unhex(low)) {
                    Some((_, _)) if (high, low | 0x20) == (b'2', b'f') => return Err(Refused::EncodedSlash),
                    Some((high, low)) => high << 4 | low,
                    None => return Err(Refused::BadEscape),
                }
            }
            _ => octet,
        };
        match decoded {
            b'\\' => return Err(Refused::Backslash),
            0 => return Err(Refused::Nul),
            _ => out.push(decoded),
        }
    }
    let before = out.len();
    close(out, start)?;
    if out.len() < before && out.len() > 1 {
        // A dot segment at the end leaves no slash behind (older versions of Tomcat do leave one).
        out.pop();
    }
    if hides_ascii(out) { Err(Refused::Overlong) } else { Ok(()) }
}

/// Resolves the last segment, which begins at `start`, if it is a dot segment. Returns where the next one begins.
fn close(out: &mut Vec<u8>, start: usize) -> Result<usize, Refused> {
    match out.get(start..).unwrap_or_default() {
        b"." => out.truncate(start),
        b".." => {
            let parent = start.checked_sub(1).filter(|&end| end > 0).ok_or(Refused::AboveRoot)?;
            let slash =
                memchr::memrchr(b'/', out.get(..parent).unwrap_or_default()).ok_or(Refused::AboveRoot)?;
            out.truncate(slash + 1);
        }
        _ => {}
    }
    Ok(out.len())
}

fn unhex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Contains an overlong UTF-8 form of an ASCII character: two octets from C0 80, three from E0 80 80, four from F0 80 80 80.
pub(super) fn hides_ascii(path: &[u8]) -> bool {
    const TAIL: std::ops::RangeInclusive<u8> = 0x80..=0xBF;
    let mut rest = path;
    loop {
        match rest {
            [0xC0 | 0xC1, a, ..] if TAIL.contains(a) => return true,
            [0xE0, 0x80 | 0x81, a, ..] if TAIL.contains(a) => return true,
            [0xF0, 0x80, 0x80 | 0x81, a, ..] if TAIL.contains(a) => return true,
            [_, behind @ ..] => rest = behind,
            [] => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(sent: &str) -> Result<String, Refused> {
        let mut out = b"left over".to_vec();
        tomcat_view(sent.as_bytes(), &mut out).map(|()| out.escape_ascii().to_string())
    }

    #[test]
    fn what_was_seen_on_a_real_tomcat() {
        for same in ["/a/..;/echo.jsp", "/;x/echo.jsp", "//echo.jsp", "/a/%2e%2e;/echo.jsp", "/echo.jsp/."] {
            assert_eq!(view(same).as_deref(), Ok("/echo.jsp"), "{same}");
        }
        for (refused, why) in [
            ("/echo%2fx", Refused::EncodedSlash),
            ("/echo%2Fx", Refused::EncodedSlash),
            ("/echo%5cx", Refused::Backslash),
            ("/echo\\x", Refused::Backslash),
            ("/echo%00", Refused::Nul),
            ("/%c0%ae%c0%ae/x", Refused::Overlong),
            ("/%e0%80%af", Refused::Overlong),
            ("/%f0%80%80%af", Refused::Overlong),
            ("/%zz", Refused::BadEscape),
            ("/%2", Refused::BadEscape),
            ("/../x", Refused::AboveRoot),
            ("/..;/x", Refused::AboveRoot),
            ("/a/../../x", Refused::AboveRoot),
            ("", Refused::NotAbsolute),
            ("http://x/", Refused::NotAbsolute),
        ] {
            assert_eq!(view(refused), Err(why), "{refused}");
        }
        assert_eq!(view("/echo.jsp%3b").as_deref(), Ok("/echo.jsp;"));
        assert_eq!(view("/echo.jsp%3bx").as_deref(), Ok("/echo.jsp;x"));
    }

    #[test]
    fn the_rest_of_the_algorithm() {
        for (sent, want) in [
            ("/", "/"),
            ("/a/", "/a/"),
            ("/a/;x", "/a/"),
            ("/a;x=%zz/b", "/a/b"),
            ("/a//;/b", "/a/b"),
            ("/a/./b/../c", "/a/c"),
            ("/a/b/..", "/a"),
            ("/a/..", "/"),
            ("/.", "/"),
            ("/a/...", "/a/..."),
            ("/%41%25", "/A%"),
            ("/%C3%A9", "/\\xc3\\xa9"),
            ("/%E9", "/\\xe9"),
            ("/%e0%80", "/\\xe0\\x80"),
        ] {
            assert_eq!(view(sent).as_deref(), Ok(want), "{sent}");
        }
    }
}
