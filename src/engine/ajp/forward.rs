//! Forward Request: the packet that starts an exchange.
//!
//! [`encode`] writes the whole packet into a reused buffer, or says why this request cannot be sent; a request is never cut
//! or repaired. Tomcat takes control octets inside AJP fields at face value, so they are refused here. The body framing is
//! written from [`RequestBody`] alone: what the client sent is only checked for contradictions.
//! Sources: AJPv13 document, "Request Packet Structure"; RFC 9110 section 7.6.1; `ajp_marshal_into_msgb` of mod_jk, whose
//! order of attributes is kept.

use std::fmt;

use super::codes::{self, attribute};
use super::wire::Writer;
use crate::engine::headers::{self, Glance, Listed, same};
use crate::engine::request::{Request, RequestBody, RequestHead, Tls, WorkerFacts};

/// Longest method name; the longest registered one has 16 octets.
const MAX_METHOD: usize = 64;
/// Longest header name: Undertow takes every longer one for a code.
const MAX_HEADER_NAME: usize = 255;
/// Digits of a port.
const MAX_PORT_DIGITS: usize = 5;

/// A string of the request other than method, path and headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Protocol of the request line.
    Protocol,
    /// Client address.
    RemoteAddr,
    /// Client host name.
    RemoteHost,
    /// Client port: must be a decimal number, Undertow fails the request otherwise.
    RemotePort,
    /// Local address.
    LocalAddr,
    /// Name the client addressed.
    ServerName,
    /// Authenticated user.
    RemoteUser,
    /// Authentication scheme.
    AuthType,
    /// Query string: blanks are refused as well.
    Query,
    /// Client certificate.
    Certificate,
    /// Cipher suite.
    Cipher,
    /// TLS session id.
    Session,
    /// TLS version.
    TlsProtocol,
    /// Name or value of a custom attribute.
    Attribute,
    /// Secret of the worker.
    Secret,
    /// Route of the member.
    Route,
    /// Activation of the member.
    Activation,
}

/// Why a request cannot be sent; nothing was, and the worker is not to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// The packet would need `needed` octets.
    TooLarge {
        /// Octets of the whole packet.
        needed: usize,
        /// `max_packet_size`.
        limit: usize,
    },
    /// The method is not a token of 1 to 64 octets.
    BadMethod,
    /// The path is neither `*` nor begins with `/`, or holds an octet that must be percent-encoded.
    BadUri,
    /// A header name is not a token of 1 to 255 octets.
    BadHeaderName,
    /// A header value holds a control octet.
    BadHeaderValue,
    /// A Connection header is no list of tokens, or an absurdly long one.
    BadConnection,
    /// More than one Host.
    DuplicateHost,
    /// Content-Length twice, or Transfer-Encoding twice, or both.
    DuplicateFraming,
    /// Content-Length is not a plain decimal number.
    BadContentLength,
    /// A transfer coding other than `chunked`.
    UnknownCoding,
    /// A control octet in this field.
    BadValue(Field),
}

impl EncodeError {
    /// HTTP status that tells the client.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLarge { .. } => 431,
            Self::UnknownCoding => 501,
            Self::BadValue(Field::Secret | Field::Route | Field::Activation) => 500,
            Self::BadMethod
            | Self::BadUri
            | Self::BadHeaderName
            | Self::BadHeaderValue
            | Self::BadConnection
            | Self::DuplicateHost
            | Self::DuplicateFraming
            | Self::BadContentLength
            | Self::BadValue(_) => 400,
        }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { needed, limit } => write!(
                f,
                "the request needs an AJP packet of {needed} octets, max_packet_size allows {limit} \
                 (raise it here and packetSize in the AJP connector)"
            ),
            Self::BadMethod => f.write_str("the method is not a token of 1 to 64 octets"),
            Self::BadUri => f.write_str("the path holds an octet that must not stand in a URI"),
            Self::BadHeaderName => f.write_str("a request header name is not a token of 1 to 255 octets"),
            Self::BadHeaderValue => f.write_str("a request header value holds a control octet"),
            Self::BadConnection => f.write_str("the Connection header is not a reasonable list of names"),
            Self::DuplicateHost => f.write_str("more than one Host header"),
            Self::DuplicateFraming => {
                f.write_str("more than one of Content-Length and Transfer-Encoding in the request")
            }
            Self::BadContentLength => {
                f.write_str("the request's Content-Length is not a plain decimal number")
            }
            Self::UnknownCoding => f.write_str("a transfer coding other than chunked"),
            Self::BadValue(field) => write!(f, "an octet that is not allowed in {field:?}"),
        }
    }
}

/// Writes the packet for `request` to `packet`, which is cleared first and keeps its room for the next one.
/// `max_packet` is the size of the whole packet, its four octets of frame included: 8192 to 65536.
///
/// # Errors
/// See [`EncodeError`]; `packet` is empty then.
pub fn encode(
    packet: &mut Vec<u8>,
    request: &impl Request,
    facts: &WorkerFacts<'_>,
    max_packet: usize,
) -> Result<(), EncodeError> {
    let result = write(packet, request, facts, max_packet);
    if result.is_err() {
        // Neither half a request nor what the buffer held before may ever be sent by mistake.
        packet.clear();
    }
    result
}

fn write(
    packet: &mut Vec<u8>,
    request: &impl Request,
    facts: &WorkerFacts<'_>,
    max_packet: usize,
) -> Result<(), EncodeError> {
    let head = request.head();
    let mut writer = Writer::begin(packet, max_packet);
    let stored_method = request_line(&mut writer, &head)?;
    header_list(&mut writer, request, head.body)?;
    attributes(&mut writer, &head, facts, stored_method)?;

    let mut good = true;
    request.each_attribute(&mut |name, value| {
        good &= !name.is_empty() && headers::is_clean(name) && headers::is_clean(value);
        writer.prefixed_string([attribute::REQ_ATTRIBUTE], name);
        writer.string(value);
    });
    if !good {
        return Err(EncodeError::BadValue(Field::Attribute));
    }
    writer.octets([attribute::ARE_DONE]);
    writer.finish().map_err(|needed| EncodeError::TooLarge { needed, limit: max_packet })
}

// This and `attributes` are put into their caller so that no copy of the whole head has to be made for them.
/// Everything up to the number of headers. Answers the method when it has no code.
#[inline(always)]
fn request_line<'a>(
    writer: &mut Writer<'_>,
    head: &RequestHead<'a>,
) -> Result<Option<&'a [u8]>, EncodeError> {
    let code = codes::method(head.method);
    if code.is_none() && (head.method.len() > MAX_METHOD || !headers::is_token(head.method)) {
        return Err(EncodeError::BadMethod);
    }
    if !is_path(head.uri) {
        return Err(EncodeError::BadUri);
    }
    check(head.protocol, Field::Protocol)?;
    check(head.remote_addr.unwrap_or_default(), Field::RemoteAddr)?;
    check(head.remote_host.unwrap_or_default(), Field::RemoteHost)?;
    check(head.server_name, Field::ServerName)?;

    writer.octets([codes::FORWARD_REQUEST, code.unwrap_or(codes::STORED_METHOD)]);
    writer.string(head.protocol);
    writer.string(head.uri);
    writer.optional_string(head.remote_addr);
    writer.optional_string(head.remote_host);
    writer.string(head.server_name);
    writer.integer(head.server_port);
    writer.octets([u8::from(head.secure)]);
    Ok(if code.is_none() { Some(head.method) } else { None })
}

/// Number of headers and the headers.
fn header_list(
    writer: &mut Writer<'_>,
    request: &impl Request,
    body: RequestBody,
) -> Result<(), EncodeError> {
    let start = writer.mark();
    writer.integer(0);
    let mut list = HeaderList::new(writer, None);
    request.each_header(&mut |name, value| list.header(name, value));
    let mut count = list.finish()?;
    // Nearly always the names in Connection are dropped anyway. Only when one is not, go through the headers again.
    if count.names_others {
        let listed = listed_names(request)?;
        writer.rewind(start);
        writer.integer(0);
        let mut list = HeaderList::new(writer, Some(&listed));
        request.each_header(&mut |name, value| list.header(name, value));
        count = list.finish()?;
    }
    framing(writer, body);
    // A number that does not fit belongs to a packet that does not fit either, which is noticed at its end.
    writer.patch(start, u16::try_from(count.headers + 1).unwrap_or(u16::MAX));
    Ok(())
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

/// The one header that frames the body. A request without a body says so: without it Tomcat takes the length as unknown.
/// An unknown length is named by Transfer-Encoding: without it Undertow expects no body.
fn framing(writer: &mut Writer<'_>, body: RequestBody) {
    const LENGTH: [u8; 2] = [codes::CODED, codes::REQUEST_CONTENT_LENGTH];
    match body {
        RequestBody::None => writer.prefixed_string(LENGTH, b"0"),
        RequestBody::Known(length) => {
            let mut digits = [0; 20];
            writer.prefixed_string(LENGTH, decimal(length, &mut digits));
        }
        RequestBody::Unknown => {
            writer.string(b"Transfer-Encoding");
            writer.string(b"chunked");
        }
    }
}

/// Names that have a code, and those that are not copied.
static SPECIAL: Glance = Glance::of(&[
    b"accept",
    b"accept-charset",
    b"accept-encoding",
    b"accept-language",
    b"authorization",
    b"connection",
    b"content-type",
    b"content-length",
    b"cookie",
    b"cookie2",
    b"host",
    b"pragma",
    b"referer",
    b"user-agent",
    b"te",
    b"proxy",
    b"expect",
    b"trailer",
    b"upgrade",
    b"keep-alive",
    b"http2-settings",
    b"proxy-connection",
    b"transfer-encoding",
    b"proxy-authorization",
]);

/// What the first pass over the headers found.
struct Counted {
    headers: usize,
    names_others: bool,
}

struct HeaderList<'w, 'p> {
    writer: &'w mut Writer<'p>,
    listed: Option<&'w Listed>,
    counted: Counted,
    framings: u8,
    hosts: u8,
    error: Option<EncodeError>,
}

impl<'w, 'p> HeaderList<'w, 'p> {
    fn new(writer: &'w mut Writer<'p>, listed: Option<&'w Listed>) -> Self {
        let counted = Counted { headers: 0, names_others: false };
        Self { writer, listed, counted, framings: 0, hosts: 0, error: None }
    }

    #[inline(always)]
    fn header(&mut self, name: &[u8], value: &[u8]) {
        if !headers::is_clean(value) {
            self.fail(EncodeError::BadHeaderValue);
            return;
        }
        // Names that are neither coded nor dropped are the most; one look tells.
        let special = SPECIAL.may_hold(name);
        let code = if special { codes::request_header(name) } else { None };
        match code {
            Some(codes::REQUEST_CONTENT_LENGTH) => return self.content_length(value),
            Some(codes::REQUEST_CONNECTION) => return self.connection(value),
            Some(codes::REQUEST_HOST) => self.hosts = self.hosts.saturating_add(1),
            Some(_) => {}
            None if special && headers::is_request_hop(name) => return self.hop(name, value),
            None if name.len() > MAX_HEADER_NAME || !headers::is_token(name) => {
                return self.fail(EncodeError::BadHeaderName);
            }
            None => {}
        }
        if let Some(listed) = self.listed
            && listed.contains(name)
        {
            return;
        }
        self.counted.headers += 1;
        match code {
            Some(code) => self.writer.prefixed_string([codes::CODED, code], value),
            None => self.writer.pair(name, value),
        }
    }

    fn content_length(&mut self, value: &[u8]) {
        self.framings = self.framings.saturating_add(1);
        let value = headers::trim(value);
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            self.fail(EncodeError::BadContentLength);
        }
    }

    fn connection(&mut self, value: &[u8]) {
        match headers::connection_names_others(headers::trim(value)) {
            Ok(others) => self.counted.names_others |= others,
            Err(headers::BadConnection) => self.fail(EncodeError::BadConnection),
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

    fn finish(self) -> Result<Counted, EncodeError> {
        match self.error {
            Some(error) => Err(error),
            None if self.framings > 1 => Err(EncodeError::DuplicateFraming),
            None if self.hosts > 1 => Err(EncodeError::DuplicateHost),
            None => Ok(self.counted),
        }
    }
}

/// All attributes but the custom ones and the end mark, in mod_jk's order.
#[inline(always)]
fn attributes(
    writer: &mut Writer<'_>,
    head: &RequestHead<'_>,
    facts: &WorkerFacts<'_>,
    stored_method: Option<&[u8]>,
) -> Result<(), EncodeError> {
    let tls = if head.secure { head.tls } else { Tls::default() };
    optional(writer, attribute::SECRET, facts.secret, Field::Secret)?;
    optional(writer, attribute::REMOTE_USER, head.remote_user, Field::RemoteUser)?;
    optional(writer, attribute::AUTH_TYPE, head.auth_type, Field::AuthType)?;
    if let Some(query) = head.query {
        if query.contains(&b' ') || query.contains(&b'\t') || !headers::is_clean(query) {
            return Err(EncodeError::BadValue(Field::Query));
        }
        writer.prefixed_string([attribute::QUERY_STRING], query);
    }
    optional(writer, attribute::ROUTE, facts.route, Field::Route)?;
    if let Some(certificate) = tls.certificate {
        // PEM text has lines.
        if !certificate.split(|&octet| octet == b'\n').all(headers::is_clean) {
            return Err(EncodeError::BadValue(Field::Certificate));
        }
        writer.prefixed_string([attribute::SSL_CERT], certificate);
    }
    optional(writer, attribute::SSL_CIPHER, tls.cipher, Field::Cipher)?;
    optional(writer, attribute::SSL_SESSION, tls.session, Field::Session)?;
    if let Some(bits) = tls.key_size {
        writer.octets([attribute::SSL_KEY_SIZE]);
        writer.integer(bits);
    }
    if let Some(method) = stored_method {
        writer.prefixed_string([attribute::STORED_METHOD], method);
    }
    if let Some(protocol) = tls.protocol {
        check(protocol, Field::TlsProtocol)?;
        writer.prefixed_string(attribute::SSL_PROTOCOL, protocol);
    }
    if let Some(port) = head.remote_port {
        if port.is_empty() || port.len() > MAX_PORT_DIGITS || !port.iter().all(u8::is_ascii_digit) {
            return Err(EncodeError::BadValue(Field::RemotePort));
        }
        writer.prefixed_string(attribute::REMOTE_PORT, port);
    }
    if let Some(address) = head.local_addr {
        check(address, Field::LocalAddr)?;
        writer.prefixed_string(attribute::LOCAL_ADDR, address);
    }
    check(facts.activation, Field::Activation)?;
    writer.prefixed_string(attribute::LB_ACTIVATION, facts.activation);
    Ok(())
}

#[inline]
fn optional(writer: &mut Writer<'_>, code: u8, text: Option<&[u8]>, field: Field) -> Result<(), EncodeError> {
    if let Some(text) = text {
        check(text, field)?;
        writer.prefixed_string([code], text);
    }
    Ok(())
}

#[inline]
fn check(text: &[u8], field: Field) -> Result<(), EncodeError> {
    if headers::is_clean(text) { Ok(()) } else { Err(EncodeError::BadValue(field)) }
}

/// `*`, or `/` and URI characters with complete percent triplets; no query and no fragment (RFC 3986 section 3.3).
pub(in crate::engine) fn is_path(uri: &[u8]) -> bool {
    if uri.first() != Some(&b'/') {
        return uri == b"*";
    }
    // Letters, digits, slashes, dots and dashes: of these most paths are made.
    if headers::every(uri, |octet| {
        ((octet | 0x20).wrapping_sub(b'a') < 26) | matches!(octet, b'-' | b'.' | b'/' | b'0'..=b'9')
    }) {
        return true;
    }
    let mut octets = uri.iter();
    while let Some(&octet) = octets.next() {
        if PATH[usize::from(octet)] {
            continue;
        }
        let triplet = octet == b'%' && octets.next().is_some_and(u8::is_ascii_hexdigit);
        if !(triplet && octets.next().is_some_and(u8::is_ascii_hexdigit)) {
            return false;
        }
    }
    true
}

/// Characters of a path beside percent triplets, and the other visible ones that clients send although they should not
/// (`ForwardURICompatUnparsed` passes them on). No blank, no control, no `?` and `#`, no backslash, nothing from 0x80 on.
static PATH: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = b'0';
    while octet <= b'z' {
        table[octet as usize] = octet.is_ascii_alphanumeric();
        octet += 1;
    }
    let marks = b"/-._~!$&'()*+,;=:@[]\"<>^`{|}";
    let mut index = 0;
    while index < marks.len() {
        table[marks[index] as usize] = true;
        index += 1;
    }
    table
};

/// The plain decimal digits of `number`.
pub(in crate::engine) fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    for place in digits.iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
        start -= 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
