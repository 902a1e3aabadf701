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

/// Wakes at most `count` of those who wait on `word`. Safe to call from a signal handler.
pub fn wake(word: &AtomicU32, count: u32) {
    let count = libc::c_int::try_from(count).unwrap_or(libc::c_int::MAX);
    // SAFETY: FUTEX_WAKE only uses the word's address as a key.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
}
