//! What happens to a process when its parent dies.
//!
//! | who dies | its daemons | its other children |
//! |---|---|---|
//! | the session's first process | end at once | end at once |
//! | any other process | end | go on under the first process |
//!
//! Children of the first process ask the kernel to be killed with it. The others ask for a signal that
//! they handle: its handler looks at the table and decides.
//!
//! Invariants
//! 1. The wish is made before the parent is looked at, so a parent that dies in between is noticed by
//!    one of the two.
//! 2. The handler only reads atomics and makes system calls.

use crate::arena::table::{self, ProcessId};
use crate::sys::identity;
use crate::sys::process::{self, SIGKILL, SIGTERM};
use crate::sys::signal::{self, PARENT_DEATH};

/// From now on this process learns of its parent's death. It may have happened already.
pub fn watch_parent() {
    signal::on_parent_death(parent_died);
    let creator = table::me().and_then(table::Slot::creator).and_then(ProcessId::slot);
    let under_first = creator.is_some_and(|creator| creator.id().index == 0);
    if under_first {
        process::signal_on_parent_death(SIGKILL);
    } else {
        process::signal_on_parent_death(PARENT_DEATH as i32);
    }
    if creator.is_none_or(|creator| creator.pid() != identity::parent_pid()) {
        parent_died();
    }
}

fn parent_died() {
    let Some(me) = table::me() else { return };
    if me.role().is_daemon() {
        // As if the parent had still been there to end it.
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
