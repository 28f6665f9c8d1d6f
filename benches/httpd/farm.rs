//! Balancers: some nodes, and a server with a balancer of them, mounted at `/app`.
//!
//! mod_jk and mod_jk_rs get the same `workers.properties`; mod_proxy_balancer gets what corresponds to it.

use std::fmt::Write as _;

use crate::server::{Backend, Kind, Site};
use crate::support::ports;

/// How a server is set up.
pub(crate) struct Shape {
    /// Processes, and threads of each.
    pub(crate) processes: usize,
    pub(crate) threads: usize,
    /// Properties of the balancer, for mod_jk and mod_jk_rs.
    pub(crate) balancer: &'static str,
    /// Those that mod_jk does not know.
    pub(crate) own: &'static str,
    /// Before each request a CPing is sent, which may take a second; an answer may take two.
    pub(crate) careful: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self { processes: 1, threads: 32, balancer: "", own: "", careful: false }
    }
}

/// Nodes with the names n1, n2 ...
pub(crate) struct Farm {
    pub(crate) nodes: Vec<Backend>,
}

impl Farm {
    pub(crate) fn start(count: usize) -> Self {
        Self { nodes: (1..=count).map(|number| Backend::node(&name(number), ports::free_port())).collect() }
    }

    /// Starts a node that was killed, at the same port.
    pub(crate) fn start_again(&mut self, number: usize) {
        let port = self.nodes[number - 1].port;
        self.nodes[number - 1] = Backend::node(&name(number), port);
    }

    /// A server with a balancer of all nodes.
    pub(crate) fn site(&self, kind: Kind, shape: &Shape) -> Site {
        let site = Site::empty(0);
        let mut conf = site.base_conf(shape.processes, shape.threads);
        match kind {
            Kind::Static => {}
            Kind::ProxyAjp => self.proxy_conf(&mut conf, shape),
            Kind::ModJk | Kind::Rust => {
                site.load_jk(&mut conf, kind);
                conf += "JkMount /app/* lb\n";
                site.root.write("workers.properties", self.workers(kind, shape));
            }
        }
        site.root.write("httpd.conf", conf);
        site
    }

    fn workers(&self, kind: Kind, shape: &Shape) -> String {
        let mut text = String::from("worker.list=lb\nworker.lb.type=lb\n");
        let own = if kind == Kind::Rust { shape.own } else { "" };
        for property in shape.balancer.split(' ').chain(own.split(' ')).filter(|text| !text.is_empty()) {
            writeln!(text, "worker.lb.{property}").unwrap();
        }
        for (number, node) in (1..).zip(&self.nodes) {
            let (name, port) = (name(number), node.port);
            write!(
                text,
                "worker.lb.balance_workers={name}\nworker.{name}.type=ajp13\nworker.{name}.host=127.0.0.1\n\
                 worker.{name}.port={port}\n"
            )
            .unwrap();
            if shape.careful {
                write!(
                    text,
                    "worker.{name}.ping_mode=A\nworker.{name}.ping_timeout=1000\nworker.{name}.reply_timeout=2000\n"
                )
                .unwrap();
            }
        }
        text
    }

    fn proxy_conf(&self, conf: &mut String, shape: &Shape) {
        let modules = ["proxy", "proxy_ajp", "slotmem_shm", "proxy_balancer", "lbmethod_byrequests"];
        Site::load(conf, &modules);
        *conf += "<Proxy balancer://lb>\n";
        for (number, node) in (1..).zip(&self.nodes) {
            let careful = if shape.careful { " ping=1 timeout=2" } else { "" };
            writeln!(conf, "  BalancerMember ajp://127.0.0.1:{} route={}{careful}", node.port, name(number))
                .unwrap();
        }
        *conf += "  ProxySet stickysession=JSESSIONID|jsessionid\n</Proxy>\n";
        *conf += "ProxyPass /app/ balancer://lb/app/\n";
    }
}

fn name(number: usize) -> String {
    format!("n{number}")
}
