//! Code tables of AJP/1.3: packet types, methods, header names of both directions, attributes.
//!
//! Lookups go by length first and touch no memory but the name. Source: AJPv13 document, "Request Packet Structure" and
//! "Response Packet Structure"; `jk_ajp_common.h` of mod_jk.

use crate::engine::headers::same;

/// Forward Request, to the backend.
pub const FORWARD_REQUEST: u8 = 2;
/// CPing, to the backend.
pub const CPING: u8 = 10;
/// Send Body Chunk, from the backend.
pub const SEND_BODY_CHUNK: u8 = 3;
/// Send Headers, from the backend.
pub const SEND_HEADERS: u8 = 4;
/// End Response, from the backend.
pub const END_RESPONSE: u8 = 5;
/// Get Body Chunk, from the backend.
pub const GET_BODY_CHUNK: u8 = 6;
/// CPong Reply, from the backend.
pub const CPONG_REPLY: u8 = 9;

/// First octet of a coded header name.
pub const CODED: u8 = 0xa0;
/// Method code that says: the name is in the attribute [`attribute::STORED_METHOD`].
pub const STORED_METHOD: u8 = 0xff;

/// Attribute codes of a Forward Request.
pub mod attribute {
    /// User httpd authenticated.
    pub const REMOTE_USER: u8 = 0x03;
    /// How it authenticated the user.
    pub const AUTH_TYPE: u8 = 0x04;
    /// Query string, raw.
    pub const QUERY_STRING: u8 = 0x05;
    /// Route of the chosen member.
    pub const ROUTE: u8 = 0x06;
    /// Client certificate, PEM.
    pub const SSL_CERT: u8 = 0x07;
    /// Cipher suite.
    pub const SSL_CIPHER: u8 = 0x08;
    /// TLS session id.
    pub const SSL_SESSION: u8 = 0x09;
    /// A name and a value.
    pub const REQ_ATTRIBUTE: u8 = 0x0a;
    /// Key size; the only attribute that is an integer.
    pub const SSL_KEY_SIZE: u8 = 0x0b;
    /// Shared secret.
    pub const SECRET: u8 = 0x0c;
    /// Name of a method without a code.
    pub const STORED_METHOD: u8 = 0x0d;
    /// End of the attributes and of the packet.
    pub const ARE_DONE: u8 = 0xff;

    /// Code, length, name and terminator of a named attribute, all that stands in front of its value.
    const fn named<const LENGTH: usize, const SIZE: usize>(name: &[u8; LENGTH]) -> [u8; SIZE] {
        let mut prefix = [0; SIZE];
        prefix[0] = REQ_ATTRIBUTE;
        // All names here are shorter than 256 octets and SIZE is LENGTH + 4, or this does not compile.
        assert!(LENGTH < 256 && SIZE == LENGTH + 4);
        prefix[2] = LENGTH as u8;
        let mut index = 0;
        while index < LENGTH {
            prefix[3 + index] = name[index];
            index += 1;
        }
        prefix
    }

    /// Client port.
    pub const REMOTE_PORT: [u8; 19] = named(b"AJP_REMOTE_PORT");
    /// Local address of the client's connection.
    pub const LOCAL_ADDR: [u8; 18] = named(b"AJP_LOCAL_ADDR");
    /// TLS version.
    pub const SSL_PROTOCOL: [u8; 20] = named(b"AJP_SSL_PROTOCOL");
    /// Activation of the chosen member.
    pub const LB_ACTIVATION: [u8; 20] = named(b"JK_LB_ACTIVATION");
}

/// The code of a method; `None` when it must be sent by name. Method names are case-sensitive.
#[inline]
pub fn method(name: &[u8]) -> Option<u8> {
    Some(match name {
        b"GET" => 2,
        b"POST" => 4,
        b"HEAD" => 3,
        b"PUT" => 5,
        b"DELETE" => 6,
        b"OPTIONS" => 1,
        b"TRACE" => 7,
        b"PROPFIND" => 8,
        b"PROPPATCH" => 9,
        b"MKCOL" => 10,
        b"COPY" => 11,
        b"MOVE" => 12,
        b"LOCK" => 13,
        b"UNLOCK" => 14,
        b"ACL" => 15,
        b"REPORT" => 16,
        b"VERSION-CONTROL" => 17,
        b"CHECKIN" => 18,
        b"CHECKOUT" => 19,
        b"UNCHECKOUT" => 20,
        b"SEARCH" => 21,
        b"MKWORKSPACE" => 22,
        b"UPDATE" => 23,
        b"LABEL" => 24,
        b"MERGE" => 25,
        b"BASELINE-CONTROL" => 26,
        b"MKACTIVITY" => 27,
        _ => return None,
    })
}

/// The code (second octet) of a request header name; `None` when it must be sent by name. Case does not matter.
///
/// Connection (6) and Content-Length (8) are in the table although an encoder never copies them.
#[inline]
pub fn request_header(name: &[u8]) -> Option<u8> {
    match name.len() {
        4 => same(name, b"host").then_some(0x0b),
        6 => choose(&[
            (same(name, b"accept"), 0x01),
            (same(name, b"cookie"), 0x09),
            (same(name, b"pragma"), 0x0c),
        ]),
        7 => choose(&[(same(name, b"referer"), 0x0d), (same(name, b"cookie2"), 0x0a)]),
        10 => choose(&[(same(name, b"user-agent"), 0x0e), (same(name, b"connection"), 0x06)]),
        12 => same(name, b"content-type").then_some(0x07),
        13 => same(name, b"authorization").then_some(0x05),
        14 => choose(&[(same(name, b"content-length"), 0x08), (same(name, b"accept-charset"), 0x02)]),
        15 => choose(&[(same(name, b"accept-encoding"), 0x03), (same(name, b"accept-language"), 0x04)]),
        _ => None,
    }
}

/// The code of the first candidate that matched.
#[inline(always)]
fn choose(candidates: &[(bool, u8)]) -> Option<u8> {
    candidates.iter().find(|(matched, _)| *matched).map(|&(_, code)| code)
}

/// Code of Content-Length in a request.
pub const REQUEST_CONTENT_LENGTH: u8 = 0x08;
/// Code of Connection in a request.
pub const REQUEST_CONNECTION: u8 = 0x06;
/// Code of Host in a request.
pub const REQUEST_HOST: u8 = 0x0b;
/// Code of Content-Length in a response.
pub const RESPONSE_CONTENT_LENGTH: u8 = 0x03;

/// The response header name that a code (second octet) stands for.
#[inline]
pub fn response_header(code: u8) -> Option<&'static [u8]> {
    Some(match code {
        0x01 => b"Content-Type",
        0x02 => b"Content-Language",
        0x03 => b"Content-Length",
        0x04 => b"Date",
        0x05 => b"Last-Modified",
        0x06 => b"Location",
        0x07 => b"Set-Cookie",
        0x08 => b"Set-Cookie2",
        0x09 => b"Servlet-Engine",
        0x0a => b"Status",
        0x0b => b"WWW-Authenticate",
        _ => return None,
    })
}

/// Name of a packet type for the log.
pub fn packet_name(kind: u8) -> &'static str {
    match kind {
        FORWARD_REQUEST => "Forward Request",
        SEND_BODY_CHUNK => "Send Body Chunk",
        SEND_HEADERS => "Send Headers",
        END_RESPONSE => "End Response",
        GET_BODY_CHUNK => "Get Body Chunk",
        7 => "Shutdown",
        8 => "Ping",
        CPONG_REPLY => "CPong",
        CPING => "CPing",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_method_table_is_complete() {
        let names = "OPTIONS GET HEAD POST PUT DELETE TRACE PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK ACL REPORT \
                     VERSION-CONTROL CHECKIN CHECKOUT UNCHECKOUT SEARCH MKWORKSPACE UPDATE LABEL MERGE \
                     BASELINE-CONTROL MKACTIVITY";
        for (code, name) in (1..).zip(names.split_whitespace()) {
            assert_eq!(method(name.as_bytes()), Some(code), "{name}");
        }
        for name in ["get", "PATCH", "QUERY", "", "GETX", "CONNECT"] {
            assert_eq!(method(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn the_request_header_table_is_complete() {
        let names = "accept accept-charset accept-encoding accept-language authorization connection content-type \
                     content-length cookie cookie2 host pragma referer user-agent";
        for (code, name) in (1..).zip(names.split_whitespace()) {
            assert_eq!(request_header(name.as_bytes()), Some(code), "{name}");
            assert_eq!(request_header(name.to_uppercase().as_bytes()), Some(code), "{name}");
        }
        for name in ["", "hos", "hosts", "x-host", "range", "accept-languagf", "content-range"] {
            assert_eq!(request_header(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn the_response_header_table_is_complete() {
        let known: Vec<u8> = (0..=255).filter(|&code| response_header(code).is_some()).collect();
        assert_eq!(known, (1..=11).collect::<Vec<u8>>());
        assert_eq!(response_header(7), Some(&b"Set-Cookie"[..]));
    }
}
