//! Which requests of an AJP worker go to its HTTP twin (`upgrade_worker`).

use super::config::Live;
use super::host::HttpdHost;
use super::runtime::Backend;
use crate::engine::ajp::forward;
use crate::engine::http1::upgrade;
use crate::engine::proxy::Host as _;
use crate::engine::request::{Request as _, WorkerFacts};

/// Octets of a packet that a request of ordinary size leaves free, so that nobody has to count exactly.
const USUAL: usize = 4096;

/// Where the request goes: to `worker`, or to its twin.
pub(super) fn of<'r>(host: &HttpdHost<'r>, live: &'r Live, worker: &'r Backend) -> &'r Backend {
    match worker.settings().twin {
        None => worker,
        Some(place) => choose(host, live, worker, place).unwrap_or(worker),
    }
}

#[cold]
fn choose<'r>(
    host: &HttpdHost<'r>,
    live: &'r Live,
    worker: &'r Backend,
    place: usize,
) -> Option<&'r Backend> {
    let twin = live.generation.backend_at(place)?;
    let wish = host.can_switch() && upgrade::asked(host, twin.upgrades()).is_some();
    (wish || is_too_large(host, worker)).then_some(twin)
}

/// The head of the request does not fit into an AJP packet of the worker.
fn is_too_large(host: &HttpdHost<'_>, worker: &Backend) -> bool {
    let head = host.head();
    let mut size = head.uri.len() + head.query.map_or(0, <[u8]>::len);
    host.each_header(&mut |name, value| size += name.len() + value.len() + 6);
    host.each_attribute(&mut |name, value| size += name.len() + value.len() + 6);
    let limit = worker.settings().max_packet_size;
    if size + head.tls.certificate.map_or(0, <[u8]>::len) + USUAL <= limit {
        return false;
    }
    let facts = WorkerFacts { secret: Some(&[b'x'; 64]), route: Some(&[b'x'; 64]), activation: b"ACT" };
    let mut packet = Vec::with_capacity(limit);
    matches!(forward::encode(&mut packet, host, &facts, limit), Err(forward::EncodeError::TooLarge { .. }))
}
