//! Shares of the nodes, and sessions that stay where they are.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::support::client;
use crate::support::cluster::{Browser, Cluster, cookie, fact};
use crate::support::{Client, Httpd};

/// Requests per method. The exact methods are exact after a few; the rest is for the traffic, whose answers differ in length.
const REQUESTS: usize = 800;
/// Clients at once for the method that looks at what is in work.
const CLIENTS: usize = 8;

/// `node2` gets three quarters by every method, and nothing is lost.
pub fn shares(cluster: &Cluster) {
    let methods = ["Request", "Traffic", "Busyness", "Sessions", "Next"];
    let mut workers = String::from("worker.node2.lbfactor=3\n");
    let mut conf = String::from("MaxKeepAliveRequests 0\n");
    for method in methods {
        workers.push_str(&format!(
            "worker.list={method}\nworker.{method}.type=lb\nworker.{method}.balance_workers=node1,node2\n\
             worker.{method}.method={method}\n"
        ));
        conf.push_str(&format!("JkMount /app/node/{method} {method}\n"));
    }
    let httpd = Httpd::builder().workers(cluster.balancer(&workers)).threads_per_child(16).conf(conf).start();
    for method in methods {
        let answered = Mutex::new(BTreeMap::<String, usize>::new());
        // Busyness compares what is in work: there must be some, and all requests must take equally long.
        let (clients, path, tolerance) = match method {
            "Busyness" => (CLIENTS, format!("/app/node/{method}?slow=8"), 6),
            _ => (1, format!("/app/node/{method}"), 2),
        };
        std::thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| {
                    let mut client = Client::connect(httpd.port());
                    for _ in 0..REQUESTS / clients {
                        let node = fact(&client.get(&path), "node");
                        *answered.lock().unwrap().entry(node).or_default() += 1;
                    }
                });
            }
        });
        let answered = answered.into_inner().unwrap();
        assert_eq!(answered.values().sum::<usize>(), REQUESTS, "{method}: {answered:?}");
        let second = answered.get("node2").copied().unwrap_or(0);
        let per_mille = second * 1000 / REQUESTS;
        eprintln!("       {method}: node2 got {}.{} %", per_mille / 10, per_mille % 10);
        assert!(per_mille.abs_diff(750) <= tolerance * 10, "{method}: {answered:?}");
    }
    httpd.assert_no_errors(&[]);
}

/// A thousand requests of a session stay on its node, half by the cookie and half by the URL.
pub fn sticky(cluster: &Cluster) {
    let httpd = Httpd::builder()
        .workers(cluster.balancer(""))
        .conf("JkMount /app|/* cluster\nMaxKeepAliveRequests 0")
        .servers(2)
        .start();
    for node in ["node1", "node2"] {
        let browser = Browser::on_node(&httpd, "/app", node);
        let id = browser.cookie().split_once('=').unwrap().1.to_owned();
        assert!(id.ends_with(&format!(".{node}")), "{id}");
        let mut expected = 1;
        for _ in 0..10 {
            // Another connection now and then, so that both children of httpd take part.
            let mut client = Client::connect(httpd.port());
            for _ in 0..25 {
                let by_cookie = client.request("GET", "/app/count", &[("Cookie", browser.cookie())], b"");
                let by_url = client.get(&format!("/app/count;jsessionid={id}"));
                for response in [by_cookie, by_url] {
                    expected += 1;
                    assert_eq!(fact(&response, "node"), node);
                    assert_eq!(fact(&response, "count"), expected.to_string());
                }
            }
        }
        assert_eq!(expected, 501);
    }
    // Without a cookie, Tomcat writes the id into the links it makes.
    let first = client::get(httpd.port(), "/app/count");
    let link = fact(&first, "link");
    assert!(link.contains(";jsessionid="), "{link}");
    let second = client::get(httpd.port(), &format!("/app/{link}"));
    assert_eq!((fact(&second, "node"), fact(&second, "count")), (fact(&first, "node"), "2".to_owned()));
    httpd.assert_no_errors(&[]);
}

/// Two httpds that know nothing of each other send a session to the same node.
pub fn two_front_ends(cluster: &Cluster) {
    let front = || Httpd::builder().workers(cluster.balancer("")).conf("JkMount /app|/* cluster").start();
    let (one, two) = (front(), front());
    for node in ["node1", "node2"] {
        let browser = Browser::on_node(&one, "/app", node);
        for (expected, httpd) in (2..).zip([&two, &one, &two, &two, &one]) {
            let next =
                client::request(httpd.port(), "GET", "/app/count", &[("Cookie", browser.cookie())], b"");
            assert_eq!((fact(&next, "node").as_str(), fact(&next, "count")), (node, expected.to_string()));
        }
    }
}

/// Old, quoted, repeated and foreign cookies: the request is served, and a route that exists is found among others.
pub fn strange_ids(cluster: &Cluster) {
    let httpd = Httpd::builder().workers(cluster.balancer("")).conf("JkMount /app|/* cluster").start();
    let ask = |cookie: &str| client::request(httpd.port(), "GET", "/app/node/x", &[("Cookie", cookie)], b"");
    for foreign in
        ["JSESSIONID=abc", "JSESSIONID=abc.node9", "JSESSIONID=", "JSESSIONID=.", "XJSESSIONID=a.node1"]
    {
        let nodes: Vec<String> = (0..4).map(|_| fact(&ask(foreign), "node")).collect();
        assert!(
            nodes.contains(&"node1".to_owned()) && nodes.contains(&"node2".to_owned()),
            "{foreign}: {nodes:?}"
        );
    }
    for known in [
        "JSESSIONID=a.node2",
        "JSESSIONID=\"a.node2\"",
        "theme=dark; JSESSIONID=a.node2; x=y",
        "JSESSIONID=a.node9; JSESSIONID=b.node2",
        "JSESSIONID=old; JSESSIONID=b.node2",
    ] {
        for _ in 0..4 {
            assert_eq!(fact(&ask(known), "node"), "node2", "{known}");
        }
    }
    // An id Tomcat does not know leads to a new session on the node it names.
    let stale =
        client::request(httpd.port(), "GET", "/app/count", &[("Cookie", "JSESSIONID=0123.node2")], b"");
    assert_eq!((fact(&stale, "node").as_str(), fact(&stale, "count").as_str()), ("node2", "1"));
    assert!(cookie(&stale).ends_with(".node2"), "{}", cookie(&stale));
    httpd.assert_no_errors(&[]);
}
