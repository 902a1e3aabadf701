//! The allocator: blocks by size class, kept warm, given back to the system above a watermark.
//!
//! ```text
//! never used --top--> in hand --publish--> held by the segment's structures --free--> free list (warm or cold)
//!                        ^------------------------- take ------------------------------|
//! ```
//!
//! Invariants
//! 1. A block has a head of 16 bytes (class, next in its list) and is named by the offset behind it.
//!    The class never changes. There is no splitting or joining: addresses are plentiful (a terabyte),
//!    and pages that nobody needs go back to the system.
//! 2. A block is at any moment in exactly one place: never used, in a list, in a process's hand, or
//!    published. Each move is one commit, so a killed process neither loses a block nor frees it twice.
//! 3. Blocks of objects (which begin with a guard) are recycled as objects only.
//! 4. Blocks of [`PUNCHED`] bytes or more count as warm while they are free; what would exceed
//!    [`WATERMARK`] is punched out of the file and goes to the cold list instead.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::hand::{self, Hand};
use super::segment::{at, header, memory, pointer};
use super::size::{class_of, class_size};
use crate::sys::memory::page_size;

const HEAD: u64 = 16;
/// Free bytes that stay warm.
const WATERMARK: u64 = 192 << 20;
/// From this size on a free block is worth counting and punching.
const PUNCHED: u64 = 64 << 10;
/// The file grows by at least this much.
const GROWTH: u64 = 1 << 20;

/// There is no more memory: the session's limit, or the system's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no shared memory left for {wanted} bytes: {used} of the session's {limit} bytes are in use")]
pub struct OutOfMemory {
    /// What was asked for.
    pub wanted: u64,
    /// What all blocks take now.
    pub used: u64,
    /// What they may take.
    pub limit: u64,
}

#[repr(C)]
struct Head {
    class: AtomicU32,
    _reserved: AtomicU32,
    next: AtomicU64,
}

fn head(offset: u64) -> &'static Head {
    // SAFETY: every block has a head before it (invariant 1).
    unsafe { at(offset - HEAD) }
}

/// What a block is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Plain bytes, not zeroed.
    Bytes,
    /// An object that begins with a guard (see `handle`).
    Object,
}

/// A block in this process's hand: nobody else knows it. Dropping it frees it.
pub struct Block {
    offset: u64,
    hand: Hand,
    usage: Use,
    fresh: bool,
    /// Its pages are not there: they never were, or were given back.
    cold: bool,
}

impl Block {
    /// Takes a block of at least `size` bytes.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(size: u64, usage: Use) -> Result<Self, OutOfMemory> {
        let header = header();
        let used = header.used.load(Ordering::Relaxed);
        let limit = header.limit.load(Ordering::Relaxed);
        let refused = OutOfMemory { wanted: size, used, limit };
        let class = size.checked_add(HEAD).and_then(class_of).ok_or(refused)?;
        let bytes = class_size(class);
        let hand = Hand::free();
        let tag = if usage == Use::Object { hand::OBJECT } else { hand::BYTES };
        let held = header.blocks_guard.lock();
        let used = header.used.load(Ordering::Relaxed) + bytes;
        if used > limit {
            return Err(refused);
        }
        let lists: &[_] = match usage {
            Use::Object => &[&header.objects],
            Use::Bytes => &[&header.free, &header.cold],
        };
        for (index, list) in lists.iter().enumerate() {
            let offset = list[class].load(Ordering::Relaxed);
            if offset == 0 {
                continue;
            }
            let next = head(offset).next.load(Ordering::Relaxed);
            let warm = header.warm.load(Ordering::Relaxed);
            let warm =
                if index == 0 && usage == Use::Bytes && bytes >= PUNCHED { warm - bytes } else { warm };
            held.commit([
                (&list[class], next),
                (&header.used, used),
                (&header.warm, warm),
                (hand.word(), offset | tag),
            ]);
            return Ok(Self { offset, hand, usage, fresh: false, cold: index == 1 });
        }
        let start = header.top.load(Ordering::Relaxed);
        let end = start + bytes;
        let size = header.size.load(Ordering::Relaxed);
        if end > size {
            let grown = (end.max(size + (size / 8).clamp(GROWTH, 64 * GROWTH))).next_multiple_of(GROWTH);
            let grown = grown.min(memory().reserve() as u64);
            if end > grown || memory().grow(grown as usize).is_err() {
                return Err(refused);
            }
            held.commit([(&header.size, grown)]);
        }
        let offset = start + HEAD;
        head(offset).class.store(class as u32, Ordering::Relaxed);
        held.commit([(&header.top, end), (&header.used, used), (hand.word(), offset | tag)]);
        Ok(Self { offset, hand, usage, fresh: true, cold: true })
    }

    /// The published block at `offset`, which a commit has just put into `hand` as plain bytes.
    pub fn in_hand(offset: u64, hand: Hand) -> Self {
        Self { offset, hand, usage: Use::Bytes, fresh: false, cold: false }
    }

    /// Where it is.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes it has room for.
    pub fn capacity(&self) -> u64 {
        capacity(self.offset)
    }

    /// Whether its memory was never used before (and is zero).
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Puts `bytes` at `position`, as far as there is room for them.
    pub fn write(&mut self, position: usize, bytes: &[u8]) {
        let cold = self.cold && bytes.len() as u64 >= PUNCHED;
        let offset = self.offset as usize + position;
        let Some(place) = self.bytes_mut().get_mut(position..position.saturating_add(bytes.len())) else {
            return;
        };
        if !cold || memory().write(bytes, offset).is_err() {
            place.copy_from_slice(bytes);
        }
    }

    /// Its bytes, for this process alone.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the block is in this process's hand only (invariant 2), and its bytes lie in the file.
        unsafe { std::slice::from_raw_parts_mut(pointer(self.offset), self.capacity() as usize) }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: as in `bytes_mut`.
        unsafe { std::slice::from_raw_parts(pointer(self.offset), self.capacity() as usize) }
    }

    /// The word of this process that names the block: a commit that publishes the block stores 0 there
    /// and then calls [`Block::published`].
    pub fn hand(&self) -> &'static AtomicU64 {
        self.hand.word()
    }

    /// The block has been published: it is not ours to free any more.
    pub fn published(self) {
        let Self { hand, .. } = &self;
        hand.give_up();
        std::mem::forget(self);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        free_from_hand(self.offset, self.hand.word(), self.usage);
        self.hand.give_up();
    }
}

/// The bytes that the block at `offset` has room for.
pub fn capacity(offset: u64) -> u64 {
    class_size(head(offset).class.load(Ordering::Relaxed) as usize) - HEAD
}

/// Frees the block at `offset`, which the hand `word` names.
pub(super) fn free_from_hand(offset: u64, word: &AtomicU64, usage: Use) {
    let header = header();
    let class = head(offset).class.load(Ordering::Relaxed) as usize;
    let bytes = class_size(class);
    let counted = usage == Use::Bytes && bytes >= PUNCHED;
    // Looked at without the guard: punching takes its time, and a little more or less warm is no harm.
    let punch = counted && header.warm.load(Ordering::Relaxed) + bytes > WATERMARK;
    if punch {
        let page = page_size() as u64;
        // The page of the head stays: the free list runs through it.
        let start = offset.next_multiple_of(page);
        let end = (offset - HEAD + bytes) / page * page;
        if end > start {
            memory().punch(start as usize, (end - start) as usize);
        }
    }
    let held = header.blocks_guard.lock();
    let list = match usage {
        Use::Object => &header.objects[class],
        Use::Bytes if punch => &header.cold[class],
        Use::Bytes => &header.free[class],
    };
    let warm = header.warm.load(Ordering::Relaxed) + if counted && !punch { bytes } else { 0 };
    let used = header.used.load(Ordering::Relaxed) - bytes;
    // Before the commit the block is in no list, so this store changes nothing that anybody reads.
    head(offset).next.store(list.load(Ordering::Relaxed), Ordering::Relaxed);
    held.commit([(list, offset), (&header.used, used), (&header.warm, warm), (word, 0)]);
}

/// Bytes in blocks that somebody holds.
pub fn used() -> u64 {
    header().used.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::testing::session;

    #[test]
    fn a_freed_block_is_used_again() {
        let _session = session();
        let block = Block::new(1000, Use::Bytes).expect("memory");
        let offset = block.offset();
        assert!(block.capacity() >= 1000);
        drop(block);
        assert_eq!(Block::new(1000, Use::Bytes).expect("memory").offset(), offset);
    }

    #[test]
    fn blocks_do_not_overlap_and_all_come_back() {
        let _session = session();
        let before = used();
        let mut blocks: Vec<Block> =
            (1..200).map(|n| Block::new(n * 37, Use::Bytes).expect("memory")).collect();
        for (n, block) in blocks.iter_mut().enumerate() {
            block.bytes_mut().fill(n as u8);
        }
        for (n, block) in blocks.iter().enumerate() {
            assert!(block.bytes().iter().all(|byte| *byte == n as u8));
        }
        drop(blocks);
        assert_eq!(used(), before);
    }

    #[test]
    fn above_the_watermark_pages_go_back_to_the_system() {
        let _session = session();
        let mut blocks: Vec<Block> =
            (0..8).map(|_| Block::new(60 << 20, Use::Bytes).expect("memory")).collect();
        for block in &mut blocks {
            block.bytes_mut().fill(1);
        }
        let full = memory().resident().expect("fstat");
        drop(blocks);
        let left = memory().resident().expect("fstat");
        assert!(left < full - (200 << 20), "{left} of {full} bytes are still resident");
        // Cold blocks come back as good as new.
        let mut again: Vec<Block> =
            (0..8).map(|_| Block::new(60 << 20, Use::Bytes).expect("memory")).collect();
        for block in &mut again {
            block.bytes_mut().fill(2);
        }
    }

    #[test]
    fn what_is_written_is_there_whether_the_pages_were_or_not() {
        let _session = session();
        let bytes: Vec<u8> = (0..300_000).map(|index| (index % 251) as u8).collect();
        for _ in 0..2 {
            let mut block = Block::new(400_000, Use::Bytes).expect("memory");
            block.write(5, &bytes);
            block.write(300_005, &bytes[..90_000]);
            block.write(0, b"ahead");
            let past_its_end = block.capacity() as usize - 10;
            block.write(past_its_end, &bytes);
            assert_eq!(&block.bytes()[..5], b"ahead");
            assert!(block.bytes()[5..300_005] == bytes && block.bytes()[300_005..390_005] == bytes[..90_000]);
        }
    }

    #[test]
    fn more_than_the_limit_is_refused_and_nothing_changes() {
        let _session = session();
        let before = used();
        let error = Block::new(1 << 50, Use::Bytes).err().expect("a refusal");
        assert_eq!(error.wanted, 1 << 50);
        let limit = header().limit.load(Ordering::Relaxed);
        assert!(Block::new(limit, Use::Bytes).is_err());
        assert_eq!(used(), before);
    }
}
