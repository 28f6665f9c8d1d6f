//! A process counts its requests in a row of its own, so that what a killed process had counted can be given back.
//!
//! A child claims a row when it starts ([`Share::take`]) and leaves it at its end. Whoever looks after things calls [`reap`]
//! now and then: it finds rows whose process is gone, takes what is left in their cells off the gauges, wakes those who wait
//! there, and frees the rows. Several processes may do so at the same time: a row is marked first, and only the one that
//! marked it gives back. One that is killed in between leaves its mark, and the next goes on with what is left.
//!
//! A process that finds no free row counts in cells of its own memory: everything works, but what it has in work when it is
//! killed stays counted.

use std::sync::atomic::{AtomicU32, Ordering};

use super::alive::Owner;
use super::layout::{Map, RowHead, RowView, Used};
use super::{futex, lease};
use crate::engine::balance::state::{Cell, Gauge};
use crate::engine::units::Tick;

/// Where a process counts.
#[derive(Debug)]
pub struct Share {
    row: Option<Row>,
    workers: &'static [Cell],
    balancers: &'static [Cell],
    links: &'static [AtomicU32],
    parked: &'static AtomicU32,
}

/// A row that belongs to this process; left when dropped.
///
/// If something is still counted in it then (threads that did not end), it is kept until the process is gone and [`reap`]
/// finds it: those threads may yet count themselves out.
#[derive(Debug)]
pub struct Row {
    map: Map,
    view: RowView,
    place: u32,
    generation: u32,
    owner: Owner,
}

/// What [`reap`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reaped {
    /// Rows of processes that are gone.
    pub processes: usize,
    /// Gauges that had something of theirs.
    pub gauges: usize,
}

/// A process that has a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// The number of the restart that it belongs to.
    pub generation: u32,
    /// When it said last that it is there; 0: not yet.
    pub beat: Tick,
}

impl Share {
    /// Takes a row for this process, after it was forked. `generation`: number of the restart it belongs to.
    ///
    /// Without a free row the cells belong to this process alone; they are never freed.
    pub fn take(map: Map, generation: u32) -> Self {
        match claim(map, generation) {
            Some(row) => {
                let RowView { workers, balancers, links, .. } = row.view;
                // Connections of the process before are closed, however it ended.
                for count in links {
                    count.store(0, Ordering::Relaxed);
                }
                let parked = &row.view.head.parked;
                parked.store(0, Ordering::Relaxed);
                Self { workers, balancers, links, parked, row: Some(row) }
            }
            None => {
                let capacity = map.capacity();
                Self {
                    row: None,
                    workers: private(capacity.workers),
                    balancers: private(capacity.balancers),
                    links: private(capacity.workers),
                    parked: Box::leak(Box::default()),
                }
            }
        }
    }

    /// The row, if there was one.
    pub fn row(&self) -> Option<&Row> {
        self.row.as_ref()
    }

    /// The cell of the worker at a place of the registry.
    pub fn worker(&self, place: usize) -> Option<&'static Cell> {
        self.workers.get(place)
    }

    /// The cell of the balancer at a place of the registry.
    pub fn balancer(&self, place: usize) -> Option<&'static Cell> {
        self.balancers.get(place)
    }

    /// Cells by the places of the workers.
    pub fn workers(&self) -> &'static [Cell] {
        self.workers
    }

    /// Counts of open connections, by the places of the workers.
    pub fn links(&self) -> &'static [AtomicU32] {
        self.links
    }

    /// Cells by the places of the balancers.
    pub fn balancers(&self) -> &'static [Cell] {
        self.balancers
    }

    /// Count of requests that were put aside.
    pub fn parked(&self) -> &'static AtomicU32 {
        self.parked
    }
}

fn private<T: Default>(count: usize) -> &'static [T] {
    Box::leak((0..count).map(|_| T::default()).collect())
}

/// Takes a free row for this process; reaps if there is none.
pub fn claim(map: Map, generation: u32) -> Option<Row> {
    find(map, generation).or_else(|| (reap(map).processes > 0).then(|| find(map, generation)).flatten())
}

fn find(map: Map, generation: u32) -> Option<Row> {
    let owner = Owner::own();
    // The lowest free row: rows behind those ever used have no memory yet.
    for place in 0..map.capacity().rows {
        let view = map.row(place)?;
        // Looking first leaves the lines of other processes where they are.
        if view.head.owner.load(Ordering::Relaxed) != 0 {
            continue;
        }
        let place = u32::try_from(place).ok()?;
        // Before it is taken: nobody may die in a row that a reaper does not look at.
        let [.., rows] = &map.header().used;
        rows.fetch_max(place.saturating_add(1), Ordering::AcqRel);
        if view.head.owner.compare_exchange(0, owner.word(), Ordering::AcqRel, Ordering::Relaxed).is_err() {
            continue;
        }
        view.head.generation.store(generation, Ordering::Release);
        return Some(Row { map, view, place, generation, owner });
    }
    None
}

impl Row {
    /// The segment it belongs to.
    pub fn map(&self) -> Map {
        self.map
    }

    /// Its place.
    pub fn place(&self) -> u32 {
        self.place
    }

    /// The number of the restart that the process belongs to.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Cells by the places of the workers.
    pub fn workers(&self) -> &'static [Cell] {
        self.view.workers
    }

    /// Cells by the places of the balancers.
    pub fn balancers(&self) -> &'static [Cell] {
        self.view.balancers
    }

    /// Says that this process is there.
    pub fn beat(&self, now: Tick) {
        self.view.head.beat.store(now.0, Ordering::Relaxed);
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        // A process that this one has forked has a copy of this value, but the row is not its own.
        if std::process::id() != self.owner.pid() {
            return;
        }
        lease::give_up(self);
        let used = self.map.used();
        let idle = |cells: &[Cell], count: usize| cells.iter().take(count).all(Cell::is_idle);
        if idle(self.view.workers, used.workers) && idle(self.view.balancers, used.balancers) {
            free(self.view.head, self.owner);
        }
    }
}

/// Frees a row that `holder` has: everything else first, for whoever claims it next.
fn free(head: &RowHead, holder: Owner) {
    head.generation.store(0, Ordering::Relaxed);
    head.beat.store(0, Ordering::Relaxed);
    let _ = head.owner.compare_exchange(holder.word(), 0, Ordering::AcqRel, Ordering::Relaxed);
}

/// Gives back what processes that are gone have left. Some system calls for each process that has a row; not for the
/// path of a request.
pub fn reap(map: Map) -> Reaped {
    let own = Owner::own();
    let used = map.used();
    let mut reaped = Reaped::default();
    for view in (0..used.rows).filter_map(|place| map.row(place)) {
        let word = view.head.owner.load(Ordering::Acquire);
        let Some(seen) = Owner::from_word(word) else { continue };
        // A row or a mark of this process itself is in use; without a question to the kernel.
        if seen == own || seen == own.reaping() || !seen.is_gone() {
            continue;
        }
        let mark = own.reaping();
        if view.head.owner.compare_exchange(word, mark.word(), Ordering::AcqRel, Ordering::Relaxed).is_err() {
            continue; // another process was faster
        }
        reaped.processes += 1;
        reaped.gauges += give_back(map, view, used);
        free(view.head, mark);
    }
    reaped
}

/// Gives back what stands in a row; returns the number of gauges that changed.
fn give_back(map: Map, row: RowView, used: Used) -> usize {
    let workers = map.workers().iter().map(|worker| &worker.gauge).zip(row.workers).take(used.workers);
    let balancers = map.balancers().iter().map(|balancer| &balancer.gauge).zip(row.balancers);
    workers.chain(balancers.take(used.balancers)).filter(|(gauge, cell)| give_back_one(gauge, cell)).count()
}

fn give_back_one(gauge: &Gauge, cell: &Cell) -> bool {
    if cell.is_idle() {
        return false;
    }
    gauge.give_back(cell);
    futex::ring(&gauge.bell);
    true
}

/// All processes that have a row.
pub fn processes(map: Map) -> impl Iterator<Item = Process> {
    (0..map.used().rows).filter_map(move |place| {
        let head = map.row(place)?.head;
        let owner = Owner::from_word(head.owner.load(Ordering::Acquire))?;
        (!owner.is_reaping()).then(|| Process {
            pid: owner.pid(),
            generation: head.generation.load(Ordering::Acquire),
            beat: Tick(head.beat.load(Ordering::Relaxed)),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::layout::Capacity;
    use super::super::segment::Segment;
    use super::*;

    /// No process has this id: ids end at 2^22 on Linux.
    const NOBODY: u32 = 0x7fff_fff0;

    fn map() -> Map {
        let map =
            Segment::create(Capacity { workers: 2, members: 2, balancers: 1, rows: 2 }, None).unwrap().map();
        for (used, count) in map.header().used.iter().zip([2, 2, 1]) {
            used.store(count, Ordering::Relaxed);
        }
        map
    }

    /// Makes the row that of a process that is gone.
    fn kill(row: Row) {
        row.view.head.owner.store(Owner::new(NOBODY, 1).word(), Ordering::Relaxed);
        std::mem::forget(row);
    }

    #[test]
    fn rows_are_claimed_left_and_claimed_again() {
        let map = map();
        let (first, second) = (claim(map, 7).unwrap(), claim(map, 8).unwrap());
        assert_eq!((first.place(), second.place()), (0, 1));
        assert!(claim(map, 8).is_none());
        second.beat(Tick(5));
        let seen: Vec<Process> = processes(map).collect();
        let pid = std::process::id();
        assert_eq!(
            seen,
            [Process { pid, generation: 7, beat: Tick(0) }, Process { pid, generation: 8, beat: Tick(5) }]
        );
        drop(first);
        assert_eq!(processes(map).count(), 1);
        assert_eq!(claim(map, 9).unwrap().place(), 0);
        assert_eq!(map.used().rows, 2);
    }

    #[test]
    fn without_a_row_it_counts_for_itself() {
        let map = map();
        let _rows = (claim(map, 1).unwrap(), claim(map, 1).unwrap());
        let share = Share::take(map, 1);
        assert!(share.row().is_none());
        let gauge = &map.workers()[1].gauge;
        let flight = gauge.enter(share.worker(1).unwrap());
        assert_eq!(gauge.now(), 1);
        drop(flight);
        assert_eq!(gauge.now(), 0);
        assert_eq!((share.workers().len(), share.balancers().len()), (2, 1));
        assert!(share.worker(2).is_none() && share.balancer(1).is_none());
    }

    #[test]
    fn what_the_dead_have_counted_is_given_back_once() {
        let map = map();
        let (dead, living) = (claim(map, 1).unwrap(), claim(map, 1).unwrap());
        let (worker, balancer) = (&map.workers()[1].gauge, &map.balancers()[0].gauge);
        std::mem::forget((worker.enter(&dead.workers()[1]), worker.enter(&dead.workers()[1])));
        std::mem::forget(balancer.try_wait(&dead.balancers()[0], 5));
        let _kept = worker.enter(&living.workers()[1]);
        assert_eq!(reap(map), Reaped::default(), "both are alive");
        kill(dead);
        let bell = worker.bell.load(Ordering::Relaxed);
        assert_eq!((worker.now(), balancer.waiting()), (3, 1));
        assert_eq!(reap(map), Reaped { processes: 1, gauges: 2 });
        assert_eq!((worker.now(), balancer.waiting()), (1, 0));
        assert_ne!(worker.bell.load(Ordering::Relaxed), bell, "somebody may be waiting for the place");
        assert_eq!(reap(map), Reaped::default());
        assert_eq!(worker.now(), 1);
    }

    #[test]
    fn who_is_gone_has_put_nothing_aside() {
        let map = map();
        let (one, other) = (Share::take(map, 1), Share::take(map, 1));
        one.parked().store(3, Ordering::Relaxed);
        other.parked().store(4, Ordering::Relaxed);
        assert_eq!(map.parked(), 7);
        let dead = one.row.unwrap();
        kill(dead);
        reap(map);
        assert_eq!(map.parked(), 4);
        let next = Share::take(map, 2);
        assert_eq!((next.row().unwrap().place(), map.parked()), (0, 4));
    }

    #[test]
    fn a_full_segment_is_reaped_by_whoever_needs_a_row() {
        let map = map();
        let (dead, _living) = (claim(map, 1).unwrap(), claim(map, 1).unwrap());
        kill(dead);
        assert_eq!(claim(map, 2).unwrap().place(), 0);
    }

    #[test]
    fn a_reaper_that_was_killed_is_finished_by_the_next() {
        let map = map();
        let dead = claim(map, 1).unwrap();
        std::mem::forget(map.workers()[0].gauge.enter(&dead.workers()[0]));
        let head = dead.view.head;
        kill(dead);
        head.owner.store(Owner::new(NOBODY - 1, 1).reaping().word(), Ordering::Relaxed);
        assert_eq!(processes(map).count(), 0);
        assert_eq!(reap(map), Reaped { processes: 1, gauges: 1 });
        assert_eq!(map.workers()[0].gauge.now(), 0);
        assert_eq!(head.owner.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_row_with_requests_in_work_is_not_left_to_others() {
        let map = map();
        let row = claim(map, 1).unwrap();
        let flight = map.workers()[0].gauge.enter(&row.workers()[0]);
        drop(row);
        assert_eq!(processes(map).count(), 1, "the request may still count itself out");
        drop(flight);
        assert_eq!(map.workers()[0].gauge.now(), 0);
        assert_eq!(reap(map), Reaped::default(), "the process lives");
    }

    #[test]
    fn many_reapers_give_back_once() {
        let map = map();
        let gauge = &map.workers()[0].gauge;
        for _ in 0..200 {
            let dead = claim(map, 1).unwrap();
            std::mem::forget(gauge.enter(&dead.workers()[0]));
            kill(dead);
            let total: usize = std::thread::scope(|scope| {
                let reapers: Vec<_> = (0..3).map(|_| scope.spawn(|| reap(map).processes)).collect();
                reapers.into_iter().map(|reaper| reaper.join().unwrap()).sum()
            });
            assert_eq!(total, 1);
            assert_eq!(gauge.now(), 0);
        }
    }
}
