//! A parcel: bytes that are written once, read by many, and counted; with the references inside them.
//!
//! The text of a program, what a process is to start with, the function of a pool's call, where a manager's object is.

use std::sync::atomic::{AtomicU64, Ordering};

use super::blocks::{Block, OutOfMemory, Use};
use super::bundle::{self, Bundle};
use super::hand::{self, Hand};
use super::handle::{Handle, Kind, Object, on_destroy};
use super::object;
use super::segment::{at, nowhere, pointer};

#[repr(C)]
struct Layout {
    object: Object,
    body: AtomicU64,
    length: AtomicU64,
    /// 0 if nothing is referred to.
    bundle: AtomicU64,
}

/// See the head of this file. A clone is the same parcel.
#[derive(Clone, Debug)]
pub struct Parcel(Handle);

/// Registers the destructor; called once by every process.
pub fn register() {
    on_destroy(Kind::Parcel, destroy);
    on_destroy(Kind::Proxy, destroy);
}

fn layout(offset: u64) -> &'static Layout {
    // SAFETY: only called with offsets of parcels that somebody holds.
    unsafe { at(offset) }
}

impl Parcel {
    /// Makes a parcel of `bytes` that refers to the objects at `references`, which this process holds.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(bytes: &[u8], references: &[u64]) -> Result<Self, OutOfMemory> {
        Self::of_kind(Kind::Parcel, bytes, references)
    }

    /// As [`Parcel::new`], for a `kind` of parcel that messages tell from others.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn of_kind(kind: Kind, bytes: &[u8], references: &[u64]) -> Result<Self, OutOfMemory> {
        let mut block = Block::new(bytes.len() as u64, Use::Bytes)?;
        block.write(0, bytes);
        Self::of_block(kind, block, bytes.len(), references)
    }

    /// As [`Parcel::of_kind`]: its bytes are the first `length` of `block`.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn of_block(
        kind: Kind,
        block: Block,
        length: usize,
        references: &[u64],
    ) -> Result<Self, OutOfMemory> {
        let handle = Handle::create(kind, size_of::<Layout>(), |place| {
            // SAFETY: memory of that size in this process's hand; the fields are atomics.
            let layout: &Layout = unsafe { &*place.cast() };
            for word in [&layout.body, &layout.length, &layout.bundle] {
                word.store(0, Ordering::Relaxed);
            }
        })?;
        let layout = layout(handle.offset());
        {
            let held = layout.object.guard.lock();
            held.commit([(&layout.body, block.offset()), (&layout.length, length as u64), (block.hand(), 0)]);
        }
        block.published();
        if !references.is_empty() {
            let bundle = Bundle::new(references)?;
            {
                let held = layout.object.guard.lock();
                held.commit([(&layout.bundle, bundle.offset()), (bundle.hand(), 0)]);
            }
            bundle.published();
        }
        Ok(Self(handle))
    }

    /// The parcel at `offset`, which somebody holds while this is called.
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

    /// How many processes, messages and parcels have it.
    pub fn count(&self) -> u64 {
        self.0.count()
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        let layout = layout(self.0.offset());
        let length = layout.length.load(Ordering::Acquire) as usize;
        // SAFETY: the body is published whole and never changes while the parcel is held.
        unsafe { std::slice::from_raw_parts(pointer(layout.body.load(Ordering::Relaxed)), length) }
    }

    /// The objects it refers to.
    pub fn references(&self) -> Vec<u64> {
        match layout(self.0.offset()).bundle.load(Ordering::Acquire) {
            0 => Vec::new(),
            bundle => bundle::objects(bundle),
        }
    }
}

fn destroy(offset: u64) {
    let layout = layout(offset);
    let body = layout.body.load(Ordering::Relaxed);
    if body != 0 {
        let hand = Hand::free();
        layout.object.guard.lock().commit([(&layout.body, 0), (hand.word(), body | hand::BYTES)]);
        drop(Block::in_hand(body, hand));
    }
    let bundle = layout.bundle.load(Ordering::Relaxed);
    if bundle != 0 {
        let hand = Hand::free();
        layout.object.guard.lock().commit([(&layout.bundle, 0), (hand.word(), bundle | hand::BUNDLE)]);
        drop(Bundle::in_hand(bundle, hand));
    }
}

/// Gives the slot of a process that is about to start its own count of `parcel`.
pub fn give_to(slot: &super::table::Slot, parcel: &Parcel) {
    object::count(parcel.offset(), &slot.start, (nowhere(), 0));
}

/// The parcel that the process of `slot` is to start with.
///
/// # Errors
/// [`OutOfMemory`] if this process's handle table can't grow.
pub fn given_to(slot: &super::table::Slot) -> Result<Option<Parcel>, OutOfMemory> {
    match slot.start.load(Ordering::Acquire) {
        0 => Ok(None),
        offset => Parcel::open(offset).map(Some),
    }
}

/// Takes the parcel that this process was given to start with.
///
/// # Errors
/// [`OutOfMemory`] if this process's handle table can't grow.
pub fn given_to_me() -> Result<Option<Parcel>, OutOfMemory> {
    let Some(slot) = super::table::me() else { return Ok(None) };
    let parcel = given_to(slot)?;
    if let Some(parcel) = &parcel {
        object::release(parcel.offset(), &slot.start);
    }
    Ok(parcel)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::blocks::used;
    use crate::arena::testing::session;

    #[test]
    fn bytes_and_references_live_as_long_as_the_parcel() {
        let _session = session();
        let before = used();
        let inner = Parcel::new(b"inner", &[]).expect("memory");
        let outer = Parcel::new(&vec![7; 100_000], &[inner.offset(), inner.offset()]).expect("memory");
        let offset = inner.offset();
        drop(inner);
        assert_eq!(outer.bytes().len(), 100_000);
        assert_eq!(outer.references(), [offset, offset]);
        let again = Parcel::open(offset).expect("memory");
        assert_eq!(again.bytes(), b"inner");
        drop(outer);
        assert_eq!(again.bytes(), b"inner");
        drop(again);
        assert_eq!(used(), before, "nothing is left");
    }
}
