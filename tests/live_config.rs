//! The configuration, against a real httpd: what is refused and how it is said, what starts, and what is inherited.
//!
//! Run with `--nocapture` to read the rows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "support/config_rows.rs"]
mod config_rows;
#[path = "support/row.rs"]
mod row;
mod support;

use std::process::Command;

use config_rows::{BAD, Bad, FINE, GOOD, Says};
use support::background::Background;
use support::{Backend, Httpd, Mpm, client, under_each_mpm};

/// httpd with that configuration, not started.
fn prepared(conf: &str, workers: &str) -> Httpd {
    let builder = Httpd::builder().conf(conf);
    if workers.is_empty() {
        return builder.prepare();
    }
    let httpd = builder.workers("").prepare();
    std::fs::write(httpd.root().join("conf/workers.properties"), row::target(workers)).unwrap();
    httpd
}

/// The number of the last line of httpd.conf in which `piece` begins.
fn line_of(httpd: &Httpd, piece: &str) -> usize {
    let text = std::fs::read_to_string(httpd.root().join("conf/httpd.conf")).unwrap();
    let at = text.rfind(piece).unwrap_or_else(|| panic!("{piece:?} is not in\n{text}"));
    text[..at].matches('\n').count() + 1
}

/// What of `says` is not in `output`.
fn missing(httpd: &Httpd, output: &str, says: Says) -> Option<String> {
    let conf = httpd.root().join("conf/httpd.conf").display().to_string();
    let workers = httpd.root().join("conf/workers.properties").display().to_string();
    let (wanted, found) = match says {
        Says::Stops(piece, cause) => {
            let place = format!("Syntax error on line {} of {conf}:", line_of(httpd, piece));
            let found = output.split_once(&place).is_some_and(|(_, rest)| {
                rest.trim_start().lines().next().is_some_and(|line| line.contains(cause))
            });
            (format!("{place} {cause}"), found)
        }
        Says::Conf(piece, cause) => line_with(output, &format!("{conf}:{}: ", line_of(httpd, piece)), cause),
        Says::Workers(line, cause) => line_with(output, &format!("{workers}:{line}: "), cause),
    };
    (!found).then_some(wanted)
}

fn line_with(output: &str, place: &str, cause: &str) -> (String, bool) {
    let found =
        output.lines().any(|line| line.split_once(place).is_some_and(|(_, behind)| behind.contains(cause)));
    (format!("{place}{cause}"), found)
}

fn judge(bad: &Bad) -> Vec<String> {
    let httpd = prepared(bad.conf, bad.workers);
    let (good, output) = httpd.configtest();
    let mut wrong: Vec<String> = bad.says.iter().filter_map(|says| missing(&httpd, &output, *says)).collect();
    if good {
        wrong.push("a refusal".to_owned());
    }
    if bad.workers.contains("geheim") && output.contains("geheim") {
        wrong.push("the secret kept to itself".to_owned());
    }
    println!("{}: {}", bad.name, if wrong.is_empty() { "refused, ok" } else { "WRONG" });
    wrong.into_iter().map(|text| format!("{}: no {text} in\n{output}", bad.name)).collect()
}

#[test]
fn wrong_configurations_are_refused_with_file_line_and_cause() {
    let failures: Vec<String> = BAD.iter().flat_map(judge).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn usable_configurations_start_and_say_what_is_odd() {
    for (name, conf, workers, says) in GOOD {
        let mut httpd = prepared(conf, workers);
        let (good, output) = httpd.configtest();
        assert!(good, "{name}: {output}");
        httpd.launch().unwrap_or_else(|text| panic!("{name}: {text}"));
        assert!(httpd.error_log().contains(says), "{name}: no {says:?} in\n{}", httpd.error_log());
        assert_eq!(client::get(httpd.port(), "/nothing").status, 404, "{name}");
        println!("{name}: starts, ok");
    }
}

/// A start in the background has no terminal any more when the pass that counts is checked, and no log yet.
#[test]
fn warnings_of_a_start_in_the_background_reach_the_error_log() {
    let httpd = prepared("JkMount /a/* nosuch", "worker.list=w1\nworker.w1.port=1\nworker.unused.port=1\n");
    let background = Background::start(&httpd);
    httpd.wait_for_log("resuming normal operations");
    for said in ["there is no worker \"nosuch\"", "worker 'unused' is not used"] {
        assert_eq!(httpd.error_log().matches(said).count(), 1, "{said}\n{}", httpd.error_log());
    }
    drop(background);
}

#[test]
fn nothing_but_the_module_is_enough() {
    let mut httpd = Httpd::builder().prepare();
    let conf = std::fs::read_to_string(httpd.root().join("conf/httpd.conf")).unwrap();
    let only: String =
        conf.lines().filter(|line| !line.starts_with("Jk")).map(|l| format!("{l}\n")).collect();
    std::fs::write(httpd.root().join("conf/httpd.conf"), only).unwrap();
    httpd.launch().unwrap();
    httpd.wait_for_log("no JkLogFile is set; logging to logs/mod_jk.log");
    assert!(httpd.root().join("logs/mod_jk.log").is_file());
    assert_eq!(client::get(httpd.port(), "/nothing").status, 404);
    httpd.assert_no_errors(&[]);
}

#[test]
fn no_directive_is_taken_from_htaccess() {
    let httpd = Httpd::builder()
        .workers(FINE)
        .conf("<Directory \"@ROOT@/htdocs\">\nAllowOverride All\n</Directory>")
        .file("htdocs/a/.htaccess", "JkMount /* w1\n")
        .file("htdocs/a/x.txt", "text")
        .allow_log("JkMount not allowed here")
        .start();
    assert_eq!(client::get(httpd.port(), "/a/x.txt").status, 500);
    httpd.wait_for_log("JkMount not allowed here");
}

under_each_mpm!(old_conditions_and_log_levels_hold);

/// Both names of the module work in conditions, and its short name in LogLevel.
fn old_conditions_and_log_levels_hold(mpm: Mpm) {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .mpm(mpm)
        .workers(backend.worker("w1"))
        .log_level("warn jk:debug")
        .conf(
            "JkLogFile error_log\nJkLogLevel debug\n\
             <IfModule jk_module>\nJkMount /identifier/* w1\n</IfModule>\n\
             <IfModule mod_jk.c>\nJkMount /source/* w1\n</IfModule>\n\
             <IfModule !jk_module>\nNoSuchDirective\n</IfModule>\n\
             <IfModule !mod_jk.c>\nNoSuchDirective\n</IfModule>\n\
             ServerTokens Full",
        )
        .start();
    let answer = client::get(httpd.port(), "/identifier/x");
    assert_eq!((answer.status, answer.fact("uri").as_deref()), (200, Some("/identifier/x")));
    assert_eq!(client::get(httpd.port(), "/source/x").status, 200);
    let server = answer.header("Server").expect("Server").to_owned();
    let component = concat!("mod_jk_rs/", env!("CARGO_PKG_VERSION"));
    assert!(server.split(' ').any(|part| part == component), "{server}");
    // The requests are served at debug level of the module, while the server as a whole is at warn.
    httpd.wait_for_log("[jk:debug]");
    assert!(httpd.error_log().contains("JK0214"), "{}", httpd.error_log());
    assert!(!httpd.error_log().contains("[core:info]"));
    backend.assert_no_errors();
    httpd.assert_no_errors(&[]);
}

#[test]
fn the_log_level_of_httpd_bounds_what_goes_to_its_log() {
    let backend = Backend::start();
    let httpd = Httpd::builder()
        .workers(backend.worker("w1"))
        .log_level("warn jk:info")
        .conf("JkLogFile error_log\nJkLogLevel trace\nJkMount /app/* w1")
        .start();
    assert_eq!(client::get(httpd.port(), "/app/x").status, 200);
    httpd.wait_for_log("JK0005");
    assert!(!httpd.error_log().contains("JK0214"), "{}", httpd.error_log());
}

#[test]
fn one_symbol_is_exported() {
    let module = support::httpd::module_under_test();
    let listed = Command::new("nm").args(["-D", "--defined-only"]).arg(&module).output().expect("run nm");
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let names: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(names, ["jk_module"], "{text}");
}

/// Which virtual host sends which URL where.
#[test]
fn mounts_are_inherited_by_virtual_hosts_as_the_settings_say() {
    let (one, two) = (Backend::start(), Backend::start());
    let workers = || format!("worker.list=w1,w2\n{}{}", one.member("w1"), two.member("w2"));
    let vhosts = "<VirtualHost 127.0.0.1:@PORT@>\nServerName main-shadow\n</VirtualHost>\n\
                  <VirtualHost 127.0.0.1:@PORT@>\nServerName plain\n</VirtualHost>\n\
                  <VirtualHost 127.0.0.1:@PORT@>\nServerName on\nJkMountCopy on\n</VirtualHost>\n\
                  <VirtualHost 127.0.0.1:@PORT@>\nServerName off\nJkMountCopy OFF\n</VirtualHost>\n\
                  <VirtualHost 127.0.0.1:@PORT@>\nServerName own\nJkMount /own/* w2\n</VirtualHost>\n\
                  <VirtualHost 127.0.0.1:@PORT@>\nServerName own-on\nJkMountCopy On\nJkMount /own/* w2\n\
                  JkMount /main/* w2\n</VirtualHost>\n";
    let mounts = "JkMount /main/* w1\nJkMount /g|/* w1\nJkUnMount /main/no/* w1\n";
    // Host, path, worker without and with `JkMountCopy All` in the main server.
    let table = [
        ("plain", "/main/x", "", "w1"),
        ("plain", "/main/no/x", "", ""),
        ("on", "/main/x", "w1", "w1"),
        ("on", "/main/no/x", "", ""),
        ("on", "/g", "w1", "w1"),
        ("off", "/main/x", "", ""),
        ("own", "/own/x", "w2", "w2"),
        ("own", "/main/x", "", "w1"),
        ("own-on", "/own/x", "w2", "w2"),
        ("own-on", "/main/x", "w2", "w2"),
        ("own-on", "/g/x", "w1", "w1"),
        ("plain", "/own/x", "", ""),
    ];
    for (all, copy) in [(false, ""), (true, "JkMountCopy All\n")] {
        // Mounts of the main server may stand before or behind the virtual hosts.
        let conf = if all { format!("{copy}{mounts}{vhosts}") } else { format!("{vhosts}{mounts}") };
        let httpd = Httpd::builder().workers(workers()).conf(conf).start();
        for (host, path, without, with) in table {
            let worker = if all { with } else { without };
            let before = (one.requests().len(), two.requests().len());
            let answer = client::request(httpd.port(), "GET", path, &[("Host", host)], b"");
            let after = (one.requests().len(), two.requests().len());
            let grown = (after.0 - before.0, after.1 - before.1);
            let wanted = match worker {
                "w1" => (1, 0),
                "w2" => (0, 1),
                _ => (0, 0),
            };
            assert_eq!(grown, wanted, "All {all}: {host} {path} answered {}", answer.status);
            assert_eq!(answer.status, if worker.is_empty() { 404 } else { 200 }, "{host} {path}");
        }
        httpd.assert_no_errors(&[]);
    }
    one.assert_no_errors();
    two.assert_no_errors();
}
