//! AJP workers with an HTTP worker beside them (`upgrade_worker`).

use std::io::Write as _;

use crate::support::websocket::{Switcher, WebSocket, agree, echo_frames};
use crate::support::{Backend, Client, Httpd, Tomcat, client};

/// Agrees to a WebSocket, and answers anything else with its name.
fn http() -> Switcher {
    Switcher::start(|head, stream| {
        if head.contains("Upgrade: websocket") {
            agree(stream, "websocket", b"");
            echo_frames(stream);
        } else {
            let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhttp");
        }
    })
}

#[test]
fn what_ajp_can_not_carry_goes_to_the_twin() {
    let (ajp, http) = (Backend::start(), http());
    let workers = ajp.worker("w") + "worker.w.upgrade_worker=up\n" + &http.member("up", "");
    let httpd =
        Httpd::builder().workers(workers).conf("JkMount /app/* w\nLimitRequestFieldSize 16000").start();
    let mut socket = WebSocket::connect(httpd.port(), "/app/x");
    assert_eq!((socket.status(), socket.echo("hello")), (101, "hello".to_owned()));
    assert_eq!(client::get(httpd.port(), "/app/size/3").body.len(), 3);
    assert_eq!((ajp.requests().len(), http.heads.lock().unwrap().len()), (1, 1));
    let mut client = Client::connect(httpd.port());
    for (octets, wanted) in [(3000, "ajp"), (7000, "ajp"), (9000, "http"), (15_000, "http")] {
        let long = "v".repeat(octets);
        let answer = client.request("GET", "/app/size/3", &[("X-Long", &long)], b"");
        assert_eq!((answer.status, answer.text() == "http"), (200, wanted == "http"), "{octets}");
        assert!(wanted == "ajp" || http.last().contains(&long));
    }
    httpd.assert_no_errors(&[]);
    ajp.assert_no_errors();
}

/// The member is chosen as always, and its twin gets its route.
#[test]
fn the_twin_of_the_chosen_member_is_asked() {
    let ajp = [Backend::start(), Backend::start()];
    let twins = [http(), http()];
    let mut workers = "worker.list=b\nworker.b.type=lb\nworker.b.balance_workers=n0,n1\n".to_owned();
    for place in 0..2 {
        workers += &ajp[place].member(&format!("n{place}"));
        workers += &format!("worker.n{place}.upgrade_worker=up{place}\n");
        workers += &twins[place].member(&format!("up{place}"), "");
    }
    let httpd = Httpd::builder()
        .workers(workers)
        .conf("JkMount /app/* b\nLogFormat \"%{JK_LB_LAST_NAME}n\" member\nCustomLog logs/member.log member")
        .start();
    for (place, twin) in [(1, 1), (0, 0), (1, 1)] {
        let path = format!("/app/x;jsessionid=abc.n{place}");
        let mut socket = WebSocket::connect(httpd.port(), &path);
        assert_eq!(socket.echo("hello"), "hello");
        let head = twins[twin].last();
        assert!(head.contains(&path) && head.contains(&format!("X-Jk-Route: n{place}\r\n")), "{head}");
    }
    let of = |twin: &Switcher| twin.heads.lock().unwrap().len();
    assert_eq!((of(&twins[0]), of(&twins[1])), (1, 2));
    let log = || std::fs::read_to_string(httpd.root().join("logs/member.log")).unwrap_or_default();
    crate::support::wait_until("members are logged", || log().lines().count() == 3);
    assert_eq!(log(), "n1\nn0\nn1\n");
}

#[test]
fn a_twin_must_speak_http() {
    for (more, wanted) in [
        (
            "worker.w.upgrade_worker=other\nworker.other.type=ajp13",
            "worker 'other' has type ajp13; it must have type http",
        ),
        ("worker.w.upgrade_worker=w", "worker 'w' has type ajp13; it must have type http"),
        ("worker.w.upgrade_worker=nobody", "worker 'nobody' has type ajp13; it must have type http"),
    ] {
        let workers = format!("worker.list=w\nworker.w.type=ajp13\n{more}\n");
        let (good, text) = Httpd::builder().workers(workers).prepare().configtest();
        assert!(!good && text.contains(wanted), "{text}");
    }
}

#[test]
fn tomcat_with_both_connectors() {
    let tomcat = Tomcat::builder().http().start();
    let workers = tomcat.worker("w")
        + &format!(
            "worker.w.upgrade_worker=up\nworker.up.type=http\nworker.up.host=127.0.0.1\nworker.up.port={}\n",
            tomcat.http_port().unwrap()
        );
    let httpd = Httpd::builder().workers(workers).conf("JkMount /* w").start();
    let mut socket = WebSocket::connect(httpd.port(), "/examples/websocket/echoAnnotation");
    assert_eq!(socket.echo("through the other connector"), "through the other connector");
    assert_eq!(client::get(httpd.port(), "/logo.txt").text(), "from Tomcat\n");
    httpd.assert_no_errors(&[]);
}
