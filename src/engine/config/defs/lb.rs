//! Properties of workers of type `lb`.

use super::{Apply, Def, Group, Repeat, SHORT_TEXT, Standing, Unit};
use crate::engine::config::diagnostic::quoted;
use crate::engine::config::model::{HashKey, Lock, Method};
use crate::engine::config::raw::Reader;

/// Most percent of `retry_budget`: more than any configuration of rounds and tries can use.
const MOST_BUDGET: i32 = 1000;

const fn lb(name: &'static str, apply: Apply) -> Def {
    Def::new(name, Group::Lb, apply)
}

pub(super) const LB: &[Def] = &[
    Def {
        repeat: Repeat::Join(","),
        range: "at least one worker, all of type ajp13 or http",
        doc: "Names of the members, which need not be in worker.list; several lines add up.",
        ..lb("balance_workers", Apply::Structure)
    },
    Def {
        repeat: Repeat::Replace,
        standing: Standing::Deprecated("use balance_workers"),
        doc: "Old name of balance_workers; used when that is missing.",
        ..lb("balanced_workers", Apply::Structure)
    },
    Def {
        default: "true",
        doc: "Requests of a session go to the member whose route its session id ends with.",
        ..lb("sticky_session", Apply::Lb(|raw, value| raw.sticky_session = value.boolean()))
    },
    Def {
        default: "false",
        doc: "Answer 503 when the member of a session can not be used, instead of going on without the session.",
        ..lb("sticky_session_force", Apply::Lb(|raw, value| raw.sticky_session_force = value.boolean()))
    },
    Def {
        default: "Request",
        range: "Request, Traffic, Busyness, Sessions, Next, P2C, Latency, Hash; or 0 to 7; the first character counts",
        doc: "What is evened out: requests, bytes, requests in work, or new sessions (Sessions forgets old ones, Next \
              does not). P2C: of two members drawn by lot the one with fewer requests in work. Latency: the shortest \
              expected time to the first byte of the response. Hash: requests with the same key go to the same member \
              unless it has much more work than its share.",
        ..lb("method", Apply::Lb(|raw, value| raw.method = value.keyword(&Method::WORDS)))
    },
    Def {
        default: "Optimistic",
        range: "Optimistic, Pessimistic; or 0, 1; the first character counts",
        doc: "In mod_jk, whether processes choose members under a common lock. No effect: choices are exact without one.",
        ..lb("lock", Apply::Lb(|raw, value| raw.lock = value.keyword(&Lock::WORDS)))
    },
    Def {
        default: "2",
        range: "at least 1",
        doc: "Rounds over the members for one request.",
        ..lb("retries", Apply::Lb(|raw, value| raw.retries = value.at_least(1)))
    },
    Def {
        default: "2",
        range: "at least 1",
        doc: "Members tried in each round.",
        ..lb("lb_retries", Apply::Lb(|raw, value| raw.lb_retries = value.at_least(1)))
    },
    Def {
        unit: Unit::Milliseconds,
        default: "100",
        range: "0 or less: no pause",
        doc: "Pause between rounds.",
        ..lb("retry_interval", Apply::Lb(|raw, value| raw.retry_interval = value.integer()))
    },
    Def {
        unit: Unit::Seconds,
        default: "60",
        range: "at least 1",
        doc: "Time after which a member that answers badly (fail_on_status, reply timeouts) is tried again, at the next \
              maintenance. One that can not be reached is probed and comes back by itself.",
        ..lb("recover_time", Apply::Lb(|raw, value| raw.recover_time = value.at_least(1)))
    },
    Def {
        unit: Unit::Seconds,
        default: "recover_time / 2",
        range: "0 or less: at once",
        doc: "A member with errors that still has other requests in work fails for everybody when its first error is \
              this long ago and no request has succeeded since.",
        ..lb("error_escalation_time", Apply::Lb(|raw, value| raw.error_escalation_time = value.integer()))
    },
    Def {
        default: "0",
        range: "negative: never",
        doc: "Reply timeouts a member may have before it fails for everybody; the count is halved at each maintenance.",
        ..lb("max_reply_timeouts", Apply::Lb(|raw, value| raw.max_reply_timeouts = value.integer()))
    },
    Def {
        default: "JSESSIONID",
        range: "at most 63 bytes",
        doc: "Name of the cookie with the session id.",
        ..lb("session_cookie", Apply::Lb(|raw, value| raw.session_cookie = value.short_text(SHORT_TEXT)))
    },
    Def {
        default: ";jsessionid",
        range: "at most 63 bytes",
        doc: "Path parameter with the session id; the semicolon belongs to the value.",
        ..lb("session_path", Apply::Lb(|raw, value| raw.session_path = value.short_text(SHORT_TEXT)))
    },
    Def {
        default: "false",
        range: "needs session_cookie",
        doc: "Send a cookie named session_cookie with the route of the member, for applications without sessions. The \
              name must be set, so that Tomcat's own session cookie is not overwritten by accident.",
        ..lb("set_session_cookie", Apply::Lb(|raw, value| raw.set_session_cookie = value.boolean()))
    },
    Def {
        default: "/",
        range: "at most 63 bytes",
        doc: "Path of the cookie that set_session_cookie sends.",
        ..lb(
            "session_cookie_path",
            Apply::Lb(|raw, value| raw.session_cookie_path = value.short_text(SHORT_TEXT)),
        )
    },
    Def {
        unit: Unit::Seconds,
        default: "0",
        range: "0 or less: none",
        doc: "For so long after a member came back from an error its share grows from little to its full one, so that it \
              can warm up. Not in mod_jk.",
        ..lb("slow_start", Apply::Lb(|raw, value| raw.slow_start = value.integer()))
    },
    Def {
        default: "20",
        range: "1 to 1000; 0 or less: any number",
        doc: "Percent of the requests that may go to a further member after one has failed; some more are allowed after \
              quiet times. Beyond that a failed request ends with its error, so that repetitions do not bring down the \
              members that are left. Not in mod_jk.",
        ..lb("retry_budget", Apply::Lb(|raw, value| raw.retry_budget = retry_budget(value)))
    },
    Def {
        default: "session",
        range: "session, cookie:NAME, header:NAME, uri, client",
        doc: "What of a request decides on its member when members are chosen by hash: the session id without its route, a \
              cookie, a header field, the path without query, or the address of the client. A request that has none of \
              the kind goes by the address of its client. Not in mod_jk.",
        ..lb("hash_key", Apply::Lb(|raw, value| raw.hash_key = hash_key(value)))
    },
    Def {
        range: "1 to 255 printable ASCII characters; at least 16 are advised",
        doc: "Secret of all members that have none of their own. Never shown.",
        ..lb("secret", Apply::Lb(|raw, value| raw.secret = value.secret()))
    },
    Def {
        range: "a file of at most 4096 bytes; not together with secret",
        doc: "A file that holds the secret of all members that have none of their own, relative to ServerRoot.",
        ..lb("secret_file", Apply::Lb(|raw, value| raw.secret_file = Some(value.text().to_owned())))
    },
];

fn retry_budget(value: &mut Reader<'_>) -> Option<i32> {
    let number = value.integer()?;
    if number > MOST_BUDGET {
        value.warning(format_args!("{number} is too high, {MOST_BUDGET} is used"));
    }
    Some(number.min(MOST_BUDGET))
}

fn hash_key(value: &mut Reader<'_>) -> Option<HashKey> {
    let text = value.text();
    let (kind, name) = text.split_once(':').map_or((text, None), |(kind, name)| (kind, Some(name.trim())));
    let name = name.map(Box::<str>::from);
    let kind = kind.trim().to_ascii_lowercase();
    let key = match (kind.as_str(), name) {
        ("session", None) => Some(HashKey::Session),
        ("uri", None) => Some(HashKey::Uri),
        ("client", None) => Some(HashKey::Client),
        ("cookie", Some(name)) if is_name(&name) => Some(HashKey::Cookie(name)),
        ("header", Some(name)) if is_name(&name) => Some(HashKey::Header(name)),
        _ => None,
    };
    if key.is_none() {
        value.error(format_args!(
            "{} is not one of session, cookie:NAME, header:NAME, uri, client",
            quoted(text)
        ));
    }
    key
}

/// Something that can be the name of a cookie or a header field (`token` in RFC 9110 section 5.6.2).
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet))
}

#[cfg(test)]
#[path = "lb_tests.rs"]
mod tests;
