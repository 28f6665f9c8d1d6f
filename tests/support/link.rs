//! One connection of the scripted backend: octets in and out, and notes of what went wrong. It knows nothing of protocols.
//!
//! Nothing here panics when the module goes away: the first failure is noted, and everything after it does nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::backend::Shared;
use super::listener::Socket;
use super::record::Event;

/// The backend's side of a connection.
pub(super) struct Link {
    shared: Arc<Shared>,
    id: usize,
    socket: Option<Socket>,
    /// Octets received and not used yet.
    pub(super) pending: Vec<u8>,
}

impl Link {
    pub(super) fn new(shared: Arc<Shared>, id: usize, socket: Socket) -> Self {
        Self { shared, id, socket: Some(socket), pending: Vec::new() }
    }

    /// Counts from 0 in order of acceptance.
    pub(super) fn id(&self) -> usize {
        self.id
    }

    pub(super) fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    pub(super) fn record(&self, event: Event) {
        self.shared.record(self.id, event);
    }

    /// The module broke the protocol: noted, and the connection is closed.
    pub(super) fn error(&mut self, text: String) {
        self.record(Event::Error(text));
        self.close();
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        if let Some(socket) = &mut self.socket
            && let Err(e) = socket.write_all(bytes)
        {
            self.lost(Event::Broken(e.kind()));
        }
    }

    /// Receives until `len` octets are pending; `false` when the connection ends before.
    pub(super) fn fill(&mut self, len: usize) -> bool {
        while self.pending.len() < len {
            if !self.more() {
                return false;
            }
        }
        true
    }

    /// Receives what comes next; `false` when the connection is over.
    pub(super) fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let Some(socket) = &mut self.socket else { return false };
        let event = match socket.read(&mut buffer) {
            Ok(0) if self.pending.is_empty() => Event::Eof,
            Ok(0) => Event::Cut,
            Ok(got) => {
                self.pending.extend_from_slice(&buffer[..got]);
                return true;
            }
            Err(e) => Event::Broken(e.kind()),
        };
        self.lost(event);
        false
    }

    /// Takes a number of octets that are pending.
    pub(super) fn take(&mut self, len: usize) -> Vec<u8> {
        self.pending.drain(..len).collect()
    }

    /// Octets that are there and that nobody has asked for; `None` when the module is gone.
    pub(super) fn unasked(&mut self) -> Option<&[u8]> {
        let socket = self.socket.as_mut()?;
        let mut buffer = [0; 64];
        match socket.read_now(&mut buffer) {
            Ok(0) => {
                self.lost(Event::Eof);
                return None;
            }
            Ok(len) => self.pending.extend_from_slice(&buffer[..len]),
            Err(_) => {}
        }
        Some(&self.pending)
    }

    /// Waits for the module to close; `true` when it did within `patience`, `false` when it sent something or stays.
    pub(super) fn closed_by_peer(&mut self, patience: Duration) -> bool {
        super::poll(patience, || {
            let Some(socket) = &mut self.socket else { return true };
            let mut octet = [0; 1];
            match socket.read_now(&mut octet) {
                Ok(0) => {
                    self.lost(Event::Eof);
                    true
                }
                Ok(_) => {
                    self.pending.push(octet[0]);
                    false
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => false,
                Err(e) => {
                    self.lost(Event::Broken(e.kind()));
                    true
                }
            }
        })
    }

    /// Closes in an orderly way.
    pub(super) fn close(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            self.record(Event::Closed);
            socket.shutdown();
        }
    }

    /// Resets the connection.
    pub(super) fn reset(&mut self) {
        if let Some(socket) = self.socket.take() {
            self.record(Event::Closed);
            socket.reset_on_close();
            // The other handle of the socket, held to stop the backend, must go as well: only the last close counts.
            self.shared.forget_socket(self.id);
        }
    }

    fn lost(&mut self, event: Event) {
        self.record(event);
        self.socket = None;
    }
}
