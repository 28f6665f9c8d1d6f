use super::*;
use crate::engine::request::{RequestBody, Tls};

/// A request of a client at 192.0.2.7 for http://www.example.org/app/page, with headers given as lines.
struct Sample {
    head: RequestHead<'static>,
    headers: &'static str,
    attributes: &'static [(&'static str, &'static str)],
}

impl Request for Sample {
    fn head(&self) -> RequestHead<'_> {
        self.head
    }

    fn each_header(&self, sink: &mut dyn FnMut(&[u8], &[u8])) {
        for line in self.headers.split('|').filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap();
            sink(name.as_bytes(), value.as_bytes());
        }
    }

    fn each_attribute(&self, sink: &mut dyn FnMut(&[u8], &[u8])) {
        self.attributes.iter().for_each(|(name, value)| sink(name.as_bytes(), value.as_bytes()));
    }
}

const WORKER: WorkerFacts<'static> = WorkerFacts { secret: Some(b"s3cret"), route: None, activation: b"ACT" };

fn sample(headers: &'static str) -> Sample {
    let head = RequestHead {
        method: b"GET",
        protocol: b"HTTP/1.1",
        uri: b"/app/page",
        query: None,
        remote_addr: Some(b"192.0.2.7"),
        remote_host: None,
        remote_port: Some(b"4711"),
        local_addr: None,
        server_name: b"www.example.org",
        server_port: 80,
        secure: false,
        remote_user: None,
        auth_type: None,
        tls: Tls::default(),
        body: RequestBody::None,
    };
    Sample { head, headers, attributes: &[] }
}

fn text(sample: &Sample, options: &Options<'_>) -> String {
    let mut out = b"left over".to_vec();
    encode(&mut out, sample, &WORKER, options).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("s3cret"));
    text.strip_suffix("\r\n\r\n").unwrap().to_owned()
}

fn fails(sample: &Sample, options: &Options<'_>) -> EncodeError {
    let mut out = b"left over".to_vec();
    let error = encode(&mut out, sample, &WORKER, options).unwrap_err();
    assert!(out.is_empty());
    error
}

/// The lines of a request whose name is one of `names`.
fn lines(sample: &Sample, options: &Options<'_>, names: &[&str]) -> Vec<String> {
    let named =
        |line: &&str| names.iter().any(|name| line.split(':').next().unwrap().eq_ignore_ascii_case(name));
    text(sample, options).split("\r\n").skip(1).filter(named).map(str::to_owned).collect()
}

#[test]
fn a_whole_head() {
    let mut sample = sample("Host:www.example.org|Accept:*/*|Connection:keep-alive|Cookie:a=b");
    sample.head.query = Some(b"a=%20&b");
    assert_eq!(
        text(&sample, &Options::default()).split("\r\n").collect::<Vec<_>>(),
        [
            "GET /app/page?a=%20&b HTTP/1.1",
            "Host: www.example.org",
            "Accept: */*",
            "Cookie: a=b",
            "X-Forwarded-For: 192.0.2.7",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: www.example.org",
            "X-Forwarded-Port: 80",
            "Forwarded: for=192.0.2.7;host=\"www.example.org\";proto=http",
            "X-Jk-Lb-Activation: ACT",
        ]
    );
}

#[test]
fn the_body_is_framed_by_its_description_alone() {
    let names = ["content-length", "transfer-encoding", "expect", "te", "trailer"];
    let framed = |method: &'static [u8], body, headers| {
        let mut sample = sample(headers);
        sample.head.method = method;
        sample.head.body = body;
        lines(&sample, &Options::default(), &names).join(",")
    };
    use RequestBody::{Known, None, Unknown};
    for method in [&b"GET"[..], b"HEAD", b"DELETE", b"OPTIONS", b"TRACE"] {
        assert_eq!(framed(method, None, "Content-Length:0"), "");
    }
    for method in [&b"POST"[..], b"PUT", b"PATCH", b"FOO", b"get"] {
        assert_eq!(framed(method, None, ""), "Content-Length: 0");
    }
    assert_eq!(framed(b"GET", Known(3), "content-length:003"), "Content-Length: 3");
    assert_eq!(framed(b"POST", Known(u64::MAX), "Content-Length: 7"), "Content-Length: 18446744073709551615");
    assert_eq!(
        framed(b"POST", Unknown, "Content-Length:7|Expect:100-continue|TE:trailers|Trailer:X"),
        "Transfer-Encoding: chunked"
    );
    assert_eq!(framed(b"POST", Unknown, "Transfer-Encoding: Chunked"), "Transfer-Encoding: chunked");
}

#[test]
fn contradictions_are_refused() {
    let defaults = Options::default();
    for (headers, error) in [
        ("Content-Length:1|Content-Length:1", EncodeError::DuplicateFraming),
        ("Content-Length:1|Transfer-Encoding:chunked", EncodeError::DuplicateFraming),
        ("Transfer-Encoding:chunked|Transfer-Encoding:chunked", EncodeError::DuplicateFraming),
        ("Transfer-Encoding:gzip, chunked", EncodeError::UnknownCoding),
        ("Transfer-Encoding:", EncodeError::UnknownCoding),
        ("Content-Length:+1", EncodeError::BadContentLength),
        ("Content-Length:1, 1", EncodeError::BadContentLength),
        ("Content-Length:", EncodeError::BadContentLength),
        ("Host:a|Host:a", EncodeError::DuplicateHost),
        ("Host:a b", EncodeError::BadHost),
        ("Host:a, b", EncodeError::BadHost),
        ("Host:u@a", EncodeError::BadHost),
        ("Host:", EncodeError::BadHost),
        ("X A:1", EncodeError::BadHeaderName),
        (":1", EncodeError::BadHeaderName),
        ("X-\u{e4}:1", EncodeError::BadHeaderName),
        ("X:a\r\nb", EncodeError::BadHeaderValue),
        ("X:a\n b", EncodeError::BadHeaderValue),
        ("X:a\rb", EncodeError::BadHeaderValue),
        ("X:a\0b", EncodeError::BadHeaderValue),
        ("X-Forwarded-For:a\nb", EncodeError::BadHeaderValue),
        ("Connection:a b", EncodeError::BadConnection),
    ] {
        assert_eq!(fails(&sample(headers), &defaults), error, "{headers:?}");
    }
    let long: &'static str = Box::leak(format!("{}:1", "x".repeat(256)).into_boxed_str());
    assert_eq!(fails(&sample(long), &defaults), EncodeError::BadHeaderName);
    let small = Options { max_head: 100, ..defaults };
    assert!(matches!(fails(&sample(""), &small), EncodeError::TooLarge { limit: 100, needed: 101.. }));
}

#[test]
fn request_lines_cannot_be_split() {
    let line = |method: &'static str, uri: &'static str, query: Option<&'static str>| {
        let mut sample = sample("");
        sample.head.method = method.as_bytes();
        sample.head.uri = uri.as_bytes();
        sample.head.query = query.map(str::as_bytes);
        let mut out = Vec::new();
        encode(&mut out, &sample, &WORKER, &Options::default())
            .map(|_| String::from_utf8(out).unwrap().split_once("\r\n").unwrap().0.to_owned())
    };
    assert_eq!(line("OPTIONS", "*", None).unwrap(), "OPTIONS * HTTP/1.1");
    assert_eq!(line("M-SEARCH", "/a;b=1/%2e", Some("")).unwrap(), "M-SEARCH /a;b=1/%2e? HTTP/1.1");
    for method in ["", "GE T", "GET /x HTTP/1.1\r\nX:", "G\0T", "(GET)"] {
        assert_eq!(line(method, "/", None), Err(EncodeError::BadMethod), "{method:?}");
    }
    assert_eq!(line("CONNECT", "/", None), Err(EncodeError::Connect));
    for uri in [
        "",
        "x",
        "@evil/x",
        "http://evil/",
        "/a b",
        "/a\r\nX: 1",
        "/a?b",
        "/a#b",
        "/\u{e4}",
        "/%",
        "/%zz",
        "/a\0",
        "*",
    ] {
        assert_eq!(line("GET", uri, None), Err(EncodeError::BadUri), "{uri:?}");
    }
    assert_eq!(line("OPTIONS", "*", Some("a")), Err(EncodeError::BadUri));
    for query in ["a b", "a HTTP/1.1\r\nX: 1", "a#b", "\u{e4}", "\t", "\u{7f}"] {
        assert_eq!(line("GET", "/", Some(query)), Err(EncodeError::BadValue(Field::Query)), "{query:?}");
    }
}

#[test]
fn one_host_in_front() {
    let hosts = |sample: &Sample, host| lines(sample, &Options { host, ..Options::default() }, &["host"]);
    let client = HostHeader::Client;
    assert_eq!(hosts(&sample("A:b|Host: www.example.org:8080 "), client), ["Host: www.example.org:8080"]);
    assert_eq!(hosts(&sample(""), client), ["Host: www.example.org"]);
    let mut other = sample("");
    other.head.server_port = 8080;
    assert_eq!(hosts(&other, client), ["Host: www.example.org:8080"]);
    other.head.secure = true;
    other.head.server_port = 443;
    other.head.server_name = b"2001:db8::1";
    assert_eq!(hosts(&other, client), ["Host: [2001:db8::1]"]);
    other.head.server_name = b"a\r\nb";
    assert_eq!(fails(&other, &Options::default()), EncodeError::BadValue(Field::ServerName));
    let fixed = HostHeader::Fixed(b"app1:8080");
    let whole = text(&sample("A:b|Host:www.example.org"), &Options { host: fixed, ..Options::default() });
    assert!(whole.starts_with("GET /app/page HTTP/1.1\r\nHost: app1:8080\r\nA: b\r\nX-"), "{whole}");
    let bad = Options { host: HostHeader::Fixed(b"a b"), ..Options::default() };
    assert_eq!(fails(&sample(""), &bad), EncodeError::BadValue(Field::FixedHost));
    // A client's bad Host is refused although it is not sent.
    let good = Options { host: fixed, ..Options::default() };
    assert_eq!(fails(&sample("Host:a b"), &good), EncodeError::BadHost);
}

#[test]
fn headers_of_one_connection_are_left_out() {
    let sample = sample(
        "Connection:close, X-A, Cookie, X-Forwarded-For|X-A:1|Cookie:c|Keep-Alive:1|Proxy-Connection:x|TE:x|Trailer:x|\
         Upgrade:h2c|HTTP2-Settings:x|Proxy:x|Proxy-Authorization:x|Expect:100-continue|X-B:2",
    );
    let whole = text(&sample, &Options::default());
    let names: Vec<&str> = whole.split("\r\n").skip(1).filter_map(|line| line.split(':').next()).collect();
    let ours =
        ["Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "Forwarded"];
    assert_eq!(names, [&["Cookie", "X-B"][..], &ours, &["X-Jk-Lb-Activation"]].concat());
    let close = Options { close: true, ..Options::default() };
    assert_eq!(lines(&sample, &close, &["connection"]), ["Connection: close"]);
}

#[test]
fn a_client_cannot_forge_what_the_module_says() {
    let headers = "X-Forwarded-For:127.0.0.1|X_Forwarded_For:127.0.0.1|x-forwarded-proto:https|X-Forwarded-Server:x|\
                   Forwarded:for=127.0.0.1|X-Real-IP:127.0.0.1|REMOTE_USER:admin|X-Remote-User:admin|X_Remote_User:admin|\
                   SSL_CLIENT_CERT:x|ssl-client-cert:x|SSL_CIPHER:x|SSL_SESSION_ID:x|SSL_CIPHER_USEKEYSIZE:1|\
                   X-Jk-Route:evil|X_JK_LB_ACTIVATION:DIS|X-Jk-Env-SSO:admin|x_jk_env_sso:admin|X-Other:stays";
    for options in [
        Options::default(),
        Options { x_forwarded: Forwarding::Off, forwarded: Forwarding::Off, ..Options::default() },
        Options { tls: true, ..Options::default() },
    ] {
        let whole = text(&sample(headers), &options);
        for forged in ["127.0.0.1", "admin", "evil", "DIS", ": x\r\n", "https"] {
            assert!(!whole.contains(forged), "{forged} in {whole}");
        }
        assert!(whole.contains("X-Other: stays"));
    }
}

#[test]
fn stations_are_added_only_when_told_to() {
    let sample = sample(
        "X-Forwarded-For:198.51.100.1|x-forwarded-for: 198.51.100.2, 198.51.100.3 |X_Forwarded_For:evil|\
                         X-Forwarded-For:|Forwarded:for=198.51.100.1;proto=https|X-Forwarded-Proto:https",
    );
    let append =
        Options { x_forwarded: Forwarding::Append, forwarded: Forwarding::Append, ..Options::default() };
    assert_eq!(
        lines(&sample, &append, &["x-forwarded-for", "forwarded", "x-forwarded-proto"]),
        [
            "X-Forwarded-For: 198.51.100.1, 198.51.100.2, 198.51.100.3, 192.0.2.7",
            "X-Forwarded-Proto: http",
            "Forwarded: for=198.51.100.1;proto=https, for=192.0.2.7;host=\"www.example.org\";proto=http",
        ]
    );
}

#[test]
fn everything_ajp_carries() {
    let mut sample = sample("Host:www.example.org");
    sample.head.secure = true;
    sample.head.server_port = 8443;
    sample.head.remote_addr = Some(b"2001:db8::7");
    sample.head.remote_user = Some("j\u{f6}rg".as_bytes());
    sample.head.auth_type = Some(b"Basic");
    sample.head.tls = Tls {
        certificate: Some(
            b"-----BEGIN CERTIFICATE-----\nMIIB\r\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nZZ\n",
        ),
        cipher: Some(b"TLS_AES_128_GCM_SHA256"),
        session: Some(b"0a0b"),
        key_size: Some(128),
        protocol: Some(b"TLSv1.3"),
    };
    sample.attributes = &[("SSO_UID", "50% j\u{f6}rg"), ("EMPTY", "")];
    let worker = WorkerFacts { route: Some(b"node1"), ..WORKER };
    let all = Options { tls: true, ..Options::default() };
    let mut out = Vec::new();
    encode(&mut out, &sample, &worker, &all).unwrap();
    let whole = String::from_utf8(out.clone()).unwrap();
    assert_eq!(
        whole.split("\r\n").skip(2).collect::<Vec<_>>(),
        [
            "X-Forwarded-For: 2001:db8::7",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: www.example.org:8443",
            "X-Forwarded-Port: 8443",
            "Forwarded: for=\"[2001:db8::7]\";host=\"www.example.org:8443\";proto=https",
            "X-Remote-User: j\u{f6}rg",
            "X-Auth-Type: Basic",
            "ssl_client_cert: -----BEGIN CERTIFICATE----- MIIB AAAA -----END CERTIFICATE-----",
            "ssl_cipher: TLS_AES_128_GCM_SHA256",
            "ssl_session_id: 0a0b",
            "ssl_cipher_usekeysize: 128",
            "ssl_secure_protocol: TLSv1.3",
            "X-Jk-Route: node1",
            "X-Jk-Lb-Activation: ACT",
            "X-Jk-Env-SSO_UID: 50% j\u{f6}rg",
            "X-Jk-Env-EMPTY: ",
            "",
            "",
        ]
    );
    // Encoded; without TLS; under another name.
    let other = Options { values: ValueEncoding::Percent, attribute_prefix: b"Sso-", ..Options::default() };
    encode(&mut out, &sample, &worker, &other).unwrap();
    let whole = String::from_utf8(out).unwrap();
    assert!(
        whole.contains("X-Remote-User: j%C3%B6rg\r\n")
            && whole.contains("Sso-SSO_UID: 50%25%20j%C3%B6rg\r\n")
    );
    assert!(!whole.contains("ssl_"));
    let none = Options { attribute_prefix: b"", ..Options::default() };
    assert!(!text(&sample, &none).contains("SSO_UID"));
    sample.head.secure = false;
    assert!(!text(&sample, &all).contains("ssl_"));
}

#[test]
fn what_would_break_a_line_is_refused() {
    let refused = |change: &dyn Fn(&mut Sample), field| {
        let mut sample = sample("");
        sample.head.secure = true;
        change(&mut sample);
        let error = fails(&sample, &Options { tls: true, ..Options::default() });
        assert_eq!((error, error.status()), (EncodeError::BadValue(field), 500));
    };
    refused(&|sample| sample.head.remote_user = Some(b"a\r\nb"), Field::RemoteUser);
    refused(&|sample| sample.head.auth_type = Some(b"a\nb"), Field::AuthType);
    refused(&|sample| sample.head.remote_addr = Some(b"1, 2"), Field::RemoteAddr);
    refused(&|sample| sample.head.tls.cipher = Some(b"\0"), Field::Tls);
    refused(&|sample| sample.head.tls.session = Some(b"\n"), Field::Tls);
    refused(&|sample| sample.head.tls.certificate = Some(b"a\rb"), Field::Tls);
    refused(&|sample| sample.attributes = &[("A", "a\nb")], Field::Attribute);
    refused(&|sample| sample.attributes = &[("A B", "a")], Field::Attribute);
    refused(&|sample| sample.attributes = &[("", "a")], Field::Attribute);
    let mut out = Vec::new();
    let worker = WorkerFacts { route: Some(b"a\nb"), ..WORKER };
    assert_eq!(
        encode(&mut out, &sample(""), &worker, &Options::default()),
        Err(EncodeError::BadValue(Field::Route))
    );
}

#[test]
fn a_websocket_is_asked_for_only_where_it_may_be() {
    let wish = sample("Connection:Upgrade|Upgrade:websocket|Sec-WebSocket-Key:x");
    let allowed = Options { upgrade: &[Upgrade::WEBSOCKET], ..Options::default() };
    let names = ["connection", "upgrade"];
    assert_eq!(lines(&wish, &Options::default(), &names), [""; 0]);
    assert_eq!(lines(&wish, &allowed, &names), ["Connection: Upgrade", "Upgrade: websocket"]);
    assert_eq!(encode(&mut Vec::new(), &wish, &WORKER, &allowed), Ok(Some(Upgrade::WEBSOCKET)));
    assert_eq!(lines(&sample("Connection:Upgrade|Upgrade:h2c"), &allowed, &names), [""; 0]);
    assert_eq!(encode(&mut Vec::new(), &wish, &WORKER, &Options::default()), Ok(None));
}

#[test]
fn errors_tell_their_status() {
    assert_eq!(EncodeError::UnknownCoding.status(), 501);
    assert_eq!(EncodeError::BadUri.status(), 400);
    assert_eq!(EncodeError::BadValue(Field::Query).status(), 400);
    assert_eq!(EncodeError::TooLarge { needed: 2, limit: 1 }.status(), 431);
    assert_eq!(
        EncodeError::TooLarge { needed: 2, limit: 1 }.to_string(),
        "the request has 2 octets of headers, 1 are allowed"
    );
    assert_eq!(EncodeError::BadValue(Field::Tls).to_string(), "an octet that is not allowed in Tls");
}
