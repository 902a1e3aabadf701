//! Counted references to shared objects.
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
//! 3. Inside a process a handle is an `Rc`; the table is touched for the first and the last only.
//! 4. A handle that a forked child has let go of stays in its memory and names no entry: nobody uses it.
//! 5. Beside each entry stands a *holding*: what the process has of the object, such as units of a
//!    semaphore, in a form that the object's kind knows; 0 is nothing. It changes under the object's guard,
//!    and only the process itself makes it other than 0. While it is, the entry stays.
//! 6. A dead process's entry is taken off only after its object's kind was told ([`on_death`]): until then
//!    the dead process's slot is nobody else's.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::blocks::{self, Block, OutOfMemory, Use};
use super::guard::{Guard, Held};
use super::hand::{self, Hand};
use super::hooks;
pub use super::hooks::{on_death, on_destroy};
use super::segment::{at, header, nowhere, pointer};
use super::table::{Slot, me};

/// What every shared object begins with.
#[repr(C)]
pub struct Object {
    /// The object's own guard; first, so that recycled blocks have it at the same place.
    pub guard: Guard,
    kind: AtomicU32,
    _reserved: AtomicU32,
    count: AtomicU64,
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
    let number = unsafe { object(offset) }.kind.load(Ordering::Relaxed);
    Kind::ALL.iter().copied().find(|kind| *kind as u32 == number)
}

/// A reference to a shared object, held by this process.
#[derive(Clone, Debug)]
pub struct Handle(Rc<Entry>);

#[derive(Debug)]
struct Entry {
    offset: u64,
    /// `None` once it was let go of.
    index: Cell<Option<usize>>,
}

/// This process's side of its handle table.
#[derive(Default)]
struct Local {
    known: HashMap<u64, Weak<Entry>>,
    /// Entries that no value of the script refers to, but that have a holding.
    kept: HashMap<u64, usize>,
    free: Vec<usize>,
    used: usize,
}

thread_local! {
    static LOCAL: RefCell<Local> = RefCell::default();
}

impl Handle {
    /// Makes an object of `size` bytes in all; `fill` initialises what follows the [`Object`], in memory
    /// that is not zeroed.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn create(kind: Kind, size: usize, fill: impl FnOnce(*mut u8)) -> Result<Self, OutOfMemory> {
        let block = Block::new(size as u64, Use::Object)?;
        let place = pointer(block.offset()).cast::<Object>();
        if block.is_fresh() {
            // SAFETY: fresh memory in this process's hand; a recycled object block has its guard
            // already, unlocked or left by a dead owner, and keeps it (see `blocks`, invariant 3).
            unsafe { Guard::init(&raw mut (*place).guard) };
        }
        // SAFETY: the guard is initialised, everything else is atomics; the block is ours.
        let object = unsafe { object(block.offset()) };
        object.kind.store(kind as u32, Ordering::Relaxed);
        object.count.store(0, Ordering::Relaxed);
        fill(place.cast());
        let index = free_entry()?;
        let offset = block.offset();
        {
            let held = header().handles_guard.lock();
            held.commit([(&object.count, 1), (entry(index), offset), (block.hand(), 0)]);
        }
        block.published();
        Ok(Self::remember(offset, index))
    }

    /// A handle on an object that this process can see alive, because a bundle, parcel or slot it holds
    /// counts it.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the handle table can't grow.
    pub fn acquire(offset: u64) -> Result<Self, OutOfMemory> {
        if let Some(entry) = LOCAL.with_borrow(|local| local.known.get(&offset).and_then(Weak::upgrade)) {
            return Ok(Self(entry));
        }
        if let Some(index) = LOCAL.with_borrow_mut(|local| local.kept.remove(&offset)) {
            return Ok(Self::remember(offset, index));
        }
        let index = free_entry()?;
        // SAFETY: alive by this function's contract.
        let object = unsafe { object(offset) };
        {
            let held = header().handles_guard.lock();
            let count = object.count.load(Ordering::Relaxed);
            held.commit([(&object.count, count + 1), (entry(index), offset)]);
        }
        Ok(Self::remember(offset, index))
    }

    fn remember(offset: u64, index: usize) -> Self {
        let entry = Rc::new(Entry { offset, index: Cell::new(Some(index)) });
        LOCAL.with_borrow_mut(|local| local.known.insert(offset, Rc::downgrade(&entry)));
        Self(entry)
    }

    /// Where the object is: what travels.
    pub fn offset(&self) -> u64 {
        self.0.offset
    }

    /// How many entries name the object now: those of processes, messages and parcels.
    pub fn count(&self) -> u64 {
        // SAFETY: this handle holds it.
        unsafe { object(self.0.offset) }.count.load(Ordering::Relaxed)
    }

    /// What this process has of the object (invariant 5).
    pub fn holding(&self) -> &'static AtomicU64 {
        self.0.index.get().map_or_else(nowhere, holding)
    }

    /// Whether this is the process's only reference to the object.
    pub fn is_last(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }

    /// The object as a `T`, which begins with an [`Object`].
    ///
    /// # Safety
    /// The object was created as a `T`.
    pub unsafe fn get<T: 'static>(&self) -> &T {
        // SAFETY: alive while this handle lives, a `T` by this function's contract.
        unsafe { at(self.0.offset) }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let Some(index) = self.index.get() else { return };
        let kept = me().is_some() && holding(index).load(Ordering::Relaxed) != 0;
        // At the very end of a process the thread-local may be gone: its sweeper does the rest.
        let known = LOCAL.try_with(|local| {
            local.try_borrow_mut().is_ok_and(|mut local| {
                local.known.remove(&self.offset);
                if kept {
                    local.kept.insert(self.offset, index);
                } else {
                    local.free.push(index);
                }
                !kept
            })
        });
        if known == Ok(true) {
            release(self.offset, entry(index));
        }
    }
}

/// An entry of this process's table that is free; the table grows if there is none.
fn free_entry() -> Result<usize, OutOfMemory> {
    let free = LOCAL.with_borrow_mut(|local| local.free.pop());
    if let Some(index) = free {
        return Ok(index);
    }
    let index = LOCAL.with_borrow(|local| local.used);
    let capacity = me().map_or(u64::MAX, |slot| slot.handles_capacity.load(Ordering::Relaxed));
    if index as u64 >= capacity {
        grow_table(capacity)?;
    }
    LOCAL.with_borrow_mut(|local| local.used += 1);
    Ok(index)
}

/// Bytes of an entry with its holding.
pub(super) const STRIDE: u64 = 16;

/// Entry `index` of this process's table; a process without a slot counts nowhere, and leaks.
fn entry(index: usize) -> &'static AtomicU64 {
    let Some(slot) = me() else { return nowhere() };
    // SAFETY: `free_entry` made the table larger than every index it gave out.
    unsafe { at(slot.handles.load(Ordering::Relaxed) + index as u64 * STRIDE) }
}

/// The holding beside entry `index` of this process's table.
fn holding(index: usize) -> &'static AtomicU64 {
    let Some(slot) = me() else { return nowhere() };
    // SAFETY: as above; a holding stands behind its entry.
    unsafe { at(slot.handles.load(Ordering::Relaxed) + index as u64 * STRIDE + 8) }
}

fn grow_table(capacity: u64) -> Result<(), OutOfMemory> {
    let Some(slot) = me() else { return Ok(()) };
    let mut block = Block::new((capacity * STRIDE * 2).max(240), Use::Bytes)?;
    block.bytes_mut().fill(0);
    let old = slot.handles.load(Ordering::Relaxed);
    for word in (0..capacity * STRIDE).step_by(8) {
        // SAFETY: both tables have at least `capacity` entries.
        let (from, to): (&AtomicU64, &AtomicU64) = unsafe { (at(old + word), at(block.offset() + word)) };
        to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
    }
    let hand = Hand::free();
    {
        let held = header().handles_guard.lock();
        held.commit([
            (&slot.handles, block.offset()),
            (&slot.handles_capacity, block.capacity() / STRIDE),
            (block.hand(), 0),
            (hand.word(), old),
        ]);
    }
    block.published();
    if old != 0 {
        blocks::free_from_hand(old, hand.word(), Use::Bytes);
    }
    hand.give_up();
    Ok(())
}

/// Whether this process holds an object of `kind`.
pub fn holds(kind: Kind) -> bool {
    LOCAL.with_borrow(|local| local.known.keys().any(|offset| kind_at(*offset) == Some(kind)))
}

/// Lets go of the objects of `kind` other than `kept`, for a process that was forked off and can't come to them.
pub fn keep_only(kind: Kind, kept: &HashSet<u64>) {
    let_go(|offset| kind_at(offset) == Some(kind) && !kept.contains(&offset));
}

/// Lets go of all objects other than `kept`, for a process that was forked off and has nothing else to do.
pub fn keep_these(kept: &HashSet<u64>) {
    let_go(|offset| !kept.contains(&offset));
}

fn let_go(unwanted: impl Fn(u64) -> bool) {
    let unwanted = LOCAL
        .with_borrow_mut(|local| local.known.extract_if(|offset, _| unwanted(*offset)).collect::<Vec<_>>());
    for (offset, known) in unwanted {
        if let Some(index) = known.upgrade().and_then(|entry| entry.index.take()) {
            release(offset, entry(index));
            LOCAL.with_borrow_mut(|local| local.free.push(index));
        }
    }
}

/// A child of a test has a table of its own, and none of what its parent's memory says of the parent's.
#[cfg(test)]
pub(super) fn forget_all() {
    LOCAL.take();
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
    let kind = unsafe { object(offset) }.kind.load(Ordering::Relaxed);
    if let Some(destructor) = hooks::destructor(kind) {
        destructor(offset);
    }
    blocks::free_from_hand(offset, word, Use::Object);
}

/// Takes all handles off the table of a slot whose process is dead. The caller holds the sweeper's guard.
pub(super) fn sweep_entries(slot: &Slot, _held: &Held<'_>) {
    let table = slot.handles.load(Ordering::Relaxed);
    for index in 0..slot.handles_capacity.load(Ordering::Relaxed) {
        // SAFETY: the table has that many entries, each with its holding.
        let (word, holding): (&AtomicU64, &AtomicU64) =
            unsafe { (at(table + index * STRIDE), at(table + index * STRIDE + 8)) };
        let offset = word.load(Ordering::Relaxed);
        if offset != 0 {
            // SAFETY: the dead process's entry counts it.
            let kind = unsafe { object(offset) }.kind.load(Ordering::Relaxed);
            if let Some(mourner) = hooks::mourner(kind) {
                mourner(offset, slot, holding);
            }
            release(offset, word);
        }
    }
    if table != 0 {
        let hand = Hand::free();
        {
            let held = header().handles_guard.lock();
            held.commit([(&slot.handles, 0), (&slot.handles_capacity, 0), (hand.word(), table)]);
        }
        blocks::free_from_hand(table, hand.word(), Use::Bytes);
        hand.give_up();
    }
}
