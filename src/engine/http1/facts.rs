//! What AJP carries in fields of its own, as headers of an HTTP request.
//!
//! | header | value | who reads it |
//! |---|---|---|
//! | `X-Forwarded-For` | client address | Tomcat's RemoteIpValve, most frameworks |
//! | `X-Forwarded-Proto` | `https` or `http` | RemoteIpValve |
//! | `X-Forwarded-Host`, `X-Forwarded-Port` | name and port the client addressed | RemoteIpValve when told to |
//! | `Forwarded` | address, host and protocol in one (RFC 7239) | frameworks |
//! | `X-Remote-User`, `X-Auth-Type` | authenticated user, authentication scheme | applications |
//! | `ssl_client_cert` | client certificate, PEM in one line, without its chain | Tomcat's SSLValve |
//! | `ssl_cipher`, `ssl_session_id`, `ssl_cipher_usekeysize` | cipher suite, session id, key bits | SSLValve |
//! | `ssl_secure_protocol` | TLS version | newer SSLValve |
//! | `X-Jk-Route`, `X-Jk-Lb-Activation` | route of the member, `ACT`, `DIS` or `STP` | applications |
//! | `X-Jk-Env-NAME` | a `JkEnvVar` variable | applications |
//!
//! None of these is believed when a client sends it: [`is_ours`] names all that are removed from its request, whether or
//! not the module sets them, in any case and with `_` for `-`. Client host name and port, local address and protocol are
//! not carried.
//! Sources: RFC 7239; the documentation of RemoteIpValve and SSLValve.

use std::ops::Range;

use super::encode::{EncodeError, Field, Forwarding, Options, ValueEncoding};
use crate::engine::ajp::forward::decimal;
use crate::engine::headers;
use crate::engine::request::{Request, RequestHead, WorkerFacts};

/// What stands in front of the name of a `JkEnvVar` variable.
pub const ATTRIBUTE_PREFIX: &[u8] = b"X-Jk-Env-";
/// Digits of percent triplets.
const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// A header that a client must not send to the backend: the module sets it, or applications take it for a fact.
pub fn is_ours(name: &[u8], options: &Options<'_>) -> bool {
    let known = match name.first().map(u8::to_ascii_lowercase) {
        Some(b'x') => {
            begins(name, b"x-forwarded-")
                || begins(name, b"x-jk-")
                || folds_to(name, b"x-real-ip")
                || folds_to(name, b"x-remote-user")
                || folds_to(name, b"x-auth-type")
        }
        Some(b'f') => folds_to(name, b"forwarded"),
        Some(b'r') => folds_to(name, b"remote-user"),
        Some(b's') => {
            begins(name, b"ssl-client-")
                || begins(name, b"ssl-cipher")
                || folds_to(name, b"ssl-session-id")
                || folds_to(name, b"ssl-secure-protocol")
        }
        _ => false,
    };
    known
        || (!options.attribute_prefix.is_empty() && begins(name, options.attribute_prefix))
        || options.remove.iter().any(|other| folds_to(name, other))
}

/// The names are the same when case does not count and `_` is `-`.
fn folds_to(name: &[u8], other: &[u8]) -> bool {
    name.len() == other.len() && begins(name, other)
}

fn begins(name: &[u8], prefix: &[u8]) -> bool {
    name.len() >= prefix.len() && name.iter().zip(prefix).all(|(one, other)| fold(*one) == fold(*other))
}

fn fold(octet: u8) -> u8 {
    if octet == b'_' { b'-' } else { octet.to_ascii_lowercase() }
}

/// Writes a header line.
pub(super) fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// All headers that say what AJP says in fields.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &impl Request,
    head: &RequestHead<'_>,
    worker: &WorkerFacts<'_>,
    options: &Options<'_>,
) -> Result<(), EncodeError> {
    let host = x_forwarded(out, request, head, options.x_forwarded)?;
    forwarded(out, request, head, options.forwarded, host)?;
    if let Some(user) = head.remote_user {
        value(out, &[b"X-Remote-User"], user, options.values, Field::RemoteUser)?;
    }
    if let Some(scheme) = head.auth_type {
        value(out, &[b"X-Auth-Type"], scheme, ValueEncoding::Raw, Field::AuthType)?;
    }
    if options.tls && head.secure {
        tls(out, head)?;
    }
    if let Some(route) = worker.route {
        value(out, &[b"X-Jk-Route"], route, ValueEncoding::Raw, Field::Route)?;
    }
    value(out, &[b"X-Jk-Lb-Activation"], worker.activation, ValueEncoding::Raw, Field::Activation)?;
    attributes(out, request, options)
}

fn attributes(out: &mut Vec<u8>, request: &impl Request, options: &Options<'_>) -> Result<(), EncodeError> {
    if !headers::is_token(options.attribute_prefix) {
        return Ok(());
    }
    let mut result = Ok(());
    request.each_attribute(&mut |name, text| {
        if result.is_err() {
        } else if !headers::is_token(name) {
            result = Err(EncodeError::BadValue(Field::Attribute));
        } else {
            result = value(out, &[options.attribute_prefix, name], text, options.values, Field::Attribute);
        }
    });
    result
}

/// Answers where the name that the client addressed stands now, with its port; an empty range: nowhere.
fn x_forwarded(
    out: &mut Vec<u8>,
    request: &impl Request,
    head: &RequestHead<'_>,
    way: Forwarding,
) -> Result<Range<usize>, EncodeError> {
    if way == Forwarding::Off {
        return Ok(0..0);
    }
    if let Some(address) = address(head)? {
        out.extend_from_slice(b"X-Forwarded-For: ");
        if way == Forwarding::Append {
            stations(out, request, b"x-forwarded-for");
        }
        out.extend_from_slice(address);
        out.extend_from_slice(b"\r\n");
    }
    line(out, b"X-Forwarded-Proto", scheme(head));
    out.extend_from_slice(b"X-Forwarded-Host: ");
    let start = out.len();
    authority(out, head)?;
    let host = start..out.len();
    out.extend_from_slice(b"\r\n");
    line(out, b"X-Forwarded-Port", decimal(u64::from(head.server_port), &mut [0; 20]));
    Ok(host)
}

fn forwarded(
    out: &mut Vec<u8>,
    request: &impl Request,
    head: &RequestHead<'_>,
    way: Forwarding,
    host: Range<usize>,
) -> Result<(), EncodeError> {
    if way == Forwarding::Off {
        return Ok(());
    }
    out.extend_from_slice(b"Forwarded: ");
    if way == Forwarding::Append {
        stations(out, request, b"forwarded");
    }
    out.extend_from_slice(b"for=");
    match address(head)? {
        None => out.extend_from_slice(b"unknown"),
        Some(address) if address.contains(&b':') => {
            out.extend_from_slice(b"\"[");
            out.extend_from_slice(address);
            out.extend_from_slice(b"]\"");
        }
        Some(address) => out.extend_from_slice(address),
    }
    // Colons and brackets are no token octets; nothing in an authority needs a backslash.
    out.extend_from_slice(b";host=\"");
    match out.get(host.clone()) {
        Some([_, ..]) => out.extend_from_within(host),
        _ => authority(out, head)?,
    }
    out.extend_from_slice(b"\";proto=");
    out.extend_from_slice(scheme(head));
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// What the client says of the stations before this one. Its values were checked when its headers were gone through.
fn stations(out: &mut Vec<u8>, request: &impl Request, lower: &[u8]) {
    request.each_header(&mut |name, value| {
        let value = headers::trim(value);
        if name.eq_ignore_ascii_case(lower) && !value.is_empty() {
            out.extend_from_slice(value);
            out.extend_from_slice(b", ");
        }
    });
}

fn tls(out: &mut Vec<u8>, head: &RequestHead<'_>) -> Result<(), EncodeError> {
    if let Some(certificate) = head.tls.certificate {
        out.extend_from_slice(b"ssl_client_cert: ");
        one_line(out, certificate)?;
        out.extend_from_slice(b"\r\n");
    }
    let raw = ValueEncoding::Raw;
    if let Some(cipher) = head.tls.cipher {
        value(out, &[b"ssl_cipher"], cipher, raw, Field::Tls)?;
    }
    if let Some(session) = head.tls.session {
        value(out, &[b"ssl_session_id"], session, raw, Field::Tls)?;
    }
    if let Some(bits) = head.tls.key_size {
        line(out, b"ssl_cipher_usekeysize", decimal(u64::from(bits), &mut [0; 20]));
    }
    if let Some(protocol) = head.tls.protocol {
        value(out, &[b"ssl_secure_protocol"], protocol, raw, Field::Tls)?;
    }
    Ok(())
}

/// The first certificate of a PEM text, blanks for line ends: SSLValve puts the lines back, and knows of one only.
fn one_line(out: &mut Vec<u8>, certificate: &[u8]) -> Result<(), EncodeError> {
    let mut first = true;
    for line in certificate.split(|&octet| octet == b'\n') {
        let line = headers::trim(line.strip_suffix(b"\r").unwrap_or(line));
        if line.is_empty() {
            continue;
        }
        if !headers::every(line, |octet| matches!(octet, 0x20..=0x7e)) {
            return Err(EncodeError::BadValue(Field::Tls));
        }
        if !first {
            out.push(b' ');
        }
        first = false;
        out.extend_from_slice(line);
        if line.starts_with(b"-----END ") {
            break;
        }
    }
    Ok(())
}

fn value(
    out: &mut Vec<u8>,
    name: &[&[u8]],
    text: &[u8],
    encoding: ValueEncoding,
    field: Field,
) -> Result<(), EncodeError> {
    for part in name {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b": ");
    match encoding {
        ValueEncoding::Raw if headers::is_clean(text) => out.extend_from_slice(text),
        ValueEncoding::Raw => return Err(EncodeError::BadValue(field)),
        ValueEncoding::Percent => {
            for &octet in text {
                if octet.is_ascii_graphic() && octet != b'%' {
                    out.push(octet);
                } else {
                    out.push(b'%');
                    out.extend(
                        [octet >> 4, octet & 0xf].iter().filter_map(|digit| HEX.get(usize::from(*digit))),
                    );
                }
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn scheme(head: &RequestHead<'_>) -> &'static [u8] {
    if head.secure { b"https" } else { b"http" }
}

/// A letter or digit of ASCII, told without a branch: many octets are looked at together.
fn alphanumeric(octet: u8) -> bool {
    ((octet | 0x20).wrapping_sub(b'a') < 26) | (octet.wrapping_sub(b'0') < 10)
}

/// The client's address, when there is one.
fn address<'a>(head: &RequestHead<'a>) -> Result<Option<&'a [u8]>, EncodeError> {
    let Some(address) = head.remote_addr.filter(|address| !address.is_empty()) else { return Ok(None) };
    let good = |octet: u8| {
        alphanumeric(octet)
            | (octet == b'.')
            | (octet == b':')
            | (octet == b'%')
            | (octet == b'-')
            | (octet == b'_')
    };
    if headers::every(address, good) {
        Ok(Some(address))
    } else {
        Err(EncodeError::BadValue(Field::RemoteAddr))
    }
}

/// Name and port the client addressed; the port only when it is not that of the scheme.
///
/// # Errors
/// It is no authority.
pub fn authority(out: &mut Vec<u8>, head: &RequestHead<'_>) -> Result<(), EncodeError> {
    let start = out.len();
    let name = head.server_name;
    if name.contains(&b':') && !name.starts_with(b"[") {
        out.push(b'[');
        out.extend_from_slice(name);
        out.push(b']');
    } else {
        out.extend_from_slice(name);
    }
    if head.server_port != if head.secure { 443 } else { 80 } {
        out.push(b':');
        out.extend_from_slice(decimal(u64::from(head.server_port), &mut [0; 20]));
    }
    if is_authority(out.get(start..).unwrap_or_default()) {
        Ok(())
    } else {
        Err(EncodeError::BadValue(Field::ServerName))
    }
}

/// A host with an optional port (RFC 3986 section 3.2, without user): name octets, or an address in brackets, then perhaps
/// a colon and digits.
pub fn is_authority(text: &[u8]) -> bool {
    let (host, rest) = if let Some(inside) = text.strip_prefix(b"[") {
        let Some(end) = memchr::memchr(b']', inside) else { return false };
        let (address, rest) = inside.split_at_checked(end).unwrap_or((inside, &[]));
        let good = |octet: &u8| octet.is_ascii_hexdigit() || matches!(octet, b':' | b'.');
        if !address.contains(&b':') || !address.iter().all(good) {
            return false;
        }
        (address, rest.strip_prefix(b"]").unwrap_or(rest))
    } else {
        let end = memchr::memchr(b':', text).unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
        let good = |octet: u8| {
            alphanumeric(octet) | (octet == b'-') | (octet == b'.') | (octet == b'_') | (octet == b'~')
        };
        if !headers::every(name, good) {
            return false;
        }
        (name, rest)
    };
    let port = match rest {
        [] => &[],
        [b':', port @ ..] => port,
        _ => return false,
    };
    !host.is_empty() && port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::request::{RequestBody, Tls};

    #[test]
    fn spellings_of_our_names_are_ours() {
        let options =
            Options { attribute_prefix: b"Sso-", remove: &[b"x-secret_thing"], ..Options::default() };
        for name in [
            "X-Forwarded-For",
            "x_forwarded_for",
            "X-FORWARDED-Anything",
            "X_Forwarded-Proto",
            "Forwarded",
            "X-Real-IP",
            "X_Real_Ip",
            "Remote_User",
            "X-Remote-User",
            "X_AUTH_TYPE",
            "SSL_CLIENT_CERT",
            "ssl-client-cert",
            "SSL_CLIENT_S_DN",
            "Ssl-Client_Escaped_Cert",
            "ssl_cipher",
            "SSL-Cipher-UseKeySize",
            "SSL_SESSION_ID",
            "ssl_secure_protocol",
            "X-Jk-Route",
            "x_jk_env_REMOTE",
            "X-JK-LB-Activation",
            "SSO_uid",
            "X-Secret-Thing",
        ] {
            assert!(is_ours(name.as_bytes(), &options), "{name}");
        }
        for name in
            ["X-Forwarded", "Forwarded-For", "X-Request-Id", "X-Jka", "Sso", "ssl", "Remote-Users", "X"]
        {
            assert!(!is_ours(name.as_bytes(), &options), "{name}");
        }
    }

    #[test]
    fn every_octet_of_a_name_counts() {
        for length in 1..40 {
            for place in 0..length {
                for octet in 0..=255u8 {
                    let mut name = vec![b'x'; length];
                    name[place] = octet;
                    let good = octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
                    // A colon ends the name; what is behind it is no port unless it is empty.
                    let colon = octet == b':' && place > 0 && place + 1 == length;
                    assert_eq!(is_authority(&name), good || colon, "{octet:#x} at {place} of {length}");
                    let head = RequestHead {
                        method: b"GET",
                        protocol: b"HTTP/1.1",
                        uri: b"/",
                        query: None,
                        remote_addr: Some(&name),
                        remote_host: None,
                        remote_port: None,
                        local_addr: None,
                        server_name: b"a",
                        server_port: 80,
                        secure: false,
                        remote_user: None,
                        auth_type: None,
                        tls: Tls::default(),
                        body: RequestBody::None,
                    };
                    let good = octet.is_ascii_alphanumeric() || b".:%-_".contains(&octet);
                    assert_eq!(address(&head).is_ok(), good, "{octet:#x} at {place} of {length}");
                }
            }
        }
    }

    #[test]
    fn authorities_are_names_or_addresses_with_a_port() {
        for good in ["a", "www.example.org", "a_b:80", "192.0.2.1:8080", "[::1]", "[2001:db8::1]:443", "a:"] {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
        for bad in [
            "", ":80", "a b", "a@b", "a,b", "a/b", "a:b", "a:123456", "a:80:80", "[::1", "[::1]x", "[]",
            "::1", "[a]", "a\r\nb", "\u{fc}", "a?b", "a#b", "[::1]:x", "a%41",
        ] {
            assert!(!is_authority(bad.as_bytes()), "{bad}");
        }
    }
}
