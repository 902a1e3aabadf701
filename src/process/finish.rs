//! The end of a process: it ends its daemons, waits for its other children, and gives everything back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{children, watcher};
use crate::arena::sweep;
use crate::arena::table::{self, Role, Slot, Waiting};
use crate::sync::meanwhile;
use crate::sync::wait::{GaveUp, SLICE, sleep_on};
use crate::sys::clock::Deadline;
use crate::sys::futex;
use crate::sys::output::{Stream, write_whole};
use crate::sys::process::{self, SIGKILL, SIGTERM};

/// How long a daemon may take to end after SIGTERM, in seconds.
const GRACE: f64 = 5.0;

/// How often [`kill_tree`] looks again, and how long it waits in between.
const PATIENCE: u32 = 500;
/// How often [`take_leave`] looks, with the same pause.
const FAREWELL: u32 = 50;
const MOMENT: Duration = Duration::from_millis(2);

/// The exit code after Ctrl-C, as shells have it.
const INTERRUPTED: i32 = 130;

/// Ends this process with `code`, after its children.
pub fn finish(code: i32) -> ! {
    meanwhile::forget();
    if end_children().is_err() {
        if !table::is_first() {
            // Somebody wants this very process to end; what it started goes on without it.
            process::exit_now(1);
        }
        // Ctrl-C takes everything with it. If it comes only now, nobody has said so yet.
        if code != INTERRUPTED {
            let _ = write_whole(Stream::Err, b"KeyboardInterrupt: what still runs is ended\n", None);
        }
        end_tree();
        leave_no_names();
        sweep::myself();
        process::exit_now(INTERRUPTED);
    }
    if table::is_first() && table::used_slots().any(|slot| slot.has_process() && is_server(slot)) {
        end_all(&is_server);
    }
    leave_no_names();
    if table::is_first() {
        take_leave();
    }
    sweep::myself();
    process::exit_now(code)
}

/// The first process takes away what the session made by name; its watcher has nothing to do then.
fn leave_no_names() {
    if table::is_first() && table::watcher().is_some() {
        watcher::clean_up();
        kill_all(&is_watcher);
    }
}

/// Takes away what ends with those that have just ended: the programs they ran. One that lives on, because it
/// was meant to, is not waited for.
fn take_leave() {
    for _ in 0..FAREWELL {
        table::reap_children();
        if !process::has_children() {
            return;
        }
        let never = AtomicU32::new(0);
        futex::wait(&never, 0, MOMENT);
    }
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
        let is_daemon = child.borrow().role().is_daemon();
        if is_daemon && children::join(child, Deadline::after(Some(GRACE)))?.is_none() {
            let _ = child.borrow_mut().signal(SIGKILL);
        }
        children::join(child, Deadline::Never)?;
    }
    if table::is_first() {
        while let Some(orphan) = orphan() {
            let seen = orphan.ended.load(Ordering::Acquire);
            if orphan.has_process() {
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
    others(&|slot| !is_server(slot) && !is_watcher(slot)).next()
}

/// The fork server and its spare process go with the session: nobody waits for them.
fn is_server(slot: &Slot) -> bool {
    slot.role() == Role::Server || slot.is_spare()
}

/// The watcher ends last, and not by being asked.
fn is_watcher(slot: &Slot) -> bool {
    slot.role() == Role::Watcher
}

/// The session's other processes for which `chosen` holds.
fn others(chosen: &dyn Fn(&Slot) -> bool) -> impl Iterator<Item = &'static Slot> {
    table::used_slots().skip(1).filter(move |slot| slot.has_process() && chosen(slot))
}

/// Ends every other process of the session. Heeds no Ctrl-C; a second one ends this process, and the kernel
/// the others.
fn end_tree() {
    end_all(&|slot| !is_watcher(slot));
}

/// Ends those of the session's other processes for which `chosen` holds: asks first, kills what does not end,
/// and takes the zombies away.
fn end_all(chosen: &dyn Fn(&Slot) -> bool) {
    let deadline = Deadline::after(Some(GRACE));
    loop {
        // Each time: one of them may have started another one since.
        signal_tree(SIGTERM, chosen);
        table::reap_children();
        sweep::sweep();
        let Some(slot) = others(chosen).next() else { return };
        let seen = slot.ended.load(Ordering::Acquire);
        match deadline.slice(SLICE) {
            Some(slice) if slot.has_process() => {
                futex::wait(&slot.ended, seen, slice);
            }
            Some(_) => {}
            None => return kill_all(chosen),
        }
    }
}

/// Kills every other process of the session, but the watcher, and takes the zombies away. Only atomics and system calls:
/// runs in a signal handler.
pub fn kill_tree() {
    kill_all(&|slot| !is_watcher(slot));
}

fn kill_all(chosen: &dyn Fn(&Slot) -> bool) {
    // Each look kills what is left, also what was started since the last. The kernel needs a moment for
    // each; should it need more than this, it goes on without us.
    for _ in 0..PATIENCE {
        if !signal_tree(SIGKILL, chosen) {
            return;
        }
        let never = AtomicU32::new(0);
        futex::wait(&never, 0, MOMENT);
        table::reap_children();
    }
}

/// Sends `number` to those of the session's other processes for which `chosen` holds; whether there was one.
fn signal_tree(number: i32, chosen: &dyn Fn(&Slot) -> bool) -> bool {
    others(chosen).fold(false, |_, slot| {
        let _ = process::kill(slot.pid(), number);
        true
    })
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::arena::testing::{Child, session};
    use crate::sys::process::End;
    use crate::sys::signal;

    #[test]
    fn what_is_started_while_everything_ends_is_asked_to_end_too() {
        let _session = session();
        let first = Child::run(|| {
            let me = table::me().expect("a slot");
            let held_back = signal::hold_back();
            me.at_line(1);
            while me.line() == 1 {
                std::thread::yield_now();
            }
            drop(held_back);
        });
        let slot = first.id.slot().expect("its slot");
        while slot.line() == 0 {
            std::thread::yield_now();
        }
        let (looks, second) = (Cell::new(0), RefCell::new(None));
        end_all(&|other| {
            if other.id() == first.id {
                looks.set(looks.get() + 1);
                // It has been asked to end by now.
                if looks.get() == 2 {
                    let late = Child::run(|| {
                        loop {
                            std::thread::park();
                        }
                    });
                    late.entered();
                    second.replace(Some(late.id));
                    slot.at_line(2);
                }
            }
            other.id() == first.id || Some(other.id()) == *second.borrow()
        });
        for id in [Some(first.id), second.take()] {
            let id = id.expect("both were started");
            assert_eq!(id.slot().and_then(Slot::end), Some(End::Signalled(SIGTERM)));
            sweep::release(id);
        }
    }
}
