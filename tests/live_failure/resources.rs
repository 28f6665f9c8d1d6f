//! Memory and descriptors of a child stay the same, however much passes through it and whatever goes wrong.

use std::io::{Read, Write};
use std::time::Duration;

use crate::front;
use crate::support::{Backend, Client, Mpm, PATIENCE, client, pattern, under_each_mpm, wait_until};

under_each_mpm!(memory_of_downloads, memory_of_uploads, descriptors);

const MIB: usize = 1 << 20;
/// The most a child may grow.
const GROWTH: usize = 10 * MIB;

/// MiB that are moved.
fn amount() -> usize {
    if std::env::var_os("MODJK_LONG").is_some() { 1024 } else { 256 }
}

/// Resident memory of a process, octets.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// The child that serves this connection: the one with most memory, when there are several.
fn memory(pids: &[u32]) -> usize {
    pids.iter().map(|pid| resident(*pid)).max().unwrap()
}

fn memory_of_downloads(mpm: Mpm) {
    let backend = Backend::scripted(|request, say| {
        let blocks: usize = request.uri.rsplit('/').next().unwrap().parse().unwrap();
        let block = pattern(MIB);
        say.send_headers(200, "OK", &[]);
        for _ in 0..blocks {
            say.body_chunk(&block);
        }
        say.end(true);
    });
    let httpd = front(mpm, &backend, "");
    let pids = httpd.child_pids();
    let mut client = Client::connect(httpd.port());
    assert_eq!(client.get("/app/4").body.len(), 4 * MIB);
    let before = memory(&pids);
    client.send(format!("GET /app/{} HTTP/1.1\r\nHost: h\r\n\r\n", amount()));
    assert_eq!(client.try_read_head().unwrap().status, 200);
    // What came with the head, and chunk sizes, count as well.
    let mut got = client.read_octets(0).unwrap().len();
    let (mut peak, mut buffer) = (0, vec![0; MIB]);
    let mut stream = client.stream();
    while got < amount() * MIB {
        let len = stream.read(&mut buffer).unwrap();
        assert!(len > 0, "the response ended after {got} octets");
        if got / (32 * MIB) != (got + len) / (32 * MIB) {
            peak = peak.max(memory(&pids));
            // A slow client: what it does not take must not pile up in the child.
            std::thread::sleep(Duration::from_millis(20));
        }
        got += len;
    }
    let after = memory(&pids).max(peak);
    println!(
        "{mpm:?} download of {} MiB: {} KiB before, {} KiB at most",
        amount(),
        before / 1024,
        after / 1024
    );
    assert!(after < before + GROWTH, "{before} became {after}");
    assert_eq!(httpd.child_pids().iter().filter(|pid| pids.contains(pid)).count(), pids.len());
}

fn memory_of_uploads(mpm: Mpm) {
    let backend = Backend::builder()
        .packet_size(65_536)
        .script(|request, say| {
            let mut length = say.first_body().len();
            while length == 0 || request.content_length().is_none_or(|whole| (length as u64) < whole) {
                match say.get_body_chunk(65_530).len() {
                    0 => break,
                    len => length += len,
                }
            }
            say.respond(200, &[], length.to_string().as_bytes());
        })
        .start();
    let httpd = front(mpm, &backend, "");
    let pids = httpd.child_pids();
    let mut client = Client::connect(httpd.port());
    assert_eq!(client.request("POST", "/app/x", &[], &pattern(4 * MIB)).text(), (4 * MIB).to_string());
    let before = memory(&pids);
    let block = pattern(MIB);
    client.send(format!("POST /app/x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", amount() * MIB));
    let mut peak = 0;
    for number in 0..amount() {
        client.stream().write_all(&block).unwrap();
        if number % 32 == 0 {
            peak = peak.max(memory(&pids));
        }
    }
    assert_eq!(client.read_response().text(), (amount() * MIB).to_string());
    let after = memory(&pids).max(peak);
    println!(
        "{mpm:?} upload of {} MiB: {} KiB before, {} KiB at most",
        amount(),
        before / 1024,
        after / 1024
    );
    assert!(after < before + GROWTH, "{before} became {after}");
}

/// Open descriptors of a process.
fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn descriptors(mpm: Mpm) {
    let backend = Backend::scripted(|request, say| match request.uri.as_str() {
        "/app/close" => say.close(),
        "/app/reset" => say.reset(),
        "/app/garbage" => say.raw(b"garbage"),
        "/app/forbid" => {
            say.send_headers(200, "OK", &[]);
            say.end(false);
        }
        "/app/half" => {
            say.send_headers(200, "OK", &[]);
            say.body_chunk(b"half");
            say.flush();
            say.close();
        }
        "/app/silent" => {
            let _ = say.closed_by_peer(PATIENCE);
        }
        _ => crate::support::script::default_script(request, say),
    });
    let httpd = front(mpm, &backend, "reply_timeout=60\nretry_interval=1");
    let run = |count: usize| {
        for number in 0..count {
            let path = [
                "/app/close",
                "/app/reset",
                "/app/garbage",
                "/app/forbid",
                "/app/half",
                "/app/x",
                "/app/size/50000",
            ][number % 7];
            match number % 25 {
                3 => assert_eq!(client::get(httpd.port(), "/app/silent").status, 504),
                8 => {
                    let mut client = Client::connect(httpd.port());
                    client.send("POST /app/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc");
                    client.reset();
                }
                13 => {
                    client::request(httpd.port(), "POST", "/app/upload", &[], &pattern(20_000));
                }
                _ => {
                    client::get(httpd.port(), path);
                }
            }
        }
    };
    run(50);
    wait_until("the children are settled", || !httpd.child_pids().is_empty());
    let pids = httpd.child_pids();
    let before: Vec<usize> = pids.iter().map(|pid| open_files(*pid)).collect();
    run(450);
    // A few more for connections that are pooled or being closed.
    let within = || pids.iter().zip(&before).all(|(pid, before)| open_files(*pid) <= before + 8);
    wait_until("the descriptors are closed again", within);
    let after: Vec<usize> = pids.iter().map(|pid| open_files(*pid)).collect();
    println!("{mpm:?} descriptors of the children: {before:?} before, {after:?} after 450 requests");
    httpd.assert_clean_log(&[]);
}
