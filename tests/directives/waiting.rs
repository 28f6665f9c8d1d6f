//! JkAsync, JkAsyncDelay, JkAsyncLimit.

use std::time::Duration;

use crate::effect::{covers, vhost};
use crate::support::{Backend, Client, Gate, Httpd};

/// Answers when the gate opens.
fn gated(gate: &Gate) -> Backend {
    let gate = gate.clone();
    Backend::scripted(move |_, say| {
        say.pause(&gate);
        say.respond(200, &[], b"late");
    })
}

/// Sends a request of `host` that will have to wait.
fn waiting(httpd: &Httpd, host: &str) -> Client {
    let mut client = Client::connect(httpd.port());
    client.send(format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    client
}

/// JK0015 is written when a request has asked for a place without a thread and found none.
fn asked_for_a_place(httpd: &Httpd) -> bool {
    crate::support::poll(Duration::from_secs(1), || httpd.jk_log().contains("JK0015"))
}

#[test]
fn waiting_requests_give_their_threads_back_where_they_are_told_to() {
    covers!("JkAsync", "JkAsyncLimit");
    for (main, host, gives_back) in [
        ("", "JkMountCopy On", true), // the default
        ("JkAsync Auto", "JkMountCopy On", true),
        ("JkAsync On", "JkMountCopy On", true),
        ("JkAsync Off", "JkMountCopy On", false),
        ("JkAsync Off", "JkMountCopy On\nJkAsync on", true),
        ("JkAsync Auto", "JkMountCopy On\nJkAsync Off", false),
    ] {
        let gate = Gate::new();
        let backend = gated(&gate);
        let conf = format!("JkMount /* w\nJkAsyncLimit 0\nJkAsyncDelay 0\n{main}\n{}", vhost("host", host));
        let httpd = Httpd::builder().workers(backend.worker("w")).conf(conf).start();
        let mut client = waiting(&httpd, "host");
        gate.await_waiting(1);
        assert_eq!(asked_for_a_place(&httpd), gives_back, "{main}, {host}");
        gate.open();
        assert_eq!(client.read_response().text(), "late");
    }
}

#[test]
fn a_thread_is_kept_for_the_delay() {
    covers!("JkAsyncDelay");
    let backend = Backend::start();
    let conf = format!(
        "JkMount /* w\nJkAsync Auto\nJkAsyncLimit 0\nJkAsyncDelay 60000\n{}",
        vhost("main", "JkMountCopy On") + &vhost("short", "JkMountCopy On\nJkAsyncDelay 20")
    );
    let httpd = Httpd::builder().workers(backend.worker("w")).conf(conf).start();
    let get = |host: &str| {
        let mut client = Client::connect(httpd.port());
        client.send(format!("GET /delay/200 HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        client.read_response().text()
    };
    assert_eq!(get("main"), "late\n");
    assert!(!httpd.jk_log().contains("JK0015"), "{}", httpd.jk_log());
    assert_eq!(get("short"), "late\n");
    assert!(asked_for_a_place(&httpd), "{}", httpd.jk_log());
}

#[test]
fn wrong_values_are_refused() {
    covers!("JkAsync", "JkAsyncDelay", "JkAsyncLimit");
    let cases = [
        ("JkAsync Maybe", "JkAsync is Auto, On or Off"),
        ("JkAsyncDelay 5ms", "JkAsyncDelay is a number of milliseconds"),
        ("JkAsyncDelay 60001", "JkAsyncDelay is a number of milliseconds"),
        ("JkAsyncLimit -1", "JkAsyncLimit is a number of requests"),
        ("<VirtualHost *>\nJkAsyncLimit 5\n</VirtualHost>", "cannot stand in a <VirtualHost>"),
    ];
    for (conf, wanted) in cases {
        let (good, text) = Httpd::builder().conf(conf).prepare().configtest();
        assert!(!good && text.contains(wanted), "{conf}: {text}");
    }
}
