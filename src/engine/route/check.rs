//! What a mapped request is refused for: paths that httpd, the module and a backend might read as different ones.
//!
//! Asked only when a mount covers the path, so that paths which are none of the module's business stay untouched, and only
//! when the path has flags. Refused means 400. Why each is refused: the published ways around access rules of proxies in
//! front of servlet containers (`..;`, `\`, overlong UTF-8, double decoding), none of which has an honest use.

use std::fmt;

use super::normalize::{Abnormal, without_parameters};
use super::scan::Flags;
use super::tomcat::hides_ascii;

/// Why a request is answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The path does not begin with `/`.
    NotAbsolute,
    /// The path climbs above the root once its parameters are removed.
    AboveRoot,
    /// A segment becomes `.` or `..` once its parameters are removed. httpd sees an ordinary segment, Tomcat a dot segment.
    ParameterDotSegment,
    /// A `.` or `..` segment is left after httpd's own processing.
    DotSegment,
    /// A `\`, which some backends take for a slash.
    Backslash,
    /// NUL, another octet below 0x20, or 0x7F.
    Control,
    /// An overlong UTF-8 form of an ASCII character.
    Overlong,
    /// `JkOptions +RejectUnsafeURI` and a `%` in the decoded path.
    Unsafe,
    /// With `AllowEncodedSlashes NoDecode`: the target has `%252F`, which httpd makes the same as `%2F`.
    DoublyEncodedSlash,
    /// With `AllowEncodedSlashes NoDecode`: reading `%2F` as a slash gives dot segments or leads to another rule.
    HiddenSlash,
    /// The backend would find another path in the encoded URI than the one that was mapped.
    ViewsDiffer,
}

impl Reason {
    /// The module and not the client is to blame: worth an error line instead of an informational one.
    pub fn is_internal(self) -> bool {
        self == Self::ViewsDiffer
    }
}

impl From<Abnormal> for Reason {
    fn from(cause: Abnormal) -> Self {
        match cause {
            Abnormal::NotAbsolute => Self::NotAbsolute,
            Abnormal::AboveRoot => Self::AboveRoot,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "the path does not begin with '/'",
            Self::AboveRoot => "the path climbs above the root",
            Self::ParameterDotSegment => "a segment is a dot segment with path parameters",
            Self::DotSegment => "the path contains a dot segment",
            Self::Backslash => "the path contains a backslash",
            Self::Control => "the path contains a control character",
            Self::Overlong => "the path contains an overlong UTF-8 form of an ASCII character",
            Self::Unsafe => "the path contains a percent sign (RejectUnsafeURI)",
            Self::DoublyEncodedSlash => "the request target contains %252F, which cannot be told from %2F",
            Self::HiddenSlash => "an encoded slash hides a dot segment or the way to another rule",
            Self::ViewsDiffer => {
                "the backend would read the forwarded URI as another path than the one mapped"
            }
        })
    }
}

/// Looks for a reason to refuse `path`, whose flags are `flags`; the whole path counts, parameters too.
pub fn reject(path: &[u8], flags: Flags, reject_unsafe: bool) -> Option<Reason> {
    if flags.any(Flags::CONTROL) {
        return Some(Reason::Control);
    }
    if flags.any(Flags::BACKSLASH) {
        return Some(Reason::Backslash);
    }
    if reject_unsafe && flags.any(Flags::PERCENT) {
        return Some(Reason::Unsafe);
    }
    if flags.any(Flags::SLASH_DOT)
        && let Some(reason) = dot_segment(path)
    {
        return Some(reason);
    }
    (flags.any(Flags::HIGH) && hides_ascii(path)).then_some(Reason::Overlong)
}

/// A segment that is `.` or `..`, as it stands or without its parameters.
pub(super) fn dot_segment(path: &[u8]) -> Option<Reason> {
    path.split(|&octet| octet == b'/').find_map(|segment| match (without_parameters(segment), segment) {
        (b"." | b"..", b"." | b"..") => Some(Reason::DotSegment),
        (b"." | b"..", _) => Some(Reason::ParameterDotSegment),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan;
    use super::*;

    #[test]
    fn reasons() {
        for (path, want) in [
            (&b"/a/.../b..;x/.c/d."[..], None),
            (b"/a;/../b", Some(Reason::DotSegment)),
            (b"/a/..;", Some(Reason::ParameterDotSegment)),
            (b"/a/.;x/b", Some(Reason::ParameterDotSegment)),
            (b"/a/.", Some(Reason::DotSegment)),
            (b"/a\\b", Some(Reason::Backslash)),
            (b"/a;\\", Some(Reason::Backslash)),
            (b"/a\x01", Some(Reason::Control)),
            (b"/a\x7f", Some(Reason::Control)),
            (b"/a\0", Some(Reason::Control)),
            (b"/\xc1\xbf", Some(Reason::Overlong)),
            (b"/\xe0\x81\x80", Some(Reason::Overlong)),
            (b"/\xf0\x80\x81\x80", Some(Reason::Overlong)),
            (b"/\xc0/\xe0\xa0\x80\xc3\xa9\xe9", None),
            (b"/a%2525", None),
        ] {
            assert_eq!(reject(path, scan(path), false), want, "{}", path.escape_ascii());
        }
        assert_eq!(reject(b"/a;x=%", scan(b"/a;x=%"), true), Some(Reason::Unsafe));
        assert_eq!(reject(b"/a;x=y", scan(b"/a;x=y"), true), None);
    }
}
