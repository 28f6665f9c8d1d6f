//! retries, retry_interval, recovery_options, fail_on_status.

use std::time::Instant;

use crate::effect::{covers, judge};
use crate::support::{self, Backend, Client, Event, Httpd, client};

/// Workers with these lines, all of one backend, each mounted below its name.
fn front(backend: &Backend, rows: &[(&str, &str)], conf: &str) -> Httpd {
    let mut workers = String::new();
    let mut mounts = String::from(conf);
    for (name, lines) in rows {
        workers.push_str(&backend.worker(name));
        for line in lines.lines() {
            workers.push_str(&format!("worker.{name}.{line}\n"));
        }
        mounts.push_str(&format!("JkMount /{name}/* {name}\n"));
    }
    Httpd::builder().workers(workers).conf(mounts).start()
}

/// How often a request for `path` reached the backend.
fn seen(backend: &Backend, path: &str) -> usize {
    backend.requests().iter().filter(|request| request.uri == path).count()
}

#[test]
fn requests_are_repeated_as_often_and_as_slowly_as_configured() {
    covers!("retries", "retry_interval");
    let backend = Backend::scripted(|_, say| say.reset());
    let rows = [
        ("one", "retries=1\nretry_interval=20000", 1, 0, 6000),
        ("two", "", 2, 100, 6000),
        ("four", "retries=4\nretry_interval=200", 4, 600, 6000),
        ("quick", "retries=3\nretry_interval=0", 3, 0, 6000),
        ("negative", "retries=0\nretry_interval=-5", 1, 0, 6000),
    ];
    let plain: Vec<(&str, &str)> = rows.iter().map(|row| (row.0, row.1)).collect();
    let httpd = front(&backend, &plain, "");
    for (name, _, attempts, least, most) in rows {
        let path = format!("/{name}/x");
        let begun = Instant::now();
        assert_eq!(client::get(httpd.port(), &path).status, 502, "{name}");
        let took = begun.elapsed().as_millis();
        assert_eq!(seen(&backend, &path), attempts, "{name}");
        assert!((least..least + most).contains(&took), "{name}: {took} ms");
    }
    assert!(httpd.error_log().contains("worker.negative.retries: 0 is too low, 1 is used"));
}

#[test]
fn recovery_options_say_what_may_be_repeated() {
    covers!("recovery_options");
    let backend = Backend::scripted(|request, say| {
        if request.uri.ends_with("/headers") {
            say.send_headers(200, "OK", &[]);
        }
        say.reset();
    });
    // Attempts for GET, HEAD, POST, and for a GET whose response head came.
    let rows = [
        ("unset", "", [2, 2, 1, 1]),
        ("r0", "recovery_options=0", [2, 2, 2, 1]),
        ("r1", "recovery_options=1", [1, 1, 1, 1]),
        ("r2", "recovery_options=2", [2, 2, 2, 1]),
        ("r3", "recovery_options=3", [1, 1, 1, 1]),
        ("r9", "recovery_options=9", [1, 2, 1, 1]),
        ("r17", "recovery_options=17", [2, 1, 1, 1]),
        ("r25", "recovery_options=25", [2, 2, 1, 1]),
    ];
    let plain: Vec<(&str, String)> =
        rows.iter().map(|(name, lines, _)| (*name, format!("retry_interval=0\n{lines}"))).collect();
    let plain: Vec<(&str, &str)> = plain.iter().map(|(name, lines)| (*name, lines.as_str())).collect();
    let httpd = front(&backend, &plain, "");
    for (name, _, wanted) in rows {
        let ask = |method: &str, last: &str| {
            let path = format!("/{name}/{last}");
            let body: &[u8] = if method == "POST" { b"12345" } else { b"" };
            assert_eq!(
                client::request(httpd.port(), method, &path, &[], body).status,
                502,
                "{method} {path}"
            );
            seen(&backend, &path)
        };
        let found = [ask("GET", "get"), ask("HEAD", "head"), ask("POST", "post"), ask("GET", "headers")];
        assert_eq!(found, wanted, "{name}");
    }
    let judged = Httpd::builder().prepare();
    judge(
        &judged,
        &[("JkWorkerProperty worker.ajp13.recovery_options=33", "warning: has bits without meaning")],
    );
}

#[test]
fn a_vanished_client_can_be_told_to_the_backend_by_a_reset() {
    covers!("recovery_options");
    let backend = Backend::scripted(|_, say| {
        let body = say.read_body();
        if say.is_open() {
            say.respond(200, &[], body.len().to_string().as_bytes());
        }
    });
    let httpd = front(&backend, &[("soft", ""), ("hard", "recovery_options=4")], "");
    for (at, name) in ["soft", "hard"].into_iter().enumerate() {
        let mut client = Client::connect(httpd.port());
        client.send(format!("POST /{name}/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"));
        client.send(support::pattern(20_000));
        backend.wait_for("part of the body", |log| log.get(at).is_some_and(|c| c.bodies().len() > 1));
        client.reset();
        backend.wait_for("the connection ends", |log| !log[at].open);
        let reset = backend.log()[at].saw(&Event::Broken(std::io::ErrorKind::ConnectionReset));
        assert_eq!(reset, name == "hard", "{name}: {:?}", backend.log()[at].events);
    }
}

#[test]
fn listed_statuses_are_failures() {
    covers!("fail_on_status");
    let backend = Backend::start();
    let rows = [
        ("none", ""),
        ("list", "retry_interval=0\nfail_on_status=404 -405,500\nfail_on_status=502"),
        ("once", "retries=1\nfail_on_status=404"),
    ];
    let httpd = front(&backend, &rows, "");
    let check = |path: &str, status: u16, times: usize| {
        let answer = client::get(httpd.port(), path);
        assert_eq!((answer.status, seen(&backend, path)), (status, times), "{path}: {}", httpd.jk_log());
        assert!(
            path.starts_with("/none") || status != 503 || !answer.text().contains("status\n"),
            "the answer itself is thrown away"
        );
    };
    check("/none/status/404", 404, 1);
    check("/none/status/503", 503, 1);
    check("/list/status/404", 503, 2);
    check("/list/status/405", 503, 2);
    check("/list/status/500", 503, 2);
    check("/list/status/502", 503, 2);
    check("/list/status/403", 403, 1);
    check("/once/status/404", 503, 1);
    assert!(
        httpd.jk_log().contains("JK0211")
            && httpd.jk_log().contains("answered 405, which fail_on_status lists")
    );
    // What is not idempotent is not repeated.
    let answer = client::request(httpd.port(), "POST", "/list/post/status/500", &[], b"1");
    assert_eq!((answer.status, seen(&backend, "/list/post/status/500")), (503, 1));
    let judged = Httpd::builder().prepare();
    judge(
        &judged,
        &[
            ("JkWorkerProperty worker.ajp13.fail_on_status=5", "warning: 5 is not an HTTP status"),
            ("JkWorkerProperty worker.ajp13.fail_on_status=404,x", "not a number: 'x'"),
        ],
    );
}
