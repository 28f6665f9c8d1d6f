//! What the table of malformed input cannot show: the flow of the request body and the questions of the driver.

use super::*;

const LIMITS: Limits = Limits { max_packet: 8192, receive_limit: 65535 };
const HEAD: &[u8] = &[0x41, 0x42, 0, 8, 4, 0, 200, 0, 0, 0, 0, 0];
const END: &[u8] = &[0x41, 0x42, 0, 2, 5, 1];

fn ask(octets: u16) -> Vec<u8> {
    let [high, low] = octets.to_be_bytes();
    vec![0x41, 0x42, 0, 3, 6, high, low]
}

fn event<'a>(client: &mut Client, input: &'a [u8]) -> Event<'a> {
    let fed = client.feed(input).unwrap();
    assert_eq!(fed.consumed, input.len());
    fed.event
}

fn done(client: &mut Client) -> bool {
    assert!(matches!(event(client, HEAD), Event::Head(_)));
    match event(client, END) {
        Event::Done { reusable } => reusable,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_packet_of_a_known_body_is_due_unasked() {
    let mut client = Client::new(LIMITS, RequestBody::Known(10_000), false);
    let mut packet = vec![0; ROOM_BEFORE + 8192];
    assert_eq!(client.first_body(), Some(8186));
    assert!(client.body_owed());
    assert_eq!(client.frame_body(&mut packet, 8186).len(), 8192);
    assert_eq!(packet[ROOM_BEFORE - 6..ROOM_BEFORE], [0x12, 0x34, 0x1f, 0xfc, 0x1f, 0xfa]);
    assert_eq!(client.first_body(), None);
    assert!(matches!(event(&mut client, &ask(8186)), Event::WantBody { max: 1814 }));
    client.frame_body(&mut packet, 1814);
    assert!(!client.body_owed());
    assert!(done(&mut client));
}

#[test]
fn an_unread_rest_does_not_spoil_the_connection_but_an_unsent_first_packet_does() {
    let mut packet = vec![0; ROOM_BEFORE + 8];
    let mut client = Client::new(LIMITS, RequestBody::Known(10_000), false);
    client.frame_body(&mut packet, 5);
    assert!(done(&mut client));
    assert!(!done(&mut Client::new(LIMITS, RequestBody::Known(5), false)));
    assert!(done(&mut Client::new(LIMITS, RequestBody::Unknown, false)));
}

#[test]
fn an_unanswered_question_spoils_the_connection() {
    let mut client = Client::new(LIMITS, RequestBody::Unknown, false);
    assert!(matches!(event(&mut client, &ask(100)), Event::WantBody { max: 100 }));
    assert!(!done(&mut client));
    let mut client = Client::new(LIMITS, RequestBody::None, false);
    assert!(matches!(event(&mut client, &ask(100)), Event::WantEnd));
    assert!(!done(&mut client));
}

#[test]
fn a_question_before_the_first_packet_stays_open_after_it() {
    let mut packet = vec![0; ROOM_BEFORE + 16];
    let mut client = Client::new(LIMITS, RequestBody::Known(10), false);
    assert!(matches!(event(&mut client, &ask(4)), Event::WantBody { max: 4 }));
    client.frame_body(&mut packet, 6);
    assert_eq!(client.feed(&ask(4)).unwrap_err(), Malformed::AskedTwice);

    let mut client = Client::new(LIMITS, RequestBody::Known(10), false);
    assert!(matches!(event(&mut client, &ask(4)), Event::WantBody { max: 4 }));
    client.frame_body(&mut packet, 6);
    client.frame_body(&mut packet, 4);
    assert!(!client.body_owed());
    assert!(done(&mut client));
}

#[test]
fn an_unknown_body_ends_when_the_driver_says_so() {
    let mut packet = vec![0; ROOM_BEFORE + 16];
    let mut client = Client::new(LIMITS, RequestBody::Unknown, false);
    assert_eq!(client.first_body(), None);
    assert!(matches!(event(&mut client, &ask(0xffff)), Event::WantBody { max: 8186 }));
    client.frame_body(&mut packet, 16);
    assert!(client.body_owed());
    assert!(matches!(event(&mut client, &ask(1)), Event::WantBody { max: 1 }));
    assert_eq!(client.frame_end(&mut packet), 0..4);
    assert_eq!(packet[..4], [0x12, 0x34, 0, 0]);
    assert!(!client.body_owed());
    for _ in 0..MAX_EMPTY_ANSWERS {
        assert!(matches!(event(&mut client, &ask(1)), Event::WantEnd));
        client.frame_end(&mut packet);
    }
    assert_eq!(client.feed(&ask(1)).unwrap_err(), Malformed::AskedTooOften);
}

#[test]
fn an_end_before_the_announced_length_spoils_the_connection() {
    let mut packet = vec![0; ROOM_BEFORE + 16];
    let mut client = Client::new(LIMITS, RequestBody::Known(10), false);
    client.frame_body(&mut packet, 6);
    event(&mut client, &ask(4));
    client.frame_end(&mut packet);
    assert!(!done(&mut client));
}

#[test]
fn body_is_handed_out_as_it_arrives() {
    let mut client = Client::new(LIMITS, RequestBody::None, false);
    assert!(!client.reply_begun());
    event(&mut client, HEAD);
    assert!(client.reply_begun() && !client.inside_packet());
    let chunk = [0x41, 0x42, 0, 9, 3, 0, 5, b'h', b'e', b'l', b'l', b'o', 0];
    let fed = client.feed(&chunk[..6]).unwrap();
    assert!(matches!(fed, Fed { consumed: 0, event: Event::More { need: 7 } }));
    assert!(client.inside_packet());
    assert!(matches!(client.feed(&chunk[..7]).unwrap(), Fed { consumed: 7, event: Event::More { need: 1 } }));
    assert!(matches!(event(&mut client, &chunk[7..9]), Event::Body(b"he")));
    assert!(matches!(event(&mut client, &chunk[9..12]), Event::Body(b"llo")));
    assert!(client.inside_packet(), "the padding is missing");
    assert!(matches!(event(&mut client, &chunk[12..]), Event::More { .. }));
    assert!(!client.inside_packet());
    assert!(matches!(event(&mut client, &chunk[..12]), Event::Body(b"hello")));
}

#[test]
fn sizes_are_noticed() {
    let mut big = vec![0x41, 0x42, 0xff, 0xff];
    let mut client = Client::new(LIMITS, RequestBody::None, false);
    assert!(matches!(event_of(&mut client, &big), Event::More { need: 5 }));
    big.push(4);
    assert!(matches!(event_of(&mut client, &big), Event::More { need: 65539 }));
    assert!(client.oversized());
    let hard = Limits { max_packet: 8192, receive_limit: 8188 };
    let mut client = Client::new(hard, RequestBody::None, false);
    assert_eq!(client.feed(&big).unwrap_err(), Malformed::TooLong { length: 65535, limit: 8188 });
}

fn event_of<'a>(client: &mut Client, input: &'a [u8]) -> Event<'a> {
    client.feed(input).unwrap().event
}

#[test]
fn nothing_is_read_after_the_end() {
    let mut client = Client::new(LIMITS, RequestBody::None, false);
    assert!(done(&mut client));
    assert!(matches!(client.feed(&[]).unwrap().event, Event::Done { reusable: true }));
    let fed = client.feed(HEAD).unwrap();
    assert!(matches!(fed, Fed { consumed: 0, event: Event::Done { reusable: false } }));
}
