//! The handler: finds the worker of a request, has the engine serve it, and turns the outcome into what httpd wants to hear.

use std::ffi::CStr;
use std::sync::LazyLock;
use std::time::Duration;

use super::adapt::fail_codes;
use super::config::Live;
use super::host::{HttpdHost, framing};
use super::joblog::Level;
use super::map_hook::{HANDLER, Slot, Target, forwarded_path, live};
use super::module::Jk;
use super::parking::Left;
use super::runtime::Worker;
use super::trip::Order;
use super::{balanced, lent, messages, notes, parking, single, status, trace};
use crate::engine::config::indicators::Indicator;
use crate::engine::config::options::Flags;
use crate::engine::error::{Cause, ClientFault, Failure, Fault};
use crate::engine::http1::rewrite::Mapping;
use crate::engine::proxy::Served;
use crate::engine::route::Marks;
use crate::engine::route::extensions::Extensions;
use crate::engine::route::rules::{RuleSpec, worker_spec};
use crate::engine::text::Escaped;
use crate::engine::units::Tick;
use crate::ffi::Verdict;
use crate::ffi::request::Request;
use crate::transport::clock;

/// Options of a rule without options.
static NOTHING_SPECIAL: LazyLock<Extensions> = LazyLock::new(Extensions::default);
/// `Retry-After` of a request that found a queue full: there is too much to do just now.
const SOON: &CStr = c"1";
/// `Retry-After` of a request that no member could serve.
const LATER: &CStr = c"5";

/// The handler hook.
pub fn handle(request: Request<'_>) -> Verdict {
    let Some(live) = live(request) else { return Verdict::Declined };
    let directory = live.options.has(Flags::DIRECTORIES) && request.is_directory();
    if !request.handled_by(HANDLER) && !directory {
        return Verdict::Declined;
    }
    if request.method() == b"CONNECT" {
        // A tunnel is not a resource. Mapping leaves it alone, but the probe for an index file of `/` is a GET.
        return Verdict::Status(405);
    }
    if request.env(c"no-jk").is_some() {
        live.log.request(
            request,
            Level::Info,
            messages::LATE_NO_JK,
            format_args!(
                "{}: no-jk was set after the URL had been mapped; set it earlier (SetEnvIf or RewriteRule at server level)",
                Escaped(request.uri().unwrap_or_default())
            ),
        );
        return Verdict::Declined;
    }
    if request.is_proxied() {
        return Verdict::Status(500);
    }
    // Sub-requests (an SSI include) are marked so too: httpd wants no header lines from them.
    if request.is_simple() && request.main().is_none() {
        return Verdict::Status(400);
    }
    match find(request, live) {
        Ok(Job { worker: Worker::Status(worker), .. }) => status::serve(request, live, worker),
        Ok(job) => forward(request, live, &job),
        Err(verdict) => verdict,
    }
}

/// A request with everything that was decided about it.
struct Job<'r> {
    worker: Worker<'r>,
    uri: &'r [u8],
    /// Options of the rule, or of the variable that named the worker.
    extensions: &'r Extensions,
    /// The backend has another path than the client.
    rewriting: Option<Mapping<'r>>,
}

/// The worker, the path to forward and the options of the rule.
fn find<'r>(request: Request<'r>, live: &'r Live) -> Result<Job<'r>, Verdict> {
    let slot = request.slot::<Jk>().copied();
    let (place, extensions, rewriting) = match slot {
        Some(Slot { target: Target::Rule { worker, rule }, mapping, .. }) => {
            let rule = mapping.and_then(|mapping| mapping.map.rule(rule));
            let place = worker.ok_or_else(|| {
                no_worker(request, live, rule.map(|rule| &*rule.worker).unwrap_or_default())
            })?;
            let extensions = rule.map_or(&*NOTHING_SPECIAL, |rule| &rule.extensions);
            (place, extensions, rule.and_then(RuleSpec::rewriting))
        }
        _ => {
            let (place, extensions) = from_environment(request, live)?;
            (place, extensions, None)
        }
    };
    let Some(worker) = live.generation.worker(place) else {
        return Err(Verdict::Status(500));
    };
    let uri = match slot {
        Some(Slot { forwarded: Some(forwarded), uri, .. }) if uri == request.uri_address() => forwarded,
        Some(Slot { target: Target::Rule { .. }, .. }) => forwarded_path(request, live, true)?,
        _ => forwarded_path(request, live, false)?,
    };
    let uri = match rewriting {
        None => uri,
        Some(mapping) => match mapping.inward(uri) {
            Some(inner) => request.pool().keep(inner).as_slice(),
            None => return Err(outside(request, live, uri)),
        },
    };
    Ok(Job { worker, uri, extensions, rewriting })
}

/// A path that the rule maps, but whose beginning is not spelled as the rule has it, so that it can not be replaced.
#[cold]
fn outside(request: Request<'_>, live: &Live, uri: &[u8]) -> Verdict {
    live.log.request(
        request,
        Level::Info,
        messages::BAD_PATH,
        format_args!(
            "{} is refused with 400: path= of its rule can not be applied to this spelling",
            Escaped(uri)
        ),
    );
    Verdict::Status(400)
}

/// `SetHandler jakarta-servlet` with the worker, and perhaps options, in `JK_WORKER_NAME`. Exclusions hold here too.
fn from_environment<'r>(request: Request<'r>, live: &'r Live) -> Result<(usize, &'r Extensions), Verdict> {
    let variable = live.name(Indicator::Worker);
    let Some(value) = request.env(variable) else {
        if request.is_directory() {
            return Err(Verdict::Declined);
        }
        live.log.request(
            request,
            Level::Error,
            messages::NO_TARGET,
            format_args!(
                "{}: the handler is jakarta-servlet, but no mount matches and {} is not set; answered with 500",
                Escaped(request.uri().unwrap_or_default()),
                variable.to_string_lossy()
            ),
        );
        return Err(Verdict::Status(500));
    };
    let Ok((name, extensions, complaints)) = worker_spec(value) else {
        return Err(no_worker(request, live, value));
    };
    for complaint in complaints {
        live.log.request(
            request,
            Level::Warn,
            messages::CONFIG_WARNING,
            format_args!("{}={}: {complaint}", variable.to_string_lossy(), Escaped(value)),
        );
    }
    request.note(c"JK_WORKER_NAME", request.pool().copy(name));
    let place = live.generation.find(name).ok_or_else(|| no_worker(request, live, name))?;
    let excluded = live.maps.as_deref().is_some_and(|maps| {
        let path = request.uri().unwrap_or_default();
        maps.current(request.pool()).map.excludes(name, path, &mut Marks::default())
    });
    if excluded {
        return Err(Verdict::Status(404));
    }
    Ok((place, request.pool().keep(extensions)))
}

fn no_worker(request: Request<'_>, live: &Live, name: &[u8]) -> Verdict {
    live.log.request(
        request,
        Level::Error,
        messages::NO_WORKER,
        format_args!(
            "{}: there is no worker \"{}\"",
            Escaped(request.uri().unwrap_or_default()),
            Escaped(name)
        ),
    );
    Verdict::Status(500)
}

fn forward<'r>(request: Request<'r>, live: &'r Live, job: &Job<'r>) -> Verdict {
    let body = match framing(request, request.env(live.name(Indicator::IgnoreContentLength)).is_some()) {
        Ok(body) => body,
        Err(bad) => {
            request.close_after();
            live.log.request(
                request,
                Level::Info,
                messages::BAD_FRAMING,
                format_args!(
                    "{}: {}; answered with {}",
                    Escaped(request.uri().unwrap_or_default()),
                    bad.reason,
                    bad.status
                ),
            );
            return Verdict::Status(bad.status);
        }
    };
    if request.aborted() {
        return Verdict::Ok;
    }
    let begun = clock::now();
    live.generation.maintain(begun);
    if live.trace {
        trace::apply(request);
    }
    let mut host = HttpdHost::new(request, live, job.uri, body);
    host.prepare();
    host.forget_file_facts();
    host.set_rewriting(job.rewriting);
    let codes = job.extensions.fail_on_status.as_ref();
    let fail_on = codes.map(|codes| request.pool().keep(fail_codes(codes)).as_slice());
    let order = Order { live, extensions: job.extensions, fail_on, uri: job.uri, begun };
    match job.worker {
        Worker::Single(worker) => {
            request.add_note(c"JK_WORKER_TYPE", worker.type_name().into());
            let block = !worker.is_limited() || !parking::may(request, live);
            match single::enter(&mut host, worker, order, block) {
                Ok(entry) => {
                    let mut trip = single::Trip::new(&mut host, worker, order, entry, lent::lend());
                    trip.prepare(&host);
                    match parking::serve(&mut host, &mut trip, job.worker, live, begun) {
                        Left::Over(verdict) => verdict,
                        Left::Wait(watch, wait) => {
                            parking::put_aside(host, trip.into(), job.worker, live, begun, (watch, wait))
                        }
                    }
                }
                Err(failure) => finish(&mut host, job.worker, begun, Err(failure)),
            }
        }
        Worker::Balancer(farm) => {
            request.add_note(c"JK_WORKER_TYPE", c"lb".into());
            let mut trip = balanced::Trip::new(request, farm, order, lent::lend());
            trip.prepare(request);
            match parking::serve(&mut host, &mut trip, job.worker, live, begun) {
                Left::Over(verdict) => verdict,
                Left::Wait(watch, wait) => {
                    parking::put_aside(host, trip.into(), job.worker, live, begun, (watch, wait))
                }
            }
        }
        Worker::Status(_) => Verdict::Status(500), // not here
    }
}

/// How long a request was in a queue when it ended for this reason.
pub(super) fn waited_in_vain(cause: Cause) -> Duration {
    match cause {
        Cause::QueueTime { limit_ms } => Duration::from_millis(limit_ms),
        _ => Duration::ZERO,
    }
}

/// What httpd is told of the result, and the time it took.
pub(super) fn finish(
    host: &mut HttpdHost<'_>,
    worker: Worker<'_>,
    begun: Tick,
    result: Result<Served, Failure>,
) -> Verdict {
    notes::finish(host, begun, &result);
    match result {
        Ok(served) => match served.replaced {
            // httpd knows no page for what is not a status of HTTP.
            Some(status) => Verdict::Status(if status < 600 { status } else { 500 }),
            None => Verdict::Ok,
        },
        Err(failure) => failed(host, worker, &failure),
    }
}

/// What httpd does after a failure.
fn failed(host: &mut HttpdHost<'_>, worker: Worker<'_>, failure: &Failure) -> Verdict {
    if failure.delivered {
        // Also when the client's own body broke: it may still be reading, and must not take the rest for all.
        if !host.request().aborted() {
            host.abort();
        }
        return Verdict::Ok;
    }
    // httpd reads the rest of the body before it sends some of its error pages; a large rest is not worth the wait.
    host.settle_body();
    if failure.fault() == Fault::Client {
        // Whatever is left of the body cannot be told from the next request.
        host.request().close_after();
    }
    match (failure.cause, worker) {
        (Cause::QueueFull | Cause::QueueTime { .. }, _) => host.retry_after(SOON),
        (_, Worker::Balancer(_)) if failure.status() == Some(503) => host.retry_after(LATER),
        _ => {}
    }
    match failure.cause {
        Cause::Client(ClientFault::Gone) => Verdict::Status(400),
        _ => failure.status().map_or(Verdict::Ok, Verdict::Status),
    }
}
