//! Properties of `ajp13` workers that matter when they are members of a balancer.

use super::{Apply, Def, Group, SHORT_TEXT, Standing};
use crate::engine::config::model::Activation;

const fn member(name: &'static str, apply: Apply) -> Def {
    Def::new(name, Group::Member, apply)
}

pub(super) const MEMBER: &[Def] = &[
    Def {
        default: "1",
        range: "at least 1",
        doc: "Weight: a member with 2 gets twice the work of a member with 1.",
        ..member("lbfactor", Apply::Ajp13(|raw, value| raw.lbfactor = value.at_least(1)))
    },
    Def {
        default: "0",
        range: "may be negative",
        doc: "Members with a lower distance are strictly preferred; the others are only used when none of those can be.",
        ..member("distance", Apply::Ajp13(|raw, value| raw.distance = value.integer()))
    },
    Def {
        default: "name of the worker",
        range: "at most 63 bytes, unique in a balancer",
        doc: "Must be equal to jvmRoute of Tomcat: session ids that end in a dot and this text belong to this member.",
        ..member("route", Apply::Ajp13(|raw, value| raw.route = value.short_text(SHORT_TEXT)))
    },
    Def {
        standing: Standing::Deprecated("use route"),
        doc: "Old name of route; used when that is missing.",
        ..member("jvm_route", Apply::Ajp13(|raw, value| raw.jvm_route = value.short_text(SHORT_TEXT)))
    },
    Def {
        default: "part of route before its first dot",
        range: "at most 63 bytes",
        doc: "Members of one domain share their sessions: when a member fails, its sessions go to others of its domain.",
        ..member("domain", Apply::Ajp13(|raw, value| raw.domain = value.short_text(SHORT_TEXT)))
    },
    Def {
        range: "at most 63 bytes",
        doc: "Route of the member that takes over when this one fails; that one may be disabled.",
        ..member("redirect", Apply::Ajp13(|raw, value| raw.redirect = value.short_text(SHORT_TEXT)))
    },
    Def {
        default: "Active",
        range: "Active, Disabled, Stopped; or 0, 1, 2; the first character counts",
        doc: "Which requests the member takes: all, only those of its sessions and redirects, or none.",
        ..member("activation", Apply::Ajp13(|raw, value| raw.activation = value.keyword(&Activation::WORDS)))
    },
    Def {
        default: "false",
        standing: Standing::Deprecated("use activation=disabled"),
        doc: "As activation=disabled; used when activation is missing.",
        ..member("disabled", Apply::Ajp13(|raw, value| raw.disabled = value.boolean()))
    },
    Def {
        default: "false",
        standing: Standing::Deprecated("use activation=stopped"),
        doc: "As activation=stopped; used when activation is missing, stronger than disabled.",
        ..member("stopped", Apply::Ajp13(|raw, value| raw.stopped = value.boolean()))
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::model::MemberSettings;
    use crate::engine::config::resolve::testing::{ajp, errors_of, warnings_of};

    fn settings(lines: &str) -> MemberSettings {
        ajp(lines).member
    }

    #[test]
    fn defaults() {
        let wanted = MemberSettings {
            lbfactor: 1,
            distance: 0,
            route: "w".into(),
            domain: String::new(),
            redirect: String::new(),
            activation: Activation::Active,
        };
        assert_eq!(settings(""), wanted);
    }

    #[test]
    fn lbfactor() {
        assert_eq!(settings("worker.w.lbfactor=7").lbfactor, 7);
        assert_eq!(settings("worker.w.lbfactor=0").lbfactor, 1);
        assert_eq!(settings("worker.w.lbfactor=-3").lbfactor, 1);
        assert_eq!(warnings_of("worker.w.lbfactor=0").len(), 1);
    }

    #[test]
    fn distance() {
        assert_eq!(settings("worker.w.distance=2").distance, 2);
        assert_eq!(settings("worker.w.distance=-2").distance, -2);
        assert_eq!(settings("worker.w.distance=1\nworker.w.distance=2").distance, 2);
    }

    #[test]
    fn route() {
        assert_eq!(settings("worker.w.route=tc1").route, "tc1");
        assert_eq!(settings("worker.w.jvm_route=old").route, "old");
        assert_eq!(settings("worker.w.jvm_route=old\nworker.w.route=new").route, "new");
        assert_eq!(settings(&format!("worker.w.route={}", "r".repeat(63))).route.len(), 63);
        assert_eq!(errors_of(&format!("worker.w.route={}", "r".repeat(64))).len(), 1);
    }

    #[test]
    fn domain() {
        assert_eq!(settings("worker.w.domain=d").domain, "d");
        assert_eq!(settings("worker.w.route=dom.tc.1").domain, "dom");
        assert_eq!(settings("worker.w.route=dom.tc1\nworker.w.domain=d").domain, "d");
        assert_eq!(errors_of(&format!("worker.w.domain={}", "d".repeat(64))).len(), 1);
    }

    #[test]
    fn redirect() {
        assert_eq!(settings("worker.w.redirect=tc2").redirect, "tc2");
        assert_eq!(errors_of(&format!("worker.w.redirect={}", "d".repeat(64))).len(), 1);
    }

    #[test]
    fn activation() {
        for (text, wanted) in [
            ("A", Activation::Active),
            ("0", Activation::Active),
            ("disabled", Activation::Disabled),
            ("1", Activation::Disabled),
            ("Stopped", Activation::Stopped),
            ("2", Activation::Stopped),
            ("what", Activation::Active),
        ] {
            assert_eq!(settings(&format!("worker.w.activation={text}")).activation, wanted, "{text}");
        }
        assert!(warnings_of("worker.w.activation=what")[0].contains("the default is used: Active"));
    }

    #[test]
    fn disabled_and_stopped_are_old_words_for_activation() {
        for (lines, wanted) in [
            ("worker.w.disabled=1", Activation::Disabled),
            ("worker.w.disabled=0", Activation::Active),
            ("worker.w.stopped=1", Activation::Stopped),
            ("worker.w.disabled=1\nworker.w.stopped=true", Activation::Stopped),
            ("worker.w.stopped=1\nworker.w.activation=a", Activation::Active),
        ] {
            assert_eq!(settings(lines).activation, wanted, "{lines}");
        }
        assert!(warnings_of("worker.w.disabled=1")[0].contains("use activation=disabled"));
    }

    #[test]
    fn a_member_without_address_is_stopped() {
        assert_eq!(settings("worker.w.port=0").activation, Activation::Stopped);
    }
}
