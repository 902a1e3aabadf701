//! A semaphore: units to take and to give back, with or without a bound.
//!
//! ```text
//! value n --acquire--> n - 1 ... 0 --acquire waits--> 0 --release, by anybody--> 1
//!                 \--a process that holds units is killed--> they are abandoned --acquire where value is 0--> held
//! ```
//!
//! Who takes a unit need not be the one that gives it back, so what a process holds is a guess: what it took less
//! what it gave. When it is killed, its units come back as far as the semaphore once had them: `value` and
//! `abandoned` together don't grow above the value it began with. A semaphore that began with 0 is a signal,
//! and nothing comes back. A process that ends by itself leaves its units taken, for others to release, as it
//! is in Python.
//!
//! Invariants
//! 1. `value` and the holding of the process that takes or gives a unit change in one commit.
//! 2. Abandoned units are taken when `value` is 0. A release by one that holds none makes one of them a common one.
//! 3. What the sweeper takes out of a dead process's holding becomes abandoned in one commit: once.
//! 4. A process that holds a unit keeps the semaphore in its handle table: its holding is not 0.
//!
//! Owner death: invariant 3; those who waited are found in the process table (see `turns`).

use std::sync::atomic::{AtomicU64, Ordering};

use super::abandoned::Record;
use super::lock::Acquired;
use super::turns::{NOBODY, Place, Supply, Turns};
use super::wait::GaveUp;
use crate::arena::blocks::OutOfMemory;
use crate::arena::guard::Held;
use crate::arena::handle::{Handle, Kind, Object, on_death};
use crate::arena::segment::at;
use crate::arena::table::{self, Slot, Waiting};
use crate::sys::clock::Deadline;

#[repr(C)]
struct Layout {
    object: Object,
    value: AtomicU64,
    /// The value it began with.
    initial: AtomicU64,
    /// The most that it may come to.
    bound: AtomicU64,
    /// Units that dead processes took and did not give back.
    abandoned: AtomicU64,
    turns: Turns,
    record: Record,
}

/// See the head of this file. A clone is the same semaphore.
#[derive(Clone, Debug)]
pub struct Semaphore(Handle);

/// What cannot be released: the semaphore is at its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has its {0} units already")]
pub struct TooMany(pub u64);

/// A bound that nobody reaches.
const UNBOUNDED: u64 = u64::MAX;

/// What a process holds: how many units, and the line where it took the last.
struct Holding {
    units: u64,
    line: u32,
}

impl Holding {
    fn read(word: &AtomicU64) -> Self {
        let value = word.load(Ordering::Relaxed);
        Self { units: value >> 32, line: value as u32 }
    }

    fn one_more(&self, line: u32) -> u64 {
        (self.units + 1).min(u64::from(u32::MAX)) << 32 | u64::from(line)
    }

    fn one_less(&self) -> u64 {
        if self.units > 1 { (self.units - 1) << 32 | u64::from(self.line) } else { 0 }
    }
}

/// Registers what happens when a process with units dies; called once by every process.
pub fn register() {
    on_death(Kind::Semaphore, forsaken);
}

fn layout(offset: u64) -> &'static Layout {
    // SAFETY: only called with offsets of semaphores that somebody holds.
    unsafe { at(offset) }
}

fn place(object: u64) -> Place {
    Place { what: Waiting::Semaphore, object }
}

impl Layout {
    fn number(word: &AtomicU64) -> u64 {
        word.load(Ordering::Relaxed)
    }

    fn settle(&self, offset: u64) -> bool {
        let available = Self::number(&self.value).saturating_add(Self::number(&self.abandoned));
        self.turns.settle(place(offset), available)
    }
}

impl Semaphore {
    /// Makes a semaphore of `value` units; a `bounded` one never has more.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(value: u64, bounded: bool) -> Result<Self, OutOfMemory> {
        let handle = Handle::create(Kind::Semaphore, size_of::<Layout>(), |place| {
            // SAFETY: memory of that size in this process's hand; the fields are atomics.
            let layout: &Layout = unsafe { &*place.cast() };
            layout.value.store(value, Ordering::Relaxed);
            layout.initial.store(value, Ordering::Relaxed);
            layout.bound.store(if bounded { value } else { UNBOUNDED }, Ordering::Relaxed);
            layout.abandoned.store(0, Ordering::Relaxed);
            layout.turns.reset();
            layout.record.reset();
        })?;
        Ok(Self(handle))
    }

    /// The semaphore at `offset`, which somebody holds a reference to while this is called.
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
        layout(self.0.offset())
    }

    /// How many units can be taken.
    pub fn value(&self) -> u64 {
        self.layout().value.load(Ordering::Acquire)
    }

    /// The most units that it may have, if it is bounded.
    pub fn bound(&self) -> Option<u64> {
        let bound = Layout::number(&self.layout().bound);
        (bound != UNBOUNDED).then_some(bound)
    }

    /// Whether one would have to wait for a unit.
    pub fn is_empty(&self) -> bool {
        self.value() == 0 && Layout::number(&self.layout().abandoned) == 0
    }

    /// Whether a unit was taken over from a process that was killed, or can be.
    pub fn was_abandoned(&self) -> bool {
        let layout = self.layout();
        layout.record.times() > 0 || Layout::number(&layout.abandoned) > 0
    }

    /// Takes a unit, waiting until the deadline.
    ///
    /// # Errors
    /// [`GaveUp`] at the deadline or at Ctrl-C.
    pub fn acquire(&self, deadline: Deadline) -> Result<Acquired, GaveUp> {
        let layout = self.layout();
        layout.turns.take(&layout.object.guard, place(self.offset()), deadline, self)
    }

    /// Gives a unit back, or a new one.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn release(&self) -> Result<(), TooMany> {
        let layout = self.layout();
        let held = layout.object.guard.lock();
        let (value, bound) = (Layout::number(&layout.value), Layout::number(&layout.bound));
        if value >= bound {
            return Err(TooMany(bound));
        }
        let (abandoned, holding) = (Layout::number(&layout.abandoned), self.0.holding());
        let mine = Holding::read(holding);
        held.commit([
            (&layout.value, value + 1),
            // Who has no unit to give back gives a dead process's.
            (&layout.abandoned, if mine.units > 0 { abandoned } else { abandoned.saturating_sub(1) }),
            (holding, mine.one_less()),
        ]);
        let called = layout.turns.state() != NOBODY && layout.settle(self.offset());
        drop(held);
        if called {
            place(self.offset()).wake();
        }
        Ok(())
    }
}

impl Supply for Semaphore {
    type Taken = Acquired;

    fn take(&self, held: &Held<'_>) -> Option<Acquired> {
        let layout = self.layout();
        let (value, abandoned) = (Layout::number(&layout.value), Layout::number(&layout.abandoned));
        let holding = self.0.holding();
        let held_then = Holding::read(holding).one_more(table::me().map_or(0, Slot::line));
        if value > 0 {
            held.commit([(&layout.value, value - 1), (holding, held_then)]);
            return Some(None);
        }
        if abandoned > 0 {
            held.commit([(&layout.abandoned, abandoned - 1), (holding, held_then)]);
            return Some(Some(layout.record.take_over()));
        }
        None
    }

    fn settle(&self, _held: &Held<'_>) -> bool {
        self.layout().settle(self.offset())
    }
}

/// The process of `slot` is dead, or about to end: what it held comes back if it was killed.
fn forsaken(offset: u64, slot: &Slot, holding: &AtomicU64) {
    let layout = layout(offset);
    let held = layout.object.guard.lock();
    let Holding { units, line } = Holding::read(holding);
    if units > 0 && !slot.is_alive() {
        let (initial, abandoned) = (Layout::number(&layout.initial), Layout::number(&layout.abandoned));
        let missing = initial.saturating_sub(Layout::number(&layout.value)).saturating_sub(abandoned);
        if missing > 0 {
            layout.record.note(slot, line);
        }
        held.commit([(&layout.abandoned, abandoned + units.min(missing)), (holding, 0)]);
    }
    // It may also have been one that was called, or one that called and did not come to wake.
    layout.settle(offset);
    drop(held);
    place(offset).wake();
}
