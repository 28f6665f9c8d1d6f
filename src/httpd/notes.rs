//! What access logs are told about a forwarded request: notes with attempts, times and failure, and items for `LogFormat`
//! that fit into JSON.
//!
//! Notes that cost something are made only when a directive names one of them, or when there are modules that run scripts,
//! which may read any note. Times are whole microseconds: `JK_QUEUE_US` in the queues of balancer, worker and connection
//! pool; `JK_CONNECT_US` for opening connections; `JK_FIRST_BYTE_US` from the handler's begin to the head of the answer;
//! `JK_TOTAL_US` to its end. `JK_ATTEMPTS`: attempts on all members. `JK_FAILURE`: the number of the message about the failure
//! that the client was told of.

use std::ffi::CStr;
use std::time::Duration;

use super::host::HttpdHost;
use super::messages;
use crate::engine::error::Failure;
use crate::engine::proxy::Served;
use crate::engine::text::{Decimal, json};
use crate::engine::units::Tick;
use crate::ffi::pool::Text;
use crate::ffi::request::Request;
use crate::ffi::server::Directive;
use crate::transport::clock;

/// Which notes somebody may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// `JK_LB_...` and `JK_DECISION`.
    pub members: bool,
    /// Attempts and times.
    pub times: bool,
}

/// Names of attempts and times.
const TIMES: [&CStr; 5] =
    [c"JK_ATTEMPTS", c"JK_QUEUE_US", c"JK_CONNECT_US", c"JK_TOTAL_US", c"JK_FIRST_BYTE_US"];
/// How directives begin whose modules run scripts.
const SCRIPTS: [&str; 3] = ["lua", "perl", "python"];

impl Wanted {
    /// What these directives can read.
    pub fn by(directives: &[Directive]) -> Self {
        let scripts = directives.iter().any(|directive| {
            let name = directive.name.to_ascii_lowercase();
            SCRIPTS.iter().any(|start| name.starts_with(start))
        });
        let named = |name: &str| directives.iter().any(|directive| directive.arguments.contains(name));
        Self {
            members: scripts || named("JK_LB_") || named("JK_DECISION"),
            times: scripts || TIMES.iter().any(|name| name.to_str().is_ok_and(named)),
        }
    }
}

/// What is known of a request's times while it runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// Spent in queues.
    pub queue: Duration,
    /// Spent on opening connections.
    pub connect: Duration,
    /// When the head of the last answer was there.
    pub head_at: Option<Tick>,
    /// Attempts on all members.
    pub attempts: u32,
}

impl Times {
    /// Attempts have ended on a worker.
    pub fn tried(&mut self, attempts: u32, head_at: Option<Tick>) {
        self.attempts += attempts;
        self.head_at = head_at.or(self.head_at);
    }
}

/// The notes at the end of a request.
pub(super) fn finish(host: &HttpdHost<'_>, begun: Tick, result: &Result<Served, Failure>) {
    let request = host.request();
    let ended = result.as_ref().map_or_else(|_| clock::now(), |served| served.ended);
    let total = ended.micros_since(begun);
    // Seconds, a dot, six digits. Nobody has set it before.
    request.add_note(c"JK_REQUEST_DURATION", request.pool().text(Decimal::seconds(total).as_bytes()));
    if let Err(failure) = result {
        request.note(c"JK_FAILURE", request.pool().text(messages::of_failure(failure).id.as_bytes()));
    }
    if host.live().notes.times {
        let Times { queue, connect, head_at, attempts } = host.times;
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let first = head_at.map_or(0, |at| at.micros_since(begun));
        let values = request.pool().decimals([attempts.into(), micros(queue), micros(connect), total, first]);
        let known = if head_at.is_some() { TIMES.len() } else { TIMES.len() - 1 };
        for (name, value) in TIMES.into_iter().zip(values).take(known) {
            request.add_note(name, value);
        }
    }
}

/// An item of `LogFormat`, `%{what}^jk`: text that may stand between the quotes of a JSON string, and numbers or `null`.
///
/// `url`: path and query as the client sent them; `request`: the request line; `header:Name`: a request header;
/// `number:NOTE`: a note that is a number; anything else is the name of a note. Of internal redirects, the request that
/// has the note counts.
pub(super) fn log_item<'r>(request: Request<'r>, what: &[u8]) -> Option<Text<'r>> {
    let first = std::iter::successors(Some(request), |it| it.previous()).last().unwrap_or(request);
    let noted = |name: &[u8]| {
        let name = request.pool().copy(name);
        std::iter::successors(Some(request), |it| it.previous()).find_map(|it| it.noted(name))
    };
    if let Some(name) = what.strip_prefix(b"number:") {
        let value = noted(name).filter(|value| is_number(value));
        return Some(value.map_or_else(|| c"null".into(), |value| request.pool().text(value)));
    }
    let value = match what {
        b"url" => Some(first.unparsed_uri()),
        b"request" => Some(first.received_line()),
        _ => match what.strip_prefix(b"header:") {
            Some(name) => first.headers().and_then(|headers| headers.get(request.pool().copy(name))),
            None => noted(what),
        },
    };
    value.map(|value| request.pool().text(json(value).as_bytes()))
}

/// Digits, and perhaps a point and digits behind them.
fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    match memchr::memchr(b'.', text) {
        None => digits(text),
        Some(at) => text
            .split_at_checked(at)
            .is_some_and(|(whole, rest)| digits(whole) && rest.get(1..).is_some_and(digits)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, arguments: &str) -> Wanted {
        let directive = Directive { sections: vec![], name: name.into(), arguments: arguments.into() };
        Wanted::by(&[directive])
    }

    #[test]
    fn notes_are_made_for_those_who_can_read_them() {
        let none = Wanted::default();
        assert_eq!(wanted("LogFormat", "\"%h %{JK_WORKER_NAME}n\" x"), none);
        assert_eq!(wanted("LogFormat", "\"%{JK_LB_LAST_NAME}n\" x"), Wanted { members: true, ..none });
        assert_eq!(wanted("LogFormat", "\"%{JK_DECISION}^jk\" x"), Wanted { members: true, ..none });
        assert_eq!(wanted("CustomLog", "log \"%{JK_QUEUE_US}n\""), Wanted { times: true, ..none });
        let all = Wanted { members: true, times: true };
        assert_eq!(wanted("LuaHookLog", "x.lua f"), all);
        assert_eq!(wanted("PerlLogHandler", "My::Log"), all);
    }

    #[test]
    fn numbers_of_json() {
        for good in [&b"0"[..], b"17", b"0.001334"] {
            assert!(is_number(good), "{good:?}");
        }
        for bad in [&b""[..], b"-", b"1.", b".5", b"1e5", b"1.2.3", b"x"] {
            assert!(!is_number(bad), "{bad:?}");
        }
    }
}
