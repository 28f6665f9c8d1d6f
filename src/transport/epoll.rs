//! Waiting for many descriptors at once, and eventfds: the system calls below [`super::reactor`].
//!
//! Each watch reports once and is then off until it is set again. A descriptor is only a number here: who passes one sees to
//! it that it stays open while it is watched. A number that is stale can make a call fail, or watch the wrong thing; it
//! cannot harm memory.
//!
//! Source: Linux `epoll(7)`, `eventfd(2)`.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use libc::c_int;

/// Events taken in one call.
const AT_ONCE: usize = 8;

/// What a descriptor is watched for. Hangups (both directions are over) and errors are always reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest {
    /// Something to read, or the end of it.
    pub readable: bool,
    /// Room to write.
    pub writable: bool,
}

/// Something has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The key of the watch.
    pub key: u64,
    /// Something that was asked for; otherwise it is only a hangup or an error.
    pub asked: bool,
}

/// A set of watched descriptors.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

impl Epoll {
    /// An empty set.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).map(Self)
    }

    /// Watches `fd` until the first event, which carries `key`.
    ///
    /// # Errors
    /// It is watched already, is not open, or is a file.
    pub fn watch(&self, fd: RawFd, interest: Interest, key: u64) -> io::Result<()> {
        Self::watch_in(self.0.as_raw_fd(), fd, interest, key)
    }

    /// As [`Epoll::watch`], in the set with this descriptor.
    ///
    /// # Errors
    /// As there; or it is no set.
    pub fn watch_in(set: RawFd, fd: RawFd, interest: Interest, key: u64) -> io::Result<()> {
        let mut events = libc::EPOLLONESHOT;
        if interest.readable {
            events |= libc::EPOLLIN;
        }
        if interest.writable {
            events |= libc::EPOLLOUT;
        }
        let mut event = libc::epoll_event { events: events.cast_unsigned(), u64: key };
        // SAFETY: the event is read during the call.
        done(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, fd, &raw mut event) })
    }

    /// Gives the set up without closing it: somebody else has.
    pub fn abandon(self) {
        std::mem::forget(self.0);
    }

    /// Ends a watch; to be called before the descriptor is closed.
    pub fn forget(&self, fd: RawFd) {
        // It may be closed by now; then the kernel has ended the watch.
        // SAFETY: no pointers (since Linux 2.6.9).
        let _ = unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut()) };
    }

    /// Waits for events, at most `timeout` (rounded up to milliseconds). A signal ends the wait.
    ///
    /// # Errors
    /// The system call failed.
    pub fn wait(&self, timeout: Duration, mut each: impl FnMut(Event)) -> io::Result<()> {
        let mut events = [const { MaybeUninit::<libc::epoll_event>::uninit() }; AT_ONCE];
        let millis = c_int::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX);
        let most = c_int::try_from(AT_ONCE).unwrap_or(1);
        // SAFETY: the array has room for as many events as the call may write.
        let count = unsafe {
            libc::epoll_wait(
                self.0.as_raw_fd(),
                events.as_mut_ptr().cast::<libc::epoll_event>(),
                most,
                millis,
            )
        };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
        };
        for event in events.iter().take(count) {
            // SAFETY: the kernel has written the first `count` events.
            let event = unsafe { event.assume_init_read() };
            let asked = (libc::EPOLLIN | libc::EPOLLOUT).cast_unsigned();
            each(Event { key: event.u64, asked: event.events & asked != 0 });
        }
        Ok(())
    }
}

impl AsRawFd for Epoll {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// An eventfd: readable as long as it has been rung and not silenced.
#[derive(Debug)]
pub struct Doorbell(OwnedFd);

impl Doorbell {
    /// One that is readable.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn ringing() -> io::Result<Self> {
        Self::of(1)
    }

    /// One that is not, before it is rung.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn silent() -> io::Result<Self> {
        Self::of(0)
    }

    fn of(value: libc::c_uint) -> io::Result<Self> {
        // SAFETY: no pointers.
        own(unsafe { libc::eventfd(value, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }).map(Self)
    }

    /// Makes it readable.
    pub fn ring(&self) {
        let one: u64 = 1;
        // It fails only when it has been rung 2^64 - 2 times, and is readable then.
        // SAFETY: eight readable octets.
        let _ = unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
    }

    /// Makes it silent.
    pub fn silence(&self) {
        let mut count: u64 = 0;
        // It fails when it is silent.
        // SAFETY: eight writable octets.
        let _ = unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) };
    }
}

impl AsRawFd for Doorbell {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Descriptors this process may have open; `None`: no limit is known.
pub fn descriptor_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is written during the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    (result == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// Which of two descriptors are ready now or become so within `timeout`: for a short wait before a long one.
///
/// Returns false when the time is over.
pub fn wait_briefly(watched: [Option<(RawFd, Interest)>; 2], timeout: Duration) -> bool {
    let one = |entry: Option<(RawFd, Interest)>| {
        // poll(2) skips negative descriptors.
        let (fd, interest) = entry.unwrap_or((-1, Interest::default()));
        let events = if interest.readable { libc::POLLIN } else { 0 }
            | if interest.writable { libc::POLLOUT } else { 0 };
        libc::pollfd { fd, events, revents: 0 }
    };
    let mut polled = watched.map(one);
    let limit = libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos()),
    };
    // SAFETY: the array and the time are valid during the call; no signal mask is changed.
    let ready = unsafe { libc::ppoll(polled.as_mut_ptr(), 2, &raw const limit, std::ptr::null()) };
    ready > 0
}

/// Keeps signals away from the calling thread: httpd's handlers are for its own threads.
pub fn block_signals() {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is filled before it is read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut());
    }
}

fn own(fd: c_int) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was just opened and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn done(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
