//! A shared block: a value or an array of elements in the segment.
//!
//! ```text
//! object: | Object | data | shape | length | ... | lock, origin -> bundle |
//! data:   | a record's shape, if it is one | elements ... |
//! ```
//!
//! Every process that holds the block reads and writes its elements where they are. A block may have a lock, which
//! is an object of its own that others may hold too: see `gate`. A *view* shows the data of another block, its origin, without a lock.
//!
//! Invariants
//! 1. Shape, length, lock and origin are written before anybody else knows the block, and never change. So the
//!    address of the elements is the same for as long as a process holds it.
//! 2. The data begins at a multiple of 16 and has whole words: `Cells` may be made of it.
//! 3. A process killed while it writes leaves each element old or new. Of several elements that it was about to
//!    write, some may be new and some old.
//! 4. The bundle counts lock and origin for as long as the block is there.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cells::Cells;
use super::code::Code;
use super::gate::Gate;
use super::shape::Shape;
use crate::arena::blocks::{Block as Memory, OutOfMemory, Use};
use crate::arena::bundle::Bundle;
use crate::arena::hand::{self, Hand};
use crate::arena::handle::{Handle, Kind, Object, on_destroy};
use crate::arena::segment::{at, pointer};

/// Elements begin at a multiple of this.
const ALIGNMENT: usize = 16;

#[repr(C)]
struct Layout {
    object: Object,
    /// The data; 0 for a view.
    data: AtomicU64,
    /// The letter of the typecode, or 0 for a record.
    letter: AtomicU64,
    /// The bytes of a record's shape.
    shape: AtomicU64,
    /// The number of elements.
    length: AtomicU64,
    /// Whether it is an array.
    array: AtomicU64,
    /// The lock; 0 without one.
    lock: AtomicU64,
    /// The block whose data a view shows; 0 for one that has its own.
    origin: AtomicU64,
    /// What is counted: lock or origin; 0 if neither is there.
    bundle: AtomicU64,
}

/// Registers the destructor; called once by every process.
pub fn register() {
    on_destroy(Kind::Block, destroy);
}

/// What kind of thing a block is to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    Value,
    Array,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Block {
    handle: Handle,
    flavor: Flavor,
    shape: Shape,
    length: usize,
    cells: Cells,
    gate: Option<Gate>,
}

impl Block {
    /// A block of `length` elements that are all zero.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(
        flavor: Flavor,
        shape: &Shape,
        length: usize,
        gate: Option<&Gate>,
    ) -> Result<Self, OutOfMemory> {
        let text = shape.pack();
        let head = text.len().next_multiple_of(ALIGNMENT);
        // What overflows is more than any segment has.
        let size = shape.size().checked_mul(length).and_then(|size| size.checked_add(head + ALIGNMENT));
        let mut memory = Memory::new(size.unwrap_or(usize::MAX) as u64, Use::Bytes)?;
        if !memory.is_fresh() {
            memory.bytes_mut().fill(0);
        }
        memory.bytes_mut()[..text.len()].copy_from_slice(&text);
        let letter = shape.code().map_or(0, |code| code as u64);
        let words = [letter, text.len() as u64, length as u64, (flavor == Flavor::Array).into()];
        let handle = create(words, gate.map_or(0, |gate| gate.lock().offset()), 0)?;
        {
            let layout = layout(handle.offset());
            let held = layout.object.guard.lock();
            held.commit([(&layout.data, memory.offset()), (memory.hand(), 0)]);
        }
        memory.published();
        Self::of(handle)
    }

    /// A view of this block: the same elements, without a lock.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn view(&self) -> Result<Self, OutOfMemory> {
        let layout = layout(self.handle.offset());
        let words = [&layout.letter, &layout.shape, &layout.length, &layout.array];
        let words = words.map(|word| word.load(Ordering::Relaxed));
        // A view of a view would keep the view in between.
        let origin = match layout.origin.load(Ordering::Relaxed) {
            0 => self.handle.offset(),
            origin => origin,
        };
        Self::of(create(words, 0, origin)?)
    }

    /// The block at `offset`, which somebody holds while this is called.
    ///
    /// # Errors
    /// [`OutOfMemory`] if this process's handle table can't grow.
    pub fn open(offset: u64) -> Result<Self, OutOfMemory> {
        Self::of(Handle::acquire(offset)?)
    }

    fn of(handle: Handle) -> Result<Self, OutOfMemory> {
        let own = layout(handle.offset());
        let word = |word: &AtomicU64| word.load(Ordering::Acquire) as usize;
        let data = match own.origin.load(Ordering::Acquire) {
            0 => own.data.load(Ordering::Acquire),
            origin => layout(origin).data.load(Ordering::Acquire),
        };
        let text = word(&own.shape);
        // SAFETY: the data begins with the shape, which never changes (invariant 1).
        let packed = unsafe { std::slice::from_raw_parts(pointer(data), text) };
        let shape = u8::try_from(word(&own.letter)).ok().and_then(Code::of);
        let shape = shape.map_or_else(|| Shape::unpack(packed), Shape::Single);
        let length = word(&own.length);
        let base = pointer(data).wrapping_add(text.next_multiple_of(ALIGNMENT));
        let flavor = if word(&own.array) == 0 { Flavor::Value } else { Flavor::Array };
        // SAFETY: the data is there while the handle lives, has room for these elements, and is made of whole
        // words that are used as elements only (invariants 1, 2 and 4). The segment lies at no null address.
        let cells = unsafe { Cells::new(NonNull::new_unchecked(base), shape.size() * length) };
        let lock = own.lock.load(Ordering::Relaxed);
        let gate = if lock == 0 { None } else { Some(Gate::open(lock)?) };
        Ok(Self { handle, flavor, shape, length, cells, gate })
    }

    /// Where it is: what travels.
    pub fn offset(&self) -> u64 {
        self.handle.offset()
    }

    /// What it is to scripts.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// What an element is made of.
    #[inline]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The elements.
    #[inline]
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// The lock, if there is one.
    #[inline]
    pub fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    /// Whether both show the same elements.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        let origin = |block: &Self| match layout(block.offset()).origin.load(Ordering::Relaxed) {
            0 => block.offset(),
            origin => origin,
        };
        origin(self) == origin(other)
    }
}

fn layout(offset: u64) -> &'static Layout {
    // SAFETY: only called with offsets of blocks that somebody holds.
    unsafe { at(offset) }
}

/// Makes the object, with `words` from `letter` to `array`; it has no data yet.
fn create(words: [u64; 4], lock: u64, origin: u64) -> Result<Handle, OutOfMemory> {
    let handle = Handle::create(Kind::Block, size_of::<Layout>(), |place| {
        // SAFETY: memory of that size in this process's hand; the fields are atomics.
        let layout: &Layout = unsafe { &*place.cast() };
        layout.data.store(0, Ordering::Relaxed);
        layout.bundle.store(0, Ordering::Relaxed);
        let places = [&layout.letter, &layout.shape, &layout.length, &layout.array];
        places.iter().zip(words).for_each(|(place, word)| place.store(word, Ordering::Relaxed));
        layout.lock.store(lock, Ordering::Relaxed);
        layout.origin.store(origin, Ordering::Relaxed);
    })?;
    if lock != 0 || origin != 0 {
        let bundle = Bundle::new(&[lock.max(origin)])?;
        {
            let layout = layout(handle.offset());
            let held = layout.object.guard.lock();
            held.commit([(&layout.bundle, bundle.offset()), (bundle.hand(), 0)]);
        }
        bundle.published();
    }
    Ok(handle)
}

fn destroy(offset: u64) {
    let layout = layout(offset);
    let data = layout.data.load(Ordering::Relaxed);
    if data != 0 {
        let hand = Hand::free();
        layout.object.guard.lock().commit([(&layout.data, 0), (hand.word(), data | hand::BYTES)]);
        drop(Memory::in_hand(data, hand));
    }
    let bundle = layout.bundle.load(Ordering::Relaxed);
    if bundle != 0 {
        let hand = Hand::free();
        layout.object.guard.lock().commit([(&layout.bundle, 0), (hand.word(), bundle | hand::BUNDLE)]);
        drop(Bundle::in_hand(bundle, hand));
    }
}
