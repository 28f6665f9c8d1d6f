//! What is waited for before a request is sent: a connection that is being opened, one of a limited pool, a place in a queue.

use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::support::{Backend, Client, Gate, Httpd, Mpm, client, wait_until};
use crate::{ask, await_descriptors, builder, descriptors};

/// Answers with the path; what is slow waits at the gate.
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

/// Threads are free, and a request that has nothing to do with the others is served at once.
#[track_caller]
fn assert_free(httpd: &Httpd) {
    let begun = Instant::now();
    assert_eq!(client::get(httpd.port(), "/file.txt").text(), "from disk\n");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// Sends the requests one after the other, so that they come to the queue in this order.
fn in_order(httpd: &Httpd, paths: impl Iterator<Item = String>) -> Vec<Client> {
    paths
        .map(|path| {
            let client = ask(httpd, [path]).remove(0);
            std::thread::sleep(Duration::from_millis(15));
            client
        })
        .collect()
}

/// A status worker that says how many requests are put aside.
const STATUS: &str = "\nworker.list=st\nworker.st.type=status";
const STATUS_MOUNT: &str = "JkMount /st/* st";

/// As [`in_order`], for those whose order matters: each comes when the one before it has its place and is put aside.
fn in_line(httpd: &Httpd, paths: impl Iterator<Item = String>) -> Vec<Client> {
    let parked = || {
        let metrics = client::get(httpd.port(), "/st/metrics").text();
        metrics.lines().find_map(|line| line.strip_prefix("jk_parked ")?.parse::<f64>().ok())
    };
    let mut clients = Vec::new();
    for path in paths {
        clients.append(&mut ask(httpd, [path]));
        wait_until("it is put aside", || parked() == Some(clients.len() as f64));
    }
    clients
}

/// Reads all answers; they are those of the paths.
#[track_caller]
fn read_all(clients: &mut [Client], path: impl Fn(usize) -> String) {
    for (number, client) in clients.iter_mut().enumerate() {
        let answer = client.read_response();
        assert_eq!((answer.status, answer.text()), (200, path(number)));
    }
}

/// The numbers at the end of the paths, in the order the backend got them.
fn order(backend: &Backend) -> Vec<usize> {
    let mut all: Vec<(Instant, usize)> = backend
        .log()
        .iter()
        .flat_map(|connection| connection.events.clone())
        .filter_map(|(at, event)| match event {
            crate::support::Event::Request(request) => {
                Some((at, request.uri.rsplit('/').next()?.parse().ok()?))
            }
            _ => None,
        })
        .collect();
    all.sort_unstable();
    all.into_iter().map(|(_, number)| number).collect()
}

#[test]
fn a_limited_pool_is_waited_for_without_threads_and_in_order() {
    let gate = Gate::new();
    let backend = gated(&gate);
    let settings = "worker.w.connection_pool_size=1\nworker.w.connection_acquire_timeout=20000";
    let httpd =
        builder(Mpm::Event, &backend).workers(format!("{settings}{STATUS}")).conf(STATUS_MOUNT).start();
    let path = |n: usize| format!("/app/slow/{n}");
    let mut clients = in_line(&httpd, (0..14).map(path));
    gate.await_waiting(1);
    assert_free(&httpd);
    gate.open();
    read_all(&mut clients, path);
    let order = order(&backend);
    assert_eq!(order, (0..14).collect::<Vec<_>>());
    assert_eq!(backend.log().len(), 1, "connections");
    backend.assert_no_errors();
}

#[test]
fn who_leaves_the_queue_of_a_pool_leaves_nothing_behind() {
    let gate = Gate::new();
    let mut backend = gated(&gate);
    let settings = "worker.w.connection_pool_size=1\nworker.w.connection_acquire_timeout=20000";
    let httpd = builder(Mpm::Event, &backend).workers(settings).start();
    assert_eq!(client::get(httpd.port(), "/app/quick").status, 200);
    let path = |n: usize| format!("/app/slow/{n}");
    let mut clients = in_order(&httpd, (0..9).map(path));
    gate.await_waiting(1);
    let before = descriptors(&httpd);
    for client in clients.drain(1..8) {
        client.reset();
    }
    wait_until("they are noticed", || {
        httpd.jk_log().matches("JK0210").count() >= 7 || descriptors(&httpd) + 14 <= before
    });
    gate.open();
    assert_eq!(clients[0].read_response().text(), path(0));
    assert_eq!(clients[1].read_response().text(), path(8));
    await_descriptors(&httpd, before - 14);
    backend.forgive_errors();
}

#[test]
fn a_pool_that_stays_full_is_told_in_time() {
    let gate = Gate::new();
    let backend = gated(&gate);
    let settings = "worker.w.connection_pool_size=1\nworker.w.connection_acquire_timeout=300";
    let httpd = builder(Mpm::Event, &backend).workers(settings).start();
    let mut clients = ask(&httpd, ["/app/slow/0".to_owned()]);
    gate.await_waiting(1);
    clients.extend(ask(&httpd, (1..8).map(|n| format!("/app/slow/{n}"))));
    for client in &mut clients[1..] {
        assert_eq!(client.read_response().status, 503);
    }
    gate.open();
    assert_eq!(clients[0].read_response().status, 200);
}

#[test]
fn the_queue_of_a_worker_holds_no_thread_and_keeps_its_order() {
    let gate = Gate::new();
    let backend = gated(&gate);
    let settings = "worker.w.max_in_flight=1\nworker.w.queue_size=50\nworker.w.queue_timeout=20000";
    let httpd =
        builder(Mpm::Event, &backend).workers(format!("{settings}{STATUS}")).conf(STATUS_MOUNT).start();
    let path = |n: usize| format!("/app/slow/{n}");
    let mut clients = in_line(&httpd, (0..14).map(path));
    gate.await_waiting(1);
    assert_free(&httpd);
    // One of them leaves in between.
    clients.remove(5).reset();
    gate.open();
    for (number, client) in (0..14).filter(|n| *n != 5).zip(&mut clients) {
        let answer = client.read_response();
        assert_eq!((answer.status, answer.text()), (200, path(number)));
    }
    let mut order = order(&backend);
    order.retain(|number| *number != 5);
    assert_eq!(order, (0..14).filter(|n| *n != 5).collect::<Vec<_>>());
}

#[test]
fn the_time_in_the_queue_of_a_worker_is_limited() {
    let gate = Gate::new();
    let backend = gated(&gate);
    let settings = "worker.w.max_in_flight=1\nworker.w.queue_size=4\nworker.w.queue_timeout=400";
    let httpd = builder(Mpm::Event, &backend).workers(settings).start();
    let mut clients = in_order(&httpd, (0..8).map(|n| format!("/app/slow/{n}")));
    let statuses: Vec<u16> = clients[1..].iter_mut().map(|client| client.read_response().status).collect();
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    assert!(httpd.access_log().matches(" 503 ").count() == 7 || httpd.jk_log().contains("queue"));
    gate.open();
    assert_eq!(clients[0].read_response().status, 200);
    assert_eq!(client::get(httpd.port(), "/app/quick").status, 200);
}

#[test]
fn places_of_other_processes_reach_the_queue() {
    let gate = Gate::new();
    let backend = gated(&gate);
    let settings = "worker.w.max_in_flight=2\nworker.w.queue_size=100\nworker.w.queue_timeout=20000";
    let httpd = builder(Mpm::Event, &backend).servers(2).workers(settings).start();
    let mut clients = ask(&httpd, (0..30).map(|n| format!("/app/slow/{n}")));
    gate.await_waiting(2);
    assert_free(&httpd);
    gate.open();
    read_all(&mut clients, |n| format!("/app/slow/{n}"));
}

#[test]
fn the_queue_of_a_balancer_holds_no_thread() {
    let gate = Gate::new();
    let backend = gated(&gate);
    let settings = format!(
        "worker.list=lb\nworker.lb.type=lb\nworker.lb.balance_workers=m\nworker.lb.queue_size=50\n\
         worker.lb.queue_timeout=20000\n{}worker.m.max_in_flight=1\n",
        backend.member("m")
    );
    let httpd = builder(Mpm::Event, &backend).workers(settings).conf("JkMount /lb/* lb").start();
    let path = |n: usize| format!("/lb/slow/{n}");
    let mut clients = in_order(&httpd, (0..14).map(path));
    gate.await_waiting(1);
    assert_free(&httpd);
    gate.open();
    read_all(&mut clients, path);
}

/// Fills the backlog of a listening socket, so that further connections are neither taken nor refused.
fn full() -> (std::net::TcpListener, Vec<TcpStream>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: no memory is passed.
    unsafe { libc::listen(listener.as_raw_fd(), 0) };
    let at = listener.local_addr().unwrap();
    let mut all = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&at, Duration::from_millis(150)) {
        all.push(stream);
        assert!(all.len() < 10, "the backlog has no end");
    }
    (listener, all)
}

#[test]
fn connecting_holds_no_thread() {
    let backend = Backend::start();
    let (listener, held) = full();
    let port = listener.local_addr().unwrap().port();
    let settings = format!(
        "worker.list=far\nworker.far.type=ajp13\nworker.far.host=127.0.0.1\nworker.far.port={port}\n\
         worker.far.socket_connect_timeout=2500\nworker.far.retries=1"
    );
    let httpd = builder(Mpm::Event, &backend).workers(settings).conf("JkMount /far/* far").start();
    let begun = Instant::now();
    let mut clients = ask(&httpd, (0..12).map(|n| format!("/far/{n}")));
    std::thread::sleep(Duration::from_millis(200));
    assert_free(&httpd);
    assert!(begun.elapsed() < Duration::from_millis(2500), "too slow to tell");
    for client in &mut clients {
        assert_eq!(client.read_response().status, 503);
    }
    assert!(begun.elapsed() >= Duration::from_millis(2400));
    assert_eq!(client::get(httpd.port(), "/app/size/10").body.len(), 10);
    drop(held);
}

#[test]
fn connections_are_opened_without_waiting_and_refusals_are_told() {
    let backend = Backend::start();
    let settings =
        "worker.list=none\nworker.none.type=ajp13\nworker.none.host=127.0.0.1\nworker.none.port=@PORT0@";
    let free = crate::support::ports::free_port().to_string();
    let httpd = builder(Mpm::Event, &backend)
        .workers(settings.replace("@PORT0@", &free))
        .conf("JkMount /none/* none")
        .start();
    for _ in 0..3 {
        assert_eq!(client::get(httpd.port(), "/none/x").status, 503);
        assert_eq!(client::get(httpd.port(), "/app/size/10").body.len(), 10);
    }
}
