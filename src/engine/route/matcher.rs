//! The URI map: which rule a path belongs to.
//!
//! Precedence is mod_jk's: of all enabled mounts that cover the path, the one with the most slashes in its pattern, then
//! the longest, then by source, then the first defined. A wildcard counts like any other octet. The found mount is dropped
//! again when an enabled exclusion for its worker, or for all workers, covers the path; no second mount is tried then.
//! Immutable once built, so threads share it freely. Sources: `worker_compare`, `find_match` and `is_nomatch` of mod_jk.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::general::Marks;
use super::index::Index;
use super::radix::{NONE, small};
use super::rules::{Kind, RuleSpec};

/// A rule of one [`UriMap`]: its place in the order of precedence, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(u32);

impl RuleId {
    /// As an index, for tables kept beside the map.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a map says of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// No mount covers it.
    None,
    /// It belongs to this mount.
    Rule(RuleId),
    /// It would belong to `rule`, but `by` excludes it.
    Excluded {
        /// The mount.
        rule: RuleId,
        /// An exclusion.
        by: RuleId,
    },
}

/// Worker name of exclusions that hold for every worker.
const ANY_WORKER: &[u8] = b"*";

/// The rules of a server, indexed.
#[derive(Debug, Default)]
pub struct UriMap {
    rules: Vec<RuleSpec>,
    mounts: Index,
    /// Exclusions for every worker.
    general: Option<Index>,
    /// Exclusions for one worker each.
    special: Vec<Index>,
    /// Per rule, which of `special` belongs to its worker.
    special_of: Vec<u32>,
}

impl UriMap {
    /// Sorts and indexes `rules`.
    pub fn build(mut rules: Vec<RuleSpec>) -> Self {
        rules.sort_by_cached_key(|rule| {
            let slashes = rule.pattern.iter().filter(|&&octet| octet == b'/').count();
            (Reverse(slashes), Reverse(rule.pattern.len()), rule.source, rule.order)
        });
        let mut exclusions: HashMap<&[u8], Vec<(u32, &[u8])>> = HashMap::new();
        let enabled = |kind| {
            let numbered = rules.iter().zip(0_u32..);
            numbered.filter(move |(rule, _)| rule.kind == kind && !rule.disabled)
        };
        for (rule, rank) in enabled(Kind::Exclusion) {
            exclusions.entry(&rule.worker).or_default().push((rank, &rule.pattern));
        }
        let mounts = Index::build(enabled(Kind::Mount).map(|(rule, rank)| (rank, rule.pattern.as_ref())));
        let general = exclusions.remove(ANY_WORKER).map(|list| Index::build(list.into_iter()));
        let mut special = Vec::new();
        let mut of_worker: HashMap<&[u8], u32> = HashMap::new();
        for (worker, list) in exclusions {
            of_worker.insert(worker, small(special.len()));
            special.push(Index::build(list.into_iter()));
        }
        let special_of =
            rules.iter().map(|rule| of_worker.get(rule.worker.as_ref()).copied().unwrap_or(NONE)).collect();
        Self { mounts, general, special, special_of, rules }
    }

    /// What the map says of a normalised path.
    pub fn find(&self, path: &[u8], marks: &mut Marks) -> Found {
        match self.mount(path, marks) {
            None => Found::None,
            Some(rule) => match self.exclusion(rule, path, marks) {
                None => Found::Rule(rule),
                Some(by) => Found::Excluded { rule, by },
            },
        }
    }

    /// The mount that covers a normalised path, exclusions left aside.
    pub fn mount(&self, path: &[u8], marks: &mut Marks) -> Option<RuleId> {
        self.mounts.find(path, marks).map(RuleId)
    }

    /// An exclusion that takes a normalised path away from `rule`.
    pub fn exclusion(&self, rule: RuleId, path: &[u8], marks: &mut Marks) -> Option<RuleId> {
        let general = self.general.as_ref();
        let special = self.special_of.get(rule.index()).and_then(|&index| self.special.get(index as usize));
        [general, special].into_iter().flatten().find_map(|index| index.find(path, marks)).map(RuleId)
    }

    /// An exclusion takes a normalised path away from the worker of that name, whatever rule led to it.
    pub fn excludes(&self, worker: &[u8], path: &[u8], marks: &mut Marks) -> bool {
        let of_worker = self.rules().find(|(_, rule)| *rule.worker == *worker);
        let special = of_worker
            .and_then(|(id, _)| self.special_of.get(id.index()))
            .and_then(|&index| self.special.get(index as usize));
        [self.general.as_ref(), special].into_iter().flatten().any(|index| index.find(path, marks).is_some())
    }

    /// A rule of this map; `None` for the id of another map's.
    pub fn rule(&self, id: RuleId) -> Option<&RuleSpec> {
        self.rules.get(id.index())
    }

    /// All rules, disabled ones and exclusions too, in order of precedence.
    pub fn rules(&self) -> impl Iterator<Item = (RuleId, &RuleSpec)> {
        self.rules.iter().zip(0..).map(|(rule, rank)| (RuleId(rank), rule))
    }

    /// The map has no rule at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}
