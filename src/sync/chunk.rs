//! Where a channel's messages lie: a list of blocks, each with entries one after another.
//!
//! ```text
//! chunk:  next:u64 | entry | entry | ... | (a head of 0: go on in the next chunk)
//! entry:  length+1:56 flags:8 | [bundle:u64] | [block:u64] or bytes, padded to 8
//! ```
//!
//! A message of more than [`INLINE`] bytes lies in a block of its own; a message with handles has a
//! bundle. Entries are written while they are still invisible: the channel's commit makes them visible.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::segment::{at, pointer};

/// The largest message that lies in a chunk.
pub const INLINE: usize = 64 << 10;
/// Bytes of a channel's first chunk, head included.
pub const FIRST: u64 = 4 << 10;
/// Bytes of every other chunk: several of the largest messages.
pub const LATER: u64 = 256 << 10;
/// Where a chunk's first entry is.
pub const START: u64 = 8;

const ENTRY_HEAD: u64 = 8;
const LARGE: u32 = 1;
const BUNDLED: u32 = 2;

/// The link to the next chunk.
pub fn next(chunk: u64) -> &'static AtomicU64 {
    // SAFETY: a chunk begins with its link.
    unsafe { at(chunk) }
}

/// One message as it lies in a chunk.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Bytes of the message.
    pub length: u64,
    /// The bundle of its handles, or 0.
    pub bundle: u64,
    /// The block it lies in, or 0 if it is inline.
    pub block: u64,
    /// Where its inline bytes are.
    bytes: u64,
    /// Where the next entry is, relative to the chunk.
    pub end: u64,
}

/// The bytes that a message takes in a chunk.
pub fn entry_size(length: usize, bundled: bool) -> u64 {
    let body = if length > INLINE { 8 } else { (length as u64).next_multiple_of(8) };
    ENTRY_HEAD + if bundled { 8 } else { 0 } + body
}

fn word(offset: u64) -> &'static AtomicU64 {
    // SAFETY: the caller computed the offset inside a chunk, in steps of 8 bytes.
    unsafe { at(offset) }
}

/// Writes an entry at `position` of `chunk` for a message of `length` bytes; there is room for [`entry_size`] bytes
/// and nobody reads them yet. The message is in `inline`, or, if it has more than [`INLINE`] bytes, in `block`;
/// `bundle` is 0 if there is none.
pub fn write(chunk: u64, position: u64, length: usize, inline: &[u8], bundle: u64, block: u64) {
    let mut place = chunk + position;
    let flags = if block != 0 { LARGE } else { 0 } | if bundle != 0 { BUNDLED } else { 0 };
    // The length is stored plus one: an entry's head is never 0.
    word(place).store((length as u64 + 1) << 8 | u64::from(flags), Ordering::Relaxed);
    place += ENTRY_HEAD;
    if bundle != 0 {
        word(place).store(bundle, Ordering::Relaxed);
        place += 8;
    }
    if block != 0 {
        word(place).store(block, Ordering::Relaxed);
    } else {
        // SAFETY: there is room for the message by this function's contract, in memory that no other
        // process reads before the channel's commit.
        unsafe { std::ptr::copy_nonoverlapping(inline.as_ptr(), pointer(place), inline.len()) };
    }
}

/// Says that the messages go on in the next chunk.
pub fn write_end(chunk: u64, position: u64) {
    word(chunk + position).store(0, Ordering::Relaxed);
}

/// The entry at `position` of `chunk`; `None` if the messages go on in the next chunk.
pub fn read(chunk: u64, position: u64) -> Option<Entry> {
    let mut place = chunk + position;
    let head = word(place).load(Ordering::Relaxed);
    if head == 0 {
        return None;
    }
    let flags = head as u32 & 0xff;
    let length = (head >> 8) - 1;
    place += ENTRY_HEAD;
    let mut bundle = 0;
    if flags & BUNDLED != 0 {
        bundle = word(place).load(Ordering::Relaxed);
        place += 8;
    }
    let (block, size) = if flags & LARGE != 0 {
        (word(place).load(Ordering::Relaxed), 8)
    } else {
        (0, length.next_multiple_of(8))
    };
    Some(Entry { length, bundle, block, bytes: place, end: place + size - chunk })
}

impl Entry {
    /// The bytes of a message that lies inline.
    pub fn inline(&self) -> &[u8] {
        // SAFETY: written whole before the commit that made the entry visible; the caller holds the
        // channel's guard, so nobody takes the entry away meanwhile.
        unsafe { std::slice::from_raw_parts(pointer(self.bytes), self.length as usize) }
    }
}
