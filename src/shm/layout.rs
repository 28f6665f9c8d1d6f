//! The byte picture of a segment, and typed views of it.
//!
//! ```text
//!        0  Header        128 octets: what this is, capacities, how much is used, the lease
//!     4096  WorkerState   768 octets each   x workers
//!           MemberState  1152 octets each   x members
//!           BalancerState 128 octets each   x balancers
//!           row           one per process   x rows
//!             RowHead      64 octets: whose row it is
//!             Cell          8 octets each   x workers, then x balancers
//!             links         4 octets each   x workers: open connections
//!             (filled up to a multiple of 64)
//!           JournalHead   192 octets: settings changed at run time, see [`super::journal`]
//!           text          512 octets for each record, twice
//! ```
//!
//! All parts begin at multiples of 64, the size of a cache line, so two processes that count never write to one line of
//! their rows. All octets are zero at first, and everything in it is an atomic that is valid as zero: a part nobody has used
//! has never been written and costs no memory.
//!
//! Capacities are kept beside the pointer in each process. Those in the header are for people with a hex dump: nothing that
//! stands in shared memory is used as an offset or a length without a bound.

use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::journal::{Journal, JournalHead};
use crate::engine::balance::state::{self, BalancerState, Cell, MemberState, WorkerState};

/// First octets of a segment.
pub const MAGIC: u64 = u64::from_ne_bytes(*b"mod_jkrs");
/// Number of the picture above; the records have their own ([`state::LAYOUT`]).
pub const PICTURE: u32 = 3;
/// Most records of one kind.
pub const MAX_RECORDS: usize = 65_536;
/// Most rows.
pub const MAX_ROWS: usize = 1024;

/// Place of the first record: the header has a page of its own, whatever it grows to.
const RECORDS: usize = 4096;
const LINE: usize = 64;
/// Room for settings changed at run time, for each record: some lines of names and values.
const JOURNAL: usize = 512;

/// How much a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Workers of type `ajp13`.
    pub workers: usize,
    /// Members of balancers, over all balancers.
    pub members: usize,
    /// Balancers.
    pub balancers: usize,
    /// Processes at one time.
    pub rows: usize,
}

impl Capacity {
    /// Twice as much as is needed now and not less than a few dozen, so that restarts with more workers find room.
    ///
    /// `server_limit`: most children of the MPM at one time. There are rows for twice as many and some more, because the
    /// children of the last generations go on beside the new ones after graceful restarts.
    pub fn with_room(workers: usize, members: usize, balancers: usize, server_limit: usize) -> Self {
        let room =
            |needed: usize, least: usize| needed.saturating_mul(2).clamp(least, MAX_RECORDS).max(needed);
        Self {
            workers: room(workers, 64),
            members: room(members, 64),
            balancers: room(balancers, 16),
            rows: server_limit.saturating_mul(2).saturating_add(8).min(MAX_ROWS),
        }
    }
}

/// The beginning of a segment.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Header {
    /// [`MAGIC`].
    pub magic: AtomicU64,
    /// [`PICTURE`].
    pub picture: AtomicU32,
    /// [`state::LAYOUT`].
    pub records: AtomicU32,
    /// Octets of the segment.
    pub size: AtomicU64,
    /// Capacities: workers, members, balancers, rows.
    pub capacities: [AtomicU32; 4],
    /// The process that made it.
    pub creator: AtomicU32,
    /// Reserved, zero.
    pub reserved: AtomicU32,
    /// Records in use, always the first ones: workers, members, balancers; and rows that have ever been.
    pub used: [AtomicU32; 4],
    /// The lease, on a cache line of its own because it is written several times a second.
    pub lease: LeaseWords,
}

/// Who does what is done once for all; see [`super::lease`].
#[derive(Debug)]
#[repr(C, align(64))]
pub struct LeaseWords {
    /// Generation (upper half) and row plus 1 (lower half); 0: nobody.
    pub holder: AtomicU64,
    /// When the holder said last that it is there, a [`Tick`](crate::engine::units::Tick).
    pub beat: AtomicU64,
    /// Reserved, zero.
    pub reserved: [AtomicU64; 6],
}

/// The beginning of a row.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct RowHead {
    /// The process: low half of its start time (upper half), its id (lower half); 0: the row is free. One word, so that a row
    /// changes hands in one step. See [`super::alive::Owner`].
    pub owner: AtomicU64,
    /// When the process said last that it is there, a [`Tick`](crate::engine::units::Tick).
    pub beat: AtomicU64,
    /// Its generation: the number of the restart that it belongs to.
    pub generation: AtomicU32,
    /// Requests it has put aside, which wait without a thread.
    pub parked: AtomicU32,
    /// Reserved, zero.
    pub reserved: [AtomicU32; 10],
}

/// A row: the counts of one process.
#[derive(Debug, Clone, Copy)]
pub struct RowView {
    /// Whose it is.
    pub head: &'static RowHead,
    /// By the places of the workers.
    pub workers: &'static [Cell],
    /// By the places of the balancers.
    pub balancers: &'static [Cell],
    /// Open connections, by the places of the workers.
    pub links: &'static [AtomicU32],
}

/// Where the parts of a segment begin, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    capacity: Capacity,
    members: usize,
    balancers: usize,
    rows: usize,
    stride: usize,
    journal: usize,
    /// Words of each of the two texts of the journal.
    words: usize,
    /// Octets of the whole segment.
    pub(super) size: usize,
}

impl Shape {
    /// `None`: beyond [`MAX_RECORDS`], [`MAX_ROWS`] or the address space.
    pub(super) fn of(capacity: Capacity) -> Option<Self> {
        let Capacity { workers, members, balancers, rows } = capacity;
        if workers.max(members).max(balancers) > MAX_RECORDS || rows > MAX_ROWS {
            return None;
        }
        let members_at = RECORDS.checked_add(workers.checked_mul(size_of::<WorkerState>())?)?;
        let balancers_at = members_at.checked_add(members.checked_mul(size_of::<MemberState>())?)?;
        let rows_at = balancers_at.checked_add(balancers.checked_mul(size_of::<BalancerState>())?)?;
        let cells = workers.checked_add(balancers)?.checked_mul(size_of::<Cell>())?;
        let links = workers.checked_mul(size_of::<AtomicU32>())?;
        let stride =
            size_of::<RowHead>().checked_add(cells)?.checked_add(links)?.checked_next_multiple_of(LINE)?;
        let journal = rows_at.checked_add(rows.checked_mul(stride)?)?;
        let records = workers.checked_add(members)?.checked_add(balancers)?;
        let words = records.checked_mul(JOURNAL / size_of::<AtomicU64>())?;
        let texts = words.checked_mul(2 * size_of::<AtomicU64>())?;
        let end = journal.checked_add(size_of::<JournalHead>())?.checked_add(texts)?;
        let size = end.checked_next_multiple_of(RECORDS)?;
        isize::try_from(size).ok()?;
        Some(Self {
            capacity,
            members: members_at,
            balancers: balancers_at,
            rows: rows_at,
            stride,
            journal,
            words,
            size,
        })
    }
}

/// A mapped segment. Copies show the same memory, which stays until the process ends.
#[derive(Debug, Clone, Copy)]
pub struct Map {
    base: NonNull<u8>,
    shape: Shape,
}

// SAFETY: `base` is memory that is never unmapped, and all that is reached through it are atomics.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// A view of a mapping.
    ///
    /// # Safety
    /// `base` points to `shape.size` octets, aligned to 64, readable and writable, that are never unmapped and that hold
    /// zeros or what a [`Map`] of the same shape has written.
    pub(super) unsafe fn new(base: NonNull<u8>, shape: Shape) -> Self {
        Self { base, shape }
    }

    /// Writes down what the segment is.
    pub(super) fn introduce(self, creator: u32) {
        let header = self.header();
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let Capacity { workers, members, balancers, rows } = self.shape.capacity;
        for (word, number) in header.capacities.iter().zip([workers, members, balancers, rows]) {
            word.store(small(number), Ordering::Relaxed);
        }
        header.size.store(u64::try_from(self.shape.size).unwrap_or(u64::MAX), Ordering::Relaxed);
        header.creator.store(creator, Ordering::Relaxed);
        header.picture.store(PICTURE, Ordering::Relaxed);
        header.records.store(state::LAYOUT, Ordering::Relaxed);
        header.magic.store(MAGIC, Ordering::Release);
    }

    /// How much it holds.
    pub fn capacity(self) -> Capacity {
        self.shape.capacity
    }

    /// Octets of address space; only what has been used takes memory.
    pub fn size(self) -> usize {
        self.shape.size
    }

    /// The header.
    pub fn header(self) -> &'static Header {
        // SAFETY: the header stands at 0, within the size; zeros and what Header's atomics hold are valid; never unmapped.
        unsafe { self.base.cast::<Header>().as_ref() }
    }

    /// All workers, used or not.
    pub fn workers(self) -> &'static [WorkerState] {
        // SAFETY: Shape has placed so many records there and nothing else, and counted them into the size.
        unsafe { self.slice(RECORDS, self.shape.capacity.workers) }
    }

    /// All members, used or not.
    pub fn members(self) -> &'static [MemberState] {
        // SAFETY: Shape has placed so many records there and nothing else, and counted them into the size.
        unsafe { self.slice(self.shape.members, self.shape.capacity.members) }
    }

    /// All balancers, used or not.
    pub fn balancers(self) -> &'static [BalancerState] {
        // SAFETY: Shape has placed so many records there and nothing else, and counted them into the size.
        unsafe { self.slice(self.shape.balancers, self.shape.capacity.balancers) }
    }

    /// The row at a place.
    pub fn row(self, place: usize) -> Option<RowView> {
        let Capacity { workers, balancers, rows, .. } = self.shape.capacity;
        if place >= rows {
            return None;
        }
        let at = self.shape.rows + place * self.shape.stride;
        let cells = at + size_of::<RowHead>();
        // SAFETY: Shape has counted `rows` rows of `stride` octets into the size, and `stride` holds the head, all cells and links;
        // `at` is a multiple of 64, `cells` of 8.
        let (head, workers, balancers, links) = unsafe {
            (
                self.base.add(at).cast::<RowHead>().as_ref(),
                self.slice(cells, workers),
                self.slice(cells + workers * size_of::<Cell>(), balancers),
                self.slice(cells + (workers + balancers) * size_of::<Cell>(), workers),
            )
        };
        Some(RowView { head, workers, balancers, links })
    }

    /// Open connections to the worker at a place, over all processes that are there.
    pub fn open_links(self, place: usize) -> u32 {
        (0..self.used().rows)
            .filter_map(|row| self.row(row))
            .filter(|row| row.head.owner.load(Ordering::Relaxed) != 0)
            .filter_map(|row| row.links.get(place))
            .fold(0, |sum, links| sum.saturating_add(links.load(Ordering::Relaxed)))
    }

    /// Requests that have been put aside, over all processes that are there.
    pub fn parked(self) -> u64 {
        (0..self.used().rows)
            .filter_map(|row| self.row(row))
            .filter(|row| row.head.owner.load(Ordering::Relaxed) != 0)
            .map(|row| u64::from(row.head.parked.load(Ordering::Relaxed)))
            .sum()
    }

    /// The settings changed at run time.
    pub fn journal(self) -> Journal {
        let Shape { journal, words, .. } = self.shape;
        let texts = journal + size_of::<JournalHead>();
        // SAFETY: Shape has counted the head and two texts of `words` words behind the rows into the size; `journal` is a
        // multiple of 64, `texts` of 8.
        unsafe {
            Journal::new(
                self.base.add(journal).cast::<JournalHead>().as_ref(),
                [self.slice(texts, words), self.slice(texts + words * size_of::<AtomicU64>(), words)],
            )
        }
    }

    /// Records in use: the first ones of their kind.
    pub fn used(self) -> Used {
        let [workers, members, balancers, rows] = &self.header().used;
        let bounded = |word: &AtomicU32, most: usize| {
            usize::try_from(word.load(Ordering::Acquire)).unwrap_or(usize::MAX).min(most)
        };
        let most = self.shape.capacity;
        Used {
            workers: bounded(workers, most.workers),
            members: bounded(members, most.members),
            balancers: bounded(balancers, most.balancers),
            rows: bounded(rows, most.rows),
        }
    }

    /// `count` records at `offset`.
    ///
    /// # Safety
    /// They lie within the segment, `offset` is aligned for `T`, nothing of another type is there, and `T` consists of
    /// atomics that are valid as zero.
    unsafe fn slice<T>(self, offset: usize, count: usize) -> &'static [T] {
        // SAFETY: as the caller promises; the memory is never unmapped.
        unsafe { slice::from_raw_parts(self.base.add(offset).cast::<T>().as_ptr(), count) }
    }
}

/// How many records are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// Workers.
    pub workers: usize,
    /// Members.
    pub members: usize,
    /// Balancers.
    pub balancers: usize,
    /// Rows that have been used at least once.
    pub rows: usize,
}

// A change here is a change of the picture.
const _: () =
    assert!(size_of::<LeaseWords>() == 64 && size_of::<RowHead>() == 64 && size_of::<Header>() == 128);
const _: () = assert!(size_of::<Header>() <= RECORDS);
const _: () = assert!(std::mem::offset_of!(Header, lease) == 64);
const _: () = assert!(size_of::<JournalHead>() == 192 && align_of::<JournalHead>() == LINE);
// All parts begin on a cache line.
const _: () = assert!(size_of::<WorkerState>().is_multiple_of(LINE) && align_of::<WorkerState>() == LINE);
const _: () = assert!(size_of::<MemberState>().is_multiple_of(LINE) && align_of::<MemberState>() == LINE);
const _: () = assert!(size_of::<BalancerState>().is_multiple_of(LINE) && align_of::<BalancerState>() == LINE);
const _: () = assert!(align_of::<Cell>() <= 8 && size_of::<Cell>() == 8);

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Capacity = Capacity { workers: 3, members: 5, balancers: 2, rows: 4 };

    #[test]
    fn parts_lie_behind_each_other() {
        let shape = Shape::of(SMALL).unwrap();
        assert_eq!(shape.members, 4096 + 3 * 768);
        assert_eq!(shape.balancers, shape.members + 5 * 1152);
        assert_eq!(shape.rows, shape.balancers + 2 * 128);
        assert_eq!(shape.stride, 128); // 64 + 5 * 8 + 3 * 4, filled up
        assert_eq!(shape.journal, shape.rows + 4 * shape.stride);
        assert_eq!(shape.words, 10 * 64);
        assert!(shape.journal + 192 + 2 * shape.words * 8 <= shape.size);
    }

    #[test]
    fn nothing_overlaps() {
        for capacity in [
            SMALL,
            Capacity { workers: 0, members: 0, balancers: 0, rows: 0 },
            Capacity { workers: 1, members: 0, balancers: 7, rows: 1 },
            Capacity { workers: 200, members: 900, balancers: 31, rows: 5 },
        ] {
            let map = super::super::segment::Segment::create(capacity, None).unwrap().map();
            let mut spans = vec![span(slice::from_ref(map.header()))];
            spans.push(span(map.workers()));
            spans.push(span(map.members()));
            spans.push(span(map.balancers()));
            for place in 0..capacity.rows {
                let row = map.row(place).unwrap();
                assert_eq!(std::ptr::from_ref(row.head).addr() % LINE, 0);
                spans.extend([span(slice::from_ref(row.head)), span(row.workers), span(row.balancers)]);
                spans.push(span(row.links));
            }
            spans.extend(map.journal().spans());
            assert!(map.row(capacity.rows).is_none());
            let start = std::ptr::from_ref(map.header()).addr();
            for pair in spans.windows(2) {
                assert!(pair[0].1 <= pair[1].0, "{capacity:?}: {spans:?}");
            }
            assert!(spans.last().unwrap().1 <= start + map.size());
        }
    }

    fn span<T>(records: &[T]) -> (usize, usize) {
        let range = records.as_ptr_range();
        (range.start.addr(), range.end.addr())
    }

    #[test]
    fn too_much_is_refused() {
        assert!(Shape::of(Capacity { workers: MAX_RECORDS + 1, ..SMALL }).is_none());
        assert!(Shape::of(Capacity { members: usize::MAX, ..SMALL }).is_none());
        assert!(Shape::of(Capacity { rows: MAX_ROWS + 1, ..SMALL }).is_none());
        let most =
            Capacity { workers: MAX_RECORDS, members: MAX_RECORDS, balancers: MAX_RECORDS, rows: MAX_ROWS };
        assert!(Shape::of(most).is_some() || usize::BITS == 32);
    }

    #[test]
    fn there_is_room_to_grow() {
        let few = Capacity::with_room(3, 5, 1, 16);
        assert_eq!(few, Capacity { workers: 64, members: 64, balancers: 16, rows: 40 });
        let many = Capacity::with_room(300, 400, 50, 20_000);
        assert_eq!(many, Capacity { workers: 600, members: 800, balancers: 100, rows: 1024 });
        let beyond = Capacity::with_room(MAX_RECORDS + 1, 0, 0, 1);
        assert!(Shape::of(beyond).is_none(), "what does not fit is not cut off silently");
    }
}
