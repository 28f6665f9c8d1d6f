//! Log lines about attempts and responses.

use std::sync::atomic::Ordering;

use super::config::Live;
use super::host::HttpdHost;
use super::joblog::Level;
use super::messages;
use super::runtime::{Backend, Connections};
use crate::engine::error::{Cause, Fault};
use crate::engine::proxy::Served;
use crate::engine::proxy::attempts::Attempt;
use crate::engine::text::Escaped;
use crate::engine::units::Tick;
use crate::ffi::request::Request;
use crate::transport::clock;

/// Log lines about a delivered response.
pub(super) fn delivered(host: &HttpdHost<'_>, live: &Live, worker: &Backend, served: &Served) {
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
pub(super) fn report(
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

