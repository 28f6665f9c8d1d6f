//! One entry for each property of `workers.properties`.
//!
//! An entry says what a property is called, which workers have it, what happens when it is given twice, its unit, default
//! and range, what it means, and how its value gets into the worker. Everything that knows properties by name comes from
//! here: the check for unknown names, the joining of lists, the workers, the documentation.
//!
//! To add a property: one entry in the file of its group, one field in `raw` and in `model`, one test beside the entry.

mod ajp13;
mod common;
mod http;
mod lb;
mod member;
mod obsolete;
mod queue;
mod status;

use std::fmt;
use std::sync::LazyLock;

use super::nearest::nearest;
use super::raw::{RawAjp13, RawLb, RawStatus, Reader};

/// Most bytes of a worker's name and of other names and short texts, as in mod_jk 1.2.50.
pub const SHORT_TEXT: usize = 63;

/// Which workers have a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// None: `worker.list`, `worker.maintain`.
    Global,
    /// All types.
    Common,
    /// `ajp13`, `http` and `https`.
    Relay,
    /// `ajp13`.
    Ajp13,
    /// `http` and `https`.
    Http,
    /// `https`.
    Https,
    /// `ajp13`, `http` and `https`, of use for members of a balancer only.
    Member,
    /// `lb`.
    Lb,
    /// `status`.
    Status,
    /// None any more: accepted and ignored.
    Obsolete,
}

impl Group {
    /// All groups, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Global,
        Self::Common,
        Self::Relay,
        Self::Ajp13,
        Self::Http,
        Self::Https,
        Self::Member,
        Self::Lb,
        Self::Status,
        Self::Obsolete,
    ];

    /// A worker of the type with that name has the properties of this group.
    pub fn applies_to(self, worker_type: &str) -> bool {
        match self {
            Self::Global => false,
            Self::Common | Self::Obsolete => true,
            Self::Relay | Self::Member => matches!(worker_type, "ajp13" | "http" | "https"),
            Self::Ajp13 => worker_type == "ajp13",
            Self::Http => matches!(worker_type, "http" | "https"),
            Self::Https => worker_type == "https",
            Self::Lb => worker_type == "lb",
            Self::Status => worker_type == "status",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Global => "global",
            Self::Common => "all",
            Self::Relay => "ajp13, http, https",
            Self::Ajp13 => "ajp13",
            Self::Http => "http, https",
            Self::Https => "https",
            Self::Member => "ajp13, http, https (member of lb)",
            Self::Lb => "lb",
            Self::Status => "status",
            Self::Obsolete => "none",
        })
    }
}

/// What happens when a property is given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The later value replaces the earlier one.
    Replace,
    /// A list: the values are joined by this text.
    Join(&'static str),
}

/// Unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A count, or no number at all.
    None,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Bytes => "bytes",
        })
    }
}

/// Whether a property should still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Yes.
    Current,
    /// No: what to write instead, or why there is nothing instead. A warning says so.
    Deprecated(&'static str),
}

/// How a value gets into its worker.
#[derive(Debug, Clone, Copy)]
pub enum Apply {
    /// It shapes the set of workers, see `resolve`.
    Structure,
    /// Not at all.
    Ignored,
    /// Into a worker that relays.
    Ajp13(fn(&mut RawAjp13, &mut Reader<'_>)),
    /// Into an `lb` worker.
    Lb(fn(&mut RawLb, &mut Reader<'_>)),
    /// Into a `status` worker.
    Status(fn(&mut RawStatus, &mut Reader<'_>)),
}

/// One property.
#[derive(Debug, Clone, Copy)]
pub struct Def {
    /// Last part of its full name: `worker.<worker>.<name>`, for global ones `worker.<name>`.
    pub name: &'static str,
    /// Which workers have it. The same name may stand in two groups.
    pub group: Group,
    /// Given twice.
    pub repeat: Repeat,
    /// Unit of its number.
    pub unit: Unit,
    /// Default, in words where it is computed; empty: none.
    pub default: &'static str,
    /// What values make sense and what happens to others; empty: any.
    pub range: &'static str,
    /// Deprecated or not.
    pub standing: Standing,
    /// Its meaning, one paragraph.
    pub doc: &'static str,
    /// How its value gets into its worker.
    pub apply: Apply,
}

impl Def {
    /// What most entries have in common; they name the rest. Such a property has no default and any value.
    const fn new(name: &'static str, group: Group, apply: Apply) -> Self {
        Self {
            name,
            group,
            repeat: Repeat::Replace,
            unit: Unit::None,
            default: "",
            range: "",
            standing: Standing::Current,
            doc: "",
            apply,
        }
    }
}

/// All properties: by group, in the order of the documentation.
pub fn table() -> &'static [Def] {
    static TABLE: LazyLock<Vec<Def>> = LazyLock::new(|| {
        [
            common::GLOBAL,
            common::COMMON,
            ajp13::ADDRESS,
            ajp13::POOL,
            ajp13::EXCHANGE,
            http::HTTP,
            http::HTTPS,
            queue::AJP13,
            member::MEMBER,
            lb::LB,
            queue::LB,
            status::STATUS,
            obsolete::OBSOLETE,
        ]
        .concat()
    });
    &TABLE
}

/// The property with that last part of a name, whatever its group.
pub fn find(name: &str) -> Option<&'static Def> {
    table().iter().find(|def| def.name == name)
}

/// The property `name` of a worker of that type; `None` when such workers have none of that name.
pub fn find_for(worker_type: &str, name: &str) -> Option<&'static Def> {
    table().iter().find(|def| def.name == name && def.group.applies_to(worker_type))
}

/// The property an unknown name was perhaps meant to be; never a deprecated one.
pub fn suggest(name: &str) -> Option<&'static str> {
    let current = table().iter().filter(|def| def.standing == Standing::Current);
    nearest(name, current.map(|def| def.name))
}

/// The default of `good` or `bad`.
pub(super) fn default_rating(name: &str) -> super::model::Rating {
    status::parse_rating(if name == "good" { status::GOOD } else { status::BAD }).0
}

/// What stands behind the last dot of a full name; the name itself when it has no dot.
pub(super) fn last_part(full_name: &str) -> &str {
    full_name.rsplit_once('.').map_or(full_name, |(_, last)| last)
}

/// What happens when the property with that full name, or variable, is given twice.
pub(super) fn repeat_of(full_name: &str) -> Repeat {
    let known = full_name.rsplit_once('.').and_then(|(_, last)| find(last));
    match known {
        Some(def) => def.repeat,
        None if full_name.ends_with("_path") => Repeat::Join(":"),
        None => Repeat::Replace,
    }
}

/// The value of that property or variable must not be shown.
pub(super) fn is_secret(full_name: &str) -> bool {
    matches!(last_part(full_name), "secret" | "secretkey")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_complete_and_unique() {
        for (at, def) in table().iter().enumerate() {
            assert!(def.doc.ends_with('.'), "{}: no sentence", def.name);
            assert!(!def.name.contains('.'), "{}", def.name);
            let twin = table().iter().skip(at + 1).find(|d| d.name == def.name && d.group == def.group);
            assert!(twin.is_none(), "{} stands twice", def.name);
            for twin in table().iter().filter(|d| d.name == def.name) {
                assert_eq!(twin.repeat, def.repeat, "{}: the joining of values is decided by name", def.name);
            }
            let fits = match def.apply {
                Apply::Structure => true,
                Apply::Ignored => matches!(def.standing, Standing::Deprecated(_)),
                Apply::Ajp13(_) => {
                    def.group.applies_to("ajp13") || matches!(def.group, Group::Http | Group::Https)
                }
                Apply::Lb(_) => def.group == Group::Lb,
                Apply::Status(_) => def.group == Group::Status,
            };
            assert!(fits, "{}: apply and group differ", def.name);
        }
    }

    #[test]
    fn every_name_of_mod_jk_is_known() {
        // The attributes of mod_jk 1.2.50, in the order of its documentation.
        for name in "list maintain type reference mount host port source prefer_ipv6 socket_timeout \
            socket_connect_timeout socket_keepalive socket_buffer connection_pool_size connection_pool_minsize \
            connection_pool_timeout connection_acquire_timeout connect_timeout prepost_timeout ping_mode \
            ping_timeout connection_ping_interval reply_timeout retries retry_interval recovery_options \
            fail_on_status busy_limit max_packet_size secret secretkey lbfactor distance route domain redirect \
            activation balance_workers sticky_session sticky_session_force method lock lb_retries recover_time \
            error_escalation_time max_reply_timeouts session_cookie session_path set_session_cookie \
            session_cookie_path css ns xmlns doctype prefix read_only user user_case_insensitive good bad \
            cachesize cache_timeout recycle_timeout balanced_workers jvm_route disabled stopped local_worker \
            local_worker_only sysprops stderr stdout mx ms class_path bridge jvm_lib ld_path cmd_line native_lib"
            .split_whitespace()
        {
            assert!(find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn lists_are_joined_and_the_rest_is_replaced() {
        for name in ["list", "balance_workers", "mount", "user", "good", "bad", "fail_on_status"] {
            assert_eq!(repeat_of(&format!("worker.a.{name}")), Repeat::Join(","), "{name}");
        }
        assert_eq!(repeat_of("x_path"), Repeat::Join(":"));
        assert_eq!(repeat_of("worker.a.class_path"), Repeat::Join(":"));
        assert_eq!(repeat_of("worker.a.cmd_line"), Repeat::Join(" "));
        for name in ["worker.a.session_path", "worker.a.distance", "worker.maintain", "list", "my.variable"] {
            assert_eq!(repeat_of(name), Repeat::Replace, "{name}");
        }
    }

    #[test]
    fn suggestions_are_never_deprecated() {
        assert_eq!(suggest("hots"), Some("host"));
        assert_eq!(suggest("cachsize"), None);
        assert_eq!(suggest("balancd_workers"), Some("balance_workers"));
    }
}
