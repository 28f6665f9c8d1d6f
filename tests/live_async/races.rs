//! Backends about as quick as the decision to wait, clients that vanish, restarts in between: nothing gets lost or mixed up.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Backend, Client, ConnectionLog, Httpd, Mpm, client, wait_until};
use crate::{builder, descriptors};

/// Requests of each client; more with `MODJK_LONG`.
fn rounds() -> usize {
    if std::env::var_os("MODJK_LONG").is_some() { 10_000 } else { 400 }
}

/// Clients at one time.
const CLIENTS: u64 = 6;
/// Threads of each process: more than there are clients. httpd's listener hands ready connections over in a ring with as many
/// places as there are threads, and a process that is told to end writes one more than is free when every thread has
/// been given a connection that it has not taken yet (seen in 2.4.71 with fewer threads than clients: one connection is then
/// served twice, another never).
const THREADS: u32 = 8;

/// A cheap source of numbers.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Answers with the request's own id after as many microseconds as the path says.
fn timed() -> Backend {
    Backend::scripted(|request, say| {
        let mut parts = request.uri.rsplit('/');
        let micros: u64 = parts.next().and_then(|last| last.parse().ok()).unwrap_or(0);
        if micros > 0 {
            std::thread::sleep(Duration::from_micros(micros));
        }
        let text = format!("{} {}", request.uri, "x".repeat(usize::try_from(micros).unwrap_or(0) * 3));
        say.respond(200, &[], text.as_bytes());
    })
}

/// What became of the requests.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicUsize,
    aborted: AtomicUsize,
    /// Sent again, because httpd had closed the kept connection they were sent on. It does so without this module too.
    repeated: AtomicUsize,
}

#[test]
fn ids_come_back() {
    for settings in ["JkAsyncDelay 0", "JkAsyncDelay 1"] {
        let mut backend = timed();
        let httpd =
            builder(Mpm::Event, &backend).threads_per_child(THREADS).servers(2).conf(settings).start();
        let (tally, stop) = (Tally::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let (httpd, backend, tally) = (&httpd, &backend, &tally);
                    scope.spawn(move || requests(httpd, backend, number, tally))
                })
                .collect();
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(400));
                    httpd.graceful();
                }
            });
            // Also when a client has failed, or the restarts would never end.
            let results: Vec<_> = clients.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
            stop.store(true, Ordering::Relaxed);
            for result in results {
                result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            }
        });
        println!("{settings}: {tally:?}");
        let Tally { answered, aborted, .. } = tally;
        let all = usize::try_from(CLIENTS).unwrap() * rounds();
        assert_eq!(answered.into_inner() + aborted.into_inner(), all);
        httpd.assert_clean_log(&[]);
        backend.forgive_errors();
    }
}

/// The requests of one client, of which every one that is not aborted is answered with its own id.
fn requests(httpd: &Httpd, backend: &Backend, number: u64, tally: &Tally) {
    let mut state = 0x1234_5678 + number * 0x9e37_79b9;
    let mut kept: Option<Client> = None;
    for round in 0..rounds() {
        let draw = next(&mut state);
        let micros = if draw.is_multiple_of(3) { 0 } else { draw / 3 % 3000 };
        let path = format!("/app/{number}/{round}/{micros}");
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        if draw % 16 == 7 {
            let mut client = kept.take().unwrap_or_else(|| Client::connect(httpd.port()));
            let _ = client.try_send(request);
            std::thread::sleep(Duration::from_micros(draw / 16 % 2000));
            client.reset();
            tally.aborted.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let mut ask = |mut client: Client| {
            client.try_send(&request)?;
            client.try_read_response_to("GET").map(|answer| (client, answer))
        };
        let first = kept.take().map(&mut ask);
        if matches!(first, Some(Err(_))) {
            tally.repeated.fetch_add(1, Ordering::Relaxed);
        }
        let (client, answer) = match first {
            Some(Ok(answered)) => answered,
            again => ask(Client::connect(httpd.port())).unwrap_or_else(|error| {
                let came = backend
                    .log()
                    .iter()
                    .flat_map(ConnectionLog::requests)
                    .filter(|it| it.uri == path)
                    .count();
                let how = if again.is_some() { "once more" } else { "for the first time" };
                panic!("{path}, sent {how}, came to the backend {came} times: {error}")
            }),
        };
        let wanted = format!("{path} {}", "x".repeat(usize::try_from(micros).unwrap() * 3));
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text() == wanted, "{path} got {:.60}", answer.text());
        tally.answered.fetch_add(1, Ordering::Relaxed);
        let stays = answer.header("Connection") != Some("close");
        kept = (!draw.is_multiple_of(5) && stays).then_some(client);
    }
}

#[test]
fn nothing_is_left_behind() {
    let mut backend = timed();
    let httpd = builder(Mpm::Event, &backend).conf("JkAsyncDelay 0").start();
    let load = || {
        std::thread::scope(|scope| {
            for number in 0..8_u64 {
                let httpd = &httpd;
                scope.spawn(move || {
                    let mut state = 77 + number;
                    for _ in 0..rounds() / 4 {
                        let micros = next(&mut state) % 4000;
                        let mut client = Client::connect(httpd.port());
                        client.send(format!(
                            "GET /app/{micros} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
                        ));
                        if micros.is_multiple_of(3) {
                            client.reset();
                        } else {
                            assert_eq!(client.read_response().status, 200);
                        }
                    }
                });
            }
        });
    };
    load();
    // Idle connections to the backend and eventfds are kept; their number has a limit and does not grow with the requests.
    let settled = |what: &str| {
        let mut last = usize::MAX;
        wait_until(what, || {
            std::thread::sleep(Duration::from_millis(100));
            let now = descriptors(&httpd);
            std::mem::replace(&mut last, now) == now
        });
        last
    };
    let first = settled("descriptors settle");
    load();
    load();
    let last = settled("descriptors settle again");
    assert!(last <= first + 16, "{first} descriptors, then {last}");
    assert_eq!(client::get(httpd.port(), "/app/0").status, 200);
    backend.forgive_errors();
}
