//! `docs/openapi.yaml` and the API say the same: Schemathesis makes requests from the description, sensible and otherwise, and
//! compares each answer with it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::desk::{builder, value};
use crate::farm::Farm;
use crate::support::{Httpd, client, poll, process};

/// Longest time of one run, in seconds; it has about as much to do.
const TIME: &str = "20";
/// A run that takes longer than that is broken.
const PATIENCE: Duration = Duration::from_secs(55);

/// httpd answers TRACE itself unless it is told not to.
const NO_TRACE: &str = "TraceEnable off\n";
/// Host names need not resolve, which is 422: valid data that is not accepted.
const CONFIG: &str = "[checks.positive_data_acceptance]\n\
                      expected-statuses = [\"2xx\", \"403\", \"404\", \"409\", \"422\"]\n";

/// Where `scripts/setup.sh test` puts it.
fn program() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    let program = std::path::absolute(target.join("schemathesis/bin/schemathesis")).unwrap();
    assert!(program.is_file(), "{} does not exist: run scripts/setup.sh test first", program.display());
    program
}

/// Runs it with this configuration; panics with its report when it finds something.
fn run(httpd: &Httpd, name: &str, config: &str) {
    let file = format!("{name}.toml");
    httpd.write(&file, config);
    let report = httpd.root().join(format!("{name}.report"));
    let output = std::fs::File::create(&report).unwrap();
    let mut command = Command::new(program());
    command
        .args([
            "--config-file",
            &file,
            "--no-color",
            "run",
            "--checks",
            "all",
            "--seed",
            "7",
            "--workers",
            "2",
        ])
        .args(["--generation-database", "none", "--max-time", TIME, "--continue-on-failure"])
        .args(["--url", &format!("http://127.0.0.1:{}/jkstatus", httpd.port())])
        .arg(format!("http://127.0.0.1:{}/jkstatus/api/v1/openapi.yaml", httpd.port()))
        .current_dir(httpd.root())
        .env("HOME", httpd.root())
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output);
    let mut child = process::spawn(command, libc::SIGKILL).unwrap();
    let mut ended = None;
    poll(PATIENCE, || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    if ended.is_none() {
        process::stop(&mut child, libc::SIGKILL, Duration::from_secs(5));
    }
    let text = String::from_utf8_lossy(&std::fs::read(&report).unwrap()).into_owned();
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}\n{text}");
    assert!(text.contains("seed: 7") || text.contains("Seed: 7"), "{text}");
}

#[test]
fn any_name_is_answered_as_described() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").conf(NO_TRACE).start();
    run(&httpd, "names", CONFIG);
    assert_eq!(client::get(httpd.port(), "/lb/x").status, 200);
}

#[test]
fn workers_that_are_there_do_as_described() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "persist=file").conf(NO_TRACE).start();
    let names =
        "[parameters]\n\"path.balancer\" = \"lb\"\n\"path.member\" = \"lb1\"\n\"path.worker\" = \"solo\"\n";
    run(&httpd, "workers", &format!("{names}{CONFIG}"));
    assert_eq!(value(&httpd, "lb3.activation"), "ACT", "nobody has named this one");
    assert!(client::get(httpd.port(), "/jkstatus/api/v1").status == 200);
}
