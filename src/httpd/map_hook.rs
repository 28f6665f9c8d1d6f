//! Mapping: which requests are the module's, and in which form their path goes to the backend.
//!
//! translate_name maps; map_to_storage maps again what something else has translated meanwhile (an `Alias` does not win over
//! a mount), and keeps mapped requests away from the file system. A mapped request gets the normalised path, so that
//! the `<Location>` rules httpd evaluates afterwards see what the backend will see.

use std::cell::RefCell;

use super::config::{Live, ServerConf};
use super::joblog::Level;
use super::messages;
use super::module::Jk;
use crate::engine::route::matcher::RuleId;
use crate::engine::route::{Decision, Declined, Options, Scratch, Text, decide, unmapped};
use crate::engine::text::Escaped;
use crate::ffi::Verdict;
use crate::ffi::request::Request;

/// The handler name of mod_jk since 1.2.49; `SetHandler jakarta-servlet` of configurations names it too.
pub const HANDLER: &std::ffi::CStr = c"jakarta-servlet";

/// What the module keeps with a request.
#[derive(Debug, Clone, Copy)]
pub struct Slot<'r> {
    /// Where it goes.
    pub target: Target,
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
        /// The rule.
        rule: RuleId,
        /// The place of its worker.
        worker: Option<usize>,
    },
    /// `SetHandler` of its section gives it to the module; the worker is named by the environment.
    Handler,
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
    match map(request, live) {
        // httpd has merged the `<Location>` sections before this hook and forgets them before the next one.
        Verdict::Declined => by_section(request, live),
        settled => settled,
    }
}

/// The map_to_storage hook.
pub fn map_to_storage(request: Request<'_>) -> Verdict {
    let Some(live) = live(request) else { return Verdict::Declined };
    match request.slot::<Jk>() {
        Some(Slot { target: Target::Rule { .. }, .. }) => {}
        // What is forwarded was made from the path that came, which has given way to its normal form.
        Some(Slot { target: Target::Handler, uri, .. }) if *uri == request.uri_address() => {
            return Verdict::Declined;
        }
        _ if !concerns(request) => return Verdict::Declined,
        _ => match map(request, live) {
            Verdict::Ok => {}
            Verdict::Declined => return by_section(request, live),
            refused @ Verdict::Status(_) => return refused,
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

fn map(request: Request<'_>, live: &Live) -> Verdict {
    let Some(uri) = request.uri() else { return Verdict::Declined };
    with_scratch(|scratch| {
        let map = live.map.as_deref();
        let options = options(request, live);
        match decide(map.map(|mapping| &mapping.map), uri, request.unparsed_uri(), &options, scratch) {
            Decision::Decline(reason) => {
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
                accept(request, live, Target::Rule { rule, worker }, Some(forwarded));
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
    let nodecode =
        memchr::memchr(b'%', request.uri().unwrap_or_default()).is_some() && request.keeps_encoded_slashes();
    Options { nodecode, ..live.options }
}

/// The forwarded path for the life of the request.
fn keep<'r>(request: Request<'r>, uri: &'r [u8], text: Text<'_>) -> &'r [u8] {
    match text {
        Text::Given(bytes) if std::ptr::eq(bytes, uri) => uri,
        Text::Given(bytes) | Text::Made(bytes) => request.pool().copy(bytes).to_bytes(),
    }
}

fn accept<'r>(request: Request<'r>, live: &'r Live, target: Target, forwarded: Option<&'r [u8]>) {
    request.set_slot::<Jk>(Slot { target, forwarded, uri: request.uri_address() });
    request.set_handler(HANDLER);
    if let Target::Rule { worker: Some(worker), .. } = target
        && let Some(worker) = live.generation.worker(worker)
    {
        request.note(c"JK_WORKER_NAME", &*worker.c_name);
    }
    // mod_dir asks whether an index file would be answered. If it does not exist here, the directory itself is forwarded,
    // with the same worker and options: that makes DirectoryIndex index.jsp work with a Tomcat on another machine.
    if request.is_index_probe()
        && let Some(main) = request.main()
    {
        main.set_slot::<Jk>(Slot { target, forwarded: None, uri: main.uri_address() });
        main.set_handler(HANDLER);
        if let Target::Rule { worker: Some(worker), .. } = target
            && let Some(worker) = live.generation.worker(worker)
        {
            main.note(c"JK_WORKER_NAME", &*worker.c_name);
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
            request.set_slot::<Jk>(Slot { target: Target::Handler, forwarded: Some(forwarded), uri });
            Verdict::Declined
        }
    })
}

/// The path to forward for a request whose path is not the one that was mapped, or that was never mapped.
///
/// # Errors
/// 400: it cannot be forwarded safely, or it is not in normal form after access rules were evaluated.
pub fn forwarded_path<'r>(request: Request<'r>, live: &Live, mapped: bool) -> Result<&'r [u8], Verdict> {
    let Some(uri) = request.uri().filter(|uri| !matches!(*uri, b"" | b"*")) else {
        return Err(Verdict::Status(400));
    };
    with_scratch(|scratch| match unmapped(uri, request.unparsed_uri(), &options(request, live), scratch) {
        Ok((Text::Made(_), _)) if !mapped => {
            live.log.request(
                request,
                Level::Info,
                messages::BAD_PATH,
                format_args!(
                    "{} is not in normal form and was given to jakarta-servlet after access rules were evaluated; answered with 400",
                    Escaped(uri)
                ),
            );
            Err(Verdict::Status(400))
        }
        Ok((_, forwarded)) => Ok(keep(request, uri, forwarded)),
        Err(reason) => Err(refuse(request, live, uri, &reason)),
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
