//! The path in the form that goes to the backend.
//!
//! What httpd has decoded is encoded again, parameters kept, so that the backend decodes it to exactly what was mapped.
//! Letters, digits and ``/~$-_.+!*'(),;:@&=`` stay; every other octet becomes `%` and two hexadecimal digits. Linear,
//! no allocation once the buffer has grown. Sources: `jk_canonenc` of mod_jk; `ap_os_escape_path` of httpd.

use super::scan::{Flags, class};

/// `JkOptions ForwardURI...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UriForm {
    /// `ForwardURIProxy`: encoded, upper-case digits.
    #[default]
    Proxy,
    /// `ForwardURICompat`, which mod_jk forwards decoded. Blanks, line ends and `?` inside a path have no safe reading, so
    /// this is treated as [`UriForm::Proxy`].
    Compat,
    /// `ForwardURICompatUnparsed`: the request target as it came, where a backend reads it as the path that was mapped;
    /// else as [`UriForm::Proxy`].
    CompatUnparsed,
    /// `ForwardURIEscaped`: encoded, lower-case digits.
    Escaped,
}

/// Where [`encode`] left the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoded {
    /// The path needs no encoding.
    AsIs,
    /// In the buffer.
    Buffer,
}

/// Percent-encodes `path`, whose flags are `flags`. With `keep_slash_escapes` (`AllowEncodedSlashes NoDecode`) the only
/// escapes httpd leaves in a path, `%2F` and `%2f`, are passed through.
pub fn encode(
    path: &[u8],
    flags: Flags,
    form: UriForm,
    keep_slash_escapes: bool,
    out: &mut Vec<u8>,
) -> Encoded {
    if !flags.any(Flags::ENCODE) {
        return Encoded::AsIs;
    }
    let digits = if form == UriForm::Escaped { b"0123456789abcdef" } else { b"0123456789ABCDEF" };
    let digit = |nibble: u8| digits.get(usize::from(nibble & 0x0F)).copied().unwrap_or_default();
    out.clear();
    let mut rest = path;
    while let Some((&octet, behind)) = rest.split_first() {
        if !class(octet).any(Flags::ENCODE) || (keep_slash_escapes && is_slash_escape(rest)) {
            out.push(octet);
        } else {
            out.extend_from_slice(&[b'%', digit(octet >> 4), digit(octet)]);
        }
        rest = behind;
    }
    Encoded::Buffer
}

/// The text begins with an encoded slash.
pub(super) fn is_slash_escape(text: &[u8]) -> bool {
    matches!(text, [b'%', b'2', b'F' | b'f', ..])
}

/// The path of a request target: without query.
pub(super) fn target_path(unparsed: &[u8]) -> &[u8] {
    memchr::memchr(b'?', unparsed).and_then(|at| unparsed.get(..at)).unwrap_or(unparsed)
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan;
    use super::*;

    fn encoded(path: &[u8], form: UriForm, keep: bool) -> String {
        let mut out = b"left over".to_vec();
        match encode(path, scan(path), form, keep, &mut out) {
            Encoded::AsIs => path.escape_ascii().to_string(),
            Encoded::Buffer => out.escape_ascii().to_string(),
        }
    }

    #[test]
    fn everything_special_is_encoded_once() {
        let path = b"/a b%?#\\\x7f\xc3\xa9;x=1,@";
        assert_eq!(encoded(path, UriForm::Proxy, false), "/a%20b%25%3F%23%5C%7F%C3%A9;x=1,@");
        assert_eq!(encoded(path, UriForm::Compat, false), "/a%20b%25%3F%23%5C%7F%C3%A9;x=1,@");
        assert_eq!(encoded(path, UriForm::Escaped, false), "/a%20b%25%3f%23%5c%7f%c3%a9;x=1,@");
    }

    #[test]
    fn only_encoded_slashes_are_passed_through_and_only_when_httpd_left_them() {
        assert_eq!(encoded(b"/a%2Fb%2fc%20%2%", UriForm::Proxy, true), "/a%2Fb%2fc%2520%252%25");
        assert_eq!(encoded(b"/a%2Fb", UriForm::Proxy, false), "/a%252Fb");
    }
}
