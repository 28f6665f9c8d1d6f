//! Who may use a status worker, and what is said about one that anybody may use.

use super::desk::{LOCAL, MOUNTS, ask, builder, value, workers};
use crate::farm::Farm;
use crate::support::{Client, Httpd};

fn send(httpd: &Httpd, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut all = vec![("Connection", "close")];
    if !headers.iter().any(|(name, _)| *name == "Host") {
        all.push(("Host", "localhost"));
    }
    all.extend(headers);
    let answer = Client::connect(httpd.port()).request(method, path, &all, body.as_bytes());
    (answer.status, answer.text())
}

#[test]
fn another_site_changes_nothing_and_a_form_does() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    let change = "/jkstatus?cmd=update&w=lb&sw=lb1&vwa=s";
    let browser = ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0");
    for headers in [
        vec![("Sec-Fetch-Site", "cross-site")],
        vec![("Origin", "https://evil.example")],
        vec![("Referer", "https://evil.example/page")],
        vec![browser, ("Accept-Language", "en")],
        vec![("Sec-Fetch-Site", "same-origin"), browser],
        vec![("X-JK-Token", "0000000000000000000000000000000000000000000000000000000000000000")],
    ] {
        let (status, text) = send(&httpd, "GET", change, &headers, "");
        assert_eq!(status, 403, "{headers:?}: {text}");
    }
    assert_eq!(value(&httpd, "lb1.activation"), "ACT");
    // The page has a form with a token.
    let (_, page) = send(&httpd, "GET", "/jkstatus?cmd=edit&w=lb&sw=lb1", &[browser], "");
    let at = page.find("name=\"token\" value=\"").expect("a token") + "name=\"token\" value=\"".len();
    let token = &page[at..at + 64];
    let form = [
        browser,
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", "http://localhost"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Accept-Language", "en"),
    ];
    let body = |token: &str| format!("cmd=update&w=lb&sw=lb1&vwa=s&token={token}");
    let (status, _) = send(&httpd, "POST", "/jkstatus", &form, &body(&"0".repeat(64)));
    assert_eq!(status, 403);
    let (status, text) = send(&httpd, "POST", "/jkstatus", &form, &body(token));
    assert_eq!(status, 303, "{text}");
    assert_eq!(value(&httpd, "lb1.activation"), "STP");
    let (status, _) = send(&httpd, "HEAD", "/jkstatus?cmd=update&w=lb&sw=lb1&vwa=a", &[], "");
    assert_eq!((status, value(&httpd, "lb1.activation").as_str()), (403, "STP"), "HEAD changes nothing");
}

#[test]
fn a_large_form_is_refused() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let (status, _) =
        send(&httpd, "POST", "/jkstatus", &kind, &format!("cmd=list&x={}", "y".repeat(300_000)));
    assert_eq!(status, 413);
    assert_eq!(ask(&httpd, "cmd=version").status, 200);
}

#[test]
fn users_and_read_only() {
    let farm = Farm::of(3);
    let users = builder(&farm, "", "user=alice,bob").conf("SetEnvIf X-User (.+) JK_REMOTE_USER=$1\n").start();
    for (user, status) in [(None, 403), (Some("alice"), 200), (Some("ALICE"), 403), (Some("eve"), 403)] {
        let headers: Vec<_> = user.map(|user| ("X-User", user)).into_iter().collect();
        assert_eq!(send(&users, "GET", "/jkstatus?mime=txt", &headers, "").0, status, "{user:?}");
    }
    let change = "/jkstatus?cmd=update&w=lb&sw=lb1&vwa=s&mime=txt";
    assert_eq!(send(&users, "GET", change, &[("X-User", "bob")], "").0, 200);
    assert!(users.jk_log().contains("user 'bob' from 127.0.0.1: member lb1"), "{}", users.jk_log());
    let reader = builder(&farm, "", "read_only=true").start();
    assert_eq!(ask(&reader, "mime=txt").status, 200);
    let answer = ask(&reader, "cmd=update&w=lb&sw=lb1&vwa=s&mime=txt");
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("not allowed in read only mode"), "{}", answer.text());
    assert_eq!(value(&reader, "lb1.activation"), "ACT");
}

#[test]
fn an_open_status_worker_is_warned_of() {
    let farm = Farm::of(3);
    let warning = "JK0228: status worker st at /jkstatus can change settings";
    for (conf, st, warns) in [
        ("", "", true),
        ("<Location /other>\nRequire local\n</Location>", "", true),
        ("<Location /jkstatus>\nRequire all granted\n</Location>", "", true),
        (LOCAL, "", false),
        ("<Location />\nRequire ip 127.0.0.0/8\n</Location>", "", false),
        ("", "read_only=1", false),
        ("", "user=alice", false),
    ] {
        let httpd = Httpd::builder().workers(workers(&farm, "", st)).conf(MOUNTS).conf(conf).start();
        assert_eq!(httpd.error_log().contains(warning), warns, "{conf} {st}\n{}", httpd.error_log());
        let (good, output) = httpd.configtest();
        assert!(good, "{output}");
    }
}

#[test]
fn a_dump_shows_no_secret() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "secret=very-secret-indeed-0123", "").start();
    for mime in ["txt", "prop", "xml", "html", "json"] {
        let text = ask(&httpd, &format!("cmd=dump&mime={mime}")).text();
        assert!(text.contains("worker.lb.balance_workers"), "{text}");
        assert!(!text.contains("very-secret"), "{mime}: {text}");
    }
}

#[test]
fn the_sample_configuration_of_the_project_serves() {
    let farm = Farm::of(3);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("apache-conf/status/jk-status.conf");
    let conf = std::fs::read_to_string(path).unwrap();
    let lines = "\nworker.list=status\nworker.status.type=status\n";
    let workers = farm.balancer("lb", "", &["", "", ""]) + lines;
    let httpd = Httpd::builder().workers(workers).conf(conf).start();
    for path in ["/jkstatus", "/jkstatus/metrics", "/jkstatus/api/v1/balancers/lb"] {
        assert_eq!(send(&httpd, "GET", path, &[], "").0, 200, "{path}");
    }
    assert_eq!(send(&httpd, "GET", "/jkstatusx", &[], "").0, 404);
    assert!(!httpd.error_log().contains("JK0228"), "{}", httpd.error_log());
}
