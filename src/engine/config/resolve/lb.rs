//! Workers of type `lb`: defaults, and checks of their members.

use std::collections::HashMap;
use std::time::Duration;

use super::ajp13::{RETRIES, RETRY_INTERVAL};
use super::{Context, Plan, Planned, limit, pause};
use crate::engine::config::defs::Apply;
use crate::engine::config::diagnostic::quoted;
use crate::engine::config::model::{Ajp13, Lb, Member, ReplyTimeouts};
use crate::engine::config::raw::RawLb;
use crate::engine::config::secret::Secret;

/// Default of `lb_retries`.
const LB_RETRIES: u32 = 2;
/// Default of `retry_budget`, in percent.
const RETRY_BUDGET: i32 = 20;
/// Default of `recover_time`, in seconds.
const RECOVER_TIME: u32 = 60;

/// The balancer; `ajp13` holds the AJP workers at their places in the plan.
pub(super) fn resolve(
    context: &mut Context<'_>,
    worker: &Planned<'_>,
    plan: &Plan<'_>,
    ajp13: &[Option<Ajp13>],
) -> Lb {
    let mut raw = RawLb::default();
    context.apply(worker, |apply, value| {
        if let Apply::Lb(apply) = apply {
            apply(&mut raw, value);
        }
    });
    let set_session_cookie = raw.set_session_cookie.unwrap_or(false);
    let session_cookie_configured = raw.session_cookie.is_some();
    if set_session_cookie && !session_cookie_configured {
        let origin = context.origin(worker, "set_session_cookie");
        let message = format!(
            "worker.{0}.set_session_cookie would overwrite Tomcat's own cookie JSESSIONID; name the cookie with \
             worker.{0}.session_cookie",
            worker.name
        );
        context.diagnostics.error(&origin, message);
    }
    let queue = (raw.queue_size.unwrap_or(0), raw.queue_timeout.unwrap_or(0));
    context.queue(worker, queue, None);
    let secret = context.secret(worker, raw.secret.take(), raw.secret_file.take());
    let recover_time = raw.recover_time.unwrap_or(RECOVER_TIME);
    let seconds = |time: u32| Duration::from_secs(u64::from(time));
    Lb {
        members: members(context, worker, plan, ajp13, &secret),
        sticky_session: raw.sticky_session.unwrap_or(true),
        sticky_session_force: raw.sticky_session_force.unwrap_or(false),
        method: raw.method.unwrap_or_default(),
        lock: raw.lock.unwrap_or_default(),
        retries: raw.retries.unwrap_or(RETRIES),
        lb_retries: raw.lb_retries.unwrap_or(LB_RETRIES),
        retry_interval: pause(raw.retry_interval.unwrap_or(RETRY_INTERVAL)),
        recover_time: seconds(recover_time),
        error_escalation_time: seconds(
            raw.error_escalation_time.map_or(recover_time / 2, |time| u32::try_from(time).unwrap_or(0)),
        ),
        max_reply_timeouts: u32::try_from(raw.max_reply_timeouts.unwrap_or(0))
            .map_or(ReplyTimeouts::Tolerated, ReplyTimeouts::AtMost),
        session_cookie: raw.session_cookie.unwrap_or_else(|| "JSESSIONID".to_owned()),
        session_cookie_configured,
        session_path: raw.session_path.unwrap_or_else(|| ";jsessionid".to_owned()),
        set_session_cookie,
        session_cookie_path: raw.session_cookie_path.unwrap_or_else(|| "/".to_owned()),
        slow_start: seconds(limit(raw.slow_start)),
        retry_budget: Some(limit(raw.retry_budget.or(Some(RETRY_BUDGET)))).filter(|percent| *percent > 0),
        queue_size: limit(raw.queue_size),
        queue_timeout: pause(queue.1),
        hash_key: raw.hash_key.unwrap_or_default(),
    }
}

/// The members, each one once and with a route of its own.
fn members(
    context: &mut Context<'_>,
    worker: &Planned<'_>,
    plan: &Plan<'_>,
    ajp13: &[Option<Ajp13>],
    secret: &Secret,
) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::new();
    let mut routes: HashMap<&str, &str> = HashMap::new();
    for (place, line) in &worker.members {
        let (Some(planned), Some(Some(settings))) = (plan.workers.get(*place), ajp13.get(*place)) else {
            continue;
        };
        if members.iter().any(|member| member.worker == *place) {
            let message =
                format!("worker.{}.balance_workers names {} twice", worker.name, quoted(&planned.name));
            context.diagnostics.error(line, message);
            continue;
        }
        if let Some(other) = routes.insert(&settings.member.route, &planned.name) {
            let message = format!(
                "members {} and {} of balancer {} have the same route {}",
                quoted(other),
                quoted(&planned.name),
                quoted(&worker.name),
                quoted(&settings.member.route)
            );
            context.diagnostics.error(line, message);
            continue;
        }
        let secret = if settings.secret.is_none() { secret } else { &settings.secret };
        members.push(Member { worker: *place, secret: secret.clone() });
    }
    members
}
