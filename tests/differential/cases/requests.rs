//! What the backend is told: methods, headers, bodies.

use crate::case::{World, get, head};
use crate::recorder::Step;

pub fn worlds() -> Vec<World> {
    vec![methods(), headers(), bodies()]
}

fn methods() -> World {
    let mut world = World::new("methods");
    let vhost = world.vhost("JkMount /* w1");
    for method in crate::support::forward::METHODS {
        world.add(get(vhost, "/m").method(method));
    }
    for method in
        ["PATCH", "FOO", "get", "Get", "MKCALENDAR", "BASELINE-CONTROLX", "LINK", "M-SEARCH", "A", "CONNECT"]
    {
        world.add(get(vhost, "/m").method(method));
    }
    world.add(get(vhost, "*").method("OPTIONS"));
    world.add(get(vhost, "/m").http10());
    world.add(get(vhost, "/m").http10().header("Connection", "keep-alive"));
    world.add(get(vhost, "/m?").method("POST"));
    world.add(get(vhost, "/m?a=b&c=%20;d").method("DELETE"));
    world
}

fn headers() -> World {
    let mut world = World::new("headers");
    let vhost = world.vhost("JkMount /* w1");
    for (name, value) in [
        ("Accept", "*/*"),
        ("ACCEPT", "text/html"),
        ("Accept-Charset", "utf-8"),
        ("Accept-Encoding", "gzip, br"),
        ("accept-language", "de, en;q=0.5"),
        ("Authorization", "Basic dTpw"),
        ("Content-Type", "text/plain; charset=UTF-8"),
        ("Cookie", "a=b; c=d"),
        ("Cookie2", "$Version=1"),
        ("Pragma", "no-cache"),
        ("Referer", "http://x/y"),
        ("User-Agent", "test/1.0 (x; y)"),
        ("X-Empty", ""),
        ("X-Blank", "   "),
        ("X-Spaces", "  a  b  "),
        ("X-Tab", "a\tb"),
        ("X-Latin", "caf\u{e9}"),
        ("x-lower_Mixed", "1"),
        ("X!#$%&'*+.^_`|~", "odd name"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("Via", "1.1 proxy"),
        ("Range", "bytes=0-1"),
        ("If-Modified-Since", "Sat, 29 Oct 1994 19:43:31 GMT"),
        ("If-None-Match", "\"x\""),
        ("Connection", "keep-alive"),
        ("Connection", "close"),
        ("Connection", "X-Named, keep-alive"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "trailers"),
        ("Trailer", "X-T"),
        ("Upgrade", "websocket"),
        ("Proxy", "http://evil/"),
        ("Proxy-Authorization", "Basic dTpw"),
        ("Host", "other.test:8080"),
        ("Host", "V0.TEST"),
        ("Host", "v0.test:99"),
        ("Host", "[::1]:80"),
        ("Content-Language", "de"),
        ("Expect", "100-continue"),
    ] {
        world.add(get(vhost, "/h").header(name, value));
    }
    world.add(get(vhost, "/h").header("X-R", "1").header("X-R", "2").header("x-r", "3"));
    world.add(get(vhost, "/h").header("Cookie", "a=1").header("Cookie", "b=2"));
    world.add(get(vhost, "/h").header("Accept", "a/b").header("Accept", "c/d"));
    world.add(get(vhost, "/h").header("X-Named", "1").header("Connection", "X-Named").header("X-After", "2"));
    world.add(
        get(vhost, "/h")
            .header("X-A", "1")
            .header("Upgrade", "h2c")
            .header("Connection", "Upgrade, HTTP2-Settings")
            .header("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
    );
    world.add(get(vhost, "/h").header("X-Long", &"l".repeat(7000)));
    world.add(get(vhost, "/h").header("X-Long", &"l".repeat(7900)).followed());
    let large = "l".repeat(5000);
    world.add(get(vhost, "/h").header("X-Long", &large).header("X-Longer", &large).followed());
    world.add(get(vhost, "/h").header("X-Bad name", "x"));
    world.add(get(vhost, "/h").header("X-Ctl", "a\u{1}b"));
    let many = (0..90).fold(get(vhost, "/h"), |case, i| case.header(&format!("X-{i}"), &i.to_string()));
    world.add(many);
    world.add(get(vhost, &format!("/h?{}", "q".repeat(7000))));
    let removed = world.vhost("JkMount /* w1\nRequestHeader unset X-Gone\nRequestHeader set X-Set \"from httpd\"\nRequestHeader append X-More tail");
    world.add(get(removed, "/h").header("X-Gone", "1").header("X-More", "first"));
    world
}

fn bodies() -> World {
    let mut world = World::new("bodies");
    let vhost = world.vhost("JkMount /* w1");
    let text = |len: usize| -> Vec<u8> { crate::support::pattern(len) };
    for len in [1, 2, 100, 8185, 8186, 8187, 16372, 16373, 20_000, 100_000] {
        world.add(get(vhost, "/b").method("POST").body(text(len)));
        let whole = text(len);
        let chunks: Vec<&[u8]> = whole.chunks(3000).collect();
        world.add(get(vhost, "/b").method("POST").chunked(&chunks));
    }
    world.add(get(vhost, "/b").method("POST").body(""));
    world.add(get(vhost, "/b").method("POST").chunked(&[]));
    world.add(get(vhost, "/b").body("body of a GET"));
    world.add(get(vhost, "/b").method("PUT").body("put").header("Content-Type", "text/plain"));
    world.add(get(vhost, "/b").method("POST").chunked(&[b"a", b"bc", b"def"]));
    world.add(get(vhost, "/b").method("HEAD").body("x"));
    world.add(get(vhost, "/b").method("OPTIONS").body("x"));
    world.add(get(vhost, "/b").method("POST").header("Content-Length", "0"));
    // The backend does not read all of the body.
    let unread = vec![
        head(200, None, &[("Content-Type", "text/plain")]),
        Step::Body(b"early\n".to_vec()),
        Step::End(true),
    ];
    world.add(get(vhost, "/b").method("POST").body(text(100)).answer(unread.clone()).followed());
    world.add(get(vhost, "/b").method("POST").body(text(20_000)).answer(unread.clone()).followed());
    world.add(get(vhost, "/b").method("POST").chunked(&[b"abc"]).answer(unread).followed());
    // Framing that no server should accept.
    for (name, value) in [
        ("Content-Length", "+5"),
        ("Content-Length", "-5"),
        ("Content-Length", "5x"),
        ("Content-Length", "0x5"),
        ("Content-Length", "99999999999999999999"),
        ("Transfer-Encoding", "gzip"),
        ("Transfer-Encoding", "gzip, chunked"),
        ("Transfer-Encoding", "identity"),
    ] {
        world.add(get(vhost, "/b").method("POST").header(name, value).followed());
    }
    world.add(get(vhost, "/b").method("POST").header("Content-Length", "3").chunked(&[b"abc"]).followed());
    world.add(
        get(vhost, "/b")
            .method("POST")
            .header("Content-Length", "3")
            .header("Content-Length", "3")
            .http10()
            .followed(),
    );
    world.add(get(vhost, "/b").method("POST").header("Expect", "100-continue").body("abc"));
    world.add(get(vhost, "/b").method("POST").header("Expect", "100-continue").chunked(&[b"abc"]));
    let limited = world.vhost("JkMount /* w1\nLimitRequestBody 1000");
    world.add(get(limited, "/b").method("POST").body(text(1000)));
    world.add(get(limited, "/b").method("POST").body(text(1001)).followed());
    world.add(get(limited, "/b").method("POST").chunked(&[&text(600), &text(600)]).followed());
    let ignoring = world.vhost("JkMount /* w1\nSetEnv JK_IGNORE_CL 1");
    world.add(get(ignoring, "/b").method("POST").body(text(9000)));
    world.add(get(ignoring, "/b").method("POST").body(""));
    world.add(get(ignoring, "/b"));
    let renamed = world.vhost("JkMount /* w1\nJkIgnoreCLIndicator NO_LENGTH\nSetEnv NO_LENGTH 1");
    world.add(get(renamed, "/b").method("POST").body(text(10)));
    world
}
