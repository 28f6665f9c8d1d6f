//! The whole decision on a request's path: not ours, refused, or mapped and in which form to forward it.
//!
//! The order matters and is this: normalise, and refuse what cannot be normalised; leave alone what no mount covers; refuse
//! what is not safe to forward; leave alone what an exclusion covers; check that a backend will find in the forwarded
//! form exactly the path that was mapped. An ordinary path skips all of it but the look-up. No allocation once the buffers
//! of [`Scratch`] have grown. Sources: `jk_translate` and `map_uri_to_worker_ext` of mod_jk for the decision; what is
//! refused is stricter than mod_jk, see `check`.

use super::check::{Reason, dot_segment, reject};
use super::forward::{Encoded, UriForm, encode, is_slash_escape, target_path};
use super::general::Marks;
use super::matcher::{Found, RuleId, UriMap};
use super::normalize::normalise;
use super::scan::{Flags, scan};
use super::text::Text;
use super::tomcat::tomcat_view;

/// Settings of the server that bear on the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// `JkOptions ForwardURI...`.
    pub form: UriForm,
    /// `AllowEncodedSlashes NoDecode` is in force: httpd leaves `%2F` in the path.
    pub nodecode: bool,
    /// `JkOptions +RejectUnsafeURI`.
    pub reject_unsafe: bool,
}

/// Buffers of one thread, reused from request to request.
#[derive(Debug, Default)]
pub struct Scratch {
    normal: Vec<u8>,
    forward: Vec<u8>,
    view: Vec<u8>,
    other: Vec<u8>,
    marks: Marks,
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Leave it to httpd, untouched.
    Decline(Declined),
    /// Answer 400.
    BadRequest(Reason),
    /// Send it to the worker of a rule.
    Mapped {
        /// The rule.
        rule: RuleId,
        /// The path that was mapped. To be written back, so that httpd's access rules see what the backend will see;
        /// [`Text::Given`] when it is the path as it was.
        normalised: Text<'a>,
        /// The path for the backend, encoded; [`Text::Given`] when it is the path or the request target as it was.
        forwarded: Text<'a>,
    },
}

/// Why a request is not the module's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declined {
    /// It has no path: `*`, or a sub-request for a file.
    NoPath,
    /// The server has no map.
    NoMap,
    /// No mount covers the path.
    NoMount,
    /// `by` takes it away from `rule`.
    Excluded {
        /// The mount.
        rule: RuleId,
        /// The exclusion.
        by: RuleId,
    },
}

/// Decides on a request. `uri`: the path httpd has decoded once. `unparsed`: the request target as received.
///
/// A path that cannot be normalised is refused even if the server has no map, as by mod_jk.
pub fn decide<'a>(
    map: Option<&UriMap>,
    uri: &'a [u8],
    unparsed: &'a [u8],
    options: &Options,
    scratch: &'a mut Scratch,
) -> Decision<'a> {
    if matches!(uri, b"" | b"*") {
        return Decision::Decline(Declined::NoPath);
    }
    let Scratch { normal, forward, view, other, marks } = scratch;
    let flags = scan(uri);
    let normalised = match normalise(uri, flags, normal) {
        Ok(normalised) => normalised,
        Err(cause) => return Decision::BadRequest(cause.into()),
    };
    let path = normalised.bytes();
    let Some(map) = map else { return Decision::Decline(Declined::NoMap) };
    let Some(rule) = map.mount(path, marks) else { return Decision::Decline(Declined::NoMount) };
    if !flags.is_empty()
        && let Some(reason) = reject(uri, flags, options.reject_unsafe)
    {
        return Decision::BadRequest(reason);
    }
    let exclusion = map.exclusion(rule, path, marks);
    if options.nodecode && flags.any(Flags::PERCENT) {
        let found = exclusion.map_or(Found::Rule(rule), |by| Found::Excluded { rule, by });
        if let Some(reason) = hidden_slash(map, found, uri, unparsed, (view, other, marks)) {
            return Decision::BadRequest(reason);
        }
    }
    if let Some(by) = exclusion {
        return Decision::Decline(Declined::Excluded { rule, by });
    }
    match ready(uri, unparsed, path, flags, options, forward, view) {
        Ok(forwarded) => Decision::Mapped { rule, normalised, forwarded },
        Err(reason) => Decision::BadRequest(reason),
    }
}

/// The normalised path and the one to forward of a request that no mount covers and that a handler setting of the
/// administrator gives to the module. What would be refused behind a mount is refused here.
///
/// # Errors
/// The path cannot be normalised or is not safe to forward.
pub fn unmapped<'a>(
    uri: &'a [u8],
    unparsed: &'a [u8],
    options: &Options,
    scratch: &'a mut Scratch,
) -> Result<(Text<'a>, Text<'a>), Reason> {
    let Scratch { normal, forward, view, .. } = scratch;
    let flags = scan(uri);
    let normalised = normalise(uri, flags, normal)?;
    if !flags.is_empty()
        && let Some(reason) = reject(uri, flags, options.reject_unsafe)
    {
        return Err(reason);
    }
    // Without a rule there is nothing to compare the other reading with.
    if options.nodecode && flags.any(Flags::PERCENT) && uri.windows(3).any(is_slash_escape) {
        return Err(Reason::HiddenSlash);
    }
    let forwarded = ready(uri, unparsed, normalised.bytes(), flags, options, forward, view)?;
    Ok((normalised, forwarded))
}

/// The form to send, once it is certain that a backend reads it as `path`.
fn ready<'a>(
    uri: &'a [u8],
    unparsed: &'a [u8],
    path: &[u8],
    flags: Flags,
    options: &Options,
    forward: &'a mut Vec<u8>,
    view: &mut Vec<u8>,
) -> Result<Text<'a>, Reason> {
    if options.form == UriForm::CompatUnparsed {
        let target = target_path(unparsed);
        if target == uri && flags.is_empty() || is_same_path(target, path, view) {
            return Ok(Text::Given(target));
        }
    }
    let forwarded = match encode(uri, flags, options.form, options.nodecode, forward) {
        Encoded::AsIs => Text::Given(uri),
        Encoded::Buffer => Text::Made(forward),
    };
    // An ordinary path is its own encoding and its own normalised form, so there is nothing to compare. What Tomcat
    // would refuse does no harm there.
    if !flags.is_empty() && tomcat_view(forwarded.bytes(), view).is_ok() && view.as_slice() != path {
        return Err(Reason::ViewsDiffer);
    }
    Ok(forwarded)
}

/// The raw request target may be forwarded in place of the path: visible ASCII only, and a backend certainly reads it as
/// `path`. A target that Tomcat would refuse by default is not certain, another configuration may decode it.
fn is_same_path(target: &[u8], path: &[u8], view: &mut Vec<u8>) -> bool {
    target.iter().all(|octet| octet.is_ascii_graphic() && *octet != b'#')
        && tomcat_view(target, view).is_ok()
        && view.as_slice() == path
}

/// Whether an encoded slash that httpd left in the path would make a difference to a backend that decodes it.
fn hidden_slash(
    map: &UriMap,
    found: Found,
    uri: &[u8],
    unparsed: &[u8],
    (slashed, normal, marks): (&mut Vec<u8>, &mut Vec<u8>, &mut Marks),
) -> Option<Reason> {
    slashed.clear();
    let mut rest = uri;
    while let Some((&octet, behind)) = rest.split_first() {
        if is_slash_escape(rest) {
            slashed.push(b'/');
            rest = rest.get(3..).unwrap_or_default();
        } else {
            slashed.push(octet);
            rest = behind;
        }
    }
    if slashed.len() == uri.len() {
        return None;
    }
    let doubly = |window: &[u8]| matches!(window, [b'%', b'2', b'5', b'2', b'F' | b'f']);
    if target_path(unparsed).windows(5).any(doubly) {
        return Some(Reason::DoublyEncodedSlash);
    }
    if dot_segment(slashed).is_some() {
        return Some(Reason::HiddenSlash);
    }
    match normalise(slashed, scan(slashed), normal) {
        // Both excluded is the same answer, whichever exclusion it was.
        Ok(path) => match (map.find(path.bytes(), marks), found) {
            (Found::Rule(other), Found::Rule(rule)) if other == rule => None,
            (Found::Excluded { rule: other, .. }, Found::Excluded { rule, .. }) if other == rule => None,
            _ => Some(Reason::HiddenSlash),
        },
        Err(_) => Some(Reason::HiddenSlash),
    }
}
