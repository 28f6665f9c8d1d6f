//! The sockets of the scripted backend: where it listens, and its connections, of TCP, of a Unix domain, or with TLS.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Where a backend listens.
#[derive(Debug, Clone)]
pub enum Address {
    /// An IPv4 or IPv6 address.
    Tcp(SocketAddr),
    /// A UNIX socket.
    Unix(PathBuf),
}

/// A listening socket.
pub(super) enum Listener {
    Tcp(TcpListener, Option<Arc<ServerConfig>>),
    Unix(UnixListener),
}

impl Listener {
    /// Binds, and fills in the port the system chose. `tls` is for TCP only.
    pub(super) fn bind(address: &mut Address, tls: Option<Arc<ServerConfig>>) -> Self {
        match address {
            Address::Tcp(at) => {
                let listener = bind_tcp(*at);
                *at = listener.local_addr().expect("local address");
                Self::Tcp(listener, tls)
            }
            Address::Unix(path) => {
                let _ = std::fs::remove_file(&*path);
                let listener = UnixListener::bind(&*path)
                    .unwrap_or_else(|e| panic!("cannot listen on {}: {e}", path.display()));
                std::fs::set_permissions(&*path, std::fs::Permissions::from_mode(0o777)).expect("chmod");
                Self::Unix(listener)
            }
        }
    }

    /// The next connection.
    pub(super) fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener, tls) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                let Some(tls) = tls else { return Ok(Socket::Tcp(stream)) };
                // The handshake is part of the first reading, in the thread of the connection.
                let session = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
                Ok(Socket::Tls(Box::new(StreamOwned::new(session, stream))))
            }
            Self::Unix(listener) => Ok(Socket::Unix(listener.accept()?.0)),
        }
    }
}

/// Binds, also to a port that was free a moment ago and that a connection of another process has got for a short time.
fn bind_tcp(at: SocketAddr) -> TcpListener {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match TcpListener::bind(at) {
            Ok(listener) => return listener,
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(e) => panic!("cannot listen on {at}: {e}"),
        }
    }
}

/// Keeps a TCP port from being given to another process while nobody listens there. Connecting is refused as long as the
/// result lives.
pub(super) fn reserve(address: &Address) -> Option<OwnedFd> {
    let Address::Tcp(SocketAddr::V4(at)) = address else { return None };
    // SAFETY: no memory is passed; what comes back is a new descriptor or negative.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert!(fd >= 0, "socket: {}", io::Error::last_os_error());
    // SAFETY: the descriptor is new and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let on: libc::c_int = 1;
    let name = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: at.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(at.ip().octets()) },
        sin_zero: [0; 8],
    };
    // SAFETY: both values live across the calls and their true lengths are given.
    let bound = unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_REUSEADDR,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        );
        libc::bind(fd, (&raw const name).cast(), size_of_val(&name) as libc::socklen_t)
    };
    // Somebody may have been faster; then the test is as good as it was without.
    (bound == 0).then_some(socket)
}

/// A connection of any kind.
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Socket {
    /// Another handle of it, to end the connection from outside its thread: of TLS it is the socket below.
    pub(super) fn handle(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
            Self::Tls(tls) => Self::Tcp(tls.sock.try_clone()?),
        })
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
            Self::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
        }
    }

    /// Reads what is there without waiting.
    pub(super) fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.set_nonblocking(true)?;
        let result = self.read(buffer);
        self.set_nonblocking(false)?;
        result
    }

    fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(on),
            Self::Unix(stream) => stream.set_nonblocking(on),
            Self::Tls(tls) => tls.sock.set_nonblocking(on),
        }
    }

    /// Ends the connection in the way of its protocol.
    pub(super) fn shutdown(&mut self) {
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
            Self::Tls(tls) => {
                tls.conn.send_close_notify();
                let _ = tls.flush();
                tls.sock.shutdown(Shutdown::Both)
            }
        };
    }

    /// The next close sends a reset; there is no such thing on a UNIX socket.
    pub(super) fn reset_on_close(&self) {
        match self {
            Self::Tcp(stream) => linger_zero(stream),
            Self::Tls(tls) => linger_zero(&tls.sock),
            Self::Unix(_) => {}
        }
    }
}

/// Makes the close of a TCP socket a reset (`SO_LINGER` with zero).
pub fn linger_zero(stream: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let fd: RawFd = stream.as_raw_fd();
    // SAFETY: the option value lives across the call and its true length is given; `stream` keeps `fd` open.
    let done = unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of_val(&linger) as libc::socklen_t,
        )
    };
    assert_eq!(done, 0, "SO_LINGER: {}", io::Error::last_os_error());
}
