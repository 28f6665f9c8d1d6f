//! Runs rows (see `row`) against a real httpd with scripted backends: one httpd for each distinct configuration.
//!
//! What the pure tests model is real here: httpd's own view of the target, its access rules, its statuses, and what a backend
//! receives. Rows with a directive that this version of the module does not know are reported as left over, never passed.

use std::sync::Mutex;

use crate::row::{Row, Want, target};
use crate::support::{Backend, Client, Httpd, Response};

/// What came of a replay.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// Targets that did not do what is wanted.
    pub(crate) failures: Vec<String>,
    /// Numbers of rows that need a directive the module does not know, with that directive.
    pub(crate) left: Vec<(u32, String)>,
    /// Targets that were sent.
    pub(crate) sent: usize,
}

/// How rows are run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Setting {
    /// Lines in front of those of every row.
    pub(crate) fixture: &'static [&'static str],
    /// Forwarded URIs may have more slashes in a row than the wanted ones: `MergeSlashes Off` is in force.
    pub(crate) slashes_kept: bool,
}

/// The workers that rows name.
const WORKERS: [&str; 3] = ["w1", "w2", "jkstatus"];

/// Rows with the same configuration.
type Group<'a> = (&'static [&'static str], Vec<&'a Row>);

/// Runs all rows, in two threads with backends of their own, and prints a line for each target.
pub(crate) fn replay(rows: &[Row], setting: Setting) -> Replayed {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|(config, _)| *config == row.config) {
            Some((_, members)) => members.push(row),
            None => groups.push((row.config, vec![row])),
        }
    }
    let queue = Mutex::new(groups.into_iter().enumerate());
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let backends = WORKERS.map(|_| Backend::start());
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((place, group)) = next else { break };
                    let done = run_group(&group, setting, &backends);
                    results.lock().unwrap().push((place, done));
                }
                for backend in &backends {
                    backend.assert_no_errors();
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(place, _)| *place);
    let mut all = Replayed::default();
    for (_, (lines, replayed)) in results {
        for line in lines {
            println!("{line}");
        }
        all.failures.extend(replayed.failures);
        all.left.extend(replayed.left);
        all.sent += replayed.sent;
    }
    all
}

fn run_group(
    (config, rows): &Group<'_>,
    setting: Setting,
    backends: &[Backend; 3],
) -> (Vec<String>, Replayed) {
    let (mut lines, mut done) = (Vec::new(), Replayed::default());
    let config: Vec<&str> = setting.fixture.iter().chain(config.iter()).copied().collect();
    if let Some(directive) = config.iter().find_map(|line| unknown_directive(line)) {
        for row in rows {
            lines.push(format!("{}: left over, {directive} is not known", name(row)));
            done.left.push((row.number, directive.to_owned()));
        }
        return (lines, done);
    }
    let mut workers = format!("worker.list={}\n", WORKERS.join(","));
    for (name, backend) in WORKERS.iter().zip(backends) {
        workers.push_str(&backend.member(name));
    }
    // Long targets are to reach the module, and what is forbidden or unknown is logged as an error.
    let mut conf = String::from("LimitRequestLine 3000000\n");
    let mut mount_file = String::new();
    for line in &config {
        if let Some(rule) = line.strip_prefix("file:") {
            mount_file.push_str(&format!("{}\n", rule.trim()));
        } else if let Some(property) = line.strip_prefix("workers:") {
            workers.push_str(&format!("{}\n", property.trim()));
        } else {
            conf.push_str(&format!("{line}\n"));
        }
    }
    if !mount_file.is_empty() {
        conf.push_str("JkMountFile conf/mounts.properties\n");
    }
    let mut httpd =
        Httpd::builder().workers(workers).file("conf/mounts.properties", mount_file).conf(conf).prepare();
    if rows.iter().any(|row| matches!(row.want, Want::Live(_))) {
        // The only rows left to a running server alone are those whose configuration is refused.
        let (good, output) = httpd.configtest();
        for row in rows {
            lines.push(format!("{}: {}", name(row), if good { "accepted WRONG" } else { "refused ok" }));
            if good {
                done.failures.push(format!("{}: accepted: {output}", name(row)));
            }
        }
        return (lines, done);
    }
    if let Err(text) = httpd.launch() {
        done.failures.push(format!("{config:?}: {text}"));
        return (lines, done);
    }
    for row in rows {
        for written in row.targets {
            let (line, failure) = run_target(&httpd, row, written, setting, backends);
            lines.push(line);
            done.failures.extend(failure);
            done.sent += 1;
        }
    }
    (lines, done)
}

fn name(row: &Row) -> String {
    if row.number == 0 { "row".to_owned() } else { format!("row {}", row.number) }
}

fn run_target(
    httpd: &Httpd,
    row: &Row,
    written: &str,
    setting: Setting,
    backends: &[Backend; 3],
) -> (String, Option<String>) {
    let octets = target(written);
    let before: Vec<usize> = backends.iter().map(requests).collect();
    let answer = ask(httpd, &octets);
    let arrived: Vec<(&str, String)> = WORKERS
        .iter()
        .zip(backends)
        .zip(&before)
        .filter(|((_, backend), before)| requests(backend) > **before)
        .map(|((name, backend), _)| (*name, backend.last_request().uri.clone()))
        .collect();
    let path = octets.split(|&octet| octet == b'?').next().unwrap().to_vec();
    let path: String = path.iter().map(|&octet| char::from(octet)).collect();
    let same =
        |sent: &str, wanted: &str| sent == wanted || (setting.slashes_kept && merged(sent) == merged(wanted));
    // What is forwarded and does not fit into a packet ends there; only how the path is read matters in such rows.
    let too_large = |wanted: &str| wanted.len() > 8000 && answer.status == 431 && arrived.is_empty();
    let nowhere = |status: u16| arrived.is_empty() && answer.status == status;
    // An access rule of httpd also holds for what the module declines.
    let denied = setting.fixture.iter().chain(row.config).any(|line| {
        let place = line
            .strip_prefix("<Location ")
            .filter(|rest| rest.contains("Require "))
            .and_then(|rest| rest.split('>').next());
        place.is_some_and(|place| path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/')))
    });
    let right = match row.want {
        Want::Forwarded(worker, uri) => {
            matches!(&arrived[..], [(to, sent)] if *to == worker && same(sent, uri)) && answer.status == 200
                || too_large(uri)
        }
        Want::Same(worker) => {
            matches!(&arrived[..], [(to, sent)] if *to == worker && same(sent, &path)) && answer.status == 200
                || too_large(&path)
        }
        // httpd itself refuses `*` for anything but OPTIONS.
        Want::Declined if path == "*" => nowhere(400),
        Want::Declined => nowhere(if denied { 403 } else { 404 }),
        Want::BadRequest => nowhere(400),
        Want::Httpd(status) => nowhere(status),
        Want::Forbidden(_) => nowhere(403),
        Want::NoWorker(_) => nowhere(500),
        Want::Live(_) => false,
    };
    let shown = match &arrived[..] {
        [] => format!("{}, not forwarded", answer.status),
        [(worker, uri)] if uri.len() > 200 => format!("{}, {worker} <- {} octets", answer.status, uri.len()),
        all => format!(
            "{}, {}",
            answer.status,
            all.iter().map(|(w, u)| format!("{w} <- {u}")).collect::<Vec<_>>().join(" and ")
        ),
    };
    let line = format!("{} {written}: {shown} {}", name(row), if right { "ok" } else { "WRONG" });
    let failure = (!right).then(|| format!("{line}, wanted {:?} with {:?}", row.want, row.config));
    (line, failure)
}

fn requests(backend: &Backend) -> usize {
    backend.log().iter().map(|connection| connection.requests().len()).sum()
}

fn merged(path: &str) -> String {
    let mut out = String::new();
    for c in path.chars() {
        if !(c == '/' && out.ends_with('/')) {
            out.push(c);
        }
    }
    out
}

fn ask(httpd: &Httpd, octets: &[u8]) -> Response {
    let mut client = Client::connect(httpd.port());
    let request = [b"GET ", octets, b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"].concat();
    // An early answer may come with a reset of the rest of a long request.
    let _ = client.try_send(request);
    client.read_response()
}

/// The directive of a row's line that httpd does not know with the module loaded.
fn unknown_directive(line: &str) -> Option<&'static str> {
    let directive = match line {
        _ if line.starts_with("file:") => "JkMountFile",
        _ if line.starts_with("JkOptions") => "JkOptions",
        _ => return None,
    };
    static KNOWN: Mutex<Vec<(&str, bool)>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap();
    let found = known.iter().find(|(name, _)| *name == directive).map(|(_, known)| *known);
    let is_known = found.unwrap_or_else(|| {
        let (_, output) = Httpd::builder().conf(directive).prepare().configtest();
        let is_known = !output.contains(&format!("Invalid command '{directive}'"));
        known.push((directive, is_known));
        is_known
    });
    (!is_known).then_some(directive)
}
