//! The workers of one configuration at work in a process: settings, addresses, pools.
//!
//! Made in the parent while it reads the configuration; pools are empty then, so each child gets its own by forking.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::work::{self, InWork, Queue, Queued};
use crate::engine::balance::state::{Cell, WorkerState};
use crate::engine::config::model::{Address, Ajp13, Http, LocalAddress, PoolSize, Tls};
use crate::engine::error::{Cause, RetryPolicy};
use crate::engine::exchange::{Link, LinkError};
use crate::engine::http1::upgrade::Upgrade;
use crate::engine::http1::{Limits, Options, proxy_protocol};
use crate::engine::proxy::attempts::WorkerView;
use crate::engine::proxy::http::{Check, HttpView};
use crate::engine::proxy::ping::ping;
use crate::engine::proxy::pump::{Manner, Timing};
use crate::engine::request::WorkerFacts;
use crate::engine::tls::Fault;
use crate::engine::units::Tick;
use crate::httpd::tls_files;
use crate::shm::layout::Map;
use crate::transport::address::{Endpoint, resolve_source};
use crate::transport::clock;
use crate::transport::connect::connect_to;
use crate::transport::connection::Connection;
use crate::transport::peer::Peer;
use crate::transport::pool::Pool;
use crate::transport::socket::SocketOptions;
use crate::transport::tls::Client;

/// Least time between two questions to the resolver about one backend.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(10);
/// Idle connections probed at one time.
const PROBED_AT_ONCE: usize = 4;
/// Largest AJP payload accepted: all that its length field can say, because some backends exceed the agreed size in heads.
const RECEIVE_LIMIT: usize = 65_535;

/// A worker of type `ajp13` or `http`.
#[derive(Debug)]
pub struct Backend {
    /// Its name.
    pub name: String,
    /// The name for notes, NUL-terminated.
    pub c_name: std::ffi::CString,
    /// Its address as configured.
    pub address: String,
    /// It can be the target of a mount.
    pub listed: bool,
    /// One warning about a refused secret or attribute is enough.
    pub warned_forbidden: AtomicBool,
    /// One warning about surplus octets is enough.
    pub warned_surplus: AtomicBool,
    /// Its shared record.
    pub state: &'static WorkerState,
    /// The place of its share in each process.
    pub place: usize,
    pub(super) settings: Ajp13,
    http: Option<HttpView>,
    tls: Option<Arc<Client>>,
    view: View,
    pub(super) peer: Arc<Peer>,
    pub(super) options: SocketOptions,
    pub(super) pool: Arc<Pool>,
    links: Arc<OnceLock<Links>>,
}

/// Where a process counts its open connections to a worker, and the memory with the counts of all.
#[derive(Debug, Clone, Copy)]
pub struct Links {
    /// The count of this process.
    pub count: &'static AtomicU32,
    /// All counts.
    pub map: Map,
}

/// The parts of a [`WorkerView`] that take some thought, worked out once.
#[derive(Debug)]
struct View {
    reply: Option<Duration>,
    /// `None`: httpd's `Timeout`.
    send: Option<Duration>,
    connect_ping: Option<Duration>,
    prepost_ping: Option<Duration>,
    /// Limit of the TLS handshake.
    establish: Option<Duration>,
    policy: RetryPolicy,
    abrupt_on_client_error: bool,
}

impl View {
    fn new(settings: &Ajp13) -> Self {
        let socket = settings.socket_timeout.limit();
        let reply = match (settings.reply_timeout.limit(), socket) {
            (Some(reply), Some(socket)) => Some(reply.min(socket)),
            (reply, socket) => reply.or(socket),
        };
        let recovery = settings.recovery_options;
        Self {
            reply,
            send: socket.or(reply),
            connect_ping: settings.connect_timeout.limit(),
            prepost_ping: settings.prepost_timeout.limit(),
            establish: [settings.socket_connect_timeout, settings.connect_timeout]
                .into_iter()
                .filter_map(|timeout| timeout.limit())
                .min(),
            policy: RetryPolicy {
                explicit: settings.recovery_set,
                not_after_request: recovery.never_after_sending(),
                always_head: recovery.always_head(),
                always_get: recovery.always_get(),
            },
            abrupt_on_client_error: recovery.close_on_client_error(),
        }
    }
}

fn endpoint(settings: &Ajp13) -> Endpoint {
    match &settings.address {
        Address::Tcp { host, port } => {
            Endpoint::Tcp { host: host.clone(), port: *port, prefer_ipv6: settings.prefer_ipv6 }
        }
        Address::Unix(path) => Endpoint::Unix(path.into()),
    }
}

/// What the engine needs to know of an HTTP worker.
fn http_view(http: &Http, address: &Address) -> HttpView {
    let usual = if http.tls.is_some() { 443 } else { 80 };
    let host = match address {
        Address::Tcp { port, host } if *port == usual && !host.contains(':') => host.clone(),
        Address::Tcp { .. } => address.to_string(),
        Address::Unix(_) => "localhost".to_owned(),
    };
    HttpView {
        options: Options {
            tls: true,
            x_forwarded: http.x_forwarded,
            forwarded: http.forwarded,
            ..Options::default()
        },
        upgrades: http.upgrade.as_slice().into(),
        tunnel_timeout: http.tunnel_timeout.limit(),
        limits: Limits::default(),
        check: http.ping_uri.as_ref().and_then(|uri| Check::new(uri, &host, http.ping_status)),
    }
}

/// TLS as connections to `address` need it. It was checked when the files were read; what is wrong all the same is a name that
/// was given at run time, and fails all connections.
fn tls_client(tls: &Tls, address: &Address) -> Option<Arc<Client>> {
    let name = Tls::expected(tls.name.as_deref(), address);
    tls_files::client(&name, tls.verify, tls.least, &tls.texts).ok().map(Arc::new)
}

fn tls_of(settings: &Ajp13) -> Option<Arc<Client>> {
    tls_client(settings.http.as_ref()?.tls.as_ref()?, &settings.address)
}

impl Backend {
    pub(super) fn new(
        name: &str,
        listed: bool,
        settings: &Ajp13,
        (state, place): (&'static WorkerState, usize),
        now: Tick,
        complain: &mut impl FnMut(&str, String),
    ) -> Self {
        let source: Option<IpAddr> = match &settings.source {
            LocalAddress::Any => None,
            LocalAddress::Host(host) => match resolve_source(host, settings.prefer_ipv6) {
                Ok(address) => Some(address),
                Err(error) => {
                    complain(name, format!("source {host}: {error}; connections come from any address"));
                    None
                }
            },
        };
        Self {
            name: name.to_owned(),
            c_name: std::ffi::CString::new(name).unwrap_or_default(),
            address: settings.address.to_string(),
            listed,
            warned_forbidden: AtomicBool::new(false),
            warned_surplus: AtomicBool::new(false),
            state,
            place,
            peer: Arc::new(Peer::new(endpoint(settings), RESOLVE_INTERVAL, now)),
            options: SocketOptions {
                source,
                keepalive: settings.socket_keepalive,
                buffer: u32::try_from(settings.socket_buffer).ok().filter(|size| *size > 0),
            },
            pool: Pool::new(match settings.connection_pool_size {
                PoolSize::Unlimited => None,
                PoolSize::Limit(limit) => Some(limit),
            }),
            links: Arc::default(),
            view: View::new(settings),
            http: settings.http.as_ref().map(|http| http_view(http, &settings.address)),
            tls: tls_of(settings),
            settings: settings.clone(),
        }
    }

    /// The same worker with other settings. Connections are kept unless they lead elsewhere now.
    pub(super) fn changed(&self, settings: Ajp13) -> Self {
        let moved = settings.address != self.settings.address;
        let peer = if moved {
            Arc::new(Peer::new(endpoint(&settings), RESOLVE_INTERVAL, clock::now()))
        } else {
            Arc::clone(&self.peer)
        };
        if moved {
            self.pool.renew();
        }
        Self {
            name: self.name.clone(),
            c_name: self.c_name.clone(),
            address: settings.address.to_string(),
            listed: self.listed,
            warned_forbidden: AtomicBool::new(false),
            warned_surplus: AtomicBool::new(false),
            state: self.state,
            place: self.place,
            view: View::new(&settings),
            http: settings.http.as_ref().map(|http| http_view(http, &settings.address)),
            tls: if moved { tls_of(&settings) } else { self.tls.clone() },
            peer,
            options: self.options.clone(),
            pool: Arc::clone(&self.pool),
            links: Arc::clone(&self.links),
            settings,
        }
    }

    /// A connection of it begins with who the client is.
    pub(super) fn announces(&self) -> bool {
        self.settings.http.as_ref().is_some_and(|http| http.send_proxy)
    }

    /// Does to a new connection what comes before everything else: `source` is sent as it is, then TLS begins.
    ///
    /// # Errors
    /// The connection is unusable.
    pub(super) fn prepare(
        &self,
        mut connection: Connection,
        source: Option<&[u8]>,
    ) -> Result<Connection, LinkError> {
        if let Some(source) = source {
            connection.begin_with(source)?;
        }
        match (&self.tls, self.settings.http.as_ref().and_then(|http| http.tls.as_ref())) {
            (Some(client), _) => connection.secure(client),
            (None, Some(_)) => Err(LinkError::Tls(Fault::WrongName)),
            (None, None) => Ok(connection),
        }
    }

    /// From now on connections are counted.
    pub(super) fn count_links(&self, links: Links) {
        let _ = self.links.set(links);
    }

    /// A connection was opened in so much time.
    pub(super) fn connected(&self, connection: &mut Connection, took: Duration) {
        self.state.stats.connect.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if let Some(Links { count, map }) = self.links.get() {
            connection.count_in(count);
            self.state.most_connected.fetch_max(map.open_links(self.place), Ordering::Relaxed);
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> &Ajp13 {
        &self.settings
    }

    /// What its host name stands for in this process.
    pub fn resolved(&self) -> Result<String, String> {
        let known = self.peer.known().map_err(|error| error.to_string())?;
        Ok(known.to_string())
    }

    /// The value of the property `type`.
    pub fn type_name(&self) -> &'static std::ffi::CStr {
        match self.settings.type_name() {
            "http" => c"http",
            "https" => c"https",
            _ => c"ajp13",
        }
    }

    /// What it may be asked to change to.
    pub fn upgrades(&self) -> &[Upgrade] {
        self.http.as_ref().map_or(&[], |http| &http.upgrades)
    }

    /// It speaks AJP, not HTTP.
    pub fn speaks_ajp(&self) -> bool {
        self.http.is_none()
    }

    /// Its address, or why there is none.
    ///
    /// # Errors
    /// The host name has no address.
    pub(super) fn known(&self) -> Result<(), String> {
        self.peer.known().map(drop).map_err(|error| error.to_string())
    }

    /// Counts a request in until the result is dropped. When `max_in_flight` are in work it waits in the worker's queue;
    /// `queue`: if it may; `place` and `block`: see [`work::pass`].
    ///
    /// # Errors
    /// The worker has enough to do.
    pub fn enter(
        &self,
        cell: &'static Cell,
        queue: bool,
        place: &mut Option<Queued>,
        block: bool,
    ) -> Result<Result<InWork, Duration>, Cause> {
        let gauge = &self.state.gauge;
        let settings = &self.settings;
        let waits = place.is_some();
        if !waits && settings.busy_limit > 0 && gauge.now() >= settings.busy_limit {
            return Err(Cause::Busy);
        }
        let limit = settings.max_in_flight;
        if limit == 0 {
            return Ok(Ok(InWork::new(gauge.enter(cell), gauge)));
        }
        if !waits && let Some(flight) = gauge.try_enter(cell, limit, false) {
            return Ok(Ok(InWork::new(flight, gauge)));
        }
        if !queue {
            return Err(Cause::Busy);
        }
        let queue = Queue { size: settings.queue_size, time: settings.queue_timeout };
        let begun = place.as_ref().map_or_else(clock::now, Queued::begun);
        let flight = work::pass(place, (gauge, cell), queue, block, |_| gauge.try_enter(cell, limit, true))?;
        Ok(flight.map(|flight| InWork::new(flight, gauge).after(clock::now().since(begun))))
    }

    /// It takes a limited number of requests at one time.
    pub fn is_limited(&self) -> bool {
        self.settings.busy_limit > 0 || self.settings.max_in_flight > 0
    }

    /// Requests may wait for room.
    pub fn has_queue(&self) -> bool {
        let settings = &self.settings;
        settings.max_in_flight > 0 && settings.queue_size > 0 && settings.queue_timeout > Duration::ZERO
    }

    /// One more request may be given to it now.
    pub fn has_room(&self) -> bool {
        let now = self.state.gauge.now();
        let below = |limit| limit == 0 || now < limit;
        below(self.settings.busy_limit) && below(self.settings.max_in_flight)
    }

    /// What may be repeated of its failures, and the statuses that count as failure.
    pub fn rules(&self) -> (RetryPolicy, &[i32]) {
        (self.view.policy, &self.settings.fail_on_status)
    }

    /// Whether the backend answers: connects and sends a CPing, or asks for `ping_uri` of an HTTP worker if it is set. Takes
    /// at most `limit` for each.
    pub fn probe(&self, limit: Duration) -> Result<(), String> {
        let settings = &self.settings;
        let said = |error| Cause::Link(error).to_string();
        let connect = settings.socket_connect_timeout.limit().map_or(limit, |own| own.min(limit));
        let deadline = Some(clock::now().after(connect));
        let mut connection =
            connect_to(&self.peer, &self.options, deadline).map_err(|error| error.to_string())?;
        let own = self.announces().then(|| {
            let mut header = Vec::new();
            proxy_protocol::header(&mut header, None);
            header
        });
        connection = self.prepare(connection, own.as_deref()).map_err(said)?;
        while let Some(writable) = connection.establish().map_err(|error| {
            let detail = connection.tls_detail().map_or_else(String::new, |text| format!(" [{text}]"));
            said(error) + &detail
        })? {
            let left = clock::left(deadline).unwrap_or(limit);
            Link::wait(&mut connection, writable, None, left).map_err(said)?;
        }
        let patience = settings.ping_timeout.limit().map_or(limit, |own| own.min(limit));
        self.ask(&mut connection, patience).map(drop).map_err(|cause| cause.to_string())
    }

    /// Asks on an idle connection whether the backend is alive. True: the connection can be used.
    fn ask<L: Link>(&self, link: &mut L, limit: Duration) -> Result<bool, Cause> {
        match &self.http {
            None => ping(link, limit).map(|()| true),
            Some(http) => match &http.check {
                None => Ok(true),
                Some(check) => check.ask(link, limit, clock::now),
            },
        }
    }

    /// What the engine needs to know. `patience`: httpd's `Timeout`, where the worker sets no limit of its own.
    #[inline]
    pub fn view(&self, patience: Duration) -> WorkerView<'_> {
        let (settings, view) = (&self.settings, &self.view);
        let timing = Timing { reply: view.reply, send: view.send.unwrap_or(patience), client: patience };
        WorkerView {
            http: self.http.as_ref(),
            facts: WorkerFacts {
                secret: (!settings.secret.is_none()).then(|| settings.secret.expose()),
                route: None,
                activation: b"ACT",
            },
            max_packet: settings.max_packet_size,
            receive_limit: RECEIVE_LIMIT,
            first_body: usize::MAX,
            manner: Manner {
                timing,
                fail_on: &settings.fail_on_status,
                server_errors: None,
                flush_packets: false,
                flush_head: false,
                timed: true,
            },
            establish: view.establish,
            connect_ping: view.connect_ping,
            prepost_ping: view.prepost_ping,
            attempts: settings.retries,
            pause: settings.retry_interval,
            policy: view.policy,
            reuse: !self.announces(),
            abrupt_on_client_error: view.abrupt_on_client_error,
        }
    }

    /// Closes idle connections that are too old and probes those that have been idle for long. No lock is held meanwhile.
    pub(super) fn maintain(&self, now: Tick) {
        let settings = &self.settings;
        if let Some(age) = settings.connection_pool_timeout.limit() {
            self.pool.maintain(now, age, settings.connection_pool_minsize);
        }
        let (Some(idle), Some(timeout)) =
            (settings.connection_ping_interval.limit(), settings.ping_timeout.limit())
        else {
            return;
        };
        if self.http.as_ref().is_some_and(|http| http.check.is_none()) {
            return; // there is nothing to ask for
        }
        // A few at a time: those being probed count as in use.
        loop {
            let due = self.pool.take_idle_for_ping(now, idle, PROBED_AT_ONCE);
            if due.is_empty() {
                return;
            }
            for mut lease in due {
                match self.ask(&mut *lease, timeout) {
                    Ok(true) => lease.keep(clock::now()),
                    // A request may be waiting for this to end: one silence is enough.
                    Err(Cause::Silent { .. }) => return,
                    Ok(false) | Err(_) => {}
                }
            }
        }
    }
}
