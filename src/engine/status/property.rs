//! The settings that can be changed at run time: one table for query parameters, API and log.
//!
//! [`Property::parse`] is the only way from text to a [`Setting`]; a setting that exists is in range. Where mod_jk ignores
//! a refused value or takes it for a default, it is an error here: a mistyped activation must not activate.
//! Sources: `commit_member`, `update_worker` in mod_jk's jk_status.c; ranges of the properties in workers.properties.

use std::fmt;

use super::view::{Backend, Balancer, Member};
use crate::engine::config::model::{Activation, Lock, Method};

/// Longest route, domain, redirect or host name, in bytes.
pub const LONGEST_TEXT: usize = 63;

/// Where a property belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Balancers.
    Balancer,
    /// Members of balancers.
    Member,
    /// Members and AJP workers.
    Backend,
}

/// The property of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "named after the properties of workers.properties, which document them")]
pub enum Property {
    LbRetries,
    LbRetryInterval,
    RecoverTime,
    ErrorEscalationTime,
    MaxReplyTimeouts,
    StickySession,
    StickySessionForce,
    Method,
    Lock,
    Activation,
    LbFactor,
    Route,
    Redirect,
    Domain,
    Distance,
    Host,
    Port,
    ConnectionPoolTimeout,
    PingTimeout,
    ConnectTimeout,
    PrepostTimeout,
    ReplyTimeout,
    Retries,
    RetryInterval,
    ConnectionPingInterval,
    RecoveryOptions,
    BusyLimit,
    MaxPacketSize,
}

/// A value in range. Units as in workers.properties.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "one for each property")]
pub enum Setting {
    LbRetries(u32),
    LbRetryInterval(u32),
    RecoverTime(u32),
    ErrorEscalationTime(u32),
    MaxReplyTimeouts(u32),
    StickySession(bool),
    StickySessionForce(bool),
    Method(Method),
    Lock(Lock),
    Activation(Activation),
    LbFactor(u32),
    Route(String),
    Redirect(String),
    Domain(String),
    Distance(i32),
    Host(String),
    Port(u16),
    ConnectionPoolTimeout(u32),
    PingTimeout(u32),
    ConnectTimeout(u32),
    PrepostTimeout(u32),
    ReplyTimeout(u32),
    Retries(u32),
    RetryInterval(u32),
    ConnectionPingInterval(u32),
    RecoveryOptions(u32),
    BusyLimit(u32),
    MaxPacketSize(u32),
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// The property.
    pub property: Property,
    /// Its query parameter.
    pub parameter: &'static str,
    /// Its name in workers.properties and in the API.
    pub name: &'static str,
    /// Where it belongs.
    pub scope: Scope,
    /// What is accepted, for messages and the manual.
    pub accepts: &'static str,
}

const fn row(
    property: Property,
    parameter: &'static str,
    name: &'static str,
    scope: Scope,
    accepts: &'static str,
) -> Row {
    Row { property, parameter, name, scope, accepts }
}

const POSITIVE: &str = "a number of at least 1";
const NUMBER: &str = "a number of at least 0";
const SWITCH: &str = "1 or 0 (true, false, yes, no, on, off)";
const TEXT: &str = "at most 63 bytes without control characters";

/// All of them, in the order of forms.
pub const TABLE: [Row; 28] = [
    row(Property::LbRetries, "vlr", "retries", Scope::Balancer, POSITIVE),
    row(Property::LbRetryInterval, "vlri", "retry_interval", Scope::Balancer, POSITIVE),
    row(Property::RecoverTime, "vlt", "recover_time", Scope::Balancer, POSITIVE),
    row(Property::ErrorEscalationTime, "vlee", "error_escalation_time", Scope::Balancer, NUMBER),
    row(Property::MaxReplyTimeouts, "vlx", "max_reply_timeouts", Scope::Balancer, NUMBER),
    row(Property::StickySession, "vls", "sticky_session", Scope::Balancer, SWITCH),
    row(Property::StickySessionForce, "vlf", "sticky_session_force", Scope::Balancer, SWITCH),
    row(
        Property::Method,
        "vlm",
        "method",
        Scope::Balancer,
        "Request, Traffic, Busyness, Sessions, Next, P2C, Latency or Hash (0 to 7)",
    ),
    row(Property::Lock, "vll", "lock", Scope::Balancer, "Optimistic or Pessimistic (0 or 1)"),
    row(Property::Activation, "vwa", "activation", Scope::Member, "Active, Disabled or Stopped (0, 1 or 2)"),
    row(Property::LbFactor, "vwf", "lbfactor", Scope::Member, POSITIVE),
    row(Property::Route, "vwn", "route", Scope::Member, TEXT),
    row(Property::Redirect, "vwr", "redirect", Scope::Member, TEXT),
    row(Property::Domain, "vwc", "domain", Scope::Member, TEXT),
    row(Property::Distance, "vwd", "distance", Scope::Member, "a whole number"),
    row(
        Property::Host,
        "vahst",
        "host",
        Scope::Backend,
        "1 to 63 bytes without blanks and control characters",
    ),
    row(Property::Port, "vaprt", "port", Scope::Backend, "a number from 1 to 65535"),
    row(Property::ConnectionPoolTimeout, "vacpt", "connection_pool_timeout", Scope::Backend, NUMBER),
    row(Property::PingTimeout, "vapng", "ping_timeout", Scope::Backend, NUMBER),
    row(Property::ConnectTimeout, "vact", "connect_timeout", Scope::Backend, NUMBER),
    row(Property::PrepostTimeout, "vapt", "prepost_timeout", Scope::Backend, NUMBER),
    row(Property::ReplyTimeout, "vart", "reply_timeout", Scope::Backend, NUMBER),
    row(Property::Retries, "var", "retries", Scope::Backend, POSITIVE),
    row(Property::RetryInterval, "vari", "retry_interval", Scope::Backend, POSITIVE),
    row(Property::ConnectionPingInterval, "vacpi", "connection_ping_interval", Scope::Backend, NUMBER),
    row(Property::RecoveryOptions, "varo", "recovery_options", Scope::Backend, "a number from 0 to 31"),
    row(Property::BusyLimit, "vabl", "busy_limit", Scope::Backend, NUMBER),
    row(Property::MaxPacketSize, "vamps", "max_packet_size", Scope::Backend, "a number from 8192 to 65536"),
];

impl Property {
    fn row(self) -> &'static Row {
        // The table has a row for each property: a unit test looks.
        TABLE.iter().find(|row| row.property == self).unwrap_or(&TABLE[0])
    }

    /// Its name in workers.properties.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Its query parameter.
    pub fn parameter(self) -> &'static str {
        self.row().parameter
    }

    /// Where it belongs.
    pub fn scope(self) -> Scope {
        self.row().scope
    }

    /// What [`Property::parse`] accepts, in words.
    pub fn accepts(self) -> &'static str {
        self.row().accepts
    }

    /// The setting that `text` stands for; `None` when it stands for none.
    pub fn parse(self, text: &str) -> Option<Setting> {
        Some(match self {
            Self::LbRetries => Setting::LbRetries(number(text, 1)?),
            Self::LbRetryInterval => Setting::LbRetryInterval(number(text, 1)?),
            Self::RecoverTime => Setting::RecoverTime(number(text, 1)?),
            Self::ErrorEscalationTime => Setting::ErrorEscalationTime(number(text, 0)?),
            Self::MaxReplyTimeouts => Setting::MaxReplyTimeouts(number(text, 0)?),
            Self::StickySession => Setting::StickySession(switch(text)?),
            Self::StickySessionForce => Setting::StickySessionForce(switch(text)?),
            Self::Method => Setting::Method(word(text, &Method::WORDS)?),
            Self::Lock => Setting::Lock(word(text, &Lock::WORDS)?),
            Self::Activation => Setting::Activation(activation(text)?),
            Self::LbFactor => Setting::LbFactor(number(text, 1)?),
            Self::Route => Setting::Route(short(text)?),
            Self::Redirect => Setting::Redirect(short(text)?),
            Self::Domain => Setting::Domain(short(text)?),
            Self::Distance => Setting::Distance(text.trim().parse().ok()?),
            Self::Host => Setting::Host(host(text)?),
            Self::Port => Setting::Port(text.trim().parse().ok().filter(|port| *port != 0)?),
            Self::ConnectionPoolTimeout => Setting::ConnectionPoolTimeout(number(text, 0)?),
            Self::PingTimeout => Setting::PingTimeout(number(text, 0)?),
            Self::ConnectTimeout => Setting::ConnectTimeout(number(text, 0)?),
            Self::PrepostTimeout => Setting::PrepostTimeout(number(text, 0)?),
            Self::ReplyTimeout => Setting::ReplyTimeout(number(text, 0)?),
            Self::Retries => Setting::Retries(number(text, 1)?),
            Self::RetryInterval => Setting::RetryInterval(number(text, 1)?),
            Self::ConnectionPingInterval => Setting::ConnectionPingInterval(number(text, 0)?),
            Self::RecoveryOptions => Setting::RecoveryOptions(number(text, 0).filter(|bits| *bits <= 31)?),
            Self::BusyLimit => Setting::BusyLimit(number(text, 0)?),
            Self::MaxPacketSize => {
                let size = number(text, 8192).filter(|size| *size <= 65_536)?;
                Setting::MaxPacketSize(size.next_multiple_of(1024))
            }
        })
    }

    /// The value a balancer has; `None` for properties of others.
    pub fn of_balancer(self, balancer: &Balancer) -> Option<Setting> {
        Some(match self {
            Self::LbRetries => Setting::LbRetries(balancer.retries),
            Self::LbRetryInterval => Setting::LbRetryInterval(balancer.retry_interval),
            Self::RecoverTime => Setting::RecoverTime(balancer.recover_time),
            Self::ErrorEscalationTime => Setting::ErrorEscalationTime(balancer.error_escalation_time),
            Self::MaxReplyTimeouts => Setting::MaxReplyTimeouts(balancer.max_reply_timeouts),
            Self::StickySession => Setting::StickySession(balancer.sticky_session),
            Self::StickySessionForce => Setting::StickySessionForce(balancer.sticky_session_force),
            Self::Method => Setting::Method(balancer.method),
            Self::Lock => Setting::Lock(balancer.lock),
            _ => return None,
        })
    }

    /// The value a member has; `None` for properties of balancers.
    pub fn of_member(self, member: &Member) -> Option<Setting> {
        Some(match self {
            Self::Activation => Setting::Activation(member.activation),
            Self::LbFactor => Setting::LbFactor(member.lbfactor),
            Self::Route => Setting::Route(member.route.clone()),
            Self::Redirect => Setting::Redirect(member.redirect.clone()),
            Self::Domain => Setting::Domain(member.domain.clone()),
            Self::Distance => Setting::Distance(member.distance),
            _ => return self.of_backend(&member.backend),
        })
    }

    /// The value an AJP worker has; `None` for properties of others.
    pub fn of_backend(self, backend: &Backend) -> Option<Setting> {
        Some(match self {
            Self::Host => Setting::Host(backend.host.clone()),
            Self::Port => Setting::Port(backend.port),
            Self::ConnectionPoolTimeout => Setting::ConnectionPoolTimeout(backend.connection_pool_timeout),
            Self::PingTimeout => Setting::PingTimeout(backend.ping_timeout),
            Self::ConnectTimeout => Setting::ConnectTimeout(backend.connect_timeout),
            Self::PrepostTimeout => Setting::PrepostTimeout(backend.prepost_timeout),
            Self::ReplyTimeout => Setting::ReplyTimeout(backend.reply_timeout),
            Self::Retries => Setting::Retries(backend.retries),
            Self::RetryInterval => Setting::RetryInterval(backend.retry_interval),
            Self::ConnectionPingInterval => Setting::ConnectionPingInterval(backend.connection_ping_interval),
            Self::RecoveryOptions => Setting::RecoveryOptions(backend.recovery_options),
            Self::BusyLimit => Setting::BusyLimit(backend.busy_limit),
            Self::MaxPacketSize => Setting::MaxPacketSize(backend.max_packet_size),
            _ => return None,
        })
    }
}

impl Setting {
    /// The property it is a value of.
    pub fn property(&self) -> Property {
        match self {
            Self::LbRetries(_) => Property::LbRetries,
            Self::LbRetryInterval(_) => Property::LbRetryInterval,
            Self::RecoverTime(_) => Property::RecoverTime,
            Self::ErrorEscalationTime(_) => Property::ErrorEscalationTime,
            Self::MaxReplyTimeouts(_) => Property::MaxReplyTimeouts,
            Self::StickySession(_) => Property::StickySession,
            Self::StickySessionForce(_) => Property::StickySessionForce,
            Self::Method(_) => Property::Method,
            Self::Lock(_) => Property::Lock,
            Self::Activation(_) => Property::Activation,
            Self::LbFactor(_) => Property::LbFactor,
            Self::Route(_) => Property::Route,
            Self::Redirect(_) => Property::Redirect,
            Self::Domain(_) => Property::Domain,
            Self::Distance(_) => Property::Distance,
            Self::Host(_) => Property::Host,
            Self::Port(_) => Property::Port,
            Self::ConnectionPoolTimeout(_) => Property::ConnectionPoolTimeout,
            Self::PingTimeout(_) => Property::PingTimeout,
            Self::ConnectTimeout(_) => Property::ConnectTimeout,
            Self::PrepostTimeout(_) => Property::PrepostTimeout,
            Self::ReplyTimeout(_) => Property::ReplyTimeout,
            Self::Retries(_) => Property::Retries,
            Self::RetryInterval(_) => Property::RetryInterval,
            Self::ConnectionPingInterval(_) => Property::ConnectionPingInterval,
            Self::RecoveryOptions(_) => Property::RecoveryOptions,
            Self::BusyLimit(_) => Property::BusyLimit,
            Self::MaxPacketSize(_) => Property::MaxPacketSize,
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StickySession(on) | Self::StickySessionForce(on) => {
                f.write_str(if *on { "1" } else { "0" })
            }
            Self::Method(method) => f.write_str(name_of(*method, &Method::WORDS)),
            Self::Lock(lock) => f.write_str(name_of(*lock, &Lock::WORDS)),
            Self::Activation(activation) => f.write_str(name_of(*activation, &Activation::WORDS)),
            Self::Route(text) | Self::Redirect(text) | Self::Domain(text) | Self::Host(text) => {
                f.write_str(text)
            }
            Self::Distance(number) => number.fmt(f),
            Self::Port(port) => port.fmt(f),
            Self::LbRetries(number)
            | Self::LbRetryInterval(number)
            | Self::RecoverTime(number)
            | Self::ErrorEscalationTime(number)
            | Self::MaxReplyTimeouts(number)
            | Self::LbFactor(number)
            | Self::ConnectionPoolTimeout(number)
            | Self::PingTimeout(number)
            | Self::ConnectTimeout(number)
            | Self::PrepostTimeout(number)
            | Self::ReplyTimeout(number)
            | Self::Retries(number)
            | Self::RetryInterval(number)
            | Self::ConnectionPingInterval(number)
            | Self::RecoveryOptions(number)
            | Self::BusyLimit(number)
            | Self::MaxPacketSize(number) => number.fmt(f),
        }
    }
}

/// The word of a value in its list of words.
pub fn name_of<T: Copy + PartialEq>(value: T, words: &[(&'static str, T)]) -> &'static str {
    words.iter().find(|(_, other)| *other == value).map_or("", |(word, _)| word)
}

/// A number from `least` to 2147483647, the range of workers.properties.
fn number(text: &str, least: u32) -> Option<u32> {
    text.trim().parse::<u32>().ok().filter(|number| *number >= least && *number <= i32::MAX.unsigned_abs())
}

/// As mod_jk reads booleans, but nothing else.
fn switch(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "t" | "yes" | "y" | "on" => Some(true),
        "0" | "false" | "f" | "no" | "n" | "off" => Some(false),
        _ => None,
    }
}

/// A position in the list, or a beginning of a word of it in any case.
fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Option<T> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let place = words
        .iter()
        .position(|(word, _)| word.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text)));
    let number = || text.parse::<usize>().ok().filter(|_| text.len() == 1);
    words.get(place.or_else(number)?).map(|(_, value)| *value)
}

/// Also the words that are shown.
fn activation(text: &str) -> Option<Activation> {
    match text.trim().to_ascii_uppercase().as_str() {
        "DIS" => Some(Activation::Disabled),
        "STP" => Some(Activation::Stopped),
        "ACT" => Some(Activation::Active),
        _ => word(text, &Activation::WORDS),
    }
}

fn short(text: &str) -> Option<String> {
    let text = text.trim();
    (text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn host(text: &str) -> Option<String> {
    short(text).filter(|text| !text.is_empty() && !text.contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_without_doubles() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(row.property.row().parameter, row.parameter);
            let twin = TABLE.iter().skip(place + 1).find(|other| {
                other.parameter == row.parameter
                    || other.property == row.property
                    || (other.name == row.name
                        && (other.scope == Scope::Balancer) == (row.scope == Scope::Balancer))
            });
            assert!(twin.is_none(), "{row:?} {twin:?}");
        }
    }

    #[test]
    fn every_property_reads_what_it_writes() {
        let view = crate::engine::status::sample::view();
        let balancer = &view.balancers[0];
        for row in &TABLE {
            let property = row.property;
            let setting = match row.scope {
                Scope::Balancer => property.of_balancer(balancer),
                _ => property.of_member(&balancer.members[0]),
            };
            let setting = setting.unwrap();
            assert_eq!(setting.property(), property);
            assert_eq!(property.parse(&setting.to_string()), Some(setting.clone()), "{row:?}");
            assert_eq!(property.of_backend(&view.workers[0].backend).is_some(), row.scope == Scope::Backend);
        }
    }

    #[test]
    fn what_is_refused() {
        let refused: [(&str, &[&str]); 18] = [
            ("vlr", &["0", "-1", "", "x", "2147483648", "1.5", "1k"]),
            ("vlt", &["0"]),
            ("vlee", &["-1"]),
            ("vls", &["", "2", "maybe"]),
            ("vlm", &["", "8", "x", "Requests", "11"]),
            ("vll", &["2", "z"]),
            ("vwa", &["xyz", "", "3", "activ3", "dead", "-1"]),
            ("vwf", &["0", "-5"]),
            ("vwn", &["a\nb", "0123456789012345678901234567890123456789012345678901234567890123"]),
            ("vwd", &["", "x", "3000000000"]),
            ("vahst", &["", "a b", "a\tb"]),
            ("vaprt", &["0", "65536", "99999", "-1", ""]),
            ("vari", &["abc", "0"]),
            ("var", &["0"]),
            ("varo", &["32"]),
            ("vabl", &["-1"]),
            ("vamps", &["100", "8191", "65537", "0"]),
            ("vact", &["99999999999999999999"]),
        ];
        for (parameter, values) in refused {
            let row = TABLE.iter().find(|row| row.parameter == parameter).unwrap();
            for value in values {
                assert_eq!(row.property.parse(value), None, "{parameter}={value}");
            }
        }
    }

    #[test]
    fn short_forms_of_words() {
        let activation = |text| Property::Activation.parse(text);
        for text in ["a", "A", "0", "active", "ACT", "Activ"] {
            assert_eq!(activation(text), Some(Setting::Activation(Activation::Active)), "{text}");
        }
        for text in ["s", "2", "STP", "stop", "Stopped"] {
            assert_eq!(activation(text), Some(Setting::Activation(Activation::Stopped)), "{text}");
        }
        assert_eq!(activation("dis"), Some(Setting::Activation(Activation::Disabled)));
        assert_eq!(Property::Method.parse("b"), Some(Setting::Method(Method::Busyness)));
        assert_eq!(Property::Method.parse("4"), Some(Setting::Method(Method::Next)));
        assert_eq!(Property::Lock.parse("P"), Some(Setting::Lock(Lock::Pessimistic)));
        assert_eq!(Property::MaxPacketSize.parse("8193"), Some(Setting::MaxPacketSize(9216)));
        assert_eq!(Property::Route.parse(""), Some(Setting::Route(String::new())));
        assert_eq!(Property::Distance.parse("-2"), Some(Setting::Distance(-2)));
    }
}
