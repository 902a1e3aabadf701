//! A passage: one process at a time is in it and does something that can't be done in one commit, such as
//! writing a message into a socket.
//!
//! ```text
//! free --take--> taken --leave--> free
//!                  \--- killed, or left half-way ---> broken, for ever
//! ```
//!
//! Invariants
//! 1. The word is free, or names the process that is in it; it changes under the object's guard.
//! 2. It is taken when there is something to do, and never while waiting for that: a process that is killed
//!    while it waits breaks nothing.
//!
//! Owner death: whoever comes next finds the dead process's name, and the passage broken: nobody knows how
//! far it got.

use std::sync::atomic::{AtomicU64, Ordering};

use super::wait::{GaveUp, WaitPoint};
use crate::arena::guard::Guard;
use crate::arena::table::{ProcessId, my_id};
use crate::sys::clock::Deadline;

const FREE: u64 = 0;
const BROKEN: u64 = u64::MAX;

/// See the head of this file.
#[repr(C)]
pub struct Passage {
    owner: AtomicU64,
    waiters: WaitPoint,
}

/// Why there was no way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassageError {
    /// Others were in it until the deadline, or Ctrl-C came.
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
    /// Somebody stopped in the middle.
    #[error("a process stopped in the middle")]
    Broken,
}

impl Passage {
    /// Nobody is in it: for memory that becomes a new object.
    pub fn reset(&self) {
        self.owner.store(FREE, Ordering::Relaxed);
        self.waiters.reset();
    }

    /// Whether somebody stopped in the middle of it.
    pub fn is_broken(&self) -> bool {
        self.owner.load(Ordering::Acquire) == BROKEN
    }

    /// Waits until nobody is in it, and takes it. `guard` is that of the object.
    ///
    /// # Errors
    /// [`PassageError`].
    pub fn take(&self, guard: &Guard, deadline: Deadline) -> Result<(), PassageError> {
        let me = my_id().map_or(FREE, ProcessId::pack);
        loop {
            let held = guard.lock();
            let owner = self.owner.load(Ordering::Relaxed);
            if owner == FREE {
                self.owner.store(me, Ordering::Release);
                return Ok(());
            }
            let lost = ProcessId::unpack(owner).slot().is_none_or(|slot| !slot.is_alive());
            if owner == BROKEN || lost {
                self.owner.store(BROKEN, Ordering::Release);
                let wakeup = self.waiters.changed_for_all();
                drop(held);
                wakeup.send();
                return Err(PassageError::Broken);
            }
            let ticket = self.waiters.enter();
            drop(held);
            self.waiters.sleep(ticket, deadline)?;
        }
    }

    /// This process leaves it, and what it did there is whole.
    pub fn leave(&self, guard: &Guard) {
        let held = guard.lock();
        self.owner.store(FREE, Ordering::Release);
        let wakeup = self.waiters.changed();
        drop(held);
        wakeup.send();
    }

    /// This process leaves it, and what it did there is not whole: nobody can go on with that.
    pub fn spoil(&self, guard: &Guard) {
        let held = guard.lock();
        self.owner.store(BROKEN, Ordering::Release);
        let wakeup = self.waiters.changed_for_all();
        drop(held);
        wakeup.send();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::testing::{Child, session};
    use crate::sync::endpoint::Endpoint;
    use crate::sys::process::{End, exit_now};

    fn soon() -> Deadline {
        Deadline::after(Some(0.01))
    }

    #[test]
    fn a_passage_is_waited_for_and_taken_when_it_is_left() {
        let _session = session();
        let endpoint = Endpoint::new(1, 0, None).expect("memory");
        let (passage, guard) = (endpoint.sending(), endpoint.guard());
        assert_eq!(passage.take(guard, soon()), Ok(()));
        let child = Child::run(|| {
            let late = passage.take(guard, soon()) == Err(PassageError::GaveUp(GaveUp::TimedOut));
            let mine = passage.take(guard, Deadline::Never).is_ok();
            passage.leave(guard);
            exit_now(if late && mine { 7 } else { 1 });
        });
        child.entered();
        std::thread::sleep(std::time::Duration::from_millis(30));
        passage.leave(guard);
        assert_eq!(child.wait(), Some(End::Exited(7)));
        assert_eq!(passage.take(guard, soon()), Ok(()));
        passage.leave(guard);
    }

    #[test]
    fn a_passage_whose_owner_was_killed_is_broken_and_those_who_wait_are_told() {
        let _session = session();
        let endpoint = Endpoint::new(1, 0, None).expect("memory");
        let (passage, guard) = (endpoint.receiving(), endpoint.guard());
        let owner = Child::run(|| {
            let _ = passage.take(guard, Deadline::Never);
            loop {
                std::thread::park();
            }
        });
        while passage.owner.load(Ordering::Acquire) == FREE {
            std::thread::yield_now();
        }
        let waits = Child::run(|| {
            let told = passage.take(guard, Deadline::Never) == Err(PassageError::Broken);
            exit_now(if told { 7 } else { 1 });
        });
        owner.kill();
        assert_eq!(waits.wait(), Some(End::Exited(7)));
        assert!(passage.is_broken());
        assert_eq!(passage.take(guard, soon()), Err(PassageError::Broken));
        assert!(!endpoint.sending().is_broken());
    }

    #[test]
    fn a_process_killed_while_it_waits_for_a_passage_breaks_nothing() {
        let _session = session();
        let endpoint = Endpoint::new(1, 0, None).expect("memory");
        let (passage, guard) = (endpoint.sending(), endpoint.guard());
        passage.take(guard, soon()).expect("free");
        let child = Child::run(|| {
            let _ = passage.take(guard, Deadline::Never);
        });
        child.entered();
        std::thread::yield_now();
        child.kill();
        passage.leave(guard);
        assert_eq!(passage.take(guard, soon()), Ok(()));
        passage.spoil(guard);
        assert!(passage.is_broken());
    }
}
