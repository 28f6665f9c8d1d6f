//! The table of malformed and borderline replies a web server must survive, as data: what a backend sends, and what the
//! client must see. `tests/ajp_malformed.rs` plays it into the machine; a scripted backend can play the same rows to a
//! running server.
//!
//! Rows carry numbers of one list; a row of several cases has a letter or a number behind a slash. Within a row `H` is a
//! good response head, `C` the body "hello" and `E` the end of the response with leave to reuse the connection.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses a part of this file")]

/// What a backend does after it has read the Forward Request (and the first body packet, when one is due).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Sends these octets.
    Bytes(Vec<u8>),
    /// Waits a moment, so that what was sent arrives on its own.
    Pause,
    /// Reads one more packet from the web server; it must come.
    Await,
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
    /// Sends nothing more and keeps the connection open.
    Silence,
}

/// The request the client makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// GET without a body.
    Get,
    /// HEAD.
    Head,
    /// POST with a Content-Length of this many octets, all of them sent at once.
    Post(usize),
    /// POST with a chunked body of this many octets.
    Chunked(usize),
}

/// What the client must see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A complete response.
    Good { status: u16, body: Vec<u8> },
    /// 502; no octet of what the backend sent.
    Bad502,
    /// 502 when nothing had gone out, else a connection that breaks off. `body`: the most that may be seen of the body.
    BadOrAbort { body: Vec<u8> },
    /// 504 when nothing had gone out, else a connection that breaks off.
    Timeout,
}

/// May the backend connection carry the next request?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    Yes,
    No,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Row {
    /// Number of the row and, behind a slash, the case.
    pub id: String,
    /// In words.
    pub what: &'static str,
    pub client: Client,
    pub pieces: Vec<Piece>,
    pub outcome: Outcome,
    pub reuse: Reuse,
    /// Headers the client must see.
    pub present: Vec<(&'static str, Vec<u8>)>,
    /// Headers the client must not see.
    pub absent: Vec<&'static str>,
    /// The reason phrase must be the standard one.
    pub standard_reason: bool,
    /// Most octets of payload the web server may accept: of a `max_packet_size` of 8192 used as hard limit, or of any.
    pub hard_limit: bool,
    /// Packets the web server sends beside the Forward Request; `None` when that does not matter.
    pub sent: Option<Vec<usize>>,
    /// Can be shown through a running server; else only in the machine, for the reason in the text of the row.
    pub live: bool,
}

impl Row {
    fn new(id: impl ToString, what: &'static str, pieces: Vec<Piece>, outcome: Outcome) -> Self {
        let reuse = if matches!(outcome, Outcome::Good { .. }) { Reuse::Yes } else { Reuse::No };
        Self {
            id: id.to_string(),
            what,
            client: Client::Get,
            pieces,
            outcome,
            reuse,
            present: vec![],
            absent: vec![],
            standard_reason: false,
            hard_limit: false,
            sent: None,
            live: true,
        }
    }

    fn client(self, client: Client) -> Self {
        Self { client, ..self }
    }

    fn no_reuse(self) -> Self {
        Self { reuse: Reuse::No, ..self }
    }

    fn absent(self, absent: &[&'static str]) -> Self {
        Self { absent: absent.to_vec(), ..self }
    }

    fn present(mut self, name: &'static str, value: &[u8]) -> Self {
        self.present.push((name, value.to_vec()));
        self
    }

    fn standard_reason(self) -> Self {
        Self { standard_reason: true, ..self }
    }

    fn hard_limit(self) -> Self {
        Self { hard_limit: true, ..self }
    }

    fn sent(self, sizes: &[usize]) -> Self {
        Self { sent: Some(sizes.to_vec()), ..self }
    }

    fn not_live(self) -> Self {
        Self { live: false, ..self }
    }

    /// The number in front of the slash.
    pub fn number(&self) -> u16 {
        self.id.split('/').next().unwrap().parse().unwrap()
    }
}

/// Rows that no stream of octets can show, and why.
pub const ELSEWHERE: &[(u16, &str)] = &[
    (2, "silence: the reply timeout belongs to the driver"),
    (
        14,
        "silence inside a packet: the packet deadline belongs to the driver; here it is shown that the machine says so",
    ),
    (16, "a slow drip against the packet deadline: needs a clock"),
    (33, "silence after the head: needs a clock"),
    (36, "octets that arrive while the connection is pooled: the pool looks at the socket"),
    (88, "a slow client: back pressure is the driver's, the machine keeps no data at all"),
    (104, "a backend that stops reading: needs a socket"),
    (105, "both sides write before they read: needs sockets"),
    (106, "client fault: the driver closes without calling frame_end"),
    (107, "client fault: as 106, before the first packet"),
    (108, "client fault: httpd's own input filter reports it"),
    (109, "client fault: needs a client"),
    (110, "client fault: httpd ends the body at the announced length"),
];

/// What comes instead of, or with, the answer to a CPing.
#[derive(Debug, Clone)]
pub struct Probe {
    pub id: &'static str,
    pub what: &'static str,
    pub octets: Vec<u8>,
    /// The connection may be used.
    pub good: bool,
}

/// Rows 37 to 39, and the good case.
pub fn probes() -> Vec<Probe> {
    let pong = packet(&[9]);
    let probe = |id, what, octets, good| Probe { id, what, octets, good };
    vec![
        probe("37/good", "CPong", pong.clone(), true),
        probe("37", "a response head instead of CPong", h(), false),
        probe("37/end", "an end of a response before CPong", [e(), pong.clone()].concat(), false),
        probe("38", "CPong twice", pong.repeat(2), false),
        probe("39", "CPong with 2 octets of payload", packet(&[9, 0]), false),
    ]
}

/// One frame around `payload`.
pub fn packet(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    [&b"AB"[..], &length.to_be_bytes(), payload].concat()
}

/// A string with length and terminator.
pub fn string(text: &[u8]) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text, &[0]].concat()
}

/// A body packet with `data`.
pub fn chunk(data: &[u8]) -> Vec<u8> {
    packet(&[&[3], string(data).as_slice()].concat())
}

/// Payload of a response head with `count` claimed headers and `pairs` as they are.
fn head_payload(status: u16, reason: &[u8], count: u16, pairs: &[u8]) -> Vec<u8> {
    [&[4][..], &status.to_be_bytes(), &string(reason), &count.to_be_bytes(), pairs].concat()
}

/// A response head; names are sent as strings.
pub fn head(status: u16, pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let octets: Vec<u8> =
        pairs.iter().flat_map(|(name, value)| [string(name), string(value)].concat()).collect();
    packet(&head_payload(status, b"OK", u16::try_from(pairs.len()).unwrap(), &octets))
}

fn h() -> Vec<u8> {
    head(200, &[(b"Content-Type", b"text/plain")])
}

fn c() -> Vec<u8> {
    chunk(b"hello")
}

fn e() -> Vec<u8> {
    packet(&[5, 1])
}

fn flush() -> Vec<u8> {
    chunk(b"")
}

fn ask(octets: u16) -> Vec<u8> {
    packet(&[&[6][..], &octets.to_be_bytes()].concat())
}

/// The shortest complete good response, 48 octets.
pub fn shortest() -> Vec<u8> {
    let pairs = [&[0xa0, 1][..], &string(b"text/plain")].concat();
    [packet(&head_payload(200, b"OK", 1, &pairs)), c(), e()].concat()
}

/// A head with one pair given octet by octet, then `C`, `E`.
fn one_pair(pair: &[u8]) -> Vec<Piece> {
    send(&[packet(&head_payload(200, b"OK", 1, pair)), c(), e()])
}

/// A head with one named header, then `C`, `E`.
fn one_header(name: &[u8], value: &[u8]) -> Vec<Piece> {
    send(&[head(200, &[(name, value)]), c(), e()])
}

/// All parts in one go.
fn send(parts: &[Vec<u8>]) -> Vec<Piece> {
    vec![Piece::Bytes(parts.concat())]
}

fn then(mut pieces: Vec<Piece>, last: Piece) -> Vec<Piece> {
    pieces.push(last);
    pieces
}

fn good(body: &[u8]) -> Outcome {
    Outcome::Good { status: 200, body: body.to_vec() }
}

fn status(status: u16, body: &[u8]) -> Outcome {
    Outcome::Good { status, body: body.to_vec() }
}

fn cut(body: &[u8]) -> Outcome {
    Outcome::BadOrAbort { body: body.to_vec() }
}

use Outcome::Bad502;

/// The whole table.
pub fn rows() -> Vec<Row> {
    [frames(), order(), heads(), bodies(), ends_and_questions()].concat()
}

/// Rows 1 to 21.
fn frames() -> Vec<Row> {
    let raw = |octets: &[u8]| vec![Piece::Bytes(octets.to_vec())];
    let mut rows = vec![
        Row::new(1, "closes at once", vec![Piece::Close], Bad502),
        Row::new("3/1", "cut magic", then(raw(&[0x41]), Piece::Close), Bad502),
        Row::new("3/2", "cut frame", then(raw(&[0x41, 0x42]), Piece::Close), Bad502),
        Row::new("3/3", "cut length", then(raw(&[0x41, 0x42, 0]), Piece::Close), Bad502),
        Row::new(4, "wrong magic", raw(&[0x58, 0x59, 0, 2, 5, 1]), Bad502),
        Row::new(
            5,
            "magic of the other direction",
            raw(&[&[0x12, 0x34][..], &h()[2..], &c(), &e()].concat()),
            Bad502,
        ),
        Row::new("6/1", "AJP14 magic", raw(&[0x41, 0x43, 0, 2, 5, 1]), Bad502),
        Row::new("6/2", "AJP14 magic", raw(&[0x12, 0x35, 0, 2, 5, 1]), Bad502),
        Row::new(7, "an HTTP answer", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Bad502),
        Row::new("8/alert", "a TLS record", raw(&[0x15, 3, 3, 0, 2, 2, 0x28]), Bad502),
        Row::new("8/handshake", "a TLS record", raw(&[0x16, 3, 1, 0, 5]), Bad502),
        Row::new(9, "payload length 0", send(&[vec![0x41, 0x42, 0, 0], h(), c(), e()]), Bad502),
        Row::new(10, "length above the receive limit", raw(&[0x41, 0x42, 0xff, 0xff]), Bad502).hard_limit(),
        Row::new(11, "length one above the payload maximum", send(&[sized_head(8189), c(), e()]), Bad502)
            .hard_limit(),
        Row::new(
            12,
            "length exactly the payload maximum",
            send(&[sized_head(8188), c(), e()]),
            good(b"hello"),
        )
        .hard_limit(),
        Row::new("12/any", "largest length there is", send(&[sized_head(65535), c(), e()]), good(b"hello")),
        Row::new(
            "13/head",
            "half a packet, then close",
            then(raw(&sized_head(100)[..54]), Piece::Close),
            Bad502,
        ),
        Row::new(
            "13/body",
            "half a packet, then close",
            then(send(&[h(), chunk(&[b'x'; 96])[..54].to_vec()]), Piece::Close),
            cut(&[b'x'; 47]),
        ),
        Row::new("15", "one octet at a time", drip(&shortest()), good(b"hello")),
    ];
    let shortest = shortest();
    assert_eq!(shortest.len(), 48);
    for at in 1..shortest.len() {
        let (front, back) = shortest.split_at(at);
        let pieces = vec![Piece::Bytes(front.to_vec()), Piece::Pause, Piece::Bytes(back.to_vec())];
        rows.push(Row::new(format!("17/{at}"), "split in two", pieces, good(b"hello")));
    }
    for (numbers, end, what) in [
        ([18, 19, 20], Piece::Close, "close after k octets"),
        ([21, 21, 21], Piece::Reset, "reset after k octets"),
    ] {
        for k in 0..shortest.len() {
            let (number, outcome) = match k {
                0..29 => (numbers[0], Bad502),
                29..42 => (numbers[1], cut(&b"hello"[..k.saturating_sub(36).min(5)])),
                _ => (numbers[2], cut(b"hello")),
            };
            let pieces = then(raw(&shortest[..k]), end.clone());
            rows.push(Row::new(format!("{number}/{k}"), what, pieces, outcome));
        }
    }
    rows
}

/// A good response head whose payload is exactly `payload` octets.
fn sized_head(payload: usize) -> Vec<u8> {
    let empty = head(200, &[(b"X-Fill", b"")]).len() - 4;
    head(200, &[(b"X-Fill", &vec![b'f'; payload - empty])])
}

fn drip(octets: &[u8]) -> Vec<Piece> {
    octets.iter().flat_map(|&octet| [Piece::Bytes(vec![octet]), Piece::Pause]).collect()
}

/// Rows 22 to 39.
fn order() -> Vec<Row> {
    let typed = |kind: u8| send(&[packet(&[kind, 0, 0]), h(), c(), e()]);
    let mut rows = vec![];
    for kind in [0, 1, 11, 16, 30, 255] {
        rows.push(Row::new(format!("22/{kind}"), "unknown packet type", typed(kind), Bad502));
    }
    for kind in [2, 7, 8, 10] {
        rows.push(Row::new(format!("23/{kind}"), "packet type of a web server", typed(kind), Bad502));
    }
    let pong = packet(&[9]);
    let second = head(404, &[(b"X-Second", b"1")]);
    rows.extend([
        Row::new("24/first", "CPong out of turn", send(&[pong.clone(), h(), c(), e()]), Bad502),
        Row::new("24/later", "CPong out of turn", send(&[h(), pong, e()]), cut(b"")),
        Row::new(25, "body before the head", send(&[c(), h(), e()]), Bad502),
        Row::new(26, "a flush before the head", send(&[flush(), h(), c(), e()]), good(b"hello")),
        Row::new(
            "26/16",
            "16 flushes before the head",
            send(&[flush().repeat(16), h(), c(), e()]),
            good(b"hello"),
        ),
        Row::new(27, "17 flushes before the head", send(&[flush().repeat(17), h(), c(), e()]), Bad502),
        Row::new(28, "end without head", send(&[e()]), Bad502),
        Row::new(29, "two heads", send(&[h(), second.clone(), c(), e()]), cut(b"")).absent(&["X-Second"]),
        Row::new(30, "a second head after body", send(&[h(), c(), second, e()]), cut(b"hello"))
            .absent(&["X-Second"]),
        Row::new(31, "no body", send(&[h(), e()]), good(b"")),
        Row::new(32, "no end", then(send(&[h(), c()]), Piece::Close), cut(b"hello")),
        Row::new(34, "octets behind the end", send(&[h(), c(), e(), b"junk".to_vec()]), good(b"hello"))
            .no_reuse(),
        Row::new(
            35,
            "a second response behind the end",
            send(&[h(), c(), e(), head(200, &[(b"X-Second", b"1")]), chunk(b"SECOND"), e()]),
            good(b"hello"),
        )
        .no_reuse()
        .absent(&["X-Second"]),
    ]);
    rows
}

/// Rows 40 to 75.
fn heads() -> Vec<Row> {
    let payload = |payload: &[u8]| send(&[packet(payload), c(), e()]);
    let reason = |reason: &[u8]| send(&[packet(&head_payload(200, reason, 0, &[])), c(), e()]);
    let mut rows = vec![
        Row::new("40/1", "cut head", payload(&[4]), Bad502),
        Row::new("40/2", "cut head", payload(&[4, 0]), Bad502),
        Row::new("40/3", "cut head", payload(&[4, 0, 0xc8]), Bad502),
        Row::new(
            41,
            "reason length past the end",
            payload(&[4, 0, 0xc8, 0, 0x50, b'O', b'K', 0, 0, 0]),
            Bad502,
        ),
        Row::new(42, "reason without terminator", payload(&[4, 0, 0xc8, 0, 2, b'O', b'K', 1, 0, 0]), Bad502),
        Row::new(
            43,
            "last value ends at the end of the payload",
            payload(&head_payload(200, b"OK", 1, &no_nul())),
            Bad502,
        ),
        Row::new(44, "null reason", payload(&[4, 0, 0xc8, 0xff, 0xff, 0, 0]), good(b"hello"))
            .standard_reason(),
        Row::new(45, "empty reason", reason(b""), good(b"hello")).standard_reason(),
        Row::new("46/crlf", "controls in the reason", reason(b"OK\r\nX-Inj: 1"), good(b"hello"))
            .standard_reason()
            .absent(&["X-Inj"]),
        Row::new("46/nul", "controls in the reason", reason(b"O\0K"), good(b"hello")).standard_reason(),
        Row::new("46/soh", "controls in the reason", reason(b"O\x01K"), good(b"hello")).standard_reason(),
        Row::new("46/del", "controls in the reason", reason(b"O\x7fK"), good(b"hello")).standard_reason(),
        Row::new(47, "a reason of 8000 octets", reason(&[b'r'; 8000]), good(b"hello")).standard_reason(),
    ];
    for number in [0, 99, 1000, 65535] {
        rows.push(Row::new(
            format!("48/{number}"),
            "status out of range",
            send(&[head(number, &[]), c(), e()]),
            Bad502,
        ));
    }
    for number in [100, 102, 103] {
        let pieces = send(&[head(number, &[]), h(), c(), e()]);
        rows.push(Row::new(format!("49/{number}"), "an interim head first", pieces, Bad502));
    }
    for number in [100, 101] {
        rows.push(Row::new(
            format!("50/{number}"),
            "an interim head alone",
            send(&[head(number, &[]), e()]),
            Bad502,
        ));
    }
    let upgrade: [(&[u8], &[u8]); 2] = [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")];
    rows.push(Row::new(51, "101 with Upgrade", send(&[head(101, &upgrade), c(), e()]), Bad502));
    for number in [600, 999] {
        let pieces = send(&[head(number, &[]), c(), e()]);
        rows.push(Row::new(format!("52/{number}"), "an unusual status", pieces, status(number, b"hello")));
    }
    let pair = [string(b"X-A"), string(b"1")].concat();
    rows.extend([
        Row::new(
            "53/5",
            "more headers counted than sent",
            payload(&head_payload(200, b"OK", 5, &pair)),
            Bad502,
        ),
        Row::new(
            "53/65535",
            "more headers counted than sent",
            payload(&head_payload(200, b"OK", 65535, &pair)),
            Bad502,
        ),
        Row::new(
            54,
            "fewer headers counted than sent",
            payload(&head_payload(200, b"OK", 1, &pair.repeat(2))),
            good(b"hello"),
        )
        .present("X-A", b"1"),
        Row::new(
            "54/0",
            "fewer headers counted than sent",
            payload(&head_payload(200, b"OK", 0, &pair)),
            good(b"hello"),
        )
        .absent(&["X-A"]),
        Row::new(
            55,
            "junk behind the headers",
            payload(&head_payload(200, b"OK", 1, &[&pair[..], b"junk"].concat())),
            good(b"hello"),
        )
        .present("X-A", b"1"),
    ]);
    let value = string(b"v");
    for (id, what, name) in [
        ("56", "header code a000", vec![0xa0, 0]),
        ("57/a00c", "undefined header code", vec![0xa0, 0x0c]),
        ("57/a0ff", "undefined header code", vec![0xa0, 0xff]),
        ("58", "a name of 41217 octets", vec![0xa1, 1]),
        ("59", "null header name", vec![0xff, 0xff]),
        ("60", "empty header name", vec![0, 0, 0]),
    ] {
        rows.push(Row::new(id, what, one_pair(&[name, value.clone()].concat()), Bad502));
    }
    for (id, name) in [
        ("61/space", &b"X A"[..]),
        ("61/colon", b"X:A"),
        ("61/crlf", b"X\r\nY"),
        ("61/nul", b"X\0A"),
        ("61/high", b"X\xe9"),
    ] {
        rows.push(
            Row::new(id, "an octet that no name has", one_header(name, b"v"), Bad502).absent(&["X", "Y"]),
        );
    }
    rows.push(Row::new(
        62,
        "null header value",
        one_pair(&[&string(b"X-A")[..], &[0xff, 0xff]].concat()),
        Bad502,
    ));
    for (id, value) in [
        ("63/crlf", &b"1\r\nX-Inj: 1"[..]),
        ("63/lf", b"1\nX-Inj: 1"),
        ("63/cr", b"1\rX-Inj: 1"),
        ("63/nul", b"1\0"),
        ("64/soh", b"1\x01"),
        ("64/del", b"\x7f1"),
    ] {
        rows.push(
            Row::new(id, "a control octet in a value", one_header(b"X-A", value), Bad502)
                .absent(&["X-Inj", "X-A"]),
        );
    }
    rows.push(
        Row::new(
            65,
            "octets from 0x80 on in a value",
            one_header(b"X-A", b"caf\xc3\xa9 \xff"),
            good(b"hello"),
        )
        .present("X-A", b"caf\xc3\xa9 \xff"),
    );
    rows.push(
        Row::new(66, "blanks around a value", one_header(b"X-A", b" \t v w\t "), good(b"hello"))
            .present("X-A", b"v w"),
    );
    let whole = head_payload(200, b"OK", 2, &[&pair[..], &[0xa0, 1], &string(b"text/plain")].concat());
    let first_pair = head_payload(200, b"OK", 2, &[]).len();
    for at in first_pair..whole.len() {
        rows.push(Row::new(
            format!("67/{at}"),
            "the payload ends inside a pair",
            payload(&whole[..at]),
            Bad502,
        ));
    }
    let lengths = |first: &[u8], second: &[u8]| {
        send(&[head(200, &[(b"Content-Length", first), (b"content-length", second)]), c(), e()])
    };
    rows.push(Row::new("68/equal", "Content-Length twice", lengths(b"5", b"5"), Bad502));
    rows.push(Row::new("68/other", "Content-Length twice", lengths(b"5", b"6"), Bad502));
    for value in ["5x", "-1", "+5", "", "0x5", "5,5", "12345678901234567890"] {
        let pieces = one_header(b"Content-Length", value.as_bytes());
        rows.push(Row::new(format!("69/{value}"), "Content-Length is no number", pieces, Bad502));
    }
    let zero = send(&[head(200, &[(b"Content-Length", b"0")]), e()]);
    rows.push(Row::new(70, "Content-Length 0 and no body", zero, good(b"")));
    for (id, length, body) in [
        ("71/raw", None, &b"hello"[..]),
        ("71/chunks", None, b"5\r\nhello\r\n0\r\n\r\n"),
        ("71/length", Some(&b"5"[..]), b"hello"),
    ] {
        let mut pairs: Vec<(&[u8], &[u8])> = vec![(b"Transfer-Encoding", b"chunked")];
        pairs.extend(length.map(|length| (&b"Content-Length"[..], length)));
        let pieces = send(&[head(200, &pairs), chunk(body), e()]);
        // A server may frame the body in chunks itself: the name may be seen by a client, but not from the backend.
        rows.push(
            Row::new(id, "Transfer-Encoding from the backend", pieces, good(body))
                .absent(&["Transfer-Encoding"]),
        );
    }
    let hop: [(&[u8], &[u8]); 9] = [
        (b"X-A", b"1"),
        (b"Connection", b"close, X-A"),
        (b"Keep-Alive", b"timeout=987"),
        (b"Upgrade", b"h2c"),
        (b"Trailer", b"X-T"),
        (b"TE", b"trailers"),
        (b"Proxy-Connection", b"close"),
        (b"Proxy-Authenticate", b"Basic"),
        (b"X-B", b"2"),
    ];
    rows.push(
        Row::new(72, "headers of one connection", send(&[head(200, &hop), c(), e()]), good(b"hello"))
            .absent(&[
                "X-A",
                "Keep-Alive",
                "Upgrade",
                "Trailer",
                "TE",
                "Proxy-Connection",
                "Proxy-Authenticate",
            ])
            .present("X-B", b"2"),
    );
    let many: Vec<u8> = (0..2000)
        .flat_map(|n| [string(format!("X-{n:04}").as_bytes()), string(b"0123456789")].concat())
        .collect();
    let many = packet(&head_payload(200, b"OK", 2000, &many));
    rows.push(
        Row::new(73, "2000 headers", send(&[many, c(), e()]), good(b"hello"))
            .present("X-1999", b"0123456789"),
    );
    let long = [&b"Text/Plain; Charset=\"UTF-8\"; x="[..], &[b'y'; 4000]].concat();
    rows.push(
        Row::new(74, "a long Content-Type", one_header(b"content-type", &long), good(b"hello"))
            .present("Content-Type", &long),
    );
    for (id, code) in [("75/location", 6), ("75/cookie", 7)] {
        let pair = [&[0xa0, code][..], &string(b"/\r\nX-Inj: 1")].concat();
        rows.push(Row::new(id, "controls in a coded header", one_pair(&pair), Bad502).absent(&["X-Inj"]));
    }
    rows
}

/// A pair whose value has no terminator.
fn no_nul() -> Vec<u8> {
    let mut pair = [string(b"X-A"), string(b"1")].concat();
    pair.pop();
    pair
}

/// Rows 76 to 88.
fn bodies() -> Vec<Row> {
    let body = |payload: &[u8]| send(&[h(), packet(payload), e()]);
    let length = |announced: &[u8], rest: &[Vec<u8>]| {
        send(&[head(200, &[(b"Content-Length", announced)]), rest.concat()])
    };
    let mut rows = vec![
        Row::new("76/1", "no chunk length", body(&[3]), cut(b"")),
        Row::new("76/2", "half a chunk length", body(&[3, 0]), cut(b"")),
        // Without padding the same octets are right (row 80); only an announced length tells the difference.
        Row::new(
            77,
            "padding counted as data",
            send(&[h(), packet(b"\x03\0\x06hello\0"), e()]),
            good(b"hello\0"),
        ),
        Row::new(
            "77/length",
            "padding counted as data",
            length(b"5", &[packet(b"\x03\0\x06hello\0"), e()]),
            cut(b"hello"),
        ),
        Row::new("77/beyond", "chunk length one beyond the payload", body(b"\x03\0\x07hello\0"), cut(b"")),
        Row::new("78/50", "chunk length far beyond", body(b"\x03\0\x32hello\0"), cut(b"")),
        Row::new("78/65534", "chunk length far beyond", body(b"\x03\xff\xfehello\0"), cut(b"")),
        Row::new(79, "chunk length below the data", body(b"\x03\0\x03hello\0"), cut(b"")),
        Row::new(80, "no padding", body(b"\x03\0\x05hello"), good(b"hello")),
        Row::new(81, "padding that is not NUL", body(b"\x03\0\x05hello\xff"), good(b"hello")),
        Row::new(82, "two octets of padding", body(b"\x03\0\x05hello\0\0"), cut(b"")),
    ];
    for number in [204, 205, 304] {
        let pieces = send(&[head(number, &[]), c(), flush(), e()]);
        rows.push(Row::new(format!("83/{number}"), "body where none may be", pieces, status(number, b"")));
    }
    let answer_to_head = send(&[head(200, &[(b"Content-Length", b"10")]), c(), e()]);
    rows.push(Row::new("83/HEAD", "body where none may be", answer_to_head, good(b"")).client(Client::Head));
    let bare_head = send(&[head(200, &[(b"Content-Length", b"10")]), e()]);
    rows.push(Row::new("83/HEAD-bare", "Content-Length for HEAD", bare_head, good(b"")).client(Client::Head));
    rows.extend([
        Row::new(84, "body shorter than announced", length(b"10", &[c(), e()]), cut(b"hello")),
        Row::new(85, "body longer than announced", length(b"3", &[c(), e()]), cut(b"hel")),
        Row::new(
            "85/later",
            "body longer than announced",
            length(b"5", &[c(), chunk(b"x"), e()]),
            cut(b"hello"),
        ),
        Row::new(86, "a flush behind the announced body", length(b"5", &[c(), flush(), e()]), good(b"hello")),
        Row::new(87, "100000 flushes", send(&[h(), flush().repeat(100_000), c(), e()]), good(b"hello")),
    ]);
    rows
}

/// Rows 89 to 103.
fn ends_and_questions() -> Vec<Row> {
    let end = |payload: &[u8]| send(&[h(), c(), packet(payload)]);
    let mut rows = vec![
        Row::new(89, "end without flag", end(&[5]), good(b"hello")).no_reuse(),
        Row::new(90, "end, not reusable", end(&[5, 0]), good(b"hello")).no_reuse(),
        Row::new("91/2", "flag neither 0 nor 1", end(&[5, 2]), good(b"hello")).no_reuse(),
        Row::new("91/255", "flag neither 0 nor 1", end(&[5, 0xff]), good(b"hello")).no_reuse(),
        Row::new(92, "an octet behind the flag", end(&[5, 1, 0]), good(b"hello")).no_reuse(),
    ];
    let asked = |octets: u16, times: usize| -> Vec<Piece> {
        (0..times).flat_map(|_| [Piece::Bytes(ask(octets)), Piece::Await]).collect()
    };
    let answer = || Piece::Bytes([h(), c(), e()].concat());
    let often = |times: usize| then(asked(8186, times), answer());
    // After the ninth question nothing is sent any more.
    let too_often = || then(asked(8186, 8), Piece::Bytes(ask(8186)));
    rows.extend([
        Row::new(93, "a question although there is no body", often(1), good(b"hello")).sent(&[4]),
        Row::new("93/8", "8 questions although there is no body", often(8), good(b"hello")).sent(&[4; 8]),
        Row::new(94, "too many questions although there is no body", too_often(), Bad502).sent(&[4; 8]),
        Row::new("95/1", "a question without a number", send(&[packet(&[6]), h(), c(), e()]), Bad502),
        Row::new("95/2", "a question with half a number", send(&[packet(&[6, 0x1f]), h(), c(), e()]), Bad502),
        Row::new("95/4", "a question too long", send(&[packet(&[6, 0x1f, 0xfa, 0]), h(), c(), e()]), Bad502),
        Row::new("95/later", "a question too long", send(&[h(), packet(&[6, 0x1f, 0xfa, 0])]), cut(b"")),
        Row::new(96, "a question for nothing", send(&[ask(0), h(), c(), e()]), Bad502)
            .client(Client::Post(9000)),
    ]);
    let mut one_by_one = vec![8192];
    one_by_one.extend([7; 14]);
    rows.extend([
        Row::new(97, "one octet at a time", then(asked(1, 14), answer()), good(b"hello"))
            .client(Client::Post(8200))
            .sent(&one_by_one),
        Row::new(98, "more than a packet holds", then(asked(0xffff, 1), answer()), good(b"hello"))
            .client(Client::Post(20_000))
            .sent(&[8192, 8192]),
        Row::new("98/chunked", "more than a packet holds", then(asked(0xffff, 1), answer()), good(b"hello"))
            .client(Client::Chunked(20_000))
            .sent(&[8192]),
        Row::new(99, "questions after the end of the body", often(8), good(b"hello"))
            .client(Client::Post(3))
            .sent(&[&[9][..], &[4; 8]].concat()),
        Row::new("99/chunked", "a question after the end of the body", often(3), good(b"hello"))
            .client(Client::Chunked(3))
            .sent(&[9, 4, 4]),
        Row::new("99/9", "too many questions after the end of the body", too_often(), Bad502)
            .client(Client::Post(3))
            .sent(&[&[9][..], &[4; 8]].concat()),
        Row::new(100, "a question behind the end", send(&[h(), c(), e(), ask(100)]), good(b"hello"))
            .client(Client::Post(20_000))
            .no_reuse()
            .sent(&[8192]),
        // A running server may have answered the first question before it reads the second.
        Row::new(101, "two questions at once", send(&[ask(10), ask(10), h(), c(), e()]), Bad502)
            .client(Client::Post(20_000))
            .not_live(),
        // A running server may have answered before it reads the end.
        Row::new(102, "the end while a question is open", send(&[ask(10), h(), c(), e()]), good(b"hello"))
            .client(Client::Post(20_000))
            .no_reuse()
            .not_live(),
        // The first packet was sent and nothing is owed, so the machine allows reuse; a driver that has stopped in the middle
        // of a packet must not.
        Row::new(
            103,
            "an answer before the upload has ended",
            send(&[head(413, &[]), c(), e()]),
            status(413, b"hello"),
        )
        .client(Client::Post(20_000))
        .sent(&[8192]),
    ]);
    rows
}
