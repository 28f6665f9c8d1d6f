//! A request for a worker of type `ajp13` or `http`.

use super::adapt::adapt;
use super::host::HttpdHost;
use super::runtime::{Backend, Connections, InWork};
use super::trip::{Order, Progress, waiting};
use super::{report, tally, twin};
use crate::engine::error::{Failure, Stage};
use crate::engine::proxy::Buffers;
use crate::engine::proxy::attempts::{Attempt, WorkerView};
use crate::engine::proxy::pump::Traffic;
use crate::engine::proxy::run::{self, Run};
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
    _in_work: InWork,
}

impl<'r> Trip<'r> {
    /// Begins.
    ///
    /// # Errors
    /// The worker has too much to do; this is logged.
    pub(super) fn begin(
        host: &mut HttpdHost<'r>,
        worker: &'r Backend,
        order: Order<'r>,
        buffers: Buffers,
    ) -> Result<Self, Failure> {
        let request = host.request();
        let live = order.live;
        request.note(c"JK_WORKER_TYPE", worker.type_name());
        let target = twin::of(host, live, worker);
        host.set_backend(target.address.as_bytes());
        let links = Connections::new(target);
        let cell = live.generation.worker_cell(worker.place);
        let in_work = worker.enter(cell, true).map_err(|cause| {
            let failure = Failure::early(cause, Stage::Acquire);
            let attempt = Attempt { number: 1, failure, traffic: Traffic::default(), retried: false };
            report::report(request, live, worker, &links, order.begun, &attempt);
            failure
        })?;
        let mut view = target.view(request.timeout());
        adapt(&mut view, request, live, order.extensions, order.fail_on);
        Ok(Self { worker, target, order, view, links, run: Run::new(buffers, None), _in_work: in_work })
    }

    /// See [`super::trip::Trip::step`].
    pub(super) fn step(&mut self, host: &mut HttpdHost<'r>, block: bool) -> Progress {
        let Self { worker, target, order, links, .. } = self;
        let progress = self.run.step(host, links, &self.view, block, |host, attempt| {
            tally::repeated(worker.state, attempt);
            report::report(host.request(), order.live, target, links, order.begun, attempt);
        });
        let result = match progress {
            run::Progress::Wait(wait) => return Progress::Wait(waiting(wait, self.run.link())),
            run::Progress::Done(result) => result,
        };
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

    /// See [`super::trip::Trip::expire`].
    pub(super) fn expire(&mut self) {
        self.run.expire();
    }

    /// See [`super::trip::Trip::lose_client`].
    pub(super) fn lose_client(&mut self) {
        self.run.lose_client();
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
