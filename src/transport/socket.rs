//! System calls on one stream socket: connect with a timeout, vectored send, receive with and without waiting, poll.
//!
//! Sockets are close-on-exec from their creation, so that no CGI program inherits one. They are in blocking mode, but
//! sending and the plain receive pass `MSG_DONTWAIT`: one thread may wait in [`Socket::recv_blocking`] with a single
//! system call while an event loop uses the same socket without changing its mode. Signals never surface: an
//! interrupted call is repeated, and a wait keeps its deadline. `SIGPIPE` is not raised.
//!
//! One of the two files of this layer with `unsafe`. Sources: POSIX; Linux `socket(7)`, `tcp(7)`, `unix(7)`, `ip(7)`.

use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use libc::{c_int, c_short, c_void};

use super::address::SockAddr;
use super::clock;
use super::opening::Opening;
use super::raw_address::{RawAddress, length_of};
use crate::engine::exchange::{LinkError, Received};

/// Most parts that one [`Socket::send`] takes; further parts are left for the next call.
pub const MAX_PARTS: usize = 4;

/// How a socket is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SocketOptions {
    /// Local address to connect from (property `source`), any port. Failing to bind to it fails the attempt; mod_jk then
    /// connected from any address. Not for UNIX sockets.
    pub source: Option<IpAddr>,
    /// `SO_KEEPALIVE` with the intervals of the system (property `socket_keepalive`).
    pub keepalive: bool,
    /// `SO_SNDBUF` and `SO_RCVBUF` in octets (property `socket_buffer`); `None`: as the system does.
    pub buffer: Option<u32>,
}

/// What [`Socket::wait`] found; nothing at all means that the time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready {
    /// Asked for, and receiving will not block: data, EOF or an error.
    pub readable: bool,
    /// Asked for, and sending will not block: room or an error.
    pub writable: bool,
    /// Events of the other descriptor (`POLLIN` ..., also the unasked `POLLHUP`, `POLLERR`, `POLLNVAL`).
    pub extra: c_short,
}

/// An open stream socket, closed when dropped.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    /// `SO_RCVTIMEO` as last set, in microseconds; 0 is none, as in the kernel.
    receive_timeout: u64,
}

impl Socket {
    /// Takes over a connected socket.
    pub(super) fn connected(fd: OwnedFd) -> Self {
        Self { fd, receive_timeout: 0 }
    }

    /// Connects to one address within `timeout` (`None`: as long as the kernel tries, which may be minutes).
    ///
    /// # Errors
    /// [`LinkError::Refused`] also for a UNIX socket that does not exist, [`LinkError::TimedOut`] also for a UNIX socket
    /// whose backlog stays full.
    pub fn connect(
        to: &SockAddr,
        options: &SocketOptions,
        timeout: Option<Duration>,
    ) -> Result<Self, LinkError> {
        let (fd, address) = Self::prepare(to, options)?;
        match to {
            SockAddr::Inet(_) => connect_inet(&fd, &address, timeout)?,
            SockAddr::Unix(_) => connect_unix(&fd, &address, timeout)?,
        }
        Ok(Self { fd, receive_timeout: 0 })
    }

    /// As [`Socket::connect`], without waiting.
    ///
    /// # Errors
    /// As there, but for the time.
    pub fn begin(to: &SockAddr, options: &SocketOptions) -> Result<Opening, LinkError> {
        let (fd, address) = Self::prepare(to, options)?;
        set_blocking(&fd, false)?;
        Ok(Opening::new(fd, address))
    }

    /// A socket that is to be connected.
    fn prepare(to: &SockAddr, options: &SocketOptions) -> Result<(OwnedFd, RawAddress), LinkError> {
        let address = match to {
            SockAddr::Inet(address) => RawAddress::inet(address),
            SockAddr::Unix(path) => RawAddress::unix(path)?,
        };
        let fd = open(address.family())?;
        // Before connecting: the window scale is negotiated from the size of the buffer.
        if let Some(octets) = options.buffer {
            let octets = c_int::try_from(octets).unwrap_or(c_int::MAX);
            set_option(&fd, libc::SOL_SOCKET, libc::SO_SNDBUF, octets)?;
            set_option(&fd, libc::SOL_SOCKET, libc::SO_RCVBUF, octets)?;
        }
        match to {
            SockAddr::Inet(to) => {
                set_option(&fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
                if options.keepalive {
                    set_option(&fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
                }
                if let Some(source) = options.source {
                    bind(&fd, source, to)?;
                }
            }
            SockAddr::Unix(_) => {}
        }
        Ok((fd, address))
    }

    /// Sends as much of the parts, in order, as the socket takes now, in one system call; at most [`MAX_PARTS`] parts
    /// that are not empty. 0: it takes none.
    ///
    /// # Errors
    /// The connection is unusable.
    pub fn send(&self, parts: &[&[u8]]) -> Result<usize, LinkError> {
        if let [part] = parts
            && !part.is_empty()
        {
            return taken(retry(|| self.send_one(part)));
        }
        let mut vectors = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; MAX_PARTS];
        let mut count = 0;
        let filled = parts.iter().filter(|part| !part.is_empty());
        for (vector, part) in vectors.iter_mut().zip(filled) {
            vector.iov_base = part.as_ptr().cast_mut().cast();
            vector.iov_len = part.len();
            count += 1;
        }
        if count == 0 {
            return Ok(0);
        }
        let sent = retry(|| {
            // SAFETY: all-zero is a valid msghdr (no address, no control data).
            let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
            message.msg_iov = vectors.as_mut_ptr();
            message.msg_iovlen = count;
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: the first `count` vectors describe parts borrowed for this call, which sendmsg only reads.
            unsafe { libc::sendmsg(self.fd.as_raw_fd(), &raw const message, flags) }
        });
        taken(sent)
    }

    /// Sends what the socket takes of one part.
    fn send_one(&self, part: &[u8]) -> isize {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let (address, size) = (ptr::null::<libc::sockaddr>(), 0_usize);
        // SAFETY: the part is readable for its length; the descriptor is open as long as `self` is; there is no address.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_sendto,
                self.fd.as_raw_fd(),
                part.as_ptr(),
                part.len(),
                flags,
                address,
                size,
            )
        };
        isize::try_from(sent).unwrap_or(-1)
    }

    /// Receives what is there.
    ///
    /// # Errors
    /// [`LinkError::Closed`] at EOF; `EINVAL` for an empty buffer, where EOF cannot be told from success.
    pub fn recv(&self, buffer: &mut [u8]) -> Result<Received, LinkError> {
        if buffer.is_empty() {
            return Err(LinkError::Os(libc::EINVAL));
        }
        match retry(|| self.receive(buffer, libc::MSG_DONTWAIT)) {
            Ok(0) => Err(LinkError::Closed),
            Ok(octets) => Ok(Received::Data(octets)),
            Err(libc::EAGAIN) => Ok(Received::WouldBlock),
            Err(errno) => Err(failure(errno)),
        }
    }

    /// Receives what is there or waits for it, at most `timeout` (`None`: for ever). A signal may lengthen the wait to
    /// twice the timeout, because the clock is only read when one arrives.
    ///
    /// # Errors
    /// As [`Socket::recv`], and [`LinkError::TimedOut`].
    pub fn recv_blocking(
        &mut self,
        buffer: &mut [u8],
        timeout: Option<Duration>,
    ) -> Result<usize, LinkError> {
        if buffer.is_empty() {
            return Err(LinkError::Os(libc::EINVAL));
        }
        // Zero would mean "for ever" to the kernel.
        let flags = if timeout.is_some_and(|timeout| timeout.is_zero()) {
            libc::MSG_DONTWAIT
        } else {
            self.set_receive_timeout(timeout)?;
            0
        };
        match usize::try_from(self.receive(buffer, flags)) {
            Ok(0) => Err(LinkError::Closed),
            Ok(octets) => Ok(octets),
            Err(_) => match errno() {
                libc::EAGAIN => Err(LinkError::TimedOut),
                libc::EINTR => self.recv_interrupted(buffer, timeout),
                errno => Err(failure(errno)),
            },
        }
    }

    /// Goes on with [`Socket::recv_blocking`] after a signal.
    #[cold]
    fn recv_interrupted(&self, buffer: &mut [u8], timeout: Option<Duration>) -> Result<usize, LinkError> {
        let deadline = timeout.map(|timeout| clock::now().after(timeout));
        loop {
            if !self.wait(true, false, None, clock::left(deadline))?.readable {
                return Err(LinkError::TimedOut);
            }
            if let Received::Data(octets) = self.recv(buffer)? {
                return Ok(octets);
            }
        }
    }

    /// Nothing has arrived, not even EOF or an error. An idle connection that is not quiet must not be used: what
    /// arrived would be read as the answer to the next request (mod_jk called such a connection alive).
    pub fn is_quiet(&self) -> bool {
        let mut octet = [0];
        matches!(retry(|| self.receive(&mut octet, libc::MSG_PEEK | libc::MSG_DONTWAIT)), Err(libc::EAGAIN))
    }

    /// Waits until the socket or the other descriptor is ready, at most `timeout` (`None`: for ever, rounded up to
    /// milliseconds). The socket is left out, also with its errors, when neither direction is asked for.
    ///
    /// # Errors
    /// The system call failed.
    pub fn wait(
        &self,
        readable: bool,
        writable: bool,
        extra: Option<(RawFd, c_short)>,
        timeout: Option<Duration>,
    ) -> Result<Ready, LinkError> {
        let asked = if readable { libc::POLLIN } else { 0 } | if writable { libc::POLLOUT } else { 0 };
        let (other, other_events) = extra.unwrap_or((-1, 0));
        // poll(2) skips negative descriptors.
        let own = if asked == 0 { -1 } else { self.fd.as_raw_fd() };
        let mut polled = [
            libc::pollfd { fd: own, events: asked, revents: 0 },
            libc::pollfd { fd: other, events: other_events, revents: 0 },
        ];
        poll(&mut polled, timeout)?;
        let [own, other] = polled;
        let trouble = own.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0;
        Ok(Ready {
            readable: readable && (trouble || own.revents & libc::POLLIN != 0),
            writable: writable && (trouble || own.revents & libc::POLLOUT != 0),
            extra: other.revents,
        })
    }

    /// Ends the sending direction.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn finish(&self) -> Result<(), LinkError> {
        // SAFETY: no pointers; the descriptor is open as long as `self` is.
        if unsafe { libc::shutdown(self.fd.as_raw_fd(), libc::SHUT_WR) } == 0 {
            Ok(())
        } else {
            Err(failure(errno()))
        }
    }

    /// Closes with a reset, so that the backend notices at once, whatever it is doing; UNIX sockets close normally.
    pub fn close_abortively(self) {
        self.reset_on_close();
    }

    /// Dropping it is [`Socket::close_abortively`] from now on.
    pub(super) fn reset_on_close(&self) {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // If that failed, the socket is closed in the normal way.
        let _ = set_option(&self.fd, libc::SOL_SOCKET, libc::SO_LINGER, linger);
    }

    /// As recv(2). Not the one of the C library, which spends more on being a place where threads can be cancelled than on the
    /// call; nobody cancels threads that run this.
    fn receive(&self, buffer: &mut [u8], flags: c_int) -> isize {
        let (address, size) = (ptr::null_mut::<libc::sockaddr>(), ptr::null_mut::<libc::socklen_t>());
        // SAFETY: the buffer is writable for its length; the descriptor is open as long as `self` is; no address is asked for.
        let received = unsafe {
            libc::syscall(
                libc::SYS_recvfrom,
                self.fd.as_raw_fd(),
                buffer.as_mut_ptr(),
                buffer.len(),
                flags,
                address,
                size,
            )
        };
        isize::try_from(received).unwrap_or(-1)
    }

    fn set_receive_timeout(&mut self, timeout: Option<Duration>) -> Result<(), LinkError> {
        let wanted = match timeout {
            None => 0,
            Some(timeout) => u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX).max(1),
        };
        if self.receive_timeout != wanted {
            set_option(&self.fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, timeval(wanted))?;
            self.receive_timeout = wanted;
        }
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// What a socket took; 0 when it takes nothing now.
fn taken(sent: Result<usize, c_int>) -> Result<usize, LinkError> {
    match sent {
        Err(libc::EAGAIN) => Ok(0),
        other => other.map_err(failure),
    }
}

/// The time since the machine was booted, from `CLOCK_MONOTONIC`.
pub(super) fn monotonic() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is writable. The clock exists on every system httpd runs on, so there is no failure to handle.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn open(family: c_int) -> Result<OwnedFd, LinkError> {
    // SAFETY: no pointers are passed.
    let fd = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(failure(errno()));
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bind(fd: &OwnedFd, source: IpAddr, to: &SocketAddr) -> Result<(), LinkError> {
    if source.is_ipv4() != to.is_ipv4() {
        return Err(LinkError::Os(libc::EAFNOSUPPORT));
    }
    // The port is then chosen at connect, where only the pair of addresses must be unique. Older kernels choose it at
    // bind, which works as well until ports run short.
    let _ = set_option(fd, libc::SOL_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1);
    let local = RawAddress::inet(&SocketAddr::new(source, 0));
    // SAFETY: the address is valid for the length passed.
    let result = unsafe { libc::bind(fd.as_raw_fd(), local.pointer(), local.length()) };
    if result == 0 { Ok(()) } else { Err(failure(errno())) }
}

pub(super) fn start_connect(fd: &OwnedFd, to: &RawAddress) -> Result<(), c_int> {
    // SAFETY: the address is valid for the length passed.
    let result = unsafe { libc::connect(fd.as_raw_fd(), to.pointer(), to.length()) };
    if result == 0 { Ok(()) } else { Err(errno()) }
}

fn connect_inet(fd: &OwnedFd, to: &RawAddress, timeout: Option<Duration>) -> Result<(), LinkError> {
    set_blocking(fd, false)?;
    match start_connect(fd, to) {
        Ok(()) => {}
        // An interrupted connect goes on in the background, like one in non-blocking mode.
        Err(libc::EINPROGRESS | libc::EINTR) => {
            let mut polled = [libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 }];
            if poll(&mut polled, timeout)? == 0 {
                return Err(LinkError::TimedOut);
            }
            pending_error(fd)?;
        }
        Err(errno) => return Err(failure(errno)),
    }
    // Without a listener, a port of the ephemeral range may be chosen as the own one, and TCP then connects a socket to
    // itself.
    if local_address(fd)?.same(to) {
        return Err(LinkError::Refused);
    }
    set_blocking(fd, true)
}

/// A UNIX socket connects at once unless the backlog is full. Poll cannot wait for that, but the kernel does, for as
/// long as the send timeout says.
fn connect_unix(fd: &OwnedFd, to: &RawAddress, timeout: Option<Duration>) -> Result<(), LinkError> {
    let deadline = timeout.map(|timeout| clock::now().after(timeout));
    loop {
        if let Some(left) = clock::left(deadline) {
            let micros = u64::try_from(left.as_micros()).unwrap_or(u64::MAX).max(1);
            set_option(fd, libc::SOL_SOCKET, libc::SO_SNDTIMEO, timeval(micros))?;
        }
        match start_connect(fd, to) {
            Ok(()) => return Ok(()),
            Err(libc::EINTR) => {}
            Err(libc::EAGAIN) => return Err(LinkError::TimedOut),
            Err(libc::ENOENT) => return Err(LinkError::Refused),
            Err(errno) => return Err(failure(errno)),
        }
    }
}

/// The result of a connect in the background.
pub(super) fn pending_error(fd: &OwnedFd) -> Result<(), LinkError> {
    let mut pending: c_int = 0;
    let mut length = length_of::<c_int>();
    let value: *mut c_void = (&raw mut pending).cast();
    // SAFETY: `value` points to `length` writable octets.
    let result =
        unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ERROR, value, &raw mut length) };
    match (result, pending) {
        (0, 0) => Ok(()),
        (0, pending) => Err(failure(pending)),
        _ => Err(failure(errno())),
    }
}

pub(super) fn local_address(fd: &OwnedFd) -> Result<RawAddress, LinkError> {
    let mut address = RawAddress::empty();
    let (storage, length) = address.parts();
    // SAFETY: the storage is writable for the length passed; any octets are a valid sockaddr_storage.
    let result = unsafe { libc::getsockname(fd.as_raw_fd(), storage, length) };
    if result == 0 { Ok(address) } else { Err(failure(errno())) }
}

pub(super) fn set_blocking(fd: &OwnedFd, blocking: bool) -> Result<(), LinkError> {
    let mut nonblocking = c_int::from(!blocking);
    // SAFETY: FIONBIO reads one int from the pointer.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONBIO, &raw mut nonblocking) };
    if result == 0 { Ok(()) } else { Err(failure(errno())) }
}

/// `T`: the type that the option's documentation names.
fn set_option<T: Copy>(fd: &OwnedFd, level: c_int, name: c_int, value: T) -> Result<(), LinkError> {
    let pointer: *const c_void = (&raw const value).cast();
    // SAFETY: the pointer is valid for the size of the value, and the kernel only reads it.
    let result = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, pointer, length_of::<T>()) };
    if result == 0 { Ok(()) } else { Err(failure(errno())) }
}

/// Polls again after signals, without lengthening the time. Returns how many descriptors are ready.
pub(super) fn poll(polled: &mut [libc::pollfd], timeout: Option<Duration>) -> Result<usize, LinkError> {
    let count = libc::nfds_t::try_from(polled.len()).unwrap_or(0);
    let deadline = timeout.map(|timeout| clock::now().after(timeout));
    loop {
        let left = clock::left(deadline);
        let millis = left.map_or(-1, |left| {
            // Rounded up: waking early would only mean another round. Cut at 24 days: another round follows.
            c_int::try_from(left.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX)
        });
        // SAFETY: the slice is valid for `count` entries.
        let ready = unsafe { libc::poll(polled.as_mut_ptr(), count, millis) };
        match usize::try_from(ready) {
            Ok(0) if clock::left(deadline).is_none_or(|left| !left.is_zero()) => {}
            Ok(ready) => return Ok(ready),
            Err(_) => match errno() {
                libc::EINTR => {}
                errno => return Err(failure(errno)),
            },
        }
    }
}

/// Repeats a call that a signal interrupted; it must not be one that waits.
fn retry(mut call: impl FnMut() -> isize) -> Result<usize, c_int> {
    loop {
        match usize::try_from(call()) {
            Ok(octets) => return Ok(octets),
            Err(_) => match errno() {
                libc::EINTR => {}
                errno => return Err(errno),
            },
        }
    }
}

fn errno() -> c_int {
    // SAFETY: points to the errno of the calling thread, always.
    unsafe { *libc::__errno_location() }
}

pub(super) fn failure(errno: c_int) -> LinkError {
    match errno {
        libc::ECONNRESET | libc::EPIPE => LinkError::Reset,
        libc::ECONNREFUSED => LinkError::Refused,
        // From keepalive probes and from connecting without a timeout.
        libc::ETIMEDOUT => LinkError::TimedOut,
        other => LinkError::Os(other),
    }
}

fn timeval(micros: u64) -> libc::timeval {
    const SECOND: u64 = 1_000_000;
    libc::timeval {
        tv_sec: libc::time_t::try_from(micros / SECOND).unwrap_or(libc::time_t::MAX),
        tv_usec: libc::suseconds_t::try_from(micros % SECOND).unwrap_or(0),
    }
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
