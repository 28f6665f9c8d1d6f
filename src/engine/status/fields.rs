//! Keys and values of the formats for scripts, in mod_jk's order.
//!
//! One list for each kind of object serves `xml`, `txt` and `prop`; they differ in the place of `retries` only. Keys that
//! mod_jk has not got stand at the end of their object. Times are written as local time, its offset and UNIX seconds.
//! Sources: `display_worker_lb`, `display_worker_ajp_conf_details`, `display_map` in mod_jk's jk_status.c.

use std::borrow::Cow;

use super::property::name_of;
use super::view::{AjpWorker, Backend, Balancer, Clock, LastError, Map, Member, View, activation_text};
use crate::engine::config::model::{Lock, Method, Status};

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// As it is in `txt`.
    Plain,
    /// Quoted in `txt`.
    Quoted,
}

/// One key with its value.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    pub key: &'static str,
    pub value: Cow<'a, str>,
    pub style: Style,
}

/// Which list of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// `connection_ping_interval` before `retries`.
    Xml,
    /// The other way round.
    Text,
}

fn plain<'a>(key: &'static str, value: impl Into<Cow<'a, str>>) -> Field<'a> {
    Field { key, value: value.into(), style: Style::Plain }
}

fn quoted<'a>(key: &'static str, value: impl Into<Cow<'a, str>>) -> Field<'a> {
    Field { key, value: value.into(), style: Style::Quoted }
}

fn number<'a>(key: &'static str, value: impl ToString) -> Field<'a> {
    plain(key, value.to_string())
}

fn truth<'a>(key: &'static str, value: bool) -> Field<'a> {
    plain(key, if value { "True" } else { "False" })
}

/// Name and port of the server.
pub(super) fn server(view: &View) -> Vec<Field<'_>> {
    vec![plain("name", &view.server.name), number("port", view.server.port)]
}

/// The moment.
pub(super) fn time(view: &View) -> Vec<Field<'_>> {
    vec![
        plain("datetime", datetime(view.clock.unix, view.clock.offset)),
        plain("tz", zone(view.clock.offset)),
        number("unix", view.clock.unix),
    ]
}

/// Server and module.
pub(super) fn software(view: &View) -> Vec<Field<'_>> {
    vec![quoted("web_server", &view.server.software), plain("jk_version", &view.server.version)]
}

/// A balancer without its name.
pub(super) fn balancer<'a>(balancer: &'a Balancer, view: &View, status: &Status) -> Vec<Field<'a>> {
    let counts = balancer.counts(&status.good, &status.bad);
    let (least, most) = balancer.time_to_maintenance(view);
    vec![
        plain("type", "lb"),
        truth("sticky_session", balancer.sticky_session),
        truth("sticky_session_force", balancer.sticky_session_force),
        number("retries", balancer.retries),
        number("recover_time", balancer.recover_time),
        number("error_escalation_time", balancer.error_escalation_time),
        number("max_reply_timeouts", balancer.max_reply_timeouts),
        plain("method", name_of(balancer.method, &Method::WORDS)),
        plain("lock", name_of(balancer.lock, &Lock::WORDS)),
        number("member_count", balancer.members.len()),
        number("good", counts.good),
        number("degraded", counts.degraded),
        number("bad", counts.bad),
        number("busy", balancer.busy),
        number("max_busy", balancer.max_busy),
        number("map_count", balancer.maps.len()),
        number("time_to_maintenance_min", least),
        number("time_to_maintenance_max", most),
        number("last_reset_at", balancer.last_reset),
        number("last_reset_ago", view.clock.ago(balancer.last_reset)),
    ]
}

/// The settings that members and AJP workers have in common, without the name.
pub(super) fn conf(backend: &Backend, order: Order) -> Vec<Field<'_>> {
    let source = if backend.source.is_empty() { "undefined" } else { &backend.source };
    let mut fields = vec![
        plain("type", backend.type_name()),
        plain("host", &backend.host),
        number("port", backend.port),
        plain("address", &backend.address),
        plain("source", source),
        number("connection_pool_timeout", backend.connection_pool_timeout),
        number("ping_timeout", backend.ping_timeout),
        number("connect_timeout", backend.connect_timeout),
        number("prepost_timeout", backend.prepost_timeout),
        number("reply_timeout", backend.reply_timeout),
    ];
    let interval = number("connection_ping_interval", backend.connection_ping_interval);
    let retries = number("retries", backend.retries);
    fields.extend(match order {
        Order::Xml => [interval, retries],
        Order::Text => [retries, interval],
    });
    fields.push(number("recovery_options", backend.recovery_options));
    fields.push(number("busy_limit", backend.busy_limit));
    fields.push(number("max_packet_size", backend.max_packet_size));
    fields
}

/// The counters that members and AJP workers have in common.
fn counters(backend: &Backend) -> [Field<'_>; 8] {
    [
        number("client_errors", backend.client_errors),
        number("reply_timeouts", backend.reply_timeouts),
        number("transferred", backend.transferred),
        number("read", backend.read),
        number("busy", backend.busy),
        number("max_busy", backend.max_busy),
        number("connected", backend.connected),
        number("max_connected", backend.max_connected),
    ]
}

/// A member without its name, up to the times of recovery.
pub(super) fn member<'a>(
    member: &'a Member,
    balancer: &Balancer,
    view: &View,
    order: Order,
) -> Vec<Field<'a>> {
    let mut fields = conf(&member.backend, order);
    fields.extend([
        plain("activation", activation_text(member.activation)),
        number("lbfactor", member.lbfactor),
        quoted("route", &member.route),
        quoted("redirect", &member.redirect),
        quoted("domain", &member.domain),
        number("distance", member.distance),
        plain("state", member.state.text()),
        number("lbmult", member.lbmult),
        number("lbvalue", member.lbvalue),
        number("elected", member.backend.used),
        number("sessions", member.sessions),
        number("errors", member.errors),
    ]);
    fields.extend(counters(&member.backend));
    let (least, most) = member.time_to_recover(balancer, view);
    fields.push(number("time_to_recover_min", least));
    fields.push(number("time_to_recover_max", most));
    fields
}

/// An AJP worker without its name, up to the number of rules.
pub(super) fn worker(worker: &AjpWorker, order: Order) -> Vec<Field<'_>> {
    let mut fields = conf(&worker.backend, order);
    fields.push(number("used", worker.backend.used));
    fields.push(number("errors", worker.errors));
    fields.extend(counters(&worker.backend));
    fields.push(number("map_count", worker.maps.len()));
    fields
}

/// When the counters of a member or AJP worker were reset.
pub(super) fn reset(backend: &Backend, view: &View) -> [Field<'static>; 2] {
    [
        number("last_reset_at", backend.last_reset),
        number("last_reset_ago", view.clock.ago(backend.last_reset)),
    ]
}

/// A time in four keys.
fn moment(keys: [&'static str; 4], at: u64, clock: Clock) -> [Field<'static>; 4] {
    let [date, zone_key, unix, ago] = keys;
    [
        plain(date, datetime(at, clock.offset)),
        plain(zone_key, zone(clock.offset)),
        number(unix, at),
        number(ago, clock.ago(at)),
    ]
}

/// The error time as mod_jk shows it: the first error since the last success of a member, the last one of an AJP worker.
pub(super) fn error_time(at: Option<u64>, view: &View) -> Vec<Field<'static>> {
    let keys = ["error_time_datetime", "error_time_tz", "error_time_unix_seconds", "error_time_ago"];
    at.map(|at| moment(keys, at, view.clock).to_vec()).unwrap_or_default()
}

/// Not in mod_jk: the last error, also after later successes.
pub(super) fn last_error_time(error: Option<&LastError>, view: &View) -> Vec<Field<'static>> {
    let keys = [
        "last_error_time_datetime",
        "last_error_time_tz",
        "last_error_time_unix_seconds",
        "last_error_time_ago",
    ];
    error.map(|error| moment(keys, error.at, view.clock).to_vec()).unwrap_or_default()
}

/// Not in mod_jk: the state of an AJP worker.
pub(super) fn worker_state(worker: &AjpWorker) -> Field<'static> {
    plain("state", worker.state.text())
}

/// A rule without its number.
pub(super) fn map(map: &Map) -> Vec<Field<'_>> {
    let bit = |set: bool| if set { "1" } else { "0" };
    let timeout = map.reply_timeout.map_or_else(|| "-1".to_owned(), |millis| millis.to_string());
    vec![
        quoted("server", server_of(map)),
        quoted("uri", &map.uri),
        quoted("type", &map.kind),
        quoted("source", &map.source),
        quoted("reply_timeout", timeout),
        quoted("sticky_ignore", bit(map.sticky_ignore)),
        quoted("stateless", bit(map.stateless)),
        quoted("fail_on_status", &map.fail_on_status),
        quoted("active", &map.active),
        quoted("disabled", &map.disabled),
        quoted("stopped", &map.stopped),
        quoted("use_server_errors", map.use_server_errors.to_string()),
    ]
}

/// The server of a rule; long names are not shown.
pub(super) fn server_of(map: &Map) -> &str {
    if map.server.len() > 80 { "XXX" } else { &map.server }
}

/// Local time as `YYYYMMDDhhmmss`.
pub(super) fn datetime(unix: u64, offset: i32) -> String {
    let [year, month, day, hour, minute, second] = civil(unix, offset);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

/// Local time as `YYYY-MM-DD hh:mm:ss`.
pub(super) fn readable(unix: u64, offset: i32) -> String {
    let [year, month, day, hour, minute, second] = civil(unix, offset);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// The offset of local time as `+hhmm`.
pub(super) fn zone(offset: i32) -> String {
    let minutes = offset.unsigned_abs() / 60;
    let sign = if offset < 0 { '-' } else { '+' };
    format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
}

/// Year, month, day, hour, minute and second of the Gregorian calendar. The days are counted in years that begin in
/// March, so that the leap day is the last one; 400 such years have 146097 days.
fn civil(unix: u64, offset: i32) -> [u64; 6] {
    let local = unix.saturating_add_signed(i64::from(offset)).min(u64::MAX / 2);
    let (days, rest) = (local / 86_400, local % 86_400);
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    [era * 400 + year + carry, month, day, rest / 3600, rest / 60 % 60, rest % 60]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar() {
        for (unix, offset, text) in [
            (0, 0, "19700101000000"),
            (1_795_396_344, 0, "20261123011224"),
            (1_795_396_344, 9 * 3600, "20261123101224"),
            (1_795_396_344, -5 * 3600 - 1800, "20261122194224"),
            (951_782_400, 0, "20000229000000"),
            (951_868_799, 0, "20000229235959"),
            (4_107_542_400, 0, "21000301000000"),
            (1_735_689_599, 0, "20241231235959"),
        ] {
            assert_eq!(datetime(unix, offset), text);
        }
        assert_eq!(readable(1_795_396_344, 0), "2026-11-23 01:12:24");
        assert!(!datetime(u64::MAX, i32::MAX).is_empty(), "does not overflow");
        assert_eq!(datetime(10, -100), "19700101000000", "before the beginning is the beginning");
    }

    #[test]
    fn zones() {
        assert_eq!(zone(0), "+0000");
        assert_eq!(zone(-(5 * 3600 + 1800)), "-0530");
        assert_eq!(zone(9 * 3600), "+0900");
    }
}
