//! Mapping: which requests are the module's, and in which form their path goes to the backend.
//!
//! translate_name maps; map_to_storage maps again what something else has translated meanwhile (an `Alias` does not win over
//! a mount), and keeps mapped requests away from the file system. A mapped request gets the normalised path, so that
//! the `<Location>` rules httpd evaluates afterwards see what the backend will see.

use std::cell::RefCell;
use std::ffi::CStr;
use std::time::Duration;

use super::config::{Live, ServerConf};
use super::joblog::Level;
use super::mapping::{Mapping, News};
use super::messages;
use super::module::Jk;
use super::static_files;
use crate::engine::config::diagnostic::Severity;
use crate::engine::headers::every;
use crate::engine::route::matcher::RuleId;
use crate::engine::route::{Decision, Declined, Options, Scratch, Text, decide, unmapped};
use crate::engine::text::Escaped;
use crate::ffi::Verdict;
use crate::ffi::request::Request;
use crate::transport::clock;

/// The handler name of mod_jk since 1.2.49; `SetHandler jakarta-servlet` of configurations names it too.
pub const HANDLER: &CStr = c"jakarta-servlet";

/// What the module keeps with a request.
#[derive(Debug, Clone, Copy)]
pub struct Slot<'r> {
    /// Where it goes.
    pub target: Target,
    /// The map that said so; it lives as long as the request, whatever is reloaded meanwhile.
    pub mapping: Option<&'r Mapping>,
    /// The path for the backend; `None`: to be made from the request's path.
    pub forwarded: Option<&'r [u8]>,
    /// Identity of the request's path when `forwarded` was made; another one makes it void.
    pub uri: usize,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// To the worker of a rule; `worker` is its place, `None` when there is no such worker.
    Rule {
        /// The rule, of [`Slot::mapping`].
        rule: RuleId,
        /// The place of its worker.
        worker: Option<usize>,
    },
    /// `SetHandler` of its section gives it to the module; the worker is named by the environment.
    Handler,
    /// It was given to the module after access rules had been evaluated for a path that is not in normal form. httpd processes
    /// the normal form anew, in a request that has this one as its previous.
    Late,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The settled configuration of the request's server.
pub fn live(request: Request<'_>) -> Option<&Live> {
    request.server().config::<Jk>().and_then(|conf: &ServerConf| conf.live.as_ref())
}

/// The translate_name hook.
pub fn translate_name(request: Request<'_>) -> Verdict {
    let Some(live) = live(request) else { return Verdict::Declined };
    if !concerns(request) {
        return Verdict::Declined;
    }
    match map(request, live, true) {
        // Only now does httpd show what a <Location> says: before map_to_storage it forgets that until the end.
        Verdict::Declined => by_section(request, live),
        verdict => verdict,
    }
}

/// The map_to_storage hook.
pub fn map_to_storage(request: Request<'_>) -> Verdict {
    let Some(live) = live(request) else { return Verdict::Declined };
    match request.slot::<Jk>() {
        Some(Slot { target: Target::Rule { .. }, .. }) => {}
        // Declined before, and its path is in normal form already.
        Some(Slot { target: Target::Handler, uri, .. }) if *uri == request.uri_address() => {
            static_files::strip_session(request, live);
            return Verdict::Declined;
        }
        _ if !concerns(request) => {
            if !request.is_proxied() {
                static_files::strip_session(request, live);
            }
            return Verdict::Declined;
        }
        _ => match map(request, live, false) {
            Verdict::Ok => {}
            Verdict::Declined => {
                static_files::strip_session(request, live);
                return by_section(request, live);
            }
            refused @ (Verdict::Status(_) | Verdict::Parked) => return refused,
        },
    }
    request.name_file();
    Verdict::Ok
}

/// Requests that mapping looks at.
fn concerns(request: Request<'_>) -> bool {
    !request.is_proxied()
        && request.env(c"no-jk").is_none()
        && !request.handled_by(HANDLER)
        // A tunnel is not a resource.
        && request.method() != b"CONNECT"
}

/// The map of the request's server, after a look at its mount file when one is due.
fn current<'r>(request: Request<'r>, live: &'r Live) -> Option<&'r Mapping> {
    let maps = live.maps.as_deref()?;
    match maps.refresh(Duration::from_secs(live.reload.into()), clock::now) {
        None => {}
        Some(News::Reloaded(count, problems)) => {
            let text = format!("the mount file has changed: {count} rule(s) are in force now");
            live.log.request(request, Level::Info, messages::MOUNTS_RELOADED, format_args!("{text}"));
            for problem in problems.iter() {
                live.log.request(request, Level::Warn, messages::CONFIG_WARNING, format_args!("{problem}"));
            }
        }
        Some(News::Kept(problems)) => {
            // What is only odd in it does not matter as long as it cannot be used.
            for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
                live.log.request(
                    request,
                    Level::Error,
                    messages::MOUNTS_KEPT,
                    format_args!("{problem}; the rules stay as they were"),
                );
            }
        }
    }
    // What an index probe finds is kept with the request it is made for, which outlives it.
    let owner = if request.is_index_probe() { request.main() } else { None };
    Some(maps.current(owner.unwrap_or(request).pool()))
}

fn map(request: Request<'_>, live: &Live, translating: bool) -> Verdict {
    let Some(uri) = request.uri() else { return Verdict::Declined };
    let map = current(request, live);
    with_scratch(|scratch| {
        let options = options(request, live);
        match decide(map.map(|mapping| &mapping.map), uri, request.unparsed_uri(), &options, scratch) {
            Decision::Decline(reason) => {
                if translating && live.auto_alias.is_some() && reason != Declined::NoPath {
                    let normal = unmapped(uri, request.unparsed_uri(), &options, scratch);
                    let path = normal.map_or(uri, |(path, _)| path.bytes());
                    match static_files::auto_alias(request, live, path) {
                        Verdict::Declined => {}
                        verdict => return verdict,
                    }
                }
                if live.log.enabled(Level::Debug) {
                    log_declined(request, live, uri, reason);
                }
                Verdict::Declined
            }
            Decision::BadRequest(reason) => refuse(request, live, uri, &reason),
            Decision::Mapped { .. } if names_empty_host(request.unparsed_uri()) => {
                refuse(request, live, uri, &"the request target is a URL without a host")
            }
            Decision::Mapped { rule, normalised, forwarded } => {
                let forwarded = keep(request, uri, forwarded);
                if let Text::Made(path) = normalised {
                    request.set_uri(request.pool().copy(path));
                }
                let worker = map.and_then(|mapping| mapping.target(rule));
                let path = request.uri().unwrap_or_default();
                if request.is_index_probe() && !static_files::probe_has_file(request, live, path) {
                    return Verdict::Declined;
                }
                accept(request, live, Target::Rule { rule, worker }, map, Some(forwarded));
                Verdict::Ok
            }
        }
    })
}

/// `http:///path`, which RFC 9110 section 4.2.1 wants refused.
fn names_empty_host(target: &[u8]) -> bool {
    if matches!(target.first(), None | Some(b'/' | b'*')) {
        return false;
    }
    let authority = memchr::memmem::find(target, b"://").and_then(|at| target.get(at + 3..));
    authority.is_some_and(|rest| matches!(rest.first(), None | Some(b'/' | b':' | b'?' | b'@')))
}

fn options(request: Request<'_>, live: &Live) -> Options {
    // Only a path with an escape in it can tell the difference.
    let escaped = !every(request.uri().unwrap_or_default(), |octet| octet != b'%');
    let nodecode = escaped && request.keeps_encoded_slashes();
    Options { nodecode, ..live.paths }
}

/// The forwarded path for the life of the request.
fn keep<'r>(request: Request<'r>, uri: &'r [u8], text: Text<'_>) -> &'r [u8] {
    match text {
        Text::Given(bytes) if std::ptr::eq(bytes, uri) => uri,
        Text::Given(bytes) | Text::Made(bytes) => request.pool().copy(bytes).to_bytes(),
    }
}

fn accept<'r>(
    request: Request<'r>,
    live: &'r Live,
    target: Target,
    mapping: Option<&'r Mapping>,
    forwarded: Option<&'r [u8]>,
) {
    request.set_slot::<Jk>(Slot { target, mapping, forwarded, uri: request.uri_address() });
    request.set_handler(HANDLER);
    let name = worker_name(request, live, target, mapping);
    if let Some(name) = name {
        request.note(c"JK_WORKER_NAME", name);
    }
    // mod_dir asks whether an index file would be answered. If it does not exist here, the directory itself is forwarded,
    // with the same worker and options: that makes DirectoryIndex index.jsp work with a Tomcat on another machine.
    if request.is_index_probe()
        && let Some(main) = request.main()
    {
        main.set_slot::<Jk>(Slot { target, mapping, forwarded: None, uri: main.uri_address() });
        main.set_handler(HANDLER);
        if let Some(name) = worker_name(main, live, target, mapping) {
            main.note(c"JK_WORKER_NAME", name);
        }
    }
}

/// The worker's name for logs, also when there is no such worker. It lives as long as `owner`.
fn worker_name<'r>(
    owner: Request<'r>,
    live: &'r Live,
    target: Target,
    mapping: Option<&'r Mapping>,
) -> Option<&'r CStr> {
    let Target::Rule { rule, worker } = target else { return None };
    match worker.and_then(|worker| live.generation.worker(worker)) {
        Some(worker) => Some(worker.c_name()),
        None => {
            mapping.and_then(|mapping| mapping.map.rule(rule)).map(|rule| owner.pool().copy(&rule.worker))
        }
    }
}

/// A request that no rule maps but a section gives to the module: it is normalised now, so that access rules and exclusions
/// apply to the path that will be forwarded. It stays visible to the file system, as with mod_jk.
fn by_section(request: Request<'_>, live: &Live) -> Verdict {
    let (Some(uri), Some(handler)) = (request.uri(), request.section_handler()) else {
        return Verdict::Declined;
    };
    // httpd lowers the name before it compares.
    if !handler.eq_ignore_ascii_case(HANDLER.to_bytes()) || matches!(uri, b"" | b"*") {
        return Verdict::Declined;
    }
    with_scratch(|scratch| match unmapped(uri, request.unparsed_uri(), &options(request, live), scratch) {
        Err(reason) => refuse(request, live, uri, &reason),
        Ok((normalised, forwarded)) => {
            let forwarded = keep(request, uri, forwarded);
            if let Text::Made(path) = normalised {
                request.set_uri(request.pool().copy(path));
            }
            let uri = request.uri_address();
            request.set_slot::<Jk>(Slot {
                target: Target::Handler,
                mapping: None,
                forwarded: Some(forwarded),
                uri,
            });
            Verdict::Declined
        }
    })
}

/// The path to forward for a request whose path is not the one that was mapped, or that was never mapped.
///
/// # Errors
/// 400: it cannot be forwarded safely. Or what became of the request when it was processed anew, because it was not in normal
/// form after access rules had been evaluated.
pub fn forwarded_path<'r>(request: Request<'r>, live: &Live, mapped: bool) -> Result<&'r [u8], Verdict> {
    let Some(uri) = request.uri().filter(|uri| !matches!(*uri, b"" | b"*")) else {
        return Err(Verdict::Status(400));
    };
    if let Some(forwarded) = forwarded_before(request, live, uri) {
        return Ok(forwarded);
    }
    let found = with_scratch(|scratch| {
        match unmapped(uri, request.unparsed_uri(), &options(request, live), scratch) {
            Ok((Text::Made(normal), _)) if !mapped => Ok(Err(request.pool().copy(normal))),
            Ok((_, forwarded)) => Ok(Ok(keep(request, uri, forwarded))),
            Err(reason) => Err(refuse(request, live, uri, &reason)),
        }
    });
    match found? {
        Ok(forwarded) => Ok(forwarded),
        Err(normal) => Err(process_anew(request, live, uri, normal)),
    }
}

/// A backend would read this path as `normal`, for which no access rule has been evaluated.
fn process_anew<'r>(request: Request<'r>, live: &Live, uri: &[u8], normal: &'r CStr) -> Verdict {
    request.set_slot::<Jk>(Slot {
        target: Target::Late,
        mapping: None,
        forwarded: None,
        uri: request.uri_address(),
    });
    if request.process_anew(normal) {
        return Verdict::Ok;
    }
    live.log.request(
        request,
        Level::Info,
        messages::BAD_PATH,
        format_args!(
            "{} is not in normal form and was given to jakarta-servlet after access rules were evaluated; answered with 400",
            Escaped(uri)
        ),
    );
    Verdict::Status(400)
}

/// For a request that processes another one anew: that one's path in its own spelling, which the backend reads as `uri`.
fn forwarded_before<'r>(request: Request<'r>, live: &Live, uri: &[u8]) -> Option<&'r [u8]> {
    let late = request.previous()?;
    if !late.slot::<Jk>().is_some_and(|slot| slot.target == Target::Late) {
        return None;
    }
    let given = late.uri()?;
    with_scratch(|scratch| {
        match unmapped(given, late.unparsed_uri(), &options(late, live), scratch) {
            // mod_rewrite may have made another path of it this time.
            Ok((Text::Made(normal), forwarded)) if normal == uri => Some(keep(request, given, forwarded)),
            _ => None,
        }
    })
}

fn refuse(request: Request<'_>, live: &Live, uri: &[u8], reason: &dyn std::fmt::Display) -> Verdict {
    live.log.request(
        request,
        Level::Info,
        messages::BAD_PATH,
        format_args!("{} is refused with 400: {reason}", Escaped(uri)),
    );
    Verdict::Status(400)
}

fn log_declined(request: Request<'_>, live: &Live, uri: &[u8], reason: Declined) {
    let why = match reason {
        Declined::NoPath => "it has no path",
        Declined::NoMap => "this server has no mounts",
        Declined::NoMount => "no mount covers it",
        Declined::Excluded { .. } => "an exclusion takes it away",
    };
    live.log.request(
        request,
        Level::Debug,
        messages::NOT_MAPPED,
        format_args!("{} is not mapped: {why}", Escaped(uri)),
    );
}

/// Lends the buffers of the thread. A sub-request inside a hook, which does not happen, would get fresh ones.
fn with_scratch<T>(body: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with(|cell| match cell.try_borrow_mut() {
        Ok(mut scratch) => body(&mut scratch),
        Err(_) => body(&mut Scratch::default()),
    })
}
