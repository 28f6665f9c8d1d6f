//! What a client cannot pretend, and what no log gives away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;

use support::{Backend, ForwardRequest, Httpd, Mpm, client, under_each_mpm};

/// Everything of a request that does not come from a header.
fn fields(request: &ForwardRequest) -> ForwardRequest {
    let mut attributes = request.attributes.clone();
    attributes.retain(|(name, _)| name != "AJP_REMOTE_PORT");
    ForwardRequest { headers: Vec::new(), packet_len: 0, attributes, ..request.clone() }
}

/// Headers that look like facts of the connection or like variables of the module.
const PRETENDED: &[(&str, &str)] = &[
    ("REMOTE_USER", "admin"),
    ("Remote-User", "admin"),
    ("AUTH_TYPE", "BASIC"),
    ("AJP_REMOTE_PORT", "1"),
    ("AJP_LOCAL_ADDR", "192.0.2.1"),
    ("AJP_SSL_PROTOCOL", "TLSv1.3"),
    ("JK_REMOTE_USER", "admin"),
    ("JK_REMOTE_ADDR", "192.0.2.1"),
    ("JK_AUTH_TYPE", "BASIC"),
    ("JK_LOCAL_NAME", "evil"),
    ("JK_LB_ACTIVATION", "STP"),
    ("JK_WORKER_NAME", "other"),
    ("JK_ROUTE", "node9"),
    ("HTTPS", "on"),
    ("SSL_CLIENT_CERT", "x"),
    ("SSL_CLIENT_S_DN", "x"),
    ("SSL_CIPHER", "x"),
    ("SSL_SESSION_ID", "x"),
    ("X-Forwarded-For", "127.0.0.1"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil"),
    ("X-Forwarded-Port", "443"),
    ("X-Real-IP", "192.0.2.1"),
    ("Forwarded", "for=127.0.0.1;proto=https"),
    ("jvmRoute", "node9"),
    ("no-jk", "1"),
    ("secret", "guess"),
];

#[test]
fn headers_of_a_client_change_no_fact_of_the_request() {
    let (backend, other) = (Backend::start(), Backend::start());
    let httpd = Httpd::builder()
        .workers(format!("worker.list=w,other\n{}{}", backend.member("w"), other.member("other")))
        .conf("JkMount /app/* w")
        .start();
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
    let plain = fields(&backend.last_request());
    assert_eq!(plain.remote_addr.as_deref(), Some("127.0.0.1"));
    assert_eq!((plain.remote_user.as_deref(), plain.is_ssl, plain.server_port), (None, false, 80));
    for (name, value) in PRETENDED {
        assert_eq!(
            client::request(httpd.port(), "GET", "/app/x", &[(name, value)], b"").status,
            200,
            "{name}"
        );
        let seen = backend.last_request();
        assert_eq!(fields(&seen), plain, "{name}");
        assert_eq!(seen.header(name), Some(*value), "{name} is an ordinary header");
    }
    assert_eq!(client::request(httpd.port(), "GET", "/app/x", PRETENDED, b"").status, 200);
    assert_eq!(fields(&backend.last_request()), plain);
    assert!(other.requests().is_empty());
    backend.assert_no_errors();
}

#[test]
fn facts_set_for_tls_need_tls() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .conf("JkMount /app/* w\nSetEnv SSL_CLIENT_S_DN x\nSetEnv SSL_CIPHER x\nSetEnv SSL_CLIENT_CERT x")
        .start();
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
    let seen = backend.last_request();
    assert_eq!((seen.is_ssl, &seen.ssl_cert, &seen.ssl_cipher), (false, &None, &None));
}

#[test]
fn a_user_comes_from_the_authentication_of_httpd_only() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .modules(&["authn_core", "authn_file", "auth_basic", "authz_user"])
        .workers(backend.worker("w"))
        // The password is "open".
        .file("conf/users", "ann:{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI=\n")
        .conf("JkMount /* w\n<Location /in>\nAuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile conf/users\nRequire valid-user\n</Location>")
        .start();
    let basic = ("Authorization", "Basic YW5uOm9wZW4=");
    let answer = client::request(httpd.port(), "GET", "/in/x", &[basic], b"");
    assert_eq!(answer.status, 200, "{}", httpd.error_log());
    let seen = backend.last_request();
    assert_eq!((seen.remote_user.as_deref(), seen.auth_type.as_deref()), (Some("ann"), Some("Basic")));
    assert_eq!(client::request(httpd.port(), "GET", "/in/x", &[], b"").status, 401);
    assert_eq!(backend.requests().len(), 1);
    // Where httpd does not authenticate, the header is passed on and means nothing here.
    assert_eq!(client::request(httpd.port(), "GET", "/out", &[basic], b"").status, 200);
    let seen = backend.last_request();
    assert_eq!((seen.remote_user.as_deref(), seen.auth_type.as_deref()), (None, None));
    assert_eq!(seen.header("authorization"), Some(basic.1));
}

under_each_mpm!(no_log_and_no_page_shows_a_secret);

/// What must show up nowhere: the worker's secret, credentials and cookies of clients and of the backend, and bodies.
const CANARIES: [&str; 5] =
    ["S3cr3t-canary-0123456789", "Cr3dential-canary", "C00kie-canary", "S3t-cookie-canary", "B0dy-canary"];

fn no_log_and_no_page_shows_a_secret(mpm: Mpm) {
    let backend = Backend::builder()
        .secret(CANARIES[0])
        .script(|request, say| {
            assert_eq!(request.secret.as_deref(), Some(CANARIES[0]));
            let cookie = format!("s={}", CANARIES[3]);
            match request.uri.as_str() {
                "/app/reset" => say.reset(),
                "/app/garbage" => say.raw(b"this is no packet"),
                "/app/forbidden" => {
                    say.send_headers(403, "Forbidden", &[]);
                    say.end(false);
                }
                _ => {
                    let _ = say.read_body();
                    say.respond(200, &[("Set-Cookie", &cookie)], b"fine");
                }
            }
        })
        .start();
    let httpd = Httpd::builder()
        .mpm(mpm)
        .modules(&["info"])
        .log_level("trace8")
        .jk_log_level("trace")
        .workers(backend.worker("w"))
        .workers(format!("worker.list=dead\nworker.dead.port={}\nworker.dead.secret={}", support::ports::free_port(), CANARIES[0]))
        .conf("JkMount /app/* w\nJkMount /dead/* dead\n<Location /server-info>\nSetHandler server-info\n</Location>")
        .start();
    let credentials = format!("Basic {}", CANARIES[1]);
    let cookie = format!("c={}", CANARIES[2]);
    // httpd's own traces show all headers it reads; what this module adds is judged without them.
    let secrets_of_a_client = [("Authorization", credentials.as_str()), ("Cookie", cookie.as_str())];
    for (path, status) in [
        ("/app/x", 200),
        ("/app/reset", 502),
        ("/app/garbage", 502),
        ("/app/forbidden", 403),
        ("/dead/x", 503),
    ] {
        let answer = client::request(httpd.port(), "GET", path, &secrets_of_a_client, b"");
        assert_eq!(answer.status, status, "{path}");
        assert!(!answer.text().contains("canary"), "{path}: {}", answer.text());
    }
    let answer =
        client::request(httpd.port(), "POST", "/app/x", &secrets_of_a_client, CANARIES[4].as_bytes());
    assert_eq!(answer.status, 200);
    let info = client::get(httpd.port(), "/server-info");
    assert!(info.status == 200 && !info.text().contains("canary"));
    // A wrong file names lines and properties, never the secret in them.
    httpd.write(
        "conf/workers.properties",
        &format!("worker.list=w\nworker.w.secret={}\u{fc}\nworker.w.hots=x\n", CANARIES[0]),
    );
    let (good, output) = httpd.configtest();
    assert!(!good && output.contains("secret") && !output.contains("canary"), "{output}");
    httpd.graceful();
    httpd.wait_for_log("JK0003");

    let log = httpd.jk_log();
    assert!(log.contains("JK0212") && log.contains("JK0207") && log.contains("JK0201"), "{log}");
    for canary in CANARIES {
        assert!(!log.contains(canary), "{canary} in the log of the module");
        let ours: Vec<String> = httpd
            .error_log()
            .lines()
            .filter(|line| line.contains("[jk:") || line.contains("JK0"))
            .map(str::to_owned)
            .collect();
        assert!(!ours.iter().any(|line| line.contains(canary)), "{canary} in {ours:#?}");
    }
    assert!(!httpd.error_log().contains(CANARIES[0]), "the secret in the log of httpd");
    // Nowhere below the server root but in the file it was written to.
    let mut found = Vec::new();
    search(httpd.root(), CANARIES[0].as_bytes(), &mut found);
    let names: Vec<&str> = found.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    assert_eq!(names, ["workers.properties"]);
}

/// Files below `directory` that contain `text`.
fn search(directory: &Path, text: &[u8], found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, text, found);
        } else if std::fs::read(&path)
            .is_ok_and(|octets| octets.windows(text.len()).any(|window| window == text))
        {
            found.push(path);
        }
    }
}
