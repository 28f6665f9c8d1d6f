//! Settings that show their effect on requests.

use super::desk::{builder, tell, value};
use crate::farm::{Farm, asked, asked_often, asked_with, share_of};
use crate::support::client;

#[test]
fn a_worker_moves_to_another_address() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    assert_eq!(asked(&httpd, "/solo/x"), "n1");
    let port = farm.node(2).port();
    tell(&httpd, &format!("cmd=update&w=solo&vaprt={port}"));
    assert_eq!(asked(&httpd, "/solo/x"), "n2");
    assert_eq!(value(&httpd, "solo.address"), format!("127.0.0.1:{port}"));
    tell(&httpd, &format!("cmd=update&w=solo&vahst=localhost&vaprt={}", farm.node(3).port()));
    assert_eq!(asked(&httpd, "/solo/x"), "n3");
}

#[test]
fn a_route_moves_its_sessions() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "method=Sessions", "").start();
    let session = ("Cookie", "JSESSIONID=a.other");
    tell(&httpd, "cmd=update&w=lb&sw=lb3&vwn=d9.other");
    assert_eq!(value(&httpd, "lb3.domain"), "d9");
    for _ in 0..3 {
        assert_eq!(asked_with(&httpd, "/lb/x", ("Cookie", "JSESSIONID=a.d9.other")), "n3");
        assert_eq!(asked_with(&httpd, "/lb/x", ("Cookie", "JSESSIONID=a.d9")), "n3", "the domain");
    }
    tell(&httpd, "cmd=update&w=lb&sw=lb3&vwn=other");
    assert_eq!(asked_with(&httpd, "/lb/x", session), "n3");
    // Disabled by stickiness: the session means nothing any more.
    tell(&httpd, "cmd=update&w=lb&vls=false");
    let got: Vec<_> = (0..6).map(|_| asked_with(&httpd, "/lb/x", session)).collect();
    assert_eq!(share_of::<3>(&got), [2, 2, 2]);
}

#[test]
fn a_redirect_and_force_are_followed() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    let session = ("Cookie", "JSESSIONID=a.n1");
    tell(&httpd, "cmd=update&w=lb&sw=lb1&vwa=s&vwr=n3");
    for _ in 0..3 {
        assert_eq!(asked_with(&httpd, "/lb/x", session), "n3");
    }
    tell(&httpd, "cmd=update&w=lb&sw=lb1&vwr=");
    tell(&httpd, "cmd=update&w=lb&vlf=1");
    assert_eq!(asked_with(&httpd, "/lb/x", session), "503");
}

#[test]
fn distance_and_weight_decide_about_new_requests() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    tell(&httpd, "cmd=update&w=lb&sw=lb1&vwd=1");
    assert_eq!(share_of::<3>(&asked_often(&httpd, "/lb/x", 6)), [0, 3, 3]);
    tell(&httpd, "cmd=update&w=lb&sw=lb2&vwf=2");
    tell(&httpd, "cmd=reset&w=lb");
    assert_eq!(share_of::<3>(&asked_often(&httpd, "/lb/x", 6)), [0, 4, 2]);
}

#[test]
fn a_reply_timeout_and_a_busy_limit_hold_at_once() {
    let farm = Farm::of(1);
    let workers = farm.node(1).worker("solo") + "\nworker.list=st\nworker.st.type=status\n";
    let httpd = crate::support::Httpd::builder()
        .workers(workers)
        .conf("JkMount /solo/* solo\nJkMount /jkstatus st\n")
        .conf(super::desk::LOCAL)
        .allow_log("JK0205")
        .start();
    tell(&httpd, "cmd=update&w=solo&vart=100&var=1");
    assert_eq!(client::get(httpd.port(), "/solo/delay/3000").status, 504);
    tell(&httpd, "cmd=update&w=solo&vart=0&vabl=1");
    assert_eq!(value(&httpd, "solo.busy_limit"), "1");
    assert_eq!(client::get(httpd.port(), "/solo/x").status, 200);
}
