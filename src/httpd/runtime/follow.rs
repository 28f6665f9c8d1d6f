//! Following settings that are changed at run time: each process sees that the journal has a new version when it looks for
//! the worker of a request, and replaces what is concerned.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{Generation, Target};
use crate::engine::config::model::Kind;
use crate::engine::status::overrides::Overrides;
use crate::shm::journal::Journal;

/// How far this process has followed.
#[derive(Debug)]
pub(super) struct Follow {
    pub journal: Journal,
    /// The version at the beginning.
    first: u64,
    version: AtomicU64,
    /// Held by the thread that follows.
    turn: Mutex<()>,
}

impl Follow {
    pub(super) fn new(journal: Journal, version: u64) -> Self {
        Self { journal, first: version, version: AtomicU64::new(version), turn: Mutex::new(()) }
    }
}

/// The version of the journal and what it says.
pub(super) fn read(journal: Journal) -> (u64, Overrides) {
    let (version, text) = journal.read();
    (version, Overrides::decode(&String::from_utf8_lossy(&text)))
}

impl Generation {
    /// Takes over settings that were changed in another process. Costs two loads when nothing was.
    #[inline]
    pub fn sync(&self) {
        if self.follow.journal.version() != self.follow.version.load(Ordering::Relaxed) {
            self.catch_up();
        }
    }

    /// How often settings were changed since this configuration was read.
    pub fn changes(&self) -> u64 {
        self.follow.journal.version().saturating_sub(self.follow.first)
    }

    #[cold]
    fn catch_up(&self) {
        // Whoever comes meanwhile waits: after a change has been answered, no request begins with what was before.
        let _turn = self.follow.turn.lock();
        if self.follow.journal.version() == self.follow.version.load(Ordering::Relaxed) {
            return;
        }
        let (version, changed) = read(self.follow.journal);
        let workers = || self.set.workers.iter().zip(&self.targets);
        for (worker, target) in workers() {
            if let (Kind::Ajp13(configured), Target::Backend(at)) = (&worker.kind, target)
                && let Some(versions) = self.backends.get(*at)
            {
                let (now, next) = (versions.current(), changed.backend(&worker.name, configured));
                if *now.settings() != next {
                    versions.replace(now.changed(next));
                }
            }
        }
        let configured = |place: usize| {
            workers().find_map(|(worker, target)| match (&worker.kind, target) {
                (Kind::Ajp13(ajp), Target::Backend(at)) if *at == place => Some((**ajp).clone()),
                _ => None,
            })
        };
        for (worker, target) in workers() {
            if let (Kind::Lb(lb), Target::Farm(at)) = (&worker.kind, target)
                && let Some(versions) = self.farms.get(*at)
                && let Some(next) = versions.current().changed(lb, &changed, configured, self.backends())
            {
                versions.replace(next);
            }
        }
        self.follow.version.store(version, Ordering::Relaxed);
    }
}
