//! Properties of workers of type `http` that those of type `ajp13` have no use for.

use super::{Apply, Def, Group, Unit};
use crate::engine::config::diagnostic::quoted;
use crate::engine::config::raw::Reader;
use crate::engine::http1::probe::{self, Statuses};
use crate::engine::http1::upgrade::Upgrade;

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
    Def {
        default: "websocket",
        range: "protocols separated by commas or blanks, or none",
        doc: "The protocols a client may change to on its connection with an Upgrade header. After the backend has agreed \
              with 101, this server passes octets both ways and looks into nothing. Forms of HTTP and TLS can not be \
              listed: a client would reach the backend past this server.",
        ..Def::new("upgrade", Group::Http, Apply::Ajp13(|raw, value| raw.upgrade = upgrade(value)))
    },
    Def {
        default: "3600",
        unit: Unit::Seconds,
        range: "0 or less: no limit",
        doc: "Longest silence of a connection that has left HTTP (a WebSocket). Once one side has ended its direction, it is \
              Timeout at most.",
        ..Def::new(
            "tunnel_timeout",
            Group::Http,
            Apply::Ajp13(|raw, value| raw.tunnel_timeout = value.integer()),
        )
    },
];

fn upgrade(value: &mut Reader<'_>) -> Option<Vec<Upgrade>> {
    let text = value.text();
    if text.eq_ignore_ascii_case("none") {
        return Some(Vec::new());
    }
    let names = || text.split([',', ' ', '\t']).filter(|name| !name.is_empty());
    let mut list = Vec::new();
    for name in names() {
        match Upgrade::new(name.as_bytes()) {
            Some(protocol) if list.contains(&protocol) => {}
            Some(protocol) => list.push(protocol),
            None => {
                value.error(format_args!("not a protocol that may be changed to: {}", quoted(name)));
                return None;
            }
        }
    }
    if list.is_empty() {
        value.error("names no protocol; 'none' forbids all of them");
        return None;
    }
    Some(list)
}

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
