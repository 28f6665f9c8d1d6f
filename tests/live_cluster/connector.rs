//! The connector's own settings: the secret on one side only, and the Unix socket.

use crate::support::client;
use crate::support::cluster::{Browser, Cluster, SECRET, fact, is_original};
use crate::support::{Httpd, poll};

/// Tomcat answers 403 itself; the log tells what that means and shows no secret.
pub fn secrets(cluster: &Cluster) {
    let port = cluster.nodes()[0].ajp_port();
    let workers = format!(
        "worker.list=none,wrong,right\nworker.none.type=ajp13\nworker.none.port={port}\nworker.none.host=127.0.0.1\n\
         worker.wrong.reference=worker.none\nworker.wrong.secret=not-the-one-of-the-cluster\n\
         worker.right.reference=worker.none\nworker.right.secret={SECRET}\n"
    );
    let httpd = Httpd::builder()
        .workers(workers)
        .conf("JkMount /app/node/none none\nJkMount /app/node/wrong wrong\nJkMount /app/node/right right")
        .start();
    assert_eq!(client::get(httpd.port(), "/app/node/right").status, 200);
    for worker in ["wrong", "none"] {
        assert_eq!(client::get(httpd.port(), &format!("/app/node/{worker}")).status, 403);
        if is_original() {
            continue;
        }
        let told = poll(crate::support::PATIENCE, || {
            httpd.jk_log().lines().any(|line| line.contains("JK0212") && line.contains(worker))
        });
        assert!(told, "{worker}: {}", httpd.jk_log());
    }
    let log = httpd.jk_log() + &httpd.error_log();
    assert!(!log.contains(SECRET) && !log.contains("not-the-one"), "{log}");
}

/// Pages come by the socket; Tomcat is killed, its socket file removed, and it is started again.
pub fn unix_socket(cluster: &mut Cluster) {
    if is_original() {
        return eprintln!("       not with the original: Debian's mod_jk knows no Unix sockets");
    }
    let socket = cluster.node("node1").socket().display().to_string();
    let workers = format!("worker.list=app\nworker.app.host=unix:{socket}\nworker.app.secret={SECRET}\n");
    let httpd = Httpd::builder().workers(workers).conf("JkMount /app|/* app").start();
    let mut browser = Browser::new(&httpd, "/app");
    assert_eq!((browser.count().count, browser.count().count), (1, 2));
    let seen = client::get(httpd.port(), "/app/node/x");
    assert_eq!(fact(&seen, "remote_addr"), "127.0.0.1", "the browser's address");

    cluster.node("node1").kill();
    assert!(std::path::Path::new(&socket).exists(), "a killed Tomcat leaves it behind");
    assert_eq!(client::get(httpd.port(), "/app/node/x").status, 503);
    cluster.heal();
    assert_eq!(client::get(httpd.port(), "/app/node/x").status, 200, "at once");
}
