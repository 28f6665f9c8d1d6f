//! Changes made at run time as a file that outlives the server (`persist=file` of a status worker): its text, and what of it
//! still fits the configuration at the next start.
//!
//! The file is JSON of one version, small enough to be read by people. Each change names what it belongs to, its property,
//! the value the configuration had, and the value that was set. A drain under way has a line of its own, because its end is a
//! time of day there and a tick in shared memory.
//!
//! A change is taken back at the start, with a reason for the log, when the configuration does not say any more what it said
//! when the change was made, when its worker or member is gone, or when it does not fit beside the others. What is kept never
//! makes a configuration invalid that is valid by itself. The file is not trusted: every value goes through
//! [`Property::parse`](super::property::Property::parse).

use std::collections::HashSet;
use std::fmt;

use serde_json::{Value, json};

use super::change::Target;
use super::overrides::{Overrides, owner};
use super::property::{Property, Scope, Setting, TABLE};
use super::settings;
use crate::engine::config::model::{Address, Kind, Persist, WorkerSet};
use crate::engine::text::Escaped;

/// What the file calls itself.
const FORMAT: &str = "mod_jk_rs changes";
/// Version of the format; a file of another version is not used.
pub const VERSION: u64 = 1;
/// Longest file, in octets.
pub const LONGEST: u64 = 4 * 1024 * 1024;

/// A drain that is to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draining {
    /// The balancer.
    pub balancer: String,
    /// The member.
    pub member: String,
    /// When the member is stopped, seconds since 1970; `None`: never by itself.
    pub until: Option<u64>,
}

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The changed settings.
    pub changes: Overrides,
    /// Drains under way.
    pub drains: Vec<Draining>,
}

/// What was read, and what a configuration makes of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Review {
    /// What is in force again.
    pub kept: Kept,
    /// Changes that are not, with the reason; one line each.
    pub dropped: Vec<String>,
}

/// The file where changes are kept, as the status workers of a configuration name it; an empty name is the default. `None`:
/// nothing is kept.
///
/// # Errors
/// Two status workers name different files; their names.
pub fn wanted(set: &WorkerSet) -> Result<Option<&str>, [&str; 2]> {
    let mut found: Option<(&str, &str)> = None;
    for worker in &set.workers {
        if let Kind::Status(status) = &worker.kind
            && let Persist::File(file) = &status.persist
        {
            match found {
                Some((other, before)) if before != file => return Err([other, &worker.name]),
                _ => found = Some((&worker.name, file)),
            }
        }
    }
    Ok(found.map(|(_, file)| file))
}

/// The text of the file. `now`: seconds since 1970.
pub fn encode(kept: &Kept, now: u64) -> String {
    let changes = kept.changes.iter().map(|change| {
        let (property, value) = (change.current.property().name(), change.current.to_string());
        let configured = &change.configured;
        match &change.target {
            Target::Balancer(balancer) => {
                json!({"balancer": balancer, "property": property, "configured": configured, "value": value})
            }
            Target::Worker(worker) => {
                json!({"worker": worker, "property": property, "configured": configured, "value": value})
            }
            Target::Member { balancer, member } => json!({
                "balancer": balancer, "member": member, "property": property, "configured": configured,
                "value": value,
            }),
        }
    });
    let drains = kept
        .drains
        .iter()
        .map(|drain| json!({"balancer": drain.balancer, "member": drain.member, "until": drain.until}));
    let (changes, drains): (Value, Value) = (changes.collect(), drains.collect());
    let all = json!({
        "format": FORMAT, "version": VERSION, "saved_at": now, "changes": changes, "drains": drains,
    });
    format!("{all:#}\n")
}

/// What a file says. Lines that say nothing are dropped with a reason; the rest counts.
///
/// # Errors
/// It is no file of this format and version, or only a part of one.
pub fn decode(text: &[u8]) -> Result<Review, String> {
    let all: Value = serde_json::from_slice(text).map_err(|error| format!("it is no JSON: {error}"))?;
    if all.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(format!("it does not call itself \"{FORMAT}\""));
    }
    match all.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(other) => {
            return Err(format!("it has version {other}, and this module reads version {VERSION}"));
        }
        None => return Err("it has no version".to_owned()),
    }
    let list = |name: &str| match all.get(name) {
        Some(Value::Array(list)) => Ok(list),
        _ => Err(format!("it has no list \"{name}\"")),
    };
    let (changes, drains) = (list("changes")?, list("drains")?);
    let mut review = Review::default();
    for change in changes {
        match read_change(change) {
            Some((target, configured, current)) => {
                review.kept.changes.insert(target, configured, current);
            }
            None => review.dropped.push(format!("{}: not understood", shown(change))),
        }
    }
    for drain in drains {
        match read_drain(drain) {
            Some(drain) => review.kept.drains.push(drain),
            None => review.dropped.push(format!("{}: not understood", shown(drain))),
        }
    }
    Ok(review)
}

/// A value of the file in a log line.
fn shown(value: &Value) -> String {
    let mut text = value.to_string();
    if let Some((end, _)) = text.char_indices().nth(200) {
        text.truncate(end);
        text.push_str("...");
    }
    Escaped(text.as_bytes()).to_string()
}

/// A name of a worker: nothing that could end a field of the journal.
fn name(value: &Value, key: &str) -> Option<String> {
    let name = value.get(key)?.as_str()?;
    (!name.is_empty() && !name.chars().any(char::is_control)).then(|| name.to_owned())
}

fn read_change(value: &Value) -> Option<(Target, String, Setting)> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let target = match (name(value, "balancer"), name(value, "member"), name(value, "worker")) {
        (Some(balancer), Some(member), None) => Target::Member { balancer, member },
        (Some(balancer), None, None) => Target::Balancer(balancer),
        (None, None, Some(worker)) => Target::Worker(worker),
        _ => return None,
    };
    let scope = match &target {
        Target::Balancer(_) => Scope::Balancer,
        Target::Member { .. } => Scope::Member,
        Target::Worker(_) => Scope::Backend,
    };
    let property = text("property")?;
    let row = TABLE.iter().find(|row| row.scope == scope && row.name == property)?;
    let configured = text("configured").filter(|text| !text.chars().any(char::is_control))?;
    Some((target, configured.to_owned(), row.property.parse(text("value")?)?))
}

fn read_drain(value: &Value) -> Option<Draining> {
    let until = match value.get("until")? {
        Value::Null => None,
        until => Some(until.as_u64()?),
    };
    Some(Draining { balancer: name(value, "balancer")?, member: name(value, "member")?, until })
}

/// The value of a setting in the configuration. `None`: nothing there has it.
pub fn configured(set: &WorkerSet, target: &Target, property: Property) -> Option<Setting> {
    let kind = |name: &str| set.get(name).map(|worker| &worker.kind);
    match owner(target, property) {
        Target::Balancer(name) => match kind(&name)? {
            Kind::Lb(lb) => property.of_balancer(&settings::balancer(&name, lb)),
            _ => None,
        },
        Target::Worker(name) => match kind(&name)? {
            Kind::Ajp13(ajp) => property.of_backend(&settings::backend(&name, ajp)),
            _ => None,
        },
        Target::Member { balancer, member } => match kind(&balancer)? {
            Kind::Lb(lb) => {
                let of = |place| set.member(place).filter(|(worker, _)| worker.name == member);
                let (_, ajp) = lb.members.iter().find_map(of)?;
                property.of_member(&settings::member(&member, ajp, &ajp.member))
            }
            _ => None,
        },
    }
}

/// Takes what a configuration does not agree with out of `review`.
pub fn review(review: &mut Review, set: &WorkerSet) {
    let Review { kept, dropped } = review;
    kept.changes.retain(|change| {
        let property = change.current.property();
        let why = match configured(set, &change.target, property) {
            None => Some("it does not exist any more".to_owned()),
            Some(now) if now.to_string() != change.configured => Some(format!(
                "the configuration says '{}' now and said '{}' when the change was made",
                Escaped(now.to_string().as_bytes()),
                Escaped(change.configured.as_bytes())
            )),
            Some(_) if reached_by_socket(set, &change.target, property) => {
                Some("it is reached by a UNIX socket".to_owned())
            }
            Some(_) => None,
        };
        if let Some(why) = &why {
            let value = change.current.to_string();
            dropped.push(line(&change.target, property, &value, why));
        }
        why.is_none()
    });
    let twins = twins(&kept.changes, set);
    kept.changes.retain(|change| {
        let twin = matches!(change.current, Setting::Route(_)) && twins.contains(&change.target);
        if twin {
            let value = change.current.to_string();
            let why = "another member of the balancer has this route";
            dropped.push(line(&change.target, Property::Route, &value, why));
        }
        !twin
    });
    kept.drains.retain(|Draining { balancer, member, .. }| {
        let target = Target::Member { balancer: balancer.clone(), member: member.clone() };
        configured(set, &target, Property::Activation).is_some()
    });
}

fn line(target: &Target, property: Property, value: &dyn fmt::Display, why: &str) -> String {
    let value = value.to_string();
    format!("{target}: {} '{}': {why}", property.name(), Escaped(value.as_bytes()))
}

fn reached_by_socket(set: &WorkerSet, target: &Target, property: Property) -> bool {
    let Target::Worker(name) = target else { return false };
    let kind = set.get(name).map(|worker| &worker.kind);
    matches!(property, Property::Host | Property::Port)
        && matches!(kind, Some(Kind::Ajp13(ajp)) if matches!(ajp.address, Address::Unix(_)))
}

/// Members whose changed route another member of their balancer has.
fn twins(changes: &Overrides, set: &WorkerSet) -> HashSet<Target> {
    let route = |target: &Target| -> Option<String> {
        let changed = changes.iter().find_map(|change| match &change.current {
            Setting::Route(route) if change.target == *target => Some(route.clone()),
            _ => None,
        });
        changed.or_else(|| configured(set, target, Property::Route).map(|route| route.to_string()))
    };
    let mut found = HashSet::new();
    for change in changes.iter().filter(|change| matches!(change.current, Setting::Route(_))) {
        let Target::Member { balancer, member } = &change.target else { continue };
        let Some(Kind::Lb(lb)) = set.get(balancer).map(|worker| &worker.kind) else { continue };
        let own = change.current.to_string();
        let others = lb.members.iter().filter_map(|place| set.member(place));
        let twin = others.filter(|(worker, _)| worker.name != *member).any(|(worker, _)| {
            let other = Target::Member { balancer: balancer.clone(), member: worker.name.clone() };
            route(&other).is_some_and(|route| route == own)
        });
        if twin && !own.is_empty() {
            found.insert(change.target.clone());
        }
    }
    found
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
