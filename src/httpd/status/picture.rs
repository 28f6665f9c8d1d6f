//! The picture of all workers: settings in force, shared records, rules.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::{Facts, maps};
use crate::engine::balance::admin::Drain;
use crate::engine::balance::state::{BalancerState, MemberState, State as Shared, WorkerState, tick};
use crate::engine::config::model::{Activation, Ajp13, Kind, Lb, MemberSettings};
use crate::engine::status::overrides::{backend_drift, balancer_drift, member_drift};
use crate::engine::status::settings;
use crate::engine::status::view::{
    self, AjpWorker, Clock, DrainSeen, Keep, LastError, Server, SessionIds, State, Traffic, View,
};
use crate::engine::units::Tick;
use crate::ffi::request::Request;
use crate::ffi::{server, time};
use crate::httpd::config::Live;
use crate::httpd::module::VERSION;
use crate::httpd::runtime::{Backend, Farm, Generation};
use crate::transport::clock;

/// The moment, on both clocks.
#[derive(Clone, Copy)]
struct Now {
    unix: u64,
    tick: Tick,
}

impl Now {
    /// The time of day of a tick.
    fn time(self, at: Tick) -> u64 {
        if at > self.tick {
            self.unix.saturating_add(whole_seconds(at.since(self.tick)))
        } else {
            self.unix.saturating_sub(whole_seconds(self.tick.since(at)))
        }
    }
}

/// Seconds, rounded up from a half on.
fn whole_seconds(time: Duration) -> u64 {
    time.saturating_add(Duration::from_millis(500)).as_secs()
}

/// Everything a status worker can show.
pub(super) fn view(request: Request<'_>, live: &Live, facts: &Facts) -> View {
    let generation = &*live.generation;
    let seconds = time::wall().0;
    let now = Now { unix: u64::try_from(seconds).unwrap_or(0), tick: clock::now() };
    let rules = maps::all(facts);
    let configured = generation.configured();
    let mut view = View {
        server: Server {
            name: String::from_utf8_lossy(request.server_name()).into_owned(),
            port: request.server_port(),
            software: server::software(),
            version: format!("mod_jk_rs/{VERSION}"),
        },
        clock: Clock { unix: now.unix, offset: time::offset(seconds) },
        maintain: configured.maintain.limit().map_or(0, |time| time.as_secs()),
        properties: facts.properties.clone(),
        parked: generation.parked(),
        keep: facts.keep.as_ref().map(|file| {
            let journal = generation.journal();
            let saved = journal.saved() == journal.version();
            Keep { file: file.path().display().to_string(), saved }
        }),
        ..View::default()
    };
    for name in &configured.list {
        match configured.get(name).map(|worker| &worker.kind) {
            Some(Kind::Lb(lb)) => {
                let farm = generation.farms().iter().find(|farm| *farm.balancer.name == **name);
                if let Some(farm) = farm {
                    let mut shown = balancer(generation, facts, farm, lb, now);
                    shown.maps = maps::of(&rules, name);
                    view.balancers.push(shown);
                }
            }
            Some(Kind::Ajp13(ajp)) => {
                let worker = generation.backends().iter().find(|worker| worker.name == *name);
                if let Some(worker) = worker {
                    let mut shown = single(generation, facts, worker, ajp);
                    shown.maps = maps::of(&rules, name);
                    view.workers.push(shown);
                }
            }
            Some(Kind::Status(_)) => view.status_workers.push(name.clone()),
            None => {}
        }
    }
    view
}

/// The settings of a member in force.
pub(super) fn member_settings(farm: &Farm, place: usize) -> Option<MemberSettings> {
    let (member, engine) = (farm.members.get(place)?, farm.balancer.members.get(place)?);
    let mut own = member.own.clone();
    own.activation = engine.state.activation();
    own.distance = engine.state.distance.load(Relaxed);
    own.lbfactor = engine.state.factor.load(Relaxed).max(1);
    Some(own)
}

fn balancer(generation: &Generation, facts: &Facts, farm: &Farm, lb: &Lb, now: Now) -> view::Balancer {
    let name = &*farm.balancer.name;
    let mut shown = settings::balancer(name, &farm.lb);
    shown.drift = balancer_drift(&settings::balancer(name, lb), &shown);
    let BalancerState { gauge, maintained, reset_at, refused, session_ids: [known, unknown, bare], .. } =
        farm.balancer.state;
    shown.busy = u64::from(gauge.now());
    shown.max_busy = u64::from(gauge.most());
    shown.queued = u64::from(gauge.waiting());
    shown.refused = refused.load(Relaxed);
    shown.last_reset = since(reset_at, facts);
    // Before the first one: maintenance begins with the server.
    shown.last_maintenance = tick(maintained).map_or(facts.started, |at| now.time(at));
    shown.sessions =
        SessionIds { known: known.load(Relaxed), unknown: unknown.load(Relaxed), bare: bare.load(Relaxed) };
    shown.members =
        (0..farm.members.len()).filter_map(|place| member(generation, facts, farm, place, now)).collect();
    shown
}

fn member(
    generation: &Generation,
    facts: &Facts,
    farm: &Farm,
    place: usize,
    now: Now,
) -> Option<view::Member> {
    let engine = farm.balancer.members.get(place)?;
    let backend = generation.backends().get(farm.members.get(place)?.backend)?;
    let own = member_settings(farm, place)?;
    let mut shown = settings::member(&engine.name, backend.settings(), &own);
    let configured = match &generation.configured().get(&engine.name)?.kind {
        Kind::Ajp13(ajp) => settings::member(&engine.name, ajp, &ajp.member),
        Kind::Lb(_) | Kind::Status(_) => return None,
    };
    shown.backend.drift = member_drift(&configured, &shown);
    fill(&mut shown.backend, generation, backend, facts);
    let MemberState { value, mult, sessions, errors, first_error, last_error, reset_at, elected, .. } =
        engine.state;
    shown.backend.used = elected.load(Relaxed);
    shown.backend.last_reset = since(reset_at, facts);
    shown.state = state(engine.state.state());
    shown.lbvalue = value.load(Relaxed);
    shown.lbmult = mult.load(Relaxed);
    shown.sessions = sessions.load(Relaxed);
    shown.errors = errors.load(Relaxed);
    shown.first_error = tick(first_error).map(|at| now.time(at));
    if let (Some(last), Some(at)) = (&mut shown.backend.last_error, tick(last_error)) {
        last.at = now.time(at);
    }
    shown.drain = engine.drain().map(|drain| match drain {
        Drain::Open => 0,
        Drain::Until(end) => now.time(end),
    });
    shown.drain_seen = shown.drain.and_then(|_| engine.state.seen.report(now.tick)).map(|report| DrainSeen {
        began: now.time(report.from),
        sessions: report.total.sessions,
        recent: report.recent.sessions,
        at_least: report.total.at_least,
    });
    let changed = Some(engine.worker.activated_at.load(Relaxed)).filter(|at| *at > 0);
    shown.benched = changed.filter(|_| own.activation != Activation::Active);
    Some(shown)
}

fn single(generation: &Generation, facts: &Facts, worker: &Backend, configured: &Ajp13) -> AjpWorker {
    let mut backend = settings::backend(&worker.name, worker.settings());
    backend.drift = backend_drift(&settings::backend(&worker.name, configured), &backend);
    fill(&mut backend, generation, worker, facts);
    let WorkerState { errors, base, used, gauge, down_since, .. } = worker.state;
    let errors = errors.load(Relaxed).saturating_sub(base.errors.load(Relaxed));
    let used = used.load(Relaxed).saturating_sub(base.used.load(Relaxed));
    backend.used = used;
    let limit = worker.settings().busy_limit;
    let state = if down_since.load(Relaxed) != 0 {
        State::Error
    } else if limit > 0 && gauge.now() >= limit {
        State::Busy
    } else if used > 0 {
        State::Ok
    } else {
        State::Idle
    };
    AjpWorker { backend, state, errors, maps: Vec::new() }
}

/// What the record of a worker says.
fn fill(shown: &mut view::Backend, generation: &Generation, worker: &Backend, facts: &Facts) {
    shown.address = match worker.resolved() {
        Ok(addresses) => addresses.split(", ").next().unwrap_or_default().to_owned(),
        Err(_) if worker.settings().address.is_usable() => "unresolved".to_owned(),
        Err(_) => "invalid".to_owned(),
    };
    let state = worker.state;
    let (base, stats) = (&state.base, &state.stats);
    let now = |count: &AtomicU64| count.load(Relaxed);
    let counted = |count: &AtomicU64, base: &AtomicU64| now(count).saturating_sub(now(base));
    shown.client_errors = counted(&state.client_errors, &base.client_errors);
    shown.reply_timeouts = u64::from(state.reply_timeouts.load(Relaxed));
    shown.transferred = counted(&state.sent, &base.sent);
    shown.read = counted(&state.received, &base.received);
    shown.busy = u64::from(state.gauge.now());
    shown.max_busy = u64::from(state.gauge.most());
    shown.connected = u64::from(generation.open_links(worker));
    shown.max_connected = u64::from(state.most_connected.load(Relaxed));
    shown.last_reset = since(&state.reset_at, facts);
    shown.last_error =
        stats.last_failure().map(|(at, cause)| LastError { at, cause, detail: detail(cause, worker) });
    shown.traffic = Traffic {
        requests: now(&state.used),
        errors: std::array::from_fn(|place| stats.errors.get(place).map_or(0, now)),
        queued: u64::from(state.gauge.waiting()),
        retries: now(&stats.retries),
        failovers: now(&stats.failovers),
        sent: now(&state.sent),
        received: now(&state.received),
        probes_ok: now(&stats.probes_ok),
        probes_failed: now(&stats.probes_failed),
        probe: stats.last_probe(),
        connect: stats.connect.snapshot(),
        first_byte: stats.first_byte.snapshot(),
        total: stats.total.snapshot(),
    };
}

/// What went wrong, in words; the log has the details.
fn detail(cause: view::Cause, worker: &Backend) -> String {
    let address = &worker.address;
    match cause {
        view::Cause::Connect => format!("no connection to {address}"),
        view::Cause::Ping => format!("{address} does not answer a CPing"),
        view::Cause::Broken => format!("the connection to {address} broke"),
        view::Cause::Timeout => format!("{address} did not answer in time"),
        view::Cause::Protocol => format!("{address} sent what is not AJP"),
        view::Cause::Status => format!("{address} answered with a status of fail_on_status"),
        view::Cause::Busy => "all connections were in use".to_owned(),
        view::Cause::Client => "the client went away".to_owned(),
    }
}

/// When counters began.
fn since(reset_at: &AtomicU64, facts: &Facts) -> u64 {
    Some(reset_at.load(Relaxed)).filter(|at| *at > 0).unwrap_or(facts.started)
}

fn state(state: Shared) -> State {
    match state {
        Shared::Idle => State::Idle,
        Shared::Ok => State::Ok,
        Shared::Recover => State::Recover,
        Shared::Force => State::Force,
        Shared::Busy => State::Busy,
        Shared::Error => State::Error,
        Shared::Probe => State::Probe,
    }
}
