//! `AsyncResult`: a call that goes on while the script does something else.

use std::rc::Rc;

use rhai::{Dynamic, Engine, NativeCallContext};

use super::{not_done, raised};
use crate::pool::owner::PoolError;
use crate::pool::pump::Ticket;
use crate::script::raise::{Raise, RhaiResult, interrupted, raise};
use crate::script::runtime;
use crate::script::signature::Signature;
use crate::sync::watch::Watched;
use crate::sys::clock::Deadline;
use crate::wire::Error;

static GET: Signature = Signature { name: "AsyncResult.get", parameters: &["timeout"], required: 0 };
static WAIT: Signature = Signature { name: "AsyncResult.wait", parameters: &["timeout"], required: 0 };

/// See the head of this file. A clone is the same.
#[derive(Clone)]
pub struct AsyncResult(Rc<Ticket>);

impl From<Ticket> for AsyncResult {
    fn from(ticket: Ticket) -> Self {
        Self(Rc::new(ticket))
    }
}

impl AsyncResult {
    /// Whether it is ready now.
    ///
    /// # Errors
    /// `AssertionError` in a process that has it by a fork only.
    fn is_ready(&self) -> Result<bool, Raise> {
        let ready = self.0.is_ready();
        if ready || self.0.is_mine() { Ok(ready) } else { Err(not_done(PoolError::NotMine)) }
    }

    fn wait(&self, deadline: Deadline) -> Result<bool, Raise> {
        // Before anything that could wait for ever.
        if self.is_ready()? {
            return Ok(true);
        }
        self.0.wait(deadline).map_err(|_| interrupted())
    }

    fn get(&self, deadline: Deadline) -> RhaiResult {
        if !self.wait(deadline)? {
            return Err(raise("TimeoutError", "the result is not there yet"));
        }
        self.0.answer().map_err(raised)
    }

    fn successful(&self) -> Result<bool, Raise> {
        if self.is_ready()? {
            return Ok(self.0.answer().is_ok());
        }
        Err(raise("ValueError", "the result is not ready"))
    }

    fn cancel(&self) -> bool {
        !self.0.is_ready() && self.0.give_up(Error::new("CancelledError", "the call was cancelled"))
    }
}

impl Watched for AsyncResult {
    /// Every wait looks after the pools of this process, so there is no word to leave.
    fn look(&self) -> bool {
        self.0.is_ready()
    }

    fn object(&self) -> u64 {
        self.0.channel().offset()
    }
}

/// Registers the type.
pub fn register(engine: &mut Engine) {
    GET.method(engine, |_, result: AsyncResult, mut arguments| result.get(arguments.deadline(0)?));
    WAIT.method(engine, |_, result: AsyncResult, mut arguments| {
        result.wait(arguments.deadline(0)?)?;
        Ok(Dynamic::UNIT)
    });
    let text = |result: &mut AsyncResult| match result.is_ready() {
        Ok(true) => "<AsyncResult, ready>",
        _ => "<AsyncResult, not ready>",
    };
    engine
        .register_type_with_name::<AsyncResult>("AsyncResult")
        .register_fn("ready", |context: NativeCallContext, result: &mut AsyncResult| {
            runtime::at(&context);
            result.is_ready()
        })
        .register_fn("successful", |result: &mut AsyncResult| result.successful())
        .register_fn("cancel", |result: &mut AsyncResult| result.cancel())
        .register_fn("to_string", text)
        .register_fn("to_debug", text);
}
