//! host, port, source, prefer_ipv6, and the options of the socket.

use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::time::Instant;

use super::sockets::{self, Unanswering};
use crate::effect::{covers, judge};
use crate::support::backend::Address;
use crate::support::{self, Backend, Httpd, client};

#[test]
fn every_form_of_host_reaches_its_backend() {
    covers!("host", "port", "prefer_ipv6");
    let (v4, v6, unix) =
        (Backend::start(), Backend::builder().ipv6().start(), Backend::builder().unix().start());
    let Address::Unix(path) = unix.address().clone() else { panic!("not a path") };
    let (p4, p6) = (v4.port(), v6.port());
    // At this port both families answer, but not with the same backend.
    let six = Backend::builder().ipv6().start();
    let four = Backend::builder().port(six.port()).start();
    let both = six.port();
    let rows: [(&str, String, &Backend); 12] = [
        ("literal", format!("host=127.0.0.1\nport={p4}"), &v4),
        ("withport", format!("host=127.0.0.1:{p4}"), &v4),
        ("wins", format!("host=127.0.0.1:1\nport={p4}"), &v4),
        ("name", format!("host=localhost\nport={p4}"), &v4),
        ("nohost", format!("port={p4}"), &v4),
        ("six", format!("host=::1\nport={p6}"), &v6),
        ("brackets", format!("host=[::1]\nport={p6}"), &v6),
        ("bracketport", format!("host=[::1]:{p6}"), &v6),
        ("unix", format!("host=unix:{}", path.display()), &unix),
        ("unixport", format!("host=unix:{}\nport=1", path.display()), &unix),
        ("prefer4", format!("host=127.0.0.1\nport={both}\nprefer_ipv6=true"), &four),
        ("prefer6", format!("host=::1\nport={both}\nprefer_ipv6=false"), &six),
    ];
    let has_both = {
        let found: Vec<_> = ("localhost", both).to_socket_addrs().expect("localhost").collect();
        found.iter().any(|address| address.is_ipv6()) && found.iter().any(|address| address.is_ipv4())
    };
    let mut workers = String::from("worker.list=named4,named6\n");
    for (name, preferred) in [("named4", false), ("named6", true)] {
        workers.push_str(&format!(
            "worker.{name}.host=localhost\nworker.{name}.port={both}\nworker.{name}.prefer_ipv6={preferred}\n"
        ));
    }
    let mut conf = String::from("JkMount /named4/* named4\nJkMount /named6/* named6\n");
    for (name, lines, _) in &rows {
        workers.push_str(&format!("worker.list={name}\n"));
        for line in lines.lines() {
            workers.push_str(&format!("worker.{name}.{line}\n"));
        }
        conf.push_str(&format!("JkMount /{name}/* {name}\n"));
    }
    let httpd = Httpd::builder().workers(workers).conf(conf).start();
    let ask = |name: &str, backend: &Backend| {
        let path = format!("/{name}/x");
        let answer = client::get(httpd.port(), &path);
        assert_eq!(answer.status, 200, "{name}: {}", httpd.jk_log());
        assert_eq!(backend.last_request().uri, path, "{name}");
    };
    for (name, _, backend) in &rows {
        ask(name, backend);
    }
    ask("named4", &four);
    // The name has addresses of both families only on some machines; the order of families is tested in the unit test
    // `ipv4_comes_first_unless_ipv6_is_preferred` as well.
    ask("named6", if has_both { &six } else { &four });
}

#[test]
fn a_worker_without_address_fails_and_says_so() {
    covers!("host", "port", "source");
    let httpd = Httpd::builder()
        .workers("worker.list=zero,name\nworker.zero.port=0\nworker.name.host=no-such-host.invalid\n")
        .conf("JkMount /zero/* zero\nJkMount /name/* name\n")
        .start();
    assert!(httpd.error_log().contains("worker.zero.port: 0 is no address"), "{}", httpd.error_log());
    assert!(httpd.jk_log().contains("JK0008: worker name: "), "{}", httpd.jk_log());
    assert_eq!(client::get(httpd.port(), "/zero/x").status, 503);
    assert_eq!(client::get(httpd.port(), "/name/x").status, 503);
    let judged = Httpd::builder().conf("").prepare();
    judge(
        &judged,
        &[
            ("JkWorkerProperty worker.ajp13.host=999.1.1.1", "not an IPv4 address: '999.1.1.1'"),
            ("JkWorkerProperty worker.ajp13.host=/run/x.sock", "not a host name: '/run/x.sock'"),
            ("JkWorkerProperty worker.ajp13.port=70000", "70000 is not a port (0 to 65535)"),
            ("JkWorkerProperty worker.ajp13.port=abc", "not a number: 'abc'"),
        ],
    );
}

#[test]
fn sockets_are_set_up_as_configured() {
    covers!("source", "socket_keepalive", "socket_buffer");
    let backend = Backend::start();
    let rows = [
        ("plain", ""),
        ("source", "source=127.0.0.9"),
        ("keepalive", "socket_keepalive=1"),
        ("nokeepalive", "socket_keepalive=off"),
        ("buffer", "socket_buffer=20000"),
        ("small", "socket_buffer=1"),
    ];
    let ports: Vec<Backend> = rows.iter().map(|_| Backend::start()).collect();
    let mut conf = String::new();
    let mut workers = backend.worker("unused");
    for ((name, line), backend) in rows.iter().zip(&ports) {
        workers.push_str(&format!("worker.list={name}\n{}", backend.member(name)));
        if !line.is_empty() {
            workers.push_str(&format!("worker.{name}.{line}\n"));
        }
        conf.push_str(&format!("JkMount /{name}/* {name}\n"));
    }
    let httpd = Httpd::builder().workers(workers).conf(conf).start();
    for ((name, _), backend) in rows.iter().zip(&ports) {
        assert_eq!(client::get(httpd.port(), &format!("/{name}/x")).status, 200, "{name}");
        let found = sockets::connected_to(&httpd, backend.port());
        assert_eq!(found.len(), 1, "{name}");
        let socket = &found[0];
        let local = socket.local_addr().expect("address").ip();
        let wanted = if *name == "source" { Ipv4Addr::new(127, 0, 0, 9) } else { Ipv4Addr::LOCALHOST };
        assert_eq!(local, IpAddr::V4(wanted), "{name}");
        let keepalive = sockets::option(socket, libc::SO_KEEPALIVE) != 0;
        assert_eq!(keepalive, *name == "keepalive", "{name}");
        // The kernel doubles what it is told.
        let sizes = [libc::SO_SNDBUF, libc::SO_RCVBUF].map(|option| sockets::option(socket, option));
        match *name {
            "buffer" => assert_eq!(sizes, [40_000; 2]),
            "small" => assert_eq!(sizes, [2 * 8192; 2], "raised to max_packet_size"),
            _ => assert!(sizes.iter().all(|size| *size > 50_000), "{name}: {sizes:?}"),
        }
    }
}

#[test]
fn connecting_ends_in_time() {
    covers!("socket_connect_timeout", "socket_timeout");
    let hanging = Unanswering::new();
    let dead = |name: &str, lines: &str| {
        let port = hanging.port();
        let lines: String = lines.lines().map(|line| format!("worker.{name}.{line}\n")).collect();
        format!(
            "worker.list={name}\nworker.{name}.host=127.0.0.1\nworker.{name}.port={port}\nworker.{name}.retries=1\n{lines}"
        )
    };
    let workers = dead("quick", "socket_connect_timeout=300") + &dead("inherits", "socket_timeout=1");
    let httpd = Httpd::builder()
        .workers(workers)
        .conf("JkMount /quick/* quick\nJkMount /inherits/* inherits\n")
        .start();
    for (name, least) in [("quick", 300), ("inherits", 1000)] {
        let begun = Instant::now();
        assert_eq!(client::get(httpd.port(), &format!("/{name}/x")).status, 503);
        let took = begun.elapsed().as_millis();
        assert!((least..least + 6000).contains(&took), "{name}: {took} ms");
    }
    assert!(httpd.jk_log().contains("timed out"), "{}", httpd.jk_log());
}

#[test]
fn a_silent_backend_is_given_up_after_socket_timeout() {
    covers!("socket_timeout");
    let gate = support::Gate::new();
    let held = gate.clone();
    let backend = Backend::scripted(move |_, say| {
        say.pause(&held);
        say.respond(200, &[], b"late");
    });
    let workers = backend.worker("w") + "worker.w.socket_timeout=1\nworker.w.retries=1\n";
    let httpd = Httpd::builder().workers(workers).conf("JkMount /* w").start();
    let begun = Instant::now();
    assert_eq!(client::get(httpd.port(), "/x").status, 504);
    assert!((1000..5000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    gate.open();
}
