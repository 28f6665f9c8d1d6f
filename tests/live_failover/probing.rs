//! Members that can not be reached are probed in the background by one process, and come back by themselves.

use std::time::{Duration, Instant};

use crate::effect::covers;
use crate::farm::{Farm, asked, asked_often, asked_with, mounts, share_of};
use crate::support::{Backend, Client, Event, Httpd, Mpm, poll, process, under_each_mpm, wait_until};

/// Longest time a member that answers again may be left out: two looks of the prober, and room for a busy machine.
const BACK: Duration = Duration::from_secs(4);

/// Waits until the log says that the member is back; how long it took.
#[track_caller]
fn await_return(httpd: &Httpd, member: &str, times: usize) -> Duration {
    let begun = Instant::now();
    let line = format!("member {member} ");
    let back = || {
        let log = httpd.jk_log();
        log.lines().filter(|text| text.contains("JK0222") && text.contains(&line)).count() >= times
    };
    assert!(poll(BACK, back), "{member} is not back after {BACK:?}: {}", httpd.jk_log());
    begun.elapsed()
}

/// On connections made since `since`, nothing but CPings came before a request, and those were answered.
#[track_caller]
fn only_pings_first(node: &Backend, since: usize) -> usize {
    let mut probes = 0;
    for connection in node.log().iter().skip(since) {
        if connection.requests().is_empty() {
            let odd: Vec<_> = connection
                .events
                .iter()
                .filter(|(_, event)| {
                    !matches!(event, Event::CPing | Event::Eof | Event::Closed | Event::Broken(_))
                })
                .collect();
            assert!(odd.is_empty(), "{odd:?}");
            probes += usize::from(connection.saw(&Event::CPing));
        }
    }
    probes
}

under_each_mpm!(
    a_member_is_probed_and_comes_back_by_itself,
    when_the_prober_is_killed_another_process_goes_on
);

fn a_member_is_probed_and_comes_back_by_itself(mpm: Mpm) {
    covers!("recover_time");
    let mut farm = Farm::of(2);
    // recover_time is long: it has nothing to do with it.
    let workers = farm.balancer("b", "recover_time=600", &["", ""]);
    let httpd = Httpd::builder()
        .mpm(mpm)
        .servers(2)
        .threads_per_child(3)
        .workers(workers)
        .conf(mounts(&["b"]))
        .start();
    for round in 1..=2 {
        farm.node_mut(1).stop();
        assert_eq!(asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n1")), "n2");
        wait_until("it is reported", || httpd.jk_log().matches("JK0221").count() == round);
        let (requests, connections) = (farm.node(1).requests().len(), farm.node(1).log().len());
        farm.node_mut(1).listen();
        // No request comes: it is found all the same.
        await_return(&httpd, "b1", round);
        assert_eq!(farm.node(1).requests().len(), requests, "no request was the probe");
        assert!(only_pings_first(farm.node(1), connections) >= 1);
        assert_eq!(asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n1")), "n1");
    }
    httpd.assert_no_errors(&[]);
}

#[test]
fn no_request_is_sent_to_a_member_that_does_not_answer_its_probes() {
    covers!("ping_timeout");
    let farm = Farm::of(2);
    farm.node(1).answer_pings(false);
    let workers =
        farm.balancer("b", "recover_time=1", &["ping_mode=C ping_timeout=200", ""]) + "worker.maintain=1\n";
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
    // Traffic all the time, of its sessions too.
    let until = Instant::now() + Duration::from_secs(3);
    let mut longest = Duration::ZERO;
    while Instant::now() < until {
        let begun = Instant::now();
        assert_eq!(asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n1")), "n2");
        longest = longest.max(begun.elapsed());
    }
    assert!(farm.node(1).requests().is_empty());
    // One request met it; all other connections are the prober's, a few each second.
    let connections = farm.node(1).log().len();
    assert!((3..=20).contains(&connections), "{connections}");
    let log = httpd.jk_log();
    assert_eq!(log.matches("JK0203").count(), 1, "{log}");
    farm.node(1).answer_pings(true);
    await_return(&httpd, "b1", 1);
    assert_eq!(asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n1")), "n1");
}

#[test]
fn all_members_of_a_farm_come_back() {
    covers!("recover_time");
    let mut farm = Farm::of(2);
    let workers = farm.balancer("b", "", &["", ""]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
    farm.nodes.iter_mut().for_each(Backend::stop);
    assert_eq!(asked(&httpd, "/b/x"), "503");
    wait_until("both are reported", || httpd.jk_log().matches("JK0221").count() == 2);
    farm.nodes.iter_mut().for_each(Backend::listen);
    for member in ["b1", "b2"] {
        await_return(&httpd, member, 1);
    }
    assert_eq!(share_of::<2>(&asked_often(&httpd, "/b/x", 6)), [3, 3]);
}

/// Process id in a line of the module's log: `[date] [id] [pid:thread] …`.
fn pid_of(line: &str) -> u32 {
    let field = line.split('[').nth(3).and_then(|field| field.split(':').next());
    field.and_then(|pid| pid.parse().ok()).unwrap_or_else(|| panic!("no process id in {line:?}"))
}

fn when_the_prober_is_killed_another_process_goes_on(mpm: Mpm) {
    covers!("recover_time");
    let mut farm = Farm::of(2);
    let workers = farm.balancer("b", "", &["", ""]);
    let httpd = Httpd::builder()
        .mpm(mpm)
        .servers(3)
        .threads_per_child(2)
        .jk_log_level("debug")
        .allow_log("exit signal Killed")
        .workers(workers)
        .conf(mounts(&["b"]))
        .start();
    let probers = || -> Vec<u32> {
        httpd.jk_log().lines().filter(|line| line.contains("JK0223")).map(pid_of).collect()
    };
    wait_until("a process takes the office", || !probers().is_empty());
    let first = probers()[0];
    assert!(httpd.child_pids().contains(&first));
    farm.node_mut(1).stop();
    assert_eq!(asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n1")), "n2");
    wait_until("it is reported", || httpd.jk_log().contains("JK0221"));
    process::signal(first, libc::SIGKILL);
    wait_until("the process is gone", || !httpd.child_pids().contains(&first));
    farm.node_mut(1).listen();
    await_return(&httpd, "b1", 1);
    let all = probers();
    assert!(all.len() >= 2 && all[1..].iter().all(|pid| *pid != first), "{all:?}");
    assert_eq!(asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n1")), "n1");
    // It was reported once, although another process brought it back.
    assert_eq!(httpd.jk_log().matches("JK0221").count(), 1, "{}", httpd.jk_log());
}

#[test]
fn members_out_of_reach_stay_out_over_a_graceful_restart_and_come_back() {
    covers!("activation");
    let mut farm = Farm::of(2);
    let workers = farm.balancer("b", "", &["", ""]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
    farm.node_mut(1).stop();
    assert_eq!(asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n1")), "n2");
    let failures = || httpd.jk_log().matches("JK0201").count();
    assert_eq!(failures(), 1);
    httpd.graceful();
    assert_eq!(asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n1")), "n2");
    assert_eq!(failures(), 1, "the new processes know: {}", httpd.jk_log());
    farm.node_mut(1).listen();
    await_return(&httpd, "b1", 1);
    assert_eq!(asked_with(&httpd, "/b/x", ("Cookie", "JSESSIONID=a.n1")), "n1");
}

#[test]
fn a_member_that_came_back_warms_up() {
    covers!("slow_start");
    let mut farm = Farm::of(2);
    let workers = farm.balancer("slow", "slow_start=60", &["", ""]) + &farm.balancer("fast", "", &["", ""]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["slow", "fast"])).start();
    for name in ["slow", "fast"] {
        assert_eq!(share_of::<2>(&asked_often(&httpd, &format!("/{name}/x"), 20)), [10, 10]);
    }
    farm.node_mut(1).stop();
    for name in ["slow", "fast"] {
        // Each balancer has a record of its own.
        assert_eq!(asked_with(&httpd, &format!("/{name}/x"), ("Cookie", "JSESSIONID=a.n1")), "n2");
    }
    farm.node_mut(1).listen();
    await_return(&httpd, "slow1", 1);
    await_return(&httpd, "fast1", 1);
    let mut client = Client::connect(httpd.port());
    let mut share = |path: &str| (0..40).filter(|_| crate::farm::who(&client.get(path)) == "n1").count();
    let slow = share("/slow/x");
    let fast = share("/fast/x");
    assert!((1..=10).contains(&slow), "a tenth of the weight, and a little more each second: {slow}");
    assert!((15..=25).contains(&fast), "neither flooded nor left out: {fast}");
}
