//! The rule extension `path`: another path at the backend than at the client. Each pair of ProxyPass lines in
//! docs/websockets.md has its row here.

use std::io::Write as _;

use crate::support::websocket::Switcher;
use crate::support::{Backend, Client, Httpd, client};

/// Answers with the path it was asked for, and with headers that name its own paths.
fn application() -> Switcher {
    Switcher::start(|head, stream| {
        let path = head.split(' ').nth(1).unwrap_or("").to_owned();
        let port = stream.get_ref().local_addr().unwrap().port();
        let answer = format!(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/shop-v2/cart?from=/shop-v2/\r\n\
             Content-Location: /shop-v2/here\r\nSet-Cookie: a=b; Path=/shop-v2; Domain=127.0.0.1; HttpOnly\r\n\
             Set-Cookie: c=d; Path=/other\r\nX-Path: /shop-v2/stays\r\nContent-Length: {}\r\n\r\n{path}",
            path.len()
        );
        let _ = stream.get_mut().write_all(answer.as_bytes());
    })
}

#[test]
fn the_backend_has_another_path() {
    let backend = application();
    let httpd = Httpd::builder()
        .workers(backend.worker("w", ""))
        .conf("JkMount /shop|/* w;path=/shop-v2\nJkMount /root/* w;path=/\nJkMount /one w;path=/two/three")
        .file("conf/map", "/mapped/*.jsp=w;path=/shop-v2\n")
        .conf("JkMountFile conf/map")
        .start();
    let mut client = Client::connect(httpd.port());
    for (path, wanted) in [
        ("/shop", "/shop-v2"),
        ("/shop/", "/shop-v2/"),
        ("/shop/a%20b;v=1/c?x=/shop/", "/shop-v2/a%20b;v=1/c?x=/shop/"),
        ("/shop;jsessionid=1", "/shop-v2;jsessionid=1"),
        ("/sh%6fp/x", "/shop-v2/x"),
        ("/shop/./x/../y", "/shop-v2/y"),
        ("/shop/%2e%2e/shop/x", "/shop-v2/x"),
        ("/shop//x", "/shop-v2/x"),
        ("/shop/%252e%252e/x", "/shop-v2/%252e%252e/x"),
        ("/root/", "/"),
        ("/root/x?y", "/x?y"),
        ("/one", "/two/three"),
        ("/mapped/a/b.jsp", "/shop-v2/a/b.jsp"),
    ] {
        let answer = client.request("GET", path, &[("Host", "www.example.org")], b"");
        assert_eq!((answer.status, answer.text().as_str()), (302, wanted), "{path}");
    }
    for path in ["/shopping", "/shop/..", "/other"] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
    let answer = client.request("GET", "/shop/x", &[("Host", "www.example.org")], b"");
    assert_eq!(answer.header("Location"), Some("http://www.example.org/shop/cart?from=/shop-v2/"));
    assert_eq!(answer.header("Content-Location"), Some("/shop/here"));
    assert_eq!(answer.header_all("Set-Cookie"), ["a=b; Path=/shop; HttpOnly", "c=d; Path=/other"]);
    assert_eq!(answer.header("X-Path"), Some("/shop-v2/stays"));
    httpd.assert_no_errors(&[]);
}

#[test]
fn it_works_over_ajp_too() {
    let backend = Backend::scripted(|request, say| {
        let headers = [("Location", "/inner/next"), ("Set-Cookie", "a=b; Path=/inner")];
        say.respond(302, &headers, request.uri.as_bytes());
    });
    let httpd = Httpd::builder().workers(backend.worker("w")).conf("JkMount /outer/* w;path=/inner").start();
    let answer = client::get(httpd.port(), "/outer/page");
    assert_eq!((answer.status, answer.text().as_str()), (302, "/inner/page"));
    assert_eq!(
        (answer.header("Location"), answer.header("Set-Cookie")),
        (Some("/outer/next"), Some("a=b; Path=/outer"))
    );
    backend.assert_no_errors();
}

#[test]
fn paths_that_could_be_read_in_two_ways_are_refused() {
    for path in ["inner", "/a//b", "/a/../b", "/a/.", "/a%20b", "/a?b", "/a#b"] {
        let (good, text) = Httpd::builder()
            .workers("worker.list=w\nworker.w.type=http\n")
            .conf(format!("JkMount /outer/* \"w;path={path}\""))
            .prepare()
            .configtest();
        assert!(!good && text.contains("must be plain paths"), "{path}: {text}");
    }
}
