//! Options of rules and variables that change what a balancer does for a request.

use crate::effect::covers;
use crate::farm::{Farm, asked, asked_often, asked_with, get_with, mounts, share_of, shares};
use crate::support::{Httpd, client};

const EVERYTHING: [&str; 3] = ["", "", ""];

#[test]
fn rules_of_either_kind_change_activations() {
    covers!("activation", "JkMount", "JkMountFile");
    let farm = Farm::of(3);
    let workers = ["b", "c", "d", "e", "f"].map(|name| {
        let own = if matches!(name, "d" | "f") { ["activation=s", "activation=d", ""] } else { EVERYTHING };
        farm.balancer(name, "method=Sessions", &own)
    });
    let workers = workers.concat();
    let rules = [
        ("dis", "b;disabled=b1", [0, 3, 3], ["n1", "n2"]),
        ("stop", "c;stopped=c1,c2", [0, 0, 6], ["n3", "n3"]),
        ("act", "d;active=d1", [3, 0, 3], ["n1", "n2"]),
        ("all", "e;active=e1 e2;disabled=e3", [3, 3, 0], ["n1", "n2"]),
        ("plain", "f", [0, 0, 6], ["n3", "n2"]),
    ];
    let mounted: String =
        rules.iter().map(|rule| format!("JkMount /m/{}/* \"{}\"\n", rule.0, rule.1)).collect();
    let map: String = rules.iter().map(|rule| format!("/f/{}/*={}\n", rule.0, rule.1)).collect();
    let httpd = Httpd::builder()
        .workers(workers)
        .file("conf/map", map)
        .conf(mounted + "JkMountFile conf/map\n")
        .start();
    for kind in ["m", "f"] {
        for (name, rule, wanted, sessions) in rules {
            let path = format!("/{kind}/{name}/x");
            assert_eq!(share_of::<3>(&asked_often(&httpd, &path, 6)), wanted, "{kind}: {rule}");
            for (node, owner) in ["n1", "n2"].into_iter().zip(sessions) {
                let got = asked_with(&httpd, &path, ("Cookie", &format!("JSESSIONID=a.{node}")));
                assert_eq!(got, owner, "{kind}: {rule}: session of {node}");
            }
        }
    }
    // The backend is told what holds for the request.
    let answer = get_with(&httpd, "/m/dis/x", ("Cookie", "JSESSIONID=a.n1"));
    assert_eq!(answer.fact("attribute.JK_LB_ACTIVATION").as_deref(), Some("DIS"));
    let answer = get_with(&httpd, "/m/act/x", ("Cookie", "JSESSIONID=a.n1"));
    assert_eq!(answer.fact("attribute.JK_LB_ACTIVATION").as_deref(), Some("ACT"));
}

#[test]
fn rules_change_how_sessions_are_found() {
    covers!("sticky_session", "session_cookie", "session_path", "JkMount");
    let farm = Farm::of(3);
    let workers = farm.balancer("b", "method=Sessions", &EVERYTHING);
    let conf = "JkMount /b/* b\nJkMount /ignore/* b;sticky_ignore=1\nJkMount /keep/* b;sticky_ignore=0\n\
                JkMount /names/* \"b;session_cookie=OTHER;session_path=;other\"\n";
    let httpd = Httpd::builder().workers(workers).conf(conf).start();
    let session = ("Cookie", "JSESSIONID=a.n2; OTHER=a.n3");
    let often = |path: &str| (0..6).map(|_| asked_with(&httpd, path, session)).collect::<Vec<_>>();
    assert_eq!(share_of::<3>(&often("/b/x")), [0, 6, 0]);
    assert_eq!(share_of::<3>(&often("/keep/x")), [0, 6, 0]);
    assert_eq!(share_of::<3>(&often("/names/x")), [0, 0, 6]);
    assert_eq!(share_of::<3>(&often("/ignore/x")), [2, 2, 2]);
    assert_eq!(asked_with(&httpd, "/names/x;other=a.n1;jsessionid=a.n2", session), "n1");
}

#[test]
fn stateless_requests_go_round_and_leave_no_trace() {
    covers!("method", "JkMount");
    let farm = Farm::of(3);
    let workers = farm.balancer("b", "method=Sessions", &["lbfactor=5", "", ""]);
    let conf = "JkMount /b/* b\nJkMount /free/* b;stateless=1\nSetEnvIf X-Free (.+) JK_STATELESS=$1\n\
                JkRequestLogFormat \"RL|%w %R\"\nLogFormat \"%U %{JK_LB_LAST_SESSIONS}n\" n\nCustomLog logs/n.log n\n";
    let httpd = Httpd::builder().workers(workers).conf(conf).start();
    assert_eq!(share_of::<3>(&asked_often(&httpd, "/free/x", 9)), [3, 3, 3]);
    let by_variable: Vec<String> = (0..9).map(|_| asked_with(&httpd, "/b/x", ("X-Free", "1"))).collect();
    assert_eq!(share_of::<3>(&by_variable), [3, 3, 3]);
    let counted: Vec<String> = (0..7).map(|_| asked_with(&httpd, "/b/x", ("X-Free", "0"))).collect();
    assert_eq!(share_of::<3>(&counted), [5, 1, 1], "{counted:?}");
    crate::support::wait_until("the access log", || {
        std::fs::read_to_string(httpd.root().join("logs/n.log")).is_ok_and(|log| log.lines().count() == 25)
    });
    let log = std::fs::read_to_string(httpd.root().join("logs/n.log")).unwrap();
    let free: Vec<&str> = log.lines().filter(|line| line.starts_with("/free")).collect();
    assert!(free.iter().all(|line| line.ends_with(" 0")), "{free:?}");
}

#[test]
fn variables_name_the_route_and_put_stickiness_aside() {
    covers!("route", "sticky_session");
    let farm = Farm::of(3);
    let workers = farm.balancer("b", "", &["", "activation=s domain=d", "domain=d"])
        + &farm.balancer("c", "", &EVERYTHING);
    let conf = mounts(&["b", "c"])
        + "SetEnvIf X-Route (.+) JK_ROUTE=$1\nSetEnvIf X-Ignore (.+) JK_STICKY_IGNORE=$1\n\
           <Location /c/anywhere>\nSetEnv JK_ROUTE \"\"\n</Location>\n\
           <Location /c/loose>\nSetEnv JK_STICKY_IGNORE \"\"\n</Location>\n\
           JkRequestLogFormat \"RL|%w %R %U\"\n";
    let httpd = Httpd::builder().workers(workers).conf(conf).start();
    for _ in 0..3 {
        assert_eq!(asked_with(&httpd, "/c/x;jsessionid=a.n1", ("X-Route", "n3")), "n3");
        assert_eq!(asked(&httpd, "/c/anywhere/x;jsessionid=a.n1"), "n1");
        // A member that is stopped: its domain.
        assert_eq!(asked_with(&httpd, "/b/x", ("X-Route", "n2")), "n3");
    }
    // The backend is told the route of the variable, whoever it is.
    let answer = get_with(&httpd, "/b/x", ("X-Route", "n2"));
    assert_eq!(answer.fact("route").as_deref(), Some("n2"));
    let answer = client::get(httpd.port(), "/c/x;jsessionid=a.n2");
    assert_eq!(answer.fact("route").as_deref(), Some("n2"));
    let ignored = |value: &str| -> Vec<String> {
        (0..6).map(|_| asked_with(&httpd, "/c/x;jsessionid=a.n1", ("X-Ignore", value))).collect()
    };
    for value in ["1", "17", "2x"] {
        assert!(shares(&ignored(value)).len() > 1, "{value:?}");
    }
    for value in ["0", "no"] {
        assert_eq!(share_of::<3>(&ignored(value)), [6, 0, 0], "{value:?}");
    }
    let loose: Vec<String> = (0..6).map(|_| asked(&httpd, "/c/loose/x;jsessionid=a.n1")).collect();
    assert!(shares(&loose).len() > 1, "{loose:?}");
    crate::support::wait_until("the request log", || httpd.jk_log().contains("RL|c n2 /c/x"));
    assert_eq!(asked(&httpd, "/c/x;jsessionid=a.n3"), "n3");
}
