//! A site of static files and an application: who serves what, and what the outside learns of Tomcat.

use std::time::{Duration, SystemTime};

use crate::support::client::{self, Response};
use crate::support::cluster::{Cluster, fact, is_original};
use crate::support::{Client, Httpd, wait_until};

/// httpd and Tomcat have the same file with different text; the pattern decides who is asked.
pub fn files_and_pages(cluster: &Cluster) {
    let httpd = Httpd::builder()
        .workers(cluster.balancer(""))
        .file("htdocs/app/logo.txt", "from httpd\n")
        .conf("JkMount /app/*.jsp cluster")
        .start();
    assert_eq!(client::get(httpd.port(), "/app/logo.txt").text(), "from httpd\n");
    let page = client::get(httpd.port(), "/app/page.jsp");
    assert!(page.status == 200 && page.text().starts_with("jsp of node"), "{} {}", page.status, page.text());
}

/// No answer tells that there is a Tomcat, of which version, or at which port; redirects lead to httpd.
pub fn hidden(cluster: &Cluster) {
    let httpd = Httpd::builder().workers(cluster.balancer("")).conf("JkMount /app|/* cluster").start();
    let mut telling: Vec<String> = ["Tomcat", "Coyote", "Catalina"].map(str::to_owned).to_vec();
    for node in cluster.nodes() {
        telling.extend([node.ajp_port().to_string(), node.http_port().to_string()]);
    }
    let ask = |path: &str| {
        let response = client::request(httpd.port(), "GET", path, &[("Host", "shop.example.test")], b"");
        let all = format!("{:?} {:?} {}", response.reason, response.headers, response.text());
        for word in &telling {
            assert!(!all.contains(word.as_str()), "{path} tells {word}: {all}");
        }
        response
    };
    for path in
        ["/app/WEB-INF/web.xml", "/app/web-inf/classes/Counter.class", "/app/META-INF/", "/manager/html"]
    {
        let status = ask(path).status;
        assert!(matches!(status, 403 | 404), "{path}: {status}");
    }
    for path in ["/", "/appendix", "/host-manager/html", "/examples/"] {
        assert!(matches!(ask(path).status, 403 | 404), "{path} is not mounted");
    }
    assert_eq!(ask("/app/fail").status, 500);
    assert_eq!(ask("/app/nothing").status, 404);
    let location = |response: &Response| response.header("Location").map(str::to_owned);
    let redirect = ask("/app/redirect");
    assert_eq!(
        (redirect.status, location(&redirect).as_deref()),
        (302, Some("http://shop.example.test/app/count"))
    );
    let slash = ask("/app");
    assert_eq!((slash.status, location(&slash).as_deref()), (302, Some("/app/")));
}

/// Mounts, exclusions and a mount file together; then the file is edited while httpd runs.
pub fn patterns(cluster: &Cluster) {
    let httpd = Httpd::builder()
        .workers(cluster.balancer("worker.list=node1,node2"))
        .file("htdocs/app/static/a.txt", "from httpd\n")
        .file("htdocs/app/node/private", "from httpd\n")
        .file("conf/map", "/app/node/two=node2\n!/app/node/private=*\n")
        .conf("JkMount /app/* cluster\nJkUnMount /app/static/* cluster\nJkMount /app/node/one node1")
        .conf("JkMountFile conf/map\nJkMountFileReload 1")
        .start();
    let mut client = Client::connect(httpd.port());
    let who = |response: &Response| match response.fact("node") {
        Some(node) => node,
        None => response.text().trim().to_owned(),
    };
    for (path, wanted) in [
        ("/app/node/one", "node1"),
        ("/app/node/two", "node2"),
        ("/app/node/private", "from httpd"),
        ("/app/static/a.txt", "from httpd"),
    ] {
        for _ in 0..3 {
            let response = client.get(path);
            assert_eq!((response.status, who(&response).as_str()), (200, wanted), "{path}");
        }
    }
    let nodes: Vec<String> = (0..4).map(|_| fact(&client.get("/app/node/any"), "node")).collect();
    assert!(nodes.contains(&"node1".to_owned()) && nodes.contains(&"node2".to_owned()), "{nodes:?}");
    assert_eq!(client.get("/other").status, 404);

    if is_original() {
        // It compares whole seconds, and would miss an edit in the second of its first look.
        let began = SystemTime::now();
        wait_until("another second", || began.elapsed().is_ok_and(|age| age > Duration::from_millis(1100)));
    }
    httpd.write("conf/map", "/app/node/two=node1\n/app/static/*=node2\n");
    wait_until("the edited file is in use", || who(&client::get(httpd.port(), "/app/node/two")) == "node1");
    assert_eq!(
        client::get(httpd.port(), "/app/node/private").fact("count").as_deref(),
        Some("null"),
        "is Tomcat's now"
    );
    httpd.assert_no_errors(&[]);
}
