use super::*;

fn good(text: &str) -> Parsed<'_> {
    let length = Search::default().find(text.as_bytes(), &HeadLimits::default()).unwrap();
    assert_eq!(length, Some(text.len()));
    parse(text.as_bytes(), MOST_LINES).unwrap()
}

fn names(text: &str) -> Vec<String> {
    good(text).head.fields.map(|(name, _)| String::from_utf8(name.to_vec()).unwrap()).collect()
}

#[test]
fn a_head_is_taken_apart() {
    let parsed = good(
        "HTTP/1.1 404 No such thing\r\nContent-Type: text/plain\r\nX-Empty:\r\nX-Blanks: \t a b\t \r\n\
         Content-Length: 12\r\n\r\n",
    );
    assert_eq!((parsed.head.status, parsed.modern, parsed.close), (404, true, false));
    assert_eq!(parsed.head.reason, Some(&b"No such thing"[..]));
    assert_eq!((parsed.head.content_length, parsed.framing), (Some(12), Framing::Length(12)));
    let pairs: Vec<_> = parsed.head.fields.collect();
    let expected: [(&[u8], &[u8]); 4] = [
        (b"Content-Type", b"text/plain"),
        (b"X-Empty", b""),
        (b"X-Blanks", b"a b"),
        (b"Content-Length", b"12"),
    ];
    assert_eq!(pairs, expected);
}

#[test]
fn headers_of_one_connection_are_left_out() {
    let text = "HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: close, X-A\r\nKeep-Alive: timeout=5\r\n\
                Transfer-Encoding: chunked\r\nTrailer: X-T\r\nTE: x\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\n\
                X-B: 2\r\nconnection: X-C, Content-Type\r\nx-c: 3\r\nContent-Type: text/plain\r\n\r\n";
    assert_eq!(names(text), ["X-B", "Content-Type"]);
    let parsed = good(text);
    assert!(parsed.close && !parsed.upgrades);
    assert_eq!((parsed.framing, parsed.upgrade), (Framing::Chunked, Some(&b"h2c"[..])));
}

#[test]
fn no_length_goes_with_a_status_that_has_no_body() {
    for status in [204, 205] {
        let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 5\r\nA: b\r\n\r\n");
        let parsed = good(&text);
        assert_eq!((parsed.head.content_length, parsed.framing), (None, Framing::Length(5)));
        assert_eq!(names(&text), ["A"]);
    }
    let text = "HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n";
    assert_eq!((good(text).head.content_length, names(text).len()), (Some(5), 1));
}

#[test]
fn reasons_are_shown_only_when_they_say_something() {
    let reason = |text: &str| good(&format!("HTTP/1.1 404{text}\r\n\r\n")).head.reason.map(<[u8]>::to_vec);
    assert_eq!(reason(" No Such Thing"), Some(b"No Such Thing".to_vec()));
    assert_eq!(reason(" Caf\u{e9}"), Some(" Caf\u{e9}".trim().as_bytes().to_vec()));
    for text in
        ["", " ", " 404", " a\0b", " \u{7f}", " \u{1b}[0m", &format!(" {}", "x".repeat(MAX_REASON + 1))]
    {
        assert_eq!(reason(text), None, "{text:?}");
    }
}

#[test]
fn many_lines_take_the_slow_way() {
    for count in [USUAL_LINES - 1, USUAL_LINES, USUAL_LINES + 1, MOST_LINES] {
        let lines: String = (0..count).map(|number| format!("x-{number}: {number}\r\n")).collect();
        assert_eq!(names(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n")).len(), count);
    }
    let lines = "a: b\r\n".repeat(80);
    let text = format!("HTTP/1.1 200 OK\r\n{lines}bad line\r\n\r\n");
    assert_eq!(parse(text.as_bytes(), MOST_LINES).unwrap_err(), Malformed::NoColon);
}

#[test]
fn limits_are_exact() {
    let limits = HeadLimits { head: 60, line: 30, lines: 2 };
    let find = |text: &str| Search::default().find(text.as_bytes(), &limits);
    let line = |octets: usize| format!("a: {}\r\n", "x".repeat(octets - 5));
    let status = "HTTP/1.1 200 OK\r\n";
    assert_eq!(find(&format!("{status}{}\r\n", line(30))), Ok(Some(49)));
    assert_eq!(find(&format!("{status}{}\r\n", line(31))), Err(Malformed::LineTooLong(30)));
    assert_eq!(find(&format!("{status}{}", "x".repeat(30))), Ok(None));
    assert_eq!(find(&format!("{status}{}", "x".repeat(31))), Err(Malformed::LineTooLong(30)));
    assert_eq!(find(&format!("{status}{}{}\r\n", line(20), line(21))), Ok(Some(60)));
    assert_eq!(find(&format!("{status}{}{}\r\n", line(21), line(21))), Err(Malformed::HeadTooLarge(60)));
    assert_eq!(find(&format!("{status}a:\r\nb:\r\nc:\r\n\r\n")), Err(Malformed::TooManyLines(2)));
    assert_eq!(find(&format!("{status}a:\r\nb:\r\n\r\n")), Ok(Some(27)));
}

#[test]
fn lengths_are_plain_numbers_below_two_to_the_63rd() {
    assert_eq!(length(b"0"), Some(0));
    assert_eq!(length(b"007"), Some(7));
    assert_eq!(length(b"9223372036854775807"), Some(i64::MAX as u64));
    for bad in
        ["", "+5", "-1", "5x", "0x5", "5,5", "5 5", "9223372036854775808", "99999999999999999999", "\u{663}"]
    {
        assert_eq!(length(bad.as_bytes()), None, "{bad}");
    }
}
