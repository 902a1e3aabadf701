//! The word of a lock: who holds it, since which line of its script, and whether that is all there is to know.
//!
//! ```text
//! | generation: 32 | line: 18 | index: 12 | ABANDONED | CONTENDED |
//! ```
//!
//! | word | means | who may change it |
//! |---|---|---|
//! | 0 | free | anybody, by one exchange |
//! | owner | held, nobody waits | whoever releases it, by one exchange |
//! | owner, CONTENDED | held, somebody may wait | who holds the guard |
//! | CONTENDED | free, for the one that waits first | who holds the guard |
//! | owner, ABANDONED | held by one that is dead, or about to end | who holds the guard |
//!
//! The functions here only compute: what they say is done by an exchange of one word for another, so a process
//! that is killed has done all of it or nothing.

use crate::arena::table::{ProcessId, SLOTS};

const CONTENDED: u64 = 1;
const ABANDONED: u64 = 2;
const FLAGS: u64 = CONTENDED | ABANDONED;
const INDEX: u32 = 2;
const LINE: u32 = 14;
const GENERATION: u32 = 32;
const _: () = assert!(SLOTS <= 1 << (LINE - INDEX));

/// The last line that can be told from others.
const LAST_LINE: u32 = (1 << (GENERATION - LINE)) - 1;

/// See the head of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Word(pub u64);

impl Word {
    /// Nobody holds it and nobody waits.
    pub const FREE: Self = Self(0);

    /// Held by `owner` since `line`.
    #[inline]
    pub fn held(owner: ProcessId, line: u32) -> Self {
        Self(
            u64::from(owner.generation) << GENERATION
                | u64::from(line.min(LAST_LINE)) << LINE
                | u64::from(owner.index) << INDEX,
        )
    }

    /// Who holds it; a generation is never 0.
    #[inline]
    pub fn owner(self) -> Option<ProcessId> {
        let generation = (self.0 >> GENERATION) as u32;
        let index = (self.0 >> INDEX) as u32 & ((1 << (LINE - INDEX)) - 1);
        (generation != 0).then_some(ProcessId { index, generation })
    }

    /// The line since which it is held; 0 is unknown.
    pub fn line(self) -> u32 {
        (self.0 >> LINE) as u32 & LAST_LINE
    }

    /// Whether its owner is known to be dead.
    pub fn is_abandoned(self) -> bool {
        self.0 & ABANDONED != 0
    }

    /// Whether it can be released by one exchange.
    #[inline]
    pub fn is_plain(self) -> bool {
        self.0 & FLAGS == 0
    }

    /// What it becomes when `taker`, a word that [`Word::held`] made, gets it; `None` if somebody holds it. Who
    /// gets what a dead process held takes it over from that one.
    pub fn taken(self, taker: Self, owner_is_dead: bool) -> Option<Self> {
        match self.owner() {
            Some(_) if !owner_is_dead && !self.is_abandoned() => None,
            _ => Some(Self(taker.0 | self.0 & CONTENDED)),
        }
    }

    /// What it becomes when it is released under the guard; `None` if nobody holds it. It stays closed to those
    /// who don't ask for the guard until somebody has settled.
    pub fn released(self) -> Option<Self> {
        self.owner().map(|_| Self(CONTENDED))
    }

    /// What it becomes when its owner is found dead.
    pub fn abandoned(self) -> Self {
        Self(self.0 | ABANDONED)
    }

    /// What it becomes when somebody has looked who waits: a lock that is held is to be released under the guard
    /// if `somebody` does, one that is free is to be taken under the guard if that one is `hungry`.
    pub fn settled(self, somebody: bool, hungry: bool) -> Self {
        let contended = if self.owner().is_some() { somebody } else { hungry };
        Self(self.0 & !CONTENDED | if contended { CONTENDED } else { 0 })
    }

    /// Whether there is something to take for one who waits.
    pub fn is_available(self) -> bool {
        self.owner().is_none() || self.is_abandoned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_who_and_since_which_line() {
        let owner = ProcessId { index: 4095, generation: u32::MAX };
        for (line, shown) in [(0, 0), (77, 77), (1 << 18, LAST_LINE)] {
            let word = Word::held(owner, line);
            assert_eq!((word.owner(), word.line(), word.is_plain()), (Some(owner), shown, true));
            let settled = word.abandoned().settled(true, false);
            assert_eq!((settled.owner(), settled.line(), settled.is_plain()), (Some(owner), shown, false));
        }
        assert_eq!((Word::FREE.owner(), Word::FREE.is_plain()), (None, true));
    }

    #[test]
    fn what_somebody_holds_is_not_taken() {
        let (one, other) = (ProcessId { index: 0, generation: 1 }, ProcessId { index: 1, generation: 1 });
        let taker = Word::held(other, 5);
        let held = Word::held(one, 3);
        assert_eq!(held.taken(taker, false), None);
        assert_eq!(held.taken(taker, true), Some(taker));
        assert_eq!(held.abandoned().taken(taker, false), Some(taker));
        assert_eq!(Word::FREE.taken(taker, false), Some(taker));
        assert_eq!(Word::FREE.released(), None);
        assert_eq!(held.settled(true, true).released(), Some(Word::FREE.settled(true, true)));
        assert_eq!(Word::FREE.settled(true, false), Word::FREE, "whoever comes first may have it");
    }
}
