//! A connection for an attempt, up to where it can carry a request: taken or opened, TLS begun, the backend asked whether it
//! is alive.

use super::{After, NOTHING, Phase, Run, Wait};
use crate::engine::error::{Cause, Failure, Stage};
use crate::engine::exchange::{Link, LinkError};
use crate::engine::proxy::attempts::Reached;
use crate::engine::proxy::host::Host;
use crate::engine::proxy::http::Question;
use crate::engine::proxy::step::Interest;
use crate::engine::proxy::{Links, WorkerView};
use crate::engine::units::Tick;

impl<L: Link> Run<L> {
    pub(super) fn acquire<H: Host, P: Links<Link = L>>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
        block: bool,
    ) -> After {
        let fresh = self.fresh || self.proven;
        let reached = if block {
            links.acquire(fresh).map(|(link, reused)| Reached::Link(link, reused))
        } else {
            links.reach(fresh)
        };
        let (link, reused) = match reached {
            Ok(Reached::Link(link, reused)) => (link, reused),
            Ok(Reached::Wait(patience)) => {
                self.expired = false; // what came of that is known there
                return After::Wait(Wait::for_place(patience));
            }
            Err(failure) => return After::End(Err(failure)),
        };
        let raw = link.is_raw();
        self.link = Some((link, reused));
        if raw {
            let until = worker.establish.map(|limit| host.now().after(limit));
            return After::Next(Phase::Establish { until });
        }
        self.greet(host, worker, reused)
    }

    /// What has to be done on a new connection before it carries octets.
    #[cold]
    pub(super) fn establish<H: Host, P: Links<Link = L>>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
        until: Option<Tick>,
        block: bool,
    ) -> After {
        let error = loop {
            let Some((link, _)) = &mut self.link else {
                return After::End(Err(Failure::early(Cause::Cut, Stage::Prepare)));
            };
            let writable = match link.establish() {
                Ok(None) => return self.greet(host, worker, false),
                Ok(Some(writable)) => writable,
                Err(error) => break error,
            };
            let left = until.map(|until| until.since(host.now()));
            if std::mem::take(&mut self.expired) || left.is_some_and(|left| left.is_zero()) {
                break LinkError::TimedOut;
            }
            if !block {
                let interest = Interest { link_writable: writable, ..NOTHING };
                return After::Wait(Wait::of(true, interest, left));
            }
            if let Err(error) = link.wait(writable, None, left.unwrap_or(worker.manner.timing.client)) {
                break error;
            }
        };
        self.discard(links, false);
        After::End(Err(Failure::early(Cause::Link(error), Stage::Connect)))
    }

    /// Asks whether the backend is alive, if the worker wants that.
    pub(super) fn greet<H: Host>(&mut self, host: &mut H, worker: &WorkerView<'_>, reused: bool) -> After {
        let probe = if reused { worker.prepost_ping } else { worker.connect_ping.or(worker.prepost_ping) };
        let proven = std::mem::take(&mut self.proven);
        let question = probe.filter(|_| !proven).and_then(|timeout| Some((timeout, Question::of(worker)?)));
        After::Next(match question {
            None => Phase::Ready,
            Some((timeout, question)) => {
                self.question = Some(question);
                Phase::Ping { timeout, until: host.now().after(timeout) }
            }
        })
    }
}
