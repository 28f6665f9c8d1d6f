//! Compares the answers of two status workers: same keys in the same order, values of the same class.
//!
//! An answer becomes a list of `key=value` lines. Values that time, traffic or ports decide are reduced to their class (`N`
//! for a number); everything else is compared as it is. Lines that only the second one has may be allowed by their key.

/// Keys whose numbers are those of one run.
const VARYING: [&str; 26] = [
    "port",
    "unix",
    "datetime",
    "lbvalue",
    "elected",
    "used",
    "sessions",
    "errors",
    "client_errors",
    "transferred",
    "read",
    "busy",
    "max_busy",
    "connected",
    "max_connected",
    "time_to_maintenance_min",
    "time_to_maintenance_max",
    "time_to_recover_min",
    "time_to_recover_max",
    "last_reset_at",
    "last_reset_ago",
    "error_time_datetime",
    "error_time_unix_seconds",
    "error_time_unix seconds",
    "error_time_ago",
    "error_time_ago seconds",
];

/// Keys with text in which only the digits vary.
const DIGITS: [&str; 2] = ["address", "server"];

/// Keys of the first lines: they name server, software and zone of the machine.
const HEAD: [&str; 6] = ["name", "port", "web_server", "jk_version", "tz", "error_time_tz"];

/// Keys that only this module has.
const ADDED: [&str; 5] = [
    "state",
    "last_error_time_datetime",
    "last_error_time_tz",
    "last_error_time_unix_seconds",
    "last_error_time_ago",
];

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `mime=txt`.
    Txt,
    /// `mime=prop`.
    Prop,
    /// `mime=xml`.
    Xml,
}

impl Format {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Txt => "txt",
            Self::Prop => "prop",
            Self::Xml => "xml",
        }
    }
}

/// The answer as lines that can be compared.
pub fn reduce(format: Format, answer: &str) -> Vec<String> {
    match format {
        Format::Txt => answer.lines().flat_map(txt).collect(),
        Format::Prop => answer.lines().map(prop).collect(),
        Format::Xml => answer.lines().map(xml).collect(),
    }
}

/// A line of `txt`: its label, then its pairs with their quotes.
fn txt(line: &str) -> Vec<String> {
    let Some((label, mut rest)) = line.split_once(": ") else { return vec![line.to_owned()] };
    let mut out = vec![format!("[{label}]")];
    let head = matches!(label, "Server" | "Time" | "Software");
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = if let Some(quoted) = after.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            (&after[..end + 2], quoted.get(end + 2..).unwrap_or_default())
        } else {
            after.split_once(' ').unwrap_or((after, ""))
        };
        out.push(format!("{key}={}", class(key, value, head)));
        rest = next;
    }
    out
}

fn prop(line: &str) -> String {
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    let key = name.rsplit('.').next().unwrap_or(name);
    let head = name.matches('.').count() == 1;
    let bare = ["server_", "time_"].iter().find_map(|start| key.strip_prefix(start)).filter(|_| head);
    format!("{name}={}", class(bare.unwrap_or(key), value, head))
}

/// A line of `xml` with its indentation.
fn xml(line: &str) -> String {
    let Some((key, value)) = line.trim_start().split_once("=\"") else { return line.to_owned() };
    let indent = line.len() - line.trim_start().len();
    let head = indent == 2;
    format!("{:indent$}{key}=\"{}", "", class(key, value, head))
}

/// The class of a value. Quotes around it stay.
fn class(key: &str, value: &str, head: bool) -> String {
    if head && HEAD.contains(&key) || matches!(key, "tz" | "error_time_tz") {
        return "*".to_owned();
    }
    if VARYING.contains(&key) {
        let text = value.trim_matches('"');
        let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        return if number { value.replace(text, "N") } else { format!("no number: {value}") };
    }
    if DIGITS.contains(&key) {
        let mut out = String::new();
        for c in value.chars() {
            match c {
                '0'..='9' if out.ends_with('N') => {}
                '0'..='9' => out.push('N'),
                c => out.push(c),
            }
        }
        return out;
    }
    value.to_owned()
}

/// The key of a reduced line.
fn key(line: &str) -> &str {
    let name = line.trim_start().split_once('=').map_or("", |(name, _)| name);
    name.rsplit('.').next().unwrap_or(name)
}

/// All differences between an answer of mod_jk and one of this module, as text; empty: none. Lines that only this module
/// writes are allowed when their key is new, or when they repeat a key under the right name (`prop`, members).
pub fn differences(format: Format, theirs: &str, ours: &str) -> Vec<String> {
    let (theirs, ours) = (reduce(format, theirs), reduce(format, ours));
    let mut found = Vec::new();
    let mut at = 0;
    for line in &ours {
        if theirs.get(at) == Some(line) {
            at += 1;
            continue;
        }
        let corrected = format == Format::Prop
            && (key(line).starts_with("error_time_") || key(line).starts_with("last_reset_"));
        if !ADDED.contains(&key(line)) && !corrected {
            found.push(format!("theirs: {:?}, ours: {line:?}", theirs.get(at)));
            at += 1;
        }
    }
    found.extend(theirs.iter().skip(at).map(|line| format!("theirs only: {line:?}")));
    found
}
