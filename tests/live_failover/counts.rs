//! Counts and states that all processes share: they survive the death of a process and a graceful restart.

use std::collections::BTreeMap;

use crate::effect::covers;
use crate::farm::{Farm, asked, asked_often, asked_with, hold, mounts, node};
use crate::support::{Gate, Httpd, Mpm, client, process, under_each_mpm, wait_until};

under_each_mpm!(
    what_killed_processes_had_in_work_is_given_back,
    a_graceful_restart_keeps_states_and_statistics,
);

fn what_killed_processes_had_in_work_is_given_back(mpm: Mpm) {
    covers!("busy_limit", "max_in_flight");
    let gate = Gate::new();
    let held = gate.clone();
    let farm = Farm::scripted(1, move |number, request, say| {
        if request.uri.contains("/hold") {
            say.pause(&held);
        }
        node(number, request, say);
    });
    let workers = farm.balancer("b", "", &["busy_limit=3"])
        + &farm.node(1).worker("w")
        + "worker.w.max_in_flight=3\n"
        + &farm.balancer("method", "method=B", &["lbfactor=1"]);
    let (servers, threads) = if mpm == Mpm::Prefork { (8, 1) } else { (2, 8) };
    let httpd = Httpd::builder()
        .mpm(mpm)
        .servers(servers)
        .threads_per_child(threads)
        .allow_log("exit signal Killed")
        .workers(workers)
        .conf(mounts(&["b", "w", "method"]))
        .start();
    let holding: Vec<_> = ["/b/hold", "/w/hold"].iter().flat_map(|path| hold(&httpd, path, 3)).collect();
    gate.await_waiting(6);
    // Over all processes: wherever the next request goes, there is no room.
    for _ in 0..6 {
        for path in ["/b/x", "/w/x"] {
            assert_eq!(client::get(httpd.port(), path).status, 503, "{path}");
        }
        if mpm == Mpm::Prefork {
            break; // two processes are free, and both have been asked or neither can be told apart
        }
    }
    for pid in httpd.child_pids() {
        process::signal(pid, libc::SIGKILL);
    }
    for path in ["/b/x", "/w/x"] {
        wait_until("there is room again", || {
            let answer = std::panic::catch_unwind(|| client::get(httpd.port(), path).status);
            answer.is_ok_and(|status| status == 200)
        });
    }
    gate.open();
    for thread in holding {
        let _ = thread.join(); // their connections died with the processes
    }
}

/// The notes of the request for `path` in the access log, whose lines need not be in the order of the requests.
fn notes_of(httpd: &Httpd, path: &str) -> BTreeMap<String, String> {
    let begin = format!("PATH={path}|");
    let line = || {
        let log = std::fs::read_to_string(httpd.root().join("logs/notes.log")).unwrap_or_default();
        log.split_inclusive('\n')
            .find(|line| line.starts_with(&begin) && line.ends_with('\n'))
            .map(str::to_owned)
    };
    wait_until("the line of the request", || line().is_some());
    let line = line().unwrap();
    let pairs = line.split('|').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn a_graceful_restart_keeps_states_and_statistics(mpm: Mpm) {
    covers!("recover_time", "lbfactor");
    let farm = Farm::scripted(3, |number, request, say| {
        if number == 2 && request.uri.contains("/bad") {
            say.send_headers(503, "503", &[]);
            say.end(true);
        } else {
            node(number, request, say);
        }
    });
    let workers = farm.balancer("b", "recover_time=600", &["lbfactor=2", "fail_on_status=503", ""]);
    let notes: String = ["NAME", "ACCESSED", "SESSIONS", "ERRORS", "VALUE", "STATE"]
        .map(|note| format!("{note}=%{{JK_LB_LAST_{note}}}n|FIRST_{note}=%{{JK_LB_FIRST_{note}}}n|"))
        .concat();
    let conf =
        mounts(&["b"]) + &format!("LogFormat \"PATH=%U|{notes}\" notes\nCustomLog logs/notes.log notes\n");
    let httpd = Httpd::builder().mpm(mpm).servers(2).threads_per_child(3).workers(workers).conf(conf).start();
    assert_eq!(asked_with(&httpd, "/b/bad", ("Cookie", "JSESSIONID=a.n2")), "n1");
    let notes = notes_of(&httpd, "/b/bad");
    assert_eq!((notes["FIRST_ERRORS"].as_str(), notes["FIRST_STATE"].as_str()), ("1", "ERR"));
    asked_often(&httpd, "/b/x", 7);
    asked_with(&httpd, "/b/before", ("Cookie", "JSESSIONID=a.n3"));
    let before = notes_of(&httpd, "/b/before");
    for restart in 0..2 {
        httpd.graceful();
        let path = format!("/b/after/{restart}");
        assert_eq!(asked_with(&httpd, &path, ("Cookie", "JSESSIONID=a.n3")), "n3");
        let after = notes_of(&httpd, &path);
        let number = |notes: &BTreeMap<String, String>, name: &str| notes[name].parse::<usize>().unwrap();
        assert_eq!(number(&after, "ACCESSED"), number(&before, "ACCESSED") + 1 + restart);
        assert_eq!(number(&after, "SESSIONS"), number(&before, "SESSIONS"));
        assert_eq!(number(&after, "VALUE"), number(&before, "VALUE") + 2 * (1 + restart));
    }
    // The member that failed is still out.
    assert_eq!(asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n2")).as_str().chars().next(), Some('n'));
    assert_eq!(farm.node(2).requests().len(), 1);
    wait_until("it is reported", || httpd.jk_log().contains("JK0221"));
    httpd.graceful();
    assert_eq!(asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n3")), "n3");
    assert_eq!(httpd.jk_log().matches("JK0221").count(), 1, "reported once: {}", httpd.jk_log());
    httpd.assert_no_errors(&[]);
}

#[test]
fn a_restart_that_changes_the_farm_keeps_what_is_known_of_those_who_stay() {
    covers!("balance_workers", "lbfactor");
    let mut farm = Farm::of(4);
    let conf = mounts(&["b"])
        + "LogFormat \"PATH=%U|ACCESSED=%{JK_LB_LAST_ACCESSED}n|\" n\nCustomLog logs/notes.log n\n";
    let httpd = Httpd::builder().workers(farm.balancer("b", "", &["", "", "-"])).conf(conf).start();
    assert_eq!(crate::farm::share_of::<2>(&asked_often(&httpd, "/b/x", 10)), [5, 5]);
    farm.node_mut(2).stop();
    assert_eq!(asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n2")), "n1");
    wait_until("it is reported", || httpd.jk_log().contains("JK0221"));
    // n1 stays with another weight, n2 stays out of service, n3 and n4 are new.
    httpd.write("conf/workers.properties", &farm.balancer("b", "", &["lbfactor=2", "", "", ""]));
    httpd.graceful();
    let got: Vec<String> = (0..12).map(|_| asked(&httpd, "/b/x")).collect();
    let [one, two, three, four] = crate::farm::share_of::<4>(&got);
    // Twice as much for n1; nobody has to catch up.
    assert!(two == 0 && (5..=7).contains(&one) && three >= 2 && four >= 2, "{got:?}");
    assert_eq!(asked_with(&httpd, "/b/last", ("Cookie", "JSESSIONID=a.n1")), "n1");
    let notes = notes_of(&httpd, "/b/last");
    assert_eq!(notes["ACCESSED"].parse::<usize>().unwrap(), 6 + one + 1);
    assert_eq!(httpd.jk_log().matches("JK0201").count(), 1, "{}", httpd.jk_log());
}
