//! The format `html`: a page that works without scripts, by keyboard, on a phone and in the dark.
//!
//! It shows what mod_jk's page shows, with the same commands, parameters and `opt` bits; whatever changes something is a
//! form with POST and a token. All links are relative to the query, so the page works at any mount. maud escapes every
//! value. Nothing is inline, so the policy of [`super::answer`] can forbid inline styles and scripts.

mod forms;
mod tables;
pub mod texts;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::command::Subject;
use super::fields::{readable, zone};
use super::page::{Content, Page};
use super::query::{Command, Format, Hide, Query, encode};
use texts::{Texts, fill};

/// The style sheet, served as `?res=css`.
pub const CSS: &str = include_str!("../assets/style.css");
/// The script, served as `?res=js`.
pub const JS: &str = include_str!("../assets/script.js");

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
    let refresh = match page.content {
        Content::Shown(Command::List | Command::Show, _) => frame.query.refresh().map(|s| s.to_string()),
        Content::Done => Some(format!("3;url={}", back(frame.query))),
        _ => None,
    };
    let markup = html! {
        (DOCTYPE)
        html lang=(texts.lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                @if let Some(refresh) = &refresh { meta http-equiv="refresh" content=(refresh); }
                title { (texts.title) }
                link rel="stylesheet" type="text/css" href="?res=css";
                @if !css.is_empty() { link rel="stylesheet" type="text/css" href=(css); }
                script src="?res=js" defer {}
            }
            body {
                a.skip href="#main" { (texts.skip) }
                header {
                    h1 {
                        @if page.head().is_some() {
                            (texts.title) " – " (server.name) ":" (server.port)
                        } @else { (texts.title) }
                        @if frame.read_only { " " span."tag degraded" { (texts.read_only) } }
                    }
                    @if page.head().is_some() { (head(frame)) }
                }
                main id="main" { (body(frame)) }
            }
        }
    };
    markup.into_string()
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
    let clock = view.clock;
    let reading = matches!(frame.page.content, Content::Shown(Command::List | Command::Show, _));
    html! {
        p.soft {
            (view.server.software) " · " (view.server.version) " · " (texts.server_time) ": "
            (readable(clock.unix, clock.offset)) " " (zone(clock.offset)) " (" (clock.unix) ")"
        }
        nav {
            ul {
                li { a href=(frame.link(&[("cmd", "list")])) { (texts.overview) } }
                li { a href=(frame.link(&[("cmd", "dump")])) { (texts.dump) } }
                li { a href=(frame.link(&[("cmd", "version")])) { (texts.version) } }
                @if reading {
                    li {
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
                li {
                    (texts.formats)
                    @for (word, _) in Format::WORDS.iter().filter(|(_, format)| *format != Format::Html) {
                        " " a href=(frame.same("mime", word)) { (word) }
                    }
                }
            }
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
    html! {
        section {
            h2 { (texts.legend) (frame.toggle(Hide::LEGEND)) }
            @if frame.shows(Hide::LEGEND) {
                dl {
                    @for state in State::ALL { div { dt { (state.text()) } dd { (texts.state(state)) } } }
                    @for (_, activation) in Activation::WORDS {
                        div { dt { (activation_text(activation)) } dd { (texts.activation_words(activation)) } }
                    }
                }
            }
        }
    }
}

/// Nothing.
fn none() -> Markup {
    PreEscaped(String::new())
}

/// A warning about session ids without a route, when it is worth one.
fn sessions_note(frame: &Frame<'_>, balancer: &super::view::Balancer) -> Markup {
    match balancer.sessions.lost_per_cent().filter(|share| balancer.sticky_session && *share >= 10) {
        Some(share) => html! { p."note degraded" { (fill(frame.texts.lost_sessions, share)) } },
        None => none(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
