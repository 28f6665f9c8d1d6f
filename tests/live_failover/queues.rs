//! Requests that wait: at a member that has enough to do, and at a balancer without a member that can be used.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::effect::covers;
use crate::farm::{Farm, asked, hold, mounts, node};
use crate::support::{Backend, Gate, Httpd, Mpm, client, under_each_mpm, wait_until};

#[test]
fn requests_wait_while_the_only_member_restarts() {
    covers!("queue_size", "queue_timeout");
    let mut farm = Farm::of(1);
    let workers = farm.balancer("b", "queue_size=50 queue_timeout=15000", &[""]);
    let httpd = Httpd::builder().threads_per_child(16).workers(workers).conf(mounts(&["b"])).start();
    assert_eq!(asked(&httpd, "/b/x"), "n1");
    let port = httpd.port();
    let stop = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut statuses = Vec::new();
                while stop.load(Ordering::SeqCst) == 0 {
                    statuses.push(client::get(port, "/b/x").status);
                }
                statuses
            })
        })
        .collect();
    for _ in 0..2 {
        let before = farm.got()[0];
        wait_until("the clients are at it", || farm.got()[0] > before + 20);
        // A backend that goes down in an orderly way ends its connections between requests.
        farm.node_mut(1).stop_listening();
        farm.node_mut(1).close_connections();
        wait_until("it is noticed", || httpd.jk_log().contains("JK0221"));
        farm.node_mut(1).listen();
    }
    let before = farm.got()[0];
    wait_until("it serves again", || farm.got()[0] > before + 20);
    stop.store(1, Ordering::SeqCst);
    let statuses: Vec<u16> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let failed = statuses.iter().filter(|status| **status != 200).count();
    // Requests in work on the moment the connection is cut may have been half done, but GETs may be repeated.
    assert_eq!(failed, 0, "of {}: {}", statuses.len(), httpd.jk_log());
}

#[test]
fn a_wait_for_a_member_has_an_end_and_the_queue_has_too() {
    covers!("queue_size", "queue_timeout");
    let mut farm = Farm::of(1);
    let workers = farm.balancer("b", "queue_size=2 queue_timeout=1500", &[""]);
    let httpd = Httpd::builder().threads_per_child(8).workers(workers).conf(mounts(&["b"])).start();
    farm.node_mut(1).stop();
    let begun = Instant::now();
    let waiting = hold(&httpd, "/b/x", 5);
    let mut answers: Vec<_> = waiting
        .into_iter()
        .map(|thread| {
            let answer = thread.join().unwrap();
            (begun.elapsed(), answer)
        })
        .collect();
    answers.sort_by_key(|(took, _)| *took);
    assert!(answers.iter().all(|(_, answer)| answer.status == 503 && answer.header("Retry-After").is_some()));
    assert!(
        (Duration::from_millis(1400)..Duration::from_secs(8)).contains(&begun.elapsed()),
        "{:?}",
        begun.elapsed()
    );
    let log = httpd.jk_log();
    let full = log.lines().filter(|line| line.contains("JK0217") && line.contains("full")).count();
    assert_eq!(full, 3, "{log}");
    assert!(log.lines().any(|line| line.contains("JK0217") && line.contains("1500 ms")), "{log}");
}

under_each_mpm!(no_more_than_max_in_flight_reach_a_member);

fn no_more_than_max_in_flight_reach_a_member(mpm: Mpm) {
    covers!("max_in_flight", "queue_size", "queue_timeout");
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (current, peak) = (Arc::clone(&now), Arc::clone(&most));
    let farm = Farm::scripted(1, move |number, request, say| {
        let here = current.fetch_add(1, Ordering::SeqCst) + 1;
        peak.fetch_max(here, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(10));
        // Before the answer: httpd may begin the next request as soon as it has it.
        current.fetch_sub(1, Ordering::SeqCst);
        node(number, request, say);
    });
    let limits = "max_in_flight=3 queue_size=100 queue_timeout=30000";
    let workers = farm.balancer("b", "", &[limits])
        + &farm.node(1).worker("single")
        + &limits.split(' ').map(|line| format!("worker.single.{line}\n")).collect::<String>();
    let (servers, threads) = if mpm == Mpm::Prefork { (8, 1) } else { (2, 6) };
    let httpd = Httpd::builder()
        .mpm(mpm)
        .servers(servers)
        .threads_per_child(threads)
        .workers(workers)
        .conf(mounts(&["b", "single"]))
        .start();
    for name in ["b", "single"] {
        most.store(0, Ordering::SeqCst);
        let port = httpd.port();
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let path = format!("/{name}/x");
                std::thread::spawn(move || {
                    let mut longest = Duration::ZERO;
                    for _ in 0..20 {
                        let begun = Instant::now();
                        assert_eq!(client::get(port, &path).status, 200);
                        longest = longest.max(begun.elapsed());
                    }
                    longest
                })
            })
            .collect();
        let longest: Vec<Duration> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        let peak = most.load(Ordering::SeqCst);
        assert!((2..=3).contains(&peak), "{name}: {peak}");
        // Eight clients, three places, 10 ms each: about 30 ms. Who waits must not be overtaken again and again.
        assert!(longest.iter().all(|time| *time < Duration::from_secs(2)), "{name}: {longest:?}");
    }
    httpd.assert_no_errors(&["AH00161"]); // prefork says that all its processes are busy, as they are meant to be
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
fn a_queue_that_is_full_says_so() {
    covers!("max_in_flight", "queue_size", "queue_timeout");
    let (farm, gate) = holding(1);
    let lines = "max_in_flight=1\nqueue_size=1\nqueue_timeout=20000\n";
    let single: String = lines.lines().map(|line| format!("worker.w.{line}\n")).collect();
    let none = "worker.none.max_in_flight=1\n";
    let brief = "worker.brief.max_in_flight=1\nworker.brief.queue_size=9\nworker.brief.queue_timeout=300\n";
    let workers = [
        farm.node(1).worker("w"),
        single,
        farm.node(1).worker("none"),
        none.to_owned(),
        farm.node(1).worker("brief"),
        brief.to_owned(),
    ];
    let httpd = Httpd::builder()
        .threads_per_child(16)
        .workers(workers.concat())
        .conf(mounts(&["w", "none", "brief"]))
        .start();
    let first = ["w", "none", "brief"].map(|name| hold(&httpd, &format!("/{name}/hold"), 1));
    gate.await_waiting(3);
    let refused = |path: &str, text: &str| {
        let before = httpd.jk_log().matches("JK02").count();
        let answer = client::get(httpd.port(), path);
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.header("Retry-After").is_some(), "{:?}", answer.headers);
        let log = httpd.jk_log();
        assert_eq!(log.matches("JK02").count(), before + 1, "{path}: {log}");
        assert!(log.lines().last().unwrap().contains(text), "{path}: {log}");
    };
    // One of two finds the place in the queue.
    let mut second = hold(&httpd, "/w/x", 2);
    wait_until("the queue is full", || second.iter().any(std::thread::JoinHandle::is_finished));
    let place = second.iter().position(std::thread::JoinHandle::is_finished).unwrap();
    assert_eq!(second.remove(place).join().unwrap().status, 503);
    refused("/w/y", "JK0217");
    refused("/none/y", "JK0217");
    let begun = Instant::now();
    refused("/brief/y", "JK0217");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    gate.open();
    for thread in first.into_iter().flatten().chain(second) {
        assert_eq!(thread.join().unwrap().status, 200);
    }
    assert_eq!(client::get(httpd.port(), "/w/x").status, 200);
}

#[test]
fn a_full_member_is_passed_over_and_a_session_waits_for_it() {
    covers!("max_in_flight", "busy_limit", "queue_size", "queue_timeout");
    let (farm, gate) = holding(2);
    let workers = farm.balancer("q", "", &["max_in_flight=1 queue_size=5 queue_timeout=20000", ""])
        + &farm.balancer("l", "", &["busy_limit=1", ""]);
    let httpd = Httpd::builder().threads_per_child(16).workers(workers).conf(mounts(&["q", "l"])).start();
    let held = [hold(&httpd, "/q/hold;jsessionid=a.n1", 1), hold(&httpd, "/l/hold;jsessionid=a.n1", 1)];
    gate.await_waiting(2);
    // New requests go to the other one, and so do sessions of a member without a queue.
    for _ in 0..4 {
        assert_eq!(asked(&httpd, "/q/x"), "n2");
        assert_eq!(asked(&httpd, "/l/x"), "n2");
        assert_eq!(asked(&httpd, "/l/x;jsessionid=a.n1"), "n2");
    }
    let waiting = hold(&httpd, "/q/x;jsessionid=a.n1", 3);
    std::thread::sleep(Duration::from_millis(200));
    assert!(waiting.iter().all(|thread| !thread.is_finished()), "they wait");
    gate.open();
    for thread in waiting {
        assert_eq!(crate::farm::who(&thread.join().unwrap()), "n1");
    }
    for thread in held.into_iter().flatten() {
        assert_eq!(thread.join().unwrap().status, 200);
    }
    // It is usable again for everybody.
    let got: Vec<String> = (0..8).map(|_| asked(&httpd, "/l/x")).collect();
    assert!(got.iter().any(|node| node == "n1"), "{got:?}");
    let _: &Backend = farm.node(1);
}
