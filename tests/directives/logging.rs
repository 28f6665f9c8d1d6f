//! JkLogFile, JkLogLevel, JkLogStampFormat, JkRequestLogFormat, JkRequestIdIndicator.

use crate::effect::{ask, ask_with, covers, judge, vhost};
use crate::support::{Backend, Httpd, wait_until};

fn read(httpd: &Httpd, name: &str) -> String {
    std::fs::read_to_string(httpd.root().join(name)).unwrap_or_default()
}

/// The lines of a log that contain `text`.
fn lines(log: &str, text: &str) -> Vec<String> {
    log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}

/// `pattern` fits `text`: `9` stands for a digit, `a` for a letter, everything else for itself.
fn fits(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(octet, wanted)| match wanted {
            b'9' => octet.is_ascii_digit() || octet == b' ',
            b'a' => octet.is_ascii_alphabetic(),
            _ => octet == wanted,
        })
}

#[test]
fn lines_go_where_and_from_the_level_the_configuration_says() {
    covers!("JkLogFile", "JkLogLevel");
    let backend = Backend::start();
    let host = |name: &str, lines: &str| vhost(name, &format!("JkMount /* w\n{lines}"));
    let conf = [
        "JkLogFile logs/main.log\nJkLogLevel debug\n",
        &host("inherits", ""),
        &host("own", "JkLogFile logs/own.log"),
        &host("absolute", "JkLogFile @ROOT@/logs/absolute.log"),
        &host("apache", "JkLogFile error_log"),
        &host("pipe", "JkLogFile \"|/usr/bin/tee @ROOT@/logs/pipe.log\""),
        &host("shell", "JkLogFile \"|$cat >@ROOT@/logs/shell.log\""),
        &host("info", "JkLogLevel Info"),
        &host("warn", "JkLogLevel warning"),
        &host("error", "JkLogLevel error"),
    ];
    let httpd = Httpd::builder().workers(backend.worker("w")).conf(conf.concat()).start();
    // A debug line (JK0214) for each good request, an info line (JK0101) for each bad path.
    for name in ["inherits", "own", "absolute", "apache", "pipe", "shell", "info", "warn", "error"] {
        assert_eq!(ask(&httpd, name, &format!("/{name}/debug")).status, 200, "{name}");
        assert_eq!(ask(&httpd, name, &format!("/..;/{name}/info")).status, 400, "{name}");
    }
    for (name, file) in [
        ("inherits", "main.log"),
        ("own", "own.log"),
        ("absolute", "absolute.log"),
        ("apache", "error.log"),
        ("pipe", "pipe.log"),
        ("shell", "shell.log"),
    ] {
        let file = format!("logs/{file}");
        for text in [
            format!("JK0214: worker w (127.0.0.1:{}): /{name}/debug", backend.port()),
            format!("/{name}/info is refused"),
        ] {
            wait_until(&format!("{text} in {file}"), || read(&httpd, &file).contains(&text));
            if file != "logs/main.log" {
                assert!(!read(&httpd, "logs/main.log").contains(&text), "{text} is in two logs");
            }
        }
    }
    let main = read(&httpd, "logs/main.log");
    assert_eq!((lines(&main, "/info/debug").len(), lines(&main, "/info/info").len()), (0, 1));
    assert_eq!((lines(&main, "/warn/").len(), lines(&main, "/error/").len()), (0, 0), "{main}");
    assert!(lines(&main, "/inherits/debug")[0].contains("[debug] JK0214"));
    assert!(lines(&main, "/inherits/info")[0].contains("[info] JK0101"));
    drop(httpd);

    // The default is info.
    let httpd = Httpd::builder()
        .without_module()
        .conf(format!(
            "LoadModule jk_module \"{}\"\nJkLogFile logs/jk.log\nJkMount /* ajp13\nJkMount /x ajp13\n\
             JkWorkerProperty worker.ajp13.port={}",
            crate::support::httpd::module_under_test().display(),
            backend.port()
        ))
        .start();
    assert_eq!(ask(&httpd, "h", "/debug").status, 200);
    assert_eq!(ask(&httpd, "h", "/..;/info").status, 400);
    assert!(!httpd.jk_log().contains("/debug") && httpd.jk_log().contains("/info"), "{}", httpd.jk_log());
}

#[test]
fn mistakes_in_log_directives_are_named() {
    covers!("JkLogFile", "JkLogLevel", "JkLogStampFormat", "JkRequestLogFormat");
    // httpd calls it an emergency when it cannot start.
    let mut httpd = Httpd::builder().allow_log("AH00020").prepare();
    judge(
        &httpd,
        &[
            ("JkLogFile \"\"", "JkLogFile takes 1 "),
            ("JkLogFile a b", "JkLogFile takes 1 argument(s)"),
            ("JkLogLevel verbose", "JkLogLevel is trace, debug, info, warn, error or emerg, not \"verbose\""),
            ("JkLogLevel debig", "did you mean debug?"),
            ("JkLogStampFormat", "JkLogStampFormat takes 1 argument(s)"),
            ("JkRequestLogFormat \"%w %Z\"", "JkRequestLogFormat: '%Z' is not known"),
            ("JkRequestLogFormat \"%w %%\"", "'%%' is not known"),
            ("JkRequestLogFormat \"%>s\"", "'%>' is not known"),
        ],
    );
    httpd.replace_conf("JkLogFile nodir/x.log");
    let text = httpd.launch().expect_err("it started without its log");
    assert!(text.contains("JkLogFile nodir/x.log: No such file"), "{text}");
}

#[test]
fn stamps_have_the_configured_form() {
    covers!("JkLogStampFormat");
    let backend = Backend::start();
    let host = |name: &str, lines: &str| vhost(name, &format!("JkMount /* w\n{lines}"));
    let long = format!("{}%Q ", "x".repeat(80));
    let start = |main: &str, hosts: &[String]| {
        Httpd::builder()
            .workers(backend.worker("w"))
            .jk_log_level("debug")
            .conf(format!("{main}{}", hosts.concat()))
            .start()
    };
    let stamp = |httpd: &Httpd, name: &str| {
        assert_eq!(ask(httpd, name, &format!("/{name}")).status, 200);
        let log = httpd.jk_log();
        let line =
            lines(&log, &format!(": /{name} answered")).pop().unwrap_or_else(|| panic!("{name}: {log}"));
        line.split_once("[NO-ID]").expect("NO-ID").0.to_owned()
    };
    let httpd = start("", &[host("default", ""), host("own", "JkLogStampFormat \"%Y|%Q|\"")]);
    let default = stamp(&httpd, "default");
    assert!(fits(&default, "[aaa aaa 99 99:99:99.999 9999] "), "{default}");
    let own = stamp(&httpd, "own");
    assert!(fits(&own, "9999|999|"), "{own}");
    drop(httpd);
    let httpd = start(
        "JkLogStampFormat \"(%q) \"\n",
        &[
            host("inherits", ""),
            host("both", "JkLogStampFormat \"%Q %q-%Q \""),
            host("long", &format!("JkLogStampFormat \"{long}\"")),
        ],
    );
    assert!(fits(&stamp(&httpd, "inherits"), "(999999) "));
    let both = stamp(&httpd, "both");
    assert!(both.ends_with(&format!("%q-{} ", &both[..3])) && fits(&both[..3], "999"), "{both}");
    let long = stamp(&httpd, "long");
    assert!(long.len() == 84 && fits(&long[80..], "999 "), "{long}");
}

#[test]
fn the_request_log_has_every_token() {
    covers!("JkRequestLogFormat");
    let backend = Backend::start();
    let tokens = "%w %R %T %r %U %q %s %b %B %H %m %p %v %V";
    let host = |name: &str, lines: &str| {
        vhost(name, &format!("JkMount /app/* w\nJkLogFile logs/{name}.log\n{lines}"))
    };
    let conf = [
        format!("JkRequestLogFormat \"<{tokens}>\"\nJkLogStampFormat \"stamp \"\n"),
        host(
            "inherits",
            "SetEnv JK_ROUTE r7\nServerName inherits:8123\nUseCanonicalName Off\nJkLogLevel emerg",
        ),
        host("own", "JkRequestLogFormat \"own %s\\t%m\\\\ %U\""),
        host("broken", "JkRequestLogFormat \"<%w %R %s %b %B %q>\"\nJkMount /gone/* gone"),
    ];
    let workers = format!(
        "worker.list=w,gone\n{}worker.gone.port={}\n",
        backend.member("w"),
        crate::support::ports::free_port()
    );
    let httpd = Httpd::builder().workers(workers).conf(conf.concat()).file("htdocs/x.txt", "static").start();
    // The name the client used is %V without UseCanonicalName; %v is the configured one. The normal form of the path is %U.
    assert_eq!(ask(&httpd, "inherits", "/app/x;p=1/../size/10?a=%20b").status, 200);
    assert_eq!(ask(&httpd, "inherits", "/x.txt").status, 200);
    let log = || read(&httpd, "logs/inherits.log");
    wait_until("the line about the request", || log().contains('>'));
    let text = log();
    let line = text.lines().next().unwrap();
    let fields: Vec<&str> = line.trim_start_matches("stamp <").trim_end_matches('>').split(' ').collect();
    assert_eq!(fields.len(), 16, "{line}");
    assert!(fits(fields[2], "9.999999"), "{line}");
    let before = [&fields[..2], &fields[3..]].concat();
    assert_eq!(
        before,
        [
            "w",
            "r7",
            "GET",
            "/app/x;p=1/../size/10?a=%20b",
            "HTTP/1.1",
            "/app/size/10",
            "?a=%20b",
            "200",
            "10",
            "10",
            "HTTP/1.1",
            "GET",
            "8123",
            "inherits",
            "inherits"
        ]
    );
    assert_eq!(text.lines().count(), 1, "a file is no line: {text}");

    assert_eq!(ask(&httpd, "own", "/app/status/404").status, 404);
    wait_until("the line of the own format", || {
        read(&httpd, "logs/own.log") == "stamp own 404\tGET\\ /app/status/404\n"
    });
    assert_eq!(ask(&httpd, "broken", "/gone/x").status, 503);
    wait_until("the line about the failure", || read(&httpd, "logs/broken.log").contains("<gone"));
    let line = lines(&read(&httpd, "logs/broken.log"), "<gone").pop().unwrap();
    assert!(line.starts_with("stamp <gone - 503 ") && line.ends_with(" >"), "{line}");
    drop(httpd);

    let httpd = Httpd::builder().workers(backend.worker("w")).conf("JkMount /* w").start();
    assert_eq!(ask(&httpd, "h", "/app/quiet").status, 200);
    assert!(!httpd.jk_log().contains("quiet"), "there is no request log by default");
}

#[test]
fn lines_carry_the_request_id() {
    covers!("JkRequestIdIndicator");
    let backend = Backend::start();
    let host = |name: &str, lines: &str| vhost(name, &format!("JkMount /* w\n{lines}"));
    let conf = [
        "SetEnvIf X-Id (.+) UNIQUE_ID=$1\nSetEnvIf X-My (.*) MY_ID=$1\n",
        &host("default", "SetEnvIf X-Id (.+) UNIQUE_ID=$1\nSetEnvIf X-My (.*) MY_ID=$1"),
        &host(
            "renamed",
            "JkRequestIdIndicator MY_ID\nSetEnvIf X-Id (.+) UNIQUE_ID=$1\nSetEnvIf X-My (.*) MY_ID=$1",
        ),
    ];
    let httpd =
        Httpd::builder().workers(backend.worker("w")).jk_log_level("debug").conf(conf.concat()).start();
    for (host, path, headers, wanted) in [
        ("default", "/d1", &[("X-Id", "u1"), ("X-My", "m1")][..], "[u1]"),
        ("default", "/d2", &[("X-My", "m1")], "[NO-ID]"),
        ("renamed", "/r1", &[("X-Id", "u1"), ("X-My", "m1")], "[m1]"),
        ("renamed", "/r2", &[("X-Id", "u1"), ("X-My", "")], "[u1]"),
        ("renamed", "/r3", &[], "[NO-ID]"),
    ] {
        assert_eq!(ask_with(&httpd, host, path, headers).status, 200);
        let log = httpd.jk_log();
        let line =
            lines(&log, &format!(": {path} answered")).pop().unwrap_or_else(|| panic!("{path}: {log}"));
        assert!(line.contains(&format!("] {wanted} [")), "{line}");
    }
}
