//! A request for a worker of type `ajp13`.

use super::adapt::adapt;
use super::handler::Order;
use super::host::HttpdHost;
use super::report;
use super::runtime::{Backend, Connections};
use super::tally::Tally;
use crate::engine::error::{Failure, Stage};
use crate::engine::proxy::attempts::Attempt;
use crate::engine::proxy::pump::Traffic;
use crate::engine::proxy::{self, Buffers, Served};

/// Has the worker serve the request.
///
/// # Errors
/// As [`proxy::serve`]; everything is logged.
pub(super) fn serve<'r>(
    host: &mut HttpdHost<'r>,
    worker: &'r Backend,
    order: &Order<'_, 'r>,
    buffers: &mut Buffers,
) -> Result<Served, Failure> {
    let request = host.request();
    let live = order.live;
    request.note(c"JK_WORKER_TYPE", c"ajp13");
    let links = Connections::new(worker);
    let cell = live.generation.worker_cell(worker.place);
    let _in_work = match worker.enter(cell, true) {
        Ok(in_work) => in_work,
        Err(cause) => {
            let failure = Failure::early(cause, Stage::Acquire);
            let attempt = Attempt { number: 1, failure, traffic: Traffic::default(), retried: false };
            report::report(request, live, worker, &links, order.begun, &attempt);
            return Err(failure);
        }
    };
    let mut view = worker.view(request.timeout());
    adapt(&mut view, request, live, order.extensions, order.fail_on);
    let mut tally = Tally::new(worker.state);
    let result = proxy::serve(host, &links, &view, buffers, |host, attempt| {
        tally.failed(attempt);
        report::report(host.request(), live, worker, &links, order.begun, attempt);
    });
    if let Ok(served) = &result {
        tally.served(served);
        report::delivered(host, live, worker, served);
    }
    result
}
