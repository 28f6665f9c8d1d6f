//! The module's own log, against a real httpd: where it goes, how a line looks, and what each virtual host writes where.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{Backend, Httpd, Mpm, client, under_each_mpm};

/// A line of the log taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    id: &'a str,
    pid: u32,
    level: &'a str,
    message: &'a str,
    text: &'a str,
}

/// Takes `[stamp] [id] [pid:tid] [level] JKnnnn: text` apart.
fn parse(line: &str) -> Option<Line<'_>> {
    let (stamp, rest) = bracketed(line)?;
    let (id, rest) = bracketed(rest)?;
    let (process, rest) = bracketed(rest)?;
    let (level, rest) = bracketed(rest)?;
    let (message, text) = rest.split_once(": ")?;
    let (pid, tid) = process.split_once(':')?;
    let known = ["trace", "debug", "info", "warn", "error", "emerg"].contains(&level);
    let digits = message.strip_prefix("JK").filter(|digits| digits.len() == 4);
    let numbered = digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    tid.parse::<u64>().ok()?;
    (is_stamp(stamp) && known && numbered && !id.is_empty()).then_some(Line {
        id,
        pid: pid.parse().ok()?,
        level,
        message,
        text,
    })
}

fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (inside, behind) = text.strip_prefix('[')?.split_once("] ")?;
    Some((inside, behind))
}

/// `Mon Nov 23 01:39:59.089 2026`.
fn is_stamp(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| match c {
            '0'..='9' => '9',
            'A'..='Z' => 'A',
            'a'..='z' => 'a',
            other => other,
        })
        .collect();
    shape == "Aaa Aaa 99 99:99:99.999 9999"
}

#[test]
fn the_judge_of_lines_knows_good_from_bad() {
    let good = "[Mon Nov 23 01:39:59.089 2026] [NO-ID] [22137:140491914507968] [info] JK0005: ready: x";
    let line = parse(good).unwrap();
    assert_eq!(
        (line.id, line.pid, line.level, line.message, line.text),
        ("NO-ID", 22137, "info", "JK0005", "ready: x")
    );
    for (from, to) in
        [("info", "notice"), ("JK0005", "JK05"), ("[NO-ID] ", ""), (".089", ""), (":1404", ":x")]
    {
        assert_eq!(parse(&good.replacen(from, to, 1)), None, "{to}");
    }
}

under_each_mpm!(lines_have_the_documented_form);

/// Every line of a file has the form, with the process that served the request and with the id other modules gave it.
fn lines_have_the_documented_form(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .mpm(mpm)
        .modules(&["unique_id"])
        .jk_log_level("trace")
        .workers(backend.worker("w"))
        .conf("JkMount /app/* w\nHeader set X-Id %{UNIQUE_ID}e")
        .start();
    let answer = client::get(httpd.port(), "/app/x");
    let id = answer.header("X-Id").expect("X-Id").to_owned();
    assert_eq!(client::get(httpd.port(), "/app/..%0a/%1b[31m").status, 400);
    assert_eq!(client::get(httpd.port(), "/elsewhere").status, 404);
    let log = httpd.jk_log();
    let lines: Vec<Line<'_>> =
        log.lines().map(|line| parse(line).unwrap_or_else(|| panic!("malformed: {line}"))).collect();
    let served = lines.iter().find(|line| line.message == "JK0214").expect("JK0214");
    assert_eq!((served.id, served.level), (id.as_str(), "debug"));
    assert!(httpd.child_pids().contains(&served.pid), "{served:?}");
    assert!(served.text.contains("worker w ") && served.text.contains("/app/x answered 200"), "{served:?}");
    let started = lines.iter().find(|line| line.message == "JK0005").expect("JK0005");
    assert_eq!((started.id, started.pid, started.level), ("POST_CONFIG", httpd.pid(), "info"));
    let refused = lines.iter().find(|line| line.message == "JK0101").expect("JK0101");
    assert!(refused.text.contains(r"\x0a") && refused.text.contains(r"\x1b"), "{refused:?}");
    assert!(lines.iter().any(|line| line.message == "JK0106"), "{log}");
    assert!(log.bytes().all(|octet| octet == b'\n' || (b' '..=b'~').contains(&octet)));
}

#[test]
fn levels_bound_what_is_written() {
    let backend = Backend::start();
    for (level, served, started) in [("debug", true, true), ("info", false, true), ("error", false, false)] {
        let httpd = Httpd::builder()
            .jk_log_level(level)
            .workers(backend.worker("w"))
            .conf("JkMount /app/* w")
            .start();
        assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
        let log = httpd.jk_log();
        assert_eq!((log.contains("JK0214"), log.contains("JK0005")), (served, started), "{level}: {log}");
    }
}

#[test]
fn a_program_gets_the_lines() {
    for program in [
        "|/usr/bin/tee -a @ROOT@/logs/piped.log",
        "||/usr/bin/tee -a @ROOT@/logs/piped.log",
        "|$cat >> @ROOT@/logs/piped.log",
    ] {
        let backend = Backend::start();
        let httpd = Httpd::builder()
            .workers(backend.worker("w"))
            .conf(format!("JkLogFile \"{program}\"\nJkLogLevel debug\nJkMount /app/* w"))
            .start();
        assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
        let file = httpd.root().join("logs/piped.log");
        support::wait_until("the line came through the pipe", || {
            std::fs::read_to_string(&file).unwrap_or_default().contains("JK0214")
        });
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.lines().all(|line| parse(line).is_some()), "{program}: {text}");
        assert_eq!(httpd.jk_log(), "", "{program}");
    }
}

#[test]
fn the_log_of_httpd_can_take_it() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .conf("JkLogFile error_log\nJkLogLevel debug\nJkMount /app/* w")
        .start();
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
    httpd.wait_for_log("JK0214");
    let log = httpd.error_log();
    let line = log.lines().find(|line| line.contains("JK0214")).unwrap();
    assert!(line.contains("[jk:debug] [pid ") && line.contains("[client 127.0.0.1:"), "{line}");
    assert!(log.lines().any(|line| line.contains("[jk:info]") && line.contains("JK0005")), "{log}");
    assert_eq!(httpd.jk_log(), "");
}

#[test]
fn virtual_hosts_have_their_own_file_and_level_or_those_of_the_main_server() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w"))
        .conf(
            "JkMount /app/* w\nJkMountCopy All\n\
             <VirtualHost 127.0.0.1:@PORT@>\nServerName inherits\n</VirtualHost>\n\
             <VirtualHost 127.0.0.1:@PORT@>\nServerName file\nJkLogFile logs/file.log\n</VirtualHost>\n\
             <VirtualHost 127.0.0.1:@PORT@>\nServerName level\nJkLogLevel debug\n</VirtualHost>\n\
             <VirtualHost 127.0.0.1:@PORT@>\nServerName both\nJkLogFile logs/both.log\nJkLogLevel debug\n</VirtualHost>\n\
             <VirtualHost 127.0.0.1:@PORT@>\nServerName same\nJkLogFile logs/both.log\n</VirtualHost>",
        )
        .start();
    for host in ["inherits", "file", "level", "both", "same"] {
        for path in ["/app/good-", "/app/bad%0a-"] {
            client::request(httpd.port(), "GET", &format!("{path}{host}"), &[("Host", host)], b"");
        }
    }
    let read = |name: &str| std::fs::read_to_string(httpd.root().join(name)).unwrap();
    let lines = |name: &str, message: &str, host: &str| {
        let text = read(name);
        text.lines().filter(|line| line.contains(message) && line.contains(&format!("-{host} "))).count()
    };
    // Host, its file, whether it writes debug lines (JK0214); JK0101 is of level info.
    for (host, file, debug) in [
        ("inherits", "logs/jk.log", 0),
        ("file", "logs/file.log", 0),
        ("level", "logs/jk.log", 1),
        ("both", "logs/both.log", 1),
        ("same", "logs/both.log", 0),
    ] {
        for name in ["logs/jk.log", "logs/file.log", "logs/both.log"] {
            let here = usize::from(name == file);
            assert_eq!(lines(name, "JK0101", host), here, "{host} in {name}: {}", read(name));
            assert_eq!(lines(name, "JK0214", host), here * debug, "{host} in {name}: {}", read(name));
        }
    }
}

#[test]
fn a_file_that_cannot_be_opened_refuses_a_start_but_does_not_end_a_restart() {
    let mut httpd = Httpd::builder().conf("JkLogFile nodir/x.log").allow_log("AH00020").prepare();
    let text = httpd.launch().expect_err("started");
    assert!(text.contains("JK0004") && text.contains("JkLogFile nodir/x.log: No such file"), "{text}");

    let backend = Backend::start();
    let httpd = Httpd::builder().workers(backend.worker("w")).conf("JkMount /app/* w").start();
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
    httpd.replace_conf("JkMount /app/* w\nJkLogFile nodir/x.log\nJkLogLevel debug");
    httpd.graceful();
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
    httpd.wait_for_log("JK0004");
    httpd.wait_for_log("JK0214");
}
