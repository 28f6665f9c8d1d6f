//! Problems found in the configuration, each with the line that caused it.
//!
//! Reading and resolving never stop at the first problem: everything is gathered here, so that one configuration test
//! shows an administrator all mistakes. Texts that come from a file are printed by `quoted`, which keeps control
//! characters and overlong values out of the log.

use std::fmt;
use std::sync::Arc;

/// Longest piece of a value shown in a message, in characters.
const QUOTE_LIMIT: usize = 100;

/// Where a piece of configuration was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Name of the file as the administrator knows it.
    pub file: Arc<str>,
    /// Line in the file, counted from 1; 0 when the configuration was not written in a file.
    pub line: u32,
}

impl Origin {
    /// A line of a file.
    pub fn new(file: impl Into<Arc<str>>, line: u32) -> Self {
        Self { file: file.into(), line }
    }

    /// The module itself: defaults and built-in variables.
    pub fn builtin() -> Self {
        Self::new("built-in", 0)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        Ok(())
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration works, perhaps not as it was meant.
    Warning,
    /// The configuration must be refused.
    Error,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the configuration can be used.
    pub severity: Severity,
    /// The line to look at.
    pub origin: Origin,
    /// What is wrong and, where possible, what to write instead. Never contains a secret.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// All problems found so far, in the order they were found.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Nothing found yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a problem that makes the configuration unusable.
    pub fn error(&mut self, origin: &Origin, message: impl Into<String>) {
        self.add(Severity::Error, origin, message.into());
    }

    /// Adds a problem the administrator should know of.
    pub fn warning(&mut self, origin: &Origin, message: impl Into<String>) {
        self.add(Severity::Warning, origin, message.into());
    }

    /// Adds everything another step has found.
    pub fn append(&mut self, other: Self) {
        self.found.extend(other.found);
    }

    fn add(&mut self, severity: Severity, origin: &Origin, message: String) {
        self.found.push(Diagnostic { severity, origin: origin.clone(), message });
    }

    /// True when the configuration must be refused.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|d| d.severity == Severity::Error)
    }

    /// The problems, in the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.found.iter()
    }

    /// Nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.found.into_iter()
    }
}

/// `text` for a message: in single quotes, shortened, control characters escaped.
pub(crate) fn quoted(text: &str) -> Quoted<'_> {
    Quoted(text)
}

/// See [`quoted`].
pub(crate) struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'")?;
        for (at, c) in self.0.chars().enumerate() {
            if at == QUOTE_LIMIT {
                f.write_str("...")?;
                break;
            }
            if c.is_control() {
                write!(f, "{}", c.escape_debug())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        f.write_str("'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_file_and_line() {
        let mut all = Diagnostics::new();
        all.warning(&Origin::builtin(), "no list");
        assert!(!all.has_errors());
        all.error(&Origin::new("workers.properties", 7), "bad");
        assert!(all.has_errors());
        let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["built-in: no list", "workers.properties:7: bad"]);
    }

    #[test]
    fn quoting_cannot_break_a_log_line() {
        assert_eq!(quoted("a\r\nb").to_string(), r"'a\r\nb'");
        let long = quoted(&"x".repeat(500)).to_string();
        assert_eq!(long.len(), QUOTE_LIMIT + 5);
        assert!(long.ends_with("...'"));
    }
}
