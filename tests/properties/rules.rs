//! Rule extensions of workers of type `ajp13`: use_server_errors and fail_on_status (reply_timeout: see `limits`).

use crate::effect::{ask, covers, judge, statuses, vhost};
use crate::support::script::default_script;
use crate::support::{Backend, Client, Ended, Httpd};

fn backend() -> Backend {
    Backend::scripted(|request, say| {
        if request.uri.ends_with("/login") {
            let headers = [
                ("WWW-Authenticate", "Basic realm=\"one\""),
                ("WWW-Authenticate", "Digest realm=\"two\""),
                ("X-Private", "of the backend"),
                ("Set-Cookie", "a=b"),
            ];
            say.respond(401, &headers, b"the backend's own page");
        } else {
            default_script(request, say);
        }
    })
}

#[test]
fn httpd_makes_the_page_for_errors_of_the_backend() {
    covers!("JkMount", "JkMountFile");
    let backend = backend();
    let errors =
        "ErrorDocument 401 \"page 401\"\nErrorDocument 404 \"page 404\"\nErrorDocument 503 /page.html\n";
    let conf = [
        errors,
        "JkMountCopy All\nJkMount /plain/* w\nJkMount /all/* w;use_server_errors=400\n",
        "JkMount /five/* w;use_server_errors=500\nJkMount /off/* w;use_server_errors=0\n",
        &vhost("v", errors),
        &vhost("file", &format!("{errors}JkMountFile conf/map")),
    ];
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .file("conf/map", "/f/*=w;use_server_errors=400\n")
        .file("htdocs/page.html", "page 503")
        .conf(conf.concat())
        .start();
    let body = |host: &str, path: &str, status: u16| {
        let answer = ask(&httpd, host, path);
        assert_eq!(answer.status, status, "{path}");
        answer.text()
    };
    assert_eq!(body("v", "/plain/status/404", 404), "status\n");
    assert_eq!(body("v", "/off/status/404", 404), "status\n");
    assert_eq!(body("v", "/all/status/404", 404), "page 404");
    assert_eq!(body("v", "/all/status/503", 503), "page 503");
    assert!(body("v", "/all/status/500", 500).contains("Internal Server Error"));
    assert_eq!(body("v", "/all/status/302", 302), "status\n");
    assert_eq!(body("v", "/five/status/404", 404), "status\n");
    assert_eq!(body("v", "/five/status/503", 503), "page 503");
    assert_eq!(body("file", "/f/status/404", 404), "page 404");

    // All challenges of a 401 are kept, nothing else of the backend's answer is; the connections stay in use.
    let mut client = Client::connect(httpd.port());
    let first = client.request("GET", "/all/x", &[("Host", "v")], b"").fact("connection");
    let answer = client.request("GET", "/all/login", &[("Host", "v")], b"");
    assert_eq!((answer.status, answer.ended, answer.text().as_str()), (401, Ended::Length, "page 401"));
    assert_eq!(
        answer.header_all("WWW-Authenticate"),
        ["Basic realm=\"one\"", "Digest realm=\"two\""],
        "{:?}",
        answer.headers
    );
    assert_eq!((answer.header("X-Private"), answer.header("Set-Cookie")), (None, None));
    let again = client.request("GET", "/all/x", &[("Host", "v")], b"").fact("connection");
    assert_eq!(again, first, "the connection to the backend is used again");
    let head = client.request("HEAD", "/all/status/404", &[("Host", "v")], b"");
    assert_eq!((head.status, head.ended), (404, Ended::NoBody));
    httpd.assert_no_errors(&[]);
}

#[test]
fn a_rule_has_its_own_list_of_failures() {
    covers!("fail_on_status", "JkMount", "JkWorkerIndicator");
    let backend = backend();
    let workers = backend.worker("w") + "worker.w.fail_on_status=404\nworker.w.retry_interval=0\n";
    let conf = [
        "JkMountCopy All\nJkMount /plain/* w\nJkMount /rule/* w;fail_on_status=500,-502\n",
        "<Location /env>\nSetHandler jakarta-servlet\nSetEnv JK_WORKER_NAME w;fail_on_status=500\n</Location>\n",
        &vhost("v", ""),
    ];
    let httpd = Httpd::builder().workers(workers).conf(conf.concat()).start();
    let rows = [("/plain/status/404", 503), ("/plain/status/500", 500)];
    statuses(&httpd, "v", &rows);
    statuses(&httpd, "v", &[("/rule/status/404", 404), ("/rule/status/500", 503), ("/rule/status/502", 503)]);
    statuses(&httpd, "v", &[("/env/status/404", 404), ("/env/status/500", 503)]);
    let count = |path: &str| backend.requests().iter().filter(|request| request.uri == path).count();
    assert_eq!((count("/rule/status/500"), count("/rule/status/404")), (2, 1));
}

#[test]
fn mistakes_in_extensions_are_named() {
    covers!("JkMount");
    let backend = backend();
    let httpd = Httpd::builder().workers(backend.worker("w")).prepare();
    judge(
        &httpd,
        &[
            (
                "JkMount /a w;use_server_errors=200",
                "warning: value '200' of rule extension use_server_errors is out of range",
            ),
            (
                "JkMount /a w;reply_timeout=abc",
                "warning: value 'abc' of rule extension reply_timeout is not a plain number",
            ),
            ("JkMount /a w;replytimeout=1", "warning: unknown rule extension 'replytimeout' is ignored"),
            (
                "JkMount /a w;fail_on_status=500;fail_on_status=501",
                "warning: rule extension fail_on_status is given again",
            ),
        ],
    );
}
