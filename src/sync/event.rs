//! An event: a flag to wait for.
//!
//! ```text
//! clear --set--> set --clear--> clear
//! ```
//!
//! Invariants
//! 1. `flag` and `times` change in one commit: who began to wait before a `set` sees that it was, even if somebody
//!    clears the flag at once.
//! 2. Setting what is set changes nothing: nobody waits then.
//!
//! Owner death: nobody owns an event. One that sets it and is killed before it wakes anybody has set it; those who
//! wait look after a slice (see `wait`). One that waits and is killed was a sleeper counted too much, no more.

use std::sync::atomic::{AtomicU64, Ordering};

use super::wait::{GaveUp, WaitPoint};
use crate::arena::blocks::OutOfMemory;
use crate::arena::handle::{Handle, Kind, Object};
use crate::arena::segment::at;
use crate::arena::table::{Waiting, waiting_for};
use crate::sys::clock::Deadline;

#[repr(C)]
struct Layout {
    object: Object,
    flag: AtomicU64,
    /// How often it was set.
    times: AtomicU64,
    point: WaitPoint,
}

/// See the head of this file. A clone is the same event.
#[derive(Clone, Debug)]
pub struct Event(Handle);

impl Event {
    /// Makes an event that is not set.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new() -> Result<Self, OutOfMemory> {
        let handle = Handle::create(Kind::Event, size_of::<Layout>(), |place| {
            // SAFETY: memory of that size in this process's hand; the fields are atomics.
            let layout: &Layout = unsafe { &*place.cast() };
            layout.flag.store(0, Ordering::Relaxed);
            layout.times.store(0, Ordering::Relaxed);
            layout.point.reset();
        })?;
        Ok(Self(handle))
    }

    /// The event at `offset`, which somebody holds a reference to while this is called.
    ///
    /// # Errors
    /// [`OutOfMemory`] if this process's handle table can't grow.
    pub fn open(offset: u64) -> Result<Self, OutOfMemory> {
        Handle::acquire(offset).map(Self)
    }

    /// Where it is: what travels.
    pub fn offset(&self) -> u64 {
        self.0.offset()
    }

    fn layout(&self) -> &'static Layout {
        // SAFETY: an event lies there as long as this handle lives.
        unsafe { at(self.0.offset()) }
    }

    /// Whether it is set.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.layout().flag.load(Ordering::Acquire) != 0
    }

    /// Sets it, and ends the waiting of all.
    pub fn set(&self) {
        let layout = self.layout();
        let held = layout.object.guard.lock();
        if self.is_set() {
            return;
        }
        held.commit([(&layout.flag, 1), (&layout.times, layout.times.load(Ordering::Relaxed) + 1)]);
        let wakeup = layout.point.changed_for_all();
        drop(held);
        wakeup.send();
    }

    /// Clears it.
    pub fn clear(&self) {
        let layout = self.layout();
        layout.object.guard.lock().commit([(&layout.flag, 0)]);
    }

    /// Waits until it is set, or the deadline; whether it was set meanwhile.
    ///
    /// # Errors
    /// [`GaveUp::Interrupted`] at Ctrl-C.
    pub fn wait(&self, deadline: Deadline) -> Result<bool, GaveUp> {
        let layout = self.layout();
        let mut began = None;
        loop {
            if self.is_set() {
                return Ok(true);
            }
            let held = layout.object.guard.lock();
            let times = layout.times.load(Ordering::Relaxed);
            if self.is_set() || *began.get_or_insert(times) != times {
                return Ok(true);
            }
            let ticket = layout.point.enter();
            drop(held);
            match waiting_for(Waiting::Event, self.offset(), || layout.point.sleep(ticket, deadline)) {
                // The last look was before the sleep.
                Err(GaveUp::TimedOut) => {
                    let _held = layout.object.guard.lock();
                    return Ok(self.is_set() || Some(layout.times.load(Ordering::Relaxed)) != began);
                }
                Err(GaveUp::Interrupted) => return Err(GaveUp::Interrupted),
                Ok(()) => {}
            }
        }
    }
}
