//! What a process holds between taking it and giving it away.
//!
//! A slot has a few *hands*. A hand names one block (or a bundle, or an object that is being destroyed)
//! that exists nowhere else, so that whoever sweeps a killed process can put it back. The low bits of
//! the offset say which.
//!
//! Invariants
//! 1. A hand changes from empty to full, and back, only in the commit that moves the thing itself.
//! 2. Only the process of the slot, or its sweeper once it is dead, changes a hand.
//! 3. A process without a slot, or with all hands full, uses a word that nobody reads: if it is killed
//!    in that moment the block is lost until the session ends. That is memory, never a double free.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::segment::nowhere;
use super::table::{HANDS, me};

/// Plain bytes.
pub const BYTES: u64 = 0;
/// A bundle of references (see `bundle`).
pub const BUNDLE: u64 = 1;
/// An object whose last reference is gone.
pub const DYING: u64 = 2;
/// The block of an object that is not published yet.
pub const OBJECT: u64 = 3;
const TAG: u64 = 15;

/// Which hands of this process are taken, as a bit set (one thread: plain reads and writes).
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// One hand of this process.
pub struct Hand {
    index: usize,
}

impl Hand {
    /// Takes a hand that is free. The word stays empty until a commit fills it.
    pub fn free() -> Self {
        let taken = TAKEN.load(Ordering::Relaxed);
        let index = taken.trailing_ones() as usize;
        if index < HANDS && me().is_some() {
            TAKEN.store(taken | 1 << index, Ordering::Relaxed);
            Self { index }
        } else {
            Self { index: HANDS }
        }
    }

    /// The word to be changed in a commit.
    pub fn word(&self) -> &'static AtomicU64 {
        me().and_then(|slot| slot.hands.get(self.index)).unwrap_or(nowhere())
    }

    /// The hand is empty again.
    pub fn give_up(&self) {
        if self.index < HANDS {
            let taken = TAKEN.load(Ordering::Relaxed);
            TAKEN.store(taken & !(1 << self.index), Ordering::Relaxed);
        }
    }
}

/// What a hand's word says: the offset and the tag.
pub fn split(word: u64) -> (u64, u64) {
    (word & !TAG, word & TAG)
}

/// All hands are empty: after a fork the child has none of its parent's blocks.
pub(super) fn forget_all() {
    TAKEN.store(0, Ordering::Relaxed);
}
