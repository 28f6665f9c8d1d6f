//! Tests of the page.

use super::*;
use crate::engine::status::command::Refusal;
use crate::engine::status::view::{Cause, Drift, Probe, SessionIds, State, View};
use crate::engine::status::{command, sample};
use texts::{ENGLISH, JAPANESE, KOREAN};

const TOKEN: &str = "0123456789abcdef";

fn page(view: &View, text: &str, read_only: bool, texts: &'static Texts) -> String {
    let status = sample::settings();
    let query = Query::parse(text.as_bytes(), b"").unwrap();
    let mode = command::Mode { format: Format::Html, read_only };
    let refusal;
    let content = match command::decide(view, mode, &query) {
        Ok(command::Action::Show(command, subject)) => Content::Shown(command, subject),
        Ok(command::Action::Apply(_)) => Content::Done,
        Err(found) => {
            refusal = found;
            Content::Refused(&refusal)
        }
    };
    let page = Page { view, status: &status, hide: query.hide(), content };
    render(&Frame { page, query: &query, texts, token: TOKEN, read_only })
}

fn shown(text: &str) -> String {
    page(&sample::view(), text, false, &ENGLISH)
}

/// Tags are closed in order, and no attribute or element is inline code.
fn check(page: &str) {
    const VOID: [&str; 5] = ["meta", "link", "input", "br", "hr"];
    let mut open = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').unwrap();
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{tag}");
            continue;
        }
        let name = tag.split(' ').next().unwrap();
        if !VOID.contains(&name) {
            open.push(name);
        }
        assert_ne!(name, "style");
        assert!(name != "script" || tag.contains("src="), "{tag}");
        // Values stand at odd places.
        let names: String = tag.split('"').step_by(2).collect();
        assert!(!names.contains(" style=") && !names.contains(" on"), "{tag}");
        assert!(!tag.contains("javascript:"), "{tag}");
    }
    assert!(open.is_empty(), "{open:?}");
    for field in page.split(" id=\"f-").skip(1) {
        let id = &field[..field.find('"').unwrap()];
        let label = format!("<label for=\"f-{id}\"");
        assert!(id.ends_with("-h") || page.contains(&label), "{id} has no label");
    }
}

#[test]
fn every_page_is_well_formed_in_every_language() {
    let mut view = sample::view();
    view.balancers[0].drift =
        vec![Drift { property: "method".into(), configured: "Next".into(), current: "Request".into() }];
    view.balancers[0].sessions = SessionIds { known: 5, unknown: 5, bare: 90 };
    view.balancers[0].members[1].drain = Some(sample::NOW + 60);
    for text in [
        "",
        "re=10",
        "opt=511",
        "cmd=show&w=lb",
        "cmd=show&w=lb&sw=n1",
        "cmd=show&w=solo",
        "cmd=show&w=st",
        "cmd=edit&w=lb",
        "cmd=edit&w=lb&sw=n1&from=show",
        "cmd=edit&w=solo",
        "cmd=edit&w=lb&att=vwf",
        "cmd=edit&w=lb&att=nope",
        "cmd=version",
        "cmd=dump",
        "cmd=bogus",
        "cmd=reset&w=lb&from=show",
    ] {
        for texts in [&ENGLISH, &KOREAN, &JAPANESE] {
            for read_only in [false, true] {
                check(&page(&view, text, read_only, texts));
            }
        }
    }
}

#[test]
fn names_cannot_break_out() {
    let mut view = sample::view();
    let evil = "\"><script>alert(1)</script>&sw=x'";
    view.balancers[0].name = evil.into();
    view.balancers[0].members[0].backend.name = evil.into();
    view.balancers[0].members[0].domain = evil.into();
    view.balancers[0].maps[0].uri = evil.into();
    view.server.name = evil.into();
    let text = page(&view, "opt=0", false, &ENGLISH);
    assert!(!text.contains("<script>"), "{text}");
    assert!(text.contains("w=%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E%26sw%3Dx%27"), "{text}");
    let text = page(&view, "cmd=%3Cscript%3E&opt=%22%3E%3Cscript%3E&re=%22%3E%3Cscript%3E", false, &ENGLISH);
    assert!(!text.contains("<script>"), "{text}");
    let text = page(&view, "cmd=edit&w=lb%22%3E%3Cscript%3E", false, &ENGLISH);
    assert!(text.contains("Could not find given worker") && !text.contains("<script>"));
}

#[test]
fn whatever_changes_is_a_form_with_a_token() {
    for text in ["", "cmd=show&w=lb", "cmd=edit&w=lb&sw=n1", "cmd=edit&w=lb&att=vwa"] {
        let text = shown(text);
        for link in text.split("href=\"").skip(1) {
            let link = &link[..link.find('"').unwrap()];
            for command in ["update", "reset", "recover"] {
                assert!(!link.contains(&format!("cmd={command}")), "{link}");
            }
        }
        let (posts, tokens) = (
            text.matches("method=\"post\"").count(),
            text.matches(&format!("name=\"token\" value=\"{TOKEN}\"")).count(),
        );
        assert!(posts > 0);
        assert_eq!(posts, tokens);
    }
    let read_only = page(&sample::view(), "", true, &ENGLISH);
    assert!(!read_only.contains("method=\"post\"") && !read_only.contains(TOKEN));
}

#[test]
fn why_a_member_is_down() {
    let text = shown("");
    assert!(text.contains("Failed; gets no requests.") && !text.contains("Tried again in"), "{text}");
    let mut view = sample::view();
    if let Some(error) = &mut view.balancers[0].members[0].backend.last_error {
        error.cause = Cause::Status;
    }
    let badly = page(&view, "", false, &ENGLISH);
    assert!(badly.contains("Failed; gets no requests. Tried again in 60–120 s."), "{badly}");
    assert!(
        text.contains("No connection could be made. (connecting to 127.0.0.1:20211: Connection refused)")
    );
    assert!(text.contains("Takes only requests of its own sessions."));
    let mut probed = sample::view();
    probed.balancers[0].members[0].backend.traffic.probe =
        Some(Probe { at: sample::NOW - 7, ok: false, micros: 1, detail: String::new() });
    assert!(page(&probed, "", false, &ENGLISH).contains("A probe 7 s ago was not answered."));
    let korean = page(&sample::view(), "", false, &KOREAN);
    assert!(korean.contains("연결하지 못했습니다.") && korean.contains("<html lang=\"ko\">"));
}

#[test]
fn boxes_can_be_cleared() {
    let text = shown("cmd=edit&w=lb");
    let zero = text.find("<input type=\"hidden\" name=\"vls\" value=\"0\">").unwrap();
    let tick = text.find("name=\"vls\" value=\"1\" checked").unwrap();
    assert!(zero < tick);
    assert!(!text.contains("name=\"vlf\" value=\"1\" checked"));
    assert!(text.contains("<option value=\"Request\" selected>"));
}

/// Every parameter of the form of a member is there, with its value.
#[test]
fn fields_are_those_of_mod_jk() {
    use crate::engine::status::property::{Scope, TABLE};
    let member = shown("cmd=edit&w=lb&sw=n2");
    for row in &TABLE {
        assert_eq!(
            member.contains(&format!("name=\"{}\"", row.parameter)),
            row.scope != Scope::Balancer,
            "{row:?}"
        );
    }
    assert!(member.contains("name=\"sw\" value=\"n2\""));
    let bulk = shown("cmd=edit&w=lb&att=vwf");
    assert!(bulk.contains("name=\"val1\" value=\"2\"") && bulk.contains("name=\"att\" value=\"vwf\""));
    assert!(!bulk.contains("name=\"val3\""));
}

#[test]
fn bits_hide_parts_and_leave_a_link() {
    let text = shown("opt=8");
    assert!(!text.contains("n1") && text.contains("?cmd=") == shown("").contains("?cmd="));
    assert!(text.contains("opt=0\">Show") || text.contains("?opt=0"), "{text}");
    assert!(!shown("opt=2").contains("/app/*"));
    assert!(!shown("opt=4").contains("<dt>ERR/PRB</dt>"));
    assert!(!shown("opt=256").contains("max_packet_size</th>"));
    assert!(!shown("opt=64").contains("<dt>error_escalation_time</dt>"));
    assert!(!shown("opt=128").contains("<dt>time_to_maintenance_min</dt>"));
}

#[test]
fn refreshing_and_coming_back() {
    let refreshed = shown("re=10");
    assert!(refreshed.contains("<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>"));
    assert!(refreshed.contains("data-every=\"10\"") && shown("").contains("data-every=\"5\""));
    assert!(!shown("cmd=dump&re=10").contains("http-equiv=\"refresh\""));
    let done = shown("cmd=reset&w=lb&from=show&opt=2");
    assert!(done.contains("content=\"3;url=?cmd=show&amp;w=lb&amp;opt=2\""), "{done}");
    assert!(done.contains("Result: OK") && done.contains("You will be redirected in 3 seconds."));
    let query = |text: &str| Query::parse(text.as_bytes(), b"").unwrap();
    assert_eq!(back(&query("from=list&w=lb&sw=n1")), "?cmd=list");
    assert_eq!(back(&query("from=show&w=lb&sw=*")), "?cmd=show&w=lb");
    assert_eq!(back(&query("from=edit&w=a%26b&att=vwf")), "?cmd=edit&w=a%26b&att=vwf");
}

#[test]
fn what_needs_attention() {
    use crate::engine::config::model::Activation;
    let mut view = sample::view();
    let quiet = page(&view, "", false, &ENGLISH);
    assert!(quiet.contains("data-live=\"!\"") && !quiet.contains("class=\"note"), "{quiet}");
    for member in &mut view.balancers[0].members {
        member.state = State::Error;
    }
    assert!(page(&view, "", false, &ENGLISH).contains("No member of lb can take requests now"));
    view.balancers[0].members[1].state = State::Recover;
    view.open = true;
    let text = page(&view, "", false, &ENGLISH);
    assert!(!text.contains("No member of lb can") && text.contains("Anybody who reaches this address"));

    // Disabled for long, but as the configuration says; then by hand.
    let idle = &mut view.balancers[0].members[2];
    assert_eq!(idle.activation, Activation::Disabled);
    idle.benched = Some(sample::NOW - 7_200);
    assert!(!page(&view, "", false, &ENGLISH).contains("at run time and still is"));
    let drift =
        Drift { property: "activation".into(), configured: "Active".into(), current: "Disabled".into() };
    view.balancers[0].members[2].backend.drift = vec![drift];
    assert!(page(&view, "", false, &ENGLISH).contains("lb/n3 was disabled 2 h ago at run time and still is"));
    assert!(page(&view, "", false, &KOREAN).contains("lb/n3 멤버가 2시간 전에"));
    view.balancers[0].members[2].benched = Some(sample::NOW - 3_599);
    assert!(!page(&view, "", false, &ENGLISH).contains("at run time and still is"));
    view.balancers[0].members[2].benched = Some(sample::NOW - 7_200);
    view.balancers[0].members = vec![view.balancers[0].members[2].clone(); 12];
    let many = page(&view, "", false, &ENGLISH);
    assert_eq!(many.matches("at run time and still is").count(), 5);
    assert!(many.contains("and 7 more"));
}

/// The keys of the elements that change.
fn keys(page: &str) -> Vec<&str> {
    let mut keys: Vec<_> =
        page.split("data-live=\"").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]).collect();
    keys.sort_unstable();
    keys
}

/// A live page takes over what it knows by key, so both have the same ones; and only the page has forms.
#[test]
fn a_live_page_gets_what_changes() {
    let view = sample::view();
    let status = sample::settings();
    for text in [
        "",
        "opt=1",
        "opt=8",
        "opt=16",
        "opt=128",
        "cmd=show&w=lb",
        "cmd=show&w=lb&sw=n2",
        "cmd=show&w=solo",
        "cmd=show&w=st",
    ] {
        let query = Query::parse(text.as_bytes(), b"").unwrap();
        let mode = command::Mode { format: Format::Html, read_only: false };
        let Ok(command::Action::Show(command, subject)) = command::decide(&view, mode, &query) else {
            panic!("{text}")
        };
        let content = Content::Shown(command, subject);
        let page = Page { view: &view, status: &status, hide: query.hide(), content };
        let frame = Frame { page, query: &query, texts: &ENGLISH, token: TOKEN, read_only: false };
        let (whole, live) = (render(&frame), super::live(&frame));
        check(&live);
        assert_eq!(keys(&whole), keys(&live), "{text}");
        assert!(!live.contains("<form") && !live.contains("<details") && live.contains(TOKEN));
        let parts = |page: &str| page.matches(" data-p=").count();
        assert_eq!(parts(&whole), parts(&live), "{text}");
    }
}

#[test]
fn lost_sessions_are_named() {
    let mut view = sample::view();
    view.balancers[0].sessions = SessionIds { known: 60, unknown: 0, bare: 40 };
    assert!(page(&view, "", false, &ENGLISH).contains("40 % of the session ids carry no route"));
    view.balancers[0].sticky_session = false;
    assert!(!page(&view, "", false, &ENGLISH).contains("of the session ids"));
}

#[test]
fn errors_say_so() {
    let view = sample::view();
    let status = sample::settings();
    let query = Query::default();
    let content = Content::Refused(&Refusal::AccessDenied);
    let page = Page { view: &view, status: &status, hide: Hide(0), content };
    let text = render(&Frame { page, query: &query, texts: &ENGLISH, token: "", read_only: false });
    check(&text);
    assert!(text.contains("Result: ERROR") && text.contains("Access denied."));
    assert!(!text.contains("20200"), "a stranger learns nothing of the server");
}

#[test]
fn two_hundred_members() {
    let mut view = sample::view();
    let member = view.balancers[0].members[1].clone();
    view.balancers[0].members = (0..200)
        .map(|number| {
            let mut member = member.clone();
            member.backend.name = format!("node{number}");
            member
        })
        .collect();
    let text = page(&view, "", false, &ENGLISH);
    check(&text);
    assert_eq!(text.matches("<th scope=\"row\">").count(), 600);
    assert!(text.len() < 1_000_000, "{} bytes", text.len());
    check(&page(&view, "cmd=edit&w=lb&att=vwf", false, &ENGLISH));
}
