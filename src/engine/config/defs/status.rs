//! Properties of workers of type `status`.

use super::{Apply, Def, Group, Repeat};
use crate::engine::config::diagnostic::quoted;
use crate::engine::config::model::{Condition, Persist, Rating};
use crate::engine::config::raw::Reader;
use crate::engine::config::value;

/// Default of `good`.
pub(super) const GOOD: &str = "a.o,a.i,a.b,a.r";
/// Default of `bad`.
pub(super) const BAD: &str = "s,e";

const fn status(name: &'static str, apply: Apply) -> Def {
    Def::new(name, Group::Status, apply)
}

pub(super) const STATUS: &[Def] = &[
    Def {
        doc: "URL of a style sheet for the HTML page.",
        ..status("css", Apply::Status(|raw, value| raw.css = Some(value.text().to_owned())))
    },
    Def {
        default: "worker",
        doc: "First part of all keys in the properties format.",
        ..status("prefix", Apply::Status(|raw, value| raw.prefix = Some(value.text().to_owned())))
    },
    Def {
        default: "jk:",
        range: "beginning with -: none",
        doc: "Prefix of all element names of the XML format.",
        ..status("ns", Apply::Status(|raw, value| raw.ns = Some(value.text().to_owned())))
    },
    Def {
        default: "xmlns:jk=\"http://tomcat.apache.org\"",
        range: "beginning with -: none",
        doc: "Text in the root element of the XML format that declares the name space.",
        ..status("xmlns", Apply::Status(|raw, value| raw.xmlns = Some(value.text().to_owned())))
    },
    Def {
        doc: "Text on a line of its own after the XML declaration.",
        ..status("doctype", Apply::Status(|raw, value| raw.doctype = Some(value.text().to_owned())))
    },
    Def {
        default: "false",
        doc: "Refuse the commands that change something: edit, update, reset and recover.",
        ..status("read_only", Apply::Status(|raw, value| raw.read_only = value.boolean()))
    },
    Def {
        repeat: Repeat::Join(","),
        doc: "Users that may use the worker, as authenticated by httpd; empty: everybody. Several lines add up.",
        ..status(
            "user",
            Apply::Status(|raw, value| raw.user = value.items().into_iter().map(str::to_owned).collect()),
        )
    },
    Def {
        default: "false",
        doc: "Compare user names without case.",
        ..status(
            "user_case_insensitive",
            Apply::Status(|raw, value| raw.user_case_insensitive = value.boolean()),
        )
    },
    Def {
        repeat: Repeat::Join(","),
        default: GOOD,
        range: "letters a d s (active, disabled, stopped) and o i n b r e (ok, idle, idle, busy, recovering, error)",
        doc: "Members that are counted as good unless they are bad: a list of single letters, or of two joined by a dot \
              that must both hold. Only the first letter of a word counts.",
        ..status("good", Apply::Status(|raw, value| raw.good = Some(rating(value))))
    },
    Def {
        repeat: Repeat::Join(","),
        default: BAD,
        range: "as good",
        doc: "Members that are counted as bad; those that are neither good nor bad are degraded.",
        ..status("bad", Apply::Status(|raw, value| raw.bad = Some(rating(value))))
    },
    Def {
        default: "none",
        range: "none, file",
        doc: "With file, changes made at run time are kept in a file and are in force again after httpd was stopped and \
              started, whichever status worker they were made by.",
        ..status("persist", Apply::Status(|raw, value| raw.persist = value.keyword(&Persist::WORDS)))
    },
    Def {
        default: "mod_jk_rs/changes.json in DefaultRuntimeDir",
        doc: "That file, with a path that may be relative to ServerRoot. Children of httpd write into its directory, which is \
              made if it is missing.",
        ..status("persist_file", Apply::Status(|raw, value| raw.persist_file = Some(value.text().to_owned())))
    },
];

fn rating(value: &mut Reader<'_>) -> Rating {
    let (rating, unknown) = parse_rating(value.text());
    for item in unknown {
        value.warning(format_args!("{} is not a rating, it matches nothing", quoted(item)));
    }
    rating
}

/// The rating a list of `good` or `bad` stands for, and the items that are none.
pub(super) fn parse_rating(text: &str) -> (Rating, Vec<&str>) {
    let mut rating = Rating::default();
    let mut unknown = Vec::new();
    for item in value::list(text) {
        let (first, second) = item.split_once('.').unwrap_or((item, item));
        match (Condition::from_word(first), Condition::from_word(second)) {
            (Some(first), Some(second)) => rating.0.push([first, second]),
            _ => unknown.push(item),
        }
    }
    (rating, unknown)
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
