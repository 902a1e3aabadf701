//! The work that messages stand for: a message is unfinished from when it is put until somebody says that its
//! work is done, whoever took it, and whether or not it was taken.

use std::sync::atomic::Ordering;

use super::{Channel, TakeError};
use crate::arena::table::{Waiting, waiting_for};
use crate::sync::wait::GaveUp;
use crate::sys::clock::Deadline;

impl Channel {
    /// The work of one message is done; `false` if no message is unfinished.
    pub fn task_done(&self) -> bool {
        let layout = self.layout();
        let held = layout.object.guard.lock();
        let done = layout.done.load(Ordering::Relaxed) + 1;
        let put = layout.put.load(Ordering::Relaxed);
        if done > put {
            return false;
        }
        held.commit([(&layout.done, done)]);
        if done == put {
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
            if layout.done.load(Ordering::Relaxed) == layout.put.load(Ordering::Relaxed) {
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
        held.commit([(&layout.done, layout.put.load(Ordering::Relaxed))]);
        let wakeup = layout.idle.changed_for_all();
        drop(held);
        wakeup.send();
    }
}
