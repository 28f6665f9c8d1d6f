//! Random numbers for choices among members: cheap, different in each thread and process, not for secrets. And a secret, from
//! the system.
//!
//! Each thread has a xorshift64* generator, seeded at its first use from the keys that the standard library draws for hash
//! tables, the process id and the clock. The id counts: a thread that was forked has the keys of its parent. For the same
//! reason a thread must not draw before it forks.
//!
//! Source: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled".

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::Read;
use std::time::SystemTime;

/// Length of [`secret`], in octets.
pub const SECRET: usize = 32;

/// Octets that nobody can guess.
///
/// # Errors
/// The system has none.
pub fn secret() -> std::io::Result<[u8; SECRET]> {
    let mut octets = [0; SECRET];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut octets)?;
    Ok(octets)
}

thread_local! {
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// The next number, evenly distributed.
pub fn next() -> u64 {
    STATE.with(|state| {
        let mut x = state.get();
        if x == 0 {
            x = seed();
        }
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        state.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    })
}

/// Never 0, at which the generator would stand still.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    RandomState::new().hash_one((std::process::id(), now.as_nanos())) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_threads_differ() {
        let draw = || [next(), next(), next(), next()];
        let mut all: Vec<u64> = draw().into();
        for _ in 0..3 {
            all.extend(std::thread::spawn(draw).join().unwrap());
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 16);
    }

    #[test]
    fn secrets_differ() {
        assert_ne!(secret().unwrap(), secret().unwrap());
    }

    #[test]
    fn every_bit_is_even() {
        let mut ones = [0_u32; 64];
        for _ in 0..10_000 {
            let number = next();
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += u32::from(number >> bit & 1 == 1);
            }
        }
        assert!(ones.iter().all(|count| (4_600..5_400).contains(count)), "{ones:?}");
    }
}
