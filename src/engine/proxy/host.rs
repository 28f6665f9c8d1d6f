//! The client's side of a request, as the pump sees it.

use std::time::Duration;

use crate::engine::error::ClientFault;
use crate::engine::exchange::{ROOM_BEFORE, ResponseHead};
use crate::engine::http1::upgrade::Upgrade;
use crate::engine::request::Request;
use crate::engine::units::Tick;

/// Result of reading request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyRead {
    /// So many octets (at least 1) were stored.
    Data(usize),
    /// The body is complete.
    End,
    /// The client has not sent more yet.
    WouldBlock,
}

/// What follows the data of a [`Host::write`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// More data; httpd may collect.
    More,
    /// Everything so far has to leave now.
    Flush,
    /// The response is complete.
    End,
}

/// The client's request and response.
pub trait Host: Request {
    /// Reads request body into `buffer`. `block`: wait for data (at most httpd's own timeout).
    ///
    /// # Errors
    /// The body cannot be read: the status httpd has for it.
    fn read_body(&mut self, buffer: &mut [u8], block: bool) -> Result<BodyRead, ClientFault>;

    /// The descriptor to poll for request body, if polling it makes sense (a plain or TLS connection of its own; not a
    /// stream of HTTP/2). `None`: read blocking.
    fn body_descriptor(&self) -> Option<i32>;

    /// Takes over the head of the response. Nothing leaves before the first [`Host::write`].
    fn start_response(&mut self, head: &ResponseHead<'_>);

    /// Takes what httpd's own error page needs from the head of a response that is not delivered.
    fn replace_response(&mut self, head: &ResponseHead<'_>);

    /// Forgets a head that was taken over and not written.
    fn forget_response(&mut self);

    /// Passes body octets to the client and says what follows. May block while the client is slow.
    ///
    /// # Errors
    /// The client is gone.
    fn write(&mut self, data: &[&[u8]], then: Then) -> Result<(), ClientFault>;

    /// Some of what was written has not left, and more should wait until the client takes it: what a driver that puts requests
    /// aside asks before it reads on. Sends what goes without waiting.
    ///
    /// # Errors
    /// The client is gone.
    fn congested(&mut self) -> Result<bool, ClientFault> {
        Ok(false)
    }

    /// Most octets of the response to read before they are written: what [`Host::write`] takes without waiting for a slow
    /// client.
    fn portion(&self) -> usize {
        usize::MAX
    }

    /// The current time.
    fn now(&self) -> Tick;

    /// The client's connection can be given to another protocol: it is HTTP/1.1, carries this request alone, and nothing of
    /// this server has to see what is sent on it.
    fn can_switch(&self) -> bool {
        false
    }

    /// Sends the head of a 101 response that was taken over by [`Host::start_response`], and takes the connection out of
    /// HTTP: from now on the methods whose names begin with `tunnel` move its octets.
    ///
    /// # Errors
    /// The client is gone.
    fn switch(&mut self, _to: Upgrade) -> Result<(), ClientFault> {
        Err(ClientFault::Gone)
    }

    /// Reads what the client has sent, without waiting; [`BodyRead::End`] when it has ended its direction.
    ///
    /// # Errors
    /// The client is gone.
    fn tunnel_read(&mut self, _buffer: &mut [u8]) -> Result<BodyRead, ClientFault> {
        Err(ClientFault::Gone)
    }

    /// Takes over all of `data` without waiting. Never called while the client is [congested](Host::congested).
    ///
    /// # Errors
    /// The client is gone.
    fn tunnel_write(&mut self, _data: &[u8]) -> Result<(), ClientFault> {
        Err(ClientFault::Gone)
    }

    /// Tells the client that nothing more will come while it may go on sending. False: it cannot be told; nothing was done.
    ///
    /// # Errors
    /// The client is gone.
    fn tunnel_end(&mut self) -> Result<bool, ClientFault> {
        Ok(false)
    }

    /// The tunnel has ended. `broken`: the client must not take that for an orderly end.
    fn tunnel_over(&mut self, _broken: bool) {}

    /// The server stops or starts again, and tunnels have to end within this time.
    fn stops_in(&self) -> Option<Duration> {
        None
    }
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
