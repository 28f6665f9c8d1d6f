//! The pump with an HTTP/1 exchange in a simulated world: random bodies both ways, early and late answers, answers that are
//! cut or out of order, slow readers; thousands of them.
//!
//! `SIM_SEEDS=n` runs n seeds instead of the usual number, `SIM_SEED=s` runs one. A failure names its seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    unused_imports,
    reason = "a test; it uses a part of the simulation"
)]

#[path = "support/http1_peer.rs"]
mod http1_peer;
#[path = "support/sim.rs"]
mod sim;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use http1_peer::{Answer, Fate, Peer, PeerLink, When};
use mod_jk_rs::engine::error::{Cause, ClientFault, Failure, Fault, RetryPolicy, Stage};
use mod_jk_rs::engine::exchange::{Exchange, Link, LinkError, ROOM_BEFORE};
use mod_jk_rs::engine::http1::{Client, Limits, Options, encode};
use mod_jk_rs::engine::proxy::attempts::{Links, WorkerView};
use mod_jk_rs::engine::proxy::http::HttpView;
use mod_jk_rs::engine::proxy::pump::{Manner, Pump, Step, Timing};
use mod_jk_rs::engine::proxy::run::{Progress, Run};
use mod_jk_rs::engine::proxy::{BodyRead, Buffers, Host};
use mod_jk_rs::engine::request::{RequestBody, WorkerFacts};
use sim::client::body_octet;
use sim::{Clock, Piece, Rng};

/// Seeds of an ordinary run.
const SEEDS: u64 = 4000;
const MANNER: Manner<'static> = Manner {
    timing: Timing {
        reply: Some(Duration::from_secs(2)),
        send: Duration::from_secs(5),
        client: Duration::from_secs(20),
    },
    fail_on: &[],
    server_errors: None,
    flush_packets: false,
    flush_head: false,
    timed: false,
};

fn for_seeds(check: fn(u64)) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        if catch_unwind(AssertUnwindSafe(|| check(seed))).is_err() {
            panic!("failed; replay with SIM_SEED={seed}");
        }
    }
}

struct World {
    client: sim::Client,
    length: usize,
    piece: usize,
    /// The client's body breaks.
    breaks: bool,
    answer: Answer,
    link: PeerLink,
}

fn build(seed: u64) -> World {
    let mut rng = Rng(seed);
    let clock = Rc::new(Clock::default());
    let length = match rng.below(4) {
        0 => 0,
        1 => rng.range(1, 400),
        2 => rng.range(1, 20_000),
        _ => rng.range(20_000, 200_000),
    };
    let framing = match (length, rng.chance(50)) {
        (0, _) if rng.chance(70) => RequestBody::None,
        (0, _) | (_, true) => RequestBody::Unknown,
        _ => RequestBody::Known(length as u64),
    };
    let (mut pieces, mut left) = (vec![], length);
    let breaks = length > 0 && rng.chance(8);
    while left > 0 {
        let size = rng.range(1, left.min(30_000));
        left -= size;
        pieces.push((if rng.chance(40) { rng.next() % 3000 } else { 0 }, Piece::Data(size)));
    }
    if breaks {
        let place = rng.below(pieces.len());
        pieces.truncate(place);
        pieces.push((rng.next() % 500, Piece::Fails(rng.pick(&[ClientFault::Gone, ClientFault::Body(400)]))));
    }
    let method = if framing == RequestBody::None { rng.pick(&["GET", "HEAD", "DELETE"]) } else { "POST" };
    let mut client = sim::Client::new(&clock, framing, pieces, Duration::from_secs(20), &mut rng);
    client.method = method;
    client.pollable = rng.chance(80);
    client.headers =
        vec![("Host".into(), "www.example.org".into()), ("Connection".into(), "keep-alive".into())];
    let answer = Answer::random(&mut rng, method == "HEAD", framing, length);
    let peer = Peer::new(answer.clone(), framing, &mut rng);
    let link = PeerLink::new(peer, &clock, client.ready());
    let piece = rng.pick(&[1000, 16_384, 65_536]);
    World { client, length, piece, breaks, answer, link }
}

type P = Pump<Client>;
type R = Result<bool, Failure>;

/// What the loop of attempts does with one connection.
fn exchange(world: &mut World, drive: fn(&mut sim::Client, &mut PeerLink, &mut P) -> R) -> R {
    let mut buffers = Buffers::default();
    let worker = WorkerFacts { secret: None, route: None, activation: b"ACT" };
    let upgrade = encode(&mut buffers.head, &world.client, &worker, &Options::default()).unwrap();
    let limits = Limits { piece: world.piece, ..Limits::default() };
    let client = Client::new(limits, world.client.framing, world.client.method == "HEAD", upgrade);
    buffers.reserve_body(world.piece);
    let kept = match client.first_body() {
        None => None,
        Some(max) => match world.client.read_body(&mut buffers.body[ROOM_BEFORE..ROOM_BEFORE + max], true) {
            Ok(BodyRead::Data(len)) => Some(len),
            Ok(_) => panic!("no body"),
            Err(fault) => {
                return Err(Failure::early(Cause::Client(fault), mod_jk_rs::engine::error::Stage::Send));
            }
        },
    };
    let mut pump = Pump::new(client, Box::new(buffers), kept);
    drive(&mut world.client, &mut world.link, &mut pump)
}

fn by_blocking(host: &mut sim::Client, link: &mut PeerLink, pump: &mut P) -> R {
    pump.run(host, link, &MANNER)
}

/// What an event loop does.
fn by_events(host: &mut sim::Client, link: &mut PeerLink, pump: &mut P) -> R {
    loop {
        let interest = match pump.step(host, link, &MANNER, false)? {
            Step::Done { reusable } => return Ok(reusable),
            Step::Wait(interest) => interest,
        };
        let patience = pump.patience(host.now(), interest, &MANNER).expect("all cases have a limit");
        let descriptor = if interest.client_readable { host.body_descriptor() } else { None };
        match link.wait(interest.link_writable, descriptor, patience) {
            Ok(()) => {}
            Err(LinkError::TimedOut) => return Err(pump.timed_out(interest, &MANNER)),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn check_request(world: &World) {
    let peer = world.link.peer.borrow();
    let right = peer.body.iter().enumerate().all(|(i, octet)| *octet == body_octet(i));
    assert!(right && peer.body.len() <= world.length, "the backend got another body");
    if peer.complete && world.client.framing == RequestBody::Unknown {
        assert_eq!(peer.body.len(), world.length, "an end that is none");
        assert!(!world.client.broke, "the end of a body that broke");
    }
}

fn check_success(world: &World, reusable: bool) {
    let (client, answer) = (&world.client, &world.answer);
    let (status, fields) = client.response().expect("a response");
    assert_eq!(*status, answer.status);
    assert!(fields.iter().any(|(name, value)| name == b"X-Answer" && value == b"1"));
    assert!(client.ended && !client.gone);
    // A body that ends with the connection looks complete wherever that ends.
    let early = answer.until_close && matches!(answer.fate, Fate::Eof(_));
    let right = if early { answer.body.starts_with(&client.body) } else { client.body == answer.body };
    assert!(right, "the body is not the backend's: {answer:?}");
    assert!(!answer.broken(), "a broken answer was taken for good");
    let peer = world.link.peer.borrow();
    if reusable {
        // Octets behind the end that have not arrived yet are found when the connection is taken again.
        let clean = peer.unread() == 0 || answer.surplus;
        assert!(answer.keeps && peer.complete && clean, "kept, although {answer:?}");
    } else {
        assert!(!answer.keeps || !peer.complete || answer.surplus, "closed for nothing");
    }
}

fn check_failure(world: &World, failure: &Failure) {
    let (client, answer) = (&world.client, &world.answer);
    assert!(!client.ended, "a broken response looks complete");
    assert_eq!(failure.delivered, client.written);
    assert!(answer.body.starts_with(&client.body), "octets that are not the backend's");
    if failure.fault() == Fault::Client {
        assert!(world.breaks, "the client was blamed: {failure:?}");
    } else {
        assert!(answer.broken(), "the backend was blamed: {failure:?} {answer:?}");
    }
    if let Cause::Silent { .. } = failure.cause {
        assert!(matches!(answer.fate, Fate::Silent(_)), "a backend that answers was called silent");
    }
}

#[test]
fn whatever_happens_the_client_gets_the_truth() {
    for_seeds(|seed| {
        let mut world = build(seed);
        let result = exchange(&mut world, by_blocking);
        check_request(&world);
        match &result {
            Ok(reusable) => check_success(&world, *reusable),
            Err(failure) => check_failure(&world, failure),
        }
    });
}

#[test]
fn an_early_refusal_stops_the_upload() {
    const LENGTH: usize = 200_000;
    let sent = |seed| {
        let mut rng = Rng(seed);
        let clock = Rc::new(Clock::default());
        let framing = RequestBody::Known(LENGTH as u64);
        let pieces = vec![(0, Piece::Data(LENGTH))];
        let mut client = sim::Client::new(&clock, framing, pieces, Duration::from_secs(20), &mut rng);
        client.method = "POST";
        client.headers = vec![("Host".into(), "www.example.org".into())];
        let answer = Answer {
            status: 413,
            when: When::Early(0),
            head: b"HTTP/1.1 413 No\r\nX-Answer: 1\r\nContent-Length: 4\r\n\r\n".to_vec(),
            rest: b"much".to_vec(),
            body: b"much".to_vec(),
            keeps: true,
            until_close: false,
            surplus: false,
            malformed: false,
            fate: Fate::Open,
        };
        let mut peer = Peer::new(answer.clone(), framing, &mut rng);
        peer.slow = false; // or the answer would be noticed while waiting
        let link = PeerLink::new(peer, &clock, client.ready());
        let mut world = World { client, length: LENGTH, piece: 10_000, breaks: false, answer, link };
        let reusable = exchange(&mut world, by_blocking).unwrap();
        check_request(&world);
        check_success(&world, reusable);
        world.link.peer.borrow().body.len()
    };
    // Some backends of the simulation take their time with the answer.
    let least = (0..30).map(sent).min();
    assert!(least <= Some(20_000), "{least:?}");
}

#[test]
fn blocking_and_by_events_come_to_the_same() {
    for_seeds(|seed| {
        let seen = |drive| {
            let mut world = build(seed);
            let result = exchange(&mut world, drive);
            let body = world.link.peer.borrow().body.clone();
            (result, world.client.body, world.client.ended, body)
        };
        let blocking = seen(by_blocking);
        let events = seen(by_events);
        assert_eq!(blocking.0, events.0);
        assert!(blocking == events);
    });
}

/// One connection, for one attempt.
struct OneLink(RefCell<Option<PeerLink>>);

impl Links for OneLink {
    type Link = PeerLink;

    fn acquire(&self, _: bool) -> Result<(PeerLink, bool), Failure> {
        let link = self.0.borrow_mut().take();
        link.map(|link| (link, false)).ok_or(Failure::early(Cause::Cut, Stage::Connect))
    }

    fn release(&self, link: PeerLink, _: mod_jk_rs::engine::units::Tick) {
        self.discard(link, false);
    }

    fn discard(&self, link: PeerLink, _: bool) {
        self.0.borrow_mut().replace(link);
    }

    fn pause(&self, _: Duration) {}
}

/// The whole of an attempt over HTTP, in blocking steps or in others.
fn attempt(mut world: World, block: bool) -> (R, Vec<u8>, bool, Vec<u8>) {
    let view = HttpView {
        options: Options::default(),
        upgrades: Box::default(),
        tunnel_timeout: None,
        limits: Limits::default(),
        check: None,
    };
    let worker = WorkerView {
        http: Some(&view),
        facts: WorkerFacts { secret: None, route: None, activation: b"ACT" },
        max_packet: world.piece,
        receive_limit: 65_535,
        first_body: usize::MAX,
        manner: MANNER,
        connect_ping: Some(Duration::from_secs(1)),
        establish: None,
        prepost_ping: None,
        attempts: 1,
        pause: Duration::ZERO,
        policy: RetryPolicy {
            explicit: false,
            not_after_request: false,
            always_head: false,
            always_get: false,
        },
        reuse: true,
        abrupt_on_client_error: false,
    };
    let links = OneLink(RefCell::new(Some(world.link)));
    let mut run = Run::new(Box::default(), None);
    let result = loop {
        let wait = match run.step(&mut world.client, &links, &worker, block, |_, _| {}) {
            Progress::Done(result) => break result,
            Progress::Wait(wait) => wait,
        };
        assert!(!block, "a blocking step has to be the last");
        let descriptor = if wait.interest.client_readable { world.client.body_descriptor() } else { None };
        let patience = wait.patience.expect("all cases have a limit");
        let link = run.link().expect("a connection");
        match link.wait(wait.interest.link_writable, descriptor, patience) {
            Ok(()) => {}
            Err(LinkError::TimedOut) => run.expire(),
            Err(error) => panic!("{error:?}"),
        }
    };
    let link = links.0.into_inner().expect("it comes back");
    let body = link.peer.borrow().body.clone();
    let result = result.map(|served| served.reusable).map_err(|last| last.failure);
    (result, world.client.body, world.client.ended, body)
}

#[test]
fn attempts_that_are_put_aside_come_to_the_same() {
    for_seeds(|seed| {
        let (blocking, aside) = (attempt(build(seed), true), attempt(build(seed), false));
        assert_eq!(blocking.0, aside.0);
        assert!(blocking == aside, "bodies differ");
    });
}

#[test]
fn the_world_is_worth_its_name() {
    let mut seen = BTreeMap::<&str, u32>::new();
    for seed in 0..1500 {
        let mut world = build(seed);
        let result = exchange(&mut world, by_blocking);
        let answer = &world.answer;
        let complete = world.link.peer.borrow().complete;
        let mut count = |what, is: bool| *seen.entry(what).or_default() += u32::from(is);
        count("kept", result == Ok(true));
        count("closed", result == Ok(false));
        count("until the connection ends", result.is_ok() && answer.until_close && !answer.body.is_empty());
        count("answered before the end of the request", result.is_ok() && !complete);
        count(
            "answered while reading",
            result.is_ok() && complete && answer.when == When::Duplex && world.length > 30_000,
        );
        count("upload in pieces", complete && world.length > 70_000);
        count("surplus", result == Ok(false) && answer.surplus);
        let failure = result.err();
        count("broken off", failure.is_some_and(|failure| failure.delivered));
        count("clean failure", failure.is_some_and(|failure| !failure.delivered));
        count("client's fault", failure.is_some_and(|failure| failure.fault() == Fault::Client));
        count("silent", failure.is_some_and(|failure| matches!(failure.cause, Cause::Silent { .. })));
        count("protocol", failure.is_some_and(|failure| matches!(failure.cause, Cause::Protocol(_))));
        count("cut", failure.is_some_and(|failure| failure.cause == Cause::Cut));
    }
    assert!(seen.values().all(|count| *count >= 5), "{seen:?}");
}
