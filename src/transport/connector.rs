//! Opens a connection without waiting: [`connect`](super::connect) as a machine that can be put aside.
//!
//! The same addresses in the same order with the same shares of the time. Only the resolver is waited for, when it is asked
//! again.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use super::address::Addresses;
use super::clock;
use super::connect::{Attempt, ConnectError};
use super::connection::Connection;
use super::opening::Opening;
use super::peer::Peer;
use super::socket::{Socket, SocketOptions};
use crate::engine::exchange::LinkError;
use crate::engine::units::Tick;

/// Pause between two looks at what nothing tells about (a UNIX socket whose backlog is full).
const LOOK: Duration = Duration::from_millis(20);

/// A connection on its way.
#[derive(Debug)]
pub struct Connector {
    addresses: Addresses,
    deadline: Option<Tick>,
    /// Places of addresses that have not been tried.
    untried: std::vec::IntoIter<usize>,
    attempts: Vec<Attempt>,
    /// The address that is being tried, and until when.
    current: Option<(usize, Opening, Option<Tick>)>,
}

impl Connector {
    /// For the current addresses of `peer`. `deadline`: of all of them together; `None`: as long as the kernel tries, per address.
    ///
    /// # Errors
    /// There is no address.
    pub fn new(peer: &Peer, deadline: Option<Tick>) -> Result<Self, ConnectError> {
        let addresses = peer.addresses(clock::now()).map_err(|error| ConnectError {
            attempts: Vec::new(),
            summary: LinkError::NoAddress,
            resolve: Some(error),
        })?;
        let order: Vec<usize> = addresses.from_last_good().map(|(place, _)| place).collect();
        Ok(Self { addresses, deadline, untried: order.into_iter(), attempts: Vec::new(), current: None })
    }

    /// Goes on; `None`: see [`Connector::waits`].
    ///
    /// # Errors
    /// None answered in time; `peer` is then marked so that a later call asks the resolver.
    pub fn step(&mut self, peer: &Peer, options: &SocketOptions) -> Result<Option<Connection>, ConnectError> {
        loop {
            if let Some((place, mut opening, until)) = self.current.take() {
                let label = self.addresses.iter().nth(place).map(|address| Arc::clone(address.label()));
                let label = label.unwrap_or_else(|| "".into());
                let error = match opening.step() {
                    Ok(true) => {
                        self.addresses.worked(place);
                        return Ok(Some(Connection::new(opening.into_socket(), label, clock::now())));
                    }
                    Ok(false) if until.is_none_or(|until| until > clock::now()) => {
                        self.current = Some((place, opening, until));
                        return Ok(None);
                    }
                    Ok(false) => LinkError::TimedOut,
                    Err(error) => error,
                };
                self.attempts.push(Attempt { peer: label, error });
            }
            if !self.next(options) {
                return Err(self.failed(peer));
            }
        }
    }

    /// Begins with the next address; false: there is none, or no time.
    fn next(&mut self, options: &SocketOptions) -> bool {
        let left = clock::left(self.deadline);
        if left.is_some_and(|left| left.is_zero()) {
            return false;
        }
        let share = u32::try_from(self.untried.len()).unwrap_or(u32::MAX).max(1);
        let Some(place) = self.untried.next() else { return false };
        let Some(address) = self.addresses.iter().nth(place) else { return true };
        match Socket::begin(address.socket(), options) {
            Ok(opening) => {
                let until = left.map(|left| clock::now().after(left / share));
                self.current = Some((place, opening, until));
            }
            Err(error) => self.attempts.push(Attempt { peer: Arc::clone(address.label()), error }),
        }
        true
    }

    fn failed(&mut self, peer: &Peer) -> ConnectError {
        let attempts = std::mem::take(&mut self.attempts);
        // A deadline that left some untried proves nothing about them.
        if attempts.len() == self.addresses.len() {
            peer.all_failed(&self.addresses);
        }
        let nothing = if self.addresses.is_empty() { LinkError::NoAddress } else { LinkError::TimedOut };
        let summary = attempts.first().map_or(nothing, |attempt| attempt.error);
        ConnectError { attempts, summary, resolve: None }
    }

    /// What it waits for to become writable, and how long at most.
    pub fn waits(&self) -> (Option<RawFd>, Option<Duration>) {
        let Some((_, opening, until)) = &self.current else { return (None, Some(Duration::ZERO)) };
        let left = clock::left(*until);
        match opening.pollable() {
            Some(fd) => (Some(fd), left),
            None => (None, Some(left.map_or(LOOK, |left| left.min(LOOK)))),
        }
    }
}
