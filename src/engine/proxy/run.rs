//! One request on one worker: acquire a connection, run the exchange on it, classify what went wrong, try again.
//!
//! An attempt takes a connection (a pooled one if there is one), probes it when the worker asks for that, sends the request
//! and passes the response on. What may be repeated is decided by [`Failure::may_retry`] alone.
//!
//! The machine can be put aside wherever it would wait: [`Run::step`] says what for, and is called
//! again when that has come or [`Run::expire`] was told that it has not. A blocking step waits by itself instead.
//!
//! Source: the retry loop of mod_jk's `ajp_service`, with its unsafe repetitions left out.

mod leave;
mod reach;

use std::time::Duration;

use super::attempts::{Attempt, Links, Served, WorkerView};
use super::buffers::Buffers;
use super::host::{BodyRead, Host, fill};
use super::http::{self, Question, Reply};
use super::pump::{Interest, Pump, Traffic};
use super::running::{Drive, Remains, Running};
use super::tunnel::Tunnel;
use crate::engine::error::{Cause, ClientFault, Failure, Stage};
use crate::engine::exchange::{Exchange, Link, LinkError};
use crate::engine::http1::upgrade::Upgrade;
use crate::engine::units::Tick;

/// What a request on a worker waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The connection to the backend has something to read ([`Run::link`]).
    pub link_readable: bool,
    /// There is no connection yet, or no place for the request: who is asked for it knows what this is about.
    pub place: bool,
    /// What else.
    pub interest: Interest,
    /// How long at most; `None`: for ever.
    pub patience: Option<Duration>,
    /// The wait of a tunnel, which may be long. Also what a blocking step answers, so that somebody else waits.
    pub tunnel: bool,
    /// A hangup of the client is nothing to end for.
    pub blind: bool,
}

impl Wait {
    /// The wait of an exchange.
    pub(super) fn of(link_readable: bool, interest: Interest, patience: Option<Duration>) -> Self {
        Self { link_readable, place: false, interest, patience, tunnel: false, blind: false }
    }

    /// For a connection, or a place.
    pub fn for_place(patience: Option<Duration>) -> Self {
        Self { place: true, ..Self::of(false, NOTHING, patience) }
    }

    /// For the time to pass.
    pub fn pause(time: Duration) -> Self {
        Self::of(false, NOTHING, Some(time))
    }
}

/// How far a step came.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    /// The response is delivered, or the last attempt has failed; it has not been reported.
    Done(Result<Served, Attempt>),
    /// Nothing more can be done before this happens.
    Wait(Wait),
}

/// A request on a worker.
#[derive(Debug)]
pub struct Run<L> {
    phase: Phase,
    // What belongs to a phase and is large stands beside it and is filled in place: phases are moved about.
    /// The connection of the attempt, and whether it has carried an exchange before.
    link: Option<(L, bool)>,
    /// The CPing or probe of the phase of that name.
    question: Option<Question>,
    /// The exchange of the phase of that name, or the last one. It has the buffers.
    running: Option<Running>,
    buffers: Option<Box<Buffers>>,
    /// Length of the first body packet, once it was read.
    kept: Option<usize>,
    number: u32,
    /// Pooled connections are not to be used any more.
    fresh: bool,
    /// The backend has answered a probe, and closed the connection behind it.
    proven: bool,
    traffic: Traffic,
    /// What was waited for last has not come in time.
    expired: bool,
    /// The client is known to be gone.
    alone: bool,
    /// What the backend is asked to change to.
    upgrade: Option<Upgrade>,
    /// The one of the phase of that name.
    tunnel: Option<Box<Tunnel>>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Nothing has been done for the next attempt.
    Acquire,
    /// The connection is new, and something has to be done on it first.
    Establish { until: Option<Tick> },
    /// A CPing or probe is under way.
    Ping { timeout: Duration, until: Tick },
    /// The connection is good; the first body packet may have to be read.
    Ready,
    /// The exchange runs.
    Exchange { interest: Option<Interest> },
    /// The backend has left HTTP, and the client with it. Here nothing fails any more.
    Tunnel,
    /// Between two attempts.
    Pause { until: Tick },
    /// It is over.
    Over,
}

/// The result of one phase.
enum After {
    Next(Phase),
    Wait(Wait),
    End(Result<Served, Failure>),
}

const NOTHING: Interest = Interest { link_writable: false, client_readable: false, client_writable: false };

impl<L: Link> Run<L> {
    /// A request that has not been tried, or that another worker has failed to serve: then `kept` is the length of the body
    /// packet in `buffers.body` that was read for it.
    #[inline]
    pub fn new(buffers: Box<Buffers>, kept: Option<usize>) -> Self {
        Self {
            phase: Phase::Acquire,
            link: None,
            question: None,
            running: None,
            buffers: Some(buffers),
            kept,
            number: 0,
            fresh: false,
            proven: false,
            traffic: Traffic::default(),
            expired: false,
            alone: false,
            upgrade: None,
            tunnel: None,
        }
    }

    /// Begins anew, on another worker. What was read of the request body stays.
    pub fn restart(&mut self) {
        self.link = None;
        let buffers = self.regain();
        self.buffers = Some(buffers);
        (self.phase, self.number, self.traffic) = (Phase::Acquire, 0, Traffic::default());
        (self.fresh, self.proven, self.expired, self.alone) = (false, false, false, false);
    }

    /// The buffers. This is over then.
    pub fn take_buffers(&mut self) -> Box<Buffers> {
        self.link = None;
        self.phase = Phase::Over;
        self.regain()
    }

    /// Takes the buffers from where they are.
    fn regain(&mut self) -> Box<Buffers> {
        match self.running.take() {
            Some(running) => running.into_buffers(),
            None => self.buffers.take().unwrap_or_default(),
        }
    }

    /// The connection that a wait is about.
    pub fn link(&mut self) -> Option<&mut L> {
        self.link.as_mut().map(|(link, _)| link)
    }

    /// The buffers, between two steps.
    pub fn buffers(&mut self) -> &mut Buffers {
        match &mut self.running {
            Some(running) => running.buffers(),
            None => self.buffers.get_or_insert_default(),
        }
    }

    /// What was waited for has not come within its time; the next step draws the conclusion.
    pub fn expire(&mut self) {
        self.expired = true;
    }

    /// The client is gone; the next step ends the request.
    pub fn lose_client(&mut self) {
        self.alone = true;
    }

    /// Goes as far as possible. `block`: waits inside, so that it is over when this returns, or has become a tunnel, whose
    /// steps never wait inside. Attempts that are repeated are told to `report`.
    pub fn step<H: Host, P: Links<Link = L>>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
        block: bool,
        mut report: impl FnMut(&mut H, &Attempt),
    ) -> Progress {
        if self.number == 0 {
            self.number = 1;
            match http::encode(self.buffers(), host, worker) {
                Ok(upgrade) => self.upgrade = upgrade,
                Err(error) => {
                    let failure = Failure::early(Cause::Encode(error), Stage::Prepare);
                    let traffic = Traffic::default();
                    self.phase = Phase::Over;
                    return Progress::Done(Err(Attempt { number: 1, failure, traffic, retried: false }));
                }
            }
        }
        loop {
            let after = match self.phase {
                Phase::Tunnel => self.tunnel(host, links, worker),
                _ if self.alone => After::End(Err(self.abandon(host, links, worker))),
                Phase::Acquire => self.acquire(host, links, worker, block),
                Phase::Establish { until } => self.establish(host, links, worker, until, block),
                Phase::Ping { timeout, until } => self.ping(host, links, worker, (timeout, until), block),
                Phase::Ready => self.begin(host, links, worker, block),
                Phase::Exchange { interest } => self.exchange(host, links, worker, interest, block),
                Phase::Pause { until } => self.pause(host, links, until, block),
                Phase::Over => After::End(Err(Failure::early(Cause::Cut, Stage::Prepare))),
            };
            let failure = match after {
                After::Next(phase) => {
                    self.expired = false; // that was about the phase before
                    self.phase = phase;
                    continue;
                }
                After::Wait(wait) => return Progress::Wait(wait),
                After::End(Ok(served)) => {
                    self.phase = Phase::Over;
                    return Progress::Done(Ok(served));
                }
                After::End(Err(failure)) => failure,
            };
            self.phase = Phase::Over;
            if let Some(last) = self.again(host, worker, failure, &mut report) {
                return Progress::Done(Err(last));
            }
        }
    }

    /// Ends everything for a client that is gone.
    fn abandon<H: Host, P: Links<Link = L>>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
    ) -> Failure {
        let early = |stage| Failure::early(Cause::Client(ClientFault::Gone), stage);
        let Some((link, reused)) = self.link.take() else { return early(Stage::Acquire) };
        match self.phase {
            Phase::Acquire | Phase::Pause { .. } | Phase::Over => early(Stage::Acquire),
            Phase::Establish { .. } => {
                links.discard(link, false);
                early(Stage::Connect)
            }
            Phase::Tunnel => {
                links.discard(link, false);
                early(Stage::Body)
            }
            Phase::Ping { .. } => {
                links.discard(link, false);
                early(Stage::Ping)
            }
            Phase::Ready => {
                links.discard(link, false);
                Failure { reused, ..early(Stage::Send) }
            }
            Phase::Exchange { .. } => {
                let Some(running) = &self.running else { return early(Stage::Send) };
                let failure = running.client_gone();
                self.traffic = running.remains().traffic;
                links.discard(link, worker.abrupt_on_client_error);
                if !failure.delivered {
                    host.forget_response();
                }
                Failure { reused, ..failure }
            }
        }
    }

    /// Prepares another attempt after `failure`; `Some`: there is none.
    fn again<H: Host>(
        &mut self,
        host: &mut H,
        worker: &WorkerView<'_>,
        failure: Failure,
        report: &mut impl FnMut(&mut H, &Attempt),
    ) -> Option<Attempt> {
        let allowed = failure.may_retry(host.head().method, worker.policy);
        // A pooled connection that the backend closed meanwhile says nothing about the backend: one more try is free.
        let stale = failure.reused
            && !failure.replied
            && !self.fresh
            && !matches!(failure.cause, Cause::Silent { .. } | Cause::ProbeStatus(_));
        let refused = match failure.cause {
            Cause::Link(LinkError::Refused | LinkError::NoAddress) => true,
            Cause::Link(LinkError::Tls(fault)) => failure.stage == Stage::Connect || fault.refused(),
            _ => false,
        };
        let retried = allowed && !refused && (stale || self.number < worker.attempts);
        let traffic = std::mem::take(&mut self.traffic);
        let attempt = Attempt { number: self.number, failure, traffic, retried };
        if !retried {
            return Some(attempt);
        }
        report(host, &attempt);
        self.fresh = true;
        self.phase = if stale {
            Phase::Acquire
        } else {
            self.number += 1;
            Phase::Pause { until: host.now().after(worker.pause) }
        };
        None
    }

    fn ping<H: Host, P: Links<Link = L>>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
        (timeout, until): (Duration, Tick),
        block: bool,
    ) -> After {
        let (Some((link, _)), Some(question)) = (&mut self.link, &mut self.question) else {
            return After::End(Err(Failure::early(Cause::Cut, Stage::Prepare)));
        };
        let cause = match question.step(host, worker, link, timeout, block) {
            Ok(Reply::Alive(true)) => {
                self.question = None;
                return After::Next(Phase::Ready);
            }
            Ok(Reply::Alive(false)) => {
                self.question = None;
                self.discard(links, false);
                self.proven = true;
                return After::Next(Phase::Acquire);
            }
            Ok(Reply::Wait(writable)) => {
                let left = until.since(host.now());
                if !left.is_zero() && !std::mem::take(&mut self.expired) {
                    let interest = Interest { link_writable: writable, ..NOTHING };
                    return After::Wait(Wait::of(true, interest, Some(left)));
                }
                Cause::Silent { limit_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX) }
            }
            Err(cause) => cause,
        };
        self.question = None;
        let reused = self.discard(links, false);
        After::End(Err(Failure { reused, ..Failure::early(cause, Stage::Ping) }))
    }

    /// Closes the connection. True: it had carried an exchange before this attempt.
    fn discard<P: Links<Link = L>>(&mut self, links: &P, abrupt: bool) -> bool {
        let Some((link, reused)) = self.link.take() else { return false };
        links.discard(link, abrupt);
        reused
    }

    /// Reads the first body packet, if the request has one, and begins the exchange.
    fn begin<H: Host, P: Links<Link = L>>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
        block: bool,
    ) -> After {
        match worker.http {
            None => self.first(host, links, worker, block, http::ajp_exchange(host, worker)),
            Some(view) => {
                let exchange = http::http_exchange(host, worker, view, self.upgrade);
                self.first(host, links, worker, block, exchange)
            }
        }
    }

    /// As [`Run::begin`], in the protocol of the worker.
    #[inline]
    fn first<H: Host, P: Links<Link = L>, X: Exchange>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
        block: bool,
        exchange: X,
    ) -> After
    where
        Running: From<Pump<X>>,
    {
        let mut buffers = self.regain();
        if self.kept.is_none()
            && let Some(max) = exchange.first_body()
        {
            // Only now: a backend that is down must not make the client upload its body.
            buffers.reserve_body(worker.max_packet);
            let max = max.min(worker.first_body);
            let block = block || host.body_descriptor().is_none();
            match fill(host, &mut buffers.body, max, block) {
                Ok(BodyRead::Data(len)) => self.kept = Some(len),
                Ok(BodyRead::WouldBlock) if !std::mem::take(&mut self.expired) => {
                    let interest = Interest { client_readable: true, ..NOTHING };
                    let patience = Some(worker.manner.timing.client);
                    self.buffers = Some(buffers);
                    return After::Wait(Wait::of(false, interest, patience));
                }
                other => {
                    self.buffers = Some(buffers);
                    match self.link.take() {
                        // Nothing was sent on it.
                        Some((link, _)) if worker.reuse => links.release(link, host.now()),
                        Some((link, _)) => links.discard(link, false),
                        None => {}
                    }
                    let fault = match other {
                        Err(fault) => fault,
                        Ok(BodyRead::WouldBlock) => ClientFault::Body(408),
                        Ok(_) => ClientFault::Body(400),
                    };
                    return After::End(Err(Failure::early(Cause::Client(fault), Stage::Send)));
                }
            }
        } else if exchange.body_owed() {
            buffers.reserve_body(worker.max_packet);
        } else {
            buffers.reserve_body(0);
        }
        self.running = Some(Pump::new(exchange, buffers, self.kept).into());
        After::Next(Phase::Exchange { interest: None })
    }

    fn exchange<H: Host, P: Links<Link = L>>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
        interest: Option<Interest>,
        block: bool,
    ) -> After {
        let (Some(running), Some((link, _))) = (&mut self.running, &mut self.link) else {
            return After::End(Err(Failure::early(Cause::Cut, Stage::Prepare)));
        };
        let missed = interest.filter(|_| std::mem::take(&mut self.expired));
        let result = match running.drive(host, link, &worker.manner, missed, block) {
            Drive::Over(result) => result,
            Drive::Wait(interest, patience) => {
                self.phase = Phase::Exchange { interest: Some(interest) };
                let link_readable = !interest.client_writable;
                return After::Wait(Wait::of(link_readable, interest, patience));
            }
        };
        let Remains { traffic, body_left, replaced, surplus, switched } = running.remains();
        let Some((link, reused)) = self.link.take() else {
            return After::End(Err(Failure::early(Cause::Cut, Stage::Prepare)));
        };
        self.traffic = traffic;
        match result {
            Ok(_) if switched => {
                self.link = Some((link, reused));
                self.switch(host, links)
            }
            Ok(reusable) => {
                let ended = host.now();
                if reusable && worker.reuse {
                    links.release(link, ended);
                } else {
                    links.discard(link, false);
                }
                After::End(Ok(Served {
                    traffic,
                    attempts: self.number,
                    ended,
                    body_left,
                    replaced,
                    surplus,
                    reusable,
                    tunnel: None,
                }))
            }
            Err(failure) => {
                let client = matches!(failure.cause, Cause::Client(_));
                links.discard(link, client && worker.abrupt_on_client_error);
                if !failure.delivered {
                    host.forget_response();
                }
                After::End(Err(Failure { reused, ..failure }))
            }
        }
    }

    fn pause<H: Host, P: Links<Link = L>>(
        &mut self,
        host: &mut H,
        links: &P,
        until: Tick,
        block: bool,
    ) -> After {
        let left = until.since(host.now());
        if left.is_zero() {
            return After::Next(Phase::Acquire);
        }
        if block {
            links.pause(left);
            return After::Next(Phase::Acquire);
        }
        self.expired = false;
        After::Wait(Wait::pause(left))
    }
}
