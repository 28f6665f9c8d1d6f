//! The configuration record of a server: what its directives said, and what became of it.

use std::sync::Arc;

use super::joblog::{JobLog, Level};
use super::runtime::Generation;
use crate::engine::config::diagnostic::Origin;
use crate::engine::route::decide::Options;
use crate::engine::route::matcher::{RuleId, UriMap};
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
    pub map: Option<Arc<Mapping>>,
    /// Its log.
    pub log: JobLog,
    /// How paths are forwarded and refused; the encoded-slash setting is that of the request.
    pub options: Options,
    /// The workers of this configuration.
    pub generation: Arc<Generation>,
}

/// A URI map with the workers its rules lead to.
#[derive(Debug)]
pub struct Mapping {
    /// The rules.
    pub map: UriMap,
    /// For each rule the place of its worker; `None`: no such worker.
    targets: Vec<Option<usize>>,
}

impl Mapping {
    /// Looks up the worker of every rule with `find`.
    pub fn new(map: UriMap, find: impl Fn(&[u8]) -> Option<usize>) -> Self {
        let mut targets = Vec::new();
        for (id, rule) in map.rules() {
            if targets.len() <= id.index() {
                targets.resize(id.index() + 1, None);
            }
            if let Some(target) = targets.get_mut(id.index()) {
                *target = find(&rule.worker);
            }
        }
        Self { map, targets }
    }

    /// The place of the worker of a rule.
    pub fn target(&self, rule: RuleId) -> Option<usize> {
        self.targets.get(rule.index()).copied().flatten()
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
    /// What check_config found good; taken by post_config (main server only).
    pub checked: Option<super::lifecycle::Checked>,
    /// Set once the configuration is checked and everything is open.
    pub live: Option<Live>,
}

impl ServerConf {
    /// A record with nothing set.
    pub fn new(is_virtual: bool) -> Self {
        Self { is_virtual, raw: Raw::default(), rules: Rules::None, checked: None, live: None }
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
        let rules = match inherit(own.raw.mounts.as_ref(), main.mounts.as_ref().unwrap_or(&nothing), copy) {
            Inherited::Own(mounts) => Rules::Own(mounts),
            Inherited::Main => Rules::Main,
            Inherited::None => Rules::None,
        };
        let raw = Raw {
            workers_file: None,
            properties: Vec::new(),
            shm_file: None,
            shm_size: None,
            mounts: own.raw.mounts.clone(),
            mount_copy: own.raw.mount_copy,
            log_file: own.raw.log_file.clone().or_else(|| main.log_file.clone()),
            log_level: own.raw.log_level.or(main.log_level),
            warnings: own.raw.warnings.clone(),
        };
        Self { is_virtual: true, raw, rules, checked: None, live: None }
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
