//! The addresses of one backend over time.
//!
//! mod_jk asked the resolver once, at start, and a backend that moved was lost until a restart. Here the resolver is
//! asked again when it failed before or when no address could be connected to, but not more often than a given interval,
//! by one thread at a time and without holding a lock meanwhile: the other threads go on with what is known.

use std::time::Duration;

use parking_lot::Mutex;

use super::address::{Addresses, Endpoint, Lookup, ResolveError, resolve_with, system_lookup};
use crate::engine::units::Tick;

/// A backend's endpoint with its current addresses.
#[derive(Debug)]
pub struct Peer {
    endpoint: Endpoint,
    interval: Duration,
    lookup: Lookup,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    known: Result<Addresses, ResolveError>,
    /// When the resolver was asked last.
    asked: Tick,
    /// All known addresses failed since.
    stale: bool,
}

impl Peer {
    /// Resolves the endpoint now; failing is no reason not to start, it is tried again later. `interval` is the least
    /// time between two questions to the resolver.
    pub fn new(endpoint: Endpoint, interval: Duration, now: Tick) -> Self {
        Self::with_lookup(endpoint, interval, now, system_lookup)
    }

    /// [`Peer::new`] with another resolver.
    pub fn with_lookup(endpoint: Endpoint, interval: Duration, now: Tick, lookup: Lookup) -> Self {
        let known = resolve_with(&endpoint, lookup);
        Self { endpoint, interval, lookup, state: Mutex::new(State { known, asked: now, stale: false }) }
    }

    /// What was configured.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The addresses known now, without asking anybody.
    ///
    /// # Errors
    /// The last question to the resolver failed.
    pub fn known(&self) -> Result<Addresses, ResolveError> {
        self.state.lock().known.clone()
    }

    /// The addresses to connect to. Asks the resolver (which may block) if they failed and the interval has passed.
    ///
    /// # Errors
    /// There is no address and either it is too early to ask again or the resolver failed again.
    pub fn addresses(&self, now: Tick) -> Result<Addresses, ResolveError> {
        {
            let mut state = self.state.lock();
            let wanted = state.stale || state.known.is_err();
            if !wanted || now.since(state.asked) < self.interval {
                return state.known.clone();
            }
            // Claimed: whoever comes while this thread asks finds it too early.
            state.asked = now;
        }
        let answer = resolve_with(&self.endpoint, self.lookup);
        let mut state = self.state.lock();
        state.stale = false;
        match (&state.known, answer) {
            // The old list remembers which address works.
            (Ok(old), Ok(new)) if old.same_places(&new) => {}
            // Old addresses may come back to life; no address never does.
            (Ok(_), Err(_)) => state.stale = true,
            (_, answer) => state.known = answer,
        }
        state.known.clone()
    }

    /// Tells that none of `tried` could be connected to.
    pub fn all_failed(&self, tried: &Addresses) {
        let mut state = self.state.lock();
        // Not if the list was replaced since.
        if state.known.as_ref().is_ok_and(|known| known.same_places(tried)) {
            state.stale = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::net::SocketAddr;

    thread_local! {
        /// How often the resolver was asked in this test.
        static ASKED: Cell<u8> = const { Cell::new(0) };
    }

    /// Fails at the first question, then answers 127.0.0.2, 127.0.0.2, 127.0.0.4, failure, 127.0.0.6.
    fn scripted(_: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let question = ASKED.get() + 1;
        ASKED.set(question);
        match question {
            1 | 5 => Err(std::io::Error::other("down")),
            3 => Ok(vec![SocketAddr::from(([127, 0, 0, 2], port))]),
            last => Ok(vec![SocketAddr::from(([127, 0, 0, last], port))]),
        }
    }

    fn label(result: Result<Addresses, ResolveError>) -> String {
        result.map_or_else(|e| e.to_string(), |a| a.to_string())
    }

    #[test]
    fn the_resolver_is_asked_again_after_failure_but_not_too_often() {
        let second = |n: u64| Tick(n * 1_000_000);
        let endpoint = Endpoint::Tcp { host: "app".into(), port: 1, prefer_ipv6: false };
        let peer = Peer::with_lookup(endpoint, Duration::from_secs(10), second(100), scripted);
        assert_eq!(label(peer.known()), "down");
        assert_eq!(label(peer.addresses(second(109))), "down");
        assert_eq!(ASKED.get(), 1, "too early");
        assert_eq!(label(peer.addresses(second(110))), "127.0.0.2:1");

        let good = peer.addresses(second(500)).unwrap();
        assert_eq!(ASKED.get(), 2, "good addresses are kept for ever");
        peer.all_failed(&good);
        assert_eq!(label(peer.addresses(second(119))), "127.0.0.2:1");
        assert_eq!(ASKED.get(), 2, "too early");
        let same = peer.addresses(second(120)).unwrap();
        assert_eq!(ASKED.get(), 3);
        same.worked(0);

        peer.all_failed(&same);
        assert_eq!(label(peer.addresses(second(130))), "127.0.0.4:1");
        peer.all_failed(&same);
        assert_eq!(label(peer.addresses(second(999))), "127.0.0.4:1");
        assert_eq!(ASKED.get(), 4, "an outdated complaint does not count");

        let moved = peer.addresses(second(999)).unwrap();
        peer.all_failed(&moved);
        assert_eq!(label(peer.addresses(second(1000))), "127.0.0.4:1", "an old address beats none");
        assert_eq!(ASKED.get(), 5);
        assert_eq!(label(peer.addresses(second(1010))), "127.0.0.6:1", "and is still in doubt");
    }
}
