//! Runs a world in two servers, one with each module, at the same time.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::case::{Case, MAIN, World, get, host_name};
use crate::observe::{self, Names, Observation};
use crate::recorder::Recorder;
use crate::support::httpd::original_mod_jk;
use crate::support::{Client, Ended, Httpd, PATIENCE, Response, ports};

/// Workers of every world.
const WORKERS: usize = 6;

/// How long a client of mod_jk waits that will not get all it was promised. With the module under test it waits as for
/// everything else: it must not need to.
const HURRY: Duration = Duration::from_secs(1);

/// In every world: no limit on keep-alive, and a line in the access log for each case.
const BASE: &str = "MaxKeepAliveRequests 0\nHostnameLookups Off\n\
    LogFormat \"%{X-Case}i|%{JK_WORKER_NAME}n|%{JK_WORKER_TYPE}n|%{JK_WORKER_ROUTE}n|%<{JK_WORKER_NAME}n|\
%{JK_REQUEST_DURATION}n|%>s|%s|\
%{JK_LB_FIRST_NAME}n|%{JK_LB_FIRST_VALUE}n|%{JK_LB_FIRST_ACCESSED}n|%{JK_LB_FIRST_SESSIONS}n|%{JK_LB_FIRST_READ}n|\
%{JK_LB_FIRST_TRANSFERRED}n|%{JK_LB_FIRST_ERRORS}n|%{JK_LB_FIRST_BUSY}n|%{JK_LB_FIRST_ACTIVATION}n|\
%{JK_LB_FIRST_STATE}n|%{JK_LB_LAST_NAME}n|%{JK_LB_LAST_VALUE}n|%{JK_LB_LAST_ACCESSED}n|%{JK_LB_LAST_SESSIONS}n|\
%{JK_LB_LAST_READ}n|%{JK_LB_LAST_TRANSFERRED}n|%{JK_LB_LAST_ERRORS}n|%{JK_LB_LAST_BUSY}n|\
%{JK_LB_LAST_ACTIVATION}n|%{JK_LB_LAST_STATE}n|%U\" cases\nCustomLog logs/cases.log cases\n";

/// Notes about members, as the format above has them for the first and the last one.
const MEMBER_NOTES: [&str; 10] =
    ["name", "value", "accessed", "sessions", "read", "transferred", "errors", "busy", "activation", "state"];

/// What both modules did with one case.
pub struct Pair<'w> {
    /// The world.
    pub world: &'w World,
    /// The case.
    pub case: &'w Case,
    /// Its number in the world.
    pub number: usize,
    /// With mod_jk.
    pub theirs: Observation,
    /// With the module under test.
    pub ours: Observation,
}

/// Runs all cases of a world in both servers.
pub fn run(world: &World) -> Vec<Pair<'_>> {
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = std::thread::Builder::new()
            .name("mod_jk".into())
            .spawn_scoped(scope, || side(world, true))
            .expect("thread");
        let ours = side(world, false);
        (theirs.join().expect("the run with mod_jk failed"), ours)
    });
    let cases = world.cases.iter().enumerate();
    let mut pairs: Vec<_> = cases
        .zip(theirs.0.into_iter().zip(ours.0))
        .map(|((number, case), (theirs, ours))| Pair { world, case, number, theirs, ours })
        .collect();
    // One case more for the request log of the world, when it has one.
    if let Some(case) = world.cases.last()
        && !(theirs.1.is_empty() && ours.1.is_empty())
    {
        pairs.push(Pair { world, case, number: usize::MAX, theirs: theirs.1, ours: ours.1 });
    }
    pairs
}

/// The server of one side, ready to start.
fn prepare(world: &World, original: bool, recorder: &Recorder) -> Httpd {
    let refused = ports::free_port();
    let mut workers = "worker.list=w1,w2,w3,w4,w5,w6,refused\n".to_owned();
    for (index, port) in recorder.ports().iter().enumerate() {
        let name = index + 1;
        workers += &format!(
            "worker.w{name}.type=ajp13\nworker.w{name}.host=127.0.0.1\nworker.w{name}.port={port}\n"
        );
    }
    workers +=
        &format!("worker.refused.type=ajp13\nworker.refused.host=127.0.0.1\nworker.refused.port={refused}\n");
    workers += &world.workers;
    // For a look at one case: DIFF_LOG=debug with MOD_JK_RS_KEEP=1.
    let log_level = std::env::var("DIFF_LOG").unwrap_or_else(|_| "error".into());
    let mut conf = BASE.to_owned() + &world.main + "\n";
    for (index, lines) in world.vhosts.iter().enumerate() {
        conf +=
            &format!("<VirtualHost *:@PORT@>\nServerName {}\n{lines}\n</VirtualHost>\n", host_name(index));
    }
    let mut builder =
        Httpd::builder().workers(workers).conf(conf).jk_log_level(&log_level).modules(&world.modules);
    // mod_jk writes a line of the highest level for a URL that climbs above the root.
    builder = builder.log_level("warn").allow_log("[emerg]").threads_per_child(4);
    for (name, content) in &world.files {
        builder = builder.file(name, content);
    }
    if original {
        builder = builder.module(original_mod_jk());
    }
    let httpd = builder.prepare();
    // The same age on both sides, for Last-Modified and ETag.
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    for (name, _) in
        world.files.iter().filter(|(name, _)| name.starts_with("htdocs/") || name.starts_with("apps/"))
    {
        let file = std::fs::File::options().write(true).open(httpd.root().join(name)).expect("open");
        file.set_modified(time).expect("set the time of a file");
    }
    httpd
}

/// Observations of all cases with one of the modules, and of the request log.
fn side(world: &World, original: bool) -> (Vec<Observation>, Observation) {
    let recorder = Recorder::start(WORKERS);
    let mut httpd = prepare(world, original, &recorder);
    if let Err(text) = httpd.launch() {
        panic!("world {}, {}: {text}", world.name, if original { "mod_jk" } else { "the module under test" });
    }
    let names = Names { port: httpd.port(), root: httpd.root().display().to_string() };
    let mut all = Vec::new();
    let mut kept = None;
    for (number, case) in world.cases.iter().enumerate() {
        let mut seen = perform(case, number, original, &recorder, &names, &mut kept);
        // Which of several idle connections is taken is nobody's business, whether any is taken is the option's.
        if world.generated || !world.conf_of(case).contains("DisableReuse") {
            seen.retain(|field, _| !field.ends_with("reused-connection"));
        }
        all.push(seen);
    }
    drop(kept);
    httpd.stop();
    let log = std::fs::read(httpd.root().join("logs/cases.log")).unwrap_or_default();
    for line in observe::latin(&log).lines() {
        let parts: Vec<&str> = line.split('|').collect();
        let Some(seen) = parts[0].parse::<usize>().ok().and_then(|number| all.get_mut(number)) else {
            continue;
        };
        let fields = ["worker-name", "worker-type", "worker-route", "first-worker-name"];
        for (field, value) in fields.iter().zip(&parts[1..]) {
            seen.insert(format!("log.{field}"), (*value).to_owned());
        }
        let digits: String = parts[5].chars().map(|c| if c.is_ascii_digit() { 'd' } else { c }).collect();
        seen.insert("log.duration".into(), digits);
        seen.insert("log.status".into(), format!("{} {}", parts[6], parts[7]));
        for (at, value) in parts[8..28].iter().enumerate() {
            let (which, note) =
                (["first", "last"][at / MEMBER_NOTES.len()], MEMBER_NOTES[at % MEMBER_NOTES.len()]);
            seen.insert(format!("log.{which}-member.{note}"), (*value).to_owned());
        }
        seen.insert("log.path".into(), parts[28..].join("|"));
    }
    let lines = httpd.jk_log();
    let mut lines: Vec<_> =
        lines.lines().filter_map(|line| line.split_once("RL|")).map(|(_, text)| request_line(text)).collect();
    // A line is written after the response, so one thread may overtake another.
    lines.sort();
    let log =
        lines.into_iter().enumerate().map(|(at, text)| (format!("request-log.{at:03}"), text)).collect();
    (all, log)
}

/// A line of the request log without the duration.
fn request_line(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.split_once('.') {
        Some((seconds, micros))
            if micros.len() == 6
                && [seconds, micros].iter().all(|t| t.bytes().all(|b| b.is_ascii_digit())) =>
        {
            "DURATION"
        }
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

fn perform(
    case: &Case,
    number: usize,
    original: bool,
    recorder: &Recorder,
    names: &Names,
    kept: &mut Option<Client>,
) -> Observation {
    let raw = case.raw(number, &host_name(case.vhost));
    let patience = if case.hurried && original { HURRY } else { PATIENCE };
    let fresh = case.followed || kept.is_none();
    let mut connection = match kept.take() {
        Some(client) if !fresh => client,
        _ => Client::connect(names.port),
    };
    let mut response = exchange(case, &raw, recorder, patience, &mut connection);
    if response.is_err() && !fresh {
        // The server may have closed an idle connection; on a new one it must answer.
        connection = Client::connect(names.port);
        response = exchange(case, &raw, recorder, patience, &mut connection);
    }
    let mut seen = Observation::new();
    observe::client(&mut seen, "client", &response, names);
    observe::backend(&mut seen, &recorder.take(), names, connection.local_port());
    let usable = response.is_ok_and(|response| stays_open(&response));
    if case.followed {
        seen.insert("client.stays-open".into(), usable.to_string());
        if usable {
            let vhost = if case.vhost == MAIN { MAIN } else { case.vhost };
            recorder.expect(&[]);
            let _ = connection.try_send(get(vhost, "/no-such-file").raw(usize::MAX, &host_name(vhost)));
            let next = connection.try_read_response_to("GET");
            recorder.take();
            observe::client(&mut seen, "next", &next, names);
        }
    } else if usable {
        *kept = Some(connection);
    }
    seen
}

fn exchange(
    case: &Case,
    raw: &[u8],
    recorder: &Recorder,
    patience: Duration,
    client: &mut Client,
) -> std::io::Result<Response> {
    recorder.expect(&case.answers);
    client.stream().set_read_timeout(Some(patience)).expect("read timeout");
    // An early answer may come with a reset of the upload; the answer is what counts.
    let _ = client.try_send(raw);
    client.try_read_response_to(&case.method)
}

fn stays_open(response: &Response) -> bool {
    let closes = response.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let persistent =
        response.version == "HTTP/1.1" && !matches!(response.ended, Ended::Close | Ended::Truncated);
    persistent && !closes
}

/// A difference in one field.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Name of the field.
    pub field: String,
    /// With mod_jk; `None`: not there.
    pub theirs: Option<String>,
    /// With the module under test.
    pub ours: Option<String>,
}

impl Pair<'_> {
    /// Fields that differ.
    pub fn differences(&self) -> Vec<Difference> {
        let mut merged: BTreeMap<&String, (Option<&String>, Option<&String>)> = BTreeMap::new();
        for (field, value) in &self.theirs {
            merged.entry(field).or_default().0 = Some(value);
        }
        for (field, value) in &self.ours {
            merged.entry(field).or_default().1 = Some(value);
        }
        let differing = merged.into_iter().filter(|(field, (theirs, ours))| match (theirs, ours) {
            (Some(theirs), Some(ours)) if field.ends_with("-order") => {
                common(theirs, ours) != common(ours, theirs)
            }
            _ => theirs != ours,
        });
        differing
            .map(|(field, (theirs, ours))| Difference {
                field: field.clone(),
                theirs: theirs.cloned(),
                ours: ours.cloned(),
            })
            .collect()
    }
}

/// The words of `list` that are in `other` too, whatever their case, in order.
fn common<'a>(list: &'a str, other: &str) -> Vec<&'a str> {
    let known = |word: &&str| other.split(' ').any(|name| name.eq_ignore_ascii_case(word));
    list.split(' ').filter(known).collect()
}
