//! Cleaning up after the dead.
//!
//! Whoever notices that processes died may call [`sweep`]: it finishes their commits, frees what they had
//! in hand and takes their references off. Whoever is about to wait does, if nobody has ([`after_deaths`]).
//! Slots are freed by the creator that asked how the process ended ([`release`]), or by the sweeper where
//! nobody will ask.
//!
//! Invariants
//! 1. One sweeper at a time, under the sweeper's guard; a killed sweeper is swept like anybody else.
//! 2. Each step is one commit and leaves less to do, so a sweep can stop anywhere and be repeated.
//! 3. The dead process's commits are completed before its hands are looked at: otherwise a hand might
//!    name a block that a pending commit is about to publish.
//! 4. `swept` says how many deaths had been told before a sweep that is done: while it is not `deaths`
//!    somebody has to sweep. A sweeper that is killed adds a death.

use std::sync::atomic::{AtomicBool, Ordering};

use super::blocks::{self, Use};
use super::bundle;
use super::guard;
use super::hand;
use super::segment::{header, offset_of};
use super::table::{self, ENDED, ProcessId, RUNNING, Role, SPARE, STARTING, Slot, used_slots};
use super::{entries, object};

/// Cleans up if a process has died since that was done last: what it held may be what the caller waits for.
#[inline]
pub fn after_deaths() {
    let header = header();
    if header.deaths.load(Ordering::Acquire) != header.swept.load(Ordering::Relaxed) {
        sweep();
    } else {
        REAPED.store(false, Ordering::Relaxed);
    }
}

/// Whether this process has reaped one since it swept last: it may be busy, and the others wait for it to tell.
static REAPED: AtomicBool = AtomicBool::new(false);

/// This process has reaped another one. Only a store: runs in the handler of SIGCHLD.
pub(super) fn has_reaped() {
    REAPED.store(true, Ordering::Relaxed);
}

/// The byte that says that [`after_reaping`] has something to do, for code that cannot call it.
pub fn reaped_flag() -> *const u8 {
    REAPED.as_ptr().cast_const().cast()
}

/// Cleans up if this process has reaped one: to be called often by whoever computes and does not wait.
#[inline]
pub fn after_reaping() {
    if REAPED.load(Ordering::Relaxed) {
        after_deaths();
    }
}

/// Cleans up after every process that died.
#[cold]
pub fn sweep() {
    REAPED.store(false, Ordering::Relaxed);
    let header = header();
    let held = header.sweep_guard.lock();
    let deaths = header.deaths.load(Ordering::Acquire);
    for slot in used_slots() {
        match slot.state() {
            RUNNING | SPARE if !slot.is_alive() => empty(slot, &held),
            STARTING if slot.pid() == 0 && !slot.is_alive() => never_started(slot),
            _ => {}
        }
        if slot.state() == ENDED {
            empty(slot, &held);
            let orphan = slot.creator().and_then(ProcessId::slot).is_none_or(|creator| !creator.is_alive());
            let spare = matches!(slot.role(), Role::Server | Role::Spare | Role::Watcher);
            // Nobody asks how these ended, but the next server how the last one did.
            if (orphan || spare) && table::server() != Some(slot.id()) {
                let held = header.table_guard.lock();
                slot.set_free(&held);
            }
        }
    }
    header.swept.store(deaths, Ordering::Relaxed);
}

/// Its creator was killed between claiming the slot and starting the process.
fn never_started(slot: &Slot) {
    let held = header().table_guard.lock();
    if slot.state() == STARTING && slot.pid() == 0 && !slot.is_alive() {
        slot.presume_dead();
    }
    drop(held);
}

/// Cleans up after `id`, which has ended, and frees its slot. Does nothing if the slot is not `id`'s any more.
pub fn release(id: ProcessId) {
    let held = header().sweep_guard.lock();
    let Some(slot) = id.slot().filter(|slot| slot.state() == ENDED) else { return };
    empty(slot, &held);
    let table = header().table_guard.lock();
    slot.set_free(&table);
}

/// Gives back everything this process still holds: what a sweeper would do, but now. Only for a process
/// that is about to end and has dropped its handles.
pub fn myself() {
    if let Some(slot) = table::me() {
        let held = header().sweep_guard.lock();
        let start = slot.start.load(Ordering::Relaxed);
        if start != 0 {
            object::release(start, &slot.start);
        }
        entries::sweep_entries(slot, &held);
    }
}

fn empty(slot: &Slot, held: &guard::Held<'_>) {
    let sweeper = offset_of(&header().sweep_guard);
    for word in &slot.guards {
        let offset = word.load(Ordering::Relaxed);
        // The sweeper's own guard was repaired when it was locked.
        if offset != 0 && offset != sweeper {
            // SAFETY: noted by the dead process when it was about to lock it.
            unsafe { guard::repair(offset) };
        }
        word.store(0, Ordering::Relaxed);
    }
    for word in &slot.hands {
        let (offset, tag) = hand::split(word.load(Ordering::Relaxed));
        match (offset, tag) {
            (0, _) => {}
            (_, hand::BUNDLE) => bundle::release(offset, word),
            (_, hand::DYING) => object::destroy(offset, word),
            (_, hand::OBJECT) => blocks::free_from_hand(offset, word, Use::Object),
            _ => blocks::free_from_hand(offset, word, Use::Bytes),
        }
    }
    let start = slot.start.load(Ordering::Relaxed);
    if start != 0 {
        object::release(start, &slot.start);
    }
    entries::sweep_entries(slot, held);
}
