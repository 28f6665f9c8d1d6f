//! One Tomcat of a cluster: small, with an AJP connector on a port and one on a Unix socket, and an HTTP connector by which
//! a test looks at it past httpd. It can be killed, frozen, and started again at the same addresses.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::Application;
use super::classes;
use super::document::{fill, piece};
use super::replication::Replication;
use crate::support::tempdir::TempDir;
use crate::support::{client, ports, process, tomcat};

/// What the connectors ask for.
pub const SECRET: &str = "the-secret-of-the-cluster";

/// Several Java programs on a busy machine take their time.
const START: Duration = Duration::from_secs(120);

/// A Tomcat of a cluster; its name is the route and the name of the worker.
pub struct Node {
    name: String,
    base: TempDir,
    ajp: u16,
    http: u16,
    socket: PathBuf,
    child: Option<Child>,
}

impl Node {
    /// Writes its files; number `own` of the nodes whose receivers listen on these ports.
    pub fn prepare(
        own: usize,
        receivers: &[u16],
        replication: Replication,
        applications: &[Application],
    ) -> Self {
        let name = format!("node{}", own + 1);
        let base = TempDir::new(&name);
        for directory in ["logs", "temp", "work", "lib", "conf/Catalina/localhost", "webapps"] {
            base.mkdir(directory);
        }
        for file in ["web.xml", "catalina.properties"] {
            let path = tomcat::home().join("etc").join(file);
            let mut content = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            if file == "catalina.properties" {
                // No jar has a tag library or an annotation for us, and looking is half of the start.
                content.extend(b"\ntomcat.util.scan.StandardJarScanFilter.jarsToSkip=*.jar\n");
            }
            base.write(&format!("conf/{file}"), content);
        }
        let (ajp, http) = (ports::free_port(), ports::free_port());
        // Short: a socket's path has at most 107 octets. And a directory of its own: Tomcat refuses one all can write to.
        let socket = std::env::temp_dir().join(format!("mod_jk_rs-{}-{ajp}/ajp.sock", std::process::id()));
        let directory = socket.parent().expect("directory");
        std::fs::create_dir_all(directory).expect("directory of the socket");
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        let node = Self { name, base, ajp, http, socket, child: None };
        node.base.write("conf/server.xml", node.server_xml(&replication.cluster_element(own, receivers)));
        for (class, content) in classes::compiled() {
            if class.ends_with("Store.class") {
                node.base.write(&format!("lib/{class}"), content);
            }
        }
        for application in applications {
            node.deploy(application);
        }
        node
    }

    /// Route and name of the worker.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Port of the AJP connector.
    pub fn ajp_port(&self) -> u16 {
        self.ajp
    }

    /// Port of the HTTP connector.
    pub fn http_port(&self) -> u16 {
        self.http
    }

    /// The Unix socket of the second AJP connector.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// All it has printed.
    pub fn log(&self) -> String {
        self.base.read("logs/output.log")
    }

    /// It is meant to run.
    pub fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// Begins to start it; [`Node::await_ready`] waits.
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        // What a killed Tomcat leaves behind keeps the next one from binding it.
        let _ = std::fs::remove_file(&self.socket);
        let (home, base) = (tomcat::home(), self.base.path());
        let log = std::fs::File::create(base.join("logs/output.log")).expect("output.log");
        let mut command = Command::new(tomcat::java());
        // Small and quick to start: these are no benchmarks.
        command.args(["-Xmx80m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]);
        command.args(["-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true"]);
        command.arg(format!("-Dcatalina.home={}", home.display()));
        command.arg(format!("-Dcatalina.base={}", base.display()));
        command.arg(format!("-Djava.io.tmpdir={}", base.join("temp").display()));
        command.arg(format!("-Dtest.node={}", self.name));
        let jars =
            ["bootstrap.jar", "tomcat-juli.jar"].map(|jar| home.join("bin").join(jar).display().to_string());
        command.arg("-classpath").arg(jars.join(":"));
        command.args(["org.apache.catalina.startup.Bootstrap", "start"]);
        command.current_dir(base).stdin(Stdio::null()).stdout(log.try_clone().expect("clone")).stderr(log);
        self.child = Some(process::spawn(command, libc::SIGKILL).expect("start java"));
    }

    /// Waits until it serves.
    #[track_caller]
    pub fn await_ready(&mut self) {
        let child = self.child.as_mut().expect("launched");
        let (mut ended, ajp) = (None, self.ajp);
        let ready = crate::support::poll(START, || {
            ended = child.try_wait().ok().flatten();
            ended.is_some() || tomcat::answers_ping(ajp)
        });
        assert!(ready && ended.is_none(), "{} did not start ({ended:?}):\n{}", self.name, self.log());
    }

    /// Kills it as a crash would; connecting is refused when this returns.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            process::stop(&mut child, libc::SIGKILL, Duration::from_secs(10));
        }
    }

    /// Shuts it down in an orderly way.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            process::stop(&mut child, libc::SIGTERM, crate::support::PATIENCE);
        }
    }

    /// Freezes it: the kernel opens connections for it and nothing answers, from the moment this returns.
    #[track_caller]
    pub fn freeze(&self) {
        let pid = self.child.as_ref().expect("it runs").id();
        process::signal(pid, libc::SIGSTOP);
        crate::support::wait_until("every thread has stopped", || {
            let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("threads");
            threads.flatten().all(|thread| {
                let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
                stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
            })
        });
    }

    /// Ends [`Node::freeze`].
    pub fn thaw(&self) {
        process::signal(self.child.as_ref().expect("it runs").id(), libc::SIGCONT);
    }

    /// Asks it directly, past httpd.
    #[track_caller]
    pub fn ask(&self, path: &str, cookie: &str) -> client::Response {
        client::request(self.http, "GET", path, &[("Cookie", cookie)], b"")
    }

    fn server_xml(&self, cluster: &str) -> String {
        let address = |port: u16| format!("address=\"127.0.0.1\" port=\"{port}\"");
        let route = format!("jvmRoute=\"{}\"", self.name);
        let socket = fill(piece("socket"), &[("/run/tomcat/ajp.sock", &self.socket.display().to_string())]);
        let engine = "<Engine ";
        let connectors =
            format!("{socket}    <Connector protocol=\"HTTP/1.1\" {}/>\n    {engine}", address(self.http));
        let server = fill(
            piece("server"),
            &[
                ("address=\"10.0.0.11\" port=\"8009\"", &address(self.ajp)),
                ("jvmRoute=\"node1\"", &route),
                ("<!-- Cluster: here, if there is one -->", cluster),
                (engine, &connectors),
            ],
        );
        fill(server, &[("change-me-change-me", SECRET)])
    }

    fn deploy(&self, application: &Application) {
        let below = |name: &str| format!("webapps/{}/{name}", application.name);
        let servlets = "<servlet><servlet-name>c</servlet-name><servlet-class>Counter</servlet-class></servlet>\n\
             <servlet-mapping><servlet-name>c</servlet-name><url-pattern>/count</url-pattern>\n\
             <url-pattern>/peek</url-pattern><url-pattern>/node/*</url-pattern>\n\
             <url-pattern>/redirect</url-pattern><url-pattern>/fail</url-pattern></servlet-mapping>\n</web-app>";
        self.base.write(&below("WEB-INF/web.xml"), fill(piece("distributable"), &[("</web-app>", servlets)]));
        for (class, content) in classes::compiled() {
            if class == "Counter.class" {
                self.base.write(&below(&format!("WEB-INF/classes/{class}")), content);
            }
        }
        if !application.context.is_empty() {
            self.base.write(&below("META-INF/context.xml"), &application.context);
        }
        for (file, content) in &application.files {
            self.base.write(&below(file), content);
        }
        for jar in &application.jars {
            let name = jar.file_name().expect("name").to_string_lossy();
            let content = std::fs::read(jar).unwrap_or_else(|e| panic!("{}: {e}", jar.display()));
            self.base.write(&format!("lib/{name}"), content);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(self.socket.parent().expect("directory"));
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(30)..].join("\n");
            eprintln!("--- end of the log of {}:\n{end}", self.name);
        }
    }
}
