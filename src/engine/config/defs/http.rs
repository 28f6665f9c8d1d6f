//! Properties of workers of type `http` and `https` that those of type `ajp13` have no use for.

use super::{Apply, Def, Group, Unit};
use crate::engine::config::diagnostic::quoted;
use crate::engine::config::raw::Reader;
use crate::engine::http1::encode::Forwarding;
use crate::engine::http1::probe::{self, Statuses};
use crate::engine::http1::upgrade::Upgrade;
use crate::engine::tls::Version;

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
        default: "off",
        range: "off, v2",
        doc: "v2: each connection to the backend begins with a header of the PROXY protocol, version 2, that names the client; \
              probes begin with one that names nobody. Such connections carry one request.",
        ..Def::new(
            "send_proxy",
            Group::Http,
            Apply::Ajp13(|raw, value| raw.send_proxy = value.choice(SEND_PROXY)),
        )
    },
    Def {
        default: "replace",
        range: "replace, append, off",
        doc: "X-Forwarded-For, -Proto, -Host and -Port: replace what the client has sent, append the client's address to the \
              X-Forwarded-For that came (only behind a proxy that can be trusted; the other three are replaced all the same), \
              or send none. What the client sends of them goes no further in any case but append.",
        ..Def::new(
            "x_forwarded",
            Group::Http,
            Apply::Ajp13(|raw, value| raw.x_forwarded = value.choice(FORWARDING)),
        )
    },
    Def {
        default: "replace",
        range: "replace, append, off",
        doc: "The same for the header Forwarded (RFC 7239).",
        ..Def::new(
            "forwarded",
            Group::Http,
            Apply::Ajp13(|raw, value| raw.forwarded = value.choice(FORWARDING)),
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

const SEND_PROXY: &[(&str, bool)] = &[("off", false), ("v2", true)];
const FORWARDING: &[(&str, Forwarding)] =
    &[("replace", Forwarding::Replace), ("append", Forwarding::Append), ("off", Forwarding::Off)];

/// Workers of type `https`.
pub(super) const HTTPS: &[Def] = &[
    Def {
        default: "the authorities of the system",
        range: "a file, relative to ServerRoot",
        doc: "PEM certificates of the authorities that may have signed the backend's certificate, in place of those of the \
              system; the backend's own self-signed certificate is one as well.",
        ..Def::new(
            "tls_ca",
            Group::Https,
            Apply::Ajp13(|raw, value| raw.tls_ca = Some(value.text().to_owned())),
        )
    },
    Def {
        default: "host",
        range: "a host name or an IP address",
        doc: "The name that must stand in the backend's certificate, and that is sent to it (SNI), in place of host.",
        ..Def::new("tls_name", Group::Https, Apply::Ajp13(|raw, value| raw.tls_name = value.short_text(253)))
    },
    Def {
        default: "on",
        range: "on, off",
        doc: "off: whoever answers is believed, so that anybody on the way can read and change everything. For tests; a warning \
              says so at every start.",
        ..Def::new("tls_verify", Group::Https, Apply::Ajp13(|raw, value| raw.tls_verify = value.boolean()))
    },
    Def {
        default: "1.2",
        range: "1.2, 1.3",
        doc: "Least version of TLS.",
        ..Def::new(
            "tls_min_version",
            Group::Https,
            Apply::Ajp13(|raw, value| raw.tls_min_version = value.choice(VERSIONS)),
        )
    },
    Def {
        range: "a file, relative to ServerRoot",
        doc: "PEM certificate, followed by those above it, that is shown to a backend that asks for one. Needs tls_key.",
        ..Def::new(
            "tls_cert",
            Group::Https,
            Apply::Ajp13(|raw, value| raw.tls_cert = Some(value.text().to_owned())),
        )
    },
    Def {
        range: "a file, relative to ServerRoot",
        doc: "PEM key of tls_cert, without a passphrase. Read by the user who starts httpd, so nobody else needs access.",
        ..Def::new(
            "tls_key",
            Group::Https,
            Apply::Ajp13(|raw, value| raw.tls_key = Some(value.text().to_owned())),
        )
    },
];

const VERSIONS: &[(&str, Version)] = &[("1.2", Version::V12), ("1.3", Version::V13)];

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
