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

/// Octets that nobody can guess and nobody else draws, for names that must be unique in the world. Where the system has none
/// to give at once, those of [`next`].
pub fn octets<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    // SAFETY: the array has room for N octets.
    let got = unsafe { libc::getrandom(octets.as_mut_ptr().cast(), N, libc::GRND_NONBLOCK) };
    if usize::try_from(got) != Ok(N) {
        for (place, octet) in
            octets.chunks_mut(8).flat_map(|chunk| chunk.iter_mut().zip(next().to_ne_bytes()))
        {
            *place = octet;
        }
    }
    octets
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
    fn octets_differ() {
        let (one, other): ([u8; 24], [u8; 24]) = (octets(), octets());
        assert!(one != other && one != [0; 24]);
    }

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
