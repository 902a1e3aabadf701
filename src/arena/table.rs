//! The process table: one slot for each process of the session.
//!
//! ```text
//! FREE --claim by the creator--> STARTING --the child enters--> RUNNING --it ends--> ENDED --swept--> FREE
//!                                 |    \------- it never came up ---------------------/
//!             by the fork server  |
//!                                 \--the child enters--> SPARE --taken--> STARTING --filled--> RUNNING
//! ```
//!
//! | state | pid | lifeline | who changes it next |
//! |---|---|---|---|
//! | FREE | 0 | anything | a creator, under the table's guard |
//! | STARTING | 0, then the child's | not held, but by a spare process | the child; the one that takes it; or the parent that reaps it |
//! | SPARE | the process | held | the one that takes it, under the table's guard; or the parent that reaps it |
//! | RUNNING | the process | held by its main thread | the parent that reaps it; or a sweeper |
//! | ENDED | the process | dead | the creator, or the first process for orphans, after sweeping |
//!
//! Invariants
//! 1. `generation` grows at each claim: (index, generation) names one process for ever.
//! 2. The lifeline is locked by the process itself when it enters and never unlocked: the kernel marks it
//!    when the process ends, however it ends, so one load tells dead from alive.
//! 3. `status` is written by whoever reaps the process, possibly in a signal handler, before `state`
//!    becomes ENDED and `ended` is woken.
//! 4. `reaper` and `status` are written before the zombie is taken away: if the reaper is killed before
//!    `state` is ENDED, either there is a zombie for the first process, or whoever reaps the reaper finds both
//!    words, and no process, and does the rest.
//! 5. A spare process changes from SPARE to STARTING to RUNNING only if it has not become ENDED meanwhile.
//! 6. `hands`, `guards` and `handles` belong to the process while it lives, to its sweeper afterwards.

use std::sync::atomic::{AtomicU32, Ordering};

use super::segment::{header, slots};
pub use super::slot::{ENDED, FREE, HANDS, ProcessId, RUNNING, Role, SPARE, STARTING, Slot, Waiting};
use super::{guard, hand};
use crate::sys::mutex::RobustMutex;
use crate::sys::{futex, identity, process};

/// Processes that a session may have at one time.
pub const SLOTS: usize = 4096;

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

/// Whether this process is the only one that the session ever had.
pub fn is_alone() -> bool {
    header().high.load(Ordering::Acquire) <= 1
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
    true
}

/// This process has just been forked off another one: it has no slot, holds no guard, and has nothing in
/// hand. What was its parent's stays its parent's.
pub fn leave_by_fork() {
    ME.store(NOBODY, Ordering::Relaxed);
    guard::forget_all();
    hand::forget_all();
}

/// Takes a process that the fork server forked ahead: it is STARTING then, in the caller's hands, until
/// [`go`]. `None` if there is no such process.
pub fn take_spare(name: &str, role: Role) -> Option<ProcessId> {
    let _held = header().table_guard.lock();
    while let Some(slot) = spare() {
        slot.creator.store(my_id().map_or(u64::MAX, ProcessId::pack), Ordering::Relaxed);
        slot.set_name(name);
        slot.role.store(role as u32, Ordering::Relaxed);
        if changes(slot, SPARE, STARTING) {
            return Some(slot.id());
        }
        // It was killed at this very moment, and nobody will ask how it ended.
        slot.role.store(Role::Spare as u32, Ordering::Relaxed);
    }
    None
}

/// A process that the fork server forked ahead and nobody took.
pub fn spare() -> Option<&'static Slot> {
    used_slots().find(|slot| slot.state() == SPARE && slot.is_alive())
}

/// A spare process that was taken has all it needs.
pub fn go(slot: &Slot) {
    if changes(slot, STARTING, RUNNING) {
        futex::wake(&slot.state, 1);
    }
}

/// Changes the state, unless whoever reaped the process was faster (invariant 5).
fn changes(slot: &Slot, from: u32, to: u32) -> bool {
    slot.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

/// This process, forked ahead, is there for whoever needs one; the others learn of it.
pub fn stand_by() {
    if let Some(slot) = me() {
        slot.state.store(SPARE, Ordering::Release);
    }
    wake_takers();
}

/// Those who wait for a spare process look again. Only atomics and a wake-up.
pub fn wake_takers() {
    header().spares.fetch_add(1, Ordering::Release);
    futex::wake(&header().spares, u32::MAX);
}

/// Those who wait for the first of several things look again. Only atomics and a wake-up.
pub fn tell_watchers() {
    header().news.fetch_add(1, Ordering::Release);
    futex::wake(&header().news, u32::MAX);
}

/// The fork server looks whether there is a spare process.
pub fn ring() {
    header().requests.fetch_add(1, Ordering::Release);
    futex::wake(&header().requests, 1);
}

/// The session's fork server, if one was ever started.
pub fn server() -> Option<ProcessId> {
    let word = header().server.load(Ordering::Acquire);
    (word != 0).then(|| ProcessId::unpack(word))
}

/// Makes `id` the session's fork server in the place of `old`; `false` if another process was faster.
pub fn set_server(old: Option<ProcessId>, id: ProcessId) -> bool {
    let old = old.map_or(0, ProcessId::pack);
    header().server.compare_exchange(old, id.pack(), Ordering::AcqRel, Ordering::Acquire).is_ok()
}

/// The process that cleans up after the session, if one was ever started.
pub fn watcher() -> Option<ProcessId> {
    let word = header().watcher.load(Ordering::Acquire);
    (word != 0).then(|| ProcessId::unpack(word))
}

/// Makes `id` the session's watcher in the place of `old`; `false` if another process was faster.
pub fn set_watcher(old: Option<ProcessId>, id: ProcessId) -> bool {
    let old = old.map_or(0, ProcessId::pack);
    header().watcher.compare_exchange(old, id.pack(), Ordering::AcqRel, Ordering::Acquire).is_ok()
}

/// How many processes of the session have ended so far: a number that changes with each.
pub fn deaths() -> u32 {
    header().deaths.load(Ordering::Acquire)
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

/// Reaps those of this process's children that have ended; for the first process that includes the orphans
/// it got, and for the fork server what it started for others. Runs in the handler of SIGCHLD.
pub fn reap_children() {
    let (Some(me), Some(my_id)) = (me(), my_id()) else { return };
    let all = is_first() || me.role() == Role::Server;
    for slot in used_slots() {
        if all || slot.creator() == Some(my_id) {
            slot.reap();
        }
    }
    if is_first() {
        take_strangers_away();
    }
}

/// Takes zombies away that no slot knows. The first process gets them: their creators were killed before
/// they could say whom they had started.
fn take_strangers_away() {
    while let Some(pid) = process::any_ended() {
        let known = used_slots().any(|slot| slot.pid() == pid && slot.has_process());
        if known || !process::take_away(pid) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::testing::{Child, session};

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

    /// A process that stands by until somebody takes it, and then ends with 7.
    fn standing_by() -> Child {
        let child = Child::run(|| {
            stand_by();
            let me = me().expect("a slot");
            while me.state() != RUNNING {
                std::thread::yield_now();
            }
            process::exit_now(7);
        });
        while child.id.slot().map(Slot::state) != Some(SPARE) {
            std::thread::yield_now();
        }
        child
    }

    #[test]
    fn a_spare_process_is_taken_once() {
        let _session = session();
        let child = standing_by();
        let id = take_spare("taken", Role::Daemon).expect("there is one");
        assert_eq!(id, child.id);
        let slot = id.slot().expect("it lives");
        assert_eq!((slot.name().as_str(), slot.role(), slot.state()), ("taken", Role::Daemon, STARTING));
        assert_eq!(slot.creator(), my_id());
        assert_eq!(take_spare("taken", Role::Daemon), None);
        go(slot);
        assert_eq!(child.wait(), Some(process::End::Exited(7)));
    }

    #[test]
    fn a_spare_process_that_was_killed_is_not_taken() {
        let _session = session();
        let child = standing_by();
        process::kill(child.pid, process::SIGKILL).expect("it may be killed");
        // It is a zombie still: only its lifeline says that it is dead.
        while child.id.slot().is_some_and(Slot::is_alive) {
            std::thread::yield_now();
        }
        assert_eq!(take_spare("taken", Role::Process), None);
        child.wait();
    }
}
