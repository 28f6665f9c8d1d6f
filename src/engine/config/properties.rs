//! All properties of a configuration by their full names.
//!
//! Values are final: variables are replaced, repetitions joined, references resolved. Each value knows the lines it comes
//! from. Made by [`super::loader::Loader`]; variables (names that do not begin with `worker.`) are in it too.

use std::collections::HashMap;
use std::fmt;

use super::defs;
use super::diagnostic::Origin;
use super::value;

/// Shown instead of a value that is, contains or makes up a secret.
pub const MASK: &str = "********";

/// Who defined a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A directive of httpd's configuration.
    Directive,
    /// The module.
    Builtin,
    /// The properties file.
    File,
}

/// A piece of a value, from one line.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// One property.
#[derive(Clone)]
pub struct Property {
    pub(super) name: String,
    /// `parts` joined.
    pub(super) value: String,
    /// In the order of their lines; never empty.
    pub(super) parts: Vec<Part>,
    /// Line of the first part.
    pub(super) origin: Origin,
    pub(super) source: Source,
    pub(super) inherited: bool,
    /// Variables used in the value.
    pub(super) variables: Vec<String>,
    /// Used in the value of a secret.
    pub(super) in_secret: bool,
}

impl Property {
    pub(super) fn new(name: &str, part: Part, source: Source) -> Self {
        Self {
            name: name.to_owned(),
            value: part.text.clone(),
            origin: part.origin.clone(),
            parts: vec![part],
            source,
            inherited: false,
            variables: Vec::new(),
            in_secret: false,
        }
    }

    /// Full name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Value, never empty. May be a secret: do not show it without asking [`Properties::masked`].
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The line it was (first) written in; for an inherited property the line of the template.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// It was not written for this worker but comes from its template.
    pub fn is_inherited(&self) -> bool {
        self.inherited
    }

    /// The items of a list, each with the line it was written in.
    pub fn items(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.parts.iter().flat_map(|part| value::list(&part.text).map(move |item| (item, &part.origin)))
    }
}

/// The name only: the value may be a secret.
impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.origin)
    }
}

/// All properties of a configuration, in the order of their definition, inherited ones last.
#[derive(Debug, Clone, Default)]
pub struct Properties {
    entries: Vec<Property>,
    index: HashMap<String, usize>,
}

impl Properties {
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    pub(super) fn at_mut(&mut self, position: usize) -> Option<&mut Property> {
        self.entries.get_mut(position)
    }

    /// Adds a property; one of the same name keeps its place and is replaced.
    pub(super) fn put(&mut self, property: Property) {
        match self.index.get(&property.name).and_then(|at| self.entries.get_mut(*at)) {
            Some(entry) => *entry = property,
            None => {
                self.index.insert(property.name.clone(), self.entries.len());
                self.entries.push(property);
            }
        }
    }

    /// The property with that full name.
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.entries.get(self.position(name)?)
    }

    /// The property `worker.<worker>.<name>`.
    pub fn of_worker(&self, worker: &str, name: &str) -> Option<&Property> {
        self.get(&format!("worker.{worker}.{name}"))
    }

    /// All properties, in the order of their definition, inherited ones last.
    pub fn iter(&self) -> std::slice::Iter<'_, Property> {
        self.entries.iter()
    }

    /// All properties as names and values for a page or a log. Secrets, everything that contains one, and variables that
    /// are part of one are replaced by [`MASK`].
    pub fn masked(&self) -> impl Iterator<Item = (&str, &str)> {
        let secrets: Vec<&str> =
            self.entries.iter().filter(|p| defs::is_secret(&p.name)).map(|p| p.value.as_str()).collect();
        self.entries.iter().map(move |property| {
            let hidden = property.in_secret || secrets.iter().any(|secret| property.value.contains(secret));
            (property.name.as_str(), if hidden { MASK } else { property.value.as_str() })
        })
    }
}
