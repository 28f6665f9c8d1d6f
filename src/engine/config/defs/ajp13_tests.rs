//! Each property of `ajp13` workers: its default and its effect.

use std::time::Duration;

use crate::engine::config::model::{Address, LocalAddress, PingMode, PoolSize, Timeout};
use crate::engine::config::resolve::testing::{THREADS, ajp, errors_of, warnings_of};

fn ms(time: u64) -> Timeout {
    Timeout::of(Duration::from_millis(time))
}

fn s(time: u64) -> Timeout {
    ms(time * 1000)
}

fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp { host: host.into(), port }
}

#[test]
fn defaults() {
    let w = ajp("");
    assert_eq!(w.address, tcp("localhost", 8009));
    assert_eq!(w.source, LocalAddress::Any);
    assert!(!w.prefer_ipv6);
    assert_eq!(w.socket_timeout, Timeout::OFF);
    assert_eq!(w.socket_connect_timeout, Timeout::OFF);
    assert!(!w.socket_keepalive);
    assert_eq!(w.socket_buffer, 0);
    assert_eq!(w.connection_pool_size, PoolSize::Unlimited);
    assert_eq!(w.connection_pool_minsize, THREADS.div_ceil(2));
    assert_eq!(w.connection_pool_timeout, Timeout::OFF);
    assert_eq!(w.connection_acquire_timeout, Duration::from_millis(200));
    assert_eq!(w.connect_timeout, Timeout::OFF);
    assert_eq!(w.prepost_timeout, Timeout::OFF);
    assert_eq!(w.ping_mode, PingMode::default());
    assert_eq!(w.ping_timeout, s(10));
    assert_eq!(w.connection_ping_interval, Timeout::OFF);
    assert_eq!(w.reply_timeout, Timeout::OFF);
    assert_eq!(w.retries, 2);
    assert_eq!(w.retry_interval, Duration::from_millis(100));
    assert_eq!(w.recovery_options.bits(), 0);
    assert!(w.fail_on_status.is_empty());
    assert_eq!(w.busy_limit, 0);
    assert_eq!(w.max_packet_size, 8192);
    assert!(w.secret.is_none());
    assert_eq!(errors_of(""), [""; 0]);
    assert_eq!(warnings_of(""), [""; 0]);
}

#[test]
fn host_and_port() {
    for (lines, wanted) in [
        ("worker.w.host=tc", tcp("tc", 8009)),
        ("worker.w.port=8010", tcp("localhost", 8010)),
        ("worker.w.host=::1\nworker.w.port=1", tcp("::1", 1)),
        ("worker.w.host=tc:8010", tcp("tc", 8010)),
        ("worker.w.host=[::1]:8010", tcp("::1", 8010)),
        ("worker.w.host=[::1]", tcp("::1", 8009)),
        ("worker.w.host=tc:8010\nworker.w.port=8011", tcp("tc", 8011)),
        ("worker.w.port=65535", tcp("localhost", 65535)),
        ("worker.w.port=0", tcp("localhost", 0)),
        ("worker.w.host=unix:/run/t.sock", Address::Unix("/run/t.sock".into())),
    ] {
        assert_eq!(ajp(lines).address, wanted, "{lines}");
        assert_eq!(errors_of(lines), [""; 0], "{lines}");
    }
    assert!(warnings_of("worker.w.host=tc:8010\nworker.w.port=8011")[0].starts_with("w.properties:4: "));
    assert_eq!(
        warnings_of("worker.w.port=0"),
        ["w.properties:3: worker.w.port: 0 is no address, requests to the worker fail"]
    );
    assert!(warnings_of("worker.w.host=unix:/x\nworker.w.port=8009")[0].contains("no effect"));
}

#[test]
fn bad_hosts_and_ports_are_errors() {
    for lines in [
        "worker.w.host=999.1.1.1",
        "worker.w.host=a b",
        "worker.w.host=unix:x",
        "worker.w.port=abc",
        "worker.w.port=65536",
        "worker.w.port=-1",
        "worker.w.port=99999999999",
    ] {
        assert_eq!(errors_of(lines).len(), 1, "{lines}");
    }
    assert_eq!(errors_of("worker.w.port=abc"), ["w.properties:3: worker.w.port: not a number: 'abc'"]);
}

#[test]
fn every_number_refuses_text_and_warns_of_text_behind_it() {
    for def in super::super::table()
        .iter()
        .filter(|d| matches!(d.group, super::super::Group::Relay | super::super::Group::Ajp13))
    {
        let is_number = def.unit != super::Unit::None
            || matches!(
                def.name,
                "port" | "retries" | "busy_limit" | "recovery_options" | "max_in_flight" | "queue_size"
            )
            || def.name.starts_with("connection_pool");
        if !is_number {
            continue;
        }
        let errors = errors_of(&format!("worker.w.{}=abc", def.name));
        assert_eq!(errors, [format!("w.properties:3: worker.w.{}: not a number: 'abc'", def.name)]);
        let errors = errors_of(&format!("worker.w.{}=99999999999", def.name));
        assert_eq!(
            errors,
            [format!("w.properties:3: worker.w.{}: number out of range: '99999999999'", def.name)]
        );
        let line = format!("worker.w.{}=8 ms", def.name);
        assert_eq!(errors_of(&line), [""; 0], "{line}");
        assert!(warnings_of(&line).iter().any(|w| w.contains("ignored ' ms' behind the number")), "{line}");
    }
}

#[test]
fn source() {
    assert_eq!(ajp("worker.w.source=10.0.0.1").source, LocalAddress::Host("10.0.0.1".into()));
    assert_eq!(errors_of("worker.w.source=10.0.0").len(), 1);
}

#[test]
fn booleans() {
    assert!(ajp("worker.w.prefer_ipv6=1").prefer_ipv6);
    assert!(ajp("worker.w.socket_keepalive=On").socket_keepalive);
    assert!(!ajp("worker.w.socket_keepalive=maybe").socket_keepalive);
    assert_eq!(
        warnings_of("worker.w.socket_keepalive=maybe"),
        [
            "w.properties:3: worker.w.socket_keepalive: 'maybe' is neither true nor false; the default is used: false"
        ]
    );
}

#[test]
fn socket_timeouts() {
    let w = ajp("worker.w.socket_timeout=3");
    assert_eq!((w.socket_timeout, w.socket_connect_timeout), (s(3), s(3)));
    let w = ajp("worker.w.socket_timeout=3\nworker.w.socket_connect_timeout=250");
    assert_eq!((w.socket_timeout, w.socket_connect_timeout), (s(3), ms(250)));
    let w = ajp("worker.w.socket_timeout=-3");
    assert_eq!((w.socket_timeout, w.socket_connect_timeout), (Timeout::OFF, Timeout::OFF));
    let w = ajp("worker.w.socket_timeout=3\nworker.w.socket_connect_timeout=0");
    assert_eq!(w.socket_connect_timeout, Timeout::OFF);
    // Seconds times 1000 must not wrap.
    assert_eq!(ajp("worker.w.socket_timeout=2147483647").socket_connect_timeout, s(2_147_483_647));
}

#[test]
fn socket_buffer() {
    assert_eq!(ajp("worker.w.socket_buffer=-1").socket_buffer, 0);
    assert_eq!(ajp("worker.w.socket_buffer=1").socket_buffer, 8192);
    assert_eq!(ajp("worker.w.socket_buffer=64k").socket_buffer, 65536);
    assert_eq!(ajp("worker.w.socket_buffer=1\nworker.w.max_packet_size=9000").socket_buffer, 9216);
}

#[test]
fn pool_size() {
    for (lines, size, least) in [
        ("worker.w.connection_pool_size=10", PoolSize::Limit(10), 5),
        ("worker.w.connection_pool_size=7", PoolSize::Limit(7), 4),
        ("worker.w.connection_pool_size=0", PoolSize::Limit(0), 0),
        ("worker.w.connection_pool_size=-1", PoolSize::Unlimited, 13),
        ("worker.w.cachesize=6", PoolSize::Limit(6), 3),
        ("worker.w.cachesize=6\nworker.w.connection_pool_size=4", PoolSize::Limit(4), 2),
        ("worker.w.cachesize=6\nworker.w.connection_pool_size=-4", PoolSize::Limit(6), 3),
        ("worker.w.connection_pool_minsize=2", PoolSize::Unlimited, 2),
        ("worker.w.connection_pool_minsize=-2", PoolSize::Unlimited, 0),
    ] {
        let w = ajp(lines);
        assert_eq!((w.connection_pool_size, w.connection_pool_minsize), (size, least), "{lines}");
    }
    assert!(warnings_of("worker.w.connection_pool_size=0")[0].contains("refuses every request"));
    assert!(warnings_of("worker.w.cachesize=6")[0].contains("use connection_pool_size"));
}

#[test]
fn pool_timeout() {
    for (lines, wanted) in [
        ("worker.w.connection_pool_timeout=600", s(600)),
        ("worker.w.connection_pool_timeout=0\nworker.w.cache_timeout=5", Timeout::OFF),
        ("worker.w.connection_pool_timeout=-1\nworker.w.cache_timeout=5", s(5)),
        ("worker.w.cache_timeout=5", s(5)),
        ("worker.w.connection_pool_timeout=-1", Timeout::OFF),
    ] {
        assert_eq!(ajp(lines).connection_pool_timeout, wanted, "{lines}");
    }
}

#[test]
fn acquire_timeout_is_never_less_than_one_attempt() {
    for (lines, wanted) in [
        ("worker.w.connection_acquire_timeout=500", 500),
        ("worker.w.connection_acquire_timeout=0", 0),
        ("worker.w.connection_acquire_timeout=-5", 0),
        ("worker.w.retry_interval=0", 0),
        ("worker.w.retry_interval=-1", 0),
        ("worker.w.retries=3\nworker.w.retry_interval=50", 150),
    ] {
        assert_eq!(ajp(lines).connection_acquire_timeout, Duration::from_millis(wanted), "{lines}");
    }
}

#[test]
fn pings() {
    for (lines, connect, prepost, interval) in [
        ("worker.w.connect_timeout=5", ms(5), Timeout::OFF, Timeout::OFF),
        ("worker.w.prepost_timeout=5", Timeout::OFF, ms(5), Timeout::OFF),
        ("worker.w.connection_ping_interval=5", Timeout::OFF, Timeout::OFF, s(5)),
        ("worker.w.connection_ping_interval=-5", Timeout::OFF, Timeout::OFF, Timeout::OFF),
        ("worker.w.ping_mode=C", s(10), Timeout::OFF, Timeout::OFF),
        ("worker.w.ping_mode=p", Timeout::OFF, s(10), Timeout::OFF),
        ("worker.w.ping_mode=I", Timeout::OFF, Timeout::OFF, s(100)),
        ("worker.w.ping_mode=cPi", s(10), s(10), s(100)),
        ("worker.w.ping_mode=A", s(10), s(10), s(100)),
        ("worker.w.ping_mode=A\nworker.w.ping_timeout=2000", s(2), s(2), s(20)),
        ("worker.w.ping_mode=A\nworker.w.ping_timeout=0", Timeout::OFF, Timeout::OFF, Timeout::OFF),
        ("worker.w.ping_mode=A\nworker.w.connect_timeout=7", ms(7), s(10), s(100)),
        ("worker.w.ping_mode=A\nworker.w.connect_timeout=-7", Timeout::OFF, s(10), s(100)),
        ("worker.w.ping_mode=A\nworker.w.connection_ping_interval=9", s(10), s(10), s(9)),
        ("worker.w.ping_mode=xyz", Timeout::OFF, Timeout::OFF, Timeout::OFF),
    ] {
        let w = ajp(lines);
        let found = (w.connect_timeout, w.prepost_timeout, w.connection_ping_interval);
        assert_eq!(found, (connect, prepost, interval), "{lines}");
    }
    assert_eq!(ajp("worker.w.ping_timeout=7").ping_timeout, ms(7));
    assert_eq!(ajp("worker.w.ping_mode=I").ping_mode, PingMode { interval: true, ..PingMode::default() });
    assert!(warnings_of("worker.w.ping_mode=C,P")[0].contains("ignored ','"));
}

#[test]
fn reply_timeout() {
    assert_eq!(ajp("worker.w.reply_timeout=30000").reply_timeout, s(30));
    assert_eq!(ajp("worker.w.reply_timeout=10k").reply_timeout, ms(10_240));
    assert_eq!(ajp("worker.w.reply_timeout=-1").reply_timeout, Timeout::OFF);
}

#[test]
fn retries() {
    assert_eq!(ajp("worker.w.retries=1").retries, 1);
    assert_eq!(ajp("worker.w.retries=0").retries, 1);
    assert_eq!(
        warnings_of("worker.w.retries=0"),
        ["w.properties:3: worker.w.retries: 0 is too low, 1 is used"]
    );
    assert_eq!(ajp("worker.w.retry_interval=5").retry_interval, Duration::from_millis(5));
}

#[test]
fn recovery_options() {
    let set = |value: &str| {
        let options = ajp(&format!("worker.w.recovery_options={value}")).recovery_options;
        [
            options.never_after_sending(),
            options.never_after_headers(),
            options.close_on_client_error(),
            options.always_head(),
            options.always_get(),
        ]
    };
    assert_eq!(set("1"), [true, false, false, false, false]);
    assert_eq!(set("2"), [false, true, false, false, false]);
    assert_eq!(set("4"), [false, false, true, false, false]);
    assert_eq!(set("24"), [false, false, false, true, true]);
    assert_eq!(set("35"), [true, true, false, false, false]);
    assert!(warnings_of("worker.w.recovery_options=35")[0].contains("without meaning"));
}

#[test]
fn fail_on_status() {
    let w = ajp("worker.w.fail_on_status=500, -503\nworker.w.fail_on_status=404");
    assert_eq!(w.fail_on_status, [500, -503, 404]);
    assert_eq!(errors_of("worker.w.fail_on_status=500,x").len(), 1);
    assert!(warnings_of("worker.w.fail_on_status=1000")[0].contains("not an HTTP status"));
}

#[test]
fn busy_limit() {
    assert_eq!(ajp("worker.w.busy_limit=40").busy_limit, 40);
    assert_eq!(ajp("worker.w.busy_limit=-1").busy_limit, 0);
}

#[test]
fn max_packet_size() {
    for (value, wanted, warned) in [
        ("8192", 8192, 0),
        ("65536", 65536, 0),
        ("64k", 65536, 0),
        ("16384", 16384, 0),
        ("9000", 9216, 1),
        ("65537", 65536, 1),
        ("100", 8192, 1),
        ("-1", 8192, 1),
        ("2147483647", 65536, 1),
    ] {
        let line = format!("worker.w.max_packet_size={value}");
        assert_eq!(ajp(&line).max_packet_size, wanted, "{value}");
        assert_eq!(warnings_of(&line).len(), warned, "{value}");
    }
}

#[test]
fn secret() {
    assert_eq!(ajp("worker.w.secret=0123456789abcdef").secret.expose(), b"0123456789abcdef");
    assert_eq!(warnings_of("worker.w.secret=0123456789abcdef"), [""; 0]);
    assert!(warnings_of("worker.w.secret=0123456789abcde")[0].contains("shorter than 16"));
    let bad = errors_of("worker.w.secret=S3cr3t-canary-\u{e9}");
    assert_eq!(
        bad,
        ["w.properties:3: worker.w.secret: a secret may only contain printable ASCII characters"]
    );
    assert_eq!(errors_of(&format!("worker.w.secret={}", "x".repeat(256))).len(), 1);
}

#[test]
fn secret_file() {
    assert_eq!(ajp("worker.w.secret_file=good").secret.expose(), b"0123456789abcdef");
    assert_eq!(warnings_of("worker.w.secret_file=good"), [""; 0]);
    assert!(warnings_of("worker.w.secret_file=open")[0].contains("every user may read 'open'"));
    assert!(warnings_of("worker.w.secret_file=short")[0].contains("shorter than 16"));
    assert_eq!(
        errors_of("worker.w.secret_file=gone"),
        ["w.properties:3: worker.w.secret_file: gone: No such file"]
    );
    assert_eq!(
        errors_of("worker.w.secret_file=empty"),
        ["w.properties:3: worker.w.secret_file: a secret must have 1 to 255 characters"]
    );
    let both = errors_of("worker.w.secret=0123456789abcdef\nworker.w.secret_file=good");
    assert_eq!(both, ["w.properties:4: worker.w.secret_file and worker.w.secret are both set"]);
    let template = "worker.w.reference=worker.t\nworker.t.secret";
    let over =
        |own: &str, inherited: &str| ajp(&format!("{template}{inherited}\nworker.w.secret{own}")).secret;
    assert_eq!(over("_file=good", "=the-secret-of-the-template").expose(), b"0123456789abcdef");
    assert_eq!(over("=the-secret-of-the-worker", "_file=good").expose(), b"the-secret-of-the-worker");
}
