//! JkOptions: each word with plus and minus, in the main server and in virtual hosts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::effect::{ask, ask_with, attribute, covers, judge, told, vhost};
use crate::support::script::default_script;
use crate::support::{self, Backend, Client, Gate, Httpd};

/// Options that can be switched, and whether they are on by default.
const FLAGS: [(&str, bool); 9] = [
    ("ForwardDirectories", false),
    ("ForwardLocalAddress", false),
    ("ForwardPhysicalAddress", false),
    ("FlushPackets", false),
    ("FlushHeader", false),
    ("DisableReuse", false),
    ("ForwardSSLCertChain", false),
    ("ForwardKeySize", true),
    ("RejectUnsafeURI", false),
];

/// What every virtual host needs so that each option can show.
/// What was written leaves before a request gives its thread back, whatever `FlushPackets` says, so it keeps its thread.
const BASE: &str = "JkAsync Off\nJkMountCopy All\nJkMount /app/* w\nSetEnv HTTPS on\nSetEnv SSL_CLIENT_CERT leaf\n\
    SetEnv SSL_CLIENT_CERT_CHAIN_0 -chain\nSetEnv SSL_CIPHER_USEKEYSIZE 128\nSetEnv JK_WORKER_NAME w\n\
    RemoteIPHeader X-Real\n";

/// The gate of the request that comes next.
type NextGate = Arc<Mutex<Gate>>;

/// A backend that sends its head and an octet of body (only the head for `/app/head`), waits, and ends.
fn slow(gate: &NextGate) -> Backend {
    let gate = Arc::clone(gate);
    Backend::scripted(move |request, say| match request.uri.as_str() {
        "/app/packets" | "/app/head" => {
            let gate = gate.lock().unwrap().clone();
            say.send_headers(200, "OK", &[("Content-Type", "text/plain")]);
            if request.uri == "/app/packets" {
                say.body_chunk(b"1");
            }
            say.pause(&gate);
            say.body_chunk(b"2");
            say.end(true);
        }
        _ => default_script(request, say),
    })
}

/// The client gets the head, and with `/app/packets` also the octet, while the backend still waits. What is `wanted` is
/// awaited as long as it takes; what is not gets a moment to show.
fn arrives_early(httpd: &Httpd, next: &NextGate, host: &str, path: &str, wanted: bool) -> bool {
    let gate = Gate::new();
    *next.lock().unwrap() = gate.clone();
    let mut client = Client::connect(httpd.port());
    client.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    gate.await_waiting(1);
    let end: &[u8] = if path == "/app/packets" { b"\r\n\r\n1\r\n1\r\n" } else { b"\r\n\r\n" };
    client.stream().set_nonblocking(true).unwrap();
    let patience = if wanted { support::PATIENCE } else { Duration::from_millis(300) };
    let early = support::poll(patience, || {
        let mut seen = [0; 1024];
        client.stream().peek(&mut seen).is_ok_and(|len| seen[..len].ends_with(end))
    });
    client.stream().set_nonblocking(false).unwrap();
    gate.open();
    assert_eq!(client.read_response().status, 200);
    early
}

/// The option is in force in that virtual host.
fn in_force(flag: &str, httpd: &Httpd, backend: &Backend, next: &NextGate, host: &str, wanted: bool) -> bool {
    let facts = || {
        let answer = ask_with(httpd, host, "/app/x", &[("X-Real", "8.8.8.8")]);
        assert_eq!(answer.status, 200, "{host}");
        backend.last_request()
    };
    match flag {
        "ForwardDirectories" => match ask(httpd, host, "/dir/").status {
            200 => true,
            403 | 404 => false,
            other => panic!("{host}: {other}"),
        },
        "ForwardLocalAddress" => {
            attribute(&facts(), "AJP_REMOTE_PORT") == Some("0")
                && facts().remote_addr.as_deref() == Some("127.0.0.1")
        }
        "ForwardPhysicalAddress" => {
            let request = facts();
            attribute(&request, "AJP_REMOTE_PORT") != Some("0")
                && request.remote_addr.as_deref() == Some("127.0.0.1")
        }
        "FlushPackets" => arrives_early(httpd, next, host, "/app/packets", wanted),
        "FlushHeader" => arrives_early(httpd, next, host, "/app/head", wanted),
        "DisableReuse" => {
            let mut client = Client::connect(httpd.port());
            let mut number = || client.request("GET", "/app/x", &[("Host", host)], b"").fact("connection");
            number() != number()
        }
        "ForwardSSLCertChain" => facts().ssl_cert.as_deref() == Some("leaf-chain"),
        "ForwardKeySize" => facts().ssl_key_size == Some(128),
        "RejectUnsafeURI" => match ask(httpd, host, "/app/a%25b").status {
            400 => true,
            200 => false,
            other => panic!("{host}: {other}"),
        },
        other => panic!("no test for {other}"),
    }
}

#[test]
fn each_option_can_be_switched_and_is_inherited() {
    covers!("JkOptions");
    let next = NextGate::default();
    let backend = slow(&next);
    let start = |main: &str, hosts: Vec<String>| {
        Httpd::builder()
            .modules(&["remoteip"])
            .workers(backend.worker("w"))
            .file("htdocs/dir/x.txt", "")
            .conf(format!("{BASE}{main}{}", hosts.concat()))
            .start()
    };
    let hosts = FLAGS.iter().map(|(flag, _)| {
        vhost(&format!("plus.{flag}"), &format!("JkOptions +{flag}"))
            + &vhost(&format!("minus.{flag}"), &format!("JkOptions -{flag}"))
            + &vhost(&format!("both.{flag}"), &format!("JkOptions -{flag}\nJkOptions +{flag}"))
    });
    let httpd = start("", hosts.chain([vhost("default", "")]).collect());
    for (flag, default) in FLAGS {
        for (host, wanted) in [
            ("default", default),
            (&*format!("plus.{flag}"), true),
            (&*format!("minus.{flag}"), false),
            // A minus wins over a plus, whatever the order.
            (&*format!("both.{flag}"), false),
        ] {
            assert_eq!(in_force(flag, &httpd, &backend, &next, host, wanted), wanted, "{host} {flag}");
        }
    }
    drop(httpd);

    // What the main server switches on is on everywhere, unless a virtual host switches it off; and the other way round.
    // The two address options exclude each other, so only one of them is on.
    let inherited =
        FLAGS.iter().filter(|(flag, _)| *flag != "ForwardLocalAddress" && *flag != "ForwardKeySize");
    let all: String = inherited.clone().map(|(flag, _)| format!(" +{flag}")).collect();
    let off = inherited.clone().map(|(flag, _)| vhost(&format!("off.{flag}"), &format!("JkOptions -{flag}")));
    let others = [
        vhost("inherits", ""),
        vhost("key", "JkOptions +ForwardKeySize"),
        vhost("local", "JkOptions +ForwardLocalAddress"),
    ];
    let httpd = start(&format!("JkOptions{all} -ForwardKeySize\n"), off.chain(others).collect());
    let check = |flag: &str, host: &str, wanted: bool| {
        assert_eq!(in_force(flag, &httpd, &backend, &next, host, wanted), wanted, "{host} {flag}");
    };
    for (flag, _) in inherited {
        check(flag, "inherits", true);
        check(flag, &format!("off.{flag}"), false);
    }
    check("ForwardKeySize", "inherits", false);
    check("ForwardKeySize", "key", true);
    // It takes the place of the inherited address.
    check("ForwardLocalAddress", "local", true);
}

#[test]
fn the_path_is_forwarded_in_the_form_asked_for() {
    covers!("JkOptions");
    let backend = Backend::start();
    let base = "JkMountCopy All\nJkMount /app/* w\n";
    let start = |conf: String| Httpd::builder().workers(backend.worker("w")).conf(conf).start();
    let uri = |httpd: &Httpd, host: &str, path: &str| told(httpd, &backend, host, path).uri.clone();
    let (path, proxy, escaped, unparsed) =
        ("/app/%61%22%C3%A9", "/app/a%22%C3%A9", "/app/a%22%c3%a9", "/app/%61%22%C3%A9");
    let httpd = start(
        [
            base,
            &vhost("default", ""),
            &vhost("proxy", "JkOptions +ForwardURIEscaped +ForwardURIProxy"),
            &vhost("escaped", "JkOptions ForwardURIEscaped"),
            &vhost("unparsed", "JkOptions +forwarduricompatunparsed"),
            &vhost("compat", "JkOptions +ForwardURICompat"),
        ]
        .concat(),
    );
    assert!(httpd.error_log().contains("ForwardURICompat would send decoded paths"), "{}", httpd.error_log());
    for (host, wanted) in [
        ("default", proxy),
        ("proxy", proxy),
        ("escaped", escaped),
        ("unparsed", unparsed),
        ("compat", proxy),
    ] {
        assert_eq!(uri(&httpd, host, path), wanted, "{host}");
    }
    drop(httpd);
    let httpd = start(
        [
            base,
            "JkOptions +ForwardURIEscaped\n",
            &vhost("inherits", "JkOptions +FlushHeader"),
            &vhost("own", "JkOptions +ForwardURIProxy"),
        ]
        .concat(),
    );
    assert_eq!(uri(&httpd, "inherits", path), escaped);
    assert_eq!(uri(&httpd, "own", path), proxy);
}

#[test]
fn mistakes_in_options_are_named() {
    covers!("JkOptions");
    let httpd = Httpd::builder().prepare();
    judge(
        &httpd,
        &[
            ("JkOptions +Foo", "JkOptions: unknown option '+Foo'"),
            ("JkOptions +FlushPacket", "did you mean FlushPackets?"),
            ("JkOptions +ForwardSSLKeySize", "JkOptions: unknown option"),
            ("JkOptions +", "'+' has no option behind the sign"),
            ("JkOptions \"+FlushPackets -FlushHeader\"", "unknown option"),
            ("JkOptions -ForwardURIProxy", "cannot be taken back"),
            ("JkOptions -ForwardURIFoo", "cannot be taken back"),
            ("JkOptions", ""),
            ("JkOptions +flushpackets -CollapseSlashesNone", ""),
            ("JkOptions CollapseSlashesNone", "warning: JkOptions CollapseSlashesNone has no effect"),
            ("<Location /x>\nJkOptions +FlushPackets\n</Location>", "not allowed"),
        ],
    );
}
