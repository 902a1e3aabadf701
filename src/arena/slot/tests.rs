//! Ends of processes that nobody could say at once.

use super::*;
use crate::arena::sweep;
use crate::arena::table::{go, stand_by, take_spare};
use crate::arena::testing::{Child, session};
use crate::sys::identity;
use crate::sys::process::{SIGKILL, exit_now, kill};

fn reap_until_ended(slot: &Slot) {
    while slot.state() != ENDED {
        slot.reap();
        std::thread::yield_now();
    }
}

#[test]
fn what_a_killed_process_was_about_to_say_of_its_child_is_said_for_it() {
    let _session = session();
    let reaper = Child::run(|| {
        // It ends when its id is known: whoever makes that known asks whether it has ended.
        const KNOWN_NOW: u32 = 0x6b6e_6f77;
        let child = Child::run(|| {
            while my_id().and_then(ProcessId::slot).is_some_and(|me| me.line() != KNOWN_NOW) {
                std::thread::yield_now();
            }
            exit_now(7);
        });
        child.id.slot().expect("its slot").at_line(KNOWN_NOW);
        loop {
            if let Seen::Ended(end) = process::look(child.pid) {
                child.id.slot().expect("its slot").note(end);
                process::take_away(child.pid);
                let _ = kill(identity::pid(), SIGKILL);
            }
        }
    });
    reap_until_ended(reaper.id.slot().expect("its slot"));
    let child = used_slots().find(|slot| slot.state() != FREE && slot.creator() == Some(reaper.id));
    let child = child.expect("the child's slot");
    assert_eq!((child.state(), child.end()), (ENDED, Some(End::Exited(7))));
    sweep::release(child.id());
    sweep::release(reaper.id);
}

#[test]
fn a_spare_process_that_ends_in_somebodys_hands_has_ended() {
    let _session = session();
    let spare = Child::run(|| {
        stand_by();
        loop {
            std::thread::park();
        }
    });
    let slot = spare.id.slot().expect("its slot");
    while slot.state() != SPARE {
        std::thread::yield_now();
    }
    assert_eq!(take_spare("taken", Role::Process), Some(spare.id));
    kill(spare.pid, SIGKILL).expect("may be killed");
    reap_until_ended(slot);
    go(slot);
    assert_eq!((slot.state(), slot.end()), (ENDED, Some(End::Signalled(SIGKILL))));
    sweep::release(spare.id);
}
