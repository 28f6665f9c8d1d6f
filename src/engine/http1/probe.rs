//! Is an HTTP backend alive, and is this idle connection in step? The counterpart of CPing.
//!
//! A probe is a whole exchange: `OPTIONS *`, which costs a server next to nothing, or `HEAD` of a path that says something
//! about the application (`ping_uri`). The status decides (`ping_status`). Only legal between exchanges.
//! Sources: RFC 9110 sections 9.3.2 and 9.3.7.

use super::client::{Client, Limits};
use super::facts;
use super::malformed::Malformed;
use crate::engine::ajp::forward::is_path;
use crate::engine::exchange::{Event, Exchange, Fed};
use crate::engine::headers;
use crate::engine::request::RequestBody;

/// Octets of a probe's body that are read so that the connection can be used again.
pub const MAX_BODY: usize = 65_536;
/// Most ranges of a `ping_status`.
const MAX_RANGES: usize = 8;

/// The statuses that mean "alive": up to 8 ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statuses {
    ranges: [(u16, u16); MAX_RANGES],
    used: usize,
}

impl Statuses {
    /// Every final status but a server error: what an answer to `OPTIONS *` has to be.
    pub const ANSWERING: Self = Self::one(200, 499);
    /// Success and redirections: what the page of an application has to be.
    pub const SERVING: Self = Self::one(200, 399);

    const fn one(from: u16, to: u16) -> Self {
        let mut ranges = [(1, 0); MAX_RANGES];
        ranges[0] = (from, to);
        Self { ranges, used: 1 }
    }

    /// Reads a list such as `200,204`, `2xx` or `200-299,404`; elements are separated by commas or blanks. `None` when an
    /// element is none of these, is not between 200 and 599, or there are more than 8.
    pub fn parse(text: &str) -> Option<Self> {
        let mut statuses = Self { ranges: [(1, 0); MAX_RANGES], used: 0 };
        for element in text.split([',', ' ', '\t']).filter(|element| !element.is_empty()) {
            let (from, to) = range(element)?;
            if from > to || from < 200 || to > 599 {
                return None;
            }
            *statuses.ranges.get_mut(statuses.used)? = (from, to);
            statuses.used += 1;
        }
        (statuses.used > 0).then_some(statuses)
    }

    /// `status` is one of them.
    pub fn contain(&self, status: u16) -> bool {
        self.ranges.iter().take(self.used).any(|(from, to)| (*from..=*to).contains(&status))
    }
}

fn range(element: &str) -> Option<(u16, u16)> {
    let number = |text: &str| -> Option<u16> {
        (text.len() == 3 && text.bytes().all(|octet| octet.is_ascii_digit())).then(|| text.parse().ok())?
    };
    if let Some(class) = element.strip_suffix("xx").or_else(|| element.strip_suffix("XX")) {
        let class: u16 = (class.len() == 1).then(|| class.parse().ok())??;
        return Some((class * 100, class * 100 + 99));
    }
    match element.split_once('-') {
        Some((from, to)) => Some((number(from)?, number(to)?)),
        None => number(element).map(|status| (status, status)),
    }
}

/// A path, perhaps with a query, that a probe can ask for.
pub fn is_uri(uri: &[u8]) -> bool {
    uri.starts_with(b"/") && encode(&mut Vec::new(), Some(uri), b"localhost")
}

/// Writes a probe to `out`, which is cleared first: `HEAD` of `uri` (a path, perhaps with a query), or `OPTIONS *`. `host`:
/// name and perhaps port for the Host header. False, and nothing written, when one of them is not fit to be sent.
pub fn encode(out: &mut Vec<u8>, uri: Option<&[u8]>, host: &[u8]) -> bool {
    out.clear();
    let (path, query) = match uri {
        None => (&b"*"[..], None),
        Some(uri) => match memchr::memchr(b'?', uri).and_then(|mark| uri.split_at_checked(mark)) {
            Some((path, query)) => (path, Some(query)),
            None => (uri, None),
        },
    };
    let good = |octet: u8| (octet > 0x20) & (octet < 0x7f) & (octet != b'#');
    let fits = is_path(path)
        && (uri.is_none() || path.starts_with(b"/"))
        && headers::every(query.unwrap_or_default(), good)
        && facts::is_authority(host);
    if !fits {
        return false;
    }
    out.extend_from_slice(if uri.is_some() { b"HEAD " } else { b"OPTIONS " });
    out.extend_from_slice(path);
    out.extend_from_slice(query.unwrap_or_default());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    facts::line(out, b"Host", host);
    out.extend_from_slice(b"User-Agent: mod_jk_rs (probe)\r\n\r\n");
    true
}

/// What a probe has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet: `need` octets, counted from the first one that was not consumed, must be there.
    More {
        /// Octets that must be contiguous in the input.
        need: usize,
    },
    /// The backend has answered.
    Answer {
        /// Its status.
        status: u16,
        /// The status is one of those that were wanted.
        good: bool,
        /// The connection may carry an exchange.
        reusable: bool,
    },
}

/// Waits for the answer to a probe.
#[derive(Debug)]
pub struct Probe {
    client: Client,
    wanted: Statuses,
    status: u16,
    body: usize,
}

impl Probe {
    /// A wait that has seen nothing. `head`: the probe was a HEAD.
    pub fn new(limits: Limits, head: bool, wanted: Statuses) -> Self {
        Self { client: Client::new(limits, RequestBody::None, head, None), wanted, status: 0, body: 0 }
    }

    /// Takes octets from the front of `input`: how many, and what is known then.
    ///
    /// # Errors
    /// This is no HTTP response.
    pub fn feed(&mut self, input: &[u8]) -> Result<(usize, Verdict), Malformed> {
        let mut used = 0;
        loop {
            let Fed { consumed, event } = self.client.feed(input.get(used..).unwrap_or_default())?;
            used += consumed;
            match event {
                Event::More { need } => return Ok((used, Verdict::More { need })),
                Event::Head(head) => self.status = head.status,
                Event::Body(data) => {
                    self.body = self.body.saturating_add(data.len());
                    if self.body > MAX_BODY {
                        return Ok((used, self.answer(false)));
                    }
                }
                Event::Done { reusable } => return Ok((used, self.answer(reusable))),
                Event::Flush | Event::WantBody { .. } | Event::WantEnd => {}
            }
        }
    }

    /// The backend has closed the connection; the answer, when that is how it ends.
    pub fn closed(&mut self) -> Option<Verdict> {
        self.client.closed().then(|| self.answer(false))
    }

    /// An octet has been seen.
    pub fn begun(&self) -> bool {
        self.client.reply_begun()
    }

    fn answer(&self, reusable: bool) -> Verdict {
        Verdict::Answer { status: self.status, good: self.wanted.contain(self.status), reusable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(octets: &[u8], head: bool) -> Result<(usize, Verdict), Malformed> {
        Probe::new(Limits::default(), head, Statuses::SERVING).feed(octets)
    }

    #[test]
    fn probes_are_whole_requests() {
        let mut out = vec![1];
        assert!(encode(&mut out, None, b"app:8080"));
        assert_eq!(
            String::from_utf8_lossy(&out),
            "OPTIONS * HTTP/1.1\r\nHost: app:8080\r\nUser-Agent: mod_jk_rs (probe)\r\n\r\n"
        );
        assert!(encode(&mut out, Some(b"/health?deep=1"), b"[::1]"));
        assert!(out.starts_with(b"HEAD /health?deep=1 HTTP/1.1\r\nHost: [::1]\r\n"));
        for (uri, host) in
            [("*", "a"), ("health", "a"), ("/a b", "a"), ("/a?b c", "a"), ("/", "a\r\nb"), ("/", "")]
        {
            assert!(
                !encode(&mut out, Some(uri.as_bytes()), host.as_bytes()) && out.is_empty(),
                "{uri} {host}"
            );
        }
    }

    #[test]
    fn the_status_decides_and_the_connection_stays_in_step() {
        let good = Verdict::Answer { status: 200, good: true, reusable: true };
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(probe(answer, true), Ok((answer.len(), good)));
        assert_eq!(probe(answer, false), Ok((answer.len(), Verdict::More { need: 1 })));
        let whole = [&answer[..], b"hello"].concat();
        assert_eq!(probe(&whole, false), Ok((whole.len(), good)));
        // Behind the answer to a HEAD there is nothing.
        let unclean = Verdict::Answer { status: 200, good: true, reusable: false };
        assert_eq!(probe(&whole, true), Ok((answer.len(), unclean)));
        let bad = Verdict::Answer { status: 503, good: false, reusable: true };
        let answer = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(probe(answer, false), Ok((answer.len(), bad)));
        assert!(probe(b"AB\0\x01\x09", false).is_err());
    }

    #[test]
    fn a_body_without_end_is_not_read_to_its_end() {
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        let mut probe = Probe::new(Limits::default(), false, Statuses::ANSWERING);
        assert_eq!(probe.feed(head), Ok((head.len(), Verdict::More { need: 1 })));
        let closed = Verdict::Answer { status: 200, good: true, reusable: false };
        assert_eq!(probe.feed(&[b'x'; MAX_BODY + 1]), Ok((MAX_BODY + 1, closed)));
        let mut probe = Probe::new(Limits::default(), false, Statuses::ANSWERING);
        assert!(probe.closed().is_none() && !probe.begun());
        probe.feed(head).unwrap();
        assert_eq!(probe.closed(), Some(closed));
    }

    #[test]
    fn statuses_are_lists_of_ranges() {
        let statuses = Statuses::parse("204, 2xx 401-403").unwrap();
        let found: Vec<u16> = (100..=999).filter(|status| statuses.contain(*status)).collect();
        assert_eq!(found, (200..300).chain(401..404).collect::<Vec<_>>());
        for bad in
            ["", ",", "2x", "20", "200-", "-200", "xx", "1xx", "600", "299-200", "200;201", "+20", "2xxx"]
        {
            assert_eq!(Statuses::parse(bad), None, "{bad}");
        }
        assert!(Statuses::parse("200 201 202 203 204 205 206 207").is_some());
        assert!(Statuses::parse("200 201 202 203 204 205 206 207 208").is_none());
        assert!(Statuses::ANSWERING.contain(405) && !Statuses::SERVING.contain(404));
    }
}
