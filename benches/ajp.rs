//! Cost of the AJP codec per request: encoding with 8 and 30 headers, reading a response.
//!
//! `cargo bench --bench ajp`; with a name and a number (`cargo bench --bench ajp -- encode8 100000`) one case is run that
//! often without measuring, to be counted by valgrind or perf.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

#[path = "../tests/support/sample_request.rs"]
mod sample_request;
#[path = "../tests/support/vectors.rs"]
mod vectors;

use std::hint::black_box;
use std::time::Instant;

use mod_jk_rs::engine::ajp::{Client, Limits, encode};
use mod_jk_rs::engine::exchange::{Event, Exchange};
use mod_jk_rs::engine::request::RequestBody;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    for (name, mut case) in cases() {
        match arguments.as_slice() {
            [wanted, rounds] if wanted == name => (0..rounds.parse().unwrap()).for_each(|_| case()),
            [_, _] => {}
            _ => {
                let best = (0..20).map(|_| measure(&mut case)).min().unwrap();
                println!("{name:10} {best:6} ns");
            }
        }
    }
}

/// Nanoseconds per call.
fn measure(case: &mut dyn FnMut()) -> u128 {
    const ROUNDS: u32 = 20_000;
    let start = Instant::now();
    (0..ROUNDS).for_each(|_| case());
    start.elapsed().as_nanos() / u128::from(ROUNDS)
}

/// A name and one round of work.
type Case = (&'static str, Box<dyn FnMut()>);

fn cases() -> Vec<Case> {
    let encoding = |headers| {
        let request = sample_request::browser(headers);
        let mut packet = Vec::new();
        Box::new(move || {
            encode(&mut packet, black_box(&request), &sample_request::FACTS, 8192).unwrap();
            black_box(&packet);
        })
    };
    let stream: Vec<u8> = ["e13-send-headers-tomcat", "e16-send-body-chunk", "e18-end-response-reuse"]
        .iter()
        .flat_map(|name| vectors::load(name))
        .collect();
    let limits = Limits { max_packet: 8192, receive_limit: 65535 };
    let reply = move || {
        let mut client = Client::new(limits, RequestBody::None, false);
        let mut at = 0;
        loop {
            let fed = client.feed(black_box(&stream[at..])).unwrap();
            at += fed.consumed;
            match fed.event {
                Event::Head(head) => head.fields.for_each(|pair| {
                    black_box(pair);
                }),
                Event::Done { .. } => break,
                other => {
                    black_box(other);
                }
            }
        }
    };
    vec![("encode8", encoding(8)), ("encode30", encoding(30)), ("reply", Box::new(reply))]
}
