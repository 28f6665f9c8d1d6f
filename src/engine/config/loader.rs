//! Reads properties: directives first, then built-in variables, then the file.
//!
//! The file is not a Java properties file. A line is cut at the first `#`, trimmed, and split at the first `=`; lines
//! without name, `=` or value mean nothing. There is no continuation, no quoting and no escape. Names are case-sensitive.
//! Variables `$(name)` are replaced while reading; a property given twice is joined or replaced, see
//! [`super::defs::Repeat`]. Behaves as `jk_map_read_properties` of mod_jk, except that a byte order mark is skipped, that a
//! line longer than 8191 bytes is an error instead of two lines, and that single values given twice are never joined.

use super::defs::{self, Repeat, Standing};
use super::diagnostic::{Diagnostics, Origin, quoted};
use super::properties::{Part, Properties, Property, Source};
use super::variables::{self, Expanded};
use super::{references, twins};

/// Longest line without its comment, in bytes.
pub const LONGEST_LINE: usize = 8191;

/// Collects properties. Call the methods in the order [`Loader::directive`], [`Loader::builtin`], [`Loader::file`], then
/// [`Loader::finish`].
pub struct Loader<'e> {
    environment: &'e dyn Fn(&str) -> Option<String>,
    properties: Properties,
    diagnostics: Diagnostics,
}

impl std::fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader").field("properties", &self.properties).finish_non_exhaustive()
    }
}

impl<'e> Loader<'e> {
    /// No properties yet. `environment` gives the values of environment variables.
    pub fn new(environment: &'e dyn Fn(&str) -> Option<String>) -> Self {
        Self { environment, properties: Properties::default(), diagnostics: Diagnostics::new() }
    }

    /// The argument of a directive `JkWorkerProperty`: one line, in which `#` begins no comment.
    pub fn directive(&mut self, line: &[u8], origin: Origin) {
        self.line(line, origin, Source::Directive);
    }

    /// A variable of the module; replaces a property of that name. An empty value defines nothing.
    pub fn builtin(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            let part = Part { text: value.to_owned(), origin: Origin::builtin() };
            self.properties.put(Property::new(name, part, Source::Builtin));
        }
    }

    /// The content of a properties file.
    pub fn file(&mut self, name: &str, content: &[u8]) {
        let name: std::sync::Arc<str> = name.into();
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let mut number = 0_u32;
        for line in content.split(|b| *b == b'\n') {
            number = number.saturating_add(1);
            self.line(line, Origin::new(name.clone(), number), Source::File);
        }
    }

    /// Resolves references, adds the workers that `http_port` stands for, and gives the result.
    pub fn finish(mut self) -> (Properties, Diagnostics) {
        references::resolve(&mut self.properties, &mut self.diagnostics);
        twins::add(&mut self.properties, &mut self.diagnostics);
        (self.properties, self.diagnostics)
    }

    fn line(&mut self, line: &[u8], origin: Origin, source: Source) {
        let (line, cut) = match (source, memchr::memchr(b'#', line)) {
            (Source::File, Some(at)) => line.split_at_checked(at).unwrap_or((line, b"")),
            _ => (line, &b""[..]),
        };
        let glued_comment = !cut.is_empty() && line.last().is_some_and(|b| !is_space(*b));
        let line = trim(line);
        if line.len() > LONGEST_LINE {
            let message = format!("line has {} bytes; at most {LONGEST_LINE} are possible", line.len());
            self.diagnostics.error(&origin, message);
            return;
        }
        let Some((name, value)) = split(line) else { return };
        let (Ok(name), Ok(value)) = (str::from_utf8(name), str::from_utf8(value)) else {
            self.diagnostics.error(&origin, "the line is not UTF-8");
            return;
        };
        if [name, value].iter().any(|text| text.bytes().any(|b| b.is_ascii_control() && b != b'\t')) {
            self.diagnostics.error(&origin, "the line contains a control character");
            return;
        }
        if !self.name_is_valid(name, &origin) {
            return;
        }
        // A secret that is cut by accident is hard to find; other values rarely contain a '#'.
        if glued_comment && (defs::is_secret(name) || !name.starts_with("worker.")) {
            let message = format!("{}: the value ends at the '#', which begins a comment", quoted(name));
            self.diagnostics.warning(&origin, message);
        }
        let expanded = self.expand(name, value, &origin);
        if expanded.text.is_empty() {
            let message = format!("{} is ignored: its variables are empty", quoted(name));
            self.diagnostics.warning(&origin, message);
            return;
        }
        self.define(name, expanded, origin, source);
    }

    /// Reports what is wrong with a name; true when the property can be stored.
    fn name_is_valid(&mut self, name: &str, origin: &Origin) -> bool {
        if let Some(problem) = unknown_property(name) {
            self.diagnostics.error(origin, problem);
            return false;
        }
        let lower = name.to_ascii_lowercase();
        if !name.starts_with("worker.") && (lower.starts_with("worker.") || lower.starts_with("workers.")) {
            let message =
                format!("{} only defines a variable; properties begin with 'worker.'", quoted(name));
            self.diagnostics.warning(origin, message);
        }
        // As in mod_jk any name with a dot is looked at, since templates may begin with any text.
        let known = name.rsplit_once('.').and_then(|(_, last)| defs::find(last));
        if let Some(Standing::Deprecated(instead)) = known.map(|def| def.standing) {
            self.diagnostics.warning(origin, format!("{} is deprecated: {instead}", quoted(name)));
        }
        true
    }

    fn expand(&mut self, name: &str, value: &str, origin: &Origin) -> Expanded {
        let environment = self.environment;
        let properties = &self.properties;
        let expanded = variables::expand(value, |variable| {
            properties.get(variable).map(|p| p.value().to_owned()).or_else(|| environment(variable))
        });
        for problem in &expanded.problems {
            // The text in $() may be part of a secret that just happens to contain these characters.
            let what = if defs::is_secret(name) { "a '$(' in it is not a variable" } else { problem };
            self.diagnostics.warning(origin, format!("{}: {what}", quoted(name)));
        }
        expanded
    }

    fn define(&mut self, name: &str, expanded: Expanded, origin: Origin, source: Source) {
        if defs::is_secret(name) {
            self.hide(expanded.used.clone());
        }
        let part = Part { text: expanded.text, origin };
        let mut property = Property::new(name, part, source);
        property.variables = expanded.used;
        if let Some(old) = self.properties.get(name) {
            match defs::repeat_of(name) {
                Repeat::Replace => {
                    property.in_secret = old.in_secret;
                    let message = replaced(old, &property);
                    self.diagnostics.warning(&property.origin, message);
                }
                Repeat::Join(joiner) => {
                    if old.source != source {
                        let message = format!(
                            "{} is added to the list given at {} by a directive or the module",
                            quoted(name),
                            old.origin
                        );
                        self.diagnostics.warning(&property.origin, message);
                    }
                    property = joined(old, property, joiner);
                }
            }
        }
        self.properties.put(property);
    }

    /// Marks variables, and the variables they were made of, as parts of a secret.
    fn hide(&mut self, mut names: Vec<String>) {
        while let Some(name) = names.pop() {
            let position = self.properties.position(&name);
            if let Some(variable) = position.and_then(|at| self.properties.at_mut(at))
                && !variable.in_secret
            {
                variable.in_secret = true;
                names.extend(variable.variables.iter().cloned());
            }
        }
    }
}

/// Why the argument of a directive `JkWorkerProperty` must be refused at once, so that httpd names its line: the property
/// does not exist. Everything else is reported by [`Loader`].
///
/// # Errors
/// The message for the administrator.
pub fn check_directive(line: &[u8]) -> Result<(), String> {
    let name = split(trim(line)).and_then(|(name, _)| str::from_utf8(name).ok());
    name.and_then(unknown_property).map_or(Ok(()), Err)
}

/// A message when `name` begins like a property but is none.
fn unknown_property(name: &str) -> Option<String> {
    let rest = name.strip_prefix("worker.")?;
    let last = defs::last_part(rest);
    if defs::find(last).is_some() {
        return None;
    }
    let hint = match defs::suggest(last) {
        Some(near) => format!("; did you mean '{near}'?"),
        None => String::new(),
    };
    Some(format!("unknown property {}{hint}", quoted(name)))
}

fn replaced(old: &Property, new: &Property) -> String {
    let name = quoted(&new.name);
    let place = &old.origin;
    // Variables may be parts of a secret.
    if defs::is_secret(&new.name) || !new.name.starts_with("worker.") {
        format!("{name} was already set at {place}; this value is used")
    } else {
        let (old, new) = (quoted(&old.value), quoted(&new.value));
        format!("{name} was already set to {old} at {place}; {new} is used")
    }
}

fn joined(old: &Property, new: Property, joiner: &str) -> Property {
    let mut both = old.clone();
    both.value.push_str(joiner);
    both.value.push_str(&new.value);
    both.parts.extend(new.parts);
    both.variables.extend(new.variables);
    both.source = new.source;
    both
}

/// Name and value of a trimmed line; `None` when it has none.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', line)?;
    let (name, value) = (trim(line.get(..at)?), trim(line.get(at + 1..)?));
    (!name.is_empty() && !value.is_empty()).then_some((name, value))
}

/// White space of C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}

#[cfg(test)]
#[path = "loader_tests.rs"]
mod tests;
