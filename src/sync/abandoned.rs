//! What is known of a process that died while it held something, for the one that gets it next.
//!
//! The dead process's slot may be another one's by the time somebody asks, so its name is kept with the object.
//! The words change under the object's guard, before the object says that it was abandoned.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::wait::sleep_on;
use crate::arena::table::{ProcessId, Slot};
use crate::sys::clock::Deadline;
use crate::sys::process::End;

/// Words of a name that are kept.
const NAME: usize = 8;

/// It gave back what it held by itself.
const BY_ITSELF: u32 = 1;
const DIED: u32 = 0;

/// How long somebody waits to learn how a process ended, in seconds.
const MOMENT: f64 = 0.1;

/// The record of the last one that died.
#[repr(C)]
pub struct Record {
    id: AtomicU64,
    name: [AtomicU64; NAME],
    pid: AtomicU32,
    line: AtomicU32,
    last: AtomicU32,
    how: AtomicU32,
    /// How often somebody has taken over what a dead process held.
    taken_over: AtomicU32,
}

/// A process that died while it held something, as the next one learns of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abandoned {
    id: ProcessId,
    /// Its name.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// The line since which it held it; 0 is unknown.
    pub line: u32,
    /// The line where its script was last seen; 0 is unknown.
    pub last: u32,
    how: Ending,
}

impl Abandoned {
    /// How it ended. Its death is often noticed a moment before its parent has seen it, so this waits that moment.
    pub fn how(&self) -> Ending {
        let deadline = Deadline::after(Some(MOMENT));
        while self.how == Ending::Unseen
            && let Some(slot) = self.id.slot()
        {
            slot.reap();
            let changes = slot.ended.load(Ordering::Acquire);
            if let Some(end) = slot.end() {
                return Ending::Seen(end);
            }
            if sleep_on(&slot.ended, changes, deadline).is_err() {
                break;
            }
        }
        self.how
    }
}

/// How a process that held something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It came to its end, and still held it.
    ByItself,
    /// As its parent saw it.
    Seen(End),
    /// Nobody has seen it yet.
    Unseen,
}

impl Record {
    /// Forgets everything: for memory that becomes a new object.
    pub fn reset(&self) {
        self.id.store(0, Ordering::Relaxed);
        self.taken_over.store(0, Ordering::Relaxed);
    }

    /// Notes that the process of `slot` is dead, or about to end, and held something since `line`.
    pub fn note(&self, slot: &Slot, line: u32) {
        let mut name = slot.name().into_bytes();
        name.resize(NAME * 8, 0);
        for (word, piece) in self.name.iter().zip(name.chunks_exact(8)) {
            let mut value = [0_u8; 8];
            value.copy_from_slice(piece);
            word.store(u64::from_le_bytes(value), Ordering::Relaxed);
        }
        self.pid.store(slot.pid(), Ordering::Relaxed);
        self.line.store(line, Ordering::Relaxed);
        self.last.store(slot.line(), Ordering::Relaxed);
        self.how.store(if slot.is_alive() { BY_ITSELF } else { DIED }, Ordering::Relaxed);
        self.id.store(slot.id().pack(), Ordering::Release);
    }

    /// Somebody takes over what the dead process held, and learns of it.
    pub fn take_over(&self) -> Abandoned {
        self.taken_over.store(self.times() + 1, Ordering::Relaxed);
        let bytes: Vec<u8> =
            self.name.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let id = ProcessId::unpack(self.id.load(Ordering::Relaxed));
        let seen = || id.slot().and_then(Slot::end).map_or(Ending::Unseen, Ending::Seen);
        let how = if self.how.load(Ordering::Relaxed) == BY_ITSELF { Ending::ByItself } else { seen() };
        Abandoned {
            id,
            name: String::from_utf8_lossy(&bytes[..end]).into_owned(),
            pid: self.pid.load(Ordering::Relaxed),
            line: self.line.load(Ordering::Relaxed),
            last: self.last.load(Ordering::Relaxed),
            how,
        }
    }

    /// How often somebody has taken over what a dead process held.
    pub fn times(&self) -> u32 {
        self.taken_over.load(Ordering::Relaxed)
    }
}
