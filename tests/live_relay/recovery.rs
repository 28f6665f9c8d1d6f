//! When a request is sent again, and when it must not be.

use std::time::{Duration, Instant};

use crate::front;
use crate::support::{Client, Conversation, Ended, ForwardRequest, Mpm, Over, over_each_protocol};

over_each_protocol!(
    failures_after_sending,
    stale_connections,
    a_restarted_backend_is_not_noticed,
    large_bodies_are_never_repeated,
    headers_are_the_point_of_no_return,
);

/// `/drop` on each connection's first request closes without an answer; otherwise the facts.
fn dropping(request: &ForwardRequest, say: &mut Conversation) {
    if request.uri.ends_with("/drop") {
        say.first_body();
        say.close();
    } else {
        say.first_body();
        say.respond(200, &[], b"served");
    }
}

fn failures_after_sending(mpm: Mpm, over: Over) {
    // Settings, method, how often the backend sees the request.
    let cases = [
        ("", "GET", 2),
        ("", "HEAD", 2),
        ("", "POST", 1),
        ("", "FOO", 1),
        ("", "PUT", 2),
        ("", "DELETE", 2),
        ("retries=1", "GET", 1),
        ("retries=4", "GET", 4),
        ("recovery_options=0", "GET", 2),
        ("recovery_options=0", "POST", 2),
        ("recovery_options=0\nretries=1", "POST", 1),
        ("recovery_options=3", "GET", 1),
        ("recovery_options=3", "POST", 1),
        ("recovery_options=19", "GET", 2),
        ("recovery_options=19", "HEAD", 1),
        ("recovery_options=11", "HEAD", 2),
        ("recovery_options=11", "GET", 1),
    ];
    let backend = over.scripted(dropping);
    let mut seen = 0;
    for settings in [
        "",
        "retries=1",
        "retries=4",
        "recovery_options=0",
        "recovery_options=0\nretries=1",
        "recovery_options=3",
        "recovery_options=19",
        "recovery_options=11",
    ] {
        let httpd = front(mpm, &backend, &format!("retry_interval=1\n{settings}"));
        for (_, method, times) in cases.iter().filter(|case| case.0 == settings) {
            let body: &[u8] = if *method == "POST" || *method == "PUT" { b"12345" } else { b"" };
            let answer = Client::connect(httpd.port()).request(method, "/app/drop", &[], body);
            assert_eq!(answer.status, 502, "{settings} {method}");
            let requests = backend.requests();
            assert_eq!(requests.len() - seen, *times, "{settings} {method}");
            seen = requests.len();
        }
        assert!(httpd.jk_log().contains("JK0206"), "{}", httpd.jk_log());
    }
}

/// The backend closes a pooled connection just when the next request arrives on it.
fn stale_connections(mpm: Mpm, over: Over) {
    let backend = over.scripted(|request, say| {
        // Each connection serves one request and drops the second.
        thread_local! { static SERVED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) }; }
        if SERVED.replace(SERVED.get() + 1) > 0 {
            say.first_body();
            say.close();
        } else {
            say.first_body();
            say.respond(200, &[], request.method.as_bytes());
        }
    });
    // One attempt only and a long pause between attempts: the repetition on a fresh connection is neither counted nor delayed.
    let httpd = front(mpm, &backend, "retries=1\nretry_interval=20000");
    let mut client = Client::connect(httpd.port());
    let begun = Instant::now();
    for _ in 0..5 {
        assert_eq!(client.get("/app/x").text(), "GET");
        assert_eq!(client.request("HEAD", "/app/x", &[], b"").status, 200);
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(backend.log().len(), 10);
    httpd.assert_no_errors(&[]);
    // A POST may have been served before the connection closed, so it is not sent twice.
    assert_eq!(client.request("POST", "/app/x", &[], b"12345").status, 502);
    let posts = backend.requests().iter().filter(|request| request.method == "POST").count();
    assert_eq!(posts, 1);
}

fn a_restarted_backend_is_not_noticed(mpm: Mpm, over: Over) {
    let mut backend = over.scripted(dropping);
    let httpd = front(mpm, &backend, "retries=1");
    let mut client = Client::connect(httpd.port());
    for round in 0..5 {
        assert_eq!(client.get("/app/x").text(), "served", "{round}");
        let posted = client.request("POST", "/app/x", &[], b"12345");
        assert_eq!(
            posted.text(),
            "served",
            "a closed connection is noticed before anything is sent, {round}"
        );
        backend.stop();
        backend.listen();
    }
    assert_eq!(client.request("POST", "/app/x", &[], b"12345").text(), "served");
    httpd.assert_no_errors(&[]);
}

/// Only the first piece of a body is kept, so a longer one cannot be sent again.
fn large_bodies_are_never_repeated(mpm: Mpm, over: Over) {
    let backend = over.scripted(|_, say| {
        // All of it, as nobody knows how much of HTTP's body is one piece.
        assert_eq!(say.read_body().len(), 200_000);
        say.close();
    });
    let httpd = front(mpm, &backend, "recovery_options=0\nretry_interval=1");
    let mut client = Client::connect(httpd.port());
    assert_eq!(client.request("POST", "/app/x", &[], &crate::support::pattern(200_000)).status, 502);
    assert_eq!(backend.requests().len(), 1);
}

fn headers_are_the_point_of_no_return(mpm: Mpm, over: Over) {
    let backend = over.scripted(|_, say| {
        say.send_headers(200, "OK", &[("X-Half", "1")]);
        say.body_chunk(b"half");
        say.close();
    });
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    let answer = client.get("/app/x");
    if over.is_ajp() || answer.status == 502 {
        let seen = (answer.status, answer.header("X-Half"), answer.text().contains("half"));
        assert_eq!(seen, (502, None, false), "nothing of the half response is shown");
    } else {
        // Over HTTP what has come is passed on at once.
        assert_eq!((answer.status, answer.ended), (200, Ended::Truncated));
    }
    assert_eq!(backend.requests().len(), 1);
}
