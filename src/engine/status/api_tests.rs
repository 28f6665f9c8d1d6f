//! Tests of the API.

use super::*;
use crate::engine::status::sample;

fn call(method: &str, path: &str, body: &str) -> Result<Outcome, Problem> {
    let call = Call {
        method,
        path,
        deadline: None,
        content_type: Some("application/json; charset=utf-8"),
        body: body.as_bytes(),
    };
    decide(&sample::view(), &sample::settings(), call)
}

fn get(path: &str) -> Value {
    match call("GET", path, "").unwrap() {
        Outcome::Json(value) => value,
        other => panic!("{path}: {other:?}"),
    }
}

fn changes(method: &str, path: &str, body: &str) -> Vec<String> {
    match call(method, path, body).unwrap() {
        Outcome::Apply(plan) => plan.changes.iter().map(Change::to_string).collect(),
        other => panic!("{path}: {other:?}"),
    }
}

/// Each path and method of the table is in the description, and none is there that does not exist.
#[test]
fn the_description_lists_every_route() {
    let mut described = Vec::new();
    let mut path = String::new();
    let mut inside = false;
    for line in OPENAPI.lines() {
        if !line.starts_with([' ', '#']) && !line.is_empty() {
            inside = line == "paths:";
        }
        if !inside {
            continue;
        }
        if let Some(name) = line.strip_prefix("  /").and_then(|rest| rest.strip_suffix(':')) {
            path = format!("/{name}");
        } else if let Some(method) = line.strip_prefix("    ").and_then(|rest| rest.strip_suffix(':'))
            && ["get", "post", "patch", "put", "delete"].contains(&method)
        {
            described.push((path.clone(), method.to_ascii_uppercase()));
        }
    }
    described.sort();
    let mut there: Vec<_> = ENDPOINTS
        .iter()
        .flat_map(|endpoint| {
            endpoint.methods.iter().map(|method| (endpoint.path.to_owned(), (*method).to_owned()))
        })
        .chain([("/metrics".to_owned(), "GET".to_owned())])
        .collect();
    there.sort();
    assert_eq!(described, there);
}

/// Everything that can be set is in the description under its name.
#[test]
fn the_description_lists_every_setting() {
    for row in &TABLE {
        assert!(
            OPENAPI.lines().any(|line| line.trim() == format!("{}:", row.name)
                || line.trim().starts_with(&format!("{}: {{", row.name))),
            "{}",
            row.name
        );
    }
}

#[test]
fn paths() {
    for (path, wanted) in [
        ("/jkstatus/api/v1", Some("/api/v1")),
        ("/jkstatus/api/v1/workers/solo", Some("/api/v1/workers/solo")),
        ("/api/v1x/api/v1/", Some("/api/v1/")),
        ("/jkstatus/api/v10", None),
        ("/jkstatus/api/v2", None),
        ("/jkstatus", None),
        ("", None),
    ] {
        assert_eq!(path_of(path), wanted, "{path}");
    }
}

#[test]
fn reading() {
    assert_eq!(get("/api/v1")["paths"].as_array().unwrap().len(), ENDPOINTS.len());
    assert_eq!(get("/api/v1/")["server"]["port"], 20200);
    assert_eq!(get("/api/v1/workers")["workers"][0]["name"], "solo");
    assert_eq!(get("/api/v1/workers/solo")["state"], "OK");
    assert_eq!(get("/api/v1/balancers")["balancers"][0]["bad"], 1);
    assert_eq!(get("/api/v1/balancers/lb")["method"], "Request");
    assert_eq!(get("/api/v1/balancers/lb/members")["members"].as_array().unwrap().len(), 3);
    assert_eq!(get("/api/v1/balancers/lb/members/n2")["redirect"], "n1");
    assert!(matches!(call("HEAD", "/api/v1/openapi.yaml", ""), Ok(Outcome::OpenApi)));
}

#[test]
fn changing() {
    assert_eq!(
        changes(
            "PATCH",
            "/api/v1/balancers/lb/members/n2",
            r#"{"activation":"disabled","weight":5,"distance":-1}"#
        ),
        [
            "member n2 of balancer lb: activation from 'Active' to 'Disabled'",
            "member n2 of balancer lb: distance from '0' to '-1'",
            "member n2 of balancer lb: lbfactor from '2' to '5'",
        ]
    );
    assert_eq!(
        changes("PATCH", "/api/v1/balancers/lb", r#"{"sticky_session":false,"retries":3}"#),
        ["balancer lb: retries from '2' to '3'", "balancer lb: sticky_session from '1' to '0'"]
    );
    assert_eq!(
        changes("PATCH", "/api/v1/workers/solo", r#"{"busy_limit":50,"host":"127.0.0.1"}"#),
        ["worker solo: busy_limit from '0' to '50'"]
    );
    let drain = "/api/v1/balancers/lb/members/n2/drain";
    assert_eq!(changes("POST", drain, ""), ["member n2 of balancer lb: draining"]);
    assert_eq!(
        changes("POST", drain, r#"{"deadline_seconds":600}"#),
        ["member n2 of balancer lb: draining, stopped in 600 s"]
    );
    assert_eq!(
        changes("POST", "/api/v1/balancers/lb/members/n1/recover", ""),
        ["member n1 of balancer lb: marked for recovery"]
    );
    assert_eq!(changes("POST", "/api/v1/balancers/lb/reset", ""), ["balancer lb: counters reset"]);
    assert_eq!(changes("POST", "/api/v1/workers/solo/reset", ""), ["worker solo: counters reset"]);
}

#[test]
fn problems() {
    let n2 = "/api/v1/balancers/lb/members/n2";
    let drain = "/api/v1/balancers/lb/members/n2/drain";
    for (method, path, body, status, kind) in [
        ("GET", "/api/v1/nothing", "", 404, "not-found"),
        ("GET", "/api/v1/workers/lb", "", 404, "not-found"),
        ("GET", "/api/v1/workers/n1", "", 404, "not-found"),
        ("GET", "/api/v1/balancers/solo", "", 404, "not-found"),
        ("GET", "/api/v1/balancers/solo/members/x", "", 404, "not-found"),
        ("GET", "/api/v1/balancers/lb/members/zz", "", 404, "not-found"),
        ("GET", "/api/v1/balancers/st", "", 404, "not-found"),
        ("GET", "/api/v1/workers//reset", "", 405, "method-not-allowed"),
        ("DELETE", n2, "", 405, "method-not-allowed"),
        ("GET", drain, "", 405, "method-not-allowed"),
        ("PATCH", n2, "", 400, "bad-request"),
        ("PATCH", n2, "[]", 400, "bad-request"),
        ("PATCH", n2, "{\"a\":", 400, "bad-request"),
        ("PATCH", n2, r#"{"actvation":"disabled"}"#, 400, "unknown-property"),
        ("PATCH", n2, r#"{"method":"Next"}"#, 400, "unknown-property"),
        ("PATCH", n2, r#"{"activation":"xyz"}"#, 400, "bad-value"),
        ("PATCH", n2, r#"{"activation":null}"#, 400, "bad-value"),
        ("PATCH", n2, r#"{"activation":true}"#, 400, "bad-value"),
        ("PATCH", n2, r#"{"lbfactor":1.5}"#, 400, "bad-value"),
        ("PATCH", n2, r#"{"lbfactor":-1,"activation":"stopped"}"#, 400, "bad-value"),
        ("PATCH", n2, r#"{"lbfactor":[1]}"#, 400, "bad-value"),
        ("PATCH", n2, r#"{"route":"n1"}"#, 409, "conflict"),
        ("PATCH", "/api/v1/balancers/lb", r#"{"sticky_session":1}"#, 400, "bad-value"),
        ("POST", drain, r#"{"deadline_seconds":0}"#, 400, "bad-value"),
        ("POST", drain, r#"{"deadline_seconds":"9"}"#, 400, "bad-value"),
        ("POST", drain, r#"{"deadline_seconds":99999999999}"#, 400, "bad-value"),
        ("POST", drain, r#"{"deadline":9}"#, 400, "unknown-property"),
        ("POST", "/api/v1/balancers/lb/members/n2/recover", "", 409, "conflict"),
    ] {
        let problem = call(method, path, body).unwrap_err();
        assert_eq!((problem.status, problem.kind), (status, kind), "{method} {path} {body}: {problem:?}");
        let document: Value = serde_json::from_str(&problem.document()).unwrap();
        assert_eq!(document["status"], status);
    }
    assert_eq!(call("PUT", n2, "").unwrap_err().allow, "GET, PATCH");
}

#[test]
fn other_bodies_and_read_only() {
    let view = sample::view();
    let mut status = sample::settings();
    let form = Call {
        method: "PATCH",
        path: "/api/v1/balancers/lb/members/n2",
        deadline: None,
        content_type: Some("application/x-www-form-urlencoded"),
        body: br#"{"activation":"stopped"}"#,
    };
    assert_eq!(decide(&view, &status, form).unwrap_err().status, 415);
    status.read_only = true;
    let json = Call { content_type: Some("application/json"), ..form };
    assert_eq!(decide(&view, &status, json).unwrap_err().kind, "read-only");
    assert!(decide(&view, &status, Call { method: "GET", ..json }).is_ok());
    let mut view = view;
    view.balancers[0].members[1].activation = Activation::Stopped;
    status.read_only = false;
    let drain = Call {
        method: "POST",
        path: "/api/v1/balancers/lb/members/n2/drain",
        deadline: None,
        content_type: None,
        body: b"",
    };
    assert_eq!(decide(&view, &status, drain).unwrap_err().status, 409);
}

#[test]
fn the_deadline_of_a_drain_may_stand_in_the_query() {
    let view = sample::view();
    let drain = |deadline, body: &'static [u8]| {
        let path = "/api/v1/balancers/lb/members/n2/drain";
        let content_type = Some("application/json");
        let call = Call { method: "POST", path, deadline, content_type, body };
        decide(&view, &sample::settings(), call).map(|outcome| match outcome {
            Outcome::Apply(plan) => plan.changes[0].to_string().split(": ").nth(1).unwrap().to_owned(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(drain(Some("60"), b"").unwrap(), "draining, stopped in 60 s");
    assert_eq!(drain(Some("60"), br#"{"deadline_seconds": 7.0}"#).unwrap(), "draining, stopped in 7 s");
    assert_eq!(drain(Some("60"), br#"{"deadline_seconds": null}"#).unwrap(), "draining");
    for text in ["", "0", "x", "604801", "1.5", "-1"] {
        assert_eq!(drain(Some(text), b"").unwrap_err().status, 400, "{text}");
        let both = drain(Some(text), br#"{"deadline_seconds": 7}"#);
        assert_eq!(both.unwrap_err().status, 400, "{text} beside a right one");
    }
}

/// The types are those of the description, where the page takes more.
#[test]
fn types_are_those_of_the_description() {
    let member = "/api/v1/balancers/lb/members/n2";
    for body in [
        r#"{"lbfactor": 4.0}"#,
        r#"{"activation": "disabled"}"#,
        r#"{"activation": "Stopped"}"#,
        r#"{"distance": -2}"#,
        r#"{"route": "a b"}"#,
    ] {
        assert_eq!(changes("PATCH", member, body).len(), 1, "{body}");
    }
    for body in [
        r#"{"lbfactor": "4"}"#,
        r#"{"lbfactor": 4.5}"#,
        r#"{"lbfactor": 1e300}"#,
        r#"{"lbfactor": true}"#,
        r#"{"activation": "d"}"#,
        r#"{"activation": 1}"#,
        r#"{"activation": "DIS"}"#,
        r#"{"route": "\u00e9"}"#,
        r#"{"route": 7}"#,
        r#"{"host": null}"#,
    ] {
        assert_eq!(call("PATCH", member, body).unwrap_err().kind, "bad-value", "{body}");
    }
    assert_eq!(call("PATCH", "/api/v1/balancers/lb", r#"{"sticky_session": 0}"#).unwrap_err().status, 400);
    assert_eq!(call("PATCH", "/api/v1/balancers/lb", r#"{"method": 1}"#).unwrap_err().status, 400);
    let twin = call("PATCH", member, r#"{"route": "n1"}"#).unwrap_err();
    assert_eq!((twin.status, twin.kind), (409, "conflict"));
}

#[test]
fn a_body_of_brackets_is_refused() {
    let deep = "[".repeat(100_000);
    assert_eq!(call("PATCH", "/api/v1/workers/solo", &deep).unwrap_err().status, 400);
}
