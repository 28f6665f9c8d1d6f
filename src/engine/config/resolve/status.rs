//! Workers of type `status`: defaults, and checks of access and ratings.

use super::{Context, Planned};
use crate::engine::config::defs::{Apply, default_rating};
use crate::engine::config::diagnostic::quoted;
use crate::engine::config::model::{Persist, Status};
use crate::engine::config::raw::RawStatus;

pub(super) fn resolve(context: &mut Context<'_>, worker: &Planned<'_>) -> Status {
    let mut raw = RawStatus::default();
    context.apply(worker, |apply, value| {
        if let Apply::Status(apply) = apply {
            apply(&mut raw, value);
        }
    });
    let text = |value: Option<String>, default: &str| value.unwrap_or_else(|| default.to_owned());
    // A value that begins with a minus sign asks for none: an empty value could not be written in the file.
    let or_none = |value: Option<String>, default: &str| {
        if value.as_ref().is_some_and(|value| value.starts_with('-')) {
            String::new()
        } else {
            text(value, default)
        }
    };
    let status = Status {
        css: text(raw.css, ""),
        prefix: text(raw.prefix, "worker"),
        ns: or_none(raw.ns, "jk:"),
        xmlns: or_none(raw.xmlns, "xmlns:jk=\"http://tomcat.apache.org\""),
        doctype: text(raw.doctype, ""),
        read_only: raw.read_only.unwrap_or(false),
        user: raw.user,
        user_case_insensitive: raw.user_case_insensitive.unwrap_or(false),
        good: raw.good.unwrap_or_else(|| default_rating("good")),
        bad: raw.bad.unwrap_or_else(|| default_rating("bad")),
        persist: match (raw.persist, &raw.persist_file) {
            (Some(true), file) => Persist::File(file.clone().unwrap_or_default()),
            _ => Persist::No,
        },
    };
    if status.persist == Persist::No && raw.persist_file.is_some() {
        let origin = context.origin(worker, "persist_file");
        let message =
            format!("worker.{0}.persist_file has no effect without worker.{0}.persist=file", worker.name);
        context.diagnostics.warning(&origin, message);
    }
    if status.good.overlaps(&status.bad) {
        let origin = context.origin(worker, "good");
        let message =
            format!("worker.{}: good and bad have members in common, which are counted as bad", worker.name);
        context.diagnostics.warning(&origin, message);
    }
    if !status.read_only && status.user.is_empty() {
        let message = format!(
            "whoever reaches a mount of status worker {} can change all workers; set worker.{}.read_only or .user, or \
             restrict access in httpd",
            quoted(&worker.name),
            worker.name
        );
        context.diagnostics.warning(&worker.origin, message);
    }
    status
}
