//! The servers that are compared: the same httpd four times, and the backend behind three of them. Balancers: `farm`.
//!
//! Every rule of a mapping is `/rNNNNN/*`; requests go to the rule in the middle, so that no way of sorting them helps.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::support::tempdir::TempDir;
use crate::support::{self, httpd, ports, process};

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// httpd itself, from a file of the same size.
    Static,
    /// The original.
    ModJk,
    /// httpd's own AJP proxy.
    ProxyAjp,
    /// This project.
    Rust,
}

impl Kind {
    /// All, in the order of the tables.
    pub(crate) const ALL: [Self; 4] = [Self::Static, Self::ModJk, Self::ProxyAjp, Self::Rust];
    /// Those that relay.
    pub(crate) const RELAYS: [Self; 3] = [Self::ModJk, Self::ProxyAjp, Self::Rust];

    /// Column of the tables.
    pub(crate) fn column(self) -> usize {
        Self::ALL.iter().position(|kind| *kind == self).unwrap_or(0)
    }

    /// Name in the tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::ModJk => "mod_jk",
            Self::ProxyAjp => "mod_proxy_ajp",
            Self::Rust => "mod_jk_rs",
        }
    }
}

/// Sizes for which the `static` server has files.
const FILES: [usize; 3] = [1024, 65_536, 10_485_760];

/// The example `ajp_backend`, with packets of 8 KB.
pub(crate) struct Backend {
    child: Child,
    pub(crate) port: u16,
}

impl Backend {
    pub(crate) fn start() -> Self {
        Self::node("", 0)
    }

    /// One with a name, at a port; 0: the system chooses.
    pub(crate) fn node(name: &str, port: u16) -> Self {
        let mut command = Command::new(process::ajp_backend_program());
        let listen = format!("127.0.0.1:{port}");
        command.args(["--listen", &listen, "--route", name]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = process::spawn(command, libc::SIGKILL).expect("start ajp_backend");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout"))
            .read_line(&mut line)
            .expect("ajp_backend's port");
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        Self { port: port.expect("ajp_backend prints its port"), child }
    }

    /// Sends it a signal; returns when it is gone if the signal is SIGKILL.
    pub(crate) fn signal(&mut self, signal: libc::c_int) {
        process::signal(self.child.id(), signal);
        if signal == libc::SIGKILL {
            self.child.wait().expect("ajp_backend ends");
        }
    }

    /// Connections it has: one thread serves each.
    pub(crate) fn connections(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.child.id())).map_or(0, |tasks| tasks.count() - 1)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        process::stop(&mut self.child, libc::SIGKILL, Duration::from_secs(5));
    }
}

/// Answer of apxs.
fn apxs(what: &str) -> PathBuf {
    let program = std::env::var("APXS").unwrap_or_else(|_| "apxs".into());
    let output = Command::new(&program).args(["-q", what]).output();
    let output =
        output.unwrap_or_else(|e| panic!("cannot run {program}: {e}; install apache2-dev or set APXS"));
    String::from_utf8_lossy(&output.stdout).trim().into()
}

/// The program httpd.
pub(crate) fn program() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        std::env::var_os("HTTPD").map_or_else(|| apxs("SBINDIR").join(apxs("PROGNAME")), PathBuf::from)
    })
}

fn modules() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| apxs("LIBEXECDIR"))
}

/// User and group ids for servers and tools when this program runs as root.
pub(crate) fn unprivileged() -> Option<(u32, u32)> {
    if !process::is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["www-data", "apache", "nobody"].iter().find_map(|name| {
        let mut fields = users.lines().find(|line| line.split(':').next() == Some(name))?.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

/// A configured server.
pub(crate) struct Site {
    pub(crate) root: TempDir,
    pub(crate) port: u16,
    /// Mount rules for each backend; 0: all is mounted at `/app`.
    pub(crate) rules: usize,
}

impl Site {
    /// A directory with what all servers need.
    pub(crate) fn empty(rules: usize) -> Self {
        let site = Self { root: TempDir::new("bench"), port: ports::free_port(), rules };
        for directory in ["run", "logs"] {
            let path = site.root.mkdir(directory);
            std::fs::set_permissions(path, Permissions::from_mode(0o777)).expect("chmod");
        }
        site.root.write("mime.types", "text/plain txt\n");
        site.root.write("htdocs/plain.txt", [b'a'; 1024]);
        site
    }

    /// Writes configuration and files. `rules` mount rules lead to each of `backends`, `threads` worker threads serve.
    pub(crate) fn new(kind: Kind, rules: usize, threads: usize, backends: &[&Backend]) -> Self {
        let site = Self::empty(rules);
        if kind == Kind::Static {
            for size in FILES {
                site.root.write(&format!("htdocs{}/size/{size}", site.prefix(0)), vec![b'a'; size]);
            }
        }
        let mut conf = site.base_conf(1, threads);
        match kind {
            Kind::Static => {}
            Kind::ProxyAjp => site.proxy_conf(&mut conf, backends),
            Kind::ModJk | Kind::Rust => site.jk_conf(&mut conf, kind, backends),
        }
        site.root.write("httpd.conf", conf);
        site
    }

    /// The path prefix that leads to a backend: that of the rule in the middle of its rules.
    pub(crate) fn prefix(&self, backend: usize) -> String {
        if self.rules == 0 {
            return "/app".to_owned();
        }
        format!("/r{:05}", backend * self.rules + self.rules / 2)
    }

    /// The command that runs this server.
    pub(crate) fn command_line(&self) -> Vec<String> {
        let conf = self.root.path().join("httpd.conf");
        vec![program().display().to_string(), "-f".into(), conf.display().to_string()]
    }

    /// What does not differ. `threads`: of each of so many processes.
    pub(crate) fn base_conf(&self, processes: usize, threads: usize) -> String {
        let root = self.root.path().display();
        let mut conf = format!(
            "ServerRoot \"{root}\"\nListen 127.0.0.1:{}\nServerName localhost\nPidFile run/httpd.pid\n\
             DefaultRuntimeDir run\nErrorLog logs/error.log\nLogLevel warn\nKeepAliveTimeout 60\nTimeout 60\n\
             MaxKeepAliveRequests 0\nStartServers {processes}\nServerLimit {processes}\nThreadLimit {threads}\n\
             ThreadsPerChild {threads}\nMaxRequestWorkers {all}\nMinSpareThreads 1\nMaxSpareThreads {all}\n",
            self.port,
            all = processes * threads,
        );
        for name in ["mpm_event", "authz_core", "dir", "mime", "setenvif", "unixd"] {
            let path = modules().join(format!("mod_{name}.so"));
            // What is not a file is compiled in.
            if path.is_file() {
                writeln!(conf, "LoadModule {name}_module \"{}\"", path.display()).unwrap();
            }
        }
        if let Some((user, group)) = unprivileged() {
            writeln!(conf, "User #{user}\nGroup #{group}").unwrap();
        }
        conf += "TypesConfig mime.types\nDocumentRoot htdocs\n";
        conf += "<Directory />\n  AllowOverride None\n  Require all granted\n</Directory>\n";
        conf
    }

    /// What loads mod_jk or this module.
    pub(crate) fn load_jk(&self, conf: &mut String, kind: Kind) {
        let module = if kind == Kind::Rust { httpd::module_under_test() } else { httpd::original_mod_jk() };
        // A copy: it can be read by the unprivileged user, and a build meanwhile does not change what is measured.
        let copy = self.root.write("jk.so", std::fs::read(module).expect("module"));
        writeln!(conf, "LoadModule jk_module \"{}\"\nJkWorkersFile workers.properties", copy.display())
            .unwrap();
        *conf += "JkLogFile logs/jk.log\nJkLogLevel warn\nJkShmFile run/jk.shm\n";
    }

    /// What loads modules that come with httpd.
    pub(crate) fn load(conf: &mut String, names: &[&str]) {
        for name in names {
            let path = modules().join(format!("mod_{name}.so"));
            writeln!(conf, "LoadModule {name}_module \"{}\"", path.display()).unwrap();
        }
    }

    fn jk_conf(&self, conf: &mut String, kind: Kind, backends: &[&Backend]) {
        self.load_jk(conf, kind);
        let names: Vec<String> = (0..backends.len()).map(|index| format!("w{index}")).collect();
        let mut workers = format!("worker.list={}\n", names.join(","));
        for (index, backend) in backends.iter().enumerate() {
            let port = backend.port;
            write!(
                workers,
                "worker.w{index}.type=ajp13\nworker.w{index}.host=127.0.0.1\nworker.w{index}.port={port}\n"
            )
            .unwrap();
            for rule in index * self.rules..(index + 1) * self.rules {
                writeln!(conf, "JkMount /r{rule:05}/* w{index}").unwrap();
            }
        }
        self.root.write("workers.properties", workers);
    }

    fn proxy_conf(&self, conf: &mut String, backends: &[&Backend]) {
        Self::load(conf, &["proxy", "proxy_ajp"]);
        for (index, backend) in backends.iter().enumerate() {
            for rule in index * self.rules..(index + 1) * self.rules {
                let port = backend.port;
                writeln!(conf, "ProxyPass /r{rule:05}/ ajp://127.0.0.1:{port}/r{rule:05}/").unwrap();
            }
        }
    }
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) site: Site,
    parent: Child,
}

impl Running {
    pub(crate) fn start(site: Site) -> Self {
        let line = site.command_line();
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).arg("-DFOREGROUND").stdin(Stdio::null());
        let mut parent = process::spawn(command, libc::SIGTERM).expect("start httpd");
        let pid = parent.id();
        let up = support::poll(support::PATIENCE, || {
            !matches!(parent.try_wait(), Ok(None))
                || (!process::children_of(pid).is_empty()
                    && std::net::TcpStream::connect(("127.0.0.1", site.port)).is_ok())
        });
        let running = Self { site, parent };
        assert!(up && !running.processes().is_empty(), "httpd: {}", running.site.root.read("logs/error.log"));
        running
    }

    /// The child that serves.
    pub(crate) fn child(&self) -> u32 {
        let children = process::children_of(self.parent.id());
        assert_eq!(children.len(), 1, "one child serves: {}", self.site.root.read("logs/error.log"));
        children[0]
    }

    /// Parent and child.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mut all = process::children_of(self.parent.id());
        all.push(self.parent.id());
        all
    }
}

impl Running {
    /// Sends the parent a signal and waits for its end: how long that took, and the error log.
    pub(crate) fn stop(mut self, signal: libc::c_int) -> (Duration, String) {
        let begun = std::time::Instant::now();
        process::signal(self.parent.id(), signal);
        support::poll(Duration::from_secs(60), || !matches!(self.parent.try_wait(), Ok(None)));
        (begun.elapsed(), self.site.root.read("logs/error.log"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        process::stop(&mut self.parent, libc::SIGTERM, Duration::from_secs(20));
    }
}
