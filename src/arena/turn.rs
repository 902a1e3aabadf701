//! What a process needs, in its slot, to be called when it waits for its turn at an object.
//!
//! A process waits for one thing at a time, so one place in its slot will do; what it waits for stands there
//! anyway. The object's state machine changes these words under the object's guard.
//!
//! Invariants
//! 1. `called` grows when the process begins to wait, and once more when it is called: it can sleep on the word,
//!    and a value never comes back while somebody compares it.
//! 2. A process has the object in its handle table while it waits, so its sweeper asks for the object's guard
//!    before the slot can become another process's.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::sys::{clock, futex};

/// See the head of this file.
#[repr(C)]
pub struct Turn {
    /// When the process began to wait, by the machine's monotonic clock.
    since: AtomicU64,
    /// What the object wants to know of one who waits.
    detail: AtomicU64,
    /// Even: not called. Odd: called, and it may not know it yet.
    called: AtomicU32,
}

impl Turn {
    /// The process begins to wait, at this moment.
    pub fn begin(&self, detail: u64) {
        self.since.store(clock::monotonic_ns(), Ordering::Relaxed);
        self.detail.store(detail, Ordering::Relaxed);
        self.again();
    }

    /// The process has come, and waits on; its place among the others stays.
    pub fn again(&self) {
        let called = self.called.load(Ordering::Relaxed);
        self.called.store((called | 1).wrapping_add(1), Ordering::Release);
    }

    /// Since when it waits, in nanoseconds of the monotonic clock.
    pub fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    /// What it told the object when it began.
    pub fn detail(&self) -> u64 {
        self.detail.load(Ordering::Relaxed)
    }

    /// Whether it was called since it began, or came.
    pub fn is_called(&self) -> bool {
        self.called.load(Ordering::Acquire) & 1 != 0
    }

    /// Calls it; [`Turn::wake`] is for later, when the object's guard is released.
    pub fn call(&self) {
        let called = self.called.load(Ordering::Relaxed);
        self.called.store(called | 1, Ordering::Release);
    }

    /// Ends its sleep.
    pub fn wake(&self) {
        futex::wake(&self.called, 1);
    }

    /// The word it sleeps on, with the value that it has until the process is called.
    pub fn bed(&self) -> (&AtomicU32, u32) {
        let called = self.called.load(Ordering::Relaxed);
        (&self.called, called & !1)
    }
}
