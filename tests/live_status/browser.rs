//! How the page looks in a real browser: Debian's chromium without a window.

use super::chromium::Browser;
use super::desk::{builder, tell, value};
use crate::farm::{Farm, asked, asked_often};
use crate::support::{Httpd, wait_until};

const PAGES: [&str; 4] =
    ["/jkstatus", "/jkstatus?cmd=show&w=lb", "/jkstatus?cmd=edit&w=lb&sw=lb1", "/jkstatus?cmd=dump"];

/// Texts whose contrast with what is behind them is too low. Source: WCAG 2.1, 1.4.3 (4.5, or 3 for large text).
const PALE: &str = r#"{
    const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const parse = text => (text.match(/[\d.]+/g) ?? []).map(Number);
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const behind = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parse(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const found = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
        const style = getComputedStyle(element);
        const [a, b] = [light(parse(style.color)), light(behind(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) {
            found.add(`${walker.currentNode.data.trim()}: ${ratio.toFixed(2)} ${element.className}`);
        }
    }
    [...found].join("\n")
}"#;

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
        for (width, dark) in
            [(1920, false), (1280, true), (1000, false), (700, false), (390, true), (320, false)]
        {
            browser.shape(width, 900, dark);
            browser.load(&httpd, path);
            assert!(browser.value("document.body.innerText").to_string().contains("lb1"), "{path}");
            // The style sheet is in force, and only tables are wider than the window.
            let styled =
                "getComputedStyle(document.body).fontFamily != '' && document.styleSheets.length == 1";
            assert_eq!(browser.value(styled), true, "{path}");
            let fits = "document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(browser.value(fits), true, "{path} at {width}");
            let cut = "[...document.querySelectorAll('button, .button, .tag, td, th, .now')]
                .filter(one => one.checkVisibility() && !one.closest('.scroll') && one.scrollWidth > one.clientWidth + 1
                    && getComputedStyle(one).display != 'inline')
                .map(one => one.innerText + ' ' + one.scrollWidth + '>' + one.clientWidth).join('; ')";
            assert_eq!(browser.value(cut), "", "{path} at {width}");
            let open = "for (const part of document.querySelectorAll('details')) part.open = true";
            browser.value(open);
            assert_eq!(browser.value(PALE), "", "{path}, dark: {dark}");
            let dark_now = "getComputedStyle(document.body).backgroundColor == 'rgb(16, 18, 21)'";
            assert_eq!(browser.value(dark_now), dark);
            browser.value("sessionStorage.clear()");
        }
    }
    assert!(browser.complaints.is_empty(), "violations of the policy, errors: {:#?}", browser.complaints);
}

#[test]
fn three_languages() {
    let farm = Farm::of(2);
    let httpd = builder(&farm, "", "").start();
    let mut browser = Browser::start(&httpd);
    for (accept, lang, word, live) in [
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko", "로드 밸런서", "실시간"),
        ("ja,en;q=0.5", "ja", "ロードバランサー", "ライブ"),
        ("fr,en;q=0.5", "en", "Load balancer", "Live"),
    ] {
        browser.language(accept);
        browser.shape(390, 900, false);
        browser.load(&httpd, "/jkstatus?re=1");
        assert_eq!(browser.value("document.documentElement.lang"), lang);
        let told = format!(
            "document.body.innerText.includes('{word}') && document.querySelector('[role=status]').innerText.includes('{live}')"
        );
        assert_eq!(browser.value(&told), true, "{lang}");
        assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth"), true, "{lang}");
        // What comes later has the same language.
        let clock = browser.value("document.querySelector('[data-live=\"@\"]').innerText");
        browser.until(
            "a later look",
            &format!("document.querySelector('[data-live=\"@\"]').innerText != {clock}"),
        );
        assert_eq!(browser.value(&told), true, "{lang}");
    }
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}

#[test]
fn without_scripts_there_is_everything() {
    let farm = Farm::of(3);
    let httpd = builder(&farm, "", "").start();
    asked_often(&httpd, "/lb/x", 9);
    let mut browser = Browser::start(&httpd);
    browser.scripts(false);
    browser.load(&httpd, "/jkstatus");
    assert_eq!(browser.value("document.getElementById('live').checkVisibility()"), false);
    assert_eq!(browser.value("document.querySelectorAll('svg').length"), 0);
    let row =
        "[...document.querySelectorAll('table.members tr')].find(row => row.innerText.startsWith('lb2'))";
    assert_eq!(browser.value(&format!("{row}.innerText.includes('3 in total')")), true);
    let shown = format!(
        "[...{row}.querySelectorAll('button')].filter(one => one.checkVisibility()).map(one => one.innerText).join()"
    );
    assert_eq!(browser.value(&shown), "Drain");
    // A part that opens by itself has the rest.
    browser.value(&format!("{row}.querySelector('summary').click()"));
    assert_eq!(browser.value(&shown), "Drain,Stop,Reset");
    browser.value(&format!("{row}.querySelector('button.if-active').click()"));
    browser.loaded();
    wait_until("the member is drained", || value(&httpd, "lb2.activation") == "DIS");
    assert_eq!(browser.value(&shown), "Activate");
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
    browser.shape(1400, 900, false);
    browser.load(&httpd, "/jkstatus?re=1");
    let took = "{ const [page] = performance.getEntriesByType('navigation');
        [page.domComplete, page.transferSize].map(Math.round).join(' ms, ') + ' octets' }";
    eprintln!("200 members: {}", browser.value(took));
    let slow = "performance.getEntriesByType('navigation')[0].domComplete";
    // Far more than it takes on a machine that does nothing else, where it is printed above.
    assert!(browser.value(slow).as_f64().unwrap() < 15_000.0, "a page of 200 members takes too long");
    let shown = "[...document.querySelectorAll('tr')].filter(row => /^m\\d+\\s/.test(row.innerText)).length";
    assert!(browser.value(shown).as_u64().unwrap() >= 200);
    let filtered = "{
        const field = document.querySelector('input[type=search]');
        field.value = 'm177';
        field.dispatchEvent(new Event('input'));
        [...document.querySelectorAll('table[data-filter] tr')].filter(row => !row.hidden && /^m\\d+\\s/.test(row.innerText)).length
    }";
    assert_eq!(browser.value(filtered).as_u64(), Some(1));
    assert_eq!(browser.value("document.querySelector('output').value"), "1 of 200");
    // A look at the server takes over all rows and leaves the filter alone.
    asked_often(&httpd, "/lb/x", 200);
    browser.until("all rows have changed", "[...document.querySelectorAll('table[data-filter] [data-p=r]')].every(one => one.textContent.startsWith('1 '))");
    assert_eq!(browser.value("document.querySelector('output').value"), "1 of 200");
    let looks = "performance.getEntriesByType('resource').filter(one => one.name.includes('res=live'))
        .map(one => Math.round(one.duration) + ' ms, ' + one.transferSize + ' octets').at(-1)";
    eprintln!("a look at 200 members: {}", browser.value(looks));
    let problems = "document.querySelector('.filter input[type=checkbox]').click();
        document.querySelector('output').value";
    assert_eq!(browser.value(problems), "0 of 200");
    // Folding a part lasts as long as the tab.
    browser.value("document.querySelector('details[data-key=\"members:lb\"] > summary').click()");
    browser.load(&httpd, "/jkstatus?re=1");
    assert_eq!(browser.value("document.querySelector('details[data-key=\"members:lb\"]').open"), false);
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}
