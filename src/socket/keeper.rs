//! A keeper: the process that stays behind with the connections that another had lent when it ended.
//!
//! A script may send a connection to another process, close it and end, all before anybody receives it. A
//! descriptor belongs to a process, so one has to be there until then. The one that ends forks it: it has nothing
//! but these descriptors, lets go of everything else, nobody waits for it, and it ends when they are taken over,
//! or nobody can want them any more, or the session ends.
//!
//! Owner death: a process that is killed leaves no keeper, and a keeper may be killed: whoever receives such a
//! connection is told when it uses it.

use super::open;
use crate::arena::table::{self, ENDED, ProcessId, Role};
use crate::arena::{handle, segment, sweep};
use crate::process::fork::{Forked, fork};
use crate::sync::wait::{sleep_on, sleep_until};
use crate::sys::clock::Deadline;
use crate::sys::{descriptor, futex, process};

/// Its name in the table.
const NAME: &str = "connections on their way";
/// How often it looks whether they were taken over, in seconds.
const LOOK: f64 = 0.1;

/// This process is about to end, and done with all that it has: what somebody may still come for stays with a
/// keeper.
pub fn leave_behind() {
    // With the first process the session ends.
    if table::is_first() {
        return;
    }
    open::retire_all();
    if open::lends() {
        match fork(NAME, Role::Server) {
            Ok(Forked::Child) => live(),
            Ok(Forked::Parent(keeper)) => wait_for(keeper),
            // Without room for one more process, whoever receives them is told.
            Err(_) => {}
        }
        open::hand_over();
    }
}

/// Waits until everything is in the keeper's hands, or it has ended.
fn wait_for(keeper: ProcessId) {
    while let Some(slot) = keeper.slot().filter(|slot| slot.state() != ENDED) {
        let state = slot.state();
        if open::has_all(keeper) || sleep_on(&slot.state, state, Deadline::Never).is_err() {
            return;
        }
    }
}

fn live() -> ! {
    let (endpoints, mut numbers) = open::keep_lent();
    if let Some(me) = table::me() {
        futex::wake(&me.state, u32::MAX);
    }
    numbers.push(segment::memory().raw_fd());
    descriptor::close_all_but(&numbers);
    // What the forked memory still knows of is never touched again.
    handle::keep_these(&endpoints);
    while open::lends() {
        // It heeds no Ctrl-C, and is ended by everything else.
        let _ = sleep_until(Deadline::after(Some(LOOK)));
    }
    sweep::myself();
    process::exit_now(0)
}
