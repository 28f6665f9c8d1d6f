//! What a pump can stop for, and how it fills a packet with request body.

use super::host::{BodyRead, Host};
use crate::engine::error::ClientFault;
use crate::engine::exchange::ROOM_BEFORE;

/// What the pump waits for. The backend's answer is always awaited too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    /// Room for more request octets.
    pub link_writable: bool,
    /// Request body of the client.
    pub client_readable: bool,
}

/// Result of [`Pump::step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The response is complete and delivered.
    Done {
        /// The connection may carry another exchange.
        reusable: bool,
    },
    /// Nothing more can be done before this happens.
    Wait(Interest),
}

/// Reads request body for one packet: waits for the first octets when `block` is set, then takes what is there until the
/// packet is full.
pub(super) fn fill<H: Host>(
    host: &mut H,
    packet: &mut [u8],
    max: usize,
    block: bool,
) -> Result<BodyRead, ClientFault> {
    let mut filled = 0;
    while filled < max {
        let Some(space) = packet.get_mut(ROOM_BEFORE + filled..ROOM_BEFORE + max) else { break };
        match host.read_body(space, block && filled == 0)? {
            BodyRead::Data(n) => filled += n,
            other if filled == 0 => return Ok(other),
            _ => break,
        }
    }
    Ok(BodyRead::Data(filled))
}
