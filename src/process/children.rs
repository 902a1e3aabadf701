//! All processes that this one started and that have not been seen to end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::Ordering;

use super::child::Child;
use crate::arena::table::{self, Waiting};
use crate::sync::wait::{GaveUp, sleep_on};
use crate::sys::clock::Deadline;
use crate::sys::process::End;

/// A child, shared between the script's value and the list here.
pub type Shared = Rc<RefCell<Child>>;

thread_local! {
    static CHILDREN: RefCell<Vec<Shared>> = const { RefCell::new(Vec::new()) };
    static MADE: Cell<u64> = const { Cell::new(0) };
}

/// Adds a started child. Those that have ended meanwhile make room, as nobody may ever ask for them.
pub fn add(child: Child) -> Shared {
    let child = Rc::new(RefCell::new(child));
    CHILDREN.with_borrow_mut(|children| {
        children.retain(|child| {
            let mut child = child.borrow_mut();
            !(child.has_ended() && child.poll().is_some())
        });
        children.push(Rc::clone(&child));
    });
    child
}

/// Waits until a child has ended, or the deadline; how it ended, if it has. The child is not borrowed while this
/// process sleeps: what it does meanwhile may ask for the child.
///
/// # Errors
/// [`GaveUp::Interrupted`] at Ctrl-C.
pub fn join(child: &Shared, deadline: Deadline) -> Result<Option<End>, GaveUp> {
    loop {
        let (id, pid) = (child.borrow().id(), child.borrow().pid());
        let Some(slot) = id.slot() else { return Ok(child.borrow_mut().poll()) };
        let seen = slot.ended.load(Ordering::Acquire);
        let ended = child.borrow_mut().poll();
        if ended.is_some() {
            return Ok(ended);
        }
        let slept =
            table::waiting_for(Waiting::Join, u64::from(pid), || sleep_on(&slot.ended, seen, deadline));
        match slept {
            Ok(()) => {}
            Err(GaveUp::TimedOut) => return Ok(child.borrow_mut().poll()),
            Err(GaveUp::Interrupted) => return Err(GaveUp::Interrupted),
        }
    }
}

/// The number of the next process that this one makes: 1, 2, ...
pub fn next_number() -> u64 {
    MADE.set(MADE.get() + 1);
    MADE.get()
}

/// Those that still run; the others are forgotten (and cleaned up after).
pub fn active() -> Vec<Shared> {
    CHILDREN.with_borrow_mut(|children| {
        children.retain(|child| child.borrow_mut().poll().is_none());
        children.clone()
    })
}

/// This process was forked off: the children here are its parent's, and its own count from 1.
pub(super) fn forget() {
    CHILDREN.take();
    MADE.set(0);
}
