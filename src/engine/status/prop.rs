//! The format `prop`: lines of Java properties, `<prefix>.<worker>.<key>=<value>`.
//!
//! mod_jk writes the reset and error times of a member under the name of its balancer, and two keys with a blank. Those lines
//! are kept for scripts that read them, and the right ones follow. Values are escaped as `java.util.Properties` reads them.
//! Source: the branches for `JK_STATUS_MIME_PROP` in mod_jk's jk_status.c.

use std::fmt::Write;

use super::command::Subject;
use super::fields::{self, Field, Order};
use super::page::{Content, Page};
use super::query::{Command, Hide};
use super::view::{AjpWorker, Balancer, Map, Member};

/// The page as properties.
pub fn render(page: &Page<'_>) -> String {
    let mut out = Out { text: String::new(), prefix: &page.status.prefix };
    let view = page.view;
    if let Some(command) = page.head() {
        out.head("server_", &fields::server(view));
        if command != Command::Edit {
            out.head("time_", &fields::time(view));
            out.head("", &fields::software(view));
        }
    }
    match page.content {
        Content::Shown(Command::List, _) => list(&mut out, page),
        Content::Shown(Command::Show, subject) => match subject {
            Subject::Balancer(balancer) => lb(&mut out, page, balancer, None),
            Subject::Member(balancer, member) => lb(&mut out, page, balancer, Some(member)),
            Subject::Worker(worker) => ajp(&mut out, page, worker),
            Subject::All | Subject::Nothing => {}
        },
        Content::Shown(Command::Dump, _) => {
            for (name, value) in &view.properties {
                escape(&mut out.text, name);
                out.text.push('=');
                escape(&mut out.text, value);
                out.text.push('\n');
            }
        }
        _ => {}
    }
    let (kind, message) = page.result();
    out.line(&["result", "type"], kind);
    out.line(&["result", "message"], &message);
    out.text
}

struct Out<'a> {
    text: String,
    prefix: &'a str,
}

impl Out<'_> {
    fn line(&mut self, names: &[&str], value: &str) {
        escape(&mut self.text, self.prefix);
        for name in names {
            self.text.push('.');
            escape(&mut self.text, name);
        }
        self.text.push('=');
        escape(&mut self.text, value);
        self.text.push('\n');
    }

    fn head(&mut self, start: &str, fields: &[Field<'_>]) {
        for field in fields {
            self.line(&[&format!("{start}{}", field.key)], &field.value);
        }
    }

    fn all(&mut self, name: &str, fields: &[Field<'_>]) {
        for field in fields {
            self.line(&[name, field.key], &field.value);
        }
    }
}

fn list(out: &mut Out<'_>, page: &Page<'_>) {
    let view = page.view;
    if !view.balancers.is_empty() && page.shows(Hide::BALANCERS) {
        out.line(&["lb_count"], &view.balancers.len().to_string());
        for balancer in &view.balancers {
            lb(out, page, balancer, None);
        }
    }
    if !view.workers.is_empty() && page.shows(Hide::WORKERS) {
        out.line(&["ajp_count"], &view.workers.len().to_string());
        for worker in &view.workers {
            ajp(out, page, worker);
        }
    }
}

fn lb(out: &mut Out<'_>, page: &Page<'_>, balancer: &Balancer, only: Option<&Member>) {
    let view = page.view;
    let name = &balancer.name;
    out.line(&["list"], name);
    out.all(name, &fields::balancer(balancer, view, page.status));
    if page.shows(Hide::MEMBERS) {
        let members = only.map_or(balancer.members.as_slice(), std::slice::from_ref);
        for member in members {
            let own = &member.backend.name;
            out.line(&[name, "balance_workers"], own);
            out.all(own, &fields::member(member, balancer, view, Order::Text));
            let (reset, error) =
                (fields::reset(&member.backend, view), fields::error_time(member.first_error, view));
            out.all(name, &reset);
            for field in &error {
                let key = match field.key {
                    "error_time_unix_seconds" => "error_time_unix seconds",
                    "error_time_ago" => "error_time_ago seconds",
                    other => other,
                };
                out.line(&[name, key], &field.value);
            }
            out.all(own, &reset);
            out.all(own, &error);
            out.all(own, &fields::last_error_time(member.backend.last_error.as_ref(), view));
        }
    }
    maps(out, page, name, &balancer.maps);
}

fn ajp(out: &mut Out<'_>, page: &Page<'_>, worker: &AjpWorker) {
    let view = page.view;
    let name = &worker.backend.name;
    out.line(&[name, "list"], name);
    out.all(name, &fields::worker(worker, Order::Text));
    out.all(name, &fields::reset(&worker.backend, view));
    out.all(name, &fields::error_time(worker.backend.last_error.as_ref().map(|error| error.at), view));
    out.all(name, &[fields::worker_state(worker)]);
    maps(out, page, name, &worker.maps);
}

fn maps(out: &mut Out<'_>, page: &Page<'_>, name: &str, maps: &[Map]) {
    if page.shows(Hide::MAPS) {
        for (place, map) in maps.iter().enumerate() {
            let id = (place + 1).to_string();
            for field in fields::map(map) {
                out.line(&[name, "map", &id, field.key], &field.value);
            }
        }
    }
}

/// As a reader of Java properties undoes it. Blanks stay: only the first one of a value would be lost.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        if c == '\\' {
            out.push_str("\\\\");
        } else if c.is_ascii() && !c.is_ascii_control() {
            out.push(c);
        } else {
            let mut units = [0u16; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::status::sample;

    fn text(content: Content<'_>) -> String {
        let (view, status) = (sample::view(), sample::settings());
        render(&Page { view: &view, status: &status, hide: Hide(0), content })
    }

    #[test]
    fn the_odd_lines_and_the_right_ones() {
        let text = text(Content::Shown(Command::List, Subject::All));
        for line in [
            "worker.lb.error_time_unix seconds=1795396344",
            "worker.lb.error_time_ago seconds=0",
            "worker.n1.error_time_unix_seconds=1795396344",
            "worker.n1.last_reset_at=1795396323",
            "worker.lb.balance_workers=n2",
            "worker.solo.list=solo",
            "worker.solo.state=OK",
            "worker.list=lb",
            "worker.result.message=Action finished",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }

    #[test]
    fn values_are_java() {
        let mut out = String::new();
        escape(&mut out, "a\\b\nc\u{e9}한\u{1f600} d=:#");
        assert_eq!(out, "a\\\\b\\u000ac\\u00e9\\ud55c\\ud83d\\ude00 d=:#");
    }

    #[test]
    fn the_prefix_counts() {
        let view = sample::view();
        let status = crate::engine::config::model::Status { prefix: "px".into(), ..sample::settings() };
        let content = Content::Shown(Command::Version, Subject::All);
        let text = render(&Page { view: &view, status: &status, hide: Hide(0), content });
        assert!(text.lines().all(|line| line.starts_with("px.")), "{text}");
        assert_eq!(text.lines().count(), 9);
    }
}
