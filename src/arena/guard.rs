//! A guard: a mutex whose changes are whole even when its owner is killed half-way.
//!
//! ```text
//! unlocked --lock--> held --commit--> held --drop--> unlocked
//!                      \__ killed __/  the next one to lock applies what was committed
//! ```
//!
//! Invariants
//! 1. What a guard protects is words (`AtomicU64`) in the segment. They change only through
//!    [`Held::commit`], or by a single store.
//! 2. A commit of several words first writes them to the redo record and then its length: that store
//!    commits. An owner killed before it has changed nothing; one killed after it has changed
//!    everything, because the next owner applies the record again (applying twice is the same as once).
//! 3. A process notes each guard it is about to lock in its slot, so that whoever sweeps the dead
//!    completes its commits first ([`repair`]).
//! 4. A guard is held for a few loads and stores: never while waiting, allocating or decoding.
//!    Only the sweeper's guard is held while others are taken (see `sweep`).
//! 5. The process runs one thread, so the depth of nesting is a plain counter of the process.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

use super::segment::{at, offset_of};
use super::table::me;
use crate::sys::mutex::{Acquired, RobustMutex};

/// The most words that change in one commit.
const REDO: usize = 8;

#[repr(C)]
struct Redo {
    offset: AtomicU64,
    value: AtomicU64,
}

/// See the head of this file.
#[repr(C)]
pub struct Guard {
    mutex: RobustMutex,
    redo_length: AtomicU32,
    redo: [Redo; REDO],
}

/// How many guards this process holds or is about to (invariant 5).
static DEPTH: AtomicUsize = AtomicUsize::new(0);

impl Guard {
    /// Initialises a guard in zeroed or recycled memory.
    ///
    /// # Safety
    /// `place` is memory of the segment that no other process uses yet.
    pub unsafe fn init(place: *mut Self) {
        // SAFETY: by this function's contract.
        unsafe {
            RobustMutex::init(&raw mut (*place).mutex);
            (*place).redo_length.store(0, Ordering::Relaxed);
        }
    }

    /// Locks the guard; if its last owner died, its commit is completed first.
    #[inline]
    pub fn lock(&self) -> Held<'_> {
        let depth = DEPTH.load(Ordering::Relaxed);
        let slot = me();
        if let Some(word) = slot.and_then(|slot| slot.guards.get(depth)) {
            word.store(offset_of(self), Ordering::Relaxed);
        }
        DEPTH.store(depth + 1, Ordering::Relaxed);
        if self.mutex.lock() == Acquired::OwnerDied {
            self.redo();
        }
        Held { guard: self, depth }
    }

    #[cold]
    fn redo(&self) {
        let length = self.redo_length.load(Ordering::Acquire) as usize;
        for entry in self.redo.iter().take(length) {
            // SAFETY: the record was written whole before its length (invariant 2) and names words of
            // the segment that this guard protects.
            let word: &AtomicU64 = unsafe { at(entry.offset.load(Ordering::Relaxed)) };
            word.store(entry.value.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        fence(Ordering::Release);
        self.redo_length.store(0, Ordering::Release);
    }
}

/// This process was forked off and holds no guards: its parent's are its parent's.
pub(super) fn forget_all() {
    DEPTH.store(0, Ordering::Relaxed);
}

/// Completes what the owner of the guard at `offset` had committed, if it died.
///
/// # Safety
/// A guard lies there: the offset was noted by [`Guard::lock`], and guards stay guards.
pub(super) unsafe fn repair(offset: u64) {
    // SAFETY: by this function's contract.
    let guard: &Guard = unsafe { at(offset) };
    drop(guard.lock());
}

/// A locked guard.
pub struct Held<'a> {
    guard: &'a Guard,
    depth: usize,
}

impl Held<'_> {
    /// Changes all these words, or, if this process is killed, all or none.
    #[inline]
    pub fn commit<const N: usize>(&self, changes: [(&AtomicU64, u64); N]) {
        const { assert!(N <= REDO, "a commit has at most REDO words") };
        let guard = self.guard;
        if N > 1 {
            for (entry, (word, value)) in guard.redo.iter().zip(&changes) {
                entry.offset.store(offset_of(*word), Ordering::Relaxed);
                entry.value.store(*value, Ordering::Relaxed);
            }
            // The record before its length, its length before the words, the words before its end:
            // a killed process's stores are seen in the order in which it made them.
            fence(Ordering::Release);
            guard.redo_length.store(N as u32, Ordering::Relaxed);
            fence(Ordering::Release);
        }
        for (word, value) in &changes {
            word.store(*value, Ordering::Relaxed);
        }
        if N > 1 {
            fence(Ordering::Release);
            guard.redo_length.store(0, Ordering::Relaxed);
        }
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this process's one thread locked it in `Guard::lock`.
        unsafe { self.guard.mutex.unlock() };
        if let Some(word) = me().and_then(|slot| slot.guards.get(self.depth)) {
            word.store(0, Ordering::Relaxed);
        }
        DEPTH.store(self.depth, Ordering::Relaxed);
    }
}
