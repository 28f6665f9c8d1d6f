//! Log lines about attempts and responses.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::Ordering;

use super::config::Live;
use super::host::HttpdHost;
use super::joblog::Level;
use super::runtime::{Backend, Connections, Farm};
use super::{messages, trace};
use crate::engine::error::{Cause, Failure, Fault, Stage};
use crate::engine::exchange::LinkError;
use crate::engine::proxy::Served;
use crate::engine::proxy::attempts::Attempt;
use crate::engine::proxy::tunnel::Summary;
use crate::engine::text::{Decimal, Escaped};
use crate::engine::units::Tick;
use crate::ffi::request::Request;
use crate::transport::clock;

/// Log lines about a delivered response.
pub(super) fn delivered(host: &HttpdHost<'_>, live: &Live, worker: &Backend, served: &Served) {
    let request = host.request();
    if worker.speaks_ajp()
        && host.status() == Some(403)
        && !served.reusable
        && !worker.warned_forbidden.swap(true, Ordering::Relaxed)
    {
        live.log.request(
            request,
            Level::Warn,
            messages::FORBIDDEN,
            format_args!(
                "worker {} ({}): 403 with the connection closed, as a connector answers to a missing or wrong secret, or to an attribute it does not allow",
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
    if let Some(tunnel) = &served.tunnel {
        tunneled(request, live, worker, tunnel);
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

/// Notes and a log line about a connection that had left HTTP.
fn tunneled(request: Request<'_>, live: &Live, worker: &Backend, tunnel: &Summary) {
    let pool = request.pool();
    request.note(c"JK_TUNNEL", pool.text(tunnel.protocol.token()));
    request.note(c"JK_TUNNEL_IN", pool.text(Decimal::new(tunnel.up).as_bytes()));
    request.note(c"JK_TUNNEL_OUT", pool.text(Decimal::new(tunnel.down).as_bytes()));
    request.note(c"JK_TUNNEL_END", pool.text(tunnel.end.word().as_bytes()));
    if live.log.enabled(Level::Debug) {
        live.log.request(
            request,
            Level::Debug,
            messages::TUNNEL,
            format_args!(
                "worker {} ({}): {} for {}: {} ({} bytes from the client, {} to it)",
                worker.name,
                worker.address,
                tunnel.protocol,
                Escaped(request.uri().unwrap_or_default()),
                tunnel.end,
                tunnel.up,
                tunnel.down,
            ),
        );
    }
}

/// A failed attempt on a worker without balancer.
pub(super) fn report(
    request: Request<'_>,
    live: &Live,
    worker: &Backend,
    links: &Connections<'_>,
    begun: Tick,
    failed: &Attempt,
) {
    attempt(request, live, None, worker, links.take_detail(), begun, failed, "trying again");
}

/// One line for a failed attempt: worker, address, what, when, how long, how much, what follows, and what to do. `follow`:
/// what comes next when the attempt is repeated.
#[expect(clippy::too_many_arguments, reason = "everything that stands in the line")]
pub(super) fn attempt(
    request: Request<'_>,
    live: &Live,
    farm: Option<&Farm>,
    worker: &Backend,
    detail: Option<String>,
    begun: Tick,
    attempt: &Attempt,
    follow: &str,
) {
    let failure = &attempt.failure;
    let level = if attempt.retried || failure.fault() == Fault::Client { Level::Info } else { Level::Error };
    if !live.log.enabled(level) {
        return;
    }
    let message = messages::of_failure(failure);
    let detail = detail.map_or_else(String::new, |detail| format!(" [{detail}]"));
    let hint = match failure.cause {
        Cause::Protocol(malformed) => malformed.hint(),
        Cause::Link(LinkError::Tls(fault)) => fault.advice(),
        _ => None,
    };
    let stage = match failure.stage {
        Stage::Ping if !worker.speaks_ajp() => "probing".to_owned(),
        stage => stage.to_string(),
    };
    let balancer = farm.map_or_else(String::new, |farm| format!("balancer {}: ", farm.balancer.name));
    live.log.request(
        request,
        level,
        message,
        format_args!(
            "{balancer}worker {} ({}): {}{detail} while {}; attempt {}, {:.1} ms, {} bytes sent, {} received; {} {}{}: {}. {}",
            worker.name,
            worker.address,
            failure.cause,
            stage,
            attempt.number,
            clock::now().since(begun).as_secs_f64() * 1000.0,
            attempt.traffic.sent,
            attempt.traffic.received,
            Escaped(request.method()),
            Escaped(request.uri().unwrap_or_default()),
            trace::Shown(request),
            outcome(attempt.retried.then_some(follow), failure),
            hint.unwrap_or(message.advice),
        ),
    );
}

/// A request that no member was tried for.
pub(super) fn refused(request: Request<'_>, live: &Live, farm: &Farm, begun: Tick, failure: &Failure) {
    farm.balancer.state.refused.fetch_add(1, Ordering::Relaxed);
    let message = messages::of_failure(failure);
    live.log.request(
        request,
        Level::Error,
        message,
        format_args!(
            "balancer {}: {}; {:.1} ms; {} {}{}: {}. Members: {}. {}",
            farm.balancer.name,
            failure.cause,
            clock::now().since(begun).as_secs_f64() * 1000.0,
            Escaped(request.method()),
            Escaped(request.uri().unwrap_or_default()),
            trace::Shown(request),
            outcome(None, failure),
            States(farm),
            message.advice,
        ),
    );
}

/// The sessions of a member go elsewhere. Told once for each time a member is out of use, in each process.
pub(super) fn moved(request: Request<'_>, live: &Live, farm: &Farm, owner: usize, now: usize) {
    let name = |place: usize| farm.balancer.members.get(place).map_or("", |member| &*member.name);
    live.log.request(
        request,
        Level::Info,
        messages::SESSIONS_MOVED,
        format_args!(
            "balancer {}: a session of {} goes to {}, as long as {} can not be used; {} {}",
            farm.balancer.name,
            name(owner),
            name(now),
            name(owner),
            Escaped(request.method()),
            Escaped(request.uri().unwrap_or_default()),
        ),
    );
}

/// What the client gets of a failure, or what follows instead.
fn outcome(follow: Option<&str>, failure: &Failure) -> Cow<'static, str> {
    match (follow, failure.delivered, failure.status()) {
        (Some(follow), ..) => follow.to_owned().into(),
        (_, true, _) => "the response was broken off".into(),
        (_, _, Some(status)) => format!("answered with {status}").into(),
        (_, _, None) => "no answer was possible".into(),
    }
}

/// Members shown with their states; of many, only the first.
struct States<'f>(&'f Farm);

impl fmt::Display for States<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 16;
        let members = &self.0.balancer.members;
        for (place, member) in members.iter().take(MOST).enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            let (activation, state) = (member.state.activation().short(), member.state.state().name());
            write!(f, "{comma}{} {activation} {state}", member.name)?;
        }
        match members.len().checked_sub(MOST) {
            Some(more) if more > 0 => write!(f, " and {more} more"),
            _ => Ok(()),
        }
    }
}
