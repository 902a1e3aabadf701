//! The handle table of a process, in the segment: which objects it holds, and what it has of them.
//!
//! Invariants
//! 1. Beside each entry stands a *holding*: what the process has of the object, such as units of a
//!    semaphore, in a form that the object's kind knows; 0 is nothing. It changes under the object's guard,
//!    and only the process itself makes it other than 0. While it is, the entry stays.
//! 2. A dead process's entry is taken off only after its object's kind was told ([`hooks::on_death`]): until then
//!    the dead process's slot is nobody else's.

use std::sync::atomic::{AtomicU64, Ordering};

use super::blocks::{self, Block, OutOfMemory, Use};
use super::guard::Held;
use super::hand::Hand;
use super::hooks;
use super::object::{object, release};
use super::segment::{at, header, nowhere};
use super::table::{Slot, me};

/// Bytes of an entry with its holding.
pub(super) const STRIDE: u64 = 16;

/// Entry `index` of this process's table; a process without a slot counts nowhere, and leaks.
pub(super) fn entry(index: usize) -> &'static AtomicU64 {
    let Some(slot) = me() else { return nowhere() };
    // SAFETY: `make_room` made the table larger than every index that is used.
    unsafe { at(slot.handles.load(Ordering::Relaxed) + index as u64 * STRIDE) }
}

/// The holding beside entry `index` of this process's table.
pub(super) fn holding(index: usize) -> &'static AtomicU64 {
    let Some(slot) = me() else { return nowhere() };
    // SAFETY: as above; a holding stands behind its entry.
    unsafe { at(slot.handles.load(Ordering::Relaxed) + index as u64 * STRIDE + 8) }
}

/// Makes the table large enough for entry `index`, which is the next after all that were used.
///
/// # Errors
/// [`OutOfMemory`].
pub(super) fn make_room(index: usize) -> Result<(), OutOfMemory> {
    let Some(slot) = me() else { return Ok(()) };
    let capacity = slot.handles_capacity.load(Ordering::Relaxed);
    if (index as u64) < capacity {
        return Ok(());
    }
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
            let kind = unsafe { object(offset) }.number();
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
