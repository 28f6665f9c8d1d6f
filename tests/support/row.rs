//! The shape of the rows that the mapping and the URL security tests share.
//!
//! A row is data only, so that the same rows can be run against the pure matcher and against a running httpd.

#![allow(dead_code)] // Each test program uses a part of this.

/// What must happen to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// The worker of this name receives this request URI.
    Forwarded(&'static str, &'static str),
    /// The worker of this name receives the path of the request target as it is.
    Same(&'static str),
    /// Not the module's; httpd looks for a file.
    Declined,
    /// The module answers 400.
    BadRequest,
    /// httpd answers with this status before any module sees the path.
    Httpd(u16),
    /// Mapped under this path, on which an access rule of httpd then answers 403.
    Forbidden(&'static str),
    /// Mapped to a worker that does not exist: 500.
    NoWorker(&'static str),
    /// Only a running httpd can tell; the reason.
    Live(&'static str),
}

/// Configuration, requests and their outcome.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Number, or 0 in tables without numbers.
    pub(crate) number: u32,
    /// httpd directives. `file:` before a line of the mount file, `workers:` before one of workers.properties.
    pub(crate) config: &'static [&'static str],
    /// Request targets, see [`target`].
    pub(crate) targets: &'static [&'static str],
    /// What mod_jk does, where that is not what is wanted here; else empty.
    pub(crate) mod_jk: &'static str,
    /// What is wanted.
    pub(crate) want: Want,
    /// Why it is not what mod_jk does; else empty.
    pub(crate) why: &'static str,
}

/// The octets of a written target: `{TEXT*N}` repeats a text, `{xHH}` is an octet that cannot be written.
pub(crate) fn target(written: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = written;
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((inside, behind)) = behind.split_once('}') else { break };
        octets.extend_from_slice(before.as_bytes());
        if let Some((text, times)) = inside.rsplit_once('*') {
            octets.extend_from_slice(text.repeat(times.parse().unwrap()).as_bytes());
        } else if let Some(Ok(octet)) = inside.strip_prefix('x').map(|hex| u8::from_str_radix(hex, 16)) {
            octets.push(octet);
        } else {
            octets.extend_from_slice(format!("{{{inside}}}").as_bytes());
        }
        rest = behind;
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}
