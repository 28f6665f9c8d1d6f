//! sticky_session, sticky_session_force, session_cookie, session_path, route, domain, redirect.

use crate::effect::covers;
use crate::farm::{Farm, asked, asked_with, get_with, mounts, who};
use crate::support::{Httpd, Mpm, client, under_each_mpm};

const EVERYTHING: [&str; 3] = ["", "", ""];

under_each_mpm!(sessions_stay_at_their_member);

/// In every process: what is known of a session is in the request.
fn sessions_stay_at_their_member(mpm: Mpm) {
    covers!("sticky_session", "route");
    let farm = Farm::of(3);
    let workers =
        farm.balancer("on", "", &EVERYTHING) + &farm.balancer("off", "sticky_session=false", &EVERYTHING);
    let httpd = Httpd::builder()
        .mpm(mpm)
        .servers(3)
        .threads_per_child(2)
        .workers(workers)
        .conf(mounts(&["on", "off"]))
        .start();
    let mut elsewhere = 0;
    for _ in 0..5 {
        for node in ["n1", "n2", "n3"] {
            let cookie = format!("JSESSIONID=0A1B.{node}");
            assert_eq!(asked_with(&httpd, "/on/x", ("Cookie", &cookie)), node);
            assert_eq!(asked(&httpd, &format!("/on/x;jsessionid=0A1B.{node}?q=1")), node);
            elsewhere += usize::from(asked_with(&httpd, "/off/x", ("Cookie", "JSESSIONID=0A1B.n1")) != "n1");
        }
    }
    assert!(elsewhere >= 8, "{elsewhere}");
}

#[test]
fn a_session_is_found_however_it_is_written() {
    covers!("sticky_session", "session_cookie", "session_path");
    let farm = Farm::of(3);
    let workers = farm.balancer("p", "", &EVERYTHING)
        + &farm.balancer("o", "session_cookie=SID session_path=;sid", &EVERYTHING);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["p", "o"])).start();
    for _ in 0..2 {
        for cookie in [
            "JSESSIONID=a.n2",
            "JSESSIONID=\"a.n2\"",
            "x=1; JSESSIONID=a.n2; y=2",
            "JSESSIONID=a.gone; JSESSIONID=b.n2",
            "JSESSIONID=none; JSESSIONID=b.n2",
            "JSESSIONID = a.n2",
            // As mod_jk does not: white space behind the value, dots in the id.
            "JSESSIONID=a.n2 ; x=1",
            "JSESSIONID=a.b.c.n2",
        ] {
            assert_eq!(asked_with(&httpd, "/p/x", ("Cookie", cookie)), "n2", "{cookie}");
        }
        for path in [
            "/p/x;jsessionid=a.n3",
            "/p/x;jsessionid=a.n3/y?z=1",
            "/p/x;a=b;jsessionid=a.n3",
            "/p/x;jsessionid=gone;jsessionid=a.n3",
        ] {
            assert_eq!(asked_with(&httpd, path, ("Cookie", "JSESSIONID=a.n1")), "n3", "{path}");
        }
        // As mod_jk does not: an empty parameter hides nothing.
        assert_eq!(asked_with(&httpd, "/p/x;jsessionid=/y", ("Cookie", "JSESSIONID=a.n2")), "n2");
        let several =
            [("Host", "h"), ("Connection", "close"), ("Cookie", "a=b"), ("Cookie", "JSESSIONID=a.n2")];
        let answer = crate::support::Client::connect(httpd.port()).request("GET", "/p/x", &several, b"");
        assert_eq!(who(&answer), "n2");
        assert_eq!(asked_with(&httpd, "/o/x", ("Cookie", "JSESSIONID=a.n1; SID=a.n2")), "n2");
        assert_eq!(asked_with(&httpd, "/o/x;sid=a.n3;jsessionid=a.n1", ("Cookie", "SID=a.n2")), "n3");
    }
    // Names of the other kind mean nothing: requests are shared.
    let got: Vec<String> =
        (0..6).map(|_| asked_with(&httpd, "/o/x;jsessionid=a.n1", ("Cookie", "JSESSIONID=a.n1"))).collect();
    assert_eq!(crate::farm::shares(&got).len(), 3, "{got:?}");
}

#[test]
fn the_backend_is_told_the_route_of_the_member_it_is() {
    covers!("route", "domain", "redirect");
    let farm = Farm::of(3);
    let workers = farm.balancer("p", "", &["route=east.one", "route=east.two activation=s", "activation=d"])
        + &farm.balancer("q", "", &["domain=d activation=s", "domain=d", ""])
        + &farm.balancer("r", "", &["activation=s redirect=n3", "", "activation=d"]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["p", "q", "r"])).start();
    for (path, node, route) in [
        ("/p/x;jsessionid=a.east.one", "n1", "east.one"),
        // The member is stopped; the part of its route before the dot is its domain.
        ("/p/x;jsessionid=a.east.two", "n1", "east.one"),
        ("/p/x;jsessionid=a.east.gone", "n1", "east.one"),
        ("/p/x;jsessionid=a.n3", "n3", "n3"),
        ("/q/x;jsessionid=a.n1", "n2", "n2"),
        ("/q/x;jsessionid=a.d", "n2", "n2"),
        ("/q/x;jsessionid=a.d.x", "n2", "n2"),
        ("/r/x;jsessionid=a.n1", "n3", "n3"),
    ] {
        let answer = client::get(httpd.port(), path);
        assert_eq!((who(&answer).as_str(), answer.fact("route").as_deref()), (node, Some(route)), "{path}");
    }
    // Nobody new goes to a disabled one, unless a redirect names it and nobody else is left.
    for _ in 0..6 {
        assert_ne!(asked(&httpd, "/r/x"), "n3");
    }
    let workers = farm.balancer("s", "", &["activation=s redirect=n3", "activation=s", "activation=d"]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["s"])).start();
    assert_eq!(asked(&httpd, "/s/x"), "n3");
    assert_eq!(asked(&httpd, "/s/x;jsessionid=a.n2"), "n3");
}

#[test]
fn a_forced_session_is_refused_rather_than_lost() {
    covers!("sticky_session_force");
    let farm = Farm::of(3);
    let members = ["", "activation=stopped", ""];
    let workers = farm.balancer("f", "sticky_session_force=1", &members) + &farm.balancer("g", "", &members);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["f", "g"])).start();
    let answer = get_with(&httpd, "/f/x", ("Cookie", "JSESSIONID=a.n2"));
    assert_eq!(answer.status, 503);
    assert!(httpd.jk_log().contains("JK0219"), "{}", httpd.jk_log());
    assert!(!asked_with(&httpd, "/g/x", ("Cookie", "JSESSIONID=a.n2")).starts_with('5'));
    for cookie in ["JSESSIONID=a.n1", "JSESSIONID=a.unknown", "JSESSIONID=a", "JSESSIONID=a.", "x=y"] {
        let answer = get_with(&httpd, "/f/x", ("Cookie", cookie));
        assert_eq!(answer.status, 200, "{cookie}: {}", httpd.jk_log());
    }
    assert!(farm.node(2).requests().is_empty());
    // A stand-in has not got the session.
    let workers =
        farm.balancer("f", "sticky_session_force=1", &["", "activation=stopped domain=d", "domain=d"]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["f"])).start();
    assert_eq!(asked_with(&httpd, "/f/x", ("Cookie", "JSESSIONID=a.n2")), "503");
}
