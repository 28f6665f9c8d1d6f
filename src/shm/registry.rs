//! Which record belongs to which name.
//!
//! The registry is a value in the parent's own memory, kept over restarts. A record, once given to a name, stays where it is
//! and is never given to another: children of an earlier generation count in the same records as the new ones, so
//! statistics, states and changes made at run time survive a graceful restart. A worker that leaves the configuration and
//! comes back finds its record again.
//!
//! A segment has a fixed size. When it is full, the caller makes a larger one, and [`Registry::grown`] carries over what
//! lasts. Children of earlier generations go on with the old segment.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::Ordering;

use super::carry;
use super::layout::Map;
use super::segment::Segment;
use crate::engine::balance::state::{BalancerState, MemberState, WorkerState};

/// What there is no more room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Workers.
    Workers,
    /// Members.
    Members,
    /// Balancers.
    Balancers,
}

impl fmt::Display for Full {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Workers => "workers",
            Self::Members => "members",
            Self::Balancers => "balancers",
        };
        write!(out, "shared memory has no room for more {what}")
    }
}

impl std::error::Error for Full {}

/// Places of records by their names.
#[derive(Debug, Clone, Default)]
struct Names {
    workers: HashMap<Box<str>, usize>,
    members: HashMap<(Box<str>, Box<str>), usize>,
    balancers: HashMap<Box<str>, usize>,
}

/// A segment and the names of its records.
#[derive(Debug)]
pub struct Registry {
    segment: Segment,
    names: Names,
    /// The segment before, for what has not been asked for yet.
    before: Option<(Map, Names)>,
}

impl Registry {
    /// No names yet.
    pub fn new(segment: Segment) -> Self {
        Self { segment, names: Names::default(), before: None }
    }

    /// As [`Registry::new`]; a name that `old` knows gets a copy of its record when it is asked for first.
    ///
    /// Statistics, states, failures and changes made at run time are copied, settings right away. Requests in work and connections are not: they
    /// belong to processes that go on with the old segment. Names that are not asked for before the next growth are
    /// forgotten then.
    pub fn grown(segment: Segment, old: &Self) -> Self {
        if let Ok(turn) = segment.map().journal().take_turn() {
            // It has room: the new text is not smaller than the old one.
            let _ = turn.publish(&old.segment.map().journal().read().1);
        }
        Self { segment, names: Names::default(), before: Some((old.segment.map(), old.names.clone())) }
    }

    /// The memory.
    pub fn map(&self) -> Map {
        self.segment.map()
    }

    /// The segment.
    pub fn segment(&self) -> &Segment {
        &self.segment
    }

    /// The record of a worker and its place, which is also the place of its cell in every row.
    ///
    /// # Errors
    /// The segment is full.
    pub fn worker(&mut self, name: &str) -> Result<(&'static WorkerState, usize), Full> {
        let map = self.segment.map();
        let [used, ..] = &map.header().used;
        let known = self.names.workers.get(name).copied();
        let (place, new) = known.map_or((self.names.workers.len(), true), |place| (place, false));
        let record = map.workers().get(place).ok_or(Full::Workers)?;
        if new {
            if let Some((old, names)) = &self.before
                && let Some(old) = names.workers.get(name).and_then(|place| old.workers().get(*place))
            {
                carry::worker(old, record);
            }
            self.names.workers.insert(name.into(), place);
            publish(used, place);
        }
        Ok((record, place))
    }

    /// The record of a member of a balancer, and its place.
    ///
    /// # Errors
    /// The segment is full.
    pub fn member(&mut self, balancer: &str, member: &str) -> Result<(&'static MemberState, usize), Full> {
        let map = self.segment.map();
        let [_, used, ..] = &map.header().used;
        let key = (Box::from(balancer), Box::from(member));
        let known = self.names.members.get(&key).copied();
        let (place, new) = known.map_or((self.names.members.len(), true), |place| (place, false));
        let record = map.members().get(place).ok_or(Full::Members)?;
        if new {
            if let Some((old, names)) = &self.before
                && let Some(old) = names.members.get(&key).and_then(|place| old.members().get(*place))
            {
                carry::member(old, record);
            }
            self.names.members.insert(key, place);
            publish(used, place);
        }
        Ok((record, place))
    }

    /// The record of a balancer and its place, which is also the place of its cell in every row.
    ///
    /// # Errors
    /// The segment is full.
    pub fn balancer(&mut self, name: &str) -> Result<(&'static BalancerState, usize), Full> {
        let map = self.segment.map();
        let [_, _, used, _] = &map.header().used;
        let known = self.names.balancers.get(name).copied();
        let (place, new) = known.map_or((self.names.balancers.len(), true), |place| (place, false));
        let record = map.balancers().get(place).ok_or(Full::Balancers)?;
        if new {
            if let Some((old, names)) = &self.before
                && let Some(old) = names.balancers.get(name).and_then(|place| old.balancers().get(*place))
            {
                carry::balancer(old, record);
            }
            self.names.balancers.insert(name.into(), place);
            publish(used, place);
        }
        Ok((record, place))
    }
}

/// Raises the number of records in use above `place`.
fn publish(used: &std::sync::atomic::AtomicU32, place: usize) {
    let count = u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1);
    used.fetch_max(count, Ordering::AcqRel);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::super::layout::Capacity;
    use super::*;
    use crate::engine::balance::state::{Cell, State};
    use crate::engine::config::model::Activation;

    fn registry(workers: usize) -> Registry {
        let capacity = Capacity { workers, members: 2, balancers: 1, rows: 2 };
        Registry::new(Segment::create(capacity, None).unwrap())
    }

    #[test]
    fn a_name_keeps_its_record() {
        let mut registry = registry(3);
        let (a, first) = registry.worker("a").unwrap();
        let (b, second) = registry.worker("b").unwrap();
        assert_eq!((first, second), (0, 1));
        assert!(!std::ptr::eq(a, b));
        // The next restart asks in another order, and for a new one.
        let (again, place) = registry.worker("b").unwrap();
        assert!(std::ptr::eq(b, again) && place == second);
        assert_eq!(registry.worker("c").unwrap().1, 2);
        assert!(std::ptr::eq(registry.worker("a").unwrap().0, a));
        assert_eq!(registry.map().used().workers, 3);
    }

    #[test]
    fn members_belong_to_their_balancer() {
        let mut registry = registry(1);
        let (one, _) = registry.member("lb1", "a").unwrap();
        let (other, _) = registry.member("lb2", "a").unwrap();
        assert!(!std::ptr::eq(one, other));
        assert!(std::ptr::eq(registry.member("lb1", "a").unwrap().0, one));
        assert_eq!(registry.member("lb1a", "").unwrap_err(), Full::Members);
        assert_eq!(registry.map().used().members, 2);
    }

    #[test]
    fn full_is_an_error_for_new_names_only() {
        let mut registry = registry(1);
        registry.worker("a").unwrap();
        let full = registry.worker("b").unwrap_err();
        assert_eq!(full, Full::Workers);
        assert!(full.to_string().contains("workers"));
        assert!(registry.worker("a").is_ok());
        registry.balancer("lb").unwrap();
        assert_eq!(registry.balancer("lb2").unwrap_err(), Full::Balancers);
        assert!(registry.balancer("lb").is_ok());
    }

    #[test]
    fn growth_carries_over_what_lasts() {
        let mut old = registry(2);
        old.worker("unused").unwrap();
        let (worker, place) = old.worker("a").unwrap();
        assert_eq!(place, 1);
        worker.used.store(7, Relaxed);
        worker.connected.store(3, Relaxed);
        worker.down_since.store(99, Relaxed);
        let cell = Cell::default();
        let flight = worker.gauge.enter(&cell);
        let (member, _) = old.member("lb", "a").unwrap();
        member.set_state(State::Error);
        member.set_activation(Activation::Disabled);
        member.elected.store(11, Relaxed);
        let (balancer, _) = old.balancer("lb").unwrap();
        balancer.budget.store(-5, Relaxed);
        let waiting = balancer.gauge.try_wait(&cell, 9).unwrap();

        let capacity = Capacity { workers: 8, members: 8, balancers: 8, rows: 2 };
        let mut new = Registry::grown(Segment::create(capacity, None).unwrap(), &old);
        let (copy, place) = new.worker("a").unwrap();
        assert_eq!(place, 0, "names nobody asks for take no room");
        assert_eq!((copy.used.load(Relaxed), copy.down_since.load(Relaxed)), (7, 99));
        assert_eq!((copy.gauge.now(), copy.gauge.most(), copy.connected.load(Relaxed)), (0, 1, 0));
        let (copy, _) = new.member("lb", "a").unwrap();
        assert_eq!((copy.state(), copy.activation()), (State::Error, Activation::Disabled));
        assert_eq!(copy.elected.load(Relaxed), 11);
        let (copy, _) = new.balancer("lb").unwrap();
        assert_eq!((copy.budget.load(Relaxed), copy.gauge.waiting()), (-5, 0));
        // The old children go on with theirs; a second question copies nothing again.
        drop((flight, waiting));
        worker.used.store(1000, Relaxed);
        assert_eq!(new.worker("a").unwrap().0.used.load(Relaxed), 7);
        assert_eq!(new.worker("new").unwrap().0.used.load(Relaxed), 0);
    }
}
