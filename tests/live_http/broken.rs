//! Backends that break the protocol, break off, or do not answer.

use crate::backend::{HttpBackend, say, send};
use crate::support::{Backend, Httpd, client, ports};

#[test]
fn what_is_no_answer_becomes_502_and_a_line_in_the_log() {
    let rows: [(&str, &str); 9] = [
        ("AB\0\u{1}\u{9}", "JK0207"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "JK0207"),
        ("HTTP/2.0 200 OK\r\n\r\n", "JK0207"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "JK0207"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "JK0207"),
        ("HTTP/1.1 200 OK\r\nX: a\u{1}b\r\nContent-Length: 0\r\n\r\n", "JK0207"),
        ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", "JK0207"),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", "JK0207"),
        ("HTTP/1.1 200 OK\r\nContent-Le", "JK0206"),
    ];
    let backend = HttpBackend::start(move |asked, stream| {
        let row: usize = asked.path().rsplit('/').next().unwrap().parse().unwrap();
        send(stream, rows[row].0);
        false
    });
    let httpd = Httpd::builder().workers(backend.worker("w", "")).conf("JkMount /app/* w").start();
    for (row, (answer, message)) in rows.iter().enumerate() {
        let before = httpd.jk_log().matches(message).count();
        // A method that is never repeated.
        let got = client::request(httpd.port(), "POST", &format!("/app/{row}"), &[], b"x");
        assert_eq!(got.status, 502, "{answer:?}: {}", httpd.jk_log());
        assert_eq!(httpd.jk_log().matches(message).count(), before + 1, "{answer:?}: {}", httpd.jk_log());
    }
    let log = httpd.jk_log();
    assert!(log.contains("broke the HTTP protocol") && log.contains("These are AJP packets"), "{log}");
}

#[test]
fn silence_and_absence() {
    let backend = HttpBackend::start(|asked, stream| {
        if asked.path() == "/app/silent" {
            std::thread::sleep(std::time::Duration::from_secs(3));
        }
        say(stream, "200 OK", "", b"x")
    });
    let nobody = format!(
        "worker.gone.type=http\nworker.gone.host=127.0.0.1:{}\nworker.list=gone\n",
        ports::free_port()
    );
    let workers = backend.worker("w", "reply_timeout=300\nretries=1") + &nobody;
    let httpd = Httpd::builder().workers(workers).conf("JkMount /app/* w\nJkMount /gone/* gone").start();
    assert_eq!(client::get(httpd.port(), "/app/silent").status, 504);
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
    assert_eq!(client::get(httpd.port(), "/gone/x").status, 503);
    let log = httpd.jk_log();
    assert!(log.contains("JK0205") && log.contains("JK0201"), "{log}");
}

#[test]
fn the_wrong_protocol_is_named() {
    let mut ajp = Backend::start();
    let http = HttpBackend::named("a");
    let workers = format!(
        "worker.list=a,h\nworker.a.host=127.0.0.1\nworker.a.port={}\nworker.h.type=http\nworker.h.host=127.0.0.1\n\
         worker.h.port={}\n",
        http.port(),
        ajp.port()
    );
    let httpd = Httpd::builder().workers(workers).conf("JkMount /a/* a\nJkMount /h/* h").start();
    assert!(client::get(httpd.port(), "/a/x").status >= 502);
    assert!(client::get(httpd.port(), "/h/x").status >= 502);
    ajp.forgive_errors();
}
