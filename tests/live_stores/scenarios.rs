//! What happens to sessions in a store when nodes, or the store, are killed.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::client;
use crate::support::cluster::load::Load;
use crate::support::cluster::stores::StoreServer;
use crate::support::cluster::{Browser, Cluster, Count, is_original};
use crate::support::tempdir::TempDir;
use crate::support::{Httpd, wait_until};

const APPLICATIONS: [&str; 4] = ["/file", "/jdbc", "/redis", "/memcached"];

/// Two nodes, an application per store, and the stores.
pub struct Stores {
    /// The nodes.
    pub cluster: Cluster,
    /// Directory of FileStore.
    pub files: TempDir,
    /// PostgreSQL.
    pub database: StoreServer,
    /// redis-server.
    pub redis: StoreServer,
    /// memcached.
    pub memcached: StoreServer,
}

impl Stores {
    /// Both nodes run, and httpd is in front of them.
    fn front(&mut self, more: &str) -> Httpd {
        self.cluster.heal();
        let mounts: String = APPLICATIONS.iter().map(|path| format!("JkMount {path}|/* cluster\n")).collect();
        Httpd::builder()
            .workers(self.cluster.balancer(more))
            .conf(mounts + "JkWatchdogInterval 1")
            .threads_per_child(16)
            .start()
    }

    /// The counter goes on at the other node. The id keeps the route of the dead node, to which the session returns.
    pub fn owner_killed(&mut self) {
        let httpd = self.front("");
        let mut browsers = APPLICATIONS.map(|path| Browser::on_node(&httpd, path, "node2"));
        for (browser, path) in browsers.iter_mut().zip(APPLICATIONS) {
            let before = (0..2).map(|_| browser.count()).last().unwrap();
            assert_eq!((before.node.as_str(), before.count), ("node2", 3), "{path}");
            assert!(before.id.ends_with(".node2"), "{path}: {}", before.id);
            self.assert_kept(path, &before.id);
        }
        self.cluster.node("node2").kill();
        for (browser, path) in browsers.iter_mut().zip(APPLICATIONS) {
            let after = browser.count();
            assert_eq!((after.node.as_str(), after.count), ("node1", 4), "{path}");
            assert!(after.id.ends_with(".node2"), "{path}: {}", after.id);
            measured(&format!("{path}: first request after kill -9"), &after);
            assert_eq!(browser.count().count, 5, "{path}");
        }
        self.cluster.heal();
        for (browser, path) in browsers.iter_mut().zip(APPLICATIONS) {
            let mut expected = 5;
            wait_until(&format!("{path}: back at the node it names"), || {
                let count = browser.count();
                expected += 1;
                assert_eq!(count.count, expected, "{path}");
                count.node == "node2"
            });
            assert_eq!(browser.count().node, "node2", "{path}: and stays");
        }
    }

    /// Requests one after another over both nodes: the counter misses none.
    pub fn not_sticky(&mut self) {
        let httpd = self.front("worker.cluster.sticky_session=false");
        for path in APPLICATIONS {
            let mut browser = Browser::new(&httpd, path);
            let mut nodes = BTreeSet::new();
            for expected in 1..=20 {
                let count = browser.count();
                assert_eq!(count.count, expected, "{path}");
                nodes.insert(count.node);
            }
            assert_eq!(nodes.len(), 2, "{path}: {nodes:?}");
        }
        httpd.assert_no_errors(&[]);
    }

    /// What replication between nodes cannot do: no node is left to remember, and sessions go on.
    pub fn all_restarted(&mut self) {
        let httpd = self.front("");
        let mut browsers = APPLICATIONS.map(|path| Browser::on_node(&httpd, path, "node1"));
        for node in ["node1", "node2"] {
            self.cluster.node(node).kill();
        }
        self.cluster.heal();
        for (browser, path) in browsers.iter_mut().zip(APPLICATIONS) {
            assert_eq!(browser.count().count, 2, "{path}");
        }
    }

    /// The store dies: sessions are lost, but users get pages and not errors. The other stores do not notice.
    pub fn store_killed(&mut self) {
        let httpd = self.front("");
        let mut other = Browser::new(&httpd, "/redis");
        assert_eq!(other.count().count, 1);
        let load = Load::start(&httpd, "/memcached/count", 4);
        load.await_hits(200);
        self.memcached.crash();
        load.await_hits(400);
        let browsers = load.end();
        let hits = || browsers.iter().flatten();
        let bad: Vec<u16> = hits().map(|hit| hit.status).filter(|status| *status != 200).collect();
        assert!(bad.is_empty(), "of {} answers: {bad:?}", hits().count());
        assert!(hits().any(|hit| hit.count > Some(10)), "sessions lived before");
        for browser in &browsers {
            let last = browser.last().expect("clicks");
            assert_eq!(last.count, Some(1), "sessions begin anew: {last:?}");
        }
        assert_eq!(other.count().count, 2);
        httpd.assert_no_errors(&[]);
    }

    /// The database dies and comes back: meanwhile errors or new sessions, afterwards the old session goes on.
    pub fn database_back(&mut self) {
        let httpd = self.front("");
        let mut browser = Browser::new(&httpd, "/jdbc");
        assert_eq!((browser.count().count, browser.count().count), (1, 2));
        self.database.crash();
        let ask =
            || client::request(httpd.port(), "GET", "/jdbc/count", &[("Cookie", browser.cookie())], b"");
        let meanwhile = ask();
        let count = meanwhile.fact("count");
        eprintln!("       without the database: {} with count {count:?}", meanwhile.status);
        assert!(count.is_none() || count.as_deref() == Some("1"), "{}", meanwhile.text());
        self.database.start_postgresql();
        wait_until("the session is there again", || ask().fact("count").as_deref() == Some("3"));
    }

    /// The session can be found in its store, past Tomcat.
    fn assert_kept(&self, path: &str, id: &str) {
        let bare = id.split('.').next().unwrap();
        match path {
            "/file" => {
                let file = self.files.path().join(format!("{id}.session"));
                assert!(file.is_file(), "{}", file.display());
            }
            "/jdbc" => {
                let rows = format!("SELECT count(*) FROM tomcat_sessions WHERE id = '{id}' AND valid = '1'");
                assert_eq!(self.database.sql(&rows), "1");
            }
            "/redis" => {
                let answer = self.redis.ask(&format!("EXISTS session:{bare}\r\n"), "\r\n");
                assert_eq!(answer, ":1\r\n");
            }
            "/memcached" => {
                let answer = self.memcached.ask(&format!("get session:{bare}\r\n"), "END\r\n");
                assert!(answer.starts_with("VALUE "), "{answer}");
            }
            _ => panic!("no store for {path}"),
        }
    }
}

/// Prints the time, which must be far below what a user takes for a failure.
#[track_caller]
fn measured(what: &str, count: &Count) {
    eprintln!("       {what}: {:.1} ms", count.took.as_secs_f64() * 1000.0);
    let bound = Duration::from_secs(if is_original() { 20 } else { 1 });
    assert!(count.took < bound, "{what}: {:?}", count.took);
}
