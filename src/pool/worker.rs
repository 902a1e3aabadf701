//! A worker's life: take a task, do its items, put their outcomes, until there are no more.
//!
//! | where it is killed | its claim | what is lost |
//! |---|---|---|
//! | between tasks | 0 | nothing |
//! | from the commit that takes a task on | the item it is at | that item, and what of the task was not put |
//! | after the commit that puts the last outcome | 0 | nothing |

use rhai::{Array, Dynamic};

use super::answer::Answer;
use super::line::{self, Manner, Task};
use crate::arena::parcel::Parcel;
use crate::arena::table::Waiting;
use crate::process::start;
use crate::sync::channel::{Channel, Message};
use crate::sync::claims::Claims;
use crate::sys::clock::{self, Deadline};
use crate::sys::resources;
use crate::wire::{Error, Handles, Raised};

/// A function of the script, made ready to be called for many items.
pub trait Callee {
    /// A task of so many items begins, to be done in this manner.
    fn begin(&mut self, manner: Manner, items: usize);

    /// Calls the function; it takes the arguments.
    ///
    /// # Errors
    /// What it raises.
    fn call(&mut self, arguments: &mut [Dynamic]) -> Result<Dynamic, Raised>;
}

/// Makes a function ready; the error says in words why it can't be called.
pub type Prepare<'a> = dyn Fn(Dynamic) -> Result<Box<dyn Callee + 'a>, String> + 'a;

/// A function of at most so many bytes that has no handles in it is kept while there is nothing to do.
const SMALL: usize = 64 << 10;

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
struct Current<'a> {
    parcel: Parcel,
    callee: Box<dyn Callee + 'a>,
}

impl Current<'_> {
    /// Whether it is let go of when there is nothing to do.
    fn is_heavy(&self) -> bool {
        self.parcel.bytes().len() > SMALL || !self.parcel.references().is_empty()
    }
}

impl Worker<'_> {
    /// Works until the pool is closed and no task is left, the program has grown, or its time is over.
    pub fn serve(&mut self, prepare: &Prepare) -> Stopped {
        let seat = self.seat.clone();
        seat.claims.set_ready(seat.index);
        let mut current = None;
        let mut buffer = Vec::new();
        let mut answer = Answer::new(&seat, self.handles);
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
            let began = seat.claims.begin(seat.index);
            let number = bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
            let read = line::read_task(bytes, &message.references(), self.handles);
            drop(message);
            let answered = match read {
                Some((task, Ok(items))) => match self.callee(task, &mut current, prepare) {
                    Ok(callee) => self.work(task, items, callee, &mut answer),
                    Err(reason) => refuse(number, &reason, &mut answer),
                },
                Some((_, Err(error))) => {
                    refuse(number, &format!("the task can't be read: {error}"), &mut answer)
                }
                None => refuse(number, "the task can't be read", &mut answer),
            };
            if !answered {
                return Stopped::OutOfMemory;
            }
            seat.claims.add_busy(seat.index, clock::monotonic_ns().saturating_sub(began));
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

    /// Does a task's items; `false` if there is no memory even to say what became of them.
    fn work(&self, task: Task, items: Array, callee: &mut dyn Callee, answer: &mut Answer) -> bool {
        callee.begin(task.manner, items.len());
        if task.manner.each {
            self.work_each(task, items, callee, answer)
        } else {
            self.work_whole(task, items, callee, answer)
        }
    }

    /// Each item's outcome is put by itself.
    fn work_each(&self, task: Task, items: Array, callee: &mut dyn Callee, answer: &mut Answer) -> bool {
        let count = items.len();
        for (offset, item) in items.into_iter().enumerate() {
            // Its claim is there already.
            if offset > 0 && task.manner.timed {
                self.seat.claims.begin(self.seat.index);
            }
            let place = (task.number, offset);
            let next = if offset + 1 < count { task.number + offset as u64 + 1 } else { 0 };
            let result = call(callee, item, task.manner).and_then(|result| {
                answer.begin(place, 1);
                answer.add(result, 0)
            });
            let answered = match result {
                Ok(()) => answer.put(place, next),
                Err(raised) => answer.raise(place, &raised, next),
            };
            if !answered {
                return false;
            }
        }
        true
    }

    /// One outcome is put for all items.
    fn work_whole(&self, task: Task, items: Array, callee: &mut dyn Callee, answer: &mut Answer) -> bool {
        answer.begin((task.number, 0), items.len());
        for (offset, item) in items.into_iter().enumerate() {
            if offset > 0 {
                self.seat.claims.go_on(self.seat.index, task.number + offset as u64);
            }
            let result = call(callee, item, task.manner).and_then(|result| answer.add(result, offset));
            if let Err(raised) = result {
                return answer.raise((task.number, offset), &raised, 0);
            }
        }
        answer.put((task.number, 0), 0)
    }

    /// The function of a task, made ready: the last task's, if it is the same.
    fn callee<'c, 'p>(
        &self,
        task: Task,
        current: &'c mut Option<Current<'p>>,
        prepare: &Prepare<'p>,
    ) -> Result<&'c mut (dyn Callee + 'p), String> {
        if current.as_ref().is_none_or(|current| current.parcel.offset() != task.parcel) {
            // The last one is let go of first: both may be large.
            *current = None;
            *current = Some(self.function(task, prepare)?);
        }
        let current = current.as_mut().ok_or("there is no function")?;
        Ok(&mut *current.callee)
    }

    fn function<'p>(&self, task: Task, prepare: &Prepare<'p>) -> Result<Current<'p>, String> {
        let parcel = Parcel::open(task.parcel).map_err(|error| error.to_string())?;
        let parts = start::unpack(&parcel, self.handles)
            .map_err(|error| format!("the function can't be read: {error}"))?;
        let callee = prepare(parts.into_iter().next().unwrap_or_default())?;
        Ok(Current { parcel, callee })
    }
}

fn call(callee: &mut dyn Callee, mut item: Dynamic, manner: Manner) -> Result<Dynamic, Raised> {
    if manner.spread {
        callee.call(&mut item.try_cast::<Array>().unwrap_or_default())
    } else {
        callee.call(std::slice::from_mut(&mut item))
    }
}

/// No item of a task can be done.
fn refuse(task: u64, reason: &str, answer: &mut Answer) -> bool {
    answer.raise((task, 0), &Raised::of(Error::new("RuntimeError", reason)), 0)
}

/// A value in a few words, for an error.
pub fn short(value: &Dynamic) -> String {
    let text = value.to_string();
    let short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() { format!("{short}...") } else { short }
}
