//! A condition: processes give up a lock, wait to be notified, and have the lock again.
//!
//! ```text
//! holds the lock --wait--> waits, and does not hold it --notified, or the deadline--> holds the lock again
//! ```
//!
//! Invariants
//! 1. Who waits is in the process table, as waiting for this condition, before it gives the lock up. Who notifies
//!    holds the lock, so it finds everybody who waited before.
//! 2. To notify is to call (see `turns`): one store, which is also what the one that waited is told.
//! 3. Who was called and does not wait any more has left under the guard: it was notified, or it was not.
//! 4. The condition counts its lock, in a bundle that never changes, so whoever has the condition has the lock.
//!
//! Owner death: one that waits and is killed is not in the table any more, and nobody notifies it. Whoever sweeps
//! one that was notified and killed before it left calls another one in its place, and whoever sweeps one that was
//! killed while it notified wakes those it called.

use std::sync::atomic::{AtomicU64, Ordering};

use super::lock::{Acquired, Lock};
use super::rlock::RLock;
use super::turns::{Place, Waiter};
use super::wait::GaveUp;
use crate::arena::blocks::OutOfMemory;
use crate::arena::bundle::{self, Bundle};
use crate::arena::hand::{self, Hand};
use crate::arena::handle::{self, Handle, Kind, Object, on_death, on_destroy};
use crate::arena::segment::at;
use crate::arena::table::{Slot, Waiting};
use crate::sys::clock::Deadline;
use crate::sys::signal;

#[repr(C)]
struct Layout {
    object: Object,
    /// The lock.
    bundle: AtomicU64,
}

/// See the head of this file. A clone is the same condition.
#[derive(Clone, Debug)]
pub struct Condition {
    handle: Handle,
    lock: AnyLock,
}

/// The lock of a condition.
#[derive(Clone, Debug)]
pub enum AnyLock {
    Lock(Lock),
    RLock(RLock),
}

/// What is refused: this process does not hold the condition's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process does not hold the condition's lock")]
pub struct NotHeldHere;

/// How a wait ended; the lock is held again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Woken {
    /// Whether the process was notified, and not before the deadline or Ctrl-C.
    pub notified: Result<bool, GaveUp>,
    /// How the lock was acquired again.
    pub acquired: Acquired,
}

/// Registers what happens at the end of a condition and of one that waits; called once by every process.
pub fn register() {
    on_death(Kind::Condition, forsaken);
    on_destroy(Kind::Condition, destroy);
}

fn layout(offset: u64) -> &'static Layout {
    // SAFETY: only called with offsets of conditions that somebody holds.
    unsafe { at(offset) }
}

fn place(object: u64) -> Place {
    Place { what: Waiting::Condition, object }
}

impl AnyLock {
    /// The lock at `offset`, if one is there.
    fn open(offset: u64) -> Result<Option<Self>, OutOfMemory> {
        Ok(match handle::kind_at(offset) {
            Some(Kind::Lock) => Some(Self::Lock(Lock::open(offset)?)),
            Some(Kind::RLock) => Some(Self::RLock(RLock::open(offset)?)),
            _ => None,
        })
    }

    /// What both are.
    pub fn lock(&self) -> &Lock {
        match self {
            Self::Lock(lock) => lock,
            Self::RLock(lock) => lock.lock(),
        }
    }

    /// Releases it however often it was acquired; how often that is.
    fn give_up(&self) -> u64 {
        let depth = match self {
            Self::Lock(_) => 1,
            Self::RLock(lock) => lock.depth(),
        };
        // It is held: the caller looked.
        let _ = self.lock().release();
        depth
    }

    /// Acquires it as often as it was. Ctrl-C comes later: the script is to find the lock held.
    fn take_again(&self, depth: u64) -> Acquired {
        let mut interrupted = false;
        let acquired = loop {
            match self.lock().acquire(Deadline::Never) {
                Ok(acquired) => break acquired,
                Err(_) => {
                    interrupted = true;
                    signal::take_interrupt();
                }
            }
        };
        if interrupted {
            signal::give_back_interrupt();
        }
        if let Self::RLock(lock) = self {
            lock.set_depth(depth);
        }
        acquired
    }
}

impl Condition {
    /// Makes a condition over `lock`.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(lock: AnyLock) -> Result<Self, OutOfMemory> {
        let handle = Handle::create(Kind::Condition, size_of::<Layout>(), |place| {
            // SAFETY: memory of that size in this process's hand; the fields are atomics.
            let layout: &Layout = unsafe { &*place.cast() };
            layout.bundle.store(0, Ordering::Relaxed);
        })?;
        let layout = layout(handle.offset());
        let bundle = Bundle::new(&[lock.lock().offset()])?;
        layout.object.guard.lock().commit([(&layout.bundle, bundle.offset()), (bundle.hand(), 0)]);
        bundle.published();
        Ok(Self { handle, lock })
    }

    /// The condition at `offset`, which somebody holds a reference to while this is called. `None` if it has no
    /// lock: whoever made it was killed before it gave it one.
    ///
    /// # Errors
    /// [`OutOfMemory`] if this process's handle table can't grow.
    pub fn open(offset: u64) -> Result<Option<Self>, OutOfMemory> {
        let handle = Handle::acquire(offset)?;
        let lock = match layout(offset).bundle.load(Ordering::Acquire) {
            0 => None,
            bundle => bundle::objects(bundle).first().copied(),
        };
        let lock = lock.map_or(Ok(None), AnyLock::open)?;
        Ok(lock.map(|lock| Self { handle, lock }))
    }

    /// Where it is: what travels.
    pub fn offset(&self) -> u64 {
        self.handle.offset()
    }

    /// Its lock.
    pub fn lock(&self) -> &AnyLock {
        &self.lock
    }

    /// How many processes wait.
    pub fn waiters(&self) -> usize {
        place(self.offset()).waiting().count()
    }

    fn check(&self) -> Result<(), NotHeldHere> {
        if self.lock.lock().is_mine() { Ok(()) } else { Err(NotHeldHere) }
    }

    /// Waits until this process is notified, or the deadline, without the lock.
    ///
    /// # Errors
    /// [`NotHeldHere`].
    pub fn wait(&self, deadline: Deadline) -> Result<Woken, NotHeldHere> {
        self.check()?;
        let guard = &layout(self.offset()).object.guard;
        let waiter = {
            let _held = guard.lock();
            Waiter::enter(place(self.offset()), 0)
        };
        let Some(waiter) = waiter else { return Err(NotHeldHere) };
        let depth = self.lock.give_up();
        let mut notified = loop {
            if waiter.is_called() {
                break Ok(true);
            }
            match waiter.sleep(deadline) {
                Ok(()) => {}
                Err(GaveUp::TimedOut) => break Ok(false),
                Err(GaveUp::Interrupted) => break Err(GaveUp::Interrupted),
            }
        };
        {
            let _held = guard.lock();
            // Somebody may have been faster than the deadline, or Ctrl-C.
            if waiter.is_called() {
                notified = Ok(true);
            }
            waiter.leave();
        }
        let acquired = self.lock.take_again(depth);
        Ok(Woken { notified, acquired })
    }

    /// Notifies up to `count` of those that wait, those that came first.
    ///
    /// # Errors
    /// [`NotHeldHere`].
    pub fn notify(&self, count: u64) -> Result<(), NotHeldHere> {
        self.check()?;
        let place = place(self.offset());
        {
            let _held = layout(self.offset()).object.guard.lock();
            place.call(count);
        }
        place.wake();
        Ok(())
    }
}

/// The process of `slot` is dead: if it was notified and never came, another one is. It may also have called and
/// not come to wake.
fn forsaken(offset: u64, slot: &Slot, _: &AtomicU64) {
    let place = place(offset);
    {
        let _held = layout(offset).object.guard.lock();
        if slot.waits_for(place.what, offset) && slot.turn.is_called() {
            place.call(1);
            // A sweeper that is killed before this notifies one too many: those who wait look anyway.
            slot.waits(Waiting::Nothing, 0);
        }
    }
    place.wake();
}

fn destroy(offset: u64) {
    let layout = layout(offset);
    let bundle = layout.bundle.load(Ordering::Relaxed);
    if bundle != 0 {
        let hand = Hand::free();
        layout.object.guard.lock().commit([(&layout.bundle, 0), (hand.word(), bundle | hand::BUNDLE)]);
        drop(Bundle::in_hand(bundle, hand));
    }
}
