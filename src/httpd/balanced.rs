//! A request for a worker of type `lb`: the engine chooses members, this gives it their connections and tells the log.

use std::time::Duration;

use super::adapt::adapt;
use super::handler::Order;
use super::host::HttpdHost;
use super::runtime::{Backend, Connections, Farm, InWork, wait};
use super::tally::Tally;
use super::{lb_notes, report};
use crate::engine::balance::Ask;
use crate::engine::balance::cookie::RouteCookie;
use crate::engine::balance::hash::{self, Parts};
use crate::engine::balance::pick::Pick;
use crate::engine::balance::rounds::Rounds;
use crate::engine::balance::session::{Names, Sessions};
use crate::engine::config::model::{Activation, Method};
use crate::engine::error::{Cause, Failure, RetryPolicy, Stage};
use crate::engine::proxy::attempts::{Attempt, serve_again};
use crate::engine::proxy::balanced::{self, Follow, serve_balanced};
use crate::engine::proxy::pump::Traffic;
use crate::engine::proxy::{Buffers, Served};
use crate::engine::request::Request as _;
use crate::ffi::request::Request;
use crate::shm::random;

/// Has members of the balancer serve the request.
///
/// # Errors
/// The failure the client is told of; everything is logged.
pub(super) fn serve<'r>(
    host: &mut HttpdHost<'r>,
    farm: &'r Farm,
    order: &Order<'_, 'r>,
    buffers: &mut Buffers,
) -> Result<Served, Failure> {
    let request = host.request();
    let live = order.live;
    let extensions = order.extensions;
    request.note(c"JK_WORKER_TYPE", c"lb");
    let forced = request.env(c"JK_ROUTE").filter(|route| !route.is_empty());
    let by_hash = farm.balancer.settings.method == Method::Hash;
    let sticky = farm.lb.sticky_session && !extensions.sticky_ignore && !flag(request, c"JK_STICKY_IGNORE");
    let drawn = farm.balancer.settings.method == Method::P2C;
    let sessions = if sticky || by_hash {
        Sessions::find(forced, order.uri, fields(request, "Cookie"), &Names::of(&farm.lb, Some(extensions)))
    } else {
        Sessions::default()
    };
    let overrides: Vec<(usize, Activation)> = extensions
        .activations
        .iter()
        .filter_map(|(name, state)| {
            Some((farm.place_of(std::str::from_utf8(name).ok()?)?, state.activation()))
        })
        .collect();
    let ask = Ask {
        sessions: if sticky { sessions.ids() } else { &[] },
        route: sessions.route().filter(|_| sticky),
        stateless: extensions.stateless || flag(request, c"JK_STATELESS"),
        overrides: &overrides,
        key: if by_hash { key(farm, request, order.uri, &sessions) } else { 0 },
        random: if drawn { random::next() } else { 0 },
        now: order.begun,
    };
    let state = farm.balancer.state;
    let _in_work = InWork::new(state.gauge.enter(live.generation.balancer_cell(farm.place)), &state.gauge);
    let mut members = Members {
        farm,
        order,
        cookie: RouteCookie::of(&farm.lb, Some(extensions)),
        overrides: &overrides,
        first: None,
        last: None,
        detail: None,
    };
    let mut rounds = Rounds::new(&farm.balancer);
    let result = serve_balanced(host, &mut members, &mut rounds, ask, buffers);
    let last = members.last;
    if let Some(last) = last {
        lb_notes::last(request, farm, last, &overrides);
    }
    lb_notes::decision(request, rounds.decision().text(&farm.balancer).as_bytes());
    if let (Ok(served), Some(backend)) = (&result, last.and_then(|last| members.backend(last))) {
        report::delivered(host, live, backend, served);
    }
    result
}

/// The values of all header fields of a name.
fn fields<'r>(request: Request<'r>, name: &str) -> impl Iterator<Item = &'r [u8]> {
    request
        .headers()
        .into_iter()
        .flat_map(|headers| headers.iter())
        .filter(move |(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| value)
}

/// A variable that switches something on: empty, or a number other than 0.
fn flag(request: Request<'_>, name: &std::ffi::CStr) -> bool {
    request.env(name).is_some_and(|value| {
        value.is_empty()
            || std::str::from_utf8(value)
                .is_ok_and(|text| text.trim().parse::<i64>().is_ok_and(|number| number != 0))
    })
}

/// What the choice by hash goes by.
fn key(farm: &Farm, request: Request<'_>, uri: &[u8], sessions: &Sessions<'_>) -> u64 {
    let parts = Parts { sessions, uri, client: request.client_address().unwrap_or_default() };
    hash::key(&farm.lb.hash_key, &parts, |name| fields(request, name).collect::<Vec<_>>())
}

/// The members, for one request.
struct Members<'o, 'r> {
    farm: &'r Farm,
    order: &'o Order<'o, 'r>,
    /// Name of the cookie that tells the client its route.
    cookie: Option<RouteCookie<'o>>,
    overrides: &'o [(usize, Activation)],
    first: Option<usize>,
    last: Option<usize>,
    /// What the last failed connect had to say.
    detail: Option<String>,
}

impl<'r> Members<'_, 'r> {
    fn backend(&self, member: usize) -> Option<&'r Backend> {
        let place = self.farm.members.get(member)?.backend;
        self.order.live.generation.backends().get(place)
    }
}

impl<'r> balanced::Farm<HttpdHost<'r>> for Members<'_, 'r> {
    fn attempt(
        &mut self,
        host: &mut HttpdHost<'r>,
        pick: &Pick,
        buffers: &mut Buffers,
        kept: &mut Option<usize>,
    ) -> Result<Served, Attempt> {
        let request = host.request();
        let (live, farm) = (self.order.live, self.farm);
        let early = |cause| Attempt {
            number: 1,
            failure: Failure::early(cause, Stage::Acquire),
            traffic: Traffic::default(),
            retried: false,
        };
        let (Some(member), Some(facts), Some(worker)) = (
            farm.members.get(pick.member),
            farm.balancer.members.get(pick.member),
            self.backend(pick.member),
        ) else {
            return Err(early(Cause::NoMember));
        };
        self.last = Some(pick.member);
        // A session is worth a wait; anything else has other members.
        let wait = pick.sticky || farm.members.len() == 1;
        let in_work = worker.enter(live.generation.worker_cell(worker.place), wait).map_err(early)?;
        let _in_work = in_work.of(farm.balancer.state);
        let mut view = worker.view(request.timeout());
        view.facts.secret = (!member.secret.is_none()).then(|| member.secret.expose());
        view.facts.route = Some(facts.route.as_bytes());
        let activation = overridden(self.overrides, pick.member).unwrap_or_else(|| facts.state.activation());
        view.facts.activation = activation.short().as_bytes();
        view.first_body = farm.first_body;
        view.manner.timed = farm.balancer.settings.method == Method::Latency;
        if farm.members.len() > 1 {
            // Another member is tried rather than the same one again.
            view.attempts = 1;
        }
        adapt(&mut view, request, live, self.order.extensions, self.order.fail_on);
        if request.env(c"JK_ROUTE").is_none_or(<[u8]>::is_empty) {
            request.note(c"JK_WORKER_ROUTE", member.c_route.as_c_str());
        }
        let due = RouteCookie::is_due(pick.why, farm.members.len());
        host.set_cookie(self.cookie.filter(|_| due).map(|cookie| {
            let mut text = Vec::new();
            cookie.write(facts.route.as_bytes(), host.head().secure, &mut text);
            request.pool().copy(&text)
        }));
        let links = Connections::new(worker);
        let mut tally = Tally::new(worker.state);
        let result = serve_again(host, &links, &view, buffers, kept, |host, attempt| {
            tally.failed(attempt);
            let follow = "trying again";
            report::attempt(
                host.request(),
                live,
                Some(farm),
                worker,
                links.take_detail(),
                self.order.begun,
                attempt,
                follow,
            );
        });
        match &result {
            Ok(served) => tally.served(served),
            Err(attempt) => tally.failed(attempt),
        }
        self.detail = links.take_detail();
        if self.first.is_none() {
            self.first = Some(pick.member);
            lb_notes::first(request, farm, pick.member, self.overrides);
        }
        result
    }

    fn rules(&self, member: usize) -> (RetryPolicy, &[i32]) {
        let nothing =
            RetryPolicy { explicit: false, not_after_request: true, always_head: false, always_get: false };
        let Some(backend) = self.backend(member) else { return (nothing, &[]) };
        let own = backend.rules();
        (own.0, self.order.fail_on.unwrap_or(own.1))
    }

    fn failed(&mut self, host: &mut HttpdHost<'r>, pick: &Pick, attempt: &Attempt, next: Follow<'_>) {
        let Some(worker) = self.backend(pick.member) else { return };
        let members = &self.farm.balancer.members;
        let follow = match next {
            Follow::Member(next) => {
                let name = members.get(next.member).map_or("", |member| &*member.name);
                format!("going on with {name} ({})", next.why.word())
            }
            Follow::Round(time) => format!("trying again in {} ms", time.as_millis()),
            Follow::Queue => "waiting for a member".to_owned(),
            Follow::End(_) => String::new(),
        };
        let attempt = Attempt { retried: !matches!(next, Follow::End(_)), ..*attempt };
        report::attempt(
            host.request(),
            self.order.live,
            Some(self.farm),
            worker,
            self.detail.take(),
            self.order.begun,
            &attempt,
            &follow,
        );
    }

    fn refused(&mut self, host: &mut HttpdHost<'r>, failure: &Failure) {
        report::refused(host.request(), self.order.live, self.farm, self.order.begun, failure);
    }

    fn has_queue(&self) -> bool {
        self.farm.queue.is_some()
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn queue(&mut self, _host: &mut HttpdHost<'r>) -> Result<(), Cause> {
        let Some(queue) = self.farm.queue else { return Err(Cause::NoMember) };
        let state = self.farm.balancer.state;
        let cell = self.order.live.generation.balancer_cell(self.farm.place);
        let overrides = self.overrides;
        wait(&state.gauge, cell, queue, |_| {
            self.farm
                .balancer
                .members
                .iter()
                .enumerate()
                .any(|(place, member)| {
                    let activation =
                        overridden(overrides, place).unwrap_or_else(|| member.state.activation());
                    activation != Activation::Stopped && self.ready(place)
                })
                .then_some(())
        })
    }

    fn others_in_work(&self, member: usize) -> bool {
        // The request itself has been counted out already.
        self.farm.balancer.members.get(member).is_some_and(|member| member.worker.gauge.now() > 0)
    }
}

impl Members<'_, '_> {
    /// A member can take a request now.
    fn ready(&self, member: usize) -> bool {
        let usable = self.farm.balancer.members.get(member).is_some_and(|member| {
            let state = member.state.state();
            state.is_usable() || state == crate::engine::balance::state::State::Busy
        });
        usable && self.backend(member).is_some_and(Backend::has_room)
    }
}

fn overridden(overrides: &[(usize, Activation)], member: usize) -> Option<Activation> {
    overrides.iter().find(|(place, _)| *place == member).map(|(_, activation)| *activation)
}
