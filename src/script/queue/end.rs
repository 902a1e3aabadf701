//! One process's view of a queue. To close it means: this process is done with it. For the others it goes on.
//!
//! ```text
//! open, never used --put, get--> open, used --close--> closed, used
//!        \------------close--> closed, never used
//! ```

use std::cell::Cell;
use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult};

use crate::queue::{Queue as Shared, ReceiveError};
use crate::script::carry::Carry;
use crate::script::raise::{Raise, RhaiResult, not_got, not_put, raise};
use crate::sync::channel::{Channel, TakeError};
use crate::sys::clock::Deadline;

/// See the head of this file.
pub struct View {
    queue: Shared,
    closed: Cell<bool>,
    used: Cell<bool>,
}

impl View {
    /// The messages below.
    pub fn channel(&self) -> &Channel {
        self.queue.channel()
    }
}

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

macro_rules! ends {
    ($($name:ident $strict:literal $text:literal)*) => {$(
        #[doc = $text]
        #[derive(Clone)]
        pub struct $name(Rc<View>);

        impl From<Shared> for $name {
            fn from(queue: Shared) -> Self {
                Self(Rc::new(View { queue, closed: Cell::new(false), used: Cell::new(false) }))
            }
        }

        impl End for $name {
            const NAME: &'static str = stringify!($name);
            const STRICT: bool = $strict;

            fn view(&self) -> &View {
                &self.0
            }
        }
    )*};
}

ends! {
    Queue false "Items with every form of `put` and `get`."
    JoinableQueue false "A queue that knows which items' work is not done yet."
    SimpleQueue true "The least that a queue can do; it holds as much as a pipe."
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
