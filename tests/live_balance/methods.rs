//! method, lbfactor, lock, hash_key: who gets how much.

use crate::effect::{covers, judge};
use crate::farm::{Farm, asked, asked_often, asked_with, hold, mounts, node, share_of};
use crate::support::{Gate, Httpd, Mpm, under_each_mpm};

under_each_mpm!(requests_are_shared_by_weight_over_all_processes);

fn requests_are_shared_by_weight_over_all_processes(mpm: Mpm) {
    covers!("lbfactor", "method", "lock");
    let farm = Farm::of(3);
    let weights = ["", "lbfactor=2", "lbfactor=3"];
    let mut workers = String::new();
    let names = ["r", "s", "n", "b", "p"];
    for (name, lines) in
        names.iter().zip(["", "method=Sessions", "method=next", "method=2", "method=R lock=Pessimistic"])
    {
        workers += &farm.balancer(name, lines, &weights);
    }
    let httpd = Httpd::builder()
        .mpm(mpm)
        .servers(3)
        .threads_per_child(2)
        .workers(workers)
        .conf(mounts(&names))
        .start();
    for (name, wanted) in names.iter().zip([[4, 8, 12], [4, 8, 12], [4, 8, 12], [8, 8, 8], [4, 8, 12]]) {
        // Connections of their own, so that processes take turns.
        let got: Vec<String> = (0..24).map(|_| asked(&httpd, &format!("/{name}/x"))).collect();
        // By requests in work it is the turn of the next one of the process, as long as there are none.
        if *name != "b" || mpm != Mpm::Prefork && httpd.child_pids().len() == 1 {
            assert_eq!(share_of::<3>(&got), wanted, "{name}: {got:?}");
        }
    }
}

#[test]
fn weights_that_make_no_sense_are_named() {
    covers!("lbfactor", "method", "lock");
    let httpd = Httpd::builder().prepare();
    judge(
        &httpd,
        &[
            ("JkWorkerProperty worker.ajp13.lbfactor=0", "warning: 0 is too low, 1 is used"),
            ("JkWorkerProperty worker.ajp13.lbfactor=x", "not a number: 'x'"),
        ],
    );
}

#[test]
fn bytes_are_evened_out() {
    covers!("method");
    let farm = Farm::of(2);
    let workers = farm.balancer("t", "method=Traffic", &["", ""]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["t"])).start();
    let first = asked(&httpd, "/t/size/60000");
    let others = asked_often(&httpd, "/t/x", 20);
    assert!(others.iter().all(|other| *other != first), "{first}, then {others:?}");
}

#[test]
fn sessions_are_counted_once_by_sessions_and_each_time_by_request() {
    covers!("method");
    let farm = Farm::of(2);
    let workers = farm.balancer("s", "method=S", &["", ""])
        + &farm.balancer("r", "method=R", &["", ""])
        + &farm.balancer("n", "method=N", &["", ""]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["s", "r", "n"])).start();
    for (name, wanted) in [("s", [5, 5]), ("n", [5, 5]), ("r", [0, 10])] {
        for _ in 0..10 {
            let path = format!("/{name}/x;jsessionid=a.n1");
            assert_eq!(asked(&httpd, &path), "n1");
        }
        let got = asked_often(&httpd, &format!("/{name}/x"), 10);
        assert_eq!(share_of::<2>(&got), wanted, "{name}: {got:?}");
    }
}

/// A farm whose path `/…/hold` waits for the gate.
fn holding(count: usize) -> (Farm, Gate) {
    let gate = Gate::new();
    let held = gate.clone();
    let farm = Farm::scripted(count, move |number, request, say| {
        if request.uri.contains("/hold") {
            say.pause(&held);
        }
        node(number, request, say);
    });
    (farm, gate)
}

#[test]
fn requests_in_work_are_evened_out_by_weight() {
    covers!("method", "lbfactor");
    let (farm, gate) = holding(2);
    let workers = farm.balancer("b", "method=Busyness", &["", "lbfactor=3"]);
    let httpd = Httpd::builder().threads_per_child(16).workers(workers).conf(mounts(&["b"])).start();
    let mut held = Vec::new();
    for count in 1..=8 {
        held.extend(hold(&httpd, "/b/hold", 1));
        gate.await_waiting(count);
    }
    assert_eq!(farm.got(), [2, 6]);
    gate.open();
    for answer in held {
        assert_eq!(answer.join().unwrap().status, 200);
    }
    // What is done is forgotten: equals take turns.
    let got = asked_often(&httpd, "/b/x", 10);
    assert_eq!(share_of::<2>(&got), [5, 5], "{got:?}");
}

#[test]
fn of_two_drawn_by_lot_the_less_busy_one_is_taken() {
    covers!("method");
    let (farm, gate) = holding(3);
    let workers = farm.balancer("two", "method=P2C", &["", ""])
        + &farm.balancer("all", "method=5", &["", "", "lbfactor=2"]);
    let httpd = Httpd::builder().threads_per_child(16).workers(workers).conf(mounts(&["two", "all"])).start();
    let held = hold(&httpd, "/two/hold;jsessionid=a.n1", 3);
    gate.await_waiting(3);
    let got = asked_often(&httpd, "/two/x", 20);
    assert_eq!(share_of::<2>(&got), [0, 20], "{got:?}");
    // With nothing in work each gets its share, not by turns.
    let got = asked_often(&httpd, "/all/x", 120);
    let [one, two, three] = share_of::<3>(&got);
    assert!(one >= 8 && two >= 8 && three >= 30, "{got:?}");
    gate.open();
    for answer in held {
        assert_eq!(who_answered(answer), "n1");
    }
}

fn who_answered(thread: std::thread::JoinHandle<crate::support::Response>) -> String {
    crate::farm::who(&thread.join().unwrap())
}

#[test]
fn slow_members_get_less_by_latency() {
    covers!("method");
    let farm = Farm::scripted(2, |number, request, say| {
        if number == 1 {
            std::thread::sleep(std::time::Duration::from_millis(60));
        }
        node(number, request, say);
    });
    let workers = farm.balancer("l", "method=Latency", &["", ""]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["l"])).start();
    let got = asked_often(&httpd, "/l/x", 40);
    let [slow, fast] = share_of::<2>(&got);
    assert!(slow >= 1 && fast >= 30, "{got:?}");
}

#[test]
fn the_same_key_goes_to_the_same_member() {
    covers!("method", "hash_key");
    let farm = Farm::of(4);
    let four = ["", "", "", ""];
    let mut workers = String::new();
    let names = ["session", "cookie", "header", "uri", "client"];
    for (name, key) in names.iter().zip(["session", "cookie:U", "header:X-Key", "uri", "client"]) {
        workers += &farm.balancer(name, &format!("method=Hash sticky_session=0 hash_key={key}"), &four);
    }
    // With one member stopped only its keys move.
    let conf = mounts(&names) + "JkMount /less/* header;stopped=header2\n";
    let httpd = Httpd::builder().servers(2).workers(workers).conf(conf).start();
    let spread = |ask: &dyn Fn(usize) -> String| {
        let first: Vec<String> = (0..40).map(ask).collect();
        let again: Vec<String> = (0..40).map(ask).collect();
        assert_eq!(first, again);
        first
    };
    let by_session =
        spread(&|key| asked_with(&httpd, "/session/x", ("Cookie", &format!("JSESSIONID=s{key}.n1"))));
    let by_cookie = spread(&|key| asked_with(&httpd, "/cookie/x", ("Cookie", &format!("a=b; U=u{key}"))));
    let by_header = spread(&|key| asked_with(&httpd, "/header/x", ("X-Key", &format!("k{key}"))));
    let by_uri = spread(&|key| asked(&httpd, &format!("/uri/{key}?{}", key / 2)));
    for got in [&by_session, &by_cookie, &by_header, &by_uri] {
        let shares = share_of::<4>(got);
        assert!(shares.iter().all(|share| *share >= 2), "{shares:?}");
    }
    let by_client = spread(&|key| asked(&httpd, &format!("/client/{key}")));
    assert!(by_client.iter().all(|node| *node == by_client[0]), "{by_client:?}");
    // The query does not count, nor does the route of a session.
    assert_eq!(asked(&httpd, "/uri/1?other"), by_uri[1]);
    assert_eq!(asked_with(&httpd, "/session/x", ("Cookie", "JSESSIONID=s3.n2")), by_session[3]);
    let less = spread(&|key| asked_with(&httpd, "/less/x", ("X-Key", &format!("k{key}"))));
    for (before, after) in by_header.iter().zip(&less) {
        let moved = after != before;
        assert!(after != "n2" && moved == (before == "n2"), "{by_header:?}\n{less:?}");
    }
    let judged = Httpd::builder().prepare();
    let lb = "JkWorkerProperty worker.list=l\nJkWorkerProperty worker.l.type=lb\nJkWorkerProperty worker.l.balance_workers=a\nJkWorkerProperty worker.a.port=1\n";
    judge(
        &judged,
        &[
            (&format!("{lb}JkWorkerProperty worker.l.hash_key=colour"), "is not one of session, cookie:NAME"),
            (&format!("{lb}JkWorkerProperty worker.l.method=Magic"), "warning: the default is used: Request"),
            (&format!("{lb}JkWorkerProperty worker.l.method=Hash"), ""),
        ],
    );
}
