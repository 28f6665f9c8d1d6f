//! `worker.<name>.reference=<prefix>`: properties taken over from a template.
//!
//! Every property `<prefix>.<rest>` is copied to `worker.<name>.<rest>` unless that is set, after the template's own
//! reference has been resolved. Copies keep the line of the template as their origin. As `jk_map_resolve_references` of
//! mod_jk; a loop is told apart from a chain that is too long.

use super::defs;
use super::diagnostic::{Diagnostics, Origin, quoted};
use super::properties::Properties;

/// Most references in a chain.
const LIMIT: usize = 20;

/// Most properties after copying. Templates that contain each other's users could double their number at each step.
const MOST_PROPERTIES: usize = 100_000;

/// Last part of the name of a reference, with its dot.
const SUFFIX: &str = ".reference";

/// Copies what references ask for; a reference that can not be followed is an error at its line.
pub(super) fn resolve(properties: &mut Properties, diagnostics: &mut Diagnostics) {
    let users: Vec<String> = properties
        .iter()
        .filter(|p| p.name().starts_with("worker."))
        .filter_map(|p| p.name().strip_suffix(SUFFIX))
        .map(str::to_owned)
        .collect();
    for user in users {
        if let Some(chain) = chain(properties, diagnostics, user) {
            // Templates first: what they inherit is inherited further.
            for pair in chain.windows(2).rev() {
                if let [user, template] = pair {
                    inherit(properties, diagnostics, user, template);
                }
            }
        }
    }
}

/// `user`, its template, the template of that one, and so on. `None` with an error when the chain has no end.
fn chain(properties: &Properties, diagnostics: &mut Diagnostics, user: String) -> Option<Vec<String>> {
    let mut chain = vec![user];
    let mut origin = Origin::builtin();
    while let Some(property) = chain.last().and_then(|last| properties.get(&format!("{last}{SUFFIX}"))) {
        if chain.len() == 1 {
            origin = property.origin().clone();
        }
        let template = property.value().to_owned();
        if chain.contains(&template) {
            chain.push(template);
            let names: Vec<String> = chain.iter().map(|name| quoted(name).to_string()).collect();
            diagnostics.error(&origin, format!("references form a loop: {}", names.join(" -> ")));
            return None;
        }
        if chain.len() > LIMIT {
            let first = chain.first().map_or("", String::as_str);
            let message = format!("{}: more than {LIMIT} references in a row", quoted(first));
            diagnostics.error(&origin, message);
            return None;
        }
        chain.push(template);
    }
    Some(chain)
}

fn inherit(properties: &mut Properties, diagnostics: &mut Diagnostics, user: &str, template: &str) {
    let prefix = format!("{template}.");
    let mut found = false;
    let mut copies = Vec::new();
    for property in properties.iter() {
        let Some(rest) = property.name().strip_prefix(&prefix) else { continue };
        found = true;
        let name = format!("{user}.{rest}");
        if properties.get(&name).is_none() {
            let mut copy = property.clone();
            copy.name = name;
            copy.inherited = true;
            copies.push(copy);
        }
    }
    let reference = properties.get(&format!("{user}{SUFFIX}")).map(|p| p.origin().clone());
    let reference = reference.unwrap_or_else(Origin::builtin);
    if !found {
        let hint = if properties.iter().any(|p| p.name().starts_with(&format!("worker.{prefix}"))) {
            format!("; did you mean {}?", quoted(&format!("worker.{template}")))
        } else {
            String::new()
        };
        let message = format!(
            "{}: no property begins with {}{hint}",
            quoted(&format!("{user}{SUFFIX}")),
            quoted(&prefix)
        );
        // Several workers may share the template with the broken reference.
        if !diagnostics.iter().any(|d| d.origin == reference && d.message == message) {
            diagnostics.error(&reference, message);
        }
    }
    if properties.iter().len() + copies.len() > MOST_PROPERTIES {
        let message = format!("references make more than {MOST_PROPERTIES} properties");
        if !diagnostics.iter().any(|d| d.message == message) {
            diagnostics.error(&reference, message);
        }
        return;
    }
    for copy in copies {
        // Names of a template that does not begin with "worker." have not been checked yet.
        if defs::find(defs::last_part(copy.name())).is_none() {
            let message =
                format!("unknown property in template {}: {}", quoted(template), quoted(copy.name()));
            diagnostics.warning(&reference, message);
        }
        properties.put(copy);
    }
}

#[cfg(test)]
#[path = "references_tests.rs"]
mod tests;
