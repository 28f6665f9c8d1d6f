//! A request for a worker of type `lb`: the engine chooses members, this gives it their connections and tells the log.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::adapt::adapt;
use super::handler::waited_in_vain;
use super::host::HttpdHost;
use super::runtime::{Backend, Connections, Farm, InWork, Queued, pass};
use super::trip::{Order, Progress, Way, source, waiting};
use super::{lb_notes, report, tally, twin};
use crate::engine::balance::Ask;
use crate::engine::balance::cookie::RouteCookie;
use crate::engine::balance::hash::{self, Parts};
use crate::engine::balance::pick::Pick;
use crate::engine::balance::session::{Names, Sessions};
use crate::engine::balance::state::State;
use crate::engine::config::model::{Activation, Method};
use crate::engine::error::{Cause, Failure, RetryPolicy, Stage};
use crate::engine::proxy::Buffers;
use crate::engine::proxy::attempts::{Attempt, WorkerView};
use crate::engine::proxy::balanced::{self, Follow, Going, Journey};
use crate::engine::proxy::pump::Traffic;
use crate::engine::proxy::run::{self, Run};
use crate::engine::request::Request as _;
use crate::engine::route::extensions::Extensions;
use crate::ffi::request::Request;
use crate::ffi::table::Table;
use crate::shm::random;
use crate::transport::clock;
use crate::transport::pool::Lease;

/// A request on its way through the balancer.
pub(super) struct Trip<'r> {
    journey: Journey<'r, 'static, Lease>,
    members: Members<'r>,
    sessions: Sessions<'r>,
    sticky: bool,
    stateless: bool,
    key: u64,
    random: u64,
    /// Counts the request in as long as it is on its way.
    _in_work: InWork,
}

impl<'r> Trip<'r> {
    /// A trip that [`Trip::prepare`] makes ready: two steps, because what is changed before it is returned is copied then.
    pub(super) fn new(request: Request<'r>, farm: &'r Farm, order: Order<'r>, buffers: Box<Buffers>) -> Self {
        let extensions = order.extensions;
        let forced = request.env(c"JK_ROUTE").filter(|route| !route.is_empty());
        let method = farm.balancer.settings.method;
        let ignore = flag(request, c"JK_STICKY_IGNORE").unwrap_or(extensions.sticky_ignore);
        let sticky = farm.lb.sticky_session && !ignore;
        let state = farm.balancer.state;
        let cell = order.live.generation.balancer_cell(farm.place);
        let in_work = InWork::new(state.gauge.enter(cell), &state.gauge);
        let stateless = flag(request, c"JK_STATELESS").unwrap_or(extensions.stateless);
        let random = if method == Method::P2C { random::next() } else { 0 };
        let cookie = RouteCookie::of(&farm.lb, Some(extensions));
        let overrides = overrides(request, farm, extensions);
        // From here on nothing can fail: what is large would be made elsewhere and copied if it could.
        Self {
            members: Members {
                farm,
                order,
                forced,
                cookie,
                overrides,
                owner: None,
                first: None,
                noted: false,
                last: None,
                target: None,
                detail: None,
                queued: None,
                current: None,
            },
            sticky,
            stateless,
            key: 0,
            random,
            sessions: Sessions::default(),
            _in_work: in_work,
            journey: Journey::new(&farm.balancer, buffers),
        }
    }

    /// Begins.
    pub(super) fn prepare(&mut self, request: Request<'r>) {
        let Members { farm, order, forced, .. } = self.members;
        let method = farm.balancer.settings.method;
        if self.sticky || method == Method::Hash {
            let names = Names::of(&farm.lb, Some(order.extensions));
            self.sessions.look(forced, order.uri, fields(request, "Cookie"), &names);
        }
        if method == Method::Hash {
            self.key = key(farm, request, order.uri, &self.sessions);
        }
        if self.sticky {
            let (balancer, sessions) = (&farm.balancer, &self.sessions);
            self.members.owner = balancer.owner(sessions.route(), sessions.ids());
            tally::session(balancer.state, sessions.ids(), self.members.owner.is_some());
        }
    }
}

impl<'r> Way<'r> for Trip<'r> {
    fn step(&mut self, host: &mut HttpdHost<'r>, block: bool) -> Progress {
        let now = if self.members.last.is_none() { self.members.order.begun } else { clock::now() };
        let result = {
            let sessions = &self.sessions;
            let ids = if self.sticky { sessions.ids() } else { &[] };
            let ask = Ask {
                route: sessions.route().filter(|_| self.sticky),
                sessions: ids,
                owner: self.members.owner,
                stateless: self.stateless,
                overrides: self.members.overrides,
                key: self.key,
                random: self.random,
                now,
            };
            match self.journey.step(host, &mut self.members, ask, block) {
                Going::Wait(wait) => {
                    let place = self.members.descriptor();
                    return Progress::Wait(waiting(wait, self.journey.link(), place));
                }
                Going::Done(result) => result,
            }
        };
        let request = host.request();
        let Members { farm, order, first, noted, last, overrides, .. } = self.members;
        if order.live.notes.members {
            let decided = self.journey.rounds().decision().text(&farm.balancer);
            match last {
                Some(last) if first == Some(last) && !noted => {
                    lb_notes::only(request, farm, last, overrides, decided.as_bytes());
                }
                last => {
                    if let Some(last) = last {
                        lb_notes::last(request, farm, last, overrides);
                    }
                    lb_notes::decision(request, decided.as_bytes());
                }
            }
        }
        if let (Ok(served), Some(backend)) = (&result, last.and_then(|last| self.members.backend(last))) {
            tally::served(backend.state, served, order.begun);
            report::delivered(host, order.live, self.members.target.unwrap_or(backend), served);
        }
        Progress::Done(result)
    }

    fn expire(&mut self) {
        self.journey.expire();
    }

    fn lose_client(&mut self) -> bool {
        self.journey.lose_client()
    }

    fn buffers(&mut self) -> &mut Buffers {
        self.journey.buffers()
    }

    fn take_buffers(&mut self) -> Box<Buffers> {
        self.journey.take_buffers()
    }
}

/// Activations of the rule that matched, by the places of the members.
fn overrides<'r>(request: Request<'r>, farm: &Farm, extensions: &Extensions) -> &'r [(usize, Activation)] {
    if extensions.activations.is_empty() {
        return &[];
    }
    let named = extensions.activations.iter().filter_map(|(name, state)| {
        Some((farm.place_of(std::str::from_utf8(name).ok()?)?, state.activation()))
    });
    request.pool().keep(named.collect::<Vec<_>>())
}

/// The values of all header fields of a name.
fn fields<'r>(request: Request<'r>, name: &str) -> impl Iterator<Item = &'r [u8]> {
    Table::values(request.headers(), name.as_bytes())
}

/// A variable that switches something, whatever the rule says: on when it is empty or begins with a number other than 0.
fn flag(request: Request<'_>, name: &std::ffi::CStr) -> Option<bool> {
    request.env(name).map(|value| {
        let text = value.trim_ascii_start();
        let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
        let mut digits = digits.iter().take_while(|octet| octet.is_ascii_digit());
        value.is_empty() || digits.any(|digit| *digit != b'0')
    })
}

/// What the choice by hash goes by.
fn key(farm: &Farm, request: Request<'_>, uri: &[u8], sessions: &Sessions<'_>) -> u64 {
    let parts = Parts { sessions, uri, client: request.client_address().unwrap_or_default() };
    hash::key(&farm.lb.hash_key, &parts, |name| fields(request, name).collect::<Vec<_>>())
}

/// The members, for one request.
struct Members<'r> {
    farm: &'r Farm,
    order: Order<'r>,
    /// The route that `JK_ROUTE` names.
    forced: Option<&'r [u8]>,
    /// How to tell the client its route.
    cookie: Option<RouteCookie<'r>>,
    overrides: &'r [(usize, Activation)],
    /// The member that has the session.
    owner: Option<usize>,
    /// The one that was tried first, and that the notes about it are written.
    first: Option<usize>,
    noted: bool,
    last: Option<usize>,
    /// Where the request went on the last member: to the member itself, or to its HTTP twin.
    target: Option<&'r Backend>,
    /// What the last failed connect had to say.
    detail: Option<String>,
    /// It waits for a place.
    queued: Option<Queued>,
    current: Option<Current<'r>>,
}

/// The member that the request is on.
struct Current<'r> {
    worker: &'r Backend,
    target: &'r Backend,
    links: Connections<'r>,
    view: WorkerView<'r>,
    _in_work: InWork,
}

impl<'r> Members<'r> {
    fn backend(&self, member: usize) -> Option<&'r Backend> {
        let place = self.farm.members.get(member)?.backend;
        self.order.live.generation.backends().get(place)
    }

    /// Tells, once, that a session leaves its member or is back.
    fn follow_session(&self, request: Request<'_>, pick: &Pick) {
        let Some(owner) = self.owner else { return };
        let Some(moved) = self.farm.members.get(owner).map(|owner| &owner.moved) else { return };
        if owner == pick.member {
            if moved.load(Relaxed) {
                moved.store(false, Relaxed);
            }
        } else if !moved.load(Relaxed) && !moved.swap(true, Relaxed) {
            report::moved(request, self.order.live, self.farm, owner, pick.member);
        }
    }
}

impl<'r> balanced::Farm<HttpdHost<'r>> for Members<'r> {
    type Link = Lease;

    fn begin(
        &mut self,
        host: &mut HttpdHost<'r>,
        pick: &Pick,
        block: bool,
    ) -> Result<Option<Duration>, Cause> {
        let request = host.request();
        let (live, farm) = (self.order.live, self.farm);
        let (Some(member), Some(facts), Some(worker)) = (
            farm.members.get(pick.member),
            farm.balancer.members.get(pick.member),
            self.backend(pick.member),
        ) else {
            return Err(Cause::NoMember);
        };
        let first = self.last.replace(pick.member).is_none();
        self.follow_session(request, pick);
        // A session is worth a wait; anything else has other members.
        let wait = pick.sticky || farm.members.len() == 1;
        let cell = live.generation.worker_cell(worker.place);
        let entered = worker.enter(cell, wait, &mut self.queued, block);
        let in_work = match entered.inspect_err(|cause| host.times.queue += waited_in_vain(*cause))? {
            Ok(in_work) => in_work,
            Err(time) => return Ok(Some(time)),
        };
        host.times.queue += in_work.waited();
        let _in_work = in_work.of(farm.balancer.state);
        let target = twin::of(host, live, worker);
        self.target = Some(target);
        host.set_backend(target.address.as_bytes());
        let current = self.current.insert(Current {
            worker,
            target,
            _in_work,
            links: Connections::new(target),
            view: target.view(request.timeout()),
        });
        current.links.announce(|| source(host));
        let view = &mut current.view;
        view.facts.secret = (!member.secret.is_none()).then(|| member.secret.expose());
        view.facts.route = Some(facts.route.as_bytes());
        let activation = overridden(self.overrides, pick.member).unwrap_or_else(|| facts.state.activation());
        view.facts.activation = activation.short().as_bytes();
        view.first_body = farm.first_body;
        if farm.members.len() > 1 {
            // Another member is tried rather than the same one again.
            view.attempts = 1;
        }
        adapt(view, request, live, self.order.extensions, self.order.fail_on);
        if self.forced.is_none() {
            let route = member.c_route.as_c_str();
            if first {
                request.add_note(c"JK_WORKER_ROUTE", route.into()); // nobody else sets it
            } else {
                request.note(c"JK_WORKER_ROUTE", route);
            }
        }
        let due = RouteCookie::is_due(pick.why, farm.members.len());
        host.set_cookie(self.cookie.filter(|_| due).map(|cookie| {
            let mut text = Vec::new();
            cookie.write(facts.route.as_bytes(), host.head().secure, &mut text);
            request.pool().copy(&text)
        }));
        Ok(None)
    }

    fn step(&mut self, host: &mut HttpdHost<'r>, run: &mut Run<Lease>, block: bool) -> run::Progress {
        let (farm, order) = (self.farm, self.order);
        let Some(Current { worker, target, links, view, .. }) = &self.current else {
            let failure = Failure::early(Cause::NoMember, Stage::Acquire);
            let traffic = Traffic::default();
            return run::Progress::Done(Err(Attempt { number: 1, failure, traffic, retried: false }));
        };
        let progress = run.step(host, links, view, block, |host, attempt| {
            tally::repeated(worker.state, attempt);
            let detail = links.take_detail();
            let request = host.request();
            report::attempt(
                request,
                order.live,
                Some(farm),
                target,
                detail,
                order.begun,
                attempt,
                "trying again",
            );
        });
        if let run::Progress::Done(result) = &progress {
            let (queue, connect) = links.take_spent();
            host.times.queue += queue;
            host.times.connect += connect;
            match result {
                Ok(served) => host.times.tried(served.attempts, served.traffic.head_at),
                Err(last) => host.times.tried(last.number, last.traffic.head_at),
            }
        }
        progress
    }

    fn end(&mut self) {
        // The request is counted out here, before it is judged what its outcome means.
        self.detail = self.current.as_ref().and_then(|current| current.links.take_detail());
        self.current = None;
    }

    fn judged(&mut self, host: &mut HttpdHost<'r>, pick: &Pick, failed: bool) {
        if self.first.is_none() {
            self.first = Some(pick.member);
            // Of the only one all is written together, at the end.
            if failed && self.order.live.notes.members {
                self.noted = true;
                lb_notes::first(host.request(), self.farm, pick.member, self.overrides);
            }
        }
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
        tally::failed(worker.state, attempt);
        if matches!(next, Follow::Member(_)) {
            worker.state.stats.failovers.fetch_add(1, Relaxed);
        }
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
            self.target.unwrap_or(worker),
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

    fn queue(&mut self, host: &mut HttpdHost<'r>, block: bool) -> Result<Option<Duration>, Cause> {
        let Some(queue) = self.farm.queue else { return Err(Cause::NoMember) };
        let state = self.farm.balancer.state;
        let cell = self.order.live.generation.balancer_cell(self.farm.place);
        let overrides = self.overrides;
        let mut queued = self.queued.take();
        let begun = queued.as_ref().map_or_else(clock::now, Queued::begun);
        let passed = pass(&mut queued, (&state.gauge, cell), queue, block, |_| {
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
        });
        self.queued = queued;
        if !matches!(passed, Ok(Err(_))) {
            host.times.queue += clock::now().since(begun);
        }
        passed.map(Result::err)
    }

    fn others_in_work(&self, member: usize) -> bool {
        // The request itself has been counted out already.
        self.farm.balancer.members.get(member).is_some_and(|member| member.worker.gauge.now() > 0)
    }
}

impl Members<'_> {
    /// What tells of a place or a connection that is waited for.
    fn descriptor(&self) -> Option<(i32, bool)> {
        match &self.queued {
            Some(queued) => Some((queued.descriptor(), false)),
            None => self.current.as_ref()?.links.descriptor(),
        }
    }

    /// A member can take a request now.
    fn ready(&self, member: usize) -> bool {
        let usable = self.farm.balancer.members.get(member).is_some_and(|member| {
            let state = member.state.state();
            state.is_usable() || state == State::Busy
        });
        usable && self.backend(member).is_some_and(Backend::has_room)
    }
}

fn overridden(overrides: &[(usize, Activation)], member: usize) -> Option<Activation> {
    overrides.iter().find(|(place, _)| *place == member).map(|(_, activation)| *activation)
}
