//! The seams between a backend protocol, a backend connection and the client's request.
//!
//! A protocol is an [`Exchange`]: bytes of the backend go in, [`Event`]s come out; it performs no I/O and can stop at every
//! byte. A backend connection is a [`Link`]. The pump in `proxy` moves bytes between the two and the client, and is driven
//! either by blocking calls or by an event loop.

use std::ops::Range;

use super::ajp;
use super::error::Breach;
use super::http1;
use super::tls;

/// Octets an [`Exchange`] may use in front of the data of a body packet.
pub const ROOM_BEFORE: usize = 24;
/// Octets an [`Exchange`] may use behind the data of a body packet.
pub const ROOM_AFTER: usize = 8;

/// Header pairs of a response head, already validated: iteration cannot fail.
#[derive(Debug, Clone)]
pub enum Fields<'a> {
    /// Pairs of an AJP Send Headers packet.
    Ajp(ajp::reply::Pairs<'a>),
    /// Lines of an HTTP/1 response head.
    Http(http1::response::Pairs<'a>),
}

impl<'a> Fields<'a> {
    /// The octets that hold most of the names and values still to come, in the order they come, most of them followed by
    /// a NUL: one copy of all of it is cheaper than one of each. Empty when the protocol puts no NUL behind them.
    pub fn octets(&self) -> &'a [u8] {
        match self {
            Self::Ajp(pairs) => pairs.octets(),
            Self::Http(_) => &[],
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    /// Name and value, the value trimmed of blanks and tabs.
    type Item = (&'a [u8], &'a [u8]);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Ajp(pairs) => pairs.next(),
            Self::Http(pairs) => pairs.next(),
        }
    }
}

/// The head of a backend's response.
#[derive(Debug, Clone)]
pub struct ResponseHead<'a> {
    /// 200 to 999; 101 when an HTTP backend agrees to leave HTTP, which it was asked for.
    pub status: u16,
    /// Reason phrase worth showing; `None` when the standard phrase is to be used.
    pub reason: Option<&'a [u8]>,
    /// Body length the backend announced and will be held to.
    pub content_length: Option<u64>,
    /// End-to-end headers only: hop-by-hop ones are left out by the iterator. Content-Length is included.
    pub fields: Fields<'a>,
}

/// What an [`Exchange`] found at the front of its input.
#[derive(Debug)]
pub enum Event<'a> {
    /// Nothing further can be said before `need` octets (at least 1) are in the input, counted from the first octet that
    /// was not consumed. A hint for the size of the buffer; fewer new octets are fine.
    More {
        /// Octets that must be contiguous in the input.
        need: usize,
    },
    /// The response head; once per exchange.
    Head(ResponseHead<'a>),
    /// A piece of the response body, never empty.
    Body(&'a [u8]),
    /// The backend asks that what came so far is delivered to the client now.
    Flush,
    /// The backend wants request body: answer with one body packet of 1 to `max` octets, or with the end of the body.
    WantBody {
        /// Most octets of the packet, never 0.
        max: usize,
    },
    /// The backend wants request body and there is none, or none left: answer with [`Exchange::frame_end`]; there is
    /// nothing to read from the client.
    WantEnd,
    /// The exchange is over.
    Done {
        /// The connection may carry another exchange.
        reusable: bool,
    },
}

/// A step of an [`Exchange`].
#[derive(Debug)]
pub struct Fed<'a> {
    /// Octets of the input that are done with.
    pub consumed: usize,
    /// What they meant.
    pub event: Event<'a>,
}

/// The client side of a backend protocol: one request, one response.
pub trait Exchange {
    /// How a backend can break this protocol.
    type Malformed: Into<Breach>;

    /// Looks at the front of `input`. Call again with the rest until it answers [`Event::More`].
    ///
    /// # Errors
    /// The backend broke the protocol; the connection must be closed.
    fn feed<'a>(&mut self, input: &'a [u8]) -> Result<Fed<'a>, Self::Malformed>;

    /// Largest first body packet that must follow the head without being asked for; `None` if none must.
    fn first_body(&self) -> Option<usize>;

    /// Frames `len` (at least 1) octets of request body that stand at `packet[ROOM_BEFORE..]` and counts them as sent.
    /// Returns the range of `packet` to send. `packet` is at least `ROOM_BEFORE + len + ROOM_AFTER` long.
    fn frame_body(&mut self, packet: &mut [u8], len: usize) -> Range<usize>;

    /// Writes the end of the request body (the answer to [`Event::WantBody`] when there is no more); as `frame_body`.
    fn frame_end(&mut self, packet: &mut [u8]) -> Range<usize>;

    /// The first octet of a reply has been seen.
    fn reply_begun(&self) -> bool;

    /// Input so far ends inside a packet (so EOF or a long silence is a cut packet, not a pause between packets).
    fn inside_packet(&self) -> bool;

    /// The backend sent octets that mean nothing; worth one line in the log per worker.
    fn surplus(&self) -> bool {
        false
    }

    /// Packets of the backend that are complete so far.
    fn packets(&self) -> u64;

    /// Octets of a body of known length have not been framed yet.
    fn body_cut(&self) -> bool;

    /// Request body still has to be delivered: octets of a known length left, or the end of an unknown one not sent.
    fn body_owed(&self) -> bool;

    /// The machine wants request body by itself, not because the backend asks for it: before each packet somebody has to
    /// look whether the backend has answered meanwhile.
    fn sends_unasked(&self) -> bool {
        false
    }

    /// The backend has answered for good and reads no more request body: nothing more is to be sent, asked for or not.
    fn declines_body(&self) -> bool {
        false
    }

    /// The backend has closed the connection in an orderly way. True when that is how the response ends; the next
    /// [`Exchange::feed`] says so then. Otherwise the response is cut.
    fn closed(&mut self) -> bool {
        false
    }
}

/// Why a backend connection failed; the phase is known to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkError {
    /// Closed by the backend in an orderly way (EOF).
    Closed,
    /// Reset by the backend (`ECONNRESET`, `EPIPE`).
    Reset,
    /// Nothing listens at the address (`ECONNREFUSED`, a missing UNIX socket).
    Refused,
    /// The deadline passed.
    TimedOut,
    /// The host name has no usable address.
    NoAddress,
    /// TLS failed.
    Tls(tls::Fault),
    /// Any other error of the operating system, by its `errno`.
    Os(i32),
}

/// Result of reading without, or with limited, blocking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many octets (at least 1) were stored.
    Data(usize),
    /// Nothing to read now.
    WouldBlock,
}

/// An open backend connection.
pub trait Link {
    /// Goes on with what has to be done on a new connection before octets can be sent and received (a TLS handshake). `None`:
    /// it is done; `Some`: call again when the link is readable, or writable as well if it says true.
    ///
    /// # Errors
    /// The connection is unusable.
    fn establish(&mut self) -> Result<Option<bool>, LinkError> {
        Ok(None)
    }

    /// [`Link::establish`] has something to do.
    fn is_raw(&self) -> bool {
        false
    }

    /// Sends as much of `parts`, in order, as the socket takes without blocking, in one system call; returns the octets
    /// taken, 0 when it takes none now.
    ///
    /// # Errors
    /// The connection is unusable.
    fn send(&mut self, parts: &[&[u8]]) -> Result<usize, LinkError>;

    /// Reads what is there, without blocking.
    ///
    /// # Errors
    /// [`LinkError::Closed`] at EOF; otherwise the connection is unusable.
    fn recv(&mut self, buffer: &mut [u8]) -> Result<Received, LinkError>;

    /// Reads what is there, or waits for it at most `timeout` (`None`: for ever); one system call when the timeout is
    /// the one of the call before.
    ///
    /// # Errors
    /// As [`Link::recv`], and [`LinkError::TimedOut`].
    fn recv_blocking(
        &mut self,
        buffer: &mut [u8],
        timeout: Option<std::time::Duration>,
    ) -> Result<usize, LinkError>;

    /// Waits at most `timeout` until something can be read, until `send` can take octets (if `writable`), or until the
    /// descriptor `other` is readable.
    ///
    /// # Errors
    /// [`LinkError::TimedOut`], or polling failed.
    fn wait(
        &mut self,
        writable: bool,
        other: Option<i32>,
        timeout: std::time::Duration,
    ) -> Result<(), LinkError>;

    /// Ends the direction to the backend, which may go on sending. False: this connection cannot do that; nothing was done.
    ///
    /// # Errors
    /// The connection is unusable.
    fn finish(&mut self) -> Result<bool, LinkError> {
        Ok(false)
    }
}
