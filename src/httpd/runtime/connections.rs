//! Where the attempts of a request get their connections from.

use std::cell::{Cell, RefCell};
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
    /// What stands in front of new connections (a PROXY header).
    source: Option<Vec<u8>>,
    /// What the last failed connect had to say, address by address.
    detail: RefCell<Option<String>>,
    /// Spent in the queue of the pool, and on opening connections.
    spent: Cell<(Duration, Duration)>,
    /// What has to be waited for before there is a connection. In a box: it is rare and large.
    pending: RefCell<Option<Box<Pending>>>,
}

/// A connection that is not there yet, with the time since when.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one for a request that waits, and nearly always the large one"
)]
enum Pending {
    /// All of the pool are in use.
    Pool(Ticket, Tick),
    /// It is being opened.
    Opening(Permit, Connector, Tick),
}

impl<'w> Connections<'w> {
    /// Connections of `backend`.
    #[inline]
    pub fn new(backend: &'w Backend) -> Self {
        Self {
            backend,
            source: None,
            detail: RefCell::new(None),
            spent: Cell::default(),
            pending: RefCell::new(None),
        }
    }

    /// Has new connections begin with what `source` writes about the client, if the backend wants that.
    pub fn announce(&mut self, source: impl FnOnce() -> Vec<u8>) {
        self.source = self.backend.announces().then(source);
    }

    /// Takes what was spent in the queue of the pool, and on opening connections.
    pub fn take_spent(&self) -> (Duration, Duration) {
        self.spent.take()
    }

    /// Takes what the last failed connect had to say.
    pub fn take_detail(&self) -> Option<String> {
        self.detail.borrow_mut().take()
    }

    /// What has to be waited for before there is a connection: a descriptor that becomes readable, or writable if that is true;
    /// `None`: nothing but time.
    pub fn descriptor(&self) -> Option<(RawFd, bool)> {
        match self.pending.borrow().as_deref() {
            Some(Pending::Pool(ticket, _)) => ticket.descriptor().map(|fd| (fd, false)),
            Some(Pending::Opening(_, connector, _)) => connector.waits().0.map(|fd| (fd, true)),
            None => None,
        }
    }

    fn spend(&self, queue: Duration, connect: Duration) {
        let before = self.spent.get();
        self.spent.set((before.0 + queue, before.1 + connect));
    }

    fn deadline(&self, begun: Tick) -> Option<Tick> {
        self.backend.settings.socket_connect_timeout.limit().map(|limit| begun.after(limit))
    }

    /// The end of a connect.
    fn ended(
        &self,
        permit: Permit,
        result: Result<Connection, ConnectError>,
        begun: Tick,
    ) -> Result<(Lease, bool), Failure> {
        let took = clock::now().since(begun);
        self.spend(Duration::ZERO, took);
        let mut connection = result.map_err(|error| self.failed(&error))?;
        self.backend.connected(&mut connection, took);
        let failed = |error| Failure::early(Cause::Link(error), Stage::Connect);
        let connection = self.backend.prepare(connection, self.source.as_deref()).map_err(failed)?;
        Ok((permit.fill(connection), false))
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

    fn go_on(
        &self,
        permit: Permit,
        mut connector: Connector,
        begun: Tick,
    ) -> Result<Reached<Lease>, Failure> {
        let result = match connector.step(&self.backend.peer, &self.backend.options) {
            Ok(None) => return Ok(self.wait(Pending::Opening(permit, connector, begun))),
            Ok(Some(connection)) => Ok(connection),
            Err(error) => Err(error),
        };
        self.ended(permit, result, begun).map(|(lease, reused)| Reached::Link(lease, reused))
    }

    fn wait(&self, pending: Pending) -> Reached<Lease> {
        let patience = match &pending {
            Pending::Pool(ticket, _) => Some(ticket.left()),
            Pending::Opening(_, connector, _) => connector.waits().1,
        };
        *self.pending.borrow_mut() = Some(Box::new(pending));
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
        let result = connect_to(&self.backend.peer, &self.backend.options, self.deadline(begun));
        self.ended(permit, result, begun)
    }

    fn reach(&self, fresh: bool) -> Result<Reached<Lease>, Failure> {
        let Backend { pool, peer, settings, .. } = self.backend;
        let exhausted = |_| Failure::early(Cause::PoolExhausted, Stage::Acquire);
        let pending = self.pending.borrow_mut().take();
        let acquired = match pending.map(|pending| *pending) {
            Some(Pending::Opening(permit, connector, begun)) => return self.go_on(permit, connector, begun),
            Some(Pending::Pool(ticket, begun)) => {
                let taken = ticket.take();
                if let Ok(None) = taken {
                    return Ok(self.wait(Pending::Pool(ticket, begun)));
                }
                self.spend(clock::now().since(begun), Duration::ZERO);
                match taken {
                    Ok(Some(acquired)) => acquired,
                    _ => return Err(Failure::early(Cause::PoolExhausted, Stage::Acquire)),
                }
            }
            None => match pool.try_acquire(settings.connection_acquire_timeout).map_err(exhausted)? {
                Ok(acquired) => acquired,
                Err(ticket) => return Ok(self.wait(Pending::Pool(ticket, clock::now()))),
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
