//! Which workers there are: names, types, order, members.
//!
//! Listed workers keep the order of `worker.list`; members of balancers that are not listed follow in the order in which
//! balancers name them. What can not be made (unknown type, name too long) is reported and left out, so that places in
//! the plan are places in the result.

use std::collections::{BTreeSet, HashMap};

use super::own;
use crate::engine::config::defs::{self, SHORT_TEXT};
use crate::engine::config::diagnostic::{Diagnostics, Origin, quoted};
use crate::engine::config::nearest::nearest;
use crate::engine::config::properties::{Properties, Property};

/// Type of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Ajp13,
    Http,
    Https,
    Lb,
    Status,
}

impl Type {
    const ALL: [Self; 5] = [Self::Ajp13, Self::Http, Self::Https, Self::Lb, Self::Status];

    /// It has one backend.
    pub(super) fn relays(self) -> bool {
        matches!(self, Self::Ajp13 | Self::Http | Self::Https)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ajp13 => "ajp13",
            Self::Http => "http",
            Self::Https => "https",
            Self::Lb => "lb",
            Self::Status => "status",
        }
    }
}

/// A worker to be made.
#[derive(Debug)]
pub(super) struct Planned<'a> {
    pub(super) name: String,
    /// Its own first property, else the line that names it.
    pub(super) origin: Origin,
    pub(super) kind: Type,
    pub(super) listed: bool,
    /// Place in the plan and line of each member, as written; empty unless it is a balancer.
    pub(super) members: Vec<(usize, Origin)>,
    /// Place in the plan of its HTTP twin (`upgrade_worker`).
    pub(super) twin: Option<usize>,
    /// All its properties, inherited ones included.
    pub(super) properties: Vec<&'a Property>,
}

/// All workers to be made.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// Names of listed workers, each one in `workers`.
    pub(super) list: Vec<String>,
    /// Names that have properties and are not in `list`, sorted.
    pub(super) unlisted: Vec<String>,
    pub(super) workers: Vec<Planned<'a>>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(properties: &'a Properties, diagnostics: &mut Diagnostics) -> Self {
        Planner::new(properties, diagnostics).run()
    }
}

struct Planner<'a, 'd> {
    properties: &'a Properties,
    diagnostics: &'d mut Diagnostics,
    /// Properties of each worker that has any.
    defined: HashMap<&'a str, Vec<&'a Property>>,
    /// Names that are mentioned anywhere, right or wrong: reported once.
    seen: HashMap<String, Option<usize>>,
    workers: Vec<Planned<'a>>,
}

impl<'a, 'd> Planner<'a, 'd> {
    fn new(properties: &'a Properties, diagnostics: &'d mut Diagnostics) -> Self {
        let mut defined: HashMap<&str, Vec<&Property>> = HashMap::new();
        for property in properties.iter() {
            let name = property.name().strip_prefix("worker.").and_then(|rest| rest.rsplit_once('.'));
            if let Some((worker, _)) = name {
                defined.entry(worker).or_default().push(property);
            }
        }
        Self { properties, diagnostics, defined, seen: HashMap::new(), workers: Vec::new() }
    }

    fn run(mut self) -> Plan<'a> {
        for (name, origin) in self.listed() {
            if self.seen.contains_key(&name) {
                let message = format!("worker.list names {} twice", quoted(&name));
                self.diagnostics.warning(&origin, message);
            } else {
                self.add(&name, &origin, true);
            }
        }
        let listed = self.workers.len();
        for balancer in 0..listed {
            if self.workers.get(balancer).is_some_and(|worker| worker.kind == Type::Lb) {
                self.add_members(balancer);
            }
        }
        for place in 0..self.workers.len() {
            self.add_twin(place);
        }
        self.report_unused();
        let list: Vec<_> = self.workers.iter().take(listed).map(|worker| worker.name.clone()).collect();
        let unlisted: BTreeSet<_> =
            self.defined.keys().filter(|name| !list.iter().any(|listed| listed == *name)).collect();
        let unlisted = unlisted.into_iter().map(|name| (*name).to_owned()).collect();
        Plan { list, unlisted, workers: self.workers }
    }

    /// The names in `worker.list` with their lines.
    fn listed(&mut self) -> Vec<(String, Origin)> {
        let Some(list) = self.properties.get("worker.list") else {
            let origin = Origin::builtin();
            self.diagnostics
                .warning(&origin, "worker.list is not set; one worker 'ajp13' for localhost:8009 is used");
            return vec![("ajp13".to_owned(), origin)];
        };
        let names: Vec<_> = list.items().map(|(name, origin)| (name.to_owned(), origin.clone())).collect();
        if names.is_empty() {
            self.diagnostics.warning(list.origin(), "worker.list names no worker");
        }
        names
    }

    /// Plans a worker that is not known yet; its place, or `None` with an error.
    fn add(&mut self, name: &str, named_at: &Origin, listed: bool) -> Option<usize> {
        let place = self.planned(name, named_at, listed).map(|planned| {
            self.workers.push(planned);
            self.workers.len() - 1
        });
        self.seen.insert(name.to_owned(), place);
        place
    }

    fn planned(&mut self, name: &str, named_at: &Origin, listed: bool) -> Option<Planned<'a>> {
        if name.len() > SHORT_TEXT {
            let message = format!("name of a worker longer than {SHORT_TEXT} bytes: {}", quoted(name));
            self.diagnostics.error(named_at, message);
            return None;
        }
        let properties = self.defined.get(name).cloned().unwrap_or_default();
        if properties.is_empty() && named_at.line > 0 {
            let mut message = format!(
                "worker {} has no properties; it is an ajp13 worker for localhost:8009",
                quoted(name)
            );
            // Sorted, so that the same file always gives the same message.
            let names: BTreeSet<&str> = self.defined.keys().copied().collect();
            if let Some(near) = nearest(name, names.into_iter()) {
                message.push_str(&format!("; did you mean {}?", quoted(near)));
            }
            self.diagnostics.warning(named_at, message);
        }
        let kind = self.kind(name)?;
        let origin = own(&properties).map_or(named_at, Property::origin).clone();
        Some(Planned {
            name: name.to_owned(),
            origin,
            kind,
            listed,
            members: Vec::new(),
            twin: None,
            properties,
        })
    }

    /// The type of a worker; `None` with an error when there is no such type.
    fn kind(&mut self, name: &str) -> Option<Type> {
        let Some(property) = self.properties.of_worker(name, "type") else { return Some(Type::Ajp13) };
        let text = property.value();
        if let Some(kind) = Type::ALL.into_iter().find(|kind| kind.name() == text) {
            return Some(kind);
        }
        let what = if matches!(text, "ajp12" | "ajp14" | "jni") {
            format!("type {text} is not supported any more; use type ajp13")
        } else {
            match nearest(text, Type::ALL.into_iter().map(Type::name)) {
                Some(near) => format!("unknown type {}; did you mean '{near}'?", quoted(text)),
                None => {
                    format!("unknown type {}; possible are ajp13, http, https, lb and status", quoted(text))
                }
            }
        };
        self.diagnostics.error(property.origin(), format!("{}: {what}", property.name()));
        None
    }

    /// Adds the members of the balancer at that place, and to its list of members.
    fn add_members(&mut self, balancer: usize) {
        let Some(planned) = self.workers.get(balancer) else { return };
        let (name, origin) = (planned.name.clone(), planned.origin.clone());
        let properties = self.properties;
        let property = properties
            .of_worker(&name, "balance_workers")
            .or_else(|| properties.of_worker(&name, "balanced_workers"));
        let mut members = Vec::new();
        let mut named = 0;
        for (member, line) in property.iter().flat_map(|property| property.items()) {
            named += 1;
            let place = match self.seen.get(member) {
                Some(known) => *known,
                None => self.add(member, line, false),
            };
            // A worker that could not be planned has been reported.
            let Some(worker) = place.and_then(|place| self.workers.get(place)) else { continue };
            if worker.kind.relays() {
                members.extend(place.map(|place| (place, line.clone())));
            } else {
                let message = format!(
                    "member {} of balancer {} has type {}; members must have type ajp13, http or https",
                    quoted(member),
                    quoted(&name),
                    worker.kind.name()
                );
                self.diagnostics.error(line, message);
            }
        }
        if named == 0 {
            let message =
                format!("balancer {} has no members; set worker.{name}.balance_workers", quoted(&name));
            self.diagnostics.error(&origin, message);
        }
        if let Some(planned) = self.workers.get_mut(balancer) {
            planned.members = members;
        }
    }

    /// Adds the HTTP worker that an AJP worker names.
    fn add_twin(&mut self, place: usize) {
        let Some(planned) = self.workers.get(place).filter(|worker| worker.kind == Type::Ajp13) else {
            return;
        };
        let Some(property) = self.properties.of_worker(&planned.name, "upgrade_worker") else { return };
        let (twin, line) = (property.value(), property.origin());
        let found = match self.seen.get(twin) {
            Some(known) => *known,
            None => self.add(twin, line, false),
        };
        // A worker that could not be planned has been reported.
        let Some(kind) = found.and_then(|found| self.workers.get(found)).map(|worker| worker.kind) else {
            return;
        };
        if matches!(kind, Type::Http | Type::Https) {
            if let Some(planned) = self.workers.get_mut(place) {
                planned.twin = found;
            }
        } else {
            let message = format!(
                "{}: worker {} has type {}; it must have type http or https",
                property.name(),
                quoted(twin),
                kind.name()
            );
            self.diagnostics.error(line, message);
        }
    }

    /// Workers that are described but never made are mostly forgotten in `worker.list`.
    fn report_unused(&mut self) {
        let templates: BTreeSet<&str> = self
            .properties
            .iter()
            .filter(|property| property.name().ends_with(".reference"))
            .map(Property::value)
            .collect();
        for property in self.properties.iter().filter(|property| !property.is_inherited()) {
            let name = property.name().strip_prefix("worker.").and_then(|rest| rest.rsplit_once('.'));
            let Some((worker, last)) = name else { continue };
            let full = format!("worker.{worker}");
            let template = templates
                .iter()
                .any(|template| full == *template || full.starts_with(&format!("{template}.")));
            let known = defs::find(last).is_some();
            if known && !template && !self.seen.contains_key(worker) {
                self.seen.insert(worker.to_owned(), None);
                let message = format!(
                    "worker {} is not used: it is neither in worker.list nor a member of a balancer in it",
                    quoted(worker)
                );
                self.diagnostics.warning(property.origin(), message);
            }
        }
    }
}
