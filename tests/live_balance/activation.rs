//! activation, distance, and taking members out of service by a graceful restart.

use crate::effect::{attribute, covers};
use crate::farm::{Farm, asked, asked_often, asked_with, mounts, share_of, who};
use crate::support::{Httpd, client};

#[test]
fn disabled_members_keep_their_sessions_and_stopped_ones_get_nothing() {
    covers!("activation", "disabled", "stopped");
    let farm = Farm::of(3);
    let workers = farm.balancer("a", "", &["", "activation=Disabled", "activation=Stopped"])
        + &farm.balancer("o", "", &["", "disabled=1", "stopped=1"]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["a", "o"])).start();
    for name in ["a", "o"] {
        let path = format!("/{name}/x");
        assert_eq!(share_of::<3>(&asked_often(&httpd, &path, 9)), [9, 0, 0]);
        assert_eq!(asked_with(&httpd, &path, ("Cookie", "JSESSIONID=a.n2")), "n2");
        assert_eq!(asked_with(&httpd, &path, ("Cookie", "JSESSIONID=a.n3")), "n1");
        // The backend is told, so that it can move its sessions away.
        let answer = client::get(httpd.port(), &path);
        assert_eq!(answer.fact("attribute.JK_LB_ACTIVATION").as_deref(), Some("ACT"));
        assert_eq!(attribute(&farm.node(2).last_request(), "JK_LB_ACTIVATION"), Some("DIS"));
    }
    assert!(farm.node(3).requests().is_empty());
}

#[test]
fn near_members_come_first() {
    covers!("distance");
    let farm = Farm::of(4);
    let workers = farm.balancer("d", "", &["distance=1", "", "distance=2", ""])
        + &farm.balancer("e", "", &["distance=1", "activation=s", "distance=2", "activation=d"])
        + &farm.balancer("f", "", &["distance=-1 lbfactor=1", "lbfactor=50", "", ""]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["d", "e", "f"])).start();
    assert_eq!(share_of::<4>(&asked_often(&httpd, "/d/x", 8)), [0, 4, 0, 4]);
    assert_eq!(share_of::<4>(&asked_often(&httpd, "/e/x", 4)), [4, 0, 0, 0]);
    assert_eq!(share_of::<4>(&asked_often(&httpd, "/f/x", 4)), [4, 0, 0, 0]);
    assert_eq!(asked_with(&httpd, "/d/x", ("Cookie", "JSESSIONID=a.n3")), "n3", "sessions do not care");
}

#[test]
fn a_member_is_drained_by_editing_the_file_and_a_graceful_restart() {
    covers!("activation");
    let farm = Farm::of(2);
    let with = |activation: &str| farm.balancer("a", "", &["", &format!("activation={activation}")]);
    let httpd = Httpd::builder().workers(with("active")).conf(mounts(&["a"])).start();
    let session = ("Cookie", "JSESSIONID=a.n2");
    assert_eq!(share_of::<2>(&asked_often(&httpd, "/a/x", 6)), [3, 3]);
    for (activation, fresh, sessions) in
        [("disabled", [6, 0], "n2"), ("stopped", [6, 0], "n1"), ("disabled", [6, 0], "n2")]
    {
        httpd.write("conf/workers.properties", &with(activation));
        httpd.graceful();
        // A connection of its own each time: the old processes serve no new ones.
        let got: Vec<String> = (0..6).map(|_| asked(&httpd, "/a/x")).collect();
        assert_eq!(share_of::<2>(&got), fresh, "{activation}");
        assert_eq!(asked_with(&httpd, "/a/x", session), sessions, "{activation}");
    }
    httpd.write("conf/workers.properties", &with("active"));
    httpd.graceful();
    // Sessions and new requests; who was away is not flooded to catch up.
    let got: Vec<String> = (0..12).map(|_| asked(&httpd, "/a/x")).collect();
    let [_, back] = share_of::<2>(&got);
    assert!((4..=8).contains(&back), "{got:?}");
    httpd.assert_no_errors(&[]);
}

#[test]
fn without_any_active_member_503_with_retry_after() {
    covers!("activation");
    let farm = Farm::of(2);
    let workers = farm.balancer("a", "", &["activation=s", "activation=d"]);
    let httpd = Httpd::builder().workers(workers).conf(mounts(&["a"])).start();
    let answer = client::get(httpd.port(), "/a/x");
    assert_eq!(answer.status, 503);
    let seconds = answer.header("Retry-After").map(|text| text.parse::<u32>());
    assert!(matches!(seconds, Some(Ok(1..=60))), "{:?}", answer.headers);
    let log = httpd.jk_log();
    assert_eq!(log.matches("JK0218").count(), 1, "{log}");
    assert!(log.contains("a1 STP") && log.contains("a2 DIS"), "{log}");
    assert_eq!(asked_with(&httpd, "/a/x", ("Cookie", "JSESSIONID=q.n2")), "n2");
    assert_eq!(who(&client::get(httpd.port(), "/a/x")), "503");
}
