//! The request of httpd as the engine's [`Host`].

use std::ffi::CStr;
use std::time::Duration;

use super::config::Live;
use super::notes::Times;
use super::stopping;
use super::variables::Variables;
use crate::engine::config::indicators::Indicator;
use crate::engine::config::options::Flags;
use crate::engine::error::ClientFault;
use crate::engine::exchange::ResponseHead;
use crate::engine::headers::{has_capitals, same};
use crate::engine::http1::facts::authority as authority_of;
use crate::engine::http1::rewrite::{Mapping, Places, without_domain};
use crate::engine::http1::upgrade::Upgrade;
use crate::engine::proxy::{BodyRead, Host, Then};
use crate::engine::request::{Request as Source, RequestBody, RequestHead, Tls};
use crate::engine::units::Tick;
use crate::ffi::request::{BodyReader, Read, Request};
use crate::ffi::response::{Response, Then as Follow};
use crate::ffi::table::Table;
use crate::ffi::tunnel::Tunnel;
use crate::transport::clock;

/// Unread request body that httpd may read and drop so that the client connection stays usable; more of it closes the
/// connection.
const DRAIN: u64 = 64 * 1024;

/// Octets passed on at once when the client must not be waited for: httpd holds back twice as many before it waits.
const PORTION: usize = 32 * 1024;

/// A request and its response, for the time of the handler.
pub struct HttpdHost<'r> {
    request: Request<'r>,
    live: &'r Live,
    head: RequestHead<'r>,
    reader: BodyReader<'r>,
    response: Response<'r>,
    /// Headers other modules had set before the response began.
    others: Option<Table<'r>>,
    /// The backend has another path than the client.
    rewriting: Option<Mapping<'r>>,
    /// Host and port of the backend, and the host alone.
    backend: (&'r [u8], &'r [u8]),
    /// A cookie for the client, sent with the response of the backend.
    cookie: Option<&'r CStr>,
    consumed: u64,
    body_ended: bool,
    started: Option<u16>,
    /// Nobody waits for a slow client: what it does not take now has to wait.
    patient: bool,
    /// A flush that has been put off.
    flush_owed: bool,
    /// For the notes about times.
    pub(super) times: Times,
    /// The connection, once it has left HTTP.
    tunnel: Option<Tunnel<'r>>,
}

/// Why the framing of a request body is refused, with the status for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadFraming {
    /// 400 or 501.
    pub status: u16,
    /// For the log.
    pub reason: &'static str,
}

/// How the body of `request` is framed. The client's framing headers are read here and nowhere else; they are never copied.
///
/// # Errors
/// Anything that two HTTP parsers could read differently (RFC 9112 section 6.3).
pub fn framing(request: Request<'_>, ignore_length: bool) -> Result<RequestBody, BadFraming> {
    let failed = |earlier: &Request<'_>| earlier.status() >= 400;
    if request.main().is_some()
        || std::iter::successors(request.previous(), |earlier| earlier.previous()).any(|it| failed(&it))
    {
        // The body belongs to the request this one was made from, and may be read already. (A redirect that mod_rewrite
        // makes in a directory is no failure: nobody has read the body.)
        return Ok(RequestBody::None);
    }
    let Some(headers) = request.headers() else { return Ok(RequestBody::None) };
    let length = headers.get(c"Content-Length");
    if let Some(coding) = headers.get(c"Transfer-Encoding") {
        if length.is_some() {
            return Err(BadFraming { status: 400, reason: "both Transfer-Encoding and Content-Length" });
        }
        if !coding.eq_ignore_ascii_case(b"chunked") {
            return Err(BadFraming { status: 501, reason: "a transfer coding other than chunked" });
        }
        if request.protocol_number() < 1001 {
            return Err(BadFraming {
                status: 400,
                reason: "Transfer-Encoding in a request older than HTTP/1.1",
            });
        }
        return Ok(RequestBody::Unknown);
    }
    match length {
        None => Ok(RequestBody::None),
        Some(text) => match decimal(text) {
            Some(0) => Ok(RequestBody::None),
            // An input filter changes the body: its length is not what the client says.
            Some(_) if ignore_length || request.body_may_change() => Ok(RequestBody::Unknown),
            Some(length) => Ok(RequestBody::Known(length)),
            None => Err(BadFraming { status: 400, reason: "Content-Length is not a plain decimal number" }),
        },
    }
}

/// A plain decimal number of at most 18 digits.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter()
        .try_fold(0u64, |value, digit| digit.is_ascii_digit().then(|| value * 10 + u64::from(digit - b'0')))
}

impl<'r> HttpdHost<'r> {
    /// What the backend is told about the request; [`HttpdHost::prepare`] completes it. (Two steps, because what is changed
    /// before it is returned is copied then.) `uri` is the path to forward.
    pub fn new(request: Request<'r>, live: &'r Live, uri: &'r [u8], body: RequestBody) -> Self {
        Self {
            request,
            live,
            head: RequestHead {
                method: request.method(),
                protocol: outermost(request).protocol(),
                uri,
                query: request.query(),
                remote_addr: request.client_address(),
                remote_host: request.client_host(),
                remote_port: None,
                local_addr: request.local_address(),
                server_name: request.server_name(),
                server_port: request.server_port(),
                secure: false,
                remote_user: request.user(),
                auth_type: request.user().and(request.auth_type()),
                tls: Tls::default(),
                body,
            },
            reader: BodyReader::new(request),
            response: Response::new(request),
            others: None,
            rewriting: None,
            backend: (b"", b""),
            cookie: None,
            consumed: 0,
            body_ended: matches!(body, RequestBody::None),
            started: None,
            patient: false,
            flush_owed: false,
            times: Times::default(),
            tunnel: None,
        }
    }

    /// Puts in what directives and variables say.
    pub fn prepare(&mut self) {
        let Self { request, live, head, .. } = self;
        let variables = Variables::of(*request, live);
        if live.extract_ssl
            && variables.get(Indicator::Https).is_some_and(|value| value.eq_ignore_ascii_case(b"on"))
        {
            head.secure = true;
            head.tls = variables.tls(live);
        }
        let port = if live.options.has(Flags::LOCAL_ADDRESS) {
            head.remote_addr = head.local_addr;
            0
        } else if live.options.has(Flags::PHYSICAL_ADDRESS) {
            head.remote_addr = request.peer_address();
            request.peer_port()
        } else {
            request.client_port()
        };
        variables.replace(head);
        head.remote_port = match variables.remote_port() {
            None => Some(request.pool().digits(port.into())),
            Some(replaced) => replaced,
        };
    }

    /// Whether the request is put aside while the client is slow, instead of waiting in [`Host::write`].
    pub fn set_patient(&mut self, patient: bool) {
        self.patient = patient;
    }

    /// The request.
    pub fn request(&self) -> Request<'r> {
        self.request
    }

    /// The settings of its server.
    pub(super) fn live(&self) -> &'r Live {
        self.live
    }

    /// Status of the response that was started.
    pub fn status(&self) -> Option<u16> {
        self.started
    }

    /// A `Set-Cookie` value to send with the response of the next backend; `None`: none.
    pub fn set_cookie(&mut self, cookie: Option<&'r CStr>) {
        self.cookie = cookie;
    }

    /// The rule has an extension `path`: places in responses are put back.
    pub fn set_rewriting(&mut self, mapping: Option<Mapping<'r>>) {
        self.rewriting = mapping;
    }

    /// Who answers next: host and port, as a URL has them. Behind [`HttpdHost::set_rewriting`].
    pub fn set_backend(&mut self, authority: &'r [u8]) {
        if self.rewriting.is_none() {
            return; // nobody asks
        }
        let usual = authority.strip_suffix(b":80").or_else(|| authority.strip_suffix(b":443"));
        let plain = usual.unwrap_or(authority);
        let host =
            memchr::memrchr(b':', plain).filter(|_| !plain.ends_with(b"]")).and_then(|at| plain.get(..at));
        self.backend = (plain, host.unwrap_or(plain));
    }

    /// Header of a response with the client's path in place of the backend's; `None`: it stays as it is.
    fn rewritten(&self, mapping: &Mapping<'_>, name: &[u8], value: &[u8]) -> Option<Vec<u8>> {
        let changed = if same(name, b"location") || same(name, b"content-location") {
            let mut authority = Vec::new();
            if authority_of(&mut authority, &self.head).is_err() {
                authority.clear(); // then only the backend's own name is recognised
            }
            let places = Places {
                scheme: if self.head.secure { b"https" } else { b"http" },
                authority: &authority,
                backend: self.backend.0,
            };
            mapping.location(value, &places).into_owned()
        } else if same(name, b"set-cookie") {
            mapping.cookie(&without_domain(value, self.backend.1)).into_owned()
        } else {
            return None;
        };
        (changed != value).then_some(changed)
    }

    /// Tells the client when to try again, together with an error page.
    pub fn retry_after(&self, seconds: &'static CStr) {
        if let Some(headers) = self.response.error_headers() {
            headers.set(c"Retry-After", seconds);
        }
    }

    /// A mapped URL names no file: what mod_mime derived from its extension does not describe the response.
    pub fn forget_file_facts(&self) {
        self.response.forget_file_facts();
    }

    /// Breaks off a response that is partly out.
    pub fn abort(&mut self) {
        self.response.abort();
    }

    /// Leaves unread request body to httpd, or closes the client connection when there is too much of it.
    pub fn settle_body(&self) {
        let left = match self.head.body {
            _ if self.body_ended => 0,
            RequestBody::None => 0,
            RequestBody::Known(length) => length.saturating_sub(self.consumed),
            RequestBody::Unknown => u64::MAX,
        };
        if left > DRAIN {
            self.request.close_after();
        }
    }
}

/// The request of the client. httpd calls the protocol of a sub-request `INCLUDED`, which is none a backend knows.
fn outermost(mut request: Request<'_>) -> Request<'_> {
    while let Some(main) = request.main() {
        request = main;
    }
    request
}

impl Source for HttpdHost<'_> {
    #[inline]
    fn head(&self) -> RequestHead<'_> {
        self.head
    }

    fn each_header(&self, sink: &mut dyn FnMut(&[u8], &[u8])) {
        if let Some(headers) = self.request.headers() {
            for (name, value) in headers.iter() {
                sink(name, value);
            }
        }
    }

    fn each_attribute(&self, sink: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, default) in &self.live.env_vars {
            if let Some(value) = self.request.env(name).or(default.as_deref().map(str::as_bytes)) {
                sink(name.to_bytes(), value);
            }
        }
    }
}

impl Host for HttpdHost<'_> {
    fn read_body(&mut self, buffer: &mut [u8], block: bool) -> Result<BodyRead, ClientFault> {
        match self.reader.read(buffer, block) {
            Read::Data(n) => {
                self.consumed += n as u64;
                Ok(BodyRead::Data(n))
            }
            Read::End => {
                self.body_ended = true;
                Ok(BodyRead::End)
            }
            Read::WouldBlock => Ok(BodyRead::WouldBlock),
            Read::Gone => Err(ClientFault::Gone),
            Read::Answered => Err(ClientFault::Answered),
            Read::Status(status) => Err(ClientFault::Body(status)),
        }
    }

    fn body_descriptor(&self) -> Option<i32> {
        self.request.client_descriptor()
    }

    fn start_response(&mut self, head: &ResponseHead<'_>) {
        self.others = self.response.snapshot();
        self.started = Some(head.status);
        let response = &self.response;
        // An error page that the backend serves keeps the status of the error, unless the backend reports one of its own.
        let error = self.request.previous().map(Request::status).filter(|status| *status >= 400);
        match error {
            Some(error) if head.status < 400 => response.set_status(error),
            _ => {
                response.set_status(head.status);
                match head.reason {
                    Some(reason) if Response::is_standard_phrase(head.status, reason) => {}
                    Some(reason) => response.set_status_line(&status_line(head.status, reason)),
                    None if head.status == 200 || Response::has_standard_phrase(head.status) => {}
                    None => response.set_status_line(&status_line(head.status, b"Unknown Reason")),
                }
            }
        }
        let Some(headers) = response.headers() else { return };
        // All names and values at once, instead of two small copies for each header.
        let copied = self.request.pool().copy_all(head.fields.octets());
        for (name, value) in head.fields.clone() {
            if let Some(mapping) = &self.rewriting
                && let Some(value) = self.rewritten(mapping, name, value)
            {
                let value = self.request.pool().text(&value);
                match name.len() {
                    8 => headers.set(c"Location", value),
                    _ => headers.add(copied.text(name), value),
                }
                continue;
            }
            match name.len() {
                4 if same(name, b"date") => {}
                6 if same(name, b"server") => {}
                12 if same(name, b"content-type") => {
                    response.set_content_type(copied.text(&content_type(value)));
                }
                13 if same(name, b"last-modified") => response.set_last_modified(copied.text(value)),
                14 if same(name, b"content-length") => match (head.content_length, value) {
                    (Some(length), b"0" | [b'1'..=b'9', ..]) => {
                        response.set_content_length_as(length, copied.text(value));
                    }
                    (Some(length), _) => response.set_content_length(length), // with zeros in front
                    (None, _) => {}
                },
                8 if same(name, b"location") => headers.set(c"Location", copied.text(value)),
                _ => headers.add(copied.text(name), copied.text(value)),
            }
        }
        // Behind those of the application, as mod_jk has it.
        if let Some(cookie) = self.cookie {
            headers.add(c"Set-Cookie".into(), cookie.into());
        }
    }

    fn replace_response(&mut self, head: &ResponseHead<'_>) {
        let Some(headers) = self.response.error_headers().filter(|_| head.status == 401) else { return };
        for (name, value) in head.fields.clone() {
            if name.eq_ignore_ascii_case(b"WWW-Authenticate") {
                headers.add(self.request.pool().text(name), self.request.pool().text(value));
            }
        }
    }

    fn forget_response(&mut self) {
        if self.started.take().is_some() {
            self.response.restore(self.others.take());
        }
    }

    fn write(&mut self, data: &[&[u8]], then: Then) -> Result<(), ClientFault> {
        let then = match then {
            Then::More if data.is_empty() => return Ok(()),
            // The body of a HEAD response is not sent, so there is nothing to hurry for.
            Then::More | Then::Flush if self.request.head_only() => return Ok(()),
            Then::More => Follow::More,
            Then::Flush if self.patient => {
                // With octets waiting already, or a socket without room, a flush would wait.
                let waits = self.response.flush_some().ok_or(ClientFault::Gone)?;
                if waits || !self.response.client_takes_more() {
                    self.flush_owed = true;
                    Follow::More
                } else {
                    Follow::Flush
                }
            }
            Then::Flush => Follow::Flush,
            Then::End => {
                self.settle_body();
                Follow::End
            }
        };
        if self.response.write(data, then) { Ok(()) } else { Err(ClientFault::Gone) }
    }

    fn congested(&mut self) -> Result<bool, ClientFault> {
        if self.response.flush_some().ok_or(ClientFault::Gone)? {
            return Ok(true);
        }
        if self.flush_owed {
            if !self.response.client_takes_more() {
                return Ok(true);
            }
            self.flush_owed = false;
            if !self.response.write(&[], Follow::Flush) {
                return Err(ClientFault::Gone);
            }
        }
        Ok(false)
    }

    fn portion(&self) -> usize {
        if self.patient { PORTION } else { usize::MAX }
    }

    fn now(&self) -> Tick {
        clock::now()
    }

    fn can_switch(&self) -> bool {
        let request = self.request;
        request.protocol_number() == 1001
            && request.main().is_none()
            && request.previous().is_none()
            && request.client_descriptor().is_some()
    }

    fn switch(&mut self, to: Upgrade) -> Result<(), ClientFault> {
        if let Some(headers) = self.response.headers() {
            headers.unset(c"Content-Length");
            headers.set(c"Upgrade", self.request.pool().text(to.token()));
            headers.set(c"Connection", c"Upgrade");
        }
        self.tunnel = Some(Tunnel::begin(self.request).ok_or(ClientFault::Gone)?);
        Ok(())
    }

    fn tunnel_read(&mut self, buffer: &mut [u8]) -> Result<BodyRead, ClientFault> {
        match self.tunnel.as_mut().map(|tunnel| tunnel.read(buffer)) {
            Some(Read::Data(n)) => Ok(BodyRead::Data(n)),
            Some(Read::End) => Ok(BodyRead::End),
            Some(Read::WouldBlock) => Ok(BodyRead::WouldBlock),
            _ => Err(ClientFault::Gone),
        }
    }

    fn tunnel_write(&mut self, data: &[u8]) -> Result<(), ClientFault> {
        let taken = self.tunnel.as_mut().is_some_and(|tunnel| tunnel.write(data));
        if taken { Ok(()) } else { Err(ClientFault::Gone) }
    }

    fn tunnel_end(&mut self) -> Result<bool, ClientFault> {
        Ok(self.tunnel.as_mut().is_some_and(Tunnel::end))
    }

    fn tunnel_over(&mut self, broken: bool) {
        if let Some(tunnel) = self.tunnel.as_mut().filter(|_| broken) {
            tunnel.break_off();
        }
    }

    fn stops_in(&self) -> Option<Duration> {
        stopping::left()
    }
}

fn status_line(status: u16, reason: &[u8]) -> Vec<u8> {
    let mut line = status.to_string().into_bytes();
    line.push(b' ');
    line.extend_from_slice(reason);
    line
}

/// The media type in lower case, its parameters as they are.
fn content_type(value: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if !has_capitals(value) {
        return value.into();
    }
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    if !value.get(..end).is_some_and(has_capitals) {
        return value.into();
    }
    let mut text = value.to_vec();
    if let Some(kind) = text.get_mut(..end) {
        kind.make_ascii_lowercase();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_are_lengths() {
        assert_eq!(decimal(b"003"), Some(3));
        for bad in [&b""[..], b"+5", b"-5", b"5x", b"3, 3", b"0x5", b"1234567890123456789"] {
            assert_eq!(decimal(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn media_types_are_lowered_and_parameters_kept() {
        assert_eq!(&*content_type(b"Text/HTML;Charset=UTF-8"), b"text/html;Charset=UTF-8");
        assert_eq!(&*content_type(b"text/html"), b"text/html");
    }
}
