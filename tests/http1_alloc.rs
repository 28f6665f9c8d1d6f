//! A warm exchange allocates nothing: request encoded into a used buffer, reply read, chunks framed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "support/sample_request.rs"]
mod sample_request;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use mod_jk_rs::engine::exchange::{Event, Exchange, ROOM_AFTER, ROOM_BEFORE};
use mod_jk_rs::engine::http1::upgrade::Upgrade;
use mod_jk_rs::engine::http1::{Client, Limits, Options, encode};
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
    request.head.body = RequestBody::Unknown;
    request.head.secure = true;
    request.head.remote_user = Some(b"me");
    request.attributes = vec![(b"SSO_UID".to_vec(), b"me".to_vec())];
    // Connection names one header, so that the rare second pass over the headers is counted too.
    for (_, value) in request.headers.iter_mut().filter(|(name, _)| name == b"Connection") {
        *value = b"close, X-Application-Header-20".to_vec();
    }
    let lines = "X-A: b\r\n".repeat(100);
    let reply = format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: x-b\r\nX-B: 1\r\n{lines}\
         Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
    );
    let mut head = Vec::new();
    let mut body = vec![0; ROOM_BEFORE + 8192 + ROOM_AFTER];
    let options = Options { tls: true, upgrade: &[Upgrade::WEBSOCKET], ..Options::default() };
    let mut exchange = || {
        let upgrade = encode(&mut head, &request, &sample_request::FACTS, &options).unwrap();
        let mut client = Client::new(Limits::default(), RequestBody::Unknown, false, upgrade);
        let (mut at, mut received, mut headers, mut asked) = (0, 0, 0, 0);
        loop {
            // The request first, as a backend would have it.
            let input = if client.body_owed() { &[] } else { &reply.as_bytes()[at..] };
            let fed = client.feed(input).unwrap();
            at += fed.consumed;
            match fed.event {
                Event::Head(head) => headers += head.fields.count(),
                Event::Body(data) => received += data.len(),
                Event::WantBody { .. } if asked < 3 => {
                    asked += 1;
                    assert_eq!(client.frame_body(&mut body, 8000).len(), 8000 + 8);
                }
                Event::WantBody { .. } => drop(client.frame_end(&mut body)),
                Event::Done { reusable } => break assert!(reusable && received == 5 && headers == 100),
                Event::More { .. } | Event::Flush | Event::WantEnd => panic!("not in this reply"),
            }
        }
    };
    exchange();
    assert_eq!(allocations(exchange), 0);
}
