//! A private Tomcat 10 from the distribution's packages: its own base directory, loopback only, gone when the test is.
//!
//! It serves the `/examples` web application and, at the root, small pages for tests: `/echo.jsp` (facts of the request,
//! `?attribute=NAME` asks for one attribute), `/session.jsp` (a counter), `/big.jsp?n=MIB` or `?octets=N` (the octets of
//! [`super::pattern`]; `&length=0` without Content-Length), `/upload.jsp` (length and SHA-256 of the body). Asynchronous
//! servlets are at `/examples/async/async0` to `async3`. It is ready when a CPing is answered, which Tomcat does only when
//! all applications are deployed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::tempdir::TempDir;
use super::{ports, process};

const CPING: &[u8] = b"\x12\x34\x00\x01\x0a";
const CPONG: &[u8] = b"\x41\x42\x00\x01\x09";

/// A Java program on a busy machine takes its time.
const START: Duration = Duration::from_secs(120);

/// How Tomcat is to be started.
#[derive(Debug, Clone)]
pub struct Builder {
    secret: String,
    packet_size: usize,
    route: String,
    connector: String,
    http: bool,
    examples: bool,
    engine: String,
    service: String,
    pages: Vec<(String, Vec<u8>)>,
}

impl Builder {
    /// Shared secret; default `s3cret`.
    pub fn secret(mut self, secret: &str) -> Self {
        self.secret = secret.to_owned();
        self
    }

    /// `packetSize`; default 8192.
    pub fn packet_size(mut self, octets: usize) -> Self {
        self.packet_size = octets;
        self
    }

    /// `jvmRoute`; default `node1`.
    pub fn route(mut self, route: &str) -> Self {
        self.route = route.to_owned();
        self
    }

    /// More attributes of the AJP connector, as `name="value"`.
    pub fn connector(mut self, attributes: &str) -> Self {
        self.connector.push(' ');
        self.connector.push_str(attributes);
        self
    }

    /// XML inside the Engine element (a Cluster, for example).
    pub fn engine(mut self, xml: &str) -> Self {
        self.engine.push_str(xml);
        self
    }

    /// XML inside the Service element (further connectors).
    pub fn service(mut self, xml: &str) -> Self {
        self.service.push_str(xml);
        self
    }

    /// Adds an HTTP connector on a port of its own.
    pub fn http(mut self) -> Self {
        self.http = true;
        self
    }

    /// Leaves the examples out, which halves the start.
    pub fn without_examples(mut self) -> Self {
        self.examples = false;
        self
    }

    /// Adds a file to the root application.
    pub fn page(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.pages.push((name.to_owned(), content.as_ref().to_vec()));
        self
    }

    /// Starts it and waits until it is ready.
    #[track_caller]
    pub fn start(self) -> Tomcat {
        let base = TempDir::new("tomcat");
        for directory in ["logs", "temp", "work", "conf/Catalina/localhost"] {
            base.mkdir(directory);
        }
        let home = home();
        for file in ["web.xml", "catalina.properties"] {
            let content = std::fs::read(home.join("etc").join(file))
                .unwrap_or_else(|e| panic!("cannot read {file} of Tomcat: {e}"));
            base.write(&format!("conf/{file}"), content);
        }
        for (name, content) in [
            ("echo.jsp", include_str!("webapp/echo.jsp")),
            ("session.jsp", include_str!("webapp/session.jsp")),
            ("big.jsp", include_str!("webapp/big.jsp")),
            ("upload.jsp", include_str!("webapp/upload.jsp")),
        ] {
            base.write(&format!("webapps/ROOT/{name}"), content);
        }
        base.write("webapps/ROOT/logo.txt", "from Tomcat\n");
        for (name, content) in &self.pages {
            base.write(&format!("webapps/ROOT/{name}"), content);
        }
        if self.examples {
            let examples = Path::new("/usr/share/tomcat10-examples/examples");
            assert!(examples.is_dir(), "{} does not exist: install tomcat10-examples", examples.display());
            let context = format!("<Context docBase=\"{}\"/>\n", examples.display());
            base.write("conf/Catalina/localhost/examples.xml", context);
        }
        let mut tomcat = Tomcat {
            ajp_port: ports::free_port(),
            http_port: self.http.then(ports::free_port),
            builder: self,
            base,
            child: None,
        };
        tomcat.base.write("conf/server.xml", tomcat.server_xml());
        tomcat.launch();
        tomcat
    }
}

/// A Tomcat.
pub struct Tomcat {
    builder: Builder,
    base: TempDir,
    ajp_port: u16,
    http_port: Option<u16>,
    child: Option<Child>,
}

impl Tomcat {
    /// A Tomcat to be configured. By default it believes the user httpd authenticated and takes all request attributes.
    pub fn builder() -> Builder {
        Builder {
            secret: "s3cret".into(),
            packet_size: 8192,
            route: "node1".into(),
            connector: String::new(),
            http: false,
            examples: true,
            engine: String::new(),
            service: String::new(),
            pages: Vec::new(),
        }
    }

    /// The one instance of this test program with default settings, started when first asked for.
    pub fn shared() -> &'static Self {
        SHARED.get_or_init(|| {
            // Statics are not dropped, so the end of the process has to be used.
            // SAFETY: the handler is a plain function that stays valid until the process ends.
            unsafe { libc::atexit(end_of_shared) };
            Self::builder().start()
        })
    }

    /// Port of the AJP connector at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.ajp_port
    }

    /// Port of the HTTP connector, when there is one.
    pub fn http_port(&self) -> Option<u16> {
        self.http_port
    }

    /// Lines for `workers.properties` that define an `ajp13` worker for it, without `worker.list`.
    pub fn member(&self, name: &str) -> String {
        let mut lines = format!(
            "worker.{name}.type=ajp13\nworker.{name}.host=127.0.0.1\nworker.{name}.port={}\nworker.{name}.secret={}\n",
            self.ajp_port, self.builder.secret
        );
        if self.builder.packet_size != 8192 {
            lines.push_str(&format!("worker.{name}.max_packet_size={}\n", self.builder.packet_size));
        }
        lines
    }

    /// As [`Tomcat::member`], with `worker.list`.
    pub fn worker(&self, name: &str) -> String {
        format!("worker.list={name}\n{}", self.member(name))
    }

    /// All it has printed.
    pub fn log(&self) -> String {
        self.base.read("logs/output.log")
    }

    /// Kills it as a crash would; connecting is refused from now on.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            process::stop(&mut child, libc::SIGKILL, Duration::from_secs(10));
        }
    }

    /// Shuts it down in an orderly way.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            process::stop(&mut child, libc::SIGTERM, super::PATIENCE);
        }
    }

    /// Freezes it: connections open (in the kernel) and nothing answers.
    pub fn freeze(&self) {
        process::signal(self.child.as_ref().expect("Tomcat runs").id(), libc::SIGSTOP);
    }

    /// Ends [`Tomcat::freeze`].
    pub fn thaw(&self) {
        process::signal(self.child.as_ref().expect("Tomcat runs").id(), libc::SIGCONT);
    }

    /// Starts it (again) with the same ports; returns when it is ready.
    #[track_caller]
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "Tomcat runs already");
        let home = home();
        let base = self.base.path();
        let log = std::fs::File::create(base.join("logs/output.log")).expect("output.log");
        let mut command = Command::new(java());
        // Small and quick to start: these are no benchmarks.
        command.args(["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]);
        command.args(["-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true"]);
        command.arg(format!("-Dcatalina.home={}", home.display()));
        command.arg(format!("-Dcatalina.base={}", base.display()));
        command.arg(format!("-Djava.io.tmpdir={}", base.join("temp").display()));
        command.arg(format!("-Dtest.node={}", self.builder.route));
        let jars =
            ["bootstrap.jar", "tomcat-juli.jar"].map(|jar| home.join("bin").join(jar).display().to_string());
        command.arg("-classpath").arg(jars.join(":"));
        command.args(["org.apache.catalina.startup.Bootstrap", "start"]);
        command.current_dir(base).stdin(Stdio::null()).stdout(log.try_clone().expect("clone")).stderr(log);
        let child = process::spawn(command, libc::SIGKILL).expect("start java");
        let child = self.child.insert(child);
        let mut ended = None;
        let port = self.ajp_port;
        let ready = super::poll(START, || {
            ended = child.try_wait().ok().flatten();
            ended.is_some() || answers_ping(port)
        });
        assert!(ready && ended.is_none(), "Tomcat did not start ({ended:?}):\n{}", self.log());
    }

    fn server_xml(&self) -> String {
        let Builder { secret, packet_size, route, connector, engine, service, .. } = &self.builder;
        let http = self.http_port.map_or_else(String::new, |port| {
            format!("<Connector protocol=\"HTTP/1.1\" address=\"127.0.0.1\" port=\"{port}\"/>")
        });
        let mut ajp = format!(
            "protocol=\"AJP/1.3\" address=\"127.0.0.1\" port=\"{}\" secret=\"{secret}\" packetSize=\"{packet_size}\" \
             maxThreads=\"64\" minSpareThreads=\"2\"{connector}",
            self.ajp_port
        );
        for (name, value) in [("tomcatAuthentication", "false"), ("allowedRequestAttributesPattern", ".*")] {
            if !connector.contains(name) {
                ajp.push_str(&format!(" {name}=\"{value}\""));
            }
        }
        format!(
            "<Server port=\"-1\">\n <Service name=\"Catalina\">\n  {http}\n  {service}\n  <Connector {ajp}/>\n  \
             <Engine name=\"Catalina\" defaultHost=\"localhost\" jvmRoute=\"{route}\">\n   {engine}\n   \
             <Host name=\"localhost\" appBase=\"webapps\" autoDeploy=\"false\"/>\n  </Engine>\n </Service>\n</Server>\n"
        )
    }
}

impl Drop for Tomcat {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of Tomcat:\n{}", self.log());
        }
    }
}

static SHARED: OnceLock<Tomcat> = OnceLock::new();

/// Kills the shared instance and removes its files. Must not panic: it is called by C.
extern "C" fn end_of_shared() {
    let Some(tomcat) = SHARED.get() else { return };
    let Some(pid) = tomcat.child.as_ref().and_then(|child| libc::pid_t::try_from(child.id()).ok()) else {
        return;
    };
    // SAFETY: the child is ours and not reaped, so the id is still its; a null status is allowed.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, std::ptr::null_mut(), 0);
    }
    if std::env::var_os("MOD_JK_RS_KEEP").is_none() {
        let _ = std::fs::remove_dir_all(tomcat.base.path());
    }
}

/// An AJP CPing to the port is answered.
pub fn answers_ping(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return false };
    let mut answer = [0; 5];
    // Long enough for a connector that has bound its port and will serve once the applications are deployed.
    stream.set_read_timeout(Some(Duration::from_secs(10))).is_ok()
        && stream.write_all(CPING).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer == *CPONG
}

/// Where Tomcat is installed.
pub fn home() -> PathBuf {
    let home =
        std::env::var_os("CATALINA_HOME").map_or_else(|| PathBuf::from("/usr/share/tomcat10"), PathBuf::from);
    assert!(
        home.join("bin/bootstrap.jar").is_file(),
        "no Tomcat in {}: install tomcat10 (or tomcat10-common) and tomcat10-examples",
        home.display()
    );
    home
}

/// The Java program.
pub fn java() -> PathBuf {
    std::env::var_os("JAVA_HOME")
        .map_or_else(|| PathBuf::from("java"), |home| PathBuf::from(home).join("bin/java"))
}
