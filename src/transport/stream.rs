//! What a connection runs over: a socket, or TLS over a socket.
//!
//! A plain connection pays for the choice with one comparison.

use std::time::Duration;

use super::session::Session;
use super::socket::Socket;
use crate::engine::exchange::{LinkError, Received};

/// A socket, or TLS over a socket.
#[derive(Debug)]
pub enum Stream {
    /// As it is.
    Plain(Socket),
    /// Encrypted.
    Tls(Box<Session>),
}

impl Stream {
    /// The socket below.
    #[inline]
    pub fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(session) => session.socket(),
        }
    }

    /// See [`Socket::send`] and [`Session::send`].
    ///
    /// # Errors
    /// The connection is unusable.
    #[inline]
    pub fn send(&mut self, parts: &[&[u8]]) -> Result<usize, LinkError> {
        match self {
            Self::Plain(socket) => socket.send(parts),
            Self::Tls(session) => session.send(parts),
        }
    }

    /// See [`Socket::recv`] and [`Session::recv`].
    ///
    /// # Errors
    /// As these.
    #[inline]
    pub fn recv(&mut self, buffer: &mut [u8]) -> Result<Received, LinkError> {
        match self {
            Self::Plain(socket) => socket.recv(buffer),
            Self::Tls(session) => session.recv(buffer),
        }
    }

    /// See [`Socket::recv_blocking`] and [`Session::recv_blocking`].
    ///
    /// # Errors
    /// As these.
    #[inline]
    pub fn recv_blocking(
        &mut self,
        buffer: &mut [u8],
        timeout: Option<Duration>,
    ) -> Result<usize, LinkError> {
        match self {
            Self::Plain(socket) => socket.recv_blocking(buffer, timeout),
            Self::Tls(session) => session.recv_blocking(buffer, timeout),
        }
    }

    /// Nothing has arrived that belongs to an exchange, not even the end; see [`Socket::is_quiet`].
    #[inline]
    pub fn is_quiet(&mut self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_quiet(),
            Self::Tls(session) => session.is_quiet(),
        }
    }

    /// Octets have been read from the socket that nobody has received: it makes no sense to wait for it.
    pub fn is_ahead(&self) -> bool {
        matches!(self, Self::Tls(session) if session.is_ahead())
    }

    /// It will not be used for a while.
    pub fn rest(&mut self) {
        if let Self::Tls(session) = self {
            session.rest();
        }
    }

    /// Closes with a reset; see [`Socket::close_abortively`].
    pub fn close_abortively(self) {
        match self {
            Self::Plain(socket) => socket.close_abortively(),
            Self::Tls(session) => session.close_abortively(),
        }
    }
}
