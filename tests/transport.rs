//! Sockets and connecting, on the loopback interface and on UNIX sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the lints know tests by their attribute only, not the functions they share"
)]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mod_jk_rs::engine::exchange::{Link, LinkError, Received};
use mod_jk_rs::engine::units::Tick;
use mod_jk_rs::transport::address::{Addresses, Endpoint, ResolveError, SockAddr, resolve};
use mod_jk_rs::transport::clock;
use mod_jk_rs::transport::connect::{Attempt, connect, connect_to};
use mod_jk_rs::transport::connection::Connection;
use mod_jk_rs::transport::peer::Peer;
use mod_jk_rs::transport::socket::{Socket, SocketOptions};

/// Long enough for everything that is expected to happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// Short enough to wait for in vain.
const SHORT: Duration = Duration::from_millis(120);

fn inet(address: SocketAddr) -> SockAddr {
    SockAddr::Inet(address)
}

fn plain() -> SocketOptions {
    SocketOptions::default()
}

fn in_time(timeout: Duration) -> Option<Tick> {
    Some(clock::now().after(timeout))
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address where nobody listens. The port stays bound, so nobody else can take it meanwhile.
fn nobody() -> (RawFdOwner, SocketAddr) {
    let socket = bound_socket();
    let address = TcpStream::from(socket.try_clone().unwrap()).local_addr().unwrap();
    (socket, address)
}

type RawFdOwner = std::os::fd::OwnedFd;

fn bound_socket() -> RawFdOwner {
    use std::os::fd::FromRawFd;
    // SAFETY: plain system calls on a descriptor made here; the address lives for the call.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        assert!(fd >= 0);
        let mut address: libc::sockaddr_in = std::mem::zeroed();
        address.sin_family = libc::AF_INET as u16;
        address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        let size = size_of::<libc::sockaddr_in>() as u32;
        assert_eq!(libc::bind(fd, (&raw const address).cast(), size), 0);
        RawFdOwner::from_raw_fd(fd)
    }
}

/// Connects until the backlog of the listener is full and further ones get no answer.
fn fill_backlog(listener: RawFd, address: &SockAddr) -> Vec<Socket> {
    // SAFETY: listening again only changes the backlog.
    assert_eq!(unsafe { libc::listen(listener, 0) }, 0);
    let mut held = Vec::new();
    loop {
        match Socket::connect(address, &plain(), Some(SHORT)) {
            Ok(socket) => held.push(socket),
            Err(error) => {
                assert_eq!(error, LinkError::TimedOut);
                return held;
            }
        }
        assert!(held.len() < 64, "the backlog does not fill");
    }
}

/// A path in a directory that only this test uses, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("jk-transport-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("ajp.sock")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A connection and the backend's end of it.
fn pair() -> (Connection, TcpStream) {
    let (listener, address) = listen();
    let connection = connect(&Addresses::new([inet(address)]), &plain(), in_time(PATIENCE)).unwrap();
    let (backend, _) = listener.accept().unwrap();
    (connection, backend)
}

fn option<T>(fd: RawFd, level: i32, name: i32) -> T {
    let mut value = std::mem::MaybeUninit::<T>::zeroed();
    let mut length = size_of::<T>() as u32;
    // SAFETY: the value is writable for its size, and the types used are plain numbers.
    unsafe {
        assert_eq!(libc::getsockopt(fd, level, name, value.as_mut_ptr().cast(), &raw mut length), 0);
        value.assume_init()
    }
}

#[test]
fn a_connection_carries_octets_both_ways() {
    let (mut connection, mut backend) = pair();
    let mut buffer = [0; 16];
    assert_eq!(connection.recv(&mut buffer), Ok(Received::WouldBlock));
    assert_eq!(connection.send(&[b"", b"one ", b"", b"two ", b"three"]), Ok(13), "empty parts do not count");
    backend.read_exact(&mut buffer[..13]).unwrap();
    assert_eq!(&buffer[..13], b"one two three");
    assert_eq!(connection.send(&[b"1", b"2", b"3", b"4", b"5"]), Ok(4), "at most four parts");
    assert_eq!(connection.send(&[]), Ok(0));
    assert_eq!(connection.send(&[b"", b""]), Ok(0));

    backend.write_all(b"answer").unwrap();
    assert_eq!(connection.recv_blocking(&mut buffer, Some(PATIENCE)), Ok(6));
    assert_eq!(&buffer[..6], b"answer");
    assert_eq!(connection.recv(&mut []), Err(LinkError::Os(libc::EINVAL)), "not taken for EOF");
    drop(backend);
    assert_eq!(connection.recv_blocking(&mut buffer, None), Err(LinkError::Reset), "4 octets were not read");
}

#[test]
fn eof_and_reset_are_told_apart() {
    let (mut connection, backend) = pair();
    drop(backend);
    assert!(connection.wait(true, false, None, Some(PATIENCE)).unwrap().readable);
    let mut buffer = [0; 1];
    assert_eq!(connection.recv(&mut buffer), Err(LinkError::Closed));
    assert_eq!(connection.recv_blocking(&mut buffer, None), Err(LinkError::Closed));
    // The first octets provoke a reset, which later calls report.
    while connection.send(&[b"x"]).is_ok() {}
    assert_eq!(connection.send(&[b"x"]), Err(LinkError::Reset), "EPIPE, and no SIGPIPE");
}

#[test]
fn an_abortive_close_resets_and_a_normal_one_does_not() {
    let (connection, mut backend) = pair();
    connection.close_abortively();
    let error = backend.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);

    let (connection, mut backend) = pair();
    drop(connection);
    assert_eq!(backend.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_full_socket_takes_a_part_of_what_is_sent() {
    let (mut connection, mut backend) = pair();
    let data: Vec<u8> = (0..16_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut sent = 0;
    // Uneven parts, so that the socket also fills up in the middle of one.
    let chunk = |from: usize| -> [&[u8]; 3] {
        let rest = &data[from..data.len().min(from + 100_003)];
        let (first, rest) = rest.split_at(rest.len().min(24));
        let (second, third) = rest.split_at(rest.len() / 3);
        [first, second, third]
    };
    let mut partial = false;
    loop {
        let parts = chunk(sent);
        let size: usize = parts.iter().map(|part| part.len()).sum();
        let taken = connection.send(&parts).unwrap();
        partial |= taken > 0 && taken < size;
        sent += taken;
        if taken == 0 {
            break;
        }
        assert!(sent < data.len(), "the socket never fills");
    }
    assert!(partial, "no partial write was seen");
    let full = connection.wait(false, true, None, Some(SHORT)).unwrap();
    assert!(!full.writable, "waited in vain for room");

    let expected = data.clone();
    let reader = thread::spawn(move || {
        let mut got = Vec::new();
        backend.read_to_end(&mut got).unwrap();
        got == expected
    });
    while sent < data.len() {
        sent += connection.send(&chunk(sent)).unwrap();
        assert!(connection.wait(false, true, None, Some(PATIENCE)).unwrap().writable);
    }
    drop(connection);
    assert!(reader.join().unwrap(), "order or content was lost");
}

#[test]
fn reading_times_out_and_sets_the_kernels_timeout_only_for_a_change() {
    let (mut connection, mut backend) = pair();
    let fd = connection.as_raw_fd();
    let kernel = || {
        let time: libc::timeval = option(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO);
        Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000)
    };
    let mut buffer = [0; 4];
    let begun = Instant::now();
    assert_eq!(connection.recv_blocking(&mut buffer, Some(SHORT)), Err(LinkError::TimedOut));
    assert!(begun.elapsed() >= SHORT);
    assert_eq!(kernel(), SHORT);

    // Changed behind the socket's back: only a new system call would put it right.
    let trace = libc::timeval { tv_sec: 77, tv_usec: 0 };
    let size = size_of::<libc::timeval>() as u32;
    // SAFETY: the option takes a timeval, which lives for the call.
    unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, (&raw const trace).cast(), size) };
    backend.write_all(b"1").unwrap();
    assert_eq!(connection.recv_blocking(&mut buffer, Some(SHORT)), Ok(1));
    assert_eq!(kernel(), Duration::from_secs(77), "the same timeout was set again");

    backend.write_all(b"2").unwrap();
    assert_eq!(connection.recv_blocking(&mut buffer, Some(PATIENCE)), Ok(1));
    assert_eq!(kernel(), PATIENCE);
    backend.write_all(b"3").unwrap();
    assert_eq!(connection.recv_blocking(&mut buffer, None), Ok(1));
    assert_eq!(kernel(), Duration::ZERO, "none");
    assert_eq!(connection.recv_blocking(&mut buffer, Some(Duration::ZERO)), Err(LinkError::TimedOut));
    assert_eq!(kernel(), Duration::ZERO, "zero is not set: it would mean for ever");
    backend.write_all(b"4").unwrap();
    assert_eq!(
        connection.recv_blocking(&mut buffer, Some(Duration::from_nanos(1)).max(Some(PATIENCE))),
        Ok(1)
    );
    assert_eq!(
        connection.recv_blocking(&mut buffer, Some(Duration::from_nanos(1))),
        Err(LinkError::TimedOut)
    );
    backend.write_all(b"5").unwrap();
    assert_eq!(connection.recv_blocking(&mut buffer, Some(Duration::MAX)), Ok(1));
}

#[test]
fn signals_do_not_end_a_wait() {
    extern "C" fn ignore(_: libc::c_int) {}
    // SAFETY: the handler does nothing; no flags, so that system calls are interrupted.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = ignore as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
    }
    let (mut connection, mut backend) = pair();
    // SAFETY: names the calling thread.
    let reader = unsafe { libc::pthread_self() };
    let done = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while done.load(Ordering::Relaxed) < 3 {
                // SAFETY: the thread outlives this scope.
                unsafe { libc::pthread_kill(reader, libc::SIGUSR1) };
                if done.load(Ordering::Relaxed) == 2 {
                    backend.write_all(b"x").unwrap();
                    done.store(3, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(5));
            }
        });
        let begun = Instant::now();
        assert_eq!(connection.recv_blocking(&mut [0], Some(SHORT)), Err(LinkError::TimedOut));
        assert!(begun.elapsed() >= SHORT && begun.elapsed() < PATIENCE);
        done.store(1, Ordering::Relaxed);
        let begun = Instant::now();
        assert!(!connection.wait(true, false, None, Some(SHORT)).unwrap().readable);
        assert!(begun.elapsed() >= SHORT && begun.elapsed() < PATIENCE);
        done.store(2, Ordering::Relaxed);
        assert_eq!(connection.recv_blocking(&mut [0], Some(PATIENCE)), Ok(1));
    });
}

#[test]
fn only_a_silent_connection_is_quiet() {
    let (mut connection, mut backend) = pair();
    assert!(connection.is_quiet());
    backend.write_all(b"junk").unwrap();
    connection.wait(true, false, None, Some(PATIENCE)).unwrap();
    assert!(!connection.is_quiet());
    assert!(!connection.is_quiet(), "looking does not consume");

    let (mut connection, backend) = pair();
    drop(backend);
    connection.wait(true, false, None, Some(PATIENCE)).unwrap();
    assert!(!connection.is_quiet());
}

#[test]
fn waiting_watches_another_descriptor_too() {
    let (connection, mut backend) = pair();
    let (client, mut far_client) = UnixStream::pair().unwrap();
    let extra = Some((client.as_raw_fd(), libc::POLLIN));
    assert_eq!(connection.wait(true, false, extra, Some(Duration::ZERO)).unwrap(), Default::default());
    far_client.write_all(b"x").unwrap();
    let ready = connection.wait(true, false, extra, Some(PATIENCE)).unwrap();
    assert_eq!((ready.readable, ready.writable, ready.extra), (false, false, libc::POLLIN));
    backend.write_all(b"x").unwrap();
    assert!(connection.wait(true, true, None, None).unwrap().writable);
    drop(backend);
    let ready = connection.wait(true, false, extra, Some(PATIENCE)).unwrap();
    assert!(ready.readable && ready.extra == libc::POLLIN);
    let ready = connection.wait(false, false, None, Some(Duration::ZERO)).unwrap();
    assert_eq!(ready, Default::default(), "a direction not asked for does not wake");
    drop(far_client);
    let ready = connection.wait(false, false, Some((client.as_raw_fd(), 0)), Some(PATIENCE)).unwrap();
    assert_ne!(ready.extra & libc::POLLHUP, 0);
}

#[test]
fn sockets_are_set_up_as_asked() {
    let (listener, address) = listen();
    let options = SocketOptions { keepalive: true, buffer: Some(50_000), ..plain() };
    let socket = Socket::connect(&inet(address), &options, Some(PATIENCE)).unwrap();
    let fd = socket.as_raw_fd();
    assert_eq!(option::<i32>(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY), 1);
    assert_eq!(option::<i32>(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE), 1);
    // The kernel doubles the value for its own use.
    assert_eq!(option::<i32>(fd, libc::SOL_SOCKET, libc::SO_SNDBUF), 100_000);
    assert_eq!(option::<i32>(fd, libc::SOL_SOCKET, libc::SO_RCVBUF), 100_000);
    // SAFETY: reads flags of an open descriptor.
    let (status, own) = unsafe { (libc::fcntl(fd, libc::F_GETFL), libc::fcntl(fd, libc::F_GETFD)) };
    assert_eq!(status & libc::O_NONBLOCK, 0, "blocking mode");
    assert_eq!(own & libc::FD_CLOEXEC, libc::FD_CLOEXEC, "not for CGI programs");

    let socket = Socket::connect(&inet(address), &plain(), None).unwrap();
    assert_eq!(option::<i32>(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_KEEPALIVE), 0);
    drop(listener);
}

#[test]
fn the_source_address_is_used_or_the_attempt_fails() {
    let (listener, address) = listen();
    let from = |source: IpAddr| {
        let options = SocketOptions { source: Some(source), ..plain() };
        Socket::connect(&inet(address), &options, Some(PATIENCE))
    };
    let _socket = from(IpAddr::from([127, 0, 0, 42])).unwrap();
    assert_eq!(listener.accept().unwrap().1.ip(), IpAddr::from([127, 0, 0, 42]));
    // TEST-NET-1 is no address of this machine.
    assert_eq!(from(IpAddr::from([192, 0, 2, 1])).unwrap_err(), LinkError::Os(libc::EADDRNOTAVAIL));
    assert_eq!(from(Ipv6Addr::LOCALHOST.into()).unwrap_err(), LinkError::Os(libc::EAFNOSUPPORT));
}

#[test]
fn a_refused_connection_names_the_address() {
    let (_held, address) = nobody();
    let error = connect(&Addresses::new([inet(address)]), &plain(), in_time(PATIENCE)).unwrap_err();
    assert_eq!(error.summary, LinkError::Refused);
    assert_eq!(error.attempts.len(), 1);
    assert_eq!(error.to_string(), format!("{address}: Refused"));
}

#[test]
fn nothing_is_tried_without_address_or_time() {
    let error = connect(&Addresses::new([]), &plain(), in_time(PATIENCE)).unwrap_err();
    assert_eq!((error.summary, error.attempts.len()), (LinkError::NoAddress, 0));
    let (_listener, address) = listen();
    let error = connect(&Addresses::new([inet(address)]), &plain(), Some(clock::now())).unwrap_err();
    assert_eq!((error.summary, error.attempts.len()), (LinkError::TimedOut, 0));
    assert_eq!(error.to_string(), "TimedOut");
}

#[test]
fn a_black_hole_costs_only_its_share_of_the_time() {
    let (hole, silent) = listen();
    let _held = fill_backlog(hole.as_raw_fd(), &inet(silent));
    let begun = Instant::now();
    let alone = Addresses::new([inet(silent)]);
    assert_eq!(connect(&alone, &plain(), in_time(SHORT)).unwrap_err().summary, LinkError::TimedOut);
    assert!(begun.elapsed() >= SHORT && begun.elapsed() < PATIENCE);

    let (_held, refused) = nobody();
    let (_listener, good) = listen();
    let all = Addresses::new([inet(silent), inet(refused), inet(good)]);
    let begun = Instant::now();
    let connection = connect(&all, &plain(), in_time(SHORT * 3)).unwrap();
    assert_eq!(**connection.peer(), good.to_string());
    assert!(
        begun.elapsed() >= SHORT - Duration::from_millis(1),
        "a third of the time was for the first address"
    );
    assert_eq!(all.from_last_good().next().unwrap().0, 2, "remembered");

    let twice = Addresses::new([inet(silent), inet(refused)]);
    let error = connect(&twice, &plain(), in_time(SHORT)).unwrap_err();
    assert_eq!(error.summary, LinkError::TimedOut, "that of the first");
    let attempt = |address: SocketAddr, error| Attempt { peer: address.to_string().into(), error };
    assert_eq!(error.attempts, [attempt(silent, LinkError::TimedOut), attempt(refused, LinkError::Refused)]);
}

#[test]
fn the_next_connection_begins_at_the_last_good_address() {
    let (_held, refused) = nobody();
    let (listener, good) = listen();
    let addresses = Addresses::new([inet(refused), inet(good)]);
    drop(connect(&addresses, &plain(), in_time(PATIENCE)).unwrap());
    drop(listener);
    let error = connect(&addresses, &plain(), in_time(PATIENCE)).unwrap_err();
    let order: Vec<&str> = error.attempts.iter().map(|attempt| &*attempt.peer).collect();
    assert_eq!(order, [good.to_string(), refused.to_string()]);
}

#[test]
fn ipv6_falls_back_to_ipv4() {
    let Ok(six) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        eprintln!("skipped: no IPv6 on this machine");
        return;
    };
    let label = six.local_addr().unwrap().to_string();
    let refused = six.local_addr().unwrap();
    let connection = connect(&Addresses::new([inet(refused)]), &plain(), in_time(PATIENCE)).unwrap();
    assert_eq!(**connection.peer(), label);
    assert!(label.starts_with("[::1]:"));
    drop((connection, six));

    let (_listener, good) = listen();
    let addresses = Addresses::new([inet(refused), inet(good)]);
    let connection = connect(&addresses, &plain(), in_time(PATIENCE)).unwrap();
    assert_eq!(**connection.peer(), good.to_string());
}

#[test]
fn unix_sockets_work_and_their_absence_is_a_refusal() {
    let scratch = Scratch::new();
    let addresses = resolve(&Endpoint::Unix(scratch.socket())).unwrap();
    let refused = |why| {
        let error = connect(&addresses, &plain(), in_time(PATIENCE)).unwrap_err();
        assert_eq!(error.summary, LinkError::Refused, "{why}");
    };
    refused("no such file");
    let listener = UnixListener::bind(scratch.socket()).unwrap();
    let mut connection = connect(&addresses, &plain(), in_time(PATIENCE)).unwrap();
    assert_eq!(**connection.peer(), format!("unix:{}", scratch.socket().display()));
    let (mut backend, _) = listener.accept().unwrap();
    assert!(connection.is_quiet());
    assert_eq!(connection.send(&[b"a", b"b"]), Ok(2));
    let mut buffer = [0; 2];
    backend.read_exact(&mut buffer).unwrap();
    backend.write_all(&buffer).unwrap();
    assert_eq!(connection.recv_blocking(&mut buffer, Some(PATIENCE)), Ok(2));
    connection.close_abortively();
    assert_eq!(backend.read(&mut buffer).unwrap(), 0);
    drop(listener);
    refused("nobody listens any more");
}

#[test]
fn a_full_unix_backlog_times_out() {
    let scratch = Scratch::new();
    let listener = UnixListener::bind(scratch.socket()).unwrap();
    let address = SockAddr::Unix(scratch.socket());
    let held = fill_backlog(listener.as_raw_fd(), &address);
    assert!(!held.is_empty());
    let begun = Instant::now();
    let error = Socket::connect(&address, &plain(), Some(SHORT)).unwrap_err();
    assert_eq!(error, LinkError::TimedOut);
    assert!(begun.elapsed() >= SHORT && begun.elapsed() < PATIENCE);
}

#[test]
fn unix_paths_that_do_not_fit_are_errors() {
    let long = SockAddr::Unix(format!("/{}", "x".repeat(107)).into());
    let errno = |address: &SockAddr| Socket::connect(address, &plain(), None).unwrap_err();
    assert_eq!(errno(&long), LinkError::Os(libc::ENAMETOOLONG));
    assert_eq!(
        errno(&SockAddr::Unix("".into())),
        LinkError::Os(libc::EINVAL),
        "no autobind, no abstract name"
    );
    let fits = SockAddr::Unix(format!("/{}", "x".repeat(106)).into());
    assert_eq!(errno(&fits), LinkError::Refused);
}

#[test]
fn a_backend_that_moves_is_found_again() {
    // The first address refuses, the one the resolver gives later is good.
    static GOOD: AtomicU32 = AtomicU32::new(0);
    fn lookup(_: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let moved = GOOD.load(Ordering::Relaxed) != 0;
        Ok(vec![SocketAddr::from(([127, 0, 0, if moved { 1 } else { 9 }], port))])
    }
    let (_listener, good) = listen();
    let endpoint = Endpoint::Tcp { host: "app".into(), port: good.port(), prefer_ipv6: false };
    let peer = Peer::with_lookup(endpoint, Duration::ZERO, clock::now(), lookup);
    assert_eq!(connect_to(&peer, &plain(), in_time(PATIENCE)).unwrap_err().summary, LinkError::Refused);
    GOOD.store(1, Ordering::Relaxed);
    let connection = connect_to(&peer, &plain(), in_time(PATIENCE)).unwrap();
    assert_eq!(**connection.peer(), good.to_string());

    let bad = Endpoint::Tcp { host: "999.1.1.1".into(), port: 8009, prefer_ipv6: false };
    let error = connect_to(&Peer::new(bad, PATIENCE, clock::now()), &plain(), None).unwrap_err();
    assert_eq!((error.summary, error.resolve), (LinkError::NoAddress, Some(ResolveError::BadLiteral)));
}
