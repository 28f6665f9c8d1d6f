//! Random requests, workers and backends for the simulation.

use std::rc::Rc;
use std::time::Duration;

use mod_jk_rs::engine::error::{ClientFault, RetryPolicy};
use mod_jk_rs::engine::exchange::LinkError;
use mod_jk_rs::engine::proxy::WorkerView;
use mod_jk_rs::engine::proxy::pump::{Manner, Timing};
use mod_jk_rs::engine::request::{RequestBody, WorkerFacts};

use super::sim::backend::{end, head};
use super::sim::{Act, Backend, Client, Clock, Fate, Opening, Piece, Rng, Scenes};

/// What is known beforehand of one connection.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Response body that the client is to get.
    pub body: Vec<u8>,
    /// Status of the response.
    pub status: u16,
    /// Something is wrong with the connection or the answer.
    pub adverse: bool,
    /// The backend falls silent.
    pub silent: bool,
    /// The backend asks for a flush behind the head.
    pub flushes: bool,
    /// A packet is larger than 8192 octets.
    pub large: bool,
}

/// A case.
pub struct Case {
    /// The clock.
    pub clock: Rc<Clock>,
    /// The client.
    pub client: Client,
    /// The connections.
    pub scenes: Scenes,
    /// What is known of them.
    pub facts: Vec<Facts>,
    /// The worker.
    pub worker: WorkerView<'static>,
    /// Length of the request body.
    pub length: usize,
    /// The client may fail.
    pub client_adverse: bool,
}

/// A worker without peculiarities.
pub fn plain_worker() -> WorkerView<'static> {
    WorkerView {
        http: None,
        facts: WorkerFacts { secret: None, route: None, activation: b"ACT" },
        max_packet: 8192,
        receive_limit: 65_535,
        first_body: usize::MAX,
        manner: Manner {
            timing: Timing {
                reply: Some(Duration::from_secs(1)),
                send: Duration::from_secs(5),
                client: Duration::from_secs(4),
            },
            fail_on: &[],
            server_errors: None,
            flush_packets: false,
            flush_head: false,
            timed: false,
        },
        connect_ping: None,
        establish: None,
        prepost_ping: None,
        attempts: 2,
        pause: Duration::from_millis(100),
        policy: RetryPolicy {
            explicit: false,
            not_after_request: false,
            always_head: false,
            always_get: false,
        },
        reuse: true,
        abrupt_on_client_error: false,
    }
}

fn worker(rng: &mut Rng) -> WorkerView<'static> {
    let plain = plain_worker();
    let ping = Duration::from_millis(500);
    WorkerView {
        http: None,
        max_packet: rng.pick(&[8192, 8192, 16_384, 65_536]),
        manner: Manner {
            fail_on: if rng.chance(20) { &[503, -500] } else { &[] },
            flush_packets: rng.chance(20),
            flush_head: rng.chance(10),
            timed: false,
            ..plain.manner
        },
        connect_ping: rng.chance(20).then_some(ping),
        establish: None,
        prepost_ping: rng.chance(20).then_some(ping),
        attempts: u32::try_from(rng.range(1, 3)).unwrap(),
        policy: RetryPolicy {
            explicit: rng.chance(25),
            not_after_request: rng.chance(25),
            always_head: rng.chance(30),
            always_get: rng.chance(30),
        },
        reuse: rng.chance(90),
        ..plain
    }
}

/// The case of a seed; always the same one.
pub fn build(seed: u64) -> Case {
    let rng = &mut Rng(seed);
    let clock = Rc::new(Clock::default());
    let worker = worker(rng);
    let length = match rng.below(6) {
        0 => rng.range(1, 20),
        1 => rng.range(8180, 8192),
        2 => rng.range(1, 100_000),
        _ => rng.range(1, 10_000),
    };
    let (method, framing) = match rng.below(10) {
        0..=3 => ("GET", RequestBody::None),
        4 => ("HEAD", RequestBody::None),
        5 => ("GET", RequestBody::Known(length as u64)),
        6 => ("PUT", RequestBody::Unknown),
        7 => ("POST", RequestBody::Unknown),
        _ => ("POST", RequestBody::Known(length as u64)),
    };
    let length = if framing == RequestBody::None { 0 } else { length };
    let (mut client, client_adverse) = client(rng, &clock, &worker, framing, length);
    client.method = method;
    for i in 0..rng.below(30) {
        client.headers.push((format!("X-Header-{i}"), "v".repeat(rng.range(0, 100))));
    }
    let mut scenes = Vec::new();
    let mut facts = Vec::new();
    for number in 0..6 {
        let (opening, backend, known) = scene(rng, number, &worker, method, framing, length);
        scenes.push((opening, backend));
        facts.push(known);
    }
    Case { scenes: Scenes::new(&clock, scenes), clock, client, facts, worker, length, client_adverse }
}

fn client(
    rng: &mut Rng,
    clock: &Rc<Clock>,
    worker: &WorkerView<'_>,
    framing: RequestBody,
    length: usize,
) -> (Client, bool) {
    let mut adverse = false;
    let mut pieces = Vec::new();
    let mut left = length;
    while left > 0 {
        let size = if rng.chance(30) { rng.range(1, left) } else { left.min(rng.range(1, 9000)) };
        let delay = match rng.below(20) {
            0 => {
                adverse = true;
                5_000_000
            }
            1..=8 => rng.next() % 2_000_000,
            _ => 0,
        };
        if rng.chance(2) {
            adverse = true;
            let fault = rng.pick(&[
                ClientFault::Gone,
                ClientFault::Body(400),
                ClientFault::Body(413),
                ClientFault::Answered,
            ]);
            pieces.push((delay, Piece::Fails(fault)));
            break;
        }
        if framing != RequestBody::Unknown && rng.chance(1) {
            adverse = true; // it ends early
            break;
        }
        pieces.push((delay, Piece::Data(size)));
        left -= size;
    }
    let mut client = Client::new(clock, framing, pieces, worker.manner.timing.client, rng);
    client.pollable = rng.chance(75);
    if rng.chance(10) {
        adverse = true;
        client.write_limit = Some(rng.below(20_000));
    }
    if rng.chance(30) {
        client.slowness = 3_000_000;
    }
    (client, adverse)
}

fn scene(
    rng: &mut Rng,
    number: usize,
    worker: &WorkerView<'_>,
    method: &str,
    framing: RequestBody,
    length: usize,
) -> (Opening, Backend, Facts) {
    let mut facts = Facts::default();
    let opening = match (number, rng.below(10)) {
        (_, 0) => {
            facts.adverse = true;
            Opening::Fails(rng.pick(&[LinkError::Refused, LinkError::TimedOut, LinkError::Os(113)]))
        }
        (0, 1..=5) => Opening::Pooled,
        _ => Opening::Opened,
    };
    let pooled = matches!(opening, Opening::Pooled);
    let pinged =
        if pooled { worker.prepost_ping } else { worker.connect_ping.or(worker.prepost_ping) }.is_some();
    let mut acts = Vec::new();
    if pinged {
        acts.push(Act::Pong);
    }
    let reuse = rng.chance(80);
    let mut total = 0;
    response(rng, number, method, framing, length, worker, reuse, &mut acts, &mut facts);
    for act in &acts {
        total += match act {
            Act::Bytes(bytes) => bytes.len(),
            Act::Chunk(data) => data.len() + 8,
            _ => 5,
        };
    }
    let fate = if rng.chance(35) {
        facts.adverse = true;
        let at = if rng.chance(30) { 0 } else { rng.below(total) };
        match rng.below(3) {
            0 => Fate::Eof(at),
            1 => Fate::Reset(at),
            _ => {
                facts.silent = true;
                Fate::Silent(at)
            }
        }
    } else {
        Fate::Open
    };
    let mut backend = Backend::new(acts, fate, framing, rng);
    backend.reuse = reuse;
    backend.gap = rng.pick(&[0, 0, 2000]);
    backend.slow_reader = rng.chance(30);
    if rng.chance(8) {
        facts.adverse = true;
        facts.silent = true; // it may wait for octets that never come
        backend.send_limit = Some(rng.below(9000));
    }
    (opening, backend, facts)
}

#[expect(clippy::too_many_arguments, reason = "all of them are the case")]
fn response(
    rng: &mut Rng,
    number: usize,
    method: &str,
    framing: RequestBody,
    length: usize,
    worker: &WorkerView<'_>,
    reuse: bool,
    acts: &mut Vec<Act>,
    facts: &mut Facts,
) {
    let before = acts.len();
    if before > 0 || rng.chance(95) {
        acts.push(Act::AwaitHead);
    }
    for _ in 0..rng.below(3) {
        acts.push(Act::Chunk(Vec::new()));
    }
    let max = if length < 200 { rng.pick(&[1, 100, 8186]) } else { rng.pick(&[100, 4096, 8186, 65_535]) };
    let reads_first = rng.chance(60);
    if reads_first {
        uploads(rng, framing, max, acts);
    }
    facts.status = rng.pick(&[200, 200, 200, 200, 404, 500, 503, 204, 304]);
    facts.adverse |= worker.manner.fail_on.iter().any(|code| code.unsigned_abs() == u32::from(facts.status));
    let largest = if rng.chance(10) { 65_000 } else { 8184 };
    let pieces = match rng.below(8) {
        0 => rng.below(80), // many tiny ones
        1 => 0,
        _ => rng.below(12),
    };
    let tiny = pieces > 12;
    let mut body = Vec::new();
    let mut rest = Vec::new();
    let mut asked = 0;
    for _ in 0..pieces {
        let size = if tiny { rng.range(1, 40) } else { rng.range(1, largest) };
        facts.large |= size > 8184;
        let data: Vec<u8> = (0..size).map(|i| (i * 7 + number * 31 + body.len()) as u8).collect();
        body.extend(&data);
        rest.push(Act::Chunk(data));
        match rng.below(20) {
            0 => {
                facts.flushes = true;
                rest.push(Act::Chunk(Vec::new()));
            }
            1 => rest.push(Act::Delay(rng.next() % 300_000)),
            // At most a few: asking on behind the end of the body is an error.
            2 if asked < 3 => {
                asked += 1;
                rest.push(Act::Ask(max));
            }
            _ => {}
        }
    }
    let bodiless = method == "HEAD" || matches!(facts.status, 204 | 304);
    let mut fields = vec![("X-Scene", number.to_string())];
    if rng.chance(50) {
        let mut announced = body.len();
        if rng.chance(8) && !bodiless {
            announced = if rng.chance(50) { announced + 1 } else { announced.saturating_sub(1) };
            facts.adverse |= announced != body.len();
        }
        fields.push(("Content-Length", announced.to_string()));
    }
    acts.push(Act::Bytes(head(facts.status, "Some Reason", &fields)));
    acts.append(&mut rest);
    if !reads_first && rng.chance(50) {
        uploads(rng, framing, max, acts);
    }
    acts.push(Act::Bytes(end(u8::from(reuse))));
    if rng.chance(8) {
        facts.adverse = true;
        let bad: &[u8] = rng.pick(&[
            &b"HTTP/1.1 400\r\n"[..],
            &[0x41, 0x42, 0, 1, 9],
            &[0x41, 0x42, 0, 1, 7],
            &[0x41, 0x42, 0, 0, 5],
            &[0x41, 0x42, 0, 5, 3, 0, 9, b'x', 0],
            &[0x41, 0x42, 0, 3, 6, 0, 0],
        ]);
        let place = rng.range(before, acts.len() - 1);
        acts.insert(place, Act::Bytes(bad.to_vec()));
    }
    if bodiless {
        body.clear();
    }
    facts.body = body;
}

fn uploads(rng: &mut Rng, framing: RequestBody, max: u16, acts: &mut Vec<Act>) {
    match (framing, rng.below(4)) {
        (RequestBody::None, 0 | 1) | (_, 0) => {}
        (_, 1) => acts.push(Act::Ask(max)),
        _ => {
            acts.push(Act::AskAll(max));
            if rng.chance(50) {
                acts.push(Act::Ask(max)); // Tomcat asks once more
            }
        }
    }
}
