//! The end of a process: it ends its daemons, waits for its other children, and gives everything back.

use std::sync::atomic::Ordering;

use super::children;
use crate::arena::sweep;
use crate::arena::table::{self, STARTING, Slot, Waiting};
use crate::sync::wait::{GaveUp, sleep_on};
use crate::sys::clock::Deadline;
use crate::sys::process::{self, SIGKILL, SIGTERM};

/// How long a daemon may take to end after SIGTERM, in seconds.
const GRACE: f64 = 5.0;

/// Ends this process with `code`, after its children.
pub fn finish(code: i32) -> ! {
    if end_children().is_err() {
        // Ctrl-C while waiting: the first process does not wait any longer, and its end ends the tree.
        process::exit_now(130);
    }
    sweep::myself();
    process::exit_now(code)
}

/// Ends the daemons and waits for all children; the first process also waits for the orphans it got.
///
/// # Errors
/// [`GaveUp::Interrupted`] at Ctrl-C.
pub fn end_children() -> Result<(), GaveUp> {
    let children = children::active();
    for child in &children {
        let mut child = child.borrow_mut();
        if child.role().is_daemon() {
            let _ = child.signal(SIGTERM);
        }
    }
    for child in &children {
        let mut child = child.borrow_mut();
        if child.role().is_daemon() && child.join(Deadline::after(Some(GRACE)))?.is_none() {
            let _ = child.signal(SIGKILL);
        }
        child.join(Deadline::Never)?;
    }
    if table::is_first() {
        while let Some(orphan) = orphan() {
            let seen = orphan.ended.load(Ordering::Acquire);
            if runs(orphan) {
                table::waiting_for(Waiting::Join, u64::from(orphan.pid()), || {
                    sleep_on(&orphan.ended, seen, Deadline::Never)
                })?;
            }
        }
    }
    Ok(())
}

/// A process of this session, other than this one, that still runs. Daemons whose parent is gone end by
/// themselves.
fn orphan() -> Option<&'static Slot> {
    table::reap_children();
    sweep::sweep();
    table::used_slots().skip(1).find(|slot| runs(slot))
}

/// Whether it lives, or is about to: an orphan that has not entered yet has nobody to speak for it.
fn runs(slot: &Slot) -> bool {
    slot.is_alive() || slot.state() == STARTING && slot.pid() != 0
}
