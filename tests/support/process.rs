//! Child processes that never outlive the test process.
//!
//! They are all started by one thread that lives as long as the process, with a parent-death signal: that signal is tied to
//! the thread that forked, and a test's own thread ends before a shared server may. So a server also ends when the test
//! process is killed or leaves without running destructors. Each child leads its own process group.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::Duration;

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts `command` in its own process group; it gets `death_signal` when this process ends.
pub fn spawn(mut command: Command, death_signal: libc::c_int) -> io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    command.process_group(0);
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe.
    unsafe {
        command.pre_exec(move || match libc::prctl(libc::PR_SET_PDEATHSIG, death_signal) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
    let (reply, answer) = mpsc::channel();
    spawner.lock().expect("spawner").send((command, reply)).expect("spawner thread");
    answer.recv().expect("spawner thread")
}

/// Sends `signal` to one process; a process that is gone already is fine.
pub fn signal(pid: u32, signal: libc::c_int) {
    let pid = libc::pid_t::try_from(pid).expect("pid");
    assert!(pid > 1, "refusing to signal process {pid}");
    // SAFETY: no memory is passed.
    unsafe { libc::kill(pid, signal) };
}

/// Sends `signal` to the process group led by `pid`.
pub fn signal_group(pid: u32, signal: libc::c_int) {
    let pid = libc::pid_t::try_from(pid).expect("pid");
    assert!(pid > 1, "refusing to signal process group {pid}");
    // SAFETY: no memory is passed.
    unsafe { libc::kill(-pid, signal) };
}

/// Asks `child` to end by `signal`, and kills its whole group when it has not after `patience` or left members behind.
pub fn stop(child: &mut Child, first: libc::c_int, patience: Duration) -> Option<ExitStatus> {
    signal(child.id(), first);
    let ended = super::poll(patience, || !matches!(child.try_wait(), Ok(None)));
    signal_group(child.id(), libc::SIGKILL);
    let status = child.wait().ok();
    if ended { status } else { status.filter(|status| status.signal() != Some(libc::SIGKILL)) }
}

/// Process ids whose parent is `pid`, in ascending order.
pub fn children_of(pid: u32) -> Vec<u32> {
    let mut found: Vec<u32> = std::fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|child| stat_of(*child).is_some_and(|(state, parent)| parent == pid && state != 'Z'))
        .collect();
    found.sort_unstable();
    found
}

/// The process exists and is not a zombie.
pub fn is_alive(pid: u32) -> bool {
    stat_of(pid).is_some_and(|(state, _)| state != 'Z')
}

/// No thread of the process runs or could run: all of them wait for something.
pub fn is_quiet(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.flatten().all(|thread| stat_in(&thread.path().join("stat")).is_none_or(|(state, _)| state == 'S'))
}

/// State letter and parent of a process.
fn stat_of(pid: u32) -> Option<(char, u32)> {
    stat_in(format!("/proc/{pid}/stat").as_ref())
}

fn stat_in(path: &std::path::Path) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(path).ok()?;
    // The name in parentheses may contain anything, so the fields are counted behind the last parenthesis.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// The effective user of this process is root.
pub fn is_root() -> bool {
    // SAFETY: no memory is passed.
    unsafe { libc::geteuid() == 0 }
}

/// The program of the example `ajp_backend`, built when it is missing or old (`cargo test --test NAME` builds no examples).
pub fn ajp_backend_program() -> std::path::PathBuf {
    static BUILT: OnceLock<std::path::PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let own = std::env::current_exe().expect("own path");
            let profile = own.parent().and_then(|deps| deps.parent()).expect("target/PROFILE/deps");
            let mut command = Command::new(env!("CARGO"));
            command.args(["build", "--offline", "--quiet", "--example", "ajp_backend"]);
            command.current_dir(env!("CARGO_MANIFEST_DIR"));
            if profile.ends_with("release") {
                command.arg("--release");
            }
            let status = command.status().expect("run cargo");
            assert!(status.success(), "cargo build --example ajp_backend: {status}");
            profile.join("examples/ajp_backend")
        })
        .clone()
}
