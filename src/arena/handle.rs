//! Counted references to shared objects, as a process has them.
//!
//! Invariants
//! 1. Inside a process a handle is an `Rc`; the table of entries is touched for the first and the last only.
//! 2. A handle that a forked child has let go of stays in its memory and names no entry: nobody uses it.
//! 3. An entry with a holding stays (see `entries`), also when no value of the script refers to it.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};

use super::blocks::{Block, OutOfMemory, Use};
use super::entries::{self, entry, holding};
use super::guard::Guard;
pub use super::hooks::{on_death, on_destroy};
pub use super::object::{Kind, Object, kind_at};
use super::object::{object, release};
use super::segment::{at, header, nowhere, pointer};
use super::table::me;

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
        object.begin(kind);
        fill(place.cast());
        let index = free_entry()?;
        let offset = block.offset();
        {
            let held = header().handles_guard.lock();
            held.commit([(object.count(), 1), (entry(index), offset), (block.hand(), 0)]);
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
            let count = object.count().load(Ordering::Relaxed);
            held.commit([(object.count(), count + 1), (entry(index), offset)]);
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
        unsafe { object(self.0.offset) }.count().load(Ordering::Relaxed)
    }

    /// What this process has of the object (see `entries`).
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
    entries::make_room(index)?;
    LOCAL.with_borrow_mut(|local| local.used += 1);
    Ok(index)
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
