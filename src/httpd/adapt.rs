//! What server, rule and environment change in the behaviour of a worker for one request.

use std::time::Duration;

use super::config::Live;
use super::joblog::Level;
use super::messages;
use super::variables::reply_timeout;
use crate::engine::config::options::Flags;
use crate::engine::proxy::attempts::WorkerView;
use crate::engine::route::extensions::{Extensions, FailStatus};
use crate::engine::text::Escaped;
use crate::ffi::request::Request;

/// What server, rule and environment change in the behaviour of the worker.
pub(super) fn adapt<'v>(
    view: &mut WorkerView<'v>,
    request: Request<'v>,
    live: &Live,
    extensions: &Extensions,
    fail_on: Option<&'v [i32]>,
) {
    let manner = &mut view.manner;
    manner.flush_packets = live.options.has(Flags::FLUSH_PACKETS);
    manner.flush_head = live.options.has(Flags::FLUSH_HEADER);
    manner.server_errors = extensions.use_server_errors;
    view.reuse &= !live.options.has(Flags::DISABLE_REUSE);
    if let Some(codes) = fail_on {
        manner.fail_on = codes;
    }
    let limit = match reply_timeout(request) {
        None => extensions.reply_timeout,
        Some(Ok(limit)) => Some(limit),
        Some(Err(text)) => {
            live.log.request(
                request,
                Level::Warn,
                messages::BAD_TIMEOUT,
                format_args!("JK_REPLY_TIMEOUT=\"{}\" is not a number and is ignored", Escaped(text)),
            );
            extensions.reply_timeout
        }
    };
    if let Some(limit) = limit {
        manner.timing.reply = (limit > 0).then(|| Duration::from_millis(limit.into()));
    }
    if let Some(route) = request.env(c"JK_ROUTE").filter(|route| !route.is_empty()) {
        view.facts.route = Some(route);
        request.note(c"JK_WORKER_ROUTE", request.pool().copy(route));
    }
}

pub(super) fn fail_codes(codes: &[FailStatus]) -> Vec<i32> {
    codes
        .iter()
        .map(|code| if code.soft { -i32::from(code.status) } else { i32::from(code.status) })
        .collect()
}
