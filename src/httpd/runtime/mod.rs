//! The workers of one configuration at work: settings, addresses, pools, shared records.
//!
//! Made in the parent while it reads the configuration; pools are empty then, so each child gets its own by forking.

mod backend;
mod connections;
mod farm;
mod follow;
mod versions;
mod work;

use std::ffi::CString;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use backend::{Backend, Links};
pub use connections::Connections;
pub use farm::Farm;
pub use versions::{Current, MOST as MOST_CHANGES};
pub use work::{InWork, Queued, pass};

use crate::engine::balance::state::{BalancerState, Cell, MemberState, WorkerState};
use crate::engine::config::model::{Kind, Status, WorkerSet};
use crate::engine::units::Tick;
use crate::httpd::status::Facts;
use crate::shm::journal::Journal;
use crate::shm::layout::Map;
use crate::transport::clock;
use follow::Follow;
use versions::Versions;

/// Where shared records come from, by name.
pub trait Records {
    /// The record of an AJP worker and the place of its share in each process.
    fn worker(&mut self, name: &str) -> (&'static WorkerState, usize);
    /// The record of a member.
    fn member(&mut self, balancer: &str, name: &str) -> &'static MemberState;
    /// The record of a balancer and the place of its share in each process.
    fn balancer(&mut self, name: &str) -> (&'static BalancerState, usize);
    /// The memory they are in.
    fn map(&self) -> Map;
}

/// The shares of this process in the shared counts.
#[derive(Debug, Clone, Copy)]
pub struct Cells {
    /// Of AJP workers.
    pub workers: &'static [Cell],
    /// Of balancers.
    pub balancers: &'static [Cell],
    /// Open connections to AJP workers.
    pub links: &'static [AtomicU32],
}

/// All workers of a configuration.
#[derive(Debug)]
pub struct Generation {
    /// By the places of the workers in the configuration.
    targets: Vec<Target>,
    backends: Vec<Versions<Backend>>,
    farms: Vec<Versions<Farm>>,
    statuses: Vec<StatusWorker>,
    /// The configuration, without what was changed at run time.
    set: Arc<WorkerSet>,
    follow: Follow,
    map: Map,
    /// What status workers know beside the workers; set when the server is about to run.
    pub facts: OnceLock<Facts>,
    maintain: Option<Duration>,
    maintained: AtomicU64,
    /// Set at the beginning of each child.
    cells: OnceLock<Cells>,
}

/// What a mount names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Backend(usize),
    Farm(usize),
    Status(usize),
}

/// A worker of type `status`.
#[derive(Debug)]
pub struct StatusWorker {
    /// Its name.
    pub name: String,
    /// Its name for notes.
    pub c_name: CString,
    /// Its settings.
    pub settings: Box<Status>,
}

/// A worker that requests are given to.
#[derive(Debug, Clone, Copy)]
pub enum Worker<'g> {
    /// Of type `ajp13` or `http`.
    Single(&'g Backend),
    /// Of type `lb`.
    Balancer(&'g Farm),
    /// Of type `status`.
    Status(&'g StatusWorker),
}

impl<'g> Worker<'g> {
    /// Its name.
    pub fn name(self) -> &'g str {
        match self {
            Self::Single(backend) => &backend.name,
            Self::Balancer(farm) => &farm.balancer.name,
            Self::Status(status) => &status.name,
        }
    }

    /// Its name for notes.
    pub fn c_name(self) -> &'g std::ffi::CStr {
        match self {
            Self::Single(backend) => &backend.c_name,
            Self::Balancer(farm) => &farm.c_name,
            Self::Status(status) => &status.c_name,
        }
    }

    fn listed(self) -> bool {
        match self {
            Self::Single(backend) => backend.listed,
            Self::Balancer(_) | Self::Status(_) => true,
        }
    }
}

impl Generation {
    /// Resolves the addresses of all workers. Names that have none are reported to `complain` and looked up again later.
    /// `probed`: children probe members that cannot be reached.
    pub fn new(
        set: &Arc<WorkerSet>,
        records: &mut dyn Records,
        probed: bool,
        mut complain: impl FnMut(&str, String),
    ) -> Self {
        let now = clock::now();
        let map = records.map();
        let journal = map.journal();
        let (version, changed) = follow::read(journal);
        let (mut backends, mut farms, mut statuses) = (Vec::new(), Vec::new(), Vec::new());
        let mut targets = vec![Target::Farm(usize::MAX); set.workers.len()];
        for (worker, target) in set.workers.iter().zip(&mut targets) {
            if let Kind::Ajp13(settings) = &worker.kind {
                let listed = set.is_listed(&worker.name);
                let record = records.worker(&worker.name);
                let settings = changed.backend(&worker.name, settings);
                let backend = Backend::new(&worker.name, listed, &settings, record, now, &mut complain);
                if let Err(error) = backend.known() {
                    complain(&worker.name, error);
                }
                *target = Target::Backend(backends.len());
                backends.push(Versions::new(backend));
            } else if let Kind::Status(settings) = &worker.kind {
                *target = Target::Status(statuses.len());
                let c_name = CString::new(worker.name.as_str()).unwrap_or_default();
                let (name, settings) = (worker.name.clone(), settings.clone());
                statuses.push(StatusWorker { name, c_name, settings });
            }
        }
        for place in 0..targets.len() {
            if let Some((name, Kind::Lb(lb))) =
                set.workers.get(place).map(|worker| (&worker.name, &worker.kind))
            {
                let members = lb
                    .members
                    .iter()
                    .filter_map(|member| match targets.get(member.worker) {
                        Some(Target::Backend(at)) => Some((*at, backends.get(*at)?.current(), member)),
                        _ => None,
                    })
                    .collect::<Vec<_>>();
                let farm = Farm::new(name, lb, &members, &changed, records, probed);
                if let Some(target) = targets.get_mut(place) {
                    *target = Target::Farm(farms.len());
                }
                farms.push(Versions::new(farm));
            }
        }
        Self {
            targets,
            backends,
            farms,
            statuses,
            set: Arc::clone(set),
            follow: Follow::new(journal, version),
            map,
            facts: OnceLock::new(),
            maintain: set.maintain.limit(),
            maintained: AtomicU64::new(now.0),
            cells: OnceLock::new(),
        }
    }

    /// The place of the mountable worker of that name.
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        (0..self.targets.len()).find(|place| {
            self.worker(*place).is_some_and(|worker| worker.listed() && worker.name().as_bytes() == name)
        })
    }

    /// The worker at a place, with the settings in force at this moment.
    pub fn worker(&self, place: usize) -> Option<Worker<'_>> {
        self.sync();
        match *self.targets.get(place)? {
            Target::Backend(at) => self.backends().get(at).map(Worker::Single),
            Target::Farm(at) => self.farms().get(at).map(Worker::Balancer),
            Target::Status(at) => self.statuses.get(at).map(Worker::Status),
        }
    }

    /// The worker at a place of the configuration, if it relays to one backend.
    pub fn backend_at(&self, place: usize) -> Option<&Backend> {
        match *self.targets.get(place)? {
            Target::Backend(at) => self.backends().get(at),
            Target::Farm(_) | Target::Status(_) => None,
        }
    }

    /// All AJP workers.
    pub fn backends(&self) -> Current<'_, Backend> {
        Current(&self.backends)
    }

    /// All balancers.
    pub fn farms(&self) -> Current<'_, Farm> {
        Current(&self.farms)
    }

    /// The configuration, without what was changed at run time.
    pub fn configured(&self) -> &WorkerSet {
        &self.set
    }

    /// Open connections to an AJP worker, over all processes.
    pub fn open_links(&self, worker: &Backend) -> u32 {
        self.map.open_links(worker.place)
    }

    /// Requests that have been put aside, over all processes.
    pub fn parked(&self) -> u64 {
        self.map.parked()
    }

    /// The settings changed at run time.
    pub fn journal(&self) -> Journal {
        self.follow.journal
    }

    /// Somebody has to probe members, to give back what killed processes had in work, or to look after the file of changes.
    pub fn needs_office(&self) -> bool {
        self.facts.get().is_some_and(|facts| facts.keep.is_some())
            || !self.farms.is_empty()
            || self.backends().iter().any(Backend::is_limited)
    }

    /// Number of workers of all types.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// There are no workers.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Names of the mountable workers by their places.
    pub fn names(&self) -> Vec<Option<Box<[u8]>>> {
        (0..self.targets.len())
            .map(|place| {
                let worker = self.worker(place).filter(|worker| worker.listed())?;
                Some(worker.name().as_bytes().into())
            })
            .collect()
    }

    /// Gives this process its shares in the shared counts.
    pub fn settle(&self, cells: Cells) {
        for backend in self.backends() {
            if let Some(count) = cells.links.get(backend.place) {
                backend.count_links(Links { count, map: self.map });
            }
        }
        let _ = self.cells.set(cells);
    }

    /// This process's share of an AJP worker.
    pub fn worker_cell(&self, place: usize) -> &'static Cell {
        self.cells.get().and_then(|cells| cells.workers.get(place)).unwrap_or(&STRAY)
    }

    /// This process's share of a balancer.
    pub fn balancer_cell(&self, place: usize) -> &'static Cell {
        self.cells.get().and_then(|cells| cells.balancers.get(place)).unwrap_or(&STRAY)
    }

    /// Looks after idle connections and balancers when `worker.maintain` has passed since the last time in this process.
    pub fn maintain(&self, now: Tick) {
        let Some(interval) = self.maintain else { return };
        let last = self.maintained.load(Ordering::Relaxed);
        if now.since(Tick(last)) < interval
            || self.maintained.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return; // not yet, or another thread does it
        }
        for farm in self.farms() {
            farm.balancer.maintain(interval, now);
        }
        for worker in self.backends() {
            worker.maintain(now);
        }
    }
}

/// Share of a process that has none of its own; nobody gives back what it counts.
static STRAY: Cell = Cell::new();
