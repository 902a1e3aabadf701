//! Waiting on a 32-bit word that several processes share, and waking those who wait.
//!
//! The futex calls here are the shared kind (no `PRIVATE` flag). A wait is a hint: it may end without
//! a reason, so the caller looks at its state again after every return.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use nix::libc;

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Somebody woke this word, or its value was not `expected` any more.
    Woken,
    /// The time was over.
    TimedOut,
    /// A signal handler ran in between.
    Signal,
}

/// Sleeps while `word` holds `expected`, for at most `limit`.
pub fn wait(word: &AtomicU32, expected: u32, limit: Duration) -> Wake {
    let timeout = libc::timespec {
        tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
        // Nanoseconds below a second fit every definition of c_long.
        tv_nsec: limit.subsec_nanos() as libc::c_long,
    };
    // SAFETY: `word` is a live, aligned 32-bit word for the length of the call, and `timeout` is a
    // valid timespec; FUTEX_WAIT reads nothing else.
    let result = unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, expected, &raw const timeout)
    };
    if result == 0 {
        return Wake::Woken;
    }
    match nix::errno::Errno::last() {
        nix::errno::Errno::ETIMEDOUT => Wake::TimedOut,
        nix::errno::Errno::EINTR => Wake::Signal,
        _ => Wake::Woken,
    }
}

/// The most words that [`wait_any`] waits on; what is beyond is left to the time limit.
const WORDS: usize = 128;
/// How long [`wait_any`] waits where the system can wait on one word only.
const GLANCE: Duration = Duration::from_millis(5);

/// Sleeps while every one of `words` holds what stands beside it, for at most `limit`.
pub fn wait_any(words: &[(&AtomicU32, u32)], limit: Duration) -> Wake {
    #[repr(C)]
    struct Waiter {
        value: u64,
        address: u64,
        flags: u32,
        reserved: u32,
    }
    /// A word of 32 bits, shared between processes.
    const SHARED_32: u32 = 2;
    let waiter = |(word, expected): &(&AtomicU32, u32)| Waiter {
        value: u64::from(*expected),
        address: word.as_ptr() as u64,
        flags: SHARED_32,
        reserved: 0,
    };
    let waiters: Vec<Waiter> = words.iter().take(WORDS).map(waiter).collect();
    let Ok(now) = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC) else { return Wake::Woken };
    let end = Duration::new(now.tv_sec() as u64, now.tv_nsec() as u32).saturating_add(limit);
    let timeout = libc::timespec {
        tv_sec: libc::time_t::try_from(end.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: end.subsec_nanos() as libc::c_long,
    };
    // SAFETY: the waiters name live, aligned 32-bit words for the length of the call, and `timeout` is a valid
    // timespec; the call reads nothing else.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waiters.as_ptr(),
            waiters.len(),
            0,
            &raw const timeout,
            libc::CLOCK_MONOTONIC,
        )
    };
    if result >= 0 {
        return Wake::Woken;
    }
    match nix::errno::Errno::last() {
        nix::errno::Errno::ETIMEDOUT => Wake::TimedOut,
        nix::errno::Errno::EINTR => Wake::Signal,
        nix::errno::Errno::EAGAIN => Wake::Woken,
        // An old kernel, or a container that forbids it: one word, and a look at the others soon.
        _ => words.first().map_or(Wake::Woken, |(word, expected)| wait(word, *expected, limit.min(GLANCE))),
    }
}

/// Wakes at most `count` of those who wait on `word`. Safe to call from a signal handler.
pub fn wake(word: &AtomicU32, count: u32) {
    let count = libc::c_int::try_from(count).unwrap_or(libc::c_int::MAX);
    // SAFETY: FUTEX_WAKE only uses the word's address as a key.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::{Wake, wait_any, wake};

    #[test]
    fn any_of_several_words_ends_the_wait() {
        let words = [const { AtomicU32::new(0) }; 3];
        let all = words.each_ref().map(|word| (word, 0));
        assert_eq!(wait_any(&all, Duration::from_millis(1)), Wake::TimedOut);
        words[1].store(1, Ordering::Relaxed);
        assert_eq!(
            wait_any(&all, Duration::from_secs(20)),
            Wake::Woken,
            "it does not hold what was expected"
        );
        words[1].store(0, Ordering::Relaxed);
        thread::scope(|scope| {
            scope.spawn(|| {
                while words[0].load(Ordering::Acquire) == 0 {
                    words[2].store(1, Ordering::Release);
                    wake(&words[2], 1);
                    thread::yield_now();
                }
            });
            while words[2].load(Ordering::Acquire) == 0 {
                wait_any(&all, Duration::from_millis(50));
            }
            words[0].store(1, Ordering::Release);
        });
    }
}
