//! Which member serves a request: sessions first, then the method. Nothing is changed here; [`super::rounds`] does that.
//!
//! Source: `get_most_suitable_worker`, `find_bysession_route`, `find_best_bydomain` and `find_best_byvalue` of
//! jk_lb_worker.c. Three things differ: a session id with dots of its own is also understood by the part behind its last dot;
//! `sticky_session_force` refuses only what belongs to a member that can not be used; and states are read
//! where they are, not copied before.

use std::sync::atomic::Ordering::Relaxed;

use super::methods::hash::Bound;
use super::methods::p2c::Lot;
use super::methods::{FULL, Rule, with_rule};
use super::state::{MemberState, State};
use super::{Ask, Balancer, Member, Why};
use crate::engine::config::model::{Activation, Method};
use crate::engine::headers::every;
use crate::engine::units::Tick;

/// Up to so many routes are compared one by one, which is faster than looking them up.
const FEW: usize = 8;

/// A chosen member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// Its place.
    pub member: usize,
    /// Why it was chosen.
    pub why: Why,
    /// It is the member the session names, or the only one there is.
    pub sticky: bool,
    /// Members that were looked at.
    pub considered: u16,
    /// Those of them that could have been chosen.
    pub usable: u16,
}

/// The result of looking for a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picked {
    /// This one.
    Member(Pick),
    /// The session belongs to a member that can not be used, and `sticky_session_force` forbids others.
    ForcedAway {
        /// The place of the member.
        owner: usize,
    },
    /// No member can be used.
    Nobody,
}

/// Members that have failed in this request and are not to be tried again for now. No allocation for the first eight.
#[derive(Debug, Default)]
pub struct Tried {
    few: [u32; 8],
    len: usize,
    more: Vec<u32>,
}

impl Tried {
    /// The member is among them.
    #[inline]
    pub fn contains(&self, member: usize) -> bool {
        self.len > 0
            && (self.few.iter().take(self.len).chain(&self.more).any(|tried| *tried as usize == member))
    }

    /// One more.
    pub fn add(&mut self, member: usize) {
        let Ok(number) = u32::try_from(member) else { return };
        if self.contains(member) {
            return;
        }
        match self.few.get_mut(self.len) {
            Some(place) => {
                *place = number;
                self.len += 1;
            }
            None => self.more.push(number),
        }
    }

    /// All may be tried again.
    pub fn clear(&mut self) {
        self.len = 0;
        self.more.clear();
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The places.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.few.iter().take(self.len).chain(&self.more).map(|member| *member as usize)
    }
}

/// The result of [`Balancer::choose`], with what a race is noticed by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) pick: Pick,
    /// The value that made it the best; `None` when it was not chosen by its value.
    pub(super) seen: Option<u64>,
}

/// The best member so far.
#[derive(Debug, Clone, Copy)]
struct Best {
    place: usize,
    distance: i64,
    cost: u64,
}

/// What a route leads to.
enum Led {
    To(usize, Why),
    /// To a member that can not be used, without a stand-in.
    Nowhere(usize),
    Unknown,
}

impl Balancer<'_> {
    /// Looks for a member, without counting anything.
    pub fn pick(&self, ask: &Ask<'_>, tried: &Tried) -> Picked {
        match self.choose(ask, tried) {
            Ok(choice) => Picked::Member(choice.pick),
            Err(Some(owner)) => Picked::ForcedAway { owner },
            Err(None) => Picked::Nobody,
        }
    }

    /// As [`Balancer::pick`]; the error is the owner of a session that is not to go elsewhere.
    pub(super) fn choose(&self, ask: &Ask<'_>, tried: &Tried) -> Result<Choice, Option<usize>> {
        let walk = Walk::new(self, ask, tried);
        if let [only] = &*self.members {
            let active = walk.activation(0, only.state) == Activation::Active;
            if active || !walk.usable_for_session(0) {
                let usable = active && walk.usable_for_session(0);
                return if usable { Ok(choice(0, Why::Single, true, 1, 1)) } else { Err(None) };
            }
            // Disabled: only its sessions find it.
        }
        // Nobody comes before the first one known, unless an unknown route names a domain.
        if let Some(owner) = ask.owner.filter(|owner| !self.has_domains && walk.usable_for_session(*owner)) {
            return Ok(choice(owner, Why::Sticky, true, 1, 1));
        }
        let mut owner = None;
        let routes = ask.route.into_iter().chain(ask.sessions.iter().flat_map(|id| routes_of(id)));
        for route in routes {
            match walk.lead(route) {
                Led::To(place, why) => return Ok(choice(place, why, why == Why::Sticky, 1, 1)),
                Led::Nowhere(place) => owner = owner.or(Some(place)),
                Led::Unknown => {}
            }
        }
        if owner.is_some() && self.settings.sticky_force {
            return Err(owner);
        }
        if let Some(choice) = walk.by_method() {
            return Ok(choice);
        }
        let redirect = self.members.iter().find(|member| !member.redirect.is_empty());
        match redirect.map(|member| walk.lead(member.redirect.as_bytes())) {
            Some(Led::To(place, _)) => Ok(choice(place, Why::StandIn, false, self.size(), 0)),
            _ => Err(None),
        }
    }

    /// The member that has the session of a request, whether it can be used or not.
    pub fn owner(&self, route: Option<&[u8]>, sessions: &[&[u8]]) -> Option<usize> {
        let routes = route.into_iter().chain(sessions.iter().flat_map(|id| routes_of(id)));
        routes.filter_map(|route| self.by_route(route)).next()
    }

    /// Counts the session that a request has of a member that is being drained.
    #[cold]
    pub(super) fn note_session(&self, member: usize, ask: &Ask<'_>) {
        let Some(member) = self.members.get(member) else { return };
        let leads = |id: &&&[u8]| routes_of(id).any(|route| route == member.route.as_bytes());
        if let Some(id) = ask.sessions.iter().find(leads) {
            member.state.seen.note(id, ask.now);
        }
    }

    /// Somebody can be used for new sessions, those tried before included.
    pub(super) fn somebody_usable(&self, ask: &Ask<'_>) -> bool {
        let tried = Tried::default();
        let walk = Walk::new(self, ask, &tried);
        (0..self.members.len()).any(|place| walk.usable_for_new(place))
    }

    /// Weight of a member in thousandths of its full one: less during its slow start.
    #[inline]
    pub(super) fn weight(&self, member: &Member<'_>, now: Tick) -> u64 {
        let from = member.state.ramp_from.load(Relaxed);
        if from == 0 { FULL } else { self.ramp(now.0.saturating_sub(from)) }
    }

    /// From a tenth to all of the weight.
    fn ramp(&self, passed: u64) -> u64 {
        let whole = u64::try_from(self.settings.slow_start.as_micros()).unwrap_or(u64::MAX);
        if passed >= whole {
            return FULL;
        }
        let grown = u128::from(passed) * u128::from(FULL - FULL / 10) / u128::from(whole.max(1));
        FULL / 10 + u64::try_from(grown).unwrap_or(0)
    }

    /// The member with exactly this route.
    pub fn by_route(&self, route: &[u8]) -> Option<usize> {
        if self.members.len() <= FEW {
            return self.members.iter().position(|member| member.route.as_bytes() == route);
        }
        self.routes.get(std::str::from_utf8(route).ok()?).copied()
    }

    fn size(&self) -> u16 {
        u16::try_from(self.members.len()).unwrap_or(u16::MAX)
    }
}

fn choice(member: usize, why: Why, sticky: bool, considered: u16, usable: u16) -> Choice {
    Choice { pick: Pick { member, why, sticky, considered, usable }, seen: None }
}

/// The routes a session id may carry: what is behind its first dot; failing that, what is behind its last one.
fn routes_of(id: &[u8]) -> impl Iterator<Item = &[u8]> {
    // Routes are short, and nearly always there is one dot: the way to it from the end is short too, and what stands before it is
    // looked at many octets at once.
    let mut first = id.iter().rposition(|octet| *octet == b'.');
    let mut last = None;
    if let Some(before) = first.and_then(|dot| id.get(..dot))
        && !every(before, |octet| octet != b'.')
    {
        (first, last) = (memchr::memchr(b'.', id), first);
    }
    [first, last].into_iter().flatten().filter_map(|dot| id.get(dot + 1..)).filter(|route| !route.is_empty())
}

/// One look over the members.
struct Walk<'a, 's> {
    balancer: &'a Balancer<'s>,
    ask: &'a Ask<'a>,
    tried: &'a Tried,
    /// The records alone say who can be used: nobody was tried, and no rule speaks about activations.
    plain: bool,
}

impl<'a, 's> Walk<'a, 's> {
    fn new(balancer: &'a Balancer<'s>, ask: &'a Ask<'a>, tried: &'a Tried) -> Self {
        Self { balancer, ask, tried, plain: tried.is_empty() && ask.overrides.is_empty() }
    }

    #[inline]
    fn activation(&self, place: usize, state: &MemberState) -> Activation {
        if !self.ask.overrides.is_empty()
            && let Some((_, activation)) = self.ask.overrides.iter().find(|(member, _)| *member == place)
        {
            return *activation;
        }
        state.activation()
    }

    /// Its state and this request allow it. `waits`: also when it is busy.
    #[inline]
    fn answers(&self, place: usize, member: &Member<'_>, waits: bool) -> bool {
        let state = member.state.state();
        // A process that was killed can not take back that a member was busy; the gauge of the worker knows.
        let usable = state.is_usable() || (state == State::Busy && (waits || member.worker.gauge.now() == 0));
        usable && !self.tried.contains(place)
    }

    #[inline]
    fn new_work(&self, place: usize, member: &Member<'_>) -> bool {
        // What nearly every look at nearly every member finds, in two comparisons.
        let state = member.state;
        if self.plain && state.state.load(Relaxed) <= State::Force as u32 {
            return state.activation.load(Relaxed) == Activation::Active as u32;
        }
        self.new_work_at_length(place, member)
    }

    #[cold]
    #[inline(never)]
    fn new_work_at_length(&self, place: usize, member: &Member<'_>) -> bool {
        self.answers(place, member, false) && self.activation(place, member.state) == Activation::Active
    }

    fn usable_for_new(&self, place: usize) -> bool {
        self.balancer.members.get(place).is_some_and(|member| self.new_work(place, member))
    }

    fn usable_for_session(&self, place: usize) -> bool {
        self.balancer.members.get(place).is_some_and(|member| {
            self.answers(place, member, member.has_queue)
                && self.activation(place, member.state) != Activation::Stopped
        })
    }

    /// From the route of a session to a member.
    fn lead(&self, route: &[u8]) -> Led {
        let Some(owner) = self.balancer.by_route(route) else {
            let domain = memchr::memchr(b'.', route).and_then(|dot| route.get(..dot)).unwrap_or(route);
            return self.best_of_domain(domain).map_or(Led::Unknown, |place| Led::To(place, Why::Domain));
        };
        if self.usable_for_session(owner) {
            return Led::To(owner, Why::Sticky);
        }
        if self.balancer.settings.sticky_force {
            return Led::Nowhere(owner);
        }
        let Some(member) = self.balancer.members.get(owner) else { return Led::Unknown };
        let stand_in = if member.redirect.is_empty() {
            self.best_of_domain(member.domain.as_bytes()).map(|place| (place, Why::Domain))
        } else {
            self.balancer
                .by_route(member.redirect.as_bytes())
                .filter(|place| self.usable_for_session(*place))
                .map(|place| (place, Why::Redirect))
        };
        stand_in.map_or(Led::Nowhere(owner), |(place, why)| Led::To(place, why))
    }

    /// The member of a replication group that is nearest and then costs least.
    fn best_of_domain(&self, domain: &[u8]) -> Option<usize> {
        if !self.balancer.has_domains || domain.is_empty() {
            return None;
        }
        let mut best: Option<(i32, u64, usize)> = None;
        with_rule!(self.balancer.settings.method, rule => {
            for (place, member) in self.balancer.members.iter().enumerate() {
                if member.domain.as_bytes() != domain || !self.new_work(place, member) {
                    continue;
                }
                let cost = rule.cost(member, self.balancer.weight(member, self.ask.now), self.ask.now);
                let key = (member.state.distance.load(Relaxed), cost, place);
                best = Some(best.map_or(key, |best| best.min(key)));
            }
        });
        best.map(|(_, _, place)| place)
    }

    /// The member for a request that no session leads anywhere.
    fn by_method(&self) -> Option<Choice> {
        match self.balancer.settings.method {
            Method::P2C => self.drawn(),
            Method::Hash => self.owner_of_key(),
            // By turns, for those that count something; Latency counts nothing that stateless requests must not change.
            method if self.ask.stateless && method != Method::Latency => self.least(Why::Turn, |_| 0),
            method => with_rule!(method, rule => self.least(Why::Method, |member| {
                let weight = if rule.weighs() { self.balancer.weight(member, self.ask.now) } else { FULL };
                rule.cost(member, weight, self.ask.now)
            })),
        }
    }

    /// The nearest member with the lowest cost; of equal ones the next after the last choice.
    #[inline]
    fn least(&self, why: Why, cost: impl Fn(&Member<'s>) -> u64) -> Option<Choice> {
        let members = &self.balancer.members;
        let start = self.balancer.cursor.0.load(Relaxed);
        let (before, after) = members.split_at_checked(start).unwrap_or((&[], members));
        let start = members.len() - after.len();
        let mut usable = 0_usize;
        // No member is as far as that, so the first one is nearer.
        let mut best = Best { place: 0, distance: i64::MAX, cost: 0 };
        let mut look = |place: usize, member: &Member<'s>| {
            if !self.new_work(place, member) {
                return;
            }
            usable += 1;
            let distance = i64::from(member.state.distance.load(Relaxed));
            let cost = cost(member);
            if distance < best.distance || (distance == best.distance && cost < best.cost) {
                best = Best { place, distance, cost };
            }
        };
        // Two loops: a chain of both would ask at each step which one it is in.
        after.iter().zip(start..).for_each(|(member, place)| look(place, member));
        before.iter().zip(0..).for_each(|(member, place)| look(place, member));
        if usable == 0 {
            return None;
        }
        let usable = u16::try_from(usable).unwrap_or(u16::MAX);
        Some(self.chosen(best.place, why, usable, (why == Why::Method).then_some(best.cost)))
    }

    /// Of two nearest members drawn by lot the one with less to do.
    fn drawn(&self) -> Option<Choice> {
        let (mut total, mut any, mut least) = (0_u64, None, i32::MAX);
        let weight = |member: &Member<'_>| {
            member.factor().saturating_mul(self.balancer.weight(member, self.ask.now)).max(1)
        };
        let usable = self.nearest(|place, member, distance, nearer| {
            if nearer {
                (total, any, least) = (0, Some(place), distance);
            }
            total = total.saturating_add(weight(member));
        });
        // Should all have failed since they were counted: the first one, that will be noticed soon enough.
        let fallback = any?;
        let show = |lot: &mut Lot| {
            for (place, member) in self.balancer.members.iter().enumerate() {
                let near = member.state.distance.load(Relaxed) == least;
                if near && self.new_work(place, member) && lot.show(place, weight(member)) {
                    break;
                }
            }
        };
        let mut lot = Lot::new(self.ask.random, total);
        show(&mut lot);
        if let Some(again) = lot.again(self.ask.random, total) {
            lot = again;
            show(&mut lot);
        }
        let load = |place: usize| {
            self.balancer.members.get(place).map_or(u64::MAX, |member| {
                super::methods::P2C.cost(member, self.balancer.weight(member, self.ask.now), self.ask.now)
            })
        };
        let place = match lot.drawn() {
            (Some(first), Some(second)) if load(second) < load(first) => second,
            (first, _) => first.unwrap_or(fallback),
        };
        Some(self.chosen(place, Why::Method, usable, None))
    }

    /// The nearest member that owns the key and has not too much to do.
    fn owner_of_key(&self) -> Option<Choice> {
        let mut bound = Bound::default();
        let mut distance = i32::MAX;
        let mut any = None;
        let weight = |member: &Member<'_>| self.balancer.weight(member, self.ask.now);
        let usable = self.nearest(|place, member, at, nearer| {
            if nearer {
                (bound, distance, any) = (Bound::default(), at, Some(place));
            }
            bound.count(member, weight(member));
        });
        let fallback = any?;
        let owner = self.balancer.table.owners(self.ask.key).find(|place| {
            self.balancer.members.get(*place).is_some_and(|member| {
                member.state.distance.load(Relaxed) == distance
                    && self.new_work(*place, member)
                    && bound.admits(member, weight(member))
            })
        });
        Some(self.chosen(owner.unwrap_or(fallback), Why::Method, usable, None))
    }

    /// Shows the members that can be used at the smallest distance, with that distance and whether they are nearer than all
    /// before; how many can be used at any distance.
    #[inline]
    fn nearest(&self, mut show: impl FnMut(usize, &Member<'s>, i32, bool)) -> u16 {
        let mut usable = 0_u16;
        let mut nearest = i64::MAX;
        for (place, member) in self.balancer.members.iter().enumerate() {
            if !self.new_work(place, member) {
                continue;
            }
            usable = usable.saturating_add(1);
            let distance = member.state.distance.load(Relaxed);
            if i64::from(distance) <= nearest {
                show(place, member, distance, i64::from(distance) < nearest);
                nearest = i64::from(distance);
            }
        }
        usable
    }

    fn chosen(&self, place: usize, why: Why, usable: u16, seen: Option<u64>) -> Choice {
        let why = if usable == 1 { Why::OnlyOne } else { why };
        Choice { seen, ..choice(place, why, false, self.balancer.size(), usable) }
    }
}

#[cfg(test)]
#[path = "pick_tests.rs"]
mod tests;
