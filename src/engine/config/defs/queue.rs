//! Properties of requests that wait for room: at a worker that has enough to do, at a balancer without a usable member.
//!
//! None of them exists in mod_jk, and all are off unless set: a request that finds no room fails at once.

use super::{Apply, Def, Group, Unit};

const fn ajp13(name: &'static str, apply: Apply) -> Def {
    Def::new(name, Group::Relay, apply)
}

const fn lb(name: &'static str, apply: Apply) -> Def {
    Def::new(name, Group::Lb, apply)
}

/// Of `ajp13` workers.
pub(super) const AJP13: &[Def] = &[
    Def {
        default: "0",
        range: "0 or less: no limit",
        doc: "Most requests in work on this worker, counted over all processes. A request above it waits in the queue of \
              the worker when there is one, else it goes to another member of the balancer or ends with 503. Not in \
              mod_jk.",
        ..ajp13("max_in_flight", Apply::Ajp13(|raw, value| raw.max_in_flight = value.integer()))
    },
    Def {
        default: "0",
        range: "0 or less: no queue; needs max_in_flight and queue_timeout",
        doc: "Most requests that wait because max_in_flight are in work, counted over all processes; one more is treated \
              as if there were no queue. Those that wait are served before newcomers. Not in mod_jk.",
        ..ajp13("queue_size", Apply::Ajp13(|raw, value| raw.queue_size = value.integer()))
    },
    Def {
        unit: Unit::Milliseconds,
        default: "0",
        range: "0 or less: no waiting",
        doc: "Longest time in the queue of the worker; after it the request is treated as if there were no queue. Not in \
              mod_jk.",
        ..ajp13("queue_timeout", Apply::Ajp13(|raw, value| raw.queue_timeout = value.integer()))
    },
];

/// Of `lb` workers.
pub(super) const LB: &[Def] = &[
    Def {
        default: "0",
        range: "0 or less: no queue; needs queue_timeout",
        doc: "Most requests that wait because no member can be used, counted over all processes; one more ends with 503. \
              Not in mod_jk.",
        ..lb("queue_size", Apply::Lb(|raw, value| raw.queue_size = value.integer()))
    },
    Def {
        unit: Unit::Milliseconds,
        default: "0",
        range: "0 or less: no waiting",
        doc: "Longest wait for a member that can be used; after it the request ends with 503. Not in mod_jk.",
        ..lb("queue_timeout", Apply::Lb(|raw, value| raw.queue_timeout = value.integer()))
    },
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::engine::config::diagnostic::Severity;
    use crate::engine::config::resolve::testing::{
        ajp, balancer, balancer_lines, errors_of, load, problems, warnings_of,
    };

    #[test]
    fn max_in_flight() {
        assert_eq!(ajp("").max_in_flight, 0);
        assert_eq!(ajp("worker.w.max_in_flight=40").max_in_flight, 40);
        assert_eq!(ajp("worker.w.max_in_flight=-1").max_in_flight, 0);
        assert_eq!(warnings_of("worker.w.max_in_flight=40"), [""; 0]);
        assert_eq!(errors_of("worker.w.max_in_flight=x").len(), 1);
    }

    #[test]
    fn queue_size() {
        assert_eq!((ajp("").queue_size, balancer("").queue_size), (0, 0));
        assert_eq!(ajp("worker.w.queue_size=7").queue_size, 7);
        assert_eq!(balancer("worker.l.queue_size=8").queue_size, 8);
        assert_eq!(ajp("worker.w.queue_size=-7").queue_size, 0);
        assert_eq!(balancer("worker.l.queue_size=-8").queue_size, 0);
        assert_eq!(errors_of("worker.w.queue_size=x").len(), 1);
    }

    #[test]
    fn queue_timeout() {
        assert_eq!((ajp("").queue_timeout, balancer("").queue_timeout), (Duration::ZERO, Duration::ZERO));
        assert_eq!(ajp("worker.w.queue_timeout=700").queue_timeout, Duration::from_millis(700));
        assert_eq!(balancer("worker.l.queue_timeout=800").queue_timeout, Duration::from_millis(800));
        assert_eq!(ajp("worker.w.queue_timeout=-1").queue_timeout, Duration::ZERO);
    }

    #[test]
    fn half_a_queue_is_reported() {
        let whole = "worker.w.max_in_flight=4\nworker.w.queue_size=7\nworker.w.queue_timeout=700\n";
        assert_eq!(warnings_of(whole), [""; 0]);
        for (left_out, missing) in [
            ("max_in_flight", "max_in_flight"),
            ("queue_timeout", "queue_timeout"),
            ("queue_size", "queue_size"),
        ] {
            let lines: String = whole.split_inclusive('\n').filter(|line| !line.contains(left_out)).collect();
            let warnings = warnings_of(&lines);
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(warnings[0].contains(&format!("without {missing}")), "{warnings:?}");
        }
        let of_lb = |lines: &str| problems(&load(&balancer_lines(lines)).1, Severity::Warning);
        assert_eq!(of_lb("worker.l.queue_size=7\nworker.l.queue_timeout=700\n"), [""; 0]);
        assert!(of_lb("worker.l.queue_size=7\n")[0].contains("without queue_timeout"));
        assert!(of_lb("worker.l.queue_timeout=700\n")[0].contains("without queue_size"));
        assert_eq!(of_lb("worker.l.queue_size=0\nworker.l.queue_timeout=0\n"), [""; 0]);
    }
}
