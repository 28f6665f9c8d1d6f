//! Tests of the syntax of properties.

use proptest::prelude::*;

use super::*;
use crate::engine::config::diagnostic::Severity;

fn environment(name: &str) -> Option<String> {
    match name {
        "HOME" => Some("/home/jk".to_owned()),
        "EMPTY" => Some(String::new()),
        "port" => Some("from the environment".to_owned()),
        _ => None,
    }
}

fn read(content: impl AsRef<[u8]>) -> (Properties, Diagnostics) {
    let mut loader = Loader::new(&environment);
    loader.builtin("ServerRoot", "/etc/httpd");
    loader.file("f", content.as_ref());
    loader.finish()
}

/// All properties but the built-in one, as `name=value`.
fn pairs(properties: &Properties) -> Vec<String> {
    let own = properties.iter().filter(|p| p.name() != "ServerRoot");
    own.map(|p| format!("{}={}", p.name(), p.value())).collect()
}

fn values(content: impl AsRef<[u8]>) -> Vec<String> {
    pairs(&read(content).0)
}

fn problems(content: impl AsRef<[u8]>, severity: Severity) -> Vec<String> {
    let all = read(content).1;
    all.iter().filter(|d| d.severity == severity).map(ToString::to_string).collect()
}

fn errors(content: impl AsRef<[u8]>) -> Vec<String> {
    problems(content, Severity::Error)
}

fn warnings(content: impl AsRef<[u8]>) -> Vec<String> {
    problems(content, Severity::Warning)
}

#[test]
fn lines() {
    for (content, wanted) in [
        ("a=b", vec!["a=b"]),
        ("  a \t=\x0b b c \r\n", vec!["a=b c"]),
        ("a=b=c", vec!["a=b=c"]),
        ("a=b # comment", vec!["a=b"]),
        ("a=b#c", vec!["a=b"]),
        ("# a=b", vec![]),
        ("#a=b\n\nc=d", vec!["c=d"]),
        ("a b", vec![]),
        ("=b", vec![]),
        ("a=", vec![]),
        ("a= # b", vec![]),
        ("a", vec![]),
        ("a:b", vec![]),
        ("a=b\\\nc=d", vec!["a=b\\", "c=d"]),
        ("a=\\u0041 \"x\"", vec!["a=\\u0041 \"x\""]),
        ("!a=b", vec!["!a=b"]),
        ("worker.list=x", vec!["worker.list=x"]),
    ] {
        assert_eq!(values(content), wanted, "{content:?}");
        assert_eq!(errors(content), [""; 0], "{content:?}");
    }
}

#[test]
fn an_empty_value_does_not_reset_an_earlier_one() {
    assert_eq!(values("a=1\na=\n"), ["a=1"]);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(values(b"\xef\xbb\xbfworker.list=x"), ["worker.list=x"]);
    assert_eq!(warnings(b"\xef\xbb\xbfworker.list=x"), [""; 0]);
}

#[test]
fn overlong_lines_are_errors() {
    let most = format!("a={}", "x".repeat(LONGEST_LINE - 2));
    assert_eq!(values(&most), [most.as_str()]);
    let long = format!("b=1\n{most}x\nc=1");
    assert_eq!(values(&long), ["b=1", "c=1"]);
    assert_eq!(errors(&long), ["f:2: line has 8192 bytes; at most 8191 are possible"]);
    // A long comment does no harm.
    let comment = format!("a=1 #{}", "x".repeat(10_000));
    assert_eq!(values(&comment), ["a=1"]);
    assert_eq!(errors(&comment), [""; 0]);
}

#[test]
fn lines_that_are_no_text_are_errors() {
    assert_eq!(errors(b"ok=1\na=\xff\n"), ["f:2: the line is not UTF-8"]);
    assert_eq!(errors(b"a=1\0"), ["f:1: the line contains a control character"]);
    assert_eq!(errors(b"a=\x1b[31m"), ["f:1: the line contains a control character"]);
    assert_eq!(errors(b"# \xff\xfe comment\nplain \xff text\n"), [""; 0]);
    assert_eq!(values("a=\u{fc}\tx"), ["a=\u{fc}\tx"]);
}

#[test]
fn a_number_sign_in_a_secret_or_variable_is_reported() {
    assert_eq!(
        warnings("worker.a.secret=ab#cd"),
        ["f:1: 'worker.a.secret': the value ends at the '#', which begins a comment"]
    );
    assert_eq!(warnings("my.password=ab#cd").len(), 1);
    assert_eq!(warnings("worker.a.secret=ab #cd"), [""; 0]);
    assert_eq!(warnings("worker.a.host=ab#cd"), [""; 0]);
}

#[test]
fn variables() {
    for (content, wanted) in [
        ("p=8010\nworker.a.port=$(p)", "worker.a.port=8010"),
        ("worker.a.port=8010\nworker.b.port=$(worker.a.port)", "worker.b.port=8010"),
        ("a=$(ServerRoot)/x", "a=/etc/httpd/x"),
        ("a=$(HOME)", "a=/home/jk"),
        // A property wins over the environment, but only from its line on.
        ("port=1\na=$(port)", "a=1"),
        ("a=$(later)\nlater=1", "a=$(later)"),
        ("$(HOME)=x", "$(HOME)=x"),
    ] {
        assert!(values(content).contains(&wanted.to_owned()), "{content}: {:?}", values(content));
    }
    assert_eq!(values("a=$(port)\nport=1"), ["a=from the environment", "port=1"]);
}

#[test]
fn unknown_and_empty_variables_are_reported() {
    assert_eq!(values("worker.a.host=$(nope)"), ["worker.a.host=$(nope)"]);
    assert_eq!(warnings("\nworker.a.host=$(nope)"), ["f:2: 'worker.a.host': unknown variable 'nope'"]);
    // The text may be part of a password.
    assert_eq!(
        warnings("worker.a.secret=x$(nope)"),
        ["f:1: 'worker.a.secret': a '$(' in it is not a variable"]
    );
    assert_eq!(values("a=$(EMPTY)"), [""; 0]);
    assert_eq!(warnings("a=$(EMPTY)").len(), 1);
}

#[test]
fn duplicates() {
    for (content, wanted) in [
        ("worker.a.host=x\nworker.a.host=y", "worker.a.host=y"),
        ("worker.a.distance=1\nworker.a.distance=2", "worker.a.distance=2"),
        ("worker.maintain=60\nworker.maintain=30", "worker.maintain=30"),
        ("v=1\nv=2", "v=2"),
        ("worker.list=x\nworker.list=y,z", "worker.list=x,y,z"),
        ("worker.a.mount=/x\nworker.a.mount=/y", "worker.a.mount=/x,/y"),
        ("worker.a.balance_workers=x\nworker.a.balance_workers=y", "worker.a.balance_workers=x,y"),
        ("worker.a.user=x\nworker.a.user=y", "worker.a.user=x,y"),
        ("worker.a.good=a\nworker.a.good=d", "worker.a.good=a,d"),
        ("worker.a.bad=a\nworker.a.bad=d", "worker.a.bad=a,d"),
        ("worker.a.fail_on_status=500\nworker.a.fail_on_status=501", "worker.a.fail_on_status=500,501"),
        ("lib_path=/a\nlib_path=/b", "lib_path=/a:/b"),
        ("worker.a.session_path=;x\nworker.a.session_path=;y", "worker.a.session_path=;y"),
        ("x.cmd_line=a\nx.cmd_line=b", "x.cmd_line=a b"),
        ("t.list=a\nt.list=b", "t.list=a,b"),
    ] {
        assert_eq!(values(content), [wanted], "{content}");
    }
}

#[test]
fn a_replaced_value_is_reported_with_both_lines() {
    assert_eq!(
        warnings("worker.a.host=x\n\nworker.a.host=y"),
        ["f:3: 'worker.a.host' was already set to 'x' at f:1; 'y' is used"]
    );
    assert_eq!(warnings("worker.list=x\nworker.list=y"), [""; 0]);
    for content in ["worker.a.secret=canary1\nworker.a.secret=canary2", "pw=canary1\npw=canary2"] {
        let found = warnings(content);
        assert_eq!(found.len(), 1);
        assert!(!found[0].contains("canary"), "{found:?}");
    }
}

#[test]
fn parts_of_a_list_keep_their_lines() {
    let (properties, _) = read("worker.list=x y\n\nworker.list=z");
    let list = properties.get("worker.list").unwrap();
    let items: Vec<String> = list.items().map(|(item, origin)| format!("{item}@{origin}")).collect();
    assert_eq!(items, ["x@f:1", "y@f:1", "z@f:3"]);
}

#[test]
fn all_unknown_properties_are_reported() {
    let found = errors("worker.w1.hots=x\nworker.w1.port=1\nworker.zzzzzz=1\nworker.w1.=2\nworker.a.Host=x");
    assert_eq!(
        found,
        [
            "f:1: unknown property 'worker.w1.hots'; did you mean 'host'?",
            "f:3: unknown property 'worker.zzzzzz'",
            "f:4: unknown property 'worker.w1.'",
            "f:5: unknown property 'worker.a.Host'; did you mean 'host'?",
        ]
    );
    // What stands between is not looked at; other names are variables.
    for content in ["worker.a.b.c.host=x", "worker.host=x", "worker.foo.list=x", "tmpl.hots=x", "anything=x"]
    {
        assert_eq!(errors(content), [""; 0], "{content}");
    }
}

#[test]
fn names_that_look_like_properties_are_reported() {
    assert_eq!(
        warnings("WORKER.list=a"),
        ["f:1: 'WORKER.list' only defines a variable; properties begin with 'worker.'"]
    );
    assert_eq!(warnings("workers.list=a").len(), 1);
}

#[test]
fn deprecated_names_are_reported_with_their_replacement() {
    assert_eq!(
        warnings("worker.a.cachesize=1"),
        ["f:1: 'worker.a.cachesize' is deprecated: use connection_pool_size"]
    );
    assert_eq!(warnings("x.cmd_line=a").len(), 1);
    assert_eq!(warnings("cmd_line=a"), [""; 0]);
}

#[test]
fn directives_come_first_and_know_no_comment() {
    let mut loader = Loader::new(&environment);
    let line = |n| Origin::new("httpd.conf", n);
    loader.directive(b" worker.a.secret = ab#cd ", line(1));
    loader.directive(b"worker.list=a", line(2));
    loader.directive(b"worker.a.host=x", line(3));
    loader.directive(b"root=$(ServerRoot)", line(4));
    loader.directive(b"ServerRoot=mine", line(5));
    loader.directive(b"nothing", line(6));
    loader.builtin("ServerRoot", "/etc/httpd");
    loader.file("f", b"worker.list=b\nworker.a.host=$(ServerRoot)");
    let (properties, diagnostics) = loader.finish();
    assert_eq!(
        pairs(&properties),
        ["worker.a.secret=ab#cd", "worker.list=a,b", "worker.a.host=/etc/httpd", "root=$(ServerRoot)",]
    );
    assert_eq!(properties.get("ServerRoot").unwrap().value(), "/etc/httpd");
    let found: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "httpd.conf:4: 'root': unknown variable 'ServerRoot'",
            "f:1: 'worker.list' is added to the list given at httpd.conf:2 by a directive or the module",
            "f:2: 'worker.a.host' was already set to 'x' at httpd.conf:3; '/etc/httpd' is used",
        ]
    );
}

#[test]
fn directives_can_be_checked_at_once() {
    let message = "unknown property 'worker.w1.hots'; did you mean 'host'?";
    assert_eq!(check_directive(b"worker.w1.hots=x"), Err(message.to_owned()));
    for line in ["worker.w1.host=x", "foo=1", "worker.w1.foo", "", "worker.w1.foo="] {
        assert_eq!(check_directive(line.as_bytes()), Ok(()), "{line}");
    }
}

#[test]
fn secrets_are_masked_wherever_they_are() {
    let (properties, _) = read(
        "half=S3cr3t\nwhole=$(half)-canary\nworker.a.secret=$(whole)\nworker.a.host=h\nurl=x-S3cr3t-canary-y\n\
         tmpl.secretkey=other\nworker.b.reference=tmpl\nworker.c.type=ajp13\n",
    );
    let shown: Vec<String> = properties.masked().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        shown,
        [
            "ServerRoot=/etc/httpd",
            "half=********",
            "whole=********",
            "worker.a.secret=********",
            "worker.a.host=h",
            "url=********",
            "tmpl.secretkey=********",
            "worker.b.reference=tmpl",
            "worker.c.type=ajp13",
            "worker.b.secretkey=********",
        ]
    );
    assert!(!format!("{properties:?}").contains("canary"));
}

/// Lines that reach deep into the reader, mixed with noise.
fn any_line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "worker.list",
        "worker.a.type",
        "worker.a.host",
        "worker.a.port",
        "worker.a.secret",
        "worker.a.reference",
        "worker.b.reference",
        "worker.b.balance_workers",
        "worker.a.mount",
        "worker.maintain",
        "x",
        "x_path",
        "worker.a.retries",
        "worker.b.method",
        "worker.s.good",
        "worker.a.fail_on_status",
        "worker.a.hots",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec![
            "a", "b", "a,b", "lb", "status", "worker.a", "worker.b", "x", "$(x)", "$(x", "8009", "-1", "abc",
            "1 k", "/x", "[::1]:80", "unix:/a", "",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,12}",
    ];
    (name, value).prop_map(|(name, value)| format!("{name}={value}"))
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(content: Vec<u8>) {
        read(content);
    }

    #[test]
    fn no_lines_make_it_panic(lines in prop::collection::vec(any_line(), 0..20)) {
        super::super::resolve::testing::load(&lines.join("\n"));
    }

    #[test]
    fn line_ends_marks_and_blanks_do_not_matter(lines in prop::collection::vec(any_line(), 0..12)) {
        let plain = lines.join("\n");
        let dressed = format!("\u{feff}{}", lines.iter().map(|l| format!("\t {l}\t\r\n")).collect::<String>());
        let (first, second) = (read(&plain), read(&dressed));
        prop_assert_eq!(pairs(&first.0), pairs(&second.0));
        let show = |all: &Diagnostics| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        prop_assert_eq!(show(&first.1), show(&second.1));
    }

    #[test]
    fn a_secret_never_gets_into_a_message(lines in prop::collection::vec(any_line(), 0..12)) {
        let content = format!(
            "pw=S3cr3t-canary\n{}\nworker.a.secret=$(pw)\nworker.a.secret=S3cr3t-canary\nworker.l.secret=S3cr3t-canary",
            lines.join("\n")
        );
        let (set, diagnostics) = super::super::resolve::testing::load(&content);
        let shown = format!("{diagnostics:?} {set:?}");
        prop_assert!(!shown.contains("canary"), "{}", shown);
    }
}
