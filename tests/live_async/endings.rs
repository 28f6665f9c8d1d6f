//! Time limits, clients and backends that vanish, and servers that restart or stop, while requests wait without a thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Backend, Client, Gate, Mpm, PATIENCE, client, process, under_each_mpm, wait_until};
use crate::{ask, await_descriptors, builder, descriptors};

under_each_mpm!(a_backend_that_is_too_slow, a_backend_that_dies, a_client_that_ends_only_its_sending);

/// Waits at the gate when the path says so.
fn gated(gate: &Gate) -> Backend {
    let gate = gate.clone();
    Backend::scripted(move |request, say| {
        if request.uri.contains("slow") {
            say.pause(&gate);
        }
        let text = request.uri.clone();
        say.respond(200, &[], text.as_bytes());
    })
}

fn a_backend_that_is_too_slow(mpm: Mpm) {
    let gate = Gate::new();
    let backend = gated(&gate);
    let httpd = builder(mpm, &backend).workers("worker.w.reply_timeout=400").start();
    let begun = Instant::now();
    let answer = client::get(httpd.port(), "/app/slow");
    assert_eq!(answer.status, 504);
    assert!(begun.elapsed() >= Duration::from_millis(400));
    wait_until("the access log has its line", || httpd.access_log().contains(" 504 "));
    assert!(httpd.jk_log().contains("JK0205"), "{}", httpd.jk_log());
    gate.open();
    assert_eq!(client::get(httpd.port(), "/app/quick").status, 200);
}

fn a_backend_that_dies(mpm: Mpm) {
    let gate = Gate::new();
    let mut backend = gated(&gate);
    let httpd = builder(mpm, &backend).workers("worker.w.recovery_options=3").start();
    let mut clients = ask(&httpd, (0..3).map(|n| format!("/app/slow/{n}")));
    gate.await_waiting(3);
    backend.close_connections();
    for client in &mut clients {
        assert_eq!(client.read_response().status, 502);
    }
    gate.open();
    assert_eq!(client::get(httpd.port(), "/app/quick").status, 200);
    backend.forgive_errors();
}

fn a_client_that_ends_only_its_sending(mpm: Mpm) {
    let gate = Gate::new();
    let backend = gated(&gate);
    let httpd = builder(mpm, &backend).start();
    let mut client = ask(&httpd, ["/app/slow".to_owned()]).remove(0);
    gate.await_waiting(1);
    client.finish_sending();
    std::thread::sleep(Duration::from_millis(100)); // for the end to be noticed, if it is
    gate.open();
    let answer = client.read_response();
    assert_eq!((answer.status, answer.text().as_str()), (200, "/app/slow"));
}

#[test]
fn clients_that_vanish_free_everything() {
    let gate = Gate::new();
    let mut backend = gated(&gate);
    let httpd = builder(Mpm::Event, &backend).start();
    assert_eq!(client::get(httpd.port(), "/app/quick").status, 200);
    let clients = ask(&httpd, (0..30).map(|n| format!("/app/slow/{n}")));
    gate.await_waiting(30);
    for client in clients {
        client.reset();
    }
    // The backend has not answered, and its connections are closed all the same.
    let log = || httpd.jk_log().matches("JK0210").count();
    wait_until("each of them is noticed", || log() == 30);
    let left = descriptors(&httpd);
    gate.open();
    wait_until("the access log has their lines", || httpd.access_log().matches("/app/slow").count() == 30);
    // The eventfds stay for the next requests; connections do not.
    await_descriptors(&httpd, left);
    assert_eq!(client::get(httpd.port(), "/app/quick").status, 200);
    backend.forgive_errors();
}

#[test]
fn the_answer_may_take_longer_than_timeout() {
    let gate = Gate::new();
    let backend = gated(&gate);
    let httpd = builder(Mpm::Event, &backend).conf("Timeout 1").start();
    let mut clients = ask(&httpd, (0..6).map(|n| format!("/app/slow/{n}")));
    gate.await_waiting(6);
    std::thread::sleep(Duration::from_millis(3500));
    gate.open();
    for (number, client) in clients.iter_mut().enumerate() {
        let answer = client.read_response();
        assert_eq!((answer.status, answer.text()), (200, format!("/app/slow/{number}")));
    }
}

#[test]
fn the_timeout_of_the_address_is_the_one_that_counts() {
    let gate = Gate::new();
    let backend = gated(&gate);
    let hosts = "Timeout 2\nJkMountCopy All\n<VirtualHost *:@PORT@>\nServerName first\nTimeout 2\n</VirtualHost>\n\
                 <VirtualHost *:@PORT@>\nServerName h\nTimeout 300\n</VirtualHost>";
    let httpd = builder(Mpm::Event, &backend).conf(hosts).start();
    let mut client = ask(&httpd, ["/app/slow".to_owned()]).remove(0);
    gate.await_waiting(1);
    std::thread::sleep(Duration::from_millis(4500));
    gate.open();
    let answer = client.read_response();
    assert_eq!((answer.status, answer.text().as_str()), (200, "/app/slow"));
}

#[test]
fn a_graceful_restart_waits_for_them() {
    let gate = Gate::new();
    let backend = gated(&gate);
    let httpd = builder(Mpm::Event, &backend).start();
    let mut clients = ask(&httpd, (0..12).map(|n| format!("/app/slow/{n}")));
    gate.await_waiting(12);
    let old = httpd.child_pids();
    httpd.graceful();
    assert_eq!(client::get(httpd.port(), "/app/quick").text(), "/app/quick");
    let mut more = ask(&httpd, (12..20).map(|n| format!("/app/slow/{n}")));
    gate.await_waiting(20);
    httpd.graceful();
    gate.open();
    for (number, client) in clients.iter_mut().chain(&mut more).enumerate() {
        let answer = client.read_response();
        assert_eq!((answer.status, answer.text()), (200, format!("/app/slow/{number}")));
    }
    wait_until("the old children end", || old.iter().all(|pid| !process::is_alive(*pid)));
}

#[test]
fn a_graceful_stop_waits_for_them() {
    let gate = Gate::new();
    let backend = gated(&gate);
    let mut httpd = builder(Mpm::Event, &backend).start();
    let mut clients = ask(&httpd, (0..12).map(|n| format!("/app/slow/{n}")));
    gate.await_waiting(12);
    process::signal(httpd.pid(), libc::SIGWINCH);
    httpd.wait_for_log("AH00492");
    gate.open();
    for (number, client) in clients.iter_mut().enumerate() {
        let answer = client.read_response();
        assert_eq!((answer.status, answer.text()), (200, format!("/app/slow/{number}")));
    }
    drop(clients);
    wait_until("the server ends", || !httpd.is_running());
}

#[test]
fn a_stop_or_hard_restart_does_not_wait_and_does_not_crash() {
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        let gate = Gate::new();
        let mut backend = gated(&gate);
        let mut httpd = builder(Mpm::Event, &backend).start();
        let mut clients = ask(&httpd, (0..12).map(|n| format!("/app/slow/{n}")));
        gate.await_waiting(12);
        if signal == libc::SIGTERM {
            process::signal(httpd.pid(), signal);
            wait_until("the server ends", || !httpd.is_running());
        } else {
            httpd.restart();
            assert_eq!(client::get(httpd.port(), "/app/quick").text(), "/app/quick");
        }
        for client in &mut clients {
            assert!(client.read_to_end().is_empty());
        }
        gate.open();
        httpd.assert_clean_log(&[]);
        backend.forgive_errors();
    }
}

#[test]
fn children_that_have_had_enough_finish_what_waits() {
    let backend = Backend::start();
    let httpd = builder(Mpm::Event, &backend).servers(2).conf("MaxConnectionsPerChild 20").start();
    let first = httpd.child_pids();
    // A child that ends may close connections that it has just accepted, whatever the module does.
    let lost = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..30 {
                    let mut client = Client::connect(httpd.port());
                    client.send("GET /app/delay/20 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
                    match client.try_read_response_to("GET") {
                        Ok(answer) => assert_eq!((answer.status, answer.text().as_str()), (200, "late\n")),
                        Err(_) => _ = lost.fetch_add(1, Ordering::Relaxed),
                    }
                }
            });
        }
    });
    assert!(lost.load(Ordering::Relaxed) <= 6, "{lost:?} of 120 lost");
    wait_until("the first children end", || first.iter().all(|pid| !process::is_alive(*pid)));
}

#[test]
fn another_member_takes_over() {
    let gate = Gate::new();
    let held = gate.clone();
    let bad = Backend::scripted(move |_, say| {
        say.pause(&held);
        say.close();
    });
    let good = Backend::scripted(|request, say| {
        std::thread::sleep(Duration::from_millis(10));
        let text = request.uri.clone();
        say.respond(200, &[], text.as_bytes());
    });
    let members = format!(
        "worker.list=lb\nworker.lb.type=lb\nworker.lb.balance_workers=a,b\nworker.lb.sticky_session=true\n{}{}",
        bad.member("a"),
        good.member("b")
    );
    let httpd = builder(Mpm::Event, &bad).workers(members).conf("JkMount /lb/* lb").start();
    // All of them belong to the member that will fail.
    let mut clients = ask(&httpd, (0..12).map(|n| format!("/lb/{n};jsessionid=x.a")));
    gate.await_waiting(12);
    assert_eq!(client::get(httpd.port(), "/file.txt").text(), "from disk\n");
    gate.open();
    for (number, client) in clients.iter_mut().enumerate() {
        let answer = client.read_response();
        assert_eq!((answer.status, answer.text()), (200, format!("/lb/{number};jsessionid=x.a")));
    }
    let patience = Instant::now() + PATIENCE;
    assert!(Instant::now() < patience && httpd.jk_log().contains("going on with b"), "{}", httpd.jk_log());
}

#[test]
fn a_client_of_many_requests_may_vanish_at_any_of_them() {
    let backend = Backend::start();
    let httpd = builder(Mpm::Event, &backend).start();
    for round in 0..40_u64 {
        let mut client = Client::connect(httpd.port());
        let paths = ["/app/delay/3", "/file.txt", "/app/delay/1", "/app/size/20000"];
        let all: String =
            paths.iter().map(|path| format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")).collect();
        client.send(all);
        std::thread::sleep(Duration::from_micros(round * 200));
        client.reset();
    }
    assert_eq!(client::get(httpd.port(), "/app/size/10").body.len(), 10);
}

#[test]
fn descriptors_that_run_out_cost_a_thread_or_a_definite_error() {
    const MOST: usize = 72;
    let (mut told, mut refused) = (0, 0);
    // What is missing in the end, a connection to the backend or a bell, depends on the number.
    for left in 0..6 {
        let gate = Gate::new();
        let mut backend = gated(&gate);
        // An answer that opens no file.
        let idle = "Redirect /idle http://localhost/elsewhere";
        let httpd = builder(Mpm::Event, &backend).conf(idle).descriptors(MOST).start();
        let child = httpd.child_pids()[0];
        let mut clients: Vec<Client> = (0..8).map(|_| Client::connect(httpd.port())).collect();
        for client in &mut clients {
            assert_eq!(client.get("/app/quick").status, 200);
        }
        // Others stay connected until so few are left.
        let mut idle = Vec::new();
        while descriptors(&httpd) + left < MOST {
            let mut client = Client::connect(httpd.port());
            assert_eq!(client.get("/idle").status, 302);
            idle.push(client);
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(format!("GET /app/slow/{number} HTTP/1.1\r\nHost: h\r\n\r\n"));
            // One after the other: it is at the backend, or refused.
            wait_until("it goes somewhere", || {
                gate.waiting() > number
                    || gate.waiting() + httpd.access_log().matches(" 503 ").count() > number
            });
        }
        let waiting = gate.waiting();
        assert!((1..8).contains(&waiting), "{waiting} of 8 wait with {left} descriptors");
        gate.open();
        let mut statuses: Vec<u16> = clients.iter_mut().map(|client| client.read_response().status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), waiting, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
        assert!(httpd.jk_log().matches("JK0330").count() <= 1, "{}", httpd.jk_log());
        told += httpd.jk_log().matches("JK0330").count();
        refused += 8 - waiting;
        drop(idle);
        await_descriptors(&httpd, MOST - 10);
        assert_eq!(client::get(httpd.port(), "/app/quick").status, 200);
        assert_eq!(httpd.child_pids(), [child]);
        backend.forgive_errors();
    }
    assert!(told > 0 && refused > 0, "{told} {refused}");
}
