//! Applying changes: all of a plan or nothing of it.
//!
//! Host names are resolved first, while nobody waits. Then the process takes its turn among those who change settings, looks
//! whether the settings still are what the plan says, replaces the journal as a whole, and changes the records of members.
//! Nothing can fail behind the journal. Other processes read the journal with their next request.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::keep::save;
use super::picture::member_settings;
use crate::engine::balance::admin::Drain;
use crate::engine::config::model::{Activation, Address, Kind};
use crate::engine::status::change::{Change, NewAddress, Plan, Target};
use crate::engine::status::overrides::{Overrides, owner};
use crate::engine::status::property::{Property, Setting};
use crate::engine::status::settings;
use crate::engine::units::Tick;
use crate::ffi::time;
use crate::httpd::runtime::{Backend, Farm, Generation, MOST_CHANGES};
use crate::shm::futex;
use crate::transport::address::{Endpoint, resolve};
use crate::transport::clock;

/// What becomes of a change that was applied when the server stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is over: nobody asked for more.
    Ends,
    /// It is in the file.
    Saved,
    /// It should be in the file; why it is not.
    Unsaved(String),
}

/// Applies a plan.
///
/// # Errors
/// Why nothing was changed.
pub(super) fn apply(generation: &Generation, plan: &Plan) -> Result<Fate, String> {
    for address in &plan.addresses {
        check_address(generation, address)?;
    }
    let journal = generation.journal();
    let turn = journal.take_turn().map_err(|error| error.to_string())?;
    generation.sync();
    let mut changed = Overrides::decode(&String::from_utf8_lossy(&journal.read().1));
    for change in &plan.changes {
        note(generation, change, &mut changed)?;
    }
    let (before, text) = (journal.read().1, changed.encode());
    if text.as_bytes() != before {
        if generation.changes() >= u64::try_from(MOST_CHANGES).unwrap_or(u64::MAX) {
            return Err(
                "there were too many changes since the last start or restart; restart gracefully".to_owned()
            );
        }
        turn.publish(text.as_bytes()).map_err(|error| error.to_string())?;
    }
    generation.sync();
    let now = (u64::try_from(time::wall().0).unwrap_or(0), clock::now());
    for change in &plan.changes {
        carry_out(generation, change, now);
    }
    let changed =
        plan.changes.iter().any(|change| matches!(change, Change::Set { .. } | Change::Drain { .. }));
    let Some(file) = generation.facts.get().and_then(|facts| facts.keep.as_ref()) else {
        return Ok(Fate::Ends);
    };
    // A reset leaves nothing to keep.
    let saved = if changed { save(generation, file, &turn) } else { Ok(()) };
    Ok(saved.map_or_else(Fate::Unsaved, |()| Fate::Saved))
}

/// Stops members whose drain is over; a line for each.
pub fn end_drains(generation: &Generation, now: Tick) -> Vec<String> {
    let mut lines = Vec::new();
    for farm in generation.farms() {
        for member in &farm.balancer.members {
            if !matches!(member.drain(), Some(Drain::Until(end)) if now >= end) {
                continue;
            }
            let target =
                Target::Member { balancer: farm.balancer.name.to_string(), member: member.name.to_string() };
            let old = Setting::Activation(Activation::Disabled);
            let new = Setting::Activation(Activation::Stopped);
            let change = Change::Set { target, old, new };
            let line = format!("the time of a drain is over: {change}");
            if apply(generation, &Plan { changes: vec![change], addresses: Vec::new() }).is_ok() {
                lines.push(line);
            }
        }
    }
    lines
}

fn farm<'g>(generation: &'g Generation, name: &str) -> Option<&'g Farm> {
    generation.farms().iter().find(|farm| *farm.balancer.name == *name)
}

fn backend<'g>(generation: &'g Generation, target: &Target) -> Option<&'g Backend> {
    let name = match target {
        Target::Balancer(_) => return None,
        Target::Member { member, .. } | Target::Worker(member) => member,
    };
    generation.backends().iter().find(|backend| backend.name == *name)
}

/// The host name has an address.
fn check_address(generation: &Generation, address: &NewAddress) -> Result<(), String> {
    let backend = backend(generation, &address.target).ok_or("the worker does not exist any more")?;
    let prefer_ipv6 = backend.settings().prefer_ipv6;
    if matches!(backend.settings().address, Address::Unix(_)) {
        return Err(format!(
            "{} is reached by a UNIX socket: its address can only be changed in the configuration",
            backend.name
        ));
    }
    // A worker without a port yet gets it with another change.
    let endpoint = Endpoint::Tcp { host: address.host.clone(), port: address.port.max(1), prefer_ipv6 };
    resolve(&endpoint).map(drop).map_err(|error| format!("host {}: {error}", address.host))
}

/// The value in force, and the one in the configuration.
fn values(
    generation: &Generation,
    target: &Target,
    property: Property,
) -> Option<(Setting, Option<Setting>)> {
    let configured = |name: &str| generation.configured().get(name).map(|worker| &worker.kind);
    match owner(target, property) {
        Target::Balancer(name) => {
            let now = settings::balancer(&name, &farm(generation, &name)?.lb);
            let Kind::Lb(lb) = configured(&name)? else { return None };
            Some((property.of_balancer(&now)?, property.of_balancer(&settings::balancer(&name, lb))))
        }
        Target::Worker(name) => {
            let now = settings::backend(&name, backend(generation, target)?.settings());
            let Kind::Ajp13(ajp) = configured(&name)? else { return None };
            Some((property.of_backend(&now)?, property.of_backend(&settings::backend(&name, ajp))))
        }
        Target::Member { balancer, member } => {
            let farm = farm(generation, &balancer)?;
            let own = member_settings(farm, farm.place_of(&member)?)?;
            let Kind::Ajp13(ajp) = configured(&member)? else { return None };
            let now = settings::member(&member, ajp, &own);
            let configured = settings::member(&member, ajp, &ajp.member);
            Some((property.of_member(&now)?, property.of_member(&configured)))
        }
    }
}

/// Checks a change against what is in force, and notes what it sets.
fn note(generation: &Generation, change: &Change, changed: &mut Overrides) -> Result<(), String> {
    let gone = || "the worker does not exist any more".to_owned();
    match change {
        Change::Set { target, old, new } => {
            let (now, configured) = values(generation, target, old.property()).ok_or_else(gone)?;
            if now != *old {
                return Err(format!(
                    "{target}: {} has been changed to '{now}' meanwhile; look at it again",
                    old.property().name()
                ));
            }
            changed.set(target, configured, new);
            if let Setting::Route(route) = new
                && route.contains('.')
            {
                // An empty domain follows the route; what has been set by hand stays.
                let domain = values(generation, target, Property::Domain).map(|(now, _)| now);
                if domain == Some(Setting::Domain(String::new())) {
                    let name = route.split('.').next().unwrap_or_default().to_owned();
                    let (_, configured) = values(generation, target, Property::Domain).ok_or_else(gone)?;
                    changed.set(target, configured, &Setting::Domain(name));
                }
            }
        }
        Change::Drain { target, .. } => {
            let (_, configured) = values(generation, target, Property::Activation).ok_or_else(gone)?;
            changed.set(target, configured, &Setting::Activation(Activation::Disabled));
        }
        Change::Reset(target) | Change::Recover(target) => match target {
            Target::Balancer(name) => farm(generation, name).map(drop).ok_or_else(gone)?,
            Target::Worker(_) => backend(generation, target).map(drop).ok_or_else(gone)?,
            Target::Member { balancer, member } => {
                farm(generation, balancer)
                    .and_then(|farm| farm.place_of(member))
                    .map(drop)
                    .ok_or_else(gone)?;
            }
        },
    }
    Ok(())
}

/// Changes records. `now`: seconds since 1970, and the moment.
fn carry_out(generation: &Generation, change: &Change, now: (u64, Tick)) {
    let found = match change.target() {
        Target::Worker(_) => {
            if let Change::Reset(target) = change
                && let Some(backend) = backend(generation, target)
            {
                backend.state.reset(now.0);
            }
            return;
        }
        Target::Balancer(name) => farm(generation, name).map(|farm| (farm, None)),
        Target::Member { balancer, member } => {
            farm(generation, balancer).map(|farm| (farm, farm.place_of(member)))
        }
    };
    let Some((farm, place)) = found else { return };
    let balancer = &farm.balancer;
    match (change, place) {
        (Change::Set { new: Setting::Method(method), .. }, None) => balancer.change_method(*method),
        (Change::Set { new, .. }, Some(place)) => match new {
            Setting::Activation(activation) => {
                balancer.activate(place, *activation);
                activated(farm, place, now.0);
            }
            Setting::LbFactor(factor) => balancer.weigh(place, *factor),
            Setting::Distance(distance) => {
                if let Some(member) = balancer.members.get(place) {
                    member.state.distance.store(*distance, Relaxed);
                }
            }
            _ => {}
        },
        (Change::Reset(_), Some(place)) => balancer.reset_member(place, now.0),
        (Change::Reset(_), None) => balancer.reset(now.0),
        (Change::Recover(_), Some(place)) => {
            balancer.recover(place);
        }
        (Change::Drain { deadline, .. }, Some(place)) => {
            let end = deadline.map(|seconds| now.1.after(Duration::from_secs(u64::from(seconds))));
            balancer.drain(place, end, now.1);
            activated(farm, place, now.0);
        }
        _ => {}
    }
    balancer.state.version.fetch_add(1, Relaxed);
    // Requests that wait for a member look again.
    futex::ring(&balancer.state.gauge.bell);
}

/// Notes when the activation of a member was changed, seconds since 1970.
fn activated(farm: &Farm, place: usize, now: u64) {
    if let Some(member) = farm.balancer.members.get(place) {
        member.worker.activated_at.store(now, Relaxed);
    }
}
