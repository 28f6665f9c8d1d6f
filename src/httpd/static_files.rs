//! Requests that httpd answers itself: `JkAutoAlias` finds their file, `JkStripSession` takes session ids out of their names.

use super::config::Live;
use crate::ffi::Verdict;
use crate::ffi::request::{PathKind, Request};

/// `JkAutoAlias` for a request that no rule covers. `path` is its normalised path.
///
/// Only the contents of a directory directly below the alias directory are served; what a web application hides stays
/// hidden. Source: `jk_translate` of mod_jk.
pub fn auto_alias(request: Request<'_>, live: &Live, path: &[u8]) -> Verdict {
    let Some(directory) = &live.auto_alias else { return Verdict::Declined };
    let mut segments = path.split(|octet| *octet == b'/').skip(1);
    let context = segments.next().unwrap_or_default();
    if context.is_empty() {
        return Verdict::Declined;
    }
    if segments.next().is_some_and(is_hidden) {
        return Verdict::Status(404);
    }
    let below = |part: &[u8]| request.pool().copy(&[directory.as_slice(), part].concat());
    if request.path_kind(below(&[b"/", context].concat())) == PathKind::Directory {
        request.set_filename(below(path));
        return Verdict::Ok;
    }
    let is_archive = context.last_chunk::<4>().is_some_and(|end| end.eq_ignore_ascii_case(b".war"));
    if is_archive { Verdict::Status(403) } else { Verdict::Declined }
}

/// An index probe below the alias directory is a worker's only when the file is there.
pub fn probe_has_file(request: Request<'_>, live: &Live, path: &[u8]) -> bool {
    let Some(directory) = &live.auto_alias else { return true };
    let file = request.pool().copy(&[directory.as_slice(), path].concat());
    request.path_kind(file) == PathKind::File
}

fn is_hidden(segment: &[u8]) -> bool {
    segment.eq_ignore_ascii_case(b"WEB-INF") || segment.eq_ignore_ascii_case(b"META-INF")
}

/// `JkStripSession` for a request that is not forwarded.
pub fn strip_session(request: Request<'_>, live: &Live) {
    let Some(identifier) = &live.strip else { return };
    if let Some(uri) = request.uri().and_then(|uri| stripped(uri, identifier)) {
        request.set_uri(request.pool().copy(&uri));
    }
    if let Some(name) = request.filename().and_then(|name| stripped(name, identifier)) {
        request.set_filename(request.pool().copy(&name));
    }
}

/// `text` without the first occurrence of the identifier and its value, which ends before the next `;` or `/`. The
/// identifier must be a whole name: `;jsessionidfoo` is another parameter.
fn stripped(text: &[u8], identifier: &[u8]) -> Option<Vec<u8>> {
    let ends_name = |at: usize| matches!(text.get(at + identifier.len()), None | Some(b'=' | b';' | b'/'));
    let at = memchr::memmem::find_iter(text, identifier).find(|at| ends_name(*at))?;
    let behind = text.get(at + identifier.len()..).unwrap_or_default();
    let end = behind.iter().position(|octet| matches!(octet, b';' | b'/')).unwrap_or(behind.len());
    let mut out = text.get(..at).unwrap_or_default().to_vec();
    out.extend_from_slice(behind.get(end..).unwrap_or_default());
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_go_and_everything_else_stays() {
        let strip = |text: &str, identifier: &str| {
            stripped(text.as_bytes(), identifier.as_bytes()).map(|text| String::from_utf8(text).unwrap())
        };
        let id = ";jsessionid";
        for (before, after) in [
            ("/s.txt;jsessionid=1", Some("/s.txt")),
            ("/a;jsessionid=1/index.html", Some("/a/index.html")),
            ("/s.txt;jsessionidfoo=2", None),
            ("/s.txt;JSESSIONID=1", None),
            ("/s.txt;x=1;jsessionid=1", Some("/s.txt;x=1")),
            ("/s.txt;jsessionid=1;x", Some("/s.txt;x")),
            ("/s.txt;jsessionid", Some("/s.txt")),
            ("/s.txt", None),
        ] {
            assert_eq!(strip(before, id).as_deref(), after, "{before}");
        }
        assert_eq!(strip("/s.txt;sid=1;x", ";sid").as_deref(), Some("/s.txt;x"));
    }

    #[test]
    fn hidden_directories_in_any_case() {
        assert!(is_hidden(b"web-inf") && is_hidden(b"META-INF") && !is_hidden(b"WEB-INFO"));
    }
}
