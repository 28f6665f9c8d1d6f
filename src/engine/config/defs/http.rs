//! Properties of workers of type `http` that those of type `ajp13` have no use for.

use super::{Apply, Def, Group};
use crate::engine::config::diagnostic::quoted;
use crate::engine::config::raw::Reader;
use crate::engine::http1::probe::{self, Statuses};

pub(super) const HTTP: &[Def] = &[
    Def {
        range: "a path that begins with /, perhaps with a query",
        doc: "The page that tells whether the backend is alive: wherever an ajp13 worker sends a CPing, HEAD is sent for \
              it, and the status must be one of ping_status. Unset: nothing is asked, a backend that takes connections \
              counts as alive.",
        ..Def::new("ping_uri", Group::Http, Apply::Ajp13(|raw, value| raw.ping_uri = ping_uri(value)))
    },
    Def {
        default: "200-399",
        range: "up to 8 of 200, 2xx, 200-299, separated by commas",
        doc: "The answers to HEAD of ping_uri that mean that the backend is alive.",
        ..Def::new(
            "ping_status",
            Group::Http,
            Apply::Ajp13(|raw, value| raw.ping_status = ping_status(value)),
        )
    },
];

fn ping_uri(value: &mut Reader<'_>) -> Option<String> {
    let text = value.text();
    if probe::is_uri(text.as_bytes()) {
        return Some(text.to_owned());
    }
    value.error(format_args!("not a path that can be asked for: {}", quoted(text)));
    None
}

fn ping_status(value: &mut Reader<'_>) -> Option<Statuses> {
    let statuses = Statuses::parse(value.text());
    if statuses.is_none() {
        let text = quoted(value.text());
        value.error(format_args!("not up to 8 statuses or ranges of them between 200 and 599: {text}"));
    }
    statuses
}
