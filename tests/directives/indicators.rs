//! The directives that name variables, and JkExtractSSL.

use crate::effect::{attribute, covers, judge, told, vhost};
use crate::support::{Backend, Client, ForwardRequest, Httpd};

/// A directive, the default name of its variable, a value, and where it arrives.
type Row = (&'static str, &'static str, &'static str, fn(&ForwardRequest) -> Option<String>);

fn attr(request: &ForwardRequest, name: &str) -> Option<String> {
    attribute(request, name).map(str::to_owned)
}

const ROWS: [Row; 14] = [
    ("JkRemoteAddrIndicator", "JK_REMOTE_ADDR", "192.0.2.7", |r| r.remote_addr.clone()),
    ("JkRemotePortIndicator", "JK_REMOTE_PORT", "4711", |r| attr(r, "AJP_REMOTE_PORT")),
    ("JkRemoteHostIndicator", "JK_REMOTE_HOST", "client.example", |r| r.remote_host.clone()),
    ("JkRemoteUserIndicator", "JK_REMOTE_USER", "alice", |r| r.remote_user.clone()),
    ("JkAuthTypeIndicator", "JK_AUTH_TYPE", "Custom", |r| r.auth_type.clone()),
    ("JkLocalNameIndicator", "JK_LOCAL_NAME", "front.example", |r| Some(r.server_name.clone())),
    ("JkLocalPortIndicator", "JK_LOCAL_PORT", "4712", |r| Some(r.server_port.to_string())),
    ("JkLocalAddrIndicator", "JK_LOCAL_ADDR", "192.0.2.8", |r| attr(r, "AJP_LOCAL_ADDR")),
    ("JkHTTPSIndicator", "HTTPS", "on", |r| Some(if r.is_ssl { "on" } else { "off" }.to_owned())),
    ("JkSSLPROTOCOLIndicator", "SSL_PROTOCOL", "TLSv1.3", |r| attr(r, "AJP_SSL_PROTOCOL")),
    ("JkCERTSIndicator", "SSL_CLIENT_CERT", "leaf", |r| r.ssl_cert.clone()),
    ("JkCIPHERIndicator", "SSL_CIPHER", "TLS_X", |r| r.ssl_cipher.clone()),
    ("JkSESSIONIndicator", "SSL_SESSION_ID", "0badcafe", |r| r.ssl_session.clone()),
    ("JkKEYSIZEIndicator", "SSL_CIPHER_USEKEYSIZE", "256", |r| r.ssl_key_size.map(|bits| bits.to_string())),
];

/// What is TLS is only told of a secure connection.
fn is_tls(directive: &str) -> bool {
    ["JkSSLPROTOCOL", "JkCERTS", "JkCIPHER", "JkSESSION", "JkKEYSIZE"]
        .iter()
        .any(|start| directive.starts_with(start))
}

#[test]
fn each_variable_replaces_a_fact_and_can_be_renamed() {
    covers!(
        "JkRemoteAddrIndicator",
        "JkRemotePortIndicator",
        "JkRemoteHostIndicator",
        "JkRemoteUserIndicator"
    );
    covers!("JkAuthTypeIndicator", "JkLocalNameIndicator", "JkLocalPortIndicator", "JkLocalAddrIndicator");
    covers!("JkHTTPSIndicator", "JkSSLPROTOCOLIndicator", "JkCERTSIndicator", "JkCIPHERIndicator");
    covers!("JkSESSIONIndicator", "JkKEYSIZEIndicator");
    let backend = Backend::start();
    let https = |directive: &str| if is_tls(directive) { "SetEnv HTTPS on\n" } else { "" };
    // By default the well-known name counts; in the virtual host "renamed" another one, and the old name no more.
    let hosts: Vec<String> = ROWS
        .iter()
        .map(|(directive, default, value, _)| {
            let https = https(directive);
            vhost(&format!("default.{directive}"), &format!("{https}SetEnv {default} {value}"))
                + &vhost(
                    &format!("renamed.{directive}"),
                    &format!("{https}{directive} RENAMED\nSetEnv RENAMED {value}"),
                )
                + &vhost(
                    &format!("old.{directive}"),
                    &format!("{https}{directive} RENAMED\nSetEnv {default} {value}"),
                )
        })
        .collect();
    let base = "JkMountCopy All\nJkMount /* w\n";
    let httpd =
        Httpd::builder().workers(backend.worker("w")).conf(format!("{base}{}", hosts.concat())).start();
    for (directive, default, value, read) in ROWS {
        let wanted = Some(value.to_owned());
        let request = told(&httpd, &backend, &format!("default.{directive}"), "/x");
        assert_eq!(read(&request), wanted, "{default}");
        let request = told(&httpd, &backend, &format!("renamed.{directive}"), "/x");
        assert_eq!(read(&request), wanted, "{directive} RENAMED");
        let request = told(&httpd, &backend, &format!("old.{directive}"), "/x");
        assert_ne!(read(&request), wanted, "{directive} RENAMED, and {default} is set");
    }
    drop(httpd);

    // All are renamed in the main server; each virtual host renames one of them again and inherits the others.
    let main: String = ROWS.iter().map(|(directive, ..)| format!("{directive} MAIN_{directive}\n")).collect();
    let values: String =
        ROWS.iter().map(|(directive, _, value, _)| format!("SetEnv MAIN_{directive} {value}\n")).collect();
    let hosts: Vec<String> = ROWS
        .iter()
        .map(|(directive, ..)| vhost(directive, &format!("{directive} OWN\nSetEnv OWN 77")))
        .collect();
    let conf = format!("{base}{main}{values}{}{}", vhost("inherits", ""), hosts.concat());
    let httpd = Httpd::builder().workers(backend.worker("w")).conf(conf).start();
    let request = told(&httpd, &backend, "inherits", "/x");
    for (directive, _, value, read) in ROWS {
        assert_eq!(read(&request).as_deref(), Some(value), "{directive} is inherited");
    }
    for (directive, ..) in ROWS {
        let request = told(&httpd, &backend, directive, "/x");
        let secure = directive != "JkHTTPSIndicator";
        for (other, _, value, read) in ROWS {
            let wanted = match (other == directive, is_tls(other), secure) {
                (false, true, false) => None,
                (false, ..) => Some(value),
                (true, ..) if other == "JkHTTPSIndicator" => Some("off"),
                (true, ..) => Some("77"),
            };
            assert_eq!(read(&request).as_deref(), wanted, "{other}, with {directive} OWN");
        }
    }
}

#[test]
fn the_worker_and_the_body_can_be_steered_by_variables() {
    covers!("JkWorkerIndicator", "JkIgnoreCLIndicator");
    let backend = Backend::start();
    let handler = "<Location />\nSetHandler jakarta-servlet\n</Location>\n";
    let upload = |host: &str, httpd: &Httpd| {
        let mut client = Client::connect(httpd.port());
        let answer = client.request("POST", "/upload", &[("Host", host)], b"12345");
        assert_eq!((answer.status, answer.fact("length").as_deref()), (200, Some("5")), "{host}");
        backend.last_request().content_length()
    };
    let conf = |main: &str| {
        [
            main,
            handler,
            &vhost("default", "SetEnv JK_WORKER_NAME w\nSetEnv JK_IGNORE_CL 1"),
            &vhost("plain", "SetEnv JK_WORKER_NAME w\nSetEnv MAIN_WORKER w"),
            &vhost("own", "JkWorkerIndicator WORKER\nJkIgnoreCLIndicator STREAM\nSetEnv WORKER w\nSetEnv STREAM 1"),
            &vhost("old", "JkWorkerIndicator WORKER\nSetEnv JK_WORKER_NAME w\nSetEnv MAIN_WORKER w"),
            &vhost("old2", "JkIgnoreCLIndicator STREAM\nSetEnv JK_WORKER_NAME w\nSetEnv MAIN_WORKER w\nSetEnv JK_IGNORE_CL 1"),
            &vhost("main", "SetEnv MAIN_WORKER w\nSetEnv MAIN_CL 1"),
        ]
        .concat()
    };
    let httpd = Httpd::builder().workers(backend.worker("w")).conf(conf("")).start();
    assert_eq!(upload("default", &httpd), None);
    assert_eq!(upload("plain", &httpd), Some(5));
    assert_eq!(upload("own", &httpd), None);
    assert_eq!(upload("old2", &httpd), Some(5));
    let refused = Client::connect(httpd.port()).request("GET", "/x", &[("Host", "old")], b"");
    assert_eq!(refused.status, 500, "JK_WORKER_NAME does not count any more");
    assert!(httpd.jk_log().contains("WORKER is not set"), "{}", httpd.jk_log());
    drop(httpd);
    let main = "JkWorkerIndicator MAIN_WORKER\nJkIgnoreCLIndicator MAIN_CL\n";
    let httpd = Httpd::builder().workers(backend.worker("w")).conf(conf(main)).start();
    assert_eq!(upload("main", &httpd), None, "both names are inherited");
    assert_eq!(upload("old2", &httpd), Some(5));
    let refused = Client::connect(httpd.port()).request("GET", "/x", &[("Host", "default")], b"");
    assert_eq!(refused.status, 500, "MAIN_WORKER is inherited");
}

#[test]
fn tls_facts_are_forwarded_unless_switched_off() {
    covers!("JkExtractSSL", "JkCERTCHAINPrefix");
    let backend = Backend::start();
    let tls = "SetEnv HTTPS On\nSetEnv SSL_CIPHER c\nSetEnv SSL_CLIENT_CERT leaf\n\
               SetEnv SSL_CLIENT_CERT_CHAIN_10 -ten\nSetEnv SSL_CLIENT_CERT_CHAIN_2 -two\n\
               SetEnv CA_1 -one\nSetEnv MAIN_0 -main\n";
    let base = format!("JkMountCopy All\nJkMount /* w\nJkOptions +ForwardSSLCertChain\n{tls}");
    let start = |conf: String| Httpd::builder().workers(backend.worker("w")).conf(conf).start();
    let httpd = start(
        [
            base.as_str(),
            &vhost("default", ""),
            &vhost("off", "JkExtractSSL Off"),
            &vhost("prefix", "JkCERTCHAINPrefix CA_"),
        ]
        .concat(),
    );
    let request = told(&httpd, &backend, "default", "/x");
    assert_eq!((request.is_ssl, request.ssl_cipher.as_deref()), (true, Some("c")));
    assert_eq!(request.ssl_cert.as_deref(), Some("leaf-two-ten"), "in the order of the numbers");
    let request = told(&httpd, &backend, "off", "/x");
    assert_eq!((request.is_ssl, &request.ssl_cipher, &request.ssl_cert), (false, &None, &None));
    let request = told(&httpd, &backend, "prefix", "/x");
    assert_eq!(request.ssl_cert.as_deref(), Some("leaf-one"));
    drop(httpd);
    let httpd = start(
        [
            base.as_str(),
            "JkExtractSSL Off\nJkCERTCHAINPrefix MAIN_\n",
            &vhost("inherits", ""),
            &vhost("on", "JkExtractSSL On"),
        ]
        .concat(),
    );
    assert!(!told(&httpd, &backend, "inherits", "/x").is_ssl);
    let request = told(&httpd, &backend, "on", "/x");
    assert_eq!((request.is_ssl, request.ssl_cert.as_deref()), (true, Some("leaf-main")));
}

#[test]
fn mistakes_in_indicators_are_named() {
    covers!("JkWorkerIndicator", "JkExtractSSL", "JkRequestIdIndicator", "JkCERTCHAINPrefix");
    let httpd = Httpd::builder().prepare();
    let names = ROWS.iter().map(|row| row.0);
    let more = ["JkWorkerIndicator", "JkRequestIdIndicator", "JkIgnoreCLIndicator", "JkCERTCHAINPrefix"];
    for name in names.chain(more) {
        let missing = format!("{name} takes 1 argument(s): the name of an environment variable");
        judge(&httpd, &[(&format!("{name} A B"), &missing)]);
    }
    judge(
        &httpd,
        &[
            ("JkWorkerIndicator \"\"", "JkWorkerIndicator takes 1 "),
            ("JkWorkerIndicator", "JkWorkerIndicator takes 1 argument(s)"),
            ("<Location /x>\nJkWorkerIndicator A\n</Location>", "not allowed"),
            ("JkExtractSSL maybe", "JkExtractSSL is On or Off, not \"maybe\""),
        ],
    );
}
