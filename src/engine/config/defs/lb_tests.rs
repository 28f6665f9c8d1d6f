//! Each property of `lb` workers: its default and its effect.

use std::time::Duration;

use crate::engine::config::diagnostic::Severity;
use crate::engine::config::model::{HashKey, Lock, Method, ReplyTimeouts};
use crate::engine::config::resolve::testing::{balancer, balancer_lines, load, problems};

fn found(severity: Severity, lines: &str) -> Vec<String> {
    problems(&load(&balancer_lines(lines)).1, severity)
}

#[test]
fn defaults() {
    let l = balancer("");
    assert_eq!(l.members.iter().map(|m| m.worker).collect::<Vec<_>>(), [1, 2]);
    assert!(l.members.iter().all(|m| m.secret.is_none()));
    assert!(l.sticky_session);
    assert!(!l.sticky_session_force);
    assert_eq!(l.method, Method::Request);
    assert_eq!(l.lock, Lock::Optimistic);
    assert_eq!((l.retries, l.lb_retries), (2, 2));
    assert_eq!(l.retry_interval, Duration::from_millis(100));
    assert_eq!(l.recover_time, Duration::from_secs(60));
    assert_eq!(l.error_escalation_time, Duration::from_secs(30));
    assert_eq!(l.max_reply_timeouts, ReplyTimeouts::AtMost(0));
    assert_eq!(l.session_cookie, "JSESSIONID");
    assert!(!l.session_cookie_configured);
    assert_eq!(l.session_path, ";jsessionid");
    assert!(!l.set_session_cookie);
    assert_eq!(l.session_cookie_path, "/");
    assert_eq!((l.slow_start, l.retry_budget), (Duration::ZERO, Some(20)));
    assert_eq!((l.queue_size, l.queue_timeout), (0, Duration::ZERO));
    assert_eq!(l.hash_key, HashKey::Session);
    assert_eq!(found(Severity::Error, ""), [""; 0]);
    assert_eq!(found(Severity::Warning, ""), [""; 0]);
}

#[test]
fn balance_workers() {
    let l = balancer("worker.l.balance_workers=c\nworker.c.port=8011");
    assert_eq!(l.members.len(), 3);
    let (set, diagnostics) =
        load("worker.list=l\nworker.l.type=lb\nworker.l.balanced_workers=a\nworker.a.port=8009");
    assert!(!diagnostics.has_errors());
    assert_eq!(set.workers[1].name, "a");
    assert!(problems(&diagnostics, Severity::Warning)[0].contains("use balance_workers"));
}

#[test]
fn stickiness() {
    assert!(!balancer("worker.l.sticky_session=0").sticky_session);
    assert!(balancer("worker.l.sticky_session_force=yes").sticky_session_force);
    assert!(balancer("worker.l.sticky_session=maybe").sticky_session);
    assert!(
        found(Severity::Warning, "worker.l.sticky_session=maybe")[0].contains("the default is used: true")
    );
}

#[test]
fn method() {
    for (text, wanted) in [
        ("R", Method::Request),
        ("Requests", Method::Request),
        ("t", Method::Traffic),
        ("Busyness", Method::Busyness),
        ("session", Method::Sessions),
        ("Next", Method::Next),
        ("4", Method::Next),
        ("2", Method::Busyness),
        ("P2C", Method::P2C),
        ("latency", Method::Latency),
        ("Hash", Method::Hash),
        ("7", Method::Hash),
        ("8", Method::Request),
    ] {
        assert_eq!(balancer(&format!("worker.l.method={text}")).method, wanted, "{text}");
    }
    assert_eq!(found(Severity::Warning, "worker.l.method=Requests"), [""; 0]);
    assert!(found(Severity::Warning, "worker.l.method=Random")[0].contains("'Random' is read as Request"));
    assert!(found(Severity::Warning, "worker.l.method=8")[0].contains("not one of Request, Traffic"));
}

#[test]
fn lock() {
    assert_eq!(balancer("worker.l.lock=P").lock, Lock::Pessimistic);
    assert_eq!(balancer("worker.l.lock=1").lock, Lock::Pessimistic);
    assert_eq!(balancer("worker.l.lock=x").lock, Lock::Optimistic);
}

#[test]
fn retries() {
    let l = balancer("worker.l.retries=5\nworker.l.lb_retries=6\nworker.l.retry_interval=7");
    assert_eq!((l.retries, l.lb_retries), (5, 6));
    assert_eq!(l.retry_interval, Duration::from_millis(7));
    let l = balancer("worker.l.retries=0\nworker.l.lb_retries=-1\nworker.l.retry_interval=-1");
    assert_eq!((l.retries, l.lb_retries), (1, 1));
    assert_eq!(l.retry_interval, Duration::ZERO);
}

#[test]
fn recovery() {
    for (lines, recover, escalate) in [
        ("worker.l.recover_time=21", 21, 10),
        ("worker.l.recover_time=0", 1, 0),
        ("worker.l.error_escalation_time=5", 60, 5),
        ("worker.l.error_escalation_time=0", 60, 0),
        ("worker.l.error_escalation_time=-1", 60, 0),
    ] {
        let l = balancer(lines);
        assert_eq!(l.recover_time, Duration::from_secs(recover), "{lines}");
        assert_eq!(l.error_escalation_time, Duration::from_secs(escalate), "{lines}");
    }
}

#[test]
fn max_reply_timeouts() {
    let three = balancer("worker.l.max_reply_timeouts=3").max_reply_timeouts;
    assert!(!three.exceeded_by(3));
    assert!(three.exceeded_by(4));
    let never = balancer("worker.l.max_reply_timeouts=-1").max_reply_timeouts;
    assert!(!never.exceeded_by(u32::MAX));
}

#[test]
fn sessions() {
    let l = balancer(
        "worker.l.session_cookie=SID\nworker.l.session_path=;sid\nworker.l.session_cookie_path=/app",
    );
    assert_eq!((l.session_cookie.as_str(), l.session_path.as_str()), ("SID", ";sid"));
    assert_eq!(l.session_cookie_path, "/app");
    for name in ["session_cookie", "session_path", "session_cookie_path"] {
        let long = format!("worker.l.{name}={}", "x".repeat(64));
        assert_eq!(found(Severity::Error, &long).len(), 1, "{name}");
    }
}

#[test]
fn an_own_cookie_needs_a_name() {
    assert!(found(Severity::Error, "worker.l.set_session_cookie=1")[0].contains("JSESSIONID"));
    for cookie in ["ROUTE", "JSESSIONID"] {
        let lines = format!("worker.l.set_session_cookie=1\nworker.l.session_cookie={cookie}");
        assert_eq!(found(Severity::Error, &lines), [""; 0], "{cookie}");
        assert!(balancer(&lines).set_session_cookie);
        assert!(balancer(&lines).session_cookie_configured);
    }
}

#[test]
fn slow_start() {
    assert_eq!(balancer("worker.l.slow_start=30").slow_start, Duration::from_secs(30));
    assert_eq!(balancer("worker.l.slow_start=-30").slow_start, Duration::ZERO);
    assert_eq!(found(Severity::Error, "worker.l.slow_start=x").len(), 1);
}

#[test]
fn retry_budget() {
    for (text, wanted) in [
        ("50", Some(50)),
        ("1", Some(1)),
        ("0", None),
        ("-1", None),
        ("1000", Some(1000)),
        ("1001", Some(1000)),
    ] {
        assert_eq!(balancer(&format!("worker.l.retry_budget={text}")).retry_budget, wanted, "{text}");
    }
    assert!(found(Severity::Warning, "worker.l.retry_budget=1001")[0].contains("1000 is used"));
    assert_eq!(found(Severity::Warning, "worker.l.retry_budget=1000"), [""; 0]);
}

#[test]
fn hash_key() {
    for (text, wanted) in [
        ("session", HashKey::Session),
        ("Session", HashKey::Session),
        ("uri", HashKey::Uri),
        ("client", HashKey::Client),
        ("cookie:USER", HashKey::Cookie("USER".into())),
        ("Header: X-User", HashKey::Header("X-User".into())),
    ] {
        assert_eq!(balancer(&format!("worker.l.hash_key={text}")).hash_key, wanted, "{text}");
    }
    for text in ["cookie", "cookie:", "header: ", "cookie:a b", "header:a:b", "uri:x", "s", "sessions"] {
        let errors = found(Severity::Error, &format!("worker.l.hash_key={text}"));
        assert!(errors.len() == 1 && errors[0].contains("is not one of"), "{text}: {errors:?}");
    }
}

#[test]
fn the_secret_is_for_members_without_one() {
    let l = balancer("worker.l.secret=secret-of-the-balancer\nworker.b.secret=secret-of-the-member");
    let secrets: Vec<&[u8]> = l.members.iter().map(|m| m.secret.expose()).collect();
    assert_eq!(secrets, [&b"secret-of-the-balancer"[..], b"secret-of-the-member"]);
    assert_eq!(found(Severity::Error, &format!("worker.l.secret={}", "x".repeat(256))).len(), 1);
}
