//! Counts of an AJP worker that only monitoring looks at: plain atomics like the rest of the shared record, and never reset
//! while the server runs.
//!
//! A request that is served costs six additions, five of them on two lines that nothing else uses.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::error::{Cause, Failure, Fault, Stage};
use crate::engine::exchange::LinkError;
use crate::engine::status::histogram::Histogram;
use crate::engine::status::view;

const RELAXED: Ordering = Ordering::Relaxed;

/// Counts for monitoring. Times of day are seconds since 1970, 0: never.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Stats {
    /// Failed attempts by cause, in the order of [`view::Cause::ALL`].
    pub errors: [AtomicU64; view::Cause::ALL.len()],
    /// When an attempt failed last.
    pub failed_at: AtomicU64,
    /// Its cause, by its place in [`view::Cause::ALL`].
    pub failed_cause: AtomicU64,
    /// Further attempts on the same worker.
    pub retries: AtomicU64,
    /// Requests that went on to another member.
    pub failovers: AtomicU64,
    /// Probes that were answered.
    pub probes_ok: AtomicU64,
    /// Probes that were not.
    pub probes_failed: AtomicU64,
    /// When it was probed last; the lowest bit of the time, shifted by one, says if it answered.
    pub probed_at: AtomicU64,
    /// How long that took, in microseconds.
    pub probe_micros: AtomicU64,
    /// Time to make a connection.
    pub connect: Histogram,
    /// Time from the request to the first octet of the response.
    pub first_byte: Histogram,
    /// Time from the request to the end of the response.
    pub total: Histogram,
    /// Reserved, zero.
    pub reserved: [AtomicU64; 5],
}

/// What counters of a worker were at the last reset.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Base {
    /// Requests.
    pub used: AtomicU64,
    /// Errors.
    pub errors: AtomicU64,
    /// Errors of clients.
    pub client_errors: AtomicU64,
    /// Octets to it.
    pub sent: AtomicU64,
    /// Octets from it.
    pub received: AtomicU64,
}

/// Copies one count.
fn copy(from: &AtomicU64, to: &AtomicU64) {
    to.store(from.load(RELAXED), RELAXED);
}

impl Base {
    /// Copies all counts.
    pub fn copy_to(&self, to: &Self) {
        let Self { used, errors, client_errors, sent, received } = self;
        copy(used, &to.used);
        copy(errors, &to.errors);
        copy(client_errors, &to.client_errors);
        copy(sent, &to.sent);
        copy(received, &to.received);
    }
}

impl Stats {
    /// A response was delivered: the microseconds it took from the request on. `total`: `None` for what is no ordinary response.
    pub fn served(&self, first_byte: Option<u64>, total: Option<u64>) {
        if let Some(micros) = first_byte {
            self.first_byte.record(micros);
        }
        if let Some(micros) = total {
            self.total.record(micros);
        }
    }

    /// Counts a failed attempt.
    pub fn failed(&self, failure: &Failure, now: u64) {
        let cause = cause(failure);
        let place = view::Cause::ALL.iter().position(|other| *other == cause).unwrap_or(0);
        if let Some(count) = self.errors.get(place) {
            count.fetch_add(1, RELAXED);
        }
        self.failed_cause.store(u64::try_from(place).unwrap_or(0), RELAXED);
        self.failed_at.store(now, RELAXED);
    }

    /// When an attempt failed last, and why.
    pub fn last_failure(&self) -> Option<(u64, view::Cause)> {
        let at = Some(self.failed_at.load(RELAXED)).filter(|at| *at > 0)?;
        let place = usize::try_from(self.failed_cause.load(RELAXED)).ok()?;
        Some((at, *view::Cause::ALL.get(place)?))
    }

    /// Counts a probe.
    pub fn probed(&self, ok: bool, took: Duration, now: u64) {
        let count = if ok { &self.probes_ok } else { &self.probes_failed };
        count.fetch_add(1, RELAXED);
        self.probe_micros.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), RELAXED);
        self.probed_at.store(now << 1 | u64::from(ok), RELAXED);
    }

    /// The last probe.
    pub fn last_probe(&self) -> Option<view::Probe> {
        let word = Some(self.probed_at.load(RELAXED)).filter(|word| *word > 0)?;
        let micros = self.probe_micros.load(RELAXED);
        Some(view::Probe { at: word >> 1, ok: word & 1 == 1, micros, detail: String::new() })
    }

    /// Copies all counts.
    pub fn copy_to(&self, to: &Self) {
        let Self {
            errors,
            failed_at,
            failed_cause,
            retries,
            failovers,
            probes_ok,
            probes_failed,
            probed_at,
            probe_micros,
            connect,
            first_byte,
            total,
            reserved,
        } = self;
        for (from, to) in errors.iter().zip(&to.errors).chain(reserved.iter().zip(&to.reserved)) {
            copy(from, to);
        }
        copy(failed_at, &to.failed_at);
        copy(failed_cause, &to.failed_cause);
        copy(retries, &to.retries);
        copy(failovers, &to.failovers);
        copy(probes_ok, &to.probes_ok);
        copy(probes_failed, &to.probes_failed);
        copy(probed_at, &to.probed_at);
        copy(probe_micros, &to.probe_micros);
        connect.copy_to(&to.connect);
        first_byte.copy_to(&to.first_byte);
        total.copy_to(&to.total);
    }
}

/// The kind of a failure as monitoring shows it.
pub fn cause(failure: &Failure) -> view::Cause {
    if failure.fault() == Fault::Client {
        return view::Cause::Client;
    }
    match failure.cause {
        Cause::PoolExhausted | Cause::Busy | Cause::QueueFull | Cause::QueueTime { .. } => view::Cause::Busy,
        Cause::FailStatus(_) => view::Cause::Status,
        Cause::Protocol(_) => view::Cause::Protocol,
        _ if failure.stage == Stage::Ping => view::Cause::Ping,
        _ if failure.stage <= Stage::Connect => view::Cause::Connect,
        Cause::Silent { .. } | Cause::Link(LinkError::TimedOut) => view::Cause::Timeout,
        _ => view::Cause::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_their_causes() {
        let early = |cause, stage| super::cause(&Failure::early(cause, stage));
        assert_eq!(early(Cause::Link(LinkError::Refused), Stage::Connect), view::Cause::Connect);
        assert_eq!(early(Cause::Silent { limit_ms: 1 }, Stage::Ping), view::Cause::Ping);
        assert_eq!(early(Cause::Silent { limit_ms: 1 }, Stage::Wait), view::Cause::Timeout);
        assert_eq!(early(Cause::Cut, Stage::Body), view::Cause::Broken);
        assert_eq!(early(Cause::FailStatus(500), Stage::Wait), view::Cause::Status);
        assert_eq!(early(Cause::QueueFull, Stage::Acquire), view::Cause::Busy);
    }

    #[test]
    fn a_copy_has_everything() {
        let (from, to) = (Stats::default(), Stats::default());
        from.failed(&Failure::early(Cause::Cut, Stage::Body), 77);
        from.probed(true, Duration::from_micros(5), 99);
        from.total.record(10);
        from.copy_to(&to);
        assert_eq!(to.last_failure(), Some((77, view::Cause::Broken)));
        let probe = to.last_probe().unwrap();
        assert_eq!((probe.at, probe.ok, probe.micros), (99, true, 5));
        assert_eq!(to.total.snapshot(), from.total.snapshot());
    }
}
