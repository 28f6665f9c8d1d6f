//! The JK log: lines as mod_jk writes them, to a file, a pipe or httpd's own error log.
//!
//! `[Mon Nov 23 01:39:59.089 2026] [request id] [pid:thread] [level] JK0201: text`. Stamp, id, pid and level stand where log
//! parsers for mod_jk expect them. A line is written with one call and is at most [`LINE`] octets long.

use std::ffi::{CStr, CString};
use std::fmt::{self, Write as _};

use super::messages::Message;
use super::module::Jk;
use crate::engine::config::stamp;
use crate::ffi::log::{self, Apache, Sink};
use crate::ffi::request::Request;
use crate::ffi::server::Server;
use crate::ffi::time;

/// Longest line; what a pipe takes without splitting it.
pub const LINE: usize = 4096;

/// `JkLogLevel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything.
    Trace,
    /// Steps of each request.
    Debug,
    /// Events worth a line; the default.
    Info,
    /// Oddities.
    Warn,
    /// Failures.
    Error,
    /// The server cannot go on.
    Emerg,
}

impl Level {
    /// Words of `JkLogLevel`, in any case; `warning` is taken as `warn`.
    pub const WORDS: [(&'static str, Self); 7] = [
        ("trace", Self::Trace),
        ("debug", Self::Debug),
        ("info", Self::Info),
        ("warn", Self::Warn),
        ("warning", Self::Warn),
        ("error", Self::Error),
        ("emerg", Self::Emerg),
    ];

    /// The level of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, level)| *level)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Emerg => "emerg",
        }
    }

    fn apache(self) -> Apache {
        match self {
            Self::Trace => Apache::Trace,
            Self::Debug => Apache::Debug,
            Self::Info => Apache::Info,
            Self::Warn => Apache::Warning,
            Self::Error => Apache::Error,
            Self::Emerg => Apache::Emergency,
        }
    }
}

/// The log of a server.
#[derive(Debug, Clone)]
pub struct JobLog {
    /// Lines below this level are not written.
    pub level: Level,
    /// Where lines go; `None`: httpd's error log.
    pub sink: Option<Sink>,
    /// `JkLogStampFormat`.
    pub stamp: CString,
    /// Name of the variable with the request id (`JkRequestIdIndicator`).
    pub id_variable: CString,
}

impl JobLog {
    /// Lines of `level` are written.
    pub fn enabled(&self, level: Level) -> bool {
        level >= self.level
    }

    /// Writes a line about a request.
    pub fn request(&self, request: Request<'_>, level: Level, message: Message, text: fmt::Arguments<'_>) {
        if !self.enabled(level) {
            return;
        }
        let body = format!("{}: {text}", message.id);
        match self.sink {
            None => log::request::<Jk>(request, level.apache(), &one_line(&body)),
            Some(sink) => {
                let id = request
                    .env(&self.id_variable)
                    .filter(|id| !id.is_empty())
                    .or_else(|| request.env(c"UNIQUE_ID"))
                    .and_then(|id| std::str::from_utf8(id).ok());
                if !self.write_line(sink, id.unwrap_or("NO-ID"), level, &body) {
                    log::request::<Jk>(request, Apache::Error, &one_line(&body));
                }
            }
        }
    }

    /// Writes a line that belongs to no request; `id` says where it comes from (`POST_CONFIG`, `CHILD_INIT` ...).
    pub fn server(
        &self,
        server: Server<'_>,
        id: &str,
        level: Level,
        message: Message,
        text: fmt::Arguments<'_>,
    ) {
        if !self.enabled(level) {
            return;
        }
        let body = format!("{}: {text}", message.id);
        match self.sink {
            Some(sink) if self.write_line(sink, id, level, &body) => {}
            _ => log::server::<Jk>(server, level.apache(), &one_line(&body)),
        }
    }
}

impl JobLog {
    /// Writes a line of the request log: stamp and text, nothing else, whatever the level. Control characters that the
    /// format itself does not contain are escaped.
    pub fn line(&self, server: Server<'_>, level: Level, text: &[u8]) {
        let mut shown = String::with_capacity(text.len());
        for octet in text {
            match octet {
                b' '..=b'~' | b'\t' | b'\n' => shown.push(char::from(*octet)),
                _ => {
                    let _ = write!(shown, "\\x{octet:02x}");
                }
            }
        }
        match self.sink {
            Some(sink) => {
                let mut line = stamp_now(&self.stamp);
                line.push_str(&shown);
                write_cut(sink, line);
            }
            None => log::server::<Jk>(server, level.apache(), &one_line(&shown)),
        }
    }

    fn write_line(&self, sink: Sink, id: &str, level: Level, body: &str) -> bool {
        let mut line = stamp_now(&self.stamp);
        let _ = write!(line, "[{id}] [{}:{}] [{}] ", log::process_id(), log::thread_id(), level.name());
        line.push_str(&one_line(body));
        write_cut(sink, line)
    }
}

/// Writes a line, cut to [`LINE`].
fn write_cut(sink: Sink, mut line: String) -> bool {
    if line.len() > LINE - 1 {
        let mut end = LINE - 4;
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.push_str("...");
    }
    line.push('\n');
    sink.write(line.as_bytes())
}

/// Control characters and what is not ASCII shown as `\xNN`: nothing in a line can begin another one.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b' '..=b'~' => line.push(char::from(octet)),
            _ => {
                let _ = write!(line, "\\x{octet:02x}");
            }
        }
    }
    line
}

/// The beginning of a line.
fn stamp_now(format: &CStr) -> String {
    let (seconds, micros) = time::wall();
    let mut filled = String::with_capacity(64);
    stamp::fill_fractions(&format.to_string_lossy(), micros, &mut filled);
    CString::new(filled).map_or_else(|_| String::new(), |format| time::format_local(&format, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(one_line("a\nb\x1bc\u{e9}"), "a\\x0ab\\x1bc\\xc3\\xa9");
    }

    #[test]
    fn levels_in_any_case_and_with_the_alias() {
        assert_eq!(Level::parse("WARNING"), Some(Level::Warn));
        assert_eq!(Level::parse("Debug"), Some(Level::Debug));
        assert_eq!(Level::parse("verbose"), None);
    }
}
