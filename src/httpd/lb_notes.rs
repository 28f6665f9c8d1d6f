//! Notes about the members that a request met, for access logs: `JK_LB_FIRST_...`, `JK_LB_LAST_...`, `JK_DECISION`.
//!
//! Names and values are mod_jk's (lb_add_log_items in jk_lb_worker.c). They are written once each, so nothing searches for
//! older ones, and their numbers are one piece of memory. Nearly always one member is tried: then the first is the last, and
//! all notes are a copy of one table, into which the values are put.

use std::ffi::CStr;
use std::sync::atomic::Ordering::Relaxed;

use super::runtime::Farm;
use crate::engine::balance::state::State;
use crate::engine::config::model::Activation;
use crate::ffi::pool::Text;
use crate::ffi::request::Request;
use crate::ffi::table::Form;

/// Notes about a member.
const EACH: usize = 10;
/// Notes about the first and the last member, and the decision.
const ALL: usize = 2 * EACH + 1;

macro_rules! names {
    ($prefix:literal) => {
        [
            name(concat!($prefix, "NAME\0")),
            name(concat!($prefix, "VALUE\0")),
            name(concat!($prefix, "ACCESSED\0")),
            name(concat!($prefix, "SESSIONS\0")),
            name(concat!($prefix, "READ\0")),
            name(concat!($prefix, "TRANSFERRED\0")),
            name(concat!($prefix, "ERRORS\0")),
            name(concat!($prefix, "BUSY\0")),
            name(concat!($prefix, "ACTIVATION\0")),
            name(concat!($prefix, "STATE\0")),
        ]
    };
}

const fn name(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(name) => name,
        Err(_) => c"",
    }
}

const FIRST: [&CStr; EACH] = names!("JK_LB_FIRST_");
const LAST: [&CStr; EACH] = names!("JK_LB_LAST_");
const DECISION: &CStr = c"JK_DECISION";

/// All names in one table.
static FORM: Form<ALL> = Form::new(join(FIRST, LAST, DECISION));

/// The names of [`FORM`], in the order in which [`only`] has the values.
const fn join(
    first: [&'static CStr; EACH],
    last: [&'static CStr; EACH],
    decision: &'static CStr,
) -> [&'static CStr; ALL] {
    let ([a, b, c, d, e, f, g, h, i, j], [k, l, m, n, o, p, q, r, s, t]) = (first, last);
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, decision]
}

/// After the only attempt of a request: all notes.
pub(super) fn only<'r>(
    request: Request<'r>,
    farm: &'r Farm,
    member: usize,
    overrides: &[(usize, Activation)],
    decided: &[u8],
) {
    let Some([a, b, c, d, e, f, g, h, i, j]) = values(request, farm, member, overrides) else { return };
    let decided = request.pool().text(decided);
    let values = [a, b, c, d, e, f, g, h, i, j, a, b, c, d, e, f, g, h, i, j, decided];
    request.fill_notes(&FORM, values);
}

/// After the first attempt of a request, when it failed.
pub(super) fn first<'r>(
    request: Request<'r>,
    farm: &'r Farm,
    member: usize,
    overrides: &[(usize, Activation)],
) {
    write(request, farm, member, overrides, &FIRST);
}

/// After the last one.
pub(super) fn last<'r>(
    request: Request<'r>,
    farm: &'r Farm,
    member: usize,
    overrides: &[(usize, Activation)],
) {
    write(request, farm, member, overrides, &LAST);
}

/// Why the request went where it did.
pub(super) fn decision(request: Request<'_>, text: &[u8]) {
    request.note(DECISION, request.pool().text(text));
}

fn write<'r>(
    request: Request<'r>,
    farm: &'r Farm,
    member: usize,
    overrides: &[(usize, Activation)],
    names: &[&'static CStr; EACH],
) {
    for (name, value) in names.iter().zip(values(request, farm, member, overrides).into_iter().flatten()) {
        request.add_note(name, value);
    }
}

/// What there is to say about a member, in the order of the names.
fn values<'r>(
    request: Request<'r>,
    farm: &'r Farm,
    place: usize,
    overrides: &[(usize, Activation)],
) -> Option<[Text<'r>; EACH]> {
    let (facts, member) = (farm.balancer.members.get(place)?, farm.members.get(place)?);
    let (state, worker) = (facts.state, facts.worker);
    let [value, used, sessions, received, sent, errors, busy] = request.pool().decimals([
        state.value.load(Relaxed),
        worker.used.load(Relaxed),
        state.sessions.load(Relaxed),
        worker.received.load(Relaxed),
        worker.sent.load(Relaxed),
        state.errors.load(Relaxed),
        u64::from(worker.gauge.now()),
    ]);
    let activation = overrides
        .iter()
        .find(|(at, _)| *at == place)
        .map_or_else(|| facts.state.activation(), |(_, activation)| *activation);
    let activation = match activation {
        Activation::Active => c"ACT",
        Activation::Disabled => c"DIS",
        Activation::Stopped => c"STP",
    };
    let state = state_name(state.state());
    let name = member.c_name.as_c_str();
    Some([name.into(), value, used, sessions, received, sent, errors, busy, activation.into(), state.into()])
}

/// [`State::name`], NUL-terminated.
fn state_name(state: State) -> &'static CStr {
    match state {
        State::Idle => c"OK/IDLE",
        State::Ok => c"OK",
        State::Recover => c"ERR/REC",
        State::Force => c"ERR/FRC",
        State::Busy => c"OK/BUSY",
        State::Error => c"ERR",
        State::Probe => c"ERR/PRB",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_their_names() {
        for number in 0..7 {
            let state = State::from_number(number);
            assert_eq!(state_name(state).to_str(), Ok(state.name()));
        }
    }

    #[test]
    fn all_names_differ() {
        let mut names = join(FIRST, LAST, DECISION).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL);
        assert!(names.iter().all(|name| name.to_bytes().starts_with(b"JK_")));
    }
}
