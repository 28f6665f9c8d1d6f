//! The URI map of a server at work: the rules with the workers they lead to, and the mount file they may be read from again.
//!
//! A map is immutable. A new mount file makes a new map; requests that began with the old one keep it until they end. A mount
//! file that has become unusable changes nothing but a line in the log, once for each change of the file.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, RwLock};

use crate::engine::config::diagnostic::{Diagnostics, Origin};
use crate::engine::route::matcher::{RuleId, UriMap};
use crate::engine::route::mount_file;
use crate::engine::route::rules::RuleSpec;
use crate::engine::units::Tick;
use crate::ffi::pool::Pool;

/// A URI map with the workers its rules lead to.
#[derive(Debug)]
pub struct Mapping {
    /// The rules.
    pub map: UriMap,
    /// For each rule the place of its worker; `None`: no such worker.
    targets: Vec<Option<usize>>,
}

impl Mapping {
    /// Looks up the worker of every rule with `find`.
    pub fn new(map: UriMap, find: impl Fn(&[u8]) -> Option<usize>) -> Self {
        let mut targets = vec![None; map.rules().count()];
        for (id, rule) in map.rules() {
            if let Some(target) = targets.get_mut(id.index()) {
                *target = find(&rule.worker);
            }
        }
        Self { map, targets }
    }

    /// The place of the worker of a rule.
    pub fn target(&self, rule: RuleId) -> Option<usize> {
        self.targets.get(rule.index()).copied().flatten()
    }
}

/// The map of a server, with what it takes to make it anew.
#[derive(Debug)]
pub struct Maps {
    fixed: Mapping,
    file: Option<Watched>,
}

/// A mount file.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    /// Rules from directives and worker properties.
    others: Vec<RuleSpec>,
    /// Names of the workers, by their place.
    workers: Vec<Option<Box<[u8]>>>,
    current: RwLock<Arc<Mapping>>,
    looked: AtomicU64,
    /// What the file looked like when it was read last, whether with success or not.
    seen: Mutex<Option<SystemTime>>,
}

/// News from a look at the mount file.
pub enum News {
    /// New rules are in force: so many.
    Reloaded(usize, Diagnostics),
    /// The file cannot be used; the rules stay as they were.
    Kept(Diagnostics),
}

impl Maps {
    /// A map without a mount file.
    pub fn fixed(rules: Vec<RuleSpec>, workers: &[Option<Box<[u8]>>]) -> Self {
        Self { fixed: build(rules, workers), file: None }
    }

    /// A map with the rules of a mount file. If it cannot be used, its rules are missing until it is good.
    pub fn with_file(
        others: Vec<RuleSpec>,
        path: PathBuf,
        workers: Vec<Option<Box<[u8]>>>,
        found: &mut Diagnostics,
        now: Tick,
    ) -> Self {
        let seen = modified(&path);
        let mut problems = Diagnostics::new();
        let mut rules = read(&path, &mut problems);
        if problems.has_errors() {
            rules.clear();
        }
        found.append(problems);
        rules.extend(others.iter().cloned());
        let current = RwLock::new(Arc::new(build(rules, &workers)));
        Self {
            fixed: build(Vec::new(), &[]),
            file: Some(Watched {
                path,
                others,
                workers,
                current,
                looked: AtomicU64::new(now.0),
                seen: Mutex::new(seen),
            }),
        }
    }

    /// The map for a request, alive as long as `pool`.
    pub fn current<'p>(&'p self, pool: Pool<'p>) -> &'p Mapping {
        match &self.file {
            None => &self.fixed,
            Some(file) => {
                let kept: &'p Arc<Mapping> = pool.keep(Arc::clone(&file.current.read()));
                kept
            }
        }
    }

    /// Looks at the mount file when more than `interval` has passed since the last look of this process.
    pub fn refresh(&self, interval: Duration, now: impl FnOnce() -> Tick) -> Option<News> {
        let file = self.file.as_ref()?;
        if interval.is_zero() {
            return None;
        }
        let now = now();
        let last = file.looked.load(Ordering::Relaxed);
        if now.since(Tick(last)) <= interval
            || file.looked.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return None;
        }
        let time = modified(&file.path);
        let mut seen = file.seen.lock();
        if *seen == time {
            return None;
        }
        *seen = time;
        let mut problems = Diagnostics::new();
        let mut rules = read(&file.path, &mut problems);
        if problems.has_errors() {
            return Some(News::Kept(problems));
        }
        let count = rules.len();
        rules.extend(file.others.iter().cloned());
        *file.current.write() = Arc::new(build(rules, &file.workers));
        Some(News::Reloaded(count, problems))
    }

    /// No rule, and none can come.
    pub fn is_empty(&self) -> bool {
        self.file.is_none() && self.fixed.map.is_empty()
    }

    /// All rules as they are now.
    pub fn rules(&self) -> Vec<RuleSpec> {
        let collect = |mapping: &Mapping| mapping.map.rules().map(|(_, rule)| rule.clone()).collect();
        match &self.file {
            None => collect(&self.fixed),
            Some(file) => collect(&file.current.read()),
        }
    }
}

fn build(rules: Vec<RuleSpec>, workers: &[Option<Box<[u8]>>]) -> Mapping {
    Mapping::new(UriMap::build(rules), |name| {
        workers.iter().position(|worker| worker.as_deref() == Some(name))
    })
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|data| data.modified()).ok()
}

fn read(path: &Path, found: &mut Diagnostics) -> Vec<RuleSpec> {
    let name = path.to_string_lossy();
    match std::fs::read(path) {
        Ok(content) => mount_file::parse(&name, &content, &|name| std::env::var(name).ok(), found),
        Err(error) => {
            found.error(&Origin::new(&*name, 0), error.to_string());
            Vec::new()
        }
    }
}

/// A path of httpd as one of the operating system.
pub fn os_path(path: &std::ffi::CStr) -> PathBuf {
    Path::new(std::ffi::OsStr::from_bytes(path.to_bytes())).to_path_buf()
}
