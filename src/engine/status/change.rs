//! Changes as data: what is to be changed, from what to what.
//!
//! A [`Plan`] has been checked completely before anybody sees it: whoever applies it applies all of it or nothing. The only
//! check left to the caller is that host names of [`Plan::addresses`] resolve, which must happen before anything is
//! applied and without any lock held. Texts for the log name who, from where, old and new value.

use std::fmt;

use super::property::{Property, Setting};
use crate::engine::text::Escaped;

/// What a change is about. Names are those of listed workers, or of members of listed balancers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// A balancer.
    Balancer(String),
    /// A member of a balancer.
    Member {
        /// The balancer.
        balancer: String,
        /// The member.
        member: String,
    },
    /// An AJP worker of `worker.list`.
    Worker(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balancer(name) => write!(f, "balancer {}", Escaped(name.as_bytes())),
            Self::Member { balancer, member } => {
                write!(
                    f,
                    "member {} of balancer {}",
                    Escaped(member.as_bytes()),
                    Escaped(balancer.as_bytes())
                )
            }
            Self::Worker(name) => write!(f, "worker {}", Escaped(name.as_bytes())),
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A setting gets another value. Old and new value differ and belong to the same property.
    Set {
        /// Of what.
        target: Target,
        /// The value the picture showed.
        old: Setting,
        /// The value to set.
        new: Setting,
    },
    /// Counters become zero; a member's state becomes `OK/IDLE`. For a balancer: its own and those of all its members.
    Reset(Target),
    /// A member in error becomes ready to be tried (`ERR/REC`).
    Recover(Target),
    /// A member takes no new sessions from now on (it becomes disabled), and nothing at all after the deadline (stopped).
    Drain {
        /// The member.
        target: Target,
        /// Seconds from now until it is stopped; `None`: never by itself.
        deadline: Option<u32>,
    },
}

impl Change {
    /// What it is about.
    pub fn target(&self) -> &Target {
        match self {
            Self::Set { target, .. } | Self::Drain { target, .. } => target,
            Self::Reset(target) | Self::Recover(target) => target,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { target, old, new } => {
                let (old, now) = (old.to_string(), new.to_string());
                let name = new.property().name();
                write!(
                    f,
                    "{target}: {name} from '{}' to '{}'",
                    Escaped(old.as_bytes()),
                    Escaped(now.as_bytes())
                )
            }
            Self::Reset(target) => write!(f, "{target}: counters reset"),
            Self::Recover(target) => write!(f, "{target}: marked for recovery"),
            Self::Drain { target, deadline: Some(seconds) } => {
                write!(f, "{target}: draining, stopped in {seconds} s")
            }
            Self::Drain { target, deadline: None } => write!(f, "{target}: draining"),
        }
    }
}

/// An address that a plan sets, to be resolved before the plan is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAddress {
    /// Whose.
    pub target: Target,
    /// Name or address.
    pub host: String,
    /// 1 to 65535; 0 when only the host of a worker without a port is set.
    pub port: u16,
}

/// Checked changes, to be applied together. May be empty: nothing differs then, which is no error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The changes in order.
    pub changes: Vec<Change>,
    /// Addresses to resolve first.
    pub addresses: Vec<NewAddress>,
}

/// Who asks for a change.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// The status worker.
    pub worker: &'a str,
    /// The user as authenticated by httpd.
    pub user: Option<&'a str>,
    /// The address of the client.
    pub client: &'a str,
}

impl fmt::Display for Actor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status worker {}: ", Escaped(self.worker.as_bytes()))?;
        match self.user {
            Some(user) => write!(f, "user '{}'", Escaped(user.as_bytes()))?,
            None => f.write_str("nobody authenticated")?,
        }
        write!(f, " from {}", Escaped(self.client.as_bytes()))
    }
}

impl Plan {
    /// One line for the log for each change.
    pub fn audit<'a>(&'a self, actor: Actor<'a>) -> impl Iterator<Item = String> + 'a {
        self.changes.iter().map(move |change| format!("{actor}: {change}"))
    }

    /// The changes of one property.
    pub fn of(&self, property: Property) -> impl Iterator<Item = (&Target, &Setting)> {
        self.changes.iter().filter_map(move |change| match change {
            Change::Set { target, new, .. } if new.property() == property => Some((target, new)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::model::Activation;

    #[test]
    fn the_log_says_who_where_what() {
        let target = Target::Member { balancer: "lb".into(), member: "n\n1".into() };
        let plan = Plan {
            changes: vec![
                Change::Set {
                    target: target.clone(),
                    old: Setting::Activation(Activation::Active),
                    new: Setting::Activation(Activation::Stopped),
                },
                Change::Set {
                    target: target.clone(),
                    old: Setting::Route("a".into()),
                    new: Setting::Route("b\u{1b}".into()),
                },
                Change::Reset(Target::Balancer("lb".into())),
                Change::Recover(target.clone()),
                Change::Drain { target, deadline: Some(60) },
            ],
            addresses: Vec::new(),
        };
        let actor = Actor { worker: "st", user: Some("eve\r\nx"), client: "10.0.0.9" };
        let lines: Vec<String> = plan.audit(actor).collect();
        let head = "status worker st: user 'eve\\x0d\\x0ax' from 10.0.0.9: ";
        let rest: Vec<&str> = lines.iter().map(|line| line.strip_prefix(head).unwrap()).collect();
        assert_eq!(
            rest,
            [
                "member n\\x0a1 of balancer lb: activation from 'Active' to 'Stopped'",
                "member n\\x0a1 of balancer lb: route from 'a' to 'b\\x1b'",
                "balancer lb: counters reset",
                "member n\\x0a1 of balancer lb: marked for recovery",
                "member n\\x0a1 of balancer lb: draining, stopped in 60 s",
            ]
        );
        let nobody = Actor { user: None, ..actor };
        assert!(plan.audit(nobody).next().unwrap().contains("nobody authenticated from 10.0.0.9"));
        assert_eq!(plan.of(Property::Route).count(), 1);
    }
}
