//! A worker's life: take a task, do its items, put their outcomes, until there are no more.
//!
//! | where it is killed | its claim | what is lost |
//! |---|---|---|
//! | between tasks | 0 | nothing |
//! | from the commit that takes a task on | the item it is at | that item, and what of the task was not put |
//! | after the commit that puts the last outcome | 0 | nothing |

use rhai::{Array, Dynamic};

use super::line::{self, Manner, Outcome, Task};
use crate::arena::parcel::Parcel;
use crate::arena::table::Waiting;
use crate::process::start;
use crate::sync::channel::{Channel, Message};
use crate::sync::claims::Claims;
use crate::sys::clock::{self, Deadline};
use crate::sys::resources;
use crate::wire::{Error, Handles, Raised};

/// How a worker does what the script says: calls the function with the arguments. It is told how the task is
/// to be done.
pub type Call<'a> = dyn FnMut(&Dynamic, Array, Manner) -> Result<Dynamic, Raised> + 'a;

/// A function of at most so many bytes that has no handles in it is kept for the next call.
pub const SMALL: usize = 64 << 10;

/// Characters of a value that an error shows.
const SHOWN: usize = 60;

/// Why a worker stops serving.
#[derive(Debug)]
pub enum Stopped {
    /// The pool is closed and no task is left.
    NoMoreTasks,
    /// It has done as many tasks, or grown as large, as one of this pool may.
    Retired,
    /// The owner's program has grown since this worker loaded it: it has to load this one, and serve again.
    NewProgram(Parcel),
    /// There is no memory to say what became of a task.
    OutOfMemory,
}

/// How long a worker stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Tasks that it does at most; 0 is no limit.
    pub tasks: u64,
    /// Bytes of memory of its own after which it goes; 0 is no limit.
    pub memory: u64,
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
    /// How long it is for.
    pub limits: Limits,
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
    /// Tasks done so far.
    pub done: u64,
}

/// The function of the call that the last task belonged to. The parcel is held, so that no other has its place.
struct Current {
    parcel: Parcel,
    function: Dynamic,
}

impl Current {
    /// Whether it is let go of when there is nothing to do.
    fn is_heavy(&self) -> bool {
        self.parcel.bytes().len() > SMALL || !self.parcel.references().is_empty()
    }
}

impl Worker<'_> {
    /// Works until the pool is closed and no task is left, the program has grown, or its time is over.
    pub fn serve(&mut self, call: &mut Call) -> Stopped {
        self.seat.claims.set_ready(self.seat.index);
        let mut current = None;
        let mut buffer = Vec::new();
        loop {
            if self.is_over() {
                return Stopped::Retired;
            }
            let Some(message) = self.next(&mut buffer, &mut current) else { return Stopped::NoMoreTasks };
            let bytes = message.bytes(&buffer);
            if let Some(program) = self.other_program(bytes) {
                self.waiting = Some((message, buffer));
                return Stopped::NewProgram(program);
            }
            let began = self.seat.claims.begin(self.seat.index);
            let number = bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
            let read = line::read_task(bytes, &message.references(), self.handles);
            drop(message);
            let answered = match read {
                Some((task, Ok(items))) => self.work(task, items, &mut current, call, &mut buffer),
                Some((_, Err(error))) => {
                    self.refuse(number, &format!("the task can't be read: {error}"), &mut buffer)
                }
                None => self.refuse(number, "the task can't be read", &mut buffer),
            };
            if !answered {
                return Stopped::OutOfMemory;
            }
            self.seat.claims.add_busy(self.seat.index, clock::monotonic_ns().saturating_sub(began));
            self.done += 1;
        }
    }

    fn is_over(&self) -> bool {
        let Limits { tasks, memory } = self.seat.limits;
        self.waiting.is_none()
            && (tasks != 0 && self.done >= tasks || memory != 0 && resources::own_memory() > memory)
    }

    /// The next task. Before it waits for one it lets go of what the last one needed.
    fn next(&mut self, buffer: &mut Vec<u8>, current: &mut Option<Current>) -> Option<Message> {
        if let Some((message, bytes)) = self.waiting.take() {
            *buffer = bytes;
            return Some(message);
        }
        let claim = Some(self.seat.claims.claim(self.seat.index));
        if current.as_ref().is_some_and(Current::is_heavy) {
            let now = Deadline::after(Some(0.0));
            if let Ok(message) = self.seat.tasks.take_for(buffer, now, claim, Waiting::Task) {
                return Some(message);
            }
            *current = None;
        }
        self.seat.tasks.take_for(buffer, Deadline::Never, claim, Waiting::Task).ok()
    }

    /// The program that a task's function needs, if it says so and it is not the one that is loaded.
    fn other_program(&self, task: &[u8]) -> Option<Parcel> {
        let (head, _) = line::read_head(task)?;
        if head.program == 0 || head.program == self.program.offset() {
            return None;
        }
        Parcel::open(head.program).ok()
    }

    /// Does a task's items and puts their outcomes; `false` if there is no memory even to say so.
    fn work(
        &self,
        task: Task,
        items: Array,
        current: &mut Option<Current>,
        call: &mut Call,
        buffer: &mut Vec<u8>,
    ) -> bool {
        if current.as_ref().is_none_or(|current| current.parcel.offset() != task.parcel) {
            match self.function(task) {
                Ok(function) => *current = Some(function),
                Err(reason) => return self.refuse(task.number, &reason, buffer),
            }
        }
        let Some(Current { function, .. }) = current else { return false };
        let manner = task.manner;
        let count = items.len();
        let mut results = Array::with_capacity(if manner.each { 1 } else { count });
        for (offset, item) in items.into_iter().enumerate() {
            if offset > 0 {
                self.next_item(task, offset);
            }
            let arguments = if manner.spread { item.try_cast().unwrap_or_default() } else { vec![item] };
            let outcome = match call(function, arguments, manner) {
                Ok(result) if manner.each => Outcome::Values(vec![result]),
                Ok(result) => {
                    results.push(result);
                    continue;
                }
                Err(raised) if manner.each => Outcome::Raised(raised),
                Err(raised) => Outcome::Ended(raised),
            };
            let last = !manner.each || offset + 1 == count;
            let next = if last { 0 } else { task.number + offset as u64 + 1 };
            if !self.answer((task.number, offset), &outcome, next, buffer) {
                return false;
            }
            if last {
                return true;
            }
        }
        self.answer((task.number, 0), &Outcome::Values(results), 0, buffer)
    }

    /// Goes on to the item at `offset`: where each outcome is put, the claim is there already.
    fn next_item(&self, task: Task, offset: usize) {
        if !task.manner.each {
            self.seat.claims.go_on(self.seat.index, task.number + offset as u64);
        } else if task.manner.timed {
            self.seat.claims.begin(self.seat.index);
        }
    }

    /// Puts an outcome and moves the claim to `next`; `false` if there is no memory even to say so.
    fn answer(&self, place: (u64, usize), outcome: &Outcome, next: u64, bytes: &mut Vec<u8>) -> bool {
        self.seat.claims.end(self.seat.index);
        let claim = self.seat.claims.claim(self.seat.index);
        let mut references = Vec::new();
        let mut put = |outcome: &Outcome| -> Result<(), Error> {
            line::write_outcome(place, outcome, self.handles, bytes, &mut references).map_err(|error| {
                let value = shown(outcome);
                Error::new("MaybeEncodingError", format!("the result {value} can't be sent back: {error}"))
            })?;
            self.seat.results.put_for(bytes, &references, Deadline::Never, (claim, next)).map_err(|error| {
                Error::new("MemoryError", format!("the result of a task can't be sent back: {error}"))
            })
        };
        put(outcome)
            .or_else(|error| {
                let raised = Raised { value: Dynamic::from(error), traceback: String::new() };
                put(&if next == 0 { Outcome::Ended(raised) } else { Outcome::Raised(raised) })
            })
            .is_ok()
    }

    /// No item of a task can be done.
    fn refuse(&self, task: u64, reason: &str, buffer: &mut Vec<u8>) -> bool {
        let value = Dynamic::from(Error::new("RuntimeError", reason));
        self.answer((task, 0), &Outcome::Ended(Raised { value, traceback: String::new() }), 0, buffer)
    }

    fn function(&self, task: Task) -> Result<Current, String> {
        let parcel = Parcel::open(task.parcel).map_err(|error| error.to_string())?;
        let parts = start::unpack(&parcel, self.handles)
            .map_err(|error| format!("the function can't be read: {error}"))?;
        let function = parts.into_iter().next().unwrap_or_default();
        Ok(Current { parcel, function })
    }
}

/// A value in a few words, for an error.
pub fn short(value: &Dynamic) -> String {
    let text = value.to_string();
    let short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() { format!("{short}...") } else { short }
}

/// The results of an outcome in a few words.
fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Values(values) => match values.as_slice() {
            [value] => short(value),
            values => short(&Dynamic::from(values.to_vec())),
        },
        Outcome::Raised(raised) | Outcome::Ended(raised) => short(&raised.value),
    }
}
