//! Settings of the model as the status worker shows them, and changes of them.
//!
//! Counters and states are not filled in here: they are those of the running server.

use std::time::Duration;

use super::property::Setting;
use super::view::{Backend, Balancer, Member, SessionIds};
use crate::engine::config::model::{
    Address, Ajp13, Lb, LocalAddress, MemberSettings, RecoveryOptions, ReplyTimeouts, Timeout,
};

fn whole(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

fn millis(time: Timeout) -> u32 {
    whole(time.as_millis())
}

fn seconds(time: Timeout) -> u32 {
    time.limit().map_or(0, |limit| whole(limit.as_secs()))
}

/// The settings of a worker that relays to one backend. The address in use is left empty.
pub fn backend(name: &str, ajp: &Ajp13) -> Backend {
    let (host, port) = match &ajp.address {
        Address::Tcp { host, port } => (host.clone(), *port),
        Address::Unix(path) => (path.clone(), 0),
    };
    Backend {
        name: name.to_owned(),
        http: ajp.http.is_some(),
        https: ajp.http.as_ref().is_some_and(|http| http.tls.is_some()),
        host,
        port,
        source: match &ajp.source {
            LocalAddress::Any => String::new(),
            LocalAddress::Host(host) => host.clone(),
        },
        connection_pool_timeout: seconds(ajp.connection_pool_timeout),
        ping_timeout: millis(ajp.ping_timeout),
        connect_timeout: millis(ajp.connect_timeout),
        prepost_timeout: millis(ajp.prepost_timeout),
        reply_timeout: millis(ajp.reply_timeout),
        connection_ping_interval: seconds(ajp.connection_ping_interval),
        retries: ajp.retries,
        retry_interval: whole(ajp.retry_interval.as_millis()),
        recovery_options: ajp.recovery_options.bits(),
        busy_limit: ajp.busy_limit,
        max_packet_size: whole(ajp.max_packet_size),
        ..Backend::default()
    }
}

/// The settings of a member: those of its worker, and those that only a balancer looks at.
pub fn member(name: &str, ajp: &Ajp13, own: &MemberSettings) -> Member {
    Member {
        backend: backend(name, ajp),
        activation: own.activation,
        lbfactor: own.lbfactor,
        route: own.route.clone(),
        redirect: own.redirect.clone(),
        domain: own.domain.clone(),
        distance: own.distance,
        ..Member::default()
    }
}

/// The settings of a balancer, without its members.
pub fn balancer(name: &str, lb: &Lb) -> Balancer {
    Balancer {
        name: name.to_owned(),
        sticky_session: lb.sticky_session,
        sticky_session_force: lb.sticky_session_force,
        retries: lb.retries,
        retry_interval: whole(lb.retry_interval.as_millis()),
        recover_time: whole(lb.recover_time.as_secs()),
        error_escalation_time: whole(lb.error_escalation_time.as_secs()),
        max_reply_timeouts: match lb.max_reply_timeouts {
            ReplyTimeouts::Tolerated => 0,
            ReplyTimeouts::AtMost(most) => most,
        },
        method: lb.method,
        lock: lb.lock,
        busy: 0,
        max_busy: 0,
        last_reset: 0,
        last_maintenance: 0,
        members: Vec::new(),
        maps: Vec::new(),
        queued: 0,
        refused: 0,
        sessions: SessionIds::default(),
        drift: Vec::new(),
    }
}

/// Changes a setting of an AJP worker; false when the setting belongs to something else.
pub fn set_backend(ajp: &mut Ajp13, setting: &Setting) -> bool {
    let millis = |number: &u32| Timeout::of(Duration::from_millis(u64::from(*number)));
    let seconds = |number: &u32| Timeout::of(Duration::from_secs(u64::from(*number)));
    match setting {
        Setting::Host(name) => match &mut ajp.address {
            Address::Tcp { host, .. } => host.clone_from(name),
            Address::Unix(_) => return false,
        },
        Setting::Port(number) => match &mut ajp.address {
            Address::Tcp { port, .. } => *port = *number,
            Address::Unix(_) => return false,
        },
        Setting::ConnectionPoolTimeout(number) => ajp.connection_pool_timeout = seconds(number),
        Setting::PingTimeout(number) => ajp.ping_timeout = millis(number),
        Setting::ConnectTimeout(number) => ajp.connect_timeout = millis(number),
        Setting::PrepostTimeout(number) => ajp.prepost_timeout = millis(number),
        Setting::ReplyTimeout(number) => ajp.reply_timeout = millis(number),
        Setting::ConnectionPingInterval(number) => ajp.connection_ping_interval = seconds(number),
        Setting::Retries(number) => ajp.retries = (*number).max(1),
        Setting::RetryInterval(number) => ajp.retry_interval = Duration::from_millis(u64::from(*number)),
        Setting::RecoveryOptions(bits) => {
            ajp.recovery_options = RecoveryOptions::from_bits(*bits);
            ajp.recovery_set = true;
        }
        Setting::BusyLimit(number) => ajp.busy_limit = *number,
        Setting::MaxPacketSize(size) => ajp.max_packet_size = usize::try_from(*size).unwrap_or(8192),
        _ => return false,
    }
    true
}

/// Changes a setting of a balancer; false when the setting belongs to something else.
pub fn set_balancer(lb: &mut Lb, setting: &Setting) -> bool {
    let seconds = |number: &u32| Duration::from_secs(u64::from(*number));
    match setting {
        Setting::LbRetries(number) => lb.retries = (*number).max(1),
        Setting::LbRetryInterval(number) => lb.retry_interval = Duration::from_millis(u64::from(*number)),
        Setting::RecoverTime(number) => lb.recover_time = seconds(number),
        Setting::ErrorEscalationTime(number) => lb.error_escalation_time = seconds(number),
        Setting::MaxReplyTimeouts(number) => lb.max_reply_timeouts = ReplyTimeouts::AtMost(*number),
        Setting::StickySession(on) => lb.sticky_session = *on,
        Setting::StickySessionForce(on) => lb.sticky_session_force = *on,
        Setting::Method(method) => lb.method = *method,
        Setting::Lock(lock) => lb.lock = *lock,
        _ => return false,
    }
    true
}

/// Changes a setting that only a balancer looks at; false when the setting belongs to something else.
pub fn set_member(own: &mut MemberSettings, setting: &Setting) -> bool {
    match setting {
        Setting::Activation(activation) => own.activation = *activation,
        Setting::LbFactor(factor) => own.lbfactor = (*factor).max(1),
        Setting::Distance(distance) => own.distance = *distance,
        Setting::Redirect(text) => own.redirect.clone_from(text),
        Setting::Domain(text) => own.domain.clone_from(text),
        Setting::Route(text) => {
            own.route.clone_from(text);
            // As at start: the part of a route before its dot is the domain, unless one is set.
            if own.domain.is_empty()
                && let Some((domain, _)) = text.split_once('.')
            {
                domain.clone_into(&mut own.domain);
            }
        }
        _ => return false,
    }
    true
}
