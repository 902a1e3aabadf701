//! References that travel: the handles inside a message, counted while nobody has received them.
//!
//! A bundle is a block: the number of references, then their offsets. Each is counted in the object it
//! names (see `handle`).
//!
//! Invariants
//! 1. The number grows in the same commit that counts the object; it shrinks in the one that takes the
//!    count off. So a bundle in a dead hand says exactly what has to be released.
//! 2. While in a hand, a bundle's word is marked [`hand::BUNDLE`] from its first entry on.

use std::sync::atomic::{AtomicU64, Ordering};

use super::blocks::{self, Block, OutOfMemory, Use};
use super::hand::{self, Hand};
use super::object;
use super::segment::at;

/// References in this process's hand. Dropping it releases them.
pub struct Bundle {
    offset: u64,
    hand: Hand,
}

fn length(offset: u64) -> &'static AtomicU64 {
    // SAFETY: a bundle begins with its length.
    unsafe { at(offset) }
}

fn entry(offset: u64, index: u64) -> &'static AtomicU64 {
    // SAFETY: the caller stays below the capacity that the bundle was made with.
    unsafe { at(offset + 8 + index * 8) }
}

impl Bundle {
    /// Counts the objects at `offsets`, which this process holds.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(offsets: &[u64]) -> Result<Self, OutOfMemory> {
        let block = Block::new(8 + 8 * offsets.len() as u64, Use::Bytes)?;
        let offset = block.offset();
        length(offset).store(0, Ordering::Relaxed);
        let hand = Hand::free();
        // The block changes from plain bytes into a bundle: one word of one hand.
        {
            let held = super::segment::header().handles_guard.lock();
            held.commit([(block.hand(), 0), (hand.word(), offset | hand::BUNDLE)]);
        }
        block.published();
        let bundle = Self { offset, hand };
        for (index, object) in offsets.iter().enumerate() {
            object::count(*object, entry(offset, index as u64), (length(offset), index as u64 + 1));
        }
        Ok(bundle)
    }

    /// The published bundle at `offset`, which a commit has just put into `hand` as a bundle.
    pub fn in_hand(offset: u64, hand: Hand) -> Self {
        Self { offset, hand }
    }

    /// Where it is.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The offsets of the objects in it.
    pub fn objects(&self) -> Vec<u64> {
        objects(self.offset)
    }

    /// The word of this process that names it, to be 0 in the commit that publishes it.
    pub fn hand(&self) -> &'static AtomicU64 {
        self.hand.word()
    }

    /// The bundle has been published.
    pub fn published(self) {
        self.hand.give_up();
        std::mem::forget(self);
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        release(self.offset, self.hand.word());
        self.hand.give_up();
    }
}

/// The offsets of the objects in the bundle at `offset`, which somebody holds.
pub fn objects(offset: u64) -> Vec<u64> {
    let count = length(offset).load(Ordering::Relaxed);
    (0..count).map(|index| entry(offset, index).load(Ordering::Relaxed)).collect()
}

/// Releases what the bundle at `offset` counts, last first, and frees it; the hand `word` names it.
pub(super) fn release(offset: u64, word: &AtomicU64) {
    loop {
        let count = length(offset).load(Ordering::Relaxed);
        let Some(last) = count.checked_sub(1) else { break };
        let object = entry(offset, last).load(Ordering::Relaxed);
        object::release_counted(object, (length(offset), last));
    }
    blocks::free_from_hand(offset, word, Use::Bytes);
}
