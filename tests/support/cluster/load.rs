//! Browsers that click without pause while something happens to the nodes, and what each of them saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::client::{Client, Response};
use crate::support::httpd::Httpd;

/// Pause of a browser between two clicks; keeps the load small.
const PAUSE: Duration = Duration::from_millis(4);

/// One click.
#[derive(Debug, Clone)]
pub struct Hit {
    /// Status; 0 when there was no complete answer.
    pub status: u16,
    /// The node that answered, if one did.
    pub node: Option<String>,
    /// The counter in the session.
    pub count: Option<u32>,
    /// Time to the whole answer, with the connection to httpd.
    pub took: Duration,
}

/// Browsers at work; each has a session of its own.
pub struct Load {
    ended: Arc<AtomicBool>,
    hits: Arc<AtomicUsize>,
    browsers: Vec<JoinHandle<Vec<Hit>>>,
}

impl Load {
    /// `count` browsers that click at `path` until [`Load::end`].
    pub fn start(httpd: &Httpd, path: &str, count: usize) -> Self {
        let (ended, hits) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let browser = |_| {
            let (ended, hits) = (Arc::clone(&ended), Arc::clone(&hits));
            let (port, path) = (httpd.port(), path.to_owned());
            std::thread::spawn(move || {
                let (mut seen, mut cookie) = (Vec::new(), String::from("theme=dark"));
                while !ended.load(Ordering::Relaxed) {
                    seen.push(click(port, &path, &mut cookie));
                    hits.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(PAUSE);
                }
                seen
            })
        };
        let browsers = (0..count).map(browser).collect();
        Self { ended, hits, browsers }
    }

    /// Waits for so many more clicks of all browsers together.
    #[track_caller]
    pub fn await_hits(&self, more: usize) {
        let wanted = self.hits.load(Ordering::Relaxed) + more;
        super::super::wait_until("clicks", || self.hits.load(Ordering::Relaxed) >= wanted);
    }

    /// Ends the clicking; what each browser saw, in order.
    pub fn end(self) -> Vec<Vec<Hit>> {
        self.ended.store(true, Ordering::Relaxed);
        self.browsers.into_iter().map(|browser| browser.join().expect("a browser")).collect()
    }
}

fn click(port: u16, path: &str, cookie: &mut String) -> Hit {
    let begun = Instant::now();
    let answer = ask(port, path, cookie);
    let took = begun.elapsed();
    let Some(response) = answer else { return Hit { status: 0, node: None, count: None, took } };
    if let Some(set) = response.header("Set-Cookie") {
        *cookie = set.split(';').next().unwrap_or_default().to_owned();
    }
    let count = response.fact("count").and_then(|count| count.parse().ok());
    Hit { status: response.status, node: response.fact("node"), count, took }
}

fn ask(port: u16, path: &str, cookie: &str) -> Option<Response> {
    let mut client = Client::connect(port);
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
    client.try_send(head).ok()?;
    client.try_read_response_to("GET").ok()
}

/// Fails unless every click was answered with 200 and every session went on: each count is one more than the one before. Where
/// the answers of two clicks come from different nodes, `repeated` more are allowed: the node may have counted and died before it
/// answered, and the request was repeated at the other.
#[track_caller]
pub fn assert_sessions_went_on(browsers: &[Vec<Hit>], repeated: u32) {
    for hits in browsers {
        for (index, pair) in hits.windows(2).enumerate() {
            let [before, after] = pair else { unreachable!() };
            assert_eq!(after.status, 200, "click {}: {after:?} after {before:?}", index + 1);
            let moved = before.node != after.node;
            let step = after.count.expect("a count")
                - before.count.expect("a count").min(after.count.expect("a count"));
            let allowed = if moved { 1 + repeated } else { 1 };
            assert!((1..=allowed).contains(&step), "click {}: {before:?} then {after:?}", index + 1);
        }
    }
}

/// The longest any click took.
pub fn slowest(browsers: &[Vec<Hit>]) -> Duration {
    browsers.iter().flatten().map(|hit| hit.took).max().unwrap_or_default()
}
