//! A lock that its holder may acquire again: it is free when it was released as often.
//!
//! ```text
//! free --acquire--> 1 --acquire by its holder--> 2 --release by its holder--> 1 --release--> free
//! ```
//!
//! Invariants
//! 1. Below is a [`Lock`]; its word says who holds it, and all that is said there of holders that die is true here.
//! 2. `depth` is written by the holder only, and means nothing to the next one, which begins with 1.
//! 3. A forked child is not its parent: it holds nothing of what its parent holds.

use std::sync::atomic::Ordering;

use super::lock::{Acquired, Lock};
use super::wait::GaveUp;
use crate::arena::blocks::OutOfMemory;
use crate::arena::handle::Kind;
use crate::sys::clock::Deadline;

/// See the head of this file. A clone is the same lock.
#[derive(Clone, Debug)]
pub struct RLock(Lock);

/// What cannot be released: this process does not hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process does not hold it")]
pub struct NotMine;

impl RLock {
    /// Makes a lock that is free.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new() -> Result<Self, OutOfMemory> {
        Lock::of_kind(Kind::RLock).map(Self)
    }

    /// The lock at `offset`, which somebody holds a reference to while this is called.
    ///
    /// # Errors
    /// [`OutOfMemory`] if this process's handle table can't grow.
    pub fn open(offset: u64) -> Result<Self, OutOfMemory> {
        Lock::open(offset).map(Self)
    }

    /// The lock below.
    pub fn lock(&self) -> &Lock {
        &self.0
    }

    /// Acquires it, waiting until the deadline if another process holds it.
    ///
    /// # Errors
    /// [`GaveUp`] at the deadline or at Ctrl-C.
    #[inline]
    pub fn acquire(&self, deadline: Deadline) -> Result<Acquired, GaveUp> {
        if self.0.is_mine() {
            self.set_depth(self.depth() + 1);
            return Ok(None);
        }
        let acquired = self.0.acquire(deadline)?;
        self.set_depth(1);
        Ok(acquired)
    }

    /// Releases it once.
    ///
    /// # Errors
    /// [`NotMine`].
    #[inline]
    pub fn release(&self) -> Result<(), NotMine> {
        if !self.0.is_mine() {
            return Err(NotMine);
        }
        let depth = self.depth();
        self.set_depth(depth.saturating_sub(1));
        if depth > 1 { Ok(()) } else { self.0.release().map_err(|_| NotMine) }
    }

    /// How often its holder has to release it; 0 if nobody holds it.
    pub fn count(&self) -> u64 {
        if self.0.is_held() { self.depth() } else { 0 }
    }

    pub(super) fn depth(&self) -> u64 {
        self.0.layout().depth.load(Ordering::Relaxed)
    }

    pub(super) fn set_depth(&self, depth: u64) {
        self.0.layout().depth.store(depth, Ordering::Relaxed);
    }
}
