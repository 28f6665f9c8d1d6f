//! One request's way through a balancer: members one after the other until one has served it.
//!
//! Which member, and when to give up, is decided by [`Rounds`]; what an attempt on one member is, by
//! [`serve_again`](super::attempts::serve_again). This is the loop around both. It waits only where the [`Farm`] does.

use std::time::Duration;

use super::attempts::{Attempt, Served};
use super::buffers::Buffers;
use super::host::Host;
use crate::engine::balance::Ask;
use crate::engine::balance::outcome::{Context, Outcome};
use crate::engine::balance::pick::Pick;
use crate::engine::balance::rounds::{Next, Rounds};
use crate::engine::error::{Cause, Failure, RetryPolicy, Stage};

/// The members of a balancer at work.
pub trait Farm<H: Host> {
    /// Has a member serve the request. `kept`: see [`serve_again`](super::attempts::serve_again).
    ///
    /// # Errors
    /// The last attempt; it has not been reported.
    fn attempt(
        &mut self,
        host: &mut H,
        pick: &Pick,
        buffers: &mut Buffers,
        kept: &mut Option<usize>,
    ) -> Result<Served, Attempt>;

    /// What of a failure on this member may be repeated, and the statuses that count as failure.
    fn rules(&self, member: usize) -> (RetryPolicy, &[i32]);

    /// A member has failed; `next` is what follows.
    fn failed(&mut self, host: &mut H, pick: &Pick, attempt: &Attempt, next: Follow<'_>);

    /// The request fails for a reason that is not a member's.
    fn refused(&mut self, host: &mut H, failure: &Failure);

    /// Requests may wait for a member.
    fn has_queue(&self) -> bool;

    /// Waits before another round.
    fn pause(&self, time: Duration);

    /// Nobody can serve the request now: waits until somebody may.
    ///
    /// # Errors
    /// There is no queue, it is full, or the wait was too long.
    fn queue(&mut self, host: &mut H) -> Result<(), Cause>;

    /// Other requests are in work on a member.
    fn others_in_work(&self, member: usize) -> bool;
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow<'p> {
    /// Another member.
    Member(&'p Pick),
    /// Members are tried again after a pause.
    Round(Duration),
    /// The request waits for a member.
    Queue,
    /// The client gets this failure.
    End(&'p Failure),
}

/// Has members serve the request until one has done it.
///
/// # Errors
/// The failure the client is told of. Failed attempts have been reported; when no member was tried at all, nothing has.
pub fn serve_balanced<H: Host, F: Farm<H>>(
    host: &mut H,
    farm: &mut F,
    rounds: &mut Rounds<'_, '_>,
    mut ask: Ask<'_>,
    buffers: &mut Buffers,
) -> Result<Served, Failure> {
    let mut kept = None;
    // The last attempt that failed, and whether it has been reported.
    let mut last: Option<(Pick, Attempt, bool)> = None;
    loop {
        let next = rounds.next(&ask);
        let cause = match next {
            Next::Try(pick) => {
                if let Some((before, attempt, false)) = last.take() {
                    farm.failed(host, &before, &attempt, Follow::Member(&pick));
                }
                let begun = ask.now;
                let result = farm.attempt(host, &pick, buffers, &mut kept);
                ask.now = host.now();
                ask.random = ask.random.rotate_left(23) ^ ask.now.0;
                let (policy, fail_on) = farm.rules(pick.member);
                let outcome = Outcome::of(&result.map_err(|attempt| attempt.failure), fail_on);
                let traffic = match &result {
                    Ok(served) => served.traffic,
                    Err(attempt) => attempt.traffic,
                };
                let movable = match &result {
                    Ok(_) => false,
                    Err(attempt) => attempt.failure.may_move(host.head().method, policy),
                };
                let context = Context {
                    sent: traffic.sent,
                    received: traffic.received,
                    first_octet: traffic.head_at.map(|at| at.since(begun)),
                    now: ask.now,
                    others_in_work: farm.others_in_work(pick.member),
                };
                rounds.ended(outcome, &context);
                match result {
                    Ok(served) => return Ok(served),
                    Err(attempt) if !movable => {
                        farm.failed(host, &pick, &attempt, Follow::End(&attempt.failure));
                        return Err(attempt.failure);
                    }
                    Err(attempt) => last = Some((pick, attempt, false)),
                }
                continue;
            }
            Next::Pause(time) => {
                report_once(host, farm, &mut last, Follow::Round(time));
                farm.pause(time);
                ask.now = host.now();
                continue;
            }
            Next::Nobody => Cause::NoMember,
            Next::ForcedAway { .. } => Cause::ForcedAway,
            Next::OverBudget => Cause::OverBudget,
            Next::Spent => Cause::NoMember,
        };
        if next == Next::Nobody {
            if farm.has_queue() {
                report_once(host, farm, &mut last, Follow::Queue);
            }
            match farm.queue(host) {
                Ok(()) => {
                    ask.now = host.now();
                    rounds.again();
                    continue;
                }
                Err(Cause::NoMember) => {}
                Err(queue) => {
                    let failure = Failure::early(queue, Stage::Acquire);
                    farm.refused(host, &failure);
                    return Err(failure);
                }
            }
        }
        let failure = Failure::early(cause, Stage::Acquire);
        if last.is_none() || cause == Cause::OverBudget {
            farm.refused(host, &failure);
        }
        // What the client is told is why the last member failed; "no member" only when none was tried.
        let Some((before, attempt, reported)) = last.take() else { return Err(failure) };
        if !reported {
            farm.failed(host, &before, &attempt, Follow::End(&attempt.failure));
        }
        return Err(attempt.failure);
    }
}

/// Reports the last failed attempt unless that was done before.
fn report_once<H: Host, F: Farm<H>>(
    host: &mut H,
    farm: &mut F,
    last: &mut Option<(Pick, Attempt, bool)>,
    next: Follow<'_>,
) {
    if let Some((pick, attempt, reported @ false)) = last {
        *reported = true;
        farm.failed(host, pick, attempt, next);
    }
}
