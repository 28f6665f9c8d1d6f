//! httpd's error log, log files and piped logs.

use std::ffi::{CStr, c_int};

use super::bindings as sys;
use super::entry::Module;
use super::pool::Pool;
use super::request::Request;
use super::server::Server;

/// Levels of httpd's error log that the module uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apache {
    /// The server cannot go on.
    Emergency,
    /// Something failed.
    Error,
    /// Something is odd.
    Warning,
    /// Good to know.
    Info,
    /// For the developer.
    Debug,
    /// Everything.
    Trace,
}

impl Apache {
    fn number(self) -> c_int {
        (match self {
            Self::Emergency => sys::APLOG_EMERG,
            Self::Error => sys::APLOG_ERR,
            Self::Warning => sys::APLOG_WARNING,
            Self::Info => sys::APLOG_INFO,
            Self::Debug => sys::APLOG_DEBUG,
            Self::Trace => sys::APLOG_TRACE1,
        }) as c_int
    }
}

/// Writes to the error log of `server`.
pub fn server<M: Module>(server: Server<'_>, level: Apache, text: &str) {
    let index = M::record().index();
    // SAFETY: live server; text and length belong together. The shim checks nothing: httpd filters by level itself.
    unsafe {
        if sys::jk_server_logs(server.raw(), index, level.number()) != 0 {
            sys::jk_log_server(server.raw(), index, level.number(), text.as_ptr().cast(), text.len());
        }
    }
}

/// Writes a start-up message: without time stamp, also to the terminal while httpd is still attached to it.
pub fn startup<M: Module>(server: Server<'_>, level: Apache, text: &str) {
    // SAFETY: as above.
    unsafe {
        sys::jk_log_startup(
            server.raw(),
            M::record().index(),
            level.number(),
            text.as_ptr().cast(),
            text.len(),
        );
    }
}

/// Writes to the error log about a request.
pub fn request<M: Module>(request: Request<'_>, level: Apache, text: &str) {
    let index = M::record().index();
    // SAFETY: live request; text and length belong together.
    unsafe {
        if sys::jk_request_logs(request.raw(), index, level.number()) != 0 {
            sys::jk_log_request(request.raw(), index, level.number(), text.as_ptr().cast(), text.len());
        }
    }
}

/// An open log file or the pipe of a piped log. The descriptor belongs to a pool of httpd.
#[derive(Debug, Clone, Copy)]
pub struct Sink {
    descriptor: c_int,
}

impl Sink {
    /// Opens `path` for appending, creating it with mode 0644 less umask. It is closed with `pool`.
    ///
    /// # Errors
    /// The error of the operating system.
    pub fn file(pool: Pool<'_>, path: &CStr) -> Result<Self, std::io::Error> {
        let mut file = std::ptr::null_mut();
        let flags =
            sys::APR_FOPEN_WRITE | sys::APR_FOPEN_APPEND | sys::APR_FOPEN_CREATE | sys::APR_FOPEN_LARGEFILE;
        // SAFETY: pool and path are valid; `file` is set on success.
        let status =
            unsafe { sys::apr_file_open(&mut file, path.as_ptr(), flags as i32, 0x0644, pool.raw()) };
        if status != 0 {
            return Err(std::io::Error::from_raw_os_error(status));
        }
        Self::of(file)
    }

    /// Starts `program` as httpd's piped log; httpd restarts it when it dies.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn pipe(pool: Pool<'_>, program: &CStr) -> Result<Self, std::io::Error> {
        // SAFETY: pool and program are valid; the pipe lives in the pool.
        let file = unsafe {
            let pipe = sys::ap_open_piped_log(pool.raw(), program.as_ptr());
            if pipe.is_null() {
                return Err(std::io::Error::other("the program could not be started"));
            }
            sys::ap_piped_log_write_fd(pipe)
        };
        Self::of(file)
    }

    fn of(file: *mut sys::apr_file_t) -> Result<Self, std::io::Error> {
        let mut descriptor: c_int = -1;
        // SAFETY: `file` is an open file of APR.
        let status = unsafe { sys::apr_os_file_get(&mut descriptor, file) };
        if status == 0 { Ok(Self { descriptor }) } else { Err(std::io::Error::from_raw_os_error(status)) }
    }

    /// Writes one line in one call, so that lines of several processes do not mix.
    pub fn write(&self, line: &[u8]) -> bool {
        // SAFETY: the descriptor stays open as long as the configuration that holds this sink.
        let written = unsafe { libc::write(self.descriptor, line.as_ptr().cast(), line.len()) };
        usize::try_from(written).is_ok_and(|n| n == line.len())
    }
}

/// Id of this process.
pub fn process_id() -> u32 {
    std::process::id()
}

/// Id of the calling thread, as mod_jk prints it.
pub fn thread_id() -> u64 {
    // SAFETY: always succeeds.
    unsafe { libc::pthread_self() as u64 }
}
