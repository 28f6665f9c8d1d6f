//! The request loop (`engine::proxy`) in a simulated world: random clients, backends, failures and delays, thousands of them.
//!
//! `SIM_SEEDS=n` runs n seeds instead of the usual number, `SIM_SEED=s` runs one. A failure names its seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]
#![allow(missing_docs, unreachable_pub, reason = "a test")]

#[path = "support/sim.rs"]
mod sim;
#[path = "support/sim_case.rs"]
mod sim_case;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use mod_jk_rs::engine::ajp::{self, client};
use mod_jk_rs::engine::error::{Cause, Failure, Fault, Stage, is_idempotent};
use mod_jk_rs::engine::exchange::{Exchange, Link, LinkError, ROOM_BEFORE};
use mod_jk_rs::engine::proxy::attempts::Attempt;
use mod_jk_rs::engine::proxy::buffers::INPUT_SIZE;
use mod_jk_rs::engine::proxy::pump::{HOLD, Manner, Pump, Step, Traffic};
use mod_jk_rs::engine::proxy::run::{Progress, Run};
use mod_jk_rs::engine::proxy::{BodyRead, Buffers, Host, Links, Served, serve};
use mod_jk_rs::engine::request::RequestBody;
use sim::client::body_octet;
use sim::{End, SimLinks};
use sim_case::{Case, build};

/// Seeds of an ordinary run.
const SEEDS: u64 = 6000;
/// Real time after which a run counts as hung.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs `check` for many seeds, in a thread of its own so that a hang is noticed too.
fn for_seeds(check: fn(u64)) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(SEEDS),
    };
    let current = Arc::new(AtomicU64::new(0));
    let (done, wait) = mpsc::channel();
    let seen = Arc::clone(&current);
    let thread = std::thread::spawn(move || {
        for seed in seeds {
            seen.store(seed, Ordering::Relaxed);
            if catch_unwind(AssertUnwindSafe(|| check(seed))).is_err() {
                let _ = done.send(Err(seed));
                return;
            }
            let _ = done.send(Ok(()));
        }
    });
    loop {
        match wait.recv_timeout(PATIENCE) {
            Ok(Ok(())) => {}
            Ok(Err(seed)) => panic!("failed; replay with SIM_SEED={seed}"),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!("hangs; replay with SIM_SEED={}", current.load(Ordering::Relaxed));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    thread.join().unwrap();
}

#[test]
fn whatever_happens_the_client_gets_the_truth() {
    for_seeds(|seed| {
        let mut case = build(seed);
        let mut buffers = Buffers::default();
        let mut failures = 0;
        let links = SimLinks { scenes: &case.scenes, client: case.client.ready() };
        let result = serve(&mut case.client, &links, &case.worker, &mut buffers, |_, attempt| {
            failures += 1;
            assert!(!(attempt.failure.delivered && attempt.retried));
        });
        let used = case.scenes.used().len();
        assert!(used <= case.worker.attempts as usize + 1, "{used} connections");
        assert_eq!(failures, used - usize::from(result.is_ok()), "each failure is reported once");
        check_requests(&case, &buffers);
        check_connections(&case, result.as_ref());
        match &result {
            Ok(served) => check_success(&case, served),
            Err(failure) => check_failure(&case, failure),
        }
        check_memory(&case, &buffers);
    });
}

/// What the backends were sent.
fn check_requests(case: &Case, buffers: &Buffers) {
    let used = case.scenes.used();
    let policy = case.worker.policy;
    let method = case.client.method.as_bytes();
    for (number, scene) in used.iter().enumerate() {
        let backend = scene.backend.borrow();
        assert!(buffers.head.starts_with(backend.head()), "connection {number} got another head");
        let right = backend.body.iter().enumerate().all(|(i, octet)| *octet == body_octet(i));
        assert!(right, "connection {number} got another body");
        if backend.body_end {
            assert_eq!(backend.body.len(), case.length, "an end that is none");
            assert!(!case.client.broke, "the end of a body that broke");
        }
        if number + 1 < used.len() && backend.request_octets() > 0 {
            let again = if policy.not_after_request {
                (policy.always_get && method == b"GET") || (policy.always_head && method == b"HEAD")
            } else {
                policy.explicit || is_idempotent(method)
            };
            assert!(again, "{} was repeated", case.client.method);
        }
    }
}

/// Every connection ends once, and is kept only when it may be.
fn check_connections(case: &Case, result: Result<&Served, &Failure>) {
    let used = case.scenes.used();
    for (number, scene) in used.iter().enumerate() {
        let kept = match result {
            Ok(served) if number + 1 == used.len() => served.reusable && case.worker.reuse,
            // The client's body failed before anything was sent.
            Err(_) => scene.end() == End::Released && scene.backend.borrow().request_octets() == 0,
            Ok(_) => false,
        };
        let wanted = match (scene.opening, kept) {
            (sim::Opening::Fails(_), _) => End::Unused,
            (_, true) => End::Released,
            (_, false) => End::Discarded,
        };
        assert_eq!(scene.end(), wanted, "connection {number} of {}", used.len());
    }
}

fn check_success(case: &Case, served: &Served) {
    let number = case.scenes.used().len() - 1;
    let facts = &case.facts[number];
    let (status, fields) = case.client.response().expect("a response");
    assert_eq!(*status, facts.status);
    let scene: Vec<_> = fields.iter().filter(|(name, _)| name == b"X-Scene").collect();
    assert_eq!(scene, [&(b"X-Scene".to_vec(), number.to_string().into_bytes())]);
    assert!(case.client.ended && !case.client.gone);
    assert!(case.client.body == facts.body, "the body is not the backend's");
    assert_eq!(served.traffic.body, facts.body.len() as u64);
}

fn check_failure(case: &Case, failure: &Failure) {
    let number = case.scenes.used().len() - 1;
    let facts = &case.facts[number];
    let client = &case.client;
    assert!(facts.adverse || case.client_adverse, "nothing was wrong: {failure:?}");
    if failure.fault() == Fault::Client {
        assert!(case.client_adverse, "the client was blamed: {failure:?}");
    } else {
        assert!(facts.adverse, "the backend was blamed: {failure:?}");
    }
    if matches!(failure.cause, Cause::Silent { .. }) {
        assert!(facts.silent, "a backend that answers was called silent: {failure:?}");
    }
    assert!(!client.ended, "a broken response looks complete");
    assert_eq!(failure.delivered, client.written);
    if client.written {
        assert!(facts.body.starts_with(&client.body), "octets that are not the backend's");
        assert_eq!(client.response().unwrap().0, facts.status);
    } else {
        assert!(client.response().is_none(), "the head of a failed attempt was not forgotten");
        assert!((400..600).contains(&failure.status().unwrap_or(400)));
    }
    let manner = case.worker.manner;
    let held = facts.body.len() < HOLD && !facts.flushes && !manner.flush_packets && !manner.flush_head;
    if held && !client.gone {
        assert!(!failure.delivered, "a small response was passed on before it was complete");
    }
}

fn check_memory(case: &Case, buffers: &Buffers) {
    let input = &buffers.input;
    let size = input.position() + input.filled().len() + input.room();
    let large = case.facts[..case.scenes.used().len()].iter().any(|facts| facts.large);
    let limit = if large { INPUT_SIZE + HOLD + 65_539 } else { INPUT_SIZE };
    assert!(size <= limit, "{size} octets of input buffer");
    assert!(buffers.body.len() <= case.worker.max_packet + 64);
}

/// Everything that can be seen of a run.
type Seen = (Result<bool, Failure>, u64, Traffic, Vec<u8>, bool, bool, Vec<u8>);

fn one_exchange(
    seed: u64,
    drive: fn(&mut sim::Client, &mut sim::SimLink, &Manner<'_>, &mut P) -> R,
) -> Option<Seen> {
    let mut case = build(seed);
    let worker = case.worker;
    let mut buffers = Buffers::default();
    ajp::encode(&mut buffers.head, &case.client, &worker.facts, worker.max_packet).unwrap();
    let limits = client::Limits { max_packet: worker.max_packet, receive_limit: worker.receive_limit };
    let exchange = client::Client::new(limits, case.client.framing, case.client.method == "HEAD");
    buffers.reserve_body(worker.max_packet);
    let kept = match exchange.first_body() {
        None => None,
        Some(max) => match case.client.read_body(&mut buffers.body[ROOM_BEFORE..ROOM_BEFORE + max], true) {
            Ok(BodyRead::Data(len)) => Some(len),
            _ => return None,
        },
    };
    let links = SimLinks { scenes: &case.scenes, client: case.client.ready() };
    let (mut link, _) = links.acquire(false).ok()?;
    let mut pump = Pump::new(exchange, Box::new(buffers), kept);
    let result = drive(&mut case.client, &mut link, &worker.manner, &mut pump);
    let traffic = pump.traffic();
    links.discard(link, false);
    let sent = case.scenes.used()[0].backend.borrow().body.clone();
    let client = case.client;
    Some((result, case.clock.now(), traffic, client.body, client.written, client.ended, sent))
}

type P = Pump<client::Client>;
type R = Result<bool, Failure>;

/// What an event loop does.
fn by_events(host: &mut sim::Client, link: &mut sim::SimLink, manner: &Manner<'_>, pump: &mut P) -> R {
    loop {
        let interest = match pump.step(host, link, manner, false)? {
            Step::Done { reusable } => return Ok(reusable),
            Step::Wait(interest) => interest,
        };
        let patience = pump.patience(host.now(), interest, manner).expect("all cases have a limit");
        let descriptor = if interest.client_readable { host.body_descriptor() } else { None };
        match link.wait(interest.link_writable, descriptor, patience) {
            Ok(()) => {}
            Err(LinkError::TimedOut) => return Err(pump.timed_out(interest, manner)),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn blocking_and_by_events_come_to_the_same() {
    for_seeds(|seed| {
        let blocking = one_exchange(seed, |host, link, manner, pump| pump.run(host, link, manner));
        assert_eq!(blocking, one_exchange(seed, by_events));
    });
}

/// What can be seen of a whole request: its result, the failures on the way, the time, the client and the backends.
type Whole = (Result<Served, Failure>, Vec<Failure>, u64, Vec<u8>, bool, bool, Vec<Vec<u8>>);

/// A request with all its attempts, by blocking calls or put aside at each wait.
fn whole(seed: u64, by_steps: bool) -> Whole {
    let mut case = build(seed);
    let links = SimLinks { scenes: &case.scenes, client: case.client.ready() };
    let mut failures = Vec::new();
    let mut report = |_: &mut sim::Client, attempt: &Attempt| failures.push(attempt.failure);
    let result = if by_steps {
        let mut run = Run::new(Box::default(), None);
        let result = loop {
            let wait = match run.step(&mut case.client, &links, &case.worker, false, &mut report) {
                Progress::Done(result) => break result,
                Progress::Wait(wait) => wait,
            };
            let patience = wait.patience.expect("all cases have a limit");
            let descriptor = if wait.interest.client_readable { case.client.body_descriptor() } else { None };
            match run.link().filter(|_| wait.link_readable) {
                None if wait.interest.client_readable => {
                    let now = case.clock.now();
                    let late = now + u64::try_from(patience.as_micros()).unwrap();
                    match links.client.get() {
                        Some(at) if at <= late => case.clock.reach(at.max(now)),
                        _ => {
                            case.clock.reach(late);
                            run.expire();
                        }
                    }
                }
                Some(link) => match link.wait(wait.interest.link_writable, descriptor, patience) {
                    Ok(()) => {}
                    Err(LinkError::TimedOut) => run.expire(),
                    Err(error) => panic!("{error:?}"),
                },
                None => {
                    links.pause(patience);
                    run.expire(); // as a driver does that knows nothing of what it waits for
                }
            }
        };
        result.map_err(|last| {
            report(&mut case.client, &last);
            last.failure
        })
    } else {
        serve(&mut case.client, &links, &case.worker, &mut Buffers::default(), report)
    };
    let sent = case.scenes.used().iter().map(|scene| scene.backend.borrow().body.clone()).collect();
    let client = case.client;
    (result, failures, case.clock.now(), client.body, client.written, client.ended, sent)
}

#[test]
fn a_request_put_aside_at_each_wait_comes_to_the_same() {
    for_seeds(|seed| {
        let blocking = whole(seed, false);
        let by_steps = whole(seed, true);
        // A blocking CPing restarts its limit with each octet, a resumable one does not.
        if blocking.1.iter().chain(&by_steps.1).any(|failure| failure.stage == Stage::Ping) {
            return;
        }
        assert_eq!(blocking, by_steps);
    });
}

#[test]
fn the_world_is_worth_its_name() {
    // Guards against a generator that has stopped to produce what the checks are about.
    let mut seen = std::collections::BTreeMap::<&str, u32>::new();
    for seed in 0..1000 {
        let mut case = build(seed);
        let links = SimLinks { scenes: &case.scenes, client: case.client.ready() };
        let result = serve(&mut case.client, &links, &case.worker, &mut Buffers::default(), |_, _| {});
        let mut count = |what, is: bool| *seen.entry(what).or_default() += u32::from(is);
        count("served", result.is_ok());
        count("served after a failure", result.is_ok() && case.scenes.used().len() > 1);
        count("kept", result.is_ok_and(|served| served.reusable));
        let failure = result.err();
        count("broken off", failure.is_some_and(|failure| failure.delivered));
        count("clean failure", failure.is_some_and(|failure| !failure.delivered));
        count("client's fault", failure.is_some_and(|failure| failure.fault() == Fault::Client));
        count("silent", failure.is_some_and(|failure| matches!(failure.cause, Cause::Silent { .. })));
        count("protocol", failure.is_some_and(|failure| matches!(failure.cause, Cause::Protocol(_))));
        count("cut", failure.is_some_and(|failure| failure.cause == Cause::Cut));
        count("body spent", failure.is_some_and(|failure| failure.body_spent));
        let first = case.scenes.used()[0].backend.borrow();
        count("upload in several packets", first.body.len() > 8186);
        count("unknown length to its end", case.client.framing == RequestBody::Unknown && first.body_end);
    }
    assert!(seen.values().all(|count| *count >= 5), "{seen:?}");
}
