//! The format `xml`: each tag begins a line, each attribute has a line of its own.
//!
//! Always well-formed: values are escaped, characters that XML can not hold become U+FFFD, and properties whose names are no
//! attribute names are left out of `dump` (mod_jk escapes nothing). The name space and the document type are the
//! administrator's text and are written as they are.
//! Source: the branches for `JK_STATUS_MIME_XML` in mod_jk's jk_status.c; XML 1.0 sections 2.2, 2.3.

use std::fmt::Write;

use super::command::Subject;
use super::fields::{self, Field, Order};
use super::page::{Content, Page};
use super::query::{Command, Hide};
use super::view::{AjpWorker, Balancer, Map, Member};

/// The page as XML.
pub fn render(page: &Page<'_>) -> String {
    let (view, status) = (page.view, page.status);
    let mut out = Out { text: String::new(), ns: &status.ns };
    out.text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n");
    if !status.doctype.is_empty() {
        let _ = writeln!(out.text, "{}", status.doctype);
    }
    let _ = write!(out.text, "<{}status", status.ns);
    if status.xmlns.is_empty() {
        out.text.push_str("\n>\n");
    } else {
        let _ = writeln!(out.text, "\n  {}>", status.xmlns);
    }
    if let Some(command) = page.head() {
        out.empty(0, "server", &fields::server(view));
        if command != Command::Edit {
            out.empty(0, "time", &fields::time(view));
            out.empty(0, "software", &fields::software(view));
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
            out.open(2, "configuration");
            let mut seen: Vec<&str> = Vec::new();
            for (name, value) in &view.properties {
                if is_name(name) && !seen.contains(&name.as_str()) {
                    out.attribute(2, name, value);
                    seen.push(name);
                }
            }
            out.text.push_str("  />\n");
        }
        _ => {}
    }
    let (kind, message) = page.result();
    out.open(2, "result");
    out.attribute(2, "type", kind);
    out.attribute(2, "message", &message);
    out.text.push_str("  />\n");
    let _ = writeln!(out.text, "</{}status>", status.ns);
    out.text
}

struct Out<'a> {
    text: String,
    ns: &'a str,
}

impl Out<'_> {
    fn indent(&mut self, columns: usize) {
        self.text.extend(std::iter::repeat_n(' ', columns));
    }

    fn open(&mut self, columns: usize, tag: &str) {
        self.indent(columns);
        let _ = writeln!(self.text, "<{}{tag}", self.ns);
    }

    fn close(&mut self, columns: usize, tag: &str) {
        self.indent(columns);
        let _ = writeln!(self.text, "</{}{tag}>", self.ns);
    }

    /// An attribute of an element that begins at that column.
    fn attribute(&mut self, columns: usize, name: &str, value: &str) {
        self.indent(columns + 2);
        let _ = write!(self.text, "{name}=\"");
        escape(&mut self.text, value);
        self.text.push_str("\"\n");
    }

    fn attributes(&mut self, columns: usize, name: Option<&str>, fields: &[Field<'_>]) {
        if let Some(name) = name {
            self.attribute(columns, "name", name);
        }
        for field in fields {
            self.attribute(columns, field.key, &field.value);
        }
    }

    fn end(&mut self, columns: usize, how: &str) {
        self.indent(columns);
        let _ = writeln!(self.text, "{how}");
    }

    fn empty(&mut self, columns: usize, tag: &str, fields: &[Field<'_>]) {
        self.open(columns, tag);
        self.attributes(columns, None, fields);
        self.end(columns, "/>");
    }

    fn counted(&mut self, tag: &str, count: usize) {
        self.open(0, tag);
        self.attribute(0, "count", &count.to_string());
        self.end(0, ">");
    }
}

fn list(out: &mut Out<'_>, page: &Page<'_>) {
    let view = page.view;
    if !view.balancers.is_empty() && page.shows(Hide::BALANCERS) {
        out.counted("balancers", view.balancers.len());
        for balancer in &view.balancers {
            lb(out, page, balancer, None);
        }
        out.close(0, "balancers");
    }
    if !view.workers.is_empty() && page.shows(Hide::WORKERS) {
        out.counted("ajp_workers", view.workers.len());
        for worker in &view.workers {
            ajp(out, page, worker);
        }
        out.close(0, "ajp_workers");
    }
}

fn lb(out: &mut Out<'_>, page: &Page<'_>, balancer: &Balancer, only: Option<&Member>) {
    let view = page.view;
    out.open(2, "balancer");
    out.attributes(2, Some(&balancer.name), &fields::balancer(balancer, view, page.status));
    out.end(2, ">");
    if page.shows(Hide::MEMBERS) {
        let members = only.map_or(balancer.members.as_slice(), std::slice::from_ref);
        for member in members {
            let mut fields = fields::member(member, balancer, view, Order::Xml);
            fields.extend(fields::reset(&member.backend, view));
            fields.extend(fields::error_time(member.first_error, view));
            fields.extend(fields::last_error_time(member.backend.last_error.as_ref(), view));
            out.open(6, "member");
            out.attributes(6, Some(&member.backend.name), &fields);
            out.end(6, "/>");
        }
    }
    maps(out, page, &balancer.maps);
    out.close(2, "balancer");
}

fn ajp(out: &mut Out<'_>, page: &Page<'_>, worker: &AjpWorker) {
    let view = page.view;
    let mut fields = fields::worker(worker, Order::Xml);
    fields.extend(fields::reset(&worker.backend, view));
    fields.extend(fields::error_time(worker.backend.last_error.as_ref().map(|error| error.at), view));
    fields.push(fields::worker_state(worker));
    out.open(2, "ajp");
    out.attributes(2, Some(&worker.backend.name), &fields);
    out.end(2, "/>");
    maps(out, page, &worker.maps);
}

fn maps(out: &mut Out<'_>, page: &Page<'_>, maps: &[Map]) {
    if page.shows(Hide::MAPS) {
        for (place, map) in maps.iter().enumerate() {
            out.open(6, "map");
            out.attribute(6, "id", &(place + 1).to_string());
            out.attributes(6, None, &fields::map(map));
            out.end(6, "/>");
        }
    }
}

/// The text as the value of an attribute in double quotes.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

/// The name of a property can be that of an attribute: letters, digits, `.`, `-` and `_`, not beginning with a digit.
fn is_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::model::Status;
    use crate::engine::status::sample;

    #[test]
    fn every_value_is_escaped() {
        let mut view = sample::view();
        view.balancers[0].members[0].domain = "d&om<\"'>\n\u{1}\u{ffff}".into();
        let status = sample::settings();
        let content = Content::Shown(Command::List, Subject::All);
        let text = render(&Page { view: &view, status: &status, hide: Hide(0), content });
        assert!(text.contains("domain=\"d&amp;om&lt;&quot;'&gt;&#10;\u{fffd}\u{fffd}\""), "{text}");
    }

    #[test]
    fn without_a_name_space() {
        let view = sample::view();
        let status = Status {
            ns: String::new(),
            xmlns: String::new(),
            doctype: "<!DOCTYPE foo>".into(),
            ..sample::settings()
        };
        let text = render(&Page { view: &view, status: &status, hide: Hide(0), content: Content::Done });
        let wanted = "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<!DOCTYPE foo>\n<status\n>\n  <result\n    \
                      type=\"OK\"\n    message=\"Action finished\"\n  />\n</status>\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_dump_is_xml_whatever_the_names() {
        let mut view = sample::view();
        view.properties =
            [("a b", "1"), ("$x", "2"), ("9", "3"), ("ok.x-y_1", "<"), ("ok.x-y_1", "4"), ("", "5")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        let status = sample::settings();
        let content = Content::Shown(Command::Dump, Subject::All);
        let text = render(&Page { view: &view, status: &status, hide: Hide(0), content });
        assert!(text.contains("  <jk:configuration\n    ok.x-y_1=\"&lt;\"\n  />\n  <jk:result\n"), "{text}");
    }
}
