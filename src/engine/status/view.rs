//! What a status worker shows: one plain picture of all workers at one moment.
//!
//! The picture is filled outside the engine (from shared memory and the configuration) and only read here. Times of day
//! are seconds since 1970 (UTC), 0 or `None` for never; limits have the unit of the property of the same name. What can be
//! calculated from the rest is a method: ratings, and the times of section "calculated times" of the manual.
//! Sources: `display_worker` and its helpers in mod_jk's jk_status.c.

pub use super::traffic::{Cause, LastError, Probe, Traffic};
use crate::engine::config::model::{Activation, Lock, Method, Rating, StateClass};

/// All that can be shown.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The file where changes outlive the server, if there is one.
    pub keep: Option<Keep>,
    /// Requests that wait without a thread, in all processes.
    pub parked: u64,
    /// The server that answers.
    pub server: Server,
    /// The moment of the picture.
    pub clock: Clock,
    /// `worker.maintain` in seconds.
    pub maintain: u64,
    /// The listed balancers in the order of `worker.list`.
    pub balancers: Vec<Balancer>,
    /// The listed AJP workers in the order of `worker.list`.
    pub workers: Vec<AjpWorker>,
    /// Names of the listed status workers: they can be asked for, but show nothing.
    pub status_workers: Vec<String>,
    /// The properties as read at start, in order; secrets are masked (see [`super::dump`]).
    pub properties: Vec<(String, String)>,
    /// Anybody who reaches the status worker that shows this can change settings, as far as the directives tell.
    pub open: bool,
}

/// The server that answers.
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// Its name as the client used it.
    pub name: String,
    /// Its port as the client used it.
    pub port: u16,
    /// The software, as in the header `Server`.
    pub software: String,
    /// Name and version of this module.
    pub version: String,
}

/// A moment, and how far local time is from UTC.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    /// Seconds since 1970.
    pub unix: u64,
    /// Seconds that local time is ahead of UTC.
    pub offset: i32,
}

/// Sessions of a member that is being drained; estimates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DrainSeen {
    /// When the drain began, seconds since 1970.
    pub began: u64,
    /// Different session ids since then.
    pub sessions: u32,
    /// Of the last five minutes.
    pub recent: u32,
    /// There may be more than that.
    pub at_least: bool,
}

/// The file of changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keep {
    /// Its path.
    pub file: String,
    /// It says what is in force.
    pub saved: bool,
}

impl Clock {
    /// Seconds since `then`; 0 when it lies ahead.
    pub fn ago(self, then: u64) -> u64 {
        self.unix.saturating_sub(then)
    }
}

/// A balancer.
#[derive(Debug, Clone)]
pub struct Balancer {
    /// Its name.
    pub name: String,
    /// `sticky_session`.
    pub sticky_session: bool,
    /// `sticky_session_force`.
    pub sticky_session_force: bool,
    /// `retries`.
    pub retries: u32,
    /// `retry_interval` in milliseconds.
    pub retry_interval: u32,
    /// `recover_time` in seconds.
    pub recover_time: u32,
    /// `error_escalation_time` in seconds.
    pub error_escalation_time: u32,
    /// `max_reply_timeouts`.
    pub max_reply_timeouts: u32,
    /// `method`.
    pub method: Method,
    /// `lock`.
    pub lock: Lock,
    /// Requests in work.
    pub busy: u64,
    /// Most requests that were in work at one time.
    pub max_busy: u64,
    /// When its counters were last reset.
    pub last_reset: u64,
    /// When its last maintenance over all processes was.
    pub last_maintenance: u64,
    /// Its members in the order of the configuration.
    pub members: Vec<Member>,
    /// The rules that lead to it.
    pub maps: Vec<Map>,
    /// Requests that wait for a member that can be used.
    pub queued: u64,
    /// Requests that found none.
    pub refused: u64,
    /// How the session ids of its requests looked.
    pub sessions: SessionIds,
    /// Settings that differ from the configuration file.
    pub drift: Vec<Drift>,
}

/// How the session ids of the requests of a balancer looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionIds {
    /// With the route of a member or the name of a domain.
    pub known: u64,
    /// With a route that no member has.
    pub unknown: u64,
    /// Without a route.
    pub bare: u64,
}

impl SessionIds {
    /// Per cent of the session ids that lead to no member; `None` when there were too few to tell (less than 20).
    pub fn lost_per_cent(self) -> Option<u64> {
        let lost = self.unknown.saturating_add(self.bare);
        let all = lost.saturating_add(self.known);
        (all >= 20).then(|| lost.saturating_mul(100) / all)
    }
}

/// A setting that was changed at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Name of the property.
    pub property: String,
    /// Its value in the configuration file.
    pub configured: String,
    /// Its value now.
    pub current: String,
}

/// State of a member, or of an AJP worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum State {
    /// Not used lately.
    #[default]
    Idle,
    /// Used and fine.
    Ok,
    /// Failed; the next suitable request tries it.
    Recover,
    /// Failed like all others; every request may try it.
    Force,
    /// No free connection.
    Busy,
    /// Failed.
    Error,
    /// Failed; a request is just trying it.
    Probe,
}

impl State {
    /// All of them; the position is the number mod_jk has for it.
    pub const ALL: [Self; 7] =
        [Self::Idle, Self::Ok, Self::Recover, Self::Force, Self::Busy, Self::Error, Self::Probe];

    /// The word in all formats.
    pub fn text(self) -> &'static str {
        match self {
            Self::Idle => "OK/IDLE",
            Self::Ok => "OK",
            Self::Recover => "ERR/REC",
            Self::Force => "ERR/FRC",
            Self::Busy => "OK/BUSY",
            Self::Error => "ERR",
            Self::Probe => "ERR/PRB",
        }
    }

    /// The state as ratings see it.
    pub fn class(self) -> StateClass {
        match self {
            Self::Idle => StateClass::Idle,
            Self::Ok => StateClass::Ok,
            Self::Busy => StateClass::Busy,
            Self::Recover | Self::Force | Self::Probe => StateClass::Recovering,
            Self::Error => StateClass::Error,
        }
    }
}

/// The short word of an activation.
pub fn activation_text(activation: Activation) -> &'static str {
    match activation {
        Activation::Active => "ACT",
        Activation::Disabled => "DIS",
        Activation::Stopped => "STP",
    }
}

/// Settings and counters that a member and an AJP worker have in common.
#[derive(Debug, Clone, Default)]
pub struct Backend {
    /// Its name.
    pub name: String,
    /// It speaks HTTP, not AJP.
    pub http: bool,
    /// Over TLS.
    pub https: bool,
    /// `host`, or the path of a UNIX socket.
    pub host: String,
    /// `port`; 0: no address yet, or a UNIX socket.
    pub port: u16,
    /// What the host name stands for in this process (`ip:port`), or `unresolved`, or `invalid`.
    pub address: String,
    /// `source`; empty: any.
    pub source: String,
    /// `connection_pool_timeout` in seconds.
    pub connection_pool_timeout: u32,
    /// `ping_timeout` in milliseconds.
    pub ping_timeout: u32,
    /// `connect_timeout` in milliseconds.
    pub connect_timeout: u32,
    /// `prepost_timeout` in milliseconds.
    pub prepost_timeout: u32,
    /// `reply_timeout` in milliseconds.
    pub reply_timeout: u32,
    /// `connection_ping_interval` in seconds.
    pub connection_ping_interval: u32,
    /// `retries`.
    pub retries: u32,
    /// `retry_interval` in milliseconds.
    pub retry_interval: u32,
    /// `recovery_options`.
    pub recovery_options: u32,
    /// `busy_limit`.
    pub busy_limit: u32,
    /// `max_packet_size` in bytes.
    pub max_packet_size: u32,
    /// Requests given to it.
    pub used: u64,
    /// Requests that failed by fault of the client.
    pub client_errors: u64,
    /// Reply timeouts.
    pub reply_timeouts: u64,
    /// Bytes to it.
    pub transferred: u64,
    /// Bytes from it.
    pub read: u64,
    /// Requests in work.
    pub busy: u64,
    /// Most requests that were in work at one time.
    pub max_busy: u64,
    /// Open connections.
    pub connected: u64,
    /// Most connections that were open at one time.
    pub max_connected: u64,
    /// When the counters were last reset.
    pub last_reset: u64,
    /// The last failure, also after later successes.
    pub last_error: Option<LastError>,
    /// What only the newer formats show.
    pub traffic: Traffic,
    /// Settings that differ from the configuration file.
    pub drift: Vec<Drift>,
}

impl Backend {
    /// The value of the property `type`.
    pub fn type_name(&self) -> &'static str {
        match (self.http, self.https) {
            (false, _) => "ajp13",
            (true, false) => "http",
            (true, true) => "https",
        }
    }
}

/// A member of a balancer.
#[derive(Debug, Clone, Default)]
pub struct Member {
    /// What it shares with AJP workers. `used` is its `elected`.
    pub backend: Backend,
    /// `activation`.
    pub activation: Activation,
    /// `lbfactor`.
    pub lbfactor: u32,
    /// `route`.
    pub route: String,
    /// `redirect`.
    pub redirect: String,
    /// `domain`.
    pub domain: String,
    /// `distance`.
    pub distance: i32,
    /// Its state.
    pub state: State,
    /// The multiplier made of `lbfactor`.
    pub lbmult: u64,
    /// Its load as the method counts it.
    pub lbvalue: u64,
    /// New sessions.
    pub sessions: u64,
    /// Failures, as the balancer counts them.
    pub errors: u64,
    /// The first failure since the last success.
    pub first_error: Option<u64>,
    /// A drain under way: when new requests end for good; 0: no deadline.
    pub drain: Option<u64>,
    /// What has been seen of its sessions since the drain began.
    pub drain_seen: Option<DrainSeen>,
    /// When its activation was changed at run time; `None`: it was not, or it is active.
    pub benched: Option<u64>,
}

/// An AJP worker of `worker.list`.
#[derive(Debug, Clone, Default)]
pub struct AjpWorker {
    /// Settings and counters.
    pub backend: Backend,
    /// Its state.
    pub state: State,
    /// Failures.
    pub errors: u64,
    /// The rules that lead to it.
    pub maps: Vec<Map>,
}

/// A rule of a URI map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Map {
    /// `name:port` of the main server, `name [address:port]` of a virtual host.
    pub server: String,
    /// The pattern.
    pub uri: String,
    /// `Exact` or `Wildchar`, perhaps after `Unmount ` or `Disabled `.
    pub kind: String,
    /// `JkMount`, `uriworkermap` or `worker definition`.
    pub source: String,
    /// Milliseconds; `None`: not set.
    pub reply_timeout: Option<u32>,
    /// `sticky_ignore`.
    pub sticky_ignore: bool,
    /// `stateless`.
    pub stateless: bool,
    /// `fail_on_status` as text.
    pub fail_on_status: String,
    /// Members named by `active`.
    pub active: String,
    /// Members named by `disabled`.
    pub disabled: String,
    /// Members named by `stopped`.
    pub stopped: String,
    /// `use_server_errors`; 0: not set.
    pub use_server_errors: u16,
}

/// How many members are fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Good members.
    pub good: usize,
    /// Neither good nor bad.
    pub degraded: usize,
    /// Bad members.
    pub bad: usize,
}

/// How a member is rated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// `good`.
    Good,
    /// Neither.
    Degraded,
    /// `bad`.
    Bad,
}

impl Member {
    /// Its rating: bad if `bad` says so, else good if `good` says so.
    pub fn health(&self, good: &Rating, bad: &Rating) -> Health {
        let state = self.state.class();
        if bad.matches(self.activation, state) {
            Health::Bad
        } else if good.matches(self.activation, state) {
            Health::Good
        } else {
            Health::Degraded
        }
    }

    /// Seconds until it may be tried again, at least and at most; zeros unless it is in error.
    pub fn time_to_recover(&self, balancer: &Balancer, view: &View) -> (u64, u64) {
        if self.state != State::Error {
            return (0, 0);
        }
        let since = self.backend.last_error.as_ref().map_or(0, |error| view.clock.ago(error.at));
        let rest = u64::from(balancer.recover_time).saturating_sub(since);
        (rest.max(balancer.time_to_maintenance(view).0), rest.saturating_add(view.maintain))
    }
}

impl Balancer {
    /// The member of that name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.backend.name == name)
    }

    /// Its members by rating.
    pub fn counts(&self, good: &Rating, bad: &Rating) -> Counts {
        let mut counts = Counts::default();
        for member in &self.members {
            match member.health(good, bad) {
                Health::Good => counts.good += 1,
                Health::Degraded => counts.degraded += 1,
                Health::Bad => counts.bad += 1,
            }
        }
        counts
    }

    /// Seconds until the next maintenance over all processes, at least and at most.
    pub fn time_to_maintenance(&self, view: &View) -> (u64, u64) {
        let since = view.clock.ago(self.last_maintenance);
        let least = view.maintain.saturating_sub(since);
        (least, view.maintain.saturating_mul(2).saturating_sub(since))
    }
}

impl View {
    /// The listed balancer of that name.
    pub fn balancer(&self, name: &str) -> Option<&Balancer> {
        self.balancers.iter().find(|balancer| balancer.name == name)
    }

    /// The listed AJP worker of that name.
    pub fn worker(&self, name: &str) -> Option<&AjpWorker> {
        self.workers.iter().find(|worker| worker.backend.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::status::sample;

    #[test]
    fn a_fresh_error_takes_a_minute_or_two() {
        let view = sample::view();
        let balancer = &view.balancers[0];
        assert_eq!(balancer.time_to_maintenance(&view), (39, 99));
        assert_eq!(balancer.members[0].time_to_recover(balancer, &view), (60, 120));
        assert_eq!(balancer.members[1].time_to_recover(balancer, &view), (0, 0));
    }

    #[test]
    fn an_old_error_waits_for_maintenance_only() {
        let mut view = sample::view();
        view.clock.unix += 1000;
        view.balancers[0].last_maintenance = view.clock.unix - 10;
        let balancer = &view.balancers[0];
        assert_eq!(balancer.members[0].time_to_recover(balancer, &view), (50, 60));
        view.balancers[0].last_maintenance = 0;
        assert_eq!(view.balancers[0].time_to_maintenance(&view), (0, 0));
    }

    #[test]
    fn members_are_counted_by_rating() {
        let view = sample::view();
        let status = sample::settings();
        let counts = view.balancers[0].counts(&status.good, &status.bad);
        assert_eq!(counts, Counts { good: 1, degraded: 1, bad: 1 });
    }

    #[test]
    fn few_sessions_say_nothing() {
        assert_eq!(SessionIds { known: 3, unknown: 3, bare: 0 }.lost_per_cent(), None);
        assert_eq!(SessionIds { known: 15, unknown: 4, bare: 1 }.lost_per_cent(), Some(25));
        assert_eq!(
            SessionIds { known: u64::MAX, unknown: u64::MAX, bare: 1 }.lost_per_cent(),
            Some(1),
            "saturates"
        );
    }
}
