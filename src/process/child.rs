//! A started process, as the one who started it sees it.

use std::sync::atomic::Ordering;

use super::start::PackError;
use crate::arena::blocks::OutOfMemory;
use crate::arena::sweep;
use crate::arena::table::{self, ENDED, ProcessId, Role, TableFull};
use crate::sync::wait::SLICE;
use crate::sys::clock::Deadline;
use crate::sys::futex;
use crate::sys::process::{self, End};

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The session has no room for it.
    #[error(transparent)]
    TableFull(#[from] TableFull),
    /// The system has no room for it.
    #[error("the system refuses another process: {0}")]
    System(#[from] std::io::Error),
    /// There is no memory for what it needs.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// What the fork server is to begin with can't be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The fork server ends before it can start anything.
    #[error("the fork server ends with exit code {0} before it can start a process: see its error above")]
    Server(i32),
    /// Ctrl-C while waiting for the fork server.
    #[error("interrupted")]
    Interrupted,
    /// The slot was taken away: another process took this one for dead.
    #[error("the session has given this process up")]
    Gone,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Child {
    id: ProcessId,
    pid: u32,
    role: Role,
    end: Option<End>,
}

impl Child {
    /// The process of the slot `id`, which this process has just started.
    pub(super) fn new(id: ProcessId) -> Self {
        let slot = id.slot();
        let pid = slot.map_or(0, table::Slot::pid);
        let role = slot.map_or(Role::Process, table::Slot::role);
        Self { id, pid, role, end: None }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its name in the table.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// What it is to its parent.
    pub fn role(&self) -> Role {
        self.role
    }

    /// How it ended, if it has. The first call that finds it ended also cleans up after it.
    pub fn poll(&mut self) -> Option<End> {
        if self.end.is_none() {
            let slot = self.id.slot().inspect(|slot| slot.reap());
            match slot {
                Some(slot) if slot.state() == ENDED => {
                    // A status that nobody saw (another part of the program waited for it) is 255.
                    self.end = Some(slot.end().unwrap_or(End::Exited(255)));
                    sweep::release(self.id);
                }
                Some(_) => {}
                None => self.end = Some(End::Exited(255)),
            }
        }
        self.end
    }

    /// Whether its end was seen already: one load, where [`Child::poll`] asks the system.
    pub fn has_ended(&self) -> bool {
        self.end.is_some() || self.id.slot().is_none_or(|slot| slot.state() == ENDED)
    }

    /// Waits until it has ended, or the deadline; heeds no Ctrl-C, and nothing else is looked after meanwhile: for a
    /// process that has been told to end.
    pub fn join_uninterrupted(&mut self, deadline: Deadline) -> Option<End> {
        while self.poll().is_none() {
            let slice = deadline.slice(SLICE)?;
            let Some(slot) = self.id.slot() else { continue };
            let seen = slot.ended.load(Ordering::Acquire);
            if slot.state() != ENDED {
                futex::wait(&slot.ended, seen, slice);
            }
        }
        self.end
    }

    /// Sends it a signal, if it has not ended.
    ///
    /// # Errors
    /// If the system forbids it.
    pub fn signal(&mut self, number: i32) -> std::io::Result<()> {
        if self.poll().is_some() { Ok(()) } else { process::kill(self.pid, number) }
    }
}
