//! A session begins with its first process; every other process enters it through the table.

use std::io;

use crate::arena::table::{self, ProcessId, RUNNING};
use crate::arena::{parcel, segment};
use crate::process::{family, finish};
use crate::share::block;
use crate::sync;
use crate::sys::{heap, process, signal};

/// The name of the first process.
pub const MAIN: &str = "MainProcess";
/// How a started process is told its slot: `--process=INDEX:GENERATION`.
pub const ENTER: &str = "--process=";

/// How a watcher is told its slot.
pub const WATCH: &str = "--watch=";

/// What every process of a session does first.
fn prepare() {
    heap::keep_large();
    parcel::register();
    sync::register();
    block::register();
    signal::ignore_write_signals();
    signal::let_crashes_kill();
}

/// Opens a session with this process as its first; shared objects may take `limit` bytes (half of the
/// machine's memory without one).
///
/// # Errors
/// If the system refuses the memory.
pub fn begin(limit: Option<u64>) -> io::Result<()> {
    process::keep_descriptors();
    signal::hold_nothing_back();
    segment::create(limit)?;
    prepare();
    let first = table::claim(MAIN, table::Role::Process).map_err(io::Error::other)?;
    if !table::enter(first) {
        return Err(io::Error::other("the first slot of a new session is taken"));
    }
    process::become_subreaper();
    signal::on_child_death(table::reap_children);
    signal::on_second_interrupt(finish::kill_tree);
    if !signal::ignores_interrupts() {
        signal::count_interrupts();
    }
    Ok(())
}

/// Enters the session that started this process for the slot that `argument` (behind [`ENTER`]) names.
/// `false` if nobody waits for it any more.
///
/// # Errors
/// If there is no session, or the argument is not one that stook wrote.
pub fn enter(argument: &str) -> io::Result<bool> {
    let id = inherit(argument)?;
    prepare();
    obey();
    if !table::enter(id) {
        return Ok(false);
    }
    let parent = id.slot().and_then(|slot| slot.creator()?.slot()).map_or(0, table::Slot::pid);
    family::watch_parent(parent);
    Ok(true)
}

/// Enters the session as its watcher, which no other process's death ends. `false` if it is not waited for.
///
/// # Errors
/// If there is no session, or the argument is not one that stook wrote.
pub fn enter_to_watch(argument: &str) -> io::Result<bool> {
    let id = inherit(argument)?;
    prepare();
    Ok(table::enter(id))
}

/// Opens the session's segment; the slot that `argument` names.
fn inherit(argument: &str) -> io::Result<ProcessId> {
    let invalid =
        || io::Error::other("this option is for stook's own use: it starts a process of a running session");
    let (index, generation) = argument.split_once(':').ok_or_else(invalid)?;
    let id = ProcessId {
        index: index.parse().map_err(|_| invalid())?,
        generation: generation.parse().map_err(|_| invalid())?,
    };
    segment::inherit().map_err(|_| invalid())?;
    // The system would call it after the link to the program that it was started by.
    process::show_name(c"stook");
    Ok(id)
}

/// What the signals mean to a started process: Ctrl-C is the first process's, unless one of the session sends
/// SIGINT to this very process.
pub(super) fn obey() {
    signal::heed_sent_interrupts(|sender| {
        table::used_slots().any(|slot| slot.pid() == sender && slot.state() == RUNNING)
    });
    signal::let_termination_kill();
    signal::on_child_death(table::reap_children);
}
