//! Settings that were changed at run time, as a text that all processes of a server can read, and what they make of a
//! configuration.
//!
//! One line for each setting: what it belongs to, the query parameter of its property, the value in the configuration and
//! the value now, with tabs between them. A setting counts only as long as the configuration says what it said when the
//! setting was changed: whoever edits the file later gets what the file says. Settings that an AJP worker has by itself
//! belong to the worker, also when they were changed by way of a balancer.

use std::fmt::Write;

use super::change::Target;
use super::property::{Property, Scope, Setting, TABLE};
use super::settings;
use super::view::{Backend, Balancer, Drift, Member};
use crate::engine::config::model::{Ajp13, Lb, MemberSettings};

/// A setting that differs from the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Of what.
    pub target: Target,
    /// The value in the configuration.
    pub configured: String,
    /// The value now.
    pub current: Setting,
}

/// All settings that differ from the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides(Vec<Override>);

/// What owns a property: a member's worker has its own settings.
pub fn owner(target: &Target, property: Property) -> Target {
    match target {
        Target::Member { member, .. } if property.scope() == Scope::Backend => Target::Worker(member.clone()),
        _ => target.clone(),
    }
}

impl Overrides {
    /// From its text; lines that say nothing are left out.
    pub fn decode(text: &str) -> Self {
        Self(text.lines().filter_map(decode_line).collect())
    }

    /// As text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        for Override { target, configured, current } in &self.0 {
            let parameter = current.property().parameter();
            let _ = match target {
                Target::Balancer(name) => write!(text, "b\t{name}"),
                Target::Worker(name) => write!(text, "w\t{name}"),
                Target::Member { balancer, member } => write!(text, "m\t{balancer}\t{member}"),
            };
            let _ = writeln!(text, "\t{parameter}\t{configured}\t{current}");
        }
        text
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Override> {
        self.0.iter()
    }

    /// Keeps those that `keep` wants; true when some went.
    pub fn retain(&mut self, keep: impl FnMut(&Override) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(keep);
        before != self.0.len()
    }

    /// Notes that a setting has that value now; one that is back at its configured value is forgotten.
    pub fn set(&mut self, target: &Target, configured: Option<Setting>, current: &Setting) {
        let property = current.property();
        let target = owner(target, property);
        self.0.retain(|known| known.target != target || known.current.property() != property);
        if let Some(configured) = configured
            && configured != *current
        {
            self.0.push(Override { target, configured: configured.to_string(), current: current.clone() });
        }
    }

    /// A setting as it was noted before.
    pub fn insert(&mut self, target: Target, configured: String, current: Setting) {
        let property = current.property();
        self.0.retain(|known| known.target != target || known.current.property() != property);
        self.0.push(Override { target, configured, current });
    }

    /// The settings of one owner that count: the configuration still says what it said. `configured`: what it says now.
    fn of<'o>(
        &'o self,
        target: &'o Target,
        configured: impl Fn(Property) -> Option<Setting> + 'o,
    ) -> impl Iterator<Item = &'o Override> {
        self.0.iter().filter(move |known| {
            known.target == *target
                && configured(known.current.property())
                    .is_some_and(|value| value.to_string() == known.configured)
        })
    }

    /// The settings of an AJP worker in force.
    pub fn backend(&self, name: &str, configured: &Ajp13) -> Ajp13 {
        let mut now = configured.clone();
        let shown = settings::backend(name, configured);
        let target = Target::Worker(name.to_owned());
        for known in self.of(&target, |property| property.of_backend(&shown)) {
            settings::set_backend(&mut now, &known.current);
        }
        now
    }

    /// The settings of a balancer in force.
    pub fn balancer(&self, name: &str, configured: &Lb) -> Lb {
        let mut now = configured.clone();
        let shown = settings::balancer(name, configured);
        let target = Target::Balancer(name.to_owned());
        for known in self.of(&target, |property| property.of_balancer(&shown)) {
            settings::set_balancer(&mut now, &known.current);
        }
        now
    }

    /// The settings of a member in force that only its balancer looks at. A domain that was set counts more than one that
    /// follows from a route.
    pub fn member(&self, balancer: &str, name: &str, configured: &Ajp13) -> MemberSettings {
        let mut now = configured.member.clone();
        let shown = settings::member(name, configured, &configured.member);
        let target = Target::Member { balancer: balancer.to_owned(), member: name.to_owned() };
        let known: Vec<_> = self.of(&target, |property| property.of_member(&shown)).collect();
        let is_domain = |known: &&&Override| matches!(known.current, Setting::Domain(_));
        for known in known.iter().filter(|known| !is_domain(known)).chain(known.iter().filter(is_domain)) {
            settings::set_member(&mut now, &known.current);
        }
        now
    }
}

/// Differences between the settings of two balancers.
pub fn balancer_drift(configured: &Balancer, now: &Balancer) -> Vec<Drift> {
    drift(Scope::Balancer, |property| property.of_balancer(configured), |property| property.of_balancer(now))
}

/// Differences between the settings of two members, those of their workers included.
pub fn member_drift(configured: &Member, now: &Member) -> Vec<Drift> {
    let mut found =
        drift(Scope::Member, |property| property.of_member(configured), |property| property.of_member(now));
    found.extend(backend_drift(&configured.backend, &now.backend));
    found
}

/// Differences between the settings of two AJP workers.
pub fn backend_drift(configured: &Backend, now: &Backend) -> Vec<Drift> {
    drift(Scope::Backend, |property| property.of_backend(configured), |property| property.of_backend(now))
}

fn drift(
    scope: Scope,
    configured: impl Fn(Property) -> Option<Setting>,
    now: impl Fn(Property) -> Option<Setting>,
) -> Vec<Drift> {
    let rows = TABLE.iter().filter(|row| row.scope == scope);
    rows.filter_map(|row| {
        let (configured, current) = (configured(row.property)?, now(row.property)?);
        (configured != current).then(|| Drift {
            property: row.name.to_owned(),
            configured: configured.to_string(),
            current: current.to_string(),
        })
    })
    .collect()
}

fn decode_line(line: &str) -> Option<Override> {
    let mut parts = line.split('\t');
    let target = match parts.next()? {
        "b" => Target::Balancer(parts.next()?.to_owned()),
        "w" => Target::Worker(parts.next()?.to_owned()),
        "m" => Target::Member { balancer: parts.next()?.to_owned(), member: parts.next()?.to_owned() },
        _ => return None,
    };
    let parameter = parts.next()?;
    let configured = parts.next()?.to_owned();
    let property = TABLE.iter().find(|row| row.parameter == parameter)?.property;
    let current = property.parse(parts.next()?)?;
    parts.next().is_none().then_some(Override { target, configured, current })
}

#[cfg(test)]
#[path = "overrides_tests.rs"]
mod tests;
