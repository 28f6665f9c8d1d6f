//! The judge of HTTP requests takes what a careful gateway sends and nothing else.

use crate::support::http_request::decode;

/// A head as the module sends it, with lines replaced: `"name: "` finds the line, an empty replacement removes it.
fn head(edits: &[(&str, &str)]) -> Vec<u8> {
    let mut lines = vec![
        "POST /app/x?a=b HTTP/1.1",
        "Host: www.example.test:8080",
        "X-First: 1",
        "Content-Length: 5",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: www.example.test:8080",
        "X-Forwarded-Port: 8080",
        "Forwarded: for=127.0.0.1;host=\"www.example.test:8080\";proto=https",
        "X-Remote-User: anna",
        "ssl_cipher_usekeysize: 256",
        "ssl_client_cert: -----BEGIN CERTIFICATE----- AAAA BBBB -----END CERTIFICATE-----",
        "X-Jk-Lb-Activation: ACT",
        "X-Jk-Env-COLOUR: blue",
    ];
    for (name, line) in edits {
        match lines.iter().position(|old| old.starts_with(name)) {
            Some(at) => lines[at] = line,
            None => lines.push(line),
        }
    }
    lines.retain(|line| !line.is_empty());
    (lines.join("\r\n") + "\r\n").into_bytes()
}

#[test]
fn a_good_head_has_the_fields_of_ajp() {
    let request = decode(&head(&[])).unwrap();
    assert_eq!((request.method.as_str(), request.uri.as_str()), ("POST", "/app/x"));
    assert_eq!((request.query.as_deref(), request.content_length()), (Some("a=b"), Some(5)));
    assert_eq!((request.server_name.as_str(), request.server_port), ("www.example.test", 8080));
    assert_eq!((request.is_ssl, request.ssl_key_size), (true, Some(256)));
    assert_eq!(request.remote_addr.as_deref(), Some("127.0.0.1"));
    assert_eq!(request.remote_user.as_deref(), Some("anna"));
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\nBBBB\n-----END CERTIFICATE-----";
    assert_eq!(request.ssl_cert.as_deref(), Some(pem));
    assert_eq!(
        (request.attribute("COLOUR"), request.attribute("JK_LB_ACTIVATION")),
        (Some("blue"), Some("ACT"))
    );
    let names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Host", "X-First", "Content-Length"]);
    for good in
        [("Content-Length", ""), ("Content-Length", "Transfer-Encoding: chunked"), ("C", "Connection: close")]
    {
        assert_eq!(decode(&head(&[good])).map(|_| ()), Ok(()), "{good:?}");
    }
}

#[test]
fn bad_heads_are_noticed() {
    for bad in [
        ("POST", "POST /app/x HTTP/1.0"),
        ("POST", "POST  /app/x HTTP/1.1"),
        ("POST", "POST http://h/app/x HTTP/1.1"),
        ("POST", "POST /app/x#y HTTP/1.1"),
        ("Host", ""),
        ("-", "Host: again"),
        ("-", "Content-Length: 5"),
        ("-", "Transfer-Encoding: chunked"),
        ("Content-Length", "Content-Length: +5"),
        ("Content-Length", "Transfer-Encoding: gzip, chunked"),
        ("X-First", "X-First : 1"),
        ("X-First", " folded: 1"),
        ("X-First", "X-First: a\nb"),
        ("X-First", "X-First: a\u{0}b"),
        ("X-First", "X-First:  1"),
        ("-", "Connection: keep-alive"),
        ("-", "Expect: 100-continue"),
        ("-", "Upgrade: h2c"),
        ("-", "TE: trailers"),
        ("-", "X-Remote-User: root"),
        ("-", "X-Jk-Other: 1"),
        ("-", "X-Forwarded-Prefix: /evil"),
        ("X-Forwarded-For", ""),
        ("X-Forwarded-Proto", "X-Forwarded-Proto: http"),
        ("X-Forwarded-Port", "X-Forwarded-Port: many"),
        ("Forwarded", "Forwarded: for=6.6.6.6"),
        ("X-Jk-Lb", ""),
        ("X-Jk-Lb", "X-Jk-Lb-Activation: YES"),
    ] {
        assert!(decode(&head(&[bad])).is_err(), "{bad:?}");
    }
    assert!(decode(b"GET / HTTP/1.1\nHost: h\n").is_err(), "bare LF");
}
