//! Properties of workers of type `ajp13`; most are those of type `http` too.

use super::{Apply, Def, Group, Repeat, Standing, Unit};
use crate::engine::config::diagnostic::quoted;
use crate::engine::config::model::{PingMode, RecoveryOptions};
use crate::engine::config::raw::{RawHost, Reader};
use crate::engine::config::value::{self, Host};

/// Smallest and default size of an AJP packet, in bytes (AJPv13 document, "Packet Size").
const LEAST_PACKET: usize = 8 * 1024;
/// Largest size of an AJP packet, in bytes: the most Tomcat accepts.
const LARGEST_PACKET: usize = 64 * 1024;

const fn ajp13(name: &'static str, apply: Apply) -> Def {
    Def::new(name, Group::Relay, apply)
}

/// A property that makes sense for AJP alone.
const fn only(name: &'static str, apply: Apply) -> Def {
    Def::new(name, Group::Ajp13, apply)
}

/// Where to connect to, and the options of the socket.
pub(super) const ADDRESS: &[Def] = &[
    Def {
        default: "localhost",
        range: "at most 255 bytes",
        doc: "Where the backend listens: a host name, an IPv4 address, or an IPv6 address with or without brackets. A port may \
              follow after a colon (tomcat:8010, [::1]:8010); the property port wins over it. unix:/path connects to a \
              UNIX socket.",
        ..ajp13("host", Apply::Ajp13(|raw, value| raw.host = host(value)))
    },
    Def {
        default: "8009; http: 80; https: 443",
        range: "0 to 65535; 0: no address",
        doc: "Port of the backend's connector. With 0 the worker has no address until one is set at run time: requests \
              fail, and a member of a balancer starts as stopped.",
        ..ajp13("port", Apply::Ajp13(|raw, value| raw.port = value.port()))
    },
    Def {
        range: "at most 255 bytes",
        doc: "Local name or address from which connections are made, with any port. Connecting fails when it can not be \
              used.",
        ..ajp13("source", Apply::Ajp13(|raw, value| raw.source = source(value)))
    },
    Def {
        default: "false",
        doc: "When the host name has addresses of both families, use an IPv6 one.",
        ..ajp13("prefer_ipv6", Apply::Ajp13(|raw, value| raw.prefer_ipv6 = value.boolean()))
    },
    Def {
        unit: Unit::Seconds,
        default: "0",
        range: "0 or less: no limit",
        doc: "Longest silence while receiving from or sending to Tomcat. When it passes, the attempt ends like a broken \
              connection.",
        ..ajp13("socket_timeout", Apply::Ajp13(|raw, value| raw.socket_timeout = value.integer()))
    },
    Def {
        unit: Unit::Milliseconds,
        default: "socket_timeout",
        range: "0 or less: the limit of the kernel",
        doc: "Limit for making the TCP connection.",
        ..ajp13(
            "socket_connect_timeout",
            Apply::Ajp13(|raw, value| raw.socket_connect_timeout = value.integer()),
        )
    },
    Def {
        default: "false",
        doc: "Let the kernel check idle connections (SO_KEEPALIVE), in the intervals set for the system.",
        ..ajp13("socket_keepalive", Apply::Ajp13(|raw, value| raw.socket_keepalive = value.boolean()))
    },
    Def {
        unit: Unit::Bytes,
        default: "0",
        range: "0 or less: as the kernel thinks; others are raised to max_packet_size",
        doc: "Size of the socket's send and receive buffers.",
        ..ajp13("socket_buffer", Apply::Ajp13(|raw, value| raw.socket_buffer = value.integer()))
    },
];

/// The connections of a process.
pub(super) const POOL: &[Def] = &[
    Def {
        default: "no limit",
        range: "negative: default; 0 refuses every request",
        doc: "Most connections, and so parallel requests, of each process to this worker. Unset, each request that needs \
              a connection gets one.",
        ..ajp13("connection_pool_size", Apply::Ajp13(|raw, value| raw.connection_pool_size = value.integer()))
    },
    Def {
        standing: Standing::Deprecated("use connection_pool_size"),
        doc: "Old name of connection_pool_size; used when that is missing or negative.",
        ..ajp13("cachesize", Apply::Ajp13(|raw, value| raw.cachesize = value.integer()))
    },
    Def {
        default: "half of connection_pool_size (unset: of the threads per process), rounded up",
        range: "negative: 0",
        doc: "Connections of each process that stay open although connection_pool_timeout has passed.",
        ..ajp13(
            "connection_pool_minsize",
            Apply::Ajp13(|raw, value| raw.connection_pool_minsize = value.integer()),
        )
    },
    Def {
        unit: Unit::Seconds,
        default: "0",
        range: "0: never; negative: default",
        doc: "Idle time after which maintenance closes a connection. Should match connectionTimeout of Tomcat's AJP \
              connector.",
        ..ajp13(
            "connection_pool_timeout",
            Apply::Ajp13(|raw, value| raw.connection_pool_timeout = value.integer()),
        )
    },
    Def {
        unit: Unit::Seconds,
        standing: Standing::Deprecated("use connection_pool_timeout"),
        doc: "Old name of connection_pool_timeout; used when that is missing or negative.",
        ..ajp13("cache_timeout", Apply::Ajp13(|raw, value| raw.cache_timeout = value.integer()))
    },
    Def {
        unit: Unit::Milliseconds,
        default: "retries x retry_interval",
        range: "0 or less: no waiting",
        doc: "How long a request waits for a free connection when connection_pool_size is reached. Whatever the value, \
              one attempt is made.",
        ..ajp13(
            "connection_acquire_timeout",
            Apply::Ajp13(|raw, value| raw.connection_acquire_timeout = value.integer()),
        )
    },
    Def {
        unit: Unit::Seconds,
        default: "0; with ping_mode I: ping_timeout / 100",
        range: "0 or less: never",
        doc: "Idle time after which maintenance checks a connection with a CPing.",
        ..ajp13(
            "connection_ping_interval",
            Apply::Ajp13(|raw, value| raw.connection_ping_interval = value.integer()),
        )
    },
];

/// A request and its repetition.
pub(super) const EXCHANGE: &[Def] = &[
    Def {
        unit: Unit::Milliseconds,
        default: "0; with ping_mode C: ping_timeout",
        range: "0 or less: no CPing",
        doc: "After connecting send a CPing (http: a probe of ping_uri, if set) and wait this long for the answer.",
        ..ajp13("connect_timeout", Apply::Ajp13(|raw, value| raw.connect_timeout = value.integer()))
    },
    Def {
        unit: Unit::Milliseconds,
        default: "0; with ping_mode P: ping_timeout",
        range: "0 or less: no CPing",
        doc: "Before each request send a CPing (http: a probe of ping_uri, if set) and wait this long for the answer.",
        ..ajp13("prepost_timeout", Apply::Ajp13(|raw, value| raw.prepost_timeout = value.integer()))
    },
    Def {
        range: "letters C, P, I, A; others are ignored",
        doc: "When connections are checked with a CPing: C after connecting, P before each request, I in regular \
              intervals while idle, A all of these. Case does not matter.",
        ..ajp13("ping_mode", Apply::Ajp13(|raw, value| raw.ping_mode = Some(ping_mode(value))))
    },
    Def {
        unit: Unit::Milliseconds,
        default: "10000",
        range: "0 or less: no CPing of idle connections",
        doc: "Default of connect_timeout and prepost_timeout where ping_mode asks for them; limit of the CPing of idle \
              connections.",
        ..ajp13("ping_timeout", Apply::Ajp13(|raw, value| raw.ping_timeout = value.integer()))
    },
    Def {
        unit: Unit::Milliseconds,
        default: "0",
        range: "0 or less: no limit",
        doc: "Longest wait for each packet of Tomcat's answer, not for the whole answer.",
        ..ajp13("reply_timeout", Apply::Ajp13(|raw, value| raw.reply_timeout = value.integer()))
    },
    Def {
        default: "2",
        range: "at least 1",
        doc: "Attempts for a request on this worker, the first one included. A member of a balancer that has others is \
              asked once, then another one.",
        ..ajp13("retries", Apply::Ajp13(|raw, value| raw.retries = value.at_least(1)))
    },
    Def {
        unit: Unit::Milliseconds,
        default: "100",
        range: "0 or less: no pause",
        doc: "Pause before each further attempt.",
        ..ajp13("retry_interval", Apply::Ajp13(|raw, value| raw.retry_interval = value.integer()))
    },
    Def {
        default: "unset",
        range: "sum of 1, 2, 4, 8, 16",
        doc: "What may be repeated after a failure: 1 nothing that Tomcat may have got, 2 nothing after Tomcat has sent \
              headers (always in force), 4 close the connection to Tomcat at once after an error of the client, 8 repeat \
              HEAD despite 1, 16 repeat GET despite 1. Unset: only idempotent methods are repeated. With 0 every request \
              may be repeated, POST included.",
        ..ajp13("recovery_options", Apply::Ajp13(|raw, value| raw.recovery_options = recovery_options(value)))
    },
    Def {
        repeat: Repeat::Join(","),
        range: "100 to 999, or negative",
        doc: "Status codes of Tomcat that count as a failure of the worker. With a minus sign the request is tried \
              elsewhere but the member of a balancer stays in service.",
        ..ajp13("fail_on_status", Apply::Ajp13(|raw, value| raw.fail_on_status = fail_on_status(value)))
    },
    Def {
        default: "0",
        range: "0 or less: no limit",
        doc: "Most requests in work on this worker, counted over all processes. A request above it ends with 503, or goes \
              to another member of the balancer.",
        ..ajp13("busy_limit", Apply::Ajp13(|raw, value| raw.busy_limit = value.integer()))
    },
    Def {
        range: "the name of a worker of type http or https",
        doc: "Worker that gets what AJP can not carry: a request to change to a protocol in its list upgrade (WebSocket), and \
              one whose headers do not fit into a packet. Usually the HTTP connector of the same Tomcat; as a member of a \
              balancer, this worker is chosen and counted, with its route and its state.",
        ..only(
            "upgrade_worker",
            Apply::Ajp13(|raw, value| raw.upgrade_worker = Some(value.text().to_owned())),
        )
    },
    Def {
        range: "1 to 65535; not together with upgrade_worker",
        doc: "Short for an upgrade_worker on the same host: a worker of type http, named as this one with -http behind it, with \
              this port and the same limits on sockets and waits.",
        ..only("http_port", Apply::Ajp13(|_, value| http_port(value)))
    },
    Def {
        unit: Unit::Bytes,
        default: "8192",
        range: "8192 to 65536, rounded up to a multiple of 1024",
        doc: "Size of AJP packets in both directions. Must be equal to packetSize of Tomcat's AJP connector.",
        ..only("max_packet_size", Apply::Ajp13(|raw, value| raw.max_packet_size = max_packet_size(value)))
    },
    Def {
        range: "1 to 255 printable ASCII characters; at least 16 are advised",
        doc: "Must be equal to secret of Tomcat's AJP connector. Sent with each request, never shown. A member of a \
              balancer that has none uses the one of the balancer.",
        ..only("secret", Apply::Ajp13(|raw, value| raw.secret = value.secret()))
    },
    Def {
        range: "a file of at most 4096 bytes; not together with secret",
        doc: "A file that holds the secret, relative to ServerRoot; white space around it does not count. Read at start and \
              at each restart, by the user who starts httpd. Not in mod_jk.",
        ..only("secret_file", Apply::Ajp13(|raw, value| raw.secret_file = Some(value.text().to_owned())))
    },
];

/// Only looked at: the worker that it stands for has been made of it (`super::super::twins`).
fn http_port(value: &mut Reader<'_>) {
    if value.port() == Some(0) {
        value.error("0 is no port");
    }
}

fn host(value: &mut Reader<'_>) -> Option<RawHost> {
    match value::host(value.text()) {
        Ok(Host::Tcp(host, port)) => Some(RawHost::Tcp(host.to_owned(), port)),
        Ok(Host::Unix(path)) => Some(RawHost::Unix(path.to_owned())),
        Err(problem) => {
            value.error(format_args!("{problem}: {}", quoted(value.text())));
            None
        }
    }
}

fn source(value: &mut Reader<'_>) -> Option<String> {
    match value::plain_host(value.text()) {
        Ok(host) => Some(host.to_owned()),
        Err(problem) => {
            value.error(format_args!("{problem}: {}", quoted(value.text())));
            None
        }
    }
}

fn ping_mode(value: &mut Reader<'_>) -> PingMode {
    let mut mode = PingMode::default();
    let mut unknown = String::new();
    for letter in value.text().chars() {
        match letter.to_ascii_uppercase() {
            'C' => mode.connect = true,
            'P' => mode.prepost = true,
            'I' => mode.interval = true,
            'A' => mode = PingMode { connect: true, prepost: true, interval: true },
            _ => unknown.push(letter),
        }
    }
    if !unknown.is_empty() {
        value.warning(format_args!("ignored {}, only the letters C, P, I and A count", quoted(&unknown)));
    }
    mode
}

fn recovery_options(value: &mut Reader<'_>) -> Option<u32> {
    let number = value.integer()?;
    let bits = u32::try_from(number).ok().filter(|bits| bits & !RecoveryOptions::KNOWN == 0);
    if bits.is_none() {
        value.warning(format_args!("{number} has bits without meaning, they are ignored"));
    }
    Some(bits.unwrap_or(number.cast_unsigned() & RecoveryOptions::KNOWN))
}

fn fail_on_status(value: &mut Reader<'_>) -> Vec<i32> {
    let mut codes = Vec::new();
    for item in value.items() {
        match item.parse::<i32>() {
            Ok(code) if (100..=999).contains(&code.unsigned_abs()) => codes.push(code),
            Ok(code) => value.warning(format_args!("{code} is not an HTTP status, it is ignored")),
            Err(_) => value.error(format_args!("not a number: {}", quoted(item))),
        }
    }
    codes
}

fn max_packet_size(value: &mut Reader<'_>) -> Option<usize> {
    let number = value.integer()?;
    let wanted = usize::try_from(number).unwrap_or(0);
    let size = wanted.div_ceil(1024).saturating_mul(1024).clamp(LEAST_PACKET, LARGEST_PACKET);
    if size != wanted {
        value.warning(format_args!("{number} is not possible, {size} is used"));
    }
    Some(size)
}

#[cfg(test)]
#[path = "ajp13_tests.rs"]
mod tests;
