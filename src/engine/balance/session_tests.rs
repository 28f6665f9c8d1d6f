//! Session ids in all places and spellings.

use super::*;
use crate::engine::balance::lb_testing;

const NAMES: Names<'static> = Names { cookie: b"JSESSIONID", path: b";jsessionid" };

fn found(route: Option<&str>, uri: &str, cookies: &[&str], names: &Names<'_>) -> (Carrier, Vec<String>) {
    let sessions =
        Sessions::find(route.map(str::as_bytes), uri.as_bytes(), cookies.iter().map(|c| c.as_bytes()), names);
    assert_eq!(sessions.is_empty(), sessions.carrier() == Carrier::None);
    let ids = sessions.ids().iter().copied().chain(sessions.route());
    (sessions.carrier(), ids.map(|id| id.escape_ascii().to_string()).collect())
}

fn in_path(uri: &str) -> Vec<String> {
    let (carrier, ids) = found(None, uri, &[], &NAMES);
    assert_eq!(carrier, if ids.is_empty() { Carrier::None } else { Carrier::Path }, "{uri}");
    ids
}

fn in_cookies(headers: &[&str]) -> Vec<String> {
    let (carrier, ids) = found(None, "/app/x", headers, &NAMES);
    assert_eq!(carrier, if ids.is_empty() { Carrier::None } else { Carrier::Cookie }, "{headers:?}");
    ids
}

#[test]
fn a_route_is_all_that_counts() {
    let (uri, cookies) = ("/a;jsessionid=p.n1", &["JSESSIONID=c.n2"][..]);
    assert_eq!(found(Some("n3"), uri, cookies, &NAMES), (Carrier::Route, vec!["n3".to_owned()]));
    let sessions = Sessions::find(Some(b"n3"), b"/", [], &NAMES);
    assert_eq!((sessions.ids().len(), sessions.route(), sessions.is_empty()), (0, Some(&b"n3"[..]), false));
    // An empty one is none.
    assert_eq!(found(Some(""), uri, cookies, &NAMES), (Carrier::Path, vec!["p.n1".to_owned()]));
    assert_eq!(found(Some(""), "/", cookies, &NAMES).0, Carrier::Cookie);
    assert_eq!(found(None, "/", &[], &NAMES), (Carrier::None, vec![]));
}

#[test]
fn path_parameters() {
    for (uri, wanted) in [
        ("/app/x;jsessionid=abc.n1", &["abc.n1"][..]),
        ("/app/a;jsessionid=X.node1/ok;v=2", &["X.node1"]),
        ("/app/a;v=2;jsessionid=X.n1;w=3/b", &["X.n1"]),
        ("/app/x;jsessionid=abc.n1?q=;jsessionid=no", &["abc.n1"]),
        ("/app/a;jsessionid=A.n1/b;jsessionid=B.n2", &["A.n1", "B.n2"]),
        ("/app/a;jsessionid=/b;jsessionid=B.n2", &["B.n2"]),
        ("/app/x;jsessionid=a=b.n1", &["a=b.n1"]),
        ("/app/x;jsessionid=a.b.n4", &["a.b.n4"]),
        ("/app/x;jsessionid=", &[]),
        ("/app/x;jsessionid", &[]),
        ("/app/x;jsessionidx=abc.n1", &[]),
        ("/app/x;JSESSIONID=abc.n1", &[]),
        ("/app/xjsessionid=abc.n1", &[]),
        ("/app/x;xjsessionid=abc.n1", &[]),
        ("", &[]),
        (";", &[]),
        (";;;jsessionid=a;;", &["a"]),
    ] {
        assert_eq!(in_path(uri), wanted, "{uri}");
    }
}

#[test]
fn cookies() {
    for (header, wanted) in [
        ("JSESSIONID=abc.n1", &["abc.n1"][..]),
        ("a=b; JSESSIONID=abc.n1; c=d", &["abc.n1"]),
        ("a=b;JSESSIONID=abc.n1,c=d", &["abc.n1"]),
        ("a=b,JSESSIONID=abc.n1", &["abc.n1"]),
        ("a=b\tJSESSIONID=abc.n1", &["abc.n1"]),
        ("JSESSIONID \t= abc.n1", &["abc.n1"]),
        ("JSESSIONID=abc.n3 ; c=d", &["abc.n3"]),
        ("JSESSIONID=abc.n3 \t", &["abc.n3"]),
        ("JSESSIONID=\"abc.n1\"", &["abc.n1"]),
        ("JSESSIONID=\"abc.n1 \" ;x=y", &["abc.n1"]),
        ("JSESSIONID=\"abc.n1", &["\\\"abc.n1"]),
        ("JSESSIONID=\"\"", &[]),
        ("JSESSIONID=\"", &["\\\""]),
        ("JSESSIONID=a.n1; JSESSIONID=b.n2", &["a.n1", "b.n2"]),
        ("JSESSIONID=; JSESSIONID=b.n2", &["b.n2"]),
        ("JSESSIONID= ; x=y", &[]),
        ("JSESSIONID=", &[]),
        ("JSESSIONID", &[]),
        ("JSESSIONID;=x", &[]),
        ("jsessionid=abc.n1", &[]),
        ("XJSESSIONID=abc.n1", &[]),
        ("JSESSIONIDX=abc.n1", &[]),
        ("JSESSIONIDSSO=1; JSESSIONID=abc.n1", &["abc.n1"]),
        // The value of one is not searched for another.
        ("JSESSIONID=a JSESSIONID=b", &["a JSESSIONID=b"]),
        ("$Version=1; JSESSIONID=\"a.n1\"; $Path=\"/\"", &["a.n1"]),
        ("JSESSIONID=a\x0b=\x0b.n1\x0b", &["a\\x0b=\\x0b.n1"]),
        ("", &[]),
    ] {
        assert_eq!(in_cookies(&[header]), wanted, "{header}");
    }
    assert_eq!(
        in_cookies(&["a=b", "JSESSIONID=a.n1", "JSESSIONID=b.n2; JSESSIONID=c"]),
        ["a.n1", "b.n2", "c"]
    );
}

#[test]
fn the_path_wins_unless_its_id_is_empty() {
    let cookies = &["JSESSIONID=c.n2"][..];
    assert_eq!(found(None, "/a;jsessionid=p.n1", cookies, &NAMES), (Carrier::Path, vec!["p.n1".to_owned()]));
    assert_eq!(found(None, "/a;jsessionid=/x", cookies, &NAMES), (Carrier::Cookie, vec!["c.n2".to_owned()]));
    let unread = std::iter::from_fn(|| -> Option<&[u8]> { panic!("cookies were looked at") });
    assert_eq!(Sessions::find(None, b"/a;jsessionid=p", unread, &NAMES).ids(), [b"p"]);
}

#[test]
fn names_are_literal_and_can_be_replaced() {
    let names = Names { cookie: b"S.D", path: b"sid" };
    assert_eq!(found(None, "/a;sid=1", &[], &names), (Carrier::Path, vec!["1".to_owned()]));
    assert_eq!(found(None, "/a", &["SxD=1; S.D=2"], &names), (Carrier::Cookie, vec!["2".to_owned()]));
    for empty in [Names { cookie: b"", path: b"" }, Names { cookie: b"", path: b";" }] {
        assert_eq!(found(None, "/a;=1", &["=1; =2"], &empty), (Carrier::None, vec![]));
    }
}

#[test]
fn there_is_a_most() {
    let many = "JSESSIONID=x;".repeat(100);
    assert_eq!(in_cookies(&[&many, &many]).len(), MOST);
    assert_eq!(in_path(&";jsessionid=x".repeat(100)).len(), MOST);
}

#[test]
fn rules_replace_the_names_of_the_balancer() {
    let lb = lb_testing::balancer("worker.l.session_path=;own\n");
    assert_eq!(Names::of(&lb, None), Names { cookie: b"JSESSIONID", path: b";own" });
    let rule = Extensions::parse(b"session_cookie=SID;session_path=;sid").0;
    assert_eq!(Names::of(&lb, Some(&rule)), Names { cookie: b"SID", path: b"sid" });
    let rule = Extensions::parse(b"session_cookie=SID").0;
    assert_eq!(Names::of(&lb, Some(&rule)), Names { cookie: b"SID", path: b";own" });
}
