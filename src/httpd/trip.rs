//! A request on its way to a backend and back, to a single worker or through a balancer: a value that can be put aside.

use std::os::fd::AsRawFd as _;
use std::time::Duration;

use super::config::Live;
use super::host::HttpdHost;
use super::runtime::Worker;
use super::{balanced, single};
use crate::engine::error::{Cause, Failure, Stage};
use crate::engine::proxy::run::Wait;
use crate::engine::proxy::{Buffers, Served};
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
    /// The descriptor of the connection to the backend, or of what has to come before it, which has to be readable; `None`: it does
    /// not matter.
    pub link: Option<i32>,
    /// Or writable.
    pub link_writable: bool,
    /// The client has to send more of the request body.
    pub client_readable: bool,
    /// The client has to take what was written.
    pub client_writable: bool,
    /// How long at most; `None`: for ever. Then call `Trip::expire`.
    pub patience: Option<Duration>,
}

/// How far a step came.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    /// It is over; everything is logged.
    Done(Result<Served, Failure>),
    /// Nothing more can be done before this happens.
    Wait(TripWait),
}

/// A request on its way.
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack of the handler; an allocation costs more than the room"
)]
pub(super) enum Trip<'r> {
    /// To a worker of type `ajp13` or `http`.
    Single(single::Trip<'r>),
    /// Through one of type `lb`.
    Balanced(balanced::Trip<'r>),
}

impl<'r> Trip<'r> {
    /// Begins. `block`: may wait for a place at the worker.
    ///
    /// # Errors
    /// The worker has too much to do; this is logged.
    pub(super) fn begin(
        host: &mut HttpdHost<'r>,
        worker: Worker<'r>,
        order: Order<'r>,
        buffers: Buffers,
        block: bool,
    ) -> Result<Self, Failure> {
        match worker {
            Worker::Single(worker) => {
                single::Trip::begin(host, worker, order, buffers, block).map(Self::Single)
            }
            Worker::Balancer(farm) => {
                Ok(Self::Balanced(balanced::Trip::begin(host.request(), farm, order, buffers)))
            }
            // It is answered here and has no trip to make.
            Worker::Status(_) => Err(Failure::early(Cause::NoMember, Stage::Acquire)),
        }
    }

    /// Goes as far as possible. `block`: waits inside, so that it is over when this returns.
    pub(super) fn step(&mut self, host: &mut HttpdHost<'r>, block: bool) -> Progress {
        match self {
            Self::Single(trip) => trip.step(host, block),
            Self::Balanced(trip) => trip.step(host, block),
        }
    }

    /// What was waited for has not come within its time; the next step draws the conclusion.
    pub(super) fn expire(&mut self) {
        match self {
            Self::Single(trip) => trip.expire(),
            Self::Balanced(trip) => trip.expire(),
        }
    }

    /// The client is gone; the next step ends the request. False: there is nothing to end, it should be dropped.
    pub(super) fn lose_client(&mut self) -> bool {
        match self {
            Self::Single(trip) => trip.lose_client(),
            Self::Balanced(trip) => trip.lose_client(),
        }
    }

    /// The buffers, between two steps.
    pub(super) fn buffers(&mut self) -> &mut Buffers {
        match self {
            Self::Single(trip) => trip.buffers(),
            Self::Balanced(trip) => trip.buffers(),
        }
    }

    /// The buffers, once it is over.
    pub(super) fn take_buffers(&mut self) -> Buffers {
        match self {
            Self::Single(trip) => trip.take_buffers(),
            Self::Balanced(trip) => trip.take_buffers(),
        }
    }
}

/// The wait of the engine with the descriptor it is about: that of the connection, or the one that tells of a `place`, which has to
/// become writable if that is true, else readable.
pub(super) fn waiting(wait: Wait, link: Option<&mut Lease>, place: Option<(i32, bool)>) -> TripWait {
    let place = place.filter(|_| wait.place);
    let link = link.filter(|_| wait.link_readable).map(|link| link.as_raw_fd());
    TripWait {
        link: link.or(place.map(|(fd, _)| fd)),
        link_writable: wait.interest.link_writable || place.is_some_and(|(_, writable)| writable),
        client_readable: wait.interest.client_readable,
        client_writable: wait.interest.client_writable,
        patience: wait.patience,
    }
}
