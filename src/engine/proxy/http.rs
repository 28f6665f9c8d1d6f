//! What the attempts of a request need to know of a worker that speaks HTTP, and a probe that can be put aside.

use std::time::Duration;

use super::host::Host;
use super::ping::{Ping, ping};
use super::{Buffers, WorkerView, probe};
use crate::engine::error::{Cause, Unsendable};
use crate::engine::exchange::{Link, LinkError, Received};
use crate::engine::http1::probe::{self as wire, Probe, Statuses, Verdict};
use crate::engine::http1::upgrade::Upgrade;
use crate::engine::http1::{self, Client, Limits, Options};
use crate::engine::units::Tick;
use crate::engine::{ajp, ajp::client};

/// Octets read at once for a probe's answer.
const PORTION: usize = 2048;

/// An HTTP worker.
#[derive(Debug, Clone)]
pub struct HttpView {
    /// How requests are written, but for [`HttpView::upgrades`].
    pub options: Options<'static>,
    /// What the backend may be asked to change to (`upgrade`).
    pub upgrades: Box<[Upgrade]>,
    /// Longest silence of a tunnel; `None`: for ever (`tunnel_timeout`).
    pub tunnel_timeout: Option<Duration>,
    /// Limits of responses; pieces of request body have the size of [`WorkerView::max_packet`].
    pub limits: Limits,
    /// How the backend is asked whether it is alive; `None`: that it takes connections is proof enough.
    pub check: Option<Check>,
}

/// A probe (`ping_uri`, `ping_status`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    request: Vec<u8>,
    wanted: Statuses,
}

impl Check {
    /// A probe of the page `uri` at `host`, a name with or without port. `None` when one of them is not fit to be sent.
    pub fn new(uri: &str, host: &str, wanted: Statuses) -> Option<Self> {
        let mut request = Vec::new();
        wire::encode(&mut request, Some(uri.as_bytes()), host.as_bytes()).then_some(Self { request, wanted })
    }

    fn machine(&self) -> Probe {
        Probe::new(Limits::default(), true, self.wanted)
    }

    /// Asks on a connection that carries nothing else, waiting at most `timeout` in all. True: the connection may carry an
    /// exchange.
    ///
    /// # Errors
    /// The backend did not answer in time, not in HTTP, or with another status than the wanted ones.
    pub fn ask<L: Link>(
        &self,
        link: &mut L,
        timeout: Duration,
        now: impl Fn() -> Tick,
    ) -> Result<bool, Cause> {
        let (mut machine, mut input) = (self.machine(), Vec::new());
        let answer = probe::probe(link, &self.request, &mut machine, &mut input, timeout, now)?;
        if answer.good { Ok(answer.reusable) } else { Err(Cause::ProbeStatus(answer.status)) }
    }
}

/// The question on a connection before it carries a request: a CPing, or a probe of an HTTP worker.
#[derive(Debug)]
pub(super) enum Question {
    Ajp(Ping),
    Http(Box<HttpProbe>),
}

/// A probe under way.
#[derive(Debug)]
pub(super) struct HttpProbe {
    sent: usize,
    machine: Probe,
    input: Vec<u8>,
}

/// How far a [`Question`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// The backend is alive; true: and the connection can be used.
    Alive(bool),
    /// The link has to be readable, and writable as well if it says true.
    Wait(bool),
}

impl Question {
    /// The question for this worker, when it has one.
    pub(super) fn of(worker: &WorkerView<'_>) -> Option<Self> {
        match worker.http {
            None => Some(Self::Ajp(Ping::default())),
            Some(http) => http.check.as_ref().map(|check| {
                Self::Http(Box::new(HttpProbe { sent: 0, machine: check.machine(), input: Vec::new() }))
            }),
        }
    }

    /// Goes as far as possible; with `block`, to the end.
    pub(super) fn step<H: Host, L: Link>(
        &mut self,
        host: &H,
        worker: &WorkerView<'_>,
        link: &mut L,
        timeout: Duration,
        block: bool,
    ) -> Result<Reply, Cause> {
        match self {
            Self::Ajp(_) if block => ping(link, timeout).map(|()| Reply::Alive(true)),
            Self::Ajp(ping) => Ok(ping.step(link)?.map_or(Reply::Alive(true), Reply::Wait)),
            Self::Http(probe) => match worker.http.and_then(|http| http.check.as_ref()) {
                None => Ok(Reply::Alive(true)),
                Some(check) if block => check.ask(link, timeout, || host.now()).map(Reply::Alive),
                Some(check) => probe.step(check, link),
            },
        }
    }
}

impl HttpProbe {
    fn step<L: Link>(&mut self, check: &Check, link: &mut L) -> Result<Reply, Cause> {
        while let Some(left) = check.request.get(self.sent..).filter(|left| !left.is_empty()) {
            match link.send(&[left]).map_err(Cause::Link)? {
                0 => return Ok(Reply::Wait(true)),
                n => self.sent += n,
            }
        }
        loop {
            let filled = self.input.len();
            self.input.resize(filled + PORTION, 0);
            let received = link.recv(self.input.get_mut(filled..).unwrap_or_default());
            let n = if let Ok(Received::Data(n)) = received { n } else { 0 };
            self.input.truncate(filled + n);
            let verdict = match received {
                Ok(Received::WouldBlock) => return Ok(Reply::Wait(false)),
                Ok(Received::Data(_)) => {
                    let fed = self.machine.feed(&self.input);
                    let (used, verdict) = fed.map_err(|malformed| Cause::Protocol(malformed.into()))?;
                    self.input.drain(..used);
                    verdict
                }
                Err(LinkError::Closed) if self.machine.begun() => self.machine.closed().ok_or(Cause::Cut)?,
                Err(error) => return Err(Cause::Link(error)),
            };
            match verdict {
                Verdict::Answer { good: true, reusable, .. } => return Ok(Reply::Alive(reusable)),
                Verdict::Answer { status, .. } => return Err(Cause::ProbeStatus(status)),
                Verdict::More { .. } => {}
            }
        }
    }
}

/// Writes the head of the request in the protocol of the worker. Answers what the backend is asked to change to.
pub(super) fn encode(
    buffers: &mut Buffers,
    host: &impl Host,
    worker: &WorkerView<'_>,
) -> Result<Option<Upgrade>, Unsendable> {
    let out = &mut buffers.head;
    match worker.http {
        None => ajp::forward::encode(out, host, &worker.facts, worker.max_packet)
            .map(|()| None)
            .map_err(Into::into),
        Some(http) => {
            let upgrade: &[Upgrade] = if host.can_switch() { &http.upgrades } else { &[] };
            let options = Options { upgrade, close: !worker.reuse, ..http.options };
            http1::encode(out, host, &worker.facts, &options).map_err(Into::into)
        }
    }
}

/// The machine of an exchange over AJP.
pub(super) fn ajp_exchange(host: &impl Host, worker: &WorkerView<'_>) -> client::Client {
    let head = host.head();
    let limits = client::Limits { max_packet: worker.max_packet, receive_limit: worker.receive_limit };
    client::Client::new(limits, head.body, head.method == b"HEAD")
}

/// The machine of an exchange over HTTP.
pub(super) fn http_exchange(
    host: &impl Host,
    worker: &WorkerView<'_>,
    http: &HttpView,
    upgrade: Option<Upgrade>,
) -> Client {
    let head = host.head();
    let limits = Limits { piece: worker.max_packet, ..http.limits };
    Client::new(limits, head.body, head.method == b"HEAD", upgrade)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes some octets at a time and answers with portions; an empty one is a pause.
    struct Script {
        portions: Vec<&'static str>,
        sent: Vec<u8>,
        full: bool,
    }

    impl Link for Script {
        fn send(&mut self, parts: &[&[u8]]) -> Result<usize, LinkError> {
            self.full = !self.full;
            let part = parts.first().copied().unwrap_or_default();
            let n = if self.full { part.len().min(30) } else { 0 };
            self.sent.extend_from_slice(&part[..n]);
            Ok(n)
        }

        fn recv(&mut self, buffer: &mut [u8]) -> Result<Received, LinkError> {
            if self.portions.is_empty() {
                return Err(LinkError::Closed);
            }
            let portion = self.portions.remove(0).as_bytes();
            if portion.is_empty() {
                return Ok(Received::WouldBlock);
            }
            buffer[..portion.len()].copy_from_slice(portion);
            Ok(Received::Data(portion.len()))
        }

        fn recv_blocking(&mut self, _: &mut [u8], _: Option<Duration>) -> Result<usize, LinkError> {
            unreachable!("it never waits")
        }

        fn wait(&mut self, _: bool, _: Option<i32>, _: Duration) -> Result<(), LinkError> {
            unreachable!("it never waits")
        }
    }

    /// Steps until there is a result; the pauses in between (true: to send more).
    fn ask(portions: &[&'static str]) -> (Vec<bool>, Result<bool, Cause>) {
        let check = Check::new("/up", "app:8080", Statuses::SERVING).unwrap();
        let mut link = Script { portions: portions.to_vec(), sent: vec![], full: false };
        let mut probe = HttpProbe { sent: 0, machine: check.machine(), input: vec![] };
        let mut pauses = Vec::new();
        let result = loop {
            match probe.step(&check, &mut link) {
                Ok(Reply::Wait(writable)) => pauses.push(writable),
                Ok(Reply::Alive(usable)) => break Ok(usable),
                Err(cause) => break Err(cause),
            }
        };
        assert_eq!(link.sent, check.request);
        (pauses, result)
    }

    #[test]
    fn a_probe_can_be_put_aside() {
        let (pauses, result) = ask(&["", "HTTP/1.1 204 N", "", "o\r\n\r\n"]);
        assert_eq!(result, Ok(true));
        assert_eq!(pauses.iter().filter(|writable| !**writable).count(), 2, "{pauses:?}");
        assert!(pauses.contains(&true));
    }

    #[test]
    fn what_a_probe_may_find() {
        let of = |portions: &[&'static str]| ask(portions).1;
        assert_eq!(of(&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"]), Ok(true));
        assert_eq!(of(&["HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"]), Ok(false));
        assert_eq!(of(&["HTTP/1.0 200 OK\r\n\r\n"]), Ok(false));
        assert_eq!(of(&["HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"]), Err(Cause::ProbeStatus(503)));
        assert_eq!(of(&[]), Err(Cause::Link(LinkError::Closed)));
        assert_eq!(of(&["HTTP/1.1 2"]), Err(Cause::Cut));
        assert!(matches!(of(&["AB\0\u{1}\u{9}"]), Err(Cause::Protocol(_))));
    }

    #[test]
    fn only_what_can_be_asked_for() {
        assert_eq!(Check::new("up", "a", Statuses::SERVING), None);
        assert_eq!(Check::new("/up", "a b", Statuses::SERVING), None);
    }
}
