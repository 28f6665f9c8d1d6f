//! TLS over a socket: what [`Socket`] does, encrypted. The protocol itself is `rustls`, which does no input or output.
//!
//! Nothing waits here but [`Session::recv_blocking`]. What has been read from the socket is handed out before the socket is
//! looked at again, so "nothing there" means that the socket has nothing either, and it can be waited for.
//!
//! What was encrypted and has not left must be flushed before anything else: [`Session::send`] then reports one octet less
//! than it took, so that its caller comes back. An end without close_notify is not [`LinkError::Closed`] but
//! [`Fault::Truncated`]: a body that ends with the connection may have been cut by anybody.
//! Sources: RFC 8446 sections 4.6 (tickets come at any time), 6.1 (closure alerts); RFC 9112 section 9.8.

use std::fmt;
use std::io::{self, IoSlice, Read as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::ClientConnection;

use super::clock;
use super::socket::{MAX_PARTS, Socket};
use super::tls::{Client, fault};
use crate::engine::exchange::{LinkError, Received};
use crate::engine::tls::Fault;

/// Octets read from the socket at once: two records of the largest size.
const ROOM: usize = 33 * 1024;

/// A TLS session with its socket; says goodbye when dropped.
pub struct Session {
    socket: Socket,
    tls: ClientConnection,
    /// What was read from the socket; `start..end` is for the session.
    inbox: Vec<u8>,
    start: usize,
    end: usize,
    /// Octets that are decrypted and not received.
    waiting: usize,
    /// An octet was encrypted that [`Session::send`] has not reported.
    withheld: bool,
    /// It is of no use any more, for this reason.
    failed: Option<LinkError>,
    /// The reason in the words of the TLS library.
    detail: Option<String>,
    /// The backend has asked for a client certificate and there is none.
    asked: Arc<AtomicBool>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// Writes records to the socket.
struct Out<'s> {
    socket: &'s Socket,
    failed: Option<LinkError>,
}

impl Out<'_> {
    fn send(&mut self, parts: &[&[u8]]) -> io::Result<usize> {
        match self.socket.send(parts) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            Ok(octets) => Ok(octets),
            Err(error) => {
                self.failed = Some(error);
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
    }
}

impl Write for Out<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.send(&[octets])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut few: [&[u8]; MAX_PARTS] = [&[]; MAX_PARTS];
        for (place, part) in few.iter_mut().zip(parts) {
            *place = part;
        }
        self.send(&few)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Session {
    /// A session on a connected socket that has not begun.
    ///
    /// # Errors
    /// The library refuses, which it has no reason to do.
    pub fn new(socket: Socket, client: &Client) -> Result<Box<Self>, LinkError> {
        let tls = client.connect().map_err(|_| LinkError::Tls(Fault::Broken))?;
        Ok(Box::new(Self {
            socket,
            tls,
            inbox: Vec::new(),
            start: 0,
            end: 0,
            waiting: 0,
            withheld: false,
            failed: None,
            detail: None,
            asked: client.asked(),
        }))
    }

    /// The socket.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// What the TLS library says about a failure.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The handshake is not over.
    pub fn is_raw(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// Goes on with the handshake; see [`Link::establish`](crate::engine::exchange::Link::establish).
    ///
    /// # Errors
    /// It failed.
    pub fn establish(&mut self) -> Result<Option<bool>, LinkError> {
        loop {
            let sent = self.flush().map_err(|error| self.last_words(error))?;
            if !self.tls.is_handshaking() {
                return Ok(if sent { None } else { Some(true) });
            }
            if !self.fill(None)? {
                return Ok(Some(!sent));
            }
            self.feed()?;
        }
    }

    /// Encrypts and sends the parts, in order, as far as the socket takes them now. What is not reported as sent must be
    /// offered again, beginning with the same octet. 0: the socket takes nothing.
    ///
    /// # Errors
    /// The connection is unusable.
    pub fn send(&mut self, parts: &[&[u8]]) -> Result<usize, LinkError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !self.flush()? {
            return Ok(0);
        }
        let mut slices = [IoSlice::new(&[]); MAX_PARTS];
        let mut taken = usize::from(std::mem::take(&mut self.withheld));
        let mut skip = taken;
        for (slice, part) in slices.iter_mut().zip(parts.iter().filter(|part| !part.is_empty())) {
            *slice = IoSlice::new(part.get(skip..).unwrap_or_default());
            skip = 0;
        }
        if slices.iter().any(|slice| !slice.is_empty()) {
            let written = self.tls.writer().write_vectored(&slices);
            taken += written.map_err(|_| self.fail(LinkError::Tls(Fault::Broken)))?;
        }
        if self.flush()? {
            return Ok(taken);
        }
        self.withheld = taken > 0;
        Ok(taken.saturating_sub(1))
    }

    /// Receives what is there.
    ///
    /// # Errors
    /// [`LinkError::Closed`] when the backend has said that nothing follows; `EINVAL` for an empty buffer.
    pub fn recv(&mut self, buffer: &mut [u8]) -> Result<Received, LinkError> {
        loop {
            if let Some(octets) = self.decrypted(buffer)? {
                return Ok(Received::Data(octets));
            }
            if !self.fill(None)? {
                return Ok(Received::WouldBlock);
            }
        }
    }

    /// Receives what is there or waits for it, at most `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// As [`Session::recv`], and [`LinkError::TimedOut`].
    pub fn recv_blocking(
        &mut self,
        buffer: &mut [u8],
        timeout: Option<Duration>,
    ) -> Result<usize, LinkError> {
        let mut left = timeout;
        let mut deadline = None;
        loop {
            if let Some(octets) = self.decrypted(buffer)? {
                return Ok(octets);
            }
            // Read again only when a record has brought nothing: the clock is asked no sooner.
            if deadline.is_some() {
                left = clock::left(deadline);
            }
            self.fill(Some(left))?;
            deadline = deadline.or_else(|| timeout.map(|timeout| clock::now().after(timeout)));
        }
    }

    /// Nothing has arrived but what concerns TLS alone (tickets).
    pub fn is_quiet(&mut self) -> bool {
        let mut octet = [0];
        self.failed.is_none() && matches!(self.recv(&mut octet), Ok(Received::WouldBlock))
    }

    /// Something has been read from the socket that was not received.
    pub fn is_ahead(&self) -> bool {
        self.start < self.end || self.waiting > 0
    }

    /// Gives back room that an idle connection does not need.
    pub fn rest(&mut self) {
        if self.start == self.end {
            self.inbox = Vec::new();
        }
    }

    /// Closes with a reset.
    pub fn close_abortively(mut self: Box<Self>) {
        self.failed.get_or_insert(LinkError::Closed); // no goodbye
        self.socket.reset_on_close();
    }

    /// Moves decrypted octets to `buffer`, as many as there are without the socket. `None`: none.
    fn decrypted(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, LinkError> {
        if buffer.is_empty() {
            return Err(LinkError::Os(libc::EINVAL));
        }
        let mut filled = 0;
        while let Some(space) = buffer.get_mut(filled..).filter(|space| !space.is_empty()) {
            match self.tls.reader().read(space) {
                Ok(0) if filled == 0 => return Err(LinkError::Closed),
                Ok(0) => break,
                Ok(octets) => {
                    filled += octets;
                    self.waiting = self.waiting.saturating_sub(octets);
                }
                Err(_) if self.start < self.end && self.failed.is_none() => {
                    self.waiting = 0;
                    // A failure is kept: it matters when what came before it is used up.
                    let _ = self.feed();
                }
                Err(_) => match self.failed {
                    Some(error) if filled == 0 => return Err(error),
                    _ => break,
                },
            }
        }
        Ok((filled > 0).then_some(filled))
    }

    /// Reads from the socket unless there is something left of the last time. `wait`: for so long. False: nothing is there.
    fn fill(&mut self, wait: Option<Option<Duration>>) -> Result<bool, LinkError> {
        if self.start < self.end {
            return Ok(true);
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.inbox.is_empty() {
            self.inbox.resize(ROOM, 0);
        }
        let received = match wait {
            None => self.socket.recv(&mut self.inbox),
            Some(timeout) => self.socket.recv_blocking(&mut self.inbox, timeout).map(Received::Data),
        };
        match received {
            Ok(Received::Data(octets)) => {
                (self.start, self.end) = (0, octets);
                Ok(true)
            }
            Ok(Received::WouldBlock) => Ok(false),
            Err(LinkError::Closed) => {
                let fault = if self.tls.is_handshaking() { Fault::Silent } else { Fault::Truncated };
                Err(self.fail(LinkError::Tls(fault)))
            }
            Err(error @ LinkError::TimedOut) => Err(error),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Gives the session what was read, up to the first octets it has decrypted.
    fn feed(&mut self) -> Result<(), LinkError> {
        while self.start < self.end && self.waiting == 0 {
            let mut rest = self.inbox.get(self.start..self.end).unwrap_or_default();
            match self.tls.read_tls(&mut rest) {
                // Behind close_notify nothing counts.
                Ok(0) => self.start = self.end,
                Ok(octets) => self.start += octets,
                Err(_) => return Err(self.fail(LinkError::Tls(Fault::Broken))),
            }
            match self.tls.process_new_packets() {
                Ok(state) => self.waiting = state.plaintext_bytes_to_read(),
                Err(error) => {
                    let fault = fault(&error, self.asked.load(Ordering::Relaxed));
                    self.detail = Some(error.to_string());
                    let _ = self.flush(); // the backend is told why
                    return Err(self.fail(LinkError::Tls(fault)));
                }
            }
        }
        Ok(())
    }

    /// Sends what is encrypted. False: the socket takes no more now.
    fn flush(&mut self) -> Result<bool, LinkError> {
        let mut out = Out { socket: &self.socket, failed: None };
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut out).is_err() {
                return out.failed.map_or(Ok(false), Err);
            }
        }
        Ok(true)
    }

    /// What a backend has to say that takes nothing any more.
    #[cold]
    fn last_words(&mut self, error: LinkError) -> LinkError {
        while self.waiting == 0 && matches!(self.fill(None), Ok(true)) {
            if let Err(told) = self.feed() {
                return told;
            }
        }
        error
    }

    fn fail(&mut self, error: LinkError) -> LinkError {
        *self.failed.get_or_insert(error)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.failed.is_none() {
            self.tls.send_close_notify();
            let _ = self.flush();
        }
    }
}
