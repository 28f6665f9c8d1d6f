//! The commands that scripts send.

use super::desk::{ask, builder, in_each_child, many_children, tell, value};
use crate::farm::{Farm, asked, asked_often, asked_with, share_of};
use crate::support::wait_until;

#[test]
fn a_member_is_taken_out_and_put_back() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "method=Sessions", "").start();
    assert!(ask(&httpd, "cmd=list&mime=txt").text().contains("Member: name=lb1"));
    tell(&httpd, "cmd=update&w=lb&sw=lb2&vwa=1");
    assert_eq!(share_of::<3>(&asked_often(&httpd, "/lb/x", 6)), [3, 0, 3]);
    assert_eq!(asked_with(&httpd, "/lb/x", ("Cookie", "JSESSIONID=a.n2")), "n2", "its sessions stay");
    tell(&httpd, "cmd=update&from=list&w=lb&sw=lb2&vwa=2");
    assert_ne!(asked_with(&httpd, "/lb/x", ("Cookie", "JSESSIONID=a.n2")), "n2");
    tell(&httpd, "cmd=update&from=list&w=lb&sw=lb2&vwa=0");
    assert_eq!(share_of::<3>(&asked_often(&httpd, "/lb/x", 6)), [2, 2, 2]);
    let log = httpd.jk_log();
    let line =
        "status worker st: nobody authenticated from 127.0.0.1: member lb2 of balancer lb: activation from ";
    assert!(log.contains(&format!("{line}'Active' to 'Disabled'")), "{log}");
    assert!(log.contains(&format!("{line}'Stopped' to 'Active'")), "{log}");
}

#[test]
fn all_children_follow_at_once_and_a_graceful_restart_keeps_it() {
    let farm = Farm::of(3);
    let httpd = many_children(&farm, "method=Request");
    tell(&httpd, "cmd=update&w=lb&sw=lb1&vwa=s&vwf=5&vwd=2&vwn=moved");
    tell(&httpd, "cmd=update&w=lb&vlr=7&vlm=b&vls=0");
    tell(&httpd, "cmd=update&w=solo&vact=1234");
    let look = |client: &mut crate::support::Client| {
        let text = client.get("/jkstatus?mime=prop").text();
        for line in [
            "worker.lb1.activation=STP",
            "worker.lb1.lbfactor=5",
            "worker.lb1.distance=2",
            "worker.lb1.route=moved",
            "worker.lb.retries=7",
            "worker.lb.method=Busyness",
            "worker.lb.sticky_session=False",
            "worker.solo.connect_timeout=1234",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is missing in\n{text}");
        }
    };
    in_each_child(&httpd, 4, look);
    let before = httpd.child_pids();
    httpd.graceful();
    wait_until("new children", || httpd.child_pids().iter().all(|pid| !before.contains(pid)));
    in_each_child(&httpd, 4, look);
}

#[test]
fn a_changed_file_wins_over_what_was_changed_at_run_time() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "retries=3", "").start();
    tell(&httpd, "cmd=update&w=lb&vlr=7&vlt=99");
    httpd.write("conf/workers.properties", &super::desk::workers(&farm, "retries=4", ""));
    httpd.graceful();
    wait_until("the new configuration", || value(&httpd, "lb.retries") == "4");
    assert_eq!(value(&httpd, "lb.recover_time"), "99", "the file says nothing new about it");
}

#[test]
fn patterns_and_bulk_edits_change_all_or_nothing() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    tell(&httpd, "cmd=update&w=lb&sw=lb*&vwf=3");
    for member in ["lb1", "lb2", "lb3"] {
        assert_eq!(value(&httpd, &format!("{member}.lbfactor")), "3");
    }
    let answer = ask(&httpd, "cmd=update&w=lb&att=vwf&val0=5&val1=0&val2=7&mime=txt");
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(value(&httpd, "lb1.lbfactor"), "3", "nothing was changed");
    tell(&httpd, "cmd=update&w=lb&att=vwf&val0=5&val2=7");
    let now = ["lb1", "lb2", "lb3"].map(|member| value(&httpd, &format!("{member}.lbfactor")));
    assert_eq!(now, ["5", "3", "7"]);
    assert_eq!(share_of::<3>(&asked_often(&httpd, "/lb/x", 15)), [5, 3, 7]);
}

#[test]
fn refused_values_are_named_and_change_nothing() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    for (query, status, says) in [
        ("cmd=update&w=lb&sw=lb1&vwa=xyz&vwf=9", 400, "vwa=xyz"),
        ("cmd=update&w=lb&sw=lb1&vwn=n2", 400, "routes must be unique"),
        ("cmd=update&w=solo&vaprt=99999", 400, "vaprt=99999"),
        ("cmd=update&w=solo&vahst=no-such-host.invalid", 422, "no-such-host.invalid"),
        ("cmd=update&w=nope&vabl=1", 404, "Could not find given worker"),
        ("cmd=recover&w=lb&sw=lb1", 409, "Marking worker for recovery failed"),
        ("cmd=bogus", 400, "Invalid command"),
    ] {
        let answer = ask(&httpd, &format!("{query}&mime=txt"));
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert!(answer.text().contains("Result: type=ERROR"), "{query}: {}", answer.text());
        assert!(answer.text().contains(says), "{query}: {}", answer.text());
    }
    assert_eq!(value(&httpd, "lb1.lbfactor"), "1");
    assert!(
        httpd.jk_log().contains("JK0226: status worker st: GET /jkstatus?cmd=bogus"),
        "{}",
        httpd.jk_log()
    );
}

#[test]
fn a_failed_member_is_reset_or_recovered() {
    let mut farm = Farm::of(3);
    let httpd = builder(&farm, "recover_time=1000", "").start();
    farm.node_mut(1).stop_listening();
    wait_until("the member fails", || {
        asked(&httpd, "/lb/x");
        value(&httpd, "lb1.state") == "ERR"
    });
    let text = ask(&httpd, "cmd=show&w=lb&sw=lb1&mime=txt").text();
    assert!(text.contains(" error_time_unix_seconds="), "{text}");
    tell(&httpd, "cmd=recover&w=lb&sw=lb1");
    let state = value(&httpd, "lb1.state");
    assert!(state.starts_with("ERR/") || state == "ERR", "{state}");
    assert!(httpd.jk_log().contains("marked for recovery"));
    tell(&httpd, "cmd=reset&w=lb");
    assert_eq!(value(&httpd, "lb1.errors"), "0");
    assert_eq!(value(&httpd, "lb2.elected"), "0");
}

#[test]
fn a_reset_zeroes_what_is_shown() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    asked_often(&httpd, "/solo/x", 5);
    assert_eq!((value(&httpd, "solo.used"), value(&httpd, "solo.state")), ("5".into(), "OK".into()));
    assert_ne!(value(&httpd, "solo.transferred"), "0");
    tell(&httpd, "cmd=reset&w=solo");
    assert_eq!((value(&httpd, "solo.used"), value(&httpd, "solo.transferred")), ("0".into(), "0".into()));
}
