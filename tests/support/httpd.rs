//! A private httpd: its own server root, its own port, no file of `/etc`, gone when the test is.
//!
//! It runs as `apache2 -DFOREGROUND`, a child of the test process. It is ready when its pid file is written, which httpd does
//! behind post_config, and a child process exists; requests sent then wait in the listen queue at worst. No probe request is
//! made, because it would show up in the logs and at the backends a test counts. When a test ends, the log is searched for
//! signs of a crash.
//!
//! Lines in the variable `MODJK_CONF` are put into every configuration that loads the module under test, to run tests of one
//! mode in another: `MODJK_CONF="JkAsyncDelay 0"`. `MODJK_TOOL` is a command that runs every such httpd, `make valgrind` uses it:
//! what it writes to `@ROOT@/logs/tool.*` is searched for reports that name the module when the test ends.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::time::Duration;

use super::tempdir::TempDir;
use super::{ports, process};

/// A multi-processing module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mpm {
    /// Threads, and an event loop for idle connections.
    Event,
    /// Threads.
    Worker,
    /// One process per connection.
    Prefork,
}

impl Mpm {
    /// All three, for tests that run under each.
    pub const ALL: [Self; 3] = [Self::Event, Self::Worker, Self::Prefork];

    fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Worker => "worker",
            Self::Prefork => "prefork",
        }
    }
}

/// What is installed on this machine.
struct Installed {
    program: PathBuf,
    modules: PathBuf,
    /// Output of `-l`: the modules inside the program.
    compiled_in: String,
}

fn installed() -> &'static Installed {
    static FOUND: OnceLock<Installed> = OnceLock::new();
    FOUND.get_or_init(|| {
        let program = std::env::var_os("HTTPD")
            .map_or_else(|| PathBuf::from(apxs("SBINDIR")).join(apxs("PROGNAME")), PathBuf::from);
        let listed = Command::new(&program).arg("-l").output();
        let listed = listed.unwrap_or_else(|e| {
            panic!(
                "cannot run {}: {e}; install apache2, or name httpd in the variable HTTPD",
                program.display()
            )
        });
        Installed {
            program,
            modules: PathBuf::from(apxs("LIBEXECDIR")),
            compiled_in: String::from_utf8_lossy(&listed.stdout).into_owned(),
        }
    })
}

fn apxs(what: &str) -> String {
    let program = std::env::var("APXS").unwrap_or_else(|_| "apxs".into());
    let output = Command::new(&program).args(["-q", what]).output().unwrap_or_else(|e| {
        panic!("cannot run {program}: {e}; install apache2-dev, or name apxs in the variable APXS")
    });
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The module under test: `MOD_JK_RS_SO`, or the release build. Panics when it has not been built.
pub fn module_under_test() -> PathBuf {
    let path = std::env::var_os("MOD_JK_RS_SO").map_or_else(
        || {
            let target = std::env::var_os("CARGO_TARGET_DIR")
                .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
            target.join("release/libmod_jk_rs.so")
        },
        PathBuf::from,
    );
    assert!(path.is_file(), "{} does not exist: run make build first", path.display());
    std::path::absolute(&path).expect("absolute path")
}

/// The original mod_jk, for tests that compare. Panics when it is not installed.
pub fn original_mod_jk() -> PathBuf {
    let path = installed().modules.join("mod_jk.so");
    assert!(path.is_file(), "{} does not exist: install libapache2-mod-jk", path.display());
    path
}

enum Module {
    UnderTest,
    At(PathBuf),
    None,
}

/// How httpd is to be started.
///
/// In all configuration texts `@PORT@` stands for the port and `@ROOT@` for the server root.
pub struct Builder {
    mpm: Mpm,
    module: Module,
    conf: String,
    workers: Option<String>,
    files: Vec<(String, Vec<u8>)>,
    modules: Vec<String>,
    log_level: String,
    jk_log_level: String,
    servers: u32,
    threads: u32,
    environment: Vec<(String, String)>,
    descriptors: Option<u64>,
    allowed: Vec<String>,
}

impl Builder {
    /// Default: event.
    pub fn mpm(mut self, mpm: Mpm) -> Self {
        self.mpm = mpm;
        self
    }

    /// Loads this file as `jk_module` instead of the module under test.
    pub fn module(mut self, path: impl Into<PathBuf>) -> Self {
        self.module = Module::At(path.into());
        self
    }

    /// Loads no `jk_module` at all.
    pub fn without_module(mut self) -> Self {
        self.module = Module::None;
        self
    }

    /// Adds lines at the end of httpd.conf; may be called repeatedly.
    pub fn conf(mut self, text: impl AsRef<str>) -> Self {
        self.conf.push_str(text.as_ref());
        self.conf.push('\n');
        self
    }

    /// Adds lines to `conf/workers.properties`, and the directive `JkWorkersFile`; may be called repeatedly.
    pub fn workers(mut self, text: impl AsRef<str>) -> Self {
        let workers = self.workers.get_or_insert_default();
        workers.push_str(text.as_ref());
        workers.push('\n');
        self
    }

    /// Adds a file below the server root (static files belong below `htdocs/`).
    pub fn file(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((name.to_owned(), content.as_ref().to_vec()));
        self
    }

    /// Loads more of httpd's modules, by name without `mod_`; `ssl` brings what it needs.
    pub fn modules(mut self, names: &[&str]) -> Self {
        self.modules.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// `LogLevel`; default `info jk:debug` (the second part only when the module is loaded).
    pub fn log_level(mut self, levels: &str) -> Self {
        self.log_level = levels.to_owned();
        self
    }

    /// `JkLogLevel`; default `info`.
    pub fn jk_log_level(mut self, level: &str) -> Self {
        self.jk_log_level = level.to_owned();
        self
    }

    /// Child processes; default 1. Prefork starts so many and adds more up to `servers * threads_per_child`.
    pub fn servers(mut self, count: u32) -> Self {
        self.servers = count;
        self
    }

    /// `ThreadsPerChild`; default 8.
    pub fn threads_per_child(mut self, count: u32) -> Self {
        self.threads = count;
        self
    }

    /// Sets an environment variable of httpd.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Most descriptors that each process of httpd may open.
    pub fn descriptors(mut self, most: usize) -> Self {
        self.descriptors = Some(most as u64);
        self
    }

    /// A log line with this text is no sign of a crash in this test.
    pub fn allow_log(mut self, text: &str) -> Self {
        self.allowed.push(text.to_owned());
        self
    }

    /// Writes all files and does not start; for [`Httpd::configtest`] and [`Httpd::launch`].
    pub fn prepare(self) -> Httpd {
        let root = TempDir::new(self.mpm.name());
        for directory in ["conf", "logs", "run", "htdocs"] {
            root.mkdir(directory);
        }
        // Children write their core files here, and they run as another user when the tests run as root.
        let cores = root.mkdir("cores");
        std::fs::set_permissions(cores, std::fs::Permissions::from_mode(0o777)).expect("chmod");
        let httpd = Httpd { port: ports::free_port(), root, child: None, builder: self };
        httpd.root.write("conf/mime.types", "text/html html\ntext/plain txt\ntext/css css\nimage/png png\n");
        for (name, content) in &httpd.builder.files {
            httpd.root.write(name, content);
        }
        if let Some(workers) = &httpd.builder.workers {
            httpd.write("conf/workers.properties", workers);
        }
        httpd.write("conf/httpd.conf", &(httpd.base_conf() + &httpd.builder.conf));
        httpd
    }

    /// Starts httpd; panics with its logs when it does not come up.
    #[track_caller]
    pub fn start(self) -> Httpd {
        let mut httpd = self.prepare();
        if let Err(text) = httpd.launch() {
            panic!("{text}");
        }
        httpd
    }
}

/// An httpd that runs, or is ready to.
pub struct Httpd {
    builder: Builder,
    root: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Httpd {
    /// An httpd to be configured.
    pub fn builder() -> Builder {
        Builder {
            mpm: Mpm::Event,
            module: Module::UnderTest,
            conf: String::new(),
            workers: None,
            files: Vec::new(),
            modules: Vec::new(),
            log_level: "info jk:debug".into(),
            jk_log_level: "info".into(),
            servers: 1,
            threads: 8,
            environment: Vec::new(),
            descriptors: None,
            allowed: Vec::new(),
        }
    }

    /// The port it listens on, at 127.0.0.1 only.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its server root.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Process id of the parent process.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("httpd runs").id()
    }

    /// Process ids of the children.
    #[track_caller]
    pub fn child_pids(&self) -> Vec<u32> {
        process::children_of(self.pid())
    }

    /// The error log so far.
    pub fn error_log(&self) -> String {
        self.root.read("logs/error.log")
    }

    /// The file of `JkLogFile` so far.
    pub fn jk_log(&self) -> String {
        self.root.read("logs/jk.log")
    }

    /// The access log so far: `client "request line" status octets microseconds`.
    pub fn access_log(&self) -> String {
        self.root.read("logs/access.log")
    }

    /// Writes a file below the server root, `@PORT@` and `@ROOT@` replaced.
    pub fn write(&self, name: &str, text: &str) {
        let root = self.root.path().display().to_string();
        self.root.write(name, text.replace("@PORT@", &self.port.to_string()).replace("@ROOT@", &root));
    }

    /// Replaces the lines a test added to httpd.conf; takes effect with the next restart.
    pub fn replace_conf(&self, text: &str) {
        self.write("conf/httpd.conf", &(self.base_conf() + text + "\n"));
    }

    /// `httpd -t`: whether the configuration is good, and all it printed.
    pub fn configtest(&self) -> (bool, String) {
        let output = self.command().arg("-t").output().expect("run httpd");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// Starts it.
    ///
    /// # Errors
    /// It did not come up: its output and logs.
    pub fn launch(&mut self) -> Result<(), String> {
        assert!(self.child.is_none(), "httpd runs already");
        let _ = std::fs::remove_file(self.pid_file());
        let output = std::fs::File::create(self.root.path().join("logs/output.log")).expect("output.log");
        let mut command = self.command();
        command.arg("-DFOREGROUND").stdin(std::process::Stdio::null());
        command.stdout(output.try_clone().expect("clone")).stderr(output);
        let child = process::spawn(command, libc::SIGTERM).expect("start httpd");
        let pid = child.id();
        let child = self.child.insert(child);
        let pid_file = self.root.path().join("run/httpd.pid");
        let mut ended = None;
        super::poll(super::PATIENCE, || {
            ended = child.try_wait().ok().flatten();
            let written = std::fs::read_to_string(&pid_file).is_ok_and(|text| text.trim() == pid.to_string());
            ended.is_some() || (written && !process::children_of(pid).is_empty())
        });
        let up = ended.is_none() && !self.child_pids().is_empty();
        if up {
            return Ok(());
        }
        self.stop();
        let (output, log) = (self.root.read("logs/output.log"), self.error_log());
        Err(format!("httpd did not start ({ended:?})\n--- output:\n{output}\n--- error log:\n{log}"))
    }

    /// Graceful restart: returns when the new generation serves. Children of the old one may still finish requests.
    #[track_caller]
    pub fn graceful(&self) {
        self.restart_by(libc::SIGUSR1);
    }

    /// Hard restart: returns when the new generation serves.
    #[track_caller]
    pub fn restart(&self) {
        self.restart_by(libc::SIGHUP);
    }

    #[track_caller]
    fn restart_by(&self, signal: libc::c_int) {
        let old = self.child_pids();
        let resumed = |log: &str| log.matches("resuming normal operations").count();
        let before = resumed(&self.error_log());
        process::signal(self.pid(), signal);
        let done = super::poll(super::PATIENCE, || {
            resumed(&self.error_log()) > before && self.child_pids().iter().any(|pid| !old.contains(pid))
        });
        assert!(done, "httpd did not restart\n--- error log:\n{}", self.error_log());
    }

    /// Stops it and waits for its end; returns whether it ended by itself within ten seconds.
    ///
    /// A SIGTERM that meets a worker thread just closing a connection can crash a child of the event MPM of httpd 2.4.71
    /// by itself, without any module (its shutdown touches the sockets its workers are freeing). So a moment is awaited,
    /// at most two seconds, in which no thread is busy.
    pub fn stop(&mut self) -> bool {
        let Some(mut child) = self.child.take() else { return true };
        let children = process::children_of(child.id());
        let mut quiet = 0;
        super::poll(Duration::from_secs(2), || {
            quiet = if children.iter().all(|pid| process::is_quiet(*pid)) { quiet + 1 } else { 0 };
            quiet == 3
        });
        let patience =
            if std::env::var_os("MODJK_TOOL").is_some() { super::PATIENCE } else { Duration::from_secs(10) };
        process::stop(&mut child, libc::SIGTERM, patience).is_some()
    }

    /// The parent process exists.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Waits until the error log contains `text`.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        let found = super::poll(super::PATIENCE, || self.error_log().contains(text));
        assert!(found, "no {text:?} in the error log:\n{}", self.error_log());
    }

    /// Lines that tell of a crash, of a child that had to be killed, or of a message of level crit or worse.
    pub fn crash_signs(&self, allowed: &[&str]) -> Vec<String> {
        const SIGNS: [&str; 15] = [
            "exit signal",
            "panicked at",
            "panic:",
            ":emerg]",
            ":alert]",
            ":crit]",
            "[emerg]",
            "AH00045",
            "AH00046",
            "AH00051",
            "AH00052",
            "AddressSanitizer",
            "runtime error:",
            "double free",
            "stack smashing",
        ];
        self.log_lines(allowed, |line| SIGNS.iter().any(|sign| line.contains(sign)))
    }

    /// Fails on signs of a crash in the logs, except in lines that contain one of `allowed`.
    #[track_caller]
    pub fn assert_clean_log(&self, allowed: &[&str]) {
        let found = self.crash_signs(allowed);
        assert!(found.is_empty(), "in the logs of httpd: {found:#?}");
    }

    /// As [`Httpd::assert_clean_log`], and fails on messages of level error too.
    #[track_caller]
    pub fn assert_no_errors(&self, allowed: &[&str]) {
        self.assert_clean_log(allowed);
        let found = self.log_lines(allowed, |line| line.contains(":error]") || line.contains("[error]"));
        assert!(found.is_empty(), "in the logs of httpd: {found:#?}");
    }

    fn log_lines(&self, allowed: &[&str], wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let logs = self.error_log() + &self.jk_log() + &self.root.read("logs/output.log");
        // A tool makes httpd so slow that it has too little threads, or is told twice to end.
        let slow = std::env::var_os("MODJK_TOOL").is_some();
        let excused = |line: &str| {
            (slow && (line.contains("AH00045") || line.contains("AH00484")))
                || allowed.iter().any(|text| line.contains(text))
                || self.builder.allowed.iter().any(|text| line.contains(text))
        };
        logs.lines().filter(|line| wanted(line) && !excused(line)).map(str::to_owned).collect()
    }

    /// Reports of `MODJK_TOOL` in which the module occurs: httpd's own are its own.
    fn tool_reports(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.root.path().join("logs")).into_iter().flatten().flatten();
        files
            .filter(|file| file.file_name().to_string_lossy().starts_with("tool."))
            .flat_map(|file| {
                let text =
                    String::from_utf8_lossy(&std::fs::read(file.path()).unwrap_or_default()).into_owned();
                let bare: Vec<&str> = text
                    .lines()
                    .map(|line| line.trim_start_matches(['=', '-']).trim_start_matches(char::is_numeric))
                    .collect();
                let blocks = bare.split(|line| line.trim_matches(['=', '-', ' ']).is_empty());
                blocks.map(|block| block.join("\n")).filter(|it| it.contains("mod_jk_rs")).collect::<Vec<_>>()
            })
            .collect()
    }

    fn pid_file(&self) -> PathBuf {
        self.root.path().join("run/httpd.pid")
    }

    /// httpd with its server root and configuration.
    pub(super) fn command(&self) -> Command {
        let tool = std::env::var("MODJK_TOOL").unwrap_or_default();
        let tool = tool.replace("@ROOT@", &self.root.path().display().to_string());
        let mut words = tool.split_whitespace().chain(installed().program.to_str());
        let mut command = Command::new(words.next().expect("the program"));
        command.args(words);
        command.arg("-d").arg(self.root.path()).arg("-f").arg(self.root.path().join("conf/httpd.conf"));
        if let Some(most) = self.builder.descriptors {
            let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
            // SAFETY: between fork and exec, one system call that reads a limit the closure owns.
            unsafe {
                command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                });
            }
        }
        command.envs(self.builder.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// httpd.conf without the test's own lines.
    fn base_conf(&self) -> String {
        let builder = &self.builder;
        let mut conf = String::from("ServerRoot \"@ROOT@\"\nListen 127.0.0.1:@PORT@\nServerName localhost\n");
        conf.push_str("PidFile run/httpd.pid\nDefaultRuntimeDir run\nCoreDumpDirectory cores\n");
        conf.push_str("Timeout 30\nKeepAliveTimeout 15\nGracefulShutdownTimeout 10\n");
        conf.push_str(&self.load_modules());
        if process::is_root() {
            let (user, group) = unprivileged();
            conf.push_str(&format!("User {user}\nGroup {group}\n"));
        }
        conf.push_str(&self.mpm_conf());
        conf.push_str("ErrorLog logs/error.log\n");
        conf.push_str("LogFormat \"%h \\\"%r\\\" %>s %B %D\" test\nCustomLog logs/access.log test\n");
        conf.push_str("TypesConfig conf/mime.types\nDocumentRoot htdocs\nDirectoryIndex index.html\n");
        conf.push_str("<Directory \"@ROOT@\">\n  AllowOverride None\n  Require all granted\n</Directory>\n");
        if matches!(builder.module, Module::None) {
            let levels: Vec<&str> =
                builder.log_level.split(' ').filter(|level| !level.starts_with("jk:")).collect();
            conf.push_str(&format!("LogLevel {}\n", levels.join(" ")));
        } else {
            conf.push_str(&format!("LogLevel {}\nJkLogLevel {}\n", builder.log_level, builder.jk_log_level));
            conf.push_str("JkLogFile logs/jk.log\nJkShmFile run/jk.shm\n");
            if builder.workers.is_some() {
                conf.push_str("JkWorkersFile conf/workers.properties\n");
            }
            if let (Module::UnderTest, Ok(lines)) = (&builder.module, std::env::var("MODJK_CONF")) {
                conf.push_str(&format!("{lines}\n"));
            }
        }
        conf
    }

    fn load_modules(&self) -> String {
        let builder = &self.builder;
        let mpm = format!("mpm_{}", builder.mpm.name());
        let base =
            ["authz_core", "authz_host", "dir", "mime", "alias", "log_config", "setenvif", "env", "unixd"];
        let mut names: Vec<&str> = vec![&mpm];
        names.extend(base);
        names.extend(["headers", "rewrite"]);
        for name in &builder.modules {
            if name == "ssl" {
                names.push("socache_shmcb");
            }
            names.push(name);
        }
        let mut loaded = Vec::new();
        let mut lines = String::new();
        for name in names {
            let inside = installed().compiled_in.contains(&format!("mod_{name}.c"));
            if inside || loaded.contains(&name) {
                continue;
            }
            let path = installed().modules.join(format!("mod_{name}.so"));
            lines.push_str(&format!("LoadModule {name}_module \"{}\"\n", path.display()));
            loaded.push(name);
        }
        let module = match &builder.module {
            Module::UnderTest => module_under_test(),
            Module::At(path) => path.clone(),
            Module::None => return lines,
        };
        lines + &format!("LoadModule jk_module \"{}\"\n", module.display())
    }

    fn mpm_conf(&self) -> String {
        let (servers, threads) = (self.builder.servers.max(1), self.builder.threads.max(1));
        let all = servers * threads;
        match self.builder.mpm {
            Mpm::Prefork => format!(
                "StartServers {servers}\nServerLimit {all}\nMaxRequestWorkers {all}\n\
                 MinSpareServers 1\nMaxSpareServers {all}\n"
            ),
            // More slots than servers, so that a new generation can start while the old one finishes.
            Mpm::Event | Mpm::Worker => format!(
                "ServerLimit {}\nStartServers {servers}\nThreadLimit {threads}\nThreadsPerChild {threads}\n\
                 MaxRequestWorkers {all}\nMinSpareThreads 1\nMaxSpareThreads {}\n",
                servers * 4,
                all + threads
            ),
        }
    }
}

impl Drop for Httpd {
    fn drop(&mut self) {
        let ended = self.stop();
        if std::thread::panicking() {
            eprintln!("--- end of the error log:\n{}", last_lines(&self.error_log(), 40));
            eprintln!("--- end of the module's own log:\n{}", last_lines(&self.jk_log(), 20));
        } else {
            self.assert_clean_log(&[]);
            assert!(ended, "httpd did not stop when it was asked to, and was killed");
            let reports = self.tool_reports();
            assert!(reports.is_empty(), "{} reports:\n{}", reports.len(), reports.join("\n---\n"));
        }
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// User and group for the children when the tests run as root.
fn unprivileged() -> (&'static str, &'static str) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let known = |name: &str| users.lines().any(|line| line.split(':').next() == Some(name));
    [("www-data", "www-data"), ("apache", "apache"), ("nobody", "nogroup")]
        .into_iter()
        .find(|(user, _)| known(user))
        .unwrap_or(("nobody", "nobody"))
}
