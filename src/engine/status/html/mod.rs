//! The format `html`: a page that works without scripts, by keyboard, on a phone and in the dark.
//!
//! It shows what mod_jk's page shows, with the same commands, parameters and `opt` bits; whatever changes something is a
//! form with POST and a token. All links are relative to the query, so the page works at any mount. maud escapes every
//! value. Nothing is inline, so the policy of [`super::answer`] can forbid inline styles and scripts.

mod figures;
mod forms;
mod members;
mod tables;
pub mod texts;
mod warnings;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::command::Subject;
use super::fields::{readable, zone};
use super::page::{Content, Page};
use super::query::{Command, Format, Hide, Query, encode};
use texts::Texts;

/// The style sheet, served as `?res=css`.
pub const CSS: &str = include_str!("../assets/style.css");
/// The script, served as `?res=js`.
pub const JS: &str = include_str!("../assets/script.js");

/// Seconds between two looks of the script, unless the request says something else.
const EVERY: u32 = 5;

/// What the page needs to know beside its content.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The page.
    pub page: Page<'a>,
    /// The request.
    pub query: &'a Query,
    /// The language.
    pub texts: &'static Texts,
    /// The token for forms.
    pub token: &'a str,
    /// Nothing may be changed: there are no forms.
    pub read_only: bool,
}

impl Frame<'_> {
    /// A link with these parameters; refresh and hidden parts are carried on.
    fn link(&self, pairs: &[(&str, &str)]) -> String {
        let carried = ["re", "opt"].into_iter().filter(|name| !pairs.iter().any(|(other, _)| other == name));
        let carried = carried.filter_map(|name| Some((name, self.query.get(name)?)));
        let mut link = String::from("?");
        for (name, value) in pairs.iter().copied().chain(carried).filter(|(_, value)| !value.is_empty()) {
            if link.len() > 1 {
                link.push('&');
            }
            link.push_str(name);
            link.push('=');
            encode(value, &mut link);
        }
        link
    }

    /// A link to this very page with one parameter changed; an empty value leaves it out.
    fn same(&self, name: &str, value: &str) -> String {
        let kept = ["cmd", "w", "sw", "re", "opt"].into_iter().filter(|other| *other != name);
        let mut pairs: Vec<(&str, &str)> =
            kept.filter_map(|name| Some((name, self.query.get(name)?))).collect();
        pairs.push((name, value));
        self.link(&pairs)
    }

    /// The command to come back to.
    fn here(&self) -> &'static str {
        self.query.command().filter(|command| !command.changes()).map_or("list", Command::word)
    }

    /// A link that hides a part, or shows it again.
    fn toggle(&self, bit: u32) -> Markup {
        let hide = self.page.hide;
        let (word, bits) =
            if hide.has(bit) { (self.texts.show, hide.0 & !bit) } else { (self.texts.hide, hide.0 | bit) };
        html! { " " a.soft href=(self.same("opt", &bits.to_string())) { (word) } }
    }

    fn shows(&self, bit: u32) -> bool {
        !self.page.hide.has(bit)
    }
}

/// The page as HTML.
pub fn render(frame: &Frame<'_>) -> String {
    let (page, texts) = (&frame.page, frame.texts);
    let server = &page.view.server;
    let css = &page.status.css;
    let markup = html! {
        (DOCTYPE)
        html lang=(texts.lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                meta name="color-scheme" content="light dark";
                (refresh(frame))
                title { (texts.title) }
                link rel="stylesheet" type="text/css" href={ "?res=css&v=" (version(CSS)) };
                @if !css.is_empty() { link rel="stylesheet" type="text/css" href=(css); }
                script src={ "?res=js&v=" (version(JS)) } defer {}
            }
            body {
                a.skip href="#main" { (texts.skip) }
                header {
                    div.title {
                        h1 { (texts.title) }
                        @if page.head().is_some() { span.host { (server.name) ":" (server.port) } }
                        @if frame.read_only { (tables::tag(super::view::Health::Degraded, texts.read_only)) }
                        @if is_live(frame) { (words(frame)) }
                    }
                    @if page.head().is_some() { (head(frame)) }
                }
                main id="main" { (body(frame)) }
            }
        }
    };
    markup.into_string()
}

/// Only what changes of a list or a worker, for the script: elements with the same `data-live` as on the page, and a token that
/// is fresh, for pages that stay open for days.
pub fn live(frame: &Frame<'_>) -> String {
    let view = frame.page.view;
    let markup = html! {
        (DOCTYPE)
        html {
            head { title { (frame.texts.title) } }
            body data-fragment=(frame.token) {
                (warnings::section(frame))
                (clock(frame))
                @match frame.page.content {
                    Content::Shown(_, Subject::Balancer(balancer)) => { (tables::balancer_live(frame, balancer, None)) }
                    Content::Shown(_, Subject::Member(balancer, member)) => {
                        (tables::balancer_live(frame, balancer, Some(member)))
                    }
                    Content::Shown(_, Subject::Worker(worker)) => { (tables::worker_live(frame, worker)) }
                    Content::Shown(Command::List, _) => {
                        @if frame.shows(Hide::BALANCERS) {
                            @for balancer in &view.balancers { (tables::balancer_live(frame, balancer, None)) }
                        }
                        @if frame.shows(Hide::WORKERS) {
                            @for worker in &view.workers { (tables::worker_live(frame, worker)) }
                        }
                    }
                    _ => {}
                }
            }
        }
    };
    markup.into_string()
}

/// The page shows what changes by itself.
fn is_live(frame: &Frame<'_>) -> bool {
    matches!(frame.page.content, Content::Shown(Command::List | Command::Show, _))
}

/// A browser without script loads the page again.
fn refresh(frame: &Frame<'_>) -> Markup {
    let after = match frame.page.content {
        Content::Done => {
            return html! { meta http-equiv="refresh" content={ "3;url=" (back(frame.query)) }; };
        }
        _ if is_live(frame) => frame.query.refresh(),
        _ => None,
    };
    html! { @if let Some(after) = after { noscript { meta http-equiv="refresh" content=(after); } } }
}

/// The place where the script says that the page is live, and its words.
fn words(frame: &Frame<'_>) -> Markup {
    let texts = frame.texts;
    html! {
        div.live id="live" hidden
            data-every=(frame.query.refresh().unwrap_or(EVERY))
            data-on=(texts.live) data-off=(texts.paused) data-lost=(texts.lost) data-changed=(texts.changed)
            data-reload=(texts.reload) data-pause=(texts.pause) data-resume=(texts.resume) data-filter=(texts.filter)
            data-problems=(texts.problems) data-count=(texts.shown_of) data-chart=(texts.chart) data-peak=(texts.at_most)
            data-recent=(texts.recent) data-drain=(texts.ask_drain) data-stop=(texts.ask_stop)
            data-reset=(texts.ask_reset) data-yes=(texts.yes) data-no=(texts.no) {}
    }
}

/// A short name of the contents, so that browsers do not keep an older file.
const fn version(text: &str) -> u64 {
    let (octets, mut hash, mut place) = (text.as_bytes(), 0xcbf2_9ce4_8422_2325_u64, 0);
    while place < octets.len() {
        // FNV-1a.
        hash = (hash ^ octets[place] as u64).wrapping_mul(0x0100_0000_01b3);
        place += 1;
    }
    hash
}

/// Where to go after a change, as a relative link.
pub fn back(query: &Query) -> String {
    let mut link = format!("?cmd={}", query.from().word());
    for name in ["w", "sw", "att", "opt", "re"] {
        // A pattern stands for many members, and only an edit in bulk has an attribute.
        let fits = match name {
            "w" => query.from().needs_worker(),
            "sw" => query.from().needs_worker() && !query.get("sw").is_some_and(|sw| sw.contains(['*', '?'])),
            "att" => query.from() == Command::Edit,
            _ => true,
        };
        if let Some(value) = query.get(name).filter(|value| fits && !value.is_empty()) {
            link.push('&');
            link.push_str(name);
            link.push('=');
            encode(value, &mut link);
        }
    }
    link
}

fn head(frame: &Frame<'_>) -> Markup {
    let (texts, view) = (frame.texts, frame.page.view);
    html! {
        p.soft { (view.server.software) " · " (view.server.version) " · " (clock(frame)) }
        nav {
            ul {
                li { a href=(frame.link(&[("cmd", "list")])) { (texts.overview) } }
                li { a href=(frame.link(&[("cmd", "dump")])) { (texts.dump) } }
                li { a href=(frame.link(&[("cmd", "version")])) { (texts.version) } }
                @if is_live(frame) {
                    li.plain {
                        @if frame.query.refresh().is_some() {
                            a href=(frame.same("re", "0")) { (texts.refresh_off) }
                        } @else {
                            a href=(frame.same("re", "10")) { (texts.refresh_on) }
                        }
                    }
                }
                @if !frame.page.status.read_only {
                    @let bits = frame.page.hide.0 ^ Hide::READ_ONLY;
                    @let word = if frame.read_only { texts.read_write } else { texts.read_only };
                    li { a href=(frame.same("opt", &bits.to_string())) { (word) } }
                }
                li.formats {
                    (texts.formats)
                    @for (word, _) in Format::WORDS.iter().filter(|(_, format)| *format != Format::Html) {
                        " " a href=(frame.same("mime", word)) { (word) }
                    }
                }
            }
        }
    }
}

/// The time of the server.
fn clock(frame: &Frame<'_>) -> Markup {
    let clock = frame.page.view.clock;
    html! {
        span data-live="@" data-whole="" {
            (frame.texts.server_time) ": " (readable(clock.unix, clock.offset)) " " (zone(clock.offset)) " (" (clock.unix) ")"
        }
    }
}

fn body(frame: &Frame<'_>) -> Markup {
    let (page, texts) = (&frame.page, frame.texts);
    match page.content {
        Content::Shown(Command::List, _) => list(frame),
        Content::Shown(Command::Show, subject) => show(frame, subject),
        Content::Shown(Command::Edit, subject) => forms::edit(frame, subject),
        Content::Shown(Command::Dump, _) => html! {
            pre { @for (name, value) in &page.view.properties { (name) "=" (value) "\n" } }
        },
        Content::Shown(..) => html! {},
        Content::Done => html! {
            p { b { (texts.result_ok) } " - " (texts.redirected) }
            p { a href=(back(frame.query)) { (texts.cancel) } }
        },
        Content::Refused(refusal) => html! {
            p."note bad" role="alert" { b { (texts.result_error) } " - " (refusal) }
            p { a href="?" { (texts.title) " – " (texts.start_page) } }
        },
    }
}

fn list(frame: &Frame<'_>) -> Markup {
    let (view, texts) = (frame.page.view, frame.texts);
    html! {
        (warnings::section(frame))
        @if !view.balancers.is_empty() {
            section {
                h2 { (texts.balancers) " (" (view.balancers.len()) ")" (frame.toggle(Hide::BALANCERS)) }
                @if frame.shows(Hide::BALANCERS) {
                    @for balancer in &view.balancers { (tables::balancer(frame, balancer, None)) }
                }
            }
        }
        @if !view.workers.is_empty() {
            section {
                h2 { (texts.workers) " (" (view.workers.len()) ")" (frame.toggle(Hide::WORKERS)) }
                @if frame.shows(Hide::WORKERS) {
                    @for worker in &view.workers { (tables::worker(frame, worker)) }
                }
            }
        }
        @if view.balancers.is_empty() && view.workers.is_empty() { p { (texts.nothing) } }
        (legend(frame))
    }
}

fn show(frame: &Frame<'_>, subject: Subject<'_>) -> Markup {
    html! {
        (warnings::section(frame))
        @match subject {
            Subject::Balancer(balancer) => { (tables::balancer(frame, balancer, None)) }
            Subject::Member(balancer, member) => { (tables::balancer(frame, balancer, Some(member))) }
            Subject::Worker(worker) => { (tables::worker(frame, worker)) }
            Subject::All | Subject::Nothing => { p { (frame.texts.nothing) } }
        }
        (legend(frame))
    }
}

fn legend(frame: &Frame<'_>) -> Markup {
    use super::view::{State, activation_text};
    use crate::engine::config::model::Activation;
    let texts = frame.texts;
    tables::part(frame, texts.legend, Hide::LEGEND, "legend", false, || {
        html! {
            dl.legend {
                @for state in State::ALL { div { dt { (state.text()) } dd { (texts.state(state)) } } }
                @for (_, activation) in Activation::WORDS {
                    div { dt { (activation_text(activation)) } dd { (texts.activation_words(activation)) } }
                }
            }
        }
    })
}

/// Nothing.
fn none() -> Markup {
    PreEscaped(String::new())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
