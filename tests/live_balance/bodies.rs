//! Request bodies and packets when members differ: what was read of a body goes along to the next member.

use crate::effect::covers;
use crate::farm::{Farm, mounts, node, who};
use crate::support::{Backend, Client, Event, Httpd, client, pattern};

/// Two members, of which the first one met answers 503 before it reads the body, which is a failure.
fn unwilling() -> Farm {
    Farm::scripted(2, |number, request, say| {
        if number == 1 {
            say.send_headers(503, "503", &[]);
            say.end(true);
        } else {
            node(number, request, say);
        }
    })
}

#[test]
fn the_body_goes_along_to_the_next_member() {
    covers!("recovery_options", "max_packet_size");
    let farm = unwilling();
    let workers =
        farm.balancer("b", "", &["fail_on_status=-503 recovery_options=0", "distance=1 lbfactor=1"]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
    for len in [0, 1, 8186, 8187, 100_000] {
        let body = pattern(len);
        let answer = client::request(httpd.port(), "POST", "/b/upload", &[], &body);
        let sum = crate::support::digest::sha256_hex(&body);
        assert_eq!(
            (answer.status, answer.fact("length"), answer.fact("sha256")),
            (200, Some(len.to_string()), Some(sum)),
            "{len}: {}",
            httpd.jk_log()
        );
    }
    let mut client = Client::connect(httpd.port());
    client.send("POST /b/upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send_chunk(&pattern(20_000)).send("0\r\n\r\n");
    assert_eq!(client.read_response().fact("length").as_deref(), Some("20000"));
    assert_eq!(farm.got(), [6, 6]);
}

#[test]
fn nothing_that_was_sent_is_repeated_unless_the_administrator_says_so() {
    covers!("recovery_options");
    let farm = Farm::scripted(
        2,
        |number, request, say| if number == 1 { say.reset() } else { node(number, request, say) },
    );
    let all = [
        ("unset", "", [2, 2, 1, 1]),
        ("r0", "recovery_options=0", [2, 2, 2, 2]),
        ("r1", "recovery_options=1", [1, 1, 1, 1]),
        ("r9", "recovery_options=9", [1, 2, 1, 1]),
        ("r17", "recovery_options=17", [2, 1, 1, 1]),
    ];
    for (name, lines, wanted) in all {
        for (method, wanted) in ["GET", "HEAD", "POST", "PATCH"].into_iter().zip(wanted) {
            // The first member is out of service after each, so each has a balancer and a server of its own.
            let before: usize = farm.got().iter().sum();
            let workers = farm.balancer(name, "", &[lines, "distance=1"]);
            let httpd = Httpd::builder().workers(workers).conf(mounts(&[name])).start();
            let body: &[u8] = if method == "POST" { b"order=1" } else { b"" };
            let answer = client::request(httpd.port(), method, &format!("/{name}/x"), &[], body);
            let status = if wanted == 2 { 200 } else { 502 };
            assert_eq!(answer.status, status, "{name} {method}: {}", httpd.jk_log());
            assert_eq!(farm.got().iter().sum::<usize>() - before, wanted, "{name} {method}");
        }
    }
}

#[test]
fn a_request_that_was_not_sent_goes_on_whatever_its_method() {
    covers!("recovery_options");
    let mut farm = Farm::of(2);
    let workers = farm.balancer("b", "", &["recovery_options=3", "distance=1 recovery_options=3"]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["b"])).start();
    farm.node_mut(1).stop();
    let answer = client::request(httpd.port(), "POST", "/b/upload", &[], &pattern(50_000));
    assert_eq!((answer.status, answer.fact("length").as_deref()), (200, Some("50000")), "{}", httpd.jk_log());
}

#[test]
fn members_have_packets_and_secrets_of_their_own() {
    covers!("max_packet_size", "secret", "secret_file");
    let script = |number: usize| {
        move |request: &crate::support::ForwardRequest, say: &mut crate::support::Conversation| {
            if request.uri.ends_with("/refuse") && number == 1 {
                say.send_headers(503, "503", &[]);
                say.end(true);
            } else {
                node(number, request, say);
            }
        }
    };
    let own = "secret-of-the-member-itself";
    let shared = "secret-of-the-balancer-1234";
    let large = Backend::builder().packet_size(65_536).secret(own).script(script(1)).start();
    let small = Backend::builder().secret(shared).script(script(2)).start();
    let filed = Backend::builder().packet_size(16_384).secret(shared).script(script(3)).start();
    let bare = |backend: &Backend, name: &str, lines: &str| {
        let without = |line: &&str| !line.contains(".secret=");
        let text: String =
            backend.member(name).lines().filter(without).map(|line| format!("{line}\n")).collect();
        text + lines
    };
    let lb = "worker.list=b,f\nworker.b.type=lb\nworker.b.balance_workers=one,two\n\
              worker.f.type=lb\nworker.f.balance_workers=three\nworker.f.secret_file=conf/secret\n";
    let workers = [
        lb.to_owned(),
        format!("worker.b.secret={shared}\n"),
        bare(
            &large,
            "one",
            &format!(
                "worker.one.secret={own}\nworker.one.fail_on_status=-503\nworker.one.recovery_options=0\n"
            ),
        ),
        bare(&small, "two", "worker.two.distance=1\n"),
        bare(&filed, "three", ""),
    ];
    let httpd = Httpd::builder()
        .workers(workers.concat())
        .file("conf/secret", shared)
        .conf(mounts(&["b", "f"]))
        .prepare();
    let path = httpd.root().join("conf/secret");
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut httpd = httpd;
    httpd.launch().unwrap();
    assert_eq!(who(&client::get(httpd.port(), "/b/x")), "n1");
    assert_eq!(who(&client::get(httpd.port(), "/b/x;jsessionid=a.two")), "n2");
    assert_eq!(who(&client::get(httpd.port(), "/f/x")), "n3");
    // A large head goes only where it fits.
    let wide = "v".repeat(7000);
    let headers: [(&str, &str); 3] = [("X-A", &wide), ("X-B", &wide), ("X-C", &wide)];
    let ask = |path: &str| client::request(httpd.port(), "GET", path, &headers, b"");
    assert_eq!(who(&ask("/b/x")), "n1");
    assert_eq!(ask("/b/x;jsessionid=a.two").status, 431);
    // A body that the first member refused is passed on in packets that the second one takes.
    let answer = client::request(httpd.port(), "POST", "/b/upload", &[], &pattern(100_000));
    assert_eq!(answer.fact("length").as_deref(), Some("100000"));
    let answer = client::request(httpd.port(), "POST", "/b/refuse", &[], &pattern(100_000));
    assert_eq!((answer.status, who(&answer).as_str()), (200, "n2"), "{}", httpd.jk_log());
    for backend in [&large, &small, &filed] {
        assert!(!backend.log().iter().any(|connection| connection.saw(&Event::WrongSecret)));
    }
    let logs = httpd.jk_log() + &httpd.error_log();
    assert!(!logs.contains(own) && !logs.contains(shared), "{logs}");
}

#[test]
fn a_balancer_of_one_repeats_as_its_member_is_told() {
    covers!("retries", "retry_interval", "lb_retries");
    let farm = Farm::scripted(2, |_, _, say| say.reset());
    let workers = farm.balancer("one", "retries=1", &["retries=3 retry_interval=0"])
        + &farm.balancer("two", "retries=1", &["retries=3 retry_interval=0", "retries=3 retry_interval=0"]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["one", "two"])).start();
    assert_eq!(client::get(httpd.port(), "/one/x").status, 502);
    assert_eq!(farm.got(), [3, 0], "{}", httpd.jk_log());
    // With a second one there, it is tried instead.
    assert_eq!(client::get(httpd.port(), "/two/x").status, 502);
    assert_eq!(farm.got(), [4, 1], "{}", httpd.jk_log());
}
