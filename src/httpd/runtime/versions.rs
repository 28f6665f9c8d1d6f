//! A value that is replaced now and then while others use it: old versions stay until the whole goes.
//!
//! Finding the version in force costs one load and no lock, and what was found stays valid as long as the whole, so a request
//! may keep it to its end. Meant for things that people change by hand: memory grows with each version, of which there can be
//! [`MOST`].

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most versions behind the first one.
pub const MOST: usize = (1 << BLOCKS) - 1;
const BLOCKS: usize = 14;

/// A value with its earlier versions.
#[derive(Debug)]
pub struct Versions<T> {
    first: T,
    /// Number of the version in force; 0: the first one.
    latest: AtomicUsize,
    /// Block `n` holds `2^n` versions.
    blocks: [OnceLock<Box<[OnceLock<T>]>>; BLOCKS],
}

impl<T> Versions<T> {
    /// The first version.
    pub fn new(first: T) -> Self {
        Self { first, latest: AtomicUsize::new(0), blocks: [const { OnceLock::new() }; BLOCKS] }
    }

    /// The version in force.
    #[inline]
    pub fn current(&self) -> &T {
        match self.latest.load(Ordering::Acquire) {
            0 => &self.first,
            number => self.numbered(number).unwrap_or(&self.first),
        }
    }

    fn numbered(&self, number: usize) -> Option<&T> {
        let (block, place) = address(number)?;
        self.blocks.get(block)?.get()?.get(place)?.get()
    }

    /// Replaces the version in force; false when there are [`MOST`] already. One thread at a time may call this.
    pub fn replace(&self, next: T) -> bool {
        let number = self.latest.load(Ordering::Relaxed) + 1;
        let slot = address(number).and_then(|(block, place)| {
            let fresh = || (0..1_usize << block).map(|_| OnceLock::new()).collect();
            self.blocks.get(block)?.get_or_init(fresh).get(place)
        });
        let stored = slot.is_some_and(|slot| slot.set(next).is_ok());
        if stored {
            self.latest.store(number, Ordering::Release);
        }
        stored
    }
}

/// Block and place of a version, counted from 1.
fn address(number: usize) -> Option<(usize, usize)> {
    let block = usize::try_from(number.checked_ilog2()?).ok()?;
    Some((block, number - (1 << block)))
}

/// The versions in force of several values.
#[derive(Debug)]
pub struct Current<'v, T>(pub(super) &'v [Versions<T>]);

impl<T> Clone for Current<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Current<'_, T> {}

impl<'v, T> Current<'v, T> {
    /// The value at a place.
    #[inline]
    pub fn get(self, place: usize) -> Option<&'v T> {
        self.0.get(place).map(Versions::current)
    }

    /// All of them.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'v T> {
        self.0.iter().map(Versions::current)
    }
}

impl<'v, T> IntoIterator for Current<'v, T> {
    type Item = &'v T;
    type IntoIter = std::iter::Map<std::slice::Iter<'v, Versions<T>>, fn(&'v Versions<T>) -> &'v T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(Versions::current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_stay() {
        let versions = Versions::new("0".to_owned());
        let mut seen = vec![versions.current()];
        for number in 1..100 {
            assert!(versions.replace(number.to_string()));
            seen.push(versions.current());
        }
        for (number, text) in seen.iter().enumerate() {
            assert_eq!(**text, number.to_string());
        }
    }

    #[test]
    fn there_is_an_end() {
        let versions = Versions::new(0);
        for number in 1..=MOST {
            assert!(versions.replace(number));
        }
        assert!(!versions.replace(usize::MAX));
        assert_eq!(*versions.current(), MOST);
    }
}
