//! Is the process that wrote something into shared memory still there?
//!
//! Process ids come back, so a process is named by its id and its start time. Where the start time cannot be read (no
//! `/proc`: another system, a chroot) the id alone has to do; a process that got the id of a dead one then keeps what that
//! one has left until it ends itself.
//!
//! A process that has ended but was not waited for yet (a zombie) counts as gone; one whose first thread has ended while
//! others run on does not.
//!
//! Source: `kill(2)`, `proc_pid_stat(5)`: fields 3 (state), 20 (threads) and 22 (start, in clock ticks since boot).

use std::io::{self, Read};

/// Marks an owner that gives back what another has left; process ids are smaller.
const REAPING: u32 = 1 << 31;

/// A process, as one word: low half of its start time, 0 if unknown (upper half), its id (lower half).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(u64);

impl Owner {
    /// This process.
    pub fn own() -> Self {
        let pid = std::process::id();
        Self::new(pid, stat(pid).map_or(0, |stat| stat.start))
    }

    /// A process by its id and its start time (0: unknown).
    pub fn new(pid: u32, start: u32) -> Self {
        Self((u64::from(start) << 32) | u64::from(pid & !REAPING))
    }

    /// From a word; `None`: nobody.
    pub fn from_word(word: u64) -> Option<Self> {
        (word != 0).then_some(Self(word))
    }

    /// As a word, never 0.
    pub fn word(self) -> u64 {
        self.0
    }

    /// The same process, marked as one that gives back what another has left.
    pub(super) fn reaping(self) -> Self {
        Self(self.0 | u64::from(REAPING))
    }

    /// It only holds the place to give back what another has left.
    pub fn is_reaping(self) -> bool {
        self.low() & REAPING != 0
    }

    /// The process id.
    pub fn pid(self) -> u32 {
        self.low() & !REAPING
    }

    fn low(self) -> u32 {
        let [.., a, b, c, d] = self.0.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    fn start(self) -> u32 {
        let [a, b, c, d, ..] = self.0.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// The process has ended. When in doubt it has not.
    pub fn is_gone(self) -> bool {
        let Some(pid) = libc::pid_t::try_from(self.pid()).ok().filter(|pid| *pid > 0) else { return true };
        // SAFETY: signal 0 is not sent, only checked; no memory is passed.
        if unsafe { libc::kill(pid, 0) } != 0 {
            // Otherwise EPERM: there is one, of another user.
            if io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH) {
                return true;
            }
        }
        match stat(self.pid()) {
            Some(stat) => stat.ended || (self.start() != 0 && stat.start != 0 && stat.start != self.start()),
            None => false,
        }
    }
}

struct Stat {
    ended: bool,
    start: u32,
}

/// Reads `/proc/PID/stat`; without the heap, because it may run shortly after a fork.
#[cfg(target_os = "linux")]
fn stat(pid: u32) -> Option<Stat> {
    use std::io::Write;
    let mut name = [0_u8; 32];
    let mut rest = &mut name[..];
    write!(rest, "/proc/{pid}/stat").ok()?;
    let unused = rest.len();
    let path = std::str::from_utf8(name.get(..name.len().checked_sub(unused)?)?).ok()?;
    let mut file = std::fs::File::open(path).ok()?;
    let mut line = [0_u8; 1024];
    let mut filled = 0;
    while let Some(rest) = line.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    parse(line.get(..filled)?)
}

#[cfg(not(target_os = "linux"))]
fn stat(_pid: u32) -> Option<Stat> {
    None
}

/// The name of the program, in parentheses, may contain anything, so fields are counted behind the last one.
fn parse(line: &[u8]) -> Option<Stat> {
    let behind = line.iter().rposition(|octet| *octet == b')')?;
    let text = std::str::from_utf8(line.get(behind + 1..)?).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let state = fields.next()?; // field 3
    let threads: u64 = fields.nth(16)?.parse().ok()?; // field 20
    let start: u64 = fields.nth(1)?.parse().ok()?; // field 22
    let start = u32::try_from(start & u64::from(u32::MAX)).ok()?;
    Some(Stat { ended: matches!(state, "Z" | "X" | "x") && threads <= 1, start })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_back() {
        let owner = Owner::new(4711, 99);
        assert_eq!((owner.pid(), owner.start(), owner.is_reaping()), (4711, 99, false));
        let reaping = owner.reaping();
        assert_eq!((reaping.pid(), reaping.start(), reaping.is_reaping()), (4711, 99, true));
        assert_eq!(Owner::from_word(owner.word()), Some(owner));
        assert_eq!(Owner::from_word(0), None);
    }

    #[test]
    fn this_process_lives() {
        let own = Owner::own();
        assert_eq!(own.pid(), std::process::id());
        assert!(own.start() != 0 || !cfg!(target_os = "linux"));
        assert!(!own.is_gone());
        assert!(!Owner::new(own.pid(), 0).is_gone(), "without a start time the id has to do");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn another_start_time_is_another_process() {
        let own = Owner::own();
        assert!(Owner::new(own.pid(), own.start() ^ 1).is_gone());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_child_is_gone_before_anybody_has_waited_for_it() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let owner = Owner::new(child.id(), stat(child.id()).unwrap().start);
        assert!(!owner.is_gone());
        drop(child.stdin.take());
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !owner.is_gone() {
            assert!(std::time::Instant::now() < end, "the zombie counts as alive");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        child.wait().unwrap();
        assert!(owner.is_gone());
    }

    #[test]
    fn odd_program_names_do_not_confuse() {
        let line = b"12 (a) Z 1 (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 7 18 4294967301 20\n";
        let stat = parse(line).unwrap();
        assert_eq!((stat.ended, stat.start), (false, 5));
        let zombie = b"12 (x) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 1 18 77 20\n";
        assert!(parse(zombie).unwrap().ended);
        let leader_ended = b"12 (x) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 3 18 77 20\n";
        assert!(!parse(leader_ended).unwrap().ended, "other threads run on");
        assert!(parse(b"12 (x").is_none());
        assert!(parse(b"12 (x) S 1 2").is_none());
    }
}
