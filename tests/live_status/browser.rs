//! The page in a real browser: Debian's chromium without a window.

use std::path::Path;

use super::chromium::Browser;
use super::desk::{builder, tell, value};
use crate::farm::{Farm, asked, asked_often};
use crate::support::{Httpd, wait_until};

const PAGES: [&str; 4] =
    ["/jkstatus", "/jkstatus?cmd=show&w=lb", "/jkstatus?cmd=edit&w=lb&sw=lb1", "/jkstatus?cmd=dump"];

#[test]
fn pages_render_without_complaints() {
    let mut farm = Farm::of(3);
    let httpd = builder(&farm, "recover_time=600", "").start();
    asked_often(&httpd, "/lb/x", 60);
    asked_often(&httpd, "/solo/x", 7);
    farm.node_mut(3).stop_listening();
    farm.node(3).close_connections();
    wait_until("a member fails", || {
        asked(&httpd, "/lb/x");
        value(&httpd, "lb3.state") == "ERR"
    });
    tell(&httpd, "cmd=update&w=lb&sw=lb2&vwa=d");
    let mut browser = Browser::start(&httpd);
    for path in PAGES {
        for (width, dark) in [(1280, false), (390, true)] {
            browser.shape(width, 900, dark);
            browser.load(&httpd, path);
            assert!(browser.value("document.body.innerText").to_string().contains("lb1"), "{path}");
            // The style sheet is in force, and only tables are wider than the window.
            let styled =
                "getComputedStyle(document.body).fontFamily != '' && document.styleSheets.length == 1";
            assert_eq!(browser.value(styled), true, "{path}");
            let fits = "document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(browser.value(fits), true, "{path} at {width}");
        }
    }
    assert!(browser.complaints.is_empty(), "violations of the policy, errors: {:#?}", browser.complaints);
    // For the manual: STATUS_SCREENSHOTS names a folder.
    if let Some(folder) = std::env::var_os("STATUS_SCREENSHOTS") {
        for (name, path, width, height, dark) in [
            ("status", "/jkstatus", 1400, 1150, false),
            ("status-dark", "/jkstatus", 1400, 1150, true),
            ("status-phone", "/jkstatus", 390, 844, false),
            ("status-edit", "/jkstatus?cmd=edit&w=lb&sw=lb1", 1200, 1100, false),
        ] {
            browser.shape(width, height, dark);
            browser.load(&httpd, path);
            browser.picture(&Path::new(&folder).join(format!("{name}.png")));
        }
    }
}

#[test]
fn a_button_drains_a_member() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    let mut browser = Browser::start(&httpd);
    browser.load(&httpd, "/jkstatus");
    let press = "{
        const button = [...document.querySelectorAll('tr')].find(row => row.innerText.startsWith('lb2'))
            .querySelector('form[method=post] input[name=vwa][value=d]').form.querySelector('button');
        button.click();
        button.innerText
    }";
    assert_eq!(browser.value(press), "Drain");
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
fn two_hundred_members_render() {
    let farm = Farm::of(1);
    let port = farm.node(1).port();
    let mut workers = String::from("worker.list=lb,st\nworker.lb.type=lb\nworker.st.type=status\n");
    for number in 1..=200 {
        workers += &format!(
            "worker.lb.balance_workers=m{number}\nworker.m{number}.host=127.0.0.1\nworker.m{number}.port={port}\n"
        );
    }
    let httpd = Httpd::builder()
        .workers(workers)
        .conf("JkMount /lb/* lb\nJkMount /jkstatus st\n")
        .conf(super::desk::LOCAL)
        .start();
    let mut browser = Browser::start(&httpd);
    browser.load(&httpd, "/jkstatus");
    let shown = "[...document.querySelectorAll('tr')].filter(row => /^m\\d+\\s/.test(row.innerText)).length";
    assert!(browser.value(shown).as_u64().unwrap() >= 200);
    let filtered = "{
        const field = document.querySelector('input[type=search]');
        field.value = 'm177';
        field.dispatchEvent(new Event('input'));
        [...document.querySelectorAll('table[data-filter] tr')].filter(row => !row.hidden && /^m\\d+\\s/.test(row.innerText)).length
    }";
    let left = browser.value(filtered).as_u64().unwrap();
    assert_eq!(left, 1);
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}
