//! The path that rules are compared with: parameters removed, slashes merged, dot segments resolved.
//!
//! Works on octets of a path httpd has decoded once: no decoding, no case folding, a backslash is an ordinary octet.
//! Linear in the length of the path. No allocation once the buffer has grown. Source: `jk_servlet_normalize` of mod_jk.

use super::scan::Flags;
use super::text::Text;

/// Why a path has no normalised form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abnormal {
    /// It does not begin with `/`.
    NotAbsolute,
    /// A `..` segment climbs above the root.
    AboveRoot,
}

/// Normalises `path`, whose flags are `flags`. The result is `path` itself when that is normal already, else it is in
/// `out`, whose former content is dropped.
///
/// # Errors
/// The path is to be answered with 400.
pub fn normalise<'a>(path: &'a [u8], flags: Flags, out: &'a mut Vec<u8>) -> Result<Text<'a>, Abnormal> {
    let Some((b'/', mut rest)) = path.split_first() else { return Err(Abnormal::NotAbsolute) };
    if !flags.any(Flags::ABNORMAL) {
        return Ok(Text::Given(path));
    }
    // Built without a trailing slash: every segment brings the slash before it.
    out.clear();
    loop {
        let end = memchr::memchr(b'/', rest);
        let (whole, tail) = match end.and_then(|end| rest.split_at_checked(end)) {
            Some((whole, tail)) => (whole, tail.split_first().map(|(_, tail)| tail)),
            None => (rest, None),
        };
        let name = without_parameters(whole);
        let vanishes = matches!(name, b"" | b"." | b"..");
        if name == b".." {
            // Each octet is dropped at most once, so all these searches together are linear.
            let parent = memchr::memrchr(b'/', out).ok_or(Abnormal::AboveRoot)?;
            out.truncate(parent);
        } else if !vanishes {
            out.push(b'/');
            out.extend_from_slice(name);
        }
        match tail {
            Some(tail) => rest = tail,
            None => {
                if vanishes {
                    out.push(b'/');
                }
                break;
            }
        }
    }
    // A name such as `.well-known` raises a flag without being a dot segment.
    if out.as_slice() == path { Ok(Text::Given(path)) } else { Ok(Text::Made(out)) }
}

/// A segment up to its first `;`.
pub(super) fn without_parameters(segment: &[u8]) -> &[u8] {
    memchr::memchr(b';', segment).and_then(|at| segment.get(..at)).unwrap_or(segment)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::scan::scan;
    use super::*;

    fn normal(path: &[u8]) -> Result<Vec<u8>, Abnormal> {
        let mut out = b"left over".to_vec();
        normalise(path, scan(path), &mut out).map(|text| text.bytes().to_vec())
    }

    #[test]
    fn parameters_slashes_and_dot_segments_go() {
        for (path, want) in [
            ("/", "/"),
            ("/app", "/app"),
            ("/app;x", "/app"),
            ("/app;x/y;z", "/app/y"),
            ("/;x", "/"),
            ("/;x/a", "/a"),
            ("//a///b//", "/a/b/"),
            ("/a/./b", "/a/b"),
            ("/a/.", "/a/"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/..", "/"),
            ("/.", "/"),
            ("/a/..;x/b", "/b"),
            ("/a/.;x/b", "/a/b"),
            ("/a//../b", "/b"),
            ("/a/;/../b", "/b"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a/.../b", "/a/.../b"),
            ("/a/..b/c", "/a/..b/c"),
            ("/a\\..\\b", "/a\\..\\b"),
        ] {
            assert_eq!(normal(path.as_bytes()).as_deref(), Ok(want.as_bytes()), "{path}");
        }
    }

    #[test]
    fn climbing_above_the_root_fails() {
        for path in ["/..", "/../a", "/a/../../b", "/..;x", "/./..", "//..", "/a/..;/..;/x"] {
            assert_eq!(normal(path.as_bytes()), Err(Abnormal::AboveRoot), "{path}");
        }
        for path in ["", "*", "a/b", "http://x/"] {
            assert_eq!(normal(path.as_bytes()), Err(Abnormal::NotAbsolute), "{path}");
        }
    }

    #[test]
    fn a_normal_path_is_borrowed() {
        let mut out = Vec::new();
        for path in [&b"/app/x"[..], b"/.well-known/x", b"/a%b\x80\\"] {
            assert!(matches!(normalise(path, scan(path), &mut out), Ok(Text::Given(same)) if same == path));
        }
    }

    /// The four passes of mod_jk one after another, each as plain as can be.
    fn by_passes(path: &[u8]) -> Result<Vec<u8>, Abnormal> {
        if path.first() != Some(&b'/') {
            return Err(Abnormal::NotAbsolute);
        }
        let mut text = String::new();
        let mut inside = false;
        for &octet in path {
            inside = octet != b'/' && (inside || octet == b';');
            if !inside {
                text.push(char::from(octet));
            }
        }
        while text.contains("//") {
            text = text.replace("//", "/");
        }
        if text.ends_with("/.") || text.ends_with("/..") {
            text.push('/');
        }
        while text.contains("/./") {
            text = text.replace("/./", "/");
        }
        while let Some(at) = text.find("/../") {
            let Some(parent) = text[..at].rfind('/') else { return Err(Abnormal::AboveRoot) };
            text = format!("{}{}", &text[..parent], &text[at + 3..]);
        }
        Ok(text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() })]

        #[test]
        fn one_pass_does_what_the_four_passes_do(path in "/[ab./;]{0,24}") {
            prop_assert_eq!(normal(path.as_bytes()), by_passes(path.as_bytes()));
        }

        #[test]
        fn normalising_twice_changes_nothing(path in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut path = path;
            path.insert(0, b'/');
            if let Ok(once) = normal(&path) {
                prop_assert_eq!(normal(&once), Ok(once));
            }
        }
    }
}
