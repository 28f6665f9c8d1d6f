//! The connections of a process: connection_pool_size, its old name, minsize, timeouts, acquire timeout; busy_limit.

use std::time::{Duration, Instant};

use crate::effect::covers;
use crate::support::{Backend, Client, Gate, Httpd, client, wait_until};

/// `/…/hold` waits at the gate.
fn holding(gate: &Gate) -> Backend {
    let gate = gate.clone();
    Backend::scripted(move |request, say| {
        if request.uri.ends_with("/hold") {
            say.pause(&gate);
        }
        say.respond(200, &[], format!("connection={}\n", say.connection()).as_bytes());
    })
}

/// A request that is sent, and not answered as long as the gate is closed.
fn send(httpd: &Httpd, path: &str) -> Client {
    let mut client = Client::connect(httpd.port());
    client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
    client
}

fn worker(backend: &Backend, name: &str, lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("worker.{name}.{line}\n")).collect();
    format!("{}{lines}", backend.worker(name))
}

#[test]
fn the_pool_limits_parallel_requests() {
    covers!("connection_pool_size", "connection_acquire_timeout", "cachesize", "retry_interval", "retries");
    let gate = Gate::new();
    let backends: Vec<Backend> = (0..6).map(|_| holding(&gate)).collect();
    let workers = [
        worker(&backends[0], "free", ""),
        worker(&backends[1], "none", "connection_pool_size=0"),
        worker(&backends[2], "once", "connection_pool_size=1\nconnection_acquire_timeout=0"),
        worker(&backends[3], "wait", "connection_pool_size=1\nconnection_acquire_timeout=25000"),
        worker(&backends[4], "default", "connection_pool_size=1\nretries=3\nretry_interval=150"),
        worker(&backends[5], "old", "cachesize=2\nconnection_acquire_timeout=0"),
    ];
    let mounts: String = ["free", "none", "once", "wait", "default", "old"]
        .map(|name| format!("JkMount /{name}/* {name}\n"))
        .concat();
    let httpd = Httpd::builder().threads_per_child(16).workers(workers.concat()).conf(mounts).start();
    assert_eq!(client::get(httpd.port(), "/none/x").status, 503);

    let mut held =
        vec![send(&httpd, "/once/hold"), send(&httpd, "/wait/hold"), send(&httpd, "/default/hold")];
    held.extend([send(&httpd, "/old/hold"), send(&httpd, "/old/hold")]);
    held.extend((0..4).map(|_| send(&httpd, "/free/hold")));
    gate.await_waiting(9);
    assert_eq!(backends[0].open_connections(), 4, "no limit by default");

    let refused = |path: &str| {
        let begun = Instant::now();
        assert_eq!(client::get(httpd.port(), path).status, 503, "{path}");
        begun.elapsed().as_millis()
    };
    assert!(refused("/once/x") < 3000);
    assert!(refused("/old/x") < 3000);
    let took = refused("/default/x");
    assert!((450..4000).contains(&took), "retries x retry_interval: {took} ms");
    assert_eq!(httpd.jk_log().matches("JK0202").count(), 4, "{}", httpd.jk_log());
    let mut waiting = send(&httpd, "/wait/x");
    waiting.stream().set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(waiting.stream().peek(&mut [0; 1]).is_err(), "it waits for a connection");
    waiting.stream().set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    gate.open();
    for client in &mut held {
        assert_eq!(client.read_response().status, 200);
    }
    assert_eq!(
        waiting.read_response().fact("connection").as_deref(),
        Some("0"),
        "the connection that became free"
    );
    assert_eq!(backends[1].log().len(), 0);
}

#[test]
fn old_connections_are_closed_down_to_the_smallest_number() {
    covers!("connection_pool_minsize", "connection_pool_timeout", "cache_timeout", "maintain");
    let lines = [
        ("one", "connection_pool_timeout=1\nconnection_pool_minsize=1", 1),
        ("half", "connection_pool_size=4\nconnection_pool_timeout=1", 2),
        // Unset: half of the threads of a process.
        ("threads", "connection_pool_timeout=1", 3),
        ("old", "connection_pool_timeout=-1\ncache_timeout=1\nconnection_pool_minsize=0", 0),
        ("never", "connection_pool_minsize=0", 4),
        ("long", "connection_pool_timeout=600\nconnection_pool_minsize=0", 4),
    ];
    let gates: Vec<Gate> = lines.iter().map(|_| Gate::new()).collect();
    let backends: Vec<Backend> = gates.iter().map(holding).collect();
    let workers: String =
        lines.iter().zip(&backends).map(|((name, lines, _), backend)| worker(backend, name, lines)).collect();
    let mounts: String = lines.iter().map(|(name, ..)| format!("JkMount /{name}/* {name}\n")).collect();
    let httpd = Httpd::builder()
        .threads_per_child(5)
        .workers(workers + "worker.maintain=1\n")
        .conf(format!("{mounts}JkWatchdogInterval 1\n"))
        .start();
    // Four connections of each worker, one worker after the other: there are five threads.
    for ((name, ..), gate) in lines.iter().zip(&gates) {
        let mut clients: Vec<Client> = (0..4).map(|_| send(&httpd, &format!("/{name}/hold"))).collect();
        gate.await_waiting(4);
        gate.open();
        for client in &mut clients {
            assert_eq!(client.read_response().status, 200);
        }
    }
    for ((name, _, wanted), backend) in lines.iter().zip(&backends) {
        assert_eq!(backend.log().len(), 4, "{name}");
        wait_until(&format!("{name} keeps {wanted} connections"), || backend.open_connections() == *wanted);
    }
    for ((name, _, wanted), backend) in lines.iter().zip(&backends) {
        assert_eq!(backend.open_connections(), *wanted, "{name}");
    }
}

#[test]
fn a_busy_worker_refuses_more() {
    covers!("busy_limit");
    let gate = Gate::new();
    let backend = holding(&gate);
    let workers = worker(&backend, "w", "busy_limit=2") + &worker(&backend, "free", "busy_limit=0");
    let httpd = Httpd::builder().workers(workers).conf("JkMount /w/* w\nJkMount /free/* free\n").start();
    let mut held = [send(&httpd, "/w/hold"), send(&httpd, "/w/hold")];
    gate.await_waiting(2);
    let begun = Instant::now();
    let refused = client::request(httpd.port(), "POST", "/w/x", &[], b"12345");
    assert_eq!(refused.status, 503);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(client::get(httpd.port(), "/free/x").status, 200, "0 is no limit");
    assert!(httpd.jk_log().contains("JK0216") && httpd.jk_log().contains("busy_limit"), "{}", httpd.jk_log());
    assert_eq!(backend.requests().len(), 3, "the backend did not see it");
    gate.open();
    for client in &mut held {
        assert_eq!(client.read_response().status, 200);
    }
    // Refused and finished requests are counted out again.
    let mut client = Client::connect(httpd.port());
    for _ in 0..5 {
        assert_eq!(client.get("/w/x").status, 200);
    }
}
