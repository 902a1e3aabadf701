//! Shared objects, which are counted.
//!
//! Every object begins with an [`Object`]: a guard, its kind and a count. The count is the number of
//! *entries* that name the object: one in the handle table of each process that holds it (however many
//! script values there refer to it), one in each bundle that travels, one for each slot's start parcel.
//!
//! Invariants
//! 1. Count and entry change in one commit under the handles' guard, so a killed process's references
//!    are exactly those in its table: its sweeper takes them off.
//! 2. When the count reaches 0 the object goes, in the same commit, into the hand of whoever did that,
//!    marked as dying; then its kind's destructor empties it and its block is freed. A sweeper finishes
//!    what a killed process began.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::blocks::{self, Use};
use super::guard::Guard;
use super::hand::{self, Hand};
use super::hooks;
use super::segment::{at, header};

/// What every shared object begins with.
#[repr(C)]
pub struct Object {
    /// The object's own guard; first, so that recycled blocks have it at the same place.
    pub guard: Guard,
    kind: AtomicU32,
    _reserved: AtomicU32,
    count: AtomicU64,
}

impl Object {
    /// It becomes an object of `kind` that nobody names yet.
    pub(super) fn begin(&self, kind: Kind) {
        self.kind.store(kind as u32, Ordering::Relaxed);
        self.count.store(0, Ordering::Relaxed);
    }

    /// How many entries name it.
    pub(super) fn count(&self) -> &AtomicU64 {
        &self.count
    }

    /// What kind of object it is, by its number.
    pub(super) fn number(&self) -> u32 {
        self.kind.load(Ordering::Relaxed)
    }
}

/// The kinds of objects. Each has a destructor, set by the file that defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    Parcel = 1,
    Queue = 2,
    Pool = 3,
    End = 4,
    Socket = 6,
    Lock = 8,
    RLock = 9,
    Semaphore = 10,
    Condition = 11,
    Event = 12,
    Barrier = 13,
    Block = 16,
    Named = 17,
    /// A parcel that says where a manager's object is.
    Proxy = 20,
}

impl Kind {
    const ALL: &[Self] = &[
        Self::Parcel,
        Self::Queue,
        Self::Pool,
        Self::End,
        Self::Socket,
        Self::Lock,
        Self::RLock,
        Self::Semaphore,
        Self::Condition,
        Self::Event,
        Self::Barrier,
        Self::Block,
        Self::Named,
        Self::Proxy,
    ];
}

/// The object at `offset`.
///
/// # Safety
/// An object lies there and somebody holds it.
pub unsafe fn object(offset: u64) -> &'static Object {
    // SAFETY: by this function's contract.
    unsafe { at(offset) }
}

/// What kind of object lies at `offset`, which somebody holds; `None` for a kind that this build has not.
pub fn kind_at(offset: u64) -> Option<Kind> {
    // SAFETY: by this function's contract: the caller has it from a message or parcel that counts it.
    let number = unsafe { object(offset) }.number();
    Kind::ALL.iter().copied().find(|kind| *kind as u32 == number)
}

/// Counts the object at `offset` once more, for the entry `word`, with further `changes`.
pub(super) fn count(offset: u64, word: &AtomicU64, change: (&AtomicU64, u64)) {
    // SAFETY: the caller holds the object.
    let object = unsafe { object(offset) };
    let held = header().handles_guard.lock();
    let count = object.count.load(Ordering::Relaxed);
    held.commit([(&object.count, count + 1), (word, offset), change]);
}

/// Takes the entry `word` off the object at `offset`, and destroys it if that was the last.
pub(super) fn release(offset: u64, word: &AtomicU64) {
    release_counted(offset, (word, 0));
}

/// Takes one count off the object at `offset` in one commit with `change`, which removes the entry, and
/// destroys the object if that was the last.
pub(super) fn release_counted(offset: u64, change: (&AtomicU64, u64)) {
    // SAFETY: the entry counts the object until the commit below.
    let object = unsafe { object(offset) };
    let hand = Hand::free();
    let held = header().handles_guard.lock();
    let count = object.count.load(Ordering::Relaxed);
    if count > 1 {
        held.commit([(&object.count, count - 1), change]);
        drop(held);
    } else {
        held.commit([(&object.count, 0), change, (hand.word(), offset | hand::DYING)]);
        drop(held);
        destroy(offset, hand.word());
    }
    hand.give_up();
}

/// Empties and frees an object whose count is 0, named by the hand `word` (invariant 2).
pub(super) fn destroy(offset: u64, word: &AtomicU64) {
    // SAFETY: nobody else has it any more.
    let kind = unsafe { object(offset) }.number();
    if let Some(destructor) = hooks::destructor(kind) {
        destructor(offset);
    }
    blocks::free_from_hand(offset, word, Use::Object);
}
