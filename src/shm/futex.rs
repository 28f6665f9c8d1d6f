//! Sleeping until a word in shared memory changes, also by another process.
//!
//! A waiter reads the word (the bell of a gauge), looks whether it can go on, and if not sleeps as long as the word has not
//! changed. Whoever changes the situation rings: adds 1 and wakes all. A ring between reading and sleeping is not lost, since
//! the kernel compares the word once more before it puts the thread to sleep.
//!
//! Where there is no futex, waiting polls the word every few milliseconds.
//!
//! Source: `futex(2)`; without `FUTEX_PRIVATE_FLAG`, which is for threads of one process.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Sleeps until somebody wakes it, at most `timeout`, and not at all if `word` is not `expected`. False: the time is over.
/// True may also come without a reason: the caller looks again in any case.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Duration) -> bool {
    let began = Instant::now();
    loop {
        if word.load(Ordering::Acquire) != expected {
            return true;
        }
        let left = timeout.saturating_sub(began.elapsed());
        if left.is_zero() {
            return false;
        }
        match sleep(word, expected, left) {
            Slept::Woken => return true,
            Slept::TimedOut | Slept::Interrupted => {} // the clock decides
        }
    }
}

/// Wakes up to `count` waiters; returns how many there were.
pub fn wake(word: &AtomicU32, count: u32) -> u32 {
    wake_up(word, libc::c_int::try_from(count).unwrap_or(libc::c_int::MAX))
}

/// Changes the word and wakes everybody who waits for that. A system call: ask first whether somebody waits.
pub fn ring(word: &AtomicU32) {
    word.fetch_add(1, Ordering::AcqRel);
    wake_up(word, libc::c_int::MAX);
}

enum Slept {
    Woken,
    TimedOut,
    Interrupted,
}

#[cfg(target_os = "linux")]
fn sleep(word: &AtomicU32, expected: u32, time: Duration) -> Slept {
    let seconds = libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX);
    let timeout = libc::timespec { tv_sec: seconds, tv_nsec: time.subsec_nanos().into() };
    // SAFETY: the word and the timeout outlive the call, which only reads them; the word is aligned to 4.
    let result = unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, expected, &raw const timeout)
    };
    if result == 0 {
        return Slept::Woken;
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::EAGAIN) => Slept::Woken, // it had changed already
        Some(libc::ETIMEDOUT) => Slept::TimedOut,
        Some(libc::EINTR) => Slept::Interrupted,
        _ => {
            // No futex (a seccomp filter): without this pause it would spin.
            std::thread::sleep(time.min(POLL));
            Slept::Interrupted
        }
    }
}

#[cfg(target_os = "linux")]
fn wake_up(word: &AtomicU32, count: libc::c_int) -> u32 {
    // SAFETY: the kernel uses the address as a name only.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
    u32::try_from(woken).unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn sleep(_word: &AtomicU32, _expected: u32, time: Duration) -> Slept {
    std::thread::sleep(time.min(POLL));
    Slept::TimedOut
}

#[cfg(not(target_os = "linux"))]
fn wake_up(_word: &AtomicU32, _count: libc::c_int) -> u32 {
    0
}

/// Pause between two looks where the kernel cannot wait for us.
const POLL: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn a_word_that_has_changed_is_not_waited_for() {
        let word = AtomicU32::new(1);
        let began = Instant::now();
        assert!(wait(&word, 0, LONG));
        assert!(began.elapsed() < LONG);
    }

    #[test]
    fn the_time_is_kept() {
        let word = AtomicU32::new(0);
        let began = Instant::now();
        assert!(!wait(&word, 0, Duration::from_millis(30)));
        assert!(began.elapsed() >= Duration::from_millis(30));
        assert!(!wait(&word, 0, Duration::ZERO));
    }

    #[test]
    fn a_ring_wakes_all() {
        let word = AtomicU32::new(0);
        let began = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| assert!(wait(&word, 0, LONG)));
            }
            // Whoever comes late sees the changed word.
            ring(&word);
        });
        assert_eq!(word.load(Ordering::Relaxed), 1);
        assert!(began.elapsed() < LONG);
        assert_eq!(wake(&word, 5), 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn waking_counts_those_who_slept() {
        let word = AtomicU32::new(0);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| wait(&word, 0, LONG));
            let end = Instant::now() + LONG;
            while wake(&word, 1) == 0 {
                assert!(Instant::now() < end, "nobody slept");
                std::thread::yield_now();
            }
            assert!(waiter.join().unwrap());
        });
    }
}
