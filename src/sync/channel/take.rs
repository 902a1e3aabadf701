//! How messages leave a channel: one at a time, chunk after chunk, and all of them at its end.

use std::sync::atomic::{AtomicU64, Ordering};

use super::cursor::Position;
use super::{Layout, Message, layout};
use crate::arena::blocks::{self, Block};
use crate::arena::bundle::Bundle;
use crate::arena::guard::Held;
use crate::arena::hand::{self, Hand};
use crate::arena::segment::nowhere;
use crate::sync::chunk::{self, LATER, START};

/// Bytes after which a row of messages is long enough: a guard is not held for long.
const ROW: usize = 4 << 10;

/// Takes the message at the head; `None` if it is in the next chunk. There is one.
pub(super) fn one(
    layout: &Layout,
    held: &Held<'_>,
    buffer: &mut Vec<u8>,
    claim: Option<&AtomicU64>,
) -> Option<Message> {
    let chunk = layout.head_chunk.load(Ordering::Relaxed);
    let taken = layout.taken.load();
    let entry = chunk::read(chunk, taken.at)?;
    let gone = layout.taken.to(taken.next(entry.end));
    if entry.block == 0 {
        buffer.extend_from_slice(entry.inline());
    }
    let Some(claim) = claim else {
        if entry.block == 0 && entry.bundle == 0 {
            held.commit([gone]);
            return Some(Message { block: None, bundle: None });
        }
        return Some(with_hands(held, entry, gone, (nowhere(), 0)));
    };
    let name = if entry.block == 0 { number(buffer) } else { number(block_bytes(entry.block)) };
    Some(with_hands(held, entry, gone, (claim, name)))
}

/// Takes messages from the head on, as long as each lies there as plain bytes, to be found one after another in
/// `buffer`: `ends` says where each ends. At most `most`, and few enough for the guard.
pub(super) fn row(
    layout: &Layout,
    held: &Held<'_>,
    buffer: &mut Vec<u8>,
    ends: &mut Vec<usize>,
    most: usize,
) {
    let chunk = layout.head_chunk.load(Ordering::Relaxed);
    let (mut taken, put) = (layout.taken.load(), layout.put.load().count);
    while taken.count != put && ends.len() < most && buffer.len() < ROW {
        let Some(entry) = chunk::read(chunk, taken.at) else { break };
        if entry.block != 0 || entry.bundle != 0 {
            break;
        }
        buffer.extend_from_slice(entry.inline());
        ends.push(buffer.len());
        taken = taken.next(entry.end);
    }
    if !ends.is_empty() {
        held.commit([layout.taken.to(taken)]);
    }
}

fn with_hands(
    held: &Held<'_>,
    entry: chunk::Entry,
    gone: (&AtomicU64, u64),
    claim: (&AtomicU64, u64),
) -> Message {
    let block_hand = (entry.block != 0).then(Hand::free);
    let bundle_hand = (entry.bundle != 0).then(Hand::free);
    held.commit([
        gone,
        (block_hand.as_ref().map_or(nowhere(), Hand::word), entry.block | hand::BYTES),
        (bundle_hand.as_ref().map_or(nowhere(), Hand::word), entry.bundle | hand::BUNDLE),
        claim,
    ]);
    Message {
        block: block_hand.map(|hand| (Block::in_hand(entry.block, hand), entry.length as usize)),
        bundle: bundle_hand.map(|hand| Bundle::in_hand(entry.bundle, hand)),
    }
}

fn block_bytes(block: u64) -> &'static [u8] {
    // SAFETY: a published block of a large message, which the caller's guard keeps in the channel.
    unsafe { std::slice::from_raw_parts(crate::arena::segment::pointer(block), 8) }
}

/// The first eight bytes as a number; 0 if there are fewer.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// The head goes on in the next chunk; the old one becomes the spare or is freed.
pub(super) fn next_chunk(layout: &Layout, held: Held<'_>) {
    let old = layout.head_chunk.load(Ordering::Relaxed);
    let next = chunk::next(old).load(Ordering::Relaxed);
    let keep = layout.spare.load(Ordering::Relaxed) == 0 && blocks::capacity(old) >= LATER - 16;
    let start = layout.taken.to(Position { at: START, ..layout.taken.load() });
    if keep {
        held.commit([(&layout.head_chunk, next), start, (&layout.spare, old)]);
    } else {
        let hand = Hand::free();
        held.commit([(&layout.head_chunk, next), start, (hand.word(), old | hand::BYTES)]);
        drop(held);
        drop(Block::in_hand(old, hand));
    }
}

/// Empties a channel that nobody holds any more.
pub(super) fn everything(offset: u64) {
    let layout = layout(offset);
    let mut buffer = Vec::new();
    while layout.head_chunk.load(Ordering::Relaxed) != 0 {
        let held = layout.object.guard.lock();
        if layout.is_empty() {
            let hand = Hand::free();
            let last = layout.head_chunk.load(Ordering::Relaxed);
            held.commit([(&layout.head_chunk, 0), (hand.word(), last | hand::BYTES)]);
            drop(held);
            drop(Block::in_hand(last, hand));
            break;
        }
        buffer.clear();
        match one(layout, &held, &mut buffer, None) {
            Some(message) => {
                drop(held);
                drop(message);
            }
            None => next_chunk(layout, held),
        }
    }
    let spare = layout.spare.load(Ordering::Relaxed);
    if spare != 0 {
        let hand = Hand::free();
        layout.object.guard.lock().commit([(&layout.spare, 0), (hand.word(), spare | hand::BYTES)]);
        drop(Block::in_hand(spare, hand));
    }
}
