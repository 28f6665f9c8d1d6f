//! What an administrator should look at, in words, above everything else.

use maud::{Markup, html};

use super::Frame;
use super::texts::fill;
use crate::engine::config::model::Activation;
use crate::engine::status::view::{Balancer, Health, Member, State};

/// Seconds after which a member that somebody has disabled or stopped at run time may have been forgotten.
const LONG: u64 = 3_600;
/// Share of session ids without a known route that is worth a warning, in per cent.
const MANY: u64 = 10;
/// Most members that are named.
const MOST: usize = 5;

/// The section; it is there without warnings too, so that a live page can fill it.
pub(super) fn section(frame: &Frame<'_>) -> Markup {
    let found = all(frame);
    html! {
        section.warnings data-live="!" data-whole="" aria-label=(frame.texts.warnings) {
            @if !found.is_empty() {
                ul {
                    @for (health, text) in &found {
                        li class=(if *health == Health::Bad { "note bad" } else { "note degraded" }) {
                            span aria-hidden="true" { "▲ " } (text)
                        }
                    }
                }
            }
        }
    }
}

/// All warnings, the worst first.
fn all(frame: &Frame<'_>) -> Vec<(Health, String)> {
    let (view, texts) = (frame.page.view, frame.texts);
    let mut found = Vec::new();
    for balancer in view.balancers.iter().filter(|balancer| is_down(balancer)) {
        found.push((Health::Bad, fill(texts.all_down, &balancer.name)));
    }
    if view.open {
        found.push((Health::Bad, texts.open.to_owned()));
    }
    for balancer in &view.balancers {
        if let Some(share) = balancer.sessions.lost_per_cent().filter(|share| *share >= MANY)
            && balancer.sticky_session
        {
            found
                .push((Health::Degraded, format!("{}: {}", balancer.name, fill(texts.lost_sessions, share))));
        }
    }
    found.extend(benched(frame).into_iter().map(|text| (Health::Degraded, text)));
    found
}

/// Nobody can take a request.
fn is_down(balancer: &Balancer) -> bool {
    !balancer.members.is_empty()
        && balancer
            .members
            .iter()
            .all(|member| member.activation == Activation::Stopped || member.state == State::Error)
}

/// Members that were disabled or stopped long ago, and not by the configuration.
fn benched(frame: &Frame<'_>) -> Vec<String> {
    let (view, texts) = (frame.page.view, frame.texts);
    let mut found = Vec::new();
    for balancer in &view.balancers {
        for member in &balancer.members {
            let Some(at) = member.benched.filter(|at| view.clock.ago(*at) >= LONG) else { continue };
            let text = match member.activation {
                Activation::Disabled => texts.benched_disabled,
                Activation::Stopped => texts.benched_stopped,
                Activation::Active => continue,
            };
            if by_hand(member) {
                let name = format!("{}/{}", balancer.name, member.backend.name);
                found.push(fill(&fill(text, name), texts.span(view.clock.ago(at))));
            }
        }
    }
    let rest = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    if rest > 0 {
        found.push(fill(texts.and_more, rest));
    }
    found
}

/// The configuration says something else.
fn by_hand(member: &Member) -> bool {
    member.backend.drift.iter().any(|drift| drift.property == "activation")
}
