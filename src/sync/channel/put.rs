//! How messages come into a channel, and what their producers wait for.

use std::sync::atomic::{AtomicU64, Ordering};

use super::cursor::{Position, between};
use super::{Channel, PutError};
use crate::arena::blocks::{self, Block, Use};
use crate::arena::bundle::Bundle;
use crate::arena::segment::nowhere;
use crate::arena::table::{Waiting, waiting_for};
use crate::sync::chunk::{self, LATER, START};
use crate::sync::draft::{Body, Draft};
use crate::sync::wait::Wakeup;
use crate::sys::clock::Deadline;

impl Channel {
    /// Puts a message that refers to the objects at `references`, which this process holds.
    ///
    /// # Errors
    /// [`PutError`]; the channel is then as it was.
    pub fn put(&self, message: &[u8], references: &[u64], deadline: Deadline) -> Result<(), PutError> {
        self.put_for(message, references, deadline, (nowhere(), 0))
    }

    /// As [`Channel::put`], and gives a claim its new value in the same commit (invariant 5).
    ///
    /// # Errors
    /// [`PutError`]; the channel and the claim are then as they were.
    pub fn put_for(
        &self,
        message: &[u8],
        references: &[u64],
        deadline: Deadline,
        claim: (&AtomicU64, u64),
    ) -> Result<(), PutError> {
        self.put_body(Body::of(message)?, references, deadline, claim)
    }

    /// As [`Channel::put`], for a message that was written as a draft.
    ///
    /// # Errors
    /// [`PutError`]; the channel is then as it was.
    pub fn put_draft(
        &self,
        draft: &mut Draft,
        references: &[u64],
        deadline: Deadline,
    ) -> Result<(), PutError> {
        self.put_body(draft.seal()?, references, deadline, (nowhere(), 0))
    }

    fn put_body(
        &self,
        body: Body<'_>,
        references: &[u64],
        deadline: Deadline,
        claim: (&AtomicU64, u64),
    ) -> Result<(), PutError> {
        let layout = self.layout();
        let bundle = if references.is_empty() { None } else { Some(Bundle::new(references)?) };
        let length = body.length();
        let size = chunk::entry_size(length, bundle.is_some());
        let (message, block): (&[u8], _) = match body {
            Body::Inline(bytes) => (bytes, None),
            Body::Block(block, _) => (&[], Some(block)),
        };
        let mut fresh: Option<Block> = None;
        let (wakeup, number) = loop {
            let held = layout.object.guard.lock();
            if layout.closed.load(Ordering::Relaxed) != 0 {
                return Err(PutError::Closed);
            }
            let put = layout.put.load();
            let taken = layout.taken.load();
            let limit = layout.limit.load(Ordering::Relaxed);
            let there = between(taken.count, put.count);
            let capacity = layout.capacity.load(Ordering::Relaxed);
            let crowded = capacity != 0 && there != 0 && self.bytes() + size > capacity;
            if limit != 0 && there >= limit || crowded {
                let ticket = layout.room.enter();
                drop(held);
                waiting_for(Waiting::Put, self.offset(), || layout.room.sleep(ticket, deadline))
                    .map_err(PutError::GaveUp)?;
                continue;
            }
            let bundle_at = bundle.as_ref().map_or(0, Bundle::offset);
            let block_at = block.as_ref().map_or(0, Block::offset);
            let bundle_hand = bundle.as_ref().map_or(nowhere(), Bundle::hand);
            let block_hand = block.as_ref().map_or(nowhere(), Block::hand);
            let tail_chunk = layout.tail_chunk.load(Ordering::Relaxed);
            // Room for the entry and for the head of 0 that may have to follow.
            let fits = |at: u64| at + size + 8 <= blocks::capacity(tail_chunk);
            let start = if fits(put.at) || there != 0 { put.at } else { START };
            if fits(start) {
                chunk::write(tail_chunk, start, length, message, bundle_at, block_at);
                let visible = layout.put.to(put.next(start + size));
                if start != put.at {
                    let back = layout.taken.to(Position { at: START, ..taken });
                    held.commit([back, visible, (bundle_hand, 0), (block_hand, 0), claim]);
                } else if bundle_at == 0 && block_at == 0 && std::ptr::eq(claim.0, nowhere()) {
                    held.commit([visible]);
                } else {
                    held.commit([visible, (bundle_hand, 0), (block_hand, 0), claim]);
                }
                break (self.news(there + 1), put.count);
            }
            let spare = layout.spare.load(Ordering::Relaxed);
            let (next, source) = match &fresh {
                _ if spare != 0 => (spare, &layout.spare),
                Some(chunk) => (chunk.offset(), chunk.hand()),
                None => {
                    drop(held);
                    fresh = Some(Block::new(LATER - 16, Use::Bytes)?);
                    continue;
                }
            };
            chunk::next(next).store(0, Ordering::Relaxed);
            chunk::write(next, START, length, message, bundle_at, block_at);
            chunk::write_end(tail_chunk, put.at);
            held.commit([
                (chunk::next(tail_chunk), next),
                (&layout.tail_chunk, next),
                layout.put.to(put.next(START + size)),
                (source, 0),
                (bundle_hand, 0),
                (block_hand, 0),
                claim,
            ]);
            if spare == 0
                && let Some(chunk) = fresh.take()
            {
                chunk.published();
            }
            break (self.news(there + 1), put.count);
        };
        if let Some(bundle) = bundle {
            bundle.published();
        }
        if let Some(block) = block {
            block.published();
        }
        wakeup.send();
        let capacity = layout.capacity.load(Ordering::Relaxed);
        if capacity != 0 && length as u64 > capacity {
            self.wait_until_taken(number)?;
        }
        Ok(())
    }

    /// There are `there` messages now: whom that concerns. Under the guard.
    fn news(&self, there: u64) -> Wakeup<'static> {
        let layout = self.layout();
        if there >= layout.enough.load(Ordering::Relaxed) {
            layout.items.changed()
        } else {
            Wakeup::nobody(&layout.items)
        }
    }

    /// Waits until message `number` was taken.
    ///
    /// # Errors
    /// [`PutError::Closed`] if nobody takes it any more.
    fn wait_until_taken(&self, number: u64) -> Result<(), PutError> {
        let layout = self.layout();
        loop {
            let held = layout.object.guard.lock();
            // Those from it on are more than are there.
            if between(number, layout.put.load().count) > self.len() {
                return Ok(());
            }
            if layout.closed.load(Ordering::Relaxed) != 0 {
                return Err(PutError::Closed);
            }
            let ticket = layout.room.enter();
            drop(held);
            waiting_for(Waiting::Put, self.offset(), || layout.room.sleep(ticket, Deadline::Never))
                .map_err(PutError::GaveUp)?;
        }
    }

    /// How many bytes the messages take in their chunks. Under the guard.
    fn bytes(&self) -> u64 {
        let layout = self.layout();
        let (mut chunk, last) =
            (layout.head_chunk.load(Ordering::Relaxed), layout.tail_chunk.load(Ordering::Relaxed));
        let mut bytes = layout.put.load().at;
        let mut start = layout.taken.load().at;
        // A capacity is less than a few chunks, so there are few.
        while chunk != last && chunk != 0 {
            bytes += blocks::capacity(chunk) - start;
            start = 0;
            chunk = chunk::next(chunk).load(Ordering::Relaxed);
        }
        bytes - start
    }
}
