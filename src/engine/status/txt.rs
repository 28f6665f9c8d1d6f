//! The format `txt`: one line for each object, `Label: key=value ...`.
//!
//! Values that mod_jk quotes are quoted; in both kinds of values control characters, and what would end the value, are
//! written as `\xNN`, so that a line is always a line. Source: the branches for `JK_STATUS_MIME_TXT` in mod_jk's jk_status.c.

use std::fmt::Write;

use super::command::Subject;
use super::fields::{self, Field, Order, Style};
use super::page::{Content, Page};
use super::query::{Command, Hide};
use super::view::{AjpWorker, Balancer, Map, Member};

/// The page as text.
pub fn render(page: &Page<'_>) -> String {
    let mut out = String::new();
    let view = page.view;
    if let Some(command) = page.head() {
        line(&mut out, "Server", None, &fields::server(view));
        if command != Command::Edit {
            line(&mut out, "Time", None, &fields::time(view));
            line(&mut out, "Software", None, &fields::software(view));
        }
    }
    match page.content {
        Content::Shown(Command::List, _) => list(&mut out, page),
        Content::Shown(Command::Show, subject) => show(&mut out, page, subject),
        Content::Shown(Command::Dump, _) => {
            out.push_str("Configuration:\n");
            for (name, value) in &view.properties {
                clean(&mut out, name, "");
                out.push('=');
                clean(&mut out, value, "");
                out.push('\n');
            }
        }
        _ => {}
    }
    let (kind, message) = page.result();
    let _ = write!(out, "Result: type={kind} message=\"");
    clean(&mut out, &message, "\"");
    out.push_str("\"\n");
    out
}

fn list(out: &mut String, page: &Page<'_>) {
    let view = page.view;
    if !view.balancers.is_empty() && page.shows(Hide::BALANCERS) {
        let _ = writeln!(out, "Balancer Workers: count={}", view.balancers.len());
        for balancer in &view.balancers {
            balancer_lines(out, page, balancer, None);
        }
    }
    if !view.workers.is_empty() && page.shows(Hide::WORKERS) {
        let _ = writeln!(out, "AJP Workers: count={}", view.workers.len());
        for worker in &view.workers {
            worker_lines(out, page, worker);
        }
    }
}

fn show(out: &mut String, page: &Page<'_>, subject: Subject<'_>) {
    match subject {
        Subject::Balancer(balancer) => balancer_lines(out, page, balancer, None),
        Subject::Member(balancer, member) => balancer_lines(out, page, balancer, Some(member)),
        Subject::Worker(worker) => worker_lines(out, page, worker),
        Subject::All | Subject::Nothing => {}
    }
}

/// A balancer with its members, or with one of them.
fn balancer_lines(out: &mut String, page: &Page<'_>, balancer: &Balancer, only: Option<&Member>) {
    let view = page.view;
    let fields = fields::balancer(balancer, view, page.status);
    line(out, "Balancer Worker", Some(&balancer.name), &fields);
    if page.shows(Hide::MEMBERS) {
        let members = only.map_or(balancer.members.as_slice(), std::slice::from_ref);
        for member in members {
            let mut fields = fields::member(member, balancer, view, Order::Text);
            fields.extend(fields::reset(&member.backend, view));
            fields.extend(fields::error_time(member.first_error, view));
            fields.extend(fields::last_error_time(member.backend.last_error.as_ref(), view));
            line(out, "Member", Some(&member.backend.name), &fields);
        }
    }
    maps(out, page, &balancer.maps);
}

fn worker_lines(out: &mut String, page: &Page<'_>, worker: &AjpWorker) {
    let view = page.view;
    let mut fields = fields::worker(worker, Order::Text);
    fields.extend(fields::reset(&worker.backend, view));
    fields.extend(fields::error_time(worker.backend.last_error.as_ref().map(|error| error.at), view));
    fields.push(fields::worker_state(worker));
    line(out, "AJP Worker", Some(&worker.backend.name), &fields);
    maps(out, page, &worker.maps);
}

fn maps(out: &mut String, page: &Page<'_>, maps: &[Map]) {
    if page.shows(Hide::MAPS) {
        for (place, map) in maps.iter().enumerate() {
            let _ = write!(out, "Map: id={}", place + 1);
            rest(out, &fields::map(map));
        }
    }
}

fn line(out: &mut String, label: &str, name: Option<&str>, fields: &[Field<'_>]) {
    let _ = write!(out, "{label}:");
    if let Some(name) = name {
        out.push_str(" name=");
        clean(out, name, " ");
    }
    rest(out, fields);
}

fn rest(out: &mut String, fields: &[Field<'_>]) {
    for field in fields {
        let _ = write!(out, " {}=", field.key);
        if field.style == Style::Quoted {
            out.push('"');
            clean(out, &field.value, "\"");
            out.push('"');
        } else {
            clean(out, &field.value, " ");
        }
    }
    out.push('\n');
}

/// `value` without anything that would end it or its line.
fn clean(out: &mut String, value: &str, ends: &str) {
    for c in value.chars() {
        if c.is_control() || ends.contains(c) {
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::status::command::Refusal;
    use crate::engine::status::sample;

    fn text(hide: u32, content: Content<'_>) -> String {
        let (view, status) = (sample::view(), sample::settings());
        render(&Page { view: &view, status: &status, hide: Hide(hide), content })
    }

    #[test]
    fn nothing_breaks_a_line() {
        let mut view = sample::view();
        view.balancers[0].members[0].domain = "a\" state=OK\nMember: b".into();
        view.balancers[0].members[0].backend.host = "a b\tc".into();
        view.balancers[0].maps[0].uri = "/é\u{7f}\"/*".into();
        let status = sample::settings();
        let content = Content::Shown(Command::List, Subject::All);
        let text = render(&Page { view: &view, status: &status, hide: Hide(0), content });
        assert_eq!(text.lines().filter(|line| line.starts_with("Member:")).count(), 3);
        assert!(text.contains("domain=\"a\\x22 state=OK\\x0aMember: b\""), "{text}");
        assert!(text.contains("host=a\\x20b\\x09c port="), "{text}");
        assert!(text.contains("uri=\"/é\\x7f\\x22/*\""), "{text}");
    }

    #[test]
    fn bits_hide() {
        let content = Content::Shown(Command::List, Subject::All);
        let labels = |hide| {
            let text = text(hide, content);
            ["Balancer Workers", "Member", "Map", "AJP Workers"]
                .map(|label| text.lines().any(|line| line.starts_with(&format!("{label}:"))))
        };
        assert_eq!(labels(0), [true, true, true, true]);
        assert_eq!(labels(Hide::MEMBERS), [true, false, true, true]);
        assert_eq!(labels(Hide::MAPS), [true, true, false, true]);
        assert_eq!(labels(Hide::BALANCERS), [false, false, true, true]);
        assert_eq!(labels(Hide::WORKERS), [true, true, true, false]);
        assert_eq!(text(31, content).lines().count(), 4);
    }

    #[test]
    fn results() {
        assert_eq!(text(0, Content::Done), "Result: type=OK message=\"Action finished\"\n");
        assert_eq!(
            text(0, Content::Refused(&Refusal::AccessDenied)),
            "Result: type=ERROR message=\"Access denied.\"\n"
        );
        let bad = Refusal::BadValue("x=\"\n".into());
        assert_eq!(text(0, Content::Refused(&bad)).lines().count(), 1);
    }
}
