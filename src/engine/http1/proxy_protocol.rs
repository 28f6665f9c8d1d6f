//! The PROXY protocol, version 2: octets in front of a connection that say where it comes from.
//!
//! Written once, before anything else (TLS included), so a connection that begins with it belongs to one client: it can be
//! kept for that client only. Numbers are big-endian.
//! Source: "The PROXY protocol", sections 2.2 to 2.2.7, of the HAProxy project.

use core::net::{IpAddr, Ipv6Addr};

/// What every header begins with.
pub const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, and a connection of the sender's own (probes).
const LOCAL: u8 = 0x20;
/// Version 2, and a connection on behalf of a client.
const PROXY: u8 = 0x21;
/// Neither addresses nor ports.
const UNSPECIFIED: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
/// Host name that the client addressed.
const TYPE_AUTHORITY: u8 = 0x02;
/// What is known of TLS between client and sender.
const TYPE_SSL: u8 = 0x20;
const SUBTYPE_SSL_VERSION: u8 = 0x21;
const SUBTYPE_SSL_CIPHER: u8 = 0x23;
/// The client has connected over TLS.
const CLIENT_SSL: u8 = 0x01;
/// The client has shown a certificate on this connection.
const CLIENT_CERT_CONN: u8 = 0x02;

/// A connection of a client to this server.
#[derive(Debug, Clone, Copy, Default)]
pub struct Source<'a> {
    /// Client address as text.
    pub remote_addr: &'a [u8],
    /// Client port.
    pub remote_port: u16,
    /// Address of this server that the client has connected to, as text.
    pub local_addr: &'a [u8],
    /// Its port.
    pub local_port: u16,
    /// Host name that the client addressed; left out when longer than 255 octets.
    pub authority: Option<&'a [u8]>,
    /// TLS between the client and this server.
    pub tls: Option<SourceTls<'a>>,
}

/// TLS of a client's connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct SourceTls<'a> {
    /// The client has shown a certificate, and it was accepted.
    pub verified: bool,
    /// Protocol version, for example `TLSv1.3`.
    pub version: Option<&'a [u8]>,
    /// Cipher suite name.
    pub cipher: Option<&'a [u8]>,
}

/// Appends a header to `out`: for a client, or (`None`) for a connection of this server's own. When the addresses of a client
/// are no IP addresses, the header says that they are not known.
pub fn header(out: &mut Vec<u8>, source: Option<&Source<'_>>) {
    out.extend_from_slice(&SIGNATURE);
    let Some(source) = source else {
        out.extend_from_slice(&[LOCAL, UNSPECIFIED, 0, 0]);
        return;
    };
    let start = out.len();
    out.extend_from_slice(&[PROXY, UNSPECIFIED, 0, 0]);
    let family = addresses(out, source);
    if let Some(authority) = source.authority
        && authority.len() <= 255
    {
        field(out, TYPE_AUTHORITY, authority);
    }
    if let Some(tls) = &source.tls {
        ssl(out, tls);
    }
    let length = u16::try_from(out.len() - start - 4);
    if length.is_err() {
        out.truncate(start + 4);
    }
    let [high, low] = length.unwrap_or(0).to_be_bytes();
    if let Some(place) = out.get_mut(start + 1..start + 4) {
        place.copy_from_slice(&[if length.is_ok() { family } else { UNSPECIFIED }, high, low]);
    }
}

/// Writes both addresses and ports; answers their family.
fn addresses(out: &mut Vec<u8>, source: &Source<'_>) -> u8 {
    let family = match (address(source.remote_addr), address(source.local_addr)) {
        (Some(IpAddr::V4(remote)), Some(IpAddr::V4(local))) => {
            out.extend_from_slice(&remote.octets());
            out.extend_from_slice(&local.octets());
            TCP4
        }
        (Some(remote), Some(local)) => {
            out.extend_from_slice(&long(remote).octets());
            out.extend_from_slice(&long(local).octets());
            TCP6
        }
        _ => return UNSPECIFIED,
    };
    out.extend_from_slice(&source.remote_port.to_be_bytes());
    out.extend_from_slice(&source.local_port.to_be_bytes());
    family
}

/// An address without zone; an IPv4 address that comes in IPv6 notation is one.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = text.split(|&octet| octet == b'%').next()?;
    let address: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.to_canonical())
}

fn long(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped(),
        IpAddr::V6(six) => six,
    }
}

fn field(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let Ok(length) = u16::try_from(value.len()) else { return };
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
}

fn ssl(out: &mut Vec<u8>, tls: &SourceTls<'_>) {
    let start = out.len();
    let flags = if tls.verified { CLIENT_SSL | CLIENT_CERT_CONN } else { CLIENT_SSL };
    out.extend_from_slice(&[TYPE_SSL, 0, 0, flags]);
    // 0 means that a certificate was verified.
    out.extend_from_slice(&u32::from(!tls.verified).to_be_bytes());
    if let Some(version) = tls.version {
        field(out, SUBTYPE_SSL_VERSION, version);
    }
    if let Some(cipher) = tls.cipher {
        field(out, SUBTYPE_SSL_CIPHER, cipher);
    }
    match u16::try_from(out.len() - start - 3) {
        Ok(length) => {
            if let Some(place) = out.get_mut(start + 1..start + 3) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
        Err(_) => out.truncate(start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: Option<&Source<'_>>) -> Vec<u8> {
        let mut out = Vec::new();
        header(&mut out, source);
        assert_eq!(out[..12], SIGNATURE);
        assert_eq!(usize::from(u16::from_be_bytes([out[14], out[15]])), out.len() - 16);
        out.split_off(12)
    }

    #[test]
    fn addresses_of_both_families() {
        let source = Source {
            remote_addr: b"192.0.2.7",
            remote_port: 49776,
            local_addr: b"192.0.2.1",
            local_port: 443,
            ..Source::default()
        };
        let expected = [0x21, 0x11, 0, 12, 192, 0, 2, 7, 192, 0, 2, 1, 0xc2, 0x70, 1, 0xbb];
        assert_eq!(of(Some(&source)), expected);
        // IPv4 in IPv6 notation is IPv4.
        assert_eq!(of(Some(&Source { remote_addr: b"::ffff:192.0.2.7", ..source })), expected);
        let six = of(Some(&Source { remote_addr: b"fe80::7%eth0", ..source }));
        assert_eq!(six[..4], [0x21, 0x21, 0, 36]);
        assert_eq!(six[4..8], [0xfe, 0x80, 0, 0]);
        assert_eq!(six[30..36], [0xff, 0xff, 192, 0, 2, 1]);
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        assert_eq!(of(None), [0x20, 0, 0, 0]);
        assert_eq!(of(Some(&Source { remote_addr: b"unix:", ..Source::default() })), [0x21, 0, 0, 0]);
    }

    #[test]
    fn further_fields_are_framed() {
        let tls = SourceTls { verified: true, version: Some(b"TLSv1.3"), cipher: Some(b"X") };
        let source = Source { authority: Some(b"a.b"), tls: Some(tls), ..Source::default() };
        let out = of(Some(&source));
        assert_eq!(out[4..10], [2, 0, 3, b'a', b'.', b'b']);
        assert_eq!(out[10..18], [0x20, 0, 5 + 10 + 4, 3, 0, 0, 0, 0]);
        assert_eq!(out[18..28], [0x21, 0, 7, b'T', b'L', b'S', b'v', b'1', b'.', b'3']);
        assert_eq!(out[28..], [0x23, 0, 1, b'X']);
        let long = [b'x'; 70_000];
        let tls = SourceTls { verified: false, version: None, cipher: Some(&long) };
        let out = of(Some(&Source { authority: Some(&long), tls: Some(tls), ..Source::default() }));
        assert_eq!(out[4..], [0x20, 0, 5, 1, 0, 0, 0, 1]);
        // Octets that are there before stay.
        let mut out = b"x".to_vec();
        header(&mut out, None);
        assert_eq!(out.len(), 17);
    }
}
