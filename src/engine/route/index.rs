//! The index of a set of patterns: the smallest rank among all patterns that cover a path.
//!
//! A pattern is filed under its text before the first wildcard. A path walks down a tree of these texts to the longest one
//! it begins with and climbs from there to the shorter ones; the rules filed at a text are of four kinds, each with its
//! own way to be found: the text alone (exact), the text and `*`, the text and `*` and an ending, and any other form
//! (`general`). Every step knows the best rank it could still yield, and the search ends when none can win.
//!
//! The cost of a look-up depends on the path and on how many of the filed texts it begins with, not on the number of
//! rules. Ranks: smaller wins.

use std::collections::BTreeMap;

use super::general::{General, Marks};
use super::radix::{NONE, Radix, small};
use super::wildcard::is_wild;

/// Patterns by rank.
#[derive(Debug, Default)]
pub(super) struct Index {
    tree: Radix<false>,
    shelves: Vec<Shelf>,
}

/// The patterns that begin with the same literal text.
#[derive(Debug)]
struct Shelf {
    /// Length of the text in octets.
    len: usize,
    exact: u32,
    prefix: u32,
    /// Best rank here and on the shelves above, exact ones left out.
    best: u32,
    /// The shelf of the longest shorter text this text begins with.
    above: u32,
    endings: Radix<true>,
    general: General,
}

impl Index {
    /// Files `patterns`, given with their ranks, which are distinct.
    pub(super) fn build<'a>(patterns: impl Iterator<Item = (u32, &'a [u8])>) -> Self {
        let mut filed: BTreeMap<&[u8], Vec<(u32, Vec<u8>)>> = BTreeMap::new();
        for (rank, pattern) in patterns {
            let literal = pattern.iter().take_while(|&&octet| !is_wild(octet)).count();
            let (text, form) = pattern.split_at_checked(literal).unwrap_or((pattern, b""));
            filed.entry(text).or_default().push((rank, merge_stars(form)));
        }
        let mut shelves: Vec<Shelf> = Vec::with_capacity(filed.len());
        let mut keys = Vec::with_capacity(filed.len());
        // Texts come sorted, so those that the present one begins with are the innermost of a nest.
        let mut nest: Vec<(&[u8], u32)> = Vec::new();
        for (&text, forms) in &filed {
            while nest.last().is_some_and(|(outer, _)| !text.starts_with(outer)) {
                nest.pop();
            }
            let index = small(shelves.len());
            let mut shelf = Shelf::fill(text.len(), forms);
            shelf.above = nest.last().map_or(NONE, |&(_, above)| above);
            let above = shelves.get(shelf.above as usize).map_or(NONE, |above| above.best);
            shelf.best = shelf.best.min(above);
            shelves.push(shelf);
            // The search wants the longest text and not the best, so all texts weigh the same.
            keys.push((text.to_vec(), index, 0));
            nest.push((text, index));
        }
        Self { tree: Radix::build(keys), shelves }
    }

    /// The smallest rank of a pattern that covers `path`.
    pub(super) fn find(&self, path: &[u8], marks: &mut Marks) -> Option<u32> {
        let mut deepest = NONE;
        let mut left = usize::MAX;
        self.tree.walk(path, NONE, |visit| {
            deepest = visit.value;
            left = visit.left;
            NONE
        });
        let mut best = NONE;
        if left == 0 {
            best = self.shelves.get(deepest as usize).map_or(NONE, |shelf| shelf.exact);
        }
        marks.begin();
        while let Some(shelf) = self.shelves.get(deepest as usize) {
            if shelf.best >= best {
                break;
            }
            best = best.min(shelf.prefix);
            let tail = path.get(shelf.len..).unwrap_or_default();
            if !shelf.endings.is_empty() {
                shelf.endings.walk(tail, best, |visit| {
                    best = best.min(visit.value);
                    best
                });
            }
            best = shelf.general.find(tail, best, marks);
            deepest = shelf.above;
        }
        (best != NONE).then_some(best)
    }
}

impl Shelf {
    /// A shelf with the given forms (what follows the text).
    fn fill(len: usize, forms: &[(u32, Vec<u8>)]) -> Self {
        let (mut exact, mut prefix) = (NONE, NONE);
        let mut endings: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        let mut general = Vec::new();
        for (rank, form) in forms {
            match form.split_first() {
                None => exact = exact.min(*rank),
                Some((b'*', [])) => prefix = prefix.min(*rank),
                Some((b'*', ending)) if !ending.iter().copied().any(is_wild) => {
                    let best = endings.entry(ending.to_vec()).or_insert(NONE);
                    *best = (*best).min(*rank);
                }
                Some(_) => general.push((*rank, form.clone())),
            }
        }
        let wild = forms.iter().filter(|(_, form)| !form.is_empty());
        let best = wild.map(|&(rank, _)| rank).min().unwrap_or(NONE);
        let endings = Radix::build(endings.into_iter().map(|(ending, rank)| (ending, rank, rank)).collect());
        let general = General::build(general);
        Self { len, exact, prefix, best, above: NONE, endings, general }
    }
}

/// A run of `*` means what one `*` means.
fn merge_stars(form: &[u8]) -> Vec<u8> {
    let mut merged: Vec<u8> = Vec::with_capacity(form.len());
    for &octet in form {
        if octet != b'*' || merged.last() != Some(&b'*') {
            merged.push(octet);
        }
    }
    merged
}
