//! What an exchange that did not come to its end has failed of, and at which stage.

use super::{Manner, Pump};
use crate::engine::error::{Cause, ClientFault, Failure, Stage};
use crate::engine::exchange::{Exchange, LinkError};
use crate::engine::proxy::step::Interest;

impl<X: Exchange> Pump<X> {
    /// The failure of an attempt when [`Pump::patience`] has passed.
    pub fn timed_out(&self, interest: Interest, manner: &Manner<'_>) -> Failure {
        if interest.client_writable {
            self.client_gone()
        } else if interest.client_readable {
            self.failure(Cause::Client(ClientFault::Body(408)))
        } else if interest.link_writable {
            self.failure(Cause::Link(LinkError::TimedOut))
        } else {
            self.silent(manner)
        }
    }

    /// The failure of an attempt whose client has vanished.
    pub fn client_gone(&self) -> Failure {
        self.failure(Cause::Client(ClientFault::Gone))
    }

    pub(super) fn silent(&self, manner: &Manner<'_>) -> Failure {
        let limit = manner.timing.reply.unwrap_or_default();
        self.failure(Cause::Silent { limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) })
    }

    pub(super) fn failure(&self, cause: Cause) -> Failure {
        let stage = if self.head_seen {
            Stage::Body
        } else if self.head_sent < self.buffers.head.len() || (self.first_body && !self.packet.is_empty()) {
            Stage::Send
        } else {
            Stage::Wait
        };
        Failure {
            cause,
            stage,
            reused: false,
            sent: self.head_sent > 0,
            replied: self.exchange.reply_begun(),
            delivered: self.delivered,
            body_spent: self.body_spent,
        }
    }
}
