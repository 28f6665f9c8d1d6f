//! Properties of HTTP/1 for all inputs: portions do not matter, what is sent is read back, nothing panics.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use mod_jk_rs::engine::exchange::{Event, Exchange, ROOM_AFTER, ROOM_BEFORE};
use mod_jk_rs::engine::fuzzing::TextRequest;
use mod_jk_rs::engine::headers;
use mod_jk_rs::engine::http1::body::{Body, Framing, Piece};
use mod_jk_rs::engine::http1::fuzzing::{self, TIGHT, Way, play};
use mod_jk_rs::engine::http1::response::HeadLimits;
use mod_jk_rs::engine::http1::rewrite::Mapping;
use mod_jk_rs::engine::http1::{Client, Limits, Options, encode};
use mod_jk_rs::engine::request::{RequestBody, WorkerFacts};
use proptest::prelude::*;

/// A body and its framing: header line, octets on the wire.
fn framed() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, bool)> {
    let pieces = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..200), 0..6);
    (pieces, 0..3u8, any::<bool>()).prop_map(|(pieces, framing, extras)| {
        let body = pieces.concat();
        match framing {
            0 => {
                let head = format!("Content-Length: {}\r\n\r\n", body.len());
                (body.clone(), [head.as_bytes(), &body].concat(), true)
            }
            1 => {
                let mut wire = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
                for piece in &pieces {
                    let extension = if extras { ";ext=\"1\"" } else { "" };
                    wire.extend(format!("{:X}{extension}\r\n", piece.len()).as_bytes());
                    wire.extend(piece);
                    wire.extend(b"\r\n");
                }
                wire.extend(if extras { &b"0\r\nX-Sum: 1\r\n\r\n"[..] } else { b"0\r\n\r\n" });
                (body, wire, true)
            }
            _ => (body.clone(), [&b"\r\n"[..], &body].concat(), false),
        }
    })
}

/// Names and values.
type Lines = Vec<(String, String)>;

/// Header lines that mean nothing to the message.
fn lines() -> impl Strategy<Value = Lines> {
    proptest::collection::vec(("X-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}", "([!-~]([ -~]{0,30}[!-~])?)?"), 0..20)
}

/// A good answer: head lines, body, wire, ends by itself.
fn answer() -> impl Strategy<Value = (Lines, Vec<u8>, Vec<u8>, bool)> {
    (lines(), framed(), 0..3usize, 200u16..600).prop_map(|(lines, (body, wire, whole), interim, status)| {
        let status = if matches!(status, 204 | 205 | 304) { 200 } else { status };
        let mut octets = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(interim);
        octets.extend(format!("HTTP/1.1 {status} Reason\r\n").as_bytes());
        for (name, value) in &lines {
            octets.extend(format!("{name}:  {value}\t\r\n").as_bytes());
        }
        octets.extend(wire);
        (lines, body, octets, whole)
    })
}

proptest! {
    #[test]
    fn portions_do_not_matter((lines, body, stream, whole) in answer(), cuts in proptest::collection::vec(1usize..60, 1..5)) {
        for step in cuts.into_iter().chain([stream.len()]) {
            let played = play(&stream, step, Way::get());
            prop_assert_eq!(&played.body, &body);
            prop_assert_eq!(played.end, whole.then_some(Ok(true)));
            prop_assert_eq!(played.close_ends, !whole);
            prop_assert_eq!(played.consumed, stream.len());
            let seen: Vec<_> = played.head.unwrap().1.into_iter().filter(|(name, _)| name.starts_with(b"X-")).collect();
            let sent: Vec<_> = lines.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone().into_bytes())).collect();
            prop_assert_eq!(seen, sent);
        }
    }

    #[test]
    fn any_octets_are_survived(stream in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzzing::http1_response(&stream);
        fuzzing::http1_response(&[b"HTTP/1.1 ", &stream[..]].concat());
        fuzzing::http1_response(&[b"HTTP/1.1 200 OK\r\n", &stream[..]].concat());
        fuzzing::http1_response(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &stream[..]].concat());
    }

    #[test]
    fn a_broken_answer_is_survived(
        (_, _, mut stream, _) in answer(),
        places in proptest::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b' '), Just(b':'), Just(b'0')]), 1..4),
    ) {
        for (place, octet) in places {
            let place = place.index(stream.len());
            stream[place] = octet;
        }
        fuzzing::http1_response(&stream);
    }

    #[test]
    fn tight_limits_hold_for_any_head(lines in proptest::collection::vec("[a-z]{0,60}:[a-z]{0,80}", 0..16)) {
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{}\r\n\r\n", lines.join("\r\n"));
        let played = play(text.as_bytes(), 1, Way { limits: TIGHT, ..Way::get() });
        if played.head.is_some() {
            prop_assert!(text.len() <= 400 && lines.len() < 12 && lines.iter().all(|line| line.len() + 2 <= 120));
        }
    }

    /// What the client's machine frames, the reader of bodies takes apart again.
    #[test]
    fn a_chunked_upload_is_read_back(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..8), step in 1usize..50) {
        let limits = Limits { piece: 300, ..Limits::default() };
        let mut client = Client::new(limits, RequestBody::Unknown, false, None);
        let mut packet = vec![0; ROOM_BEFORE + 300 + ROOM_AFTER];
        let mut wire = vec![];
        for piece in &pieces {
            let fed = client.feed(b"").unwrap();
            let wanted = matches!(fed.event, Event::WantBody { max: 300 });
            prop_assert!(wanted);
            packet[ROOM_BEFORE..ROOM_BEFORE + piece.len()].copy_from_slice(piece);
            let sent = client.frame_body(&mut packet, piece.len());
            wire.extend_from_slice(&packet[sent]);
        }
        let sent = client.frame_end(&mut packet);
        wire.extend_from_slice(&packet[sent]);
        prop_assert!(!client.body_owed());
        let mut body = Body::new(Framing::Chunked, HeadLimits::default());
        let (mut data, mut start, mut end) = (vec![], 0, 0);
        let ended = loop {
            let (taken, piece) = body.step(&wire[start..end]).unwrap();
            start += taken;
            match piece {
                Piece::Data(piece) => data.extend_from_slice(piece),
                Piece::End => break true,
                Piece::More if end == wire.len() => break false,
                Piece::More => end = wire.len().min(end + step),
            }
        };
        prop_assert!(ended && start == wire.len());
        prop_assert_eq!(data, pieces.concat());
    }

    #[test]
    fn any_request_is_refused_or_one_request(text in proptest::collection::vec(any::<u8>(), 0..300), good in any::<bool>()) {
        let text = if good { [&b"GET\n/\n\n\n\n\n"[..], &text].concat() } else { text };
        fuzzing::http1_request(&text);
    }

    #[test]
    fn what_is_sent_is_what_was_there(
        lines in lines(),
        method in "[A-Z]{3,12}",
        path in "(/[a-z0-9;=]{0,12}(%[0-9A-F]{2})?){1,5}",
        query in proptest::option::of("[!-\"$-~]{1,40}"),
        length in proptest::option::of(1u64..),
    ) {
        prop_assume!(method != "CONNECT");
        let body = length.map_or("none".to_owned(), |length| length.to_string());
        let mut text = format!("{method}\n{path}\n{}\n\n\n{body}\nHost:a.example\n", query.clone().unwrap_or_default());
        for (name, value) in &lines {
            text.push_str(&format!("{name}:{value}\n"));
        }
        let mut head = vec![];
        let worker = WorkerFacts { secret: None, route: None, activation: b"ACT" };
        encode(&mut head, &TextRequest::new(text.as_bytes()), &worker, &Options::default()).unwrap();
        let head = String::from_utf8(head).unwrap();
        let mut found = head.strip_suffix("\r\n\r\n").unwrap().split("\r\n");
        let target = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        prop_assert_eq!(found.next().unwrap(), format!("{method} {target} HTTP/1.1"));
        prop_assert_eq!(found.next().unwrap(), "Host: a.example");
        for (name, value) in lines.iter().filter(|(name, _)| !name.to_ascii_lowercase().replace('_', "-").starts_with("x-jk-")) {
            prop_assert_eq!(found.next().unwrap(), format!("{name}: {value}"));
        }
        let rest: Vec<_> = found.collect();
        let framing = rest.iter().filter(|line| line.starts_with("Content-Length: ") || line.starts_with("Transfer-")).count();
        prop_assert!(framing == usize::from(length.is_some() || !["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"].contains(&method.as_str())));
    }

    #[test]
    fn paths_come_back(outer in "(/[a-z]{1,3}){0,3}", inner in "(/[a-z]{1,3}){0,3}", rest in "(/[a-z%;=0-9]{0,5}){1,3}") {
        let outer = if outer.is_empty() { "/".to_owned() } else { outer };
        let inner = if inner.is_empty() { "/".to_owned() } else { inner };
        let mapping = Mapping::new(outer.as_bytes(), inner.as_bytes()).unwrap();
        let path = format!("{}{rest}", outer.trim_end_matches('/'));
        let inward = mapping.inward(path.as_bytes()).unwrap();
        prop_assert!(inward.starts_with(b"/"));
        prop_assert_eq!(mapping.outward(&inward).unwrap(), path.into_bytes());
        prop_assert!(headers::is_clean(&inward));
    }
}
