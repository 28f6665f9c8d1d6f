//! The thread of a child that looks after what no request does: maintenance (`JkWatchdogInterval`), and, in one child of the
//! server at a time, probing members that cannot be reached and giving back what killed children had counted.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::joblog::{JobLog, Level};
use super::messages::{self, Message};
use super::runtime::Generation;
use super::status;
use crate::engine::balance::state::{State, Trouble};
use crate::engine::config::model::Activation;
use crate::engine::units::Tick;
use crate::ffi::server::ChildServer;
use crate::ffi::time;
use crate::shm::futex;
use crate::transport::clock;

/// Time between two looks at the members: a member that is back is used again within two of them.
const LOOK: Duration = Duration::from_millis(250);
/// Longest time a probe waits for a connection, and then for the answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Probes that run at one time.
const AT_ONCE: usize = 32;

/// What the thread works with.
pub struct Duties {
    /// The workers.
    pub generation: Arc<Generation>,
    /// Time between two maintenance runs of this thread, if it does them.
    pub maintain: Option<Duration>,
    /// This child may become the one that probes.
    pub office: Option<Box<dyn Office + Send>>,
    /// Where lines go.
    pub log: JobLog,
    /// For lines in httpd's own log.
    pub server: ChildServer,
}

/// The office of the one child that probes for all.
pub trait Office {
    /// This child holds the office now: it has kept it or taken it over.
    fn hold(&mut self, now: Tick) -> bool;
    /// Gives back what processes that are gone had counted in; returns how many there were.
    fn reap(&mut self) -> usize;
}

/// The thread. Dropped, it is stopped and waited for; running probes are not.
pub struct Watchdog {
    stop: Arc<(parking_lot::Mutex<bool>, parking_lot::Condvar)>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watchdog {
    /// Starts the thread.
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn start(duties: Duties) -> std::io::Result<Self> {
        let stop = Arc::new((parking_lot::Mutex::new(false), parking_lot::Condvar::new()));
        let signal = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("jk watchdog".to_owned()).spawn(move || {
            let mut round = Round::new(duties);
            let (stopped, bell) = &*signal;
            let mut stopped = stopped.lock();
            while !*stopped {
                let pause = round.pause();
                if bell.wait_for(&mut stopped, pause).timed_out() {
                    parking_lot::MutexGuard::unlocked(&mut stopped, || round.run());
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

/// What the thread remembers from one look to the next.
struct Round {
    duties: Duties,
    maintained: Tick,
    /// The office was held at the last look.
    in_office: bool,
    /// Backends that are being probed.
    probing: HashSet<usize>,
    /// What is known of the file of changes.
    keeping: status::Keeping,
    results: (Sender<Probed>, Receiver<Probed>),
}

/// The result of a probe.
struct Probed {
    backend: usize,
    took: Duration,
    result: Result<(), String>,
}

impl Round {
    fn new(duties: Duties) -> Self {
        Self {
            duties,
            maintained: clock::now(),
            in_office: false,
            probing: HashSet::new(),
            keeping: status::Keeping::default(),
            results: channel(),
        }
    }

    /// Time until the next look.
    fn pause(&self) -> Duration {
        match (&self.duties.office, self.duties.maintain) {
            (None, Some(interval)) => interval,
            _ => LOOK,
        }
    }

    fn run(&mut self) {
        let now = clock::now();
        if let Some(interval) = self.duties.maintain
            && now.since(self.maintained) >= interval
        {
            self.maintained = now;
            self.duties.generation.maintain(now);
        }
        let held = self.duties.office.as_mut().is_some_and(|office| office.hold(now));
        if held != self.in_office {
            self.in_office = held;
            if held {
                self.log(
                    Level::Debug,
                    messages::PROBES,
                    "probing members that can not be reached from now on",
                );
                let note = self.keeping.begin(&self.duties.generation);
                self.note(note);
            }
        }
        if held {
            if let Some(office) = &mut self.duties.office {
                office.reap();
            }
            self.duties.generation.sync();
            for line in status::end_drains(&self.duties.generation, now) {
                self.log(Level::Info, messages::SETTING_CHANGED, &line);
            }
            let note = self.keeping.look(&self.duties.generation, now);
            self.note(note);
            self.collect(now);
            self.report(now);
            self.probe();
        }
    }

    /// Uses the results of probes that have ended.
    fn collect(&mut self, now: Tick) {
        while let Ok(Probed { backend, took, result }) = self.results.1.try_recv() {
            self.probing.remove(&backend);
            let up = result.is_ok();
            if let Some(worker) = self.duties.generation.backends().get(backend) {
                worker.state.stats.probed(up, took, u64::try_from(time::wall().0).unwrap_or(0));
            }
            for farm in self.duties.generation.farms() {
                let places = farm.members.iter().enumerate().filter(|(_, member)| member.backend == backend);
                for (place, _) in places {
                    if farm.balancer.probed(place, up, now) {
                        futex::ring(&farm.balancer.state.gauge.bell);
                    }
                }
            }
        }
    }

    /// One line for each member that has gone out of service or come back. What was said is kept with the member, so that
    /// whoever probes next goes on from there.
    fn report(&self, now: Tick) {
        for farm in self.duties.generation.farms() {
            for (member, it) in farm.balancer.members.iter().zip(&farm.members) {
                let Some(backend) = self.duties.generation.backends().get(it.backend) else { continue };
                let announced = &member.state.announced;
                let since = announced.load(Relaxed);
                let state = member.state.state();
                let (next, back) = match state {
                    _ if since == 0 && is_down(state) => (now.0.max(1), false),
                    State::Ok | State::Idle | State::Busy if since != 0 => (0, true),
                    _ => continue,
                };
                // Two processes may hold the office for a moment; one of them says it.
                if announced.compare_exchange(since, next, Relaxed, Relaxed).is_err() {
                    continue;
                }
                let message = if back { messages::MEMBER_UP } else { messages::MEMBER_DOWN };
                let what = match member.state.trouble() {
                    _ if back => {
                        format!("back in service after {:.1} s", now.since(Tick(since)).as_secs_f64())
                    }
                    Trouble::Connection => {
                        "out of service: it can not be reached; it is probed until it answers".to_owned()
                    }
                    _ => format!(
                        "out of service: it answers badly (fail_on_status or reply timeouts); it is tried again in {} s",
                        farm.balancer.settings.recover_time.as_secs()
                    ),
                };
                self.log(
                    Level::Warn,
                    message,
                    &format!(
                        "balancer {}: member {} ({}) is {what}",
                        farm.balancer.name, member.name, backend.address
                    ),
                );
            }
        }
    }

    /// Starts a probe of each worker that is a member out of reach.
    fn probe(&mut self) {
        let generation = &self.duties.generation;
        let wanted: HashSet<usize> = generation
            .farms()
            .iter()
            .flat_map(|farm| farm.balancer.members.iter().zip(&farm.members))
            .filter(|(member, _)| {
                let state = member.state;
                matches!(state.state(), State::Error | State::Force | State::Recover | State::Probe)
                    && state.trouble() == Trouble::Connection
                    && state.activation() != Activation::Stopped
            })
            .map(|(_, member)| member.backend)
            .collect();
        for backend in wanted {
            if self.probing.len() >= AT_ONCE || !self.probing.insert(backend) {
                continue;
            }
            let (generation, results) = (Arc::clone(generation), self.results.0.clone());
            let probe = move || {
                if let Some(worker) = generation.backends().get(backend) {
                    let begun = clock::now();
                    let result = worker.probe(PATIENCE);
                    let _ = results.send(Probed { backend, took: clock::now().since(begun), result });
                }
            };
            if std::thread::Builder::new().name("jk probe".to_owned()).spawn(probe).is_err() {
                self.probing.remove(&backend);
            }
        }
    }

    fn note(&self, note: Option<status::Note>) {
        if let Some((level, message, text)) = note {
            self.log(level, message, &text);
        }
    }

    fn log(&self, level: Level, message: Message, text: &str) {
        self.duties.log.server(self.duties.server.get(), "WATCHDOG", level, message, format_args!("{text}"));
    }
}

/// Out of service, or only tried because nothing else is left.
fn is_down(state: State) -> bool {
    matches!(state, State::Error | State::Probe | State::Force | State::Recover)
}
