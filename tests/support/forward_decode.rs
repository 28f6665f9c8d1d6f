//! A reader of Forward Request packets, for tests and scripted backends. Written apart from the encoder, with its own tables, so
//! that both cannot be wrong in the same way.
//!
//! It takes what the packet format allows. What a careful connector does not send all the same is for [`super::forward`] to
//! judge. Source: AJPv13 document, "Request Packet Structure".
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of this file")]

/// Names of the coded request headers, from code A001 on.
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

/// Method names, from code 1 on.
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

/// A decoded Forward Request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forward {
    pub method: Vec<u8>,
    pub protocol: Vec<u8>,
    pub uri: Vec<u8>,
    pub remote_addr: Option<Vec<u8>>,
    pub remote_host: Option<Vec<u8>>,
    pub server_name: Vec<u8>,
    pub server_port: u16,
    pub secure: bool,
    /// In order; coded names in lower case, others as sent.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// For each header: its name came as text, not as a code.
    pub spelled: Vec<bool>,
    /// String attributes by code, in order.
    pub attributes: Vec<(u8, Vec<u8>)>,
    /// Attributes with a name, in order.
    pub named: Vec<(Vec<u8>, Vec<u8>)>,
    pub key_size: Option<u16>,
    /// Codes of all attributes in the order they came.
    pub order: Vec<u8>,
}

impl Forward {
    /// Values of the header `name`, in lower case.
    pub fn header(&self, name: &str) -> Vec<&[u8]> {
        let matching = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
        matching.map(|(_, value)| value.as_slice()).collect()
    }

    /// The string attribute with this code.
    pub fn attribute(&self, code: u8) -> Option<&[u8]> {
        self.attributes.iter().find(|(found, _)| *found == code).map(|(_, value)| value.as_slice())
    }

    /// The named attribute.
    pub fn named(&self, name: &str) -> Option<&[u8]> {
        self.named.iter().find(|(found, _)| found == name.as_bytes()).map(|(_, value)| value.as_slice())
    }
}

/// Decodes one whole packet, frame included.
///
/// # Errors
/// What is wrong with it, in words.
pub fn decode(packet: &[u8]) -> Result<Forward, String> {
    let mut input = Input { rest: packet };
    if input.take(2)? != [0x12, 0x34] {
        return Err("wrong magic".into());
    }
    let length = input.integer()?;
    if usize::from(length) != input.rest.len() {
        return Err(format!("payload length {length}, but {} octets are there", input.rest.len()));
    }
    decode_payload(input.rest)
}

/// Decodes the payload of a packet, without the four octets of its frame.
///
/// # Errors
/// What is wrong with it, in words.
pub fn decode_payload(payload: &[u8]) -> Result<Forward, String> {
    let mut input = Input { rest: payload };
    if input.byte()? != 2 {
        return Err("not a Forward Request".into());
    }
    let code = input.byte()?;
    let mut forward = Forward {
        protocol: input.text()?,
        uri: input.text()?,
        remote_addr: input.string()?,
        remote_host: input.string()?,
        server_name: input.text()?,
        server_port: input.integer()?,
        secure: match input.byte()? {
            0 => false,
            1 => true,
            other => return Err(format!("is_ssl {other}")),
        },
        ..Forward::default()
    };
    for _ in 0..input.integer()? {
        let code = input.integer()?;
        let name = match code {
            0xa001..=0xa00e => HEADERS[usize::from(code - 0xa001)].as_bytes().to_vec(),
            0xa000..=0xa0ff => return Err(format!("header code {code:#x}")),
            length => input.text_of(length)?,
        };
        if name.is_empty() || name.len() > 255 {
            return Err(format!("a header name of {} octets", name.len()));
        }
        forward.headers.push((name, input.text()?));
        forward.spelled.push(code < 0xa000);
    }
    loop {
        let code = input.byte()?;
        match code {
            0xff => break,
            0x0a => {
                let name = input.text()?;
                forward.named.push((name, input.text()?));
            }
            0x0b => forward.key_size = Some(input.integer()?),
            0x01..=0x0d => {
                if forward.order.contains(&code) {
                    return Err(format!("attribute {code:#x} twice"));
                }
                forward.attributes.push((code, input.text()?));
            }
            code => return Err(format!("attribute code {code:#x}")),
        }
        forward.order.push(code);
    }
    if !input.rest.is_empty() {
        return Err(format!("{} octets behind the end", input.rest.len()));
    }
    forward.method = match (code, forward.attribute(0x0d)) {
        (0xff, Some(name)) => name.to_vec(),
        (1..=27, None) => METHODS[usize::from(code) - 1].as_bytes().to_vec(),
        (code, stored) => return Err(format!("method code {code} with stored method {stored:?}")),
    };
    Ok(forward)
}

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| {
            format!("the packet ends inside a field: {count} octets wanted, {} left", self.rest.len())
        })?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn integer(&mut self) -> Result<u16, String> {
        let octets = self.take(2)?;
        Ok(u16::from_be_bytes([octets[0], octets[1]]))
    }

    fn text_of(&mut self, length: u16) -> Result<Vec<u8>, String> {
        let text = self.take(usize::from(length))?.to_vec();
        match self.byte()? {
            0 => Ok(text),
            other => Err(format!("a text has no NUL behind it, but {other:#x}")),
        }
    }

    fn string(&mut self) -> Result<Option<Vec<u8>>, String> {
        match self.integer()? {
            0xffff => Ok(None),
            length => self.text_of(length).map(Some),
        }
    }

    fn text(&mut self) -> Result<Vec<u8>, String> {
        self.string()?.ok_or_else(|| "an unexpected null string".into())
    }
}
