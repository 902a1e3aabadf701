//! One process's view of a queue. To close it means: this process is done with it. For the others it goes on.
//!
//! ```text
//! open, never used --put, get--> open, used --close--> closed, used
//!        \------------close--> closed, never used
//! ```
//!
//! The types stand here and not with what scripts do with them because the engine looks a value's type up by its
//! path, one after the other, at every call.

use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;

use super::Queue as Shared;
use crate::sync::channel::Channel;

/// See the head of this file.
pub struct View {
    /// The queue itself.
    pub queue: Shared,
    /// Whether this process has closed it.
    pub closed: Cell<bool>,
    /// Whether this process has put or taken something.
    pub used: Cell<bool>,
}

impl View {
    /// The messages below.
    pub fn channel(&self) -> &Channel {
        self.queue.channel()
    }
}

macro_rules! queues {
    ($($name:ident $text:literal)*) => {$(
        #[doc = $text]
        #[derive(Clone)]
        pub struct $name(Rc<View>);

        impl From<Shared> for $name {
            fn from(queue: Shared) -> Self {
                Self(Rc::new(View { queue, closed: Cell::new(false), used: Cell::new(false) }))
            }
        }

        impl Deref for $name {
            type Target = View;

            fn deref(&self) -> &View {
                &self.0
            }
        }
    )*};
}

queues! {
    Queue "Items with every form of `put` and `get`. A clone is the same view of the same queue."
    JoinableQueue "A queue that knows which items' work is not done yet."
    SimpleQueue "The least that a queue can do; it holds as much as a pipe."
}
