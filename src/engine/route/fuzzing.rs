//! What a fuzzer hammers on: whatever the octets, no two readers of a forwarded path may find different paths in it.

use std::sync::LazyLock;

use super::decide::{Decision, Options, Scratch, decide};
use super::forward::UriForm;
use super::general::Marks;
use super::matcher::{Found, UriMap};
use super::normalize::normalise;
use super::rules::{Kind, Mounts, Origin};
use super::scan::{Flags, scan};
use super::text::Text;
use super::tomcat::tomcat_view;

static MAP: LazyLock<UriMap> = LazyLock::new(|| {
    let mut mounts = Mounts::default();
    for (kind, pattern, worker) in [
        (Kind::Mount, "/a/*", "w1"),
        (Kind::Mount, "/*.b", "w2"),
        (Kind::Mount, "/*/c/*", "w1"),
        (Kind::Mount, "/b|/*", "w3"),
        (Kind::Exclusion, "/a/b/*", "w1"),
        (Kind::Exclusion, "/*.c", "*"),
    ] {
        let added = mounts.add(kind, pattern.as_bytes(), worker.as_bytes(), Origin::default());
        assert_eq!(added, Ok(Vec::new()));
    }
    UriMap::build(mounts.rules())
});

/// Takes the first octet as settings and the rest as path and request target (split at the first blank, if any).
///
/// # Panics
/// A promise of `decide` is broken.
pub fn self_check(data: &[u8]) {
    let Some((&settings, rest)) = data.split_first() else { return };
    let mut parts = rest.splitn(2, |&octet| octet == b' ');
    let uri = parts.next().unwrap_or_default();
    let unparsed = parts.next().unwrap_or(uri);
    let options = Options {
        form: match settings & 3 {
            0 => UriForm::Proxy,
            1 => UriForm::Compat,
            2 => UriForm::CompatUnparsed,
            _ => UriForm::Escaped,
        },
        nodecode: settings & 4 != 0,
        reject_unsafe: settings & 8 != 0,
    };
    let mut scratch = Scratch::default();
    let decision = decide(Some(&MAP), uri, unparsed, &options, &mut scratch);
    if let Decision::BadRequest(reason) = decision {
        assert!(!reason.is_internal(), "encoding and mapping disagree on {}", uri.escape_ascii());
    }
    let Decision::Mapped { rule, normalised, forwarded } = decision else { return };
    let (path, sent) = (normalised.bytes(), forwarded.bytes());

    assert_eq!(MAP.find(path, &mut Marks::default()), Found::Rule(rule));
    let flags = scan(path);
    assert!(!flags.any(Flags::CONTROL.with(Flags::BACKSLASH)), "unsafe octets were mapped");
    assert!(!options.reject_unsafe || !scan(uri).any(Flags::PERCENT), "RejectUnsafeURI was not obeyed");
    let mut twice = Vec::new();
    assert_eq!(normalise(path, flags, &mut twice), Ok(Text::Given(path)), "normalising is not final");

    assert!(sent.starts_with(b"/") && sent.iter().all(u8::is_ascii_graphic), "octets that must not be sent");
    assert!(!sent.contains(&b'?') && !sent.contains(&b'#'), "the path would end early");
    let mut view = Vec::new();
    match tomcat_view(sent, &mut view) {
        Ok(()) => assert_eq!(view, path, "the backend finds another path"),
        // Only the slash that httpd was told to leave encoded may be refused.
        Err(why) => assert!(options.nodecode, "the backend would refuse what was mapped: {why:?}"),
    }
}
