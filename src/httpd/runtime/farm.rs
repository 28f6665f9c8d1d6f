//! A balancer at work: the engine's [`Balancer`] with what its members are configured to do.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::Records;
use super::backend::Backend;
use super::work::Queue;
use crate::engine::balance::{Balancer, Configured, Member, Settings};
use crate::engine::config::model::{self, Ajp13, Lb};
use crate::engine::config::secret::Secret;

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
}

impl Farm {
    pub(super) fn new(
        name: &str,
        lb: &Lb,
        members: &[(usize, &Backend, &model::Member)],
        records: &mut dyn Records,
        probed: bool,
    ) -> Self {
        let c_string = |text: &str| CString::new(text).unwrap_or_default();
        let (state, place) = records.balancer(name);
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
        let plain = |settings: &Ajp13| settings.max_packet_size.saturating_sub(BODY_FRAME);
        let first_body =
            members.iter().map(|(_, backend, _)| plain(&backend.settings)).min().unwrap_or(usize::MAX);
        let engine = members
            .iter()
            .map(|(_, backend, _)| {
                let own = &backend.settings.member;
                Member {
                    name: backend.name.as_str().into(),
                    route: own.route.as_str().into(),
                    domain: own.domain.as_str().into(),
                    redirect: own.redirect.as_str().into(),
                    has_queue: backend.has_queue(),
                    state: records.member(name, &backend.name),
                    worker: backend.state,
                }
            })
            .collect();
        let configured: Vec<Configured> = members
            .iter()
            .map(|(_, backend, _)| {
                let own = &backend.settings.member;
                Configured { activation: own.activation, factor: own.lbfactor, distance: own.distance }
            })
            .collect();
        let mut balancer = Balancer::new(name.into(), settings, engine, state);
        balancer.adopt(&configured);
        Self {
            places: members
                .iter()
                .enumerate()
                .map(|(place, (_, backend, _))| (backend.name.as_str().into(), place))
                .collect(),
            members: members
                .iter()
                .map(|(at, backend, member)| FarmMember {
                    backend: *at,
                    c_name: backend.c_name.clone(),
                    c_route: c_string(&backend.settings.member.route),
                    secret: member.secret.clone(),
                    moved: AtomicBool::new(false),
                })
                .collect(),
            balancer,
            c_name: c_string(name),
            place,
            queue: (lb.queue_size > 0 && lb.queue_timeout > Duration::ZERO)
                .then_some(Queue { size: lb.queue_size, time: lb.queue_timeout }),
            lb: lb.clone(),
            first_body,
        }
    }

    /// The place of the member of that name.
    pub fn place_of(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}
