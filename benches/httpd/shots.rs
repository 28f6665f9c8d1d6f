//! Load of which each request is remembered: when it was sent, how long it took, which node answered, whether it failed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::load::{Client, Work};

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Shot {
    /// Since the beginning.
    pub(crate) sent: Duration,
    pub(crate) took: Duration,
    /// What was answered (`/node`: the name of the node), or what went wrong.
    pub(crate) result: Result<String, String>,
}

impl Shot {
    pub(crate) fn ended(&self) -> Duration {
        self.sent + self.took
    }
}

/// How fast requests follow each other.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// So many in a second, whatever becomes of them (as long as a client is free).
    PerSecond(f64),
    /// The next one when the answer to the last one has come.
    Closed,
}

/// `clients` clients send for `time`; `meanwhile` runs beside them and gets the moment they began.
pub(crate) fn run(
    port: u16,
    work: &Work,
    clients: usize,
    pace: Pace,
    time: Duration,
    meanwhile: impl FnOnce(Instant),
) -> Vec<Shot> {
    let turn = AtomicUsize::new(0);
    // Connections are opened, and every client has been served, before the time begins.
    let mut ready: Vec<Client> = (0..clients).map(|_| Client::connect(port)).collect();
    ready.iter_mut().for_each(|client| client.one(work));
    let start = Instant::now();
    let mut shots: Vec<Shot> = std::thread::scope(|scope| {
        let turn = &turn;
        let threads: Vec<_> = ready
            .into_iter()
            .map(|mut client| {
                scope.spawn(move || {
                    let mut shots = Vec::new();
                    loop {
                        if let Pace::PerSecond(rate) = pace {
                            let number = turn.fetch_add(1, Ordering::Relaxed);
                            let due = start + Duration::from_secs_f64(number as f64 / rate);
                            if due >= start + time {
                                break;
                            }
                            std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        }
                        let sent = start.elapsed();
                        if sent >= time {
                            break;
                        }
                        let result = client.attempt(work);
                        let took = start.elapsed() - sent;
                        let result = result.map(|()| client.text()).map_err(|error| error.to_string());
                        shots.push(Shot { sent, took, result });
                    }
                    shots
                })
            })
            .collect();
        meanwhile(start);
        threads.into_iter().flat_map(|thread| thread.join().expect("client")).collect()
    });
    shots.sort_by_key(|shot| shot.sent);
    shots
}

/// Requests of which the answer came in this time, per second.
pub(crate) fn rate(shots: &[Shot], from: Duration, to: Duration) -> f64 {
    let served = shots.iter().filter(|shot| shot.result.is_ok() && (from..to).contains(&shot.ended()));
    served.count() as f64 / (to - from).as_secs_f64()
}

/// Those that failed.
pub(crate) fn failed(shots: &[Shot]) -> usize {
    shots.iter().filter(|shot| shot.result.is_err()).count()
}

/// Sleeps until so long after `start`.
pub(crate) fn at(start: Instant, time: Duration) {
    std::thread::sleep((start + time).saturating_duration_since(Instant::now()));
}
