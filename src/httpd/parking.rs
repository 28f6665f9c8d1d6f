//! When a request gives its thread back, and how it goes on.
//!
//! A request is served step by step. When a step has to wait, the thread waits along: up to half of the threads of the process until
//! `JkAsyncDelay` is over, and every one for some milliseconds as long as most requests of the process are over by then: giving a thread
//! back and taking another would cost more than that wait. After that the request is put aside, if it can be: a bell stands for
//! what it waits for, the reactor of the child minds its deadlines, and a worker thread of httpd takes it up again when the bell rings. Where it
//! cannot be put aside (MPM, HTTP/2, sub-requests, internal redirects, `JkAsyncLimit`), the thread waits as it always has.
//!
//! Times are monotonic ticks. Nothing in here knows the protocol.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use super::config::Live;
use super::handler::finish;
use super::host::HttpdHost;
use super::joblog::Level;
use super::module::Jk;
use super::runtime::Worker;
use super::trip::{Progress, Trip, TripWait, Way};
use super::{lent, messages};
use crate::engine::error::{Cause, ClientFault, Failure, Stage};
use crate::engine::proxy::{Buffers, Host as _, Served};
use crate::engine::units::Tick;
use crate::ffi::Verdict;
use crate::ffi::park::{Next, Parked, Wake};
use crate::ffi::pool::Pool;
use crate::ffi::request::Request;
use crate::ffi::tunnel::stopping;
use crate::transport::clock;
use crate::transport::epoll::{Interest, wait_briefly};
use crate::transport::reactor::{Handle, Reactor, Ring, Wants, Watch};

/// Default of `JkAsyncDelay`.
pub(super) const DELAY: Duration = Duration::from_millis(50);
/// Every thread may wait along for so long at the beginning of a request, as long as most are over by then.
/// Shorter ones end too early on a machine whose processors are busy.
const FIRST: Duration = Duration::from_millis(10);
/// The delay of a request that has been put aside once: it is not one of the quick ones.
const DELAY_AGAIN: Duration = Duration::from_millis(1);
/// Longest time between two looks at a client that sends request body: input filters with time limits of their own notice
/// them only when they are asked.
const CLIENT_LOOK: Duration = Duration::from_secs(1);
/// Longest time between two looks of a tunnel that has a thread at whether the process is to end.
const LOOK: Duration = Duration::from_secs(1);
/// Shortest time between two signs of life for the MPM.
const LEAST_AGAIN: Duration = Duration::from_millis(500);

/// What the requests of a child share.
#[derive(Debug, Default)]
pub struct Parking {
    /// Requests that may be put aside at one time in a child (`JkAsyncLimit`).
    pub limit: usize,
    /// Set at the beginning of each child.
    reactor: OnceLock<Handle>,
    /// Where this child counts what it has put aside, for monitoring.
    count: OnceLock<&'static AtomicU32>,
    /// It was said that the limit is reached.
    told: AtomicBool,
    /// It was said that requests cannot be put aside.
    told_why: AtomicBool,
    /// Threads that wait along at the moment.
    held: AtomicUsize,
    /// Most threads that may.
    most_held: usize,
    /// How fast requests were lately.
    pace: Pace,
}

/// The share of requests that were over within [`FIRST`], of the last thirty or so, of 65,536. Racy: a lost count does no harm.
#[derive(Debug)]
struct Pace(AtomicU32);

impl Default for Pace {
    fn default() -> Self {
        Self(AtomicU32::new(Self::ALL))
    }
}

impl Pace {
    const ALL: u32 = 1 << 16;
    /// Seven of eight. Then a request takes at most an eighth of [`FIRST`] of a thread's time for nothing on an average, so
    /// that a thread serves eight hundred in a second all the same.
    const FAST: u32 = Self::ALL / 8 * 7;

    fn is_fast(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= Self::FAST
    }

    /// One more is over, or takes longer.
    fn note(&self, fast: bool) {
        let old = self.0.load(Ordering::Relaxed);
        let new = if fast { old + (Self::ALL - old) / 32 } else { old - old / 32 };
        // Most requests find nothing to change, and then the other processors keep their copies.
        if new != old {
            self.0.store(new, Ordering::Relaxed);
        }
    }
}

/// A thread that waits along.
struct Held<'p>(&'p AtomicUsize);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Parking {
    /// With this limit, in processes with so many threads.
    pub fn new(limit: usize, threads: usize) -> Self {
        Self { limit, most_held: threads / 2, ..Self::default() }
    }

    /// Requests that are put aside are counted there.
    pub fn count_in(&self, count: &'static AtomicU32) {
        let _ = self.count.set(count);
    }

    /// The calling thread may wait along with its request. It may not when as many do as should: the others are for what can be
    /// served at once.
    fn hold(&self) -> Option<Held<'_>> {
        let held = Held(&self.held);
        (self.held.fetch_add(1, Ordering::Relaxed) < self.most_held).then_some(held)
    }

    /// Begins in a child; ends with `pool`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn begin(&self, pool: Pool<'static>) -> std::io::Result<()> {
        let reactor = Reactor::start(stopping)?;
        let _ = self.reactor.set(reactor.handle());
        pool.at_end(move || drop(reactor));
        Ok(())
    }
}

/// The request can be put aside.
pub(super) fn may(request: Request<'_>, live: &Live) -> bool {
    live.park && request.can_park::<Jk>() && live.parking.reactor.get().is_some()
}

/// What [`serve`] leaves to do.
pub(super) enum Left {
    /// The request is over.
    Over(Verdict),
    /// It has to wait for long: [`put_aside`].
    Wait(Watch, TripWait),
}

/// Serves a request to its end, or until it is to be put aside.
pub(super) fn serve<'r>(
    host: &mut HttpdHost<'r>,
    trip: &mut impl Way<'r>,
    worker: Worker<'r>,
    live: &'r Live,
    begun: Tick,
) -> Left {
    let request = host.request();
    let Some(reactor) = live.parking.reactor.get().filter(|_| may(request, live)) else {
        return Left::Over(wait_to_the_end(host, trip, worker, begun));
    };
    host.set_patient(true);
    let mut along = Along {
        request,
        parking: &live.parking,
        first: begun.after(live.delay.min(FIRST)),
        until: begun.after(live.delay),
        held: None,
        waited: false,
    };
    let wait = loop {
        let mut wait = match trip.step(host, false) {
            Progress::Done(result) => {
                along.over();
                lent::restore(trip.take_buffers());
                return Left::Over(finish(host, worker, begun, result));
            }
            Progress::Wait(wait) => wait,
        };
        match along.wait(&mut wait) {
            Came::Ready => {}
            Came::Expired => trip.expire(),
            Came::Not => break wait,
        }
    };
    drop(along);
    if request.server_stops() {
        return Left::Over(wait_to_the_end(host, trip, worker, begun));
    }
    match reactor.enter(live.parking.limit) {
        Ok(Some(watch)) => Left::Wait(watch, wait),
        Ok(None) => {
            if !live.parking.told.swap(true, Ordering::Relaxed) {
                live.log.request(
                    request,
                    Level::Warn,
                    messages::PARKING_FULL,
                    format_args!(
                        "{} requests wait without a thread in this process; more wait with one",
                        live.parking.limit
                    ),
                );
            }
            Left::Over(wait_to_the_end(host, trip, worker, begun))
        }
        Err(error) => {
            without_bell(live, request, &error);
            Left::Over(wait_to_the_end(host, trip, worker, begun))
        }
    }
}

/// How a thread waits along with its request before that is put aside.
struct Along<'p, 'r> {
    request: Request<'r>,
    parking: &'p Parking,
    /// Until then every thread may, if requests are fast.
    first: Tick,
    /// Until then those may that [`Parking::hold`] allows it.
    until: Tick,
    held: Option<Held<'p>>,
    /// It has waited, so how long it took says something.
    waited: bool,
}

/// What waiting along came to.
enum Came {
    /// What was waited for.
    Ready,
    /// The end of its patience.
    Expired,
    /// Neither: the request is to be put aside.
    Not,
}

impl Along<'_, '_> {
    /// Waits; `wait` keeps what is left of its patience.
    fn wait(&mut self, wait: &mut TripWait) -> Came {
        loop {
            let now = clock::now();
            let mut left = self.until.since(now);
            if left.is_zero() {
                return self.not();
            }
            if self.held.is_none() {
                let first = self.first.since(now);
                if !first.is_zero() && self.parking.pace.is_fast() {
                    left = first;
                } else {
                    self.held = self.parking.hold();
                    if self.held.is_none() {
                        return self.not();
                    }
                }
            }
            self.waited = true;
            let most = wait.patience.map_or(left, |most| most.min(left));
            if wait_briefly(descriptors(wait, self.request), most) {
                return Came::Ready;
            }
            match wait.patience {
                Some(patience) if patience <= left => return Came::Expired,
                patience => wait.patience = patience.map(|most| most.saturating_sub(left)),
            }
        }
    }

    fn not(&self) -> Came {
        if self.waited {
            self.parking.pace.note(false);
        }
        Came::Not
    }

    /// The request is over.
    fn over(&self) {
        if self.waited {
            self.parking.pace.note(clock::now() < self.first);
        }
    }
}

/// Puts a request aside that waits for `wait`.
#[cold]
pub(super) fn put_aside<'r>(
    host: HttpdHost<'r>,
    trip: Trip<'r>,
    worker: Worker<'r>,
    live: &'r Live,
    begun: Tick,
    (watch, wait): (Watch, TripWait),
) -> Verdict {
    let request = host.request();
    let counted = Counted::new(&live.parking);
    let trip = Some(trip);
    let mut job = Box::new(Job { watch, trip, host, worker, begun, wait, due: None, _counted: counted });
    job.set(wait);
    job.slim();
    if let Err(error) = job.arm() {
        without_bell(live, request, &error);
        return job.wait_to_the_end();
    }
    let bell = job.watch.descriptor();
    if request.park::<Jk>(job, bell) { Verdict::Parked } else { Verdict::Status(500) }
}

/// Says, once, that a request that could be put aside is not.
#[cold]
fn without_bell(live: &Live, request: Request<'_>, error: &std::io::Error) {
    if !live.parking.told_why.swap(true, Ordering::Relaxed) {
        let text = format_args!("a request that waits holds its thread, as others may: {error}");
        live.log.request(request, Level::Error, messages::NO_BELL, text);
    }
}

/// Serves a request to its end, waiting where it has to.
fn wait_to_the_end<'r>(
    host: &mut HttpdHost<'r>,
    trip: &mut impl Way<'r>,
    worker: Worker<'r>,
    begun: Tick,
) -> Verdict {
    host.set_patient(false);
    let result = loop {
        match trip.step(host, true) {
            Progress::Done(result) => break result,
            Progress::Wait(wait) => wait_here(&wait, host.request()), // a tunnel
        }
    };
    lent::restore(trip.take_buffers());
    finish(host, worker, begun, result)
}

/// One in the count of requests that were put aside.
struct Counted(Option<&'static AtomicU32>);

impl Counted {
    fn new(parking: &Parking) -> Self {
        let count = parking.count.get().copied();
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Self(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Waits with the thread for some time at most, so that the end of the process is noticed.
fn wait_here(wait: &TripWait, request: Request<'_>) {
    let most = wait.patience.map_or(LOOK, |patience| patience.min(LOOK));
    wait_briefly(descriptors(wait, request), most);
}

/// A request that was put aside.
struct Job<'r> {
    /// Before the connection to the backend, which is closed when the trip goes.
    watch: Watch,
    /// `None` once it is over.
    trip: Option<Trip<'r>>,
    host: HttpdHost<'r>,
    worker: Worker<'r>,
    begun: Tick,
    wait: TripWait,
    /// End of the patience of `wait`.
    due: Option<Tick>,
    _counted: Counted,
}

impl<'r> Job<'r> {
    /// The next wait begins.
    fn set(&mut self, wait: TripWait) {
        self.wait = wait;
        self.due = wait.patience.map(|patience| clock::now().after(patience));
    }

    /// Has the bell ring in time.
    fn arm(&mut self) -> std::io::Result<()> {
        let [link, client] = descriptors(&self.wait, self.host.request());
        // Lost clients are noticed whatever the wait is for.
        let client = if self.wait.blind {
            client
        } else {
            client.or_else(|| Some((self.host.request().client_descriptor()?, Interest::default())))
        };
        // The MPM closes a connection that waits longer than Timeout, which may be shorter than the backend's.
        let again = (self.host.request().mpm_timeout() / 2).max(LEAST_AGAIN);
        let again = if self.looks() { again.min(CLIENT_LOOK) } else { again };
        let again = Some(clock::now().after(again));
        let closes = self.wait.tunnel && self.host.stops_in().is_none();
        self.watch.arm(&Wants { link, client, due: self.due, again, closes })
    }

    /// The client's body is to be looked for now and then, although none has come.
    fn looks(&self) -> bool {
        self.wait.client_readable && !self.wait.tunnel
    }

    /// It is over.
    fn done(&mut self, result: Result<Served, Failure>) -> Verdict {
        if let Some(mut trip) = self.trip.take() {
            lent::restore(trip.take_buffers());
        }
        finish(&mut self.host, self.worker, self.begun, result)
    }

    /// Without the reactor: the thread waits.
    fn wait_to_the_end(&mut self) -> Verdict {
        self.host.set_patient(false);
        loop {
            let Some(trip) = &mut self.trip else { return Verdict::Status(500) };
            match trip.step(&mut self.host, true) {
                Progress::Done(result) => return self.done(result),
                Progress::Wait(wait) => wait_here(&wait, self.host.request()),
            }
        }
    }

    /// Goes on until it has to wait for long, or is over.
    fn go_on(&mut self, looked: bool, until: Tick) -> Next {
        let mut looked = looked;
        loop {
            let Some(trip) = &mut self.trip else { return Next::Done(Verdict::Status(500)) };
            let wait = match trip.step(&mut self.host, false) {
                Progress::Done(result) => return Next::Done(self.done(result)),
                Progress::Wait(wait) => wait,
            };
            // A mere look at a client does not renew its time.
            let same = wait.link == self.wait.link && wait.client_readable == self.wait.client_readable;
            if !(std::mem::take(&mut looked) && same) {
                self.set(wait);
            }
            let left = until.since(clock::now());
            let most = self.due.map_or(left, |due| due.since(clock::now()).min(left));
            if !left.is_zero() && wait_briefly(descriptors(&self.wait, self.host.request()), most) {
                continue;
            }
            return self.rest();
        }
    }

    /// Leaves to the thread what a wait does not need.
    fn slim(&mut self) {
        let Some(trip) = &mut self.trip else { return };
        let mut left = Box::<Buffers>::default();
        trip.buffers().slim(&mut left.input);
        lent::restore(left);
    }

    /// Waits on.
    fn rest(&mut self) -> Next {
        self.slim();
        match self.arm() {
            Ok(()) => Next::Wait(self.watch.descriptor()),
            Err(_) => Next::Done(self.wait_to_the_end()),
        }
    }

    /// Ends with `cause` a request that could not end by itself.
    fn give_up(&mut self, cause: Cause) -> Next {
        if let Some(trip) = &mut self.trip
            && let Progress::Done(result) = trip.step(&mut self.host, false)
        {
            return Next::Done(self.done(result));
        }
        // It is between two attempts, or has begun another one.
        self.trip = None;
        let failure = Failure::early(cause, Stage::Wait);
        Next::Done(finish(&mut self.host, self.worker, self.begun, Err(failure)))
    }
}

impl Parked for Job<'_> {
    fn resume(&mut self, wake: Wake) -> Next {
        let ring = self.watch.disarm();
        let now = clock::now();
        if wake == Wake::GivenUp {
            if let Some(trip) = &mut self.trip {
                trip.expire();
            }
            let limit_ms = u64::try_from(now.since(self.begun).as_millis()).unwrap_or(u64::MAX);
            return self.give_up(Cause::Silent { limit_ms });
        }
        match ring {
            Some(Ring::Again) if self.looks() => return self.go_on(true, now),
            Some(Ring::Again) if self.wait.tunnel && self.host.stops_in().is_some() => {}
            Some(Ring::Again) => return self.rest(),
            Some(Ring::Due) => {
                if let Some(trip) = &mut self.trip {
                    trip.expire();
                }
            }
            Some(Ring::Gone) => {
                self.host.request().lose_client();
                if self.trip.as_mut().is_some_and(Trip::lose_client) {
                    return self.give_up(Cause::Client(ClientFault::Gone));
                }
                self.trip = None;
                return self.give_up(Cause::Client(ClientFault::Gone));
            }
            Some(Ring::Ready) | None => {}
        }
        if let Some(trip) = &mut self.trip {
            let mut spare = lent::lend();
            trip.buffers().regain(&mut spare.input);
            lent::restore(spare);
        }
        self.go_on(false, now.after(DELAY_AGAIN))
    }

    fn bell_closed(&mut self) {
        self.watch.descriptor_closed();
    }
}

/// What to watch during a wait: the connection to the backend, and that of the client if the wait is for it.
fn descriptors(wait: &TripWait, request: Request<'_>) -> [Option<(i32, Interest)>; 2] {
    let link =
        wait.link.map(|fd| (fd, Interest { readable: wait.link_readable, writable: wait.link_writable }));
    let interest = Interest { readable: wait.client_readable, writable: wait.client_writable };
    let client = if interest == Interest::default() {
        None
    } else {
        request.client_descriptor().map(|fd| (fd, interest))
    };
    [link, client]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_threads_wait_along_at_most() {
        let parking = Parking::new(1, 5);
        let held = [parking.hold(), parking.hold()];
        assert!(held.iter().all(Option::is_some));
        assert!(parking.hold().is_none() && parking.hold().is_none());
        drop(held);
        assert!(parking.hold().is_some());
        assert!(Parking::new(1, 1).hold().is_none());
    }

    #[test]
    fn every_thread_waits_a_moment_while_requests_are_fast() {
        let pace = Pace::default();
        assert!(pace.is_fast());
        for _ in 0..5 {
            pace.note(false);
        }
        assert!(!pace.is_fast());
        for _ in 0..6 {
            pace.note(true);
        }
        assert!(pace.is_fast());
        // One of seven is slow: too many. One of twelve is not.
        for (every, fast) in [(7, 0), (12, 1200)] {
            let pace = Pace::default();
            let mut found = 0;
            for number in 1..=1400 {
                pace.note(number % every != 0);
                found += usize::from(number > 200 && pace.is_fast());
            }
            assert!(found.abs_diff(fast) < 200, "{every}: {found}");
        }
        let pace = Pace::default();
        (0..10_000).for_each(|_| pace.note(false));
        (0..10_000).for_each(|_| pace.note(true));
        assert!(pace.is_fast() && pace.0.load(Ordering::Relaxed) <= Pace::ALL);
    }
}
