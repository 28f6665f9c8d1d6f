//! Captured packets: what mod_jk and Tomcat put on the wire is what this module writes and understands.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "support/forward_decode.rs"]
mod forward_decode;
#[path = "support/sample_request.rs"]
mod sample_request;
#[path = "support/vectors.rs"]
mod vectors;

use mod_jk_rs::engine::ajp::control::{CPING, PongWait};
use mod_jk_rs::engine::ajp::{Client, Limits, encode};
use mod_jk_rs::engine::exchange::{Event, Exchange, ROOM_AFTER, ROOM_BEFORE};
use mod_jk_rs::engine::fuzzing::play;
use mod_jk_rs::engine::request::{RequestBody, RequestHead, Tls, WorkerFacts};
use sample_request::{FACTS, LOCAL, Sample, sample};

const CURL: [(&str, &str); 3] =
    [("Host", "127.0.0.1:20320"), ("User-Agent", "curl/7.88.1"), ("Accept", "*/*")];
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn encoded(request: &Sample, facts: &WorkerFacts<'_>) -> Vec<u8> {
    let mut packet = Vec::new();
    encode(&mut packet, request, facts, 8192).unwrap();
    packet
}

/// The capture with the octets of `part` moved to `to`, which lies behind it: the framing header, which mod_jk leaves at the
/// client's place and this module writes last.
fn moved(name: &str, part: std::ops::Range<usize>, to: usize) -> Vec<u8> {
    let mut octets = vectors::load(name);
    let size = part.len();
    octets[part.start..to].rotate_left(size);
    octets
}

#[test]
fn a_get_is_written_as_mod_jk_writes_it() {
    assert_eq!(encoded(&sample(LOCAL, &CURL), &FACTS), vectors::load("e03-forward-get"));
}

#[test]
fn a_post_is_written_as_mod_jk_writes_it_but_for_the_place_of_the_length() {
    let head = RequestHead {
        method: b"POST",
        uri: b"/echo.jsp",
        query: Some(b"read=1"),
        remote_port: Some(b"49790"),
        body: RequestBody::Known(3),
        ..LOCAL
    };
    let headers = [&CURL[..], &[("Content-Length", "003"), FORM]].concat();
    assert_eq!(encoded(&sample(head, &headers), &FACTS), moved("e04-forward-post", 104..110, 148));
}

#[test]
fn a_chunked_body_is_announced_as_mod_jk_does() {
    let head = RequestHead {
        method: b"POST",
        uri: b"/echo.jsp",
        query: Some(b"read=1"),
        remote_port: Some(b"49800"),
        body: RequestBody::Unknown,
        ..LOCAL
    };
    let headers = [&CURL[..], &[("transfer-encoding", "Chunked"), FORM]].concat();
    assert_eq!(encoded(&sample(head, &headers), &FACTS), moved("e10-forward-chunked", 104..134, 172));
}

#[test]
fn a_method_without_a_code_is_written_as_mod_jk_writes_it() {
    let head = RequestHead { method: b"PATCH", remote_port: Some(b"32920"), ..LOCAL };
    assert_eq!(encoded(&sample(head, &CURL), &FACTS), vectors::load("e11-forward-stored-method"));
}

#[test]
fn every_attribute_has_its_place() {
    let head = RequestHead {
        uri: b"/app/x;jsessionid=A1.node1",
        query: Some(b"q=1"),
        remote_addr: Some(b"198.51.100.7"),
        remote_port: Some(b"51234"),
        local_addr: Some(b"192.0.2.1"),
        server_name: b"www.example.org",
        server_port: 443,
        secure: true,
        remote_user: Some(b"bob"),
        auth_type: Some(b"Basic"),
        tls: Tls {
            certificate: Some(b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
            cipher: Some(b"TLS_AES_128_GCM_SHA256"),
            session: Some(b"a1b2"),
            key_size: Some(128),
            protocol: Some(b"TLSv1.3"),
        },
        ..LOCAL
    };
    let facts = WorkerFacts { secret: Some(b"s3cret"), route: Some(b"node1"), activation: b"DIS" };
    let mut request = sample(head, &[("host", "www.example.org"), ("cookie", "a=b")]);
    request.attributes.push((b"MY_X".to_vec(), b"v".to_vec()));
    assert_eq!(encoded(&request, &facts), vectors::load("e12-forward-every-attribute"));
    // The same TLS data on a plain connection is not sent.
    request.head.secure = false;
    let plain = forward_decode::decode(&encoded(&request, &facts)).unwrap();
    assert_eq!(plain.order, [0x0c, 3, 4, 5, 6, 0x0a, 0x0a, 0x0a, 0x0a]);
}

#[test]
fn body_packets_are_written_as_mod_jk_writes_them() {
    let limits = Limits { max_packet: 8192, receive_limit: 65535 };
    let mut packet = vec![0; ROOM_BEFORE + 16 + ROOM_AFTER];
    let mut client = Client::new(limits, RequestBody::Known(8), false);

    assert_eq!(client.first_body(), Some(8));
    packet[ROOM_BEFORE..ROOM_BEFORE + 3].copy_from_slice(b"abc");
    let sent = client.frame_body(&mut packet, 3);
    assert_eq!(packet[sent], vectors::load("e05-body-first"));

    let ask = vectors::load("e06-get-body-chunk");
    let fed = client.feed(&ask).unwrap();
    assert!(matches!(fed.event, Event::WantBody { max: 5 }));
    packet[ROOM_BEFORE..ROOM_BEFORE + 5].copy_from_slice(b"hello");
    let sent = client.frame_body(&mut packet, 5);
    assert_eq!(packet[sent], vectors::load("e07-body-answer"));

    assert!(matches!(client.feed(&ask).unwrap().event, Event::WantEnd));
    let sent = client.frame_end(&mut packet);
    assert_eq!(packet[sent], vectors::load("e08-body-end-short"));
}

#[test]
fn the_probe_is_the_captured_one() {
    assert_eq!(CPING.to_vec(), vectors::load("e01-cping"));
    assert_eq!(PongWait::new().feed(&vectors::load("e02-cpong")), Ok(Some(5)));
}

#[test]
fn captured_replies_are_understood() {
    let end = vectors::load("e18-end-response-reuse");
    let reply = |parts: &[&str]| {
        let stream: Vec<u8> = parts.iter().flat_map(|name| vectors::load(name)).chain(end.clone()).collect();
        play(&stream, stream.len(), RequestBody::None, false)
    };
    let text = |played: &mod_jk_rs::engine::fuzzing::Played| {
        let (status, pairs) = played.head.clone().unwrap();
        let lines = pairs.iter().map(|(name, value)| {
            format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        });
        (status, lines.collect::<Vec<_>>())
    };

    let tomcat = reply(&["e13-send-headers-tomcat", "e16-send-body-chunk", "e17-flush"]);
    assert_eq!(
        text(&tomcat),
        (200, vec!["Content-Type: text/plain;charset=UTF-8".into(), "Content-Length: 3".into()])
    );
    assert_eq!((tomcat.body.as_slice(), tomcat.flushes, tomcat.end), (&b"hi\n"[..], 1, Some(Ok(true))));

    let repeated = reply(&["e14-send-headers-repeated"]);
    let lines = ["Location: /login", "Set-Cookie: a=1", "Set-Cookie: b=2", "X-Frame-Options: DENY"];
    assert_eq!(text(&repeated), (302, lines.map(String::from).to_vec()));

    let unchanged = reply(&["e15-send-headers-304"]);
    assert_eq!(unchanged.head.unwrap().0, 304);
    assert_eq!(unchanged.end, Some(Ok(true)), "a Content-Length without a body is right in a 304");

    let undertow =
        [vectors::load("e20-send-headers-undertow-400"), vectors::load("e19-end-response-close")].concat();
    let undertow = play(&undertow, undertow.len(), RequestBody::None, false);
    assert_eq!((undertow.head.unwrap(), undertow.end), ((400, vec![]), Some(Ok(false))));

    let upload = vectors::load("e22-upload-reply");
    let upload = play(&upload, upload.len(), RequestBody::Known(3), false);
    assert_eq!((upload.asked, upload.end), (vec![0], Some(Ok(true))));
}

#[test]
fn the_decoder_of_the_tests_reads_the_captures() {
    let get = forward_decode::decode(&vectors::load("e03-forward-get")).unwrap();
    assert_eq!((get.method.as_slice(), get.uri.as_slice()), (&b"GET"[..], &b"/hello.jsp"[..]));
    assert_eq!(get.named("JK_LB_ACTIVATION"), Some(&b"ACT"[..]));
    assert!(forward_decode::decode(&vectors::load("e21-hidden-request")).is_err());
}
