//! The start method `fork`: this very process is copied.
//!
//! Invariants
//! 1. Before the fork the child's slot counts every handle that the parent holds, so nothing is destroyed
//!    between the fork and the child's first look.
//! 2. All signals are held back from before the fork until each side has set up what they mean to it:
//!    a SIGTERM in between ends the child like any other.
//! 3. The child never returns into what its parent was doing: it does its own work and ends.

use super::child::{Child, StartError};
use super::spawn::give_back;
use super::{children, family, session};
use crate::arena::inherit;
use crate::arena::table::{self, ProcessId, Role};
use crate::sys::{identity, process, signal};

/// Where the caller finds itself after a fork.
pub enum Forked {
    /// In the process that it was, with a child.
    Parent(ProcessId),
    /// In the child.
    Child,
}

/// Forks this process. The child has what it is to do in its memory, and has entered the table when this
/// returns there.
///
/// # Errors
/// [`StartError`]; nothing is left of the attempt.
pub fn fork(name: &str, role: Role) -> Result<Forked, StartError> {
    let id = table::claim(name, role)?;
    let forked = fork_as(id);
    if forked.is_err() {
        give_back(id);
    }
    forked
}

impl Forked {
    /// The child for the parent; `None` in the child.
    pub fn child(self) -> Option<Child> {
        match self {
            Self::Parent(id) => Some(Child::new(id)),
            Self::Child => None,
        }
    }
}

fn fork_as(id: ProcessId) -> Result<Forked, StartError> {
    let slot = id.slot().ok_or(StartError::Gone)?;
    inherit::copy_to(slot)?;
    let parent = identity::pid();
    let from_first = table::is_first();
    let held_back = signal::hold_back();
    if let Some(pid) = process::fork_alone()? {
        slot.set_pid(pid);
        drop(held_back);
        return Ok(Forked::Parent(id));
    }
    table::leave_by_fork();
    if !table::enter(id) {
        // Its creator is dead, and somebody has given this process up.
        process::exit_now(0);
    }
    children::forget();
    session::obey();
    if from_first {
        // The others have an empty one already. A descriptor limit that leaves no room for it leaves this one.
        let _ = process::empty_stdin();
    }
    family::watch_parent(parent);
    drop(held_back);
    Ok(Forked::Child)
}
