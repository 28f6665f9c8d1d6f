//! Limits, lost ends, restarts and stops.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use crate::support::websocket::{Switcher, WebSocket, agree};
use crate::support::{Mpm, PATIENCE, client, under_each_mpm, wait_until};
use crate::{builder, lines};

under_each_mpm!(
    silence_has_a_limit,
    a_lost_backend_is_a_reset,
    lost_clients_are_noticed,
    a_stop_does_not_wait
);

fn modes(mpm: Mpm) -> &'static [bool] {
    if mpm == Mpm::Event { &[false, true] } else { &[false] }
}

fn silence_has_a_limit(mpm: Mpm) {
    let backend = Switcher::echo();
    for parked in modes(mpm) {
        let httpd = builder(mpm, backend.worker("w", "tunnel_timeout=2"), *parked).start();
        let mut socket = WebSocket::connect(httpd.port(), "/app/x");
        let mut last = Instant::now();
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(900)); // less than the limit, more than it in all
            last = Instant::now();
            assert_eq!(socket.echo("still here"), "still here");
        }
        assert_eq!(socket.rest().unwrap(), b"");
        assert!(last.elapsed() >= Duration::from_secs(2));
        wait_until("the line is logged", || lines(&httpd).len() == 1);
        assert!(lines(&httpd)[0].ends_with("|idle"), "{:?}", lines(&httpd));
        assert!(httpd.jk_log().contains("silent for tunnel_timeout"), "{}", httpd.jk_log());
    }
}

fn a_lost_backend_is_a_reset(mpm: Mpm) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let workers = format!(
        "worker.list=w\nworker.w.type=http\nworker.w.host=127.0.0.1\nworker.w.port={}\n",
        listener.local_addr().unwrap().port()
    );
    for parked in modes(mpm) {
        let httpd = builder(mpm, &workers, *parked).start();
        let (go, may_go) = std::sync::mpsc::channel();
        let listener = listener.try_clone().unwrap();
        let backend = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                stream.read_line(&mut line).unwrap();
            }
            agree(&mut stream, "websocket", b"part");
            let _: () = may_go.recv().unwrap();
            crate::support::backend::linger_zero(stream.get_ref()); // closed with a reset
        });
        let mut socket = WebSocket::connect(httpd.port(), "/app/x");
        assert_eq!(socket.octets(4).unwrap(), b"part");
        go.send(()).unwrap();
        backend.join().unwrap();
        assert!(socket.rest().is_err(), "no orderly end");
        wait_until("the line is logged", || lines(&httpd).len() == 1);
        assert!(lines(&httpd)[0].ends_with("|backend"), "{:?}", lines(&httpd));
    }
}

fn lost_clients_are_noticed(mpm: Mpm) {
    let (gone, seen) = std::sync::mpsc::channel();
    let backend = Switcher::start(move |_, stream| {
        agree(stream, "websocket", b"");
        std::io::copy(stream, &mut std::io::sink()).ok();
        let _ = gone.send(());
    });
    for parked in modes(mpm) {
        let httpd = builder(mpm, backend.worker("w", ""), *parked).start();
        let socket = WebSocket::connect(httpd.port(), "/app/x");
        crate::support::backend::linger_zero(socket.tcp());
        drop(socket);
        seen.recv_timeout(PATIENCE).expect("the backend's connection ends");
        wait_until("the line is logged", || lines(&httpd).len() == 1);
    }
}

fn a_stop_does_not_wait(mpm: Mpm) {
    let backend = Switcher::echo();
    for parked in modes(mpm) {
        let mut httpd = builder(mpm, backend.worker("w", ""), *parked).start();
        let mut socket = WebSocket::connect(httpd.port(), "/app/x");
        assert_eq!(socket.echo("x"), "x");
        let begun = Instant::now();
        assert!(httpd.stop());
        assert!(begun.elapsed() < Duration::from_secs(8), "{parked} {:?}", begun.elapsed());
        assert!(socket.rest().map_or(true, |rest| rest.is_empty()));
    }
}

/// Old processes do not stay for the sake of a tunnel, and until then it goes on.
#[test]
fn a_graceful_restart_ends_tunnels_within_the_limit() {
    let backend = Switcher::echo();
    for parked in [false, true] {
        let httpd =
            builder(Mpm::Event, backend.worker("w", ""), parked).conf("GracefulShutdownTimeout 3").start();
        let mut socket = WebSocket::connect(httpd.port(), "/app/x");
        assert_eq!(socket.echo("before"), "before");
        let old = httpd.child_pids();
        let begun = Instant::now();
        httpd.graceful();
        wait_until("a new process serves", || httpd.child_pids().iter().any(|pid| !old.contains(pid)));
        assert_eq!(client::get(httpd.port(), "/file.txt").status, 200);
        assert_eq!(socket.echo("meanwhile"), "meanwhile");
        assert_eq!(socket.rest().unwrap(), b"");
        assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
        wait_until("the old process is gone", || httpd.child_pids().iter().all(|pid| !old.contains(pid)));
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        wait_until("the line is logged", || lines(&httpd).iter().any(|line| line.ends_with("|stopping")));
        let mut socket = WebSocket::connect(httpd.port(), "/app/x");
        assert_eq!(socket.echo("after"), "after");
    }
}
