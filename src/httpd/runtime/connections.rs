//! Where the attempts of a request get their connections from.

use std::cell::RefCell;
use std::os::fd::RawFd;
use std::time::Duration;

use super::backend::Backend;
use crate::engine::error::{Cause, Failure, Stage};
use crate::engine::exchange::LinkError;
use crate::engine::proxy::attempts::{Links, Reached};
use crate::engine::units::Tick;
use crate::transport::clock;
use crate::transport::connect::{ConnectError, connect_to};
use crate::transport::connection::Connection;
use crate::transport::connector::Connector;
use crate::transport::epoll::{Interest, wait_briefly};
use crate::transport::pool::{Acquired, Lease, Permit, Ticket};

/// Pause between two looks at a connection that may take for ever.
const LOOK: Duration = Duration::from_secs(1);

/// The connections of a worker, for one request.
pub struct Connections<'w> {
    backend: &'w Backend,
    /// What the last failed connect had to say, address by address.
    detail: RefCell<Option<String>>,
    /// What has to be waited for before there is a connection.
    pending: RefCell<Option<Pending>>,
}

/// A connection that is not there yet.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each request, and nearly always the large one")]
enum Pending {
    /// All of the pool are in use.
    Pool(Ticket),
    /// It is being opened, since then.
    Opening(Permit, Connector, Tick),
}

impl<'w> Connections<'w> {
    /// Connections of `backend`.
    pub fn new(backend: &'w Backend) -> Self {
        Self { backend, detail: RefCell::new(None), pending: RefCell::new(None) }
    }

    /// What has to be waited for before there is a connection: a descriptor that becomes readable, or writable if that is true;
    /// `None`: nothing but time.
    pub fn descriptor(&self) -> Option<(RawFd, bool)> {
        match &*self.pending.borrow() {
            Some(Pending::Pool(ticket)) => ticket.descriptor().map(|fd| (fd, false)),
            Some(Pending::Opening(_, connector, _)) => connector.waits().0.map(|fd| (fd, true)),
            None => None,
        }
    }

    fn deadline(&self, begun: Tick) -> Option<Tick> {
        self.backend.settings.socket_connect_timeout.limit().map(|limit| begun.after(limit))
    }

    fn opened(&self, permit: Permit, mut connection: Connection, begun: Tick) -> (Lease, bool) {
        self.backend.connected(&mut connection, clock::now().since(begun));
        (permit.fill(connection), false)
    }

    fn failed(&self, error: &ConnectError) -> Failure {
        *self.detail.borrow_mut() = Some(error.to_string());
        // Several addresses of which not all refuse may answer the next time.
        let refused = error.attempts.iter().all(|attempt| attempt.error == LinkError::Refused);
        let summary = match error.summary {
            LinkError::Refused if !refused => LinkError::TimedOut,
            other => other,
        };
        Failure::early(Cause::Link(summary), Stage::Connect)
    }

    /// Takes what the last failed connect had to say.
    pub fn take_detail(&self) -> Option<String> {
        self.detail.borrow_mut().take()
    }
}

impl Connections<'_> {
    fn go_on(
        &self,
        permit: Permit,
        mut connector: Connector,
        begun: Tick,
    ) -> Result<Reached<Lease>, Failure> {
        match connector.step(&self.backend.peer, &self.backend.options) {
            Ok(Some(connection)) => {
                let (lease, reused) = self.opened(permit, connection, begun);
                Ok(Reached::Link(lease, reused))
            }
            Ok(None) => Ok(self.wait(Pending::Opening(permit, connector, begun))),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn wait(&self, pending: Pending) -> Reached<Lease> {
        let patience = match &pending {
            Pending::Pool(ticket) => Some(ticket.left()),
            Pending::Opening(_, connector, _) => connector.waits().1,
        };
        *self.pending.borrow_mut() = Some(pending);
        Reached::Wait(patience)
    }
}

impl Links for Connections<'_> {
    type Link = Lease;

    fn acquire(&self, fresh: bool) -> Result<(Lease, bool), Failure> {
        // Begun without a thread: to be ended with one.
        while self.pending.borrow().is_some() {
            match self.reach(fresh)? {
                Reached::Link(lease, reused) => return Ok((lease, reused)),
                Reached::Wait(patience) => {
                    let watched =
                        self.descriptor().map(|(fd, writable)| (fd, Interest { readable: true, writable }));
                    wait_briefly([watched, None], patience.unwrap_or(LOOK));
                }
            }
        }
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
        match connect_to(&self.backend.peer, &self.backend.options, self.deadline(begun)) {
            Ok(connection) => Ok(self.opened(permit, connection, begun)),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn reach(&self, fresh: bool) -> Result<Reached<Lease>, Failure> {
        let Backend { pool, peer, settings, .. } = self.backend;
        let exhausted = |_| Failure::early(Cause::PoolExhausted, Stage::Acquire);
        let pending = self.pending.borrow_mut().take();
        let acquired = match pending {
            Some(Pending::Opening(permit, connector, begun)) => return self.go_on(permit, connector, begun),
            Some(Pending::Pool(ticket)) => match ticket.take().map_err(exhausted)? {
                Some(acquired) => acquired,
                None => return Ok(self.wait(Pending::Pool(ticket))),
            },
            None => match pool.try_acquire(settings.connection_acquire_timeout).map_err(exhausted)? {
                Ok(acquired) => acquired,
                Err(ticket) => return Ok(self.wait(Pending::Pool(ticket))),
            },
        };
        let permit = match acquired {
            Acquired::Idle(lease) if !fresh => return Ok(Reached::Link(lease, true)),
            Acquired::Idle(lease) => lease.reopen(),
            Acquired::Open(permit) => permit,
        };
        let begun = clock::now();
        let connector = Connector::new(peer, self.deadline(begun)).map_err(|error| self.failed(&error))?;
        self.go_on(permit, connector, begun)
    }

    fn release(&self, link: Lease) {
        link.release(clock::now());
    }

    fn discard(&self, link: Lease, abrupt: bool) {
        if abrupt {
            link.close_abortively();
        }
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
