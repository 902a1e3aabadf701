//! A lock that survives its holder.
//!
//! ```text
//! free --acquire--> held --release, by anybody--> free
//!                    \--its holder dies--> abandoned --acquire, by anybody--> held
//!                                               \--release, by anybody--> free
//! ```
//!
//! It is one word that names its holder (see `word`). A lock that nobody waits for changes by one exchange of
//! that word; all else happens under the guard (see `turns`).
//!
//! Invariants
//! 1. Who holds the lock is what the word says: there is no moment at which a process has the lock and is not
//!    named, so there is none at which its death is not noticed.
//! 2. A word with a flag changes under the guard only. A word without one may be taken or released by one
//!    exchange at any time, so those under the guard change it by exchanges too.
//! 3. Who waits is in the process table before the word says CONTENDED, and looks at the word between saying
//!    so and going to sleep: a release either sees the flag, and calls, or comes before that look.
//! 4. A process that holds a lock keeps it in its handle table, even if no value of its script refers to it.
//!
//! Owner death: a holder's sweeper writes down who it was, marks the word as abandoned, and calls the one that
//! waits first; who looks earlier finds out by itself. A process that ends without releasing is treated alike.

use std::sync::atomic::{AtomicU64, Ordering};

use super::abandoned::{Abandoned, Record};
use super::turns::{HUNGRY, NOBODY, Place, Supply, Turns};
use super::wait::GaveUp;
use super::word::Word;
use crate::arena::blocks::OutOfMemory;
use crate::arena::guard::Held;
use crate::arena::handle::{Handle, Kind, Object, on_death};
use crate::arena::segment::at;
use crate::arena::table::{self, ProcessId, Slot, Waiting};
use crate::sys::clock::Deadline;

#[repr(C)]
pub(super) struct Layout {
    object: Object,
    word: AtomicU64,
    /// How often the holder has to release it. Only the holder looks at it.
    pub(super) depth: AtomicU64,
    turns: Turns,
    record: Record,
}

/// See the head of this file. A clone is the same lock.
#[derive(Clone, Debug)]
pub struct Lock(Handle);

/// How something was acquired: `Some` if from a process that died while it held it.
pub type Acquired = Option<Abandoned>;

/// What cannot be released: nobody holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody holds it")]
pub struct NotHeld;

/// Registers what happens when a holder dies; called once by every process.
pub fn register() {
    on_death(Kind::Lock, forsaken);
    on_death(Kind::RLock, forsaken);
}

fn layout(offset: u64) -> &'static Layout {
    // SAFETY: only called with offsets of locks that somebody holds.
    unsafe { at(offset) }
}

/// This process, since the line where its script is now.
#[inline]
fn this_process() -> Word {
    let line = table::me().map_or(0, Slot::line);
    // A process that is in no table has no sweeper either: it is nobody that ever lived.
    let nobody = ProcessId { index: 0, generation: u32::MAX };
    Word::held(table::my_id().unwrap_or(nobody), line)
}

impl Lock {
    /// Makes a lock that is free.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new() -> Result<Self, OutOfMemory> {
        Self::of_kind(Kind::Lock)
    }

    pub(super) fn of_kind(kind: Kind) -> Result<Self, OutOfMemory> {
        let handle = Handle::create(kind, size_of::<Layout>(), |place| {
            // SAFETY: memory of that size in this process's hand; the fields are atomics.
            let layout: &Layout = unsafe { &*place.cast() };
            layout.word.store(Word::FREE.0, Ordering::Relaxed);
            layout.depth.store(0, Ordering::Relaxed);
            layout.turns.reset();
            layout.record.reset();
        })?;
        Ok(Self(handle))
    }

    /// The lock at `offset`, which somebody holds a reference to while this is called.
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

    pub(super) fn layout(&self) -> &'static Layout {
        layout(self.0.offset())
    }

    /// Acquires it, waiting until the deadline.
    ///
    /// # Errors
    /// [`GaveUp`] at the deadline or at Ctrl-C.
    #[inline]
    pub fn acquire(&self, deadline: Deadline) -> Result<Acquired, GaveUp> {
        let layout = self.layout();
        let taker = this_process();
        match exchange(layout, Word::FREE, taker) {
            Ok(()) => Ok(None),
            Err(_) => self.acquire_in_turn(taker, deadline),
        }
    }

    #[cold]
    fn acquire_in_turn(&self, taker: Word, deadline: Deadline) -> Result<Acquired, GaveUp> {
        let (layout, offset) = (self.layout(), self.offset());
        let supply = Taking { layout, offset, taker };
        layout.turns.take(&layout.object.guard, place(offset), deadline, &supply)
    }

    /// Releases it, whoever holds it.
    ///
    /// # Errors
    /// [`NotHeld`].
    #[inline]
    pub fn release(&self) -> Result<(), NotHeld> {
        let layout = self.layout();
        let word = read(layout);
        if word.is_plain() && word.owner().is_some() && exchange(layout, word, Word::FREE).is_ok() {
            return Ok(());
        }
        self.release_to_others()
    }

    #[cold]
    fn release_to_others(&self) -> Result<(), NotHeld> {
        let (layout, offset) = (self.layout(), self.offset());
        let held = layout.object.guard.lock();
        loop {
            let word = read(layout);
            if exchange(layout, word, word.released().ok_or(NotHeld)?).is_ok() {
                break;
            }
        }
        let called = settle(layout, offset);
        drop(held);
        if called {
            place(offset).wake();
        }
        Ok(())
    }

    /// Who holds it, and since which line of its script; `None` also if that one is dead.
    pub fn holder(&self) -> Option<(ProcessId, u32)> {
        let word = read(self.layout());
        word.owner().filter(|owner| !word.is_abandoned() && lives(*owner)).map(|owner| (owner, word.line()))
    }

    /// Whether this process holds it.
    #[inline]
    pub fn is_mine(&self) -> bool {
        let owner = read(self.layout()).owner();
        owner.is_some() && owner == table::my_id()
    }

    /// Whether it is held, so that one would have to wait for it.
    pub fn is_held(&self) -> bool {
        self.holder().is_some()
    }

    /// Whether a process died while it held it, now or at any time before.
    pub fn was_abandoned(&self) -> bool {
        let layout = self.layout();
        let word = read(layout);
        let now = word.is_abandoned() || word.owner().is_some_and(|owner| !lives(owner));
        now || layout.record.times() > 0
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Invariant 4.
        if self.0.is_last() {
            self.0.holding().store(u64::from(self.is_mine()), Ordering::Relaxed);
        }
    }
}

fn place(object: u64) -> Place {
    Place { what: Waiting::Lock, object }
}

#[inline]
fn read(layout: &Layout) -> Word {
    Word(layout.word.load(Ordering::Relaxed))
}

#[inline]
fn exchange(layout: &Layout, old: Word, new: Word) -> Result<(), Word> {
    let result = layout.word.compare_exchange(old.0, new.0, Ordering::AcqRel, Ordering::Relaxed);
    result.map(|_| ()).map_err(Word)
}

fn lives(owner: ProcessId) -> bool {
    owner.slot().is_some_and(Slot::is_alive)
}

/// Acquiring, in turn.
struct Taking {
    layout: &'static Layout,
    offset: u64,
    taker: Word,
}

impl Supply for Taking {
    type Taken = Acquired;

    fn take(&self, _held: &Held<'_>) -> Option<Acquired> {
        loop {
            let word = read(self.layout);
            let dead = word.owner().filter(|owner| word.is_abandoned() || !lives(*owner));
            let taken = word.taken(self.taker, dead.is_some())?;
            // Before the word forgets it.
            if let Some(slot) = dead.and_then(ProcessId::slot).filter(|_| !word.is_abandoned()) {
                self.layout.record.note(slot, word.line());
            }
            if exchange(self.layout, word, taken).is_ok() {
                return Some(dead.map(|_| self.layout.record.take_over()));
            }
        }
    }

    fn settle(&self, _held: &Held<'_>) -> bool {
        settle(self.layout, self.offset)
    }
}

/// Calls the one that waits first if the lock is there to be taken, and closes or opens the short way. Under the
/// guard; whether somebody was called.
fn settle(layout: &Layout, offset: u64) -> bool {
    let state = layout.turns.observe(place(offset));
    loop {
        let word = read(layout);
        let settled = word.settled(state != NOBODY, state == HUNGRY);
        if exchange(layout, word, settled).is_ok() {
            // It may be taken by somebody at this moment: then the one that is called looks, and closes the short
            // way again, which it would not if it slept on.
            return settled.is_available() && layout.turns.call(place(offset), 1);
        }
    }
}

/// The process of `slot` is dead, or about to end: what it held is abandoned.
fn forsaken(offset: u64, slot: &Slot, _: &AtomicU64) {
    let layout = layout(offset);
    let held = layout.object.guard.lock();
    loop {
        let word = read(layout);
        if word.is_abandoned() || word.owner() != Some(slot.id()) {
            break;
        }
        layout.record.note(slot, word.line());
        if exchange(layout, word, word.abandoned()).is_ok() {
            break;
        }
    }
    // It may also have been the one that was called, or the one that called and did not come to wake.
    settle(layout, offset);
    drop(held);
    place(offset).wake();
}
