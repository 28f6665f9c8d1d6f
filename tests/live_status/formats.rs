//! The formats, compared with those of the original while both serve the same requests.

use super::desk::{LOCAL, ask};
use crate::farm::{Farm, asked, asked_with};
use crate::status_compare::{Format, differences};
use crate::support::httpd::original_mod_jk;
use crate::support::{Httpd, client, ports};

const REQUESTS: [&str; 12] = [
    "cmd=list",
    "cmd=list&opt=3",
    "cmd=list&opt=31",
    "cmd=show&w=lb",
    "cmd=show&w=lb&sw=lb2",
    "cmd=show&w=solo",
    "cmd=version",
    "cmd=update&w=lb&sw=lb2&vwa=d",
    "cmd=show&w=lb&sw=lb2&from=list",
    "cmd=reset&w=lb",
    "cmd=show&w=nope",
    "cmd=bogus",
];

#[test]
fn scripts_read_what_they_read_before() {
    let farm = Farm::of(2);
    let dead = ports::free_port();
    let workers = farm.balancer("lb", "", &["lbfactor=2 domain=d1 redirect=n2", ""])
        + &format!("worker.lb.balance_workers=lb3\nworker.lb3.host=127.0.0.1\nworker.lb3.port={dead}\n")
        + &farm.node(1).worker("solo")
        + "\nworker.list=st\nworker.st.type=status\n";
    let conf = "ServerName lab.test:@PORT@\nJkMount /lb/* lb\nJkUnMount /lb/*.png lb\nJkMount /solo/* solo\n\
        JkMount /jkstatus st\nJkMount /ext/* lb;reply_timeout=5000;stateless=1;disabled=lb3;fail_on_status=500,-503\n\
        <VirtualHost 127.0.0.1:@PORT@>\nServerName lab.test\nJkMountCopy On\nJkMount /own/* solo\n</VirtualHost>\n";
    let start = |original: bool| {
        let builder = Httpd::builder().workers(&workers).conf(conf).conf(LOCAL).allow_log("[error]");
        let builder = if original { builder.module(original_mod_jk()) } else { builder };
        builder.servers(1).start()
    };
    let (theirs, ours) = (start(true), start(false));
    for httpd in [&theirs, &ours] {
        assert_eq!(asked(httpd, "/solo/x"), "n1");
        assert_eq!(asked_with(httpd, "/lb/x", ("Cookie", "JSESSIONID=a.n2")), "n2");
    }
    let mut found = Vec::new();
    for query in REQUESTS {
        for format in [Format::Txt, Format::Prop, Format::Xml] {
            let query = format!("{query}&mime={}", format.word());
            let (theirs, ours) = (ask(&theirs, &query).text(), ask(&ours, &query).text());
            for difference in differences(format, &theirs, &ours) {
                found.push(format!("{query}: {difference}"));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_page_is_safe_to_show() {
    let farm = Farm::of(3);
    let httpd = super::desk::builder(&farm, "", "").start();
    let answer = ask(&httpd, "");
    assert_eq!(answer.header("Content-Type"), Some("text/html; charset=utf-8"));
    assert!(answer.header("Content-Security-Policy").unwrap().starts_with("default-src 'none'"));
    for (name, value) in
        [("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY")]
    {
        assert_eq!(answer.header(name), Some(value));
    }
    for resource in ["css", "js"] {
        assert_eq!(ask(&httpd, &format!("res={resource}")).status, 200);
    }
    let odd = ask(&httpd, "cmd=show&w=%3Cscript%3E&mime=xml");
    assert_eq!(odd.status, 404);
    assert!(!odd.text().contains("<script"), "{}", odd.text());
    assert_eq!(client::request(httpd.port(), "OPTIONS", "/jkstatus", &[("Host", "x")], b"").status, 405);
}
