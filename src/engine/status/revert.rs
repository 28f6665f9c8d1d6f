//! The settings that differ from the configuration: as a list, and the plan that brings them back to it.
//!
//! A setting of an AJP worker that is a member of several balancers, or mounted by itself as well, counts once.

use std::collections::HashSet;

use super::change::{Plan, Target};
use super::command::{Draft, Refusal, Subject, find, target};
use super::overrides::owner;
use super::property::{Property, Scope, TABLE};
use super::view::{Drift, View};

/// A setting that differs from the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Differs<'v> {
    /// Whose it is, as the picture shows it.
    pub subject: Subject<'v>,
    /// The property.
    pub property: Property,
    /// The configured value and the one in force.
    pub drift: &'v Drift,
}

/// All of them, or those of one subject: of a balancer with its members, of a member, of an AJP worker.
pub fn differences<'v>(view: &'v View, subject: Subject<'v>) -> Vec<Differs<'v>> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut take = |subject: Subject<'v>, drift: &'v [Drift], of_balancer: bool| {
        let Some(target) = target(subject) else { return };
        for drift in drift {
            let row = TABLE
                .iter()
                .find(|row| row.name == drift.property && (row.scope == Scope::Balancer) == of_balancer);
            if let Some(row) = row
                && seen.insert((owner(&target, row.property), row.property))
            {
                found.push(Differs { subject, property: row.property, drift });
            }
        }
    };
    let all = matches!(subject, Subject::All);
    for balancer in &view.balancers {
        let whole = all || matches!(subject, Subject::Balancer(wanted) if wanted.name == balancer.name);
        if whole {
            take(Subject::Balancer(balancer), &balancer.drift, true);
        }
        for member in &balancer.members {
            let named = matches!(subject, Subject::Member(of, wanted)
                if of.name == balancer.name && wanted.backend.name == member.backend.name);
            if whole || named {
                take(Subject::Member(balancer, member), &member.backend.drift, false);
            }
        }
    }
    for worker in &view.workers {
        if all || matches!(subject, Subject::Worker(wanted) if wanted.backend.name == worker.backend.name) {
            take(Subject::Worker(worker), &worker.backend.drift, false);
        }
    }
    found
}

/// The plan that gives settings their configured values.
///
/// # Errors
/// What is configured does not fit what stays as it is.
pub fn plan(view: &View, subject: Subject<'_>) -> Result<Plan, Refusal> {
    let mut draft = Draft::default();
    for Differs { subject, property, drift } in differences(view, subject) {
        draft.set(subject, property, &drift.configured, property.name())?;
    }
    draft.finish(view)
}

/// What the parameters `w` and `sw` name; without `w` everything.
///
/// # Errors
/// There is no such worker or member.
pub fn subject<'v>(
    view: &'v View,
    worker: Option<&str>,
    member: Option<&str>,
) -> Result<Subject<'v>, Refusal> {
    match worker.filter(|name| !name.is_empty()) {
        Some(worker) if member == Some("") => find(view, worker, None).and(Err(Refusal::EmptyMember)),
        Some(worker) => find(view, worker, member),
        None if member.is_some() => Err(Refusal::NoWorker),
        None => Ok(Subject::All),
    }
}

/// Of what a difference is, for the API.
pub fn target_of(differs: &Differs<'_>) -> Option<Target> {
    target(differs.subject).map(|target| owner(&target, differs.property))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::status::sample;

    fn drift(property: &str, configured: &str, current: &str) -> Drift {
        Drift { property: property.into(), configured: configured.into(), current: current.into() }
    }

    fn changed() -> View {
        let mut view = sample::view();
        view.balancers[0].retries = 9;
        view.balancers[0].drift = vec![drift("retries", "2", "9")];
        let members = &mut view.balancers[0].members;
        members[0].lbfactor = 7;
        members[0].backend.busy_limit = 5;
        members[0].backend.drift = vec![drift("lbfactor", "1", "7"), drift("busy_limit", "0", "5")];
        members[1].backend.retries = 4;
        members[1].backend.drift = vec![drift("retries", "2", "4")];
        view
    }

    fn lines(view: &View, worker: Option<&str>, member: Option<&str>) -> Vec<String> {
        let plan = plan(view, subject(view, worker, member).unwrap()).unwrap();
        plan.changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_or_a_part_goes_back_to_what_is_configured() {
        let view = changed();
        let [lb, weight, limit, retries] = [
            "balancer lb: retries from '9' to '2'",
            "member n1 of balancer lb: lbfactor from '7' to '1'",
            "member n1 of balancer lb: busy_limit from '5' to '0'",
            "member n2 of balancer lb: retries from '4' to '2'",
        ];
        assert_eq!(lines(&view, None, None), [lb, weight, limit, retries]);
        assert_eq!(lines(&view, Some("lb"), None), [lb, weight, limit, retries]);
        assert_eq!(lines(&view, Some("lb"), Some("n2")), [retries]);
        assert!(lines(&view, Some("solo"), None).is_empty());
        assert!(lines(&sample::view(), None, None).is_empty());
    }

    #[test]
    fn what_is_shared_counts_once() {
        let mut view = changed();
        let mut twin = view.balancers[0].clone();
        twin.name = "lb2".into();
        view.balancers.push(twin);
        let lines = lines(&view, None, None);
        assert_eq!(lines.iter().filter(|line| line.contains("busy_limit")).count(), 1, "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.contains("lbfactor")).count(), 2, "{lines:?}");
    }

    #[test]
    fn names_are_checked() {
        let view = changed();
        let of = |worker, member| subject(&view, worker, member).map(|_| ());
        assert_eq!(of(Some("nope"), None), Err(Refusal::UnknownWorker));
        assert_eq!(of(Some("lb"), Some("nope")), Err(Refusal::UnknownMember));
        assert_eq!(of(Some("lb"), Some("")), Err(Refusal::EmptyMember));
        assert_eq!(of(None, Some("n1")), Err(Refusal::NoWorker));
    }
}
