//! What passes and what does not.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc;

use crate::support::certificate::{Certificate, curl};
use crate::support::websocket::{
    ACCEPT, BINARY, CLOSE, CONTINUATION, PING, PONG, Switcher, TEXT, Tls, WebSocket, agree, echo_frames,
    frame, wish,
};
use crate::support::{Client, Httpd, Mpm, pattern, ports, under_each_mpm, wait_until};
use crate::{builder, lines};

under_each_mpm!(frames_of_every_kind, early_octets_on_both_sides, directions_end_one_by_one, slow_sides);

/// With and without a thread.
fn each(mpm: Mpm, workers: &str, mut test: impl FnMut(&Httpd)) {
    for parked in [false, true] {
        let httpd = builder(mpm, workers, parked).start();
        test(&httpd);
        httpd.assert_no_errors(&[]);
        if mpm != Mpm::Event {
            return;
        }
    }
}

fn talk<S: Read + Write>(socket: &mut WebSocket<S>) {
    assert_eq!((socket.status(), socket.header("Sec-WebSocket-Accept")), (101, Some(ACCEPT)));
    assert_eq!((socket.header("Upgrade"), socket.header("Connection")), (Some("websocket"), Some("Upgrade")));
    assert_eq!(socket.header("X-Backend"), Some("here"));
    assert_eq!(socket.echo("hello"), "hello");
    for len in [0, 1, 125, 126, 65_535, 65_536, 3_000_000] {
        let data = pattern(len);
        socket.send(true, BINARY, &data);
        let answer = socket.message();
        assert!(answer.opcode == BINARY && answer.data == data, "{len}");
    }
    socket.send(false, TEXT, b"in ");
    socket.send(false, CONTINUATION, b"three ");
    socket.send(true, PING, b"are you there?");
    socket.send(true, CONTINUATION, b"pieces");
    let kinds: Vec<(bool, u8)> =
        (0..4).map(|_| socket.receive()).map(|frame| (frame.fin, frame.opcode)).collect();
    assert_eq!(kinds, [(false, TEXT), (false, CONTINUATION), (true, PONG), (true, CONTINUATION)]);
    socket.send(true, CLOSE, &[3, 232]);
    assert_eq!((socket.receive().opcode, socket.rest().unwrap()), (CLOSE, vec![]));
}

fn frames_of_every_kind(mpm: Mpm) {
    let backend = Switcher::echo();
    each(mpm, &backend.worker("w", ""), |httpd| {
        let mut socket = WebSocket::connect(httpd.port(), "/app/chat?room=1");
        talk(&mut socket);
        let head = backend.last();
        for line in [
            "GET /app/chat?room=1 HTTP/1.1\r\n",
            "\r\nConnection: Upgrade\r\n",
            "\r\nUpgrade: websocket\r\n",
            "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            "\r\nX-Forwarded-For: 127.0.0.1\r\n",
        ] {
            assert!(head.contains(line), "{line}: {head}");
        }
        drop(socket);
        wait_until("the line is logged", || !lines(httpd).is_empty());
        let line = lines(httpd).remove(0);
        let field: Vec<&str> = line.split('|').collect();
        let number = |at: usize| field[at].parse::<usize>().unwrap_or_else(|_| panic!("{line}"));
        assert_eq!((field[0], field[1]), ("GET /app/chat?room=1 HTTP/1.1", "101"), "{line}");
        assert_eq!((field[5], field[8]), ("websocket", "closed"), "{line}");
        assert!(number(2) == number(7) && number(2) > 3_100_000, "{line}");
        // mod_logio counts heads too.
        assert!(number(3) > number(6) && number(3) < number(6) + 1000, "{line}");
        assert!(number(4) > number(7) && number(4) < number(7) + 1000, "{line}");
        wait_until("the end is logged", || httpd.jk_log().contains("JK0360"));
    });
}

fn early_octets_on_both_sides(mpm: Mpm) {
    let backend = Switcher::start(|_, stream| {
        agree(
            stream,
            "WebSocket",
            &[frame(true, TEXT, b"at once", None), frame(true, BINARY, &pattern(50_000), None)].concat(),
        );
        echo_frames(stream);
    });
    each(mpm, &backend.worker("w", ""), |httpd| {
        let first = frame(true, TEXT, b"not waiting", Some([1, 2, 3, 4]));
        let mut socket = WebSocket::ask(httpd.port(), &[wish("/app/x", "").as_bytes(), &first].concat());
        assert_eq!(socket.message().data, b"at once");
        assert_eq!(socket.message().data, pattern(50_000));
        assert_eq!(socket.message().data, b"not waiting");
        assert_eq!(socket.echo("x"), "x");
    });
}

fn directions_end_one_by_one(mpm: Mpm) {
    let backend = Switcher::start(|head, stream| {
        agree(stream, "websocket", b"");
        if head.contains("/client-first") {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            stream.get_mut().write_all(&all).unwrap();
        } else {
            stream.get_mut().write_all(b"bye").unwrap();
            stream.get_ref().shutdown(Shutdown::Write).unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            assert_eq!(all, pattern(200_000));
        }
    });
    each(mpm, &backend.worker("w", ""), |httpd| {
        let mut socket = WebSocket::connect(httpd.port(), "/app/client-first");
        socket.raw(&pattern(300_000));
        socket.finish();
        assert_eq!(socket.rest().unwrap(), pattern(300_000));
        let mut socket = WebSocket::connect(httpd.port(), "/app/backend-first");
        assert_eq!(socket.rest().unwrap(), b"bye");
        socket.raw(&pattern(200_000));
        socket.finish();
        wait_until("both are logged", || lines(httpd).len() == 2);
        for line in lines(httpd) {
            assert!(line.ends_with("|closed"), "{line}");
        }
        assert!(lines(httpd)[1].contains("|200000|3|"), "{:?}", lines(httpd));
    });
}

fn slow_sides(mpm: Mpm) {
    const SIZE: usize = 20_000_000;
    let (taken, may_take) = mpsc::channel();
    let may_take = std::sync::Mutex::new(may_take);
    let backend = Switcher::start(move |head, stream| {
        agree(stream, "websocket", b"");
        if head.contains("/down") {
            stream.get_mut().write_all(&pattern(SIZE)).unwrap();
        } else {
            let _: () = may_take.lock().unwrap().recv().unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            assert!(all == pattern(SIZE));
            stream.get_mut().write_all(b"all").unwrap();
        }
    });
    each(mpm, &backend.worker("w", ""), |httpd| {
        let memory = || {
            let of = |pid: u32| {
                let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
                text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
            };
            httpd.child_pids().into_iter().map(of).max().unwrap_or(0)
        };
        let before = memory();
        let mut socket = WebSocket::connect(httpd.port(), "/app/down");
        std::thread::sleep(std::time::Duration::from_millis(300)); // the backend fills what there is to fill
        // Less than half of it is kept anywhere; a new process takes some megabytes for itself.
        assert!(memory() < before + SIZE / 2, "{before} {}", memory());
        assert!(socket.rest().unwrap() == pattern(SIZE));

        let mut socket = WebSocket::connect(httpd.port(), "/app/up");
        let mut writer = socket.tcp().try_clone().unwrap();
        let sender = std::thread::spawn(move || {
            writer.write_all(&pattern(SIZE)).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        std::thread::sleep(std::time::Duration::from_millis(300));
        // Less than half of it is kept anywhere; a new process takes some megabytes for itself.
        assert!(memory() < before + SIZE / 2, "{before} {}", memory());
        taken.send(()).unwrap();
        assert_eq!(socket.rest().unwrap(), b"all");
        sender.join().unwrap();
    });
}

#[test]
fn tls_at_the_front() {
    let backend = Switcher::echo();
    let certificate = Certificate::new();
    for parked in [false, true] {
        let port = ports::free_port();
        let httpd = builder(Mpm::Event, backend.worker("w", ""), parked)
            .modules(&["ssl", "reqtimeout", "deflate", "filter"])
            .conf(format!(
                "Listen 127.0.0.1:{port}\nRequestReadTimeout header=5,MinRate=500 body=5,MinRate=500\n\
                 SetOutputFilter DEFLATE\n<VirtualHost 127.0.0.1:{port}>\n{}JkMountCopy On\nJkMount /app/* w\n\
                 </VirtualHost>",
                certificate.directives()
            ))
            .start();
        for _ in 0..2 {
            let mut socket =
                WebSocket::on(Tls::connect(port), wish("/app/x", "Accept-Encoding: gzip\r\n").as_bytes());
            talk(&mut socket);
        }
        let first = frame(true, TEXT, b"not waiting", Some([1, 2, 3, 4]));
        let mut socket = WebSocket::on(Tls::connect(port), &[wish("/app/x", "").as_bytes(), &first].concat());
        assert_eq!(socket.message().data, b"not waiting");
        httpd.assert_no_errors(&[]);
    }
}

#[test]
fn a_refusal_is_an_ordinary_response() {
    let backend = Switcher::start(|head, stream| {
        let answer = if head.contains("/wrong") {
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"
        } else if head.contains("/none") {
            "HTTP/1.1 101 Switching Protocols\r\n\r\n"
        } else if head.contains("/ignored") {
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain"
        } else {
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
        };
        let _ = stream.get_mut().write_all(answer.as_bytes());
    });
    let httpd = builder(Mpm::Event, backend.worker("w", "retries=1"), true).start();
    let mut client = Client::connect(httpd.port());
    for (path, status) in [("/app/no", 403), ("/app/ignored", 200), ("/app/no", 403)] {
        client.send(wish(path, ""));
        assert_eq!(client.read_response().status, status, "{path}"); // on one connection: it stays HTTP
    }
    for path in ["/app/wrong", "/app/none"] {
        let mut client = Client::connect(httpd.port());
        client.send(wish(path, ""));
        assert_eq!(client.read_response().status, 502, "{path}");
    }
    assert!(httpd.jk_log().contains("JK0207"), "{}", httpd.jk_log());
}

/// What reaches the backend without Upgrade, and so cannot become a tunnel.
#[test]
fn only_plain_wishes_of_clients_are_passed_on() {
    let backend = Switcher::start(|_, stream| {
        let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let httpd = builder(Mpm::Event, backend.worker("w", ""), true)
        .conf("ErrorDocument 404 /app/error\nAlias /missing /nowhere")
        .start();
    let (head, tail) = ("Host: h\r\nConnection: Upgrade\r\n", "Upgrade: websocket\r\n");
    let body = "Content-Length: 2\r\n";
    for (request, what) in [
        (format!("POST /app/x HTTP/1.1\r\n{head}{tail}\r\n"), "POST"),
        (format!("HEAD /app/x HTTP/1.1\r\n{head}{tail}\r\n"), "HEAD"),
        (format!("GET /app/x HTTP/1.1\r\n{head}{tail}{body}\r\nab"), "with a body"),
        (format!("GET /app/x HTTP/1.0\r\n{head}{tail}\r\n"), "HTTP/1.0"),
        (format!("GET /app/x HTTP/1.1\r\n{head}Upgrade: h2c\r\n\r\n"), "h2c"),
        (format!("GET /app/x HTTP/1.1\r\n{head}Upgrade: websocket, other\r\n\r\n"), "two protocols"),
        (format!("GET /app/x HTTP/1.1\r\nHost: h\r\n{tail}\r\n"), "without Connection"),
        (format!("GET /missing HTTP/1.1\r\n{head}{tail}\r\n"), "an internal redirect"),
    ] {
        let mut client = Client::connect(httpd.port());
        client.send(&request);
        let method = request.split(' ').next().unwrap();
        let status = client.try_read_response_to(method).unwrap().status;
        assert!(status == 200 || (what.contains("redirect") && status == 404), "{what}: {status}");
        let seen = backend.last().to_ascii_lowercase();
        assert!(!seen.contains("upgrade"), "{what}: {seen}");
    }
    assert_eq!(backend.heads.lock().unwrap().len(), 8);
}

#[test]
fn other_protocols_have_to_be_listed() {
    let backend = Switcher::start(|head, stream| {
        let wanted = head.lines().find_map(|line| line.strip_prefix("Upgrade: ")).unwrap_or("").to_owned();
        if wanted.is_empty() {
            let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            return;
        }
        agree(stream, &wanted, b"");
        let mut octet = [0];
        while let Ok(1) = stream.read(&mut octet) {
            let _ = stream.get_mut().write_all(&octet);
        }
    });
    let workers = backend.worker("w", "upgrade=tcp, foo/2") + &backend.member("n", "upgrade=none");
    let workers = workers.replace("worker.list=w", "worker.list=w,n");
    let httpd = builder(Mpm::Event, workers, true).conf("JkMount /none/* n").start();
    let ask = |method: &str, path: &str, protocol: &str| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    for (method, protocol) in [("POST", "TCP"), ("GET", "foo/2")] {
        let mut socket = WebSocket::ask(httpd.port(), ask(method, "/app/x", protocol).as_bytes());
        assert_eq!(socket.status(), 101, "{}", socket.head);
        socket.raw(b"any octets");
        assert_eq!(socket.octets(10).unwrap(), b"any octets");
    }
    for (path, protocol) in [("/app/x", "websocket"), ("/none/x", "websocket"), ("/app/x", "foo")] {
        let socket = WebSocket::ask(httpd.port(), ask("GET", path, protocol).as_bytes());
        assert_eq!(socket.status(), 200, "{path} {protocol}");
    }
    let bad = builder(Mpm::Event, backend.worker("w", "upgrade=h2c"), true).prepare();
    let (good, text) = bad.configtest();
    assert!(!good && text.contains("not a protocol that may be changed to: 'h2c'"), "{text}");
}

#[test]
fn streams_of_http2_stay_what_they_are() {
    let backend = Switcher::start(|head, stream| {
        assert!(!head.to_ascii_lowercase().contains("upgrade"), "{head}");
        let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let httpd = builder(Mpm::Event, backend.worker("w", ""), true)
        .modules(&["http2"])
        .conf("Protocols h2c http/1.1")
        .start();
    let url = format!("http://127.0.0.1:{}/app/x", httpd.port());
    let answer = curl(&["--http2-prior-knowledge", "-H", "Upgrade: websocket", &url]);
    assert_eq!((answer.text().as_str(), answer.summary.as_str()), ("ok", "2 200"), "{}", answer.complaint);
}
