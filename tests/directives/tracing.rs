//! JkTrace, and what access logs are told: attempts, times, failures, traces, in JSON.

use std::collections::BTreeMap;

use crate::effect::{ask, ask_with, covers, judge, vhost};
use crate::support::{Backend, ForwardRequest, Httpd, wait_until};

const ID: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// The values of a header that the backend got.
fn got<'r>(request: &'r ForwardRequest, name: &str) -> Vec<&'r str> {
    let same = |(other, _): &&(String, String)| other.eq_ignore_ascii_case(name);
    request.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
}

/// The trace id, parent id and flags of the only `traceparent` of a request.
fn parts(request: &ForwardRequest) -> (String, String, String) {
    let fields = got(request, "traceparent");
    assert_eq!(fields.len(), 1, "{fields:?}");
    let parts: Vec<&str> = fields[0].split('-').collect();
    assert_eq!((parts.len(), parts[0], parts[1].len(), parts[2].len()), (4, "00", 32, 16), "{fields:?}");
    (parts[1].to_owned(), parts[2].to_owned(), parts[3].to_owned())
}

#[test]
fn a_trace_goes_on_or_begins() {
    covers!("JkTrace");
    let backend = Backend::start();
    let conf =
        ["JkTrace On\nJkMountCopy All\nJkMount /* w\n", &vhost("on", ""), &vhost("off", "JkTrace Off")];
    let httpd = Httpd::builder().workers(backend.worker("w")).conf(conf.concat()).start();
    let told = |host: &str, headers: &[(&str, &str)]| {
        assert_eq!(ask_with(&httpd, host, "/x", headers).status, 200);
        backend.last_request()
    };
    let good = format!("00-{ID}-{PARENT}-00");
    let bad = format!("00-{}-{PARENT}-01", ID.to_uppercase());

    let (id, parent, flags) = parts(&told("on", &[("traceparent", &good), ("tracestate", "a=1,b=2")]));
    assert_eq!((&*id, &*flags), (ID, "00"));
    assert_ne!(parent, PARENT, "a step of its own");
    assert_eq!(got(&backend.last_request(), "tracestate"), ["a=1,b=2"]);

    let (first, one, flags) = parts(&told("on", &[]));
    let (second, other, _) = parts(&told("on", &[("TraceParent", &bad), ("tracestate", "a=1")]));
    assert!(first != second && one != other && second != ID, "{first} {second}");
    assert_eq!(flags, "01");
    assert!(got(&backend.last_request(), "tracestate").is_empty());
    // Twice is not once.
    let (id, ..) = parts(&told("on", &[("traceparent", &good), ("traceparent", &good)]));
    assert_ne!(id, ID);

    // Off: as they came, whatever they are.
    for field in [&good, &bad] {
        let request = told("off", &[("traceparent", field), ("tracestate", "a=1")]);
        assert_eq!(got(&request, "traceparent"), [field.as_str()]);
        assert_eq!(got(&request, "tracestate"), ["a=1"]);
    }
    assert!(got(&told("off", &[]), "traceparent").is_empty());
    judge(&httpd, &[("JkTrace on\n", ""), ("JkTrace maybe\n", "JkTrace is On or Off, not \"maybe\"")]);
}

#[test]
fn the_log_names_the_trace_of_a_failure() {
    covers!("JkTrace");
    let mut backend = Backend::start();
    backend.stop_listening();
    let workers = backend.worker("w") + "worker.w.retries=1\n";
    let httpd = Httpd::builder().workers(workers).conf("JkTrace On\nJkMount /* w\n").start();
    let field = format!("00-{ID}-{PARENT}-01");
    assert_eq!(ask_with(&httpd, "localhost", "/x", &[("traceparent", &field)]).status, 503);
    let wanted = format!("GET /x [trace {ID}]: answered with 503");
    wait_until("the line with the trace", || httpd.jk_log().contains(&wanted));
}

/// The recipe of docs/monitoring.md.
fn recipe() -> String {
    let text = include_str!("../../docs/monitoring.md");
    let (_, rest) = text.split_once("<!-- json log -->").expect("the recipe");
    let (_, rest) = rest.split_once("```apache\n").expect("its lines");
    rest.split_once("```").expect("its end").0.to_owned()
}

type Row = BTreeMap<String, serde_json::Value>;

/// The lines of the log, when there are so many.
fn rows(httpd: &Httpd, count: usize) -> Vec<Row> {
    let text = || std::fs::read_to_string(httpd.root().join("logs/access.json")).unwrap_or_default();
    wait_until("the lines of all requests", || text().lines().count() >= count);
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text().lines().map(parse).collect()
}

const FIELDS: [&str; 22] = [
    "time",
    "client",
    "method",
    "url",
    "protocol",
    "status",
    "bytes",
    "us",
    "host",
    "referer",
    "agent",
    "worker",
    "member",
    "route",
    "decision",
    "attempts",
    "queue_us",
    "connect_us",
    "first_byte_us",
    "total_us",
    "failure",
    "trace",
];

#[test]
fn a_line_of_the_access_log_is_json() {
    covers!("JkTrace");
    let backend = Backend::start();
    let mut gone = Backend::start();
    gone.stop_listening();
    let workers = [
        "worker.list=lb,down\nworker.lb.type=lb\nworker.lb.balance_workers=one\n".to_owned(),
        backend.member("one"),
        gone.member("down"),
        "worker.down.retries=1\nworker.one.route=r1\n".to_owned(),
    ];
    let conf = recipe() + "JkTrace On\nJkMount /app/* lb\nJkMount /down/* down\n";
    let httpd = Httpd::builder().workers(workers.concat()).conf(conf).start();

    let agent = "quote \" backslash \\ tab \t end";
    assert_eq!(ask_with(&httpd, "localhost", "/app/a%22b?q=\"x\"", &[("User-Agent", agent)]).status, 200);
    let row = rows(&httpd, 1).remove(0);
    let mut wanted = FIELDS;
    wanted.sort_unstable();
    assert_eq!(row.keys().map(String::as_str).collect::<Vec<_>>(), wanted);
    assert_eq!(row["url"], "/app/a%22b?q=\"x\"");
    assert_eq!(row["agent"], agent);
    assert_eq!(row["status"], 200);
    assert_eq!((&row["worker"], &row["member"]), (&"lb".into(), &"one".into()));
    assert_eq!(row["decision"], "one single", "{row:?}");
    assert_eq!(row["attempts"], 1);
    assert_eq!(row["queue_us"], 0);
    let number = |name: &str| row[name].as_u64().unwrap_or_else(|| panic!("{name}: {row:?}"));
    assert!(number("connect_us") > 0, "{row:?}");
    assert!(number("first_byte_us") >= number("connect_us"), "{row:?}");
    assert!(number("total_us") >= number("first_byte_us") && number("us") >= number("total_us"), "{row:?}");
    assert_eq!(row["failure"], "-");
    let parent = backend.last_request();
    assert_eq!(row["trace"], parts(&parent).0.as_str());

    // The connection is there already; what is not UTF-8 is replaced.
    let mut client = crate::support::Client::connect(httpd.port());
    client.send(b"GET /app/2 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: caf\xe9 \xc3\xa9\r\nConnection: close\r\n\r\n");
    assert_eq!(client.read_response().status, 200);
    let row = rows(&httpd, 2).remove(1);
    assert_eq!(row["agent"], "caf\u{fffd} \u{e9}");
    assert_eq!(row["connect_us"], 0);

    assert_eq!(ask(&httpd, "localhost", "/down/x").status, 503);
    let row = rows(&httpd, 3).remove(2);
    assert_eq!((&row["status"], &row["worker"], &row["member"]), (&503.into(), &"down".into(), &"-".into()));
    assert_eq!((&row["failure"], &row["attempts"]), (&"JK0201".into(), &1.into()), "{row:?}");
    assert!(row["first_byte_us"].is_null() && row["total_us"].is_u64(), "{row:?}");

    // Controls in the path are refused, and controls that are sent as they are by httpd itself.
    assert_eq!(ask(&httpd, "localhost", "/app/%0a%01%5c?\"").status, 400);
    let row = rows(&httpd, 4).remove(3);
    assert_eq!((&row["status"], &row["url"]), (&400.into(), &"/app/%0a%01%5c?\"".into()));

    // A request that is not the module's.
    ask(&httpd, "localhost", "/elsewhere");
    let row = rows(&httpd, 5).remove(4);
    assert_eq!((&row["worker"], &row["trace"]), (&"-".into(), &"-".into()));
    assert!(row["total_us"].is_null() && row["attempts"].is_null(), "{row:?}");
}
