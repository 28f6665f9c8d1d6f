//! The handler: finds the worker of a request, has the engine serve it, and turns the outcome into what httpd wants to hear.

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
use crate::engine::error::{Cause, ClientFault, Failure, Fault};
use crate::engine::proxy::attempts::Attempt;
use crate::engine::proxy::{Buffers, Served, serve};
use crate::engine::route::Marks;
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
    if !request.handled_by(HANDLER) {
        return Verdict::Declined;
    }
    let Some(live) = live(request) else { return Verdict::Declined };
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
    // httpd marks sub-requests in the same way, to keep their headers out of the page.
    if request.is_simple() && request.main().is_none() {
        return Verdict::Status(400);
    }
    match find(request, live) {
        Ok((worker, uri)) => forward(request, live, worker, uri),
        Err(verdict) => verdict,
    }
}

/// The worker and the path to forward.
fn find<'r>(request: Request<'r>, live: &'r Live) -> Result<(&'r Backend, &'r [u8]), Verdict> {
    let slot = request.slot::<Jk>().copied();
    let place = match slot {
        Some(Slot { target: Target::Rule { worker, rule }, .. }) => worker.ok_or_else(|| {
            let name = live.map.as_deref().and_then(|mapping| mapping.map.rule(rule));
            no_worker(request, live, name.map(|rule| &*rule.worker).unwrap_or_default())
        })?,
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
    Ok((worker, uri))
}

/// `SetHandler jakarta-servlet` with the worker in `JK_WORKER_NAME`. Exclusions hold here too.
fn from_environment(request: Request<'_>, live: &Live) -> Result<usize, Verdict> {
    let Some(value) = request.env(c"JK_WORKER_NAME") else {
        live.log.request(
            request,
            Level::Error,
            messages::NO_TARGET,
            format_args!(
                "{}: the handler is jakarta-servlet, but no mount matches and JK_WORKER_NAME is not set; answered with 500",
                Escaped(request.uri().unwrap_or_default())
            ),
        );
        return Err(Verdict::Status(500));
    };
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let name = value.get(..end).unwrap_or_default().trim_ascii();
    let place = live.generation.find(name).ok_or_else(|| no_worker(request, live, name))?;
    let excluded = live.map.as_deref().is_some_and(|mapping| {
        mapping.map.excludes(name, request.uri().unwrap_or_default(), &mut Marks::default())
    });
    if excluded {
        return Err(Verdict::Status(404));
    }
    if let Some(worker) = live.generation.worker(place) {
        request.note(c"JK_WORKER_NAME", &*worker.c_name);
    }
    Ok(place)
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

fn forward<'r>(request: Request<'r>, live: &'r Live, worker: &'r Backend, uri: &'r [u8]) -> Verdict {
    let body = match framing(request) {
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
    let mut host = HttpdHost::new(request, uri, body);
    host.forget_file_facts();
    request.note(c"JK_WORKER_TYPE", c"ajp13");
    let links = Connections::new(worker);
    let view = worker.view(request.timeout());
    let mut buffers = lend();
    let result = serve(&mut host, &links, &view, &mut buffers, |host, attempt| {
        report(host.request(), live, worker, &links, begun, attempt);
    });
    restore(buffers);
    note_duration(request, clock::now().since(begun));
    match result {
        Ok(served) => {
            delivered(&host, live, worker, &served);
            Verdict::Ok
        }
        Err(failure) => failed(&mut host, &failure),
    }
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
