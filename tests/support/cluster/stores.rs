//! Private servers that keep sessions: redis-server, memcached, PostgreSQL. Each listens on loopback only, keeps nothing when
//! the test ends, and runs as an ordinary user when the tests run as root.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::tempdir::TempDir;
use crate::support::{ports, process};

/// Name of the database and of its owner.
const DATABASE: &str = "sessions";

/// A server that keeps sessions.
pub struct StoreServer {
    directory: TempDir,
    port: u16,
    child: Option<Child>,
    /// The signal that ends it.
    end: libc::c_int,
}

impl StoreServer {
    /// A redis-server without persistence.
    #[track_caller]
    pub fn redis() -> Self {
        let mut server = Self::prepare("redis");
        let mut command = as_other_user(Command::new("redis-server"));
        command.args(["--bind", "127.0.0.1", "--port", &server.port.to_string(), "--save", ""]);
        command.args(["--appendonly", "no", "--daemonize", "no", "--databases", "1"]);
        server.launch(command, "redis-server", |port| converse(port, "PING\r\n", 5).is_some());
        server
    }

    /// A memcached.
    #[track_caller]
    pub fn memcached() -> Self {
        let mut server = Self::prepare("memcached");
        let mut command = as_other_user(Command::new("memcached"));
        command.args(["-l", "127.0.0.1", "-p", &server.port.to_string(), "-U", "0", "-m", "16", "-t", "2"]);
        server.launch(command, "memcached", |port| converse(port, "version\r\n", 8).is_some());
        server
    }

    /// A PostgreSQL with an empty database `sessions`; user `sessions`, no password asked on loopback.
    #[track_caller]
    pub fn postgresql() -> Self {
        let mut server = Self::prepare("postgresql");
        let data = server.directory.path().join("data");
        let mut initdb = as_other_user(postgresql("initdb"));
        initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", DATABASE]);
        run(initdb.arg("--pgdata").arg(&data).current_dir(server.directory.path()));
        // An immediate end, as a crash: no checkpoint, no waiting for clients. SIGKILL would leave its children for a while.
        server.end = libc::SIGQUIT;
        server.start_postgresql();
        server.sql_in("postgres", &format!("CREATE DATABASE {DATABASE}"));
        server
    }

    /// Starts PostgreSQL, at first or again after [`StoreServer::crash`].
    #[track_caller]
    pub fn start_postgresql(&mut self) {
        let data = self.directory.path().join("data");
        let mut command = as_other_user(postgresql("postgres"));
        command.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        command.arg("-k").arg(""); // no Unix socket: its path could be too long
        for setting in ["fsync=off", "max_connections=30", "shared_buffers=16MB", "max_worker_processes=0"] {
            command.args(["-c", setting]);
        }
        self.launch(command, "postgres", ready_for_queries);
    }

    /// Its port at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs a statement of SQL; lines of the result, fields separated by `|`.
    #[track_caller]
    pub fn sql(&self, statement: &str) -> String {
        self.sql_in(DATABASE, statement)
    }

    #[track_caller]
    fn sql_in(&self, database: &str, statement: &str) -> String {
        let mut command = postgresql("psql");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", DATABASE, "-d", database]);
        command.args([
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            "-c",
            statement,
        ]);
        run(command.current_dir(self.directory.path()))
    }

    /// Sends `text`, and returns what comes back as soon as it ends with `last`.
    #[track_caller]
    pub fn ask(&self, text: &str, last: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connect to the store");
        stream.set_read_timeout(Some(crate::support::PATIENCE)).expect("read timeout");
        stream.write_all(text.as_bytes()).expect("send to the store");
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        while !answer.ends_with(last.as_bytes()) {
            let octets = stream.read(&mut buffer).expect("an answer of the store");
            assert_ne!(octets, 0, "the store closed: {:?}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buffer[..octets]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Ends it as a crash would; connecting is refused from now on.
    pub fn crash(&mut self) {
        if let Some(mut child) = self.child.take() {
            process::stop(&mut child, self.end, Duration::from_secs(10));
        }
    }

    fn prepare(kind: &str) -> Self {
        let directory = TempDir::new(kind);
        if let Some((user, group)) = other_user() {
            chown(directory.path(), Some(user), Some(group)).expect("chown");
        }
        Self { directory, port: ports::free_port(), child: None, end: libc::SIGKILL }
    }

    #[track_caller]
    fn launch(&mut self, mut command: Command, name: &str, ready: impl Fn(u16) -> bool) {
        let log = std::fs::File::create(self.directory.path().join("output.log")).expect("output.log");
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("clone")).stderr(log);
        let child = process::spawn(command, libc::SIGKILL)
            .unwrap_or_else(|e| panic!("cannot run {name}: {e}; make setup installs it"));
        let child = self.child.insert(child);
        let (mut ended, port) = (None, self.port);
        let up = crate::support::poll(crate::support::PATIENCE, || {
            ended = child.try_wait().ok().flatten();
            ended.is_some() || ready(port)
        });
        assert!(
            up && ended.is_none(),
            "{name} did not start ({ended:?}):\n{}",
            self.directory.read("output.log")
        );
    }
}

impl Drop for StoreServer {
    fn drop(&mut self) {
        self.crash();
    }
}

/// A program of PostgreSQL: below `PG_BINDIR`, in Debian's directory of the newest version, or in PATH.
fn postgresql(program: &str) -> Command {
    let mut directories: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    directories.sort();
    directories.extend(std::env::var_os("PG_BINDIR").map(PathBuf::from));
    let found = directories.iter().rev().map(|directory| directory.join(program)).find(|path| path.is_file());
    Command::new(found.unwrap_or_else(|| PathBuf::from(program)))
}

/// PostgreSQL's JDBC driver.
pub fn postgresql_driver() -> PathBuf {
    let path = std::env::var_os("POSTGRESQL_JDBC")
        .map_or_else(|| Path::new("/usr/share/java/postgresql.jar").to_owned(), PathBuf::from);
    assert!(path.is_file(), "{} does not exist: install libpostgresql-jdbc-java", path.display());
    path
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output =
        command.output().unwrap_or_else(|e| panic!("cannot run {command:?}: {e}; install postgresql"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// PostgreSQL refuses to run as root, and memcached too.
fn as_other_user(mut command: Command) -> Command {
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command
}

/// User and group of `nobody` when the tests run as root.
fn other_user() -> Option<(u32, u32)> {
    if !process::is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let line = users.lines().find(|line| line.starts_with("nobody:")).expect("a user nobody");
    let mut numbers = line.split(':').skip(2).map(|field| field.parse().expect("a number"));
    Some((numbers.next()?, numbers.next()?))
}

fn connect(port: u16) -> Option<TcpStream> {
    let stream =
        TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    Some(stream)
}

/// Sends `text`; something, once that many octets came back.
fn converse(port: u16, text: &str, octets: usize) -> Option<()> {
    let mut stream = connect(port)?;
    stream.write_all(text.as_bytes()).ok()?;
    stream.read_exact(&mut vec![0; octets]).ok()
}

/// PostgreSQL answers a start-up message with `R` (authentication) once it takes connections, with `E` before.
fn ready_for_queries(port: u16) -> bool {
    let asked = || {
        let mut stream = connect(port)?;
        let text = format!("user\0{DATABASE}\0database\0postgres\0\0");
        let mut message = u32::try_from(text.len() + 8).ok()?.to_be_bytes().to_vec();
        message.extend_from_slice(&0x0003_0000_u32.to_be_bytes());
        message.extend_from_slice(text.as_bytes());
        stream.write_all(&message).ok()?;
        let mut kind = [0];
        stream.read_exact(&mut kind).ok()?;
        Some(kind[0] == b'R')
    };
    asked().unwrap_or(false)
}
