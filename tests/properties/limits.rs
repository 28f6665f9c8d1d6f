//! reply_timeout of worker, rule and variable; max_packet_size.

use std::time::{Duration, Instant};

use crate::effect::{ask, covers, judge, vhost};
use crate::support::script::default_script;
use crate::support::{Backend, Client, Ended, Gate, Httpd, client, pattern};

#[test]
fn a_slow_backend_is_given_up_after_reply_timeout() {
    covers!("reply_timeout");
    let gate = Gate::new();
    let held = gate.clone();
    let backend = Backend::scripted(move |request, say| {
        if request.uri.ends_with("/silent") {
            say.pause(&held);
            say.respond(200, &[], b"late");
        } else if request.uri.ends_with("/drip") {
            say.send_headers(200, "OK", &[]);
            for _ in 0..5 {
                std::thread::sleep(Duration::from_millis(150));
                say.body_chunk(b"drop");
            }
            say.end(true);
        } else {
            default_script(request, say);
        }
    });
    let workers =
        ["w", "free"].map(|name| format!("{}worker.{name}.retries=1\n", backend.worker(name))).concat();
    let conf = [
        "JkMountCopy All\nJkMount /w/* w\nJkMount /free/* free\nJkMount /rule/* w;reply_timeout=210\n",
        "JkMount /none/* w;reply_timeout=0\nJkMount /unset/* w;reply_timeout=-1\n",
        &vhost("plain", ""),
        &vhost("env", "SetEnv JK_REPLY_TIMEOUT 160"),
        &vhost("off", "SetEnv JK_REPLY_TIMEOUT 0"),
        &vhost("bad", "SetEnv JK_REPLY_TIMEOUT soon"),
        &vhost("empty", "SetEnv JK_REPLY_TIMEOUT \"\""),
        &vhost("negative", "SetEnv JK_REPLY_TIMEOUT -1"),
    ];
    let httpd =
        Httpd::builder().workers(workers + "worker.w.reply_timeout=420\n").conf(conf.concat()).start();
    for (host, path, limit) in [
        ("plain", "/w/silent", 420),
        ("plain", "/rule/silent", 210),
        ("plain", "/unset/silent", 420),
        ("env", "/w/silent", 160),
        ("env", "/rule/silent", 160),
        ("env", "/free/silent", 160),
        ("bad", "/rule/silent", 210),
        ("empty", "/w/silent", 420),
        ("negative", "/w/silent", 420),
    ] {
        let text = format!("no reply within {limit} ms");
        let before = httpd.jk_log().matches(&text).count();
        let begun = Instant::now();
        assert_eq!(ask(&httpd, host, path).status, 504, "{host}{path}");
        assert!(
            (limit..limit + 6000).contains(&begun.elapsed().as_millis()),
            "{host}{path}: {:?}",
            begun.elapsed()
        );
        assert_eq!(httpd.jk_log().matches(&text).count(), before + 1, "{host}{path}: {}", httpd.jk_log());
    }
    for (host, path) in [("plain", "/none/delay/600"), ("off", "/w/delay/600"), ("plain", "/free/delay/600")]
    {
        assert_eq!(ask(&httpd, host, path).text(), "late\n", "{host}{path}");
    }
    // The limit is for each packet, not for the whole answer.
    assert_eq!(ask(&httpd, "plain", "/w/drip").text(), "drop".repeat(5));
    let log = httpd.jk_log();
    assert_eq!(log.matches("JK0107: JK_REPLY_TIMEOUT=\"soon\" is not a number").count(), 1, "{log}");
    assert_eq!(log.matches("JK0107: JK_REPLY_TIMEOUT=\"\" is not a number").count(), 1, "{log}");
    gate.open();
}

#[test]
fn packets_are_as_large_as_configured() {
    covers!("max_packet_size");
    let large = Backend::builder().packet_size(65_536).start();
    let normal = Backend::start();
    let workers = format!("{}{}", large.worker("large"), normal.worker("normal"));
    let httpd =
        Httpd::builder().workers(workers).conf("JkMount /large/* large\nJkMount /normal/* normal\n").start();
    let wide = "v".repeat(5000);
    let headers: [(&str, &str); 3] = [("X-A", &wide), ("X-B", &wide), ("X-C", &wide)];
    let answer = client::request(httpd.port(), "GET", "/large/x", &headers, b"");
    assert_eq!((answer.status, answer.fact("header.x-c").as_deref()), (200, Some(wide.as_str())));
    assert!(large.last_request().packet_len > 15_000);
    let answer = client::request(httpd.port(), "GET", "/normal/x", &headers, b"");
    assert_eq!(answer.status, 431);
    assert!(httpd.jk_log().contains("JK0208"), "{}", httpd.jk_log());
    assert!(normal.requests().is_empty());

    // Both directions of body use the size.
    for (name, backend, size) in [("large", &large, 65_536), ("normal", &normal, 8192)] {
        let mut client = Client::connect(httpd.port());
        let answer = client.request("POST", &format!("/{name}/upload"), &[], &pattern(200_000));
        assert_eq!(answer.fact("length").as_deref(), Some("200000"), "{name}");
        let log = backend.log();
        let first = log.iter().flat_map(|c| c.bodies()).next().expect("a body packet");
        assert_eq!(first, (size - 6, None), "{name}");
        let answer = client.get(&format!("/{name}/stream/200000"));
        assert_eq!((answer.ended, answer.body == pattern(200_000)), (Ended::Chunked, true), "{name}");
    }
    let judged = Httpd::builder().prepare();
    judge(
        &judged,
        &[
            (
                "JkWorkerProperty worker.ajp13.max_packet_size=9000",
                "warning: 9000 is not possible, 9216 is used",
            ),
            (
                "JkWorkerProperty worker.ajp13.max_packet_size=100k",
                "warning: 102400 is not possible, 65536 is used",
            ),
        ],
    );
}
