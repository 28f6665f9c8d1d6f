//! A node dies. The times printed are those of the whole first request behind the death, as the browser sees it.
//!
//! With replication they contain Tomcat's own: the survivor copies the session to the node that is gone, and waits until it
//! has noticed. The time without replication is the module's alone.

use std::time::Duration;

use crate::support::client;
use crate::support::cluster::load::{Load, assert_sessions_went_on, slowest};
use crate::support::cluster::{Browser, Cluster, Count, cookie, fact, is_original};
use crate::support::{Httpd, wait_until};

/// Much more than it takes on a quiet machine.
fn bound() -> Duration {
    Duration::from_secs(if is_original() { 20 } else { 1 })
}

/// All nodes run, and httpd is in front of them.
fn front(cluster: &mut Cluster) -> Httpd {
    cluster.heal();
    Httpd::builder()
        .workers(cluster.balancer(""))
        .conf("JkMount /app|/* cluster\nJkWatchdogInterval 1")
        .threads_per_child(16)
        .start()
}

#[track_caller]
fn measured(what: &str, count: &Count) {
    eprintln!("       {what}: {:.1} ms", count.took.as_secs_f64() * 1000.0);
    assert!(count.took < bound(), "{what}: {:?}", count.took);
}

/// New sessions reach the node again: it is back in service.
#[track_caller]
fn await_back(httpd: &Httpd, node: &str) {
    let begun = std::time::Instant::now();
    wait_until(&format!("{node} serves again"), || Browser::new(httpd, "/app").count().node == node);
    eprintln!("       {node} serves again {:.1} s after its port", begun.elapsed().as_secs_f64());
}

/// The counter goes on at the other node, under its route, and stays there.
pub fn owner_killed(cluster: &mut Cluster) {
    let httpd = front(cluster);
    let mut browser = Browser::on_node(&httpd, "/app", "node2");
    let before = (0..3).map(|_| browser.count()).last().unwrap();
    assert_eq!((before.node.as_str(), before.count), ("node2", 4));
    assert!(before.id.ends_with(".node2"), "{}", before.id);

    cluster.node("node2").kill();
    let after = browser.count();
    assert_eq!((after.node.as_str(), after.count), ("node1", 5));
    assert!(after.id.ends_with(".node1"), "{}", after.id);
    measured("first request after kill -9", &after);
    let next = browser.count();
    assert_eq!((next.node.as_str(), next.count), ("node1", 6));
    measured("second request", &next);

    cluster.heal();
    await_back(&httpd, "node2");
    let home = browser.count();
    assert_eq!((home.node.as_str(), home.count), ("node1", 7), "its route is node1 now");
}

/// Browsers click all the time while a node is killed: no error page, every counter goes on.
pub fn owner_killed_under_load(cluster: &mut Cluster) {
    let httpd = front(cluster);
    let load = Load::start(&httpd, "/app/count", 4);
    load.await_hits(200);
    cluster.node("node2").kill();
    load.await_hits(400);
    cluster.heal();
    load.await_hits(200);
    let browsers = load.end();
    eprintln!(
        "       slowest of {} clicks: {:?}",
        browsers.iter().map(Vec::len).sum::<usize>(),
        slowest(&browsers)
    );
    assert_sessions_went_on(&browsers, 1);
    let nodes =
        |node: &str| browsers.iter().flatten().filter(|hit| hit.node.as_deref() == Some(node)).count();
    assert!(nodes("node1") > 0 && nodes("node2") > 0, "both had sessions");
}

/// A request is in work in the node that dies. A GET is sent again and the user sees nothing; a POST is not, because the node may
/// have done what it asks for.
pub fn owner_killed_at_work(cluster: &mut Cluster) {
    let httpd = front(cluster);
    for method in ["GET", "POST"] {
        let mut browser = Browser::on_node(&httpd, "/app", "node2");
        assert_eq!(browser.count().count, 2);
        let (port, cookie) = (httpd.port(), browser.cookie().to_owned());
        let asked = std::thread::spawn(move || {
            client::request(port, method, "/app/count?slow=5000", &[("Cookie", &cookie)], b"")
        });
        wait_until("the request is in work in node2", || {
            cluster.node("node2").ask("/app/node/x", "").fact("waiting").as_deref() == Some("1")
        });
        cluster.node("node2").kill();
        let answer = asked.join().expect("an answer");
        eprintln!("       {method}: {} by {:?}", answer.status, answer.fact("node"));
        let counted = browser.count().count;
        if method == "GET" {
            assert_eq!((answer.status, answer.fact("count").as_deref()), (200, Some("3")));
            assert_eq!(counted, 4, "counted once");
        } else if !is_original() {
            assert!(matches!(answer.status, 502 | 503), "{}: {}", answer.status, answer.text());
            assert_eq!(counted, 3, "the POST was not sent again");
        }
        cluster.heal();
        await_back(&httpd, "node2");
    }
}

/// The balancer's own cookie, for applications without sessions: it leads to its node, and is renewed when that one dies.
pub fn own_cookie(cluster: &mut Cluster) {
    cluster.heal();
    let workers = cluster.balancer(
        "worker.cluster.session_cookie=ROUTE\nworker.cluster.set_session_cookie=true\n\
         worker.cluster.session_cookie_path=/app",
    );
    let httpd =
        Httpd::builder().workers(workers).conf("JkMount /app|/* cluster\nJkWatchdogInterval 1").start();
    let ask = |cookie: &str| client::request(httpd.port(), "GET", "/app/node/x", &[("Cookie", cookie)], b"");
    let first = ask("theme=dark");
    let (node, set) = (fact(&first, "node"), cookie(&first));
    assert_eq!(set, format!("ROUTE=.{node}"));
    let line = first.header("Set-Cookie").unwrap().to_ascii_lowercase();
    assert!(line.contains("path=/app") && line.contains("httponly"), "{line}");
    for _ in 0..6 {
        let next = ask(&set);
        assert_eq!((fact(&next, "node"), next.header("Set-Cookie")), (node.clone(), None));
    }
    cluster.node(&node).kill();
    let moved = ask(&set);
    let other = fact(&moved, "node");
    assert_ne!(other, node);
    let all = moved.header_all("Set-Cookie");
    assert!(all.last().unwrap().starts_with(&format!("ROUTE=.{other}")), "{all:?}");
    // The original sends one for every node it has tried.
    assert!(all.len() == 1 || is_original(), "{all:?}");
    cluster.heal();
}

/// Three nodes, one copy: the owner dies, then the next owner; the counter goes on.
///
/// The route changes with the first request that finds the session after Tomcat has noticed the loss, which may be the second.
pub fn two_owners_killed(cluster: &mut Cluster) {
    let httpd = front(cluster);
    let mut browser = Browser::new(&httpd, "/app");
    let mut expected = 0;
    for left in [2, 1] {
        let mut owner = String::new();
        wait_until("the session has the route of its node", || {
            let count = browser.count();
            expected += 1;
            assert_eq!(count.count, expected);
            owner.clone_from(&count.node);
            count.id.ends_with(&format!(".{owner}"))
        });
        cluster.node(&owner).kill();
        let after = browser.count();
        expected += 1;
        assert_eq!(after.count, expected, "{owner} died: {after:?}");
        assert_ne!(after.node, owner);
        measured(&format!("first request after kill -9, {left} left"), &after);
    }
}

/// Nobody copies sessions, so the user begins anew; and the module says that the session's node is down.
pub fn nobody_copies(cluster: &mut Cluster) {
    let httpd = front(cluster);
    let mut browser = Browser::on_node(&httpd, "/app", "node2");
    let before = browser.count();
    assert_eq!(before.count, 2);
    let read = httpd.jk_log().len();
    cluster.node("node2").kill();
    let after = browser.count();
    assert_eq!((after.node.as_str(), after.count), ("node1", 1), "a new session");
    assert!(after.id.ends_with(".node1") && after.id != before.id, "{}", after.id);
    measured("first request after kill -9, no replication", &after);
    let stays = browser.count();
    assert_eq!((stays.node.as_str(), stays.count), ("node1", 2));
    if !is_original() {
        wait_until("the log names the session's node and the new one", || {
            let log = httpd.jk_log();
            let news = log.get(read..).unwrap_or_default();
            news.lines()
                .any(|line| line.contains("session") && line.contains("node2") && line.contains("node1"))
        });
    }
    cluster.heal();
    await_back(&httpd, "node2");
}

/// A node that hangs: connections open and nothing answers. The ping finds out, and the request goes elsewhere.
pub fn frozen(cluster: &mut Cluster) {
    let httpd = front(cluster);
    let mut browser = Browser::on_node(&httpd, "/app", "node2");
    cluster.node("node2").freeze();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| browser.count()));
    cluster.node("node2").thaw();
    let after = outcome.expect("an answer");
    assert_eq!((after.node.as_str(), after.count), ("node1", 1));
    eprintln!("       first request to a frozen node: {:.1} ms", after.took.as_secs_f64() * 1000.0);
    // ping_timeout is 2 seconds; more than two pings would be too patient.
    assert!(after.took < Duration::from_secs(if is_original() { 20 } else { 6 }), "{:?}", after.took);
    await_back(&httpd, "node2");
}
