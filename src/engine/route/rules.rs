//! Mapping rules as the administrator writes them, and the set of them a server ends up with.
//!
//! [`Mounts`] collects the `JkMount` and `JkUnMount` directives of one server; rules of a mount file and of
//! `worker.NAME.mount` are read one by one. All end as [`RuleSpec`]s, the input of `UriMap::build`. Sources: `jk_mount_context` and
//! `merge_jk_config` in mod_jk.c, `uri_worker_map_add` and `uri_worker_map_open` in jk_uri_worker_map.c.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::extensions::{Complaint, Extensions};
use super::wildcard::is_wild;
use crate::engine::http1::rewrite::Mapping;

/// Where a rule comes from; of two rules that are alike the earlier of these sources wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A line of the mount file.
    MountFile,
    /// `JkMount` or `JkUnMount`.
    Directive,
    /// `worker.NAME.mount`.
    WorkerDef,
}

/// What a rule does with the paths it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sends them to its worker.
    Mount,
    /// Takes them away from its worker, or from all workers when that is `*`.
    Exclusion,
}

/// The place in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// File name, empty when unknown.
    pub file: Arc<str>,
    /// Line from 1; 0 when unknown.
    pub line: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSpec {
    /// Begins with `/`; without wildcards it stands for itself alone.
    pub pattern: Box<[u8]>,
    /// Name of the worker, not checked against the workers there are.
    pub worker: Box<[u8]>,
    /// Mount or exclusion.
    pub kind: Kind,
    /// Written with a minus sign: shown, but without effect.
    pub disabled: bool,
    /// Where it comes from.
    pub source: Source,
    /// Order of definition within its source.
    pub order: u32,
    /// What it changes for the requests it maps.
    pub extensions: Extensions,
    /// Where it was read.
    pub origin: Origin,
}

impl RuleSpec {
    /// What the extension `path` says of this rule; `None`: it has none, or one that can not be used (an error at the
    /// start). The part of the pattern that is replaced is what stands before its first wildcard, up to a slash.
    pub fn rewriting(&self) -> Option<Mapping<'_>> {
        Mapping::new(self.fixed(), self.extensions.path.as_deref()?)
    }

    /// The fixed part of the pattern: whole segments before the first wildcard.
    fn fixed(&self) -> &[u8] {
        let wildcard = self.pattern.iter().position(|octet| matches!(octet, b'*' | b'?'));
        let Some(before) = wildcard.and_then(|at| self.pattern.get(..at)) else { return &self.pattern };
        let slash = memchr::memrchr(b'/', before).unwrap_or(0);
        before.get(..=slash).unwrap_or(before)
    }
}

/// Why a rule was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleError {
    /// The pattern does not begin with `/`.
    NotAbsolute,
    /// There is no worker name.
    NoWorker,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "the pattern does not begin with '/'",
            Self::NoWorker => "no worker is named",
        })
    }
}

/// A worker specification taken apart: `worker;name=value;...`, blanks around the name dropped.
///
/// # Errors
/// [`RuleError::NoWorker`].
pub fn worker_spec(text: &[u8]) -> Result<(&[u8], Extensions, Vec<Complaint>), RuleError> {
    let (name, rest) = match memchr::memchr(b';', text).and_then(|at| text.split_at_checked(at)) {
        Some((name, rest)) => (name, rest.get(1..).unwrap_or_default()),
        None => (text, &b""[..]),
    };
    let name = name.trim_ascii();
    if name.is_empty() {
        return Err(RuleError::NoWorker);
    }
    let (extensions, complaints) = Extensions::parse(rest);
    Ok((name, extensions, complaints))
}

/// The patterns that a written one stands for: `X|Y` for `X` and `XY`, anything else for itself.
pub fn expand(pattern: &[u8]) -> impl Iterator<Item = Box<[u8]>> {
    let parts = memchr::memchr(b'|', pattern).and_then(|at| pattern.split_at_checked(at));
    let (first, second) = match parts {
        Some((short, rest)) => {
            (short.into(), Some([short, rest.get(1..).unwrap_or_default()].concat().into()))
        }
        None => (pattern.into(), None),
    };
    std::iter::once(first).chain(second)
}

/// The `JkMount` and `JkUnMount` directives of one server.
#[derive(Debug, Clone, Default)]
pub struct Mounts {
    entries: Vec<Entry>,
    /// Place of the entry with this kind and written pattern.
    places: HashMap<(Kind, Box<[u8]>), usize>,
}

#[derive(Debug, Clone)]
struct Entry {
    kind: Kind,
    pattern: Box<[u8]>,
    worker: Box<[u8]>,
    extensions: Extensions,
    origin: Origin,
}

impl Mounts {
    /// Adds `JkMount` or `JkUnMount` with the pattern (in a section: the section's argument) and the worker
    /// specification as written. One with the same kind and pattern text is replaced and keeps its place.
    /// Extensions of an exclusion are read and have no effect.
    ///
    /// # Errors
    /// A configuration error; nothing was added.
    pub fn add(
        &mut self,
        kind: Kind,
        pattern: &[u8],
        worker: &[u8],
        origin: Origin,
    ) -> Result<Vec<Complaint>, RuleError> {
        if !pattern.starts_with(b"/") {
            return Err(RuleError::NotAbsolute);
        }
        let (worker, extensions, complaints) = worker_spec(worker)?;
        self.put(Entry { kind, pattern: pattern.into(), worker: worker.into(), extensions, origin });
        Ok(complaints)
    }

    /// The mounts of a virtual host that copies those of the main server: its own, then each of the main server's whose
    /// key it lacks. Keys are compared as written, so `/a/*` does not replace a half of `/a|/*`.
    pub fn with_main(&self, main: &Self) -> Self {
        let mut all = self.clone();
        for entry in &main.entries {
            if !self.places.contains_key(&(entry.kind, entry.pattern.clone())) {
                all.put(entry.clone());
            }
        }
        all
    }

    /// The rules these directives stand for, in order.
    pub fn rules(&self) -> Vec<RuleSpec> {
        let halves =
            self.entries.iter().flat_map(|entry| expand(&entry.pattern).map(move |pattern| (entry, pattern)));
        halves
            .zip(0..)
            .map(|((entry, pattern), order)| RuleSpec {
                pattern,
                worker: entry.worker.clone(),
                kind: entry.kind,
                disabled: false,
                source: Source::Directive,
                order,
                extensions: entry.extensions.clone(),
                origin: entry.origin.clone(),
            })
            .collect()
    }

    /// There is no directive.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn put(&mut self, entry: Entry) {
        let key = (entry.kind, entry.pattern.clone());
        let place = *self.places.entry(key).or_insert(self.entries.len());
        match self.entries.get_mut(place) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }
}

/// Which map a virtual host uses.
#[derive(Debug, Clone)]
pub enum Inherited {
    /// One of its own, with these directives. The mount file is its own; with copying, the main server's if it has none.
    Own(Mounts),
    /// The main server's, with its mount file and the rules of `worker.NAME.mount`.
    Main,
    /// None: no request of this host is mapped.
    None,
}

/// Decides on the map of a virtual host. `own`: its directives, `None` if it has neither `JkMount`, `JkUnMount` nor
/// `JkMountFile`. `copy`: see [`copies_main`]. Where the directives stand in the file makes no difference.
pub fn inherit(own: Option<&Mounts>, main: &Mounts, copy: bool) -> Inherited {
    match (own, copy) {
        (Some(own), true) => Inherited::Own(own.with_main(main)),
        (Some(own), false) => Inherited::Own(own.clone()),
        (None, true) => Inherited::Main,
        (None, false) => Inherited::None,
    }
}

/// The effective `JkMountCopy` of a virtual host: its own setting, else on if the main server says `All`.
pub fn copies_main(own: Option<bool>, main_says_all: bool) -> bool {
    own.unwrap_or(main_says_all)
}

/// Reads `key=value` of a mount file and appends its rules; `order` counts the rules of the file.
///
/// The key may begin with `-` (disabled), then `!` (exclusion). A pattern that begins with a wildcard, which the mod_jk
/// documentation allows and mod_jk drops, is taken as if a `/` stood before it: an exclusion must never get lost.
///
/// # Errors
/// The line is no rule; nothing was added.
pub fn mount_file_rule(
    key: &[u8],
    value: &[u8],
    origin: &Origin,
    order: &mut u32,
    rules: &mut Vec<RuleSpec>,
) -> Result<Vec<Complaint>, RuleError> {
    let (disabled, kind, pattern) = prefixes(key);
    let (worker, extensions, mut complaints) = worker_spec(value)?;
    let mut rooted = Vec::new();
    let pattern = match pattern.first() {
        Some(b'/') => pattern,
        Some(&first) if is_wild(first) => {
            complaints.push(Complaint::SlashAdded);
            rooted.push(b'/');
            rooted.extend_from_slice(pattern);
            &rooted
        }
        _ => return Err(RuleError::NotAbsolute),
    };
    for pattern in expand(pattern) {
        rules.push(RuleSpec {
            pattern,
            worker: worker.into(),
            kind,
            disabled,
            source: Source::MountFile,
            order: *order,
            extensions: extensions.clone(),
            origin: origin.clone(),
        });
        *order = order.saturating_add(1);
    }
    Ok(complaints)
}

/// Reads one pattern of `worker.NAME.mount`. It may begin with `-` and `!` as in the mount file; `|` and extensions are
/// not known here.
///
/// # Errors
/// A configuration error.
pub fn worker_rule(pattern: &[u8], worker: &[u8], order: u32, origin: Origin) -> Result<RuleSpec, RuleError> {
    let (disabled, kind, pattern) = prefixes(pattern);
    if !pattern.starts_with(b"/") {
        return Err(RuleError::NotAbsolute);
    }
    Ok(RuleSpec {
        pattern: pattern.into(),
        worker: worker.into(),
        kind,
        disabled,
        source: Source::WorkerDef,
        order,
        extensions: Extensions::default(),
        origin,
    })
}

/// Disabled or not, kind, and the pattern behind these marks. A `-` behind `!` is no mark.
fn prefixes(key: &[u8]) -> (bool, Kind, &[u8]) {
    let (disabled, key) = key.strip_prefix(b"-").map_or((false, key), |rest| (true, rest));
    let (kind, key) = key.strip_prefix(b"!").map_or((Kind::Mount, key), |rest| (Kind::Exclusion, rest));
    (disabled, kind, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts(list: &[(Kind, &str, &str)]) -> Mounts {
        let mut mounts = Mounts::default();
        for (kind, pattern, worker) in list {
            mounts.add(*kind, pattern.as_bytes(), worker.as_bytes(), Origin::default()).unwrap();
        }
        mounts
    }

    fn shown(mounts: &Mounts) -> Vec<String> {
        let text = |rule: &RuleSpec| {
            let mark = if rule.kind == Kind::Exclusion { "!" } else { "" };
            format!("{mark}{}={}", rule.pattern.escape_ascii(), rule.worker.escape_ascii())
        };
        mounts.rules().iter().map(text).collect()
    }

    const M: Kind = Kind::Mount;
    const X: Kind = Kind::Exclusion;

    #[test]
    fn the_same_key_replaces_the_value_and_keeps_the_place() {
        let mounts =
            mounts(&[(M, "/a", "w1"), (M, "/b", "w1"), (X, "/a", "w1"), (M, "/a", "w2"), (X, "/a", "*")]);
        assert_eq!(shown(&mounts), ["/a=w2", "/b=w1", "!/a=*"]);
        let orders: Vec<u32> = mounts.rules().iter().map(|rule| rule.order).collect();
        assert_eq!(orders, [0, 1, 2]);
    }

    #[test]
    fn a_bar_makes_two_rules() {
        assert_eq!(shown(&mounts(&[(M, "/a|b|c", "w")])), ["/a=w", "/ab|c=w"]);
        assert_eq!(shown(&mounts(&[(X, "/app|/*", "w")])), ["!/app=w", "!/app/*=w"]);
    }

    #[test]
    fn worker_specifications_are_trimmed_and_taken_apart() {
        let (name, extensions, complaints) = worker_spec(b" w1 ; reply_timeout=5").unwrap();
        assert_eq!((name, extensions.reply_timeout, complaints.len()), (&b"w1"[..], Some(5), 0));
        assert_eq!(worker_spec(b";reply_timeout=5").unwrap_err(), RuleError::NoWorker);
    }

    #[test]
    fn patterns_of_directives_begin_with_a_slash() {
        for pattern in ["a", "*.jsp", "!/a", "-/a", ""] {
            let refused = Mounts::default().add(M, pattern.as_bytes(), b"w", Origin::default());
            assert_eq!(refused, Err(RuleError::NotAbsolute), "{pattern}");
        }
    }

    #[test]
    fn a_virtual_host_copies_what_it_lacks() {
        let main = mounts(&[(M, "/g/*", "w1"), (M, "/g|/*", "w1"), (X, "/x", "w1"), (M, "/y", "w1")]);
        let own = mounts(&[(M, "/g/*", "w2"), (M, "/x", "w2")]);
        let Inherited::Own(merged) = inherit(Some(&own), &main, true) else { panic!("own map expected") };
        assert_eq!(shown(&merged), ["/g/*=w2", "/x=w2", "/g=w1", "/g/*=w1", "!/x=w1", "/y=w1"]);
        let Inherited::Own(alone) = inherit(Some(&own), &main, false) else { panic!("own map expected") };
        assert_eq!(shown(&alone), ["/g/*=w2", "/x=w2"]);
        assert!(matches!(inherit(None, &main, true), Inherited::Main));
        assert!(matches!(inherit(None, &main, false), Inherited::None));
        assert_eq!(
            [copies_main(Some(false), true), copies_main(None, true), copies_main(None, false)],
            [false, true, false]
        );
    }

    #[test]
    fn lines_of_a_mount_file() {
        let read = |key: &str, value: &str| {
            let (mut order, mut rules) = (7, Vec::new());
            let complaints = mount_file_rule(
                key.as_bytes(),
                value.as_bytes(),
                &Origin::default(),
                &mut order,
                &mut rules,
            )?;
            let list: Vec<_> = rules
                .iter()
                .map(|rule| (rule.disabled, rule.kind, rule.pattern.escape_ascii().to_string(), rule.order))
                .collect();
            Ok::<_, RuleError>((list, complaints))
        };
        let plain = |disabled, kind, pattern: &str, order| (disabled, kind, pattern.to_owned(), order);
        assert_eq!(read("/a|/*", "w").unwrap().0, [plain(false, M, "/a", 7), plain(false, M, "/a/*", 8)]);
        assert_eq!(read("-/a", "w").unwrap().0, [plain(true, M, "/a", 7)]);
        assert_eq!(read("!/a", "w").unwrap().0, [plain(false, X, "/a", 7)]);
        assert_eq!(read("-!/a", "w").unwrap().0, [plain(true, X, "/a", 7)]);
        let (rules, complaints) = read("!*.html", "*").unwrap();
        assert_eq!((rules, complaints), (vec![plain(false, X, "/*.html", 7)], vec![Complaint::SlashAdded]));
        assert_eq!(read("!-/a", "w"), Err(RuleError::NotAbsolute));
        assert_eq!(read("w", "w2"), Err(RuleError::NotAbsolute));
        assert_eq!(read("/a", " "), Err(RuleError::NoWorker));
    }

    #[test]
    fn the_fixed_part_of_a_pattern_is_replaced() {
        for (pattern, path, asked, wanted) in [
            ("/a/*", "/b", "/a/x", Some("/b/x")),
            ("/a", "/b/c", "/a", Some("/b/c")),
            ("/a/b*", "/c", "/a/bx", Some("/c/bx")),
            ("/a/*.jsp", "/", "/a/x.jsp", Some("/x.jsp")),
            ("/*.jsp", "/b", "/x.jsp", Some("/b/x.jsp")),
            ("/a/?/c", "/b/", "/a/x/c", Some("/b/x/c")),
            ("/*", "b", "/x", None),
            ("/a%20b/*", "/c", "/a b/x", None),
        ] {
            let (mut order, mut rules) = (0, Vec::new());
            let value = format!("w;path={path}");
            let origin = Origin::default();
            mount_file_rule(pattern.as_bytes(), value.as_bytes(), &origin, &mut order, &mut rules).unwrap();
            let found = rules[0].rewriting().and_then(|mapping| mapping.inward(asked.as_bytes()));
            assert_eq!(found.as_deref(), wanted.map(str::as_bytes), "{pattern} {path}");
        }
    }

    #[test]
    fn mounts_of_a_worker_are_taken_literally() {
        let rule = worker_rule(b"-!/a|b", b"w", 3, Origin::default()).unwrap();
        assert_eq!((rule.disabled, rule.kind, &*rule.pattern), (true, X, &b"/a|b"[..]));
        assert_eq!(worker_rule(b"m/*", b"w", 0, Origin::default()), Err(RuleError::NotAbsolute));
    }
}
