//! A process's end as something to wait for.
//!
//! A sentinel is a process's name in the table, as a number: it stays ready for ever once the process has ended.

use crate::arena::table::{self, ENDED, FREE, ProcessId};
use crate::sync::watch::Watched;

/// Ready once the process has ended.
#[derive(Clone, Copy, Debug)]
pub struct Sentinel(pub ProcessId);

impl Watched for Sentinel {
    /// Every death tells the watchers: there is no word to leave.
    fn look(&self) -> bool {
        self.0.slot().is_none_or(|slot| {
            slot.reap();
            // A child of this process has ended when there is an exit code to ask for; of any other one it is
            // enough to know that it is dead.
            let mine = slot.creator() == table::my_id();
            matches!(slot.state(), ENDED | FREE) || !mine && !slot.is_alive()
        })
    }

    fn object(&self) -> u64 {
        self.0.pack()
    }
}
