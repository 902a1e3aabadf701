//! A barrier: so many processes wait for each other, then all go on.
//!
//! ```text
//! FILLING --the last party comes--> ACTING --its action is done--> FILLING, the next round
//!     |  \----------- the last party comes, there is no action --------^        ^
//!     |                                |                                        |
//!     \--abort, or a time-out--> BROKEN <--the action failed, its process died  |
//!                                   \-------------reset-------------------------/
//! ```
//!
//! Who waits is in the process table, with the round and a number of its own below the number of parties. So there
//! is no count that could be wrong: one that was killed is not there.
//!
//! Invariants
//! 1. `state`, round and phase in one word, and `history` change in one commit. Who waited in a round that is over
//!    goes on; `history` says whether that round was completed, for the last 64 rounds.
//! 2. Numbers of those who wait in a round differ: who comes takes the least that no living party has.
//! 3. A round is completed by the one whose coming makes as many as there are parties, itself included.
//! 4. While ACTING, `actor` names the process that runs the action; if that is dead, whoever looks breaks the
//!    barrier.
//! 5. The barrier counts its action, a parcel, in a bundle that never changes.
//!
//! Owner death: one that waits and is killed leaves its place to another one. For the one that acts, see
//! invariant 4; its sweeper looks too.

use std::sync::atomic::{AtomicU64, Ordering};

use super::turns::{Place, Waiter};
use super::wait::{GaveUp, Ticket, WaitPoint};
use crate::arena::blocks::OutOfMemory;
use crate::arena::bundle::{self, Bundle};
use crate::arena::guard::Held;
use crate::arena::hand::{self, Hand};
use crate::arena::handle::{Handle, Kind, Object, on_death, on_destroy};
use crate::arena::parcel::Parcel;
use crate::arena::segment::at;
use crate::arena::table::{self, ProcessId, SLOTS, Slot, Waiting};
use crate::sys::clock::Deadline;

const FILLING: u64 = 0;
const ACTING: u64 = 1;
const BROKEN: u64 = 2;

/// Bits of a phase, and of a party's number.
const PHASE: u32 = 2;
const NUMBER: u32 = 12;
const _: () = assert!(SLOTS <= 1 << NUMBER);

/// Rounds that `history` knows of.
const ROUNDS: u64 = 64;

#[repr(C)]
struct Layout {
    object: Object,
    /// The action, or 0.
    bundle: AtomicU64,
    parties: AtomicU64,
    /// The time-out in seconds where a party names none, as the bits of a float; NaN is none.
    patience: AtomicU64,
    state: AtomicU64,
    /// A bit for each round, by its number modulo 64: it was reset, and not completed.
    history: AtomicU64,
    actor: AtomicU64,
    point: WaitPoint,
}

/// See the head of this file. A clone is the same barrier.
#[derive(Clone, Debug)]
pub struct Barrier(Handle);

/// Why a party does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The barrier is broken, or was reset.
    #[error("the barrier is broken")]
    Broken,
    /// Ctrl-C; the party's place is free again.
    #[error("interrupted")]
    Interrupted,
}

/// What a party that has come is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Go on, as the party of that number.
    Passed(u64),
    /// Run the action, then say how it went ([`Barrier::acted`]).
    Act(Acting),
}

/// The last party of a round, before or while it runs the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acting {
    round: u64,
    number: u64,
}

/// Registers what happens at the end of a barrier and of a party; called once by every process.
pub fn register() {
    on_death(Kind::Barrier, forsaken);
    on_destroy(Kind::Barrier, destroy);
}

fn layout(offset: u64) -> &'static Layout {
    // SAFETY: only called with offsets of barriers that somebody holds.
    unsafe { at(offset) }
}

/// The parties that wait, with the numbers that they have in `round`.
fn waiting_in(object: u64, round: u64) -> impl Iterator<Item = u64> {
    let place = Place { what: Waiting::Barrier, object };
    let details = place.waiting().map(|slot| slot.turn.detail());
    details.filter(move |detail| detail >> NUMBER == round).map(|detail| detail & ((1 << NUMBER) - 1))
}

impl Layout {
    fn read(&self) -> (u64, u64) {
        let state = self.state.load(Ordering::Acquire);
        (state >> PHASE, state & ((1 << PHASE) - 1))
    }

    /// The state becomes this, and all look. The guard is released on the way.
    fn change(&self, held: Held<'_>, round: u64, phase: u64, was_reset: Option<bool>) {
        let history = self.history.load(Ordering::Relaxed);
        let bit = 1 << (round.wrapping_sub(1) % ROUNDS);
        let history = match was_reset {
            Some(true) => history | bit,
            Some(false) => history & !bit,
            None => history,
        };
        held.commit([(&self.state, round << PHASE | phase), (&self.history, history)]);
        let wakeup = self.point.changed_for_all();
        drop(held);
        wakeup.send();
    }

    /// Breaks the barrier in `round`.
    fn break_it(&self, held: Held<'_>, round: u64) {
        self.change(held, round, BROKEN, None);
    }

    /// Whether the process that runs the action is dead.
    fn actor_is_dead(&self) -> bool {
        let actor = ProcessId::unpack(self.actor.load(Ordering::Relaxed));
        !actor.slot().is_some_and(Slot::is_alive)
    }
}

impl Barrier {
    /// Makes a barrier for `parties`, which is at least 1. `patience` is the time-out, in seconds, of those who name
    /// none.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(parties: u64, action: Option<&Parcel>, patience: Option<f64>) -> Result<Self, OutOfMemory> {
        let handle = Handle::create(Kind::Barrier, size_of::<Layout>(), |place| {
            // SAFETY: memory of that size in this process's hand; the fields are atomics.
            let layout: &Layout = unsafe { &*place.cast() };
            for word in [&layout.bundle, &layout.state, &layout.history, &layout.actor] {
                word.store(0, Ordering::Relaxed);
            }
            layout.parties.store(parties, Ordering::Relaxed);
            layout.patience.store(patience.unwrap_or(f64::NAN).to_bits(), Ordering::Relaxed);
            layout.point.reset();
        })?;
        if let Some(action) = action {
            let layout = layout(handle.offset());
            let bundle = Bundle::new(&[action.offset()])?;
            layout.object.guard.lock().commit([(&layout.bundle, bundle.offset()), (bundle.hand(), 0)]);
            bundle.published();
        }
        Ok(Self(handle))
    }

    /// The barrier at `offset`, which somebody holds a reference to while this is called.
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

    /// What the last party of each round is to run.
    ///
    /// # Errors
    /// [`OutOfMemory`] if this process's handle table can't grow.
    pub fn action(&self) -> Result<Option<Parcel>, OutOfMemory> {
        let bundle = self.layout().bundle.load(Ordering::Acquire);
        let action = (bundle != 0).then(|| bundle::objects(bundle).first().copied()).flatten();
        action.map(Parcel::open).transpose()
    }

    /// How many wait for each other.
    pub fn parties(&self) -> u64 {
        self.layout().parties.load(Ordering::Relaxed)
    }

    /// The time-out of those who name none.
    pub fn patience(&self) -> Option<f64> {
        Some(f64::from_bits(self.layout().patience.load(Ordering::Relaxed))).filter(|bits| !bits.is_nan())
    }

    /// How many wait now.
    pub fn waiting(&self) -> usize {
        match self.layout().read() {
            (round, FILLING) => waiting_in(self.offset(), round).count(),
            _ => 0,
        }
    }

    /// Whether it is broken.
    pub fn is_broken(&self) -> bool {
        self.layout().read().1 == BROKEN
    }

    /// Breaks it: those who wait, and those who come, are told.
    pub fn abort(&self) {
        let layout = self.layout();
        let held = layout.object.guard.lock();
        layout.break_it(held, layout.read().0);
    }

    /// Makes it as it was at first; those who wait are told that it was broken.
    pub fn reset(&self) {
        let layout = self.layout();
        let held = layout.object.guard.lock();
        let (round, phase) = layout.read();
        if phase != FILLING || waiting_in(self.offset(), round).next().is_some() {
            layout.change(held, round + 1, FILLING, Some(true));
        }
    }

    /// Comes, and waits for the others until the deadline: then the barrier is broken.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn wait(&self, deadline: Deadline) -> Result<Arrival, Stopped> {
        let layout = self.layout();
        loop {
            let held = layout.object.guard.lock();
            match layout.read() {
                (_, BROKEN) => return Err(Stopped::Broken),
                (round, ACTING) if layout.actor_is_dead() => layout.break_it(held, round),
                // More have come than there are parties: this one is of the next round.
                (_, ACTING) => {
                    let ticket = layout.point.enter();
                    drop(held);
                    self.sleep(ticket, Deadline::Never).map_err(|_| Stopped::Interrupted)?;
                }
                (round, _) => return self.join(held, round, deadline),
            }
        }
    }

    /// Comes in `round`, under the guard.
    fn join(&self, held: Held<'_>, round: u64, deadline: Deadline) -> Result<Arrival, Stopped> {
        let layout = self.layout();
        let mut taken = [0_u64; (1 << NUMBER) / 64];
        let mut here = 0;
        for number in waiting_in(self.offset(), round) {
            here += 1;
            if let Some(word) = taken.get_mut(number as usize / 64) {
                *word |= 1 << (number % 64);
            }
        }
        let free = taken.iter().zip(0..).find(|(word, _)| **word != u64::MAX);
        let number = free.map_or(0, |(word, index)| index * 64 + u64::from(word.trailing_ones()));
        if here + 1 < self.parties() {
            let place = Place { what: Waiting::Barrier, object: self.offset() };
            let waiter = Waiter::enter(place, round << NUMBER | number);
            return self.wait_for_others(held, waiter, round, deadline).map(|()| Arrival::Passed(number));
        }
        if layout.bundle.load(Ordering::Relaxed) == 0 {
            layout.change(held, round + 1, FILLING, Some(false));
            return Ok(Arrival::Passed(number));
        }
        // One word after the other: whoever sees ACTING has seen who acts.
        held.commit([(&layout.actor, table::my_id().map_or(0, ProcessId::pack))]);
        layout.change(held, round, ACTING, None);
        Ok(Arrival::Act(Acting { round, number }))
    }

    /// Sleeps until the round is over, or broken.
    fn wait_for_others(
        &self,
        mut held: Held<'_>,
        waiter: Option<Waiter>,
        round: u64,
        deadline: Deadline,
    ) -> Result<(), Stopped> {
        let layout = self.layout();
        let mut slept = Ok(());
        let outcome = loop {
            let acting = match layout.read() {
                (now, _) if now != round => {
                    let was_reset = layout.history.load(Ordering::Relaxed) >> (round % ROUNDS) & 1 != 0;
                    break if was_reset { Err(Stopped::Broken) } else { Ok(()) };
                }
                (_, BROKEN) => break Err(Stopped::Broken),
                (_, phase) => phase == ACTING,
            };
            if acting && layout.actor_is_dead() {
                layout.break_it(held, round);
                held = layout.object.guard.lock();
                break Err(Stopped::Broken);
            }
            match slept {
                // All are here: what is to come is the action's end.
                Err(GaveUp::TimedOut) if !acting => {
                    layout.break_it(held, round);
                    held = layout.object.guard.lock();
                    break Err(Stopped::Broken);
                }
                Err(GaveUp::Interrupted) => break Err(Stopped::Interrupted),
                _ => {}
            }
            let ticket = layout.point.enter();
            drop(held);
            slept = layout.point.sleep(ticket, if acting { Deadline::Never } else { deadline });
            held = layout.object.guard.lock();
        };
        if let Some(waiter) = waiter {
            waiter.leave();
        }
        drop(held);
        outcome
    }

    fn sleep(&self, ticket: Ticket, deadline: Deadline) -> Result<(), GaveUp> {
        table::waiting_for(Waiting::Barrier, 0, || self.layout().point.sleep(ticket, deadline))
    }

    /// The action has run, well or not; the number of the party that ran it.
    ///
    /// # Errors
    /// [`Stopped::Broken`] if it did not run well, or the barrier was broken or reset meanwhile.
    pub fn acted(&self, acting: Acting, well: bool) -> Result<u64, Stopped> {
        let layout = self.layout();
        let held = layout.object.guard.lock();
        if layout.read() != (acting.round, ACTING) {
            return Err(Stopped::Broken);
        }
        if well {
            layout.change(held, acting.round + 1, FILLING, Some(false));
            return Ok(acting.number);
        }
        layout.break_it(held, acting.round);
        Err(Stopped::Broken)
    }
}

/// The process of `slot` is dead, or about to end: if it was to run the action, the barrier is broken.
fn forsaken(offset: u64, slot: &Slot, _: &AtomicU64) {
    let layout = layout(offset);
    let held = layout.object.guard.lock();
    let (round, phase) = layout.read();
    if phase == ACTING && layout.actor.load(Ordering::Relaxed) == slot.id().pack() {
        layout.break_it(held, round);
    }
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
