//! The start method `spawn`: the program is run anew.

use std::cell::RefCell;
use std::ffi::{CStr, CString};

use super::child::{Child, StartError};
use super::session::ENTER;
use crate::arena::parcel::{self, Parcel};
use crate::arena::segment;
use crate::arena::sweep;
use crate::arena::table::{self, ProcessId, Role};
use crate::sys::{process, signal};

thread_local! {
    static EXECUTABLE: RefCell<Option<CString>> = const { RefCell::new(None) };
}

/// Sets the program that children run; [`process::SELF`] without one.
pub fn set_executable(path: CString) {
    EXECUTABLE.set(Some(path));
}

/// The program that children run, if one was set.
pub fn executable() -> Option<CString> {
    EXECUTABLE.with_borrow(Clone::clone)
}

/// Starts a process that does what is in `start`.
///
/// # Errors
/// [`StartError`]; nothing is left of the attempt.
pub fn spawn(name: &str, role: Role, start: &Parcel) -> Result<Child, StartError> {
    let id = table::claim(name, role)?;
    spawn_as(id, start)?;
    Ok(Child::new(id))
}

/// Starts the process of the slot `id`, which is given back if that fails.
///
/// # Errors
/// If the system refuses.
pub(super) fn spawn_as(id: ProcessId, start: &Parcel) -> Result<(), StartError> {
    let slot = id.slot().ok_or(StartError::Gone)?;
    parcel::give_to(slot, start);
    // The name is for those who look at the system's process list: as much of it as the table keeps.
    let shown = CString::new(slot.name()).unwrap_or_default();
    let enter = CString::new(format!("{ENTER}{}:{}", id.index, id.generation)).unwrap_or_default();
    let arguments = [c"stook".into(), enter, shown];
    EXECUTABLE.with_borrow(|executable| {
        let program: &CStr = executable.as_deref().unwrap_or(process::SELF);
        execute_as(id, program, &arguments)
    })
}

/// Starts `program` as the process that has `id`.
///
/// # Errors
/// If the system refuses; the slot is free then.
pub(super) fn execute_as(id: ProcessId, program: &CStr, arguments: &[CString]) -> Result<(), StartError> {
    let slot = id.slot().ok_or(StartError::Gone)?;
    // No handler takes its zombie away before its id is known here: its slot could be somebody else's by then.
    let _held_back = signal::hold_back();
    match process::spawn(program, segment::memory().fd(), arguments) {
        Ok(pid) => {
            slot.set_pid(pid);
            Ok(())
        }
        Err(error) => {
            give_back(id);
            Err(error.into())
        }
    }
}

/// Frees a slot whose process was never started.
pub(super) fn give_back(id: ProcessId) {
    if let Some(slot) = id.slot() {
        slot.presume_dead();
    }
    sweep::release(id);
}
