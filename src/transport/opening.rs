//! A socket on its way to being connected, for callers that do not wait.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::raw_address::RawAddress;
use super::socket::{Socket, failure, local_address, pending_error, poll, set_blocking, start_connect};
use crate::engine::exchange::LinkError;

/// A socket that is being connected.
pub struct Opening {
    fd: OwnedFd,
    address: RawAddress,
    /// The kernel connects, and the socket becomes writable when it is done.
    under_way: bool,
}

impl Opening {
    /// `fd` does not block.
    pub(super) fn new(fd: OwnedFd, address: RawAddress) -> Self {
        Self { fd, address, under_way: false }
    }

    /// True: it is connected. False: not yet; see [`Opening::pollable`].
    ///
    /// # Errors
    /// It cannot be.
    pub fn step(&mut self) -> Result<bool, LinkError> {
        if self.under_way {
            let mut polled = [libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 }];
            if poll(&mut polled, Some(Duration::ZERO))? == 0 {
                return Ok(false);
            }
            pending_error(&self.fd)?;
        } else {
            match start_connect(&self.fd, &self.address) {
                Ok(()) => {}
                Err(libc::EINPROGRESS | libc::EINTR) => {
                    self.under_way = true;
                    return Ok(false);
                }
                // The backlog of a UNIX socket is full.
                Err(libc::EAGAIN) => return Ok(false),
                Err(libc::ENOENT) => return Err(LinkError::Refused),
                Err(errno) => return Err(failure(errno)),
            }
        }
        if local_address(&self.fd)?.same(&self.address) {
            return Err(LinkError::Refused); // connected to itself
        }
        set_blocking(&self.fd, true)?;
        Ok(true)
    }

    /// What becomes writable when there is something new; `None`: nothing says so, try again a little later.
    pub fn pollable(&self) -> Option<RawFd> {
        self.under_way.then(|| self.fd.as_raw_fd())
    }

    /// The socket, once it is connected.
    pub fn into_socket(self) -> Socket {
        Socket::connected(self.fd)
    }
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Opening").field(&self.fd).finish()
    }
}
