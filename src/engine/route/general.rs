//! Patterns with several wildcards that begin with the same text.
//!
//! A few of them are simply tried in order. When there are many, each one is filed under an anchor, a piece of literal text
//! that every path it covers must contain, and only the patterns whose anchor is met are tried. Anchors that begin with a
//! slash, as in `/*/orders/*`, are preferred: few places of a path can be their start. Each pattern is tried at most once per look-up, whatever
//! the path repeats.

use std::collections::{BTreeMap, HashMap};

use super::radix::{NONE, Radix, small};
use super::wildcard;

/// Up to so many patterns are tried one by one; below this an index costs more than it saves.
const FEW: usize = 4;
/// An anchor at a slash is preferred as long as it selects no more patterns than this.
const SELECTIVE: usize = 8;

/// The patterns, from their first wildcard on.
#[derive(Debug, Default)]
pub(super) struct General {
    /// Sorted by rank.
    forms: Vec<(u32, Vec<u8>)>,
    /// Indices of those without an anchor, ascending.
    unanchored: Vec<u32>,
    /// The value is an index of `lists`.
    anchors: Radix<false>,
    /// Octets some anchor begins with; empty without anchors.
    starts: Vec<bool>,
    /// Indices of the forms with the same anchor, ascending.
    lists: Vec<Vec<u32>>,
}

impl General {
    pub(super) fn build(mut forms: Vec<(u32, Vec<u8>)>) -> Self {
        forms.sort_unstable();
        if forms.len() <= FEW {
            let unanchored = (0..small(forms.len())).collect();
            return Self { forms, unanchored, ..Self::default() };
        }
        let mut uses: HashMap<&[u8], usize> = HashMap::new();
        for (_, form) in &forms {
            for piece in pieces(form) {
                *uses.entry(piece).or_default() += 1;
            }
        }
        let mut unanchored = Vec::new();
        let mut anchored: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
        for ((_, form), index) in forms.iter().zip(0..) {
            // Best is an anchor at a slash that few share, then the one the fewest share, then the longest.
            let anchor = pieces(form).min_by_key(|piece| {
                let shared = uses.get(piece).copied().unwrap_or_default();
                let slow = !(piece.starts_with(b"/") && shared <= SELECTIVE);
                (slow, shared, usize::MAX - piece.len())
            });
            match anchor {
                Some(anchor) => anchored.entry(anchor.to_vec()).or_default().push(index),
                None => unanchored.push(index),
            }
        }
        let (mut keys, mut lists) = (Vec::new(), Vec::new());
        let mut starts = vec![false; 256];
        for (anchor, list) in anchored {
            let best =
                list.first().and_then(|&index| forms.get(index as usize)).map_or(NONE, |&(rank, _)| rank);
            if let Some(start) = anchor.first().and_then(|&octet| starts.get_mut(usize::from(octet))) {
                *start = true;
            }
            keys.push((anchor, small(lists.len()), best));
            lists.push(list);
        }
        Self { unanchored, anchors: Radix::build(keys), starts, lists, forms }
    }

    /// The smallest rank below `best` of a pattern that covers `tail`, else `best`.
    pub(super) fn find(&self, tail: &[u8], mut best: u32, marks: &mut Marks) -> u32 {
        match self.forms.first() {
            Some(&(first, _)) if first < best => {}
            _ => return best,
        }
        for &index in &self.unanchored {
            let Some((rank, form)) = self.forms.get(index as usize) else { break };
            if *rank >= best {
                break;
            }
            if wildcard::matches(form, tail) {
                best = *rank;
                break;
            }
        }
        if let Ok(starts) = <&[bool; 256]>::try_from(self.starts.as_slice()) {
            let begins = |octet: &u8| starts.get(usize::from(*octet)).is_some_and(|&start| start);
            let mut rest = tail;
            while let Some(here) = rest.iter().position(begins).and_then(|at| rest.get(at..)) {
                best = self.try_anchors(here, tail, best, marks);
                rest = here.get(1..).unwrap_or_default();
            }
        }
        best
    }

    /// Tries the patterns whose anchor stands at the beginning of `rest`, which is an end of `tail`.
    #[inline]
    fn try_anchors(&self, rest: &[u8], tail: &[u8], mut best: u32, marks: &mut Marks) -> u32 {
        self.anchors.walk(rest, best, |visit| {
            for &index in self.lists.get(visit.value as usize).map(Vec::as_slice).unwrap_or_default() {
                let Some((rank, form)) = self.forms.get(index as usize) else { break };
                if *rank >= best {
                    break;
                }
                if marks.first_time(*rank) && wildcard::matches(form, tail) {
                    best = *rank;
                    break;
                }
            }
            best
        });
        best
    }
}

/// The literal pieces between the wildcards of a pattern.
fn pieces(form: &[u8]) -> impl Iterator<Item = &[u8]> {
    form.split(|&octet| wildcard::is_wild(octet)).filter(|piece| !piece.is_empty())
}

/// Which patterns a look-up has tried already. One per thread, used for any number of look-ups and maps.
#[derive(Debug, Default)]
pub struct Marks {
    /// Per rank, the number of the look-up that tried it last.
    tried: Vec<u32>,
    look_up: u32,
}

impl Marks {
    /// Begins a look-up: nothing has been tried.
    pub(super) fn begin(&mut self) {
        self.look_up = self.look_up.wrapping_add(1);
        if self.look_up == 0 {
            // Marks of four thousand million look-ups ago must not be taken for new ones.
            self.tried.fill(0);
            self.look_up = 1;
        }
    }

    fn first_time(&mut self, rank: u32) -> bool {
        let rank = rank as usize;
        if rank >= self.tried.len() {
            self.tried.resize(rank + 1, 0);
        }
        match self.tried.get_mut(rank) {
            Some(mark) if *mark != self.look_up => {
                *mark = self.look_up;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_is_tried_once_per_look_up() {
        let mut marks = Marks::default();
        marks.begin();
        assert!(marks.first_time(7));
        assert!(!marks.first_time(7));
        marks.begin();
        assert!(marks.first_time(7));
    }

    #[test]
    fn old_marks_do_not_survive_the_wrap_of_the_counter() {
        let mut marks = Marks { tried: vec![1, u32::MAX], look_up: u32::MAX };
        marks.begin();
        assert!(marks.first_time(0));
        assert!(marks.first_time(1));
    }

    #[test]
    fn patterns_without_any_literal_are_always_tried() {
        let forms = ["?*", "*??", "*a*", "*/b/*", "*/c/*", "*/d/*"];
        let general = General::build(
            forms.iter().zip(0..).map(|(form, rank)| (rank, form.as_bytes().to_vec())).collect(),
        );
        assert_eq!(general.unanchored, [0, 1]);
        let mut marks = Marks::default();
        marks.begin();
        assert_eq!(general.find(b"", NONE, &mut marks), NONE);
        assert_eq!(general.find(b"/c/", NONE, &mut marks), 0);
    }

    /// Ten thousand patterns, and what a look-up tries does not grow with them, nor with what the path repeats.
    #[test]
    fn a_look_up_tries_only_patterns_whose_anchor_is_met() {
        let forms = (0..10_000).map(|number| (number, format!("*/x{number}/*y").into_bytes())).collect();
        let general = General::build(forms);
        let mut marks = Marks::default();
        for (path, best, tried) in [
            ("/a/b/c/d".to_owned(), NONE, 0),
            ("/a/x77/by".to_owned(), 77, 1),
            ("/x77/x78/x9999/b".to_owned(), NONE, 3),
            ("/x77".repeat(100_000) + "/", NONE, 1),
        ] {
            marks.begin();
            assert_eq!(general.find(path.as_bytes(), NONE, &mut marks), best);
            let count = marks.tried.iter().filter(|&&mark| mark == marks.look_up).count();
            assert_eq!(count, tried, "{}", path.get(..20).unwrap_or(&path));
        }
    }
}
