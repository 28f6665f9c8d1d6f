//! Tables of the page: balancers, members, AJP workers and rules.

use maud::{Markup, html};

use super::forms::{act, button, edit_all};
use super::texts::fill;
use super::{Frame, none, sessions_note};
use crate::engine::config::model::Activation;
use crate::engine::status::fields::{self, Field, Order, readable};
use crate::engine::status::query::Hide;
use crate::engine::status::view::{
    AjpWorker, Backend, Balancer, Drift, Health, Map, Member, State, activation_text,
};

/// Keys of a balancer that its summary shows.
const SUMMARY: [&str; 10] = [
    "good",
    "degraded",
    "bad",
    "busy",
    "max_busy",
    "member_count",
    "map_count",
    "time_to_maintenance_min",
    "time_to_maintenance_max",
    "last_reset_ago",
];

/// Keys of the settings that members and AJP workers have in common.
const CONF: [&str; 15] = [
    "type",
    "host",
    "port",
    "address",
    "source",
    "connection_pool_timeout",
    "ping_timeout",
    "connect_timeout",
    "prepost_timeout",
    "reply_timeout",
    "connection_ping_interval",
    "retries",
    "recovery_options",
    "busy_limit",
    "max_packet_size",
];

/// A balancer with its members, or with one of them.
pub(super) fn balancer(frame: &Frame<'_>, balancer: &Balancer, only: Option<&Member>) -> Markup {
    let texts = frame.texts;
    let fields = fields::balancer(balancer, frame.page.view, frame.page.status);
    let (summary, conf): (Vec<_>, Vec<_>) = fields.iter().partition(|field| SUMMARY.contains(&field.key));
    let conf: Vec<_> = conf.into_iter().filter(|field| !field.key.starts_with("last_reset")).collect();
    let members = only.map_or(balancer.members.as_slice(), std::slice::from_ref);
    html! {
        article {
            h3 { (texts.balancer) " " (balancer.name) " " (ratings(balancer, frame)) }
            div.actions {
                a.button href=(frame.link(&[("cmd", "show"), ("w", &balancer.name)])) { (texts.show) }
                @if !frame.read_only {
                    a.button href=(frame.link(&[("cmd", "edit"), ("w", &balancer.name), ("from", frame.here())])) { (texts.edit) }
                    (button(frame, texts.reset, false, &[("cmd", "reset"), ("w", &balancer.name)]))
                }
            }
            (sessions_note(frame, balancer))
            h4 { (texts.members) (frame.toggle(Hide::MEMBERS)) }
            @if frame.shows(Hide::MEMBERS) {
                (member_table(frame, balancer, members))
                @if !frame.read_only && only.is_none() { (edit_all(frame, balancer)) }
                @if frame.shows(Hide::WORKER_CONF) {
                    (conf_table(frame, members.iter().map(|member| &member.backend)))
                } @else {
                    h4 { (texts.settings) (frame.toggle(Hide::WORKER_CONF)) }
                }
                @for member in members { (drift(frame, &member.backend.drift)) }
            }
            h4 { (texts.summary) (frame.toggle(Hide::BALANCER_SUMMARY)) }
            @if frame.shows(Hide::BALANCER_SUMMARY) { (pairs(&summary)) }
            h4 { (texts.settings) (frame.toggle(Hide::BALANCER_CONF)) }
            @if frame.shows(Hide::BALANCER_CONF) { (pairs(&conf)) (drift(frame, &balancer.drift)) }
            (maps(frame, &balancer.maps))
        }
    }
}

/// How many members are fine, in one look.
fn ratings(balancer: &Balancer, frame: &Frame<'_>) -> Markup {
    let counts = balancer.counts(&frame.page.status.good, &frame.page.status.bad);
    let rows = [
        (Health::Good, counts.good, "good"),
        (Health::Degraded, counts.degraded, "degraded"),
        (Health::Bad, counts.bad, "bad"),
    ];
    html! {
        @for (health, count, word) in rows {
            @if count > 0 { (tag(health, &format!("{count} {word}"))) " " }
        }
    }
}

/// An AJP worker.
pub(super) fn worker(frame: &Frame<'_>, worker: &AjpWorker) -> Markup {
    let texts = frame.texts;
    let backend = &worker.backend;
    let health = match worker.state {
        State::Error => Health::Bad,
        State::Recover | State::Force | State::Probe => Health::Degraded,
        _ => Health::Good,
    };
    html! {
        article {
            h3 { (texts.worker) " " (backend.name) " " (tag(health, worker.state.text())) }
            div.actions {
                a.button href=(frame.link(&[("cmd", "show"), ("w", &backend.name)])) { (texts.show) }
                @if !frame.read_only {
                    a.button href=(frame.link(&[("cmd", "edit"), ("w", &backend.name), ("from", frame.here())])) { (texts.edit) }
                    (button(frame, texts.reset, false, &[("cmd", "reset"), ("w", &backend.name)]))
                }
            }
            p.why { (texts.state(worker.state)) " " (failure(frame, backend)) }
            @let fields = fields::worker(worker, Order::Xml);
            @let counters: Vec<_> = fields.iter().filter(|field| !CONF.contains(&field.key)).collect();
            (pairs(&counters))
            p.soft { (texts.last_reset) ": " (fill(texts.seconds_ago, frame.page.view.clock.ago(backend.last_reset))) }
            h4 { (texts.settings) (frame.toggle(Hide::WORKER_CONF)) }
            @if frame.shows(Hide::WORKER_CONF) {
                @let conf: Vec<_> = fields.iter().filter(|field| CONF.contains(&field.key)).collect();
                (pairs(&conf)) (drift(frame, &backend.drift))
            }
            (maps(frame, &worker.maps))
        }
    }
}

fn member_table(frame: &Frame<'_>, balancer: &Balancer, members: &[Member]) -> Markup {
    let texts = frame.texts;
    html! {
        div.scroll tabindex="0" role="region" aria-label={ (texts.members) " " (balancer.name) } {
            table data-filter=(texts.members) {
                thead {
                    tr {
                        th scope="col" { (texts.name) }
                        th scope="col" { (texts.state) }
                        @if !frame.read_only { th scope="col" { (texts.actions) } }
                        th scope="col" { (texts.requests) }
                        th scope="col" { (texts.errors) }
                        th scope="col" { (texts.busy) }
                        th scope="col" { (texts.connections) }
                        th scope="col" { (texts.bytes) }
                        th scope="col" { (texts.load) }
                        th scope="col" { (texts.route) }
                        th scope="col" { (texts.times) }
                    }
                }
                tbody { @for member in members { (member_row(frame, balancer, member)) } }
            }
        }
    }
}

fn member_row(frame: &Frame<'_>, balancer: &Balancer, member: &Member) -> Markup {
    let (texts, view) = (frame.texts, frame.page.view);
    let backend = &member.backend;
    let health = member.health(&frame.page.status.good, &frame.page.status.bad);
    let seconds = view.clock.ago(backend.last_reset);
    let (least, most) = member.time_to_recover(balancer, view);
    let base = [("w", balancer.name.as_str()), ("sw", backend.name.as_str())];
    let named = |cmd: &'static str| [[("cmd", cmd)].as_slice(), &base].concat();
    html! {
        tr {
            th scope="row" {
                a href=(frame.link(&named("show"))) { (backend.name) }
                br; span.soft { (backend.address) }
            }
            td {
                (tag(health, member.state.text())) " "
                (tag(activation_health(member.activation), activation_text(member.activation)))
                span.why {
                    (texts.state(member.state)) " "
                    @if member.state == State::Error { "(" (fill(texts.retry_in, format_args!("{least}–{most}"))) ") " }
                    @if member.activation != Activation::Active { (texts.activation_words(member.activation)) " " }
                    @match member.drain {
                        Some(0) => { (texts.draining) " " }
                        Some(at) => { (fill(texts.draining_until, at.saturating_sub(view.clock.unix))) " " }
                        None => {}
                    }
                    @if let Some(first) = member.first_error { (fill(texts.since_first, view.clock.ago(first))) ". " }
                    (failure(frame, backend))
                }
            }
            @if !frame.read_only { td { (member_actions(frame, member, &base)) } }
            td.n {
                (backend.used) " (" (rate(backend.used, seconds)) "/s)" br;
                span.soft { (texts.sessions) ": " (member.sessions) " (" (rate(member.sessions, seconds)) "/s)" }
            }
            td.n { (member.errors) br; span.soft { "client " (backend.client_errors) br; "timeouts " (backend.reply_timeouts) } }
            td.n { (backend.busy) br; span.soft { "max " (backend.max_busy) } }
            td.n { (backend.connected) br; span.soft { "max " (backend.max_connected) } }
            td.n { (scaled(backend.transferred)) br; (scaled(backend.read)) }
            td.n {
                "value " (member.lbvalue) br;
                span.soft { "factor " (member.lbfactor) br; "mult " (member.lbmult) br; "distance " (member.distance) }
            }
            td.n {
                (member.route)
                @if !member.redirect.is_empty() { br; span.soft { "redirect " (member.redirect) } }
                @if !member.domain.is_empty() { br; span.soft { "domain " (member.domain) } }
            }
            td.n { span.soft { (texts.last_reset) br; (fill(texts.seconds_ago, seconds)) } }
        }
    }
}

fn member_actions(frame: &Frame<'_>, member: &Member, base: &[(&str, &str)]) -> Markup {
    let texts = frame.texts;
    let with = |pairs: &[(&'static str, &'static str)]| [pairs, base].concat();
    html! {
        div.actions {
            a.button href=(frame.link(&[with(&[("cmd", "edit")]).as_slice(), &[("from", frame.here())]].concat())) { (texts.edit) }
            @if member.activation != Activation::Active { (act(frame, texts.activate, false, base, "a")) }
            @if member.activation == Activation::Active { (act(frame, texts.drain, false, base, "d")) }
            @if member.activation != Activation::Stopped { (act(frame, texts.stop, true, base, "s")) }
            (button(frame, texts.reset, false, &with(&[("cmd", "reset")])))
            @if member.state == State::Error { (button(frame, texts.recover, false, &with(&[("cmd", "recover")]))) }
        }
    }
}

/// The settings of several backends side by side.
fn conf_table<'v>(frame: &Frame<'_>, backends: impl Iterator<Item = &'v Backend>) -> Markup {
    let rows: Vec<_> = backends.map(|backend| (backend, fields::conf(backend, Order::Xml))).collect();
    html! {
        h4 { (frame.texts.settings) (frame.toggle(Hide::WORKER_CONF)) }
        div.scroll tabindex="0" role="region" aria-label=(frame.texts.settings) {
            table {
                thead { tr { th scope="col" { "name" } @for key in CONF { th scope="col" { (key) } } } }
                tbody {
                    @for (backend, fields) in &rows {
                        tr { th scope="row" { (backend.name) } @for field in fields { td { (field.value) } } }
                    }
                }
            }
        }
    }
}

fn maps(frame: &Frame<'_>, maps: &[Map]) -> Markup {
    if maps.is_empty() {
        return none();
    }
    let keys: Vec<&str> =
        maps.first().map(fields::map).unwrap_or_default().iter().map(|field| field.key).collect();
    html! {
        h4 { (frame.texts.maps) " (" (maps.len()) ")" (frame.toggle(Hide::MAPS)) }
        @if frame.shows(Hide::MAPS) {
            div.scroll tabindex="0" role="region" aria-label=(frame.texts.maps) {
                table {
                    thead { tr { @for key in &keys { th scope="col" { (key) } } } }
                    tbody { @for map in maps { tr { @for field in fields::map(map) { td { (field.value) } } } } }
                }
            }
        }
    }
}

fn pairs(fields: &[&Field<'_>]) -> Markup {
    html! { dl { @for field in fields { div { dt { (field.key) } dd { (field.value) } } } } }
}

fn drift(frame: &Frame<'_>, drift: &[Drift]) -> Markup {
    if drift.is_empty() {
        return none();
    }
    html! {
        p."note degraded" {
            (frame.texts.drift) ": "
            @for (place, one) in drift.iter().enumerate() {
                @if place > 0 { ", " }
                (one.property) "=" (one.current) " (" (one.configured) ")"
            }
        }
    }
}

/// The last failure in words.
fn failure(frame: &Frame<'_>, backend: &Backend) -> Markup {
    let (texts, clock) = (frame.texts, frame.page.view.clock);
    match &backend.last_error {
        None => none(),
        Some(error) => html! {
            (texts.last_failure) ": " time { (readable(error.at, clock.offset)) } " – "
            (texts.cause(error.cause)) " " @if !error.detail.is_empty() { "(" (error.detail) ")" }
        },
    }
}

fn tag(health: Health, text: &str) -> Markup {
    let class = match health {
        Health::Good => "tag good",
        Health::Degraded => "tag degraded",
        Health::Bad => "tag bad",
    };
    html! { span class=(class) { (text) } }
}

fn activation_health(activation: Activation) -> Health {
    match activation {
        Activation::Active => Health::Good,
        Activation::Disabled => Health::Degraded,
        Activation::Stopped => Health::Bad,
    }
}

/// Per second, rounded down; nothing can be said within the first second.
fn rate(count: u64, seconds: u64) -> String {
    count.checked_div(seconds).map_or_else(|| "-1".to_owned(), |rate| rate.to_string())
}

/// Bytes with a unit of 1024: below 973 as they are, then one decimal below 10 units.
fn scaled(bytes: u64) -> String {
    if bytes < 973 {
        return bytes.to_string();
    }
    let mut tenths = u128::from(bytes) * 10;
    for unit in ["K", "M", "G", "T", "P", "E"] {
        tenths /= 1024;
        if tenths < 100 {
            return format!("{}.{}{unit}", tenths / 10, tenths % 10);
        }
        if tenths < 9730 || unit == "E" {
            return format!("{}{unit}", tenths / 10);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, text) in [
            (0, "0"),
            (972, "972"),
            (973, "0.9K"),
            (1024, "1.0K"),
            (10_240, "10K"),
            (999_999, "0.9M"),
            (5 << 30, "5.0G"),
            (u64::MAX, "15E"),
        ] {
            assert_eq!(scaled(bytes), text, "{bytes}");
        }
        assert_eq!(rate(5, 0), "-1");
        assert_eq!(rate(5, 2), "2");
    }
}
