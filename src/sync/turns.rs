//! Whose turn it is: those who wait for an object, in the order in which they came.
//!
//! Nobody keeps a list of them. A process says in its slot what it waits for and since when, so those who wait
//! are found in the process table, and one that was killed is not among them.
//!
//! ```text
//! NOBODY --one waits--> SOMEBODY --the first of them has waited a millisecond--> HUNGRY
//! ```
//!
//! While nobody is hungry, whoever comes at the right moment may take what is there: handing it to one who has
//! to wake up first would leave it idle meanwhile. Once somebody is hungry, the one that came first gets it, so
//! nobody starves.
//!
//! Invariants
//! 1. All of this but sleeping happens under the object's guard.
//! 2. Whoever changes what is there, or stops waiting, settles ([`Turns::settle`]): as many as there is
//!    something for are called, those that came first, and called ones count until they have come.
//! 3. `state` may say too much about those who were killed meanwhile, never too little. It is made right by the
//!    next one that settles; whose turn it is ([`Turns::is_turn_of`]) is always asked of the table.
//!
//! Owner death: one that is killed after it was called has not come, and the others wait on. Whoever sweeps it
//! settles for it, and all look by themselves after a slice (see `wait`).

use std::sync::atomic::{AtomicU64, Ordering};

use super::wait::{GaveUp, SLICE, sleep_on};
use crate::arena::guard::{Guard, Held};
use crate::arena::table::{self, Slot, Waiting};
use crate::sys::clock::{self, Deadline};

/// Nobody waits.
pub const NOBODY: u64 = 0;
/// Somebody waits.
pub const SOMEBODY: u64 = 1;
/// Somebody waits for so long that nobody may go before.
pub const HUNGRY: u64 = 2;

/// How long one may have to stand back, in nanoseconds.
const PATIENCE: u64 = 1_000_000;

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The operation.
    pub what: Waiting,
    /// The object's offset.
    pub object: u64,
}

impl Place {
    /// The slots of those who wait for it and are alive.
    pub fn waiting(self) -> impl Iterator<Item = &'static Slot> {
        table::used_slots().filter(move |slot| slot.waits_for(self.what, self.object) && slot.is_alive())
    }

    /// The one that came first.
    fn first(self) -> Option<&'static Slot> {
        self.waiting().min_by_key(order)
    }

    /// Calls up to `count` of those that were not called yet, first come first called; how many there were.
    /// [`Place::wake`] is to be called once the guard is released.
    pub fn call(self, count: u64) -> u64 {
        for called in 0..count {
            let uncalled = self.waiting().filter(|slot| !slot.turn.is_called());
            let Some(slot) = uncalled.min_by_key(order) else { return called };
            slot.turn.call();
        }
        count
    }

    /// Wakes those that were called. Not under the guard: they would run into it.
    pub fn wake(self) {
        self.waiting().filter(|slot| slot.turn.is_called()).for_each(|slot| slot.turn.wake());
    }
}

/// Earlier is less; of two that came at the same moment, one is.
fn order(slot: &&'static Slot) -> (u64, u32) {
    (slot.turn.since(), slot.id().index)
}

/// This process, while it waits.
pub struct Waiter(&'static Slot);

impl Waiter {
    /// Says in the process table that this process waits, and tells the object `detail`. Under the guard.
    /// `None` in a process that is not in the table: it waits without being called.
    pub fn enter(place: Place, detail: u64) -> Option<Self> {
        let slot = table::me()?;
        // First the turn: who looks at it has seen what the process waits for.
        slot.turn.begin(detail);
        slot.waits(place.what, place.object);
        Some(Self(slot))
    }

    /// Whether it was called. Under the guard.
    pub fn is_called(&self) -> bool {
        self.0.turn.is_called()
    }

    /// It does not wait any more. Under the guard.
    pub fn leave(self) {
        self.0.waits(Waiting::Nothing, 0);
    }

    /// Sleeps until it is called, a slice is over, or a signal comes. Not under the guard.
    ///
    /// # Errors
    /// [`GaveUp`] at the deadline or at Ctrl-C.
    pub fn sleep(&self, deadline: Deadline) -> Result<(), GaveUp> {
        let (word, uncalled) = self.0.turn.bed();
        sleep_on(word, uncalled, deadline)
    }
}

/// See the head of this file.
#[repr(C)]
pub struct Turns {
    state: AtomicU64,
}

/// What there is to take: the part of an object that [`Turns::take`] does not know.
pub trait Supply {
    /// Who took something knows this.
    type Taken;

    /// Takes what is wanted, if it is there.
    fn take(&self, held: &Held<'_>) -> Option<Self::Taken>;

    /// Calls those who are to come ([`Turns::settle`]); whether somebody was called.
    fn settle(&self, held: &Held<'_>) -> bool;
}

impl Turns {
    /// Nobody waits: for memory that becomes a new object.
    pub fn reset(&self) {
        self.state.store(NOBODY, Ordering::Relaxed);
    }

    /// What is known of those who wait.
    pub fn state(&self) -> u64 {
        self.state.load(Ordering::Relaxed)
    }

    /// Whether the one that waits as `waiter`, or has just come, may take what is there.
    fn is_turn_of(&self, waiter: Option<&Waiter>, place: Place) -> bool {
        if self.state() != HUNGRY {
            return true;
        }
        match (place.first(), waiter) {
            (Some(first), Some(waiter)) => std::ptr::eq(first, waiter.0),
            (first, _) => first.is_none(),
        }
    }

    /// Looks who waits, and calls them where there is something for `available` of them (invariant 2); whether
    /// somebody was called. Then [`Place::wake`] is to be called once the guard is released.
    pub fn settle(&self, place: Place, available: u64) -> bool {
        self.observe(place);
        self.call(place, available)
    }

    /// Looks who waits.
    pub fn observe(&self, place: Place) -> u64 {
        let state = place.first().map_or(NOBODY, |slot| {
            let waited = clock::monotonic_ns().saturating_sub(slot.turn.since());
            if waited < PATIENCE { SOMEBODY } else { HUNGRY }
        });
        self.state.store(state, Ordering::Relaxed);
        state
    }

    /// Calls `available` of those that wait, less those that are on their way.
    pub fn call(&self, place: Place, available: u64) -> bool {
        if self.state() == NOBODY || available == 0 {
            return false;
        }
        let on_their_way = place.waiting().filter(|slot| slot.turn.is_called()).count() as u64;
        place.call(available.saturating_sub(on_their_way)) > 0
    }

    /// Takes what `supply` has, in turn, waiting until the deadline.
    ///
    /// # Errors
    /// [`GaveUp`] at the deadline or at Ctrl-C.
    pub fn take<S: Supply>(
        &self,
        guard: &Guard,
        place: Place,
        deadline: Deadline,
        supply: &S,
    ) -> Result<S::Taken, GaveUp> {
        let mut waiter: Option<Waiter> = None;
        let mut outcome = None;
        loop {
            let held = guard.lock();
            if let Some(waiter) = &waiter {
                waiter.0.turn.again();
            }
            if self.is_turn_of(waiter.as_ref(), place)
                && let Some(taken) = supply.take(&held)
            {
                outcome = Some(Ok(taken));
            } else if outcome.is_none() && deadline.slice(SLICE).is_none() {
                outcome = Some(Err(GaveUp::TimedOut));
            }
            if outcome.is_some() {
                if let Some(waiter) = waiter.take() {
                    waiter.leave();
                }
            } else if waiter.is_none() {
                waiter = Waiter::enter(place, 0);
            }
            let called = (waiter.is_some() || self.state() != NOBODY) && supply.settle(&held);
            drop(held);
            if called {
                place.wake();
            }
            if let Some(outcome) = outcome {
                return outcome;
            }
            let slept = match &waiter {
                Some(waiter) => waiter.sleep(deadline),
                None => super::wait::sleep_on(&Default::default(), 0, deadline),
            };
            if slept == Err(GaveUp::Interrupted) {
                outcome = Some(Err(GaveUp::Interrupted));
            }
        }
    }
}
