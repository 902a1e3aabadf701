//! Turns: one process at a time does something that can't be done in one commit, such as writing a message into
//! a socket.
//!
//! ```text
//! free --take--> taken --leave--> free
//!                  \--- killed, or left half-way ---> broken, for ever
//! ```
//!
//! Invariants
//! 1. The word is free, or names the process whose turn it is; it changes under the object's guard.
//! 2. A turn is taken when there is something to do, and never while waiting for that: a process that is killed
//!    while it waits breaks nothing.
//!
//! Owner death: whoever wants the next turn finds the dead process's name, and the turn broken: nobody knows how
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
pub struct Turn {
    owner: AtomicU64,
    waiters: WaitPoint,
}

/// Why there was no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// Others had it until the deadline, or Ctrl-C came.
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
    /// Somebody stopped in the middle.
    #[error("a process stopped in the middle")]
    Broken,
}

impl Turn {
    /// Nobody's turn: for memory that becomes a new object.
    pub fn reset(&self) {
        self.owner.store(FREE, Ordering::Relaxed);
        self.waiters.reset();
    }

    /// Whether somebody stopped in the middle of it.
    pub fn is_broken(&self) -> bool {
        self.owner.load(Ordering::Acquire) == BROKEN
    }

    /// Waits for this process's turn, and takes it. `guard` is that of the object.
    ///
    /// # Errors
    /// [`TurnError`].
    pub fn take(&self, guard: &Guard, deadline: Deadline) -> Result<(), TurnError> {
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
                self.waiters.changed_for_all();
                drop(held);
                self.waiters.wake_all();
                return Err(TurnError::Broken);
            }
            let ticket = self.waiters.enter();
            drop(held);
            self.waiters.sleep(ticket, deadline)?;
        }
    }

    /// The turn is over, and what was done in it is whole.
    pub fn leave(&self, guard: &Guard) {
        let held = guard.lock();
        self.owner.store(FREE, Ordering::Release);
        let wake = self.waiters.changed();
        drop(held);
        if wake {
            self.waiters.wake_one();
        }
    }

    /// The turn is over, and was left half-way.
    pub fn spoil(&self, guard: &Guard) {
        let held = guard.lock();
        self.owner.store(BROKEN, Ordering::Release);
        self.waiters.changed_for_all();
        drop(held);
        self.waiters.wake_all();
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
    fn a_turn_is_waited_for_and_comes_when_it_is_left() {
        let _session = session();
        let endpoint = Endpoint::new(1, 0, None).expect("memory");
        let (turn, guard) = (endpoint.sending(), endpoint.guard());
        assert_eq!(turn.take(guard, soon()), Ok(()));
        let child = Child::run(|| {
            let late = turn.take(guard, soon()) == Err(TurnError::GaveUp(GaveUp::TimedOut));
            let mine = turn.take(guard, Deadline::Never).is_ok();
            turn.leave(guard);
            exit_now(if late && mine { 7 } else { 1 });
        });
        child.entered();
        std::thread::sleep(std::time::Duration::from_millis(30));
        turn.leave(guard);
        assert_eq!(child.wait(), Some(End::Exited(7)));
        assert_eq!(turn.take(guard, soon()), Ok(()));
        turn.leave(guard);
    }

    #[test]
    fn a_turn_whose_owner_was_killed_is_broken_and_those_who_wait_are_told() {
        let _session = session();
        let endpoint = Endpoint::new(1, 0, None).expect("memory");
        let (turn, guard) = (endpoint.receiving(), endpoint.guard());
        let owner = Child::run(|| {
            let _ = turn.take(guard, Deadline::Never);
            loop {
                std::thread::park();
            }
        });
        while turn.owner.load(Ordering::Acquire) == FREE {
            std::thread::yield_now();
        }
        let waits = Child::run(|| {
            let told = turn.take(guard, Deadline::Never) == Err(TurnError::Broken);
            exit_now(if told { 7 } else { 1 });
        });
        owner.kill();
        assert_eq!(waits.wait(), Some(End::Exited(7)));
        assert!(turn.is_broken());
        assert_eq!(turn.take(guard, soon()), Err(TurnError::Broken));
        assert!(!endpoint.sending().is_broken());
    }

    #[test]
    fn a_process_killed_while_it_waits_for_its_turn_breaks_nothing() {
        let _session = session();
        let endpoint = Endpoint::new(1, 0, None).expect("memory");
        let (turn, guard) = (endpoint.sending(), endpoint.guard());
        turn.take(guard, soon()).expect("free");
        let child = Child::run(|| {
            let _ = turn.take(guard, Deadline::Never);
        });
        child.entered();
        std::thread::yield_now();
        child.kill();
        turn.leave(guard);
        assert_eq!(turn.take(guard, soon()), Ok(()));
        turn.spoil(guard);
        assert!(turn.is_broken());
    }
}
