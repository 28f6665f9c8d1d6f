//! What becomes of the answer of the backend.

use crate::case::{World, answer, get, head, plain};
use crate::recorder::{Answer, Step};

pub fn worlds() -> Vec<World> {
    vec![heads(), ends(), documents()]
}

fn heads() -> World {
    let mut world = World::new("response-heads");
    let vhost = world.vhost("JkMount /* w1");
    for status in [
        200, 201, 202, 203, 204, 205, 206, 226, 299, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 403,
        404, 405, 406, 409, 410, 413, 418, 421, 429, 451, 499, 500, 501, 502, 503, 504, 505, 511, 599, 600,
        700, 999, 1000, 99, 0, 100, 101, 102, 103,
    ] {
        for body in ["body\n", ""] {
            world.add(
                get(vhost, "/s")
                    .answer(answer(status, &[("X-Status", "yes")], body))
                    .followed()
                    .hurried(status < 200),
            );
        }
        world.add(
            get(vhost, "/s")
                .method("HEAD")
                .answer(answer(status, &[("Content-Type", "text/plain")], "x"))
                .followed()
                .hurried(status < 200),
        );
    }
    for reason in ["OK", "All Is Well", "", "Nicht gefunden", "two\r\nX-Split: 1", "caf\u{e9}", " lead"] {
        for status in [200, 404, 299] {
            world.add(get(vhost, "/r").answer(vec![
                head(status, Some(reason), &[]),
                Step::Body(b"b".to_vec()),
                Step::End(true),
            ]));
        }
    }
    for headers in [
        vec![("Content-Type", "Text/HTML; Charset=UTF-8")],
        vec![("Content-Type", "TEXT/PLAIN")],
        vec![("content-type", "application/json")],
        vec![("Content-Type", "")],
        vec![("Content-Type", "a/b"), ("Content-Type", "c/d")],
        vec![],
        vec![("Content-Language", "de")],
        vec![("Content-Encoding", "gzip")],
        vec![("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")],
        vec![("Last-Modified", "Sunday, 06-Nov-94 08:49:37 GMT")],
        vec![("Last-Modified", "yesterday")],
        vec![("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Etag", "\"x\"")],
        vec![("Location", "http://a/b")],
        vec![("Location", "/a"), ("Location", "/b")],
        vec![("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Path=/")],
        vec![("Set-Cookie2", "c=3")],
        vec![("WWW-Authenticate", "Basic realm=x"), ("WWW-Authenticate", "Negotiate")],
        vec![("Date", "Sun, 06 Nov 1994 08:49:37 GMT")],
        vec![("Server", "Tomcat")],
        vec![("Servlet-Engine", "Tomcat/9"), ("Status", "200 fine")],
        vec![("Vary", "Accept"), ("Vary", "Cookie")],
        vec![("Cache-Control", "no-cache"), ("cache-control", "private")],
        vec![("Connection", "close")],
        vec![("Connection", "keep-alive, X-Named"), ("X-Named", "1")],
        vec![("Keep-Alive", "timeout=99")],
        vec![("Upgrade", "h2c")],
        vec![("Transfer-Encoding", "chunked")],
        vec![("Trailer", "X-T")],
        vec![("Proxy-Authenticate", "Basic realm=x")],
        vec![("X-Empty", "")],
        vec![("X-Latin", "caf\u{e9}")],
        vec![("X-Tab", "a\tb")],
        vec![("X-Bad", "a\r\nX-Split: 1")],
        vec![("X Blank", "1")],
        vec![("X-Repeat", "1"), ("x-repeat", "2"), ("X-Other", "3")],
        vec![("Content-Length", "5")],
        vec![("Content-Length", "05")],
        vec![("Content-Length", "5"), ("Content-Length", "5")],
        vec![("Accept-Ranges", "bytes")],
        vec![("Etag", "W/\"1\"")],
        vec![("Allow", "GET, POST")],
        vec![("Retry-After", "10")],
        vec![("Content-Disposition", "attachment; filename=\"a b\"")],
        vec![("Strict-Transport-Security", "max-age=1")],
    ] {
        let endless = headers.iter().any(|(name, _)| *name == "Transfer-Encoding");
        let case = get(vhost, "/h").followed().hurried(endless);
        world.add(case.clone().answer(answer(200, &headers, "12345")));
        world.add(case.clone().method("HEAD").answer(answer(200, &headers, "12345")));
        world.add(case.answer(answer(404, &headers, "12345")));
    }
    let charset =
        world.vhost("JkMount /* w1\nAddDefaultCharset utf-8\nHeader set X-Always yes\nHeader unset X-Gone");
    world.add(get(charset, "/h").answer(answer(200, &[("Content-Type", "text/html"), ("X-Gone", "1")], "b")));
    world.add(get(charset, "/h").answer(answer(200, &[("Content-Type", "text/html; charset=x")], "b")));
    // The extension of a URL describes no file.
    let typed = world
        .vhost("JkMount /* w1\nAddEncoding x-gzip .gz\nAddLanguage de .de\nAddType text/x-special .special");
    for target in ["/x.gz", "/x.de", "/x.special", "/x.txt", "/x.html.gz"] {
        world.add(get(typed, target).answer(answer(200, &[], "b")));
        world.add(get(typed, target).answer(answer(200, &[("Content-Type", "text/plain")], "b")));
    }
    world
}

/// Flushes, lengths, and ends that are none.
fn ends() -> World {
    let mut world = World::new("response-ends");
    let vhost = world.vhost("JkMount /* w1");
    let ok = || head(200, None, &[("Content-Type", "text/plain")]);
    let sized = |length: &str| head(200, None, &[("Content-Type", "text/plain"), ("Content-Length", length)]);
    let body = |text: &str| Step::Body(text.as_bytes().to_vec());
    let answers: Vec<(Answer, bool)> = vec![
        (vec![ok(), Step::End(true)], false),
        (vec![ok(), body("x"), Step::End(false)], false),
        (vec![ok(), Step::Flush, body("x"), Step::Flush, body("y"), Step::End(true)], false),
        (vec![ok(), Step::Flush, Step::End(true)], false),
        (vec![sized("3"), body("abc"), Step::End(true)], false),
        (vec![sized("3"), Step::Flush, body("abc"), Step::End(true)], false),
        (vec![ok(), Step::Body(crate::support::pattern(8184)), Step::End(true)], false),
        (vec![ok(), Step::Body(crate::support::pattern(8185)), Step::End(true)], false),
        (vec![ok(), Step::Body(crate::support::pattern(100_000)), Step::End(true)], false),
        (vec![sized("100000"), Step::Body(crate::support::pattern(100_000)), Step::End(true)], false),
        (vec![Step::End(true)], false),
        (vec![sized("5"), body("abc"), Step::End(true)], false),
        (vec![sized("5"), Step::Flush, body("abc"), Step::End(true)], false),
        (vec![sized("2"), body("abc"), Step::End(true)], false),
        (vec![sized("2"), Step::Flush, body("abc"), Step::End(true)], false),
        (vec![sized("abc"), body("abc"), Step::End(true)], false),
        (vec![Step::Close], true),
        (vec![ok(), Step::Close], true),
        (vec![ok(), body("part"), Step::Close], true),
        (vec![ok(), Step::Flush, body("part"), Step::Flush, Step::Close], true),
        (vec![sized("100"), Step::Flush, body("part"), Step::Flush, Step::Close], true),
        (vec![body("no head"), Step::End(true)], true),
        (vec![ok(), ok(), body("x"), Step::End(true)], true),
        (vec![Step::Raw(b"\x41\x42\x00\x01\x63".to_vec()), Step::End(true)], true),
        (vec![Step::Raw(b"XX\x00\x01\x05".to_vec()), Step::End(true)], true),
        (vec![Step::Raw(b"\x41\x42\x00\x03\x04\x00\xc8".to_vec()), Step::End(true)], true),
        (vec![Step::Raw(b"\x41\x42\xff\xff".to_vec()), Step::Close], true),
        (vec![Step::Raw(b"\x41\x42\x00".to_vec()), Step::Close], true),
    ];
    for (answer, broken) in answers {
        // A length that is not kept leaves a client waiting.
        let sized = answer.iter().any(|step| matches!(step, Step::Head(_, _, headers) if headers.len() == 2));
        let case = get(vhost, "/e").followed().hurried(sized);
        world.add(case.clone().answer(answer.clone()));
        world.add(case.clone().method("HEAD").answer(answer.clone()));
        world.add(case.clone().method("POST").body("abc").answer(answer.clone()));
        if broken {
            // The second attempt would be good.
            world.add(case.clone().answer(answer.clone()).answer(plain("second\n")));
            world.add(case.method("POST").body("abc").answer(answer).answer(plain("second\n")));
        }
    }
    let old = world.vhost("JkMount /* w1\nSetEnv downgrade-1.0\nSetEnv force-response-1.0");
    world.add(get(old, "/e").answer(plain("old\n")));
    world.add(get(vhost, "/e").http10().answer(plain("old\n")));
    world.add(get(vhost, "/e").header("Range", "bytes=1-2").answer(plain("0123456789")));
    world.add(get(vhost, "/e").header("If-None-Match", "\"x\"").answer(answer(
        200,
        &[("ETag", "\"x\"")],
        "0123",
    )));
    let past = [("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")];
    world.add(
        get(vhost, "/e")
            .header("If-Modified-Since", "Sun, 06 Nov 2011 08:49:37 GMT")
            .answer(answer(200, &past, "0123")),
    );
    world
}

/// Error pages of httpd that are local, or come from the backend.
fn documents() -> World {
    let mut world = World::new("error-documents");
    for conf in [
        "JkMount /app/* w1\nErrorDocument 404 /err/404.jsp\nErrorDocument 503 /err/503.jsp\nErrorDocument 500 /err/500.jsp\nJkMount /err/* w2",
        "JkMount /app/* \"w1;use_server_errors=400\"\nErrorDocument 404 /err/404.jsp\nErrorDocument 500 /static.txt\nJkMount /err/* w2",
        "JkMount /app/* refused\nErrorDocument 503 /err/503.jsp\nJkMount /err/* w2",
        "JkMount /app/* refused\nErrorDocument 503 \"sorry\"",
        "JkMount /app/* nosuch\nErrorDocument 500 /static.txt",
    ] {
        let vhost = world.vhost(conf);
        for target in ["/app/x", "/nowhere", "/app/x?q=1"] {
            for second in [200, 404, 500] {
                let first = answer(500, &[("X-First", "1")], "first\n");
                let page =
                    answer(second, &[("Content-Type", "text/html"), ("X-Second", "1")], "error page\n");
                // A URL that is not mounted goes straight to the page.
                let direct = target == "/nowhere" || conf.contains("refused");
                let answers = if direct { vec![page] } else { vec![first, page] };
                let with =
                    |case: crate::case::Case| answers.iter().cloned().fold(case, crate::case::Case::answer);
                world.add(with(get(vhost, target)).followed());
                world.add(with(get(vhost, target)).method("HEAD").followed());
                world.add(with(get(vhost, target)).method("POST").body("abc").followed());
                world.add(with(get(vhost, target)).method("POST").chunked(&[b"abc"]).followed());
            }
        }
    }
    world
}
