//! An open connection to a backend.
//!
//! Holds no buffer: thousands of idle ones cost a few dozen octets each besides what the kernel keeps.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::session::Session;
use super::socket::{Ready, Socket};
use super::stream::Stream;
use super::tls::Client;
use crate::engine::exchange::{Link, LinkError, Received};
use crate::engine::units::Tick;

/// An open connection to a backend, closed when dropped.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    peer: Arc<str>,
    established: Tick,
    last_used: Tick,
    last_good: Tick,
    exchanges: u32,
    counted: Option<Counted>,
}

/// One more in a count of open connections, until it is dropped.
#[derive(Debug)]
struct Counted(&'static AtomicU32);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

// What the memory target for idle connections rests on.
const _: () = assert!(size_of::<Connection>() < 128);

impl Connection {
    /// Wraps a connected socket; `peer` is the label of its address.
    pub fn new(socket: Socket, peer: Arc<str>, now: Tick) -> Self {
        let stream = Stream::Plain(socket);
        Self { stream, peer, established: now, last_used: now, last_good: now, exchanges: 0, counted: None }
    }

    /// Octets that go ahead of everything else, TLS included (a PROXY header); only on a connection that has carried nothing.
    ///
    /// # Errors
    /// The connection is unusable, or did not take them at once, which a new connection does.
    pub fn begin_with(&mut self, octets: &[u8]) -> Result<(), LinkError> {
        match self.stream.send(&[octets])? {
            all if all == octets.len() => Ok(()),
            _ => Err(LinkError::TimedOut),
        }
    }

    /// What follows on this new connection is TLS. The handshake is [`Link::establish`].
    ///
    /// # Errors
    /// No session could be made.
    pub fn secure(self, client: &Client) -> Result<Self, LinkError> {
        let Self { stream, peer, established, last_used, last_good, exchanges, counted } = self;
        let stream = match stream {
            Stream::Plain(socket) => Stream::Tls(Session::new(socket, client)?),
            other @ Stream::Tls(_) => other,
        };
        Ok(Self { stream, peer, established, last_used, last_good, exchanges, counted })
    }

    /// What TLS has to say about its failure beside the error.
    pub fn tls_detail(&self) -> Option<&str> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(session) => session.detail(),
        }
    }

    /// Counts it in `count` as long as it is open.
    pub fn count_in(&mut self, count: &'static AtomicU32) {
        count.fetch_add(1, Ordering::Relaxed);
        self.counted = Some(Counted(count));
    }

    /// The backend's address: `127.0.0.1:8009`, `[::1]:8009` or `unix:/path`.
    pub fn peer(&self) -> &Arc<str> {
        &self.peer
    }

    /// When it was connected.
    pub fn established(&self) -> Tick {
        self.established
    }

    /// When its last exchange ended, or when it was connected.
    pub fn last_used(&self) -> Tick {
        self.last_used
    }

    /// When the backend last proved alive: by an exchange, an answered CPing or being connected.
    pub fn last_good(&self) -> Tick {
        self.last_good
    }

    /// How many exchanges it has carried; 0 for a new one. A failure at once on a reused connection may only mean that
    /// the backend had closed it.
    pub fn exchanges(&self) -> u32 {
        self.exchanges
    }

    /// Records the end of an exchange.
    pub fn mark_used(&mut self, now: Tick) {
        self.last_used = now;
        self.last_good = now;
        self.exchanges = self.exchanges.saturating_add(1);
        self.stream.rest();
    }

    /// Records an answered CPing, which does not count as use.
    pub fn mark_good(&mut self, now: Tick) {
        self.last_good = now;
    }

    /// Nothing has arrived; see [`Stream::is_quiet`].
    pub fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }

    /// Waits for the socket and another descriptor; see [`Socket::wait`].
    ///
    /// # Errors
    /// The system call failed.
    pub fn wait(
        &self,
        readable: bool,
        writable: bool,
        extra: Option<(RawFd, i16)>,
        timeout: Option<Duration>,
    ) -> Result<Ready, LinkError> {
        self.stream.socket().wait(readable, writable, extra, timeout)
    }

    /// Closes with a reset; see [`Socket::close_abortively`].
    pub fn close_abortively(self) {
        self.stream.close_abortively();
    }
}

impl Link for Connection {
    fn establish(&mut self) -> Result<Option<bool>, LinkError> {
        match &mut self.stream {
            Stream::Plain(_) => Ok(None),
            Stream::Tls(session) => session.establish(),
        }
    }

    fn is_raw(&self) -> bool {
        matches!(&self.stream, Stream::Tls(session) if session.is_raw())
    }

    fn send(&mut self, parts: &[&[u8]]) -> Result<usize, LinkError> {
        self.stream.send(parts)
    }

    fn recv(&mut self, buffer: &mut [u8]) -> Result<Received, LinkError> {
        self.stream.recv(buffer)
    }

    fn recv_blocking(&mut self, buffer: &mut [u8], timeout: Option<Duration>) -> Result<usize, LinkError> {
        self.stream.recv_blocking(buffer, timeout)
    }

    fn wait(&mut self, writable: bool, other: Option<i32>, timeout: Duration) -> Result<(), LinkError> {
        if self.stream.is_ahead() {
            return Ok(());
        }
        let ready =
            self.stream.socket().wait(true, writable, other.map(|fd| (fd, libc::POLLIN)), Some(timeout))?;
        if ready == Ready::default() { Err(LinkError::TimedOut) } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<bool, LinkError> {
        match &self.stream {
            Stream::Plain(socket) => socket.finish().map(|()| true),
            // Many TLS implementations take close_notify for the end of both directions.
            Stream::Tls(_) => Ok(false),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.socket().as_fd()
    }
}

impl AsRawFd for Connection {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.socket().as_raw_fd()
    }
}
