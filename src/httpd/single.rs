//! A request for a worker of type `ajp13` or `http`.

use super::adapt::adapt;
use super::handler::waited_in_vain;
use super::host::HttpdHost;
use super::runtime::{Backend, Connections, InWork, Queued};
use super::trip::{Order, Progress, Way, source, waiting};
use super::{report, tally, twin};
use crate::engine::error::{Cause, Failure, Stage};
use crate::engine::proxy::Buffers;
use crate::engine::proxy::attempts::{Attempt, WorkerView};
use crate::engine::proxy::pump::Traffic;
use crate::engine::proxy::run::{self, Run, Wait};
use crate::ffi::request::Request;
use crate::transport::pool::Lease;

/// A request on its way to the worker.
pub(super) struct Trip<'r> {
    /// The worker that was asked for, which everything counts for.
    worker: &'r Backend,
    /// Where the request goes: this worker, or its HTTP twin.
    target: &'r Backend,
    order: Order<'r>,
    view: WorkerView<'r>,
    links: Connections<'r>,
    run: Run<Lease>,
    /// `None` as long as it waits for its place.
    in_work: Option<InWork>,
    queued: Option<Queued>,
}

/// A request that is counted in, or waits for that.
pub(super) type Entry = (Option<InWork>, Option<Queued>);

/// Counts the request in, perhaps after a wait in the worker's queue; with `block`, that wait is here.
///
/// # Errors
/// The worker has too much to do; this is logged.
pub(super) fn enter(
    host: &mut HttpdHost<'_>,
    worker: &Backend,
    order: Order<'_>,
    block: bool,
) -> Result<Entry, Failure> {
    let mut queued = None;
    let cell = order.live.generation.worker_cell(worker.place);
    match worker.enter(cell, true, &mut queued, block) {
        Ok(Ok(in_work)) => {
            host.times.queue += in_work.waited();
            Ok((Some(in_work), None))
        }
        Ok(Err(_)) => Ok((None, queued)),
        Err(cause) => {
            host.times.queue += waited_in_vain(cause);
            Err(busy(host.request(), worker, order, cause))
        }
    }
}

impl<'r> Trip<'r> {
    /// A trip that [`Trip::prepare`] makes ready: two steps, because what is changed before it is returned is copied then.
    pub(super) fn new(
        host: &mut HttpdHost<'r>,
        worker: &'r Backend,
        order: Order<'r>,
        (in_work, queued): Entry,
        buffers: Box<Buffers>,
    ) -> Self {
        let target = twin::of(host, order.live, worker);
        host.set_backend(target.address.as_bytes());
        Self {
            worker,
            target,
            order,
            view: target.view(host.request().timeout()),
            links: Connections::new(target),
            run: Run::new(buffers, None),
            in_work,
            queued,
        }
    }

    /// Begins.
    pub(super) fn prepare(&mut self, host: &HttpdHost<'r>) {
        let (order, request) = (self.order, host.request());
        self.links.announce(|| source(host));
        adapt(&mut self.view, request, order.live, order.extensions, order.fail_on);
    }
}

impl<'r> Way<'r> for Trip<'r> {
    fn step(&mut self, host: &mut HttpdHost<'r>, block: bool) -> Progress {
        let Self { worker, target, order, links, .. } = self;
        if self.in_work.is_none() {
            let cell = order.live.generation.worker_cell(worker.place);
            match worker.enter(cell, true, &mut self.queued, block) {
                Ok(Ok(in_work)) => {
                    host.times.queue += in_work.waited();
                    self.in_work = Some(in_work);
                }
                Ok(Err(time)) => {
                    let place = self.queued.as_ref().map(|queued| (queued.descriptor(), false));
                    return Progress::Wait(waiting(Wait::for_place(Some(time)), None, place));
                }
                Err(cause) => {
                    host.times.queue += waited_in_vain(cause);
                    return Progress::Done(Err(busy(host.request(), worker, *order, cause)));
                }
            }
        }
        let progress = self.run.step(host, links, &self.view, block, |host, attempt| {
            tally::repeated(worker.state, attempt);
            report::report(host.request(), order.live, target, links, order.begun, attempt);
        });
        let result = match progress {
            run::Progress::Wait(wait) => {
                let place = links.descriptor();
                return Progress::Wait(waiting(wait, self.run.link(), place));
            }
            run::Progress::Done(result) => result,
        };
        let (queue, connect) = links.take_spent();
        host.times.queue += queue;
        host.times.connect += connect;
        match &result {
            Ok(served) => host.times.tried(served.attempts, served.traffic.head_at),
            Err(last) => host.times.tried(last.number, last.traffic.head_at),
        }
        tally::ended(worker.state, &result, self.view.manner.fail_on);
        match &result {
            Ok(served) => {
                tally::served(worker.state, served, order.begun);
                report::delivered(host, order.live, target, served);
            }
            Err(last) => {
                tally::failed(worker.state, last);
                report::report(host.request(), order.live, target, links, order.begun, last);
            }
        }
        Progress::Done(result.map_err(|last| last.failure))
    }

    fn expire(&mut self) {
        self.run.expire();
    }

    fn lose_client(&mut self) -> bool {
        self.run.lose_client();
        self.in_work.is_some()
    }

    fn buffers(&mut self) -> &mut Buffers {
        self.run.buffers()
    }

    fn take_buffers(&mut self) -> Box<Buffers> {
        self.run.take_buffers()
    }
}

/// The worker has too much to do; this is logged.
#[cold]
fn busy(request: Request<'_>, worker: &Backend, order: Order<'_>, cause: Cause) -> Failure {
    let failure = Failure::early(cause, Stage::Acquire);
    let attempt = Attempt { number: 1, failure, traffic: Traffic::default(), retried: false };
    report::report(request, order.live, worker, &Connections::new(worker), order.begun, &attempt);
    failure
}
