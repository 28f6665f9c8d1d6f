//! Farms for the tests of balancers: scripted backends that say who they are, and workers files with balancers over them.
//!
//! Backends are called n1, n2 and so on. A balancer NAME has a member of its own at each: NAME1, NAME2 and so on, with the
//! routes n1, n2 and so on unless their properties say otherwise.

#![allow(dead_code, unreachable_pub, reason = "each test file uses another part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use crate::support::script::{default_script, facts};
use crate::support::{Backend, Client, Conversation, ForwardRequest, Httpd, Response, client};

/// Backends.
pub struct Farm {
    /// n1, n2 and so on.
    pub nodes: Vec<Backend>,
}

/// The answer of a node: its name, and what the default script says about the path. `status/CODE` is answered with that
/// status.
pub fn node(number: usize, request: &ForwardRequest, say: &mut Conversation) {
    let name = format!("n{number}");
    let named = ("X-Node", name.as_str());
    let mut segments = request.uri.rsplit('/');
    let (last, before) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    match (before, last.parse::<u16>()) {
        ("status", Ok(status)) => say.respond(status, &[named], b"status\n"),
        ("size", Ok(size)) => say.respond(200, &[named], &crate::support::pattern(size.into())),
        _ if matches!(last, "upload") || matches!(before, "stream" | "delay") => default_script(request, say),
        _ => say.respond(200, &[named], facts(request, say.connection()).as_bytes()),
    }
}

impl Farm {
    /// So many backends.
    pub fn of(count: usize) -> Self {
        Self::scripted(count, node)
    }

    /// The same with another script, which gets the number of the node.
    pub fn scripted(
        count: usize,
        script: impl Fn(usize, &ForwardRequest, &mut Conversation) + Clone + Send + Sync + 'static,
    ) -> Self {
        let nodes = (1..=count).map(|number| {
            let script = script.clone();
            Backend::scripted(move |request, say| script(number, request, say))
        });
        Self { nodes: nodes.collect() }
    }

    /// Lines for a balancer; properties of it and of its members, one text for each, are separated by blanks. `-` for a
    /// member: there is none at this node.
    pub fn balancer(&self, name: &str, lines: &str, members: &[&str]) -> String {
        let mut text = format!("worker.list={name}\nworker.{name}.type=lb\n");
        for line in lines.split_whitespace() {
            text += &format!("worker.{name}.{line}\n");
        }
        for ((number, properties), node) in (1..).zip(members).zip(&self.nodes) {
            if *properties == "-" {
                continue;
            }
            let member = format!("{name}{number}");
            text += &format!("worker.{name}.balance_workers={member}\n{}", node.member(&member));
            if !properties.contains("route=") {
                text += &format!("worker.{member}.route=n{number}\n");
            }
            for line in properties.split_whitespace() {
                text += &format!("worker.{member}.{line}\n");
            }
        }
        text
    }

    /// n1 for 1.
    pub fn node(&self, number: usize) -> &Backend {
        &self.nodes[number - 1]
    }

    /// To stop and start it.
    pub fn node_mut(&mut self, number: usize) -> &mut Backend {
        &mut self.nodes[number - 1]
    }

    /// Requests each node got so far.
    pub fn got(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.requests().len()).collect()
    }
}

/// `JkMount /NAME/* NAME` for each.
pub fn mounts(names: &[&str]) -> String {
    names.iter().map(|name| format!("JkMount /{name}/* {name}\n")).collect()
}

/// Name of the node that answered, or the status when none did.
pub fn who(answer: &Response) -> String {
    answer.header("X-Node").map_or_else(|| answer.status.to_string(), str::to_owned)
}

/// Who answers a GET, each on a connection of its own.
#[track_caller]
pub fn asked(httpd: &Httpd, path: &str) -> String {
    who(&client::get(httpd.port(), path))
}

/// The same with a header.
#[track_caller]
pub fn asked_with(httpd: &Httpd, path: &str, header: (&str, &str)) -> String {
    who(&get_with(httpd, path, header))
}

/// GET with a header.
#[track_caller]
pub fn get_with(httpd: &Httpd, path: &str, header: (&str, &str)) -> Response {
    let headers = [("Host", "localhost"), ("Connection", "close"), header];
    Client::connect(httpd.port()).request("GET", path, &headers, b"")
}

/// Who answers so many GETs.
#[track_caller]
pub fn asked_often(httpd: &Httpd, path: &str, times: usize) -> Vec<String> {
    let mut names = Vec::with_capacity(times);
    let mut client = Client::connect(httpd.port());
    while names.len() < times {
        let answer = client.get(path);
        // httpd closes connections behind some errors, and after a hundred requests.
        if answer.header("Connection") == Some("close") {
            client = Client::connect(httpd.port());
        }
        names.push(who(&answer));
    }
    names
}

/// How often each name occurs.
pub fn shares(names: &[String]) -> BTreeMap<&str, usize> {
    let mut shares = BTreeMap::new();
    for name in names {
        *shares.entry(name.as_str()).or_default() += 1;
    }
    shares
}

/// How often `n1`, `n2` … occur.
pub fn share_of<const N: usize>(names: &[String]) -> [usize; N] {
    let shares = shares(names);
    std::array::from_fn(|at| shares.get(format!("n{}", at + 1).as_str()).copied().unwrap_or(0))
}

/// Sends GETs from clients of their own, and returns when `gate` holds them all; call `join` on the threads for the answers.
pub fn hold(httpd: &Httpd, path: &str, count: usize) -> Vec<std::thread::JoinHandle<Response>> {
    let port = httpd.port();
    (0..count)
        .map(|_| {
            let path = path.to_owned();
            std::thread::spawn(move || client::get(port, &path))
        })
        .collect()
}
