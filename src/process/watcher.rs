//! The session's watcher: a process that is there for the case that the first one is killed.
//!
//! What the session made by name, in /dev/shm (see `share::tracked`) or as a listener's socket file (see
//! `sync::endpoint`), outlives it. The first process takes it away at its end, but SIGKILL leaves it no time, and every
//! other process of the session dies with it. So the first to make such a thing starts a watcher: the same program
//! without an engine, which sleeps until the first process is dead, cleans up, says so, and ends. Sessions without
//! such things have none.
//!
//! ```text
//! started, in the table --> asleep --first process dead--> waits for the others' death, cleans up, ends
//!                               \--ended by the first process, which has cleaned up
//! ```
//!
//! Invariants
//! 1. A name is written down before the file has it, and the watcher is started before that. So if the first process
//!    is killed anywhere, either there is no name yet, or a watcher that finds it.
//! 2. It dies with nobody: it asks for no signal at anybody's death, has a session (of terminals) of its own, and
//!    does not end by signals that can be ignored. If it is killed, the next one to make such memory starts another.
//! 3. While the session lives it holds no lock and no object, and changes nothing. Afterwards it is the last sweeper:
//!    an endpoint whose last count it takes off removes its socket file.

use std::ffi::CString;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::child::StartError;
use super::session::{self, WATCH};
use super::spawn::{execute_as, give_back};
use crate::arena::sweep;
use crate::arena::table::{self, ProcessId, Role, Slot};
use crate::share::tracked;
use crate::sys::clock::Deadline;
use crate::sys::futex;
use crate::sys::output::{self, Stream};
use crate::sys::process;

const NAME: &str = "watcher";

/// How long the session's other processes may take to die after the first, in seconds.
const PATIENCE: f64 = 10.0;
const MOMENT: Duration = Duration::from_millis(2);

/// Sees that there is a watcher.
///
/// # Errors
/// If none can be started.
pub fn running() -> Result<(), StartError> {
    loop {
        let old = table::watcher();
        if let Some(old) = old
            && let Some(slot) = old.slot()
        {
            slot.reap();
            if slot.is_alive() {
                return Ok(());
            }
            sweep::release(old);
        }
        let id = table::claim(NAME, Role::Watcher)?;
        if table::set_watcher(old, id) {
            return start(id);
        }
        give_back(id);
    }
}

fn start(id: ProcessId) -> Result<(), StartError> {
    let argument = CString::new(format!("{WATCH}{}:{}", id.index, id.generation)).unwrap_or_default();
    execute_as(id, process::SELF, &[c"stook".into(), argument, c"watcher".into()])
}

/// The life of a watcher; `argument` says which it is.
pub fn spawned(argument: &str) -> ! {
    // It is not a person's business what becomes of this: whoever makes the next name starts another one.
    if !session::enter_to_watch(argument).unwrap_or(false) {
        process::exit_now(2);
    }
    process::step_aside();
    let first = table::first().filter(|first| first.is_alive());
    let end = first.and_then(|first| process::end_of(first.pid()));
    // Looked at again: the id may have become another process's before it was asked after.
    while table::first().is_some_and(Slot::is_alive) {
        process::wait_for_end(end.as_ref());
    }
    // The others die with it, each at its own moment, and may make something until then.
    let deadline = Deadline::after(Some(PATIENCE));
    while table::used_slots().any(|slot| slot.role() != Role::Watcher && slot.is_alive())
        && let Some(slice) = deadline.slice(MOMENT)
    {
        futex::wait(&AtomicU32::new(0), 0, slice);
    }
    sweep::sweep();
    clean_up();
    process::exit_now(0)
}

/// Takes away what the session made by name and left, and says so. Nobody may make anything any more.
pub fn clean_up() {
    if let Some(report) = tracked::report(&tracked::clean_up()) {
        // Where nobody can be told, it is gone all the same.
        let _ = output::write_whole(Stream::Err, format!("{report}\n").as_bytes(), None);
    }
}
