//! What is asked and by whom: mod_rewrite, mod_headers, mod_remoteip.

use crate::support::{Backend, Client, client, ports};

#[test]
fn rewriting_in_every_place_leads_to_a_mount() {
    let backend = Backend::start();
    let httpd = super::builder(
        &backend,
        &[],
        "RewriteEngine On\n\
         RewriteRule ^/twice/(.*) /short/$1\n\
         RewriteRule ^/short/(.*) /app/$1 [PT]\n\
         RewriteRule ^/find/(.*) /app/search?q=$1 [PT,QSA]\n\
         RewriteRule ^/out/(.*) http://elsewhere/$1 [R=302]\n\
         RewriteRule ^/app/gone - [G]\n\
         RewriteRule ^/app/left - [E=no-jk:1]\n\
         RewriteRule ^/app/delay - [E=JK_REPLY_TIMEOUT:100]\n\
         <Directory \"@ROOT@/htdocs/dir\">\nRewriteEngine On\nRewriteBase /dir\nRewriteRule ^x/(.*) /app/dir/$1 [PT]\n</Directory>",
    )
    .file("htdocs/dir/index.html", "a directory")
    .file("htdocs/app/left", "a file")
    .start();
    for (path, uri, query) in [
        ("/short/a", "/app/a", None),
        ("/short/a?k=v", "/app/a", Some("k=v")),
        ("/find/a?k=v", "/app/search", Some("q=a&k=v")),
        ("/twice/a", "/app/a", None),
        ("/dir/x/a", "/app/dir/a", None),
    ] {
        let answer = client::get(httpd.port(), path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let seen = (answer.fact("uri"), answer.fact("query"));
        assert_eq!((seen.0.as_deref(), seen.1.as_deref()), (Some(uri), query), "{path}");
    }
    let before = backend.requests().len();
    assert_eq!(client::get(httpd.port(), "/out/a").header("Location"), Some("http://elsewhere/a"));
    assert_eq!(client::get(httpd.port(), "/app/gone").status, 410);
    assert_eq!(client::get(httpd.port(), "/app/left").text(), "a file");
    assert_eq!(client::get(httpd.port(), "/dir/").text(), "a directory");
    assert_eq!(backend.requests().len(), before);
    assert_eq!(client::get(httpd.port(), "/app/delay/1500").status, 504);
}

#[test]
fn a_rule_may_name_the_worker() {
    let backend = Backend::start();
    let httpd = super::front(
        &backend,
        &[],
        "RewriteEngine On\nRewriteRule ^/any/(.*) - [E=JK_WORKER_NAME:w,H=jakarta-servlet]\n\
         RewriteRule ^/none/(.*) - [H=jakarta-servlet]\nRewriteRule ^/wrong/(.*) - [E=JK_WORKER_NAME:x,H=jakarta-servlet]",
    );
    let answer = client::request(httpd.port(), "POST", "/any/upload", &[], b"four");
    assert_eq!((answer.status, answer.fact("length").as_deref()), (200, Some("4")), "{}", answer.text());
    let answer = client::get(httpd.port(), "/any/a%20b?c");
    assert_eq!(
        (answer.status, answer.fact("uri").as_deref()),
        (200, Some("/any/a%20b")),
        "{}",
        answer.text()
    );
    let before = backend.requests().len();
    assert_eq!(client::get(httpd.port(), "/none/a").status, 500);
    assert_eq!(client::get(httpd.port(), "/wrong/a").status, 500);
    assert_eq!(backend.requests().len(), before);
}

#[test]
fn headers_are_edited_in_both_directions() {
    let backend = Backend::scripted(|request, say| match request.uri.as_str() {
        "/app/plain" => say.respond(
            200,
            &[("Server-Info", "inside"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Old", "old")],
            b"plain",
        ),
        "/app/missing" => say.respond(404, &[("Content-Type", "text/plain")], b"not there"),
        _ => crate::support::script::default_script(request, say),
    });
    let dead = ports::free_port();
    let httpd = super::builder(
        &backend,
        &[],
        "JkMount /dead dead\n\
         RequestHeader set X-Added \"from %{REMOTE_ADDR}s\" \"expr=true\"\nRequestHeader unset Cookie\n\
         RequestHeader append X-List more\nRequestHeader edit X-Edit a b\n\
         RequestHeader set X-Forwarded-Proto https early\n\
         Header set X-Success yes\nHeader always set X-Always yes\nHeader unset Server-Info\n\
         Header edit Set-Cookie ^(.*)$ \"$1; Secure\"\nHeader set X-Old new",
    )
    .workers(format!("worker.list=dead\nworker.dead.port={dead}"))
    .start();
    let headers = [("Cookie", "c=1"), ("X-List", "one"), ("X-Edit", "aa"), ("X-Forwarded-Proto", "http")];
    assert_eq!(client::request(httpd.port(), "GET", "/app/x", &headers, b"").status, 200);
    let seen = backend.last_request();
    assert!(seen.header("x-added").is_some(), "{seen:?}");
    assert_eq!(seen.header("cookie"), None);
    assert_eq!(seen.header("x-list"), Some("one, more"));
    assert_eq!(seen.header("x-edit"), Some("ba"));
    assert_eq!(seen.header_all("x-forwarded-proto"), ["https"]);

    let answer = client::get(httpd.port(), "/app/plain");
    assert_eq!((answer.status, answer.text().as_str()), (200, "plain"));
    assert_eq!(answer.header("Server-Info"), None);
    assert_eq!(answer.header_all("Set-Cookie"), ["a=1; Secure", "b=2; Secure"]);
    assert_eq!(answer.header_all("X-Old"), ["new"]);
    assert_eq!((answer.header("X-Success"), answer.header("X-Always")), (Some("yes"), Some("yes")));
    // An error page of the backend is a response like any other.
    let answer = client::get(httpd.port(), "/app/missing");
    assert_eq!((answer.status, answer.text().as_str()), (404, "not there"));
    assert_eq!((answer.header("X-Success"), answer.header("X-Always")), (Some("yes"), Some("yes")));
    // An error page of httpd gets what is meant for "always" only.
    let answer = client::get(httpd.port(), "/dead");
    assert_eq!(answer.status, 503);
    assert_eq!((answer.header("X-Success"), answer.header("X-Always")), (None, Some("yes")));
}

#[test]
fn the_address_behind_a_proxy_is_the_clients() {
    let backend = Backend::start();
    let proxied = ports::free_port();
    let httpd = super::front(
        &backend,
        &["remoteip"],
        &format!(
            "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n\
             Listen 127.0.0.1:{proxied}\n<VirtualHost 127.0.0.1:{proxied}>\nServerName localhost\nJkMountCopy On\n\
             RemoteIPProxyProtocol On\n</VirtualHost>"
        ),
    );
    let answer = client::request(httpd.port(), "GET", "/app/x", &[("X-Forwarded-For", "192.0.2.7")], b"");
    assert_eq!(answer.fact("remote_addr").as_deref(), Some("192.0.2.7"), "{}", answer.text());
    assert_eq!(answer.fact("header.x-forwarded-for"), None, "the trusted part is used up");
    let answer = client::request(httpd.port(), "GET", "/app/x", &[("X-Forwarded-For", "2001:db8::7")], b"");
    assert_eq!(answer.fact("remote_addr").as_deref(), Some("2001:db8::7"));
    // The proxy's port is not the client's: it goes with the address it belongs to, or says that it is not known.
    let mut client = Client::connect(httpd.port());
    let port = client.local_port().to_string();
    let answer = client.get("/app/x");
    assert_eq!(answer.fact("remote_addr").as_deref(), Some("127.0.0.1"));
    assert_eq!(answer.fact("attribute.AJP_REMOTE_PORT"), Some(port.clone()));
    let answer = client.request("GET", "/app/x", &[("X-Forwarded-For", "192.0.2.7")], b"");
    assert_ne!(answer.fact("attribute.AJP_REMOTE_PORT"), Some(port), "{}", answer.text());
    // The PROXY protocol tells both.
    let mut client = Client::connect(proxied);
    client.send("PROXY TCP4 192.0.2.9 198.51.100.1 56324 80\r\n");
    let answer = client.get("/app/x");
    assert_eq!(answer.fact("remote_addr").as_deref(), Some("192.0.2.9"), "{}", answer.text());
    assert_eq!(answer.fact("attribute.AJP_REMOTE_PORT").as_deref(), Some("56324"));
}
