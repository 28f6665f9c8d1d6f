//! A request for a worker of type `ajp13` or `http`.

use super::adapt::adapt;
use super::host::HttpdHost;
use super::runtime::{Backend, Connections, InWork, Queued};
use super::trip::{Order, Progress, waiting};
use super::{report, tally};
use crate::engine::error::{Cause, Failure, Stage};
use crate::engine::proxy::Buffers;
use crate::engine::proxy::attempts::{Attempt, WorkerView};
use crate::engine::proxy::pump::Traffic;
use crate::engine::proxy::run::{self, Run, Wait};
use crate::ffi::request::Request;
use crate::transport::pool::Lease;

/// A request on its way to the worker.
pub(super) struct Trip<'r> {
    worker: &'r Backend,
    order: Order<'r>,
    view: WorkerView<'r>,
    links: Connections<'r>,
    run: Run<Lease>,
    /// `None` as long as it waits for its place.
    in_work: Option<InWork>,
    queued: Option<Queued>,
}

impl<'r> Trip<'r> {
    /// Begins. `block`: may wait for a place at the worker.
    ///
    /// # Errors
    /// The worker has too much to do; this is logged.
    pub(super) fn begin(
        host: &mut HttpdHost<'r>,
        worker: &'r Backend,
        order: Order<'r>,
        buffers: Buffers,
        block: bool,
    ) -> Result<Self, Failure> {
        let request = host.request();
        let live = order.live;
        request.note(c"JK_WORKER_TYPE", worker.type_name());
        let links = Connections::new(worker);
        let cell = live.generation.worker_cell(worker.place);
        let mut queued = None;
        let in_work = worker.enter(cell, true, &mut queued, block);
        let in_work = in_work.map_err(|cause| busy(request, worker, &order, &links, cause))?.ok();
        let mut view = worker.view(request.timeout());
        adapt(&mut view, request, live, order.extensions, order.fail_on);
        Ok(Self { worker, order, view, links, run: Run::new(buffers, None), in_work, queued })
    }

    /// See [`super::trip::Trip::step`].
    pub(super) fn step(&mut self, host: &mut HttpdHost<'r>, block: bool) -> Progress {
        let Self { worker, order, links, .. } = self;
        if self.in_work.is_none() {
            let cell = order.live.generation.worker_cell(worker.place);
            match worker.enter(cell, true, &mut self.queued, block) {
                Ok(Ok(in_work)) => self.in_work = Some(in_work),
                Ok(Err(time)) => {
                    let place = self.queued.as_ref().map(|queued| (queued.descriptor(), false));
                    return Progress::Wait(waiting(Wait::for_place(Some(time)), None, place));
                }
                Err(cause) => return Progress::Done(Err(busy(host.request(), worker, order, links, cause))),
            }
        }
        let progress = self.run.step(host, links, &self.view, block, |host, attempt| {
            tally::repeated(worker.state, attempt);
            report::report(host.request(), order.live, worker, links, order.begun, attempt);
        });
        let result = match progress {
            run::Progress::Wait(wait) => {
                let place = links.descriptor();
                return Progress::Wait(waiting(wait, self.run.link(), place));
            }
            run::Progress::Done(result) => result,
        };
        tally::ended(worker.state, &result, self.view.manner.fail_on);
        match &result {
            Ok(served) => {
                tally::served(worker.state, served, order.begun);
                report::delivered(host, order.live, worker, served);
            }
            Err(last) => {
                tally::failed(worker.state, last);
                report::report(host.request(), order.live, worker, links, order.begun, last);
            }
        }
        Progress::Done(result.map_err(|last| last.failure))
    }

    /// See [`super::trip::Trip::expire`].
    pub(super) fn expire(&mut self) {
        self.run.expire();
    }

    /// See [`super::trip::Trip::lose_client`].
    pub(super) fn lose_client(&mut self) -> bool {
        self.run.lose_client();
        self.in_work.is_some()
    }

    /// See [`super::trip::Trip::buffers`].
    pub(super) fn buffers(&mut self) -> &mut Buffers {
        self.run.buffers()
    }

    /// See [`super::trip::Trip::take_buffers`].
    pub(super) fn take_buffers(&mut self) -> Buffers {
        self.run.take_parts().0
    }
}

/// The worker has too much to do; this is logged.
fn busy(
    request: Request<'_>,
    worker: &Backend,
    order: &Order<'_>,
    links: &Connections<'_>,
    cause: Cause,
) -> Failure {
    let failure = Failure::early(cause, Stage::Acquire);
    let attempt = Attempt { number: 1, failure, traffic: Traffic::default(), retried: false };
    report::report(request, order.live, worker, links, order.begun, &attempt);
    failure
}
