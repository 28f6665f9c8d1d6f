//! Backends about as quick as the decision to wait, clients that vanish, restarts in between: nothing gets lost or mixed up.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::httpd::Builder;
use crate::support::{Backend, Client, ConnectionLog, Httpd, Mpm, client, wait_until};
use crate::{builder, descriptors};

/// Requests of each client; more with `MODJK_LONG`.
fn rounds() -> usize {
    if std::env::var_os("MODJK_LONG").is_some() { 10_000 } else { 400 }
}

/// Clients at one time.
const CLIENTS: u64 = 6;
/// Threads of each process: more than there are clients of any test in here. httpd's listener hands ready connections over in a ring with as many
/// places as there are threads, and a process that is told to end writes one more than is free when every thread has
/// been given a connection that it has not taken yet (seen in 2.4.71 with fewer threads than clients: one connection is then
/// served twice, another never).
const THREADS: u32 = 10;

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

/// Descriptors that may be open beyond those that were after the warm-up: connections to the backend that are kept, eventfds.
const MORE_DESCRIPTORS: usize = 16;
/// Resident memory of each child that may be in use beyond that, KiB: what the allocator keeps for threads differs.
const MORE_MEMORY: usize = 4096;

/// httpd in front of `backend`, with a status worker that knows how many requests are put aside.
fn watched(backend: &Backend) -> Builder {
    builder(Mpm::Event, backend)
        .threads_per_child(THREADS)
        .workers("worker.list=st\nworker.st.type=status")
        .conf("JkMount /st/* st")
}

/// What the children have when nobody wants anything of them.
#[derive(Debug)]
struct Quiet {
    descriptors: usize,
    /// KiB of each child in the middle.
    memory: usize,
}

impl Quiet {
    /// Once no request is put aside, `children` are left and all connections of clients are gone.
    fn of(httpd: &Httpd, children: usize) -> Self {
        wait_until("nothing is put aside any more", || {
            let metrics = client::get(httpd.port(), "/st/metrics").text();
            metrics.lines().any(|line| line == "jk_parked 0")
        });
        wait_until("the children of former generations end", || httpd.child_pids().len() == children);
        let mut last = usize::MAX;
        wait_until("descriptors settle", || {
            std::thread::sleep(Duration::from_millis(100));
            let now = descriptors(httpd);
            std::mem::replace(&mut last, now) == now
        });
        let resident = |pid: u32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
            line.split_whitespace().next().and_then(|kib| kib.parse::<usize>().ok()).unwrap_or(0)
        };
        let memory = httpd.child_pids().into_iter().map(resident).sum::<usize>() / children;
        assert!(memory > 0, "no VmRSS");
        Self { descriptors: last, memory }
    }

    /// Not more than there was at `first`, but for what is kept for later.
    #[track_caller]
    fn assert_as(&self, first: &Self) {
        println!("first {first:?}, last {self:?}");
        assert!(self.descriptors <= first.descriptors + MORE_DESCRIPTORS, "{first:?}, then {self:?}");
        assert!(self.memory <= first.memory + MORE_MEMORY, "{first:?}, then {self:?}");
    }
}

#[test]
fn ids_come_back() {
    let warm_up = rounds() / 10;
    for settings in ["JkAsyncDelay 0", "JkAsyncDelay 1"] {
        let mut backend = timed();
        let httpd = watched(&backend).servers(2).conf(settings).start();
        let tally = Tally::default();
        crowd(&httpd, &backend, &tally, warm_up, false);
        let first = Quiet::of(&httpd, 2);
        crowd(&httpd, &backend, &tally, rounds(), true);
        // The children are new.
        crowd(&httpd, &backend, &tally, warm_up, false);
        Quiet::of(&httpd, 2).assert_as(&first);
        println!("{settings}: {tally:?}");
        let Tally { answered, aborted, .. } = tally;
        let all = usize::try_from(CLIENTS).unwrap() * (rounds() + 2 * warm_up);
        assert_eq!(answered.into_inner() + aborted.into_inner(), all);
        httpd.assert_clean_log(&[]);
        backend.forgive_errors();
    }
}

/// All clients, each with so many requests; meanwhile httpd is restarted again and again, or is not.
fn crowd(httpd: &Httpd, backend: &Backend, tally: &Tally, rounds: usize, restarts: bool) {
    let stop = AtomicBool::new(!restarts);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || requests(httpd, backend, number, rounds, tally)))
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
}

/// The requests of one client, of which every one that is not aborted is answered with its own id.
fn requests(httpd: &Httpd, backend: &Backend, number: u64, rounds: usize, tally: &Tally) {
    let mut state = 0x1234_5678 + number * 0x9e37_79b9;
    let mut kept: Option<Client> = None;
    for round in 0..rounds {
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
    let httpd = watched(&backend).conf("JkAsyncDelay 0").start();
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
    let first = Quiet::of(&httpd, 1);
    load();
    load();
    Quiet::of(&httpd, 1).assert_as(&first);
    assert_eq!(client::get(httpd.port(), "/app/0").status, 200);
    backend.forgive_errors();
}
