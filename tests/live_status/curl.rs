//! The command lines that guides, deployment pipelines and checks have for mod_jk's status worker, given to curl as they
//! stand there: only names and address are those of the test. Each says what it did, and it is done.

use std::process::Command;

use super::desk::value;
use crate::farm::{Farm, asked, asked_often, share_of};
use crate::support::{Httpd, wait_until};

/// The paths under which such guides mount the status worker.
const MOUNTS: &str = "JkMount /lb/* lb\nJkMount /jkmanager st\nJkMount /jkmanager/* st\nJkMount /jk-status st\n\
                      JkMount /jkstatus st\nJkMount /jkstatus/* st\n\
                      <LocationMatch \"^/jk(manager|-status|status)\">\nRequire local\n</LocationMatch>\n";

fn start(farm: &Farm) -> Httpd {
    Httpd::builder().workers(super::desk::workers(farm, "recover_time=1000", "")).conf(MOUNTS).start()
}

/// Runs a command line of curl; `@` stands for the server. Returns what it printed; it must succeed.
#[track_caller]
fn curl(httpd: &Httpd, line: &str) -> String {
    let line = line.replace('@', &format!("127.0.0.1:{}", httpd.port()));
    let output = Command::new("sh").args(["-c", &line]).env("no_proxy", "*").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{line}: {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
fn members_are_taken_out_and_put_back_in_all_the_ways_people_do_it() {
    let farm = Farm::of(3);
    let httpd = start(&farm);
    for (line, wanted) in [
        (r#"curl -fsS "http://@/jkmanager?cmd=update&from=list&w=lb&sw=lb2&vwa=1""#, "DIS"),
        (r#"curl -fsS "http://@/jkmanager?cmd=update&from=list&w=lb&sw=lb2&vwa=0""#, "ACT"),
        (r#"curl -fsS -G -d 'cmd=update&from=list&w=lb&sw=lb2&vwa=1' http://@/jkmanager"#, "DIS"),
        (
            r#"curl -fsS -u admin:admin -X GET 'http://@/jk-status?cmd=update&from=list&w=lb&sw=lb2&vwa=0'"#,
            "ACT",
        ),
        (r#"curl -fsS -X POST "http://@/jkmanager?cmd=update&from=list&w=lb&sw=lb2&vwa=1""#, "DIS"),
        (r#"curl -fsS -XPOST -d '' "http://@/jkmanager/?cmd=update&from=list&w=lb&sw=lb2&vwa=0""#, "ACT"),
        (r#"curl -fsS -s -o /dev/null "http://@/jkstatus?cmd=update&w=lb&sw=lb2&vwa=2""#, "STP"),
        (
            r#"curl -fsS "http://@/jkstatus?cmd=update&from=list&w=lb&sw=lb2&vwf=1&vwn=n2&vwr=&vwc=&vwd=0&vwa=0""#,
            "ACT",
        ),
        (r#"curl -fsS "http://@/jkstatus/?cmd=update&mime=prop&w=lb&sw=lb2&vwa=d""#, "DIS"),
        (r#"curl -fsS "http://@/jkstatus?cmd=update&mime=txt&w=lb&sw=lb2&vwa=a""#, "ACT"),
        (
            r#"curl -fsS "http://@/jkstatus?cmd=update&from=show&w=lb&att=vwa&val0=0&val1=1&val2=0&re=10&opt=0""#,
            "DIS",
        ),
        (r#"curl -fsS "http://@/jkstatus?cmd=update&w=lb&sw=*&vwa=0""#, "ACT"),
        (r#"curl -fsS --data 'cmd=update&w=lb&sw=lb2&vwa=1' "http://@/jkstatus""#, "DIS"),
        (
            r#"curl -fsSL -A "Mozilla/5.0 (script)" -H 'Accept: */*' "http://@/jkstatus?cmd=update&w=lb&sw=lb2&vwa=0""#,
            "ACT",
        ),
    ] {
        let said = curl(&httpd, line);
        assert!(!said.contains("ERROR") && !said.contains("refused"), "{line}: {said}");
        assert_eq!(value(&httpd, "lb2.activation"), wanted, "{line}");
        let share = share_of::<3>(&asked_often(&httpd, "/lb/x", 6))[1];
        assert_eq!(share > 0, wanted == "ACT", "{line}");
    }
}

#[test]
fn checks_read_what_they_look_for() {
    let farm = Farm::of(3);
    let httpd = start(&farm);
    asked_often(&httpd, "/lb/x", 3);
    // What mod_jk writes there, piece by piece as checks cut it out.
    for (line, wanted) in [
        (r#"curl -s 'http://@/jkstatus?cmd=list&mime=txt' | grep -c 'Member: name='"#, "3"),
        (r#"curl -s 'http://@/jkstatus?mime=prop' | grep '^worker.lb1.state=' | cut -d= -f2"#, "OK"),
        (
            r#"curl -s 'http://@/jkstatus?cmd=show&mime=prop&w=lb' | sed -n 's/^worker.lb.member_count=//p'"#,
            "3",
        ),
        (
            r#"curl -s 'http://@/jkstatus?cmd=show&mime=prop&w=lb&opt=4' | sed -n 's/^worker.lb2.activation=//p'"#,
            "ACT",
        ),
        (
            r#"curl -s 'http://@/jkstatus?cmd=show&mime=txt&w=lb&sw=lb3' | grep -o 'activation=[A-Z]*'"#,
            "activation=ACT",
        ),
        (
            r#"curl -s 'http://@/jkstatus?mime=xml' | tr -d '\n' | grep -o '<jk:status ' | wc -l | tr -d ' '"#,
            "1",
        ),
        (r#"curl -s 'http://@/jkstatus?cmd=show&mime=xml&w=lb' | grep -c '<jk:member'"#, "3"),
        (
            r#"curl -s 'http://@/jkstatus?cmd=list&mime=xml' | grep -A40 'name="lb2"' | grep -m1 -o 'state="[A-Z/]*"'"#,
            "state=\"OK\"",
        ),
        (r#"curl -s 'http://@/jkstatus?cmd=version&mime=txt' | grep -c '^Server: '"#, "1"),
        (r#"curl -s 'http://@/jkstatus?cmd=show&mime=prop&w=lb' | sed -n 's/^worker.result.type=//p'"#, "OK"),
        (r#"curl -s -o /dev/null -w '%{http_code}' 'http://@/jkstatus'"#, "200"),
        (r#"curl -s -I 'http://@/jkstatus?mime=xml' | head -1 | tr -d '\r'"#, "HTTP/1.1 200 OK"),
        (
            r#"curl -s 'http://@/jkstatus?cmd=list' | grep -o '<title>[^<]*</title>'"#,
            "<title>JK Status Manager</title>",
        ),
    ] {
        assert_eq!(curl(&httpd, line).trim(), wanted, "{line}");
    }
}

#[test]
fn failed_members_are_recovered_and_reset() {
    let mut farm = Farm::of(3);
    let httpd = start(&farm);
    farm.node_mut(1).stop_listening();
    let fail = || {
        wait_until("the member fails", || {
            asked(&httpd, "/lb/x");
            value(&httpd, "lb1.state").starts_with("ERR")
        });
    };
    fail();
    let said = curl(&httpd, "curl -s 'http://@/jkstatus?cmd=recover&from=list&w=lb&sw=lb1&mime=txt'");
    // Between two looks a probe may have taken it up already; then there is nothing to recover any more.
    assert!(
        said.contains("Result: type=OK") || said.contains("Marking worker for recovery failed"),
        "{said}"
    );
    fail();
    let said = curl(&httpd, "curl -fsS 'http://@/jkmanager?cmd=reset&from=list&w=lb&sw=lb1&mime=txt'");
    assert!(said.contains("Result: type=OK"), "{said}");
    assert_eq!(value(&httpd, "lb1.errors"), "0");
    let said = curl(&httpd, "curl -fsS 'http://@/jkmanager?cmd=reset&w=lb'");
    assert!(said.contains("<html"), "{said}");
    assert_eq!((value(&httpd, "lb2.elected"), value(&httpd, "lb3.elected")), ("0".into(), "0".into()));
}
