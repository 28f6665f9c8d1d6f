//! The attempts of one request on one worker.
//!
//! An attempt takes a connection (a pooled one if there is one), probes it when the worker asks for that, sends the request
//! and passes the response on. What may be repeated is decided by [`Failure::may_retry`] alone.
//!
//! Source: the retry loop of mod_jk's `ajp_service`, with its unsafe repetitions left out.

use std::time::Duration;

use super::buffers::Buffers;
use super::host::{BodyRead, Host};
use super::pump::{Manner, Pump, Traffic, fill};
use crate::engine::ajp::{self, client, control};
use crate::engine::error::{Cause, ClientFault, Failure, RetryPolicy, Stage};
use crate::engine::exchange::{Exchange, Link, LinkError};
use crate::engine::request::WorkerFacts;

/// Where connections come from.
pub trait Links {
    /// An established connection.
    type Link: Link;

    /// A connection and whether it has carried an exchange before. `fresh`: do not take one from the pool.
    ///
    /// # Errors
    /// Nothing was sent: the pool is exhausted or no address answers.
    fn acquire(&self, fresh: bool) -> Result<(Self::Link, bool), Failure>;

    /// Gives back a connection that may carry another exchange.
    fn release(&self, link: Self::Link);

    /// Closes a connection. `abrupt`: with a reset, so that the backend notices at once.
    fn discard(&self, link: Self::Link, abrupt: bool);

    /// Waits before another attempt.
    fn pause(&self, time: Duration);
}

/// What the attempts need to know of the worker.
#[derive(Debug, Clone, Copy)]
pub struct WorkerView<'a> {
    /// What the worker adds to the request.
    pub facts: WorkerFacts<'a>,
    /// AJP packet size, 8192 to 65536.
    pub max_packet: usize,
    /// Largest payload accepted from the backend.
    pub receive_limit: usize,
    /// Limits and flush behaviour.
    pub manner: Manner<'a>,
    /// CPing on a new connection, waiting so long.
    pub connect_ping: Option<Duration>,
    /// CPing on a pooled connection, waiting so long.
    pub prepost_ping: Option<Duration>,
    /// Attempts, at least 1.
    pub attempts: u32,
    /// Pause between attempts.
    pub pause: Duration,
    /// What may be repeated.
    pub policy: RetryPolicy,
    /// Connections are kept after an exchange.
    pub reuse: bool,
    /// A connection whose client vanished is reset (`recovery_options` bit 4).
    pub abrupt_on_client_error: bool,
}

/// A failed attempt, for the log.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// What happened.
    pub failure: Failure,
    /// Octets moved.
    pub traffic: Traffic,
    /// Another attempt follows.
    pub retried: bool,
}

/// A delivered response.
#[derive(Debug, Clone, Copy)]
pub struct Served {
    /// Octets moved by the last attempt.
    pub traffic: Traffic,
    /// Attempts that were made.
    pub attempts: u32,
    /// The backend answered without reading the whole body of the request.
    pub body_left: bool,
    /// Nothing was delivered: httpd is to answer with this status (`use_server_errors`).
    pub replaced: Option<u16>,
    /// The backend sent octets behind the announced headers of its head.
    pub surplus: bool,
    /// The backend asked for the connection to be closed, or it had to be.
    pub reusable: bool,
}

/// Sends the request and delivers the response, with as many attempts as the worker allows.
///
/// # Errors
/// The failure of the last attempt; every one has been reported to `report` before.
pub fn serve<H: Host, P: Links>(
    host: &mut H,
    links: &P,
    worker: &WorkerView<'_>,
    buffers: &mut Buffers,
    mut report: impl FnMut(&mut H, &Attempt),
) -> Result<Served, Failure> {
    if let Err(error) = ajp::forward::encode(&mut buffers.head, host, &worker.facts, worker.max_packet) {
        let failure = Failure::early(Cause::Encode(error.into()), Stage::Prepare);
        report(host, &Attempt { number: 1, failure, traffic: Traffic::default(), retried: false });
        return Err(failure);
    }
    let mut kept = None;
    let mut number = 1;
    let mut fresh = false;
    loop {
        let mut traffic = Traffic::default();
        let failure = match attempt(host, links, worker, buffers, &mut kept, fresh, &mut traffic) {
            Ok(mut served) => {
                served.attempts = number;
                return Ok(served);
            }
            Err(failure) => failure,
        };
        let allowed = {
            let head = host.head();
            failure.may_retry(head.method, worker.policy)
        };
        // A pooled connection that the backend closed meanwhile says nothing about the backend: one more try is free.
        let stale =
            failure.reused && !failure.replied && !fresh && !matches!(failure.cause, Cause::Silent { .. });
        let refused = matches!(failure.cause, Cause::Link(LinkError::Refused | LinkError::NoAddress));
        let retried = allowed && !refused && (stale || number < worker.attempts);
        report(host, &Attempt { number, failure, traffic, retried });
        if !retried {
            return Err(failure);
        }
        fresh = true;
        if !stale {
            number += 1;
            links.pause(worker.pause);
        }
    }
}

/// One attempt.
fn attempt<H: Host, P: Links>(
    host: &mut H,
    links: &P,
    worker: &WorkerView<'_>,
    buffers: &mut Buffers,
    kept: &mut Option<usize>,
    fresh: bool,
    traffic: &mut Traffic,
) -> Result<Served, Failure> {
    let (mut link, reused) = links.acquire(fresh)?;
    let probe = if reused { worker.prepost_ping } else { worker.connect_ping.or(worker.prepost_ping) };
    if let Some(timeout) = probe
        && let Err(cause) = ping(&mut link, timeout)
    {
        links.discard(link, false);
        return Err(Failure { reused, ..Failure::early(cause, Stage::Ping) });
    }
    let (body, bodiless) = {
        let head = host.head();
        (head.body, head.method == b"HEAD")
    };
    let limits = client::Limits { max_packet: worker.max_packet, receive_limit: worker.receive_limit };
    let exchange = client::Client::new(limits, body, bodiless);
    if kept.is_none()
        && let Some(max) = exchange.first_body()
    {
        // Only now: a backend that is down must not make the client upload its body.
        buffers.reserve_body(worker.max_packet);
        match fill(host, &mut buffers.body, max, true) {
            Ok(BodyRead::Data(len)) => *kept = Some(len),
            other => {
                if worker.reuse {
                    links.release(link); // nothing was sent on it
                } else {
                    links.discard(link, false);
                }
                let fault = other.err().unwrap_or(ClientFault::Body(400));
                return Err(Failure::early(Cause::Client(fault), Stage::Send));
            }
        }
    } else if exchange.body_owed() {
        buffers.reserve_body(worker.max_packet);
    } else {
        buffers.reserve_body(0);
    }
    let mut pump = Pump::new(exchange, buffers, *kept);
    let result = pump.run(host, &mut link, &worker.manner);
    *traffic = pump.traffic();
    match result {
        Ok(reusable) => {
            let served = Served {
                traffic: pump.traffic(),
                attempts: 0,
                body_left: pump.body_owed(),
                replaced: pump.replaced(),
                surplus: pump.exchange().surplus(),
                reusable,
            };
            if reusable && worker.reuse {
                links.release(link);
            } else {
                links.discard(link, false);
            }
            Ok(served)
        }
        Err(failure) => {
            let client = matches!(failure.cause, Cause::Client(_));
            links.discard(link, client && worker.abrupt_on_client_error);
            if failure.delivered {
                return Err(Failure { reused, ..failure });
            }
            host.forget_response();
            Err(Failure { reused, ..failure })
        }
    }
}

/// Asks the backend whether it is alive.
///
/// # Errors
/// It did not answer with a CPong in time.
pub fn ping<L: Link>(link: &mut L, timeout: Duration) -> Result<(), Cause> {
    let mut left: &[u8] = &control::CPING;
    while !left.is_empty() {
        match link.send(&[left]) {
            Ok(0) => link.wait(true, None, timeout).map_err(Cause::Link)?,
            Ok(n) => left = left.get(n..).unwrap_or_default(),
            Err(error) => return Err(Cause::Link(error)),
        }
    }
    let mut wait = control::PongWait::default();
    let mut buffer = [0; 16];
    loop {
        let n = match link.recv_blocking(&mut buffer, Some(timeout)) {
            Ok(n) => n,
            Err(LinkError::TimedOut) => {
                let limit_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                return Err(Cause::Silent { limit_ms });
            }
            Err(error) => return Err(Cause::Link(error)),
        };
        let input = buffer.get(..n).unwrap_or_default();
        match wait.feed(input) {
            Ok(Some(used)) if used == n => return Ok(()),
            Ok(Some(_)) => return Err(Cause::Cut), // octets behind the CPong: out of step
            Ok(None) => {}
            Err(malformed) => return Err(Cause::Protocol(malformed.into())),
        }
    }
}
