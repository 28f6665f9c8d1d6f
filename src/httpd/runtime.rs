//! The workers of one configuration at work in a process: settings, addresses, pools.
//!
//! Made in the parent while it reads the configuration; pools are empty then, so each child gets its own by forking.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::config::model::{Address, Ajp13, Kind, LocalAddress, PoolSize, WorkerSet};
use crate::engine::error::{Cause, Failure, RetryPolicy, Stage};
use crate::engine::exchange::LinkError;
use crate::engine::proxy::attempts::{Links, WorkerView, ping};
use crate::engine::proxy::pump::{Manner, Timing};
use crate::engine::request::WorkerFacts;
use crate::engine::units::Tick;
use crate::transport::address::{Endpoint, resolve_source};
use crate::transport::clock;
use crate::transport::connect::connect_to;
use crate::transport::peer::Peer;
use crate::transport::pool::{Acquired, Lease, Pool};
use crate::transport::socket::SocketOptions;

/// Least time between two questions to the resolver about one backend.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(10);
/// Idle connections probed at one time.
const PROBED_AT_ONCE: usize = 4;
/// Largest AJP payload accepted: all that its length field can say, because some backends exceed the agreed size in heads.
const RECEIVE_LIMIT: usize = 65_535;

/// All workers of a configuration.
#[derive(Debug)]
pub struct Generation {
    workers: Vec<Backend>,
    maintain: Option<Duration>,
    maintained: AtomicU64,
}

/// A worker of type `ajp13`.
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
    /// Requests in work, while there is a `busy_limit`.
    busy: AtomicU32,
    settings: Ajp13,
    view: View,
    peer: Peer,
    options: SocketOptions,
    pool: Arc<Pool>,
}

/// The parts of a [`WorkerView`] that take some thought, worked out once.
#[derive(Debug)]
struct View {
    reply: Option<Duration>,
    /// `None`: httpd's `Timeout`.
    send: Option<Duration>,
    connect_ping: Option<Duration>,
    prepost_ping: Option<Duration>,
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

impl Generation {
    /// Resolves the addresses of all workers. Names that have none are reported to `complain` and looked up again later.
    pub fn new(set: &WorkerSet, mut complain: impl FnMut(&str, String)) -> Self {
        let now = clock::now();
        let workers = set
            .workers
            .iter()
            .filter_map(|worker| match &worker.kind {
                Kind::Ajp13(settings) => Some((worker, settings)),
                Kind::Lb(_) | Kind::Status(_) => None,
            })
            .map(|(worker, settings)| {
                let backend =
                    Backend::new(&worker.name, set.is_listed(&worker.name), settings, now, &mut complain);
                if let Err(error) = backend.peer.known() {
                    complain(&worker.name, error.to_string());
                }
                backend
            })
            .collect();
        Self { workers, maintain: set.maintain.limit(), maintained: AtomicU64::new(now.0) }
    }

    /// The place of the mountable worker of that name.
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        self.workers.iter().position(|worker| worker.listed && worker.name.as_bytes() == name)
    }

    /// The worker at a place.
    pub fn worker(&self, place: usize) -> Option<&Backend> {
        self.workers.get(place)
    }

    /// All workers.
    pub fn workers(&self) -> &[Backend] {
        &self.workers
    }

    /// The time between two maintenance runs, if there are any.
    pub fn maintenance_interval(&self) -> Option<Duration> {
        self.maintain
    }

    /// Names of the mountable workers by their places.
    pub fn names(&self) -> Vec<Option<Box<[u8]>>> {
        self.workers.iter().map(|worker| worker.listed.then(|| worker.name.as_bytes().into())).collect()
    }

    /// Looks after idle connections when `worker.maintain` has passed since the last time in this process.
    pub fn maintain(&self, now: Tick) {
        let Some(interval) = self.maintain else { return };
        let last = self.maintained.load(Ordering::Relaxed);
        if now.since(Tick(last)) < interval
            || self.maintained.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return; // not yet, or another thread does it
        }
        for worker in &self.workers {
            worker.maintain(now);
        }
    }
}

impl Backend {
    fn new(
        name: &str,
        listed: bool,
        settings: &Ajp13,
        now: Tick,
        complain: &mut impl FnMut(&str, String),
    ) -> Self {
        let endpoint = match &settings.address {
            Address::Tcp { host, port } => {
                Endpoint::Tcp { host: host.clone(), port: *port, prefer_ipv6: settings.prefer_ipv6 }
            }
            Address::Unix(path) => Endpoint::Unix(path.into()),
        };
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
            busy: AtomicU32::new(0),
            peer: Peer::new(endpoint, RESOLVE_INTERVAL, now),
            options: SocketOptions {
                source,
                keepalive: settings.socket_keepalive,
                buffer: u32::try_from(settings.socket_buffer).ok().filter(|size| *size > 0),
            },
            pool: Pool::new(match settings.connection_pool_size {
                PoolSize::Unlimited => None,
                PoolSize::Limit(limit) => Some(limit),
            }),
            view: View::new(settings),
            settings: settings.clone(),
        }
    }

    /// A secret is configured.
    pub fn has_secret(&self) -> bool {
        !self.settings.secret.is_none()
    }

    /// Counts a request in until the result is dropped.
    ///
    /// # Errors
    /// `busy_limit` requests are in work in this process.
    pub fn enter(&self) -> Result<Busy<'_>, Failure> {
        let limit = self.settings.busy_limit;
        if limit == 0 {
            return Ok(Busy(None));
        }
        let busy = Busy(Some(&self.busy));
        if self.busy.fetch_add(1, Ordering::Relaxed) >= limit {
            return Err(Failure::early(Cause::Busy, Stage::Acquire));
        }
        Ok(busy)
    }

    /// What the engine needs to know. `patience`: httpd's `Timeout`, where the worker sets no limit of its own.
    pub fn view(&self, patience: Duration) -> WorkerView<'_> {
        let (settings, view) = (&self.settings, &self.view);
        let timing = Timing { reply: view.reply, send: view.send.unwrap_or(patience), client: patience };
        WorkerView {
            facts: WorkerFacts {
                secret: (!settings.secret.is_none()).then(|| settings.secret.expose()),
                route: None,
                activation: b"ACT",
            },
            max_packet: settings.max_packet_size,
            receive_limit: RECEIVE_LIMIT,
            manner: Manner {
                timing,
                fail_on: &settings.fail_on_status,
                server_errors: None,
                flush_packets: false,
                flush_head: false,
            },
            connect_ping: view.connect_ping,
            prepost_ping: view.prepost_ping,
            attempts: settings.retries,
            pause: settings.retry_interval,
            policy: view.policy,
            reuse: true,
            abrupt_on_client_error: view.abrupt_on_client_error,
        }
    }

    /// Closes idle connections that are too old and probes those that have been idle for long. No lock is held meanwhile.
    fn maintain(&self, now: Tick) {
        let settings = &self.settings;
        if let Some(age) = settings.connection_pool_timeout.limit() {
            self.pool.maintain(now, age, settings.connection_pool_minsize);
        }
        let (Some(idle), Some(timeout)) =
            (settings.connection_ping_interval.limit(), settings.ping_timeout.limit())
        else {
            return;
        };
        // A few at a time: those being probed count as in use.
        loop {
            let due = self.pool.take_idle_for_ping(now, idle, PROBED_AT_ONCE);
            if due.is_empty() {
                return;
            }
            for mut lease in due {
                match ping(&mut *lease, timeout) {
                    Ok(()) => lease.keep(clock::now()),
                    // A request may be waiting for this to end: one silence is enough.
                    Err(Cause::Silent { .. }) => return,
                    Err(_) => {}
                }
            }
        }
    }
}

/// A request in work on a worker.
#[derive(Debug)]
pub struct Busy<'w>(Option<&'w AtomicU32>);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The maintenance thread of a child (`JkWatchdogInterval`). Dropped, it is stopped and waited for.
pub struct Watchdog {
    stop: Arc<(parking_lot::Mutex<bool>, parking_lot::Condvar)>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watchdog {
    /// Starts the thread.
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn start(generation: Arc<Generation>, interval: Duration) -> std::io::Result<Self> {
        let stop = Arc::new((parking_lot::Mutex::new(false), parking_lot::Condvar::new()));
        let signal = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("jk watchdog".to_owned()).spawn(move || {
            let (stopped, bell) = &*signal;
            let mut stopped = stopped.lock();
            while !*stopped {
                if bell.wait_for(&mut stopped, interval).timed_out() {
                    parking_lot::MutexGuard::unlocked(&mut stopped, || generation.maintain(clock::now()));
                }
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The connections of a worker, for one request.
pub struct Connections<'w> {
    backend: &'w Backend,
    /// What the last failed connect had to say, address by address.
    detail: RefCell<Option<String>>,
}

impl<'w> Connections<'w> {
    /// Connections of `backend`.
    pub fn new(backend: &'w Backend) -> Self {
        Self { backend, detail: RefCell::new(None) }
    }

    /// Takes what the last failed connect had to say.
    pub fn take_detail(&self) -> Option<String> {
        self.detail.borrow_mut().take()
    }
}

impl Links for Connections<'_> {
    type Link = Lease;

    fn acquire(&self, fresh: bool) -> Result<(Lease, bool), Failure> {
        let settings = &self.backend.settings;
        let acquired = self
            .backend
            .pool
            .acquire(settings.connection_acquire_timeout)
            .map_err(|_| Failure::early(Cause::PoolExhausted, Stage::Acquire))?;
        let permit = match acquired {
            Acquired::Idle(lease) if !fresh => return Ok((lease, true)),
            Acquired::Idle(lease) => lease.reopen(),
            Acquired::Open(permit) => permit,
        };
        let deadline = settings.socket_connect_timeout.limit().map(|limit| clock::now().after(limit));
        match connect_to(&self.backend.peer, &self.backend.options, deadline) {
            Ok(connection) => Ok((permit.fill(connection), false)),
            Err(error) => {
                *self.detail.borrow_mut() = Some(error.to_string());
                // Several addresses of which not all refuse may answer the next time.
                let refused = error.attempts.iter().all(|attempt| attempt.error == LinkError::Refused);
                let summary = match error.summary {
                    LinkError::Refused if !refused => LinkError::TimedOut,
                    other => other,
                };
                Err(Failure::early(Cause::Link(summary), Stage::Connect))
            }
        }
    }

    fn release(&self, link: Lease) {
        link.release(clock::now());
    }

    fn discard(&self, link: Lease, abrupt: bool) {
        if abrupt {
            link.close_abortively();
        }
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
