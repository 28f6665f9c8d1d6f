//! The exchange of an attempt, in the protocol of its worker.

use std::time::Duration;

use super::buffers::Buffers;
use super::host::Host;
use super::pump::{Interest, Manner, Pump, Step, Traffic};
use crate::engine::ajp::client;
use crate::engine::error::Failure;
use crate::engine::exchange::{Exchange, Link};
use crate::engine::http1;

/// A pump that speaks AJP or HTTP.
#[derive(Debug)]
pub(super) enum Running {
    Ajp(Pump<client::Client>),
    Http(Pump<http1::Client>),
}

/// How far an exchange came.
pub(super) enum Drive {
    /// It waits for this, so long at most (`None`: for ever).
    Wait(Interest, Option<Duration>),
    /// It is over; true: the connection may carry another one.
    Over(Result<bool, Failure>),
}

/// What is left of an exchange.
pub(super) struct Remains {
    pub(super) traffic: Traffic,
    pub(super) body_left: bool,
    pub(super) replaced: Option<u16>,
    pub(super) surplus: bool,
    /// The connections go over to another protocol.
    pub(super) switched: bool,
}

/// Does the same with a pump of either protocol.
macro_rules! with {
    ($running:expr, $pump:ident => $action:expr) => {
        match $running {
            Running::Ajp($pump) => $action,
            Running::Http($pump) => $action,
        }
    };
}

impl From<Pump<client::Client>> for Running {
    fn from(pump: Pump<client::Client>) -> Self {
        Self::Ajp(pump)
    }
}

impl From<Pump<http1::Client>> for Running {
    fn from(pump: Pump<http1::Client>) -> Self {
        Self::Http(pump)
    }
}

impl Running {
    /// The buffers, between two steps.
    pub(super) fn buffers(&mut self) -> &mut Buffers {
        with!(self, pump => pump.buffers())
    }

    /// Goes as far as possible; with `block`, to the end. `missed`: what was waited for and has not come in time.
    pub(super) fn drive<H: Host, L: Link>(
        &mut self,
        host: &mut H,
        link: &mut L,
        manner: &Manner<'_>,
        missed: Option<Interest>,
        block: bool,
    ) -> Drive {
        with!(self, pump => drive(pump, host, link, manner, missed, block))
    }

    /// The failure of an attempt whose client has vanished.
    pub(super) fn client_gone(&self) -> Failure {
        with!(self, pump => pump.client_gone())
    }

    /// What the exchange has done.
    #[inline]
    pub(super) fn remains(&self) -> Remains {
        with!(self, pump => Remains {
            traffic: pump.traffic(),
            body_left: pump.body_owed(),
            replaced: pump.replaced(),
            surplus: pump.exchange().surplus(),
            switched: pump.switched(),
        })
    }

    /// The buffers, once the exchange is over.
    pub(super) fn into_buffers(self) -> Box<Buffers> {
        with!(self, pump => pump.into_buffers())
    }
}

fn drive<X: Exchange, H: Host, L: Link>(
    pump: &mut Pump<X>,
    host: &mut H,
    link: &mut L,
    manner: &Manner<'_>,
    missed: Option<Interest>,
    block: bool,
) -> Drive {
    if let Some(interest) = missed {
        return Drive::Over(Err(pump.timed_out(interest, manner)));
    }
    if block {
        return Drive::Over(pump.run(host, link, manner));
    }
    match pump.step(host, link, manner, false) {
        Ok(Step::Done { reusable }) => Drive::Over(Ok(reusable)),
        Ok(Step::Wait(interest)) => Drive::Wait(interest, pump.patience(host.now(), interest, manner)),
        Err(failure) => Drive::Over(Err(failure)),
    }
}
