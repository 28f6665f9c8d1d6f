//! The members of a balancer: a row for each with its state in words, its figures and its buttons; and all its counters.
//!
//! A row has its buttons all the time, and the style sheet shows those that fit `data-act` and `data-state`: so a live page
//! changes two attributes and no form. For the same reason there is one form in a row, and its buttons carry what they do.

use maud::{Markup, html};

use super::figures::{Series, per_second, scaled};
use super::forms::hidden;
use super::tables::tag;
use super::texts::fill;
use super::{Frame, none};
use crate::engine::config::model::Activation;
use crate::engine::status::fields::readable;
use crate::engine::status::view::{Backend, Balancer, Cause, Health, Member, State, activation_text};

/// The table of members. `bare`: only what changes, for a live page.
pub(super) fn table(frame: &Frame<'_>, balancer: &Balancer, members: &[Member], bare: bool) -> Markup {
    let texts = frame.texts;
    html! {
        table.members data-filter="" aria-label={ (texts.members) " " (balancer.name) } {
            @if !bare {
                thead {
                    tr {
                        @for head in [texts.member, texts.state, texts.requests, texts.errors, texts.latency, texts.busy] {
                            th scope="col" { (head) }
                        }
                        @if !frame.read_only { th scope="col" { (texts.actions) } }
                    }
                }
            }
            tbody { @for member in members { (row(frame, balancer, member, bare)) } }
        }
    }
}

fn row(frame: &Frame<'_>, balancer: &Balancer, member: &Member, bare: bool) -> Markup {
    let texts = frame.texts;
    let backend = &member.backend;
    let series = Series::of_member(member);
    let seconds = frame.page.view.clock.ago(backend.last_reset);
    let health = member.health(&frame.page.status.good, &frame.page.status.bad);
    html! {
        tr data-live={ "m:" (balancer.name) "/" (backend.name) } data-n=(series.numbers()) data-b=(series.buckets())
            data-act=(activation_text(member.activation)) data-state=(member.state.text()) data-health=(word(health)) {
            @if !bare { (name(frame, balancer, member)) }
            td data-p="s" { (state(frame, balancer, member, health)) }
            (cell(texts.requests, "rate", bare, "r", html! {
                (fill(texts.total, backend.used)) span.plain { " · " (per_second(backend.used, seconds)) }
            }))
            (cell(texts.errors, "errors", bare, "e", html! { (fill(texts.total, member.errors)) }))
            (cell(texts.latency, "time", bare, "l", html! { (series.times(frame)) }))
            (cell(texts.busy, "", bare, "w", html! {
                b { (backend.busy) } br; (fill(texts.at_most, backend.max_busy))
                @if backend.traffic.queued > 0 { " · " (fill(texts.waiting, backend.traffic.queued)) }
            }))
            @if !frame.read_only && !bare { td.do { (actions(frame, balancer, member)) } }
        }
    }
}

/// A cell with a figure; a live page only needs the part that the server writes.
fn cell(label: &str, kind: &str, bare: bool, part: &str, total: Markup) -> Markup {
    if bare {
        return html! { td { span data-p=(part) { (total) } } };
    }
    html! {
        td.n data-label=(label) {
            @if !kind.is_empty() { div.now data-now=(kind) {} }
            div.total data-p=(part) { (total) }
            @if !kind.is_empty() { div.chart data-chart=(kind) data-label=(label) {} }
        }
    }
}

fn name(frame: &Frame<'_>, balancer: &Balancer, member: &Member) -> Markup {
    let backend = &member.backend;
    let link = frame.link(&[("cmd", "show"), ("w", &balancer.name), ("sw", &backend.name)]);
    html! {
        th scope="row" {
            a href=(link) { (backend.name) }
            div.soft { (backend.address) }
            @if member.route != backend.name { div.soft { (frame.texts.route) " " (member.route) } }
        }
    }
}

/// State and activation, and what they mean here.
fn state(frame: &Frame<'_>, balancer: &Balancer, member: &Member, health: Health) -> Markup {
    let (texts, view) = (frame.texts, frame.page.view);
    let backend = &member.backend;
    let (least, most) = member.time_to_recover(balancer, view);
    html! {
        (tag(health, member.state.text())) " "
        (tag(activation_health(member.activation), activation_text(member.activation)))
        div.why {
            (texts.state(member.state)) " "
            @if member.state == State::Error && !is_probed(backend) { (fill(texts.retry_in, format_args!("{least}–{most}"))) " " }
            @if member.activation != Activation::Active { (texts.activation_words(member.activation)) " " }
            @match member.drain {
                Some(0) => { (texts.draining) " " }
                Some(at) => { (fill(texts.draining_until, texts.span(at.saturating_sub(view.clock.unix)))) " " }
                None => {}
            }
            @if let Some(first) = member.first_error { (fill(texts.since_first, texts.span(view.clock.ago(first)))) " " }
            (failure(frame, backend))
            @if member.state == State::Error { (probe(frame, backend)) }
        }
    }
}

/// The last failure in words.
pub(super) fn failure(frame: &Frame<'_>, backend: &Backend) -> Markup {
    let (texts, clock) = (frame.texts, frame.page.view.clock);
    match &backend.last_error {
        None => none(),
        Some(error) => html! {
            (texts.last_failure) ": " time { (readable(error.at, clock.offset)) } " – "
            (texts.cause(error.cause)) @if !error.detail.is_empty() { " (" (error.detail) ")." }
        },
    }
}

/// The last probe in words.
fn probe(frame: &Frame<'_>, backend: &Backend) -> Markup {
    let (texts, clock) = (frame.texts, frame.page.view.clock);
    match &backend.traffic.probe {
        None => none(),
        Some(probe) => {
            let words = if probe.ok { texts.probe_ok } else { texts.probe_failed };
            html! { " " (fill(words, texts.span(clock.ago(probe.at)))) }
        }
    }
}

/// It could not be reached, so it comes back with the first probe that it answers, whatever `recover_time` says.
fn is_probed(backend: &Backend) -> bool {
    let cause = backend.last_error.as_ref().map(|error| error.cause);
    matches!(cause, Some(Cause::Connect | Cause::Ping | Cause::Broken))
}

fn activation_health(activation: Activation) -> Health {
    match activation {
        Activation::Active => Health::Good,
        Activation::Disabled => Health::Degraded,
        Activation::Stopped => Health::Bad,
    }
}

fn word(health: Health) -> &'static str {
    match health {
        Health::Good => "good",
        Health::Degraded => "degraded",
        Health::Bad => "bad",
    }
}

/// One form; each button says by its `formaction` what it does. What could do harm stands in a part to be opened first, and
/// is asked for again where there is a script.
fn actions(frame: &Frame<'_>, balancer: &Balancer, member: &Member) -> Markup {
    let texts = frame.texts;
    let (w, sw) = (balancer.name.as_str(), member.backend.name.as_str());
    let edit = frame.link(&[("cmd", "edit"), ("w", w), ("sw", sw), ("from", frame.here())]);
    html! {
        form.row method="post" action="?" {
            (hidden(frame, &[("w", w), ("sw", sw), ("from", frame.here())]))
            div.actions {
                button.if-active formaction="?cmd=update&vwa=d" data-ask="drain" { (texts.drain) }
                button.if-idle formaction="?cmd=update&vwa=a" { (texts.activate) }
                button.if-error formaction="?cmd=recover" { (texts.recover) }
                details.menu {
                    summary { (texts.more) }
                    div.actions {
                        a.button href=(edit) { (texts.edit) }
                        button."danger if-running" formaction="?cmd=update&vwa=s" data-ask="stop" { (texts.stop) }
                        button formaction="?cmd=reset" data-ask="reset" { (texts.reset) }
                    }
                }
            }
        }
    }
}

/// All counters of the members side by side.
pub(super) fn counters(frame: &Frame<'_>, balancer: &Balancer, members: &[Member], bare: bool) -> Markup {
    let texts = frame.texts;
    html! {
        div.scroll tabindex="0" role="region" aria-label=(texts.counters) {
            table {
                @if !bare {
                    thead {
                        tr {
                            th scope="col" { (texts.member) }
                            @for head in [texts.requests, texts.sessions, texts.errors, texts.client_errors, texts.timeouts,
                                texts.connections, texts.sent, texts.received] { th.n scope="col" { (head) } }
                            @for head in ["lbvalue", "lbfactor", "lbmult", "distance"] { th.n scope="col" { (head) } }
                            @for head in ["route", "redirect", "domain"] { th scope="col" { (head) } }
                            th scope="col" { (texts.last_reset) }
                        }
                    }
                }
                tbody { @for member in members { (counters_row(frame, balancer, member, bare)) } }
            }
        }
    }
}

fn counters_row(frame: &Frame<'_>, balancer: &Balancer, member: &Member, bare: bool) -> Markup {
    let (texts, clock) = (frame.texts, frame.page.view.clock);
    let backend = &member.backend;
    let seconds = clock.ago(backend.last_reset);
    let sessions = format!("{} ({})", member.sessions, per_second(member.sessions, seconds));
    let connections = format!("{} ({})", backend.connected, fill(texts.at_most, backend.max_connected));
    html! {
        tr data-live={ "c:" (balancer.name) "/" (backend.name) } {
            @if !bare { th scope="row" { (backend.name) } }
            td.n data-p="0" { (backend.used) }
            td.n data-p="1" { (sessions) }
            td.n data-p="2" { (member.errors) }
            td.n data-p="3" { (backend.client_errors) }
            td.n data-p="4" { (backend.reply_timeouts) }
            td.n data-p="5" { (connections) }
            td.n data-p="6" { (scaled(backend.transferred)) }
            td.n data-p="7" { (scaled(backend.read)) }
            td.n data-p="8" { (member.lbvalue) }
            @if !bare {
                td.n { (member.lbfactor) } td.n { (member.lbmult) } td.n { (member.distance) }
                td { (member.route) } td { (member.redirect) } td { (member.domain) }
            }
            td data-p="9" { (fill(texts.seconds_ago, texts.span(seconds))) }
        }
    }
}
