//! Where the attempts of a request get their connections from.

use std::cell::RefCell;
use std::time::Duration;

use super::backend::Backend;
use crate::engine::error::{Cause, Failure, Stage};
use crate::engine::exchange::LinkError;
use crate::engine::proxy::attempts::Links;
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
}

impl<'w> Connections<'w> {
    /// Connections of `backend` for a request. `source`: writes what stands in front of connections for this client, if the
    /// backend wants that.
    pub fn new(backend: &'w Backend, source: impl FnOnce() -> Vec<u8>) -> Self {
        let source = backend.announces().then(source);
        Self { backend, source, detail: RefCell::new(None) }
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
        let acquired = self
            .backend
            .pool
            .acquire(settings.connection_acquire_timeout)
            .map_err(|_| Failure::early(Cause::PoolExhausted, Stage::Acquire))?;
        let permit = match acquired {
            Acquired::Idle(lease) if !fresh => return Ok((lease, true)),
            Acquired::Idle(lease) => lease.reopen(),
            Acquired::Open(permit) => permit,
        };
        let begun = clock::now();
        let deadline = settings.socket_connect_timeout.limit().map(|limit| begun.after(limit));
        match connect_to(&self.backend.peer, &self.backend.options, deadline) {
            Ok(mut connection) => {
                self.backend.connected(&mut connection, clock::now().since(begun));
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

    fn release(&self, link: Lease) {
        link.release(clock::now());
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
