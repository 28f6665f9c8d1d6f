//! A warm exchange allocates nothing: request encoded into a used buffer, reply read, body packets framed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "support/sample_request.rs"]
mod sample_request;
#[path = "support/vectors.rs"]
mod vectors;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use mod_jk_rs::engine::ajp::{Client, Limits, encode};
use mod_jk_rs::engine::exchange::{Event, Exchange, ROOM_AFTER, ROOM_BEFORE};
use mod_jk_rs::engine::request::RequestBody;

thread_local! {
    /// Allocations of this thread; others belong to the test harness.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system allocator unchanged; the counter is a plain cell of the same thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
}

#[test]
fn a_warm_exchange_allocates_nothing() {
    let mut request = sample_request::browser(30);
    request.head.method = b"POST";
    request.head.body = RequestBody::Known(3);
    // Connection names one header, so that the rare second pass over the headers is counted too.
    for (_, value) in request.headers.iter_mut().filter(|(name, _)| name == b"Connection") {
        *value = b"close, X-Application-Header-20".to_vec();
    }
    let reply = vectors::load("e22-upload-reply");
    let limits = Limits { max_packet: 8192, receive_limit: 65535 };
    let mut head = Vec::new();
    let mut body = vec![0; ROOM_BEFORE + 8192 + ROOM_AFTER];
    let mut exchange = || {
        encode(&mut head, &request, &sample_request::FACTS, 8192).unwrap();
        let mut client = Client::new(limits, RequestBody::Known(3), false);
        client.frame_body(&mut body, 3);
        let (mut at, mut received, mut headers) = (0, 0, 0);
        loop {
            let fed = client.feed(&reply[at..]).unwrap();
            at += fed.consumed;
            match fed.event {
                Event::Head(head) => headers += head.fields.count(),
                Event::Body(data) => received += data.len(),
                Event::WantEnd => drop(client.frame_end(&mut body)),
                Event::Done { reusable } => break assert!(reusable && received == 3 && headers == 2),
                Event::More { .. } | Event::Flush | Event::WantBody { .. } => panic!("not in this reply"),
            }
        }
    };
    exchange();
    assert_eq!(allocations(exchange), 0);
}
