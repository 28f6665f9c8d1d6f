//! TCP ports for servers that cannot report the port they got (httpd, Tomcat).
//!
//! A port is asked from the system by binding port 0 with `SO_REUSEADDR`, and the bound socket is kept for the life of the
//! test process without ever listening. A server that sets `SO_REUSEADDR` too (httpd and Java do) can still bind and listen,
//! while the system neither hands the port to another `bind` of port 0, in whatever process, nor uses it for an outgoing
//! connection. So there is no window in which a port can be lost. A port nobody listens on refuses connections.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Mutex;

/// The sockets that keep the ports handed out.
static GUARDS: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// A port of 127.0.0.1 that is never handed out twice.
pub fn free_port() -> u16 {
    // SAFETY: no memory is passed.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert!(fd >= 0, "socket: {}", std::io::Error::last_os_error());
    // SAFETY: `fd` was just opened and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let on: libc::c_int = 1;
    // SAFETY: the option value is an int that lives across the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_REUSEADDR,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    assert_eq!(done, 0, "SO_REUSEADDR: {}", std::io::Error::last_os_error());
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from(Ipv4Addr::LOCALHOST).to_be() },
        sin_zero: [0; 8],
    };
    // SAFETY: the address lives across the call and its true length is given.
    let done = unsafe {
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of_val(&address) as libc::socklen_t)
    };
    assert_eq!(done, 0, "bind 127.0.0.1:0: {}", std::io::Error::last_os_error());
    // The listener type is borrowed only to ask for the address; the socket never listens.
    let asked = TcpListener::from(socket);
    let SocketAddr::V4(local) = asked.local_addr().expect("local address of a bound socket") else {
        panic!("an IPv4 socket has an IPv6 address");
    };
    GUARDS.lock().expect("guards").push(OwnedFd::from(asked));
    local.port()
}
