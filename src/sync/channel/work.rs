//! The work that messages stand for: a message is unfinished from when it is put until somebody says that its
//! work is done, whoever took it, and whether or not it was taken.

use std::sync::atomic::Ordering;

use super::cursor::between;
use super::{Channel, Layout, TakeError};
use crate::arena::table::{Waiting, waiting_for};
use crate::sync::wait::GaveUp;
use crate::sys::clock::Deadline;

impl Layout {
    /// Messages whose work is not done. Under the guard.
    fn unfinished(&self) -> u64 {
        between(self.done.load(Ordering::Relaxed), self.put.load().count)
    }
}

impl Channel {
    /// The work of one message is done; `false` if no message is unfinished.
    pub fn task_done(&self) -> bool {
        let layout = self.layout();
        let held = layout.object.guard.lock();
        let unfinished = layout.unfinished();
        if unfinished == 0 {
            return false;
        }
        held.commit([(&layout.done, layout.done.load(Ordering::Relaxed) + 1)]);
        if unfinished == 1 {
            let wakeup = layout.idle.changed_for_all();
            drop(held);
            wakeup.send();
        }
        true
    }

    /// Waits until no message is unfinished, or the deadline; whether that is so.
    ///
    /// # Errors
    /// [`GaveUp::Interrupted`] at Ctrl-C.
    pub fn join(&self, deadline: Deadline) -> Result<bool, GaveUp> {
        let layout = self.layout();
        loop {
            let held = layout.object.guard.lock();
            if layout.unfinished() == 0 {
                return Ok(true);
            }
            let ticket = layout.idle.enter();
            drop(held);
            match waiting_for(Waiting::Join, self.offset(), || layout.idle.sleep(ticket, deadline)) {
                Ok(()) => {}
                Err(GaveUp::TimedOut) => return Ok(false),
                Err(GaveUp::Interrupted) => return Err(GaveUp::Interrupted),
            }
        }
    }

    /// Closes the channel and throws away what is in it; nothing is unfinished then.
    pub fn close_at_once(&self) {
        self.close();
        let mut buffer = Vec::new();
        let now = Deadline::after(Some(0.0));
        while !matches!(self.take(&mut buffer, now), Err(TakeError::Closed)) {}
        let layout = self.layout();
        let held = layout.object.guard.lock();
        held.commit([(&layout.done, layout.put.load().count)]);
        let wakeup = layout.idle.changed_for_all();
        drop(held);
        wakeup.send();
    }
}
