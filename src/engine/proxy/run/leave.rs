//! The end of HTTP on a connection: the client is told, and a tunnel begins.

use super::{After, Phase, Run, Wait};
use crate::engine::error::{Cause, ClientFault, Failure, Stage};
use crate::engine::exchange::Link;
use crate::engine::proxy::host::Host;
use crate::engine::proxy::tunnel::{self, End, Tunnel};
use crate::engine::proxy::{Links, Served, WorkerView};

impl<L: Link> Run<L> {
    /// The backend has agreed to leave HTTP: the client is told, and a tunnel begins.
    #[cold]
    pub(super) fn switch<H: Host, P: Links<Link = L>>(&mut self, host: &mut H, links: &P) -> After {
        let fault = match self.upgrade {
            Some(upgrade) => match host.switch(upgrade) {
                Ok(()) => {
                    let mut buffers = self.regain();
                    // The tunnel counts what came behind the head.
                    let early = u64::try_from(buffers.input.filled().len()).unwrap_or(u64::MAX);
                    self.traffic.received = self.traffic.received.saturating_sub(early);
                    self.tunnel = Some(Box::new(Tunnel::new(upgrade, &mut buffers, host.now())));
                    self.buffers = Some(buffers);
                    return After::Next(Phase::Tunnel);
                }
                Err(fault) => fault,
            },
            None => ClientFault::Gone, // it was never asked for
        };
        self.discard(links, false);
        let failure = Failure::early(Cause::Client(fault), Stage::Body);
        After::End(Err(Failure { sent: true, replied: true, delivered: true, ..failure }))
    }

    #[cold]
    pub(super) fn tunnel<H: Host, P: Links<Link = L>>(
        &mut self,
        host: &mut H,
        links: &P,
        worker: &WorkerView<'_>,
    ) -> After {
        let (Some(tunnel), Some((link, _))) = (&mut self.tunnel, &mut self.link) else {
            return After::End(Err(Failure::early(Cause::Cut, Stage::Prepare)));
        };
        let buffers = self.buffers.get_or_insert_default();
        let limits = tunnel::Limits {
            idle: worker.http.and_then(|http| http.tunnel_timeout),
            half: worker.manner.timing.client,
        };
        let expired = std::mem::take(&mut self.expired);
        let end = if self.alone {
            End::ClientLost
        } else {
            match tunnel.step(host, link, buffers, &limits, expired) {
                Ok(pause) => {
                    return After::Wait(Wait {
                        link_readable: pause.link_readable,
                        place: false,
                        interest: pause.interest,
                        patience: pause.patience,
                        tunnel: true,
                        blind: pause.blind,
                    });
                }
                Err(end) => end,
            }
        };
        let summary = tunnel.summary(end);
        buffers.spare.clear();
        self.tunnel = None;
        // What breaks on one side must not look like an orderly end on the other one.
        self.discard(links, end == End::ClientLost);
        host.tunnel_over(matches!(end, End::BackendLost(_)));
        let mut traffic = std::mem::take(&mut self.traffic);
        traffic.sent = traffic.sent.saturating_add(summary.up);
        traffic.received = traffic.received.saturating_add(summary.down);
        traffic.body = traffic.body.saturating_add(summary.down);
        After::End(Ok(Served {
            traffic,
            attempts: self.number,
            ended: host.now(),
            body_left: false,
            replaced: None,
            surplus: false,
            reusable: false,
            tunnel: Some(summary),
        }))
    }
}
