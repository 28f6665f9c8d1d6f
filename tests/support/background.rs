//! An httpd in the background, as an init script starts it: it has left the terminal before it checks its configuration for good.
//!
//! It ends when the value is dropped. Unlike one of [`Httpd::launch`] it outlives a test process that is killed.

use std::time::Duration;

use super::{Httpd, process};

/// A running httpd.
pub struct Background<'h> {
    httpd: &'h Httpd,
}

impl<'h> Background<'h> {
    /// Starts it and waits until it has children.
    #[track_caller]
    pub fn start(httpd: &'h Httpd) -> Self {
        let output = httpd.command().args(["-k", "start"]).output().expect("run httpd");
        let background = Self { httpd };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        super::wait_until("httpd serves", || {
            background.pid().is_some_and(|pid| !process::children_of(pid).is_empty())
        });
        background
    }

    fn pid(&self) -> Option<u32> {
        std::fs::read_to_string(self.httpd.root().join("run/httpd.pid")).ok()?.trim().parse().ok()
    }
}

impl Drop for Background<'_> {
    fn drop(&mut self) {
        let Some(pid) = self.pid() else { return };
        process::signal(pid, libc::SIGTERM);
        if !super::poll(Duration::from_secs(10), || !process::is_alive(pid)) {
            process::signal_group(pid, libc::SIGKILL);
        }
    }
}
