//! Balancers whose members speak AJP or HTTP.

use crate::backend::{HttpBackend, say};
use crate::support::{Backend, Client, Httpd, Mpm, poll, under_each_mpm, wait_until};
use std::time::Duration;

under_each_mpm!(sessions_stay_and_requests_fail_over);

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
