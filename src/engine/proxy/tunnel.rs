//! A connection that has left HTTP: octets go both ways until both sides have ended, in constant memory.
//!
//! [`Tunnel::step`] moves what can be moved without waiting and says what it waits for; nothing is held while both sides
//! are silent. A side is not read from while the other one takes no more, so a slow reader slows its writer down. The end
//! of one direction is passed on, and the other one goes on, as long as both connections can do that (a TLS connection to
//! the client can not: then the end of the backend is the end of the tunnel, behind its last octet).
//!
//! Sources: RFC 9110 section 7.8, RFC 9112 section 9.8; `ap_proxy_tunnel_run` of httpd for what a tunnel ends with.

use std::fmt;
use std::time::Duration;

use super::buffers::Buffers;
use super::host::{BodyRead, Host};
use super::step::Interest;
use crate::engine::error::ClientFault;
use crate::engine::exchange::{Link, LinkError, Received};
use crate::engine::http1::upgrade::Upgrade;
use crate::engine::units::Tick;

/// Most octets moved at once, in either direction. httpd holds back twice as many before a write waits.
pub const PORTION: usize = 32 * 1024;

/// Time limits of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest silence of both sides; `None`: for ever (`tunnel_timeout`).
    pub idle: Option<Duration>,
    /// Longest silence once one direction has ended (httpd's `Timeout`).
    pub half: Duration,
}

/// Why a tunnel has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Both sides have ended in an orderly way, or the one that has cannot be told to the other alone.
    Complete,
    /// The client's connection broke.
    ClientLost,
    /// The connection to the backend broke.
    BackendLost(LinkError),
    /// Neither side has sent anything for too long.
    Idle,
    /// The server stops or starts again.
    Stopping,
    /// httpd waits no longer.
    GivenUp,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "closed by its ends",
            Self::ClientLost => "the client's connection broke",
            Self::BackendLost(error) => return write!(f, "the connection to the backend broke ({error:?})"),
            Self::Idle => "silent for tunnel_timeout",
            Self::Stopping => "the server stops or restarts",
            Self::GivenUp => "httpd waits no longer",
        })
    }
}

impl End {
    /// One word, for notes.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Complete => "closed",
            Self::ClientLost => "client",
            Self::BackendLost(_) => "backend",
            Self::Idle => "idle",
            Self::Stopping => "stopping",
            Self::GivenUp => "givenup",
        }
    }
}

/// What a tunnel has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// What was spoken.
    pub protocol: Upgrade,
    /// Octets from the client to the backend.
    pub up: u64,
    /// Octets from the backend to the client.
    pub down: u64,
    /// Why it has ended.
    pub end: End,
}

/// What a tunnel waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// The backend has sent something.
    pub link_readable: bool,
    /// What else.
    pub interest: Interest,
    /// A hangup of the client means nothing: it can only say that both directions of its connection have ended, and what it
    /// had sent before has not been read.
    pub blind: bool,
    /// How long at most; `None`: for ever.
    pub patience: Option<Duration>,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Open,
    /// Its source has ended; that has not been passed on.
    Ended,
    Over,
}

/// A tunnel between a client and a backend.
#[derive(Debug)]
pub struct Tunnel {
    protocol: Upgrade,
    up: Flow,
    down: Flow,
    /// What the backend sent right behind the head of its answer, from this octet on.
    early: (Vec<u8>, usize),
    /// First octet of `Buffers::spare` that the backend has not taken.
    unsent: usize,
    up_octets: u64,
    down_octets: u64,
    /// When an octet was moved, or a direction ended.
    last: Tick,
    wait: Pause,
}

const NOTHING: Pause = Pause {
    link_readable: false,
    interest: Interest { link_writable: false, client_readable: false, client_writable: false },
    blind: false,
    patience: None,
};

impl Tunnel {
    /// A tunnel behind a head whose last octet is in front of what `buffers.input` holds; that belongs to the client. All
    /// other buffers are given up.
    pub fn new(protocol: Upgrade, buffers: &mut Buffers, now: Tick) -> Self {
        let early = buffers.input.filled().to_vec();
        buffers.input.clear();
        buffers.held.clear();
        (buffers.head, buffers.body, buffers.spare) = Default::default();
        Self {
            protocol,
            up: Flow::Open,
            down: Flow::Open,
            early: (early, 0),
            unsent: 0,
            up_octets: 0,
            down_octets: 0,
            last: now,
            wait: NOTHING,
        }
    }

    /// What it has done, when it ends so.
    pub fn summary(&self, end: End) -> Summary {
        Summary { protocol: self.protocol, up: self.up_octets, down: self.down_octets, end }
    }

    /// Moves what can be moved. `expired`: what was waited for has not come.
    ///
    /// # Errors
    /// The tunnel has ended; both connections are to be closed.
    pub fn step<H: Host, L: Link>(
        &mut self,
        host: &mut H,
        link: &mut L,
        buffers: &mut Buffers,
        limits: &Limits,
        expired: bool,
    ) -> Result<Pause, End> {
        loop {
            self.wait = NOTHING;
            let down = self.down(host, link, buffers)?;
            let up = self.up(host, link, buffers)?;
            if self.down == Flow::Over && self.up == Flow::Over {
                return Err(End::Complete);
            }
            if !(down || up) {
                break;
            }
            self.last = host.now();
        }
        if buffers.spare.is_empty() {
            buffers.spare = Vec::new();
        }
        self.wait.blind = self.down == Flow::Over && !self.wait.interest.client_readable;
        self.wait.patience = self.patience(host, limits)?;
        if expired { Err(End::GivenUp) } else { Ok(self.wait) }
    }

    /// Time left.
    fn patience<H: Host>(&self, host: &H, limits: &Limits) -> Result<Option<Duration>, End> {
        let whole = self.down == Flow::Open && self.up == Flow::Open;
        let idle = match limits.idle {
            idle if whole => idle,
            Some(idle) => Some(idle.min(limits.half)),
            None => Some(limits.half),
        };
        let silent = host.now().since(self.last);
        let left = idle.map(|idle| idle.saturating_sub(silent));
        let stop = host.stops_in();
        if stop.is_some_and(|stop| stop.is_zero()) {
            return Err(End::Stopping);
        }
        if left.is_some_and(|left| left.is_zero()) {
            return Err(End::Idle);
        }
        Ok(match (left, stop) {
            (Some(left), Some(stop)) => Some(left.min(stop)),
            (left, stop) => left.or(stop),
        })
    }

    /// From the backend to the client. True: something has happened.
    fn down<H: Host, L: Link>(
        &mut self,
        host: &mut H,
        link: &mut L,
        buffers: &mut Buffers,
    ) -> Result<bool, End> {
        if self.down == Flow::Over {
            return Ok(false);
        }
        if host.congested().map_err(lost)? {
            self.wait.interest.client_writable = true;
            return Ok(false);
        }
        let (early, at) = &mut self.early;
        if let Some(piece) = early.get(*at..).filter(|left| !left.is_empty()) {
            let piece = piece.get(..PORTION).unwrap_or(piece);
            host.tunnel_write(piece).map_err(lost)?;
            *at += piece.len();
            self.down_octets += octets(piece.len());
            if *at == early.len() {
                self.early = (Vec::new(), 0);
            }
            return Ok(true);
        }
        if self.down == Flow::Ended {
            if !host.tunnel_end().map_err(lost)? {
                return Err(End::Complete);
            }
            self.down = Flow::Over;
            return Ok(true);
        }
        buffers.input.make_room(usize::MAX, 1);
        let space = buffers.input.space();
        let space = match space.get_mut(..PORTION) {
            Some(portion) => portion,
            None => buffers.input.space(),
        };
        match link.recv(space) {
            Ok(Received::Data(n)) => {
                host.tunnel_write(space.get(..n).unwrap_or_default()).map_err(lost)?;
                self.down_octets += octets(n);
                Ok(true)
            }
            Ok(Received::WouldBlock) => {
                self.wait.link_readable = true;
                Ok(false)
            }
            Err(LinkError::Closed) => {
                self.down = Flow::Ended;
                Ok(true)
            }
            Err(error) => Err(End::BackendLost(error)),
        }
    }

    /// From the client to the backend. True: something has happened.
    fn up<H: Host, L: Link>(
        &mut self,
        host: &mut H,
        link: &mut L,
        buffers: &mut Buffers,
    ) -> Result<bool, End> {
        if self.up == Flow::Over {
            return Ok(false);
        }
        if let Some(left) = buffers.spare.get(self.unsent..).filter(|left| !left.is_empty()) {
            match link.send(&[left]) {
                Ok(0) => {
                    self.wait.interest.link_writable = true;
                    return Ok(false);
                }
                Ok(n) => {
                    self.unsent += n;
                    self.up_octets += octets(n);
                }
                Err(_) => self.refused(buffers),
            }
            return Ok(true);
        }
        (self.unsent, _) = (0, buffers.spare.clear());
        if self.up == Flow::Ended {
            return match link.finish() {
                Ok(false) => Err(End::Complete),
                Ok(true) | Err(_) => {
                    self.up = Flow::Over;
                    Ok(true)
                }
            };
        }
        buffers.input.make_room(usize::MAX, 1);
        let Buffers { input, spare, .. } = buffers;
        let space = input.space();
        let most = space.len().min(PORTION);
        let space = space.get_mut(..most).unwrap_or_default();
        match host.tunnel_read(space).map_err(lost)? {
            BodyRead::WouldBlock => {
                self.wait.interest.client_readable = true;
                return Ok(false);
            }
            BodyRead::End => self.up = Flow::Ended,
            BodyRead::Data(n) => {
                let data = space.get(..n).unwrap_or_default();
                match link.send(&[data]) {
                    Ok(sent) => {
                        self.up_octets += octets(sent);
                        spare.extend_from_slice(data.get(sent..).unwrap_or_default());
                    }
                    Err(_) => self.refused(buffers),
                }
            }
        }
        Ok(true)
    }

    /// The backend takes no more. What it has sent before still counts, so the other direction tells how this ends.
    fn refused(&mut self, buffers: &mut Buffers) {
        self.up = Flow::Over;
        buffers.spare.clear();
    }
}

fn lost(_: ClientFault) -> End {
    End::ClientLost
}

fn octets(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "tunnel_tests.rs"]
mod tests;
