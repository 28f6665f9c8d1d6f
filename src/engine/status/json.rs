//! The picture as JSON, with the names of the other formats and real numbers and truth values.
//!
//! Fields may be added within version 1 of the API, none is renamed or removed. Times are seconds since 1970 or seconds;
//! times in histograms are microseconds. What is unknown is `null`.

use serde_json::{Map as Object, Value, json};

use super::change::{Change, Plan, Target};
use super::command::Subject;
use super::fields::server_of;
use super::histogram::{BOUNDS, Snapshot};
use super::page::{Content, Page};
use super::property::{Property, Scope, Setting, TABLE, name_of};
use super::query::{Command, Hide};
use super::revert;
use super::view::{
    AjpWorker, Backend, Balancer, Cause, DrainSeen, Drift, Health, Map, Member, State, View, activation_text,
};
use crate::engine::config::model::{Activation, Lock, Method, Status};

/// The page of a command with `mime=json`. Ends with a newline.
pub fn render(page: &Page<'_>) -> String {
    let (view, status) = (page.view, page.status);
    let mut out = Object::new();
    if page.head().is_some() {
        out.insert("server".into(), server(view));
    }
    match page.content {
        Content::Shown(Command::List, _) => {
            if page.shows(Hide::BALANCERS) {
                let all = view
                    .balancers
                    .iter()
                    .map(|balancer| hidden(page, self::balancer(balancer, view, status)));
                out.insert("balancers".into(), all.collect());
            }
            if page.shows(Hide::WORKERS) {
                let all = view.workers.iter().map(|worker| hidden(page, self::worker(worker)));
                out.insert("workers".into(), all.collect());
            }
        }
        Content::Shown(Command::Show, subject) => match subject {
            Subject::Balancer(balancer) => {
                out.insert("balancer".into(), hidden(page, self::balancer(balancer, view, status)));
            }
            Subject::Member(balancer, member) => {
                out.insert("member".into(), self::member(member, balancer, view, status));
            }
            Subject::Worker(worker) => {
                out.insert("worker".into(), hidden(page, self::worker(worker)));
            }
            Subject::All | Subject::Nothing => {}
        },
        Content::Shown(Command::Dump, _) => {
            let all = view.properties.iter().map(|(name, value)| json!({"name": name, "value": value}));
            out.insert("properties".into(), all.collect());
        }
        _ => {}
    }
    let (kind, message) = page.result();
    out.insert("result".into(), json!({"type": kind, "message": message}));
    text(&Value::Object(out))
}

/// A value as text that ends with a newline.
pub fn text(value: &Value) -> String {
    let mut text = format!("{value:#}");
    text.push('\n');
    text
}

/// Without what the bits hide.
fn hidden(page: &Page<'_>, mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        for (bit, key) in [(Hide::MEMBERS, "members"), (Hide::MAPS, "maps")] {
            if !page.shows(bit) {
                object.remove(key);
            }
        }
    }
    value
}

/// The server and the moment.
pub fn server(view: &View) -> Value {
    json!({
        "name": view.server.name,
        "port": view.server.port,
        "web_server": view.server.software,
        "jk_version": view.server.version,
        "unix": view.clock.unix,
        "utc_offset": view.clock.offset,
        "maintain": view.maintain,
        "parked": view.parked,
    })
}

/// A balancer with its members.
pub fn balancer(balancer: &Balancer, view: &View, status: &Status) -> Value {
    let counts = balancer.counts(&status.good, &status.bad);
    let (least, most) = balancer.time_to_maintenance(view);
    let sessions = balancer.sessions;
    json!({
        "name": balancer.name,
        "type": "lb",
        "sticky_session": balancer.sticky_session,
        "sticky_session_force": balancer.sticky_session_force,
        "retries": balancer.retries,
        "retry_interval": balancer.retry_interval,
        "recover_time": balancer.recover_time,
        "error_escalation_time": balancer.error_escalation_time,
        "max_reply_timeouts": balancer.max_reply_timeouts,
        "method": name_of(balancer.method, &Method::WORDS),
        "lock": name_of(balancer.lock, &Lock::WORDS),
        "member_count": balancer.members.len(),
        "good": counts.good,
        "degraded": counts.degraded,
        "bad": counts.bad,
        "busy": balancer.busy,
        "max_busy": balancer.max_busy,
        "queued": balancer.queued,
        "refused_total": balancer.refused,
        "time_to_maintenance_min": least,
        "time_to_maintenance_max": most,
        "last_reset_at": balancer.last_reset,
        "session_routes": {"known": sessions.known, "unknown": sessions.unknown, "none": sessions.bare},
        "drift": drift(&balancer.drift),
        "members": members(balancer, view, status),
        "maps": maps(&balancer.maps),
    })
}

/// All members of a balancer.
pub fn members(balancer: &Balancer, view: &View, status: &Status) -> Value {
    balancer.members.iter().map(|member| self::member(member, balancer, view, status)).collect()
}

/// A member.
pub fn member(member: &Member, balancer: &Balancer, view: &View, status: &Status) -> Value {
    let mut out = common(&member.backend);
    let (least, most) = member.time_to_recover(balancer, view);
    let rating = match member.health(&status.good, &status.bad) {
        Health::Good => "good",
        Health::Degraded => "degraded",
        Health::Bad => "bad",
    };
    let own = json!({
        "balancer": balancer.name,
        "activation": name_of(member.activation, &Activation::WORDS),
        "activation_code": activation_text(member.activation),
        "lbfactor": member.lbfactor,
        "route": member.route,
        "redirect": member.redirect,
        "domain": member.domain,
        "distance": member.distance,
        "state": member.state.text(),
        "rating": rating,
        "usable": member.activation == Activation::Active && member.state != State::Error,
        "lbmult": member.lbmult,
        "lbvalue": member.lbvalue,
        "elected": member.backend.used,
        "sessions": member.sessions,
        "errors": member.errors,
        "time_to_recover_min": least,
        "time_to_recover_max": most,
        "first_error_at": member.first_error,
        "draining": member.drain.is_some(),
        "drain_deadline_at": member.drain.filter(|at| *at != 0),
        "drain_sessions": member.drain_seen.as_ref().map(drain_sessions),
    });
    merge(&mut out, own);
    out
}

fn drain_sessions(seen: &DrainSeen) -> Value {
    json!({
        "since": seen.began, "seen": seen.sessions, "seen_recently": seen.recent, "at_least": seen.at_least,
    })
}

/// An AJP worker.
pub fn worker(worker: &AjpWorker) -> Value {
    let mut out = common(&worker.backend);
    let own = json!({
        "state": worker.state.text(),
        "used": worker.backend.used,
        "errors": worker.errors,
        "maps": maps(&worker.maps),
    });
    merge(&mut out, own);
    out
}

fn common(backend: &Backend) -> Value {
    let traffic = &backend.traffic;
    let causes: Object<String, Value> = Cause::ALL
        .iter()
        .zip(traffic.errors)
        .map(|(cause, count)| (cause.word().to_owned(), count.into()))
        .collect();
    let last_error = backend
        .last_error
        .as_ref()
        .map(|error| json!({"at": error.at, "cause": error.cause.word(), "detail": error.detail}));
    let probe = traffic
        .probe
        .as_ref()
        .map(|probe| json!({"at": probe.at, "ok": probe.ok, "micros": probe.micros, "detail": probe.detail}));
    let mut out = json!({
        "name": backend.name,
        "type": backend.type_name(),
        "address": backend.address,
        "source": backend.source,
        "client_errors": backend.client_errors,
        "reply_timeouts": backend.reply_timeouts,
        "transferred": backend.transferred,
        "read": backend.read,
        "busy": backend.busy,
        "max_busy": backend.max_busy,
        "connected": backend.connected,
        "max_connected": backend.max_connected,
        "last_reset_at": backend.last_reset,
        "last_error": last_error,
        "requests_total": traffic.requests,
        "errors_total": causes,
        "queued": traffic.queued,
        "retries_total": traffic.retries,
        "failovers_total": traffic.failovers,
        "probe": probe,
        "connect_time": histogram(&traffic.connect),
        "first_byte_time": histogram(&traffic.first_byte),
        "request_time": histogram(&traffic.total),
        "drift": drift(&backend.drift),
    });
    if let Some(object) = out.as_object_mut() {
        for row in TABLE.iter().filter(|row| row.scope == Scope::Backend) {
            if let Some(setting) = row.property.of_backend(backend) {
                object.insert(row.name.to_owned(), self::setting(&setting));
            }
        }
    }
    out
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

fn histogram(snapshot: &Snapshot) -> Value {
    json!({
        "count": snapshot.count(),
        "sum_micros": snapshot.micros,
        "bounds_micros": BOUNDS,
        "buckets": snapshot.buckets,
        "p50_micros": snapshot.quantile(500),
        "p95_micros": snapshot.quantile(950),
        "p99_micros": snapshot.quantile(990),
    })
}

fn drift(drift: &[Drift]) -> Value {
    let all = drift.iter().map(
        |drift| json!({"property": drift.property, "configured": drift.configured, "current": drift.current}),
    );
    all.collect()
}

fn maps(maps: &[Map]) -> Value {
    let all = maps.iter().map(|map| {
        json!({
            "server": server_of(map),
            "uri": map.uri,
            "type": map.kind,
            "source": map.source,
            "reply_timeout": map.reply_timeout,
            "sticky_ignore": map.sticky_ignore,
            "stateless": map.stateless,
            "fail_on_status": map.fail_on_status,
            "active": map.active,
            "disabled": map.disabled,
            "stopped": map.stopped,
            "use_server_errors": map.use_server_errors,
        })
    });
    all.collect()
}

/// A setting as number, truth value or text.
fn setting(setting: &Setting) -> Value {
    let text = setting.to_string();
    match setting.property() {
        Property::StickySession | Property::StickySessionForce => Value::Bool(text == "1"),
        Property::Method
        | Property::Lock
        | Property::Activation
        | Property::Route
        | Property::Redirect
        | Property::Domain
        | Property::Host => Value::String(text),
        _ => text.parse::<i64>().map_or(Value::Null, Value::from),
    }
}

fn member_of<'v>(view: &'v View, target: &Target) -> Option<&'v Member> {
    match target {
        Target::Member { balancer, member } => view.balancer(balancer)?.member(member),
        Target::Balancer(_) | Target::Worker(_) => None,
    }
}

/// What a change is about.
fn named(target: &Target) -> Value {
    match target {
        Target::Balancer(name) => json!({"balancer": name}),
        Target::Member { balancer, member } => json!({"balancer": balancer, "member": member}),
        Target::Worker(name) => json!({"worker": name}),
    }
}

/// All settings that differ from the configuration.
pub fn changes(view: &View) -> Value {
    let all = revert::differences(view, Subject::All).into_iter().map(|differs| {
        let mut out = revert::target_of(&differs).map_or_else(|| json!({}), |target| named(&target));
        let Drift { property, configured, current } = differs.drift;
        merge(&mut out, json!({"property": property, "configured": configured, "current": current}));
        out
    });
    let keep = view.keep.as_ref().map(|keep| json!({"file": keep.file, "saved": keep.saved}));
    let all: Value = all.collect();
    json!({"changes": all, "keep": keep})
}

/// The changes of a plan, after they were applied. `view`: before; `kept`: they outlive the server.
pub fn applied(plan: &Plan, view: &View, kept: bool) -> Value {
    let all = plan.changes.iter().map(|change| {
        let mut out = named(change.target());
        let what = match change {
            Change::Set { old, new, .. } => {
                let name = new.property().name();
                json!({"action": "set", "property": name, "old": setting(old), "new": setting(new)})
            }
            Change::Reset(_) => json!({"action": "reset"}),
            Change::Recover(_) => json!({"action": "recover"}),
            Change::Drain { deadline, target } => {
                // A drain that begins has seen nothing yet; of one that gets another end this is what it has seen.
                let fresh = DrainSeen { began: view.clock.unix, ..DrainSeen::default() };
                let seen = member_of(view, target).and_then(|member| member.drain_seen).unwrap_or(fresh);
                let sessions = drain_sessions(&seen);
                json!({"action": "drain", "deadline_seconds": deadline, "drain_sessions": sessions})
            }
        };
        merge(&mut out, what);
        out
    });
    let all: Value = all.collect();
    json!({"changes": all, "kept": kept})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::status::sample;

    fn parsed(hide: u32, content: Content<'_>) -> Value {
        let (view, status) = (sample::view(), sample::settings());
        serde_json::from_str(&render(&Page { view: &view, status: &status, hide: Hide(hide), content }))
            .unwrap()
    }

    #[test]
    fn a_list_has_everything() {
        let list = parsed(0, Content::Shown(Command::List, Subject::All));
        let n1 = &list["balancers"][0]["members"][0];
        assert_eq!(n1["state"], "ERR");
        assert_eq!(n1["usable"], false);
        assert_eq!(n1["port"], 20211);
        assert_eq!(n1["last_error"]["cause"], "connect");
        assert_eq!(n1["errors_total"]["timeout"], 0);
        assert_eq!(n1["drain_deadline_at"], Value::Null);
        assert_eq!(list["balancers"][0]["sticky_session"], true);
        assert_eq!(list["workers"][0]["maps"][2]["uri"], "/own/*");
        assert_eq!(list["workers"][0]["maps"][2]["reply_timeout"], Value::Null);
        assert_eq!(list["result"]["type"], "OK");
        let hidden = parsed(3 + 16, Content::Shown(Command::List, Subject::All));
        assert!(hidden["balancers"][0].get("members").is_none());
        assert!(hidden["balancers"][0].get("maps").is_none());
        assert!(hidden.get("workers").is_none());
    }

    /// Every key of the formats for scripts is here under the same name.
    #[test]
    fn the_names_are_those_of_the_other_formats() {
        use crate::engine::status::fields::{self, Order};
        let (view, status) = (sample::view(), sample::settings());
        let lb = &view.balancers[0];
        let there = |value: &Value, fields: Vec<fields::Field<'_>>| {
            for field in fields {
                // Counts of lists that are there, and ages that follow from times.
                if !matches!(field.key, "map_count" | "last_reset_ago") {
                    assert!(value.get(field.key).is_some(), "{}", field.key);
                }
            }
        };
        there(&balancer(lb, &view, &status), fields::balancer(lb, &view, &status));
        let n1 = &lb.members[0];
        there(&member(n1, lb, &view, &status), fields::member(n1, lb, &view, Order::Xml));
        there(&worker(&view.workers[0]), fields::worker(&view.workers[0], Order::Xml));
    }

    #[test]
    fn settings_have_their_types() {
        assert_eq!(setting(&Setting::Distance(-1)), json!(-1));
        assert_eq!(setting(&Setting::StickySession(true)), json!(true));
        assert_eq!(setting(&Setting::Route("7".into())), json!("7"));
        assert_eq!(setting(&Setting::Activation(Activation::Stopped)), json!("Stopped"));
        let view = sample::view();
        for row in &TABLE {
            let lb = &view.balancers[0];
            let value = row.property.of_balancer(lb).or_else(|| row.property.of_member(&lb.members[1]));
            assert_ne!(setting(&value.unwrap()), Value::Null, "{row:?}");
        }
    }
}
