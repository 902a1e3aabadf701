//! What scripts do with a queue as one process has it, and the errors of that.

use rhai::{Dynamic, EvalAltResult};

use crate::queue::ReceiveError;
use crate::queue::view::{JoinableQueue, Queue, SimpleQueue, View};
use crate::script::carry::Carry;
use crate::script::raise::{Raise, RhaiResult, not_got, not_put, raise};
use crate::sync::channel::TakeError;
use crate::sync::wait::GaveUp;
use crate::sys::clock::Deadline;

/// A queue of some kind, as scripts have it. A clone is the same view of the same queue.
pub trait End: Clone + 'static {
    /// What scripts call it.
    const NAME: &'static str;
    /// Whether it says so of itself when a queue that was never used is closed.
    const STRICT: bool;

    /// This process's view.
    fn view(&self) -> &View;

    /// The error of whoever uses what this process has closed.
    fn closed(&self) -> Raise {
        let kind = if Self::STRICT { "OSError" } else { "ValueError" };
        raise(kind, format!("{} is closed in this process", Self::NAME))
    }

    /// Whether this process has closed it.
    fn is_closed(&self) -> bool {
        self.view().closed.get()
    }

    /// This process is done with it.
    fn close(&self) {
        self.view().closed.set(true);
    }

    /// Puts a copy of `value`.
    fn put(&self, value: &Dynamic, deadline: Deadline) -> Result<(), Raise> {
        let view = self.view();
        if view.closed.get() {
            return Err(self.closed());
        }
        view.used.set(true);
        view.queue.put(value, &Carry, deadline).map_err(not_put)
    }

    /// Takes the oldest value.
    fn get(&self, deadline: Deadline) -> RhaiResult {
        let view = self.view();
        if view.closed.get() {
            return Err(self.closed());
        }
        view.used.set(true);
        view.queue.get(&Carry, deadline).map_err(not_got)
    }

    /// Whether it is empty now.
    fn is_empty(&self) -> Result<bool, Raise> {
        let view = self.view();
        if view.closed.get() && (Self::STRICT || view.used.get()) {
            return Err(raise("OSError", format!("{} is closed in this process", Self::NAME)));
        }
        Ok(view.channel().is_empty())
    }

    /// As `print` shows it.
    fn text(&self) -> String {
        let channel = self.view().channel();
        let closed = if self.is_closed() { ", closed" } else { "" };
        match channel.limit() {
            0 => format!("<{} with {} items{closed}>", Self::NAME, channel.len()),
            limit => format!("<{} with {} of {limit} items{closed}>", Self::NAME, channel.len()),
        }
    }

    /// The next value for one who goes through it, if there is one now.
    fn poll(&self) -> Result<Option<Option<Dynamic>>, Raise> {
        let view = self.view();
        if view.closed.get() {
            return Err(self.closed());
        }
        view.used.set(true);
        match view.queue.get(&Carry, Deadline::after(Some(0.0))) {
            Err(ReceiveError::Take(TakeError::Closed)) => Ok(Some(None)),
            Err(ReceiveError::Take(TakeError::GaveUp(GaveUp::TimedOut))) => Ok(None),
            result => result.map(|value| Some(Some(value))).map_err(not_got),
        }
    }

    /// The next value of a `for` loop; `None` when the queue is shut down and empty.
    fn next(&self) -> Option<Result<Dynamic, Box<EvalAltResult>>> {
        let view = self.view();
        if view.closed.get() {
            return Some(Err(self.closed()));
        }
        view.used.set(true);
        match view.queue.get(&Carry, Deadline::Never) {
            Err(ReceiveError::Take(TakeError::Closed)) => None,
            result => Some(result.map_err(not_got)),
        }
    }
}

impl End for Queue {
    const NAME: &'static str = "Queue";
    const STRICT: bool = false;

    fn view(&self) -> &View {
        self
    }
}

impl End for JoinableQueue {
    const NAME: &'static str = "JoinableQueue";
    const STRICT: bool = false;

    fn view(&self) -> &View {
        self
    }
}

impl End for SimpleQueue {
    const NAME: &'static str = "SimpleQueue";
    const STRICT: bool = true;

    fn view(&self) -> &View {
        self
    }
}

/// What a `for` loop goes through: the items, until the queue is shut down and empty.
pub struct Items<T>(T);

impl<T: End> Iterator for Items<T> {
    type Item = Result<Dynamic, Box<EvalAltResult>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl IntoIterator for Queue {
    type Item = Result<Dynamic, Box<EvalAltResult>>;
    type IntoIter = Items<Self>;

    fn into_iter(self) -> Self::IntoIter {
        Items(self)
    }
}

impl IntoIterator for JoinableQueue {
    type Item = Result<Dynamic, Box<EvalAltResult>>;
    type IntoIter = Items<Self>;

    fn into_iter(self) -> Self::IntoIter {
        Items(self)
    }
}
