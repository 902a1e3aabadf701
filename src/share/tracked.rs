//! What the session made by name, and has to take away at its end.
//!
//! Files in /dev/shm outlive every process. So the session writes down each one before it gets its name: the name,
//! and which file it is. Whoever cleans up (the first process at its end, the watcher if that was killed) takes
//! away each name that still belongs to that very file, and says so.
//!
//! ```text
//! FREE --written down, then `inode`--> NOTED --unlinked, or cleaned up--> FREE
//! ```
//!
//! Invariants
//! 1. A record is noted before its file has a name, and a name is removed only from the file that the record
//!    means: what somebody else made under the same name is never touched. A process killed in between leaves a
//!    record of a file that is gone.
//! 2. Records are blocks of a list that only grows, until the session ends; a free record is used again. They are
//!    atomics, so the list can be read by anybody at any time.
//! 3. `inode` is written last, and not 0: what it says belongs to a whole record.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::blocks::{Block, OutOfMemory, Use};
use crate::arena::segment::{at, header};
use crate::arena::table::me;
use crate::sys::identity;
use crate::sys::named::{self, FileId, NAME};

const WORDS: usize = (NAME + 1) / 8;

#[repr(C)]
struct Record {
    next: AtomicU64,
    device: AtomicU64,
    /// 0 in a free record.
    inode: AtomicU64,
    pid: AtomicU64,
    line: AtomicU64,
    name: [AtomicU64; WORDS],
}

/// A name that was left behind, and is gone now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    pub name: String,
    /// The process that made it.
    pub pid: u64,
    /// The line of the script that made it.
    pub line: u64,
}

/// A record of a file that is about to get its name.
#[must_use]
pub struct Note(&'static Record);

fn records() -> impl Iterator<Item = &'static Record> {
    let record = |offset: u64| {
        // SAFETY: records are published whole and stay for as long as the session (invariant 2).
        (offset != 0).then(|| unsafe { at::<Record>(offset) })
    };
    let first = record(header().named.load(Ordering::Acquire));
    std::iter::successors(first, move |last| record(last.next.load(Ordering::Acquire)))
}

impl Record {
    fn note(&self, name: &str, id: FileId) {
        let mut bytes = [0; WORDS * 8];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        for (word, piece) in self.name.iter().zip(bytes.as_chunks().0) {
            word.store(u64::from_ne_bytes(*piece), Ordering::Relaxed);
        }
        self.device.store(id.device, Ordering::Relaxed);
        self.pid.store(identity::pid().into(), Ordering::Relaxed);
        self.line.store(me().map_or(0, |slot| slot.line().into()), Ordering::Relaxed);
        self.inode.store(id.inode, Ordering::Release);
    }

    fn id(&self) -> Option<FileId> {
        let inode = self.inode.load(Ordering::Acquire);
        (inode != 0).then(|| FileId { device: self.device.load(Ordering::Relaxed), inode })
    }

    fn name(&self) -> String {
        let words = self.name.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes());
        let bytes: Vec<u8> = words.take_while(|byte| *byte != 0).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Writes down that the file `id` is about to get `name`, of at most [`NAME`] bytes.
///
/// # Errors
/// [`OutOfMemory`].
pub fn note(name: &str, id: FileId) -> Result<Note, OutOfMemory> {
    {
        let _held = header().named_guard.lock();
        if let Some(free) = records().find(|record| record.id().is_none()) {
            free.note(name, id);
            return Ok(Note(free));
        }
    }
    let mut block = Block::new(size_of::<Record>() as u64, Use::Bytes)?;
    block.bytes_mut().fill(0);
    // SAFETY: zeroed memory of that size in this process's hand; the fields are atomics.
    let record: &'static Record = unsafe { at(block.offset()) };
    record.note(name, id);
    {
        let held = header().named_guard.lock();
        record.next.store(header().named.load(Ordering::Relaxed), Ordering::Relaxed);
        held.commit([(&header().named, block.offset()), (block.hand(), 0)]);
    }
    block.published();
    Ok(Note(record))
}

impl Note {
    /// The file did not get its name.
    pub fn withdraw(self) {
        self.0.inode.store(0, Ordering::Release);
    }
}

/// The name was taken away on purpose; `id` is the file that had it.
pub fn forget(name: &str, id: Option<FileId>) {
    let _held = header().named_guard.lock();
    let meant =
        |record: &&Record| record.id().is_some_and(|noted| Some(noted) == id) && record.name() == name;
    if let Some(record) = records().find(meant) {
        record.inode.store(0, Ordering::Release);
    }
}

/// Takes away every name that the session made and left, and forgets all records. Whoever calls it is the only one
/// left: of a file that is just getting its name the record would be forgotten, and the name stay.
pub fn clean_up() -> Vec<Leftover> {
    let mut left = Vec::new();
    for record in records() {
        let Some(noted) = record.id() else { continue };
        let name = record.name();
        if named::id(&name) == Some(noted) && named::remove(&name).is_ok() {
            let (pid, line) = (record.pid.load(Ordering::Relaxed), record.line.load(Ordering::Relaxed));
            left.push(Leftover { name, pid, line });
        }
        record.inode.store(0, Ordering::Release);
    }
    left
}

/// What people are told about names that were left; `None` if there are none.
pub fn report(left: &[Leftover]) -> Option<String> {
    let many = if left.len() == 1 { "object" } else { "objects" };
    let mut names: Vec<String> = left
        .iter()
        .map(|one| match one.line {
            0 => format!("'{}' (made by process {})", one.name, one.pid),
            line => format!("'{}' (made by process {} at line {line})", one.name, one.pid),
        })
        .collect();
    names.sort();
    (!left.is_empty()).then(|| {
        format!(
            "stook: removed {} leaked shared_memory {many}: {}; call unlink() when nobody needs it any more",
            left.len(),
            names.join(", ")
        )
    })
}
