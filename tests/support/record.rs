//! What a scripted backend notes of its connections.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::forward::ForwardRequest;

/// Something that happened on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A CPing came (it was answered unless pings are ignored).
    CPing,
    /// A Forward Request came.
    Request(Arc<ForwardRequest>),
    /// A body packet came.
    Body {
        /// Data octets in it; 0 is the end of the body.
        len: usize,
        /// What the Get Body Chunk had asked for; `None` for the first packet of a known length, which comes unasked.
        asked: Option<u16>,
    },
    /// End Response was sent.
    Ended {
        /// Its reuse flag.
        reuse: bool,
    },
    /// The peer closed between packets.
    Eof,
    /// The peer closed inside a packet.
    Cut,
    /// Reading or writing failed.
    Broken(io::ErrorKind),
    /// The script (or [`Backend::stop`]) closed.
    Closed,
    /// The request carried a wrong secret, or none, and was answered 403.
    WrongSecret,
    /// The module broke the protocol.
    Error(String),
}

/// What happened on one connection.
#[derive(Debug, Clone)]
pub struct ConnectionLog {
    /// Counts from 0 in order of acceptance.
    pub id: usize,
    /// When it was accepted.
    pub opened: Instant,
    /// Events in order, with their times.
    pub events: Vec<(Instant, Event)>,
    /// The connection still exists on this side.
    pub open: bool,
}

impl ConnectionLog {
    /// The requests it carried.
    pub fn requests(&self) -> Vec<Arc<ForwardRequest>> {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::Request(request) => Some(Arc::clone(request)),
                _ => None,
            })
            .collect()
    }

    /// The event occurred.
    pub fn saw(&self, wanted: &Event) -> bool {
        self.events.iter().any(|(_, event)| event == wanted)
    }

    /// The body packets: length, and what was asked for.
    pub fn bodies(&self) -> Vec<(usize, Option<u16>)> {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::Body { len, asked } => Some((*len, *asked)),
                _ => None,
            })
            .collect()
    }
}
