//! `uriworkermap.properties`: rules in a file that is read again while the server runs.
//!
//! `pattern=worker;extension=value...`, one to a line; `#` begins a comment anywhere; `$(name)` stands for an earlier key
//! of the file or an environment variable. Source: `uri_worker_map_load` of mod_jk. Where mod_jk dropped a rule or the whole
//! file without a clear word, this reports file and line.

use std::collections::HashMap;
use std::sync::Arc;

use super::rules::{self, RuleSpec, mount_file_rule};
use crate::engine::config::diagnostic::{Diagnostics, Origin};

/// Longest line, in octets without its end; mod_jk took the rest of a longer one for another line.
const LONGEST: usize = 8191;

/// Reads the rules of a file. What is wrong with it is added to `found`; a file with errors must not be used, because an
/// exclusion may be missing.
pub fn parse(
    name: &str,
    content: &[u8],
    environment: &dyn Fn(&str) -> Option<String>,
    found: &mut Diagnostics,
) -> Vec<RuleSpec> {
    let file: Arc<str> = name.into();
    let mut entries: Vec<(Vec<u8>, Vec<u8>, u32)> = Vec::new();
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    for (line, number) in content.split(|octet| *octet == b'\n').zip(1..) {
        let origin = Origin { file: Arc::clone(&file), line: number };
        let line = line.split(|octet| *octet == b'#').next().unwrap_or_default().trim_ascii();
        if line.len() > LONGEST {
            found.error(&origin, format!("the line is longer than {LONGEST} octets"));
            continue;
        }
        let Some(at) = line.iter().position(|octet| *octet == b'=') else {
            if !line.is_empty() {
                found.warning(&origin, "the line has no '=' and is ignored");
            }
            continue;
        };
        let (key, value) = line.split_at(at);
        let (key, value) = (key.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii());
        if key.is_empty() || value.is_empty() {
            found.warning(&origin, "nothing before or behind the '=': the line is ignored");
            continue;
        }
        if key.starts_with(b"worker.") {
            found.warning(&origin, "worker properties have no effect in a mount file; the line is ignored");
            continue;
        }
        let value = expand(value, &entries, &places, environment);
        match places.get(key).and_then(|place| entries.get_mut(*place)) {
            Some(former) => {
                found.warning(
                    &origin,
                    format!("'{}' is defined again, the former line is {}", key.escape_ascii(), former.2),
                );
                *former = (key.to_vec(), value, number);
            }
            None => {
                places.insert(key.to_vec(), entries.len());
                entries.push((key.to_vec(), value, number));
            }
        }
    }
    rules_of(&file, &entries, found)
}

fn rules_of(file: &Arc<str>, entries: &[(Vec<u8>, Vec<u8>, u32)], found: &mut Diagnostics) -> Vec<RuleSpec> {
    let mut rules = Vec::new();
    let mut order = 0;
    for (key, value, line) in entries {
        let origin = Origin { file: Arc::clone(file), line: *line };
        if !matches!(key.first(), Some(b'/' | b'!' | b'-' | b'*' | b'?')) {
            continue; // a variable
        }
        let place = rules::Origin { file: Arc::clone(file), line: *line };
        match mount_file_rule(key, value, &place, &mut order, &mut rules) {
            Ok(complaints) => {
                for complaint in complaints {
                    found.warning(&origin, format!("{}: {complaint}", key.escape_ascii()));
                }
            }
            Err(error) => {
                found.error(&origin, format!("{}={}: {error}", key.escape_ascii(), value.escape_ascii()));
            }
        }
    }
    rules
}

/// Replaces `$(name)`, once and from left to right; what is not known stays.
fn expand(
    value: &[u8],
    entries: &[(Vec<u8>, Vec<u8>, u32)],
    places: &HashMap<Vec<u8>, usize>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"$(") {
        let (before, behind) = rest.split_at(at);
        out.extend_from_slice(before);
        let Some(end) = behind.iter().position(|octet| *octet == b')') else {
            rest = behind;
            break;
        };
        let name = behind.get(2..end).unwrap_or_default();
        let known = places.get(name).and_then(|place| entries.get(*place)).map(|entry| entry.1.clone());
        let from_outside = || environment(std::str::from_utf8(name).ok()?).map(String::into_bytes);
        match known.or_else(from_outside) {
            Some(text) => out.extend_from_slice(&text),
            None => out.extend_from_slice(behind.get(..=end).unwrap_or_default()),
        }
        rest = behind.get(end + 1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::route::rules::Kind;

    fn read(content: &str) -> (Vec<RuleSpec>, Vec<String>) {
        let mut found = Diagnostics::new();
        let environment = |name: &str| (name == "ENV_W").then(|| "w9".to_owned());
        let rules = parse("map", content.as_bytes(), &environment, &mut found);
        (rules, found.iter().map(ToString::to_string).collect())
    }

    fn shown(rules: &[RuleSpec]) -> Vec<String> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        rules
            .iter()
            .map(|rule| {
                let sign = match (rule.disabled, rule.kind) {
                    (true, Kind::Mount) => "-",
                    (true, Kind::Exclusion) => "-!",
                    (false, Kind::Exclusion) => "!",
                    (false, Kind::Mount) => "",
                };
                format!("{sign}{}={}", text(&rule.pattern), text(&rule.worker))
            })
            .collect()
    }

    #[test]
    fn rules_with_their_prefixes_and_the_two_halves() {
        let (rules, found) =
            read("/a|/*=w1\r\n!/a/s/*=w1 # comment\n  -/b/* = w2;reply_timeout=5 \n-!/c=*\n\n#x\n");
        assert_eq!(shown(&rules), ["/a=w1", "/a/*=w1", "!/a/s/*=w1", "-/b/*=w2", "-!/c=*"]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn variables_of_the_file_and_of_the_environment() {
        let (rules, _) = read("w=w2\n/a=$(w)\n/b=$(ENV_W)x\n/c=$(nowhere)\n/d=$(w\n");
        assert_eq!(shown(&rules), ["/a=w2", "/b=w9x", "/c=$(nowhere)", "/d=$(w"]);
    }

    #[test]
    fn the_last_of_two_lines_counts_and_is_remarked() {
        let (rules, found) = read("/a=w1\n/a=w2\n");
        assert_eq!(shown(&rules), ["/a=w2"]);
        assert_eq!(found, ["map:2: '/a' is defined again, the former line is 1"]);
    }

    #[test]
    fn exclusions_with_a_leading_wildcard_are_not_lost() {
        let (rules, found) = read("!*.html=*\n");
        assert_eq!(shown(&rules), ["!/*.html=*"]);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn mistakes_are_reported_with_their_line() {
        let (rules, found) =
            read(&format!("noequals\n!-/x=w\nworker.w.host=x\n/y=w\n/{}=w\n", "z".repeat(9000)));
        assert_eq!(shown(&rules), ["/y=w"]);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found.iter().any(|line| line.starts_with("map:5:") && line.contains("longer")), "{found:?}");
        assert!(found.iter().any(|line| line.starts_with("map:2:")), "{found:?}");
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(shown(&read("\u{feff}/a=w1").0), ["/a=w1"]);
    }
}
