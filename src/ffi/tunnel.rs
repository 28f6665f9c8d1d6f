//! A client's connection that has left HTTP, and when that has to end.
//!
//! Nothing here waits: reads and writes go to the filters of the connection, mod_ssl's among them, past all filters of the
//! request. Sizes are octets.
//! Sources: httpd 2.4: `modules/proxy/proxy_util.c` (`ap_proxy_tunnel_create`), `server/mpm_common.c`.

use std::time::Duration;

use super::bindings as sys;
use super::request::{Read, Request};

/// The connection of a request behind its 101 response.
pub struct Tunnel<'r> {
    request: Request<'r>,
    brigade: *mut sys::apr_bucket_brigade,
}

impl<'r> Tunnel<'r> {
    /// Sends the 101 response that is prepared in the request, and leaves HTTP. `None`: the client is gone.
    pub fn begin(request: Request<'r>) -> Option<Self> {
        // SAFETY: live request of a connection that belongs to this thread.
        unsafe {
            let brigade = sys::jk_brigade(request.raw());
            (sys::jk_switch_protocols(request.raw()) != 0).then_some(Self { request, brigade })
        }
    }

    /// Reads what the client has sent: data, the end, nothing yet, or the client is gone.
    pub fn read(&mut self, buffer: &mut [u8]) -> Read {
        let mut got = 0;
        // SAFETY: request and brigade are live; the buffer has the length that is passed.
        let result = unsafe {
            sys::jk_tunnel_read(
                self.request.raw(),
                self.brigade,
                buffer.as_mut_ptr().cast(),
                buffer.len() as _,
                &raw mut got,
            )
        };
        match u32::try_from(result).unwrap_or(sys::JK_READ_ERROR) {
            sys::JK_READ_DATA => Read::Data(got),
            sys::JK_READ_END => Read::End,
            sys::JK_READ_AGAIN => Read::WouldBlock,
            _ => Read::Gone,
        }
    }

    /// Takes over `data`. False: the client is gone.
    pub fn write(&mut self, data: &[u8]) -> bool {
        // SAFETY: request and brigade are live; what is not sent at once is copied.
        unsafe {
            sys::jk_tunnel_write(self.request.raw(), self.brigade, data.as_ptr().cast(), data.len() as _) != 0
        }
    }

    /// Tells the client that nothing more comes. False: it cannot be told without ending both directions.
    pub fn end(&mut self) -> bool {
        // SAFETY: live request.
        unsafe { sys::jk_tunnel_end(self.request.raw()) != 0 }
    }

    /// Has the connection reset.
    pub fn break_off(&mut self) {
        // SAFETY: live request.
        unsafe { sys::jk_tunnel_break(self.request.raw()) };
    }
}

/// This process is about to end: the server stops, or a newer generation has taken over.
pub fn stopping() -> bool {
    // SAFETY: queries of the MPM and of the scoreboard, which lives as long as the process.
    unsafe { sys::jk_stopping() != 0 }
}

/// `GracefulShutdownTimeout`; `None`: it is not set.
pub fn graceful_timeout() -> Option<Duration> {
    // SAFETY: reads a number that is set while the configuration is read.
    let seconds = unsafe { sys::jk_graceful_timeout() };
    u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}
