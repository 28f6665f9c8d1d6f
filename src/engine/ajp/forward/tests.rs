//! Every reason to refuse a request, and what is left out of one that is sent.

use super::*;

struct Sample {
    head: RequestHead<'static>,
    headers: Vec<(&'static [u8], Vec<u8>)>,
    attributes: Vec<(&'static [u8], &'static [u8])>,
}

impl Request for Sample {
    fn head(&self) -> RequestHead<'_> {
        self.head
    }

    fn each_header(&self, sink: &mut dyn FnMut(&[u8], &[u8])) {
        self.headers.iter().for_each(|(name, value)| sink(name, value));
    }

    fn each_attribute(&self, sink: &mut dyn FnMut(&[u8], &[u8])) {
        self.attributes.iter().for_each(|(name, value)| sink(name, value));
    }
}

const FACTS: WorkerFacts<'static> = WorkerFacts { secret: None, route: None, activation: b"ACT" };

fn sample(headers: &[(&'static str, &str)]) -> Sample {
    Sample {
        head: RequestHead {
            method: b"GET",
            protocol: b"HTTP/1.1",
            uri: b"/",
            query: None,
            remote_addr: Some(b"192.0.2.7"),
            remote_host: None,
            remote_port: None,
            local_addr: None,
            server_name: b"example.org",
            server_port: 80,
            secure: true,
            remote_user: None,
            auth_type: None,
            tls: Tls::default(),
            body: RequestBody::None,
        },
        headers: headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes().to_vec())).collect(),
        attributes: vec![],
    }
}

fn run(sample: &Sample) -> Result<Vec<u8>, EncodeError> {
    let mut packet = Vec::new();
    encode(&mut packet, sample, &FACTS, 8192).map(|()| packet)
}

fn with(change: impl FnOnce(&mut RequestHead<'static>)) -> Result<Vec<u8>, EncodeError> {
    let mut sample = sample(&[]);
    change(&mut sample.head);
    run(&sample)
}

fn headers(headers: &[(&'static str, &str)]) -> Result<Vec<u8>, EncodeError> {
    run(&sample(headers))
}

fn holds(packet: &[u8], text: &str) -> bool {
    packet.windows(text.len()).any(|part| part == text.as_bytes())
}

/// Number of headers in a packet made from [`sample`].
fn count(packet: &[u8]) -> u16 {
    let at = 4 + 2 + 11 + 4 + 12 + 2 + 14 + 2 + 1;
    u16::from_be_bytes([packet[at], packet[at + 1]])
}

#[test]
fn methods_are_tokens() {
    for method in [&b""[..], b"GE T", b"G\0", b"GET\r", &[b'A'; 65]] {
        let method: &'static [u8] = Box::leak(method.to_vec().into_boxed_slice());
        assert_eq!(with(|head| head.method = method), Err(EncodeError::BadMethod));
    }
    assert!(with(|head| head.method = &[b'A'; 64]).is_ok());
    assert!(holds(&with(|head| head.method = b"get").unwrap(), "\x0d\x00\x03get\x00"));
}

#[test]
fn paths_hold_visible_characters_only() {
    let refused: [&'static [u8]; 15] = [
        b"",
        b"a",
        b"http://x/",
        b"**",
        b"/a b",
        b"/a?b",
        b"/a#b",
        b"/%",
        b"/%4",
        b"/%4g",
        b"/\x00",
        b"/\r\n",
        b"/\x7f",
        b"/\xe9",
        b"/\\",
    ];
    for uri in refused {
        assert_eq!(with(|head| head.uri = uri), Err(EncodeError::BadUri), "{uri:?}");
    }
    for uri in [&b"*"[..], b"/", b"/a;v=1/%C3%a9/~b!$&'()*+,;=:@", b"/a[1]", b"/\"<>^`{|}"] {
        assert!(with(|head| head.uri = uri).is_ok(), "{uri:?}");
    }
}

#[test]
fn control_octets_are_refused_everywhere() {
    let bad = |field| Err(EncodeError::BadValue(field));
    assert_eq!(with(|head| head.protocol = b"HTTP/1.1\r"), bad(Field::Protocol));
    assert_eq!(with(|head| head.remote_addr = Some(b"\0")), bad(Field::RemoteAddr));
    assert_eq!(with(|head| head.remote_host = Some(b"a\nb")), bad(Field::RemoteHost));
    assert_eq!(with(|head| head.server_name = b"\x7f"), bad(Field::ServerName));
    assert_eq!(with(|head| head.remote_user = Some(b"\x01")), bad(Field::RemoteUser));
    assert_eq!(with(|head| head.auth_type = Some(b"\x01")), bad(Field::AuthType));
    assert_eq!(with(|head| head.query = Some(b"a\x01")), bad(Field::Query));
    assert_eq!(with(|head| head.query = Some(b"a b")), bad(Field::Query));
    assert_eq!(with(|head| head.query = Some(b"a\tb")), bad(Field::Query));
    assert_eq!(with(|head| head.local_addr = Some(b"\r")), bad(Field::LocalAddr));
    assert_eq!(with(|head| head.tls.certificate = Some(b"a\r\nb")), bad(Field::Certificate));
    assert_eq!(with(|head| head.tls.cipher = Some(b"\n")), bad(Field::Cipher));
    assert_eq!(with(|head| head.tls.session = Some(b"\n")), bad(Field::Session));
    assert_eq!(with(|head| head.tls.protocol = Some(b"\n")), bad(Field::TlsProtocol));
    for port in [&b""[..], b"x", b"-1", b"123456"] {
        let port: &'static [u8] = Box::leak(port.to_vec().into_boxed_slice());
        assert_eq!(with(|head| head.remote_port = Some(port)), bad(Field::RemotePort));
    }
    let mut packet = Vec::new();
    let facts = WorkerFacts { secret: Some(b"a\nb"), ..FACTS };
    let error = encode(&mut packet, &sample(&[]), &facts, 8192).unwrap_err();
    assert_eq!((error, error.status()), (EncodeError::BadValue(Field::Secret), 500));
    let facts = WorkerFacts { route: Some(b"\0"), ..FACTS };
    assert_eq!(encode(&mut packet, &sample(&[]), &facts, 8192), Err(EncodeError::BadValue(Field::Route)));
    let facts = WorkerFacts { activation: b"\0", ..FACTS };
    assert_eq!(
        encode(&mut packet, &sample(&[]), &facts, 8192),
        Err(EncodeError::BadValue(Field::Activation))
    );
    for pair in [(&b""[..], &b"v"[..]), (b"n\0", b"v"), (b"n", b"v\r\n")] {
        let mut sample = sample(&[]);
        sample.attributes.push(pair);
        assert_eq!(run(&sample), bad(Field::Attribute));
    }
    assert!(with(|head| head.tls.certificate = Some(b"a\nb\n")).is_ok());
    assert!(with(|head| head.query = Some(b"\xe9[]\"<>")).is_ok());
}

#[test]
fn headers_are_checked() {
    let long: &'static str = Box::leak("n".repeat(256).into_boxed_str());
    for name in ["", "a b", "a:", "a\r\nb", "a\0", "\u{e9}", long] {
        assert_eq!(headers(&[(name, "v")]), Err(EncodeError::BadHeaderName), "{name:?}");
    }
    assert!(headers(&[(&long[..255], "v")]).is_ok());
    for value in ["a\r\nb", "\0", "\x01", "\x7f", "0123456789abcdef\n"] {
        assert_eq!(headers(&[("X-A", value)]), Err(EncodeError::BadHeaderValue), "{value:?}");
        assert_eq!(headers(&[("Cookie", value)]), Err(EncodeError::BadHeaderValue), "{value:?}");
        assert_eq!(headers(&[("TE", value)]), Err(EncodeError::BadHeaderValue), "{value:?}");
    }
    assert!(headers(&[("X-A", ""), ("X-B", "\t\u{e9}")]).is_ok());
}

#[test]
fn framing_is_written_once_and_disputes_are_refused() {
    let both = [("Content-Length", "3"), ("Transfer-Encoding", "chunked")];
    for list in [both, [both[0], both[0]], [both[1], both[1]]] {
        assert_eq!(headers(&list), Err(EncodeError::DuplicateFraming));
    }
    for value in ["", "+3", "3, 3", "0x3", "-1"] {
        assert_eq!(headers(&[("Content-Length", value)]), Err(EncodeError::BadContentLength));
    }
    for value in ["gzip, chunked", "identity", ""] {
        let error = headers(&[("Transfer-Encoding", value)]).unwrap_err();
        assert_eq!((error, error.status()), (EncodeError::UnknownCoding, 501));
    }
    let mut stale = sample(&[("Content-Length", "17")]);
    stale.head.body = RequestBody::Unknown;
    let packet = run(&stale).unwrap();
    assert!(holds(&packet, "\x00\x11Transfer-Encoding\x00\x00\x07chunked\x00") && !holds(&packet, "17"));
    stale.head.body = RequestBody::Known(u64::MAX);
    assert!(holds(&run(&stale).unwrap(), "\x00\x1418446744073709551615\x00"));
    assert_eq!(headers(&[("Host", "a"), ("host", "a")]), Err(EncodeError::DuplicateHost));
}

#[test]
fn headers_of_one_connection_stay_behind() {
    let packet = headers(&[
        ("Keep-Alive", "300"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "trailers"),
        ("Trailer", "X-T"),
        ("Upgrade", "websocket"),
        ("HTTP2-Settings", "AAMAAABk"),
        ("Expect", "100-continue"),
        ("Proxy", "http://evil/"),
        ("Proxy-Authorization", "Basic eA=="),
        ("Connection", "keep-alive, Upgrade, HTTP2-Settings"),
        ("X-Stays", "here"),
    ])
    .unwrap();
    assert_eq!(count(&packet), 2);
    assert!(holds(&packet, "X-Stays") && !holds(&packet, "evil"));
}

#[test]
fn what_connection_names_stays_behind_wherever_it_stands() {
    let packet = headers(&[
        ("X-Early", "1"),
        ("Accept", "*/*"),
        ("Host", "example.org"),
        ("Connection", "close, x-early, Host, Cookie"),
        ("Connection", "X-Late,accept"),
        ("Cookie", "a=b"),
        ("x-LATE", "2"),
        ("X-Stays", "3"),
    ])
    .unwrap();
    assert_eq!(count(&packet), 4, "Host, Cookie, X-Stays and Content-Length");
    assert!(holds(&packet, "X-Stays") && holds(&packet, "a=b") && !holds(&packet, "*/*"));
    assert_eq!(headers(&[("Connection", "a b")]), Err(EncodeError::BadConnection));
    assert_eq!(headers(&[("Connection", &"x,".repeat(65))]), Err(EncodeError::BadConnection));
}

#[test]
fn a_packet_fits_exactly_or_tells_what_it_needs() {
    let size = |length: usize, limit: usize| {
        let mut packet = Vec::new();
        let request = sample(&[("X-A", &"v".repeat(length))]);
        encode(&mut packet, &request, &FACTS, limit).map(|()| packet.len())
    };
    let base = size(0, 8192).unwrap();
    assert_eq!(size(8192 - base, 8192), Ok(8192));
    assert_eq!(size(8193 - base, 8192), Err(EncodeError::TooLarge { needed: 8193, limit: 8192 }));
    assert_eq!(size(65536 - base, 65536), Ok(65536));
    assert_eq!(size(65537 - base, 65536), Err(EncodeError::TooLarge { needed: 65537, limit: 65536 }));
    assert_eq!(EncodeError::TooLarge { needed: 1, limit: 0 }.status(), 431);
}

#[test]
fn a_too_large_request_line_is_noticed_even_when_the_headers_are_written_twice() {
    let mut request = sample(&[("Connection", "X-A"), ("X-A", "1")]);
    let uri: &'static str = Box::leak(format!("/{}", "u".repeat(9000)).into_boxed_str());
    request.head.uri = uri.as_bytes();
    let Err(EncodeError::TooLarge { needed, .. }) = run(&request) else { panic!("was written") };
    assert!(needed > 9000);
}

#[test]
fn a_null_string_stands_for_what_is_not_known() {
    let packet = with(|head| head.remote_addr = None).unwrap();
    assert_eq!(&packet[17 + 4..17 + 8], &[0xff, 0xff, 0xff, 0xff]);
}
