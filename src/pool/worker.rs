//! A worker's life: take a task, do it, put the outcome, until there are no more.

use rhai::{Array, Dynamic};

use super::line::{self, Outcome, Task};
use crate::arena::parcel::Parcel;
use crate::arena::table::Waiting;
use crate::process::start;
use crate::sync::channel::Channel;
use crate::sync::claims::Claims;
use crate::sys::clock::Deadline;
use crate::wire::{Error, Handles, Raised};

/// How a worker does what the script says: calls the function with the arguments.
pub type Call<'a> = dyn FnMut(&Dynamic, Array) -> Result<Dynamic, Raised> + 'a;

/// What a worker has of its pool.
pub struct Worker<'a> {
    /// Where tasks come from.
    pub tasks: Channel,
    /// Where outcomes go.
    pub results: Channel,
    /// Who works at what.
    pub claims: Claims,
    /// Which of the workers this is.
    pub seat: usize,
    /// Knows the handles inside values.
    pub handles: &'a dyn Handles,
}

/// The function of the call that the last task belonged to.
struct Current {
    call: u64,
    function: Dynamic,
    spread: bool,
}

impl Worker<'_> {
    /// Works until the pool is closed and no task is left.
    pub fn serve(&self, call: &mut Call) {
        let claim = self.claims.claim(self.seat);
        self.claims.set_ready(self.seat);
        let mut current = None;
        let (mut bytes, mut references) = (Vec::new(), Vec::new());
        while let Ok(message) = self.tasks.take_for(&mut bytes, Deadline::Never, Some(claim), Waiting::Task) {
            let number = message.bytes(&bytes).first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
            let outcome = match line::read_task(message.bytes(&bytes), &message.references(), self.handles) {
                Some((task, Ok(items))) => self.outcome(task, items, &mut current, call),
                Some((_, Err(error))) => failed(0, format!("the task can't be read: {error}")),
                None => failed(0, "the task can't be read".to_owned()),
            };
            drop(message);
            if let Err(error) =
                line::write_outcome(number, &outcome, self.handles, &mut bytes, &mut references)
            {
                let error =
                    Error::new("MaybeEncodingError", format!("the result of a task can't be sent: {error}"));
                let outcome =
                    Outcome::Raised(0, Raised { value: Dynamic::from(error), traceback: String::new() });
                if line::write_outcome(number, &outcome, self.handles, &mut bytes, &mut references).is_err() {
                    return;
                }
            }
            if let Err(error) = self.results.put_for(&bytes, &references, Deadline::Never, claim) {
                let outcome = failed(0, format!("the result of a task can't be sent: {error}"));
                let written =
                    line::write_outcome(number, &outcome, self.handles, &mut bytes, &mut references);
                if written.is_err() || self.results.put_for(&bytes, &[], Deadline::Never, claim).is_err() {
                    // No memory even for that: to the owner this worker is lost with its task.
                    return;
                }
            }
        }
    }

    fn outcome(&self, task: Task, items: Array, current: &mut Option<Current>, call: &mut Call) -> Outcome {
        if current.as_ref().is_none_or(|current| current.call != task.call) {
            match self.function(task) {
                Ok(function) => *current = Some(function),
                Err(reason) => return failed(0, reason),
            }
        }
        let Some(current) = current else { return failed(0, "the task has no function".to_owned()) };
        let mut results = Array::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let arguments = if current.spread { item.try_cast().unwrap_or_default() } else { vec![item] };
            match call(&current.function, arguments) {
                Ok(result) => results.push(result),
                Err(raised) => return Outcome::Raised(index, raised),
            }
        }
        Outcome::Values(results)
    }

    fn function(&self, task: Task) -> Result<Current, String> {
        let parcel = Parcel::open(task.parcel).map_err(|error| error.to_string())?;
        let mut parts = start::unpack(&parcel, self.handles)
            .map_err(|error| format!("the function can't be read: {error}"))?
            .into_iter();
        let function = parts.next().unwrap_or_default();
        let spread = parts.next().and_then(|spread| spread.as_bool().ok()).unwrap_or(false);
        Ok(Current { call: task.call, function, spread })
    }
}

fn failed(index: usize, reason: String) -> Outcome {
    Outcome::Raised(
        index,
        Raised { value: Dynamic::from(Error::new("RuntimeError", reason)), traceback: String::new() },
    )
}
