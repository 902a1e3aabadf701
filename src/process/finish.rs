//! The end of a process: it ends its daemons, waits for its other children, and gives everything back.

use std::time::Duration;

use super::children;
use crate::arena::{sweep, table};
use crate::sync::wait::{GaveUp, sleep_until};
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
        if child.role().is_daemon() {
            if child.join(Deadline::after(Some(GRACE)))?.is_none() {
                let _ = child.signal(SIGKILL);
            }
        }
        child.join(Deadline::Never)?;
    }
    if table::is_first() {
        while orphans_left() {
            // A child's end is a signal, which ends the sleep.
            sleep_until(
                Deadline::after(Some(Duration::from_millis(20).as_secs_f64())),
                table::reap_children,
            )?;
        }
    }
    Ok(())
}

/// Whether processes of this session, other than this one, still run. Daemons whose parent is gone end
/// by themselves.
fn orphans_left() -> bool {
    table::reap_children();
    sweep::sweep();
    table::used_slots().skip(1).any(|slot| slot.is_alive())
}
