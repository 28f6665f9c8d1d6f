//! The rows that are a stream of octets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::malformed_rows::{Client as Method, Outcome, Piece, Reuse, Row, rows};
use crate::support::{
    Backend, Client, ConnectionLog, Conversation, Ended, ForwardRequest, Gate, Httpd, Mpm, Response, pattern,
    under_each_mpm,
};

under_each_mpm!(every_row);

/// Rows between two looks at the request in flight; few enough that its gate does not open by itself.
const BATCH: usize = 60;

/// What the backend reports about the rows it has played: index, sizes of the packets that came beside the request, and
/// whether one that had to come did not.
type Played = Arc<Mutex<Vec<(usize, Vec<usize>, bool)>>>;

/// The rows to play, adapted to this server, which accepts packets of any length.
fn live_rows() -> Vec<Row> {
    let mut rows: Vec<Row> = rows().into_iter().filter(|row| row.live).collect();
    for row in &mut rows {
        match row.id.as_str() {
            // The payload never comes.
            "10" => row.pieces.push(Piece::Close),
            "11" => {
                row.outcome = Outcome::Good { status: 200, body: b"hello".to_vec() };
                row.reuse = Reuse::Yes;
            }
            _ => {}
        }
    }
    rows
}

fn every_row(mpm: Mpm) {
    let rows = Arc::new(live_rows());
    assert!(rows.len() > 200, "{}", rows.len());
    let played = Played::default();
    let gate = Arc::new(Mutex::new(Gate::new()));
    let script = {
        let (rows, played, gate) = (Arc::clone(&rows), Arc::clone(&played), Arc::clone(&gate));
        move |request: &ForwardRequest, say: &mut Conversation| answer(request, say, &rows, &played, &gate)
    };
    let backend = Backend::scripted(script);
    // One attempt each, or the repetitions would take most of the time; they are tested elsewhere.
    let httpd = Httpd::builder()
        .mpm(mpm)
        .workers(backend.worker("w") + "worker.w.retries=1\nworker.w.reply_timeout=20000\n")
        .conf("JkMount /app/* w")
        .start();
    let mut test = Table { httpd: &httpd, backend: &backend, rows: &rows, played: &played, error_page: None };
    let before = httpd.child_pids();
    let mut lines: BTreeMap<u16, (String, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for fresh in [true, false] {
        for batch in (0..rows.len()).collect::<Vec<_>>().chunks(BATCH) {
            *gate.lock().unwrap() = Gate::new();
            let mut slow = Client::connect(httpd.port());
            slow.send("GET /app/slow HTTP/1.1\r\nHost: h\r\n\r\n");
            let mut response = slow.try_read_head().unwrap();
            let held = gate.lock().unwrap().clone();
            held.await_waiting(1);
            for index in batch {
                let row = &rows[*index];
                match test.check(*index, fresh) {
                    Ok(what) => {
                        let line = format!("row {} {}: {what} ok", row.number(), row.what);
                        lines.entry(row.number()).or_insert((line, 0)).1 += 1;
                    }
                    Err(fault) => {
                        println!("row {} {} (fresh: {fresh}): {fault}", row.id, row.what);
                        wrong.push(format!("row {} {} (fresh: {fresh}): {fault}", row.id, row.what));
                    }
                }
            }
            held.open();
            slow.read_body("GET", &mut response);
            let whole = response.ended == Ended::Chunked && response.body == pattern(20_000);
            assert!(
                whole,
                "the request in flight suffered: {:?}, {} octets",
                response.ended,
                response.body.len()
            );
        }
    }
    for (line, cases) in lines.values() {
        println!("{line} ({cases} cases)");
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
    let after = httpd.child_pids();
    assert!(before.iter().all(|pid| after.contains(pid)), "children {before:?} became {after:?}");
    httpd.assert_clean_log(&[]);
}

/// The backend's part: `/app/row/INDEX`, `/app/good`, `/app/last` (the connection is closed behind it), `/app/slow`.
fn answer(
    request: &ForwardRequest,
    say: &mut Conversation,
    rows: &[Row],
    played: &Played,
    gate: &Mutex<Gate>,
) {
    match request.uri.strip_prefix("/app/").unwrap_or_default() {
        "good" => say.respond(200, &[("X-Good", "1")], b"good"),
        "last" => {
            say.send_headers(200, "OK", &[]);
            say.body_chunk(b"last");
            say.end(false);
            assert!(say.closed_by_peer(crate::support::PATIENCE), "the connection was kept");
        }
        "slow" => {
            say.send_headers(200, "OK", &[]);
            say.body_chunk(&pattern(20_000)[..10_000]);
            say.flush();
            let gate = gate.lock().unwrap().clone();
            say.pause(&gate);
            say.body_chunk(&pattern(20_000)[10_000..]);
            say.end(true);
        }
        row => {
            let index: usize = row.strip_prefix("row/").unwrap().parse().unwrap();
            let mut sizes = Vec::new();
            if request.content_length().is_some_and(|length| length > 0) {
                sizes.extend(say.any_packet());
            }
            let mut starved = false;
            for piece in &rows[index].pieces {
                match piece {
                    Piece::Bytes(octets) => say.raw(octets),
                    Piece::Pause => std::thread::sleep(Duration::from_millis(1)),
                    Piece::Await => match say.any_packet() {
                        Some(size) => sizes.push(size),
                        None => starved = true,
                    },
                    // Also where the row sends nothing else, the script has had its say.
                    Piece::Close => say.close(),
                    Piece::Reset => say.reset(),
                    Piece::Silence => {
                        let _ = say.closed_by_peer(crate::support::PATIENCE);
                    }
                }
            }
            played.lock().unwrap().push((index, sizes, starved));
        }
    }
}

struct Table<'a> {
    httpd: &'a Httpd,
    backend: &'a Backend,
    rows: &'a [Row],
    played: &'a Played,
    /// httpd's page for 502, once it is known.
    error_page: Option<Vec<u8>>,
}

impl Table<'_> {
    /// Plays one row; what happened, or what is wrong with it.
    fn check(&mut self, index: usize, fresh: bool) -> Result<String, String> {
        let row = &self.rows[index];
        let mut client = Client::connect(self.httpd.port());
        let primer = client.get(if fresh { "/app/last" } else { "/app/good" });
        if primer.status != 200 {
            return Err(format!("the request before: {}", primer.status));
        }
        let path = format!("/app/row/{index}");
        let (method, head, body) = match row.client {
            Method::Get => ("GET", String::new(), Vec::new()),
            Method::Head => ("HEAD", String::new(), Vec::new()),
            Method::Post(octets) => ("POST", format!("Content-Length: {octets}\r\n"), pattern(octets)),
            Method::Chunked(octets) => {
                let mut body = format!("{octets:x}\r\n").into_bytes();
                body.extend(pattern(octets));
                body.extend_from_slice(b"\r\n0\r\n\r\n");
                ("POST", "Transfer-Encoding: chunked\r\n".to_owned(), body)
            }
        };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: h\r\n{head}\r\n");
        client.send([head.into_bytes(), body].concat());
        let response = client.try_read_response_to(method).map_err(|e| format!("no response: {e}"))?;
        let what = self.judge(row, &response)?;
        self.judge_backend(index, row, fresh)?;
        // The next request, on another client connection when this one was closed.
        let next = Client::connect(self.httpd.port()).get("/app/good");
        if (next.status, next.text().as_str(), next.header("X-Good")) != (200, "good", Some("1")) {
            return Err(format!("the request behind it: {next:?}"));
        }
        if response.ended != Ended::Truncated
            && response.header("Connection") != Some("close")
            && client.get("/app/good").text() != "good"
        {
            return Err("the next request of the same client".into());
        }
        Ok(what)
    }

    fn judge(&mut self, row: &Row, response: &Response) -> Result<String, String> {
        let require =
            |good: bool, what: &str| if good { Ok(()) } else { Err(format!("{what}: {}", brief(response))) };
        let truncated = response.ended == Ended::Truncated;
        let failed = |test: &mut Self| {
            require(response.status == 502 && !truncated, "not a clean 502")?;
            // Nothing but httpd's own page: no header and no octet of the backend.
            let known = ["date", "server", "content-length", "content-type", "connection"];
            let foreign =
                response.headers.iter().any(|(n, _)| !known.contains(&n.to_ascii_lowercase().as_str()));
            require(!foreign, "foreign headers")?;
            if response.ended != Ended::NoBody {
                let page = test.error_page.get_or_insert_with(|| response.body.clone());
                require(response.body == *page, "another error page")?;
            }
            Ok::<String, String>("502".to_owned())
        };
        let what = match &row.outcome {
            Outcome::Good { status, body } => {
                require(response.status == *status, "wrong status")?;
                require(!truncated && response.body == *body, "wrong body")?;
                format!("{status}")
            }
            Outcome::Bad502 => failed(self)?,
            Outcome::BadOrAbort { .. } if !truncated => failed(self)?,
            Outcome::BadOrAbort { body } => {
                require(response.status == 200 && body.starts_with(&response.body), "octets out of nowhere")?;
                "broken off".into()
            }
            Outcome::Timeout => {
                require(truncated || response.status == 504, "not a timeout")?;
                "504 or broken off".into()
            }
        };
        require(response.interim.is_empty(), "an interim response")?;
        for (name, value) in &row.present {
            let value: String = value.iter().map(|octet| char::from(*octet)).collect();
            // Media types are written in lower case.
            let same = response.header(name).is_some_and(|found| {
                found == value.as_str() || (*name == "Content-Type" && found.eq_ignore_ascii_case(&value))
            });
            require(same, name)?;
        }
        for name in &row.absent {
            // httpd may frame a body in chunks itself.
            let own = *name == "Transfer-Encoding" && response.header_all(name) == ["chunked"];
            require(own || response.header(name).is_none(), name)?;
        }
        if row.standard_reason {
            require(response.reason == "OK", "not the standard reason")?;
        }
        Ok(what)
    }

    /// What the backend saw, and whether the connection was kept.
    fn judge_backend(&self, index: usize, row: &Row, fresh: bool) -> Result<(), String> {
        let reported = || self.played.lock().unwrap().iter().rev().find(|(i, ..)| *i == index).cloned();
        if !crate::support::poll(crate::support::PATIENCE, || reported().is_some()) {
            return Err("the backend is not done".into());
        }
        let (_, sizes, starved) = reported().unwrap();
        if starved {
            return Err("a packet did not come".into());
        }
        // Where a client's octets arrive in several pieces, packets may be smaller and more.
        if let Some(expected) = &row.sent
            && sizes.len() != expected.len()
        {
            return Err(format!("packets {sizes:?} instead of {expected:?}"));
        }
        let uri = format!("/app/row/{index}");
        let carried = || -> Vec<_> {
            let log = self.backend.log();
            log.into_iter().filter(|c| c.requests().iter().any(|request| request.uri == uri)).collect()
        };
        // A reused connection that ends without a word is replaced at once, so the row may have been played twice.
        let first = |connection: &ConnectionLog| connection.requests()[0].uri == uri;
        if !carried().iter().any(|connection| first(connection) == fresh) {
            return Err(format!("not played on a {} connection", if fresh { "fresh" } else { "reused" }));
        }
        let kept = || carried().iter().any(|connection| connection.open);
        let right = match row.reuse {
            Reuse::No => crate::support::poll(crate::support::PATIENCE, || !kept()),
            Reuse::Yes => kept(),
        };
        if right { Ok(()) } else { Err(format!("wrong about reuse: it should be {:?}", row.reuse)) }
    }
}

fn brief(response: &Response) -> String {
    let body = String::from_utf8_lossy(&response.body[..response.body.len().min(200)]).into_owned();
    let headers: Vec<_> = response.headers.iter().take(10).collect();
    format!("{} {:?} {:?} {headers:?} {body:?}", response.status, response.reason, response.ended)
}
