//! Reads the few directives the mapping rows use and runs a target through the model of httpd and the pure matcher.

#![allow(dead_code)] // Each test program uses a part of this.

use mod_jk_rs::engine::route::forward::UriForm;
use mod_jk_rs::engine::route::matcher::UriMap;
use mod_jk_rs::engine::route::rules::{Kind, Mounts, Origin, mount_file_rule, worker_rule};
use mod_jk_rs::engine::route::{Decision, Options, Scratch, decide};

use crate::httpd_view::{EncodedSlashes, Httpd, httpd_view};
use crate::row::{Row, Want, target};

pub(crate) struct Server {
    pub(crate) map: UriMap,
    pub(crate) options: Options,
    pub(crate) httpd: Httpd,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Httpd(u16),
    Declined,
    BadRequest(String),
    Mapped { worker: String, path: String, sent: String },
}

impl Server {
    pub(crate) fn new(config: &[&str]) -> Self {
        let mut mounts = Mounts::default();
        let mut rules = Vec::new();
        let (mut order, mut section) = (0, None);
        let mut options = Options::default();
        let mut httpd = Httpd::default();
        for line in config.iter().flat_map(|text| text.lines()) {
            if let Some(entry) = line.strip_prefix("file:") {
                let (key, value) = entry.trim().split_once('=').unwrap();
                let origin = Origin::default();
                let _ = mount_file_rule(key.as_bytes(), value.as_bytes(), &origin, &mut order, &mut rules)
                    .unwrap();
                continue;
            }
            if let Some(entry) = line.strip_prefix("workers:") {
                let (key, pattern) = entry.trim().split_once('=').unwrap();
                let name = key.split('.').nth(1).unwrap();
                rules.push(worker_rule(pattern.as_bytes(), name.as_bytes(), 0, Origin::default()).unwrap());
                continue;
            }
            let words = words(line.trim_end_matches('>'));
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let mut add = |kind, pattern: &str, worker: &str| {
                mounts.add(kind, pattern.as_bytes(), worker.as_bytes(), Origin::default()).unwrap();
            };
            match words[..] {
                ["JkMount", pattern, worker] => add(Kind::Mount, pattern, worker),
                ["JkUnMount", pattern, worker] => add(Kind::Exclusion, pattern, worker),
                ["JkMount", worker] => add(Kind::Mount, section.as_deref().unwrap(), worker),
                ["JkOptions", "+RejectUnsafeURI"] => options.reject_unsafe = true,
                ["JkOptions", form] => options.form = form_of(form),
                ["MergeSlashes", "Off"] => httpd.merge_slashes = false,
                ["AllowEncodedSlashes", "On"] => httpd.encoded_slashes = EncodedSlashes::On,
                ["AllowEncodedSlashes", "NoDecode"] => {
                    httpd.encoded_slashes = EncodedSlashes::NoDecode;
                    options.nodecode = true;
                }
                ["<Location" | "<LocationMatch", argument] | ["<Location", "~", argument] => {
                    section = Some(argument.to_owned());
                }
                ["</Location" | "</LocationMatch"] => section = None,
                ["Require", ..] => {}
                _ => panic!("unknown directive {line}"),
            }
        }
        rules.extend(mounts.rules());
        Self { map: UriMap::build(rules), options, httpd }
    }

    pub(crate) fn run(&self, target: &[u8]) -> Outcome {
        match httpd_view(target, self.httpd) {
            Ok(uri) => self.decide(&uri, target),
            Err(status) => Outcome::Httpd(status),
        }
    }

    pub(crate) fn decide(&self, uri: &[u8], unparsed: &[u8]) -> Outcome {
        let mut scratch = Scratch::default();
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        match decide(Some(&self.map), uri, unparsed, &self.options, &mut scratch) {
            Decision::Decline(_) => Outcome::Declined,
            Decision::BadRequest(reason) => Outcome::BadRequest(reason.to_string()),
            Decision::Mapped { rule, normalised, forwarded } => Outcome::Mapped {
                worker: text(&self.map.rule(rule).unwrap().worker),
                path: text(normalised.bytes()),
                sent: text(forwarded.bytes()),
            },
        }
    }
}

pub(crate) fn form_of(option: &str) -> UriForm {
    match option {
        "ForwardURIProxy" => UriForm::Proxy,
        "ForwardURICompat" => UriForm::Compat,
        "ForwardURICompatUnparsed" => UriForm::CompatUnparsed,
        "ForwardURIEscaped" => UriForm::Escaped,
        _ => panic!("unknown option {option}"),
    }
}

/// Runs every target of a row and prints a line for each; returns the targets that did not do what is wanted.
pub(crate) fn run_row(row: &Row) -> Vec<String> {
    let mut failures = Vec::new();
    let name = if row.number == 0 { String::from("row") } else { format!("row {}", row.number) };
    for written in row.targets {
        if let Want::Live(reason) = row.want {
            println!("{name} {written}: live ({reason})");
            continue;
        }
        let octets = target(written);
        let outcome = Server::new(row.config).run(&octets);
        let path = octets.split(|&octet| octet == b'?').next().unwrap().escape_ascii().to_string();
        let right = match (&outcome, row.want) {
            (Outcome::Httpd(status), Want::Httpd(wanted)) => *status == wanted,
            (Outcome::Declined, Want::Declined) | (Outcome::BadRequest(_), Want::BadRequest) => true,
            (Outcome::Mapped { worker, sent, .. }, Want::Forwarded(name, uri)) => {
                worker == name && sent == uri
            }
            (Outcome::Mapped { worker, sent, .. }, Want::Same(name)) => worker == name && *sent == path,
            (Outcome::Mapped { worker, .. }, Want::NoWorker(name)) => worker == name,
            (Outcome::Mapped { path, .. }, Want::Forbidden(below)) => path == below,
            _ => false,
        };
        let shown = match &outcome {
            Outcome::Httpd(status) => format!("{status} from httpd"),
            Outcome::Declined => String::from("declined"),
            Outcome::BadRequest(reason) => format!("400, {reason}"),
            Outcome::Mapped { worker, path, .. } if matches!(row.want, Want::Forbidden(_)) => {
                format!("{worker}, subject to the access rules of {path}")
            }
            Outcome::Mapped { worker, .. } if matches!(row.want, Want::NoWorker(_)) => {
                format!("unknown worker {worker}, 500")
            }
            Outcome::Mapped { worker, sent, .. } if sent.len() > 200 => {
                format!("{worker} <- {} octets", sent.len())
            }
            Outcome::Mapped { worker, sent, .. } => format!("{worker} <- {sent}"),
        };
        let note = match (row.mod_jk, row.why) {
            ("", _) => String::new(),
            (old, why) => format!(" [mod_jk: {old}; here: {why}]"),
        };
        let line = format!("{name} {written}: {shown} {}{note}", if right { "ok" } else { "WRONG" });
        println!("{line}");
        if !right {
            failures.push(format!("{line}, wanted {:?}", row.want));
        }
    }
    failures
}

/// The words of a directive; quotes group.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap(),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = behind.trim_start();
    }
    words
}
