//! Sleeping until another process changes something.
//!
//! A wait point is a sequence word and a count of those who sleep on it, both beside the state they
//! belong to and changed under its guard. Those who sleep for several things at once *watch* (see `watch`).
//!
//! Invariants
//! 1. A sleeper counts itself and reads the sequence under the guard, then sleeps while the sequence is
//!    the same: whoever changes the state afterwards changes the sequence, so no wake-up is missed.
//! 2. The *waker* takes a sleeper off the count: the next change does not wake again for the same one. Beside the
//!    count stands the sequence that it belongs to, in one word: who was not woken takes itself off by one exchange,
//!    which does nothing if a waker came before.
//! 3. A sleeper that was killed leaves the count too high: that costs one needless wake-up, no more. One
//!    that was woken and killed before it looked leaves the others asleep for a slice at most: nobody
//!    sleeps longer than [`SLICE`] without looking.
//! 4. Nobody sleeps while there are dead to clean up after: what is waited for may be among what they held.
//! 5. The first change after somebody began to watch tells all watchers, and is the last that does until
//!    one of them watches again.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::meanwhile;
use crate::arena::{sweep, table};
use crate::sys::clock::Deadline;
use crate::sys::futex::{self, Wake};
use crate::sys::signal;

/// The longest sleep without a look at the state.
pub const SLICE: Duration = Duration::from_millis(250);

/// Why a wait gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GaveUp {
    /// The time was over.
    #[error("the time is over")]
    TimedOut,
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

/// See the head of this file.
#[repr(C)]
pub struct WaitPoint {
    sequence: AtomicU32,
    watched: AtomicU32,
    /// The sequence in the upper half, the count in the lower.
    sleepers: AtomicU64,
}

/// What `sleepers` holds.
fn counted(sequence: u32, count: u32) -> u64 {
    u64::from(sequence) << 32 | u64::from(count)
}

/// Whom a change concerns: to be sent once the guard is released.
#[must_use]
pub struct Wakeup<'a> {
    point: &'a WaitPoint,
    sleepers: u32,
    watchers: bool,
}

impl<'a> Wakeup<'a> {
    /// Nobody is concerned yet.
    pub fn nobody(point: &'a WaitPoint) -> Self {
        Self { point, sleepers: 0, watchers: false }
    }

    /// Wakes them.
    #[inline]
    pub fn send(self) {
        if self.sleepers != 0 {
            futex::wake(&self.point.sequence, self.sleepers);
        }
        if self.watchers {
            table::tell_watchers();
        }
    }
}

/// A sleeper that has counted itself and not slept yet.
#[must_use]
pub struct Ticket(u32);

impl WaitPoint {
    /// Forgets all sleepers: for memory that becomes a new object.
    pub fn reset(&self) {
        self.sequence.store(0, Ordering::Relaxed);
        self.sleepers.store(0, Ordering::Relaxed);
        self.watched.store(0, Ordering::Relaxed);
    }

    /// The next change tells the watchers. Under the guard.
    pub fn watch(&self) {
        self.watched.store(1, Ordering::Relaxed);
    }

    /// Counts a sleeper. Under the guard.
    pub fn enter(&self) -> Ticket {
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        Ticket(self.sequence.load(Ordering::Relaxed))
    }

    /// Something changed that one sleeper may want. Under the guard.
    #[inline]
    pub fn changed(&self) -> Wakeup<'_> {
        let sleepers = self.take_off(|count| count.saturating_sub(1));
        Wakeup { point: self, sleepers: sleepers.min(1), watchers: self.unwatch() }
    }

    /// Something changed that concerns all sleepers. Under the guard.
    pub fn changed_for_all(&self) -> Wakeup<'_> {
        let sleepers = self.take_off(|_| 0);
        Wakeup { point: self, sleepers: if sleepers == 0 { 0 } else { u32::MAX }, watchers: self.unwatch() }
    }

    /// Leaves as many on the count as `rest` says, and begins the next sequence; how many there were. If there was
    /// nobody, nothing changes: who counts itself later looks at the state later.
    #[inline]
    fn take_off(&self, rest: impl Fn(u32) -> u32) -> u32 {
        if self.sleepers.load(Ordering::Relaxed) as u32 == 0 {
            return 0;
        }
        let sequence = self.sequence.load(Ordering::Relaxed).wrapping_add(1);
        let taken = self.sleepers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            Some(counted(sequence, rest(word as u32)))
        });
        self.sequence.store(sequence, Ordering::Release);
        taken.map_or(0, |word| word as u32)
    }

    /// Whether somebody watched until now.
    #[inline]
    fn unwatch(&self) -> bool {
        let watched = self.watched.load(Ordering::Relaxed) != 0;
        if watched {
            self.watched.store(0, Ordering::Relaxed);
        }
        watched
    }

    /// Sleeps until something changes, a slice is over, or a signal comes. Not under the guard.
    ///
    /// # Errors
    /// [`GaveUp`] at the deadline or at Ctrl-C.
    pub fn sleep(&self, ticket: Ticket, deadline: Deadline) -> Result<(), GaveUp> {
        let result = sleep_on(&self.sequence, ticket.0, deadline);
        self.leave(ticket);
        result
    }

    /// A sleeper is awake again. If nobody woke it, nobody took it off the count.
    fn leave(&self, ticket: Ticket) {
        let own = |word: &u64| (word >> 32) as u32 == ticket.0 && *word as u32 != 0;
        let _ = self.sleepers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            Some(word).filter(own).map(|word| word - 1)
        });
    }
}

/// What else is to be done before this process sleeps, by those above who have something to do then.
static BEFORE_SLEEP: OnceLock<fn()> = OnceLock::new();

/// From now on `work` is done, too, whenever this process is about to sleep.
pub fn do_before_sleep(work: fn()) {
    // There is one who asks, and it asks for the same each time.
    let _ = BEFORE_SLEEP.set(work);
}

/// Whoever is about to sleep cleans up first.
pub(super) fn before_sleep() {
    sweep::after_deaths();
    if let Some(work) = BEFORE_SLEEP.get() {
        work();
    }
}

/// A wait point on which this process is counted as a sleeper, while it sleeps on another word as well.
#[must_use]
pub struct Counted {
    /// The wait point.
    pub(super) point: &'static WaitPoint,
    /// What was counted.
    pub(super) ticket: Ticket,
}

impl Counted {
    /// The word that changes, and what it holds until then.
    pub(super) fn word(&self) -> (&AtomicU32, u32) {
        (&self.point.sequence, self.ticket.0)
    }

    /// Awake again.
    pub(super) fn leave(self) {
        self.point.leave(self.ticket);
    }
}

/// Sleeps while `word` holds `expected`: at most a slice, and not past the deadline. Before that, this process
/// does what else it looks after (see `meanwhile`).
///
/// # Errors
/// [`GaveUp`] at the deadline or at Ctrl-C.
pub fn sleep_on(word: &AtomicU32, expected: u32, deadline: Deadline) -> Result<(), GaveUp> {
    before_sleep();
    let look = meanwhile::look();
    if signal::interrupted() {
        return Err(GaveUp::Interrupted);
    }
    let woken = meanwhile::sleep(Some((word, expected)), look, deadline)?;
    if woken == Wake::Signal && signal::interrupted() {
        return Err(GaveUp::Interrupted);
    }
    Ok(())
}

/// Does what this process looks after while it waits, then sleeps until there is more of it: at most a slice, and
/// not past the deadline.
///
/// # Errors
/// [`GaveUp`] at the deadline or at Ctrl-C.
pub fn rest(deadline: Deadline) -> Result<(), GaveUp> {
    before_sleep();
    let look = meanwhile::look();
    if signal::interrupted() {
        return Err(GaveUp::Interrupted);
    }
    let woken = meanwhile::sleep(None, look, deadline)?;
    if woken == Wake::Signal && signal::interrupted() {
        return Err(GaveUp::Interrupted);
    }
    Ok(())
}

/// Sleeps until the deadline.
///
/// # Errors
/// [`GaveUp::Interrupted`] at Ctrl-C.
pub fn sleep_until(deadline: Deadline) -> Result<(), GaveUp> {
    loop {
        match rest(deadline) {
            Ok(()) => {}
            Err(GaveUp::TimedOut) => return Ok(()),
            Err(GaveUp::Interrupted) => return Err(GaveUp::Interrupted),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::arena::blocks::{Block, Use};
    use crate::arena::segment::at;
    use crate::arena::testing::{Child, session};
    use crate::sys::process::{End, exit_now};

    fn wait_point() -> (Block, &'static WaitPoint) {
        let block = Block::new(64, Use::Bytes).expect("memory");
        // SAFETY: two atomics in a block that the caller keeps while it is used.
        let point: &WaitPoint = unsafe { at(block.offset()) };
        point.reset();
        (block, point)
    }

    #[test]
    fn a_sleep_ends_at_its_deadline_and_is_not_counted_any_more() {
        let _session = session();
        let (_block, point) = wait_point();
        let ticket = point.enter();
        assert_eq!(point.sleep(ticket, Deadline::after(Some(0.0))), Err(GaveUp::TimedOut));
        let ticket = point.enter();
        // The end of a slice is no reason to give up.
        assert_eq!(point.sleep(ticket, Deadline::Never), Ok(()));
        assert_eq!(point.changed().sleepers, 0, "nobody sleeps");
    }

    #[test]
    fn a_change_wakes_a_sleeper_in_another_process_also_after_one_was_killed() {
        let _session = session();
        let (_block, point) = wait_point();
        let sleeper = || {
            let ticket = point.enter();
            // Without the wake-up this one sleeps on and on.
            while point.sequence.load(Ordering::Acquire) == ticket.0 {
                let _ = sleep_on(&point.sequence, ticket.0, Deadline::Never);
            }
            exit_now(7);
        };
        let sleeping = |count: u32| {
            let patience = Instant::now();
            while (point.sleepers.load(Ordering::Acquire) as u32) < count {
                assert!(patience.elapsed() < Duration::from_secs(20), "nobody goes to sleep");
                std::thread::yield_now();
            }
        };
        let killed = Child::run(sleeper);
        sleeping(1);
        killed.kill();
        let other = Child::run(sleeper);
        sleeping(2);
        assert_eq!(point.sleepers.load(Ordering::Relaxed) as u32, 2, "one of them is dead");
        point.changed().send();
        assert_eq!(other.wait(), Some(End::Exited(7)));
        assert_eq!(point.changed().sleepers, 1, "the dead one costs one needless wake-up");
        assert_eq!(point.changed().sleepers, 0);
    }
}
