//! Notes about the members that a request met, for access logs: `JK_LB_FIRST_...`, `JK_LB_LAST_...`, `JK_DECISION`.
//!
//! Names and values are mod_jk's (lb_add_log_items in jk_lb_worker.c). They are written once each, so they are added to the
//! notes without a search for older ones, and their numbers are one piece of memory.

use std::ffi::CStr;
use std::sync::atomic::Ordering::Relaxed;

use super::runtime::Farm;
use crate::engine::config::model::Activation;
use crate::engine::text::Decimal;
use crate::ffi::request::Request;

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

static FIRST: [&CStr; 10] = names!("JK_LB_FIRST_");
static LAST: [&CStr; 10] = names!("JK_LB_LAST_");

/// Room for seven numbers of at most twenty digits with their ends.
const ROOM: usize = 7 * 21;

/// After the first attempt of a request.
pub(super) fn first(request: Request<'_>, farm: &Farm, member: usize, overrides: &[(usize, Activation)]) {
    write(request, farm, member, overrides, &FIRST);
}

/// After the last one.
pub(super) fn last(request: Request<'_>, farm: &Farm, member: usize, overrides: &[(usize, Activation)]) {
    write(request, farm, member, overrides, &LAST);
}

/// Why the request went where it did.
pub(super) fn decision(request: Request<'_>, text: &[u8]) {
    request.note(c"JK_DECISION", request.pool().text(text));
}

fn write(
    request: Request<'_>,
    farm: &Farm,
    place: usize,
    overrides: &[(usize, Activation)],
    names: &[&'static CStr; 10],
) {
    let (Some(facts), Some(member)) = (farm.balancer.members.get(place), farm.members.get(place)) else {
        return;
    };
    let (state, worker) = (facts.state, facts.worker);
    let numbers = [
        state.value.load(Relaxed),
        worker.used.load(Relaxed),
        state.sessions.load(Relaxed),
        worker.received.load(Relaxed),
        worker.sent.load(Relaxed),
        state.errors.load(Relaxed),
        u64::from(worker.gauge.now()),
    ];
    let mut text = [0; ROOM];
    let mut ends = [0; 7];
    let mut len = 0;
    for (number, end) in numbers.into_iter().zip(&mut ends) {
        let digits = Decimal::new(number);
        let digits = digits.as_bytes();
        if let Some(room) = text.get_mut(len..len + digits.len()) {
            room.copy_from_slice(digits);
            len += digits.len();
        }
        *end = len;
        len += 1; // a NUL
    }
    let written = text.get(..len).unwrap_or_default();
    let copied = request.pool().copy_all(written);
    let mut from = 0;
    let mut notes = names.iter();
    let mut add = |value| {
        if let Some(name) = notes.next() {
            request.add_note(name, value);
        }
    };
    add(member.c_name.as_c_str().into());
    for end in ends {
        add(copied.text(written.get(from..end).unwrap_or_default()));
        from = end + 1;
    }
    let activation = overrides
        .iter()
        .find(|(at, _)| *at == place)
        .map_or_else(|| facts.state.activation(), |(_, activation)| *activation);
    add(match activation {
        Activation::Active => c"ACT".into(),
        Activation::Disabled => c"DIS".into(),
        Activation::Stopped => c"STP".into(),
    });
    add(state_name(facts.state.state().name()).into());
}

/// The NUL-terminated form of a state's name.
fn state_name(name: &str) -> &'static CStr {
    match name {
        "OK/IDLE" => c"OK/IDLE",
        "OK" => c"OK",
        "ERR/REC" => c"ERR/REC",
        "ERR/FRC" => c"ERR/FRC",
        "OK/BUSY" => c"OK/BUSY",
        "ERR/PRB" => c"ERR/PRB",
        _ => c"ERR",
    }
}
