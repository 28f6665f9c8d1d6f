//! Metrics for Prometheus, in its text format 0.0.4.
//!
//! One family for each row of [`FAMILIES`], all samples of a family together. Members carry their balancer in the label
//! `balancer`, AJP workers of their own an empty one. Counters never go back while the server runs: the command `reset`
//! does not touch them. Sources: "Exposition formats" and "Metric and label naming" in the Prometheus documentation.

use std::fmt::Write;

use super::histogram::{LABELS, Snapshot};
use super::view::{Backend, Balancer, Cause, Counts, Health, State, View, activation_text};
use crate::engine::config::model::{Activation, Status};

/// The type of the answer.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A metric.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels, for the manual.
    pub labels: &'static str,
    /// What it says.
    pub help: &'static str,
    write: fn(&mut Out<'_>),
}

const OF: &str = "balancer, worker";
const BALANCER: &str = "balancer";

const fn family(
    name: &'static str,
    kind: &'static str,
    labels: &'static str,
    help: &'static str,
    write: fn(&mut Out<'_>),
) -> Family {
    Family { name, kind, labels, help, write }
}

/// All metrics in the order of the answer.
pub const FAMILIES: [Family; 35] = [
    family(
        "jk_info",
        "gauge",
        "version, server",
        "Always 1; the labels name the module and the server.",
        |out| {
            let server = &out.view.server;
            out.sample("", &[("version", &server.version), ("server", &server.software)], 1);
        },
    ),
    family("jk_requests_total", "counter", OF, "Requests given to the worker.", |out| {
        out.each(|one| one.backend.traffic.requests);
    }),
    family("jk_errors_total", "counter", "balancer, worker, cause", "Failed attempts, by cause.", |out| {
        for one in out.ones() {
            for (cause, count) in Cause::ALL.iter().zip(one.backend.traffic.errors) {
                out.sample("", &[one.labels(), [("cause", cause.word()), NONE]].concat(), count);
            }
        }
    }),
    family("jk_in_flight", "gauge", OF, "Requests in work.", |out| out.each(|one| one.backend.busy)),
    family("jk_queued", "gauge", OF, "Requests that wait for a free connection.", |out| {
        out.each(|one| one.backend.traffic.queued);
    }),
    family(
        "jk_parked",
        "gauge",
        "",
        "Requests in work that wait without a thread, in all processes (see async.md).",
        |out| out.sample("", &[], out.view.parked),
    ),
    family("jk_connections", "gauge", OF, "Open connections.", |out| out.each(|one| one.backend.connected)),
    family("jk_busy_limit", "gauge", OF, "Most requests at one time (busy_limit); 0: no limit.", |out| {
        out.each(|one| u64::from(one.backend.busy_limit));
    }),
    family("jk_retries_total", "counter", OF, "Further attempts on the same worker.", |out| {
        out.each(|one| one.backend.traffic.retries);
    }),
    family("jk_failovers_total", "counter", OF, "Requests that went on to another member.", |out| {
        out.each(|one| one.backend.traffic.failovers);
    }),
    family("jk_sent_bytes_total", "counter", OF, "Bytes to the backend.", |out| {
        out.each(|one| one.backend.traffic.sent);
    }),
    family("jk_received_bytes_total", "counter", OF, "Bytes from the backend.", |out| {
        out.each(|one| one.backend.traffic.received);
    }),
    family(
        "jk_state",
        "gauge",
        "balancer, worker, state",
        "1 for the state of the worker, 0 for all others (OK/IDLE, OK, ERR/REC, ERR/FRC, OK/BUSY, ERR, ERR/PRB).",
        |out| {
            for one in out.ones() {
                for state in State::ALL {
                    let labels = [one.labels(), [("state", state.text()), NONE]].concat();
                    out.sample("", &labels, u64::from(state == one.state));
                }
            }
        },
    ),
    family(
        "jk_usable",
        "gauge",
        OF,
        "1 when the worker takes new requests: it is active and not in error.",
        |out| {
            out.each(|one| {
                let failed = matches!(one.state, State::Error);
                u64::from(one.activation == Activation::Active && !failed)
            });
        },
    ),
    family(
        "jk_member_activation",
        "gauge",
        "balancer, worker, activation",
        "1 for the activation of the member, 0 for the others (ACT, DIS, STP).",
        |out| {
            for one in out.members() {
                for (_, activation) in Activation::WORDS {
                    let word = activation_text(activation);
                    let labels = [one.labels(), [("activation", word), NONE]].concat();
                    out.sample("", &labels, u64::from(activation == one.activation));
                }
            }
        },
    ),
    family("jk_member_factor", "gauge", OF, "Weight of the member (lbfactor).", |out| {
        out.each_member(|member| u64::from(member.lbfactor));
    }),
    family("jk_member_value", "gauge", OF, "Load of the member as the method counts it.", |out| {
        out.each_member(|member| member.lbvalue);
    }),
    family("jk_member_sessions", "gauge", OF, "New sessions of the member since the last reset.", |out| {
        out.each_member(|member| member.sessions);
    }),
    family("jk_member_draining", "gauge", OF, "1 when the member is being drained.", |out| {
        out.each_member(|member| u64::from(member.drain.is_some()));
    }),
    family(
        "jk_member_drain_sessions",
        "gauge",
        OF,
        "Sessions seen in the last five minutes on a member that is being drained, estimated; missing for all others.",
        |out| {
            for balancer in &out.view.balancers {
                for member in &balancer.members {
                    if let Some(seen) = member.drain_seen {
                        let labels = [(BALANCER, balancer.name.as_str()), ("worker", &member.backend.name)];
                        out.sample("", &labels, u64::from(seen.recent));
                    }
                }
            }
        },
    ),
    family(
        "jk_probes_total",
        "counter",
        "balancer, worker, result",
        "Probes of the backend without a request of a user, by result (ok, failed).",
        |out| {
            for one in out.ones() {
                let traffic = &one.backend.traffic;
                for (result, count) in [("ok", traffic.probes_ok), ("failed", traffic.probes_failed)] {
                    out.sample("", &[one.labels(), [("result", result), NONE]].concat(), count);
                }
            }
        },
    ),
    family(
        "jk_probe_ok",
        "gauge",
        OF,
        "1 when the last probe was answered; missing before the first.",
        |out| {
            out.some(|one| one.backend.traffic.probe.as_ref().map(|probe| u64::from(probe.ok)));
        },
    ),
    family(
        "jk_last_error_timestamp_seconds",
        "gauge",
        OF,
        "When the last attempt failed; missing when none did.",
        |out| out.some(|one| one.backend.last_error.as_ref().map(|error| error.at)),
    ),
    family("jk_connect_seconds", "histogram", OF, "Time to make a connection.", |out| {
        out.histogram(|backend| &backend.traffic.connect);
    }),
    family(
        "jk_first_byte_seconds",
        "histogram",
        OF,
        "Time from the request to the first byte of the answer.",
        |out| out.histogram(|backend| &backend.traffic.first_byte),
    ),
    family("jk_request_seconds", "histogram", OF, "Time from the request to the end of the answer.", |out| {
        out.histogram(|backend| &backend.traffic.total);
    }),
    family(
        "jk_balancer_members",
        "gauge",
        "balancer, rating",
        "Members by rating (good, degraded, bad).",
        |out| {
            for balancer in &out.view.balancers {
                let Counts { good, degraded, bad } = balancer.counts(&out.status.good, &out.status.bad);
                for (rating, count) in [("good", good), ("degraded", degraded), ("bad", bad)] {
                    let count = u64::try_from(count).unwrap_or(u64::MAX);
                    out.sample("", &[(BALANCER, &balancer.name), ("rating", rating)], count);
                }
            }
        },
    ),
    family("jk_balancer_in_flight", "gauge", BALANCER, "Requests in work on the balancer.", |out| {
        out.each_balancer(|balancer| balancer.busy);
    }),
    family(
        "jk_balancer_queued",
        "gauge",
        BALANCER,
        "Requests that wait until a member can be used (queue_size of the balancer).",
        |out| out.each_balancer(|balancer| balancer.queued),
    ),
    family(
        "jk_balancer_refused_total",
        "counter",
        BALANCER,
        "Requests that were given to no member.",
        |out| {
            out.each_balancer(|balancer| balancer.refused);
        },
    ),
    family(
        "jk_balancer_sessions_total",
        "counter",
        "balancer, route",
        "Session ids of requests, by their route: known, unknown (no member has it), none.",
        |out| {
            for balancer in &out.view.balancers {
                let ids = balancer.sessions;
                for (route, count) in [("known", ids.known), ("unknown", ids.unknown), ("none", ids.bare)] {
                    out.sample("", &[(BALANCER, &balancer.name), ("route", route)], count);
                }
            }
        },
    ),
    family(
        "jk_balancer_drift",
        "gauge",
        BALANCER,
        "Settings of the balancer and its members that were changed at run time.",
        |out| {
            out.each_balancer(|balancer| {
                let members = balancer.members.iter().map(|member| member.backend.drift.len());
                u64::try_from(members.sum::<usize>() + balancer.drift.len()).unwrap_or(u64::MAX)
            });
        },
    ),
    family(
        "jk_balancer_available",
        "gauge",
        BALANCER,
        "1 when at least one member of the balancer is rated good or degraded.",
        |out| {
            let (good, bad) = (&out.status.good, &out.status.bad);
            out.each_balancer(|balancer| {
                let up = balancer.members.iter().any(|member| member.health(good, bad) != Health::Bad);
                u64::from(up)
            });
        },
    ),
    family(
        "jk_changes_saved",
        "gauge",
        "",
        "1 when the file of persist=file says what was changed at run time, 0 when it can not be written; missing without it.",
        |out| {
            if let Some(keep) = &out.view.keep {
                out.sample("", &[], u64::from(keep.saved));
            }
        },
    ),
    family("jk_time_seconds", "gauge", "", "The moment of these numbers.", |out| {
        out.sample("", &[], out.view.clock.unix);
    }),
];

/// All metrics of a picture.
pub fn render(view: &View, status: &Status) -> String {
    let mut out = Out { text: String::new(), name: "", view, status };
    for family in &FAMILIES {
        let _ = writeln!(out.text, "# HELP {} {}", family.name, family.help);
        let _ = writeln!(out.text, "# TYPE {} {}", family.name, family.kind);
        out.name = family.name;
        (family.write)(&mut out);
    }
    out.text
}

/// The metrics as a Markdown table, for the manual.
pub fn markdown() -> String {
    let mut text = String::from("| Name | Type | Labels | Meaning |\n|---|---|---|---|\n");
    for Family { name, kind, labels, help, .. } in &FAMILIES {
        let labels = if labels.is_empty() { "-" } else { labels };
        let _ = writeln!(text, "| `{name}` | {kind} | {labels} | {help} |");
    }
    text
}

/// A label that is not written.
const NONE: (&str, &str) = ("", "");

/// A member, or an AJP worker.
#[derive(Clone, Copy)]
struct One<'v> {
    balancer: &'v str,
    backend: &'v Backend,
    state: State,
    activation: Activation,
}

impl<'v> One<'v> {
    fn labels(&self) -> [(&'static str, &'v str); 2] {
        [(BALANCER, self.balancer), ("worker", &self.backend.name)]
    }
}

struct Out<'v> {
    text: String,
    name: &'static str,
    view: &'v View,
    status: &'v Status,
}

impl<'v> Out<'v> {
    fn members(&self) -> Vec<One<'v>> {
        let of = |balancer: &'v Balancer| {
            balancer.members.iter().map(move |member| One {
                balancer: &balancer.name,
                backend: &member.backend,
                state: member.state,
                activation: member.activation,
            })
        };
        self.view.balancers.iter().flat_map(of).collect()
    }

    fn ones(&self) -> Vec<One<'v>> {
        let workers = self.view.workers.iter().map(|worker| One {
            balancer: "",
            backend: &worker.backend,
            state: worker.state,
            activation: Activation::Active,
        });
        self.members().into_iter().chain(workers).collect()
    }

    fn each(&mut self, value: impl Fn(&One<'v>) -> u64) {
        self.some(|one| Some(value(one)));
    }

    fn some(&mut self, value: impl Fn(&One<'v>) -> Option<u64>) {
        for one in self.ones() {
            if let Some(value) = value(&one) {
                self.sample("", &one.labels(), value);
            }
        }
    }

    fn each_member(&mut self, value: impl Fn(&super::view::Member) -> u64) {
        for balancer in &self.view.balancers {
            for member in &balancer.members {
                let labels = [(BALANCER, balancer.name.as_str()), ("worker", &member.backend.name)];
                self.sample("", &labels, value(member));
            }
        }
    }

    fn each_balancer(&mut self, value: impl Fn(&Balancer) -> u64) {
        for balancer in &self.view.balancers {
            self.sample("", &[(BALANCER, &balancer.name)], value(balancer));
        }
    }

    fn histogram(&mut self, of: impl Fn(&Backend) -> &Snapshot) {
        for one in self.ones() {
            let snapshot = of(one.backend);
            let mut sum = 0u64;
            for (label, count) in LABELS.iter().zip(snapshot.buckets) {
                sum = sum.saturating_add(count);
                self.sample("_bucket", &[one.labels(), [("le", label), NONE]].concat(), sum);
            }
            self.start("_sum", &one.labels());
            let _ =
                writeln!(self.text, " {}.{:06}", snapshot.micros / 1_000_000, snapshot.micros % 1_000_000);
            self.sample("_count", &one.labels(), sum);
        }
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: u64) {
        self.start(suffix, labels);
        let _ = writeln!(self.text, " {value}");
    }

    fn start(&mut self, suffix: &str, labels: &[(&str, &str)]) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let mut before = '{';
        for (name, value) in labels.iter().filter(|label| **label != NONE) {
            self.text.push(before);
            self.text.push_str(name);
            self.text.push_str("=\"");
            for c in value.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
            before = ',';
        }
        if before == ',' {
            self.text.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::engine::status::sample;

    #[test]
    fn every_line_is_help_type_or_a_sample_of_its_family() {
        let mut view = sample::view();
        view.balancers[0].members[0].backend.traffic.total.buckets[2] = 3;
        view.balancers[0].members[0].backend.traffic.total.micros = 1_234_567;
        let text = render(&view, &sample::settings());
        let (mut family, mut seen) = ("", HashSet::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                family = rest.split(' ').next().unwrap();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert!(rest.starts_with(family));
            } else {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                assert!(sample.starts_with(family), "{line}");
                value.parse::<f64>().unwrap();
                assert!(seen.insert(sample.to_owned()), "twice: {line}");
            }
        }
        for line in [
            "jk_request_seconds_bucket{balancer=\"lb\",worker=\"n1\",le=\"0.0025\"} 0",
            "jk_request_seconds_bucket{balancer=\"lb\",worker=\"n1\",le=\"0.005\"} 3",
            "jk_request_seconds_bucket{balancer=\"lb\",worker=\"n1\",le=\"+Inf\"} 3",
            "jk_request_seconds_sum{balancer=\"lb\",worker=\"n1\"} 1.234567",
            "jk_request_seconds_count{balancer=\"lb\",worker=\"n1\"} 3",
            "jk_state{balancer=\"lb\",worker=\"n1\",state=\"ERR\"} 1",
            "jk_usable{balancer=\"lb\",worker=\"n1\"} 0",
            "jk_usable{balancer=\"lb\",worker=\"n3\"} 0",
            "jk_usable{balancer=\"\",worker=\"solo\"} 1",
            "jk_balancer_members{balancer=\"lb\",rating=\"bad\"} 1",
            "jk_last_error_timestamp_seconds{balancer=\"lb\",worker=\"n1\"} 1795396344",
            "jk_time_seconds 1795396344",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}");
        }
        assert!(!text.contains("jk_probe_ok{"), "no probe, no result");
    }

    /// What monitoring is to know; a metric that goes breaks dashboards.
    #[test]
    fn nothing_is_missing() {
        let wanted = [
            ("requests", &["jk_requests_total"][..]),
            ("errors by cause", &["jk_errors_total", "jk_last_error_timestamp_seconds"]),
            ("in flight", &["jk_in_flight", "jk_balancer_in_flight", "jk_busy_limit"]),
            ("parked", &["jk_parked"]),
            ("queue", &["jk_queued", "jk_balancer_queued", "jk_balancer_refused_total"]),
            ("retries", &["jk_retries_total"]),
            ("failovers", &["jk_failovers_total"]),
            ("bytes", &["jk_sent_bytes_total", "jk_received_bytes_total"]),
            ("state", &["jk_state", "jk_usable", "jk_balancer_members", "jk_balancer_available"]),
            (
                "settings",
                &["jk_member_activation", "jk_member_factor", "jk_balancer_drift", "jk_changes_saved"],
            ),
            ("balance", &["jk_member_value", "jk_member_sessions", "jk_balancer_sessions_total"]),
            ("drains", &["jk_member_draining", "jk_member_drain_sessions"]),
            ("probes", &["jk_probes_total", "jk_probe_ok"]),
            ("times", &["jk_connect_seconds", "jk_first_byte_seconds", "jk_request_seconds"]),
            ("connections", &["jk_connections"]),
            ("the server", &["jk_info", "jk_time_seconds"]),
        ];
        let all: Vec<_> = wanted.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let mut view = sample::view();
        view.keep = Some(crate::engine::status::view::Keep { file: "/x".into(), saved: true });
        let probe = crate::engine::status::view::Probe { at: 1, ok: true, micros: 1, detail: String::new() };
        view.balancers[0].members[1].drain_seen = Some(crate::engine::status::view::DrainSeen::default());
        view.balancers[0].members[1].backend.traffic.probe = Some(probe);
        let text = render(&view, &sample::settings());
        for name in &all {
            let family = FAMILIES.iter().find(|family| family.name == *name).unwrap();
            let suffix = if family.kind == "histogram" { "_count" } else { "" };
            let start = format!("{name}{suffix}");
            let sample =
                |line: &str| line.strip_prefix(&start).is_some_and(|rest| rest.starts_with(['{', ' ']));
            assert!(text.lines().any(sample), "{name} has no sample");
        }
        for family in &FAMILIES {
            assert!(all.contains(&family.name), "{} belongs to nothing", family.name);
        }
    }

    #[test]
    fn names_follow_the_rules() {
        let mut names = HashSet::new();
        for family in &FAMILIES {
            assert!(names.insert(family.name));
            assert_eq!(family.kind == "counter", family.name.ends_with("_total"), "{}", family.name);
            assert!(!family.help.contains('\n') && !family.help.contains('|'));
        }
    }

    #[test]
    fn label_values_are_escaped() {
        let mut view = sample::view();
        view.balancers[0].name = "a\"b\\c\nd".into();
        let text = render(&view, &sample::settings());
        assert!(text.contains("{balancer=\"a\\\"b\\\\c\\nd\",worker=\"n1\"}"));
        assert!(text.lines().all(|line| !line.starts_with('d')));
    }
}
