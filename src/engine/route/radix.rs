//! A tree over byte strings that answers: which of the keys are the beginning (or the end) of this text?
//!
//! Edges carry as many octets as they can, and the next edge is found by one table look-up, so a walk costs by the
//! branching points on the way and not by the number of keys. Every node knows the smallest value below it, so that a
//! search for a small value can turn back early. Built once, then immutable.

/// No value, no node, no rank: larger than every real one.
pub(super) const NONE: u32 = u32::MAX;

/// Keys with a value each. `BACK`: keys are read from their end.
#[derive(Debug, Default)]
pub(super) struct Radix<const BACK: bool> {
    /// The root, and for every node a run of one node per octet of its span, gaps filled with [`GAP`].
    nodes: Vec<Node>,
    text: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    /// Octets between the branch into this node and its own branch: a range of `text`.
    label: (u32, u32),
    /// Value of the key that ends here.
    value: u32,
    /// Smallest weight of the keys that end here or below.
    best: u32,
    /// Where the run of the nodes below begins, one per octet from `first` on.
    below: u32,
    span: u16,
    first: u8,
}

/// No key goes this way. Nothing can be worse than its `best`, so every walk ends here.
const GAP: Node = Node { label: (0, 0), value: NONE, best: NONE, below: 0, span: 0, first: 0 };

/// A key met on a walk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visit {
    /// Value of a key that is the beginning (end) of the text.
    pub(super) value: u32,
    /// Octets of the text the key leaves over.
    pub(super) left: usize,
}

impl<const BACK: bool> Radix<BACK> {
    /// Builds the tree from distinct keys with their value and weight.
    pub(super) fn build(mut keys: Vec<Entry>) -> Self {
        if BACK {
            keys.iter_mut().for_each(|(key, ..)| key.reverse());
        }
        keys.sort_unstable();
        let mut tree = Self { nodes: Vec::new(), text: Vec::new() };
        if keys.is_empty() {
            return tree;
        }
        tree.nodes.push(GAP);
        // Nodes to make: which keys, how many octets of them lead here, and the gap to fill. A list and not a recursion:
        // keys that are each the beginning of the next would make that as deep as there are keys.
        let mut todo: Vec<(&[Entry], usize, usize)> = vec![(&keys, 0, 0)];
        while let Some((keys, depth, gap)) = todo.pop() {
            let best = keys.iter().map(|&(_, _, weight)| weight).min().unwrap_or(NONE);
            let depth_here = depth + common(keys, depth);
            let label = keys.first().and_then(|(key, ..)| key.get(depth..depth_here)).unwrap_or_default();
            let start = tree.text.len();
            tree.text.extend_from_slice(label);
            if BACK && let Some(label) = tree.text.get_mut(start..) {
                label.reverse();
            }
            let mut node = Node {
                label: (small(start), small(tree.text.len())),
                value: NONE,
                best,
                below: small(tree.nodes.len()),
                ..GAP
            };
            let mut below = keys;
            if let Some(((key, value, _), rest)) = keys.split_first()
                && key.len() == depth_here
            {
                node.value = *value;
                below = rest;
            }
            let branch = |key: &Entry| key.0.get(depth_here).copied().unwrap_or_default();
            if let (Some(first), Some(last)) = (below.first().map(branch), below.last().map(branch)) {
                node.first = first;
                node.span = u16::from(last.saturating_sub(first)) + 1;
                let base = tree.nodes.len();
                tree.nodes.resize(base + usize::from(node.span), GAP);
                for group in below.chunk_by(|a, b| branch(a) == branch(b)) {
                    let octet = group.first().map(branch).unwrap_or_default();
                    todo.push((group, depth_here + 1, base + usize::from(octet.saturating_sub(first))));
                }
            }
            if let Some(place) = tree.nodes.get_mut(gap) {
                *place = node;
            }
        }
        tree
    }

    /// Calls `see` for every key that is the beginning (end) of `text`, shortest first, as long as some key on the way
    /// may have a weight below what `see` answered last (`limit` at first).
    #[inline]
    pub(super) fn walk(&self, text: &[u8], mut limit: u32, mut see: impl FnMut(Visit) -> u32) {
        let mut rest = text;
        let mut index = 0;
        while let Some(node) = self.nodes.get(index) {
            if node.best >= limit {
                return;
            }
            let (from, to) = node.label;
            if from != to {
                let label = self.text.get(from as usize..to as usize).unwrap_or_default();
                let Some((own, behind)) = Self::split(rest, label.len()) else { return };
                if !same(own, label) {
                    return;
                }
                rest = behind;
            }
            if node.value != NONE {
                limit = see(Visit { value: node.value, left: rest.len() });
            }
            let next = if BACK { rest.split_last() } else { rest.split_first() };
            let Some((&octet, behind)) = next else { return };
            let offset = octet.wrapping_sub(node.first);
            if u16::from(offset) >= node.span {
                return;
            }
            index = node.below as usize + usize::from(offset);
            rest = behind;
        }
    }

    /// So many octets from the end that is read, and the rest.
    #[inline]
    fn split(text: &[u8], octets: usize) -> Option<(&[u8], &[u8])> {
        if BACK {
            let (rest, own) = text.split_at_checked(text.len().checked_sub(octets)?)?;
            Some((own, rest))
        } else {
            text.split_at_checked(octets)
        }
    }

    /// There is no key.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// Equality of two texts of the same length; labels are mostly so short that a call would cost more than a loop.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    if b.len() < 8 { a.iter().zip(b).all(|(a, b)| a == b) } else { a == b }
}

/// A key, its value and its weight.
pub(super) type Entry = (Vec<u8>, u32, u32);

/// Octets from `depth` on that all keys share; they are sorted, so the first and the last tell.
fn common(keys: &[Entry], depth: usize) -> usize {
    match (keys.first(), keys.last()) {
        (Some((first, ..)), Some((last, ..))) => {
            first.iter().zip(last).skip(depth).take_while(|(a, b)| a == b).count()
        }
        _ => 0,
    }
}

/// An index of a table. Tables of four thousand million entries do not fit into memory, so saturating never happens.
pub(super) fn small(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree<const BACK: bool>(keys: &[&str]) -> Radix<BACK> {
        let keys = keys.iter().zip(0..).map(|(key, value)| (key.as_bytes().to_vec(), value, value)).collect();
        Radix::build(keys)
    }

    fn met<const BACK: bool>(tree: &Radix<BACK>, text: &str) -> Vec<(u32, usize)> {
        let mut all = Vec::new();
        tree.walk(text.as_bytes(), NONE, |visit| {
            all.push((visit.value, visit.left));
            NONE
        });
        all
    }

    #[test]
    fn keys_are_met_from_short_to_long() {
        let front = tree::<false>(&["/", "/app/", "/app/x", "/b", ""]);
        assert_eq!(met(&front, "/app/xyz"), [(4, 8), (0, 7), (1, 3), (2, 2)]);
        assert_eq!(met(&front, "/ap"), [(4, 3), (0, 2)]);
        let back = tree::<true>(&[".jsp", ".jspx", "p"]);
        assert_eq!(met(&back, "/a.jsp"), [(2, 5), (0, 2)]);
        assert_eq!(met(&back, ".jspx"), [(1, 0)]);
        assert_eq!(met(&tree::<false>(&[]), "/"), []);
    }

    #[test]
    fn a_walk_ends_when_nothing_better_is_below() {
        let front = tree::<false>(&["/a", "/ab", "/abc"]);
        let mut seen = 0;
        front.walk(b"/abc", NONE, |visit| {
            seen += 1;
            visit.value
        });
        assert_eq!(seen, 1, "the first key has the smallest weight");
    }

    #[test]
    fn deep_chains_of_keys_need_no_deep_stack() {
        let keys = (1..2000).map(|len| (vec![b'a'; len], small(len), small(len))).collect();
        let chain = Radix::<false>::build(keys);
        let mut seen = 0;
        chain.walk(&[b'a'; 5000], NONE, |_| {
            seen += 1;
            NONE
        });
        assert_eq!(seen, 1999);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn agrees_with_comparing_every_key(
            keys in proptest::collection::btree_set("[abc]{0,5}", 0..12),
            text in "[abc]{0,8}",
        ) {
            let list: Vec<&str> = keys.iter().map(String::as_str).collect();
            let number = |key: &str| small(list.iter().position(|&other| other == key).unwrap());
            let mut front: Vec<&str> = list.iter().copied().filter(|key| text.starts_with(key)).collect();
            let mut back: Vec<&str> = list.iter().copied().filter(|key| text.ends_with(key)).collect();
            front.sort_by_key(|key| key.len());
            back.sort_by_key(|key| key.len());
            let want = |keys: &[&str]| -> Vec<_> {
                keys.iter().map(|key| (number(key), text.len() - key.len())).collect()
            };
            prop_assert_eq!(met(&tree::<false>(&list), &text), want(&front));
            prop_assert_eq!(met(&tree::<true>(&list), &text), want(&back));
        }
    }
}
