//! What a request to a status worker leads to: a document, or a checked plan of changes and then a document.
//!
//! The order of checks is mod_jk's: user, parameters, command, format, read-only, worker, member, the command itself.
//! The texts of errors are mod_jk's where scripts may look for them. Unlike there, an error has a HTTP status of its own,
//! and a refused value changes nothing at all and is named.
//! Sources: `service`, `check_worker`, `update_worker` in mod_jk's jk_status.c.

use std::fmt;

use super::change::{Change, NewAddress, Plan, Target};
use super::property::{Property, Scope, Setting, TABLE};
use super::query::{Command, Format, Hide, Query};
use super::revert;
use super::view::{AjpWorker, Balancer, Member, State, View};
use crate::engine::config::model::Status;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The user is not in the list of users.
    AccessDenied,
    /// A browser was sent here by another site, or a form has no valid token.
    CrossSite(&'static str),
    /// The query string could not be read.
    BadQuery,
    /// Unknown command.
    BadCommand,
    /// Unknown format.
    BadFormat,
    /// A changing command in read-only mode.
    ReadOnly,
    /// No worker is named.
    NoWorker,
    /// The worker does not exist, or is not listed.
    UnknownWorker,
    /// The parameter of the member is empty.
    EmptyMember,
    /// A member of something that is no balancer.
    NoMembers,
    /// The member does not exist.
    UnknownMember,
    /// A pattern where none is allowed.
    Wildcard,
    /// The member is not in error.
    NotRecoverable,
    /// The attribute of a bulk edit is unknown.
    UnknownAttribute,
    /// A value is out of range: what is wrong.
    BadValue(String),
    /// A route that another member of the balancer has: whose.
    Twin(String),
    /// A host name does not resolve, or changes could not be applied.
    Failed(String),
}

impl Refusal {
    /// The status of the answer.
    pub fn http_status(&self) -> u16 {
        match self {
            Self::AccessDenied | Self::CrossSite(_) | Self::ReadOnly => 403,
            Self::BadQuery
            | Self::BadCommand
            | Self::BadFormat
            | Self::NoWorker
            | Self::EmptyMember
            | Self::NoMembers
            | Self::Wildcard
            | Self::UnknownAttribute
            | Self::Twin(_)
            | Self::BadValue(_) => 400,
            Self::UnknownWorker | Self::UnknownMember => 404,
            Self::NotRecoverable => 409,
            Self::Failed(_) => 422,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessDenied => "Access denied.",
            Self::CrossSite(why) => why,
            Self::BadQuery => "Error during parsing of URI",
            Self::BadCommand => "Invalid command.",
            Self::BadFormat => "Invalid mime type.",
            Self::ReadOnly => "This command is not allowed in read only mode.",
            Self::NoWorker => "NULL or EMPTY worker param",
            Self::UnknownWorker => "Could not find given worker",
            Self::EmptyMember => "EMPTY sub worker param",
            Self::NoMembers => "worker type has no sub workers",
            Self::UnknownMember => "could not find sub worker",
            Self::Wildcard => "wildcard not allowed in sub worker for this command",
            Self::NotRecoverable => "Marking worker for recovery failed",
            Self::UnknownAttribute => "unknown attribute for a bulk edit",
            Self::BadValue(what) | Self::Twin(what) => {
                return write!(f, "Update failed, nothing was changed: {what}");
            }
            Self::Failed(what) => return write!(f, "Update failed, nothing was changed: {what}"),
        })
    }
}

/// What a request is about, found in the picture.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'v> {
    /// Everything.
    All,
    /// A balancer.
    Balancer(&'v Balancer),
    /// A member.
    Member(&'v Balancer, &'v Member),
    /// An AJP worker.
    Worker(&'v AjpWorker),
    /// A status worker: it shows nothing.
    Nothing,
}

/// What is to be done.
#[derive(Debug)]
pub enum Action<'v> {
    /// Show this.
    Show(Command, Subject<'v>),
    /// Apply this, then say that it is done.
    Apply(Plan),
}

/// A request that can be answered in its format: every refusal from here on is shown in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// The format of the answer. `prop` when the request names an unknown one.
    pub format: Format,
    /// Nothing may be changed.
    pub read_only: bool,
}

/// The user may use the worker.
pub fn allowed(status: &Status, user: Option<&str>) -> bool {
    status.user.is_empty()
        || user.is_some_and(|user| {
            status.user.iter().any(|listed| {
                listed == user || (status.user_case_insensitive && listed.eq_ignore_ascii_case(user))
            })
        })
}

/// Format and mode of the answer.
pub fn mode(status: &Status, query: &Query) -> Mode {
    Mode {
        format: query.format().unwrap_or(Format::Prop),
        read_only: status.read_only || query.hide().has(Hide::READ_ONLY),
    }
}

/// What the request leads to. Access and origin have been checked before.
///
/// # Errors
/// Why it is refused; nothing has been changed then.
pub fn decide<'v>(view: &'v View, mode: Mode, query: &Query) -> Result<Action<'v>, Refusal> {
    let command = query.command();
    if mode.read_only && command.is_some_and(Command::needs_write) {
        return Err(Refusal::ReadOnly);
    }
    let command = command.ok_or(Refusal::BadCommand)?;
    query.format().ok_or(Refusal::BadFormat)?;
    if command == Command::Revert {
        let subject = revert::subject(view, query.get("w"), query.get("sw"))?;
        return revert::plan(view, subject).map(Action::Apply);
    }
    if !command.needs_worker() {
        return Ok(Action::Show(command, Subject::All));
    }
    if command == Command::Update {
        return update(view, query).map(Action::Apply);
    }
    let subject = subject(view, query)?;
    match command {
        Command::Reset => Ok(Action::Apply(reset(subject))),
        Command::Recover => recover(subject).map(Action::Apply),
        _ => Ok(Action::Show(command, subject)),
    }
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// The worker and, perhaps, the member that are named.
fn subject<'v>(view: &'v View, query: &Query) -> Result<Subject<'v>, Refusal> {
    let worker = query.get("w").filter(|name| !name.is_empty()).ok_or(Refusal::NoWorker)?;
    let member = query.get("sw");
    if member == Some("") {
        return Err(Refusal::EmptyMember);
    }
    if member.is_some_and(is_pattern) {
        return Err(Refusal::Wildcard);
    }
    find(view, worker, member)
}

/// A listed worker, or a member of a listed balancer.
///
/// # Errors
/// One of them does not exist.
pub fn find<'v>(view: &'v View, worker: &str, member: Option<&str>) -> Result<Subject<'v>, Refusal> {
    if let Some(balancer) = view.balancer(worker) {
        let Some(member) = member else { return Ok(Subject::Balancer(balancer)) };
        let member = balancer.member(member).ok_or(Refusal::UnknownMember)?;
        return Ok(Subject::Member(balancer, member));
    }
    let other = match view.worker(worker) {
        Some(worker) => Subject::Worker(worker),
        None if view.status_workers.iter().any(|name| name == worker) => Subject::Nothing,
        None => return Err(Refusal::UnknownWorker),
    };
    if member.is_some() { Err(Refusal::NoMembers) } else { Ok(other) }
}

/// The name of what a request is about, for changes.
pub fn target(subject: Subject<'_>) -> Option<Target> {
    match subject {
        Subject::Balancer(balancer) => Some(Target::Balancer(balancer.name.clone())),
        Subject::Member(balancer, member) => Some(member_target(balancer, member)),
        Subject::Worker(worker) => Some(Target::Worker(worker.backend.name.clone())),
        Subject::All | Subject::Nothing => None,
    }
}

fn member_target(balancer: &Balancer, member: &Member) -> Target {
    Target::Member { balancer: balancer.name.clone(), member: member.backend.name.clone() }
}

/// The plan that zeroes the counters of a subject.
pub fn reset(subject: Subject<'_>) -> Plan {
    Plan { changes: target(subject).map(Change::Reset).into_iter().collect(), addresses: Vec::new() }
}

/// The plan that lets a failed member be tried.
///
/// # Errors
/// It is no member, or not in error.
pub fn recover(subject: Subject<'_>) -> Result<Plan, Refusal> {
    match subject {
        Subject::Member(balancer, member) if member.state == State::Error => {
            let change = Change::Recover(member_target(balancer, member));
            Ok(Plan { changes: vec![change], addresses: Vec::new() })
        }
        _ => Err(Refusal::NotRecoverable),
    }
}

/// The plan of the command `update`.
fn update(view: &View, query: &Query) -> Result<Plan, Refusal> {
    let worker = query.get("w").filter(|name| !name.is_empty()).ok_or(Refusal::NoWorker)?;
    let mut draft = Draft::default();
    let pattern = query.get("sw");
    if pattern == Some("") {
        return Err(Refusal::EmptyMember);
    }
    match (pattern, view.balancer(worker)) {
        (Some(pattern), Some(balancer)) => {
            let mut found = false;
            for member in balancer.members.iter().filter(|member| matches(pattern, &member.backend.name)) {
                found = true;
                draft.take(Subject::Member(balancer, member), query)?;
            }
            if !found {
                return Err(Refusal::UnknownMember);
            }
        }
        (None, Some(balancer)) if query.get("att").is_some_and(|att| !att.is_empty()) => {
            bulk(balancer, query, &mut draft)?;
        }
        _ => draft.take(find(view, worker, pattern)?, query)?,
    }
    draft.finish(view)
}

/// A bulk edit: one property of many members, by their position.
fn bulk(balancer: &Balancer, query: &Query, draft: &mut Draft) -> Result<(), Refusal> {
    let name = query.get("att").unwrap_or_default();
    let property = bulk_property(name).ok_or(Refusal::UnknownAttribute)?;
    for (place, member) in balancer.members.iter().enumerate() {
        let parameter = format!("val{place}");
        if let Some(text) = query.get(&parameter) {
            let subject = Subject::Member(balancer, member);
            draft.set(subject, property, text, &parameter)?;
        }
    }
    Ok(())
}

/// The property that a bulk edit of that name changes; addresses can not be edited in bulk.
pub fn bulk_property(parameter: &str) -> Option<Property> {
    let row = TABLE.iter().find(|row| row.parameter == parameter)?;
    let fits = row.scope != Scope::Balancer && !matches!(row.property, Property::Host | Property::Port);
    fits.then_some(row.property)
}

/// `name` matches a pattern in which `*` stands for any text and `?` for one character.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on when a star must take one octet more.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(octet) if *octet == b'?' || name.get(n) == Some(octet) => {
                p += 1;
                n += 1;
            }
            _ => match retry {
                Some((star, taken)) => {
                    retry = Some((star, taken + 1));
                    p = star;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|octet| *octet == b'*'))
}

/// A plan being made: nothing leaves it before everything has been checked.
#[derive(Debug, Default)]
pub struct Draft {
    plan: Plan,
}

impl Draft {
    /// All settings of the subject that the query names.
    fn take(&mut self, subject: Subject<'_>, query: &Query) -> Result<(), Refusal> {
        for row in &TABLE {
            if fits(subject, row.scope)
                && let Some(text) = query.get(row.parameter)
            {
                self.set(subject, row.property, text, row.parameter)?;
            }
        }
        Ok(())
    }

    /// One setting of the subject; nothing happens when it has that value.
    ///
    /// # Errors
    /// The value is out of range; `parameter` is how the request calls it.
    pub fn set(
        &mut self,
        subject: Subject<'_>,
        property: Property,
        text: &str,
        parameter: &str,
    ) -> Result<(), Refusal> {
        let old = match subject {
            Subject::Balancer(balancer) => property.of_balancer(balancer),
            Subject::Member(_, member) => property.of_member(member),
            Subject::Worker(worker) => property.of_backend(&worker.backend),
            Subject::All | Subject::Nothing => None,
        };
        let (Some(old), Some(target)) = (old, target(subject)) else {
            return Err(Refusal::BadValue(format!("{parameter} does not belong to this worker")));
        };
        if old.to_string() == text.trim() {
            return Ok(());
        }
        let new = property.parse(text).ok_or_else(|| {
            Refusal::BadValue(format!(
                "{parameter}={text} is not a value for {} of {}: it must be {}",
                property.name(),
                target_name(&target),
                property.accepts()
            ))
        })?;
        if new != old {
            self.plan.changes.push(Change::Set { target, old, new });
        }
        Ok(())
    }

    /// Adds a change that is no setting.
    pub fn push(&mut self, change: Change) {
        self.plan.changes.push(change);
    }

    /// The plan, after the checks over all changes: routes stay unique, and new addresses are listed.
    ///
    /// # Errors
    /// Two members of a balancer would have the same route.
    pub fn finish(mut self, view: &View) -> Result<Plan, Refusal> {
        for (target, setting) in self.plan.of(Property::Route) {
            if let Target::Member { balancer, member } = target
                && let Some(balancer) = view.balancer(balancer)
                && let Setting::Route(route) = setting
                && !route.is_empty()
                && let Some(twin) = self.other_with_route(balancer, member, route)
            {
                return Err(Refusal::Twin(format!(
                    "route {route} of {member} would also be that of {twin}; routes must be unique"
                )));
            }
        }
        let mut addresses: Vec<NewAddress> = Vec::new();
        for change in &self.plan.changes {
            let Change::Set { target, new: Setting::Host(_) | Setting::Port(_), .. } = change else {
                continue;
            };
            if !addresses.iter().any(|address| address.target == *target)
                && let Some((host, port)) = address_of(view, target)
            {
                addresses.push(NewAddress { target: target.clone(), host, port });
            }
        }
        for address in &mut addresses {
            for change in &self.plan.changes {
                match change {
                    Change::Set { target, new: Setting::Host(host), .. } if *target == address.target => {
                        address.host.clone_from(host);
                    }
                    Change::Set { target, new: Setting::Port(port), .. } if *target == address.target => {
                        address.port = *port;
                    }
                    _ => {}
                }
            }
        }
        self.plan.addresses = addresses;
        Ok(self.plan)
    }

    /// Another member that will have this route.
    fn other_with_route<'b>(&self, balancer: &'b Balancer, member: &str, route: &str) -> Option<&'b str> {
        let others = balancer.members.iter().filter(|other| other.backend.name != member);
        others.map(|other| (other, &other.backend.name)).find_map(|(other, name)| {
            let planned =
                self.plan.of(Property::Route).find_map(|(target, setting)| match (target, setting) {
                    (Target::Member { balancer: b, member }, Setting::Route(route))
                        if *b == balancer.name && member == name =>
                    {
                        Some(route.as_str())
                    }
                    _ => None,
                });
            (planned.unwrap_or(&other.route) == route).then_some(name.as_str())
        })
    }
}

/// A subject has properties of that scope.
pub fn fits(subject: Subject<'_>, scope: Scope) -> bool {
    match subject {
        Subject::Balancer(_) => scope == Scope::Balancer,
        Subject::Member(..) => scope != Scope::Balancer,
        Subject::Worker(_) => scope == Scope::Backend,
        Subject::All | Subject::Nothing => false,
    }
}

fn target_name(target: &Target) -> &str {
    match target {
        Target::Balancer(name) | Target::Worker(name) | Target::Member { member: name, .. } => name,
    }
}

fn address_of(view: &View, target: &Target) -> Option<(String, u16)> {
    let backend = match target {
        Target::Balancer(_) => return None,
        Target::Member { balancer, member } => &view.balancer(balancer)?.member(member)?.backend,
        Target::Worker(name) => &view.worker(name)?.backend,
    };
    Some((backend.host.clone(), backend.port))
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
