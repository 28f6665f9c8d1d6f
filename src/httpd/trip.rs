//! A request on its way to a backend and back, to a single worker or through a balancer: a value that can be put aside.

use std::os::fd::AsRawFd as _;
use std::time::Duration;

use super::config::Live;
use super::host::HttpdHost;
use super::{balanced, single};
use crate::engine::error::Failure;
use crate::engine::http1::proxy_protocol::{self, Source, SourceTls};
use crate::engine::proxy::run::Wait;
use crate::engine::proxy::{Buffers, Served};
use crate::engine::request::Request as _;
use crate::engine::route::extensions::Extensions;
use crate::engine::units::Tick;
use crate::transport::pool::Lease;

/// What there is to know about a request besides the request itself.
#[derive(Clone, Copy)]
pub(super) struct Order<'r> {
    /// The server's settings.
    pub live: &'r Live,
    /// Options of the rule.
    pub extensions: &'r Extensions,
    /// `fail_on_status` of the rule.
    pub fail_on: Option<&'r [i32]>,
    /// The path to forward.
    pub uri: &'r [u8],
    /// When it began.
    pub begun: Tick,
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TripWait {
    /// The descriptor of the connection to the backend, or of what has to come before it; `None`: it does not matter.
    pub link: Option<i32>,
    /// It has to be readable.
    pub link_readable: bool,
    /// Or writable.
    pub link_writable: bool,
    /// The client has to send more of the request body.
    pub client_readable: bool,
    /// The client has to take what was written.
    pub client_writable: bool,
    /// How long at most; `None`: for ever. Then call `Trip::expire`.
    pub patience: Option<Duration>,
    /// The wait of a connection that has left HTTP. Even a blocking step does not wait for it.
    pub tunnel: bool,
    /// A hangup of the client means nothing.
    pub blind: bool,
}

/// How far a step came.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    /// It is over; everything is logged.
    Done(Result<Served, Failure>),
    /// Nothing more can be done before this happens.
    Wait(TripWait),
}

/// A request on its way. Both kinds are large and stay where they were made, unless the request is put aside.
pub(super) trait Way<'r> {
    /// Goes as far as possible. `block`: waits inside, so that it is over when this returns, or is a tunnel.
    fn step(&mut self, host: &mut HttpdHost<'r>, block: bool) -> Progress;

    /// What was waited for has not come within its time; the next step draws the conclusion.
    fn expire(&mut self);

    /// The client is gone; the next step ends the request. False: there is nothing to end, it should be dropped.
    fn lose_client(&mut self) -> bool;

    /// The buffers, between two steps.
    fn buffers(&mut self) -> &mut Buffers;

    /// The buffers, once it is over.
    fn take_buffers(&mut self) -> Box<Buffers>;
}

/// A request on its way that has been put aside.
#[expect(clippy::large_enum_variant, reason = "is put into a box with everything else at once")]
pub(super) enum Trip<'r> {
    /// To a worker of type `ajp13` or `http`.
    Single(single::Trip<'r>),
    /// Through one of type `lb`.
    Balanced(balanced::Trip<'r>),
}

impl<'r> From<single::Trip<'r>> for Trip<'r> {
    fn from(trip: single::Trip<'r>) -> Self {
        Self::Single(trip)
    }
}

impl<'r> From<balanced::Trip<'r>> for Trip<'r> {
    fn from(trip: balanced::Trip<'r>) -> Self {
        Self::Balanced(trip)
    }
}

impl<'r> Way<'r> for Trip<'r> {
    fn step(&mut self, host: &mut HttpdHost<'r>, block: bool) -> Progress {
        match self {
            Self::Single(trip) => trip.step(host, block),
            Self::Balanced(trip) => trip.step(host, block),
        }
    }

    fn expire(&mut self) {
        match self {
            Self::Single(trip) => trip.expire(),
            Self::Balanced(trip) => trip.expire(),
        }
    }

    fn lose_client(&mut self) -> bool {
        match self {
            Self::Single(trip) => trip.lose_client(),
            Self::Balanced(trip) => trip.lose_client(),
        }
    }

    fn buffers(&mut self) -> &mut Buffers {
        match self {
            Self::Single(trip) => trip.buffers(),
            Self::Balanced(trip) => trip.buffers(),
        }
    }

    fn take_buffers(&mut self) -> Box<Buffers> {
        match self {
            Self::Single(trip) => trip.take_buffers(),
            Self::Balanced(trip) => trip.take_buffers(),
        }
    }
}

/// What stands in front of a connection for the client of this request: a PROXY header, version 2.
pub(super) fn source(host: &HttpdHost<'_>) -> Vec<u8> {
    let head = host.head();
    let port = head.remote_port.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    let tls = head.secure.then(|| SourceTls {
        verified: head.tls.certificate.is_some(),
        version: head.tls.protocol,
        cipher: head.tls.cipher,
    });
    let source = Source {
        remote_addr: head.remote_addr.unwrap_or_default(),
        remote_port: port.unwrap_or(0),
        local_addr: head.local_addr.unwrap_or_default(),
        local_port: head.server_port,
        authority: Some(head.server_name).filter(|name| !name.is_empty()),
        tls,
    };
    let mut header = Vec::with_capacity(256);
    proxy_protocol::header(&mut header, Some(&source));
    header
}

/// The wait of the engine with the descriptor it is about: that of the connection, or the one that tells of a `place`, which has to
/// become writable if that is true, else readable.
pub(super) fn waiting(wait: Wait, link: Option<&mut Lease>, place: Option<(i32, bool)>) -> TripWait {
    let place = place.filter(|_| wait.place);
    let link = link.filter(|_| wait.link_readable || wait.interest.link_writable);
    TripWait {
        link: link.map(|link| link.as_raw_fd()).or(place.map(|(fd, _)| fd)),
        link_readable: wait.link_readable || place.is_some(),
        link_writable: wait.interest.link_writable || place.is_some_and(|(_, writable)| writable),
        client_readable: wait.interest.client_readable,
        client_writable: wait.interest.client_writable,
        patience: wait.patience,
        tunnel: wait.tunnel,
        blind: wait.blind,
    }
}
