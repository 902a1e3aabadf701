//! Waiting for the first of several processes to end.
//!
//! A sentinel is a process's name in the table, as a number: it stays ready for ever once the process has ended.

use std::sync::atomic::Ordering;

use crate::arena::segment::header;
use crate::arena::table::{self, ENDED, FREE, ProcessId, Waiting};
use crate::sync::wait::{GaveUp, sleep_on};
use crate::sys::clock::Deadline;

/// Waits until one of the processes has ended, or the deadline; which of them have.
///
/// # Errors
/// [`GaveUp::Interrupted`] at Ctrl-C.
pub fn wait(ids: &[ProcessId], deadline: Deadline) -> Result<Vec<bool>, GaveUp> {
    loop {
        let seen = header().deaths.load(Ordering::Acquire);
        let ended: Vec<bool> = ids.iter().map(|id| has_ended(*id)).collect();
        if ended.contains(&true) || ids.is_empty() {
            return Ok(ended);
        }
        let object = ids.first().map_or(0, |id| id.pack());
        let slept = table::waiting_for(Waiting::Join, object, || sleep_on(&header().deaths, seen, deadline));
        match slept {
            Ok(()) => {}
            Err(GaveUp::TimedOut) => return Ok(ids.iter().map(|id| has_ended(*id)).collect()),
            Err(GaveUp::Interrupted) => return Err(GaveUp::Interrupted),
        }
    }
}

fn has_ended(id: ProcessId) -> bool {
    id.slot().is_none_or(|slot| {
        slot.reap();
        // A child of this process has ended when there is an exit code to ask for; of any other one it is
        // enough to know that it is dead.
        let mine = slot.creator() == table::my_id();
        matches!(slot.state(), ENDED | FREE) || !mine && !slot.is_alive()
    })
}
