//! Where one end of a channel is, and how many messages went through it: one word, so that both change in one store.
//!
//! ```text
//! messages:40 | place in the chunk, in bytes:24
//! ```
//!
//! Invariants
//! 1. Counts go round after 2^40, so only differences mean something; no channel holds nearly as many messages.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::chunk::{LATER, START};

const BITS: u32 = 24;
const COUNTS: u64 = u64::MAX >> BITS;
const _: () = assert!(LATER < 1 << BITS, "a place in a chunk has room in a cursor");

/// See the head of this file. It changes in commits, by its word.
#[repr(transparent)]
pub(super) struct Cursor(AtomicU64);

/// What a cursor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The place in the chunk, in bytes.
    pub at: u64,
    /// Messages so far.
    pub count: u64,
}

impl Cursor {
    /// The start of the first chunk: for memory that becomes a new object.
    pub fn reset(&self) {
        self.0.store(START, Ordering::Relaxed);
    }

    /// Under the guard, or where an old one does as well.
    pub fn load(&self) -> Position {
        let word = self.0.load(Ordering::Acquire);
        Position { at: word & ((1 << BITS) - 1), count: word >> BITS }
    }

    /// The change that brings it to `position`.
    pub fn to(&self, position: Position) -> (&AtomicU64, u64) {
        (&self.0, position.count << BITS | position.at)
    }
}

impl Position {
    /// A message further, at `at`.
    pub const fn next(self, at: u64) -> Self {
        Self { at, count: (self.count + 1) & COUNTS }
    }
}

/// How many messages lie between two counts.
pub(super) const fn between(earlier: u64, later: u64) -> u64 {
    later.wrapping_sub(earlier) & COUNTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_round() {
        let cursor = Cursor(AtomicU64::new(0));
        let last = Position { at: 240, count: COUNTS };
        let (word, value) = cursor.to(last);
        word.store(value, Ordering::Relaxed);
        assert_eq!(cursor.load(), last);
        let (word, value) = cursor.to(last.next(264));
        word.store(value, Ordering::Relaxed);
        assert_eq!(cursor.load(), Position { at: 264, count: 0 });
        assert_eq!(between(last.count, cursor.load().count), 1);
        assert_eq!(between(3, 5), 2);
        assert_eq!(between(5, 5), 0);
    }
}
