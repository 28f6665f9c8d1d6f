//! What the backend is told about a request.

use crate::support::certificate::{Certificate, curl};
use crate::support::forward::METHODS;
use crate::support::{Backend, Client, Httpd, Mpm, Over, client, over_each_protocol, ports};
use crate::{builder, front};

over_each_protocol!(
    a_file_and_a_relayed_page,
    head_fields,
    old_clients,
    methods,
    user,
    tls_attributes,
    bad_framing_is_refused,
);
mod threaded {
    use super::http2;
    crate::support::over_each_protocol!(threaded http2);
}

fn a_file_and_a_relayed_page(mpm: Mpm, over: Over) {
    let backend = over.start();
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    for _ in 0..3 {
        assert_eq!(client.get("/file.txt").text(), "from disk\n");
        let page = client.get("/app/page");
        assert_eq!((page.status, page.fact("uri").as_deref()), (200, Some("/app/page")));
    }
    assert_eq!(client.get("/application").status, 404);
    assert_eq!(backend.requests().len(), 3);
    httpd.assert_no_errors(&[]);
}

fn head_fields(mpm: Mpm, over: Over) {
    let backend = over.start();
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    client.send(
        "GET /app/a%20b/%C3%A4;v=1?q=a%20b&c=%3C HTTP/1.1\r\nHost: www.example.test:8765\r\nUser-Agent: test/1\r\n\
         X-First: 1\r\nCookie: a=b; c=d\r\nX-Second:  two \r\nAccept-Language: de\r\nX-First: again\r\n\
         Keep-Alive: 300\r\nTE: trailers\r\nX-Hop: 1\r\nConnection: X-Hop, TE\r\nX-Latin: caf\u{e9}\r\n\r\n",
    );
    assert_eq!(client.read_response().status, 200);
    let request = backend.last_request();
    assert_eq!((request.method.as_str(), request.protocol.as_str()), ("GET", "HTTP/1.1"));
    assert_eq!(request.uri, "/app/a%20b/%C3%A4;v=1");
    assert_eq!(request.query.as_deref(), Some("q=a%20b&c=%3C"));
    assert_eq!(request.remote_addr.as_deref(), Some("127.0.0.1"));
    assert_eq!((request.server_name.as_str(), request.server_port), ("www.example.test", 8765));
    assert!(!request.is_ssl);
    // httpd itself joins repeated headers; those of one connection stay here. Coded names have no case.
    let headers: Vec<(String, &str)> =
        request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
    let mut wanted = vec![
        ("host", "www.example.test:8765"),
        ("user-agent", "test/1"),
        ("x-first", "1, again"),
        ("cookie", "a=b; c=d"),
        ("x-second", "two"),
        ("accept-language", "de"),
        ("x-latin", "caf\u{c3}\u{a9}"),
    ];
    if over.is_ajp() {
        wanted.push(("content-length", "0"));
        assert!(request.headers.iter().any(|(name, _)| name == "X-First"), "{:?}", request.headers);
    }
    let wanted: Vec<(String, &str)> =
        wanted.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    assert_eq!(headers, wanted);
    assert_eq!(request.attribute("JK_LB_ACTIVATION"), Some("ACT"));
    if over.is_ajp() {
        let port = client.local_port().to_string();
        assert_eq!(request.attribute("AJP_REMOTE_PORT"), Some(port.as_str()));
        assert_eq!(request.attribute("AJP_LOCAL_ADDR"), Some("127.0.0.1"));
        assert_eq!(request.attributes.len(), 3, "{:?}", request.attributes);
    } else {
        // HTTP has no headers for the other two.
        assert_eq!(request.attributes.len(), 1, "{:?}", request.attributes);
    }
    let absent = [
        &request.remote_user,
        &request.auth_type,
        &request.route,
        &request.secret,
        &request.ssl_cert,
        &request.ssl_cipher,
        &request.ssl_session,
    ];
    assert!(absent.iter().all(|value| value.is_none()), "{request:?}");

    // The default port is not named by the client.
    client.send("GET /app/x HTTP/1.1\r\nHost: other.test\r\n\r\n");
    assert_eq!(client.read_response().status, 200);
    let request = backend.last_request();
    assert_eq!(request.server_name, "other.test");
    assert_eq!(request.query, None);
}

fn old_clients(mpm: Mpm, over: Over) {
    let backend = over.start();
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    client.send("GET /app/old HTTP/1.0\r\n\r\n");
    let page = client.read_response();
    assert_eq!((page.status, page.fact("uri").as_deref()), (200, Some("/app/old")));
    let request = backend.last_request();
    // Over HTTP the protocol of the client is not told.
    let protocol = if over.is_ajp() { "HTTP/1.0" } else { "HTTP/1.1" };
    assert_eq!((request.protocol.as_str(), request.server_name.as_str()), (protocol, "localhost"));
    assert!(client.closes_within(crate::support::PATIENCE), "HTTP/1.0 without keep-alive");
}

fn methods(mpm: Mpm, over: Over) {
    let backend = over.start();
    let httpd = front(mpm, &backend, "");
    let mut client = Client::connect(httpd.port());
    // CONNECT and what is no token never get here; TRACE has a switch of its own.
    let names = METHODS.iter().filter(|name| **name != "TRACE").chain(&["PATCH", "FOO", "get", "M-SEARCH"]);
    for name in names {
        let answer = client.request(name, "/app/m", &[], b"");
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(backend.last_request().method, *name);
    }
    assert_eq!(client.request("PATCH", "/app/upload", &[], b"12345").fact("length").as_deref(), Some("5"));
    assert_eq!(client.request("GET", "/app/upload", &[], b"12345").fact("length").as_deref(), Some("5"));
    httpd.assert_no_errors(&[]);
}

pub(crate) fn secret(mpm: Mpm) {
    let backend = Backend::builder().secret("0123456789abcdef").start();
    let httpd = front(mpm, &backend, "");
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
    assert_eq!(backend.last_request().secret.as_deref(), Some("0123456789abcdef"));
    assert!(!httpd.jk_log().contains("0123456789abcdef") && !httpd.error_log().contains("0123456789abcdef"));
}

fn user(mpm: Mpm, over: Over) {
    let backend = over.start();
    let httpd = builder(mpm, &backend, "")
        .modules(&["authn_core", "authn_file", "authz_user", "auth_basic"])
        // The password is "secret".
        .file("conf/users", "anna:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
        .conf(
            "<Location /app/private>\nAuthType Basic\nAuthName t\nAuthUserFile conf/users\nRequire valid-user\n</Location>",
        )
        .start();
    let mut client = Client::connect(httpd.port());
    assert_eq!(client.get("/app/x").status, 200);
    let request = backend.last_request();
    assert_eq!((&request.remote_user, &request.auth_type), (&None, &None));

    assert_eq!(client.get("/app/private").status, 401);
    assert_eq!(backend.requests().len(), 1, "a request without password must not be relayed");
    let page = client.request("GET", "/app/private", &[("Authorization", "Basic YW5uYTpzZWNyZXQ=")], b"");
    assert_eq!(page.status, 200);
    let request = backend.last_request();
    assert_eq!(request.remote_user.as_deref(), Some("anna"));
    assert_eq!(request.auth_type.as_deref(), Some("Basic"));
    assert_eq!(request.header("authorization"), Some("Basic YW5uYTpzZWNyZXQ="));
}

/// A second port with TLS, and curl's URL for it.
fn tls_front(mpm: Mpm, backend: &Backend, certificate: &Certificate, more: &str) -> (Httpd, String) {
    let port = ports::free_port();
    let httpd = builder(mpm, backend, "")
        .modules(if mpm == Mpm::Prefork { &["ssl"] } else { &["ssl", "http2"] })
        .conf(format!(
            "Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\nServerName localhost\nJkMountCopy On\n{}{more}\n\
             </VirtualHost>",
            certificate.directives()
        ))
        .start();
    (httpd, format!("https://localhost:{port}/app/x"))
}

fn tls_attributes(mpm: Mpm, over: Over) {
    let backend = over.start();
    let certificate = Certificate::new();
    let more = "SSLOptions +StdEnvVars +ExportCertData\nSSLVerifyClient optional_no_ca";
    let (httpd, url) = tls_front(mpm, &backend, &certificate, more);
    let (cert, key) = (certificate.certificate(), certificate.key());
    let page =
        curl(&["--http1.1", "--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap(), url.as_str()]);
    assert_eq!((page.exit, page.summary.as_str()), (0, "1.1 200"), "{}", page.complaint);
    let request = backend.last_request();
    assert!(request.is_ssl);
    let pem = std::fs::read_to_string(&cert).unwrap();
    assert_eq!(request.ssl_cert.as_deref().map(str::trim), Some(pem.trim()));
    let cipher = request.ssl_cipher.as_deref().expect("a cipher");
    assert!(cipher.contains("AES") || cipher.contains("CHACHA"), "{cipher}");
    assert!(matches!(request.ssl_key_size, Some(128 | 256)), "{:?}", request.ssl_key_size);
    assert!(
        request.attribute("AJP_SSL_PROTOCOL").is_some_and(|name| name.starts_with("TLSv1")),
        "{request:?}"
    );
    assert!(request.server_port > 0 && url.contains(&format!(":{}/", request.server_port)));

    // Without a certificate of the client, and on the plain port.
    assert_eq!(curl(&["--http1.1", &url]).summary, "1.1 200");
    let request = backend.last_request();
    assert!(request.is_ssl && request.ssl_cert.is_none());
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
    assert!(!backend.last_request().is_ssl && backend.last_request().ssl_cipher.is_none());
}

/// Not under prefork, where httpd itself switches HTTP/2 off.
fn http2(mpm: Mpm, over: Over) {
    let backend = over.start();
    let certificate = Certificate::new();
    let (_httpd, url) = tls_front(mpm, &backend, &certificate, "Protocols h2 http/1.1");
    let page = curl(&["--http2", "-H", "X-A: 1", &url]);
    assert_eq!((page.exit, page.summary.as_str()), (0, "2 200"), "{}", page.complaint);
    let request = backend.last_request();
    let protocol = if over.is_ajp() { "HTTP/2.0" } else { "HTTP/1.1" };
    assert_eq!((request.protocol.as_str(), request.method.as_str()), (protocol, "GET"));
    assert!(request.is_ssl);
    assert_eq!(request.header("x-a"), Some("1"));
    assert_eq!(request.header("content-length"), over.is_ajp().then_some("0"));
    assert_eq!(request.header("host"), Some(url.split('/').nth(2).unwrap()));
    assert_eq!(request.server_name, "localhost");

    let base = url.strip_suffix("/x").unwrap();
    let page = curl(&["--http2", &format!("{base}/size/300000")]);
    assert_eq!((page.exit, page.body == crate::support::pattern(300_000)), (0, true), "{}", page.complaint);
    let page = curl(&["--http2", &format!("{base}/stream/300000")]);
    assert_eq!((page.exit, page.body == crate::support::pattern(300_000)), (0, true), "{}", page.complaint);
    let body = Certificate::new();
    let file = body.key();
    std::fs::write(&file, crate::support::pattern(200_000)).unwrap();
    let data = format!("@{}", file.display());
    let digest = crate::support::digest::sha256_hex(&crate::support::pattern(200_000));
    let page = curl(&["--http2", "--data-binary", &data, &format!("{base}/upload")]);
    assert!(page.text().contains(&digest), "{page:?}");
    let page = curl(&[
        "--http2",
        "--data-binary",
        &data,
        "-H",
        "Content-Length:",
        "-H",
        "Transfer-Encoding: chunked",
        &format!("{base}/upload"),
    ]);
    assert!(page.text().contains(&digest), "{page:?}");
    assert_eq!(curl(&["--http2", "-I", &format!("{base}/size/10")]).summary, "2 200");
    assert_eq!(curl(&["--http2", &format!("{base}/status/204")]).summary, "2 204");
}

fn bad_framing_is_refused(mpm: Mpm, over: Over) {
    let backend = over.start();
    let httpd = front(mpm, &backend, "");
    for (head, status) in [
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: identity", 501),
        ("Content-Length: +3", 400),
        ("Content-Length: 3, 3", 400),
        ("Content-Length: 99999999999999999999", 400),
    ] {
        let mut client = Client::connect(httpd.port());
        client.send(format!("POST /app/upload HTTP/1.1\r\nHost: h\r\n{head}\r\n\r\n0\r\n\r\n"));
        let answer = client.read_response();
        // httpd refuses most of these itself; 400 or 501, and never relayed.
        assert!(answer.status == status || answer.status == 400, "{head}: {}", answer.status);
        assert!(client.closes_within(crate::support::PATIENCE), "{head}");
    }
    assert!(backend.requests().is_empty());

    // httpd drops the length itself and closes behind it.
    let mut client = Client::connect(httpd.port());
    client.send("POST /app/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
    assert_eq!(client.read_response().fact("length").as_deref(), Some("2"));
    assert!(client.closes_within(crate::support::PATIENCE));
    assert_eq!(backend.last_request().content_length(), None);
}
