//! From directives to a running server: check the configuration, open what it needs, begin children.
//!
//! Everything is resolved and cross-checked in httpd's check_config hook, because `httpd -t` runs that hook and no later
//! one. All problems are reported at once. A restart that finds the workers broken goes on with those it had: httpd itself
//! would end the server if the hook failed.

use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use super::config::{Live, Located, Rules, ServerConf};
use super::joblog::{JobLog, Level};
use super::mapping::{Maps, os_path};
use super::memory::{self, Seat};
use super::module::{Jk, VERSION};
use super::parking::Parking;
use super::runtime::Generation;
use super::secret_file;
use super::status::{self, Facts};
use super::watchdog::{Duties, Office, Watchdog};
use super::{messages, tls_files, waiting};
use crate::engine::balance::cookie::unnamed;
use crate::engine::config::diagnostic::{Diagnostics, Origin, Severity};
use crate::engine::config::indicators::Indicator;
use crate::engine::config::loader::Loader;
use crate::engine::config::model::{Kind, Member, WorkerSet};
use crate::engine::config::nearest::nearest;
use crate::engine::config::resolve::{Environment, TlsFiles, resolve};
use crate::engine::config::stamp;
use crate::engine::route::mount_file;
use crate::engine::route::rules::{self, Mounts, RuleSpec};
use crate::engine::status::dump;
use crate::engine::text::Escaped;
use crate::ffi::log::{self, Apache, Sink};
use crate::ffi::pool::Pool;
use crate::ffi::server::{Reading, Server, Startup};
use crate::transport::clock;

/// Default of `JkLogFile`.
const DEFAULT_LOG: &[u8] = b"logs/mod_jk.log";

/// The last workers that were found good, kept in the parent across restarts.
struct Kept(parking_lot::Mutex<Option<(Arc<WorkerSet>, Dump)>>);

/// Properties as read, with masked secrets.
type Dump = Vec<(String, String)>;

/// The checked workers, kept with the main server until post_config.
#[derive(Debug)]
pub struct Checked {
    workers: Arc<WorkerSet>,
    dump: Dump,
    maps: Vec<(usize, Vec<RuleSpec>)>,
    /// What a start has found and not said yet.
    found: Diagnostics,
}

/// The check_config hook.
pub fn check(startup: &mut Startup<'_>) -> bool {
    let main = startup.main();
    let reading = startup.reading();
    separate_records(startup);
    let mut found = Diagnostics::new();
    let (workers, dump) = read_workers(startup, &mut found);
    let kept = kept(startup);
    let broken = found.has_errors();
    let mut held = hold_or_report(main, reading, found);
    let (workers, dump) = if broken {
        let last = kept.and_then(|kept| kept.0.lock().clone());
        match last {
            Some(last) if reading == Reading::Restart => {
                say(
                    main,
                    Apache::Error,
                    messages::KEPT_WORKERS.id,
                    "the workers have errors (see above): the server goes on with the workers it had before this restart",
                );
                last
            }
            _ => {
                report(main, reading, &held);
                return false;
            }
        }
    } else {
        (Arc::new(workers), dump)
    };
    let mut found = Diagnostics::new();
    let maps = collect_rules(startup, &workers, &mut found);
    let good = !found.has_errors();
    held.append(hold_or_report(main, reading, found));
    if !good && reading == Reading::Test {
        return false;
    }
    if matches!(reading, Reading::Start | Reading::Restart)
        && let Some(kept) = kept
    {
        *kept.0.lock() = Some((Arc::clone(&workers), dump.clone()));
    }
    if let Some(conf) = startup.config_mut::<Jk>(main) {
        conf.checked = Some(Checked { workers, dump, maps, found: held });
    }
    true
}

/// A virtual host without a directive of ours shares the record of the main server; what it inherits differs all the same.
fn separate_records(startup: &mut Startup<'_>) {
    let main = startup.main();
    for server in main.all().skip(1) {
        if server.shares_config::<Jk>(main)
            && let Some(base) = main.config::<Jk>()
        {
            let merged = ServerConf::merged(base, &ServerConf::new(true));
            startup.replace_config::<Jk>(server, merged);
        }
    }
}

fn kept(startup: &Startup<'_>) -> Option<&'static Kept> {
    const KEY: &str = "mod_jk_rs workers";
    let pool = startup.process_pool()?;
    Some(pool.remember_once(KEY, || Kept(parking_lot::Mutex::new(None))))
}

/// Reads and resolves the worker properties.
fn read_workers(startup: &mut Startup<'_>, found: &mut Diagnostics) -> (WorkerSet, Dump) {
    let environment = |name: &str| std::env::var(name).ok();
    let mut loader = Loader::new(&environment);
    let raw = startup.main().config::<Jk>().map(|conf| conf.raw.clone()).unwrap_or_default();
    for line in &raw.properties {
        loader.directive(line.value.as_bytes(), line.origin.clone());
    }
    if let Some(root) = startup.server_path(b"") {
        loader.builtin("ServerRoot", root.to_string_lossy().trim_end_matches('/'));
    }
    if let Some(file) = &raw.workers_file {
        let shown = Escaped(&file.value);
        match startup.server_path(&file.value) {
            None => found.error(&file.origin, format!("JkWorkersFile {shown}: not a usable path")),
            Some(path) => match std::fs::read(os_path(path)) {
                Ok(content) => loader.file(&path.to_string_lossy(), &content),
                Err(error) => {
                    found.error(
                        &file.origin,
                        format!("JkWorkersFile {shown}: {}: {error}", path.to_string_lossy()),
                    );
                }
            },
        }
    }
    let (properties, loaded) = loader.finish();
    found.append(loaded);
    let threads_per_child = startup.threads_per_child();
    let read_secret = |path: &str| secret_file::read(startup, path);
    let reader = tls_files::Reader::default();
    let read_tls = |files: &TlsFiles<'_>| reader.read(startup, files);
    let environment = Environment { threads_per_child, read_secret: &read_secret, read_tls: &read_tls };
    let (workers, resolved) = resolve(&properties, &environment);
    found.append(resolved);
    if let Err(problem) = status::keep_file(startup, &workers) {
        let line = raw.workers_file.as_ref().map(|file| file.origin.clone());
        found.error(&line.unwrap_or_else(|| Origin::new("JkWorkerProperty", 0)), problem);
    }
    let dump = dump::masked(properties.masked(), &secrets(&workers));
    (workers, dump)
}

/// All secrets, also those that were read from files.
fn secrets(workers: &WorkerSet) -> Vec<&[u8]> {
    let kinds = workers.workers.iter().map(|worker| &worker.kind);
    kinds
        .flat_map(|kind| match kind {
            Kind::Ajp13(ajp) => vec![ajp.secret.expose()],
            Kind::Lb(lb) => lb.members.iter().map(|member| member.secret.expose()).collect(),
            Kind::Status(_) => Vec::new(),
        })
        .collect()
}

/// The rules of every server that has a map of its own; servers are counted from the main one.
fn collect_rules(
    startup: &mut Startup<'_>,
    workers: &WorkerSet,
    found: &mut Diagnostics,
) -> Vec<(usize, Vec<RuleSpec>)> {
    let mut maps = Vec::new();
    for (number, server) in startup.main().all().enumerate() {
        let Some(conf) = server.config::<Jk>() else { continue };
        for (origin, text) in &conf.raw.warnings {
            found.warning(origin, text.clone());
        }
        let mut rules = match (&conf.rules, number) {
            (_, 0) => conf.raw.mounts.as_ref().map(Mounts::rules).unwrap_or_default(),
            (Rules::Own(mounts), _) => mounts.rules(),
            (Rules::Main | Rules::None, _) => continue,
        };
        if number == 0 {
            add_worker_mounts(workers, &mut rules, found);
        }
        for rule in &rules {
            check_target(rule, workers, found);
            check_extensions(rule, workers, found);
        }
        if let Some(file) = &conf.raw.mount_file {
            check_mount_file(startup, file, workers, found);
        }
        maps.push((number, rules));
    }
    maps
}

/// A mount file that cannot be used is found by the configuration test; a server that starts all the same does without its
/// rules until it is good.
fn check_mount_file(
    startup: &Startup<'_>,
    file: &Located<Vec<u8>>,
    workers: &WorkerSet,
    found: &mut Diagnostics,
) {
    let Some(path) = startup.server_path(&file.value) else {
        found.error(&file.origin, format!("JkMountFile {}: not a usable path", Escaped(&file.value)));
        return;
    };
    match std::fs::read(os_path(path)) {
        Ok(content) => {
            let environment = |name: &str| std::env::var(name).ok();
            let rules = mount_file::parse(&path.to_string_lossy(), &content, &environment, found);
            for rule in &rules {
                check_target(rule, workers, found);
                check_extensions(rule, workers, found);
            }
        }
        Err(error) => {
            found.error(&file.origin, format!("JkMountFile {}: {error}", path.to_string_lossy()));
        }
    }
}

fn add_worker_mounts(workers: &WorkerSet, rules: &mut Vec<RuleSpec>, found: &mut Diagnostics) {
    let mut order = 0;
    for worker in &workers.workers {
        for mount in &worker.mounts {
            let origin = rules::Origin { file: mount.origin.file.clone(), line: mount.origin.line };
            match rules::worker_rule(mount.pattern.as_bytes(), worker.name.as_bytes(), order, origin) {
                Ok(rule) => rules.push(rule),
                Err(error) => found.error(&mount.origin, format!("mount {}: {error}", mount.pattern)),
            }
            order += 1;
        }
    }
}

/// Rule extensions that a balancer can not follow, or that have no effect without one.
fn check_extensions(rule: &RuleSpec, workers: &WorkerSet, found: &mut Diagnostics) {
    let origin = Origin::new(rule.origin.file.clone(), rule.origin.line);
    let pattern = Escaped(&rule.pattern);
    if let Some(path) = &rule.extensions.path
        && rule.rewriting().is_none()
    {
        let text = format!(
            "{pattern}: path={}: it and the part of the pattern before the first wildcard must be plain paths that begin \
             with /, without escapes, parameters and segments of dots",
            Escaped(path)
        );
        found.error(&origin, text);
    }
    let Some(worker) = workers.get(&String::from_utf8_lossy(&rule.worker)) else { return };
    let Kind::Lb(lb) = &worker.kind else {
        for name in rule.extensions.balancer_only() {
            found.warning(
                &origin,
                format!("{pattern}: {name} has no effect, worker {} is no balancer", worker.name),
            );
        }
        return;
    };
    for (member, _) in &rule.extensions.activations {
        let known =
            |place: &Member| workers.member(place).is_some_and(|(it, _)| it.name.as_bytes() == &**member);
        if !lb.members.iter().any(known) {
            let text = format!("{pattern}: balancer {} has no member \"{}\"", worker.name, Escaped(member));
            found.warning(&origin, text);
        }
    }
    if unnamed(lb, Some(&rule.extensions)) {
        let text = format!(
            "{pattern}: set_session_cookie would overwrite Tomcat's own cookie JSESSIONID, so it has no effect; name the \
             cookie with session_cookie"
        );
        found.warning(&origin, text);
    }
}

/// A name without a worker is an error when it is known how it can be put right. Another one may belong to a file that serves
/// several servers, or to a sample such as Debian's: with mod_jk such a server starts, so here too.
fn check_target(rule: &RuleSpec, workers: &WorkerSet, found: &mut Diagnostics) {
    let name = String::from_utf8_lossy(&rule.worker);
    if (rule.kind == rules::Kind::Exclusion && &*rule.worker == b"*") || workers.is_listed(&name) {
        return;
    }
    let origin = Origin::new(rule.origin.file.clone(), rule.origin.line);
    let (directive, effect) = match (rule.source, rule.kind) {
        (rules::Source::MountFile, rules::Kind::Mount) => ("rule", LEADS_NOWHERE),
        (rules::Source::MountFile, rules::Kind::Exclusion) => ("exclusion", EXCLUDES_NOTHING),
        (_, rules::Kind::Mount) => ("JkMount", LEADS_NOWHERE),
        (_, rules::Kind::Exclusion) => ("JkUnMount", EXCLUDES_NOTHING),
    };
    let text =
        format!("{directive} {}: there is no worker \"{}\"", Escaped(&rule.pattern), Escaped(&rule.worker));
    let known = workers.list.iter().chain(&workers.unlisted).map(String::as_str);
    if workers.unlisted.iter().any(|unlisted| *unlisted == name) {
        found.error(&origin, format!("{text}; it is defined but not in worker.list"));
    } else if let Some(near) = nearest(&name, known) {
        found.error(&origin, format!("{text}; did you mean {near}?"));
    } else {
        found.warning(&origin, format!("{text}; {effect}"));
    }
}

const LEADS_NOWHERE: &str = "requests for it are answered with 500";
const EXCLUDES_NOTHING: &str = "the exclusion has no effect";

/// A server that starts in the background has left the terminal by now, and opens its error log only before post_config: what is
/// said in between is lost. So it is held until then.
fn hold_or_report(main: Server<'_>, reading: Reading, found: Diagnostics) -> Diagnostics {
    if reading == Reading::Start {
        return found;
    }
    report(main, reading, &found);
    Diagnostics::new()
}

/// Shows what was found. Warnings are not repeated: the first pass of a start leaves them to the second.
fn report(main: Server<'_>, reading: Reading, found: &Diagnostics) {
    for diagnostic in found.iter() {
        let (level, message) = match diagnostic.severity {
            Severity::Error => (Apache::Error, messages::CONFIG_ERROR),
            Severity::Warning if reading == Reading::FirstPass => continue,
            Severity::Warning => (Apache::Warning, messages::CONFIG_WARNING),
        };
        say(main, level, message.id, &diagnostic.to_string());
    }
}

fn say(main: Server<'_>, level: Apache, id: &str, text: &str) {
    log::startup::<Jk>(main, level, &format!("{id}: {text}"));
}

/// The post_config hook: logs, addresses and maps.
pub fn open(startup: &mut Startup<'_>) -> bool {
    let reading = startup.reading();
    if !matches!(reading, Reading::Start | Reading::Restart) {
        return true;
    }
    let main = startup.main();
    let Some(checked) = startup.config_mut::<Jk>(main).and_then(|conf| conf.checked.take()) else {
        say(main, Apache::Emergency, messages::CONFIG_ERROR.id, "the configuration was not checked");
        return false;
    };
    report(main, reading, &checked.found);
    let mut unresolved = Vec::new();
    let shm_file = main.config::<Jk>().and_then(|conf| conf.raw.shm_file.as_ref());
    let shm_path = shm_file.and_then(|file| startup.server_path(&file.value)).map(os_path);
    let keep = status::keep_file(startup, &checked.workers).unwrap_or_default();
    let mut brought = None;
    let opened = memory::open(startup, &checked.workers, shm_path.as_deref(), |records| {
        let journal = records.map().journal();
        brought = Some(status::bring_back(keep.as_ref(), reading, journal, &checked.workers));
        Generation::new(&checked.workers, records, true, |worker, error| {
            unresolved.push(format!("worker {worker}: {error}"));
        })
    });
    let (memory, generation) = match opened {
        Ok((memory, generation)) => (memory, Arc::new(generation)),
        Err(error) => {
            let origin = shm_file.map_or_else(String::new, |file| format!("{}: JkShmFile: ", file.origin));
            say(main, Apache::Emergency, messages::NO_MEMORY.id, &format!("{origin}{error}"));
            return false;
        }
    };
    let mut brought = brought.unwrap_or_default();
    status::restore(&mut brought, keep.as_ref(), reading, &generation);
    let threads = startup.threads_per_child();
    let parking = Arc::new(Parking::new(waiting::limit(main), threads));
    let support = startup.parking();
    let known = waiting::is_known(support, startup.httpd_version());
    let names = generation.names();
    let directives = startup.directives();
    let notes = super::notes::Wanted::by(&directives);
    let mut open = Vec::new();
    let mut sites = Vec::new();
    let mut opened: Vec<(Vec<u8>, Sink)> = Vec::new();
    let mut problems = Diagnostics::new();
    let mut main_maps = None;
    let mut specs = checked.maps.into_iter().peekable();
    let mut rules = 0;
    for (number, server) in main.all().enumerate() {
        let Some(log) = open_log(startup, server, reading, &mut opened) else { return false };
        let Some(conf) = server.config::<Jk>() else { continue };
        let mount_file = conf.raw.mount_file.as_ref().and_then(|file| startup.server_path(&file.value));
        let own = specs.next_if(|(owner, _)| *owner == number).map(|(_, specs)| {
            let maps = match mount_file {
                Some(path) => {
                    Maps::with_file(specs, os_path(path), names.clone(), &mut problems, clock::now())
                }
                None => Maps::fixed(specs, &names),
            };
            let own = maps.rules();
            rules += own.len();
            open.extend(status::unprotected(&directives, &checked.workers, &own));
            Arc::new(maps)
        });
        if number == 0 {
            main_maps = own.clone();
        }
        let maps = match (number, &conf.rules) {
            (0, _) | (_, Rules::Own(_)) => own,
            (_, Rules::Main) => main_maps.clone(),
            (_, Rules::None) => None,
        };
        sites.push((status::label(server), maps.clone()));
        let alias = conf.raw.auto_alias.as_ref().and_then(|alias| startup.server_path(&alias.value));
        let live = Live::new(
            &conf.raw,
            conf.options,
            maps.filter(|maps| !maps.is_empty()),
            log,
            alias.map(|path| path.to_bytes().to_vec()),
            Arc::clone(&generation),
            waiting::wanted(&conf.raw, support, known, threads).then(|| Arc::clone(&parking)),
            notes,
        );
        if let Some(conf) = startup.config_mut::<Jk>(server) {
            conf.live = Some(live);
        }
    }
    for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
        say(main, Apache::Error, messages::CONFIG_ERROR.id, &problem.to_string());
    }
    startup.add_version(VERSION_COMPONENT);
    let (secret, started) = (memory.secret, memory.started);
    let unlimited = open.iter().map(|(worker, _)| worker.clone()).collect();
    let facts = Facts { secret, started, properties: checked.dump, sites, keep, open: unlimited };
    let _ = generation.facts.set(facts);
    for (worker, pattern) in open {
        let text = format!(
            "status worker {worker} at {pattern} can change settings, and nothing limits who may use it: put Require lines \
             into a <Location> for it (Require local, Require ip, Require user), or set worker.{worker}.read_only=true"
        );
        say(main, Apache::Warning, messages::STATUS_OPEN.id, &text);
    }
    if let Some(conf) = startup.config_mut::<Jk>(main) {
        conf.memory = Some(memory);
    }
    if let Some(live) = main.config::<Jk>().and_then(|conf| conf.live.as_ref()) {
        for text in unresolved {
            live.log.server(main, "POST_CONFIG", Level::Warn, messages::UNRESOLVED, format_args!("{text}"));
        }
        for (level, message, text) in brought.notes {
            live.log.server(main, "POST_CONFIG", level, message, format_args!("{text}"));
        }
        waiting::advise(startup, main, &live.log, support, known);
        live.log.server(
            main,
            "POST_CONFIG",
            Level::Info,
            messages::STARTED,
            format_args!("mod_jk_rs {VERSION} ready: {} worker(s), {rules} mount rule(s)", generation.len()),
        );
    }
    true
}

const VERSION_COMPONENT: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(
    concat!("mod_jk_rs/", env!("CARGO_PKG_VERSION"), "\0").as_bytes(),
) {
    Ok(text) => text,
    Err(_) => c"mod_jk_rs",
};

/// Opens the log of a server; the same file or program is opened once. `None` ends the start. A restart that cannot open
/// a log writes to httpd's error log instead of ending the server.
fn open_log(
    startup: &Startup<'_>,
    server: Server<'_>,
    reading: Reading,
    opened: &mut Vec<(Vec<u8>, Sink)>,
) -> Option<JobLog> {
    let conf = server.config::<Jk>()?;
    let level = conf.raw.log_level.unwrap_or(Level::Info);
    let (name, given) = match &conf.raw.log_file {
        Some(file) => (file.value.as_slice(), true),
        None => (DEFAULT_LOG, false),
    };
    let stamp = conf.raw.stamp.clone().unwrap_or_else(|| CString::new(stamp::DEFAULT).unwrap_or_default());
    let id_variable = conf.raw.names.all().nth(Indicator::RequestId as usize).unwrap_or_default();
    let id_variable = CString::new(id_variable).unwrap_or_default();
    let log = |sink| JobLog { level, sink, stamp, id_variable };
    if name == b"error_log" {
        return Some(log(None));
    }
    if let Some((_, sink)) = opened.iter().find(|(known, _)| known == name) {
        return Some(log(Some(*sink)));
    }
    if !given {
        say(
            server,
            Apache::Warning,
            messages::LOG_DEFAULT.id,
            "no JkLogFile is set; logging to logs/mod_jk.log",
        );
    }
    let sink = match name.strip_prefix(b"|") {
        Some(program) => Sink::pipe(startup.pool(), startup.pool().copy(program)),
        None => match startup.server_path(name) {
            Some(path) => Sink::file(startup.pool(), path),
            None => Err(std::io::Error::other("not a usable path")),
        },
    };
    match sink {
        Ok(sink) => {
            opened.push((name.to_vec(), sink));
            Some(log(Some(sink)))
        }
        Err(error) => {
            let text = format!("JkLogFile {}: {error}", Escaped(name));
            say(server, Apache::Error, messages::LOG_UNUSABLE.id, &text);
            (reading == Reading::Restart).then(|| log(None))
        }
    }
}

/// The child_init hook: settings, addresses and (empty) pools were inherited from the parent. The child takes its place in
/// the shared memory, and starts a thread when there is something to look after.
pub fn begin_child(main: Server<'_>, pool: Pool<'static>) {
    let Some(conf) = main.config::<Jk>() else { return };
    let Some(live) = &conf.live else { return };
    let seat = conf.memory.map(Seat::take);
    if let Some(seat) = &seat {
        live.generation.settle(seat.cells());
        live.parking.count_in(seat.parked());
    }
    let maintain = conf.raw.watchdog.filter(|seconds| *seconds > 0).map(u64::from).map(Duration::from_secs);
    let (office, kept) = if live.generation.needs_office() { (seat, None) } else { (None, seat) };
    pool.at_end(move || drop(kept));
    waiting::begin(main, pool);
    if maintain.is_none() && office.is_none() {
        return;
    }
    let duties = Duties {
        generation: Arc::clone(&live.generation),
        maintain,
        office: office.map(|seat| Box::new(seat) as Box<dyn Office + Send>),
        log: live.log.clone(),
        server: main.of_child(),
    };
    match Watchdog::start(duties) {
        Ok(watchdog) => pool.at_end(move || drop(watchdog)),
        Err(error) => {
            let text = format!("the maintenance thread cannot be started: {error}");
            live.log.server(main, "CHILD_INIT", Level::Error, messages::NO_WATCHDOG, format_args!("{text}"));
        }
    }
}
