//! The configuration record of a server: what its directives said, and what became of it.

use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use super::joblog::{JobLog, Level};
use super::mapping::Maps;
use super::notes::Wanted;
use super::parking::{self, Parking};
use super::runtime::Generation;

use crate::engine::config::diagnostic::Origin;
use crate::engine::config::env_vars::EnvVars;
use crate::engine::config::indicators::{Indicator, Names};
use crate::engine::config::options::{Effective, Flags, Options};
use crate::engine::config::request_log::Part;
use crate::engine::route;
use crate::engine::route::rules::Mounts;

/// A value with the line it comes from.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// File and line.
    pub origin: Origin,
}

/// `JkMountCopy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountCopy {
    /// `On`.
    On,
    /// `Off`.
    Off,
    /// `All`: On for every virtual host that does not say otherwise.
    All,
}

/// `JkAsync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Async {
    /// `Auto`: where it is known to work.
    Auto,
    /// `On`: wherever it may work.
    On,
    /// `Off`.
    Off,
}

/// `JkStripSession`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripSession {
    /// On.
    pub on: bool,
    /// What to remove, with its semicolon.
    pub identifier: Vec<u8>,
}

/// What the directives of one server said; `None` is "not set here".
#[derive(Debug, Clone, Default)]
pub struct Raw {
    /// `JkWorkersFile` (main server only).
    pub workers_file: Option<Located<Vec<u8>>>,
    /// `JkWorkerProperty` lines in order (main server only).
    pub properties: Vec<Located<String>>,
    /// `JkShmFile` was given.
    pub shm_file: Option<Located<Vec<u8>>>,
    /// `JkShmSize` was given.
    pub shm_size: Option<Located<String>>,
    /// `JkMount` and `JkUnMount`; `None` when there are none.
    pub mounts: Option<Mounts>,
    /// `JkMountCopy`.
    pub mount_copy: Option<MountCopy>,
    /// `JkLogFile`.
    pub log_file: Option<Located<Vec<u8>>>,
    /// `JkLogLevel`.
    pub log_level: Option<Level>,
    /// `JkLogStampFormat`.
    pub stamp: Option<CString>,
    /// `JkRequestLogFormat`.
    pub request_log: Option<Vec<Part>>,
    /// `JkMountFile`.
    pub mount_file: Option<Located<Vec<u8>>>,
    /// `JkMountFileReload`, seconds.
    pub mount_file_reload: Option<u32>,
    /// `JkAutoAlias`.
    pub auto_alias: Option<Located<Vec<u8>>>,
    /// `JkStripSession`.
    pub strip_session: Option<StripSession>,
    /// `JkExtractSSL`.
    pub extract_ssl: Option<bool>,
    /// `JkTrace`.
    pub trace: Option<bool>,
    /// `JkOptions`.
    pub options: Options,
    /// `Jk...Indicator`.
    pub names: Names,
    /// `JkEnvVar`.
    pub env_vars: EnvVars,
    /// `JkWatchdogInterval`, seconds (main server only).
    pub watchdog: Option<u32>,
    /// `JkAsync`.
    pub async_mode: Option<Async>,
    /// `JkAsyncDelay`.
    pub async_delay: Option<Duration>,
    /// `JkAsyncLimit` (main server only).
    pub async_limit: Option<usize>,
    /// What was odd while the directives were read.
    pub warnings: Vec<(Origin, String)>,
}

/// Where the rules of a server come from.
#[derive(Debug, Clone)]
pub enum Rules {
    /// Its own directives, with those of the main server where they are copied.
    Own(Mounts),
    /// The map of the main server.
    Main,
    /// None.
    None,
}

/// The settled configuration of a server.
#[derive(Debug)]
pub struct Live {
    /// Its URI map.
    pub maps: Option<Arc<Maps>>,
    /// Seconds between two looks at the mount file; 0: never.
    pub reload: u32,
    /// Its log.
    pub log: JobLog,
    /// `JkRequestLogFormat`.
    pub request_log: Option<Vec<Part>>,
    /// How paths are forwarded and refused; the encoded-slash setting is that of the request.
    pub paths: route::Options,
    /// The options in force.
    pub options: Effective,
    /// Names of the steering variables, in the order of [`Indicator`].
    names: Vec<CString>,
    /// `JkEnvVar`: name and default.
    pub env_vars: Vec<(CString, Option<String>)>,
    /// TLS data is forwarded.
    pub extract_ssl: bool,
    /// Requests go on in their trace, or in a new one.
    pub trace: bool,
    /// Which notes are made.
    pub notes: Wanted,
    /// What `JkStripSession` removes.
    pub strip: Option<Vec<u8>>,
    /// Directory of `JkAutoAlias`, absolute.
    pub auto_alias: Option<Vec<u8>>,
    /// The workers of this configuration.
    pub generation: Arc<Generation>,
    /// Requests may give their threads back while they wait.
    pub park: bool,
    /// After so long (`JkAsyncDelay`).
    pub delay: Duration,
    /// Where they wait.
    pub parking: Arc<Parking>,
}

impl Live {
    /// The name of a steering variable.
    pub fn name(&self, indicator: Indicator) -> &std::ffi::CStr {
        self.names.get(indicator as usize).map_or(c"", CString::as_c_str)
    }

    /// The settled form of `raw`, with what had to be opened or found.
    #[expect(clippy::too_many_arguments, reason = "each is one of a kind")]
    pub fn new(
        raw: &Raw,
        options: Effective,
        maps: Option<Arc<Maps>>,
        log: JobLog,
        auto_alias: Option<Vec<u8>>,
        generation: Arc<Generation>,
        parking: Option<Arc<Parking>>,
        notes: Wanted,
    ) -> Self {
        let c_string = |text: &str| CString::new(text).unwrap_or_default();
        Self {
            maps,
            reload: raw.mount_file_reload.unwrap_or(60),
            log,
            request_log: raw.request_log.clone(),
            paths: route::Options {
                form: options.form,
                nodecode: false,
                reject_unsafe: options.has(Flags::REJECT_UNSAFE),
            },
            options,
            names: raw.names.all().map(c_string).collect(),
            env_vars: raw.env_vars.iter().map(|var| (c_string(&var.name), var.default.clone())).collect(),
            extract_ssl: raw.extract_ssl.unwrap_or(true),
            trace: raw.trace.unwrap_or(false),
            notes,
            strip: raw.strip_session.as_ref().filter(|strip| strip.on).map(|strip| strip.identifier.clone()),
            auto_alias,
            generation,
            park: parking.is_some(),
            delay: raw.async_delay.unwrap_or(parking::DELAY),
            parking: parking.unwrap_or_default(),
        }
    }
}

/// The record of a server.
#[derive(Debug)]
pub struct ServerConf {
    /// It is a virtual host.
    pub is_virtual: bool,
    /// Its directives; in a merged record scalars are inherited.
    pub raw: Raw,
    /// Which rules it uses.
    pub rules: Rules,
    /// Its options in force.
    pub options: Effective,
    /// What check_config found good; taken by post_config (main server only).
    pub checked: Option<super::lifecycle::Checked>,
    /// The shared memory (main server only).
    pub memory: Option<super::memory::Memory>,
    /// Set once the configuration is checked and everything is open.
    pub live: Option<Live>,
}

impl ServerConf {
    /// A record with nothing set.
    pub fn new(is_virtual: bool) -> Self {
        let raw = Raw::default();
        let options = raw.options.effective();
        Self { is_virtual, raw, rules: Rules::None, options, checked: None, memory: None, live: None }
    }

    /// The record of a virtual host: its own settings, else those of the main server.
    pub fn merged(base: &Self, own: &Self) -> Self {
        use crate::engine::route::rules::{Inherited, copies_main, inherit};
        let main = &base.raw;
        let copy = copies_main(
            own.raw.mount_copy.map(|copy| copy != MountCopy::Off),
            main.mount_copy == Some(MountCopy::All),
        );
        let nothing = Mounts::default();
        // A mount file of its own gives a virtual host a map of its own.
        let own_mounts =
            own.raw.mounts.clone().or_else(|| own.raw.mount_file.is_some().then(Mounts::default));
        let rules = match inherit(own_mounts.as_ref(), main.mounts.as_ref().unwrap_or(&nothing), copy) {
            Inherited::Own(mounts) => Rules::Own(mounts),
            Inherited::Main => Rules::Main,
            Inherited::None => Rules::None,
        };
        let own_raw = &own.raw;
        let raw = Raw {
            workers_file: None,
            properties: Vec::new(),
            shm_file: None,
            shm_size: None,
            watchdog: None,
            mounts: own_raw.mounts.clone(),
            mount_copy: own_raw.mount_copy,
            mount_file: own_raw.mount_file.clone().or_else(|| main.mount_file.clone().filter(|_| copy)),
            mount_file_reload: own_raw.mount_file_reload.or(main.mount_file_reload),
            auto_alias: own_raw.auto_alias.clone().or_else(|| main.auto_alias.clone().filter(|_| copy)),
            log_file: own_raw.log_file.clone().or_else(|| main.log_file.clone()),
            log_level: own_raw.log_level.or(main.log_level),
            stamp: own_raw.stamp.clone().or_else(|| main.stamp.clone()),
            request_log: own_raw.request_log.clone().or_else(|| main.request_log.clone()),
            strip_session: own_raw.strip_session.clone().or_else(|| main.strip_session.clone()),
            extract_ssl: own_raw.extract_ssl.or(main.extract_ssl),
            trace: own_raw.trace.or(main.trace),
            options: own_raw.options,
            names: own_raw.names.over(&main.names),
            env_vars: own_raw.env_vars.over(&main.env_vars),
            warnings: own_raw.warnings.clone(),
            async_mode: own_raw.async_mode.or(main.async_mode),
            async_delay: own_raw.async_delay.or(main.async_delay),
            async_limit: None,
        };
        let options = own_raw.options.over(main.options.effective());
        Self { is_virtual: true, raw, rules, options, checked: None, memory: None, live: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::route::rules::Kind;

    fn with_mount(is_virtual: bool, pattern: &str) -> ServerConf {
        let mut conf = ServerConf::new(is_virtual);
        let mut mounts = Mounts::default();
        mounts
            .add(
                Kind::Mount,
                pattern.as_bytes(),
                b"w",
                crate::engine::route::rules::Origin { file: "x".into(), line: 1 },
            )
            .unwrap();
        conf.raw.mounts = Some(mounts);
        conf
    }

    #[test]
    fn scalars_are_inherited_one_by_one() {
        let mut main = ServerConf::new(false);
        main.raw.log_level = Some(Level::Debug);
        main.raw.log_file = Some(Located { value: b"a".to_vec(), origin: Origin::new("x", 1) });
        let mut own = ServerConf::new(true);
        own.raw.log_file = Some(Located { value: b"b".to_vec(), origin: Origin::new("x", 2) });
        let merged = ServerConf::merged(&main, &own);
        assert_eq!(merged.raw.log_level, Some(Level::Debug));
        assert_eq!(merged.raw.log_file.unwrap().value, b"b");
    }

    #[test]
    fn mounts_follow_mount_copy() {
        let mut main = with_mount(false, "/a/*");
        assert!(matches!(ServerConf::merged(&main, &ServerConf::new(true)).rules, Rules::None));
        main.raw.mount_copy = Some(MountCopy::All);
        assert!(matches!(ServerConf::merged(&main, &ServerConf::new(true)).rules, Rules::Main));
        let mut off = ServerConf::new(true);
        off.raw.mount_copy = Some(MountCopy::Off);
        assert!(matches!(ServerConf::merged(&main, &off).rules, Rules::None));
        match ServerConf::merged(&main, &with_mount(true, "/b/*")).rules {
            Rules::Own(mounts) => assert_eq!(mounts.rules().len(), 2),
            other => panic!("{other:?}"),
        }
    }
}
