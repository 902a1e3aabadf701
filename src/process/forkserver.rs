//! The start method `forkserver`: the session's fork server has a copy of itself ready for whoever needs one.
//!
//! The server is a process of the session that has done what every child has to do (built an engine, read
//! the script). It forks *ahead*: a spare process waits in its slot until somebody takes it. So a start costs
//! its caller no more than filling that slot, and the server forks the next one meanwhile.
//!
//! ```text
//! requester: take a SPARE slot -> STARTING -> fill it -> RUNNING, wake it -> ring --> go on
//!            no spare one: see that a server runs, ring, wait ---------^
//! spare:     forked -> SPARE, wait ------------------------------------> receive, work, end
//! server:    rung: no SPARE slot -> fork -----------------------------------------> fork the next
//! ```
//!
//! Invariants
//! 1. There is at most one server that forks: the one that the header names. Its name changes in one step, and
//!    only after the one before is dead. What a dead one forked ahead is as good as any other.
//! 2. A spare process is taken under the table's guard, by one process. If that is killed before it has filled
//!    the slot, the spare one ends.
//! 3. The server's children are reaped by the server, and by the first process when the server is dead; what a
//!    child is to its requester stands in its slot.

use std::sync::atomic::Ordering;

use super::child::{Child, StartError};
use super::family;
use super::fork::{Forked, fork};
use super::spawn::{give_back, spawn_as};
use crate::arena::parcel::{self, Parcel};
use crate::arena::segment::header;
use crate::arena::sweep;
use crate::arena::table::{self, Role, SPARE, STARTING, Waiting};
use crate::sync::wait::{GaveUp, SLICE, sleep_on};
use crate::sys::clock::Deadline;
use crate::sys::futex;
use crate::sys::process::{End, OUT_OF_MEMORY, exit_now};

/// The server's name in the table.
pub const NAME: &str = "forkserver";

/// How many spare processes the server keeps: one is taken while it forks the next.
const AHEAD: usize = 2;

/// What the server is to start with, made when one is needed.
pub type Begin<'a> = &'a dyn Fn() -> Result<Parcel, StartError>;

/// Starts a process that does what is in `start`; `begin` is what a server starts with, if there is none.
///
/// # Errors
/// [`StartError`]; nothing is left of the attempt.
pub fn start(name: &str, role: Role, start: &Parcel, begin: Begin) -> Result<Child, StartError> {
    loop {
        let seen = header().spares.load(Ordering::Acquire);
        if let Some(id) = table::take_spare(name, role) {
            let slot = id.slot().ok_or(StartError::Gone)?;
            parcel::give_to(slot, start);
            table::go(slot);
            table::ring();
            return Ok(Child::new(id));
        }
        running(begin)?;
        // What was the trouble before may be none any more.
        header().trouble.store(0, Ordering::Release);
        table::ring();
        let slept =
            table::waiting_for(Waiting::Start, 0, || sleep_on(&header().spares, seen, Deadline::Never));
        if slept == Err(GaveUp::Interrupted) {
            return Err(StartError::Interrupted);
        }
        let trouble = header().trouble.swap(0, Ordering::AcqRel);
        if trouble != 0 {
            return Err(std::io::Error::from_raw_os_error(trouble as i32).into());
        }
    }
}

/// Sees that a server runs.
fn running(begin: Begin) -> Result<(), StartError> {
    loop {
        let old = table::server();
        if let Some(old) = old
            && let Some(slot) = old.slot()
        {
            slot.reap();
            if slot.is_alive() {
                return Ok(());
            }
            let end = slot.end();
            sweep::release(old);
            if let Some(End::Exited(code)) = end {
                return Err(StartError::Server(code));
            }
        }
        let start = begin()?;
        let id = table::claim(NAME, Role::Server)?;
        if table::set_server(old, id) {
            return spawn_as(id, &start);
        }
        give_back(id);
    }
}

/// The server's work. Returns in every process that it makes, when that has something to do; never in the
/// server. `rehearse` is called in each of them before it waits for that.
pub fn serve(rehearse: impl Fn()) {
    loop {
        sweep::after_deaths();
        let seen = header().requests.load(Ordering::Acquire);
        if table::server() != table::my_id() {
            // Who started this one was killed while it did, and another one has been named since.
            exit_now(0);
        }
        while spares() < AHEAD {
            match fork("spare", Role::Spare) {
                Ok(Forked::Child) => {
                    rehearse();
                    return stand_by();
                }
                Ok(Forked::Parent(_)) => {}
                Err(error) => {
                    let number = match error {
                        StartError::System(error) => error.raw_os_error(),
                        _ => None,
                    };
                    let number = number.and_then(|number| u32::try_from(number).ok());
                    header().trouble.store(number.unwrap_or(OUT_OF_MEMORY as u32), Ordering::Release);
                    table::wake_takers();
                    break;
                }
            }
        }
        table::waiting_for(Waiting::Request, 0, || futex::wait(&header().requests, seen, SLICE));
    }
}

/// How many spare processes there are, or will be in a moment.
fn spares() -> usize {
    table::used_slots().filter(|slot| slot.is_spare() && slot.is_alive()).count()
}

/// The life of a spare process until it is somebody's.
fn stand_by() {
    let Some(me) = table::me() else { return };
    table::stand_by();
    table::waiting_for(Waiting::Request, 0, || {
        while let state @ (SPARE | STARTING) = me.state() {
            futex::wait(&me.state, state, SLICE);
            if me.state() == STARTING && !me.is_alive() {
                // Whoever took it was killed before it could say what for.
                exit_now(0);
            }
        }
    });
    family::check();
}
