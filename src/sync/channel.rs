//! Messages between processes: many producers, many consumers, bounded or not.
//!
//! ```text
//! head ->[chunk]->[chunk]-> tail        put: messages ever put      taken: messages ever taken
//! ```
//!
//! Invariants
//! 1. A message is written where nobody looks yet and becomes visible, whole, in one commit, which also
//!    takes its block and bundle out of the producer's hand.
//! 2. A message leaves in one commit, which also puts its block and bundle into the consumer's hand: a
//!    message is delivered once, and only what a killed consumer had already taken is lost.
//! 3. `put - taken` messages are there. When none is left, both ends go back to the start of their
//!    chunk, so a channel that keeps up stays in a few warm cache lines.
//! 4. A chunk that was read to its end is kept as the spare, or freed if there is one.
//! 5. A *claim* is a word that names what a worker works at: it is filled in the commit that takes the
//!    task and emptied in the commit that puts the result, so a dead worker's claim says what is lost.
//!
//! Owner death: the guard completes a commit; hands and bundles are swept; sleepers look again after a
//! slice at most (see `wait`).

use std::sync::atomic::{AtomicU64, Ordering};

use super::chunk::{self, FIRST, INLINE, LATER, START};
use super::wait::{GaveUp, WaitPoint};
use crate::arena::blocks::{self, Block, OutOfMemory, Use};
use crate::arena::bundle::Bundle;

use crate::arena::handle::{Handle, Kind, Object, on_destroy};
use crate::arena::segment::{at, nowhere};
use crate::arena::table::{Waiting, waiting_for};
use crate::sys::clock::Deadline;

#[repr(C)]
struct Layout {
    object: Object,
    head_chunk: AtomicU64,
    head: AtomicU64,
    taken: AtomicU64,
    tail_chunk: AtomicU64,
    tail: AtomicU64,
    put: AtomicU64,
    spare: AtomicU64,
    /// Messages it may hold; 0 is no limit.
    limit: AtomicU64,
    closed: AtomicU64,
    items: WaitPoint,
    room: WaitPoint,
}

/// See the head of this file. A clone is the same channel.
#[derive(Clone, Debug)]
pub struct Channel(Handle);

/// Why a message was not put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// There was no room until the deadline, or Ctrl-C came.
    #[error("no room: {0}")]
    GaveUp(GaveUp),
    /// The channel is closed.
    #[error("closed")]
    Closed,
    /// There is no memory for it.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// Why no message was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TakeError {
    /// There was none until the deadline, or Ctrl-C came.
    #[error("no message: {0}")]
    GaveUp(GaveUp),
    /// The channel is closed and empty.
    #[error("closed")]
    Closed,
}

/// A message that was taken: its bytes are in the buffer given to `take`, or in a block.
pub struct Message {
    block: Option<(Block, usize)>,
    bundle: Option<Bundle>,
}

impl Message {
    /// The bytes of the message that was taken into `buffer`.
    pub fn bytes<'a>(&'a self, buffer: &'a [u8]) -> &'a [u8] {
        match &self.block {
            Some((block, length)) => block.bytes().get(..*length).unwrap_or_default(),
            None => buffer,
        }
    }

    /// The objects it refers to, alive as long as the message.
    pub fn references(&self) -> Vec<u64> {
        self.bundle.as_ref().map(Bundle::objects).unwrap_or_default()
    }
}

/// Registers the destructor; called once by every process.
pub fn register() {
    on_destroy(Kind::Queue, take::everything);
}

fn layout(offset: u64) -> &'static Layout {
    // SAFETY: only called with offsets of channels that somebody holds.
    unsafe { at(offset) }
}

impl Channel {
    /// Makes a channel that holds at most `limit` messages; 0 is no limit.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(limit: u64) -> Result<Self, OutOfMemory> {
        let handle = Handle::create(Kind::Queue, size_of::<Layout>(), |place| {
            // SAFETY: memory of that size in this process's hand; the fields are atomics.
            let layout: &Layout = unsafe { &*place.cast() };
            for word in [
                &layout.head_chunk,
                &layout.tail_chunk,
                &layout.put,
                &layout.taken,
                &layout.spare,
                &layout.closed,
            ] {
                word.store(0, Ordering::Relaxed);
            }
            layout.head.store(START, Ordering::Relaxed);
            layout.tail.store(START, Ordering::Relaxed);
            layout.limit.store(limit, Ordering::Relaxed);
            layout.items.reset();
            layout.room.reset();
        })?;
        let layout = layout(handle.offset());
        let chunk = Block::new(FIRST - 16, Use::Bytes)?;
        chunk::next(chunk.offset()).store(0, Ordering::Relaxed);
        let first = chunk.offset();
        layout.object.guard.lock().commit([
            (&layout.head_chunk, first),
            (&layout.tail_chunk, first),
            (chunk.hand(), 0),
        ]);
        chunk.published();
        Ok(Self(handle))
    }

    /// The channel at `offset`, which somebody holds while this is called.
    ///
    /// # Errors
    /// [`OutOfMemory`] if this process's handle table can't grow.
    pub fn open(offset: u64) -> Result<Self, OutOfMemory> {
        Handle::acquire(offset).map(Self)
    }

    /// Where it is: what travels.
    pub fn offset(&self) -> u64 {
        self.0.offset()
    }

    fn layout(&self) -> &'static Layout {
        layout(self.0.offset())
    }

    /// How many messages are there now.
    pub fn len(&self) -> u64 {
        let layout = self.layout();
        // Taken first: it never overtakes what was put.
        let taken = layout.taken.load(Ordering::Acquire);
        layout.put.load(Ordering::Acquire).saturating_sub(taken)
    }

    /// Whether no message is there now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages it may hold; 0 is no limit.
    pub fn limit(&self) -> u64 {
        self.layout().limit.load(Ordering::Relaxed)
    }

    /// Nothing can be put any more; what is there can be taken.
    pub fn close(&self) {
        let layout = self.layout();
        {
            let held = layout.object.guard.lock();
            held.commit([(&layout.closed, 1)]);
            layout.items.changed_for_all();
            layout.room.changed_for_all();
        }
        layout.items.wake_all();
        layout.room.wake_all();
    }

    /// Puts a message that refers to the objects at `references`, which this process holds.
    ///
    /// # Errors
    /// [`PutError`]; the channel is then as it was.
    pub fn put(&self, message: &[u8], references: &[u64], deadline: Deadline) -> Result<(), PutError> {
        self.put_for(message, references, deadline, nowhere())
    }

    /// As [`Channel::put`], and empties `claim` in the same commit (invariant 5).
    ///
    /// # Errors
    /// [`PutError`]; the channel and the claim are then as they were.
    pub fn put_for(
        &self,
        message: &[u8],
        references: &[u64],
        deadline: Deadline,
        claim: &AtomicU64,
    ) -> Result<(), PutError> {
        let layout = self.layout();
        let bundle = if references.is_empty() { None } else { Some(Bundle::new(references)?) };
        let block = if message.len() > INLINE { Some(filled(message)?) } else { None };
        let size = chunk::entry_size(message.len(), bundle.is_some());
        let mut fresh: Option<Block> = None;
        let wake = loop {
            let held = layout.object.guard.lock();
            if layout.closed.load(Ordering::Relaxed) != 0 {
                return Err(PutError::Closed);
            }
            let put = layout.put.load(Ordering::Relaxed);
            let limit = layout.limit.load(Ordering::Relaxed);
            if limit != 0 && put - layout.taken.load(Ordering::Relaxed) >= limit {
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
            let tail = layout.tail.load(Ordering::Relaxed);
            // Room for the entry and for the head of 0 that may have to follow.
            if tail + size + 8 <= blocks::capacity(tail_chunk) {
                chunk::write(tail_chunk, tail, message, bundle_at, block_at);
                let visible = [(&layout.tail, tail + size), (&layout.put, put + 1)];
                if bundle_at == 0 && block_at == 0 && std::ptr::eq(claim, nowhere()) {
                    held.commit(visible);
                } else {
                    let [tail, put] = visible;
                    held.commit([tail, put, (bundle_hand, 0), (block_hand, 0), (claim, 0)]);
                }
                break layout.items.changed();
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
            chunk::write(next, START, message, bundle_at, block_at);
            chunk::write_end(tail_chunk, tail);
            held.commit([
                (chunk::next(tail_chunk), next),
                (&layout.tail_chunk, next),
                (&layout.tail, START + size),
                (&layout.put, put + 1),
                (source, 0),
                (bundle_hand, 0),
                (block_hand, 0),
                (claim, 0),
            ]);
            if spare == 0
                && let Some(chunk) = fresh.take()
            {
                chunk.published();
            }
            break layout.items.changed();
        };
        if let Some(bundle) = bundle {
            bundle.published();
        }
        if let Some(block) = block {
            block.published();
        }
        if wake {
            layout.items.wake_one();
        }
        Ok(())
    }

    /// Takes the oldest message; its bytes are put into `buffer`, which is emptied first.
    ///
    /// # Errors
    /// [`TakeError`].
    pub fn take(&self, buffer: &mut Vec<u8>, deadline: Deadline) -> Result<Message, TakeError> {
        self.take_for(buffer, deadline, None, Waiting::Get)
    }

    /// As [`Channel::take`]; `claim` gets the first eight bytes of the message, as a little-endian number,
    /// in the same commit (invariant 5).
    ///
    /// # Errors
    /// [`TakeError`].
    pub fn take_for(
        &self,
        buffer: &mut Vec<u8>,
        deadline: Deadline,
        claim: Option<&AtomicU64>,
        what: Waiting,
    ) -> Result<Message, TakeError> {
        let layout = self.layout();
        buffer.clear();
        loop {
            let held = layout.object.guard.lock();
            if layout.put.load(Ordering::Relaxed) == layout.taken.load(Ordering::Relaxed) {
                if layout.closed.load(Ordering::Relaxed) != 0 {
                    return Err(TakeError::Closed);
                }
                let ticket = layout.items.enter();
                drop(held);
                waiting_for(what, self.offset(), || layout.items.sleep(ticket, deadline))
                    .map_err(TakeError::GaveUp)?;
                continue;
            }
            let Some(message) = take::one(layout, &held, buffer, claim) else {
                take::next_chunk(layout, held);
                continue;
            };
            let wake = layout.limit.load(Ordering::Relaxed) != 0 && layout.room.changed();
            drop(held);
            if wake {
                layout.room.wake_one();
            }
            return Ok(message);
        }
    }

    /// Takes the oldest message. If none comes before a sleep ends, for whatever reason, gives up with
    /// [`GaveUp::TimedOut`]: the caller has something else to look at, and comes back.
    ///
    /// # Errors
    /// [`TakeError`].
    pub fn take_or_look(&self, buffer: &mut Vec<u8>) -> Result<Message, TakeError> {
        if let Ok(message) = self.take(buffer, Deadline::after(Some(0.0))) {
            return Ok(message);
        }
        let layout = self.layout();
        let ticket = {
            let _held = layout.object.guard.lock();
            (layout.put.load(Ordering::Relaxed) == layout.taken.load(Ordering::Relaxed))
                .then(|| layout.items.enter())
        };
        if let Some(ticket) = ticket {
            waiting_for(Waiting::Result, self.offset(), || layout.items.sleep(ticket, Deadline::Never))
                .map_err(TakeError::GaveUp)?;
        }
        self.take(buffer, Deadline::after(Some(0.0)))
    }
}

/// A block with the bytes of a large message.
fn filled(message: &[u8]) -> Result<Block, OutOfMemory> {
    let mut block = Block::new(message.len() as u64, Use::Bytes)?;
    if let Some(place) = block.bytes_mut().get_mut(..message.len()) {
        place.copy_from_slice(message);
    }
    Ok(block)
}

mod take;

#[cfg(test)]
mod tests;
