//! One request on one worker: acquire a connection, run the exchange on it, classify what went wrong, try again.
//!
//! An attempt takes a connection (a pooled one if there is one), probes it when the worker asks for that, sends the request
//! and passes the response on. What may be repeated is decided by [`Failure::may_retry`] alone.
//!
//! The machine can be put aside wherever it would wait: [`Run::step`] says what for, and is called
//! again when that has come or [`Run::expire`] was told that it has not. A blocking step waits by itself instead.
//!
//! Source: the retry loop of mod_jk's `ajp_service`, with its unsafe repetitions left out.

use std::time::Duration;

use super::attempts::{Attempt, Links, Reached, Served, WorkerView};
use super::buffers::Buffers;
use super::host::{BodyRead, Host, fill};
use super::http::{self, Question, Reply};
use super::pump::{Interest, Pump, Traffic};
use super::running::{Drive, Remains, Running};
use crate::engine::error::{Cause, ClientFault, Failure, Stage};
use crate::engine::exchange::{Exchange, Link, LinkError};
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
}

impl Wait {
    /// For a connection, or a place.
    pub fn for_place(patience: Option<Duration>) -> Self {
        Self { link_readable: false, place: true, interest: NOTHING, patience }
    }

    /// For the time to pass.
    pub fn pause(time: Duration) -> Self {
        Self { link_readable: false, place: false, interest: NOTHING, patience: Some(time) }
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
    phase: Phase<L>,
    /// The exchange of the phase of that name. Not inside it: phases are moved about, and this is large.
    running: Option<Running>,
    buffers: Buffers,
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
}

#[derive(Debug)]
enum Phase<L> {
    /// Nothing has been done for the next attempt.
    Acquire,
    /// A CPing or probe is under way.
    Ping { link: L, reused: bool, ping: Question, timeout: Duration, until: Tick },
    /// The connection is good; the first body packet may have to be read.
    Ready { link: L, reused: bool },
    /// The exchange runs.
    Exchange { link: L, reused: bool, interest: Option<Interest> },
    /// Between two attempts.
    Pause { until: Tick },
    /// It is over.
    Over,
}

/// The result of one phase.
enum After<L> {
    Next(Phase<L>),
    Wait(Phase<L>, Wait),
    End(Result<Served, Failure>),
}

const NOTHING: Interest = Interest { link_writable: false, client_readable: false, client_writable: false };

impl<L: Link> Run<L> {
    /// A request that has not been tried, or that another worker has failed to serve: then `kept` is the length of the body
    /// packet in `buffers.body` that was read for it.
    pub fn new(buffers: Buffers, kept: Option<usize>) -> Self {
        Self {
            phase: Phase::Acquire,
            running: None,
            buffers,
            kept,
            number: 0,
            fresh: false,
            proven: false,
            traffic: Traffic::default(),
            expired: false,
            alone: false,
        }
    }

    /// The buffers, and the length of the first body packet in them if it was read and is still there. This is over then.
    pub fn take_parts(&mut self) -> (Buffers, Option<usize>) {
        self.phase = Phase::Over;
        (std::mem::take(&mut self.buffers), self.kept)
    }

    /// The connection that a wait is about.
    pub fn link(&mut self) -> Option<&mut L> {
        match &mut self.phase {
            Phase::Ping { link, .. } | Phase::Ready { link, .. } | Phase::Exchange { link, .. } => Some(link),
            Phase::Acquire | Phase::Pause { .. } | Phase::Over => None,
        }
    }

    /// The buffers, between two steps.
    pub fn buffers(&mut self) -> &mut Buffers {
        match &mut self.running {
            Some(running) => running.buffers(),
            None => &mut self.buffers,
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

    /// Goes as far as possible. `block`: waits inside, so that it is over when this returns. Attempts that are repeated are
    /// told to `report`.
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
            if let Err(error) = http::encode(&mut self.buffers, host, worker) {
                let failure = Failure::early(Cause::Encode(error), Stage::Prepare);
                let traffic = Traffic::default();
                self.phase = Phase::Over;
                return Progress::Done(Err(Attempt { number: 1, failure, traffic, retried: false }));
            }
        }
        loop {
            let after = match std::mem::replace(&mut self.phase, Phase::Over) {
                phase if self.alone => After::End(Err(self.abandon(host, links, worker, phase))),
                Phase::Acquire => self.acquire(host, links, worker, block),
                Phase::Ping { link, reused, ping, timeout, until } => {
                    self.ping(host, links, worker, (link, reused), (ping, timeout, until), block)
                }
                Phase::Ready { link, reused } => self.begin(host, links, worker, (link, reused), block),
                Phase::Exchange { link, reused, interest } => {
                    self.exchange(host, links, worker, (link, reused), interest, block)
                }
                Phase::Pause { until } => self.pause(host, links, until, block),
                Phase::Over => After::End(Err(Failure::early(Cause::Cut, Stage::Prepare))),
            };
            let failure = match after {
                After::Next(phase) => {
                    self.expired = false; // that was about the phase before
                    self.phase = phase;
                    continue;
                }
                After::Wait(phase, wait) => {
                    self.phase = phase;
                    return Progress::Wait(wait);
                }
                After::End(Ok(served)) => {
                    return Progress::Done(Ok(Served { attempts: self.number, ..served }));
                }
                After::End(Err(failure)) => failure,
            };
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
        phase: Phase<L>,
    ) -> Failure {
        let early = |stage| Failure::early(Cause::Client(ClientFault::Gone), stage);
        match phase {
            Phase::Acquire | Phase::Pause { .. } | Phase::Over => early(Stage::Acquire),
            Phase::Ping { link, .. } => {
                links.discard(link, false);
                early(Stage::Ping)
            }
            Phase::Ready { link, reused } => {
                links.discard(link, false);
                Failure { reused, ..early(Stage::Send) }
            }
            Phase::Exchange { link, reused, .. } => {
                let Some(mut running) = self.running.take() else { return early(Stage::Send) };
                let failure = running.client_gone();
                Remains { traffic: self.traffic, buffers: self.buffers, .. } = running.remains();
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
        let refused = matches!(failure.cause, Cause::Link(LinkError::Refused | LinkError::NoAddress));
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

    fn acquire<H: Host, P: Links<Link = L>>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
        block: bool,
    ) -> After<L> {
        let fresh = self.fresh || self.proven;
        let reached = if block {
            links.acquire(fresh).map(|(link, reused)| Reached::Link(link, reused))
        } else {
            links.reach(fresh)
        };
        let (link, reused) = match reached {
            Ok(Reached::Link(link, reused)) => (link, reused),
            Ok(Reached::Wait(patience)) => {
                self.expired = false; // what came of that is known there
                return After::Wait(Phase::Acquire, Wait::for_place(patience));
            }
            Err(failure) => return After::End(Err(failure)),
        };
        let probe = if reused { worker.prepost_ping } else { worker.connect_ping.or(worker.prepost_ping) };
        let proven = std::mem::take(&mut self.proven);
        let question = probe.filter(|_| !proven).and_then(|timeout| Some((timeout, Question::of(worker)?)));
        After::Next(match question {
            None => Phase::Ready { link, reused },
            Some((timeout, ping)) => {
                let until = host.now().after(timeout);
                Phase::Ping { link, reused, ping, timeout, until }
            }
        })
    }

    fn ping<H: Host, P: Links<Link = L>>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
        (mut link, reused): (L, bool),
        (mut state, timeout, until): (Question, Duration, Tick),
        block: bool,
    ) -> After<L> {
        let cause = match state.step(host, worker, &mut link, timeout, block) {
            Ok(Reply::Alive(true)) => return After::Next(Phase::Ready { link, reused }),
            Ok(Reply::Alive(false)) => {
                links.discard(link, false);
                self.proven = true;
                return After::Next(Phase::Acquire);
            }
            Ok(Reply::Wait(writable)) => {
                let left = until.since(host.now());
                if !left.is_zero() && !std::mem::take(&mut self.expired) {
                    let interest = Interest { link_writable: writable, ..NOTHING };
                    let phase = Phase::Ping { link, reused, ping: state, timeout, until };
                    let patience = Some(left);
                    return After::Wait(
                        phase,
                        Wait { link_readable: true, place: false, interest, patience },
                    );
                }
                Cause::Silent { limit_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX) }
            }
            Err(cause) => cause,
        };
        links.discard(link, false);
        After::End(Err(Failure { reused, ..Failure::early(cause, Stage::Ping) }))
    }

    /// Reads the first body packet, if the request has one, and begins the exchange.
    fn begin<H: Host, P: Links<Link = L>>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
        (link, reused): (L, bool),
        block: bool,
    ) -> After<L> {
        match worker.http {
            None => self.first(host, links, worker, (link, reused), block, http::ajp_exchange(host, worker)),
            Some(view) => self.first(
                host,
                links,
                worker,
                (link, reused),
                block,
                http::http_exchange(host, worker, view),
            ),
        }
    }

    /// As [`Run::begin`], in the protocol of the worker.
    fn first<H: Host, P: Links<Link = L>, X: Exchange>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
        (link, reused): (L, bool),
        block: bool,
        exchange: X,
    ) -> After<L>
    where
        Running: From<Pump<X>>,
    {
        if self.kept.is_none()
            && let Some(max) = exchange.first_body()
        {
            // Only now: a backend that is down must not make the client upload its body.
            self.buffers.reserve_body(worker.max_packet);
            let max = max.min(worker.first_body);
            let block = block || host.body_descriptor().is_none();
            match fill(host, &mut self.buffers.body, max, block) {
                Ok(BodyRead::Data(len)) => self.kept = Some(len),
                Ok(BodyRead::WouldBlock) if !std::mem::take(&mut self.expired) => {
                    let interest = Interest { client_readable: true, ..NOTHING };
                    let patience = Some(worker.manner.timing.client);
                    let wait = Wait { link_readable: false, place: false, interest, patience };
                    return After::Wait(Phase::Ready { link, reused }, wait);
                }
                other => {
                    if worker.reuse {
                        links.release(link); // nothing was sent on it
                    } else {
                        links.discard(link, false);
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
            self.buffers.reserve_body(worker.max_packet);
        } else {
            self.buffers.reserve_body(0);
        }
        self.running = Some(Pump::new(exchange, std::mem::take(&mut self.buffers), self.kept).into());
        After::Next(Phase::Exchange { link, reused, interest: None })
    }

    fn exchange<H: Host, P: Links<Link = L>>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
        (mut link, reused): (L, bool),
        interest: Option<Interest>,
        block: bool,
    ) -> After<L> {
        let Some(running) = &mut self.running else {
            return After::End(Err(Failure::early(Cause::Cut, Stage::Prepare)));
        };
        let missed = interest.filter(|_| std::mem::take(&mut self.expired));
        let result = match running.drive(host, &mut link, &worker.manner, missed, block) {
            Drive::Over(result) => result,
            Drive::Wait(interest, patience) => {
                let phase = Phase::Exchange { link, reused, interest: Some(interest) };
                let link_readable = !interest.client_writable;
                return After::Wait(phase, Wait { link_readable, place: false, interest, patience });
            }
        };
        let Remains { traffic, buffers, body_left, replaced, surplus } = running.remains();
        (self.traffic, self.buffers, self.running) = (traffic, buffers, None);
        match result {
            Ok(reusable) => {
                if reusable && worker.reuse {
                    links.release(link);
                } else {
                    links.discard(link, false);
                }
                After::End(Ok(Served { traffic, attempts: 0, body_left, replaced, surplus, reusable }))
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
    ) -> After<L> {
        let left = until.since(host.now());
        if left.is_zero() {
            return After::Next(Phase::Acquire);
        }
        if block {
            links.pause(left);
            return After::Next(Phase::Acquire);
        }
        self.expired = false;
        After::Wait(Phase::Pause { until }, Wait::pause(left))
    }
}
