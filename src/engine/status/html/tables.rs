//! Balancers and AJP workers with their figures, settings and rules.

use maud::{Markup, html};

use super::figures::{Series, tiles};
use super::forms::{button, edit_all};
use super::texts::fill;
use super::{Frame, members, none};
use crate::engine::status::fields::{self, Field, Order};
use crate::engine::status::query::Hide;
use crate::engine::status::view::{AjpWorker, Backend, Balancer, Drift, Health, Map, Member, State};

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
    let conf: Vec<_> = fields
        .iter()
        .filter(|field| !SUMMARY.contains(&field.key) && !field.key.starts_with("last_reset"))
        .collect();
    let members = only.map_or(balancer.members.as_slice(), std::slice::from_ref);
    let series = Series::of_balancer(balancer);
    let key = |kind: &str| format!("{kind}:{}", balancer.name);
    html! {
        article data-live=(key("b")) data-n=(series.numbers()) data-b=(series.buckets()) {
            div.title {
                h3 { span.soft { (texts.balancer) } " " (balancer.name) }
                span.tags data-p="t" { (ratings(balancer, frame)) }
                div.actions {
                    a.button href=(frame.link(&[("cmd", "show"), ("w", &balancer.name)])) { (texts.show) }
                    @if !frame.read_only {
                        a.button href=(frame.link(&[("cmd", "edit"), ("w", &balancer.name), ("from", frame.here())])) { (texts.edit) }
                        (button(frame, texts.reset, "reset", &[("cmd", "reset"), ("w", &balancer.name)]))
                    }
                }
            }
            (balancer_tiles(frame, balancer, &series))
            (part(frame, texts.members, Hide::MEMBERS, &key("members"), true, || html! {
                (members::table(frame, balancer, members, false))
                @if !frame.read_only && only.is_none() { (edit_all(frame, balancer)) }
            }))
            @for member in members { (drift(frame, &member.backend.name, &member.backend.drift)) }
            (drift(frame, &balancer.name, &balancer.drift))
            @if frame.shows(Hide::MEMBERS) {
                (part(frame, texts.counters, 0, &key("counters"), only.is_some(), || {
                    members::counters(frame, balancer, members, false)
                }))
                (part(frame, texts.members_settings, Hide::WORKER_CONF, &key("conf"), only.is_some(), || {
                    conf_table(frame, members.iter().map(|member| &member.backend))
                }))
            }
            (part(frame, texts.summary, Hide::BALANCER_SUMMARY, &key("summary"), false, || summary(frame, balancer)))
            (part(frame, texts.settings, Hide::BALANCER_CONF, &key("settings"), false, || pairs(&conf)))
            (maps(frame, &balancer.maps, &key("maps")))
        }
    }
}

/// What changes of a balancer, for a live page.
pub(super) fn balancer_live(frame: &Frame<'_>, balancer: &Balancer, only: Option<&Member>) -> Markup {
    let members = only.map_or(balancer.members.as_slice(), std::slice::from_ref);
    let series = Series::of_balancer(balancer);
    html! {
        div data-live={ "b:" (balancer.name) } data-n=(series.numbers()) data-b=(series.buckets()) {
            span data-p="t" { (ratings(balancer, frame)) }
            (balancer_tiles(frame, balancer, &series))
        }
        @if frame.shows(Hide::MEMBERS) {
            (members::table(frame, balancer, members, true))
            (members::counters(frame, balancer, members, true))
        }
        @if frame.shows(Hide::BALANCER_SUMMARY) { (summary(frame, balancer)) }
    }
}

fn summary(frame: &Frame<'_>, balancer: &Balancer) -> Markup {
    let fields = fields::balancer(balancer, frame.page.view, frame.page.status);
    let summary: Vec<_> = fields.iter().filter(|field| SUMMARY.contains(&field.key)).collect();
    html! { div data-live={ "s:" (balancer.name) } data-whole="" { (pairs(&summary)) } }
}

fn balancer_tiles(frame: &Frame<'_>, balancer: &Balancer, series: &Series) -> Markup {
    let seconds = frame.page.view.clock.ago(balancer.last_reset);
    tiles(frame, series, balancer.max_busy, seconds)
}

/// A part that can be folded, or be left out by a bit of `opt`; 0: always there.
pub(super) fn part(
    frame: &Frame<'_>,
    title: &str,
    bit: u32,
    key: &str,
    open: bool,
    body: impl FnOnce() -> Markup,
) -> Markup {
    html! {
        @if bit == 0 || frame.shows(bit) {
            details.part open[open] data-key=(key) {
                summary { (title) }
                (body())
                @if bit != 0 { p.fold { (frame.toggle(bit)) } }
            }
        } @else {
            p.part-hidden { (title) " " (frame.toggle(bit)) }
        }
    }
}

/// How many members are fine, in one look.
fn ratings(balancer: &Balancer, frame: &Frame<'_>) -> Markup {
    let (counts, texts) = (balancer.counts(&frame.page.status.good, &frame.page.status.bad), frame.texts);
    let rows = [
        (Health::Good, counts.good, texts.good),
        (Health::Degraded, counts.degraded, texts.degraded),
        (Health::Bad, counts.bad, texts.bad),
    ];
    html! {
        @for (health, count, text) in rows {
            @if count > 0 { (tag(health, &fill(text, count))) " " }
        }
    }
}

/// An AJP worker.
pub(super) fn worker(frame: &Frame<'_>, worker: &AjpWorker) -> Markup {
    let texts = frame.texts;
    let backend = &worker.backend;
    let series = Series::of_worker(worker);
    let key = |kind: &str| format!("{kind}:{}", backend.name);
    let fields = fields::worker(worker, Order::Xml);
    let conf: Vec<_> = fields.iter().filter(|field| CONF.contains(&field.key)).collect();
    html! {
        article data-live=(key("w")) data-n=(series.numbers()) data-b=(series.buckets()) {
            div.title {
                h3 { span.soft { (texts.worker) } " " (backend.name) }
                span.tags data-p="t" { (tag(worker_health(worker), worker.state.text())) }
                div.actions {
                    a.button href=(frame.link(&[("cmd", "show"), ("w", &backend.name)])) { (texts.show) }
                    @if !frame.read_only {
                        a.button href=(frame.link(&[("cmd", "edit"), ("w", &backend.name), ("from", frame.here())])) { (texts.edit) }
                        (button(frame, texts.reset, "reset", &[("cmd", "reset"), ("w", &backend.name)]))
                    }
                }
            }
            p.why data-p="s" { (worker_words(frame, worker)) }
            (worker_tiles(frame, worker, &series))
            (drift(frame, &backend.name, &backend.drift))
            (part(frame, texts.counters, 0, &key("counters"), false, || worker_counters(frame, worker)))
            (part(frame, texts.settings, Hide::WORKER_CONF, &key("conf"), false, || pairs(&conf)))
            (maps(frame, &worker.maps, &key("maps")))
        }
    }
}

/// What changes of an AJP worker, for a live page.
pub(super) fn worker_live(frame: &Frame<'_>, worker: &AjpWorker) -> Markup {
    let series = Series::of_worker(worker);
    html! {
        div data-live={ "w:" (worker.backend.name) } data-n=(series.numbers()) data-b=(series.buckets()) {
            span data-p="t" { (tag(worker_health(worker), worker.state.text())) }
            p data-p="s" { (worker_words(frame, worker)) }
            (worker_tiles(frame, worker, &series))
        }
        (worker_counters(frame, worker))
    }
}

fn worker_words(frame: &Frame<'_>, worker: &AjpWorker) -> Markup {
    html! {
        (worker.backend.address) " · " (frame.texts.state(worker.state)) " " (members::failure(frame, &worker.backend))
    }
}

fn worker_health(worker: &AjpWorker) -> Health {
    match worker.state {
        State::Error => Health::Bad,
        State::Recover | State::Force | State::Probe => Health::Degraded,
        _ => Health::Good,
    }
}

fn worker_tiles(frame: &Frame<'_>, worker: &AjpWorker, series: &Series) -> Markup {
    let backend = &worker.backend;
    tiles(frame, series, backend.max_busy, frame.page.view.clock.ago(backend.last_reset))
}

fn worker_counters(frame: &Frame<'_>, worker: &AjpWorker) -> Markup {
    let texts = frame.texts;
    let fields = fields::worker(worker, Order::Xml);
    let counters: Vec<_> = fields.iter().filter(|field| !CONF.contains(&field.key)).collect();
    let seconds = frame.page.view.clock.ago(worker.backend.last_reset);
    html! {
        div data-live={ "c:" (worker.backend.name) } data-whole="" {
            (pairs(&counters))
            p.soft { (texts.last_reset) ": " (fill(texts.seconds_ago, texts.span(seconds))) }
        }
    }
}

/// The settings of several backends side by side.
fn conf_table<'v>(frame: &Frame<'_>, backends: impl Iterator<Item = &'v Backend>) -> Markup {
    let rows: Vec<_> = backends.map(|backend| (backend, fields::conf(backend, Order::Xml))).collect();
    html! {
        div.scroll tabindex="0" role="region" aria-label=(frame.texts.members_settings) {
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

fn maps(frame: &Frame<'_>, maps: &[Map], key: &str) -> Markup {
    if maps.is_empty() {
        return none();
    }
    let keys: Vec<&str> =
        maps.first().map(fields::map).unwrap_or_default().iter().map(|field| field.key).collect();
    let title = format!("{} ({})", frame.texts.maps, maps.len());
    part(frame, &title, Hide::MAPS, key, false, || {
        html! {
            div.scroll tabindex="0" role="region" aria-label=(frame.texts.maps) {
                table {
                    thead { tr { @for key in &keys { th scope="col" { (key) } } } }
                    tbody { @for map in maps { tr { @for field in fields::map(map) { td { (field.value) } } } } }
                }
            }
        }
    })
}

fn pairs(fields: &[&Field<'_>]) -> Markup {
    html! { dl { @for field in fields { div { dt { (field.key) } dd { (field.value) } } } } }
}

fn drift(frame: &Frame<'_>, name: &str, drift: &[Drift]) -> Markup {
    if drift.is_empty() {
        return none();
    }
    html! {
        p."note degraded" {
            b { (name) } " " (frame.texts.drift) ": "
            @for (place, one) in drift.iter().enumerate() {
                @if place > 0 { ", " }
                (one.property) "=" (one.current) " (" (one.configured) ")"
            }
        }
    }
}

/// A coloured word with a sign, so that it can be told without the colour.
pub(super) fn tag(health: Health, text: &str) -> Markup {
    let (class, sign) = match health {
        Health::Good => ("tag good", "●"),
        Health::Degraded => ("tag degraded", "▲"),
        Health::Bad => ("tag bad", "✕"),
    };
    html! { span class=(class) { span.sign aria-hidden="true" { (sign) } (text) } }
}
