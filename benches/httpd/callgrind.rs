//! Instructions in user space, counted by callgrind.
//!
//! Only the threads of httpd that serve are counted: the first thread reads the configuration, and what that costs differs
//! from run to run (hash seeds, addresses). What a thread costs to start cancels out between two runs of different length.
//! Format: Valgrind manual, "Callgrind Format Specification".

use std::collections::HashMap;
use std::path::Path;

use crate::server::{Kind, Site};
use crate::traced::{self, Request, Way};

/// Requests of the short and the long run.
pub(crate) const RUNS: [usize; 2] = [150, 650];

/// A function with the file name of its object.
pub(crate) type Function = (String, String);

/// Costs of a run; with two runs subtracted, costs of a request.
#[derive(Default)]
pub(crate) struct Costs {
    /// Instructions.
    pub(crate) total: f64,
    /// Per function, without what it calls.
    pub(crate) own: HashMap<Function, f64>,
    /// Per calling object and called function: calls, instructions with all that is called.
    pub(crate) calls: HashMap<(String, Function), (f64, f64)>,
}

/// Costs of one request.
pub(crate) fn per_request(kind: Kind, way: Way, request: Request) -> Costs {
    between(kind, way, request, RUNS)
}

/// The same from runs of other lengths.
pub(crate) fn between(kind: Kind, way: Way, request: Request, runs: [usize; 2]) -> Costs {
    let [short, long] = runs.map(|count| {
        let site = traced::run(kind, way, request, count, |out| {
            ["valgrind", "--tool=callgrind", "--vgdb=no", "--separate-threads=yes"]
                .map(str::to_owned)
                .into_iter()
                .chain([format!("--callgrind-out-file={out}/callgrind")])
                .collect()
        });
        read_all(&site)
    });
    let requests = (runs[1] - runs[0]) as f64;
    let mut costs = long;
    costs.total = (costs.total - short.total) / requests;
    for (key, own) in &mut costs.own {
        *own = (*own - short.own.get(key).unwrap_or(&0.0)) / requests;
    }
    for (key, (calls, cost)) in &mut costs.calls {
        let before = short.calls.get(key).unwrap_or(&(0.0, 0.0));
        (*calls, *cost) = ((*calls - before.0) / requests, (*cost - before.1) / requests);
    }
    costs
}

/// The files of all threads but the first.
fn read_all(site: &Site) -> Costs {
    let mut costs = Costs::default();
    let mut files = 0;
    for entry in std::fs::read_dir(site.root.path().join("run")).expect("run").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name
            .strip_prefix("callgrind-")
            .and_then(|thread| thread.parse().ok())
            .is_some_and(|thread: u32| thread > 1)
        {
            read(&entry.path(), &mut costs);
            files += 1;
        }
    }
    assert!(files > 0, "callgrind wrote nothing: {}", site.root.read("tool.log"));
    costs
}

fn read(path: &Path, costs: &mut Costs) {
    let bytes = std::fs::read(path).expect("callgrind's output");
    let text = String::from_utf8_lossy(&bytes);
    // Names are written out once and numbered; functions and objects are numbered apart.
    let (mut objects, mut functions) = (HashMap::new(), HashMap::new());
    let (mut object, mut function) = (String::new(), String::new());
    let (mut called_object, mut called) = (None::<String>, String::new());
    let mut calls = None::<f64>;
    for line in text.lines() {
        if let Some((key, name)) = line.split_once('=') {
            match key {
                "ob" => object = base(named(&mut objects, name)),
                "fn" => function = named(&mut functions, name),
                "cob" => called_object = Some(base(named(&mut objects, name))),
                "cfn" => called = named(&mut functions, name),
                "calls" => calls = name.split(' ').next().and_then(|count| count.parse().ok()),
                _ => {}
            }
        } else if line.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '*')) {
            let Some(cost) = line.split(' ').nth(1).and_then(|cost| cost.parse::<f64>().ok()) else {
                continue;
            };
            if let Some(count) = calls.take() {
                let callee = (called.clone(), called_object.take().unwrap_or_else(|| object.clone()));
                let sum = costs.calls.entry((object.clone(), callee)).or_default();
                *sum = (sum.0 + count, sum.1 + cost);
            } else {
                *costs.own.entry((function.clone(), object.clone())).or_default() += cost;
                costs.total += cost;
            }
        }
    }
}

/// The last part of a path: each run has a directory, and so a module, of its own.
fn base(object: String) -> String {
    object.rsplit('/').next().map(str::to_owned).unwrap_or(object)
}

/// `(7) name` defines a number, `(7)` uses it.
fn named(known: &mut HashMap<String, String>, text: &str) -> String {
    match text.split_once(' ') {
        Some((number, name)) => {
            known.insert(number.to_owned(), name.to_owned());
            name.to_owned()
        }
        None => known.get(text).cloned().unwrap_or_else(|| text.to_owned()),
    }
}
