//! How a pool's calls are fed: items become tasks, as far as there is room.
//!
//! Invariants
//! 1. At most [`WINDOW`] tasks for each worker are out, and [`BYTES`] of them once every worker has two.
//! 2. What is to be sent again goes first; then the calls in the order in which they came, each as far as it may
//!    have more (see `call`).

use std::rc::Rc;

use rhai::{Array, Dynamic};

use super::call::{Failure, Shared};
use super::line::{self, Task};
use super::owner::{Batch, Out, Pool, State};
use super::source::{Next, Source};
use crate::sync::channel::PutError;
use crate::sys::clock::Deadline;
use crate::wire::{self, Error, Handles};

/// Tasks that are out at one time, for each worker.
const WINDOW: usize = 128;
/// Bytes of tasks that are out at one time.
const BYTES: usize = 64 << 20;
/// Items that are there already and of which tasks are made at one time, if a task has no more.
const HELPING: usize = 128;

impl Pool {
    fn has_room(&self) -> bool {
        let tasks = self.out.len();
        !self.stuck
            && tasks < WINDOW * self.size()
            && (self.bytes_out < BYTES || tasks < 2 * self.size())
            && self.broken.is_none()
            && self.state() != State::Terminated
    }

    /// Sends what was to be sent again, as far as there is room.
    pub(super) fn send_again(&mut self) {
        while self.has_room()
            && let Some(batch) = self.again.pop_front()
        {
            self.send(batch);
        }
    }

    /// The first call that wants to be fed, other than those in `skip`: its source, and how many items.
    pub(super) fn hungry(&mut self, skip: &[Shared]) -> Option<(Shared, Box<dyn Source>, usize)> {
        if !self.again.is_empty() || !self.has_room() {
            return None;
        }
        let mut index = 0;
        while let Some(call) = self.hungry.get(index) {
            let mut state = call.borrow_mut();
            if !state.is_open() {
                drop(state);
                self.hungry.remove(index);
                continue;
            }
            let wanted = state.appetite(1, self.finishing);
            if wanted > 0
                && !skip.iter().any(|other| Rc::ptr_eq(other, call))
                && let Some(source) = state.take_source()
            {
                let tasks = HELPING / state.rules.chunk;
                let many = if source.is_at_hand() && tasks > 1 {
                    state.appetite(tasks, self.finishing)
                } else {
                    wanted
                };
                drop(state);
                return Some((Rc::clone(call), source, many));
            }
            index += 1;
        }
        None
    }

    /// The source of a call is back, with what it gave and what came then.
    pub(super) fn feed(&mut self, call: &Shared, source: Box<dyn Source>, items: Array, then: &Next) {
        let items = if matches!(then, Next::Failed(_)) { Array::new() } else { items };
        let mut state = call.borrow_mut();
        let (first, spent) = state.fed(source, items.len(), then);
        self.spent.extend(spent);
        if state.is_given_up() {
            return;
        }
        let (chunk, journaled) = (state.rules.chunk, state.journal.is_some());
        drop(state);
        if journaled {
            self.feed_new(call, first, items);
        } else if items.len() <= chunk {
            self.enqueue(call, first, items);
        } else {
            let mut items = items.into_iter();
            for start in (first..first + items.len()).step_by(chunk) {
                self.enqueue(call, start, items.by_ref().take(chunk).collect());
            }
        }
        self.note(call);
    }

    /// Feeds the items that the call's journal does not have.
    fn feed_new(&mut self, call: &Shared, first: usize, items: Array) {
        let chunk = call.borrow().rules.chunk;
        let (mut start, mut row) = (first, Array::new());
        for (index, item) in (first..).zip(items) {
            let (bytes, references) = &mut self.buffers;
            bytes.clear();
            references.clear();
            let encoded = wire::encode(&item, "", &wire::NoHandles, bytes, references);
            let encoded = encoded.map_err(|_| refusal(&item, call, index, &wire::NoHandles));
            let recorded = match encoded {
                Ok(()) => call.borrow_mut().recorded(index, &self.buffers.0),
                Err(refusal) => Some(Err(refusal.unwrap_or_else(unknown))),
            };
            match recorded {
                None => row.push(item),
                Some(result) => {
                    self.enqueue(call, start, std::mem::take(&mut row));
                    start = index + 1;
                    self.stats.skipped += u64::from(result.is_ok());
                    call.borrow_mut().settle(index, result.map_err(Failure::Lost));
                }
            }
            if row.len() == chunk {
                self.enqueue(call, start, std::mem::take(&mut row));
                start = index + 1;
            }
        }
        self.enqueue(call, start, row);
    }

    fn enqueue(&mut self, call: &Shared, first: usize, items: Array) {
        if items.is_empty() {
            return;
        }
        let batch = Batch { call: Rc::clone(call), first, items, attempts: 0 };
        if self.again.is_empty() {
            self.send(batch);
        } else {
            self.again.push_back(batch);
        }
    }

    /// Sends a row of items as one task. Those that can't travel are settled; what there is no memory for
    /// waits.
    fn send(&mut self, batch: Batch) {
        let call = batch.call.borrow();
        if call.is_given_up() {
            return;
        }
        let manner = call.manner();
        let task = Task {
            number: self.next_item,
            parcel: call.function.parcel(),
            program: call.function.program(),
            manner,
        };
        drop(call);
        let (bytes, references) = &mut self.buffers;
        if line::write_task(task, &batch.items, self.handles, bytes, references).is_err() {
            self.send_without_refused(batch, manner.each);
            return;
        }
        match self.crew.tasks.put(bytes, references, Deadline::Never) {
            Ok(()) => {}
            Err(PutError::OutOfMemory(_)) if !self.out.is_empty() => {
                self.stuck = true;
                self.again.push_front(batch);
                return;
            }
            Err(error) => {
                let failure = Failure::Lost(Error::new("MemoryError", error.to_string()));
                self.settle_all(&batch.call, batch.first..batch.first + batch.items.len(), &failure);
                return;
            }
        }
        self.next_item += batch.items.len() as u64;
        self.bytes_out += bytes.len();
        let out = Out { bytes: bytes.len(), batch, done: 0 };
        self.out.insert(task.number, out);
    }

    /// Some item of the row can't travel.
    fn send_without_refused(&mut self, batch: Batch, each: bool) {
        let Batch { call, first, items, attempts } = batch;
        let errors: Vec<Option<Error>> =
            (first..).zip(&items).map(|(index, item)| refusal(item, &call, index, self.handles)).collect();
        if !each {
            // It fails as a whole, like a task in which an item raises.
            let error = errors.into_iter().flatten().next().unwrap_or_else(unknown);
            self.settle_all(&call, first..first + items.len(), &Failure::Lost(error));
            return;
        }
        let mut rows: Vec<Batch> = Vec::new();
        for ((index, item), error) in (first..).zip(items).zip(errors) {
            match error {
                Some(error) => self.settle(&call, index, Err(Failure::Lost(error))),
                None => match rows.last_mut().filter(|row| row.first + row.items.len() == index) {
                    Some(row) => row.items.push(item),
                    None => {
                        rows.push(Batch {
                            call: Rc::clone(&call),
                            first: index,
                            items: vec![item],
                            attempts,
                        });
                    }
                },
            }
        }
        self.again.extend(rows);
        self.note(&call);
    }
}

/// Why an item can't travel, with its place in what the caller gave; `None` if it can.
fn refusal(item: &Dynamic, call: &Shared, index: usize, handles: &dyn Handles) -> Option<Error> {
    let place = if call.borrow().rules.apply { "args".to_owned() } else { format!("iterable[{index}]") };
    wire::encode(item, &place, handles, &mut Vec::new(), &mut Vec::new()).err().map(Error::from)
}

/// An item that can travel alone and could not with others: nobody knows why.
fn unknown() -> Error {
    Error::new("TypeError", "the items can't be sent to another process")
}
