//! What happens to a process when its parent dies.
//!
//! | who dies | its daemons | its other children |
//! |---|---|---|
//! | the session's first process | end at once | end at once |
//! | any other process | end | go on under the first process |
//!
//! Children of the first process ask the kernel to be killed with it. The others ask for a signal that
//! they handle: its handler looks at the table and decides. What the fork server started is told of its
//! creator's death by whoever reaps that (see `Slot::reap`), as the kernel only knows parents.
//!
//! Invariants
//! 1. The wish is made before the parent is looked at, so a parent that dies in between is noticed by
//!    one of the two.
//!    A first process that dies lets go of its lifeline some time before its children are told: so that is looked
//!    at, too. Whoever saw it held was RUNNING by then, and is waited for by who cleans up after the session.
//! 2. The handler only reads atomics and makes system calls.

use crate::arena::table::{self, ProcessId};
use crate::sys::identity;
use crate::sys::process::{self, SIGKILL, SIGTERM};
use crate::sys::signal::{self, PARENT_DEATH};

/// From now on this process, whose parent is `parent`, learns of its parent's death. It may have happened
/// already.
pub fn watch_parent(parent: u32) {
    signal::on_parent_death(parent_died);
    let under_first = table::first().is_some_and(|first| first.pid() == parent);
    let wish = if under_first { SIGKILL } else { PARENT_DEATH as i32 };
    process::signal_on_parent_death(wish);
    let session_over = table::first().is_none_or(|first| !first.is_alive());
    if session_over || identity::parent_pid() != parent || outlives_creator() {
        parent_died();
    }
}

/// Looks whether this process is one that should have ended already: it has just got its creator.
pub fn check() {
    if outlives_creator() {
        parent_died();
    }
}

/// Whether this is a daemon whose creator is dead. The creator of what the fork server started is another
/// process than the parent.
fn outlives_creator() -> bool {
    let daemon = table::me().filter(|me| me.role().is_daemon());
    daemon.is_some_and(|me| me.creator().and_then(ProcessId::slot).is_none_or(|creator| !creator.is_alive()))
}

fn parent_died() {
    if outlives_creator() {
        // As if the creator had still been there to end it.
        let _ = process::kill(identity::pid(), SIGTERM);
        return;
    }
    process::signal_on_parent_death(SIGKILL);
    let first = table::first().filter(|first| first.is_alive());
    if first.is_none_or(|first| first.pid() != identity::parent_pid()) {
        // The first process is gone as well, and with it the session.
        process::exit_now(1);
    }
}
