//! The JSON API.

use serde_json::{Value, json};

use super::desk::{builder, in_each_child, many_children, value};
use crate::farm::{Farm, asked_often, asked_with, share_of};
use crate::support::{Client, Httpd, wait_until};

pub fn call(httpd: &Httpd, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let text = body.map(Value::to_string).unwrap_or_default();
    let mut headers = vec![("Host", "localhost"), ("Connection", "close")];
    if body.is_some() {
        headers.push(("Content-Type", "application/json"));
    }
    let path = format!("/jkstatus/api/v1{path}");
    let answer = Client::connect(httpd.port()).request(method, &path, &headers, text.as_bytes());
    let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    (answer.status, value)
}

#[test]
fn everything_is_read() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    asked_often(&httpd, "/lb/x", 6);
    asked_often(&httpd, "/solo/x", 2);
    let (status, all) = call(&httpd, "GET", "/balancers/lb", None);
    assert_eq!(status, 200, "{all}");
    assert_eq!(all["member_count"], 3);
    let (_, members) = call(&httpd, "GET", "/balancers/lb/members", None);
    let text = members.to_string();
    assert!(text.contains("\"lb1\"") && text.contains("\"lb3\""), "{text}");
    let (_, member) = call(&httpd, "GET", "/balancers/lb/members/lb2", None);
    assert_eq!(
        (&member["elected"], &member["activation"], &member["state"]),
        (&json!(2), &json!("Active"), &json!("OK"))
    );
    let (_, worker) = call(&httpd, "GET", "/workers/solo", None);
    assert_eq!(worker["used"], 2, "{worker}");
    for (path, wanted) in
        [("", 200), ("/openapi.yaml", 200), ("/workers", 200), ("/workers/nope", 404), ("/nope", 404)]
    {
        assert_eq!(call(&httpd, "GET", path, None).0, wanted, "{path}");
    }
    let (status, problem) = call(&httpd, "DELETE", "/workers/solo", None);
    assert_eq!((status, &problem["status"]), (405, &json!(405)), "{problem}");
}

#[test]
fn a_patch_changes_all_or_nothing_in_all_children() {
    let farm = Farm::of(3);
    let httpd = many_children(&farm, "");
    let member = "/balancers/lb/members/lb1";
    let (status, answer) =
        call(&httpd, "PATCH", member, Some(&json!({"activation": "Disabled", "lbfactor": 4})));
    assert_eq!(status, 200, "{answer}");
    in_each_child(&httpd, 4, |client| {
        let text = client.get("/jkstatus?mime=prop").text();
        assert!(
            text.contains("worker.lb1.activation=DIS\n") && text.contains("worker.lb1.lbfactor=4\n"),
            "{text}"
        );
    });
    let (status, problem) =
        call(&httpd, "PATCH", member, Some(&json!({"activation": "Active", "lbfactor": 0})));
    assert_eq!(status, 400, "{problem}");
    assert_eq!(value(&httpd, "lb1.activation"), "DIS");
    let (status, _) = call(&httpd, "PATCH", "/balancers/lb", Some(&json!({"retries": 9})));
    assert_eq!((status, value(&httpd, "lb.retries").as_str()), (200, "9"));
    let (_, shown) = call(&httpd, "GET", "/balancers/lb", None);
    assert!(shown.to_string().contains("drift"), "{shown}");
}

#[test]
fn a_drain_counts_the_sessions_it_still_sees() {
    let farm = Farm::of(3);
    let httpd = many_children(&farm, "");
    let path = "/balancers/lb/members/lb2";
    assert_eq!(call(&httpd, "GET", path, None).1["drain_sessions"], Value::Null);
    let visit = |id: &str| asked_with(&httpd, "/lb/x", ("Cookie", &format!("JSESSIONID={id}.n2")));
    visit("before");
    let (status, answer) = call(&httpd, "POST", &format!("{path}/drain?deadline=600"), None);
    let change = &answer["changes"][0];
    assert_eq!((status, &change["deadline_seconds"]), (200, &json!(600)), "{answer}");
    assert_eq!(change["drain_sessions"]["seen"], 0, "{answer}");
    for round in 0..3 {
        for number in 0..20 {
            assert_eq!(visit(&format!("s{number}")), "n2", "{round}");
        }
    }
    // Sessions of others, and requests without one, are none of its own.
    asked_with(&httpd, "/lb/x", ("Cookie", "JSESSIONID=a.n1"));
    asked_often(&httpd, "/lb/x", 4);
    let (_, member) = call(&httpd, "GET", path, None);
    let seen = member["drain_sessions"]["seen"].as_i64().unwrap();
    assert!((18..=22).contains(&seen), "{member}");
    assert_eq!(member["drain_sessions"]["seen_recently"], seen);
    assert_eq!(member["drain_sessions"]["at_least"], false);
    let (_, answer) = call(&httpd, "POST", &format!("{path}/drain"), Some(&json!({"deadline_seconds": 900})));
    assert_eq!(answer["changes"][0]["drain_sessions"]["seen"], seen, "another end is no other drain");
    call(&httpd, "PATCH", path, Some(&json!({"activation": "active"})));
    assert_eq!(call(&httpd, "GET", path, None).1["drain_sessions"], Value::Null);
}

#[test]
fn a_drain_ends_at_its_deadline() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    let path = "/balancers/lb/members/lb2/drain";
    let (status, answer) = call(&httpd, "POST", path, Some(&json!({"deadline_seconds": 1})));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(value(&httpd, "lb2.activation"), "DIS");
    assert_eq!(asked_with(&httpd, "/lb/x", ("Cookie", "JSESSIONID=a.n2")), "n2");
    assert_eq!(share_of::<3>(&asked_often(&httpd, "/lb/x", 6))[1], 0);
    wait_until("the drain ends", || value(&httpd, "lb2.activation") == "STP");
    assert_ne!(asked_with(&httpd, "/lb/x", ("Cookie", "JSESSIONID=a.n2")), "n2");
    assert!(httpd.jk_log().contains("the time of a drain is over"), "{}", httpd.jk_log());
}
