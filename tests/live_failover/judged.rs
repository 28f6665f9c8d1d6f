//! Members that answer, but badly: fail_on_status, reply timeouts; and when they get their next chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::effect::covers;
use crate::farm::{Farm, asked, asked_with, mounts, node};
use crate::support::{Httpd, PATIENCE, poll, wait_until};

/// Two nodes; while the switch is on, the first one does `fail`.
fn switched(fail: fn(&mut crate::support::Conversation)) -> (Farm, Arc<AtomicBool>) {
    let bad = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&bad);
    let farm = Farm::scripted(2, move |number, request, say| {
        if number == 1 && switch.load(Ordering::SeqCst) { fail(say) } else { node(number, request, say) }
    });
    (farm, bad)
}

fn unavailable(say: &mut crate::support::Conversation) {
    say.send_headers(503, "503", &[]);
    say.end(true);
}

const SESSION: (&str, &str) = ("Cookie", "JSESSIONID=a.n1");

#[test]
fn a_status_takes_a_member_out_until_recover_time_is_over() {
    covers!("fail_on_status", "recover_time", "maintain");
    let (farm, bad) = switched(unavailable);
    let workers = farm.balancer("b", "recover_time=2", &["fail_on_status=503", ""]) + "worker.maintain=1\n";
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
    let begun = Instant::now();
    assert_eq!(asked_with(&httpd, "/b/x", SESSION), "n2");
    bad.store(false, Ordering::SeqCst);
    let mut times = 0;
    let back = poll(PATIENCE, || {
        times += 1;
        asked_with(&httpd, "/b/x", SESSION) == "n1"
    });
    let took = begun.elapsed();
    assert!(back && times > 2, "{times}: {}", httpd.jk_log());
    // It answers pings all the time: they say nothing about this.
    assert!((Duration::from_millis(1900)..Duration::from_secs(10)).contains(&took), "{took:?}");
    assert_eq!(farm.node(1).requests().len(), 2, "one request failed, one found it well");
    wait_until("both are reported", || httpd.jk_log().contains("JK0222"));
    let log = httpd.jk_log();
    assert_eq!((log.matches("JK0221").count(), log.matches("JK0222").count()), (1, 1), "{log}");
    assert!(log.contains("fail_on_status or reply timeouts"), "{log}");
}

#[test]
fn a_soft_status_takes_nobody_out() {
    covers!("fail_on_status");
    let (farm, _) = switched(unavailable);
    let workers = farm.balancer("b", "retry_budget=0", &["fail_on_status=-503", ""]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
    for _ in 0..5 {
        assert_eq!(asked_with(&httpd, "/b/x", SESSION), "n2");
    }
    assert_eq!(farm.got(), [5, 5]);
    assert!(!httpd.jk_log().contains("JK0221"));
}

#[test]
fn so_many_reply_timeouts_are_forgiven() {
    covers!("max_reply_timeouts", "reply_timeout");
    for (most, asked_of_it) in [("0", 1), ("2", 3), ("-1", 6)] {
        let (farm, _) = switched(|say| {
            say.closed_by_peer(PATIENCE);
        });
        let lines = format!("max_reply_timeouts={most} retry_budget=0");
        let workers = farm.balancer("b", &lines, &["reply_timeout=100", ""]);
        let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
        for _ in 0..6 {
            assert_eq!(asked_with(&httpd, "/b/x", SESSION), "n2");
        }
        assert_eq!(farm.got(), [asked_of_it, 6], "{most}: {}", httpd.jk_log());
        if most != "-1" {
            wait_until("it is reported", || httpd.jk_log().contains("JK0221"));
        }
    }
}

#[test]
fn a_member_at_work_is_not_condemned_for_one_error() {
    covers!("error_escalation_time");
    // One request is in work on it while others break: that alone takes nobody out, but after a while it does.
    for (escalation, condemned) in [("60", false), ("0", true), ("1", true)] {
        let gate = crate::support::Gate::new();
        let held = gate.clone();
        let farm = Farm::scripted(2, move |number, request, say| {
            if request.uri.contains("/hold") {
                say.pause(&held);
            } else if number == 1 {
                return say.reset();
            }
            node(number, request, say);
        });
        let workers =
            farm.balancer("b", &format!("error_escalation_time={escalation} retry_budget=0"), &["", ""]);
        let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
        let path = "/b/hold;jsessionid=a.n1";
        let holding = crate::farm::hold(&httpd, path, 1);
        gate.await_waiting(1);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1500) {
            assert_eq!(asked_with(&httpd, "/b/x", SESSION), "n2");
            std::thread::sleep(Duration::from_millis(50));
        }
        let reported = poll(Duration::from_millis(if condemned { 5000 } else { 600 }), || {
            httpd.jk_log().contains("JK0221")
        });
        assert_eq!(reported, condemned, "{escalation}: {}", httpd.jk_log());
        gate.open();
        for answer in holding {
            assert_eq!(answer.join().unwrap().status, 200);
        }
    }
}

#[test]
fn when_all_answer_badly_somebody_is_tried_all_the_same() {
    covers!("recover_time");
    let (farm, bad) = switched(unavailable);
    let workers = farm.balancer("b", "recover_time=600", &["fail_on_status=503", "activation=s"]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
    assert_eq!(asked(&httpd, "/b/x"), "503");
    bad.store(false, Ordering::SeqCst);
    assert_eq!(asked(&httpd, "/b/x"), "n1", "{}", httpd.jk_log());
}
