//! What each worker of a pool works at: one shared word a worker.
//!
//! Invariants
//! 1. A worker's claim is the number of its task, filled in the commit that takes the task and emptied in
//!    the commit that puts the outcome (see `channel`); 0 is no task.
//! 2. `ready` says that the worker has loaded the script and run its initializer.
//! 3. Only the owner resets them, after the worker has died and been swept.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::blocks::OutOfMemory;
use crate::arena::handle::{Handle, Kind, Object};
use crate::arena::segment::at;

#[repr(C)]
struct Seat {
    claim: AtomicU64,
    ready: AtomicU64,
}

/// See the head of this file. A clone is the same.
#[derive(Clone, Debug)]
pub struct Claims(Handle);

impl Claims {
    /// Claims for `workers` workers.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(workers: usize) -> Result<Self, OutOfMemory> {
        let size = size_of::<Object>() + workers * size_of::<Seat>();
        let handle = Handle::create(Kind::Pool, size, |place| {
            for index in 0..workers {
                // SAFETY: the memory has that size, and seats are atomics.
                let seat: &Seat = unsafe { &*place.add(size_of::<Object>()).cast::<Seat>().add(index) };
                seat.claim.store(0, Ordering::Relaxed);
                seat.ready.store(0, Ordering::Relaxed);
            }
        })?;
        Ok(Self(handle))
    }

    /// The claims at `offset`, which somebody holds while this is called.
    ///
    /// # Errors
    /// [`OutOfMemory`] if this process's handle table can't grow.
    pub fn open(offset: u64) -> Result<Self, OutOfMemory> {
        Handle::acquire(offset).map(Self)
    }

    /// Where they are: what travels.
    pub fn offset(&self) -> u64 {
        self.0.offset()
    }

    fn seat(&self, worker: usize) -> &Seat {
        // SAFETY: workers are numbered below the number that the claims were made for.
        unsafe { at(self.0.offset() + (size_of::<Object>() + worker * size_of::<Seat>()) as u64) }
    }

    /// The claim of a worker.
    pub fn claim(&self, worker: usize) -> &AtomicU64 {
        &self.seat(worker).claim
    }

    /// Whether a worker came as far as taking tasks.
    pub fn is_ready(&self, worker: usize) -> bool {
        self.seat(worker).ready.load(Ordering::Acquire) != 0
    }

    /// The worker takes tasks from now on.
    pub fn set_ready(&self, worker: usize) {
        self.seat(worker).ready.store(1, Ordering::Release);
    }

    /// A new worker takes the seat.
    pub fn reset(&self, worker: usize) {
        self.seat(worker).claim.store(0, Ordering::Relaxed);
        self.seat(worker).ready.store(0, Ordering::Release);
    }
}
