//! Messages between processes: many producers, many consumers, bounded or not.
//!
//! ```text
//! taken ->[chunk]->[chunk]-> put        two cursors: a place and a count each
//! ```
//!
//! Invariants
//! 1. A message is written where nobody looks yet and becomes visible, whole, in one commit, which also
//!    takes its block and bundle out of the producer's hand.
//! 2. A message leaves in one commit, which also puts its block and bundle into the consumer's hand: a
//!    message is delivered once, and only what a killed consumer had already taken is lost.
//! 3. As many messages are there as the counts of `put` and `taken` differ. If none is there when a chunk is
//!    full, both cursors go back to its start: a channel that keeps up needs no other. All else that an end moves
//!    by a message is its cursor, one word, so its commit needs no record.
//! 4. A chunk that was read to its end is kept as the spare, or freed if there is one.
//! 5. A *claim* is a word that names what a worker works at: it is filled in the commit that takes the
//!    task and changed in the commit that puts a result, so a dead worker's claim says what is lost.
//!
//! Owner death: the guard completes a commit; hands and bundles are swept; sleepers look again after a
//! slice at most (see `wait`).

use std::sync::atomic::{AtomicU64, Ordering};

use super::chunk::{self, FIRST};
use super::wait::{Counted, GaveUp, WaitPoint};
use super::watch::Watched;
use crate::arena::blocks::{Block, OutOfMemory, Use};
use crate::arena::bundle::Bundle;
use crate::arena::guard::Held;
use crate::arena::handle::{Handle, Kind, Object, on_destroy};
use crate::arena::segment::at;
use crate::arena::table::{Waiting, waiting_for};
use crate::sys::clock::Deadline;
use cursor::{Cursor, between};

#[repr(C)]
struct Layout {
    object: Object,
    // What a message changes stands together: a cache line has to go from hand to hand for each.
    taken: Cursor,
    put: Cursor,
    head_chunk: AtomicU64,
    tail_chunk: AtomicU64,
    items: WaitPoint,
    spare: AtomicU64,
    /// Messages it may hold; 0 is no limit.
    limit: AtomicU64,
    closed: AtomicU64,
    /// Somebody sorts out what is there ([`Channel::sorted_out`]): the others find nothing meanwhile.
    sorting: AtomicU64,
    /// Messages that have to be there before who sleeps for them is woken.
    enough: AtomicU64,
    room: WaitPoint,
    /// Bytes it may hold; 0 is no limit. A message that has no room even alone is put all the same, and its
    /// producer waits until it is taken.
    capacity: AtomicU64,
    /// What it is to those who use it.
    flavor: AtomicU64,
    /// Messages whose work is done: `put - done` are unfinished.
    done: AtomicU64,
    /// No message is unfinished.
    idle: WaitPoint,
}

/// How a channel is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// Messages it may hold; 0 is no limit.
    pub limit: u64,
    /// Bytes it may hold; 0 is no limit.
    pub capacity: u64,
    /// What it is to those who use it: a number that means something to them.
    pub flavor: u64,
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

impl Layout {
    /// Whether no message is there. Under the guard.
    fn is_empty(&self) -> bool {
        self.put.load().count == self.taken.load().count
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

/// Closes the channel at `offset`, which somebody holds.
pub(super) fn close_at(offset: u64) {
    let layout = layout(offset);
    let held = layout.object.guard.lock();
    held.commit([(&layout.closed, 1)]);
    let (items, room) = (layout.items.changed_for_all(), layout.room.changed_for_all());
    drop(held);
    items.send();
    room.send();
}

impl Channel {
    /// Makes a channel that holds at most `limit` messages; 0 is no limit.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(limit: u64) -> Result<Self, OutOfMemory> {
        Self::shaped(Shape { limit, ..Shape::default() })
    }

    /// Makes a channel.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn shaped(shape: Shape) -> Result<Self, OutOfMemory> {
        let handle = Handle::create(Kind::Queue, size_of::<Layout>(), |place| {
            // SAFETY: memory of that size in this process's hand; the fields are atomics.
            let layout: &Layout = unsafe { &*place.cast() };
            for word in [
                &layout.head_chunk,
                &layout.tail_chunk,
                &layout.spare,
                &layout.closed,
                &layout.sorting,
                &layout.done,
                &layout.enough,
            ] {
                word.store(0, Ordering::Relaxed);
            }
            layout.taken.reset();
            layout.put.reset();
            layout.limit.store(shape.limit, Ordering::Relaxed);
            layout.capacity.store(shape.capacity, Ordering::Relaxed);
            layout.flavor.store(shape.flavor, Ordering::Relaxed);
            for point in [&layout.items, &layout.room, &layout.idle] {
                point.reset();
            }
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
        let taken = layout.taken.load().count;
        between(taken, layout.put.load().count)
    }

    /// Whether no message is there now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages it may hold; 0 is no limit.
    pub fn limit(&self) -> u64 {
        self.layout().limit.load(Ordering::Relaxed)
    }

    /// What it is to those who use it.
    pub fn flavor(&self) -> u64 {
        self.layout().flavor.load(Ordering::Relaxed)
    }

    /// Nothing can be put any more; what is there can be taken.
    pub fn close(&self) {
        close_at(self.offset());
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
            if layout.is_empty() || layout.sorting.load(Ordering::Relaxed) != 0 {
                if layout.is_empty() && layout.closed.load(Ordering::Relaxed) != 0 {
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
            self.made_room(held);
            return Ok(message);
        }
    }

    /// A message is gone: producers may have room, and the one that waits for its own message may go on.
    fn made_room(&self, held: Held<'_>) {
        let layout = self.layout();
        let wakeup = if layout.capacity.load(Ordering::Relaxed) != 0 {
            layout.room.changed_for_all()
        } else if layout.limit.load(Ordering::Relaxed) != 0 {
            layout.room.changed()
        } else {
            return;
        };
        drop(held);
        wakeup.send();
    }

    /// Takes the oldest message, if there is one: it does not wait, and looks after nothing else.
    pub fn take_now(&self, buffer: &mut Vec<u8>) -> Option<Message> {
        let layout = self.layout();
        buffer.clear();
        loop {
            let held = layout.object.guard.lock();
            if layout.is_empty() {
                return None;
            }
            let Some(message) = take::one(layout, &held, buffer, None) else {
                take::next_chunk(layout, held);
                continue;
            };
            self.made_room(held);
            return Some(message);
        }
    }

    /// Takes up to `most` messages at once: the oldest, as far as they are small and refer to nothing, one after
    /// another into `buffer`. `ends` says where each of them ends. It does not wait, and there may be others.
    pub fn take_row(&self, buffer: &mut Vec<u8>, ends: &mut Vec<usize>, most: usize) {
        let layout = self.layout();
        buffer.clear();
        ends.clear();
        let held = layout.object.guard.lock();
        take::row(layout, &held, buffer, ends, most);
        if !ends.is_empty() {
            self.made_room(held);
        }
    }

    /// Counts this process as one that sleeps until `enough` messages are there; `None` if one is. For the only
    /// consumer of a channel, which does not wait for ever: it has to look now and then whether so many will come.
    pub fn count_me(&self, enough: u64) -> Option<Counted> {
        let layout = self.layout();
        let _held = layout.object.guard.lock();
        layout.enough.store(enough, Ordering::Relaxed);
        layout.is_empty().then(|| Counted { point: &layout.items, ticket: layout.items.enter() })
    }
}

impl Watched for Channel {
    /// A message can be taken, or none will come any more.
    fn look(&self) -> bool {
        let layout = self.layout();
        let _held = layout.object.guard.lock();
        let ready = !layout.is_empty() || layout.closed.load(Ordering::Relaxed) != 0;
        if !ready {
            layout.items.watch();
        }
        ready
    }

    fn object(&self) -> u64 {
        self.offset()
    }
}

mod cursor;
mod put;
mod sort;
mod take;
mod work;

#[cfg(test)]
mod room;
#[cfg(test)]
mod tests;
