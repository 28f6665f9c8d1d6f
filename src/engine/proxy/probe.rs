//! Asks an HTTP backend whether it is alive, on a connection that carries nothing else meanwhile: the driver of
//! [`http1::probe`](crate::engine::http1::probe), as [`ping`](super::ping::ping) is of CPing.

use std::time::Duration;

use crate::engine::error::Cause;
use crate::engine::exchange::{Link, LinkError};
use crate::engine::http1::probe::{Probe, Verdict};
use crate::engine::units::Tick;

/// Octets read at once; most answers to a probe are smaller.
const PORTION: usize = 2048;

/// A backend's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// The status is one of those that were wanted.
    pub good: bool,
    /// The connection may carry an exchange.
    pub reusable: bool,
}

/// Sends `request` and waits for the answer, at most `timeout` in all. `input` is room for the answer; what it holds is lost.
///
/// # Errors
/// The backend did not answer in time, or not in HTTP; the connection must be closed. A status that is not wanted is no
/// error.
pub fn probe<L: Link>(
    link: &mut L,
    request: &[u8],
    probe: &mut Probe,
    input: &mut Vec<u8>,
    timeout: Duration,
    now: impl Fn() -> Tick,
) -> Result<Answer, Cause> {
    let begun = now();
    let silent = || Cause::Silent { limit_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX) };
    let left = || timeout.checked_sub(now().since(begun)).filter(|left| !left.is_zero()).ok_or_else(silent);
    let mut unsent = request;
    while !unsent.is_empty() {
        match link.send(&[unsent]) {
            Ok(0) => link.wait(true, None, left()?).map_err(Cause::Link)?,
            Ok(n) => unsent = unsent.get(n..).unwrap_or_default(),
            Err(error) => return Err(Cause::Link(error)),
        }
    }
    input.clear();
    loop {
        let filled = input.len();
        input.resize(filled + PORTION, 0);
        let received = link.recv_blocking(input.get_mut(filled..).unwrap_or_default(), Some(left()?));
        let verdict = match received {
            Ok(n) => {
                input.truncate(filled + n);
                let (used, verdict) =
                    probe.feed(input).map_err(|malformed| Cause::Protocol(malformed.into()))?;
                input.drain(..used);
                verdict
            }
            Err(LinkError::TimedOut) => return Err(silent()),
            Err(LinkError::Closed) if probe.begun() => probe.closed().ok_or(Cause::Cut)?,
            Err(error) => return Err(Cause::Link(error)),
        };
        if let Verdict::Answer { status, good, reusable } = verdict {
            return Ok(Answer { status, good, reusable });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::engine::exchange::Received;
    use crate::engine::http1::probe::Statuses;
    use crate::engine::http1::{Limits, Malformed};

    /// Answers with portions, each a millisecond after the one before; then as `end` says.
    struct Script<'c> {
        portions: Vec<&'static str>,
        end: LinkError,
        sent: Vec<u8>,
        clock: &'c Cell<u64>,
    }

    impl Link for Script<'_> {
        fn send(&mut self, parts: &[&[u8]]) -> Result<usize, LinkError> {
            let part = parts.first().copied().unwrap_or_default();
            self.sent.extend_from_slice(&part[..part.len().min(7)]);
            Ok(part.len().min(7))
        }

        fn recv(&mut self, _: &mut [u8]) -> Result<Received, LinkError> {
            unreachable!("a probe waits")
        }

        fn recv_blocking(
            &mut self,
            buffer: &mut [u8],
            timeout: Option<Duration>,
        ) -> Result<usize, LinkError> {
            self.clock.set(self.clock.get() + 1000);
            if timeout.unwrap() < Duration::from_millis(1) {
                return Err(LinkError::TimedOut);
            }
            if self.portions.is_empty() {
                return Err(self.end);
            }
            let portion = self.portions.remove(0).as_bytes();
            buffer[..portion.len()].copy_from_slice(portion);
            Ok(portion.len())
        }

        fn wait(&mut self, _: bool, _: Option<i32>, _: Duration) -> Result<(), LinkError> {
            unreachable!("takes something each time")
        }
    }

    fn ask(portions: &[&'static str], end: LinkError) -> Result<Answer, Cause> {
        let clock = Cell::new(0);
        let mut link = Script { portions: portions.to_vec(), end, sent: vec![], clock: &clock };
        let mut machine = Probe::new(Limits::default(), false, Statuses::SERVING);
        let request = b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut input = b"old".to_vec();
        let timeout = Duration::from_millis(20);
        let answer = probe(&mut link, request, &mut machine, &mut input, timeout, || Tick(clock.get()));
        assert_eq!(link.sent, request);
        answer
    }

    #[test]
    fn an_answer_is_put_together() {
        let good = Answer { status: 200, good: true, reusable: true };
        let portions = ["HTTP/1.1 2", "00 OK\r\nContent-Length: 2\r", "\n\r\nh", "i"];
        assert_eq!(ask(&portions, LinkError::Closed), Ok(good));
        let bad = Answer { status: 503, good: false, reusable: false };
        assert_eq!(ask(&["HTTP/1.1 503 No\r\n\r\nno"], LinkError::Closed), Ok(bad));
    }

    #[test]
    fn everything_else_is_a_failure() {
        let silent = Cause::Silent { limit_ms: 20 };
        assert_eq!(ask(&[], LinkError::TimedOut), Err(silent));
        assert_eq!(ask(&[], LinkError::Closed), Err(Cause::Link(LinkError::Closed)));
        assert_eq!(ask(&["HTTP/1.1 2"], LinkError::Closed), Err(Cause::Cut));
        assert_eq!(ask(&["HTTP/1.1 2"], LinkError::Reset), Err(Cause::Link(LinkError::Reset)));
        let broken = Cause::Protocol(Malformed::NotHttp(*b"AB\0\x01\x09").into());
        assert_eq!(ask(&["AB\0\x01\x09"], LinkError::Closed), Err(broken));
        // A backend that drips octets is given the time of one answer, not of many.
        assert_eq!(
            ask(&["H"; 100], LinkError::Closed),
            Err(Cause::Protocol(Malformed::NotHttp(*b"HHHHH").into()))
        );
        let drip: Vec<_> = std::iter::once("HTTP/1.1 200 ").chain(["x"; 100]).collect();
        assert_eq!(ask(&drip, LinkError::Closed), Err(silent));
    }
}
