//! The segment as this process sees it, and the header at its start.
//!
//! Invariants
//! 1. A process opens at most one segment, once, and keeps it for life; `base` never changes.
//! 2. An offset that is handed out refers to initialised memory inside the file for as long as somebody
//!    holds what it names (blocks in hand, counted handles, or the header itself).
//! 3. Everything shared is made of atomics and guards; there are no references to plain shared data.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use super::guard::Guard;
use super::size::CLASSES;
use super::table::{SLOTS, Slot};
use crate::sys::memory::Memory;
use crate::sys::{identity, resources};

/// "stook" and the version of the layout: a child of another build refuses the segment.
const MAGIC: u64 = 0x7374_6f6f_6b00_0001;

/// What stands at offset 0.
#[repr(C)]
pub struct Header {
    magic: AtomicU64,
    /// Bytes that the file has now.
    pub(super) size: AtomicU64,
    /// Bytes that blocks may take in all.
    pub(super) limit: AtomicU64,
    /// Where never-used memory begins.
    pub(super) top: AtomicU64,
    /// Bytes in blocks that somebody holds.
    pub(super) used: AtomicU64,
    /// Bytes in free blocks whose pages are still there.
    pub(super) warm: AtomicU64,
    /// Where a process without a slot notes its hands: nobody reads it.
    pub(super) nowhere: AtomicU64,
    /// Slots ever used: the table beyond was never touched.
    pub(super) high: AtomicU64,
    /// The session's fork server, as `ProcessId` packs it; 0 before the first.
    pub(super) server: AtomicU64,
    /// The session's watcher, as `ProcessId` packs it; 0 before the first.
    pub(super) watcher: AtomicU64,
    /// What the session made by name outside of this segment: a list of records (see `share::tracked`).
    pub named: AtomicU64,
    /// Changes, and is woken, when the fork server is to look whether there is a spare process.
    pub requests: AtomicU32,
    /// Changes, and is woken, when there is a spare process, or can't be one.
    pub spares: AtomicU32,
    /// The system's error that kept the fork server from forking, until somebody is told.
    pub trouble: AtomicU32,
    /// Processes of the session that have ended.
    pub(super) deaths: AtomicU32,
    /// How many of them somebody has cleaned up after.
    pub(super) swept: AtomicU32,
    /// Changes, and is woken, when any process ends and when something changes that somebody watches.
    pub news: AtomicU32,
    /// Guards the allocator.
    pub(super) blocks_guard: Guard,
    /// Lets one sweeper in at a time.
    pub(super) sweep_guard: Guard,
    /// Guards the claiming and freeing of slots.
    pub(super) table_guard: Guard,
    /// Guards the counts of handles.
    pub(super) handles_guard: Guard,
    /// Guards the list of what has a name.
    pub named_guard: Guard,
    /// The session's key, 32 random bytes.
    key: [AtomicU64; 4],
    /// Free blocks whose pages are there, by size class.
    pub(super) free: [AtomicU64; CLASSES],
    /// Free blocks whose pages were given back, by size class.
    pub(super) cold: [AtomicU64; CLASSES],
    /// Free blocks that held objects and will again: their guards stay guards.
    pub(super) objects: [AtomicU64; CLASSES],
}

/// Where the slots begin.
const TABLE: usize = 16 << 10;
/// Where blocks begin.
const HEAP: usize = (TABLE + SLOTS * size_of::<Slot>()).next_multiple_of(1 << 16);

const _: () = assert!(size_of::<Header>() <= TABLE);

static MEMORY: OnceLock<Memory> = OnceLock::new();
static BASE: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());

fn keep(memory: Memory) -> io::Result<()> {
    let base = memory.base();
    MEMORY.set(memory).map_err(|_| io::Error::other("this process has a segment already"))?;
    BASE.store(base, Ordering::Release);
    Ok(())
}

/// Makes the segment of a new session. Blocks may take `limit` bytes; without one, half of the
/// machine's (or the cgroup's) memory.
///
/// # Errors
/// If the system refuses the memory.
pub fn create(limit: Option<u64>) -> io::Result<()> {
    let memory = Memory::create()?;
    memory.grow(HEAP)?;
    keep(memory)?;
    let header = header();
    header.size.store(HEAP as u64, Ordering::Relaxed);
    header.top.store(HEAP as u64, Ordering::Relaxed);
    let limit = limit.unwrap_or_else(|| resources::memory_total() / 2);
    header.limit.store(limit.min(self::memory().reserve() as u64), Ordering::Relaxed);
    let mut key = [0_u8; 32];
    identity::random(&mut key)?;
    for (word, bytes) in header.key.iter().zip(key.chunks_exact(8)) {
        let mut value = [0_u8; 8];
        value.copy_from_slice(bytes);
        word.store(u64::from_le_bytes(value), Ordering::Relaxed);
    }
    let guards = [
        &header.blocks_guard,
        &header.table_guard,
        &header.sweep_guard,
        &header.handles_guard,
        &header.named_guard,
    ];
    for guard in guards {
        // SAFETY: the header is fresh zeroed memory that no other process knows yet.
        unsafe { Guard::init(std::ptr::from_ref(guard).cast_mut()) };
    }
    header.magic.store(MAGIC, Ordering::Release);
    Ok(())
}

/// Opens the segment that the parent handed over.
///
/// # Errors
/// If there is none, or it was made by another version.
pub fn inherit() -> io::Result<()> {
    keep(Memory::inherit()?)?;
    if header().magic.load(Ordering::Acquire) == MAGIC {
        Ok(())
    } else {
        Err(io::Error::other("the session was started by another version of stook"))
    }
}

/// Whether this process has a segment.
pub fn is_open() -> bool {
    !BASE.load(Ordering::Relaxed).is_null()
}

/// This process's mapping.
///
/// # Panics
/// If no segment is open: every entry of the program opens one first.
pub fn memory() -> &'static Memory {
    MEMORY.get().expect("the segment is opened before anything uses it")
}

/// The header.
pub fn header() -> &'static Header {
    // SAFETY: the header was zero-initialised by the kernel and consists of atomics (invariant 3).
    unsafe { at(0) }
}

/// A word that nobody reads: for a commit whose shape is fixed and that has nothing to change there.
///
/// Each process has its own, so that they don't share a cache line.
pub fn nowhere() -> &'static AtomicU64 {
    super::table::me().map_or(&header().nowhere, |slot| &slot.nowhere)
}

/// The session's key.
pub fn key() -> [u8; 32] {
    let mut key = [0_u8; 32];
    for (word, bytes) in header().key.iter().zip(key.chunks_exact_mut(8)) {
        bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
    }
    key
}

/// The slots, used or not.
pub fn slots() -> &'static [Slot] {
    // SAFETY: the table lies inside the file from its creation; slots consist of atomics.
    unsafe { std::slice::from_raw_parts(pointer(TABLE as u64).cast::<Slot>(), SLOTS) }
}

/// The address of `offset` in this process.
#[inline]
pub fn pointer(offset: u64) -> *mut u8 {
    let base = BASE.load(Ordering::Relaxed);
    debug_assert!(!base.is_null() && (offset as usize) < memory().reserve());
    base.wrapping_add(offset as usize)
}

/// What lies at `offset`.
///
/// # Safety
/// A live `T` made of atomics lies there (invariants 2 and 3).
#[inline]
pub unsafe fn at<T>(offset: u64) -> &'static T {
    // SAFETY: by this function's contract; the mapping is never removed (invariant 1).
    unsafe { &*pointer(offset).cast::<T>() }
}

/// The offset of something that lies in the segment.
#[inline]
pub fn offset_of<T>(reference: &T) -> u64 {
    let base = BASE.load(Ordering::Relaxed);
    (std::ptr::from_ref(reference).addr() - base.addr()) as u64
}
