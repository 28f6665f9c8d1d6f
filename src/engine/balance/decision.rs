//! The record of how a request came to its member, for logs: `n2 sticky`,
//! `n2 method=request 2/3 n1:4 n2:2 n3:ERR`, `n1 sticky failed=refused; n2 only 1/2`.
//!
//! While the request runs only numbers are stored, those of at most eight members; text is made when somebody wants to read
//! it. `2/3`: two of three members could be used. Then come values as the method saw them (for methods that look at requests
//! in work: their number; for Latency: microseconds), or the state of a member that could not be used.

use super::methods::{Rule, with_rule};
use super::outcome::Outcome;
use super::pick::{Choice, Pick};
use super::state::State;
use super::{Balancer, Why};
use crate::engine::config::model::Method;
use crate::engine::text::Decimal;

/// Longest text, octets.
pub const LONGEST: usize = 320;
/// Members whose values are shown.
const SHOWN: usize = 8;
/// Tries that are remembered.
const TRIES: usize = 6;
/// End of a text that was too long.
const CUT: &[u8] = b" ...";

/// Why a request got no further member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Nobody,
    ForcedAway,
    OverBudget,
    Spent,
}

impl End {
    fn word(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::ForcedAway => "forced-away",
            Self::OverBudget => "over-budget",
            Self::Spent => "spent",
        }
    }
}

/// A try.
#[derive(Debug, Clone, Copy)]
struct Try {
    pick: Pick,
    failed: Option<Outcome>,
}

/// What a member looked like.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    state: State,
    value: u64,
}

/// How a request came to its member.
#[derive(Debug, Default)]
pub struct Decision {
    tries: [Option<Try>; TRIES],
    /// All tries, also those that are not remembered.
    count: usize,
    /// The members when the method chose last, and which try that was.
    seen: [Seen; SHOWN],
    seen_at: usize,
    end: Option<End>,
}

impl Decision {
    /// A member was chosen.
    pub(super) fn chose(&mut self, balancer: &Balancer<'_>, choice: &Choice) {
        let pick = choice.pick;
        if let Some(place) = self.tries.get_mut(self.count) {
            *place = Some(Try { pick, failed: None });
        }
        self.count += 1;
        self.end = None;
        if !matches!(pick.why, Why::Method) {
            return;
        }
        self.seen_at = self.count;
        with_rule!(balancer.settings.method, rule => {
            let members = balancer.members.iter().enumerate();
            for (seen, (place, member)) in self.seen.iter_mut().zip(members) {
                // What was added by this choice is not what it was made by.
                let own = choice.seen.filter(|_| place == pick.member);
                *seen = Seen { state: member.state.state(), value: own.unwrap_or_else(|| rule.shown(member)) };
            }
        });
    }

    /// The member chosen last failed.
    pub(super) fn failed(&mut self, outcome: Outcome) {
        if let Some(Some(last)) = self.count.checked_sub(1).and_then(|last| self.tries.get_mut(last)) {
            last.failed = Some(outcome);
        }
    }

    /// There is no further member.
    pub(super) fn ended(&mut self, end: End) {
        self.end = Some(end);
    }

    /// Members tried.
    pub fn tries(&self) -> usize {
        self.count
    }

    /// The first and the last choice that are remembered.
    pub fn picks(&self) -> Option<(Pick, Pick)> {
        let mut picks = self.tries.iter().flatten().map(|tried| tried.pick);
        let first = picks.next()?;
        Some((first, picks.next_back().unwrap_or(first)))
    }

    /// The text. `balancer`: the one that decided.
    pub fn text(&self, balancer: &Balancer<'_>) -> Text {
        let mut text = Text { octets: [0; LONGEST], len: 0, full: false };
        let name =
            |place: usize| balancer.members.get(place).map_or(&b"?"[..], |member| member.name.as_bytes());
        for (number, tried) in (1..).zip(self.tries.iter().flatten()) {
            let pick = tried.pick;
            text.put(&[
                if number > 1 { b"; " } else { b"" },
                name(pick.member),
                b" ",
                pick.why.word().as_bytes(),
            ]);
            if pick.why == Why::Method {
                text.put(&[b"=", word(balancer.settings.method)]);
            }
            if matches!(pick.why, Why::Method | Why::OnlyOne | Why::Turn | Why::StandIn) {
                let (usable, considered) = (number_of(pick.usable), number_of(pick.considered));
                text.put(&[b" ", usable.as_bytes(), b"/", considered.as_bytes()]);
            }
            if number == self.seen_at {
                self.list(balancer, &mut text);
            }
            if let Some(outcome) = tried.failed {
                text.put(&[b" failed=", outcome.word().as_bytes()]);
                if let Outcome::HardStatus(status) | Outcome::SoftStatus(status) = outcome {
                    text.put(&[b":", number_of(status).as_bytes()]);
                }
            }
        }
        if self.count > TRIES {
            text.put(&[b"; +", Decimal::new((self.count - TRIES) as u64).as_bytes()]);
        }
        if let Some(end) = self.end {
            text.put(&[if self.count > 0 { b"; " } else { b"" }, end.word().as_bytes()]);
        }
        text
    }

    fn list(&self, balancer: &Balancer<'_>, text: &mut Text) {
        for (seen, member) in self.seen.iter().zip(&balancer.members) {
            let value = Decimal::new(seen.value);
            let shown = match seen.state {
                state if state.is_usable() || state == State::Probe => value.as_bytes(),
                state => state.name().as_bytes(),
            };
            text.put(&[b" ", member.name.as_bytes(), b":", shown]);
        }
        let more = balancer.members.len().saturating_sub(SHOWN);
        if more > 0 {
            text.put(&[b" +", Decimal::new(more as u64).as_bytes()]);
        }
    }
}

/// A text of at most [`LONGEST`] octets.
#[derive(Debug, Clone)]
pub struct Text {
    octets: [u8; LONGEST],
    len: usize,
    full: bool,
}

impl Text {
    /// Its octets: names as configured, otherwise ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }

    /// Adds all parts or, when they do not fit, a sign that something is missing.
    fn put(&mut self, parts: &[&[u8]]) {
        let wanted: usize = parts.iter().map(|part| part.len()).sum();
        if self.full {
            return;
        }
        if wanted + CUT.len() > LONGEST - self.len {
            self.full = true;
            return self.copy(CUT);
        }
        for part in parts {
            self.copy(part);
        }
    }

    fn copy(&mut self, part: &[u8]) {
        if let Some(place) = self.octets.get_mut(self.len..self.len + part.len()) {
            place.copy_from_slice(part);
            self.len += part.len();
        }
    }
}

fn number_of(number: u16) -> Decimal {
    Decimal::new(u64::from(number))
}

fn word(method: Method) -> &'static [u8] {
    match method {
        Method::Request => b"request",
        Method::Traffic => b"traffic",
        Method::Busyness => b"busyness",
        Method::Sessions => b"sessions",
        Method::Next => b"next",
        Method::P2C => b"p2c",
        Method::Latency => b"latency",
        Method::Hash => b"hash",
    }
}
