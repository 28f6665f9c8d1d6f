use super::*;

fn client(body: RequestBody) -> Client {
    Client::new(Limits { piece: 1000, ..Limits::default() }, body, false, None)
}

fn wants(client: &mut Client, input: &[u8]) -> Option<usize> {
    match client.feed(input).unwrap().event {
        Event::WantBody { max } => Some(max),
        Event::More { .. } => None,
        other => panic!("{other:?}"),
    }
}

/// Feeds until more is needed or the exchange is over; what came, shortly.
fn read(client: &mut Client, input: &[u8]) -> (String, usize) {
    let (mut told, mut used) = (String::new(), 0);
    loop {
        let Fed { consumed, event } = client.feed(&input[used..]).unwrap();
        used += consumed;
        told.push_str(&match event {
            Event::More { .. } => return (told, used),
            Event::Head(head) => format!("{} ", head.status),
            Event::Body(data) => format!("[{}] ", data.escape_ascii()),
            Event::Flush => "flush ".into(),
            Event::WantBody { max } => format!("want {max} "),
            Event::WantEnd => "end ".into(),
            Event::Done { reusable } => return (told + if reusable { "keep" } else { "close" }, used),
        });
    }
}

fn packet() -> Vec<u8> {
    let mut packet = vec![b'.'; ROOM_BEFORE + 1000 + ROOM_AFTER];
    packet[ROOM_BEFORE..ROOM_BEFORE + 1000].fill(b'x');
    packet
}

#[test]
fn a_known_length_is_sent_as_it_is() {
    let mut client = client(RequestBody::Known(2500));
    let mut packet = packet();
    assert_eq!(client.first_body(), Some(1000));
    // Nothing is wanted before the first piece, which goes with the head.
    assert_eq!(wants(&mut client, b""), None);
    assert_eq!(client.frame_body(&mut packet, 1000), ROOM_BEFORE..ROOM_BEFORE + 1000);
    assert_eq!(client.first_body(), None);
    assert_eq!(wants(&mut client, b""), Some(1000));
    assert_eq!(wants(&mut client, b""), None, "wanted once");
    assert_eq!(client.frame_body(&mut packet, 700).len(), 700);
    assert_eq!(wants(&mut client, b""), Some(800));
    assert!(client.body_owed() && client.body_cut());
    assert_eq!(client.frame_body(&mut packet, 800).len(), 800);
    assert_eq!(wants(&mut client, b""), None);
    assert!(!client.body_owed() && !client.body_cut());
    assert_eq!(read(&mut client, b"HTTP/1.1 204 OK\r\n\r\n").0, "204 keep");
}

#[test]
fn an_unknown_length_is_sent_in_chunks() {
    let mut client = client(RequestBody::Unknown);
    let mut packet = packet();
    assert_eq!(client.first_body(), None);
    assert_eq!(wants(&mut client, b""), Some(1000));
    let sent = client.frame_body(&mut packet, 3);
    assert_eq!(packet[sent], *b"3\r\nxxx\r\n");
    packet[ROOM_BEFORE..].fill(b'y');
    assert_eq!(wants(&mut client, b""), Some(1000));
    let sent = client.frame_body(&mut packet, 1000);
    assert_eq!(packet[sent.clone()][..6], *b"3e8\r\ny");
    assert_eq!(packet[sent][1003..], *b"yy\r\n");
    assert_eq!(wants(&mut client, b""), Some(1000));
    assert!(client.body_owed() && !client.body_cut());
    let sent = client.frame_end(&mut packet);
    assert_eq!(packet[sent], *b"0\r\n\r\n");
    assert_eq!(wants(&mut client, b""), None);
    assert!(!client.body_owed());
    assert_eq!(client.frame_end(&mut packet), 0..0, "an end is sent once");
    assert_eq!(read(&mut client, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").0, "200 keep");
}

#[test]
fn an_empty_piece_is_never_an_end() {
    let mut client = client(RequestBody::Unknown);
    assert!(client.frame_body(&mut packet(), 0).is_empty());
    assert!(client.body_owed());
}

#[test]
fn sizes_of_chunks_are_plain_hexadecimal() {
    for (number, text) in
        [(1, "1"), (10, "a"), (16, "10"), (65_536, "10000"), (usize::MAX, "ffffffffffffffff")]
    {
        assert_eq!(hexadecimal(number, &mut [0; 16]), text.as_bytes());
    }
}

#[test]
fn a_body_that_broke_spoils_the_connection() {
    let mut client = client(RequestBody::Known(2500));
    let mut packet = packet();
    client.frame_body(&mut packet, 1000);
    assert!(client.frame_end(&mut packet).is_empty());
    assert_eq!(read(&mut client, b"HTTP/1.1 204 OK\r\n\r\n").0, "204 close");
}

#[test]
fn early_refusals_stop_the_upload() {
    for head in [
        "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 302 No\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 500 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
        "HTTP/1.0 401 No\r\nContent-Length: 2\r\n\r\n",
    ] {
        let mut client = client(RequestBody::Known(2500));
        client.frame_body(&mut packet(), 1000);
        assert_eq!(wants(&mut client, b""), Some(1000));
        let (told, used) = read(&mut client, head.as_bytes());
        assert_eq!((told.len(), used), (4, head.len()));
        assert!(client.declines_body() && client.body_owed(), "{head}");
        assert_eq!(read(&mut client, b"no").0, "[no] close");
    }
}

#[test]
fn an_early_success_is_no_refusal() {
    let mut client = client(RequestBody::Unknown);
    let mut packet = packet();
    assert_eq!(wants(&mut client, b""), Some(1000));
    assert_eq!(
        read(&mut client, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n").0,
        "200 [a] flush "
    );
    assert!(!client.declines_body());
    client.frame_body(&mut packet, 10);
    assert_eq!(read(&mut client, b"1\r\nb\r\n").0, "[b] flush want 1000 ");
    client.frame_end(&mut packet);
    assert_eq!(read(&mut client, b"0\r\n\r\n").0, "keep");
    // Also when the connection is going to be closed.
    let mut client = self::client(RequestBody::Unknown);
    assert_eq!(read(&mut client, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").0, "200 flush want 1000 ");
    assert!(!client.declines_body());
    // The response ends first: the rest of the request is never sent, and nothing else either.
    let mut client = self::client(RequestBody::Unknown);
    assert_eq!(read(&mut client, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").0, "200 close");
}

#[test]
fn interim_responses_are_passed_over_within_a_limit() {
    let mut client = client(RequestBody::None);
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let text = format!("HTTP/1.1 100 Continue\r\n\r\n{early}HTTP/1.1 204 Done\r\n\r\n");
    assert_eq!(read(&mut client, text.as_bytes()), ("204 keep".into(), text.len()));
    assert_eq!(client.interim(), 2);
    let mut client = self::client(RequestBody::None);
    let many = early.repeat(33);
    assert_eq!(client.feed(many.as_bytes()).unwrap_err(), Malformed::TooManyInterim(32));
    // From the first one on, patience runs; not while the request is being sent.
    for (body, inside) in [(RequestBody::None, true), (RequestBody::Unknown, false)] {
        let mut client = self::client(body);
        assert!(!client.inside_packet());
        read(&mut client, early.as_bytes());
        assert_eq!((client.inside_packet(), client.packets()), (inside, 0));
    }
}

#[test]
fn chunks_are_flushed_when_nothing_is_behind_them() {
    let mut client = client(RequestBody::None);
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(read(&mut client, head).0, "200 flush ", "the head too");
    assert_eq!(read(&mut client, b"2\r\nab\r\n1\r\nc\r\n").0, "[ab] [c] flush ");
    assert_eq!(read(&mut client, b"2\r\na").0, "[a] ");
    assert!(!client.inside_packet());
    assert_eq!(read(&mut client, b"b\r").0, "[b] ");
    assert!(client.inside_packet());
    assert_eq!(read(&mut client, b"\n").0, "flush ", "also when the line end comes late");
    assert_eq!(read(&mut client, b"0\r\n\r\n").0, "keep");
}

#[test]
fn a_length_is_not_flushed_on_the_way() {
    let mut client = client(RequestBody::None);
    let text = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab";
    assert_eq!(read(&mut client, text).0, "200 [ab] ");
    assert!(!client.closed(), "a close cuts it");
    assert_eq!(read(&mut client, b"cd").0, "[cd] keep");
}

#[test]
fn a_body_until_close_ends_with_the_connection_only() {
    let mut client = client(RequestBody::None);
    assert!(!client.closed());
    assert_eq!(read(&mut client, b"HTTP/1.1 200 OK\r\n\r\nab").0, "200 [ab] flush ");
    assert!(client.closed());
    assert_eq!(read(&mut client, b"").0, "close");
}

#[test]
fn no_body_where_none_can_be() {
    let chunked = "Transfer-Encoding: chunked";
    for (status, head, line) in [
        (200, true, "Content-Length: 5"),
        (200, true, chunked),
        (200, true, "A: b"),
        (204, false, chunked),
        (304, false, "Content-Length: 5"),
    ] {
        let mut client = Client::new(Limits::default(), RequestBody::None, head, None);
        let text = format!("HTTP/1.1 {status} X\r\n{line}\r\n\r\n");
        assert_eq!(read(&mut client, text.as_bytes()).0, format!("{status} keep"), "{line}");
        let mut client = Client::new(Limits::default(), RequestBody::None, head, None);
        let (told, used) = read(&mut client, format!("{text}hello").as_bytes());
        assert_eq!((told, used), (format!("{status} close"), text.len()), "octets behind the end");
    }
    // 205 may announce a body, but the client never sees one.
    let mut client = client(RequestBody::None);
    assert_eq!(read(&mut client, b"HTTP/1.1 205 X\r\nContent-Length: 2\r\n\r\nab").0, "205 keep");
}

#[test]
fn an_upgrade_must_have_been_asked_for() {
    let text = "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n";
    let with = |upgrade| Client::new(Limits::default(), RequestBody::None, false, upgrade);
    let mut client = with(Some(Upgrade::WEBSOCKET));
    assert_eq!(read(&mut client, format!("{text}\u{1}frames").as_bytes()), ("101 close".into(), text.len()));
    assert!(client.upgraded());
    assert_eq!(with(None).feed(text.as_bytes()).unwrap_err(), Malformed::Upgrade);
    for bad in [
        text.replace("WebSocket", "h2c"),
        text.replace("upgrade\r\n", "close\r\n"),
        text.replace("1.1", "1.0"),
        text.replace("Upgrade: ", "Upgrade: h2c\r\nUpgrade: "),
        "HTTP/1.1 101 Go\r\n\r\n".into(),
    ] {
        let mut client = with(Some(Upgrade::WEBSOCKET));
        assert_eq!(client.feed(bad.as_bytes()).unwrap_err(), Malformed::Upgrade, "{bad}");
    }
    let mut client = with(Some(Upgrade::WEBSOCKET));
    assert_eq!(read(&mut client, b"HTTP/1.1 426 No\r\nContent-Length: 0\r\n\r\n").0, "426 keep");
    assert!(!client.upgraded());
}

#[test]
fn only_a_clean_end_keeps_the_connection() {
    for (lines, keep) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\r\n", false),
        ("HTTP/1.1 204 OK\r\n\r\nHTTP/1.1 200 OK\r\n", false),
    ] {
        let (told, _) = read(&mut client(RequestBody::None), lines.as_bytes());
        assert_eq!(told.ends_with("keep"), keep, "{lines}");
    }
}
