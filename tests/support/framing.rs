//! What differs between the protocols of a scripted backend: how requests, bodies and answers are framed.
//!
//! `framing_ajp` and `framing_http` are the implementations; [`super::script`] is what scripts see of both.

use super::forward::ForwardRequest;
use super::link::Link;

/// What comes between two answers.
pub(super) enum Incoming {
    /// A question whether the backend is alive: CPing, or HEAD of [`super::framing_http::PING`].
    Ping,
    /// The head of a request.
    Request(Box<ForwardRequest>),
}

/// A protocol on one connection.
pub(super) trait Framing {
    /// The next message; `None` when the connection is over. What breaks the protocol is noted on the link.
    fn next(&mut self, link: &mut Link) -> Option<Incoming>;

    /// The answer to [`Incoming::Ping`].
    fn pong(&self) -> &'static [u8];

    /// Prepares for the answer to `request`; returns the length of its body, `None` when it is unknown.
    fn begin(&mut self, request: &ForwardRequest) -> Option<u64>;

    /// The first piece of a body of known length comes, and must be read, whether or not it is asked for, and nothing else
    /// comes without a question.
    fn asks_for_bodies(&self) -> bool;

    /// Waits for a piece of the body, at most `asked` octets when it has to be asked for; empty is the end. `left`: octets
    /// that are missing of a known length. `None` when the connection is over.
    fn piece(&mut self, link: &mut Link, asked: Option<u16>, left: Option<u64>) -> Option<Vec<u8>>;

    /// The head of an answer; an empty reason is sent as such.
    fn head(&mut self, status: u16, reason: &str, headers: &[(&str, &str)]) -> Vec<u8>;

    /// The module may know already that the answer is over, and send the next request: its head or its length says so.
    fn may_be_over(&self) -> bool;

    /// Octets of the body of an answer.
    fn chunk(&mut self, data: &[u8]) -> Vec<u8>;

    /// What makes the module pass on all it has; empty where it does so without being told.
    fn flush(&self) -> Vec<u8>;

    /// The end of an answer, and whether the backend has to close the connection to say it.
    fn end(&mut self, reuse: bool) -> (Vec<u8>, bool);

    /// The answer has announced that the connection will not be used again.
    fn is_last(&self) -> bool;

    /// Size of the next packet of AJP, with its frame; `None` when the connection is over.
    fn any_packet(&mut self, _link: &mut Link) -> Option<usize> {
        panic!("only AJP has packets")
    }
}
