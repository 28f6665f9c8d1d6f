//! A CPing, blocking or put aside while its answer is awaited.

use std::time::Duration;

use crate::engine::ajp::control;
use crate::engine::error::Cause;
use crate::engine::exchange::{Link, LinkError, Received};

/// Room for a CPong and for some of what should not be behind it.
const ROOM: usize = 16;

/// A CPing under way.
#[derive(Debug, Default)]
pub struct Ping {
    sent: usize,
    wait: control::PongWait,
}

impl Ping {
    /// Goes as far as possible. `None`: the backend has answered. `Some`: the link has to be readable, and writable as well
    /// if it says true.
    ///
    /// # Errors
    /// The connection broke, or what came was no CPong.
    pub fn step<L: Link>(&mut self, link: &mut L) -> Result<Option<bool>, Cause> {
        if !self.send(link)? {
            return Ok(Some(true));
        }
        let mut buffer = [0; ROOM];
        loop {
            match link.recv(&mut buffer).map_err(Cause::Link)? {
                Received::Data(n) if self.answered(buffer.get(..n).unwrap_or_default())? => return Ok(None),
                Received::Data(_) => {}
                Received::WouldBlock => return Ok(Some(false)),
            }
        }
    }

    /// Sends what is left. False: the link takes no more now.
    fn send<L: Link>(&mut self, link: &mut L) -> Result<bool, Cause> {
        while let Some(left) = control::CPING.get(self.sent..).filter(|left| !left.is_empty()) {
            match link.send(&[left]).map_err(Cause::Link)? {
                0 => return Ok(false),
                n => self.sent += n,
            }
        }
        Ok(true)
    }

    /// The CPong is complete with these octets.
    fn answered(&mut self, octets: &[u8]) -> Result<bool, Cause> {
        match self.wait.feed(octets) {
            Ok(Some(used)) if used == octets.len() => Ok(true),
            Ok(Some(_)) => Err(Cause::Cut), // octets behind the CPong: out of step
            Ok(None) => Ok(false),
            Err(malformed) => Err(Cause::Protocol(malformed.into())),
        }
    }
}

/// Asks the backend whether it is alive, and waits for each octet of its answer at most `timeout`.
///
/// # Errors
/// It did not answer with a CPong in time.
pub fn ping<L: Link>(link: &mut L, timeout: Duration) -> Result<(), Cause> {
    let mut ping = Ping::default();
    while !ping.send(link)? {
        link.wait(true, None, timeout).map_err(Cause::Link)?;
    }
    let mut buffer = [0; ROOM];
    loop {
        match link.recv_blocking(&mut buffer, Some(timeout)) {
            Ok(n) if ping.answered(buffer.get(..n).unwrap_or_default())? => return Ok(()),
            Ok(_) => {}
            Err(LinkError::TimedOut) => {
                let limit_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                return Err(Cause::Silent { limit_ms });
            }
            Err(error) => return Err(Cause::Link(error)),
        }
    }
}
