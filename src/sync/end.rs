//! One end of a pipe: the channel it reads, the channel it writes, and the knowledge when both are over.
//!
//! ```text
//!          inbox <-------- a channel <-------- outbox
//!   end a                                             end b
//!          outbox -------> a channel --------> inbox
//! ```
//!
//! Each end is an object of its own, so its count says how many processes and messages have it, wherever they
//! are. When the last is gone, because it was closed, dropped, or died, both of its channels are closed: the
//! other end reads what is still there and then nothing more, and can't write.
//!
//! Invariants
//! 1. The channels are counted by the end's bundle: they live at least as long as the end.
//! 2. They are closed before the bundle is released, and closing twice does no harm: a destructor that is
//!    killed half-way is run again by the sweeper.
//!
//! Owner death: the sweeper takes the dead process's references off, and whoever waits at the other end sweeps
//! before it sleeps (see `wait`).

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use super::channel::{self, Channel, Shape};
use crate::arena::blocks::OutOfMemory;
use crate::arena::bundle::Bundle;
use crate::arena::hand::{self, Hand};
use crate::arena::handle::{self, Handle, Kind, Object, on_destroy};
use crate::arena::segment::at;

#[repr(C)]
struct Layout {
    object: Object,
    /// Counts the channels; 0 while there are none.
    bundle: AtomicU64,
    /// Where they are; 0 where this end does not read, or does not write.
    inbox: AtomicU64,
    outbox: AtomicU64,
}

/// See the head of this file. A clone is the same end.
#[derive(Clone, Debug)]
pub struct End {
    inbox: Option<Channel>,
    outbox: Option<Channel>,
    // Last: the channels are closed by it, and let go of after that or before.
    handle: Handle,
}

/// Registers the destructor; called once by every process.
pub fn register() {
    on_destroy(Kind::End, destroy);
}

fn layout(offset: u64) -> &'static Layout {
    // SAFETY: only called with offsets of ends that somebody holds.
    unsafe { at(offset) }
}

/// Makes the two ends of a pipe that holds `capacity` bytes in each direction; a `duplex` one has two, the other
/// leads from the second end to the first.
///
/// # Errors
/// [`OutOfMemory`].
pub fn pair(duplex: bool, capacity: u64) -> Result<(End, End), OutOfMemory> {
    let channel = || Channel::shaped(Shape { capacity, ..Shape::default() });
    let (there, back) = (channel()?, if duplex { Some(channel()?) } else { None });
    let first = End::new(Some(there.clone()), back.clone())?;
    let second = End::new(back, Some(there))?;
    Ok((first, second))
}

impl End {
    fn new(inbox: Option<Channel>, outbox: Option<Channel>) -> Result<Self, OutOfMemory> {
        let handle = Handle::create(Kind::End, size_of::<Layout>(), |place| {
            // SAFETY: memory of that size in this process's hand; the fields are atomics.
            let layout: &Layout = unsafe { &*place.cast() };
            for word in [&layout.bundle, &layout.inbox, &layout.outbox] {
                word.store(0, Ordering::Relaxed);
            }
        })?;
        let end = Self { inbox, outbox, handle };
        let place = |channel: &Option<Channel>| channel.as_ref().map_or(0, Channel::offset);
        let (inbox, outbox) = (place(&end.inbox), place(&end.outbox));
        let channels: Vec<u64> = [inbox, outbox].into_iter().filter(|offset| *offset != 0).collect();
        let bundle = Bundle::new(&channels)?;
        let layout = layout(end.handle.offset());
        layout.object.guard.lock().commit([
            (&layout.bundle, bundle.offset()),
            (&layout.inbox, inbox),
            (&layout.outbox, outbox),
            (bundle.hand(), 0),
        ]);
        bundle.published();
        Ok(end)
    }

    /// The end at `offset`, which somebody holds while this is called.
    ///
    /// # Errors
    /// [`OutOfMemory`] if this process's handle table can't grow.
    pub fn open(offset: u64) -> Result<Self, OutOfMemory> {
        let handle = Handle::acquire(offset)?;
        let layout = layout(offset);
        let open = |word: &AtomicU64| match word.load(Ordering::Relaxed) {
            0 => Ok(None),
            offset => Channel::open(offset).map(Some),
        };
        Ok(Self { inbox: open(&layout.inbox)?, outbox: open(&layout.outbox)?, handle })
    }

    /// Where it is: what travels.
    pub fn offset(&self) -> u64 {
        self.handle.offset()
    }

    /// What it reads.
    pub fn inbox(&self) -> Option<&Channel> {
        self.inbox.as_ref()
    }

    /// What it writes.
    pub fn outbox(&self) -> Option<&Channel> {
        self.outbox.as_ref()
    }
}

/// Whether this process has any.
pub fn any() -> bool {
    handle::holds(Kind::End)
}

/// This process was forked off and can come to no others than `kept`: the others are over for it.
pub fn keep_only(kept: &HashSet<u64>) {
    handle::keep_only(Kind::End, kept);
}

fn destroy(offset: u64) {
    let layout = layout(offset);
    let bundle = layout.bundle.load(Ordering::Relaxed);
    if bundle == 0 {
        return;
    }
    for channel in [&layout.inbox, &layout.outbox] {
        let channel = channel.load(Ordering::Relaxed);
        if channel != 0 {
            channel::close_at(channel);
        }
    }
    let hand = Hand::free();
    layout.object.guard.lock().commit([(&layout.bundle, 0), (hand.word(), bundle | hand::BUNDLE)]);
    drop(Bundle::in_hand(bundle, hand));
}

#[cfg(test)]
mod tests;
