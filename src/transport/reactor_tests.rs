//! The reactor with socket pairs: each cause rings once, and nothing is left behind.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use super::*;
use crate::transport::epoll::wait_briefly;

const READABLE: Interest = Interest { readable: true, writable: false };
const NOTHING: Interest = Interest { readable: false, writable: false };
const PATIENCE: Duration = Duration::from_secs(20);

fn wants() -> Wants {
    Wants { link: None, client: None, due: None, again: None, closes: false }
}

fn place(handle: &Handle) -> Watch {
    handle.enter(100).unwrap().unwrap()
}

/// Waits for the bell and says why it rang.
fn rung(watch: &mut Watch) -> Option<Ring> {
    assert!(wait_briefly([Some((watch.descriptor(), READABLE)), None], PATIENCE), "it does not ring");
    watch.disarm()
}

/// It does not ring now, and has not.
fn silent(watch: &Watch, time: Duration) -> bool {
    !wait_briefly([Some((watch.descriptor(), READABLE)), None], time)
}

#[test]
fn the_backend_rings_when_it_answers() {
    let reactor = Reactor::start(|| false).unwrap();
    let mut watch = place(&reactor.handle());
    let (own, mut peer) = UnixStream::pair().unwrap();
    let wants = Wants { link: Some((own.as_raw_fd(), READABLE)), ..wants() };
    watch.arm(&wants).unwrap();
    assert!(silent(&watch, Duration::from_millis(20)));
    peer.write_all(b"x").unwrap();
    assert_eq!(rung(&mut watch), Some(Ring::Ready));
    assert!(silent(&watch, Duration::ZERO), "the bell was not silenced");
    // What is there already counts, and a watch can be armed again.
    watch.arm(&wants).unwrap();
    assert_eq!(rung(&mut watch), Some(Ring::Ready));
}

#[test]
fn room_to_write_rings() {
    let reactor = Reactor::start(|| false).unwrap();
    let mut watch = place(&reactor.handle());
    let (mut own, mut peer) = UnixStream::pair().unwrap();
    own.set_nonblocking(true).unwrap();
    while own.write(&[0; 65536]).is_ok() {}
    let interest = Interest { readable: true, writable: true };
    watch.arm(&Wants { link: Some((own.as_raw_fd(), interest)), ..wants() }).unwrap();
    assert!(silent(&watch, Duration::from_millis(20)));
    peer.set_nonblocking(true).unwrap();
    while peer.read(&mut [0; 65536]).is_ok() {}
    assert_eq!(rung(&mut watch), Some(Ring::Ready));
}

#[test]
fn a_client_that_ends_its_sending_direction_stays_and_one_that_is_gone_rings() {
    let reactor = Reactor::start(|| false).unwrap();
    let mut watch = place(&reactor.handle());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (own, _) = listener.accept().unwrap();
    watch.arm(&Wants { client: Some((own.as_raw_fd(), NOTHING)), ..wants() }).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    assert!(silent(&watch, Duration::from_millis(50)));
    own.shutdown(Shutdown::Write).unwrap(); // now both directions are over
    assert_eq!(rung(&mut watch), Some(Ring::Gone));
}

#[test]
fn times_ring_in_their_order() {
    let reactor = Reactor::start(|| false).unwrap();
    let handle = reactor.handle();
    let now = clock::now();
    let after = |millis| Some(now.after(Duration::from_millis(millis)));
    let (mut late, mut early) = (place(&handle), place(&handle));
    late.arm(&Wants { due: after(60), again: after(10_000), ..wants() }).unwrap();
    // Earlier than what the thread sleeps for by now.
    early.arm(&Wants { due: after(10_000), again: after(20), ..wants() }).unwrap();
    let begun = Instant::now();
    assert_eq!(rung(&mut early), Some(Ring::Again));
    assert_eq!(rung(&mut late), Some(Ring::Due));
    assert!(begun.elapsed() < PATIENCE / 2);
    assert!(clock::now() >= after(60).unwrap());
}

#[test]
fn a_watch_that_is_dropped_or_disarmed_rings_no_more() {
    let reactor = Reactor::start(|| false).unwrap();
    let handle = reactor.handle();
    let (own, mut peer) = UnixStream::pair().unwrap();
    let all = Wants {
        link: Some((own.as_raw_fd(), READABLE)),
        due: Some(clock::now().after(Duration::from_millis(30))),
        ..wants()
    };
    let mut watch = place(&handle);
    watch.arm(&all).unwrap();
    assert_eq!(watch.disarm(), None);
    peer.write_all(b"x").unwrap();
    assert!(silent(&watch, Duration::from_millis(60)));
    watch.arm(&all).unwrap();
    drop(watch);
    assert_eq!(handle.watches(), 0);
    let state = handle.0.state.lock();
    assert!(state.armed.is_empty() && state.deadlines.is_empty());
    drop(state);
    // The bell of the first is used again, and is silent.
    let watch = place(&handle);
    assert!(silent(&watch, Duration::from_millis(20)));
}

#[test]
fn the_limit_holds_and_places_come_back() {
    let reactor = Reactor::start(|| false).unwrap();
    let handle = reactor.handle();
    let first = handle.enter(2).unwrap();
    let second = handle.enter(2).unwrap();
    assert!(first.is_some() && second.is_some());
    assert!(handle.enter(2).unwrap().is_none());
    drop(first);
    assert!(handle.enter(2).unwrap().is_some());
}

#[test]
fn a_bell_that_somebody_else_closed_is_not_used_again() {
    let reactor = Reactor::start(|| false).unwrap();
    let handle = reactor.handle();
    let mut watch = place(&handle);
    let (own, _peer) = UnixStream::pair().unwrap();
    watch.arm(&Wants { link: Some((own.as_raw_fd(), READABLE)), ..wants() }).unwrap();
    watch.descriptor_closed();
    assert_eq!(watch.descriptor(), -1);
    drop(watch);
    assert_eq!(handle.watches(), 0);
    assert!(handle.0.state.lock().spare.is_empty());
}

#[test]
fn a_stopped_reactor_refuses() {
    let reactor = Reactor::start(|| false).unwrap();
    let handle = reactor.handle();
    let mut left = place(&handle);
    drop(reactor);
    assert!(handle.enter(100).is_err());
    assert!(left.arm(&wants()).is_err());
}

#[test]
fn many_watches_from_many_threads_all_ring() {
    let reactor = Reactor::start(|| false).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let handle = reactor.handle();
            scope.spawn(move || {
                let mut watch = place(&handle);
                let (own, mut peer) = UnixStream::pair().unwrap();
                for round in 0..500_u64 {
                    let due = clock::now().after(Duration::from_micros(round % 7 * 100));
                    let link = Some((own.as_raw_fd(), READABLE));
                    watch.arm(&Wants { link, due: Some(due), ..wants() }).unwrap();
                    if round % 2 == 0 {
                        peer.write_all(b"x").unwrap();
                        assert!(rung(&mut watch).is_some());
                        (&own).read_exact(&mut [0]).unwrap();
                    } else if round % 4 == 1 {
                        assert_eq!(rung(&mut watch), Some(Ring::Due));
                    } else {
                        watch.disarm(); // races with the ring
                        assert!(silent(&watch, Duration::ZERO));
                    }
                }
            });
        }
    });
    assert_eq!(reactor.handle().watches(), 0);
}

/// The kernel allows a file 500 ways through one set into another, and the MPM keeps bells in a set.
#[test]
fn times_ring_for_more_bells_at_once_than_one_file_may_be_in() {
    const BELLS: usize = 1300;
    let reactor = Reactor::start(|| false).unwrap();
    let handle = reactor.handle();
    let polled = Epoll::new().unwrap();
    let due = Some(clock::now().after(Duration::from_millis(30)));
    let mut watches: Vec<Watch> = (0..BELLS)
        .map(|_| {
            let mut watch = handle.enter(BELLS).unwrap().unwrap();
            watch.arm(&Wants { due, ..wants() }).unwrap();
            polled.watch(watch.descriptor(), READABLE, 0).unwrap();
            watch
        })
        .collect();
    for _ in 0..2 {
        for watch in &mut watches {
            assert_eq!(rung(watch), Some(Ring::Due));
            watch.arm(&Wants { due, ..wants() }).unwrap();
        }
    }
    drop(watches);
    let state = handle.0.state.lock();
    assert!(state.rung.len() <= BELLS / SHARED_BY + 1 && state.rung.iter().all(|(_, bells)| *bells == 0));
}
