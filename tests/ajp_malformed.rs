//! Every reply of the table in `support/malformed_rows.rs` ends as the table says, in the portions given and octet by octet.
//!
//! `cargo test --test ajp_malformed -- --nocapture` prints the table row by row.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

#[path = "support/malformed_rows.rs"]
mod malformed_rows;

use std::collections::BTreeMap;

use malformed_rows::{Client as Method, ELSEWHERE, Outcome, Piece, Reuse, Row, probes, rows};
use mod_jk_rs::engine::ajp::control::PongWait;
use mod_jk_rs::engine::ajp::{Client, Limits, Malformed};
use mod_jk_rs::engine::exchange::{Event, Exchange, ROOM_AFTER, ROOM_BEFORE};
use mod_jk_rs::engine::request::RequestBody;

#[test]
fn every_row_ends_as_required() {
    let mut lines: BTreeMap<u16, (String, usize)> = BTreeMap::new();
    let mut wrong = vec![];
    for row in rows() {
        for octets in [false, true] {
            if let Err(fault) = check(&row, &play(&row, octets)) {
                wrong.push(format!("row {} {} (octet by octet: {octets}): {fault}", row.id, row.what));
            }
        }
        let line = format!("row {} {}: {} ok", row.number(), row.what, expected(&row));
        lines.entry(row.number()).or_insert((line, 0)).1 += 1;
    }
    for probe in probes() {
        let good = PongWait::new().feed(&probe.octets) == Ok(Some(probe.octets.len()));
        if good != probe.good {
            wrong.push(format!("row {} {}: used: {good}", probe.id, probe.what));
        }
        let number = probe.id.split('/').next().unwrap().parse().unwrap();
        if !probe.good {
            let line = format!("row {number} {}: connection closed ok", probe.what);
            lines.entry(number).or_insert((line, 0)).1 += 1;
        }
    }
    for (number, reason) in ELSEWHERE {
        let line = (format!("row {number} not here: {reason}"), 1);
        assert!(lines.insert(*number, line).is_none(), "row {number} is here");
    }
    for (line, cases) in lines.values() {
        if *cases > 1 { println!("{line} ({cases} cases)") } else { println!("{line}") }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lines.keys().copied().eq(1..=110), "rows are missing: {:?}", lines.keys());
}

#[test]
fn the_machine_knows_whether_a_close_or_a_silence_cuts_a_packet() {
    for row in rows().iter().filter(|row| (18..=21).contains(&row.number())) {
        let octets: usize = row.id.split('/').nth(1).unwrap().parse().unwrap();
        let between = [0, 29, 42].contains(&octets);
        assert_eq!(play(row, false).inside_packet, !between, "after {octets} octets");
    }
}

#[test]
fn wrong_ports_get_a_hint() {
    let hints = |number: u16| -> Vec<Option<&str>> {
        let these = rows().into_iter().filter(|row| row.number() == number);
        these.map(|row| play(&row, false).error.and_then(|error| error.hint())).collect()
    };
    assert!(hints(6)[0].unwrap().contains("AJP14"));
    assert!(hints(7).iter().all(|hint| hint.unwrap().contains("HTTP")));
    assert!(hints(8).iter().all(|hint| hint.unwrap().contains("TLS")));
    assert!(hints(10).iter().all(|hint| hint.unwrap().contains("max_packet_size")));
}

#[test]
fn what_was_ignored_behind_the_headers_is_told() {
    for row in rows().iter().filter(|row| [53, 54, 55, 65].contains(&row.number())) {
        assert_eq!(play(row, false).surplus, [54, 55].contains(&row.number()), "row {}", row.id);
    }
}

fn expected(row: &Row) -> String {
    match (&row.outcome, row.reuse) {
        (Outcome::Good { status, .. }, Reuse::Yes) => format!("{status}, connection kept"),
        (Outcome::Good { status, .. }, Reuse::No) => format!("{status}, connection closed"),
        (Outcome::Bad502, _) => "502".into(),
        (Outcome::BadOrAbort { .. }, _) => "502 or abort".into(),
        (Outcome::Timeout, _) => "504 or abort".into(),
    }
}

/// What a client would have seen.
#[derive(Debug, Default)]
struct Seen {
    head: Option<(u16, bool)>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    /// The response came to its end; the connection is reusable.
    done: Option<bool>,
    error: Option<Malformed>,
    /// The backend closed or reset the connection before the end.
    cut: bool,
    /// Sizes of the packets sent beside the Forward Request.
    sent: Vec<usize>,
    /// The backend waited for a packet that did not come.
    starved: bool,
    inside_packet: bool,
    surplus: bool,
}

fn check(row: &Row, seen: &Seen) -> Result<(), String> {
    let require = |good: bool, what: &str| if good { Ok(()) } else { Err(format!("{what}: {seen:?}")) };
    let failed = seen.done.is_none() && (seen.error.is_some() || seen.cut);
    match &row.outcome {
        Outcome::Good { status, body } => {
            require(seen.done.is_some() && seen.error.is_none(), "not complete")?;
            require(seen.head.is_some_and(|(found, _)| found == *status), "wrong status")?;
            require(seen.body == *body, "wrong body")?;
            require(seen.done == Some(row.reuse == Reuse::Yes), "wrong about reuse")?;
        }
        Outcome::Bad502 => require(failed && seen.head.is_none(), "not a 502")?,
        Outcome::BadOrAbort { body } => {
            require(failed, "not an error")?;
            require(body.starts_with(&seen.body), "too much body")?;
        }
        Outcome::Timeout => {
            require(seen.done.is_none() && seen.error.is_none() && !seen.cut, "not a silence")?
        }
    }
    let found = |name: &str| {
        let named = seen.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
        named.map(|(_, value)| value)
    };
    for (name, value) in &row.present {
        require(found(name) == Some(value), name)?;
    }
    for name in &row.absent {
        require(found(name).is_none(), name)?;
    }
    if row.standard_reason {
        require(seen.head.is_some_and(|(_, own_reason)| !own_reason), "the reason was kept")?;
    }
    if let Some(sizes) = &row.sent {
        require(seen.sent == *sizes, "wrong packets")?;
    }
    require(!seen.starved, "a packet did not come")
}

/// Plays the pieces into the machine. Questions for body are answered when the piece they came in has been read to its end.
fn play(row: &Row, octet_by_octet: bool) -> Seen {
    let (body, length) = match row.client {
        Method::Get | Method::Head => (RequestBody::None, 0),
        Method::Post(length) => (RequestBody::Known(u64::try_from(length).unwrap()), length),
        Method::Chunked(length) => (RequestBody::Unknown, length),
    };
    let limits = Limits { max_packet: 8192, receive_limit: if row.hard_limit { 8188 } else { 65535 } };
    let mut driver = Driver {
        client: Client::new(limits, body, row.client == Method::Head),
        packet: vec![0; ROOM_BEFORE + 8192 + ROOM_AFTER],
        body_left: length,
        question: None,
        seen: Seen::default(),
    };
    if let Some(first) = driver.client.first_body() {
        driver.send_body(first);
    }
    let mut input = vec![];
    let mut awaited = driver.seen.sent.len();
    for piece in &row.pieces {
        match piece {
            Piece::Bytes(octets) => {
                let portion = if octet_by_octet { 1 } else { octets.len().max(1) };
                for octets in octets.chunks(portion) {
                    input.extend_from_slice(octets);
                    let used = driver.read(&input);
                    input.drain(..used);
                }
                driver.answer();
            }
            Piece::Await => {
                awaited += 1;
                driver.seen.starved |= driver.seen.sent.len() < awaited;
            }
            Piece::Close | Piece::Reset => driver.seen.cut = driver.seen.done.is_none(),
            Piece::Pause | Piece::Silence => {}
        }
    }
    driver.seen.inside_packet = driver.client.inside_packet();
    driver.seen.surplus = driver.client.surplus();
    driver.seen
}

struct Driver {
    client: Client,
    packet: Vec<u8>,
    body_left: usize,
    /// Most octets of the answer; 0 when only the end can be sent.
    question: Option<usize>,
    seen: Seen,
}

impl Driver {
    fn read(&mut self, input: &[u8]) -> usize {
        let mut at = 0;
        while self.seen.error.is_none() {
            let fed = match self.client.feed(&input[at..]) {
                Ok(fed) => fed,
                Err(error) => {
                    self.seen.error = Some(error);
                    break;
                }
            };
            at += fed.consumed;
            match fed.event {
                Event::More { .. } => break,
                Event::Head(head) => {
                    assert!(self.seen.head.is_none(), "two heads");
                    self.seen.head = Some((head.status, head.reason.is_some()));
                    let pairs = head.fields.map(|(name, value)| (name.to_vec(), value.to_vec()));
                    self.seen.headers.extend(pairs);
                }
                Event::Body(data) => self.seen.body.extend_from_slice(data),
                Event::Flush => {}
                Event::WantBody { max } => self.question = Some(max),
                Event::WantEnd => self.question = Some(0),
                Event::Done { reusable } => {
                    // Octets that come later are asked about once more, as a pool would.
                    self.seen.done = Some(reusable && self.seen.done.unwrap_or(true));
                    break;
                }
            }
        }
        at
    }

    fn answer(&mut self) {
        if self.seen.done.is_some() || self.seen.error.is_some() {
            return;
        }
        match self.question.take() {
            None => {}
            Some(max) if max > 0 && self.body_left > 0 => self.send_body(max),
            Some(_) => {
                let range = self.client.frame_end(&mut self.packet);
                self.seen.sent.push(range.len());
            }
        }
    }

    fn send_body(&mut self, max: usize) {
        let size = max.min(self.body_left);
        self.body_left -= size;
        let range = self.client.frame_body(&mut self.packet, size);
        self.seen.sent.push(range.len());
    }
}
