//! A request whose first member fails: it is served by another one at once, and the log has one line about it.

use std::time::{Duration, Instant};

use crate::effect::covers;
use crate::farm::{Farm, asked, asked_with, mounts, node, who};
use crate::support::{Backend, Client, Ended, Httpd, Mpm, client, under_each_mpm, wait_until};

/// Lines of the log about failures of attempts: everything but members going down and coming up.
fn failure_lines(httpd: &Httpd) -> Vec<String> {
    let log = httpd.jk_log();
    let about = |line: &&str| {
        line.contains(" JK02") && !["JK0221", "JK0222", "JK0223", "JK0224"].iter().any(|id| line.contains(id))
    };
    log.lines().filter(about).map(str::to_owned).collect()
}

under_each_mpm!(a_member_that_refuses_costs_nothing);

fn a_member_that_refuses_costs_nothing(mpm: Mpm) {
    covers!("retries", "retry_interval");
    let mut farm = Farm::of(3);
    // The pauses are there for a second look at members that failed, not on the way to the next one.
    let pauses = "retry_interval=20000 retries=3";
    let workers = farm.balancer("b", "retry_interval=20000", &[pauses, pauses, pauses]);
    let httpd = Httpd::builder()
        .mpm(mpm)
        .servers(2)
        .threads_per_child(3)
        .workers(workers)
        .conf(mounts(&["b"]))
        .start();
    assert_eq!(asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n2")), "n2");
    farm.node_mut(2).stop();
    let before = farm.node(2).log().len();
    let begun = Instant::now();
    let answer = crate::farm::get_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n2"));
    assert_eq!(answer.status, 200, "{}", httpd.jk_log());
    assert!(["n1", "n3"].contains(&who(&answer).as_str()));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let lines = failure_lines(&httpd);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("balancer b: worker b2"), "{lines:#?}");
    // Its kept connections are closed by now, but one may have been on its way.
    assert!(lines[0].contains("JK0201") || lines[0].contains("JK0206"), "{lines:#?}");
    assert!(lines[0].contains("[info]") && lines[0].contains("going on with b"), "{lines:#?}");
    // In every process it is out of service, without another failure.
    let got: Vec<String> =
        (0..20).map(|_| asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n2"))).collect();
    assert!(got.iter().all(|node| node == "n1" || node == "n3"), "{got:?}");
    assert_eq!(failure_lines(&httpd).len(), 1, "{}", httpd.jk_log());
    assert_eq!(farm.node(2).log().len(), before);
    wait_until("the member is reported", || httpd.jk_log().contains("JK0221"));
    httpd.assert_no_errors(&[]);
}

/// A farm of two whose first member does `fail` for paths with `/fail`.
fn failing(fail: impl Fn(&mut crate::support::Conversation) + Clone + Send + Sync + 'static) -> Farm {
    Farm::scripted(2, move |number, request, say| {
        if number == 1 && request.uri.contains("/fail") { fail(say) } else { node(number, request, say) }
    })
}

#[test]
fn each_kind_of_failure_moves_on_with_one_line() {
    covers!("lb_retries");
    type Fail = fn(&mut crate::support::Conversation);
    let rows: [(&str, &str, Fail, &str); 6] = [
        ("closed", "", |say| say.close(), "JK0206"),
        ("reset", "", |say| say.reset(), "JK0206"),
        ("garbage", "", |say| say.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "JK0207"),
        (
            "cut",
            "",
            |say| {
                say.raw(b"AB\x00\x10\x04");
                say.close();
            },
            "JK0206",
        ),
        (
            "silent",
            "reply_timeout=300",
            |say| {
                say.closed_by_peer(crate::support::PATIENCE);
            },
            "JK0205",
        ),
        (
            "status",
            "fail_on_status=503",
            |say| {
                say.send_headers(503, "503", &[]);
                say.end(true);
            },
            "JK0211",
        ),
    ];
    for (name, lines, fail, id) in rows {
        let mut farm = failing(fail);
        let workers = farm.balancer("b", "retry_interval=20000", &[lines, "distance=1"]);
        let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
        let begun = Instant::now();
        let answer = client::get(httpd.port(), "/b/fail");
        assert_eq!((answer.status, who(&answer).as_str()), (200, "n2"), "{name}: {}", httpd.jk_log());
        assert!(begun.elapsed() < Duration::from_secs(8), "{name}: {:?}", begun.elapsed());
        let log = failure_lines(&httpd);
        assert_eq!(log.len(), 1, "{name}: {log:#?}");
        assert!(log[0].contains(id) && log[0].contains("going on with b2"), "{name}: {log:#?}");
        assert_eq!(farm.got(), [1, 1], "{name}");
        farm.node_mut(1).forgive_errors();
    }
}

#[test]
fn an_answer_that_broke_off_is_not_begun_again() {
    covers!("recovery_options");
    let farm = failing(|say| {
        say.send_headers(200, "OK", &[("Content-Length", "100000")]);
        say.body_chunk(&crate::support::pattern(50_000));
        say.reset();
    });
    let workers = farm.balancer("b", "", &["recovery_options=0", "distance=1 recovery_options=0"]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
    let mut client = Client::connect(httpd.port());
    client.send("GET /b/fail HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = client.read_response();
    assert_eq!((answer.status, answer.ended), (200, Ended::Truncated));
    assert_eq!(farm.got(), [1, 0]);
    let log = failure_lines(&httpd);
    assert_eq!(log.len(), 1, "{log:#?}");
    assert!(log[0].contains("the response was broken off"), "{log:#?}");
}

#[test]
fn a_member_that_hangs_is_found_out_by_pings() {
    covers!("ping_mode", "ping_timeout", "connect_timeout", "prepost_timeout");
    for (name, lines) in [
        ("connect", "connect_timeout=300"),
        ("prepost", "prepost_timeout=300"),
        ("mode", "ping_mode=A ping_timeout=300"),
    ] {
        let farm = Farm::of(2);
        farm.node(1).answer_pings(false);
        let workers = farm.balancer("b", "", &[lines, "distance=1"]);
        let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
        assert_eq!(asked(&httpd, "/b/x"), "n2", "{name}: {}", httpd.jk_log());
        let log = failure_lines(&httpd);
        assert_eq!(log.len(), 1, "{name}: {log:#?}");
        assert!(log[0].contains("JK0203"), "{name}: {log:#?}");
        // Out of service for all at once.
        let begun = Instant::now();
        assert_eq!(asked(&httpd, "/b/x"), "n2");
        assert!(begun.elapsed() < Duration::from_millis(250), "{name}: {:?}", begun.elapsed());
        assert_eq!(farm.node(1).requests().len(), 0);
        wait_until("it is reported", || httpd.jk_log().contains("JK0221"));
    }
}

#[test]
fn the_client_gets_the_status_of_the_last_failure() {
    covers!("retries", "lb_retries");
    type Fail = fn(&mut crate::support::Conversation);
    let rows: [(&str, Fail, u16); 3] = [
        ("", |say| say.reset(), 502),
        (
            "reply_timeout=200",
            |say| {
                say.closed_by_peer(crate::support::PATIENCE);
            },
            504,
        ),
        (
            "fail_on_status=500",
            |say| {
                say.send_headers(500, "500", &[]);
                say.end(true);
            },
            503,
        ),
    ];
    for (lines, fail, status) in rows {
        let farm = Farm::scripted(2, move |_, _, say| fail(say));
        let workers = farm.balancer("b", "retries=1", &[lines, lines]);
        let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
        let answer = client::get(httpd.port(), "/b/x");
        assert_eq!(answer.status, status, "{}", httpd.jk_log());
        assert_eq!(farm.got(), [1, 1]);
        let log = failure_lines(&httpd);
        assert_eq!(log.len(), 2, "{log:#?}");
        assert!(
            log[0].contains("going on with") && log[1].contains(&format!("answered with {status}")),
            "{log:#?}"
        );
    }
    // Nobody listens.
    let mut farm = Farm::of(2);
    farm.nodes.iter_mut().for_each(Backend::stop);
    let workers = farm.balancer("b", "", &["", ""]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
    assert_eq!(client::get(httpd.port(), "/b/x").status, 503);
    let answer = client::get(httpd.port(), "/b/x");
    assert_eq!(answer.status, 503);
    assert!(answer.header("Retry-After").is_some(), "{:?}\n{}", answer.headers, httpd.jk_log());
    farm.nodes.iter_mut().for_each(Backend::listen);
    wait_until("they are back", || asked(&httpd, "/b/x").starts_with('n'));
}

#[test]
fn members_that_failed_softly_are_tried_again_after_a_pause() {
    covers!("retries", "lb_retries", "retry_interval", "fail_on_status");
    let rows = [
        ("retries=1 lb_retries=1", 3, 1, 0),
        ("retries=1 lb_retries=2", 3, 2, 0),
        ("retries=1 lb_retries=9", 3, 3, 0),
        ("retries=2 lb_retries=2", 2, 4, 300),
        ("retries=3 lb_retries=2", 2, 6, 600),
        ("retries=3 lb_retries=1", 3, 3, 0),
    ];
    for (lines, members, attempts, pause) in rows {
        let farm = Farm::scripted(3, |_, _, say| {
            say.send_headers(503, "503", &[]);
            say.end(true);
        });
        let all = ["fail_on_status=-503"; 3];
        let workers = farm.balancer("b", &format!("{lines} retry_interval=300"), &all[..members]);
        let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
        let begun = Instant::now();
        assert_eq!(client::get(httpd.port(), "/b/x").status, 503);
        let took = begun.elapsed().as_millis();
        assert_eq!(farm.got().iter().sum::<usize>(), attempts, "{lines}: {}", httpd.jk_log());
        assert!((pause..pause + 250).contains(&took), "{lines}: {took} ms");
        let log = failure_lines(&httpd);
        assert_eq!(log.len(), attempts, "one line for each attempt: {log:#?}");
    }
}

#[test]
fn a_failing_farm_is_not_buried_under_repetitions() {
    covers!("retry_budget", "fail_on_status");
    let farm = Farm::scripted(2, |number, request, say| {
        if number == 1 {
            say.send_headers(503, "503", &[]);
            say.end(true);
        } else {
            node(number, request, say);
        }
    });
    let members = ["fail_on_status=-503", "fail_on_status=-503"];
    let workers = farm.balancer("ten", "retry_budget=10", &members)
        + &farm.balancer("free", "retry_budget=0", &members);
    let httpd =
        Httpd::builder().jk_log_level("error").workers(workers).conf(mounts(&["ten", "free"])).start();
    let ask = |path: &str, times: usize| {
        crate::farm::asked_often(&httpd, path, times).iter().filter(|node| *node == "503").count()
    };
    // The first hundred or so have credit; then about half of the requests meet the bad one, of which one of five or so
    // gets another try.
    let refused = ask("/ten/x", 600);
    assert!((150..=280).contains(&refused), "{refused}");
    let refused = ask("/ten/x", 100);
    assert!((35..=50).contains(&refused), "{refused}");
    assert!(httpd.jk_log().contains("JK0220"), "{}", httpd.jk_log());
    assert_eq!(ask("/free/x", 400), 0);
}
