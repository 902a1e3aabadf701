//! A worker's life: take a task, do it, put the outcome, until there are no more.

use rhai::{Array, Dynamic};

use super::line::{self, Outcome, Task};
use crate::arena::parcel::Parcel;
use crate::arena::table::Waiting;
use crate::process::start;
use crate::sync::channel::{Channel, Message};
use crate::sync::claims::Claims;
use crate::sys::clock::Deadline;
use crate::wire::{Error, Handles, Raised};

/// How a worker does what the script says: calls the function with the arguments.
pub type Call<'a> = dyn FnMut(&Dynamic, Array) -> Result<Dynamic, Raised> + 'a;

/// Why a worker stops serving.
#[derive(Debug)]
pub enum Stopped {
    /// The pool is closed and no task is left.
    NoMoreTasks,
    /// The owner's program has grown since this worker loaded it: it has to load this one, and serve again.
    NewProgram(Parcel),
    /// There is no memory to say what became of a task.
    OutOfMemory,
}

/// A worker's place in its pool.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Where tasks come from.
    pub tasks: Channel,
    /// Where outcomes go.
    pub results: Channel,
    /// Who works at what.
    pub claims: Claims,
    /// Which of the workers this is.
    pub index: usize,
}

/// What a worker has of its pool.
pub struct Worker<'a> {
    /// Its place.
    pub seat: Seat,
    /// Knows the handles inside values.
    pub handles: &'a dyn Handles,
    /// The program that is loaded, kept so that no other can have its place.
    pub program: Parcel,
    /// A task that was taken and waits for a new program.
    pub waiting: Option<(Message, Vec<u8>)>,
}

/// The function of the call that the last task belonged to.
struct Current {
    call: u64,
    function: Dynamic,
    spread: bool,
}

impl Worker<'_> {
    /// Works until the pool is closed and no task is left, or the program has grown.
    pub fn serve(&mut self, call: &mut Call) -> Stopped {
        self.seat.claims.set_ready(self.seat.index);
        let mut current = None;
        let mut buffer = Vec::new();
        loop {
            let message = match self.waiting.take() {
                Some((message, bytes)) => {
                    buffer = bytes;
                    message
                }
                None => {
                    let claim = self.seat.claims.claim(self.seat.index);
                    match self.seat.tasks.take_for(&mut buffer, Deadline::Never, Some(claim), Waiting::Task) {
                        Ok(message) => message,
                        Err(_) => return Stopped::NoMoreTasks,
                    }
                }
            };
            let bytes = message.bytes(&buffer);
            let number = bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
            if let Some(program) = self.other_program(bytes) {
                self.waiting = Some((message, buffer));
                return Stopped::NewProgram(program);
            }
            let outcome = match line::read_task(bytes, &message.references(), self.handles) {
                Some((task, Ok(items))) => self.outcome(task, items, &mut current, call),
                Some((_, Err(error))) => failed(format!("the task can't be read: {error}")),
                None => failed("the task can't be read".to_owned()),
            };
            drop(message);
            if !self.answer(number, &outcome, &mut buffer) {
                return Stopped::OutOfMemory;
            }
        }
    }

    /// The program that a task's function needs, if it says so and it is not the one that is loaded.
    fn other_program(&self, task: &[u8]) -> Option<Parcel> {
        let (head, _) = line::read_head(task)?;
        if head.program == 0 || head.program == self.program.offset() {
            return None;
        }
        Parcel::open(head.program).ok()
    }

    /// Puts the outcome of a task; `false` if there is no memory even to say so.
    fn answer(&self, number: u64, outcome: &Outcome, bytes: &mut Vec<u8>) -> bool {
        let claim = self.seat.claims.claim(self.seat.index);
        let mut references = Vec::new();
        let mut put = |outcome: &Outcome| -> Result<(), Error> {
            line::write_outcome(number, outcome, self.handles, bytes, &mut references).map_err(|error| {
                Error::new("MaybeEncodingError", format!("the result of a task can't be sent: {error}"))
            })?;
            self.seat.results.put_for(bytes, &references, Deadline::Never, claim).map_err(|error| {
                Error::new("MemoryError", format!("the result of a task can't be sent: {error}"))
            })
        };
        put(outcome).or_else(|error| put(&raised(error))).is_ok()
    }

    fn outcome(&self, task: Task, items: Array, current: &mut Option<Current>, call: &mut Call) -> Outcome {
        if current.as_ref().is_none_or(|current| current.call != task.call) {
            match self.function(task) {
                Ok(function) => *current = Some(function),
                Err(reason) => return failed(reason),
            }
        }
        let Some(current) = current else { return failed("the task has no function".to_owned()) };
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

fn failed(reason: String) -> Outcome {
    raised(Error::new("RuntimeError", reason))
}

fn raised(error: Error) -> Outcome {
    Outcome::Raised(0, Raised { value: Dynamic::from(error), traceback: String::new() })
}
