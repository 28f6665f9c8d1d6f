//! Workers while they are put together: every field may still be unset; and the reader of one value.
//!
//! The entries of [`super::defs`] fill these structures, [`super::resolve`] turns them into the model. Numbers keep the
//! unit of their property here, since some defaults are computed from others in that unit.

use super::diagnostic::{Diagnostics, quoted};
use super::model::{Activation, HashKey, Lock, Method, PingMode, Rating};
use super::properties::Property;
use super::secret::Secret;
use super::value::{self, BadInteger};
use crate::engine::http1::encode::Forwarding;
use crate::engine::http1::probe::Statuses;
use crate::engine::http1::upgrade::Upgrade;
use crate::engine::tls::Version;

/// What `host` said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawHost {
    /// Name or address, and the port if one was given.
    Tcp(String, Option<u16>),
    /// Path of a UNIX socket.
    Unix(String),
}

/// An `ajp13` or `http` worker; fields are properties.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "named after the properties, which are described in `defs`")]
pub struct RawAjp13 {
    pub host: Option<RawHost>,
    pub port: Option<u16>,
    pub source: Option<String>,
    pub prefer_ipv6: Option<bool>,
    pub socket_timeout: Option<i32>,
    pub socket_connect_timeout: Option<i32>,
    pub socket_keepalive: Option<bool>,
    pub socket_buffer: Option<i32>,
    pub connection_pool_size: Option<i32>,
    pub cachesize: Option<i32>,
    pub connection_pool_minsize: Option<i32>,
    pub connection_pool_timeout: Option<i32>,
    pub cache_timeout: Option<i32>,
    pub connection_acquire_timeout: Option<i32>,
    pub connect_timeout: Option<i32>,
    pub prepost_timeout: Option<i32>,
    pub ping_mode: Option<PingMode>,
    pub ping_timeout: Option<i32>,
    pub connection_ping_interval: Option<i32>,
    pub reply_timeout: Option<i32>,
    pub retries: Option<u32>,
    pub retry_interval: Option<i32>,
    pub recovery_options: Option<u32>,
    pub fail_on_status: Vec<i32>,
    pub busy_limit: Option<i32>,
    pub max_in_flight: Option<i32>,
    pub queue_size: Option<i32>,
    pub queue_timeout: Option<i32>,
    pub max_packet_size: Option<usize>,
    pub secret: Option<Secret>,
    pub secret_file: Option<String>,
    pub upgrade_worker: Option<String>,
    pub ping_uri: Option<String>,
    pub ping_status: Option<Statuses>,
    pub send_proxy: Option<bool>,
    pub x_forwarded: Option<Forwarding>,
    pub forwarded: Option<Forwarding>,
    pub tls_verify: Option<bool>,
    pub tls_name: Option<String>,
    pub tls_ca: Option<String>,
    pub tls_cert: Option<String>,
    pub tls_key: Option<String>,
    pub tls_min_version: Option<Version>,
    pub upgrade: Option<Vec<Upgrade>>,
    pub tunnel_timeout: Option<i32>,
    pub lbfactor: Option<u32>,
    pub distance: Option<i32>,
    pub route: Option<String>,
    pub jvm_route: Option<String>,
    pub domain: Option<String>,
    pub redirect: Option<String>,
    pub activation: Option<Activation>,
    pub disabled: Option<bool>,
    pub stopped: Option<bool>,
}

/// An `lb` worker; fields are properties.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "named after the properties, which are described in `defs`")]
pub struct RawLb {
    pub sticky_session: Option<bool>,
    pub sticky_session_force: Option<bool>,
    pub method: Option<Method>,
    pub lock: Option<Lock>,
    pub retries: Option<u32>,
    pub lb_retries: Option<u32>,
    pub retry_interval: Option<i32>,
    pub recover_time: Option<u32>,
    pub error_escalation_time: Option<i32>,
    pub max_reply_timeouts: Option<i32>,
    pub session_cookie: Option<String>,
    pub session_path: Option<String>,
    pub set_session_cookie: Option<bool>,
    pub session_cookie_path: Option<String>,
    pub slow_start: Option<i32>,
    pub retry_budget: Option<i32>,
    pub queue_size: Option<i32>,
    pub queue_timeout: Option<i32>,
    pub hash_key: Option<HashKey>,
    pub secret: Option<Secret>,
    pub secret_file: Option<String>,
}

/// A `status` worker; fields are properties.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "named after the properties, which are described in `defs`")]
pub struct RawStatus {
    pub css: Option<String>,
    pub prefix: Option<String>,
    pub ns: Option<String>,
    pub xmlns: Option<String>,
    pub doctype: Option<String>,
    pub read_only: Option<bool>,
    pub user: Vec<String>,
    pub user_case_insensitive: Option<bool>,
    pub good: Option<Rating>,
    pub bad: Option<Rating>,
    pub persist: Option<bool>,
    pub persist_file: Option<String>,
}

/// One value on its way into a raw worker: reads it as some type and reports what is wrong with it.
#[derive(Debug)]
pub struct Reader<'a> {
    property: &'a Property,
    default: &'static str,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Reader<'a> {
    /// A reader of `property`, whose default is called `default` in messages.
    pub(super) fn new(
        property: &'a Property,
        default: &'static str,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        Self { property, default, diagnostics }
    }

    /// The text as it is.
    pub fn text(&self) -> &'a str {
        self.property.value()
    }

    /// Reports that the configuration can not be used.
    pub fn error(&mut self, what: impl std::fmt::Display) {
        let message = format!("{}: {what}", self.property.name());
        self.diagnostics.error(self.property.origin(), message);
    }

    /// Reports something that is probably not meant.
    pub fn warning(&mut self, what: impl std::fmt::Display) {
        let message = format!("{}: {what}", self.property.name());
        self.diagnostics.warning(self.property.origin(), message);
    }

    /// An integer; text behind it is ignored with a warning. `None` with an error when there is none.
    pub fn integer(&mut self) -> Option<i32> {
        match value::integer(self.text()) {
            Ok((number, rest)) => {
                if !rest.is_empty() {
                    self.warning(format_args!(
                        "read as {number}; ignored {} behind the number",
                        quoted(rest)
                    ));
                }
                Some(number)
            }
            Err(BadInteger::NoDigits) => {
                self.error(format_args!("not a number: {}", quoted(self.text())));
                None
            }
            Err(BadInteger::OutOfRange) => {
                self.error(format_args!("number out of range: {}", quoted(self.text())));
                None
            }
        }
    }

    /// An integer of at least `least`; a lower one is raised with a warning.
    pub fn at_least(&mut self, least: u32) -> Option<u32> {
        let number = self.integer()?;
        Some(u32::try_from(number).ok().filter(|n| *n >= least).unwrap_or_else(|| {
            self.warning(format_args!("{number} is too low, {least} is used"));
            least
        }))
    }

    /// A port, 0 included. `None` with an error when it is none.
    pub fn port(&mut self) -> Option<u16> {
        let number = self.integer()?;
        let port = u16::try_from(number).ok();
        if port.is_none() {
            self.error(format_args!("{number} is not a port (0 to 65535)"));
        }
        port
    }

    /// A boolean. `None` with a warning when it is neither.
    pub fn boolean(&mut self) -> Option<bool> {
        let found = value::boolean(self.text());
        if found.is_none() {
            self.not_understood("neither true nor false");
        }
        found
    }

    /// One of `words`. `None` with a warning when it is none of them.
    pub fn keyword<T: Copy>(&mut self, words: &[(&'static str, T)]) -> Option<T> {
        let Some(found) = value::keyword(self.text(), words) else {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.not_understood(&format!("not one of {}", all.join(", ")));
            return None;
        };
        if !found.sure {
            self.warning(format_args!("{} is read as {}", quoted(self.text()), found.word));
        }
        Some(found.value)
    }

    /// Exactly one of `words`, which mod_jk does not know and is not lenient about. `None` with an error when it is none of them.
    pub fn choice<T: Copy>(&mut self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text();
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.error(format_args!("{} is not one of {}", quoted(text), all.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    /// A text of at most `longest` bytes. `None` with an error when it is longer.
    pub fn short_text(&mut self, longest: usize) -> Option<String> {
        let text = self.text();
        if text.len() > longest {
            self.error(format_args!("longer than {longest} bytes: {}", quoted(text)));
            return None;
        }
        Some(text.to_owned())
    }

    /// The items of a list.
    pub fn items(&self) -> Vec<&'a str> {
        value::list(self.text()).collect()
    }

    /// A secret. `None` with an error, which does not show it, when it is not usable.
    pub fn secret(&mut self) -> Option<Secret> {
        match Secret::parse(self.text()) {
            Ok(secret) => {
                if secret.is_short() {
                    self.warning(format_args!(
                        "shorter than {} characters, can be guessed",
                        super::secret::SHORT
                    ));
                }
                Some(secret)
            }
            Err(problem) => {
                self.error(problem);
                None
            }
        }
    }

    fn not_understood(&mut self, what: &str) {
        let (text, default) = (quoted(self.property.value()), self.default);
        self.warning(format_args!("{text} is {what}; the default is used: {default}"));
    }
}
