//! The sockets of httpd's children, looked at from outside.

use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

use crate::support::Httpd;

/// Copies of all TCP sockets of httpd's children that are connected to this port. Drop them soon: while a copy is open, the
/// connection is not closed.
pub(crate) fn connected_to(httpd: &Httpd, port: u16) -> Vec<TcpStream> {
    let mut found = Vec::new();
    for pid in httpd.child_pids() {
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors of a child").flatten() {
            let is_socket =
                std::fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"));
            let number = entry.file_name().to_string_lossy().parse::<RawFd>().expect("a number");
            if !is_socket {
                continue;
            }
            if let Some(stream) = copy(pid, number)
                && stream.peer_addr().is_ok_and(|peer| peer.port() == port)
            {
                found.push(stream);
            }
        }
    }
    found
}

/// A copy of a descriptor of another process (`pidfd_getfd`, Linux 5.6).
fn copy(pid: u32, number: RawFd) -> Option<TcpStream> {
    // SAFETY: no memory is passed.
    let process = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let process = RawFd::try_from(process).expect("descriptor");
    assert!(process >= 0, "pidfd_open: {}", std::io::Error::last_os_error());
    // SAFETY: no memory is passed.
    let copy = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process, number, 0) };
    let error = std::io::Error::last_os_error();
    // SAFETY: the descriptor was opened above and is used by nobody else.
    unsafe { libc::close(process) };
    let copy = RawFd::try_from(copy).expect("descriptor");
    if copy < 0 {
        // It may have been closed meanwhile; anything else would hide what is tested.
        assert_eq!(error.raw_os_error(), Some(libc::EBADF), "pidfd_getfd: {error}");
        return None;
    }
    // SAFETY: the descriptor is new and owned here.
    Some(unsafe { TcpStream::from_raw_fd(copy) })
}

/// An option of level `SOL_SOCKET`.
pub(crate) fn option(stream: &TcpStream, name: libc::c_int) -> libc::c_int {
    let mut value: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: value and length live across the call, and the length is that of the value.
    let done = unsafe {
        libc::getsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut len)
    };
    assert_eq!(done, 0, "getsockopt: {}", std::io::Error::last_os_error());
    value
}

/// A port at which connecting hangs: its queue is full and nobody accepts.
pub(crate) struct Unanswering {
    port: u16,
    _held: (std::net::TcpListener, Vec<TcpStream>),
}

impl Unanswering {
    /// Listens and fills the queue.
    pub(crate) fn new() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listen");
        // SAFETY: no memory is passed; a second listen only changes the length of the queue.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let address = listener.local_addr().expect("address");
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, std::time::Duration::from_millis(300)) {
            queued.push(stream);
            assert!(queued.len() < 20, "the queue does not fill");
        }
        Self { port: address.port(), _held: (listener, queued) }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}
