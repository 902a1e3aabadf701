//! All processes that this one started and that have not been seen to end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::child::Child;

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
