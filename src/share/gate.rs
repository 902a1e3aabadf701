//! The lock of a block, and using the block while no other process has it.
//!
//! Python's rule: each use of a value or array takes its lock, and gives it back. Who holds the lock uses the block
//! without taking it again, also if it is a lock that can't be taken twice. So what one process does in many steps
//! under the lock no other one sees half done, or comes between; and an element that is read or written alone needs
//! no lock around it.
//!
//! Owner death: a process killed in the middle of a use held the lock, which is then abandoned (see `sync::lock`);
//! elements are whole (see `cells`).

use crate::arena::blocks::OutOfMemory;
use crate::arena::handle::{self, Kind};
use crate::sync::lock::{Acquired, Lock};
use crate::sync::rlock::RLock;
use crate::sync::wait::GaveUp;
use crate::sys::clock::Deadline;

/// See the head of this file.
#[derive(Clone, Debug)]
pub enum Gate {
    Lock(Lock),
    RLock(RLock),
}

impl Gate {
    /// The lock at `offset`, which somebody holds a reference to while this is called.
    ///
    /// # Errors
    /// [`OutOfMemory`] if this process's handle table can't grow.
    pub fn open(offset: u64) -> Result<Self, OutOfMemory> {
        match handle::kind_at(offset) {
            Some(Kind::RLock) => RLock::open(offset).map(Self::RLock),
            _ => Lock::open(offset).map(Self::Lock),
        }
    }

    /// The lock below.
    #[inline]
    pub fn lock(&self) -> &Lock {
        match self {
            Self::Lock(lock) => lock,
            Self::RLock(lock) => lock.lock(),
        }
    }

    /// Does `what` while no other process has the lock.
    ///
    /// # Errors
    /// [`GaveUp::Interrupted`] at Ctrl-C while another process has it.
    #[inline]
    pub fn pass<T>(&self, what: impl FnOnce() -> T) -> Result<(T, Acquired), GaveUp> {
        // For something that ends before anything else can happen here, a lock that can be taken again is taken
        // like any other.
        let lock = self.lock();
        if lock.is_mine() {
            return Ok((what(), None));
        }
        let acquired = lock.acquire(Deadline::Never)?;
        let result = what();
        // Another process may have released it meanwhile: that is allowed, and its own affair.
        let _ = lock.release();
        Ok((result, acquired))
    }
}
