//! Balancers whose members speak AJP or HTTP.

use crate::backend::{HttpBackend, Over, say};
use crate::support::{Backend, Client, Httpd, Mpm, poll, under_each_mpm, wait_until};
use std::time::Duration;

under_each_mpm!(
    sessions_stay_and_requests_fail_over,
    members_over_ajp_http_https_and_unix_sockets_share_sessions_and_failures,
);

/// A balancer `b` of an AJP member with route `n1` and an HTTP member with route `n2`.
fn balancer(ajp: &Backend, http: &HttpBackend, more: &str) -> String {
    format!(
        "worker.list=b\nworker.b.type=lb\nworker.b.balance_workers=m1,m2\nworker.b.sticky_session=true\n{}{}\
         worker.m1.route=n1\nworker.m2.route=n2\nworker.m1.max_packet_size=8192\n{more}",
        ajp.member("m1"),
        http.member("m2", "")
    )
}

fn ajp() -> Backend {
    Backend::scripted(|_, say| {
        let body = say.read_body();
        say.respond(200, &[("X-Node", "n1")], &body);
    })
}

fn http() -> HttpBackend {
    HttpBackend::start(|asked, stream| say(stream, "200 OK", "X-Node: n2\r\n", &asked.body))
}

fn sessions_stay_and_requests_fail_over(mpm: Mpm) {
    let mut one = ajp();
    let two = http();
    // The connection of the client must outlast the polling for the member that comes back.
    let conf = "JkMount /b/* b\nMaxKeepAliveRequests 0";
    let httpd = Httpd::builder().mpm(mpm).workers(balancer(&one, &two, "")).conf(conf).start();
    let mut client = Client::connect(httpd.port());
    let mut node = |route: &str, body: &[u8]| {
        let cookie = format!("JSESSIONID=abc.{route}");
        let answer = client.request("POST", "/b/x", &[("Cookie", &cookie)], body);
        assert_eq!((answer.status, answer.body == body), (200, true), "{route} {}", body.len());
        answer.header("X-Node").unwrap_or("none").to_owned()
    };
    // More than one packet of AJP, less than one piece of HTTP; then more than both.
    let bodies = [vec![b'a'; 10], vec![b'b'; 20_000], vec![b'c'; 100_000]];
    for body in &bodies {
        assert_eq!(node("n1", body), "n1");
        assert_eq!(node("n2", body), "n2");
    }
    assert_eq!(two.last().header("X-Jk-Route"), ["n2"]);
    one.stop();
    for body in &bodies {
        assert_eq!(node("n1", body), "n2", "failed over");
    }
    one.listen();
    let back = poll(Duration::from_secs(10), || node("n1", b"x") == "n1");
    assert!(back, "{}", httpd.jk_log());
    drop(two);
    for body in &bodies {
        assert_eq!(node("n2", body), "n1", "failed over");
    }
}

#[test]
fn new_requests_are_shared() {
    let (one, two) = (ajp(), http());
    let httpd = Httpd::builder().workers(balancer(&one, &two, "")).conf("JkMount /b/* b").start();
    let mut client = Client::connect(httpd.port());
    let nodes: Vec<_> = (0..10).map(|_| client.get("/b/x").header("X-Node").unwrap().to_owned()).collect();
    assert_eq!(nodes.iter().filter(|node| *node == "n1").count(), 5, "{nodes:?}");
    wait_until("all are counted", || two.asked().len() == 5);
}

#[test]
fn a_member_that_breaks_the_protocol_costs_no_answer() {
    let one = ajp();
    let two = HttpBackend::start(|_, stream| crate::backend::send(stream, "NONSENSE\r\n\r\n"));
    let httpd = Httpd::builder().workers(balancer(&one, &two, "")).conf("JkMount /b/* b").start();
    let mut client = Client::connect(httpd.port());
    for _ in 0..4 {
        assert_eq!(client.get("/b/x").header("X-Node"), Some("n1"));
    }
}

#[test]
fn a_trace_goes_on_over_http() {
    const ID: &str = "0af7651916cd43dd8448eb211c80319c";
    let backend = HttpBackend::named("n1");
    let conf = "JkTrace On\nJkMount /* w\n";
    let httpd = Httpd::builder().workers(backend.worker("w", "")).conf(conf).start();
    let mut client = Client::connect(httpd.port());
    let field = format!("00-{ID}-b7ad6b7169203331-01");
    for (field, state, same) in [(field.as_str(), "a=1", true), ("00-nothing", "a=1", false)] {
        let headers = [("traceparent", field), ("tracestate", state)];
        assert_eq!(client.request("GET", "/x", &headers, b"").status, 200);
        let asked = backend.last();
        let got = asked.header("traceparent");
        assert_eq!(
            (got.len(), got[0].len(), got[0].starts_with(&format!("00-{ID}-"))),
            (1, 55, same),
            "{got:?}"
        );
        assert!(got[0] != field);
        let wanted: &[&str] = if same { &["a=1"] } else { &[] };
        assert_eq!(asked.header("tracestate"), wanted);
    }
}

fn members_over_ajp_http_https_and_unix_sockets_share_sessions_and_failures(mpm: Mpm) {
    let mut one = ajp();
    let two = http();
    let three = HttpBackend::start_over(Over::Https, |asked, stream| {
        say(stream, "200 OK", "X-Node: n3\r\n", &asked.body)
    });
    let four = HttpBackend::start_over(Over::Unix, |asked, stream| {
        say(stream, "200 OK", "X-Node: n4\r\n", &asked.body)
    });
    let mut workers = "worker.list=b\nworker.b.type=lb\nworker.b.balance_workers=m1,m2,m3,m4\n".to_owned();
    workers += &one.member("m1");
    for (name, backend) in [("m2", &two), ("m3", &three), ("m4", &four)] {
        workers += &backend.member(name, "");
    }
    for number in 1..=4 {
        workers += &format!("worker.m{number}.route=n{number}\n");
    }
    let httpd = Httpd::builder().mpm(mpm).workers(workers).conf("JkMount /b/* b").start();
    let mut client = Client::connect(httpd.port());
    let mut node = |route: &str, body: &[u8]| {
        let cookie = format!("JSESSIONID=abc.{route}");
        let answer = client.request("POST", "/b/x", &[("Cookie", &cookie)], body);
        assert_eq!((answer.status, answer.body == body), (200, true), "{route} {}", body.len());
        answer.header("X-Node").unwrap_or("none").to_owned()
    };
    let bodies = [vec![b'a'; 10], vec![b'b'; 20_000], vec![b'c'; 200_000]];
    for body in &bodies {
        for route in ["n1", "n2", "n3", "n4"] {
            assert_eq!(node(route, body), route);
        }
    }
    let shared: std::collections::BTreeSet<String> = (0..8).map(|_| node("none", b"x")).collect();
    assert_eq!(shared.len(), 4, "{shared:?}");
    drop(three);
    for body in &bodies {
        assert_ne!(node("n3", body), "n3", "failed over");
    }
    one.stop();
    drop(four);
    for body in &bodies {
        for route in ["n1", "n2", "n3", "n4"] {
            assert_eq!(node(route, body), "n2", "failed over");
        }
    }
}
