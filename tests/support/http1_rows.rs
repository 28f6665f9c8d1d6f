//! Malformed and borderline answers of HTTP backends, as data: what a backend sends before it closes the connection, and
//! what has to come of it. `tests/http1_malformed.rs` plays them into the machine; a scripted backend can play the same
//! rows to a running server.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of this file")]

use mod_jk_rs::engine::http1::Malformed;

/// What has to come of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A complete response with this body; the connection is kept.
    Keep(u16, &'static str),
    /// A complete response with this body; the connection is closed.
    Close(u16, &'static str),
    /// 502 and no octet of the answer.
    Bad(Malformed),
    /// The head and this part of the body, then the client's connection breaks off.
    Abort(Malformed, &'static str),
    /// The answer is cut before its head is complete.
    NoHead,
    /// The answer is cut inside its body, of which this much was there.
    Cut(&'static str),
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Row {
    pub what: &'static str,
    /// The request is a HEAD.
    pub head: bool,
    pub octets: Vec<u8>,
    pub outcome: Outcome,
    /// Header lines the client sees, as `name: value`; `None` when they do not matter.
    pub lines: Option<Vec<&'static str>>,
    /// The backend's own reason is shown; `None` when it does not matter.
    pub reason: Option<bool>,
}

impl Row {
    fn seen(mut self, lines: &[&'static str]) -> Self {
        self.lines = Some(lines.to_vec());
        self
    }

    fn reason(mut self, own: bool) -> Self {
        self.reason = Some(own);
        self
    }
}

fn row(what: &'static str, octets: impl AsRef<[u8]>, outcome: Outcome) -> Row {
    Row { what, head: false, octets: octets.as_ref().to_vec(), outcome, lines: None, reason: None }
}

fn head(what: &'static str, octets: impl AsRef<[u8]>, outcome: Outcome) -> Row {
    Row { head: true, ..row(what, octets, outcome) }
}

/// An answer with this status line and an empty body.
fn line(what: &'static str, line: impl AsRef<[u8]>, outcome: Outcome) -> Row {
    row(what, [line.as_ref(), b"\r\nContent-Length: 0\r\n\r\n"].concat(), outcome)
}

/// An answer with this header line and an empty body.
fn header(what: &'static str, line: impl AsRef<[u8]>, outcome: Outcome) -> Row {
    row(what, [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", line.as_ref(), b"\r\n\r\n"].concat(), outcome)
}

/// An answer with these framing lines and behind them five octets, `hello`.
fn framed(what: &'static str, lines: &str, outcome: Outcome) -> Row {
    row(what, format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\nhello"), outcome)
}

/// An answer in chunks.
fn chunks(what: &'static str, body: impl AsRef<[u8]>, outcome: Outcome) -> Row {
    row(what, [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", body.as_ref()].concat(), outcome)
}

/// All rows.
pub fn rows() -> Vec<Row> {
    [status_lines(), lines(), lengths(), chunked(), endings(), interim(), limits()].concat()
}

fn status_lines() -> Vec<Row> {
    use Malformed::{NotHttp, Status, StatusLine, Version};
    use Outcome::{Bad, Close, Keep, NoHead};
    let ok = || Keep(200, "");
    vec![
        line("plain", "HTTP/1.1 200 OK", ok()).reason(true),
        line("no reason", "HTTP/1.1 200 ", ok()).reason(false),
        line("no reason and no blank", "HTTP/1.1 200", ok()).reason(false),
        line("reason of digits", "HTTP/1.1 200 200", ok()).reason(false),
        line("reason with octets from 0x80", b"HTTP/1.1 200 \xfc\xff", ok()).reason(true),
        line("reason with an escape sequence", "HTTP/1.1 200 a\x1b[2J", ok()).reason(false),
        line("reason with NUL", "HTTP/1.1 200 a\0b", ok()).reason(false),
        line("reason with a carriage return", "HTTP/1.1 200 OK\rX-Inj: 1", Bad(Malformed::BareCr)),
        line("reason with a line feed", "HTTP/1.1 200 OK\nX-Inj: 1", Bad(Malformed::BareLf)),
        line("status 999", "HTTP/1.1 999 X", Keep(999, "")),
        line("status 99", "HTTP/1.1 099 X", Bad(Status(99))),
        line("status 0", "HTTP/1.1 000 X", Bad(Status(0))),
        line("two digits", "HTTP/1.1 20 X", Bad(StatusLine)),
        line("four digits", "HTTP/1.1 2000 X", Bad(StatusLine)),
        line("a sign", "HTTP/1.1 +20 X", Bad(StatusLine)),
        line("letters", "HTTP/1.1 abc X", Bad(StatusLine)),
        line("two blanks in front", "HTTP/1.1  200 X", Bad(StatusLine)),
        line("a tab in front", "HTTP/1.1\t200 X", Bad(StatusLine)),
        line("a tab behind", "HTTP/1.1 200\tX", Bad(StatusLine)),
        line("no status", "HTTP/1.1", Bad(StatusLine)),
        line("HTTP/1.0", "HTTP/1.0 200 X", Close(200, "")),
        line("HTTP/1.2", "HTTP/1.2 200 X", Bad(Version(*b"1.2"))),
        line("HTTP/2.0", "HTTP/2.0 200 X", Bad(Version(*b"2.0"))),
        line("HTTP/2", "HTTP/2 200 X", Bad(Version(*b"2 2"))),
        line("HTTP/0.9", "HTTP/0.9 200 X", Bad(Version(*b"0.9"))),
        line("HTTP/01.1", "HTTP/01.1 200", Bad(Version(*b"01."))),
        line("lower case", "http/1.1 200 X", Bad(NotHttp(*b"http/"))),
        line("another name", "ICY 200 OK", Bad(NotHttp(*b"ICY 2"))),
        line("a blank in front", " HTTP/1.1 200 X", Bad(NotHttp(*b" HTTP"))),
        row("an empty line in front", "\r\nHTTP/1.1 200 OK\r\n\r\n", Bad(NotHttp(*b"\r\nHTT"))),
        row("a page without head", "<html>hello</html>", Bad(NotHttp(*b"<html"))),
        row("an AJP packet", b"AB\0\x02\x05\x01", Bad(NotHttp(*b"AB\0\x02\x05"))),
        row("a TLS alert", b"\x15\x03\x03\0\x02\x02\x46", Bad(NotHttp(*b"\x15\x03\x03\0\x02"))),
        row("an HTTP/2 frame", b"\0\0\x12\x04\0\0\0\0\0", Bad(NotHttp(*b"\0\0\x12\x04\0"))),
        row("nothing", "", NoHead),
        row("half a status line", "HTTP/1.1 20", NoHead),
        row("no end of the head", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", NoHead),
    ]
}

fn lines() -> Vec<Row> {
    use Malformed::{BareCr, BareLf, Connection, EmptyName, Fold, NameOctet, NoColon, ValueOctet};
    use Outcome::{Bad, Keep};
    let ok = || Keep(200, "");
    let length = "Content-Length: 0";
    vec![
        header("plain", "X-A: b", ok()).seen(&[length, "X-A: b"]),
        header("no blank", "X-A:b", ok()).seen(&[length, "X-A: b"]),
        header("blanks around", "X-A: \t b c \t", ok()).seen(&[length, "X-A: b c"]),
        header("empty value", "X-A:", ok()).seen(&[length, "X-A: "]),
        header("colons in the value", "X-A: b:c:", ok()).seen(&[length, "X-A: b:c:"]),
        header("all marks of a token", "!#$%&'*+-.^_`|~0aZ: b", ok()).seen(&[length, "!#$%&'*+-.^_`|~0aZ: b"]),
        header("octets from 0x80 in a value", b"X-A: \xfc\x80", ok()),
        header("a tab in a value", "X-A: b\tc", ok()).seen(&[length, "X-A: b\tc"]),
        header("the same name twice", "A: 1\r\nA: 2", ok()).seen(&[length, "A: 1", "A: 2"]),
        header("a blank in front of the colon", "X-A : b", Bad(NameOctet(b' '))),
        header("a tab in front of the colon", "X-A\t: b", Bad(NameOctet(b'\t'))),
        header("a blank in a name", "X A: b", Bad(NameOctet(b' '))),
        header("a bracket in a name", "X[A]: b", Bad(NameOctet(b'['))),
        header("NUL in a name", "X\0A: b", Bad(NameOctet(0))),
        header("an octet from 0x80 in a name", b"X\xfc: b", Bad(NameOctet(0xfc))),
        header("an empty name", ": b", Bad(EmptyName)),
        header("no colon", "X-A b", Bad(NoColon)),
        header("no colon, then a cookie", "bad line\r\nSet-Cookie: s", Bad(NoColon)),
        header("a folded line", "X-A: b\r\n c", Bad(Fold)),
        header("a line folded with a tab", "X-A: b\r\n\tc", Bad(Fold)),
        header("a line of blanks", "X-A: b\r\n ", Bad(Fold)),
        row("a fold behind the status line", "HTTP/1.1 200 OK\r\n X: b\r\n\r\n", Bad(Fold)),
        header("NUL in a value", "X-A: b\0c", Bad(ValueOctet(0))),
        header("DEL in a value", "X-A: b\x7f", Bad(ValueOctet(0x7f))),
        header("a bell in a value", "X-A: \x07", Bad(ValueOctet(7))),
        header("a control in Content-Type", "Content-Type: text/html\x0b", Bad(ValueOctet(0x0b))),
        header("a carriage return in a value", "X-A: b\rSet-Cookie: s", Bad(BareCr)),
        header("two carriage returns at the end", "X-A: b\r", Bad(BareCr)),
        header("a carriage return in a name", "X\rA: b", Bad(BareCr)),
        header("a bare line feed", "X-A: b\nX-B: c", Bad(BareLf)),
        row("line feeds only", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", Bad(BareLf)),
        row("a bare line feed at the end", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n", Bad(BareLf)),
        header("Connection that is no list", "Connection: a b", Bad(Connection)),
        header("Connection with a quoted name", "Connection: \"a\"", Bad(Connection)),
        header("Connection with empty elements", "Connection: ,,x-a,\r\nX-A: b", ok()).seen(&[length]),
        header("five Connection headers with names", "Connection: x\r\n".repeat(5).trim_end(), Bad(Connection)),
        header("Connection names Content-Length", "Connection: content-length", ok()).seen(&[length]),
        header("headers of the connection", "Keep-Alive: x\r\nTE: x\r\nTrailer: x\r\nUpgrade: h2c\r\nProxy-Authenticate: x\r\nProxy-Connection: x\r\nHTTP2-Settings: x", ok()).seen(&[length]),
    ]
}

fn lengths() -> Vec<Row> {
    use Malformed::{Coding, CodingInOld, ContentLength, ContentLengthTwice, LengthAndCoding};
    use Outcome::{Bad, Close, Cut, Keep};
    let chunked = "Transfer-Encoding: chunked";
    let hello = "\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let coded = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}{hello}");
    vec![
        framed("a length", "Content-Length: 5", Keep(200, "hello")),
        framed("a length in lower case with blanks", "content-length:  \t5 ", Keep(200, "hello")),
        framed("a length with zeros", "Content-Length: 005", Keep(200, "hello")),
        framed("a shorter length", "Content-Length: 4", Close(200, "hell")),
        framed("a longer length", "Content-Length: 6", Cut("hello")),
        framed("a large length", "Content-Length: 9223372036854775807", Cut("hello")),
        framed("two to the 63rd", "Content-Length: 9223372036854775808", Bad(ContentLength)),
        framed("twenty digits", "Content-Length: 18446744073709551621", Bad(ContentLength)),
        framed("a plus", "Content-Length: +5", Bad(ContentLength)),
        framed("a minus", "Content-Length: -5", Bad(ContentLength)),
        framed("hexadecimal", "Content-Length: 0x5", Bad(ContentLength)),
        framed("a fraction", "Content-Length: 5.0", Bad(ContentLength)),
        framed("a blank inside", "Content-Length: 5 5", Bad(ContentLength)),
        framed("an underscore", "Content-Length: 5_0", Bad(ContentLength)),
        framed("empty", "Content-Length:", Bad(ContentLength)),
        framed("a list", "Content-Length: 5, 5", Bad(ContentLength)),
        framed("twice the same", "Content-Length: 5\r\nContent-Length: 5", Bad(ContentLengthTwice)),
        framed("two different", "Content-Length: 5\r\nContent-Length: 6", Bad(ContentLengthTwice)),
        framed("a name like it", "Content_Length: 4", Close(200, "hello")),
        row("a coding", coded(chunked), Keep(200, "hello")),
        row("a coding in capitals", coded("TRANSFER-ENCODING:\tCHUNKED "), Keep(200, "hello")),
        row(
            "coding and length",
            coded("Transfer-Encoding: chunked\r\nContent-Length: 5"),
            Bad(LengthAndCoding),
        ),
        row(
            "length and coding",
            coded("Content-Length: 5\r\nTransfer-Encoding: chunked"),
            Bad(LengthAndCoding),
        ),
        row("two codings", coded("Transfer-Encoding: gzip, chunked"), Bad(Coding)),
        row("chunked twice", coded("Transfer-Encoding: chunked, chunked"), Bad(Coding)),
        row("two lines", coded("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), Bad(Coding)),
        row("identity", coded("Transfer-Encoding: identity"), Bad(Coding)),
        row("an empty coding", coded("Transfer-Encoding:"), Bad(Coding)),
        row("a coding with a parameter", coded("Transfer-Encoding: chunked;q=1"), Bad(Coding)),
        row("a coding like it", coded("Transfer-Encoding: xchunked"), Bad(Coding)),
        row("a comma behind it", coded("Transfer-Encoding: chunked,"), Bad(Coding)),
        row("a quoted coding", coded("Transfer-Encoding: \"chunked\""), Bad(Coding)),
        row(
            "a control in front of it",
            coded("Transfer-Encoding: \x0bchunked"),
            Bad(Malformed::ValueOctet(0x0b)),
        ),
        row("a blank in its name", coded("Transfer-Encoding : chunked"), Bad(Malformed::NameOctet(b' '))),
        row("a coding in HTTP/1.0", format!("HTTP/1.0 200 OK\r\n{chunked}{hello}"), Bad(CodingInOld)),
    ]
}

fn chunked() -> Vec<Row> {
    use Malformed::{ChunkDataEnd, ChunkExtension, ChunkLineEnd, ChunkSize, ChunkTooLarge, Trailer};
    use Outcome::{Abort, Close, Cut, Keep};
    let many = [b"1;".as_slice(), &[b'e'; 255], b"\r\nx\r\n"].concat().repeat(65);
    let first = Box::leak("x".repeat(64).into_boxed_str());
    vec![
        chunks("two chunks", "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", Keep(200, "hello")),
        chunks("capital digits", "A\r\n0123456789\r\n0\r\n\r\n", Keep(200, "0123456789")),
        chunks("zeros in front", "0000000000000005\r\nhello\r\n00\r\n\r\n", Keep(200, "hello")),
        chunks("no body", "0\r\n\r\n", Keep(200, "")),
        chunks("octets behind the end", "5\r\nhello\r\n0\r\n\r\nX", Close(200, "hello")),
        chunks("a second answer behind the end", "0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Close(200, "")),
        chunks("an extension", "5;a=\"b\"\r\nhello\r\n0;c\r\n\r\n", Keep(200, "hello")),
        chunks("an empty extension", "5;\r\nhello\r\n0\r\n\r\n", Keep(200, "hello")),
        chunks("an extension with a blank", "5; a\r\nhello\r\n0\r\n\r\n", Abort(ChunkExtension(b' '), "")),
        chunks("an extension with a control", "5;a\x01\r\nhello", Abort(ChunkExtension(1), "")),
        chunks(
            "a long extension",
            [b"5;".as_slice(), &[b'e'; 256]].concat(),
            Abort(ChunkExtension(b'e'), ""),
        ),
        chunks("many extensions", many, Abort(Malformed::TooManyExtensions(16_384), first)),
        chunks("an extension that ends the line early", "5;a\nhello\r\n0\r\n\r\n", Abort(ChunkLineEnd, "")),
        chunks("an empty size", "\r\nhello\r\n0\r\n\r\n", Abort(ChunkSize(b'\r'), "")),
        chunks("an extension without size", ";a\r\nhello", Abort(ChunkSize(b';'), "")),
        chunks("a size with a plus", "+5\r\nhello", Abort(ChunkSize(b'+'), "")),
        chunks("a size with a minus", "-5\r\nhello", Abort(ChunkSize(b'-'), "")),
        chunks("a size with 0x", "0x5\r\nhello", Abort(ChunkSize(b'x'), "")),
        chunks("a blank in front of a size", " 5\r\nhello", Abort(ChunkSize(b' '), "")),
        chunks("a blank behind a size", "5 \r\nhello", Abort(ChunkSize(b' '), "")),
        chunks("an underscore in a size", "1_0\r\nhello", Abort(ChunkSize(b'_'), "")),
        chunks("a letter beyond f", "g\r\nhello", Abort(ChunkSize(b'g'), "")),
        chunks("seventeen digits", "00000000000000005\r\nhello", Abort(ChunkTooLarge, "")),
        chunks("a size of two to the 63rd", "8000000000000000\r\nhello", Abort(ChunkTooLarge, "")),
        chunks("a size that wraps", "ffffffffffffffff\r\nhello", Abort(ChunkTooLarge, "")),
        chunks("a size line that ends with a line feed", "5\nhello\r\n0\r\n\r\n", Abort(ChunkLineEnd, "")),
        chunks("a size line that ends with a carriage return", "5\rhello\r\n", Abort(ChunkLineEnd, "")),
        chunks("more data than its size", "4\r\nhello\r\n0\r\n\r\n", Abort(ChunkDataEnd, "hell")),
        chunks("less data than its size", "6\r\nhello\r\n0\r\n\r\n", Abort(ChunkDataEnd, "hello\r")),
        chunks("data that ends with a line feed", "5\r\nhello\n0\r\n\r\n", Abort(ChunkDataEnd, "hello")),
        chunks("data that ends with two line feeds", "5\r\nhello\n\n0\r\n\r\n", Abort(ChunkDataEnd, "hello")),
        chunks(
            "data that ends with two carriage returns",
            "5\r\nhello\r\r0\r\n\r\n",
            Abort(ChunkDataEnd, "hello"),
        ),
        chunks("no line end behind data", "5\r\nhello0\r\n\r\n", Abort(ChunkDataEnd, "hello")),
        chunks("a size that is cut", "5", Cut("")),
        chunks("data that is cut", "5\r\nhel", Cut("hel")),
        chunks("no last chunk", "5\r\nhello\r\n", Cut("hello")),
        chunks("half a last chunk", "5\r\nhello\r\n0\r\n", Cut("hello")),
        chunks("trailers", "0\r\nX-A: b\r\nContent-Length: 9\r\n\r\n", Keep(200, "")).seen(&[]),
        chunks("a trailer without colon", "0\r\nX-A\r\n\r\n", Abort(Trailer, "")),
        chunks("a folded trailer", "0\r\nX-A: b\r\n c\r\n\r\n", Abort(Trailer, "")),
        chunks("a trailer that ends with a line feed", "0\r\nX-A: b\n\r\n", Abort(Trailer, "")),
        chunks("a trailer with NUL", "0\r\nX-A: \0\r\n\r\n", Abort(Trailer, "")),
        chunks("an end with a line feed", "0\r\n\n", Abort(Trailer, "")),
        chunks(
            "many trailers",
            format!("0\r\n{}\r\n", "a:\r\n".repeat(1001)),
            Abort(Malformed::TrailersTooLarge, ""),
        ),
        chunks(
            "an endless trailer",
            format!("0\r\na:{}", "x".repeat(65_536)),
            Abort(Malformed::TrailersTooLarge, ""),
        ),
    ]
}

fn endings() -> Vec<Row> {
    use Outcome::{Close, Keep};
    vec![
        framed("until the connection ends", "X-A: b", Close(200, "hello")),
        row("HTTP/1.0 until the connection ends", "HTTP/1.0 200 OK\r\n\r\nhello", Close(200, "hello")),
        row(
            "HTTP/1.0 that would be kept",
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
            Close(200, ""),
        ),
        header("close", "Connection: close", Close(200, "")),
        header("close in a list", "Connection: x-a, CLOSE", Close(200, "")),
        header("keep-alive", "Connection: keep-alive", Keep(200, "")),
        header("two Connection headers", "Connection: keep-alive\r\nConnection: close", Close(200, "")),
        row(
            "octets behind a length of 0",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\r\n",
            Close(200, ""),
        ),
        head("a length of HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Keep(200, ""))
            .seen(&["Content-Length: 5"]),
        head("a body of HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Close(200, "")),
        head("a coding of HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Keep(200, "")),
        head("HEAD without length", "HTTP/1.1 200 OK\r\n\r\n", Keep(200, "")),
        row("204", "HTTP/1.1 204 X\r\n\r\n", Keep(204, "")),
        row("204 with a length", "HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n", Keep(204, "")).seen(&[]),
        row("204 with a body", "HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\nhello", Close(204, "")).seen(&[]),
        row("304 with a length", "HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n", Keep(304, ""))
            .seen(&["Content-Length: 5"]),
        row(
            "304 with chunks",
            "HTTP/1.1 304 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Close(304, ""),
        ),
        row("205 with a body", "HTTP/1.1 205 X\r\nContent-Length: 5\r\n\r\nhello", Keep(205, "")).seen(&[]),
        row("404 until the connection ends", "HTTP/1.1 404 X\r\n\r\nno", Close(404, "no")),
    ]
}

fn interim() -> Vec<Row> {
    use Malformed::{NotHttp, TooManyInterim, Upgrade};
    use Outcome::{Bad, Keep, NoHead};
    let end = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let ok = || Keep(200, "hello");
    vec![
        row("100", format!("HTTP/1.1 100 Continue\r\n\r\n{end}"), ok()).seen(&["Content-Length: 5"]),
        row("102 and 103", format!("HTTP/1.1 102 X\r\n\r\n{early}{end}"), ok()).seen(&["Content-Length: 5"]),
        row("an unknown interim status", format!("HTTP/1.1 199 X\r\n\r\n{end}"), ok()),
        row("32 of them", format!("{}{end}", early.repeat(32)), ok()),
        row("33 of them", format!("{}{end}", early.repeat(33)), Bad(TooManyInterim(32))),
        row("100 with a length", format!("HTTP/1.1 100 X\r\nContent-Length: 5\r\n\r\n{end}"), ok()),
        row(
            "100 with a body",
            format!("HTTP/1.1 100 X\r\nContent-Length: 5\r\n\r\nhello{end}"),
            Bad(NotHttp(*b"hello")),
        ),
        row("100 with a bad line", format!("HTTP/1.1 100 X\r\nbad\r\n\r\n{end}"), Bad(Malformed::NoColon)),
        row("100 and nothing more", "HTTP/1.1 100 Continue\r\n\r\n", NoHead),
        row(
            "101 that was not asked for",
            "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            Bad(Upgrade),
        ),
    ]
}

fn limits() -> Vec<Row> {
    use Malformed::{HeadTooLarge, LineTooLong, TooManyLines};
    use Outcome::{Bad, Keep};
    let filler = |octets: usize| format!("A: {}", "x".repeat(octets - 5));
    // Five lines of almost the largest size, so that the head is the largest one.
    let head = |octets: usize| {
        let frame = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".len();
        [vec![filler(13_000); 4], vec![filler(octets - frame - 4 * 13_000)]].concat().join("\r\n")
    };
    vec![
        header("the longest line", filler(16_384), Keep(200, "")),
        header("a longer line", filler(16_385), Bad(LineTooLong(16_384))),
        line("the longest status line", format!("HTTP/1.1 200 {}", "x".repeat(16_369)), Keep(200, ""))
            .reason(false),
        line(
            "a longer status line",
            format!("HTTP/1.1 200 {}", "x".repeat(16_370)),
            Bad(LineTooLong(16_384)),
        ),
        row("a line without end", format!("HTTP/1.1 200 {}", "x".repeat(70_000)), Bad(LineTooLong(16_384))),
        header("the largest head", head(65_536), Keep(200, "")),
        header("a larger head", head(65_537), Bad(HeadTooLarge(65_536))),
        header("1000 lines", "A: b\r\n".repeat(999).trim_end(), Keep(200, "")),
        header("1001 lines", "A: b\r\n".repeat(1000).trim_end(), Bad(TooManyLines(1000))),
        header("an endless head", "A: b\r\n".repeat(20_000).trim_end(), Bad(TooManyLines(1000))),
    ]
}
