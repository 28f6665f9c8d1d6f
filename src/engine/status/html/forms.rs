//! Forms of the page: everything that changes something.
//!
//! Each is a POST to this URL, with the parameters of mod_jk and the token, which is always in the body. A box that is not
//! ticked is not sent by browsers, so a hidden 0 stands before each box.

use maud::{Markup, html};

use super::Frame;
use crate::engine::config::model::{Activation, Lock, Method};
use crate::engine::status::command::{self, Subject};
use crate::engine::status::property::{LONGEST_TEXT, Property, Row, Setting, TABLE};
use crate::engine::status::query::Command;
use crate::engine::status::view::Balancer;

/// The hidden fields of every form.
pub(super) fn hidden(frame: &Frame<'_>, pairs: &[(&str, &str)]) -> Markup {
    html! {
        input type="hidden" name="token" value=(frame.token);
        @for (name, value) in pairs { input type="hidden" name=(name) value=(value); }
        @for name in ["opt", "re"] {
            @if let Some(value) = frame.query.get(name) { input type="hidden" name=(name) value=(value); }
        }
    }
}

/// A form that is one button. Where there is a script, it asks `ask` before.
pub(super) fn button(frame: &Frame<'_>, word: &str, ask: &str, pairs: &[(&str, &str)]) -> Markup {
    html! {
        form method="post" action="?" {
            (hidden(frame, pairs))
            input type="hidden" name="from" value=(frame.here());
            button type="submit" data-ask=(ask) { (word) }
        }
    }
}

/// The choice of a setting to be edited for all members: a link to a form, so it is a GET.
pub(super) fn edit_all(frame: &Frame<'_>, balancer: &Balancer) -> Markup {
    let rows = TABLE.iter().filter(|row| command::bulk_property(row.parameter).is_some());
    html! {
        form.all method="get" action="?" {
            input type="hidden" name="cmd" value="edit";
            input type="hidden" name="w" value=(balancer.name);
            input type="hidden" name="from" value=(frame.here());
            @if let Some(value) = frame.query.get("opt") { input type="hidden" name="opt" value=(value); }
            label {
                (frame.texts.edit_all) " "
                select name="att" { @for row in rows { option value=(row.parameter) { (row.name) } } }
            }
            " " button type="submit" { (frame.texts.edit) }
        }
    }
}

/// The form of the command `edit`.
pub(super) fn edit(frame: &Frame<'_>, subject: Subject<'_>) -> Markup {
    let texts = frame.texts;
    let att = frame.query.get("att").filter(|att| !att.is_empty());
    let title = match subject {
        Subject::Balancer(balancer) => balancer.name.clone(),
        Subject::Member(balancer, member) => format!("{} – {}", balancer.name, member.backend.name),
        Subject::Worker(worker) => worker.backend.name.clone(),
        Subject::All | Subject::Nothing => return html! { p { (texts.nothing) } },
    };
    let fields = match (subject, att) {
        (Subject::Balancer(balancer), Some(att)) => match command::bulk_property(att) {
            Some(property) => bulk(balancer, property),
            None => return html! { p { (texts.nothing) } },
        },
        _ => single(subject),
    };
    let worker = frame.query.get("w").unwrap_or_default();
    let mut pairs = vec![("cmd", "update"), ("w", worker), ("from", frame.query.from().word())];
    pairs.extend(frame.query.get("sw").map(|member| ("sw", member)));
    if matches!(subject, Subject::Balancer(_)) {
        pairs.extend(att.map(|att| ("att", att)));
    }
    let from = if frame.query.from() == Command::Show { "show" } else { "list" };
    html! {
        h2 { (texts.edit) ": " (title) }
        form.edit method="post" action="?" {
            (hidden(frame, &pairs))
            (fields)
            div."actions wide" {
                button type="submit" { (texts.update) }
                a.button href=(frame.link(&[("cmd", from), ("w", if from == "show" { worker } else { "" })])) { (texts.cancel) }
            }
        }
    }
}

/// All settings of one subject.
fn single(subject: Subject<'_>) -> Markup {
    html! {
        @for row in TABLE.iter().filter(|row| command::fits(subject, row.scope)) {
            @if let Some(setting) = value(subject, row.property) { (field(row, row.parameter, row.name, &setting)) }
        }
    }
}

/// One setting of all members.
fn bulk(balancer: &Balancer, property: Property) -> Markup {
    html! {
        @for (place, member) in balancer.members.iter().enumerate() {
            @if let Some(row) = TABLE.iter().find(|row| row.property == property) {
                @if let Some(setting) = property.of_member(member) {
                    @let label = format!("{}: {}", member.backend.name, row.name);
                    (field(row, &format!("val{place}"), &label, &setting))
                }
            }
        }
    }
}

fn value(subject: Subject<'_>, property: Property) -> Option<Setting> {
    match subject {
        Subject::Balancer(balancer) => property.of_balancer(balancer),
        Subject::Member(_, member) => property.of_member(member),
        Subject::Worker(worker) => property.of_backend(&worker.backend),
        Subject::All | Subject::Nothing => None,
    }
}

fn field(row: &Row, name: &str, label: &str, setting: &Setting) -> Markup {
    let id = format!("f-{name}");
    let text = setting.to_string();
    html! {
        div {
            label for=(id) { (label) }
            @match setting {
                Setting::StickySession(on) | Setting::StickySessionForce(on) => {
                    input type="hidden" name=(name) value="0";
                    input type="checkbox" id=(id) name=(name) value="1" checked[*on];
                }
                Setting::Activation(_) => { (choice(&id, name, &text, Activation::WORDS.map(|(word, _)| word))) }
                Setting::Method(_) => { (choice(&id, name, &text, Method::WORDS.map(|(word, _)| word))) }
                Setting::Lock(_) => { (choice(&id, name, &text, Lock::WORDS.map(|(word, _)| word))) }
                Setting::Route(_) | Setting::Redirect(_) | Setting::Domain(_) | Setting::Host(_) => {
                    input type="text" id=(id) name=(name) value=(text) maxlength=(LONGEST_TEXT) autocomplete="off" aria-describedby={ (id) "-h" };
                }
                _ => {
                    input type="text" inputmode="numeric" id=(id) name=(name) value=(text) maxlength="11" autocomplete="off" aria-describedby={ (id) "-h" };
                }
            }
            span.soft id={ (id) "-h" } { (row.accepts) }
        }
    }
}

fn choice<const N: usize>(id: &str, name: &str, current: &str, words: [&str; N]) -> Markup {
    html! {
        select id=(id) name=(name) {
            @for word in words { option value=(word) selected[word == current] { (word) } }
        }
    }
}
