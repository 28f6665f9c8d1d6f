//! The table: cause, stage and method against policy.

use super::*;
use crate::engine::ajp::forward::Field;
use crate::engine::ajp::{EncodeError, Malformed};

const DEFAULT: RetryPolicy =
    RetryPolicy { explicit: false, not_after_request: false, always_head: false, always_get: false };
const EXPLICIT: RetryPolicy = RetryPolicy { explicit: true, ..DEFAULT };
const NOT_AFTER: RetryPolicy = RetryPolicy { explicit: true, not_after_request: true, ..DEFAULT };
const NOT_AFTER_BUT_GET: RetryPolicy = RetryPolicy { always_get: true, ..NOT_AFTER };
const NOT_AFTER_BUT_HEAD: RetryPolicy = RetryPolicy { always_head: true, ..NOT_AFTER };

const CLOSED: Cause = Cause::Link(LinkError::Closed);
const RESET: Cause = Cause::Link(LinkError::Reset);
const TIMED_OUT: Cause = Cause::Link(LinkError::TimedOut);
const SILENT: Cause = Cause::Silent { limit_ms: 5 };
const BROKEN: Cause = Cause::Protocol(Breach::Ajp(Malformed::SecondHead));

/// What had happened before.
#[derive(Debug, Clone, Copy)]
enum Had {
    Nothing,
    Sent,
    Replied,
    Spent,
    Delivered,
}

fn failure(cause: Cause, stage: Stage, had: Had) -> Failure {
    Failure {
        sent: !matches!(had, Had::Nothing),
        replied: matches!(had, Had::Replied | Had::Spent | Had::Delivered),
        body_spent: matches!(had, Had::Spent),
        delivered: matches!(had, Had::Delivered),
        ..Failure::early(cause, stage)
    }
}

#[test]
fn outcomes() {
    use Had::{Delivered, Nothing, Replied, Sent, Spent};
    use Stage::{Acquire, Body, Connect, Ping, Prepare, Send, Wait};
    // Repeated: GET and POST by default; POST when recovery_options is set; GET under bit 1. Then the client's status.
    let rows = [
        (Cause::Encode(Unsendable::Ajp(EncodeError::BadMethod)), Prepare, Nothing, [false; 4], Some(400)),
        (
            Cause::Encode(Unsendable::Ajp(EncodeError::TooLarge { needed: 9000, limit: 8192 })),
            Prepare,
            Nothing,
            [false; 4],
            Some(431),
        ),
        (Cause::Encode(Unsendable::Ajp(EncodeError::UnknownCoding)), Prepare, Nothing, [false; 4], Some(501)),
        (
            Cause::Encode(Unsendable::Ajp(EncodeError::BadValue(Field::Secret))),
            Prepare,
            Nothing,
            [false; 4],
            Some(500),
        ),
        (Cause::PoolExhausted, Acquire, Nothing, [false; 4], Some(503)),
        (Cause::Link(LinkError::Refused), Connect, Nothing, [true; 4], Some(503)),
        (TIMED_OUT, Connect, Nothing, [true; 4], Some(503)),
        (Cause::Link(LinkError::NoAddress), Connect, Nothing, [true; 4], Some(503)),
        (Cause::Link(LinkError::Os(113)), Connect, Nothing, [true; 4], Some(503)),
        (SILENT, Ping, Nothing, [true; 4], Some(503)),
        (CLOSED, Ping, Nothing, [true; 4], Some(503)),
        (BROKEN, Ping, Nothing, [true; 4], Some(503)),
        (Cause::Cut, Ping, Nothing, [true; 4], Some(503)),
        (RESET, Send, Nothing, [true; 4], Some(503)),
        (RESET, Send, Sent, [true, false, true, false], Some(503)),
        (RESET, Send, Replied, [true, false, true, false], Some(502)),
        (TIMED_OUT, Send, Sent, [true, false, true, false], Some(504)),
        (CLOSED, Wait, Sent, [true, false, true, false], Some(502)),
        (RESET, Wait, Sent, [true, false, true, false], Some(502)),
        (SILENT, Wait, Sent, [true, false, true, false], Some(504)),
        (Cause::Cut, Wait, Replied, [true, false, true, false], Some(502)),
        (BROKEN, Wait, Replied, [false, false, true, false], Some(502)),
        (Cause::FailStatus(503), Wait, Replied, [true, false, true, false], Some(503)),
        (CLOSED, Wait, Spent, [false; 4], Some(502)),
        (SILENT, Wait, Spent, [false; 4], Some(504)),
        (Cause::Cut, Body, Replied, [false; 4], Some(502)),
        (SILENT, Body, Replied, [false; 4], Some(504)),
        (BROKEN, Body, Replied, [false; 4], Some(502)),
        (RESET, Body, Delivered, [false; 4], Some(502)),
        (Cause::Client(ClientFault::Body(413)), Send, Nothing, [false; 4], Some(413)),
        (Cause::Client(ClientFault::Body(408)), Wait, Spent, [false; 4], Some(408)),
        (Cause::Client(ClientFault::Gone), Send, Nothing, [false; 4], None),
        (Cause::Client(ClientFault::Gone), Body, Delivered, [false; 4], None),
        (Cause::Client(ClientFault::Answered), Wait, Spent, [false; 4], None),
        (Cause::Cut, Body, Delivered, [false; 4], Some(502)),
    ];
    for (cause, stage, had, again, status) in rows {
        let failure = failure(cause, stage, had);
        let retries = [
            failure.may_retry(b"GET", DEFAULT),
            failure.may_retry(b"POST", DEFAULT),
            failure.may_retry(b"POST", EXPLICIT),
            failure.may_retry(b"GET", NOT_AFTER),
        ];
        assert_eq!(retries, again, "{cause:?} {stage:?} {had:?}");
        assert_eq!(failure.status(), status, "{cause:?} {stage:?} {had:?}");
    }
}

#[test]
fn the_bits_for_get_and_head_take_back_bit_1_for_their_method_alone() {
    let failure = failure(CLOSED, Stage::Wait, Had::Sent);
    for (method, get, head) in [(&b"GET"[..], true, false), (b"HEAD", false, true), (b"PUT", false, false)] {
        assert_eq!(failure.may_retry(method, NOT_AFTER_BUT_GET), get, "{method:?}");
        assert_eq!(failure.may_retry(method, NOT_AFTER_BUT_HEAD), head, "{method:?}");
        assert!(!failure.may_retry(method, NOT_AFTER), "{method:?}");
    }
}

#[test]
fn nothing_is_repeated_once_the_client_has_seen_or_given_something() {
    let all = RetryPolicy { explicit: true, not_after_request: false, always_head: true, always_get: true };
    for had in [Had::Delivered, Had::Spent] {
        for cause in [CLOSED, RESET, TIMED_OUT, SILENT, BROKEN, Cause::Cut, Cause::FailStatus(500)] {
            for stage in [Stage::Send, Stage::Wait, Stage::Body] {
                assert!(!failure(cause, stage, had).may_retry(b"GET", all), "{cause:?} {stage:?} {had:?}");
            }
        }
    }
}

#[test]
fn methods_are_told_apart_by_case() {
    for again in [&b"GET"[..], b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PROPFIND"] {
        assert!(is_idempotent(again), "{again:?}");
    }
    for once in [&b"POST"[..], b"PATCH", b"get", b"LOCK", b"MOVE", b"MKCOL", b"", b"CONNECT"] {
        assert!(!is_idempotent(once), "{once:?}");
    }
}

#[test]
fn only_the_backend_is_blamed_for_the_backend() {
    let fault = |cause| Failure::early(cause, Stage::Wait).fault();
    for cause in [CLOSED, SILENT, BROKEN, Cause::Cut, Cause::FailStatus(503)] {
        assert_eq!(fault(cause), Fault::Backend, "{cause:?}");
    }
    assert_eq!(fault(Cause::Client(ClientFault::Gone)), Fault::Client);
    assert_eq!(fault(Cause::PoolExhausted), Fault::Local);
    assert_eq!(fault(Cause::Encode(Unsendable::Ajp(EncodeError::BadUri))), Fault::Local);
}

#[test]
fn a_broken_protocol_is_a_reason_to_move_but_not_to_repeat() {
    let broken = failure(BROKEN, Stage::Wait, Had::Sent);
    let told = |method: &[u8], policy| (broken.may_retry(method, policy), broken.may_move(method, policy));
    assert_eq!(told(b"GET", DEFAULT), (false, true));
    assert_eq!(told(b"POST", DEFAULT), (false, false));
    assert_eq!(told(b"GET", NOT_AFTER), (false, false));
    assert_eq!(told(b"POST", EXPLICIT), (true, true));
    let begun = failure(BROKEN, Stage::Body, Had::Replied);
    assert!(!begun.may_move(b"GET", DEFAULT));
    // Enough to do: nothing was sent.
    assert!(failure(Cause::Busy, Stage::Acquire, Had::Nothing).may_move(b"POST", NOT_AFTER));
}
