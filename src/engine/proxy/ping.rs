//! A CPing that can be put aside while its answer is awaited.

use crate::engine::ajp::control;
use crate::engine::error::Cause;
use crate::engine::exchange::{Link, Received};

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
        while let Some(left) = control::CPING.get(self.sent..).filter(|left| !left.is_empty()) {
            match link.send(&[left]).map_err(Cause::Link)? {
                0 => return Ok(Some(true)),
                n => self.sent += n,
            }
        }
        let mut buffer = [0; 16];
        loop {
            let n = match link.recv(&mut buffer).map_err(Cause::Link)? {
                Received::Data(n) => n,
                Received::WouldBlock => return Ok(Some(false)),
            };
            match self.wait.feed(buffer.get(..n).unwrap_or_default()) {
                Ok(Some(used)) if used == n => return Ok(None),
                Ok(Some(_)) => return Err(Cause::Cut), // octets behind the CPong: out of step
                Ok(None) => {}
                Err(malformed) => return Err(Cause::Protocol(malformed.into())),
            }
        }
    }
}
