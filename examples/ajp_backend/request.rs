//! Reads a Forward Request: only as much as the answers need. Source: AJPv13 document, "Request Packet Structure".

/// Names of the coded request headers, from A001 on.
const HEADERS: [&str; 14] = [
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

const CONTENT_LENGTH: u16 = 0xa008;
const COOKIE: u16 = 0xa009;

/// A request; everything borrows from the packet.
#[derive(Default)]
pub(crate) struct Request<'p> {
    /// Method code: 2 is GET, 3 HEAD, 4 POST.
    pub(crate) method: u8,
    pub(crate) uri: &'p [u8],
    pub(crate) query: Option<&'p [u8]>,
    pub(crate) remote_addr: &'p [u8],
    pub(crate) secure: bool,
    pub(crate) content_length: Option<u64>,
    pub(crate) cookie: Option<&'p [u8]>,
    pub(crate) secret: Option<&'p [u8]>,
    pub(crate) remote_user: Option<&'p [u8]>,
    /// The packet behind `num_headers`, for [`Request::each_header`].
    headers: &'p [u8],
    header_count: u16,
    /// Named attributes (code 0A).
    pub(crate) attributes: Vec<(&'p [u8], &'p [u8])>,
}

impl<'p> Request<'p> {
    /// `None` when the packet is not a well-formed Forward Request.
    pub(crate) fn parse(packet: &'p [u8]) -> Option<Self> {
        let mut rest = Fields(packet);
        if rest.byte()? != 2 {
            return None;
        }
        let mut request = Self { method: rest.byte()?, ..Self::default() };
        rest.text()?;
        request.uri = rest.text()?;
        request.remote_addr = rest.text()?;
        rest.text()?;
        rest.text()?;
        rest.integer()?;
        request.secure = rest.byte()? != 0;
        request.header_count = rest.integer()?;
        request.headers = rest.0;
        for _ in 0..request.header_count {
            let code = rest.integer()?;
            if code & 0xff00 != 0xa000 {
                rest.octets(code)?;
            }
            let value = rest.text()?;
            match code {
                CONTENT_LENGTH => request.content_length = std::str::from_utf8(value).ok()?.parse().ok(),
                COOKIE => request.cookie = Some(value),
                _ => {}
            }
        }
        loop {
            match rest.byte()? {
                0x03 => request.remote_user = Some(rest.text()?),
                0x05 => request.query = Some(rest.text()?),
                0x0a => request.attributes.push((rest.text()?, rest.text()?)),
                0x0b => drop(rest.integer()?),
                0x0c => request.secret = Some(rest.text()?),
                0x01..=0x0d => drop(rest.text()?),
                0xff => return Some(request),
                _ => return None,
            }
        }
    }

    /// Calls `sink` with name and value of each header.
    pub(crate) fn each_header(&self, mut sink: impl FnMut(&[u8], &[u8])) -> Option<()> {
        let mut rest = Fields(self.headers);
        for _ in 0..self.header_count {
            let code = rest.integer()?;
            let name = match code & 0xff00 {
                0xa000 => HEADERS
                    .get(usize::from(code).wrapping_sub(0xa001))
                    .map_or(&b"?"[..], |name| name.as_bytes()),
                _ => rest.octets(code)?,
            };
            sink(name, rest.text()?);
        }
        Some(())
    }
}

/// Takes fields from the front of a packet.
struct Fields<'p>(&'p [u8]);

impl<'p> Fields<'p> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn integer(&mut self) -> Option<u16> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    /// A string; null counts as empty.
    fn text(&mut self) -> Option<&'p [u8]> {
        match self.integer()? {
            0xffff => Some(b""),
            len => self.octets(len),
        }
    }

    fn octets(&mut self, len: u16) -> Option<&'p [u8]> {
        let (text, rest) = self.0.split_at_checked(usize::from(len))?;
        self.0 = rest.split_first()?.1;
        Some(text)
    }
}
