//! The process table: one slot for each process of the session.
//!
//! ```text
//! FREE --claim by the parent--> STARTING --the child enters--> RUNNING --it ends--> ENDED --swept--> FREE
//!                                   \------ it never came up ----------------------/
//! ```
//!
//! | state | pid | lifeline | who changes it next |
//! |---|---|---|---|
//! | FREE | 0 | anything | a parent, under the table's guard |
//! | STARTING | 0, then the child's | not held | the child; or the parent that reaps it |
//! | RUNNING | the process | held by its main thread | the parent that reaps it; or a sweeper |
//! | ENDED | the process | dead | the creator, or the first process for orphans, after sweeping |
//!
//! Invariants
//! 1. `generation` grows at each claim: (index, generation) names one process for ever.
//! 2. The lifeline is locked by the process itself when it enters and never unlocked: the kernel marks it
//!    when the process ends, however it ends, so one load tells dead from alive.
//! 3. `status` is written by whoever reaped the process, possibly in a signal handler, before `state`
//!    becomes ENDED and `ended` is woken.
//! 4. `hands`, `guards` and `handles` belong to the process while it lives, to its sweeper afterwards.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::guard::Held;
use super::segment::{header, slots};
use crate::sys::mutex::RobustMutex;
use crate::sys::process::{self, End, Reaped};
use crate::sys::{futex, identity};

/// Processes that a session may have at one time.
pub const SLOTS: usize = 4096;
/// Blocks that a process holds at one time (see `hand`).
pub const HANDS: usize = 8;
/// Bytes of a name that are kept.
const NAME: usize = 64;

pub const FREE: u32 = 0;
pub const STARTING: u32 = 1;
pub const RUNNING: u32 = 2;
pub const ENDED: u32 = 3;

/// A status that says how the process ended; without it nobody knows.
const KNOWN: u32 = 1 << 31;
const SIGNALLED: u32 = 1 << 30;

/// One process, as the others see it.
#[repr(C, align(64))]
pub struct Slot {
    lifeline: RobustMutex,
    state: AtomicU32,
    generation: AtomicU32,
    pid: AtomicU32,
    status: AtomicU32,
    /// Changes, and is woken, when the process ends.
    pub ended: AtomicU32,
    /// Index and generation of the creator.
    creator: AtomicU64,
    role: AtomicU32,
    /// What the process waits for: an operation (see [`Waiting`]) and an object's offset.
    waiting: AtomicU32,
    line: AtomicU32,
    waits_for: AtomicU64,
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
    fn pack(self) -> u64 {
        u64::from(self.index) << 32 | u64::from(self.generation)
    }

    fn unpack(word: u64) -> Self {
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
}

impl Role {
    /// Whether it is ended when its maker ends.
    pub fn is_daemon(self) -> bool {
        self != Self::Process
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
}

/// There is no free slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many processes: a session has at most {SLOTS} at one time")]
pub struct TableFull;

const NOBODY: u32 = u32::MAX;
static ME: AtomicU32 = AtomicU32::new(NOBODY);
static MY_GENERATION: AtomicU32 = AtomicU32::new(0);

/// This process's slot, once it has entered the table.
#[inline]
pub fn me() -> Option<&'static Slot> {
    let index = ME.load(Ordering::Relaxed);
    if index == NOBODY { None } else { slots().get(index as usize) }
}

/// This process's name in the table.
pub fn my_id() -> Option<ProcessId> {
    let index = ME.load(Ordering::Relaxed);
    (index != NOBODY).then(|| ProcessId { index, generation: MY_GENERATION.load(Ordering::Relaxed) })
}

/// Whether this is the session's first process.
pub fn is_first() -> bool {
    ME.load(Ordering::Relaxed) == 0
}

/// The session's first process; it has slot 0.
pub fn first() -> Option<&'static Slot> {
    slots().first()
}

/// The slots that were ever used.
pub fn used_slots() -> impl Iterator<Item = &'static Slot> {
    let high = header().high.load(Ordering::Acquire) as usize;
    slots().iter().take(high)
}

/// Claims a slot for a process that is about to be started by this one.
///
/// # Errors
/// [`TableFull`].
pub fn claim(name: &str, role: Role) -> Result<ProcessId, TableFull> {
    let header = header();
    let held = header.table_guard.lock();
    let high = header.high.load(Ordering::Relaxed) as usize;
    let used = slots().iter().take(high).position(|slot| slot.state.load(Ordering::Relaxed) == FREE);
    let index = used.unwrap_or(high);
    let slot = slots().get(index).ok_or(TableFull)?;
    if used.is_none() {
        // SAFETY: this slot was never used: nobody knows it, and its memory is zero.
        unsafe { RobustMutex::init((&raw const slot.lifeline).cast_mut()) };
        held.commit([(&header.high, high as u64 + 1)]);
    }
    slot.pid.store(0, Ordering::Relaxed);
    slot.status.store(0, Ordering::Relaxed);
    slot.role.store(role as u32, Ordering::Relaxed);
    slot.waiting.store(0, Ordering::Relaxed);
    slot.creator.store(my_id().map_or(u64::MAX, ProcessId::pack), Ordering::Relaxed);
    slot.set_name(name);
    let generation = slot.generation.load(Ordering::Relaxed).wrapping_add(1);
    slot.generation.store(generation, Ordering::Release);
    slot.state.store(STARTING, Ordering::Release);
    drop(held);
    Ok(ProcessId { index: index as u32, generation })
}

/// This process enters the table as `id` and holds its lifeline from now on. `false` if the slot is not
/// waiting for it any more (its creator died and somebody swept): the process has no business then.
pub fn enter(id: ProcessId) -> bool {
    let held = header().table_guard.lock();
    let Some(slot) = id.slot() else { return false };
    if slot.state.load(Ordering::Relaxed) != STARTING {
        return false;
    }
    slot.lifeline.lock();
    slot.pid.store(identity::pid(), Ordering::Relaxed);
    slot.state.store(RUNNING, Ordering::Release);
    drop(held);
    ME.store(id.index, Ordering::Relaxed);
    MY_GENERATION.store(id.generation, Ordering::Relaxed);
    super::hand::forget_all();
    true
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

    /// The parent knows the id before the child has entered.
    pub fn set_pid(&self, pid: u32) {
        self.pid.store(pid, Ordering::Release);
    }

    /// What it is to the one who made it.
    pub fn role(&self) -> Role {
        match self.role.load(Ordering::Relaxed) {
            0 => Role::Process,
            1 => Role::Daemon,
            _ => Role::Worker,
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

    /// Whether the process runs, or is still coming up under a creator that does.
    pub fn is_alive(&self) -> bool {
        match self.state() {
            RUNNING => self.lifeline.is_held_by_the_living(),
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

    /// Notes how it ended and wakes those who wait for that (invariant 3). Only atomics and a wake-up.
    fn has_ended(&self, end: Option<End>) {
        let status = match end {
            Some(End::Exited(code)) => KNOWN | (code & 0xff) as u32,
            Some(End::Signalled(number)) => KNOWN | SIGNALLED | (number & 0xff) as u32,
            None => 0,
        };
        self.status.store(status, Ordering::Release);
        self.state.store(ENDED, Ordering::Release);
        self.ended.fetch_add(1, Ordering::Release);
        futex::wake(&self.ended, u32::MAX);
    }

    /// If this is a child of the calling process and has ended, takes its zombie away and notes how it
    /// ended. Safe in a signal handler.
    pub fn reap(&self) {
        let pid = self.pid();
        if pid != 0
            && matches!(self.state(), STARTING | RUNNING)
            && let Reaped::Ended(end) = process::reap(pid)
        {
            self.has_ended(Some(end));
        }
    }

    /// Says what this process waits for, and at which line of its script.
    pub fn waits(&self, what: Waiting, object: u64) {
        self.waits_for.store(object, Ordering::Relaxed);
        self.waiting.store(what as u32, Ordering::Relaxed);
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
        self.has_ended(None);
    }
}

/// Says in this process's slot what it waits for while `wait` runs.
pub fn waiting_for<T>(what: Waiting, object: u64, wait: impl FnOnce() -> T) -> T {
    if let Some(slot) = me() {
        slot.waits(what, object);
    }
    let result = wait();
    if let Some(slot) = me() {
        slot.waits(Waiting::Nothing, 0);
    }
    result
}

/// Reaps those of this process's children that have ended, and for the first process the orphans it
/// got. Only stook's own children are asked after. Runs in the handler of SIGCHLD.
pub fn reap_children() {
    let Some(my_index) = my_id() else { return };
    let first = is_first();
    for slot in used_slots() {
        if first || slot.creator() == Some(my_index) {
            slot.reap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::testing::session;

    #[test]
    fn a_slot_names_one_process_only() {
        let _session = session();
        let id = claim("first", Role::Process).expect("a slot");
        let slot = id.slot().expect("just claimed");
        assert_eq!((slot.name().as_str(), slot.state()), ("first", STARTING));
        slot.presume_dead();
        super::super::sweep::release(id);
        let next = claim("ä".repeat(40).as_str(), Role::Daemon).expect("a slot");
        assert_eq!(next.index, id.index);
        assert!(id.slot().is_none(), "the old name must not reach the new process");
        assert_eq!(next.slot().map(|slot| slot.name().len()), Some(64));
        next.slot().expect("claimed").presume_dead();
        super::super::sweep::release(next);
    }
}
