//! Single situations of the request loop (`engine::proxy`) in the simulated world, each with the answer it must have.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]
#![allow(missing_docs, unreachable_pub, dead_code, reason = "a test; not all of the support is used")]

#[path = "support/sim.rs"]
mod sim;
#[path = "support/sim_case.rs"]
mod sim_case;

use std::rc::Rc;

use mod_jk_rs::engine::error::{Cause, Failure};
use mod_jk_rs::engine::exchange::LinkError;
use mod_jk_rs::engine::proxy::pump::HOLD;
use mod_jk_rs::engine::proxy::{Buffers, Served, WorkerView, serve};
use mod_jk_rs::engine::request::RequestBody;
use sim::backend::{chunk, end, head};
use sim::{Act, Backend, Client, Clock, End, Fate, Opening, Piece, Rng, Scenes, SimLinks};
use sim_case::plain_worker;

/// A request and its connections.
struct World {
    clock: Rc<Clock>,
    client: Client,
    scenes: Vec<(Opening, Backend)>,
    worker: WorkerView<'static>,
}

/// What came of it.
struct Outcome {
    result: Result<Served, Failure>,
    client: Client,
    ends: Vec<End>,
    clock: Rc<Clock>,
    tries: Vec<u32>,
}

impl World {
    fn new(method: &'static str, body: usize) -> Self {
        let clock = Rc::new(Clock::default());
        let (framing, pieces) = match body {
            0 => (RequestBody::None, Vec::new()),
            n => (RequestBody::Known(n as u64), vec![(0, Piece::Data(n))]),
        };
        let worker = plain_worker();
        let mut client = Client::new(&clock, framing, pieces, worker.manner.timing.client, &mut Rng(1));
        client.method = method;
        Self { clock, client, scenes: Vec::new(), worker }
    }

    /// A connection whose backend does `acts` and then `fate`.
    fn meets(mut self, opening: Opening, acts: Vec<Act>, fate: Fate) -> Self {
        let mut backend = Backend::new(acts, fate, self.client.framing, &mut Rng(2));
        backend.reuse = true;
        backend.whole = true;
        self.scenes.push((opening, backend));
        self
    }

    fn serve(mut self) -> Outcome {
        let scenes = Scenes::new(&self.clock, self.scenes);
        let links = SimLinks { scenes: &scenes, client: self.client.ready() };
        let mut tries = Vec::new();
        let result = serve(&mut self.client, &links, &self.worker, &mut Buffers::default(), |_, attempt| {
            tries.push(attempt.number);
        });
        let ends = scenes.used().iter().map(sim::Scene::end).collect();
        Outcome { result, client: self.client, ends, clock: self.clock, tries }
    }
}

fn ok(body: &[u8]) -> Vec<Act> {
    vec![Act::AwaitHead, Act::Bytes(head(200, "OK", &[])), Act::Bytes(chunk(body)), Act::Bytes(end(1))]
}

fn pieces(packets: impl Iterator<Item = Vec<u8>>, delay: u64) -> Vec<Act> {
    let mut acts = vec![Act::AwaitHead];
    for packet in packets {
        acts.extend([Act::Bytes(packet), Act::Delay(delay)]);
    }
    acts
}

#[test]
fn a_plain_exchange_keeps_its_connection() {
    let outcome = World::new("GET", 0).meets(Opening::Opened, ok(b"hello"), Fate::Open).serve();
    assert_eq!(outcome.client.body, b"hello");
    assert!(outcome.client.ended);
    assert_eq!(outcome.ends, [End::Released]);
    assert!(outcome.result.unwrap().reusable);
}

#[test]
fn a_replaced_response_is_read_to_its_end_and_not_delivered() {
    let mut world = World::new("GET", 0).meets(Opening::Opened, ok(b"hello"), Fate::Open);
    world.worker.manner.server_errors = Some(200);
    let outcome = world.serve();
    assert_eq!(outcome.client.replaced, Some(200));
    assert!(!outcome.client.written);
    assert_eq!(outcome.ends, [End::Released]);
    assert_eq!(outcome.result.unwrap().replaced, Some(200));
}

#[test]
fn octets_behind_the_end_cost_the_connection_and_nothing_else() {
    let mut acts = ok(b"hello");
    acts.pop();
    acts.push(Act::Bytes([end(1), head(200, "for somebody else", &[])].concat()));
    let outcome = World::new("GET", 0).meets(Opening::Opened, acts, Fate::Open).serve();
    assert_eq!(outcome.client.body, b"hello");
    assert_eq!(outcome.ends, [End::Discarded]);
    assert!(outcome.result.is_ok());
}

#[test]
fn a_stale_pooled_connection_costs_a_get_nothing() {
    let mut world = World::new("GET", 0)
        .meets(Opening::Pooled, vec![Act::AwaitHead, Act::Bytes(vec![0])], Fate::Eof(0))
        .meets(Opening::Opened, ok(b"hello"), Fate::Open);
    world.worker.attempts = 1;
    let outcome = world.serve();
    assert!(outcome.result.is_ok());
    assert_eq!(outcome.ends, [End::Discarded, End::Released]);
    assert_eq!(outcome.clock.now(), 0, "no pause");
}

#[test]
fn a_post_is_not_repeated_on_its_own() {
    for (opening, body) in [(Opening::Pooled, 10), (Opening::Opened, 10), (Opening::Opened, 0)] {
        let closed = vec![Act::AwaitHead, Act::Bytes(vec![0])];
        let outcome = World::new("POST", body).meets(opening, closed, Fate::Eof(0)).serve();
        let failure = outcome.result.unwrap_err();
        assert_eq!((failure.cause, failure.status()), (Cause::Link(LinkError::Closed), Some(502)));
        assert_eq!(outcome.ends, [End::Discarded]);
    }
}

#[test]
fn a_kept_first_packet_is_sent_again() {
    let outcome = World::new("PUT", 5000)
        .meets(Opening::Opened, vec![Act::AwaitHead, Act::Bytes(vec![0])], Fate::Reset(0))
        .meets(Opening::Opened, ok(b"done"), Fate::Open)
        .serve();
    assert_eq!(outcome.client.body, b"done");
    assert_eq!(outcome.tries, [1]);
}

#[test]
fn a_body_that_was_asked_for_is_not_repeated() {
    let acts = vec![Act::AwaitHead, Act::Ask(8186), Act::Bytes(vec![0])];
    let outcome = World::new("PUT", 20_000).meets(Opening::Opened, acts, Fate::Eof(7)).serve();
    let failure = outcome.result.unwrap_err();
    assert!(failure.body_spent && !failure.delivered);
}

#[test]
fn a_backend_that_asks_and_does_not_listen_is_not_waited_for_in_a_circle() {
    // The answer cannot be sent: that must neither spin nor hide what the backend says after its question.
    let (done, wait) = std::sync::mpsc::channel();
    // In a thread, so that spinning fails the test instead of stopping it.
    std::thread::spawn(move || {
        let question = vec![0x41, 0x42, 0, 3, 6, 0x1f, 0xfa];
        let mut world = World::new("GET", 0).meets(
            Opening::Opened,
            vec![Act::Bytes(question), Act::Delay(1000), Act::Bytes(vec![0])],
            Fate::Eof(7),
        );
        world.scenes[0].1.send_limit = Some(10);
        world.worker.attempts = 1;
        let _ = done.send(world.serve().result.map(|_| ()));
    });
    let result = wait.recv_timeout(std::time::Duration::from_secs(60)).expect("it spins");
    assert_eq!(result.unwrap_err().cause, Cause::Cut);
}

#[test]
fn an_early_answer_counts_although_nothing_more_can_be_sent() {
    let question = vec![0x41, 0x42, 0, 3, 6, 0x1f, 0xfa];
    let mut acts = vec![Act::Bytes(question), Act::Delay(1000)];
    acts.extend(ok(b"too large").into_iter().skip(1));
    let mut world = World::new("POST", 0);
    // The client would take longer to send than anybody waits.
    world.client = Client::new(
        &world.clock,
        RequestBody::Unknown,
        vec![(60_000_000, Piece::Data(9))],
        world.worker.manner.timing.client,
        &mut Rng(1),
    );
    let mut world = world.meets(Opening::Opened, acts, Fate::Open);
    world.scenes[0].1.send_limit = Some(10);
    let outcome = world.serve();
    assert!(!outcome.result.expect("an answer").reusable);
    assert_eq!(outcome.client.body, b"too large");
    assert_eq!(outcome.ends, [End::Discarded]);
    assert_eq!(outcome.clock.now(), 1000);
}

#[test]
fn dripped_octets_do_not_extend_the_deadline() {
    let drips = |packet: Vec<u8>| packet.into_iter().map(|octet| vec![octet]);
    let acts = pieces(drips(head(200, "OK", &[])), 400_000);
    let mut world = World::new("GET", 0).meets(Opening::Opened, acts, Fate::Open);
    world.worker.attempts = 1;
    let outcome = world.serve();
    let failure = outcome.result.unwrap_err();
    assert_eq!((failure.cause, failure.status()), (Cause::Silent { limit_ms: 1000 }, Some(504)));
    assert!((1_000_000..=1_500_000).contains(&outcome.clock.now()), "{}", outcome.clock.now());
}

#[test]
fn body_that_drips_is_cut_off_too() {
    let mut acts = vec![Act::AwaitHead, Act::Bytes([head(200, "OK", &[]), chunk(b"")].concat())];
    for octet in chunk(&[7; 100]) {
        acts.extend([Act::Delay(400_000), Act::Bytes(vec![octet])]);
    }
    let outcome = World::new("GET", 0).meets(Opening::Opened, acts, Fate::Open).serve();
    let failure = outcome.result.unwrap_err();
    assert_eq!(failure.cause, Cause::Silent { limit_ms: 1000 });
    assert!(failure.delivered && !outcome.client.ended);
    assert!(outcome.clock.now() < 2_500_000);
}

#[test]
fn a_slow_client_does_not_make_the_backend_late() {
    // A large packet of which each read gets a part, and each part takes the client most of the reply timeout.
    let mut acts = ok(&[7; 60_000]);
    acts.insert(2, Act::Bytes(chunk(b"")));
    let mut world = World::new("GET", 0).meets(Opening::Opened, acts, Fate::Open);
    world.scenes[0].1.portion = 7000;
    world.client.write_time = 600_000;
    let outcome = world.serve();
    assert!(outcome.result.is_ok(), "{:?}", outcome.result);
    assert!(outcome.clock.now() > 5_000_000, "the client was not slow");
    assert_eq!(outcome.client.body.len(), 60_000);
}

#[test]
fn the_beginning_is_held_back_however_it_is_cut() {
    // Many packets of an octet, and one packet that arrives octet by octet.
    let tiny = [head(200, "OK", &[])].into_iter().chain((0..500).map(|_| chunk(b"x")));
    let slow = chunk(&[b'x'; 500]).into_iter().map(|octet| vec![octet]);
    let slow = [head(200, "OK", &[])].into_iter().chain(slow.take(400));
    for acts in [pieces(tiny, 10), pieces(slow, 10)] {
        let total = acts.iter().map(|act| if let Act::Bytes(bytes) = act { bytes.len() } else { 0 }).sum();
        let mut world = World::new("GET", 0).meets(Opening::Opened, acts, Fate::Eof(total));
        world.worker.attempts = 1;
        let outcome = world.serve();
        let failure = outcome.result.unwrap_err();
        assert!(!failure.delivered && !outcome.client.written);
        assert_eq!(failure.status(), Some(502));
    }
}

#[test]
fn many_small_packets_arrive_whole() {
    let parts = [head(200, "OK", &[])]
        .into_iter()
        .chain((0..3000).map(|i| chunk(&[b'a' + (i % 26) as u8; 3])))
        .chain([end(1)]);
    let outcome = World::new("GET", 0).meets(Opening::Opened, pieces(parts, 10), Fate::Open).serve();
    let wanted: Vec<u8> = (0..3000).flat_map(|i| [b'a' + (i % 26) as u8; 3]).collect();
    assert!(outcome.client.body == wanted);
    assert_eq!(outcome.ends, [End::Released]);
}

#[test]
fn what_is_larger_goes_out_and_is_broken_off() {
    let parts = [head(200, "OK", &[]), chunk(&[b'x'; 8000]), chunk(&[b'y'; 8000])];
    let acts = pieces(parts.into_iter(), 10);
    let total = acts.iter().map(|act| if let Act::Bytes(bytes) = act { bytes.len() } else { 0 }).sum();
    let outcome = World::new("GET", 0).meets(Opening::Opened, acts, Fate::Eof(total)).serve();
    let failure = outcome.result.unwrap_err();
    assert!(failure.delivered && !outcome.client.ended);
    assert!(outcome.client.body.len() >= HOLD);
    assert_eq!(outcome.ends, [End::Discarded], "and is not repeated");
}
