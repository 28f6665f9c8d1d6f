//! Another path at the backend than at the client: the rule extension `path=/new`.
//!
//! On the way in, the mounted prefix of the path is replaced by the backend's; on the way out, what a response says about
//! its own place (Location, Content-Location, the path of a cookie) is put back. A prefix ends at a slash, at the end, or
//! at a path parameter (`;`), so `/app` is no prefix of `/apple`. Percent triplets in a path count as what they stand for
//! when prefixes are compared; what is behind the prefix stays as it is, octet for octet.
//!
//! Only the three headers are rewritten, never bodies: an application that writes absolute links needs a path of its own.
//! Sources: RFC 3986 sections 3 and 4.2; RFC 9110 sections 8.7 and 10.2.2; RFC 6265 section 5.2.4.

use std::borrow::Cow;

/// A pair of prefixes. Neither has a slash at its end; the root is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// The client's.
    outer: &'a [u8],
    /// The backend's.
    inner: &'a [u8],
}

/// Where the client and the backend think the application is, for absolute references.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// `http` or `https`, as the client has it.
    pub scheme: &'a [u8],
    /// Host and port the client addressed.
    pub authority: &'a [u8],
    /// Host and port of the worker.
    pub backend: &'a [u8],
}

impl<'a> Mapping<'a> {
    /// A mapping from the mounted prefix `outer` to the backend's `inner`; both begin with a slash and stand decoded.
    /// `None` when one of them does not begin with a slash or holds an octet that must not stand in a path.
    pub fn new(outer: &'a [u8], inner: &'a [u8]) -> Option<Self> {
        let prefix = |text: &'a [u8]| -> Option<&'a [u8]> {
            let good = |octet: &u8| octet.is_ascii_graphic() && !b"?#;%\\\"".contains(octet);
            if text.first() != Some(&b'/')
                || !text.iter().all(good)
                || text.windows(2).any(|two| two == b"//")
                || text.split(|&octet| octet == b'/').any(|segment| matches!(segment, b"." | b".."))
            {
                return None;
            }
            Some(text.strip_suffix(b"/").unwrap_or(text))
        };
        Some(Self { outer: prefix(outer)?, inner: prefix(inner)? })
    }

    /// The backend's form of the client's `path` (percent-encoded, without query); `None` when it is outside.
    pub fn inward(&self, path: &[u8]) -> Option<Vec<u8>> {
        replace(path, self.outer, self.inner)
    }

    /// The client's form of the backend's `path`; `None` when it is outside.
    pub fn outward(&self, path: &[u8]) -> Option<Vec<u8>> {
        replace(path, self.inner, self.outer)
    }

    /// The client's form of a Location or Content-Location. Relative references, and those to other hosts, stay as they
    /// are; so does what is outside of the backend's prefix, but for the host, which the client may not be able to reach.
    pub fn location<'v>(&self, value: &'v [u8], places: &Places<'_>) -> Cow<'v, [u8]> {
        let Some((scheme, authority, rest)) = split(value) else {
            if value.first() != Some(&b'/') {
                return Cow::Borrowed(value);
            }
            return match self.reference(value) {
                Some(path) => Cow::Owned(path),
                None => Cow::Borrowed(value),
            };
        };
        let at = |other: &[u8]| authority.eq_ignore_ascii_case(other);
        let of_backend = at(places.backend);
        if !of_backend && !at(places.authority) {
            return Cow::Borrowed(value);
        }
        let inside = self.reference(rest);
        if !of_backend && inside.is_none() {
            return Cow::Borrowed(value);
        }
        let mut out = Vec::with_capacity(value.len() + self.outer.len() + places.authority.len());
        if of_backend {
            // `//host/path` takes the scheme of the page it stands in, which is the client's.
            if !scheme.is_empty() {
                out.extend_from_slice(places.scheme);
                out.push(b':');
            }
            out.extend_from_slice(b"//");
            out.extend_from_slice(places.authority);
        } else {
            out.extend_from_slice(value.get(..value.len() - rest.len()).unwrap_or_default());
        }
        out.extend_from_slice(inside.as_deref().unwrap_or(rest));
        Cow::Owned(out)
    }

    /// The client's form of a Set-Cookie value: its `Path` attribute, when that is inside the backend's prefix. A `Domain`
    /// is another matter, see [`without_domain`].
    pub fn cookie<'v>(&self, value: &'v [u8]) -> Cow<'v, [u8]> {
        let mut out: Option<Vec<u8>> = None;
        let mut done = 0;
        for (start, end) in attributes(value) {
            let Some(path) = value.get(start..end) else { continue };
            let Some(mapped) = self.outward(path) else { continue };
            let out = out.get_or_insert_default();
            out.extend_from_slice(value.get(done..start).unwrap_or_default());
            out.extend_from_slice(&mapped);
            done = end;
        }
        match out {
            None => Cow::Borrowed(value),
            Some(mut out) => {
                out.extend_from_slice(value.get(done..).unwrap_or_default());
                Cow::Owned(out)
            }
        }
    }

    /// As [`Mapping::outward`], for a path with query and fragment behind it.
    fn reference(&self, text: &[u8]) -> Option<Vec<u8>> {
        let end = text.iter().position(|octet| matches!(octet, b'?' | b'#')).unwrap_or(text.len());
        let (path, rest) = text.split_at_checked(end)?;
        let mut out = self.outward(if path.is_empty() { b"/" } else { path })?;
        out.extend_from_slice(rest);
        Some(out)
    }
}

/// A Set-Cookie value without the `Domain` attribute that names `host`: the name of a backend, which is none the client
/// knows. Without it the cookie belongs to the name the client has used.
pub fn without_domain<'v>(value: &'v [u8], host: &[u8]) -> Cow<'v, [u8]> {
    let names_host = |part: &[u8]| {
        let Some((name, domain)) =
            memchr::memchr(b'=', part).and_then(|at| Some((part.get(..at)?, part.get(at + 1..)?)))
        else {
            return false;
        };
        let domain = domain.trim_ascii();
        name.trim_ascii().eq_ignore_ascii_case(b"domain")
            && domain.strip_prefix(b".").unwrap_or(domain).eq_ignore_ascii_case(host)
    };
    let parts = || value.split(|&octet| octet == b';');
    if host.is_empty() || !parts().skip(1).any(names_host) {
        return Cow::Borrowed(value);
    }
    let kept = parts().enumerate().filter(|(place, part)| *place == 0 || !names_host(part));
    Cow::Owned(kept.map(|(_, part)| part).collect::<Vec<_>>().join(&b";"[..]))
}

/// `path` with `to` in place of `from`.
fn replace(path: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let rest = behind(path, from)?;
    let mut out = Vec::with_capacity(to.len() + rest.len() + 1);
    out.extend_from_slice(to);
    if out.is_empty() && rest.first() != Some(&b'/') {
        out.push(b'/'); // of the root nothing is left but the slash
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// What stands behind the prefix `prefix` of `path`: empty, or beginning with a slash or a semicolon.
fn behind<'p>(path: &'p [u8], prefix: &[u8]) -> Option<&'p [u8]> {
    let mut rest = path;
    for expected in prefix {
        let (octet, taken) = match rest {
            [b'%', high, low, ..] => (triplet(*high, *low)?, 3),
            [octet, ..] => (*octet, 1),
            [] => return None,
        };
        if octet != *expected {
            return None;
        }
        rest = rest.get(taken..)?;
    }
    match rest.first() {
        None if path.is_empty() => None,
        None | Some(b'/' | b';') => Some(rest),
        Some(_) => None,
    }
}

fn triplet(high: u8, low: u8) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    // An encoded slash is no slash: it separates nothing.
    Some(digit(high)? << 4 | digit(low)?).filter(|octet| *octet != b'/')
}

/// Scheme (empty for `//host`), authority, and what is behind them, when the reference has an authority.
fn split(value: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (scheme, rest) = if value.starts_with(b"//") {
        (&[][..], value.get(2..)?)
    } else {
        let colon = value.windows(3).position(|three| three == b"://")?;
        let scheme = value.get(..colon)?;
        if !(scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https")) {
            return None;
        }
        (scheme, value.get(colon + 3..)?)
    };
    let end = rest.iter().position(|octet| matches!(octet, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end)?;
    Some((scheme, authority, rest))
}

/// From and to of the values of the `Path` attributes of a Set-Cookie value, without blanks and quotation marks around.
fn attributes(value: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let mut start = 0;
    let parts = value.split(|&octet| octet == b';').map(move |part| {
        let from = start;
        start += part.len() + 1;
        (from, part)
    });
    // The first part is name and value of the cookie.
    parts.skip(1).filter_map(|(from, part)| {
        let equals = part.iter().position(|&octet| octet == b'=')?;
        let (name, text) = part.split_at_checked(equals)?;
        if !name.trim_ascii().eq_ignore_ascii_case(b"path") {
            return None;
        }
        let text = text.get(1..)?;
        let blanks = text.len() - text.trim_ascii_start().len();
        let text = text.trim_ascii();
        let quoted = text.strip_prefix(b"\"").and_then(|inside| inside.strip_suffix(b"\""));
        let from = from + equals + 1 + blanks + usize::from(quoted.is_some());
        Some((from, from + quoted.unwrap_or(text).len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(outer: &'static str, inner: &'static str) -> Mapping<'static> {
        Mapping::new(outer.as_bytes(), inner.as_bytes()).unwrap()
    }

    fn text(octets: &[u8]) -> String {
        String::from_utf8(octets.to_vec()).unwrap()
    }

    #[test]
    fn prefixes_are_replaced_at_segments() {
        let rows = [
            ("/app", "/new", "/app", Some("/new")),
            ("/app", "/new", "/app/", Some("/new/")),
            ("/app/", "/new/", "/app/x//y", Some("/new/x//y")),
            ("/app", "/new", "/app/%2e%2E/x", Some("/new/%2e%2E/x")),
            ("/app", "/new", "/%61pp/x", Some("/new/x")),
            ("/app", "/new", "/app;jsessionid=1", Some("/new;jsessionid=1")),
            ("/app", "/new", "/app;a/x", Some("/new;a/x")),
            ("/app", "/new", "/apple", None),
            ("/app", "/new", "/ap", None),
            ("/app", "/new", "/APP", None),
            ("/app", "/new", "%2Fapp/x", None),
            ("/app", "/new", "/app%2Fx", None),
            ("/app", "/new", "/%zzpp", None),
            ("/app", "/new", "", None),
            ("/app", "/", "/app", Some("/")),
            ("/app", "/", "/app/x", Some("/x")),
            ("/app", "/", "/app;v", Some("/;v")),
            ("/", "/new", "/", Some("/new/")),
            ("/", "/new", "/x", Some("/new/x")),
            ("/", "/", "/x", Some("/x")),
            ("/a/b", "/c/d/e", "/a/b/x", Some("/c/d/e/x")),
            ("/a/b", "/c", "/a%2fb/x", None),
        ];
        for (outer, inner, path, expected) in rows {
            let found = mapping(outer, inner).inward(path.as_bytes());
            assert_eq!(found.as_deref().map(text).as_deref(), expected, "{outer} {inner} {path}");
            if let Some(inward) = found
                && !path.contains('%')
                && !path.starts_with("/app;v")
                && !(inner == "/" && path == "/app")
            {
                assert_eq!(text(&mapping(outer, inner).outward(&inward).unwrap()), path, "back");
            }
        }
    }

    #[test]
    fn prefixes_must_be_plain_paths() {
        for bad in [
            "/.", "/a/../b", "/..", "", "app", "/a b", "/a?b", "/a#b", "/a;b", "/a%20", "/a//b", "//",
            "/a\\b", "/\u{fc}",
        ] {
            assert_eq!(Mapping::new(bad.as_bytes(), b"/x"), None, "{bad}");
            assert_eq!(Mapping::new(b"/x", bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn references_are_put_back() {
        let places = Places { scheme: b"https", authority: b"www.example.org", backend: b"app1:8080" };
        let rows = [
            ("/new/x", "/app/x"),
            ("/new", "/app"),
            ("/new?a=/new#/new", "/app?a=/new#/new"),
            ("/newer", "/newer"),
            ("/other/x", "/other/x"),
            ("x/y", "x/y"),
            ("../new/x", "../new/x"),
            ("", ""),
            ("?a=1", "?a=1"),
            ("http://app1:8080/new/x?q", "https://www.example.org/app/x?q"),
            ("HTTP://APP1:8080/new", "https://www.example.org/app"),
            ("http://app1:8080/other", "https://www.example.org/other"),
            ("http://app1:8080", "https://www.example.org"),
            ("//app1:8080/new/x", "//www.example.org/app/x"),
            ("https://www.example.org/new/x", "https://www.example.org/app/x"),
            ("http://www.example.org/new/x", "http://www.example.org/app/x"),
            ("https://www.example.org/other", "https://www.example.org/other"),
            ("https://www.example.org.evil/new", "https://www.example.org.evil/new"),
            ("https://u@www.example.org/new", "https://u@www.example.org/new"),
            ("https://elsewhere/new/x", "https://elsewhere/new/x"),
            ("//elsewhere/new/x", "//elsewhere/new/x"),
            ("ftp://app1:8080/new", "ftp://app1:8080/new"),
            ("/new/?u=http://app1:8080/new", "/app/?u=http://app1:8080/new"),
        ];
        for (value, expected) in rows {
            let found = mapping("/app", "/new").location(value.as_bytes(), &places);
            assert_eq!(text(&found), expected, "{value}");
            assert_eq!(matches!(found, Cow::Borrowed(_)), value == expected, "{value}: copied for nothing");
        }
        let root = mapping("/app", "/");
        assert_eq!(text(&root.location(b"/x", &places)), "/app/x");
        assert_eq!(text(&root.location(b"/", &places)), "/app/");
        assert_eq!(text(&root.location(b"http://app1:8080?x", &places)), "https://www.example.org/app/?x");
    }

    #[test]
    fn a_domain_that_is_the_backend_goes() {
        let rows = [
            ("a=b; Domain=app1; Path=/", "a=b; Path=/"),
            ("a=b; domain = .APP1 ;Secure", "a=b;Secure"),
            ("a=b; Domain=app1", "a=b"),
            ("a=b; Domain=app11", "a=b; Domain=app11"),
            ("domain=app1; Secure", "domain=app1; Secure"),
            ("a=b; Domain", "a=b; Domain"),
            ("a=b", "a=b"),
        ];
        for (value, expected) in rows {
            assert_eq!(text(&without_domain(value.as_bytes(), b"app1")), expected, "{value}");
        }
        assert_eq!(text(&without_domain(b"a=b; Domain=", b"")), "a=b; Domain=");
    }

    #[test]
    fn cookie_paths_are_put_back() {
        let rows = [
            ("a=b; Path=/new; HttpOnly", "a=b; Path=/app; HttpOnly"),
            ("a=b;path=/new/x", "a=b;path=/app/x"),
            ("a=b; PATH = \"/new\" ; Secure", "a=b; PATH = \"/app\" ; Secure"),
            ("a=b; Path=/newer", "a=b; Path=/newer"),
            ("a=b; Path=/", "a=b; Path=/"),
            ("a=b; Path=", "a=b; Path="),
            ("a=b; Path", "a=b; Path"),
            ("Path=/new; Secure", "Path=/new; Secure"),
            ("a=Path=/new", "a=Path=/new"),
            ("a=b; Path=/new; Path=/new/y", "a=b; Path=/app; Path=/app/y"),
            ("", ""),
        ];
        for (value, expected) in rows {
            assert_eq!(text(&mapping("/app", "/new").cookie(value.as_bytes())), expected, "{value}");
        }
        assert_eq!(text(&mapping("/app", "/").cookie(b"a=b; Path=/")), "a=b; Path=/app/");
    }
}
