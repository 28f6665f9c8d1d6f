//! `JkTrace`: the trace a request belongs to, for the backend and for logs.

use std::fmt;

use crate::engine::trace::Context;
use crate::ffi::request::Request;
use crate::shm::random;

/// The header field.
const FIELD: &std::ffi::CStr = c"traceparent";
/// The note with the id of the trace.
const NOTE: &std::ffi::CStr = c"JK_TRACE_ID";

/// Has the request go on in its trace, or in a new one when it names none: the backend gets a step of this server as its
/// parent, and logs can name the trace.
pub(super) fn apply(request: Request<'_>) {
    let Some(headers) = request.headers() else { return };
    let drawn: [u8; 24] = random::octets();
    let (id, span) = drawn.split_at(16);
    let context = headers.get(FIELD).and_then(Context::parse).unwrap_or_else(|| {
        // What vendors said about a trace that is not gone on with would be wrong.
        headers.unset(c"tracestate");
        Context::begin(id.try_into().unwrap_or_default())
    });
    let line = context.line(span.try_into().unwrap_or_default());
    headers.set(FIELD, request.pool().text(&line));
    request.note(NOTE, request.pool().text(context.id()));
}

/// The trace of a request in a line of the log: ` [trace 0af7…]`, or nothing.
pub(super) struct Shown<'r>(pub(super) Request<'r>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.noted(NOTE).and_then(|id| std::str::from_utf8(id).ok()) {
            Some(id) => write!(f, " [trace {id}]"),
            None => Ok(()),
        }
    }
}
