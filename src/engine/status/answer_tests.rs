//! Tests of whole requests.

use super::*;
use crate::engine::status::sample;
use crate::engine::status::view::View;

const SECRET: [u8; csrf::SECRET] = [3; csrf::SECRET];

const GET: Request<'_> = Request {
    method: "GET",
    path: "/jkstatus",
    query: b"",
    content_type: None,
    body: b"",
    accept_language: None,
    user: None,
    client: "10.0.0.9",
    signals: Signals {
        writing_method: false,
        json: false,
        host: Some("a.example"),
        origin: None,
        referer: None,
        fetch_site: None,
        user_agent: None,
        accept_language: None,
        token: None,
    },
};

fn with<T>(view: &View, status: &Status, request: &Request<'_>, then: impl FnOnce(Answer<'_>) -> T) -> T {
    then(answer(Worker { name: "st", status, secret: &SECRET, view }, request))
}

fn ready(request: &Request<'_>) -> Response {
    with(&sample::view(), &sample::settings(), request, |answer| match answer {
        Answer::Ready(response) => response,
        Answer::Apply(pending) => panic!("{pending:?}"),
    })
}

fn applied(request: &Request<'_>) -> (Vec<String>, Response) {
    with(&sample::view(), &sample::settings(), request, |answer| match answer {
        Answer::Apply(pending) => (pending.plan.audit(pending.actor).collect(), pending.done(false)),
        Answer::Ready(response) => panic!("{response:?}"),
    })
}

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
}

#[test]
fn formats_and_their_types() {
    for (query, content_type, start) in [
        ("", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("mime=xml", "text/xml; charset=utf-8", "<?xml"),
        ("mime=txt", "text/plain; charset=utf-8", "Server: name="),
        ("mime=prop", "text/plain; charset=utf-8", "worker.server_name="),
        ("mime=json", "application/json; charset=utf-8", "{"),
        ("mime=prometheus", metrics::CONTENT_TYPE, "# HELP jk_info"),
        ("res=css", "text/css; charset=utf-8", ":root"),
        ("res=js", "text/javascript; charset=utf-8", "//"),
    ] {
        let response = ready(&Request { query: query.as_bytes(), ..GET });
        assert_eq!((response.status, response.content_type), (200, content_type), "{query}");
        assert!(response.body.starts_with(start), "{query}: {}", response.body);
        assert_eq!(header(&response, "X-Content-Type-Options"), Some("nosniff"));
    }
    let response = ready(&Request { path: "/jkstatus/metrics", ..GET });
    assert_eq!(response.content_type, metrics::CONTENT_TYPE);
}

#[test]
fn errors_have_a_status_in_every_format() {
    for (query, status, text) in [
        ("cmd=bogus&mime=txt", 400, "Result: type=ERROR message=\"Invalid command.\"\n"),
        ("mime=bogus", 400, "worker.result.type=ERROR\nworker.result.message=Invalid mime type.\n"),
        (
            "cmd=show&w=x&mime=prop",
            404,
            "worker.result.type=ERROR\nworker.result.message=Could not find given worker\n",
        ),
        (
            "opt=32&cmd=reset&w=lb&mime=txt",
            403,
            "Result: type=ERROR message=\"This command is not allowed in read only mode.\"\n",
        ),
    ] {
        let response = ready(&Request { query: query.as_bytes(), ..GET });
        assert_eq!((response.status, response.body.as_str()), (status, text));
        assert!(response.log.is_some());
    }
    let response = ready(&Request { query: b"w=%zz&mime=txt", ..GET });
    assert_eq!((response.status, response.content_type), (400, "text/html; charset=utf-8"));
    let response = ready(&Request { method: "DELETE", ..GET });
    assert_eq!((response.status, header(&response, "Allow")), (405, Some("GET, HEAD, POST")));
}

#[test]
fn strangers_see_nothing() {
    let view = sample::view();
    let status = Status { user: vec!["eve".into()], ..sample::settings() };
    let requests: [(&str, &[u8]); 7] = [
        ("/s", b""),
        ("/s", b"mime=txt"),
        ("/s", b"mime=prometheus"),
        ("/s", b"res=css"),
        ("/s", b"w=%zz"),
        ("/s/metrics", b""),
        ("/s/api/v1/workers", b""),
    ];
    for (path, query) in requests {
        let request = Request { path, query, ..GET };
        with(&view, &status, &request, |answer| match answer {
            Answer::Ready(response) => {
                assert_eq!(response.status, 403, "{path}");
                assert!(
                    !response.body.contains("n1") && !response.body.contains("127.0.0.1"),
                    "{}",
                    response.body
                );
            }
            Answer::Apply(_) => panic!(),
        });
        let request = Request { user: Some("eve"), query: b"mime=txt", path: "/s", ..GET };
        with(&view, &status, &request, |answer| {
            assert!(matches!(answer, Answer::Ready(response) if response.status == 200));
        });
    }
}

#[test]
fn scripts_change_by_get_as_ever() {
    let request = Request { query: b"cmd=update&w=lb&sw=n2&vwa=d&mime=txt", ..GET };
    let (audit, response) = applied(&request);
    assert_eq!(
        audit,
        [
            "status worker st: nobody authenticated from 10.0.0.9: member n2 of balancer lb: activation from 'Active' to 'Disabled'"
        ]
    );
    assert_eq!(
        (response.status, response.body.as_str()),
        (200, "Result: type=OK message=\"Action finished\"\n")
    );
    let (_, response) = applied(&Request { query: b"cmd=reset&w=lb&from=show", ..GET });
    assert_eq!(response.status, 200);
    assert!(response.body.contains("Result: OK"));
}

#[test]
fn head_changes_nothing() {
    let head = Request { method: "HEAD", query: b"cmd=reset&w=lb", ..GET };
    assert_eq!(ready(&head).status, 403);
    assert_eq!(ready(&Request { query: b"cmd=list", ..head }).status, 200);
    assert_eq!(ready(&Request { path: "/s/api/v1/balancers/lb/reset", ..head }).status, 405);
}

#[test]
fn browsers_need_the_form() {
    let marked = Signals {
        origin: Some("https://a.example"),
        fetch_site: Some("same-origin"),
        user_agent: Some("Mozilla/5.0"),
        ..GET.signals
    };
    let page = ready(&Request { accept_language: Some("ja"), ..GET });
    let at = page.body.find("name=\"token\" value=\"").unwrap() + 20;
    let token = &page.body[at..at + 64];
    let body = format!("token={token}&cmd=update&w=lb&sw=n2&vwa=s&from=show");
    let form = Request {
        method: "POST",
        content_type: Some("application/x-www-form-urlencoded"),
        body: body.as_bytes(),
        signals: marked,
        ..GET
    };
    let (audit, response) = applied(&form);
    assert_eq!(audit.len(), 1);
    assert_eq!((response.status, header(&response, "Location")), (303, Some("?cmd=show&w=lb&sw=n2")));

    let other = Signals { origin: Some("https://evil.example"), fetch_site: Some("cross-site"), ..marked };
    for request in [
        Request { signals: other, ..form },
        Request { body: b"cmd=update&w=lb&sw=n2&vwa=s", ..form },
        Request { query: b"cmd=update&w=lb&sw=n2&vwa=s", signals: marked, ..GET },
        Request { user: Some("adam"), ..form },
        Request { signals: Signals { accept_language: None, ..marked }, query: b"cmd=reset&w=lb", ..GET },
        Request {
            accept_language: Some("en"),
            signals: Signals { user_agent: Some("Mozilla/5.0"), ..GET.signals },
            query: b"cmd=reset&w=lb",
            ..GET
        },
    ] {
        assert_eq!(ready(&request).status, 403, "{request:?}");
    }
    // Looking is free, also after a link on another site.
    assert_eq!(ready(&Request { signals: other, query: b"cmd=show&w=lb", ..GET }).status, 200);
}

#[test]
fn the_api_from_end_to_end() {
    let patch = Request {
        method: "PATCH",
        path: "/jkstatus/api/v1/balancers/lb/members/n2",
        content_type: Some("application/json"),
        body: br#"{"activation":"disabled"}"#,
        ..GET
    };
    let (audit, response) = applied(&patch);
    assert_eq!(audit.len(), 1);
    let value: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(value["changes"][0]["old"], "Active");
    assert_eq!(value["changes"][0]["member"], "n2");
    let cross = Signals { fetch_site: Some("cross-site"), ..GET.signals };
    let refused = ready(&Request { signals: cross, ..patch });
    assert_eq!((refused.status, refused.content_type), (403, "application/problem+json; charset=utf-8"));
    let response = ready(&Request { method: "PUT", ..patch });
    assert_eq!((response.status, header(&response, "Allow")), (405, Some("GET, PATCH")));
    assert_eq!(ready(&Request { path: "/jkstatus/api/v1/openapi.yaml", ..GET }).body, api::OPENAPI);
}

#[test]
fn what_could_not_be_applied() {
    let (view, status) = (sample::view(), sample::settings());
    let request = Request { query: b"cmd=update&w=solo&vahst=nowhere.invalid&mime=txt", ..GET };
    with(&view, &status, &request, |answer| {
        let Answer::Apply(pending) = answer else { panic!() };
        assert_eq!(pending.plan.addresses.len(), 1);
        let response = pending.failed("could not resolve address 'nowhere.invalid:20215'");
        assert_eq!(response.status, 422);
        assert!(response.body.contains("nothing was changed: could not resolve"), "{}", response.body);
    });
}

#[test]
fn bodies_are_read_for_forms_and_the_api_only() {
    let form = Some("application/x-www-form-urlencoded; charset=UTF-8");
    assert!(wants_body("POST", "/s", form));
    assert!(!wants_body("GET", "/s", form));
    assert!(!wants_body("POST", "/s", Some("text/plain")));
    assert!(wants_body("PATCH", "/s/api/v1/workers/x", None));
    let response = ready(&Request {
        method: "POST",
        content_type: Some("text/plain"),
        body: b"cmd=reset&w=lb",
        query: b"cmd=version&mime=txt",
        ..GET
    });
    assert_eq!(response.status, 200, "a body that is no form does not count");
}

#[test]
fn the_policy_names_the_style_sheet_only() {
    let base = "default-src 'none'; style-src 'self'";
    assert!(policy("").starts_with(&format!("{base}; script-src 'self'; connect-src 'self';")));
    assert!(policy("/x.css").starts_with(&format!("{base};")));
    assert!(
        policy("https://cdn.example:8443/a/b.css").starts_with(&format!("{base} https://cdn.example:8443;"))
    );
    assert!(policy("https://x; script-src *").starts_with(&format!("{base};")));
}
