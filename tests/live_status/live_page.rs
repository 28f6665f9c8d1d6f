//! The page changes by itself, and changes others: what its script does, in a real browser.

use super::chromium::Browser;
use super::desk::{builder, tell, value};
use crate::farm::{Farm, asked, asked_often};
use crate::support::{Httpd, wait_until};

/// The row of a member.
fn row(member: &str) -> String {
    format!("document.querySelector('tr[data-live=\"m:lb/{member}\"]')")
}

/// The number of looks at the server.
const LOOKS: &str =
    "performance.getEntriesByType('resource').filter(one => one.name.includes('res=live')).length";

fn open(httpd: &Httpd) -> Browser {
    let mut browser = Browser::start(httpd);
    browser.shape(1280, 900, false);
    browser.load(httpd, "/jkstatus?re=1");
    browser.value("window.same = true");
    browser
}

#[test]
fn counters_states_and_figures_follow() {
    let mut farm = Farm::of(3);
    let httpd = builder(&farm, "recover_time=600", "").start();
    let mut browser = open(&httpd);
    let total = format!("{}.querySelector('[data-p=r]').innerText", row("lb1"));
    assert!(browser.value(&total).as_str().unwrap().starts_with("0 in total"));
    browser.until("a first look", &format!("{LOOKS} > 0"));
    asked_often(&httpd, "/lb/x", 30);
    browser.until("the counter follows", &format!("{total}.startsWith('10 in total')"));
    let rate = format!("parseFloat({}.querySelector('[data-now=rate]').innerText) > 0", row("lb1"));
    browser.until("a rate", &rate);
    let time = format!("/ms|µs/.test({}.querySelector('[data-now=time]').innerText)", row("lb1"));
    assert_eq!(browser.value(&time), true);
    for kind in ["rate", "time"] {
        let line =
            format!("{}.querySelector('[data-chart={kind}] .line').getAttribute('d').length > 5", row("lb1"));
        assert_eq!(browser.value(&line), true, "{kind}");
    }
    let told = "document.querySelector('article [data-chart=rate] svg').getAttribute('aria-label')";
    assert!(browser.value(told).as_str().unwrap().starts_with("Requests: now "));

    // A member fails, another is disabled elsewhere: words, colours and buttons follow.
    farm.node_mut(3).stop_listening();
    farm.node(3).close_connections();
    wait_until("a member fails", || {
        asked(&httpd, "/lb/x");
        value(&httpd, "lb3.state") == "ERR"
    });
    tell(&httpd, "cmd=update&w=lb&sw=lb2&vwa=d");
    let words = format!("{}.innerText", row("lb3"));
    browser.until("why it is down", &format!("{words}.includes('No connection could be made.')"));
    assert_eq!(browser.value(&format!("{}.dataset.health", row("lb3"))), "bad");
    let button = |class: &str, member: &str| {
        format!("{}.querySelector('button.{class}').checkVisibility()", row(member))
    };
    assert_eq!(browser.value(&button("if-error", "lb3")), true);
    browser.until("the button of the disabled one", &button("if-idle", "lb2"));
    assert_eq!(browser.value(&button("if-active", "lb2")), false);
    assert_eq!(
        browser
            .value("document.querySelector('article .tags').innerText")
            .as_str()
            .unwrap()
            .matches(['1', '2', '3'])
            .count(),
        3
    );
    // The last one goes too.
    tell(&httpd, "cmd=update&w=lb&sw=lb1&vwa=s");
    tell(&httpd, "cmd=update&w=lb&sw=lb2&vwa=s");
    browser.until(
        "a warning",
        "document.querySelector('.warnings').innerText.includes('No member of lb can take')",
    );
    assert_eq!(browser.value("window.same"), true, "the page was never loaded again");

    // The figures survive a change of the page.
    browser.load(&httpd, "/jkstatus?cmd=show&w=lb&re=1");
    let line =
        format!("{}.querySelector('[data-chart=rate] .line').getAttribute('d').length > 5", row("lb1"));
    assert_eq!(browser.value(&line), true);
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}

#[test]
fn it_rests_when_nobody_looks_and_says_when_the_server_is_gone() {
    let farm = Farm::of(1);
    let mut httpd = builder(&farm, "", "").start();
    let mut browser = open(&httpd);
    browser.until("a first look", &format!("{LOOKS} > 0"));
    let hide = |hidden: bool| {
        format!(
            "Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}});
             document.dispatchEvent(new Event('visibilitychange')); {LOOKS}"
        )
    };
    // One that is under way may end; longer than two intervals nothing comes.
    browser.value(&hide(true));
    browser.value("window.from = performance.now()");
    browser.until("some time", "performance.now() - window.from > 3500");
    let late = "performance.getEntriesByType('resource').filter(one => one.name.includes('res=live') && one.startTime > window.from).length";
    assert_eq!(browser.value(late), 0);
    browser.value(&hide(false));
    browser.until("it goes on at once", &format!("{late} > 0"));

    let status = "document.querySelector('[role=status]').innerText";
    assert!(browser.value(status).as_str().unwrap().contains("Live"));
    browser.value("document.querySelector('#live button').click()");
    assert!(browser.value(status).as_str().unwrap().contains("Paused"));
    browser.value("document.querySelector('#live button').click()");
    assert!(browser.value(status).as_str().unwrap().contains("Live"));
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);

    assert!(httpd.stop());
    browser.until("the server is gone", &format!("{status}.includes('No answer from the server since')"));
    httpd.launch().unwrap();
    browser.until("it is back", &format!("{status}.includes('Live')"));
}

#[test]
fn a_button_drains_a_member() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    let mut browser = open(&httpd);
    let press = format!(
        "{{ const button = {}.querySelector('button.if-active'); button.click(); button.innerText }}",
        row("lb2")
    );
    assert_eq!(browser.value(&press), "Drain");
    let asked = browser.value("document.querySelector('dialog').innerText");
    assert!(asked.as_str().unwrap().contains("Drain lb/lb2?"), "{asked}");
    assert_eq!(browser.value("document.activeElement.value"), "no", "the harmless button has the focus");
    browser.value("document.querySelector('dialog button[value=no]').click()");
    browser.until("the question is gone", "!document.querySelector('dialog')");
    assert_eq!(value(&httpd, "lb2.activation"), "ACT");
    browser.value(&press);
    // By keyboard: back to the other button, and press it.
    for (key, code) in [("Tab", 9), ("Enter", 13)] {
        let back = if key == "Tab" { 8 } else { 0 };
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event = serde_json::json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
                "modifiers": back, "text": if kind == "keyDown" { text } else { "" }});
            browser.call("Input.dispatchKeyEvent", &event);
        }
    }
    browser.loaded();
    wait_until("the member is drained", || value(&httpd, "lb2.activation") == "DIS");
    assert_eq!(browser.value("location.search.includes('vwa')"), false, "loading again does not repeat it");
    // The same form of another site: an opaque origin.
    let foreign = "data:text/html,<form method=post action='@'><input name=cmd value=update><input name=w value=lb>\
                   <input name=sw value=lb1><input name=vwa value=s></form><script>document.forms[0].submit()</script>";
    let target = format!("http://127.0.0.1:{}/jkstatus", httpd.port());
    browser.call("Page.navigate", &serde_json::json!({"url": foreign.replace('@', &target)}));
    wait_until("the other site is refused", || httpd.jk_log().contains("JK0226: status worker st: POST"));
    assert_eq!(value(&httpd, "lb1.activation"), "ACT");
    assert!(browser.complaints.iter().all(|text| text.contains("403")), "{:#?}", browser.complaints);
}

#[test]
fn an_open_address_is_told_of() {
    let farm = Farm::of(1);
    let workers = super::desk::workers(&farm, "", "");
    let httpd = Httpd::builder().workers(workers).conf(super::desk::MOUNTS).start();
    let page = super::desk::ask(&httpd, "").text();
    assert!(page.contains("Anybody who reaches this address can change settings"), "{page}");
    let limited = builder(&farm, "", "").start();
    assert!(!super::desk::ask(&limited, "").text().contains("Anybody who reaches this address"));
}
