//! Where the instructions of a request go (`BENCH_ONLY=profile`): objects, functions, and what the module calls outside.

use std::collections::HashMap;

use crate::callgrind;
use crate::server::Kind;
use crate::traced::{Request, Way};

/// Functions shown per list.
const SHOWN: usize = 40;

/// Prints the profile of the work named by `BENCH_PROFILE`.
pub(crate) fn run(kind: Kind) {
    let work = std::env::var("BENCH_PROFILE").unwrap_or_default();
    let balancer = |members, sticky| (Way::Balancer { members, sticky }, Request::Size(1024));
    let (way, request) = match work.as_str() {
        "" | "1k" => (Way::Rules(1), Request::Size(1024)),
        "64k" => (Way::Rules(1), Request::Size(65_536)),
        "http" => (Way::Http, Request::Size(1024)),
        "http10m" => (Way::Http, Request::Size(10_485_760)),
        "headers" => (Way::Rules(1), Request::Headers(30)),
        "lb2" => balancer(2, false),
        "lb2sticky" => balancer(2, true),
        "lb64" => balancer(64, false),
        "lb64sticky" => balancer(64, true),
        other => {
            panic!(
                "BENCH_PROFILE is 1k, 64k, headers, http, http10m, lb2, lb2sticky, lb64 or lb64sticky, not {other}"
            )
        }
    };
    let runs = if work == "http10m" { [2, 12] } else { callgrind::RUNS };
    let costs = callgrind::between(kind, way, request, runs);
    println!("== {} {way:?} {request:?}: {:.0} instructions per request", kind.name(), costs.total);
    let mut objects: HashMap<&str, f64> = HashMap::new();
    for ((_, object), own) in &costs.own {
        *objects.entry(object).or_default() += own;
    }
    list("objects", objects.into_iter().map(|(name, cost)| (cost, name.to_owned())).collect());
    let own = costs.own.iter();
    list(
        "functions, own",
        own.map(|((name, object), cost)| (*cost, format!("{name} [{}]", object))).collect(),
    );
    let module = |object: &str| object == "jk.so";
    let mut inside: HashMap<&str, f64> = HashMap::new();
    for ((_, (name, object)), (_, cost)) in costs.calls.iter().filter(|((_, callee), _)| module(&callee.1)) {
        let _ = object;
        *inside.entry(name).or_default() += cost;
    }
    list(
        "functions of the module, with all they call",
        inside.into_iter().map(|(n, c)| (c, n.to_owned())).collect(),
    );
    let outside = costs.calls.iter().filter(|((caller, (_, object)), _)| module(caller) && !module(object));
    list(
        "called by the module outside of it, with all they call",
        outside
            .map(|((_, (name, _)), (calls, cost))| (*cost, format!("{name} ({calls:.2} calls)")))
            .collect(),
    );
}

fn list(title: &str, mut rows: Vec<(f64, String)>) {
    println!("-- {title}");
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (cost, name) in rows.iter().take(SHOWN).filter(|(cost, _)| *cost >= 1.0) {
        println!("{cost:10.1}  {name}");
    }
}
