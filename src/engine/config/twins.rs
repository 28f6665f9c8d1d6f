//! `worker.<name>.http_port=<port>`: the HTTP twin of an AJP worker in one line.
//!
//! Stands for a worker `<name>-http` of type `http` with the same host, that port and the same limits on sockets and waits,
//! and for `upgrade_worker` that names it. Done behind references, so that a template may say it for all its workers.
//! mod_jk has nothing of the kind.

use super::diagnostic::{Diagnostics, quoted};
use super::properties::{Part, Properties, Property};
use super::value::{self, Host};

/// Last part of the name of the property, with its dot.
const SUFFIX: &str = ".http_port";

/// What the twin has in common with its worker. What is about the worker's part in a balancer, its probes and its own queue
/// stays with it: the twin is only spoken to when the worker has been chosen.
const SHARED: &[&str] = &[
    "source",
    "prefer_ipv6",
    "socket_timeout",
    "socket_connect_timeout",
    "socket_keepalive",
    "socket_buffer",
    "connection_pool_size",
    "connection_pool_minsize",
    "connection_pool_timeout",
    "connection_acquire_timeout",
    "cachesize",
    "cache_timeout",
    "reply_timeout",
    "retries",
    "retry_interval",
    "recovery_options",
];

/// Adds the twins that workers ask for.
pub(super) fn add(properties: &mut Properties, diagnostics: &mut Diagnostics) {
    let asked: Vec<Property> = properties
        .iter()
        .filter(|p| p.name().starts_with("worker.") && p.name().ends_with(SUFFIX))
        .cloned()
        .collect();
    for port in asked {
        let Some(worker) = port.name().strip_prefix("worker.").and_then(|rest| rest.strip_suffix(SUFFIX))
        else {
            continue;
        };
        // Templates are no workers; a wrong type or number is reported where all properties are read.
        let is_ajp = properties.of_worker(worker, "type").is_none_or(|kind| kind.value() == "ajp13");
        let number = port.value().parse::<u16>().is_ok_and(|port| port > 0);
        if is_ajp && number && !is_template(properties, worker) {
            match twin(properties, worker, &port) {
                Ok(twin) => twin.into_iter().for_each(|property| properties.put(property)),
                Err(problem) => diagnostics.error(port.origin(), format!("{}: {problem}", port.name())),
            }
        }
    }
}

fn is_template(properties: &Properties, worker: &str) -> bool {
    let name = format!("worker.{worker}");
    properties.iter().any(|p| p.name().ends_with(".reference") && p.value() == name)
}

/// The properties that the line stands for.
fn twin(properties: &Properties, worker: &str, port: &Property) -> Result<Vec<Property>, String> {
    if let Some(other) = properties.of_worker(worker, "upgrade_worker") {
        return Err(format!(
            "{} ({}) names another worker for the same; use one of them",
            other.name(),
            other.origin()
        ));
    }
    let name = format!("{worker}-http");
    let prefix = format!("worker.{name}.");
    if properties.iter().any(|p| p.name().starts_with(&prefix)) {
        return Err(format!(
            "the worker {} that it stands for has properties of its own; use worker.{worker}.upgrade_worker={name}",
            quoted(&name)
        ));
    }
    let written = |name: String, text: String| {
        let part = Part { text, origin: port.origin().clone() };
        Property { inherited: true, ..Property::new(&name, part, port.source) }
    };
    let mut twin = vec![
        written(format!("worker.{worker}.upgrade_worker"), name.clone()),
        written(format!("{prefix}type"), "http".to_owned()),
        written(format!("{prefix}port"), port.value().to_owned()),
    ];
    if let Some(host) = properties.of_worker(worker, "host") {
        match value::host(host.value()) {
            Ok(Host::Tcp(address, _)) => twin.push(written(format!("{prefix}host"), address.to_owned())),
            Ok(Host::Unix(_)) => return Err(format!("{} is a UNIX socket; use upgrade_worker", host.name())),
            Err(_) => {} // reported where the host is read
        }
    }
    for shared in SHARED {
        if let Some(property) = properties.of_worker(worker, shared) {
            twin.push(Property { name: format!("{prefix}{shared}"), inherited: true, ..property.clone() });
        }
    }
    Ok(twin)
}

#[cfg(test)]
mod tests {
    use crate::engine::config::diagnostic::Severity;
    use crate::engine::config::model::{Ajp13, Kind};
    use crate::engine::config::resolve::testing::{load, problems};

    fn errors(lines: &str) -> Vec<String> {
        problems(&load(lines).1, Severity::Error)
    }

    fn twin_of(set: &crate::engine::config::model::WorkerSet, name: &str) -> Ajp13 {
        let of = |place: usize| match &set.workers[place].kind {
            Kind::Ajp13(worker) => (**worker).clone(),
            _ => panic!("{name}"),
        };
        of(of(set.index_of(name).unwrap()).twin.unwrap())
    }

    #[test]
    fn one_line_makes_a_twin() {
        let text = "worker.list=shop\nworker.shop.host=[::1]:8009\nworker.shop.http_port=8080\n\
                    worker.shop.reply_timeout=700\nworker.shop.secret=0123456789abcdef\n";
        let (set, diagnostics) = load(text);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        assert!(!set.is_listed("shop-http"));
        let twin = twin_of(&set, "shop");
        assert!(twin.http.is_some());
        assert_eq!(twin.address.to_string(), "[::1]:8080");
        assert_eq!(twin.reply_timeout.limit().map(|time| time.as_millis()), Some(700));
        assert_eq!(
            twin_of(&load("worker.list=a\nworker.a.http_port=8081\n").0, "a").address.to_string(),
            "localhost:8081"
        );
    }

    #[test]
    fn a_template_gives_each_of_its_workers_one() {
        let text = "worker.list=a,b\nworker.t.http_port=8080\nworker.t.type=ajp13\nworker.a.reference=worker.t\n\
                    worker.a.host=127.0.0.1\nworker.b.reference=worker.t\nworker.b.host=127.0.0.2\nworker.b.http_port=9090\n";
        let (set, diagnostics) = load(text);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        assert_eq!(twin_of(&set, "a").address.to_string(), "127.0.0.1:8080");
        assert_eq!(twin_of(&set, "b").address.to_string(), "127.0.0.2:9090");
        assert!(set.index_of("t-http").is_none());
    }

    #[test]
    fn what_can_not_be() {
        let of = |lines: &str| errors(&format!("worker.list=a\n{lines}"));
        for bad in ["x", "-1", "65536"] {
            assert_eq!(of(&format!("worker.a.http_port={bad}\n")).len(), 1, "{bad}");
        }
        assert_eq!(
            of("worker.a.http_port=1\nworker.a.upgrade_worker=h\nworker.h.type=http\n"),
            [
                "w.properties:2: worker.a.http_port: worker.a.upgrade_worker (w.properties:3) names another worker for the same; use one of them"
            ]
        );
        assert_eq!(
            of("worker.a.http_port=1\nworker.a-http.type=http\n"),
            [
                "w.properties:2: worker.a.http_port: the worker 'a-http' that it stands for has properties of its own; use worker.a.upgrade_worker=a-http"
            ]
        );
        assert_eq!(
            of("worker.a.host=unix:/s\nworker.a.http_port=1\n"),
            ["w.properties:3: worker.a.http_port: worker.a.host is a UNIX socket; use upgrade_worker"]
        );
        let http = "worker.list=a\nworker.a.type=http\nworker.a.http_port=1\n";
        assert_eq!(errors(http).len(), 1);
    }
}
