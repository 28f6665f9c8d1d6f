//! Whole configurations as sites have them, under the original mod_jk and under this module: both start, both pass
//! `configtest`, and both send every URL of a list to the same backend in the same form with the same status.
//!
//! A site is a directory of `tests/sites`: `site.conf`, more `*.conf`, `site.workers`, `site.map`, and `urls` with lines
//!
//! ```text
//! host path => backend uri status                                  the same for both; "-" for the default host, or for none
//! host path => backend uri status | backend uri status # reason    the original | this module
//! ```
//!
//! In the files `@one@`, `@two@` and `@three@` stand for the ports of the backends, `@PORT@` for httpd's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod support;

use std::path::{Path, PathBuf};

use support::httpd::{module_under_test, original_mod_jk};
use support::{Backend, Client, ForwardRequest, Httpd, client};

const BACKENDS: [&str; 3] = ["one", "two", "three"];

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Where a request went: backend, URI as it came there, status of the answer.
type Route = (String, String, u16);

/// What else the backend was told: TLS, cipher, key size, query, and attributes that are the same for every connection.
type Facts = (bool, Option<String>, Option<u16>, Option<String>, Vec<(String, String)>);

/// Facts by host and path.
type Told = Vec<(String, Facts)>;

fn facts(request: &ForwardRequest) -> Facts {
    let mut attributes = request.attributes.clone();
    attributes.retain(|(name, _)| name != "AJP_REMOTE_PORT");
    attributes.sort();
    (request.is_ssl, request.ssl_cipher.clone(), request.ssl_key_size, request.query.clone(), attributes)
}

/// One line of `urls`.
struct Line {
    host: String,
    path: String,
    original: Route,
    ours: Route,
}

fn route(text: &str) -> Route {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [backend, uri, status] = fields[..] else { panic!("not a route: {text:?}") };
    (backend.to_owned(), uri.to_owned(), status.parse().expect("status"))
}

fn lines(site: &str) -> Vec<Line> {
    let text = read(project("tests/sites").join(site).join("urls"));
    let wanted = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    wanted
        .map(|line| {
            let (target, routes) = line.split_once(" => ").unwrap_or_else(|| panic!("{site}: {line:?}"));
            let (host, path) = target.split_once(' ').expect("host and path");
            let (original, ours) = match routes.split_once(" | ") {
                None => (route(routes), route(routes)),
                Some((original, ours)) => {
                    let (ours, reason) = ours.split_once('#').expect("a difference has a reason");
                    assert!(!reason.trim().is_empty(), "{site}: {line:?}");
                    (route(original), route(ours))
                }
            };
            let host = if host == "-" { "localhost" } else { host };
            Line { host: host.to_owned(), path: path.to_owned(), original, ours }
        })
        .collect()
}

/// Sends every URL of the site; complaints, and what the backends were told.
fn run(site: &str, module: &Path, wanted: impl Fn(&Line) -> &Route) -> (Vec<String>, Told) {
    let mut backends = BACKENDS.map(|_| Backend::start());
    let mut builder =
        Httpd::builder().module(module).file("htdocs/index.html", "from disk\n").file("conf/keep", "");
    let mut files: Vec<PathBuf> = std::fs::read_dir(project("tests/sites").join(site))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for path in &files {
        let mut text = read(path);
        for (name, backend) in BACKENDS.iter().zip(&backends) {
            text = text.replace(&format!("@{name}@"), &backend.port().to_string());
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            // In order of their names, site.conf last.
            Some("conf") => builder = builder.conf(text),
            Some("workers" | "map") => {
                builder =
                    builder.file(&format!("conf/{}", path.file_name().unwrap().to_string_lossy()), text);
            }
            _ => {}
        }
    }
    let mut httpd = builder.prepare();
    let (good, output) = httpd.configtest();
    if !good {
        return (vec![format!("{site}, {}: configtest: {output}", module.display())], Vec::new());
    }
    if let Err(text) = httpd.launch() {
        return (vec![format!("{site}, {}: {text}", module.display())], Vec::new());
    }
    let (mut complaints, mut told) = (Vec::new(), Vec::new());
    for line in lines(site) {
        let before: Vec<usize> = backends.iter().map(|backend| backend.requests().len()).collect();
        let headers = [("Host", line.host.as_str()), ("Connection", "close")];
        let answer = Client::connect(httpd.port()).request("GET", &line.path, &headers, b"");
        let mut got = ("-".to_owned(), "-".to_owned(), answer.status);
        for ((name, backend), before) in BACKENDS.iter().zip(&backends).zip(before) {
            if backend.requests().len() > before {
                let request = backend.last_request();
                got = ((*name).to_owned(), request.uri.clone(), answer.status);
                if line.original == line.ours {
                    told.push((format!("{} {}", line.host, line.path), facts(&request)));
                }
            }
        }
        if got != *wanted(&line) {
            complaints.push(format!(
                "{site}: {} {}: {got:?}, wanted {:?}",
                line.host,
                line.path,
                wanted(&line)
            ));
        }
    }
    for backend in &mut backends {
        // The strict reader of packets is no judge of the original.
        if module != module_under_test() {
            backend.forgive_errors();
        }
    }
    (complaints, told)
}

#[track_caller]
fn both(site: &str) {
    let (mut complaints, original) = run(site, &original_mod_jk(), |line| &line.original);
    complaints.iter_mut().for_each(|text| text.insert_str(0, "original: "));
    let (more, ours) = run(site, &module_under_test(), |line| &line.ours);
    complaints.extend(more);
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert_eq!(original, ours, "{site}: the backends were told the same");
    assert!(!ours.is_empty());
}

macro_rules! sites {
    ($($name:ident),+ $(,)?) => {
        const SITES: &[&str] = &[$(stringify!($name)),+];
        $(#[test] fn $name() { both(stringify!($name)); })+
    };
}

sites!(debian, farm, legacy, mapfile, samples, single, ssl, vhosts);

#[test]
fn every_site_is_tested() {
    let mut found: Vec<String> = std::fs::read_dir(project("tests/sites"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, SITES);
}

/// Debian mounts two workers that its own worker file lacks: no reason not to start, and each is named. Requests for them are
/// answered with 500 by both modules.
#[test]
fn what_the_stock_configuration_of_debian_lacks_is_named() {
    for module in [original_mod_jk(), module_under_test()] {
        let ours = module == module_under_test();
        let mut httpd = Httpd::builder()
            .module(&module)
            .file(
                "conf/site.workers",
                read(project("tests/sites/debian/site.workers")).replace("@one@", "8009"),
            )
            .conf(read(project("tests/sites/debian/site.conf")))
            .conf("<VirtualHost *:@PORT@>\nServerName copy\nJkMountCopy On\n</VirtualHost>")
            .prepare();
        let (good, output) = httpd.configtest();
        assert!(good, "{output}");
        httpd.launch().unwrap();
        for name in ["jk-status", "jk-manager"] {
            let answer = client::get(httpd.port(), &format!("/{name}"));
            assert_eq!(answer.status, 500, "{}: {name}", module.display());
            if ours {
                let text = format!(": JkMount /{name}: there is no worker \"{name}\"; requests");
                for log in [&output, &httpd.error_log()] {
                    let named = log.lines().any(|line| line.contains("JK0002: ") && line.contains(&text));
                    assert!(named, "{log}");
                }
            }
        }
        assert!(!output.contains("JK0001") && !httpd.error_log().contains("JK0001"), "{output}");
    }
}

#[test]
fn the_sample_configuration_of_the_project_serves() {
    let backend = Backend::builder().secret("change-me").start();
    let conf = read(project("apache-conf/jk.conf"));
    let conf = conf.replace("/etc/apache2/workers.properties", "conf/workers.properties");
    let conf = conf.replace("/var/log/apache2/", "logs/");
    // The way to files of the application, for those who want it.
    let conf = conf.replace("# JkUnMount /app/static/*", "JkUnMount /app/static/*");
    assert!(conf.contains("\n    JkUnMount"), "{conf}");
    let workers = read(project("apache-conf/workers.properties"));
    let port = format!("port={}", backend.port());
    let httpd = Httpd::builder()
        .file("conf/workers.properties", workers.replace("port=8009", &port))
        .file("htdocs/app/static/x.txt", "a file")
        .conf(conf)
        .prepare();
    let (good, output) = httpd.configtest();
    assert!(good && output.contains("Syntax OK"), "{output}");
    assert!(!output.contains("warn"), "{output}");
    let mut httpd = httpd;
    httpd.launch().unwrap();
    let answer = client::get(httpd.port(), "/app/x");
    assert_eq!((answer.status, answer.fact("uri").as_deref()), (200, Some("/app/x")));
    assert_eq!(client::get(httpd.port(), "/app/static/x.txt").text(), "a file");
    httpd.assert_no_errors(&[]);
}

#[test]
fn the_sample_farm_of_the_project_serves() {
    let nodes = [(); 2].map(|()| Backend::builder().secret("change-me-change-me").start());
    let conf = read(project("apache-conf/farm/jk.conf"));
    let conf = conf.replace("/etc/apache2/workers.properties", "conf/workers.properties");
    let conf = conf.replace("/var/log/apache2/", "logs/");
    let mut workers = read(project("apache-conf/farm/workers.properties"));
    for (host, node) in ["10.0.0.11", "10.0.0.12"].iter().zip(&nodes) {
        let line = format!("host={host}\n");
        assert_eq!(workers.matches(&line).count(), 1, "{workers}");
        workers = workers.replace(&line, &format!("host=127.0.0.1:{}\n", node.port()));
    }
    // A port of the template would win over those of the hosts.
    let workers = workers.replace("\nworker.base.port=8009\n", "\n");
    let mut httpd = Httpd::builder().file("conf/workers.properties", workers).conf(conf).prepare();
    let (good, output) = httpd.configtest();
    assert!(good && output.contains("Syntax OK"), "{output}");
    assert!(!output.contains("warn"), "{output}");
    httpd.launch().unwrap();
    for (name, node) in ["node1", "node2"].iter().zip(&nodes) {
        for path in ["/shop/x", "/shop/report/x"] {
            let before = node.requests().len();
            let answer = client::get(httpd.port(), &format!("{path};jsessionid=5D2A.{name}"));
            assert_eq!((answer.status, node.requests().len()), (200, before + 1), "{name}: {path}");
        }
    }
    for path in ["/shop/x", "/shop/x", "/shop/health", "/shop/health"] {
        assert_eq!(client::get(httpd.port(), path).status, 200, "{path}");
    }
    let log = || std::fs::read_to_string(httpd.root().join("logs/farm.log")).unwrap_or_default();
    support::wait_until("the access log", || log().lines().count() == 8);
    let log = log();
    assert!(log.contains(" shop node2 OK \"node2 sticky\""), "{log}");
    assert!(log.contains("method=busyness 2/2") && log.contains("turn 2/2"), "{log}");
    httpd.assert_no_errors(&[]);
}

#[test]
fn the_configuration_of_the_demo_passes_the_check() {
    let conf = read(project("apache-conf/demo/httpd.conf.in"));
    let directives =
        conf.split("# --- mod_jk_rs").nth(1).expect("the part about the module").split_once('\n').unwrap().1;
    let directives = directives
        .replace("@STATE@/conf/", "conf/")
        .replace("@STATE@", "run")
        .replace("@LOGS@", "logs")
        .replace("@MOUNTS@", "JkMount /examples|/* tomcat");
    let workers = read(project("apache-conf/demo/workers.properties.in"));
    let workers = workers.replace("@AJP_PORT@", "8009").replace("@SECRET@", "worker.tomcat.secret=x");
    let httpd = Httpd::builder().file("conf/workers.properties", workers).conf(directives).prepare();
    let (good, output) = httpd.configtest();
    assert!(good && output.contains("Syntax OK") && !output.contains('@'), "{output}");
}
