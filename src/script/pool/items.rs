//! What `imap` gives: results one at a time, as they are wanted.

use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult};

use super::raised;
use crate::pool::gather::Settled;
use crate::pool::pump::Ticket;
use crate::script::iterate;
use crate::script::raise::{Raise, RhaiResult, interrupted, raise};
use crate::script::signature::Signature;
use crate::sync::wait::GaveUp;
use crate::sys::clock::Deadline;
use crate::wire::Error;

static NEXT: Signature = Signature { name: "PoolIterator.next", parameters: &["timeout"], required: 0 };

/// See the head of this file. A clone is the same; when the last is gone, nothing more is fed.
#[derive(Clone)]
pub struct PoolItems(Rc<Stream>);

struct Stream(Ticket);

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.give_up(Error::new("RuntimeError", "nobody takes the results any more"));
    }
}

impl From<Ticket> for PoolItems {
    fn from(ticket: Ticket) -> Self {
        Self(Rc::new(Stream(ticket)))
    }
}

impl PoolItems {
    /// The next result, or `None` at the end.
    fn next(&self, deadline: Deadline) -> Result<Option<Dynamic>, Raise> {
        match self.0.0.next(deadline) {
            Ok(settled) => settled.map(|settled: Settled| settled.map_err(raised)).transpose(),
            Err(GaveUp::TimedOut) => Err(raise("TimeoutError", "the next result is not there yet")),
            Err(GaveUp::Interrupted) => Err(interrupted()),
        }
    }

    /// The next result if it is there; `None` if it is still to come.
    pub fn poll(&self) -> Result<Option<Option<Dynamic>>, Raise> {
        match self.0.0.next_now() {
            None => Ok(None),
            Some(settled) => settled.map(|settled| settled.map_err(raised)).transpose().map(Some),
        }
    }
}

/// Registers the type.
pub fn register(engine: &mut Engine) {
    NEXT.method(engine, |_, items: PoolItems, mut arguments| -> RhaiResult {
        items.next(arguments.deadline(0)?)?.ok_or_else(|| raise("StopIteration", ""))
    });
    engine.register_type_with_name::<PoolItems>("PoolIterator");
    iterate::register::<PoolItems, Dynamic>(engine);
}

/// A loop over results. It ends after an error: a loop with an empty body passes over errors.
pub struct Loop {
    items: PoolItems,
    over: bool,
}

impl IntoIterator for PoolItems {
    type Item = Result<Dynamic, Box<EvalAltResult>>;
    type IntoIter = Loop;

    fn into_iter(self) -> Loop {
        Loop { items: self, over: false }
    }
}

impl Iterator for Loop {
    type Item = Result<Dynamic, Box<EvalAltResult>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.items.next(Deadline::Never).transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}
