//! One request's way through a balancer: members one after the other until one has served it.
//!
//! Which member, and when to give up, is decided by [`Rounds`]; what an attempt on one member is, by [`Run`]. This is the
//! loop around both, and like them it can be put aside wherever it would wait, except in queues.

use std::time::Duration;

use super::attempts::{Attempt, Served};
use super::buffers::Buffers;
use super::host::Host;
use super::run::{Progress, Run, Wait};
use crate::engine::balance::outcome::{Context, Outcome};
use crate::engine::balance::pick::Pick;
use crate::engine::balance::rounds::{Next, Rounds};
use crate::engine::balance::{Ask, Balancer};
use crate::engine::error::{Cause, Failure, RetryPolicy, Stage};
use crate::engine::exchange::Link;
use crate::engine::units::Tick;

/// The members of a balancer at work.
pub trait Farm<H: Host> {
    /// A connection to a member.
    type Link: Link;

    /// Prepares to have a member serve the request. `Some`: it has no place yet, call this again with the same pick when there may
    /// be one or that time is over. `block`: waits for the place.
    ///
    /// # Errors
    /// It has too much to do.
    fn begin(&mut self, host: &mut H, pick: &Pick, block: bool) -> Result<Option<Duration>, Cause>;

    /// One step of the request on the member that was begun.
    fn step(&mut self, host: &mut H, run: &mut Run<Self::Link>, block: bool) -> Progress;

    /// The member that was begun has served the request or failed to; the request is not in work there any more.
    fn end(&mut self);

    /// What of a failure on this member may be repeated, and the statuses that count as failure.
    fn rules(&self, member: usize) -> (RetryPolicy, &[i32]);

    /// The outcome on a member has been judged; its record shows it. `failed`: it has not served the request.
    fn judged(&mut self, host: &mut H, pick: &Pick, failed: bool);

    /// A member has failed; `next` is what follows.
    fn failed(&mut self, host: &mut H, pick: &Pick, attempt: &Attempt, next: Follow<'_>);

    /// The request fails for a reason that is not a member's.
    fn refused(&mut self, host: &mut H, failure: &Failure);

    /// Requests may wait for a member.
    fn has_queue(&self) -> bool;

    /// Waits before another round.
    fn pause(&self, time: Duration);

    /// Nobody can serve the request now: waits until somebody may. `Some`: nobody may yet, call this again when that has changed
    /// or that time is over. `block`: waits inside.
    ///
    /// # Errors
    /// There is no queue, it is full, or the wait was too long.
    fn queue(&mut self, host: &mut H, block: bool) -> Result<Option<Duration>, Cause>;

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

/// How far a step came.
#[derive(Debug, Clone, Copy)]
pub enum Going {
    /// The response is delivered, or the client is to be told of this failure. Failed attempts have been reported.
    Done(Result<Served, Failure>),
    /// Nothing more can be done before this happens.
    Wait(Wait),
}

/// A request on its way through a balancer.
#[derive(Debug)]
pub struct Journey<'b, 's, L> {
    rounds: Rounds<'b, 's>,
    place: Place,
    /// On the member of `place`; between two members what goes along.
    run: Run<L>,
    /// The last attempt that failed, and whether it has been reported.
    last: Option<(Pick, Attempt, bool)>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Choosing,
    /// The member that was chosen has no place for it yet.
    Entering {
        pick: Pick,
    },
    /// No member has.
    Queued,
    On {
        pick: Pick,
        begun: Tick,
    },
    Pause {
        until: Tick,
    },
}

/// Where the request goes.
enum Chosen {
    /// On.
    Go,
    /// Nowhere before this time, unless there is a place sooner.
    Wait(Duration),
    /// To nobody; what the client is to be told.
    Nobody(Failure),
}

impl<'b, 's, L: Link> Journey<'b, 's, L> {
    /// A request that has not been tried.
    #[inline]
    pub fn new(balancer: &'b Balancer<'s>, buffers: Box<Buffers>) -> Self {
        let (rounds, run) = (Rounds::new(balancer), Run::new(buffers, None));
        Self { rounds, place: Place::Choosing, run, last: None }
    }

    /// How the request came to where it is.
    pub fn rounds(&self) -> &Rounds<'b, 's> {
        &self.rounds
    }

    /// The buffers, once it is over.
    pub fn take_buffers(&mut self) -> Box<Buffers> {
        self.run.take_buffers()
    }

    /// The buffers, between two steps.
    pub fn buffers(&mut self) -> &mut Buffers {
        self.run.buffers()
    }

    /// The connection that a wait is about.
    pub fn link(&mut self) -> Option<&mut L> {
        self.run.link()
    }

    /// What was waited for has not come within its time.
    pub fn expire(&mut self) {
        if let Place::On { .. } = self.place {
            self.run.expire();
        }
    }

    /// The client is gone. False: the request is not on a member now, and should be dropped.
    pub fn lose_client(&mut self) -> bool {
        let on_member = matches!(self.place, Place::On { .. });
        if on_member {
            self.run.lose_client();
        }
        on_member
    }

    /// Goes as far as possible. `ask`: what the request asks, as of now. `block`: waits inside, so that it is over when this
    /// returns.
    pub fn step<H: Host, F: Farm<H, Link = L>>(
        &mut self,
        host: &mut H,
        farm: &mut F,
        mut ask: Ask<'_>,
        block: bool,
    ) -> Going {
        loop {
            match self.place {
                Place::On { pick, begun } => {
                    let result = match farm.step(host, &mut self.run, block) {
                        Progress::Wait(wait) => return Going::Wait(wait),
                        Progress::Done(result) => result,
                    };
                    self.place = Place::Choosing;
                    let now = result.as_ref().map_or_else(|_| host.now(), |served| served.ended);
                    ask = later(ask, now);
                    farm.end();
                    if let Some(done) = self.judge(host, farm, &pick, result, begun, ask.now) {
                        return Going::Done(done);
                    }
                }
                Place::Pause { until } => {
                    let left = until.since(host.now());
                    if !left.is_zero() {
                        if !block {
                            return Going::Wait(Wait::pause(left));
                        }
                        farm.pause(left);
                    }
                    self.place = Place::Choosing;
                    ask = later(ask, host.now());
                }
                place => {
                    let chosen = match place {
                        Place::Entering { pick } => self.enter(host, farm, &mut ask, pick, block),
                        Place::Queued => self.queue(host, farm, &mut ask, block),
                        _ => self.choose(host, farm, &mut ask, block),
                    };
                    match chosen {
                        Chosen::Go => {}
                        Chosen::Wait(time) => return Going::Wait(Wait::for_place(Some(time))),
                        Chosen::Nobody(failure) => return Going::Done(Err(failure)),
                    }
                }
            }
        }
    }

    /// Has the member serve that was chosen, when it has a place.
    fn enter<H: Host, F: Farm<H, Link = L>>(
        &mut self,
        host: &mut H,
        farm: &mut F,
        ask: &mut Ask<'_>,
        pick: Pick,
        block: bool,
    ) -> Chosen {
        match farm.begin(host, &pick, block) {
            Ok(None) => {
                self.run.restart();
                self.place = Place::On { pick, begun: ask.now };
                Chosen::Go
            }
            Ok(Some(time)) => {
                self.place = Place::Entering { pick };
                Chosen::Wait(time)
            }
            Err(cause) => {
                self.place = Place::Choosing;
                let failure = Failure::early(cause, Stage::Acquire);
                let attempt = Attempt { number: 1, failure, traffic: Default::default(), retried: false };
                *ask = later(*ask, host.now());
                match self.judge(host, farm, &pick, Err(attempt), ask.now, ask.now) {
                    Some(Err(failure)) => Chosen::Nobody(failure),
                    _ => Chosen::Go,
                }
            }
        }
    }

    /// Waits until a member may have a place.
    fn queue<H: Host, F: Farm<H, Link = L>>(
        &mut self,
        host: &mut H,
        farm: &mut F,
        ask: &mut Ask<'_>,
        block: bool,
    ) -> Chosen {
        self.place = Place::Choosing;
        match farm.queue(host, block) {
            Ok(None) => {
                *ask = later(*ask, host.now());
                self.rounds.again();
                Chosen::Go
            }
            Ok(Some(time)) => {
                self.place = Place::Queued;
                Chosen::Wait(time)
            }
            Err(Cause::NoMember) => Chosen::Nobody(self.nobody(host, farm, Cause::NoMember)),
            Err(queue) => {
                let failure = Failure::early(queue, Stage::Acquire);
                farm.refused(host, &failure);
                Chosen::Nobody(failure)
            }
        }
    }

    /// Decides where the request goes next.
    fn choose<H: Host, F: Farm<H, Link = L>>(
        &mut self,
        host: &mut H,
        farm: &mut F,
        ask: &mut Ask<'_>,
        block: bool,
    ) -> Chosen {
        let next = self.rounds.next(ask);
        let cause = match next {
            Next::Try(pick) => {
                if let Some((before, attempt, false)) = self.last.take() {
                    farm.failed(host, &before, &attempt, Follow::Member(&pick));
                }
                return self.enter(host, farm, ask, pick, block);
            }
            Next::Pause(time) => {
                self.report_once(host, farm, Follow::Round(time));
                self.place = Place::Pause { until: host.now().after(time) };
                return Chosen::Go;
            }
            Next::Nobody => Cause::NoMember,
            Next::ForcedAway { .. } => Cause::ForcedAway,
            Next::OverBudget => Cause::OverBudget,
            Next::Spent => Cause::NoMember,
        };
        if next == Next::Nobody {
            if farm.has_queue() {
                self.report_once(host, farm, Follow::Queue);
            }
            return self.queue(host, farm, ask, block);
        }
        Chosen::Nobody(self.nobody(host, farm, cause))
    }

    /// What the client is told when nobody can serve its request.
    fn nobody<H: Host, F: Farm<H, Link = L>>(&mut self, host: &mut H, farm: &mut F, cause: Cause) -> Failure {
        let failure = Failure::early(cause, Stage::Acquire);
        if self.last.is_none() || cause == Cause::OverBudget {
            farm.refused(host, &failure);
        }
        // What the client is told is why the last member failed; "no member" only when none was tried.
        let Some((before, attempt, reported)) = self.last.take() else { return failure };
        if !reported {
            farm.failed(host, &before, &attempt, Follow::End(&attempt.failure));
        }
        attempt.failure
    }

    /// What the result of a member means; `Some`: the request is over.
    fn judge<H: Host, F: Farm<H, Link = L>>(
        &mut self,
        host: &mut H,
        farm: &mut F,
        pick: &Pick,
        result: Result<Served, Attempt>,
        begun: Tick,
        now: Tick,
    ) -> Option<Result<Served, Failure>> {
        let (policy, fail_on) = farm.rules(pick.member);
        let (traffic, outcome) = match &result {
            Ok(served) => (served.traffic, Outcome::Success),
            Err(attempt) => (attempt.traffic, Outcome::of(&Err(attempt.failure), fail_on)),
        };
        let context = Context {
            sent: traffic.sent,
            received: traffic.received,
            first_octet: traffic.head_at.map(|at| at.since(begun)),
            now,
            others_in_work: farm.others_in_work(pick.member),
        };
        self.rounds.ended(outcome, &context);
        farm.judged(host, pick, result.is_err());
        match result {
            Ok(served) => Some(Ok(served)),
            Err(attempt) if attempt.failure.may_move(host.head().method, policy) => {
                self.last = Some((*pick, attempt, false));
                None
            }
            Err(attempt) => {
                farm.failed(host, pick, &attempt, Follow::End(&attempt.failure));
                Some(Err(attempt.failure))
            }
        }
    }

    /// Reports the last failed attempt unless that was done before.
    fn report_once<H: Host, F: Farm<H, Link = L>>(&mut self, host: &mut H, farm: &mut F, next: Follow<'_>) {
        if let Some((pick, attempt, reported @ false)) = &mut self.last {
            *reported = true;
            farm.failed(host, pick, attempt, next);
        }
    }
}

/// The same question asked again.
fn later(ask: Ask<'_>, now: Tick) -> Ask<'_> {
    Ask { now, random: ask.random.rotate_left(23) ^ now.0, ..ask }
}
