//! Settings changed at run time: one text for all processes, replaced as a whole.
//!
//! There is room for two texts. The number of the version says which one counts: a writer fills the other one and then
//! raises the number, so a writer that is killed on the way changes nothing. Readers copy the text and look whether the
//! number has changed meanwhile. Whoever only wants to know whether there is something new reads one word, in a cache line
//! that is only written by changes.
//!
//! Writers take turns: a word holds the name of the process whose turn it is. When that process is gone, its turn is over.
//!
//! Source: H. Boehm, "Can seqlocks get along with programming language memory models?"

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

use super::alive::Owner;

/// Longest wait for one's turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// In place of a version: nothing is saved yet.
const UNSAVED: u64 = u64::MAX - 1;
/// The same, after an attempt.
const FAILED: u64 = u64::MAX;
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// The beginning of the journal.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct JournalHead {
    version: Line,
    owner: Line,
    lengths: Lengths,
}

/// A word on a cache line of its own.
#[derive(Debug)]
#[repr(C, align(64))]
struct Line(AtomicU64);

#[derive(Debug)]
#[repr(C, align(64))]
struct Lengths([AtomicU64; 2], AtomicU64);

/// The settings changed at run time.
#[derive(Debug, Clone, Copy)]
pub struct Journal {
    head: &'static JournalHead,
    texts: [&'static [AtomicU64]; 2],
}

/// Why nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalError {
    /// Another process has its turn and does not end it.
    Busy,
    /// The text is longer than there is room.
    Full,
}

impl fmt::Display for JournalError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Busy => "another process is changing settings and does not finish",
            Self::Full => "shared memory has no room for more changed settings",
        })
    }
}

impl std::error::Error for JournalError {}

impl Journal {
    pub(super) fn new(head: &'static JournalHead, texts: [&'static [AtomicU64]; 2]) -> Self {
        Self { head, texts }
    }

    /// A journal of its own, for a server without shared memory and for tests. Its memory stays.
    pub fn stray(octets: usize) -> Self {
        let words = || -> &'static [AtomicU64] {
            Box::leak((0..octets.div_ceil(8)).map(|_| AtomicU64::new(0)).collect())
        };
        let head = JournalHead {
            version: Line(AtomicU64::new(0)),
            owner: Line(AtomicU64::new(0)),
            lengths: Lengths([AtomicU64::new(0), AtomicU64::new(0)], AtomicU64::new(0)),
        };
        Self { head: Box::leak(Box::new(head)), texts: [words(), words()] }
    }

    /// Raised with each change.
    #[inline]
    pub fn version(self) -> u64 {
        self.head.version.0.load(Ordering::Acquire)
    }

    /// The version that was written to a file last, for those who keep one.
    pub fn saved(self) -> u64 {
        self.head.lengths.1.load(Ordering::Relaxed)
    }

    /// That version was written to the file.
    pub fn set_saved(self, version: u64) {
        self.head.lengths.1.store(version, Ordering::Relaxed);
    }

    /// The file does not say what is in force, whatever its version, and is still to be written.
    pub fn set_unsaved(self) {
        self.set_saved(UNSAVED);
    }

    /// The same, because it could not be written.
    pub fn set_failed(self) {
        self.set_saved(FAILED);
    }

    /// The file could not be written.
    pub fn has_failed(self) -> bool {
        self.saved() == FAILED
    }

    /// The version and its text.
    pub fn read(self) -> (u64, Vec<u8>) {
        loop {
            let version = self.version();
            let (text, length) = self.half(version);
            let octets = usize::try_from(length.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
            let octets = octets.min(text.len().saturating_mul(8));
            let words = text.iter().take(octets.div_ceil(8));
            let mut copy: Vec<u8> =
                words.flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
            copy.truncate(octets);
            fence(Ordering::Acquire);
            if self.head.version.0.load(Ordering::Relaxed) == version {
                return (version, copy);
            }
        }
    }

    /// Waits until nobody else writes.
    ///
    /// # Errors
    /// [`JournalError::Busy`].
    pub fn take_turn(self) -> Result<Turn, JournalError> {
        let own = Owner::own().word();
        let word = &self.head.owner.0;
        let end = Instant::now() + PATIENCE;
        loop {
            let holder = word.load(Ordering::Relaxed);
            let free = Owner::from_word(holder).is_none_or(|owner| holder != own && owner.is_gone());
            if free && word.compare_exchange(holder, own, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return Ok(Turn(self));
            }
            if Instant::now() >= end {
                return Err(JournalError::Busy);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn half(self, version: u64) -> (&'static [AtomicU64], &'static AtomicU64) {
        let ([even, odd], [even_length, odd_length]) = (self.texts, &self.head.lengths.0);
        if version.is_multiple_of(2) { (even, even_length) } else { (odd, odd_length) }
    }

    #[cfg(test)]
    pub(super) fn spans(self) -> [(usize, usize); 3] {
        let span = |start: usize, size: usize| (start, start + size);
        let of = |text: &[AtomicU64]| span(text.as_ptr().addr(), size_of_val(text));
        let head = std::ptr::from_ref(self.head).addr();
        let [one, other] = self.texts;
        [span(head, size_of::<JournalHead>()), of(one), of(other)]
    }
}

/// The right to write; given back when dropped.
#[derive(Debug)]
pub struct Turn(Journal);

impl Turn {
    /// Replaces the text.
    ///
    /// # Errors
    /// [`JournalError::Full`]; nothing is changed then.
    pub fn publish(&self, text: &[u8]) -> Result<u64, JournalError> {
        let next = self.0.version().wrapping_add(1);
        let (room, length) = self.0.half(next);
        if text.len() > room.len().saturating_mul(8) {
            return Err(JournalError::Full);
        }
        // Whoever sees a part of this text sees the number that was raised before it.
        fence(Ordering::Release);
        for (word, octets) in room.iter().zip(text.chunks(8)) {
            let mut whole = [0; 8];
            for (to, from) in whole.iter_mut().zip(octets) {
                *to = *from;
            }
            word.store(u64::from_ne_bytes(whole), Ordering::Relaxed);
        }
        length.store(u64::try_from(text.len()).unwrap_or(0), Ordering::Relaxed);
        self.0.head.version.0.store(next, Ordering::Release);
        Ok(next)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.head.owner.0.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_text_counts() {
        let journal = Journal::stray(20);
        assert_eq!(journal.read(), (0, Vec::new()));
        for text in [&b"one"[..], b"twelve octet", b"", b"all twenty-four octets.."] {
            let turn = journal.take_turn().unwrap();
            let version = turn.publish(text).unwrap();
            drop(turn);
            assert_eq!(journal.read(), (version, text.to_vec()));
        }
        let before = journal.read();
        let turn = journal.take_turn().unwrap();
        assert_eq!(turn.publish(&[b'x'; 25]), Err(JournalError::Full));
        assert_eq!(journal.read(), before);
    }

    #[test]
    fn nobody_reads_half_a_text() {
        let journal = Journal::stray(4096);
        let write = |letter: u8| {
            for round in 0..2000_usize {
                let turn = journal.take_turn().unwrap();
                turn.publish(&vec![letter; 1 + (round * 37) % 4000]).unwrap();
            }
        };
        std::thread::scope(|scope| {
            let writers = [scope.spawn(|| write(b'a')), scope.spawn(|| write(b'b'))];
            while !writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                let (_, text) = journal.read();
                assert!(text.windows(2).all(|pair| pair[0] == pair[1]), "mixed");
            }
        });
        assert_eq!(journal.version(), 4000);
    }

    #[test]
    fn the_turn_of_a_process_that_is_gone_is_over() {
        let journal = Journal::stray(8);
        journal.head.owner.0.store(Owner::new(u32::MAX >> 2, 7).word(), Ordering::Relaxed);
        let begun = Instant::now();
        drop(journal.take_turn().unwrap());
        assert!(begun.elapsed() < PATIENCE);
        assert_eq!(journal.head.owner.0.load(Ordering::Relaxed), 0);
    }
}
