//! A strict view of Forward Request packets: the judge of what the module sends.
//!
//! Whatever AJP allows a backend to tolerate but a careful connector does not send is an error here: a header of the code
//! table sent as text, a method with a code sent as text, two Content-Length, neither Content-Length nor Transfer-Encoding,
//! an attribute twice, control characters, null where a value is needed. The packet itself is read by [`super::forward_decode`].

use super::forward_decode::{Forward, HEADERS, decode_payload};

pub use super::forward_decode::METHODS;

/// A decoded Forward Request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForwardRequest {
    /// Method name, whether it came as a code or as text.
    pub method: String,
    /// Protocol of the client's request.
    pub protocol: String,
    /// Path as sent, without query.
    pub uri: String,
    /// Client address.
    pub remote_addr: Option<String>,
    /// Client host name.
    pub remote_host: Option<String>,
    /// Server name.
    pub server_name: String,
    /// Server port.
    pub server_port: u16,
    /// The client's connection was secure.
    pub is_ssl: bool,
    /// Headers in order; octets as ISO-8859-1. Coded names are in lower case.
    pub headers: Vec<(String, String)>,
    /// Attribute 03.
    pub remote_user: Option<String>,
    /// Attribute 04.
    pub auth_type: Option<String>,
    /// Attribute 05.
    pub query: Option<String>,
    /// Attribute 06.
    pub route: Option<String>,
    /// Attribute 07.
    pub ssl_cert: Option<String>,
    /// Attribute 08.
    pub ssl_cipher: Option<String>,
    /// Attribute 09.
    pub ssl_session: Option<String>,
    /// Attribute 0B.
    pub ssl_key_size: Option<u16>,
    /// Attribute 0C.
    pub secret: Option<String>,
    /// Attribute 0D.
    pub stored_method: Option<String>,
    /// Attributes 0A in order.
    pub attributes: Vec<(String, String)>,
    /// Attribute codes in the order they came.
    pub attribute_order: Vec<u8>,
    /// Octets of the whole packet, frame header included.
    pub packet_len: usize,
}

impl ForwardRequest {
    /// Value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Values of all headers of that name.
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// Value of the named attribute (code 0A).
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The announced body length; `None` when it is unknown.
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length").and_then(|v| v.parse().ok())
    }

    /// Decodes the payload of a packet (without the four octets of its frame header).
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn decode(payload: &[u8]) -> Result<Self, String> {
        let read = decode_payload(payload)?;
        let named =
            |name: &str, text: &Option<Vec<u8>>| text.as_deref().map(|text| latin(name, text)).transpose();
        let mut request = Self {
            packet_len: payload.len() + 4,
            method: latin("method", &read.method)?,
            protocol: latin("protocol", &read.protocol)?,
            uri: latin("req_uri", &read.uri)?,
            remote_addr: named("remote_addr", &read.remote_addr)?,
            remote_host: named("remote_host", &read.remote_host)?,
            server_name: latin("server_name", &read.server_name)?,
            server_port: read.server_port,
            is_ssl: read.secure,
            ssl_key_size: read.key_size,
            attribute_order: read.order.clone(),
            ..Self::default()
        };
        for ((name, value), spelled) in read.headers.iter().zip(&read.spelled) {
            request.headers.push(header(name, value, *spelled)?);
        }
        request.take_attributes(&read)?;
        if request.stored_method.is_some() && METHODS.contains(&request.method.as_str()) {
            return Err(format!("{} has a code and came as a stored method", request.method));
        }
        request.check()?;
        Ok(request)
    }

    fn take_attributes(&mut self, read: &Forward) -> Result<(), String> {
        if read.order.iter().filter(|code| **code == 0x0b).count() > 1 {
            return Err("attribute 0x0b twice".into());
        }
        for (code, text) in &read.attributes {
            let field = match code {
                0x03 => &mut self.remote_user,
                0x04 => &mut self.auth_type,
                0x05 => &mut self.query,
                0x06 => &mut self.route,
                0x07 => &mut self.ssl_cert,
                0x08 => &mut self.ssl_cipher,
                0x09 => &mut self.ssl_session,
                0x0c => &mut self.secret,
                0x0d => &mut self.stored_method,
                other => return Err(format!("attribute code {other:#04x}")),
            };
            // A certificate has lines.
            let text = if *code == 0x07 {
                let pem = latin("ssl_cert", text)?;
                if pem.chars().any(|c| c.is_ascii_control() && c != '\n') {
                    return Err("control character other than LF in ssl_cert".into());
                }
                pem
            } else {
                value("attribute value", text)?
            };
            *field = Some(text);
        }
        for (name, text) in &read.named {
            self.attributes.push((value("attribute name", name)?, value("attribute value", text)?));
        }
        Ok(())
    }

    /// What holds for the request as a whole.
    fn check(&self) -> Result<(), String> {
        if !(self.uri.starts_with('/') || self.uri == "*") {
            return Err(format!("req_uri {:?}", self.uri));
        }
        if self.uri.bytes().any(|b| b <= b' ' || b == 0x7f || b == b'?' || b == b'#') {
            return Err(format!("character that cannot be in a path: {:?}", self.uri));
        }
        if !matches!(self.protocol.as_str(), "HTTP/0.9" | "HTTP/1.0" | "HTTP/1.1" | "HTTP/2.0") {
            return Err(format!("protocol {:?}", self.protocol));
        }
        let lengths = self.header_all("content-length");
        let encodings = self.header_all("transfer-encoding");
        match (lengths.as_slice(), encodings.as_slice()) {
            ([length], []) if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => {}
            ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => {}
            _ => return Err(format!("body framing: lengths {lengths:?}, encodings {encodings:?}")),
        }
        if let Some(port) = self.attribute("AJP_REMOTE_PORT") {
            port.parse::<u16>().map_err(|_| format!("AJP_REMOTE_PORT {port:?}"))?;
        }
        let activation = self.attribute("JK_LB_ACTIVATION");
        if activation.is_some_and(|a| !matches!(a, "ACT" | "DIS" | "STP")) {
            return Err(format!("JK_LB_ACTIVATION {activation:?}"));
        }
        Ok(())
    }
}

/// Octets as ISO-8859-1.
fn latin(what: &str, octets: &[u8]) -> Result<String, String> {
    if octets.contains(&0) {
        return Err(format!("NUL inside {what}"));
    }
    Ok(octets.iter().map(|octet| char::from(*octet)).collect())
}

/// A text that is fit for a header value.
fn value(what: &str, octets: &[u8]) -> Result<String, String> {
    let text = latin(what, octets)?;
    if text.chars().any(|c| c.is_ascii_control() && c != '\t') {
        return Err(format!("control character in {what}: {text:?}"));
    }
    Ok(text)
}

fn header(name: &[u8], octets: &[u8], spelled: bool) -> Result<(String, String), String> {
    let name = latin("header name", name)?;
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !name.chars().all(token) {
        return Err(format!("header name {name:?}"));
    }
    if spelled && HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("header {name} has a code and came as text"));
    }
    let value = value(&format!("value of header {name}"), octets)?;
    Ok((name, value))
}
