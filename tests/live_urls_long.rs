//! Long paths: no length makes the module crash, cut a path, or let one through to something else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod support;

use std::time::{Duration, Instant};

use support::{Backend, Client, Httpd};

/// A path of `len` octets below `prefix`, made of `piece`.
fn path(prefix: &str, piece: &str, len: usize) -> String {
    let mut path = prefix.to_owned();
    while path.len() < len {
        path.push_str(piece);
    }
    path.truncate(len);
    path
}

#[test]
fn paths_of_every_length_are_forwarded_whole_or_refused() {
    let backend = Backend::builder().packet_size(65_536).start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .conf("LimitRequestLine 200000\nJkMount /app/* w\nJkUnMount /app/secret/* w\nJkMount /*.jsp w")
        .start();
    let children = httpd.child_pids();
    for len in [4094, 4095, 4096, 8190, 8191, 8192, 16_384, 32_767, 65_000, 65_535, 65_536, 70_000, 150_000] {
        for (prefix, piece, mapped) in [
            ("/app/", "a", true),
            ("/app/", "ab/", true),
            ("/app/", ";x=y/", true),
            ("/app/x", "%C3%A9", true),
            ("/app/secret/", "a", false),
            ("/app/secret;p/", "p", false),
            ("/other/", "a", false),
        ] {
            let path = path(prefix, piece, len - len % piece.len().min(2));
            // A triplet must not be cut.
            let path = path.rsplit_once('%').map_or(path.clone(), |(whole, _)| whole.to_owned());
            let before = backend.requests().len();
            let mut client = Client::connect(httpd.port());
            let _ = client.try_send(format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
            let status = client.read_response().status;
            let forwarded = backend.requests().len() - before;
            // An AJP packet has room for 65536 octets with all headers; some need up to three octets of it per octet.
            match (mapped, status) {
                (true, 200) => {
                    assert_eq!(forwarded, 1);
                    assert_eq!(backend.last_request().uri, path, "{len} of {piece}");
                }
                (true, 431) => assert!(len > 65_000 && forwarded == 0, "{len} of {piece}: 431"),
                // httpd or its file system may refuse what is not mapped, in several ways.
                (false, 403 | 404 | 414) => assert_eq!(forwarded, 0, "{len} of {piece}"),
                other => panic!("{len} octets of {piece} below {prefix}: {other:?}"),
            }
        }
    }
    assert_eq!(httpd.child_pids(), children, "a child has died");
    backend.assert_no_errors();
}

#[test]
fn hostile_paths_take_linear_time() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .conf("LimitRequestLine 3000000\nJkMount /app/* w\nJkMount /*.jsp w\nJkMount /a*b*c*d*e*f w\nJkUnMount /app/secret/* w")
        .start();
    for piece in [";", "/;", "../x/", "x/../", ";/", "a", "ab", "abcde/", "%2e%2e/x/", "%61", "\u{e9}"] {
        let path = format!("/app/{}", piece.repeat((1 << 20) / piece.len()));
        let begun = Instant::now();
        let mut client = Client::connect(httpd.port());
        let _ = client.try_send(format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
        let status = client.read_response().status;
        let time = begun.elapsed();
        println!("1 MiB of {piece}: {status} in {time:?}");
        assert!(matches!(status, 200 | 400 | 403 | 404 | 414 | 431), "{piece}: {status}");
        // Quadratic time would take minutes.
        assert!(time < Duration::from_secs(10), "{piece}: {time:?}");
    }
    backend.assert_no_errors();
}
