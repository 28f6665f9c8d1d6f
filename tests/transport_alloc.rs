//! Taking a warm connection from the pool, using it and giving it back allocates nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the lints know tests by their attribute only, not the functions they share"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use mod_jk_rs::engine::exchange::Link;
use mod_jk_rs::transport::address::{Addresses, SockAddr};
use mod_jk_rs::transport::clock;
use mod_jk_rs::transport::connect::connect;
use mod_jk_rs::transport::connection::Connection;
use mod_jk_rs::transport::pool::{Acquired, Lease, Pool};
use mod_jk_rs::transport::socket::SocketOptions;

thread_local! {
    /// Allocations of this thread.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands everything on to the system's allocator; the counter neither allocates nor has a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn the_warm_path_does_not_allocate() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addresses = Addresses::new([SockAddr::Inet(listener.local_addr().unwrap())]);
    let pool = Pool::new(Some(4));
    let open = || -> Lease {
        let Ok(Acquired::Open(permit)) = pool.acquire(Duration::ZERO) else { panic!("no permit") };
        permit.fill(connect(&addresses, &SocketOptions::default(), None).unwrap())
    };
    let (lease, mut backend) = (open(), listener.accept().unwrap().0);
    lease.release(clock::now());
    assert_ne!(allocations(|| drop(Vec::<u8>::with_capacity(9))), 0, "the counter works");

    let mut buffer = [0; 64];
    let count = allocations(|| {
        for _ in 0..1000 {
            let Ok(Acquired::Idle(mut lease)) = pool.acquire(Duration::from_secs(1)) else {
                panic!("not warm")
            };
            assert_eq!(lease.send(&[b"head", b"body", b"end"]), Ok(11));
            backend.read_exact(&mut buffer[..11]).unwrap();
            backend.write_all(b"answer").unwrap();
            assert_eq!(lease.recv_blocking(&mut buffer, Some(Duration::from_secs(9))), Ok(6));
            lease.release(clock::now());
        }
    });
    assert_eq!(count, 0);
    assert_eq!(pool.stats().reused, 1000);
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<Connection>() <= 72, "{}", size_of::<Connection>());
    assert!(size_of::<Lease>() <= 24, "{}", size_of::<Lease>());

    // All that is allocated for a connection is its box and its place in the pool; the label is that of the address.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addresses = Addresses::new([SockAddr::Inet(listener.local_addr().unwrap())]);
    let options = SocketOptions::default();
    let count = allocations(|| drop(connect(&addresses, &options, None).unwrap()));
    assert_eq!(count, 0, "connecting itself allocates nothing");
    let pool = Pool::new(None);
    let connection = connect(&addresses, &options, None).unwrap();
    let Ok(Acquired::Open(permit)) = pool.acquire(Duration::ZERO) else { panic!("no permit") };
    let count = allocations(|| permit.fill(connection).release(clock::now()));
    assert_eq!(count, 2, "the box, and the pool's first place");
}

/// Under `valgrind --tool=callgrind` with two values of `JK_ROUNDS`, the difference of the instructions by the difference of
/// the rounds is the price of one acquire and release: about 220 with the release profile, 70 of them in `recv`.
#[test]
fn a_warm_connection_serves_again_and_again() {
    let rounds = std::env::var("JK_ROUNDS").map_or(1000, |rounds| rounds.parse().unwrap());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addresses = Addresses::new([SockAddr::Inet(listener.local_addr().unwrap())]);
    let pool = Pool::new(Some(4));
    let Ok(Acquired::Open(permit)) = pool.acquire(Duration::ZERO) else { panic!("no permit") };
    permit.fill(connect(&addresses, &SocketOptions::default(), None).unwrap()).release(clock::now());
    for _ in 0..rounds {
        let Ok(Acquired::Idle(lease)) = pool.acquire(Duration::ZERO) else { panic!("not warm") };
        let now = lease.last_used();
        lease.release(now);
    }
}
