//! The shared memory of the server: made at the first start, kept over restarts, entered by each child.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::runtime::{Cells, Records};
use super::watchdog::Office;
use crate::engine::balance::state::{BalancerState, MemberState, WorkerState};
use crate::engine::config::model::{Kind, WorkerSet};
use crate::engine::units::Tick;
use crate::ffi::server::Startup;
use crate::ffi::time;
use crate::shm::layout::{Capacity, Map};
use crate::shm::lease;
use crate::shm::process::{Share, reap};
use crate::shm::random;
use crate::shm::registry::Registry;
use crate::shm::segment::{CreateError, Segment};

/// What the parent keeps in its process pool. The memory's file, if there is one, goes with it.
struct Kept {
    registry: Mutex<Option<Registry>>,
    /// Number of the configuration that was opened last.
    generation: AtomicU32,
    /// For tokens of the status page.
    secret: [u8; random::SECRET],
    /// When the server was started, seconds since 1970.
    started: u64,
}

/// The shared memory of one configuration.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    map: Map,
    generation: u32,
    /// For tokens of the status page; the same for all processes and over restarts.
    pub secret: [u8; random::SECRET],
    /// When the server was started, seconds since 1970.
    pub started: u64,
}

/// Opens the memory for `workers` and hands out its records while `use_records` runs. `file`: `JkShmFile`.
///
/// # Errors
/// There is no memory, or its file cannot be made.
pub fn open<T>(
    startup: &Startup<'_>,
    workers: &WorkerSet,
    file: Option<&Path>,
    use_records: impl FnOnce(&mut dyn Records) -> T,
) -> Result<(Memory, T), CreateError> {
    const KEY: &str = "mod_jk_rs memory";
    let secret = random::secret().map_err(|error| CreateError::Memory(random::SECRET, error))?;
    let started = u64::try_from(time::wall().0).unwrap_or(0);
    let fresh = || Kept { registry: Mutex::new(None), generation: AtomicU32::new(0), secret, started };
    let own = fresh();
    let kept = match startup.process_pool() {
        Some(pool) => pool.remember_once(KEY, fresh),
        None => &own,
    };
    let generation = kept.generation.fetch_add(1, Ordering::Relaxed) + 1;
    let mut registry = kept.registry.lock();
    let capacity = capacity(workers, startup.most_children());
    let mut current = match registry.take() {
        Some(registry) => registry,
        None => Registry::new(Segment::create(capacity, file)?),
    };
    if !has_room(&mut current, workers) {
        let segment = match Segment::create(capacity, file) {
            Ok(segment) => segment,
            Err(error) => {
                *registry = Some(current);
                return Err(error);
            }
        };
        current = Registry::grown(segment, &current);
    }
    let map = current.map();
    let result = use_records(&mut Handed(&mut current));
    *registry = Some(current);
    let (secret, started) = (kept.secret, kept.started);
    Ok((Memory { map, generation, secret, started }, result))
}

fn capacity(workers: &WorkerSet, children: usize) -> Capacity {
    let (mut ajp, mut members, mut balancers) = (0, 0, 0);
    for worker in &workers.workers {
        match &worker.kind {
            Kind::Ajp13(_) => ajp += 1,
            Kind::Lb(lb) => {
                balancers += 1;
                members += lb.members.len();
            }
            Kind::Status(_) => {}
        }
    }
    Capacity::with_room(ajp, members, balancers, children)
}

/// Every worker has or gets a record in the segment there is.
fn has_room(registry: &mut Registry, workers: &WorkerSet) -> bool {
    workers.workers.iter().all(|worker| match &worker.kind {
        Kind::Ajp13(_) => registry.worker(&worker.name).is_ok(),
        Kind::Lb(lb) => {
            registry.balancer(&worker.name).is_ok()
                && lb.members.iter().all(|member| {
                    workers
                        .member(member)
                        .is_none_or(|(it, _)| registry.member(&worker.name, &it.name).is_ok())
                })
        }
        Kind::Status(_) => true,
    })
}

/// Records of the registry. All of them have been asked for before, so none is missing; a stray one keeps a defect from
/// being more than wrong statistics.
struct Handed<'a>(&'a mut Registry);

impl Records for Handed<'_> {
    fn worker(&mut self, name: &str) -> (&'static WorkerState, usize) {
        self.0.worker(name).unwrap_or_else(|_| (Box::leak(Box::default()), usize::MAX))
    }

    fn member(&mut self, balancer: &str, name: &str) -> &'static MemberState {
        self.0.member(balancer, name).map_or_else(|_| Box::leak(Box::default()) as &_, |(member, _)| member)
    }

    fn balancer(&mut self, name: &str) -> (&'static BalancerState, usize) {
        self.0.balancer(name).unwrap_or_else(|_| (Box::leak(Box::default()), usize::MAX))
    }

    fn map(&self) -> Map {
        self.0.map()
    }
}

/// A child's place in the shared memory; left when dropped.
pub struct Seat {
    memory: Memory,
    share: Share,
}

impl Seat {
    /// Enters a child.
    pub fn take(memory: Memory) -> Self {
        Self { memory, share: Share::take(memory.map, memory.generation) }
    }

    /// Where this child counts the requests that it has put aside.
    pub fn parked(&self) -> &'static AtomicU32 {
        self.share.parked()
    }

    /// The shares of this child.
    pub fn cells(&self) -> Cells {
        Cells { workers: self.share.workers(), balancers: self.share.balancers(), links: self.share.links() }
    }
}

impl Office for Seat {
    fn hold(&mut self, now: Tick) -> bool {
        self.share.row().is_some_and(|row| {
            row.beat(now);
            lease::try_hold(row, now)
        })
    }

    fn reap(&mut self) -> usize {
        reap(self.memory.map).processes
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(row) = self.share.row() {
            lease::give_up(row);
        }
    }
}
