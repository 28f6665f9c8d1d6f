//! The connection pool with real connections and virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the lints know tests by their attribute only, not the functions they share"
)]

use std::collections::VecDeque;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mod_jk_rs::engine::units::Tick;
use mod_jk_rs::transport::address::{Addresses, SockAddr};
use mod_jk_rs::transport::connect::connect;
use mod_jk_rs::transport::connection::Connection;
use mod_jk_rs::transport::pool::{Acquired, Exhausted, Lease, Permit, Pool};
use mod_jk_rs::transport::socket::SocketOptions;

const NO_WAIT: Duration = Duration::ZERO;
const SHORT: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(30);

fn second(n: u64) -> Tick {
    Tick(n * 1_000_000)
}

/// Listens; connections are accepted by the test or stay in the backlog.
struct Backend {
    listener: TcpListener,
    addresses: Addresses,
}

impl Backend {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addresses = Addresses::new([SockAddr::Inet(listener.local_addr().unwrap())]);
        Self { listener, addresses }
    }

    fn connect(&self) -> Connection {
        connect(&self.addresses, &SocketOptions::default(), None).unwrap()
    }

    /// A leased new connection and the backend's end of it.
    fn open(&self, pool: &Arc<Pool>) -> (Lease, TcpStream) {
        let lease = permit(pool).fill(self.connect());
        (lease, self.listener.accept().unwrap().0)
    }
}

fn permit(pool: &Arc<Pool>) -> Permit {
    match pool.acquire(NO_WAIT).unwrap() {
        Acquired::Open(permit) => permit,
        Acquired::Idle(lease) => panic!("idle: {lease:?}"),
    }
}

fn idle(pool: &Arc<Pool>) -> Lease {
    match pool.acquire(NO_WAIT).unwrap() {
        Acquired::Idle(lease) => lease,
        Acquired::Open(permit) => panic!("nothing idle: {permit:?}"),
    }
}

fn port(connection: &Connection) -> u16 {
    use std::os::fd::AsFd;
    TcpStream::from(connection.as_fd().try_clone_to_owned().unwrap()).local_addr().unwrap().port()
}

/// Waits until the kernel has delivered what the backend did.
fn noticed(lease: &Lease) {
    assert!(lease.wait(true, false, None, Some(PATIENCE)).unwrap().readable);
}

#[test]
fn the_last_released_connection_is_reused_first() {
    let (backend, pool) = (Backend::new(), Pool::new(None));
    let (first, _a) = backend.open(&pool);
    let (second_lease, _b) = backend.open(&pool);
    let (old, new) = (port(&first), port(&second_lease));
    assert_eq!(first.exchanges(), 0);
    first.release(second(1));
    second_lease.release(second(2));
    let lease = idle(&pool);
    assert_eq!((port(&lease), lease.exchanges(), lease.last_used()), (new, 1, second(2)));
    assert_eq!(port(&idle(&pool)), old);
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.in_use, stats.opened, stats.reused), (0, 1, 2, 2));
    drop(lease);
    assert_eq!((pool.stats().idle, pool.stats().in_use), (0, 0), "dropped leases close");
}

#[test]
fn connections_that_are_not_quiet_are_discarded() {
    let (backend, pool) = (Backend::new(), Pool::new(Some(3)));
    let (good, _good) = backend.open(&pool);
    let (junk, mut talks) = backend.open(&pool);
    let (closed, closes) = backend.open(&pool);
    let good_port = port(&good);
    talks.write_all(b"AB\0\x01\x09").unwrap();
    drop(closes);
    noticed(&junk);
    noticed(&closed);
    good.release(second(1));
    junk.release(second(2));
    closed.release(second(3));
    let lease = idle(&pool);
    assert_eq!(port(&lease), good_port);
    let stats = pool.stats();
    assert_eq!((stats.discarded, stats.reused, stats.idle, stats.in_use), (2, 1, 0, 1));
    drop(lease);

    // Nothing good left: the slot of the bad one becomes a permit.
    let (bad, peer) = backend.open(&pool);
    drop(peer);
    noticed(&bad);
    bad.release(second(4));
    let opening = permit(&pool);
    assert_eq!((pool.stats().in_use, pool.stats().discarded, pool.stats().reused), (1, 3, 1));
    drop(opening);
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
fn the_limit_counts_permits_and_leases_and_zero_means_none() {
    let (backend, pool) = (Backend::new(), Pool::new(Some(2)));
    let opening = permit(&pool);
    let (lease, _peer) = backend.open(&pool);
    assert_eq!(pool.acquire(NO_WAIT).unwrap_err(), Exhausted);
    let begun = Instant::now();
    assert_eq!(pool.acquire(SHORT).unwrap_err(), Exhausted);
    assert!(begun.elapsed() >= SHORT);
    assert_eq!((pool.stats().waiting, pool.stats().exhausted), (0, 2));
    drop(opening);
    drop(permit(&pool));
    lease.release(second(1));
    // One idle connection and one free slot: the idle one goes first.
    let both = (idle(&pool), permit(&pool));
    assert_eq!(pool.acquire(NO_WAIT).unwrap_err(), Exhausted);
    both.0.close_abortively();
    assert_eq!(pool.stats().in_use, 1);
    assert_eq!(Pool::new(Some(0)).acquire(NO_WAIT).unwrap_err(), Exhausted);
}

#[test]
fn a_panic_gives_the_slot_back() {
    let (backend, pool) = (Backend::new(), Pool::new(Some(1)));
    let (lease, _peer) = backend.open(&pool);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _held = lease;
        panic!("while the connection is in use");
    }));
    assert!(caught.is_err());
    assert_eq!((pool.stats().in_use, pool.stats().idle), (0, 0));
    drop(permit(&pool));
}

/// Blocks until so many callers are in the queue.
fn until_waiting(pool: &Pool, count: usize) {
    let begun = Instant::now();
    while pool.stats().waiting < count {
        assert!(begun.elapsed() < PATIENCE, "nobody joined the queue");
        thread::yield_now();
    }
}

#[test]
fn waiters_are_served_in_order_and_newcomers_cannot_overtake() {
    let (backend, pool) = (Backend::new(), Pool::new(Some(1)));
    let (lease, _peer) = backend.open(&pool);
    let served = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..8 {
            let (pool, served, backend) = (&pool, &served, &backend);
            scope.spawn(move || {
                // Every way of giving a slot back must serve the next in the queue.
                match pool.acquire(PATIENCE).unwrap() {
                    Acquired::Idle(lease) => {
                        served.lock().unwrap().push((number, "idle"));
                        assert_eq!(pool.acquire(NO_WAIT).unwrap_err(), Exhausted);
                        if number % 2 == 0 { lease.release(second(number)) } else { drop(lease) }
                    }
                    Acquired::Open(permit) => {
                        served.lock().unwrap().push((number, "open"));
                        permit.fill(backend.connect()).release(second(number));
                    }
                }
            });
            until_waiting(pool, usize::try_from(number).unwrap() + 1);
        }
        lease.release(second(0));
    });
    let order: Vec<_> = served.into_inner().unwrap();
    // Odd ones close the connection, so the one behind opens a new one and passes that on.
    let expected = [
        (0, "idle"),
        (1, "idle"),
        (2, "open"),
        (3, "idle"),
        (4, "open"),
        (5, "idle"),
        (6, "open"),
        (7, "idle"),
    ];
    assert_eq!(order, expected);
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.waiting, stats.idle, stats.opened), (0, 0, 0, 4));
}

#[test]
fn a_waiter_that_gives_up_does_not_take_a_slot_along() {
    let pool = Pool::new(Some(1));
    let held = permit(&pool);
    thread::scope(|scope| {
        let patient = scope.spawn(|| {
            // Behind the one that gives up, unless this thread was kept from running for longer than that waits.
            let begun = Instant::now();
            while pool.stats().waiting < 1 && begun.elapsed() < SHORT * 4 {
                thread::yield_now();
            }
            pool.acquire(PATIENCE).is_ok()
        });
        assert!(pool.acquire(SHORT * 4).is_err(), "the first in the queue gives up");
        until_waiting(&pool, 1);
        drop(held);
        assert!(patient.join().unwrap(), "the second gets the slot");
    });
    assert_eq!(pool.stats().in_use, 0);
}

#[test]
fn a_waiter_survives_a_connection_that_died_in_its_hands() {
    let (backend, pool) = (Backend::new(), Pool::new(Some(1)));
    let (lease, peer) = backend.open(&pool);
    drop(peer);
    noticed(&lease);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| matches!(pool.acquire(PATIENCE), Ok(Acquired::Open(_))));
        until_waiting(&pool, 1);
        lease.release(second(1));
        assert!(waiter.join().unwrap());
    });
    assert_eq!((pool.stats().in_use, pool.stats().discarded, pool.stats().reused), (0, 1, 0));
}

#[test]
fn sixteen_threads_keep_the_limit_and_lose_no_slot() {
    const LIMIT: usize = 5;
    const ROUNDS: usize = 400;
    let (backend, pool) = (Backend::new(), Pool::new(Some(LIMIT)));
    let (now_in_use, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        let acceptor = scope.spawn(|| {
            // Ends a part of the connections, so that idle ones die; keeps the newest few.
            let mut kept = VecDeque::new();
            while let Ok((stream, from)) = backend.listener.accept() {
                if from.ip() != Ipv4Addr::LOCALHOST {
                    return;
                }
                kept.push_back(stream);
                if kept.len() > 3 {
                    kept.pop_front();
                }
            }
        });
        let workers: Vec<_> = (0..16_usize)
            .map(|worker| {
                let (pool, backend, now_in_use, failed) = (&pool, &backend, &now_in_use, &failed);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let wait = if round % 7 == 0 { Duration::from_micros(50) } else { PATIENCE };
                        let Ok(acquired) = pool.acquire(wait) else {
                            assert_ne!(wait, PATIENCE, "a slot was lost");
                            failed.fetch_add(1, Ordering::Relaxed);
                            continue;
                        };
                        let used = now_in_use.fetch_add(1, Ordering::SeqCst) + 1;
                        assert!(used <= LIMIT, "{used} at once");
                        let now = second(u64::try_from(round).unwrap());
                        let leave = || now_in_use.fetch_sub(1, Ordering::SeqCst);
                        match (acquired, (worker * 31 + round * 17) % 11) {
                            (Acquired::Open(permit), 0..3) => {
                                leave();
                                drop(permit);
                            }
                            (Acquired::Open(permit), _) => {
                                let lease = permit.fill(backend.connect());
                                thread::yield_now();
                                leave();
                                lease.release(now);
                            }
                            (Acquired::Idle(lease), 0) => {
                                leave();
                                drop(lease);
                            }
                            (Acquired::Idle(lease), 1) => {
                                leave();
                                lease.keep(now);
                            }
                            (Acquired::Idle(lease), _) => {
                                thread::yield_now();
                                leave();
                                lease.release(now);
                            }
                        }
                        if worker == 0 && round % 20 == 0 {
                            pool.maintain(now, Duration::from_secs(5), 1);
                            drop(pool.take_idle_for_ping(now, NO_WAIT, 2));
                        }
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
        // From another address: tells the acceptor to end.
        let options = SocketOptions { source: Some([127, 0, 0, 2].into()), ..Default::default() };
        drop(connect(&backend.addresses, &options, None).unwrap());
        acceptor.join().unwrap();
    });
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.waiting), (0, 0));
    assert!(stats.idle <= LIMIT && stats.reused > 0 && stats.opened > 0);
    assert_eq!(stats.exhausted, u64::try_from(failed.into_inner()).unwrap());
    let all: Vec<_> = (0..LIMIT).map(|_| pool.acquire(NO_WAIT).expect("every slot is free")).collect();
    assert_eq!(pool.acquire(NO_WAIT).unwrap_err(), Exhausted);
    drop(all);
}

#[test]
fn maintenance_closes_the_longest_idle_and_keeps_the_minimum() {
    let (backend, pool) = (Backend::new(), Pool::new(None));
    let opened: Vec<_> = (0..6).map(|_| backend.open(&pool)).collect();
    let (leases, peers): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
    let ports: Vec<u16> = leases.iter().map(|lease| port(lease)).collect();
    // Released out of order; last used at 10, 20, ... 60 s.
    let mut leases: Vec<_> = leases.into_iter().zip(1_u64..).collect();
    leases.swap(0, 3);
    leases.swap(1, 5);
    for (lease, number) in leases {
        lease.release(second(number * 10));
    }
    let minute = Duration::from_secs(60);
    assert_eq!(pool.maintain(second(69), minute, 0), 0);
    assert_eq!(pool.maintain(second(70), minute, 6), 0);
    assert_eq!(pool.maintain(second(80), minute, 5), 1, "only down to the minimum");
    assert_eq!(pool.maintain(second(80), minute, 0), 1, "only those expired");
    let in_use = idle(&pool);
    assert_eq!(port(&in_use), ports[5]);
    assert_eq!(pool.maintain(second(1000), minute, 3), 1, "one in use counts toward the minimum");
    assert_eq!(port(&idle(&pool)), ports[4]);
    assert_eq!(port(&idle(&pool)), ports[3]);
    assert_eq!((pool.stats().closed_idle, pool.stats().idle), (3, 0));
    drop(peers);
}

#[test]
fn pinging_takes_due_connections_out_and_puts_them_back_in_place() {
    let (backend, pool) = (Backend::new(), Pool::new(Some(3)));
    let opened: Vec<_> = (0..3).map(|_| backend.open(&pool)).collect();
    let (leases, _peers): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
    let ports: Vec<u16> = leases.iter().map(|lease| port(lease)).collect();
    for (lease, at) in leases.into_iter().zip([10, 20, 30]) {
        lease.release(second(at));
    }
    let interval = Duration::from_secs(10);
    let mut due = pool.take_idle_for_ping(second(35), interval, 8);
    assert_eq!(due.iter().map(|lease| port(lease)).collect::<Vec<_>>(), ports[..2]);
    assert_eq!((pool.stats().idle, pool.stats().in_use), (1, 2));
    assert_eq!(port(&idle(&pool)), ports[2], "the others stay usable, here for one that is dropped");
    due.remove(0).keep(second(36));
    drop(due);
    assert_eq!((pool.stats().idle, pool.stats().in_use), (1, 0), "a failed one is closed");

    assert!(pool.take_idle_for_ping(second(45), interval, 8).is_empty(), "not due again yet");
    let pinged = idle(&pool);
    let (newer, _peer) = backend.open(&pool);
    let newer_port = port(&newer);
    pinged.keep(second(36));
    newer.release(second(46));
    let due = pool.take_idle_for_ping(second(60), interval, 1);
    assert_eq!(due.len(), 1);
    for lease in due {
        assert_eq!((port(&lease), lease.exchanges(), lease.last_used()), (ports[0], 1, second(10)));
        lease.keep(second(60));
    }
    assert_eq!(port(&idle(&pool)), newer_port, "the pinged one did not move to the front");
    assert_eq!(pool.maintain(second(70), Duration::from_secs(60), 0), 1, "and a CPing is no use");
}

#[test]
fn renewing_closes_old_connections_now_or_when_they_come_back() {
    let (backend, pool) = (Backend::new(), Pool::new(None));
    let (idle_one, _a) = backend.open(&pool);
    let (busy, _b) = backend.open(&pool);
    let opening = permit(&pool);
    idle_one.release(second(1));
    pool.renew();
    assert_eq!((pool.stats().idle, pool.stats().in_use), (0, 2));
    busy.release(second(2));
    opening.fill(backend.connect()).release(second(2));
    assert_eq!((pool.stats().idle, pool.stats().in_use), (0, 0));
    let (fresh, _c) = backend.open(&pool);
    fresh.release(second(3));
    assert_eq!(pool.stats().idle, 1);
}
