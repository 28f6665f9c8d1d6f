//! Restarts of a running httpd: with good and with broken workers, and under load.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use support::{Backend, Client, Httpd, Mpm, client, under_each_mpm};

const BROKEN: &str = "worker.list=w\nworker.w.hots=127.0.0.1\nworker.w.port=none\n";
const KEPT: &str = "the server goes on with the workers it had before this restart";

under_each_mpm!(broken_workers_do_not_end_the_server, a_graceful_restart_loses_no_request);

/// A graceful restart with broken workers keeps the server and its workers; a good file then takes effect.
fn broken_workers_do_not_end_the_server(mpm: Mpm) {
    let (old, new) = (Backend::start(), Backend::start());
    let mut httpd = Httpd::builder().mpm(mpm).workers(old.worker("w")).conf("JkMount /app/* w").start();
    assert_eq!(client::get(httpd.port(), "/app/1").status, 200);

    for round in 1..=2 {
        httpd.write("conf/workers.properties", BROKEN);
        assert!(!httpd.configtest().0, "the configuration test has to warn");
        httpd.graceful();
        support::wait_until("the server says that it kept its workers", || {
            httpd.error_log().matches(KEPT).count() >= round
        });
        let log = httpd.error_log();
        let place = format!("{}/conf/workers.properties:", httpd.root().display());
        for cause in ["2: unknown property 'worker.w.hots'; did you mean 'host'?", "3: not a number"] {
            let cause = cause.replace("3: ", "3: worker.w.port: ");
            assert!(log.contains(&format!("{place}{cause}")), "no {place}{cause} in\n{log}");
        }
        assert!(log.contains("JK0003"), "{log}");
        assert!(httpd.is_running());
        assert_eq!(client::get(httpd.port(), "/app/2").status, 200, "{log}");
    }
    assert_eq!((old.requests().len(), new.requests().len()), (3, 0));

    // The file may also be missing altogether.
    std::fs::remove_file(httpd.root().join("conf/workers.properties")).unwrap();
    httpd.graceful();
    assert_eq!(client::get(httpd.port(), "/app/3").status, 200);
    assert_eq!((old.requests().len(), new.requests().len()), (4, 0));

    httpd.write("conf/workers.properties", &new.worker("w"));
    httpd.graceful();
    assert_eq!(client::get(httpd.port(), "/app/4").status, 200);
    assert_eq!((old.requests().len(), new.requests().len()), (4, 1));
    assert_eq!(httpd.error_log().matches(KEPT).count(), 3);
    old.assert_no_errors();
    new.assert_no_errors();
}

#[test]
fn a_hard_restart_with_broken_workers_does_not_end_the_server_either() {
    let backend = Backend::start();
    let httpd = Httpd::builder().workers(backend.worker("w")).conf("JkMount /app/* w").start();
    httpd.write("conf/workers.properties", BROKEN);
    httpd.restart();
    httpd.wait_for_log(KEPT);
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
}

#[test]
fn a_first_start_with_broken_workers_is_refused() {
    let mut httpd = Httpd::builder().workers(BROKEN).conf("JkMount /app/* w").prepare();
    let text = httpd.launch().expect_err("started");
    assert!(text.contains("unknown property 'worker.w.hots'; did you mean 'host'?"), "{text}");
    assert!(text.contains("worker.w.port: not a number: 'none'"), "{text}");
    assert!(!text.contains(KEPT), "{text}");
    assert!(!httpd.is_running());
}

#[test]
fn a_restart_changes_mounts_and_forgets_removed_ones() {
    let backend = Backend::start();
    let httpd = Httpd::builder().workers(backend.worker("w")).conf("JkMount /old/* w").start();
    assert_eq!(client::get(httpd.port(), "/old/x").status, 200);
    httpd.replace_conf("JkMount /new/* w");
    httpd.graceful();
    assert_eq!(client::get(httpd.port(), "/old/x").status, 404);
    assert_eq!(client::get(httpd.port(), "/new/x").status, 200);
    // A mount that leads nowhere is no reason to end a running server; its requests are answered with 500.
    httpd.replace_conf("JkMount /new/* w\nJkMount /lost/* nosuch\nJkMount /mistyped/* w2");
    httpd.graceful();
    httpd.wait_for_log("there is no worker \"nosuch\"");
    httpd.wait_for_log("there is no worker \"w2\"; did you mean w?");
    assert_eq!(client::get(httpd.port(), "/new/x").status, 200);
    assert_eq!(client::get(httpd.port(), "/lost/x").status, 500);
    assert_eq!(client::get(httpd.port(), "/mistyped/x").status, 500);
}

/// Clients of the load test.
const CLIENTS: usize = 3;
/// Requests each of them makes between two restarts, at least.
const BETWEEN: usize = 40;
/// Restarts.
const RESTARTS: usize = 2;

/// Every request made while the server restarts is answered, completely, and reaches the backend exactly once.
///
/// When httpd closes a kept connection just as a request is sent on it, the client sees the connection end before any
/// octet of an answer, and repeats the request on a new one, as RFC 9112 section 9.3.1 wants. Had the first one been
/// forwarded, the backend would have seen it twice.
fn a_graceful_restart_loses_no_request(mpm: Mpm) {
    let backend = Backend::scripted(|request, say| say.respond(200, &[], request.uri.as_bytes()));
    let httpd = Httpd::builder()
        .mpm(mpm)
        .servers(2)
        .threads_per_child(4)
        .workers(backend.worker("w"))
        .conf("JkMount /app/* w")
        .start();
    let stop = AtomicBool::new(false);
    let counts: [AtomicUsize; CLIENTS] = Default::default();
    let repeated = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for (number, count) in counts.iter().enumerate() {
            let (stop, repeated, port) = (&stop, &repeated, httpd.port());
            scope.spawn(move || {
                let mut client = Client::connect(port);
                while !stop.load(Ordering::Relaxed) {
                    let path = format!("/app/{number}/{}", count.load(Ordering::Relaxed));
                    for attempt in 0.. {
                        assert!(attempt < 10, "{path} is never answered");
                        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
                        let answer =
                            client.try_send(request).and_then(|()| client.try_read_response_to("GET"));
                        let closes = match &answer {
                            Ok(answer) => {
                                assert_eq!((answer.status, answer.text()), (200, path.clone()));
                                answer.header("Connection").is_some_and(|value| value == "close")
                            }
                            Err(_) => true,
                        };
                        if closes {
                            client = Client::connect(port);
                        }
                        if answer.is_ok() {
                            break;
                        }
                        repeated.fetch_add(1, Ordering::Relaxed);
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Ends the clients also when the test fails here.
        struct Stopper<'a>(&'a AtomicBool);
        impl Drop for Stopper<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _stopper = Stopper(&stop);
        let progress = || {
            let goals: Vec<usize> = counts.iter().map(|c| c.load(Ordering::Relaxed) + BETWEEN).collect();
            support::wait_until("all clients are served", || {
                counts.iter().zip(&goals).all(|(count, goal)| count.load(Ordering::Relaxed) >= *goal)
            });
        };
        progress();
        for _ in 0..RESTARTS {
            httpd.graceful();
            progress();
        }
    });
    let mut seen: HashMap<String, usize> = HashMap::new();
    for request in backend.requests() {
        *seen.entry(request.uri.clone()).or_default() += 1;
    }
    let made: usize = counts.iter().map(|count| count.load(Ordering::Relaxed)).sum();
    let twice: Vec<_> = seen.iter().filter(|(_, times)| **times != 1).collect();
    println!("{mpm:?}: {made} requests, {} repeated by the client", repeated.load(Ordering::Relaxed));
    assert!(twice.is_empty(), "forwarded more than once: {twice:?}");
    assert_eq!(seen.len(), made);
    backend.assert_no_errors();
    httpd.assert_no_errors(&[]);
}
