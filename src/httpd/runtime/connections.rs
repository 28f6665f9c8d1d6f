//! Where the attempts of a request get their connections from.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::backend::Backend;
use crate::engine::error::{Cause, Failure, Stage};
use crate::engine::exchange::LinkError;
use crate::engine::proxy::attempts::Links;
use crate::engine::units::Tick;
use crate::transport::clock;
use crate::transport::connect::connect_to;
use crate::transport::pool::{Acquired, Lease};

/// The connections of a worker, for one request.
pub struct Connections<'w> {
    backend: &'w Backend,
    /// What stands in front of new connections (a PROXY header).
    source: Option<Vec<u8>>,
    /// What the last failed connect had to say, address by address.
    detail: RefCell<Option<String>>,
    /// Spent in the queue of the pool, and on opening connections.
    spent: Cell<(Duration, Duration)>,
}

impl<'w> Connections<'w> {
    /// Connections of `backend`.
    pub fn new(backend: &'w Backend) -> Self {
        Self { backend, source: None, detail: RefCell::new(None), spent: Cell::default() }
    }

    /// Has new connections begin with what `source` writes about the client, if the backend wants that.
    pub fn announce(&mut self, source: impl FnOnce() -> Vec<u8>) {
        self.source = self.backend.announces().then(source);
    }

    /// Takes what was spent in the queue of the pool, and on opening connections.
    pub fn take_spent(&self) -> (Duration, Duration) {
        self.spent.take()
    }

    fn spend(&self, queue: Duration, connect: Duration) {
        let before = self.spent.get();
        self.spent.set((before.0 + queue, before.1 + connect));
    }

    /// Takes what the last failed connect had to say.
    pub fn take_detail(&self) -> Option<String> {
        self.detail.borrow_mut().take()
    }
}

impl Links for Connections<'_> {
    type Link = Lease;

    fn acquire(&self, fresh: bool) -> Result<(Lease, bool), Failure> {
        let settings = &self.backend.settings;
        let mut waited = Duration::ZERO;
        let acquired = self.backend.pool.acquire_timed(settings.connection_acquire_timeout, &mut waited);
        if !waited.is_zero() {
            self.spend(waited, Duration::ZERO);
        }
        let acquired = acquired.map_err(|_| Failure::early(Cause::PoolExhausted, Stage::Acquire))?;
        let permit = match acquired {
            Acquired::Idle(lease) if !fresh => return Ok((lease, true)),
            Acquired::Idle(lease) => lease.reopen(),
            Acquired::Open(permit) => permit,
        };
        let begun = clock::now();
        let deadline = settings.socket_connect_timeout.limit().map(|limit| begun.after(limit));
        let connected = connect_to(&self.backend.peer, &self.backend.options, deadline);
        let took = clock::now().since(begun);
        self.spend(Duration::ZERO, took);
        match connected {
            Ok(mut connection) => {
                self.backend.connected(&mut connection, took);
                let failed = |error| Failure::early(Cause::Link(error), Stage::Connect);
                let connection = self.backend.prepare(connection, self.source.as_deref()).map_err(failed)?;
                Ok((permit.fill(connection), false))
            }
            Err(error) => {
                *self.detail.borrow_mut() = Some(error.to_string());
                // Several addresses of which not all refuse may answer the next time.
                let refused = error.attempts.iter().all(|attempt| attempt.error == LinkError::Refused);
                let summary = match error.summary {
                    LinkError::Refused if !refused => LinkError::TimedOut,
                    other => other,
                };
                Err(Failure::early(Cause::Link(summary), Stage::Connect))
            }
        }
    }

    fn release(&self, link: Lease, now: Tick) {
        link.release(now);
    }

    fn discard(&self, link: Lease, abrupt: bool) {
        if let Some(detail) = link.tls_detail() {
            *self.detail.borrow_mut() = Some(detail.to_owned());
        }
        if abrupt {
            link.close_abortively();
        }
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
