//! Properties of the codec for all inputs: what is encoded is read back, portions do not matter, nothing panics.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "support/forward_decode.rs"]
mod forward_decode;
#[path = "support/sample_request.rs"]
mod sample_request;
#[path = "support/vectors.rs"]
mod vectors;

use mod_jk_rs::engine::ajp::control::PongWait;
use mod_jk_rs::engine::ajp::encode;
use mod_jk_rs::engine::fuzzing::{self, TextRequest, play};
use mod_jk_rs::engine::request::RequestBody;
use proptest::prelude::*;
use sample_request::{FACTS, LOCAL, sample};

/// Values a header may have: anything but controls, tabs included.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![Just(b'\t'), 0x20u8..0x7f, 0x80u8..=0xff];
    proptest::collection::vec(octet, 0..80)
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}",
        Just("Accept".to_owned()),
        Just("COOKIE".to_owned()),
        Just("Connection".to_owned()),
        Just("Keep-Alive".to_owned()),
        Just("te".to_owned()),
        Just("Accept-Language".to_owned()),
    ]
}

/// Left out on the way, by a list of its own.
fn stays_behind(name: &[u8]) -> bool {
    const NAMES: [&str; 11] = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
        "expect",
        "proxy",
        "proxy-authorization",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// A good reply of random shape: head, body chunks, flushes, questions, end.
fn reply() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..300).prop_map(|data| chunk(&data, true)),
        proptest::collection::vec(any::<u8>(), 1..20).prop_map(|data| chunk(&data, false)),
        Just(chunk(b"", true)),
        (1u16..).prop_map(|max| [&[0x41, 0x42, 0, 3, 6][..], &max.to_be_bytes()].concat()),
    ];
    let heads = prop_oneof![Just("e14-send-headers-repeated"), Just("e20-send-headers-undertow-400")];
    (heads, proptest::collection::vec(part, 0..8), any::<bool>()).prop_map(|(head, parts, reuse)| {
        let end = [0x41, 0x42, 0, 2, 5, u8::from(reuse)];
        [vectors::load(head), parts.concat(), end.to_vec()].concat()
    })
}

fn chunk(data: &[u8], padding: bool) -> Vec<u8> {
    let size = u16::try_from(data.len()).unwrap();
    let payload = size + 3 + u16::from(padding);
    let mut packet = [&[0x41, 0x42][..], &payload.to_be_bytes(), &[3], &size.to_be_bytes(), data].concat();
    packet.extend(padding.then_some(0));
    packet
}

proptest! {
    #[test]
    fn what_is_encoded_is_read_back(
        headers in proptest::collection::vec((name(), value()), 0..40),
        method in "[A-Z]{1,12}",
        path in "(/[a-z0-9;=]{0,12}(%[0-9A-F]{2})?){1,5}",
        query in proptest::option::of("[!-~]{0,40}"),
        length in proptest::option::of(1u64..),
        port in any::<u16>(),
    ) {
        let leak = |text: String| -> &'static [u8] { Box::leak(text.into_bytes().into_boxed_slice()) };
        let mut request = sample(LOCAL, &[]);
        request.head.method = leak(method.clone());
        request.head.uri = leak(path.clone());
        request.head.query = query.clone().map(leak);
        request.head.server_port = port;
        request.head.body = length.map_or(RequestBody::None, RequestBody::Known);
        request.headers = headers.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone())).collect();
        // Random values of Connection are mostly no lists; that is the business of other tests.
        request.headers.iter_mut().filter(|(name, _)| name == b"Connection").for_each(|(_, v)| *v = b"close".to_vec());

        let mut packet = Vec::new();
        encode(&mut packet, &request, &FACTS, 65536).unwrap();
        let read = forward_decode::decode(&packet).unwrap();

        let mut expected: Vec<(Vec<u8>, Vec<u8>)> = request.headers.iter()
            .filter(|(name, _)| !stays_behind(name))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect();
        expected.push((b"content-length".to_vec(), length.unwrap_or(0).to_string().into_bytes()));
        let found: Vec<_> = read.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(&read.method, method.as_bytes());
        prop_assert_eq!(&read.uri, path.as_bytes());
        prop_assert_eq!(read.attribute(5), query.as_deref().map(str::as_bytes));
        prop_assert_eq!(read.server_port, port);
    }

    #[test]
    fn portions_do_not_matter(stream in reply(), steps in proptest::collection::vec(1usize..50, 1..6), head in any::<bool>()) {
        let whole = play(&stream, stream.len(), RequestBody::Unknown, head);
        prop_assert!(matches!(whole.end, Some(Ok(_))));
        for step in steps {
            prop_assert_eq!(&whole, &play(&stream, step, RequestBody::Unknown, head));
        }
    }

    #[test]
    fn any_octets_are_survived(stream in proptest::collection::vec(any::<u8>(), 0..400)) {
        fuzzing::ajp_reply(&stream);
        let framed = [&[0x41, 0x42, 0, 60][..], &stream].concat();
        fuzzing::ajp_reply(&framed);
        let _ = PongWait::new().feed(&framed);
    }

    #[test]
    fn a_broken_reply_is_survived(
        mut stream in reply(),
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for (place, octet) in places {
            let place = place.index(stream.len());
            stream[place] = octet;
        }
        fuzzing::ajp_reply(&stream);
    }

    #[test]
    fn any_request_is_refused_or_readable(text in proptest::collection::vec(any::<u8>(), 0..300), good in any::<bool>()) {
        let text = if good { [&b"GET\n/\n\n\n\n\n"[..], &text].concat() } else { text };
        fuzzing::ajp_forward(&text);
        let mut packet = Vec::new();
        if encode(&mut packet, &TextRequest::new(&text), &FACTS, 8192).is_ok() {
            let read = forward_decode::decode(&packet).unwrap();
            let framings = read.header("content-length").len() + read.header("transfer-encoding").len();
            prop_assert_eq!(framings, 1);
            let fit = |(name, value): &(Vec<u8>, Vec<u8>)| {
                !name.is_empty() && !value.iter().any(|octet| octet.is_ascii_control() && *octet != b'\t')
            };
            prop_assert!(read.headers.iter().all(fit));
        }
    }
}
