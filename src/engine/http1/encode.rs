//! The head of a request to an HTTP/1.1 backend, written anew from what is known of the request.
//!
//! [`encode`] writes a complete head or says why this request cannot be sent; a request is never cut or repaired. Framing,
//! connection and forwarding headers of the client never pass: the body is framed from [`RequestBody`] alone, what AJP
//! carries in fields of its own goes into headers that only this module writes (see [`super::facts`]). `Expect` is answered
//! by httpd and never sent.
//! Sources: RFC 9112 sections 3, 5 and 6; RFC 9110 sections 7.2, 7.6.1 and 10.1.1.
//!
//! [`RequestBody`]: crate::engine::request::RequestBody

use std::fmt;

use super::client::framing_lines;
use super::facts;
use super::upgrade::{self, Upgrade};
use crate::engine::ajp::forward::is_path;
use crate::engine::headers::{self, Listed, same};
use crate::engine::request::{Request, RequestHead, WorkerFacts};

/// Longest method name; the longest registered one has 16 octets.
const MAX_METHOD: usize = 64;
/// Longest header name, as for AJP.
const MAX_HEADER_NAME: usize = 255;

/// Which Host header the backend gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostHeader<'a> {
    /// That of the client; for a request without one, the name and port the client addressed.
    #[default]
    Client,
    /// This one, `name` or `name:port`.
    Fixed(&'a [u8]),
}

/// What happens to a header that lists the stations of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Forwarding {
    /// It is not sent; the client's is removed all the same.
    Off,
    /// The client's is replaced.
    #[default]
    Replace,
    /// This server's part is added to the client's: only behind a proxy that can be trusted.
    Append,
}

/// How values of `JkEnvVar` variables and the user's name are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValueEncoding {
    /// Octet for octet, as over AJP; control octets are refused.
    #[default]
    Raw,
    /// Everything but visible ASCII characters, and the percent sign, as percent triplets.
    Percent,
}

/// What an administrator decides about requests to an HTTP worker.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The Host header.
    pub host: HostHeader<'a>,
    /// `X-Forwarded-For`, with `-Proto`, `-Host` and `-Port`: these are no lists, so they are replaced in either way.
    pub x_forwarded: Forwarding,
    /// `Forwarded` (RFC 7239).
    pub forwarded: Forwarding,
    /// Send what the TLS layer knows of the client's connection.
    pub tls: bool,
    /// What stands in front of the name of a `JkEnvVar` variable; variables are not sent when it is no token.
    pub attribute_prefix: &'a [u8],
    /// How values are written.
    pub values: ValueEncoding,
    /// Further headers that a client must never send to the backend, in any case and with `_` for `-`.
    pub remove: &'a [&'a [u8]],
    /// What the backend may be asked to change to.
    pub upgrade: &'a [Upgrade],
    /// Ask the backend to close the connection behind the response.
    pub close: bool,
    /// Largest head, in octets.
    pub max_head: usize,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            host: HostHeader::Client,
            x_forwarded: Forwarding::Replace,
            forwarded: Forwarding::Replace,
            tls: false,
            attribute_prefix: facts::ATTRIBUTE_PREFIX,
            values: ValueEncoding::Raw,
            remove: &[],
            upgrade: &[],
            close: false,
            max_head: 262_144,
        }
    }
}

/// A string of the request other than method, target and headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Query string: anything but visible ASCII characters is refused, and `#`.
    Query,
    /// Client address.
    RemoteAddr,
    /// Name the client addressed.
    ServerName,
    /// Host header that the administrator set.
    FixedHost,
    /// Authenticated user.
    RemoteUser,
    /// Authentication scheme.
    AuthType,
    /// Client certificate, cipher, session or version.
    Tls,
    /// Name or value of a custom attribute.
    Attribute,
    /// Route of the member.
    Route,
    /// Activation of the member.
    Activation,
}

/// Why a request cannot be sent; nothing was, and the worker is not to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// The head would need `needed` octets.
    TooLarge {
        /// Octets of the whole head.
        needed: usize,
        /// [`Options::max_head`].
        limit: usize,
    },
    /// The method is not a token of 1 to 64 octets.
    BadMethod,
    /// CONNECT asks for a tunnel, which a gateway has no use for.
    Connect,
    /// The path does not begin with `/` (or is `*` of OPTIONS), or holds an octet that must be percent-encoded.
    BadUri,
    /// A header name is not a token of 1 to 255 octets.
    BadHeaderName,
    /// A header value holds a control octet.
    BadHeaderValue,
    /// A Connection header is no list of tokens, or an absurdly long one.
    BadConnection,
    /// Host is no name or address with an optional port.
    BadHost,
    /// More than one Host.
    DuplicateHost,
    /// Content-Length twice, or Transfer-Encoding twice, or both.
    DuplicateFraming,
    /// Content-Length is not a plain decimal number.
    BadContentLength,
    /// A transfer coding other than `chunked`.
    UnknownCoding,
    /// An octet that must not stand in this field.
    BadValue(Field),
}

impl EncodeError {
    /// HTTP status that tells the client.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLarge { .. } => 431,
            Self::UnknownCoding => 501,
            Self::Connect => 405,
            Self::BadValue(Field::Query) => 400,
            // Everything else that is put into headers comes from this server, not from the request.
            Self::BadValue(_) => 500,
            Self::BadMethod
            | Self::BadUri
            | Self::BadHeaderName
            | Self::BadHeaderValue
            | Self::BadConnection
            | Self::BadHost
            | Self::DuplicateHost
            | Self::DuplicateFraming
            | Self::BadContentLength => 400,
        }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge { needed, limit } => {
                return write!(f, "the request has {needed} octets of headers, {limit} are allowed");
            }
            Self::BadValue(field) => return write!(f, "an octet that is not allowed in {field:?}"),
            Self::BadMethod => "the method is not a token of 1 to 64 octets",
            Self::Connect => "CONNECT is not for a gateway",
            Self::BadUri => "the path holds an octet that must not stand in a URI",
            Self::BadHeaderName => "a request header name is not a token of 1 to 255 octets",
            Self::BadHeaderValue => "a request header value holds a control octet",
            Self::BadConnection => "the Connection header is not a reasonable list of names",
            Self::BadHost => "the Host header is not a name or address with an optional port",
            Self::DuplicateHost => "more than one Host header",
            Self::DuplicateFraming => "more than one of Content-Length and Transfer-Encoding in the request",
            Self::BadContentLength => "the request's Content-Length is not a plain decimal number",
            Self::UnknownCoding => "a transfer coding other than chunked",
        })
    }
}

/// Writes the head for `request` to `out`, which is cleared first and keeps its room for the next one. Answers what the
/// backend is asked to change to.
///
/// # Errors
/// See [`EncodeError`]; `out` is empty then.
pub fn encode(
    out: &mut Vec<u8>,
    request: &impl Request,
    worker: &WorkerFacts<'_>,
    options: &Options<'_>,
) -> Result<Option<Upgrade>, EncodeError> {
    out.clear();
    let result = write(out, request, worker, options).and_then(|upgrade| {
        let limit = options.max_head;
        if out.len() > limit { Err(EncodeError::TooLarge { needed: out.len(), limit }) } else { Ok(upgrade) }
    });
    if result.is_err() {
        // Half a request may never be sent by mistake.
        out.clear();
    }
    result
}

fn write(
    out: &mut Vec<u8>,
    request: &impl Request,
    worker: &WorkerFacts<'_>,
    options: &Options<'_>,
) -> Result<Option<Upgrade>, EncodeError> {
    let head = request.head();
    request_line(out, &head)?;
    let upgrade = upgrade::asked(request, options.upgrade);
    if let HostHeader::Fixed(host) = options.host {
        if !facts::is_authority(host) {
            return Err(EncodeError::BadValue(Field::FixedHost));
        }
        facts::line(out, b"Host", host);
    }
    let start = out.len();
    let mut list = HeaderList::new(out, options, None);
    request.each_header(&mut |name, value| list.header(name, value));
    // Nearly always the names in Connection are dropped anyway. Only when one is not, go through the headers again.
    let mut found = list.finish()?;
    if found.names_others {
        let listed = listed_names(request)?;
        out.truncate(start);
        let mut list = HeaderList::new(out, options, Some(&listed));
        request.each_header(&mut |name, value| list.header(name, value));
        found = list.finish()?;
    }
    if options.host == HostHeader::Client && found.hosts == 0 {
        out.extend_from_slice(b"Host: ");
        facts::authority(out, &head)?;
        out.extend_from_slice(b"\r\n");
    }
    facts::write(out, request, &head, worker, options)?;
    connection(out, upgrade, options.close);
    let says_empty = !matches!(head.method, b"GET" | b"HEAD" | b"DELETE" | b"OPTIONS" | b"TRACE");
    framing_lines(out, head.body, says_empty);
    out.extend_from_slice(b"\r\n");
    Ok(upgrade)
}

fn request_line(out: &mut Vec<u8>, head: &RequestHead<'_>) -> Result<(), EncodeError> {
    if head.method.len() > MAX_METHOD || !headers::is_token(head.method) {
        return Err(EncodeError::BadMethod);
    }
    if head.method == b"CONNECT" {
        return Err(EncodeError::Connect);
    }
    let asterisk = head.uri == b"*";
    if !is_path(head.uri) || (asterisk && (head.method != b"OPTIONS" || head.query.is_some())) {
        return Err(EncodeError::BadUri);
    }
    out.extend_from_slice(head.method);
    out.push(b' ');
    out.extend_from_slice(head.uri);
    if let Some(query) = head.query {
        // The backend would take a fragment for the end of the query, or refuse it.
        if !headers::every(query, |octet| (octet > 0x20) & (octet < 0x7f) & (octet != b'#')) {
            return Err(EncodeError::BadValue(Field::Query));
        }
        out.push(b'?');
        out.extend_from_slice(query);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    Ok(())
}

fn connection(out: &mut Vec<u8>, upgrade: Option<Upgrade>, close: bool) {
    if let Some(upgrade) = upgrade {
        out.extend_from_slice(b"Connection: Upgrade\r\n");
        facts::line(out, b"Upgrade", upgrade.token());
    } else if close {
        out.extend_from_slice(b"Connection: close\r\n");
    }
}

#[cold]
fn listed_names(request: &impl Request) -> Result<Listed, EncodeError> {
    let mut listed = Listed::new();
    let mut result = Ok(());
    request.each_header(&mut |name, value| {
        if same(name, b"connection") && result.is_ok() {
            result = listed.add(headers::trim(value));
        }
    });
    match result {
        Ok(()) => Ok(listed),
        Err(headers::BadConnection) => Err(EncodeError::BadConnection),
    }
}

/// What the first pass over the headers found.
struct Found {
    names_others: bool,
    hosts: u8,
}

struct HeaderList<'w, 'o> {
    out: &'w mut Vec<u8>,
    options: &'w Options<'o>,
    listed: Option<&'w Listed>,
    found: Found,
    framings: u8,
    error: Option<EncodeError>,
}

impl<'w, 'o> HeaderList<'w, 'o> {
    fn new(out: &'w mut Vec<u8>, options: &'w Options<'o>, listed: Option<&'w Listed>) -> Self {
        let found = Found { names_others: false, hosts: 0 };
        Self { out, options, listed, found, framings: 0, error: None }
    }

    fn header(&mut self, name: &[u8], value: &[u8]) {
        if name.len() > MAX_HEADER_NAME || !headers::is_token(name) {
            return self.fail(EncodeError::BadHeaderName);
        }
        if !headers::is_clean(value) {
            return self.fail(EncodeError::BadHeaderValue);
        }
        match name.len() {
            14 if same(name, b"content-length") => return self.content_length(headers::trim(value)),
            10 if same(name, b"connection") => return self.connection(headers::trim(value)),
            4 if same(name, b"host") => return self.host(headers::trim(value)),
            _ => {}
        }
        if headers::is_request_hop(name) {
            return self.hop(name, value);
        }
        if facts::is_ours(name, self.options) || self.listed.is_some_and(|listed| listed.contains(name)) {
            return;
        }
        facts::line(self.out, name, value);
    }

    fn content_length(&mut self, value: &[u8]) {
        self.framings = self.framings.saturating_add(1);
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            self.fail(EncodeError::BadContentLength);
        }
    }

    fn connection(&mut self, value: &[u8]) {
        match headers::connection_names_others(value) {
            Ok(others) => self.found.names_others |= others,
            Err(headers::BadConnection) => self.fail(EncodeError::BadConnection),
        }
    }

    fn host(&mut self, value: &[u8]) {
        self.found.hosts = self.found.hosts.saturating_add(1);
        if !facts::is_authority(value) {
            self.fail(EncodeError::BadHost);
        } else if self.options.host == HostHeader::Client {
            facts::line(self.out, b"Host", value);
        }
    }

    #[cold]
    fn hop(&mut self, name: &[u8], value: &[u8]) {
        if same(name, b"transfer-encoding") {
            self.framings = self.framings.saturating_add(1);
            if !same(headers::trim(value), b"chunked") {
                self.fail(EncodeError::UnknownCoding);
            }
        }
    }

    #[cold]
    fn fail(&mut self, error: EncodeError) {
        self.error.get_or_insert(error);
    }

    fn finish(self) -> Result<Found, EncodeError> {
        match self.error {
            Some(error) => Err(error),
            None if self.framings > 1 => Err(EncodeError::DuplicateFraming),
            None if self.found.hosts > 1 => Err(EncodeError::DuplicateHost),
            None => Ok(self.found),
        }
    }
}

#[cfg(test)]
mod tests;
