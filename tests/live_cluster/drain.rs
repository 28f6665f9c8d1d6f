//! A node is taken out of service, replaced and put back, while people work.

use crate::support::client;
use crate::support::cluster::load::{Load, assert_sessions_went_on, slowest};
use crate::support::cluster::{Browser, Cluster, fact};
use crate::support::{Httpd, wait_until};

/// Disabled, empty, stopped, started again, enabled: no request fails and no session is lost.
pub fn upgrade(cluster: &mut Cluster) {
    cluster.heal();
    let httpd = Httpd::builder()
        .workers(cluster.balancer(""))
        .conf("JkMount /app|/* cluster\nJkWatchdogInterval 1")
        .threads_per_child(16)
        .start();
    let mut old = Browser::on_node(&httpd, "/app", "node2");
    assert_eq!(old.count().activation, "ACT");
    let load = Load::start(&httpd, "/app/count", 2);
    load.await_hits(50);

    // 1. Disable. Old sessions stay and the application is told; new ones go elsewhere.
    httpd.write("conf/workers.properties", &cluster.balancer("worker.node2.activation=disabled"));
    httpd.graceful();
    // A child of the old generation may still serve a connection it had accepted.
    wait_until("the new generation serves", || {
        let seen = old.count();
        assert_eq!(seen.node, "node2");
        seen.activation == "DIS"
    });
    for _ in 0..10 {
        assert_eq!(Browser::new(&httpd, "/app").count().node, "node1");
    }
    // The cookie of a session that ended long ago does not pin its user: LoadBalancerDrainingValve removes it.
    let stale =
        client::request(httpd.port(), "GET", "/app/count", &[("Cookie", "JSESSIONID=0123.node2")], b"");
    assert_eq!((stale.status, stale.header("Location")), (307, Some("/app/count")), "{}", stale.text());
    let removed = stale.header("Set-Cookie").unwrap_or_default();
    assert!(removed.starts_with("JSESSIONID=") && removed.contains("Max-Age=0"), "{removed}");
    assert_eq!(fact(&client::get(httpd.port(), "/app/count"), "node"), "node1");
    load.await_hits(50);

    // 2. Stop it. Its sessions are copied, so they go on at the other node.
    let before = old.count();
    cluster.node("node2").stop();
    let moved = old.count();
    assert_eq!((moved.node.as_str(), moved.count), ("node1", before.count + 1));
    load.await_hits(50);

    // 3. Start the new one, and enable it.
    cluster.heal();
    load.await_hits(50);
    httpd.write("conf/workers.properties", &cluster.balancer(""));
    httpd.graceful();
    wait_until("new sessions on node2", || {
        let new = Browser::new(&httpd, "/app").count();
        new.node == "node2" && new.activation == "ACT"
    });
    load.await_hits(50);
    let browsers = load.end();
    eprintln!(
        "       slowest of {} clicks: {:?}",
        browsers.iter().map(Vec::len).sum::<usize>(),
        slowest(&browsers)
    );
    assert_sessions_went_on(&browsers, 0);
}
