//! set_session_cookie, session_cookie_path.

use crate::effect::{covers, judge};
use crate::farm::{Farm, get_with, mounts, who};
use crate::support::{Httpd, client};

#[test]
fn a_client_is_told_its_member_by_a_cookie() {
    covers!("set_session_cookie", "session_cookie", "session_cookie_path");
    let farm = Farm::of(2);
    let both = ["", ""];
    let workers = farm.balancer("c", "set_session_cookie=1 session_cookie=RT", &both)
        + &farm.balancer("p", "set_session_cookie=1 session_cookie=RT session_cookie_path=/p/", &both)
        + &farm.balancer("one", "set_session_cookie=1 session_cookie=RT", &[""])
        + &farm.balancer("off", "session_cookie=RT", &both)
        + &farm.balancer("own", "set_session_cookie=1 session_cookie=JSESSIONID", &both);
    let conf = mounts(&["c", "p", "one", "off", "own"])
        + "JkMount /rule/* \"off;set_session_cookie=1;session_cookie=EXT;session_cookie_path=/rule\"\n\
           JkMount /not/* c;set_session_cookie=0\nSetEnvIf X-Tls on HTTPS=on\n";
    let httpd = Httpd::builder().workers(workers).conf(conf).start();
    let cookie = |path: &str, header: (&str, &str)| {
        let answer = get_with(&httpd, path, header);
        let cookies: Vec<String> =
            answer.header_all("Set-Cookie").iter().map(|text| (*text).to_owned()).collect();
        (who(&answer), cookies.join(" & "))
    };
    let plain = ("X-Nothing", "1");
    let (node, text) = cookie("/c/x", plain);
    assert_eq!(text, format!("RT=.{node};PATH=/;HttpOnly"));
    let (node, text) = cookie("/p/x", plain);
    assert_eq!(text, format!("RT=.{node};PATH=/p/;HttpOnly"));
    let (node, text) = cookie("/c/x", ("X-Tls", "on"));
    assert_eq!(text, format!("RT=.{node};PATH=/;HttpOnly;Secure"));
    let (node, text) = cookie("/own/x", plain);
    assert_eq!(text, format!("JSESSIONID=.{node};PATH=/;HttpOnly"));
    let (node, text) = cookie("/rule/x", plain);
    assert_eq!(text, format!("EXT=.{node};PATH=/rule;HttpOnly"));
    for path in ["/one/x", "/off/x", "/not/x"] {
        assert_eq!(cookie(path, plain).1, "", "{path}");
    }
    // It leads back, and is not sent again.
    for node in ["n1", "n2", "n2", "n1"] {
        assert_eq!(cookie("/c/x", ("Cookie", &format!("RT=.{node}"))), (node.to_owned(), String::new()));
    }
    // With any status, and beside the cookies of the application.
    assert!(client::get(httpd.port(), "/c/status/404").header("Set-Cookie").is_some());
}

#[test]
fn tomcats_own_cookie_is_not_replaced_by_accident() {
    covers!("set_session_cookie", "session_cookie");
    let httpd = Httpd::builder().prepare();
    let lb = |lines: &str| {
        let all = format!("list=l\nl.type=lb\nl.balance_workers=a,b\na.port=1\nb.port=2\n{lines}");
        all.lines().map(|line| format!("JkWorkerProperty worker.{line}\n")).collect::<String>()
    };
    judge(
        &httpd,
        &[
            (&lb("l.set_session_cookie=1"), "session_cookie"),
            (&lb("l.set_session_cookie=1\nl.session_cookie=RT"), ""),
            (&lb("l.set_session_cookie=1\nl.session_cookie=JSESSIONID"), ""),
            (&lb("l.set_session_cookie=0"), ""),
            (&lb(&format!("l.session_cookie={}", "c".repeat(64))), "longer than 63 bytes"),
            (&lb(&format!("l.session_path={}", "c".repeat(64))), "longer than 63 bytes"),
            (&lb(&format!("l.session_cookie_path={}", "c".repeat(64))), "longer than 63 bytes"),
        ],
    );
}
