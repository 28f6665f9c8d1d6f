//! Requests that come to the module other than by a plain mount, and those that only look like its own: SetHandler, no-jk,
//! index files, SSI, error pages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{Backend, Client, Httpd, Mpm, client, under_each_mpm};

const SOURCE: &str = "<% the source of a page %>";

under_each_mpm!(
    a_handler_without_a_worker_never_serves_the_file,
    error_pages_from_the_backend_keep_the_status
);

/// `SetHandler jakarta-servlet` without a worker is a mistake of the configuration: 500, a line in the log, and no file.
fn a_handler_without_a_worker_never_serves_the_file(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .mpm(mpm)
        .workers(backend.worker("w"))
        .file("htdocs/page.jsp", SOURCE)
        .file("htdocs/d/page.jsp", SOURCE)
        .file("htdocs/plain.txt", "plain")
        .conf(
            "<FilesMatch \"\\.jsp$\">\nSetHandler jakarta-servlet\n</FilesMatch>\n\
             <Location /d>\nSetHandler jakarta-servlet\n</Location>\n\
             <Location /empty>\nSetHandler jakarta-servlet\nSetEnv JK_WORKER_NAME \"\"\n</Location>\n\
             <Location /nosuch>\nSetHandler jakarta-servlet\nSetEnv JK_WORKER_NAME nosuch\n</Location>",
        )
        .start();
    for path in ["/page.jsp", "/d/page.jsp", "/d/", "/d/none", "/empty/x", "/nosuch/x", "/page.jsp?w=w"] {
        let answer = client::get(httpd.port(), path);
        assert_eq!(answer.status, 500, "{path}");
        assert!(!answer.text().contains("source of a page"), "{path}");
    }
    // A header or a parameter of the client names no worker.
    let answer =
        client::request(httpd.port(), "GET", "/page.jsp?JK_WORKER_NAME=w", &[("JK_WORKER_NAME", "w")], b"");
    assert_eq!(answer.status, 500);
    assert!(httpd.jk_log().contains("JK0103") && httpd.jk_log().contains("JK0102"), "{}", httpd.jk_log());
    assert_eq!(client::get(httpd.port(), "/plain.txt").text(), "plain");
    assert!(backend.requests().is_empty());
}

#[test]
fn a_handler_with_a_worker_is_served_and_stays_inside_the_rules() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .file("htdocs/page.jsp", SOURCE)
        .conf(
            "SetEnv JK_WORKER_NAME w\nJkUnMount /app/secret/* w\nJkUnMount /*.css *\n\
             <Location /app>\nSetHandler jakarta-servlet\n</Location>\n\
             <Location /app/locked>\nRequire all denied\n</Location>\n\
             <Location /admin>\nRequire all denied\n</Location>\n\
             <FilesMatch \"\\.jsp$\">\nSetHandler jakarta-servlet\n</FilesMatch>",
        )
        .start();
    for (path, uri) in [
        ("/app/x", "/app/x"),
        ("/app/x;jsessionid=1", "/app/x;jsessionid=1"),
        ("/page.jsp", "/page.jsp"),
        ("/app/%C3%A9", "/app/%C3%A9"),
        ("//app/./x", "/app/x"),
    ] {
        let answer = client::get(httpd.port(), path);
        assert_eq!((answer.status, answer.fact("uri").as_deref()), (200, Some(uri)), "{path}");
        assert!(!answer.text().contains("source of a page"));
    }
    let before = backend.requests().len();
    for (path, statuses) in [
        ("/app/secret/x", &[404][..]),
        ("/app/secret;p/x", &[404]),
        ("/app/;p/secret/x", &[404]),
        ("/app/x.css", &[404]),
        ("/app/locked/x", &[403]),
        ("/app/locked;p/x", &[403]),
        ("/app/;p/locked/x", &[403]),
        ("/app/..;/admin/x", &[400, 403]),
        ("/app/x/..;/locked/x", &[400, 403]),
        ("/app/.;/locked/x", &[400, 403]),
        ("/app/%5Cadmin", &[400]),
        ("/app/a%0ab", &[400]),
        ("/app;p/../admin/x", &[403]),
    ] {
        let answer = client::get(httpd.port(), path);
        assert!(statuses.contains(&answer.status), "{path}: {}", answer.status);
        assert_eq!(backend.requests().len(), before, "{path} was forwarded");
    }
    backend.assert_no_errors();
}

/// The same for a whole server, where the section of the handler is known at every step.
#[test]
fn a_handler_for_the_whole_server_keeps_parameters_and_rules() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .conf(
            "SetHandler jakarta-servlet\nSetEnv JK_WORKER_NAME w\nJkUnMount /secret/* *\n\
             <Location /locked>\nRequire all denied\n</Location>",
        )
        .start();
    for path in ["/x", "/x;jsessionid=1", "/;p/x", "/a;b=c/x;d"] {
        let answer = client::get(httpd.port(), path);
        assert_eq!((answer.status, answer.fact("uri").as_deref()), (200, Some(path)), "{path}");
    }
    let before = backend.requests().len();
    for (path, status) in [
        ("/secret;p/x", 404),
        ("/;p/secret/x", 404),
        ("/locked;p/x", 403),
        ("/;/locked/x", 403),
        ("/x/..;/locked/x", 400),
    ] {
        assert_eq!(client::get(httpd.port(), path).status, status, "{path}");
    }
    assert_eq!(backend.requests().len(), before);
    backend.assert_no_errors();
}

/// Sections of files, mod_mime and mod_rewrite give a request to the module when access has been decided, for the path with its
/// parameters. httpd decides again for the path that the backend will see, and the backend gets the parameters all the same.
#[test]
fn a_handler_that_comes_late_keeps_parameters_and_rules() {
    let backend = Backend::start();
    let conf = "SetEnv JK_WORKER_NAME w\nJkUnMount /excluded/* w\nJkRequestLogFormat \"%w %U %s %T\"\nRewriteEngine On\n\
        RewriteRule ^/rewritten/|/late$ - [H=jakarta-servlet]\nAddHandler jakarta-servlet .jsp\n\
        <Directory \"@ROOT@/htdocs/d\">\nSetHandler jakarta-servlet\n</Directory>\n\
        <FilesMatch \"^page\">\nSetHandler jakarta-servlet\n</FilesMatch>\n\
        <Directory \"@ROOT@/htdocs\">\nRequire expr %{REQUEST_URI} !~ m#^/secret/#\n</Directory>\n\
        <Location /locked>\nRequire all denied\n</Location>\n\
        <Location /rewritten/private>\nAuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile conf/users\n\
        Require valid-user\n</Location>";
    let builder = || {
        Httpd::builder()
            .modules(&["auth_basic", "authn_core", "authn_file", "authz_user", "include"])
            .workers(backend.worker("w"))
            .file("conf/users", "guest:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n")
            .file("htdocs/d/keep", "")
            .conf(conf)
    };
    let httpd = builder()
        .file("htdocs/part.shtml", "[<!--#include virtual=\"/d/x;p\" -->]")
        .conf(
            "AddOutputFilter INCLUDES .shtml\n<Directory \"@ROOT@/htdocs\">\nOptions +Includes\n</Directory>",
        )
        .start();
    let mut client = Client::connect(httpd.port());
    for (n, path) in [
        "/d/x",
        "/d/x;jsessionid=1.a",
        "/rewritten/a;b=c/x;d",
        "/y.jsp/a;p",
        "/page;jsessionid=2",
        "/;p/late",
    ]
    .into_iter()
    .enumerate()
    {
        let answer = client.request("GET", &format!("{path}?a=b%20c"), &[], b"");
        assert_eq!((answer.status, answer.fact("uri").as_deref()), (200, Some(path)), "{}", answer.text());
        assert_eq!(answer.fact("query").as_deref(), Some("a=b%20c"), "{path}");
        assert_eq!(backend.requests().len(), n + 1, "{path}: once");
        let line = format!(" w {path} 200 0.");
        support::wait_until(&line, || httpd.jk_log().matches(&line).count() == 1);
    }
    let body = support::pattern(30_000);
    for method in ["POST", "PUT"] {
        let answer = client.request(method, "/d/a;p/upload", &[], &body);
        assert_eq!(answer.fact("sha256"), Some(support::digest::sha256_hex(&body)), "{method}");
    }
    client.send("POST /d/a;p/upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send_chunk(&body);
    client.send("0\r\n\r\n");
    assert_eq!(client.read_response().fact("sha256"), Some(support::digest::sha256_hex(&body)));
    let answer = client.request("HEAD", "/d/x;p", &[], b"");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let login = [("Authorization", "Basic Z3Vlc3Q6cGFzcw==")];
    let answer = client.request("GET", "/rewritten/private;p/x", &login, b"");
    assert_eq!((answer.status, answer.fact("uri").as_deref()), (200, Some("/rewritten/private;p/x")));
    assert_eq!(backend.last_request().remote_user.as_deref(), Some("guest"));

    let before = backend.requests().len();
    for (path, status) in [
        ("/locked;p/late", 403),
        ("/;p/locked/late", 403),
        ("/secret;p/late", 403),
        ("/;p/secret/late", 403),
        ("/excluded;p/late", 404),
        ("/rewritten/private;p/x", 401),
        ("/rewritten/..;/locked/page", 400),
        ("/rewritten/.;p/x", 400),
        ("/rewritten/a;%5cb", 400),
    ] {
        assert_eq!(client::get(httpd.port(), path).status, status, "{path}");
    }
    // A part of a page is not processed anew.
    let page = client::get(httpd.port(), "/part.shtml").text();
    assert!(page.starts_with("[[an error occurred"), "{page}");
    assert_eq!(backend.requests().len(), before);
    drop(httpd);

    // mod_cache would keep the response for the path without parameters.
    let httpd = builder().modules(&["cache"]).start();
    assert_eq!(client::get(httpd.port(), "/d/x").status, 200);
    assert_eq!(client::get(httpd.port(), "/d/x;p").status, 400);
    httpd.assert_no_errors(&[]);
    backend.assert_no_errors();
}

#[test]
fn a_mount_wins_over_the_worker_of_the_environment_and_another_handler_over_a_mount() {
    let (one, two) = (Backend::start(), Backend::start());
    let httpd = Httpd::builder()
        .modules(&["status"])
        .workers(format!("worker.list=w1,w2\n{}{}", one.member("w1"), two.member("w2")))
        .conf(
            "SetEnv JK_WORKER_NAME w2\nJkMount /app/* w1\n\
             <Location /app/status>\nSetHandler server-status\n</Location>\n\
             <Location /other>\nSetHandler jakarta-servlet\n</Location>",
        )
        .start();
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
    assert_eq!((one.requests().len(), two.requests().len()), (1, 0));
    assert_eq!(client::get(httpd.port(), "/other/x").status, 200);
    assert_eq!((one.requests().len(), two.requests().len()), (1, 1));
    let status = client::get(httpd.port(), "/app/status");
    assert!(
        status.text().contains("Apache Status") || status.text().contains("Server Version"),
        "{}",
        status.text()
    );
    assert_eq!((one.requests().len(), two.requests().len()), (1, 1));
}

#[test]
fn no_jk_leaves_a_request_to_httpd() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .file("htdocs/static/x.txt", "static")
        .file("htdocs/rewritten/x.txt", "rewritten")
        .file("htdocs/late/x.txt", "late")
        .conf(
            "JkMount /* w\nSetEnvIf Request_URI ^/static/ no-jk\n\
             RewriteEngine On\nRewriteRule ^/rewritten/ - [E=no-jk:1]\n\
             <Location /late>\nSetEnv no-jk 1\n</Location>",
        )
        .start();
    assert_eq!(client::get(httpd.port(), "/static/x.txt").text(), "static");
    assert_eq!(client::get(httpd.port(), "/rewritten/x.txt").text(), "rewritten");
    assert_eq!(client::get(httpd.port(), "/static/none").status, 404);
    assert_eq!(backend.requests().len(), 0);
    assert_eq!(client::get(httpd.port(), "/x/static/").status, 200);
    // Set behind the mapping it is too late for the file, and the log says why there is a 404.
    assert_eq!(client::get(httpd.port(), "/late/x.txt").status, 404);
    assert!(httpd.jk_log().contains("JK0105"), "{}", httpd.jk_log());
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn index_files_are_found_at_the_backend_too() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .file("htdocs/here/index.jsp", SOURCE)
        .file("htdocs/there/other.txt", "")
        .file("htdocs/static/index.html", "a static page")
        .file("htdocs/excluded/index.jsp.not", "")
        .conf("DirectoryIndex index.jsp index.html\nJkMount /*.jsp w\nJkUnMount /excluded/* w\nJkUnMount /static/* w")
        .start();
    let answer = client::get(httpd.port(), "/here/");
    assert_eq!((answer.status, answer.fact("uri").as_deref()), (200, Some("/here/index.jsp")));
    // The page does not exist here, but perhaps at the backend: the directory itself is asked for.
    let answer = client::get(httpd.port(), "/there/");
    assert_eq!((answer.status, answer.fact("uri").as_deref()), (200, Some("/there/")));
    let forwarded = backend.requests().len();
    assert_eq!(client::get(httpd.port(), "/static/").text(), "a static page");
    let excluded = client::get(httpd.port(), "/excluded/").status;
    assert!(matches!(excluded, 403 | 404), "{excluded}");
    assert_eq!(client::get(httpd.port(), "/there").status, 301);
    assert_eq!(backend.requests().len(), forwarded);
    backend.assert_no_errors();
}

#[test]
fn pages_can_include_mounted_urls() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .modules(&["include"])
        .workers(backend.worker("w"))
        .file("htdocs/page.shtml", "before <!--#include virtual=\"/app/part?a=b\" --> after")
        .file("htdocs/local.shtml", "before <!--#include file=\"x.txt\" --> after")
        .file("htdocs/x.txt", "included")
        .conf("JkMount /app/* w\nAddType text/html .shtml\nAddOutputFilter INCLUDES .shtml\n<Directory \"@ROOT@/htdocs\">\nOptions +Includes\n</Directory>")
        .start();
    let answer = client::request(httpd.port(), "GET", "/page.shtml", &[("Cookie", "c=1")], b"");
    let text = answer.text();
    assert!(text.starts_with("before ") && text.ends_with(" after"), "{text}");
    assert_eq!(answer.fact("uri").as_deref(), Some("/app/part"), "{text}");
    assert_eq!(answer.fact("query").as_deref(), Some("a=b"), "{text}");
    // The body of a request belongs to the page, not to what it includes.
    let answer = client::request(httpd.port(), "POST", "/page.shtml", &[], b"a body of the page");
    assert_eq!(answer.status, 200);
    let part = backend.last_request();
    assert_eq!((part.uri.as_str(), part.content_length()), ("/app/part", Some(0)));
    assert_eq!(client::get(httpd.port(), "/local.shtml").text(), "before included after");
    backend.assert_no_errors();
}

/// An ErrorDocument that the backend serves: the status stays that of the error, with and without a request body.
fn error_pages_from_the_backend_keep_the_status(mpm: Mpm) {
    let backend = Backend::scripted(|request, say| match request.uri.as_str() {
        "/err/moved" => say.respond(410, &[], b"this page is gone"),
        uri => say.respond(
            200,
            &[("Content-Type", "text/plain")],
            format!("page {uri} by {}", request.method).as_bytes(),
        ),
    });
    let dead = support::ports::free_port();
    let httpd = Httpd::builder()
        .mpm(mpm)
        .workers(format!("worker.list=w,dead\n{}worker.dead.port={dead}\n", backend.member("w")))
        .conf(
            "JkMount /err/* w\nJkMount /dead/* dead\nJkMount /post/* w\n\
             ErrorDocument 404 /err/404.jsp\nErrorDocument 503 /err/503.jsp\nErrorDocument 403 /err/moved\n\
             <Location /locked>\nRequire all denied\n</Location>",
        )
        .start();
    for (path, status, text) in [
        ("/none", 404, "page /err/404.jsp by GET"),
        ("/dead/x", 503, "page /err/503.jsp by GET"),
        ("/locked", 410, "this page is gone"),
    ] {
        let mut client = Client::connect(httpd.port());
        for body in [&b""[..], b"a body nobody reads", &[b'x'; 5000]] {
            let method = if body.is_empty() { "GET" } else { "POST" };
            let answer = client.request(method, path, &[], body);
            assert_eq!((answer.status, answer.text().as_str()), (status, text), "{method} {path}");
            let seen = backend.last_request();
            assert_eq!(seen.content_length(), Some(0), "{method} {path}");
            if answer.header("Connection") == Some("close") {
                client = Client::connect(httpd.port());
            }
        }
        // A chunked body.
        let mut client = Client::connect(httpd.port());
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        ));
        let answer = client.read_response();
        assert_eq!((answer.status, answer.text().as_str()), (status, text), "chunked {path}");
    }
    let head = client::request(httpd.port(), "HEAD", "/none", &[], b"");
    assert_eq!((head.status, head.body.len()), (404, 0));
    backend.assert_no_errors();
}

/// A header that httpd was told to remove stays removed when an error page is fetched from the backend.
#[test]
fn removed_headers_stay_removed_in_an_internal_redirect() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .conf("JkMount /err/* w\nErrorDocument 404 /err/404.jsp\nRequestHeader unset Cookie early")
        .start();
    let answer = client::request(httpd.port(), "GET", "/none", &[("Cookie", "secret=1")], b"");
    assert_eq!(answer.status, 404);
    assert_eq!(backend.last_request().header("cookie"), None);
}

#[test]
fn what_mod_mime_derives_from_a_mounted_url_does_not_describe_the_response() {
    let backend =
        Backend::scripted(|_, say| say.respond(200, &[("Content-Type", "text/plain")], b"plain text"));
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .conf("JkMount /* w\nAddEncoding x-gzip .gz\nAddLanguage de .de\nAddType image/png .png")
        .start();
    for path in ["/x.gz", "/x.de", "/x.png", "/x.html.de.gz"] {
        let answer = client::get(httpd.port(), path);
        let headers =
            ["Content-Type", "Content-Encoding", "Content-Language"].map(|name| answer.header(name));
        assert_eq!(headers, [Some("text/plain"), None, None], "{path}");
    }
}

#[test]
fn responses_of_a_backend_select_no_handler_and_no_redirect() {
    let backend = Backend::scripted(|request, say| match request.uri.as_str() {
        "/app/location" => say.respond(200, &[("Location", "/local.txt")], b"body of the backend"),
        "/app/type" => say.respond(200, &[("Content-Type", "server-status")], b"body of the backend"),
        _ => say.respond(302, &[("Location", "/local.txt")], b"body of the backend"),
    });
    let httpd = Httpd::builder()
        .modules(&["status"])
        .workers(backend.worker("w"))
        .file("htdocs/local.txt", "local")
        .conf("JkMount /app/* w")
        .start();
    for (path, status) in [("/app/location", 200), ("/app/type", 200), ("/app/redirect", 302)] {
        let answer = client::get(httpd.port(), path);
        assert_eq!((answer.status, answer.text().as_str()), (status, "body of the backend"), "{path}");
    }
}
