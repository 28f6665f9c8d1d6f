//! Workers of type `ajp13`, `http` and `https`: defaults that depend on other properties, and the address.
//!
//! Follows `ajp_init` of mod_jk's `jk_ajp_common.c`, with two differences: without `connection_pool_size` the pool is not
//! limited, and an acquire timeout of zero means one attempt instead of none.

use super::{Context, Planned, Type, count, limit, millis, pause, seconds, tls};
use crate::engine::config::defs::Apply;
use crate::engine::config::model::{
    Activation, Address, Ajp13, Http, LocalAddress, MemberSettings, PoolSize, RecoveryOptions, Timeout,
};
use crate::engine::config::raw::{RawAjp13, RawHost};
use crate::engine::http1::probe::Statuses;
use crate::engine::http1::upgrade::Upgrade;

/// Default of `port`, the port of the AJP connector in Tomcat's own configuration.
const PORT: u16 = 8009;
/// Default of `port` of HTTP workers.
const HTTP_PORT: u16 = 80;
/// Default of `port` of HTTPS workers.
const HTTPS_PORT: u16 = 443;
/// Default of `ping_timeout`, in milliseconds.
const PING_TIMEOUT: i32 = 10_000;
/// Default of `retries`.
pub(super) const RETRIES: u32 = 2;
/// Default of `retry_interval`, in milliseconds.
pub(super) const RETRY_INTERVAL: i32 = 100;
/// Default of `max_packet_size`, in bytes.
const PACKET: usize = 8192;
/// Default of `tunnel_timeout`, in seconds.
const TUNNEL_TIMEOUT: i32 = 3600;
/// Octets of request body that an HTTP worker sends in one piece.
const PIECE: usize = 32 * 1024;

pub(super) fn resolve(context: &mut Context<'_>, worker: &Planned<'_>) -> Ajp13 {
    let mut raw = RawAjp13::default();
    context.apply(worker, |apply, value| {
        if let Apply::Ajp13(apply) = apply {
            apply(&mut raw, value);
        }
    });
    let address = address(context, worker, &raw);
    let member = member(&raw, &worker.name, &address);
    let pool_size = pool_size(context, worker, &raw);
    let ping_mode = raw.ping_mode.unwrap_or_default();
    let ping_timeout = raw.ping_timeout.unwrap_or(PING_TIMEOUT);
    let pinged = |value: Option<i32>, asked: bool| match value.unwrap_or(0) {
        0 if asked => millis(ping_timeout),
        value => millis(value),
    };
    let retries = raw.retries.unwrap_or(RETRIES);
    let retry_interval = pause(raw.retry_interval.unwrap_or(RETRY_INTERVAL));
    let http = (worker.kind != Type::Ajp13).then(|| http(context, worker, &mut raw, &address));
    let packet = if http.is_some() { PIECE } else { PACKET };
    let max_packet_size = raw.max_packet_size.unwrap_or(packet);
    let queue = (raw.queue_size.unwrap_or(0), raw.queue_timeout.unwrap_or(0));
    context.queue(worker, queue, Some(limit(raw.max_in_flight)));
    let secret = context.secret(worker, raw.secret.take(), raw.secret_file.take());
    let socket_timeout = seconds(raw.socket_timeout.unwrap_or(0));
    Ajp13 {
        http,
        twin: worker.twin,
        address,
        source: raw.source.map_or(LocalAddress::Any, LocalAddress::Host),
        prefer_ipv6: raw.prefer_ipv6.unwrap_or(false),
        socket_timeout,
        socket_connect_timeout: raw.socket_connect_timeout.map_or(socket_timeout, millis),
        socket_keepalive: raw.socket_keepalive.unwrap_or(false),
        socket_buffer: match count(raw.socket_buffer.unwrap_or(0)) {
            0 => 0,
            size => size.max(max_packet_size),
        },
        connection_pool_size: pool_size,
        connection_pool_minsize: raw.connection_pool_minsize.map_or_else(
            || match pool_size {
                PoolSize::Limit(size) => size.div_ceil(2),
                PoolSize::Unlimited => context.environment.threads_per_child.div_ceil(2),
            },
            count,
        ),
        connection_pool_timeout: not_negative(raw.connection_pool_timeout)
            .or(not_negative(raw.cache_timeout))
            .map_or(Timeout::OFF, seconds),
        connection_acquire_timeout: raw
            .connection_acquire_timeout
            .map_or_else(|| retry_interval.saturating_mul(retries), pause),
        connect_timeout: pinged(raw.connect_timeout, ping_mode.connect),
        prepost_timeout: pinged(raw.prepost_timeout, ping_mode.prepost),
        ping_mode,
        ping_timeout: millis(ping_timeout),
        connection_ping_interval: match raw.connection_ping_interval.unwrap_or(0) {
            0 if ping_mode.interval => seconds(ping_timeout / 100),
            interval => seconds(interval),
        },
        reply_timeout: millis(raw.reply_timeout.unwrap_or(0)),
        retries,
        retry_interval,
        recovery_options: RecoveryOptions::from_bits(raw.recovery_options.unwrap_or(0)),
        recovery_set: raw.recovery_options.is_some(),
        fail_on_status: raw.fail_on_status,
        busy_limit: limit(raw.busy_limit),
        max_in_flight: limit(raw.max_in_flight),
        queue_size: limit(raw.queue_size),
        queue_timeout: pause(queue.1),
        max_packet_size,
        secret,
        member,
    }
}

/// What only HTTP workers have. Probes that are asked for need a page.
fn http(context: &mut Context<'_>, worker: &Planned<'_>, raw: &mut RawAjp13, address: &Address) -> Http {
    let ping_uri = raw.ping_uri.take();
    let asked = [
        ("ping_mode", raw.ping_mode.is_some_and(|mode| mode.connect || mode.prepost || mode.interval)),
        ("connect_timeout", raw.connect_timeout.is_some_and(|limit| limit > 0)),
        ("prepost_timeout", raw.prepost_timeout.is_some_and(|limit| limit > 0)),
        ("connection_ping_interval", raw.connection_ping_interval.is_some_and(|time| time > 0)),
        ("ping_status", raw.ping_status.is_some()),
    ];
    if ping_uri.is_none()
        && let Some((name, _)) = asked.into_iter().find(|(_, asked)| *asked)
    {
        let origin = context.origin(worker, name);
        let message = format!("worker.{}.{name} has no effect without ping_uri", worker.name);
        context.diagnostics.warning(&origin, message);
    }
    Http {
        ping_uri,
        ping_status: raw.ping_status.unwrap_or(Statuses::SERVING),
        send_proxy: raw.send_proxy.unwrap_or(false),
        x_forwarded: raw.x_forwarded.unwrap_or_default(),
        forwarded: raw.forwarded.unwrap_or_default(),
        tls: (worker.kind == Type::Https).then(|| tls::resolve(context, worker, raw, address)),
        upgrade: raw.upgrade.take().unwrap_or_else(|| vec![Upgrade::WEBSOCKET]),
        tunnel_timeout: seconds(raw.tunnel_timeout.unwrap_or(TUNNEL_TIMEOUT)),
    }
}

fn not_negative(value: Option<i32>) -> Option<i32> {
    value.filter(|value| *value >= 0)
}

fn address(context: &mut Context<'_>, worker: &Planned<'_>, raw: &RawAjp13) -> Address {
    let port_line = context.origin(worker, "port");
    let default = match worker.kind {
        Type::Http => HTTP_PORT,
        Type::Https => HTTPS_PORT,
        _ => PORT,
    };
    let address = match (&raw.host, raw.port) {
        (Some(RawHost::Unix(path)), port) => {
            if port.is_some() {
                let message = format!("worker.{}.port has no effect on a UNIX socket", worker.name);
                context.diagnostics.warning(&port_line, message);
            }
            return Address::Unix(path.clone());
        }
        (Some(RawHost::Tcp(host, in_host)), port) => {
            if let (Some(in_host), Some(port)) = (in_host, port)
                && *in_host != port
            {
                let message = format!(
                    "worker.{}.port: {port} is used, not the {in_host} that stands in the host",
                    worker.name
                );
                context.diagnostics.warning(&port_line, message);
            }
            Address::Tcp { host: host.clone(), port: port.or(*in_host).unwrap_or(default) }
        }
        (None, port) => Address::Tcp { host: "localhost".to_owned(), port: port.unwrap_or(default) },
    };
    if !address.is_usable() {
        let message = format!("worker.{}.port: 0 is no address, requests to the worker fail", worker.name);
        context.diagnostics.warning(&port_line, message);
    }
    address
}

fn pool_size(context: &mut Context<'_>, worker: &Planned<'_>, raw: &RawAjp13) -> PoolSize {
    match not_negative(raw.connection_pool_size).or(not_negative(raw.cachesize)) {
        None => PoolSize::Unlimited,
        Some(size) => {
            if size == 0 {
                let origin = context.origin(worker, "connection_pool_size");
                let message =
                    format!("worker.{}: a connection pool of size 0 refuses every request", worker.name);
                context.diagnostics.warning(&origin, message);
            }
            PoolSize::Limit(count(size))
        }
    }
}

fn member(raw: &RawAjp13, name: &str, address: &Address) -> MemberSettings {
    let route = raw.route.as_ref().or(raw.jvm_route.as_ref());
    let domain = raw.domain.clone().or_else(|| {
        let (domain, _) = route?.split_once('.')?;
        Some(domain.to_owned())
    });
    let activation = raw.activation.unwrap_or(match (raw.stopped, raw.disabled) {
        (Some(true), _) => Activation::Stopped,
        (_, Some(true)) => Activation::Disabled,
        _ => Activation::Active,
    });
    MemberSettings {
        lbfactor: raw.lbfactor.unwrap_or(1),
        distance: raw.distance.unwrap_or(0),
        route: route.map_or_else(|| name.to_owned(), Clone::clone),
        domain: domain.unwrap_or_default(),
        redirect: raw.redirect.clone().unwrap_or_default(),
        activation: if address.is_usable() { activation } else { Activation::Stopped },
    }
}
