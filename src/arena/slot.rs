//! A slot: what the session knows of one process. `table` has the rules.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::guard::Held;
use super::segment::{header, slots};
use super::sweep;
use super::table::{my_id, tell_watchers, used_slots, wake_takers};
use super::turn::Turn;
use crate::sys::mutex::RobustMutex;
use crate::sys::process::{self, End, SIGTERM, Seen};
use crate::sys::{futex, signal};

/// Blocks that a process holds at one time (see `hand`).
pub const HANDS: usize = 8;
/// Bytes of a name that are kept.
const NAME: usize = 64;

pub const FREE: u32 = 0;
pub const STARTING: u32 = 1;
pub const RUNNING: u32 = 2;
pub const ENDED: u32 = 3;

/// Forked ahead by the fork server, and nobody's yet.
pub const SPARE: u32 = 4;

/// A status that says how the process ended; without it nobody knows.
const KNOWN: u32 = 1 << 31;
const SIGNALLED: u32 = 1 << 30;

/// One process, as the others see it.
#[repr(C, align(64))]
pub struct Slot {
    pub(super) lifeline: RobustMutex,
    /// Woken when a spare process becomes somebody's.
    pub state: AtomicU32,
    pub(super) generation: AtomicU32,
    pub(super) pid: AtomicU32,
    pub(super) status: AtomicU32,
    /// Who noted `status` and took the zombie away, or was about to.
    reaper: AtomicU64,
    /// Changes, and is woken, when the process ends.
    pub ended: AtomicU32,
    /// Index and generation of the creator.
    pub(super) creator: AtomicU64,
    pub(super) role: AtomicU32,
    /// What the process waits for: an operation (see [`Waiting`]) and an object's offset.
    pub(super) waiting: AtomicU32,
    line: AtomicU32,
    waits_for: AtomicU64,
    /// How it is called while it waits for its turn.
    pub turn: Turn,
    /// The parcel with what the process is to run; counted.
    pub(super) start: AtomicU64,
    /// The process's table of counted handles, a block of offsets, and how many fit.
    pub(super) handles: AtomicU64,
    pub(super) handles_capacity: AtomicU64,
    pub(super) nowhere: AtomicU64,
    pub(super) guards: [AtomicU64; 4],
    pub(super) hands: [AtomicU64; HANDS],
    name: [AtomicU64; NAME / 8],
}

/// Names one process for ever (invariant 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessId {
    pub index: u32,
    pub generation: u32,
}

impl ProcessId {
    /// As one word, never 0.
    pub fn pack(self) -> u64 {
        u64::from(self.index) << 32 | u64::from(self.generation)
    }

    /// The name that [`ProcessId::pack`] made a word of.
    pub fn unpack(word: u64) -> Self {
        Self { index: (word >> 32) as u32, generation: word as u32 }
    }

    /// The slot, if it is still this process's.
    pub fn slot(self) -> Option<&'static Slot> {
        let slot = slots().get(self.index as usize)?;
        (slot.generation.load(Ordering::Acquire) == self.generation).then_some(slot)
    }
}

/// What a process is to the one who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Role {
    /// Its maker waits for it at its own end.
    Process = 0,
    /// Ended when its maker ends; may not have children.
    Daemon = 1,
    /// A daemon that may have children: a pool's tasks are free to start processes.
    Worker = 2,
    /// The session's fork server: nobody waits for it, and it ends with the session.
    Server = 3,
    /// What the fork server forked ahead; somebody's as soon as somebody takes it.
    Spare = 4,
    /// Cleans up after a first process that was killed: nobody waits for it, and it outlives the session.
    Watcher = 5,
}

impl Role {
    /// Whether it is ended when its maker ends.
    pub fn is_daemon(self) -> bool {
        matches!(self, Self::Daemon | Self::Worker)
    }
}

/// What a process waits for, for whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Waiting {
    Nothing = 0,
    Put = 1,
    Get = 2,
    Join = 3,
    Sleep = 4,
    Result = 5,
    Task = 6,
    Start = 7,
    Request = 8,
    First = 9,
    Lock = 16,
    Semaphore = 17,
    Condition = 18,
    Event = 19,
    Barrier = 20,
    /// Something from outside the session: a message, a client, an answer.
    Socket = 24,
}

impl Slot {
    /// The state, one of [`FREE`], [`STARTING`], [`RUNNING`], [`ENDED`].
    pub fn state(&self) -> u32 {
        self.state.load(Ordering::Acquire)
    }

    /// The process id; 0 while it is not known.
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Acquire)
    }

    /// Whoever made the process knows its id before it has entered.
    pub fn set_pid(&self, pid: u32) {
        self.pid.store(pid, Ordering::Release);
        // It may have ended before its id was known, and its signal have found nothing to do.
        self.reap();
    }

    /// What it is to the one who made it.
    pub fn role(&self) -> Role {
        match self.role.load(Ordering::Relaxed) {
            0 => Role::Process,
            1 => Role::Daemon,
            2 => Role::Worker,
            3 => Role::Server,
            5 => Role::Watcher,
            _ => Role::Spare,
        }
    }

    /// Its name in the table.
    pub fn id(&self) -> ProcessId {
        let index = super::segment::offset_of(self) - super::segment::offset_of(&slots()[0]);
        ProcessId {
            index: (index / size_of::<Self>() as u64) as u32,
            generation: self.generation.load(Ordering::Acquire),
        }
    }

    /// Who made it; `None` for the first process.
    pub fn creator(&self) -> Option<ProcessId> {
        let word = self.creator.load(Ordering::Relaxed);
        (word != u64::MAX).then(|| ProcessId::unpack(word))
    }

    /// The name people see, cut at 64 bytes.
    pub fn name(&self) -> String {
        let bytes: Vec<u8> =
            self.name.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }

    /// Changes the name people see.
    pub fn set_name(&self, name: &str) {
        let mut bytes = [0_u8; NAME];
        let end = name.floor_char_boundary(NAME);
        bytes[..end].copy_from_slice(&name.as_bytes()[..end]);
        for (word, piece) in self.name.iter().zip(bytes.chunks_exact(8)) {
            let mut value = [0_u8; 8];
            value.copy_from_slice(piece);
            word.store(u64::from_le_bytes(value), Ordering::Relaxed);
        }
    }

    /// Whether the fork server made it ahead and nobody has it yet. Who takes it says first what it will be.
    pub fn is_spare(&self) -> bool {
        self.role() == Role::Spare || self.state() == SPARE
    }

    /// Whether there is a process, or its zombie: it is known, and nobody has seen it end. Its lifeline does not
    /// count: a process that is ending lets go of that before anybody can take its zombie away.
    pub fn has_process(&self) -> bool {
        self.pid() != 0 && matches!(self.state(), STARTING | RUNNING | SPARE)
    }

    /// Whether the process runs, or is still coming up under a creator that does.
    pub fn is_alive(&self) -> bool {
        match self.state() {
            RUNNING | SPARE => self.lifeline.is_held_by_the_living(),
            STARTING => self.creator().and_then(ProcessId::slot).is_some_and(|creator| {
                creator.state() == RUNNING && creator.lifeline.is_held_by_the_living()
            }),
            _ => false,
        }
    }

    /// How it ended, once it is [`ENDED`] and somebody saw how.
    pub fn end(&self) -> Option<End> {
        let status = self.status.load(Ordering::Acquire);
        if status & KNOWN == 0 {
            return None;
        }
        let number = (status & 0xffff) as i32;
        Some(if status & SIGNALLED == 0 { End::Exited(number) } else { End::Signalled(number) })
    }

    /// Notes how it ended, and that this process takes its zombie away. Only atomics.
    fn note(&self, end: End) {
        let status = match end {
            End::Exited(code) => KNOWN | (code & 0xff) as u32,
            End::Signalled(number) => KNOWN | SIGNALLED | (number & 0xff) as u32,
        };
        self.reaper.store(my_id().map_or(0, ProcessId::pack), Ordering::SeqCst);
        self.status.store(status, Ordering::SeqCst);
    }

    /// Wakes those who wait for its end (invariant 3). Only atomics and a wake-up.
    fn has_ended(&self) {
        self.state.store(ENDED, Ordering::Release);
        self.ended.fetch_add(1, Ordering::Release);
        futex::wake(&self.ended, u32::MAX);
        header().deaths.fetch_add(1, Ordering::Release);
        sweep::has_reaped();
        tell_watchers();
    }

    /// What a death means for those that are still there. Only atomics and system calls.
    fn tell_others(&self) {
        let dead = self.id();
        if self.role() == Role::Server {
            wake_takers();
        }
        // The fork server's children have another parent than their creator: the kernel does not tell them of
        // its death.
        for slot in used_slots() {
            if slot.was_lost_by(dead) {
                slot.tell_others();
                slot.has_ended();
            }
            let running = matches!(slot.state(), STARTING | RUNNING);
            if running && slot.role().is_daemon() && slot.creator() == Some(dead) {
                let _ = process::kill(slot.pid(), SIGTERM);
            }
        }
    }

    /// Whether its zombie was taken away by `reaper`, who was killed before it could say so (invariant 4).
    fn was_lost_by(&self, reaper: ProcessId) -> bool {
        self.has_process()
            && self.status.load(Ordering::SeqCst) & KNOWN != 0
            && !process::exists(self.pid())
            && self.reaper.load(Ordering::SeqCst) == reaper.pack()
    }

    /// If this is a child of the calling process and has ended, notes how it ended and takes its zombie away.
    /// Safe in a signal handler.
    pub fn reap(&self) {
        let pid = self.pid();
        if !self.has_process() || !matches!(process::look(pid), Seen::Ended(_)) {
            return;
        }
        // A handler that did the same now would leave the slot to whoever wants it.
        let _held_back = signal::hold_back();
        if let Seen::Ended(end) = process::look(pid) {
            self.note(end);
            if process::take_away(pid) {
                self.tell_others();
                self.has_ended();
            }
        }
    }

    /// Says what this process waits for, and at which line of its script.
    pub fn waits(&self, what: Waiting, object: u64) {
        self.waits_for.store(object, Ordering::Relaxed);
        self.waiting.store(what as u32, Ordering::Relaxed);
    }

    /// Whether this process said that it waits for `object` in that way.
    #[inline]
    pub fn waits_for(&self, what: Waiting, object: u64) -> bool {
        self.waits_for.load(Ordering::Relaxed) == object
            && self.waiting.load(Ordering::Relaxed) == what as u32
    }

    /// Whether this process waits for something now.
    pub fn waits_now(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) != Waiting::Nothing as u32
    }

    /// The line of the script that runs now (of the last call that may wait).
    pub fn at_line(&self, line: u32) {
        self.line.store(line, Ordering::Relaxed);
    }

    /// The line last noted.
    pub fn line(&self) -> u32 {
        self.line.load(Ordering::Relaxed)
    }

    /// Frees the slot for another process. The caller holds the table's guard and has swept it.
    pub(super) fn set_free(&self, _held: &Held<'_>) {
        self.pid.store(0, Ordering::Relaxed);
        self.state.store(FREE, Ordering::Release);
    }

    /// Marks a process as ended whose end nobody could see: its parent was dead as well.
    pub fn presume_dead(&self) {
        self.status.store(0, Ordering::Release);
        self.has_ended();
    }
}

#[cfg(test)]
mod tests;
