//! Opens a connection: every address of the backend, one deadline.
//!
//! The address that worked last is tried first, then the others in order. While several are left, each gets an equal
//! share of the remaining time, so that one that swallows packets does not use up the time of those behind it.

use std::fmt;
use std::sync::Arc;

use super::address::{Addresses, ResolveError};
use super::clock;
use super::connection::Connection;
use super::peer::Peer;
use super::socket::{Socket, SocketOptions};
use crate::engine::exchange::LinkError;
use crate::engine::units::Tick;

/// One failed address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Label of the address.
    pub peer: Arc<str>,
    /// Why it failed.
    pub error: LinkError,
}

/// No address could be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    /// The addresses tried, in this order; fewer than there are when the deadline passed meanwhile.
    pub attempts: Vec<Attempt>,
    /// The error of the first attempt: that of the preferred address tells most, others are often not even reachable.
    /// [`LinkError::NoAddress`] or [`LinkError::TimedOut`] when there was none.
    pub summary: LinkError,
    /// Why there is no address, when the resolver was the reason.
    pub resolve: Option<ResolveError>,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.resolve {
            Some(error) => write!(f, "no address: {error}")?,
            None if self.attempts.is_empty() => write!(f, "{:?}", self.summary)?,
            None => {}
        }
        for (index, attempt) in self.attempts.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(f, "{separator}{}: {:?}", attempt.peer, attempt.error)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConnectError {}

/// Connects to the first address that answers, before `deadline` (`None`: as long as the kernel tries, per address).
///
/// # Errors
/// None answered in time.
pub fn connect(
    addresses: &Addresses,
    options: &SocketOptions,
    deadline: Option<Tick>,
) -> Result<Connection, ConnectError> {
    let mut attempts = Vec::new();
    let mut untried = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for (index, address) in addresses.from_last_good() {
        let left = clock::left(deadline);
        if left.is_some_and(|left| left.is_zero()) {
            break;
        }
        let share = left.map(|left| left / untried.max(1));
        match Socket::connect(address.socket(), options, share) {
            Ok(socket) => {
                addresses.worked(index);
                return Ok(Connection::new(socket, Arc::clone(address.label()), clock::now()));
            }
            Err(error) => attempts.push(Attempt { peer: Arc::clone(address.label()), error }),
        }
        untried = untried.saturating_sub(1);
    }
    let nothing = if addresses.is_empty() { LinkError::NoAddress } else { LinkError::TimedOut };
    let summary = attempts.first().map_or(nothing, |attempt| attempt.error);
    Err(ConnectError { attempts, summary, resolve: None })
}

/// [`connect`] to the current addresses of a backend; asks the resolver again when that is due, which may take longer
/// than the deadline allows.
///
/// # Errors
/// As [`connect`]; the backend is then marked so that a later call asks the resolver.
pub fn connect_to(
    peer: &Peer,
    options: &SocketOptions,
    deadline: Option<Tick>,
) -> Result<Connection, ConnectError> {
    let addresses = peer.addresses(clock::now()).map_err(|error| ConnectError {
        attempts: Vec::new(),
        summary: LinkError::NoAddress,
        resolve: Some(error),
    })?;
    connect(&addresses, options, deadline).inspect_err(|error| {
        // A deadline that left some untried proves nothing about them.
        if error.attempts.len() == addresses.len() {
            peer.all_failed(&addresses);
        }
    })
}
