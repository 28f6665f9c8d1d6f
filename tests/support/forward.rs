//! A strict reader of Forward Request packets: the judge of what the module sends.
//!
//! Whatever AJP allows a backend to tolerate but a careful connector does not send is an error here: a header of the code
//! table sent as text, a method with a code sent as text, two Content-Length, neither Content-Length nor Transfer-Encoding,
//! an attribute twice, control characters, octets behind the end mark. Source: AJPv13 document, "Request Packet Structure".

/// Method names by code, from code 1 on.
pub const METHODS: [&str; 27] = [
    "OPTIONS",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "TRACE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "ACL",
    "REPORT",
    "VERSION-CONTROL",
    "CHECKIN",
    "CHECKOUT",
    "UNCHECKOUT",
    "SEARCH",
    "MKWORKSPACE",
    "UPDATE",
    "LABEL",
    "MERGE",
    "BASELINE-CONTROL",
    "MKACTIVITY",
];

/// Request header names by code, from A001 on.
pub const HEADERS: [&str; 14] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "authorization",
    "connection",
    "content-type",
    "content-length",
    "cookie",
    "cookie2",
    "host",
    "pragma",
    "referer",
    "user-agent",
];

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
        let mut reader = Reader { rest: payload };
        let mut request = Self { packet_len: payload.len() + 4, ..Self::default() };
        if reader.byte("packet type")? != 2 {
            return Err("not a Forward Request".into());
        }
        let method = reader.byte("method")?;
        request.protocol = reader.text("protocol")?.ok_or("null protocol")?;
        request.uri = reader.text("req_uri")?.ok_or("null req_uri")?;
        request.remote_addr = reader.text("remote_addr")?;
        request.remote_host = reader.text("remote_host")?;
        request.server_name = reader.text("server_name")?.ok_or("null server_name")?;
        request.server_port = reader.integer("server_port")?;
        request.is_ssl = match reader.byte("is_ssl")? {
            0 => false,
            1 => true,
            other => return Err(format!("is_ssl is {other}")),
        };
        for _ in 0..reader.integer("num_headers")? {
            request.headers.push(reader.header()?);
        }
        request.read_attributes(&mut reader)?;
        request.method = match (method, &request.stored_method) {
            (255, Some(name)) if METHODS.contains(&name.as_str()) => {
                return Err(format!("{name} has a code and came as a stored method"));
            }
            (255, Some(name)) => name.clone(),
            (255, None) => return Err("method 255 without stored method".into()),
            (_, Some(_)) => return Err("both a method code and a stored method".into()),
            (code, None) => METHODS
                .get(usize::from(code).wrapping_sub(1))
                .map(|name| (*name).to_owned())
                .ok_or(format!("method code {code}"))?,
        };
        request.check()?;
        Ok(request)
    }

    fn read_attributes(&mut self, reader: &mut Reader<'_>) -> Result<(), String> {
        loop {
            let code = reader.byte("attribute code")?;
            if code != 0x0a && self.attribute_order.contains(&code) {
                return Err(format!("attribute {code:#04x} twice"));
            }
            self.attribute_order.push(code);
            let what = "attribute value";
            match code {
                0x03 => self.remote_user = Some(reader.value(what)?),
                0x04 => self.auth_type = Some(reader.value(what)?),
                0x05 => self.query = Some(reader.value(what)?),
                0x06 => self.route = Some(reader.value(what)?),
                0x07 => {
                    let pem = reader.text(what)?.ok_or("null ssl_cert")?;
                    if pem.chars().any(|c| c.is_ascii_control() && c != '\n') {
                        return Err("control character other than LF in ssl_cert".into());
                    }
                    self.ssl_cert = Some(pem);
                }
                0x08 => self.ssl_cipher = Some(reader.value(what)?),
                0x09 => self.ssl_session = Some(reader.value(what)?),
                0x0a => self.attributes.push((reader.value("attribute name")?, reader.value(what)?)),
                0x0b => self.ssl_key_size = Some(reader.integer("ssl_key_size")?),
                0x0c => self.secret = Some(reader.value(what)?),
                0x0d => self.stored_method = Some(reader.value(what)?),
                0xff => break,
                other => return Err(format!("attribute code {other:#04x}")),
            }
        }
        self.attribute_order.pop();
        if reader.rest.is_empty() {
            Ok(())
        } else {
            Err(format!("{} octets behind the end", reader.rest.len()))
        }
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

/// Takes fields from the front of a payload.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize, what: &str) -> Result<&'a [u8], String> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(format!("packet ends inside {what}"))?;
        self.rest = rest;
        Ok(head)
    }

    fn byte(&mut self, what: &str) -> Result<u8, String> {
        Ok(self.take(1, what)?[0])
    }

    fn integer(&mut self, what: &str) -> Result<u16, String> {
        let bytes = self.take(2, what)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A string or null.
    fn text(&mut self, what: &str) -> Result<Option<String>, String> {
        match self.integer(what)? {
            0xffff => Ok(None),
            len => self.octets(len, what).map(Some),
        }
    }

    fn octets(&mut self, len: u16, what: &str) -> Result<String, String> {
        let bytes = self.take(usize::from(len), what)?;
        if self.byte(what)? != 0 {
            return Err(format!("{what} has no NUL behind it"));
        }
        if bytes.contains(&0) {
            return Err(format!("NUL inside {what}"));
        }
        Ok(bytes.iter().map(|b| char::from(*b)).collect())
    }

    /// A string that must not be null and must be fit for a header value.
    fn value(&mut self, what: &str) -> Result<String, String> {
        let text = self.text(what)?.ok_or(format!("null {what}"))?;
        if text.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return Err(format!("control character in {what}: {text:?}"));
        }
        Ok(text)
    }

    fn header(&mut self) -> Result<(String, String), String> {
        let name = match self.integer("header name")? {
            code @ 0xa001..=0xa00e => HEADERS[usize::from(code - 0xa001)].to_owned(),
            code @ 0xa000..=0xa0ff => return Err(format!("header code {code:#06x}")),
            len => {
                let name = self.octets(len, "header name")?;
                let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
                if !(1..=255).contains(&name.len()) || !name.chars().all(token) {
                    return Err(format!("header name {name:?}"));
                }
                if HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                    return Err(format!("header {name} has a code and came as text"));
                }
                name
            }
        };
        let value = self.value(&format!("value of header {name}"))?;
        Ok((name, value))
    }
}
