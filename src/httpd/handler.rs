//! The handler: finds the worker of a request, has the engine serve it, and turns the outcome into what httpd wants to hear.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::config::Live;
use super::host::{HttpdHost, framing};
use super::joblog::Level;
use super::map_hook::{HANDLER, Slot, Target, forwarded_path, live};
use super::messages;
use super::module::Jk;
use super::runtime::{Backend, Connections};
use super::variables::reply_timeout;
use crate::engine::config::indicators::Indicator;
use crate::engine::config::options::Flags;
use crate::engine::error::{Cause, ClientFault, Failure, Fault};
use crate::engine::proxy::attempts::{Attempt, WorkerView};
use crate::engine::proxy::pump::Traffic;
use crate::engine::proxy::{Buffers, Served, serve};
use crate::engine::route::Marks;
use crate::engine::route::extensions::{Extensions, FailStatus};
use crate::engine::route::rules::worker_spec;
use crate::engine::text::{Decimal, Escaped};
use crate::engine::units::Tick;
use crate::ffi::Verdict;
use crate::ffi::request::Request;
use crate::transport::clock;

/// Buffer sets a thread keeps; more than one is only used when a handler runs inside another (an SSI include).
const KEPT: usize = 2;

thread_local! {
    static BUFFERS: RefCell<Vec<Buffers>> = const { RefCell::new(Vec::new()) };
}

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
        Ok(job) => forward(request, live, &job),
        Err(verdict) => verdict,
    }
}

/// A request with everything that was decided about it.
struct Job<'r> {
    worker: &'r Backend,
    uri: &'r [u8],
    /// Options of the rule, or of the variable that named the worker.
    extensions: Cow<'r, Extensions>,
}

/// The worker, the path to forward and the options of the rule.
fn find<'r>(request: Request<'r>, live: &'r Live) -> Result<Job<'r>, Verdict> {
    let slot = request.slot::<Jk>().copied();
    let (place, extensions) = match slot {
        Some(Slot { target: Target::Rule { worker, rule }, mapping, .. }) => {
            let rule = mapping.and_then(|mapping| mapping.map.rule(rule));
            let place = worker.ok_or_else(|| {
                no_worker(request, live, rule.map(|rule| &*rule.worker).unwrap_or_default())
            })?;
            (place, rule.map_or(Cow::Owned(Extensions::default()), |rule| Cow::Borrowed(&rule.extensions)))
        }
        _ => from_environment(request, live)?,
    };
    let Some(worker) = live.generation.worker(place) else {
        return Err(Verdict::Status(500));
    };
    let uri = match slot {
        Some(Slot { forwarded: Some(forwarded), uri, .. }) if uri == request.uri_address() => forwarded,
        Some(Slot { target: Target::Rule { .. }, .. }) => forwarded_path(request, live, true)?,
        _ => forwarded_path(request, live, false)?,
    };
    Ok(Job { worker, uri, extensions })
}

/// `SetHandler jakarta-servlet` with the worker, and perhaps options, in `JK_WORKER_NAME`. Exclusions hold here too.
fn from_environment<'r>(
    request: Request<'r>,
    live: &'r Live,
) -> Result<(usize, Cow<'r, Extensions>), Verdict> {
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
    Ok((place, Cow::Owned(extensions)))
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
    let worker = job.worker;
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
    let mut host = HttpdHost::new(request, live, job.uri, body);
    host.forget_file_facts();
    request.note(c"JK_WORKER_TYPE", c"ajp13");
    let links = Connections::new(worker);
    let _busy = match worker.enter() {
        Ok(busy) => busy,
        Err(failure) => {
            let attempt = Attempt { number: 1, failure, traffic: Traffic::default(), retried: false };
            report(request, live, worker, &links, begun, &attempt);
            note_duration(request, clock::now().since(begun));
            return failed(&mut host, &failure);
        }
    };
    let fail_on = job.extensions.fail_on_status.as_ref().map(|codes| fail_codes(codes));
    let mut view = worker.view(request.timeout());
    adapt(&mut view, request, live, &job.extensions, fail_on.as_deref());
    let mut buffers = lend();
    let result = serve(&mut host, &links, &view, &mut buffers, |host, attempt| {
        report(host.request(), live, worker, &links, begun, attempt);
    });
    restore(buffers);
    note_duration(request, clock::now().since(begun));
    match result {
        Ok(served) => {
            delivered(&host, live, worker, &served);
            match served.replaced {
                // httpd knows no page for what is not a status of HTTP.
                Some(status) => Verdict::Status(if status < 600 { status } else { 500 }),
                None => Verdict::Ok,
            }
        }
        Err(failure) => failed(&mut host, &failure),
    }
}

/// What server, rule and environment change in the behaviour of the worker.
fn adapt<'v>(
    view: &mut WorkerView<'v>,
    request: Request<'v>,
    live: &Live,
    extensions: &Extensions,
    fail_on: Option<&'v [i32]>,
) {
    let manner = &mut view.manner;
    manner.flush_packets = live.options.has(Flags::FLUSH_PACKETS);
    manner.flush_head = live.options.has(Flags::FLUSH_HEADER);
    manner.server_errors = extensions.use_server_errors;
    view.reuse = !live.options.has(Flags::DISABLE_REUSE);
    if let Some(codes) = fail_on {
        manner.fail_on = codes;
    }
    let limit = match reply_timeout(request) {
        None => extensions.reply_timeout,
        Some(Ok(limit)) => Some(limit),
        Some(Err(text)) => {
            live.log.request(
                request,
                Level::Warn,
                messages::BAD_TIMEOUT,
                format_args!("JK_REPLY_TIMEOUT=\"{}\" is not a number and is ignored", Escaped(text)),
            );
            extensions.reply_timeout
        }
    };
    if let Some(limit) = limit {
        manner.timing.reply = (limit > 0).then(|| Duration::from_millis(limit.into()));
    }
    if let Some(route) = request.env(c"JK_ROUTE").filter(|route| !route.is_empty()) {
        view.facts.route = Some(route);
        request.note(c"JK_WORKER_ROUTE", request.pool().copy(route));
    }
}

fn fail_codes(codes: &[FailStatus]) -> Vec<i32> {
    codes
        .iter()
        .map(|code| if code.soft { -i32::from(code.status) } else { i32::from(code.status) })
        .collect()
}

/// What httpd does after a failure.
fn failed(host: &mut HttpdHost<'_>, failure: &Failure) -> Verdict {
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
    match failure.cause {
        Cause::Client(ClientFault::Gone) => Verdict::Status(400),
        _ => failure.status().map_or(Verdict::Ok, Verdict::Status),
    }
}

/// Log lines about a delivered response.
fn delivered(host: &HttpdHost<'_>, live: &Live, worker: &Backend, served: &Served) {
    let request = host.request();
    if host.status() == Some(403)
        && !served.reusable
        && worker.has_secret()
        && !worker.warned_forbidden.swap(true, Ordering::Relaxed)
    {
        live.log.request(
            request,
            Level::Warn,
            messages::FORBIDDEN,
            format_args!(
                "worker {} ({}): 403 with the connection closed, as a connector answers to a wrong secret or an attribute it does not allow",
                worker.name, worker.address
            ),
        );
    }
    if served.surplus && !worker.warned_surplus.swap(true, Ordering::Relaxed) {
        live.log.request(
            request,
            Level::Warn,
            messages::SURPLUS,
            format_args!(
                "worker {} ({}): octets behind the response headers are ignored",
                worker.name, worker.address
            ),
        );
    }
    if live.log.enabled(Level::Debug) {
        live.log.request(
            request,
            Level::Debug,
            messages::SERVED,
            format_args!(
                "worker {} ({}): {} answered {} ({} bytes sent, {} received, {} of body)",
                worker.name,
                worker.address,
                Escaped(request.uri().unwrap_or_default()),
                host.status().unwrap_or(0),
                served.traffic.sent,
                served.traffic.received,
                served.traffic.body
            ),
        );
    }
}

/// One line for a failed attempt: worker, address, what, when, how long, how much, and what to do.
fn report(
    request: Request<'_>,
    live: &Live,
    worker: &Backend,
    links: &Connections<'_>,
    begun: Tick,
    attempt: &Attempt,
) {
    let failure = &attempt.failure;
    let level = if attempt.retried || failure.fault() == Fault::Client { Level::Info } else { Level::Error };
    if !live.log.enabled(level) {
        return;
    }
    let message = messages::of_failure(failure);
    let detail = links.take_detail().map_or_else(String::new, |detail| format!(" [{detail}]"));
    let hint = match failure.cause {
        Cause::Protocol(malformed) => malformed.hint(),
        _ => None,
    };
    let outcome = match (attempt.retried, failure.delivered, failure.status()) {
        (true, ..) => "trying again".to_owned(),
        (_, true, _) => "the response was broken off".to_owned(),
        (_, _, Some(status)) => format!("answered with {status}"),
        (_, _, None) => "no answer was possible".to_owned(),
    };
    live.log.request(
        request,
        level,
        message,
        format_args!(
            "worker {} ({}): {}{detail} while {}; attempt {}, {:.1} ms, {} bytes sent, {} received; {} {}: {outcome}. {}",
            worker.name,
            worker.address,
            failure.cause,
            failure.stage,
            attempt.number,
            clock::now().since(begun).as_secs_f64() * 1000.0,
            attempt.traffic.sent,
            attempt.traffic.received,
            Escaped(request.method()),
            Escaped(request.uri().unwrap_or_default()),
            hint.unwrap_or(message.advice),
        ),
    );
}

/// `JK_REQUEST_DURATION`: seconds, a dot, six digits.
fn note_duration(request: Request<'_>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    request.note(c"JK_REQUEST_DURATION", request.pool().text(Decimal::seconds(micros).as_bytes()));
}

fn lend() -> Buffers {
    BUFFERS.with(|cell| cell.try_borrow_mut().ok().and_then(|mut kept| kept.pop())).unwrap_or_default()
}

fn restore(buffers: Buffers) {
    BUFFERS.with(|cell| {
        if let Ok(mut kept) = cell.try_borrow_mut()
            && kept.len() < KEPT
        {
            kept.push(buffers);
        }
    });
}
