//! Tests of the decisions about requests.

use super::*;
use crate::engine::config::model::Activation;
use crate::engine::status::sample;

const WRITE: Mode = Mode { format: Format::Txt, read_only: false };

fn query(text: &str) -> Query {
    Query::parse(text.as_bytes(), b"").unwrap()
}

fn plan(text: &str) -> Result<Plan, Refusal> {
    let view = sample::view();
    match decide(&view, WRITE, &query(text))? {
        Action::Apply(plan) => Ok(plan),
        Action::Show(..) => panic!("{text} shows something"),
    }
}

fn lines(text: &str) -> Vec<String> {
    plan(text).unwrap().changes.iter().map(Change::to_string).collect()
}

fn refusal(text: &str) -> Refusal {
    let view = sample::view();
    match decide(&view, WRITE, &query(text)) {
        Err(refusal) => refusal,
        Ok(action) => panic!("{text}: {action:?}"),
    }
}

/// Text and HTTP status of each refusal, the texts as the original prints them.
#[test]
fn the_order_of_checks() {
    for (text, message, status) in [
        ("cmd=bogus", "Invalid command.", 400),
        ("cmd=bogus&mime=bogus", "Invalid command.", 400),
        ("mime=bogus", "Invalid mime type.", 400),
        ("cmd=show", "NULL or EMPTY worker param", 400),
        ("cmd=show&w=", "NULL or EMPTY worker param", 400),
        ("cmd=show&w=nope", "Could not find given worker", 404),
        ("cmd=show&w=n1", "Could not find given worker", 404),
        ("cmd=show&w=lb&sw=", "EMPTY sub worker param", 400),
        ("cmd=show&w=lb&sw=zz", "could not find sub worker", 404),
        ("cmd=show&w=solo&sw=zz", "worker type has no sub workers", 400),
        ("cmd=show&w=lb&sw=n*", "wildcard not allowed in sub worker for this command", 400),
        ("cmd=reset&w=lb&sw=?1", "wildcard not allowed in sub worker for this command", 400),
        ("cmd=update&w=lb&sw=q*", "could not find sub worker", 404),
        ("cmd=update&w=solo&sw=*", "worker type has no sub workers", 400),
        ("cmd=recover&w=lb", "Marking worker for recovery failed", 409),
        ("cmd=recover&w=lb&sw=n2", "Marking worker for recovery failed", 409),
        ("cmd=recover&w=solo", "Marking worker for recovery failed", 409),
        ("cmd=update&w=lb&att=vahst", "unknown attribute for a bulk edit", 400),
    ] {
        let refusal = refusal(text);
        assert_eq!((refusal.to_string().as_str(), refusal.http_status()), (message, status), "{text}");
    }
}

#[test]
fn read_only_comes_first() {
    let view = sample::view();
    let mut status = sample::settings();
    for text in ["cmd=edit", "cmd=update&w=nope", "cmd=reset&w=lb", "cmd=recover"] {
        let hidden = query(&format!("{text}&opt=32"));
        assert!(matches!(decide(&view, mode(&status, &hidden), &hidden), Err(Refusal::ReadOnly)), "{text}");
    }
    status.read_only = true;
    let reset = query("cmd=reset&w=lb");
    assert!(matches!(decide(&view, mode(&status, &reset), &reset), Err(Refusal::ReadOnly)));
    let show = query("cmd=show&w=lb&sw=n1");
    let shown = decide(&view, mode(&status, &show), &show).unwrap();
    assert!(matches!(shown, Action::Show(Command::Show, Subject::Member(_, member)) if member.route == "n1"));
    assert_eq!(mode(&status, &query("mime=bogus")).format, Format::Prop);
}

#[test]
fn users() {
    let mut status = sample::settings();
    assert!(allowed(&status, None));
    status.user = vec!["Admin".into(), "eve".into()];
    assert!(!allowed(&status, None));
    assert!(allowed(&status, Some("eve")));
    assert!(!allowed(&status, Some("admin")));
    assert!(!allowed(&status, Some("")));
    status.user_case_insensitive = true;
    assert!(allowed(&status, Some("aDMIN")));
    assert!(!allowed(&status, Some("adm")));
}

#[test]
fn what_is_not_given_stays() {
    assert_eq!(
        lines("cmd=update&w=lb&sw=n2&vwa=s&vwf=5&vabl=9"),
        [
            "member n2 of balancer lb: activation from 'Active' to 'Stopped'",
            "member n2 of balancer lb: lbfactor from '2' to '5'",
            "member n2 of balancer lb: busy_limit from '0' to '9'",
        ]
    );
    assert_eq!(lines("cmd=update&w=lb&vls=0"), ["balancer lb: sticky_session from '1' to '0'"]);
    assert_eq!(
        lines("cmd=update&w=solo&vamps=16000"),
        ["worker solo: max_packet_size from '8192' to '16384'"]
    );
}

/// Parameters of something else do not count, as in mod_jk.
#[test]
fn foreign_parameters_are_ignored() {
    assert!(lines("cmd=update&w=lb&vwa=s").is_empty());
    assert!(lines("cmd=update&w=solo&vwa=s&vlr=9").is_empty());
    assert!(lines("cmd=update&w=lb&sw=n1&vlr=9&val0=3").is_empty());
    assert!(lines("cmd=update&w=st&vlr=9").is_empty());
}

#[test]
fn a_form_sent_unchanged_changes_nothing() {
    let view = sample::view();
    let balancer = &view.balancers[0];
    for member in &balancer.members {
        let mut text = format!("cmd=update&w=lb&sw={}", member.backend.name);
        for row in TABLE.iter().filter(|row| row.scope != Scope::Balancer) {
            text += &format!("&{}={}", row.parameter, row.property.of_member(member).unwrap());
        }
        let plan = plan(&text).unwrap();
        assert_eq!(plan, Plan::default(), "{text}");
    }
}

/// The value of a worker without an address is out of range for a change, but may be sent back.
#[test]
fn values_out_of_range_may_stay() {
    let mut view = sample::view();
    view.balancers[0].members[0].backend.port = 0;
    let action = decide(&view, WRITE, &query("cmd=update&w=lb&sw=n1&vaprt=0&vwd=3")).unwrap();
    assert!(matches!(action, Action::Apply(plan) if plan.changes.len() == 1));
}

#[test]
fn all_or_nothing() {
    for (text, what) in [
        ("cmd=update&w=lb&sw=n2&vwa=s&vwf=0", "vwf=0 is not a value for lbfactor of n2: it must be a number"),
        ("cmd=update&w=lb&sw=*&vwa=xyz", "vwa=xyz is not a value for activation of n1"),
        ("cmd=update&w=lb&att=vwf&val0=3&val2=-4", "val2=-4 is not a value for lbfactor of n3"),
        ("cmd=update&w=lb&vlr=5&vlm=x", "vlm=x is not a value for method of lb"),
        ("cmd=update&w=solo&vaprt=70000", "vaprt=70000 is not a value for port of solo"),
    ] {
        let refusal = refusal(text);
        assert_eq!(refusal.http_status(), 400);
        let text = refusal.to_string();
        assert!(text.starts_with("Update failed, nothing was changed: ") && text.contains(what), "{text}");
    }
}

#[test]
fn patterns_reach_all_members() {
    assert_eq!(lines("cmd=update&w=lb&sw=*&vwd=3").len(), 3);
    assert_eq!(lines("cmd=update&w=lb&sw=*2&vwd=3"), ["member n2 of balancer lb: distance from '0' to '3'"]);
    // Only those that differ.
    assert_eq!(lines("cmd=update&w=lb&sw=n?&vwa=d").len(), 2);
    for (pattern, name, wanted) in [
        ("*", "", true),
        ("n*1", "n11", true),
        ("n*1", "n12", false),
        ("*a*b*", "xxaxxb", true),
        ("*a*b", "xxaxxbx", false),
        ("??", "n1", true),
        ("??", "n", false),
        ("n1", "n1", true),
        ("n1", "n10", false),
        ("", "n", false),
        ("**", "n", true),
    ] {
        assert_eq!(matches(pattern, name), wanted, "{pattern} {name}");
    }
}

#[test]
fn bulk_edits() {
    assert_eq!(
        lines("cmd=update&w=lb&att=vwf&val0=7&val2=7&val3=9&vlr=9"),
        [
            "member n1 of balancer lb: lbfactor from '1' to '7'",
            "member n3 of balancer lb: lbfactor from '1' to '7'"
        ]
    );
    let swapped = lines("cmd=update&w=lb&att=vwn&val0=n2&val1=n1");
    assert_eq!(swapped.len(), 2, "two members may swap their routes");
}

#[test]
fn routes_stay_unique() {
    for text in [
        "cmd=update&w=lb&sw=n2&vwn=n1",
        "cmd=update&w=lb&sw=*&vwn=same",
        "cmd=update&w=lb&att=vwn&val0=x&val1=x",
    ] {
        assert!(refusal(text).to_string().contains("routes must be unique"), "{text}");
    }
    assert_eq!(lines("cmd=update&w=lb&sw=n2&vwn=other").len(), 1);
    assert_eq!(lines("cmd=update&w=lb&sw=*&vwn=").len(), 3, "no route is no route");
}

#[test]
fn new_addresses_are_listed_whole() {
    let plan = plan("cmd=update&w=lb&sw=n1&vaprt=9009&vahst=n1.example").unwrap();
    assert_eq!(plan.changes.len(), 2);
    let [address] = &plan.addresses[..] else { panic!("{plan:?}") };
    assert_eq!((address.host.as_str(), address.port), ("n1.example", 9009));
    let plan = self::plan("cmd=update&w=solo&vahst=other").unwrap();
    assert_eq!((plan.addresses[0].host.as_str(), plan.addresses[0].port), ("other", 20_215));
    assert!(self::plan("cmd=update&w=solo&vabl=3").unwrap().addresses.is_empty());
}

#[test]
fn reset_and_recover() {
    assert_eq!(lines("cmd=reset&w=lb"), ["balancer lb: counters reset"]);
    assert_eq!(lines("cmd=reset&w=lb&sw=n1"), ["member n1 of balancer lb: counters reset"]);
    assert_eq!(lines("cmd=reset&w=solo"), ["worker solo: counters reset"]);
    assert_eq!(lines("cmd=recover&w=lb&sw=n1"), ["member n1 of balancer lb: marked for recovery"]);
    let plan = plan("cmd=update&w=lb&sw=n1&vwa=2").unwrap();
    let Change::Set { new, .. } = &plan.changes[0] else { panic!() };
    assert_eq!(*new, Setting::Activation(Activation::Stopped));
}
