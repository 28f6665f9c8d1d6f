//! A balancer at work: the engine's [`Balancer`] with what its members are configured to do.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::backend::Backend;
use super::work::Queue;
use super::{Current, Records};
use crate::engine::balance::state::{BalancerState, MemberState};
use crate::engine::balance::{Balancer, Configured, Member, Settings};
use crate::engine::config::model::{self, Ajp13, Lb, MemberSettings, Method};
use crate::engine::config::secret::Secret;
use crate::engine::status::overrides::Overrides;

/// What frames of a body packet take.
const BODY_FRAME: usize = 6;

/// A worker of type `lb`.
#[derive(Debug)]
pub struct Farm {
    /// The choice of members.
    pub balancer: Balancer<'static>,
    /// The name for notes, NUL-terminated.
    pub c_name: CString,
    /// The members, in the order of the balancer's.
    pub members: Box<[FarmMember]>,
    /// The place of its share in each process.
    pub place: usize,
    /// Where requests wait while no member can be used.
    pub queue: Option<Queue>,
    /// What it is configured to do.
    pub lb: Lb,
    /// Most octets of a first body packet that every member takes.
    pub first_body: usize,
    /// Places by names, for rule extensions.
    places: HashMap<Box<str>, usize>,
}

/// A member.
#[derive(Debug)]
pub struct FarmMember {
    /// Place of its AJP worker among the backends.
    pub backend: usize,
    /// Its name for notes.
    pub c_name: CString,
    /// Its route for notes.
    pub c_route: CString,
    /// The secret to send; none when empty.
    pub secret: Secret,
    /// It was told that its sessions go elsewhere.
    pub moved: AtomicBool,
    /// Its settings. Activation, distance and, but for [`Method::Hash`], weight are those that are configured: what is in
    /// force stands in its record.
    pub own: MemberSettings,
}

/// Most octets of a first body packet that a member takes.
fn first_body(backend: &Backend) -> usize {
    backend.settings.max_packet_size.saturating_sub(BODY_FRAME)
}

/// The settings of a member as [`FarmMember::own`] keeps them.
fn own(balancer: &str, name: &str, configured: &Ajp13, lb: &Lb, changed: &Overrides) -> MemberSettings {
    let mut own = changed.member(balancer, name, configured);
    own.activation = configured.member.activation;
    own.distance = configured.member.distance;
    if lb.method != Method::Hash {
        own.lbfactor = configured.member.lbfactor;
    }
    own
}

/// What a member is made of.
pub(super) struct Part<'p> {
    /// Place of its AJP worker among the backends.
    pub at: usize,
    /// Its AJP worker.
    pub backend: &'p Backend,
    /// The secret to send.
    pub secret: &'p Secret,
    /// Its settings in force.
    pub own: MemberSettings,
    /// Its shared record.
    pub state: &'static MemberState,
}

impl Farm {
    /// The balancer as configured, with what was `changed` at run time; its records get what is configured.
    pub(super) fn new(
        name: &str,
        lb: &Lb,
        members: &[(usize, &Backend, &model::Member)],
        changed: &Overrides,
        records: &mut dyn Records,
        probed: bool,
    ) -> Self {
        let (state, place) = records.balancer(name);
        let now = changed.balancer(name, lb);
        let parts = members
            .iter()
            .map(|(at, backend, member)| Part {
                at: *at,
                backend,
                secret: &member.secret,
                own: own(name, &backend.name, &backend.settings, &now, changed),
                state: records.member(name, &backend.name),
            })
            .collect();
        let configured: Vec<Configured> = members
            .iter()
            .map(|(_, backend, _)| {
                let own = &backend.settings.member;
                Configured { activation: own.activation, factor: own.lbfactor, distance: own.distance }
            })
            .collect();
        let mut farm = Self::of(name, now, parts, (state, place), probed);
        farm.balancer.adopt(&configured);
        farm
    }

    /// The balancer of these parts; records are left as they are.
    fn of(
        name: &str,
        lb: Lb,
        parts: Vec<Part<'_>>,
        (state, place): (&'static BalancerState, usize),
        probed: bool,
    ) -> Self {
        let c_string = |text: &str| CString::new(text).unwrap_or_default();
        let settings = Settings {
            method: lb.method,
            sticky: lb.sticky_session,
            sticky_force: lb.sticky_session_force,
            rounds: lb.retries,
            tries: lb.lb_retries,
            pause: lb.retry_interval,
            recover_time: lb.recover_time,
            escalation_time: lb.error_escalation_time,
            max_reply_timeouts: lb.max_reply_timeouts,
            slow_start: lb.slow_start,
            retry_budget: lb.retry_budget,
            probed,
        };
        let engine = parts
            .iter()
            .map(|Part { backend, own, state, .. }| Member {
                name: backend.name.as_str().into(),
                route: own.route.as_str().into(),
                domain: own.domain.as_str().into(),
                redirect: own.redirect.as_str().into(),
                has_queue: backend.has_queue(),
                state,
                worker: backend.state,
            })
            .collect();
        Self {
            places: parts
                .iter()
                .enumerate()
                .map(|(place, part)| (part.backend.name.as_str().into(), place))
                .collect(),
            first_body: parts.iter().map(|part| first_body(part.backend)).min().unwrap_or(usize::MAX),
            members: parts
                .into_iter()
                .map(|part| FarmMember {
                    backend: part.at,
                    c_name: part.backend.c_name.clone(),
                    c_route: c_string(&part.own.route),
                    secret: part.secret.clone(),
                    moved: AtomicBool::new(false),
                    own: part.own,
                })
                .collect(),
            balancer: Balancer::new(name.into(), settings, engine, state),
            c_name: c_string(name),
            place,
            queue: (lb.queue_size > 0 && lb.queue_timeout > Duration::ZERO)
                .then_some(Queue { size: lb.queue_size, time: lb.queue_timeout }),
            lb,
        }
    }

    /// The same balancer after settings have `changed`; `None` when nothing of that is its own. `lb`: as configured.
    pub(super) fn changed(
        &self,
        lb: &Lb,
        changed: &Overrides,
        configured: impl Fn(usize) -> Option<Ajp13>,
        backends: Current<'_, Backend>,
    ) -> Option<Self> {
        let name = &*self.balancer.name;
        let now = changed.balancer(name, lb);
        let mut parts = Vec::with_capacity(self.members.len());
        for (member, engine) in self.members.iter().zip(&self.balancer.members) {
            let backend = backends.get(member.backend)?;
            let own = own(name, &engine.name, &configured(member.backend)?, &now, changed);
            parts.push(Part {
                at: member.backend,
                backend,
                secret: &member.secret,
                own,
                state: engine.state,
            });
        }
        let same = now == self.lb
            && self.first_body
                == parts.iter().map(|part| first_body(part.backend)).min().unwrap_or(usize::MAX)
            && self.members.iter().zip(&parts).all(|(member, part)| member.own == part.own);
        let record = (self.balancer.state, self.place);
        (!same).then(|| Self::of(name, now, parts, record, self.balancer.settings.probed))
    }

    /// The place of the member of that name.
    pub fn place_of(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}
