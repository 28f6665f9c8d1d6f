//! The pictures of the manual. `STATUS_SCREENSHOTS` names the folder they are written to.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::chromium::Browser;
use super::desk::{LOCAL, tell, value};
use crate::farm::{Farm, asked, node};
use crate::support::{Httpd, wait_until};

/// How long the figures have to grow.
const GROWING: Duration = Duration::from_secs(56);

#[test]
#[ignore = "makes the pictures of the manual, in more than a minute; checks nothing that the other tests do not"]
fn pictures_of_the_manual() {
    let folder =
        std::env::var_os("STATUS_SCREENSHOTS").expect("STATUS_SCREENSHOTS names the folder to write to");
    let mut farm = Farm::scripted(3, |number, request, say| {
        let pause = 4 * number + request.uri.len() % 7 * 3;
        std::thread::sleep(Duration::from_millis(u64::try_from(pause).unwrap()));
        node(number, request, say);
    });
    let text = farm.balancer("shop", "recover_time=600", &["", "", ""])
        + &farm.node(1).worker("reports")
        + "\nworker.list=status\nworker.status.type=status\n";
    let mounts = "JkMount /shop/* shop\nJkMount /reports/* reports\nJkMount /jkstatus|/* status\n";
    let httpd = Httpd::builder().workers(text).conf(mounts).conf(LOCAL).start();
    let mut browser = Browser::start(&httpd);
    browser.shape(1400, 1150, false);
    browser.load(&httpd, "/jkstatus?re=1");
    let on = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let (httpd, on) = (&httpd, &on);
        let _stop = Stop(on);
        scope.spawn(move || {
            let begin = Instant::now();
            let mut count = 0_u64;
            while on.load(Ordering::Relaxed) {
                let path = format!("/shop/{}", "x".repeat(usize::try_from(count % 9).unwrap()));
                asked(httpd, &path);
                if count.is_multiple_of(6) {
                    asked(httpd, "/reports/x");
                }
                let wave = (begin.elapsed().as_secs_f64() / 9.0).sin();
                std::thread::sleep(Duration::from_millis(30 + (wave * 25.0) as u64));
                count += 1;
            }
        });
        grow(&mut browser);
        farm.node_mut(3).stop_listening();
        farm.node(3).close_connections();
        wait_until("a member fails", || value(httpd, "shop3.state") == "ERR");
        tell(httpd, "cmd=update&w=shop&sw=shop2&vwa=d");
        grow(&mut browser);
        for (name, path, width, height, dark) in [
            ("status", "/jkstatus?re=1", 1280, 900, false),
            ("status-dark", "/jkstatus?re=1", 1280, 900, true),
            ("status-phone", "/jkstatus?re=1", 390, 844, false),
            ("status-phone-2", "/jkstatus?re=1", 390, 2400, true),
            ("status-tablet", "/jkstatus?re=1", 820, 1180, false),
            ("status-wide", "/jkstatus?re=1", 1920, 1200, true),
            ("status-show", "/jkstatus?cmd=show&w=shop&re=1", 1280, 1400, false),
            ("status-edit", "/jkstatus?cmd=edit&w=shop&sw=shop1", 1200, 1100, false),
        ] {
            browser.shape(width, height, dark);
            browser.load(httpd, path);
            if !path.contains("edit") {
                browser.until("a look", "document.querySelector('[data-now=time]').innerText.length > 2");
            }
            browser.picture(&Path::new(&folder).join(format!("{name}.png")));
        }
        std::fs::write(Path::new(&folder).join("page.html"), browser_page(&mut browser, httpd)).unwrap();
    });
}

/// Ends the load, also when something goes wrong.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Lets the figures grow; what the browser says meanwhile is read.
fn grow(browser: &mut Browser) {
    let end = Instant::now() + GROWING / 2;
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(500));
        browser.value("0");
    }
}

/// The page as it stands.
fn browser_page(browser: &mut Browser, httpd: &Httpd) -> String {
    browser.shape(1280, 900, false);
    browser.load(httpd, "/jkstatus?re=1");
    browser.until("a look", "document.querySelector('[data-now=time]').innerText.length > 2");
    browser.value("document.documentElement.outerHTML").as_str().unwrap().to_owned()
}
