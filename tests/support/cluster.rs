//! Several Tomcats that share sessions, or do not: `node1`, `node2`, ... with their workers.
//!
//! ```text
//! let mut cluster = Cluster::start(2, Replication::Delta, &[Application::new("app")]);
//! let httpd = Httpd::builder().workers(cluster.balancer("")).conf("JkMount /app/* cluster").start();
//! cluster.node("node1").kill();
//! ```
//!
//! The configuration of httpd's side and of Tomcat's is that of docs/sessions.md ([`document`]). What the nodes serve is in
//! `cluster/java/Counter.java`. One test of a file starts a cluster and plays several [`Scenarios`] on it, because the start
//! takes seconds.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub mod classes;
pub mod document;
pub mod load;
pub mod node;
pub mod replication;
pub mod stores;

pub use node::{Node, SECRET};
pub use replication::Replication;

use super::client::Response;
use super::httpd::{Httpd, module_under_test, original_mod_jk};
use super::{client, ports};
use document::{fill, piece};

/// A web application of the cluster, at `/NAME`.
#[derive(Debug, Clone, Default)]
pub struct Application {
    /// Its path without the slash.
    pub name: String,
    /// `META-INF/context.xml`; may be empty.
    pub context: String,
    /// More files.
    pub files: Vec<(String, Vec<u8>)>,
    /// Jars for Tomcat's `lib`.
    pub jars: Vec<PathBuf>,
}

impl Application {
    /// The counter alone.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// With this `META-INF/context.xml`.
    pub fn context(mut self, xml: impl Into<String>) -> Self {
        self.context = xml.into();
        self
    }

    /// With a file.
    pub fn file(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((name.to_owned(), content.as_ref().to_vec()));
        self
    }

    /// With a jar for Tomcat itself.
    pub fn jar(mut self, path: impl Into<PathBuf>) -> Self {
        self.jars.push(path.into());
        self
    }
}

/// The Tomcats.
pub struct Cluster {
    nodes: Vec<Node>,
    replication: Replication,
    application: String,
}

impl Cluster {
    /// Starts `count` nodes at once; returns when all serve, and see each other if they replicate.
    #[track_caller]
    pub fn start(count: usize, replication: Replication, applications: &[Application]) -> Self {
        let receivers: Vec<u16> = (0..count).map(|_| ports::free_port()).collect();
        let node = |own| Node::prepare(own, &receivers, replication, applications);
        let nodes = (0..count).map(node).collect();
        let application = applications.first().expect("an application").name.clone();
        let mut cluster = Self { nodes, replication, application };
        cluster.heal();
        cluster
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node of that name.
    #[track_caller]
    pub fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.name() == name).unwrap_or_else(|| panic!("no node {name:?}"))
    }

    /// Starts every node that does not run, and waits until the cluster is whole.
    #[track_caller]
    pub fn heal(&mut self) {
        let missing: Vec<bool> = self.nodes.iter().map(|node| !node.runs()).collect();
        for (node, missing) in self.nodes.iter_mut().zip(&missing) {
            if *missing {
                node.launch();
            }
        }
        for node in &mut self.nodes {
            node.await_ready();
        }
        if self.replication != Replication::None {
            self.await_membership();
        }
    }

    /// Waits until a session made at any node can be seen at every other one.
    #[track_caller]
    pub fn await_membership(&self) {
        for maker in &self.nodes {
            for other in self.nodes.iter().filter(|other| other.name() != maker.name()) {
                super::wait_until(&format!("a session of {} at {}", maker.name(), other.name()), || {
                    let made = maker.ask(&format!("/{}/count", self.application), "a=b");
                    let seen = other.ask(&format!("/{}/peek", self.application), &cookie(&made));
                    seen.status == 200 && seen.fact("count").as_deref() == Some("1")
                });
            }
        }
    }

    /// `workers.properties` of docs/sessions.md with the balancer `cluster` over all nodes, and `more` behind it.
    pub fn balancer(&self, more: &str) -> String {
        let page = piece("workers");
        // The block of node2 is the pattern for those behind it.
        let (head, _) = page.split_once("worker.node1.").expect("node1 in the workers");
        let names: Vec<&str> = self.nodes.iter().map(Node::name).collect();
        let mut text = fill(
            head.to_owned(),
            &[
                ("=node1,node2", &format!("={}", names.join(","))),
                ("change-me-change-me", SECRET),
                ("worker.maintain=10", "worker.maintain=1"),
                ("recover_time=10", "recover_time=1"),
            ],
        );
        for node in &self.nodes {
            let name = node.name();
            text.push_str(&format!(
                "worker.{name}.reference=worker.template\nworker.{name}.host=127.0.0.1\n"
            ));
            text.push_str(&format!("worker.{name}.port={}\n", node.ajp_port()));
        }
        text + more + "\n"
    }
}

/// The session cookie of a response, ready for the Cookie header.
#[track_caller]
pub fn cookie(response: &Response) -> String {
    let cookie = response.header("Set-Cookie").unwrap_or_else(|| panic!("no session ({})", response.status));
    cookie.split(';').next().unwrap_or_default().to_owned()
}

/// A fact of the counter's answer, which must be there.
#[track_caller]
pub fn fact(response: &Response, name: &str) -> String {
    assert_eq!(response.status, 200, "{}", response.text());
    response.fact(name).unwrap_or_else(|| panic!("no {name} in {:?}", response.text()))
}

/// A browser with its session.
#[derive(Debug)]
pub struct Browser {
    port: u16,
    path: String,
    cookie: Option<String>,
}

/// One count of a [`Browser`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The node that answered.
    pub node: String,
    /// The counter in the session.
    pub count: u32,
    /// The session's id.
    pub id: String,
    /// What the balancer says of the node: `ACT`, `DIS`.
    pub activation: String,
    /// Time to the whole answer, with the connection to httpd.
    pub took: Duration,
}

impl Browser {
    /// A browser without a session for the application at `path` (`/app`) behind httpd.
    pub fn new(httpd: &Httpd, path: &str) -> Self {
        Self { port: httpd.port(), path: path.to_owned(), cookie: None }
    }

    /// Counts once; the answer must be a good one.
    #[track_caller]
    pub fn count(&mut self) -> Count {
        let begun = Instant::now();
        let path = format!("{}/count", self.path);
        let cookie = self.cookie.as_deref().unwrap_or("theme=dark");
        let response = client::request(self.port, "GET", &path, &[("Cookie", cookie)], b"");
        let took = begun.elapsed();
        let count = Count {
            node: fact(&response, "node"),
            count: fact(&response, "count").parse().expect("a number"),
            id: fact(&response, "id"),
            activation: fact(&response, "activation"),
            took,
        };
        if response.header("Set-Cookie").is_some() {
            self.cookie = Some(self::cookie(&response));
        }
        count
    }

    /// The session cookie.
    #[track_caller]
    pub fn cookie(&self) -> &str {
        self.cookie.as_deref().expect("a session")
    }

    /// Counts until the session is on the node, with a new browser each time it is not.
    #[track_caller]
    pub fn on_node(httpd: &Httpd, path: &str, node: &str) -> Self {
        for _ in 0..50 {
            let mut browser = Self::new(httpd, path);
            if browser.count().node == node {
                return browser;
            }
        }
        panic!("50 new sessions and none on {node}");
    }
}

/// The module under test is the original mod_jk (by `MOD_JK_RS_SO`): a measurement of the baseline, so what only this project's
/// module promises is not asked for.
pub fn is_original() -> bool {
    std::env::var_os("MOD_JK_RS_SO").is_some() && module_under_test() == original_mod_jk()
}

/// The scenarios played on one cluster. Each runs, whatever becomes of the others; the end fails when one did.
#[derive(Debug, Default)]
pub struct Scenarios {
    failed: Vec<String>,
}

impl Scenarios {
    /// Plays one.
    pub fn play(&mut self, name: &str, scenario: impl FnOnce()) {
        let begun = Instant::now();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(scenario));
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        eprintln!("{word:6} {:5.1} s  {name}", begun.elapsed().as_secs_f32());
        if outcome.is_err() {
            self.failed.push(name.to_owned());
        }
    }

    /// Fails when one did.
    #[track_caller]
    pub fn end(self) {
        assert!(self.failed.is_empty(), "failed: {:#?}", self.failed);
    }
}

/// One cluster at a time in a test program: times of failover mean little while other Tomcats are starting.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
