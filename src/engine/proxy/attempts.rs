//! The attempts of one request on one worker, seen from outside: what they need and what comes of them. [`super::run`]
//! makes them.

use std::time::Duration;

use super::buffers::Buffers;
use super::host::Host;
use super::http::HttpView;
use super::pump::{Manner, Traffic};
use super::run::{Progress, Run};
use super::tunnel::Summary;
use crate::engine::error::{Failure, RetryPolicy};
use crate::engine::exchange::Link;
use crate::engine::request::WorkerFacts;
use crate::engine::units::Tick;

/// Where connections come from.
pub trait Links {
    /// An established connection.
    type Link: Link;

    /// A connection and whether it has carried an exchange before. `fresh`: do not take one from the pool.
    ///
    /// # Errors
    /// Nothing was sent: the pool is exhausted or no address answers.
    fn acquire(&self, fresh: bool) -> Result<(Self::Link, bool), Failure>;

    /// As [`Links::acquire`], without waiting: what has to be waited for is known here. To be called again with the same `fresh`
    /// when that has come, or the time is over.
    ///
    /// # Errors
    /// As there.
    fn reach(&self, fresh: bool) -> Result<Reached<Self::Link>, Failure> {
        self.acquire(fresh).map(|(link, reused)| Reached::Link(link, reused))
    }

    /// Gives back a connection that may carry another exchange. `now`: the time.
    fn release(&self, link: Self::Link, now: Tick);

    /// Closes a connection. `abrupt`: with a reset, so that the backend notices at once.
    fn discard(&self, link: Self::Link, abrupt: bool);

    /// Waits before another attempt.
    fn pause(&self, time: Duration);
}

/// Result of [`Links::reach`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached<L> {
    /// A connection and whether it has carried an exchange before.
    Link(L, bool),
    /// There is none yet: so long at most until another look makes sense; `None`: for ever.
    Wait(Option<Duration>),
}

/// What the attempts need to know of the worker.
#[derive(Debug, Clone, Copy)]
pub struct WorkerView<'a> {
    /// It speaks HTTP; `None`: AJP.
    pub http: Option<&'a HttpView>,
    /// What the worker adds to the request.
    pub facts: WorkerFacts<'a>,
    /// AJP packet size, 8192 to 65536; over HTTP the largest piece of request body.
    pub max_packet: usize,
    /// Largest payload accepted from the backend.
    pub receive_limit: usize,
    /// Most octets of request body in the packet that is kept for a repetition: what the smallest packet of all workers
    /// that may get it takes.
    pub first_body: usize,
    /// Limits and flush behaviour.
    pub manner: Manner<'a>,
    /// Longest time for what follows connecting, a TLS handshake; `None`: as long as the client is waited for.
    pub establish: Option<Duration>,
    /// CPing or probe on a new connection, waiting so long.
    pub connect_ping: Option<Duration>,
    /// CPing or probe on a pooled connection, waiting so long.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Octets moved by the last attempt.
    pub traffic: Traffic,
    /// Attempts that were made.
    pub attempts: u32,
    /// When the last octet had been passed on.
    pub ended: Tick,
    /// The backend answered without reading the whole body of the request.
    pub body_left: bool,
    /// Nothing was delivered: httpd is to answer with this status (`use_server_errors`).
    pub replaced: Option<u16>,
    /// The backend sent octets behind the announced headers of its head.
    pub surplus: bool,
    /// The backend asked for the connection to be closed, or it had to be.
    pub reusable: bool,
    /// The connection has left HTTP, and so it went on.
    pub tunnel: Option<Summary>,
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
    let mut run = Run::new(Box::new(std::mem::take(buffers)), None);
    let result = loop {
        match run.step(host, links, worker, true, &mut report) {
            Progress::Done(result) => break result,
            Progress::Wait(_) => {} // blocking steps do not wait outside; hosts that do not switch have no tunnels
        }
    };
    *buffers = *run.take_buffers();
    result.map_err(|last| {
        report(host, &last);
        last.failure
    })
}
